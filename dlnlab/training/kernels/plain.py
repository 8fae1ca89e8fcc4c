"""Steps of any arrays, with a new array for every product."""

from __future__ import annotations

import numpy as np

from dlnlab import networks
from dlnlab.networks import Weights
from dlnlab.numerics import arrays
from dlnlab.training.kernels.protocol import Calls, Run, Stepper

__all__ = ["Plain"]


class Plain(Stepper):
    """Steps of any arrays, by the functions of `dlnlab.networks`.

    Parameters
    ----------
    run : Run
    """

    def __init__(self, run: Run) -> None:
        self._problem, self._weights = run.problem, run.weights
        self._rates, self._shrinks = run.rates, run.shrinks

    def weights(self) -> Weights:
        return self._weights

    def advance(self, count: int) -> None:
        for _ in range(count):
            self._weights = self._descended(networks.gradients(self._problem, self._weights))

    def _descended(self, gradients: Weights) -> Weights:
        shrinks = self._shrinks or [None] * len(gradients)
        layers = zip(self._weights, gradients, self._rates, shrinks, strict=True)
        return tuple(
            (W if shrink is None else shrink * W) - rate * gradient
            for W, gradient, rate, shrink in layers
        )

    def calls(self) -> tuple[Calls, int]:
        return [], 0

    def freeze(self, done: np.ndarray) -> None:
        moving = arrays.like((~done)[..., None, None], self._weights[0])
        self._rates = [rate * moving for rate in self._rates]
        if self._shrinks is not None:
            self._shrinks = [1.0 - (1.0 - shrink) * moving for shrink in self._shrinks]
