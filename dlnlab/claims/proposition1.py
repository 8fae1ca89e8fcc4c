"""Proposition 1 (Arora et al. 2019): how singular values and vectors move under balanced flow.

With G = ∇ℓ(W) a balanced network has Ẇ = −Σ_j [WWᵀ]^{(j−1)/L} G [WᵀW]^{(L−j)/L}.  Let W = USVᵀ with
distinct nonzero values, K = UᵀU̇ and H = VᵀV̇, which are skew, and g = UᵀGV.  The diagonal of
UᵀẆV = KS + Ṡ − SH is Eq. (23).  Its entries (i, j) and (j, i) are two equations for K_ij and H_ij,

    K_ij σ_j − σ_i H_ij = −c_ij g_ij,   c_ij = Σ_k σ_i^{2(k−1)/L} σ_j^{2(L−k)/L},

whose solution is K = −F ⊙ (gS + Sgᵀ), H = −F ⊙ (Sg + gᵀS) with F_ij = 1/(σ_j^{2/L} − σ_i^{2/L}).
Outside the span of U only the summand j = 1 is left, −(I − UUᵀ) G V S^{2−2/L}, which has to be
(I − UUᵀ) U̇ S.  Together, the paper's source has

    U̇ = −U (F ⊙ [UᵀGVS + SVᵀGᵀU]) − (I − UUᵀ) G V (S²)^{1/2−1/L},
    V̇ = −V (F ⊙ [SUᵀGV + VᵀGᵀUS]) − (I − VVᵀ) Gᵀ U (S²)^{1/2−1/L}.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from dlnlab import networks
from dlnlab.claims.claim import Claim, proved
from dlnlab.claims.verdict import Premise
from dlnlab.numerics import decompositions

__all__ = [
    "CLAIM",
    "SOURCE",
    "STATEMENT",
    "VECTOR_CLAIM",
    "VECTOR_STATEMENT",
    "VectorRates",
    "VectorSides",
    "balancedness",
    "difference_margins",
    "distinct_values",
    "margins",
    "numerical_error",
    "quotient",
    "rates",
    "sides",
    "vector_margins",
    "vector_rates",
    "vector_rounding",
    "vector_sides",
]

STATEMENT = (
    "Along gradient flow of a balanced network, σ̇_i = −L (σ_i²)^{1−1/L} ⟨∇ℓ(W_{L:1}), u_i v_iᵀ⟩."
)
VECTOR_STATEMENT = (
    "Where the σ_i are distinct and nonzero, U̇ = −U (F ⊙ [UᵀGVS + SVᵀGᵀU]) − "
    "(I − UUᵀ) G V (S²)^{1/2−1/L} with F_ij = 1/(σ_j^{2/L} − σ_i^{2/L}), and V̇ likewise."
)
SOURCE = "Kwon et al. 2024, Proposition 1 and Eq. (23); Arora et al. 2019, Theorem 3"
CLAIM = Claim("proposition1", "Proposition 1", STATEMENT, SOURCE, proved("proposition1"))
VECTOR_CLAIM = Claim(
    "proposition1_vectors",
    "Proposition 1, singular vectors",
    VECTOR_STATEMENT,
    SOURCE,
    proved("proposition1"),
)


def balancedness(weights: Sequence[np.ndarray]) -> Premise:
    """Measure the premise W_{l+1}ᵀW_{l+1} = W_l W_lᵀ for l = 1, …, L − 1.

    The margin is −max_l ‖W_{l+1}ᵀW_{l+1} − W_l W_lᵀ‖_F / max_l ‖W_l‖_F², 0 for a balanced network.
    Rounding of the Gram matrices, and of orthogonal factors computed by QR, is at most a modest
    multiple of d·u relative to the same scale; ten times that is allowed.

    Parameters
    ----------
    weights : sequence of L arrays

    Returns
    -------
    Premise
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


def margins(
    weights: Sequence[np.ndarray],
    gradient: np.ndarray,
    speed: float,
    parts: decompositions.SVD | None = None,
) -> np.ndarray:
    """Return minus the relative violation of Eq. (23), for every member of a batch of networks.

    Parameters
    ----------
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})
    gradient : array, shape (..., d_out, d_in)
        ∇ℓ(W_{L:1}).
    speed : float
        c·σ_1*: violations are measured relative to L σ_1^{2−2/L} (c σ_1* + ‖∇ℓ‖₂), which bounds the
        speed of the fastest mode and the rounding of both sides.
    parts : SVD, optional
        Of W_{L:1}, if it is known.

    Returns
    -------
    array, shape (...,)
    """
    measured, formula, s = sides(weights, gradient, parts)
    depth = len(weights)
    size = speed + np.linalg.norm(gradient, 2, axis=(-2, -1))
    scale = depth * s[..., 0] ** (2 - 2 / depth) * size
    return -np.max(np.abs(measured - formula), axis=-1) / scale


def numerical_error(layers: Sequence[np.ndarray]) -> np.ndarray:
    """Bound the numerical error of `margins` along an integrated flow.

    The flow conserves D = W_{l+1}ᵀW_{l+1} − W_l W_lᵀ; integration does so only nearly.  What it
    adds to the D of the start changes each of the L products in Eq. (23) by at most
    (L − 1) ‖D(t) − D(0)‖ / σ_max(W_l)² of its size; what D(0) itself does is for `balancedness` to
    judge.  The decomposition and the products carry a hundred units of rounding per dimension.

    Parameters
    ----------
    layers : sequence of L arrays, shapes (records, ..., d_l, d_{l−1})
        The first record is the start.

    Returns
    -------
    array, shape (records, ...)
    """
    depth, width = len(layers), max(max(W.shape[-2:]) for W in layers)
    gaps = [np.linalg.norm(D - D[:1], axis=(-2, -1)) for D in networks.imbalance(layers)]
    norms = [decompositions.norm_bounds(W) / decompositions.norm_looseness(W.shape) for W in layers]
    drift = np.max(gaps, axis=0) / np.min(norms, axis=0) ** 2
    return 100 * width * float(np.finfo(layers[0].dtype).eps) + depth * (depth - 1) * drift


def sides(
    weights: Sequence[np.ndarray], gradient: np.ndarray, parts: decompositions.SVD | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return both sides of Eq. (23) for every singular value, and the values.

    On the left, u_iᵀ Ẇ v_i with Ẇ = −Σ_l S_l ∇_l P_l from the layers' own velocities; on the right
    the formula.  Both hold for any choice of singular vectors, so repeated values do no harm.

    Parameters
    ----------
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})
    gradient : array, shape (..., d_out, d_in)
        ∇ℓ(W_{L:1}).
    parts : SVD, optional
        Of W_{L:1}, if it is known.

    Returns
    -------
    measured, formula, values : arrays, shape (..., min(d_out, d_in))
    """
    depth = len(weights)
    prefixes = networks.prefix_products(weights)
    moves = networks.backward(weights, prefixes, gradient)
    velocity = _velocity(weights, prefixes, moves)
    U, s, Vh = np.linalg.svd(prefixes[-1], full_matrices=False) if parts is None else parts
    formula = -depth * s ** (2 - 2 / depth) * _diagonal(U, gradient, Vh)
    return _diagonal(U, velocity, Vh), formula, s


def _velocity(
    weights: Sequence[np.ndarray], prefixes: Sequence[np.ndarray], gradients: Sequence[np.ndarray]
) -> np.ndarray:
    """Ẇ = −Σ_l W_L ⋯ W_{l+1} ∇_l W_{l−1} ⋯ W_1."""
    velocity, suffix = np.zeros_like(prefixes[-1]), None
    for layer in range(len(weights) - 1, -1, -1):
        move = -gradients[layer] if layer == 0 else -gradients[layer] @ prefixes[layer - 1]
        velocity = velocity + (move if suffix is None else suffix @ move)
        suffix = weights[layer] if suffix is None else suffix @ weights[layer]
    return velocity


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
    """Return the fourth-order difference quotient of five values `step` apart at the middle one.

    Parameters
    ----------
    values : array, shape (5, ...)
    step : float

    Returns
    -------
    array, shape (...,)
    """
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


class VectorRates(NamedTuple):
    """The rates U̇ and V̇ of the singular vectors.

    Attributes
    ----------
    left, right : array, shapes (..., d_out, k), (..., d_in, k)
    """

    left: np.ndarray
    right: np.ndarray


def vector_rates(
    U: np.ndarray, s: np.ndarray, Vh: np.ndarray, gradient: np.ndarray, depth: int
) -> VectorRates:
    """Return U̇ and V̇ by the equations above.

    Parameters
    ----------
    U, s, Vh : array, shapes (..., d_out, k), (..., k), (..., k, d_in)
        Singular value decomposition of W_{L:1}, with k = min(d_out, d_in) values.
    gradient : array, shape (..., d_out, d_in)
        ∇ℓ(W_{L:1}).
    depth : int

    Returns
    -------
    VectorRates
        NaN where two values coincide.
    """
    V = Vh.mT
    inside, power = U.mT @ gradient @ V, s ** (2 / depth)
    apart = power[..., None, :] - power[..., :, None] + np.diag(np.full(s.shape[-1], np.inf))
    ahead, behind = inside * s[..., None, :], s[..., :, None] * inside
    F = 1 / np.where(apart == 0, np.nan, apart)
    outside = s[..., None, :] ** (1 - 2 / depth)
    left = -U @ (F * (ahead + ahead.mT)) - (gradient @ V - U @ inside) * outside
    right = -V @ (F * (behind + behind.mT)) - (gradient.mT @ U - V @ inside.mT) * outside
    return VectorRates(left, right)


def distinct_values(values: np.ndarray) -> Premise:
    """Measure the premise σ_1 > … > σ_k > 0 for one matrix.

    The margin is the smallest difference of neighbours, 0 counted as one, relative to σ_1, less the
    square root of the unit of rounding: below that more than half the digits of a singular vector
    are noise, and values that differ by rounding alone must not pass for distinct.

    Parameters
    ----------
    values : array, shape (k,)

    Returns
    -------
    Premise
    """
    gaps = -np.diff(np.append(values, 0.0))
    margin = float(np.min(gaps)) / float(values[0]) - decompositions.REPEATED
    return Premise("distinct values", "σ_1 > … > σ_k > 0", margin)


class VectorSides(NamedTuple):
    """Both sides of the equations for U̇ and V̇: the formula, and the layers' velocities.

    Attributes
    ----------
    measured, formula : array, shape (..., d_out, d_in)
        Ẇ from the layers' own velocities, and U̇SVᵀ + UṠVᵀ + USV̇ᵀ.
    drifts : tuple of two arrays, shape (..., k, k)
        UᵀU̇ and VᵀV̇.
    values : array, shape (..., k)
        Singular values.
    """

    measured: np.ndarray
    formula: np.ndarray
    drifts: tuple[np.ndarray, np.ndarray]
    values: np.ndarray


def vector_sides(weights: Sequence[np.ndarray], gradient: np.ndarray) -> VectorSides:
    """Return both sides of Ẇ = U̇SVᵀ + UṠVᵀ + USV̇ᵀ.

    Parameters
    ----------
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})
    gradient : array, shape (..., d_out, d_in)
        ∇ℓ(W_{L:1}).

    Returns
    -------
    VectorSides
        With NaN where two values coincide.
    """
    depth, prefixes = len(weights), networks.prefix_products(weights)
    velocity = _velocity(weights, prefixes, networks.backward(weights, prefixes, gradient))
    U, s, Vh = np.linalg.svd(prefixes[-1], full_matrices=False)
    left, right = vector_rates(U, s, Vh, gradient, depth)
    speeds = -depth * s ** (2 - 2 / depth) * _diagonal(U, gradient, Vh)
    turning = (left * s[..., None, :]) @ Vh + (U * s[..., None, :]) @ right.mT
    formula = turning + (U * speeds[..., None, :]) @ Vh
    return VectorSides(velocity, formula, (U.mT @ left, Vh @ right), s)


def vector_margins(weights: Sequence[np.ndarray], gradient: np.ndarray) -> np.ndarray:
    """Return minus the violation of the equations for U̇ and V̇, for every member of a batch.

    UᵀU̇ and VᵀV̇ have to be skew, and U̇SVᵀ + UṠVᵀ + USV̇ᵀ has to be the Ẇ of the layers' own
    velocities; for distinct nonzero values no other U̇ and V̇ do that.  The violations are relative
    to L σ_1^{2−2/L} ‖G‖_F, which bounds ‖Ẇ‖_F.

    Parameters
    ----------
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})
    gradient : array, shape (..., d_out, d_in)
        ∇ℓ(W_{L:1}).

    Returns
    -------
    array, shape (...,)
        NaN where two values coincide.
    """
    found = vector_sides(weights, gradient)
    depth, s = len(weights), found.values
    defects = [found.formula - found.measured]
    defects += [(drift + drift.mT) * s[..., :1, None] for drift in found.drifts]
    worst = np.max([np.linalg.norm(D, axis=(-2, -1)) for D in defects], axis=0)
    speed = depth * s[..., 0] ** (2 - 2 / depth) * np.linalg.norm(gradient, axis=(-2, -1))
    return -worst / np.where(speed == 0, 1.0, speed)


def vector_rounding(values: np.ndarray, depth: int, dimension: int) -> np.ndarray:
    """Bound the rounding error of `vector_margins`.

    A computed decomposition is that of a matrix 10 d units of rounding away, relative to σ_1.  That
    changes σ_k by the same amount, which is σ_1/σ_k as much relative to σ_k, and a difference
    σ_j^{2/L} − σ_i^{2/L} by up to σ_1/σ_k · σ_1^{2/L}/|σ_j^{2/L} − σ_i^{2/L}| as much relative to
    itself.  The products of the formula and of the chain rule multiply this by 10.

    Parameters
    ----------
    values : array, shape (..., k)
        Singular values in decreasing order.
    depth, dimension : int
        L, and the largest side of a layer.

    Returns
    -------
    array
    """
    power = values ** (2 / depth)
    gaps = np.min(np.abs(np.diff(power, axis=-1)), axis=-1, initial=np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        condition = values[..., 0] / values[..., -1] * (1 + power[..., 0] / gaps)
    return 100 * dimension * float(np.finfo(float).eps) * condition
