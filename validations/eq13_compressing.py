"""Eq. (13) for every r̂ that compresses, r ≤ r̂ ≤ max(r, d − r), from starts below the targets."""

from __future__ import annotations

from dlnlab.claims import Premise, eq13
from dlnlab.lab import pairs
from dlnlab.lab.dynamics import Sighting
from dlnlab.lab.suite import Part, Suite

from .theorem2_refined import PREMISES

__all__ = [
    "QUESTION",
    "SUITE",
    "compresses",
]


def compresses(sighting: Sighting) -> Premise:
    """Measure the premise that the sharp form needs no correction.

    Parameters
    ----------
    sighting : Sighting
        Both flows, and the record of the margin.

    Returns
    -------
    Premise
    """
    case = sighting[0].case
    return eq13.compresses(case.r_hat, case.rank, min(case.shape))


QUESTION = pairs.question(eq13.COMPRESSING, pairs.inequality(), *PREMISES, compresses)

SUITE = Suite(
    eq13.COMPRESSING,
    {
        "random": Part(pairs.random(QUESTION), share=0.5),
        "climb": Part(pairs.climb(QUESTION), share=0.5, most=500, search=True),
    },
)


def test_eq13_compressing() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
