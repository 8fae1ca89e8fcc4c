"""Assumption 1: incremental learning, as measured on a trajectory.

The paper asks for constants c_val, c_vec and times t_1 ≤ … ≤ t_r such that after t_i the i-th
singular value and vectors are fitted to within c_val and c_vec, and before t_i the i-th value is
negligible in the limit ε → 0.  Three corrections are needed to measure it:

* singular vectors have no sign, and none of their own where values repeat, so they are compared as
  subspaces (`dlnlab.spectra.alignments`);
* the constants depend on the times, so the times are defined first: t_i is when σ_i has come, for
  good, within a given fraction of σ_i*;
* the limit ε → 0 at fixed t says little, since t_i itself grows like ε^{2−L}.  What the proof of
  Theorem 2 uses is stronger and has no limit: c_vec = 0, and σ_{i+1} = ε^L until t_i.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction as F

import numpy as np

from dlnlab.claims.claim import Claim, Witness, proved, refuted
from dlnlab.claims.verdict import Premise
from dlnlab.numerics import decompositions, spectra

__all__ = [
    "CLAIM",
    "GENERALLY_CLAIM",
    "GENERALLY_STATEMENT",
    "SOURCE",
    "STATEMENT",
    "Constants",
    "Running",
    "aligned_start",
    "all_fitted",
    "measure",
    "running",
]

STATEMENT = (
    "Along gradient flow from an orthogonal start, after times t_i the i-th singular vectors are "
    "the target's, c_vec = 0, exactly if they are at the start: Q v_i* = u_i* for i ≤ r."
)
GENERALLY_STATEMENT = "Along gradient flow from an orthogonal start, generally c_vec = 0."
SOURCE = "Kwon et al. 2024, Assumption 1, Eq. (10)-(12), and the proof of Theorem 2 in B.2"
CLAIM = Claim(
    "assumption1", "Assumption 1 with c_vec = 0", STATEMENT, SOURCE, proved("assumption1")
)
GENERALLY_CLAIM = Claim(
    "generally_c_vec_0",
    "Generally c_vec = 0",
    GENERALLY_STATEMENT,
    "Kwon et al. 2024, after Assumption 1 and in the remarks of B.2",
    refuted(
        Witness(
            (F(1), F(0)), 2, 2, F(1, 5), F(-3, 5), F(4, 5), F(6), (F("-1.23e-5"), F("-1.22e-5"))
        ),
        "assumption1",
    ),
)


@dataclass(frozen=True)
class Constants:
    """The constants of Assumption 1 for one trajectory.

    Attributes
    ----------
    fitting_times : array, shape (r,)
        t_i; ``inf`` for a value that is never fitted.
    c_val : array, shape (r,)
        sup over t ≥ t_i of (σ_i(t) − σ_i*)², NaN if never fitted.  For a value that approaches its
        target steadily the supremum is taken at t_i, so it is (within·σ_i*)² by the definition of
        t_i; only a value that overshoots has more to tell.
    c_vec : array, shape (r,)
        sup over t ≥ t_i of 1 − min(left, right alignment), NaN if never fitted.
    waiting : array, shape (r − 1,)
        max over t ≤ t_i of |σ_{i+1}(t) − σ_{i+1}(0)| / σ_{i+1}*: how far the next value has moved
        before its turn.  The proof in the paper's B.2 has it at rest, which no network with
        distinct targets meets; the theorem does not need it.  NaN if the i-th is never fitted or
        the two targets are equal.
    """

    fitting_times: np.ndarray
    c_val: np.ndarray
    c_vec: np.ndarray
    waiting: np.ndarray


def measure(
    times: np.ndarray,
    values: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    targets: np.ndarray,
    within: float,
) -> Constants:
    """Measure the constants of Assumption 1.

    Parameters
    ----------
    times : array, shape (records,)
    values : array, shape (records, r)
        Leading singular values of the network.
    left, right : array, shape (records, r)
        Alignments of its singular vectors with the target's.
    targets : array, shape (r,)
        σ_i*.
    within : float
        A value counts as fitted within this fraction of its target.

    Returns
    -------
    Constants
    """
    t = spectra.fitting_times(times, values, targets, within)
    off = 1 - np.fmin(left, right)
    c_val, c_vec = np.full(t.shape, np.nan), np.full(t.shape, np.nan)
    waiting = np.full(max(t.size - 1, 0), np.nan)
    for i in np.flatnonzero(np.isfinite(t)):
        after = times >= t[i]
        edge = within * targets[i] if t[i] > times[0] else 0.0
        c_val[i] = max(edge**2, np.max((values[after, i] - targets[i]) ** 2, initial=0.0))
        c_vec[i] = max(_at(t[i], times, off[:, i]), np.nanmax(off[after, i], initial=0.0))
        if i < waiting.size and targets[i] - targets[i + 1] > decompositions.REPEATED * targets[0]:
            moved = np.abs(values[:, i + 1] - values[0, i + 1])
            so_far = np.max(moved[times <= t[i]])
            waiting[i] = max(_at(t[i], times, moved), so_far) / targets[i + 1]
    return Constants(t, c_val, c_vec, waiting)


@dataclass(frozen=True)
class Running:
    """The constants of Assumption 1 as functions of the time from which they are asked to hold.

    Attributes
    ----------
    c_val : array, shape (records, r)
        sup over s ≥ t of (σ_i(s) − σ_i*)², Eq. (10).
    c_vec : array, shape (records, r)
        sup over s ≥ t of 1 − min(left, right alignment), Eq. (11) and (12); NaN where no later
        record knows the vectors.
    """

    c_val: np.ndarray
    c_vec: np.ndarray


def running(
    values: np.ndarray, left: np.ndarray, right: np.ndarray, targets: np.ndarray
) -> Running:
    """Return c_val(t) and c_vec(t): what the constants would be if t_i were t, for every mode.

    Assumption 1 asks for a bound at all later times, so its smallest constant for a given t_i is a
    supremum over s ≥ t_i.  As a function of t_i it never increases, it does not depend on how
    "fitted" is defined, and at the t_i of `measure` it is the c_val and c_vec found there (up to
    interpolation between two records).  Where the distance to the target itself decreases, which is
    how a value or a vector ends, it equals that distance, (σ_i(t) − σ_i*)² or 1 − alignment, which
    is what Fig. 13 of the paper follows over the iterations.

    Parameters
    ----------
    values : array, shape (records, r)
        Leading singular values of the network.
    left, right : array, shape (records, r)
        Alignments of its singular vectors with the target's, NaN where unknown.
    targets : array, shape (r,)
        σ_i*.

    Returns
    -------
    Running

    Examples
    --------
    >>> curves = running(np.array([[0.0], [1.5], [1.0]]), *2 * [np.array([[0.5], [0.9], [1.0]])],
    ...                  np.array([1.0]))
    >>> curves.c_val.ravel().tolist(), curves.c_vec.ravel().round(2).tolist()
    ([1.0, 0.25, 0.0], [0.5, 0.1, 0.0])
    """
    return Running(_from_then_on((values - targets) ** 2), _from_then_on(1 - np.fmin(left, right)))


def _from_then_on(values: np.ndarray) -> np.ndarray:
    """sup over s ≥ t, of what is known."""
    return np.fmax.accumulate(values[::-1], axis=0)[::-1]


def _at(t: float, times: np.ndarray, values: np.ndarray) -> float:
    """Interpolate a recorded curve; 0 where it is not known, so that known records decide."""
    value = float(np.interp(t, times, values))
    return value if np.isfinite(value) else 0.0


def all_fitted(constants: Constants) -> Premise:
    """Measure the premise that every value is fitted; the margin is minus the share that is not.

    Parameters
    ----------
    constants : Constants

    Returns
    -------
    Premise
    """
    share = float(np.mean(~np.isfinite(constants.fitting_times)))
    return Premise("every mode fitted", "every t_i lies within the run", -share)


def aligned_start(start: np.ndarray, target: np.ndarray, scale: float) -> Premise:
    """Measure Q v_i* = u_i* for i ≤ r, which Assumption 1 with c_vec = 0 comes down to.

    Along gradient flow the vectors can be exact after t_i only if they are so at the start
    (``proofs/assumption1.py``).  The margin is −‖Q v_i* − u_i*‖ of the mode that is most clearly
    off, computed from the compact SVD.  It is linear in the angle, where 1 − cos is quadratic.

    Parameters
    ----------
    start, target : array, shape (d_out, d_in)
        W_{L:1}(0) = ε^L Q, and M*.
    scale : float
        ε^L.

    Returns
    -------
    Premise
    """
    U, s, Vh = spectra.compact_svd(target)
    gaps = np.linalg.norm(start @ Vh.T / scale - U, axis=0)
    # u_i* = M* v_i*/σ_i* carries the rounding of M* over σ_i*
    rounding = 100 * max(target.shape) * float(np.finfo(float).eps) * s[0] / s
    worst = int(np.argmax(gaps / rounding))
    error = float(rounding[worst])
    return Premise("aligned start", "Q v_i* = u_i* for i ≤ r", -float(gaps[worst]), error)
