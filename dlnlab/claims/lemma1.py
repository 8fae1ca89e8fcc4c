"""Lemma 1: two matrices are at least as far apart as their singular values.

Both spectra are in decreasing order and of equal length, min(d_out, d_in): where the paper's
compact decompositions have different ranks, zeros are added.
"""

from __future__ import annotations

import numpy as np

from dlnlab.claims.claim import Claim, proved
from dlnlab.numerics import spectra

__all__ = ["CLAIM", "SOURCE", "STATEMENT", "margins", "rounding"]

STATEMENT = "‖A − B‖_F² ≥ ‖Σ_A − Σ_B‖_F² for A and B of one shape."
SOURCE = "Kwon et al. 2024, Lemma 1; from von Neumann's trace inequality"
CLAIM = Claim("lemma1", "Lemma 1", STATEMENT, SOURCE, proved("lemma1"))


def margins(A: np.ndarray, B: np.ndarray) -> np.ndarray:
    """Return (‖A − B‖_F² − Σ_i (σ_i(A) − σ_i(B))²) / (‖A‖_F² + ‖B‖_F²).

    Parameters
    ----------
    A, B : array, shape (..., d_out, d_in)
        Not both zero.

    Returns
    -------
    array, shape (...,)
    """
    gap = spectra.singular_values(A) - spectra.singular_values(B)
    difference = np.sum((A - B) ** 2, axis=(-2, -1)) - np.sum(gap**2, axis=-1)
    return difference / (np.sum(A**2, axis=(-2, -1)) + np.sum(B**2, axis=(-2, -1)))


def rounding(shape: tuple[int, ...]) -> float:
    """Bound the rounding error of `margins`.

    A singular value decomposition is backward stable: its values are off by a modest multiple p(d)
    of u times the norm, p(d) ≤ 10 d being generous.  They enter the margin with a factor of at most
    2(‖A‖ + ‖B‖)² / (‖A‖² + ‖B‖²) ≤ 4.

    Parameters
    ----------
    shape : (int, int)

    Returns
    -------
    float
    """
    return 40 * max(shape[-2:]) * float(np.finfo(float).eps)
