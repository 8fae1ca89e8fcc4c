"""Eq. (13) for every orthogonal start and every r̂ ≥ r: refuted, how badly, and how simply."""

from __future__ import annotations

from dlnlab.claims import Verdict, eq13
from dlnlab.lab import pairs
from dlnlab.lab.suite import Part, Suite
from dlnlab.lab.tally import Tally

__all__ = [
    "QUESTION",
    "SUITE",
]

QUESTION = pairs.question(
    eq13.ANY_START, pairs.inequality(), pairs.balanced, pairs.same_start, pairs.enough_rank
)


def _conclude(tally: Tally) -> Verdict:
    """The worst violation, with a simple one."""
    return tally.verdict(simplest=next(iter(tally.notes.get("simplest", [])), None))


SUITE = Suite(
    eq13.ANY_START,
    {
        "registered": pairs.registered(eq13.ANY_START, QUESTION),
        "random": Part(pairs.random(QUESTION), share=0.5),
        "climb": Part(pairs.climb(QUESTION), share=0.5, most=500, search=True),
        "simplest": Part(pairs.simplest(QUESTION), share=2.0, most=None, search=True),
    },
    _conclude,
)


def test_eq13_any_start() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.contradicted, verdict
