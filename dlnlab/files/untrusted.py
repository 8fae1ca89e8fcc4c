"""Files from strangers: what they say of themselves is checked before anything is made of it.

Nothing is unpickled, nothing is unpacked to a disk, so that no name in an archive leads anywhere,
and no more is read or unpacked than the contents can honestly take: a few kilobytes that unpack to
gigabytes are refused with what they claim.
"""

from __future__ import annotations

import gzip
import io
import json
import math
import stat
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any, BinaryIO, NoReturn

import numpy as np

__all__ = [
    "DAMAGE",
    "HEADERS",
    "PACKED",
    "array",
    "content",
    "json_object",
    "member",
    "opened",
    "unpacked",
]

HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""How the header of a NumPy file is read; version 3 is for names of fields, which numbers lack."""

PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""Kinds of compression that need little memory to undo, whatever an archive says."""

DAMAGE = (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged archive ends in; RuntimeError where a member is encrypted."""


def opened(path: Path) -> BinaryIO:
    """Open a regular file to read it; a device or a pipe may never end.

    Parameters
    ----------
    path : path

    Returns
    -------
    BinaryIO

    Raises
    ------
    OSError
        If it cannot be read.
    ValueError
        If it is something else than a file or a directory, which is an OSError.
    """
    kind = path.stat().st_mode
    if not stat.S_ISREG(kind) and not stat.S_ISDIR(kind):
        raise ValueError(f"{path} must be a file, got something else")
    return open(path, "rb")


def content(path: Path, most: int, what: str) -> bytes:
    """Return the bytes of a file, or raise ValueError if there are more than `most`.

    Parameters
    ----------
    path : path
    most : int
        Bytes.
    what : str
        What it is, for the message.

    Returns
    -------
    bytes
    """
    with opened(path) as file:
        return _at_most(file, most, what)


def unpacked(packed: bytes, most: int, what: str) -> bytes:
    """Return what bytes packed by gzip hold, or raise ValueError.

    Parameters
    ----------
    packed : bytes
    most : int
        Bytes.
    what : str
        What it is, for the message.

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If that is more than `most` bytes, or the packing is damaged.
    """
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as file:
            return _at_most(file, most, f"{what}, unpacked,")
    except ValueError:
        raise
    except DAMAGE as error:
        raise ValueError(f"{what} is damaged: {error}") from error


def member(path: Path, name: str, most: int) -> tuple[str, bytes]:
    """Return the one file of a zip archive that is called `name`, in whatever folder.

    Parameters
    ----------
    path : Path
    name : str
    most : int
        Bytes that it may have unpacked.

    Returns
    -------
    str
        What it is called in messages.
    bytes

    Raises
    ------
    ValueError
        If there is not exactly one, it is larger, encrypted, packed in an unusual way or damaged.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            found = [each for each in archive.infolist() if Path(each.filename).name == name]
            if len(found) != 1:
                raise ValueError(f"{str(path)!r} must hold one file {name}, got {len(found)}")
            where = f"{found[0].filename!r} in {str(path)!r}"
            if found[0].compress_type not in PACKED:
                raise ValueError(f"{where} must be stored or deflated, got another compression")
            with archive.open(found[0]) as file:
                return where, _at_most(file, most, where)
    except ValueError:
        raise
    except DAMAGE as error:
        raise ValueError(f"{str(path)!r} is damaged or encrypted: {error}") from error


def _at_most(file: Any, most: int, what: str) -> bytes:
    """Read a file to its end, and no further than one byte beyond what it may have."""
    found: bytes = file.read(most + 1)
    if len(found) > most:
        raise ValueError(f"{what} must have at most {most} bytes, got more")
    return found


def _check_header(file: Any, size: int) -> None:
    """Read the header of an array in NumPy's format, and check it against what follows.

    Parameters
    ----------
    file : binary file
        At the start of the array; afterwards at the first of its numbers.
    size : int
        Bytes of header and array.

    Raises
    ------
    ValueError
        If the array holds objects, or says that it has other than the bytes that are there.
    """
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"its format {version} is unknown")
    shape, _, dtype = HEADERS[version](file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, not numbers")
    wanted, there = math.prod(shape) * dtype.itemsize, size - file.tell()
    if min(shape, default=0) < 0 or wanted != there:
        raise ValueError(f"an array of shape {shape} has {wanted} bytes, but {there} are there")


def array(file: IO[bytes], size: int, what: str) -> np.ndarray:
    """Return an array in NumPy's format, a ``.npy`` file, without unpickling anything.

    Parameters
    ----------
    file : binary file
    size : int
        Bytes of the file.
    what : str
        What it is called in messages.

    Returns
    -------
    array

    Raises
    ------
    ValueError
        If it is something else; nothing is allocated for an array larger than the file.
    """
    try:
        _check_header(file, size)
        file.seek(0)
        return np.lib.format.read_array(file, allow_pickle=False)
    except MemoryError:
        raise
    except Exception as error:  # the header is a Python literal, whose parser fails in many ways
        raise ValueError(f"{what} cannot be read as an array: {error}") from error


def json_object(path: Path, most: int) -> dict[str, Any]:
    """Return the object that a file of strict JSON (no NaN) holds.

    Parameters
    ----------
    path : path
    most : int
        Bytes.

    Returns
    -------
    dict

    Raises
    ------
    ValueError
        If it is something else; the message names the file.
    """
    text = content(path, most, str(path))
    try:
        found = json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise ValueError(f"{path} must hold a JSON object, got {type(found).__name__}")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")
