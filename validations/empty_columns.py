"""Empty columns: their curvature by products with the Hessian, and whether descent fills them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.optimize

from dlnlab import compression, problems
from dlnlab.claims import pruning
from dlnlab.claims.pruning import EPS
from dlnlab.compression import penalty
from dlnlab.lab.faults import REFUTED, Fault
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["FAULTS", "SEED", "STEPS", "SUITE", "curvatures", "judge"]

SEED, STEPS = 1e-7, 50
"""Norm of the column that descent starts from, and how many steps it takes."""


def curvatures(told: Mapping[str, Any]) -> np.ndarray:
    """Return the eigenvalues of the Hessian on the last column of U, which is empty.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    array, shape (d,)
        In rising order.
    """
    U, problem = np.array(told["factor"]), problems.factorization(np.array(told["target"]))
    rows = []
    for e in np.eye(len(U)):
        D = np.zeros_like(U)
        D[:, -1] = e
        rows.append(penalty.hessian_product(problem, U, D, told["lam"], told["beta"])[:, -1])
    return np.linalg.eigvalsh(np.stack(rows))


def judge(told: Mapping[str, Any]) -> tuple[float, float]:
    """Return the margin of one instance, and the bound on its numerical error.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    margin, error : float
        The scale-free margin, and the bound on its numerical error.
    """
    M, U, lam, beta = np.array(told["target"]), np.array(told["factor"]), told["lam"], told["beta"]
    expected = pruning.empty_curvature(M, U, lam, beta)
    size = 2 * lam / np.sqrt(beta) + 4 * float(np.linalg.norm(M - U @ U.T))
    if told["part"] == "pruned":  # roots of the stationary equation are found to 1e-12
        return min(expected, float(curvatures(told)[0])) / size, 1e-10
    if told["part"] == "curvature":
        return -abs(curvatures(told)[0] - expected) / size, 40 * len(M) * EPS
    return _filled(M, lam, beta, expected, size), 1e-3


def _filled(M: np.ndarray, lam: float, beta: float, expected: float, size: float) -> float:
    """Return how fast descent fills a column from 1e-7, as the curvature says: (1 − ηc)^n.

    Along the leading eigenvector of M, from U = 0; what c says to first order holds to (1e-7)²/β,
    and while the column stays small: so few steps that it grows by e at most.
    """
    v = np.linalg.eigh(M)[1][:, -1:]
    eta = 1.0 / (STEPS * size)
    run = compression.group_lasso(
        problems.factorization(M), 1, penalty=lam, smoothing=beta, eta=eta, num_steps=STEPS,
        factor=SEED * v, record=(), record_every=STEPS,
    )  # fmt: skip
    grown = float(np.log(np.linalg.norm(run.factor) / SEED))
    return float(np.sign(-expected)) * grown * size / abs(expected)


def _settled(M: np.ndarray, lam: float, beta: float) -> np.ndarray | None:
    """Orthogonal stationary columns for every eigenvalue of M, and an empty one; None if none."""
    squares, V = np.linalg.eigh(M)
    columns = [np.zeros(len(M))]
    for square, v in zip(squares, V.T, strict=True):
        if square < 1e-9:
            continue

        def slope(s: float, square: float = square) -> float:
            return 4 * (s - square) + lam * float(pruning.weight(np.array(s), beta))

        grid = np.linspace(0, square, 400)[1:]
        low = grid[np.argmin([slope(s) for s in grid])]
        if slope(low) >= 0:
            return None
        columns.append(np.sqrt(scipy.optimize.brentq(slope, low, square, xtol=1e-14)) * v)
    return np.stack(columns[::-1], axis=1)


def _instance(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float, float]:
    d = int(rng.integers(2, 6))
    r = int(rng.integers(1, d + 1))
    factor = np.linalg.qr(rng.standard_normal((d, r)))[0] * rng.uniform(0.4, 1.3, r)
    beta = float(10.0 ** rng.uniform(-4, 1))
    M = factor @ factor.T
    lam = float(2 * np.sqrt(beta) * np.linalg.eigvalsh(M)[-1] * 10.0 ** rng.uniform(-1, 0.5))
    U = rng.standard_normal((d, int(rng.integers(2, 5)))) / 2
    U[:, -1] = 0.0
    return M, U, lam, beta


def _told(M: np.ndarray, U: np.ndarray, lam: float, beta: float, part: str) -> dict[str, Any]:
    told = {"target": M.tolist(), "factor": U.tolist(), "lam": lam, "beta": beta, "part": part}
    return told | {"shape": U.shape}


def _curvature(tally: Tally, task: Task) -> None:
    """The least eigenvalue of the Hessian on the empty column of a random U."""
    rng = task.rng
    for _ in range(task.count):
        told = _told(*_instance(rng), "curvature")
        tally.add(*judge(told), [], told)


def _pruned(tally: Tally, task: Task) -> None:
    """The same next to orthogonal stationary columns for all eigenvalues: positive for any β."""
    rng = task.rng
    for _ in range(task.count):
        M, _, lam, beta = _instance(rng)
        lam = lam * float(rng.uniform(0, 1))
        if (U := _settled(M, lam, beta)) is not None:
            told = _told(M, U, lam, beta, "pruned")
            tally.add(*judge(told), [], told)


def _descent(tally: Tally, task: Task) -> None:
    """Descent from a column of norm 1e-7: it grows or shrinks as the curvature predicts."""
    rng = task.rng
    for _ in range(task.count):
        M, _, lam, beta = _instance(rng)
        U = np.zeros((len(M), 1))
        told = _told(M, U, lam, beta, "descent")
        tally.add(*judge(told), [], told)


SUITE = Suite(
    pruning.EMPTY,
    {"curvature": Part(_curvature), "pruned": Part(_pruned), "descent": Part(_descent, share=0.2)},
)

FAULTS = (
    Fault("empty_columns", "a tenth more penalty", REFUTED, penalty, "_slope",
          lambda right: lambda s, beta: 1.1 * right(s, beta)),
    Fault("empty_columns", "β for √β", REFUTED, pruning, "empty_curvature",
          lambda right: lambda M, U, lam, beta: right(M, U, lam, beta**2)),
)  # fmt: skip


def test_empty_columns() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
