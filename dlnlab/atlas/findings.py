"""What the atlas says as a whole: by region, where descent departs from the flow, and how fast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from dlnlab.atlas.cells import Cell, cells

__all__ = [
    "FEWEST",
    "LARGEST_FITTED",
    "REGIONS",
    "Exponent",
    "Place",
    "Region",
    "contradictions",
    "exponents",
    "first_failures",
    "notes",
    "regions",
]


def contradictions(found: Iterable[Cell]) -> list[Cell]:
    """Return the cells that contradict the refined theorem in its sharp form.

    Parameters
    ----------
    found : iterable of Cell

    Returns
    -------
    list of Cell
    """
    return [cell for cell in found if cell.covered and cell.over is not None and cell.over > 0]


class Region(NamedTuple):
    """All cells on which theory says the same.

    Attributes
    ----------
    name : str
    starts, violating : int
        Starts judged, once for each r̂, and those that violate the inequality beyond the error.
    worst, of_refined, of_sharp : float or None
        The largest over the cells; None where nothing is violated, and the shares of the bounds
        where these do not speak.
    """

    name: str
    starts: int
    violating: int
    worst: float | None
    of_refined: float | None
    of_sharp: float | None


REGIONS: dict[str, Callable[[Cell], bool]] = {
    "flow, ε^L ≤ σ_r*, r̂ ≤ max(r, d − r)": lambda c: c.covered and c.allowed <= 0,
    "flow, ε^L ≤ σ_r*, r̂ > max(r, d − r)": lambda c: c.covered and c.allowed > 0,
    "flow, ε^L > σ_r*, r̂ ≤ max(r, d − r), d > r": lambda c: (
        c.step is None and c.ratio > 1 and c.allowed <= 0 and c.d > c.rank
    ),
    "flow, ε^L > σ_r*, r̂ > max(r, d − r)": lambda c: (
        c.step is None and c.ratio > 1 and c.allowed > 0
    ),
    "flow, ε^L > σ_r*, r̂ = r = d": lambda c: c.step is None and c.ratio > 1 and c.d == c.rank,
    "descent, η ≤ η_max/2, r̂ ≤ max(r, d − r)": lambda c: (
        c.step is not None and c.step <= 0.5 and c.allowed <= 0
    ),
    "descent, η ≤ η_max/2, r̂ > max(r, d − r)": lambda c: (
        c.step is not None and c.step <= 0.5 and c.allowed > 0
    ),
    "descent, η > η_max/2, r̂ = r": lambda c: (
        c.step is not None and c.step > 0.5 and c.r_hat == c.rank
    ),
    "descent, η > η_max/2, r̂ > r": lambda c: (
        c.step is not None and c.step > 0.5 and c.r_hat > c.rank
    ),
}
"""They are disjoint and cover the atlas; the descents of the atlas have ε^L ≤ σ_r*."""


def regions(found: Sequence[Cell]) -> list[Region]:
    """Summarize the cells of each region.

    Parameters
    ----------
    found : iterable of Cell

    Returns
    -------
    list of Region
    """
    return [
        _region(name, [cell for cell in found if inside(cell)]) for name, inside in REGIONS.items()
    ]


def _region(name: str, group: Sequence[Cell]) -> Region:
    bad = [cell for cell in group if cell.violated]
    spoken = [cell for cell in bad if cell.covered]
    largest = (
        max((value for cell in some if (value := getattr(cell, key)) is not None), default=None)
        for key, some in (("worst", bad), ("of_refined", spoken), ("of_sharp", spoken))
    )
    violating = sum(round((cell.share or 0) * cell.judged) for cell in group)
    return Region(name, sum(cell.judged for cell in group), violating, *largest)


class Place(NamedTuple):
    """An instance at which gradient descent is tried: d, r, L, ε^L/σ_r* and r̂.

    Parameters
    ----------
    d : int
    rank : int
        r.
    depth : int
        L.
    ratio : float
        ε^L/σ_r*.
    r_hat : int
        r̂.
    """

    d: int
    rank: int
    depth: int
    ratio: float
    r_hat: int


def first_failures(found: Iterable[Cell]) -> dict[Place, tuple[float, float]]:
    """Return where gradient descent breaks the inequality although the flow cannot.

    Parameters
    ----------
    found : iterable of Cell

    Returns
    -------
    dict
        For each place with r̂ ≤ max(r, d − r) and a violation, the largest step size below all
        violations and the smallest with one, in units of the stability limit.
    """
    groups: dict[Place, list[Cell]] = {}
    for cell in found:
        if cell.step is not None and cell.judged and cell.allowed <= 0:
            place = Place(cell.d, cell.rank, cell.depth, cell.ratio, cell.r_hat)
            groups.setdefault(place, []).append(cell)
    out = {}
    for where, group in groups.items():
        bad = min((c.step for c in group if c.violated and c.step), default=None)
        if bad is not None:
            out[where] = (max((c.step for c in group if c.step and c.step < bad), default=0.0), bad)
    return out


class Exponent(NamedTuple):
    """The power p of η in a dominance excess ∝ η^p.

    Attributes
    ----------
    depth, ratio
    value, low, high : float
        Median over the starts of the slope of log excess against log η, with a 95 % interval
        (bootstrap over starts).
    starts : int
        Starts that are ahead beyond the error at three step sizes or more.
    """

    depth: int
    ratio: float
    value: float
    low: float
    high: float
    starts: int


LARGEST_FITTED = 0.25
"""Steps up to this share of the stability limit enter a fit; at half of it overshooting begins."""

FEWEST = 5
"""Starts below which no interval is given."""


def exponents(
    configurations: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]]
) -> list[Exponent]:
    """Fit the power of η by which dominance is broken, for each depth and ratio.

    Parameters
    ----------
    configurations : sequence of mappings
    results : sequence of mappings
        As `measure` returns them.

    Returns
    -------
    list of Exponent
    """
    groups: dict[tuple[int, float], dict[float, tuple[np.ndarray, np.ndarray]]] = {}
    for c, result in zip(configurations, results, strict=True):
        if c["part"] == "descent" and c["step"] <= LARGEST_FITTED:
            where = (c["depth"], c["ratio"])
            groups.setdefault(where, {})[c["step"]] = _by_start(result)
    fits = (_exponent(*where, group) for where, group in groups.items())
    return [fit for fit in fits if fit is not None]


def _by_start(result: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """The excess and its error with an entry for every start, NaN for those not judged."""
    converged = np.array(result["converged"])
    ahead, error = np.full(converged.size, np.nan), np.full(converged.size, np.nan)
    ahead[converged], error[converged] = result["ahead"], result["ahead_error"]
    return ahead, error


def _exponent(
    depth: int, ratio: float, group: Mapping[float, tuple[np.ndarray, np.ndarray]]
) -> Exponent | None:
    steps = sorted(group)
    ahead, error = (np.array(part) for part in zip(*(group[step] for step in steps), strict=True))
    seen = ahead > 10 * error  # an error of a tenth shifts no slope by much; NaN is not seen
    slopes = np.array(
        [
            np.polyfit(np.log(np.array(steps)[use]), np.log(values[use]), 1)[0]
            for values, use in zip(ahead.T, seen.T, strict=True)
            if use.sum() >= 3
        ]
    )
    if slopes.size < FEWEST:
        return None
    rng = np.random.default_rng(0)
    interval = stats.bootstrap((slopes,), np.median, rng=rng, method="percentile")
    low, high = interval.confidence_interval
    return Exponent(depth, ratio, float(np.median(slopes)), float(low), float(high), slopes.size)


def notes(
    configurations: Sequence[Mapping[str, Any]], results: Sequence[Mapping[str, Any]]
) -> list[str]:
    """Return in sentences what the table of the regions does not show.

    Parameters
    ----------
    configurations : sequence of mappings
    results : sequence of mappings
        As `measure` returns them.

    Returns
    -------
    list of str
    """
    found = cells(configurations, results)
    against = contradictions(found)
    total = sum(cell.judged for cell in found if cell.covered)
    told = [
        f"The refined theorem in its sharp form was tested on {total:,} starts and values of r̂ "
        f"that meet its premises; {len(against)} cells contradict it."
    ]
    flows = [cell for cell in found if cell.step is None]
    early = sum(cell.violated and not cell.late for cell in flows)
    late = sum(cell.violated for cell in flows) - early
    told.append(
        f"Under gradient flow the worst violation of a cell comes after the wide network has "
        f"fitted the target in {late} cells and before in {early}."
    )
    told += _departures(found)
    for fit in exponents(configurations, results):
        told.append(
            f"Dominance under gradient descent, L = {fit.depth}, ε^L/σ_r* = {fit.ratio:g}: broken "
            f"by O(η^p), p = {fit.value:.2f} ({fit.low:.2f} to {fit.high:.2f}, 95 %, {fit.starts} "
            "starts)."
        )
    return told


def _departures(found: Sequence[Cell]) -> list[str]:
    """Where descent breaks the inequality although the flow cannot, one sentence for each L."""
    groups: dict[tuple[int, int, int], list[str]] = {}
    for place, (safe, bad) in first_failures(found).items():
        between = f"({safe:g}, {bad:g}] for ε^L/σ_r* = {place.ratio:g}, r̂ = {place.r_hat}"
        groups.setdefault((place.d, place.rank, place.depth), []).append(between)
    return [
        f"Gradient descent, d = {d}, r = {rank}, L = {depth}: fails from a step between these "
        f"shares of η_max on, although the flow cannot: {'; '.join(steps)}."
        for (d, rank, depth), steps in groups.items()
    ]
