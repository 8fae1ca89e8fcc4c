"""The original network's gradient flow on a time grid fit for both networks, with its error.

Two layers that start balanced have a closed form (`dlnlab.flow.riccati`), whose only error is that
of the start; it is seen by evaluating the flow of starts moved by what rounding may have done to
them.  All other networks are integrated twice (`dlnlab.flow.stages`).  Either way the distance to
the second flow, the largest one near every record, since two runs may cross, is multiplied by a
factor of safety: on starts whose flow is known the error was at most 1.5 times the distance.  To it
is added what a single step's tolerance permits, which the distance may miss by chance.

Near a saddle rounding grows until it decides which way the flow takes.  From there on nothing is
known, so the record ends there: `Coverage.escaped`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import optimize

from dlnlab import networks
from dlnlab.flow import two_runs
from dlnlab.flow.compressed import CompressedFlow
from dlnlab.flow.grid import Candidate, Candidates
from dlnlab.flow.network import ROUNDING, OriginalNetwork
from dlnlab.flow.records import Records
from dlnlab.flow.riccati import TwoLayers
from dlnlab.flow.stages import PIECES, RESOLUTION, Staged
from dlnlab.networks import Weights
from dlnlab.progress import Progress
from dlnlab.training.trajectory import Status, Trajectory

__all__ = [
    "CLOSED",
    "FITTED",
    "LATE",
    "METHODS",
    "RESOLVED",
    "ROUNDS",
    "SURVEY",
    "Coverage",
    "OriginalFlow",
    "chosen_method",
]

METHODS = ("auto", "DOP853", "RK45", "stiff")
"""How a flow is computed: "auto" is the closed form where there is one, else DOP853."""

CLOSED = "closed form"

RESOLVED = 1e-3
"""A run whose numerical error exceeds this fraction of the scale of a claim says nothing on it."""

FITTED = 1e-8
"""The flow ends once the network agrees with the target in its singular subspaces to this fraction
of the smallest σ_i* that it can fit: what remains is the slow decay of the residual directions.
Near a saddle it is a tenth of `within`: there the remaining modes may be nearly equal, and the
lost direction rotates among them almost indefinitely."""

LATE = 1.2
"""A random start takes about so many times as long as the compressed network."""

SURVEY, ROUNDS = 200, 6
"""Times of the first look at a closed form, and how often it is refined."""


class Coverage(NamedTuple):
    """The part of the flow that was integrated.

    Attributes
    ----------
    until : float
        Time of the last record.
    whole : bool
        Whether nothing was left to see: every mode that the network can fit was fitted, or it came
        to rest.
    escaped : bool
        Whether the record ends because, from there on, rounding decides which way the flow leaves a
        saddle.
    """

    until: float
    whole: bool
    escaped: bool


class OriginalFlow:
    """The flow of an original network on a time grid fit for both networks, in canonical units.

    Parameters
    ----------
    network : OriginalNetwork
    law : CompressedFlow
    t_end : float
    rtol : float
    num_records : int
    within : float
        As in `dlnlab.flow.compare`.
    method : str
        From `chosen_method`.
    max_steps : float
    progress : bool or callable

    Attributes
    ----------
    times : array, shape (records,)
    records : Records
        What was measured there.
    error : array, shape (records,)
        Bound on the Frobenius error of the end-to-end matrix.
    coverage : Coverage
    status : Status
        How the run ended.
    steps : array of int, shape (records,)
    method : str
        As given.
    """

    def __init__(
        self,
        network: OriginalNetwork,
        law: CompressedFlow,
        t_end: float,
        rtol: float,
        num_records: int,
        *,
        within: float,
        method: str,
        max_steps: float = math.inf,
        progress: Any = False,
    ) -> None:
        started = time.monotonic()
        self.network, self.law, self.t_end, self.rtol = network, law, t_end, rtol
        self.method, closed = method, method == CLOSED
        self.dropped, self.unresolved = 0.0, False
        self.fitted = self._fitted(within)
        W = networks.prefix_products(network.weights)[-1]
        self.candidates = Candidates(law, num_records, network.weights, W)
        bar = Progress(progress, float(law.targets.size), "modes")
        try:
            with np.errstate(over="ignore", invalid="ignore", under="ignore"):
                status = self._evaluate() if closed else self._integrate(max_steps, bar)
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
        finally:
            bar.close()
        self._measure(num_records, within, status)
        self.seconds = time.monotonic() - started

    def _fitted(self, within: float) -> float:
        """The distance, relative to the smallest mode that can be fitted, at which the flow ends.

        `FITTED`, or what the rounding of W hides of that mode if this is more, and still fitted.
        """
        if self.network.trapped.size:
            return within / 10
        hidden = ROUNDING * max(1.0, self.network.start) / float(self.law.targets[-1])
        return max(min(FITTED, within / 10), min(hidden, within / 2))

    def _until(self) -> float:
        """A start that cannot fit all modes is followed until the compressed network is fitted."""
        if not self.network.trapped.size:
            return 0.0
        fitted = self.law.fitting_times(FITTED)
        return float(np.max(fitted[np.isfinite(fitted)], initial=0.0))

    def _integrate(self, max_steps: float, bar: Progress) -> Status:
        staged = Staged(
            self.network,
            self.law.rises(self.t_end),
            self.t_end,
            self._until(),
            self.fitted,
            self.rtol,
            self.method,
            max_steps,
            self.candidates.add,
        )
        if staged.at_the_goal():
            return Status.STOPPED
        status = staged.run(bar, _learned(self.law))
        self.dropped, self.unresolved = staged.dropped, staged.unresolved
        loss = self.network.units.loss * float(staged.problem.loss(staged.W))
        if status is not Status.STOPPED:
            bar.total = _learned(self.law)(staged.t)  # now known: the bar ends at 100 %
        bar.update(bar.total, loss)
        return status

    def _evaluate(self) -> Status:
        """Evaluate the closed form on a survey, and the flows of moved starts beside it."""
        s, blocks = np.asarray(self.network.problem.target.s), self.network.blocks
        flow = TwoLayers(self.network.weights, s, blocks)
        moved = [TwoLayers(self.network.perturbed(seed), s, blocks) for seed in range(3)]
        end = self._closed_end(flow)
        for t in self._survey(flow, end)[1:]:
            layers = flow.layers(t)
            W = layers[1] @ layers[0]
            distance = max(
                self._apart(W, other.layers(t * (1 + sign * ROUNDING)))
                for other, sign in zip(moved, (1, -1, 1), strict=True)
            )
            told = np.array([t]), np.zeros(1, dtype=int), tuple(A[None] for A in layers)
            self.candidates.add(*told, W[None], np.array([distance]))
        return Status.STOPPED if end < self.t_end else Status.COMPLETED

    def _apart(self, W: np.ndarray, layers: Weights) -> float:
        return float(self.network.problem.squared_norm(W - layers[1] @ layers[0])) ** 0.5

    def _closed_end(self, flow: TwoLayers) -> float:
        """When the network has fitted all it can fit, or t_end.

        Two digits say it: a root by bisection would differ from one BLAS kernel to the next by
        more than a margin's error at the last record allows.
        """
        modes = np.arange(self.network.problem.target.rank)
        until = min(self._until(), self.t_end)

        def unfitted(t: float) -> float:
            first, last = flow.layers(t)
            return self.network.unfitted(last @ first, modes) - self.fitted

        if unfitted(until) <= 0:
            return until
        t = min(max(until, 1.0), self.t_end)
        while unfitted(t) > 0:
            if t >= self.t_end:
                return self.t_end
            t = min(1.25 * t, self.t_end)
        return min(_two_digits_up(optimize.brentq(unfitted, until, t, rtol=1e-6)), self.t_end)

    def _survey(self, flow: TwoLayers, end: float) -> np.ndarray:
        """Times between which no mode moves by more than `RESOLUTION` of its target."""
        s = np.asarray(self.network.problem.target.s)
        rises = self.law.rises(end)
        early = np.geomspace(min(1.0, end) * 1e-2, end, SURVEY) if end else np.zeros(1)
        times = np.unique(np.concatenate([[0.0, end], early, [] if rises is None else rises]))
        values: dict[float, np.ndarray] = {}
        for _ in range(ROUNDS):
            for t in times:
                if t not in values:
                    first, last = flow.layers(t)
                    values[t] = np.einsum("ik,ki->i", last[: s.size], first[:, : s.size])
            path = np.array([values[t] for t in times])
            size = np.maximum(s, np.abs(path[1:]))
            moved = np.max(np.abs(np.diff(path, axis=0)) / size, axis=1, initial=0)
            pieces = np.clip(np.ceil(moved / RESOLUTION), 1, PIECES).astype(int)
            if times.size < 2 or np.max(pieces) == 1:
                break
            parts = zip(times[:-1], times[1:], pieces, strict=True)
            new = [np.linspace(a, b, n, endpoint=False) for a, b, n in parts]
            times = np.unique(np.concatenate([*new, [end]]))
        return times

    def _measure(self, num_records: int, within: float, status: Status) -> None:
        """Choose the records, cut them where rounding took over, and measure them."""
        chosen = self.candidates.chosen(num_records, within)
        self.records = Records(self.network.problem, self.network.weights, self.rtol)
        self.records.measure_all([candidate.layers for candidate in chosen])
        distance = np.array([candidate.error for candidate in chosen])
        step = 0.0 if self.method == CLOSED else self.records["local_errors"]
        error = two_runs.bound_nearby(distance) + self.dropped + step + self.records["rounding"]
        scale = max(1.0, self.network.start)
        known = np.flatnonzero(error <= RESOLVED * scale)
        escaped = known.size > 0 and known[-1] + 1 < error.size
        count = known[-1] + 1 if escaped else error.size
        self.records.cut(count)
        self.chosen: list[Candidate] = chosen[:count]
        self.error = error[:count]
        self.times = np.array([candidate.t for candidate in self.chosen])
        self.steps = np.array([candidate.step for candidate in self.chosen])
        escaped = bool(escaped or self.unresolved)
        whole = status in (Status.STOPPED, Status.STATIONARY) and not escaped
        self.coverage, self.status = Coverage(float(self.times[-1]), whole, escaped), status

    def singular_values(self, count: int) -> np.ndarray:
        """Return the `count` leading singular values at every record.

        Parameters
        ----------
        count : int
            How many.

        Returns
        -------
        array, shape (records, count)
        """
        return self.network.problem.leading_values(self.records.blocks, count)

    def trajectory(self, count: int) -> Trajectory:
        """Return the flow with everything a comparison shows.

        Parameters
        ----------
        count : int
            How many.

        Returns
        -------
        Trajectory
        """
        return Trajectory(
            times=self.times,
            steps=self.steps,
            weights=self.chosen[-1].layers,
            status=self.status,
            seconds=self.seconds,
            losses=self.records["losses"],
            errors=self.records["errors"],
            singular_values=self.singular_values(count),
            left_alignments=self.records["left_alignments"],
            right_alignments=self.records["right_alignments"],
            drift=float(np.max(self.records["drift"])),
        )


def _two_digits_up(t: float) -> float:
    """Return the next number of two significant digits, more than 1e-5 of `t` away.

    So what it is rounded from may be off by 1e-6, but for the rare case just at a step.
    """
    unit = 10.0 ** (math.floor(math.log10(t)) - 1)
    return unit * math.ceil(t / unit * (1 + 1e-5))


def chosen_method(method: str, network: OriginalNetwork) -> str:
    """Return how a flow is computed: "auto" takes the closed form of two balanced layers.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    network : OriginalNetwork

    Returns
    -------
    str
    """
    if method != "auto":
        return method
    return CLOSED if len(network.weights) == 2 and network.balancedness.met else "DOP853"


def _learned(law: CompressedFlow) -> Callable[[float], float]:
    """Return about how many modes a random start has learned by a time."""
    rises = law.rises(math.inf)
    if rises is None:
        return lambda t: 0.0
    modes = np.linspace(0, law.targets.size, rises.size)
    return lambda t: float(np.interp(t / LATE, rises, modes))
