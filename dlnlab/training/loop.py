"""The loop: it owns iteration, records, the checkpoint and the clock, whatever is minimized.

An objective supplies values and gradients, a method what a step does with them, a stepper the way
in which it is done; the loop decides when to look at the clock, to record, to save and to stop.
"""

from __future__ import annotations

import bisect
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from dlnlab.methods import Method
from dlnlab.numerics import arrays, checks, threads
from dlnlab.numerics.arrays import Array
from dlnlab.progress import Progress
from dlnlab.training.checkpoint import Checkpoint
from dlnlab.training.kernels import Slots, Stepper
from dlnlab.training.objective import Objective
from dlnlab.training.recorder import Recorder
from dlnlab.training.status import Status
from dlnlab.training.trajectory import Interrupted, Trajectory, Unsaved

__all__ = ["LAYERED", "STRETCH", "Form", "Loop", "RecordSteps", "State", "check_records"]

STRETCH = 0.2
"""Seconds of steps that are taken between looks at the clock, at most."""


@dataclass(frozen=True)
class RecordSteps:
    """After which steps a record is taken: every so many, or those of a sorted list.

    Parameters
    ----------
    every : int or None
    steps : tuple of int
        Used if `every` is None.
    num_steps : int
    """

    every: int | None
    steps: tuple[int, ...]
    num_steps: int

    def due(self, step: int) -> bool:
        """Tell whether a record is taken after so many steps.

        Parameters
        ----------
        step : int
            Steps taken.

        Returns
        -------
        bool
        """
        if step in (0, self.num_steps):
            return True
        if self.every:
            return step % self.every == 0
        place = bisect.bisect_left(self.steps, step)
        return self.steps[place : place + 1] == (step,)

    def wait(self, step: int) -> int:
        """Return how many steps there are from one that is not the last to the next record.

        Parameters
        ----------
        step : int
            Steps taken.

        Returns
        -------
        int
        """
        if self.every:
            return min(self.every - step % self.every, self.num_steps - step)
        place = bisect.bisect_right(self.steps, step)
        return min([*self.steps[place : place + 1], self.num_steps]) - step

    @property
    def count(self) -> int:
        """Number of records that a run of so many steps makes."""
        if self.every:
            return -(-self.num_steps // self.every) + 1
        return len({step for step in self.steps if step <= self.num_steps} | {0, self.num_steps})


def check_records(record_every: Any, num_steps: Any) -> RecordSteps:
    """Return when to record, or raise.

    Parameters
    ----------
    record_every : int or sequence of ints
    num_steps : int

    Returns
    -------
    RecordSteps

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.
    """
    num_steps = checks.integer("num_steps", num_steps, 0, bits=48)
    record_every = checks.listed("record_every", record_every)
    if checks.is_sequence(record_every):
        listed = checks.sequence("record_every", record_every)
        steps = {checks.integer("record_every", step, 0) for step in listed}
        return RecordSteps(None, tuple(sorted(steps)), num_steps)
    return RecordSteps(checks.integer("record_every", record_every, 1), (), num_steps)


LAYERED = {"layers", "layer_singular_values"}
"""Fields of a trajectory that have an array for each layer."""


class State(NamedTuple):
    """The state of a run: everything that its next steps depend on.

    Attributes
    ----------
    step : int
        Steps taken.
    weights : tuple of arrays
    slots : tuple of tuples of arrays
        What the method keeps.
    """

    step: int
    weights: tuple[Array, ...]
    slots: Slots = ()


@dataclass(frozen=True)
class Form:
    """The layout of the weights of a run in its checkpoint.

    Attributes
    ----------
    sizes : dict
        Of the axes of all arrays, by the names that `storage` has for them.
    names : tuple of str, optional
        Of the weights, for those of a model.
    layers : tuple of str
        Those of them that are recorded one by one.
    """

    sizes: dict[str, int]
    names: tuple[str, ...] | None = None
    layers: tuple[str, ...] = ()

    def needed(self, fields: set[str]) -> set[str]:
        """Return the names of what must be stored of recorded fields.

        Parameters
        ----------
        fields : set of str
            Of a trajectory.

        Returns
        -------
        set of str
        """
        if self.names is None:
            return fields
        parts = {f"{field}.{name}" for field in fields & LAYERED for name in self.layers}
        return fields - LAYERED | parts | {"clock", "extra_clock"}

    def written(self, weights: Sequence[Array]) -> Any:
        """Return weights, or what a method keeps for them, as they are stored.

        Parameters
        ----------
        weights : sequence of arrays

        Returns
        -------
        object
        """
        if self.names is None:
            return tuple(weights)
        return dict(zip(self.names, weights, strict=True))

    def read(self, stored: Any) -> tuple[Array, ...]:
        """Return weights from what is stored, in the order of the run.

        Parameters
        ----------
        stored : tuple or dict of arrays

        Returns
        -------
        tuple of arrays
        """
        return tuple(stored) if self.names is None else tuple(stored[n] for n in self.names)

    def slot(self, name: str, extra: dict[str, np.ndarray], count: int) -> tuple[Array, ...]:
        """Return what a method keeps under a name, from a checkpoint's further arrays.

        Parameters
        ----------
        name : str
        extra : dict of str to array
            What a checkpoint has besides the trajectory.
        count : int
            Of weights.

        Returns
        -------
        tuple of arrays
        """
        keys = [str(k) for k in range(count)] if self.names is None else self.names
        return tuple(extra[f"{name}.{key}"] for key in keys)


class Loop:
    """A run: its state, and which members of a batch are done.

    Parameters
    ----------
    objective : Objective
    stepper : callable
        Returns what takes steps from a `State`.
    method : Method
    state : State
        At the start.
    time_of : callable
        Takes a number of steps and returns the flow time that they amount to.
    records : RecordSteps
    recorder : Recorder
    form : Form
    fingerprint : callable
        Returns a hash of everything that determines the run, the number of steps excepted.
    tol : float
        A member ends once its loss is ≤ `tol`.
    batch : tuple of int
    has_clock : bool
        Whether the time that steps take is recorded.
    """

    checkpoint: Checkpoint | None = None
    told = False
    """Whether it has been said that the checkpoint cannot be written."""

    def __init__(
        self,
        objective: Objective,
        stepper: Callable[[State], Stepper],
        method: Method,
        state: State,
        time_of: Callable[[int], Any],
        records: RecordSteps,
        recorder: Recorder,
        form: Form,
        fingerprint: Callable[[], str],
        *,
        tol: float = 0.0,
        batch: tuple[int, ...] = (),
        has_clock: bool = False,
    ) -> None:
        self.objective, self.stepper, self.method = objective, stepper, method
        self.state, self.time_of, self.form = state, time_of, form
        self.records, self.recorder, self.tol = records, recorder, tol
        self.fingerprint = fingerprint
        self.num_steps = records.num_steps
        self.done = np.zeros(batch, dtype=bool)
        self.codes = np.full(batch, Status.COMPLETED, dtype=object)
        self.earlier_seconds, self.started = 0.0, time.monotonic()
        self.clock: float | None = 0.0 if has_clock else None

    def run(self, progress: Any, checkpoint: Any, checkpoint_every: Any) -> Trajectory:
        """Resume, take all steps, save, and return the record.

        Parameters
        ----------
        progress : bool or callable
            As for `dlnlab.gradient_descent`.
        checkpoint : path or None
        checkpoint_every : float
            Seconds.

        Returns
        -------
        Trajectory

        Raises
        ------
        TypeError, ValueError
            If an argument is malformed, or the checkpoint cannot be used.
        Interrupted
            On Ctrl-C, after the checkpoint has been written.

        Warns
        -----
        Unsaved
            If the checkpoint can no longer be written.
        """
        bar = Progress(progress, self.num_steps, "step")
        every = checks.nonnegative("checkpoint_every", checkpoint_every)
        with ExitStack() as stack:
            stack.callback(bar.close)
            if checkpoint is not None:
                self.checkpoint = Checkpoint(checkpoint, self.fingerprint(), every)
                stack.callback(self.checkpoint.close)
                self.resume()
            try:
                with (
                    np.errstate(over="ignore", invalid="ignore"),
                    threads.for_layers(self.state.weights),
                ):
                    self.go(bar)
                unsaved = self.save()
            except KeyboardInterrupt:
                unsaved = self.save(Status.INTERRUPTED)
                raise Interrupted(self.trajectory(Status.INTERRUPTED), unsaved) from None
        finished = self.trajectory()
        if unsaved is not None:
            warnings.warn(Unsaved(finished, unsaved), stacklevel=3)
        return finished

    def go(self, bar: Progress) -> None:
        """Take steps until all members are done or the steps are used up.

        The state is what a stretch of steps has led to, so that a run which is interrupted within
        the next one has lost a fifth of a second.

        Parameters
        ----------
        bar : Progress
        """
        largest, stretch = float("nan"), 1
        stepper = self.stepper(self.state)
        stepper.freeze(self.done)
        while True:
            step = self.state.step
            if self.records.due(step) and self.recorder.last_step < step:
                largest = self._record()
                stepper.freeze(self.done)
            if bar.due():
                bar.update(step, largest)
            if step >= self.num_steps or self.done.all():
                bar.finish(step, largest)
                return
            count = min(stretch, self.records.wait(step))
            started = time.monotonic()
            stepper.advance(count)
            self.state = State(step + count, stepper.weights(), stepper.slots())
            taken = time.monotonic() - started
            if self.clock is not None:
                self.clock += taken
            if self.checkpoint is not None and self.checkpoint.due():
                self._keep()
            if not (self.checkpoint is not None and self.checkpoint.every == 0):
                stretch = _paced(stretch, count, time.monotonic() - started)

    def _record(self) -> float:
        """Take a record and see which members have converged or diverged; return the worst loss."""
        step, weights, _ = self.state
        look = self.objective.look(weights)
        more = {} if self.clock is None else {"clock": self.clock}
        self.recorder.take(step, self.time_of(step), look, **more)
        recorded = self.recorder.rows[-1].get("losses")
        losses = arrays.to_host(self.objective.value(look) if recorded is None else recorded)
        diverged = ~np.isfinite(losses) & ~self.done
        converged = (losses <= self.tol) & ~self.done if self.tol else np.zeros_like(diverged)
        self.codes[converged], self.codes[diverged] = Status.CONVERGED, Status.DIVERGED
        self.done = self.done | converged | diverged
        return float(np.max(losses))

    def trajectory(self, status: Status | None = None) -> Trajectory:
        """Return the record so far, and the weights of the network that was given.

        Parameters
        ----------
        status : Status, optional
            Of members that are not done; COMPLETED by default.

        Returns
        -------
        Trajectory
        """
        return self._finish(self.objective.given(self.state.weights), status)

    def _finish(self, weights: Any, status: Status | None) -> Trajectory:
        codes = self.codes.copy()
        if status is not None:
            codes[~self.done] = status
        seconds = self.earlier_seconds + time.monotonic() - self.started
        return self.recorder.finish(weights, codes if codes.shape else codes[()], seconds)

    def save(self, status: Status | None = None) -> BaseException | None:
        """Write the checkpoint, if there is one; return what kept it from being written.

        At the end that may be a second Ctrl-C, which shall not cost the run.

        Parameters
        ----------
        status : Status, optional
            Of members that are not done; COMPLETED by default.

        Returns
        -------
        BaseException or None
        """
        if self.checkpoint is None or not self.recorder.rows:
            return None
        step, weights, slots = self.state  # of what runs, which is what the run continues from
        extra = dict(zip(self.method.slots, map(self.form.written, slots), strict=True))
        if self.clock is not None:
            extra["clock"] = self.clock
        try:
            run = self._finish(self.form.written(weights), status)
            self.checkpoint.write(run, step=step, done=self.done, **extra)
        except OSError as error:
            return error
        except KeyboardInterrupt as error:
            if status is not Status.INTERRUPTED:
                raise
            return error
        return None

    def _keep(self) -> None:
        """Write the checkpoint while the run goes on; say once if it cannot be written."""
        unsaved = self.save()
        if unsaved is not None and not self.told:
            self.told = True
            warnings.warn(Unsaved(self.trajectory(Status.INTERRUPTED), unsaved), stacklevel=5)

    def resume(self) -> None:
        """Continue from the checkpoint, if it exists.

        Raises
        ------
        ValueError
            If the checkpoint is of a longer run, or does not fit.
        """
        if self.checkpoint is None:
            return
        slots = self.method.slots
        stored = self.checkpoint.load(
            self.form.needed(self.recorder.fields), self.form.sizes, slots
        )
        if stored is None:
            return
        run, extra = stored
        step = int(extra["step"])
        if step > self.num_steps:
            raise ValueError(
                f"`num_steps` must be at least the {step} steps already in the checkpoint, "
                f"got {self.num_steps}"
            )
        place, count = self.state.weights[0], len(self.state.weights)
        kept = [self.form.slot(name, extra, count) for name in slots]
        self.state = State(
            step,
            _moved(self.form.read(run.weights), place),
            tuple(_moved(part, place) for part in kept),
        )
        self.recorder.restore(_columns(run, place))
        rows = self.recorder.rows
        self.done = np.asarray(extra["done"], dtype=bool)
        self.codes[self.done] = np.asarray(run.status, dtype=object)[self.done]
        if rows and not self.done.all() and not self.records.due(rows[-1]["steps"]):
            rows.pop()  # the end of a shorter run, which this longer one does not record
        self.earlier_seconds = run.seconds
        if self.clock is not None:
            self.clock = float(extra["clock"])


def _paced(stretch: int, count: int, seconds: float) -> int:
    """Return how many steps to take at a time, when `count` of them took so many seconds."""
    if seconds > STRETCH:
        return max(1, count // 2)
    return 2 * count if count == stretch and seconds < STRETCH / 2 else stretch


def _columns(run: Trajectory, reference: Array) -> dict[str, Any]:
    """The recorded fields of a stored trajectory, moved to where the run lives."""

    skipped = {"weights", "status", "seconds", "drift"}
    columns = {n: v for n, v in vars(run).items() if n not in skipped and v is not None}
    host = ("steps", "times", "clock")
    return {n: v if n in host else _moved(v, reference) for n, v in columns.items()}


def _moved(value: Any, reference: Array) -> Any:
    """Stored arrays in the library of `reference`, with the precision they were stored in."""
    if isinstance(value, tuple):
        return tuple(_moved(part, reference) for part in value)
    if isinstance(value, dict):
        return {name: _moved(part, reference) for name, part in value.items()}
    return arrays.like(value, reference, keep_dtype=True)
