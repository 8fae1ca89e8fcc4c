"""Curves of one instance of a claim: arrays in, one panel out.

A margin stands beside what its computation can be wrong by, so that what is seen below zero can be
told from what rounding did.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dlnlab.numerics import checks
from dlnlab.plotting import given, style

__all__ = [
    "MARKERS",
    "TIME",
    "WIDEST",
    "deviation",
    "families",
    "sides",
    "signed_margin",
    "spectra",
]

TIME = "time $t$"
WIDEST = 1e-4
"""The linear stretch around zero is narrowed at most by this factor to show a band of errors."""

MARKERS = ("o", "s", "D")


def signed_margin(
    times: np.ndarray,
    margin: np.ndarray,
    error: np.ndarray,
    ax: Axes,
    *,
    bound: np.ndarray | None = None,
    bound_label: str = "bound",
    at: float | None = None,
) -> Axes:
    """Draw a margin with the band around zero in which its sign is not known.

    The band is 0 ± `error`: a margin outside of it has the sign that is seen.  The axis is
    logarithmic on both sides of a linear stretch around zero that just contains the smallest of
    what is to be seen.

    Parameters
    ----------
    times, margin, error : array, shape (records,)
        `error` bounds the numerical error of `margin`.
    ax : matplotlib.axes.Axes
    bound : array, shape (records,), optional
        A lower bound that a theorem gives.
    bound_label : str
    at : float, optional
        A time to mark.

    Returns
    -------
    matplotlib.axes.Axes
    """
    times, margin, error = given.series(times=times, margin=margin, error=error)
    if bound is not None:
        (_, bound) = given.series(times=times, bound=bound)
    ax = given.axes(ax)
    given.labels(bound_label=bound_label)
    given.place(at)
    largest = float(np.nanmax(error))
    ax.axhline(0, **style.ZERO)
    label = f"numerical error, ≤ {largest:.1g}"
    ax.fill_between(times, -error, error, label=label, **style.BAND)
    ax.plot(times, margin, color="black", label="margin")
    seen = [margin, error]
    if bound is not None:
        ax.plot(times, bound, label=bound_label, **style.BOUND)
        seen.append(bound)
    lowest = None if bound is None else float(bound[-1])
    extent = max(float(np.nanmax(np.abs(values))) for values in seen)
    style.two_sided_log(ax, _threshold(margin, error, lowest), max(extent, 1e-300))
    _mark(at, ax)
    style.legend(ax)
    return ax


def _threshold(margin: np.ndarray, error: np.ndarray, bound: float | None) -> float:
    """Half-width of the linear stretch: a power of ten below what must be told from zero.

    That is the lowest margin and the end of the bound, and the band of errors where it is not many
    orders below them; a stretch above a tenth of the largest margin would hide it.
    """
    largest, worst = float(np.nanmax(np.abs(margin))), int(np.nanargmin(margin))
    marks = [abs(float(margin[worst])), abs(float(margin[-1]))]
    marks += [abs(bound)] if bound is not None and bound < 0 else []
    smallest = max(min(marks), float(error[worst]), 1e-16 * largest, 1e-300)
    smallest = min(smallest, max(float(np.nanmax(error)), WIDEST * smallest))
    return float(10 ** np.floor(np.log10(min(smallest, max(largest / 10, 1e-300)))))


def deviation(
    x: np.ndarray,
    values: np.ndarray,
    allowed: np.ndarray | float,
    ax: Axes,
    *,
    xlabel: str = TIME,
    ylabel: str = "relative deviation",
    at: float | None = None,
    discrete: bool = False,
) -> Axes:
    """Draw how far two sides of an equation are apart, below what numerical errors may do.

    Parameters
    ----------
    x, values : array, shape (records,)
        `values` ≥ 0; zeros, which have no logarithm, are marks at the lower edge.
    allowed : array, shape (records,), or float
        The bound on the numerical error.
    ax : matplotlib.axes.Axes
    xlabel, ylabel : str
    at : float, optional
        A place to mark.
    discrete : bool
        Whether `x` counts things, between which no line makes sense.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.
    """
    x, values = given.series(x=x, values=values)
    (allowed,) = given.series(allowed=np.atleast_1d(checks.numbers_in("allowed", allowed)))
    if len(allowed) not in (1, len(x)) or not (allowed >= 0).all():
        raise ValueError(
            f"`allowed` must be a number >= 0 or {len(x)} of them, one for each record, "
            f"got {checks.describe(allowed)}"
        )
    ax = given.axes(ax)
    given.labels(xlabel=xlabel, ylabel=ylabel)
    given.place(at)
    discrete = checks.flag("discrete", discrete)
    allowed = np.broadcast_to(allowed, x.shape)
    positive = np.where(values > 0, values, np.nan)
    seen = np.append(positive, allowed)
    highest = float(np.nanmax(seen))
    floor = float(10 ** np.floor(min(np.log10(np.nanmin(seen)) - 0.5, np.log10(highest) - 3)))
    label = f"numerical error, ≤ {float(np.max(allowed)):.1g}"
    if discrete:
        wide = np.ravel(np.column_stack([x - 0.4, x + 0.4]))
        ax.fill_between(wide, floor, np.repeat(allowed, 2), label=label, **style.BAND)
        ax.set_xticks(np.unique(np.linspace(x[0], x[-1], min(x.size, 8)).round()))
    else:
        ax.fill_between(x, floor, allowed, label=label, **style.BAND)
    look: dict[str, Any] = {"linestyle": "", "markersize": 8} if discrete else {"markersize": 4}
    ax.plot(x, positive, color="black", marker=".", linewidth=1.0, label="deviation", **look)
    zeros = x[values <= 0]
    if zeros.size:
        exact: dict[str, Any] = {"color": "black", "markersize": 4, "clip_on": False}
        ax.plot(zeros, np.full(zeros.shape, floor), "|", label="exactly 0", **exact)
    ax.set_yscale("log")
    ax.set_ylim(floor, 10 * highest)
    ax.yaxis.set_major_locator(ticker.LogLocator(numticks=6))
    ax.yaxis.set_minor_formatter(ticker.NullFormatter())
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    _mark(at, ax)
    style.legend(ax)
    return ax


def families(
    x: np.ndarray,
    first: np.ndarray,
    second: np.ndarray,
    ax: Axes,
    *,
    labels: tuple[str, str],
    xlabel: str = TIME,
    ylabel: str = r"singular value $\sigma_i$",
    each: str = "mode $i$",
    at: float | None = None,
) -> Axes:
    """Draw two families of curves, one colour for each: the first solid, the second as open dots.

    Parameters
    ----------
    x : array, shape (records,)
    first, second : array, shape (records, k)
    ax : matplotlib.axes.Axes
    labels : (str, str)
        What the first and the second family are.
    xlabel, ylabel : str
    each : str
        What has a colour.
    at : float, optional
        A place to mark.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.
    """
    (x,) = given.series(x=x)
    first, second = given.series(2, first=first, second=second)
    if first.shape != second.shape or len(first) != len(x):
        raise ValueError(
            f"`first` and `second` must have shape (records, k) for the {len(x)} records of `x`, "
            f"got {first.shape} and {second.shape}"
        )
    ax = given.axes(ax)
    checks.items("labels", labels, str, "two strings")
    if len(labels) != 2:
        raise ValueError(f"`labels` must be two strings, got {len(labels)}")
    given.labels(xlabel=xlabel, ylabel=ylabel, each=each)
    given.place(at)
    count = first.shape[1]
    colours, every = style.shades(count), max(1, x.size // 15)
    dots: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 4, "fillstyle": "none"}
    for i in style.shown(count):
        ax.plot(x, first[:, i], color=colours[i], linewidth=1.0)
        ax.plot(x, second[:, i], color=colours[i], markevery=every, **dots)
    grey: dict[str, Any] = {"color": "0.25"}
    handles = [
        Line2D([], [], label=labels[0], **grey),
        Line2D([], [], label=labels[1], **grey, **dots),
    ]
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    _mark(at, ax)
    style.modes_bar(ax, count, each)
    style.legend(ax, handles)
    return ax


def spectra(
    series: Mapping[str, np.ndarray], ax: Axes, *, ylabel: str = r"singular value $\sigma_i$"
) -> Axes:
    """Draw spectra side by side: the values of each name over their index, with its own marker.

    Parameters
    ----------
    series : mapping of str to array, shape (k,)
        At most three.
    ax : matplotlib.axes.Axes
    ylabel : str

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.
    """
    ax = given.axes(ax)
    given.labels(ylabel=ylabel)
    checks.instance("series", series, Mapping, "a mapping from names to spectra")
    if not 1 <= len(series) <= len(MARKERS):
        raise ValueError(f"`series` must hold one to {len(MARKERS)} spectra, got {len(series)}")
    given.labels(**{f"series, the name {name!r}": name for name in series})
    series = {name: given.series(**{f"series[{name!r}]": s})[0] for name, s in series.items()}
    colours = (style.ORIGINAL["color"], style.COMPRESSED["color"], style.BOUND["color"])
    filled = ("full", "none", "none")
    for n, (name, values) in enumerate(series.items()):
        index = np.arange(1, len(values) + 1)
        look: dict[str, Any] = {"color": colours[n], "marker": MARKERS[n], "fillstyle": filled[n]}
        ax.plot(index, values, linestyle="", markersize=6 + n, label=name, **look)
    longest = max(len(values) for values in series.values())
    ax.set_xlim(0.5, longest + 0.5)
    ax.set_xticks(np.unique(np.linspace(1, longest, min(longest, 8)).round()))
    low = min(0.0, *(float(np.min(values)) for values in series.values()))
    high = max(0.0, *(float(np.max(values)) for values in series.values()))
    room = 0.08 * (high - low or 1.0)  # so that no marker is cut
    ax.axhline(0, **style.ZERO)
    ax.set_ylim(low - room, high + room)
    ax.set_xlabel("index $i$")
    ax.set_ylabel(ylabel)
    style.legend(ax)
    return ax


def sides(parts: Sequence[tuple[str, float]], ax: Axes, *, xlabel: str) -> Axes:
    """Draw the sides of an inequality as bars, the first at the top, with their values.

    Parameters
    ----------
    parts : sequence of (str, float)
        Names and values.
    ax : matplotlib.axes.Axes
    xlabel : str
        What the values are.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.
    """
    for k, part in enumerate(checks.sequence("parts", parts, "pairs of a name and a number")):
        if len(checks.sequence(f"parts[{k}]", part, "a name and a number")) != 2:
            told = checks.describe(part)
            raise ValueError(f"`parts[{k}]` must be a name and a number, got {told}")
        checks.text(f"parts[{k}][0]", part[0])
        checks.real(f"parts[{k}][1]", part[1], "a finite number")
    if not parts:
        raise ValueError("`parts` must hold at least one side, got none")
    ax = given.axes(ax)
    given.labels(xlabel=xlabel)
    names, values = zip(*parts, strict=True)
    places = np.arange(len(values))
    fills = [str(grey) for grey in np.linspace(0.45, 0.8, len(values))]
    ax.barh(places, values, height=0.5, color=fills, edgecolor="0.2", linewidth=0.6)
    ax.axvline(0, **style.ZERO)
    for place, value in zip(places, values, strict=True):
        text: dict[str, Any] = {"xytext": (3, 0), "textcoords": "offset points", "va": "center"}
        ax.annotate(f"{value:.6g}", (max(value, 0), place), **text)
    ax.set_yticks(places, names)
    ax.tick_params(axis="y", length=0)
    ax.invert_yaxis()
    largest = max(float(np.max(np.abs(values))), np.finfo(float).tiny)
    ax.set_xlim(min(0.0, 1.3 * min(values)), 1.3 * largest if any(values) else 1.0)
    ax.set_xlabel(xlabel)
    return ax


def _mark(at: float | None, ax: Axes) -> None:
    """A thin upright line at the record the verdict is about."""
    if at is not None:
        ax.axvline(at, linestyle=(0, (1, 2)), label="worst record", **style.ZERO)
