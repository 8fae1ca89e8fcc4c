"""Assumption 1 drawn: one run in time, and its constants as ε → 0."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dlnlab.claims import assumption1 as assumption
from dlnlab.flow import Comparison
from dlnlab.numerics import checks, limits
from dlnlab.plotting import flows, given, style
from dlnlab.plotting.style import COMPRESSED

__all__ = [
    "EPS",
    "LABELS",
    "MARKERS",
    "SETTLED",
    "assumption1",
    "c_val",
    "c_vec",
    "constants",
    "small_starts",
]

EPS = float(np.finfo(float).eps)

LABELS = {
    "c_val": r"$c_{\mathrm{val}}$",
    "c_vec": r"$c_{\mathrm{vec}}$",
    "waiting": r"waiting",
    "t_r": r"$t_r$",
    "delay": r"$t_r/\tilde t_r$",
}
"""The constants of `dlnlab.flow.Comparison.constants`, as they are called in a legend."""

SETTLED = ("c_val", "delay")
"""Constants that tend to a limit above 0 as ε → 0; the others follow a power of ε."""

MARKERS = ("o", "s", "D", "^", "v")


def assumption1(c: Comparison, figure: Any = None) -> Any:
    """Draw the diagnostics of Assumption 1: values, alignments, c_val(t) and c_vec(t).

    Parameters
    ----------
    c : Comparison
    figure : matplotlib.figure.Figure or SubFigure, optional
        To draw into; a new one by default.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import dlnlab
    >>> c = dlnlab.compare(dlnlab.random_target((10, 10), 2, rng=0), 2, eps=0.1)
    >>> figure = dlnlab.plotting.assumption1(c)
    >>> figure.axes[0].get_title(loc="left")
    '(a) Singular values, targets, fitting times $t_i$'
    """
    given.comparison(c)
    given.figure(figure)
    panels = (flows.singular_values, flows.alignments, c_val, c_vec)
    return style.arrange([partial(draw, c) for draw in panels], flows.setting(c), figure)


def c_val(c: Comparison, ax: Axes) -> Axes:
    """Draw sup over s ≥ t of (σ_i(s) − σ_i*)², for every mode of both networks.

    This is c_val as a function of t_i (`dlnlab.claims.assumption1.running`); a dot is where t_i is.
    In the grey band, below ((rtol + 10 d u) σ_1*)² for d reduced dimensions and a unit u of
    rounding, a singular value is its target as far as the integration can tell.

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
    for k, run in enumerate((c.original, c.compressed)):
        look = {"linestyle": COMPRESSED["linestyle"], "linewidth": 0.9} if k else {}
        _running(c, ax, _curves(run, c.targets).c_val, c.fitting_times[k], c.c_val[k], look)
    ax.set_ylabel(r"$\sup_{s\geq t}\,(\sigma_i(s)-\sigma_i^{\ast})^2$")
    ax.set_title(r"Values: $c_{\mathrm{val}}$ needed from $t$ on")
    _keys(ax, r"$c_{\mathrm{val}}$ at $t_i$", both=True)
    floor = (c.settings["rtol"] + _unit(c)) * float(c.targets[0])
    return _finish(c, ax, floor**2)


def c_vec(c: Comparison, ax: Axes) -> Axes:
    """Draw sup over s ≥ t of 1 − min(left, right alignment), for every mode of the original.

    This is c_vec as a function of t_i (`dlnlab.claims.assumption1.running`); a dot is where t_i is.
    The compressed network's vectors are the target's at all times (Theorem 1).  In the grey band,
    below 10 d u for d reduced dimensions and a unit u of rounding, 1 − cos is rounding.

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
    curve = _curves(c.original, c.targets).c_vec
    _running(c, ax, curve, c.fitting_times.original, c.c_vec.original, {})
    ax.set_ylabel(r"$\sup_{s\geq t}\,(1-\mathrm{alignment}_i(s))$")
    ax.set_title(r"Vectors: $c_{\mathrm{vec}}$ needed from $t$ on")
    _keys(ax, r"$c_{\mathrm{vec}}$ at $t_i$", both=False)
    return _finish(c, ax, _unit(c))


def _unit(c: Comparison) -> float:
    """10 d u: singular values and vectors of a d × d matrix are computed no better than that."""
    return 10 * float(c.settings["reduced_dimension"]) * EPS


def _curves(run: Any, targets: np.ndarray) -> assumption.Running:
    values = np.asarray(run.singular_values)[:, : targets.size]
    left, right = np.asarray(run.left_alignments), np.asarray(run.right_alignments)
    return assumption.running(values, left, right, targets)


def _running(
    c: Comparison, ax: Axes, curve: np.ndarray, fitted: np.ndarray, at: np.ndarray, look: Any
) -> None:
    """One curve per mode and a dot where its t_i is."""
    shades = style.shades(c.targets.size)
    for i in style.shown(c.targets.size):
        if np.isfinite(fitted[i]) or not look:  # of the compressed network, what it can fit
            known = np.where(curve[:, i] > 0, curve[:, i], np.nan)
            ax.plot(c.times, known, color=shades[i], **look)
            ax.plot([fitted[i]], [at[i]], "o", color=shades[i], markersize=4)


def _keys(ax: Axes, dot: str, both: bool) -> None:
    grey: dict[str, Any] = {"color": "0.25"}
    keys = [Line2D([], [], label="original", **grey)]
    if both:
        look = {"linestyle": COMPRESSED["linestyle"], "label": "compressed"}
        keys.append(Line2D([], [], **look, **grey))
    keys.append(Line2D([], [], linestyle="", marker="o", markersize=4, label=dot, **grey))
    band = ax.axhspan(0, 0, label="numerical error", **style.BAND)
    style.legend(ax, [*keys, band])


def _finish(c: Comparison, ax: Axes, floor: float) -> Axes:
    """A logarithmic axis that ends within the band of rounding if the curves reach it."""
    seen = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in ax.lines])
    seen = seen[np.isfinite(seen) & (seen > 0)]
    ax.axhspan(0, floor, **style.BAND)
    ax.set_yscale("log")
    highest = float(np.max(seen, initial=floor))
    lowest = max(float(np.min(seen, initial=highest)), floor / 30)
    ax.set_ylim(min(lowest / 3, highest / 100), 3 * highest)
    style.modes_bar(ax, c.targets.size)
    return flows.time_axis(c, ax)


def small_starts(comparisons: Sequence[Any], figure: Any = None) -> Any:
    """Draw how the constants of Assumption 1 behave as ε → 0, with fitted laws.

    Parameters
    ----------
    comparisons : sequence of Comparison, or sequence of such sequences
        One instance for several ε; or several instances, each for several ε.
    figure : matplotlib.figure.Figure or SubFigure, optional
        To draw into; a new one by default.

    Returns
    -------
    matplotlib.figure.Figure

    Examples
    --------
    >>> import dlnlab
    >>> M = dlnlab.random_target((10, 10), 2, rng=0)
    >>> runs = [dlnlab.compare(M, 2, eps=eps) for eps in (0.2, 0.1, 0.05)]
    >>> [ax.get_title(loc="left") for ax in dlnlab.plotting.small_starts(runs).axes][:2]
    ['(a) Precision after $t_i$', '(b) Movement before its turn']
    """
    panels = (("c_val", "c_vec"), ("waiting",), ("t_r",), ("delay",))
    titles = (
        "Precision after $t_i$",
        "Movement before its turn",
        "Last fitting time",
        "Delay of the original",
    )
    rows = _instances(comparisons)
    given.figure(figure)

    def panel(names: tuple[str, ...], title: str, ax: Axes) -> None:
        constants(rows, ax, names)
        ax.set_title(title)

    draws = [partial(panel, *pair) for pair in zip(panels, titles, strict=True)]
    first, count = rows[0][0], len(rows)
    told = f", {count} instances" if count > 1 else ""
    return style.arrange(draws, flows.setting(first, eps=False) + told, figure)


def constants(
    comparisons: Sequence[Any], ax: Axes, names: Sequence[str] = ("c_val", "c_vec")
) -> Axes:
    """Draw constants of Assumption 1 against ε, with fitted laws and their 95 % intervals.

    "c_vec", "waiting" and "t_r" are fitted with a power of ε (`dlnlab.numerics.limits.fit_power`).
    "c_val" and "delay" tend to a limit above 0 and are fitted with y_0 + b ε^{L−2}, since t_i is
    ε^{2−L} times a series in ε^{L−2}; for L = 2, where t_i grows like log(1/ε), the delay has no
    such form, and no limit is fitted.

    Parameters
    ----------
    comparisons : sequence of Comparison, or sequence of such sequences
        One instance for several ε; or several instances, each for several ε.
    ax : matplotlib.axes.Axes
    names : sequence of str
        Of "c_val", "c_vec", "waiting", "t_r", "delay"; each the worst over the modes of the
        original network (`dlnlab.flow.Comparison.constants`).

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If an argument is of another type, there is nothing to draw, two comparisons of one instance
        have the same ε, or a name is not known.
    """
    names = checks.items("names", names, str, "names")
    if not set(names) <= set(LABELS) or not 0 < len(names) <= len(MARKERS):
        raise ValueError(f"`names` must be some of {list(LABELS)}, got {list(names)}")
    given.axes(ax)
    instances = _instances(comparisons)
    depth = instances[0][0].settings["depth"]
    scales = np.array(sorted({c.settings["eps"] for row in instances for c in row}))
    for n, name in enumerate(names):
        values = _table(instances, scales, name)
        colour, marker = style.shades(max(len(names), 2))[n], MARKERS[n]
        look: dict[str, Any] = {"color": colour, "marker": marker, "fillstyle": "none"}
        ax.plot(scales, values, linewidth=0.4, linestyle=":", markersize=4, **look)
        law, text = _law(scales, values, name, depth)
        ax.plot(scales, law, linewidth=1.1, markersize=4, markevery=[], label=text, **look)
    _scales_axis(scales, ax)
    ax.set_yscale("linear" if set(names) <= {"delay"} else "log")
    ax.set_ylabel(", ".join(LABELS[name] for name in names))
    style.legend(ax, columns=1)
    return ax


def _scales_axis(scales: np.ndarray, ax: Axes) -> None:
    """A logarithmic axis with a tick at every ε, or at a few of many."""
    few = scales[
        np.unique(np.linspace(0, scales.size - 1, min(scales.size, 6)).round().astype(int))
    ]
    ax.set_xscale("log")
    ax.set_xticks(few, [f"{eps:.3g}" for eps in few])
    ax.xaxis.set_minor_locator(ticker.NullLocator())
    ax.set_xlabel(r"initialization scale $\varepsilon$")


def _instances(comparisons: Sequence[Any]) -> list[list[Comparison]]:
    """One list per instance, each with distinct ε."""
    what = "comparisons, or of sequences of them"
    found = checks.sequence("comparisons", comparisons, what)
    if not found:
        raise ValueError("`comparisons` must hold at least one comparison, got none")
    given_rows = [found] if isinstance(found[0], Comparison) else found
    rows = [list(checks.items("comparisons", row, Comparison, what)) for row in given_rows]
    for row in rows:
        scales = [c.settings["eps"] for c in row]
        if not row or len(set(scales)) < len(scales):
            raise ValueError(
                "`comparisons` must have one comparison per ε for every instance (a list of lists "
                f"for several instances), got one with ε = {scales}"
            )
    return rows


def _table(instances: list[list[Comparison]], scales: np.ndarray, name: str) -> np.ndarray:
    """Values of one constant, shape (ε, instances), NaN where an instance lacks an ε."""
    found = [{c.settings["eps"]: c.constants()[name] for c in row} for row in instances]
    table = np.array([[row.get(eps, np.nan) for row in found] for eps in scales])
    return np.where(np.isfinite(table) & (table > 0), table, np.nan)


def _law(scales: np.ndarray, values: np.ndarray, name: str, depth: int) -> tuple[Any, str]:
    """The fitted curve and how it is called in the legend."""
    label = LABELS[name]
    if name not in SETTLED:
        law = limits.fit_power(scales, values)
        text = rf"{label} $\propto\varepsilon^{{\,p}}$, $p={_interval(law.power, law.half_width)}$"
        return law.factor * scales**law.power, text if np.isfinite(law.power) else label
    limit = limits.fit_limit(scales, values, depth - 2) if depth > 2 else None
    if limit is None or not np.isfinite(limit.value):
        return np.full(scales.shape, np.nan), label
    text = rf"{label} $\rightarrow{_interval(limit.value, limit.half_width)}$"
    return limit.value + limit.slope * scales ** (depth - 2), text


def _interval(value: float, half_width: float) -> str:
    """Write a number and its half-width to the latter's two leading digits; at most six digits."""
    size = 5 - np.floor(np.log10(max(abs(value), 1e-300)))
    digits = int(max(0, min(1 - np.floor(np.log10(max(half_width, 1e-300))), size)))
    if half_width < 0.5 * 10.0**-digits:
        return rf"{value:.6g}\pm0"
    return rf"{value:.{digits}f}\pm{half_width:.{digits}f}"
