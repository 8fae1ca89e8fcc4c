"""Timing on a machine that others use too: in alternation, and told by medians and quartiles.

Runs that are to be compared take turns, so that a disturbance hits both; the ratio is the median of
the ratios within the turns.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Sample", "alternate", "calibrate", "clock", "spent"]


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
        """Summarize measured values by their median and quartiles.

        Parameters
        ----------
        values : sequence of float

        Returns
        -------
        Sample
        """
        low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
        return cls(float(median), float(low), float(high), len(values))

    def scaled(self, factor: float) -> Sample:
        """Return the sample in another unit.

        Parameters
        ----------
        factor : float

        Returns
        -------
        Sample
        """
        return Sample(factor * self.median, factor * self.low, factor * self.high, self.repeats)


def clock(call: Callable[[], object]) -> float:
    """Return the wall time of one call, in seconds.

    Parameters
    ----------
    call : callable

    Returns
    -------
    float
    """
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def spent(call: Callable[[], object]) -> float:
    """Return the processor's time for one call, all threads together, in seconds.

    Parameters
    ----------
    call : callable

    Returns
    -------
    float
    """
    started = time.process_time()
    call()
    return time.process_time() - started


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

    Returns
    -------
    int
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

    Parameters
    ----------
    calls : sequence of callables
    repeats : int

    Returns
    -------
    array, shape (repeats, calls)
    """
    times = np.empty((repeats, len(calls)))
    for turn in range(repeats):
        order = range(len(calls)) if turn % 2 == 0 else range(len(calls) - 1, -1, -1)
        for k in order:
            times[turn, k] = clock(calls[k])
    return times
