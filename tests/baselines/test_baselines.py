"""Alternating minimization and Burer–Monteiro descent against dense least squares and loops."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from instances import assert_close, instance

import dlnlab
from dlnlab import baselines, networks
from dlnlab.baselines import least_squares
from dlnlab.numerics.products import FactoredMatrix

UNIT = np.finfo(float).eps


def entries_problem(shape=(9, 8), share=0.7, normalization="sum", seed=0, **options):
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < share
    mask[0, 0] = True
    M = rng.standard_normal(shape)
    problem = dlnlab.completion(M, mask, normalization, **options)
    A = np.zeros((mask.sum(), *shape))
    A[np.arange(mask.sum()), *np.nonzero(mask)] = 1.0
    return problem, A, M[mask]


def sensing_problem(shape=(5, 4), count=40, normalization="sum", seed=0):
    A = dlnlab.gaussian_ensemble(count, shape, rng=seed)
    y = np.random.default_rng(seed).standard_normal(count)
    return dlnlab.sensing(A, y, normalization), A, y


KINDS = {"entries": entries_problem, "sensing": sensing_problem}


def dense_half_step(A, y, B, ridge):
    """The best left factor by one dense least-squares problem, and its condition number."""
    n, r = A.shape[1], B.shape[0]
    design = np.einsum("mpq,kq->mpk", A, B).reshape(len(y), n * r)
    design = np.vstack([design, np.sqrt(ridge) * np.eye(n * r)])
    right = np.concatenate([y, np.zeros(n * r)])
    return np.linalg.lstsq(design, right, rcond=None)[0].reshape(n, r), np.linalg.cond(design)


def check_half_steps(kind, ridge, normalization, seed=0, r=2):
    problem, A, y = KINDS[kind](normalization=normalization, seed=seed)
    solvers = least_squares.half_steps(problem, ridge)
    rng = np.random.default_rng(seed + 1)
    for solver, matrices in zip(solvers, (A, A.mT), strict=True):
        fixed = rng.standard_normal((matrices.shape[2], r))
        expected, condition = dense_half_step(matrices, y, fixed.T, ridge / problem.scale)
        # Normal equations lose the square of the condition number, over sums of at most 100 terms.
        size = np.abs(expected).max() + np.abs(y).max()
        limit = 100 * UNIT * condition**2 * size
        assert limit < 1e-6, "an instance that says nothing"
        assert_close(solver.solve(fixed), expected, limit, kind)


@pytest.mark.parametrize("normalization", ["sum", "mean"])
@pytest.mark.parametrize("ridge", [0.0, 0.01, 3.0])
@pytest.mark.parametrize("kind", KINDS)
def test_half_a_step_is_the_dense_least_squares_solution(kind, ridge, normalization):
    check_half_steps(kind, ridge, normalization)


@given(st.sampled_from(list(KINDS)), st.floats(0.01, 10), st.integers(0, 1000))
def test_half_a_step_on_any_instance(kind, ridge, seed):
    check_half_steps(kind, ridge, "sum", seed)


def swapped_factors(monkeypatch):
    right = least_squares.half_steps
    monkeypatch.setattr(least_squares, "half_steps", lambda p, ridge: right(p, ridge)[::-1])


def unscaled_ridge(monkeypatch):
    right = least_squares.half_steps
    monkeypatch.setattr(
        least_squares, "half_steps", lambda p, ridge: right(p, ridge * float(p.scale))
    )


def values_for_pattern(monkeypatch):
    right = least_squares.RowLeastSquares.__init__

    def init(self, values, *ridge):
        right(self, values, *ridge)
        self.pattern = values

    monkeypatch.setattr(least_squares.RowLeastSquares, "__init__", init)


@pytest.mark.parametrize(
    "fault", [swapped_factors, unscaled_ridge, values_for_pattern], ids=lambda f: f.__name__
)
def test_a_fault_in_a_half_step_is_found(monkeypatch, fault):
    check_half_steps("entries", 0.5, "mean")
    fault(monkeypatch)
    with pytest.raises((AssertionError, ValueError)):
        check_half_steps("entries", 0.5, "mean")


def test_rows_with_too_few_entries_get_the_solution_of_least_norm():
    mask = np.array([[True, False, False], [False, False, False], [True, True, True]])
    problem = dlnlab.completion(np.full((3, 3), 2.0), mask)
    left, _ = least_squares.half_steps(problem, 0.0)
    fixed = np.array([[1.0, 1.0], [0.0, 1.0], [1.0, 0.0]])
    A = left.solve(fixed)
    assert_close(A[0], np.array([1.0, 1.0]), 20 * UNIT)  # a·(1, 1) = 2, shortest
    assert_close(A[1], np.zeros(2), 0.0)
    assert_close(A[2], np.linalg.lstsq(fixed, np.full(3, 2.0), rcond=None)[0], 50 * UNIT)


@pytest.mark.parametrize("ridge", [0.0, 0.3])
@pytest.mark.parametrize("init", ["spectral", "gaussian"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_objective_never_increases(kind, init, ridge):
    problem, _, _ = KINDS[kind]()
    run = baselines.alternating_minimization(
        problem, 2, num_iterations=40, ridge=ridge, init=init, record=("loss", "layers")
    )
    B, A = run.layers
    penalty = np.sum(A**2, axis=(1, 2)) + np.sum(B**2, axis=(1, 2))
    objective = run.losses + 0.5 * ridge * penalty
    assert run.steps.tolist() == list(range(41))
    # A minimum is found to rounding: the objective is a sum of 72 squares.
    assert np.diff(objective).max() <= 1000 * UNIT * objective[0]
    assert objective[-1] < objective[0]


@pytest.mark.parametrize("normalization", ["sum", "mean"])
def test_without_noise_a_low_rank_target_is_recovered(normalization):
    M = dlnlab.random_target((60, 50), 3, rng=0)
    mask = dlnlab.random_mask((60, 50), 0.5, rng=0)
    A = dlnlab.gaussian_ensemble(700, (15, 12), rng=0)
    small = dlnlab.random_target((15, 12), 2, rng=0)
    y = np.einsum("mij,ij->m", A, small)
    for problem, rank in (
        (dlnlab.completion(M, mask, normalization), 3),
        (dlnlab.completion(M, mask, normalization, computation="sampled"), 3),
        (dlnlab.sensing(A, y, normalization, target=small), 2),
    ):
        run = baselines.alternating_minimization(problem, rank, num_iterations=150, tol=1e-26)
        assert run.status is dlnlab.Status.CONVERGED
        # A loss of 1e-26 is a residual of 1e-13·sqrt(700), and the measurements of rank-2r
        # matrices are well conditioned here (share 0.5, or 700 Gaussian ones).
        assert run.errors[-1] < 1e-10
        assert_close(networks.end_to_end(run.weights), problem.target, 1e-10)


def test_too_large_a_rank_without_ridge_still_fits_the_observations():
    problem, _, _ = entries_problem((12, 10), 0.3)
    run = baselines.alternating_minimization(problem, 8, num_iterations=50)
    assert run.losses[-1] < 1e-20
    assert np.isfinite(run.errors).all()


def test_both_computations_give_the_same_run():
    runs = []
    for way in ("dense", "sampled"):
        problem, _, _ = entries_problem((20, 15), 0.6, computation=way)
        runs.append(baselines.alternating_minimization(problem, 3, num_iterations=20, ridge=0.1))
    assert_close(runs[0].losses, runs[1].losses, 1e-12 * runs[0].losses[0])
    assert_close(runs[0].errors, runs[1].errors, 1e-10)


def test_movielens_size_takes_no_dense_matrix(monkeypatch):
    rng = np.random.default_rng(0)
    places = rng.choice(943 * 1682, 80_000, replace=False)
    values = rng.integers(1, 6, places.size).astype(float)
    stored = scipy.sparse.coo_array((values, np.divmod(places, 1682)), shape=(943, 1682))
    problem = dlnlab.completion(stored, normalization="mean")
    monkeypatch.setattr(FactoredMatrix, "to_dense", None)
    monkeypatch.setattr(type(problem), "surrogate", None)
    monkeypatch.setattr(type(problem), "adjoint", None)
    run = baselines.alternating_minimization(problem, 5, num_iterations=3, ridge=1e-5)
    assert run.losses[-1] < run.losses[0]


# Burer–Monteiro.


def test_burer_monteiro_is_descent_on_two_layers():
    case = instance("mask", (5, 4))
    run = baselines.burer_monteiro(case.problem, 2, eta=0.1, num_steps=7, eps=0.1, rng=3)
    weights = networks.original_weights(
        (5, 4), 2, 0.1, rng=3, init="gaussian", width=2, like=case.problem.reference
    )
    B, A = weights
    for _ in range(7):
        G = case.gradient(A @ B)
        B, A = B - 0.1 * A.T @ G, A - 0.1 * G @ B.T
    assert_close(run.weights[0], B, 1000 * UNIT)
    assert_close(run.weights[1], A, 1000 * UNIT)


@pytest.mark.parametrize("kind", ["factorization", "factored", "mask", "pattern", "sensing"])
def test_spectral_factors_are_the_balanced_best_approximation(kind):
    problem = instance(kind, (5, 4)).problem
    surrogate = problem.surrogate()
    surrogate = surrogate.to_dense() if kind == "factored" else surrogate
    B, A = baselines.spectral_factors(problem, 2)
    U, s, Vh = np.linalg.svd(surrogate)
    limit = 200 * UNIT * s[0] / min(1.0, s[1] - s[2])
    assert_close(A @ B, (U[:, :2] * s[:2]) @ Vh[:2], limit * s[0])
    assert_close(A.T @ A, B @ B.T, limit * s[0])


def test_spectral_factors_beyond_the_rank_of_a_factored_target():
    target = dlnlab.random_target((6, 5), 1, rng=0, factored=True)
    B, A = baselines.spectral_factors(dlnlab.factorization(target), 3)
    assert_close(A @ B, target.to_dense(), 50 * UNIT)


@pytest.mark.parametrize("init", ["gaussian", "spectral"])
def test_burer_monteiro_recovers_a_low_rank_target(init):
    M = dlnlab.random_target((30, 25), 2, rng=0)
    problem = dlnlab.completion(M, dlnlab.random_mask((30, 25), 0.6, rng=0))
    run = baselines.burer_monteiro(
        problem, 2, eta=0.5, num_steps=4000, init=init, eps=0.1, tol=1e-22, record_every=50
    )
    assert run.status is dlnlab.Status.CONVERGED
    assert run.errors[-1] < 1e-9


COMPLETE = dlnlab.completion(np.eye(3), np.ones((3, 3), dtype=bool))
TWICE = dlnlab.completion(np.stack([np.eye(3)] * 2), np.ones((3, 3), dtype=bool))
SENSED = dlnlab.sensing(np.ones((2, 3, 3)), np.ones((4, 2)))


def alternate(problem=COMPLETE, rank=1, **options):
    return baselines.alternating_minimization(problem, rank, **({"num_iterations": 1} | options))


def descend(problem=COMPLETE, rank=1, **options):
    return baselines.burer_monteiro(problem, rank, **({"eta": 0.1, "num_steps": 1} | options))


BAD = [
    ("`problem` must be a dlnlab problem", lambda: alternate(np.eye(3))),
    ("`problem` must be completion or sensing", lambda: alternate(dlnlab.factorization(np.eye(3)))),
    ("`problem` must have no batch axes", lambda: alternate(TWICE)),
    ("`problem` must have no batch axes", lambda: alternate(SENSED)),
    ("`rank` must be an integer between 1 and 3, got 4", lambda: alternate(rank=4)),
    ("`num_iterations`", lambda: alternate(num_iterations=-1)),
    ("`ridge` must be a finite number >= 0", lambda: alternate(ridge=-1.0)),
    ("`tol`", lambda: alternate(tol=-1.0)),
    ("`init` must be one of ['gaussian', 'spectral']", lambda: alternate(init="zero")),
    ("`rng`", lambda: alternate(init="gaussian", rng="seed")),
    ("`record`", lambda: alternate(record=("gain",))),
    ("`problem` must be a dlnlab problem", lambda: descend(3)),
    ("`rank`", lambda: descend(rank=0)),
    ("`init` must be one of ['gaussian', 'spectral']", lambda: descend(init="zero")),
    ("`eps`", lambda: descend(eps=0.0)),
    ("`eta`", lambda: descend(eta=-1.0)),
]


@pytest.mark.parametrize(("message", "call"), BAD, ids=[f"{k}" for k in range(len(BAD))])
def test_bad_arguments_are_refused(message, call):
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert message in str(caught.value)


# ---------------------------------------------------------------------- ratings


def some_ratings(shape=(7, 6), count=25, seed=0):
    rng = np.random.default_rng(seed)
    users, items = np.divmod(rng.choice(shape[0] * shape[1], count, replace=False), shape[1])
    return dlnlab.Ratings(users, items, rng.integers(1, 6, count).astype(float), shape)


def dense_biases(ratings, ridge):
    """Mean and biases by one dense ridge regression on indicators of users and items."""
    n, (d_u, d_i) = len(ratings), ratings.shape
    design = np.zeros((n, d_u + d_i))
    design[np.arange(n), ratings.users] = design[np.arange(n), d_u + ratings.items] = 1.0
    mean = ratings.values.mean()
    normal = design.T @ design + ridge * np.eye(d_u + d_i)
    b, c = np.split(np.linalg.solve(normal, design.T @ (ratings.values - mean)), [d_u])
    return mean + b[:, None] + c


@pytest.mark.parametrize("ridge", [0.1, 5.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_biases_are_the_dense_ridge_regression(ridge, seed):
    ratings = some_ratings(seed=seed)
    B, A = baselines.biases(ratings, ridge=ridge)
    expected = dense_biases(ratings, ridge)
    assert_close(A @ B, expected, 1e-9, "biases")  # conjugate gradients to 1e-12, times κ ≈ 100
    assert np.abs(A @ B - dense_biases(ratings, 1.5 * ridge)).max() > 1e-3


def test_a_user_without_a_rating_gets_the_mean_and_the_item_s_number():
    ratings = dlnlab.Ratings([0, 0, 2], [0, 1, 0], [5.0, 4.0, 3.0], (3, 2))
    B, A = baselines.biases(ratings, ridge=1.0)
    assert A[1, 0] == pytest.approx(4.0)
    assert B[:, 0].tolist() == pytest.approx([1.0, (A @ B)[1, 0] - 4.0])


@pytest.mark.parametrize("seed", [0, 1])
def test_a_ridge_per_entry_counts_the_entries_of_each_row(seed):
    problem, A, y = entries_problem(seed=seed)
    fixed = np.random.default_rng(seed + 1).standard_normal((8, 2))
    found = least_squares.half_steps(problem, 0.3, by_count=True)[0].solve(fixed)
    for i in range(9):
        mine = A[:, i].any(axis=1)
        count = mine.sum()
        expected, _ = dense_half_step(A[mine, i : i + 1], y[mine], fixed.T, 0.3 * max(count, 1))
        assert_close(found[i : i + 1], expected, 1e-10, f"row {i}")
    plain = least_squares.half_steps(problem, 0.3)[0].solve(fixed)
    assert np.abs(found - plain).max() > 1e-3


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: baselines.biases(np.eye(2), ridge=1.0), TypeError, "`ratings` must be dlnlab.Rat"),
        (lambda: baselines.biases(some_ratings(), ridge=0), ValueError, "`ridge` must be a finite"),
        (
            lambda: baselines.alternating_minimization(
                sensing_problem()[0], 2, num_iterations=1, ridge_per="entry"
            ),
            TypeError,
            '`ridge_per` must be "row" for sensing',
        ),
        (
            lambda: baselines.alternating_minimization(
                entries_problem()[0], 2, num_iterations=1, ridge_per="user"
            ),
            ValueError,
            "`ridge_per` must be one of",
        ),
    ],
)
def test_bad_arguments_of_baselines(call, error, message):
    with pytest.raises(error, match=message):
        call()
