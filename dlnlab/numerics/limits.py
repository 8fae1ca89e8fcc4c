"""The limit ε → 0: powers of ε and limits, each with an interval.

A limit is never seen, only a few ε on the way.  So a quantity is fitted with the form that theory
gives it, and the interval says how far the instances agree on the fitted number.  It does not say
how far these ε are from the limit: a curved set of points gives a narrow interval around a power
that belongs to none of them, which is why the points are drawn beside the fit.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import special

from dlnlab.numerics import checks

__all__ = ["CONFIDENCE", "LEAST", "Limit", "PowerLaw", "fit_limit", "fit_power"]

CONFIDENCE = 0.95

LEAST = 3
"""Different ε that a fit needs: through two, every line passes."""


class PowerLaw(NamedTuple):
    """A fitted power law y ≈ factor · ε^power.

    Attributes
    ----------
    power : float
    half_width : float
        Of the 95 % interval of `power`.
    factor : float
        Geometric mean over the instances.
    """

    power: float
    half_width: float
    factor: float


class Limit(NamedTuple):
    """y ≈ value + slope · ε^order.

    Attributes
    ----------
    value : float
        The limit as ε → 0.
    half_width : float
        Of the 95 % interval of `value`.
    slope : float
    """

    value: float
    half_width: float
    slope: float


def fit_power(scales: Any, values: Any) -> PowerLaw:
    """Fit y = a ε^p by least squares of the logarithms.

    With one instance the interval is that of the regression.  Several instances are independent
    draws with powers of their own: each is fitted alone, and the result is their mean with the
    interval of that mean (Student's t over the instances).

    Parameters
    ----------
    scales : array, shape (n,)
        ε.
    values : array, shape (n,) or (n, instances)
        y; entries that are not positive finite numbers are left out, and so are instances with
        fewer than three others.

    Returns
    -------
    PowerLaw
        NaN throughout if no instance has three values.

    Raises
    ------
    TypeError, ValueError
        If an argument holds no real numbers, the shapes do not match or an ε is not positive.

    Examples
    --------
    >>> law = fit_power([0.4, 0.2, 0.1], [1.6, 0.4, 0.1])
    >>> round(law.power, 6), round(law.factor, 6)
    (2.0, 10.0)
    """
    scales, values = _checked(scales, values)
    values = np.where(values > 0, values, np.nan)
    slope, offset, width = _fit(np.log(scales), np.log(values))
    return PowerLaw(slope, width, float(np.exp(offset)))


def fit_limit(scales: Any, values: Any, order: float) -> Limit:
    """Fit y = y_0 + b ε^order by least squares; the order comes from theory.

    Several instances are treated as in `fit_power`.

    Parameters
    ----------
    scales : array, shape (n,)
        ε.
    values : array, shape (n,) or (n, instances)
        y; entries that are not finite are left out, and so are instances with fewer than three
        others.
    order : float
        The power of ε with which y approaches its limit.

    Returns
    -------
    Limit
        NaN throughout if no instance has three values.

    Raises
    ------
    TypeError, ValueError
        If an argument holds no real numbers, the shapes do not match, an ε is not positive, or the
        order is not.

    Examples
    --------
    >>> limit = fit_limit([0.4, 0.2, 0.1], [1.8, 1.4, 1.2], order=1)
    >>> round(limit.value, 6), round(limit.slope, 6)
    (1.0, 2.0)
    """
    scales, values = _checked(scales, values)
    order = checks.real("order", order, "a number > 0")
    if order < checks.SMALLEST:
        raise ValueError(f"`order` must be a number > 0, got {order}")
    with np.errstate(over="ignore", under="ignore"):
        powers = scales**order
    if not (np.isfinite(powers).all() and (powers > 0).all()):
        raise ValueError(f"`order` must leave powers of `scales` that are numbers, got {order}")
    slope, offset, width = _fit(powers, values, intercept=True)
    return Limit(offset, width, slope)


def _checked(scales: Any, values: Any) -> tuple[np.ndarray, np.ndarray]:
    """Both as arrays, the values with one column per instance."""
    scales = checks.numbers_in("scales", scales)
    values = checks.numbers_in("values", values, are_finite=False)
    if scales.ndim != 1 or values.ndim not in (1, 2) or values.shape[0] != scales.size:
        raise ValueError(
            f"`values` must have shape (n,) or (n, instances) for the n = {scales.size} `scales`, "
            f"got {values.shape}"
        )
    if not np.all(scales >= checks.SMALLEST):
        raise ValueError(f"`scales` must be > 0, got {scales.tolist()}")
    return scales, values.reshape(scales.size, -1)


def _fit(x: np.ndarray, y: np.ndarray, intercept: bool = False) -> tuple[float, float, float]:
    """Slope and offset of y = offset + slope·x, mean over the columns, and one's half-width."""
    pairs = [(x[good], column[good]) for column, good in zip(y.T, np.isfinite(y.T), strict=True)]
    pairs = [pair for pair in pairs if np.unique(pair[0]).size >= LEAST]
    if not pairs:
        return float("nan"), float("nan"), float("nan")
    slopes, offsets, *errors = np.array([_line(*pair) for pair in pairs]).T
    if len(pairs) == 1:
        free, spread = pairs[0][0].size - 2, errors[intercept][0]
    else:
        wanted = offsets if intercept else slopes
        free, spread = len(pairs) - 1, np.std(wanted, ddof=1) / np.sqrt(len(pairs))
    width = float(special.stdtrit(free, (1 + CONFIDENCE) / 2) * spread)
    return float(np.mean(slopes)), float(np.mean(offsets)), width


def _line(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float, float]:
    """Slope and offset of a regression line, and their standard errors."""
    centre, spread = np.mean(x), float(np.sum((x - np.mean(x)) ** 2))
    slope = float(np.sum((x - centre) * y) / spread)
    offset = float(np.mean(y) - slope * centre)
    variance = float(np.sum((y - offset - slope * x) ** 2)) / (x.size - 2)
    slope_error = np.sqrt(variance / spread)
    return slope, offset, float(slope_error), float(slope_error * np.sqrt(np.mean(x**2)))
