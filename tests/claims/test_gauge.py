"""The gauge claim and the slopes of the gradients claim, on instances one can check by hand."""

from __future__ import annotations

import numpy as np
import pytest

import dlnlab
from dlnlab.claims import gauge, gradients

EPS = float(np.finfo(float).eps)


def rotation(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def test_turned_layers_are_what_the_formula_says():
    weights = dlnlab.original_weights((3, 2), 3, 0.5, rng=0, width=2)
    turns = (rotation(0.3), rotation(1.1))
    first, middle, last = gauge.turned(weights, turns)
    np.testing.assert_allclose(first, turns[0] @ weights[0], atol=4 * EPS)
    np.testing.assert_allclose(middle, turns[1] @ weights[1] @ turns[0].T, atol=4 * EPS)
    np.testing.assert_allclose(last, weights[2] @ turns[1].T, atol=4 * EPS)


def test_an_orthogonal_network_becomes_identities_and_one_matrix():
    scales = (0.5, 0.2, 0.1)
    weights = dlnlab.original_weights((3, 3), 3, 1.0, rng=0)
    weights = tuple(scale * W for scale, W in zip(scales, weights, strict=True))
    assert gauge.orthogonal_layers(weights).met
    turns = gauge.canonical_turns(weights)
    assert gauge.orthogonal_turns(turns).met
    found = gauge.turned(weights, turns)
    whole = dlnlab.end_to_end(weights)
    expected = (0.5 * np.eye(3), 0.2 * np.eye(3), whole / 0.1)
    for W, V, U in zip(found, expected, gauge.canonical(weights), strict=True):
        np.testing.assert_allclose(W, V, atol=20 * EPS)
        np.testing.assert_allclose(U, V, atol=20 * EPS)
    np.testing.assert_allclose(dlnlab.end_to_end(found), whole, atol=20 * EPS)


@pytest.mark.parametrize("kind", ["gaussian", "rectangular"])
def test_networks_without_a_canonical_form_do_not_meet_the_premise(kind):
    if kind == "gaussian":
        weights = dlnlab.original_weights((3, 3), 2, 0.5, rng=0, init="gaussian")
    else:
        weights = dlnlab.original_weights((3, 3), 2, 0.5, rng=0, width=4)
    assert not gauge.orthogonal_layers(weights).met


def test_turns_that_are_none_do_not_meet_the_premise():
    assert gauge.orthogonal_turns((rotation(0.1),)).met
    assert not gauge.orthogonal_turns((rotation(0.1), 1.001 * np.eye(3))).met


@pytest.mark.parametrize("change", [1e-10, 1e-3])
def test_margins_are_relative_distances(change):
    weights = dlnlab.original_weights((2, 2), 2, 1.0, rng=0)
    layers = tuple(W[None] for W in weights)
    turns = (rotation(0.7),)
    others = gauge.turned(layers, turns)
    assert gauge.margins(layers, others, turns) >= -4 * EPS
    others = (others[0] + change * np.array([[1.0, 0.0], [0.0, 0.0]]), others[1])
    # two layers of norm √2 each
    assert gauge.margins(layers, others, turns) == pytest.approx(-change / 2, rel=1e-4)
    moved = gauge.loss_margins(np.ones(3), np.array([1.0, 1.0, 1.0 + change]), 2 * np.ones(3))
    assert moved == pytest.approx(-change / 2, rel=1e-4)


def test_the_rounding_bound_covers_a_perturbed_run():
    """A perturbation of the start grows by no more than the bound grows rounding."""
    problem = dlnlab.factorization(np.diag([1.0, 0.5]))
    weights = dlnlab.original_weights((2, 2), 3, 0.3, rng=0)
    options = {"eta": 0.2, "num_steps": 60, "record": ("layers",)}
    layers = dlnlab.gradient_descent(problem, weights, **options).layers
    nudge, rng = 1e-9, np.random.default_rng(1)
    moves = [rng.standard_normal(W.shape) for W in weights]
    unit = nudge / np.sqrt(sum(np.sum(D**2) for D in moves))
    nudged = tuple(W + unit * D for W, D in zip(weights, moves, strict=True))
    others = dlnlab.gradient_descent(problem, nudged, **options).layers
    spread = -gauge.margins(layers, others, (np.eye(2),) * 2)
    ends = [dlnlab.end_to_end([W[k] for W in layers]) for k in range(61)]
    slopes = problem.gradient(np.stack(ends))
    size = np.sqrt(sum(np.sum(W**2, axis=(-2, -1)) for W in layers))
    start = nudge / size[0] / EPS  # so many units of rounding are a nudge at the start
    bound = gauge.rounding(layers, slopes, np.zeros(61), 0.2, 1.0, 0.0, start)
    assert nudge / size.max() < spread <= bound


@pytest.mark.parametrize("depth", range(1, 8))
def test_slopes_of_polynomials_are_exact(depth):
    steps, weights = gradients.nodes(depth)
    assert np.abs(weights).sum() == pytest.approx(2 * depth - 1, rel=1e-12)
    rng = np.random.default_rng(depth)
    p = np.polynomial.Polynomial(rng.standard_normal(2 * depth + 1))
    found = gradients.slope(p(steps), p(-steps), depth)
    assert found == pytest.approx(p.coef[1], abs=100 * EPS * np.abs(p.coef).sum())
    q = p + np.polynomial.Polynomial([0.0] * (2 * depth + 1) + [1.0])
    wrong = gradients.slope(q(steps), q(-steps), depth)
    assert abs(wrong - q.coef[1]) > 1e-6  # one degree too many is seen


def test_a_gradient_margin_is_relative_to_the_steepest_slope_of_that_size():
    steps, _ = gradients.nodes(2)
    ahead, behind = steps**2 + steps, steps**2 - steps
    assert gradients.margins(1.0, ahead, behind) >= -4 * EPS
    assert gradients.margins(1.3, ahead, behind) == pytest.approx(-0.3 / (3 * 2.0))
    assert gradients.rounding(ahead, behind, 2.0, 10) == pytest.approx(2 * 2 * 10 * EPS * 2 / 6)
