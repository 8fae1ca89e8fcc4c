"""Momentum and Adam against optax, what they commute with, and their state across interruptions."""

import dataclasses
import functools

import jax
import numpy as np
import optax
import pytest

import dlnlab
from dlnlab import methods, progress
from dlnlab.reductions import choice
from dlnlab.reductions.parsimony import NoReductionError
from dlnlab.training import loop

jax.config.update("jax_enable_x64", True)

OPTAX = {
    "descent": optax.sgd,
    "momentum": functools.partial(optax.sgd, momentum=0.9),
    "nesterov": functools.partial(optax.sgd, momentum=0.9, nesterov=True),
    "adam": optax.adam,
}
ETA = 0.02


def problem():
    target = dlnlab.random_target((5, 4), 2, rng=0)
    return dlnlab.completion(target, dlnlab.random_mask((5, 4), 0.6, rng=1))


def start(**options):
    return dlnlab.original_weights((5, 4), 3, 0.5, rng=3, **options)


def descend(method, weights=None, **options):
    settings = {"eta": ETA, "num_steps": 40, "record_every": 10} | options
    return dlnlab.gradient_descent(
        problem(), start() if weights is None else weights, method=method, **settings
    )


def by_optax(optimizer, weights, num_steps, decay=0.0):
    """The loop of optax's own documentation, on ℓ + (μ/2) Σ ‖W_l‖²."""
    mask, M = np.asarray(problem().mask), np.asarray(problem().target)

    def loss(weights):
        W = functools.reduce(lambda product, W: W @ product, weights)
        fit = 0.5 * ((W - M) ** 2 * mask).sum()
        return fit + 0.5 * decay * sum((W**2).sum() for W in weights)

    @jax.jit
    def step(weights, state):
        updates, state = optimizer.update(jax.grad(loss)(weights), state, weights)
        return optax.apply_updates(weights, updates), state

    state = optimizer.init(weights)
    for _ in range(num_steps):
        weights, state = step(weights, state)
    return weights


def assert_close(found, expected, tolerance):
    for A, B in zip(found, expected, strict=True):
        np.testing.assert_allclose(np.asarray(A), np.asarray(B), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", OPTAX)
def test_methods_take_the_steps_of_optax(name, decay):
    """To 1e-11: forty steps with some ten roundings each, a hundredfold amplified at most."""
    run = descend(name, weight_decay=decay)
    assert_close(run.weights, by_optax(OPTAX[name](ETA), start(), 40, decay), 1e-11)


def test_parameters_of_methods_are_those_of_optax():
    run = descend(dlnlab.methods.Adam(beta1=0.5, beta2=0.9, epsilon=1e-3))
    assert_close(run.weights, by_optax(optax.adam(ETA, 0.5, 0.9, 1e-3), start(), 40), 1e-11)
    run = descend(dlnlab.methods.Momentum(0.5, nesterov=True))
    expected = by_optax(optax.sgd(ETA, momentum=0.5, nesterov=True), start(), 40)
    assert_close(run.weights, expected, 1e-11)


@pytest.mark.parametrize("name", ["momentum", "nesterov", "adam"])
def test_another_method_would_be_noticed(name):
    expected = by_optax(OPTAX[name](ETA), start(), 40)
    for other in OPTAX.keys() - {name}:
        with pytest.raises(AssertionError):
            assert_close(descend(other).weights, expected, 1e-4)


@pytest.mark.parametrize("name", ["momentum", "nesterov", "adam"])
def test_a_batch_is_its_members(name):
    weights, eta = start(batch=(3,)), np.array([0.01, 0.02, 0.03])
    run = descend(name, weights, eta=eta, alpha=0.5, weight_decay=0.1)
    for k in range(3):
        one = descend(
            name, tuple(W[k] for W in weights), eta=float(eta[k]), alpha=0.5, weight_decay=0.1
        )
        assert_close([W[k] for W in run.weights], one.weights, 1e-12)


def test_a_converged_member_stays_where_it_is():
    weights, eta = start(batch=(2,)), np.array([0.001, 0.05])
    losses = descend("momentum", weights, eta=eta, record_every=1).losses
    tol = float(losses[20, 1])
    run = descend("momentum", weights, eta=eta, record_every=1, tol=tol, record="layers")
    assert run.status[1] is dlnlab.Status.CONVERGED
    first = int(np.argmax(losses[:, 1] <= tol))
    for layer in run.layers:
        assert (layer[first:, 1] == layer[first, 1]).all()
        assert (layer[1:, 0] != layer[:-1, 0]).any(axis=(1, 2)).all()


# Reductions.


def factorization():
    problem = dlnlab.factorization(dlnlab.random_target((60, 60), 2, rng=0))
    return problem, dlnlab.original_weights((60, 60), 3, 0.3, rng=1)


@pytest.mark.parametrize("kind", ["wide", "thin"])
@pytest.mark.parametrize("name", ["momentum", "nesterov"])
def test_linear_methods_commute_with_reductions(name, kind):
    """Both runs round some thousand times, relative to weights of order one."""
    problem, weights = factorization()
    if kind == "thin":
        weights = dlnlab.original_weights((60, 60), 3, 0.3, rng=1, width=5)
    settings = {"eta": 0.05, "num_steps": 60, "record_every": 20, "method": name}
    settings |= {"weight_decay": 0.01}
    full, reduced = (
        dlnlab.gradient_descent(problem, weights, formulation=formulation, **settings)
        for formulation in ("full", "reduced")
    )
    assert_close(reduced.weights, full.weights, 1e-11)
    assert_close([reduced.losses], [full.losses], 1e-11)


def test_adam_is_refused_a_reduction_and_would_go_elsewhere_in_one():
    problem, weights = factorization()
    with pytest.raises(NoReductionError, match="`formulation` 'reduced' needs a `method` that is"):
        choice.choose(problem, weights, 1000, "reduced", method="adam")
    assert choice.choose(problem, weights, 10**6, method="adam").name == "full"
    assert choice.choose(problem, weights, 10**6, method="momentum").name == "reduced"

    @dataclasses.dataclass(frozen=True)
    class Claimed(methods.Adam):
        is_linear = True

    full, reduced = (
        dlnlab.gradient_descent(
            problem, weights, eta=0.01, num_steps=5, formulation=f, method=Claimed()
        )
        for f in ("full", "reduced")
    )
    assert abs(full.losses[-1] - reduced.losses[-1]) > 1e-3 * full.losses[-1]


# State.


@pytest.mark.parametrize("step", [1, 17, 39])
@pytest.mark.parametrize("options", [{}, {"batch": (2,)}], ids=["one", "batch"])
@pytest.mark.parametrize("name", ["momentum", "nesterov", "adam"])
def test_resuming_is_bit_identical(tmp_path, monkeypatch, name, options, step):
    monkeypatch.setattr(loop, "STRETCH", 0.0)
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    path, whole = tmp_path / "run.npz", descend(name, start(**options))

    def stop(done, total, loss):
        if done == step:
            raise KeyboardInterrupt

    with pytest.raises(dlnlab.Interrupted):
        descend(name, start(**options), checkpoint=path, progress=stop)
    resumed = descend(name, start(**options), checkpoint=path)
    for A, B in zip(resumed.weights, whole.weights, strict=True):
        assert (A == B).all()
    assert (resumed.losses == whole.losses).all()


def test_a_checkpoint_belongs_to_its_method(tmp_path):
    path = tmp_path / "run.npz"
    descend("momentum", checkpoint=path)
    for other in ("descent", "adam", dlnlab.methods.Momentum(0.8)):
        with pytest.raises(ValueError, match="belongs to a run with other weights"):
            descend(other, checkpoint=path)
    assert (descend(dlnlab.methods.Momentum(), checkpoint=path).losses > 0).all()


@pytest.mark.parametrize("change", ["missing", "of another shape", "not finite"])
def test_a_state_that_was_changed_is_refused(tmp_path, change):
    path = tmp_path / "run.npz"
    descend("momentum", checkpoint=path)
    content = dict(np.load(path))
    name = "extra_velocity.1"
    if change == "missing":
        del content[name]
    else:
        content[name] = (
            content[name][:-1] if change == "of another shape" else content[name] * np.inf
        )
    np.savez(path, **content)
    with pytest.raises(ValueError, match=r"its field `extra_velocity\.1` must"):
        descend("momentum", checkpoint=path)


@pytest.mark.parametrize("method", ["newton", None, 3, methods.Adam, optax.sgd])
def test_what_is_no_method_is_refused(method):
    with pytest.raises((TypeError, ValueError), match="`method` must be"):
        descend(method)


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        (methods.Momentum, {"beta": 1.0}),
        (methods.Momentum, {"beta": -0.1}),
        (methods.Momentum, {"nesterov": 1}),
        (methods.Adam, {"beta1": 1.0}),
        (methods.Adam, {"beta2": float("nan")}),
        (methods.Adam, {"epsilon": 0.0}),
    ],
)
def test_parameters_of_methods_are_checked(kind, arguments):
    with pytest.raises((TypeError, ValueError), match=f"`{next(iter(arguments))}` must"):
        kind(**arguments)
