"""Gradients: the chain rule by hand against the slope of the loss along a line, found exactly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dlnlab import networks, problems
from dlnlab.claims import gradients
from dlnlab.lab import search, strategies
from dlnlab.lab.recoveries import KINDS, Recovery, random_recovery
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["SMALL", "SUITE", "LineThrough", "Slopes", "compare"]

SMALL = (-2, -1, 0, 1, 2)


@dataclass(frozen=True)
class LineThrough:
    """A problem, and a line W + hD through the weights of a network.

    Attributes
    ----------
    recovery : Recovery
    start, direction : tuple of L tables, or int
        W and D with small integers, or the seed of Gaussian ones.
    width : tuple of int
        Hidden widths.
    """

    recovery: Recovery
    start: Any
    direction: Any
    width: tuple[int, ...]

    def weights(self) -> networks.Weights:
        """Return the layers W through which the line passes.

        Returns
        -------
        tuple of arrays
        """
        return self._matrices(self.start)

    def move(self) -> networks.Weights:
        """Return the direction D of the line, layer by layer.

        Returns
        -------
        tuple of arrays
        """
        return self._matrices(self.direction)

    def _matrices(self, told: Any) -> networks.Weights:
        d_out, d_in = self.recovery.shape
        if not isinstance(told, int):
            return tuple(np.asarray(table, dtype=float) for table in told)
        rng = np.random.default_rng(told)
        sides = pairwise((d_in, *self.width, d_out))
        return tuple(rng.standard_normal((b, a)) / max(a, b) ** 0.5 for a, b in sides)

    def witness(self) -> dict[str, Any]:
        """Return everything that is needed to build the line again.

        Returns
        -------
        dict
        """
        told = {"width": list(self.width), "start": self.start, "direction": self.direction}
        return self.recovery.witness() | told

    @classmethod
    def from_witness(cls, witness: Mapping[str, Any]) -> LineThrough:
        """Build a line again from its witness.

        Parameters
        ----------
        witness : mapping
            What `witness` returned; further keys do not matter.

        Returns
        -------
        LineThrough
        """
        start, direction = (_told(witness[name]) for name in ("start", "direction"))
        return cls(Recovery.from_witness(witness), start, direction, tuple(witness["width"]))


def _told(readable: Any) -> Any:
    """A seed, or the tables of integers of all layers."""
    if isinstance(readable, int):
        return readable
    return tuple(tuple(tuple(row) for row in table) for table in readable)


@dataclass(frozen=True)
class Slopes:
    """The slope of the loss along a line.

    Attributes
    ----------
    measured, predicted : float
        From values of the loss, and by the chain rule.
    margin, error : float
        NaN on a line within the solutions, where there is no loss to compare with.
    """

    measured: float
    predicted: float
    margin: float
    error: float


def compare(line: LineThrough, move: networks.Weights) -> Slopes:
    """Return the slope along the line through the start of `line` in the direction `move`.

    Parameters
    ----------
    line : LineThrough
    move : tuple of arrays
        The direction, of the shapes of the layers.

    Returns
    -------
    Slopes
    """
    problem, weights = line.recovery.problem(), line.weights()
    prefixes, W = networks.forward(problem, weights)  # as descent does
    found = networks.backward(weights, prefixes, problem.gradient(W))
    predicted = sum(float(np.sum(g * D)) for g, D in zip(found, move, strict=True))
    steps, _ = gradients.nodes(len(weights))
    ahead, behind = (
        np.array([_loss(problem, _moved(weights, move, sign * h)) for h in steps])
        for sign in (1, -1)
    )
    if not (ahead.any() or behind.any()):
        return Slopes(0.0, predicted, np.nan, np.nan)
    measured = gradients.slope(ahead, behind, len(weights))
    margin = gradients.margins(predicted, ahead, behind)
    error = gradients.rounding(ahead, behind, _absolute(line, weights, move), _operations(line))
    return Slopes(measured, predicted, margin, error)


def _attack(tally: Tally, line: LineThrough) -> float:
    """Count one line, unless it lies within the solutions; return how bad it is."""
    found = compare(line, line.move())
    if np.isnan(found.error):
        return -np.inf
    tally.add(found.margin, found.error, [], line.witness)
    return -found.margin


def _moved(weights: networks.Weights, move: networks.Weights, h: float) -> networks.Weights:
    """W + hD."""
    return tuple(W + h * D for W, D in zip(weights, move, strict=True))


def _loss(problem: problems.Problem, weights: networks.Weights) -> float:
    return float(problem.loss(networks.forward(problem, weights)[1]))


def _absolute(line: LineThrough, weights: networks.Weights, move: networks.Weights) -> float:
    """P(1) of `gradients.rounding`, from the definition of the loss."""
    A, _, c = line.recovery.measurements()
    reach = _moved(tuple(map(np.abs, weights)), tuple(map(np.abs, move)), 1.0)
    size = networks.end_to_end(reach)
    # y_i = ⟨A_i, M*⟩ is itself computed, by the library in another order
    entries = size + np.abs(line.recovery.target)
    return float(0.5 * c * np.sum(np.einsum("mpq,pq->m", np.abs(A), entries) ** 2))


def _operations(line: LineThrough) -> int:
    """Units of rounding behind a loss: the sums behind a residual, its square, their sum."""
    A, _, _ = line.recovery.measurements()
    return 4 * (sum(line.width) + sum(line.recovery.shape) + A[0].size + len(A) + 8)


@st.composite
def _lines(draw: Any) -> LineThrough:
    """Draw a line with small integers."""
    recovery = draw(strategies.recoveries(values=(1.0, 0.5, 2.0, 10.0)))
    width = draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    sides = list(pairwise((recovery.shape[1], *width, recovery.shape[0])))
    tables = [st.tuples(*[st.tuples(*[st.sampled_from(SMALL)] * a)] * b) for a, b in sides]
    return LineThrough(recovery, draw(st.tuples(*tables)), draw(st.tuples(*tables)), tuple(width))


def _random_line(rng: np.random.Generator, kind: str) -> LineThrough:
    shape = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    width = tuple(rng.integers(1, 6, int(rng.integers(1, 6))).tolist())
    seeds = [int(n) for n in rng.integers(0, 2**31, 2)]
    return LineThrough(random_recovery(rng, kind, shape), seeds[0], seeds[1], width)


def _random(tally: Tally, task: Task) -> None:
    """Lines through random weights of random widths, two to six layers, every kind of problem."""
    rng = task.rng
    for number in range(task.count):
        _attack(tally, _random_line(rng, KINDS[number % len(KINDS)]))


def _climb(tally: Tally, task: Task) -> None:
    """A search for the largest deviation, over problems with integer weights and directions."""
    search.climb(_lines(), lambda line: _attack(tally, line), examples=task.count, seed=task.seed)


SUITE = Suite(
    gradients.CLAIM,
    {"random": Part(_random), "climb": Part(_climb, share=4.0, most=500, search=True)},
)


def test_gradients() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
