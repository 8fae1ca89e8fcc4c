"""How a run records itself: snapshots of the quantities asked for, stacked at the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from dlnlab.numerics import arrays
from dlnlab.numerics.arrays import Array
from dlnlab.training.trajectory import Trajectory

__all__ = ["Quantity", "Recorder", "copied"]


class Quantity(NamedTuple):
    """How a quantity is measured, and the fields of a trajectory that it fills.

    Attributes
    ----------
    measure : callable
        Of what an objective's `look` returns; with several fields it returns as many values.
    fields : tuple of str
    needs_target : bool
        Whether it is known only if the problem's target is.
    """

    measure: Callable[[Any], Any]
    fields: tuple[str, ...]
    needs_target: bool = False


class Recorder:
    """Takes snapshots of a run and assembles its trajectory.

    Parameters
    ----------
    quantities : mapping of str to Quantity
        What is recorded, by the names that a user has for it.
    """

    def __init__(self, quantities: Mapping[str, Quantity]) -> None:
        self.quantities = dict(quantities)
        self.rows: list[dict[str, Any]] = []

    def take(self, step: int, t: Any, look: Any, **more: Any) -> None:
        """Record the state after `step` steps; a row is appended whole or not at all.

        Parameters
        ----------
        step : int
            Steps taken.
        t : float
            Flow time.
        look : object
            What quantities are measured on.
        **more
            Further values of the row.
        """
        row: dict[str, Any] = {"steps": step, "times": t, **more}
        for quantity in self.quantities.values():
            value = quantity.measure(look)
            parts = value if len(quantity.fields) > 1 else (value,)
            row.update(zip(quantity.fields, parts, strict=True))
        self.rows.append(row)

    @property
    def fields(self) -> set[str]:
        """The fields of a trajectory that are recorded."""
        return {field for quantity in self.quantities.values() for field in quantity.fields}

    @property
    def last_step(self) -> int:
        """The step of the latest record, −1 before the first."""
        return self.rows[-1]["steps"] if self.rows else -1

    def columns(self) -> dict[str, Any]:
        """Stack the rows to arrays with a leading axis of records.

        Returns
        -------
        dict
        """
        on_host = {"steps": np.int64, "times": float, "clock": float}
        out: dict[str, Any] = {
            name: np.array([row[name] for row in self.rows], dtype=kind)
            for name, kind in on_host.items()
            if name != "clock" or any("clock" in row for row in self.rows[:1])
        }
        for name in {key for row in self.rows[:1] for key in row} - on_host.keys():
            out[name] = _stack([row[name] for row in self.rows])
        return out

    def restore(self, columns: dict[str, Any]) -> None:
        """Take the rows back from stacked columns.

        Parameters
        ----------
        columns : dict of str to array
            As `columns` returns them.
        """
        count = columns["steps"].size
        self.rows = [
            {name: _row(column, k) for name, column in columns.items()} for k in range(count)
        ]

    def finish(self, weights: Any, status: Any, seconds: float, **extra: Any) -> Trajectory:
        """Return the trajectory of everything that was recorded.

        Parameters
        ----------
        weights : tuple or dict of arrays
        status : Status, or array of them
        seconds : float
        **extra
            Further fields.

        Returns
        -------
        Trajectory
        """
        return Trajectory(
            weights=weights, status=status, seconds=seconds, **self.columns(), **extra
        )


def _stack(values: list[Any]) -> Any:
    if isinstance(values[0], tuple):
        return tuple(_stack(list(parts)) for parts in zip(*values, strict=True))
    if isinstance(values[0], dict):
        return {name: _stack([value[name] for value in values]) for name in values[0]}
    return arrays.namespace(values[0]).stack(values)


def _row(column: Any, k: int) -> Any:
    if isinstance(column, tuple):
        return tuple(_row(part, k) for part in column)
    if isinstance(column, dict):
        return {name: _row(part, k) for name, part in column.items()}
    return column[k, ...] if column.ndim > 1 else column[k]


def copied(W: Array) -> Array:
    """Return what may be kept of an array that the run may write to again.

    Parameters
    ----------
    W : array

    Returns
    -------
    array
    """
    return W.copy() if isinstance(W, np.ndarray) else W
