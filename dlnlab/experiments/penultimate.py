"""What happens to the penultimate matrix in training: the spectrum of its change, its subspace.

With D = W(t) − W(0) and σ_1 ≥ σ_2 ≥ … its singular values, the share of its energy in the top k
directions is Σ_{i≤k} σ_i²/Σ_i σ_i².  A matrix of independent entries of the same shape has such a
share too, by the law of Marchenko and Pastur; only what goes beyond that is structure.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlnlab.claims.invariant_subspace import random_distance
from dlnlab.numerics import spectra

__all__ = ["KEPT", "POINTS", "SUBSPACE", "energy_share", "excess", "follow", "null_share", "turns"]

SUBSPACE = 10
"""r of Eq. (14) in Section A.4."""

KEPT = 20
"""Singular values of the change that are drawn."""


POINTS = 2**14
"""Of the quadrature; its error is below 1e-6, since the integrand is smooth in the angle."""


def energy_share(change: Any, count: int) -> float:
    """Return Σ_{i≤count} σ_i² / Σ_i σ_i² of a matrix, NaN if it is zero.

    Parameters
    ----------
    change : array, shape (d_out, d_in)
    count : int

    Returns
    -------
    float
    """
    s = np.linalg.svd(np.asarray(change, dtype=float), compute_uv=False) ** 2
    total = float(np.sum(s))
    return float(np.sum(s[:count])) / total if total else math.nan


def null_share(shape: tuple[int, int], count: int) -> float:
    """Return the share of the top `count` directions if the entries are independent.

    For n × m entries of variance 1/m, n ≤ m, the squared singular values follow the law of
    Marchenko and Pastur with y = n/m: density √((b − x)(x − a))/(2πyx) between a, b = (1 ∓ √y)²,
    and mean 1.  With x = 1 + y + 2√y cos θ the share of those above the quantile of count/n is

        (2/π) ∫_0^φ sin²θ dθ,   where   count/n = (2/π) ∫_0^φ sin²θ/x dθ.

    Parameters
    ----------
    shape : (int, int)
    count : int
        At most n.

    Returns
    -------
    float
    """
    n, m = min(shape), max(shape)
    y = n / m
    theta = (np.arange(POINTS) + 0.5) * (math.pi / POINTS)
    x = 1 + y + 2 * math.sqrt(y) * np.cos(theta)
    energy = np.sin(theta) ** 2 * (2 / POINTS)
    above = np.cumsum(energy / x)
    return float(np.interp(count / n, above / above[-1], np.cumsum(energy)))


def excess(share: float, null: float) -> float:
    """Return (share − null)/(1 − null): 0 of a structureless change, 1 of one of low rank.

    Parameters
    ----------
    share : float
    null : float

    Returns
    -------
    float
    """
    return (share - null) / (1 - null)


def follow(
    matrices: np.ndarray, classes: int, *, defined: bool
) -> tuple[dict[str, Any], dict[str, float]]:
    """Return what happens to a matrix: the spectrum of its change, and its leading subspace.

    Parameters
    ----------
    matrices : array, shape (records, d_out, d_in)
    classes : int
        d_y.
    defined : bool
        Whether leading singular vectors are defined at the start, as they are not of an orthogonal
        matrix.

    Returns
    -------
    series : dict
        "update", shape (records, 20), and "distance", shape (records,), the larger one of both
        sides; NaN where there is none.
    values : dict
        "share" of the energy of the whole change in 2 d_y directions, "null share" of a
        structureless one, "excess" over it; "distance", the largest from record to record,
        "distance over random", relative to that of random subspaces, r − r²/d; and "turned", that
        of the first and last subspace, relative to it too.
    """
    change = matrices - matrices[:1]
    shape, random = matrices.shape[-2:], random_distance(SUBSPACE, min(matrices.shape[-2:]))
    steps, turned = turns(matrices[0 if defined else 1 :], SUBSPACE)
    pad = [math.nan] * (len(matrices) - len(steps))
    share, null = energy_share(change[-1], 2 * classes), null_share(shape, 2 * classes)
    series = {
        "update": np.linalg.svd(change, compute_uv=False)[:, :KEPT],
        "distance": np.array([*pad, *steps]),
    }
    return series, {
        "share": share,
        "null share": null,
        "excess": excess(share, null),
        "distance": max(steps),
        "distance over random": max(steps) / random,
        "turned": turned / random,
    }


def turns(matrices: np.ndarray, r: int) -> tuple[list[float], float]:
    """Return how far leading singular subspaces of dimension r are from each other (Eq. 14).

    Parameters
    ----------
    matrices : array, shape (records, d_out, d_in)
        Two records at least.
    r : int

    Returns
    -------
    list of float
        From record to record, the larger one of both sides.
    float
        From the first to the last.
    """
    frames = [_frames(matrix, r) for matrix in matrices]
    return [_distance(*pair) for pair in itertools.pairwise(frames)], _distance(
        frames[0], frames[-1]
    )


def _frames(matrix: np.ndarray, r: int) -> tuple[np.ndarray, np.ndarray]:
    U, _, Vh = np.linalg.svd(matrix)
    return U[:, :r], Vh.T[:, :r]


def _distance(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> float:
    """The larger one of both sides."""
    return max(float(spectra.subspace_distance(A, B)) for A, B in zip(before, after, strict=True))
