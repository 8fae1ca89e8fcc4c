"""Gradient descent on all layers of a deep linear network (Eq. 2 and Algorithm 1)."""

from __future__ import annotations

import bisect
import hashlib
import os
import time
import warnings
from collections.abc import Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.networks import Weights
from dlnlab.numerics import arrays, checks, threads
from dlnlab.numerics.arrays import Array
from dlnlab.problems import Problem
from dlnlab.progress import Progress
from dlnlab.reductions import choice
from dlnlab.reductions.choice import Formulation
from dlnlab.training import kernels, memory
from dlnlab.training.trajectory import (
    Checkpoint,
    Interrupted,
    Recorder,
    Status,
    Trajectory,
    Unsaved,
    axis_names,
    check_record,
)

__all__ = ["gradient_descent"]

STRETCH = 0.2
"""Seconds of steps that are taken between looks at the clock, at most."""


def gradient_descent(
    problem: Problem,
    weights: Sequence[Array],
    *,
    eta: Any,
    alpha: Any = 1.0,
    weight_decay: Any = 0.0,
    num_steps: int,
    record_every: int | Sequence[int] = 1,
    record: Sequence[str] = ("loss", "error", "singular_values"),
    tol: float = 0.0,
    formulation: str = "auto",
    progress: Any = False,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 10.0,
) -> Trajectory:
    """Run gradient descent W_l ← (1 − η_l μ) W_l − η_l ∇_{W_l} ℓ(W_{L:1}) on all layers at once.

    Without weight decay, μ = 0, this is Eq. (2); with it, descent on ℓ + (μ/2) Σ_l ‖W_l‖_F².

    Parameters
    ----------
    problem : Problem
    weights : sequence of L arrays
        Initial weights, shapes (..., d_l, d_{l−1}); not changed.  Batch axes run side by side.
        They are computed with in single or double precision, whichever they have, and in double if
        they have another.
    eta : float or array
        Step size η > 0; an array broadcasts over the batch axes, one step size per member.
    alpha : float or array
        Factor α > 0 on the step of the first and last layer (Algorithm 1): η_l = αη there, η_l = η
        in between.
    weight_decay : float or array
        μ ≥ 0, or one for each member.  A layer decays by its own step size, so by αημ in the first
        and last one.  What is recorded as the loss, and compared with `tol`, is ℓ itself.
    num_steps : int
        Number of steps, ≥ 0.
    record_every : int or sequence of ints
        Record every so many steps, or after exactly these numbers of steps.  The start and the end
        are always recorded.
    record : sequence of str
        Among "loss", "error", "singular_values", "alignment", "end_to_end", "imbalance", "layers".
        What needs an unknown target is left out; with no names only steps and times are recorded.
    tol : float
        A member ends once its loss is ≤ `tol`; looked at when a record is taken.  So is divergence.
    formulation : {"auto", "full", "reduced"}
        "reduced" runs a smaller network that moves in the same way and reads the given one off it,
        which for a factorization is faster and differs by rounding; "full" runs the layers as they
        are; "auto" chooses (`dlnlab.formulations`).
    progress : bool or callable
        True shows a line on the terminal; a callable gets (step, num_steps, largest loss).
    checkpoint : path, optional
        File to keep the state in.  If it exists the run continues from it, with results identical
        bit for bit to an uninterrupted run on the same machine; more `num_steps` may be asked for.
    checkpoint_every : float
        Seconds between writes of the checkpoint.

    Returns
    -------
    Trajectory
        With status COMPLETED, CONVERGED or DIVERGED; an array of them for a batch, whose converged
        members are frozen while the others go on.  Without a step taken its `weights` are the given
        arrays themselves, no copies.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range, the run would not fit in memory, or the
        checkpoint cannot be written, is in use, or belongs to another run.
    Interrupted
        On Ctrl-C, after the checkpoint has been written; its `run` holds the record so far.

    Warns
    -----
    Unsaved
        If the checkpoint can no longer be written, as on a full disk.  The run goes on, tries
        again when it is due, and is returned.

    Examples
    --------
    >>> import dlnlab
    >>> M = dlnlab.random_target((20, 20), 2, rng=0)
    >>> problem = dlnlab.factorization(M)
    >>> narrow = dlnlab.compressed_weights(problem, r_hat=2, depth=3, eps=0.1)
    >>> run = dlnlab.gradient_descent(problem, narrow, eta=0.2, num_steps=1000, tol=1e-20)
    >>> run.status, bool(run.errors[-1] < 1e-9)
    (<Status.CONVERGED: 'converged'>, True)
    """
    steps = {"eta": eta, "alpha": alpha, "weight_decay": weight_decay}
    keeps = checkpoint is not None
    run = _prepare(
        problem, weights, steps, num_steps, record_every, record, tol, formulation, keeps
    )
    bar = Progress(progress, run.num_steps, "step")
    every = checks.nonnegative("checkpoint_every", checkpoint_every)
    with ExitStack() as stack:
        stack.callback(bar.close)
        if checkpoint is not None:
            run.checkpoint = Checkpoint(checkpoint, run.fingerprint(), every)
            stack.callback(run.checkpoint.close)
            run.resume()
        try:
            with np.errstate(over="ignore", invalid="ignore"), run.threads():
                run.go(bar)
            unsaved = run.save()
        except KeyboardInterrupt:
            unsaved = run.save(Status.INTERRUPTED)
            raise Interrupted(run.trajectory(Status.INTERRUPTED), unsaved) from None
    finished = run.trajectory()
    if unsaved is not None:
        warnings.warn(Unsaved(finished, unsaved), stacklevel=2)
    return finished


@dataclass
class _Schedule:
    """After which steps a record is taken: every so many, or those of a sorted list."""

    every: int | None
    steps: tuple[int, ...]
    num_steps: int

    def due(self, step: int) -> bool:
        if step in (0, self.num_steps):
            return True
        if self.every:
            return step % self.every == 0
        place = bisect.bisect_left(self.steps, step)
        return self.steps[place : place + 1] == (step,)

    def wait(self, step: int) -> int:
        """Return how many steps there are from one that is not the last to the next record."""
        if self.every:
            return min(self.every - step % self.every, self.num_steps - step)
        place = bisect.bisect_right(self.steps, step)
        return min([*self.steps[place : place + 1], self.num_steps]) - step

    @property
    def count(self) -> int:
        """How many records that makes."""
        if self.every:
            return -(-self.num_steps // self.every) + 1
        return len({step for step in self.steps if step <= self.num_steps} | {0, self.num_steps})


class _Descent:
    """The state of a run: step, weights, and which members of the batch are done."""

    checkpoint: Checkpoint | None = None
    told = False
    """Whether it has been said that the checkpoint cannot be written."""

    def __init__(
        self,
        given: Formulation,
        run: Formulation,
        weights: Weights,
        rates: list[Any],
        decay: Any,
        eta: Any,
        schedule: _Schedule,
        recorder: Recorder,
        tol: float,
        batch: tuple[int, ...],
    ) -> None:
        self.given, self.problem, self.view = given, run.problem, run.view
        self.initial, self.eta = weights, eta
        self.rates, self.decay = rates, decay
        self.schedule, self.recorder, self.tol = schedule, recorder, tol
        self.num_steps = schedule.num_steps
        self.state: tuple[int, Weights] = (0, weights)
        self.done = np.zeros(batch, dtype=bool)
        self.codes = np.full(batch, Status.COMPLETED, dtype=object)
        self.earlier_seconds, self.started = 0.0, time.monotonic()

    def threads(self) -> AbstractContextManager[Any]:
        """Return a context with the BLAS threads that pay for networks of this size."""
        weights = self.state[1]
        if not arrays.is_host(weights[0]):
            return nullcontext()
        return threads.for_matrices(max(max(W.shape[-2:]) for W in weights), self.done.size)

    def go(self, bar: Progress) -> None:
        """Take steps until all members are done or the steps are used up.

        The state is what a stretch of steps has led to, so that a run which is interrupted within
        the next one has lost a fifth of a second.
        """
        largest, stretch = float("nan"), 1
        stepper = kernels.stepper(
            self.problem, self.state[1], self.rates, self.decay, self.done.shape
        )
        stepper.freeze(self.done)
        while True:
            step, weights = self.state
            if self.schedule.due(step) and self.recorder.last_step < step:
                largest = self._record(step, weights)
                stepper.freeze(self.done)
            if bar.due():
                bar.update(step, largest)
            if step >= self.num_steps or self.done.all():
                bar.finish(step, largest)
                return
            count = min(stretch, self.schedule.wait(step))
            started = time.monotonic()
            stepper.advance(count)
            self.state = (step + count, stepper.weights())
            if self.checkpoint is not None and self.checkpoint.due():
                self._keep()
            if not (self.checkpoint is not None and self.checkpoint.every == 0):
                stretch = _paced(stretch, count, time.monotonic() - started)

    def _record(self, step: int, weights: Weights) -> float:
        """Take a record and see which members have converged or diverged; return the worst loss."""
        W = networks.forward(self.problem, weights)[1]
        self.recorder.take(step, self.eta * step, weights, W)
        recorded = self.recorder.rows[-1].get("losses")
        losses = arrays.to_host(self.problem.loss(W) if recorded is None else recorded)
        diverged = ~np.isfinite(losses) & ~self.done
        converged = (losses <= self.tol) & ~self.done if self.tol else np.zeros_like(diverged)
        self.codes[converged], self.codes[diverged] = Status.CONVERGED, Status.DIVERGED
        self.done = self.done | converged | diverged
        return float(np.max(losses))

    def trajectory(self, status: Status | None = None) -> Trajectory:
        """Return the record so far, and the weights of the network that was given."""
        weights = self.state[1]
        return self._finish(weights if self.view is None else self.view.lift(weights), status)

    def _finish(self, weights: Weights, status: Status | None) -> Trajectory:
        codes = self.codes.copy()
        if status is not None:
            codes[~self.done] = status
        seconds = self.earlier_seconds + time.monotonic() - self.started
        return self.recorder.finish(weights, codes if codes.shape else codes[()], seconds)

    def save(self, status: Status | None = None) -> BaseException | None:
        """Write the checkpoint, if there is one; return what kept it from being written.

        At the end that may be a second Ctrl-C, which shall not cost the run.
        """
        if self.checkpoint is None or not self.recorder.rows:
            return None
        step, weights = self.state  # of what runs, which is what the run continues from
        try:
            self.checkpoint.write(self._finish(weights, status), step=step, done=self.done)
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
            warnings.warn(Unsaved(self.trajectory(Status.INTERRUPTED), unsaved), stacklevel=4)

    def resume(self) -> None:
        """Continue from the checkpoint, if it exists."""
        if self.checkpoint is None:
            return
        sizes = _sizes(self.given.weights) | _sizes(self.initial, is_running=True)
        stored = self.checkpoint.load(self.recorder.fields, sizes)
        if stored is None:
            return
        run, extra = stored
        step = int(extra["step"])
        if step > self.num_steps:
            raise ValueError(
                f"`num_steps` must be at least the {step} steps already in the checkpoint, "
                f"got {self.num_steps}"
            )
        self.state = (step, _moved(run.weights, self.initial[0]))
        self.recorder.restore(_columns(run, self.initial[0]))
        rows = self.recorder.rows
        self.done = np.asarray(extra["done"], dtype=bool)
        self.codes[self.done] = np.asarray(run.status, dtype=object)[self.done]
        if rows and not self.done.all() and not self.schedule.due(rows[-1]["steps"]):
            rows.pop()  # the end of a shorter run, which this longer one does not record
        self.earlier_seconds = run.seconds

    def fingerprint(self) -> str:
        """Hash everything that determines the run, the number of steps excepted."""
        settings = (self.schedule.every, list(self.schedule.steps), self.recorder.names, self.tol)
        name = self.given.name
        digest = hashlib.sha256(f"{self.given.problem.fingerprint()}{name}{settings}".encode())
        for array in (
            *self.given.weights,
            *self.rates,
            self.eta,
            0.0 if self.decay is None else self.decay,
        ):
            arrays.feed(digest, array)
        return digest.hexdigest()


def _paced(stretch: int, count: int, seconds: float) -> int:
    """Return how many steps to take at a time, when `count` of them took so many seconds."""
    if seconds > STRETCH:
        return max(1, count // 2)
    return 2 * count if count == stretch and seconds < STRETCH / 2 else stretch


def _sizes(weights: Weights, is_running: bool = False) -> dict[str, int]:
    """Return the sizes d_0…d_L of the layers by the names that a checkpoint has for them."""
    found = [int(weights[0].shape[-1]), *(int(W.shape[-2]) for W in weights)]
    return dict(zip(axis_names(len(weights), is_running), found, strict=True))


def _columns(run: Trajectory, reference: Array) -> dict[str, Any]:
    """The recorded fields of a stored trajectory, moved to where the run lives."""

    skipped = {"weights", "status", "seconds", "drift"}
    columns = {n: v for n, v in vars(run).items() if n not in skipped and v is not None}
    host = ("steps", "times")
    return {n: v if n in host else _moved(v, reference) for n, v in columns.items()}


def _moved(value: Any, reference: Array) -> Any:
    """Stored arrays in the library of `reference`, with the precision they were stored in."""
    if isinstance(value, tuple):
        return tuple(_moved(part, reference) for part in value)
    return arrays.like(value, reference, keep_dtype=True)


def _prepare(
    problem: Problem,
    weights: Any,
    steps: dict[str, Any],
    num_steps: Any,
    record_every: Any,
    record: Any,
    tol: Any,
    wanted: Any,
    keeps: bool,
) -> _Descent:
    """Check the arguments, choose what to run, and bring it to the common batch shape.

    Nothing that takes memory happens before it is known that there is enough.
    """
    given, weights = weights, networks.check_network(problem, weights)
    names = check_record(record)
    schedule = _schedule(record_every, checks.integer("num_steps", num_steps, 0))
    tol = checks.nonnegative("tol", tol)
    steps = {k: checks.per_member(k, x, zero=k == "weight_decay") for k, x in steps.items()}
    eta, alpha, decay = steps.values()
    batch = _batch_shape(problem, weights, steps)
    run = choice.choose(problem, weights, schedule.num_steps, wanted)
    certain = 1 if tol else schedule.count  # a run may converge long before its last step
    memory.of_descent(problem, given, certain, names, batch, run, keeps).require(weights[0])
    outer, inner = (_as_rate(rate, weights[0]) for rate in (alpha * eta, eta))
    rates = [outer, *[inner] * (len(weights) - 2), outer]
    shrink = _as_rate(decay, weights[0]) if np.any(decay) else None
    recorder = Recorder(run.problem, names, run.view)
    whole = Formulation(run.name, problem, weights)
    moving = tuple(_spread(W, batch) for W in run.weights)
    return _Descent(whole, run, moving, rates, shrink, eta, schedule, recorder, tol, batch)


def _batch_shape(problem: Problem, weights: Weights, steps: dict[str, Any]) -> tuple[int, ...]:
    """Return the batch axes that the weights, the problem and the step sizes broadcast to."""
    problem.samples(weights[-1])  # raises if it can do with single networks only
    shapes = [weights[0].shape[:-2], problem.batch]
    shapes += [x.shape for x in steps.values() if arrays.is_array(x)]
    try:
        return np.broadcast_shapes(*(tuple(shape) for shape in shapes))
    except ValueError as error:
        names = ", ".join(f"`{name}`" for name in steps)
        raise ValueError(
            f"{names}, `weights` and `problem` must have batch axes that broadcast, got "
            f"{[tuple(shape) for shape in shapes]}"
        ) from error


def _spread(W: Array, batch: tuple[int, ...]) -> Array:
    xp = arrays.namespace(W)
    shape = (*batch, *W.shape[-2:])
    return W if tuple(W.shape) == shape else xp.broadcast_to(W, shape)


def _as_rate(rate: Any, reference: Array) -> Any:
    """A step size as a float, or as an array that multiplies batched matrices."""
    return arrays.like(rate[..., None, None], reference) if np.ndim(rate) else float(rate)


def _schedule(record_every: Any, num_steps: int) -> _Schedule:
    if isinstance(record_every, np.ndarray) and record_every.ndim == 1:
        record_every = record_every.tolist()
    if isinstance(record_every, Sequence) and not isinstance(record_every, str | bytes):
        listed = checks.sequence("record_every", record_every)
        steps = {checks.integer("record_every", step, 0) for step in listed}
        return _Schedule(None, tuple(sorted(steps)), num_steps)
    return _Schedule(checks.integer("record_every", record_every, 1), (), num_steps)
