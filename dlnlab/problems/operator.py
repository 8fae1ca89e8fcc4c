"""Recovery from any SciPy linear operator on vec(W)."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse.linalg

from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array
from dlnlab.problems.measured import Measured, checked_measurements
from dlnlab.problems.problem import Target, Workspace, checked_target

__all__ = ["LinearRecovery", "linear_recovery"]


class LinearRecovery(Measured):
    """Recovery from any SciPy linear operator acting on vec(W).  See `linear_recovery`.

    Parameters
    ----------
    operator : scipy.sparse.linalg.LinearOperator
        Shape (m, d_out·d_in).
    measurements : array, shape (..., m)
    shape : (int, int)
        (d_out, d_in).
    normalization : {"sum", "mean"}
    target : array, shape (..., d_out, d_in), FactoredTarget or None
    """

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

    def workspace(self, members: int) -> Workspace:
        """Return the numbers for losses and gradients; operators take and return columns.

        Parameters
        ----------
        members : int
            How many there are in a batch.

        Returns
        -------
        Workspace
        """
        loss, gradient = super().workspace(members)
        columns = members * self.operator.shape[1] if members > 1 else 0
        return Workspace(loss + columns, gradient + columns)

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
        Shape (m, d_out·d_in); vec(W) lists the entries of W row by row (C order).  That its
        `rmatvec` is the adjoint is checked with one pair of random vectors.
    measurements : array, shape (m,)
        y = A(vec(M*)).
    shape : (int, int)
        (d_out, d_in).
    normalization : {"sum", "mean"}
        ℓ(W) = ½‖A vec(W) − y‖², or that divided by m.
    target : array, FactoredTarget or None
        M*, if known.

    Returns
    -------
    LinearRecovery

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
    operator = _checked_operator(operator)
    if operator.shape[1] != d_out * d_in:
        raise ValueError(
            f"`operator` must have shape (m, d_out*d_in) = (m, {d_out * d_in}) for this `shape`, "
            f"got {operator.shape}"
        )
    _check_adjoint(operator)
    measurements = checked_measurements(measurements, operator.shape[0])
    if not arrays.is_host(measurements):
        raise TypeError("`measurements` must be a NumPy array: SciPy operators act on the host")
    target = checked_target(target, (d_out, d_in), "measurements", measurements)
    return LinearRecovery(operator, measurements, (d_out, d_in), normalization, target)


def _checked_operator(operator: Any) -> Any:
    """Return a real operator with an adjoint; matrices are checked like any other array."""
    if not isinstance(operator, scipy.sparse.linalg.LinearOperator):
        if scipy.sparse.issparse(operator):
            operator = checks.stored_once("operator", operator)
            operator = operator.astype(checks.array("operator", operator.data).dtype)
        elif not (hasattr(operator, "matvec") and hasattr(operator, "shape")):
            operator = _checked_matrix(operator)
        try:
            operator = scipy.sparse.linalg.aslinearoperator(operator)
        except Exception as error:  # of an object's own making
            raise TypeError(f"`operator` must be a LinearOperator, got {error}") from error
    if np.issubdtype(operator.dtype, np.complexfloating):
        raise TypeError(
            f"`operator` must be real, got dtype {operator.dtype}; stack its real and imaginary "
            "parts as separate measurements"
        )
    return operator


def _checked_matrix(operator: Any) -> np.ndarray:
    try:
        found = checks.matrix("operator", operator, ndim=2)
    except TypeError as error:
        raise TypeError(
            "`operator` must be a scipy.sparse.linalg.LinearOperator or a matrix: " + str(error)
        ) from error
    if not arrays.is_host(found):
        raise TypeError("`operator` must be a NumPy array: SciPy operators act on the host")
    return found


def _check_adjoint(operator: Any) -> None:
    """Raise unless ⟨y, A x⟩ = ⟨Aᵀ y, x⟩ for one random pair, up to rounding.

    A map that is not the adjoint passes for a set of pairs of measure zero only.  Every output of
    either map is a sum of up to m + n products, and so is either side; so they are rounded by some
    2 (m + n) units, relative to ‖A x‖ ‖y‖ and ‖Aᵀ y‖ ‖x‖.  A wrong map is off by 1/√m of these.
    """
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal(operator.shape[1]), rng.standard_normal(operator.shape[0])
    try:
        there, back = np.asarray(operator.matvec(x)), np.asarray(operator.rmatvec(y))
    except (NotImplementedError, TypeError, AttributeError) as error:
        raise TypeError(
            "`operator` must have an adjoint, since gradients need it; give the LinearOperator an "
            "`rmatvec`"
        ) from error
    for image in (there, back):
        if checks.array("operator", image).dtype != image.dtype:
            raise TypeError(
                f"`operator` must answer in float32 or float64, got {image.dtype}; convert what "
                "its matvec and rmatvec return"
            )
    size = np.linalg.norm(there) * np.linalg.norm(y) + np.linalg.norm(back) * np.linalg.norm(x)
    precise = all(part.dtype == np.float64 for part in (there, back))
    eps = float(np.finfo(np.float64 if precise else np.float32).eps)
    gap = abs(float(y @ there - back @ x))
    if gap > 10 * sum(operator.shape) * eps * size:
        raise ValueError(
            "`operator` must have its adjoint as `rmatvec`, since gradients need it: <y, A x> and "
            f"<A^T y, x> differ by {gap:.1e} for a random pair, of {size:.1e}"
        )
