"""Gradients: ∂ℓ/∂W_l = (W_L ⋯ W_{l+1})ᵀ ∇ℓ(W_{L:1}) (W_{l−1} ⋯ W_1)ᵀ for every operator.

Along a line W + hD of all layers the loss ℓ(W_{L:1}) = c/2 ‖A(W_{L:1}) − y‖² is a polynomial p of
degree 2L in h, so its slope p'(0) = Σ_l ⟨∂ℓ/∂W_l, D_l⟩ can be found from values of the loss alone,
and without an error of truncation.  Only the odd part matters, with its L coefficients: at the
extrema h_k of the Chebyshev polynomial T_{2L−1} on [0, 1],

    p'(0) = Σ_k w_k (p(h_k) − p(−h_k)) / 2,   w_k = (1/h_k) ∏_{j≠k} h_j² / (h_j² − h_k²),

and Σ |w_k| = 2L − 1 is as small as it can be, since T_{2L−1} has that slope.
"""

from __future__ import annotations

import numpy as np

from dlnlab.claims.claim import Claim, proved

__all__ = ["CLAIM", "SOURCE", "STATEMENT", "margins", "nodes", "rounding", "slope"]

STATEMENT = (
    "∂ℓ/∂W_l = (W_L ⋯ W_{l+1})ᵀ ∇ℓ(W_{L:1}) (W_{l−1} ⋯ W_1)ᵀ for ℓ(W) = c/2 ‖A(W) − y‖² and every "
    "measurement operator A."
)
SOURCE = "dlnlab; the gradients of Eq. (2) of Kwon et al. 2024, by the chain rule"
CLAIM = Claim("gradients", "The gradients, layer by layer", STATEMENT, SOURCE, proved("theorem1"))


def nodes(depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Return h_k in (0, 1] and w_k for k = 1, …, L.

    Parameters
    ----------
    depth : int
        L.

    Returns
    -------
    (array, array), shapes (L,)
    """
    h = np.cos(np.pi * np.arange(depth) / (2 * depth - 1))
    squares = h**2
    weights = [
        np.prod(np.delete(squares, k) / (np.delete(squares, k) - squares[k])) / h[k]
        for k in range(depth)
    ]
    return h, np.array(weights)


def slope(ahead: np.ndarray, behind: np.ndarray, depth: int) -> float:
    """Return p'(0) from p(h_k) and p(−h_k).

    Parameters
    ----------
    ahead : array, shape (L,)
        p(h_k).
    behind : array, shape (L,)
        p(−h_k).
    depth : int
        L.

    Returns
    -------
    float
    """
    return float(nodes(depth)[1] @ (ahead - behind)) / 2


def margins(predicted: float, ahead: np.ndarray, behind: np.ndarray) -> float:
    """Return minus the difference of the two slopes, in units of (2L − 1) max_k p(±h_k).

    A polynomial of that size on [−1, 1] has no steeper odd part, so the unit is the natural one.

    Parameters
    ----------
    predicted : float
        Σ_l ⟨∂ℓ/∂W_l, D_l⟩ by the formula.
    ahead, behind : array, shape (L,)
        p(h_k) and p(−h_k).

    Returns
    -------
    float
    """
    depth = len(ahead)
    return -abs(predicted - slope(ahead, behind, depth)) / _unit(ahead, behind)


def rounding(ahead: np.ndarray, behind: np.ndarray, absolute: float, operations: int) -> float:
    """Bound the rounding error of `margins`.

    Let P(h) be the loss with every entry of W + hD, A and y replaced by its absolute value and the
    difference by a sum.  A computed loss is off by at most `operations` units of rounding of P(1),
    Σ |w_k| = 2L − 1 of them are added up, and the predicted slope is off by as many units of
    P'(0) ≤ P(1), since P has no negative coefficients.

    Parameters
    ----------
    ahead, behind : array, shape (L,)
        p(h_k) and p(−h_k).
    absolute : float
        P(1).
    operations : int
        Units of rounding.

    Returns
    -------
    float
    """
    unit = operations * float(np.finfo(float).eps)
    return 2 * len(ahead) * unit * absolute / _unit(ahead, behind)


def _unit(ahead: np.ndarray, behind: np.ndarray) -> float:
    return (2 * len(ahead) - 1) * float(max(np.max(ahead), np.max(behind)))
