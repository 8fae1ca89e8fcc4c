"""The gradient flow as a system of ordinary differential equations."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np

from dlnlab import networks
from dlnlab.flow import calls, stacked
from dlnlab.networks import Weights
from dlnlab.numerics import decompositions
from dlnlab.problems import Problem

__all__ = ["System"]


class System:
    """The flow as one vector differential equation ẏ = f(y), y all layers side by side.

    Parameters
    ----------
    problem : Problem
    weights : tuple of L arrays, shapes (..., d_l, d_{l−1})
    weight_decay : float
        μ.
    """

    def __init__(self, problem: Problem, weights: Weights, weight_decay: float = 0.0) -> None:
        batch = np.broadcast_shapes(
            np.shape(problem.loss(networks.prefix_products(weights)[-1])), weights[0].shape[:-2]
        )
        self.problem, self.decay = problem, weight_decay
        self.shapes = [(*batch, *W.shape[-2:]) for W in weights]
        self._compiled = stacked.pays(self.shapes)
        largest = stacked.LARGEST if self._compiled else calls.LARGEST_STACKED
        self._stacked = not weight_decay and calls.suits_stack(problem, self.shapes, largest)
        ends = np.cumsum([math.prod(shape) for shape in self.shapes]).tolist()
        parts = [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
        self.places = list(zip(parts, self.shapes, strict=True))
        spread = [np.broadcast_to(W, shape) for W, shape in zip(weights, self.shapes, strict=True)]
        if self._stacked:
            spread = [W.transpose(1, 2, 0) for W in spread]
        self.start = np.concatenate([W.ravel() for W in spread]).astype(float)
        self._by_blas = not weight_decay and calls.suits(problem, self.shapes)

    def unpack(self, y: np.ndarray) -> Weights:
        """Return the layers as views of `y`, which may have leading axes if there is no batch.

        Parameters
        ----------
        y : array, shape (size,)
            All layers, one after the other.

        Returns
        -------
        tuple of L arrays, shapes (..., d_l, d_{l−1})
        """
        if self._stacked:
            return tuple([W.transpose(2, 0, 1) for W in self._apart(y)])
        ahead = y.shape[:-1]
        return tuple([y[..., part].reshape(ahead + shape) for part, shape in self.places])

    def _apart(self, y: np.ndarray) -> Weights:
        """Return the layers as they lie in `y`: those of a stack with its axis last."""
        if not self._stacked:
            return self.unpack(y)
        places = [(part, (*shape[1:], shape[0])) for part, shape in self.places]
        return tuple([y[part].reshape(shape) for part, shape in places])

    def velocity(self, t: float, y: np.ndarray) -> np.ndarray:
        """−∇ℓ − μ W_l for all layers.

        Parameters
        ----------
        t : float
            Flow time.
        y : array, shape (size,)
            All layers, one after the other.

        Returns
        -------
        array, shape (size,)
        """
        out = np.empty_like(y)
        self.slopes(self.unpack(y), self.unpack(out))
        return out

    def slopes(self, weights: Weights, out: Weights) -> None:
        """Write −∇ℓ − μ W_l of all layers into arrays of their shapes.

        Parameters
        ----------
        weights : tuple of L arrays, shapes (..., d_l, d_{l−1})
        out : tuple of L arrays, shapes (..., d_l, d_{l−1})
            Where they are written.
        """
        prefixes = networks.prefix_products(weights)
        downhill = self.problem.gradient(prefixes[-1])
        np.negative(downhill, out=downhill)
        networks.backward(weights, prefixes, downhill, out=out)
        if self.decay:
            for W, slope in zip(weights, out, strict=True):
                slope -= self.decay * W

    def prepared(self, y: np.ndarray, outs: Sequence[np.ndarray]) -> list[list[calls.Call]]:
        """Return, for each of `outs`, calls that write ẏ there for what `y` holds by then.

        Parameters
        ----------
        y : array, shape (size,)
            All layers, one after the other.
        outs : sequence of arrays, shape (size,)

        Returns
        -------
        list of lists of callables
        """
        if self._stacked and self._compiled:
            return stacked.downhill(self.problem, self.shapes, y, outs)
        if self._by_blas or self._stacked:
            return calls.downhill(self.problem, self._apart(y), [self._apart(out) for out in outs])
        weights = self.unpack(y)
        return [[functools.partial(self.slopes, weights, self.unpack(out))] for out in outs]

    def end_to_end(self, y: np.ndarray) -> np.ndarray:
        """Return the end-to-end matrix W_{L:1} of a state.

        Parameters
        ----------
        y : array, shape (size,)
            All layers, one after the other.

        Returns
        -------
        array, shape (*batch, d_out, d_in)
        """
        return networks.prefix_products(self.unpack(y))[-1]

    def loss(self, y: np.ndarray) -> float:
        """ℓ, the largest of a batch.

        Parameters
        ----------
        y : array, shape (size,)
            All layers, one after the other.

        Returns
        -------
        float
        """
        return float(np.max(self.problem.loss(self.end_to_end(y))))

    def stiffness(self, y: np.ndarray) -> float:
        """λ = c‖A‖² Σ_l ∏_{k≠l} ‖W_k‖₂² + μ, the largest over a batch, or a few percent more.

        Parameters
        ----------
        y : array, shape (size,)
            All layers, one after the other.

        Returns
        -------
        float
        """
        layers = self.unpack(y)
        if len({W.shape for W in layers}) == 1:
            norms = decompositions.norm_bounds(np.stack(layers))
        else:
            norms = np.stack([decompositions.norm_bounds(W) for W in layers])
        others = [np.prod(np.delete(norms, layer, axis=0), axis=0) for layer in range(len(norms))]
        largest = float(np.max(np.sum(np.square(others), axis=0)))
        return self.problem.curvature * largest + self.decay
