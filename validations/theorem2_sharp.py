"""The sharp Theorem 2: the residual directions of the wide network counted, so that r̂ ≤ d − r needs
no correction at all.
"""

from __future__ import annotations

from dlnlab.claims import theorem2

from . import hunting
from .cases import Case
from .dominance import HUNTED
from .flows import Pair, draw_groups, flow_pairs
from .suite import Part, Suite, Task
from .tally import Tally
from .theorem2_refined import LARGE_START, judge

__all__ = ["SUITE", "attack"]


def attack(tally: Tally, pair: Pair) -> float:
    """Count one case, judged by its worst record; return how bad that is."""
    case = pair.case
    return judge(tally, pair, theorem2.allowance(case.r_hat, case.rank, min(case.shape)))


def _random(tally: Tally, task: Task) -> None:
    """Pairs of flows from uniformly random starts, r̂ < r and ε^L > σ_r* among them."""
    for cases in draw_groups(task.rng, task.count, enough_rank=False):
        for pair in flow_pairs(cases):
            attack(tally, pair)


def _large_start(tally: Tally, task: Task) -> None:
    """The start above σ_r* that is proved to violate the inequality."""
    attack(tally, flow_pairs([LARGE_START])[0])


def _climb(tally: Tally, task: Task) -> None:
    """A search for the smallest margin."""

    def badness(case: Case) -> float:
        return attack(tally, flow_pairs([case])[0])

    hunting.climb(HUNTED, badness, examples=task.count, seed=task.seed)


SUITE = Suite(
    "theorem2_sharp",
    theorem2.SHARP_STATEMENT,
    {
        "random": Part(_random),
        "large start": Part(_large_start, share=0.0),
        "climb": Part(_climb, most=500, search=True),
    },
)


def test_theorem2_sharp() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == "tested", verdict
    assert verdict.witness["outside_the_premises"]["worst_margin"] < -1e-3
