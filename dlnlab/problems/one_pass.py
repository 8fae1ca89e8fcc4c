"""Gradients that look at every measurement once, in loops that are compiled (`numerics.compiled`).

The gradient of a sum of squares uses what it is measured with twice: for the residual, and to carry
it back.  **Sensing**: of eight A_i together all inner products ⟨A_i, W⟩ are formed, and then
Σ r_i A_i is added up while the eight are still in the cache.  **Completion** of W = A B: for every
observed place (i, j) the row a_i of A and the column b_j of B give the residual
r_ij = a_i · b_j − y_ij, and then r_ij b_j and r_ij a_i, which are what it adds to G Bᵀ and AᵀG.

Both are added up from a number of partial sums that depends on the sizes alone, so that the result
does not depend on the number of threads.
"""

from __future__ import annotations

import functools
from itertools import pairwise

import numpy as np

from dlnlab.numerics import compiled, threads

__all__ = ["ENTRIES", "PARTS", "factor_gradients", "normal_sum", "pays"]

ENTRIES = 2**15
"""Observed entries from which on the loop is compiled; without it, so many take half a millisecond
a step."""

PARTS = 4
"""Most partial sums of AᵀG; there are fewer where they would be more numbers than there are
entries, since clearing and adding them up would then take longer than what they are sums of."""


def pays(count: int) -> bool:
    """Tell whether the gradient with respect to the factors is better compiled.

    Parameters
    ----------
    count : int
        Number of observed entries.

    Returns
    -------
    bool
    """
    return count >= ENTRIES and compiled.installed()


def normal_sum(rows: np.ndarray, w: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return Σ_i (a_i · w − y_i) a_i, in the precision of w.

    Parameters
    ----------
    rows : array, shape (m, n)
        The a_i, in C order; perhaps in less precision than w.
    w : array, shape (n,)
    y : array, shape (m,)

    Returns
    -------
    array, shape (n,)
    """
    total = np.zeros_like(w)
    _add_normal(rows, w, y, total)
    return total


def factor_gradients(
    indptr: np.ndarray, indices: np.ndarray, y: np.ndarray, A: np.ndarray, B: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return G Bᵀ and AᵀG, where G holds the residuals of A B at the observed places.

    Parameters
    ----------
    indptr, indices : arrays of int, shapes (d_out + 1,) and (n,)
        The places in compressed rows.
    y : array, shape (n,)
        What is observed there, of the dtype of A and B.
    A : array, shape (d_out, k)
    B : array, shape (k, d_in)

    Returns
    -------
    (array, array), shapes (d_out, k) and (k, d_in)
    """
    A, Bt = np.ascontiguousarray(A), np.ascontiguousarray(B.T)
    count = max(1, min(PARTS, y.size // Bt.size))
    bounds = np.searchsorted(indptr, [y.size * k // count for k in range(count + 1)])
    left = np.zeros_like(A)

    def part(rows: tuple[int, int]) -> np.ndarray:
        right = np.zeros_like(Bt)
        _add_residuals(indptr, indices, y, A, Bt, left, right, *rows)
        return right

    return left, functools.reduce(np.add, threads.share(part, list(pairwise(bounds)))).T


@compiled.compiled
def _add_normal(rows, w, y, total):
    m, n = rows.shape
    eights = m - m % 8
    r = np.empty(8, w.dtype)
    for i in range(0, eights, 8):
        for k in range(0, 8, 4):  # four streams from memory at a time
            s, t, u, v = -y[i + k], -y[i + k + 1], -y[i + k + 2], -y[i + k + 3]
            for j in range(n):
                x = w[j]
                s += rows[i + k, j] * x
                t += rows[i + k + 1, j] * x
                u += rows[i + k + 2, j] * x
                v += rows[i + k + 3, j] * x
            r[k], r[k + 1], r[k + 2], r[k + 3] = s, t, u, v
        a, b, c, d, e, f, g, h = r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]
        for j in range(n):  # all of them from the cache
            first = a * rows[i, j] + b * rows[i + 1, j] + c * rows[i + 2, j] + d * rows[i + 3, j]
            last = e * rows[i + 4, j] + f * rows[i + 5, j] + g * rows[i + 6, j] + h * rows[i + 7, j]
            total[j] += first + last
    for i in range(eights, m):
        s = -y[i]
        for j in range(n):
            s += rows[i, j] * w[j]
        for j in range(n):
            total[j] += s * rows[i, j]


@compiled.compiled
def _add_residuals(indptr, indices, y, A, Bt, left, right, first, last):
    for i in range(first, last):
        a, onto_a = A[i], left[i]
        for place in range(indptr[i], indptr[i + 1]):
            b, onto_b = Bt[indices[place]], right[indices[place]]
            r = -y[place]
            for c in range(a.size):
                r += a[c] * b[c]
            for c in range(a.size):  # two loops, each of which has vector instructions
                onto_a[c] += r * b[c]
            for c in range(a.size):
                onto_b[c] += r * a[c]
