"""Progress of long runs: silent, a line on the terminal, or a callable of the user's."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from dlnlab.numerics import checks

__all__ = ["Progress"]

INTERVAL = 0.1
"""Seconds between two reports: often enough to look alive, too rare to cost anything."""


class Progress:
    """Reports how far a run is, at most every 0.1 seconds.

    Parameters
    ----------
    option : bool or callable
        False for silence, True for a line on the standard error stream, or a callable
        ``f(done, total, loss)``, without the loss where there is none.
    total : float
        Value of `done` at the end.
    unit : str
        What is counted, for the line.
    """

    def __init__(self, option: Any, total: float, unit: str) -> None:
        if not isinstance(option, bool) and not callable(option):
            raise TypeError(
                "`progress` must be a bool or a callable f(done, total, loss), "
                f"got {checks.describe(option)}"
            )
        self.total, self.unit = total, unit
        self._report: Callable[..., Any] | None
        self._report = (self._line if option else None) if isinstance(option, bool) else option
        self._next = 0.0
        self._printed = False

    def due(self) -> bool:
        """Tell whether a report should be made now."""
        return self._report is not None and time.monotonic() >= self._next

    def update(self, done: float, *loss: float) -> None:
        """Report that `done` of `total` is reached, with this loss."""
        if self._report is not None:
            self._report(done, self.total, *loss)
            self._next = time.monotonic() + INTERVAL

    def close(self) -> None:
        """End the line on the terminal."""
        if self._printed:
            sys.stderr.write("\n")
            sys.stderr.flush()

    def _line(self, done: float, total: float, *loss: float) -> None:
        share = min(done / total, 1.0) if total else 1.0
        bar = ("#" * round(20 * share)).ljust(20, ".")
        note = "".join(f", loss {value:.3e}" for value in loss)
        sys.stderr.write(f"\r[{bar}] {self.unit} {done:.6g} of {total:.6g}{note} ")
        sys.stderr.flush()
        self._printed = True
