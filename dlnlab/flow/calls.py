"""The velocity of one network as a fixed list of BLAS calls on fixed arrays.

A Runge–Kutta method asks for the velocity a dozen times a step, always of the same array and into
the same few, so the calls that compute it are made once.  With A_1 = W_1, A_l = W_l A_{l−1} and
D_L = c (M − A_L), D_{l−1} = W_lᵀ D_l, the velocity of layer l is D_l A_{l−1}ᵀ, and D_1 that of the
first.  On 20 × 20 matrices that takes half the time of the same products by `numpy.dot`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy.linalg import blas

from dlnlab.networks import Weights
from dlnlab.problems import Problem

__all__ = ["Call", "downhill", "product", "suits"]

Call = Callable[[], Any]


def suits(problem: Problem, shapes: Sequence[tuple[int, ...]]) -> bool:
    """Whether the problem is to fit every entry of one matrix, and the network a single one."""
    if any(len(shape) > 2 for shape in shapes) or problem.batch:
        return False
    data = problem.entrywise()
    return data is not None and data[0] is None and data[1].dtype == np.float64


def downhill(problem: Problem, weights: Weights, outs: Sequence[Weights]) -> list[list[Call]]:
    """Return the calls that write −∇ℓ of all layers to each of `outs`, for the weights by then.

    Parameters
    ----------
    problem : Problem
        One that `suits`.
    weights, each of outs : tuple of L arrays, shapes (d_l, d_{l−1})
        In C order.
    """
    _, target = problem.entrywise()  # type: ignore[misc]
    prefixes, forward = [weights[0]], []
    for W in weights[1:]:
        prefixes.append(np.empty((W.shape[0], weights[0].shape[1])))
        forward.append(product(W, prefixes[-2], prefixes[-1]))
    slope = prefixes[-1]
    forward.append(functools.partial(np.subtract, target, slope, slope))
    if problem.matrix_scale != 1:
        forward.append(functools.partial(np.multiply, slope, problem.matrix_scale, slope))
    slopes = [None, *(np.empty_like(A) for A in prefixes[1:-1]), slope]
    return [forward + _backward(weights, prefixes, slopes, out) for out in outs]


def _backward(
    weights: Weights, prefixes: list[np.ndarray], slopes: list[np.ndarray], out: Weights
) -> list[Call]:
    """The calls from D_L, the last of `slopes`, to the velocities; D_1 is one of them itself."""
    slopes, calls = [out[0], *slopes[1:]], []
    for layer in range(len(weights) - 1, 0, -1):
        D, A = slopes[layer], prefixes[layer - 1]
        calls.append(product(D, A, out[layer], flip_second=True))
        calls.append(product(weights[layer], D, slopes[layer - 1], flip_first=True))
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
    """
    return functools.partial(
        blas.dgemm, 1.0, B.T, A.T, 0.0, out.T, int(flip_second), int(flip_first), 1
    )
