"""How close a factor is to a second-order minimum of the penalized objective.

At an approximate second-order minimum the gradient is small and the Hessian has no eigenvalue far
below zero; about such points speaks the theorem of Rajaraman et al. 2023.  The smallest eigenvalue
is found by Lanczos iteration, from products with the Hessian alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse.linalg

from dlnlab.compression import penalty as smooth
from dlnlab.compression.runs import checked_factor, checked_square
from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array
from dlnlab.problems import Problem

__all__ = ["Stationarity", "stationarity"]


class Stationarity(NamedTuple):
    """First and second order at a factor.

    Attributes
    ----------
    gradient_norm : float
        ‖∇f(U)‖_F.
    smallest_eigenvalue : float
        Of ∇²f(U), on the space of d × k matrices.  Turns U → UQ leave 2ℓ as it is, so without a
        penalty it is ≤ 0 at a stationary point.
    """

    gradient_norm: float
    smallest_eigenvalue: float


def stationarity(
    problem: Problem, factor: Array, *, penalty: float = 0.0, smoothing: float = 1.0
) -> Stationarity:
    """Return the gradient norm and the smallest Hessian eigenvalue of f(U) = 2ℓ(U Uᵀ) + λ R_β(U).

    Parameters
    ----------
    problem : Problem
        Of square shape (d, d), on the host or on a device.
    factor : array, shape (d, k)
        U.
    penalty, smoothing : float
        λ ≥ 0 and β > 0.

    Returns
    -------
    Stationarity
        The eigenvalue to a relative precision of 1e-6 of the Hessian's norm.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> problem = dlnlab.factorization(np.diag([1.0, 0.25]))
    >>> found = dlnlab.compression.stationarity(problem, np.zeros((2, 2)), penalty=0.01)
    >>> round(found.smallest_eigenvalue, 6)  # −4σ_1² + 2λ/√β
    -3.98
    """
    checked_square(problem)
    U = checked_factor("factor", problem, factor)
    lam = checks.nonnegative("penalty", penalty) or None
    beta = checks.positive("smoothing", smoothing)
    if U.ndim != 2 or problem.batch:
        raise ValueError(
            f"`factor` must have no batch axes, nor `problem`, got shape {tuple(U.shape)}; look at "
            "the members one by one"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        gradient = arrays.to_host(smooth.gradient(problem, U, lam, beta))
    if not np.isfinite(gradient).all():
        raise ValueError(
            f"`factor` must have a finite gradient, got {checks.describe(U)} with entries up to "
            f"{float(np.max(np.abs(arrays.to_host(U)))):.3g}; use other units"
        )

    def product(vector: np.ndarray) -> np.ndarray:
        D = arrays.like(vector.reshape(U.shape), U)
        moved = smooth.hessian_product(problem, U, D, lam, beta)
        return arrays.to_host(moved).astype(float).reshape(-1)

    return Stationarity(float(np.linalg.norm(gradient)), _smallest(product, gradient.size))


def _smallest(product: Any, size: int) -> float:
    """Return the smallest eigenvalue of a symmetric map given by its products."""
    if size <= 32:  # Lanczos iteration needs more room than that
        return float(np.linalg.eigvalsh(np.stack([product(row) for row in np.eye(size)]))[0])
    operator = scipy.sparse.linalg.LinearOperator((size, size), matvec=product, dtype=float)
    start = np.random.default_rng(0).standard_normal(size)
    found = scipy.sparse.linalg.eigsh(
        operator, k=1, which="SA", v0=start, tol=1e-6, return_eigenvectors=False, ncv=64
    )
    return float(found[0])
