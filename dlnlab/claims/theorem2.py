"""Theorem 2: the compressed network's recovery error is never the larger one.

As stated, for every r̂ ≥ r,

    ‖W_{L:1}(t) − M*‖_F² ≥ ‖W̃_{L:1}(t) − M*‖_F²,

under Assumption 1 with c_vec = 0, a premise no random start meets exactly.  Without that premise it
can fail: for r̂ = d after convergence, because the original network's residual singular values decay
faster than β^L in the fitted directions' wake, and for ε^L > σ_r* even with r̂ = r.  The refined
form needs no incremental learning.  Dominance gives σ_i ≤ σ̃_i, and ε^L ≤ σ_r* keeps σ̃_i ≤ σ_i* for
i ≤ r, so (σ_i − σ_i*)² ≥ (σ̃_i − σ_i*)² there; with Lemma 1,

    ‖W_{L:1}(t) − M*‖_F² ≥ Σ_{i≤r} (σ_i − σ_i*)² ≥ ‖W̃_{L:1}(t) − M*‖_F² − (r̂ − r) β(t)^{2L},

and for r̂ = r this is the paper's inequality.

The residual singular values of W, dropped in the first step, can be counted.  By the exact
reduction (`dlnlab.parsimony`) the wide network is a block of 2r dimensions and, if 2r ≤ d, d − 2r
directions whose singular value is β(t)^L exactly.  Lemma 1 for the block leaves these alone, so

    ‖W_{L:1}(t) − M*‖_F² ≥ ‖W̃_{L:1}(t) − M*‖_F² − (r̂ − max(r, d − r)) β(t)^{2L}.

This sharp form is the paper's inequality, without Assumption 1, for every r ≤ r̂ ≤ max(r, d − r).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from dlnlab.claims import dominance
from dlnlab.claims.claim import Claim, Standing, proved
from dlnlab.claims.verdict import Premise

__all__ = [
    "ANY_EPS_CLAIM",
    "ANY_EPS_STATEMENT",
    "CLAIM",
    "REFINED_CLAIM",
    "REFINED_SOURCE",
    "REFINED_STATEMENT",
    "ROUNDING",
    "SETTLED",
    "SHARP_CLAIM",
    "SHARP_SOURCE",
    "SHARP_STATEMENT",
    "SOURCE",
    "STANDINGS",
    "STATEMENT",
    "allowance",
    "below_start",
    "enough_rank",
    "exact_margins",
    "margin_error",
    "margins",
    "refined_margins",
    "small_start",
]

STATEMENT = (
    "If Assumption 1 holds with c_vec = 0, which is Q v_i* = u_i* for i ≤ r, then for r̂ ≥ r "
    "‖W_{L:1}(t) − M*‖_F² − ‖W̃_{L:1}(t) − M*‖_F² = (d − r̂) β(t)^{2L} ≥ 0 for all t ≥ 0."
)
REFINED_STATEMENT = (
    "From every balanced orthogonal start with ε^L ≤ σ_r*, for r̂ ≥ r, "
    "‖W_{L:1}(t) − M*‖_F² ≥ ‖W̃_{L:1}(t) − M*‖_F² − (r̂ − r) β(t)^{2L} for all t ≥ 0."
)
SOURCE = "Kwon et al. 2024, Theorem 2 and Eq. (25)"
REFINED_SOURCE = "dlnlab, from dominance and Lemma 1"
SHARP_STATEMENT = (
    "From every balanced orthogonal start with ε^L ≤ σ_r*, for r̂ ≥ r, ‖W_{L:1}(t) − M*‖_F² ≥ "
    "‖W̃_{L:1}(t) − M*‖_F² − (r̂ − max(r, d − r)) β(t)^{2L} for all t ≥ 0, "
    "d = min(d_out, d_in)."
)
ANY_EPS_STATEMENT = (
    "From every balanced orthogonal start, for r̂ ≥ r and k = #{i ≤ r : σ_i* < ε^L}, "
    "‖W_{L:1}(t) − M*‖_F² ≥ ‖W̃_{L:1}(t) − M*‖_F² − (r̂ + k − max(r, d − r)) β(t)^{2L} for all "
    "t ≥ 0; without a correction, whatever ε is, for r ≤ r̂ ≤ d − 2r."
)
SHARP_SOURCE = "dlnlab, from dominance, Lemma 1 and parsimony"

ROUNDING = 16
"""Units of rounding per dimension in a sum of squares of computed differences."""


def enough_rank(r_hat: int, rank: int) -> Premise:
    """Measure the premise r̂ ≥ r; the margin is (r̂ − r)/r.

    Parameters
    ----------
    r_hat : int
        r̂.
    rank : int
        r.

    Returns
    -------
    Premise
    """
    return Premise(
        "r_hat >= r", "the compressed network can represent the target", (r_hat - rank) / rank
    )


def small_start(start: float, smallest: float, error: float) -> Premise:
    """Measure the premise ε^L ≤ σ_r*; the margin is 1 − ε^L/σ_r*.

    Parameters
    ----------
    start : float
        ε^L.
    smallest : float
        σ_r*.
    error : float
        Bound on the numerical error.

    Returns
    -------
    Premise
    """
    return Premise(
        "eps^L <= sigma_r", "every mode starts below its target", 1 - start / smallest, error
    )


def margins(original: np.ndarray, compressed: np.ndarray) -> np.ndarray:
    """Return ‖W − M*‖_F² − ‖W̃ − M*‖_F² from the two recovery errors.

    Parameters
    ----------
    original : array, shape (records,)
        ‖W − M*‖_F.
    compressed : array, shape (records,)
        ‖W̃ − M*‖_F.

    Returns
    -------
    array, shape (records,)
    """
    return original**2 - compressed**2


def allowance(r_hat: int, rank: int, size: int) -> int:
    """Return r̂ − max(r, d − r), the multiple of β^{2L} in the sharp form; `size` is d.

    Parameters
    ----------
    r_hat : int
        r̂.
    rank : int
        r.
    size : int
        d.

    Returns
    -------
    int
    """
    return r_hat - max(rank, size - rank)


def below_start(targets: np.ndarray, start: float) -> int:
    """Return k = #{i ≤ r : σ_i* < ε^L}; `targets` are σ_i*, `start` is ε^L.

    Parameters
    ----------
    targets : array, shape (r,)
        σ_i*.
    start : float
        ε^L.

    Returns
    -------
    int
    """
    return int(np.sum(np.asarray(targets) < start))


def exact_margins(
    original: np.ndarray, compressed: np.ndarray, spare: int, residual: np.ndarray
) -> np.ndarray:
    """Return −|‖W − M*‖_F² − ‖W̃ − M*‖_F² − (d − r̂)β^{2L}|; `spare` is d − r̂.

    Parameters
    ----------
    original : array, shape (records,)
        ‖W − M*‖_F.
    compressed : array, shape (records,)
        ‖W̃ − M*‖_F.
    spare : int
    residual : array, shape (records,)
        β(t)^L.

    Returns
    -------
    array, shape (records,)
    """
    return -np.abs(margins(original, compressed) - spare * residual**2)


def refined_margins(
    original: np.ndarray, compressed: np.ndarray, spare: int, residual: np.ndarray
) -> np.ndarray:
    """Return the margin of the refined form; `spare` is r̂ − r, `residual` is β(t)^L.

    With `spare` the `allowance`, which may be negative, it is the margin of the sharp form.

    Parameters
    ----------
    original : array, shape (records,)
        ‖W − M*‖_F.
    compressed : array, shape (records,)
        ‖W̃ − M*‖_F.
    spare : int
    residual : array, shape (records,)
        β(t)^L.

    Returns
    -------
    array, shape (records,)
    """
    return margins(original, compressed) + spare * residual**2


def margin_error(
    original: np.ndarray,
    compressed: np.ndarray,
    original_error: np.ndarray,
    compressed_error: np.ndarray,
    dimension: int,
) -> np.ndarray:
    """Bound the numerical error of `margins`, and of `refined_margins`.

    An error δ of a matrix changes the square e² of its distance to M* by at most (2e + δ) δ, and
    computing a sum of squares rounds it by a few units per dimension.

    Parameters
    ----------
    original, compressed : array, shape (records,)
        The recovery errors e = ‖W − M*‖_F and ‖W̃ − M*‖_F.
    original_error, compressed_error : array, shape (records,)
        Bounds δ on the Frobenius errors of W and W̃ themselves.
    dimension : int
        Largest side of the matrices the errors were computed from.

    Returns
    -------
    array, shape (records,)
    """
    pairs = ((original, original_error), (compressed, compressed_error))
    matrices = sum((2 * e + delta) * delta for e, delta in pairs)
    unit = ROUNDING * dimension * float(np.finfo(float).eps)
    return matrices + unit * (original**2 + compressed**2)


CLAIM = Claim("theorem2", "Theorem 2", STATEMENT, SOURCE, proved("assumption1"))
SETTLED = tuple(replace(known, proofs=(*known.proofs, "theorem2")) for known in dominance.SETTLED)
"""Where the refined forms are proved."""
STANDINGS = (
    *SETTLED,
    Standing("conditional", "all other instances", condition="dominance", proofs=("theorem2",)),
)
REFINED_CLAIM = Claim(
    "theorem2_refined", "Theorem 2, refined", REFINED_STATEMENT, REFINED_SOURCE, STANDINGS
)
SHARP_CLAIM = Claim("theorem2_sharp", "Theorem 2, sharp", SHARP_STATEMENT, SHARP_SOURCE, STANDINGS)
ANY_EPS_CLAIM = Claim(
    "theorem2_any_eps", "Theorem 2, any ε", ANY_EPS_STATEMENT, SHARP_SOURCE, STANDINGS
)
