"""Small instances of every kind of problem, each with its measurements written out in full.

A `DefinedProblem` holds the problem under test beside what it is by definition: sensing matrices
A_i, measurements y_i and the factor c of ℓ(W) = c/2 Σ_i (⟨A_i, W⟩ − y_i)².  Oracles use only the
latter.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

import dlnlab

ON_ANY_DEVICE = ("factorization", "factored", "mask", "sensing")
HOST_ONLY = ("pattern", "measured", "linear_recovery")
KINDS = ON_ANY_DEVICE + HOST_ONLY


@dataclass(frozen=True)
class DefinedProblem:
    """A problem, and the dense measurements that define it."""

    problem: Any
    A: np.ndarray
    y: np.ndarray
    c: float
    M: np.ndarray

    def loss(self, W: np.ndarray) -> np.ndarray:
        """c/2 Σ_i (⟨A_i, W⟩ − y_i)², written out."""
        residual = np.einsum("mpq,...pq->...m", self.A, W) - self.y
        return 0.5 * self.c * np.sum(residual**2, axis=-1)

    def gradient(self, W: np.ndarray) -> np.ndarray:
        """c Σ_i (⟨A_i, W⟩ − y_i) A_i, written out."""
        residual = np.einsum("mpq,...pq->...m", self.A, W) - self.y
        return self.c * np.einsum("...m,mpq->...pq", residual, self.A)

    def hessian(self) -> np.ndarray:
        """c Σ_i vec(A_i) vec(A_i)ᵀ."""
        rows = self.A.reshape(self.A.shape[0], -1)
        return self.c * rows.T @ rows


def entry_matrices(rows: Any, columns: Any, shape: tuple[int, int]) -> np.ndarray:
    """The sensing matrices e_i e_jᵀ of a list of observed entries."""
    A = np.zeros((len(rows), *shape))
    A[np.arange(len(rows)), rows, columns] = 1.0
    return A


def _scattered(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """A mask with one entry observed at least, whatever the shape."""
    mask = rng.random(shape) < 0.6
    mask[0, 0] = True
    return mask


def instance(
    kind: str,
    shape: tuple[int, int],
    normalization: str = "sum",
    seed: int = 0,
    move: Any = np.asarray,
) -> DefinedProblem:
    """Draw an instance of one kind; `move` carries the data to the library under test."""
    rng = np.random.default_rng(seed)
    d_out, d_in = shape
    rank = max(1, min(shape) - 1)
    M = dlnlab.random_target(shape, rank, rng=rng, singular_values=np.arange(rank, 0, -1.0))
    mask = _scattered(rng, shape)
    count = 2 * d_out * d_in + 1
    ensemble = dlnlab.gaussian_ensemble(count, shape, rng=rng)
    if kind in ("factorization", "factored"):
        A = entry_matrices(*np.indices(shape).reshape(2, -1), shape)
    elif kind in ("mask", "pattern", "measured"):
        A = entry_matrices(*np.nonzero(mask), shape)
    else:
        A = ensemble
    y = np.einsum("mpq,pq->m", A, M)
    problem = _BUILDERS[kind](M, mask, A, y, normalization, move)
    return DefinedProblem(problem, A, y, 1.0 if normalization == "sum" else 1.0 / len(y), M)


def _factorization(M, mask, A, y, normalization, move):
    return dlnlab.factorization(move(M), normalization)


def _factored(M, mask, A, y, normalization, move):
    parts = dlnlab.spectra.compact_svd(M)
    return dlnlab.factorization(
        dlnlab.FactoredTarget(*(move(part) for part in parts)), normalization
    )


def _mask(M, mask, A, y, normalization, move):
    return dlnlab.completion(move(M), move(mask), normalization)


def _pattern(M, mask, A, y, normalization, move):
    return dlnlab.completion(M, scipy.sparse.csr_array(mask), normalization)


def _measured(M, mask, A, y, normalization, move):
    rows, columns = np.nonzero(mask)
    stored = scipy.sparse.coo_array((M[rows, columns], (rows, columns)), shape=M.shape)
    return dlnlab.completion(stored, normalization=normalization)


def _sensing(M, mask, A, y, normalization, move):
    return dlnlab.sensing(move(A), move(y), normalization, target=move(M))


def _linear_recovery(M, mask, A, y, normalization, move):
    rows = A.reshape(len(y), -1)
    operator = scipy.sparse.linalg.LinearOperator(
        rows.shape, matvec=lambda x: rows @ x, rmatvec=lambda z: rows.T @ z, dtype=float
    )
    return dlnlab.linear_recovery(operator, y, M.shape, normalization, target=M)


_BUILDERS = {
    "factorization": _factorization,
    "factored": _factored,
    "mask": _mask,
    "pattern": _pattern,
    "measured": _measured,
    "sensing": _sensing,
    "linear_recovery": _linear_recovery,
}


def network(widths: tuple[int, ...], seed: int = 1, batch: tuple[int, ...] = ()) -> tuple:
    """Gaussian weights of order one, with widths listed from input to output."""
    rng = np.random.default_rng(seed)
    return tuple(
        rng.standard_normal((*batch, rows, columns)) / np.sqrt(columns)
        for columns, rows in pairwise(widths)
    )


def assert_close(result: Any, expected: Any, bound: Any, what: str = "") -> float:
    """Fail with index, values, ratio and bound where |result − expected| exceeds its bound.

    Returns the largest gap in units of its bound.
    """
    result, expected = np.asarray(result), np.asarray(expected)
    assert result.shape == expected.shape, f"{what}: shapes {result.shape} and {expected.shape}"
    gap, bound = np.abs(result - expected), np.broadcast_to(bound, expected.shape)
    bad = ~(gap <= bound)
    if bad.any():
        index = tuple(int(k) for k in np.argwhere(bad)[0])
        got, want = float(result[index]), float(expected[index])
        ratio = got / want if want else float("nan")
        raise AssertionError(
            f"{what} at {index}: got {got!r}, expected {want!r}, ratio {ratio:.6g}, "
            f"gap {float(gap[index]):.3e} > bound {float(bound[index]):.3e}; "
            f"{int(bad.sum())} of {bad.size} entries differ"
        )
    return float(np.max(gap / np.where(bound > 0, bound, 1.0), initial=0.0))
