"""Parts of flows on their own: what is foreseen, when a flow has come to rest, what is stored."""

from __future__ import annotations

import numpy as np
import pytest

import dlnlab
from dlnlab.flow import network, question
from dlnlab.flow.compressed import CompressedFlow
from dlnlab.flow.integrate import Rest
from dlnlab.flow.system import System


@pytest.mark.parametrize("depth", [3, 4, 7])
def test_foreseen_seconds_are_those_of_the_products(depth):
    """L − 1 layers take three products each, 2 b³ operations, of half the modes on average."""
    steps, seconds = question.predicted(rank=5, size=100, depth=depth)
    products = question.EVALUATIONS * 3 * (depth - 1)
    operations = products * 2 * (2 * 5 + 1) ** 3 / 2
    assert steps == 5 * question.STEPS
    assert seconds / steps == pytest.approx(
        question.OVERHEAD * depth + operations / question.FLOPS, rel=1e-12
    )


@pytest.mark.parametrize(("second", "waits"), [(1e-4, True), (0.3, True), (0.9, False)])
def test_a_mode_waits_while_it_is_less_than_half_of_what_draws_it(second, waits):
    """M* = diag(2, 1): with the first mode learned, ‖∇ℓ‖₂ is 1 − σ_2, more than 2σ_2 or less."""
    problem = dlnlab.factorization(np.diag([2.0, 1.0]))
    layer = np.diag(np.sqrt([2.0, second]))
    weights = (layer, layer)
    system, y = System(problem, weights), np.concatenate([layer.ravel(), layer.ravel()])
    velocity = system.velocity(0.0, y)
    assert Rest(problem, weights, t_end=1e6).waiting(system, y, velocity) == waits


def test_beyond_the_width_the_compressed_network_has_zeros():
    law = CompressedFlow(np.array([2.0, 1.0]), 4, 3, 0.1, 1.0)
    times = np.linspace(0, 3, 5)
    values = law.at(times).singular_values(7)
    assert values.shape == (5, 7)
    assert (values[:, 4:] == 0).all()
    assert (values[:, :4] > 0).all()
    assert (np.diff(values, axis=1) <= 0).all()


def test_records_lie_no_further_apart_than_the_resolution():
    """But for the curve of the path, and for steps that would need more than 16 records."""
    problem = dlnlab.factorization(np.diag([2.0, 1.0]))
    weights = dlnlab.original_weights((2, 2), 2, 0.3, rng=0)
    options = {"t_end": 10.0, "record": ("end_to_end",), "method": "DOP853"}
    plain, fine = (
        dlnlab.gradient_flow(problem, weights, resolution=step, **options) for step in (None, 0.05)
    )
    moves = [
        np.linalg.norm(np.diff(run.end_to_end, axis=0), axis=(-2, -1)).max()
        for run in (plain, fine)
    ]
    assert moves[0] > 0.2
    assert moves[1] < 0.1
    assert fine.times.size > plain.times.size


@pytest.mark.parametrize("corner", [0, 1])
def test_rounding_turns_a_start_within_its_blocks_and_not_in_the_corner(corner):
    label = np.array([0, 0, 1, 1, 1])
    moved = network._turn(5, label, corner, np.random.default_rng(0)) - np.eye(5)
    np.testing.assert_array_equal(moved, -moved.T)
    together = (label[:, None] == label) & ~np.eye(5, dtype=bool)
    if corner:
        together[-1] = together[:, -1] = False
    np.testing.assert_array_equal(np.abs(moved), network.ROUNDING * together)
