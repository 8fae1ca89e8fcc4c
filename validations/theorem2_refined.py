"""The refined Theorem 2: asserted on every case with r̂ ≥ r and ε^L ≤ σ_r* that dominance allows."""

from __future__ import annotations

from collections.abc import Sequence

from dlnlab.claims import Claim, Premise, theorem2
from dlnlab.lab import inequality
from dlnlab.lab.flows import FlowPair
from dlnlab.lab.inequality import Spare, spare_rank
from dlnlab.lab.suite import Part, Suite

from .dominance import HUNTED

__all__ = ["SUITE", "premises", "with_correction"]


def premises(pair: FlowPair) -> Sequence[Premise]:
    """Return the premises of the corrected forms, dominance among them."""
    names = inequality.names("balanced", "same_start", "enough_rank", "small_start")
    return [*names(pair), inequality.dominated(pair)]


def with_correction(about: Claim, spare: Spare) -> Suite:
    """Return the attack on the inequality with a correction of `spare(case)` times β^{2L}."""

    parts = {
        "random": Part(inequality.random(premises, spare, enough_rank=False)),
        "large start": inequality.large_start(premises, spare),
        "climb": Part(inequality.climb(premises, spare, HUNTED), most=500, search=True),
    }
    return Suite(about, parts)


SUITE = with_correction(theorem2.REFINED_CLAIM, spare_rank)


def test_theorem2_refined() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
    assert verdict.witness["outside_the_premises"]["worst_margin"] < -1e-3
