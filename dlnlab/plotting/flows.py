"""Both networks of a comparison over time: errors, singular values, alignments, margin."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dlnlab.flow import Comparison
from dlnlab.plotting import curves, given, style
from dlnlab.plotting.style import COMPRESSED, ORIGINAL, QUIET

__all__ = [
    "SPREAD",
    "alignments",
    "comparison",
    "error_curves",
    "errors",
    "margin",
    "setting",
    "singular_values",
    "time_axis",
]

SPREAD = 8.0
"""Fitting times that spread by more than this factor get a logarithmic time axis: on a linear one
the first would crowd at the left edge."""


def comparison(c: Comparison, figure: Any = None) -> Any:
    """Draw a comparison in four panels: errors, singular values, alignments, margin.

    Parameters
    ----------
    c : Comparison
    figure : matplotlib.figure.Figure or SubFigure, optional
        To draw into, which keeps its own size and layout; by default a new figure of 7 × 5.2
        inches that is not registered with pyplot and that notebooks display.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import dlnlab
    >>> c = dlnlab.compare(dlnlab.random_target((10, 10), 2, rng=0), 2, eps=0.1)
    >>> figure = c.plot()
    >>> [ax.get_title(loc="left")[:3] for ax in figure.axes[:4]]
    ['(a)', '(b)', '(c)', '(d)']
    """
    given.comparison(c)
    given.figure(figure)
    panels = (errors, singular_values, alignments, margin)
    return style.arrange([partial(draw, c) for draw in panels], setting(c), figure)


def errors(c: Comparison, ax: Axes) -> Axes:
    """Draw the recovery errors ‖W − M*‖_F and ‖W̃ − M*‖_F against time, on a logarithmic axis.

    Parameters
    ----------
    c : Comparison
    ax : matplotlib.axes.Axes
        To draw into.

    Returns
    -------
    matplotlib.axes.Axes
    """
    given.comparison(c)
    error_curves(c.times, np.asarray(c.original.errors), np.asarray(c.compressed.errors), ax)
    return time_axis(c, ax)


def error_curves(times: np.ndarray, original: np.ndarray, compressed: np.ndarray, ax: Axes) -> Axes:
    """Draw recovery errors, shape (records,), of both networks; zeros are left out.

    Parameters
    ----------
    times : array, shape (records,)
    original, compressed : array, shape (records,)
        ‖W − M*‖_F and ‖W̃ − M*‖_F.
    ax : matplotlib.axes.Axes

    Returns
    -------
    matplotlib.axes.Axes
    """
    times, original, compressed = given.series(
        times=times, original=original, compressed=compressed
    )
    given.axes(ax)
    both = np.stack([original, compressed])
    both = np.where(both > 0, both, np.nan)
    for values, look in zip(both, (ORIGINAL, COMPRESSED), strict=True):
        ax.plot(times, values, **look)
    ax.set_yscale("log")
    highest = float(np.nanmax(both))
    ax.set_ylim(min(0.6 * float(np.nanmin(both)), highest / 10), 1.6 * highest)
    ax.set_ylabel(r"error $\Vert W-M^{\!\ast}\Vert_F$")
    ax.set_title("Recovery errors")
    ax.set_xlabel("time $t$")
    style.legend(ax)
    return ax


def singular_values(c: Comparison, ax: Axes) -> Axes:
    """Draw the leading singular values of both networks, their targets and their fitting times.

    Targets are dotted lines; an upright mark on them is a fitting time, long for the original and
    short for the compressed network.  The largest value beyond the rank is drawn in grey.  Of more
    than 12 modes, 12 evenly spread ones are drawn.

    Parameters
    ----------
    c : Comparison
    ax : matplotlib.axes.Axes
        To draw into.

    Returns
    -------
    matplotlib.axes.Axes
    """
    given.comparison(c)
    given.axes(ax)
    rank, r_hat = c.targets.size, c.settings["r_hat"]
    original, compressed = (np.asarray(r.singular_values) for r in (c.original, c.compressed))
    shades = style.shades(rank)
    for i in style.shown(rank):
        target, shade = c.targets[i], shades[i]
        ax.axhline(target, color=shade, linestyle=":", linewidth=0.6)
        ax.plot(c.times, original[:, i], color=shade)
        _fitted(ax, c.fitting_times.original[i], target, shade, 9)
        if i < r_hat:
            ax.plot(c.times, compressed[:, i], color=shade, linestyle=COMPRESSED["linestyle"])
            _fitted(ax, c.fitting_times.compressed[i], target, shade, 5)
    if original.shape[1] > rank:
        ax.plot(c.times, original[:, rank], color=QUIET, linewidth=1.0, zorder=1.5)
    ax.set_ylim(-0.04 * c.targets[0], None)
    ax.set_ylabel(r"singular value $\sigma_i$")
    ax.set_title("Singular values, targets, fitting times $t_i$")
    style.legend(ax, handles=_singular_value_keys(original.shape[1] > rank))
    style.modes_bar(ax, rank)
    return time_axis(c, ax)


def alignments(c: Comparison, ax: Axes) -> Axes:
    """Draw how far the original network's singular vectors are aligned with the target's.

    For each mode the smaller of the left and the right alignment.  A gap means that the vector is
    not defined there, because its singular value is not separated from the next.

    Parameters
    ----------
    c : Comparison
    ax : matplotlib.axes.Axes
        To draw into.

    Returns
    -------
    matplotlib.axes.Axes
    """
    given.comparison(c)
    given.axes(ax)
    smaller = np.minimum(
        *map(np.asarray, (c.original.left_alignments, c.original.right_alignments))
    )
    rank = c.targets.size
    shades = style.shades(rank)
    for i in style.shown(rank):
        ax.plot(c.times, smaller[:, i], color=shades[i])
    ax.set_ylim(-0.04, 1.04)
    ax.set_ylabel("min(left, right) alignment")
    ax.set_title("Alignments, original network")
    style.modes_bar(ax, rank)
    return time_axis(c, ax)


def margin(c: Comparison, ax: Axes) -> Axes:
    """Draw Theorem 2's margin ‖W − M*‖_F² − ‖W̃ − M*‖_F² with its numerical error.

    Below zero the compressed network is the farther one.  Within the grey band around zero the
    numerical error hides the sign.  For r̂ > r the refined theorem's lower bound −(r̂ − r)β^{2L} is
    drawn too.  The axis is logarithmic on both sides of a linear stretch around zero that just
    contains the smallest of what is to be seen.

    Parameters
    ----------
    c : Comparison
    ax : matplotlib.axes.Axes
        To draw into.

    Returns
    -------
    matplotlib.axes.Axes
    """
    given.comparison(c)
    spare = max(c.settings["r_hat"] - c.targets.size, 0)
    options: dict[str, Any] = {}
    if spare:
        options = {"bound": -spare * c.residual**2, "bound_label": r"$-(\hat r-r)\,\beta^{2L}$"}
    curves.signed_margin(c.times, c.margin, c.margin_error, ax, **options)
    ax.set_ylabel(r"$\Vert W-M^{\!\ast}\Vert_F^2-\Vert\widetilde W-M^{\!\ast}\Vert_F^2$")
    ax.set_title(_margin_title(c))
    return time_axis(c, ax)


def _margin_title(c: Comparison) -> str:
    """What is seen: whether the margin leaves the positive side by more than its error."""
    if np.any(c.margin < -c.margin_error):
        return "Theorem 2's margin, partly negative"
    seen = "never negative" if np.all(c.margin >= 0) else "≥ 0 within error"
    return f"Theorem 2's margin, {seen}"


def setting(c: Comparison, eps: bool = True) -> str:
    """One line that says which experiment it is, with or without its ε.

    Parameters
    ----------
    c : Comparison
    eps : bool

    Returns
    -------
    str
    """
    s = c.settings
    scale = rf"$\varepsilon={s['eps']:.6g}$, " if eps else ""
    return (
        rf"{s['shape'][0]} × {s['shape'][1]} target of rank {s['rank']},"
        rf" $L={s['depth']}$, {scale}$\hat r={s['r_hat']}$"
    )


def time_axis(c: Comparison, ax: Axes) -> Axes:
    """Label and scale the time axis.

    Parameters
    ----------
    c : Comparison
    ax : matplotlib.axes.Axes

    Returns
    -------
    matplotlib.axes.Axes
    """
    finite = np.concatenate([t[np.isfinite(t) & (t > 0)] for t in c.fitting_times])
    if finite.size and np.max(finite) > SPREAD * np.min(finite):
        ax.set_xscale("log")
        ax.set_xlim(float(np.min(finite)) / 3, float(c.times[-1]))
    else:
        ax.set_xlim(0, float(c.times[-1]))
    ax.set_xlabel("time $t$")
    return ax


def _fitted(ax: Axes, t: float, target: float, shade: Any, size: float) -> None:
    """Mark a fitting time on the target's line; a value that is never fitted has none."""
    if np.isfinite(t):
        ax.plot([t], [target], "|", color=shade, markersize=size, markeredgewidth=1.0)


def _singular_value_keys(beyond: bool) -> list[Line2D]:
    """Legend entries in neutral grey, since colour means the mode."""
    grey: dict[str, Any] = {"color": "0.25"}
    keys = [
        Line2D([], [], label="original", **grey),
        Line2D([], [], linestyle=COMPRESSED["linestyle"], label="compressed", **grey),
        Line2D([], [], linestyle=":", linewidth=0.9, label="target", **grey),
        Line2D([], [], linestyle="", marker="|", markersize=9, label="$t_i$", **grey),
    ]
    last = Line2D([], [], color=QUIET, linewidth=1.0, label=r"$\sigma_{r+1}$")
    return [*keys, last] if beyond else keys
