"""Weighted projection: the best matrix of rank k for a layer with inputs of covariance C.

For inputs x with E[x xᵀ] = C the mean squared output error of a replacement V of W is
E‖(W − V)x‖² = tr (W − V) C (W − V)ᵀ.  The projection is V* = U_k U_kᵀ W, U_k the first k left
singular vectors of W C^{1/2}; for a Gaussian output it is that of Shumaylov et al. 2025.
"""

from __future__ import annotations

import numpy as np

from dlnlab.claims.claim import Claim, proved
from dlnlab.claims.verdict import Premise

__all__ = ["CLAIM", "EPS", "SOURCE", "STATEMENT", "at_most", "errors", "margins", "rounding"]

STATEMENT = (
    "Among all V of rank at most k, U_k U_kᵀ W, with U_k the first k left singular vectors of W "
    "C^{1/2}, minimizes E‖(W − V)x‖² for inputs with E[x xᵀ] = C, for every positive semidefinite "
    "C."
)
SOURCE = "dlnlab; the projection of Shumaylov et al. 2025 for a Gaussian output"
CLAIM = Claim(
    "weighted_projection", "Weighted projection", STATEMENT, SOURCE, proved("weighted_projection")
)

EPS = float(np.finfo(float).eps)


def errors(W: np.ndarray, V: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Return ‖(W − V) X‖_F², the output error for C = X Xᵀ, without any root of C.

    Parameters
    ----------
    W, V : array, shape (..., d_out, d_in)
    factor : array, shape (..., d_in, n)
        X.

    Returns
    -------
    array, shape (...,)
    """
    return np.sum(((W - V) @ factor) ** 2, axis=(-2, -1))


def margins(W: np.ndarray, best: np.ndarray, other: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Return (error of `other` − error of `best`) / (‖W‖ ‖X‖)², which is ≥ 0 if the claim holds.

    Parameters
    ----------
    W, best, other : array, shape (..., d_out, d_in)
    factor : array, shape (..., d_in, n)
        X with C = X Xᵀ.

    Returns
    -------
    array, shape (...,)
    """
    difference = errors(W, other, factor) - errors(W, best, factor)
    return difference / (np.sum(W**2, axis=(-2, -1)) * np.sum(factor**2, axis=(-2, -1)))


def rounding(shape: tuple[int, ...]) -> float:
    """Bound the rounding error of `margins` for competitors with ‖V‖ ≤ ‖W‖.

    The root that is computed has the square C + E, ‖E‖ ≤ 8 d u ‖X‖² being generous for a stable
    eigendecomposition.  The projection is the best one for C + E, and the error of any V differs
    there by ‖W − V‖² ‖E‖ at most: in all by (1 + 4) ‖W‖² ‖E‖, however singular C is.

    Parameters
    ----------
    shape : (int, int)

    Returns
    -------
    float
    """
    return 40 * max(shape[-2:]) * EPS


def at_most(V: np.ndarray, rank: int) -> Premise:
    """Measure the premise that V has rank k at most: −σ_{k+1}(V)/σ_1(V), zero up to rounding.

    Parameters
    ----------
    V : array, shape (d_out, d_in)
    rank : int
        k.

    Returns
    -------
    Premise
    """
    s = np.linalg.svd(V, compute_uv=False)
    beyond = float(s[rank] / s[0]) if len(s) > rank and s[0] else 0.0
    return Premise("rank", "rank V ≤ k", -beyond, 40 * max(V.shape) * EPS)
