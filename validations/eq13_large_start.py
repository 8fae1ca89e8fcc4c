"""Eq. (13) for r̂ = r and starts of any size: refuted for ε^L > σ_r*."""

from __future__ import annotations

from dlnlab.claims import Premise, eq13
from dlnlab.lab import pairs
from dlnlab.lab.dynamics import Sighting
from dlnlab.lab.suite import Part, Suite

__all__ = ["QUESTION", "SUITE"]


def _no_spare(sighting: Sighting) -> Premise:
    """Measure the premise r̂ = r."""
    case = sighting[0].case
    return eq13.no_spare(case.r_hat, case.rank)


QUESTION = pairs.question(
    eq13.LARGE_START,
    pairs.inequality(),
    pairs.balanced,
    pairs.same_start,
    pairs.enough_rank,
    _no_spare,
)

SUITE = Suite(
    eq13.LARGE_START,
    {
        "registered": pairs.registered(eq13.LARGE_START, QUESTION),
        "large starts": Part(
            pairs.random(QUESTION, no_spare=True, groups=pairs.LARGE_STARTS), share=0.5
        ),
        "climb": Part(pairs.climb(QUESTION), share=0.5, most=500, search=True),
    },
)


def test_eq13_large_start() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.contradicted, verdict
