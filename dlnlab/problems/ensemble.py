"""Deep matrix sensing: inner products with given matrices, A(W)_i = ⟨A_i, W⟩.

A gradient Σ_i (⟨A_i, W⟩ − y_i) A_i uses every A_i twice, and the time it takes is the time to read
them: 8·m·d_out·d_in bytes.  For one network on the host both uses are made of a block of A_i while
it is in the cache, so the ensemble is read once, by all threads together.  A batch of networks
shares the reading already, and a device has better use for two large products.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from dlnlab.numerics import arrays, checks, compiled, threads
from dlnlab.numerics.arrays import Array
from dlnlab.problems import one_pass
from dlnlab.problems.generated import GeneratedEnsemble, block_rows, measured
from dlnlab.problems.measured import Measured, checked_measurements
from dlnlab.problems.problem import Target, Workspace, checked_target
from dlnlab.problems.structured import StructuredEnsemble, StructuredSensing

__all__ = ["PARTS", "Sensing", "sensing"]

PARTS = 8
"""Partial sums that a gradient of at least four times as many blocks, 20 MiB, is added up from,
whatever the number of threads: so it does not depend on that number."""


class Sensing(Measured):
    """Deep matrix sensing, A(W)_i = ⟨A_i, W⟩.  See `sensing`.

    Parameters
    ----------
    matrices : array, shape (m, d_out, d_in), or an ensemble
    measurements : array, shape (..., m)
    normalization : {"sum", "mean"}
    target : array, shape (..., d_out, d_in), FactoredTarget or None
    """

    def __init__(
        self, matrices: Any, measurements: Array, normalization: str, target: Target
    ) -> None:
        super().__init__(tuple(matrices.shape[1:]), target, normalization, measurements)
        self.measurements = measurements
        self.matrices = matrices
        self._count_measurements(matrices.shape[0])
        in_memory = arrays.is_array(matrices) and not isinstance(matrices, np.memmap)
        self._rows = matrices
        if in_memory:
            self._rows = arrays.namespace(matrices).reshape(matrices, (matrices.shape[0], -1))
        self._widened = in_memory and arrays.is_host(matrices) and _single(matrices, measurements)
        self._at_hand = in_memory and not self._widened

    def workspace(self, members: int) -> Workspace:
        """Return the numbers for losses and gradients, those of blocks that are drawn included.

        Parameters
        ----------
        members : int
            How many there are in a batch.

        Returns
        -------
        Workspace
        """
        loss, gradient = super().workspace(members)
        n = self.shape[0] * self.shape[1]
        single = members == 1 and self.measurements.ndim == 1
        if single and block_rows(n) > 1:  # partial sums, and what each thread adds to its own
            gradient = (PARTS + 2 * threads.available()) * n
        elif not self._at_hand:
            gradient += members * n
        drawn = 0 if self._at_hand else 2 * block_rows(n) * n * threads.available()
        return Workspace(loss + drawn, gradient + drawn)

    def gradient(self, W: Array) -> Array:
        """Return ∇ℓ(W) = c Σ_i (⟨A_i, W⟩ − y_i) A_i, reading every A_i once; see `Problem`."""
        W = self._check(W)
        if not self._reads_once(W):
            return super().gradient(W)
        flat, count = np.ravel(W), -(-self.matrices.shape[0] // block_rows(W.size))
        if count < 4 * PARTS:
            total = self._sum(flat, 0, count)
        else:
            cuts = [count * k // PARTS for k in range(PARTS + 1)]
            part_sum, held = self._sum, threads.for_matrices(1, 1)
            if self._compiles():
                part_sum, held = self._compiled_sum, contextlib.nullcontext()
            with held:
                sums = threads.share(lambda part: part_sum(flat, *part), list(pairwise(cuts)))
            total = functools.reduce(np.add, sums)
        gradient = total.reshape(self.shape)
        return gradient if self.normalization == "sum" else self.scale * gradient

    def gradient_of(self, W: Array, chosen: np.ndarray) -> Array:
        """Return the gradient of some measurements; only their A_i are read, if all are there."""
        if isinstance(self.matrices, GeneratedEnsemble):
            return super().gradient_of(W, chosen)
        xp, scale = arrays.namespace(W), self.scale * (self.places.size / chosen.size)
        numbers = arrays.like(np.sort(chosen), W, keep_dtype=True)
        rows = xp.astype(xp.take(self.matrices, numbers, axis=0), W.dtype)
        rows = xp.reshape(rows, (chosen.size, -1))
        measured = xp.matmul(xp.reshape(W, (*W.shape[:-2], -1)), rows.mT)
        residual = measured - xp.take(self.measurements, numbers, axis=-1)
        return xp.reshape(xp.matmul(scale * residual, rows), W.shape)

    def chosen_numbers(self, count: int, members: int) -> int:
        """Return the numbers of so many A_i, of a copy in another precision, and of residuals."""
        if isinstance(self.matrices, GeneratedEnsemble):
            return super().chosen_numbers(count, members)
        needed = 2 * count * self.shape[0] * self.shape[1] + 3 * members * count
        return max(needed - self.workspace(members).gradient, 0)

    def _sum(self, flat: np.ndarray, first: int, last: int) -> np.ndarray:
        """Return Σ_i (⟨A_i, W⟩ − y_i) A_i over some blocks."""
        total, term = np.zeros_like(flat), np.empty_like(flat)
        for where, rows in self.blocks(first, last):
            residual = np.dot(rows, flat)  # faster than `@`, above all side by side
            residual -= self.measurements[where]
            total += np.dot(residual, rows, out=term)
        return total

    def _compiled_sum(self, flat: np.ndarray, first: int, last: int) -> np.ndarray:
        """Return the same sum, by a compiled loop."""
        step = block_rows(flat.size)
        part = slice(first * step, last * step)
        return one_pass.normal_sum(self._rows[part], flat, self.measurements[part])

    def _compiles(self) -> bool:
        """Whether there is a compiler, and all A_i are in memory one after the other."""
        in_order = (self._at_hand or self._widened) and self._rows.flags.c_contiguous
        return in_order and compiled.installed()

    def _reads_once(self, W: Array) -> bool:
        """Whether one pass over blocks pays: one network and one set of measurements, on the host.

        A block that fills the cache alone would gain nothing.
        """
        one = W.ndim == 2 and self.measurements.ndim == 1 and isinstance(W, np.ndarray)
        if not one or W.dtype != np.float64 or block_rows(W.size) == 1:
            return False
        return not self._at_hand or self._rows.dtype == np.float64

    def blocks(self, first: int = 0, last: int | None = None) -> Iterator[tuple[slice, Array]]:
        """Yield which matrices, and an array of one row for each, of all blocks or of some.

        An array holds until the next is asked for: single precision is widened into one buffer.

        Parameters
        ----------
        first : int
            Number of the first block.
        last : int, optional
            Number after that of the last block; all by default.

        Yields
        ------
        (slice, array)
        """
        if isinstance(self.matrices, GeneratedEnsemble):
            yield from self.matrices.blocks(first, last)
            return
        count, n = self.matrices.shape[0], self.shape[0] * self.shape[1]
        step = block_rows(n)
        wide = np.empty((step, n)) if self._widened else None
        for start in range(first * step, count if last is None else last * step, step):
            where = slice(start, min(start + step, count))
            rows = np.asarray(self._rows[where]).reshape(-1, n)
            if wide is not None:
                np.copyto(wide[: len(rows)], rows)
                rows = wide[: len(rows)]
            yield where, rows

    def _measure(self, W: Array) -> Array:
        if not self._at_hand:
            return measured(self.blocks(), W, self.matrices.shape[0])
        xp = arrays.namespace(W)
        return xp.matmul(xp.reshape(W, (*W.shape[:-2], -1)), self._rows.mT)

    def _adjoint_vector(self, vectors: Array) -> Array:
        if self._at_hand:
            return arrays.namespace(vectors).matmul(vectors, self._rows)
        total = np.zeros((*vectors.shape[:-1], self.shape[0] * self.shape[1]))
        for where, rows in self.blocks():
            total += vectors[..., where] @ rows
        return total

    def _data(self) -> tuple[Array, ...]:
        if isinstance(self.matrices, GeneratedEnsemble):
            return self.matrices.identity(), self.measurements
        if self._at_hand or self._widened:
            return self._rows, self.measurements
        return *(rows for _, rows in self.blocks()), self.measurements


def _single(matrices: Array, measurements: Array) -> bool:
    """Whether the matrices have single precision and their measurements double."""
    return bool(matrices.dtype == np.float32 and measurements.dtype == np.float64)


def sensing(
    matrices: Array | GeneratedEnsemble | StructuredEnsemble,
    measurements: Array,
    normalization: str = "sum",
    *,
    target: Target = None,
) -> Sensing | StructuredSensing:
    """Return the deep matrix sensing problem, A(W)_i = ⟨A_i, W⟩.

    Parameters
    ----------
    matrices : array, shape (m, d_out, d_in), or an ensemble
        The sensing matrices A_i, kept without a copy; they keep their precision if it is single or
        double, and become double otherwise.  A memory-mapped array is read block by block and need
        not fit in memory; nor do a `GeneratedEnsemble`, a `RankOneEnsemble` and a `CosineEnsemble`.
    measurements : array, shape (m,) or (..., m)
        y_i = ⟨A_i, M*⟩; leading axes give a batch of problems with the same A_i.
    normalization : {"sum", "mean"}
        ℓ(W) = ½ Σ_i (⟨A_i, W⟩ − y_i)², or that divided by m.
    target : array, FactoredTarget or None
        M*, if known, so that errors can be measured.

    Returns
    -------
    Sensing or StructuredSensing

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or the shapes do not fit.

    Notes
    -----
    Matrices in single precision with measurements in double halve the memory, and the time to read
    it; every inner product and sum is formed in double precision, of blocks that are widened in the
    cache.  So the problem solved is exactly that of the matrices as they are stored.  Where they
    are rounded versions Â_i of the matrices that gave the measurements, with |Â_i − A_i| ≤ u |A_i|
    entry by entry and u = 2⁻²⁴, each inner product is off by at most u Σ_jk |A_i|_jk |W|_jk
    ≤ u ‖A_i‖_F ‖W‖_F, and so the residual at the target by at most u ‖A_i‖_F ‖M*‖_F.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> A = dlnlab.gaussian_ensemble(5, (3, 2), rng=0)
    >>> M = np.ones((3, 2))
    >>> problem = dlnlab.sensing(A, np.einsum("mij,ij->m", A, M), target=M)
    >>> bool(problem.loss(M) < 1e-28), problem.shape
    (True, (3, 2))
    """
    matrices = _checked_matrices(matrices)
    measurements = checked_measurements(measurements, matrices.shape[0])
    parts = matrices.parts() if isinstance(matrices, StructuredEnsemble) else (matrices,)
    if all(map(arrays.is_array, parts)):
        arrays.namespace(*parts, measurements, names=("matrices", "measurements"))
    target = checked_target(target, tuple(matrices.shape[1:]), "matrices", measurements)
    if isinstance(matrices, StructuredEnsemble):
        return StructuredSensing(matrices, measurements, normalization, target)
    return Sensing(matrices, measurements, normalization, target)


def _checked_matrices(matrices: Any) -> Any:
    """Check an ensemble, one that is not at hand without reading it into memory as a whole."""
    if isinstance(matrices, GeneratedEnsemble | StructuredEnsemble):
        return matrices
    if not isinstance(matrices, np.memmap):
        return checks.matrix("matrices", matrices, ndim=3)
    checks.matrix("matrices", np.zeros((1,) * matrices.ndim, matrices.dtype), ndim=3)
    if matrices.dtype != np.float64 or not matrices.flags.c_contiguous:
        raise ValueError(
            "`matrices` must be float64 in C order when it is memory-mapped, "
            f"got {checks.describe(matrices)}"
        )
    step = block_rows(matrices.shape[1] * matrices.shape[2])
    for start in range(0, matrices.shape[0], step):
        checks.finite("matrices", np.asarray(matrices[start : start + step]))
    return matrices
