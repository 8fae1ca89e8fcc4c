"""CIFAR-10, in its "python version": a tar archive of pickled batches.

A batch is a dict; its ``data`` are rows of 3072 bytes, the red, the green and the blue values of an
image of 32 × 32 pixels, row by row, and its ``labels`` a list.
"""

from __future__ import annotations

import gzip
import os
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dlnlab.data import pickles
from dlnlab.data.downloads import Source, check_checksum, download, find
from dlnlab.data.images import Images, ImageSet
from dlnlab.files import untrusted
from dlnlab.numerics import checks

__all__ = ["CIFAR10", "SIDE", "Batches", "cifar10", "load"]

SIDE = 32


@dataclass(frozen=True)
class Batches:
    """The binary files of CIFAR-10, in the order in which they are read.

    Attributes
    ----------
    archive : Source
    folder : str
        Where the archive has its files.
    train, test : dict of str to str
        Names of the batches to learn from and held out, with their checksums.
    count : int
        Images in a batch.
    classes : tuple of str
    """

    archive: Source
    folder: str
    train: dict[str, str]
    test: dict[str, str]
    count: int
    classes: tuple[str, ...]

    @property
    def most(self) -> int:
        """Bytes that a batch may have: the pixels, and 200 for each label and file name."""
        return self.count * (3 * SIDE * SIDE + 200) + 10_000


CIFAR10 = Batches(
    archive=Source(
        "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",
        "c58f30108f718f92721af3b95e74349a",
    ),
    folder="cifar-10-batches-py",
    train={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    },
    test={"test_batch": "40351d587109b95175f43aff81a1287e"},
    count=10_000,
    classes=(
        *("airplane", "automobile", "bird", "cat", "deer"),
        *("dog", "frog", "horse", "ship", "truck"),
    ),
)
"""Krizhevsky 2009, Learning multiple layers of features from tiny images."""


def cifar10(path: str | os.PathLike[str] | None = None) -> ImageSet:
    """Return CIFAR-10, 50,000 and 10,000 colour images of things and animals, 32 × 32 × 3.

    Parameters
    ----------
    path : path, optional
        The archive ``cifar-10-python.tar.gz``, or the folder ``cifar-10-batches-py`` unpacked from
        it, or a folder that holds one of them.  Without it the archive is downloaded (extra
        ``data``).

    Returns
    -------
    ImageSet

    Warns
    -----
    UserWarning
        If a batch is sound but does not have the published checksum.

    Raises
    ------
    TypeError, FileNotFoundError, ValueError
        If `path` leads to no such file, or a batch is not exactly as described.
    ImportError
        If a download is asked for and pooch is not installed.
    """
    return load(CIFAR10, path)


def load(what: Batches, path: str | os.PathLike[str] | None) -> ImageSet:
    """Read the batches, from a folder or an archive, or after downloading it.

    Parameters
    ----------
    what : Batches
    path : path, optional

    Returns
    -------
    ImageSet

    Raises
    ------
    TypeError, ValueError, OSError
        If `path` is malformed, there are no such files, or they are not exactly as published.
    """
    found = None if path is None else Path(checks.path("path", path))
    if found is None:
        found = download(what.archive.url, f"md5:{what.archive.md5}")
    elif found.is_dir() and (found / what.folder).is_dir():
        found = found / what.folder
    elif found.is_dir() and (found / what.archive.name).is_file():
        found = found / what.archive.name
    wanted = what.train | what.test
    if found.is_dir():
        contents = {
            name: untrusted.content(find(found, name), what.most, repr(name)) for name in wanted
        }
    else:
        contents = dict(_members(found, wanted, what))
    missing = sorted(wanted.keys() - contents.keys())
    if missing:
        raise ValueError(f"{str(found)!r} must hold {', '.join(missing)} in {what.folder!r}")
    parts = {name: _batch(f"{name!r} in {str(found)!r}", contents[name], what) for name in wanted}
    for name, md5 in wanted.items():
        check_checksum(found / name, contents[name], md5)
    train, test = (_joined([parts[name] for name in names]) for names in (what.train, what.test))
    return ImageSet("CIFAR-10", train, test, what.classes)


def _members(path: Path, wanted: dict[str, str], what: Batches) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the batches in an archive, none of them larger than it may be."""
    if not path.is_file():
        raise FileNotFoundError(
            f"`path` must be {what.archive.name}, a folder with it, or the folder {what.folder} "
            f"unpacked from it, but {str(path)!r} does not exist"
        )
    try:
        with gzip.open(path) as unpacked:
            stream = _Bounded(unpacked, (len(wanted) + 1) * what.most)
            with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]
                for member in archive:
                    folder, _, name = member.name.rpartition("/")
                    if folder == what.folder and name in wanted and member.isfile():
                        yield name, _content(archive, member, what.most)
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise ValueError(f"{str(path)!r} is damaged: {error}") from error


class _Bounded:
    """A stream that ends in an error if more is read than it may hold."""

    def __init__(self, stream: gzip.GzipFile, most: int) -> None:
        self.stream, self.left = stream, most

    def read(self, size: int) -> bytes:
        content = self.stream.read(size)
        self.left -= len(content)
        if self.left < 0:
            raise ValueError("`path`: the archive must not unpack to more than its batches take")
        return content


def _content(archive: tarfile.TarFile, member: tarfile.TarInfo, most: int) -> bytes:
    if member.size > most:
        raise ValueError(f"{member.name!r} must have at most {most:,} bytes, got {member.size:,}")
    stream = archive.extractfile(member)
    assert stream is not None  # only of what is no file
    return stream.read()


def _batch(where: str, content: bytes, what: Batches) -> tuple[np.ndarray, np.ndarray]:
    """Return the images, shape (count, 32, 32, 3), and the labels of a batch."""
    held = pickles.parse(where, content)
    if not isinstance(held, dict) or not {b"data", b"labels"} <= held.keys():
        raise ValueError(f"{where} must hold a dict with data and labels")
    rows = pickles.array_of(f"{where}, data,", held[b"data"], (what.count, 3 * SIDE * SIDE))
    pixels = rows.reshape(what.count, 3, SIDE, SIDE).transpose(0, 2, 3, 1)
    return pixels, _labels(where, held[b"labels"], what)


def _labels(where: str, labels: Any, what: Batches) -> np.ndarray:
    good = isinstance(labels, list) and len(labels) == what.count
    if not good or not all(type(k) is int and 0 <= k < len(what.classes) for k in labels):
        raise ValueError(
            f"{where} must hold a list of {what.count} labels from 0 to {len(what.classes) - 1}"
        )
    return np.array(labels)


def _joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> Images:
    pixels, labels = (np.concatenate(each) for each in zip(*parts, strict=True))
    return Images(np.ascontiguousarray(pixels), labels, 255)
