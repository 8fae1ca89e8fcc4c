"""The velocity of a stack of small networks in one compiled loop (`numerics.compiled`).

With the axis of the stack innermost, an entry of a product is a sum of entrywise products of rows
of numbers, one for each network, and a whole velocity of 5 × 5 layers is some thousand operations
on such rows.  `numpy.einsum` spends most of its time on beginning them; as machine code they take a
third of its time for stacks of 64 networks, and less for smaller ones.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlnlab.numerics import compiled
from dlnlab.problems import Problem

__all__ = ["FEWEST", "LARGEST", "downhill", "pays"]

LARGEST = 8
"""Rows or columns up to which it is faster than `numpy.matmul`, which multiplies a stack of 64
8 × 8 matrices as fast."""

FEWEST = 8
"""Networks of a stack, from which on a search is at work, and soon wins back the third of a second
that loading what is compiled takes."""


def pays(shapes: Sequence[tuple[int, ...]]) -> bool:
    """Tell whether the velocity of a stack is better compiled.

    Parameters
    ----------
    shapes : sequence of tuples of int
        Of the layers, batch axes first.

    Returns
    -------
    bool
    """
    return len(shapes[0]) == 3 and shapes[0][0] >= FEWEST and compiled.installed()


def downhill(
    problem: Problem,
    shapes: Sequence[tuple[int, ...]],
    y: np.ndarray,
    outs: Sequence[np.ndarray],
) -> list[list[Callable[[], Any]]]:
    """Return, for each of `outs`, the call that writes −∇ℓ of all layers there, of `y` by then.

    Parameters
    ----------
    problem : Problem
        One that `calls.suits_stack`.
    shapes : sequence of (batch, d_l, d_{l−1})
    y : array, shape (size,)
        All layers, one after the other, each of shape (d_l, d_{l−1}, batch).
    outs : sequence of arrays, shape (size,)

    Returns
    -------
    list of lists of callables
    """
    data = problem.entrywise()
    assert data is not None  # it suits
    target = data[1]
    batch, inputs = shapes[0][0], shapes[0][2]
    sides = np.array([inputs, *(shape[1] for shape in shapes)])
    stacked = np.broadcast_to(target, (batch, sides[-1], inputs))
    goal = np.ascontiguousarray(stacked.transpose(1, 2, 0))
    prefixes = np.empty(inputs * batch * int(sides[2:].sum()))
    slopes = np.empty((2, inputs * batch * int(sides.max())))
    known = y, sides, goal, float(problem.matrix_scale), prefixes, slopes
    return [[functools.partial(_downhill, *known, out)] for out in outs]


@compiled.compiled
def _downhill(y, sides, target, scale, prefixes, slopes, out):
    """A_l = W_l A_{l−1}; D_L = c (M − A_L), then D_l A_{l−1}ᵀ to layer l and D_{l−1} = W_lᵀ D_l."""

    def multiply(A, B, out, flip_first, flip_second):
        """A B, Aᵀ B or A Bᵀ; four terms of a sum at a time, so that it is read less often."""
        terms = A.shape[0] if flip_first else A.shape[1]
        for i in range(out.shape[0]):
            for j in range(out.shape[1]):
                total = out[i, j]
                total[:] = 0.0
                for k in range(terms % 4):
                    a = A[k, i] if flip_first else A[i, k]
                    b = B[j, k] if flip_second else B[k, j]
                    for c in range(total.size):
                        total[c] += a[c] * b[c]
                for k in range(terms % 4, terms, 4):
                    a = A[k, i] if flip_first else A[i, k]
                    p = A[k + 1, i] if flip_first else A[i, k + 1]
                    s = A[k + 2, i] if flip_first else A[i, k + 2]
                    u = A[k + 3, i] if flip_first else A[i, k + 3]
                    b = B[j, k] if flip_second else B[k, j]
                    q = B[j, k + 1] if flip_second else B[k + 1, j]
                    t = B[j, k + 2] if flip_second else B[k + 2, j]
                    v = B[j, k + 3] if flip_second else B[k + 3, j]
                    for c in range(total.size):
                        total[c] += a[c] * b[c] + p[c] * q[c] + s[c] * t[c] + u[c] * v[c]

    depth, inputs, batch = sides.size - 1, sides[0], target.shape[2]
    column = inputs * batch
    here = sides[1] * column
    A, done = y[:here].reshape(sides[1], inputs, batch), 0
    for layer in range(1, depth):
        m, n = sides[layer + 1], sides[layer]
        W = y[here : here + m * n * batch].reshape(m, n, batch)
        product = prefixes[done : done + m * column].reshape(m, inputs, batch)
        multiply(W, A, product, False, False)
        A, here, done = product, here + m * n * batch, done + m * column
    now = 0
    D = slopes[now, : sides[depth] * column].reshape(sides[depth], inputs, batch)
    for i in range(sides[depth]):
        for j in range(inputs):
            for c in range(batch):
                D[i, j, c] = scale * (target[i, j, c] - A[i, j, c])
    done -= sides[depth] * column
    for layer in range(depth - 1, 0, -1):
        m, n = sides[layer + 1], sides[layer]
        here -= m * n * batch
        done -= n * column
        if layer > 1:
            A = prefixes[done : done + n * column].reshape(n, inputs, batch)
            now = 1 - now
            carried = slopes[now, : n * column].reshape(n, inputs, batch)
        else:
            A = y[: n * column].reshape(n, inputs, batch)
            carried = out[: n * column].reshape(n, inputs, batch)
        multiply(D, A, out[here : here + m * n * batch].reshape(m, n, batch), False, True)
        multiply(y[here : here + m * n * batch].reshape(m, n, batch), D, carried, True, False)
        D = carried
