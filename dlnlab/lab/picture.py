"""A figure before it is laid out, and what the sketches of all claims share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from dlnlab.lab.cases import Case

__all__ = ["Sketch", "setting", "titled"]


class Sketch(NamedTuple):
    """A figure before it is laid out.

    Attributes
    ----------
    title : str
        Which instance it is.
    panels : tuple of callables
        Each draws into the Axes it is given.
    margin, error : float
        The worst margin drawn, and the bound on its numerical error.
    """

    title: str
    panels: tuple[Callable[[Any], Any], ...]
    margin: float
    error: float


def titled(panel: Callable[[Any], Any], title: str) -> Callable[[Any], Any]:
    """Give a panel a title.

    Parameters
    ----------
    panel : callable
        Draws into axes.
    title : str

    Returns
    -------
    callable
    """

    def drawn(ax: Any) -> None:
        panel(ax)
        ax.set_title(title)

    return drawn


def setting(case: Case, extra: str = "") -> str:
    """One line that says which instance it is.

    Parameters
    ----------
    case : Case
    extra : str
        Further words.

    Returns
    -------
    str
    """
    rows, columns = case.shape
    return (
        rf"{rows} × {columns} target of rank {case.rank}, $L={case.depth}$, "
        rf"$\varepsilon={case.eps:.4g}$, $\hat r={case.r_hat}${extra}"
    )
