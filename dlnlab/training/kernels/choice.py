"""Which way of taking steps suits a problem and a network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlnlab.networks import Weights
from dlnlab.problems import Problem
from dlnlab.training.kernels.in_place import InPlace
from dlnlab.training.kernels.plain import Plain
from dlnlab.training.kernels.protocol import Run, Stepper
from dlnlab.training.kernels.scalars import Bordered, Diagonal

__all__ = ["Kind", "fits_in_place", "stepper"]

Kind = Callable[[Run], Stepper]


def stepper(run: Run) -> Stepper:
    """Return what takes the steps of a run: `Plain`, or what suits its arrays better.

    Parameters
    ----------
    run : Run

    Returns
    -------
    Stepper
    """
    kind: Kind = Plain
    if fits_in_place(run.problem, run.weights, run.batch):
        kind = InPlace
        if not run.batch and run.rates[0] == run.rates[-1]:
            kind = _special(run.problem, run.weights) or InPlace
    return kind(run)


def fits_in_place(problem: Problem, weights: Weights, batch: tuple[int, ...]) -> bool:
    """Tell whether a run is on the host, in one precision, with dense gradients of each member.

    The precision is one that BLAS has; others it would be handed copies of.

    Parameters
    ----------
    problem : Problem
    weights : tuple of L arrays, shapes (..., d_l, d_{l−1})
    batch : tuple of int
        Batch axes.

    Returns
    -------
    bool
    """
    first = weights[0].dtype
    if not all(isinstance(W, np.ndarray) and W.dtype == first for W in weights):
        return False
    if first not in (np.float32, np.float64):
        return False
    if not batch:
        return not problem.samples(weights[-1])
    if not problem.is_entrywise or not problem.batch:
        return problem.is_entrywise
    return all(x is None or x.shape[:-2] in ((), batch) for x in problem.entrywise() or ())


def _special(problem: Problem, weights: Weights) -> Kind | None:
    """Return the way that suits the zeros of the target and of all layers, if there is one."""
    data = problem.entrywise()
    if data is None or data[0] is not None or data[1].ndim > 2:
        return None
    if _is_diagonal(data[1], weights):
        return Diagonal
    return Bordered if _is_bordered(data[1], weights) else None


def _is_diagonal(target: np.ndarray, weights: Weights) -> bool:
    """Whether target and layers are diagonal, with the same sizes on all outer and inner layers."""
    if len({min(W.shape) for W in weights}) > 1:
        return False
    if not all(map(_off_diagonal_is_zero, [*weights, target])):
        return False
    sizes = [np.abs(np.diagonal(W)) for W in weights]
    equal = (sizes[0] == sizes[-1]).all() and all((s == sizes[1]).all() for s in sizes[1:-1])
    return bool(equal)


def _is_bordered(target: np.ndarray, weights: Weights) -> bool:
    """Whether target and layers are diag(B, ρ), ρ the same on all outer and on all inner layers."""
    corners = [W[-1, -1] for W in weights]
    equal = corners[0] == corners[-1] and len(set(corners[1:-1])) <= 1
    return equal and all(map(_border_is_zero, [*weights, target]))


def _border_is_zero(A: np.ndarray) -> bool:
    return min(A.shape) > 1 and not A[-1, :-1].any() and not A[:-1, -1].any()


def _off_diagonal_is_zero(A: np.ndarray) -> bool:
    return bool(np.count_nonzero(A) == np.count_nonzero(np.diagonal(A)))
