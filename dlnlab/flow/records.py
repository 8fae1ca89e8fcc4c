"""What a comparison keeps of the original network's states: its matrices, and numbers about them.

They are measured in small stacks, since a stack costs hardly more calls than a state does, and all
at once would take many times the memory for what is computed on the way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlnlab import networks
from dlnlab.claims import proposition1
from dlnlab.flow.integrate import default_atol
from dlnlab.networks import Weights
from dlnlab.numerics import decompositions
from dlnlab.problems import Problem

__all__ = ["STACK", "Records"]

STACK = 2**20
"""Bytes of the arrays that are stacked at a time."""


class Records:
    """The records of an original network's flow.

    Parameters
    ----------
    problem : ReducedFactorization
        In whose coordinates the network is computed, with σ_1* = 1 and c = 1.
    start : tuple of L arrays, shapes (d_l, d_{l−1})
        Its layers at t = 0.
    rtol : float
        Of the integration.

    Attributes
    ----------
    blocks : array, shape (records, d_L, d_0)
        End-to-end matrices.
    """

    def __init__(self, problem: Problem, start: Weights, rtol: float) -> None:
        self.problem, self.start, self.rtol = problem, start, rtol
        self.atol = default_atol(rtol, problem, start)
        self._numbers: dict[str, np.ndarray] = {}
        self.blocks = np.empty((0, *problem.shape))

    def measure_all(self, states: Sequence[Weights]) -> None:
        """Measure states, in small stacks of them.

        Parameters
        ----------
        states : sequence of tuples of L arrays
            Layers, state by state.
        """
        room = max(1, STACK // sum(W.nbytes for W in states[0]))
        parts = [
            self._measure(*(np.stack(layer) for layer in zip(*states[k : k + room], strict=True)))
            for k in range(0, len(states), room)
        ]
        merged = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        self.blocks = merged.pop("blocks")
        self._numbers = merged

    def _measure(self, *layers: np.ndarray) -> dict[str, np.ndarray]:
        """Return numbers about a stack of states, layers of shapes (states, d_l, d_{l−1})."""
        blocks, problem = networks.prefix_products(layers)[-1], self.problem
        parts = decompositions.finite_svd(blocks)
        vectors = decompositions.alignments_of(parts, problem.target_svd)
        since_start = [np.stack([W, *states]) for W, states in zip(self.start, layers, strict=True)]
        gradient, others = problem.gradient(blocks), _norms_of_the_others(layers)
        return {
            "blocks": blocks,
            "losses": problem.loss(blocks),
            "errors": problem.error(blocks),
            "left_alignments": vectors.left,
            "right_alignments": vectors.right,
            "rate_margins": proposition1.margins(layers, gradient, 1.0, parts),
            "rate_errors": proposition1.numerical_error(since_start)[1:],
            "local_errors": self._local_error(layers, others),
            "rounding": _rounding(layers, others),
            "drift": _drift(since_start),
        }

    def cut(self, count: int) -> None:
        """Keep only the first records.

        Parameters
        ----------
        count : int
            How many.
        """
        self.blocks = self.blocks[:count]
        self._numbers = {name: values[:count] for name, values in self._numbers.items()}

    def _local_error(self, layers: Weights, others: np.ndarray) -> np.ndarray:
        """Error of W_{L:1} if every layer is off by the tolerance of one step."""
        return _of_product(
            others,
            [
                self.rtol * np.linalg.norm(W, axis=(-2, -1)) + self.atol * W[0].size ** 0.5
                for W in layers
            ],
        )

    def __getitem__(self, name: str) -> np.ndarray:
        """Return what was measured under a name, for all records."""
        return self._numbers[name]


def _drift(layers: Sequence[np.ndarray]) -> np.ndarray:
    """Change of W_{l+1}ᵀW_{l+1} − W_l W_lᵀ since the first record, relative to ‖W_l‖_F²."""
    gaps = [np.linalg.norm(D - D[:1], axis=(-2, -1)) for D in networks.imbalance(layers)]
    sizes = [np.sum(W**2, axis=(-2, -1)) for W in layers]
    return (np.max(gaps, axis=0) / np.max(sizes, axis=0))[1:]


def _rounding(layers: Weights, others: np.ndarray) -> np.ndarray:
    """What computing W_{L:1} in double precision does to it: four units per layer."""
    unit = 4 * float(np.finfo(float).eps)
    return _of_product(others, [unit * np.linalg.norm(W, axis=(-2, -1)) for W in layers])


def _of_product(others: np.ndarray, errors: Sequence[np.ndarray]) -> np.ndarray:
    """Error of W_{L:1} from those of the layers, to first order: Σ_l δ_l ∏_{k≠l} ‖W_k‖₂."""
    return np.sum(others * np.stack(errors), axis=0)


def _norms_of_the_others(layers: Weights) -> np.ndarray:
    """Bounds of ∏_{k≠l} ‖W_k‖₂ for every l, shape (L, states)."""
    norms = np.stack([decompositions.norm_bounds(W) for W in layers])
    rest = [np.prod(np.delete(norms, layer, axis=0), axis=0) for layer in range(len(norms))]
    return np.stack(rest)
