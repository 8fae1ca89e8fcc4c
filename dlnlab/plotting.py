"""Figures: results and Axes in, Axes out.  This is the only module that imports Matplotlib.

Nothing here touches pyplot, so drawing opens no window, changes no global state and needs no
display.  The two networks are told apart by colour (blue and vermilion of Okabe and Ito's
colour-blind-safe set) *and* by line style (original solid, compressed dashed), modes by lightness
as well as hue, so every figure survives a grey print.
"""

from __future__ import annotations

import io
import os
from typing import Any

import matplotlib
import numpy as np
from matplotlib import cm, colors, ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from dlnlab.flow import Comparison

__all__ = ["alignments", "comparison", "errors", "margin", "save", "singular_values"]

ORIGINAL: dict[str, Any] = {"color": "#0072B2", "linestyle": "-", "label": "original"}
COMPRESSED: dict[str, Any] = {"color": "#D55E00", "linestyle": (0, (4, 2)), "label": "compressed"}
BOUND: dict[str, Any] = {"color": "#009E73", "linestyle": (0, (5, 1, 1, 1))}
QUIET = "0.55"

SIZE = (7.0, 5.2)
"""Inches: the text width of a page."""

STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.titlesize": 9.5,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
}
"""Applied while a whole figure is drawn; single panels follow the user's own settings."""

SPREAD = 8.0
"""Fitting times that spread by more than this factor get a logarithmic time axis: on a linear one
the first would crowd at the left edge."""

NAMED = 6
"""Up to this many modes are named one by one on the colour bar."""

CURVES = 12
"""Modes drawn; of more, evenly spread ones, the first and the last among them."""


class _Figure(Figure):
    """A figure that notebooks show even where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=150)
        return buffer.getvalue()


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
    with matplotlib.rc_context(STYLE):
        if figure is None:
            figure = _Figure(figsize=SIZE, layout="constrained")
            figure.get_layout_engine().set(w_pad=0.08, h_pad=0.06)
        panels = (errors, singular_values, alignments, margin)
        for name, draw, ax in zip("abcd", panels, figure.subplots(2, 2).ravel(), strict=True):
            draw(c, ax)
            ax.set_title(f"({name}) {ax.get_title()}", loc="left")
            ax.set_title("")
        figure.suptitle(_setting(c))
    return figure


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure; the suffix of `path` says in which format.

    Fonts are embedded whole (journals refuse Type 3 fonts), and no date is written, so that equal
    figures are equal files.
    """
    dated = {".pdf": "CreationDate", ".svg": "Date"}.get(os.path.splitext(path)[1])
    with matplotlib.rc_context({"pdf.fonttype": 42, "svg.hashsalt": "dlnlab"}):
        figure.savefig(path, dpi=200, metadata={dated: None} if dated else None)


def errors(c: Comparison, ax: Axes) -> Axes:
    """Draw the recovery errors ‖W − M*‖_F and ‖W̃ − M*‖_F against time, on a logarithmic axis."""
    both = np.stack([np.asarray(run.errors) for run in (c.original, c.compressed)])
    both = np.where(both > 0, both, np.nan)
    for values, style in zip(both, (ORIGINAL, COMPRESSED), strict=True):
        ax.plot(c.times, values, **style)
    ax.set_yscale("log")
    highest = float(np.nanmax(both))
    ax.set_ylim(min(0.6 * float(np.nanmin(both)), highest / 10), 1.6 * highest)
    ax.set_ylabel(r"error $\Vert W-M^{\!\ast}\Vert_F$")
    ax.set_title("Recovery errors")
    _legend(ax)
    return _time_axis(c, ax)


def singular_values(c: Comparison, ax: Axes) -> Axes:
    """Draw the leading singular values of both networks, their targets and their fitting times.

    Targets are dotted lines; an upright mark on them is a fitting time, long for the original and
    short for the compressed network.  The largest value beyond the rank is drawn in grey.  Of more
    than 12 modes, 12 evenly spread ones are drawn.
    """
    rank, r_hat = c.targets.size, c.settings["r_hat"]
    original, compressed = (np.asarray(r.singular_values) for r in (c.original, c.compressed))
    shades = _shades(rank)
    for i in _shown(rank):
        target, shade = c.targets[i], shades[i]
        ax.axhline(target, color=shade, linestyle=":", linewidth=0.6)
        ax.plot(c.times, original[:, i], color=shade)
        _fitted(ax, c.fitting_times.original[i], target, shade, 9)
        if i < r_hat:
            ax.plot(c.times, compressed[:, i], color=shade, linestyle=COMPRESSED["linestyle"])
            _fitted(ax, c.fitting_times.compressed[i], target, shade, 5)
    if original.shape[1] > rank:
        _beyond(c, ax, original[:, rank])
    ax.set_ylim(-0.04 * c.targets[0], None)
    ax.set_ylabel(r"singular value $\sigma_i$")
    ax.set_title("Singular values, targets, fitting times")
    _legend(ax, handles=_singular_value_keys())
    _modes_bar(ax, rank)
    return _time_axis(c, ax)


def alignments(c: Comparison, ax: Axes) -> Axes:
    """Draw how far the original network's singular vectors are aligned with the target's.

    For each mode the smaller of the left and the right alignment.  A gap means that the vector is
    not defined there, because its singular value is not separated from the next.
    """
    smaller = np.minimum(
        *map(np.asarray, (c.original.left_alignments, c.original.right_alignments))
    )
    rank = c.targets.size
    shades = _shades(rank)
    for i in _shown(rank):
        ax.plot(c.times, smaller[:, i], color=shades[i])
    ax.set_ylim(-0.04, 1.04)
    ax.set_ylabel("min(left, right) alignment")
    ax.set_title("Alignments, original network")
    _modes_bar(ax, rank)
    return _time_axis(c, ax)


def margin(c: Comparison, ax: Axes) -> Axes:
    """Draw Theorem 2's margin ‖W − M*‖_F² − ‖W̃ − M*‖_F² with its numerical error.

    Below zero the compressed network is the farther one.  For r̂ > r the refined theorem's lower
    bound −(r̂ − r)β^{2L} is drawn too.  The axis is logarithmic on both sides of a linear stretch
    around zero that just contains the smallest of what is to be seen.
    """
    low, high = c.margin - c.margin_error, c.margin + c.margin_error
    ax.axhline(0, color="0.3", linewidth=0.7)
    ax.fill_between(c.times, low, high, color="0.6", linewidth=0.8, label="numerical error")
    ax.plot(c.times, c.margin, color="black", label="margin")
    spare = c.settings["r_hat"] - c.targets.size
    bound = -max(spare, 0) * c.residual**2
    if spare > 0:
        ax.plot(c.times, bound, label=r"$-(\hat r-r)\,\beta^{2L}$", **BOUND)
    _two_sided_log(ax, _threshold(c, bound), float(np.max(np.abs([low, high, bound]))))
    ax.set_ylabel(r"$\Vert W-M^{\!\ast}\Vert_F^2-\Vert\widetilde W-M^{\!\ast}\Vert_F^2$")
    ax.set_title(_margin_title(c))
    _legend(ax)
    return _time_axis(c, ax)


def _threshold(c: Comparison, bound: np.ndarray) -> float:
    """Half-width of the linear stretch: a power of ten below what must be told from zero.

    That is the lowest margin and the end of the bound; what is smaller than the numerical error
    need not be told from zero, and a stretch above a tenth of the largest margin would hide it.
    """
    largest = float(np.max(np.abs(c.margin)))
    worst = int(np.argmin(c.margin))
    marks = [abs(float(c.margin[worst])), abs(float(c.margin[-1]))]
    marks += [abs(float(bound[-1]))] if bound[-1] < 0 else []
    smallest = max(min(marks), float(c.margin_error[worst]), 1e-16 * largest, 1e-300)
    return float(10 ** np.floor(np.log10(min(smallest, max(largest / 10, 1e-300)))))


def _two_sided_log(ax: Axes, threshold: float, largest: float) -> None:
    """Scale the y axis logarithmically on both sides, with few enough ticks to read."""
    first = round(np.log10(threshold))
    decades = max(int(np.ceil(np.log10(largest))) - first, 1)
    stride = -(-decades // 4)
    powers = 10.0 ** np.arange(first, first + decades + 1, stride)
    ax.set_yscale("symlog", linthresh=threshold, linscale=max(0.8, 0.14 * decades))
    ax.yaxis.set_major_locator(ticker.FixedLocator([*-powers[::-1], 0.0, *powers]))
    ax.yaxis.set_minor_locator(ticker.NullLocator())


def _margin_title(c: Comparison) -> str:
    """What is seen: whether the margin leaves the positive side by more than its error."""
    if np.any(c.margin < -c.margin_error):
        return "Theorem 2's margin, partly negative"
    seen = "never negative" if np.all(c.margin >= 0) else "≥ 0 within error"
    return f"Theorem 2's margin, {seen}"


def _setting(c: Comparison) -> str:
    """One line that says which experiment it is."""
    s = c.settings
    return (
        rf"{s['shape'][0]} × {s['shape'][1]} target of rank {s['rank']},"
        rf" $L={s['depth']}$, $\varepsilon={s['eps']:.6g}$, $\hat r={s['r_hat']}$"
    )


def _time_axis(c: Comparison, ax: Axes) -> Axes:
    """Label and scale the time axis."""
    finite = np.concatenate([t[np.isfinite(t) & (t > 0)] for t in c.fitting_times])
    if finite.size and np.max(finite) > SPREAD * np.min(finite):
        ax.set_xscale("log")
        ax.set_xlim(float(np.min(finite)) / 3, float(c.times[-1]))
    else:
        ax.set_xlim(0, float(c.times[-1]))
    ax.set_xlabel("time $t$")
    return ax


def _shown(rank: int) -> list[int]:
    """Which modes are drawn."""
    return np.unique(np.linspace(0, rank - 1, min(rank, CURVES)).round().astype(int)).tolist()


def _shades(rank: int) -> np.ndarray:
    """One colour per mode; the lightest yellow end of the map is left out, it fades on white."""
    return matplotlib.colormaps["viridis"](np.linspace(0, 0.85, rank) if rank > 1 else [0.0])


def _fitted(ax: Axes, t: float, target: float, shade: Any, size: float) -> None:
    """Mark a fitting time on the target's line; a value that is never fitted has none."""
    if np.isfinite(t):
        ax.plot([t], [target], "|", color=shade, markersize=size, markeredgewidth=1.0)


def _beyond(c: Comparison, ax: Axes, values: np.ndarray) -> None:
    """Draw σ_{r+1}, named at its end where the targets leave room for a name."""
    ax.plot(c.times, values, color=QUIET, linewidth=1.0, zorder=1.5)
    if c.targets[-1] - values[-1] > 0.2 * c.targets[0]:
        place: dict[str, Any] = {
            "xytext": (0, 2),
            "textcoords": "offset points",
            "ha": "right",
            "va": "bottom",
        }
        ax.annotate(r"$\sigma_{r+1}$", (c.times[-1], values[-1]), color="0.4", **place)


def _singular_value_keys() -> list[Line2D]:
    """Legend entries in neutral grey, since colour means the mode."""
    grey: dict[str, Any] = {"color": "0.25"}
    return [
        Line2D([], [], label="original", **grey),
        Line2D([], [], linestyle=COMPRESSED["linestyle"], label="compressed", **grey),
        Line2D([], [], linestyle=":", linewidth=0.9, label="target", **grey),
        Line2D([], [], linestyle="", marker="|", markersize=9, label="fitting time", **grey),
    ]


def _modes_bar(ax: Axes, rank: int) -> None:
    """A colour bar that says which colour is which mode; not for a single one."""
    if rank == 1:
        return
    edges = np.arange(0.5, rank + 1)
    mappable = cm.ScalarMappable(
        colors.BoundaryNorm(edges, rank), colors.ListedColormap(_shades(rank))
    )
    bar = ax.figure.colorbar(mappable, cax=ax.inset_axes((1.03, 0, 0.035, 1)))
    if rank <= NAMED:
        bar.set_ticks(list(range(1, rank + 1)))
    else:
        bar.set_ticks(np.unique(np.linspace(1, rank, 4).round()).tolist())
    bar.minorticks_off()
    bar.ax.invert_yaxis()
    bar.outline.set_visible(False)
    bar.set_label("mode $i$" if rank <= CURVES else f"mode $i$, {CURVES} of {rank} shown")


def _legend(ax: Axes, handles: Any = None) -> None:
    """One row beneath the time axis, where it covers no data."""
    handles = ax.get_legend_handles_labels()[0] if handles is None else handles
    ax.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.22),
        ncols=len(handles),
        handlelength=1.5,
        handletextpad=0.4,
        columnspacing=0.8,
        borderpad=0,
    )
