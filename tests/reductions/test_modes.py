"""The scalar dynamics of one mode, against quadrature, an ODE solver and the full network."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instances import assert_close
from scipy import integrate

import dlnlab
from dlnlab.reductions import modes

UNIT = np.finfo(float).eps
DEPTHS = [2, 3, 4, 5, 6]
# Scale and target of a mode: starts far below, near and above its target.
STARTS = [(1e-3, 1.0), (0.1, 1.0), (0.1, 3.0), (0.5, 0.2), (0.9, 1.0), (1.5, 1.0), (2.0, 0.1)]


def exact_time(value, target, eps, depth, scale=1.0):
    """∫ dσ / (c L σ^{2−2/L} (σ* − σ)) from ε^L to σ, to 40 digits."""
    with mpmath.workdps(40):
        start, goal = mpmath.mpf(eps) ** depth, mpmath.mpf(target)
        power = 2 - mpmath.mpf(2) / depth

        def speed(log):
            sigma = mpmath.e**log
            return sigma / (scale * depth * sigma**power * (goal - sigma))

        # Substituting log σ spreads the plateau; the pieces keep the near-pole at the end resolved.
        ends = mpmath.linspace(mpmath.log(start), mpmath.log(mpmath.mpf(value)), 5)
        integral, error = mpmath.quad(speed, ends, error=True)
        assert error < 1e-20 * abs(integral)
        return integral


def conditioning(time, value, target, depth, scale=1.0):
    """Relative error that rounding of its arguments alone puts into t(σ).

    t depends on σ with slope 1/σ̇ and on σ* with slope of about t/σ* + 1/σ̇, so relative errors u of
    both move t by u (t + (σ + σ*)/|σ̇|).
    """
    speed = scale * depth * value ** (2 - 2 / depth) * abs(target - value)
    return UNIT * (abs(time) + (value + target) / speed)


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("eps", "target"), STARTS)
def test_flow_times_are_the_integral(eps, target, depth):
    start = eps**depth
    for share in (1e-3, 0.7, 1 - 1e-9):
        value = start + share * (target - start)
        exact = float(exact_time(value, target, eps, depth, 0.7))
        got = float(modes.flow_times(value, target, eps, depth, scale=0.7))
        bound = 30 * conditioning(exact, value, target, depth, 0.7)
        bound += 30 * conditioning(exact, start, target, depth, 0.7)
        assert_close(got, exact, bound, f"time of {value}")


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("eps", "target"), STARTS)
def test_flow_inverts_flow_times(eps, target, depth):
    """σ(t(σ)) = σ up to the rounding of t, which moves σ by σ̇ u t, and of σ itself."""
    start = eps**depth
    values = start + np.array([0.0, 1e-6, 0.2, 0.5, 0.9, 1 - 1e-6]) * (target - start)
    times = modes.flow_times(values, target, eps, depth)
    back = modes.flow(times, [target], eps, depth)[:, 0]
    speed = depth * values ** (2 - 2 / depth) * np.abs(target - values)
    # The rounding of σ* and ε acts like one of t and of the start, by the same slopes; 30 covers
    # the number of operations in the closed form.
    slope = speed / (depth * start ** (2 - 2 / depth) * abs(target - start))
    bound = 30 * UNIT * (values + speed * times + slope * (start + target))
    assert_close(back, values, bound, "σ(t(σ))")


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("eps", "target"), [*STARTS, (0.3, 0.0), (1.2, 0.0)])
def test_flow_solves_the_differential_equation(eps, target, depth):
    """λ̇ = c(σ* − λ^L)λ^{L−1}, integrated by an independent solver to rtol 1e-12."""
    rise = 0.0 if target == 0 else float(modes.fitting_times([target], eps, depth, within=0.01)[0])
    times = np.linspace(0.0, 2 * (rise or 5.0), 12)

    def velocity(t, y):
        return 0.5 * (target - y**depth) * y ** (depth - 1)

    solution = integrate.solve_ivp(
        velocity, (0, times[-1]), [eps], "DOP853", times, rtol=1e-12, atol=1e-14
    )
    got = modes.flow(times, [target], eps, depth, scale=0.5)[:, 0]
    # A relative error of 1e-12 per step made on the plateau is stretched like the escape itself,
    # dλ(t)/dλ(0) = λ̇(t)/λ̇(0); a few hundred steps.
    expected = solution.y[0] ** depth
    scale = max(target, eps**depth)
    growth = 1 + np.abs(velocity(0, solution.y[0]) / velocity(0, eps)) * eps if target != eps else 1
    assert_close(got, expected, 1e-9 * scale * np.maximum(growth, 1), "σ(t)")


def test_depth_two_is_the_logistic_function():
    t, eps, target, c = np.linspace(0, 30, 7), 0.05, 0.8, 0.6
    logistic = target / (1 + (target / eps**2 - 1) * np.exp(-2 * c * target * t))
    got = modes.flow(t, [target], eps, 2, scale=c)[:, 0]
    # exp(−2cσ*t) rounds by u·2cσ*t <= 30 u.
    assert_close(got, logistic, 60 * UNIT * logistic)


@pytest.mark.parametrize("goal", [0.001, np.nextafter(0.1**3, 1), 0.1**3 * (1 + 1e-12)])
def test_a_mode_a_few_roundings_from_its_target_stays_there(goal):
    """0.1³ is not 0.001 in floating point, though 3 log 0.1 and log 0.001 are the same number."""
    values = modes.flow([0.0, 1.0, 1e3, 1e6], [goal], 0.1, 3)
    assert np.abs(values / goal - 1).max() <= 1.1e-12  # never further than it started


def test_a_mode_at_its_target_stays_and_a_mode_without_one_decays():
    t = np.array([0.0, 1.0, 100.0])
    assert modes.flow(t, [0.125], 0.5, 3).tolist() == [[0.125]] * 3
    beta = 0.5 * (1 + 4 * 0.5**4 * t) ** (-1 / 4)
    assert_close(modes.flow(t, [0.0], 0.5, 3)[:, 0], beta**3, 20 * UNIT)


@given(
    st.integers(2, 6), st.floats(1e-4, 2.0), st.lists(st.floats(1e-3, 10.0), min_size=1, max_size=3)
)
def test_flow_is_monotone_between_its_start_and_its_target(depth, eps, goals):
    """Theorem 1: every mode moves from ε^L to σ* without overshoot, whatever the parameters."""
    times = np.concatenate([[0.0], np.geomspace(1e-3, 1e9, 60)])
    values = modes.flow(times, goals, eps, depth)
    start = eps**depth
    for column, goal in zip(values.T, goals, strict=True):
        low, high = sorted((start, goal))
        rounding = 1e-12 * high  # the clock's rounding near a fitting, about u times log(σ*/ε^L) L
        assert (column >= low - rounding).all()
        assert (column <= high + rounding).all()
        assert (np.sign(goal - start) * np.diff(column) >= -rounding).all()


# Fitting times.


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize(("eps", "target"), STARTS)
def test_fitting_times_are_when_the_edge_is_crossed(eps, target, depth):
    within, start = 0.05, eps**depth
    (time,) = modes.fitting_times([target], eps, depth, within=within)
    if abs(start - target) <= within * target:
        assert time == 0.0
        return
    edge = target * (1 + within if start > target else 1 - within)
    exact = float(exact_time(edge, target, eps, depth))
    bound = 30 * conditioning(exact, edge, target, depth)
    bound += 30 * conditioning(exact, start, target, depth)
    assert_close(time, exact, bound)


def test_fitting_time_of_a_mode_that_starts_fitted_is_zero():
    assert modes.fitting_times([1.0], 0.99, 2, within=0.05).tolist() == [0.0]


@pytest.mark.parametrize("depth", [3, 4, 5, 6])
@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_fitting_time_to_leading_order_in_eps(depth, sigma):
    """t_i ~ ε^{2−L}/((L − 2) σ_i*): the ratio tends to 1, with the next term like ε^{L−2}·(…)."""
    ratios = []
    for eps in (1e-2, 1e-3, 1e-4):
        time = modes.fitting_times([sigma], eps, depth, within=0.05, scale=1.5)[0]
        ratios.append(time * (depth - 2) * 1.5 * sigma / eps ** (2 - depth))
    gaps = np.abs(np.array(ratios) - 1)
    # The omitted terms are at most of relative order ε^{L−2} log(1/within) for L = 3 (a constant
    # over ε^{2−L}) and ε² log for L >= 4; both shrink by 10 or more per decade, up to the rounding
    # of the times.
    assert (gaps[1:] <= np.maximum(gaps[:-1] / 9, 1e-12)).all(), ratios
    assert gaps[-1] < 1e-3


# Gradient descent.


@pytest.mark.parametrize("decay", [0.0, 0.02])
@pytest.mark.parametrize("alpha", [1.0, 0.3, 2.0])
@pytest.mark.parametrize("depth", DEPTHS)
def test_descent_is_the_compressed_network_on_full_matrices(depth, alpha, decay):
    """Theorem 1 for any α and μ: the engine on matrices gives the recursion's singular values."""
    goals, eps, eta, steps = [1.5, 1.0, 0.4], 0.3, 0.05, 300
    M = dlnlab.random_target((6, 5), 3, rng=0, singular_values=goals)
    for normalization, c in [("sum", 1.0), ("mean", 1 / 30)]:
        problem = dlnlab.factorization(M, normalization)
        weights = dlnlab.compressed_weights(problem, 4, depth, eps)
        run = dlnlab.gradient_descent(
            problem,
            weights,
            eta=eta / c,
            alpha=alpha,
            weight_decay=c * decay,
            num_steps=steps,
            record=("end_to_end",),
        )
        expected = modes.descent(
            [*goals, 0.0], eps, depth, eta, steps, alpha=alpha, weight_decay=decay
        )
        U, _, Vh = np.linalg.svd(M)
        diagonal = np.abs(np.einsum("ji,tjk,ik->ti", U[:, :3], run.end_to_end, Vh[:3]))
        # Rounding of u·d per step, stretched by at most (σ*/ε^L)^{2-2/L} <= 1e5 on the escape.
        assert_close(diagonal, expected[:, :3], 1e-10, "σ̃_i")
        values = np.linalg.svd(run.end_to_end, compute_uv=False)[:, :4]
        assert_close(np.sort(values), np.sort(expected), 1e-10, "with the residual β^L")


def literal_descent(target, eps, depth, eta, steps, alpha, decay):
    """All L layers of one mode by themselves, in plain Python."""
    layers = [eps] * depth
    values = []
    for _ in range(steps + 1):
        product = float(np.prod(layers))
        values.append(product)
        gap = product - target
        rates = [alpha * eta if k in (0, depth - 1) else eta for k in range(depth)]
        slopes = [float(np.prod(layers[:k] + layers[k + 1 :])) for k in range(depth)]
        layers = [
            w - r * decay * w - r * gap * g for w, r, g in zip(layers, rates, slopes, strict=True)
        ]
    return values


@pytest.mark.parametrize("target", [1.0, 0.0, 0.001])
@pytest.mark.parametrize("alpha", [1.0, 0.4])
@pytest.mark.parametrize("decay", [0.0, 0.05])
@pytest.mark.parametrize("depth", DEPTHS)
def test_descent_is_the_recursion_layer_by_layer(depth, alpha, target, decay):
    got = modes.descent([target], 0.4, depth, 0.2, 100, alpha=alpha, weight_decay=decay)
    expected = literal_descent(target, 0.4, depth, 0.2, 100, alpha, decay)
    assert_close(got[:, 0], expected, 1e4 * UNIT, "λ recursion")  # 100 steps of L roundings


def test_descent_with_alpha_on_the_wrong_layers_would_be_seen():
    right = modes.descent([1.0], 0.4, 3, 0.2, 20, alpha=0.4)
    everywhere = modes.descent([1.0], 0.4, 3, 0.2 * 0.4, 20)
    assert np.abs(right - everywhere).max() > 0.01


def test_small_steps_of_descent_approach_the_flow_to_first_order():
    goals, eps, end = [1.0, 0.5], 0.2, 10.0
    exact = modes.flow([end], goals, eps, 3)[0]
    gaps = [
        np.abs(modes.descent(goals, eps, 3, end / n, n)[-1] - exact).max()
        for n in (1000, 2000, 4000)
    ]
    # Euler's method: halving η halves the error, to within terms of relative order η = 1e-2.
    assert_close(np.array(gaps[:-1]) / np.array(gaps[1:]), np.full(2, 2.0), 0.05)
