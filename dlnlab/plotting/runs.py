"""One run drawn: its error or loss, and its singular values."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dlnlab.numerics import arrays, checks
from dlnlab.plotting import given, style
from dlnlab.training.trajectory import Trajectory

__all__ = ["trajectory"]


def trajectory(run: Trajectory, figure: Any = None) -> Any:
    """Draw what a run recorded against time: error, or else loss, and singular values.

    Members of a batch are drawn in one colour each.

    Parameters
    ----------
    run : Trajectory
    figure : matplotlib.figure.Figure or SubFigure, optional
        To draw into; by default a new figure that is not registered with pyplot.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError, ValueError
        If an argument is of another type, or nothing that can be drawn was recorded.
    """
    checks.instance("run", run, Trajectory, "a dlnlab.Trajectory, as gradient_descent returns")
    given.figure(figure)
    size = run.losses if run.errors is None else run.errors
    panels = []
    if size is not None:
        label = "loss" if run.errors is None else r"error $\Vert W-M^{\!\ast}\Vert_F$"
        panels.append(partial(_decay, run, arrays.to_host(size), label))
    if run.singular_values is not None:
        panels.append(partial(_values, run, arrays.to_host(run.singular_values)))
    if not panels or not run.steps.size:
        raise ValueError(
            "`run` must have recorded a loss, an error or singular values, got none; name them in "
            "`record`"
        )
    return style.arrange(panels, "", figure)


def _decay(run: Trajectory, size: np.ndarray, label: str, ax: Axes) -> Axes:
    """Draw a positive quantity of all members on a logarithmic axis."""
    flat = size.reshape(len(size), -1)
    for k in range(flat.shape[1]):
        values = flat[:, k]
        shown = np.where(np.isfinite(values) & (values > 0), values, np.nan)
        ax.plot(_times(run, k), shown, color=style.shades(flat.shape[1])[k])
    ax.set_yscale("log")
    ax.set_ylabel(label)
    ax.set_xlabel("time $t$")
    return ax


def _values(run: Trajectory, values: np.ndarray, ax: Axes) -> Axes:
    """Draw the leading singular values; of a batch those of all members."""
    flat = values.reshape(len(values), -1, values.shape[-1])
    shades = style.shades(values.shape[-1])
    for k in range(flat.shape[1]):
        for i in style.shown(values.shape[-1]):
            shown = np.where(np.isfinite(flat[:, k, i]), flat[:, k, i], np.nan)
            ax.plot(_times(run, k), shown, color=shades[i])
    ax.set_ylabel(r"$\sigma_i(W)$")
    ax.set_xlabel("time $t$")
    return ax


def _times(run: Trajectory, member: int) -> np.ndarray:
    if run.times.ndim == 1:
        return run.times
    batch = np.broadcast_shapes(run.times.shape[1:], np.shape(run.status))
    wide = np.broadcast_to(run.times, (len(run.times), *batch))
    return wide.reshape(len(wide), -1)[:, member]
