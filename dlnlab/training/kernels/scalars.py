"""Steps of networks that are scalar ones, or have one beside them."""

from __future__ import annotations

import functools
import math
from dataclasses import replace
from typing import Any

import numpy as np

from dlnlab.networks import Weights
from dlnlab.problems import Factorization
from dlnlab.training.kernels.in_place import InPlace
from dlnlab.training.kernels.protocol import Calls, Run, Stepper, repeat

__all__ = ["Bordered", "Diagonal"]


def _target(run: Run) -> np.ndarray:
    """Return the target of a run that `choice` has found to be entrywise."""
    entries = run.problem.entrywise()
    assert entries is not None
    return entries[1]


class Bordered(Stepper):
    """Steps of layers diag(B_l, ρ_l): of the blocks by BLAS, of the scalars beside them.

    A block of one row less is faster by more than the scalars take: products of 20 × 20 matrices
    take four fifths of the time of those of 21 × 21.  With ρ = a in the outer layers and b in the
    inner ones, the recursion is that of `Diagonal`, in Python's numbers.

    Parameters
    ----------
    run : Run
    """

    def __init__(self, run: Run) -> None:
        target, weights, scale = _target(run), run.weights, run.problem.scale
        block = Factorization(np.ascontiguousarray(target[:-1, :-1]), "sum")
        block.scale = scale
        inner = tuple(W[:-1, :-1] for W in weights)
        self._block = InPlace(replace(run, problem=block, weights=inner))
        depth, steps = len(weights), run.scaled(scale)
        shrinks = run.shrinks or [1.0] * depth
        self._depth, self._dtype, self._target = depth, weights[0].dtype, float(target[-1, -1])
        self._outer, self._inner = float(weights[0][-1, -1]), 1.0
        self._steps, self._kept = (steps[0], 0.0), (shrinks[0], 1.0)
        if depth > 2:
            self._inner = float(weights[1][-1, -1])
            self._steps, self._kept = (steps[0], steps[1]), (shrinks[0], shrinks[1])
        self._calls, _ = self._block.calls()
        self._calls.append(self._corner)

    def _corner(self) -> None:
        """Step the scalars; for L = 2 there is no b, and it stays 1."""
        a, b = self._outer, self._inner
        power = 1.0 if self._depth <= 3 else math.prod([b] * (self._depth - 3))  # b^{L−3}
        slope = a * power
        gap = a * slope * b - self._target
        (step_a, step_b), (kept_a, kept_b) = self._steps, self._kept
        self._outer = kept_a * a - step_a * gap * slope * b
        self._inner = kept_b * b - step_b * gap * a * slope

    def weights(self) -> Weights:
        layers = []
        for layer, block in enumerate(self._block.weights()):
            W = np.zeros((block.shape[0] + 1, block.shape[1] + 1), self._dtype)
            W[:-1, :-1] = block
            W[-1, -1] = self._inner if 0 < layer < self._depth - 1 else self._outer
            layers.append(W)
        return tuple(layers)

    def advance(self, count: int) -> None:
        self._block.advance(count)

    def calls(self) -> tuple[Calls, int]:
        return self._calls, 1

    def freeze(self, done: np.ndarray) -> None:
        self._block.freeze(done)


class Diagonal(Stepper):
    """Steps of diagonal layers: a in the outer ones and b in the inner ones, up to signs.

    With E = a² b^{L−2} − t this is Theorem 1's recursion with a step size for each kind,

        a ← (1 − η_a μ) a − η_a c E a b^{L−2},   b ← (1 − η_b μ) b − η_b c E a² b^{L−3},

    entry by entry: both stay equal in all the layers of their kind.  The signs do not change, since
    they belong to the bases; t is the diagonal of the target times the signs of all layers.

    Parameters
    ----------
    run : Run
    """

    def __init__(self, run: Run) -> None:
        weights = run.weights
        self._shapes, self._depth = [W.shape for W in weights], len(weights)
        diagonals = np.stack([np.diagonal(W) for W in weights])
        self._signs = np.where(diagonals < 0, -1.0, 1.0)
        count = diagonals.shape[1]
        target = np.diagonal(_target(run))[:count] * np.prod(self._signs, axis=0)
        kinds = min(self._depth - 1, 2)  # without inner layers there is one kind
        dtype = weights[0].dtype
        self._values = np.abs(diagonals[:kinds])
        # of the shape of the values, since arrays that have to be broadcast take thrice as long
        steps, shrink = (
            None if x is None else np.multiply.outer(x[:kinds], np.ones(count)).astype(dtype)
            for x in (run.scaled(run.problem.scale), run.shrinks)
        )
        self._calls = self._step(target.astype(dtype), steps, shrink)

    def _step(self, t: np.ndarray, steps: Any, shrink: Any) -> Calls:
        """Return the calls of one step: `slopes` are a b^{L−2} and a² b^{L−3}, or a if L = 2."""
        values, call = self._values, functools.partial
        a, b, gap = values[0], values[-1], np.empty_like(t)
        slopes = np.empty_like(values)
        calls: Calls = [call(np.copyto, slopes, values)]
        if self._depth > 2:
            calls = [call(np.multiply, a, x, s) for x, s in zip((b, a), slopes, strict=True)]
        for s in slopes:
            calls += [call(np.multiply, s, b, s)] * (self._depth - 3)
        calls += [call(np.multiply, a, slopes[0], gap), call(np.subtract, gap, t, gap)]
        calls += [call(np.multiply, s, gap, s) for s in slopes]
        calls.append(call(np.multiply, slopes, steps, slopes))
        if shrink is not None:
            calls.append(call(np.multiply, values, shrink, values))
        return [*calls, call(np.subtract, values, slopes, values)]

    def weights(self) -> Weights:
        layers = []
        for layer, (shape, signs) in enumerate(zip(self._shapes, self._signs, strict=True)):
            W = np.zeros(shape, self._values.dtype)
            inner = 0 < layer < self._depth - 1
            np.fill_diagonal(W, signs * self._values[-1 if inner else 0])
            layers.append(W)
        return tuple(layers)

    def advance(self, count: int) -> None:
        repeat([self._calls], count)

    def calls(self) -> tuple[Calls, int]:
        return self._calls, 1

    def freeze(self, done: np.ndarray) -> None:
        if done.all():
            self._calls = []
