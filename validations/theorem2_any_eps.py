"""Theorem 2 for every ε: the sharp form with one β^{2L} more for every target below ε^L."""

from __future__ import annotations

from collections.abc import Sequence

from dlnlab.claims import Premise, theorem2
from dlnlab.lab import inequality
from dlnlab.lab.cases import Case
from dlnlab.lab.flows import FlowPair
from dlnlab.lab.suite import Part, Suite

from .dominance import HUNTED

__all__ = ["SUITE", "premises", "spare"]


def premises(pair: FlowPair) -> Sequence[Premise]:
    """Return what is left of the premises: ε is free."""
    names = inequality.names("balanced", "same_start", "enough_rank")
    return [*names(pair), inequality.dominated(pair)]


def spare(case: Case) -> int:
    """Return r̂ + k − max(r, d − r)."""
    below = theorem2.below_start(case.values[: case.rank], case.eps**case.depth)
    return theorem2.allowance(case.r_hat, case.rank, min(case.shape)) + below


SUITE = Suite(
    theorem2.ANY_EPS_CLAIM,
    {
        "large start": inequality.large_start(premises, spare),
        "large starts": Part(
            inequality.random(premises, spare, groups=inequality.LARGE_STARTS), share=0.25
        ),
        "random": Part(inequality.random(premises, spare), share=0.1),
        "climb": Part(inequality.climb(premises, spare, HUNTED), share=0.5, most=500, search=True),
    },
)


def test_theorem2_any_eps() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
