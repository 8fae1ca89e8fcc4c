"""Where the time of a step goes.

Networks on the host step by a fixed list of calls (`dlnlab.training.kernels`), each of which is
timed.  Other runs are given to Python's profiler; operators such as ``@`` are no function calls, so
that there the time of a matrix product is that of the function it stands in.
"""

from __future__ import annotations

import cProfile
import functools
import pstats
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlnlab.bench import timing
from dlnlab.bench.measurement import LONG, engine_run, long_run_formulation
from dlnlab.bench.rows import Row
from dlnlab.bench.workloads import Workload
from dlnlab.numerics import threads
from dlnlab.numerics.arrays import Array
from dlnlab.reductions import choice
from dlnlab.training import kernels

__all__ = ["SHOWN", "of_row"]

SHOWN = 10


def of_row(row: Row, reference: Array, seconds: float = 0.5) -> list[tuple[str, float]]:
    """Return the calls of a step, or the functions that take most time, and how long they take.

    Parameters
    ----------
    row : Row
    reference : array
    seconds : float
        How long to run.

    Returns
    -------
    list of (str, float)
        What is called, in the order of a step or with the longest first, and the microseconds that
        a step of one network spends in it.
    """
    part = row.build()[0]
    with threads.limited(1):
        calls, members = _calls(part, reference)
        if calls:
            return _timed(calls, members, seconds)
        return _profiled(part, reference, seconds)


def _calls(part: Workload, reference: Array) -> tuple[Sequence[Callable[[], Any]], int]:
    """Return the calls of a step, and of how many networks; none where steps are not taken so."""
    problem, weights = part.problem(reference), part.start(reference)
    run = choice.choose(problem, weights, LONG)
    rates = [part.eta] * len(weights)
    steps = kernels.Run(run.problem, run.weights, rates, batch=weights[0].shape[:-2])
    return kernels.stepper(steps).calls()


def _timed(
    calls: Sequence[Callable[[], Any]], members: int, seconds: float
) -> list[tuple[str, float]]:
    """Take steps and time each call; what reading the clock takes is taken off."""
    spent, clock, steps = np.zeros(len(calls)), time.perf_counter, 0
    ended = clock() + seconds
    while clock() < ended:
        for k, call in enumerate(calls):
            started = clock()
            call()
            spent[k] += clock() - started
        steps += 1
    idle = min(-clock() + clock() for _ in range(1000))
    return [
        (_told(call), 1e6 * (total / steps - idle) / members)
        for call, total in zip(calls, spent, strict=True)
    ]


def _told(call: Callable[[], Any]) -> str:
    """Return the name of what is called, and the shapes of what it is called with."""
    if not isinstance(call, functools.partial):
        name = call.__name__
        return "gradient of the loss" if name == "<lambda>" else name.strip("_")
    name = getattr(call.func, "__name__", str(call.func)).strip("<>").split()[-1]
    shapes = ["×".join(map(str, x.shape)) for x in call.args if isinstance(x, np.ndarray)]
    return f"{name} {', '.join(shapes)}"


def _profiled(part: Workload, reference: Array, seconds: float) -> list[tuple[str, float]]:
    run = engine_run(part, reference, long_run_formulation(part, reference))
    run(1)
    idle = timing.clock(lambda: run(0))  # the set-up shall not stand out
    steps = timing.calibrate(run, seconds, idle=idle)
    profiler = cProfile.Profile()
    profiler.runcall(run, steps)
    found: Any = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    own = [(_place(*where), 1e6 * entry[2] / steps / part.batch) for where, entry in found.items()]
    return sorted(own, key=lambda one: -one[1])[:SHOWN]


def _place(file: str, line: int, function: str) -> str:
    return function if line == 0 else f"{Path(file).name}:{line} {function}"
