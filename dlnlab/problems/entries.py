"""Deep matrix completion, A = P_Ω: some entries of the matrix are seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array
from dlnlab.problems.masked import Completion
from dlnlab.problems.problem import Target, checked_target
from dlnlab.problems.sampled import COMPUTATIONS, SampledCompletion, sampling_pays
from dlnlab.problems.targets import FactoredTarget

__all__ = ["completion"]


def completion(
    M: Any,
    mask: Any = None,
    normalization: str = "sum",
    *,
    target: Target = "M",
    computation: str = "auto",
) -> Completion | SampledCompletion:
    """Return the deep matrix completion problem, A = P_Ω.

    Parameters
    ----------
    M : array, shape (..., d_out, d_in), FactoredTarget or scipy.sparse array
        The target; also a pandas or polars frame, a masked array, or a torch tensor.  Entries that
        are NaN, empty or masked are unknown: they are unobserved, and the target is then unknown
        too.  A sparse array holds measurements only: its stored entries are the observed
        ones, explicit zeros included, and the target is then unknown.  An entry stored twice is
        refused, since it is not known whether the two are to be added.  Entries keep their
        precision if it is single or double, and become double otherwise.
    mask : boolean array of the shape of M, or scipy/cupy sparse pattern
        Which entries are observed.  Omit it when `M` is sparse; it may be omitted when `M` has
        unknown entries, for all others.
    normalization : {"sum", "mean"}
        ℓ(W) = ½ Σ_Ω (W − M)², or that divided by |Ω| as in the authors' code.
    target : array, FactoredTarget or None, optional
        What errors are measured against.  By default `M` itself when all of it is known.  None
        means that the entries of `M` outside the mask are not to be trusted, as where unknown ones
        were filled with zeros: nothing is measured there.
    computation : {"auto", "dense", "sampled"}
        How gradient descent computes.  "dense" forms the end-to-end matrix and its residual;
        "sampled" computes observed entries from the factors W_L and W_{L−1}⋯W_1 and keeps the
        gradient sparse (NumPy, no batch axes).  "auto" takes what is faster for the size at hand
        by the measured rule `dlnlab.problems.sampled.sampling_pays`.  The two differ by rounding.

    Returns
    -------
    Completion or SampledCompletion

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or no entry is observed.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> problem = dlnlab.completion(np.array([[1.0, 2.0]]), np.array([[True, False]]))
    >>> float(problem.loss(np.zeros((1, 2)))), problem.surrogate().tolist()
    (0.5, [[2.0, 0.0]])
    """
    checks.choice("computation", computation, COMPUTATIONS)
    M = checks.adopted("M", M)
    if _is_sparse(M):
        if mask is not None:
            raise ValueError(
                "`mask` must be omitted when `M` is sparse: the stored entries of `M` are the "
                "observed ones"
            )
        target = None if _is_default(target) else target
        return _sampled(_pattern("M", M), None, normalization, target, computation)
    M, known = _known(M)
    if mask is None:
        if known is None:
            raise TypeError(
                "`mask` must be a boolean array or a sparse pattern, got None with an `M` all of "
                "whose entries are known; mark the unknown ones by NaN, or see factorization"
            )
        mask = known
    if _is_default(target):
        target = M if known is None else None
    if _is_sparse(mask):
        pattern = _pattern("mask", mask)
        if known is not None:
            places = pattern.tocoo()
            _require_known(known[places.row, places.col])
        return _sampled(pattern, M, normalization, target, computation)
    mask = _checked_mask(M, mask)
    if known is not None:
        _require_known(known | ~mask)
    if _is_better_sampled(M, mask, computation):
        pattern = scipy.sparse.csr_array(mask)
        return _sampled(pattern, M, normalization, target, computation)
    M = M.to_dense() if isinstance(M, FactoredTarget) else M
    return Completion(M, mask, normalization, checked_target(target, tuple(M.shape[-2:]), "M", M))


def _known(M: Any) -> tuple[Any, Array | None]:
    """Return M with zeros for its unknown entries, and which ones are known; None for all."""
    if isinstance(M, FactoredTarget):
        return M, None
    if isinstance(M, np.ma.MaskedArray) and np.ma.is_masked(M):
        hidden = np.ma.getmaskarray(M)
        plain = checks.matrix("M", M.data, are_finite=False)
        M = np.where(hidden, np.array(np.nan, plain.dtype), plain)
    M = checks.matrix("M", M, are_finite=False)
    xp = arrays.namespace(M)
    known = ~xp.isnan(M)
    if bool(xp.all(known)):
        return checks.finite("M", M), None
    if not bool(xp.any(known)):
        raise ValueError("`M` must be finite in one entry at least, got NaN only")
    return checks.finite("M", xp.where(known, M, xp.zeros_like(M))), known


def _require_known(known: Array) -> None:
    """Raise unless all observed entries are known; what is not observed counts as known here."""
    xp = arrays.namespace(known)
    missing = int(xp.sum(xp.astype(~known, xp.int64)))
    if missing:
        raise ValueError(
            "`mask` must mark entries of `M` that are known, which may be NaN elsewhere only; got "
            f"{missing} of them NaN, empty or masked; drop them with mask & ~numpy.isnan(M), or "
            "omit the mask"
        )


def _is_default(target: Target) -> bool:
    return isinstance(target, str) and bool(checks.choice("target", target, ("M",)))


def _is_sparse(value: Any) -> bool:
    return scipy.sparse.issparse(value) or type(value).__module__.startswith("cupyx.scipy.sparse")


def _pattern(name: str, sparse: Any) -> Any:
    """Return a sparse matrix in compressed rows, sorted, with every place once."""
    if len(sparse.shape) != 2:
        raise ValueError(f"`{name}` must have exactly 2 axes, got shape {tuple(sparse.shape)}")
    # a mask says of an entry that it is observed, however often
    pattern = (checks.stored_once if name == "M" else checks.compressed_rows)(name, sparse)
    if pattern.nnz == 0:
        raise ValueError(f"`{name}` must have at least one observed entry, got none")
    pattern.sort_indices()
    return pattern


def _is_better_sampled(M: Any, mask: Array, computation: str) -> bool:
    """Tell whether a boolean mask is better turned into a pattern of observed entries."""
    single = arrays.is_host(mask) and mask.ndim == len(M.shape) == 2
    if computation == "sampled" and not single:
        raise ValueError(
            "`computation` must be 'auto' or 'dense' unless `M` and `mask` are two NumPy matrices "
            f"without batch axes, got 'sampled' and shapes {tuple(M.shape)}, {tuple(mask.shape)}"
        )
    if computation == "auto":
        return single and sampling_pays(mask.shape, int(np.count_nonzero(mask)))
    return computation == "sampled"


def _sampled(
    pattern: Any, M: Any, normalization: str, target: Target, computation: str
) -> SampledCompletion:
    shape = (int(pattern.shape[0]), int(pattern.shape[1]))
    if M is not None and scipy.sparse.issparse(pattern):
        host = M.U if isinstance(M, FactoredTarget) else M
        if not arrays.is_host(host):
            raise TypeError(
                "`mask` must be a boolean array of M's library, got a SciPy sparse pattern, which "
                "needs a NumPy M"
            )
    if M is None:
        values = checks.array("M", pattern.data, ndim=1)
    else:
        if tuple(M.shape) != shape:
            raise ValueError(f"`mask` must have the shape of `M`, {tuple(M.shape)}, got {shape}")
        places = pattern.tocoo()
        values = _entries(M, places.row, places.col)
    target = checked_target(target, shape, "M", values)
    return SampledCompletion(pattern, values, normalization, target, computation)


def _entries(M: Any, rows: Array, columns: Array) -> Array:
    """Return M[rows, columns], without forming a factored target."""
    if isinstance(M, FactoredTarget):
        xp = arrays.namespace(M.U)
        return xp.sum(M.U[rows, :] * M.s * M.Vh.T[columns, :], axis=-1)
    return M[rows, columns]


def _checked_mask(M: Any, mask: Any) -> Array:
    """Return a boolean array that fits M, or raise."""
    mask = checks.adopted("mask", mask)
    if not arrays.is_array(mask) or isinstance(mask, np.ndarray | np.generic):
        mask = checks.plain_array("mask", mask)
    reference = M.U if isinstance(M, FactoredTarget) else M
    xp = arrays.namespace(reference, mask, names=("M", "mask"))
    if not xp.isdtype(mask.dtype, "bool"):
        raise TypeError(
            f"`mask` must be boolean, got {checks.describe(mask)}; write mask != 0 if its nonzero "
            "entries mark the observed ones"
        )
    if tuple(mask.shape[-2:]) != tuple(M.shape[-2:]):
        raise ValueError(
            f"`mask` must have the shape of `M`, {tuple(M.shape)}, got {tuple(mask.shape)}"
        )
    try:
        np.broadcast_shapes(tuple(mask.shape), tuple(M.shape))
    except ValueError as error:
        raise ValueError(
            "`mask` must have batch axes that broadcast with those of `M`, "
            f"{tuple(M.shape)}, got {tuple(mask.shape)}"
        ) from error
    if not bool(xp.all(xp.any(mask, axis=(-2, -1)))):
        raise ValueError("`mask` must have at least one observed entry, got none")
    return mask
