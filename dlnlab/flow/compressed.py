"""The compressed network's gradient flow from the spectral start, in closed form.

By Theorem 1 it stays diagonal in the target's singular vectors, so its singular values are those of
independent modes (`dlnlab.modes`) and its alignments are 1 at all times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlnlab.reductions import modes
from dlnlab.training.trajectory import Status, Trajectory

__all__ = ["STANDING", "CompressedFlow", "Evaluation", "mode_rounding"]

STANDING = 1e-12
"""A mode that starts this close to its target, as a fraction of it, has no rise to resolve: between
the two there are too few numbers for twenty different values."""


@dataclass(frozen=True)
class CompressedFlow:
    """The compressed flow in closed form, given by targets, depth and start.

    Attributes
    ----------
    targets : array, shape (r,)
        σ_i*.
    r_hat, depth, eps
        r̂, L and ε.
    scale : float
        The problem's factor c.
    """

    targets: np.ndarray
    r_hat: int
    depth: int
    eps: float
    scale: float

    @property
    def start(self) -> float:
        """ε^L, the initial value of every singular value."""
        return self.eps**self.depth

    @property
    def spare(self) -> int:
        """r̂ − r, or 0: directions without a target."""
        return max(self.r_hat - self.targets.size, 0)

    def fitting_times(self, within: float) -> np.ndarray:
        """Return t_i, ``inf`` for the modes beyond r̂.

        Parameters
        ----------
        within : float
            A singular value counts as fitted within this fraction of its target.

        Returns
        -------
        array, shape (r,)
        """
        times = modes.fitting_times(
            self.targets, self.eps, self.depth, within=within, scale=self.scale
        )
        return np.where(np.arange(times.size) < self.r_hat, times, np.inf)

    def horizon(self, within: float) -> float:
        """Return when a network with r̂ ≥ r has fitted every mode, with room for one more rise.

        Parameters
        ----------
        within : float
            A singular value counts as fitted within this fraction of its target.

        Returns
        -------
        float
        """
        every = modes.fitting_times(
            self.targets, self.eps, self.depth, within=within, scale=self.scale
        )
        rise = 1 / (self.scale * self.targets[-1] ** (2 - 2 / self.depth))
        return float(np.max(every)) + rise

    def rises(self, t_end: float) -> np.ndarray | None:
        """Return increasing times in (0, t_end] that resolve every mode's way to its target.

        They are the times at which a mode has gone a twentieth, two twentieths, … of its way; with
        many modes, fewer of each.

        Parameters
        ----------
        t_end : float

        Returns
        -------
        array, or None if there is none to resolve
        """
        shares = np.linspace(0, 1, max(5, min(20, 400 // self.targets.size)) + 1)[1:-1]
        times = [
            modes.flow_times(
                self.start + shares * (sigma - self.start),
                float(sigma),
                self.eps,
                self.depth,
                scale=self.scale,
            )
            for sigma in self.targets
            if abs(sigma - self.start) > STANDING * sigma
        ]
        inside = np.unique(np.concatenate(times)) if times else np.empty(0)
        inside = inside[(inside > 0) & (inside <= t_end)]
        return inside if inside.size else None

    def at(self, times: np.ndarray) -> Evaluation:
        """Evaluate the flow at the given times.

        Parameters
        ----------
        times : array, shape (records,)

        Returns
        -------
        Evaluation
        """
        every = np.append(self.targets, 0.0)
        values = modes.flow(times, every, self.eps, self.depth, scale=self.scale)
        return Evaluation(self, times, values[:, :-1], values[:, -1])


@dataclass(frozen=True)
class Evaluation:
    """The compressed flow on a time grid.

    Attributes
    ----------
    law : CompressedFlow
    times : array, shape (records,)
    modes : array, shape (records, r)
        Singular values of the modes with a target, as if r̂ ≥ r.
    residual : array, shape (records,)
        β(t)^L, of each of the other modes.
    """

    law: CompressedFlow
    times: np.ndarray
    modes: np.ndarray
    residual: np.ndarray

    def leading(self, count: int) -> np.ndarray:
        """Return the `count` leading singular values of the network with r̂ = d, sorted.

        Parameters
        ----------
        count : int
            How many.

        Returns
        -------
        array, shape (records, count)
        """
        spare = max(count - self.modes.shape[1], 0)
        values = np.hstack([self.modes, np.repeat(self.residual[:, None], spare, axis=1)])
        return -np.sort(-values, axis=1)[:, :count]

    def singular_values(self, count: int) -> np.ndarray:
        """Return the `count` leading singular values for this r̂; 0 beyond it.

        Parameters
        ----------
        count : int
            How many.

        Returns
        -------
        array, shape (records, count)
        """
        r_hat, rank = self.law.r_hat, self.modes.shape[1]
        own = np.hstack(
            [
                self.modes[:, : min(rank, r_hat)],
                np.repeat(self.residual[:, None], self.law.spare, axis=1),
                np.zeros((self.times.size, max(count - r_hat, 0))),
            ]
        )
        return -np.sort(-own, axis=1)[:, :count]

    def errors(self) -> np.ndarray:
        """Return the recovery error ‖W̃ − M*‖_F.

        Returns
        -------
        array, shape (records,)
        """
        fitted = self.modes.copy()
        fitted[:, self.law.r_hat :] = 0.0
        squares = np.sum((fitted - self.law.targets) ** 2, axis=1)
        return np.sqrt(squares + self.law.spare * self.residual**2)

    def rounding(self) -> np.ndarray:
        """Bound the rounding error of every σ̃_i(t) by the largest of `mode_rounding`.

        Returns
        -------
        array, shape (records,)
        """
        law = self.law
        times = self.times[:, None]
        found = mode_rounding(self.modes, law.targets, times, law.depth, scale=law.scale)
        return np.max(found, axis=1)

    def matrix_rounding(self) -> np.ndarray:
        """Bound the Frobenius error of W̃(t), √r̂ times that of a singular value.

        Returns
        -------
        array, shape (records,)
        """
        return self.law.r_hat**0.5 * self.rounding()

    def trajectory(self, count: int) -> Trajectory:
        """Return the flow as a trajectory, its weights in the target's singular coordinates.

        Parameters
        ----------
        count : int
            How many.

        Returns
        -------
        Trajectory
        """
        rank, r_hat, errors = self.modes.shape[1], self.law.r_hat, self.errors()
        aligned = np.where(np.arange(rank) < r_hat, 1.0, np.nan) * np.ones((self.times.size, 1))
        final = np.append(self.modes[-1, :r_hat], np.full(self.law.spare, self.residual[-1]))
        layer = np.diag(final ** (1 / self.law.depth))
        return Trajectory(
            times=self.times,
            steps=np.zeros(self.times.size, dtype=np.int64),
            weights=(layer,) * self.law.depth,
            status=Status.COMPLETED,
            seconds=0.0,
            losses=0.5 * self.law.scale * errors**2,
            errors=errors,
            singular_values=self.singular_values(count),
            left_alignments=aligned,
            right_alignments=aligned,
            drift=0.0,
        )


def mode_rounding(
    values: np.ndarray, targets: np.ndarray, times: np.ndarray, depth: int, *, scale: float = 1.0
) -> np.ndarray:
    """Bound the rounding error of σ̃(t): units of σ̃ itself, and of t times its speed.

    A time carries a rounding of u·t, which moves σ̃ by |dσ̃/dt| u t.  The closed form finds the
    logit of σ̃/σ*, whose rounding is that of a logarithm, so relative to σ̃ it is u times
    1 + |log(σ̃/σ*)|.  Eight units of each cover the evaluation and its inversion; without a target
    β^L is a power, of 1 plus t times a rate.

    Parameters
    ----------
    values : array
        σ̃.
    targets, times : array
        σ* and t, of shapes that broadcast with it.
    depth : int
        L.
    scale : float
        The problem's factor c.

    Returns
    -------
    array
        Of the shape of `values`.
    """
    speed = depth * scale * values ** (2 - 2 / depth) * np.abs(values - targets)
    logs = np.log(np.divide(values, targets, out=np.ones_like(values), where=targets > 0))
    return 8 * float(np.finfo(float).eps) * (values * (1 + np.abs(logs)) + speed * times)
