"""Timing on a machine that others use too: in alternation, and told by medians and quartiles.

Runs that are to be compared take turns, so that a disturbance hits both; the ratio is the median of
the ratios within the turns.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = [
    "Sample",
    "alternate",
    "blas",
    "blas_threads",
    "calibrate",
    "clock",
    "cores",
    "threads_for",
]

FROM = 200
"""Matrix size from which BLAS gets all cores.  Below it the threads cost more than they save, and
where others use the cores too they wait for each other: two threads ran 5 to 20 times slower."""


@dataclass(frozen=True)
class Sample:
    """The middle and the spread of repeated measurements.

    Attributes
    ----------
    median, low, high : float
        The median and the quartiles.
    repeats : int
    """

    median: float
    low: float
    high: float
    repeats: int

    @classmethod
    def of(cls, values: Sequence[float] | np.ndarray) -> Sample:
        """Summarize the values."""
        low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
        return cls(float(median), float(low), float(high), len(values))

    def scaled(self, factor: float) -> Sample:
        """Return the sample in another unit."""
        return Sample(factor * self.median, factor * self.low, factor * self.high, self.repeats)


def clock(call: Callable[[], object]) -> float:
    """Return the wall time of one call, in seconds."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def calibrate(
    run: Callable[[int], object], seconds: float, most: int = 10**7, idle: float = 0.0
) -> int:
    """Return the number of steps for which ``run(steps)`` takes about `seconds` more than `idle`.

    Parameters
    ----------
    run : callable
    seconds : float
    most : int
        An upper bound.
    idle : float
        The time of no steps.
    """
    steps, taken = 1, 0.0
    while steps < most:
        taken = clock(lambda n=steps: run(n)) - idle  # type: ignore[misc]
        if taken > seconds / 4 + idle:  # the spread of `idle` shall not pass for steps
            break
        steps = min(4 * steps, most)
    return max(1, min(most, math.ceil(steps * seconds / max(taken, 1e-9))))


def alternate(calls: Sequence[Callable[[], object]], repeats: int) -> np.ndarray:
    """Return the times of calls that take turns, shape (repeats, calls), in seconds.

    The order within a turn is reversed from turn to turn, so that none always goes first.
    """
    times = np.empty((repeats, len(calls)))
    for turn in range(repeats):
        order = range(len(calls)) if turn % 2 == 0 else range(len(calls) - 1, -1, -1)
        for k in order:
            times[turn, k] = clock(calls[k])
    return times


def cores() -> int:
    """Return the number of processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def threads_for(size: int) -> int:
    """Return how many BLAS threads matrices of this size are run with: one below 200."""
    return cores() if size >= FROM else 1


@contextlib.contextmanager
def blas_threads(count: int) -> Iterator[None]:
    """Let NumPy's BLAS use `count` threads; entered once per run, since it takes a millisecond.

    Raises
    ------
    ModuleNotFoundError
        If threadpoolctl is not installed.
    """
    with _threadpoolctl().threadpool_limits(count, user_api="blas"):
        yield


def blas() -> str:
    """Return which BLAS NumPy runs on."""
    found = _threadpoolctl().threadpool_info()
    names = {f"{pool['internal_api']} {pool['version']}" for pool in found if "version" in pool}
    return ", ".join(sorted(names)) or "unknown"


def _threadpoolctl() -> Any:
    try:
        return importlib.import_module("threadpoolctl")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "benchmarks set BLAS threads with threadpoolctl: pip install 'dlnlab[bench]'"
        ) from None
