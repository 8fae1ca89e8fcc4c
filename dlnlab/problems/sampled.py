"""Deep matrix completion from a list of observed entries.

For a network with a thin last layer the end-to-end matrix W = A B need not be formed.  A step then
needs the observed entries of W, n dot products of length k, and two products with the sparse matrix
G that holds the residuals, G Bᵀ and Aᵀ G, from which the inner layers get matrices of their own
size.  Together that is 6nk flops, against 6 d_out d_in k for the dense matrices.  A dense product
runs near the peak of the processor and a sparse one waits for memory, so which of the two is faster
is a matter of measurement: see `sampling_pays`.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse

from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array
from dlnlab.numerics.products import BLOCK_NUMBERS, FactoredMatrix
from dlnlab.problems import one_pass
from dlnlab.problems.problem import Problem, Target, Workspace

__all__ = ["COMPUTATIONS", "LARGE", "SPARSE_SHARE", "SampledCompletion", "sampling_pays"]

COMPUTATIONS = ("auto", "dense", "sampled")


SPARSE_SHARE = 1 / 15
"""Share of observed entries up to which sampling is the faster way."""

LARGE = 300 * 300
"""Number of entries from which on it is; below, SciPy's calls (45 µs a step) outweigh the work."""


def sampling_pays(shape: tuple[int, int], count: int) -> bool:
    """Tell whether a descent step on observed entries only is faster than one on dense matrices.

    It is for at least 300 × 300 entries of which at most a fifteenth are observed.  This is where
    the times of whole steps crossed, measured for 100 × 100 to 943 × 1682 and widths of the last
    hidden layer from 10 to 1682 (the crossing hardly depends on the width, as both ways take time
    in proportion to it); the table is in docs/completion.md.

    Parameters
    ----------
    shape : (int, int)
        (d_out, d_in).
    count : int
        Number of observed entries.

    Returns
    -------
    bool

    Examples
    --------
    >>> sampling_pays((943, 1682), 80_000), sampling_pays((100, 100), 3_000)
    (True, False)
    """
    size = shape[0] * shape[1]
    return size >= LARGE and count <= SPARSE_SHARE * size


class SampledCompletion(Problem):
    """Deep matrix completion from a sparse pattern of observed entries.  See `completion`.

    Parameters
    ----------
    pattern : scipy or cupy sparse pattern
    values : array, shape (..., n)
        Its entries, row by row.
    """

    def __init__(
        self, pattern: Any, values: Array, normalization: str, target: Target, computation: str
    ) -> None:
        shape = (int(pattern.shape[0]), int(pattern.shape[1]))
        super().__init__(shape, target, normalization, values)
        self.computation = checks.choice("computation", computation, COMPUTATIONS)
        if computation == "sampled" and not arrays.is_host(values):
            raise TypeError(
                "`computation` must be 'auto' or 'dense' for arrays on a device, got 'sampled': "
                "sparse products are SciPy's, on the host"
            )
        coordinates = pattern.tocoo()
        xp = arrays.namespace(values)
        self.rows = xp.astype(coordinates.row, xp.int64)
        self.columns = xp.astype(coordinates.col, xp.int64)
        self.values = values
        self._places = self.rows * shape[1] + self.columns
        self._pattern = pattern
        self._sampled = computation == "sampled" or (
            computation == "auto" and sampling_pays(shape, values.shape[-1])
        )
        self._count_measurements(values.shape[-1])

    def compose(self, left: Array, right: Array) -> Array | FactoredMatrix:
        """Return the end-to-end matrix, as its two factors where that is the faster way.

        Raises
        ------
        ValueError
            If computation is "sampled" and the factors have batch axes.
        """
        if self.samples(left):
            return FactoredMatrix(left, right)
        return left @ right

    def samples(self, left: Array) -> bool:
        """Tell whether this problem computes with observed entries only, for such a last layer.

        Raises
        ------
        ValueError
            If computation is "sampled" and the layer has batch axes.
        """
        single = left.ndim == 2 and arrays.is_host(left)
        if self.computation == "sampled" and not single:
            raise ValueError(
                "`weights` must have no batch axes with computation='sampled', got layers of shape "
                f"{tuple(left.shape)}; use 'auto' or 'dense'"
            )
        return single and self._sampled

    def workspace(self, members: int) -> Workspace:
        """Return the numbers for losses and gradients: of the observed entries, twice.

        A dense gradient is one matrix more, and as many again if it is scaled.
        """
        observed = 2 * (members * self.values.shape[-1] + BLOCK_NUMBERS)
        image = members * self.shape[0] * self.shape[1]
        dense = 0 if self._sampled and members == 1 else image
        return Workspace(observed, observed + (1 + (self.normalization == "mean")) * dense)

    def residual(self, W: Array | FactoredMatrix) -> Array:
        """Return W_ij − y_ij for the observed entries, row by row, shape (..., n)."""
        if isinstance(W, FactoredMatrix):
            return W.entries(self.rows, self.columns) - self.values
        flat = arrays.namespace(W).reshape(W, (*W.shape[:-2], -1))
        return flat[..., self._places] - self.values

    def adjoint(self, residual: Array) -> Array:
        """Return the matrix with the residuals in their places and zeros elsewhere."""
        xp = arrays.namespace(residual)
        size = self.shape[0] * self.shape[1]
        out = xp.zeros((*residual.shape[:-1], size), dtype=residual.dtype)
        out[..., self._places] = residual
        return xp.reshape(out, (*residual.shape[:-1], *self.shape))

    def gradient(self, W: Array | FactoredMatrix) -> Any:
        """Return ∇ℓ(W), as a SciPy sparse array where `W` is a `FactoredMatrix`.

        `networks.backward` only multiplies it by the layers from both sides.
        """
        if isinstance(W, FactoredMatrix):
            return self._sparse(self.scale * self.residual(self._check(W)))
        return super().gradient(W)

    def factor_gradients(self, W: FactoredMatrix) -> tuple[Array, Array]:
        """Return G Bᵀ and AᵀG, by a compiled loop where that pays; see `Problem`."""
        kinds = {self.values.dtype, W.left.dtype, W.right.dtype}
        if len(kinds) > 1 or not one_pass.pays(self.values.size):
            return super().factor_gradients(W)
        W, pattern = self._check(W), self._pattern
        found = one_pass.factor_gradients(
            pattern.indptr, pattern.indices, self.values, W.left, W.right
        )
        return found if self.normalization == "sum" else tuple(self.scale * one for one in found)

    @cached_property
    def places(self) -> np.ndarray:
        """All n numbers of a residual."""
        return np.arange(self.values.shape[-1])

    def chosen_numbers(self, count: int, members: int) -> int:
        """Return the numbers of so many entries, their places, and the sparse matrix of both."""
        if not self._sampled or members > 1:
            return 2 * self.values.size
        return max(6 * count - self.workspace(members).gradient, 0)

    def gradient_of(self, W: Array | FactoredMatrix, chosen: np.ndarray) -> Any:
        """Return the gradient of some observed entries, sparse for a `FactoredMatrix`."""
        if not isinstance(W, FactoredMatrix):
            return super().gradient_of(W, chosen)
        rows, columns = self.rows[chosen], self.columns[chosen]
        entries = W.entries(rows, columns) - self.values[chosen]
        entries *= self.scale * (self.values.size / chosen.size)
        return scipy.sparse.csr_array((entries, (rows, columns)), shape=self.shape)

    def _sparse(self, entries: np.ndarray) -> scipy.sparse.csr_array:
        structure = (entries, self._pattern.indices, self._pattern.indptr)
        return scipy.sparse.csr_array(structure, shape=self.shape)

    def squared_norm(self, residual: Array) -> Array:
        return arrays.namespace(residual).sum(residual**2, axis=-1)

    def surrogate(self) -> Array:
        """Return P_Ω(M)/p with p the observed share, an unbiased estimate of M for a random Ω.

        Raises
        ------
        ValueError
            If the dense matrix does not fit in memory.
        """
        size = 8 * self.shape[0] * self.shape[1]
        checks.fits_in_memory("`surrogate`: the dense matrix P_Ω(M)/p", size, self.values)
        return self.adjoint(self.values) / self._share

    def surrogate_for(self, count: int) -> Any:
        """Return the surrogate, sparse where its leading vectors are cheaper to find so."""
        if not self._sampled or not arrays.is_host(self.values) or 10 * count > min(self.shape):
            return self.surrogate()
        return self._sparse(self.values / self._share)

    @property
    def _share(self) -> float:
        return self.values.shape[-1] / (self.shape[0] * self.shape[1])

    @property
    def curvature(self) -> float:
        return float(self.scale)

    def _data(self) -> tuple[Array, ...]:
        return self.rows, self.columns, self.values
