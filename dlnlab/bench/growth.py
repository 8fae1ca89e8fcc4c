"""How time and memory grow with each size of an experiment.

Every point is measured in a process of its own, on one thread, in the time of the processor, which
other work on the machine changes less than the time on the clock: of a call, or of one step of
descent; and the peak resident memory of drawing the data and running, less what was resident
before.  Small points say little of memory, since a few megabytes of libraries are loaded on the
way.  The exponent is the slope of a straight line through the upper half of the points on
logarithmic axes.  The limit of a step is the time that its arithmetic, or reading its data once,
would take at the rates that the same process reaches: of the step as the theory writes it
(`bench.costs`), and where only observed entries are looked at, of 6 r̂ flops and 12 bytes for each.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dlnlab import flow
from dlnlab.bench import costs, timing
from dlnlab.bench import workloads as make
from dlnlab.bench.costs import Cost
from dlnlab.bench.limits import Limits
from dlnlab.bench.measurement import engine_run
from dlnlab.bench.workloads import Workload
from dlnlab.campaigns.executors import Processes
from dlnlab.numerics import threads
from dlnlab.problems import targets
from dlnlab.training import memory

__all__ = ["AXES", "Axis", "Built", "Call", "Growth", "exponent", "grow", "point"]

Call = Callable[[int], object]
"""Runs so many steps; a call that has none ignores the number."""

Built = tuple[Call, int, Cost | None]


@dataclass(frozen=True)
class Axis:
    """One size, and what is run for each of its values.

    Attributes
    ----------
    title : str
    symbol : str
    values : tuple of int
    build : callable
        Makes the call that is measured, and says how many steps it takes (0: it is no descent, and
        the whole call is timed), and what a step costs all networks together.
    """

    title: str
    symbol: str
    values: tuple[int, ...]
    build: Callable[[int], Built]


@dataclass(frozen=True)
class Growth:
    """Time and memory as functions of one size.

    Attributes
    ----------
    axis, title, symbol : str
    values : list of int
    seconds : list of float
        Of a call, or of a step.
    bytes : list of int or None
        Peak resident memory of data and run; None if the system does not report it.
    limits : list of float or None
        Seconds of a step at the machine's rates; None for a call.
    per_step : bool
    time_exponent, memory_exponent : float or None
    """

    axis: str
    title: str
    symbol: str
    values: list[int]
    seconds: list[float]
    bytes: list[int | None]
    limits: list[float | None]
    per_step: bool
    time_exponent: float | None
    memory_exponent: float | None

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain data.

        Returns
        -------
        dict
        """
        return asdict(self)


def grow(name: str, values: Sequence[int] | None = None) -> Growth:
    """Measure time and memory along one axis.

    Parameters
    ----------
    name : str
        One of `AXES`.
    values : sequence of int, optional
        By default those of the axis.

    Returns
    -------
    Growth
    """
    axis = AXES[name]
    chosen = list(axis.values if values is None else values)
    found = [_in_a_process_of_its_own(name, value) for value in chosen]
    seconds = [one[0] for one in found]
    peaks = [one[1] for one in found]
    known = [float(peak) for peak in peaks if peak is not None]
    return Growth(
        axis=name,
        title=axis.title,
        symbol=axis.symbol,
        values=chosen,
        seconds=seconds,
        bytes=peaks,
        limits=[one[3] for one in found],
        per_step=found[0][2],
        time_exponent=exponent(chosen, seconds),
        memory_exponent=exponent(chosen, known) if len(known) == len(chosen) else None,
    )


def exponent(sizes: Sequence[float], measured: Sequence[float]) -> float | None:
    """Return p of a power law ~ sizeᵖ through the upper half of the points.

    Parameters
    ----------
    sizes : sequence of float
    measured : sequence of float

    Returns
    -------
    float or None

    Examples
    --------
    >>> round(exponent([1, 10, 100, 1000], [7.0, 7.0, 70.0, 700.0]), 3)
    1.0
    """
    start = len(sizes) // 2 if len(sizes) > 3 else 0
    x, y = np.asarray(sizes[start:], dtype=float), np.asarray(measured[start:], dtype=float)
    if x.size < 2 or not (y > 0).all():
        return None
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])


def _in_a_process_of_its_own(name: str, value: int) -> Any:
    with Processes(1) as pool:
        return pool.submit(point, name, value).result()


def point(name: str, value: int) -> tuple[float, int | None, bool, float | None]:
    """Measure one value: seconds, bytes, whether the seconds are those of a step, and its limit.

    Parameters
    ----------
    name : str
        Of an axis.
    value : int

    Returns
    -------
    (float, int or None, bool, float or None)
    """
    with threads.limited(1):
        with memory.watch() as peak:
            call, steps, cost = AXES[name].build(value)
            seconds = timing.spent(functools.partial(call, steps))
        if steps:
            seconds = (_least(call, steps) - _least(call, 0)) / steps
        limit = None if cost is None else Limits(np.empty(0), 0.05, timing.spent).seconds_for(cost)
    return seconds, peak.bytes, steps > 0, limit


def _least(call: Call, steps: int) -> float:
    return min(timing.spent(functools.partial(call, steps)) for _ in range(3))


def _comparison(d: int, rank: int) -> Built:
    M = targets.random_target((d, d), rank, rng=0, factored=True)
    return lambda _: flow.compare(M, 2 * rank, rng=0), 0, None


def _descent(instance: Workload, steps: int, cost: Cost | None = None) -> Built:
    if cost is None:
        one = costs.of_step([instance])
        cost = Cost(instance.batch * one.flops, instance.batch * one.bytes)
    return engine_run(instance, np.empty(0)), steps, cost


def _sensed(count: int) -> Built:
    return _descent(make.compressed(make.sensing(50, 5, count), (50, 50), 10), 20)


def _observed(count: int) -> Built:
    shape, r_hat = (69_878, 10_677), 10
    instance = make.narrow(make.sampled(shape, 5, count), shape, r_hat)
    return _descent(instance, 10, Cost(6 * r_hat * count, 12 * count))


def _stack(batch: int) -> Built:
    single = make.compressed(make.completion(100, 5, 0.3), (100, 100), 10)
    return _descent(make.stacked(single, batch), max(20, min(100, 6400 // batch)))


AXES = {
    "d": Axis(
        "comparison of the two flows, factored target, r = 10",
        "d",
        (100, 1000, 10_000, 100_000, 1_000_000, 10_000_000),
        lambda d: _comparison(d, 10),
    ),
    "r": Axis(
        "comparison of the two flows, factored target, d = 10 000",
        "r",
        (1, 2, 4, 8, 16, 32),
        lambda r: _comparison(10_000, r),
    ),
    "m": Axis(
        "sensing, compressed, d = 50, r̂ = 10", "m", (500, 1000, 2000, 4000, 8000, 16_000), _sensed
    ),
    "observed": Axis(
        "n observed entries of a 69 878 × 10 677 matrix, as MovieLens 10M has, r̂ = 10",
        "n",
        (10_000, 100_000, 1_000_000, 10_000_000),
        _observed,
    ),
    "batch": Axis(
        "B networks side by side, completion 30 %, compressed, d = 100, r̂ = 10",
        "B",
        (1, 4, 16, 64, 256, 1024, 10_000),
        _stack,
    ),
}
