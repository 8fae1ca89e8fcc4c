"""Theorem 2 for every ε: the sharp form with one β^{2L} more for every target below ε^L."""

from __future__ import annotations

from dlnlab.claims import eq13, theorem2
from dlnlab.lab import pairs
from dlnlab.lab.cases import Case
from dlnlab.lab.suite import Part, Suite

from .dominance import HUNTED

__all__ = [
    "QUESTION",
    "SUITE",
    "spare",
]


def spare(case: Case) -> int:
    """Return r̂ + k − max(r, d − r), the multiple of β^{2L} for any ε.

    Parameters
    ----------
    case : Case

    Returns
    -------
    int
    """
    below = theorem2.below_start(case.values[: case.rank], case.eps**case.depth)
    return theorem2.allowance(case.r_hat, case.rank, min(case.shape)) + below


QUESTION = pairs.question(
    theorem2.ANY_EPS_CLAIM,
    pairs.inequality(spare),
    pairs.balanced,
    pairs.same_start,
    pairs.enough_rank,
    pairs.dominated,
)
"""ε is free."""

SUITE = Suite(
    theorem2.ANY_EPS_CLAIM,
    {
        "large start": pairs.large_start(QUESTION, eq13.LARGE_START),
        "large starts": Part(pairs.random(QUESTION, groups=pairs.LARGE_STARTS), share=0.25),
        "random": Part(pairs.random(QUESTION), share=0.1),
        "climb": Part(pairs.climb(QUESTION, HUNTED), share=0.5, most=500, search=True),
    },
)


def test_theorem2_any_eps() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
