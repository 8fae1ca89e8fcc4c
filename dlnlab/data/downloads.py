"""Data that are not ours to ship: fetched from their owners, or read from a file that you have."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dlnlab import checks

__all__ = ["Source", "check_path", "download"]


@dataclass(frozen=True)
class Source:
    """A published file.

    Attributes
    ----------
    url : str
    checksum : str
        As ``"md5:…"`` or ``"sha256:…"``.
    """

    url: str
    checksum: str

    @property
    def name(self) -> str:
        """The file's name."""
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
        Name of a folder in the cache folder, for files whose names others have too.

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


def check_path(path: Any) -> Path:
    """Return `path` as one."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"`path` must be a path, got {checks.describe(path)}")
    return Path(path)
