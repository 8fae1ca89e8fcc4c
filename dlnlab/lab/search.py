"""Searches: climb towards the worst instance, then find a simple one that is about as bad."""

from __future__ import annotations

import contextlib
import math
import os
import random
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import hypothesis
import hypothesis.configuration
from hypothesis import HealthCheck, Phase, settings, target
from hypothesis import strategies as st

__all__ = ["Badness", "climb", "simplest"]

Badness = Callable[[Any], float]


class _Spent(BaseException):
    """The examples are used up; not an Exception, which Hypothesis would take for a failure."""


def climb(strategy: Any, badness: Badness, *, examples: int, seed: int) -> None:
    """Show `badness` examples, with Hypothesis's `target` climbing towards larger values.

    Parameters
    ----------
    strategy : hypothesis strategy
    badness : callable
        Takes an example, keeps its own record, and returns how bad it is.
    examples, seed : int
        How many examples at most, and which.  Hypothesis starts up to ten times its
        `max_examples` while it climbs, most of which end while they are drawn; so both are counted
        here, and twice as many are started as are asked for.

    Raises
    ------
    Exception
        What `badness` raises.
    """
    left, starts = examples, 2 * examples

    @st.composite
    def counted(draw: Any) -> Any:
        nonlocal starts
        if not starts:
            raise _Spent
        starts -= 1
        return draw(strategy)

    @hypothesis.seed(seed)
    @_settings(examples, Phase.generate, Phase.target)
    @hypothesis.given(counted())
    def attack(example: Any) -> None:
        nonlocal left
        if not left:
            raise _Spent
        left -= 1
        value = badness(example)
        if math.isfinite(value):
            target(value)

    try:
        with _elsewhere():
            attack()
    except _Spent:
        pass
    except hypothesis.errors.FlakyStrategyDefinition:
        if starts:  # else it is the end that was made while an example was drawn
            raise


def simplest(
    strategy: Any, bad: Callable[[Any], bool], *, examples: int, shrinks: int, seed: int
) -> Any:
    """Return a simple example with ``bad(example)``, or None if none was found.

    Parameters
    ----------
    strategy : hypothesis strategy
    bad : callable
    examples : int
        How many to look at until the first bad one.
    shrinks : int
        How many to look at in order to simplify it; then it is taken as it is.
    seed : int

    Returns
    -------
    object or None
    """
    seen: dict[Any, bool] = {}

    def condition(example: Any) -> bool:
        # Hypothesis has no limit on shrinking, so beyond the budget nothing new is called bad
        if example not in seen:
            found = sum(seen.values()) > 0
            spent = len(seen) >= examples + shrinks
            seen[example] = not (found and spent) and bad(example)
        return seen[example]

    try:
        with _elsewhere():
            return hypothesis.find(
                strategy,
                condition,
                settings=_settings(examples, Phase.generate, Phase.shrink),
                random=random.Random(seed),
            )
    except hypothesis.errors.NoSuchExample:
        return None


@contextlib.contextmanager
def _elsewhere() -> Iterator[None]:
    """Let Hypothesis keep its files in a temporary folder, not in the user's, unless told where."""
    if "HYPOTHESIS_STORAGE_DIRECTORY" in os.environ:
        yield
        return
    with tempfile.TemporaryDirectory(prefix="dlnlab-") as folder:
        hypothesis.configuration.set_hypothesis_home_dir(folder)
        try:
            yield
        finally:
            hypothesis.configuration.set_hypothesis_home_dir(None)


def _settings(examples: int, *phases: Phase) -> settings:
    """No deadline, no database, no health checks: a search may be slow and must be repeatable."""
    return settings(
        max_examples=examples,
        phases=phases,
        deadline=None,
        database=None,
        derandomize=False,
        suppress_health_check=list(HealthCheck),
    )
