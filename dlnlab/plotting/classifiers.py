"""Where what is said of classifiers fails: maps over batch and step size, or batch and width."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlnlab.plotting.style import arrange

__all__ = ["QUANTITIES", "RATIOS", "failures", "times"]

QUANTITIES = {
    "excess": ("excess of low rank", "viridis", 0.5, 1.0, "{:.2f}"),
    "turned": ("turn of the subspace", "viridis_r", 0.0, 1.0, "{:.2f}"),
    "behind": ("points behind", "viridis_r", 0.0, 10.0, "{:.1f}"),
    "training": ("samples learnt (%)", "viridis", 0.0, 100.0, "{:.0f}"),
}
"""Words, colours, their ends, and how a number is written.  Bright is as the paper says."""

RATIOS = {
    "dln": ("wide block / compressed", "viridis", 0.0, 2.0, "{:.2f}"),
    "dense": ("matrix / compressed", "viridis", 0.0, 2.0, "{:.2f}"),
}
"""The same of processor times; bright is where the compressed network is faster."""


def failures(cells: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw a map for each quantity and method.

    Parameters
    ----------
    cells : sequence of mapping
        With "method", "eta", "batch" (None: all samples), and the medians of `QUANTITIES`, None
        where a run diverged.

    Returns
    -------
    matplotlib.figure.Figure
    """
    methods = dict.fromkeys(cell["method"] for cell in cells)
    panels = tuple(
        partial(_panel, method=method, name=name, cells=[c for c in cells if c["method"] == method])
        for name in QUANTITIES
        for method in methods
    )
    return arrange(panels, "What holds, over batch and step size", columns=len(methods))


def _panel(ax: Axes, method: str, name: str, cells: Sequence[Mapping[str, Any]]) -> Axes:
    _map(ax, QUANTITIES[name], [{**c, "value": c[name]} for c in cells], "eta")
    ax.set_title(f"{QUANTITIES[name][0]}, {method}")
    ax.set_xlabel("step size")
    return ax


def times(cells: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw how much less time a gradient of the compressed network takes than one of the others.

    Parameters
    ----------
    cells : sequence of mapping
        With "width", "batch", and "seconds", a mapping of "dense", "dln" and "compressed".

    Returns
    -------
    matplotlib.figure.Figure
    """
    panels = tuple(partial(_ratio, name=name, cells=cells) for name in RATIOS)
    return arrange(panels, "Processor time of a gradient, over batch and width", columns=2)


def _ratio(ax: Axes, name: str, cells: Sequence[Mapping[str, Any]]) -> Axes:
    each = [{**c, "value": c["seconds"][name] / c["seconds"]["compressed"]} for c in cells]
    _map(ax, RATIOS[name], each, "width")
    ax.set_title(RATIOS[name][0])
    ax.set_xlabel("width")
    return ax


def _map(
    ax: Axes,
    style: tuple[str, str, float, float, str],
    cells: Sequence[Mapping[str, Any]],
    across: str,
) -> None:
    """Draw the "value" of every cell, None where a run diverged, over its "batch" and another."""
    _, colours, low, high, form = style
    columns = list(dict.fromkeys(cell[across] for cell in cells))
    batches = list(dict.fromkeys(cell["batch"] for cell in cells))
    values = np.full((len(batches), len(columns)), math.nan)
    for cell in cells:
        if cell["value"] is not None:
            values[batches.index(cell["batch"]), columns.index(cell[across])] = cell["value"]
    ax.imshow(values, cmap=colours, vmin=low, vmax=high, aspect="auto", origin="lower")
    for (row, column), value in np.ndenumerate(values):
        bright = (value - low) / (high - low) > 0.5
        dark_text = bright == (not colours.endswith("_r"))
        ax.text(
            column,
            row,
            "div." if math.isnan(value) else form.format(value),
            ha="center",
            va="center",
            size="x-small",
            color="black" if math.isnan(value) or dark_text else "white",
        )
    ax.set_xticks(range(len(columns)), [f"{place:g}" for place in columns])
    ax.set_yticks(range(len(batches)), ["all" if b is None else str(b) for b in batches])
    ax.set_ylabel("batch")
