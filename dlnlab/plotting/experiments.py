"""Figures of experiments: a row of panels for each reading, every seed in it.

Colour and line style tell the networks apart, as in every figure here; where a panel holds several
parts of an experiment, markers tell these.  The first seed is drawn strongly, the others faintly.
Published numbers are triangles on the axis that they lie on.  One key stands beneath all panels.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dlnlab.experiments import Panel, Study
from dlnlab.plotting import given
from dlnlab.plotting.style import COMPRESSED, ORIGINAL, STYLE, _Figure, modes_bar, shades, verbatim

if TYPE_CHECKING:
    from dlnlab.experiments.recovery import Runs

__all__ = [
    "BAR",
    "FEW_DECADES",
    "HEIGHT",
    "LINES",
    "MARKERS",
    "NARROWEST",
    "OTHERS",
    "TITLE",
    "UNITS",
    "WIDEST",
    "WIDTH",
    "Results",
    "panel",
    "runs",
    "study",
]

OTHERS = ("#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Of Okabe and Ito's colour-blind-safe set, for curves that are neither of the two networks."""

LINES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1, 1)))
MARKERS = ("", "o", "s", "^", "D", "v")
UNITS = {
    "frobenius": r"error $\Vert W-M^{\!\ast}\Vert_F$",
    "relative": r"$\Vert W-M^{\!\ast}\Vert_F/\Vert M^{\!\ast}\Vert_F$",
    "half_mse": "½ MSE",
    "half_mse_unobserved": "½ MSE, unobserved",
}
"""What the recovery error of a reading is."""

WIDTH, HEIGHT = 2.9, 2.0
"""Inches of a panel; a figure is at most as wide as a page shows."""
WIDEST = 11.0
NARROWEST = 5.0
"""Inches: what a title and a key need."""
BAR = 0.35
"""Inches that the key of the modes takes beside a panel."""

FEW_DECADES = 100.0
"""Logarithmic axes that span less have ticks between the powers of ten."""

TITLE = 14
"""Letters of a title to an inch."""

Results = Sequence[Mapping[str, Any]]


def study(s: Study, figure: Any = None) -> Any:
    """Draw an experiment that was carried out: a row of panels for each reading.

    A reading of which every run diverged has nothing to show, and is named beneath.

    Parameters
    ----------
    s : Study
    figure : matplotlib.figure.Figure or SubFigure, optional
        To draw into; by default a new one that is not registered with pyplot.

    Returns
    -------
    matplotlib.figure.Figure
    """
    panels = [p for p in s.experiment.panels if _present(p, s.results)]
    drawn = [reading for reading, results in s.results.items() if _moved(panels, results)]
    lost = [reading for reading in s.results if reading not in drawn]
    published = {
        y.quantity: y.published for y in s.experiment.yardsticks if y.published is not None
    }
    with matplotlib.rc_context(STYLE):
        width = float(np.clip((WIDTH + BAR) * max(len(panels), 1), NARROWEST, WIDEST))
        figure = given.figure(figure) or _new_figure(width, max(len(drawn), 1))
        _title(figure, f"{s.experiment.name}: {s.experiment.title}", width)
        if not drawn:
            figure.text(0.5, 0.5, "every run diverged", ha="center", color="0.4")
            return figure
        rows = figure.subfigures(len(drawn), 1, squeeze=False)[:, 0]
        for row, reading in zip(rows, drawn, strict=True):
            each = [_in_unit(p, s.experiment.settings[reading]) for p in panels]
            _row(row, each, s.results[reading], published)
            told = f"{verbatim(reading)}: {_state(s, reading)}"
            row.suptitle(told, x=0.01, ha="left", fontsize=8.5)
        _key(figure, rows, lost)
    return figure


def _row(row: Any, panels: Sequence[Panel], results: Results, published: Mapping) -> None:
    """Draw the panels of one reading; those that it has no curves for are left out."""
    held = [p for p in panels if _visible_in(p, results)]
    grid = row.subplots(1, len(panels), squeeze=False)[0]
    for ax in grid[len(held) :]:
        ax.set_axis_off()
    for ax, p in zip(grid, held, strict=False):
        panel(p, results, ax, published=published, key=False)
        ax.set_title(p.title, loc="right", fontsize=8)


def _state(s: Study, reading: str) -> str:
    """The state of a reading, and how many published numbers it leaves open, as a title."""
    if s.quick:
        return "a quick run, not judged"
    if s.experiment.apart:
        return "not counted"
    tally = s.tallies[reading]
    left = tally.published["undecided"]
    return f"{tally.state}, {left} of the published numbers open" if left else tally.state


def _title(figure: Any, text: str, width: float) -> None:
    """A title in as many lines as it needs."""
    figure.suptitle("\n".join(textwrap.wrap(text, int(TITLE * width))))


def _key(figure: Any, rows: Sequence[Any], lost: Sequence[str]) -> None:
    """One key for all panels, beneath them, where it covers nothing, and who is not drawn."""
    found: dict[str, Any] = {}
    for row in rows:
        for ax in row.axes:
            for handle, label in zip(*ax.get_legend_handles_labels(), strict=True):
                found.setdefault(label, handle)
    if lost:
        found[f"not drawn, every run diverged: {', '.join(lost)}"] = Line2D([], [], alpha=0.0)
    if found:
        figure.legend(
            found.values(),
            found.keys(),
            loc="outside lower center",
            ncols=min(len(found), max(2, int(figure.bbox.width / figure.dpi / 1.9))),
            fontsize=7.5,
            handlelength=2.4,
        )


def runs(r: Runs, figure: Any = None) -> Any:
    """Draw networks that were run side by side: errors, or losses, by iterations and by time.

    Parameters
    ----------
    r : Runs
    figure : matplotlib.figure.Figure or SubFigure, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    known = all(curve.errors is not None for curve in r.curves.values())
    series = {
        name: {
            "steps": curve.steps,
            "seconds": curve.steps * curve.seconds_per_step,
            "size": curve.errors if known else curve.losses,
        }
        for name, curve in r.curves.items()
    }
    label = "recovery error" if known else "loss"
    with matplotlib.rc_context(STYLE):
        figure = given.figure(figure) or _new_figure(2 * WIDTH, 1)
        both = (("steps", "iterations", label), ("seconds", "processor time (s)", ""))
        for ax, (x, xlabel, ylabel) in zip(figure.subplots(1, 2), both, strict=True):
            panel(Panel(x, "size", xlabel, ylabel, logy=True), [{"curves": series}], ax)
    return figure


def panel(
    p: Panel,
    results: Results,
    ax: Axes,
    *,
    published: Mapping[str, float] | None = None,
    key: bool = True,
) -> Axes:
    """Draw one panel from the results of all seeds.

    Parameters
    ----------
    p : Panel
    results : sequence of what an experiment's `measure` returned
    ax : matplotlib.axes.Axes
    published : mapping from quantities to float, optional
        Published numbers, of which those are drawn that the panel asks for.
    key : bool
        Say in the panel which curve is which.

    Returns
    -------
    matplotlib.axes.Axes
    """
    names = _names(p, results)
    if not names or not _visible_in(p, results):
        return _empty(ax, "diverged" if names else "not part of it")
    ax.set_xlabel(p.xlabel)
    ax.set_ylabel(p.ylabel)
    if p.shades:
        return _map(p, results[0]["curves"][names[0]], ax)
    parts = list(dict.fromkeys(_part(name) for name in names))
    for seed, result in enumerate(results):
        for index, name in enumerate(names):
            if name in result["curves"]:
                style = _style(name, index, parts) | ({"alpha": 0.25} if seed else {})
                _draw(p, result["curves"][name], style, ax, labelled=seed == 0 and len(names) > 1)
    for value in results[0].get("targets", ()) if p.targets else ():
        ax.axhline(value, color="0.5", linestyle=":", linewidth=0.6)
    _marks(p, published or {}, ax)
    _scale(p, ax)
    if key and ax.get_legend_handles_labels()[0]:
        ax.legend(handlelength=2.2, fontsize=7)
    return ax


def _scale(p: Panel, ax: Axes) -> None:
    """Axes as the panel has them, with few enough ticks to be read."""
    for axis, log in ((ax.xaxis, p.logx), (ax.yaxis, p.logy)):
        axis.axes.set(**{f"{axis.axis_name}scale": "log" if log else "linear"})
        if not log:
            axis.set_major_locator(ticker.MaxNLocator(4 if axis is ax.xaxis else 5))
            axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.6g}"))
    if math.isfinite(p.high):
        ax.set_ylim(top=p.high)
    if ax.get_ylim()[0] < p.low:
        ax.set_ylim(bottom=p.low)
    for axis, log in ((ax.xaxis, p.logx), (ax.yaxis, p.logy)):
        low, high = sorted(axis.get_view_interval())
        if log and low > 0 and high / low < FEW_DECADES:  # powers of ten alone would be too few
            axis.set_major_locator(ticker.LogLocator(subs=(1.0, 2.0, 5.0)))
            axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,g}"))
            axis.set_minor_formatter(ticker.NullFormatter())
        elif log:
            axis.set_major_locator(ticker.LogLocator(numticks=6))


def _map(p: Panel, curve: Mapping[str, Any], ax: Axes) -> Axes:
    """Draw a value between 0 and 1 of each mode as shades, mode by time."""
    x, y = np.asarray(curve[p.x], dtype=float), np.asarray(curve[p.y], dtype=float)
    modes = np.arange(1, y.shape[1] + 1)
    mesh = ax.pcolormesh(x, modes, y.T, cmap="magma", vmin=0.0, vmax=1.0, rasterized=True)
    ax.invert_yaxis()
    ax.set_yticks(modes if modes.size <= 5 else modes[:: -(-modes.size // 5)])
    ax.xaxis.set_major_locator(ticker.MaxNLocator(4))
    ax.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    bar = ax.figure.colorbar(mesh, cax=ax.inset_axes((1.03, 0, 0.035, 1)))
    bar.outline.set_visible(False)
    return ax


def _marks(p: Panel, published: Mapping[str, float], ax: Axes) -> None:
    """Draw published numbers on the axes that they lie on."""
    for quantity, axis in p.marks.items():
        if quantity not in published:
            continue
        value = published[quantity] - (p.offset if axis == "y" else 0.0)
        colour = next((k["color"] for k in (ORIGINAL, COMPRESSED) if k["label"] in quantity), "0.2")
        style: dict[str, Any] = {"color": colour, "linestyle": ":", "linewidth": 0.8}
        if axis == "x":
            ax.axvline(value, **style)
            place = ([value], [1.0], "v", ax.get_xaxis_transform())
        else:
            ax.axhline(value, **style)
            place = ([1.0], [value], "<", ax.get_yaxis_transform())
        x, y, marker, transform = place
        ax.plot(x, y, marker, color=colour, markersize=4, transform=transform, clip_on=False)
    if published.keys() & p.marks.keys():
        ax.plot([], [], "v:", color="0.2", markersize=4, linewidth=0.8, label="published")


def _empty(ax: Axes, words: str) -> Axes:
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", color="0.4")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    return ax


def _draw(
    p: Panel, curve: Mapping[str, Any], style: dict[str, Any], ax: Axes, *, labelled: bool
) -> None:
    """Draw a curve, or a family of them, of which there is something to see."""
    x, y = np.asarray(curve[p.x], dtype=float), np.asarray(curve[p.y], dtype=float) - p.offset
    y = np.where(np.isfinite(y) & ((y > 0) | (not p.logy)), y, np.nan)
    x = np.where((x > 0) | (not p.logx), x, np.nan)
    if not _visible(p, curve).any():
        return
    label = style.pop("label") if labelled else style.pop("label") and None
    if y.ndim == 1:
        ax.plot(x, y, **style, label=label)
        return
    style = {k: v for k, v in style.items() if k not in ("color", "marker")}
    for column, shade in zip(y.T, shades(y.shape[1]), strict=True):
        ax.plot(x, column, **(style | {"color": shade, "linewidth": 1.0}))
    if label is not None:  # whose colours mean modes
        ax.plot([], [], **(style | {"color": "0.25"}), label=label)
    if not ax.child_axes:
        modes_bar(ax, y.shape[1])


def _style(name: str, index: int, parts: Sequence[str]) -> dict[str, Any]:
    """How a curve is drawn: by its network, and marked by its part."""
    alone = name.rsplit(": ", 1)[-1]
    network = alone.split(",")[0]
    known = {"original": ORIGINAL, "compressed": COMPRESSED}
    label = name if len(parts) > 1 else network if network in known else alone
    other = {"color": OTHERS[index % len(OTHERS)], "linestyle": LINES[index % len(LINES)]}
    style = known.get(network, other) | {"label": label}
    if len(parts) > 1:
        marker = MARKERS[parts.index(_part(name)) % len(MARKERS)]
        style |= {"marker": marker, "markevery": 0.12, "markersize": 3.5}
    return style


def _part(name: str) -> str:
    return name.rsplit(": ", 1)[0] if ": " in name else ""


def _names(p: Panel, results: Results) -> list[str]:
    """The curves that have the panel's series, in the order of the results."""
    names = dict.fromkeys(
        name
        for result in results
        for name, curve in result["curves"].items()
        if p.x in curve and p.y in curve
    )
    return [name for name in names if not p.curves or name in p.curves]


def _present(p: Panel, results: Mapping[str, Results]) -> bool:
    return any(_names(p, each) for each in results.values())


def _in_unit(p: Panel, settings: Mapping[str, Any]) -> Panel:
    """Name the unit that a reading has the recovery error in, for a part if the panel shows one."""
    if p.y != "error":
        return p
    part = settings.get("parts", {}).get(p.title, {})
    return replace(p, ylabel=UNITS[part.get("error", settings["error"])])


def _moved(panels: Sequence[Panel], results: Results) -> bool:
    """Whether any run of a reading came so far that there is a curve."""
    return any(_visible_in(p, results) for p in panels)


def _visible_in(p: Panel, results: Results) -> bool:
    """Whether any run has something to see in a panel."""
    return any(
        _visible(p, result["curves"][name]).any()
        for name in _names(p, results)
        for result in results
        if name in result["curves"]
    )


def _visible(p: Panel, curve: Mapping[str, Any]) -> np.ndarray:
    """Which modes of a curve have two points at least that can be drawn; one if it has no modes."""
    y = np.asarray(curve[p.y], dtype=float) - p.offset
    good = np.isfinite(y) & ((y > 0) | (not p.logy))
    return np.atleast_1d(good.sum(axis=0) > 1)


def _new_figure(width: float, rows: int) -> Any:
    figure: Any = _Figure(figsize=(width, HEIGHT * rows + 0.75), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.05)
    return figure
