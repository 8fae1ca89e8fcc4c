"""The records at which a comparison looks, chosen while it runs and without keeping all states.

Which records are worth keeping depends on the whole run: on how far the network travels in it, and
how long it takes.  But totals only grow, so records that are evenly spread by the totals so far
are closer than needed later on.  The candidates are thinned to such a spread whenever there are
too many of them, and at the end once more, to the number asked for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from dlnlab.flow.compressed import CompressedFlow
from dlnlab.networks import Weights

__all__ = ["ROOM", "SPARE", "Candidate", "Candidates"]

ROOM = 2**28
"""Bytes of the states that are kept, 256 MiB: room for 2600 of them at L = 3 and r = 32."""

SPARE = 8
"""Candidates at most, in units of the records asked for; half of them are left by thinning."""


class Candidate(NamedTuple):
    """One state of a run that may become a record.

    Attributes
    ----------
    t : float
    step : int
    layers : tuple of L arrays
    way : float
        How far the network has come since the start, see `Candidates.add`.
    error : float
        Distance of the two runs.
    values : array, shape (r,)
        The diagonal of W_{L:1}, which comes to be σ_i*.
    """

    t: float
    step: int
    layers: Weights
    way: float
    error: float
    values: np.ndarray


class Candidates:
    """Keeps candidates for about `count` records of a run, the start among them.

    Parameters
    ----------
    law : CompressedFlow
    count : int
    start : tuple of L arrays
    W : array
        W_{L:1}(0).
    """

    def __init__(self, law: CompressedFlow, count: int, start: Weights, W: np.ndarray) -> None:
        self.law, self.count, self._W = law, count, W
        values = np.diagonal(W)[: law.targets.size].copy()
        self.kept = [Candidate(0.0, 0, start, 0.0, 0.0, values)]
        size = sum(layer.nbytes for layer in start)
        self.most = max(min(SPARE * count, ROOM // size), 2 * count)

    def add(
        self,
        times: np.ndarray,
        steps: np.ndarray,
        layers: Weights,
        W: np.ndarray,
        errors: np.ndarray,
    ) -> None:
        """Take the next states, W of shape (states, d_out, d_in) and so on.

        The way of each from the one before is counted in two units, that of the whole target and
        that of every single mode, since a small mode's is nothing in terms of the whole.

        Parameters
        ----------
        times : array, shape (states,)
        steps : array of int, shape (states,)
            Steps taken before each.
        layers : tuple of L arrays, shapes (states, d_l, d_{l−1})
        W : array, shape (states, d_out, d_in)
        errors : array, shape (states,)
            Distances of the two runs.
        """
        targets, path = self.law.targets, np.concatenate([self._W[None], W])
        values = np.diagonal(path, axis1=1, axis2=2)[:, : targets.size].copy()
        single = np.diff(values, axis=0) / np.maximum(targets, np.abs(values[:-1]))
        size = np.maximum(np.linalg.norm(targets), np.linalg.norm(path[:-1], axis=(1, 2)))
        whole = np.linalg.norm(np.diff(path, axis=0), axis=(1, 2)) / size
        way = self.kept[-1].way + np.cumsum(np.linalg.norm(single, axis=1) + whole)
        self._W = W[-1].copy()
        numbers = (part.tolist() for part in (times, steps, way, errors))
        self.kept += [
            Candidate(t, step, tuple(layer[k].copy() for layer in layers), far, error, now)
            for k, (t, step, far, error, now) in enumerate(zip(*numbers, values[1:], strict=True))
        ]
        if len(self.kept) > self.most:
            self.kept = self._even(self.most // 2)

    def chosen(self, count: int, within: float) -> list[Candidate]:
        """Return about `count` candidates between which both networks travel about as far.

        Those around the time when a mode comes within `within` of its target are among them.

        Parameters
        ----------
        count : int
            How many.
        within : float
            A singular value counts as fitted within this fraction of its target.

        Returns
        -------
        list of Candidate
        """
        chosen = {candidate.t: candidate for candidate in self._even(count)}
        values = np.array([candidate.values for candidate in self.kept])
        outside = np.abs(values - self.law.targets) > within * self.law.targets
        for column in outside.T:
            if column.any() and not column[-1]:
                edge = int(np.flatnonzero(column)[-1])
                around = self.kept[max(edge - 1, 0) : edge + 3]
                chosen |= {candidate.t: candidate for candidate in around}
        return sorted(chosen.values(), key=lambda candidate: candidate.t)

    def _even(self, count: int) -> list[Candidate]:
        times = np.array([candidate.t for candidate in self.kept])
        way = np.diff([candidate.way for candidate in self.kept])
        return [self.kept[k] for k in _even_records(times, way, self.law, count)]


def _even_records(
    times: np.ndarray, way: np.ndarray, law: CompressedFlow, count: int
) -> np.ndarray:
    """Choose about `count` records between which both networks travel about as far.

    Parameters
    ----------
    times : array, shape (records,)
        Of the run of the original network.
    way : array, shape (records − 1,)
        How far it moves between them.
    law : CompressedFlow
    count : int

    Returns
    -------
    array of int
        Increasing, the first and the last record among them.
    """
    thin = np.unique(np.linspace(0, times.size - 1, count).astype(int))
    modes = law.at(times[thin]).modes
    moved = np.diff(modes, axis=0) / np.maximum(law.targets, modes[:-1])
    law_way = np.linalg.norm(moved, axis=-1)
    law_progress = np.interp(times, times[thin], _progress(law_way))
    measure = _progress(way) + law_progress + times / max(float(times[-1]), 1e-300)
    marks = np.searchsorted(measure, np.linspace(0, measure[-1], count))
    last = times.size - 1
    return np.unique(np.concatenate([[0], np.minimum(marks, last), [last]]))


def _progress(steps: np.ndarray) -> np.ndarray:
    """Cumulative share of the way, from 0 to 1."""
    total = max(float(np.sum(steps)), float(np.finfo(float).tiny))
    return np.concatenate([[0.0], np.cumsum(steps) / total])
