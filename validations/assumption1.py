"""Assumption 1 measured: c_val, c_vec and t_i over random starts, and their trend as ε → 0.

With c_vec = 0 aligned starts meet it (``docs/claims/assumption1.md``), which is asserted; random
orthogonal starts do not, so the verdict is "premise not met", with the measured distributions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dlnlab import flow, networks
from dlnlab.claims import Verdict, assumption1, limits

from .cases import EPS, Case, Frame, aligned_case
from .suite import Part, Suite, Task
from .tally import Tally

__all__ = ["ERROR", "SUITE", "attack", "compare"]

SIZE, DEPTH = 6, 3
SPECTRUM = (1.0, 0.5, 0.0, 0.0, 0.0, 0.0)
SCALES = (0.2, 0.1, 0.05, 0.025)
ERROR = 1e-9 + 1000 * SIZE * EPS
"""1 − cos is of second order in the vectors, whose error is the integration's 1e-9 and rounding."""

NAMES = ("c_val", "c_vec", "waiting", "delay")


def attack(tally: Tally, case: Case) -> dict[str, float]:
    """Measure one case, count its c_vec, and return its constants."""
    c, start = compare(case), case.eps**case.depth
    aligned = assumption1.aligned_start(networks.end_to_end(case.weights()), case.target, start)
    told = c.constants()
    tally.add(-told["c_vec"], ERROR, [aligned], lambda: case.witness() | told)
    return told


def compare(case: Case) -> flow.Comparison:
    """Run both flows of a case."""
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


def _random_case(seed: int, eps: float) -> Case:
    """The same seed gives the same target and start for every ε."""
    left, right = Frame(SIZE, (), 2 * seed), Frame(SIZE, (), 2 * seed + 1)
    return Case(left, SPECTRUM, right, DEPTH, eps, 2, seed)


def _aligned_starts(tally: Tally, task: Task) -> None:
    """Starts that map every right singular vector of the target to the left one."""
    rng = task.rng
    for _ in range(max(2, task.count)):
        attack(tally, aligned_case(rng, int(rng.integers(2, 5)), DEPTH, 0.3))


def _random_starts(tally: Tally, task: Task) -> None:
    """Uniformly random starts, the same for every ε."""
    for number in task.rng.integers(0, 2**30, max(4, task.count)):
        for eps in SCALES:
            tally.note("rows", {"eps": eps} | attack(tally, _random_case(int(number), eps)))


def _conclude(tally: Tally) -> Verdict:
    """What refutes the assumption at an aligned start, else how far random ones are from it."""
    held, worst = tally.worst, tally.worst_outside
    if held is None or held.status == "refuted" or worst is None:
        return tally.verdict()
    aligned = {"instances": tally.instances, "margin": held.margin, "error": held.error}
    told = _distributions(tally.notes["rows"])
    witness = dict(worst.witness) | told | {"where_it_is_met": aligned}
    return replace(worst, instances=tally.outside, witness=witness, seconds=tally.seconds)


def _distributions(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Quartiles of every constant for every ε, the powers of ε they follow, and their limits."""
    table = {
        name: {
            str(eps): np.quantile([r[name] for r in rows if r["eps"] == eps], (0.25, 0.5, 0.75))
            .round(6)
            .tolist()
            for eps in SCALES
        }
        for name in NAMES
    }
    # one start per row
    values = {name: np.array([r[name] for r in rows]).reshape(-1, len(SCALES)).T for name in NAMES}
    values["t_r"] = np.array([row["t_r"] for row in rows]).reshape(-1, len(SCALES)).T
    laws = {name: limits.fit_power(SCALES, values[name]) for name in ("c_vec", "waiting", "t_r")}
    powers = {
        name: {"power": law.power, "half_width": law.half_width} for name, law in laws.items()
    }
    # both fitting times are ε^{2−L} and a constant to leading orders
    end = limits.fit_limit(SCALES, values["delay"], order=DEPTH - 2)
    ends = {"delay": {"limit": end.value, "half_width": end.half_width}}
    return {"quartiles": table, "powers_of_eps": powers, "limits": ends}


SUITE = Suite(
    assumption1.CLAIM,
    {
        "aligned": Part(_aligned_starts, share=1 / 40, most=50),
        "random": Part(_random_starts, share=1 / 16, most=10),
    },
    _conclude,
)


def test_assumption1() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == "not applicable", verdict
    assert verdict.witness["where_it_is_met"]["instances"] > 0
    powers = verdict.witness["powers_of_eps"]["t_r"]
    assert abs(powers["power"] - (2 - DEPTH)) < 0.2  # t_r ~ ε^{2−L}
