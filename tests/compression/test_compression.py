"""Compression: proximal maps, projections and pruning against oracles of their own."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from instances import assert_close, instance

import dlnlab
from dlnlab import compression
from dlnlab.compression import penalty as smooth
from dlnlab.compression import thresholding

UNIT = np.finfo(float).eps


def target(d=12, values=(1.0, 0.8, 0.6), seed=0):
    """M = Σ σ_i² v_i v_iᵀ with the given σ_i, and its factor."""
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.standard_normal((d, len(values))))[0] * np.array(values)
    return U @ U.T, U


def lasso(problem, width=12, **options):
    settings = {"penalty": 0.05, "smoothing": 1e-3, "eta": 0.05, "num_steps": 50}
    return compression.group_lasso(problem, width, **(settings | options))


def threshold(problem, weights=None, **options):
    settings = {"penalty": 0.05, "eta": 0.4, "num_steps": 30}
    return compression.singular_value_thresholding(problem, weights, **(settings | options))


# ---------------------------------------------------------------------- the objective


def literal_objective(case, U, penalty, smoothing):
    """c Σ (⟨A_i, UUᵀ⟩ − y_i)² + λ Σ ‖u‖²/√(‖u‖² + β), by loops over columns."""
    value = 2 * case.loss(U @ U.T)
    for column in U.T:
        square = column @ column
        value += penalty * square / np.sqrt(square + smoothing)
    return value


@pytest.mark.parametrize("normalization", ["sum", "mean"])
@pytest.mark.parametrize("kind", ["factorization", "mask", "pattern", "sensing", "linear_recovery"])
def test_gradient_and_hessian_have_the_right_taylor_slopes(kind, normalization):
    case = instance(kind, (5, 5), normalization)
    rng = np.random.default_rng(1)
    U, D = rng.standard_normal((2, 5, 7))
    g = smooth.gradient(case.problem, U, 3.0, 0.2)
    H = smooth.hessian_product(case.problem, U, D, 3.0, 0.2)
    first, second = np.sum(g * D), np.sum(H * D)
    h = np.array([0.02, 0.01, 0.005])
    values = np.array([literal_objective(case, U + x * D, 3.0, 0.2) for x in h])
    rest = values - literal_objective(case, U, 3.0, 0.2) - h * first
    assert np.allclose(np.diff(np.log(np.abs(rest))) / np.diff(np.log(h)), 2, atol=0.2)
    rest = rest - h**2 / 2 * second
    assert np.allclose(np.diff(np.log(np.abs(rest))) / np.diff(np.log(h)), 3, atol=0.3)


def test_a_step_is_that_of_the_definition():
    case = instance("sensing", (5, 5))
    run = lasso(case.problem, 7, num_steps=3, record=("loss", "layers"))
    U = run.layers[1][0]
    for _ in range(3):
        G = case.gradient(U @ U.T)
        s = np.sum(U**2, axis=0)
        U = U - 0.05 * (2 * (G + G.T) @ U + 0.05 * U * (s + 2e-3) / (s + 1e-3) ** 1.5)
    assert_close(run.factor, U, 1000 * UNIT * np.abs(U).max())
    assert (run.weights[0] == run.factor.T).all()


# ---------------------------------------------------------------------- pruning


@pytest.mark.parametrize("seed", [0, 2])
def test_pruning_after_the_penalty_keeps_the_rank_and_fine_tuning_recovers(seed):
    M, _ = target(seed=seed)
    problem = dlnlab.factorization(M)
    run = lasso(problem, num_steps=12_000, rng=seed, eta=0.1, record_every=12_000)
    kept = compression.prune(run.factor)
    assert kept.shape == (12, 3)
    assert (compression.prune(run.factor, np.sqrt(1e-3)) == kept).all()
    fine = compression.fine_tune(problem, kept, eta=0.1, num_steps=400, tol=1e-26)
    assert fine.status is dlnlab.Status.CONVERGED
    assert fine.errors[-1] < 1e-12
    plain = lasso(problem, penalty=0.0, num_steps=1000, rng=seed, record_every=1000)
    assert compression.prune(plain.factor).shape[1] > 3  # many columns are comparable


@pytest.mark.parametrize("count", [400, 160, 100])
def test_sensing_with_few_measurements(count):
    M, _ = target(12, (1.0, 0.7), seed=1)
    A = dlnlab.gaussian_ensemble(count, (12, 12), rng=count)
    problem = dlnlab.sensing(A, np.einsum("mij,ij->m", A, M), "mean", target=M)
    run = lasso(problem, num_steps=8000, eta=0.04, record_every=8000)
    kept = compression.prune(run.factor)
    assert kept.shape == (12, 2)
    fine = compression.fine_tune(problem, kept, eta=0.04, num_steps=1500, record_every=10)
    assert fine.errors[-1] < 1e-9 < fine.errors[0]
    assert fine.rate < 1


@pytest.mark.parametrize(("turned", "factor"), [(True, 4), (False, 8)])
def test_the_rate_of_fine_tuning(turned, factor):
    """1 − 4ησ_r², or 1 − 8ησ_r² where the columns start in the range of the target."""
    M, U = target()
    noise = np.random.default_rng(5).standard_normal(U.shape)  # the target's is 0
    start = U + 0.05 * noise if turned else 1.05 * U
    run = compression.fine_tune(
        dlnlab.factorization(M), start, eta=0.05, num_steps=600, record_every=5
    )
    # ρ is what the loss shows of the slowest direction; the next ones have died out to 1e-6
    assert run.rate == pytest.approx(1 - factor * 0.05 * 0.36, abs=1e-5)


def test_a_last_record_that_comes_sooner_is_left_out_of_the_rate():
    M, U = target()
    problem, options = dlnlab.factorization(M), {"eta": 0.05, "record_every": 5}
    whole, more = (
        compression.fine_tune(problem, 1.05 * U, num_steps=n, **options) for n in (60, 62)
    )
    assert more.rate == whole.rate


def test_without_losses_or_records_there_is_no_rate():
    problem = dlnlab.factorization(np.eye(2))
    one = compression.fine_tune(problem, np.eye(2), eta=0.1, num_steps=1)
    none = compression.fine_tune(problem, np.eye(2), eta=0.1, num_steps=5, record=())
    assert np.isnan(one.rate)
    assert np.isnan(none.rate)


def test_a_batch_is_pruned_member_by_member():
    U = np.zeros((2, 4, 3))
    U[0] = np.diag([0.0, 1.0, 2.0, 3.0])[:, 1:]
    U[1, 0, 1] = 1.0
    kept = compression.prune(U, 0.5)
    assert kept.shape == (2, 4, 3)
    assert_close(kept[0], U[0][:, ::-1], 0)
    assert_close(kept[1, :, 0], U[1, :, 1], 0)
    assert not kept[1, :, 1:].any()


def test_second_order_stationarity_against_the_dense_hessian():
    case = instance("sensing", (4, 4))
    for k in (2, 10):
        U = np.random.default_rng(k).standard_normal((4, k))
        found = compression.stationarity(case.problem, U, penalty=0.2, smoothing=0.1)
        h, size, D = 1e-4, U.size, np.eye(U.size).reshape(-1, *U.shape)

        def value(W):
            return literal_objective(case, W, 0.2, 0.1)

        gradient = np.array([(value(U + h * e) - value(U - h * e)) / (2 * h) for e in D])
        assert found.gradient_norm == pytest.approx(np.linalg.norm(gradient), rel=1e-6)
        # products of the Hessian from differences of the gradient as it is written out
        columns = [
            (smooth.gradient(case.problem, U + h * e, 0.2, 0.1)
             - smooth.gradient(case.problem, U - h * e, 0.2, 0.1)).reshape(size) / (2 * h)
            for e in D
        ]  # fmt: skip
        values = np.linalg.eigvalsh(np.stack(columns))
        # differences of third order in h, and Lanczos to 1e-6 of the norm
        assert found.smallest_eigenvalue == pytest.approx(values[0], abs=2e-6 * values[-1])


def test_a_saddle_is_told_from_a_minimum():
    M, _ = target(8, (1.0, 0.5))
    problem = dlnlab.factorization(M)
    at_zero = compression.stationarity(problem, np.zeros((8, 8)))
    assert at_zero == pytest.approx((0.0, -4.0), abs=1e-5)
    # λ < 2σ²√β leaves a direction down, λ > 2σ_1²√β none
    for lam, sign in ((0.9, -1), (1.1, 1)):
        lam = lam * 2 * 1.0 * np.sqrt(0.01)
        found = compression.stationarity(problem, np.zeros((8, 8)), penalty=lam, smoothing=0.01)
        assert np.sign(found.smallest_eigenvalue) == sign


def haar_p_value(problem, U, starts):
    """Kolmogorov–Smirnov on ‖q_1‖² of the limits U⋆Q against Beta(r/2, (k − r)/2), Haar's law."""
    run = lasso(
        problem, starts.shape[-1], penalty=0.0, factor=starts, eta=0.1, num_steps=1500,
        record_every=1500, record=("error",),
    )  # fmt: skip
    frames = np.linalg.pinv(U) @ run.factor  # rows within the range of the target
    # out of the range the surplus columns decay as 1/t only, which does not concern Q
    assert np.abs(frames @ frames.mT - np.eye(U.shape[1])).max() < 1e-3
    squares = np.sum(frames[..., 0] ** 2, axis=-1)
    r, k = U.shape[1], starts.shape[-1]
    return scipy.stats.kstest(squares, scipy.stats.beta(r / 2, (k - r) / 2).cdf).pvalue


def test_without_the_penalty_the_limit_is_a_haar_frame():
    """One column of each of 300 independent runs; another law of starts is told apart."""
    M, U = target(5, (1.0, 0.8), seed=3)
    starts = 0.3 * np.random.default_rng(7).standard_normal((300, 5, 8)) / np.sqrt(8)
    problem = dlnlab.factorization(M)
    assert haar_p_value(problem, U, starts) > 0.01
    starts[..., 0] *= 3.0  # the first column is longer: turns change this law
    assert haar_p_value(problem, U, starts) < 1e-6


# ---------------------------------------------------------------------- proximal maps


@pytest.mark.parametrize("rule", ["hard", "soft"])
@given(seed=st.integers(0, 10**6), amount=st.floats(0.01, 3.0))
def test_no_competitor_beats_the_proximal_map(rule, seed, amount):
    rng = np.random.default_rng(seed)
    Y = rng.standard_normal((5, 4))
    best = compression.shrink(Y, amount, rule)

    def objective(X):
        s = np.linalg.svd(X, compute_uv=False)
        size = np.sum(s > 1e-9) if rule == "hard" else s.sum()
        return amount * size + 0.5 * np.sum((X - Y) ** 2)

    U, s, Vh = np.linalg.svd(Y, full_matrices=False)
    others = [best + x * rng.standard_normal(Y.shape) for x in (1e-3, 1e-1, 1.0)]
    others += [(U * (s * (s > x))) @ Vh for x in (0.1, 1.0, 2.0)]
    others += [(U * np.maximum(s - x, 0)) @ Vh for x in (0.1, 1.0, 2.0)]
    others += [x * Y for x in (0.0, 0.5, 1.0)]
    assert all(objective(best) <= objective(other) + 1e-12 for other in others)


@pytest.mark.parametrize("kind", ["mask", "sensing"])
def test_soft_thresholding_agrees_with_pyproximal(kind):
    """On the convex problem ℓ + λ‖·‖_*, minimized there by accelerated proximal gradients."""
    pyproximal = pytest.importorskip("pyproximal")
    import pylops

    case = instance(kind, (6, 5), seed=3)
    A = case.A.reshape(len(case.y), -1)
    eta = 0.9 / np.linalg.norm(A, 2) ** 2
    run = threshold(
        case.problem, penalty=0.5, rule="soft", eta=eta, num_steps=4000, record_every=4000
    )
    W = pyproximal.optimization.primal.ProximalGradient(
        pyproximal.L2(Op=pylops.MatrixMult(A), b=case.y),
        pyproximal.Nuclear((6, 5), 0.5),
        x0=np.zeros(30), tau=eta, niter=1500, acceleration="fista",
    )  # fmt: skip
    assert np.linalg.norm(run.weights[0]) > 0.1
    assert_close(run.weights[0], np.asarray(W).reshape(6, 5), 1e-8)


@pytest.mark.parametrize("rule", ["hard", "soft"])
@pytest.mark.parametrize("kind", ["factorization", "mask", "sensing"])
def test_the_penalized_loss_falls_as_proved(kind, rule):
    case = instance(kind, (6, 5))
    curvature = np.linalg.eigvalsh(case.hessian())[-1]
    eta, lam = 0.7 / curvature, 0.2
    start = np.random.default_rng(0).standard_normal((6, 5))
    run = threshold(
        case.problem, start, penalty=lam, rule=rule, eta=eta, num_steps=60,
        record=("loss", "layers", "singular_values"),
    )  # fmt: skip
    s = run.singular_values
    sizes = np.sum(s > 1e-12, axis=1) if rule == "hard" else s.sum(axis=1)
    phi = run.losses + lam * sizes
    moved = np.sum(np.diff(run.layers[0], axis=0) ** 2, axis=(1, 2))
    slack = -np.diff(phi) - 0.5 * (1 / eta - curvature) * moved
    assert slack.min() >= -100 * UNIT * phi[0]


def test_a_schedule_lowers_the_rank_gradually():
    M = dlnlab.random_target((10, 8), 8, rng=0, singular_values=np.linspace(2, 0.2, 8))
    start = M.copy()
    sudden, gradual = (
        threshold(dlnlab.factorization(M), start, penalty=1.0, eta=0.5, num_steps=20, schedule=s)
        for s in ((1.0,), (0.0, 1.0))
    )
    ranks = [np.sum(run.singular_values > 1e-12, axis=1) for run in (sudden, gradual)]
    assert ranks[0][1] == 4
    assert ranks[1][1] == 8
    assert ranks[1][-1] == 4
    assert len(set(ranks[1].tolist())) > 3


def test_one_layer_of_a_network_is_thresholded():
    case = instance("factorization", (6, 6))
    weights = dlnlab.original_weights((6, 6), 3, 0.8, rng=0)
    run = threshold(case.problem, weights, eta=0.05, penalty=0.3, layer=1, num_steps=1)
    stepped = dlnlab.gradient_descent(case.problem, weights, eta=0.05, num_steps=1)
    assert_close(run.weights[0], stepped.weights[0], 1e-15)
    expected = compression.shrink(stepped.weights[1], 0.05 * 0.3)
    assert_close(run.weights[1], expected, 1e-14)


# ---------------------------------------------------------------------- projections


def covariance(n, condition, rng):
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return (Q * np.geomspace(1, 1 / condition, n)) @ Q.T


def output_error(W, V, C):
    return np.sqrt(max(np.trace((W - V) @ C @ (W - V).T), 0.0))


@given(
    seed=st.integers(0, 10**6), rank=st.integers(1, 4), condition=st.sampled_from([1.0, 10.0, 1e4])
)
def test_no_matrix_of_the_rank_has_a_smaller_output_error(seed, rank, condition):
    rng = np.random.default_rng(seed)
    W, C = rng.standard_normal((6, 5)), covariance(5, condition, rng)
    V = compression.weighted_svd(W, rank, C)
    assert np.linalg.matrix_rank(V, tol=1e-10) <= rank
    best = output_error(W, V, C)
    for scale in (1e-4, 1e-2, 1.0):
        B, A = compression.split(V, rank)
        noise = [scale * rng.standard_normal(X.shape) for X in (B, A)]
        assert best <= output_error(W, (A + noise[1]) @ (B + noise[0]), C) + 1e-12
    # a least-squares fit of one factor to the other, from a random start
    A = rng.standard_normal((6, rank))
    for _ in range(5):
        B = np.linalg.lstsq(A, W, rcond=None)[0]
        A = W @ C @ B.T @ np.linalg.pinv(B @ C @ B.T)
        assert best <= output_error(W, A @ B, C) + 1e-10
    assert best <= output_error(W, compression.truncated_svd(W, rank), C) + 1e-12


def test_the_projection_is_the_formula_with_the_inverse_root():
    rng = np.random.default_rng(0)
    W, C = rng.standard_normal((6, 5)), covariance(5, 100.0, rng)
    values, vectors = np.linalg.eigh(C)
    root, inverse = ((vectors * values**p) @ vectors.T for p in (0.5, -0.5))
    U, s, Vh = np.linalg.svd(W @ root)
    expected = (U[:, :2] * s[:2]) @ Vh[:2] @ inverse
    assert_close(compression.weighted_svd(W, 2, C), expected, 1e-12)
    assert_close(
        compression.weighted_svd(W, 2, 3 * np.eye(5)), compression.truncated_svd(W, 2), 1e-13
    )


def test_a_singular_covariance_and_a_diagonal_that_loses():
    rng = np.random.default_rng(0)
    W, X = rng.standard_normal((4, 6)), rng.standard_normal((6, 3))
    assert_close(compression.weighted_svd(W, 3, X @ X.T) @ X, W @ X, 1e-12)  # three inputs only
    C = covariance(30, 1e3, np.random.default_rng(0))
    W = np.random.default_rng(1).standard_normal((40, 30))
    forms = (None, np.diag(np.diag(C)), C)
    plain, crude, full = (
        output_error(W, compression.weighted_svd(W, 3, np.eye(30) if S is None else S), C)
        for S in forms
    )
    assert full < 0.9 * plain
    assert plain < crude


# ---------------------------------------------------------------------- batches, devices, resuming


@pytest.mark.parametrize("kind", ["factorization", "mask", "sensing"])
def test_a_batch_runs_its_members_side_by_side(kind):
    case = instance(kind, (5, 5), "mean")
    lams = np.array([0.0, 0.05, 0.2])
    starts = np.random.default_rng(0).standard_normal((3, 5, 6)) / 3
    batch = lasso(case.problem, 6, penalty=lams, factor=starts, eta=np.array([0.01, 0.02, 0.01]))
    hard = threshold(case.problem, penalty=lams, eta=0.05)
    for k in range(3):
        one = lasso(case.problem, 6, penalty=lams[k], factor=starts[k], eta=(0.01, 0.02, 0.01)[k])
        assert_close(batch.factor[k], one.factor, 1e-13)
        alone = threshold(case.problem, penalty=lams[k], eta=0.05)
        assert_close(hard.weights[0][k], alone.weights[0], 1e-13)


@pytest.mark.parametrize("kind", ["factorization", "mask", "sensing"])
def test_every_library_gives_the_same(kind, backend):
    host, there = instance(kind, (5, 5)), instance(kind, (5, 5), move=backend.asarray)
    start = np.random.default_rng(0).standard_normal((5, 6)) / 3
    one = lasso(host.problem, 6, factor=start)
    other = lasso(there.problem, 6, factor=backend.asarray(start))
    assert_close(backend.to_host(other.factor), one.factor, 1e-12)
    kept = compression.prune(backend.asarray(np.diag([1.0, 0.0, 2.0])), 0.5)
    assert backend.to_host(kept).tolist() == [[0.0, 1.0], [0.0, 0.0], [2.0, 0.0]]
    for rule in ("hard", "soft"):
        a, b = (threshold(c.problem, rule=rule, eta=0.05) for c in (host, there))
        assert_close(backend.to_host(b.weights[0]), a.weights[0], 1e-12)
    C = covariance(5, 10.0, np.random.default_rng(0))
    found = compression.weighted_svd(backend.asarray(host.M), 2, backend.asarray(C))
    assert_close(backend.to_host(found), compression.weighted_svd(host.M, 2, C), 1e-12)
    point = compression.stationarity(there.problem, backend.asarray(start), penalty=0.1)
    again = compression.stationarity(host.problem, start, penalty=0.1)
    assert_close(np.array(point), np.array(again), 1e-10)


RUNS = {
    "lasso": lambda problem, **options: lasso(problem, 6, **options),
    "fine": lambda problem, **options: compression.fine_tune(
        problem, np.eye(5)[:, :2] + 0.1, **({"eta": 0.02, "num_steps": 50} | options)
    ),
    "hard": lambda problem, **options: threshold(problem, **({"eta": 0.05} | options)),
}


@pytest.mark.parametrize("kind", RUNS)
def test_a_resumed_run_is_the_uninterrupted_one(kind, tmp_path):
    run, problem = RUNS[kind], instance("mask", (5, 5)).problem
    whole = run(problem, num_steps=40)
    path = tmp_path / "run.npz"
    run(problem, num_steps=15, checkpoint=path)
    again = run(problem, num_steps=40, checkpoint=path)
    for name in ("losses", "errors", "singular_values", "steps"):
        assert (getattr(again, name) == getattr(whole, name)).all(), name
    for a, b in zip(again.weights, whole.weights, strict=True):
        assert (a == b).all()


@pytest.mark.parametrize(
    "other",
    [{"penalty": 0.06}, {"smoothing": 2e-3}, {"eta": 0.04}, {"rng": 1}],
    ids=lambda o: next(iter(o)),
)
def test_a_checkpoint_of_another_run_is_refused(other, tmp_path):
    problem, path = instance("mask", (5, 5)).problem, tmp_path / "run.npz"
    lasso(problem, 6, checkpoint=path)
    with pytest.raises(ValueError, match="belongs to a run with other"):
        lasso(problem, 6, checkpoint=path, **other)


def test_the_length_of_a_schedule_is_part_of_the_run(tmp_path):
    problem, path = instance("mask", (5, 5)).problem, tmp_path / "run.npz"
    threshold(problem, schedule=(0.0, 1.0), num_steps=10, checkpoint=path)
    with pytest.raises(ValueError, match="belongs to a run with other"):
        threshold(problem, schedule=(0.0, 1.0), num_steps=20, checkpoint=path)


def test_progress_and_divergence():
    seen, problem = [], instance("factorization", (5, 5)).problem
    lasso(problem, 6, progress=lambda *what: seen.append(what))
    assert seen
    assert seen[-1][1] == 50
    run = lasso(problem, 6, eta=50.0)
    assert run.status is dlnlab.Status.DIVERGED
    run = threshold(problem, eta=50.0, num_steps=1000, penalty=0.0)
    assert run.status is dlnlab.Status.DIVERGED


@pytest.mark.parametrize("rule", ["hard", "soft"])
def test_a_member_that_diverges_leaves_the_others_alone(rule):
    problem, start = instance("factorization", (5, 5)).problem, np.eye(5)
    options = {"rule": rule, "num_steps": 400, "record_every": 400}
    both = threshold(problem, np.stack([start] * 2), eta=np.array([1e-3, 1e30]), **options)
    alone = threshold(problem, start, eta=1e-3, **options)
    assert list(both.status) == [dlnlab.Status.COMPLETED, dlnlab.Status.DIVERGED]
    assert (both.weights[0][0] == alone.weights[0]).all()


# ---------------------------------------------------------------------- bad input


SQUARE = dlnlab.factorization(np.eye(3))
LONG = dlnlab.factorization(np.ones((3, 2)))
BAD = [
    ("`problem` must be a dlnlab problem", lambda: lasso(np.eye(3))),
    ("`problem` must be of square shape", lambda: lasso(LONG)),
    ("`problem` must be of square shape", lambda: compression.fine_tune(
        LONG, np.ones((3, 1)), eta=0.1, num_steps=1)),
    ("`width`", lambda: lasso(SQUARE, 0)),
    ("`penalty`", lambda: lasso(SQUARE, 3, penalty=-1.0)),
    ("`smoothing`", lambda: lasso(SQUARE, 3, smoothing=0.0)),
    ("`eta`", lambda: lasso(SQUARE, 3, eta=0.0)),
    ("`factor` must have shape (..., 3, 4)", lambda: lasso(SQUARE, 4, factor=np.eye(3))),
    ("must have batch axes that broadcast", lambda: lasso(
        SQUARE, 3, penalty=np.ones(2), smoothing=np.ones(3))),
    ("`factor` must have shape (..., 3, k)", lambda: compression.fine_tune(
        SQUARE, np.eye(2), eta=0.1, num_steps=1)),
    ("`threshold` must leave at least one column", lambda: compression.prune(np.eye(3), 2.0)),
    ("`factor` must have a column that is not zero", lambda: compression.prune(np.zeros((3, 3)))),
    ("`factor` must have a finite gradient", lambda: compression.stationarity(
        dlnlab.factorization(np.eye(3)), 1e149 * np.eye(3))),
    ("`threshold` must be one of ['auto']", lambda: compression.prune(np.eye(3), "gap")),
    ("`factor`", lambda: compression.prune(np.array([1.0, np.nan]))),
    ("`rule` must be one of", lambda: threshold(SQUARE, rule="medium")),
    ("`weights` must be a matrix of the problem's shape", lambda: threshold(SQUARE, np.eye(2))),
    ("`schedule` must hold at least one", lambda: threshold(SQUARE, schedule=())),
    ("`schedule`", lambda: threshold(SQUARE, schedule=(-1.0,))),
    ("`layer` must be an integer between 0 and 0", lambda: threshold(SQUARE, layer=1)),
    ("`amount`", lambda: compression.shrink(np.eye(2), -1.0)),
    ("`amount` must be a number or an array of the batch", lambda: compression.shrink(
        np.eye(2), np.ones(3))),
    ("`rank` must be an integer between 1 and 2", lambda: compression.truncated_svd(np.eye(2), 3)),
    ("`covariance` must have shape", lambda: compression.weighted_svd(np.eye(2), 1, np.eye(3))),
    ("`covariance` must be symmetric", lambda: compression.weighted_svd(
        np.eye(2), 1, np.array([[1.0, 1.0], [0.0, 1.0]]))),
    ("`covariance` must be positive semidefinite", lambda: compression.weighted_svd(
        np.eye(2), 1, -np.eye(2))),
    ("`factor` must have no batch axes", lambda: compression.stationarity(
        SQUARE, np.ones((2, 3, 1)))),
]  # fmt: skip


@pytest.mark.parametrize(("message", "call"), BAD, ids=[f"{k}" for k in range(len(BAD))])
def test_bad_arguments_are_refused(message, call):
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    assert message in str(caught.value)


# ---------------------------------------------------------------------- the tests can fail


@pytest.mark.parametrize("name", ["_slope", "_squares"])
def test_a_fault_in_the_gradient_is_found(monkeypatch, name):
    right = getattr(smooth, name)
    monkeypatch.setattr(smooth, name, lambda *args: 1.1 * right(*args))
    with pytest.raises(AssertionError):
        test_gradient_and_hessian_have_the_right_taylor_slopes("sensing", "sum")


def test_a_fault_in_the_proximal_map_is_found(monkeypatch):
    right = thresholding._shrunk
    monkeypatch.setattr(thresholding, "_shrunk", lambda W, amount, rule: right(W, 2 * amount, rule))
    with pytest.raises(AssertionError):
        test_no_competitor_beats_the_proximal_map("soft")


def test_runs_are_frozen():
    run = lasso(SQUARE, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        run.seconds = 0.0
