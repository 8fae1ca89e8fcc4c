"""Matrices from files, and results to files that are never seen half-written."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["check_parent", "prepare", "read_matrix", "replacing", "write_json", "write_text"]


def read_matrix(path: Path) -> np.ndarray:
    """Read an array from a ``.npy`` file or a matrix from a ``.csv`` file.

    Parameters
    ----------
    path : Path
        A ``.csv`` file has one row per line, with commas or blanks between the numbers; empty lines
        and lines that start with ``#`` are skipped.

    Returns
    -------
    array

    Raises
    ------
    OSError
        If the file cannot be read.
    ValueError
        If it is of another kind, or holds something other than a rectangle of numbers.  Pickled
        objects are refused, since loading them can run any code.
    """
    readers = {".npy": _read_npy, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise ValueError(f"{path}: a matrix must be in a .npy or .csv file")
    return readers[path.suffix.lower()](path)


def _read_npy(path: Path) -> np.ndarray:
    with open(path, "rb") as file:
        try:
            return np.lib.format.read_array(file, allow_pickle=False)
        except ValueError as error:
            if "Object arrays" in str(error):
                error = ValueError("it holds Python objects, not numbers")
            raise ValueError(f"{path} cannot be read as an array: {error}") from error


def _read_csv(path: Path) -> np.ndarray:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not a text file") from error
    rows: list[list[float]] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        rows.append(_numbers(line, f"{path}, line {number}"))
        if len(rows[-1]) != len(rows[0]):
            raise ValueError(
                f"{path}, line {number}: every row must have as many numbers as the first, "
                f"{len(rows[0])}, got {len(rows[-1])}"
            )
    if not rows:
        raise ValueError(f"{path} holds no numbers")
    return np.array(rows)


def _numbers(line: str, where: str) -> list[float]:
    cells = line.split(",") if "," in line else line.split()
    row = []
    for cell in cells:
        try:
            row.append(_number(cell))
        except ValueError:
            raise ValueError(f"{where}: {cell.strip()!r} is not a number") from None
    return row


def _number(cell: str) -> float:
    """Return the number that a cell is, as other programs read it.

    Python's own syntax has more: underscores between digits, and the digits of other scripts.
    """
    if "_" in cell or not cell.isascii():
        raise ValueError
    return float(cell)


def prepare(directory: Path) -> None:
    """Make sure that a directory can be created, if it is missing, and that it takes files.

    Raises
    ------
    ValueError
        If not.
    """
    try:
        missing = not directory.exists()
        directory.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=directory).close()
        if missing:  # the run may fail or be interrupted, and then nothing should be left
            directory.rmdir()
    except OSError as error:
        raise ValueError(f"cannot write to {directory}: {error.strerror}") from error


def check_parent(option: str, path: Path | None) -> None:
    """Raise ValueError if a file is to be written where there is no directory."""
    if path is not None and not path.resolve().parent.is_dir():
        raise ValueError(f"{option} must be in an existing directory, got {path}")


@contextlib.contextmanager
def replacing(directory: Path) -> Iterator[Path]:
    """Give a temporary directory whose files move to `directory` once all of them are written.

    If the block does not end, by an error or by Ctrl-C, nothing is moved and nothing is left.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=directory, prefix=".dlnlab-") as temporary:
        yield Path(temporary)
        for path in sorted(Path(temporary).iterdir()):
            os.replace(path, directory / path.name)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write strict JSON (no NaN), indented, in UTF-8."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")


def write_text(path: Path, text: str) -> None:
    """Write or replace one file, whole or not at all, and say so."""
    with replacing(path.resolve().parent) as directory:
        (directory / path.name).write_text(text, encoding="utf-8")
    print(f"Wrote {path}")
