"""What `dlnlab reproduce` says of time: what is still to run, and how long finished seeds took."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["UNITS", "Spent", "duration", "to_do", "took"]

UNITS = ((7200, 3600, "hours"), (90, 60, "minutes"), (0, 1, "s"))
"""From how many seconds on a unit is used, and its own."""

Spent = Mapping[str, Sequence[float | None]]
"""For each reading the seconds of each seed, None of one that is still to run."""


def duration(seconds: float) -> str:
    """Return a duration in words, such as "1.6 minutes".

    Parameters
    ----------
    seconds : float

    Returns
    -------
    str

    Examples
    --------
    >>> [duration(x) for x in (0.04, 7.2, 95.0, 9000.0)]
    ['0.04 s', '7.2 s', '1.6 minutes', '2.5 hours']
    """
    _, size, unit = next(row for row in UNITS if seconds >= row[0])
    number = seconds / size
    return f"{number:.0f} {unit}" if number >= 10 else f"{number:.2g} {unit}"


def to_do(spent: Spent) -> str:
    """Return how many seeds are still to run, and how long finished ones of their reading took.

    Parameters
    ----------
    spent : mapping
        Seconds of finished seeds, by reading.

    Returns
    -------
    str

    Examples
    --------
    >>> to_do({"paper": [0.2, 0.3], "code": [95.0, None]})
    '1 run to do, 3 finished (a seed took: paper 0.3 s, code 1.6 minutes)'
    >>> to_do({"paper": [None, None]})
    '2 runs to do'
    """
    seeds = [seconds for part in spent.values() for seconds in part]
    missing = seeds.count(None)
    text = f"{missing} run{'' if missing == 1 else 's'} to do"
    known = took(spent)
    return f"{text}, {len(seeds) - missing} finished ({known})" if known else text


def took(spent: Spent) -> str:
    """Return how long a seed of each reading took, the longest one; empty if none is finished.

    Parameters
    ----------
    spent : mapping
        Seconds of finished seeds, by reading.

    Returns
    -------
    str
    """
    longest = {
        reading: max(seconds for seconds in part if seconds is not None)
        for reading, part in spent.items()
        if set(part) - {None}
    }
    told = ", ".join(f"{reading} {duration(seconds)}" for reading, seconds in longest.items())
    return f"a seed took: {told}" if told else ""
