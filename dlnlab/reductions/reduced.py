"""A factorization seen from the coordinates of a smaller network, and what can be seen so."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.networks import Weights
from dlnlab.numerics import arrays, checks, spectra
from dlnlab.numerics.arrays import Array
from dlnlab.problems import Factorization, Problem
from dlnlab.problems.targets import FactoredTarget

__all__ = ["NoReductionError", "ReducedFactorization", "check_factorization", "check_one_network"]


class NoReductionError(ValueError):
    """The network is well-formed but has no exact reduction; run it in full."""


class ReducedFactorization(Factorization):
    """Factorization seen from the reduced coordinates.

    The gradient is the one every single direction sees; loss, error and singular values are those
    of the wide network, in which the last coordinate occurs `multiplicity` times.

    Attributes
    ----------
    original : Factorization
    multiplicity : int
    target : FactoredTarget
        In reduced coordinates.
    """

    def __init__(self, target: FactoredTarget, multiplicity: int, original: Factorization) -> None:
        super().__init__(target, original.normalization)
        self.original, self.scale = original, original.scale
        self.multiplicity = multiplicity

    def _data(self) -> tuple[Array, ...]:
        return *super()._data(), np.array([self.multiplicity, self.scale])

    def squared_norm(self, residual: Array) -> Array:
        """Return ‖residual‖² of the wide network."""
        total = super().squared_norm(residual)
        if self.multiplicity > 1:
            total = total + (self.multiplicity - 1) * residual[..., -1, -1] ** 2
        return total

    def singular_values(self, W: Array) -> Array:
        """Return the leading k + 1 singular values of the wide network.

        All values that follow are equal to |ρ_{L:1}|, which is among the k + 1.
        """
        return self._values(W, limit=None)

    def all_singular_values(self, W: Array) -> Array:
        """Return all min(d_out, d_in) singular values of the wide network.

        Parameters
        ----------
        W : array, shape (..., k + 1, k′ + 1)
            Of the reduced network.

        Returns
        -------
        array, shape (..., min(d_out, d_in))
        """
        return self._values(W, limit=min(self.original.shape))

    def leading_values(self, W: Array, count: int) -> Array:
        """Return the `count` leading singular values of the wide network.

        Parameters
        ----------
        W : array, shape (..., k + 1, k′ + 1)
            Of the reduced network.
        count : int

        Returns
        -------
        array, shape (..., count)
        """
        return self._values(W, limit=count)[..., :count]

    def _values(self, W: Array, limit: int | None) -> Array:
        """Return the leading `limit` values, or k + 1 of them."""
        if self.multiplicity == 0:
            values = spectra.singular_values(W)
            missing = 0 if limit is None else max(limit - values.shape[-1], 0)
            return _with_zeros(values, missing) if missing else values
        xp = arrays.namespace(W)
        block = spectra.singular_values(W[..., :-1, :-1])
        k = block.shape[-1]
        limit = k + 1 if limit is None else limit
        copies = min(self.multiplicity, limit)
        shape = (*block.shape[:-1], copies)
        residual = xp.broadcast_to(xp.abs(W[..., -1, -1])[..., None], shape)
        return xp.sort(xp.concat([block, residual], axis=-1), axis=-1, descending=True)[..., :limit]


def check_factorization(problem: Any) -> None:
    """Raise unless `problem` is a factorization of one target.

    Parameters
    ----------
    problem : object

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if not isinstance(problem, Factorization) or isinstance(problem, ReducedFactorization):
        raise TypeError(
            "`problem` must be a factorization (A = Id): for other measurements the wide network "
            f"has no exact reduction, got {checks.describe(problem)}"
        )
    if not isinstance(problem.target, FactoredTarget) and problem.target.ndim > 2:
        raise ValueError("`problem` must have one target, not a batch; reduce them one by one")


def check_one_network(problem: Problem, weights: Any) -> Weights:
    """Return one network, without batch axes, of the problem's shape and precision.

    Frames that are orthonormal in single precision are not so in double precision, so bases of both
    together would not be exact in either.

    Parameters
    ----------
    problem : Problem
    weights : object

    Returns
    -------
    tuple of L arrays, shapes (d_l, d_{l−1})

    Raises
    ------
    TypeError, ValueError
        If it is not; `NoReductionError` if only the precision differs.
    """
    layers = networks.check_network(problem, weights)
    if any(W.ndim > 2 for W in layers):
        raise ValueError("`weights` must be one network, not a batch; reduce them one by one")
    wanted = arrays.dtype_name(problem.reference)
    for index, W in enumerate(layers):
        if arrays.dtype_name(W) != wanted:
            raise NoReductionError(
                f"`weights[{index}]` must be of the precision of the target, {wanted}, for an "
                f"exact reduction, got {arrays.dtype_name(W)}; convert one of them, or run the "
                "full network"
            )
    return layers


def _with_zeros(values: Array, count: int) -> Array:
    xp = arrays.namespace(values)
    zeros = xp.zeros((*values.shape[:-1], count), dtype=values.dtype)
    return xp.concat([values, arrays.like(arrays.to_host(zeros), values)], axis=-1)
