"""Deep matrix completion from a list of observed entries."""

from __future__ import annotations

from typing import Any

from dlnlab import arrays
from dlnlab.arrays import Array
from dlnlab.problems.problem import Problem, Target

__all__ = ["SampledCompletion"]


class SampledCompletion(Problem):
    """Deep matrix completion from a sparse pattern of observed entries.  See `completion`."""

    def __init__(self, pattern: Any, values: Array, normalization: str, target: Target) -> None:
        shape = (int(pattern.shape[0]), int(pattern.shape[1]))
        super().__init__(shape, target, normalization, values)
        self.rows, self.columns, self.values = pattern.row, pattern.col, values
        self._count_measurements(values.shape[-1])

    def residual(self, W: Array) -> Array:
        return W[..., self.rows, self.columns] - self.values

    def adjoint(self, residual: Array) -> Array:
        xp = arrays.namespace(residual)
        out = xp.zeros((*residual.shape[:-1], *self.shape), dtype=residual.dtype)
        out[..., self.rows, self.columns] = residual
        return out

    def squared_norm(self, residual: Array) -> Array:
        return arrays.namespace(residual).sum(residual**2, axis=-1)

    def surrogate(self) -> Array:
        """Return P_Ω(M)/p with p the observed share, an unbiased estimate of M for a random Ω."""
        share = self.values.shape[-1] / (self.shape[0] * self.shape[1])
        return self.adjoint(self.values) / share

    @property
    def curvature(self) -> float:
        return float(self.scale)

    def _data(self) -> tuple[Array, ...]:
        return self.rows, self.columns, self.values
