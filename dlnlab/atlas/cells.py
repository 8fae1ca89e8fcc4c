"""The atlas cell by cell: how often the inequality fails there, how badly, and near which bound."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from dlnlab.claims.theorem2 import allowance

__all__ = ["Cell", "cells", "read", "write"]


@dataclass(frozen=True)
class Cell:
    """The starts of one kind at one point of the atlas; what is relative is so to ‖M*‖².

    Attributes
    ----------
    part, depth, ratio, d, rank, r_hat, starts, step
        Where: as in the configuration; `rank` is r, `step` is empty for the flow.
    count, judged : int
        Starts, and those of them that were judged.
    unit : float
        ε^{2L}.
    share : float
        Share of those judged that violate the inequality beyond the error.  This and what
        follows is None where no start is judged.
    worst, median : float
        Violation; negative where the inequality held.
    error, time, late
        Of the worst one: numerical error, time, whether the wide network had fitted M* by then.
    of_refined, of_sharp : float or None
        Of the worst one: share of (r̂ − r)β^{2L}, and of the allowance times β^{2L}; None where that
        is not positive or nothing is violated.
    over : float
        Largest violation beyond the allowance and the error; positive contradicts the theorem where
        ε^L ≤ σ_r* and the networks follow the flow.
    ahead, ahead_share : float
        How far the wide network is ahead at most, over σ_1*, and how many starts are by more than
        the error.
    """

    part: str
    depth: int
    ratio: float
    d: int
    rank: int
    r_hat: int
    starts: str
    step: float | None
    count: int
    judged: int
    unit: float
    share: float | None = None
    worst: float | None = None
    median: float | None = None
    error: float | None = None
    time: float | None = None
    late: bool | None = None
    of_refined: float | None = None
    of_sharp: float | None = None
    over: float | None = None
    ahead: float | None = None
    ahead_share: float | None = None

    @property
    def violated(self) -> bool:
        """Whether any start violates the inequality by more than its error."""
        return bool(self.share)

    @property
    def allowed(self) -> int:
        """r̂ − max(r, d − r), the number of β^{2L} that the sharp bound allows if positive."""
        return allowance(self.r_hat, self.rank, self.d)

    @property
    def covered(self) -> bool:
        """Whether the refined theorem covers this cell: gradient flow and ε^L ≤ σ_r*."""
        return self.step is None and self.ratio <= 1


def cells(
    configurations: Sequence[Mapping[str, Any]], results: Iterable[Mapping[str, Any]]
) -> list[Cell]:
    """Summarize what `measure` returned, one cell for each configuration and r̂.

    Parameters
    ----------
    configurations : sequence of mappings
    results : sequence of mappings
        As `measure` returns them.

    Returns
    -------
    list of Cell
    """
    return [
        _cell(configuration, result, judged)
        for configuration, result in zip(configurations, results, strict=True)
        for judged in result["judged"]
    ]


def _cell(c: Mapping[str, Any], result: Mapping[str, Any], judged: Mapping[str, Any]) -> Cell:
    rank, r_hat = len(c["spectrum"]), judged["r_hat"]
    where = (c["part"], c["depth"], c["ratio"], c["d"], rank, r_hat, c["starts"], c["step"])
    violation, error = np.array(judged["violation"]), np.array(judged["error"])
    counts = (c["count"], violation.size)
    if not violation.size:
        return Cell(*where, *counts, result["unit"])
    k = int(np.argmax(violation - error))
    bad = violation > error
    residual = judged["residual"][k]
    ahead = np.array(result["ahead"])
    return Cell(
        *where,
        *counts,
        result["unit"],
        share=float(np.mean(bad)),
        worst=float(violation[k]),
        median=float(np.median(violation)),
        error=float(error[k]),
        time=judged["time"][k],
        late=judged["late"][k],
        of_refined=_of(violation[k], (r_hat - rank) * residual, bad[k]),
        of_sharp=_of(violation[k], allowance(r_hat, rank, c["d"]) * residual, bad[k]),
        over=max(judged["over"]),
        ahead=float(np.max(ahead)),
        ahead_share=float(np.mean(ahead > np.array(result["ahead_error"]))),
    )


def _of(violation: float, bound: float, bad: bool) -> float | None:
    return float(violation / bound) if bad and bound > 0 else None


def write(found: Iterable[Cell], path: Path) -> None:
    """Write the cells as CSV, every number with all its digits; None is an empty field.

    Parameters
    ----------
    found : iterable of Cell
    path : path
    """
    with open(path, "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([field.name for field in fields(Cell)])
        table.writerows(astuple(cell) for cell in found)


def read(path: Path) -> list[Cell]:
    """Read the cells of a file that `write` has written.

    Parameters
    ----------
    path : path

    Returns
    -------
    list of Cell

    Raises
    ------
    ValueError
        If the columns are not those of a cell.
    """
    with open(path, newline="", encoding="utf-8") as file:
        table = csv.reader(file)
        names, wanted = next(table, []), [field.name for field in fields(Cell)]
        if names != wanted:
            raise ValueError(f"{path}: the columns must be {', '.join(wanted)}")
        return [_parsed(row) for row in table]


def _parsed(row: Sequence[str]) -> Cell:
    values: list[Any] = []
    for field, text in zip(fields(Cell), row, strict=True):
        kind = str(field.type).removesuffix(" | None")
        if text == "":
            values.append(None)
        elif kind == "bool":
            values.append(text == "True")
        else:
            values.append({"str": str, "int": int, "float": float}[kind](text))
    return Cell(*values)
