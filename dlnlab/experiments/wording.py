"""Numbers as a reader wants them: three digits, no more, in every text and table."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["DIGITS", "LISTED", "RAISED", "number", "numbers", "span"]

DIGITS = 3
LISTED = 5
"""Up to this many seeds are told one by one."""

RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def number(value: float) -> str:
    """Return a number with three significant digits, powers of ten written out.

    Parameters
    ----------
    value : float
        NaN, of a run that diverged or of a ratio of two things that never came, is "–".

    Returns
    -------
    str

    Examples
    --------
    >>> number(80600.0), number(0.15401), number(4.21e-15), number(1.0), number(float("inf"))
    ('80,600', '0.154', '4.21·10⁻¹⁵', '1', '∞')
    """
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{DIGITS - 1}e}".split("e")
    power = int(exponent)
    if -4 < power < 7:
        text = f"{float(f'{value:.{DIGITS - 1}e}'):,.{max(DIGITS - 1 - power, 0)}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
    else:
        text = f"{mantissa.rstrip('0').rstrip('.')}·10{str(power).translate(RAISED)}"
    return text.replace("-", "−")


def numbers(values: Sequence[float]) -> str:
    """Return the values of several seeds: one by one, or of many the smallest and the largest.

    Parameters
    ----------
    values : sequence of float

    Returns
    -------
    str

    Examples
    --------
    >>> numbers([1.0, 2.5]), numbers([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), numbers([float("nan")] * 3)
    ('1, 2.5', '1 … 6 (6 seeds)', '–')
    """
    told = [number(value) for value in values]
    if len(set(told)) == 1:
        return told[0]
    if len(told) <= LISTED:
        return ", ".join(told)
    known = [value for value in values if not math.isnan(value)]
    return f"{span(min(known), max(known))} ({len(told)} seeds)"


def span(low: float, high: float) -> str:
    """Return an interval in words.

    Parameters
    ----------
    low : float
    high : float

    Returns
    -------
    str

    Examples
    --------
    >>> span(0.148, 0.16), span(2.0, 2.0)
    ('0.148 … 0.16', '2')
    """
    ends = number(low), number(high)
    return ends[0] if ends[0] == ends[1] else " … ".join(ends)
