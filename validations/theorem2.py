"""Theorem 2 as stated: held where its premise is, hunted where it is not.

The premise, Assumption 1 with c_vec = 0, selects aligned starts (``docs/claims/assumption1.md``).
There the inequality is asserted: a violation refutes the theorem.  Everywhere else it is hunted,
and the verdict is "premise not met", with the worst violation and a simple instance of one.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.claims import Premise, Verdict, assumption1, theorem2

from . import hunting, strategies
from .campaign import Profile, Tally, as_profile
from .cases import Case, aligned_case
from .flows import GROUPS, Pair, draw_groups, flow_pairs

__all__ = ["attack", "validate"]

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


def validate(profile: Profile | str = "ci", seed: int = 0) -> Verdict:
    """Return the verdict on Theorem 2 as stated.

    Parameters
    ----------
    profile : Profile or str
    seed : int
    """
    size, rng = as_profile(profile), np.random.default_rng([seed, 2])
    tally = Tally("theorem2", theorem2.STATEMENT)
    for (rows, columns), depth, eps, _ in GROUPS:
        if rows == columns:
            count = max(1, size.batch // (4 * len(GROUPS)))
            aligned = [aligned_case(rng, rows, depth, eps) for _ in range(count)]
            for pair in flow_pairs(aligned):
                attack(tally, pair)
    for cases in draw_groups(rng, size.batch):
        for pair in flow_pairs(cases):
            attack(tally, pair)

    def badness(case: Case) -> float:
        return attack(tally, flow_pairs([case])[0])

    hunting.climb(HUNTED, badness, examples=size.examples, seed=seed)
    found = tally.worst_outside
    if tally.worst is None or tally.worst.status != "tested" or found is None:
        return tally.verdict()
    held = {"instances": tally.instances, "margin": tally.worst.margin, "error": tally.worst.error}
    extra = {"simplest": _simplest(size, seed), "where_it_is_met": held}
    witness = dict(found.witness) | extra
    return replace(found, instances=tally.outside, witness=witness, seconds=tally.seconds)


def _simplest(size: Profile, seed: int) -> dict[str, Any] | None:
    """A simple case that violates the inequality by more than any rounding."""

    def bad(case: Case) -> bool:
        return attack(Tally("theorem2", theorem2.STATEMENT), flow_pairs([case])[0]) > PLAIN

    case = hunting.simplest(
        HUNTED, bad, examples=4 * size.examples, shrinks=size.shrinks, seed=seed
    )
    if case is None:
        return None
    tally = Tally("theorem2", theorem2.STATEMENT)
    attack(tally, flow_pairs([case])[0])
    return dict(tally.verdict().witness)


def test_theorem2() -> None:
    verdict = validate("ci")
    assert verdict.status == "premise-not-met", verdict
    assert verdict.witness["where_it_is_met"]["instances"] > 0
