"""Corollary 1: at the start, the compressed network is at least as close to the target.

For square layers with W_{L:1}(0) = ε^L Q the two distances differ by exactly

    ‖W(0) − M*‖² − ‖W̃(0) − M*‖² = (d − r̂) ε^{2L} + ε^L Σ_i σ_i* ‖u_i* − Q v_i*‖²,

so by (d − r̂) ε^{2L} at least, for every ε.  The paper needs Lemma 1 for the inequality.
"""

from __future__ import annotations

import numpy as np

from dlnlab.claims.claim import Claim, proved

__all__ = ["CLAIM", "SOURCE", "STATEMENT", "excess", "margins", "rounding", "size"]

STATEMENT = (
    "‖W_{L:1}(0) − M*‖_F² − ‖W̃_{L:1}(0) − M*‖_F² = (d − r̂) ε^{2L} + ε^L Σ σ_i* ‖u_i* − Q v_i*‖² "
    "for every ε and r̂ ≥ r."
)
SOURCE = "Kwon et al. 2024, Corollary 1, Eq. (9) and (21), with its exact form"
CLAIM = Claim("corollary1", "Corollary 1", STATEMENT, SOURCE, proved("corollary1"))


def size(target: np.ndarray, start: float) -> np.ndarray:
    """Return ‖M*‖_F² + d ε^{2L}, the scale of both distances.

    Parameters
    ----------
    target : array, shape (..., d, d)
        M*.
    start : float
        ε^L.

    Returns
    -------
    array, shape (...,)
    """
    return np.sum(target**2, axis=(-2, -1)) + min(target.shape[-2:]) * start**2


def excess(
    target: np.ndarray, original: np.ndarray, compressed: np.ndarray, start: float, r_hat: int
) -> np.ndarray:
    """Return the scale-free margin of ‖W − M*‖² − ‖W̃ − M*‖² ≥ (d − r̂) ε^{2L}.

    Parameters
    ----------
    target, original, compressed : array, shape (..., d, d)
        M*, W_{L:1}(0) and W̃_{L:1}(0).
    start : float
        ε^L.
    r_hat : int

    Returns
    -------
    array, shape (...,)
    """
    gap = _squared(original - target) - _squared(compressed - target)
    spare = min(target.shape[-2:]) - r_hat
    return (gap - spare * start**2) / size(target, start)


def margins(
    target: np.ndarray, original: np.ndarray, compressed: np.ndarray, start: float, r_hat: int
) -> np.ndarray:
    """Return the smaller of the inequality's margin and minus the defect of the exact form.

    The sum over i is ‖U* − Q V*‖² weighted by σ*, computed as 2(Σ σ_i* − ⟨Q, M*⟩) ε^L.

    Parameters
    ----------
    target, original, compressed, start, r_hat
        As of `excess`.

    Returns
    -------
    array, shape (...,)
    """
    nuclear = np.sum(np.linalg.svdvals(target), axis=-1)
    inner = np.sum(original * target, axis=(-2, -1))
    exact = 2 * (start * nuclear - inner) / size(target, start)
    found = excess(target, original, compressed, start, r_hat)
    return np.minimum(found, -np.abs(found - exact))


def rounding(dimension: int, depth: int) -> float:
    """Bound the rounding error of `margins`.

    Each of the L − 1 products, the factors and the singular values carry at most 10 d units of
    rounding relative to their norm; distances squared double that, and there are four terms.

    Parameters
    ----------
    dimension : int
        d.
    depth : int
        L.

    Returns
    -------
    float
    """
    return 80 * dimension * depth * float(np.finfo(float).eps)


def _squared(A: np.ndarray) -> np.ndarray:
    return np.sum(A**2, axis=(-2, -1))
