"""Half a step of alternating minimization: the best A for a given B, in closed form.

For fixed B the loss c/2 ‖A(A B) − y‖² + λ/2 ‖A‖² is quadratic in A.  In completion the rows of A do
not meet: with b_j the columns of B, row i solves the r normal equations

    (Σ_{j∈Ω_i} b_j b_jᵀ + (λ/c) I) a_i = Σ_{j∈Ω_i} y_ij b_j.

Both sides of all rows together are products of a sparse matrix with a dense one: the pattern of Ω
with the products of entries of b_j, and the values with Bᵀ.  In sensing all entries of A meet: the
m × (d_out r) design matrix has rows vec(A_i Bᵀ).  The best B for a given A is the best A of the
transposed problem.  Where the equations do not determine A, the solution of least norm is taken.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse

from dlnlab.numerics import arrays, checks
from dlnlab.problems import Completion, Problem, SampledCompletion, Sensing

__all__ = ["DesignLeastSquares", "RowLeastSquares", "half_steps"]


class RowLeastSquares:
    """Exact least squares for every row of a factor, from observed entries.

    Parameters
    ----------
    values : scipy.sparse.csr_array, shape (n, d)
        The observed entries; stored zeros are observed.
    ridge : float
        λ/c ≥ 0.
    by_count : bool
        Multiply the ridge of every row by the number of its observed entries, at least one.
    """

    def __init__(
        self, values: scipy.sparse.csr_array, ridge: float, by_count: bool = False
    ) -> None:
        counts = np.maximum(np.diff(values.indptr), 1)
        self.values, self.ridge = values, ridge * (counts if by_count else np.ones_like(counts))
        ones = np.ones_like(values.data)
        self.pattern = scipy.sparse.csr_array((ones, values.indices, values.indptr), values.shape)

    def solve(self, fixed: np.ndarray) -> np.ndarray:
        """Return the best A, shape (n, r), for Bᵀ = `fixed`, shape (d, r).

        Parameters
        ----------
        fixed : array, shape (d, r)
            Bᵀ.

        Returns
        -------
        array, shape (n, r)

        Raises
        ------
        ValueError
            If the normal equations would not fit in memory.
        """
        r = fixed.shape[1]
        i, j = np.triu_indices(r)
        checks.fits_in_memory("`rank`: the normal equations", 8 * self.values.shape[0] * 2 * r * r)
        gram = np.empty((self.values.shape[0], r, r))
        gram[:, i, j] = gram[:, j, i] = self.pattern @ (fixed[:, i] * fixed[:, j])
        gram += self.ridge[:, None, None] * np.eye(r)
        right = (self.values @ fixed)[..., None]
        if self.ridge.all():
            return np.linalg.solve(gram, right)[..., 0]
        # A sum of d products is rounded by d·eps: smaller eigenvalues are noise.
        noise = fixed.shape[0] * np.finfo(float).eps
        return (np.linalg.pinv(gram, rcond=noise, hermitian=True) @ right)[..., 0]


class DesignLeastSquares:
    """Exact least squares for a whole factor, from inner products with given matrices.

    Parameters
    ----------
    problem : Sensing
    ridge : float
        λ/c ≥ 0.
    transposed : bool
        Solve for the right factor: the sensing matrices are transposed.
    """

    def __init__(self, problem: Sensing, ridge: float, transposed: bool) -> None:
        self.problem, self.ridge, self.transposed = problem, ridge, transposed

    def design(self, fixed: np.ndarray) -> np.ndarray:
        """Return the matrix with rows vec(A_i Bᵀ) for Bᵀ = `fixed`, shape (m, n·r).

        Parameters
        ----------
        fixed : array, shape (d, r)
            Bᵀ.

        Returns
        -------
        array, shape (m, n·r)

        Raises
        ------
        ValueError
            If the matrix would not fit in memory.
        """
        problem = self.problem
        n = problem.shape[1] if self.transposed else problem.shape[0]
        m, size = problem.measurements.size, n * fixed.shape[1]
        checks.fits_in_memory("`rank`: the least-squares design", 2 * 8 * m * size)
        out = np.empty((m, size))
        for where, rows in problem.blocks():
            matrices = rows.reshape(-1, *problem.shape)
            matrices = matrices.mT if self.transposed else matrices
            out[where] = (matrices @ fixed).reshape(-1, size)
        return out

    def solve(self, fixed: np.ndarray) -> np.ndarray:
        """Return the best A, shape (n, r), for Bᵀ = `fixed`.

        Parameters
        ----------
        fixed : array, shape (d, r)
            Bᵀ.

        Returns
        -------
        array, shape (n, r)
        """
        design, y = self.design(fixed), self.problem.measurements
        if self.ridge:
            size = design.shape[1]
            design = np.vstack([design, np.sqrt(self.ridge) * np.eye(size)])
            y = np.concatenate([y, np.zeros(size)])
        found = scipy.linalg.lstsq(design, y, lapack_driver="gelsy", overwrite_a=True)[0]
        return found.reshape(-1, fixed.shape[1])


def half_steps(problem: Problem, ridge: float, by_count: bool = False) -> tuple[Any, Any]:
    """Return the solvers for the left and for the right factor of a problem.

    Parameters
    ----------
    problem : Problem
    ridge : float
        λ.
    by_count : bool
        Whether λ is multiplied by the number of entries in a row.

    Returns
    -------
    (object, object)

    Raises
    ------
    TypeError
        If the problem is neither completion nor sensing, or does not live on the host; or is
        sensing, which has no observed entries to count, with `by_count`.
    ValueError
        If it has batch axes.
    """
    if not isinstance(problem, Completion | SampledCompletion | Sensing):
        raise TypeError(f"`problem` must be completion or sensing, got {checks.describe(problem)}")
    if not arrays.is_host(problem.reference):
        raise TypeError("`problem` must hold NumPy arrays, since SciPy solves on the host")
    if _has_batch_axes(problem):
        raise ValueError("`problem` must have no batch axes; run its members one by one")
    ridge = ridge / float(problem.scale)
    if isinstance(problem, Sensing):
        if by_count:
            raise TypeError(
                '`ridge_per` must be "row" for sensing, which observes no entries to count'
            )
        return DesignLeastSquares(problem, ridge, False), DesignLeastSquares(problem, ridge, True)
    values = _observed(problem)
    return (
        RowLeastSquares(values, ridge, by_count),
        RowLeastSquares(values.T.tocsr(), ridge, by_count),
    )


def _has_batch_axes(problem: Any) -> bool:
    if isinstance(problem, Sensing):
        return problem.measurements.ndim > 1
    return isinstance(problem, Completion) and problem.observed.ndim > 2


def _observed(problem: Any) -> scipy.sparse.csr_array:
    """The observed entries in compressed rows; those that are zero are stored as well."""
    if isinstance(problem, SampledCompletion):
        rows, columns, values = problem.rows, problem.columns, problem.values
    else:
        rows, columns = np.nonzero(problem.mask)
        values = problem.observed[rows, columns]
    return scipy.sparse.csr_array((values.astype(float), (rows, columns)), shape=problem.shape)
