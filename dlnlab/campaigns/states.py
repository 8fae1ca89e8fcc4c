"""Files in which a task keeps its state while it is under way, beside the file of results.

A task of seconds is computed again if its worker is killed.  One of hours writes its state down
every now and then, to a file that the same task finds again; when its result is kept, that is gone.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextvars import ContextVar
from pathlib import Path

from dlnlab.numerics import checks

__all__ = ["folder_of", "keeping", "state_file", "sweep"]

_FOLDER: ContextVar[Path | None] = ContextVar("folder", default=None)


def state_file(name: str) -> Path | None:
    """Return the file in which the task under way may keep its state.

    Parameters
    ----------
    name : str
        Of the file; a task may have several.

    Returns
    -------
    Path or None
        None where nothing is kept: in a campaign without `path`, outside of any, or where its
        folder cannot be written, as on another machine.

    Raises
    ------
    TypeError, ValueError
        If `name` is not the plain name of a file.

    Examples
    --------
    >>> from dlnlab import campaigns
    >>> campaigns.state_file("network.npz") is None  # no campaign
    True
    """
    plain = re.fullmatch(r"[\w-][\w. -]*", checks.text("name", name))
    if not plain:
        raise ValueError(f"`name` must be the plain name of a file, got {name!r}")
    folder = _FOLDER.get()
    if folder is None:
        return None
    try:
        folder.parent.mkdir(exist_ok=True)
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    return folder / name if os.access(folder, os.R_OK | os.W_OK) else None


def folder_of(path: str | os.PathLike[str] | None) -> Path | None:
    """Return where the tasks of a campaign keep their states, `path` being its file of results.

    Parameters
    ----------
    path : path, optional

    Returns
    -------
    Path or None
    """
    return None if path is None else Path(os.path.abspath(path) + ".states")


@contextlib.contextmanager
def keeping(states: Path | None, key: str) -> Iterator[None]:
    """Let the task of this key keep its state in that folder while the block lasts.

    Parameters
    ----------
    states : Path or None
        As `folder_of` returns it.
    key : str
        Of the task, the name of its folder.

    Returns
    -------
    context manager
    """
    token = _FOLDER.set(None if states is None else states / key)
    try:
        yield
    finally:
        _FOLDER.reset(token)


def sweep(states: Path | None, keys: Iterable[str]) -> None:
    """Remove the states of tasks whose results are kept.

    Parameters
    ----------
    states : Path or None
        As `folder_of` returns it.
    keys : iterable of str
        Of these tasks.
    """
    if states is None or not states.is_dir():
        return
    for key in keys:
        shutil.rmtree(states / key, ignore_errors=True)
    with contextlib.suppress(OSError):  # those of other tasks are in it
        states.rmdir()
