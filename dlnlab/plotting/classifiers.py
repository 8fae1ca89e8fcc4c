"""Where what is said of classifiers fails: maps over batch and step size, a method in a column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlnlab.plotting.style import arrange

__all__ = ["QUANTITIES", "failures"]

QUANTITIES = {
    "excess": ("excess of low rank", "viridis", 0.5, 1.0, "{:.2f}"),
    "turned": ("turn of the subspace", "viridis_r", 0.0, 1.0, "{:.2f}"),
    "behind": ("points behind", "viridis_r", 0.0, 10.0, "{:.1f}"),
    "training": ("samples learnt (%)", "viridis", 0.0, 100.0, "{:.0f}"),
}
"""Words, colours, their ends, and how a number is written.  Bright is as the paper says."""


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
    words, colours, low, high, form = QUANTITIES[name]
    etas = list(dict.fromkeys(cell["eta"] for cell in cells))
    batches = list(dict.fromkeys(cell["batch"] for cell in cells))
    values = np.full((len(batches), len(etas)), math.nan)
    for cell in cells:
        if cell[name] is not None:
            values[batches.index(cell["batch"]), etas.index(cell["eta"])] = cell[name]
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
    ax.set_xticks(range(len(etas)), [f"{eta:g}" for eta in etas])
    ax.set_yticks(range(len(batches)), ["all" if b is None else str(b) for b in batches])
    ax.set_title(f"{words}, {method}")
    ax.set_xlabel("step size")
    ax.set_ylabel("batch")
    return ax
