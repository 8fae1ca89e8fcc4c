"""Theorem 2 with c_vec = 0: its exact margin on aligned starts, which are those that it speaks of.

Whatever happens from other starts belongs to other statements (`eq13_any_start` and its kin); they
are counted here only to show that their premise is found unmet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.claims import Premise, assumption1, theorem2
from dlnlab.lab import pairs
from dlnlab.lab.cases import Case, aligned_case
from dlnlab.lab.dynamics import Sighting
from dlnlab.lab.flows import GROUPS
from dlnlab.lab.suite import Part, Suite, Task

__all__ = ["QUESTION", "SUITE", "exact"]


def exact(pair: Any) -> np.ndarray:
    """Return the margin −|‖W − M*‖² − ‖W̃ − M*‖² − (d − r̂)β^{2L}| / ‖M*‖².

    As d − r̂ ≥ 0, the inequality holds to within the error where the margin is not below it.

    Parameters
    ----------
    pair : Pair
        Both flows of a case.

    Returns
    -------
    array, shape (records,)
    """
    case, errors = pair.case, (pair.original.errors, pair.compressed.errors)
    defect = theorem2.exact_margins(*errors, min(case.shape) - case.r_hat, pair.residual)
    return defect / np.sum(case.values**2)


def _aligned(sighting: Sighting) -> Premise:
    """Measure the premise of an aligned start."""
    case = sighting[0].case
    start = networks.end_to_end(case.weights())
    return assumption1.aligned_start(start, case.target, case.eps**case.depth)


QUESTION = pairs.question(
    theorem2.CLAIM, exact, pairs.balanced, pairs.same_start, pairs.enough_rank, _aligned
)


def _aligned_starts(task: Task) -> Iterator[list[Case]]:
    square = [(shape[0], depth, eps) for shape, depth, eps, _ in GROUPS if shape[0] == shape[1]]
    rng, count = task.rng, max(1, task.count // len(square))
    for rows, depth, eps in square:
        yield [aligned_case(rng, rows, depth, eps) for _ in range(count)]


SUITE = Suite(
    theorem2.CLAIM,
    {
        "aligned": Part(
            pairs.trial(
                QUESTION,
                _aligned_starts,
                "Aligned starts, which meet the premise, for every r̂ ≥ r and on both sides of "
                "ε^L = σ_r*.",
            ),
            share=0.5,
        ),
        "random": Part(
            pairs.random(
                QUESTION,
                told="Uniformly random starts, which must be recognized as not meeting it.",
            ),
            share=0.1,
        ),
    },
)


def test_theorem2() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
    assert verdict.witness["outside_the_premises"]["unmet"]["aligned start"] > 0
