"""Files of others: where they were published, what they are known by, reading them with care.

Data are not ours to ship.  They are downloaded from where their owners put them, with a checksum,
or read from files that you have.  A file of your own need not be the published one bit for bit (it
may have been packed anew), so a wrong checksum is told in a warning; its structure decides.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Source", "check_checksum", "download", "find"]


@dataclass(frozen=True)
class Source:
    """A published file: its address and its checksum.

    Attributes
    ----------
    url : str
    md5 : str
        Its checksum, 32 hexadecimal digits.
    """

    url: str
    md5: str

    @property
    def name(self) -> str:
        """The file name, the last part of the address."""
        return self.url.rsplit("/", maxsplit=1)[-1]


def download(
    url: str, checksum: str, folder: str | os.PathLike[str] | None = None, *, within: str = ""
) -> Path:
    """Download a file, unless it is there already, and return its path.

    Parameters
    ----------
    url : str
    checksum : str
        As ``"md5:…"`` or ``"sha256:…"``.
    folder : path, optional
        Where to keep it; pooch's cache folder by default.
    within : str
        A folder inside the cache folder, for a file whose name others have too.

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
    try:
        import pooch
    except ImportError as error:
        raise ImportError(
            "downloading needs pooch; install it with pip install 'dlnlab[data]', or download "
            f"{url} yourself and pass its `path`"
        ) from error
    folder = Path(pooch.os_cache("dlnlab")) / within if folder is None else folder
    name = url.rsplit("/", maxsplit=1)[-1]
    return Path(pooch.retrieve(url, checksum, fname=name, path=folder))


def find(folder: Path, *names: str) -> Path:
    """Return the first of the named files that is in `folder`.

    Parameters
    ----------
    folder : path
    *names
        In order of preference.

    Returns
    -------
    Path

    Raises
    ------
    FileNotFoundError
        If there is none of them.
    """
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(
        f"`path` must be a folder with {' or '.join(names)}, but {str(folder)!r} has no such file"
    )


def check_checksum(path: Path, content: bytes, md5: str) -> None:
    """Warn if a file is not the published one.

    Parameters
    ----------
    path : path
    content : bytes
    md5 : str
        What the checksum should be.
    """
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if found != md5:
        warnings.warn(
            f"{str(path)!r} is sound, but not the published file: its md5 is {found}, published "
            f"was {md5}; images may be in another order, or others",
            stacklevel=2,
        )
