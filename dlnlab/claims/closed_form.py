"""The compressed flow in closed form: singular values, and the times at which they are fitted.

With u = σ̃/σ*,  t(σ̃) = σ*^{2/L−2}/L ∫ s^{2/L−2}/(1 − s) ds from u(0) to u, and for σ* = 0
β(t) = (ε^{2−2L} + (2L − 2) t)^{−1/(2L−2)}.  For L ≥ 3 the time to reach θσ* is

    ε^{2−L}/((L − 2) σ*) · (1 − (ε^L/(θσ*))^{1−2/L})

plus a rest between 0 and σ*^{2/L−2} θ^{2/L}/(2(1 − θ)), whatever ε: so t_i ~ ε^{2−L}/((L − 2)σ_i*).
"""

from __future__ import annotations

import numpy as np

__all__ = ["SOURCE", "STATEMENT"]

STATEMENT = (
    "The compressed network's gradient flow has the closed form of σ̃_i(t) and β(t)^L, and reaches "
    "θσ_i* at ε^{2−L}/((L−2)σ_i*)·(1 − (ε^L/(θσ_i*))^{1−2/L}) plus a bounded rest (L ≥ 3)."
)
SOURCE = "dlnlab; the flow behind Eq. (16)-(17) and (27)-(29) of Kwon et al. 2024"


def margins(
    matrices: np.ndarray, left: np.ndarray, values: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Return −‖W̃(t) − U diag(values(t)) Vᵀ‖_F / max(σ_1*, ε^L) per record, of every member.

    Parameters
    ----------
    matrices : array, shape (records, ..., d_out, d_in)
    left, right : array, shapes (..., d_out, r̂), (..., d_in, r̂)
    values : array, shape (records, ..., r̂)
    """
    predicted = (left * values[..., None, :]) @ right.mT
    scale = np.max(values, axis=(0, -1))
    return -np.linalg.norm(matrices - predicted, axis=(-2, -1)) / scale


def leading_time(target: float, share: float, eps: float, depth: int) -> float:
    """Return the time to reach θσ* without the rest, for L ≥ 3 and ε^L ≤ θσ*."""
    start = (eps**depth / (share * target)) ** (1 - 2 / depth)
    return eps ** (2 - depth) / ((depth - 2) * target) * (1 - start)


def rest_bound(target: float, share: float, depth: int) -> float:
    """Return σ*^{2/L−2} θ^{2/L} / (2(1 − θ)), which bounds the rest."""
    return target ** (2 / depth - 2) * share ** (2 / depth) / (2 * (1 - share))


def time_margins(time: float, target: float, share: float, eps: float, depth: int) -> float:
    """Return min(rest, bound − rest) in units of the time itself."""
    rest = time - leading_time(target, share, eps, depth)
    return min(rest, rest_bound(target, share, depth) - rest) / time
