"""A comparison does not keep the states of its runs, and its numbers are those of one that does."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

import dlnlab
from dlnlab.flow import grid, records


def compare(rank=2, d=30, **options):
    M = dlnlab.random_target((d, d), rank, rng=0)
    return dlnlab.flow.compare(M, rank + 1, rng=1, **({"eps": 0.1} | options))


def state_bytes(c):
    return sum(W.nbytes for W in c.original.weights)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"depth": 4, "eps": 0.3},
        {"method": "RK45", "rtol": 1e-8},
        {"method": "stiff", "rtol": 1e-8},
        {"max_steps": 60},
        {"num_records": 10},
    ],
    ids=lambda options: "-".join(map(str, options.values())) or "default",
)
def test_states_found_again_are_those_forgotten_to_the_bit(options, monkeypatch):
    if options.get("method") == "stiff":
        pytest.importorskip("sksundae")
    whole = compare(**options)
    before = whole.to_dict()
    for states in (0, 7, 80):
        assert whole._flow.run.times.size > states + 20  # so many are forgotten
        monkeypatch.setattr(grid, "ROOM", states * state_bytes(whole))
        c = compare(**options)
        after = c.to_dict()
        changed = {n for n in before if not np.array_equal(before[n], after[n], equal_nan=True)}
        assert changed == set()
        assert (c._flow.error == whole._flow.error).all()
        assert (c._flow.records.blocks == whole._flow.records.blocks).all()
        assert _verdicts(c) == _verdicts(whole)
        assert c.original.drift == whole.original.drift


def _verdicts(c):
    return {name: verdict.to_dict() for name, verdict in c.verdicts.items()}


def test_a_run_that_is_over_at_its_start_has_nothing_to_find_again(monkeypatch):
    monkeypatch.setattr(grid, "ROOM", 0)
    M = np.diag([1.0, 0.5])
    eps = 0.5 ** (1 / 2)
    weights = (eps * np.eye(2), eps * np.diag([2.0, 1.0]))  # W(0) = M
    c = dlnlab.flow.compare(M, 2, depth=2, eps=eps, weights=weights)
    assert c.original.errors.max() < 1e-15
    short = compare(t_end=1e-9)
    assert short.times.tolist() == [0.0, 1e-9]


def peak(room, monkeypatch):
    """Compare under a given room; return the peak of the memory traced, and what must suffice."""
    monkeypatch.setattr(grid, "ROOM", room)
    M = dlnlab.random_target((32, 32), 8, rng=0)
    tracemalloc.start()
    try:
        c = dlnlab.flow.compare(M, 16, eps=0.1, rng=0)
        found = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    state, matrix = state_bytes(c), c._flow.records.blocks[0].nbytes
    enough = (
        room
        + matrix * c.times.size
        + 50 * state  # DOP853: 16 stages, 7 coefficients of its interpolant, and what a step forms
        + 8 * records.STACK  # a stack and its parts, and what measuring them forms
        + 800 * c._flow.run.times.size  # times, steps and ways, in Python objects
        + 30 * M.nbytes  # the layers of the wide network, their bases, and how these are found
    )
    return found, enough


def test_memory_does_not_grow_with_the_number_of_records(monkeypatch):
    monkeypatch.setattr(records, "STACK", 2**16)
    found, enough = peak(2**18, monkeypatch)
    assert found < enough
    # and the bound notices the states of all records
    found, _ = peak(2**40, monkeypatch)
    assert found > 2 * enough


def test_a_survey_keeps_the_latest_states_and_notes_the_way(monkeypatch):
    weights = [(np.full((2, 2), float(k)), np.eye(2)) for k in range(5)]
    monkeypatch.setattr(grid, "ROOM", 2 * 64)  # of two states of 64 bytes
    survey = grid.Survey()
    for k, state in enumerate(weights):
        survey(float(k), state, state[1] @ state[0])
    assert survey.way == [2.0] * 4  # ‖ones(2, 2)‖
    assert survey.forgotten == 3
    assert [survey.state(k)[0][0, 0] for k in (3, 4)] == [3.0, 4.0]


def test_stacks_hand_on_everything_in_order(monkeypatch):
    monkeypatch.setattr(records, "STACK", 3 * 24)
    seen = []
    stacks = records.Stacks(lambda a, b: seen.append((a[:, 0].tolist(), b.tolist())))
    stacks.flush()
    assert seen == []
    for k in range(4):
        stacks.add(np.array([k, 0.0]), np.array(10.0 * k))
    stacks.flush()
    assert seen == [([0, 1, 2], [0, 10, 20]), ([3], [30])]
