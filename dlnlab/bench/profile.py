"""Where the time of a step goes: Python's profiler on a run of the engine.

Operators such as ``@`` are no function calls, so the time of a matrix product is that of the
function it stands in.  The set-up and the records of the run are in it.
"""

from __future__ import annotations

import cProfile
import pstats
from pathlib import Path
from typing import Any

from dlnlab import threads
from dlnlab.arrays import Array
from dlnlab.bench import timing
from dlnlab.bench.measurement import engine_run, long_run_formulation
from dlnlab.bench.rows import Row

__all__ = ["of_row"]

SHOWN = 10


def of_row(row: Row, reference: Array, seconds: float = 0.5) -> list[tuple[str, float]]:
    """Return the functions that take most time, with their own microseconds per step.

    Parameters
    ----------
    row : Row
    reference : array
    seconds : float
        How long to run.
    """
    part = row.build()[0]
    run = engine_run(part, reference, long_run_formulation(part, reference))
    with threads.limited(1):
        run(1)
        steps = timing.calibrate(run, seconds)
        profiler = cProfile.Profile()
        profiler.runcall(run, steps)
    found: Any = pstats.Stats(profiler).stats  # type: ignore[attr-defined]
    own = [(_place(*where), 1e6 * entry[2] / steps) for where, entry in found.items()]
    return sorted(own, key=lambda one: -one[1])[:SHOWN]


def _place(file: str, line: int, function: str) -> str:
    return function if line == 0 else f"{Path(file).name}:{line} {function}"
