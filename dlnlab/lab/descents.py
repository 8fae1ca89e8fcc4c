"""Gradient descent of both networks, many starts at once, with steps of every stable size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from dlnlab.claims import Premise, eq13
from dlnlab.lab import blocks, reduced
from dlnlab.lab.reduced import BlockRun
from dlnlab.lab.suite import Task

__all__ = ["GROUPS", "Batch", "Descents", "follow", "from_witness", "judge", "premises", "random"]


class Batch(NamedTuple):
    """Starts of one kind that are followed together.

    Attributes
    ----------
    starts : str
        Kind, see `blocks.TURNS`.
    d, depth : int
    spectrum : tuple of float
    ratio : float
        ε^L/σ_r*.
    step : float
        η in units of 2/(L σ_1*^{2−2/L}).
    size, seed : int
        How many starts, and which.
    """

    starts: str
    d: int
    depth: int
    spectrum: tuple[float, ...]
    ratio: float
    step: float
    size: int
    seed: int


GROUPS: tuple[tuple[str, int, int, tuple[float, ...]], ...] = (
    ("haar", 2, 2, (1.0,)),
    ("turned", 2, 2, (1.0,)),
    ("haar", 2, 2, (1.0, 0.9)),
    ("haar", 3, 2, (1.0, 0.6)),
    ("haar", 2, 3, (1.0,)),
    ("turned", 4, 3, (1.0, 0.5)),
    ("haar", 3, 3, (1.0, 0.8, 0.5)),
    ("haar", 4, 4, (1.0, 0.7)),
    ("haar", 2, 5, (1.0, 0.9)),
)
"""Kind of start, d, L and σ*: with a kernel and without one, distinct targets and close ones."""


class Descents(NamedTuple):
    """The runs of both networks, for a batch of starts.

    Attributes
    ----------
    batch : Batch
    run : BlockRun
    """

    batch: Batch
    run: BlockRun

    def witness(self, start: int, record: int) -> dict[str, Any]:
        """Return what is needed to run it again, and which of its starts is meant.

        Parameters
        ----------
        start : int
            Number of the start.
        record : int

        Returns
        -------
        dict
        """
        told = {**self.batch._asdict(), "spectrum": list(self.batch.spectrum)}
        return told | {"start": start, "time": float(self.run.times[record])}


def follow(batch: Batch) -> Descents:
    """Run gradient descent of both networks for a batch of starts.

    Parameters
    ----------
    batch : Batch

    Returns
    -------
    Descents
    """
    eps = (batch.ratio * batch.spectrum[-1]) ** (1 / batch.depth)
    drawn = blocks.draw(
        batch.starts, batch.size, batch.d, batch.spectrum, batch.depth, eps, batch.seed
    )
    return Descents(
        batch, reduced.descend(drawn, batch.step * blocks.stable_step(drawn), batch.seed)
    )


def from_witness(witness: Mapping[str, Any]) -> Descents:
    """Run the batch of a witness again.

    Parameters
    ----------
    witness : mapping
        As `witness` returns it.

    Returns
    -------
    Descents
    """
    told = {name: witness[name] for name in Batch._fields}
    return follow(Batch(**told | {"spectrum": tuple(told["spectrum"])}))


def random(task: Task, low: float, high: float) -> Iterator[Descents]:
    """Draw about `task.count` starts in batches, with steps between two shares of the limit.

    Parameters
    ----------
    task : Task
    low : float
    high : float

    Yields
    ------
    Descents
    """
    rng, share = task.rng, max(1, task.count // len(GROUPS))
    for starts, d, depth, spectrum in GROUPS:
        ratio = float(10 ** rng.uniform(-6 if depth == 2 else -2, -0.1))
        step, seed = float(rng.uniform(low, high)), int(rng.integers(0, 2**31))
        yield follow(Batch(starts, d, depth, spectrum, ratio, step, share, seed))


def premises(found: Descents, limit: float) -> list[list[Premise]]:
    """Return the premises for every start: the step's share, small start, and convergence.

    Parameters
    ----------
    found : Descents
    limit : float
        Largest share of the stable step.

    Returns
    -------
    list[list[Premise]]
    """
    batch = found.batch
    shared = [
        eq13.step_below(batch.step, limit),
        Premise("eps^L <= sigma_r", "every mode starts below its target", 1 - batch.ratio),
    ]
    return [[*shared, _converges(fitted)] for fitted in found.run.converged()]


def _converges(fitted: bool) -> Premise:
    return Premise("converges", "both networks fit the target", 0.0 if fitted else -1.0)


def judge(
    found: Descents, margins: np.ndarray, errors: np.ndarray
) -> Iterator[tuple[int, int, float, float]]:
    """Yield every start with its worst record, and the margin and error there.

    Parameters
    ----------
    found : Descents
    margins, errors : array, shape (records, starts)

    Yields
    ------
    (int, int, float, float)
    """
    for start, record in enumerate(np.argmin(margins + errors, axis=0)):
        k = int(record)
        yield start, k, float(margins[k, start]), float(errors[k, start])
