"""The margin of a conjecture on one instance, with a bound on its numerical error.

The function of a conjecture is given the same instance several times, with other numerical errors
each time (`dlnlab.lab.observed`).  What it returns on the first is the margin; by how much the
others differ, with the safety of `dlnlab.lab.flows`, bounds its error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlnlab.claims import Premise
from dlnlab.flow import two_runs
from dlnlab.lab.cases import EPS, Case
from dlnlab.lab.dynamics import Sighting
from dlnlab.lab.observed import Observed
from dlnlab.numerics import checks

__all__ = [
    "MOVED",
    "ROUNDING",
    "BadMargin",
    "Margin",
    "MarginCurve",
    "curve",
    "premises",
    "value_of",
]

Margin = Callable[[Any], Any]

MOVED = 0.1
"""A record counts for a climb from where a network has gone this share of its way until as much is
left: before and after, many margins are small because nothing happens."""


ROUNDING = 4 * EPS
"""What subtracting two numbers of size 1 rounds, a few times over: copies of an instance may agree
on that by chance."""


class BadMargin(ValueError):
    """The function of a conjecture raised an error, or returned something that is no margin."""


@dataclass(frozen=True)
class MarginCurve:
    """The margin at every record of one instance.

    Attributes
    ----------
    times : array, shape (n,)
    margin : array, shape (n,)
        The smallest of the values returned for a record.
    error : array, shape (n,)
        Bound on the numerical error of `margin`.
    climb : float
        The smallest margin plus error while a network is on its way: what a search makes smaller.
    """

    times: np.ndarray
    margin: np.ndarray
    error: np.ndarray
    climb: float

    @property
    def worst(self) -> int:
        """The record with the smallest margin plus error."""
        return int(np.argmin(self.margin + self.error))

    @property
    def is_finite(self) -> bool:
        """Whether the margin and its error are finite at every record."""
        return bool(np.all(np.isfinite(self.margin)) and np.all(np.isfinite(self.error)))


def value_of(function: Margin, seen: Observed) -> np.ndarray:
    """Return what a function says of an instance, shape (n, values).

    Parameters
    ----------
    function : callable
        Takes what is seen of an instance.
    seen : Observed

    Returns
    -------
    array, shape (n, values)

    Raises
    ------
    BadMargin
        If it raises, or returns something that is no number and no array over records.
    """
    try:
        with np.errstate(all="ignore"):
            value = function(seen)
    except KeyboardInterrupt:  # it is meant for the attack
        raise
    except BaseException as error:  # sys.exit, too: it costs this instance only
        raise BadMargin(f"{type(error).__name__}: {error}") from error
    try:
        found = np.asarray(value)
    except Exception as error:
        raise BadMargin(f"returned {checks.describe(value)}: {error}") from error
    if found.dtype == bool:
        raise BadMargin(
            "returned a boolean, must return a margin: a number >= 0 where the statement holds, as "
            "the right side of an inequality minus the left one"
        )
    if found.shape[:1] == (0,) and seen.times.size == 1:  # there is no second record
        return np.full((1, 1), np.nan)
    if found.dtype.kind not in "fiu" or found.size == 0:
        raise BadMargin(
            f"returned {checks.describe(value)}, must return a real number or an array of them"
        )
    found = found.astype(float)
    if found.ndim == 0:
        return found.reshape(1, 1)
    records = seen.times.size
    if len(found) not in (records, records - 1):
        raise BadMargin(
            f"returned an array of shape {found.shape}, must return a number, or an array whose "
            f"first axis has the {records} records (or the {records - 1} differences between them)"
        )
    return found.reshape(len(found), -1)


def curve(function: Margin, sighting: Sighting) -> MarginCurve:
    """Return the margin along one instance, with its error.

    Parameters
    ----------
    function : callable
        Takes what is seen of an instance.
    sighting : (Observed, sequence of Observed)
        An instance, and the same with perturbations.

    Returns
    -------
    MarginCurve

    Raises
    ------
    BadMargin
        As `value_of`, or if the function changed what it was given.
    """
    seen, others = sighting
    values = value_of(function, seen)
    again = [value_of(function, other) for other in others]
    if any(other.shape != values.shape for other in again):
        raise BadMargin("returned arrays of different shapes for one instance")
    with np.errstate(all="ignore"):
        distance = np.max([np.max(np.abs(other - values), axis=1) for other in again], axis=0)
        error = two_runs.bound_nearby(distance + _rounding(seen.case))
    margin = np.min(values, axis=1)
    times = seen.times[-len(values) :] if len(values) > 1 else seen.times[:1]
    late = _moved(seen)[-len(values) :] if len(values) > 1 else np.array([True])
    climb = float(np.min((margin + error)[late])) if late.any() else float("inf")
    return MarginCurve(times, margin, error, climb)


def _rounding(case: Case) -> float:
    """What a difference of values, or of their squares, rounds where they are large."""
    size = max(case.spectrum[0], case.eps**case.depth)
    return ROUNDING * max(1.0, size, size**2)


def _moved(seen: Observed) -> np.ndarray:
    """Tell of every record whether the first network is on its way, or the last one still is."""
    narrow, wide = seen.compressed, seen.original.end_to_end
    first = wide if narrow is None else narrow.singular_values
    return (_distance(first, 0) > MOVED) & (_distance(wide, -1) > MOVED)


def _distance(records: np.ndarray, record: int) -> np.ndarray:
    """Return the distance of all records from one, in units of the largest."""
    way = np.linalg.norm((records - records[record]).reshape(len(records), -1), axis=1)
    return np.asarray(way / max(float(np.max(way)), 1e-300))


def premises(functions: Sequence[Margin], sighting: Sighting) -> list[Premise]:
    """Return the premises as measured; one whose margin is not finite is not met.

    Parameters
    ----------
    functions : sequence of callables
    sighting : (Observed, sequence of Observed)
        An instance, and the same with perturbations.

    Returns
    -------
    list of Premise

    Raises
    ------
    BadMargin
        As `curve`, with the premise's name.
    """
    found = []
    for function in functions:
        name = getattr(function, "__name__", "premise").strip("<>")
        told = " ".join((function.__doc__ or name).split())
        try:
            measured = curve(function, sighting)
        except BadMargin as error:
            raise BadMargin(f"premise {name}: {error}") from error
        if not measured.is_finite:
            found.append(Premise(name, told, -float("inf")))
            continue
        k = measured.worst
        found.append(Premise(name, told, float(measured.margin[k]), float(measured.error[k])))
    return found
