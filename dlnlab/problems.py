"""Matrix-recovery problems: a loss of the end-to-end matrix, and its gradient.

Every problem is ℓ(W) = c/2 ‖A(W) − y‖² for a linear measurement operator A (Eq. 1 of the paper), so
it is given by two things: the residual A(W) − y, and the adjoint Aᵀ that carries a residual back to
a matrix.  The gradient ∇ℓ(W) = c Aᵀ(A(W) − y) is taken with respect to the end-to-end matrix W
only; a problem knows nothing of layers.  The factor c is 1 for ``normalization="sum"`` (the paper)
and one over the number of measurements for ``"mean"`` (the authors' code).
"""

from __future__ import annotations

import abc
import hashlib
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from dlnlab import arrays, checks, spectra, targets
from dlnlab.arrays import Array
from dlnlab.spectra import SVD
from dlnlab.targets import FactoredTarget

__all__ = [
    "Completion",
    "Factorization",
    "LinearRecovery",
    "Problem",
    "SampledCompletion",
    "Sensing",
    "completion",
    "factorization",
    "linear_recovery",
    "sensing",
]

NORMALIZATIONS = ("sum", "mean")
Target = Any
"""A dense array, a `FactoredTarget`, or None where the target is unknown."""


class Problem(abc.ABC):
    """A least-squares matrix-recovery problem ℓ(W) = c/2 ‖A(W) − y‖².

    Attributes
    ----------
    shape : (int, int)
        (d_out, d_in) of the end-to-end matrix.
    target : array, FactoredTarget or None
        M*, where it is known.
    normalization : str
        "sum" or "mean".
    scale : float or array
        The factor c.
    reference : array
        An array that lives where the problem's data live, and has their dtype.
    """

    def __init__(
        self, shape: tuple[int, int], target: Target, normalization: str, reference: Array
    ) -> None:
        self.shape = shape
        self.target = target
        self.normalization = checks.choice("normalization", normalization, NORMALIZATIONS)
        self.reference = reference
        self.scale: Any = 1.0

    def _count_measurements(self, count: Any) -> None:
        self.scale = 1.0 / count if self.normalization == "mean" else 1.0

    @abc.abstractmethod
    def residual(self, W: Array) -> Array:
        """Return A(W) − y."""

    @abc.abstractmethod
    def adjoint(self, residual: Array) -> Array:
        """Return Aᵀ(residual), shape (..., d_out, d_in)."""

    @abc.abstractmethod
    def surrogate(self) -> Array:
        """Return the surrogate matrix of Eq. (6), shape (d_out, d_in), from which C-DLNs start."""

    @property
    @abc.abstractmethod
    def curvature(self) -> float:
        """The largest eigenvalue c‖A‖² of the Hessian of ℓ as a function of W."""

    def squared_norm(self, residual: Array) -> Array:
        """Return ‖residual‖² of each batch member."""
        xp = arrays.namespace(residual)
        return xp.sum(residual**2, axis=(-2, -1))

    def loss(self, W: Array) -> Array:
        """Return ℓ(W) = c/2 ‖A(W) − y‖² (Eq. 1).

        Parameters
        ----------
        W : array, shape (..., d_out, d_in)

        Returns
        -------
        array, shape (...,)

        Raises
        ------
        ValueError
            If the last two axes of `W` are not `shape`.
        """
        return 0.5 * self.scale * self.squared_norm(self.residual(self._check(W)))

    def gradient(self, W: Array) -> Array:
        """Return ∇ℓ(W) = c Aᵀ(A(W) − y), the gradient with respect to the end-to-end matrix.

        Parameters
        ----------
        W : array, shape (..., d_out, d_in)

        Returns
        -------
        array, shape (..., d_out, d_in)

        Raises
        ------
        ValueError
            If the last two axes of `W` are not `shape`.
        """
        gradient = self.adjoint(self.residual(self._check(W)))
        if self.normalization == "sum":
            return gradient
        return self._matrix_scale * gradient

    @cached_property
    def _matrix_scale(self) -> Any:
        return self.scale[..., None, None] if arrays.is_array(self.scale) else self.scale

    def error(self, W: Array) -> Array:
        """Return the recovery error ‖W − M*‖_F.

        Parameters
        ----------
        W : array, shape (..., d_out, d_in)

        Returns
        -------
        array, shape (...,)

        Raises
        ------
        ValueError
            If the target is unknown.
        """
        target = self._known_target()
        xp = arrays.namespace(W, target)
        return xp.sqrt(xp.sum((self._check(W) - target) ** 2, axis=(-2, -1)))

    def singular_values(self, W: Array) -> Array:
        """Return the singular values of the end-to-end matrix `W` stands for."""
        return spectra.singular_values(W)

    @cached_property
    def target_svd(self) -> SVD:
        """Compact SVD of the target (raises ValueError if it is unknown)."""
        self._require_target()
        return targets.target_svd(self.target)

    @cached_property
    def _dense_target(self) -> Array:
        dense = self.target
        return dense.to_dense() if isinstance(dense, FactoredTarget) else dense

    def _known_target(self) -> Array:
        self._require_target()
        return self._dense_target

    def _require_target(self) -> None:
        if self.target is None:
            raise ValueError(
                "this problem's `target` is unknown (measurements only), so errors and alignments "
                "are not defined; pass `target=` when you build it"
            )

    def _check(self, W: Array) -> Array:
        if not hasattr(W, "shape"):  # cheaper than a look-up of its library, in every step
            raise TypeError(
                f"`W` must be an array of shape (..., {self.shape[0]}, {self.shape[1]}), "
                f"got {checks.describe(W)}"
            )
        if tuple(W.shape[-2:]) != self.shape:
            raise ValueError(
                f"`W` must have shape (..., {self.shape[0]}, {self.shape[1]}), got {tuple(W.shape)}"
            )
        return W

    def fingerprint(self) -> str:
        """Return a hash of the problem's data and target, to recognize a checkpoint's problem."""
        digest = hashlib.sha256(f"{type(self).__name__}{self.shape}{self.normalization}".encode())
        known = self.target.svd if isinstance(self.target, FactoredTarget) else (self.target,)
        digest.update(str(self.target is None).encode())
        for array in (*self._data(), *(part for part in known if part is not None)):
            host = np.ascontiguousarray(arrays.to_host(array))
            digest.update(f"{host.shape}{host.dtype}".encode() + host.tobytes())
        return digest.hexdigest()

    @abc.abstractmethod
    def _data(self) -> tuple[Array, ...]:
        """The arrays that define the problem, for its fingerprint."""

    def __repr__(self) -> str:
        known = "known" if self.target is not None else "unknown"
        return (
            f"{type(self).__name__}(shape={self.shape}, normalization={self.normalization!r}, "
            f"target {known})"
        )


class Factorization(Problem):
    """Deep matrix factorization, A = Id: ℓ(W) = c/2 ‖W − M‖_F².  See `factorization`."""

    def __init__(self, M: Array | FactoredTarget, normalization: str) -> None:
        reference = M.U if isinstance(M, FactoredTarget) else M
        super().__init__(tuple(M.shape[-2:]), M, normalization, reference)
        self._count_measurements(self.shape[0] * self.shape[1])

    def residual(self, W: Array) -> Array:
        return W - self._dense_target

    def adjoint(self, residual: Array) -> Array:
        return residual

    def error(self, W: Array) -> Array:
        """Return the recovery error ‖W − M‖_F, the norm of the residual."""
        return arrays.namespace(W).sqrt(self.squared_norm(self.residual(self._check(W))))

    def surrogate(self) -> Array:
        """Return M itself: AᵀA is the identity."""
        return self.target

    @property
    def curvature(self) -> float:
        return float(self.scale)

    def _data(self) -> tuple[Array, ...]:
        return tuple(self.target.svd) if isinstance(self.target, FactoredTarget) else (self.target,)


class Completion(Problem):
    """Deep matrix completion, A = P_Ω, from a boolean mask.  See `completion`."""

    def __init__(self, M: Array, mask: Array, normalization: str, target: Target) -> None:
        super().__init__(tuple(M.shape[-2:]), target, normalization, M)
        xp = arrays.namespace(M, mask)
        self.mask = xp.astype(mask, M.dtype)
        self.observed = self.mask * M
        count = xp.sum(self.mask, axis=(-2, -1))
        self._share = count / (self.shape[0] * self.shape[1])
        self._count_measurements(count)

    def residual(self, W: Array) -> Array:
        return self.mask * W - self.observed

    def adjoint(self, residual: Array) -> Array:
        return residual

    def surrogate(self) -> Array:
        """Return P_Ω(M)/p with p the observed share, an unbiased estimate of M for a random Ω."""
        return self.observed / self._share[..., None, None]

    @cached_property
    def curvature(self) -> float:
        scale = self.scale
        return float(arrays.namespace(scale).max(scale)) if arrays.is_array(scale) else scale

    def _data(self) -> tuple[Array, ...]:
        return self.mask, self.observed


class SampledCompletion(Problem):
    """Deep matrix completion from a sparse pattern of observed entries.  See `completion`."""

    def __init__(self, pattern: Any, values: Array, normalization: str, target: Target) -> None:
        shape = (int(pattern.shape[0]), int(pattern.shape[1]))
        super().__init__(shape, target, normalization, values)
        self.rows, self.columns, self.values = pattern.row, pattern.col, values
        self._count_measurements(values.shape[-1])

    def residual(self, W: Array) -> Array:
        return W[..., self.rows, self.columns] - self.values

    def adjoint(self, residual: Array) -> Array:
        xp = arrays.namespace(residual)
        out = xp.zeros((*residual.shape[:-1], *self.shape), dtype=residual.dtype)
        out[..., self.rows, self.columns] = residual
        return out

    def squared_norm(self, residual: Array) -> Array:
        return arrays.namespace(residual).sum(residual**2, axis=-1)

    def surrogate(self) -> Array:
        """Return P_Ω(M)/p with p the observed share, an unbiased estimate of M for a random Ω."""
        share = self.values.shape[-1] / (self.shape[0] * self.shape[1])
        return self.adjoint(self.values) / share

    @property
    def curvature(self) -> float:
        return float(self.scale)

    def _data(self) -> tuple[Array, ...]:
        return self.rows, self.columns, self.values


class _Measured(Problem):
    """Problems whose residual is a vector of m measurements."""

    measurements: Array

    @abc.abstractmethod
    def _measure(self, W: Array) -> Array:
        """Return A(W), shape (..., m)."""

    @abc.abstractmethod
    def _adjoint_vector(self, vectors: Array) -> Array:
        """Map (..., m) to (..., d_out·d_in)."""

    def residual(self, W: Array) -> Array:
        return self._measure(W) - self.measurements

    def adjoint(self, residual: Array) -> Array:
        xp = arrays.namespace(residual)
        return xp.reshape(self._adjoint_vector(residual), (*residual.shape[:-1], *self.shape))

    def squared_norm(self, residual: Array) -> Array:
        return arrays.namespace(residual).sum(residual**2, axis=-1)

    def surrogate(self) -> Array:
        """Return (1/m) Σ y_i A_i (Eq. 6)."""
        return self.adjoint(self.measurements) / self.measurements.shape[-1]

    @cached_property
    def curvature(self) -> float:
        """c‖A‖², by Lanczos iteration on AᵀA to a relative precision of 1e-3."""
        n = self.shape[0] * self.shape[1]

        def normal(vector: np.ndarray) -> np.ndarray:
            W = arrays.like(vector.reshape(self.shape), self.reference)
            return arrays.to_host(self.adjoint(self._measure(W))).reshape(-1)

        if n == 1:
            return float(self.scale * normal(np.ones(1))[0])
        operator = scipy.sparse.linalg.LinearOperator((n, n), matvec=normal, dtype=float)
        start = np.random.default_rng(0).standard_normal(n)
        largest = scipy.sparse.linalg.eigsh(
            operator, k=1, v0=start, tol=1e-3, return_eigenvectors=False
        )
        return float(self.scale * largest[0])


class Sensing(_Measured):
    """Deep matrix sensing, A(W)_i = ⟨A_i, W⟩.  See `sensing`."""

    def __init__(
        self, matrices: Array, measurements: Array, normalization: str, target: Target
    ) -> None:
        super().__init__(tuple(matrices.shape[1:]), target, normalization, matrices)
        xp = arrays.namespace(matrices, measurements)
        self.measurements = measurements
        self._rows = xp.reshape(matrices, (matrices.shape[0], -1))
        self._count_measurements(matrices.shape[0])

    def _measure(self, W: Array) -> Array:
        xp = arrays.namespace(W)
        flat = xp.reshape(W, (*W.shape[:-2], self._rows.shape[1]))
        return xp.matmul(flat, self._rows.mT)

    def _adjoint_vector(self, vectors: Array) -> Array:
        return arrays.namespace(vectors).matmul(vectors, self._rows)

    def _data(self) -> tuple[Array, ...]:
        return self._rows, self.measurements


class LinearRecovery(_Measured):
    """Recovery from any SciPy linear operator acting on vec(W).  See `linear_recovery`."""

    def __init__(
        self,
        operator: Any,
        measurements: np.ndarray,
        shape: tuple[int, int],
        normalization: str,
        target: Target,
    ) -> None:
        super().__init__(shape, target, normalization, measurements)
        self.operator = operator
        self.measurements = measurements
        self._count_measurements(measurements.shape[-1])

    def _measure(self, W: np.ndarray) -> np.ndarray:
        images = self._on_rows(self.operator.matmat, W.reshape(-1, self.operator.shape[1]))
        return images.reshape(*W.shape[:-2], -1)

    def _adjoint_vector(self, vectors: np.ndarray) -> np.ndarray:
        return self._on_rows(self.operator.rmatmat, vectors.reshape(-1, self.operator.shape[0]))

    @staticmethod
    def _on_rows(apply: Any, rows: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(apply(rows.T).T)

    def _data(self) -> tuple[Array, ...]:
        """The measurements and the operator's answer to one fixed random vector."""
        probe = np.random.default_rng(0).standard_normal(self.operator.shape[1])
        return self.measurements, self.operator.matvec(probe)


def factorization(M: Array | FactoredTarget, normalization: str = "sum") -> Factorization:
    """Return the deep matrix factorization problem, A = Id (Eq. 7).

    Parameters
    ----------
    M : array, shape (..., d_out, d_in), or FactoredTarget
        The target.  Batch axes give one problem per target.
    normalization : {"sum", "mean"}
        ℓ(W) = ½‖W − M‖_F², or that divided by d_out·d_in as in the authors' code.

    Raises
    ------
    TypeError, ValueError
        If `M` is not a real, finite, non-empty matrix or `normalization` is unknown.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> problem = dlnlab.factorization(np.diag([2.0, 0.0]))
    >>> float(problem.loss(np.eye(2))), problem.gradient(np.eye(2)).tolist()
    (1.0, [[-1.0, 0.0], [0.0, 1.0]])
    """
    return Factorization(_dense_or_factored("M", M), normalization)


def completion(
    M: Any, mask: Any = None, normalization: str = "sum", *, target: Target = "M"
) -> Completion | SampledCompletion:
    """Return the deep matrix completion problem, A = P_Ω.

    Parameters
    ----------
    M : array, shape (..., d_out, d_in), FactoredTarget or scipy.sparse array
        The target.  A sparse array holds measurements only: its stored entries are the observed
        ones, explicit zeros included, and the target is then unknown.
    mask : boolean array of the shape of M, or scipy/cupy sparse pattern
        Which entries are observed.  A dense mask computes with dense residuals; a sparse pattern
        gathers the observed entries only.  Omit it when `M` is sparse.
    normalization : {"sum", "mean"}
        ℓ(W) = ½ Σ_Ω (W − M)², or that divided by |Ω| as in the authors' code.
    target : array, FactoredTarget or None, optional
        What errors are measured against.  By default `M` itself when it is dense.  None means that
        the entries of `M` outside the mask are not to be trusted: nothing is measured there.

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
    if _is_sparse(M):
        if mask is not None:
            raise ValueError(
                "`mask` must be omitted when `M` is sparse: the stored entries of `M` are the "
                "observed ones"
            )
        target = None if _is_default(target) else target
        return _sampled(_pattern("M", M), None, normalization, target)
    if mask is None:
        raise TypeError("`mask` must be a boolean array or a sparse pattern, got None")
    M = _dense_or_factored("M", M)
    target = M if _is_default(target) else target
    if _is_sparse(mask):
        return _sampled(_pattern("mask", mask), M, normalization, target)
    M = M.to_dense() if isinstance(M, FactoredTarget) else M
    mask = mask if arrays.is_array(mask) else np.asarray(mask)
    _check_mask(M, mask)
    return Completion(M, mask, normalization, _checked_target(target, tuple(M.shape[-2:]), "M", M))


def sensing(
    matrices: Array, measurements: Array, normalization: str = "sum", *, target: Target = None
) -> Sensing:
    """Return the deep matrix sensing problem, A(W)_i = ⟨A_i, W⟩.

    Parameters
    ----------
    matrices : array, shape (m, d_out, d_in)
        The sensing matrices A_i.
    measurements : array, shape (m,) or (..., m)
        y_i = ⟨A_i, M*⟩; leading axes give a batch of problems with the same A_i.
    normalization : {"sum", "mean"}
        ℓ(W) = ½ Σ_i (⟨A_i, W⟩ − y_i)², or that divided by m.
    target : array, FactoredTarget or None
        M*, if known, so that errors can be measured.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or the shapes do not fit.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> A = dlnlab.gaussian_ensemble(5, (3, 2), rng=0)
    >>> M = np.ones((3, 2))
    >>> problem = dlnlab.sensing(A, np.einsum("mij,ij->m", A, M), target=M)
    >>> bool(problem.loss(M) < 1e-28), problem.shape
    (True, (3, 2))
    """
    matrices = checks.matrix("matrices", matrices, ndim=3)
    measurements = _measurements(measurements, matrices.shape[0])
    arrays.namespace(matrices, measurements, names=("matrices", "measurements"))
    target = _checked_target(target, tuple(matrices.shape[1:]), "matrices", matrices)
    return Sensing(matrices, measurements, normalization, target)


def linear_recovery(
    operator: Any,
    measurements: Any,
    shape: tuple[int, int],
    normalization: str = "sum",
    *,
    target: Target = None,
) -> LinearRecovery:
    """Return the recovery problem of any linear operator on vec(W), on the host.

    Parameters
    ----------
    operator : scipy.sparse.linalg.LinearOperator, or anything `aslinearoperator` takes
        Shape (m, d_out·d_in); vec(W) lists the entries of W row by row (C order).
    measurements : array, shape (m,)
        y = A(vec(M*)).
    shape : (int, int)
        (d_out, d_in).
    normalization : {"sum", "mean"}
        ℓ(W) = ½‖A vec(W) − y‖², or that divided by m.
    target : array, FactoredTarget or None
        M*, if known.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or the shapes do not fit.

    Notes
    -----
    `surrogate` is (1/m) Aᵀy as in Eq. (6), which estimates M* when the rows of A have independent
    entries of unit variance.  For other operators it estimates a multiple of M*; the compressed
    network uses only its singular subspaces, which do not depend on the multiple.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> differences = np.array([[1.0, -1.0, 0.0, 0.0], [0.0, 0.0, 1.0, -1.0]])
    >>> problem = dlnlab.linear_recovery(differences, [1.0, 2.0], (2, 2))
    >>> float(problem.loss(np.zeros((2, 2))))
    2.5
    """
    d_out, d_in = checks.shape("shape", shape)
    try:
        operator = scipy.sparse.linalg.aslinearoperator(operator)
    except TypeError as error:
        raise TypeError(
            "`operator` must be a scipy.sparse.linalg.LinearOperator or a matrix, got "
            f"{checks.describe(operator)}"
        ) from error
    try:
        operator.rmatvec(np.zeros(operator.shape[0]))
    except (NotImplementedError, TypeError, AttributeError) as error:
        raise TypeError(
            "`operator` must have an adjoint, since gradients need it; give the LinearOperator an "
            "`rmatvec`"
        ) from error
    if np.issubdtype(operator.dtype, np.complexfloating):
        raise TypeError(
            f"`operator` must be real, got dtype {operator.dtype}; stack its real and imaginary "
            "parts as separate measurements"
        )
    if operator.shape[1] != d_out * d_in:
        raise ValueError(
            f"`operator` must have shape (m, d_out*d_in) = (m, {d_out * d_in}), "
            f"got {operator.shape}"
        )
    measurements = _measurements(measurements, operator.shape[0])
    if not arrays.is_host(measurements):
        raise TypeError("`measurements` must be a NumPy array: SciPy operators act on the host")
    target = _checked_target(target, (d_out, d_in), "measurements", measurements)
    return LinearRecovery(operator, measurements, (d_out, d_in), normalization, target)


def _dense_or_factored(name: str, value: Any) -> Any:
    return value if isinstance(value, FactoredTarget) else checks.matrix(name, value)


def _is_default(target: Target) -> bool:
    return isinstance(target, str) and bool(checks.choice("target", target, ("M",)))


def _checked_target(target: Target, shape: tuple[int, int], name: str, reference: Array) -> Target:
    """Return the target, or raise unless it fits the data of the argument `name`."""
    if target is None:
        return None
    target = _dense_or_factored("target", target)
    data = target.U if isinstance(target, FactoredTarget) else target
    arrays.namespace(reference, data, names=("target", name))
    if tuple(target.shape[-2:]) != shape:
        raise ValueError(f"`target` must have shape {shape}, got {tuple(target.shape)}")
    return target


def _measurements(value: Any, count: int) -> Array:
    array = value if arrays.is_array(value) else checks.host_array("measurements", value)
    if array.ndim < 1 or array.shape[-1] != count:
        raise ValueError(
            f"`measurements` must have shape ({count},), one per sensing matrix, "
            f"got {tuple(array.shape)}"
        )
    return checks.matrix("measurements", array[None, ...])[0, ...]


def _is_sparse(value: Any) -> bool:
    return scipy.sparse.issparse(value) or type(value).__module__.startswith("cupyx.scipy.sparse")


def _pattern(name: str, sparse: Any) -> Any:
    """Return a sparse array in coordinate form without duplicate entries."""
    pattern = sparse.tocoo(copy=True)
    pattern.sum_duplicates()
    if pattern.nnz == 0:
        raise ValueError(f"`{name}` must have at least one observed entry, got none")
    return pattern


def _sampled(pattern: Any, M: Any, normalization: str, target: Target) -> SampledCompletion:
    shape = (int(pattern.shape[0]), int(pattern.shape[1]))
    if M is not None and scipy.sparse.issparse(pattern):
        host = M.U if isinstance(M, FactoredTarget) else M
        if not arrays.is_host(host):
            raise TypeError(
                "`mask` must be a boolean array of M's library, got a SciPy sparse pattern, which "
                "needs a NumPy M"
            )
    if M is None:
        values = checks.matrix("M", pattern.data[None, :])[0]
    else:
        if tuple(M.shape) != shape:
            raise ValueError(f"`mask` must have the shape of `M`, {tuple(M.shape)}, got {shape}")
        values = _entries(M, pattern.row, pattern.col)
    target = _checked_target(target, shape, "M", values)
    return SampledCompletion(pattern, values, normalization, target)


def _entries(M: Any, rows: Array, columns: Array) -> Array:
    """Return M[rows, columns], without forming a factored target."""
    if isinstance(M, FactoredTarget):
        xp = arrays.namespace(M.U)
        return xp.sum(M.U[rows, :] * M.s * M.Vh.T[columns, :], axis=-1)
    return M[rows, columns]


def _check_mask(M: Array, mask: Array) -> None:
    xp = arrays.namespace(M, mask, names=("M", "mask"))
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
