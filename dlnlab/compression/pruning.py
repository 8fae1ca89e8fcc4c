"""Greedy pruning: columns of a factor whose norm is below a threshold go, all at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlnlab.compression.penalty import column_norms
from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array

__all__ = ["GAP", "prune", "pruning_threshold"]

GAP = 10.0
"""Factor between neighbouring norms that counts as a gap."""


def prune(factor: Array, threshold: Any = "auto") -> Array:
    """Return the columns of U whose norm exceeds a threshold, the largest first.

    Parameters
    ----------
    factor : array, shape (..., d, k)
        U, such as `group_lasso(…).factor`.
    threshold : "auto" or float
        Columns of at most this norm go.  "auto" is `pruning_threshold`, the middle of the widest
        gap between norms; where there is none, as after training without a penalty, nothing goes.

    Returns
    -------
    array, shape (..., d, kept)
        In a batch, `kept` is the largest number of columns that a member keeps; the others are
        filled up with columns of zeros, which stay zero in `fine_tune`.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed, or no column would be left.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> dlnlab.compression.prune(np.diag([1e-5, 1.0, 0.5])).tolist()
    [[0.0, 0.0], [1.0, 0.0], [0.0, 0.5]]
    """
    U = checks.matrix("factor", factor)
    if isinstance(threshold, str):
        checks.choice("threshold", threshold, ("auto",))
        limit = np.asarray(pruning_threshold(U))
    else:
        limit = np.asarray(checks.nonnegative("threshold", threshold))
    norms = arrays.to_host(column_norms(U))
    if not np.max(norms, axis=-1).all():
        raise ValueError(f"`factor` must have a column that is not zero, got {checks.describe(U)}")
    kept = norms > limit[..., None]
    counts = np.sum(kept, axis=-1)
    if not counts.all():
        raise ValueError(
            f"`threshold` must leave at least one column, got {float(np.max(limit)):.3g} where the "
            f"largest norm is {float(np.min(norms.max(axis=-1))):.3g}"
        )
    order = np.argsort(-norms, axis=-1, kind="stable")[..., : int(counts.max())]
    xp = arrays.namespace(U)
    mask = arrays.like(np.take_along_axis(kept, order, axis=-1)[..., None, :], U)
    places = np.broadcast_to(order[..., None, :], (*U.shape[:-1], order.shape[-1]))
    chosen = xp.take_along_axis(U, arrays.like(places, U, keep_dtype=True), axis=-1)
    return chosen * mask


def pruning_threshold(factor: Array) -> Any:
    """Return the norm in the middle of the widest gap between the column norms of U (ours).

    The penalty parts columns into learned ones, of norm about σ_i, and empty ones.  The gap is the
    largest ratio of neighbouring norms in decreasing order; its middle is the geometric mean.  A
    ratio below 10 is no gap.  Norms below √eps of the largest count as equal to that: such columns
    change U Uᵀ by less than its rounding.  A threshold that needs no gap is √β, below which the
    penalty of `group_lasso` is a ridge: columns that are learned stay above it if √β ≪ σ_r.

    Parameters
    ----------
    factor : array, shape (..., d, k)

    Returns
    -------
    float or array, shape (...,)
        0 where there is no gap.

    Raises
    ------
    TypeError, ValueError
        If `factor` is no real, finite matrix.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> float(dlnlab.compression.pruning_threshold(np.diag([1.0, 1e-4, 0.25])))
    0.005
    """
    U = checks.matrix("factor", factor)
    norms = -np.sort(-arrays.to_host(column_norms(U)), axis=-1)
    if norms.shape[-1] == 1:
        return np.zeros(norms.shape[:-1])[()]
    rounding = np.sqrt(np.finfo(norms.dtype).eps) * norms[..., :1]
    levels = np.maximum(norms, np.maximum(rounding, np.finfo(norms.dtype).tiny))
    ratios = levels[..., :-1] / levels[..., 1:]
    place = np.argmax(ratios, axis=-1)[..., None]
    above, below = (np.take_along_axis(levels, place + k, axis=-1)[..., 0] for k in (0, 1))
    return np.where(above >= GAP * below, np.sqrt(above * below), 0.0)[()]
