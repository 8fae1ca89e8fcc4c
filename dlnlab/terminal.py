"""Text for a terminal: tables and paragraphs that are as wide as it is, in letters that it has.

The width is that of the terminal, or of the variable COLUMNS where it is set; where there is no
terminal, as in a pipe or a notebook, it is 80.
"""

from __future__ import annotations

import shutil
import textwrap
import unicodedata
from collections.abc import Sequence
from itertools import zip_longest

__all__ = [
    "GAP",
    "LEAST",
    "NARROWEST",
    "PIPED",
    "PLAIN",
    "RAISED",
    "SPELLED",
    "WIDEST",
    "columns",
    "paragraph",
    "row",
    "spelled",
    "table",
    "widths",
]

PIPED, NARROWEST, WIDEST = 80, 40, 100
"""Columns where there is no terminal; the fewest that are written for; the most of a paragraph."""

GAP = "  "

LEAST = 5
"""The narrowest that a column of a table is made."""


def columns() -> int:
    """Return how many columns may be written to.

    Returns
    -------
    int
    """
    return max(NARROWEST, shutil.get_terminal_size((PIPED, 24)).columns)


def paragraph(text: str, indent: str = "", hanging: str | None = None) -> list[str]:
    """Return a text as lines that fit.

    Parameters
    ----------
    text : str
    indent, hanging : str
        What the first line, and every later one, starts with; the same by default.

    Returns
    -------
    list of str

    Examples
    --------
    >>> len(paragraph("a verdict is a margin, " * 8)) > 1
    True
    """
    below = indent if hanging is None else hanging
    room = min(columns(), WIDEST)
    return textwrap.wrap(text, room, initial_indent=indent, subsequent_indent=below)


def widths(wanted: Sequence[int], least: Sequence[int] | None = None) -> list[int]:
    """Return widths of columns that fit beside each other, the widest ones made narrower.

    Parameters
    ----------
    wanted, least : sequence of int
        Widths where there is room, and such that no column is made narrower, 5 by default.

    Returns
    -------
    list of int
    """
    found, low = list(wanted), least or [LEAST] * len(wanted)
    spare = columns() - len(GAP) * (len(found) - 1)
    while sum(found) > spare and any(map(int.__gt__, found, low)):
        widest = max((k for k in range(len(found)) if found[k] > low[k]), key=found.__getitem__)
        found[widest] -= 1
    return found


def row(cells: Sequence[str], width: Sequence[int], left: int = 1) -> list[str]:
    """Return a row of a table as lines, its cells wrapped in their columns.

    Parameters
    ----------
    cells : sequence of str
    width : sequence of int
        Of each column.
    left : int
        So many columns are aligned at their left, the others at their right.

    Returns
    -------
    list of str

    Examples
    --------
    >>> print("\\n".join(row(["mode", "t_i original"], [4, 8])))
    mode       t_i
          original
    """
    wrapped = [
        textwrap.wrap(cell, w, break_on_hyphens=False) for cell, w in zip(cells, width, strict=True)
    ]
    lines = []
    for parts in zip_longest(*wrapped, fillvalue=""):
        placed = (
            part.ljust(w) if k < left else part.rjust(w)
            for k, (part, w) in enumerate(zip(parts, width, strict=True))
        )
        lines.append(GAP.join(placed).rstrip())
    return lines


def table(rows: Sequence[Sequence[str]], left: int = 1) -> list[str]:
    """Return rows, the first of them headers, as the lines of a table that fits.

    The last columns are left out, and named, where not even their words have room.

    Parameters
    ----------
    rows : sequence of sequences of str
    left : int
        As in `row`.

    Returns
    -------
    list of str
    """
    listed = list(zip(*rows, strict=True))
    least = [max(len(word) for cell in column for word in cell.split()) for column in listed]
    kept = len(listed)
    while kept > 1 and sum(least[:kept]) + len(GAP) * (kept - 1) > columns():
        kept -= 1
    width = widths([max(map(len, column)) for column in listed[:kept]], least[:kept])
    lines = [line for cells in rows for line in row(cells[:kept], width, left)]
    if kept == len(listed):
        return lines
    return [*lines, *paragraph(f"(no room for: {', '.join(rows[0][kept:])})", "  ")]


SPELLED = "dlnlab.spelled"
"""Name of the way in which letters are treated that an encoding lacks, for ``codecs``."""

PLAIN = {
    "✓": "+",
    "✗": "x",
    "·": ".",
    "×": "x",
    "–": "-",
    "−": "-",
    "…": "~",
    "±": "+/-",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "→": "->",
    "‖": "|",
    "⟨": "<",
    "⟩": ">",
    "⁄": "/",
    "√": "sqrt",
    "∞": "inf",
    "∇": "grad ",
    "σ": "s",
    "Σ": "sum ",
    "λ": "lambda",
    "ε": "eps",
    "★": "*",
    "\N{COMBINING CIRCUMFLEX ACCENT}": "_hat",
}
"""Signs that must stay apart where there is ASCII only."""

RAISED = {"<super>": "^", "<sub>": "_"}


def spelled(error: UnicodeError) -> tuple[str, int]:
    """Replace letters that an encoding lacks, by "?" where they have no plain likeness.

    Parameters
    ----------
    error : UnicodeError

    Returns
    -------
    str
        What stands for them.
    int
        Where to go on.

    Raises
    ------
    UnicodeError
        The one given, if it is about decoding.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_plain, error.object[error.start : error.end])), error.end


def _plain(letter: str) -> str:
    if letter in PLAIN:
        return PLAIN[letter]
    name = unicodedata.name(letter, "").split()
    if name[:1] == ["GREEK"]:
        return name[3].lower() if len(name) > 3 and name[2] == "LETTER" else "?"
    kind = (unicodedata.decomposition(letter).split() or [""])[0]
    alike = unicodedata.normalize("NFKD", letter)
    alike = "".join(PLAIN.get(a, a) for a in alike if not unicodedata.combining(a))
    return RAISED.get(kind, "") + alike if alike.isascii() else "?"
