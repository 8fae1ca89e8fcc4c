"""The end-to-end matrix as a product of two factors that is never formed.

Where only a few entries of W = A B are looked at, A the last layer and B the product of the others,
forming W costs more than all the rest.  Everything a run asks of W follows from the factors: an
entry is a dot product of a row of A and a column of B; singular values are those of R_A R_Bᵀ, where
A = Q_A R_A and Bᵀ = Q_B R_B; and the distance to a target U diag(s) Vᵀ is the norm of the product
of the stacked factors [A, −U diag(s)] and [B; Vᵀ].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlnlab.numerics import arrays

__all__ = ["BLOCK_NUMBERS", "FactoredMatrix"]

BLOCK_NUMBERS = 2**16
"""How many numbers of a factor are handled at once: 512 KiB, so that the two gathered blocks of
`FactoredMatrix.entries` stay in a 1 MiB second-level cache.  On the machine of docs/completion.md
blocks from a quarter to twice that size were equally fast; eight times as large they were 10 times
slower, since the allocator then asks the system for fresh pages each time."""


@dataclass(frozen=True)
class FactoredMatrix:
    """A matrix W = A B kept as its two factors, NumPy arrays without batch axes.

    Attributes
    ----------
    left : array, shape (d_out, k)
        A.
    right : array, shape (k, d_in)
        B.
    """

    left: np.ndarray
    right: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        """The shape (d_out, d_in) of the product."""
        return self.left.shape[0], self.right.shape[1]

    def to_dense(self) -> np.ndarray:
        """Return the product A B as one array.

        Returns
        -------
        array, shape (d_out, d_in)
        """
        return self.left @ self.right

    def entries(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return W[rows, columns], each entry a dot product Σ_k A[i, k] B[k, j].

        The rows of A and Bᵀ are gathered in blocks that stay in cache, multiplied, and summed by a
        matrix-vector product with ones, which for short rows is three times as fast as `sum`.

        Parameters
        ----------
        rows : array of int, shape (n,)
        columns : array of int, shape (n,)

        Returns
        -------
        array, shape (n,)
        """
        across = np.ascontiguousarray(self.right.T)
        ones = np.ones(across.shape[1], dtype=across.dtype)
        out = np.empty(rows.size, dtype=np.result_type(self.left, across))
        for part in _blocks(rows.size, across.shape[1]):
            terms = self.left.take(rows[part], axis=0)
            terms *= across.take(columns[part], axis=0)
            np.dot(terms, ones, out=out[part])
        return out

    def singular_values(self) -> np.ndarray:
        """Return the min(k, d_out, d_in) singular values that need not be zero.

        They carry an error of eps ‖A‖ ‖B‖, as those of a product formed first do.

        Returns
        -------
        array, shape (min(k, d_out, d_in),)
        """
        core = arrays.triangular_factor(self.left) @ arrays.triangular_factor(self.right.T).T
        return np.linalg.svd(core, compute_uv=False)

    def svd(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return U, s, Vh of the compact SVD, with min(k, d_out, d_in) values.

        Returns
        -------
        tuple of 3 arrays
        """
        (Q, left), (P, right) = np.linalg.qr(self.left), np.linalg.qr(self.right.T)
        u, s, vh = np.linalg.svd(left @ right.T, full_matrices=False)
        return Q @ u, s, vh @ P.T

    def is_finite(self) -> bool:
        """Tell whether all entries of the factors are finite.

        Returns
        -------
        bool
        """
        return bool(np.isfinite(self.left).all() and np.isfinite(self.right).all())

    def distance(self, target: Any) -> Any:
        """Return ‖W − M‖_F for a dense matrix M or a `FactoredTarget`, never forming W.

        For a factored target the norm is that of R_1 R_2ᵀ, from QR factorizations of the stacked
        factors; no squares are subtracted, so it keeps its digits when W is near M.

        Parameters
        ----------
        target : array, shape (d_out, d_in), or FactoredTarget

        Returns
        -------
        float
        """
        if not hasattr(target, "Vh"):
            squares = [
                np.sum((self.left[part] @ self.right - target[part]) ** 2)
                for part in _blocks(self.shape[0], self.shape[1])
            ]
            return np.sqrt(np.sum(squares))
        if not self.is_finite():
            return np.asarray(np.nan)
        left = arrays.triangular_factor(np.hstack([self.left, -target.U * target.s]))
        right = arrays.triangular_factor(np.hstack([self.right.T, target.Vh.T]))
        return np.linalg.norm(left @ right.T)


def _blocks(count: int, length: int) -> Iterator[slice]:
    """Cut `count` rows of so many numbers each into blocks of about `BLOCK_NUMBERS` numbers."""
    step = max(1, BLOCK_NUMBERS // length)
    return (slice(start, start + step) for start in range(0, count, step))
