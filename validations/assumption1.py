"""Assumption 1 with c_vec = 0, met by aligned starts and no other (``docs/claims/assumption1.md``).

That aligned starts meet it is asserted; starts that are not aligned are counted beside, and how far
they are from it is told by `generally_c_vec_0`.
"""

from __future__ import annotations

import numpy as np

from dlnlab import flow, networks
from dlnlab.claims import assumption1
from dlnlab.lab.cases import EPS, Case, aligned_case, random_cases
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["DEPTH", "ERROR", "SIZE", "SUITE", "compare"]

SIZE, DEPTH = 6, 3
ERROR = 1e-9 + 1000 * SIZE * EPS
"""1 − cos is of second order in the vectors, whose error is the integration's 1e-9 and rounding."""


def _attack(tally: Tally, case: Case) -> dict[str, float]:
    """Measure one case, count its c_vec, and return its constants."""
    told, start = compare(case).constants(), case.eps**case.depth
    aligned = assumption1.aligned_start(networks.end_to_end(case.weights()), case.target, start)
    tally.add(-told["c_vec"], ERROR, [aligned], lambda: case.witness() | told)
    return told


def compare(case: Case) -> flow.Comparison:
    """Integrate both flows of a case.

    Parameters
    ----------
    case : Case

    Returns
    -------
    Comparison
    """
    with np.errstate(over="ignore", invalid="ignore"):  # trial steps that are rejected
        return flow.compare(
            case.target,
            case.rank,
            depth=case.depth,
            eps=case.eps,
            weights=case.weights(),
            rtol=1e-9,
            num_records=200,
        )


def _aligned_starts(tally: Tally, task: Task) -> None:
    """Starts that map every right singular vector of the target to the left one."""
    rng = task.rng
    for _ in range(max(2, task.count)):
        _attack(tally, aligned_case(rng, int(rng.integers(2, 5)), DEPTH, 0.3))


def _random_starts(tally: Tally, task: Task) -> None:
    """Uniformly random starts, which must be recognized as not aligned."""
    for case in random_cases(task.rng, max(2, task.count), (3, 3), DEPTH, 0.3):
        _attack(tally, case)


SUITE = Suite(
    assumption1.CLAIM,
    {
        "aligned": Part(_aligned_starts, share=1 / 30, most=50),
        "random": Part(_random_starts, share=1 / 120, most=50),
    },
)


def test_assumption1() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
    outside = verdict.witness["outside_the_premises"]
    assert outside["worst_margin"] < -1e-6
