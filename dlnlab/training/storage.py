"""How runs are kept in files: their arrays by name, and what these must be.

Two kinds of runs are kept.  The weights of a linear network are a chain, `weights.0`, `weights.1`,
…, maybe with batch axes; those of another model have names, `weights.W1`, which the file lists.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any

import numpy as np

from dlnlab.numerics import arrays
from dlnlab.training import layouts
from dlnlab.training.layouts import Layout
from dlnlab.training.status import Status
from dlnlab.version import VERSION

__all__ = [
    "HEAD",
    "NUMBER",
    "axis_names",
    "flatten",
    "gather",
    "named_axes",
    "pack",
    "unpack",
    "values_axis",
]

HEAD = {
    "depth": Layout("", "integer", least=1, is_needed=True),
    "names": Layout("", "text"),
    "status": Layout("", "text", is_needed=True),
    "status_shape": Layout("axes", "integer", least=0, is_needed=True),
}
"""What tells which other arrays a stored run has, and their batch axes."""


def _layouts(
    stored: dict[str, np.ndarray], needed: Container[str], slots: Sequence[str]
) -> dict[str, Layout]:
    """Describe the arrays of a stored run: the fields of `Trajectory` and what goes with them.

    The weights of a checkpoint are those that run, maybe of a reduction of the network that the
    records tell of, and they may have diverged since the last record.  Of a run that took no step
    they are what was given, maybe without the axes of its batch.
    """
    is_checkpoint = "fingerprint" in stored
    last = np.ravel(stored.get("steps", 0))[-1:]
    is_given = not is_checkpoint and np.array_equal(last, [0])
    is_beyond = is_checkpoint and not np.array_equal(last, np.ravel(stored.get("extra_step", 0)))
    weights = Layout(
        "", spreads=is_given, finite="free" if is_beyond else "unless failed", is_needed=True
    )
    names = _names(stored)
    if names is None:
        axes, records = _of_a_chain(int(stored["depth"]), stored, needed, is_checkpoint)
    else:
        axes, records = _of_named(names, stored)
    known = {
        "version": Layout("", "text"),
        "fingerprint": Layout("", "text"),
        **{f"weights.{key}": replace(weights, axes=axes[key]) for key in axes},
        "seconds": Layout("", "double", least=0, finite="always", is_needed=True),
        "drift": Layout("", "double", least=0),
        "steps": Layout("records", "integer", least=0, order="rising", is_needed=True),
        "times": Layout(
            "records ...", "double", True, least=0, order="rising", finite="always", is_needed=True
        ),
        **records,
        "extra_step": Layout("", "integer", least=0, is_needed=is_checkpoint),
        "extra_done": Layout("...", "boolean", is_needed=is_checkpoint),
        **{f"extra_{s}.{key}": replace(weights, axes=axes[key]) for s in slots for key in axes},
    }
    return HEAD | {
        name: replace(layout, is_needed=layout.is_needed or name in needed)
        for name, layout in known.items()
    }


NUMBER = Layout("records ...", "result", least=0)
"""One number of a member at each record."""


def _of_a_chain(
    depth: int, stored: Container[str], needed: Container[str], is_running: bool
) -> tuple[dict[str, str], dict[str, Layout]]:
    """Return the axes of each layer of a linear network, and what may be recorded of it.

    Imbalances are squares of weights and may overflow where losses do not; alignments are NaN where
    singular vectors are not defined.
    """
    layers, running = axis_names(depth), axis_names(depth, is_running)
    has_layers = "layers.0" in stored or f"layers.{depth - 1}" in stored or "layers" in needed
    alignment = Layout("records ... r", "result", least=0, finite="or NaN")
    axes = {str(k): f"... {running[k + 1]} {running[k]}" for k in range(depth)}
    return axes, {
        **{
            f"layers.{k}": Layout(f"records ... {layers[k + 1]} {layers[k]}", is_needed=has_layers)
            for k in range(depth)
        },
        "end_to_end": Layout("records ... d_out d_in", "result"),
        "singular_values": Layout("records ... d_out&d_in", "result", least=0, order="falling"),
        "losses": NUMBER,
        "errors": NUMBER,
        "imbalances": replace(NUMBER, finite="free"),
        "left_alignments": alignment,
        "right_alignments": alignment,
    }


def _of_named(
    names: Sequence[str], stored: Mapping[str, np.ndarray]
) -> tuple[dict[str, str], dict[str, Layout]]:
    """Return the axes of each array of a model, and what may be recorded of it."""
    axes = {n: " ".join(named_axes(n, np.ndim(stored.get(f"weights.{n}", 0)))) for n in names}
    share = replace(NUMBER, axes="records")
    return axes, {
        **{f"layers.{name}": Layout(f"records {axes[name]}") for name in names},
        **{
            f"layer_singular_values.{name}": Layout(
                f"records {values_axis(name)}", "result", least=0, order="falling"
            )
            for name in names
        },
        "end_to_end": Layout("records d_out d_in", "result"),
        "singular_values": Layout("records d_out&d_in", "result", least=0, order="falling"),
        "losses": share,
        "test_losses": share,
        "accuracies": replace(share, finite="always"),
        "test_accuracies": replace(share, finite="always"),
        "clock": Layout("records", "double", least=0, order="rising", finite="always"),
        "extra_clock": Layout("", "double", least=0, finite="always"),
    }


def axis_names(depth: int, is_running: bool = False) -> list[str]:
    """Name the sizes d_0…d_L of a network's layers, or of those of the network that runs.

    Parameters
    ----------
    depth : int
        L.
    is_running : bool
        Whether of the network that runs, not of the one that was given.

    Returns
    -------
    list of str
    """
    names = ["d_in", *(f"d_{k}" for k in range(1, depth)), "d_out"]
    return [f"running_{name}" for name in names] if is_running else names


def named_axes(name: str, ndim: int) -> list[str]:
    """Name the axes of an array of a model.

    Parameters
    ----------
    name : str
    ndim : int
        Axes, that of records included.

    Returns
    -------
    list of str
    """
    return [f"{name}[{axis}]" for axis in range(ndim)]


def values_axis(name: str) -> str:
    """Name the axis of the singular values of a model's layer.

    Parameters
    ----------
    name : str

    Returns
    -------
    str
    """
    return f"values_of_{name}"


def pack(run: Any) -> dict[str, np.ndarray]:
    """Flatten a trajectory to named NumPy arrays.

    Parameters
    ----------
    run : Trajectory

    Returns
    -------
    dict of str to array
    """
    content: dict[str, np.ndarray] = {
        "depth": np.array(len(run.weights)),
        "version": np.array(VERSION),
    }
    if isinstance(run.weights, Mapping):
        content["names"] = np.array(json.dumps(list(run.weights)))
    for item in fields(run):
        value = getattr(run, item.name)
        if item.name == "status":
            members = np.atleast_1d(np.asarray(value, dtype=object))
            names = json.dumps([s.name for s in members.ravel()])
            content["status"] = np.array(names)
            content["status_shape"] = np.array(np.shape(value), dtype=np.int64)
        elif value is not None:
            content |= flatten(item.name, value)
    return content


def flatten(name: str, value: Any) -> dict[str, np.ndarray]:
    """Return an array by its name, or those of a tuple or dict by ``name.key``, on the host.

    Parameters
    ----------
    name : str
    value : array, or tuple or dict of arrays

    Returns
    -------
    dict of str to array
    """
    if isinstance(value, Mapping):
        return {f"{name}.{key}": arrays.to_host(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return {f"{name}.{key}": arrays.to_host(part) for key, part in enumerate(value)}
    return {name: arrays.to_host(value)}


def gather(
    name: str, keys: Sequence[str], content: Mapping[str, np.ndarray], named: bool
) -> tuple[np.ndarray, ...] | dict[str, np.ndarray]:
    """Return what `flatten` has made ``name.key`` of; a dict if the keys are names.

    Parameters
    ----------
    name : str
    keys : sequence of str
    content : mapping of str to array
    named : bool

    Returns
    -------
    tuple[np.ndarray, ...] | dict[str, np.ndarray]
    """
    found = {key: content[f"{name}.{key}"] for key in keys if f"{name}.{key}" in content}
    return found if named else tuple(found.values())


def unpack(
    content: dict[str, np.ndarray],
    kind: type,
    message: str,
    *,
    needed: Container[str] = (),
    sizes: Mapping[str, int] | None = None,
    slots: Sequence[str] = (),
) -> Any:
    """Return the trajectory, an object of `kind`, that arrays of a file are.

    Parameters
    ----------
    content : dict of arrays
    kind : type
        `Trajectory`; its fields say what there is.
    message : str
        Of the error, before its reason.
    needed : container of str
        Fields that must be there.
    sizes : mapping, optional
        Of axes that are known beforehand.
    slots : sequence of str
        Names of what the method of a checkpoint keeps.

    Returns
    -------
    object

    Raises
    ------
    ValueError
        With `message`, if the arrays are not of a trajectory.
    """
    try:
        layouts.check({k: v for k, v in content.items() if k in HEAD}, HEAD, np.array(False))
        status, names = _status(content), _names(content)
        failed = (status == Status.DIVERGED) | (status == Status.INTERRUPTED)
        found = _layouts(content, needed, slots)
        layouts.check(content, found, np.asarray(failed), sizes)
        _check_progress(content, status)
    except ValueError as error:
        raise ValueError(f"{message}: {error}") from error
    keys = [str(k) for k in range(int(content["depth"]))] if names is None else names
    values: dict[str, Any] = {"status": status if status.ndim else status[()]}
    for name in (item.name for item in fields(kind)):
        if name in content and name != "status":
            values[name] = float(content[name]) if content[name].ndim == 0 else content[name]
        elif any(f"{name}.{key}" in content for key in keys):
            values[name] = gather(name, keys, content, names is not None)
    return kind(**values)


def _names(content: Mapping[str, np.ndarray]) -> list[str] | None:
    """Return the names of a model's arrays, None of a linear network, or raise ValueError."""
    if "names" not in content:
        return None
    told = str(content["names"])
    try:
        names = json.loads(told)
    except (ValueError, RecursionError):
        names = None
    depth = int(content["depth"])
    if (
        not isinstance(names, list)
        or not all(isinstance(name, str) for name in names)
        or len(set(names)) != depth
        or len(names) != depth
    ):
        raise ValueError(
            f"its field `names` must be a JSON list of {depth} different names (its field "
            f"`depth`), got {told[:60]!r}"
        )
    return names


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
