"""How a run paces itself, which layouts it takes in place, and what is foreseen of it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import dlnlab
from dlnlab.training import loop, memory
from dlnlab.training.kernels import choice, stateful


def test_stretches_grow_while_they_are_short_and_shrink_when_they_are_long():
    long, short, between = 2 * loop.STRETCH, loop.STRETCH / 3, 0.8 * loop.STRETCH
    assert loop._paced(8, 8, long) == 4
    assert loop._paced(8, 1, long) == 1
    assert loop._paced(8, 8, short) == 16
    assert loop._paced(8, 3, short) == 8  # a record ended it
    assert loop._paced(8, 8, between) == 8


def test_what_is_foreseen_is_a_value():
    with pytest.raises(dataclasses.FrozenInstanceError):
        memory.Footprint(1, 1, 1).work = 2


@pytest.mark.parametrize("place", [(0, 3), (1, 3), (3, 0), (3, 2)])
def test_one_entry_beside_the_corner_is_seen(place):
    """diag(B, ρ): the last row and the last column are zero but for the corner."""
    A = np.diag([3.0, 2.0, 1.0, 5.0])
    A[0, 1] = 7.0
    assert choice._border_is_zero(A)
    A[place] = 1e-300
    assert not choice._border_is_zero(A)


@pytest.mark.parametrize("size", [stateful.BLOCK + 7, stateful.WORTH_SHARING + 7])
def test_every_entry_of_a_large_layer_is_moved_once(size):
    """Large layers move in blocks, and larger ones in several threads: V ← βV + G, W ← W − ηV."""
    rng = np.random.default_rng(0)
    W, G = rng.standard_normal((2, 1, size))
    momentum = dlnlab.methods.Momentum(0.5)
    slots = stateful.zeros(momentum, (W,))
    steps = stateful.Stateful(
        lambda weights, step: [G.copy()], (W,), [0.1], None, momentum, slots, 0
    )
    steps.advance(2)
    np.testing.assert_allclose(steps.weights()[0], W - 0.1 * (G + 1.5 * G), rtol=1e-14, atol=1e-14)
