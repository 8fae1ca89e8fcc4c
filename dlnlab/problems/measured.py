"""Problems whose data are a vector of m measurements, y = A(M*) with A any linear map to ℝ^m."""

from __future__ import annotations

import abc
from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse.linalg

from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array
from dlnlab.problems.problem import Problem, Workspace

__all__ = ["Measured", "checked_measurements"]


class Measured(Problem):
    """Problems whose residual is a vector of m measurements."""

    measurements: Array

    @abc.abstractmethod
    def _measure(self, W: Array) -> Array:
        """Return A(W), shape (..., m)."""

    @abc.abstractmethod
    def _adjoint_vector(self, vectors: Array) -> Array:
        """Map (..., m) to (..., d_out·d_in)."""

    @property
    def batch(self) -> tuple[int, ...]:
        return tuple(self.measurements.shape[:-1])

    def workspace(self, members: int) -> Workspace:
        """Return the numbers for losses and gradients: of two copies of the measurements.

        One is the residual; the other its squares, or what it was computed from.
        """
        measured = 2 * members * self.measurements.shape[-1]
        image = members * self.shape[0] * self.shape[1]
        sums = (1 + (self.normalization == "mean")) * image
        return Workspace(measured, max(measured, measured // 2 + sums))

    def residual(self, W: Array) -> Array:
        return self._measure(W) - self.measurements

    def adjoint(self, residual: Array) -> Array:
        xp = arrays.namespace(residual)
        return xp.reshape(self._adjoint_vector(residual), (*residual.shape[:-1], *self.shape))

    @cached_property
    def places(self) -> np.ndarray:
        """All m numbers of a residual."""
        return np.arange(self.measurements.shape[-1])

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


def checked_measurements(value: Any, count: int) -> Array:
    """Return the vector of so many measurements, or a batch of them.

    Parameters
    ----------
    value : object
        What was passed.
    count : int
        m.

    Returns
    -------
    array

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.
    """
    found = checks.array("measurements", value)
    if found.ndim < 1 or found.shape[-1] != count or 0 in found.shape:
        raise ValueError(
            f"`measurements` must have shape ({count},), one per sensing matrix, "
            f"got {tuple(found.shape)}"
        )
    return found
