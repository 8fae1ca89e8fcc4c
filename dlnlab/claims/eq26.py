"""Eq. (26): the step of the paper's proof of Theorem 2 that holds for no network.

Until t_i the next singular values are said to wait, σ_{i+1}(t) = σ̃_{i+1}(t) = ε^L.  But the
compressed value moves from the first moment on, σ̃_{i+1}′(0) = Lε^{2L−2}(σ_{i+1}* − ε^L), unless
its target happens to be ε^L, and β decreases strictly.  So the proof is about no network whose t_1
is positive; the theorem with c_vec = 0 is true all the same (`theorem2`).
"""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np

from dlnlab.claims.claim import Claim, Witness, refuted

__all__ = ["CLAIM", "SOURCE", "STATEMENT", "margins"]

STATEMENT = (
    "Until t_i, when the i-th singular value is fitted, the next one waits: "
    "σ_{i+1}(t) = σ̃_{i+1}(t) = ε^L for all t < t_i, i = 1, …, r − 1."
)
SOURCE = "Kwon et al. 2024, Eq. (26) in the proof of Theorem 2, B.2"
CLAIM = Claim(
    "eq26",
    "Eq. (26)",
    STATEMENT,
    SOURCE,
    refuted(
        Witness((F(1), F(1, 2)), 2, 2, F(1, 10), F(1), F(0), F(1), (F("-3.26e-2"), F("-3.25e-2"))),
        "slips",
    ),
)


def margins(values: np.ndarray, start: float, target: float) -> np.ndarray:
    """Return −|σ̃_{i+1}(t) − ε^L| / σ_{i+1}* at each record.

    Parameters
    ----------
    values : array, shape (records,)
        σ̃_{i+1}(t), or σ_{i+1}(t), at times before t_i.
    start, target : float
        ε^L and σ_{i+1}* > 0.

    Returns
    -------
    array, shape (records,)
    """
    return -np.abs(values - start) / target
