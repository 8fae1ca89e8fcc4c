"""Thresholding converges: runs until nothing moves, and what their ends are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlnlab import compression
from dlnlab.claims import Premise
from dlnlab.claims import thresholding as claim
from dlnlab.compression import thresholding
from dlnlab.lab.faults import REFUTED, Fault
from dlnlab.lab.recoveries import Recovery, random_recovery
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

from .thresholding_descent import KINDS

__all__ = ["FAULTS", "SETTLED", "STEPS", "SUITE", "end", "judge"]

STEPS = 3000
SETTLED = 1e-6
"""Of τ: how little the last step moves."""


def end(told: Mapping[str, Any]) -> tuple[np.ndarray, float, float, float]:
    """Run thresholding, and return how it ends.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    W : array, shape (d_out, d_in)
    moved, alpha, curvature : float
        Norm of the last step, step size, and L_s.
    """
    recovery, rng = Recovery.from_witness(told), np.random.default_rng(told["seed"])
    A, _, c = recovery.measurements()
    curvature = c * float(np.linalg.norm(A.reshape(len(A), -1), 2)) ** 2
    alpha = told["share"] / curvature
    run = compression.singular_value_thresholding(
        recovery.problem(), told["start"] * rng.standard_normal(recovery.shape),
        penalty=told["lam"] * curvature, rule=told["rule"], eta=alpha, num_steps=STEPS,
        record=("layers",), record_every=STEPS - 1,
    )  # fmt: skip
    before, last = np.asarray(run.layers[0])[-2:]
    return last, float(np.linalg.norm(last - before)), alpha, curvature


def judge(told: Mapping[str, Any]) -> tuple[float, float, list[Premise]]:
    """Judge the end of a run, provided that it has settled.

    The last step W → W⁺ drops −α∇ℓ(W) + (W − W⁺), and ∇ℓ(W⁺) differs from ∇ℓ(W) by L_s‖ΔW‖ at
    most: so W⁺ breaks the conditions by (1 + αL_s)‖ΔW‖ ≤ 2‖ΔW‖ at most, in units of τ, or of αλ.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    margin, error : float
        The scale-free margin, and the bound on its numerical error.
    premises : list of Premise
    """
    W, moved, alpha, curvature = end(told)
    G, lam = Recovery.from_witness(told).problem().gradient(W), told["lam"] * curvature
    tau = claim.threshold(lam, alpha)
    settled = Premise(
        "settled", "the last step moved by τ/10⁶ at most", 1 - moved / (SETTLED * tau)
    )
    if told["rule"] == "soft":
        error = 2 * moved / (alpha * lam) + 1e-11
        return claim.minimal_margin(W, G, lam), error, [settled]
    rank = int(np.sum(np.linalg.svd(W, compute_uv=False) > tau / 1e3))
    found = claim.conditions(W, G, rank, lam, alpha)
    return claim.settled_margin(found), 2 * moved / tau + 1e-11, [settled]


def _random(tally: Tally, task: Task) -> None:
    """Both rules from random starts, 3000 steps; runs that have not settled then do not count."""
    rng = task.rng
    for number in range(task.count):
        shape = (int(rng.integers(2, 6)), int(rng.integers(2, 6)))
        told = random_recovery(rng, KINDS[number % len(KINDS)], shape).witness() | {
            "rule": ("hard", "soft")[number % 2],
            "share": float(rng.uniform(0.3, 0.95)),
            "lam": float(10.0 ** rng.uniform(-2, -0.5)),
            "start": float(10.0 ** rng.uniform(-1, 1)),
            "seed": int(rng.integers(0, 2**31)),
        }
        margin, error, premises = judge(told)
        tally.add(margin, error, premises, told)


SUITE = Suite(claim.CONVERGES, {"random": Part(_random, share=0.1)})

FAULTS = (
    Fault("thresholding_converges", "soft for hard and hard for soft", REFUTED, thresholding,
          "_shrunk", lambda right: lambda W, amount, rule:
          right(W, amount, {"hard": "soft", "soft": "hard"}[rule])),
    Fault("thresholding_converges", "half the threshold", REFUTED, claim, "threshold",
          lambda right: lambda lam, alpha: right(lam / 4, alpha)),
)  # fmt: skip


def test_thresholding_converges() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
