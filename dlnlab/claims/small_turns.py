"""Small turns: why the distances of Figure 20 are small, whatever the subspace does in the end.

Eq. (14) compares the leading singular subspaces U_r, V_r of the penultimate matrix at one record of
training with those at the next, r − ‖U_rᵀ U_r′‖_F², the sum of squared sines of their angles.  By
Wedin's theorem both together are at most

    2 ‖W′ − W‖_F² / δ²,   δ = σ_r(W′) − σ_{r+1}(W) > 0.

So a distance from record to record is of second order in the step and small if records are near
each other, and says nothing about the distance of the first subspace from the last: K equal steps
towards another matrix have distances that shrink as 1/K² while the sum of the angles does not.
"""

from __future__ import annotations

import numpy as np

from dlnlab.claims.claim import Claim, proved
from dlnlab.claims.verdict import Premise

__all__ = ["CLAIM", "SOURCE", "STATEMENT", "UNIT", "bound", "gap", "gapped", "margin", "rounding"]

STATEMENT = (
    "The distances (Eq. 14) of the leading left and right singular subspaces of dimension r, of "
    "one matrix W from those of another W', sum to at most 2‖W' − W‖_F²/δ², where δ = σ_r(W') − "
    "σ_{r+1}(W) > 0."
)
SOURCE = "Wedin 1972, for Kwon et al. 2024, Figure 20 and Eq. (14)"
CLAIM = Claim("small_turns", "Small turns", STATEMENT, SOURCE, proved("small_turns"))

UNIT = float(np.finfo(float).eps)


def gap(before: np.ndarray, after: np.ndarray, r: int) -> float:
    """Return δ = σ_r(W′) − σ_{r+1}(W), r below the number of singular values.

    Parameters
    ----------
    before : ndarray
    after : ndarray
    r : int

    Returns
    -------
    float
    """
    old, new = (np.linalg.svd(W, compute_uv=False) for W in (before, after))
    return float(new[r - 1] - old[r])


def bound(before: np.ndarray, after: np.ndarray, r: int) -> float:
    """Return 2 ‖W′ − W‖_F²/δ² for matrices of one shape.

    Parameters
    ----------
    before : ndarray
    after : ndarray
    r : int

    Returns
    -------
    float
    """
    return float(2 * np.linalg.norm(after - before) ** 2 / gap(before, after, r) ** 2)


def margin(distances: float, most: float) -> float:
    """Return (bound − sum of both distances)/(bound + sum), from −1 to 1; 0 of equal matrices.

    Parameters
    ----------
    distances : float
    most : float

    Returns
    -------
    float
    """
    return (most - distances) / (most + distances) if most + distances else 0.0


def rounding(shape: tuple[int, int], r: int, size: float, delta: float) -> float:
    """Bound the rounding of the sum of both distances.

    Each is r − ‖U_rᵀ U_r′‖² of computed frames.  A computed frame spans the subspace of a matrix
    that is d u‖W‖ off, which turns it by 4 d u‖W‖/δ at most, and is orthonormal up to d u.

    Parameters
    ----------
    shape : (int, int)
    r : int
    size : float
        ‖W‖, the largest singular value of both.
    delta : float
        δ.

    Returns
    -------
    float
    """
    unit = max(shape) * UNIT
    turn = 4 * unit * size / delta
    return 8 * r * unit + 8 * r**0.5 * turn


def gapped(delta: float, size: float) -> Premise:
    """Measure the premise δ > 0; its margin is δ/‖W‖ − 1e-6: nearer to 0 rounding decides.

    Parameters
    ----------
    delta : float
    size : float

    Returns
    -------
    Premise
    """
    return Premise("gap", "σ_r(W') > σ_{r+1}(W)", delta / size - 1e-6)
