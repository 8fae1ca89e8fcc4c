"""What compression costs: errors of all methods, and the column norms that pruning looks at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlnlab.plotting.style import COMPRESSED, ORIGINAL, arrange

__all__ = ["columns", "methods", "projections"]


def methods(rows: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the errors at once and after fine-tuning, a panel for each kind of problem.

    Parameters
    ----------
    rows : mapping of str to mapping

    Returns
    -------
    matplotlib.figure.Figure
    """
    panels = tuple(partial(_panel, kind=kind, rows=found) for kind, found in rows.items())
    return arrange(panels, "One width, reached in several ways")


def _panel(ax: Axes, kind: str, rows: Mapping[str, Any]) -> Axes:
    places = np.arange(len(rows))[::-1]
    for name, style, marker in (
        ("zero_shot", ORIGINAL, "o"),
        ("fine_tuned", COMPRESSED, "s"),
    ):
        middle, low, high = np.array([row[name] for row in rows.values()]).T
        ax.errorbar(
            middle, places, xerr=[middle - low, high - middle], fmt=marker, capsize=2,
            color=style["color"], label="at once" if marker == "o" else "after fine-tuning",
        )  # fmt: skip
    ax.set_yticks(places, list(rows))
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.xaxis.set_minor_formatter(ticker.NullFormatter())
    ax.tick_params(axis="x", labelrotation=60, labelsize="small")
    ax.set_title(kind)
    ax.set_xlabel("error rate, held out" if kind == "digits" else "relative recovery error")
    if kind == "factorization":
        ax.legend(loc="best")
    return ax


def columns(norms: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the share of columns with a norm of at least x times the largest, and the histogram.

    Parameters
    ----------
    norms : mapping of str to sequence of float

    Returns
    -------
    matplotlib.figure.Figure
    """
    return arrange(
        (partial(_shares, norms=norms), partial(_histogram, norms=norms)),
        "Column norms with and without the group Lasso, d = k = 500, r = 4",
    )


def _styles(norms: Mapping[str, Sequence[float]]) -> list[tuple[str, np.ndarray, Any]]:
    pairs = zip(norms.items(), (ORIGINAL, COMPRESSED), strict=True)
    return [(f"λ = {float(name):g}", np.array(values), style) for (name, values), style in pairs]


def _shares(ax: Axes, norms: Mapping[str, Sequence[float]]) -> Axes:
    x = np.linspace(0.01, 1, 100)
    for label, values, style in _styles(norms):
        shares = [np.mean(values >= level) for level in x]
        ax.plot(x, shares, color=style["color"], linestyle=style["linestyle"], label=label)
    ax.set_yscale("log")
    ax.set_xlabel("norm at least x times the largest")
    ax.set_ylabel("share of columns")
    ax.legend()
    return ax


def _histogram(ax: Axes, norms: Mapping[str, Sequence[float]]) -> Axes:
    for label, values, style in _styles(norms):
        ax.hist(values, bins=25, range=(0, 1), histtype="step", color=style["color"], label=label)
    ax.set_yscale("log")
    ax.set_xlabel("norm / largest")
    ax.set_ylabel("columns")
    ax.legend()
    return ax


def projections(found: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Draw output errors of three projections over the rank, at once and after fine-tuning.

    Parameters
    ----------
    found : mapping
        As `dlnlab.experiments.compressing.projections` returns it.

    Returns
    -------
    matplotlib.figure.Figure
    """
    parts = (("zero_shot", "at once"), ("fine_tuned", "after fine-tuning"))
    panels = tuple(partial(_ranks, found=found, key=key, title=title) for key, title in parts)
    return arrange(panels, "A linear layer, 40 × 30, inputs of condition 10³")


def _ranks(ax: Axes, found: Mapping[str, Any], key: str, title: str) -> Axes:
    ranks = found["ranks"]["ranks"]
    names = [name for name in found if name != "ranks"]
    for name, marker, look in zip(names, "osd", (":", "--", "-"), strict=True):
        ax.plot(ranks, found[name][key], marker=marker, linestyle=look, label=name)
    ax.set_yscale("log")
    ax.set_ylim(8e-3, 1)
    ax.set_xticks(ranks)
    ax.set_xlabel("rank")
    ax.set_ylabel("relative output error")
    ax.set_title(title)
    if key == "zero_shot":
        ax.legend(loc="best")
    return ax
