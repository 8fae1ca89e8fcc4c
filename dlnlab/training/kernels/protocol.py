"""What takes steps, what it takes them of, and the parts that all ways of doing so share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np

from dlnlab.networks import Weights
from dlnlab.numerics.arrays import Array
from dlnlab.problems import Problem

__all__ = ["Calls", "Run", "Slots", "Stepper", "repeat", "shrinkage"]

Calls = list[Callable[[], Any]]
"""A step on fixed arrays: what to call, one after the other."""


Slots = tuple[tuple[Array, ...], ...]
"""What a method keeps: for each of its slots an array for each of the weights."""


@dataclass(frozen=True)
class Run:
    """What plain descent is to do: W_l ← (1 − η_l μ) W_l − η_l ∇_{W_l} ℓ(W_{L:1}).

    Parameters
    ----------
    problem : Problem
    weights : tuple of L arrays, shapes (*batch, d_l, d_{l−1})
        Where the run starts; not changed.
    rates : sequence of L floats or arrays
        η_l; an array has the shape (..., 1, 1).
    decay : float, array or None
        μ, in the same way; None without weight decay, which then costs nothing.
    batch : tuple of int
        Batch axes.
    """

    problem: Problem
    weights: Weights
    rates: Sequence[Any]
    decay: Any = None
    batch: tuple[int, ...] = ()

    @cached_property
    def shrinks(self) -> list[Any] | None:
        """1 − η_l μ for every layer, None without weight decay."""
        return shrinkage(self.rates, self.decay)

    def scaled(self, scale: Any) -> list[Any]:
        """Return η_l c, for gradients that lack a factor c.

        Parameters
        ----------
        scale : float or array
            c.

        Returns
        -------
        list
        """
        return [rate * scale for rate in self.rates]


class Stepper(Protocol):
    """Weights, and a way to take steps."""

    def advance(self, count: int) -> None:
        """Take `count` steps; if this is interrupted the weights are not to be used.

        Parameters
        ----------
        count : int
        """

    def weights(self) -> Weights:
        """Return the weights, which later steps do not change.

        Returns
        -------
        tuple of arrays
        """

    def slots(self) -> Slots:
        """Return what the method keeps, which later steps do not change; here it keeps nothing.

        Returns
        -------
        tuple of tuples of arrays
        """
        return ()

    def freeze(self, done: np.ndarray) -> None:
        """Leave the members of the batch that are done where they are.

        Parameters
        ----------
        done : boolean array, shape (*batch)
            Which members are done.
        """

    def calls(self) -> tuple[Calls, int]:
        """Return the calls that one step of some members consists of, and how many members.

        No calls, and no members, if a step is not made of calls on fixed arrays.

        Returns
        -------
        (list of callables, int)
        """


def repeat(lists: list[Calls], count: int) -> None:
    """Make all calls of each list `count` times.

    Parameters
    ----------
    lists : list of lists of callables
    count : int
    """
    with np.errstate(over="ignore", invalid="ignore"):  # it is per thread
        for calls in lists:
            for _ in range(count):
                for call in calls:
                    call()


def shrinkage(rates: Sequence[Any], decay: Any) -> list[Any] | None:
    """Return 1 − η_l μ for every layer, None without weight decay.

    Parameters
    ----------
    rates : sequence of L floats or arrays
        η_l.
    decay : float, array or None
        μ; None without weight decay.

    Returns
    -------
    list or None
    """
    return None if decay is None else [1.0 - rate * decay for rate in rates]
