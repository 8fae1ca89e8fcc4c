"""Dominance: no singular value of the original network runs ahead of the compressed network's.

This is not in the paper.  For L = 2 it has a proof (a Riccati equation that preserves the Loewner
order), and so it has for d = 2 and for r = 1; otherwise it is a conjecture.  With Lemma 1 it gives
the refined Theorem 2 without any assumption of incremental learning.
"""

from __future__ import annotations

import numpy as np

from dlnlab.claims.claim import Claim, Standing
from dlnlab.claims.verdict import Premise

__all__ = ["CLAIM", "SETTLED", "SOURCE", "STATEMENT", "margins", "same_start"]

STATEMENT = (
    "Along gradient flow from an orthogonal start, σ_i(W_{L:1}(t)) ≤ σ̃_i(t) for every i and t, "
    "σ̃ being the singular values of the compressed network with r̂ = d."
)
SOURCE = "dlnlab"

SETTLED = (
    Standing("proved", "L = 2", covers=lambda setting: setting.depth == 2),
    Standing("proved", "d = 2", covers=lambda setting: setting.size == 2),
    Standing("proved", "r = 1", covers=lambda setting: setting.rank == 1),
    Standing("proved", "equal σ_i*", covers=lambda setting: bool(np.ptp(setting.targets) == 0)),
)
"""Where dominance is proved (``proofs/dominance.py``, ``proofs/plane_blocks.py``)."""

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
