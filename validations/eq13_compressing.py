"""Eq. (13) for every r̂ that compresses, r ≤ r̂ ≤ max(r, d − r), from starts below the targets."""

from __future__ import annotations

from collections.abc import Sequence

from dlnlab.claims import Premise, eq13
from dlnlab.lab import inequality
from dlnlab.lab.flows import FlowPair
from dlnlab.lab.suite import Part, Suite

from . import theorem2_refined

__all__ = ["SUITE", "premises"]


def premises(pair: FlowPair) -> Sequence[Premise]:
    """Return the premises of the sharp form, and that it needs no correction."""
    case = pair.case
    few = eq13.compresses(case.r_hat, case.rank, min(case.shape))
    return [*theorem2_refined.premises(pair), few]


SUITE = Suite(
    eq13.COMPRESSING,
    {
        "random": Part(inequality.random(premises), share=0.5),
        "climb": Part(inequality.climb(premises), share=0.5, most=500, search=True),
    },
)


def test_eq13_compressing() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
