"""The MovieLens-100K ratings: where they are, what their file must look like, reading it strictly.

The data may not be redistributed, so the package never contains them: they are downloaded from
their owners, GroupLens, with a checksum, or read from a file that you have.  Several public copies
are damaged (a missing line, a header, a user too many, other line ends), so every property that is
known is checked, and what is wrong is named with its line.
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dlnlab.data import downloads
from dlnlab.data.ratings import Ratings
from dlnlab.files import untrusted
from dlnlab.numerics import checks

__all__ = ["MOVIELENS_100K", "RatingsFile", "download", "load", "read"]

_LINE = 100
"""A line has fewer bytes: four numbers, of at most 20 digits, and what separates them."""


@dataclass(frozen=True)
class RatingsFile:
    """A file of ratings: lines of user, item, rating and time, separated by tabs.

    Attributes
    ----------
    url : str
        Of the zip archive that holds it.
    checksum : str
        Of the archive, as ``"md5:…"`` or ``"sha256:…"``.
    member : str
        File name within the archive.
    num_users, num_items : int
        Ids run from 1 to these.
    num_ratings : int
        Number of lines.
    values : tuple of int
        The ratings that may be given.

    Raises
    ------
    TypeError, ValueError
        If a field is of another type, or a number is not positive.
    """

    url: str
    checksum: str
    member: str
    num_users: int
    num_items: int
    num_ratings: int
    values: tuple[int, ...]

    def __post_init__(self) -> None:
        checks.fields(self)
        for name in ("num_users", "num_items", "num_ratings"):
            checks.integer(name, getattr(self, name), 1)


MOVIELENS_100K = RatingsFile(
    url="https://files.grouplens.org/datasets/movielens/ml-100k.zip",
    checksum="md5:0e33842e24a9c977be4e0107933c0723",
    member="u.data",
    num_users=943,
    num_items=1682,
    num_ratings=100_000,
    values=(1, 2, 3, 4, 5),
)
"""Harper and Konstan, The MovieLens datasets: history and context, ACM TiiS 5(4), 2015."""


def load(
    path: str | os.PathLike[str] | None = None, *, file: RatingsFile = MOVIELENS_100K
) -> Ratings:
    """Return the MovieLens-100K ratings, downloading them unless a path is given.

    Parameters
    ----------
    path : path, optional
        The archive ``ml-100k.zip``, the folder unpacked from it, or ``u.data`` itself.
    file : RatingsFile
        What the file must be.

    Returns
    -------
    Ratings

    Raises
    ------
    TypeError, FileNotFoundError, ValueError
        If an argument is malformed, there is no such file, or it is not exactly as described.
    ImportError
        If a download is asked for and pooch is not installed.
    """
    return read(download(file=file) if path is None else path, file=file)


def download(
    folder: str | os.PathLike[str] | None = None, *, file: RatingsFile = MOVIELENS_100K
) -> Path:
    """Download the archive, unless it is there already, and return its path.

    Parameters
    ----------
    folder : path, optional
        Where to keep it; pooch's cache folder by default.
    file : RatingsFile

    Returns
    -------
    Path

    Raises
    ------
    ImportError
        If pooch is not installed.
    ValueError
        If what arrives does not have the checksum; nothing is kept then.
    OSError
        If the server cannot be reached; requests' exceptions are OSErrors.
    """
    _check_description(file)
    folder = None if folder is None else checks.path("folder", folder)
    return downloads.download(file.url, file.checksum, folder)


def read(path: str | os.PathLike[str], *, file: RatingsFile = MOVIELENS_100K) -> Ratings:
    """Read ratings from an archive, a folder or the file itself, checking every line.

    Parameters
    ----------
    path : path
    file : RatingsFile
        What the file must be.

    Returns
    -------
    Ratings
        With ids from 0, in the order of the file.

    Raises
    ------
    FileNotFoundError
        If there is no file of that name.
    ValueError
        If the file is not exactly as described; the message names the line.
    """
    _check_description(file)
    where, content = _content(Path(checks.path("path", path)), file)
    table = np.array(list(_lines(where, content, file)), dtype=np.int64).reshape(-1, 3)
    if len(table) != file.num_ratings:
        raise ValueError(f"{where} must have {file.num_ratings} lines, got {len(table)}")
    users, items = table[:, 0] - 1, table[:, 1] - 1
    _check_once(where, users * file.num_items + items, file.num_items)
    return Ratings(users, items, table[:, 2].astype(float), (file.num_users, file.num_items))


def _check_description(file: object) -> None:
    checks.instance("file", file, RatingsFile, "a dlnlab.movielens.RatingsFile")


def _content(path: Path, file: RatingsFile) -> tuple[str, bytes]:
    """Return the name for messages and the bytes of the file that `path` leads to."""
    if path.is_dir():
        path = path / file.member
    if not path.is_file():
        raise FileNotFoundError(
            f"`path` must be an archive, a folder with {file.member}, or that file, "
            f"but {str(path)!r} does not exist"
        )
    most = file.num_ratings * _LINE
    if zipfile.is_zipfile(path):
        return untrusted.member(path, file.member, most)
    return f"{str(path)!r}", untrusted.content(path, most, repr(str(path)))


def _lines(where: str, content: bytes, file: RatingsFile) -> Iterator[tuple[int, int, int]]:
    """Yield user, item and rating of every line, or raise with the number of the first bad one."""
    limits = (("user", file.num_users), ("item", file.num_items))
    for number, line in enumerate(content.removesuffix(b"\n").split(b"\n"), 1):
        fields = line.split(b"\t")
        short = len(line) < _LINE  # before its numbers are read
        if not short or len(fields) != 4 or not all(field.isdigit() for field in fields):
            raise ValueError(
                f"{where}, line {number} must be four whole numbers separated by tabs, ended by a "
                f"newline alone, got {checks.describe(line)}"
            )
        user, item, value = (int(field) for field in fields[:3])
        for (name, limit), index in zip(limits, (user, item), strict=True):
            if not 1 <= index <= limit:
                raise ValueError(
                    f"{where}, line {number} must name a {name} between 1 and {limit}, got {index}"
                )
        if value not in file.values:
            raise ValueError(
                f"{where}, line {number} must have a rating among {list(file.values)}, got {value}"
            )
        yield user, item, value


def _check_once(where: str, places: np.ndarray, num_items: int) -> None:
    """Raise if a user rates an item twice."""
    first: dict[int, int] = {}
    for number, place in enumerate(places.tolist(), 1):
        if place in first:
            user, item = divmod(place, num_items)
            raise ValueError(
                f"{where}, line {number} must not repeat a rating: user {user + 1} rated item "
                f"{item + 1} in line {first[place]}"
            )
        first[place] = number
