"""Thresholding lowers the penalized loss: steps on every kind of problem, and changes of rank."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dlnlab import compression
from dlnlab.claims import thresholding as claim
from dlnlab.claims.thresholding import EPS
from dlnlab.compression import thresholding
from dlnlab.lab.faults import REFUTED, Fault
from dlnlab.lab.recoveries import Recovery, random_recovery
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["FAULTS", "KINDS", "STEPS", "SUITE", "Fall", "judge", "run"]

KINDS = ("identity", "mask", "sensing", "operator")
STEPS = 40


class Fall(NamedTuple):
    """The record of a run: Φ, squared steps and ranks.

    Attributes
    ----------
    phi : array, shape (records,)
        Φ.
    moved : array, shape (records − 1,)
        ‖ΔW‖².
    ranks : array of int, shape (records,)
    alpha, curvature : float
        α and L_s.
    """

    phi: np.ndarray
    moved: np.ndarray
    ranks: np.ndarray
    alpha: float
    curvature: float


def run(told: Mapping[str, Any]) -> Fall:
    """Run singular value thresholding from a random start.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    Fall
    """
    recovery, rng = Recovery.from_witness(told), np.random.default_rng(told["seed"])
    A, _, c = recovery.measurements()
    curvature = c * float(np.linalg.norm(A.reshape(len(A), -1), 2)) ** 2
    alpha = told["share"] / curvature
    found = compression.singular_value_thresholding(
        recovery.problem(), told["start"] * rng.standard_normal(recovery.shape),
        penalty=told["lam"], rule=told["rule"], eta=alpha, num_steps=STEPS,
        record=("loss", "layers", "singular_values"),
    )  # fmt: skip
    assert found.singular_values is not None  # asked for, as the layers are
    assert found.layers is not None
    s = np.asarray(found.singular_values)
    ranks = np.sum(s > 1e-12 * max(1.0, float(np.max(s))), axis=1)
    size = ranks if told["rule"] == "hard" else np.sum(s, axis=1)
    moved = np.sum(np.diff(found.layers[0], axis=0) ** 2, axis=(1, 2))
    return Fall(np.asarray(found.losses) + told["lam"] * size, moved, ranks, alpha, curvature)


def judge(told: Mapping[str, Any]) -> tuple[float, float]:
    """Return the worst step of a run, or its count of changes of rank, and the rounding.

    Φ is a sum of m squares and min(d) values; 100 of either cover the singular values, too.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    margin, error : float
        The scale-free margin, and the bound on its numerical error.
    """
    found = run(told)
    margin = float(np.min(claim.fall_margins(found.phi, found.moved, found.alpha, found.curvature)))
    if told["rule"] == "hard":
        counted = (found.ranks, found.phi, told["lam"], found.alpha, found.curvature)
        margin = min(margin, claim.changes_margin(*counted))
    return margin, 100 * (int(np.prod(told["shape"])) + 10) * EPS


def _random(tally: Tally, task: Task) -> None:
    """Random starts, steps up to 1/L_s and penalties, both rules, for every kind of problem."""
    rng = task.rng
    for number in range(task.count):
        shape = (int(rng.integers(2, 6)), int(rng.integers(2, 6)))
        told = random_recovery(rng, KINDS[number % len(KINDS)], shape).witness() | {
            "rule": ("hard", "soft")[number // 4 % 2],
            "share": float(rng.uniform(0.05, 0.95)),
            "lam": float(10.0 ** rng.uniform(-3, 0)),
            "start": float(10.0 ** rng.uniform(-1, 1)),
            "seed": int(rng.integers(0, 2**31)),
        }
        tally.add(*judge(told), [], told)


SUITE = Suite(claim.DESCENT, {"random": Part(_random)})

FAULTS = (
    Fault("thresholding_descent", "values kept from √τ on", REFUTED, thresholding, "_shrunk",
          lambda right: lambda W, amount, rule: right(W, 9 * amount, rule)),
    Fault("thresholding_descent", "twice the fall", REFUTED, claim, "fall_margins",
          lambda right: lambda phi, moved, alpha, L: right(phi, 3 * moved, alpha, L)),
)  # fmt: skip


def test_thresholding_descent() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
