"""The flow of a network of any depth, in stages: modes that are learned leave it.

While a mode is learned the accuracy limits an explicit method's step; from then on stability does,
to a few 1/λ with λ = Lσ_1^{2−2/L}, and a mode a thousand times smaller needs a million of these
steps.  But a network whose W_{L:1} is block diagonal, in coordinates in which M* is, remains so,
and if it is balanced its layers are too: the blocks do not see each other.  A learned mode
decouples at the rate σ_i^{1−2/L}(σ_i − σ_j) from those that are still small.  Once it has, to
`DECOUPLED`, it is taken out: its distance to σ_i* decays by itself, at the rate Lσ_i^{2−2/L}, and
what remains is a smaller network with a smaller λ.  What is dropped is of second order for the
rest.

Two runs advance side by side.  They differ in the tolerance, which limits the step while modes are
learned, in the cap on the step, which limits it afterwards, and in the start, by what rounding may
have done to it; so their distance is about the error of the looser run, with whatever a saddle
makes of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from dlnlab import networks
from dlnlab.flow.integrate import Rest, default_atol
from dlnlab.flow.methods import INTEGRATORS
from dlnlab.flow.network import OriginalNetwork, diagonal_problem
from dlnlab.flow.system import System
from dlnlab.flow.two_runs import LOOSER
from dlnlab.networks import Weights
from dlnlab.progress import Progress
from dlnlab.training.trajectory import Status

__all__ = [
    "DECOUPLED",
    "FROZEN",
    "LAGGING",
    "PIECES",
    "RESOLUTION",
    "STABILITY",
    "TOGETHER",
    "Sink",
    "Staged",
]

STABILITY = {"tight": 4.0, "loose": 6.0}
"""Caps on the steps of the two runs, in units of 1/λ: the second is the edge of stability."""

DECOUPLED = 1e-12
"""A mode leaves once its row and column of W − M* are below this fraction of σ_i*."""

RESOLUTION = 0.05
"""How far a mode may move between two records, as a fraction of σ_i*."""

PIECES = 16
"""Records within a step, at most."""

LAGGING = 10
"""The looser run is given up if it takes more than so many steps for each of the tighter one."""

FROZEN = 20
"""Steps without progress of the clock after which a run is over."""

TOGETHER = 16
"""States that are handed on together: a stack of them costs hardly more calls than one does."""

Sink = Callable[[np.ndarray, np.ndarray, Weights, np.ndarray, np.ndarray], None]
"""Takes times, steps, layers, W_{L:1}, and the distance of the two runs, of several states."""


class _Reached(NamedTuple):
    """Both runs at a time; there is no looser one where it cannot follow."""

    t: float
    step: int
    tight: np.ndarray
    loose: np.ndarray | None


@dataclass(frozen=True)
class _Active:
    """What has not been taken out yet, in the coordinates of the whole.

    Attributes
    ----------
    outputs, inputs : array of int
        The remaining coordinates of the two ends; the modes among them come first.
    fitted : array of int
        The modes taken out.
    gaps : array, shape (2, fitted)
        σ_i* − σ_i of both runs when that happened,
    since : array, shape (fitted,)
        and when that was.
    """

    outputs: np.ndarray
    inputs: np.ndarray
    fitted: np.ndarray
    gaps: np.ndarray
    since: np.ndarray

    def modes(self, rank: int) -> np.ndarray:
        """The modes of the target that remain."""
        return self.outputs[self.outputs < rank]


class Staged:
    """The integration of one original network.

    Parameters
    ----------
    network : OriginalNetwork
    times : array or None
        Times that are recorded besides the steps.
    t_end : float
    until : float
        The run does not end by being fitted before this time.
    fitted : float
        It ends once `OriginalNetwork.unfitted` is at most this.
    rtol : float
    method : {"DOP853", "RK45", "stiff"}
    max_steps : float
    sink : callable
        Given every record but the start.
    """

    def __init__(
        self,
        network: OriginalNetwork,
        times: np.ndarray | None,
        t_end: float,
        until: float,
        fitted: float,
        rtol: float,
        method: str,
        max_steps: float,
        sink: Sink,
    ) -> None:
        self.network, self.t_end, self.until, self.sink = network, t_end, until, sink
        self.fitted = fitted
        self.times = np.empty(0) if times is None else times
        self.method, self.max_steps = INTEGRATORS[method], max_steps
        self.steps, self.followed, self.frozen = 0, 0, 0
        self.s = np.asarray(network.problem.target.s)
        self.depth = len(network.weights)
        self.tolerances = [
            (factor * rtol, default_atol(factor * rtol, network.problem, network.weights))
            for factor in (1, LOOSER)
        ]
        rows, columns = network.problem.shape
        nothing = np.empty(0)
        self.active = _Active(
            np.arange(rows), np.arange(columns), nothing.astype(int), np.empty((2, 0)), nothing
        )
        self._waiting: list[_Reached] = []
        self.dropped = 0.0
        """What was neglected so far, as a Frobenius norm."""
        self.rest = Rest(network.problem, network.weights, math.inf)
        self._start(0.0, [network.weights, network.perturbed(seed=0)])

    @property
    def t(self) -> float:
        """The time reached by the integration."""
        return self.tight.t

    def _start(self, t: float, runs: Sequence[Weights]) -> None:
        """Begin a stage: both runs from their layers."""
        remaining = self.active.modes(self.s.size)
        self.problem = diagonal_problem(
            (self.active.outputs.size, self.active.inputs.size),
            self.s[remaining],
            self.network.problem.multiplicity,
            self.network.full,
        )
        self.target = self.problem.entrywise()[1]
        self.system = System(self.problem, runs[0])
        steppers = [
            self.method(System(self.problem, weights), self.t_end, *tolerance, cap, t)
            for weights, tolerance, cap in zip(
                runs, self.tolerances, STABILITY.values(), strict=True
            )
        ]
        self.tight, self.loose = steppers
        self.W = self.system.end_to_end(self.tight.y)

    @property
    def unresolved(self) -> bool:
        """Whether the clock stands still because its steps are below the rounding of the time."""
        return self.frozen > FROZEN

    def at_the_goal(self) -> bool:
        """Tell whether the start is already what the flow would come to.

        Returns
        -------
        bool
        """
        return self.until == 0 and (self.unfitted() <= 0 or not self.tight.velocity.any())

    def run(self, progress: Progress, learned: Callable[[float], float]) -> Status:
        """Step until the end, for whatever reason.

        Parameters
        ----------
        progress : Progress
            Counts modes.
        learned : callable
            How many of them are learned by a time, about.

        Returns
        -------
        Status
        """
        try:
            return self._run(progress, learned)
        finally:
            self._hand_on()

    def _run(self, progress: Progress, learned: Callable[[float], float]) -> Status:
        while self.t < self.t_end:
            if self.steps >= self.max_steps:
                return Status.BUDGET
            before = self.t
            if not self.tight.step() or not np.isfinite(self.tight.y).all():
                return Status.DIVERGED
            self.steps += 1
            self.frozen = self.frozen + 1 if self.t == before else 0
            if self.frozen > FROZEN:
                return Status.COMPLETED
            W = self.system.end_to_end(self.tight.y)
            self._record(before, W)
            self.W = W
            if progress.due():
                loss = self.network.units.loss * float(self.problem.loss(W))
                progress.update(learned(self.t), loss)
            status = self._over()
            if status is not None:
                return status
            self._take_out()
        return Status.COMPLETED

    def _over(self) -> Status | None:
        """See whether nothing is left to see.

        What a balanced network can fit is known.  Any other is followed until it comes to rest.
        """
        if self.t < self.until:
            return None
        if self.unfitted() <= 0:
            return Status.STOPPED
        if self.network.balancedness.met:
            return None
        at_rest = self.rest.reached(self.t, self.system, self.tight.y, self.tight.velocity)
        return Status.STATIONARY if at_rest else None

    def unfitted(self) -> float:
        """Return how far the network is from what it can fit, beyond `fitted`.

        Returns
        -------
        float
        """
        return self.network.unfitted(self.W, self.active.modes(self.s.size)) - self.fitted

    def _record(self, before: float, W: np.ndarray) -> None:
        """Keep what falls due in the last step, to hand it on."""
        count = self.problem.target.rank
        moved = np.abs(np.diagonal(W - self.W)[:count]) / self.s[self.active.modes(self.s.size)]
        pieces = int(np.clip(np.ceil(np.max(moved) / RESOLUTION), 1, PIECES))
        inside = np.linspace(before, self.t, pieces + 1)[1:-1]
        low, high = np.searchsorted(self.times, (before, self.t), side="right")
        for t in np.unique(np.concatenate([self.times[low:high], inside, [self.t]])):
            if t > before:  # a step may be shorter than the clock can tell
                y = self.tight.y if t == self.t else self.tight.between(t)
                self._waiting.append(_Reached(float(t), self.steps, y, self._followed(float(t))))
        if len(self._waiting) >= TOGETHER:
            self._hand_on()

    def _hand_on(self) -> None:
        """Give the states that wait to the sink; all are of the present stage."""
        states, self._waiting = self._waiting, []
        if not states:
            return
        times, steps, tight, loose = (list(part) for part in zip(*states, strict=True))
        layers = self.assembled(np.array(times), np.stack(tight))
        W = networks.prefix_products(layers)[-1]
        distances = self._distances(np.array(times), np.stack(tight), loose)
        self.sink(np.array(times), np.array(steps), layers, W, distances)

    def _distances(
        self, times: np.ndarray, tight: np.ndarray, loose: list[np.ndarray | None]
    ) -> np.ndarray:
        """Distances of the two runs; infinite where the looser one cannot follow."""
        lost = np.array([y is None for y in loose])
        others = np.stack([b if y is None else y for y, b in zip(loose, tight, strict=True)])
        W = self.system.end_to_end(tight) - self.system.end_to_end(others)
        tight_gaps, loose_gaps = self._gaps(times)
        apart = np.sum((tight_gaps - loose_gaps) ** 2, axis=-1)
        return np.where(lost, math.inf, np.sqrt(self.problem.squared_norm(W) + apart))

    def _followed(self, t: float) -> np.ndarray | None:
        """State of the looser run at a time, None if it does not get there."""
        while self.loose.t < t:
            self.followed += 1
            lost = self.followed > LAGGING * (self.steps + LAGGING)
            if lost or not self.loose.step() or not np.isfinite(self.loose.y).all():
                return None
        return self.loose.y if self.loose.t == t else self.loose.between(t)

    def _gaps(self, times: np.ndarray) -> np.ndarray:
        """σ_i* − σ_i of the modes taken out, for both runs, shape (2, times, fitted)."""
        active = self.active
        rates = self.depth * self.s[active.fitted] ** (2 - 2 / self.depth)
        decay = np.exp(-rates * (times[:, None] - active.since))
        return active.gaps[:, None, :] * decay

    def assembled(self, times: np.ndarray, states: np.ndarray) -> Weights:
        """Return the layers of the whole; what was taken out comes first in hidden spaces.

        Parameters
        ----------
        times : array, shape (records,)
        states : array, shape (states, size)
            y of the networks that are left.

        Returns
        -------
        tuple of L arrays, shapes (..., d_l, d_{l−1})
        """
        layers, active = self.system.unpack(states), self.active
        if not active.fitted.size:
            return layers
        values = (self.s[active.fitted] - self._gaps(times)[0]) ** (1 / self.depth)
        count, whole = active.fitted.size, []
        for layer, (W, shape) in enumerate(zip(layers, self._shapes(), strict=True)):
            first, last = layer == 0, layer == self.depth - 1
            rows = (active.fitted, active.outputs) if last else _split(count, shape[0])
            columns = (active.fitted, active.inputs) if first else _split(count, shape[1])
            full = np.zeros((times.size, *shape))
            full[:, rows[0], columns[0]] = values
            full[:, rows[1][:, None], columns[1]] = W
            whole.append(full)
        return tuple(whole)

    def _shapes(self) -> list[tuple[int, ...]]:
        return [W.shape for W in self.network.weights]

    def _take_out(self) -> None:
        """Begin a smaller stage if modes have decoupled."""
        remaining = self.active.modes(self.s.size)
        gap = self.W - self.target
        apart = np.hypot(
            np.linalg.norm(gap[: remaining.size], axis=1),
            np.linalg.norm(gap[:, : remaining.size], axis=0),
        )
        ready = apart <= DECOUPLED * self.s[remaining]
        if not ready.any() or ready.all() or not self.network.balancedness.met:
            return
        other = self._followed(self.t)
        if other is None:
            return
        places = np.flatnonzero(ready)
        split = [_without(self.system.unpack(y), places) for y in (self.tight.y, other)]
        size = max(float(np.linalg.norm(W, 2)) for W in self.system.unpack(self.tight.y))
        if split[0].coupling > 10 * DECOUPLED * size:
            return  # decoupled in W, not yet in the layers
        gaps = [
            np.diagonal(self.target - self.system.end_to_end(y))[places]
            for y in (self.tight.y, other)
        ]
        self.dropped += float(np.linalg.norm(apart[places]))
        self._hand_on()
        old, taken = self.active, remaining[places]
        self.active = _Active(
            np.delete(old.outputs, places),
            np.delete(old.inputs, places),
            np.concatenate([old.fitted, taken]),
            np.concatenate([self._gaps(np.array([self.t]))[:, 0], gaps], axis=1),
            np.full(old.fitted.size + taken.size, self.t),
        )
        self._start(self.t, [part.layers for part in split])


@dataclass(frozen=True)
class _Remainder:
    """A network without some of its modes, and how strongly these were coupled to it."""

    layers: Weights
    coupling: float


def _without(layers: Weights, places: np.ndarray) -> _Remainder:
    """Take modes out of a network: inputs at `places`, and what they are mapped to."""
    count, last = places.size, len(layers) - 1
    rest_in = np.delete(np.eye(layers[0].shape[1]), places, axis=1)
    inside, outside, parts, coupling = np.eye(layers[0].shape[1])[:, places], rest_in, [], 0.0
    for layer, W in enumerate(layers):
        if layer == last:
            whole = np.eye(W.shape[0])
            image, rest = whole[:, places], np.delete(whole, places, axis=1)
        else:
            Q = np.linalg.qr(W @ inside, mode="complete")[0]
            image, rest = Q[:, :count], Q[:, count:]
        moved = W @ outside
        coupling = max(
            coupling,
            float(np.linalg.norm(image.T @ moved)),
            float(np.linalg.norm(rest.T @ W @ inside)),
        )
        parts.append(rest.T @ moved)
        inside, outside = image, rest
    return _Remainder(tuple(parts), coupling)


def _split(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    return np.arange(count), np.arange(count, size)
