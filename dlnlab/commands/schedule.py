"""What `dlnlab reproduce` says of time: the estimate before a run, and what it came to after."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dlnlab.experiments.durations import Estimate, makespan

__all__ = ["compared", "duration", "table"]

NOT_KNOWN = "not known"
UNITS = ((7200, 3600, "hours"), (90, 60, "minutes"), (0, 1, "s"))
"""From how many seconds on a unit is used, and its own."""


def duration(seconds: float) -> str:
    """Return a duration in words.

    Examples
    --------
    >>> [duration(x) for x in (0.04, 7.2, 95.0, 9000.0, float("nan"))]
    ['0.04 s', '7.2 s', '1.6 minutes', '2.5 hours', 'not known']
    """
    if math.isnan(seconds):
        return NOT_KNOWN
    _, size, unit = next(row for row in UNITS if seconds >= row[0])
    number = seconds / size
    return f"{number:.0f} {unit}" if number >= 10 else f"{number:.2g} {unit}"


def table(estimates: Sequence[Estimate], workers: int) -> str:
    """Return a line for each figure, and their sum, with the time that its runs will take.

    Parameters
    ----------
    estimates : sequence of Estimate
    workers : int

    Returns
    -------
    str
    """
    end = "1 worker" if workers == 1 else f"{workers} workers"
    rows = [("", "to do", "finished", "seconds a run", f"on {end}")]
    rows += [
        (
            each.name,
            str(len(each.runs)),
            str(each.finished),
            _span(each.runs),
            duration(makespan(each.runs, workers)) if each.runs else "–",
        )
        for each in estimates
    ]
    rows.append(
        (
            "all",
            str(sum(len(each.runs) for each in estimates)),
            str(sum(each.finished for each in estimates)),
            "",
            _sum(estimates, workers),
        )
    )
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]) for row in rows
    )


def _span(runs: Sequence[float]) -> str:
    """The times of the runs still to do, from the shortest to the longest."""
    times = [seconds for seconds in runs if not math.isnan(seconds)]
    if not times:
        return NOT_KNOWN if runs else "–"
    low, high = (f"{x:.0f}" if x >= 100 else f"{x:.2g}" for x in (min(times), max(times)))
    text = low if low == high else f"{low} to {high}"
    return text if len(times) == len(runs) else f"{text}, or {NOT_KNOWN}"


def _sum(estimates: Sequence[Estimate], workers: int) -> str:
    """Figures run one after another, so that their times add up."""
    times = [makespan(each.runs, workers) for each in estimates]
    text = duration(math.fsum(seconds for seconds in times if not math.isnan(seconds)))
    missing = sum(map(math.isnan, times))
    return f"{text} and {missing} not known" if missing else text


def compared(spent: float, estimates: Sequence[Estimate], workers: int) -> str:
    """Return how long the runs of some figures took, beside the estimate.

    Parameters
    ----------
    spent : float
        Seconds.
    estimates : sequence of Estimate
    workers : int

    Returns
    -------
    str
    """
    if not any(each.runs for each in estimates):
        return "nothing to run"
    expected = math.fsum(makespan(each.runs, workers) for each in estimates)
    return f"runs took {duration(spent)}, estimated {duration(expected)}"
