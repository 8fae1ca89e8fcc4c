"""What drawing functions are given, checked before anything is drawn."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, FigureBase

from dlnlab.flow import Comparison
from dlnlab.numerics import checks

__all__ = ["axes", "comparison", "figure", "labels", "panels", "place", "series", "whole_figure"]


def comparison(c: Any) -> Comparison:
    """Return `c` if it is a comparison.

    Parameters
    ----------
    c : object
        What was passed.

    Returns
    -------
    Comparison

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    return checks.instance("c", c, Comparison, "a dlnlab.Comparison, as dlnlab.compare returns")


def axes(ax: Any) -> Axes:
    """Return `ax` if it is a Matplotlib axes.

    Parameters
    ----------
    ax : object
        What was passed.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    return checks.instance("ax", ax, Axes, "a matplotlib.axes.Axes")


def figure(value: Any) -> Any:
    """Return a figure to draw into, or None for a new one.

    Parameters
    ----------
    value : object
        What was passed.

    Returns
    -------
    object

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    kind = (FigureBase, type(None))
    return checks.instance("figure", value, kind, "a Matplotlib Figure or SubFigure, or None")


def whole_figure(value: Any) -> Figure:
    """Return `value` if it is a figure that can be written.

    Parameters
    ----------
    value : object
        What was passed.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    return checks.instance("figure", value, Figure, "a matplotlib.figure.Figure")


def panels(value: Any) -> Sequence[Callable[[Axes], Any]]:
    """Return at least one panel, each a callable that draws into the Axes it is given.

    Parameters
    ----------
    value : object
        What was passed.

    Returns
    -------
    Sequence[Callable[[Axes], Any]]

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    found = checks.sequence("panels", value, "callables draw(ax)")
    if not found:
        raise ValueError("`panels` must hold at least one callable draw(ax), got none")
    for k, panel in enumerate(found):
        checks.function(f"panels[{k}]", panel, "a callable draw(ax)", 1)
    return found


def labels(**given: Any) -> None:
    """Raise unless all of these are strings.

    Parameters
    ----------
    **given
        What was passed, by the names of the arguments.

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    for name, value in given.items():
        checks.text(name, value)


def place(at: Any) -> None:
    """Raise unless `at` is a place to mark, or None.

    Parameters
    ----------
    at : object
        What was passed.

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if at is not None:
        checks.real("at", at, "a finite number, or None")


def series(ndim: int = 1, /, **given: Any) -> list[np.ndarray]:
    """Return arrays of so many axes and equal numbers of records, at least one, as float64.

    NaN is what is not known; an array must know something.

    Parameters
    ----------
    ndim : int
    **given
        What was passed, by the names of the arguments.

    Returns
    -------
    list of ndarray

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    found = {}
    for name, value in given.items():
        array = checks.numbers_in(name, value, are_finite=False)
        if array.ndim != ndim or not array.size:
            axes = "one axis" if ndim == 1 else f"{ndim} axes"
            raise ValueError(f"`{name}` must have {axes} and records, got {checks.describe(array)}")
        if np.isnan(array).all() or not (np.abs(array[~np.isnan(array)]) <= 1e150).all():
            raise ValueError(
                f"`{name}` must hold numbers that can be drawn, of size 1e150 at most, beside NaN, "
                f"got {checks.describe(value)}"
            )
        found[name] = array
    if len({len(array) for array in found.values()}) > 1:
        names = ", ".join(f"`{name}`" for name in found)
        sizes = [array.shape for array in found.values()]
        raise ValueError(f"{names} must have equal numbers of records, got shapes {sizes}")
    return list(found.values())
