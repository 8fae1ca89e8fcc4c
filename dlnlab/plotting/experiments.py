"""Figures of experiments: a row of panels for each reading, every seed in it.

Colour and line style tell the networks apart, as in every figure here; where a panel holds several
parts of an experiment, markers tell these.  The first seed is drawn strongly, the others faintly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from dlnlab.experiments import Panel, Study
from dlnlab.plotting import given
from dlnlab.plotting.style import COMPRESSED, ORIGINAL, STYLE, _Figure, shades

if TYPE_CHECKING:
    from dlnlab.experiments.judging import Tally
    from dlnlab.experiments.recovery import Runs

__all__ = ["panel", "runs", "study"]

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

FLAT = 0.3
"""Height, in rows, of a reading in which every run diverged."""

WIDTH, HEIGHT = 2.7, 2.0
"""Inches of a panel; a figure is at most as wide as a screen shows."""
NARROWEST = 5.0
"""Inches: what a title needs."""

Results = Sequence[Mapping[str, Any]]


def study(s: Study, figure: Any = None) -> Any:
    """Draw an experiment that was carried out.

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
    with matplotlib.rc_context(STYLE):
        rows, columns = len(s.results), max(len(panels), 1)
        tall = sum(1.0 if _moved(panels, results) else FLAT for results in s.results.values())
        figure = given.figure(figure) or _new_figure(tall, columns)
        heights = [1.0 if _moved(panels, results) else FLAT for results in s.results.values()]
        grid = figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
        for axes, (reading, results) in zip(grid, s.results.items(), strict=True):
            for ax, each in zip(axes, panels, strict=False):
                panel(_in_unit(each, s.experiment.settings[reading]), results, ax)
                ax.set_title(each.title, loc="right", fontsize=7)
            above = "\n" * any(each.title for each in panels[:1])  # not into the panel's own title
            axes[0].set_title(f"{reading}: {_state(s.tallies[reading])}{above}", loc="left")
        figure.suptitle(f"{s.experiment.name}: {s.experiment.title}")
    return figure


def _state(tally: Tally) -> str:
    """The state of a reading, and how many published numbers it leaves open, as a title."""
    left = tally.published["undecided"]
    return f"{tally.state}\n{left} undecided" if left else tally.state


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
        figure = given.figure(figure) or _new_figure(1, 2)
        both = (("steps", "iterations", label), ("seconds", "processor time (s)", ""))
        for ax, (x, xlabel, ylabel) in zip(figure.subplots(1, 2), both, strict=True):
            panel(Panel(x, "size", xlabel, ylabel, logy=True), [{"curves": series}], ax)
    return figure


def panel(p: Panel, results: Results, ax: Axes) -> Axes:
    """Draw one panel from the results of all seeds.

    Parameters
    ----------
    p : Panel
    results : sequence of what an experiment's `measure` returned
    ax : matplotlib.axes.Axes

    Returns
    -------
    matplotlib.axes.Axes
    """
    names = _names(p, results)
    parts = list(dict.fromkeys(_part(name) for name in names))
    drawn = False
    for seed, result in enumerate(results):
        for index, name in enumerate(names):
            if name in result["curves"]:
                style = _style(name, index, parts) | (
                    {"alpha": 0.25, "label": None} if seed else {}
                )
                drawn |= _draw(p, result["curves"][name], style, ax)
    if not drawn:
        return _empty(ax, "diverged" if names else "not part of it")
    for value in results[0].get("targets", ()) if p.targets else ():
        ax.axhline(value, color="0.5", linestyle=":", linewidth=0.6)
    ax.set_xscale("log" if p.logx else "linear")
    ax.set_yscale("log" if p.logy else "linear")
    ax.set_xlabel(p.xlabel)
    ax.set_ylabel(p.ylabel)
    if len(names) > 1:
        handles = ax.get_legend_handles_labels()[0] or [_grey(name, parts) for name in names]
        ax.legend(handles=handles, handlelength=2.2, fontsize=6.5)
    return ax


def _grey(name: str, parts: Sequence[str]) -> Line2D:
    """The key of a family of curves, whose colours mean modes."""
    return Line2D([], [], **(_style(name, 0, parts) | {"color": "0.25"}))


def _empty(ax: Axes, words: str) -> Axes:
    ax.text(0.5, 0.5, words, transform=ax.transAxes, ha="center", va="center", color="0.4")
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(False)
    return ax


def _draw(p: Panel, curve: Mapping[str, Any], style: dict[str, Any], ax: Axes) -> bool:
    """Draw a curve, or a family of them, and tell whether there was anything to draw."""
    x, y = np.asarray(curve[p.x], dtype=float), np.asarray(curve[p.y], dtype=float)
    y = np.where(np.isfinite(y) & ((y > 0) | (not p.logy)), y, np.nan)
    if not _visible(p, curve).any():
        return False
    if y.ndim == 1:
        ax.plot(x, y, **style)
        return True
    colours = shades(y.shape[1])
    style = {k: v for k, v in style.items() if k not in ("color", "label", "marker")}
    for column, shade in zip(y.T, colours, strict=True):
        ax.plot(x, column, **(style | {"color": shade, "linewidth": 1.0}))
    return True


def _style(name: str, index: int, parts: Sequence[str]) -> dict[str, Any]:
    """How a curve is drawn: by its network, and marked by its part."""
    label = name if len(parts) > 1 else name.rsplit(": ", 1)[-1]
    network = name.rsplit(": ", 1)[-1].split(",")[0]
    known = {"original": ORIGINAL, "compressed": COMPRESSED}
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
    return any(
        _visible(p, result["curves"][name]).any()
        for p in panels
        for name in _names(p, results)
        for result in results
        if name in result["curves"]
    )


def _visible(p: Panel, curve: Mapping[str, Any]) -> np.ndarray:
    """Which modes of a curve have two points at least that can be drawn; one if it has no modes."""
    y = np.asarray(curve[p.y], dtype=float)
    good = np.isfinite(y) & ((y > 0) | (not p.logy))
    return np.atleast_1d(good.sum(axis=0) > 1)


def _new_figure(rows: float, columns: int) -> Any:
    size = (np.clip(WIDTH * columns + 0.6, NARROWEST, 11.0), HEIGHT * rows + 0.4)
    figure: Any = _Figure(figsize=size, layout="constrained")
    figure.get_layout_engine().set(w_pad=0.06, h_pad=0.05)
    return figure
