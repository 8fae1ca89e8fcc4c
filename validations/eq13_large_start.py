"""Eq. (13) for r̂ = r and starts of any size: refuted for ε^L > σ_r*."""

from __future__ import annotations

from collections.abc import Sequence

from dlnlab.claims import Premise, eq13
from dlnlab.lab import inequality
from dlnlab.lab.flows import FlowPair
from dlnlab.lab.suite import Part, Suite

__all__ = ["SUITE", "premises"]


def premises(pair: FlowPair) -> Sequence[Premise]:
    """Return the premises, r̂ = r among them."""
    case = pair.case
    return [
        *inequality.names("balanced", "same_start", "enough_rank")(pair),
        eq13.no_spare(case.r_hat, case.rank),
    ]


SUITE = Suite(
    eq13.LARGE_START,
    {
        "registered": inequality.registered(eq13.LARGE_START, premises),
        "large starts": Part(
            inequality.random(premises, no_spare=True, groups=inequality.LARGE_STARTS), share=0.5
        ),
        "climb": Part(inequality.climb(premises), share=0.5, most=500, search=True),
    },
)


def test_eq13_large_start() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.contradicted, verdict
