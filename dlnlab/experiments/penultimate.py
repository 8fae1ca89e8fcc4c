"""What happens to the penultimate matrix in training: the spectrum of its change, its subspace."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlnlab.claims.low_rank_updates import energy_share, excess, null_share
from dlnlab.numerics import spectra

__all__ = ["follow"]

SUBSPACE = 10
"""r of Eq. (14) in Section A.4."""

KEPT = 20
"""Singular values of the change that are drawn."""


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
    shape, r = matrices.shape[-2:], SUBSPACE
    frames = [_frames(matrix) for matrix in matrices[0 if defined else 1 :]]
    steps = [_distance(*pair) for pair in itertools.pairwise(frames)]
    pad = [math.nan] * (len(matrices) - len(steps))
    random = r - r**2 / min(shape)
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
        "turned": _distance(frames[0], frames[-1]) / random,
    }


def _frames(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    U, _, Vh = np.linalg.svd(matrix)
    return U[:, :SUBSPACE], Vh.T[:, :SUBSPACE]


def _distance(before: Sequence[np.ndarray], after: Sequence[np.ndarray]) -> float:
    """The larger one of both sides."""
    return max(float(spectra.subspace_distance(A, B)) for A, B in zip(before, after, strict=True))
