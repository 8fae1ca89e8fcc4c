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
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

__all__ = ["available", "cores", "for_matrices", "limited", "share", "shared"]

LARGE = 200
"""Width of a matrix from which on BLAS gets all threads.  With both cores free two threads multiply
100 × 100 matrices 1.5 times as fast as one, 200 × 200 ones 1.7 times; but with one of them busy a
step of 100 × 100 layers took up to 5 times as long on two threads as on one."""

_allowed: contextvars.ContextVar[int | None] = contextvars.ContextVar("allowed", default=None)


def available() -> int:
    """Return how many threads a run may take.

    That is what `limited` says, else ``OMP_NUM_THREADS`` if it is set, else the number of cores.
    """
    allowed = _allowed.get()
    asked = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
    if allowed is None and asked.isdigit() and int(asked) > 0:
        return int(asked)
    return allowed or cores()


def cores() -> int:
    """Return the number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def limited(count: int) -> Iterator[None]:
    """Let runs take at most `count` threads, Python's or those of BLAS."""
    token = _allowed.set(count)
    try:
        with _blas().limit(limits=count):
            yield
    finally:
        _allowed.reset(token)


@functools.cache
def _pool(count: int) -> ThreadPoolExecutor:
    """Return the process's pool of so many threads; they start with their first tasks."""
    return ThreadPoolExecutor(count, thread_name_prefix="dlnlab")


if hasattr(os, "register_at_fork"):  # a child has the pool, but not its threads
    os.register_at_fork(after_in_child=_pool.cache_clear)


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
    return _blas().limit(limits=1) if shared(width, members) else contextlib.nullcontext()


@functools.cache
def _blas() -> Any:
    """The BLAS libraries that are loaded; finding them takes some milliseconds."""
    import threadpoolctl

    return threadpoolctl.ThreadpoolController().select(user_api="blas")
