"""Theorem 1: gradient descent moves only r̂ scalars of the compressed network.

On ½‖W̃ − M*‖² from the spectral start,

    W̃(t) = U_r̂ diag(a_i² b_i^{L−2}) V_r̂ᵀ,
    a⁺ = a − αη (σ̃ − σ*) a b^{L−2},   b⁺ = b − η (σ̃ − σ*) a² b^{L−3},   a(0) = b(0) = ε.

α = 1 is the paper's λ recursion, with β for the values without a target.  The paper prints W̃_1 = ε
V_r̂ for ε V_r̂ᵀ, and β ≤ ε^L for β ≤ ε; the latter needs ηε^{2L−2} < 1, which it does not say.

An extension, of which the paper does not speak: with weight decay μ every layer is multiplied by
1 − η_l μ before the gradient is subtracted, which keeps it diagonal, so a⁺ loses αημ a more and b⁺
loses ημ b.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlnlab.claims.claim import Claim, proved
from dlnlab.claims.verdict import Premise

__all__ = [
    "CLAIM",
    "SOURCE",
    "STATEMENT",
    "largest_step",
    "margins",
    "multiplier_margins",
    "residual_margins",
    "rounding",
    "spectral_start",
]

STATEMENT = (
    "Gradient descent from the spectral start gives W̃(t) = U_r̂ diag(a_i² b_i^{L−2}) V_r̂ᵀ with the "
    "recursion of (a, b), also under weight decay; without decay it is stable at σ_i* iff "
    "η < 2/(L σ_i*^{2−2/L}), and β decreases if ηε^{2L−2} < 1."
)
SOURCE = (
    "Kwon et al. 2024, Theorem 1, Eq. (8) and (15)-(17); α ≠ 1, the step size, weight decay: dlnlab"
)
CLAIM = Claim("theorem1", "Theorem 1", STATEMENT, SOURCE, proved("theorem1", "theorem1_exact"))


def spectral_start(weights: Sequence[np.ndarray], target: np.ndarray, eps: float) -> Premise:
    """Measure the premise W̃_1 = ε V_r̂ᵀ, W̃_l = ε I, W̃_L = ε U_r̂ with singular vectors of M*.

    The margin is minus the largest of ‖U_r̂ᵀ M* V_r̂ − diag(σ_1*, …)‖ / ‖M*‖ and the layers' own
    defects; singular vectors from the library's decomposition are off by about d units of rounding.

    Parameters
    ----------
    weights : sequence of L arrays
    target : array, shape (d_out, d_in)
        M*.
    eps : float
        ε.

    Returns
    -------
    Premise
    """
    U, V = weights[-1] / eps, weights[0].T / eps
    r_hat = U.shape[1]
    s = np.linalg.svdvals(target)
    identity = np.eye(r_hat)
    gaps = [np.linalg.norm(U.T @ target @ V - np.diag(s[:r_hat])) / s[0]]
    gaps += [np.linalg.norm(frame.T @ frame - identity) for frame in (U, V)]
    gaps += [np.linalg.norm(W / eps - identity) for W in weights[1:-1]]
    return Premise(
        "spectral start",
        "W̃_1(0) = ε V_r̂ᵀ, W̃_l(0) = ε I, W̃_L(0) = ε U_r̂",
        -float(max(gaps)),
        40 * max(target.shape) * float(np.finfo(float).eps),
    )


def largest_step(target: float, depth: int) -> float:
    """Return 2/(L σ*^{2−2/L}), below which gradient descent is stable at a fitted σ* (α = 1).

    Parameters
    ----------
    target : float
        σ*.
    depth : int
        L.

    Returns
    -------
    float
    """
    return 2 / (depth * target ** (2 - 2 / depth))


def margins(
    matrices: np.ndarray, left: np.ndarray, values: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Return −‖W̃(t) − U diag(values(t)) Vᵀ‖_F / max_t ‖W̃‖₂ for every record.

    Parameters
    ----------
    matrices : array, shape (records, d_out, d_in)
        W̃(t), from gradient descent on full matrices.
    left, right : array, shapes (d_out, r̂), (d_in, r̂)
        U_r̂ and V_r̂.
    values : array, shape (records, r̂)
        From the recursion.

    Returns
    -------
    array, shape (records,)
    """
    predicted = (left * values[:, None, :]) @ right.T
    scale = float(np.max(np.abs(values)))
    return -np.linalg.norm(matrices - predicted, axis=(-2, -1)) / scale


def rounding(
    targets: np.ndarray,
    eps: float,
    depth: int,
    eta: float,
    num_steps: int,
    dimension: int,
    weight_decay: float = 0.0,
) -> float:
    """Bound the rounding error of `margins`, relative to the largest value of the run.

    A step adds at most 10 d L units of rounding to the layers, relative to their largest value m.
    A perturbation of a mode's layers grows by the negative curvature of the loss only, so by a
    factor of at most 1 + η(L − 1)|σ* − σ̃| m^{L−2} per step while the step is stable.  For a mode on
    its way up that adds to (m/ε)^{L−1} over the run: small starts and many layers lose digits.
    Weight decay shrinks perturbations along with everything; this is not counted on.

    Parameters
    ----------
    targets : array, shape (r,)
        σ_i*.
    eps : float
        ε.
    depth : int
        L.
    eta : float
        η.
    num_steps : int
    dimension : int
        d.
    weight_decay : float
        μ.

    Returns
    -------
    float
    """
    value = np.full(len(targets), float(eps))
    unit = 10 * dimension * depth * float(np.finfo(float).eps)
    lost, reached = unit * value, float(eps) ** depth
    worst = float(np.max(lost / value))
    for _ in range(num_steps):
        gap = targets - value**depth
        lost = lost * (1 + eta * (depth - 1) * np.abs(gap) * value ** (depth - 2)) + unit * value
        value = value * (1 - eta * weight_decay + eta * gap * value ** (depth - 2))
        reached = max(reached, float(np.max(np.abs(value)) ** depth))
        power = depth * max(float(np.max(np.abs(value))), eps) ** (depth - 1)
        worst = max(worst, float(np.max(lost)) * power / reached)
    return worst * len(targets) ** 0.5


def multiplier_margins(
    before: np.ndarray, after: np.ndarray, fixed: np.ndarray, share: np.ndarray
) -> np.ndarray:
    """Return −|(σ̃⁺ − σ*)/(σ̃ − σ*) − (1 − 2 θ)| for a step of θ times `largest_step` near σ*.

    |1 − 2θ| < 1 iff θ < 1, so this is the claim on the step size in the form of an equation.

    Parameters
    ----------
    before, after, fixed : array
        σ̃ before and after the step, and σ*.
    share : array
        θ.

    Returns
    -------
    array
    """
    return -np.abs((after - fixed) / (before - fixed) - (1 - 2 * share))


def residual_margins(residual: np.ndarray) -> np.ndarray:
    """Return min_t (β(t)^L − β(t+1)^L, β(t)^L) / ε^L for values over time on the first axis.

    Parameters
    ----------
    residual : array, shape (records,)
        β(t)^L.

    Returns
    -------
    array
    """
    drops = np.min(residual[:-1] - residual[1:], axis=0)
    return np.minimum(drops, np.min(residual, axis=0)) / residual[0]
