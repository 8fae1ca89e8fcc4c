"""Where independent tasks run: in this process, on its cores, or on a cluster.

Everything that runs many instances takes any `concurrent.futures.Executor`, or a name that `using`
understands.  The local processes here differ from `concurrent.futures.ProcessPoolExecutor` in three
ways.  Every worker is a pool of its own, so that a worker that is killed costs only its own tasks
and is replaced.  Linear algebra runs on one thread in each, since matrices are small and threads of
several workers would fight for the cores.  And the workers end with their parent, at once: Ctrl-C
reaches the parent only, which then ends them, and if it is killed they notice, even while they are
starting.
"""

from __future__ import annotations

import contextlib
import importlib
import itertools
import multiprocessing
import numbers
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from multiprocessing.context import SpawnContext, SpawnProcess
from typing import Any

from dlnlab.numerics import checks, threads

__all__ = ["MOST", "PATIENCE", "Processes", "Serial", "using"]

_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "BLIS_NUM_THREADS")
"""What the libraries behind NumPy read, once, when a process loads them."""

PATIENCE = "10s"
"""How long a Dask scheduler may take to answer."""


MOST = 2**15
"""Processes that a system has at most, as Linux is set up."""

_GUARD = """
import os, signal, sys, threading, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
def watch():
    while os.getppid() == {parent}:
        time.sleep(0.25)
    os._exit(1)
if os.getppid() != {parent}:
    os._exit(1)
if not any(thread.name == "dlnlab-parent" for thread in threading.enumerate()):
    threading.Thread(target=watch, name="dlnlab-parent", daemon=True).start()
"""
"""What a worker does first: leave Ctrl-C to the parent, and not outlive it however it ends."""

_NAMES = (
    '"serial", "processes", "processes=N", "dask=ADDRESS", "MODULE:FUNCTION" for a function that '
    "returns an executor, or a concurrent.futures.Executor"
)


class Serial(Executor):
    """Runs every task in this process, as soon as it is submitted."""

    workers = 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn(*args, **kwargs)`` and return a future that is done.

        Parameters
        ----------
        fn : callable
        *args, **kwargs
            What it is called with.

        Returns
        -------
        concurrent.futures.Future
        """
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except KeyboardInterrupt:  # it is meant for this process
            raise
        except BaseException as error:  # as every executor does
            future.set_exception(error)
        return future


class _GuardedName(str):
    """The name of a process, which runs `_GUARD` where it arrives.

    A worker is sent its name first, before the modules that it has to import, which takes it
    seconds in which its parent may be gone.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        guard = _GUARD.format(parent=os.getpid())
        return eval, (f"(exec({guard!r}, {{}}), {str(self)!r})[1]",)


class _Context(SpawnContext):
    """Starts processes anew, since a fork may inherit locks and threads, and guards them."""

    _numbers = itertools.count(1)

    def Process(self, *args: Any, **kwargs: Any) -> SpawnProcess:  # type: ignore[override]
        """Return a process that ends with this one."""
        name = _GuardedName(f"dlnlab-worker-{next(self._numbers)}")
        return SpawnProcess(*args, **(kwargs | {"name": name}))


class _Worker:
    """One process, and how many tasks wait for it."""

    def __init__(self) -> None:
        self.pool = ProcessPoolExecutor(1, mp_context=_Context())
        self.waiting = 0
        with _one_thread_each():  # the process is started by its first task
            self.pid = self.pool.submit(os.getpid)

    def kill(self) -> None:
        """End the process, whatever it does."""
        if self.pid.done() and not self.pid.cancelled() and self.pid.exception() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid.result(), signal.SIGTERM)


class Processes(Executor):
    """Worker processes on this machine, each started when there is a task for it.

    Parameters
    ----------
    workers : int, optional
        How many at most; by default one per processor that this process may use, and never more
        than four.
    oversubscribe : bool
        True for as many as `workers` says, for tasks that wait rather than compute.

    Raises
    ------
    TypeError, ValueError
        If `workers` is not an integer between 1 and 32768, or this process may not start others.
    """

    def __init__(self, workers: int | None = None, *, oversubscribe: bool = False) -> None:
        cores = threads.cores()
        count = cores if workers is None else workers
        if isinstance(count, numbers.Integral) and count > MOST:
            raise ValueError(f"`workers` must be an integer <= {MOST}, since a system has no more")
        count = checks.integer("workers", count, 1)
        oversubscribe = checks.flag("oversubscribe", oversubscribe)
        if multiprocessing.current_process().daemon:
            raise ValueError(
                '`executor` must be "serial" in a daemonic process, such as a worker of a '
                'multiprocessing.Pool, which may not start processes; got "processes"'
            )
        self._most = count if oversubscribe else min(count, threads.PER_CORE * cores)
        self._workers: list[_Worker] = []
        self._lock = threading.Lock()
        self._closed = False

    @property
    def workers(self) -> int:
        """The largest number of processes at one time."""
        return self._most

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Give ``fn(*args, **kwargs)`` to a process that is free, a new one, or the least busy.

        If that process dies, the future raises `concurrent.futures.BrokenExecutor`; submit again.

        Parameters
        ----------
        fn : callable
        *args, **kwargs
            What it is called with.

        Returns
        -------
        concurrent.futures.Future

        Raises
        ------
        RuntimeError
            After `shutdown`.
        """
        with self._lock:
            if self._closed:
                raise RuntimeError("these processes have been shut down")
            k = min(range(len(self._workers)), key=lambda i: self._workers[i].waiting, default=0)
            busy = not self._workers or self._workers[k].waiting > 0
            if busy and len(self._workers) < self._most:
                k = len(self._workers)
                self._workers.append(_Worker())
            try:
                future = self._workers[k].pool.submit(fn, *args, **kwargs)
            except BrokenExecutor:
                self._workers[k] = _Worker()
                future = self._workers[k].pool.submit(fn, *args, **kwargs)
            worker = self._workers[k]
            worker.waiting += 1
        future.add_done_callback(lambda done: self._count_down(worker))
        return future

    def _count_down(self, worker: _Worker) -> None:
        with self._lock:
            worker.waiting -= 1

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, after their tasks; with `cancel_futures`, at once.

        Parameters
        ----------
        wait : bool
            Whether to return only once the processes have ended.
        cancel_futures : bool
            Whether to drop the tasks that have not begun.
        """
        self._closed = True
        for worker in self._workers:
            if cancel_futures:
                worker.kill()
            worker.pool.shutdown(wait=wait, cancel_futures=cancel_futures)


@contextlib.contextmanager
def using(executor: Executor | str | None) -> Iterator[Executor]:
    """Give the executor that a name stands for, and close it in the end.

    Parameters
    ----------
    executor : Executor, str or None
        An executor is used as it is and stays open.  "serial" runs tasks in this process,
        "processes" (also None) or "processes=4" in local worker processes, "dask=tcp://host:8786"
        on the cluster of a Dask scheduler, and "module:function" on what that function returns.

    Yields
    ------
    concurrent.futures.Executor

    Raises
    ------
    ValueError, TypeError
        If it is none of these.
    ModuleNotFoundError
        If a library it needs is not installed.
    """
    if isinstance(executor, Executor):
        yield executor
        return
    if executor is not None and not isinstance(executor, str):
        raise TypeError(f"`executor` must be {_NAMES}; got {checks.describe(executor)}")
    with _opened("processes" if executor is None else executor) as opened:
        try:
            yield opened
        except BaseException:
            opened.shutdown(wait=False, cancel_futures=True)
            raise


@contextlib.contextmanager
def _opened(name: str) -> Iterator[Executor]:
    kind, _, value = name.partition("=")
    if name == "serial":
        yield Serial()
    elif kind == "processes" and (not value or (value.isascii() and value.isdecimal())):
        with Processes(int(value[:20]) if value else None) as pool:  # of 20 digits too many anyway
            yield pool
    elif kind == "dask" and value:
        with _client(value) as client:
            yield client.get_executor()
    elif ":" in name and not value:
        module, _, function = name.partition(":")
        with _made(module, function) as made:
            yield made
    else:
        raise ValueError(f"`executor` must be {_NAMES}; got {name!r}")


def _client(address: str) -> Any:
    try:
        distributed = importlib.import_module("distributed")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "`executor` dask=ADDRESS needs Dask: pip install 'dlnlab[cluster]'"
        ) from None
    try:
        return distributed.Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"`executor` {address!r}: no Dask scheduler answers: {error}") from error


def _made(module: str, function: str) -> Executor:
    try:
        made = getattr(importlib.import_module(module), function)()
    except (Exception, SystemExit) as error:  # whatever a function does that makes no executor
        raise ValueError(
            f"`executor` '{module}:{function}' cannot be used: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(made, Executor):
        raise TypeError(
            f"`executor` '{module}:{function}' must return a concurrent.futures.Executor, "
            f"got {checks.describe(made)}"
        )
    return made


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started meanwhile find one thread asked for; a choice of the user's stands."""
    added = [name for name in _THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
