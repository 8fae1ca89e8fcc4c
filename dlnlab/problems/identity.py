"""Deep matrix factorization: the whole matrix is seen, A = Id (Eq. 7)."""

from __future__ import annotations

from dlnlab.numerics import arrays
from dlnlab.numerics.arrays import Array
from dlnlab.problems.problem import Problem, dense_or_factored
from dlnlab.problems.targets import FactoredTarget

__all__ = ["Factorization", "factorization"]


class Factorization(Problem):
    """Deep matrix factorization, A = Id: ℓ(W) = c/2 ‖W − M‖_F².  See `factorization`.

    Parameters
    ----------
    M : array, shape (..., d_out, d_in), or FactoredTarget
    """

    def __init__(self, M: Array | FactoredTarget, normalization: str) -> None:
        reference = M.U if isinstance(M, FactoredTarget) else M
        super().__init__(tuple(M.shape[-2:]), M, normalization, reference)
        self._count_measurements(self.shape[0] * self.shape[1])

    @property
    def batch(self) -> tuple[int, ...]:
        return tuple(self.target.shape[:-2])

    def residual(self, W: Array) -> Array:
        return W - self._dense_target

    def adjoint(self, residual: Array) -> Array:
        return residual

    def entrywise(self) -> tuple[None, Array]:
        return None, self._dense_target

    def error(self, W: Array) -> Array:
        """Return the recovery error ‖W − M‖_F, the norm of the residual."""
        W = self._check(W)
        return arrays.namespace(W).sqrt(self.squared_norm(self.residual(W)))

    def surrogate(self) -> Array:
        """Return M itself: AᵀA is the identity."""
        return self.target

    @property
    def curvature(self) -> float:
        return float(self.scale)

    def _data(self) -> tuple[Array, ...]:
        return tuple(self.target.svd) if isinstance(self.target, FactoredTarget) else (self.target,)


def factorization(M: Array | FactoredTarget, normalization: str = "sum") -> Factorization:
    """Return the deep matrix factorization problem, A = Id (Eq. 7).

    Parameters
    ----------
    M : array, shape (..., d_out, d_in), or FactoredTarget
        The target, kept without a copy; also a pandas or polars frame, a torch tensor, or a SciPy
        sparse array, which is filled with its zeros.  Batch axes give one problem per target.  It
        is computed with in its own precision if that is single or double, and in double
        otherwise.
    normalization : {"sum", "mean"}
        ℓ(W) = ½‖W − M‖_F², or that divided by d_out·d_in as in the authors' code.

    Returns
    -------
    Factorization

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
    return Factorization(dense_or_factored("M", M), normalization)
