"""Low-rank updates (Figure 1): training changes the penultimate matrix in few directions.

With D = W(t) − W(0) the change of the penultimate matrix and σ_1 ≥ σ_2 ≥ … its singular values, the
share of its energy in the top k directions is Σ_{i≤k} σ_i²/Σ_i σ_i².  A matrix of independent
entries of the same shape has such a share too, by the law of Marchenko and Pastur; only what goes
beyond that is structure.  A gradient is a product of two matrices of as many columns as there are
samples, so nothing but the data and the classes keeps its rank low.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlnlab.claims.claim import CONJECTURE, Claim
from dlnlab.claims.verdict import Premise

__all__ = ["CLAIM", "SOURCE", "STATEMENT", "energy_share", "excess", "null_share"]

HALF = 0.5
"""Of the energy that a structureless matrix would have outside the top directions."""

STATEMENT = (
    "A classifier of d_y classes that has learnt its samples by gradient descent on all of them, or "
    "in small steps on batches, has changed its penultimate matrix by one that holds, in its top "
    "2 d_y singular directions, at least half of the energy that a matrix of independent entries "
    "would have outside of them."
)
SOURCE = "Figure 1; null and threshold are ours"
CLAIM = Claim("low_rank_updates", "Low-rank updates", STATEMENT, SOURCE, (CONJECTURE,))

POINTS = 2**14
"""Of the quadrature; its error is below 1e-6, since the integrand is smooth in the angle."""


def energy_share(change: Any, count: int) -> float:
    """Return Σ_{i≤count} σ_i² / Σ_i σ_i² of a matrix, NaN if it is zero.

    Parameters
    ----------
    change : array, shape (d_out, d_in)
    count : int
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
    """
    n, m = min(shape), max(shape)
    y = n / m
    theta = (np.arange(POINTS) + 0.5) * (math.pi / POINTS)
    x = 1 + y + 2 * math.sqrt(y) * np.cos(theta)
    energy = np.sin(theta) ** 2 * (2 / POINTS)
    above = np.cumsum(energy / x)
    return float(np.interp(count / n, above / above[-1], np.cumsum(energy)))


def excess(share: float, null: float) -> float:
    """Return (share − null)/(1 − null): 0 of a structureless change, 1 of one of low rank."""
    return (share - null) / (1 - null)


def margins(share: float, null: float) -> float:
    """Return `excess` − 1/2."""
    return excess(share, null) - HALF


def few_directions(shape: tuple[int, int], classes: int) -> Premise:
    """Measure the premise that 2 d_y directions are less than half of all."""
    room = min(shape) / (4 * classes) - 1
    return Premise("few directions", "4 d_y ≤ min(d_out, d_in)", room)


def learnt(accuracy: float) -> Premise:
    """Measure the premise that nine tenths of the samples are classified rightly."""
    return Premise("learnt", "training accuracy ≥ 0.9", accuracy - 0.9)
