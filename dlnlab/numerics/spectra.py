"""Singular values and singular subspaces of a network, compared with those of its target.

Singular vectors are never compared by sign: an SVD fixes u_i and v_i only up to a common sign, and
where singular values repeat only up to a rotation.  So a vector is compared with the whole singular
subspace that belongs to its value, and where the network's own values are too close together for
its vectors to be known, the answer is NaN rather than a guess.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from dlnlab.numerics import arrays, checks, krylov
from dlnlab.numerics.arrays import Array
from dlnlab.numerics.decompositions import SVD as SVD
from dlnlab.numerics.decompositions import Alignments as Alignments
from dlnlab.numerics.decompositions import alignments_of, finite_svd
from dlnlab.numerics.products import FactoredMatrix

__all__ = [
    "SVD",
    "Alignments",
    "alignments",
    "compact_svd",
    "fitting_times",
    "leading_svd",
    "numerical_rank",
    "singular_values",
    "subspace_distance",
    "svd_numbers",
]


def numerical_rank(s: Array, shape: tuple[int, ...]) -> int:
    """Return how many singular values are above rounding: ``s > max(shape) * eps * s[0]``.

    The bound is the size of the spurious singular values that rounding the matrix entries creates.
    For a batch the largest rank is returned.

    Parameters
    ----------
    s : array, shape (..., k)
        Singular values in decreasing order, in the precision they were computed in.
    shape : tuple of int
        Of the matrix, whose last two sizes count.

    Returns
    -------
    int

    Raises
    ------
    TypeError, ValueError
        If `s` is no real array, or `shape` no shape of a matrix.
    """
    s = checks.array("s", s, least=1, are_finite=False)
    shape = tuple(checks.integer("shape", n, 1) for n in checks.sequence("shape", shape))
    if len(shape) < 2 or 0 in s.shape:
        raise ValueError(
            f"`s` and `shape` must be those of a matrix, got {checks.describe(s)} and {shape}"
        )
    xp = arrays.namespace(s)
    eps = float(xp.finfo(s.dtype).eps)
    above = s > max(shape[-2:]) * eps * s[..., :1]
    return int(xp.max(xp.sum(xp.astype(above, xp.int64), axis=-1)))


def svd_numbers(shape: tuple[int, int]) -> int:
    """Return how many numbers the SVD of one matrix takes at most, its results included.

    It has a copy of the matrix, both factors twice (LAPACK's and NumPy's), and up to 3 k² numbers
    more, or 5 k² if the matrix is long, k = min(shape): square ones were found to take 5.2 to 8.0
    times the matrix, the more the higher its rank, and those of 3000 × 300 3.4 to 3.7 times.

    Parameters
    ----------
    shape : (int, int)
        (d_out, d_in).

    Returns
    -------
    int

    Raises
    ------
    TypeError, ValueError
        If `shape` is no shape of a matrix.
    """
    low, high = sorted(checks.shape("shape", shape))
    work = 3 if high < 11 / 6 * low else 5  # LAPACK starts with a QR factorization of long ones
    return low * high + 2 * low * (low + high) + work * low * low


def compact_svd(M: Array) -> SVD:
    """Return the SVD of a matrix or a batch cut at its numerical rank (at least one value is kept).

    Parameters
    ----------
    M : array, shape (..., d_out, d_in)

    Returns
    -------
    SVD
        Of shapes (..., d_out, r), (..., r) and (..., r, d_in).

    Raises
    ------
    TypeError, ValueError
        If `M` is not a real, finite array, shape (..., d_out, d_in).
    """
    M = checks.matrix("M", M)
    U, s, Vh = arrays.namespace(M).linalg.svd(M, full_matrices=False)
    rank = max(1, numerical_rank(s, M.shape))
    return SVD(U[..., :, :rank], s[..., :rank], Vh[..., :rank, :])


def leading_svd(A: Any, count: int) -> SVD | None:
    """Return the top-`count` SVD of a large sparse matrix, or None if it cannot be had accurately.

    By Lanczos iteration from fixed starts (`dlnlab.numerics.krylov`), so that one matrix gives one
    answer.  That the triples are the leading ones, copies of repeated values included, is made sure
    by starts orthogonal to all that was found, which must find nothing more.  The answer is
    accepted only if ‖A V − U S‖ and ‖Aᵀ U − V S‖ are within max(shape)·eps·σ_1, the backward error
    of a dense SVD, and the last value stands out of that error.

    Parameters
    ----------
    A : scipy.sparse array, shape (d_out, d_in)
        Computed in double precision.
    count : int
        From 1 to min(d_out, d_in).

    Returns
    -------
    SVD or None

    Raises
    ------
    TypeError, ValueError
        If `A` is no sparse matrix of finite real numbers, or `count` is out of range.

    Examples
    --------
    >>> import scipy.sparse
    >>> block = scipy.sparse.csr_array([[3.0, 0.0], [0.0, 1.0]])
    >>> leading_svd(scipy.sparse.block_diag([block] * 50), 3).s.round(12).tolist()
    [3.0, 3.0, 3.0]
    """
    if not scipy.sparse.issparse(A) or len(A.shape) != 2:
        raise TypeError(f"`A` must be a SciPy sparse matrix, got {checks.describe(A)}")
    checks.array("A", checks.compressed_rows("A", A).data)
    count = checks.integer("count", count, 1, min(A.shape))
    found = krylov.leading_triples(A.astype(np.float64), count)
    return None if found is None else SVD(*found)


def singular_values(W: Array) -> Array:
    """Return the singular values of each matrix in `W`, NaN for matrices that are not finite.

    Parameters
    ----------
    W : array, shape (..., d_out, d_in), or FactoredMatrix

    Returns
    -------
    array, shape (..., min(d_out, d_in))

    Raises
    ------
    TypeError, ValueError
        If `W` is no real array with at least two axes.
    """
    if isinstance(W, FactoredMatrix):
        return _factored_svd(W, 0).s
    W = checks.matrix("W", W, are_finite=False)
    return finite_svd(W, vectors=False).s


def _factored_svd(W: FactoredMatrix, count: int) -> SVD:
    """All singular values of W and its first `count` vectors, without forming W.

    Values beyond the inner dimension are exactly zero, and their vectors, which the factors do not
    determine, are NaN.
    """
    (d_out, d_in), small = W.shape, min(W.shape)
    if not W.is_finite():
        return SVD(*(np.full(n, np.nan) for n in ((d_out, count), small, (count, d_in))))
    U, s, Vh = W.svd() if count else (W.left[:, :0], W.singular_values(), W.right[:0, :])
    missing = max(0, count - s.size)
    U = np.pad(U[:, :count], ((0, 0), (0, missing)), constant_values=np.nan)
    Vh = np.pad(Vh[:count, :], ((0, missing), (0, 0)), constant_values=np.nan)
    return SVD(U, np.pad(s, (0, small - s.size)), Vh)


def alignments(W: Array, target: SVD) -> Alignments:
    """Compare the leading singular vectors of `W` with the target's, free of sign.

    For the i-th target value the result is ‖P_i u_i‖, where P_i projects onto the left singular
    subspace of the target that belongs to σ_i* (one vector if the value is simple, and then the
    result is |⟨u_i, u_i*⟩| of Assumption 1; all vectors of a repeated value otherwise), and
    likewise for the right vectors.

    Parameters
    ----------
    W : array, shape (..., d_out, d_in), or FactoredMatrix
    target : SVD
        Compact SVD of the target, with r values; may carry the batch axes of `W`.

    Returns
    -------
    Alignments
        Each of shape (..., r).  NaN where the i-th value of `W` is not separated from the values
        outside its group, as for every i at an orthogonal start: there u_i is not defined.

    Raises
    ------
    TypeError, ValueError
        If `W` is no real array or `target` no SVD, or they have different shapes.
    """
    target = _checked_svd("target", target)
    factored = isinstance(W, FactoredMatrix)
    W = W if factored else checks.matrix("W", W, are_finite=False)
    parts = target if factored else (W, *target)
    arrays.namespace(*parts, names=("W", "target"))
    shape = (target.U.shape[-2], target.Vh.shape[-1])
    if tuple(W.shape[-2:]) != shape:
        raise ValueError(
            f"`W` must have the target's shape (..., {shape[0]}, {shape[1]}), got {tuple(W.shape)}"
        )
    r = target.s.shape[-1]
    return alignments_of(_factored_svd(W, r) if factored else finite_svd(W), target)


def _checked_svd(name: str, value: Any) -> SVD:
    """Return an SVD whose three parts fit together."""
    checks.instance(name, value, SVD, "an SVD, such as compact_svd returns")
    U = checks.matrix(f"{name}.U", value.U, are_finite=False)
    s = checks.array(f"{name}.s", value.s, least=1, are_finite=False)
    Vh = checks.matrix(f"{name}.Vh", value.Vh, are_finite=False)
    if not U.shape[-1] == s.shape[-1] == Vh.shape[-2]:
        raise ValueError(
            f"`{name}` must have as many vectors as values, got parts of shapes {tuple(U.shape)}, "
            f"{tuple(s.shape)} and {tuple(Vh.shape)}"
        )
    return SVD(U, s, Vh)


def subspace_distance(A: Array, B: Array) -> Array:
    """Return the subspace distance r − ‖AᵀB‖_F² of Eq. (14) between two orthonormal frames.

    It is computed as ‖B − A AᵀB‖_F², which is the same number for orthonormal columns and keeps
    its digits when the subspaces nearly agree.

    Parameters
    ----------
    A, B : array, shape (..., d, r)
        Orthonormal columns.

    Returns
    -------
    array, shape (...,)
        Between 0 (same subspace) and r (orthogonal subspaces).

    Raises
    ------
    TypeError, ValueError
        If they are no real arrays of one library, or their sizes d differ.
    """
    A, B = checks.matrix("A", A), checks.matrix("B", B)
    xp = arrays.namespace(A, B, names=("A", "B"))
    _check_batch({"A": A.shape[:-2], "B": B.shape[:-2]})
    if A.shape[-2] != B.shape[-2]:
        raise ValueError(
            f"`A` and `B` must have as many rows, got shapes {tuple(A.shape)} and {tuple(B.shape)}"
        )
    rest = B - xp.matmul(A, xp.matmul(A.mT, B))
    return xp.sum(rest**2, axis=(-2, -1))


def _check_batch(shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise unless the batch axes of some arguments broadcast."""
    try:
        np.broadcast_shapes(*(tuple(shape) for shape in shapes.values()))
    except ValueError as error:
        names = " and ".join(f"`{name}`" for name in shapes)
        raise ValueError(f"{names} must have batch axes that broadcast, got {error}") from error


def fitting_times(
    times: np.ndarray, values: np.ndarray, targets: np.ndarray, within: float
) -> np.ndarray:
    """Return the times t_i after which each singular value stays fitted (Assumption 1).

    t_i is the earliest time such that |σ_i(t) − σ_i*| ≤ `within`·σ_i* at every later record.  A
    value approaches its target exponentially, so t_i is interpolated between the two records around
    it in the logarithm of that distance.

    Parameters
    ----------
    times : array, shape (records,)
    values : array, shape (records, r)
    targets : array, shape (r,)
    within : float
        Relative precision at which a value counts as fitted.

    Returns
    -------
    array, shape (r,)
        ``inf`` for a value that is not fitted at the last record.

    Raises
    ------
    TypeError, ValueError
        If an argument is no array of real numbers, the shapes do not fit, times do not increase, or
        `within` is not positive.
    """
    times, targets = checks.vector("times", times), checks.vector("targets", targets)
    values = checks.numbers_in("values", values, are_finite=False)
    within = checks.positive("within", within)
    if values.shape != (times.size, targets.size) or not times.size:
        raise ValueError(
            f"`values` must have shape (records, r) for the {times.size} `times` and the "
            f"{targets.size} `targets`, of which there must be some, got {values.shape}"
        )
    if not (np.diff(times) >= 0).all():
        raise ValueError(f"`times` must be increasing, got {checks.describe(times.tolist())}")
    distance, goal = np.abs(values - targets), within * targets
    result = np.full(targets.shape, np.inf)
    for i, column in enumerate(distance.T):
        outside = np.flatnonzero(~(column <= goal[i]))
        if outside.size == 0:
            result[i] = times[0]
        elif outside[-1] + 1 < times.size:
            k = outside[-1]
            share = _share(column[k], column[k + 1], goal[i])
            result[i] = times[k] + share * (times[k + 1] - times[k])
    return result


def _share(before: float, after: float, goal: float) -> float:
    """Where between two records a distance falls to `goal`, if its logarithm is linear."""
    if after > 0 and np.isfinite(before):
        return float(np.log(before / goal) / np.log(before / after))
    return float((before - goal) / (before - after)) if np.isfinite(before) else 1.0
