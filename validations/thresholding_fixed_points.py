"""Fixed points of hard thresholding: matrices that meet all conditions, or break one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlnlab import compression, problems
from dlnlab.claims import thresholding as claim
from dlnlab.claims.thresholding import EPS
from dlnlab.compression import thresholding
from dlnlab.lab.faults import REFUTED, Fault
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["FAULTS", "KINDS", "SUITE", "judge", "step"]

KINDS = ("fixed", "steep", "tangent", "small", "zero", "zero, steep")


def step(told: Mapping[str, Any]) -> np.ndarray:
    """Take one step W⁺ on ℓ = ½‖W − M‖², where M gives W the gradient of the instance.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    array, shape (d_out, d_in)
    """
    W, G = np.array(told["matrix"]), np.array(told["gradient"])
    run = compression.singular_value_thresholding(
        problems.factorization(W - G), W, penalty=told["lam"], eta=told["alpha"], num_steps=1,
        record=(),
    )  # fmt: skip
    return np.asarray(run.weights[0])


def judge(told: Mapping[str, Any]) -> tuple[float, float]:
    """Judge one matrix, in units of the threshold τ.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    margin, error : float
        The scale-free margin, and the bound on its numerical error.
    """
    W, G, lam, alpha = (np.array(told[key]) for key in ("matrix", "gradient", "lam", "alpha"))
    tau = claim.threshold(float(lam), float(alpha))
    size = float(np.linalg.norm(W) + alpha * np.linalg.norm(G))
    error = 100 * sum(W.shape) * EPS * size / tau
    found = claim.conditions(W, G, told["rank"], float(lam), float(alpha))
    moved = float(np.linalg.norm(step(told) - W)) / tau
    given = found, moved, error
    return claim.fixed_margin(*given), claim.fixed_error(*given)


def _instance(rng: np.random.Generator, kind: str) -> dict[str, Any]:
    rows, columns = (int(n) for n in rng.integers(2, 6, 2))
    lam, alpha = 10.0 ** rng.uniform(-2, 0), float(rng.uniform(0.1, 0.95))
    tau = claim.threshold(lam, alpha)
    rank = 0 if kind.startswith("zero") else int(rng.integers(1, min(rows, columns)))
    U, V = (np.linalg.qr(rng.standard_normal((n, n)))[0] for n in (rows, columns))
    values = tau * (1 + 10.0 ** rng.uniform(-2, 1, rank))
    if kind == "small":
        values[-1] = tau * rng.uniform(0.1, 0.99)
    steep = tau / alpha * (rng.uniform(1.01, 3) if "steep" in kind else rng.uniform(0, 0.99))
    normal = np.zeros((rows - rank, columns - rank))
    np.fill_diagonal(normal, steep * rng.uniform(0, 1, min(normal.shape)))
    normal[0, 0] = steep
    G = U[:, rank:] @ normal @ V[:, rank:].T
    if kind == "tangent":
        pushed = rng.standard_normal((rows, columns)) * 10.0 ** rng.uniform(-4, 0)
        G = G + U[:, :rank] @ (U[:, :rank].T @ pushed)
    return {
        "matrix": ((U[:, :rank] * values) @ V[:, :rank].T).tolist(),
        "gradient": G.tolist(),
        "lam": lam,
        "alpha": alpha,
        "rank": rank,
        "kind": kind,
        "shape": (rows, columns),
    }


def _random(tally: Tally, task: Task) -> None:
    """Matrices that meet all conditions; matrices that violate one by a hundredth or more (a
    gradient that is too large or has a tangent part, a singular value below the threshold); and
    zero.
    """
    rng = task.rng
    for number in range(task.count):
        told = _instance(rng, KINDS[number % len(KINDS)])
        tally.add(*judge(told), [], told)


SUITE = Suite(claim.FIXED, {"random": Part(_random)})

FAULTS = (
    Fault("thresholding_fixed_points", "soft for hard", REFUTED, thresholding, "_shrunk",
          lambda right: lambda W, amount, rule: right(W, amount, "soft")),
    Fault("thresholding_fixed_points", "values from 2√(2αλ) on", REFUTED, thresholding, "_shrunk",
          lambda right: lambda W, amount, rule: right(W, 4 * amount, rule)),
    Fault("thresholding_fixed_points", "λ/α for 2λ/α", REFUTED, claim, "threshold",
          lambda right: lambda lam, alpha: right(lam / 2, alpha)),
)  # fmt: skip


def test_thresholding_fixed_points() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
