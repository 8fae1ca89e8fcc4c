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

import numpy as np

from dlnlab import spectra
from dlnlab.claims.verdict import Premise

__all__ = ["SOURCE", "STATEMENT", "Constants", "all_fitted", "measure", "premise"]

STATEMENT = (
    "As the proof of Theorem 2 uses it: after t_i the i-th singular vectors are the target's "
    "(c_vec = 0), and until t_i the next singular value waits at its initial value."
)
SOURCE = "Kwon et al. 2024, Assumption 1, Eq. (10)-(12), and the proof of Theorem 2 in B.2"


@dataclass(frozen=True)
class Constants:
    """The constants of Assumption 1 for one trajectory.

    Attributes
    ----------
    fitting_times : array, shape (r,)
        t_i; ``inf`` for a value that is never fitted.
    c_val : array, shape (r,)
        sup over t ≥ t_i of (σ_i(t) − σ_i*)², NaN if never fitted.
    c_vec : array, shape (r,)
        sup over t ≥ t_i of 1 − min(left, right alignment), NaN if never fitted.
    waiting : array, shape (r − 1,)
        max over t ≤ t_i of (σ_{i+1}(t) − σ_{i+1}(0)) / σ_{i+1}*: how far the next value has moved
        before its turn.  NaN if the i-th is never fitted or the two targets are equal.
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
    """
    t = spectra.fitting_times(times, values, targets, within)
    worst = 1 - np.fmin(left, right)
    c_val, c_vec = np.full(t.shape, np.nan), np.full(t.shape, np.nan)
    waiting = np.full(max(t.size - 1, 0), np.nan)
    for i, t_i in enumerate(t):
        after, before = times >= t_i, times <= t_i
        if not np.isfinite(t_i):
            continue
        c_val[i] = np.max((values[after, i] - targets[i]) ** 2)
        seen = worst[after, i]
        c_vec[i] = np.max(seen[np.isfinite(seen)], initial=0.0) if seen.size else np.nan
        if i < waiting.size and targets[i] - targets[i + 1] > spectra.REPEATED * targets[0]:
            moved = np.abs(values[before, i + 1] - values[0, i + 1])
            waiting[i] = np.max(moved) / targets[i + 1]
    return Constants(t, c_val, c_vec, waiting)


def all_fitted(constants: Constants) -> Premise:
    """Measure the premise that every value is fitted; the margin is minus the share that is not."""
    share = float(np.mean(~np.isfinite(constants.fitting_times)))
    return Premise("every mode fitted", "every t_i lies within the run", -share)


def premise(constants: Constants, error: float) -> Premise:
    """Return Assumption 1 in the form Theorem 2's proof uses, as a premise.

    The margin is −max(c_vec, waiting): 0 only where every vector is exact after its time and every
    value waits.  It is NaN, so not met, if some value is never fitted.
    """
    parts = np.concatenate([constants.c_vec, constants.waiting])
    fitted = all_fitted(constants).met
    margin = -float(np.nanmax(parts, initial=0.0)) if fitted else float("nan")
    return Premise("Assumption 1 with c_vec = 0", STATEMENT, margin, error)
