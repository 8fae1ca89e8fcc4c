"""A matrix in a text: rows of numbers, maybe with names of columns and rows, and empty cells.

What separates the cells is seen from the first line: a tab, a semicolon, a comma, or blanks.  Names
that are words are recognized as such.  Numbers that look like names, 1, 2, 3 above measurements or
years beside them, are not guessed at, nor is a first row of numbers and words: whoever reads the
text has to say what they are.
"""

from __future__ import annotations

import codecs
import csv
import itertools
import math
import re
from collections.abc import Iterator, Sequence

import numpy as np

from dlnlab.numerics import checks

__all__ = [
    "COMMA",
    "COMMENTS",
    "EMPTY",
    "MINUS",
    "NUMBER",
    "SEPARATORS",
    "UNKNOWN",
    "WHOLE",
    "Row",
    "decode",
    "parse",
]

SEPARATORS = {"\t": "tabs", ";": "semicolons", ",": "commas", " ": "blanks"}

EMPTY = {"", "na", "n/a", "nan", "null", "none"}
"""What an unknown number is written as, in any case."""

NUMBER = re.compile(  # each digit can be matched in one way, so that long cells take no longer
    r"[+-]?((\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|inf(inity)?)", re.ASCII | re.IGNORECASE
)
COMMA = re.compile(r"[+-]?\d+,\d+([eE][+-]?\d+)?", re.ASCII)
WHOLE = re.compile(r"[+-]?\d{1,18}", re.ASCII)
"""What may be a name; no names are longer."""

MINUS = str.maketrans("−", "-")
"""Typeset numbers have a sign of their own."""

COMMENTS = ("#", "%")
"""What a line starts with that says something about the numbers, in most programs and in MATLAB."""

UNKNOWN = "an unknown number is an empty cell, or NA"

Row = list[str]


def decode(content: bytes, where: str) -> str:
    """Return the text that bytes stand for: UTF-8, UTF-16 with its mark, or else Latin-1.

    Parameters
    ----------
    content : bytes
    where : str
        Name of its file, for messages.

    Returns
    -------
    str

    Raises
    ------
    ValueError
        If they are no text: a byte that none has is among them.
    """
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        told = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        told = content.decode("latin-1")  # numbers are the same, and names are skipped
    if "\0" in told:
        raise ValueError(f"{where} is not a text file: it holds bytes that are zero")
    return told


def parse(
    text: str, where: str, header: bool | None, index: bool | None
) -> tuple[np.ndarray, list[str]]:
    """Return the matrix that a text holds, NaN where a cell is empty, and what was noted.

    Parameters
    ----------
    text : str
    where : str
        Name of its file, for messages.
    header, index : bool, optional
        Whether the first row, and the first column, are names; seen from the cells by default.

    Returns
    -------
    array, shape (rows, columns)
    list of str
        Such as "header row skipped".

    Raises
    ------
    ValueError
        If it is no rectangle of numbers, or its numbers in front may be names; the message names
        the line.
    """
    lines, rows, notes = _rows(text, where)
    if not rows:
        raise ValueError(f"{where} holds no numbers")
    if not any(map(_is_number, itertools.chain.from_iterable(rows))):
        raise ValueError(
            f"{where} holds no numbers, its first cell is {rows[0][0]!r}; cells must be separated "
            f"by {', '.join(SEPARATORS.values())}"
        )
    body, named = rows, header if header is not None else _is_header(rows)
    if named and header is None and any(map(_is_number, rows[0])) and any(map(_is_word, rows[0])):
        _refuse(where, "first row", rows[0], "header")
    if named:
        body, lines = rows[1:], lines[1:]
        notes.append("header row skipped")
        if not body:
            raise ValueError(f"{where} holds no numbers below its header")
    _check_width(body, lines, where)
    aside = _has_index(rows[0] if named else None, body) if index is None else index
    if aside:
        body = [row[1:] for row in body]
        notes.append("index column skipped")
    top = rows[0][len(rows[0]) - len(body[0]) :] if named else None
    if len(body[0]) > 1 and not any(row[-1] for row in [*body, top or [""]]):
        body = [row[:-1] for row in body]  # every line ends in a separator
    if not body[0]:
        raise ValueError(f"{where} holds no numbers beside its index")
    numbers = _numbers(body, lines, where)
    if header is None and not named and _may_be_names(body[0], body[1:]):
        _refuse(where, "first row", body[0], "header")
    columns = list(zip(*body, strict=True))
    few = len(body) < 3  # two numbers above each other are hardly ever names
    if index is None and not aside and not few and _may_be_names(columns[0], columns[1:]):
        _refuse(where, "first column", columns[0], "index")
    empty = int(np.count_nonzero(np.isnan(numbers)))
    return numbers, notes + ([f"{empty} empty cell{'s' * (empty > 1)}"] if empty else [])


def _rows(text: str, where: str) -> tuple[list[int], list[Row], list[str]]:
    """Split a text into rows of cells, with the number of the line that each ends in."""
    ended = 0

    def told() -> Iterator[str]:
        """Yield the lines that count, and keep the number of the latest one."""
        nonlocal ended
        for number, line in enumerate(text.splitlines(), 1):
            ended = number
            if line.strip() and not line.lstrip().startswith(COMMENTS):
                yield line.strip(" \r\n") + "\n"

    first = next(told(), "")
    bare = re.sub(r'"[^"]*"', "", first)
    separator = next((s for s in SEPARATORS if s in bare), ",")
    reader = csv.reader(told(), delimiter=separator, skipinitialspace=True)
    lines, rows = [], []
    try:
        for row in reader:
            rows.append([cell.strip().translate(MINUS) for cell in row])
            lines.append(ended)
    except csv.Error as error:
        raise ValueError(f"{where}, line {ended}: {error}") from error
    cells = [cell for row in rows for cell in row]
    if separator in "\t;" and any(map(COMMA.fullmatch, cells)):
        if any("." in cell and NUMBER.fullmatch(cell) for cell in cells):
            raise ValueError(f"{where} must have one decimal sign, got numbers with , and with .")
        rows = [[c.replace(",", ".") if COMMA.fullmatch(c) else c for c in row] for row in rows]
        return lines, rows, ["decimal commas"]
    return lines, rows, []


def _is_number(cell: str) -> bool:
    return NUMBER.fullmatch(cell) is not None or cell.lower() in EMPTY - {""}


def _is_word(cell: str) -> bool:
    return cell.lower() not in EMPTY and NUMBER.fullmatch(cell) is None


def _is_header(rows: Sequence[Row]) -> bool:
    """Tell whether the first row has a word above numbers, or an empty corner above an index."""
    first, below = rows[0], rows[1:]
    words = [_is_word(cell) for cell in first]
    if not below or not any(words[1:]):
        alone = len(first) == 1 and words[0] and bool(below)
        return alone or bool(below and not first[0] and first[1:] and all(first[1:]))
    return any(
        word and not all(_is_word(row[k]) for row in below if k < len(row))
        for k, word in enumerate(words)
    )


def _has_index(top: Row | None, body: Sequence[Row]) -> bool:
    """Tell whether the first column has words only, or a header that leaves it unnamed."""
    if top is not None and len(top) == len(body[0]) - 1:
        return True
    if top is not None and len(top) > 1 and not top[0] and all(top[1:]):
        return True
    cells = [row[0] for row in body if row and row[0].lower() not in EMPTY]
    return len(body[0]) > 1 and bool(cells) and all(map(_is_word, cells))


def _check_width(body: Sequence[Row], lines: Sequence[int], where: str) -> None:
    for row, line in zip(body, lines, strict=True):
        if len(row) != len(body[0]):
            raise ValueError(
                f"{where}, line {line}: every row must have as many numbers as the first, "
                f"{len(body[0])}, got {len(row)}; a line that says something else must start with #"
            )


def _numbers(body: Sequence[Row], lines: Sequence[int], where: str) -> np.ndarray:
    values = []
    for row, line in zip(body, lines, strict=True):
        for cell in row:
            if _is_word(cell):
                raise ValueError(
                    f"{where}, line {line}: {checks.describe(cell)} is not a number; {UNKNOWN}"
                )
        values.append([math.nan if cell.lower() in EMPTY else float(cell) for cell in row])
    return np.array(values)


def _may_be_names(cells: Sequence[str], others: Sequence[Sequence[str]]) -> bool:
    """Tell whether whole numbers in front of others may be names.

    So it is if they count, in steps of one size, and not all others do; or if they are different,
    and no other row (or column) is of whole numbers.
    """
    if not others or len(cells) < 2 or not all(map(WHOLE.fullmatch, cells)):
        return False
    if _counts(cells) and not all(map(_counts, others)):
        return True
    return len(set(cells)) == len(cells) and not any(
        all(cell.lower() in EMPTY or WHOLE.fullmatch(cell) for cell in other) for other in others
    )


def _counts(cells: Sequence[str]) -> bool:
    if not all(map(WHOLE.fullmatch, cells)):
        return False
    steps = {int(b) - int(a) for a, b in itertools.pairwise(cells)}
    return len(steps) == 1 and steps.pop() > 0


def _refuse(where: str, place: str, cells: Sequence[str], name: str) -> None:
    shown = ", ".join(cells[:4]) + (", …" if len(cells) > 4 else "")
    raise ValueError(
        f"{where}: the {place}, {shown}, may be numbers of the matrix or names of its parts; say "
        f"which: `{name}` must be yes or no (True or False in Python)"
    )
