"""The velocity as a fixed list of calls on fixed arrays: BLAS for one network, `einsum` for stacks.

A Runge–Kutta method asks for the velocity a dozen times a step, always of the same array and into
the same few, so the calls that compute it are made once.  With A_1 = W_1, A_l = W_l A_{l−1} and
D_L = c (M − A_L), D_{l−1} = W_lᵀ D_l, the velocity of layer l is D_l A_{l−1}ᵀ, and D_1 that of the
first.  On 20 × 20 matrices BLAS takes half the time of the same products by `numpy.dot`.

Matrices of a few rows cost BLAS as much as their calls do, whatever their size.  A stack of them is
multiplied entry by entry, the axis of the stack innermost: two hundred 3 × 3 products take a third
of the time of `numpy.matmul`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.linalg import blas

from dlnlab.networks import Weights
from dlnlab.problems import Problem

__all__ = ["LARGEST_STACKED", "Call", "downhill", "product", "suits", "suits_stack"]

LARGEST_STACKED = 5
"""Rows or columns up to which the products of a stack are taken entry by entry: from six on
`numpy.matmul` is as fast."""

Call = Callable[[], Any]


def suits(problem: Problem, shapes: Sequence[tuple[int, ...]]) -> bool:
    """Tell whether the problem fits every entry of one matrix, with a single network.

    Parameters
    ----------
    problem : Problem
    shapes : sequence of tuples of int
        Of the layers, batch axes first.

    Returns
    -------
    bool
    """
    if any(len(shape) > 2 for shape in shapes) or problem.batch:
        return False
    data = problem.entrywise()
    return data is not None and data[0] is None and data[1].dtype == np.float64


def suits_stack(
    problem: Problem, shapes: Sequence[tuple[int, ...]], largest: int = LARGEST_STACKED
) -> bool:
    """Tell whether every member of a stack of small networks meets the conditions of `suits`.

    Parameters
    ----------
    problem : Problem
    shapes : sequence of tuples of int
        Of the layers, batch axes first.
    largest : int
        Rows or columns they may have.

    Returns
    -------
    bool
    """
    if any(len(shape) != 3 or max(shape[-2:]) > largest for shape in shapes):
        return False
    data = problem.entrywise()
    if data is None or data[0] is not None or np.ndim(problem.matrix_scale):
        return False
    return data[1].dtype == np.float64 and problem.batch in ((), shapes[0][:1])


def downhill(problem: Problem, weights: Weights, outs: Sequence[Weights]) -> list[list[Call]]:
    """Return the calls that write −∇ℓ of all layers to each of `outs`, for the weights by then.

    Parameters
    ----------
    problem : Problem
        One that `suits`, or `suits_stack`.
    weights : tuple of L arrays, shapes (d_l, d_{l−1}) or (d_l, d_{l−1}, batch)
        In C order.
    outs : sequence of such tuples
        Where they are written.

    Returns
    -------
    list of lists of callables
    """
    data = problem.entrywise()
    assert data is not None  # it suits
    target = data[1]
    times = product
    if weights[0].ndim == 3:
        stacked = target if target.ndim == 3 else target[None]
        times, target = _stack_product, np.ascontiguousarray(stacked.transpose(1, 2, 0))
    prefixes, forward = [weights[0]], []
    for W in weights[1:]:
        prefixes.append(np.empty((W.shape[0], *weights[0].shape[1:])))
        forward.append(times(W, prefixes[-2], prefixes[-1]))
    slope = prefixes[-1]
    forward.append(functools.partial(np.subtract, target, slope, slope))
    if problem.matrix_scale != 1:
        forward.append(functools.partial(np.multiply, slope, problem.matrix_scale, slope))
    slopes = [None, *(np.empty_like(A) for A in prefixes[1:-1]), slope]
    return [forward + _backward(times, weights, prefixes, slopes, out) for out in outs]


def _backward(
    times: Callable[..., Call],
    weights: Weights,
    prefixes: list[np.ndarray],
    slopes: list[Any],
    out: Weights,
) -> list[Call]:
    """The calls from D_L, the last of `slopes`, to the velocities; D_1 is one of them itself."""
    slopes, calls = [out[0], *slopes[1:]], []
    for layer in range(len(weights) - 1, 0, -1):
        D, A = slopes[layer], prefixes[layer - 1]
        calls.append(times(D, A, out[layer], flip_second=True))
        calls.append(times(weights[layer], D, slopes[layer - 1], flip_first=True))
    return calls


def product(
    A: np.ndarray,
    B: np.ndarray,
    out: np.ndarray,
    *,
    flip_first: bool = False,
    flip_second: bool = False,
) -> Call:
    """Return the call that writes A B to `out`, with either matrix transposed.

    BLAS takes matrices column by column, which are the transposes of NumPy's: it computes
    Bᵀ Aᵀ.  Arguments are passed by position, since names take as long as a small product.

    Parameters
    ----------
    A : array
    B : array
    out : array
    flip_first : bool
        Whether it is Aᵀ.
    flip_second : bool
        Whether it is Bᵀ.

    Returns
    -------
    callable
    """
    return functools.partial(
        blas.dgemm, 1.0, B.T, A.T, 0.0, out.T, int(flip_second), int(flip_first), 1
    )


def _stack_product(
    A: np.ndarray,
    B: np.ndarray,
    out: np.ndarray,
    *,
    flip_first: bool = False,
    flip_second: bool = False,
) -> Call:
    """Return the call that does the same for every member of a stack, the last axis."""
    first, second = "ki" if flip_first else "ik", "jk" if flip_second else "kj"
    return functools.partial(np.einsum, f"{first}b,{second}b->ijb", A, B, out=out)
