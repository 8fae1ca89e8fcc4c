"""Theorem 1: gradient descent on full matrices against the recursion of its scalars."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dlnlab import gradient_descent, modes, networks, problems
from dlnlab.claims import Premise, theorem1

from . import hunting, strategies
from .cases import Case, Frame, random_cases
from .suite import Part, Suite, Task
from .tally import Tally

__all__ = ["SUITE", "attack", "attack_step_size"]

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


def attack(tally: Tally, case: Case, share: float, alpha: float, decay: float = 0.0) -> float:
    """Count one run of gradient descent, step by step; return how bad it is."""
    problem = problems.factorization(case.target)
    start = networks.compressed_weights(problem, case.r_hat, case.depth, case.eps)
    largest = max(case.spectrum[0], case.eps**case.depth)
    step = theorem1.largest_step(largest, case.depth)
    eta, mu = share * step, 2 * decay / step
    options: dict[str, Any] = {"eta": eta, "alpha": alpha, "weight_decay": mu}
    run = gradient_descent(problem, start, num_steps=STEPS, record=("end_to_end",), **options)
    assert run.end_to_end is not None  # asked for
    targets = case.values[: case.r_hat]
    values = modes.descent(targets, case.eps, case.depth, eta, STEPS, alpha=alpha, weight_decay=mu)
    left, right = start[-1] / case.eps, start[0].T / case.eps
    recorded = len(run.end_to_end)
    margin = theorem1.margins(run.end_to_end, left, values[:recorded], right)
    # the outer layers take steps of αη, so growth per step is bounded with the larger of the two
    error = theorem1.rounding(
        targets, case.eps, case.depth, max(alpha, 1.0) * eta, STEPS, max(case.shape), mu
    )
    premises = [
        theorem1.spectral_start(start, case.target, case.eps),
        Premise("digits left", "rounding grows to 1e-6 at most", 1 - error / DIGITS),
    ]
    told: dict[str, Any] = {"share": share, "steps": STEPS} | options
    finite = recorded == STEPS + 1 and bool(np.isfinite(values).all())
    worst = float(np.min(margin)) if finite else -np.inf  # one of the two diverged
    tally.add(worst, error, premises, lambda: case.witness() | told)
    if alpha == 1.0 and mu == 0.0 and case.r_hat > case.rank and np.isfinite(worst):
        _attack_residual(tally, case, run.end_to_end, left, right, premises, error * largest)
    return -worst if all(premise.met for premise in premises) else -np.inf


def _attack_residual(
    tally: Tally,
    case: Case,
    matrices: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    premises: list[Premise],
    error: float,
) -> None:
    """β(t)^L > 0 and decreasing, as read off the matrices."""
    diagonal = np.einsum("ik,tij,jk->tk", left, matrices, right)[:, case.rank :]
    margin = float(np.min(theorem1.residual_margins(diagonal)))
    told = {"part": "beta decreases"}
    relative = error / case.eps**case.depth
    premises = [*premises, Premise("beta resolved", "rounding below beta^L", 1 - relative / DIGITS)]
    tally.add(margin, 2 * relative, premises, lambda: case.witness() | told)


def attack_step_size(tally: Tally, rng: np.random.Generator) -> None:
    """Count one step of full gradient descent next to σ*, below or above the largest stable one."""
    size, depth = int(rng.integers(1, 5)), int(rng.integers(2, 7))
    sigma, share = float(10.0 ** rng.uniform(-1, 1)), float(rng.uniform(0.05, 1.5))
    frames = [Frame(size, (), int(seed)) for seed in rng.integers(0, 2**31, 2)]
    eps = sigma ** (1 / depth) * (1 + NUDGE)
    case = Case(frames[0], (sigma,) * size, frames[1], depth, eps, size)
    problem = problems.factorization(case.target)
    start = networks.compressed_weights(problem, size, depth, eps)
    run = gradient_descent(
        problem,
        start,
        eta=share * theorem1.largest_step(sigma, depth),
        num_steps=1,
        record=("end_to_end",),
    )
    assert run.end_to_end is not None  # asked for
    left, right = start[-1] / eps, start[0].T / eps
    before, after = np.einsum("ik,tij,jk->tk", left, run.end_to_end, right)
    margin = theorem1.multiplier_margins(before, after, np.full(size, sigma), np.full(size, share))
    # the recursion is a polynomial of degree 2L − 1: its curvature bends the multiplier by less
    # than 10 L² times the distance from the fixed point
    told = {"part": "step size", "share": share}
    premises = [theorem1.spectral_start(start, case.target, eps)]
    tally.add(float(np.min(margin)), 10 * depth**2 * NUDGE, premises, lambda: case.witness() | told)


def _random(tally: Tally, task: Task) -> None:
    """Gradient descent on full matrices, rectangular ones and r̂ < r among them, with random α,
    step sizes and weight decay, step by step against the recursion.
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
        attack_step_size(tally, rng)


def _climb(tally: Tally, task: Task) -> None:
    """A search for the largest deviation, with tiny, huge and repeated singular values."""
    hunting.climb(
        HUNTED, lambda example: attack(tally, *example), examples=task.count, seed=task.seed
    )


SUITE = Suite(
    "theorem1",
    theorem1.STATEMENT,
    {
        "random": Part(_random),
        "step sizes": Part(_step_sizes),
        "climb": Part(_climb, most=500, search=True),
    },
)


def test_theorem1() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == "tested", verdict
