"""Theorem 2 as stated: held where its premise is, hunted where it is not.

The premise, Assumption 1 with c_vec = 0, selects aligned starts (``docs/claims/assumption1.md``).
There the inequality is asserted: a violation refutes the theorem.  Everywhere else it is hunted,
and the verdict is "premise not met", with the worst violation and a simple instance of one.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlnlab import networks
from dlnlab.claims import Premise, Verdict, assumption1, theorem2

from . import hunting, strategies
from .cases import Case, aligned_case
from .flows import GROUPS, Pair, draw_groups, flow_pairs
from .suite import Part, Suite, Task
from .tally import Tally

__all__ = ["SUITE", "attack"]

HUNTED = strategies.cases(
    square=True,
    smallest=2,
    largest=3,
    depths=(2, 4),
    values=(1.0, 0.5, 0.1, 2.0),
    scales=(0.5, 0.2, 0.3, 0.1, 1.0),
    enough_rank=True,
)
"""Cases whose flows are short; r̂ > r and ε^L > σ_r*, where it fails, among them."""

PLAIN = 1e-6
"""A violation of this size, relative to ‖M*‖², is no rounding: the errors are about 1e-9."""


def attack(tally: Tally, pair: Pair) -> float:
    """Count one case, judged by its worst record; return how bad that is."""
    case, size = pair.case, float(np.sum(pair.case.values**2))
    margin = theorem2.margins(pair.errors, pair.law.errors()) / size
    error = pair.margin_error() / size
    k = int(np.argmin(margin + error))
    names = ("balanced", "same_start", "enough_rank")
    premises = [*(pair.premises[name] for name in names), _aligned(case)]
    found = {"time": float(pair.times[k]), "margin": float(margin[k]), "error": float(error[k])}
    tally.add(found["margin"], found["error"], premises, lambda: case.witness() | found)
    return float(-np.min(margin + error))


def _aligned(case: Case) -> Premise:
    start = networks.end_to_end(case.weights())
    return assumption1.aligned_start(start, case.target, case.eps**case.depth)


def _aligned_starts(tally: Tally, task: Task) -> None:
    """Aligned starts, which meet the premise."""
    square = [(shape[0], depth, eps) for shape, depth, eps, _ in GROUPS if shape[0] == shape[1]]
    rng, count = task.rng, max(1, task.count // len(square))
    for rows, depth, eps in square:
        for pair in flow_pairs([aligned_case(rng, rows, depth, eps) for _ in range(count)]):
            attack(tally, pair)


def _random(tally: Tally, task: Task) -> None:
    """Uniformly random starts, which do not."""
    for cases in draw_groups(task.rng, task.count):
        for pair in flow_pairs(cases):
            attack(tally, pair)


def _climb(tally: Tally, task: Task) -> None:
    """A search for the largest violation without the premise."""

    def badness(case: Case) -> float:
        return attack(tally, flow_pairs([case])[0])

    hunting.climb(HUNTED, badness, examples=task.count, seed=task.seed)


def _simplest(tally: Tally, task: Task) -> None:
    """A simple case that violates the inequality by more than any rounding."""

    def bad(case: Case) -> bool:
        return attack(Tally(tally.about), flow_pairs([case])[0]) > PLAIN

    budget = {"examples": task.count, "shrinks": task.shrinks, "seed": task.seed}
    case = hunting.simplest(HUNTED, bad, **budget)
    if case is not None:
        alone = Tally(tally.about)
        attack(alone, flow_pairs([case])[0])
        tally.note("simplest", alone.verdict().witness)


def _conclude(tally: Tally) -> Verdict:
    """What refutes the theorem where its premise holds, else the worst where it does not."""
    found = tally.worst_outside
    if tally.worst is None or tally.worst.status == "refuted" or found is None:
        return tally.verdict()
    held = {"instances": tally.instances, "margin": tally.worst.margin, "error": tally.worst.error}
    simplest = next(iter(tally.notes.get("simplest", [])), None)
    witness = dict(found.witness) | {"simplest": simplest, "where_it_is_met": held}
    return replace(found, instances=tally.outside, witness=witness, seconds=tally.seconds)


SUITE = Suite(
    theorem2.CLAIM,
    {
        "aligned": Part(_aligned_starts, share=0.25),
        "random": Part(_random),
        "climb": Part(_climb, most=500, search=True),
        "simplest": Part(_simplest, share=4.0, most=None, search=True),
    },
    _conclude,
)


def test_theorem2() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == "not applicable", verdict
    assert verdict.witness["where_it_is_met"]["instances"] > 0
