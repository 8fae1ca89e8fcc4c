"""Gradient descent against a literal loop, and everything a run can end with."""

from __future__ import annotations

import numpy as np
import pytest
from instances import KINDS, ON_ANY_DEVICE, assert_close, instance, network

import dlnlab
from dlnlab import networks
from dlnlab.training import descent, kernels
from dlnlab.training.objective import QUANTITIES
from dlnlab.training.trajectory import Status

UNIT = np.finfo(float).eps


def literal_descent(case, weights, eta, alpha, steps, decay=0.0):
    """Eq. (2) with Algorithm 1's α and the gradient of (decay/2) Σ ‖W_l‖², transcribed."""
    layers, history = [W.copy() for W in weights], []
    depth = len(layers)
    for _ in range(steps + 1):
        W = np.linalg.multi_dot(layers[::-1])
        history.append(W)
        G = case.gradient(W)
        updated = []
        for k in range(depth):
            suffix, prefix = np.eye(layers[k].shape[0]), np.eye(W.shape[1])
            for later in layers[k + 1 :]:
                suffix = later @ suffix
            for earlier in layers[:k]:
                prefix = earlier @ prefix
            rate = alpha * eta if k in (0, depth - 1) else eta
            gradient = suffix.T @ G @ prefix.T + decay * layers[k]
            updated.append(layers[k] - rate * gradient)
        layers = updated
    return np.stack(history)


def check_against_loop(kind, depth, alpha, normalization="sum", decay=0.0):
    case = instance(kind, (3, 4), normalization)
    weights = network((4, *[3, 2, 4, 3, 3][: depth - 1], 3), seed=2)
    weights = tuple(0.5 * W for W in weights)
    eta, steps = 0.02 / case.problem.curvature, 40
    decay *= case.problem.curvature
    expected = literal_descent(case, weights, eta, alpha, steps, decay)
    run = dlnlab.gradient_descent(
        case.problem,
        weights,
        eta=eta,
        alpha=alpha,
        weight_decay=decay,
        num_steps=steps,
        record=("end_to_end", "loss"),
    )
    # 40 stable steps (η ℓ'' < 0.1: perturbations do not grow by more than e^{40·0.1}) of at most
    # 25·4·6 roundings each.
    assert_close(run.end_to_end, expected, 1e5 * UNIT, "W_{L:1}")
    assert_close(run.losses, case.loss(expected), 1e6 * UNIT, "loss")


@pytest.mark.parametrize("alpha", [1.0, 0.3])
@pytest.mark.parametrize("depth", [2, 3, 4, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_descent_is_the_literal_loop(kind, depth, alpha):
    check_against_loop(kind, depth, alpha)


@pytest.mark.parametrize("kind", KINDS)
def test_descent_is_the_literal_loop_for_mean_losses(kind):
    check_against_loop(kind, 3, 0.5, "mean")


@pytest.mark.parametrize("depth", [2, 4])
@pytest.mark.parametrize("kind", KINDS)
def test_weight_decay_is_in_the_literal_loop(kind, depth):
    check_against_loop(kind, depth, 0.3, decay=0.5)


def decay_without_alpha(rates, decay):
    return None if decay is None else [1.0 - rates[1] * decay for _ in rates]


def decay_that_grows(rates, decay):
    return None if decay is None else [1.0 + rate * decay for rate in rates]


@pytest.mark.parametrize("wrong", [decay_without_alpha, decay_that_grows])
def test_weight_decay_in_the_wrong_place_would_be_caught(monkeypatch, wrong):
    monkeypatch.setattr(kernels.protocol, "shrinkage", wrong)
    with pytest.raises(AssertionError):
        check_against_loop("factorization", 4, 0.3, decay=0.5)


def test_weight_decay_lowers_the_regularized_loss_and_records_the_plain_one():
    case, mu = instance("mask", (3, 4)), 0.2
    weights = network((4, 3, 3))
    run = dlnlab.gradient_descent(
        case.problem, weights, eta=0.01, weight_decay=mu, num_steps=50, record=("loss", "layers")
    )
    ends = [networks.end_to_end([W[k] for W in run.layers]) for k in range(51)]
    np.testing.assert_allclose(run.losses, [case.loss(W) for W in ends], rtol=1e-12)
    sizes = sum(np.sum(W**2, axis=(-2, -1)) for W in run.layers)
    assert (np.diff(run.losses + mu / 2 * sizes) < 0).all()


def test_members_of_a_batch_may_decay_differently():
    problem = instance("mask", (3, 4)).problem
    weights, decays = network((4, 3, 3)), np.array([0.0, 0.1, 2.0])
    options = {"eta": 0.01, "alpha": 0.5, "num_steps": 20}
    run = dlnlab.gradient_descent(problem, weights, weight_decay=decays, **options)
    assert run.losses.shape == (21, 3)
    for k, decay in enumerate(decays):
        alone = dlnlab.gradient_descent(problem, weights, weight_decay=float(decay), **options)
        # the same operations; BLAS may sum a batch in another order
        assert_close(run.losses[:, k], alone.losses, 1e4 * UNIT * run.losses.max())
        if decay == 0:
            plain = dlnlab.gradient_descent(problem, weights, **options)
            assert (alone.losses == plain.losses).all()


def test_members_that_are_done_do_not_decay():
    problem = dlnlab.factorization(np.diag([1.0, 0.5]))
    weights = dlnlab.compressed_weights(problem, 2, 2, 0.3)
    run = dlnlab.gradient_descent(
        problem,
        weights,
        eta=np.array([0.4, 0.01]),
        weight_decay=1e-3,
        num_steps=120,
        tol=1e-4,
        record=("loss", "layers"),
    )
    first = int(np.argmax(run.losses[:, 0] <= 1e-4))
    assert 0 < first < 119
    assert all((W[first, 0] == W[-1, 0]).all() for W in run.layers)
    assert not any((W[first, 1] == W[-1, 1]).all() for W in run.layers)


@pytest.mark.parametrize("pattern", ["everywhere", "first only", "inner", "squared"])
def test_alpha_on_other_layers_would_be_caught(monkeypatch, pattern):
    right = descent._prepare

    def wrong(*arguments):
        run = right(*arguments)
        outer, inner = run.rates[0], run.rates[1]
        run.rates = {
            "everywhere": [outer] * 4,
            "first only": [outer, inner, inner, inner],
            "inner": [inner, outer, outer, inner],
            "squared": [outer * 0.3, inner, inner, outer * 0.3],
        }[pattern]
        return run

    monkeypatch.setattr(descent, "_prepare", wrong)
    with pytest.raises(AssertionError):
        check_against_loop("factorization", 4, 0.3)


@pytest.mark.parametrize("kind", ON_ANY_DEVICE)
def test_every_device_gives_numpy_s_run(device, kind):
    here, there = instance(kind, (3, 4)), instance(kind, (3, 4), move=device.asarray)
    weights = network((4, 3, 3, 3), batch=(2,))
    options = {
        "eta": np.array([0.01, 0.02]),
        "alpha": 0.5,
        "num_steps": 20,
        "record": tuple(QUANTITIES),
    }
    expected = dlnlab.gradient_descent(here.problem, weights, **options)
    run = dlnlab.gradient_descent(there.problem, device.tree(weights), **options)
    for name in ("losses", "errors", "singular_values", "end_to_end", "imbalances"):
        got, want = device.to_host(getattr(run, name)), getattr(expected, name)
        # 20 steps of some 100 roundings each, on numbers up to the largest of the record.
        assert_close(got, want, 1e4 * UNIT * np.abs(want).max(), name)
    device.assert_home(*run.weights, *run.layers, run.left_alignments)
    assert np.array_equal(run.times, expected.times)


# Batches.


def single(batch_run, index):
    return {
        name: getattr(batch_run, name)[:, *index]
        for name in ("losses", "errors", "singular_values", "end_to_end")
    }


@pytest.mark.parametrize("kind", ["factorization", "mask", "sensing"])
def test_a_sweep_over_seeds_and_step_sizes_equals_the_single_runs(kind):
    problem = instance(kind, (3, 4)).problem
    weights = tuple(0.5 * W for W in network((4, 3, 2, 3), batch=(3, 1)))
    etas, alpha = np.array([0.002, 0.005]), np.array([[1.0], [0.5], [2.0]])
    record = ("loss", "error", "singular_values", "end_to_end")
    sweep = dlnlab.gradient_descent(
        problem, weights, eta=etas, alpha=alpha, num_steps=30, record=record
    )
    assert sweep.losses.shape == (31, 3, 2)
    assert sweep.status.shape == (3, 2)
    assert sweep.times.shape == (31, 2)
    for i, j in np.ndindex(3, 2):
        run = dlnlab.gradient_descent(
            problem,
            tuple(W[i, 0] for W in weights),
            eta=etas[j],
            alpha=alpha[i, 0],
            num_steps=30,
            record=record,
        )
        for name, value in single(sweep, (i, j)).items():
            # The same operations, but BLAS may sum a batch in another order: 30 steps of at most
            # 25·4·3 roundings.
            want = getattr(run, name)
            assert_close(value, want, 1e4 * UNIT * (1 + np.abs(want).max()), f"{name} {i, j}")
        assert np.array_equal(sweep.times[:, j], run.times)


def test_a_batch_of_targets_runs_one_network_on_each():
    M = np.random.default_rng(0).standard_normal((3, 2, 2))
    weights = network((2, 2, 2))
    run = dlnlab.gradient_descent(dlnlab.factorization(M), weights, eta=0.05, num_steps=10)
    assert run.losses.shape == (11, 3)
    for k in range(3):
        alone = dlnlab.gradient_descent(dlnlab.factorization(M[k]), weights, eta=0.05, num_steps=10)
        assert_close(run.losses[:, k], alone.losses, 1e4 * UNIT)


def test_members_that_are_done_are_frozen_while_the_others_go_on():
    problem = dlnlab.factorization(np.diag([1.0, 0.5]))
    weights = dlnlab.compressed_weights(problem, 2, 2, 0.3)
    etas = np.array([0.4, 0.05, 30.0])
    run = dlnlab.gradient_descent(problem, weights, eta=etas, num_steps=120, tol=1e-6)
    assert run.status.tolist() == [Status.CONVERGED, Status.COMPLETED, Status.DIVERGED]
    first = int(np.argmax(run.losses[:, 0] <= 1e-6))
    assert (run.losses[first:, 0] == run.losses[first, 0]).all()
    assert (np.diff(run.losses[:, 1]) < 0).all()
    assert np.isnan(run.losses[-1, 2]) or np.isinf(run.losses[-1, 2])
    alone = dlnlab.gradient_descent(problem, weights, eta=0.05, num_steps=120, tol=1e-6)
    assert_close(run.losses[:, 1], alone.losses, 1e4 * UNIT)


# How a run ends.


def problem_and_start():
    problem = dlnlab.factorization(np.diag([1.0, 0.5, 0.0]))
    return problem, dlnlab.original_weights((3, 3), 2, 0.3, rng=0)


def test_tol_ends_the_run_at_the_first_record_below_it():
    problem, weights = problem_and_start()
    run = dlnlab.gradient_descent(
        problem, weights, eta=0.2, num_steps=1000, tol=1e-3, record_every=5
    )
    assert run.status is Status.CONVERGED
    assert run.losses[-1] <= 1e-3 < run.losses[-2]
    assert run.steps[-1] % 5 == 0
    assert "tol" in run.status.describe
    already = dlnlab.gradient_descent(problem, weights, eta=0.2, num_steps=9, tol=10.0)
    assert (already.status, already.steps.tolist()) == (Status.CONVERGED, [0])


@pytest.mark.parametrize("start", [1.0, 1e200])
def test_divergence_keeps_the_record_and_warns_of_nothing(start):
    # Warnings are errors in the whole suite, so overflow on the way would fail here.
    problem, weights = problem_and_start()
    weights = tuple(start * W for W in weights)
    run = dlnlab.gradient_descent(
        problem, weights, eta=20.0, num_steps=500, record=tuple(QUANTITIES)
    )
    assert run.status is Status.DIVERGED
    assert "eta" in run.status.describe
    assert run.steps[-1] < 500
    assert np.isfinite(run.losses[:-1]).all()
    assert not np.isfinite(run.losses[-1])
    assert len(run.losses) == len(run.times) == len(run.errors)


@pytest.mark.parametrize(
    ("record_every", "expected"),
    [
        (1, range(8)),
        (3, [0, 3, 6, 7]),
        (100, [0, 7]),
        ([2, 5, 99], [0, 2, 5, 7]),
        (np.array([1]), [0, 1, 7]),
        ((), [0, 7]),
    ],
)
def test_record_policies_always_keep_the_start_and_the_end(record_every, expected):
    problem, weights = problem_and_start()
    run = dlnlab.gradient_descent(problem, weights, eta=0.1, num_steps=7, record_every=record_every)
    assert run.steps.tolist() == list(expected)
    assert_close(run.times, 0.1 * run.steps, 0.0)
    every = dlnlab.gradient_descent(problem, weights, eta=0.1, num_steps=7)
    assert np.array_equal(run.losses, every.losses[run.steps])


def test_zero_steps_record_the_start():
    problem, weights = problem_and_start()
    run = dlnlab.gradient_descent(problem, weights, eta=0.1, num_steps=0)
    assert run.steps.tolist() == [0]
    assert all(a is b for a, b in zip(run.weights, weights, strict=True))


def test_each_quantity_is_what_it_says():
    problem, weights = problem_and_start()
    names = tuple(QUANTITIES)
    run = dlnlab.gradient_descent(problem, weights, eta=0.1, num_steps=6, record=names)
    for k in range(7):
        layers = tuple(W[k] for W in run.layers)
        W = networks.end_to_end(layers)
        assert np.array_equal(run.end_to_end[k], W)
        assert run.losses[k] == problem.loss(W)
        assert run.errors[k] == problem.error(W)
        assert np.array_equal(run.singular_values[k], dlnlab.spectra.singular_values(W))
        vectors = dlnlab.spectra.alignments(W, problem.target_svd)
        assert np.array_equal(run.left_alignments[k], vectors.left, equal_nan=True)
        assert np.array_equal(run.right_alignments[k], vectors.right, equal_nan=True)
        worst = max(np.linalg.norm(D) for D in networks.imbalance(layers))
        assert_close(run.imbalances[k], worst, 10 * UNIT)
    assert all(np.array_equal(a[-1], b) for a, b in zip(run.layers, run.weights, strict=True))
    assert run.drift is None
    assert "losses, errors" in repr(run)


@pytest.mark.parametrize("name", list(QUANTITIES))
def test_only_what_is_asked_for_is_recorded(name):
    problem, weights = problem_and_start()
    run = dlnlab.gradient_descent(problem, weights, eta=0.1, num_steps=2, record=name)
    every = {field for quantity in QUANTITIES.values() for field in quantity.fields}
    recorded = {field for field in every if getattr(run, field) is not None}
    assert recorded == set(QUANTITIES[name].fields)


def test_nothing_recorded_still_converges_and_diverges():
    problem, weights = problem_and_start()
    run = dlnlab.gradient_descent(problem, weights, eta=0.2, num_steps=1000, tol=1e-3, record=())
    assert run.status is Status.CONVERGED
    assert run.losses is None


def test_an_unknown_target_leaves_errors_and_alignments_out():
    case = instance("sensing", (3, 3))
    problem = dlnlab.sensing(case.A, case.y)
    run = dlnlab.gradient_descent(
        problem, network((3, 3, 3)), eta=0.001, num_steps=3, record=tuple(QUANTITIES)
    )
    assert run.errors is run.left_alignments is run.right_alignments is None
    assert run.losses.shape == (4,)


def test_the_start_is_not_changed_and_integers_become_floats():
    problem, weights = problem_and_start()
    before = [W.copy() for W in weights]
    dlnlab.gradient_descent(problem, weights, eta=0.1, num_steps=5)
    assert all(np.array_equal(a, b) for a, b in zip(before, weights, strict=True))
    ones = (np.eye(3, dtype=int), np.eye(3, dtype=int))
    floats = tuple(W.astype(float) for W in ones)
    runs = [
        dlnlab.gradient_descent(problem, start, eta=np.array([0.1, 0.2]), num_steps=5)
        for start in (ones, floats)
    ]
    assert np.array_equal(runs[0].losses, runs[1].losses)


def test_the_stability_limit_of_a_converged_mode():
    """Local stability for α = 1: η < 2/(L σ*^{2−2/L})."""
    sigma, depth = 2.0, 3
    limit = 2 / (depth * sigma ** (2 - 2 / depth))
    problem = dlnlab.factorization(np.array([[sigma]]))
    start = (sigma ** (1 / depth) * (1 + 1e-4) * np.eye(1),) * depth
    for factor, settles in [(0.98, True), (1.02, False)]:
        run = dlnlab.gradient_descent(problem, start, eta=factor * limit, num_steps=200)
        assert (run.losses[-1] < run.losses[0]) == settles
