"""Deep matrix sensing: inner products with given matrices, A(W)_i = ⟨A_i, W⟩."""

from __future__ import annotations

from dlnlab import arrays, checks
from dlnlab.arrays import Array
from dlnlab.problems.measured import Measured, checked_measurements
from dlnlab.problems.problem import Target, checked_target

__all__ = ["Sensing", "sensing"]


class Sensing(Measured):
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
    measurements = checked_measurements(measurements, matrices.shape[0])
    arrays.namespace(matrices, measurements, names=("matrices", "measurements"))
    target = checked_target(target, tuple(matrices.shape[1:]), "matrices", matrices)
    return Sensing(matrices, measurements, normalization, target)
