"""How many threads a run takes: Python's over stacks of networks, or the BLAS library's over one.

Products of small matrices are slower on two BLAS threads than on one, and many times slower where
the threads wait for a core that others use.  So a run of small networks limits BLAS to one thread,
and a stack of networks is shared between Python threads instead, which NumPy lets run side by side.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import math
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from dlnlab.numerics import arrays
from dlnlab.numerics.arrays import Array

__all__ = [
    "LARGE",
    "PER_CORE",
    "available",
    "blas",
    "cores",
    "for_layers",
    "for_matrices",
    "limited",
    "share",
    "shared",
]

LARGE = 200
"""Width of a matrix from which on BLAS gets all threads.  With both cores free two threads multiply
100 × 100 matrices 1.5 times as fast as one, 200 × 200 ones 1.7 times; but with one of them busy a
step of 100 × 100 layers took up to 5 times as long on two threads as on one."""

PER_CORE = 4
"""Threads, or processes, that are started at most for each processor: more only take turns."""

_allowed: contextvars.ContextVar[int | None] = contextvars.ContextVar("allowed", default=None)


def available() -> int:
    """Return how many threads a run may take.

    That is what `limited` says, else ``OMP_NUM_THREADS`` if it is set, else the number of cores;
    and never more than four for each of these.

    Returns
    -------
    int
    """
    allowed, most = _allowed.get(), _most()
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip().lstrip("0")
    if allowed is None and asked.isdecimal():
        allowed = int(asked) if len(asked) < 10 else most
    return min(allowed or cores(), most)


def _most() -> int:
    return PER_CORE * cores()


def cores() -> int:
    """Return the number of processors this process may use.

    Returns
    -------
    int
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def blas() -> str:
    """Return which BLAS NumPy and SciPy run on, and for which processor its kernels are.

    Returns
    -------
    str
    """
    import threadpoolctl

    found = [pool for pool in threadpoolctl.threadpool_info() if "version" in pool]
    names = {
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture', '')}".strip()
        for pool in found
    }
    return ", ".join(sorted(names)) or "unknown"


class _ThreadLimits:
    """The limits on BLAS that hold at the moment, of all threads together.

    BLAS has one number of threads for the whole process.  So the smallest of the limits that hold
    is set, and what was there before the first of them is put back after the last, in whatever
    order they end.  (Built with OpenMP it has a number for each thread, which sets its own.)
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()  # what collects garbage may end a limit
        self._holding: dict[object, tuple[int, int]] = {}
        self._before: Any = None
        self._libraries: Any = None

    @contextlib.contextmanager
    def hold(self, count: int) -> Iterator[None]:
        """Let BLAS use at most `count` threads while the block runs."""
        token = object()
        with _blas().of_threads.limit(limits=count):
            self._change(lambda: self._holding.update({token: (count, threading.get_ident())}))
            try:
                yield
            finally:
                self._change(lambda: self._holding.pop(token, None))

    def forget(self) -> None:
        """Drop the limits of threads that a forked child does not have."""
        self._lock = threading.RLock()
        here = threading.get_ident()
        kept = {token: held for token, held in self._holding.items() if held[1] == here}
        self._change(lambda: setattr(self, "_holding", kept))

    def _change(self, change: Callable[[], Any]) -> None:
        with self._lock:
            before = self._smallest()
            change()
            after = self._smallest()
            if after != before:
                self._set(before, after)

    def _smallest(self) -> int | None:
        return min((count for count, _ in self._holding.values()), default=None)

    def _set(self, before: int | None, after: int | None) -> None:
        if before is None:
            self._libraries = _blas().of_process
        libraries = self._libraries  # those whose numbers are put back in the end
        _take_control(libraries)
        if before is None:
            self._before = libraries.limit(limits=after)
        else:
            self._before.restore_original_limits()
            if after is not None:
                libraries.limit(limits=after)
        _take_control(libraries)


def _take_control(libraries: Any) -> None:
    """Let the next thread set the number, whichever did last: here they do not fight for it."""
    for library in getattr(libraries, "lib_controllers", ()):
        if hasattr(library, "clear_controlling_thread"):  # threadpoolctl 3.8
            library.clear_controlling_thread(force=True)


_limits = _ThreadLimits()


@contextlib.contextmanager
def limited(count: int) -> Iterator[None]:
    """Let runs take at most `count` threads, Python's or those of BLAS.

    Parameters
    ----------
    count : int
    """
    token = _allowed.set(count)
    try:
        with _limits.hold(min(count, _most())):
            yield
    finally:
        _allowed.reset(token)


@functools.cache
def _pool(count: int) -> ThreadPoolExecutor:
    """Return the process's pool of so many threads; they start with their first tasks."""
    return ThreadPoolExecutor(count, thread_name_prefix="dlnlab")


if hasattr(os, "register_at_fork"):  # a child has the pool, but not its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)
    os.register_at_fork(after_in_child=_limits.forget)


def share(function: Callable[[Any], Any], items: Sequence[Any]) -> list[Any]:
    """Return the function of every item, in their order, computed side by side where that helps.

    Useful for functions that spend their time in NumPy's loops and products, with BLAS limited to
    one thread (`for_matrices`).

    Parameters
    ----------
    function : callable
    items : sequence

    Returns
    -------
    list
    """
    count = available()
    return list((map if count == 1 else _pool(count).map)(function, items))


def shared(width: int, members: int) -> bool:
    """Tell whether Python's threads are to share `members` matrices so wide, rather than BLAS's.

    Parameters
    ----------
    width : int
        Of the widest matrix.
    members : int
        How many there are in a batch.

    Returns
    -------
    bool
    """
    return width < LARGE or members >= available()


def for_matrices(width: int, members: int) -> contextlib.AbstractContextManager[Any]:
    """Return a context in which BLAS uses one thread, if it is better off with one.

    Entering it takes about 30 µs.

    Parameters
    ----------
    width : int
        Of the widest matrix.
    members : int
        How many there are in a batch.

    Returns
    -------
    context manager
    """
    return _limits.hold(1) if shared(width, members) else contextlib.nullcontext()


def for_layers(weights: Sequence[Array]) -> contextlib.AbstractContextManager[Any]:
    """Return a context with the BLAS threads that pay for steps of a network.

    Parameters
    ----------
    weights : sequence of arrays, shapes (..., d_l, d_{l−1})
        All with the same batch axes.  Those on a device leave BLAS as it is.

    Returns
    -------
    context manager
    """
    if not arrays.is_host(weights[0]):
        return contextlib.nullcontext()
    members = math.prod(weights[0].shape[:-2])
    return for_matrices(max(max(W.shape[-2:]) for W in weights), members)


class _Libraries(NamedTuple):
    """BLAS libraries with one number of threads for the process, and with one for each thread."""

    of_process: Any
    of_threads: Any


def _blas() -> _Libraries:
    """The BLAS libraries that are loaded, looked for anew after a module has been."""
    return _found(len(sys.modules))


@functools.lru_cache(maxsize=1)
def _found(modules: int) -> _Libraries:
    """Find them, which takes some milliseconds."""
    import threadpoolctl

    found = threadpoolctl.ThreadpoolController().select(user_api="blas")
    paths: tuple[list[str], list[str]] = ([], [])
    for library in found.info():
        openmp = library["internal_api"] == "openblas" and library["threading_layer"] == "openmp"
        paths[openmp].append(library["filepath"])
    return _Libraries(*(found.select(filepath=part) for part in paths))
