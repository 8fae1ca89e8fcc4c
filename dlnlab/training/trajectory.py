"""What a run returns, and how a run records it.

A run — gradient descent or gradient flow — is a sequence of weights.  At its recording times a
`Recorder` takes a snapshot of the quantities asked for; the run ends in a `Trajectory`, an
immutable record with a status.  A `Checkpoint` keeps it on disk, so that a killed run continues
where it was, bit for bit.
"""

from __future__ import annotations

import collections
import enum
import json
import os
import time
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dlnlab import networks
from dlnlab.files import locks, storage
from dlnlab.networks import Weights
from dlnlab.numerics import arrays, checks, spectra
from dlnlab.numerics.arrays import Array
from dlnlab.numerics.products import FactoredMatrix
from dlnlab.problems import Problem
from dlnlab.results import presenter
from dlnlab.training import layouts
from dlnlab.training.layouts import Layout
from dlnlab.version import VERSION

__all__ = ["Checkpoint", "Interrupted", "Recorder", "Status", "Trajectory", "Unsaved"]


NAMED = 10
"""Members of a batch that are named one by one."""


class Status(enum.Enum):
    """Why a run ended; `describe` says what to do about it."""

    COMPLETED = "completed"
    CONVERGED = "converged"
    STATIONARY = "stationary"
    STOPPED = "stopped"
    BUDGET = "step budget spent"
    DIVERGED = "diverged"
    INTERRUPTED = "interrupted"

    @property
    def describe(self) -> str:
        """One sentence on what the status means and what to do."""
        return _MEANING[self]


_MEANING = {
    Status.COMPLETED: "all steps were taken, or t_end was reached",
    Status.CONVERGED: "the loss reached `tol`",
    Status.STATIONARY: "the loss no longer changes at the rate set by `stationarity`",
    Status.STOPPED: "the `stop` function crossed zero",
    Status.BUDGET: "`max_steps` was spent before t_end; raise it, or try method='stiff'",
    Status.DIVERGED: "the loss stopped being finite; lower the step size `eta` of a descent, or "
    "the tolerance `rtol` of a flow",
    Status.INTERRUPTED: "the run was interrupted; what it had recorded is kept",
}


@dataclass(frozen=True, repr=False)
class Trajectory:
    """The record of one run, or of a batch of runs.

    Quantities that were not recorded, or that need a target the problem does not have, are None.

    Attributes
    ----------
    times : array, shape (records,), or (records, ...) where η differs within a batch
        Flow time t; for descent η times the number of steps.
    steps : array of int, shape (records,)
        Steps taken before each record.
    losses : array, shape (records, ...)
        ℓ(W_{L:1}).
    errors : array, shape (records, ...)
        Recovery error ‖W_{L:1} − M*‖_F.
    singular_values : array, shape (records, ..., min(d_out, d_in))
        Of the end-to-end matrix, in decreasing order.
    left_alignments, right_alignments : array, shape (records, ..., r)
        See `dlnlab.spectra.alignments`.
    end_to_end : array, shape (records, ..., d_out, d_in)
        W_{L:1}.
    imbalances : array, shape (records, ...)
        max_l ‖W_{l+1}ᵀW_{l+1} − W_l W_lᵀ‖_F.
    layers : tuple of L arrays, shapes (records, ..., d_l, d_{l−1})
        The weights at every record.
    weights : tuple of L arrays
        The final weights; of a descent that took no step, the given arrays themselves.
    status : Status, or an object array of them for a batch
    seconds : float
        Wall time, summed over resumed parts.
    drift : float
        Largest change of a balancedness matrix W_{l+1}ᵀW_{l+1} − W_l W_lᵀ over the run, relative to
        the largest ‖W_l‖_F²; exactly zero along an exact gradient flow.  With weight decay μ, the
        largest distance from its initial value times exp(−2μt).  Recorded by flows only.
    """

    times: np.ndarray
    steps: np.ndarray
    weights: Weights
    status: Any
    seconds: float
    losses: Array | None = None
    errors: Array | None = None
    singular_values: Array | None = None
    left_alignments: Array | None = None
    right_alignments: Array | None = None
    end_to_end: Array | None = None
    imbalances: Array | None = None
    layers: tuple[Array, ...] | None = field(default=None)
    drift: float | None = None

    def __post_init__(self) -> None:
        checks.fields(self)

    def __repr__(self) -> str:
        recorded = [f.name for f in fields(self)[5:] if getattr(self, f.name) is not None]
        return f"Trajectory({'; '.join([self.summary(), *[', '.join(recorded)] * bool(recorded)])})"

    def summary(self) -> str:
        """Return in one line how far the run came and how it ended.

        Of a batch it is said how many members ended in which way, and which ones diverged.
        """
        if not self.steps.size:
            return f"no records, {self._ending()}"
        return (
            f"{self.steps.size} records to t = {np.max(self.times[-1]):.6g} "
            f"after {self.steps[-1]} steps, {self._ending()}"
        )

    def _ending(self) -> str:
        if isinstance(self.status, Status):
            return self.status.value
        codes = np.asarray(self.status, dtype=object)
        counts = collections.Counter(status.value for status in codes.flat)
        told = ", ".join(f"{count} {value}" for value, count in counts.items())
        failed = [
            k[0] if len(k) == 1 else k
            for k in np.ndindex(codes.shape)
            if codes[k] is Status.DIVERGED
        ]
        which = ", ".join(map(str, failed[:NAMED])) + ", …" * (len(failed) > NAMED)
        return f"batch of {codes.size}: {told}" + (f" (members {which})" if failed else "")

    def _repr_html_(self) -> str:
        return presenter("report").trajectory_cell(self)

    def plot(self, figure: Any = None) -> Any:
        """Draw the error, or else the loss, and the singular values against time.

        Parameters
        ----------
        figure : matplotlib.figure.Figure, optional
            To draw into; by default a new one, which pyplot knows and a cell shows once.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            If nothing that can be drawn was recorded.
        """
        draw = presenter("plotting.runs").trajectory
        return presenter("plotting.display").shown_once(draw, self, figure)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the trajectory to one ``.npz`` file, bit for bit; device arrays are copied.

        The file is replaced as a whole, or left as it was if this fails.

        Raises
        ------
        TypeError, ValueError
            If a file cannot be written there.
        OSError
            If writing it fails, as on a full disk.
        """
        storage.write_npz(storage.check("path", path), _pack(self))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trajectory:
        """Read what `save` wrote, as NumPy arrays.

        Raises
        ------
        ValueError
            If the file is not a saved trajectory.
        """
        path = checks.path("path", path)
        message = f"`path` must be a file written by Trajectory.save, got {str(path)!r}"
        return _unpack(storage.read_npz(Path(path), message), message)


HEAD = {
    "depth": Layout("", "integer", least=1, is_needed=True),
    "status": Layout("", "text", is_needed=True),
    "status_shape": Layout("axes", "integer", least=0, is_needed=True),
}
"""What tells which other arrays a stored run has, and their batch axes."""


def _layouts(
    depth: int, stored: dict[str, np.ndarray], needed: Container[str] = ()
) -> dict[str, Layout]:
    """Describe the arrays of a stored run: the fields of `Trajectory` and what goes with them.

    The weights of a checkpoint are those that run, maybe of a reduction of the network that the
    records tell of, and they may have diverged since the last record.  Of a run that took no step
    they are what was given, maybe without the axes of its batch.

    Imbalances are squares of weights and may overflow where losses do not; alignments are NaN where
    singular vectors are not defined.
    """
    is_checkpoint = "fingerprint" in stored
    layers, running = axis_names(depth), axis_names(depth, is_checkpoint)
    has_layers = "layers.0" in stored or f"layers.{depth - 1}" in stored or "layers" in needed
    last = np.ravel(stored.get("steps", 0))[-1:]
    is_given = not is_checkpoint and np.array_equal(last, [0])
    is_beyond = is_checkpoint and not np.array_equal(last, np.ravel(stored.get("extra_step", 0)))
    weights = Layout(
        "", spreads=is_given, finite="free" if is_beyond else "unless failed", is_needed=True
    )
    number = Layout("records ...", "result", least=0)
    alignment = Layout("records ... r", "result", least=0, finite="or NaN")
    known = {
        "version": Layout("", "text"),
        "fingerprint": Layout("", "text"),
        **{
            f"weights.{k}": replace(weights, axes=f"... {running[k + 1]} {running[k]}")
            for k in range(depth)
        },
        "seconds": Layout("", "double", least=0, finite="always", is_needed=True),
        "drift": Layout("", "double", least=0),
        "steps": Layout("records", "integer", least=0, order="rising", is_needed=True),
        "times": Layout(
            "records ...", "double", True, least=0, order="rising", finite="always", is_needed=True
        ),
        **{
            f"layers.{k}": Layout(f"records ... {layers[k + 1]} {layers[k]}", is_needed=has_layers)
            for k in range(depth)
        },
        "end_to_end": Layout("records ... d_out d_in", "result"),
        "singular_values": Layout("records ... d_out&d_in", "result", least=0, order="falling"),
        "losses": number,
        "errors": number,
        "imbalances": replace(number, finite="free"),
        "left_alignments": alignment,
        "right_alignments": alignment,
        "extra_step": Layout("", "integer", least=0, is_needed=is_checkpoint),
        "extra_done": Layout("...", "boolean", is_needed=is_checkpoint),
    }
    return HEAD | {
        name: replace(layout, is_needed=layout.is_needed or name in needed)
        for name, layout in known.items()
    }


def axis_names(depth: int, is_running: bool = False) -> list[str]:
    """Name the sizes d_0…d_L of a network's layers, or of those of the network that runs."""
    names = ["d_in", *(f"d_{k}" for k in range(1, depth)), "d_out"]
    return [f"running_{name}" for name in names] if is_running else names


class Interrupted(KeyboardInterrupt):
    """A run was interrupted (Ctrl-C); `run` holds everything it had recorded.

    That is a `Trajectory`, or a `dlnlab.flow.Comparison`.  It is a KeyboardInterrupt, so a loop
    over many runs ends as its user intended.  `unsaved` is what kept its checkpoint from being
    written, None if nothing did.
    """

    def __init__(self, run: Any, unsaved: BaseException | None = None) -> None:
        message = f"interrupted after {run.steps[-1] if run.steps.size else 0} steps"
        if unsaved is not None:
            message += f"; its checkpoint could not be written: {unsaved}"
        super().__init__(message)
        self.run, self.unsaved = run, unsaved


class Unsaved(RuntimeWarning, OSError):
    """The checkpoint of a run could not be written; `run` holds everything it had recorded.

    It is a warning: the run goes on, or is returned, and can be saved elsewhere.  Where warnings
    are errors it is an OSError that has the run.
    """

    def __init__(self, run: Trajectory, reason: BaseException) -> None:
        super().__init__(
            f"the checkpoint could not be written: {reason}; the run is not lost, save it "
            "elsewhere (run.save)"
        )
        self.run = run


def _loss(problem: Problem, W: Any, weights: Weights, view: Any) -> Array:
    return problem.loss(W)


def _error(problem: Problem, W: Any, weights: Weights, view: Any) -> Array | None:
    return None if problem.target is None else problem.error(W)


def _singular_values(problem: Problem, W: Any, weights: Weights, view: Any) -> Array:
    return problem.singular_values(W) if view is None else view.problem.all_singular_values(W)


def _alignment(problem: Problem, W: Any, weights: Weights, view: Any) -> Any:
    if problem.target is None:
        return None, None
    return spectra.alignments(W, problem.target_svd)


def _end_to_end(problem: Problem, W: Any, weights: Weights, view: Any) -> Array:
    if view is not None:
        return view.lift_end_to_end(W)
    return W.to_dense() if isinstance(W, FactoredMatrix) else _copy(W)


def _copy(W: Array) -> Array:
    """The run may write to its arrays again."""
    return W.copy() if isinstance(W, np.ndarray) else W


def _imbalance(problem: Problem, W: Any, weights: Weights, view: Any) -> Array:
    weights = weights if view is None else view.lift(weights)
    xp = arrays.namespace(weights[0])
    norms = [xp.linalg.matrix_norm(D) for D in networks.imbalances(weights)]
    return xp.max(xp.stack(norms), axis=0)


def _layers(problem: Problem, W: Any, weights: Weights, view: Any) -> Weights:
    return tuple(map(_copy, weights if view is None else view.lift(weights)))


class _Quantity(NamedTuple):
    """How a quantity is measured, the trajectory fields it fills, and whether it needs a target."""

    measure: Callable[[Problem, Any, Weights, Any], Any]
    fields: tuple[str, ...]
    needs_target: bool = False


QUANTITIES = {
    "loss": _Quantity(_loss, ("losses",)),
    "error": _Quantity(_error, ("errors",), True),
    "singular_values": _Quantity(_singular_values, ("singular_values",)),
    "alignment": _Quantity(_alignment, ("left_alignments", "right_alignments"), True),
    "end_to_end": _Quantity(_end_to_end, ("end_to_end",)),
    "imbalance": _Quantity(_imbalance, ("imbalances",)),
    "layers": _Quantity(_layers, ("layers",)),
}


def check_record(record: Any) -> tuple[str, ...]:
    """Return the names of the quantities to record, or raise; without names, only times are."""
    names = (record,) if isinstance(record, str) else record
    names = checks.sequence("record", names, f"names from {list(QUANTITIES)}")
    return tuple(checks.choice("record", name, QUANTITIES) for name in names)


class Recorder:
    """Takes snapshots of a run and assembles its trajectory.

    Parameters
    ----------
    problem : Problem
        That is run.
    record : sequence of str
    view : optional
        The reduction that runs in place of the given network; what is recorded is of the latter.
    """

    def __init__(self, problem: Problem, record: Sequence[str], view: Any = None) -> None:
        self.problem, self.view = problem, view
        self.names = tuple(record)
        self.rows: list[dict[str, Any]] = []

    def take(self, step: int, t: Any, weights: Weights, W: Array) -> None:
        """Record the state after `step` steps; a row is appended whole or not at all."""
        row: dict[str, Any] = {"steps": step, "times": t}
        for name in self.names:
            quantity = QUANTITIES[name]
            value = quantity.measure(self.problem, W, weights, self.view)
            parts = value if len(quantity.fields) > 1 else (value,)
            row.update(zip(quantity.fields, parts, strict=True))
        self.rows.append(row)

    @property
    def fields(self) -> set[str]:
        """The fields of a trajectory that are recorded."""
        known = self.problem.target is not None
        quantities = [QUANTITIES[name] for name in self.names]
        return {f for q in quantities if known or not q.needs_target for f in q.fields}

    @property
    def last_step(self) -> int:
        """The step of the latest record, −1 before the first."""
        return self.rows[-1]["steps"] if self.rows else -1

    def columns(self) -> dict[str, Any]:
        """Stack the rows to arrays with a leading axis of records."""
        out: dict[str, Any] = {
            "steps": np.array([row["steps"] for row in self.rows], dtype=np.int64),
            "times": np.array([row["times"] for row in self.rows], dtype=float),
        }
        for name in {key for row in self.rows[:1] for key in row} - {"steps", "times"}:
            out[name] = _stack([row[name] for row in self.rows])
        return out

    def restore(self, columns: dict[str, Any]) -> None:
        """Take the rows back from stacked columns."""
        count = columns["steps"].size
        self.rows = [
            {name: _row(column, k) for name, column in columns.items()} for k in range(count)
        ]

    def finish(self, weights: Weights, status: Any, seconds: float, **extra: Any) -> Trajectory:
        """Return the trajectory."""
        return Trajectory(
            weights=weights, status=status, seconds=seconds, **self.columns(), **extra
        )


def _stack(values: list[Any]) -> Any:
    if values[0] is None:
        return None
    if isinstance(values[0], tuple):
        return tuple(_stack(list(parts)) for parts in zip(*values, strict=True))
    return arrays.namespace(values[0]).stack(values)


def _row(column: Any, k: int) -> Any:
    if isinstance(column, tuple):
        return tuple(part[k, ...] for part in column)
    return column[k, ...] if column.ndim > 1 else column[k]


class Checkpoint:
    """The file a run can continue from after it was killed; while it exists no other run gets it.

    It is replaced as a whole (`storage.replacing`), so that at any moment it holds one complete
    state.  It is written at most every `every` seconds, and never takes more than about 5 % of the
    run's time.

    Parameters
    ----------
    path : path
    fingerprint : str
        Hash of everything that determines the run; a file with another one is refused.
    every : float
        Seconds between writes; 0 writes after every step.

    Raises
    ------
    TypeError, ValueError
        If the file cannot be written, or another run is using it.
    """

    def __init__(self, path: str | os.PathLike[str], fingerprint: str, every: float) -> None:
        self.path = storage.check("checkpoint", path)
        self.fingerprint, self.every = fingerprint, every
        try:
            self._lock = locks.Lock("checkpoint", path, "run")
        except OSError as error:
            raise ValueError(
                f"`checkpoint` {os.fspath(path)!r} cannot be written: {error}"
            ) from error
        storage.sweep(self.path)
        self._next = time.monotonic() + every

    def close(self) -> None:
        """Leave the file to other runs."""
        self._lock.release()

    def load(
        self, recorded: Container[str], sizes: dict[str, int]
    ) -> tuple[Trajectory, dict[str, np.ndarray]] | None:
        """Return the stored trajectory and extra state, or None if there is no file.

        Parameters
        ----------
        recorded : container of str
            The fields that the run records.
        sizes : dict
            The sizes of its layers, by the names of `axis_names`.

        Raises
        ------
        ValueError
            If the file is not a checkpoint, belongs to another run or another version, or has been
            changed.
        """
        if not self.path.exists():
            return None
        told = repr(str(self.path))
        message = f"`checkpoint` must be a file written by a run, got {told}"
        stored = storage.read_npz(self.path, message)
        if "fingerprint" not in stored:
            raise ValueError(message)
        version = str(stored.get("version", _version()))  # 0.1.0 did not write it at first
        if version != _version():
            raise ValueError(
                f"`checkpoint` {told} was written by dlnlab {version}, and this is {_version()}, "
                "whose steps may differ; continue with that version, or use another path"
            )
        if str(stored["fingerprint"]) != self.fingerprint:
            raise ValueError(
                f"`checkpoint` {told} belongs to a run with other weights, problem or "
                "settings; use another path, or delete it to start anew"
            )
        run = _unpack(stored, message, recorded, sizes)
        return run, {k[6:]: value for k, value in stored.items() if k.startswith("extra_")}

    def due(self) -> bool:
        """Tell whether enough time has passed for the next write."""
        return time.monotonic() >= self._next

    def write(self, run: Trajectory, **extra: Any) -> None:
        """Replace the file by the state of `run`.

        Raises
        ------
        OSError
            If that fails; the file is then as it was.
        """
        started = time.monotonic()
        content = _pack(run) | {f"extra_{name}": np.asarray(value) for name, value in extra.items()}
        try:
            if not self._lock.is_held():
                raise OSError(f"{str(self.path)!r} has been taken over by another run")
            storage.write_npz(self.path, content | {"fingerprint": np.array(self.fingerprint)})
        finally:
            ended = time.monotonic()
            wait = 20 * (ended - started) if self.every else 0.0
            self._next = ended + max(self.every, wait)


def _version() -> str:
    return VERSION


def _pack(run: Trajectory) -> dict[str, np.ndarray]:
    """Flatten a trajectory to named NumPy arrays."""
    content: dict[str, np.ndarray] = {
        "depth": np.array(len(run.weights)),
        "version": np.array(_version()),
    }
    for item in fields(run):
        value = getattr(run, item.name)
        if item.name == "status":
            members = np.atleast_1d(np.asarray(value, dtype=object))
            names = json.dumps([s.name for s in members.ravel()])
            content["status"] = np.array(names)
            content["status_shape"] = np.array(np.shape(value), dtype=np.int64)
        elif isinstance(value, tuple):
            for k, part in enumerate(value):
                content[f"{item.name}.{k}"] = arrays.to_host(part)
        elif value is not None:
            content[item.name] = arrays.to_host(value)
    return content


def _unpack(
    content: dict[str, np.ndarray],
    message: str,
    needed: Container[str] = (),
    sizes: dict[str, int] | None = None,
) -> Trajectory:
    """Return the trajectory, or raise ValueError with `message` if the arrays are not of one."""
    try:
        layouts.check({k: v for k, v in content.items() if k in HEAD}, HEAD, np.array(False))
        status, depth = _status(content), int(content["depth"])
        failed = (status == Status.DIVERGED) | (status == Status.INTERRUPTED)
        layouts.check(content, _layouts(depth, content, needed), np.asarray(failed), sizes)
        _check_progress(content, status)
    except ValueError as error:
        raise ValueError(f"{message}: {error}") from error
    values: dict[str, Any] = {"status": status if status.ndim else status[()]}
    for name in (item.name for item in fields(Trajectory)):
        if name in content and name != "status":
            values[name] = float(content[name]) if content[name].ndim == 0 else content[name]
        elif f"{name}.0" in content:
            values[name] = tuple(content[f"{name}.{k}"] for k in range(depth))
    return Trajectory(**values)


def _status(content: dict[str, np.ndarray]) -> np.ndarray:
    """Return the status of every member, or raise ValueError."""
    shape = tuple(content["status_shape"].tolist())
    try:
        members = [Status[name] for name in json.loads(str(content["status"]))]
        found = np.empty(len(members), dtype=object)
        found[:] = members
        return found.reshape(shape)
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            "its field `status` must be a JSON list of names of `Status`, as many as a batch of "
            f"shape {shape} (its field `status_shape`) has, got {str(content['status'])[:60]!r}"
        ) from error


def _check_progress(content: dict[str, np.ndarray], status: np.ndarray) -> None:
    """Raise unless a checkpoint's state is one that its records can have led to."""
    if "fingerprint" not in content:
        return
    step, last = int(content["extra_step"]), content["steps"][-1:]
    if (step < last).any():
        raise ValueError(f"its field `extra_step` must be at least `steps[-1]`, got {step}")
    over = (status == Status.CONVERGED) | (status == Status.DIVERGED)
    if (content["extra_done"] != over).any():
        raise ValueError(
            "its field `extra_done` must be true for the members whose `status` is CONVERGED or "
            "DIVERGED, and no others"
        )
