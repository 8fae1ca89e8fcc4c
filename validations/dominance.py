"""Dominance, σ_i(W(t)) ≤ σ̃_i(t): random batches, and a search that climbs towards equality."""

from __future__ import annotations

from dlnlab.claims import dominance
from dlnlab.lab import adversary, pairs, strategies
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = [
    "CLIMBED",
    "HUNTED",
    "QUESTION",
    "SUITE",
]

HUNTED = strategies.cases(
    square=True,
    smallest=2,
    largest=3,
    depths=(2, 4),
    values=(1.0, 0.5, 0.8, 2.0),
    scales=(0.5, 0.3, 0.7, 0.2, 1.0),
    enough_rank=True,
)
"""Cases whose flows are short, of both sides of ε^L = σ_r*."""

CLIMBED = ((3, 3), (3, 4), (4, 3), (3, 6))
"""d and L of the continuous climbs: the smallest for which dominance is a conjecture."""


QUESTION = pairs.question(dominance.CLAIM, pairs.dominance_margin, pairs.balanced, pairs.same_start)


def _adversary(tally: Tally, task: Task) -> None:
    """A continuous climb, by differential evolution, of the margin in units of the misalignment."""
    size, depth = CLIMBED[task.seed % len(CLIMBED)]
    adversary.attack(tally, size, depth, evaluations=max(task.count, 5), seed=task.seed)


SUITE = Suite(
    dominance.CLAIM,
    {
        "random": Part(
            pairs.random(
                QUESTION,
                told="Pairs of flows from uniformly random starts, ε^L on both sides of the "
                "smaller targets.",
            ),
            most=4_000,
        ),
        "climb": Part(
            pairs.climb(
                QUESTION,
                HUNTED,
                "A search for the smallest margin after the compressed network has moved.",
            ),
            most=500,
            search=True,
        ),
        "adversary": Part(_adversary, share=5.0, most=1_000, search=True),
    },
)


def test_dominance() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
