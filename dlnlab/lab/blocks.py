"""Wide networks of any width in their reduced blocks, many starts at once.

Up to the choice of coordinates a wide network starts as (εI, …, εI, εQ), and its target is
M* = diag(σ*, 0).  By the reduction of `dlnlab.parsimony` it is a block of k = min(2r, d) dimensions
and d − k further directions whose singular value is β(t)^L, exactly that of an idle direction of
the compressed network.  So a batch of networks of any width is a batch of k × k blocks that all
start at εI, each with its own target T, in which all that matters of Q is found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from dlnlab.flow.compressed import CompressedFlow
from dlnlab.numerics.frames import orthonormal_frame
from dlnlab.problems import factorization
from dlnlab.problems.targets import FactoredTarget
from dlnlab.reductions import parsimony

__all__ = ["FORMED_UP_TO", "TURNS", "Blocks", "draw", "stable_step"]


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
        """The singular value ε^L of every start."""
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
        """The flow of the compressed network in closed form.

        Returns
        -------
        CompressedFlow
        """
        return CompressedFlow(self.spectrum, self.spectrum.size, self.depth, self.eps, 1.0)


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


def _quarter(d: int, rank: int, rng: np.random.Generator) -> np.ndarray:
    """Turn each target direction into an idle one by π/2: the limit of random starts for d → ∞.

    All that matters of Q is its corner UᵀQV, whose entries are of the size 1/√d; here it is 0.
    """
    Q = np.eye(d)
    for i in range(rank):
        pair = (i, rank + i)
        Q[np.ix_(pair, pair)] = [[0.0, -1.0], [1.0, 0.0]]
    return Q


TURNS: dict[str, Callable[[int, int, np.random.Generator], np.ndarray]] = {
    "haar": _haar,
    "turned": _turned,
    "quarter": _quarter,
    "aligned": _aligned,
}
"""Q by name: uniformly random, near-worst, the limit of the random ones (for d ≥ 2r), and the one
that Theorem 2 is about."""

FORMED_UP_TO = 64
"""Largest width for which Q is formed; beyond it only uniformly random starts can be drawn."""


def draw(
    kind: str, count: int, d: int, spectrum: Sequence[float], depth: int, eps: float, seed: int
) -> Blocks:
    """Draw starts of one kind and reduce them.

    Parameters
    ----------
    kind : str
        One of `TURNS`.
    count, d, spectrum, depth, eps
        Starts, width, σ* in decreasing order, L and ε.
    seed : int

    Returns
    -------
    Blocks

    Raises
    ------
    ValueError
        If there is no such kind, or it has to be formed and is too large.
    """
    if kind not in TURNS:
        raise ValueError(f"`kind` must be one of {list(TURNS)}, got {kind!r}")
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
            Q = TURNS[kind](d, values.size, rng)
            layers = (*[eps * np.eye(d)] * (depth - 1), eps * Q)
            reduction = parsimony.reduce(problem, layers)
        U, _, Vh = reduction.problem.target_svd
        k = d - reduction.multiplicity
        left.append(U[:k])
        right.append(Vh.T[:k])
    U, V = np.stack(left), np.stack(right)
    return Blocks((U * values) @ np.swapaxes(V, -1, -2), U, V, values, d, depth, eps)


def stable_step(blocks: Blocks) -> float:
    """2/(L σ_1*^{2−2/L}), beyond which a fitted network is not stable.

    Parameters
    ----------
    blocks : Blocks

    Returns
    -------
    float
    """
    return 2 / (blocks.depth * float(blocks.spectrum[0]) ** (2 - 2 / blocks.depth))
