"""What the machine can do: the rate of matrix products, and how fast memory is read.

Both are the best of several repeats, since a limit is what a run without disturbance reaches.  The
rate of reading depends on which cache the data fit in, so it is measured for data of the size that
a row works on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlnlab.bench import timing
from dlnlab.bench.costs import Cost
from dlnlab.numerics import arrays
from dlnlab.numerics.arrays import Array

__all__ = ["LARGEST", "SIZE", "SMALLEST", "Clock", "Limits", "gemm_rate", "read_rate"]

Clock = Callable[[Callable[[], object]], float]

SMALLEST = 2**18
"""Bytes: below this the overhead of a call, not memory, is what would be measured."""

SIZE = 1024
"""Of the matrices whose product gives the rate; smaller ones do not reach it."""

LARGEST = 2**28
"""Bytes: far beyond any cache; more would only take longer."""


def gemm_rate(
    size: int, reference: Array, seconds: float = 0.1, clock: Clock = timing.clock
) -> float:
    """Return the flops per second of products of `size` × `size` matrices where `reference` lives.

    Parameters
    ----------
    size : int
    reference : array
    seconds : float
        How long to measure.
    clock : callable
        Times a call: `timing.clock`, or `timing.spent` for the processor's time.

    Returns
    -------
    float
    """
    rng = np.random.default_rng(0)
    A = arrays.like(rng.standard_normal((size, size)), reference)
    B = arrays.like(rng.standard_normal((size, size)), reference)
    return 2 * size**3 / _best(lambda: A @ B, reference, seconds, clock)


def read_rate(
    num_bytes: int, reference: Array, seconds: float = 0.1, clock: Clock = timing.clock
) -> float:
    """Return the bytes per second at which a dot product reads two arrays.

    Parameters
    ----------
    num_bytes : int
        Of both arrays together; between 256 KiB and 256 MiB is measured.
    reference : array
    seconds : float
    clock : callable
        As for `gemm_rate`.

    Returns
    -------
    float
    """
    count = min(max(num_bytes, SMALLEST), LARGEST) // 16
    x = arrays.like(np.ones(count), reference)
    y = arrays.like(np.full(count, 2.0), reference)
    return 16 * count / _best(lambda: x @ y, reference, seconds, clock)


def _best(call: Any, reference: Array, seconds: float, clock: Clock) -> float:
    def repeat(times: int) -> None:
        for _ in range(times):
            call()
        arrays.synchronize(reference)

    repeat(1)
    count = timing.calibrate(repeat, seconds / 5)
    return min(clock(lambda: repeat(count)) for _ in range(5)) / count


@dataclass(frozen=True)
class Limits:
    """The limits of one device, with the BLAS threads in force, measured when they are asked for.

    Attributes
    ----------
    reference : array
        An array that lives there.
    seconds : float
        How long to measure each.
    clock : callable
        As for `gemm_rate`.
    """

    reference: Array
    seconds: float = 0.3
    clock: Clock = timing.clock

    def seconds_for(self, cost: Cost) -> float:
        """Return the least time for a cost: its flops or its bytes, whichever take longer.

        Parameters
        ----------
        cost : Cost

        Returns
        -------
        float
        """
        size = SIZE if self.seconds > 0.1 else SIZE // 4
        how = (self.reference, self.seconds, self.clock)
        return max(cost.flops / gemm_rate(size, *how), cost.bytes / read_rate(cost.bytes, *how))
