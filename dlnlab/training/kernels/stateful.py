"""Steps of any objective by any method, whose state goes with the weights."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from dlnlab.methods import Method
from dlnlab.numerics import arrays, threads
from dlnlab.numerics.arrays import Array
from dlnlab.training.kernels.protocol import Calls, Slots, Stepper

__all__ = ["BLOCK", "WORTH_SHARING", "Gradients", "Stateful", "zeros"]

BLOCK = 2**15
"""Entries that a method works through at a time: with what it keeps of them they stay in a core's
cache, where the dozen passes that Adam makes over them cost little."""

WORTH_SHARING = 2**18
"""Entries from which on threads share them."""

Gradients = Callable[[Sequence[Array], int], Sequence[Array]]
"""The gradients at some weights, new arrays, at the k-th step, k = 0, 1, …"""


class Stateful(Stepper):
    """Steps by a method with a state.

    Parameters
    ----------
    gradients : callable
        See `Gradients`; that is all that is known of the objective.
    weights : sequence of arrays
        Where the run is; not changed.
    rates : sequence of floats or arrays
        A step size for each array of weights, which broadcasts against it.
    decay : float, array or None
        μ; the gradient is then that of ℓ + (μ/2) Σ ‖W‖².
    method : Method
    slots : tuple of tuples of arrays
        For each name in `method.slots` an array for each of the weights; not changed.
    step : int
        Steps taken before.
    factor : callable, optional
        Takes k and returns the factor on all step sizes.
    """

    def __init__(
        self,
        gradients: Gradients,
        weights: Sequence[Array],
        rates: Sequence[Any],
        decay: Any,
        method: Method,
        slots: Slots,
        step: int,
        factor: Callable[[int], float] | None = None,
    ) -> None:
        self._gradients, self._method, self._step = gradients, method, step
        self._weights = [_copy(W) for W in weights]
        self._slots = tuple([_copy(part) for part in slot] for slot in slots)
        self._rates, self._decay, self._factor = list(rates), decay, factor

    def advance(self, count: int) -> None:
        for _ in range(count):
            gradients = self._gradients(self._weights, self._step)
            factor = 1.0 if self._factor is None else self._factor(self._step)
            self._step += 1
            for k, (W, G) in enumerate(zip(self._weights, gradients, strict=True)):
                self._move(W, G, [slot[k] for slot in self._slots], self._rates[k] * factor)

    def _move(self, W: Array, G: Array, slots: list[Array], rate: Any) -> None:
        move = functools.partial(self._shift, rate=rate)
        together = arrays.is_array(rate) or arrays.is_array(self._decay)  # numbers of members
        if together or not arrays.is_host(W) or W.size <= BLOCK:
            move((W, G, *slots))
            return
        G = np.ascontiguousarray(G)
        flat = [part.reshape(-1) for part in (W, G, *slots)]
        blocks = [
            tuple(part[first : first + BLOCK] for part in flat) for first in range(0, W.size, BLOCK)
        ]
        if W.size < WORTH_SHARING:
            for block in blocks:
                move(block)
        else:
            threads.share(move, blocks)

    def _shift(self, parts: Sequence[Array], rate: Any) -> None:
        W, G, *slots = parts
        with np.errstate(over="ignore", invalid="ignore"):  # it is per thread
            if self._decay is not None:
                G += self._decay * W
            self._method.move(self._step, W, G, slots, rate)

    def weights(self) -> tuple[Array, ...]:
        return tuple(_copy(W) for W in self._weights)

    def slots(self) -> Slots:
        return tuple(tuple(_copy(part) for part in slot) for slot in self._slots)

    def freeze(self, done: np.ndarray) -> None:
        if not done.any():
            return
        moving = arrays.like((~done)[..., None, None], self._weights[0])
        self._rates = [rate * moving for rate in self._rates]

    def calls(self) -> tuple[Calls, int]:
        return [], 0


def _copy(W: Array) -> Array:
    """Return a copy, in C order and with all entries of what was broadcast."""
    if arrays.is_host(W):
        return np.array(W, order="C")
    return arrays.namespace(W).asarray(W, copy=True)


def zeros(method: Method, weights: Sequence[Array]) -> Slots:
    """Return what a method keeps before its first step.

    Parameters
    ----------
    method : Method
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})

    Returns
    -------
    tuple of tuples of arrays
    """
    return tuple(tuple(arrays.namespace(W).zeros_like(W) for W in weights) for _ in method.slots)
