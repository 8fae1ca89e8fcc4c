"""How many threads a run takes: Python's over stacks of networks, or the BLAS library's over one.

Products of small matrices are slower on two BLAS threads than on one, and many times slower where
the threads wait for a core that others use.  So a run of small networks limits BLAS to one thread,
and a stack of networks is shared between Python threads instead, which NumPy lets run side by side.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["available", "cores", "for_matrices", "limited", "share", "shared"]

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
    """
    allowed, most = _allowed.get(), PER_CORE * cores()
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip().lstrip("0")
    if allowed is None and asked.isdecimal():
        allowed = int(asked) if len(asked) < 10 else most
    return min(allowed or cores(), most)


def cores() -> int:
    """Return the number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Limits:
    """The limits on BLAS that hold at the moment, of all threads together.

    BLAS has one number of threads for the whole process.  So the smallest of the limits that hold
    is set, and what was there before the first of them is put back after the last, in whatever
    order they end.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._holding: dict[object, tuple[int, int]] = {}
        self._before: Any = None

    @contextlib.contextmanager
    def hold(self, count: int) -> Iterator[None]:
        """Let BLAS use at most `count` threads while the block runs."""
        token = object()
        self._change(lambda: self._holding.update({token: (count, threading.get_ident())}))
        try:
            yield
        finally:
            self._change(lambda: self._holding.pop(token, None))

    def _change(self, change: Callable[[], Any]) -> None:
        with self._lock:
            before = self._smallest()
            change()
            self._set(before, self._smallest())

    def _smallest(self) -> int | None:
        return min((count for count, _ in self._holding.values()), default=None)

    def _set(self, before: int | None, after: int | None) -> None:
        if after == before:
            return
        if after is None:
            self._before.restore_original_limits()
            self._before = None
        elif before is None or after < before:
            limiter = _blas().limit(limits=after)
            self._before = limiter if before is None else self._before
        else:  # as many as there were at first, if that is less
            self._before.restore_original_limits()
            _blas().limit(limits=after)

    def forget(self) -> None:
        """Drop the limits of threads that a forked child does not have."""
        self._lock = threading.RLock()
        before, here = self._smallest(), threading.get_ident()
        gone = [token for token, (_, owner) in self._holding.items() if owner != here]
        for token in gone:
            del self._holding[token]
        self._set(before, self._smallest())


_limits = _Limits()


@contextlib.contextmanager
def limited(count: int) -> Iterator[None]:
    """Let runs take at most `count` threads, Python's or those of BLAS."""
    token = _allowed.set(count)
    try:
        with _limits.hold(count):
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
    """
    count = available()
    return list((map if count == 1 else _pool(count).map)(function, items))


def shared(width: int, members: int) -> bool:
    """Tell whether Python's threads are to share `members` matrices so wide, rather than BLAS's."""
    return width < LARGE or members >= available()


def for_matrices(width: int, members: int) -> contextlib.AbstractContextManager[Any]:
    """Return a context in which BLAS uses one thread, if it is better off with one.

    Entering it takes about 15 µs.
    """
    return _limits.hold(1) if shared(width, members) else contextlib.nullcontext()


@functools.cache
def _blas() -> Any:
    """The BLAS libraries that are loaded; finding them takes some milliseconds."""
    import threadpoolctl

    return threadpoolctl.ThreadpoolController().select(user_api="blas")
