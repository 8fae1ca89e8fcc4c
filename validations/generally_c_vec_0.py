"""Generally c_vec = 0: refuted by every random start; how large it is, and its trend as ε → 0."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.claims import Verdict, assumption1, closed_form, dominance, proposition1
from dlnlab.lab import witnesses
from dlnlab.lab.cases import EPS, Case, Frame
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally
from dlnlab.numerics import limits, spectra

from .assumption1 import DEPTH, ERROR, SIZE, compare

__all__ = ["NAMES", "SCALES", "SPECTRUM", "SUITE"]

SPECTRUM = (1.0, 0.5, 0.0, 0.0, 0.0, 0.0)
SCALES = (0.2, 0.1, 0.05, 0.025)

NAMES = ("c_val", "c_vec", "waiting", "delay")


def _attack(tally: Tally, case: Case) -> dict[str, float]:
    """Measure one case, count its c_vec, and return its constants."""
    told, weights = compare(case).constants(), case.weights()
    values = np.linalg.svdvals(networks.end_to_end(weights))
    rounding = 100 * case.depth * max(case.shape) * EPS
    premises = [
        proposition1.balancedness(weights),
        dominance.same_start(values, case.eps**case.depth, rounding),
    ]
    tally.add(-told["c_vec"], ERROR, premises, lambda: case.witness() | told)
    return told


def _random_case(seed: int, eps: float) -> Case:
    """The same seed gives the same target and start for every ε."""
    left, right = Frame(SIZE, (), 2 * seed), Frame(SIZE, (), 2 * seed + 1)
    return Case(left, SPECTRUM, right, DEPTH, eps, 2, seed)


def _registered(tally: Tally, task: Task) -> None:
    """The smallest known counterexample: a turned start in two dimensions, also in closed form."""
    known = witnesses.of(tally.about)
    _attack(tally, witnesses.case(known))
    angle = float(np.arctan2(float(known.sine), float(known.cosine)))
    time, sigma, eps = (float(x) for x in (known.time, known.targets[0], known.eps))
    W = closed_form.plane_flow(np.array([time]), sigma, eps, angle)
    found = spectra.alignments(W, spectra.compact_svd(np.diag([sigma, 0.0])))
    off = float(1 - min(found.left.min(), found.right.min()))
    tally.reproduce(-off, 100 * EPS)


def _random_starts(tally: Tally, task: Task) -> None:
    """Uniformly random starts, the same for every ε."""
    for number in task.rng.integers(0, 2**30, max(4, task.count)):
        for eps in SCALES:
            tally.note("rows", {"eps": eps} | _attack(tally, _random_case(int(number), eps)))


def _conclude(tally: Tally) -> Verdict:
    """How far random starts are from c_vec = 0."""
    return tally.verdict(**_distributions(tally.notes["rows"]))


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
    assumption1.GENERALLY_CLAIM,
    {
        "registered": Part(_registered, share=0.0),
        "random": Part(_random_starts, share=1 / 16, most=10),
    },
    _conclude,
)


def test_generally_c_vec_0() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.contradicted, verdict
    powers = verdict.witness["powers_of_eps"]["t_r"]
    assert abs(powers["power"] - (2 - DEPTH)) < 0.2  # t_r ~ ε^{2−L}
