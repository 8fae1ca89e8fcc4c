"""What a comparison keeps of the original network's states: its matrices, and numbers about them.

States come one by one from an integration and are measured in small stacks, since a stack costs
hardly more calls than a state does, and all states at once would be L times as many numbers as
their end-to-end matrices, and more for what is computed on the way.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dlnlab import networks, spectra
from dlnlab.claims import proposition1
from dlnlab.flow.integrate import default_atol
from dlnlab.networks import Weights
from dlnlab.problems import Problem

__all__ = ["Records", "Stacks"]

STACK = 2**20
"""Bytes of the arrays that are stacked at a time."""


class Stacks:
    """Hands on what it is given in stacks of about `STACK` bytes.

    Parameters
    ----------
    use : callable
        Is given one stacked array for each of the arrays that `add` is given.
    """

    def __init__(self, use: Callable[..., None]) -> None:
        self.use = use
        self._waiting: list[tuple[np.ndarray, ...]] = []

    def add(self, *parts: np.ndarray) -> None:
        """Take arrays of the same shapes every time."""
        self._waiting.append(parts)
        if len(self._waiting) * sum(part.nbytes for part in parts) >= STACK:
            self.flush()

    def flush(self) -> None:
        """Hand on what is left."""
        if self._waiting:
            self.use(*(np.stack(column) for column in zip(*self._waiting, strict=True)))
        self._waiting = []


class Records:
    """The records of an original network's flow.

    Parameters
    ----------
    problem : Problem
        In whose coordinates the network is integrated.
    start : tuple of L arrays, shapes (d_l, d_{l−1})
        Its layers at t = 0.
    rtol : float
        Of the integration.
    speed : float
        c·σ_1*, as in `dlnlab.claims.proposition1.margins`.
    count : int
        How many records there will be.

    Attributes
    ----------
    blocks : array, shape (count, d_L, d_0)
        End-to-end matrices.
    """

    def __init__(
        self, problem: Problem, start: Weights, rtol: float, speed: float, count: int
    ) -> None:
        self.problem, self.start, self.rtol, self.speed = problem, start, rtol, speed
        self.atol = default_atol(rtol, start)
        self.blocks = np.empty((count, *problem.shape))
        self._done = 0
        self._numbers: list[dict[str, np.ndarray]] = []

    def measure(self, *layers: np.ndarray) -> None:
        """Take the next states, layers of shapes (states, d_l, d_{l−1})."""
        blocks, problem = networks.prefix_products(layers)[-1], self.problem
        self.blocks[self._done : self._done + len(blocks)] = blocks
        self._done += len(blocks)
        vectors = spectra.alignments(blocks, problem.target_svd)
        since_start = [np.stack([W, *states]) for W, states in zip(self.start, layers, strict=True)]
        numbers = {
            "losses": problem.loss(blocks),
            "errors": problem.error(blocks),
            "singular_values": problem.singular_values(blocks),
            "left_alignments": vectors.left,
            "right_alignments": vectors.right,
            "rate_margins": proposition1.margins(layers, problem.gradient(blocks), self.speed),
            "rate_errors": proposition1.numerical_error(since_start)[1:],
            "local_errors": self._local_error(layers),
        }
        self._numbers.append(numbers)

    def _local_error(self, layers: Weights) -> np.ndarray:
        """Error of W_{L:1} if every layer is off by the tolerance of one step, to first order:

        Σ_l (rtol ‖W_l‖_F + atol √size) ∏_{k≠l} ‖W_k‖₂.
        """
        norms = np.stack([np.linalg.norm(W, 2, axis=(-2, -1)) for W in layers])
        total = np.zeros(norms.shape[1])
        for layer, W in enumerate(layers):
            own = self.rtol * np.linalg.norm(W, axis=(-2, -1)) + self.atol * W[0].size ** 0.5
            total += own * np.prod(np.delete(norms, layer, axis=0), axis=0)
        return total

    def __getitem__(self, name: str) -> np.ndarray:
        """Return what was measured under a name, for all records."""
        return np.concatenate([numbers[name] for numbers in self._numbers])
