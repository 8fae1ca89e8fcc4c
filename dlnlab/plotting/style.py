"""One style for every figure, and figures laid out, written and embedded.

Nothing here touches pyplot, so drawing opens no window, changes no global state and needs no
display.  The two networks are told apart by colour (blue and vermilion of Okabe and Ito's
colour-blind-safe set) *and* by line style (original solid, compressed dashed), modes by lightness
as well as hue, so every figure survives a grey print.
"""

from __future__ import annotations

import base64
import io
import os
import re
import string
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib import cm, colors, ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.transforms import ScaledTranslation

from dlnlab.numerics import checks
from dlnlab.plotting import given

__all__ = [
    "BAND",
    "BENEATH",
    "BOUND",
    "COMPRESSED",
    "CURVES",
    "IDLE",
    "LONG_NUMBER",
    "NAMED",
    "ORIGINAL",
    "QUIET",
    "REPEATABLE",
    "ROW",
    "STYLE",
    "WIDTH",
    "ZERO",
    "arrange",
    "legend",
    "modes_bar",
    "save",
    "shades",
    "shown",
    "to_data_uri",
    "two_sided_log",
    "verbatim",
]

ORIGINAL: dict[str, Any] = {"color": "#0072B2", "linestyle": "-", "label": "original"}
COMPRESSED: dict[str, Any] = {"color": "#D55E00", "linestyle": (0, (4, 2)), "label": "compressed"}
BOUND: dict[str, Any] = {"color": "#009E73", "linestyle": (0, (5, 1, 1, 1))}
BAND: dict[str, Any] = {"facecolor": "0.8", "edgecolor": "0.6", "linewidth": 0.8, "zorder": 1.0}
ZERO: dict[str, Any] = {"color": "0.3", "linewidth": 0.7}
QUIET = "0.55"

WIDTH, ROW = 7.0, 2.6
"""Inches: the text width of a page, and the height of a row of panels."""

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

NAMED = 6
"""Up to this many modes are named one by one on the colour bar."""

CURVES = 12
"""Modes drawn; of more, evenly spread ones, the first and the last among them."""

BENEATH = 3.7
"""Where a legend starts, in letter sizes below the axis: under the tick labels and the label."""

REPEATABLE: dict[Any, Any] = {"pdf.fonttype": 42, "svg.hashsalt": "dlnlab", "svg.fonttype": "path"}
"""Fonts are embedded whole (journals refuse Type 3 fonts) or drawn, and names do not change."""


LONG_NUMBER = re.compile(rb"(?<=[ LM])-?\d+\.\d{3,}(?=[ \n])")
"""A coordinate in a path, in points; 0.01 pt is invisible."""

IDLE = re.compile(rb"(?<=\n) +|<!--.*?-->\n?", re.DOTALL)
"""Indentation and comments."""


class _Figure(Figure):
    """A figure that notebooks show even where pyplot was never imported."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=150)
        return buffer.getvalue()

    def _ipython_display_(self) -> None:
        """Show the figure where a cell ends in it, and not once more with all that pyplot knows."""
        shown = {"image/png": self._repr_png_(), "text/plain": repr(self)}
        import_module("IPython.display").display(shown, raw=True)
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close(self)


def arrange(
    panels: Sequence[Callable[[Axes], Any]], title: str = "", figure: Any = None, columns: int = 2
) -> Any:
    """Lay out panels in one figure and letter them (a), (b), …

    Parameters
    ----------
    panels : sequence of callables
        Each draws into the Axes it is given.
    title : str
        Above all panels.
    figure : matplotlib.figure.Figure or SubFigure, optional
        To draw into, which keeps its own size and layout; by default a new figure, 7 inches wide,
        that is not registered with pyplot and that notebooks display.
    columns : int
        How many panels stand side by side.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError, ValueError
        If an argument is of another type, or there are no panels.
    """
    panels, figure = given.panels(panels), given.figure(figure)
    given.labels(title=title)
    columns = checks.integer("columns", columns, 1)
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    with matplotlib.rc_context(STYLE):
        if figure is None:
            figure = _Figure(figsize=(WIDTH * columns / 2, ROW * rows), layout="constrained")
            figure.get_layout_engine().set(w_pad=0.08, h_pad=0.06)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for letter, draw, ax in zip(string.ascii_lowercase, panels, grid, strict=False):
            draw(ax)
            if len(panels) > 1:
                ax.set_title(f"({letter}) {ax.get_title()}", loc="left")
                ax.set_title("")
        for ax in grid[len(panels) :]:
            ax.remove()
        if title:
            figure.suptitle(title)
    return figure


def verbatim(text: str) -> str:
    """Return text of others so that it is drawn as it stands.

    A dollar sign begins no formula, and halves of characters, which no font has, become "?".

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return text.encode("utf-8", "replace").decode().replace("$", r"\$")


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure; the suffix of `path` says in which format.

    Fonts are embedded whole, and no date is written, so that equal figures are equal files.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    path : path
        Whose suffix is that of a format: ``.png``, ``.pdf``, ``.svg``, …

    Raises
    ------
    TypeError, ValueError
        If `figure` is none, or `path` is no path with the suffix of a format.
    """
    figure, path = given.whole_figure(figure), checks.path("path", path)
    suffix = os.path.splitext(path)[1].lower()
    if suffix[1:] not in figure.canvas.get_supported_filetypes():
        raise ValueError(
            f"`path` must have a suffix that says the format, such as .svg, .pdf or .png, "
            f"got {path!r}"
        )
    if suffix == ".svg":
        Path(path).write_bytes(_svg(figure))
        return
    with matplotlib.rc_context(REPEATABLE):
        figure.savefig(path, dpi=200, metadata={"CreationDate": None} if suffix == ".pdf" else None)


def to_data_uri(figure: Figure) -> str:
    """Return a figure as ``data:image/svg+xml;base64,…``, for the ``src`` of an HTML ``<img>``.

    The picture is vector graphics with its letters drawn as paths: it needs no fonts and no other
    file, equal figures give equal strings, and, unlike inline ``<svg>``, many of them can share a
    page without their inner names getting in each other's way.

    Parameters
    ----------
    figure : matplotlib.figure.Figure

    Returns
    -------
    str

    Examples
    --------
    >>> import dlnlab
    >>> c = dlnlab.compare(dlnlab.random_target((10, 10), 2, rng=0), 2, eps=0.1)
    >>> html = f'<img src="{dlnlab.plotting.to_data_uri(c.plot())}" alt="Both flows">'
    >>> html[:37]
    '<img src="data:image/svg+xml;base64,P'
    """
    figure = given.whole_figure(figure)
    return "data:image/svg+xml;base64," + base64.b64encode(_svg(figure)).decode("ascii")


def _svg(figure: Figure) -> bytes:
    """The figure without what is not seen, which is a fifth of the file."""
    buffer = io.BytesIO()
    with matplotlib.rc_context(REPEATABLE):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return LONG_NUMBER.sub(_rounded, IDLE.sub(b"", buffer.getvalue()))


def _rounded(number: re.Match[bytes]) -> bytes:
    return f"{float(number[0]):.2f}".encode()


def shown(count: int) -> list[int]:
    """Return the modes that are drawn, at most `CURVES` of them, evenly spaced.

    Parameters
    ----------
    count : int
        Modes.

    Returns
    -------
    list of int
    """
    return np.unique(np.linspace(0, count - 1, min(count, CURVES)).round().astype(int)).tolist()


def shades(count: int) -> np.ndarray:
    """One colour per mode; the lightest yellow end of the map is left out, it fades on white.

    Parameters
    ----------
    count : int
        Modes.

    Returns
    -------
    array, shape (count, 4)
    """
    return matplotlib.colormaps["viridis"](np.linspace(0, 0.85, count) if count > 1 else [0.0])


def modes_bar(ax: Axes, count: int, each: str = "mode $i$") -> None:
    """A colour bar that says which colour is which mode; not for a single one.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    count : int
        Modes.
    each : str
        What has a colour.
    """
    if count == 1:
        return
    edges = np.arange(0.5, count + 1)
    mappable = cm.ScalarMappable(
        colors.BoundaryNorm(edges, count), colors.ListedColormap(shades(count))
    )
    bar = ax.figure.colorbar(mappable, cax=ax.inset_axes((1.03, 0, 0.035, 1)))
    if count <= NAMED:
        bar.set_ticks(list(range(1, count + 1)))
    else:
        bar.set_ticks(np.unique(np.linspace(1, count, 4).round()).tolist())
    bar.minorticks_off()
    bar.ax.invert_yaxis()
    bar.outline.set_visible(False)
    bar.set_label(each if count <= CURVES else f"{each}, {CURVES} of {count} shown")


def legend(ax: Axes, handles: Any = None, columns: int = 5) -> None:
    """Rows beneath the horizontal axis, where they cover no data.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    handles : sequence of artists, optional
    columns : int
    """
    handles = ax.get_legend_handles_labels()[0] if handles is None else handles
    size = FontProperties(size=matplotlib.rcParams["axes.labelsize"]).get_size_in_points()
    below = ScaledTranslation(0, -BENEATH * size / 72, ax.figure.dpi_scale_trans)
    ax.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, 0),
        bbox_transform=ax.transAxes + below,
        ncols=min(len(handles), columns),
        handlelength=1.5,
        handletextpad=0.4,
        columnspacing=0.8,
        borderpad=0,
    )


def two_sided_log(ax: Axes, threshold: float, largest: float) -> None:
    """Scale the y axis logarithmically on both sides, with few enough ticks to read.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    threshold : float
        Where the linear stretch ends.
    largest : float
    """
    first = round(np.log10(threshold))
    decades = max(int(np.ceil(np.log10(largest))) - first, 1)
    stride = -(-decades // 4)
    powers = 10.0 ** np.arange(first, first + decades + 1, stride)
    ax.set_yscale("symlog", linthresh=threshold, linscale=max(0.8, 0.2 * decades))
    ax.yaxis.set_major_locator(ticker.FixedLocator([*-powers[::-1], 0.0, *powers]))
    ax.yaxis.set_minor_locator(ticker.NullLocator())
