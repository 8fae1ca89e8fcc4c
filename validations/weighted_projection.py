"""Weighted projection: competitors of rank k, random and improved; singular covariances, too."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlnlab import compression
from dlnlab.claims import weighted_projection
from dlnlab.lab.faults import REFUTED, Fault
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["FAULTS", "ROUNDS", "SUITE"]

ROUNDS = 20
"""Of alternating least squares, each of which lowers the error of a competitor."""


def _attack(
    tally: Tally, W: np.ndarray, V: np.ndarray, X: np.ndarray, rank: int, told: dict[str, Any]
) -> None:
    """Compare the projection with a competitor V, for inputs of covariance X Xᵀ."""
    best = compression.weighted_svd(W, rank, X @ X.T)
    margin = float(weighted_projection.margins(W, best, V, X))
    error = weighted_projection.rounding((*W.shape, *X.shape))
    premises = [weighted_projection.at_most(V, rank)]
    tally.add(margin, error, premises, told)


def _instance(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """W, X and k; X has fewer columns than rows, a singular covariance, about as often as not."""
    rows, columns, inputs = (int(n) for n in rng.integers(2, 8, 3))
    W = rng.standard_normal((rows, columns))
    X = rng.standard_normal((columns, inputs)) * 10.0 ** rng.uniform(-1, 1, (columns, 1))
    return W, X, int(rng.integers(1, min(rows, columns)))


def _descended(W: np.ndarray, B: np.ndarray, X: np.ndarray) -> np.ndarray:
    """B A after alternating least squares in A and B, from a random B; rank stays that of B."""
    for _ in range(ROUNDS):
        A = np.linalg.pinv(B) @ W
        B = W @ X @ np.linalg.pinv(A @ X)
    return B @ (np.linalg.pinv(B) @ W)


def _random(tally: Tally, task: Task) -> None:
    """Competitors of rank k: random ones, the truncated SVD, and a small change of the optimum."""
    rng = task.rng
    for number in range(task.count):
        W, X, k = _instance(rng)
        B, A = rng.standard_normal((W.shape[0], k)), rng.standard_normal((k, W.shape[1]))
        if number % 3 == 0:
            kind, V = "random", B @ A * np.linalg.norm(W) / np.linalg.norm(B @ A)
        elif number % 3 == 1:
            kind, V = "truncated", compression.truncated_svd(W, k)
        else:
            # of more directions than inputs have, the last would be those of rounding
            best = compression.weighted_svd(W, min(k, X.shape[1]), X @ X.T)
            near = best + 10.0 ** rng.uniform(-9, -1) * (B @ A)
            kind, V = "near", compression.truncated_svd(near, k)
        told = {"kind": kind, "seed": task.seed, "number": number, "shape": W.shape, "k": k}
        _attack(tally, W, V, X, k, told)


def _alternating(tally: Tally, task: Task) -> None:
    """Competitors that alternating least squares has brought down from a random start."""
    rng = task.rng
    for number in range(task.count):
        W, X, k = _instance(rng)
        V = _descended(W, rng.standard_normal((W.shape[0], k)), X)
        told = {"kind": "alternating", "seed": task.seed, "number": number, "shape": W.shape}
        _attack(tally, W, V, X, k, told | {"k": k})


SUITE = Suite(
    weighted_projection.CLAIM,
    {"random": Part(_random, share=4.0), "alternating": Part(_alternating)},
)


def _unweighted(right: Any) -> Any:
    return lambda W, rank, covariance: compression.truncated_svd(W, rank)


def _diagonal(right: Any) -> Any:
    return lambda W, rank, covariance: right(W, rank, np.diag(np.diag(covariance)))


FAULTS = (
    Fault("weighted_projection", "covariance forgotten", REFUTED, compression, "weighted_svd",
          _unweighted),
    Fault("weighted_projection", "diagonal alone", REFUTED, compression, "weighted_svd", _diagonal),
    Fault("weighted_projection", "wrong sign", REFUTED, weighted_projection, "margins",
          lambda right: lambda *arguments: -right(*arguments)),
)  # fmt: skip


def test_weighted_projection() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
