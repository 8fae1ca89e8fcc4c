"""Gradient flow against closed forms, conservation laws and its own other methods."""

from __future__ import annotations

import builtins
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
from scipy import integrate, linalg

import dlnlab
from dlnlab import networks
from dlnlab.flow import calls, stacked
from dlnlab.flow.system import System
from dlnlab.numerics import compiled
from dlnlab.reductions import modes


def spectral_case(depth, eps=0.1, sigma=(2.0, 1.0), d=6):
    M = dlnlab.random_target((d, d), len(sigma), rng=0, singular_values=sigma)
    problem = dlnlab.factorization(M)
    return problem, dlnlab.compressed_weights(problem, len(sigma), depth, eps)


def clock_slack(times, sigma, depth, relative):
    """How far σ̃(t) moves when the state at its start is off by a relative amount.

    A relative error of λ at the start shifts time by that share of the fitting time, and time moves
    σ̃ at most at its largest speed, L σ*^{3−2/L} (1−u) u^{2−2/L} ≤ L σ*^{3−2/L}.
    """
    speed = depth * np.asarray(sigma) ** (3 - 2 / depth)
    return relative * np.max(times) * np.max(speed)


@pytest.mark.parametrize("depth", [2, 3, 4, 6])
@pytest.mark.parametrize("normalization", ["sum", "mean"])
def test_compressed_flow_agrees_with_the_closed_form(depth, normalization):
    M = dlnlab.random_target((6, 5), 2, rng=0, singular_values=[2.0, 1.0])
    problem = dlnlab.factorization(M, normalization)
    eps, rtol = 0.3, 1e-11
    narrow = dlnlab.compressed_weights(problem, 3, depth, eps)
    horizon = 1.5 * modes.fitting_times([1.0], eps, depth, within=0.01, scale=problem.scale)[0]
    times = np.linspace(0, horizon, 40)
    run = dlnlab.gradient_flow(problem, narrow, t_end=horizon, times=times, rtol=rtol)
    exact = modes.flow(run.times, [2.0, 1.0, 0.0], eps, depth, scale=problem.scale)
    # The tolerance holds per step; a hundred of its units cover the steps of a run.
    slack = clock_slack(run.times * problem.scale, [2.0], depth, 100 * rtol)
    assert np.abs(run.singular_values[:, :3] - exact).max() <= slack


def test_two_layer_flow_agrees_with_the_matrix_riccati_solution():
    """For L = 2, Z = [W_2; W_1ᵀ] of a balanced network has X = ZZᵀ with Ẋ = SX + XS − X², so
    X(t) = e^{tS} Z_0 (I + Z_0ᵀ ∫ e^{2sS} ds Z_0)^{-1} Z_0ᵀ e^{tS}, and W is a block of it."""
    d, eps, t = 4, 0.3, 2.5
    M = dlnlab.random_target((d, d), 3, rng=1, singular_values=[2.0, 1.0, 0.5])
    wide = dlnlab.original_weights((d, d), 2, eps, rng=2)
    run = dlnlab.gradient_flow(
        dlnlab.factorization(M), wide, t_end=t, rtol=1e-12, record=("end_to_end",), stationarity=0
    )
    S = np.block([[np.zeros((d, d)), M], [M.T, np.zeros((d, d))]])
    Z = np.vstack([wide[1], wide[0].T])
    values, vectors = np.linalg.eigh(S)
    with np.errstate(invalid="ignore", divide="ignore"):
        grown = np.where(values == 0, t, np.expm1(2 * values * t) / (2 * values))
    gram = vectors @ np.diag(grown) @ vectors.T
    E = linalg.expm(t * S)
    X = E @ Z @ np.linalg.inv(np.eye(d) + Z.T @ gram @ Z) @ Z.T @ E
    # 1e-9: a thousand units of the tolerance per step, for e^{2σt} = e^{10} of amplification.
    assert np.abs(run.end_to_end[-1] - X[:d, d:]).max() < 1e-9


@pytest.mark.parametrize("kind", ["completion", "sensing", "linear"])
def test_flow_of_any_problem_agrees_with_scipy_on_a_literal_vector_field(kind):
    rng = np.random.default_rng(3)
    M = dlnlab.random_target((4, 3), 1, rng=4)
    A = dlnlab.gaussian_ensemble(9, (4, 3), rng=5)
    y = np.einsum("mij,ij->m", A, M)
    problem = {
        "completion": lambda: dlnlab.completion(M, rng.random((4, 3)) < 0.7),
        "sensing": lambda: dlnlab.sensing(A, y, "mean", target=M),
        "linear": lambda: dlnlab.linear_recovery(A.reshape(9, 12), y, (4, 3)),
    }[kind]()
    weights = dlnlab.original_weights((4, 3), 3, 0.4, rng=6)
    shapes = [W.shape for W in weights]
    cuts = np.cumsum([W.size for W in weights])[:-1]

    def literal(t, state):
        W1, W2, W3 = (p.reshape(s) for p, s in zip(np.split(state, cuts), shapes, strict=True))
        G = problem.gradient(W3 @ W2 @ W1)
        return -np.concatenate(
            [x.ravel() for x in (W2.T @ W3.T @ G, W3.T @ G @ W1.T, G @ (W2 @ W1).T)]
        )

    start = np.concatenate([W.ravel() for W in weights])
    other = integrate.solve_ivp(literal, (0, 2.0), start, rtol=1e-12, atol=1e-14, method="LSODA")
    run = dlnlab.gradient_flow(problem, weights, t_end=2.0, rtol=1e-11, stationarity=0)
    mine = np.concatenate([W.ravel() for W in run.weights])
    # LSODA's per-step tolerance of 1e-12, over its few hundred steps, dominates.
    assert np.abs(mine - other.y[:, -1]).max() < 1e-9


def test_methods_agree_and_report_their_drift():
    problem, _ = spectral_case(3)
    wide = dlnlab.original_weights((6, 6), 3, 0.1, rng=1)
    runs = {
        method: dlnlab.gradient_flow(
            problem, wide, t_end=60.0, times=np.linspace(0, 60, 31), method=method, rtol=1e-10
        )
        for method in ("DOP853", "RK45", "stiff")
    }
    for method, run in runs.items():
        assert run.status is dlnlab.Status.COMPLETED, method
        gap = np.abs(run.singular_values - runs["DOP853"].singular_values).max()
        # CVODE controls the error per step of a multistep formula of order ≤ 5; two digits less
        # than its tolerance times the amplification 1/ε is what it delivers.
        assert gap < (1e-5 if method == "stiff" else 1e-7), method
    assert runs["DOP853"].drift < 1e-8
    assert 0 < runs["stiff"].drift < 1e-3


def test_stiff_method_without_its_package_says_what_to_install(monkeypatch):
    real = builtins.__import__

    def no_sundials(name, *args, **kwargs):
        if name.startswith("sksundae"):
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_sundials)
    problem, narrow = spectral_case(2)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'dlnlab\[stiff\]'"):
        dlnlab.gradient_flow(problem, narrow, t_end=1.0, method="stiff")


def test_balancedness_is_conserved_also_when_it_does_not_vanish():
    problem = dlnlab.factorization(dlnlab.random_target((5, 7), 2, rng=0))
    wide = dlnlab.original_weights((5, 7), 3, 0.5, rng=1, init="gaussian", width=6)
    before = networks.imbalance(wide)
    run = dlnlab.gradient_flow(problem, wide, t_end=20.0, rtol=1e-12)
    after = networks.imbalance(run.weights)
    size = max(np.sum(W**2) for W in run.weights)
    change = max(np.linalg.norm(a - b) for a, b in zip(after, before, strict=True)) / size
    assert max(np.linalg.norm(D) for D in before) > 0.1  # an unbalanced start
    # A conserved quantity drifts by the local errors: 1e-12 per step, a few hundred steps.
    assert change < 1e-9
    assert run.drift >= change


def test_a_broken_gradient_shows_in_the_drift(monkeypatch):
    """Mutation: a wrong sign of one layer's gradient no longer conserves W'W − WW'."""
    problem, _ = spectral_case(3)
    wide = dlnlab.original_weights((6, 6), 3, 0.3, rng=1)
    honest = calls.downhill

    def broken(problem, weights, outs):
        lists = honest(problem, weights, outs)
        return [
            [*part, partial(np.negative, out[0], out[0])]
            for part, out in zip(lists, outs, strict=True)
        ]

    monkeypatch.setattr(calls, "downhill", broken)
    run = dlnlab.gradient_flow(problem, wide, t_end=2.0, stationarity=0)
    assert run.drift > 1e-3


@pytest.mark.parametrize("normalization", ["sum", "mean"])
@pytest.mark.parametrize("sizes", [(3, 3, 3), (4, 6, 3), (2, 5, 1, 4), (3, 3, 3, 3, 3), (1, 1, 1)])
def test_the_velocity_by_blas_calls_is_the_chain_rule(sizes, normalization):
    """Products in other orders: to rounding; and again after the weights have changed."""
    rng = np.random.default_rng(len(sizes))
    M = rng.standard_normal((sizes[-1], sizes[0]))
    problem = dlnlab.factorization(M, normalization)
    weights = [rng.standard_normal((b, a)) for a, b in pairwise(sizes)]
    outs = [[np.full_like(W, np.nan) for W in weights] for _ in range(2)]
    assert calls.suits(problem, [W.shape for W in weights])
    lists = calls.downhill(problem, weights, outs)
    for ours, out in zip(lists, outs, strict=True):
        for W in weights:
            W += 0.1
        for call in ours:
            call()
        gradients = networks.layer_gradients(weights, problem.gradient(dlnlab.end_to_end(weights)))
        size = max(np.abs(G).max() for G in gradients)
        for velocity_of_layer, G in zip(out, gradients, strict=True):
            np.testing.assert_allclose(velocity_of_layer, -G, rtol=0, atol=1e-14 * size)


@pytest.mark.parametrize("normalization", ["sum", "mean"])
@pytest.mark.parametrize("own_targets", [False, True])
@pytest.mark.parametrize("members", [7, stacked.FEWEST, 33])
@pytest.mark.parametrize("sizes", [(3, 3, 3), (2, 5, 4), (1, 2, 1, 3), (4, 4, 4, 4, 4)])
def test_the_velocity_of_a_stack_is_the_chain_rule(sizes, members, own_targets, normalization):
    rng = np.random.default_rng(len(sizes))
    target = rng.standard_normal((members, sizes[-1], sizes[0]))
    problem = dlnlab.factorization(target if own_targets else target[0], normalization)
    weights = tuple(rng.standard_normal((members, b, a)) for a, b in pairwise(sizes))
    assert calls.suits_stack(problem, [W.shape for W in weights])
    check_velocity(System(problem, weights), weights)


def check_velocity(system, weights):
    """Raise unless the prepared calls write the gradients of a batch of networks."""
    problem, out = system.problem, np.full(system.start.size, np.nan)
    for call in system.prepared(system.start, [out])[0]:
        call()
    gradients = networks.layer_gradients(weights, problem.gradient(dlnlab.end_to_end(weights)))
    size = max(np.abs(G).max() for G in gradients)
    for rate, W, again, G in zip(
        system.unpack(out), weights, system.unpack(system.start), gradients, strict=True
    ):
        np.testing.assert_array_equal(again, W)
        np.testing.assert_allclose(rate, -G, rtol=0, atol=1e-14 * size)


# There is no such stack without the compiler, which the tests' own extra installs.
@pytest.mark.skipif(not compiled.installed(), reason="numba is not installed")
@pytest.mark.parametrize("sizes", [(6, 6, 6), (5, 8, 2, 7), (8,) * 4])
def test_larger_members_are_a_stack_where_loops_are_compiled(sizes, monkeypatch):
    rng = np.random.default_rng(0)
    weights = tuple(rng.standard_normal((12, b, a)) for a, b in pairwise(sizes))
    problem = dlnlab.factorization(rng.standard_normal((12, sizes[-1], sizes[0])))
    check_velocity(System(problem, weights), weights)
    right = stacked._downhill

    def uphill(y, sides, target, scale, *rest):
        right(y, sides, target, -scale, *rest)

    monkeypatch.setattr(stacked, "_downhill", uphill)
    with pytest.raises(AssertionError):
        check_velocity(System(problem, weights), weights)


def test_large_members_and_several_axes_are_no_stack():
    problem = dlnlab.factorization(np.eye(3))
    assert calls.suits_stack(problem, [(9, 3, 3)] * 2)
    assert not calls.suits_stack(problem, [(3, 3)] * 2)
    assert not calls.suits_stack(problem, [(4, 9, 3, 3)] * 2)
    assert not calls.suits_stack(problem, [(9, 6, 3), (9, 3, 6)])
    assert not calls.suits_stack(dlnlab.completion(np.eye(3), np.eye(3) > 0), [(9, 3, 3)] * 2)


def test_other_problems_and_batches_are_not_for_the_velocity_by_blas_calls():
    mask = np.eye(3, dtype=bool)
    assert not calls.suits(dlnlab.completion(np.eye(3), mask), [(3, 3)] * 2)
    assert not calls.suits(dlnlab.factorization(np.eye(3)), [(5, 3, 3)] * 2)
    assert not calls.suits(dlnlab.factorization(np.ones((5, 3, 3))), [(3, 3)] * 2)


def test_ends_by_stationarity_long_before_t_end():
    problem, narrow = spectral_case(3)
    run = dlnlab.gradient_flow(problem, narrow, t_end=1e6)
    assert run.status is dlnlab.Status.STATIONARY
    assert run.times[-1] < 100
    assert run.errors[-1] < 1e-5


def test_a_plateau_is_not_mistaken_for_the_end():
    """With ε = 1e-2 and σ = (1, 0.05) the network rests for 19 fitting times at rank one."""
    problem, _ = spectral_case(3, sigma=(1.0, 0.05))
    narrow = dlnlab.compressed_weights(problem, 2, 3, 1e-2)
    run = dlnlab.gradient_flow(problem, narrow, t_end=1e6, rtol=1e-9)
    assert run.status is dlnlab.Status.STATIONARY
    assert abs(run.singular_values[-1, 1] - 0.05) < 1e-6


def test_ends_at_tol_located_between_steps():
    problem, narrow = spectral_case(2)
    run = dlnlab.gradient_flow(problem, narrow, t_end=100.0, tol=1e-3)
    assert run.status is dlnlab.Status.CONVERGED
    assert run.losses[-1] == pytest.approx(1e-3, rel=1e-9)  # brentq's default relative precision


def test_ends_at_stop_and_at_once_if_there_is_nothing_to_do():
    problem, narrow = spectral_case(2, sigma=(1.0,))

    def half(t, W):
        return 0.5 - np.linalg.norm(W)

    run = dlnlab.gradient_flow(problem, narrow, t_end=100.0, stop=half)
    assert run.status is dlnlab.Status.STOPPED
    expected = modes.flow_times(0.5, 1.0, 0.1, 2)
    assert run.times[-1] == pytest.approx(float(expected), rel=1e-8)  # rtol 1e-10 per step
    done = dlnlab.gradient_flow(problem, narrow, t_end=9.0, tol=10.0)
    assert (done.status, done.times.tolist()) == (dlnlab.Status.CONVERGED, [0.0])
    rest = dlnlab.gradient_flow(problem, [np.zeros_like(W) for W in narrow], t_end=9.0, atol=1e-9)
    assert (rest.status, rest.times.tolist()) == (dlnlab.Status.STATIONARY, [0.0])


def test_an_observer_sees_every_record():
    problem, narrow = spectral_case(3)
    seen = []
    run = dlnlab.gradient_flow(
        problem,
        narrow,
        t_end=30.0,
        resolution=0.1,
        record=("layers", "end_to_end"),
        observe=lambda t, weights, W: seen.append((t, weights, W)),
    )
    times, weights, matrices = zip(*seen, strict=True)
    assert times == tuple(run.times)
    assert len(times) > 20
    for recorded, observed in zip(run.layers, zip(*weights, strict=True), strict=True):
        assert (recorded == np.stack(observed)).all()
    assert (run.end_to_end == np.stack(matrices)).all()


def test_step_budget_and_progress():
    problem, narrow = spectral_case(3)
    seen = []
    run = dlnlab.gradient_flow(
        problem, narrow, t_end=1e3, max_steps=7, progress=lambda *args: seen.append(args)
    )
    assert run.status is dlnlab.Status.BUDGET
    assert run.steps[-1] == 7
    assert "max_steps" in run.status.describe
    assert seen[0][1] == 1e3


def test_interrupt_keeps_the_record():
    problem, narrow = spectral_case(3)

    def interrupt(t, t_end, loss):
        if t > 0:
            raise KeyboardInterrupt

    with pytest.raises(dlnlab.Interrupted) as stop:
        dlnlab.gradient_flow(problem, narrow, t_end=1e6, stationarity=0, progress=interrupt)
    assert stop.value.run.status is dlnlab.Status.INTERRUPTED
    assert stop.value.run.times.size >= 2


def test_batch_is_integrated_as_one_system():
    M = dlnlab.random_target((5, 5), 2, rng=0)
    problem = dlnlab.factorization(M)
    batch = dlnlab.original_weights((5, 5), 3, 0.2, rng=1, batch=(3,))
    times = np.linspace(0, 30, 7)
    options = {"t_end": 30.0, "times": times, "rtol": 1e-11, "stationarity": 0}
    together = dlnlab.gradient_flow(problem, batch, **options)
    for k in range(3):
        alone = dlnlab.gradient_flow(problem, [W[k] for W in batch], **options)
        gap = np.abs(together.singular_values[:, k] - alone.singular_values).max()
        assert gap < 1e-8  # different steps, same tolerance, amplification 1/ε
    many = dlnlab.factorization(np.stack([M, 2 * M, 3 * M]))
    assert dlnlab.gradient_flow(many, batch, **options).losses.shape == (7, 3)


def test_stiffness_is_the_largest_eigenvalue_of_the_hessian_at_convergence():
    problem, _ = spectral_case(3, sigma=(2.0, 1.0))
    wide = dlnlab.original_weights((6, 6), 3, 0.3, rng=1)
    final = dlnlab.gradient_flow(problem, wide, t_end=200.0).weights
    system = System(problem, final)
    y, n = system.start, system.start.size
    step = 1e-6  # central differences: error step² and rounding u/step, both about 1e-10
    columns = [
        (system.velocity(0, y - step * e) - system.velocity(0, y + step * e)) / (2 * step)
        for e in np.eye(n)
    ]
    largest = np.linalg.eigvalsh((np.array(columns) + np.array(columns).T) / 2)[-1]
    assert system.stiffness(y) == pytest.approx(largest, rel=1e-5)
    assert largest == pytest.approx(3 * 2.0 ** (4 / 3), rel=1e-3)  # L σ₁^{2−2/L}, residual ε aside


# Weight decay.


def test_a_mode_without_a_target_decays_like_bernoulli():
    """λ̇ = −λ³ − μλ for L = 2: λ² = μ / ((1 + μ/ε²) e^{2μt} − 1), the value of σ̃ itself."""
    mu, eps, t = 0.3, 0.5, np.linspace(0, 6.0, 9)
    problem = dlnlab.factorization(np.diag([1.0, 0.0]))
    narrow = dlnlab.compressed_weights(problem, 2, 2, eps)
    run = dlnlab.gradient_flow(
        problem, narrow, t_end=6.0, times=t, weight_decay=mu, rtol=1e-11, stationarity=0
    )
    exact = mu / ((1 + mu / eps**2) * np.exp(2 * mu * t) - 1)
    # stable dynamics: a hundred steps of 1e-11
    assert np.abs(run.singular_values[:, 1] - exact).max() < 1e-9
    # σ̃ = σ* − μ is where −(σ̃ − σ*)λ − μλ vanishes
    assert run.singular_values[-1, 0] == pytest.approx(1 - mu, abs=1e-3)
    np.testing.assert_allclose(run.losses[-1], 0.5 * mu**2 + 0.5 * exact[-1] ** 2, rtol=1e-2)


def test_small_steps_of_descent_with_decay_approach_the_flow():
    problem, _ = spectral_case(3)
    wide = dlnlab.original_weights((6, 6), 3, 0.4, rng=1)
    options = {"weight_decay": 0.1, "record": ("end_to_end",)}
    exact = dlnlab.gradient_flow(problem, wide, t_end=4.0, stationarity=0, **options).end_to_end[-1]
    gaps = []
    for steps in (1000, 2000):
        run = dlnlab.gradient_descent(problem, wide, eta=4 / steps, num_steps=steps, **options)
        gaps.append(np.linalg.norm(run.end_to_end[-1] - exact))
    # Euler's method: halving the step halves the error, up to terms of relative order 4e-3
    assert gaps[0] / gaps[1] == pytest.approx(2, abs=0.05)


def test_the_imbalance_shrinks_with_the_weights_and_the_drift_says_so(monkeypatch):
    problem, mu = dlnlab.factorization(np.diag([2.0, 1.0, 0.5])), 0.2
    start = dlnlab.original_weights((3, 3), 3, 0.5, rng=0, init="gaussian")
    options = {"t_end": 3.0, "weight_decay": mu, "rtol": 1e-11, "stationarity": 0}
    run = dlnlab.gradient_flow(problem, start, **options)
    for now, before in zip(networks.imbalance(run.weights), networks.imbalance(start), strict=True):
        np.testing.assert_allclose(now, np.exp(-6 * mu) * before, atol=1e-9)
    assert run.drift < 1e-9
    honest = System.slopes

    def half_the_decay(self, weights, out):
        honest(self, weights, out)
        for W, slope in zip(weights, out, strict=True):
            slope += 0.5 * self.decay * W

    monkeypatch.setattr(System, "slopes", half_the_decay)
    assert dlnlab.gradient_flow(problem, start, **options).drift > 1e-3


def test_the_reduction_of_a_flow_with_decay_is_exact():
    problem = dlnlab.factorization(dlnlab.random_target((4, 9), 1, rng=0, singular_values=[1.0]))
    wide = dlnlab.original_weights((4, 9), 3, 0.4, rng=1)
    reduction = dlnlab.parsimony.reduce(problem, wide)
    options = {"t_end": 8.0, "times": [2.0, 8.0], "weight_decay": 0.1, "stationarity": 0}
    full = dlnlab.gradient_flow(problem, wide, record=("layers",), rtol=1e-11, **options)
    small = dlnlab.gradient_flow(
        reduction.problem, reduction.weights, record=("layers",), rtol=1e-11, **options
    )
    for W, V in zip(full.layers, reduction.lift(small.layers), strict=True):
        # a few hundred steps of 1e-11, amplified by less than 1/ε² on the way out of the saddle
        assert np.abs(W - V).max() < 1e-7


def test_unknown_target_leaves_errors_out():
    A = dlnlab.gaussian_ensemble(5, (3, 3), rng=0)
    problem = dlnlab.sensing(A, np.ones(5))
    weights = dlnlab.original_weights((3, 3), 2, 0.3, rng=1)
    run = dlnlab.gradient_flow(problem, weights, t_end=1.0, record=("loss", "error", "alignment"))
    assert run.errors is None
    assert run.left_alignments is None
    assert run.losses is not None


# Numbers that nothing else pins down.


@pytest.mark.parametrize(("method", "cap"), [("DOP853", 4.0), ("RK45", 2.5)])
def test_steps_of_a_fitted_network_are_as_long_as_the_cap_allows(method, cap):
    problem, narrow = spectral_case(2, eps=0.3, sigma=(1.0,))
    t_end, stiffness = 2000.0, 2.0  # L σ*^{2−2/L}
    run = dlnlab.gradient_flow(
        problem, narrow, t_end=t_end, method=method, rtol=1e-8, stationarity=0, record=()
    )
    capped = stiffness * t_end / cap
    assert capped <= run.steps[-1] < capped + 80  # and those of the rise


def test_the_drift_is_relative_to_the_largest_layer():
    problem = dlnlab.factorization(1e4 * np.diag([2.0, 1.0, 0.5]))
    start = dlnlab.original_weights((3, 3), 3, 5.0, rng=0, init="gaussian")
    run = dlnlab.gradient_flow(problem, start, t_end=1e-4, times=[1e-4], rtol=1e-6, stationarity=0)
    gaps = zip(networks.imbalance(run.weights), networks.imbalance(start), strict=True)
    change = max(float(np.linalg.norm(a - b)) for a, b in gaps)
    size = max(float(np.sum(W**2)) for W in run.weights)
    assert size > 100
    assert run.drift == pytest.approx(change / size, rel=1e-12, abs=0)
