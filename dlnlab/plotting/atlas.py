"""Figures of the atlas of Theorem 2: its map, its dependence on the width, and on the step size.

What is drawn are cells (`dlnlab.atlas.cells.Cell`).  Colours run from pale to dark, so
they keep their order in a grey print; a cell in which nothing was violated is white with a dot, a
cell of which no bound speaks is hatched.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib import cm, colors
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from dlnlab.plotting.style import STYLE

__all__ = [
    "EDGE",
    "LIMIT",
    "LINES",
    "LOWEST",
    "MAP",
    "MARKERS",
    "SHADES",
    "TONES",
    "UNSPOKEN",
    "atlas_map",
    "descent",
    "threshold",
    "width",
]

MAP = "viridis_r"
EDGE = "0.75"
LIMIT: dict[str, Any] = {"color": "#D55E00", "linewidth": 1.6}
LINES: tuple[Any, ...] = ("-", (0, (4, 2)), ":")
LOWEST = 1e-11
"""Lower rim of the violations under descent; the points along it stand for none."""

MARKERS = ("o", "s", "^", "v", "D", "P")
SHADES = ("0.0", "#0072B2", "#D55E00", "#009E73")
TONES = (*SHADES, "#CC79A7", "#56B4E9")

UNSPOKEN: dict[str, Any] = {
    "facecolor": "white",
    "edgecolor": "0.8",
    "hatch": "////",
    "linewidth": 0,
}


def atlas_map(cells: Sequence[Any]) -> Figure:
    """Draw the map under gradient flow: ε^L/σ_r* across, r̂ − r upwards, a column for each L.

    From above: the worst violation as a fraction of ‖M*‖², with the row r̂ = r = d of a target
    without a kernel under it; then its share of (r̂ − r)β^{2L}, the bound of the refined theorem,
    and of its sharp form, (r̂ − max(r, d − r))β^{2L}, where these speak.  The thick line is
    r̂ = d − r, the upright one ε^L = σ_r*.

    Parameters
    ----------
    cells : sequence of Cell

    Returns
    -------
    matplotlib.figure.Figure
    """
    part, full = _of(cells, "map"), _of(cells, "full")
    depths = sorted({cell.depth for cell in part})
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.0, 7.2), layout="constrained")
        rows = figure.subplots(4, len(depths), squeeze=False, height_ratios=(5, 1, 5, 5))
        worst = [cell.worst for cell in (*part, *full) if cell.violated]
        size = colors.LogNorm(*_decades(worst)) if worst else colors.LogNorm(1e-6, 1)
        share = colors.Normalize(0, 1)
        for column, depth in enumerate(depths):
            here, idle = ([c for c in group if c.depth == depth] for group in (part, full))
            _mosaic(rows[0, column], here, size, _worst)
            _mosaic(rows[1, column], idle, size, _worst)
            _mosaic(rows[2, column], here, share, _share_of("of_refined"))
            _mosaic(rows[3, column], here, share, _share_of("of_sharp"))
            rows[0, column].set_title(f"$L = {depth}$")
        for k, ax in enumerate(rows.ravel()):
            _label_map(ax, *divmod(k, len(depths)))
        _bar(figure, rows[:2], size, r"worst violation / $\Vert M^{\!\ast}\Vert^2$")
        _bar(figure, rows[2:3], share, r"… / $(\hat r-r)\,\beta^{2L}$")
        _bar(figure, rows[3:], share, r"… / $(\hat r-\max(r,d-r))\,\beta^{2L}$")
        d, rank = part[0].d, part[0].rank
        figure.suptitle(
            rf"Worst violation found under gradient flow, $d={d}$, $r={rank}$; "
            rf"narrow row: $d=\hat r=r={full[0].rank}$"
        )
        _map_key(figure)
    return figure


def _of(cells: Sequence[Any], part: str) -> list[Any]:
    found = [cell for cell in cells if cell.part == part]
    if not found:
        raise ValueError(f"`cells` must hold the part {part!r} of the atlas")
    return found


def _decades(values: Sequence[float]) -> tuple[float, float]:
    low, high = np.floor(np.log10(min(values))), np.ceil(np.log10(max(values)))
    return float(10**low), float(10 ** max(high, low + 1))


def _worst(group: Sequence[Any]) -> float | None:
    """The worst violation among the kinds of start; 0 for none."""
    return max((cell.worst for cell in group if cell.violated), default=0.0)


def _share_of(bound: str) -> Callable[[Sequence[Any]], float | None]:
    """How to get the largest share of a bound that is used up; None where no bound speaks."""

    def share(group: Sequence[Any]) -> float | None:
        if not group[0].covered:
            return None
        return max((getattr(c, bound) for c in group if c.violated), default=0.0)

    return share


def _mosaic(ax: Axes, cells: Sequence[Any], norm: Any, measure: Any) -> None:
    """One tile for each ratio and r̂ − r."""
    ratios = sorted({c.ratio for c in cells})
    spares = sorted({c.r_hat - c.rank for c in cells})
    logs = np.log10(ratios)
    middle = (logs[1:] + logs[:-1]) / 2
    edges = 10 ** np.concatenate([[2 * logs[0] - middle[0]], middle, [2 * logs[-1] - middle[-1]]])
    values = np.full((len(spares), len(ratios)), np.nan)
    for j, spare in enumerate(spares):
        for i, ratio in enumerate(ratios):
            value = measure([c for c in cells if (c.ratio, c.r_hat - c.rank) == (ratio, spare)])
            if value is None:
                width = edges[i + 1] - edges[i]
                ax.bar(edges[i], 1, width, spare - 0.5, align="edge", **UNSPOKEN)
            elif value > 0:
                values[j, i] = value
            else:
                ax.plot(ratio, spare, ".", color="0.55", markersize=2.5)
    y = np.arange(spares[0], spares[-1] + 2) - 0.5
    ax.pcolormesh(edges, y, values, norm=norm, cmap=MAP, edgecolors=EDGE, linewidth=0.3)
    ax.set(xscale="log", xlim=(edges[0], edges[-1]), ylim=(y[0], y[-1]), yticks=spares)
    boundary = cells[0].d - 2 * cells[0].rank + 0.5
    if boundary > 0:
        ax.axhline(boundary, **LIMIT)
    ax.axvline(_past_one(ratios), color="0.0", linewidth=1.0, linestyle=(0, (3, 2)))


def _past_one(ratios: Sequence[float]) -> float:
    """The edge of the last column with ε^L ≤ σ_r*."""
    below, above = (max(r for r in ratios if r <= 1), min((r for r in ratios if r > 1), default=1))
    return float(np.sqrt(below * above))


def _label_map(ax: Axes, row: int, column: int) -> None:
    ax.tick_params(length=2)
    for side in ("top", "right"):
        ax.spines[side].set_visible(True)
    ax.minorticks_off()
    if row == 3:
        ax.set_xlabel(r"$\varepsilon^L/\sigma_r^\ast$")
    else:
        ax.tick_params(labelbottom=False)
    if column:
        ax.tick_params(labelleft=False)
    elif row != 1:
        ax.set_ylabel(r"$\hat r-r$")


def _bar(figure: Figure, axes: Any, norm: Any, label: str) -> None:
    bar = figure.colorbar(cm.ScalarMappable(norm, MAP), ax=axes, aspect=20, pad=0.01)
    bar.set_label(label)
    bar.outline.set_visible(False)


def _map_key(figure: Figure) -> None:
    handles = [
        Line2D([], [], linestyle="", marker=".", color="0.55", label="nothing violated"),
        Line2D([], [], label=r"above: $\hat r > d-r$", **LIMIT),
        Line2D(
            [],
            [],
            color="0.0",
            linewidth=1,
            linestyle=(0, (3, 2)),
            label=r"right of it: $\varepsilon^L > \sigma_r^\ast$",
        ),
        Patch(label="no bound", **UNSPOKEN),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=4)


# ---------------------------------------------------------------------- width and step size


def width(cells: Sequence[Any]) -> Figure:
    """Draw the violation against the width d, for uniformly random starts and four r̂.

    Above in units of ε^{2L}, the worst and the median start, the sharp bound, and the limit d → ∞;
    below the share of starts that violate the inequality.

    Parameters
    ----------
    cells : sequence of Cell

    Returns
    -------
    matplotlib.figure.Figure
    """
    part = _of(cells, "width")
    depths = sorted({cell.depth for cell in part})
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.0, 4.4), layout="constrained")
        axes = figure.subplots(2, len(depths), squeeze=False, sharex=True, sharey="row")
        for column, depth in enumerate(depths):
            here = [cell for cell in part if cell.depth == depth]
            for cell in (c for c in _of(cells, "limit") if c.depth == depth):
                axes[0, column].axhline(
                    cell.worst / cell.unit, color="0.7", linewidth=2.5, zorder=0
                )
            for k, (name, chosen) in enumerate(_series(here)):
                _against_width(axes[:, column], chosen, name, k)
            axes[0, column].set_title(f"$L = {depth}$")
            axes[0, column].set(ylim=(0, 2.1))
            axes[1, column].set(xscale="log", xlabel="width $d$", ylim=(-0.05, 1.05))
        axes[0, 0].set_ylabel(r"violation / $\varepsilon^{2L}$")
        axes[1, 0].set_ylabel("share of starts")
        figure.legend(
            handles=axes[0, 0].get_legend_handles_labels()[0], loc="outside lower center", ncols=4
        )
        figure.suptitle(
            rf"Uniformly random starts, $r={part[0].rank}$, "
            rf"$\varepsilon^L/\sigma_r^\ast={part[0].ratio:g}$: "
            "worst (line), median (dotted), bound (dashed), limit (grey)"
        )
    return figure


def _series(cells: Sequence[Any]) -> list[tuple[str, list[Any]]]:
    """The cells with r̂ = d, d − r + 1, d − r and r, where these are apart."""
    rank = cells[0].rank
    names = {
        r"$\hat r=d$": lambda d: d,
        rf"$\hat r=d-{rank - 1}$": lambda d: d - rank + 1,
        rf"$\hat r=d-{rank}=d-r$": lambda d: d - rank,
        r"$\hat r=r$": lambda d: rank,
    }
    return [
        (name, sorted((c for c in cells if c.r_hat == r_hat(c.d)), key=lambda c: c.d))
        for name, r_hat in names.items()
    ]


def _against_width(axes: Any, cells: Sequence[Any], name: str, k: int) -> None:
    style: dict[str, Any] = {"color": SHADES[k], "marker": MARKERS[k], "markersize": 3.5}
    d = [cell.d for cell in cells]
    worst, median = (
        [max(getattr(cell, part), 0) / cell.unit for cell in cells] for part in ("worst", "median")
    )
    axes[0].plot(d, worst, label=name, **style)
    axes[0].plot(d, median, linestyle=":", linewidth=1, **style)
    axes[1].plot(d, [cell.share for cell in cells], **style)
    bounded = [cell for cell in cells if cell.of_sharp]
    bound = [cell.worst / cell.of_sharp / cell.unit for cell in bounded]
    axes[0].plot([c.d for c in bounded], bound, color=SHADES[k], linestyle=(0, (5, 3)), linewidth=1)


def descent(cells: Sequence[Any]) -> Figure:
    """Draw gradient descent against the step size, in units of the stability limit.

    Above the worst violation among the starts for which both networks converge, below how far a
    wide singular value is ahead of the compressed network's.

    Parameters
    ----------
    cells : sequence of Cell

    Returns
    -------
    matplotlib.figure.Figure
    """
    part = _of(cells, "descent")
    depths = sorted({cell.depth for cell in part})
    ratios = sorted({cell.ratio for cell in part}, reverse=True)
    ratio = ratios[0]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(7.0, 4.8), layout="constrained")
        axes = figure.subplots(2, len(depths), squeeze=False, sharey="row")
        for column, depth in enumerate(depths):
            here = [c for c in part if c.depth == depth and c.ratio == ratio]
            single = [c for c in _of(cells, "smallest") if (c.depth, c.rank) == (depth, 1)]
            single = [c for c in single if c.ratio == min(c.ratio for c in single)]
            _violations(axes[0, column], here, single)
            _excess(axes[1, column], [c for c in part if c.depth == depth])
            axes[0, column].set_title(rf"$L={depth}$; $d=2$: {_power(single[0].ratio)}")
        axes[0, 0].set_ylabel(r"worst violation / $\Vert M^{\!\ast}\Vert^2$")
        axes[1, 0].set_ylabel(r"$\max_{i,t}(\sigma_i-\widetilde\sigma_i)/\sigma_1^\ast$")
        first = axes[0, 0].get_legend_handles_labels()[0]
        figure.legend(handles=[*first, *_excess_key(ratios)], loc="outside lower center", ncols=3)
        figure.suptitle(
            rf"Gradient descent, $d={part[0].d}$, $r={part[0].rank}$; "
            rf"above $\varepsilon^L/\sigma_r^\ast={ratio:g}$, for $d=2$ as in the titles"
        )
    return figure


def _power(number: float) -> str:
    return rf"$10^{{{np.log10(number):.0f}}}$"


def _violations(ax: Axes, cells: Sequence[Any], single: Sequence[Any]) -> None:
    """The worst violation for r̂ = r, d − r and d, and for r̂ = r in the smallest case.

    Along the rim stand the steps without any.
    """
    rank, d = cells[0].rank, cells[0].d
    names = {rank: r"$\hat r=r$", d - rank: r"$\hat r=d-r$", d: r"$\hat r=d$"}
    names[0] = r"$d=2$, $\hat r=r=1$"
    for k, (r_hat, name) in enumerate(names.items()):
        group = [c for c in cells if c.r_hat == r_hat] or [c for c in single if c.r_hat == 1]
        chosen = sorted(group, key=lambda c: c.step)
        style: dict[str, Any] = {"color": SHADES[k], "marker": MARKERS[k], "markersize": 3}
        bad = [c for c in chosen if c.violated]
        ax.plot([c.step for c in bad], [c.worst for c in bad], label=name, **style)
        none = [c.step for c in chosen if c.judged and not c.violated]
        ax.plot(none, [LOWEST * 3 ** (k + 1)] * len(none), **style | {"linestyle": ""})
    steps = sorted({c.step for c in cells})
    lost = [c.step for c in cells if not c.judged]
    ax.set(yscale="log", ylim=(LOWEST, 0.1), xlim=(min(0.4, *steps[-2:]), max(steps) + 0.02))
    if lost:
        ax.axvspan(min(lost), max(steps) + 0.02, color="0.9", linewidth=0, label="do not converge")
    ax.set_xlabel(r"$\eta\,/\,\eta_{\max}$")


def threshold(cells: Sequence[Any]) -> Figure:
    """Draw the first step that violates the inequality for r̂ = r, against ε^L/σ_r*, for d = 2.

    A bar reaches from the largest step tried below all violations to the smallest with one.

    Parameters
    ----------
    cells : sequence of Cell

    Returns
    -------
    matplotlib.figure.Figure
    """
    part = [cell for cell in _of(cells, "smallest") if cell.r_hat == cell.rank and cell.judged]
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(5.4, 3.4), layout="constrained")
        ax = figure.subplots()
        kinds = sorted({(cell.rank, cell.depth) for cell in part})
        for k, (rank, depth) in enumerate(kinds):
            group = [cell for cell in part if (cell.rank, cell.depth) == (rank, depth)]
            kernel = "without a kernel" if rank == group[0].d else "with a kernel"
            _thresholds(ax, group, rf"$L={depth}$, $r={rank}$, {kernel}", k, len(kinds))
        ax.axhline(0.5, color="0.0", linewidth=0.8, linestyle=":")
        ax.set(xscale="log", ylim=(0.45, 1.0), xlabel=r"$\varepsilon^L/\sigma_r^\ast$")
        ax.set_ylabel(r"first violating $\eta\,/\,\eta_{\max}$")
        ax.invert_xaxis()
        figure.legend(loc="outside lower center", ncols=2)
        figure.suptitle(r"Gradient descent, $d=2$, $\hat r=r$: the smallest step that fails")
    return figure


def _thresholds(ax: Axes, cells: Sequence[Any], name: str, k: int, count: int) -> None:
    """One kind of target: a bar for every ratio with a violation, apart from the others'."""
    spots, lows, highs = [], [], []
    for ratio in sorted({cell.ratio for cell in cells}):
        row = [cell for cell in cells if cell.ratio == ratio]
        bad = min((cell.step for cell in row if cell.violated), default=None)
        if bad is not None:
            spots.append(ratio * 10 ** (0.12 * (k - count / 2)))
            lows.append(max((cell.step for cell in row if cell.step < bad), default=0.0))
            highs.append(bad)
    style: dict[str, Any] = {"color": TONES[k % len(TONES)], "marker": MARKERS[k % len(MARKERS)]}
    ax.vlines(spots, lows, highs, color=style["color"], linewidth=2)
    ax.plot(spots, highs, label=name, linestyle="", markersize=4.5, **style)


def _excess(ax: Axes, cells: Sequence[Any]) -> None:
    """The excess for each ratio, and a line of slope 2."""
    for k, ratio in enumerate(sorted({c.ratio for c in cells}, reverse=True)):
        one = {c.step: c for c in cells if c.ratio == ratio and c.judged}
        seen = [one[step] for step in sorted(one) if one[step].ahead_share]
        style: dict[str, Any] = {"color": "0.0", "linestyle": LINES[k], "marker": "."}
        ax.plot([c.step for c in seen], [c.ahead for c in seen], markersize=4, **style)
    x = np.array([1 / 64, 1 / 4])
    ax.plot(x, 3e-4 * x**2, color="0.6", linewidth=2.5, zorder=0)
    ax.axvline(0.5, color="0.0", linewidth=0.6, linestyle=":")
    ax.set(xscale="log", yscale="log", ylim=(1e-12, 1))
    ax.set_xlabel(r"$\eta\,/\,\eta_{\max}$")


def _excess_key(ratios: Sequence[float]) -> list[Line2D]:
    """What the lines below are."""
    label = r"$\varepsilon^L/\sigma_r^\ast="
    lines = [
        Line2D([], [], color="0.0", marker=".", linestyle=LINES[k], label=rf"{label}{ratio:g}$")
        for k, ratio in enumerate(ratios)
    ]
    guide = Line2D([], [], color="0.6", linewidth=2.5, label=r"slope 2")
    return [*lines, guide]
