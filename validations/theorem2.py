"""Theorem 2 with c_vec = 0: its exact margin on aligned starts, which are those that it speaks of.

Whatever happens from other starts belongs to other statements (`eq13_any_start` and its kin); they
are counted here only to show that their premise is found unmet.
"""

from __future__ import annotations

import numpy as np

from dlnlab import networks
from dlnlab.claims import Premise, assumption1, theorem2
from dlnlab.lab.cases import Case, aligned_case
from dlnlab.lab.flows import GROUPS, FlowPair, draw_groups, flow_pairs
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["SUITE", "attack", "judged"]


def judged(pair: FlowPair) -> tuple[np.ndarray, np.ndarray]:
    """Return the margin −|‖W − M*‖² − ‖W̃ − M*‖² − (d − r̂)β^{2L}| / ‖M*‖² and its error.

    As d − r̂ ≥ 0, the inequality holds to within the error where the margin is not below it.
    """
    case, residual = pair.case, pair.law.residual
    size, spare = float(np.sum(case.values**2)), min(case.shape) - case.r_hat
    defect = theorem2.exact_margins(pair.errors, pair.law.errors(), spare, residual)
    idle = 2 * spare * residual * pair.law.rounding()
    return defect / size, (pair.margin_error() + idle) / size


def attack(tally: Tally, pair: FlowPair) -> None:
    """Count one case, judged by its worst record."""
    case = pair.case
    margin, error = judged(pair)
    k = int(np.argmin(margin + error))
    names = ("balanced", "same_start", "enough_rank")
    premises = [*(pair.premises[name] for name in names), _aligned(case)]
    found = {"time": float(pair.times[k])}
    tally.add(float(margin[k]), float(error[k]), premises, lambda: case.witness() | found)


def _aligned(case: Case) -> Premise:
    start = networks.end_to_end(case.weights())
    return assumption1.aligned_start(start, case.target, case.eps**case.depth)


def _aligned_starts(tally: Tally, task: Task) -> None:
    """Aligned starts, which meet the premise, for every r̂ ≥ r and on both sides of ε^L = σ_r*."""
    square = [(shape[0], depth, eps) for shape, depth, eps, _ in GROUPS if shape[0] == shape[1]]
    rng, count = task.rng, max(1, task.count // len(square))
    for rows, depth, eps in square:
        for pair in flow_pairs([aligned_case(rng, rows, depth, eps) for _ in range(count)]):
            attack(tally, pair)


def _random(tally: Tally, task: Task) -> None:
    """Uniformly random starts, which must be found not to meet it."""
    for cases in draw_groups(task.rng, task.count):
        for pair in flow_pairs(cases):
            attack(tally, pair)


SUITE = Suite(
    theorem2.CLAIM,
    {
        "aligned": Part(_aligned_starts, share=0.5),
        "random": Part(_random, share=0.1),
    },
)


def test_theorem2() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
    assert verdict.witness["outside_the_premises"]["unmet"]["aligned start"] > 0
