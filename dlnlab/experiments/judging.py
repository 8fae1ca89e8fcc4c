"""Judging: quantities against yardsticks, yardsticks to readings, readings to a verdict.

A *claim* is met if the quantity lies in its interval for every seed.

A *published number* is the result of one random draw: it is met if, within its reading error, it
lies in the interval that predicts one further seed.  Numbers of steps, errors and ratios are
positive and vary by factors, so the interval is the log-normal prediction interval (95 %): with m
and s the mean and the standard deviation of the n seeds' logarithms, and t Student's quantile for
n − 1 degrees of freedom, it reaches from exp(m)/q to exp(m)·q,

    q = exp(t·s·√(1 + 1/n)).

An interval with q > `WIDEST` would agree with nearly anything: a number inside it is undecided,
while one outside is missed all the same.  A single seed decides nothing.

A *reading* is missed if any of its yardsticks is; met if none is, all its claims are met and at
least one yardstick is; undecided otherwise.  Undecided published numbers thus speak neither for nor
against it, and a `Tally` says how many they are, wherever the reading's state is told.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from dlnlab.experiments.experiment import Yardstick

__all__ = ["Judgement", "Tally", "basis", "judge", "tally", "verdict"]

CONFIDENCE = 0.95
WIDEST = 1.5
"""Largest factor from the middle of a prediction interval to its ends that still decides."""


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
        low, high = f"{self.low:.4g}", f"{self.high:.4g}"
        return low if low == high else f"{low} … {high}"


@dataclass(frozen=True)
class Tally:
    """How many yardsticks of one reading are met, missed and undecided.

    Attributes
    ----------
    claims, published : mapping from "met", "missed" and "undecided" to int

    Examples
    --------
    >>> none = {"met": 0, "missed": 0, "undecided": 0}
    >>> t = Tally(none | {"met": 4}, none | {"met": 3, "undecided": 4})
    >>> t.state, str(t)
    ('met', 'claims 4 of 4, published numbers 3 of 7, 4 undecided')
    """

    claims: Mapping[str, int]
    published: Mapping[str, int]

    @property
    def state(self) -> str:
        """Return the reading's state: "met", "missed" or "undecided"."""
        if self.claims["missed"] + self.published["missed"]:
            return "missed"
        met = self.claims["met"] + self.published["met"]
        return "met" if met and not self.claims["undecided"] else "undecided"

    def __str__(self) -> str:
        """Return how many are met of how many there are, and how many are undecided."""
        kinds = (("claims", self.claims), ("published numbers", self.published))
        return ", ".join(_told(name, counts) for name, counts in kinds if sum(counts.values()))


def _told(name: str, counts: Mapping[str, int]) -> str:
    text = f"{name} {counts['met']} of {sum(counts.values())}"
    return text + (f", {counts['undecided']} undecided" if counts["undecided"] else "")


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
    if numbers.min() <= 0:
        reason = "a value is not positive, as the published number is"
        return Judgement(yardstick, told, *_range(numbers), "missed", reason)
    if numbers.size < 2:
        reason = "one seed does not tell the spread"
        return Judgement(yardstick, told, told[0], told[0], "undecided", reason)
    assert yardstick.published is not None
    low, high, factor = _prediction(np.log(numbers))
    error = yardstick.reading_error
    inside = low - error <= yardstick.published <= high + error
    if inside and factor > WIDEST:
        reason = "the seeds differ so much that the interval decides nothing; run more"
        return Judgement(yardstick, told, low, high, "undecided", reason)
    return Judgement(yardstick, told, low, high, "met" if inside else "missed")


def _prediction(logarithms: np.ndarray) -> tuple[float, float, float]:
    """Return the ends of the prediction interval, and the factor from its middle to them."""
    n = logarithms.size
    quantile = float(special.stdtrit(n - 1, (1 + CONFIDENCE) / 2))
    mean = float(logarithms.mean())
    half = quantile * float(logarithms.std(ddof=1)) * math.sqrt(1 + 1 / n)
    with np.errstate(over="ignore"):  # seeds may differ by more than a float can hold
        low, high, factor = (float(np.exp(x)) for x in (mean - half, mean + half, half))
    return low, high, factor


def tally(judgements: Sequence[Judgement]) -> Tally:
    """Return how many claims and published numbers are met, missed and undecided.

    Parameters
    ----------
    judgements : sequence of Judgement
        Those of one reading.

    Returns
    -------
    Tally
    """
    found = Counter((judged.yardstick.kind, judged.status) for judged in judgements)
    claims, published = (
        {status: found[kind, status] for status in ("met", "missed", "undecided")}
        for kind in ("claim", "published")
    )
    return Tally(claims, published)


def verdict(states: Mapping[str, str]) -> str:
    """Return the verdict on an experiment, from the state of each of its readings.

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
    others = _met(states)
    return "not reproduced" + (f', but with the reading "{others[0]}"' if others else "")


def _as_far_as_run(states: Mapping[str, str]) -> str:
    return (
        f'reproduced with the reading "{_met(states)[0]}"; the others were not run or not decided'
    )


def _met(states: Mapping[str, str]) -> list[str]:
    """Return the readings that are met, the paper's and the code's first."""
    order = ("paper", "code", *states)
    return [name for name in dict.fromkeys(order) if states.get(name) == "met"]


def basis(tallies: Mapping[str, Tally]) -> str:
    """Return what a verdict rests on: the tally of the reading it is owed to.

    That is the first one met, "paper" and "code" before others; where none is, all are told.

    Parameters
    ----------
    tallies : mapping from readings to Tally

    Returns
    -------
    str
    """
    met = _met({name: counts.state for name, counts in tallies.items()})[:1]
    return "; ".join(f"{name}: {tallies[name]}" for name in met or tallies)
