"""Steps of networks on the host, each a list of calls that write to the same arrays."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.networks import Weights
from dlnlab.numerics import threads
from dlnlab.problems import Problem
from dlnlab.training.kernels.arithmetic import Blas, Ufuncs
from dlnlab.training.kernels.protocol import Calls, Run, Stepper, repeat

__all__ = ["CACHE", "WORTH_THREADS", "InPlace", "scratch_bytes"]

CACHE = 2**21
"""Bytes of weights and products that are stepped together.  Threads hand over to each other at
every call, so that calls must be long; from 1 to 8 MiB, which a third-level cache holds, the time
of a step hardly changed, and at 128 KiB it was two to four times as long."""

WORTH_THREADS = 1e7
"""Flops below which handing work to threads, about 50 µs, costs more than it saves."""


class InPlace(Stepper):
    """Steps of networks on the host, each a list of calls that write to the same arrays.

    A single network is stepped by BLAS.  A batch is cut into groups that stay in the processor's
    cache over all the steps asked for, and the groups are shared between threads.

    Parameters
    ----------
    run : Run
    """

    def __init__(self, run: Run) -> None:
        self._batch, self._members = run.batch, int(np.prod(run.batch))
        self._weights = [np.array(W, order="C") for W in run.weights]
        self._flops = networks.step_flops(run.weights)
        self._pieces: list[tuple[slice, Calls]]
        self._ways = 1
        if run.batch:
            self._cut(run)
        else:
            problem, W = run.problem, self._weights
            scale = 1.0 if problem.entrywise() is None else problem.scale
            arithmetic = Blas(run.scaled(scale), run.shrinks or [1.0] * len(W), W[0].dtype)
            self._pieces = [(slice(0, 1), _step(W, _Scratch(W), _Residual(problem), arithmetic))]

    def _cut(self, run: Run) -> None:
        """Cut a batch into groups, each with its calls; the groups of a thread share scratch."""
        flat = [W.reshape(self._members, *W.shape[-2:]) for W in self._weights]
        self._ways, size = _grouping(flat, self._members)
        self._steps = _columns(run.scaled(run.problem.matrix_scale), self._batch)
        self._shrinks = None if run.shrinks is None else _columns(run.shrinks, self._batch)
        slots = [_Scratch([W[:size] for W in flat]) for _ in range(self._ways)]
        self._pieces = []
        for number, start in enumerate(range(0, self._members, size)):
            part = slice(start, min(start + size, self._members))
            arithmetic = Ufuncs(
                [step[part] for step in self._steps],
                None if self._shrinks is None else [shrink[part] for shrink in self._shrinks],
            )
            scratch = slots[number % len(slots)].cut(part.stop - part.start)
            residual = _Residual(run.problem, part)
            calls = _step([W[part] for W in flat], scratch, residual, arithmetic)
            self._pieces.append((part, calls))

    def weights(self) -> Weights:
        return tuple(W.copy() for W in self._weights)

    def advance(self, count: int) -> None:
        lists = [calls for _, calls in self._pieces]
        if self._ways == 1 or count * self._flops * self._members < WORTH_THREADS:
            repeat(lists, count)
            return
        shares = [lists[k :: self._ways] for k in range(self._ways)]
        threads.share(lambda share: repeat(share, count), shares)

    def calls(self) -> tuple[Calls, int]:
        part, calls = self._pieces[0]
        return calls, part.stop - part.start

    def freeze(self, done: np.ndarray) -> None:
        done = done.reshape(-1)
        if self._batch:
            for step in self._steps:
                step[done] = 0.0
            for shrink in self._shrinks or ():
                shrink[done] = 1.0
        # a group keeps its place, since the calls of a thread share its scratch
        self._pieces = [(part, [] if done[part].all() else calls) for part, calls in self._pieces]


def _grouping(flat: Sequence[np.ndarray], members: int) -> tuple[int, int]:
    """Return by how many threads a batch is stepped, and how many members together."""
    width = max(max(W.shape[-2:]) for W in flat)
    ways = threads.available() if threads.shared(width, members) else 1
    bytes_each = 2 * sum(W[0].nbytes for W in flat) + _Scratch.nbytes(flat)
    return ways, int(max(1, min(CACHE // bytes_each, -(-members // ways))))


def scratch_bytes(weights: Sequence[np.ndarray], members: int, stacked: bool) -> int:
    """Return the bytes that `InPlace` has beside the weights, for networks of these layers.

    Only the shapes of `weights` matter, without batch axes.

    Parameters
    ----------
    weights : sequence of arrays
    members : int
        How many there are in a batch.
    stacked : bool
        Whether they are steps of a batch.

    Returns
    -------
    int
    """
    if not stacked:
        return sum(int(np.prod(shape)) for kind in _Scratch.shapes(weights) for shape in kind) * (
            weights[0].itemsize
        )
    flat = [W[None, ...] for W in weights]
    ways, size = _grouping(flat, members)
    return ways * size * _Scratch.nbytes(flat)


def _columns(values: Sequence[Any], batch: tuple[int, ...]) -> list[np.ndarray]:
    """Numbers, or arrays of shape (..., 1, 1), as arrays of shape (members, 1, 1)."""
    return [np.broadcast_to(x, (*batch, 1, 1)).reshape(-1, 1, 1).copy() for x in values]


class _Scratch:
    """Arrays for the prefix products A_2, …, A_L, for D_1, …, D_{L−1}, and for gradients."""

    def __init__(self, weights: Sequence[np.ndarray]) -> None:
        dtype = weights[0].dtype
        self.prefixes, self.carried, self.gradients = (
            [np.empty(shape, dtype) for shape in shapes] for shapes in self.shapes(weights)
        )

    @staticmethod
    def shapes(weights: Sequence[np.ndarray]) -> tuple[list[Any], list[Any], list[Any]]:
        *_, columns = weights[0].shape
        images = [(*W.shape[:-1], columns) for W in weights]
        stacked = weights[0].ndim > 2
        return images[1:], images[:-1], [W.shape for W in weights[1:]] if stacked else []

    @classmethod
    def nbytes(cls, weights: Sequence[np.ndarray]) -> int:
        """Bytes for one member of a batch."""
        shapes = [shape[1:] for kind in cls.shapes(weights) for shape in kind]
        return sum(int(np.prod(shape)) for shape in shapes) * weights[0].itemsize

    def cut(self, count: int) -> _Scratch:
        """The same arrays, of so many members."""
        part = object.__new__(_Scratch)
        for name, held in vars(self).items():
            setattr(part, name, [array[:count] for array in held])
        return part


class _Residual:
    """Calls that replace W_{L:1} by ∇ℓ(W_{L:1}), without the factor c where that is entrywise."""

    def __init__(self, problem: Problem, part: slice | None = None) -> None:
        self.problem, self.part = problem, part

    def calls(self, W: np.ndarray) -> Calls:
        data = self.problem.entrywise()
        if data is None:
            return [lambda: np.copyto(W, self.problem.gradient(W))]
        mask, y = (self._own(x) for x in data)
        masked = [] if mask is None else [functools.partial(np.multiply, W, mask, W)]
        return [*masked, functools.partial(np.subtract, W, y, W)]

    def _own(self, data: Any) -> Any:
        """What belongs to the members of a group."""
        if self.part is None or data is None or data.ndim == 2:
            return data
        return data.reshape(-1, *data.shape[-2:])[self.part]


def _step(
    weights: Sequence[np.ndarray],
    scratch: _Scratch,
    residual: _Residual,
    arithmetic: Blas | Ufuncs,
) -> Calls:
    """Return the calls that take one step, as the module's docstring derives it."""
    prefixes = [weights[0], *scratch.prefixes]
    carried = [*scratch.carried, prefixes[-1]]
    gradients: list[Any] = scratch.gradients or [None] * (len(weights) - 1)
    calls: Calls = []
    for layer in range(1, len(weights)):
        calls += arithmetic.product(weights[layer], prefixes[layer - 1], prefixes[layer])
    calls += residual.calls(prefixes[-1])
    for layer in range(len(weights) - 1, 0, -1):
        W, D = weights[layer], carried[layer]
        calls += arithmetic.product(W, D, carried[layer - 1], flip=True)
        calls += arithmetic.descend(layer, W, D, prefixes[layer - 1], gradients[layer - 1])
    return calls + arithmetic.shift(weights[0], carried[0])
