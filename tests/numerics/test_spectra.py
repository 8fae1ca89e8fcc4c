"""Ranks, alignments, subspace distances and fitting times, on cases with known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instances import assert_close

from dlnlab.numerics import decompositions, spectra
from dlnlab.problems import targets

UNIT = np.finfo(float).eps


def frame(rows, columns, seed):
    return targets.orthonormal_frame(rows, columns, np.random.default_rng(seed))


def rotation(angle):
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def exact_svd(U, s, V):
    return spectra.SVD(U, np.asarray(s, dtype=float), V.T)


# Singular values and ranks.


@pytest.mark.parametrize("batch", [(), (3,), (2, 3)])
def test_singular_values_are_those_put_in(backend, batch):
    s = np.array([3.0, 1.0, 1e-3])
    U, V = frame(5, 3, 0), frame(4, 3, 1)
    W = np.broadcast_to((U * s) @ V.T, (*batch, 5, 4))
    got = backend.to_host(spectra.singular_values(backend.asarray(W)))
    # Backward stable SVD (Weyl): every value is off by at most a few d u s_1.
    assert_close(got, np.broadcast_to([3.0, 1.0, 1e-3, 0.0], (*batch, 4)), 50 * UNIT * 3)


def test_singular_values_of_members_that_are_not_finite_are_nan(backend):
    W = np.stack([np.eye(2), np.array([[np.inf, 0.0], [0.0, 1.0]]), np.full((2, 2), np.nan)])
    got = backend.to_host(spectra.singular_values(backend.asarray(W)))
    assert np.array_equal(got, [[1, 1], [np.nan] * 2, [np.nan] * 2], equal_nan=True)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_numerical_rank_is_the_rank_of_an_exactly_singular_matrix(rank):
    # Integer factors make a matrix of exact rank; its spurious values come from the SVD alone.
    A = np.arange(1.0, 1 + 6 * rank).reshape(6, rank) ** 2 % 7
    B = np.arange(1.0, 1 + 5 * rank).reshape(rank, 5) ** 3 % 11
    s = np.linalg.svd(A @ B, compute_uv=False)
    assert spectra.numerical_rank(s, (6, 5)) == np.linalg.matrix_rank(A @ B) == rank


def test_numerical_rank_draws_the_line_at_max_shape_eps_and_takes_the_largest_of_a_batch():
    line = 10 * UNIT
    assert spectra.numerical_rank(np.array([1.0, 0.9 * line]), (10, 2)) == 1
    assert spectra.numerical_rank(np.array([1.0, 1.1 * line]), (10, 2)) == 2
    assert spectra.numerical_rank(np.array([[1.0, 0.0], [1.0, 1.0]]), (2, 2)) == 2


def test_compact_svd_rebuilds_the_matrix_at_its_rank(backend):
    M = (frame(6, 2, 0) * [2.0, 1.0]) @ frame(5, 2, 1).T
    parts = spectra.compact_svd(backend.asarray(M))
    backend.assert_home(*parts)
    U, s, Vh = (backend.to_host(part) for part in parts)
    assert (U.shape, s.shape, Vh.shape) == ((6, 2), (2,), (2, 5))
    assert_close((U * s) @ Vh, M, 50 * UNIT * 2)


def test_compact_svd_of_the_zero_matrix_keeps_one_value():
    U, s, Vh = spectra.compact_svd(np.zeros((3, 2)))
    assert (U.shape, s.tolist(), Vh.shape) == ((3, 1), [0.0], (1, 2))


# Alignments.


@given(st.floats(-3.0, 3.0), st.floats(-3.0, 3.0), st.sampled_from([1.0, -1.0]))
def test_alignment_of_rotated_vectors_is_the_cosine_of_the_angle_free_of_sign(left, right, sign):
    U, V = np.eye(2), np.eye(2)
    W = sign * (rotation(left) * [2.0, 1.0]) @ rotation(right).T
    result = spectra.alignments(W, exact_svd(U, [5.0, 3.0], V))
    # The gap of W's values is half of the largest: vectors are off by at most some 2u.
    assert_close(result.left, np.full(2, abs(math.cos(left))), 50 * UNIT)
    assert_close(result.right, np.full(2, abs(math.cos(right))), 50 * UNIT)


def test_repeated_target_values_are_compared_as_a_subspace(backend):
    """Rotating within the repeated value's subspace changes nothing; leaving it does."""
    turn, lift = np.eye(4), np.eye(4)
    turn[:2, :2] = rotation(0.7)
    lift[np.ix_([1, 3], [1, 3])] = rotation(0.4)
    W = np.stack([(turn * [3, 2.5, 1, 0]), (lift @ turn * [3, 2.5, 1, 0])])
    target = exact_svd(np.eye(4)[:, :3], [2.0, 2.0, 1.0], np.eye(4)[:, :3])
    moved = spectra.SVD(*backend.tree(target))
    result = spectra.alignments(backend.asarray(W), moved)
    left, right = backend.to_host(result.left), backend.to_host(result.right)
    # P u with u = lift·turn e_i loses the share sin²(0.4) of its second component.
    rotated = turn[:, :2]
    expected = np.sqrt(rotated[0] ** 2 + (rotated[1] * math.cos(0.4)) ** 2)
    assert_close(left[0], np.ones(3), 50 * UNIT)
    assert_close(left[1], np.append(expected, 1.0), 50 * UNIT)
    # The right vectors are those of the target up to the rotation within the group.
    assert_close(right, np.ones((2, 3)), 50 * UNIT)


def test_values_that_are_not_separated_are_nan():
    target = exact_svd(np.eye(3)[:, :2], [2.0, 1.0], np.eye(3)[:, :2])
    start = spectra.alignments(frame(3, 3, 5) * 0.1, target)  # an orthogonal start
    assert np.isnan(start.left).all()
    assert np.isnan(start.right).all()
    W = np.diag([3.0, 1.0, 1.0 - 1e-14])  # the second meets the third, the first stands alone
    assert np.isnan(spectra.alignments(W, target).left).tolist() == [False, True]
    W = np.diag([3.0, 1.0, 1.0 - 1e-11])
    assert np.isnan(spectra.alignments(W, target).left).tolist() == [False, False]


def test_a_full_repeated_group_is_always_known_but_not_for_a_matrix_that_is_not_finite():
    target = exact_svd(np.eye(2), [1.0, 1.0], np.eye(2))
    assert spectra.alignments(np.eye(2), target).left.tolist() == [1.0, 1.0]
    assert np.isnan(spectra.alignments(np.full((2, 2), np.nan), target).left).all()
    batch = np.stack([np.diag([2.0, 1.0]), np.full((2, 2), np.inf)])
    known = spectra.alignments(batch, exact_svd(np.eye(2), [2.0, 1.0], np.eye(2)))
    assert np.isnan(known.left).tolist() == [[False] * 2, [True] * 2]


def test_alignments_of_a_batch_of_targets():
    rng = np.random.default_rng(0)
    M, W = rng.standard_normal((3, 4, 5)), rng.standard_normal((3, 4, 5))
    together = spectra.alignments(W, spectra.compact_svd(M))
    for k in range(3):
        alone = spectra.alignments(W[k], spectra.compact_svd(M[k]))
        # Vectors of matrices with relative gaps above 1e-2: u over the gap.
        assert_close(together.left[k], alone.left, 1e3 * UNIT)
        assert_close(together.right[k], alone.right, 1e3 * UNIT)


# Subspace distance.


def rational_rotation(p, q):
    """A rotation with rational cosine and sine, (q² − p²)/(p² + q²) and 2pq/(p² + q²)."""
    return (q * q - p * p) / (p * p + q * q), 2 * p * q / (p * p + q * q)


@given(st.integers(1, 30), st.integers(1, 30))
def test_distance_of_planes_at_a_known_angle_is_the_squared_sine(p, q):
    cosine, sine = rational_rotation(p, q)
    A = np.eye(4)[:, :2]
    B = np.array([[cosine, 0.0], [0.0, 1.0], [sine, 0.0], [0.0, 0.0]])
    assert_close(spectra.subspace_distance(A, B), sine**2, 4 * UNIT)


def test_distance_is_r_minus_the_overlap_and_keeps_its_digits(backend):
    A, B = frame(7, 3, 0), frame(7, 3, 1)
    got = backend.to_host(spectra.subspace_distance(*backend.tree((A, B))))
    literal = 3 - np.linalg.norm(A.T @ B) ** 2  # Eq. (14) as printed
    assert_close(got, literal, 100 * UNIT)
    assert_close(spectra.subspace_distance(A, A @ frame(3, 3, 2)), 0.0, (100 * UNIT) ** 2)
    angle = 1e-9  # the printed formula would lose sin² = 1e-18 to rounding
    near = np.array([[math.cos(angle)], [math.sin(angle)]])
    distance = spectra.subspace_distance(np.eye(2)[:, :1], near)
    assert_close(distance, math.sin(angle) ** 2, 1e-6 * math.sin(angle) ** 2)


def test_distance_of_batches_and_of_orthogonal_subspaces():
    A = np.broadcast_to(np.eye(4)[:, :2], (3, 4, 2))
    B = np.broadcast_to(np.eye(4)[:, 2:], (3, 4, 2))
    assert spectra.subspace_distance(A, B).tolist() == [2.0] * 3


# Fitting times.


def test_fitting_time_is_where_the_last_crossing_is_interpolated():
    times = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    values = np.array(
        [
            # rises linearly through 0.9 at t = 1.8
            [0.0, 0.5, 1.0, 1.0, 1.0],
            # fitted at first, leaves at t = 2 and returns between 3 and 4
            [1.0, 1.0, 0.0, 0.5, 1.0],
            # fitted throughout
            [1.0, 0.95, 1.05, 1.0, 1.0],
            # not fitted at the end
            [1.0, 1.0, 1.0, 1.0, 0.5],
            # undefined on the way
            [0.0, 1.0, np.nan, 0.5, 1.0],
        ]
    ).T
    result = spectra.fitting_times(times, values, np.ones(5), 0.1)
    expected = [1.8, 3.8, 0.0, np.inf, 3.8]
    assert_close(result[[0, 1, 2, 4]], np.array(expected)[[0, 1, 2, 4]], 8 * UNIT)
    assert result[3] == np.inf


def test_fitting_from_above_and_relative_precision():
    times = np.array([0.0, 1.0])
    result = spectra.fitting_times(times, np.array([[4.0], [2.0]]), np.array([2.0]), 0.5)
    assert_close(result, np.array([0.5]), 4 * UNIT)


@pytest.mark.parametrize("shape", [(1, 1), (3, 3), (20, 7), (6, 40), (50, 50)])
def test_bounds_of_spectral_norms_hold_and_are_as_close_as_they_say(shape):
    """Random matrices, the zero matrix, and the worst case: all singular values equal."""
    rng = np.random.default_rng(0)
    k = min(shape)
    W = np.stack([*rng.standard_normal((20, *shape)), np.zeros(shape), 1e-9 * np.eye(*shape)])
    exact, bounds = np.linalg.norm(W, 2, axis=(-2, -1)), decompositions.norm_bounds(W)
    loose = decompositions.norm_looseness(shape)
    rounding = 1e-14 * exact
    assert np.all(bounds >= exact - rounding)
    assert np.all(bounds <= loose * exact + rounding)
    assert bounds[-1] == pytest.approx(k ** (1 / 64) * 1e-9, rel=1e-14)
