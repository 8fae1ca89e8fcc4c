"""Steps of any arrays, with a new array for every product."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlnlab import arrays, networks
from dlnlab.networks import Weights
from dlnlab.problems import Problem
from dlnlab.steppers.protocol import Calls, shrinkage

__all__ = ["Plain"]


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
        self._rates, self._shrinks = list(rates), shrinkage(rates, decay)

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
