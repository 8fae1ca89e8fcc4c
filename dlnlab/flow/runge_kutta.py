"""Explicit Runge–Kutta pairs, in place, with a cap on the step that follows the stiffness.

The coefficients are SciPy's.  The rest is written anew for three reasons: all arrays are allocated
once; the first step is found from the layers and their velocities alone, so that a problem and the
same problem in other units take the same steps; and a flow whose velocities overflow ends instead
of being tried with ever smaller steps that are not numbers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import integrate
from scipy.linalg import blas

from dlnlab.flow.system import System

__all__ = [
    "CAUTION",
    "FIRST",
    "GROW",
    "OLD",
    "REJECTIONS",
    "ROUNDING",
    "SHRINK",
    "STALLED",
    "DormandPrince5",
    "DormandPrince8",
    "RungeKutta",
]

SHRINK, GROW, CAUTION = 0.2, 10.0, 0.9
"""Limits of the change of a step from one attempt to the next, and the factor of caution on it."""

ROUNDING = 4 * float(np.finfo(float).eps)
"""What rounding does to every entry of a step, relative to the largest."""

FIRST = 0.01
"""The first step, as a fraction of the time in which the layers would change by their own size."""

OLD = 30
"""Steps times layers after which λ is looked at anew."""

REJECTIONS = 600
"""Attempts at one step; `SHRINK` to this power is far below the smallest number there is."""

STALLED = 1e-6
"""A step may be shorter than the spacing of the numbers around t, since the clock keeps what its
rounding loses.  A million steps to that spacing are a solution that blows up, as no gradient
flow does: without this limit it is followed until it overflows, in thousands of steps."""


class RungeKutta:
    """An explicit Runge–Kutta method, given by its tableau.

    Parameters
    ----------
    system : System
    t_end : float
    rtol, atol : float
        Tolerances of a step, of the root mean square over all entries.
    cap : float or None
        Longest step in units of 1/λ (`System.stiffness`); by default the method's own.
    t : float
        Where time starts.

    Attributes
    ----------
    t : float
    y, velocity : array
        The state there, and its velocity; both are new arrays at every step.
    """

    tableau: Any
    order: int
    """Of the error estimate, plus one."""

    stable_step: float

    def __init__(
        self,
        system: System,
        t_end: float,
        rtol: float,
        atol: float,
        cap: float | None = None,
        t: float = 0.0,
    ) -> None:
        self.system, self.t_end, self.rtol, self.atol = system, t_end, rtol, atol
        self.cap = self.stable_step if cap is None else cap
        self.t, self.y = t, system.start
        self._lost = 0.0  # what the clock's rounding has lost, as in a compensated sum
        stages = self.tableau.B.size
        self._K = np.empty((stages + 1 + self._extra_stages(), self.y.size))
        self._trial = np.empty_like(self.y)
        self._calls = system.prepared(self._trial, list(self._K))
        self.velocity = system.velocity(t, self.y)
        self._norm, self._old, self._longest = 0.0, 0, math.inf
        self._dense: Any = None
        self._h = self._first_step()
        self._follow_stiffness()

    def _extra_stages(self) -> int:
        return 0

    def _first_step(self) -> float:
        scale = self.atol + self.rtol * np.abs(self.y)
        size, speed = (float(np.linalg.norm(part / scale)) for part in (self.y, self.velocity))
        return FIRST * size / speed if speed and math.isfinite(size / speed) else self.t_end

    def step(self) -> bool:
        """Advance by one accepted step; False if none can be found.

        Returns
        -------
        bool
        """
        for _ in range(REJECTIONS):
            h = min(self._h, self._longest, self.t_end - self.t)
            if not h > STALLED * np.spacing(self.t):
                return False
            error = self._attempt(h)
            if error < 1:
                self._accept(h, error)
                return True
            self._h = h * (max(SHRINK, self._factor(error)) if math.isfinite(error) else SHRINK)
        return False

    def _factor(self, error: float) -> float:
        return CAUTION * error ** (-1 / self.order) if error else GROW

    def _attempt(self, h: float) -> float:
        """Take all stages of a step of length h; return its error in units of the tolerance."""
        A, B, trial = self.tableau.A, self.tableau.B, self._trial
        self._K[0] = self.velocity
        for stage in range(1, B.size):
            self._stage(stage, A[stage], h)
        self._stage(B.size, B, h)
        scale = np.maximum(np.abs(self.y), np.abs(trial))
        floor = max(self.atol, ROUNDING * float(np.max(scale)))
        scale *= self.rtol
        scale += floor
        return self._error(h, scale)

    def _stage(self, stage: int, weights: np.ndarray, h: float) -> None:
        """Move from y by the stages so far, h Σ_k a_k K_k, and take the velocity there."""
        self._trial[:] = self.y
        blas.dgemv(h, self._K[:stage].T, weights, 1.0, self._trial, 0, 1, 0, 1, 0, 1)
        for call in self._calls[stage]:
            call()

    def _error(self, h: float, scale: np.ndarray) -> float:
        raise NotImplementedError

    def _rms(self, weights: np.ndarray, scale: np.ndarray) -> float:
        error = np.dot(weights, self._K[: weights.size])
        error /= scale
        return float(np.linalg.norm(error)) / error.size**0.5

    def _accept(self, h: float, error: float) -> None:
        self._before, self._t_before, self._taken = self.y, self.t, h
        self.y = self._trial.copy()
        self.velocity = self._K[self.tableau.B.size].copy()
        self._advance(h)
        self._h = h * min(GROW, self._factor(error))
        self._dense = None
        self._follow_stiffness()

    def _advance(self, h: float) -> None:
        """Move the clock, to t_end itself if that was the step."""
        if h == self.t_end - self.t:
            self.t, self._lost = self.t_end, 0.0
            return
        total = h + self._lost
        self.t, before = self.t + total, self.t
        self._lost = total - (self.t - before)

    def _follow_stiffness(self) -> None:
        """Renew the cap when the weights have changed by two percent, and every few steps.

        At L = 3 that is a few percent of λ; with many layers λ ~ ‖W_l‖^{2L−2} changes faster.
        """
        norm = float(np.linalg.norm(self.y))
        self._old += len(self.system.shapes)
        changed = abs(norm - self._norm) > 0.02 * self._norm or self._old >= OLD
        if changed and math.isfinite(norm):
            stiffness = self.system.stiffness(self.y)
            self._longest = self.cap / stiffness if stiffness > 0 else math.inf
            self._norm, self._old = norm, 0

    def between(self, t: float) -> np.ndarray:
        """Return y at a time within the last step, to the order of the method's interpolant.

        Parameters
        ----------
        t : float
            Flow time.

        Returns
        -------
        array, shape (size,)
        """
        if self._dense is None:
            self._dense = self._interpolant()
        return self._evaluate((t - self._t_before) / self._taken)

    def _interpolant(self) -> np.ndarray:
        raise NotImplementedError

    def _evaluate(self, x: float) -> np.ndarray:
        raise NotImplementedError


class DormandPrince8(RungeKutta):
    """The explicit method DOP853 of Dormand and Prince, of order 8."""

    tableau, order = integrate.DOP853, 8
    stable_step = 4.0
    """The method is stable on the negative real axis to about 6; at 4 the stiff modes are damped
    and the interpolant stays accurate between steps."""

    def _extra_stages(self) -> int:
        return self.tableau.A_EXTRA.shape[0]

    def _error(self, h: float, scale: np.ndarray) -> float:
        fifth, third = self._rms(self.tableau.E5, scale), self._rms(self.tableau.E3, scale)
        if fifth == 0 and third == 0:
            return 0.0
        return h * fifth**2 / math.hypot(fifth, 0.1 * third)

    def _interpolant(self) -> np.ndarray:
        """Coefficients of the method's interpolant of order 7, as in Hairer, Nørsett, Wanner."""
        tableau, K, h = self.tableau, self._K, self._taken
        here = self.y
        self.y, first = self._before, tableau.B.size + 1
        for extra, weights in enumerate(tableau.A_EXTRA):
            self._stage(first + extra, weights, h)
        self.y = here
        change = self.y - self._before
        start, end = K[0], K[first - 1]
        head = [change, h * start - change, 2 * change - h * (end + start)]
        return np.vstack([head, h * (tableau.D @ K)])

    def _evaluate(self, x: float) -> np.ndarray:
        y = np.zeros_like(self.y)
        for k, row in enumerate(reversed(self._dense)):
            y += row
            y *= x if k % 2 == 0 else 1 - x
        return y + self._before


class DormandPrince5(RungeKutta):
    """RK45, the pair of lower order, stable to about 3.3."""

    tableau, order = integrate.RK45, 5
    stable_step = 2.5

    def _error(self, h: float, scale: np.ndarray) -> float:
        return h * self._rms(self.tableau.E, scale)

    def _interpolant(self) -> np.ndarray:
        return self._taken * (self._K.T @ self.tableau.P)

    def _evaluate(self, x: float) -> np.ndarray:
        return self._before + self._dense @ (x ** np.arange(1, self._dense.shape[1] + 1))
