"""What takes steps, and the parts that all ways of doing so share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from dlnlab.networks import Weights
from dlnlab.numerics.arrays import Array

__all__ = ["Calls", "Slots", "Stepper", "repeat", "shrinkage"]

Calls = list[Callable[[], Any]]
"""A step on fixed arrays: what to call, one after the other."""


Slots = tuple[tuple[Array, ...], ...]
"""What a method keeps: for each of its slots an array for each of the weights."""


class Stepper(Protocol):
    """Weights, and a way to take steps."""

    def advance(self, count: int) -> None:
        """Take `count` steps; if this is interrupted the weights are not to be used."""

    def weights(self) -> Weights:
        """Return the weights, which later steps do not change."""

    def slots(self) -> Slots:
        """Return what the method keeps, which later steps do not change; here it keeps nothing."""
        return ()

    def freeze(self, done: np.ndarray) -> None:
        """Leave the members of the batch that are done where they are."""

    def calls(self) -> tuple[Calls, int]:
        """Return the calls that one step of some members consists of, and how many members.

        No calls, and no members, if a step is not made of calls on fixed arrays.
        """


def repeat(lists: list[Calls], count: int) -> None:
    """Make all calls of each list `count` times."""
    with np.errstate(over="ignore", invalid="ignore"):  # it is per thread
        for calls in lists:
            for _ in range(count):
                for call in calls:
                    call()


def shrinkage(rates: Sequence[Any], decay: Any) -> list[Any] | None:
    """Return 1 − η_l μ for every layer, None without weight decay: it then costs nothing."""
    return None if decay is None else [1.0 - rate * decay for rate in rates]
