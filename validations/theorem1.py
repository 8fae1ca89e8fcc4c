"""Theorem 1: gradient descent on full matrices against the recursion of its scalars."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dlnlab import gradient_descent, networks, problems
from dlnlab.claims import Premise, theorem1
from dlnlab.lab import search, strategies
from dlnlab.lab.cases import Case, Frame, random_cases
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally
from dlnlab.reductions import modes

__all__ = [
    "ALPHAS",
    "DECAYS",
    "DIGITS",
    "HUNTED",
    "NUDGE",
    "SHARES",
    "STEPS",
    "SUITE",
    "SpectralDescent",
    "attack",
    "descend",
    "residual_error",
    "step_error",
    "step_next_to",
]

STEPS = 60
SHARES = (0.25, 0.1, 0.4, 0.01)
"""Step sizes in units of the largest stable one; α ≤ 2 keeps below it."""

ALPHAS = (1.0, 2.0, 0.5, 0.1)
DECAYS = (0.0, 0.1, 0.01, 0.5)
"""Weight decay in units of the largest curvature L σ^{2−2/L} at a fitted value."""

DIGITS = 1e-6
"""A run whose rounding may exceed this says nothing: its layers grow by too many powers of ten."""

NUDGE = 1e-6
"""Distance from the fixed point, relative to λ, at which the multiplier is measured."""

HUNTED = st.tuples(
    strategies.cases(),
    st.sampled_from(SHARES),
    st.sampled_from(ALPHAS),
    st.sampled_from(DECAYS),
)


@dataclasses.dataclass(frozen=True)
class SpectralDescent:
    """Gradient descent of one compressed network, and what the recursion says.

    Attributes
    ----------
    start : tuple of arrays
        W̃_1(0), …, W̃_L(0).
    matrices : array, shape (records, d_out, d_in)
    left, right : array, shapes (d_out, r̂), (d_in, r̂)
        U_r̂ and V_r̂.
    values : array, shape (records, r̂)
        From the recursion.
    error : float
        Bound on the rounding of their relative distance.
    """

    start: networks.Weights
    matrices: np.ndarray
    left: np.ndarray
    values: np.ndarray
    right: np.ndarray
    error: float

    @property
    def diagonal(self) -> np.ndarray:
        """u_iᵀ W̃ v_i at every record, shape (records, r̂)."""
        return np.einsum("ik,tij,jk->tk", self.left, self.matrices, self.right)


def descend(case: Case, *, eta: float, alpha: float, weight_decay: float) -> SpectralDescent:
    """Run gradient descent on full matrices, and the recursion.

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
    SpectralDescent
    """
    problem = problems.factorization(case.target)
    start = networks.compressed_weights(problem, case.r_hat, case.depth, case.eps)
    options: dict[str, Any] = {"alpha": alpha, "weight_decay": weight_decay}
    whole: dict[str, Any] = {"record": ("end_to_end",), "formulation": "full"}
    run = gradient_descent(problem, start, eta=eta, num_steps=STEPS, **options, **whole)
    assert run.end_to_end is not None  # asked for
    targets = case.values[: case.r_hat]
    values = modes.descent(targets, case.eps, case.depth, eta, STEPS, **options)
    left, right = start[-1] / case.eps, start[0].T / case.eps
    # the outer layers take steps of αη, so growth per step is bounded with the larger of the two
    largest, dimension = max(alpha, 1.0) * eta, max(case.shape)
    error = theorem1.rounding(
        targets, case.eps, case.depth, largest, STEPS, dimension, weight_decay
    )
    return SpectralDescent(start, run.end_to_end, left, values[: len(run.end_to_end)], right, error)


def attack(tally: Tally, case: Case, share: float, alpha: float, decay: float = 0.0) -> float:
    """Count one run of gradient descent, step by step; return how bad it is.

    Parameters
    ----------
    tally : Tally
        Counts the instances.
    case : Case
    share : float
        Step size as a share of the largest stable one.
    alpha : float
        Factor of the outer layers' step.
    decay : float, optional
        Weight decay as a share of the largest curvature.

    Returns
    -------
    float
        Minus the least margin, −∞ if a premise fails.
    """
    step = theorem1.largest_step(max(case.spectrum[0], case.eps**case.depth), case.depth)
    options = {"eta": share * step, "alpha": alpha, "weight_decay": 2 * decay / step}
    run = descend(case, **options)
    margin = theorem1.margins(run.matrices, run.left, run.values, run.right)
    premises = [
        theorem1.spectral_start(run.start, case.target, case.eps),
        Premise("digits left", "rounding grows to 1e-6 at most", 1 - run.error / DIGITS),
    ]
    told: dict[str, Any] = {"share": share, "steps": STEPS} | options
    finite = len(margin) == STEPS + 1 and bool(np.isfinite(run.values).all())
    worst = float(np.min(margin)) if finite else -np.inf  # one of the two diverged
    tally.add(worst, run.error, premises, lambda: case.witness() | told)
    if alpha == 1.0 and decay == 0.0 and case.r_hat > case.rank and np.isfinite(worst):
        _attack_residual(tally, case, run, premises, told)
    return -worst if all(premise.met for premise in premises) else -np.inf


def _attack_residual(
    tally: Tally, case: Case, run: SpectralDescent, premises: list[Premise], told: dict[str, Any]
) -> None:
    """β(t)^L > 0 and decreasing, as read off the matrices."""
    margin = float(np.min(theorem1.residual_margins(run.diagonal[:, case.rank :])))
    relative = residual_error(case, run)
    premises = [*premises, Premise("beta resolved", "rounding below beta^L", 1 - relative / DIGITS)]
    witness = told | {"part": "beta decreases"}
    tally.add(margin, 2 * relative, premises, lambda: case.witness() | witness)


def residual_error(case: Case, run: SpectralDescent) -> float:
    """Bound the error of β(t)^L, in units of ε^L.

    Parameters
    ----------
    case : Case
    run : SpectralDescent
        Of this case.

    Returns
    -------
    float
    """
    start = case.eps**case.depth
    return run.error * max(case.spectrum[0], start) / start


def step_next_to(case: Case, share: float) -> tuple[networks.Weights, np.ndarray, np.ndarray]:
    """Take one step of descent next to the fixed point.

    Parameters
    ----------
    case : Case
    share : float
        Step size as a share of the largest stable one.

    Returns
    -------
    start : tuple of arrays
    before, after : array, shape (r̂,)
        The singular values σ̃_i.
    """
    problem = problems.factorization(case.target)
    start = networks.compressed_weights(problem, case.r_hat, case.depth, case.eps)
    eta = share * theorem1.largest_step(case.spectrum[0], case.depth)
    whole: dict[str, Any] = {"record": ("end_to_end",), "formulation": "full"}
    run = gradient_descent(problem, start, eta=eta, num_steps=1, **whole)
    assert run.end_to_end is not None  # asked for
    left, right = start[-1] / case.eps, start[0].T / case.eps
    before, after = np.einsum("ik,tij,jk->tk", left, run.end_to_end, right)
    return start, before, after


def step_error(depth: int) -> float:
    """Bound how far the multiplier at a distance NUDGE is from that at the fixed point.

    The recursion is a polynomial of degree 2L − 1: its curvature bends the multiplier by less than
    10 L² times the distance.

    Parameters
    ----------
    depth : int
        Depth L.

    Returns
    -------
    float
    """
    return 10 * depth**2 * NUDGE


def _attack_step_size(tally: Tally, rng: np.random.Generator) -> None:
    """Count one step of full gradient descent next to σ*, below or above the largest stable one."""
    size, depth = int(rng.integers(1, 5)), int(rng.integers(2, 7))
    sigma, share = float(10.0 ** rng.uniform(-1, 1)), float(rng.uniform(0.05, 1.5))
    frames = [Frame(size, (), int(seed)) for seed in rng.integers(0, 2**31, 2)]
    eps = sigma ** (1 / depth) * (1 + NUDGE)
    case = Case(frames[0], (sigma,) * size, frames[1], depth, eps, size)
    start, before, after = step_next_to(case, share)
    margin = theorem1.multiplier_margins(before, after, np.full(size, sigma), np.full(size, share))
    told = {"part": "step size", "share": share}
    premises = [theorem1.spectral_start(start, case.target, eps)]
    tally.add(float(np.min(margin)), step_error(depth), premises, lambda: case.witness() | told)


def _random(tally: Tally, task: Task) -> None:
    """Gradient descent on full matrices, including rectangular ones and r̂ < r, with random α, step
    sizes and weight decay, compared with the recursion step by step.
    """
    rng = task.rng
    for _ in range(task.count):
        shape = (int(rng.integers(1, 7)), int(rng.integers(1, 7)))
        depth, eps = int(rng.integers(2, 7)), float(rng.uniform(0.1, 1.2))
        case = random_cases(rng, 1, shape, depth, eps, enough_rank=False)[0]
        share, alpha = float(rng.uniform(0.01, 0.4)), float(rng.choice(ALPHAS))
        scaled = float(10.0 ** rng.integers(-2, 3))
        spectrum = tuple(scaled * value for value in case.spectrum)
        eps *= scaled ** (1 / depth)
        decay = float(rng.choice(DECAYS))
        attack(tally, dataclasses.replace(case, spectrum=spectrum, eps=eps), share, alpha, decay)


def _step_sizes(tally: Tally, task: Task) -> None:
    """One step of full gradient descent next to its fixed point, below and above the step size at
    which it becomes unstable.
    """
    rng = task.rng
    for _ in range(task.count):
        _attack_step_size(tally, rng)


def _climb(tally: Tally, task: Task) -> None:
    """A search for the largest deviation, with tiny, huge and repeated singular values."""
    search.climb(
        HUNTED, lambda example: attack(tally, *example), examples=task.count, seed=task.seed
    )


SUITE = Suite(
    theorem1.CLAIM,
    {
        "random": Part(_random),
        "step sizes": Part(_step_sizes),
        "climb": Part(_climb, most=500, search=True),
    },
)


def test_theorem1() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
