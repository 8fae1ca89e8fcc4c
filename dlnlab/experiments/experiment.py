"""What an experiment is: settings in two readings, a measurement, and yardsticks declared before.

A yardstick is one of two things.  A *claim* is an interval that the quantity must lie in for every
seed.  A *published number* was read off a figure or a text, and is itself the result of one random
draw: it is reproduced if, within its reading error, it lies in the interval that predicts one
further seed (Student's prediction interval, 95 %).  An interval wider than half the number would
agree with nearly anything; it decides nothing, and neither does a single seed.

The paper and its authors' code disagree, so every experiment has at least the readings "paper" and
"code"; further ones test what could explain a difference.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import special

__all__ = ["Experiment", "Judgement", "Panel", "Yardstick", "judge", "status_of", "verdict"]

CONFIDENCE = 0.95
WIDEST = 0.5
"""Half-width of a prediction interval, relative to the published number, that still decides."""


@dataclass(frozen=True)
class Yardstick:
    """What a quantity must be, said before it is measured.

    Attributes
    ----------
    quantity : str
        A key of the measurement's "values".
    words : str
        What it is, with its unit.
    low, high : float
        For a claim: where it must lie, for every seed.
    published : float or None
        A published number, for which `low` and `high` are not used.
    reading_error : float
        How far off the number may have been read.
    source : str
        Where it was read, or why the bounds are what they are.
    """

    quantity: str
    words: str
    low: float = -math.inf
    high: float = math.inf
    published: float | None = None
    reading_error: float = 0.0
    source: str = ""

    def expected(self) -> str:
        """Return what is expected, for a table."""
        if self.published is not None:
            return f"{self.published:.4g} ± {self.reading_error:.2g} (published)"
        if math.isinf(self.low):
            return f"≤ {self.high:.4g}"
        return f"≥ {self.low:.4g}" if math.isinf(self.high) else f"{self.low:.4g} … {self.high:.4g}"


@dataclass(frozen=True)
class Judgement:
    """What a yardstick says about one reading.

    Attributes
    ----------
    yardstick : Yardstick
    values : tuple of float
        One for each seed.
    low, high : float
        For a claim the range of the values; for a published number the prediction interval.
    status : str
        "met", "missed" or "undecided".
    reason : str
        Why, where it is not plain from the numbers.
    """

    yardstick: Yardstick
    values: tuple[float, ...]
    low: float
    high: float
    status: str
    reason: str = ""

    def measured(self) -> str:
        """Return what was measured, for a table."""
        if not self.values or all(math.isnan(value) for value in self.values):
            return "–"
        if not math.isfinite(self.low + self.high):
            return ", ".join(f"{value:.4g}" for value in self.values)
        if self.low == self.high:
            return f"{self.low:.4g}"
        return f"{self.low:.4g} … {self.high:.4g}"


@dataclass(frozen=True)
class Panel:
    """One panel of a figure, as data: which series of the results is drawn against which.

    Attributes
    ----------
    x, y : str
        Keys of the curves' series.  A `y` with a column per mode is drawn mode by mode.
    xlabel, ylabel : str
    title : str
    curves : tuple of str
        Names of the curves drawn; all that have the series by default.
    logx, logy : bool
        Logarithmic axes.
    targets : bool
        Draw the result's "targets" as dotted lines.
    """

    x: str
    y: str
    xlabel: str
    ylabel: str
    title: str = ""
    curves: tuple[str, ...] = ()
    logx: bool = False
    logy: bool = False
    targets: bool = False


Measure = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True)
class Experiment:
    """A figure or a table of the paper.

    Attributes
    ----------
    name : str
        "fig5"; files are named after it.
    title : str
    claim : str
        What the paper shows, in our words.
    settings : mapping from readings to mappings
        "paper" and "code" at least; plain JSON.
    meanings : mapping from readings to str
        What a further reading tests.
    quick : mapping
        Settings that replace others in a quick run; or "reading" → mapping for single readings
        under the key "readings".
    measure : callable
        Takes settings with a "seed", and returns {"curves": {name: {series: numbers}}, "values":
        {quantity: number}}, plain JSON; a function at the top level of a module.  "targets" holds
        the target's singular values where a panel draws them.
    yardsticks : tuple of Yardstick
    panels : tuple of Panel
    seeds : int
        How many a full run takes.
    seconds : (float, float)
        What one seed of one reading takes on average, in a full and in a quick run, on one core.
    notes : tuple of str
        What the reader should know.
    needs_data : str
        What `data` must point at; empty if the experiment needs none.
    """

    name: str
    title: str
    claim: str
    settings: Mapping[str, Mapping[str, Any]]
    measure: Measure
    yardsticks: tuple[Yardstick, ...]
    panels: tuple[Panel, ...]
    quick: Mapping[str, Any] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)
    seeds: int = 3
    seconds: tuple[float, float] = (10.0, 2.0)
    notes: tuple[str, ...] = ()
    needs_data: str = ""

    def configurations(
        self, reading: str, seeds: int, *, quick: bool = False, data: str = ""
    ) -> list[dict[str, Any]]:
        """Return what `measure` gets, one configuration for each seed.

        Parameters
        ----------
        reading : str
        seeds : int
        quick : bool
            With the settings of a quick run.
        data : str
            Path that is added as "data" if the experiment needs it.
        """
        settings = dict(self.settings[reading])
        if quick:
            settings |= {name: self.quick[name] for name in self.quick if name in settings}
            settings |= self.quick.get("readings", {}).get(reading, {})
        if self.needs_data:
            settings["data"] = data
        return [settings | {"seed": seed} for seed in range(seeds)]


def judge(
    yardstick: Yardstick, values: Sequence[float | None], *, quick: bool = False
) -> Judgement:
    """Compare a quantity, measured for several seeds, with what was declared.

    Parameters
    ----------
    yardstick : Yardstick
    values : sequence of float
        One for each seed; None if this reading does not measure the quantity, NaN or infinite if
        a run did not come so far.
    quick : bool
        A quick run has other settings than the published one, so that only claims are judged.

    Returns
    -------
    Judgement
    """
    if None in values:
        nan = math.nan
        return Judgement(yardstick, (), nan, nan, "undecided", "not measured in this reading")
    numbers = np.array(values, dtype=float)
    told = tuple(float(value) for value in numbers)
    if yardstick.published is not None and quick:
        low, high = _range(numbers)
        reason = "a quick run has other settings than the published one"
        return Judgement(yardstick, told, low, high, "undecided", reason)
    if np.isnan(numbers).any() or (yardstick.published is not None and np.isinf(numbers).any()):
        reason = "a run diverged, or never came so far"
        return Judgement(yardstick, told, math.nan, math.nan, "missed", reason)
    if yardstick.published is None:
        low, high = _range(numbers)
        met = yardstick.low <= low and high <= yardstick.high
        return Judgement(yardstick, told, low, high, "met" if met else "missed")
    return _number(yardstick, told, numbers)


def _range(numbers: np.ndarray) -> tuple[float, float]:
    return float(numbers.min()), float(numbers.max())


def _number(yardstick: Yardstick, told: tuple[float, ...], numbers: np.ndarray) -> Judgement:
    if numbers.size < 2:
        reason = "one seed does not tell the spread"
        return Judgement(yardstick, told, told[0], told[0], "undecided", reason)
    assert yardstick.published is not None
    n = numbers.size
    quantile = float(special.stdtrit(n - 1, (1 + CONFIDENCE) / 2))
    half = quantile * float(numbers.std(ddof=1)) * math.sqrt(1 + 1 / n)
    low, high = float(numbers.mean()) - half, float(numbers.mean()) + half
    inside = low - yardstick.reading_error <= yardstick.published <= high + yardstick.reading_error
    if inside and half > WIDEST * abs(yardstick.published):
        reason = "the seeds differ so much that the interval decides nothing; run more"
        return Judgement(yardstick, told, low, high, "undecided", reason)
    return Judgement(yardstick, told, low, high, "met" if inside else "missed")


def status_of(judgements: Sequence[Judgement]) -> str:
    """Return "missed" if any yardstick is, else "met" if any is, else "undecided"."""
    states = {judgement.status for judgement in judgements}
    return next((state for state in ("missed", "met") if state in states), "undecided")


def verdict(states: Mapping[str, str]) -> str:
    """Return the verdict on an experiment, from the status of each of its readings.

    Examples
    --------
    >>> verdict({"paper": "missed", "code": "met"})
    "reproduced with the code's settings only"
    >>> verdict({"paper": "missed", "code": "missed", "top": "met"})
    'not reproduced, but with the reading "top"'
    """
    if states.get("paper") == "met":
        return "reproduced"
    if states.get("code") == "met" and states.get("paper") == "missed":
        return "reproduced with the code's settings only"
    if "missed" not in (states.get("paper"), states.get("code")):
        return "undecided" if "met" not in states.values() else _as_far_as_run(states)
    others = [name for name, state in states.items() if state == "met"]
    return "not reproduced" + (f', but with the reading "{others[0]}"' if others else "")


def _as_far_as_run(states: Mapping[str, str]) -> str:
    met = [name for name, state in states.items() if state == "met"]
    return f'reproduced with the reading "{met[0]}"; the others were not run or not decided'
