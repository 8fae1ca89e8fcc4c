"""The original network's gradient flow, in its exact reduction, with a bound on its error.

It is integrated twice.  The first run is surveyed at its own steps, between them wherever the
network moves much, and where the compressed network rises; from this survey a grid is chosen on
which both networks are seen to travel evenly (`dlnlab.flow.grid`).
The second, looser run is compared with it on that grid.  The runs differ in the tolerance, which
limits the step while modes are learned, and in the cap on the step, which limits it afterwards; so
their distance is about the error of the looser run, and four times it covers that of the first: on
starts whose flow is known in closed form the error was at most 1.5 times the distance.  To it is
added what the tolerance of the first run permits in a single step, which the distance may miss by
chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from dlnlab import arrays, networks, parsimony
from dlnlab.arrays import Array
from dlnlab.claims import proposition1
from dlnlab.flow.compressed import CompressedFlow
from dlnlab.flow.grid import Survey, even_records
from dlnlab.flow.integrate import gradient_flow
from dlnlab.flow.records import Records, Stacks
from dlnlab.networks import Weights
from dlnlab.parsimony import Reduction
from dlnlab.problems import Factorization
from dlnlab.targets import FactoredTarget
from dlnlab.trajectory import Status, Trajectory

__all__ = ["OriginalFlow", "OriginalNetwork"]

LOOSER = 100.0
"""Factor between the tolerances of the two runs."""

STABILITY = {"tight": 4.0, "loose": 6.0}
"""Caps on the steps of the two runs, in units of 1/λ: the second is the edge of stability."""

RESOLUTION = 0.05
"""How far the network may move between two records of the first run, as a fraction of σ_r*."""

SAFETY = 4.0
"""Factor on the distance of the two runs."""

NEAR = 5
"""Records around each one over which the largest distance of the runs counts."""

FITTED = 1e-8
"""The flow ends once the network agrees with the target in its singular subspaces to this fraction
of σ_r*: what remains is the slow decay of the residual directions."""


FORMED_UP_TO = 1000
"""Largest side of a factored target for which the full network is formed."""


class OriginalNetwork:
    """The original network at its start.

    Attributes
    ----------
    full : Factorization
        The problem as the user posed it.
    problem : Factorization
        The problem it is integrated in, on the host: reduced where there is a reduction.
    weights : tuple of L arrays
        The start in that problem.
    reduction : Reduction or None
    balancedness : Premise
        The premise of Proposition 1, measured on the full start where that is formed.
    """

    def __init__(
        self,
        full: Factorization,
        depth: int,
        eps: float,
        rng: Any,
        width: Any,
        weights: Sequence[Array] | None,
    ) -> None:
        self.full = full
        if weights is None and _too_large(full):
            self.reduction: Reduction | None = parsimony.reduce_random(
                full, depth, eps, rng=rng, width=width
            )
            start = self.reduction.to_host().weights
        else:
            if weights is None:
                weights = networks.original_weights(
                    full.shape, depth, eps, rng=rng, width=width, like=full.reference
                )
            start = self._use([_double(W) for W in networks.check_weights(weights)], depth)
        self.balancedness = proposition1.balancedness(start)
        if self.reduction is None:
            self.problem, self.weights = full, start
        else:
            small = self.reduction.to_host()
            self.problem, self.weights = small.problem, small.weights

    def _use(self, weights: Sequence[Array], depth: int) -> Weights:
        """Reduce a network that is given; keep it whole if it has no reduction."""
        checked = networks.check_weights(weights)
        if len(checked) != depth or any(W.ndim > 2 for W in checked):
            raise ValueError(
                f"`weights` must be one network of depth = {depth} layers, got {len(checked)} "
                f"layers of shape {tuple(checked[0].shape)}, …"
            )
        try:
            self.reduction = parsimony.reduce(self.full, checked)
        except parsimony.NoReductionError:
            self.reduction = None
        return tuple(arrays.to_host(W) for W in checked)

    def matrix(self, block: np.ndarray) -> Array:
        """Return the full end-to-end matrix from the one in `problem`."""
        if self.reduction is None:
            return block
        initial = self.reduction.initial
        return self.reduction.lift_end_to_end(
            block if initial is None else arrays.like(block, initial[0])
        )


class OriginalFlow:
    """The flow of an original network on a time grid fit for both networks.

    Attributes
    ----------
    network : OriginalNetwork
    run : Trajectory
        The first run, of which only times, steps and the end are recorded.
    picked : array of int
        Its records that make the grid.
    times : array, shape (records,)
    records : Records
        What was measured there.
    error : array, shape (records,)
        Bound on the Frobenius error of the end-to-end matrix.
    """

    def __init__(
        self,
        network: OriginalNetwork,
        law: CompressedFlow,
        t_end: float,
        rtol: float,
        num_records: int,
        **options: Any,
    ) -> None:
        self.network = network
        problem, start = network.problem, network.weights
        tight = {
            "t_end": t_end,
            "rtol": rtol,
            "stability": STABILITY["tight"],
            "record": (),
            **options,
        }
        survey = Survey()
        self.run = gradient_flow(
            problem,
            start,
            times=law.rises(t_end),
            resolution=RESOLUTION * float(law.targets[-1]),
            stop=self._unfitted,
            observe=survey,
            **tight,
        )
        self.picked = even_records(self.run.times, np.array(survey.way), law, num_records)
        self.times = self.run.times[self.picked]
        speed = law.scale * float(law.targets[0])
        self.records = Records(problem, start, rtol, speed, self.times.size)
        self.seconds = self.run.seconds
        self._measure(survey, tight)
        self.error = SAFETY * self._distance(rtol, options) + self.records["local_errors"]

    def _measure(self, survey: Survey, tight: dict[str, Any]) -> None:
        """Measure the states on the grid, those the survey has forgotten as they come anew."""
        stacks = Stacks(self.records.measure)
        forgotten = int(np.searchsorted(self.picked, survey.forgotten))
        if forgotten:
            stacks.add(*self.network.weights)
        if forgotten > 1:
            self._repeat(self.times[1:forgotten], self.picked[forgotten - 1], stacks, tight)
        for record in self.picked[forgotten:]:
            stacks.add(*survey.state(record))
        stacks.flush()

    def _repeat(
        self, times: np.ndarray, record: int, stacks: Stacks, tight: dict[str, Any]
    ) -> None:
        """Integrate once more, to the end of the step in which the run took `record`.

        The states at `times`, up to that record, are added to `stacks`.  Every step's end was
        recorded, and the steps up to there are the same.
        """
        steps = self.run.steps
        end = self.run.times[np.searchsorted(steps, steps[record], side="right") - 1]

        def observe(t: float, weights: Weights, W: np.ndarray) -> None:
            if 0 < t <= times[-1]:
                stacks.add(*weights)

        again = gradient_flow(
            self.network.problem,
            self.network.weights,
            times=times,
            stationarity=0.0,
            stop=lambda t, W: float(end - t),
            observe=observe,
            **tight,
        )
        assert again.status is Status.STOPPED  # as the first run came further
        self.seconds += again.seconds

    def _unfitted(self, t: float, W: np.ndarray) -> float:
        """Positive until the network agrees with the target in the target's subspaces."""
        left, s, right = self.network.problem.target_svd
        gap = left.T @ W @ right.T
        np.einsum("ii->i", gap)[:] -= s
        return float(np.linalg.norm(gap)) / s[-1] - FITTED

    def _distance(self, rtol: float, options: dict[str, Any]) -> np.ndarray:
        """Largest distance of a looser run near every record; infinite where it did not get.

        Two runs may cross, so the distance is taken over the records next to it as well.
        """
        problem, gaps = self.network.problem, [np.empty(0)]

        def compare(W: np.ndarray) -> None:
            done = sum(gap.size for gap in gaps)
            tight = self.records.blocks[done : done + len(W)]
            gaps.append(np.sqrt(problem.squared_norm(tight - W[: len(tight)])))

        stacks = Stacks(compare)
        loose = gradient_flow(
            problem,
            self.network.weights,
            t_end=max(float(self.times[-1]), float(np.finfo(float).tiny)),
            rtol=LOOSER * rtol,
            stability=STABILITY["loose"],
            record=(),
            times=self.times[1:] if self.times.size > 1 else None,
            stationarity=0.0,
            observe=lambda t, weights, W: stacks.add(W),
            **options,
        )
        stacks.flush()
        self.seconds += loose.seconds
        found = np.concatenate(gaps)
        distance = np.full(self.times.size, np.inf)
        distance[: found.size] = found
        return ndimage.maximum_filter1d(distance, size=NEAR)

    def singular_values(self, count: int) -> np.ndarray:
        """Return the `count` leading singular values at every record."""
        values = self.records["singular_values"]
        missing = count - values.shape[-1]
        if missing > 0:  # the reduction lists the residual value once; the rest are copies of it
            copies = np.repeat(np.abs(self.records.blocks[:, -1, -1])[:, None], missing, axis=1)
            values = np.concatenate([values, copies], axis=1)
        return values[:, :count]

    def trajectory(self, count: int) -> Trajectory:
        """Return the tight run with everything a comparison shows."""
        return Trajectory(
            times=self.times,
            steps=self.run.steps[self.picked],
            weights=self.run.weights,
            status=self.run.status,
            seconds=self.seconds,
            losses=self.records["losses"],
            errors=self.records["errors"],
            singular_values=self.singular_values(count),
            left_alignments=self.records["left_alignments"],
            right_alignments=self.records["right_alignments"],
            drift=self.run.drift,
        )


def _too_large(problem: Factorization) -> bool:
    return isinstance(problem.target, FactoredTarget) and max(problem.shape) > FORMED_UP_TO


def _double(W: Array) -> Array:
    xp = arrays.namespace(W)
    return xp.astype(W, xp.float64)
