"""Figures of measurements: the ratio of every row to its target, and how time and memory grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlnlab.plotting.style import STYLE

__all__ = ["FITTED", "MEASURED", "TARGET", "growth", "rows"]

MEASURED, TARGET, FITTED = "#0072B2", "#D55E00", "0.45"


def rows(measured: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the ratio of each row with its quartiles, beside its target.

    Parameters
    ----------
    measured : sequence of mappings
        The "rows" of what ``dlnlab bench --json`` writes.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.0, 0.9 + 0.24 * len(measured)), layout="constrained")
        ax = figure.subplots()
        places = np.arange(len(measured))[::-1]
        ratio = np.array([[r["ratio"][k] for k in ("low", "median", "high")] for r in measured])
        spread = np.stack([ratio[:, 1] - ratio[:, 0], ratio[:, 2] - ratio[:, 1]])
        ax.errorbar(
            ratio[:, 1], places, xerr=spread, fmt="o", ms=4, color=MEASURED, label="measured"
        )
        asked = [(r["target"], y) for r, y in zip(measured, places, strict=True) if r["target"]]
        if asked:
            ax.plot(*zip(*asked, strict=True), "|", color=TARGET, ms=11, mew=1.8, label="target")
        ax.axvline(1, color="0.6", linewidth=0.7)
        ax.set_xscale("log")
        ax.set_yticks(places, [_label(r) for r in measured])
        ax.set_xlabel("times as fast as the reference")
        figure.legend(loc="outside upper right", ncols=2)
    return figure


def growth(measured: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw time and peak memory against each size, with the fitted power of its upper half.

    Parameters
    ----------
    measured : sequence of mappings
        The "growth" of what ``dlnlab bench --json`` writes.

    Returns
    -------
    matplotlib.figure.Figure
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.0, 0.4 + 1.9 * len(measured)), layout="constrained")
        panels = figure.subplots(len(measured), 2, squeeze=False)
        for (left, right), axis in zip(panels, measured, strict=True):
            unit = "s per step" if axis["per_step"] else "s per call"
            _panel(left, axis, axis["seconds"], axis["time_exponent"], f"time, {unit}")
            left.set_title(axis["title"], loc="left")
            if None not in axis["bytes"]:
                mebibytes = np.asarray(axis["bytes"], dtype=float) / 2**20
                _panel(right, axis, mebibytes, axis["memory_exponent"], "peak, MiB")
    return figure


def _panel(ax: Axes, axis: Mapping[str, Any], y: Any, power: float | None, label: str) -> None:
    x, y = np.asarray(axis["values"], dtype=float), np.asarray(y, dtype=float)
    ax.loglog(x, y, "o", color=MEASURED, ms=4)
    if power is not None:
        upper = slice(len(x) // 2 if len(x) > 3 else 0, None)
        middle = np.exp(np.mean(np.log(y[upper])) - power * np.mean(np.log(x[upper])))
        ax.loglog(x[upper], middle * x[upper] ** power, color=FITTED, linestyle="--", linewidth=1)
        ax.text(0.04, 0.84, f"exponent {power:.2f}", transform=ax.transAxes, color="0.3")
    low, high = np.log10([np.min(y), np.max(y)])
    ax.set_ylim(10 ** np.floor(low), 10 ** np.ceil(high + 0.05))  # whole decades: few, plain ticks
    for side in (ax.xaxis, ax.yaxis):
        side.set_minor_formatter(ticker.NullFormatter())
    ax.set_xlabel(axis["symbol"])
    ax.set_ylabel(label)


def _label(row: Mapping[str, Any]) -> str:
    return row["row"] if row["batch"] == 1 else f"{row['row']} (×{row['batch']})"
