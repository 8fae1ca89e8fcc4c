"""Judging: quantities against yardsticks, yardsticks to readings, readings to a verdict.

A *claim* is met if the quantity lies in its interval for every seed.

A *published number* is the result of one random draw: it is met if, within its reading error, it
lies in the interval that predicts one further seed.  Numbers of steps, errors and ratios are
positive and vary by factors, so the interval is the log-normal prediction interval (95 %): with m
and s the mean and the standard deviation of the n seeds' logarithms, and t Student's quantile for
n − 1 degrees of freedom, it reaches from exp(m)/q to exp(m)·q,

    q = exp(t·s·√(1 + 1/n)).

An interval with q > `WIDEST` would agree with nearly anything: a number inside it is undecided,
while one outside is missed all the same.

One seed decides nothing, neither for a claim nor against it.  Two do not decide about a published
number: Student's quantile is 12.7 there, so that the interval's width is that of chance.

A *quick run* judges nothing: it has other settings than the published ones.  It says whether the
claims hold on a small instance, and no more.

A *reading* is missed if any of its claims or published numbers is.  It is met if all its claims are
and, where there are published numbers, at least one of these; otherwise it is undecided.  How many
numbers are undecided is told by `YardstickCounts` wherever the reading's state is, and where the
published numbers and the sentences about them part, so is that: "picture yes, sentence no".
Yardsticks of our own are counted apart and touch neither.

An experiment is "reproduced" if the reading "paper" is met, "reproduced with the code's settings
only" if "code" is met and "paper" missed, and otherwise "not reproduced", naming a further reading
that is met, or saying that one is undecided; it is "undecided" where neither of the two was missed
or met.  One that is no figure of the paper's own (a sketch, a closer view, another experiment) is
"not counted".
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import special

from dlnlab.experiments.experiment import Yardstick
from dlnlab.experiments.wording import numbers, span

__all__ = [
    "CONFIDENCE",
    "LEAST_SEEDS",
    "SMALL",
    "STATUSES",
    "TOO_FEW",
    "WIDEST",
    "Judgement",
    "YardstickCounts",
    "basis",
    "conclusion",
    "judge",
    "shown",
    "tally",
    "verdict",
]

CONFIDENCE = 0.95
WIDEST = 1.5
"""Largest factor from the middle of a prediction interval to its ends that still decides."""

LEAST_SEEDS = {False: 2, True: 3}
"""Seeds needed to decide about an interval, and about a published number."""

TOO_FEW = {1: "one seed decides nothing", 2: "two seeds do not tell the spread"}
SMALL = {True: "holds on a small instance", False: "does not hold on a small instance"}
STATUSES = ("met", "missed", "undecided")


@dataclass(frozen=True)
class Judgement:
    """The verdict of a yardstick on one reading.

    Attributes
    ----------
    yardstick : Yardstick
    values : tuple of float
        One for each seed.
    low, high : float
        The prediction interval for a published number; NaN where there is none.
    status : str
        "met", "missed" or "undecided".
    reason : str
        Why, where it is not plain from the numbers.
    holds : bool or None
        Of a quick run, which judges nothing: whether the interval holds the values.
    """

    yardstick: Yardstick
    values: tuple[float, ...]
    low: float
    high: float
    status: str
    reason: str = ""
    holds: bool | None = None

    def measured(self) -> str:
        """Return the measured value of each seed, for a table.

        Returns
        -------
        str
        """
        return numbers(self.values) if self.values else "–"

    def predicted(self) -> str:
        """Return the interval that predicts a further seed, for a table; empty without one.

        Returns
        -------
        str
        """
        return "" if math.isnan(self.low + self.high) else span(self.low, self.high)


@dataclass(frozen=True)
class YardstickCounts:
    """How many yardsticks of one reading are met, missed or undecided.

    Attributes
    ----------
    claims, published, ours : mapping from "met", "missed" and "undecided" to int
    small : tuple of int or None
        Of a quick run: how many claims hold on the small instance, and how many there are.

    Examples
    --------
    >>> none = {"met": 0, "missed": 0, "undecided": 0}
    >>> t = YardstickCounts(none | {"met": 4}, none | {"met": 3, "undecided": 4})
    >>> t.state, str(t)
    ('met', 'claims 4 of 4, published numbers 3 of 7, 4 undecided')
    >>> t = YardstickCounts(none | {"met": 3, "missed": 1}, none | {"met": 3})
    >>> t.state, str(t)
    ('missed', 'claims 3 of 4, published numbers 3 of 3; picture yes, sentence no')
    """

    claims: Mapping[str, int]
    published: Mapping[str, int]
    ours: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    small: tuple[int, int] | None = None

    @property
    def sentence(self) -> str:
        """Return the state of the claims alone; empty if there are none."""
        return _state(self.claims, every=True)

    @property
    def picture(self) -> str:
        """Return the state of the published numbers alone; empty if there are none."""
        return _state(self.published, every=False)

    @property
    def state(self) -> str:
        """Return the reading's state: "met", "missed" or "undecided"."""
        states = {self.sentence, self.picture} - {""}
        if "missed" in states:
            return "missed"
        return "met" if states == {"met"} else "undecided"

    @property
    def parted(self) -> str:
        """Return where the picture and the sentences about it part; empty if they do not."""
        if {self.sentence, self.picture} != {"met", "missed"}:
            return ""
        word = {"met": "yes", "missed": "no"}
        return f"picture {word[self.picture]}, sentence {word[self.sentence]}"

    def __str__(self) -> str:
        """Return how many are met of how many there are, and how many are undecided."""
        if self.small is not None:
            held, count = self.small
            return f"{held} of {count} claims hold" if count else "runs"
        kinds = (
            ("claims", self.claims),
            ("published numbers", self.published),
            ("apart, by our own yardsticks", self.ours),
        )
        told = ", ".join(_told(name, counts) for name, counts in kinds if sum(counts.values()))
        return f"{told}; {self.parted}" if self.parted else told


def _state(counts: Mapping[str, int], *, every: bool) -> str:
    """The state of several: missed if one is, met if one is (if `every`, all), else undecided."""
    if not sum(counts.values()):
        return ""
    if counts["missed"]:
        return "missed"
    return "undecided" if not counts["met"] or (every and counts["undecided"]) else "met"


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
        A quick run decides nothing: of an interval it is told whether it holds.

    Returns
    -------
    Judgement
    """
    if None in values:
        return Judgement(
            yardstick, (), math.nan, math.nan, "undecided", "not measured in this reading"
        )
    array = np.array(values, dtype=float)
    status, reason, low, high, holds = "undecided", "", math.nan, math.nan, None
    if quick and yardstick.published is not None:
        reason = "a quick run has other settings than the published one"
    elif quick:
        holds = _within(yardstick, array)
        reason = SMALL[holds]
    elif array.size < LEAST_SEEDS[yardstick.published is not None]:
        reason = TOO_FEW[array.size]
    elif yardstick.published is None:
        status = "met" if _within(yardstick, array) else "missed"
        reason = _lost(array) if np.isnan(array).any() else ""
    else:
        status, reason, low, high = _number(yardstick, array)
    told = tuple(array.tolist())
    return Judgement(yardstick, told, low, high, status, reason, holds)


def _within(yardstick: Yardstick, values: np.ndarray) -> bool:
    """Whether every value is in the interval; NaN is not."""
    return bool(np.all((yardstick.low <= values) & (values <= yardstick.high)))


def _lost(values: np.ndarray) -> str:
    """Why there is a value that is no number."""
    whose = "every run" if not np.isfinite(values).any() else "a run"
    return f"{whose} diverged, or never came so far"


def _number(yardstick: Yardstick, values: np.ndarray) -> tuple[str, str, float, float]:
    """Judge a published number; return the status, the reason, and the interval."""
    if not np.isfinite(values).all():
        return "missed", _lost(values), math.nan, math.nan
    if values.min() <= 0:
        return "missed", "a value is not positive, as the published number is", math.nan, math.nan
    assert yardstick.published is not None
    low, high, factor = _prediction(np.log(values))
    error = yardstick.reading_error
    inside = low - error <= yardstick.published <= high + error
    if inside and factor > WIDEST:
        return "undecided", "the seeds differ too much to decide", low, high
    return "met" if inside else "missed", "", low, high


def _prediction(logarithms: np.ndarray) -> tuple[float, float, float]:
    """Return the ends of the prediction interval, and the factor from its middle to them."""
    n = logarithms.size
    quantile = float(special.stdtrit(n - 1, (1 + CONFIDENCE) / 2))
    mean = float(logarithms.mean())
    half = quantile * float(logarithms.std(ddof=1)) * math.sqrt(1 + 1 / n)
    with np.errstate(over="ignore"):  # seeds may differ by more than a float can hold
        low, high, factor = (float(np.exp(x)) for x in (mean - half, mean + half, half))
    return low, high, factor


def tally(judgements: Sequence[Judgement]) -> YardstickCounts:
    """Return how many claims, published numbers and yardsticks of our own are met and missed.

    Parameters
    ----------
    judgements : sequence of Judgement
        Those of one reading.

    Returns
    -------
    YardstickCounts
    """
    found = Counter((judged.yardstick.kind, judged.status) for judged in judgements)
    claims, published, ours = (
        {status: found[kind, status] for status in STATUSES}
        for kind in ("claim", "published", "ours")
    )
    held = [judged.holds for judged in judgements if judged.yardstick.kind == "claim"]
    quick = any(judged.holds is not None for judged in judgements)
    small = (sum(map(bool, held)), len(held)) if quick else None
    return YardstickCounts(claims, published, ours, small)


def conclusion(
    tallies: Mapping[str, YardstickCounts], *, quick: bool = False, apart: str = ""
) -> str:
    """Return the verdict on an experiment.

    Parameters
    ----------
    tallies : mapping from readings to Tally
    quick : bool
        Of a quick run, which judges nothing.
    apart : str
        Why the experiment does not count as a figure reproduced; see `Experiment`.

    Returns
    -------
    str

    Examples
    --------
    >>> conclusion({"code": YardstickCounts({}, {}, small=(3, 3))}, quick=True)
    'runs; the claims hold on a small instance'
    """
    if quick:
        counts = [found.small for found in tallies.values() if found.small and found.small[1]]
        if not counts:
            return "runs"
        hold = any(held == count for held, count in counts)
        return f"runs; the claims {'hold' if hold else 'do not hold'} on a small instance"
    if apart:
        return f"not counted: {apart}"
    text = verdict({reading: counts.state for reading, counts in tallies.items()})
    parted = [f'{counts.parted} (reading "{name}")' for name, counts in tallies.items()
              if counts.parted]  # fmt: skip
    return f"{text}: {parted[-1]}" if text == "not reproduced" and parted else text


def verdict(states: Mapping[str, str]) -> str:
    """Return the verdict that follows from the state of each reading.

    Parameters
    ----------
    states : mapping of str to str
        By reading.

    Returns
    -------
    str

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
    if others:
        return f'not reproduced, but with the reading "{others[0]}"'
    if states.get("paper") == "missed" and "undecided" in states.values():
        return "not reproduced as printed, undecided with other settings"
    return "not reproduced"


def _as_far_as_run(states: Mapping[str, str]) -> str:
    return (
        f'reproduced with the reading "{_met(states)[0]}"; the others were not run or not decided'
    )


def _met(states: Mapping[str, str]) -> list[str]:
    """Return the readings that are met, the paper's and the code's first."""
    order = ("paper", "code", *states)
    return [name for name in dict.fromkeys(order) if states.get(name) == "met"]


def shown(tallies: Mapping[str, YardstickCounts]) -> str:
    """Return the reading that a line about an experiment is about.

    That is the first one met, "paper" and "code" before others; where none is, the one of which the
    most published numbers are met and the fewest missed, then the most claims met, then the most of
    our own yardsticks.

    Parameters
    ----------
    tallies : mapping from readings to Tally
        At least one.

    Returns
    -------
    str
    """
    met = _met({name: counts.state for name, counts in tallies.items()})
    if met:
        return met[0]
    rather = sorted(tallies, key=lambda name: name == "paper")  # of equals another than the paper's
    return max(rather, key=lambda name: _closeness(tallies[name]))


def _closeness(counts: YardstickCounts) -> list[int]:
    """How much is met: of the published numbers first, then of the claims, then of our own."""
    met, missed = (counts.published.get(status, 0) for status in ("met", "missed"))
    return [met, -missed, counts.claims.get("met", 0), counts.ours.get("met", 0)]


def basis(tallies: Mapping[str, YardstickCounts]) -> str:
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
