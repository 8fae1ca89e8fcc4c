"""Parsimony: gradient descent of the full wide network against its exact reduction."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st

from dlnlab import gradient_descent, problems
from dlnlab import parsimony as reductions
from dlnlab.claims import Premise, parsimony, theorem1

from . import hunting, strategies
from .cases import EPS, Case, random_cases
from .suite import Part, Suite, Task
from .tally import Tally

__all__ = ["SUITE", "attack"]

STEPS = 40
SHARE = 0.3
DIGITS = 1e-6
SHAPES: tuple[tuple[tuple[int, int], int | None], ...] = (
    ((8, 8), None),
    ((9, 9), None),
    ((4, 4), None),
    ((9, 6), None),
    ((6, 9), None),
    ((7, 9), 7),
)
"""Shapes with hidden widths: room for 2r directions and none, and semi-orthogonal layers."""

DECAYS = (0.0, 0.1, 0.5)
"""Weight decay in units of the largest curvature L σ^{2−2/L} at a fitted value."""

HUNTED = st.tuples(
    strategies.cases(smallest=2, largest=4, depths=(2, 4), scales=(0.5, 0.2, 1.0, 0.1)),
    st.sampled_from((1.0, 0.5)),
    st.sampled_from(DECAYS),
)


def attack(tally: Tally, case: Case, alpha: float = 1.0, decay: float = 0.0) -> float:
    """Count one run, judged by its worst layer and step; return how bad it is."""
    problem, weights = problems.factorization(case.target), case.weights()
    reduction = reductions.reduce(problem, weights)
    largest = max(case.spectrum[0], case.eps**case.depth)
    step = theorem1.largest_step(largest, case.depth)
    eta, mu = SHARE * step, 2 * decay / step
    options: dict[str, Any] = {
        "eta": eta,
        "alpha": alpha,
        "weight_decay": mu,
        "num_steps": STEPS,
        "record": ("layers",),
    }
    full = gradient_descent(problem, weights, **options).layers
    small = gradient_descent(reduction.problem, reduction.weights, **options).layers
    assert full is not None  # asked for
    assert small is not None
    told = {"alpha": alpha, "eta": eta, "weight_decay": mu, "steps": STEPS}
    told |= {"multiplicity": reduction.multiplicity}
    # no value of the wide network runs ahead of the compressed one's, and neither does the growth
    # of its perturbations; the frames of the reduction are off by as much as a layer is wide
    error = theorem1.rounding(
        case.values, case.eps, case.depth, max(alpha, 1.0) * eta, STEPS, 4 * max(case.shape), mu
    )
    premises = [Premise("digits left", "rounding grows to 1e-6 at most", 1 - error / DIGITS)]
    margin = parsimony.margins(full, reduction.lift(small))
    tally.add(margin, error, premises, lambda: case.witness() | told)
    if reduction.multiplicity:
        scalars = np.stack([W[:, -1, -1] for W in small], axis=1)
        steps = np.full(case.depth, eta)
        steps[[0, -1]] *= alpha
        found = parsimony.scalar_margins(scalars, steps, mu)
        # one step of the last coordinate is L products and a difference
        tally.add(
            found,
            10 * case.depth * EPS,
            premises,
            lambda: case.witness() | told | {"part": "residual scalar"},
        )
    return -margin


def _random(tally: Tally, task: Task) -> None:
    """Gradient descent of the full network against its reduction, square and rectangular, with
    random α and weight decay, layer by layer and step by step.
    """
    rng = task.rng
    for k in range(task.count):
        shape, width = SHAPES[k % len(SHAPES)]
        depth, eps = int(rng.integers(2, 6)), float(rng.uniform(0.2, 1.1))
        case = random_cases(rng, 1, shape, depth, eps, width=width)[0]
        attack(tally, case, float(rng.choice((1.0, 0.5, 2.0))), float(rng.choice(DECAYS)))


def _climb(tally: Tally, task: Task) -> None:
    """A search for the largest deviation, with tiny, huge and repeated singular values."""
    hunting.climb(HUNTED, lambda drawn: attack(tally, *drawn), examples=task.count, seed=task.seed)


SUITE = Suite(
    "parsimony",
    parsimony.STATEMENT,
    {"random": Part(_random), "climb": Part(_climb, most=500, search=True)},
)


def test_parsimony() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == "tested", verdict
