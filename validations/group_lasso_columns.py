"""Columns that the group Lasso keeps: where descent from random starts ends, measured there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dlnlab import compression, problems
from dlnlab.claims import Premise, pruning
from dlnlab.compression import penalty
from dlnlab.lab.faults import REFUTED, UNMET, Fault
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["FAULTS", "STEPS", "SUITE", "End", "descend", "target"]

STEPS = 6000


class End(NamedTuple):
    """The end of a descent: its columns, and its distance from a minimum.

    Attributes
    ----------
    factor : array, shape (d, k)
    parts : dict
        The margin of each part of the statement.
    error : float
    premises : tuple of Premise
    """

    factor: np.ndarray
    parts: dict[str, float]
    error: float
    premises: tuple[Premise, ...]


def target(told: Mapping[str, Any]) -> np.ndarray:
    """Return M with the eigenvalues σ_i² of an instance.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    array, shape (d, d)
    """
    rng, sigma = np.random.default_rng(told["seed"]), np.array(told["sigma"])
    frame = np.linalg.qr(rng.standard_normal((told["shape"][0], len(sigma))))[0] * sigma
    return frame @ frame.T


def descend(told: Mapping[str, Any]) -> End:
    """Train with the penalty, and measure gradient, Hessian and columns at the end.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    End
    """
    M, squares = target(told), np.array(told["sigma"]) ** 2
    lam, beta, problem = told["lam"], told["beta"], problems.factorization(M)
    size = 8 * squares[0] + 2 * lam / np.sqrt(beta)  # no curvature is larger
    run = compression.group_lasso(
        problem, told["shape"][1], penalty=lam, smoothing=beta, eta=1.0 / size,
        num_steps=STEPS, rng=told["seed"], record=(), record_every=STEPS,
    )  # fmt: skip
    point = compression.stationarity(problem, run.factor, penalty=lam, smoothing=beta)
    distance = 2 * point.gradient_norm / max(point.smallest_eigenvalue, 1e-12)
    return End(
        run.factor,
        pruning.column_margins(run.factor, M, squares, lam, beta),
        pruning.column_error(distance, squares, lam, beta),
        pruning.near_a_minimum(distance, beta, point.smallest_eigenvalue, size),
    )


def _random(tally: Tally, task: Task) -> None:
    """Descent with the penalty from random starts, more columns than the rank, some directions too
    weak to be learned; gradient and smallest eigenvalue of the Hessian are measured at its end.
    """
    rng = task.rng
    for _ in range(task.count):
        d = int(rng.integers(2, 6))
        r = int(rng.integers(1, min(d, 3) + 1))
        sigma = np.sort(rng.uniform(0.5, 1.3, r))[::-1]
        told = {
            "shape": (d, r + int(rng.integers(1, 4))),
            "sigma": sigma.tolist(),
            "lam": float(rng.uniform(0.05, 0.3)),
            "beta": float(10.0 ** rng.uniform(-3, -2)),
            "seed": int(rng.integers(0, 2**31)),
        }
        end = descend(told)
        tally.add(min(end.parts.values()), end.error, end.premises, told)


SUITE = Suite(pruning.COLUMNS, {"random": Part(_random, share=0.1)})

FAULTS = (
    Fault("group_lasso_columns", "half the slope of the penalty", UNMET, penalty,
          "_slope", lambda right: lambda s, beta: 0.5 * right(s, beta)),
    Fault("group_lasso_columns", "twice the shrinkage", REFUTED, pruning, "weight",
          lambda right: lambda s, beta: 2 * right(s, beta)),
)  # fmt: skip


def test_group_lasso_columns() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
