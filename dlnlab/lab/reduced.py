"""The original and the compressed network side by side, for a batch of reduced blocks.

The d − k directions outside the blocks (`validations.blocks`) have the singular value β^L, as the
compressed network's r̂ − r idle directions do.  These copies cancel in the margin of Theorem 2:

    ‖W − M*‖² − ‖W̃ − M*‖² = ‖B − T‖² − Σ_{i≤r} (σ̃_i − σ_i*)² − e β^{2L},   e = r̂ − r − (d − k),

B being the block and T its target.  So the width enters through the law of Q's corner and through
e alone, and the difference is computed without the cancellation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlnlab.claims import dominance, theorem2
from dlnlab.flow.two_runs import bound_so_far
from dlnlab.lab.blocks import Blocks
from dlnlab.lab.flows import bounded_flow
from dlnlab.numerics import spectra
from dlnlab.numerics.frames import orthonormal_frame
from dlnlab.problems import factorization
from dlnlab.reductions import modes
from dlnlab.training.descent import gradient_descent

__all__ = [
    "EPS",
    "FITTED",
    "LATEST",
    "PATIENCE",
    "RECORDS",
    "ROUNDING",
    "SAMPLES",
    "SETTLED",
    "BlockRun",
    "descend",
    "flow",
]

SAMPLES = 300
"""Records per horizon of the compressed network, at least: the worst record lies on a maximum that
is flat on the scale of their distance."""

LATEST = 25.0
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
"""Units of rounding, per layer, of a value of the compressed descent beside those that grow."""

EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class BlockRun:
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
        """e = r̂ − r − (d − k), the idle directions that the copies do not make up for.

        Parameters
        ----------
        r_hat : int
            r̂.

        Returns
        -------
        int
        """
        return r_hat - self.blocks.spectrum.size - self.blocks.copies

    def margin(self, r_hat: int) -> np.ndarray:
        """‖W − M*‖² − ‖W̃ − M*‖², shape (records, starts).

        Parameters
        ----------
        r_hat : int
            r̂.

        Returns
        -------
        array, shape (records, starts)
        """
        fitted = np.linalg.norm(self.modes - self.blocks.spectrum, axis=1)
        plain = theorem2.margins(self.errors, fitted[:, None])
        return plain - self.excess(r_hat) * self.residual[:, None] ** 2

    def margin_error(self, r_hat: int) -> np.ndarray:
        """Bound its numerical error, shape (records, starts).

        Parameters
        ----------
        r_hat : int
            r̂.

        Returns
        -------
        array, shape (records, starts)
        """
        idle, count = abs(self.excess(r_hat)), self.blocks.spectrum.size
        fitted = np.sum((self.modes - self.blocks.spectrum) ** 2, axis=1)
        narrow = np.sqrt(fitted + idle * self.residual**2)
        shift = self.rounding * (count + idle) ** 0.5
        return theorem2.margin_error(
            self.errors,
            narrow[:, None],
            self.accuracy,
            shift[:, None],
            self.values.shape[-1],
        )

    def ahead(self) -> tuple[np.ndarray, np.ndarray]:
        """Return how far the wide network is ahead, max_i σ_i − σ̃_i ≥ 0, and its error.

        Equal copies on both sides do not change the order, so the blocks' k values are compared
        with the first k of the compressed network with r̂ = d.

        Returns
        -------
        tuple of 2 arrays, shape (records, starts)
        """
        k = self.values.shape[-1]
        idle = np.repeat(self.residual[:, None], k - self.modes.shape[1], axis=1)
        leading = -np.sort(-np.hstack([self.modes, idle]), axis=1)
        margin = dominance.margins(self.values, leading[:, None, :])
        return -margin, self.accuracy + self.rounding[:, None]

    def converged(self) -> np.ndarray:
        """Tell for every start whether both networks have fitted every mode when the run ends.

        Returns
        -------
        boolean array, shape (starts,)
        """
        spectrum = self.blocks.spectrum
        narrow = np.all(np.abs(self.modes[-1] - spectrum) <= FITTED * spectrum)
        return np.isfinite(self.fitted_at()) & narrow

    def fitted_at(self) -> np.ndarray:
        """When the last mode of each wide network is fitted for good, shape (starts,); or inf.

        Returns
        -------
        array, shape (starts,)
        """
        rank = self.blocks.spectrum.size
        gaps = np.abs(self.values[..., :rank] - self.blocks.spectrum) / self.blocks.spectrum
        open_ = np.any(gaps > FITTED, axis=-1)
        first = self.times.size - np.argmax(open_[::-1], axis=0)  # after the last open record
        first = np.where(open_.any(axis=0), first, 0)
        return np.append(self.times, np.inf)[first]


def flow(blocks: Blocks) -> BlockRun:
    """Follow both gradient flows until the slowest start has settled.

    Parameters
    ----------
    blocks : Blocks

    Returns
    -------
    BlockRun
    """
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
    return BlockRun(
        blocks,
        times,
        problem.error(wide),
        spectra.singular_values(wide),
        accuracy,
        found.modes,
        found.residual,
        found.rounding(),
    )


def descend(blocks: Blocks, eta: float, seed: int) -> BlockRun:
    """Follow gradient descent of both networks for a few times what the compressed flow needs.

    The wide networks run a second time in other coordinates, drawn from `seed`; the distance bounds
    the rounding, which grows where modes do.

    Parameters
    ----------
    blocks : Blocks
    eta : float
        η.
    seed : int

    Returns
    -------
    BlockRun
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
    values, shift = _descent_law(blocks, eta, steps)
    picked = wide.steps
    return BlockRun(
        blocks,
        eta * picked,
        np.linalg.norm(W - blocks.targets, axis=(-2, -1)),
        spectra.singular_values(W),
        bound_so_far(distance),
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
