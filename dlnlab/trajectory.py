"""What a run returns, and how a run records it.

A run — gradient descent or gradient flow — is a sequence of weights.  At its recording times a
`Recorder` takes a snapshot of the quantities asked for; the run ends in a `Trajectory`, an
immutable record with a status.  A `Checkpoint` keeps it on disk, so that a killed run continues
where it was, bit for bit.
"""

from __future__ import annotations

import enum
import json
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dlnlab import arrays, checks, locks, networks, spectra, storage
from dlnlab.arrays import Array
from dlnlab.networks import Weights
from dlnlab.problems import Problem
from dlnlab.products import FactoredMatrix

__all__ = ["Checkpoint", "Interrupted", "Recorder", "Status", "Trajectory", "Unsaved"]


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
        status = self.status.value if isinstance(self.status, Status) else "batch"
        if not self.steps.size:
            return f"Trajectory(no records, {status})"
        recorded = [f.name for f in fields(self)[5:] if getattr(self, f.name) is not None]
        return (
            f"Trajectory({self.steps.size} records to t = {np.max(self.times[-1]):.6g} "
            f"after {self.steps[-1]} steps, {status}; {', '.join(recorded)})"
        )

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
    """How a quantity is measured, and the trajectory fields it fills."""

    measure: Callable[[Problem, Any, Weights, Any], Any]
    fields: tuple[str, ...]


QUANTITIES = {
    "loss": _Quantity(_loss, ("losses",)),
    "error": _Quantity(_error, ("errors",)),
    "singular_values": _Quantity(_singular_values, ("singular_values",)),
    "alignment": _Quantity(_alignment, ("left_alignments", "right_alignments")),
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

    def load(self) -> tuple[Trajectory, dict[str, np.ndarray]] | None:
        """Return the stored trajectory and extra state, or None if there is no file.

        Raises
        ------
        ValueError
            If the file is not a checkpoint, or belongs to another run or another version.
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
        extra = {k[6:]: value for k, value in stored.items() if k.startswith("extra_")}
        if not {"step", "done"} <= extra.keys():
            raise ValueError(message)
        return _unpack(stored, message), extra

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
    from dlnlab import __version__  # not known yet while the package is being imported

    return __version__


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


def _unpack(content: dict[str, np.ndarray], message: str) -> Trajectory:
    """Return the trajectory, or raise ValueError with `message` if the arrays are not of one."""
    try:
        depth = int(content["depth"])
        members = [Status[name] for name in json.loads(str(content["status"]))]
        shape = tuple(content["status_shape"])
        status: Any = np.array(members, dtype=object).reshape(shape)
        values: dict[str, Any] = {"status": status if shape else members[0]}
        for item in fields(Trajectory):
            if item.name in content and item.name != "status":
                value = content[item.name]
                values[item.name] = float(value) if item.name in ("seconds", "drift") else value
            elif f"{item.name}.0" in content:
                values[item.name] = tuple(content[f"{item.name}.{k}"] for k in range(depth))
        return Trajectory(**values)
    except (KeyError, IndexError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"{message}: it lacks what a run consists of") from error
