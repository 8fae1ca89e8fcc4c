"""Where independent tasks run: in this process, on its cores, or on a cluster.

Everything that runs many instances takes any `concurrent.futures.Executor`, or a name that `using`
understands.  The local processes here differ from `concurrent.futures.ProcessPoolExecutor` in three
ways.  Every worker is a pool of its own, so that a worker that is killed costs only its own tasks
and is replaced.  Linear algebra runs on one thread in each, since matrices are small and threads of
several workers would fight for the cores.  And the workers end with their parent, at once: Ctrl-C
reaches the parent only, which then ends them, and if it is killed they notice.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from typing import Any

from dlnlab import checks

__all__ = ["Processes", "Serial", "using"]

THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "BLIS_NUM_THREADS")
"""What the libraries behind NumPy read, once, when a process loads them."""

FOREIGN = 128
"""Tasks kept under way on an executor that does not say how many workers it has."""

NAMES = (
    '"serial", "processes", "processes=N", "dask=ADDRESS", "MODULE:FUNCTION" for a function that '
    "returns an executor, or a concurrent.futures.Executor"
)


class Serial(Executor):
    """Runs every task in this process, as soon as it is submitted."""

    workers = 1

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn(*args, **kwargs)`` and return a future that is done."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # as every executor does
            future.set_exception(error)
        return future


class _Worker:
    """One process, and how many tasks wait for it."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")  # a fork may inherit locks and threads
        self.pool = ProcessPoolExecutor(
            1, mp_context=context, initializer=_begin, initargs=(os.getpid(),)
        )
        self.waiting = 0
        with _one_thread_each():  # the process is started by its first task
            self.pid = self.pool.submit(os.getpid)

    def kill(self) -> None:
        """End the process, whatever it does."""
        if self.pid.done() and not self.pid.cancelled() and self.pid.exception() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid.result(), signal.SIGTERM)


class Processes(Executor):
    """Worker processes on this machine.

    Parameters
    ----------
    workers : int, optional
        How many; by default one per processor that this process may use.

    Raises
    ------
    TypeError, ValueError
        If `workers` is not an integer ≥ 1.
    """

    def __init__(self, workers: int | None = None) -> None:
        count = _processors() if workers is None else checks.integer("workers", workers, 1)
        self._workers = [_Worker() for _ in range(count)]
        self._closed = False

    @property
    def workers(self) -> int:
        """Number of processes."""
        return len(self._workers)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Give ``fn(*args, **kwargs)`` to the process with the fewest tasks.

        If that process dies, the future raises `concurrent.futures.BrokenExecutor`; submit again.
        """
        if self._closed:
            raise RuntimeError("these processes have been shut down")
        k = min(range(len(self._workers)), key=lambda i: self._workers[i].waiting)
        try:
            return self._give(self._workers[k], fn, *args, **kwargs)
        except BrokenExecutor:
            self._workers[k] = _Worker()
            return self._give(self._workers[k], fn, *args, **kwargs)

    @staticmethod
    def _give(worker: _Worker, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Future[Any]:
        future = worker.pool.submit(fn, *args, **kwargs)
        worker.waiting += 1

        def count_down(done: Future[Any]) -> None:
            worker.waiting -= 1

        future.add_done_callback(count_down)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the processes, after their tasks; with `cancel_futures`, at once."""
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
        raise TypeError(f"`executor` must be {NAMES}; got {checks.describe(executor)}")
    with _opened("processes" if executor is None else executor) as opened:
        try:
            yield opened
        except BaseException:
            opened.shutdown(wait=False, cancel_futures=True)
            raise


def under_way(executor: Executor) -> int:
    """Return how many tasks to keep under way: two for each worker, if their number is known."""
    known = getattr(executor, "workers", None) or getattr(executor, "_max_workers", None)
    return 2 * known if isinstance(known, int) else FOREIGN


@contextlib.contextmanager
def _opened(name: str) -> Iterator[Executor]:
    kind, _, value = name.partition("=")
    if name == "serial":
        yield Serial()
    elif kind == "processes" and (not value or value.isdecimal()):
        with Processes(int(value) if value else None) as pool:
            yield pool
    elif kind == "dask" and value:
        with _client(value) as client:
            yield client.get_executor()
    elif ":" in name and not value:
        module, _, function = name.partition(":")
        with _made(module, function) as made:
            yield made
    else:
        raise ValueError(f"`executor` must be {NAMES}; got {name!r}")


def _client(address: str) -> Any:
    try:
        distributed = importlib.import_module("distributed")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "`executor` dask=ADDRESS needs Dask: pip install 'dlnlab[cluster]'"
        ) from None
    try:
        return distributed.Client(address, timeout="10s", set_as_default=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"`executor` {address!r}: no Dask scheduler answers: {error}") from error


def _made(module: str, function: str) -> Executor:
    try:
        made = getattr(importlib.import_module(module), function)()
    except (ModuleNotFoundError, AttributeError) as error:
        raise ValueError(f"`executor` '{module}:{function}' cannot be used: {error}") from error
    if not isinstance(made, Executor):
        raise TypeError(
            f"`executor` '{module}:{function}' must return a concurrent.futures.Executor, "
            f"got {checks.describe(made)}"
        )
    return made


def _begin(parent: int) -> None:
    """Leave Ctrl-C to the parent, and do not outlive it however it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


def _processors() -> int:
    if hasattr(os, "sched_getaffinity"):  # what a batch system or a container leaves us
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes started meanwhile find one thread asked for; a choice of the user's stands."""
    added = [name for name in THREADS if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            del os.environ[name]
