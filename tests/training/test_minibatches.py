"""Minibatches of measurements: unbiased gradients, literal steps, runs continued bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse

import dlnlab
from dlnlab import memory, progress
from dlnlab.problems import Completion
from dlnlab.reductions.parsimony import NoReductionError
from dlnlab.training import loop

SHAPE = (6, 5)
M = dlnlab.random_target(SHAPE, 2, rng=0)
MASK = dlnlab.random_mask(SHAPE, 0.7, rng=1)
GENERATED = dlnlab.GeneratedEnsemble(40, SHAPE, seed=0)
COSINE = dlnlab.CosineEnsemble(24, SHAPE, seed=0)


def gaussian(count=40):
    return dlnlab.gaussian_ensemble(count, SHAPE, rng=2)


def rank_one():
    rng = np.random.default_rng(3)
    return dlnlab.RankOneEnsemble(rng.standard_normal((40, 6)), rng.standard_normal((40, 5)))


def measured(ensemble, normalization="mean"):
    return dlnlab.sensing(ensemble, ensemble.measure(M), normalization, target=M)


def sensing(normalization="mean", dtype=float):
    A = gaussian().astype(dtype)
    return dlnlab.sensing(A, np.einsum("kij,ij->k", A, M), normalization, target=M)


PROBLEMS = {
    "factorization": lambda: dlnlab.factorization(M, "mean"),
    "completion": lambda: dlnlab.completion(M, MASK),
    "sampled": lambda: dlnlab.completion(
        scipy.sparse.csr_array(np.where(MASK, M, 0.0)), computation="sampled"
    ),
    "sensing": sensing,
    "sensing, sum": lambda: sensing("sum"),
    "generated": lambda: measured(GENERATED),
    "rank one": lambda: measured(rank_one()),
    "cosine": lambda: measured(COSINE, "sum"),
    "operator": lambda: dlnlab.linear_recovery(
        gaussian().reshape(40, -1), gaussian().reshape(40, -1) @ M.ravel(), SHAPE
    ),
}


def start(**options):
    return dlnlab.original_weights(SHAPE, 3, 0.5, rng=2, **options)


def dense(gradient):
    return gradient.toarray() if scipy.sparse.issparse(gradient) else gradient


def check_unbiased(problem):
    """The mean over measurements one by one is ∇ℓ, at a matrix and at factors of one."""
    rng, places = np.random.default_rng(0), problem.places
    left, right = rng.standard_normal((6, 2)), rng.standard_normal((2, 5))
    for W in (left @ right, problem.compose(left, right)):
        each = [dense(problem.gradient_of(W, np.array([k]))) for k in range(places.size)]
        expected = dense(problem.gradient(W))
        error = 1e3 * np.finfo(float).eps * np.max(np.abs(each))  # of sums of some 1000 terms
        np.testing.assert_allclose(np.mean(each, axis=0), expected, atol=error)


@pytest.mark.parametrize("kind", PROBLEMS)
def test_gradients_of_some_measurements_are_those_of_all_on_average(kind):
    check_unbiased(PROBLEMS[kind]())


def test_a_wrong_factor_would_be_noticed(monkeypatch):
    right = Completion.gradient_of
    monkeypatch.setattr(
        Completion, "gradient_of", lambda self, W, chosen: right(self, W, chosen) / 2
    )
    with pytest.raises(AssertionError):
        check_unbiased(PROBLEMS["completion"]())


@pytest.mark.parametrize("kind", PROBLEMS)
def test_a_minibatch_of_all_measurements_is_plain_descent(kind):
    problem = PROBLEMS[kind]()
    options = {"eta": 0.02 / problem.curvature, "num_steps": 20, "formulation": "full"}
    runs = [
        dlnlab.gradient_descent(problem, start(), minibatch=size, **options)
        for size in (None, problem.places.size)
    ]
    for here, there in zip(runs[1].weights, runs[0].weights, strict=True):
        # twenty stable steps of some hundred roundings each, of numbers of size one
        np.testing.assert_allclose(here, there, atol=1e4 * np.finfo(float).eps)


def literal(problem, weights, eta, num_steps, size, seed):
    """Stochastic gradient descent as it is written down, on (1/b) Σ ½(⟨A_i, W⟩ − y_i)²."""
    A, y, count = problem.matrices, problem.measurements, problem.measurements.size
    W_1, W_2, W_3 = weights
    for step in range(num_steps):
        epoch, place = divmod(step, -(-count // size))
        order = np.random.default_rng([seed, epoch]).permutation(count)
        chosen = order[place * size : (place + 1) * size]
        gap = np.einsum("kij,ij->k", A[chosen], W_3 @ W_2 @ W_1) - y[chosen]
        G = np.einsum("k,kij->ij", gap, A[chosen]) / chosen.size
        W_1, W_2, W_3 = (
            W_1 - eta * (W_3 @ W_2).T @ G,
            W_2 - eta * W_3.T @ G @ W_1.T,
            W_3 - eta * G @ (W_2 @ W_1).T,
        )
    return W_1, W_2, W_3


def test_steps_are_those_of_stochastic_gradient_descent():
    problem, options = sensing(), {"eta": 0.02, "num_steps": 11}
    run = dlnlab.gradient_descent(problem, start(), minibatch=16, rng=7, **options)
    expected = literal(problem, start(), size=16, seed=7, **options)
    for here, there in zip(run.weights, expected, strict=True):
        np.testing.assert_allclose(here, there, atol=1e4 * np.finfo(float).eps)
    other = dlnlab.gradient_descent(problem, start(), minibatch=16, rng=8, **options)
    assert (
        max(np.max(np.abs(a - b)) for a, b in zip(run.weights, other.weights, strict=True)) > 1e-3
    )


@pytest.mark.parametrize("method", ["descent", "adam"])
def test_a_run_that_stopped_within_an_epoch_continues_bit_for_bit(tmp_path, monkeypatch, method):
    monkeypatch.setattr(loop, "STRETCH", 0.0)
    problem = sensing()
    options = {"eta": 0.01, "minibatch": 7, "rng": 1, "method": method, "record_every": 10}
    whole = dlnlab.gradient_descent(problem, start(), num_steps=40, **options)
    path, right = tmp_path / "run.npz", progress.Progress.due

    def interrupted(self):
        if interrupted.left == 0:
            raise KeyboardInterrupt
        interrupted.left -= 1
        return right(self)

    interrupted.left = 15
    monkeypatch.setattr(progress.Progress, "due", interrupted)
    with pytest.raises(dlnlab.Interrupted):
        dlnlab.gradient_descent(problem, start(), num_steps=40, checkpoint=path, **options)
    monkeypatch.setattr(progress.Progress, "due", right)
    again = dlnlab.gradient_descent(problem, start(), num_steps=40, checkpoint=path, **options)
    assert all((a == b).all() for a, b in zip(again.weights, whole.weights, strict=True))
    assert (again.losses == whole.losses).all()
    changed = options | {"rng": 2}
    with pytest.raises(ValueError, match="checkpoint"):
        dlnlab.gradient_descent(problem, start(), num_steps=40, checkpoint=path, **changed)


def test_a_batch_of_networks_sees_the_same_measurements():
    problem, eta = sensing(), np.array([0.01, 0.02])
    options = {"num_steps": 12, "minibatch": 9, "rng": 0}
    run = dlnlab.gradient_descent(problem, start(batch=(2,)), eta=eta, **options)
    for k in range(2):
        one = tuple(W[k] for W in start(batch=(2,)))
        single = dlnlab.gradient_descent(problem, one, eta=float(eta[k]), **options)
        for stack, W in zip(run.weights, single.weights, strict=True):
            np.testing.assert_allclose(stack[k], W, atol=1e4 * np.finfo(float).eps)


@pytest.mark.parametrize("kind", ["factorization", "completion", "sensing"])
def test_every_library_takes_the_same_steps(backend, kind):
    A, y = gaussian(), np.einsum("kij,ij->k", gaussian(), M)
    problem = {
        "factorization": lambda on: dlnlab.factorization(on(M)),
        "completion": lambda on: dlnlab.completion(on(M), on(MASK)),
        "sensing": lambda on: dlnlab.sensing(on(A), on(y), "mean"),
    }[kind]
    options = {"eta": 0.02, "num_steps": 10, "minibatch": 6, "record": ("loss",)}
    host = dlnlab.gradient_descent(problem(np.asarray), start(), **options)
    there = dlnlab.gradient_descent(problem(backend.asarray), backend.tree(start()), **options)
    bound = 1e4 * np.finfo(float).eps
    np.testing.assert_allclose(backend.to_host(there.losses), host.losses, rtol=bound)


def test_single_precision_stays_single():
    problem = dlnlab.factorization(M.astype(np.float32))
    weights = tuple(W.astype(np.float32) for W in start())
    run = dlnlab.gradient_descent(problem, weights, eta=0.05, num_steps=10, minibatch=10)
    assert {W.dtype for W in run.weights} == {np.dtype(np.float32)}
    assert run.losses[-1] < run.losses[0]


def test_an_ensemble_in_single_precision_is_multiplied_in_double():
    problem = sensing(dtype=np.float32)
    gradient = problem.gradient_of(np.asarray(M) + 1.0, np.arange(5))
    assert gradient.dtype == np.float64


def test_no_generator_is_used_up_without_minibatches():
    rng = np.random.default_rng(0)
    dlnlab.gradient_descent(sensing(), start(), eta=0.01, num_steps=1, rng=rng)
    assert rng.integers(2**63) == np.random.default_rng(0).integers(2**63)


def test_what_cannot_be_is_refused():
    def descend(problem, **options):
        dlnlab.gradient_descent(problem, start(), eta=0.1, num_steps=1, **options)

    with pytest.raises(NoReductionError, match="`formulation` 'reduced' needs gradients of all"):
        descend(PROBLEMS["factorization"](), minibatch=3, formulation="reduced")
    with pytest.raises(ValueError, match="`minibatch` must be an integer between 1 and 30"):
        descend(PROBLEMS["factorization"](), minibatch=31)
    with pytest.raises(TypeError, match="`minibatch` must be an integer"):
        descend(PROBLEMS["factorization"](), minibatch=2.5)
    with pytest.raises(ValueError, match="`minibatch` must be None for a problem with batch axes"):
        descend(dlnlab.factorization(np.stack([M, M])), minibatch=3)
    with pytest.raises(TypeError, match="`rng`"):
        descend(PROBLEMS["factorization"](), rng="seed")


def test_the_memory_of_minibatches_is_foreseen():
    problem, record = sensing(), ("loss",)
    few, many = (memory.of_descent(problem, start(), 2, record, minibatch=b) for b in (1, 40))
    assert few.work < many.work
