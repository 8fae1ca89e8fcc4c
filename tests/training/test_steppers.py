"""Steps taken in place against steps with a new array for every product."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from instances import assert_close

import dlnlab
from dlnlab import networks
from dlnlab.reductions import choice
from dlnlab.training import kernels
from dlnlab.training.kernels import Bordered, Diagonal, InPlace, Plain, Run

UNIT = np.finfo(float).eps
KINDS = ("factorization", "mask", "sensing")


def make_problem(kind, shape, normalization, rng, batch=()):
    M = rng.standard_normal((*batch, *shape))
    if kind == "factorization":
        return dlnlab.factorization(M, normalization)
    if kind == "mask":
        mask = rng.random((*batch, *shape)) < 0.7
        mask[..., 0, 0] = True
        return dlnlab.completion(M, mask, normalization)
    A = rng.standard_normal((7, *shape))
    return dlnlab.sensing(A, np.einsum("mij,ij->m", A, M), normalization)


def magnitudes(problem, weights, eta, alpha):
    """|W_l| + η_l |S_l|ᵀ |∇ℓ| |P_l|ᵀ, with |∇ℓ| from absolute values of everything it adds up."""
    sizes = [np.abs(W) for W in weights]
    W = networks.prefix_products(sizes)[-1]
    if problem.entrywise() is None:
        A = np.abs(problem.matrices).reshape(7, -1)
        y = np.abs(problem.measurements)
        G = ((A @ W.reshape(-1) + y) @ A).reshape(W.shape)
    else:
        mask, y = problem.entrywise()
        G = (W if mask is None else mask * W) + np.abs(y)
    gradients = networks.backward(sizes, networks.prefix_products(sizes), problem.scale * G)
    rates = [alpha * eta, *[eta] * (len(weights) - 2), alpha * eta]
    return [W + rate * g for W, rate, g in zip(sizes, rates, gradients, strict=True)]


def check_one_step(kind, widths, normalization, alpha, decay, seed):
    rng = np.random.default_rng(seed)
    shape = (widths[-1], widths[0])
    problem = make_problem(kind, shape, normalization, rng)
    weights = tuple(rng.standard_normal((b, a)) for a, b in itertools.pairwise(widths))
    eta = 0.1
    rates = [alpha * eta, *[eta] * (len(weights) - 2), alpha * eta]
    given_weights = [W.copy() for W in weights]
    results = []
    for kind_of_stepper in (Plain, InPlace):
        stepper = kind_of_stepper(Run(problem, weights, rates, decay))
        stepper.advance(1)
        results.append(stepper.weights())
    # an entry is a sum of products of sums …: at most one rounding for each term of each product
    count = 4 * sum(widths) + 7 * shape[0] * shape[1] + 20
    bounds = magnitudes(problem, weights, eta, alpha)
    for plain, inside, bound in zip(*results, bounds, strict=True):
        assert_close(inside, plain, count * UNIT * bound, "W_l")
    for W, before in zip(weights, given_weights, strict=True):
        assert (before == W).all(), "the given weights were changed"


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.lists(st.integers(1, 6), min_size=3, max_size=6),
    st.sampled_from(("sum", "mean")),
    st.sampled_from((1.0, 0.3, 4.0)),
    st.sampled_from((None, 0.5)),
    st.integers(0, 10**6),
)
def test_a_step_in_place_is_a_plain_step(kind, widths, normalization, alpha, decay, seed):
    check_one_step(kind, widths, normalization, alpha, decay, seed)


@pytest.mark.parametrize("fault", ["no transpose", "first layer", "no mask", "shrinks twice"])
def test_a_wrong_step_is_noticed(monkeypatch, fault):
    right = kernels.arithmetic.Blas.descend
    faults = {
        "no transpose": (
            kernels.arithmetic.Blas,
            "product",
            lambda self, A, B, out, flip=False: [lambda: np.matmul(A, B, out=out)],
        ),
        "first layer": (kernels.arithmetic.Blas, "shift", lambda self, W, D: []),
        "no mask": (
            dlnlab.problems.Completion,
            "entrywise",
            lambda self: (None, self.observed),
        ),
        "shrinks twice": (
            kernels.arithmetic.Blas,
            "descend",
            lambda self, layer, W, *rest: [
                *right(self, layer, W, *rest),
                lambda: np.multiply(W, self._shrinks[layer], W),
            ],
        ),
    }
    case = ("mask", [4, 4, 4, 4], "sum", 0.5, 0.3, 1)
    check_one_step(*case)
    monkeypatch.setattr(*faults[fault])
    with pytest.raises(AssertionError):
        check_one_step(*case)


@pytest.mark.parametrize("ways", [1, 2, 3])
@pytest.mark.parametrize("normalization", ["sum", "mean"])
@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("kind", ["factorization", "mask"])
def test_a_stack_steps_as_its_members_do(monkeypatch, kind, own, normalization, ways):
    """With step sizes and decays of their own, and where `own`, with data of their own."""
    monkeypatch.setattr(kernels.in_place.threads, "available", lambda: ways)
    monkeypatch.setattr(kernels.in_place, "WORTH_THREADS", 0.0)
    monkeypatch.setattr(kernels.in_place, "CACHE", 2000)  # groups of one or two members
    rng, batch, widths = np.random.default_rng(5), (2, 3), (4, 3, 5, 3)
    problem = make_problem(kind, (3, 4), normalization, rng, batch if own else ())
    weights = tuple(
        0.5 * rng.standard_normal((*batch, b, a)) for a, b in itertools.pairwise(widths)
    )
    eta = rng.uniform(0.01, 0.1, (2, 1, 1, 1))
    rates, decay = [0.5 * eta, eta, 0.5 * eta], rng.uniform(0, 1, (3, 1, 1))
    results = []
    for kind_of_stepper in (Plain, InPlace):
        stepper = kind_of_stepper(Run(problem, weights, rates, decay, batch))
        stepper.advance(10)
        stepper.freeze(np.array([[True, False, False], [True, True, True]]))
        middle = stepper.weights()
        stepper.advance(10)
        results.append((middle, stepper.weights()))
    (plain_middle, plain), (middle, end) = results
    for there, here in zip((*plain_middle, *plain), (*middle, *end), strict=True):
        # 20 stable steps of some 100 roundings each, of numbers of size one
        assert_close(here, there, 1e5 * UNIT, "W_l")
    for before, after in zip(middle, end, strict=True):
        assert (before[0, 0] == after[0, 0]).all()
        assert (before[1] == after[1]).all()
        assert (before[0, 1] != after[0, 1]).any()
        assert (before[0, 2] != after[0, 2]).any()


def diagonal_case(depth, seed, rows=4, columns=5, count=3):
    """Layers ±a, ±b, …, ±b, ±a with different sizes in every mode, and a diagonal target."""
    rng = np.random.default_rng(seed)
    outer, inner = rng.uniform(0.1, 1.0, (2, count))
    target = np.zeros((rows, columns))
    np.fill_diagonal(target, rng.standard_normal(rows))
    shapes = [(count, columns), *[(count, count)] * (depth - 2), (rows, count)]
    weights = []
    for layer, shape in enumerate(shapes):
        W = np.zeros(shape)
        sizes = outer if layer in (0, depth - 1) else inner
        np.fill_diagonal(W, rng.choice([-1.0, 1.0], count) * sizes)
        weights.append(W)
    return target, tuple(weights)


def check_special(kind, case, eta, bound, alpha, decay, normalization):
    """Compare 30 steps of a special way, which must be the one that is chosen, with `InPlace`."""
    target, weights = case
    problem = dlnlab.factorization(target, normalization)
    eta = eta / problem.scale
    rates = [alpha * eta, *[eta] * (len(weights) - 2), alpha * eta]
    assert type(kernels.stepper(Run(problem, weights, rates, decay))) is kind
    results = []
    for way in (InPlace, kind):
        stepper = way(Run(problem, weights, rates, decay))
        stepper.advance(30)
        results.append(stepper.weights())
    for plain, special in zip(*results, strict=True):
        assert_close(special, plain, bound, "W_l")


def check_diagonal(depth, alpha, decay, normalization, seed):
    # 30 stable steps of at most 10 L roundings each, of numbers of size one
    bound = 1e4 * depth * UNIT
    case = diagonal_case(depth, seed)
    check_special(Diagonal, case, 0.05, bound, alpha, decay, normalization)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 7),
    st.sampled_from((1.0, 0.3, 2.0)),
    st.sampled_from((None, 0.01)),
    st.sampled_from(("sum", "mean")),
    st.integers(0, 10**6),
)
def test_diagonal_steps_are_those_of_the_matrices(depth, alpha, decay, normalization, seed):
    check_diagonal(depth, alpha, decay, normalization, seed)


def without_signs(right):
    def weights(self):
        self._signs = np.abs(self._signs)
        return right(self)

    return weights


def one_power_less(right):
    def step(self, *args):
        self._depth -= self._depth > 3
        calls = right(self, *args)
        self._depth = len(self._shapes)
        return calls

    return step


def kinds_swapped(right):
    def step(self, target, steps, shrink):
        return right(self, target, steps[::-1], shrink)

    return step


@pytest.mark.parametrize(
    ("method", "fault"),
    [("weights", without_signs), ("_step", one_power_less), ("_step", kinds_swapped)],
)
def test_wrong_diagonal_steps_are_noticed(monkeypatch, method, fault):
    case = (5, 0.3, 0.01, "sum", 1)
    check_diagonal(*case)
    monkeypatch.setattr(Diagonal, method, fault(getattr(Diagonal, method)))
    with pytest.raises(AssertionError):
        check_diagonal(*case)


def bordered_case(depth, seed):
    """Layers diag(B_l, ρ_l) with rectangular blocks, and such a target."""
    rng = np.random.default_rng(seed)
    widths = [4, *[3] * (depth - 1), 5]
    outer, inner = rng.uniform(-1.0, 1.0, 2)
    weights = []
    for layer, (before, after) in enumerate(itertools.pairwise(widths)):
        W = np.zeros((after + 1, before + 1))
        W[:-1, :-1] = 0.5 * rng.standard_normal((after, before))
        W[-1, -1] = outer if layer in (0, depth - 1) else inner
        weights.append(W)
    target = np.zeros((6, 5))
    target[:-1, :-1], target[-1, -1] = rng.standard_normal((5, 4)), rng.standard_normal()
    return target, tuple(weights)


def check_bordered(depth, alpha, decay, normalization, seed):
    # 30 stable steps of some 100 L roundings each, of numbers of size one
    bound = 1e5 * depth * UNIT
    case = bordered_case(depth, seed)
    check_special(Bordered, case, 0.02, bound, alpha, decay, normalization)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 7),
    st.sampled_from((1.0, 0.3, 2.0)),
    st.sampled_from((None, 0.01)),
    st.sampled_from(("sum", "mean")),
    st.integers(0, 10**6),
)
def test_a_corner_apart_steps_as_it_does_within(depth, alpha, decay, normalization, seed):
    check_bordered(depth, alpha, decay, normalization, seed)


def corner_without_alpha(right):
    def corner(self):
        self._steps = (self._steps[1] or self._steps[0], self._steps[1])
        right(self)

    return corner


@pytest.mark.parametrize(
    ("method", "fault"),
    [("_corner", corner_without_alpha), ("_corner", lambda right: lambda self: None)],
)
def test_a_wrong_corner_is_noticed(monkeypatch, method, fault):
    case = (4, 0.3, 0.01, "sum", 1)
    check_bordered(*case)
    monkeypatch.setattr(Bordered, method, fault(getattr(Bordered, method)))
    with pytest.raises(AssertionError):
        check_bordered(*case)


def test_the_reduction_of_a_wide_network_has_its_corner_apart():
    problem = dlnlab.factorization(dlnlab.random_target((40, 30), 2, rng=0))
    weights = dlnlab.original_weights((40, 30), 3, 0.3, rng=0)
    small = choice.choose(problem, weights, 0, "reduced")
    found = kernels.stepper(Run(small.problem, small.weights, [0.1] * 3))
    assert type(found) is Bordered
    rates = [0.1, 0.1, 0.2]
    assert type(kernels.stepper(Run(small.problem, small.weights, rates))) is InPlace
    moved = (*small.weights[:2], small.weights[2] + 1e-30)
    assert type(kernels.stepper(Run(small.problem, moved, [0.1] * 3))) is InPlace


def test_a_corner_that_diverges_is_told_as_any_other():
    target, weights = bordered_case(6, 0)
    weights = tuple(10.0 * W for W in weights)
    run = dlnlab.gradient_descent(dlnlab.factorization(target), weights, eta=1.0, num_steps=50)
    assert run.status is dlnlab.Status.DIVERGED


def test_what_is_not_diagonal_is_not_taken_for_it():
    target, weights = diagonal_case(3, 0)
    problem, rates = dlnlab.factorization(target), [0.1, 0.1, 0.1]

    def kind(weights, problem=problem, rates=rates):
        return type(kernels.stepper(Run(problem, weights, rates)))

    assert kind(weights) is Diagonal
    assert kind(weights, rates=[0.1, 0.1, 0.2]) is InPlace
    mask = np.ones(target.shape, dtype=bool)
    assert kind(weights, dlnlab.completion(target, mask)) is InPlace
    off = target.copy()
    off[0, 1] = 1e-30
    assert kind(weights, dlnlab.factorization(off)) is InPlace
    assert kind((weights[0], weights[1], 1.5 * weights[2])) is InPlace
    bent = weights[1].copy()
    bent[1, 0] = 1e-30
    assert kind((weights[0], bent, weights[2])) is InPlace


@pytest.mark.parametrize("r_hat", [2, 4, 8])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_a_spectral_start_runs_as_scalars_and_ends_where_the_network_does(r_hat, depth):
    """Widths above the rank; below it the ends do not span the target, and matrices remain."""
    problem = dlnlab.factorization(dlnlab.random_target((30, 25), 4, rng=0))
    weights = dlnlab.compressed_weights(problem, r_hat, depth, 0.1)
    small = choice.choose(problem, weights, 0, "reduced")
    found = type(kernels.stepper(Run(small.problem, small.weights, [0.1] * depth)))
    assert found is (Diagonal if r_hat >= 4 else InPlace)
    options = {"eta": 0.1, "alpha": 2.0, "num_steps": 400, "record_every": 40}
    record = ("loss", "error", "singular_values", "alignment", "end_to_end")
    full, scalar = (
        dlnlab.gradient_descent(problem, weights, formulation=way, record=record, **options)
        for way in ("full", "reduced")
    )
    # 400 stable steps of about 1000 roundings, of numbers of size one
    bound = 1e6 * UNIT
    assert_close(scalar.losses, full.losses, bound * full.losses[0], "loss")
    assert_close(scalar.end_to_end, full.end_to_end, bound, "W_{L:1}")
    assert_close(scalar.singular_values, full.singular_values, bound, "σ")
    aligned = scalar.left_alignments[1:, : min(r_hat, 4)]  # at the start all σ are the same
    assert_close(aligned, np.ones_like(aligned), bound, "⟨u, u*⟩")
    for W, V in zip(scalar.weights, full.weights, strict=True):
        assert_close(W, V, bound, "W_l")


def test_a_start_that_is_only_nearly_spectral_keeps_its_matrices():
    problem = dlnlab.factorization(dlnlab.random_target((30, 25), 4, rng=0))
    weights = dlnlab.compressed_weights(problem, 4, 3, 0.1)
    turned = (weights[0], weights[1] + 1e-10 * np.ones((4, 4)), weights[2])
    small = choice.choose(problem, turned, 0, "reduced")
    found = type(kernels.stepper(Run(small.problem, small.weights, [0.1] * 3)))
    assert found is InPlace


def test_what_runs_in_place():
    rng = np.random.default_rng(0)
    weights = tuple(rng.standard_normal((3, 3)) for _ in range(2))
    stack = tuple(np.stack([W, W]) for W in weights)

    def kind(problem, weights, batch=()):
        return type(kernels.stepper(Run(problem, weights, [0.1, 0.1], batch=batch)))

    dense = make_problem("mask", (3, 3), "sum", rng)
    assert kind(dense, weights) is InPlace
    assert kind(dense, stack, (2,)) is InPlace
    assert kind(make_problem("factorization", (3, 3), "sum", rng, (2,)), stack, (2,)) is InPlace
    sensing = make_problem("sensing", (3, 3), "sum", rng)
    assert kind(sensing, weights) is InPlace
    assert kind(sensing, stack, (2,)) is Plain  # it reads its ensemble once for all members
    sampled = dlnlab.completion(np.ones((3, 3)), np.eye(3, dtype=bool), computation="sampled")
    assert kind(sampled, weights) is Plain
    assert kind(dense, tuple(W.astype(np.float32) for W in weights)) is InPlace
    assert kind(dense, (weights[0], weights[1].astype(np.float32))) is Plain
    assert kind(dense, tuple(W.astype(np.longdouble) for W in weights)) is Plain


def test_extended_precision_is_computed_in_double():
    """The rule of `numerics.checks`: what BLAS and LAPACK lack is rounded once, at the door."""
    M = np.array([[1.0, 0.25], [0.0, 0.5]], dtype=np.longdouble)
    weights = tuple(np.eye(2, dtype=np.longdouble) / 3 for _ in range(2))
    options = {"eta": 0.1, "num_steps": 5, "record": ("loss",)}
    run = dlnlab.gradient_descent(dlnlab.factorization(M), weights, **options)
    double = dlnlab.gradient_descent(
        dlnlab.factorization(M.astype(float)), tuple(W.astype(float) for W in weights), **options
    )
    assert run.weights[0].dtype == np.float64
    assert np.array_equal(run.losses, double.losses)
    assert run.losses[-1] < run.losses[0]


def test_snapshots_are_not_changed_by_later_steps():
    rng = np.random.default_rng(0)
    weights = tuple(rng.standard_normal((3, 3)) for _ in range(2))
    stepper = InPlace(Run(make_problem("mask", (3, 3), "sum", rng), weights, [0.1, 0.1]))
    first = stepper.weights()
    stepper.advance(1)
    assert all((before == W).all() for W, before in zip(first, weights, strict=True))
    assert all((before != W).any() for W, before in zip(stepper.weights(), weights, strict=True))


def test_an_interrupt_within_a_stretch_returns_to_its_start(monkeypatch):
    """Half a step changes some layers and not others; what is returned is of whole steps."""
    problem = dlnlab.factorization(np.diag([1.0, 0.5]))
    weights = dlnlab.compressed_weights(problem, 2, 3, 0.1)
    options = {"eta": 0.1, "record_every": 10}
    right, calls = kernels.scalars.repeat, []

    def interrupted(lists, count):
        if len(calls) < 3:
            calls.append(count)
            return right(lists, count)
        for call in lists[0][:5]:  # as far as the last layer
            call()
        raise KeyboardInterrupt

    monkeypatch.setattr(kernels.scalars, "repeat", interrupted)
    with pytest.raises(dlnlab.Interrupted) as caught:
        dlnlab.gradient_descent(problem, weights, num_steps=1000, **options)
    monkeypatch.setattr(kernels.scalars, "repeat", right)
    again = dlnlab.gradient_descent(problem, weights, num_steps=sum(calls), **options)
    for found, expected in zip(caught.value.run.weights, again.weights, strict=True):
        assert (found == expected).all()


def test_overflow_in_a_thread_is_not_told_as_a_warning(monkeypatch):
    monkeypatch.setattr(kernels.in_place, "WORTH_THREADS", 0.0)
    monkeypatch.setattr(kernels.in_place.threads, "available", lambda: 2)
    problem = dlnlab.factorization(np.eye(3))
    weights = tuple(np.stack([2.0 * np.eye(3)] * 4) for _ in range(3))
    run = dlnlab.gradient_descent(problem, weights, eta=50.0, num_steps=40)
    assert {status.value for status in run.status} == {"diverged"}
