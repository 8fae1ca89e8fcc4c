"""Which way of taking steps suits a problem and a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlnlab.networks import Weights
from dlnlab.problems import Problem
from dlnlab.steppers.in_place import InPlace
from dlnlab.steppers.plain import Plain
from dlnlab.steppers.protocol import Stepper
from dlnlab.steppers.scalars import Bordered, Diagonal

__all__ = ["stepper"]


def stepper(
    problem: Problem,
    weights: Weights,
    rates: Sequence[Any],
    decay: Any,
    batch: tuple[int, ...],
) -> Stepper:
    """Return what takes the steps of a run.

    Parameters
    ----------
    problem : Problem
    weights : tuple of L arrays, shapes (*batch, d_l, d_{l−1})
        Where the run starts; not changed.
    rates : sequence of L floats or arrays
        η_l; an array has the shape (..., 1, 1).
    decay : float, array or None
        μ, in the same way; None without weight decay.
    batch : tuple of int
        Batch axes.
    """
    kind: type[Stepper] = Plain
    if _fits_in_place(problem, weights, batch):
        kind = InPlace
        if _is_diagonal(problem, weights, rates, batch):
            kind = Diagonal
        elif _is_bordered(problem, weights, rates, batch):
            kind = Bordered
    return kind(problem, weights, rates, decay, batch)


def _fits_in_place(problem: Problem, weights: Weights, batch: tuple[int, ...]) -> bool:
    """Whether the run is on the host, in one precision, with dense gradients of each member."""
    if not all(isinstance(W, np.ndarray) and W.dtype == weights[0].dtype for W in weights):
        return False
    if not batch:
        return not problem.samples(weights[-1])
    data = problem.entrywise()
    return data is not None and all(x is None or x.shape[:-2] in ((), batch) for x in data)


def _is_diagonal(
    problem: Problem, weights: Weights, rates: Sequence[Any], batch: tuple[int, ...]
) -> bool:
    """Whether target and layers are diagonal, with the same sizes on all outer and inner layers."""
    data = problem.entrywise()
    if batch or data is None or data[0] is not None or data[1].ndim > 2 or rates[0] != rates[-1]:
        return False
    if len({min(W.shape) for W in weights}) > 1 or not all(map(_off_diagonal_is_zero, weights)):
        return False
    sizes = [np.abs(np.diagonal(W)) for W in weights]
    equal = (sizes[0] == sizes[-1]).all() and all((s == sizes[1]).all() for s in sizes[1:-1])
    return bool(equal) and _off_diagonal_is_zero(data[1])


def _is_bordered(
    problem: Problem, weights: Weights, rates: Sequence[Any], batch: tuple[int, ...]
) -> bool:
    """Whether target and layers are diag(B, ρ), ρ the same on all outer and on all inner layers."""
    data = problem.entrywise()
    if batch or data is None or data[0] is not None or data[1].ndim > 2 or rates[0] != rates[-1]:
        return False
    corners = [W[-1, -1] for W in weights]
    equal = corners[0] == corners[-1] and len(set(corners[1:-1])) <= 1
    return equal and all(map(_border_is_zero, [*weights, data[1]]))


def _border_is_zero(A: np.ndarray) -> bool:
    return min(A.shape) > 1 and not A[-1, :-1].any() and not A[:-1, -1].any()


def _off_diagonal_is_zero(A: np.ndarray) -> bool:
    return bool(np.count_nonzero(A) == np.count_nonzero(np.diagonal(A)))
