"""The equations of the singular vectors, on balanced networks with chosen spectra."""

from __future__ import annotations

import numpy as np
import pytest
from instances import assert_close

import dlnlab
from dlnlab import networks
from dlnlab.claims import proposition1
from dlnlab.problems.targets import orthonormal_frame

UNIT = float(np.finfo(float).eps)
SHAPES = [(3, 3), (5, 3), (2, 4)]


def balanced(shape, values, depth, rng):
    """Layers G_l S^{1/L} G_{l−1}ᵀ between U and Vᵀ: balanced, with singular values `values`."""
    k, root = len(values), np.diag(np.asarray(values) ** (1 / depth))
    frames = [orthonormal_frame(shape[1], k, rng)]
    frames += [orthonormal_frame(k, k, rng) for _ in range(depth - 1)]
    frames += [orthonormal_frame(shape[0], k, rng)]
    return tuple(frames[n + 1] @ root @ frames[n].T for n in range(depth))


def velocity(weights, gradient):
    """Ẇ, with every product written out."""
    total = 0.0
    for place, move in enumerate(networks.layer_gradients(weights, gradient)):
        layers = [*weights[:place], -move, *weights[place + 1 :]]
        total = total + np.linalg.multi_dot(layers[::-1])
    return total


def first_order(U, s, Vh, moved):
    """U̇ and V̇ of the decomposition of W, from Ẇ by perturbation theory: no L, no F."""
    A = U.T @ moved @ Vh.T
    apart = np.subtract.outer(-(s**2), -(s**2)) + np.diag(np.full(s.size, np.inf))
    K = (A * s + (A * s).T) / apart
    H = (s[:, None] * A + (s[:, None] * A).T) / apart
    left = U @ K + (moved @ Vh.T - U @ A) / s
    return left, Vh.T @ H + (moved.T @ U - Vh.T @ A.T) / s


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_rates_are_those_of_perturbation_theory(shape, depth):
    rng = np.random.default_rng(depth)
    values = np.array([2.0, 1.0, 0.3])[: min(shape)]
    weights = balanced(shape, values, depth, rng)
    assert proposition1.balancedness(weights).met
    gradient = rng.standard_normal(shape)
    U, s, Vh = np.linalg.svd(networks.end_to_end(weights), full_matrices=False)
    assert_close(s, values, 50 * UNIT)
    found = proposition1.vector_rates(U, s, Vh, gradient, depth)
    expected = first_order(U, s, Vh, velocity(weights, gradient))
    # gaps of σ^{2/L} are above 0.2 and rates of order 10: some thousand units of rounding
    for got, want in zip(found, expected, strict=True):
        assert_close(got, want, 1e4 * UNIT)
    margin = proposition1.vector_margins(weights, gradient)
    assert -proposition1.vector_rounding(s, depth, max(shape)) <= margin <= 0


def test_two_by_two_by_hand():
    """W = diag(2, 1), L = 2: K_12 = −(2g_21 + g_12)/(1 − 2), since F_12 = 1/(σ_2 − σ_1) = −1."""
    G = np.array([[0.0, 3.0], [5.0, 0.0]])
    eye = np.eye(2)
    left, right = proposition1.vector_rates(eye, np.array([2.0, 1.0]), eye, G, 2)
    assert left.tolist() == [[0.0, 13.0], [-13.0, 0.0]]
    assert right.tolist() == [[0.0, 11.0], [-11.0, 0.0]]


def test_batches_are_their_members():
    rng = np.random.default_rng(0)
    members = [balanced((4, 3), (2.0, 1.0, 0.5), 3, rng) for _ in range(4)]
    gradients = rng.standard_normal((4, 4, 3))
    together = tuple(np.stack(layer) for layer in zip(*members, strict=True))
    margins = proposition1.vector_margins(together, gradients)
    alone = [proposition1.vector_margins(*one) for one in zip(members, gradients, strict=True)]
    assert margins.shape == (4,)
    np.testing.assert_allclose(margins, alone, atol=100 * UNIT)


@pytest.mark.parametrize(
    ("values", "met"),
    [
        ((2.0, 1.0), True),
        ((2.0, 2.0), False),
        ((2.0, 2.0 - 1e-12), False),
        ((1.0, 0.0), False),
        ((1.0, 1e-12), False),
        ((3.0,), True),
        ((1e-9, 0.5e-9), True),
    ],
)
def test_values_that_coincide_or_vanish_are_an_unmet_premise(values, met):
    assert proposition1.distinct_values(np.array(values)).met is met


def test_equal_values_have_no_vector_rates():
    weights = dlnlab.original_weights((2, 2), 2, 1.0, rng=0, init="orthogonal")
    eye, G = np.eye(2), np.array([[1.0, 2.0], [0.5, 1.0]])
    assert np.isnan(proposition1.vector_rates(eye, np.ones(2), eye, G, 2).left).any()
    assert not proposition1.distinct_values(dlnlab.spectra.singular_values(weights[0])).met
    assert proposition1.vector_rounding(np.ones(2), 2, 2) == np.inf


def test_an_unbalanced_network_violates_the_equations():
    weights = dlnlab.original_weights((3, 3), 3, 1.0, rng=0, init="gaussian")
    gradient = np.random.default_rng(1).standard_normal((3, 3))
    assert not proposition1.balancedness(weights).met
    assert proposition1.vector_margins(weights, gradient) < -0.01
    still = proposition1.vector_margins(weights, np.zeros((3, 3)))
    assert still == 0
