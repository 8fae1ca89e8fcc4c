"""Targets, masks and sensing ensembles: their laws, their sizes, and where they live."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instances import assert_close

import dlnlab
from dlnlab.numerics import arrays, spectra
from dlnlab.problems import targets

UNIT = np.finfo(float).eps


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 10**6))
def test_a_frame_has_orthonormal_columns(a, b, seed):
    rows, columns = max(a, b), min(a, b)
    Q = targets.orthonormal_frame(rows, columns, np.random.default_rng(seed))
    assert Q.shape == (rows, columns)
    # Householder QR, see test_networks.
    assert_close(Q.T @ Q, np.eye(columns), 10 * rows * UNIT)


@given(st.integers(1, 8), st.integers(1, 8), st.integers(0, 10**6), st.data())
def test_a_random_target_has_the_asked_singular_values(d_out, d_in, seed, data):
    rank = data.draw(st.integers(1, min(d_out, d_in)))
    values = sorted(
        data.draw(st.lists(st.sampled_from([4.0, 1.0, 0.5]), min_size=rank, max_size=rank))
    )
    values = values[::-1]
    M = dlnlab.random_target((d_out, d_in), rank, rng=seed, singular_values=values)
    got = np.linalg.svd(M, compute_uv=False)
    padded = np.append(values, np.zeros(min(d_out, d_in) - rank))
    assert_close(got, padded, 100 * UNIT * 4)
    factored = dlnlab.random_target(
        (d_out, d_in), rank, rng=seed, singular_values=values, factored=True
    )
    assert (factored.shape, factored.rank) == ((d_out, d_in), rank)
    assert np.array_equal(factored.to_dense(), M)  # the same draw, the same product


def test_default_singular_values_are_evenly_spaced_down_to_one_over_r():
    assert dlnlab.random_target((6, 5), 4, rng=0, factored=True).s.tolist() == [1, 0.75, 0.5, 0.25]


def test_singular_subspaces_are_uniform():
    # E u u^T = I/d. Over N = 3000 draws at one fixed seed the entry u_1² has standard error
    # sqrt(Var/N); 5 of them are exceeded with probability 6e-7 (each of 2 means).
    rng, d, count = np.random.default_rng(3), 4, 3000
    u = np.stack([targets.orthonormal_frame(d, 1, rng)[:, 0] for _ in range(count)])
    variance = 2 * (d - 1) / (d**2 * (d + 2))
    assert abs((u[:, 0] ** 2).mean() - 1 / d) < 5 * np.sqrt(variance / count)
    assert abs(u[:, 0].mean()) < 5 * np.sqrt(1 / d / count)


def test_one_seed_gives_one_target_on_every_device(backend):
    like = backend.asarray(np.zeros(1))
    M = dlnlab.random_target((4, 3), 2, rng=1, like=like)
    assert np.array_equal(backend.to_host(M), dlnlab.random_target((4, 3), 2, rng=1))
    factored = dlnlab.random_target((4, 3), 2, rng=1, factored=True, like=like)
    backend.assert_home(*factored.svd, factored.to_dense())
    # The factors are the same numbers; the product may be summed in another order.
    assert_close(backend.to_host(factored.to_dense()), backend.to_host(M), 8 * UNIT)
    mask = dlnlab.random_mask((4, 3), 0.5, rng=1, like=like)
    assert np.array_equal(backend.to_host(mask), dlnlab.random_mask((4, 3), 0.5, rng=1))
    assert arrays.dtype_name(mask) == "bool"
    A = dlnlab.gaussian_ensemble(2, (4, 3), rng=1, like=like)
    assert np.array_equal(backend.to_host(A), dlnlab.gaussian_ensemble(2, (4, 3), rng=1))


def test_one_seed_for_target_and_network_gives_independent_draws():
    U = dlnlab.random_target((6, 6), 6, rng=0, factored=True).U
    Q = dlnlab.original_weights((6, 6), 2, 1.0, rng=0)[0]
    # Shared numbers would make the two frames equal; independent ones differ by order one.
    assert np.abs(U - Q).max() > 0.1


def test_like_sets_the_precision():
    like = np.zeros(1, dtype=np.float32)
    assert dlnlab.random_target((4, 3), 2, rng=0, like=like).dtype == np.float32
    factored = dlnlab.random_target((4, 3), 2, rng=0, factored=True, like=like)
    assert {part.dtype for part in factored.svd} == {np.dtype(np.float32)}
    assert factored.to_dense().dtype == np.float32


def test_target_svd_of_both_kinds():
    factored = dlnlab.random_target((5, 4), 2, rng=0, factored=True)
    assert dlnlab.factorization(factored).target_svd == factored.svd
    dense = dlnlab.factorization(factored.to_dense()).target_svd
    # Relative gaps of one half, so vectors are right to some u; compared as subspaces.
    assert_close(spectra.subspace_distance(dense.U, factored.U), 0.0, (100 * UNIT) ** 2)
    assert_close(dense.s, factored.s, 20 * UNIT)


def test_a_factored_target_accepts_lists():
    target = dlnlab.FactoredTarget([[1.0], [0.0]], [2], [[0.0, 1.0]])
    assert target.to_dense().tolist() == [[0.0, 2.0], [0.0, 0.0]]


def test_a_factored_target_bounds_the_defect_by_rounding():
    # 10 max(d, 10) u is allowed, 2.2e-14 at d = 10: a defect of 1e-14 passes, one of 1e-13 fails.
    def stretched(defect):
        U = np.eye(10, 1) * (1 + defect / 2)
        return dlnlab.FactoredTarget(U, [1.0], np.eye(1, 3))

    assert stretched(1e-14).rank == 1
    with pytest.raises(ValueError, match="`U` must have orthonormal"):
        stretched(1e-13)


@pytest.mark.parametrize("fraction", [1e-9, 0.1, 0.5, 1.0])
def test_an_exact_mask_has_the_floor_of_p_d_d_entries(fraction):
    mask = dlnlab.random_mask((7, 9), fraction, rng=0, exact=True)
    assert (mask.shape, mask.sum()) == ((7, 9), int(fraction * 63))


def test_a_random_mask_observes_every_entry_with_probability_p():
    # Binomial(10⁵, 0.3): the share is within 5 standard errors but for 6e-7 of all seeds.
    mask = dlnlab.random_mask((250, 400), 0.3, rng=0)
    assert mask.dtype == bool
    assert abs(mask.mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / mask.size)
    assert dlnlab.random_mask((20, 20), 1.0, rng=0).all()


def test_exact_masks_choose_all_entries_equally_often():
    # Every entry is in with probability 1/2 over N = 2000 masks; 12 entries, 5 standard errors:
    # a false alarm for 12 · 6e-7 = 7e-6 of all seeds.
    rng = np.random.default_rng(4)
    share = np.mean([dlnlab.random_mask((3, 4), 0.5, rng=rng, exact=True) for _ in range(2000)], 0)
    assert np.abs(share - 0.5).max() < 5 * np.sqrt(0.25 / 2000)


def test_the_gaussian_ensemble_has_standard_normal_entries_times_scale():
    A = dlnlab.gaussian_ensemble(50, (20, 30), rng=0, scale=0.1)
    # N = 30000: mean and variance within 5 standard errors, each but for 6e-7 of all seeds.
    assert A.shape == (50, 20, 30)
    assert abs(A.mean()) < 5 * 0.1 / np.sqrt(A.size)
    assert abs(A.var() / 0.01 - 1) < 5 * np.sqrt(2 / A.size)
    same = 0.1 * dlnlab.gaussian_ensemble(50, (20, 30), rng=0)
    assert np.array_equal(A, same)
