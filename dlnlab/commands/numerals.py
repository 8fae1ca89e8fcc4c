"""Numbers that are typed, on the command line or in a file, as other programs read them too.

Python's own syntax has more: underscores between digits, and the digits of other scripts.
"""

from __future__ import annotations

__all__ = ["integer", "number"]


def integer(text: str) -> int:
    """Return the integer that a text is, or raise ValueError.

    Parameters
    ----------
    text : str

    Returns
    -------
    int
    """
    return int(_plain(text))


def number(text: str) -> float:
    """Return the number that a text is, maybe infinite or NaN, or raise ValueError.

    Parameters
    ----------
    text : str

    Returns
    -------
    float
    """
    return float(_plain(text))


def _plain(text: str) -> str:
    if "_" in text or not text.isascii():
        raise ValueError("it is not a number in digits from 0 to 9")
    return text
