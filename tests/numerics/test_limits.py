"""Powers and limits: exact laws are found, scatter widens the interval, bad input is refused."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dlnlab.numerics.limits import fit_limit, fit_power

SCALES = np.array([0.4, 0.2, 0.1, 0.05])


def test_exact_laws_are_found_with_no_width():
    assert fit_power(SCALES, 3 * SCALES**1.5) == pytest.approx((1.5, 0, 3), abs=1e-12)
    assert fit_limit(SCALES, 2 - 5 * SCALES**2, 2) == pytest.approx((2, 0, -5), abs=1e-12)


def test_one_instance_has_the_interval_of_a_regression():
    y = np.array([1.0, 0.4, 0.2, 0.06])
    known = stats.linregress(np.log(SCALES), np.log(y))
    width = stats.t.ppf(0.975, 2)
    assert fit_power(SCALES, y)[:2] == pytest.approx((known.slope, width * known.stderr))
    known = stats.linregress(SCALES, y)
    found = fit_limit(SCALES, y, 1)
    assert found[:2] == pytest.approx((known.intercept, width * known.intercept_stderr))


def test_instances_are_the_draws():
    powers = np.array([1.0, 1.2, 1.7])
    law = fit_power(SCALES, SCALES[:, None] ** powers * [1.0, 2.0, 4.0])
    assert law.power == pytest.approx(np.mean(powers))
    assert law.factor == pytest.approx(2.0)
    half = stats.t.ppf(0.975, 2) * np.std(powers, ddof=1) / np.sqrt(3)
    assert law.half_width == pytest.approx(half)
    limit = fit_limit(SCALES, SCALES[:, None] + powers, 1)
    assert limit == pytest.approx((np.mean(powers), half, 1.0))


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng, hits, trials = np.random.default_rng(0), 0, 400
    for _ in range(trials):
        powers = 1.5 + 0.3 * rng.standard_normal(5)
        law = fit_power(SCALES, SCALES[:, None] ** powers * np.exp(rng.standard_normal(5)))
        hits += abs(law.power - 1.5) <= law.half_width
    assert 0.92 <= hits / trials <= 0.98


def test_values_without_a_logarithm_are_left_out():
    y = np.array([[1.0, 1.0], [0.5, 0.0], [0.25, np.inf], [np.nan, 0.1]])
    assert fit_power(SCALES, y)[:2] == pytest.approx((1.0, 0.0), abs=1e-12)
    assert np.isnan(fit_power(SCALES, [1.0, 0.5, 0.0, -1.0])).all()


def test_two_scales_are_not_enough():
    assert np.isnan(fit_power([0.1, 0.2, 0.2], [1.0, 2.0, 2.1])).all()
    assert np.isnan(fit_limit([0.1, 0.2], [1.0, 2.0], 1)).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: fit_power(SCALES, np.ones(3)), r"`values` must have shape \(n,\)"),
        (lambda: fit_power(SCALES, np.ones((4, 1, 1))), "`values` must have shape"),
        (lambda: fit_power([[0.1]], [[1.0]]), "`values` must have shape"),
        (lambda: fit_power([0.1, 0.0], [1.0, 1.0]), "`scales` must be > 0"),
        (lambda: fit_limit(SCALES, SCALES, 0), "`order` must be a number > 0"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()
