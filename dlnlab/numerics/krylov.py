"""The leading singular triples of a large sparse matrix, by Lanczos iteration.

From one start vector v the iteration looks for them in span{v, Gv, G²v, …} with G = AᵀA.  That span
holds one vector of each eigenspace of G, so of a singular value that occurs several times it sees
one copy; what it converges to are singular triples, but not the leading ones.  So the iteration is
begun again, from an independent vector orthogonal to all that it has, until a start that is given
as many steps as all before it together adds nothing to the triples wanted: a copy that was missed
would be found at the rate at which the first was.

All vectors are kept orthogonal to each other, and their images under A are orthogonalized on the
way, so that A V = U T with orthonormal U and V and triangular T: nothing is squared, and triples
are as accurate as a dense decomposition's.  Random numbers come from a fixed seed of their own, so
one matrix gives one answer, in every process.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["GROWTH", "ROOM", "leading_triples"]

ROOM = 400
"""Vectors in which the triples must be found; with more, a dense decomposition is as fast."""

GROWTH = 1.25
"""Factor by which the number of vectors grows from one look at the triples to the next."""


def leading_triples(A: Any, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Return U, s, Vh of the `count` largest singular values of A.

    Parameters
    ----------
    A : scipy.sparse array, shape (d_out, d_in), of float64
    count : int

    Returns
    -------
    arrays of shapes (d_out, count), (count,), (count, d_in), or None
        None if ‖A V − U S‖ or ‖Aᵀ U − V S‖ does not come below max(shape)·eps·σ_1, the backward
        error of a dense decomposition, or the last value does not stand out of that.
    """
    if A.shape[0] < A.shape[1]:
        found = leading_triples(A.T, count)
        return None if found is None else (found[2].T, found[1], found[0].T)
    basis, settled, steps = _Basis(A), np.full(count, np.nan), 2 * count + 8
    while basis.grow(steps):
        U, s, Vh = basis.triples(count)
        rounding = max(A.shape) * float(np.finfo(float).eps) * s[0]
        if np.linalg.norm(basis.adjoint @ U - Vh.T * s) > rounding:
            steps = max(count, int((GROWTH - 1) * basis.size))
        elif basis.is_whole or np.abs(s - settled).max() <= rounding:
            return (U, s, Vh) if s[-1] > rounding else None
        else:
            settled, steps = s, basis.size
            basis.begin()
    return None


class _Basis:
    """Orthonormal vectors V, and their images under A as U T."""

    def __init__(self, A: Any) -> None:
        self.matrix, self.adjoint = A.tocsr(), A.T.tocsr()
        rows, columns = A.shape
        self.V, self.U = np.zeros((columns, 0)), np.zeros((rows, 0))
        self.T = np.zeros((0, 0))
        self.size = 0
        self._rng = np.random.default_rng(0)
        self.begin()

    @property
    def is_whole(self) -> bool:
        """Whether the basis spans the space."""
        return self.size == len(self.V)

    def begin(self) -> None:
        """Go on from a start of its own, orthogonal to all vectors so far."""
        self._next = self._rng.standard_normal(len(self.V))

    def grow(self, steps: int) -> bool:
        """Take up to so many steps; return False if there is no room for a single one."""
        goal = min(self.size + steps, ROOM, len(self.V))
        if self.size == goal:
            return False
        self.V, self.U = _widened(self.V, goal), _widened(self.U, goal)
        self.T = np.pad(self.T, (0, goal - self.size))
        while self.size < goal:
            self._step()
        return True

    def _step(self) -> None:
        """Take in the next vector, its image, and prepare the one after."""
        k, V, U = self.size, self.V, self.U
        length = np.linalg.norm(self._next)
        v = _rest(self._next, V[:, :k])[0]
        if np.linalg.norm(v) <= 1e-10 * length:  # the span is invariant: nothing but rounding
            v = _rest(self._rng.standard_normal(len(V)), V[:, :k])[0]
        V[:, k] = v / np.linalg.norm(v)
        image = self.matrix @ V[:, k]
        u, self.T[:k, k] = _rest(image, U[:, :k])
        self.T[k, k] = np.linalg.norm(u)
        if self.T[k, k] > 1e-14 * np.linalg.norm(image):
            U[:, k] = u / self.T[k, k]
        else:
            self.T[k, k] = 0.0  # its image lies in the span of the others: no column is needed
        self._next = self.adjoint @ image
        self.size += 1

    def triples(self, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the best triples in the span."""
        k = self.size
        left, s, right = np.linalg.svd(self.T[:k, :k])
        return self.U[:, :k] @ left[:, :count], s[:count], right[:count] @ self.V[:, :k].T


def _widened(columns: np.ndarray, count: int) -> np.ndarray:
    """Return columns, each in one piece of memory, with room for so many."""
    wider = np.zeros((len(columns), count), order="F")
    wider[:, : columns.shape[1]] = columns
    return wider


def _rest(x: np.ndarray, basis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the part of x orthogonal to a basis, and the coordinates of the rest.

    It is computed twice, after which it is orthogonal to rounding ("twice is enough").
    """
    coordinates = basis.T @ x
    x = x - basis @ coordinates
    more = basis.T @ x
    return x - basis @ more, coordinates + more
