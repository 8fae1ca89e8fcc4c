"""Assumption 1 measured: c_val, c_vec and t_i over random starts, and their trend as ε → 0.

With c_vec = 0 aligned starts meet it (``docs/claims/assumption1.md``), which is asserted; random
orthogonal starts do not, so the verdict is "premise not met", with the measured distributions.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from dlnlab import flow, networks
from dlnlab.claims import Verdict, assumption1

from .cases import EPS, Case, Frame, aligned_case
from .suite import Part, Suite, Task
from .tally import Tally

__all__ = ["SUITE", "attack", "fit_power"]

SIZE, DEPTH = 6, 3
SPECTRUM = (1.0, 0.5, 0.0, 0.0, 0.0, 0.0)
SCALES = (0.2, 0.1, 0.05, 0.025)
NAMES = ("c_val", "c_vec", "waiting", "delay")
NORMAL = 1.96
"""A normal variable lies within this many standard deviations with probability 95 %."""


def attack(tally: Tally, case: Case) -> dict[str, float]:
    """Measure one case, count its c_vec, and return its constants.

    "delay" is t_r of the wide network over that of the compressed one.
    """
    weights, start = case.weights(), case.eps**case.depth
    with np.errstate(over="ignore", invalid="ignore"):  # trial steps that are rejected
        c = flow.compare(
            case.target,
            case.rank,
            depth=case.depth,
            eps=case.eps,
            weights=weights,
            rtol=1e-9,
            num_records=200,
        )
    aligned = assumption1.aligned_start(networks.end_to_end(weights), case.target, start)
    c_vec = float(np.max(c.c_vec.original))
    told = {
        "c_val": float(np.max(c.c_val.original)),
        "c_vec": c_vec,
        "waiting": float(c.verdicts["assumption1"].witness["waiting"] or 0.0),
        "t": float(c.fitting_times.original[-1]),
        "delay": float(c.fitting_times.original[-1] / c.fitting_times.compressed[-1]),
    }
    # 1 − cos is of second order in the vectors, whose error is the integration's 1e-9 and rounding
    error = 1e-9 + 1000 * SIZE * EPS
    tally.add(-c_vec, error, [aligned], lambda: case.witness() | told)
    return told


def fit_power(scales: np.ndarray, values: np.ndarray) -> tuple[float, float]:
    """Return p of values ~ ε^p by least squares of the logarithms, and its 95 % half-width.

    Values that are not positive numbers are left out; (nan, nan) if fewer than three remain.
    """
    good = np.isfinite(values) & (values > 0)
    x, y = np.log(scales[good]), np.log(values[good])
    if x.size < 3:
        return float("nan"), float("nan")
    slope, offset = np.polyfit(x, y, 1)
    residual = y - slope * x - offset
    spread = np.sum((x - np.mean(x)) ** 2)
    return float(slope), float(NORMAL * np.sqrt(np.sum(residual**2) / (x.size - 2) / spread))


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
    if held is None or held.status != "tested" or worst is None:
        return tally.verdict()
    aligned = {"instances": tally.instances, "margin": held.margin, "error": held.error}
    told = _distributions(tally.notes["rows"])
    witness = dict(worst.witness) | told | {"where_it_is_met": aligned}
    return replace(worst, instances=tally.outside, witness=witness, seconds=tally.seconds)


def _distributions(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Quartiles of every constant for every ε, and the powers of ε they follow."""
    scales = np.array([row["eps"] for row in rows])
    table = {
        name: {
            str(eps): np.quantile([r[name] for r in rows if r["eps"] == eps], (0.25, 0.5, 0.75))
            .round(6)
            .tolist()
            for eps in SCALES
        }
        for name in NAMES
    }
    powers = {}
    for name in ("c_vec", "waiting", "t"):
        slope, width = fit_power(scales, np.array([row[name] for row in rows]))
        powers[name] = {"power": slope, "half_width": width}
    return {"quartiles": table, "powers_of_eps": powers}


SUITE = Suite(
    "assumption1",
    assumption1.STATEMENT,
    {
        "aligned": Part(_aligned_starts, share=1 / 40, most=50),
        "random": Part(_random_starts, share=1 / 16, most=10),
    },
    _conclude,
)


def test_assumption1() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == "premise-not-met", verdict
    assert verdict.witness["where_it_is_met"]["instances"] > 0
    powers = verdict.witness["powers_of_eps"]["t"]
    assert abs(powers["power"] - (2 - DEPTH)) < 0.2  # t_i ~ ε^{2−L}
