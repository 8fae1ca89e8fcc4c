"""λ-balanced starts of two layers, with the closed form of their gradient flow as oracle."""

import numpy as np
import pytest
import scipy.linalg

import dlnlab

CASES = [  # d_out, d_in, width, λ
    (5, 5, 5, 0.0),
    (5, 5, 5, 2.0),
    (5, 5, 5, -3.0),
    (7, 4, 4, 1.5),
    (4, 7, 4, -1.0),
    (4, 7, 4, 1.5),
]


def start(d_out, d_in, width, lam, eps=0.3):
    return dlnlab.networks.lambda_balanced_weights((d_out, d_in), eps, lam, rng=0, width=width)


@pytest.mark.parametrize("case", [*CASES, (7, 4, 6, 1.5), (4, 7, 6, -1.5), (3, 4, 6, 0.0)])
def test_the_difference_is_lambda(case):
    W_1, W_2 = start(*case)
    width, lam = case[2:]
    assert W_1.shape == (width, case[1])
    assert W_2.shape == (case[0], width)
    np.testing.assert_allclose(W_2.T @ W_2 - W_1 @ W_1.T, lam * np.eye(width), atol=1e-14)
    smaller = W_1 if lam >= 0 else W_2
    np.testing.assert_allclose(np.linalg.svd(smaller)[1][: min(case[:3])], 0.3, rtol=1e-13)


@pytest.mark.parametrize("lam", [1e150, -1e150, 10**30, 5e-324])
def test_lambda_may_be_of_any_size_whose_square_is_finite(lam):
    W_1, W_2 = start(4, 4, 4, lam)
    lam = float(lam)
    difference = W_2.T @ W_2 - W_1 @ W_1.T
    np.testing.assert_allclose(difference, lam * np.eye(4), atol=1e-14 * max(abs(lam), 1.0))
    assert np.isfinite(difference**2).all()


@pytest.mark.parametrize("lam", [np.nan, np.inf, -np.inf, 2e150, -2e150, 1e308, "1", True, None])
def test_another_lambda_is_refused(lam):
    with pytest.raises((TypeError, ValueError), match="`imbalance` must be"):
        start(4, 4, 4, lam)


@pytest.mark.parametrize("lam", [0.0, 1e-300])
def test_the_smaller_layer_has_epsilon_though_its_square_underflows(lam):
    W_1, _ = start(4, 4, 4, lam, eps=1e-200)
    np.testing.assert_allclose(np.linalg.svd(W_1)[1], 1e-200, rtol=1e-13)


def closed_form(M, W_1, W_2, lam, t):
    """W_2W_1 of QQᵀ(t), Q = [W_1ᵀ; W_2] (Braun et al. 2022, Dominé et al. 2024)."""
    d_out, d_in = M.shape
    Q = np.concatenate([W_1.T, W_2])
    F = np.block([[-lam / 2 * np.eye(d_in), M.T], [M, lam / 2 * np.eye(d_out)]])
    E, inverse = scipy.linalg.expm(F * t), np.linalg.inv(F)
    middle = np.eye(Q.shape[1]) + 0.5 * Q.T @ (E @ inverse @ E - inverse) @ Q
    QQ = E @ Q @ np.linalg.solve(middle, Q.T @ E)
    return QQ[d_in:, :d_in]


@pytest.mark.parametrize("case", CASES)
def test_the_flow_is_the_closed_form(case):
    """To 1e-8: the flow is integrated to 1e-10."""
    weights, lam = start(*case), case[3]
    M = np.random.default_rng(1).standard_normal(case[:2])
    run = dlnlab.gradient_flow(
        dlnlab.factorization(M), weights, t_end=1.5, rtol=1e-10, atol=1e-12, record="end_to_end"
    )
    expected = closed_form(M, *weights, lam, float(run.times[-1]))
    np.testing.assert_allclose(run.end_to_end[-1], expected, atol=1e-8)
    wrong = closed_form(M, *weights, lam + 0.1, float(run.times[-1]))
    assert np.abs(wrong - expected).max() > 1e-4


@pytest.mark.parametrize(("lam", "shape"), [(0.5, (3, 5)), (-0.5, (5, 3))])
def test_a_layer_that_cannot_have_full_rank_is_refused(lam, shape):
    with pytest.raises(ValueError, match="`width` must be"):
        dlnlab.networks.lambda_balanced_weights(shape, 0.1, lam, rng=0, width=4)
