"""The refined Theorem 2: asserted on every case with r̂ ≥ r and ε^L ≤ σ_r* that dominance allows."""

from __future__ import annotations

from dlnlab.claims import Claim, eq13, theorem2
from dlnlab.lab import pairs
from dlnlab.lab.attack import Question
from dlnlab.lab.suite import Part, Suite

from .dominance import HUNTED

__all__ = [
    "PREMISES",
    "QUESTION",
    "SUITE",
    "suite",
]

PREMISES = (
    pairs.balanced,
    pairs.same_start,
    pairs.enough_rank,
    pairs.small_start,
    pairs.dominated,
)
"""Those of the corrected forms, dominance among them."""

QUESTION = pairs.question(theorem2.REFINED_CLAIM, pairs.inequality(pairs.spare_rank), *PREMISES)


def suite(about: Claim, question: Question) -> Suite:
    """Return the attack on the inequality with some correction.

    Parameters
    ----------
    about : Claim
    question : Question
        Its margin and premises.

    Returns
    -------
    Suite
    """
    parts = {
        "random": Part(pairs.random(question, enough_rank=False)),
        "large start": pairs.large_start(question, eq13.LARGE_START),
        "climb": Part(pairs.climb(question, HUNTED), most=500, search=True),
    }
    return Suite(about, parts)


SUITE = suite(theorem2.REFINED_CLAIM, QUESTION)


def test_theorem2_refined() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
    assert verdict.witness["outside_the_premises"]["worst_margin"] < -1e-3
