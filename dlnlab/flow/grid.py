"""The records of a run at which a comparison looks, chosen without keeping the states of all.

Which of its records a comparison keeps depends on the whole run: on how far the network travels in
it, and how long it takes.  With r modes there are some 300 r records of L (2r + 1)² numbers each,
so keeping them all takes memory that grows as r³.  A survey notes only how far the network moves
from record to record, and keeps the latest states, as many as there is room for.  A state from
before these has to be found again, by taking the steps up to it once more.  That is the part of the
run worth repeating: while modes are learned there are many records to a step, later there is one.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from dlnlab.flow.compressed import CompressedFlow
from dlnlab.networks import Weights

__all__ = ["Survey", "even_records"]

ROOM = 2**28
"""Bytes of the states that a survey keeps, 256 MiB: for L = 3 all states of a run up to r = 20 or
so, and at r = 32 those of the last two thirds of its steps."""


class Survey:
    """Watches a run: how far it moves, and its latest states.

    To be passed to `gradient_flow` as `observe`.

    Attributes
    ----------
    way : list of float
        ‖W_{L:1}(t_k) − W_{L:1}(t_{k−1})‖_F for every record k but the first.
    forgotten : int
        How many states are no longer kept, the first ones.
    """

    def __init__(self) -> None:
        self.way: list[float] = []
        self.forgotten = 0
        self._latest: deque[Weights] = deque()
        self._W: np.ndarray | None = None

    def __call__(self, t: float, weights: Weights, W: np.ndarray) -> None:
        if self._W is not None:
            self.way.append(float(np.linalg.norm(W - self._W)))
        self._W = W
        self._latest.append(weights)
        full = len(self._latest) * sum(layer.nbytes for layer in weights) > ROOM
        if full and len(self._latest) > 1:
            self._latest.popleft()
            self.forgotten += 1

    def state(self, record: int) -> Weights:
        """Return the weights at a record that is not forgotten."""
        return self._latest[record - self.forgotten]


def even_records(times: np.ndarray, way: np.ndarray, law: CompressedFlow, count: int) -> np.ndarray:
    """Choose about `count` records between which both networks travel about as far.

    Parameters
    ----------
    times : array, shape (records,)
        Of the run of the original network.
    way : array, shape (records − 1,)
        How far its end-to-end matrix moves between them.
    law : CompressedFlow
    count : int

    Returns
    -------
    array of int
        Increasing, the first and the last record among them.
    """
    thin = np.unique(np.linspace(0, times.size - 1, count).astype(int))
    law_way = np.linalg.norm(np.diff(law.at(times[thin]).modes, axis=0), axis=-1)
    law_progress = np.interp(times, times[thin], _progress(law_way))
    measure = _progress(way) + law_progress + times / max(float(times[-1]), 1e-300)
    marks = np.searchsorted(measure, np.linspace(0, measure[-1], count))
    last = times.size - 1
    return np.unique(np.concatenate([[0], np.minimum(marks, last), [last]]))


def _progress(steps: np.ndarray) -> np.ndarray:
    """Cumulative share of the way, from 0 to 1."""
    total = max(float(np.sum(steps)), float(np.finfo(float).tiny))
    return np.concatenate([[0.0], np.cumsum(steps) / total])
