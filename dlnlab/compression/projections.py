"""The nearest matrix of rank k, in the Frobenius norm and in the error of a layer's output.

Let a layer W get inputs x with E[x xᵀ] = C.  A replacement V makes the mean squared output error

    E‖(W − V)x‖² = ‖(W − V) C^{1/2}‖_F².

rank(V C^{1/2}) ≤ rank(V) ≤ k, so by Eckart, Young and Mirsky the error is at least that of the
truncated SVD of W C^{1/2}, U_k U_kᵀ W C^{1/2} with U_k its first k left singular vectors.  And

    V = U_k U_kᵀ W

has rank k at most and attains it, whether C is invertible or not; if it is, V is the truncated SVD
of W C^{1/2}, times C^{−1/2}.  With C = σ²I it is the truncated SVD of W.  (The projection in an
information divergence of Shumaylov et al. 2025, for a Gaussian output; derived here.)
"""

from __future__ import annotations

from typing import Any

from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array

__all__ = ["split", "truncated_svd", "weighted_svd"]


def truncated_svd(W: Array, rank: int) -> Array:
    """Return the matrix of rank at most k that is nearest to W in the Frobenius norm.

    Parameters
    ----------
    W : array, shape (..., d_out, d_in)
    rank : int
        k, between 1 and min(d_out, d_in).

    Returns
    -------
    array, shape (..., d_out, d_in)
        `split` makes two layers of it.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> dlnlab.compression.truncated_svd(np.diag([3.0, 1.0]), 1).tolist()
    [[3.0, 0.0], [0.0, 0.0]]
    """
    U, s, Vh = _leading(*_checked(W, rank))
    return (U * s[..., None, :]) @ Vh


def weighted_svd(W: Array, rank: int, covariance: Array) -> Array:
    """Return the matrix V of rank at most k with the least output error ‖(W − V)C^{1/2}‖_F.

    Parameters
    ----------
    W : array, shape (..., d_out, d_in)
    rank : int
        k, between 1 and min(d_out, d_in).
    covariance : array, shape (..., d_in, d_in)
        C = E[x xᵀ] of the layer's inputs, symmetric and positive semidefinite; X Xᵀ of a sample
        does, since a factor changes nothing.  Its diagonal alone, ``diag(diag(C))``, is the crude
        form that is common in practice, and can lose to `truncated_svd`.

    Returns
    -------
    array, shape (..., d_out, d_in)
        V = U_k U_kᵀ W with U_k the leading left singular vectors of W C^{1/2}.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range, or C is not symmetric or has a negative
        eigenvalue beyond rounding.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> W, C = np.diag([3.0, 1.0]), np.diag([1.0, 100.0])
    >>> dlnlab.compression.weighted_svd(W, 1, C).tolist()
    [[0.0, 0.0], [0.0, 1.0]]
    """
    W, rank = _checked(W, rank)
    root = _square_root(W, covariance)
    U, _, _ = _leading(W @ root, rank)
    return U @ (U.mT @ W)


def split(W: Array, rank: int) -> tuple[Array, Array]:
    """Return two balanced layers (W_1, W_2) with W_2 W_1 the truncated SVD of W.

    Parameters
    ----------
    W : array, shape (..., d_out, d_in)
    rank : int
        Width k of the bottleneck.

    Returns
    -------
    tuple of arrays, shapes (..., k, d_in) and (..., d_out, k)
        W_1 = S^{1/2}Vᵀ and W_2 = U S^{1/2}.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> [W.tolist() for W in dlnlab.compression.split(np.diag([4.0, 1.0]), 1)]
    [[[2.0, 0.0]], [[2.0], [0.0]]]
    """
    U, s, Vh = _leading(*_checked(W, rank))
    root = arrays.namespace(s).sqrt(s)
    return root[..., :, None] * Vh, U * root[..., None, :]


def _leading(W: Array, rank: int) -> tuple[Array, Array, Array]:
    """Return the leading singular triples U_k, s_k and V_kᵀ."""
    U, s, Vh = arrays.namespace(W).linalg.svd(W, full_matrices=False)
    return U[..., :, :rank], s[..., :rank], Vh[..., :rank, :]


def _checked(W: Any, rank: Any) -> tuple[Array, int]:
    W = checks.matrix("W", W)
    return W, checks.integer("rank", rank, 1, min(W.shape[-2:]))


def _square_root(W: Array, covariance: Any) -> Array:
    """Return C^{1/2}; eigenvalues that are negative by rounding are zero."""
    C = checks.matrix("covariance", covariance)
    xp = arrays.namespace(W, C, names=("W", "covariance"))
    n = W.shape[-1]
    if tuple(C.shape[-2:]) != (n, n):
        raise ValueError(
            f"`covariance` must have shape (..., {n}, {n}), for the {n} inputs of `W`, got "
            f"{tuple(C.shape)}"
        )
    if not arrays.broadcasts(C.shape[:-2], W.shape[:-2]):
        raise ValueError(
            "`covariance` must have batch axes that broadcast with those of `W`, "
            f"{tuple(W.shape[:-2])}, got shape {tuple(C.shape)}"
        )
    size = xp.max(xp.abs(C), axis=(-2, -1), keepdims=True)
    unit = n * float(xp.finfo(C.dtype).eps) * size
    if bool(xp.any(xp.abs(C - C.mT) > unit)):
        raise ValueError(
            "`covariance` must be symmetric, got entries that differ from the transposed ones by "
            f"{float(xp.max(xp.abs(C - C.mT))):.3g}; use (C + C.T) / 2"
        )
    values, vectors = xp.linalg.eigh((C + C.mT) / 2)
    if bool(xp.any(values[..., 0] < -n * unit[..., 0, 0])):
        raise ValueError(
            "`covariance` must be positive semidefinite, got an eigenvalue of "
            f"{float(xp.min(values)):.3g}"
        )
    roots = xp.sqrt(xp.maximum(values, xp.zeros_like(values)))
    return (vectors * roots[..., None, :]) @ vectors.mT
