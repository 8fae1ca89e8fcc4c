"""Burer–Monteiro: gradient descent on the two factors of W = A B.

It is descent on a deep linear network of depth two with its own start, so it is carried out by
`gradient_descent` and nothing else.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.networks import Weights
from dlnlab.numerics import arrays, checks
from dlnlab.problems import Problem
from dlnlab.problems.targets import FactoredTarget
from dlnlab.training.descent import gradient_descent
from dlnlab.training.trajectory import Trajectory

__all__ = ["burer_monteiro", "spectral_factors"]

STARTS = ("random", "spectral")


def burer_monteiro(
    problem: Problem,
    rank: int,
    *,
    eta: Any,
    num_steps: int,
    init: str = "random",
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
    init : {"random", "spectral"}
        "random": Gaussian entries, so small that singular values are of order `eps`.  "spectral":
        the balanced factors of the surrogate's best approximation of that rank.
    eps : float
        Size of a random start.
    rng : numpy.random.Generator or int
        For a random start.
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
    if checks.choice("init", init, STARTS) == "spectral":
        weights = spectral_factors(problem, rank)
    else:
        weights = networks.original_weights(
            problem.shape, 2, eps, rng=rng, init="gaussian", width=rank, like=problem.reference
        )
    return gradient_descent(problem, weights, eta=eta, num_steps=num_steps, **options)


def spectral_factors(problem: Problem, rank: int) -> Weights:
    """Return balanced factors of the best rank-`rank` approximation of the problem's surrogate.

    With the surrogate's top singular triples U, S, V they are B = S^{1/2} Vᵀ and A = U S^{1/2}.

    Parameters
    ----------
    problem : Problem
    rank : int
        Between 1 and min(d_out, d_in).

    Returns
    -------
    (B, A) : arrays, shapes (..., rank, d_in) and (..., d_out, rank)

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.
    """
    networks.check_problem(problem)
    rank = checks.integer("rank", rank, 1, min(problem.shape))
    Vh, U = networks.compressed_weights(problem, rank, 2, 1.0)
    surrogate = problem.surrogate_for(rank)
    if isinstance(surrogate, FactoredTarget):
        image = (surrogate.U * surrogate.s) @ (surrogate.Vh @ Vh.mT)
    else:
        image = surrogate @ Vh.mT
    xp = arrays.namespace(U)
    values = xp.sum(U * image, axis=-2)  # σ_i = u_iᵀ S v_i ≥ 0, but for rounding
    roots = xp.sqrt(xp.maximum(values, xp.zeros_like(values)))
    return roots[..., :, None] * Vh, U * roots[..., None, :]
