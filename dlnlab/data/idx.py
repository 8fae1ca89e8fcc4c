"""MNIST and Fashion-MNIST, in the IDX format.

An IDX file of bytes is 0, 0, 8 (unsigned bytes), the number of axes, the length of every axis as a
big-endian integer of four bytes, and the entries, the last axis running fastest.
"""

from __future__ import annotations

import math
import os
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlnlab.data.downloads import Source, check_checksum, download, find
from dlnlab.data.images import Images, ImageSet
from dlnlab.files import untrusted
from dlnlab.numerics import checks

__all__ = [
    "FASHION_MNIST",
    "MNIST",
    "SLACK",
    "UNSIGNED_BYTE",
    "IdxFiles",
    "fashion_mnist",
    "load",
    "mnist",
    "parse",
]

UNSIGNED_BYTE = 8

SLACK = 2**16
"""Bytes that a packed file may have beyond what it holds."""


@dataclass(frozen=True)
class IdxFiles:
    """The four files of such a set.

    Attributes
    ----------
    name : str
    files : tuple of 4 Source
        Images and labels to learn from, images and labels held out.
    counts : (int, int)
        Numbers of images to learn from and held out.
    shape : (int, int)
        Height and width.
    classes : tuple of str
    """

    name: str
    files: tuple[Source, Source, Source, Source]
    counts: tuple[int, int]
    shape: tuple[int, int]
    classes: tuple[str, ...]


def _published(folder: str, *md5: str) -> tuple[Source, ...]:
    parts = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")
    return tuple(Source(f"{folder}/{p}-ubyte.gz", m) for p, m in zip(parts, md5, strict=True))


FASHION_MNIST = IdxFiles(
    name="Fashion-MNIST",
    files=_published(  # type: ignore[arg-type]
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
        "25c81989df183df01b3e8a0aad5dffbe",
        "bef4ecab320f06d8554ea6380940ec79",
        "bb300cfdad3c16e7a12a480ee83cd310",
    ),
    counts=(60_000, 10_000),
    shape=(28, 28),
    classes=(
        *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
        *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
    ),
)
"""Xiao, Rasul and Vollgraf 2017, arXiv 1708.07747."""

MNIST = IdxFiles(
    name="MNIST",
    files=_published(  # type: ignore[arg-type]
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        "f68b3c2dcbeaaa9fbdd348bbdeb94873",
        "d53e105ee54ea40749a09fcbcd1e9432",
        "9fb629c4189551a2d022fa330f9573f3",
        "ec29112dd5afa0611ce80d1b7f02629c",
    ),
    counts=(60_000, 10_000),
    shape=(28, 28),
    classes=tuple(map(str, range(10))),
)
"""LeCun, Cortes and Burges, The MNIST database of handwritten digits."""


def fashion_mnist(path: str | os.PathLike[str] | None = None) -> ImageSet:
    """Return Fashion-MNIST, 60,000 and 10,000 grey images of clothes, 28 × 28, in ten classes.

    Parameters
    ----------
    path : path, optional
        A folder with the four files, packed (``train-images-idx3-ubyte.gz``, …) or unpacked.
        Without it they are downloaded (extra ``data``).

    Returns
    -------
    ImageSet

    Warns
    -----
    UserWarning
        If a packed file is sound but does not have the published checksum.

    Raises
    ------
    TypeError, FileNotFoundError, ValueError
        If `path` is no such folder, or a file is not exactly as described.
    ImportError
        If a download is asked for and pooch is not installed.
    """
    return load(FASHION_MNIST, path)


def mnist(path: str | os.PathLike[str] | None = None) -> ImageSet:
    """Return MNIST, 60,000 and 10,000 grey images of handwritten digits, 28 × 28.

    Parameters, results, warnings and errors are those of `fashion_mnist`.

    Parameters
    ----------
    path : path, optional
        A folder with the four files; without it they are downloaded.

    Returns
    -------
    ImageSet
    """
    return load(MNIST, path)


def load(what: IdxFiles, path: str | os.PathLike[str] | None) -> ImageSet:
    """Read the four files, from a folder or after downloading them.

    Parameters
    ----------
    what : IdxFiles
    path : path, optional

    Returns
    -------
    ImageSet

    Raises
    ------
    TypeError, ValueError, OSError
        If `path` is malformed, there are no such files, or they are not exactly as published.
    """
    folder = None if path is None else Path(checks.path("path", path))
    shapes = [shape for n in what.counts for shape in ((n, *what.shape), (n,))]
    found = [_read(what, *each, folder) for each in zip(what.files, shapes, strict=True)]
    train, test = Images(found[0], found[1], 255), Images(found[2], found[3], 255)
    return ImageSet(what.name, train, test, what.classes)


def _read(
    what: IdxFiles, source: Source, shape: tuple[int, ...], folder: Path | None
) -> np.ndarray:
    if folder is None:
        path = download(source.url, f"md5:{source.md5}", within=what.name.lower())
    else:
        path = find(folder, source.name, source.name.removesuffix(".gz"))
    where, most = repr(str(path)), 4 + 4 * len(shape) + math.prod(shape)
    packed = untrusted.content(path, most + SLACK, where)
    content = untrusted.unpacked(packed, most, where) if path.suffix == ".gz" else packed
    found = parse(where, content, shape)
    if len(shape) == 1 and found.max() >= len(what.classes):
        raise ValueError(
            f"{where} must hold labels from 0 to {len(what.classes) - 1}, got {found.max()}"
        )
    if path.name == source.name:  # no checksum was published of what it holds
        check_checksum(path, packed, source.md5)
    return found


def parse(where: str, content: bytes, shape: tuple[int, ...]) -> np.ndarray:
    """Return the array that an IDX file of bytes holds, which must have that shape.

    Parameters
    ----------
    where : str
        Name of the file, for messages.
    content : bytes
    shape : tuple of int

    Returns
    -------
    array of uint8

    Raises
    ------
    ValueError
        If the header says otherwise, or there are too few or too many bytes.
    """
    head = 4 + 4 * len(shape)
    wanted = bytes([0, 0, UNSIGNED_BYTE, len(shape)])
    if content[:4] != wanted:
        raise ValueError(
            f"{where} must begin with the bytes {wanted.hex(' ')} of an IDX file of {len(shape)} "
            f"axes, got {content[:4].hex(' ') or 'nothing'}"
        )
    if len(content) < head or struct.unpack(f">{len(shape)}I", content[4:head]) != shape:
        found = content[4:head].hex(" ")
        raise ValueError(f"{where} must hold an array of shape {shape}, its header says {found}")
    if len(content) != head + math.prod(shape):
        raise ValueError(
            f"{where} must have {head + math.prod(shape):,} bytes, got {len(content):,}"
        )
    return np.frombuffer(content, np.uint8, offset=head).reshape(shape)
