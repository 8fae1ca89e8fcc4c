"""Figures of results, registered with pyplot so that a script or a notebook shows them once.

The functions of `dlnlab.plotting` have no global effects.  The method `plot` of a result is called
to see the figure: by ``pyplot.show()`` in a script, and in a notebook whether or not the cell ends
with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["shown_once"]


def shown_once(draw: Callable[[Any, Any], Any], result: Any, figure: Any = None) -> Any:
    """Draw a result into a figure that is given, or into a new one that pyplot knows.

    Parameters
    ----------
    draw : callable
        ``draw(result, figure)`` returns the figure.
    result : object
    figure : matplotlib.figure.Figure or SubFigure, optional

    Returns
    -------
    matplotlib.figure.Figure
    """
    drawn = draw(result, figure)
    if figure is None:
        import matplotlib.pyplot as plt  # which chooses a backend when it is loaded

        # it calls the class to make a figure, and gets the one that is there
        plt.figure(FigureClass=lambda *_, **__: drawn)  # type: ignore[arg-type]
    return drawn
