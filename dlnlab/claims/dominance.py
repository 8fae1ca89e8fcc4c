"""Dominance: no singular value of the original network runs ahead of the compressed network's.

This is not in the paper.  For L = 2 it has a proof (a Riccati equation that preserves the Loewner
order), and so it has for 2 × 2 targets, for r = 1 and for targets that are the largest one or at
most 2ε^L; otherwise it is a conjecture.  With Lemma 1 it gives the refined Theorem 2 without any
assumption of incremental learning.

Every proof needs layers that are balanced at the start, as those of square matrices are, and those
of hidden width min(d_out, d_in).  The wider hidden layers of the paper's Eq. (4) are not, and from
them it fails: the directions that end in a kernel add to the speed of the others.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csgraph

from dlnlab.claims.claim import Claim, Setting, Standing
from dlnlab.claims.verdict import Premise

__all__ = ["CLAIM", "SETTLED", "SOURCE", "STATEMENT", "margins", "same_start"]

STATEMENT = (
    "Along gradient flow from a balanced orthogonal start, σ_i(W_{L:1}(t)) ≤ σ̃_i(t) for every i "
    "and t, "
    "σ̃ being the singular values of the compressed network with r̂ = d."
)
SOURCE = "dlnlab"


def _leading_or_small(setting: Setting) -> bool:
    """Whether every σ_i*, i ≤ r, is σ_1* or at most 2ε^L."""
    targets = setting.targets
    return bool(np.all((targets == np.max(targets)) | (targets <= 2 * setting.start)))


def _is_plane(setting: Setting) -> bool:
    """Whether the target is 2 × 2."""
    return setting.shape == (2, 2)


def _splits(setting: Setting) -> bool:
    """Whether a square QᵀM* is known, and splits into blocks of size one and two within rounding.

    It does if it commutes with its transpose, or if its entries couple no more than two coordinates
    with each other; those given are the right singular vectors of M*, which lie in the blocks if
    their singular values are distinct and nonzero.
    """
    C, (rows, columns) = setting.core, setting.shape
    if C is None or rows != columns:
        return False
    size = float(np.linalg.norm(C))
    unit = 100 * C.shape[0] * float(np.finfo(float).eps)
    normal = np.linalg.norm(C @ C.T - C.T @ C) <= unit * size**2
    blocks = csgraph.connected_components(np.abs(C) > unit * size, directed=False)[1]
    return bool(normal or np.max(np.bincount(blocks)) <= 2)


SETTLED = (
    Standing(
        "proved",
        "L = 2",
        covers=lambda s: s.depth == 2,
        proofs=("dominance", "pair_comparison"),
    ),
    Standing("proved", "2 × 2 targets", covers=_is_plane, proofs=("plane_blocks",)),
    Standing(
        "proved",
        "targets with every σ_i* equal to σ_1* or at most 2ε^L, such as r = 1",
        covers=_leading_or_small,
        proofs=("dominance", "small_targets"),
    ),
    Standing(
        "proved",
        "square QᵀM* that are normal, or block diagonal with blocks of size one and two in some "
        "orthonormal basis",
        covers=_splits,
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
    """Measure the premise that every singular value starts at ε^L.

    Parameters
    ----------
    values : array, shape (n,)
        σ_i(0).
    start : float
        ε^L.
    error : float
        Bound on the numerical error.

    Returns
    -------
    Premise
    """
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
