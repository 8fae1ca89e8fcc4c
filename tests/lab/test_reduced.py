"""Reduced flows that an attack on dominance follows many of: their starts and their records."""

from __future__ import annotations

import numpy as np
import pytest

from dlnlab.lab import blocks, descents, reduced


@pytest.mark.parametrize(("d", "rank"), [(2, 2), (3, 3), (4, 2)])
def test_starts_of_full_rank_can_fit_the_target(d, rank):
    """The flow keeps the sign of the determinant; a target with a kernel has two signs."""
    rng = np.random.default_rng(0)
    drawn = [blocks._haar(d, rank, rng) for _ in range(40)]
    for Q in drawn:
        np.testing.assert_allclose(Q.T @ Q, np.eye(d), atol=1e-13)
    signs = {float(np.sign(np.linalg.det(Q))) for Q in drawn}
    assert signs == ({1.0} if rank == d else {-1.0, 1.0})


def test_records_lie_where_the_compressed_network_rises():
    drawn = blocks.draw("haar", 3, 6, (1.0, 0.3), 3, 1e-3, 0)
    rises = drawn.law().rises(1e9)
    times = reduced.flow(drawn).times
    assert rises is not None
    assert rises.size > 10
    seen = rises[rises < times[-1]]
    assert seen.size > 10
    assert np.isin(seen, times).all()


def test_the_scale_of_a_start_is_told_by_the_smallest_target(monkeypatch):
    """ε^L = ratio·σ_r*, here 0.1 · 0.5 for L = 2; descent itself is not looked at."""
    drawn = []
    monkeypatch.setattr(descents.reduced, "descend", lambda blocks, eta, seed: drawn.append(blocks))
    descents.follow(descents.Batch("haar", 3, 2, (1.0, 0.5), 0.1, 0.5, 2, 0))
    assert drawn[0].eps == pytest.approx(0.05**0.5)
