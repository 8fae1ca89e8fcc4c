"""How the steps of gradient descent are taken, with the arrays that are there.

With prefix products A_1 = W_1, A_l = W_l A_{l−1}, and D_L = ∇ℓ(A_L), D_{l−1} = W_lᵀ D_l, the
gradient of layer l is D_l A_{l−1}ᵀ, and that of the first one is D_1.  Going from the last layer to
the first, only D_{l−1} still needs W_l: once it is known W_l may be overwritten,

    W_l ← (1 − η_l μ) W_l − η_l D_l A_{l−1}ᵀ,

which is one call of BLAS's GEMM.  So a step of networks on the host is a fixed list of calls on
fixed arrays (`InPlace`).  Where all layers are diagonal, as from a spectral start in the target's
singular vectors, so is every product, and the calls are those for vectors (`Diagonal`); where they
are diag(B_l, ρ_l), as in the reduction of a wide network, B and ρ are stepped apart (`Bordered`).
Other arrays, and problems that keep the end-to-end matrix in factors, take the same step with a new
array for every product (`Plain`).
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import scipy.linalg

from dlnlab import arrays, networks, threads
from dlnlab.networks import Weights
from dlnlab.problems import Factorization, Problem

__all__ = ["Bordered", "Diagonal", "InPlace", "Plain", "Stepper", "stepper"]

CACHE = 2**21
"""Bytes of weights and products that are stepped together.  Threads hand over to each other at
every call, so that calls must be long; from 1 to 8 MiB, which a third-level cache holds, the time
of a step hardly changed, and at 128 KiB it was two to four times as long."""

WORTH_THREADS = 1e7
"""Flops below which handing work to threads, about 50 µs, costs more than it saves."""

Calls = list[Callable[[], Any]]


class Stepper(Protocol):
    """Weights, and a way to take steps; made from the arguments of `stepper`."""

    def __init__(
        self,
        problem: Problem,
        weights: Weights,
        rates: Sequence[Any],
        decay: Any,
        batch: tuple[int, ...],
    ) -> None: ...

    def advance(self, count: int) -> None:
        """Take `count` steps; if this is interrupted the weights are not to be used."""

    def weights(self) -> Weights:
        """Return the weights, which later steps do not change."""

    def freeze(self, done: np.ndarray) -> None:
        """Leave the members of the batch that are done where they are."""

    def calls(self) -> tuple[Calls, int]:
        """Return the calls that one step of some members consists of, and how many members.

        None if it is not made of calls on fixed arrays.
        """


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


class Plain:
    """Steps of any arrays, by the functions of `dlnlab.networks`."""

    def __init__(
        self,
        problem: Problem,
        weights: Weights,
        rates: Sequence[Any],
        decay: Any,
        batch: tuple[int, ...],
    ) -> None:
        self._problem, self._weights = problem, weights
        self._rates, self._shrinks = list(rates), _shrinks(rates, decay)

    def weights(self) -> Weights:
        return self._weights

    def advance(self, count: int) -> None:
        for _ in range(count):
            prefixes, W = networks.forward(self._problem, self._weights)
            gradient = self._problem.gradient(W)
            self._weights = self._descend(networks.backward(self._weights, prefixes, gradient))

    def _descend(self, gradients: Weights) -> Weights:
        moves = [rate * g for rate, g in zip(self._rates, gradients, strict=True)]
        kept = self._weights
        if self._shrinks is not None:
            kept = tuple(shrink * W for shrink, W in zip(self._shrinks, kept, strict=True))
        return tuple(W - move for W, move in zip(kept, moves, strict=True))

    def calls(self) -> tuple[Calls, int]:
        return [], 0

    def freeze(self, done: np.ndarray) -> None:
        moving = arrays.like((~done)[..., None, None], self._weights[0])
        self._rates = [rate * moving for rate in self._rates]
        if self._shrinks is not None:
            self._shrinks = [1.0 - (1.0 - shrink) * moving for shrink in self._shrinks]


class InPlace:
    """Steps of networks on the host, each a list of calls that write to the same arrays.

    A single network is stepped by BLAS.  A batch is cut into groups that stay in the processor's
    cache over all the steps asked for, and the groups are shared between threads.
    """

    def __init__(
        self,
        problem: Problem,
        weights: Weights,
        rates: Sequence[Any],
        decay: Any,
        batch: tuple[int, ...],
    ) -> None:
        self._batch, self._members = batch, int(np.prod(batch))
        self._weights = [np.array(W, order="C") for W in weights]
        self._flops = networks.step_flops(weights)
        self._pieces: list[tuple[slice, Calls]]
        self._ways = 1
        if batch:
            self._cut(problem, rates, decay)
        else:
            scale = 1.0 if problem.entrywise() is None else problem.scale
            shrinks = _shrinks(rates, decay) or [1.0] * len(weights)
            arithmetic = _Blas([rate * scale for rate in rates], shrinks, weights[0].dtype)
            calls = _step(self._weights, _Scratch(self._weights), _Residual(problem), arithmetic)
            self._pieces = [(slice(0, 1), calls)]

    def _cut(self, problem: Problem, rates: Sequence[Any], decay: Any) -> None:
        """Cut a batch into groups, each with its calls; the groups of a thread share scratch."""
        flat = [W.reshape(self._members, *W.shape[-2:]) for W in self._weights]
        width = max(max(W.shape[-2:]) for W in flat)
        self._ways = threads.available() if threads.shared(width, self._members) else 1
        self._steps = _columns([rate * problem.matrix_scale for rate in rates], self._batch)
        shrinks = _shrinks(rates, decay)
        self._shrinks = None if shrinks is None else _columns(shrinks, self._batch)
        bytes_each = 2 * sum(W[0].nbytes for W in flat) + _Scratch.nbytes(flat)
        size = int(max(1, min(CACHE // bytes_each, -(-self._members // self._ways))))
        slots = [_Scratch([W[:size] for W in flat]) for _ in range(self._ways)]
        self._pieces = []
        for number, start in enumerate(range(0, self._members, size)):
            part = slice(start, min(start + size, self._members))
            arithmetic = _Ufuncs(
                [step[part] for step in self._steps],
                None if self._shrinks is None else [shrink[part] for shrink in self._shrinks],
            )
            scratch = slots[number % len(slots)].cut(part.stop - part.start)
            residual = _Residual(problem, part)
            calls = _step([W[part] for W in flat], scratch, residual, arithmetic)
            self._pieces.append((part, calls))

    def weights(self) -> Weights:
        return tuple(W.copy() for W in self._weights)

    def advance(self, count: int) -> None:
        lists = [calls for _, calls in self._pieces]
        if self._ways == 1 or count * self._flops * self._members < WORTH_THREADS:
            _repeat(lists, count)
            return
        shares = [lists[k :: self._ways] for k in range(self._ways)]
        threads.share(lambda share: _repeat(share, count), shares)

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


class Bordered:
    """Steps of layers diag(B_l, ρ_l): of the blocks by BLAS, of the scalars beside them.

    A block of one row less is faster by more than the scalars take: products of 20 × 20 matrices
    take four fifths of the time of those of 21 × 21.  With ρ = a in the outer layers and b in the
    inner ones, the recursion is that of `Diagonal`, in Python's numbers.
    """

    def __init__(
        self,
        problem: Problem,
        weights: Weights,
        rates: Sequence[Any],
        decay: Any,
        batch: tuple[int, ...],
    ) -> None:
        entries = problem.entrywise()
        assert entries is not None
        target = entries[1]
        block = Factorization(np.ascontiguousarray(target[:-1, :-1]), "sum")
        block.scale = problem.scale
        inner = tuple(W[:-1, :-1] for W in weights)
        self._block = InPlace(block, inner, rates, decay, batch)
        depth, shrinks = len(weights), _shrinks(rates, decay) or [1.0] * len(weights)
        self._depth, self._dtype, self._target = depth, weights[0].dtype, float(target[-1, -1])
        self._outer, self._inner = float(weights[0][-1, -1]), 1.0
        self._steps, self._kept = (rates[0] * problem.scale, 0.0), (shrinks[0], 1.0)
        if depth > 2:
            self._inner = float(weights[1][-1, -1])
            self._steps = (self._steps[0], rates[1] * problem.scale)
            self._kept = (shrinks[0], shrinks[1])
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


class Diagonal:
    """Steps of diagonal layers: a in the outer ones and b in the inner ones, up to signs.

    With E = a² b^{L−2} − t this is Theorem 1's recursion with a step size for each kind,

        a ← (1 − η_a μ) a − η_a c E a b^{L−2},   b ← (1 − η_b μ) b − η_b c E a² b^{L−3},

    entry by entry: both stay equal in all the layers of their kind.  The signs do not change, since
    they belong to the bases; t is the diagonal of the target times the signs of all layers.
    """

    def __init__(
        self,
        problem: Problem,
        weights: Weights,
        rates: Sequence[Any],
        decay: Any,
        batch: tuple[int, ...],
    ) -> None:
        self._shapes, self._depth = [W.shape for W in weights], len(weights)
        diagonals = np.stack([np.diagonal(W) for W in weights])
        self._signs = np.where(diagonals < 0, -1.0, 1.0)
        count = diagonals.shape[1]
        entries = problem.entrywise()
        assert entries is not None
        target = np.diagonal(entries[1])[:count] * np.prod(self._signs, axis=0)
        kinds = min(self._depth - 1, 2)  # without inner layers there is one kind
        dtype = weights[0].dtype
        self._values = np.abs(diagonals[:kinds])
        shrinks = _shrinks(rates, decay)
        # of the shape of the values, since arrays that have to be broadcast take thrice as long
        steps, shrink = (
            None if x is None else np.multiply.outer(x[:kinds], np.ones(count)).astype(dtype)
            for x in ([rate * problem.scale for rate in rates], shrinks)
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
        _repeat([self._calls], count)

    def calls(self) -> tuple[Calls, int]:
        return self._calls, 1

    def freeze(self, done: np.ndarray) -> None:
        if done.all():
            self._calls = []


def _repeat(lists: list[Calls], count: int) -> None:
    """Make all calls of each list `count` times."""
    with np.errstate(over="ignore", invalid="ignore"):  # it is per thread
        for calls in lists:
            for _ in range(count):
                for call in calls:
                    call()


def _shrinks(rates: Sequence[Any], decay: Any) -> list[Any] | None:
    """Return 1 − η_l μ for every layer, None without weight decay: it then costs nothing."""
    return None if decay is None else [1.0 - rate * decay for rate in rates]


def _columns(values: Sequence[Any], batch: tuple[int, ...]) -> list[np.ndarray]:
    """Numbers, or arrays of shape (..., 1, 1), as arrays of shape (members, 1, 1)."""
    return [np.broadcast_to(x, (*batch, 1, 1)).reshape(-1, 1, 1).copy() for x in values]


class _Scratch:
    """Arrays for the prefix products A_2, …, A_L, for D_1, …, D_{L−1}, and for gradients."""

    def __init__(self, weights: Sequence[np.ndarray]) -> None:
        dtype = weights[0].dtype
        self.prefixes, self.carried, self.gradients = (
            [np.empty(shape, dtype) for shape in shapes] for shapes in self._shapes(weights)
        )

    @staticmethod
    def _shapes(weights: Sequence[np.ndarray]) -> tuple[list[Any], list[Any], list[Any]]:
        *_, columns = weights[0].shape
        images = [(*W.shape[:-1], columns) for W in weights]
        stacked = weights[0].ndim > 2
        return images[1:], images[:-1], [W.shape for W in weights[1:]] if stacked else []

    @classmethod
    def nbytes(cls, weights: Sequence[np.ndarray]) -> int:
        """Bytes for one member of a batch."""
        shapes = [shape[1:] for kind in cls._shapes(weights) for shape in kind]
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


class _Blas:
    """Products and steps of single matrices, by BLAS.

    It takes matrices column by column, which are the transposes of NumPy's.  Arguments are passed
    by position, since by name they take as long as a product of 10 × 10 matrices.
    """

    def __init__(self, steps: Sequence[float], shrinks: Sequence[float], dtype: Any) -> None:
        names = ("gemm", "axpy", "scal")
        self._gemm, self._axpy, self._scal = scipy.linalg.get_blas_funcs(names, dtype=dtype)
        self._steps, self._shrinks = steps, shrinks

    def product(self, A: np.ndarray, B: np.ndarray, out: np.ndarray, flip: bool = False) -> Calls:
        """Calls for `out` = A B, or Aᵀ B: its transpose is Bᵀ Aᵀ, or Bᵀ A."""
        return [functools.partial(self._gemm, 1.0, B.T, A.T, 0.0, out.T, 0, int(flip), 1)]

    def descend(self, layer: int, W: np.ndarray, D: np.ndarray, A: np.ndarray, _: Any) -> Calls:
        """Calls for W ← (1 − ημ) W − η D Aᵀ: its transpose loses η A Dᵀ."""
        rate, shrink = self._steps[layer], self._shrinks[layer]
        return [functools.partial(self._gemm, -rate, A.T, D.T, shrink, W.T, 1, 0, 1)]

    def shift(self, W: np.ndarray, D: np.ndarray) -> Calls:
        """Calls for W_1 ← (1 − ημ) W_1 − η D_1."""
        w, g, rate, shrink = W.reshape(-1), D.reshape(-1), self._steps[0], self._shrinks[0]
        decays = [] if shrink == 1 else [functools.partial(self._scal, shrink, w)]
        return [*decays, functools.partial(self._axpy, g, w, w.size, -rate)]


class _Ufuncs:
    """Products and steps of stacks of matrices, by NumPy, which lets other threads run."""

    def __init__(self, steps: Sequence[np.ndarray], shrinks: Sequence[np.ndarray] | None) -> None:
        self._steps, self._shrinks = steps, shrinks

    def product(self, A: np.ndarray, B: np.ndarray, out: np.ndarray, flip: bool = False) -> Calls:
        """Calls for `out` = A B, or Aᵀ B."""
        return [functools.partial(np.matmul, A.mT if flip else A, B, out)]

    def descend(
        self, layer: int, W: np.ndarray, D: np.ndarray, A: np.ndarray, gradient: np.ndarray
    ) -> Calls:
        """Calls for W ← (1 − ημ) W − η D Aᵀ."""
        return [functools.partial(np.matmul, D, A.mT, gradient), *self._move(layer, W, gradient)]

    def shift(self, W: np.ndarray, D: np.ndarray) -> Calls:
        """Calls for W_1 ← (1 − ημ) W_1 − η D_1."""
        return self._move(0, W, D)

    def _move(self, layer: int, W: np.ndarray, gradient: np.ndarray) -> Calls:
        calls: Calls = [functools.partial(np.multiply, gradient, self._steps[layer], gradient)]
        if self._shrinks is not None:
            calls.append(functools.partial(np.multiply, W, self._shrinks[layer], W))
        return [*calls, functools.partial(np.subtract, W, gradient, W)]


def _step(
    weights: Sequence[np.ndarray],
    scratch: _Scratch,
    residual: _Residual,
    arithmetic: _Blas | _Ufuncs,
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
