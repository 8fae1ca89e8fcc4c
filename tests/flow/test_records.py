"""A comparison does not keep the states of its runs, and its numbers are those of one that does."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import dlnlab
from dlnlab.flow import grid


def compare(rank=2, d=30, **options):
    M = dlnlab.random_target((d, d), rank, rng=0)
    return dlnlab.flow.compare(M, rank + 1, rng=1, **({"eps": 0.1} | options))


def state_bytes(c):
    return sum(W.nbytes for W in c.original.weights)


def test_a_run_that_is_over_at_its_start():
    M = np.diag([1.0, 0.5])
    eps = 0.5 ** (1 / 2)
    weights = (eps * np.eye(2), eps * np.diag([2.0, 1.0]))  # W(0) = M
    c = dlnlab.flow.compare(M, 2, depth=2, eps=eps, weights=weights)
    assert c.original.errors.max() < 1e-15
    short = compare(t_end=1e-9)
    assert short.times.tolist() == [0.0, 1e-9]


def peak(most, monkeypatch):
    """Compare with few or many candidates; return the peak of the memory traced."""
    monkeypatch.setattr(grid, "SPARE", most)
    M = dlnlab.random_target((32, 32), 8, rng=0)
    dlnlab.flow.compare(M, 16, eps=0.1, rng=0, num_records=10)  # modules are loaded on the way
    tracemalloc.start()
    try:
        c = dlnlab.flow.compare(M, 16, eps=0.1, rng=0, num_records=10)
        found = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    state = state_bytes(c)
    enough = (
        most * 10 * state  # the candidates
        + 80 * state  # two runs of DOP853: 16 stages, 7 coefficients of the interpolant, a step
        + 10 * 10 * state  # the records, and what measuring them forms
        + 30 * M.nbytes  # the layers of the wide network, their bases, and how these are found
    )
    return found, enough


def test_memory_does_not_grow_with_the_number_of_records(monkeypatch):
    found, enough = peak(8, monkeypatch)
    assert found < enough
    # and the bound notices the states of all records
    found, _ = peak(10**6, monkeypatch)
    assert found > enough


def test_few_candidates_make_as_good_a_grid(monkeypatch):
    whole = compare()
    monkeypatch.setattr(grid, "SPARE", 2)
    few = compare()
    for c in (whole, few):
        jumps = np.abs(np.diff(c.original.singular_values[:, :2], axis=0)).max(axis=0)
        assert (jumps < 0.1 * c.targets).all()
    assert few.times[-1] == whole.times[-1]
    assert few.fitting_times.original == pytest.approx(whole.fitting_times.original, rel=2e-3)
    statuses = [{name: v.status for name, v in c.verdicts.items()} for c in (whole, few)]
    assert statuses[0] == statuses[1]
