"""How many numbers a problem works with, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

import dlnlab
from dlnlab.numerics import checks


@pytest.mark.parametrize("normalization", ["sum", "mean"])
def test_measured_problems_work_with_two_copies_of_the_measurements(normalization):
    """Five members of 11 measurements of a 3 × 4 matrix; the mean divides what the sum added."""
    matrices = dlnlab.gaussian_ensemble(11, (3, 4), rng=0)
    problem = dlnlab.sensing(matrices, np.ones(11), normalization)
    found = problem.workspace(5)
    images = {"sum": 1, "mean": 2}[normalization] * 5 * 3 * 4
    assert found.loss == 2 * 5 * 11
    assert found.gradient == max(2 * 5 * 11, 5 * 11 + images)


def test_a_mask_that_is_drawn_exactly_needs_an_index_of_its_entries(monkeypatch):
    """Nine bytes for every entry, and eight more for those chosen; and what the allocator takes."""
    size, fraction = 300 * 200, 0.5
    for exact, arrays in ((False, 9 * size), (True, int((9 + 8 * fraction) * size))):
        needed = checks.resident(arrays)
        for free, fits in ((needed, True), (needed - 1, False)):
            monkeypatch.setattr(
                "dlnlab.numerics.arrays.available_bytes", lambda reference=None, free=free: free
            )
            if fits:
                dlnlab.random_mask((300, 200), fraction, rng=0, exact=exact)
                continue
            with pytest.raises(ValueError, match="bytes are available"):
                dlnlab.random_mask((300, 200), fraction, rng=0, exact=exact)
