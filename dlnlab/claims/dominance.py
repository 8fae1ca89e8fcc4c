"""Dominance: no singular value of the original network runs ahead of the compressed network's.

This is not in the paper.  For L = 2 it has a proof (a Riccati equation that preserves the Loewner
order), and so it has for d = 2, for r = 1 and for targets that are the largest one or at most 2ε^L;
otherwise it is a conjecture.  With Lemma 1 it gives the refined Theorem 2 without any assumption of
incremental learning.
"""

from __future__ import annotations

import numpy as np

from dlnlab.claims.claim import Claim, Setting, Standing
from dlnlab.claims.verdict import Premise

__all__ = ["CLAIM", "SETTLED", "SOURCE", "STATEMENT", "margins", "same_start"]

STATEMENT = (
    "Along gradient flow from an orthogonal start, σ_i(W_{L:1}(t)) ≤ σ̃_i(t) for every i and t, "
    "σ̃ being the singular values of the compressed network with r̂ = d."
)
SOURCE = "dlnlab"


def _leading_or_small(setting: Setting) -> bool:
    """Whether every σ_i*, i ≤ r, is σ_1* or at most 2ε^L."""
    targets = setting.targets
    return bool(np.all((targets == np.max(targets)) | (targets <= 2 * setting.start)))


def _normal_core(setting: Setting) -> bool:
    """Whether QᵀM* is known, and commutes with its transpose to within rounding."""
    C = setting.core
    if C is None:
        return False
    size, unit = float(np.linalg.norm(C)) ** 2, float(np.finfo(float).eps)
    return bool(np.linalg.norm(C @ C.T - C.T @ C) <= 100 * C.shape[0] * unit * size)


SETTLED = (
    Standing(
        "proved",
        "L = 2",
        covers=lambda s: s.depth == 2,
        proofs=("dominance", "pair_comparison"),
    ),
    Standing("proved", "d = 2", covers=lambda s: s.size == 2, proofs=("plane_blocks",)),
    Standing(
        "proved",
        "targets that are σ_1* or at most 2ε^L, r = 1 and equal σ_i* among them",
        covers=_leading_or_small,
        proofs=("dominance", "small_targets"),
    ),
    Standing(
        "proved",
        "QᵀM* normal, or a sum of blocks of size one and two in some orthonormal basis",
        covers=_normal_core,
        proofs=("plane_blocks",),
    ),
)
"""Where dominance is proved for every i."""

CLAIM = Claim(
    "dominance",
    "Dominance",
    STATEMENT,
    SOURCE,
    (*SETTLED, Standing("conjecture", "all other instances")),
)


def same_start(values: np.ndarray, start: float, error: float) -> Premise:
    """Measure the premise that every singular value starts at ε^L."""
    gap = float(np.max(np.abs(values - start))) / start
    return Premise("same start", "σ_i(W_{L:1}(0)) = ε^L for every i", -gap, error)


def margins(values: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Return min_i σ̃_i(t) − σ_i(t) at each record, in units of the target.

    Parameters
    ----------
    values, bound : array, shape (records, n)
        Sorted singular values of the original network and of the compressed one with r̂ = d.

    Returns
    -------
    array, shape (records,)
        The smallest difference at each record.
    """
    return np.min(bound - values, axis=-1)
