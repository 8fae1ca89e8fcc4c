"""Decompositions as runs need them: of members that diverged too, and bounds by products."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dlnlab.numerics import arrays
from dlnlab.numerics.arrays import Array

__all__ = [
    "POWER",
    "REPEATED",
    "SEPARATED",
    "SVD",
    "Alignments",
    "alignments_of",
    "finite_svd",
    "norm_bounds",
    "norm_looseness",
]


REPEATED = float(np.sqrt(np.finfo(float).eps))
"""Target values closer than this, relative to the largest, count as one repeated value: a
perturbation of relative size eps turns their vectors by eps / gap, so at a gap of sqrt(eps) more
than half the digits of an individual vector are noise."""


SEPARATED = 1e3 * float(np.finfo(float).eps)
"""A network's vectors are reported only where its values differ by more than this, relative to the
largest: rounding turns them by about eps / gap, so three digits of the alignment are then right."""


POWER = 16
"""Of WᵀW in `norm_bounds`, a power of two."""


class SVD(NamedTuple):
    """A singular value decomposition ``U @ diag(s) @ Vh``.

    Attributes
    ----------
    U : array, shape (..., d_out, k)
    s : array, shape (..., k)
        In decreasing order.
    Vh : array, shape (..., k, d_in)
        The transposed right singular vectors.
    """

    U: Array
    s: Array
    Vh: Array


class Alignments(NamedTuple):
    """How close singular vectors are to the target's: cosines in [0, 1], NaN if undetermined.

    Attributes
    ----------
    left, right : array, shape (..., r)
    """

    left: Array
    right: Array


def finite_svd(W: Array, *, vectors: bool = True) -> SVD:
    """SVD of a batch in which some members may have diverged (their results are NaN).

    Parameters
    ----------
    W : array, shape (..., d_out, d_in)
    vectors : bool
        Whether singular vectors are computed.

    Returns
    -------
    SVD
        Without vectors U and Vh are None.
    """
    xp = arrays.namespace(W)
    good = xp.all(xp.isfinite(W), axis=(-2, -1))
    if bool(xp.all(good)):
        return SVD(*xp.linalg.svd(W, full_matrices=False)) if vectors else _values_only(xp, W)
    nan = xp.asarray(float("nan"), dtype=W.dtype, device=arrays.device_of(W))
    zero = xp.zeros_like(nan)
    safe = xp.where(good[..., None, None], W, zero)
    parts = SVD(*xp.linalg.svd(safe, full_matrices=False)) if vectors else _values_only(xp, safe)
    return parts._replace(s=xp.where(good[..., None], parts.s, nan))


def _values_only(xp, W: Array) -> SVD:
    return SVD(None, xp.linalg.svdvals(W), None)


def alignments_of(parts: SVD, target: SVD) -> Alignments:
    """Return the `alignments` of a matrix that is given by its SVD.

    Parameters
    ----------
    parts : SVD
        Of the matrix.
    target : SVD
        Of the target, compact.

    Returns
    -------
    Alignments
    """
    U, s, Vh = parts
    xp, r, same = arrays.namespace(s), target.s.shape[-1], _same_value(target.s)
    left = _projection(xp, xp.matmul(U.mT[..., :r, :], target.U), same)
    right = _projection(xp, xp.matmul(Vh[..., :r, :], target.Vh.mT), same)
    known = _separated(xp, s, same) & ~xp.isnan(s[..., :1])
    nan = xp.asarray(float("nan"), dtype=s.dtype, device=arrays.device_of(s))
    return Alignments(xp.where(known, left, nan), xp.where(known, right, nan))


def _same_value(s: Array) -> Array:
    """Boolean (..., r, r): which target values count as one repeated value."""
    xp = arrays.namespace(s)
    return xp.abs(s[..., :, None] - s[..., None, :]) <= REPEATED * s[..., :1, None]


def _projection(xp, cosines: Array, same: Array) -> Array:
    zero = xp.zeros_like(cosines)
    length = xp.sqrt(xp.sum(xp.where(same, cosines**2, zero), axis=-1))
    return xp.minimum(length, xp.ones_like(length))


def _separated(xp, s: Array, same: Array) -> Array:
    """Which of the first r values of `s` are separated from every value outside their group."""
    r, n = same.shape[-1], s.shape[-1]
    gap = xp.abs(s[..., :r, None] - s[..., None, :]) > SEPARATED * s[..., :1, None]
    inside = xp.concat([same, xp.zeros_like(same[..., :1])], axis=-1) if n > r else same
    inside = xp.take(inside, _columns(xp, same, r, n), axis=-1)
    return xp.all(gap | inside, axis=-1)


def _columns(xp, reference: Array, r: int, n: int) -> Array:
    """Column of the group table for each of the n values; all beyond r share the 'outside' one."""
    index = xp.arange(n, device=arrays.device_of(reference))
    return xp.minimum(index, xp.full_like(index, r)) if n > r else index


def norm_bounds(W: np.ndarray) -> np.ndarray:
    """Return upper bounds of the spectral norms of NumPy matrices, by products alone.

    ‖W‖₂ = ‖(WᵀW)^n‖₂^{1/2n} ≤ ‖(WᵀW)^n‖_F^{1/2n} ≤ k^{1/4n} ‖W‖₂ with k = min(d_out, d_in) and
    n = `POWER`: at most 5 % too large at k = 20, for a third of the time of singular values.

    Parameters
    ----------
    W : array, shape (..., d_out, d_in)

    Returns
    -------
    array, shape (...,)
    """
    size = np.linalg.norm(W, axis=(-2, -1))
    unit = W / np.where(size > 0, size, 1.0)[..., None, None]
    gram = unit.mT @ unit if W.shape[-1] <= W.shape[-2] else unit @ unit.mT
    for _ in range(POWER.bit_length() - 1):
        gram = gram @ gram
    return size * np.linalg.norm(gram, axis=(-2, -1)) ** (1 / (2 * POWER))


def norm_looseness(shape: tuple[int, ...]) -> float:
    """Return by what factor `norm_bounds` of matrices of a shape may be too large at most.

    Parameters
    ----------
    shape : tuple of int
        Whose last two sizes count.

    Returns
    -------
    float
    """
    return float(min(shape[-2:]) ** (1 / (4 * POWER)))
