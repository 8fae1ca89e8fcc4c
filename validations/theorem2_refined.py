"""The refined Theorem 2: asserted on every case with r̂ ≥ r and ε^L ≤ σ_r* that dominance allows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlnlab.claims import Claim, Premise, dominance, theorem2

from . import hunting
from .cases import Case, Frame
from .dominance import HUNTED
from .flows import Pair, draw_groups, flow_pairs
from .suite import Part, Suite, Task
from .tally import Tally

__all__ = ["LARGE_START", "SUITE", "judge", "with_correction"]

LARGE_START = Case(
    Frame(2), (1.0, 0.05), Frame(2), 2, 1.0, 2, (Frame(2), Frame(2, ((1, -1), (1, 0))))
)
"""ε^L > σ_r* and r̂ = r: proved to violate the inequality (``docs/claims/counterexamples.md``), so
the suite must find its premise unmet."""


def judge(tally: Tally, pair: Pair, spare: int) -> float:
    """Count one case of the inequality with `spare` times β^{2L}; return how bad it is."""
    case = pair.case
    size = float(np.sum(case.values**2))
    margin = theorem2.refined_margins(pair.errors, pair.law.errors(), spare, pair.law.residual)
    margin, error = margin / size, pair.margin_error() / size
    k = int(np.argmin(margin + error))
    names = ("balanced", "same_start", "enough_rank", "small_start")
    premises = [pair.premises[name] for name in names] + [_ahead(pair)]
    tally.add(
        float(margin[k]),
        float(error[k]),
        premises,
        lambda: case.witness() | {"time": float(pair.times[k])},
    )
    met = all(premise.met for premise in premises)
    return float(-np.min(margin[1:])) if met else -np.inf


def _ahead(pair: Pair) -> Premise:
    """Dominance as a premise, measured along this flow."""
    margin = dominance.margins(pair.values, pair.law.leading(pair.values.shape[1])) / pair.scale
    error = (pair.accuracy + pair.law.rounding()) / pair.scale
    k = int(np.argmin(margin + error))
    return Premise("dominance", dominance.STATEMENT, float(margin[k]), float(error[k]))


def with_correction(about: Claim, spare: Callable[[Case], int]) -> Suite:
    """Return the attack on the inequality with a correction of `spare(case)` times β^{2L}."""

    def attack(tally: Tally, pair: Pair) -> float:
        return judge(tally, pair, spare(pair.case))

    def random(tally: Tally, task: Task) -> None:
        """Pairs of flows from uniformly random starts, r̂ < r and ε^L > σ_r* among them."""
        for cases in draw_groups(task.rng, task.count, enough_rank=False):
            for pair in flow_pairs(cases):
                attack(tally, pair)

    def large_start(tally: Tally, task: Task) -> None:
        """The start above σ_r* that is proved to violate the inequality."""
        attack(tally, flow_pairs([LARGE_START])[0])

    def climb(tally: Tally, task: Task) -> None:
        """A search for the smallest margin."""

        def badness(case: Case) -> float:
            return attack(tally, flow_pairs([case])[0])

        hunting.climb(HUNTED, badness, examples=task.count, seed=task.seed)

    parts = {
        "random": Part(random),
        "large start": Part(large_start, share=0.0),
        "climb": Part(climb, most=500, search=True),
    }
    return Suite(about, parts)


SUITE = with_correction(theorem2.REFINED_CLAIM, lambda case: case.r_hat - case.rank)


def test_theorem2_refined() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
    assert verdict.witness["outside_the_premises"]["worst_margin"] < -1e-3
