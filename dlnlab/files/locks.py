"""The right to write to a file, which one run has at a time: threads, processes and machines.

The owner holds a lock of the kernel on a small file beside the one it writes to, which may itself
be replaced meanwhile.  The kernel tells threads and processes apart and releases the lock when its
owner dies, however it does; network file systems pass it on to their server, unless they are
mounted with locks of each machine's own, or have none.  So the small file also says who the owner
is, and the owner touches it every two seconds.  A process that finds the record of an owner of
which the kernel knows nothing watches the file for a while, and takes over only if it is not
touched.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import platform
import secrets
import stat
import threading
import time
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows has no such locks; there the owner's record decides alone
    fcntl = None  # type: ignore[assignment]

__all__ = [
    "BEAT",
    "PATIENCE",
    "SETTLING",
    "Busy",
    "Lock",
    "beside",
    "is_at",
    "lock_descriptor",
    "open_beside",
]

BEAT = 2.0
"""Seconds between two signs of life of an owner."""

PATIENCE = 12.0
"""Seconds without a sign of life after which an owner is taken for dead: six of them missed.  A
machine that computes on all cores, or waits for a slow server, may well miss one or two."""

SETTLING = 0.2
"""Seconds after which the last of several that write their record at once is known, where the
kernel does not choose between them."""

_held: set[Lock] = set()


class Busy(ValueError):
    """The file is locked by another process."""


class Lock:
    """The right to write to a file, until it is released or the process ends.

    Parameters
    ----------
    argument : str
        What the file is called in messages.
    path : path
        Two names of one file, through symbolic links, share the right.
    owner : str
        What has it, for messages: "run" or "campaign".
    itself : bool
        Lock the file as well, against other programs that do; for a file that exists and is written
        in place.

    Raises
    ------
    Busy
        If another one has it.
    OSError
        If no file can be written beside `path`.
    """

    def __init__(
        self, argument: str, path: str | os.PathLike[str], owner: str, *, itself: bool = False
    ) -> None:
        self._what = f"`{argument}` {os.fspath(path)!r} is in use by another {owner}"
        self._target = Path(path).resolve()
        self._path = beside(self._target, "lock")
        self._token = secrets.token_hex(8)
        self._descriptors: list[int] = []
        self._released = threading.Event()
        try:
            if itself:
                self._descriptors.append(os.open(self._target, os.O_RDWR | os.O_CLOEXEC))
                if lock_descriptor(self._descriptors[-1]) is False:
                    raise Busy(self._what)
            self._claim()
        except BaseException:
            self._close()
            raise
        _held.add(self)
        threading.Thread(target=self._live, name="dlnlab-lock", daemon=True).start()

    def is_held(self) -> bool:
        """Tell whether the right has not been taken over, from a machine that was long asleep.

        Returns
        -------
        bool
        """
        try:
            return _record(self._path).get("token") == self._token
        except OSError:
            return False

    def release(self) -> None:
        """Give the right back, and leave no file."""
        self._released.set()
        _held.discard(self)
        if self.is_held():
            with contextlib.suppress(OSError):
                self._path.unlink()
        self._close()

    def _claim(self) -> None:
        descriptor, locked = self._opened()
        self._descriptors.append(descriptor)
        found = _record(self._path)
        told = locked and found.get("machine") == _machine()  # the kernel knows that it is gone
        if locked is False or (found and not told and self._stirs()):
            raise Busy(f"{self._what} (process {found.get('process')} on {found.get('host')})")
        owner = {"token": self._token, "process": os.getpid(), "host": platform.node()}
        content = json.dumps(owner | {"machine": _machine()}).encode()
        try:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, content, 0)
        except OSError:  # the disk is full
            self._path.unlink()
            raise
        if locked is None:
            time.sleep(SETTLING)
            if not self.is_held():
                raise Busy(self._what)

    def _opened(self) -> tuple[int, bool | None]:
        """Open the file beside, and lock it if the kernel can; again if its last owner removed it
        in between."""
        while True:
            descriptor = open_beside(self._path)
            locked = lock_descriptor(descriptor)
            if locked is False or is_at(descriptor, self._path):
                return descriptor, locked
            os.close(descriptor)

    def _stirs(self) -> bool:
        """Tell whether the owner gives a sign of life within its time.

        Looks are counted, not seconds: who slept through them, as a machine may, has seen nothing.
        """
        first, pause = _touched(self._path), min(BEAT / 2, PATIENCE / 10)
        for _ in range(math.ceil(PATIENCE / pause)):
            time.sleep(pause)
            if _touched(self._path) != first:
                return True
        return False

    def _live(self) -> None:
        while not self._released.wait(BEAT):
            with contextlib.suppress(OSError):
                os.utime(self._path)

    def _close(self) -> None:
        """Close what is open, which ends the kernel's locks."""
        while self._descriptors:
            os.close(self._descriptors.pop())


def _forget() -> None:
    """A child that goes on after its parent shall not keep the parent's locks."""
    for lock in _held:
        lock._token = ""
        lock._close()
    _held.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)


def lock_descriptor(descriptor: int, *, wait: bool = False) -> bool | None:
    """Lock an open file: True if that worked, False if it is locked, None if it cannot be.

    Parameters
    ----------
    descriptor : int
    wait : bool
        Whether to wait until it is free.

    Returns
    -------
    bool or None
    """
    if fcntl is None:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        busy = error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
        return False if busy else None
    return True


def beside(path: Path, kind: str, mark: str = "") -> Path:
    """Return the path of a file that belongs to another; short, however long that one's name.

    Parameters
    ----------
    path : path
    kind : str
        What it ends with.
    mark : str
        What the other file's name begins with.

    Returns
    -------
    Path
    """
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    return path.with_name(f".{digest}{mark}.dlnlab-{kind}")


def open_beside(path: Path, flags: int = 0, mode: int = 0o666) -> int:
    """Open a regular file for writing, made if it is missing, but no link that was planted.

    Parameters
    ----------
    path : path
    flags : int
        As for `os.open`.
    mode : int
        As for `os.open`.

    Returns
    -------
    int

    Raises
    ------
    OSError
        If it cannot be opened, or is no regular file.
    """
    flags |= os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags, mode)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EEXIST, "something else has this name", os.fspath(path))
    return descriptor


def is_at(descriptor: int, path: Path) -> bool:
    """Tell whether an open file is still the one at a path.

    Parameters
    ----------
    descriptor : int
    path : path

    Returns
    -------
    bool
    """
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path, follow_symlinks=False))
    except OSError:
        return False


def _record(path: Path) -> dict[str, Any]:
    """Return what an owner wrote; nothing if it did not come to that."""
    try:
        found = json.loads(path.read_bytes() or b"{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _touched(path: Path) -> int:
    """When the file was last written to; opened anew, for a server's answer and no cached one."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        return os.fstat(file.fileno()).st_mtime_ns
    return 0


def _machine() -> str:
    """Name this machine, since it was started."""
    boot = ""
    with contextlib.suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    return f"{platform.node()} {boot}"
