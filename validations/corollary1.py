"""Corollary 1: the two starts, for every ε and r̂, and the exact difference of their errors."""

from __future__ import annotations

from dlnlab import networks, problems
from dlnlab.claims import corollary1, dominance, theorem2
from dlnlab.lab import search, strategies
from dlnlab.lab.cases import EPS, Case, aligned_case, random_cases
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally
from dlnlab.numerics import spectra

__all__ = ["HUNTED", "SUITE"]

HUNTED = strategies.cases(square=True)


def _attack(tally: Tally, case: Case) -> float:
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


def _random(tally: Tally, task: Task) -> None:
    """Random targets and starts with ε from 1e-3 to 10 and any r̂, each with an aligned start, where
    the gap is smallest.
    """
    rng = task.rng
    for _ in range(task.count):
        n, depth = int(rng.integers(1, 8)), int(rng.integers(2, 7))
        eps = float(10.0 ** rng.uniform(-3, 1))
        _attack(tally, random_cases(rng, 1, (n, n), depth, eps, low=1e-3, enough_rank=False)[0])
        _attack(tally, aligned_case(rng, n, depth, eps))  # where the difference is smallest


def _climb(tally: Tally, task: Task) -> None:
    """A search for the smallest excess over (d − r̂)ε^{2L}, with tiny, huge and repeated values."""
    search.climb(HUNTED, lambda case: _attack(tally, case), examples=task.count, seed=task.seed)


SUITE = Suite(
    corollary1.CLAIM,
    {"random": Part(_random), "climb": Part(_climb, share=4.0, most=2_000, search=True)},
)


def test_corollary1() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
