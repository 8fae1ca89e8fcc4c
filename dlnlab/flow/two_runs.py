"""The numerical error of a run, bounded by how far a second one, of less accuracy, is from it.

On starts whose flow is known in closed form the error was at most 1.5 times the distance between a
run and one with tolerances a hundred times larger; four times the distance is allowed.  Two runs
may cross by chance, so that their distance at one record says little: the largest one nearby
counts, or the largest one so far.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import ndimage

__all__ = ["LOOSER", "NEAR", "SAFETY", "bound_nearby", "bound_so_far"]

LOOSER = 100.0
"""Factor between the tolerances of the two runs."""

SAFETY = 4.0
"""Factor on their distance."""

NEAR = 5
"""Records around each one over which the largest distance counts."""


def bound_nearby(distance: Any) -> np.ndarray:
    """Return a bound on the error at every record, from the distances at records around it.

    Parameters
    ----------
    distance : array, shape (records, ...)
        Between the two runs.

    Returns
    -------
    array, shape (records, ...)
        Four times the largest of five distances.
    """
    return SAFETY * ndimage.maximum_filter1d(distance, size=NEAR, axis=0)


def bound_so_far(distance: Any) -> np.ndarray:
    """Return a bound on the error at every record, from the distances up to it.

    Parameters
    ----------
    distance : array, shape (records, ...)
        Between the two runs.

    Returns
    -------
    array, shape (records, ...)
        Four times the largest distance so far; it never decreases.
    """
    return SAFETY * np.maximum.accumulate(distance, axis=0)
