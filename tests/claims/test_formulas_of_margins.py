"""Margins and their bounds against small cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from dlnlab.claims import Verdict, assumption1, gauge, proposition1, theorem1
from dlnlab.numerics import decompositions


def test_a_residual_that_rises_late_is_seen():
    assert theorem1.residual_margins(np.array([2.0, 1.0, 1.5, 0.5])) == pytest.approx(-0.25)
    assert theorem1.residual_margins(np.array([2.0, 1.5, 1.0, 0.75])) == pytest.approx(0.125)


def test_the_bound_on_rounding_follows_its_recursion():
    """One step for one mode: its layers, and what of their product is lost."""
    target, eps, depth, eta, dimension = 2.0, 0.5, 4, 0.1, 7
    unit = 10 * dimension * depth * np.finfo(float).eps
    gap = target - eps**depth
    grown = 1 + eta * (depth - 1) * gap * eps ** (depth - 2)
    lost = unit * eps * grown + unit * eps
    value = eps * (1 + eta * gap * eps ** (depth - 2))
    worst = max(unit, depth * value ** (depth - 1) * lost / value**depth)  # of the products
    bound = theorem1.rounding(np.array([target]), eps, depth, eta, 1, dimension)
    assert bound / unit == pytest.approx(worst / unit, rel=1e-12)
    started = theorem1.rounding(np.array([target]), eps, depth, eta, 0, dimension)
    assert started / unit == pytest.approx(1.0)  # relative to the layer, ε


def test_the_difference_quotient_is_exact_for_polynomials_of_degree_four():
    step, t = 0.25, np.arange(-2, 3) * 0.25
    for power in range(5):
        found = proposition1.quotient((1 + t) ** power, step)
        assert found == pytest.approx(power, abs=1e-12)


@pytest.mark.parametrize("scale", [1e-2, 1e3])
def test_margins_of_vector_rates_have_no_units(scale):
    """Layers that are not balanced violate the formula, by the same share in any units."""
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((4, 4)) for _ in range(3)]
    gradient = rng.standard_normal((4, 4))
    margin = proposition1.vector_margins(weights, gradient)
    assert margin < -0.01
    for layers, G in ((weights, scale * gradient), ([scale * W for W in weights], gradient)):
        assert proposition1.vector_margins(layers, G) == pytest.approx(margin, rel=1e-9)


def test_modes_that_nearly_repeat_do_not_wait_for_each_other():
    """Repeated is told in units of the largest target, not of the smallest."""
    apart = decompositions.REPEATED / 2
    targets = np.array([1.0, 1.0 - apart, 0.1])
    times = np.linspace(0, 10, 11)
    values = targets * (1 - np.exp(-times[:, None]))
    aligned = np.ones_like(values)
    found = assumption1.measure(times, values, aligned, aligned, targets, 0.05)
    assert np.isnan(found.waiting[0])
    assert np.isfinite(found.waiting[1])


def test_a_verdict_of_its_own_is_not_called_one_that_was_not_found_again():
    told = Verdict("c", "s", "refuted", -1.0, 0.0, (), 1, {})
    assert told.surprising
    assert told.standing == "refuted"
    assert Verdict("c", "s", "refuted", 1.0, 0.0, (), 1, {}, known="refuted").standing == (
        "refuted (not found again)"
    )


def test_unstable_steps_multiply_what_rounding_has_lost():
    """Three layers of 2, then of 1: the step has η(L c 2^{2L−2}) − 1 = 47 for η = c = 1.

    At each record one unit of ‖W‖_F is lost anew, which is half as large after the step.
    """
    layers, zero = [np.array([2.0, 1.0]).reshape(2, 1, 1)] * 3, np.zeros((2, 1, 1))
    found = gauge.rounding(layers, zero, np.zeros(2), 1.0, 1.0, 0.0, 1)
    assert found / np.finfo(float).eps == pytest.approx(47 + 0.5)
