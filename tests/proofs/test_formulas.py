"""The formulas proved are the formulas run: each proof's own expression against the package's.

An expression of a proof is evaluated at random rational and floating instances and compared with
what the package computes for them; nothing is copied from one to the other.
"""

from __future__ import annotations

import math
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np
import pytest
import sympy as sp
from dlnlab.proofs import (
    closed_form,
    corollary1,
    counterexamples,
    dominance,
    early_sums,
    exact,
    gauge,
    greedy_pruning,
    group_lasso,
    large_steps,
    late_times,
    lemma1,
    pair_comparison,
    parsimony,
    plane_blocks,
    proposition1,
    short_times,
    small_targets,
    theorem1,
    theorem1_exact,
    theorem2,
    thresholding,
    turned_start,
)
from scipy.integrate import quad

import dlnlab
from dlnlab import claims, compression, networks
from dlnlab.claims import CLAIMS, pruning
from dlnlab.compression import penalty
from dlnlab.reductions import modes

DRAWS = 20
TIGHT = 1e-12
"""Relative; a few hundred roundings of double precision."""


def _draws() -> list[dict[str, Any]]:
    """Random depths, small fractions for the scales, and a singular value."""
    rng = Random(7)
    return [
        {
            "L": rng.randint(2, 5),
            "ε": sp.Rational(rng.randint(1, 9), 10),
            "σ": sp.Rational(rng.randint(1, 12), rng.randint(4, 9)),
            "η": sp.Rational(1, rng.randint(8, 30)),
            "α": sp.Rational(rng.randint(1, 9), 4),
            "μ": sp.Rational(rng.randint(0, 3), 10),
            "t": sp.Rational(rng.randint(0, 30), 7),
        }
        for _ in range(DRAWS)
    ]


def _number(expression: Any, values: dict[Any, Any]) -> float:
    return float(sp.sympify(expression).subs(values))


@pytest.mark.parametrize("draw", _draws(), ids=str)
def test_descent(draw: dict[str, Any]) -> None:
    """λ⁺, β⁺, the pair (a, b) with α ≠ 1 and weight decay, against `modes.descent`."""
    L, eta = draw["L"], draw["η"]
    arguments = (float(draw["ε"]), L, float(eta), 4)
    value, residual = draw["ε"], draw["ε"]
    for _ in range(4):
        value = theorem1.lambda_next(value, draw["σ"], eta, sp.Integer(L))
        residual = theorem1.beta_next(residual, eta, sp.Integer(L))
    found = modes.descent([float(draw["σ"]), 0.0], *arguments)[-1]
    np.testing.assert_allclose(found, [float(value**L), float(residual**L)], rtol=TIGHT)
    outer, inner, exactly = draw["ε"], draw["ε"], (draw["ε"], draw["ε"])
    known = {theorem1.alpha: draw["α"], theorem1.eta: eta, theorem1.sigma: draw["σ"]}
    known |= {theorem1.L: L, theorem1.decay: draw["μ"]}
    a, b = theorem1.a, theorem1.b
    steps = [
        theorem1.decayed(theorem1.outer_next(a, b), a, theorem1.alpha * theorem1.eta).subs(known),
        theorem1.decayed(theorem1.inner_next(a, b), b, theorem1.eta).subs(known),
    ]
    for _ in range(3):
        here = {a: outer, b: inner}
        outer, inner = (step.subs(here) for step in steps)
        exactly = theorem1_exact.next_pair(exactly, draw["σ"], eta, draw["α"], draw["μ"], L)
        assert outer == exactly[0]
        assert L == 2 or inner == exactly[1]
    options = {"alpha": float(draw["α"]), "weight_decay": float(draw["μ"])}
    run = modes.descent([float(draw["σ"])], *arguments[:3], 3, **options)[-1, 0]
    assert run == pytest.approx(float(outer**2 * exactly[1] ** (L - 2)), rel=TIGHT)


@pytest.mark.parametrize("draw", _draws(), ids=str)
def test_compressed_flow(draw: dict[str, Any]) -> None:
    """Rate, logistic function, residual value and quadrature, against `modes.flow`."""
    L, eps, t = draw["L"], float(draw["ε"]), float(draw["t"])
    values = {closed_form.L: L, closed_form.eps: draw["ε"], closed_form.target: draw["σ"]}
    values |= {closed_form.t: draw["t"]}
    fitted, residual = modes.flow([t], [float(draw["σ"]), 0.0], eps, L)[0]
    base = closed_form.residual_base(closed_form.t)
    beta = _number(closed_form.residual_root(base), values)
    assert residual == pytest.approx(beta**L, rel=TIGHT)
    if L == 2:
        logistic = _number(closed_form.logistic(closed_form.t), values)
        assert fitted == pytest.approx(logistic, rel=1e-9)  # near a fitting t is rounded
        comparison = dominance.comparison(dominance.s) / 2
        known = {dominance.s: draw["σ"], dominance.t: draw["t"], dominance.eps: draw["ε"]}
        assert fitted == pytest.approx(_number(comparison, known), rel=1e-9)
    step = 1e-4
    before, after = modes.flow([t + 1, t + 1 + 2 * step], [float(draw["σ"])], eps, L)[:, 0]
    middle = modes.flow([t + 1 + step], [float(draw["σ"])], eps, L)[0, 0]
    slope = _number(closed_form.rate(sp.Float(middle)), values)
    push = float(small_targets.push(draw["σ"], sp.Float(middle)))
    assert (after - before) / (2 * step) == pytest.approx(slope, rel=1e-5, abs=1e-9)
    assert slope == pytest.approx(L / 2 * middle ** (1 - 2 / L) * push, rel=1e-9, abs=1e-12)


def test_times() -> None:
    """Quadrature, leading time, rest and largest rest, against `modes` and `claims`."""
    rng = np.random.default_rng(3)
    for L in (3, 4, 6):
        sigma, eps, share = rng.uniform(0.5, 2), rng.uniform(0.05, 0.3), rng.uniform(0.3, 0.9)
        known = {closed_form.L: L, closed_form.eps: eps, closed_form.target: sigma}
        known |= {closed_form.theta: share, closed_form.start: eps**L / sigma}
        integrand = closed_form.integrand(closed_form.s).subs(known)
        density = sp.lambdify(closed_form.s, integrand)
        ends = np.log(eps**L / sigma), np.log(share)
        area = quad(lambda u, f=density: f(np.exp(u)) * np.exp(u), *ends, epsrel=1e-10)[0]
        time = sigma ** (2 / L - 2) / L * area
        found = modes.flow_times([share * sigma], sigma, eps, L)[0]
        assert found == pytest.approx(time, rel=1e-9)  # that of the quadrature
        leading = closed_form.leading_time() * (
            1 - (closed_form.start / closed_form.theta) ** (1 - 2 / closed_form.L)
        )
        claimed = claims.closed_form.leading_time(sigma, share, eps, L)
        assert claimed == pytest.approx(_number(leading, known), rel=TIGHT)
        bound = claims.closed_form.rest_bound(sigma, share, L)
        assert bound == pytest.approx(_number(closed_form.largest_rest(), known), rel=TIGHT)
        assert claims.closed_form.time_margins(found, sigma, share, eps, L) >= 0
        step = claims.theorem1.largest_step(sigma, L)
        assert step == pytest.approx(float(theorem1.largest_step(sigma, L)), rel=TIGHT)


def _layers(rng: np.random.Generator, widths: tuple[int, ...]) -> list[np.ndarray]:
    return [rng.normal(size=(widths[k + 1], widths[k])) for k in range(len(widths) - 1)]


@pytest.mark.parametrize("widths", [(3, 4, 2), (2, 3, 3, 2), (4, 2, 3, 2, 5)])
def test_layer_rates(widths: tuple[int, ...]) -> None:
    """Ẇ_l, its exact twin and the turned layers, against `networks` and `claims.gauge`."""
    rng = np.random.default_rng(len(widths))
    weights = _layers(rng, widths)
    gradient = rng.normal(size=(widths[-1], widths[0]))
    found = networks.layer_gradients(weights, gradient)
    field = exact.RATIONALS
    rational = [
        exact.from_rows([[field(round(8 * x)) for x in r] for r in W], field) for W in weights
    ]
    whole = exact.from_rows([[field(round(8 * x)) for x in r] for r in gradient], field)
    for place, (one, other) in enumerate(
        zip(found, exact.layer_gradients(rational, whole), strict=True)
    ):
        above = np.eye(widths[-1])
        for W in reversed(weights[place + 1 :]):
            above = above @ W
        below = np.eye(widths[0])
        for W in weights[:place]:
            below = W @ below
        rate = proposition1.layer_rate(above, gradient, below)
        np.testing.assert_allclose(-one, rate, rtol=1e-10, atol=1e-12)
        rounded = networks.layer_gradients(
            [np.round(8 * W) for W in weights], np.round(8 * gradient)
        )[place]
        np.testing.assert_array_equal(np.array(other.to_list(), dtype=float), rounded)
    turns = [np.linalg.qr(rng.normal(size=(w, w)))[0] for w in widths[1:-1]]
    turned = claims.gauge.turned(weights, turns)
    padded = [np.eye(widths[0]), *turns, np.eye(widths[-1])]
    for place, W in enumerate(weights):
        expected = gauge.turned(W, padded[place + 1], padded[place])  # type: ignore[arg-type]
        np.testing.assert_allclose(turned[place], expected, rtol=1e-10, atol=1e-12)


def test_scalars_of_the_reduction() -> None:
    """ρ_l⁺/ρ_l against what the claim expects, and against descent on the reduced network."""
    rng = np.random.default_rng(5)
    steps, decay = rng.uniform(0.01, 0.1, 3), 0.2
    scalars = [rng.uniform(0.5, 1, 3)]
    for _ in range(4):
        now = scalars[-1]
        others = [np.prod(np.delete(now, k)) for k in range(3)]
        factors = [parsimony.rho_factor(s, decay, o) for s, o in zip(steps, others, strict=True)]
        scalars.append(now * factors)
    assert claims.parsimony.scalar_margins(np.array(scalars), steps, decay) >= -TIGHT
    M = np.diag([1.0, 0.0, 0.0, 0.0])
    problem, eps, eta = dlnlab.factorization(M), 0.5, 0.1
    weights = networks.original_weights((4, 4), 3, eps, rng=0)
    run = dlnlab.gradient_descent(
        problem, weights, eta=eta, num_steps=3, record=("singular_values",)
    )
    rho = [eps] * 3
    for _ in range(3):
        rho = [rho[k] * parsimony.rho_factor(eta, 0, rho[k - 1] * rho[k - 2]) for k in range(3)]
    gap = np.abs(run.singular_values[-1] - np.prod(rho))
    assert np.sum(gap < TIGHT) >= 2  # d − 2r of the singular values


@pytest.mark.parametrize("L", [2, 3, 5])
def test_rates_of_the_svd(L: int) -> None:
    """σ̇_i and the rotations of the singular vectors, against `claims.proposition1`."""
    rng = np.random.default_rng(L)
    W, G = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    U, s, Vh = np.linalg.svd(W)
    inside = U.T @ G @ Vh.T
    value = {proposition1.L: L}
    rates = [
        _number(proposition1.singular_value_rate(sp.Float(s[i]), sp.Float(inside[i, i])), value)
        for i in range(3)
    ]
    np.testing.assert_allclose(claims.proposition1.rates(W, G, L), rates, rtol=1e-10)
    moving = claims.proposition1.vector_rates(U, s, Vh, G, L)
    left, right = U.T @ moving.left, Vh @ moving.right
    for i, j in ((0, 1), (0, 2), (1, 2)):
        pair = (sp.Float(s[i]), sp.Float(s[j])), (sp.Float(inside[i, j]), sp.Float(inside[j, i]))
        K, H = (_number(entry, value) for entry in proposition1.rotation_rates(*pair))
        assert left[i, j] == pytest.approx(K, rel=1e-9)
        assert right[i, j] == pytest.approx(H, rel=1e-9)


def test_gaps_and_bounds() -> None:
    """Corollary 1's gap, Lemma 1's remainder and the allowance, against `claims`."""
    rng = np.random.default_rng(11)
    for d, r_hat, rank in ((3, 2, 1), (4, 4, 2), (5, 2, 2)):
        M = dlnlab.random_target((d, d), rank, rng=int(rng.integers(100)))
        U, s, Vh = np.linalg.svd(M)
        start, Q = rng.uniform(0.1, 0.9), np.linalg.qr(rng.normal(size=(d, d)))[0]
        narrow = start * U[:, :r_hat] @ Vh[:r_hat]
        gap = corollary1.gap(d, r_hat, start, np.sum(s) - np.sum(Q * M))
        found = claims.corollary1.excess(M, start * Q, narrow, start, r_hat)
        size = claims.corollary1.size(M, start)
        assert found * size + (d - r_hat) * start**2 == pytest.approx(gap, rel=1e-10)
        A, B = rng.normal(size=(d, d)), rng.normal(size=(d, d))
        (P, a, Rh), (S, b, Th) = np.linalg.svd(A), np.linalg.svd(B)
        total, terms = lemma1.remainder(a, b, P.T @ S, Rh @ Th.T)
        assert np.sum((A - B) ** 2) - np.sum((a - b) ** 2) == pytest.approx(total, rel=1e-10)
        assert min(terms) >= -TIGHT
        assert claims.lemma1.margins(A, B) >= 0
        multiple = claims.theorem2.allowance(r_hat, rank, d)
        assert multiple == int(theorem2.allowance(r_hat, rank, d, 0))


@pytest.mark.parametrize("draw", _draws()[:8], ids=str)
def test_planes(draw: dict[str, Any]) -> None:
    """The scalar equations of turned starts and of blocks, against Ẇ of balanced layers."""
    L, rng = draw["L"], np.random.default_rng(int(100 * draw["σ"]))
    a, x, y = rng.uniform(0.1, 1.4), rng.uniform(0.5, 1), rng.uniform(0.1, 0.4)
    first, second = float(draw["σ"]) + 1, float(rng.uniform(-0.5, 0.5))
    for module, targets in ((turned_start, (first, 0.0)), (plane_blocks, (first, second))):
        size = module is turned_start
        weight = sum(x ** (2 * (j - 1) / L) * y ** (2 * (L - j) / L) for j in range(1, L + 1))
        known = {turned_start.angle: a, turned_start.s1: x, turned_start.s2: y}
        known |= {turned_start.kappa: weight, proposition1.L: L, turned_start.sigma: first}
        known |= {plane_blocks.first: first, plane_blocks.second: second}
        W = np.array(module.network().subs(known), dtype=float)
        moves = (turned_start.top_rate(), turned_start.bottom_rate(), turned_start.angle_rate())
        if not size:
            moves = plane_blocks.first_rate(), plane_blocks.second_rate(), plane_blocks.angle_rate()
        around = (turned_start.s1, turned_start.s2, turned_start.angle)
        moving = sum(
            (module.network().diff(s) * m for s, m in zip(around, moves, strict=True)),
            sp.zeros(2, 2),
        )
        expected = _balanced_rate(W, W - np.diag(targets), L)
        np.testing.assert_allclose(
            np.array(moving.subs(known), dtype=float), expected, rtol=1e-9, atol=1e-12
        )


@pytest.mark.parametrize(("L", "aligned"), [(2, 0), (3, 1), (5, 2)])
def test_short_times(L: int, aligned: int) -> None:
    """How far modes are behind at first, against both flows; an aligned mode is exact."""
    rng, eps, goals = np.random.default_rng(L), 0.8, np.array([1.0, 0.7, 0.4, 0.0])
    A, B = (np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(2))
    P = np.zeros((4, 4))
    P[0, 0], P[1:, 1:] = goals[aligned], A @ np.diag(np.delete(goals, aligned)) @ B.T
    Q, turn = (np.linalg.qr(rng.standard_normal((4, 4)))[0] for _ in range(2))
    P = turn @ P @ turn.T
    problem, start = dlnlab.factorization(Q @ P), [eps * np.eye(4)] * (L - 1) + [eps * Q]
    times = np.array([1e-3, 2e-3])
    run = dlnlab.gradient_flow(problem, start, t_end=2e-3, times=times, rtol=1e-13)
    behind = modes.flow(times, goals, eps, L) - run.singular_values[1:]
    slopes = behind / times[:, None]
    first = 2 * slopes[0] - slopes[1]  # without the next order
    lowest = np.linalg.eigvalsh((P + P.T) / 2)[::-1]
    for k in range(4):
        known = {short_times.L: L, short_times.eps: eps}
        known |= {short_times.goal: goals[k], short_times.eigenvalue: lowest[k]}
        expected = _number(short_times.deficit(), known)
        assert first[k] == pytest.approx(expected, abs=1e-4)
        assert expected >= -TIGHT
    assert np.max(first) > 0.01
    x = turn[:, 0]
    values = np.array([x @ Q.T @ W @ x for W in _products(problem, start, times)])
    np.testing.assert_allclose(values, modes.flow(times, goals, eps, L)[:, aligned], rtol=1e-11)


def _products(problem: Any, start: list[np.ndarray], times: np.ndarray) -> np.ndarray:
    """W_{L:1} along the flow."""
    options: dict[str, Any] = {"times": times, "rtol": 1e-13, "record": ("end_to_end",)}
    run = dlnlab.gradient_flow(problem, start, t_end=float(times[-1]), **options)
    assert run.end_to_end is not None
    return np.asarray(run.end_to_end[1:])


def _balanced_rate(W: np.ndarray, G: np.ndarray, L: int) -> np.ndarray:
    """−Σ_j [WWᵀ]^{(j−1)/L} G [WᵀW]^{(L−j)/L}."""
    U, s, Vh = np.linalg.svd(W)
    total = np.zeros_like(W)
    for j in range(1, L + 1):
        left = U @ np.diag(s ** (2 * (j - 1) / L)) @ U.T
        right = Vh.T @ np.diag(s ** (2 * (L - j) / L)) @ Vh
        total -= left @ G @ right
    return total


@pytest.mark.parametrize("theta", [0.3, 1.2, 2.9])
def test_closed_form_in_the_plane(theta: float) -> None:
    """The full closed form for L = 2 against the package's, and against an integrated flow."""
    sigma, eps, times = 1.3, 0.2, np.array([0.0, 0.5, 2.0, 7.0])
    known = {late_times.sigma: sigma, late_times.eps: eps, late_times.T: math.tan(theta / 2)}
    found = claims.closed_form.plane_flow(times, sigma, eps, theta)
    values = np.linalg.svdvals(found)
    for place, t in enumerate(times):
        here = known | {late_times.t: t}
        proved = [_number(late_times.top_value(), here), _number(late_times.bottom_value(), here)]
        np.testing.assert_allclose(values[place], sorted(proved)[::-1], rtol=1e-11)
    turn = np.array([[np.cos(theta), -np.sin(theta)], [np.sin(theta), np.cos(theta)]])
    problem = dlnlab.factorization(np.diag([sigma, 0.0]))
    run = dlnlab.gradient_flow(
        problem, (eps * np.eye(2), eps * turn), t_end=7.0, times=times, stationarity=0
    )
    last = [int(np.argmin(np.abs(run.times - t))) for t in times]
    np.testing.assert_allclose(run.singular_values[last], values, rtol=1e-6)


@pytest.mark.skipif(vars(counterexamples)["flint"] is None, reason="needs python-flint")
@pytest.mark.parametrize("name", ["RESIDUAL", "SMALL_START", "LARGE_START"])
def test_enclosed_margins_are_those_of_the_flows(name: str) -> None:
    instance = getattr(counterexamples, name)
    eps, c, s = (float(x) for x in (instance.eps, instance.cosine, instance.sine))
    values = [float(x) for x in instance.values]
    start = (eps * np.eye(2), eps * np.array([[c, -s], [s, c]]))
    t = float(instance.time)
    run = dlnlab.gradient_flow(
        dlnlab.factorization(np.diag(values)), start, t_end=t, rtol=1e-12, stationarity=0
    )
    assert run.times[-1] == t
    goals = np.array(values[: instance.rank] + [0.0] * (instance.r_hat - instance.rank))
    narrow = np.sum((modes.flow([t], goals, eps, 2)[0] - goals) ** 2)
    with vars(counterexamples)["flint"].ctx.workprec(counterexamples.PRECISION):
        enclosed = float(counterexamples.margin(instance).mid())
    assert run.errors[-1] ** 2 - narrow == pytest.approx(enclosed, rel=1e-4)


def test_witness_of_descent() -> None:
    """The exact errors of `large_steps` against descent, and the registry's witness."""
    example = large_steps.EXAMPLE
    weights = tuple(np.array(W, dtype=float) for W in large_steps.start())
    problem = dlnlab.factorization(np.array(large_steps.target(), dtype=float))
    run = dlnlab.gradient_descent(problem, weights, eta=float(example.eta), num_steps=example.steps)
    wide, narrow = large_steps.errors(example, example.steps)
    assert run.errors[-1] ** 2 == pytest.approx(float(wide), rel=TIGHT)
    fitted = modes.descent([1.0], float(example.eps), 2, float(example.eta), example.steps)[-1, 0]
    assert (fitted - 1) ** 2 == pytest.approx(float(narrow), rel=1e-10)
    witness = CLAIMS["eq13_descent"].standings[0].witness
    assert witness is not None
    assert witness.between[0] < wide - narrow < witness.between[1]
    assert (witness.eta, witness.eps) == (example.eta, example.eps)


# ---------------------------------------------------------------------- bounds along random flows


def _balanced(rng: np.random.Generator, widths: tuple[int, ...], eps: float) -> tuple[Any, ...]:
    """A balanced start that is not orthogonal: layers U_l diag(s) U_{l−1}ᵀ with one s ≤ ε."""
    count = min(widths)
    values = eps * np.sort(rng.uniform(0.3, 1, count))[::-1]
    values[0] = eps
    frames = [np.linalg.qr(rng.normal(size=(w, w)))[0][:, :count] for w in widths]
    return tuple(frames[k + 1] @ np.diag(values) @ frames[k].T for k in range(len(widths) - 1))


CASES = [
    ((3, 3, 3), (1.0, 0.7, 0.2), 0.6),
    ((3, 4, 4), (1.0, 0.4), 0.5),
    ((4, 3, 3, 4), (1.0, 0.5, 0.3), 0.7),
    ((3, 5, 3, 4), (1.2, 0.9), 0.6),
    ((4, 4, 4, 4, 4), (1.0, 0.8, 0.5), 0.75),
    ((3, 3, 3, 3, 3, 3), (1.0, 0.6), 0.8),
]
"""Widths, targets, ε."""


@pytest.mark.parametrize(("widths", "targets", "eps"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_bounds_of_every_mode(
    widths: tuple[int, ...], targets: tuple[float, ...], eps: float, seed: int
) -> None:
    """Small targets, the time shift, the pair, separation and Ky Fan along balanced flows."""
    rng, L = np.random.default_rng(seed), len(widths) - 1
    d, start = min(widths[0], widths[-1]), eps**L
    M = dlnlab.random_target(
        (widths[-1], widths[0]), len(targets), rng=seed, singular_values=targets
    )
    weights = _balanced(rng, widths, eps)
    run = dlnlab.gradient_flow(
        dlnlab.factorization(M), weights, t_end=30.0, rtol=1e-11, stationarity=0
    )
    goals = np.array([*targets, *[0.0] * (d - len(targets))])
    bound = modes.flow(run.times, goals, eps, L)
    slack = 1e-8  # the integration's own error at rtol = 1e-11, with room
    first = bound[:, 0]
    for k in range(d):
        values = run.singular_values[:, k]
        if goals[k] in (goals[0], 0.0) or goals[k] <= 2 * start:
            assert np.all(values <= bound[:, k] + slack)
        else:
            known = {closed_form.DEPTH: L, small_targets.eps: eps}
            t_k = _number(small_targets.crossing_time(sp.Float(goals[k])), known)
            tau = modes.flow_times([goals[k] / 2], goals[k], eps, L)[0]
            assert tau >= t_k
            shifted = modes.flow(run.times + tau - t_k, [goals[k]], eps, L)[:, 0]
            assert np.all(values <= shifted + slack)
        room = np.maximum(goals[0] - first, 1e-200)  # rounding may close it
        ratio = first / room * (goals[0] - start) / start
        assert np.all(values <= start * ratio ** (goals[k] / goals[0]) + slack)
        assert np.all(values <= _pair_bound(run.times, goals, k, eps, L) + 1e-6)
    if L > 2:
        live = min(widths)  # the others are zero, and −σ^{2/L−1} is −∞
        gains = eps ** (2.0 - L) - run.singular_values[:, :live] ** (2 / L - 1)
        allowed = (L - 2) * run.times[:, None] * np.cumsum(goals[:live])
        assert np.all(np.cumsum(gains, axis=1) <= allowed + 1e-6 * (1 + allowed))


@pytest.mark.parametrize(
    ("widths", "targets", "eps"),
    [
        ((4, 4, 4, 4), (1.0, 0.9, 0.8), 0.3),
        ((4, 3, 3, 5), (1.0, 0.7), 0.25),
        ((3, 4, 3, 3, 3, 4), (1.0, 0.95, 0.4), 0.5),
    ],
)
@pytest.mark.parametrize("seed", range(3))
def test_sums_lead_early(
    widths: tuple[int, ...], targets: tuple[float, ...], eps: float, seed: int
) -> None:
    """Sums of σ^q, or of logarithms, as long as the modes in them are below the share."""
    L, goals = len(widths) - 1, np.array(targets)
    shape = widths[-1], widths[0]
    M = dlnlab.random_target(shape, len(targets), rng=seed, singular_values=targets)
    weights = _balanced(np.random.default_rng(seed), widths, eps)
    half = float(modes.flow_times([0.5], goals[0], eps, L)[0])
    options = {"times": np.linspace(0, half, 101), "rtol": 1e-11, "record": ("singular_values",)}
    run = dlnlab.gradient_flow(dlnlab.factorization(M), weights, t_end=half, **options)
    values = run.singular_values[:, : goals.size]
    bound = modes.flow(run.times, goals, eps, L)
    for q in (0, 1, 4):
        known = {proposition1.L: L, early_sums.power: q}
        coordinate = np.log if q == 0 else lambda x, q=q: x**q
        below = bound <= _number(early_sums.share(), known) * goals
        early = np.logical_and.accumulate(below, axis=1)
        assert np.sum(early[:, -1]) > 9
        ahead = np.cumsum(coordinate(bound) - coordinate(values), axis=1)
        assert np.all(ahead[early] >= -1e-8)  # the integration's own error, with room


@pytest.mark.parametrize("L", [3, 4, 6])
@pytest.mark.parametrize("q", [0.5, 1.0, 4.0])
def test_speeds_of_sums_are_convex_up_to_the_share(q: float, L: int) -> None:
    """Two values brought closer, their sum kept, grow more slowly below it and faster above it."""
    known = {proposition1.L: L, early_sums.power: q}
    c = _number(early_sums.share(), known)

    def speeds(mean: float, apart: float) -> float:
        symbols = early_sums.value, early_sums.drive
        rate = sp.lambdify(symbols, early_sums.speed(*symbols).subs(known))
        return sum(rate((mean + move) ** (1 / q), 1.0) for move in (-apart, apart))

    share = c**q
    assert speeds(0.9 * share, 0.05 * share) > speeds(0.9 * share, 0.01 * share)
    assert speeds(1.1 * share, 0.05 * share) < speeds(1.1 * share, 0.01 * share)


@pytest.mark.parametrize("draw", _draws(), ids=str)
def test_speeds_of_sums_are_those_of_the_compressed_flow(draw: dict[str, Any]) -> None:
    L, q = draw["L"], 2
    near = modes.flow([0.0, 1e-6], [1.0], float(draw["ε"]), L)[:, 0]
    known = {proposition1.L: L, early_sums.power: q, early_sums.drive: 1}
    expected = _number(early_sums.speed(sp.Float(near.mean()), early_sums.drive), known)
    coordinate = _number(early_sums.coordinate(sp.Float(near[1])), known)
    moved = coordinate - _number(early_sums.coordinate(sp.Float(near[0])), known)
    assert moved / 1e-6 == pytest.approx(expected, rel=1e-6, abs=1e-9)  # of a difference


def _pair_bound(times: np.ndarray, goals: np.ndarray, k: int, eps: float, L: int) -> np.ndarray:
    """Γ^{L/2}, by a Runge–Kutta method of fourth order between the records."""
    known = {closed_form.DEPTH: L}
    symbols = sp.symbols("s x g", positive=True)
    rate = sp.lambdify(symbols, pair_comparison.pair_rate(*symbols).subs(known))
    value, found = eps**2, [eps**2]
    for before, after in pairwise(times):
        grid = np.linspace(before, after, 9)
        first = modes.flow(grid, [goals[0]], eps, L)[:, 0]
        for j in range(0, 8, 2):
            h = grid[j + 2] - grid[j]
            one = rate(goals[k], first[j], value)
            two = rate(goals[k], first[j + 1], value + h / 2 * one)
            three = rate(goals[k], first[j + 1], value + h / 2 * two)
            four = rate(goals[k], first[j + 2], value + h * three)
            value += h / 6 * (one + 2 * two + 2 * three + four)
        found.append(value)
    return np.array(found) ** (L / 2)


@pytest.mark.parametrize("L", [2, 3, 4])
@pytest.mark.parametrize("seed", range(6))
def test_theorem_2_for_any_eps(L: int, seed: int) -> None:
    """‖W − M‖² ≥ ‖W̃ − M‖² − (r̂ + k − max(r, d − r))β^{2L} where some targets start overshot."""
    rng = np.random.default_rng(100 * L + seed)
    d, rank = int(rng.integers(2, 6)), int(rng.integers(1, 3))
    targets = np.sort(rng.uniform(0.05, 1.0, rank))[::-1]
    start = float(np.exp(rng.uniform(np.log(0.04), np.log(1.2))))
    eps, overshot = start ** (1 / L), int(np.sum(targets < start))
    M = dlnlab.random_target((d, d), rank, rng=seed, singular_values=targets)
    weights = networks.original_weights((d, d), L, eps, rng=seed)
    run = dlnlab.gradient_flow(
        dlnlab.factorization(M), weights, t_end=20.0, rtol=1e-11, stationarity=0
    )
    residual = modes.flow(run.times, [0.0], eps, L)[:, 0]
    fitted = modes.flow(run.times, targets, eps, L)
    for r_hat in range(rank, d + 1):
        narrow = np.sum((fitted - targets) ** 2, axis=1) + (r_hat - rank) * residual**2
        allowed = int(theorem2.allowance(r_hat, rank, d, overshot)) * residual**2
        margin = run.errors**2 - narrow + allowed
        assert margin.min() >= -1e-8
        if r_hat <= d - 2 * rank:
            assert (run.errors**2 - narrow).min() >= -1e-8


def test_the_bounds_can_fail() -> None:
    """A start that is not balanced breaks the bound for small targets."""
    M = np.diag([1.0, 0.0])
    start = (np.diag([0.5, 0.9]), np.diag([0.5, 0.9]))
    run = dlnlab.gradient_flow(dlnlab.factorization(M), start, t_end=1.0)
    bound = modes.flow(run.times, [0.0], 0.5, 2)[:, 0]
    assert np.any(run.singular_values[:, 1] > bound + 1e-3)


# ---------------------------------------------------------------------- compression


def test_the_group_lasso_s_expressions_are_the_package_s():
    """A zero column moved along a direction, and the equation of a learned column."""
    U, M = np.zeros((3, 2)), np.diag([0.49, 0.0, 0.0])
    problem, step, lam, beta = dlnlab.factorization(M), 0.3, 0.2, 0.05
    moved = U.copy()
    moved[0, 1] = step
    values = {"σ": 0.7, "λ": lam, "β": beta}

    def f(factor: np.ndarray) -> float:
        fit = 2 * float(problem.loss(factor @ factor.T))
        return fit + lam * float(penalty.group_norm(factor, beta))

    expected = _evaluated(group_lasso.zero_column(sp.Float(step)), values)
    assert f(moved) - f(U) == pytest.approx(expected, rel=TIGHT)
    slope = penalty.gradient(problem, moved, lam, beta)[0, 1] / step
    expected = _evaluated(group_lasso.stationarity(sp.Float(step)), values)
    assert slope == pytest.approx(expected, rel=TIGHT)


def _evaluated(expression: Any, values: dict[str, float]) -> float:
    return float(expression.subs({s: values[s.name] for s in expression.free_symbols}))


def test_the_curvatures_of_fine_tuning_are_the_package_s():
    sigma, other = 0.6, 0.9
    U = np.array([[sigma, 0.0], [0.0, other], [0.0, 0.0]])
    problem = dlnlab.factorization(U @ U.T)
    columns = [
        penalty.hessian_product(problem, U, D, None, None).ravel()
        for D in np.eye(6).reshape(6, 3, 2)
    ]
    found = np.sort(np.linalg.eigvalsh(np.stack(columns)))
    sizes = greedy_pruning.curvatures()
    values = {"σ": sigma, "σ_j": other}
    swapped = {"σ": other, "σ_j": sigma}
    expected = [0.0, _evaluated(sizes["symmetric"], values)]
    for name in ("outside", "along"):
        expected += [_evaluated(sizes[name], values), _evaluated(sizes[name], swapped)]
    np.testing.assert_allclose(found, np.sort(expected), atol=1e-12)


def test_the_threshold_and_the_fixed_point_are_the_package_s():
    limit = float(thresholding.threshold().subs(thresholding.tau, 0.5))
    kept = [float(compression.shrink(np.array([[y]]), 0.5)[0, 0]) for y in (0.999, 1.001)]
    assert limit == pytest.approx(1.0)
    assert kept == [0.0, 1.001]
    W, M = (np.array(thresholding.completed(sp.Integer(x))).astype(float) for x in (-1, 1))
    problem = dlnlab.completion(M, np.array([[True, True], [True, False]]))
    run = compression.singular_value_thresholding(
        problem, W, penalty=0.5, eta=0.5, num_steps=100
    )  # 2αλ = 1/2
    np.testing.assert_allclose(run.weights[0], W, atol=1e-12)  # 100 decompositions
    assert run.losses[-1] < 1e-25
    assert run.errors[-1] == pytest.approx(np.linalg.norm(M))


def test_the_pruning_expressions_are_those_of_the_claims():
    values = {"λ": 0.2, "β": 0.05, "s": 0.3}
    square = np.array([values["s"]])
    expected = _evaluated(group_lasso.weight(group_lasso.square), values)
    assert pruning.weight(square, 0.05)[0] == pytest.approx(expected, rel=TIGHT)
    expected = _evaluated(group_lasso.penalty(group_lasso.square), values)
    assert pruning.penalty(square, 0.05)[0] == pytest.approx(expected, rel=TIGHT)
    assert pruning.smallest(0.2, 0.05) == pytest.approx(_evaluated(group_lasso.smallest(), values))
    # −φ'' is half of −w', and the excess is half the least of it times the variance, here g²
    U = np.linalg.cholesky(np.array([[1.0, 0.1], [0.1, 1.0]])).T
    found = pruning.excess(U, np.array([values["s"]]), 0.05)
    bend = _evaluated(group_lasso.bend(group_lasso.square), values) / 2
    assert found == pytest.approx(0.5 * bend * 2 * 0.1**2, rel=1e-10)
