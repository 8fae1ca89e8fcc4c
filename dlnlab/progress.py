"""Progress of long runs: silent, a bar in a terminal or a notebook, or the user's callable."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

from dlnlab.numerics import checks

__all__ = ["INTERVAL", "Progress"]

INTERVAL = 0.1
"""Seconds between two reports: often enough to look alive, too rare to cost anything."""


class Progress:
    """Reports how far a run is, at most every 0.1 seconds.

    Parameters
    ----------
    option : bool or callable
        False for silence; True for a bar, of tqdm where that is installed, which suits terminals
        and notebooks, or else a line on the standard error stream; or a callable
        ``f(done, total, loss)``, or ``f(done, total)``.
    total : float
        Value of `done` at the end.
    unit : str
        What is counted, for the line.
    has_loss : bool
        Whether a loss is reported too.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.
    """

    def __init__(self, option: Any, total: float, unit: str, *, has_loss: bool = True) -> None:
        if not isinstance(option, bool):
            given = "done, total, loss" if has_loss else "done, total"
            checks.function("progress", option, f"a bool or a callable f({given})", 2 + has_loss)
        self.total, self.unit = total, unit
        self._report: Callable[..., Any] | None
        self._report = (self._show if option else None) if isinstance(option, bool) else option
        self._next = 0.0
        self._bar: Any = None
        self._shown: tuple[float, ...] = ()

    def due(self) -> bool:
        """Tell whether a report should be made now.

        Returns
        -------
        bool
        """
        return self._report is not None and time.monotonic() >= self._next

    def update(self, done: float, *loss: float) -> None:
        """Report that `done` of `total` is reached, with this loss.

        Parameters
        ----------
        done : float
            How far the run is, of `total`.
        *loss
        """
        if self._report is not None:
            self._report(done, self.total, *loss)
            self._next = time.monotonic() + INTERVAL

    def finish(self, done: float, *loss: float) -> None:
        """Show that the run has ended by itself: a bar is full then, however early that was.

        Parameters
        ----------
        done : float
            How far the run is, of `total`.
        *loss
        """
        self.total = done
        if self._report == self._show and self._shown[:2] != (done, done):
            self.update(done, *loss)

    def close(self) -> None:
        """Finish the display; a bar that is still open is closed."""
        if self._bar is not None:
            self._bar.close()

    def _show(self, done: float, total: float, *loss: float) -> None:
        if self._bar is None:
            self._bar = _bar(self.unit, total)
        note = "".join(f"loss {value:.3e}" for value in loss)
        self._bar.show(min(done, total), total, note)
        self._shown = (done, total)


def _bar(unit: str, total: float) -> Any:
    try:
        return _Tqdm(unit, total, import_module("tqdm.auto").tqdm)
    except ImportError:
        return _Line(unit)


class _Tqdm:
    """A bar of tqdm, a widget in a notebook."""

    def __init__(self, unit: str, total: float, tqdm: Any) -> None:
        layout = f"{unit} {{n:.6g}} of {{total:.6g}} {{percentage:3.0f}}%|{{bar}}|{{postfix}}"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a notebook without widgets gets a line of text
            self.bar = tqdm(total=total or 1.0, bar_format=layout, file=sys.stderr)

    def show(self, done: float, total: float, note: str) -> None:
        self.bar.total = total or 1.0
        self.bar.n = done if total else 1.0
        self.bar.set_postfix_str(note, refresh=False)
        self.bar.refresh()

    def close(self) -> None:
        self.bar.close()


class _Line:
    """A line on the standard error stream."""

    def __init__(self, unit: str) -> None:
        self.unit = unit

    def show(self, done: float, total: float, note: str) -> None:
        share = done / total if total else 1.0
        bar = ("#" * round(20 * share)).ljust(20, ".")
        told = f", {note}" if note else ""
        sys.stderr.write(f"\r[{bar}] {self.unit} {done:.6g} of {total:.6g}{told} ")
        sys.stderr.flush()

    def close(self) -> None:
        sys.stderr.write("\n")
        sys.stderr.flush()
