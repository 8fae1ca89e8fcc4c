"""Proposition 1 (Arora et al. 2019): how singular values move under balanced gradient flow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlnlab import networks
from dlnlab.claims.verdict import Premise

__all__ = [
    "SOURCE",
    "STATEMENT",
    "balancedness",
    "difference_margins",
    "margins",
    "quotient",
    "rates",
    "sides",
]

STATEMENT = (
    "Along gradient flow of a balanced network, σ̇_i = −L (σ_i²)^{1−1/L} ⟨∇ℓ(W_{L:1}), u_i v_iᵀ⟩."
)
SOURCE = "Kwon et al. 2024, Proposition 1 and Eq. (23); Arora et al. 2019, Theorem 3"


def balancedness(weights: Sequence[np.ndarray]) -> Premise:
    """Measure the premise W_{l+1}ᵀW_{l+1} = W_l W_lᵀ for l = 1, …, L − 1.

    The margin is −max_l ‖W_{l+1}ᵀW_{l+1} − W_l W_lᵀ‖_F / max_l ‖W_l‖_F², 0 for a balanced network.
    Rounding of the Gram matrices, and of orthogonal factors computed by QR, is at most a modest
    multiple of d·u relative to the same scale; ten times that is allowed.
    """
    gaps = [float(np.linalg.norm(D)) for D in networks.imbalance(weights)]
    scale = max(float(np.sum(W**2)) for W in weights)
    width = max(max(W.shape) for W in weights)
    return Premise(
        "balanced start",
        "W_{l+1}(0)ᵀ W_{l+1}(0) = W_l(0) W_l(0)ᵀ for every l",
        -max(gaps) / scale,
        10 * width * float(np.finfo(weights[0].dtype).eps),
    )


def margins(weights: Sequence[np.ndarray], gradient: np.ndarray, speed: float) -> np.ndarray:
    """Return minus the relative violation of Eq. (23), for every member of a batch of networks.

    Parameters
    ----------
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})
    gradient : array, shape (..., d_out, d_in)
        ∇ℓ(W_{L:1}).
    speed : float
        c·σ_1*: violations are measured relative to L σ_1^{2−2/L} c σ_1*, the speed of the fastest
        mode.

    Returns
    -------
    array, shape (...,)
    """
    measured, formula, s = sides(weights, gradient)
    depth = len(weights)
    scale = depth * s[..., 0] ** (2 - 2 / depth) * speed
    return -np.max(np.abs(measured - formula), axis=-1) / scale


def sides(
    weights: Sequence[np.ndarray], gradient: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both sides of Eq. (23) for every singular value, and the values.

    On the left, u_iᵀ Ẇ v_i with Ẇ = −Σ_l S_l ∇_l P_l from the layers' own velocities; on the right
    the formula.  Both hold for any choice of singular vectors, so repeated values do no harm.

    Parameters
    ----------
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})
    gradient : array, shape (..., d_out, d_in)
        ∇ℓ(W_{L:1}).

    Returns
    -------
    measured, formula, values : arrays, shape (..., min(d_out, d_in))
    """
    depth = len(weights)
    prefixes = networks.prefix_products(weights)
    moves = networks.backward(weights, prefixes, gradient)
    U, s, Vh = np.linalg.svd(prefixes[-1], full_matrices=False)
    velocity, suffix = np.zeros_like(prefixes[-1]), None
    for layer in range(depth - 1, -1, -1):
        move = -moves[layer] if layer == 0 else -moves[layer] @ prefixes[layer - 1]
        velocity = velocity + (move if suffix is None else suffix @ move)
        suffix = weights[layer] if suffix is None else suffix @ weights[layer]
    formula = -depth * s ** (2 - 2 / depth) * _diagonal(U, gradient, Vh)
    return _diagonal(U, velocity, Vh), formula, s


def _diagonal(U: np.ndarray, A: np.ndarray, Vh: np.ndarray) -> np.ndarray:
    """u_iᵀ A v_i for every i."""
    return np.einsum("...ik,...ik->...k", U, A @ Vh.mT)


def rates(matrix: np.ndarray, gradient: np.ndarray, depth: int) -> np.ndarray:
    """Return the right-hand side of Eq. (23), −L (σ_i²)^{1−1/L} u_iᵀ ∇ℓ v_i, for every i.

    Parameters
    ----------
    matrix, gradient : array, shape (..., d_out, d_in)
        W_{L:1} and ∇ℓ(W_{L:1}).
    depth : int

    Returns
    -------
    array, shape (..., min(d_out, d_in))
    """
    U, s, Vh = np.linalg.svd(matrix, full_matrices=False)
    return -depth * s ** (2 - 2 / depth) * _diagonal(U, gradient, Vh)


def quotient(values: np.ndarray, step: float) -> np.ndarray:
    """Return the fourth-order difference quotient of five values `step` apart at the middle one."""
    return (8 * (values[3] - values[1]) - (values[4] - values[0])) / (12 * step)


def difference_margins(
    values: np.ndarray, step: float, predicted: np.ndarray, speed: float
) -> tuple[np.ndarray, np.ndarray]:
    """Compare singular values seen at five times with the rates of Eq. (23) at the middle one.

    Parameters
    ----------
    values : array, shape (5, ..., k)
        σ_i at t − 2h, …, t + 2h.
    step : float
        h.
    predicted : array, shape (..., k)
        σ̇_i(t) by the formula.
    speed : float
        By which to divide.

    Returns
    -------
    margin, error : arrays, shape (..., k)
        Minus the difference of the fourth-order quotient and the formula, and the difference of the
        second- and the fourth-order quotient, which bounds the error of the latter while h is
        small.
    """
    second = (values[3] - values[1]) / (2 * step)
    fourth = quotient(values, step)
    return -np.abs(fourth - predicted) / speed, np.abs(fourth - second) / speed
