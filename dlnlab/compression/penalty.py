"""The smooth group Lasso, and the objective of a symmetric model with it.

The model of Rajaraman et al. 2023 is W = U Uᵀ with U of shape d × k, k ≫ r, and its objective

    f(U) = 2ℓ(U Uᵀ) + λ R_β(U),    R_β(U) = Σ_i ‖u_i‖² / √(‖u_i‖² + β),

where 2ℓ is the squared error (the mean squared one with ``normalization="mean"``) and u_i are the
columns; R_β tends to the group Lasso Σ_i ‖u_i‖ as β → 0.

*Gradient.*  With G = ∇ℓ(U Uᵀ), a change D of U changes U Uᵀ by D Uᵀ + U Dᵀ, so
d(2ℓ) = 2⟨G, D Uᵀ + U Dᵀ⟩ = ⟨2(G + Gᵀ)U, D⟩.  With s = ‖u‖² a column contributes φ(s) = s/√(s + β),
φ'(s) = (s + 2β)/(2(s + β)^{3/2}), and d‖u‖² = 2⟨u, d⟩.  So

    ∇f(U) = 2(G + Gᵀ)U + λ U diag((s_i + 2β)/(s_i + β)^{3/2}).

*Hessian.*  ℓ is quadratic, so G moves by H = ∇ℓ(D Uᵀ + U Dᵀ) − ∇ℓ(0), without an error of
truncation; and φ''(s) = −(s + 4β)/(4(s + β)^{5/2}).  So

    ∇²f(U)[D] = 2(G + Gᵀ)D + 2(H + Hᵀ)U + λ(2φ'(s_i) d_i + 4φ''(s_i)⟨u_i, d_i⟩ u_i)_i.
"""

from __future__ import annotations

from typing import Any

from dlnlab.numerics import arrays
from dlnlab.numerics.arrays import Array
from dlnlab.problems import Problem

__all__ = ["column_norms", "gradient", "group_norm", "hessian_product"]


def column_norms(U: Array) -> Array:
    """Return ‖u_i‖, shape (..., k), of the columns of a factor of shape (..., d, k).

    Parameters
    ----------
    U : array, shape (..., d, k)

    Returns
    -------
    array, shape (..., k)
    """
    return arrays.namespace(U).sqrt(_squares(U)[..., 0, :])


def group_norm(U: Array, smoothing: Any) -> Array:
    """Return R_β(U) = Σ_i ‖u_i‖²/√(‖u_i‖² + β), shape (...,).

    Parameters
    ----------
    U : array, shape (..., d, k)
    smoothing : float or array
        β.

    Returns
    -------
    array, shape (...,)
    """
    xp, s = arrays.namespace(U), _squares(U)
    return xp.sum(s / xp.sqrt(s + smoothing), axis=(-2, -1))


def gradient(problem: Problem, U: Array, penalty: Any, smoothing: Any) -> Array:
    """Return ∇f(U), shape (..., d, k).

    Parameters
    ----------
    problem : Problem
    U : array, shape (..., d, k)
    penalty : float or array
        λ.
    smoothing : float or array
        β.

    Returns
    -------
    array, shape (..., d, k)
    """
    G = problem.gradient(problem.compose(U, U.mT))
    fit = 2 * (G @ U + _transposed(G) @ U)
    return fit if penalty is None else fit + penalty * _slope(_squares(U), smoothing) * U


def hessian_product(problem: Problem, U: Array, D: Array, penalty: Any, smoothing: Any) -> Array:
    """Return ∇²f(U)[D], shape (..., d, k).

    Parameters
    ----------
    problem : Problem
    U : array, shape (..., d, k)
    D : array, shape (..., d, k)
    penalty : float or array
        λ.
    smoothing : float or array
        β.

    Returns
    -------
    array, shape (..., d, k)
    """
    xp = arrays.namespace(U)
    G, turned = problem.gradient(U @ U.mT), D @ U.mT
    moved = turned + turned.mT
    H = problem.gradient(moved) - problem.gradient(xp.zeros_like(moved))
    fit = 2 * ((G + G.mT) @ D + (H + H.mT) @ U)
    if penalty is None:
        return fit
    s, along = _squares(U), xp.sum(U * D, axis=-2, keepdims=True)
    bend = (s + 4 * smoothing) / (s + smoothing) ** 2.5  # −4φ''
    return fit + penalty * (_slope(s, smoothing) * D - bend * along * U)


def _squares(U: Array) -> Array:
    """Return ‖u_i‖² in a row, shape (..., 1, k)."""
    return arrays.namespace(U).sum(U**2, axis=-2, keepdims=True)


def _slope(s: Array, smoothing: Any) -> Array:
    """Return 2φ'(s)."""
    return (s + 2 * smoothing) / (s + smoothing) ** 1.5


def _transposed(G: Any) -> Any:
    """SciPy's sparse gradients know no `mT`."""
    return G.mT if arrays.is_array(G) else G.T
