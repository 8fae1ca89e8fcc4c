"""Files that are never seen half-written, and the arrays in them.

What is to replace a file is written beside it, under an unpredictable name, flushed to the
disk and renamed.  A process that is killed meanwhile leaves it there: while it is written it is
locked, so that the next one to write there knows what is left over, and removes it.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import struct
import time
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from dlnlab.files import locks, untrusted
from dlnlab.numerics import checks

__all__ = ["DAMAGE", "DAY", "check", "read_npz", "replacing", "sweep", "write_npz"]

DAY = 86_400
"""Seconds after which a file that was being written is taken for left over where the file system
has no locks to tell."""

DAMAGE = (
    ValueError,
    OSError,
    KeyError,
    EOFError,
    TypeError,
    OverflowError,
    RuntimeError,  # an encrypted member, or a way of packing that is unknown
    struct.error,
    zipfile.BadZipFile,
    zlib.error,
)
"""What reading a damaged or foreign archive ends in."""


def check(argument: str, path: Any) -> Path:
    """Return the path of a file that is to be written, or raise before any work.

    Parameters
    ----------
    argument : str
        What the path is called in messages.
    path : path
        Of a regular file, or of none yet; its directory must exist.

    Returns
    -------
    Path

    Raises
    ------
    TypeError, ValueError
        If a file cannot be written there.
    """
    told = repr(checks.path_text(argument, path))
    try:
        found = Path(path).resolve()
        kind = os.stat(found).st_mode if os.path.lexists(found) else None
        os.stat(found.parent / ".")
        with contextlib.suppress(FileNotFoundError):
            os.lstat(found)  # finds a name that is too long
    except (FileNotFoundError, NotADirectoryError):
        raise ValueError(
            f"`{argument}` must be a file in an existing directory, got {told}"
        ) from None
    except (OSError, ValueError, RuntimeError) as error:  # a NUL, a loop of links
        raise ValueError(f"`{argument}` {told} cannot be written: {error}") from None
    if kind is not None and not stat.S_ISREG(kind):
        raise ValueError(
            f"`{argument}` must be a file, got {told}, which is not a file but something else"
        )
    place = found.parent if kind is None else found
    if not os.access(place, os.R_OK | os.W_OK):
        raise ValueError(f"`{argument}` {told} cannot be written: permission denied")
    return found


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Give a file to write to, which takes the place of `path` when the block has ended.

    A symbolic link stays one, and the file it points to is replaced; the mode of a file that was
    there is kept.  If the block does not end, nothing has changed and nothing is left.

    Parameters
    ----------
    path : path

    Yields
    ------
    binary file

    Raises
    ------
    OSError
        If it cannot be written.
    """
    target = Path(path).resolve()
    sweep(target)
    descriptor, temporary = _temporary(target)
    try:
        with open(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
            os.replace(temporary, target)  # before it is closed, which tells that it is left over
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    _flush_directory(target.parent)


def sweep(path: str | os.PathLike[str]) -> None:
    """Remove what killed processes left of writing to `path`; what a live one writes stays.

    Parameters
    ----------
    path : path
    """
    target = Path(path).resolve()
    for left in target.parent.glob(locks.beside(target, "part", "-*").name):
        with contextlib.suppress(OSError):
            descriptor = os.open(left, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
            try:
                locked = locks.lock_descriptor(descriptor)
                old = time.time() - os.fstat(descriptor).st_mtime > DAY
                if locked or (locked is None and old):
                    left.unlink()
            finally:
                os.close(descriptor)


def _temporary(target: Path) -> tuple[int, Path]:
    """Create a file beside another, with its mode and owner, and lock it."""
    there = os.stat(target) if target.exists() else None
    while True:
        path = locks.beside(target, "part", f"-{secrets.token_hex(8)}")
        mode = 0o666 if there is None else 0o600
        descriptor = locks.open_beside(path, os.O_EXCL, mode)
        locks.lock_descriptor(descriptor, wait=True)
        if locks.is_at(descriptor, path):  # it was not swept away before it was locked
            break
        os.close(descriptor)
    if there is not None and hasattr(os, "fchmod"):
        with contextlib.suppress(OSError):  # only its owner or root can give a file away
            os.fchown(descriptor, there.st_uid, there.st_gid)
        os.fchmod(descriptor, stat.S_IMODE(there.st_mode))
    return descriptor, path


def _flush_directory(directory: Path) -> None:
    """Let the new name survive a loss of power, on systems where a directory can be flushed."""
    with contextlib.suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_npz(path: str | os.PathLike[str], content: dict[str, np.ndarray]) -> None:
    """Replace a file by an archive of arrays, uncompressed.

    Parameters
    ----------
    path : path
    content : dict of str to array
    """
    with replacing(path) as file:
        np.savez(file, **content)  # type: ignore[arg-type]


def read_npz(path: Path, message: str) -> dict[str, np.ndarray]:
    """Read all arrays of what `write_npz` wrote.

    Nothing is unpickled or unpacked, and no array is made that is larger than the file.

    Parameters
    ----------
    path : path
    message : str
        Of the error, if it is none.

    Returns
    -------
    dict of str to array

    Raises
    ------
    ValueError
        With `message`, if it is another file, or a damaged one.
    FileNotFoundError
        If there is none.
    """
    if not path.is_file():
        if path.exists():
            raise ValueError(f"{message}, which is not a file")
        raise FileNotFoundError(f"{message}, which does not exist")
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                member.filename.removesuffix(".npy"): _member(archive, member, path.stat().st_size)
                for member in archive.infolist()
            }
    except DAMAGE as error:
        raise ValueError(f"{message}: {error}") from error


def _member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> np.ndarray:
    """Return an array that is stored as it is, in no more bytes than the archive has."""
    if member.compress_type != zipfile.ZIP_STORED or member.file_size != member.compress_size:
        raise ValueError(f"{member.filename} is compressed")
    with archive.open(member) as file:
        return untrusted.array(file, min(member.file_size, most), member.filename)
