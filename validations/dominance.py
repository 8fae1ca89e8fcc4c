"""Dominance, σ_i(W(t)) ≤ σ̃_i(t): random batches, and a search that climbs towards equality."""

from __future__ import annotations

import numpy as np

from dlnlab.claims import dominance
from dlnlab.lab import adversary, search, strategies
from dlnlab.lab.cases import Case
from dlnlab.lab.flows import FlowPair, draw_groups, flow_pairs
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["CLIMBED", "HUNTED", "SUITE", "attack"]

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


def attack(tally: Tally, pair: FlowPair) -> float:
    """Count one case, judged by its worst record; return how bad that is.

    At t = 0 both sides are ε^L and the margin is rounding; the climb is led by the records after
    the compressed network has moved, so that it does not stop at the trivial equality.
    """
    bound = pair.law.leading(pair.values.shape[1])
    margin = dominance.margins(pair.values, bound) / pair.scale
    error = (pair.accuracy + pair.law.rounding()) / pair.scale
    k = int(np.argmin(margin + error))
    premises = [pair.premises["balanced"], pair.premises["same_start"]]
    tally.add(
        float(margin[k]),
        float(error[k]),
        premises,
        lambda: pair.case.witness() | {"time": float(pair.times[k])},
    )
    moved = np.max(np.abs(bound - bound[0]), axis=1) > 0.1 * pair.scale
    return float(-np.min(margin[moved])) if moved.any() else -np.inf


def _random(tally: Tally, task: Task) -> None:
    """Pairs of flows from uniformly random starts, ε^L on both sides of the smaller targets."""
    for cases in draw_groups(task.rng, task.count):
        for pair in flow_pairs(cases):
            attack(tally, pair)


def _climb(tally: Tally, task: Task) -> None:
    """A search for the smallest distance after the compressed network has moved."""

    def badness(case: Case) -> float:
        return attack(tally, flow_pairs([case])[0])

    search.climb(HUNTED, badness, examples=task.count, seed=task.seed)


def _adversary(tally: Tally, task: Task) -> None:
    """A continuous climb, by differential evolution, of the margin in units of the misalignment."""
    size, depth = CLIMBED[task.seed % len(CLIMBED)]
    adversary.attack(tally, size, depth, evaluations=max(task.count, 5), seed=task.seed)


SUITE = Suite(
    dominance.CLAIM,
    {
        "random": Part(_random, most=4_000),
        "climb": Part(_climb, most=500, search=True),
        "adversary": Part(_adversary, share=5.0, most=1_000, search=True),
    },
)


def test_dominance() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
