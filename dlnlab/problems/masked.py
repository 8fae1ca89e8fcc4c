"""Deep matrix completion from a boolean mask, with dense residuals: P_Ω(W) − P_Ω(M)."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from dlnlab.numerics import arrays
from dlnlab.numerics.arrays import Array
from dlnlab.problems.problem import Problem, Target

__all__ = ["Completion"]


class Completion(Problem):
    """Deep matrix completion, A = P_Ω, from a boolean mask.  See `completion`.

    Parameters
    ----------
    M : array, shape (..., d_out, d_in)
    mask : boolean array of that shape
    """

    def __init__(self, M: Array, mask: Array, normalization: str, target: Target) -> None:
        super().__init__(tuple(M.shape[-2:]), target, normalization, M)
        xp = arrays.namespace(M, mask)
        self.mask = xp.astype(mask, M.dtype)
        self.observed = self.mask * M
        count = xp.sum(self.mask, axis=(-2, -1))
        self._share = count / (self.shape[0] * self.shape[1])
        self._count_measurements(count)

    @property
    def batch(self) -> tuple[int, ...]:
        return tuple(self.observed.shape[:-2])

    def residual(self, W: Array) -> Array:
        return self.mask * W - self.observed

    def adjoint(self, residual: Array) -> Array:
        return residual

    def entrywise(self) -> tuple[Array, Array]:
        return self.mask, self.observed

    def surrogate(self) -> Array:
        """Return P_Ω(M)/p with p the observed share, an unbiased estimate of M for a random Ω."""
        return self.observed / self._share[..., None, None]

    @cached_property
    def places(self) -> np.ndarray:
        """Where entries are observed, row by row."""
        return np.flatnonzero(arrays.to_host(self.mask))

    @cached_property
    def curvature(self) -> float:
        scale = self.scale
        return float(arrays.namespace(scale).max(scale)) if arrays.is_array(scale) else scale

    def _data(self) -> tuple[Array, ...]:
        return self.mask, self.observed
