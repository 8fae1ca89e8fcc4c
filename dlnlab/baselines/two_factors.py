"""Burer–Monteiro: gradient descent on the two factors of W = A B.

It is descent on a deep linear network of depth two with its own start, so it is carried out by
`gradient_descent` and nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.numerics import checks
from dlnlab.problems import Problem
from dlnlab.training.descent import gradient_descent
from dlnlab.training.trajectory import Trajectory

__all__ = ["burer_monteiro"]


def burer_monteiro(
    problem: Problem,
    rank: int,
    *,
    eta: Any,
    num_steps: int,
    init: str = "gaussian",
    eps: float = 1e-3,
    rng: np.random.Generator | int = 0,
    **options: Any,
) -> Trajectory:
    """Run gradient descent on ℓ(A B) over A (d_out × rank) and B (rank × d_in).

    Parameters
    ----------
    problem : Problem
    rank : int
        Columns of A, between 1 and min(d_out, d_in).
    eta : float or array
        Step size.
    num_steps : int
    init : {"gaussian", "spectral"}
        "gaussian": independent entries, so small that singular values are of order `eps`.
        "spectral": the balanced factors of the surrogate's best approximation of that rank.
    eps : float
        Scale of a Gaussian start.
    rng : numpy.random.Generator or int
        For a Gaussian start, and for the orders of minibatches.
    **options
        Everything else of `dlnlab.gradient_descent`: `record`, `record_every`, `tol`, `checkpoint`…

    Returns
    -------
    Trajectory
        Its `weights` are (B, A).

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.

    Examples
    --------
    >>> import dlnlab
    >>> M = dlnlab.random_target((20, 20), 2, rng=0)
    >>> run = dlnlab.baselines.burer_monteiro(
    ...     dlnlab.factorization(M), 2, eta=0.5, num_steps=500, eps=0.1, tol=1e-20
    ... )
    >>> run.status, bool(run.errors[-1] < 1e-9)
    (<Status.CONVERGED: 'converged'>, True)
    """
    networks.check_problem(problem)
    rank = checks.integer("rank", rank, 1, min(problem.shape))
    checks.random_source("rng", rng)
    checks.positive("eps", eps)
    weights = networks.two_factors(problem, rank, init, eps, rng)
    return gradient_descent(problem, weights, eta=eta, num_steps=num_steps, rng=rng, **options)
