"""Parsimony: gradient descent of the full wide network against its exact reduction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dlnlab import gradient_descent, networks, problems
from dlnlab.claims import Premise, parsimony, theorem1
from dlnlab.lab import search, strategies
from dlnlab.lab.cases import EPS, Case, random_cases
from dlnlab.lab.observed import shaken
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally
from dlnlab.reductions import parsimony as reductions

__all__ = [
    "AMPLIFIED",
    "DECAYS",
    "DIGITS",
    "FEW",
    "HUNTED",
    "SHAPES",
    "SHARE",
    "STEPS",
    "SUITE",
    "ReducedDescents",
    "descend",
    "scalar_error",
]

STEPS = 40
SHARE = 0.3
DIGITS = 1e-6
FEW = 5
"""Roundings of its largest entry by which every entry of a layer is perturbed."""

AMPLIFIED = 10.0
"""How much worse than one random perturbation of the start all roundings of a run may be: a random
direction has a share of about 1/√(d²) ≥ 1/9 in the one that grows most, and later roundings grow
for a shorter time than the first."""

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


@dataclass(frozen=True)
class ReducedDescents:
    """Gradient descent of one wide network, in full and reduced.

    Attributes
    ----------
    full, lifted : tuple of arrays, shape (records, d_l, d_{l−1})
        The layers of the full network, and those of the reduced one brought to its size.
    scalars : array, shape (records, L)
        ρ_l of the reduced network.
    steps : array, shape (L,)
        η_l.
    multiplicity : int
        How many directions the scalars stand for.
    error : float
        Bound on the rounding of the layers' relative distance.
    """

    full: networks.Weights
    lifted: networks.Weights
    scalars: np.ndarray
    steps: np.ndarray
    multiplicity: int
    error: float


def descend(case: Case, *, eta: float, alpha: float, weight_decay: float) -> ReducedDescents:
    """Run gradient descent of the full network and of its reduction.

    Parameters
    ----------
    case : Case
    eta : float
        Step size of the inner layers.
    alpha : float
        Factor of the outer layers' step.
    weight_decay : float

    Returns
    -------
    ReducedDescents
    """
    problem, weights = problems.factorization(case.target), case.weights()
    reduction = reductions.reduce(problem, weights)
    options: dict[str, Any] = {"eta": eta, "alpha": alpha, "weight_decay": weight_decay}
    options |= {"num_steps": STEPS, "record": ("layers",)}
    full = gradient_descent(problem, weights, formulation="full", **options).layers
    small = gradient_descent(reduction.problem, reduction.weights, **options).layers
    assert full is not None  # asked for
    assert small is not None
    # the frames of the reduction are off by as much as a layer is wide
    largest, width = max(alpha, 1.0) * eta, 4 * max(case.shape)
    error = theorem1.rounding(
        case.values, case.eps, case.depth, largest, STEPS, width, weight_decay
    )
    if not reduction.multiplicity:
        # that is for a network that fits at once; one that passes saddles amplifies for longer
        nudged = shaken(reduction.weights, np.random.default_rng(0), FEW * EPS)
        beside = gradient_descent(reduction.problem, nudged, **options).layers
        assert beside is not None
        error = max(error, AMPLIFIED * -parsimony.margins(small, beside))
    scalars = np.stack([W[:, -1, -1] for W in small], axis=1)
    steps = np.full(case.depth, eta)
    steps[[0, -1]] *= alpha
    return ReducedDescents(
        full, reduction.lift(small), scalars, steps, reduction.multiplicity, error
    )


def _attack(tally: Tally, case: Case, alpha: float = 1.0, decay: float = 0.0) -> float:
    """Count one run, judged by its worst layer and step; return how bad it is."""
    step = theorem1.largest_step(max(case.spectrum[0], case.eps**case.depth), case.depth)
    options = {"alpha": alpha, "eta": SHARE * step, "weight_decay": 2 * decay / step}
    run = descend(case, **options)
    told: dict[str, Any] = options | {"steps": STEPS, "multiplicity": run.multiplicity}
    premises = [Premise("digits left", "rounding grows to 1e-6 at most", 1 - run.error / DIGITS)]
    margin = parsimony.margins(run.full, run.lifted)
    tally.add(margin, run.error, premises, lambda: case.witness() | told)
    if run.multiplicity:
        tally.add(
            parsimony.scalar_margins(run.scalars, run.steps, options["weight_decay"]),
            scalar_error(case.depth),
            premises,
            lambda: case.witness() | told | {"part": "residual scalar"},
        )
    return -margin


def scalar_error(depth: int) -> float:
    """Bound the rounding of one step of ρ_l, which is L products and a difference.

    Parameters
    ----------
    depth : int
        Depth L.

    Returns
    -------
    float
    """
    return 10 * depth * EPS


def _random(tally: Tally, task: Task) -> None:
    """Gradient descent of the full network against its reduction, square and rectangular, with
    random α and weight decay, layer by layer and step by step.
    """
    rng = task.rng
    for k in range(task.count):
        shape, width = SHAPES[k % len(SHAPES)]
        depth, eps = int(rng.integers(2, 6)), float(rng.uniform(0.2, 1.1))
        case = random_cases(rng, 1, shape, depth, eps, width=width)[0]
        _attack(tally, case, float(rng.choice((1.0, 0.5, 2.0))), float(rng.choice(DECAYS)))


def _climb(tally: Tally, task: Task) -> None:
    """A search for the largest deviation, with tiny, huge and repeated singular values."""
    search.climb(HUNTED, lambda drawn: _attack(tally, *drawn), examples=task.count, seed=task.seed)


SUITE = Suite(
    parsimony.CLAIM,
    {"random": Part(_random), "climb": Part(_climb, most=500, search=True)},
)


def test_parsimony() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
