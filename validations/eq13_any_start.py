"""Eq. (13) for every orthogonal start and every r̂ ≥ r: refuted, how badly, and how simply."""

from __future__ import annotations

from dlnlab.claims import Verdict, eq13
from dlnlab.lab import inequality
from dlnlab.lab.suite import Part, Suite
from dlnlab.lab.tally import Tally

__all__ = ["PREMISES", "SUITE"]

PREMISES = inequality.names("balanced", "same_start", "enough_rank")


def _conclude(tally: Tally) -> Verdict:
    """The worst violation, with a simple one."""
    return tally.verdict(simplest=next(iter(tally.notes.get("simplest", [])), None))


SUITE = Suite(
    eq13.ANY_START,
    {
        "registered": inequality.registered(eq13.ANY_START, PREMISES),
        "random": Part(inequality.random(PREMISES), share=0.5),
        "climb": Part(inequality.climb(PREMISES), share=0.5, most=500, search=True),
        "simplest": Part(inequality.simplest(PREMISES), share=2.0, most=None, search=True),
    },
    _conclude,
)


def test_eq13_any_start() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.contradicted, verdict
