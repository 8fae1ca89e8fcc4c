"""Initial weights: the laws they are drawn from, Algorithm 1, and balancedness."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instances import assert_close, instance, network

import dlnlab
from dlnlab import networks
from dlnlab.networks import starts
from dlnlab.numerics import checks, spectra
from dlnlab.problems import targets

UNIT = np.finfo(float).eps


def gram_defect(W, eps):
    """Distance of W/ε from (semi-)orthogonality."""
    Q = W / eps
    gram = Q @ Q.mT if Q.shape[-2] <= Q.shape[-1] else Q.mT @ Q
    return float(np.max(np.abs(gram - np.eye(gram.shape[-1]))))


widths = st.lists(st.integers(1, 7), min_size=3, max_size=7)
scales = st.sampled_from([1e-6, 1e-3, 0.1, 1.0, 3.0])


@given(widths, scales, st.integers(0, 10**6))
def test_orthogonal_layers_are_eps_times_semi_orthogonal(sizes, eps, seed):
    """Eq. (3) for square and Eq. (4) for rectangular layers, whatever the hidden widths."""
    depth = len(sizes) - 1
    weights = dlnlab.original_weights(
        (sizes[-1], sizes[0]), depth, eps, rng=seed, width=sizes[1:-1]
    )
    shapes = [(b, a) for a, b in pairwise(sizes)]
    assert [W.shape for W in weights] == shapes
    for W in weights:
        # Householder QR: columns orthonormal to a small multiple of d u (Higham 2002, thm 19.4).
        assert gram_defect(W, eps) <= 10 * max(W.shape) * UNIT


def test_square_start_has_singular_values_eps_per_layer_and_eps_to_the_L_end_to_end():
    """The convention where the paper's Eq. (3) and its Algorithm 1 disagree."""
    weights = dlnlab.original_weights((5, 5), 4, 0.1, rng=0)
    for W in weights:
        assert_close(np.linalg.svd(W, compute_uv=False), np.full(5, 0.1), 50 * UNIT * 0.1)
    values = spectra.singular_values(dlnlab.end_to_end(weights))
    assert_close(values, np.full(5, 1e-4), 200 * UNIT * 1e-4)


def test_default_width_is_the_larger_side_and_one_width_serves_all_layers():
    assert [W.shape for W in dlnlab.original_weights((3, 5), 3, 1.0, rng=0)] == [
        (5, 5),
        (5, 5),
        (3, 5),
    ]
    assert [W.shape for W in dlnlab.original_weights((3, 5), 3, 1.0, rng=0, width=2)] == [
        (2, 5),
        (2, 2),
        (3, 2),
    ]


@pytest.mark.parametrize("init", ["gaussian", "uniform"])
@pytest.mark.parametrize(("rows", "columns"), [(40, 40), (60, 20), (20, 60)])
def test_independent_entries_have_mean_zero_and_standard_deviation_eps_over_root_n(
    init, rows, columns
):
    eps, n = 0.3, max(rows, columns)
    # One fixed seed; 40 draws give N = 40·1200 entries or more.  Under the stated law the mean is
    # within 5 standard errors and the variance within 5·sqrt(2/N) but for 1e-6 of all seeds each.
    W = dlnlab.original_weights(
        (rows, columns), 2, eps, rng=7, init=init, width=columns, batch=(40,)
    )[1]
    assert W.shape == (40, rows, columns)
    count, deviation = W.size, eps / np.sqrt(n)
    assert abs(W.mean()) < 5 * deviation / np.sqrt(count)
    assert abs(W.var() / deviation**2 - 1) < 5 * np.sqrt(2 / count)
    if init == "uniform":
        assert np.abs(W).max() <= np.sqrt(3) * deviation
    else:
        assert np.abs(W).max() > 3 * deviation


@pytest.mark.parametrize("batch", [(2,), (2, 3)])
def test_batch_members_are_consecutive_draws_of_each_layer(batch):
    rng = checks.generator("rng", 5, "network")
    weights = dlnlab.original_weights((3, 4), 2, 0.5, rng=5, batch=batch)
    for W in weights:
        for index in np.ndindex(*batch):
            rows, columns = W.shape[-2:]
            tall = targets.orthonormal_frame(max(rows, columns), min(rows, columns), rng)
            single = tall if rows >= columns else tall.T
            assert np.array_equal(W[index], 0.5 * single)


@pytest.mark.parametrize("init", ["orthogonal", "gaussian", "uniform"])
def test_one_seed_gives_the_same_numbers_on_every_device(backend, init):
    expected = dlnlab.original_weights((3, 4), 3, 0.1, rng=3, init=init, batch=(2,))
    like = backend.asarray(np.zeros(1))
    got = dlnlab.original_weights((3, 4), 3, 0.1, rng=3, init=init, batch=(2,), like=like)
    for W, want in zip(got, expected, strict=True):
        assert np.array_equal(backend.to_host(W), want)


def test_like_sets_the_precision():
    like = np.zeros(1, dtype=np.float32)
    weights = dlnlab.original_weights((3, 3), 2, 0.1, rng=0, like=like)
    assert {W.dtype for W in weights} == {np.dtype(np.float32)}


def test_a_generator_is_advanced_and_a_seed_is_not():
    rng = np.random.default_rng(0)
    first, second = (dlnlab.original_weights((3, 3), 2, 0.1, rng=rng)[0] for _ in range(2))
    assert not np.array_equal(first, second)
    assert np.array_equal(first, dlnlab.original_weights((3, 3), 2, 0.1, rng=0)[0])


def test_orthogonal_draws_are_uniform():
    """Haar: E Q_11 = 0, E Q_11² = 1/d, and the trace of Q has mean 0 and variance 1.

    Without the sign correction of the QR factors, LAPACK's convention (R_11 < 0 almost always)
    gives Q_11 < 0 in most draws.  With N = 4000 draws at one fixed seed each of the three means is
    within 5 standard errors unless the law is wrong, or in 6e-7 of all seeds: together 2e-6.
    """
    count, d = 4000, 3
    Q = dlnlab.original_weights((d, d), 2, 1.0, rng=11, batch=(count,))[0]
    corner, trace = Q[:, 0, 0], np.trace(Q, axis1=-2, axis2=-1)
    # Var Q_11 = 1/d, Var Q_11² = 2(d − 1)/(d²(d + 2)), Var tr Q = 1 (Diaconis and Evans 2001).
    for sample, mean, variance in [
        (corner, 0.0, 1 / d),
        (corner**2, 1 / d, 2 * (d - 1) / (d**2 * (d + 2))),
        (trace, 0.0, 1.0),
    ]:
        assert abs(sample.mean() - mean) < 5 * np.sqrt(variance / count)


def test_a_missing_sign_correction_would_be_caught(monkeypatch):
    def biased(rows, columns, rng):
        return np.linalg.qr(rng.standard_normal((rows, columns)))[0]

    monkeypatch.setattr(starts, "orthonormal_frame", biased)
    with pytest.raises(AssertionError):
        test_orthogonal_draws_are_uniform()


# Algorithm 1.


@pytest.mark.parametrize("depth", [2, 3, 5])
@pytest.mark.parametrize(("shape", "r_hat"), [((4, 4), 1), ((4, 4), 4), ((5, 3), 2), ((2, 6), 2)])
@pytest.mark.parametrize("kind", ["factorization", "factored", "mask", "pattern", "sensing"])
def test_compressed_start_is_algorithm_1(kind, shape, r_hat, depth):
    eps, case = 0.2, instance(kind, shape)
    weights = dlnlab.compressed_weights(case.problem, r_hat, depth, eps)
    first, *inner, last = (W / eps for W in weights)
    assert first.shape == (r_hat, shape[1])
    assert last.shape == (shape[0], r_hat)
    assert len(inner) == depth - 2
    assert all(np.array_equal(W, np.eye(r_hat)) for W in inner)
    # Frames from an SVD, orthonormal to a small multiple of d u.
    assert_close(first @ first.T, np.eye(r_hat), 50 * UNIT)
    assert_close(last.T @ last, np.eye(r_hat), 50 * UNIT)
    surrogate = case.problem.surrogate()
    dense = surrogate.to_dense() if kind == "factored" else surrogate
    values = np.linalg.svd(dense, compute_uv=False)
    core = last.T @ dense @ first.T
    # The vectors diagonalize the surrogate, with its leading values on the diagonal, free of sign.
    assert_close(core, np.diag(values[:r_hat]), 100 * UNIT * values[0], "Uᵀ S V")


def test_compressed_start_of_a_batch():
    rng = np.random.default_rng(0)
    M = rng.standard_normal((3, 4, 5))
    together = dlnlab.compressed_weights(dlnlab.factorization(M), 2, 3, 0.1)
    assert [W.shape for W in together] == [(3, 2, 5), (3, 2, 2), (3, 4, 2)]
    for k in range(3):
        alone = dlnlab.compressed_weights(dlnlab.factorization(M[k]), 2, 3, 0.1)
        product = dlnlab.end_to_end(tuple(W[k] for W in together))
        # The product U Vᵀ does not depend on the signs of the vectors; the gaps are of order one.
        assert_close(product, dlnlab.end_to_end(alone), 1000 * UNIT * 1e-3)


def test_r_hat_above_the_rank_of_a_factored_target_completes_the_frames(backend):
    parts = dlnlab.random_target((6, 5), 2, rng=0, factored=True).svd
    problem = dlnlab.factorization(dlnlab.FactoredTarget(*backend.tree(parts)))
    weights = dlnlab.compressed_weights(problem, 4, 3, 1.0)
    first, _, last = (backend.to_host(W) for W in weights)
    assert_close(first @ first.T, np.eye(4), 50 * UNIT)
    assert_close(last.T @ last, np.eye(4), 50 * UNIT)
    assert np.array_equal(last[:, :2], parts.U)
    assert np.array_equal(first[:2], parts.Vh)
    again = dlnlab.compressed_weights(problem, 4, 3, 1.0)
    assert all(
        np.array_equal(backend.to_host(a), backend.to_host(b))
        for a, b in zip(weights, again, strict=True)
    )


# End-to-end matrices and balancedness.


@pytest.mark.parametrize("batch", [(), (2,), (2, 3)])
def test_end_to_end_is_the_product_from_the_last_layer_to_the_first(backend, batch):
    weights = network((4, 2, 3, 5), batch=batch)
    expected = np.einsum("...dc,...cb,...ba->...da", weights[2], weights[1], weights[0])
    got = backend.to_host(dlnlab.end_to_end(backend.tree(weights)))
    assert_close(got, expected, 100 * UNIT)


@pytest.mark.parametrize("shape", [(5, 5), (3, 6), (6, 3)])
def test_semi_orthogonal_starts_are_balanced_only_up_to_the_smaller_end(shape):
    def worst(width):
        weights = dlnlab.original_weights(shape, 4, 0.5, rng=0, width=width)
        return max(float(np.linalg.norm(D)) for D in networks.imbalance(weights))

    assert worst(min(shape)) <= 100 * UNIT
    assert worst(max(shape) + 1) >= 0.2  # ε² = 0.25 for every missing direction
    if shape[0] != shape[1]:
        assert worst(max(shape)) >= 0.2  # Proposition 1's premise fails at the default width


def test_imbalance_is_the_difference_of_the_gram_matrices():
    weights = network((3, 4, 2), batch=(2,))
    (D,) = networks.imbalance(weights)
    expected = np.einsum("kij,kil->kjl", weights[1], weights[1])
    expected = expected - np.einsum("kij,klj->kil", weights[0], weights[0])
    assert_close(D, expected, 50 * UNIT)
