"""Sensing ensembles that are never in memory as a whole: drawn again whenever they are needed.

An ensemble of m matrices of d_out × d_in entries takes 8·m·d_out·d_in bytes, 160 GB for m = 20 000
and d = 1000.  A `GeneratedEnsemble` holds a seed instead and gives its matrices block by block; a
memory-mapped array (``numpy.load(path, mmap_mode="r")``) reads them from disk in the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from dlnlab.numerics import arrays, checks

__all__ = ["BLOCK_BYTES", "GeneratedEnsemble", "block_rows", "measured"]

BLOCK_BYTES = 640 * 1024
"""Size of a block: it stays in a core's second-level cache between the two uses that a gradient
makes of it, and its arithmetic still takes long against the cost of a call."""


def block_rows(row_length: int) -> int:
    """Return how many matrices of `row_length` entries make a block.

    Parameters
    ----------
    row_length : int
        d_out·d_in.

    Returns
    -------
    int
    """
    return max(1, BLOCK_BYTES // (8 * row_length))


def measured(blocks: Iterable[tuple[slice, np.ndarray]], W: np.ndarray, count: int) -> np.ndarray:
    """Return ⟨A_i, W⟩ for `count` matrices that come in blocks, in memory for one block at a time.

    Parameters
    ----------
    blocks : iterable of (slice, array)
        Which matrices, and an array of one row for each.
    W : array, shape (..., d_out, d_in)
    count : int
        m.

    Returns
    -------
    array, shape (..., m)
    """
    flat = W.reshape(*W.shape[:-2], -1)
    found = np.empty((*W.shape[:-2], count))
    for where, rows in blocks:
        found[..., where] = flat @ rows.T
    return found


@dataclass(frozen=True)
class GeneratedEnsemble:
    """Sensing matrices A_1, …, A_m with independent N(0, scale²) entries, drawn when needed.

    Block k is drawn from a generator of its own, seeded with (seed, k), so every pass over the
    ensemble sees the same matrices.

    Parameters
    ----------
    count : int
        m.
    matrix_shape : (int, int)
        (d_out, d_in).
    seed : int
        At least 0.
    scale : float
        Standard deviation of an entry: 1 in the paper, 1/m in the authors' code.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> A = dlnlab.GeneratedEnsemble(500, (20, 20), seed=0)
    >>> M = dlnlab.random_target((20, 20), 2, rng=0)
    >>> problem = dlnlab.sensing(A, A.measure(M), target=M)
    >>> float(problem.loss(M))
    0.0
    """

    count: int
    matrix_shape: tuple[int, int]
    seed: int
    scale: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "count", checks.integer("count", self.count, 1))
        object.__setattr__(self, "matrix_shape", checks.shape("matrix_shape", self.matrix_shape))
        object.__setattr__(self, "seed", checks.seed("seed", self.seed))
        object.__setattr__(self, "scale", checks.positive("scale", self.scale))

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (m, d_out, d_in) of the stack of sensing matrices."""
        return (self.count, *self.matrix_shape)

    def blocks(self, first: int = 0, last: int | None = None) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield matrices block by block: which they are, and an array of one row for each.

        Parameters
        ----------
        first, last : int
            Numbers of the first block and of the one after the last, from 0 to their number; all by
            default.

        Yields
        ------
        slice, array of shape (matrices, d_out·d_in)

        Raises
        ------
        TypeError, ValueError
            If there are no such blocks.
        """
        n = self.matrix_shape[0] * self.matrix_shape[1]
        step = block_rows(n)
        count = -(-self.count // step)
        first = checks.integer("first", first, 0, count)
        last = count if last is None else checks.integer("last", last, first, count)
        return self._drawn(range(first, last), step, n)

    def _drawn(self, numbers: range, step: int, n: int) -> Iterator[tuple[slice, np.ndarray]]:
        for number in numbers:
            start, stop = number * step, min((number + 1) * step, self.count)
            draw = np.random.default_rng([self.seed, number]).standard_normal((stop - start, n))
            yield slice(start, stop), self.scale * draw

    def identity(self) -> np.ndarray:
        """Return the bytes of what tells this ensemble from others, for a fingerprint.

        Returns
        -------
        array of bytes
        """
        told = (self.count, self.matrix_shape, int(self.seed), float(self.scale))
        return np.frombuffer(repr(told).encode(), dtype=np.uint8)

    def measure(self, W: np.ndarray) -> np.ndarray:
        """Return ⟨A_i, W⟩ for all i, shape (..., m), of a matrix or a batch of them.

        Parameters
        ----------
        W : array, shape (..., d_out, d_in)

        Returns
        -------
        array, shape (..., m)

        Raises
        ------
        TypeError, ValueError
            If `W` is no real array of this shape on the host.
        """
        W = checks.matrix("W", W)
        if not arrays.is_host(W):
            raise TypeError(f"`W` must be a NumPy array, got {checks.describe(W)}")
        checks.last_axes("W", W, self.matrix_shape)
        return measured(self.blocks(), W, self.count)
