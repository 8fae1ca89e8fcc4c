"""Results to files that are never seen half-written."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from dlnlab.files import storage

__all__ = [
    "check_apart",
    "claim",
    "claim_folder",
    "path",
    "replacing",
    "strict_json",
    "write",
    "write_json",
    "write_text",
]


def path(text: str) -> Path:
    """Return what an option names, for argparse; nothing is no name, though Python takes it for
    the current directory.

    Parameters
    ----------
    text : str

    Returns
    -------
    Path

    Raises
    ------
    argparse.ArgumentTypeError
        If it names nothing.
    """
    if not text or "\0" in text:
        raise argparse.ArgumentTypeError(f"must be a path that a file can have, got {text!r}")
    return Path(text)


def claim(outputs: Mapping[str, Path | None], used: Mapping[str, Any] | None = None) -> None:
    """Check, before any work, that files can be written without destroying others.

    Parameters
    ----------
    outputs : mapping
        From options to the files they name, in directories that exist; None for one not given.
    used : mapping, optional
        The same for files that are read or added to, and shall not be replaced.

    Raises
    ------
    ValueError
        If a file cannot be written, is a symbolic link or something else than a file, or is named
        by two options.
    """
    given = {option: path for option, path in outputs.items() if path is not None}
    for option, path in given.items():
        parent = path.resolve().parent if not path.is_symlink() else path.absolute().parent
        if not parent.is_dir():
            raise ValueError(f"{option} must be in an existing directory, got {path}")
        claim_folder(option, parent, [path.name])
    check_apart(given, {option: Path(path) for option, path in (used or {}).items() if path})


def check_apart(outputs: Mapping[str, Path], used: Mapping[str, Path]) -> None:
    """Raise ValueError if a file to be written is also another one, to be written or used.

    Parameters
    ----------
    outputs : mapping of str to Path
    used : mapping of str to Path

    Raises
    ------
    ValueError
        If it is.
    """
    seen: dict[Path, str] = {}
    for option, path in [*used.items(), *outputs.items()]:
        other = seen.setdefault(path.resolve(), option)
        if other != option:
            raise ValueError(f"{other} and {option} must be different files, got {path} for both")


def claim_folder(option: str, directory: Path, names: Iterable[str] = ()) -> None:
    """Make sure, before any work, that a directory can be made and takes files of some names.

    Nothing is left: a run may fail, and then a directory that was missing shall be missing.

    Parameters
    ----------
    option : str
        That asks for them.
    directory : Path
    names : iterable of str
        Of the files.

    Raises
    ------
    ValueError
        If not, or if one of the files is there and shall not be replaced.
    """
    made: list[Path] = []
    try:
        missing = [path for path in (directory, *directory.parents) if not os.path.lexists(path)]
        for path in reversed(missing):
            path.mkdir()
            made.append(path)
        directory.mkdir(exist_ok=True)  # tells what is wrong with one that is none
        for name in names:
            _check_replaceable(option, directory / name)
        tempfile.TemporaryFile(dir=directory).close()
    except OSError as error:
        raise ValueError(f"cannot write to {directory}: {error.strerror}") from error
    finally:
        for path in reversed(made):
            path.rmdir()


def _check_replaceable(option: str, path: Path) -> None:
    """Raise unless there is no file, or one that may be replaced by who runs this."""
    try:
        kind = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if stat.S_ISLNK(kind):
        raise ValueError(
            f"{option} must not write through a symbolic link, but {path} is one to "
            f"{os.readlink(path)}; name that file, or remove the link"
        )
    if not stat.S_ISREG(kind):
        other = "the directory" if stat.S_ISDIR(kind) else "something else,"
        raise ValueError(f"{option} must be a file, got {other} {path}")
    if not os.access(path, os.W_OK):
        raise ValueError(f"{option} must not replace {path}, which is read-only")


@contextlib.contextmanager
def replacing(directory: Path) -> Iterator[Path]:
    """Give a temporary directory whose files move to `directory` once all of them are written.

    If the block does not end, by an error or by Ctrl-C, nothing is moved and nothing is left.

    Parameters
    ----------
    directory : Path

    Yields
    ------
    Path
    """
    with tempfile.TemporaryDirectory(prefix="dlnlab-") as temporary:
        yield Path(temporary)
        directory.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            for path in sorted(Path(temporary).iterdir()):
                file = stack.enter_context(storage.replacing(directory / path.name))
                with open(path, "rb") as source:
                    shutil.copyfileobj(source, file)
                file.flush()  # a full disk is found while all files are as they were


def strict_json(content: Mapping[str, Any]) -> str:
    """Return strict JSON (no NaN), indented.

    Parameters
    ----------
    content : mapping

    Returns
    -------
    str
    """
    return json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write strict JSON, otherwise as `write` does.

    Parameters
    ----------
    path : Path
    content : mapping
    """
    write(path, strict_json(content))


def write(path: Path, text: str) -> None:
    """Write a text file in UTF-8.

    A file name that is no text (its bytes become lone surrogates in Python) is told as JSON has it,
    ``\\udcff`` for the byte ff.

    Parameters
    ----------
    path : Path
    text : str
    """
    path.write_text(text, encoding="utf-8", errors="backslashreplace")


def write_text(path: Path, text: str) -> None:
    """Write or replace one file, whole or not at all, and say so.

    Parameters
    ----------
    path : Path
    text : str
    """
    with replacing(path.absolute().parent) as directory:
        write(directory / path.name, text)
    print(f"Wrote {path}")
