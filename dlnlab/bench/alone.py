"""Steps on one thread, in the processor's own time, beside what of them no engine could save.

On a machine that others use the time on the clock says more of them than of the engine; the time
of the processor changes by a few per cent.  What cannot be saved is the products of matrices, of
the sizes that the step has and by the BLAS that it has, and reading an ensemble once.  All threads
of the reference count, and those that wait for work too: JAX has one thread where there is one core
(``taskset -c 0``).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dlnlab.bench import timing
from dlnlab.bench.literal import LiteralLoop
from dlnlab.bench.rows import ROWS
from dlnlab.bench.timing import Sample
from dlnlab.bench.workloads import Workload
from dlnlab.numerics import threads
from dlnlab.training import kernels

__all__ = ["ALONE", "AloneRow", "measure"]

ALONE = (
    "completion-wide",
    "completion-compressed",
    "movielens",
    "sensing-wide",
    "sensing-compressed",
)
"""Rows that no reduction helps."""


@dataclass(frozen=True)
class AloneRow:
    """A measured row; times are microseconds of the processor per step.

    Attributes
    ----------
    row : str
    engine : Sample
    least : Sample or None
        What cannot be saved, if it is one thing.
    least_name : {"products", "reading", "–"}
    reference : Sample
    ratio : Sample
        Of the reference's time to the engine's.
    """

    row: str
    engine: Sample
    least: Sample | None
    least_name: str
    reference: Sample
    ratio: Sample

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data.

        Returns
        -------
        dict
        """
        return asdict(self)


def measure(
    name: str,
    loop: Callable[[Workload], LiteralLoop],
    seconds: float = 0.1,
    repeats: int = 15,
) -> AloneRow:
    """Time a row in turns with what it is compared with.

    Parameters
    ----------
    name : str
        Of a row with one network that runs as it is.
    loop : callable
        Makes the reference loop of an instance.
    seconds : float
        Of one timed run.
    repeats : int
        Turns.

    Returns
    -------
    AloneRow
    """
    (part,) = ROWS[name].build()
    host = np.empty(0)
    problem, weights = part.problem(host), part.start(host)
    stepper = kernels.stepper(kernels.Run(problem, weights, [part.eta] * len(weights)))
    least, least_name = _least(part, stepper)
    runs = [stepper.advance, loop(part).run, *([] if least is None else [least])]
    with threads.limited(1):
        for run in runs:
            run(1)  # compiles
        counts = [timing.calibrate(run, seconds) for run in runs]
        times = np.array(
            [
                [_spent(run, count) for run, count in zip(runs, counts, strict=True)]
                for _ in range(repeats)
            ]
        ).T
    return AloneRow(
        row=name,
        engine=Sample.of(times[0]),
        least=None if least is None else Sample.of(times[2]),
        least_name=least_name,
        reference=Sample.of(times[1]),
        ratio=Sample.of(times[1] / times[0]),
    )


def _spent(run: Callable[[int], Any], count: int) -> float:
    """Return the microseconds of the processor for a step."""
    return 1e6 * max(timing.spent(functools.partial(run, count)), 1e-9) / count


def _least(part: Workload, stepper: Any) -> tuple[Callable[[int], None] | None, str]:
    """Return what does only that part of so many steps which cannot be saved, and its name."""
    if part.kind == "sensing":
        flat = part.data["A"].reshape(-1)
        x, y = flat[: flat.size // 2], flat[flat.size // 2 :]
        return _repeated([functools.partial(np.dot, x, y)]), "reading"
    calls, _ = stepper.calls()
    products = [
        call for call in calls if isinstance(call, functools.partial) and "gemm" in str(call.func)
    ]
    return (_repeated(products), "products") if products else (None, "–")


def _repeated(calls: Sequence[Callable[[], Any]]) -> Callable[[int], None]:
    return lambda count: kernels.repeat([list(calls)], count)
