"""Gradient flow dW_l/dt = −∇_{W_l} ℓ(W_{L:1}) − μ W_l of any network and problem, on the host.

The run ends by a terminal event once it is numerically stationary, instead of crawling to `t_end`
in stability-limited steps (`dlnlab.flow.system`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from scipy import optimize

from dlnlab import networks
from dlnlab.flow.methods import INTEGRATORS, Integrator
from dlnlab.flow.system import System
from dlnlab.networks import Weights
from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array
from dlnlab.problems import Problem
from dlnlab.progress import Progress
from dlnlab.training.objective import Look, check_record, recorder
from dlnlab.training.recorder import Recorder
from dlnlab.training.trajectory import Interrupted, Status, Trajectory

__all__ = [
    "DRIFT_EVERY",
    "LARGEST_RTOL",
    "LEAST_STABILITY",
    "QUIET",
    "SMALLEST_RTOL",
    "Observe",
    "Rest",
    "Stop",
    "checked_tolerance",
    "default_atol",
    "gradient_flow",
]

SMALLEST_RTOL, LARGEST_RTOL = 2.5e-14, 0.1

DRIFT_EVERY = 16
"""Records between two looks at the drift, which changes slowly and costs as much as a record."""

LEAST_STABILITY = 1e-3
"""The shortest cap on a step: a thousandth of what limits it takes a thousand times as long."""

Stop = Callable[[float, np.ndarray], float]
Observe = Callable[[float, Weights, np.ndarray], None]


def gradient_flow(
    problem: Problem,
    weights: Sequence[Array],
    *,
    t_end: float,
    weight_decay: float = 0.0,
    rtol: float = 1e-10,
    atol: float | None = None,
    times: Any = None,
    resolution: float | None = None,
    record: Sequence[str] = ("loss", "error", "singular_values"),
    method: str = "DOP853",
    stability: float | None = None,
    max_steps: int | None = 100_000,
    tol: float = 0.0,
    stationarity: float | None = None,
    stop: Stop | None = None,
    observe: Observe | None = None,
    progress: Any = False,
) -> Trajectory:
    """Integrate the gradient flow of all layers from t = 0.

    Parameters
    ----------
    problem : Problem
        With NumPy data.
    weights : sequence of L arrays
        Initial weights, shapes (..., d_l, d_{l−1}).  A batch is integrated as one system.
    t_end : float
        Latest time.
    weight_decay : float
        μ ≥ 0: the flow of ℓ + (μ/2) Σ_l ‖W_l‖_F².  The losses recorded, and compared with `tol`,
        remain ℓ.
    rtol : float
        Relative tolerance of a step.
    atol : float, optional
        Absolute tolerance; by default `rtol` times the smallest root-mean-square singular value of
        the initial layers, so that modes not yet learned are resolved too, or times the size of
        the layers of the target if that is smaller.
    times : array_like, optional
        Increasing times in [0, t_end] to record at (by interpolation of the method's order); by
        default every accepted step.  The start and the end of the run are always recorded.
    resolution : float, optional
        Record every accepted step, `times` as well if they are given, and so many times in between
        that W_{L:1} moves by about this Frobenius distance from record to record, up to 16 in one
        step.
    record : sequence of str
        As in `gradient_descent`.
    method : {"DOP853", "RK45", "stiff"}
        SciPy's explicit Runge–Kutta methods, or CVODE's BDF with matrix-free GMRES (needs
        scikit-sundae).  The stiff method is meant for long tails; it conserves balancedness less
        well, see `Trajectory.drift`.
    stability : float, optional
        Cap on an explicit method's step in units of 1/λ, λ = c‖A‖² Σ_l ∏_{k≠l} ‖W_k‖₂² being the
        stiffness of a converged mode; by default 4 for DOP853 and 2.5 for RK45.
    max_steps : int or None
        Step budget; the run ends with status BUDGET when it is spent.  None for no limit.
    tol : float
        Ends the run (CONVERGED) when the loss, the largest of a batch, falls to it.
    stationarity : float, optional
        Ends the run (STATIONARY) when t Σ_l ‖dW_l/dt‖² falls below this fraction of the initial
        loss, or of ℓ(0) if that is smaller, and no mode waits to be learned: at that rate another
        stretch of time as long as the whole run would lower the loss, with the decay term if there
        is one, by less.  A mode waits if a singular value of W_{L:1} is less than half the
        gradient, in units of c‖A‖², and can still grow before `t_end`.  The default is the smaller
        of 1e-14 and 1e-3·‖W_{L:1}(0)‖₂/‖∇ℓ(W_{L:1}(0))‖.  0 switches it off.
    stop : callable, optional
        ``stop(t, W)``; the run ends (STOPPED) where it falls through zero, located to rounding.
    observe : callable, optional
        ``observe(t, weights, W)``, called at every record, with arrays that it may keep but not
        change: to follow what `record` does not offer, without a record of all layers.
    progress : bool or callable
        True shows a line on the terminal; a callable gets (t, t_end, loss).

    Returns
    -------
    Trajectory
        Its `drift` reports how well the integration conserved W_{l+1}ᵀW_{l+1} − W_l W_lᵀ, which the
        exact flow leaves unchanged, or with weight decay multiplies by exp(−2μt).

    Raises
    ------
    TypeError
        If the problem or the weights live on a device; use `gradient_descent` there.
    ValueError
        If an argument is malformed or out of range.
    ModuleNotFoundError
        For ``method="stiff"`` without scikit-sundae.
    Interrupted
        On Ctrl-C; its `run` holds the record so far.

    Examples
    --------
    >>> import dlnlab
    >>> problem = dlnlab.factorization(dlnlab.random_target((20, 20), 2, rng=0))
    >>> wide = dlnlab.original_weights((20, 20), 3, 0.1, rng=1)
    >>> run = dlnlab.gradient_flow(problem, wide, t_end=200.0, times=[20.0, 50.0])
    >>> run.singular_values[1:3, :3].round(4).tolist()
    [[1.0, 0.1338, 0.001], [1.0, 0.5, 0.001]]
    """
    weights = networks.check_network(problem, weights)
    _require_host(problem, weights)
    names = check_record(record)
    t_end = checks.positive("t_end", t_end)
    decay = checks.nonnegative("weight_decay", weight_decay)
    rtol = checked_tolerance(rtol)
    atol = default_atol(rtol, problem, weights) if atol is None else checks.positive("atol", atol)
    grid = None if times is None else _check_times(times, t_end)
    checks.choice("method", method, INTEGRATORS)
    if resolution is not None:
        resolution = checks.positive("resolution", resolution)
    if stability is not None:
        stability = checks.positive("stability", stability)
        if stability < LEAST_STABILITY:
            raise ValueError(
                f"`stability` must be a finite number > 0 and at least {LEAST_STABILITY}, got "
                f"{stability}: so short steps come to no end"
            )
    budget = math.inf if max_steps is None else checks.integer("max_steps", max_steps, 1)
    tol = checks.nonnegative("tol", tol)
    if stop is not None:
        checks.function("stop", stop, "a callable stop(t, W)", 2)
    if observe is not None:
        checks.function("observe", observe, "a callable observe(t, weights, W)", 3)
    if stationarity is not None:
        stationarity = checks.nonnegative("stationarity", stationarity)
    bar = Progress(progress, t_end, "time")
    with np.errstate(over="ignore", invalid="ignore"):  # divergence is a status
        system = System(problem, weights, decay)
        events = _events(system, weights, t_end, tol, stationarity, stop)
        stepper = INTEGRATORS[method](system, t_end, rtol, atol, stability)
        records, schedule = recorder(problem, names), _RecordTimes(grid, resolution)
        run = _Integration(system, stepper, events, records, schedule, observe, t_end, budget)
        try:
            flow = run.go(bar)
            bar.finish(float(run.stepper.t), run.system.loss(run.stepper.y))
            return flow
        except KeyboardInterrupt:
            raise Interrupted(run.trajectory(Status.INTERRUPTED)) from None
        finally:
            bar.close()


class _Event:
    """A function of (t, y, ẏ) whose fall through zero ends the run."""

    def __init__(self, value: Callable[..., float], status: Status) -> None:
        self.value, self.status = value, status
        self.before = -math.inf

    def fell(self, t: float, y: np.ndarray, velocity: np.ndarray) -> bool:
        """Tell whether the value fell through zero since it was last looked at."""
        now = float(self.value(t, y, velocity))
        fell = self.before > 0 >= now
        self.before = now
        return fell


class Rest:
    """Tells whether a flow has come to rest, and does not merely wait on a plateau.

    Two things must hold.  At the present speed another stretch of time as long as the whole run
    lowers the loss by less than a given fraction of the initial one, or of that of W = 0 if this is
    smaller, t Σ_l ‖dW_l/dt‖² ≤ level.  And
    no mode waits: a network that is still small in a direction, with a singular value of W_{L:1}
    less than half of ‖∇ℓ‖₂/(c‖A‖²), grows there however slowly, unless at the present speed
    nothing changes by a thousandth until t_end, or the decay term outweighs the growth.

    Parameters
    ----------
    problem : Problem
    weights : tuple of L arrays
        The start.
    t_end : float
    stationarity : float, optional
        As in `gradient_flow`.
    """

    def __init__(
        self,
        problem: Problem,
        weights: Weights,
        t_end: float,
        stationarity: float | None = None,
    ) -> None:
        W = networks.prefix_products(weights)[-1]
        fraction = _default_stationarity(problem, W) if stationarity is None else stationarity
        losses = [float(np.max(problem.loss(V))) for V in (W, np.zeros_like(W))]
        self.level = fraction * (min(losses) or losses[0])
        self.t_end = t_end

    def excess(self, t: float, velocity: np.ndarray) -> float:
        """Return by how much t Σ_l ‖dW_l/dt‖² exceeds the level.

        Parameters
        ----------
        t : float
            Flow time.
        velocity : array, shape (size,)
            ẏ.

        Returns
        -------
        float
        """
        return t * float(velocity @ velocity) - self.level

    def waiting(self, system: System, y: np.ndarray, velocity: np.ndarray) -> bool:
        """Tell whether a mode, of any member of a batch, is still to be learned.

        Parameters
        ----------
        system : System
        y : array, shape (size,)
            All layers, one after the other.
        velocity : array, shape (size,)
            ẏ.

        Returns
        -------
        bool
        """
        weights, W = system.unpack(y), system.end_to_end(y)
        gradient = np.linalg.norm(system.problem.gradient(W), 2, axis=(-2, -1))
        width = min(min(layer.shape[-2:]) for layer in weights)
        smallest = np.linalg.svdvals(W)[..., width - 1]
        thinnest = np.min([np.linalg.svdvals(layer)[..., -1] for layer in weights], axis=0)
        growth = gradient * thinnest ** (len(weights) - 2)
        still = self.t_end * float(np.linalg.norm(velocity)) <= QUIET * thinnest
        small = (thinnest > 0) & (2 * smallest * system.problem.curvature < gradient)
        return bool(np.any(small & ~still & (growth > system.decay)))

    def reached(self, t: float, system: System, y: np.ndarray, velocity: np.ndarray) -> bool:
        """Tell whether the flow is at rest at a time.

        Parameters
        ----------
        t : float
            Flow time.
        system : System
        y : array, shape (size,)
            All layers, one after the other.
        velocity : array, shape (size,)
            ẏ.

        Returns
        -------
        bool
        """
        return self.excess(t, velocity) <= 0 and not self.waiting(system, y, velocity)


QUIET = 1e-3
"""A relative change of the layers until t_end that does not count."""


def _events(
    system: System,
    start: Weights,
    t_end: float,
    tol: float,
    stationarity: float | None,
    stop: Stop | None,
) -> list[_Event]:
    rest, events = Rest(system.problem, start, t_end, stationarity), []

    def moving(t: float, y: np.ndarray, velocity: np.ndarray) -> float:
        excess = rest.excess(t, velocity)
        return rest.level if excess <= 0 and rest.waiting(system, y, velocity) else excess

    if rest.level:
        events.append(_Event(moving, Status.STATIONARY))
    if tol:
        events.append(_Event(lambda t, y, v: system.loss(y) - tol, Status.CONVERGED))
    if stop is not None:
        events.append(_Event(lambda t, y, v: stop(t, system.end_to_end(y)), Status.STOPPED))
    return events


def _default_stationarity(problem: Problem, W: np.ndarray) -> float:
    if not np.isfinite(W).all():
        return 1e-14
    start = float(np.min(np.linalg.norm(W, 2, axis=(-2, -1))))
    slope = float(np.max(np.linalg.norm(problem.gradient(W), axis=(-2, -1))))
    return min(1e-14, 1e-3 * start / slope) if slope else 1e-14


class _RecordTimes:
    """When to record within a step."""

    def __init__(self, grid: np.ndarray | None, resolution: float | None) -> None:
        self.grid, self.resolution = grid, resolution
        self.every_step = grid is None or resolution is not None

    def within(self, t_before: float, t_now: float, moved: float) -> np.ndarray:
        """Return the times to record at in (t_before, t_now], in increasing order."""
        due = np.empty(0)
        if self.grid is not None:
            low, high = np.searchsorted(self.grid, (t_before, t_now), side="right")
            due = self.grid[low:high]
        if not self.every_step:
            return due
        pieces = 1
        if self.resolution is not None:
            pieces = int(np.clip(np.ceil(moved / self.resolution), 1, 16))
        if pieces == 1 and not due.size:
            return np.array([t_now])
        inside = np.linspace(t_before, t_now, pieces + 1)[1:-1]
        return np.unique(np.concatenate([due, inside, [t_now]]))


class _Integration:
    """One run: steps, records, events and the drift of the conserved quantities."""

    def __init__(
        self,
        system: System,
        stepper: Integrator,
        events: list[_Event],
        recorder: Recorder,
        schedule: _RecordTimes,
        observe: Observe | None,
        t_end: float,
        budget: float,
    ) -> None:
        self.system, self.stepper, self.events, self.recorder = system, stepper, events, recorder
        self.schedule, self.observe, self.t_end, self.budget = schedule, observe, t_end, budget
        self.steps, self.started = 0, time.monotonic()
        self.W = system.end_to_end(system.start)
        self.final = system.unpack(system.start)
        self.conserved = networks.imbalance(system.unpack(system.start))
        self.drift = 0.0

    def go(self, bar: Progress) -> Trajectory:
        """Step until an event, the end time or the budget."""
        self._record(0.0, self.system.start)
        over = self._over_at_start()
        if over is not None:
            return self.trajectory(over)
        while self.stepper.t < self.t_end:
            if self.steps >= self.budget:
                return self.trajectory(Status.BUDGET)
            t_before = self.stepper.t
            if not self.stepper.step() or not np.isfinite(self.stepper.y).all():
                return self.trajectory(Status.DIVERGED)
            self.steps += 1
            status, t_stop = self._look(t_before)
            self._record_to(t_before, t_stop)
            if bar.due():
                bar.update(self.stepper.t, self.system.loss(self.stepper.y))
            if status is not None:
                self._record(t_stop, self.stepper.between(t_stop))
                return self.trajectory(status)
        # a step may end an ulp beyond t_end, which is no time of its own
        self._record(min(self.stepper.t, self.t_end), self.stepper.y)
        return self.trajectory(Status.COMPLETED)

    def _over_at_start(self) -> Status | None:
        """See whether there is nothing to do, and remember where every event starts."""
        y, velocity = self.system.start, self.stepper.velocity
        for event in self.events:
            event.fell(0.0, y, velocity)
        if not velocity.any():
            return Status.STATIONARY
        # The measure of stationarity starts at zero and has to rise first; the others need not.
        over = [e for e in self.events if e.status is not Status.STATIONARY and e.before <= 0]
        return over[0].status if over else None

    def _look(self, t_before: float) -> tuple[Status | None, float]:
        """See whether an event happened in the last step, and when the first one did."""
        t_now, y, velocity = self.stepper.t, self.stepper.y, self.stepper.velocity
        fallen = [event for event in self.events if event.fell(t_now, y, velocity)]
        status, t_stop = None, t_now
        for event in fallen:
            root = self._root(event, t_before, t_now)
            if root < t_stop or status is None:
                status, t_stop = event.status, root
        return status, t_stop

    def _root(self, event: _Event, t_before: float, t_now: float) -> float:
        def value(t: float) -> float:
            y = self.stepper.between(t)
            return float(event.value(t, y, self.system.velocity(t, y)))

        if not value(t_before) > 0 >= value(t_now):
            return t_now  # rounding at an end of the interpolant: the step's end is as good
        return float(optimize.brentq(value, t_before, t_now))

    def _record_to(self, t_before: float, t_stop: float) -> None:
        """Record what falls due in the last step, up to `t_stop`."""
        moved = 0.0
        if self.schedule.resolution is not None:
            W = self.system.end_to_end(self.stepper.y)
            moved = float(np.linalg.norm(W - self.W))
            self.W = W
        for t in self.schedule.within(t_before, self.stepper.t, moved):
            if t <= t_stop:
                at_step = t == self.stepper.t
                self._record(float(t), self.stepper.y if at_step else self.stepper.between(t))

    def _record(self, t: float, y: np.ndarray) -> None:
        rows = self.recorder.rows
        if rows and t <= rows[-1]["times"]:
            return
        weights = self.system.unpack(np.array(y))
        W = networks.prefix_products(weights)[-1]
        self.recorder.take(self.steps, t, Look(self.system.problem, weights, W))
        self.final = weights
        if self.observe is not None:
            self.observe(t, weights, W)
        if len(rows) % DRIFT_EVERY == 0:
            self._measure_drift()

    def _measure_drift(self) -> None:
        """Look how far D_l = W_{l+1}ᵀW_{l+1} − W_l W_lᵀ is from the exact D_l(0) e^{−2μt}."""
        now, rows = networks.imbalance(self.final), self.recorder.rows
        left = math.exp(-2 * self.system.decay * rows[-1]["times"]) if rows else 1.0
        change = max(
            float(np.max(np.linalg.norm(a - left * b, axis=(-2, -1))))
            for a, b in zip(now, self.conserved, strict=True)
        )
        size = max(float(np.max(np.sum(W**2, axis=(-2, -1)))) for W in self.final)
        self.drift = max(self.drift, change / size if size else 0.0)

    def trajectory(self, status: Status) -> Trajectory:
        """Return the record so far."""
        if np.isfinite(self.stepper.y).all() and status in (Status.BUDGET, Status.INTERRUPTED):
            self._record(self.stepper.t, self.stepper.y)
        self._measure_drift()
        seconds = time.monotonic() - self.started
        return self.recorder.finish(self.final, status, seconds, drift=self.drift)


def _require_host(problem: Problem, weights: Weights) -> None:
    if not all(arrays.is_host(array) for array in (problem.reference, *weights)):
        raise TypeError(
            "`problem` and `weights` must be NumPy arrays for gradient_flow, which integrates on "
            f"the host, got {arrays.default_device_name(weights[0])}; use gradient_descent with a "
            "small step there, or dlnlab.flow.compare, which reduces on the device first"
        )


def checked_tolerance(rtol: Any, largest: float = LARGEST_RTOL) -> float:
    """Return `rtol` if double precision can meet it, and if it is at most `largest`.

    An estimate of a step's error is a sum of a dozen terms; below `SMALLEST_RTOL` it is rounding.

    Parameters
    ----------
    rtol : float
    largest : float

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If it cannot.
    """
    number = checks.share("rtol", rtol)
    if not SMALLEST_RTOL <= number <= largest:
        raise ValueError(
            f"`rtol` must be between {SMALLEST_RTOL}, the best that double precision can do, and "
            f"{largest}, got {rtol}"
        )
    return number


def default_atol(rtol: float, problem: Problem, weights: Weights) -> float:
    """Return `rtol` times the smallest size that a layer starts with or comes to.

    The former is the smallest over the layers of ‖W_l‖_F / √min(d_l, d_{l−1}), the latter the L-th
    root of ‖∇ℓ(0)‖₂/(c‖A‖²), which for a factorization is σ_1*^{1/L}.

    Parameters
    ----------
    rtol : float
    problem : Problem
    weights : tuple of L arrays, shapes (..., d_l, d_{l−1})

    Returns
    -------
    float
    """
    with np.errstate(over="ignore", invalid="ignore"):
        scales = [np.linalg.norm(W, axis=(-2, -1)) / min(W.shape[-2:]) ** 0.5 for W in weights]
        slope = problem.gradient(np.zeros_like(networks.prefix_products(weights)[-1]))
        end = np.linalg.norm(slope, 2, axis=(-2, -1)) / problem.curvature
    if np.min(end) > 0:
        scales.append(end ** (1 / len(weights)))
    return rtol * float(max(min(np.min(scale) for scale in scales), np.finfo(float).tiny))


def _check_times(times: Any, t_end: float) -> np.ndarray:
    try:
        grid = checks.numbers_in("times", times)
    except (TypeError, ValueError) as error:
        raise type(error)(f"`times` must be an increasing sequence of numbers: {error}") from error
    good = grid.ndim == 1 and grid.size and np.isfinite(grid).all()
    if not good or (np.diff(grid) <= 0).any() or grid[0] < 0 or grid[-1] > t_end:
        raise ValueError(
            f"`times` must be a non-empty increasing sequence in [0, t_end] = [0, {t_end:g}], "
            f"got {checks.describe(times)}"
        )
    return grid
