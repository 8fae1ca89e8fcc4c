"""Wide networks of any width in their reduced blocks, many starts at once, beside the compressed
network: what the atlas of Theorem 2 is measured on.

Up to the choice of coordinates a wide network starts as (εI, …, εI, εQ), and its target is
M* = diag(σ*, 0).  By the reduction of `dlnlab.parsimony` it is a block of k = min(2r, d) dimensions
and d − k further directions whose singular value is β(t)^L, exactly that of the compressed
network's r̂ − r idle directions.  These copies cancel in the margin of Theorem 2:

    ‖W − M*‖² − ‖W̃ − M*‖² = ‖B − T‖² − Σ_{i≤r} (σ̃_i − σ_i*)² − e β^{2L},   e = r̂ − r − (d − k),

B being the block and T its target.  So the width enters through the law of Q's corner and through
e alone, and the difference is computed without the cancellation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dlnlab import FactoredTarget, factorization, gradient_descent, modes, parsimony, spectra
from dlnlab.claims import dominance, theorem2
from dlnlab.flow.compressed import CompressedFlow
from dlnlab.targets import orthonormal_frame

from .flows import bounded_flow

__all__ = ["STARTS", "Blocks", "Run", "descend", "draw", "flow", "stable_step"]

SAMPLES = 300
"""Records per horizon of the compressed network, at least: the worst record lies on a maximum that
is flat on the scale of their distance."""

LATEST = 40.0
"""No flow is followed longer than this many horizons; random starts take one to three."""

SETTLED = 0.01
"""A flow ends once the distance to M* in the target's rows and columns is below this share of
min(ε^L, σ_r*).  Squared, that is 1e-4 of the unit in which violations are measured, and it only
decays from there on."""

PATIENCE = 5.0
"""How long a descent runs, in horizons of the compressed flow."""

RECORDS = 1500
"""Records of a descent, at least where it has as many steps: one in a few steps of a small size."""

FITTED = 0.05
"""A mode counts as fitted within this fraction of its target."""

ROUNDING = 16
"""Units of rounding per dimension in a sum of squares of computed differences."""

SAFETY = 4.0
"""Factor on the distance of two descents in different coordinates: either is off by as much."""

EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Blocks:
    """Wide networks of one width, target spectrum, L and ε in their reduced blocks.

    Attributes
    ----------
    targets : array, shape (starts, k, k)
        T, one for each start; every layer's block starts at εI.
    left, right : arrays, shape (starts, k, r)
        The target's singular vectors: T = left · diag(σ*) · rightᵀ.
    spectrum : array, shape (r,)
    d, depth, eps
    """

    targets: np.ndarray
    left: np.ndarray
    right: np.ndarray
    spectrum: np.ndarray
    d: int
    depth: int
    eps: float

    @property
    def start(self) -> float:
        """ε^L."""
        return self.eps**self.depth

    @property
    def copies(self) -> int:
        """d − k, the directions outside the block."""
        return self.d - self.targets.shape[-1]

    @property
    def weights(self) -> tuple[np.ndarray, ...]:
        """The start, L arrays of shape (starts, k, k)."""
        return (np.broadcast_to(self.eps * np.eye(self.targets.shape[-1]), self.targets.shape),) * (
            self.depth
        )

    def law(self) -> CompressedFlow:
        """The compressed network."""
        return CompressedFlow(self.spectrum, self.spectrum.size, self.depth, self.eps, 1.0)


@dataclass(frozen=True)
class Run:
    """Both networks of a batch of starts, on one time grid.

    Attributes
    ----------
    blocks : Blocks
    times : array, shape (records,)
    errors : array, shape (records, starts)
        ‖B − T‖_F of the wide network's blocks.
    values : array, shape (records, starts, k)
        Their singular values.
    accuracy : array, shape (records, starts)
        Bound on the Frobenius error of B.
    modes : array, shape (records, r)
        σ̃_i of the compressed network.
    residual : array, shape (records,)
        β^L.
    rounding : array, shape (records,)
        Bound on the error of every σ̃_i and of β^L.
    """

    blocks: Blocks
    times: np.ndarray
    errors: np.ndarray
    values: np.ndarray
    accuracy: np.ndarray
    modes: np.ndarray
    residual: np.ndarray
    rounding: np.ndarray

    def excess(self, r_hat: int) -> int:
        """e = r̂ − r − (d − k), the idle directions that the copies do not make up for."""
        return r_hat - self.blocks.spectrum.size - self.blocks.copies

    def margin(self, r_hat: int) -> np.ndarray:
        """‖W − M*‖² − ‖W̃ − M*‖², shape (records, starts)."""
        fitted = np.linalg.norm(self.modes - self.blocks.spectrum, axis=1)
        plain = theorem2.margins(self.errors, fitted[:, None])
        return plain - self.excess(r_hat) * self.residual[:, None] ** 2

    def margin_error(self, r_hat: int) -> np.ndarray:
        """Bound its numerical error: (2e + δ) δ of each squared distance, and their rounding."""
        idle = abs(self.excess(r_hat))
        narrow = np.sum((self.modes - self.blocks.spectrum) ** 2, axis=1) + idle * self.residual**2
        shift = self.rounding * (self.blocks.spectrum.size + idle) ** 0.5
        compressed = (2 * np.sqrt(narrow) + shift) * shift
        wide = (2 * self.errors + self.accuracy) * self.accuracy
        rounded = ROUNDING * self.values.shape[-1] * EPS * (self.errors**2 + narrow[:, None])
        return wide + compressed[:, None] + rounded

    def ahead(self) -> tuple[np.ndarray, np.ndarray]:
        """How far the wide network is ahead, max_i σ_i − σ̃_i ≥ 0, and its error.

        Equal copies on both sides do not change the order, so the blocks' k values are compared
        with the first k of the compressed network with r̂ = d.
        """
        k = self.values.shape[-1]
        idle = np.repeat(self.residual[:, None], k - self.modes.shape[1], axis=1)
        leading = -np.sort(-np.hstack([self.modes, idle]), axis=1)
        margin = dominance.margins(self.values, leading[:, None, :])
        return -margin, self.accuracy + self.rounding[:, None]

    def converged(self) -> np.ndarray:
        """Whether both networks have fitted every mode when the run ends, shape (starts,)."""
        spectrum = self.blocks.spectrum
        narrow = np.all(np.abs(self.modes[-1] - spectrum) <= FITTED * spectrum)
        return np.isfinite(self.fitted_at()) & narrow

    def fitted_at(self) -> np.ndarray:
        """When the last mode of each wide network is fitted for good, shape (starts,); or inf."""
        rank = self.blocks.spectrum.size
        gaps = np.abs(self.values[..., :rank] - self.blocks.spectrum) / self.blocks.spectrum
        open_ = np.any(gaps > FITTED, axis=-1)
        first = self.times.size - np.argmax(open_[::-1], axis=0)  # after the last open record
        first = np.where(open_.any(axis=0), first, 0)
        return np.append(self.times, np.inf)[first]


# ---------------------------------------------------------------------- starts


def _haar(d: int, rank: int, rng: np.random.Generator) -> np.ndarray:
    """Draw Q uniformly; of a target without a kernel only those that can fit it, det Q = 1.

    The flow keeps the sign of det W, as d log det W_l/dt is finite, and det M* > 0 here.
    """
    Q = orthonormal_frame(d, d, rng)
    if rank == d and np.linalg.det(Q) < 0:
        Q[:, 0] *= -1
    return Q


def _aligned(d: int, rank: int, rng: np.random.Generator) -> np.ndarray:
    return np.eye(d)


def _turned(d: int, rank: int, rng: np.random.Generator) -> np.ndarray:
    """Turn each target direction into an idle one by an angle near π, log-uniformly distributed.

    In the plane of such a rotation (`dlnlab.proofs.turned_start`) the idle value decays at the rate
    Lσ_2^{2−2/L}(σ_2 + σ* sin²a), the fastest there is while a, half the angle, stays near π/2.  It
    does so the longer the closer to π the start is; at π it never fits.  Where idle directions are
    too few, target directions are turned into each other.
    """
    Q, idle = np.eye(d), min(rank, d - rank)
    pairs = [(i, rank + i) for i in range(idle)]
    pairs += list(zip(range(idle, rank - 1, 2), range(idle + 1, rank, 2), strict=True))
    for pair in pairs:
        angle = np.pi - np.exp(rng.uniform(np.log(0.02), np.log(2.0)))
        Q[np.ix_(pair, pair)] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    return Q


STARTS: dict[str, Callable[[int, int, np.random.Generator], np.ndarray]] = {
    "haar": _haar,
    "turned": _turned,
    "aligned": _aligned,
}
"""Q by name: uniformly random, near-worst, and the one that Theorem 2 is about."""

FORMED_UP_TO = 64
"""Largest width for which Q is formed; beyond it only uniformly random starts can be drawn."""


def draw(
    kind: str, count: int, d: int, spectrum: Sequence[float], depth: int, eps: float, seed: int
) -> Blocks:
    """Draw starts of one kind and reduce them.

    Parameters
    ----------
    kind : str
        One of `STARTS`.
    count, d, spectrum, depth, eps
        Starts, width, σ* in decreasing order, L and ε.
    seed : int

    Raises
    ------
    ValueError
        If there is no such kind, or it has to be formed and is too large.
    """
    if kind not in STARTS:
        raise ValueError(f"`kind` must be one of {list(STARTS)}, got {kind!r}")
    if kind != "haar" and d > FORMED_UP_TO:
        raise ValueError(f"`d` must be at most {FORMED_UP_TO} for {kind} starts, got {d}")
    rng, values = np.random.default_rng(seed), np.asarray(spectrum, dtype=float)
    frame = np.eye(d, values.size)
    problem = factorization(FactoredTarget(frame, values, frame.T))
    left, right = [], []
    for _ in range(count):
        if d > FORMED_UP_TO:
            reduction = parsimony.reduce_random(problem, depth, eps, rng=rng)
        else:
            Q = STARTS[kind](d, values.size, rng)
            layers = (*[eps * np.eye(d)] * (depth - 1), eps * Q)
            reduction = parsimony.reduce(problem, layers)
        U, _, Vh = reduction.problem.target_svd
        k = d - reduction.multiplicity
        left.append(U[:k])
        right.append(Vh.T[:k])
    U, V = np.stack(left), np.stack(right)
    return Blocks((U * values) @ np.swapaxes(V, -1, -2), U, V, values, d, depth, eps)


# ---------------------------------------------------------------------- runs


def flow(blocks: Blocks) -> Run:
    """Follow both gradient flows until the slowest start has settled."""
    law = blocks.law()
    horizon = law.horizon(FITTED)
    scale = max(float(blocks.spectrum[0]), blocks.start)
    stiffness = blocks.depth * scale ** (2 - 2 / blocks.depth)
    spacing = max(0.4 / stiffness, horizon / SAMPLES)
    grid = np.arange(1, round(LATEST * horizon / spacing)) * spacing
    rises = law.rises(float(grid[-1]))
    grid = grid if rises is None else np.unique(np.concatenate([grid, rises]))
    problem = factorization(blocks.targets)
    goal = SETTLED * min(blocks.start, float(blocks.spectrum[-1]))

    def unsettled(t: float, W: np.ndarray) -> float:
        gap = W - blocks.targets
        rows, columns = np.swapaxes(blocks.left, -1, -2) @ gap, gap @ blocks.right
        largest = max(np.max(np.linalg.norm(part, axis=(-2, -1))) for part in (rows, columns))
        return float(largest) - goal

    times, wide, accuracy = bounded_flow(problem, blocks.weights, grid, stop=unsettled)
    found = law.at(times)
    return Run(
        blocks,
        times,
        problem.error(wide),
        spectra.singular_values(wide),
        accuracy,
        found.modes,
        found.residual,
        found.rounding(),
    )


def stable_step(blocks: Blocks) -> float:
    """2/(L σ_1*^{2−2/L}), beyond which a fitted network is not stable."""
    return 2 / (blocks.depth * float(blocks.spectrum[0]) ** (2 - 2 / blocks.depth))


def descend(blocks: Blocks, eta: float, seed: int) -> Run:
    """Follow gradient descent of both networks for a few times what the compressed flow needs.

    The wide networks run a second time in other coordinates, drawn from `seed`; the distance bounds
    the rounding, which grows where modes do.
    """
    law = blocks.law()
    steps = int(np.ceil(PATIENCE * law.horizon(FITTED) / eta))
    every = max(1, steps // RECORDS)
    k = blocks.targets.shape[-1]
    turn = orthonormal_frame(k, k, np.random.default_rng(seed))
    wide, other = (
        gradient_descent(
            factorization(targets),
            blocks.weights,
            eta=eta,
            num_steps=steps,
            record_every=every,
            record=("end_to_end",),
        )
        for targets in (blocks.targets, turn @ blocks.targets @ turn.T)
    )
    W = np.asarray(wide.end_to_end)
    distance = np.linalg.norm(turn @ W @ turn.T - other.end_to_end, axis=(-2, -1))
    distance = np.maximum.accumulate(distance, axis=0)  # two runs may meet by chance
    values, shift = _descent_law(blocks, eta, steps)
    picked = wide.steps
    return Run(
        blocks,
        eta * picked,
        np.linalg.norm(W - blocks.targets, axis=(-2, -1)),
        spectra.singular_values(W),
        SAFETY * distance,
        values[picked, :-1],
        values[picked, -1],
        shift[picked],
    )


def _descent_law(blocks: Blocks, eta: float, steps: int) -> tuple[np.ndarray, np.ndarray]:
    """The compressed network's values, β^L last, and a bound on their rounding.

    A step rounds the layers by a few units; a perturbation matters the more the earlier it comes.
    So n steps round no worse than a start that is off by n units, which is tried.
    """
    targets = np.append(blocks.spectrum, 0.0)
    exact, moved = (
        modes.descent(targets, eps, blocks.depth, eta, steps)
        for eps in (blocks.eps, blocks.eps * (1 + steps * EPS))
    )
    shift = np.max(np.abs(moved - exact), axis=1)
    return exact, ROUNDING * EPS * blocks.depth + np.maximum.accumulate(shift)
