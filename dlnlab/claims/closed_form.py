"""The compressed flow in closed form: singular values, and the times at which they are fitted.

With u = σ̃/σ*,  t(σ̃) = σ*^{2/L−2}/L ∫ s^{2/L−2}/(1 − s) ds from u(0) to u, and for σ* = 0
β(t) = (ε^{2−2L} + (2L − 2) t)^{−1/(2L−2)}.  For L ≥ 3 the time to reach θσ* is

    ε^{2−L}/((L − 2) σ*) · (1 − (ε^L/(θσ*))^{1−2/L})

plus a rest between 0 and σ*^{2/L−2} θ^{2/L}/(2(1 − θ)), whatever ε: so t_i ~ ε^{2−L}/((L − 2)σ_i*).

The original flow has a closed form in the smallest case, L = 2, d = 2, M* = diag(σ*, 0), Q the
rotation R(θ): W = R(a) diag(σ_1, σ_2) R(a), with ȧ = −σ* sin a cos a, (1/σ_1)˙ = 2 − 2σ* cos²a/σ_1
and (1/σ_2)˙ = 2 + 2σ* sin²a/σ_2, which are integrated one after the other.
"""

from __future__ import annotations

import numpy as np

from dlnlab.claims.claim import Claim, proved

__all__ = [
    "CLAIM",
    "PLANE_CLAIM",
    "PLANE_STATEMENT",
    "SOURCE",
    "STATEMENT",
    "leading_time",
    "margins",
    "plane_flow",
    "rest_bound",
    "time_margins",
]

STATEMENT = (
    "The compressed network's gradient flow has the closed form of σ̃_i(t) and β(t)^L, and reaches "
    "θσ_i* at ε^{2−L}/((L−2)σ_i*)·(1 − (ε^L/(θσ_i*))^{1−2/L}) plus a bounded rest (L ≥ 3)."
)
PLANE_STATEMENT = (
    "For L = 2, M* = diag(σ, 0) and W_1 = εI, W_2 = εR(θ), with T = tan(θ/2) and "
    "F = 1 + T²e^{−2σt}, the flow is W = R(a) diag(σ_1, σ_2) R(a), tan a = Te^{−σt}, "
    "1/σ_2 = [(1 + T²)/ε² + 2t + T²(1 − e^{−2σt})/σ]/F and "
    "1/σ_1 = [(1 + T²)e^{−2σt}/ε² + (1 − e^{−2σt})/σ + 2T²te^{−2σt}]/F."
)
SOURCE = "dlnlab; the flow behind Eq. (16)-(17) and (27)-(29) of Kwon et al. 2024"
CLAIM = Claim(
    "closed_form",
    "The closed form of the compressed flow",
    STATEMENT,
    SOURCE,
    proved("closed_form"),
)
PLANE_CLAIM = Claim(
    "closed_form_plane",
    "The original flow in two dimensions",
    PLANE_STATEMENT,
    "dlnlab",
    proved("late_times"),
)


def margins(
    matrices: np.ndarray, left: np.ndarray, values: np.ndarray, right: np.ndarray
) -> np.ndarray:
    """Return −‖W̃(t) − U diag(values(t)) Vᵀ‖_F / max(σ_1*, ε^L) per record, of every member.

    Parameters
    ----------
    matrices : array, shape (records, ..., d_out, d_in)
    left, right : array, shapes (..., d_out, r̂), (..., d_in, r̂)
    values : array, shape (records, ..., r̂)

    Returns
    -------
    array, shape (records,)
    """
    predicted = (left * values[..., None, :]) @ right.mT
    scale = np.max(values, axis=(0, -1))
    return -np.linalg.norm(matrices - predicted, axis=(-2, -1)) / scale


def leading_time(target: float, share: float, eps: float, depth: int) -> float:
    """Return the time to reach θσ* without the rest, for L ≥ 3 and ε^L ≤ θσ*.

    Parameters
    ----------
    target : float
        σ*.
    share : float
        θ.
    eps : float
        ε.
    depth : int
        L.

    Returns
    -------
    float
    """
    start = (eps**depth / (share * target)) ** (1 - 2 / depth)
    return eps ** (2 - depth) / ((depth - 2) * target) * (1 - start)


def rest_bound(target: float, share: float, depth: int) -> float:
    """Return σ*^{2/L−2} θ^{2/L} / (2(1 − θ)), which bounds the rest.

    Parameters
    ----------
    target : float
        σ*.
    share : float
        θ.
    depth : int
        L.

    Returns
    -------
    float
    """
    return target ** (2 / depth - 2) * share ** (2 / depth) / (2 * (1 - share))


def time_margins(time: float, target: float, share: float, eps: float, depth: int) -> float:
    """Return min(rest, bound − rest) in units of the time itself.

    Parameters
    ----------
    time : float
    target : float
        σ*.
    share : float
        θ.
    eps : float
        ε.
    depth : int
        L.

    Returns
    -------
    float
    """
    rest = time - leading_time(target, share, eps, depth)
    return min(rest, rest_bound(target, share, depth) - rest) / time


def plane_flow(times: np.ndarray, sigma: float, eps: float, angle: float) -> np.ndarray:
    """Return W_{2:1}(t) of the original network, L = 2 and M* = diag(σ, 0).

    Parameters
    ----------
    times : array, shape (records,)
        t ≥ 0.
    sigma, eps : float
        σ > 0 and ε > 0.
    angle : float
        θ in (−π, π): the start is W_1 = εI, W_2 = εR(θ).

    Returns
    -------
    array, shape (records, 2, 2)
    """
    decay, T = np.exp(-2 * sigma * times), np.tan(angle / 2)
    F = 1 + T**2 * decay
    drift = -np.expm1(-2 * sigma * times) / sigma
    first = F / (((1 + T**2) / eps**2 + 2 * T**2 * times) * decay + drift)
    second = F / ((1 + T**2) / eps**2 + 2 * times + T**2 * drift)
    cosine = 1 / np.sqrt(F)
    sine = T * np.exp(-sigma * times) * cosine
    # R(a) diag(x, y) R(a), entry by entry
    same = first * cosine**2 - second * sine**2, second * cosine**2 - first * sine**2
    mixed = (first + second) * cosine * sine
    rows = np.stack([same[0], -mixed], axis=-1), np.stack([mixed, same[1]], axis=-1)
    return np.stack(rows, axis=-2)
