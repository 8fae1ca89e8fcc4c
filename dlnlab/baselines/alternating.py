"""Alternating minimization: exact least squares in one factor of W = A B after the other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.baselines.least_squares import half_steps
from dlnlab.networks import Weights
from dlnlab.numerics import checks
from dlnlab.problems import Completion, SampledCompletion, Sensing
from dlnlab.training.objective import Look, check_record, recorder
from dlnlab.training.recorder import Recorder
from dlnlab.training.trajectory import Status, Trajectory

__all__ = ["RIDGES", "alternating_minimization"]

RIDGES = ("row", "entry")


def alternating_minimization(
    problem: Completion | SampledCompletion | Sensing,
    rank: int,
    *,
    num_iterations: int,
    ridge: float = 0.0,
    ridge_per: str = "row",
    init: str = "spectral",
    rng: np.random.Generator | int = 0,
    record: Sequence[str] = ("loss", "error", "singular_values"),
    tol: float = 0.0,
) -> Trajectory:
    """Minimize ℓ(A B) + λ/2 (‖A‖_F² + ‖B‖_F²) over A and B in turn, each time exactly.

    Parameters
    ----------
    problem : Completion, SampledCompletion or Sensing
        On the host, without batch axes.
    rank : int
        Columns of A, between 1 and min(d_out, d_in).
    num_iterations : int
        Number of iterations, each of which solves for A and then for B.
    ridge : float
        λ ≥ 0, in the units of ℓ: `normalization="mean"` divides the loss, not the ridge.  Without a
        ridge, the fixed factor is orthonormalized before each half-step, which changes nothing in
        exact arithmetic and keeps the equations as well conditioned as the measurements allow; what
        they leave open is set to the solution of least norm.
    ridge_per : {"row", "entry"}
        "entry" multiplies the ridge of every row of A, and of every column of B, by the number of
        observed entries in it (Zhou, Wilkinson, Schreiber and Pan 2008); completion only.
    init : {"spectral", "gaussian"}
        Start from the surrogate's best approximation of that rank (Jain, Netrapalli and Sanghavi
        2013), or from Gaussian factors.
    rng : numpy.random.Generator or int
        For a Gaussian start.
    record : sequence of str
        As in `gradient_descent`; recorded at the start and after every iteration.
    tol : float
        End once the loss ℓ(A B) is ≤ `tol`.

    Returns
    -------
    Trajectory
        Its `weights` are (B, A); `steps` and `times` count iterations.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range, or the problem is of another kind.

    Notes
    -----
    ℓ + λ/2 (‖A‖² + ‖B‖²) never increases; with λ = 0 that is the recorded loss.  For n observed
    entries an iteration takes of the order of n r² + (d_out + d_in) r³ operations and never forms a
    d_out × d_in matrix; for m sensing matrices m d_out d_in r + m (d_out² + d_in²) r².

    Examples
    --------
    >>> import dlnlab
    >>> M = dlnlab.random_target((40, 30), 2, rng=0)
    >>> problem = dlnlab.completion(M, dlnlab.random_mask((40, 30), 0.5, rng=0))
    >>> run = dlnlab.baselines.alternating_minimization(problem, 2, num_iterations=50, tol=1e-24)
    >>> run.status, bool(run.errors[-1] < 1e-9)
    (<Status.CONVERGED: 'converged'>, True)
    """
    networks.check_problem(problem)
    rank = checks.integer("rank", rank, 1, min(problem.shape))
    num_iterations = checks.integer("num_iterations", num_iterations, 0)
    ridge, tol = checks.nonnegative("ridge", ridge), checks.nonnegative("tol", tol)
    records = recorder(problem, check_record(record))
    init = checks.choice("init", init, networks.FACTOR_STARTS)
    checks.random_source("rng", rng)
    left, right = half_steps(
        problem, ridge, checks.choice("ridge_per", ridge_per, RIDGES) == "entry"
    )
    B, A = networks.two_factors(problem, rank, init, 1.0, rng)
    started = time.monotonic()
    for iteration in range(num_iterations + 1):
        if iteration:
            A = _prepared(left.solve(_prepared(B.T, ridge)), ridge)
            B = right.solve(A).T
        converged = _record(problem, records, iteration, (B, A)) <= tol > 0
        if converged:
            break
    status = Status.CONVERGED if converged else Status.COMPLETED
    return records.finish((B, A), status, time.monotonic() - started)


def _prepared(factor: np.ndarray, ridge: float) -> np.ndarray:
    """Orthonormalize the fixed factor, unless a ridge makes its size matter."""
    return factor if ridge else np.linalg.qr(factor)[0]


def _record(problem: Any, records: Recorder, iteration: int, weights: Weights) -> float:
    """Take a record and return the loss."""
    B, A = weights
    W = problem.compose(A, B)
    records.take(iteration, float(iteration), Look(problem, weights, W))
    recorded = records.rows[-1].get("losses")
    return float(problem.loss(W) if recorded is None else recorded)
