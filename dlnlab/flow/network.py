"""The original network at its start, in the coordinates in which its flow is computed.

These are those of its exact reduction, where it has one, turned so that the target is diagonal, and
in the units of `dlnlab.flow.units`: σ_1* = 1.

What can be known before the run is found here.  Balanced gradient flow never changes the rank of
W_{L:1}: by Proposition 1, σ̇_i is σ_i^{2−2/L} times something bounded.  So where W_{L:1}(0) and M*
are block diagonal in the same coordinates, with a square block in which M* is invertible, the sign
of the determinant of that block is constant.  If it is negative the block can never become M*'s:
the flow tends to a saddle, at which the smallest mode of the block is zero, and no integrator that
does not know it stays there.  For r = d that happens to half of all random starts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csgraph

from dlnlab import networks
from dlnlab.claims import assumption1, proposition1
from dlnlab.flow.units import Units
from dlnlab.networks import Weights
from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array
from dlnlab.problems import Factorization
from dlnlab.problems.targets import FactoredTarget
from dlnlab.reductions import parsimony
from dlnlab.reductions.parsimony import Reduction
from dlnlab.reductions.reduced import ReducedFactorization

__all__ = [
    "FORMED_UP_TO",
    "LARGEST_EPS",
    "LARGEST_START",
    "ROUNDING",
    "OriginalNetwork",
    "SignedBlock",
    "diagonal_problem",
]

FORMED_UP_TO = 1000
"""Largest side of a factored target for which the full network is formed."""

LARGEST_START = 280
"""Orders of magnitude between ε^L and σ_1*."""

LARGEST_EPS = 1e5
"""Balanced layers of size ε are unbalanced by uε² through rounding, which the flow conserves."""

ROUNDING = 16 * float(np.finfo(float).eps)
"""What rounding may have done to an entry of the start relative to ‖W‖₂: the coordinates of
singular vectors carry a few units of it.  Entries below are taken to be zero, and starts are moved
by as much to see what it does to their flow."""


class SignedBlock(NamedTuple):
    """A square block of W_{L:1}(0) and M* whose determinant keeps its sign.

    Attributes
    ----------
    axes : array of int
        Coordinates it spans, the same for rows and columns, below r.
    trapped : bool
        Whether that sign is not the target's.
    """

    axes: np.ndarray
    trapped: bool


class OriginalNetwork:
    """The original network at its start.

    Attributes
    ----------
    full : Factorization
        The problem as the user posed it.
    units : Units
    problem : ReducedFactorization
        What is integrated, on the host: target diag(1, σ_2*/σ_1*, …), σ_1* = 1, c = 1.
    weights : tuple of L arrays
        The start in that problem.
    eps, start : float
        ε and ε^L there.
    reduction : Reduction or None
    balancedness, aligned : Premise
        The premise of Proposition 1, measured on the full start where that is formed, and that of
        Theorem 2, Q v_i* = u_i*.
    blocks : list of SignedBlock
    depth : int
        L.
    rng : numpy.random.Generator or int
    width : int, sequence of ints or None
        Hidden widths.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed, or the network would not fit in memory.
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
        s = np.asarray(arrays.to_host(full.target_svd.s), dtype=float)
        self.units = Units(float(s[0]), float(full.scale), depth)
        self.eps = self._canonical(eps)
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
            layers = networks.check_weights(weights)
            start = self._use([checks.in_double("weights", W) for W in layers], depth)
        self.balancedness = proposition1.balancedness(start)
        self._diagonalize(start, s / s[0])
        self.start = self.eps**depth
        W = networks.prefix_products(self.weights)[-1]
        self.aligned = assumption1.aligned_start(W, self.problem.target.to_dense(), self.start)
        self.blocks = self._blocks(W) if self.balancedness.met else []

    def _canonical(self, eps: float) -> float:
        """Return ε in canonical units, if ε^L is a number there."""
        canonical, depth = eps / self.units.layer, self.units.depth
        size = depth * math.log10(canonical) if canonical > 0 else -math.inf
        if not abs(size) < LARGEST_START:
            raise ValueError(
                f"`eps` must be such that eps**depth / σ_1* lies between 1e-{LARGEST_START} and "
                f"1e{LARGEST_START}, to be represented with all digits, got {eps:g} with depth "
                f"{depth}: about 10^{size:.0f}"
            )
        if canonical > LARGEST_EPS:
            raise ValueError(
                f"`eps` must be at most {LARGEST_EPS:g} times σ_1*^(1/depth) = "
                f"{self.units.layer:g}: the rounding of larger layers would outweigh the target, "
                f"got {eps:g}"
            )
        return canonical

    def _use(self, weights: Sequence[Array], depth: int) -> Weights:
        """Reduce a network that is given; keep it whole if it has no reduction."""
        checked = networks.check_weights(weights)
        if len(checked) != depth or any(W.ndim > 2 for W in checked):
            raise ValueError(
                f"`weights` must be one network of depth = {depth} layers, got {len(checked)} "
                f"layers of shape {tuple(checked[0].shape)}, …"
            )
        for index, W in enumerate(checked):
            if not bool(arrays.namespace(W).any(W != 0)):
                raise ValueError(
                    f"`weights[{index}]` must not be a matrix of zeros: W_{{L:1}}(0) = 0 is no "
                    "start of size ε"
                )
        try:
            self.reduction = parsimony.reduce(self.full, checked)
        except parsimony.NoReductionError:
            self.reduction = None
        return tuple(arrays.to_host(W) for W in checked)

    def _diagonalize(self, start: Weights, s: np.ndarray) -> None:
        """Turn the coordinates at both ends so that the target is diagonal, and change units."""
        if self.reduction is None:
            U, _, Vh = (np.asarray(arrays.to_host(part)) for part in self.full.target_svd)
            weights, multiplicity = start, 0
        else:
            small = self.reduction.to_host()
            U, _, Vh = small.problem.target_svd
            weights, multiplicity = small.weights, small.multiplicity
        corner = min(multiplicity, 1)
        self._frames = _completed(U, corner), _completed(Vh.T, corner)
        layers = [W / self.units.layer for W in weights]
        layers[-1] = self._frames[0].T @ layers[-1]
        layers[0] = layers[0] @ self._frames[1]
        self.weights = tuple(layers)
        shape = layers[-1].shape[0], layers[0].shape[1]
        self.problem = diagonal_problem(shape, s, multiplicity, self.full)

    @property
    def trapped(self) -> np.ndarray:
        """Modes that the flow can never fit, counted from 0."""
        return np.array(sorted(b.axes[-1] for b in self.blocks if b.trapped), dtype=int)

    def unfitted(self, W: np.ndarray, modes: np.ndarray) -> float:
        """Return how far W is from what the flow can come to, relative to the smallest such mode.

        Parameters
        ----------
        W : array
            In the coordinates of the remaining modes, which come first.
        modes : array of int
            Which these are.

        Returns
        -------
        float
            ‖W − M*‖_F in the target's subspaces over the smallest σ_i* that can be fitted, 0 if
            none can.  If modes are trapped, as many singular values of W − M* do not count, and
            the largest distance of those of W from the σ_i* that are left does.
        """
        s, lost = np.asarray(self.problem.target.s)[modes], np.isin(modes, self.trapped)
        left, count = s[~lost], int(np.count_nonzero(~lost))
        if not count:
            return 0.0
        W = W[: modes.size, : modes.size]
        gap = W - np.diag(s)
        if count == s.size:
            return float(np.linalg.norm(gap)) / float(left[-1])
        rest = np.linalg.svdvals(gap)[s.size - count :]
        values = np.abs(np.linalg.svdvals(W)[:count] - left)
        return max(float(np.linalg.norm(rest)), float(np.max(values))) / float(left[-1])

    def _blocks(self, W: np.ndarray) -> list[SignedBlock]:
        """Find the blocks in which both W(0) and M* are invertible."""
        (rows, columns), rank = W.shape, self.problem.target.rank
        linked = np.zeros((rows + columns, rows + columns), dtype=bool)
        linked[:rows, rows:] = np.abs(W) > ROUNDING * np.max(np.abs(W))
        linked[np.arange(rank), rows + np.arange(rank)] = True
        count, labels = csgraph.connected_components(linked, directed=False)
        found = []
        for label in range(count):
            outputs = np.flatnonzero(labels[:rows] == label)
            inputs = np.flatnonzero(labels[rows:] == label)
            if np.array_equal(outputs, inputs) and outputs.size and outputs[-1] < rank:
                sign = np.linalg.slogdet(W[np.ix_(outputs, inputs)])[0]
                found.append(SignedBlock(outputs, bool(sign < 0)))
        return found

    def perturbed(self, seed: int) -> Weights:
        """Return the start moved by what rounding may have done to it.

        It turns against the target by `ROUNDING` in every plane, within the blocks, and the layers
        change by as much in size; orthogonality, balancedness and the sign of every determinant
        remain.  All turns are those of the output: together with turns of the input they would
        cancel in some planes.

        Parameters
        ----------
        seed : int
            Of the signs of what is added.

        Returns
        -------
        tuple of L arrays, shapes (..., d_l, d_{l−1})
        """
        rng = np.random.default_rng(seed)
        label = np.zeros(max(self.problem.shape), dtype=int)
        for number, block in enumerate(self.blocks, start=1):
            label[block.axes] = number
        size = 1 + ROUNDING * rng.choice([-1.0, 1.0])
        layers = [size * W for W in self.weights]
        corner = min(self.problem.multiplicity, 1)
        layers[-1] = _turn(layers[-1].shape[0], label, corner, rng) @ layers[-1]
        return tuple(layers)

    def matrix(self, block: np.ndarray) -> Array:
        """Return the full end-to-end matrix from the one in `problem`.

        Parameters
        ----------
        block : array
            W of the reduced network.

        Returns
        -------
        array, shape (d_out, d_in)
        """
        left, right = self._frames
        W = self.units.matrix * (left @ block @ right.T)
        if self.reduction is None:
            return W
        initial = self.reduction.initial
        return self.reduction.lift_end_to_end(W if initial is None else arrays.like(W, initial[0]))


def diagonal_problem(
    shape: tuple[int, int], s: np.ndarray, multiplicity: int, full: Factorization
) -> ReducedFactorization:
    """Return the factorization of diag(s) with c = 1, its last coordinate counted so often.

    Parameters
    ----------
    shape : (int, int)
        (d_out, d_in).
    s : array, shape (r,)
    multiplicity : int
    full : Factorization
        The problem of the given network.

    Returns
    -------
    ReducedFactorization
    """
    target = FactoredTarget(np.eye(shape[0], s.size), s, np.eye(s.size, shape[1]))
    problem = ReducedFactorization(target, multiplicity, full)
    problem.scale = 1.0
    return problem


def _completed(frame: np.ndarray, corner: int) -> np.ndarray:
    """Complete orthonormal columns to an orthogonal matrix that leaves the corner alone."""
    rows, rank = frame.shape
    whole = np.eye(rows)
    inner = rows - corner
    whole[:inner, :inner] = np.linalg.qr(frame[:inner], mode="complete")[0]
    whole[:, :rank] = frame
    return whole


def _turn(size: int, label: np.ndarray, corner: int, rng: np.random.Generator) -> np.ndarray:
    """I + A with entries ±`ROUNDING` of a skew A within the blocks; orthogonal up to A²."""
    signs = np.triu(rng.choice([-1.0, 1.0], size=(size, size)), 1)
    signs[label[:size, None] != label[None, :size]] = 0.0
    if corner:
        signs[:, -1] = 0.0
    return np.eye(size) + ROUNDING * (signs - signs.T)


def _too_large(problem: Factorization) -> bool:
    return isinstance(problem.target, FactoredTarget) and max(problem.shape) > FORMED_UP_TO
