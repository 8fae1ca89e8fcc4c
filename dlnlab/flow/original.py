"""The original network's gradient flow, in its exact reduction, with a bound on its error.

It is integrated twice.  The first run is recorded at its own steps, between them wherever the
network moves much, and where the compressed network rises; from these records a grid is chosen on
which both networks are seen to travel evenly.
The second, looser run is recorded on that grid.  The runs differ in the tolerance, which limits the
step while modes are learned, and in the cap on the step, which limits it afterwards; so their
distance is about the error of the looser run, and four times it covers that of the first: on starts
whose flow is known in closed form the error was at most 1.5 times the distance.  To it is added
what the tolerance of the first run permits in a single step, which the distance may miss by chance.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from dlnlab import arrays, networks, parsimony, spectra
from dlnlab.arrays import Array
from dlnlab.claims import proposition1
from dlnlab.flow.compressed import CompressedFlow
from dlnlab.flow.integrate import default_atol, gradient_flow
from dlnlab.networks import Weights
from dlnlab.parsimony import Reduction
from dlnlab.problems import Factorization
from dlnlab.targets import FactoredTarget
from dlnlab.trajectory import Trajectory

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
        The first run.
    picked : array of int
        Its records that make the grid.
    times : array, shape (records,)
    layers : tuple of L arrays, shapes (records, d_l, d_{l−1})
    blocks : array, shape (records, d_L, d_0)
        End-to-end matrices, in the coordinates of ``network.problem``.
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
        problem, weights = network.problem, network.weights
        self.run = gradient_flow(
            problem,
            weights,
            t_end=t_end,
            rtol=rtol,
            stability=STABILITY["tight"],
            times=law.rises(t_end),
            resolution=RESOLUTION * float(law.targets[-1]),
            record=("layers",),
            stop=self._unfitted,
            **options,
        )
        recorded = self.run.layers
        assert recorded is not None  # asked for above
        self.picked = _even_records(self.run.times, recorded, law, num_records)
        self.times = self.run.times[self.picked]
        self.layers: Weights = tuple(W[self.picked] for W in recorded)
        self.blocks = networks.prefix_products(self.layers)[-1]
        loose = gradient_flow(
            problem,
            weights,
            t_end=max(float(self.times[-1]), float(np.finfo(float).tiny)),
            rtol=LOOSER * rtol,
            stability=STABILITY["loose"],
            record=("end_to_end",),
            times=self.times[1:] if self.times.size > 1 else None,
            stationarity=0.0,
            **options,
        )
        self.seconds = self.run.seconds + loose.seconds
        self.error = SAFETY * self._distance(loose) + self._local_error(rtol)

    def _unfitted(self, t: float, W: np.ndarray) -> float:
        """Positive until the network agrees with the target in the target's subspaces."""
        left, s, right = self.network.problem.target_svd
        gap = left.T @ W @ right.T
        np.einsum("ii->i", gap)[:] -= s
        return float(np.linalg.norm(gap)) / s[-1] - FITTED

    def _distance(self, loose: Trajectory) -> np.ndarray:
        """Largest distance of the runs near every record; infinite where the second did not get.

        Two runs may cross, so the distance is taken over the records next to it as well.
        """
        other = loose.end_to_end
        assert other is not None  # asked for above
        count = min(other.shape[0], self.times.size)
        distance = np.full(self.times.size, np.inf)
        gaps = self.blocks[:count] - other[:count]
        distance[:count] = np.sqrt(self.network.problem.squared_norm(gaps))
        return ndimage.maximum_filter1d(distance, size=NEAR)

    def _local_error(self, rtol: float) -> np.ndarray:
        """Error of W_{L:1} if every layer is off by the tolerance of one step, to first order:

        Σ_l (rtol ‖W_l‖_F + atol √size) ∏_{k≠l} ‖W_k‖₂.
        """
        atol = default_atol(rtol, self.network.weights)
        norms = np.stack([np.linalg.norm(W, 2, axis=(-2, -1)) for W in self.layers])
        total = np.zeros(norms.shape[1])
        for layer, W in enumerate(self.layers):
            own = rtol * np.linalg.norm(W, axis=(-2, -1)) + atol * W[0].size ** 0.5
            total += own * np.prod(np.delete(norms, layer, axis=0), axis=0)
        return total

    def singular_values(self, count: int) -> np.ndarray:
        """Return the `count` leading singular values at every record."""
        values = self.network.problem.singular_values(self.blocks)
        missing = count - values.shape[-1]
        if missing > 0:  # the reduction lists the residual value once; the rest are copies of it
            copies = np.repeat(np.abs(self.blocks[:, -1, -1])[:, None], missing, axis=1)
            values = np.concatenate([values, copies], axis=1)
        return values[:, :count]

    def trajectory(self, count: int) -> Trajectory:
        """Return the tight run with everything a comparison shows."""
        problem = self.network.problem
        vectors = spectra.alignments(self.blocks, problem.target_svd)
        return Trajectory(
            times=self.times,
            steps=self.run.steps[self.picked],
            weights=self.run.weights,
            status=self.run.status,
            seconds=self.seconds,
            losses=problem.loss(self.blocks),
            errors=problem.error(self.blocks),
            singular_values=self.singular_values(count),
            left_alignments=vectors.left,
            right_alignments=vectors.right,
            drift=self.run.drift,
        )


def _too_large(problem: Factorization) -> bool:
    return isinstance(problem.target, FactoredTarget) and max(problem.shape) > FORMED_UP_TO


def _double(W: Array) -> Array:
    xp = arrays.namespace(W)
    return xp.astype(W, xp.float64)


def _even_records(
    times: np.ndarray, layers: Weights, law: CompressedFlow, count: int
) -> np.ndarray:
    """Choose about `count` records between which both networks travel about as far."""
    blocks = networks.prefix_products(layers)[-1]
    way = np.linalg.norm(np.diff(blocks, axis=0), axis=(-2, -1))
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
