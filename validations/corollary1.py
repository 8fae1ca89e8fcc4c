"""Corollary 1: the two starts, for every ε and r̂, and the exact difference of their errors."""

from __future__ import annotations

import numpy as np

from dlnlab import networks, problems, spectra
from dlnlab.claims import Verdict, corollary1, dominance, theorem2

from . import hunting, strategies
from .campaign import Profile, Tally, as_profile
from .cases import EPS, Case, aligned_case, random_cases

__all__ = ["attack", "validate"]

HUNTED = strategies.cases(square=True)


def attack(tally: Tally, case: Case) -> float:
    """Count one case; return how bad it is."""
    problem = problems.factorization(case.target)
    start = case.eps**case.depth
    wide = networks.end_to_end(case.weights())
    narrow = networks.end_to_end(
        networks.compressed_weights(problem, case.r_hat, case.depth, case.eps)
    )
    rounding = corollary1.rounding(case.shape[0], case.depth)
    premises = [
        theorem2.enough_rank(case.r_hat, case.rank),
        dominance.same_start(
            spectra.singular_values(wide), start, 100 * case.depth * case.shape[0] * EPS
        ),
    ]
    margin = float(corollary1.margins(case.target, wide, narrow, start, case.r_hat))
    tally.add(margin, rounding, premises, case.witness)
    return -float(corollary1.excess(case.target, wide, narrow, start, case.r_hat))


def validate(profile: Profile | str = "ci", seed: int = 0) -> Verdict:
    """Return the verdict on Corollary 1.

    Parameters
    ----------
    profile : Profile or str
    seed : int
    """
    size, rng = as_profile(profile), np.random.default_rng(seed)
    tally = Tally("corollary1", corollary1.STATEMENT)
    for _ in range(size.batch):
        n, depth = int(rng.integers(1, 8)), int(rng.integers(2, 7))
        eps = float(10.0 ** rng.uniform(-3, 1))
        for case in random_cases(rng, 1, (n, n), depth, eps, low=1e-3, enough_rank=False):
            attack(tally, case)
        attack(tally, aligned_case(rng, n, depth, eps))  # where the difference is smallest
    hunting.climb(HUNTED, lambda case: attack(tally, case), examples=4 * size.examples, seed=seed)
    return tally.verdict()


def test_corollary1() -> None:
    verdict = validate("ci")
    assert verdict.status == "tested", verdict
