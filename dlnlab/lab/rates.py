"""How many instances of each attack a processor tries in a second, and what a campaign would take.

A task costs something whatever its size, and something for each instance, less where many are
integrated side by side.  So larger and larger tasks are timed until one takes so much longer than
the one before that the difference tells what an instance costs, or is as large as the campaign's.
What a search looks at to simplify what it found, at most 2000 more instances, is left out.  The
time is that of the processor, so that other work on the machine counts little.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dlnlab.lab.suite import Profile, Suite, as_profile, load
from dlnlab.numerics import threads

__all__ = ["GROWN", "LEAST", "PATIENCE", "Rate", "measure", "minutes", "of_suite"]

GROWN = 4
"""How many times as many instances a longer task has."""

LEAST = 64
"""Instances that are tried at least, since the first ones are not like the others,"""

PATIENCE = 8
"""unless that takes so many times as long as was asked for."""


@dataclass(frozen=True)
class Rate:
    """Of one part of the attack on a claim.

    Attributes
    ----------
    claim, part : str
    per_second : float
        Instances per second of one processor, what tasks cost whatever their size left out.
    start : float
        Seconds that a task costs whatever its size.
    timed : int
        Instances of the largest task that was timed.
    tasks, planned : int
        Tasks of the part in the campaign, and instances of all of them.
    """

    claim: str
    part: str
    per_second: float
    start: float
    timed: int
    tasks: int
    planned: int

    @property
    def total(self) -> float:
        """Seconds of one processor for the whole part, if all its tasks are like the timed one."""
        return self.tasks * self.start + self.planned / self.per_second


def of_suite(suite: Suite, profile: Profile | str = "hunt", seconds: float = 1.0) -> list[Rate]:
    """Time one task of every part of a suite.

    Parameters
    ----------
    suite : Suite
    profile : Profile, or its name
        The campaign.
    seconds : float
        By how much longer than the one before a task takes at least, unless it has as many
        instances as the campaign's.

    Returns
    -------
    list of Rate
    """
    size = as_profile(profile)
    with threads.limited(1):
        return [
            _timed(suite, [task for task in suite.tasks(size, 0) if task["part"] == name], seconds)
            for name in suite.parts
        ]


def _timed(suite: Suite, tasks: Sequence[Mapping[str, Any]], seconds: float) -> Rate:
    """Time the first of the tasks of a part, with fewer instances than it has."""
    largest, planned = tasks[0]["count"], sum(task["count"] for task in tasks)

    def taken(count: int) -> float:
        started = time.process_time()
        suite.carry_out({**tasks[0], "count": count, "shrinks": 0})
        return time.process_time() - started

    count, longest = 1, min(taken(1), taken(1))  # the first one loads what it needs
    fewer, shorter = 0, 0.0
    while count < largest and longest < PATIENCE * seconds:
        if count >= LEAST and longest - shorter >= seconds:
            break
        fewer, shorter = count, longest
        count = min(GROWN * count, largest)
        longest = taken(count)
    each = (longest - shorter) / (count - fewer)
    if not each > 0:  # it ended early, or what took long was not the instances
        each = max(longest, 1e-9) / count
    start = max(longest - count * each, 0.0)
    return Rate(suite.claim, tasks[0]["part"], 1 / each, start, count, len(tasks), planned)


def measure(
    claims: Sequence[str], profile: Profile | str = "hunt", seconds: float = 1.0
) -> list[Rate]:
    """Time one task of every part of the attacks on some claims.

    Parameters
    ----------
    claims : sequence of str
    profile, seconds
        As for `of_suite`.

    Returns
    -------
    list of Rate
    """
    return [rate for claim in claims for rate in of_suite(load(claim), profile, seconds)]


def minutes(rates: Sequence[Rate], processors: int = 1) -> float:
    """Return how long the campaign would take on so many processors that do nothing else.

    Parameters
    ----------
    rates : sequence of Rate
    processors : int

    Returns
    -------
    float
    """
    return sum(rate.total for rate in rates) / processors / 60
