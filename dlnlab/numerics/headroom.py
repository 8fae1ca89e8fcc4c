"""How much memory the limits of this process leave to it.

A process may be limited in its address space or its data (``ulimit -v``, ``-d``), and as a member
of control groups, as batch systems and containers set them up; each group, up to the root, has a
limit for all of its members together.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

__all__ = ["FILES", "limits"]

FILES = {
    "cgroup2": ("memory.max", "memory.current", "inactive_file"),
    "cgroup": ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
}
"""Where each version of control groups tells a group's limit, what it uses, and how much of that is
copies of files, which make way."""


def limits(proc: str | os.PathLike[str] = "/proc/self") -> Iterator[int]:
    """Yield the bytes that each limit leaves to this process.

    Parameters
    ----------
    proc : path
        Where the system tells about it; where it does not, no limit is known.

    Yields
    ------
    int
    """
    with contextlib.suppress(OSError, KeyError, ValueError):
        yield from _own_limits(Path(proc))
    with contextlib.suppress(OSError, ValueError, IndexError):
        yield from _group_limits(Path(proc))


def _own_limits(proc: Path) -> Iterator[int]:
    """Yield what is left of the address space and of the data that this process may have."""
    if resource is None:
        return
    used = _fields(proc / "status")
    for limit, name in (("RLIMIT_AS", "VmSize"), ("RLIMIT_DATA", "VmData")):
        most, _ = resource.getrlimit(getattr(resource, limit))
        if most != resource.RLIM_INFINITY:
            yield most - 1024 * int(used[name].split()[0])


def _group_limits(proc: Path) -> Iterator[int]:
    """Yield what is left to each control group that this process is in."""
    groups = _lines(proc / "cgroup")
    for mount in _lines(proc / "mountinfo"):
        place, _, system = mount.partition(" - ")
        kind, _, options = system.split(" ")[:3]
        if kind == "cgroup2" or (kind == "cgroup" and "memory" in options.split(",")):
            root, point = place.split(" ")[3:5]
            yield from _along(kind, Path(_unescaped(point)), _below(kind, groups, _unescaped(root)))


def _unescaped(path: str) -> str:
    """A path as it is written, in which a blank is told by its number."""
    return path.replace("\\040", " ")


def _below(kind: str, groups: list[str], root: str) -> PurePosixPath:
    """Return the path of our group below the mounted one; nothing if it lies elsewhere."""
    for group in groups:
        _, controllers, path = group.split(":", 2)
        if ("memory" in controllers.split(",")) if kind == "cgroup" else not controllers:
            with contextlib.suppress(ValueError):
                below = PurePosixPath(path).relative_to(root)
                return below if ".." not in below.parts else PurePosixPath()
    return PurePosixPath()


def _along(kind: str, point: Path, below: PurePosixPath) -> Iterator[int]:
    """Yield what is left to a group, and to those it is in."""
    limit, usage, cached = FILES[kind]
    for group in (below, *below.parents):
        with contextlib.suppress(OSError, ValueError, IndexError):
            most = int(_lines(point / group / limit)[0])  # or "max", which is no number
            used = int(_lines(point / group / usage)[0])
            files = _fields(point / group / "memory.stat", " ").get(cached, "0")
            yield most - used + int(files)


def _fields(path: Path, separator: str = ":") -> dict[str, str]:
    return {name: value for name, _, value in (x.partition(separator) for x in _lines(path))}


def _lines(path: Path) -> list[str]:
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()
