"""The instance that an attack on a conjecture ended with: its margin, and both networks."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dlnlab.plotting import curves, flows, given, style

__all__ = ["conjecture"]


def conjecture(outcome: Any, figure: Any = None) -> Any:
    """Draw the margin of an outcome's instance, and the errors and singular values of its networks.

    Parameters
    ----------
    outcome : dlnlab.lab.outcome.Outcome
        With an instance.
    figure : matplotlib.figure.Figure or SubFigure, optional
        To draw into; by default a new one.

    Returns
    -------
    matplotlib.figure.Figure
    """
    given.figure(figure)
    found, seen = outcome.look()

    def margin(ax: Axes) -> Axes:
        times, margins, errors = found.times, found.margin, found.error
        if times.size == 1:  # a number for the whole instance
            times = np.array([0.0, max(float(seen.times[-1]), 1.0)])
            margins, errors = np.repeat(margins, 2), np.repeat(errors, 2)
        curves.signed_margin(times, margins, errors, ax, at=outcome.time)
        ax.set_title("Margin")
        ax.set_xlabel("time $t$")
        return ax

    panels = [margin]
    if seen.times.size > 1:
        panels.append(lambda ax: _errors(seen, ax))
        panels.append(lambda ax: _singular_values(seen, ax))
    return style.arrange(panels, style.verbatim(outcome.statement), figure)


def _errors(seen: Any, ax: Axes) -> Axes:
    other = seen.compressed or seen.original
    return flows.error_curves(seen.times, seen.original.errors, other.errors, ax)


def _singular_values(seen: Any, ax: Axes) -> Axes:
    """Draw the singular values of one network, or of both."""
    runs = [run for run in (seen.original, seen.compressed) if run is not None]
    for run, look in zip(runs, (flows.ORIGINAL, flows.COMPRESSED), strict=False):
        lines = ax.plot(seen.times, run.singular_values, **look)
        for line in lines[1:]:
            line.set_label("")
    ax.set_xlabel("time $t$")
    ax.set_title("Singular values")
    style.legend(ax)
    return ax
