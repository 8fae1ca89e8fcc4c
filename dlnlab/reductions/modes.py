"""The scalar dynamics of one singular mode of the compressed network.

Started spectrally, the compressed network stays diagonal in the target's singular vectors
(Theorem 1), so each singular value evolves alone.  Under gradient flow every layer carries the same
value λ with σ̃ = λ^L and λ̇ = c (σ* − λ^L) λ^{L−1}, c being the problem's scale.  In the variables
w = λ / σ*^{1/L}, u = w^L = σ̃/σ* and τ = c σ*^{2−2/L} t this is dw/dτ = w^{L−1} (1 − u), hence

    τ = H(w) − H(w_0),   H(w) = ∫ w^{1−L} / (1 − w^L) dw = (w^{2−L} / L) Φ(u, 2/L − 1),

where Φ(z, b) = Σ_{n≥0} zⁿ / (n + b) = ₂F₁(1, b; 1 + b; z) / b integrates the geometric series term
by term.  For L = 2 the first term is a logarithm and H is half the logit of u: the logistic curve
σ̃(t) = σ* / (1 + (σ*/ε² − 1) e^{−2cσ*t}).  A mode that starts above its target, u_0 > 1, obeys the
same law in x = 1/w, where H becomes (x^{2L−2} / L) Φ(1/u, 2 − 2/L).  A mode without a target,
σ* = 0, decays like λ = ε (1 + (2L − 2) c ε^{2L−2} t)^{−1/(2L−2)}; this is the β(t) of Theorem 1.

The inverse σ̃(t) is found by Newton's method in y = logit u, where H has the slope w^{2−L}/L: a
monotone concave function, on which Newton's method started below the root never overshoots.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.polynomial.polynomial import polyval
from scipy import special

from dlnlab.numerics import checks
from dlnlab.reductions.recursion import recursion

__all__ = ["descent", "fitting_times", "flow", "flow_times"]

_SERIES_TERMS = 60
"""Terms of the expansion at z = 1, used for 1 − z ≤ 1/2: the remainder is below 2⁻⁶⁰."""

_FAR, _FAR_TERMS = 6 * float(np.log(2)), 11
"""From a logit of 6 ln 2 on, where 1 − z < 2⁻⁶, so many terms leave less than 2⁻⁶⁶."""

_NEWTON_STEPS = 200
"""Newton's method crosses a plateau in steps of about L / (L − 2) in the logit and then converges
quadratically; the widest plateau double precision can hold takes fewer steps than this."""


def descent(
    targets: Any,
    eps: float,
    depth: int,
    eta: float,
    num_steps: int,
    *,
    alpha: float = 1.0,
    weight_decay: float = 0.0,
) -> np.ndarray:
    """Return the singular values of the compressed network under gradient descent (Theorem 1).

    With a the singular value of the two outer layers and b that of the inner ones, σ̃ = a² b^{L−2},

        a⁺ = a − αη (σ̃ − σ*) a b^{L−2},   b⁺ = b − η (σ̃ − σ*) a² b^{L−3}.

    For α = 1 both are Theorem 1's λ⁺ = λ (1 − η (λ^L − σ*) λ^{L−2}).  Weight decay μ, which the
    paper does not consider, takes αημ a from a⁺ and ημ b from b⁺.

    Parameters
    ----------
    targets : array_like, shape (r,)
        Target singular values σ_i* ≥ 0 (0 gives β).
    eps, depth, eta, alpha : float, int, float, float
        ε, L, the step size (times c for a mean-normalized problem) and the outer layers' factor.
    num_steps : int
    weight_decay : float
        μ (over c for a mean-normalized problem, as η μ is what counts).

    Returns
    -------
    array, shape (num_steps + 1, r)
        σ̃_i after 0, 1, …, num_steps steps.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.
    """
    eps, depth = checks.start(eps, depth)
    sigma = checks.nonnegative_array("targets", targets)
    eta, alpha = checks.positive("eta", eta), checks.positive("alpha", alpha)
    num_steps = checks.integer("num_steps", num_steps, 0)
    decay = checks.nonnegative("weight_decay", weight_decay)
    _check_room("`num_steps`", num_steps + 1, sigma)
    return recursion(sigma, eps, depth, eta, num_steps, alpha=alpha, weight_decay=decay)


def flow(times: Any, targets: Any, eps: float, depth: int, *, scale: float = 1.0) -> np.ndarray:
    """Return the singular values of the compressed network under gradient flow, in closed form.

    Parameters
    ----------
    times : array_like, shape (records,)
        Times t ≥ 0.
    targets : array_like, shape (r,)
        Target singular values σ_i* ≥ 0 (0 gives the residual β(t)^L of Theorem 1).
    eps, depth : float, int
        ε and L ≥ 2.
    scale : float
        The problem's factor c (1 for normalization "sum").

    Returns
    -------
    array, shape (records, r)
        σ̃_i(t), as accurate as the times are: near a fitting a rounding of t shifts the curve.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.

    Examples
    --------
    >>> from dlnlab import modes
    >>> modes.flow([0.0, 100.0, 200.0], [1.0], eps=1e-2, depth=3).round(6).tolist()
    [[1e-06], [0.908234], [1.0]]
    """
    eps, depth = checks.start(eps, depth)
    scale = checks.positive("scale", scale)
    t = checks.nonnegative_array("times", times)
    sigma = checks.nonnegative_array("targets", targets)
    _check_room("`times`", t.size, sigma)
    start = eps**depth
    values = np.full((t.size, sigma.size), start)
    values[:, sigma == 0] = _residual(t.ravel()[:, None], eps, depth, scale)
    for above in (False, True):
        moving = (sigma > 0) & ((sigma < start) if above else (sigma > start))
        if moving.any():
            values[:, moving] = _approach(t.ravel(), sigma[moving], eps, depth, scale, above)
    return values.reshape((*t.shape, sigma.size))


def flow_times(
    values: Any, target: float, eps: float, depth: int, *, scale: float = 1.0
) -> np.ndarray:
    """Return the times at which one mode of the compressed flow takes the given values.

    The inverse of `flow`: t(σ) = (σ*)^{2/L−2} / (cL) ∫_{u(0)}^{u} s^{2/L−2} / (1 − s) ds with
    u = σ/σ*.

    Parameters
    ----------
    values : array_like
        Singular values between ε^L and σ*, exclusive of σ*.
    target : float
        σ* > 0.
    eps, depth, scale
        As in `flow`.

    Returns
    -------
    array
        Times of the shape of `values`.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range, or a value is not reached: it does not lie
        between ε^L and σ*.
    """
    eps, depth = checks.start(eps, depth)
    target, scale = checks.positive("target", target), checks.positive("scale", scale)
    values = checks.numbers_in("values", values)
    start = eps**depth
    low, high = sorted((start, target))
    if not ((values >= low) & (values <= high) & (values != target)).all():
        raise ValueError(
            f"`values` must lie between `eps`**depth = {start:g} and `target` = {target:g}, "
            f"which the flow only approaches, got {values}"
        )
    above = start > target
    ratio = target / values if above else values / target
    rest = np.abs(values - target) / (values if above else target)
    y = np.log(ratio) - np.log(rest)
    y_0 = _start(target, eps, depth)
    elapsed = _clock(y, depth, above) - _clock(y_0, depth, above)
    return np.maximum(elapsed, 0.0) / _rate(target, depth, scale)  # rounding at the very start


def fitting_times(
    targets: Any, eps: float, depth: int, *, within: float, scale: float = 1.0
) -> np.ndarray:
    """Return the times t_i at which the compressed flow has fitted σ_i* to a relative precision.

    To leading order in ε these are ε^{2−L} / ((L − 2) c σ_i*) for L ≥ 3.

    Parameters
    ----------
    targets : array_like, shape (r,)
        Target singular values σ_i* > 0.
    eps, depth, scale
        As in `flow`.
    within : float
        The mode counts as fitted once |σ̃_i − σ_i*| ≤ `within`·σ_i*.

    Returns
    -------
    array, shape (r,)
        0 for a mode that starts within that precision.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.

    Examples
    --------
    >>> from dlnlab import modes
    >>> modes.fitting_times([1.0, 0.5], eps=1e-2, depth=3, within=0.05).round(3).tolist()
    [100.223, 200.561]
    """
    eps, depth = checks.start(eps, depth)
    within = checks.positive("within", within)
    if within < np.finfo(float).eps:
        raise ValueError(
            f"`within` must be at least {np.finfo(float).eps:.1e}, since double precision cannot "
            f"tell smaller parts, got {within}"
        )
    sigmas, times = checks.nonnegative_array("targets", targets), []
    if not sigmas.all():
        raise ValueError("`targets` must be > 0: a mode with target 0 is never fitted, got 0")
    for sigma in sigmas:
        start = eps**depth
        if abs(start - sigma) <= within * sigma:
            times.append(0.0)
        else:
            edge = sigma * (1 + within if start > sigma else 1 - within)
            times.append(float(flow_times(edge, sigma, eps, depth, scale=scale)))
    return np.array(times)


def _check_room(what: str, rows: int, targets: np.ndarray) -> None:
    told = f"{what}: {rows} records of {targets.size} modes"
    checks.fits_in_memory(told, 2 * 8 * rows * targets.size, remedy="ask for fewer")


def _residual(t: np.ndarray, eps: float, depth: int, scale: float) -> np.ndarray:
    """β(t)^L, of a mode without a target."""
    power = 2 * depth - 2
    return eps**depth * (1 + power * scale * eps**power * t) ** (-depth / power)


def _approach(
    t: np.ndarray, targets: np.ndarray, eps: float, depth: int, scale: float, above: bool
) -> np.ndarray:
    """Modes that all start below their targets, or all above, shape (times, targets)."""
    starts = np.array([_start(float(target), eps, depth) for target in targets])
    y = _invert(np.outer(t, _rate(targets, depth, scale)), starts, depth, above)
    u = special.expit(y)
    return targets / u if above else targets * u


def _rate(target: Any, depth: int, scale: float) -> Any:
    """The clock rate c σ*^{2−2/L} that turns t into τ."""
    return scale * target ** (2 - 2 / depth)


def _start(target: float, eps: float, depth: int) -> float:
    """Logit of u_0 = ε^L/σ*, or of 1/u_0 for a mode that starts above its target."""
    low, high = sorted((eps**depth, target))
    if low > high / 2:  # then high − low is exact, while logarithms would lose its digits
        return float(np.log(low / high) - np.log((high - low) / high))
    log_u = depth * np.log(eps) - np.log(target)
    return float(-abs(log_u) - np.log(-np.expm1(-abs(log_u))))


def _clock(y: Any, depth: int, above: bool) -> np.ndarray:
    """H as a function of y = logit u (of y = logit 1/u for a mode that comes from above)."""
    y = np.asarray(y, dtype=float)
    if depth == 2 and not above:
        return y / 2
    power = 2 * depth - 2 if above else 2 - depth
    return _slope(y, depth, above) * _lerch(y, power / depth)


def _slope(y: np.ndarray, depth: int, above: bool) -> np.ndarray:
    """dH/dy: w^{2−L}/L, or x^{2L−2}/L from above."""
    power = 2 * depth - 2 if above else 2 - depth
    return np.exp(power * special.log_expit(y) / depth) / depth


def _lerch(y: np.ndarray, b: float) -> np.ndarray:
    """Φ(z, b) = Σ zⁿ/(n + b) for z = expit(y); b > −1, b ≠ 0.

    Up to z = 1/2 the hypergeometric function; beyond, its expansion at z = 1 (DLMF 15.8.10),
    Σ_k (b)_k/k! [ψ(k + 1) − ψ(k + b) − ln q] q^k with q = 1 − z, which needs no digits of 1 − z
    that z does not hold, since y gives ln q directly.
    """
    y = np.asarray(y, dtype=float)
    near, far, result = y <= 0, y > _FAR, np.empty_like(y)
    result[near] = special.hyp2f1(1.0, b, 1.0 + b, special.expit(y[near])) / b
    for part, terms in ((~near & ~far, _SERIES_TERMS), (far, _FAR_TERMS)):
        q, log_q = special.expit(-y[part]), special.log_expit(-y[part])
        constant, logarithmic = polyval(q, _series(b)[:terms])
        result[part] = constant - log_q * logarithmic
    return result


@functools.lru_cache(maxsize=64)
def _series(b: float) -> np.ndarray:
    """The coefficients (b)_k/k! [ψ(k + 1) − ψ(k + b)] and (b)_k/k!, shape (terms, 2)."""
    k = np.arange(_SERIES_TERMS)
    coefficient = special.poch(b, k) / special.factorial(k)
    constant = coefficient * (special.digamma(k + 1) - special.digamma(k + b))
    return np.stack([constant, coefficient], axis=1)


def _invert(tau: np.ndarray, y_0: np.ndarray, depth: int, above: bool) -> np.ndarray:
    """Solve H(y) = H(y_0) + τ by Newton's method from y_0, a row of numbers for the columns of τ.

    Those that are found take no further steps.
    """
    goal = _clock(y_0, depth, above) + tau
    if depth == 2 and not above:
        return 2 * goal
    lowest, goal = np.broadcast_to(y_0, tau.shape).ravel(), goal.ravel()
    y, moving, eps = lowest.copy(), np.arange(tau.size), np.finfo(float).eps
    for _ in range(_NEWTON_STEPS):
        slope = _slope(y[moving], depth, above)
        step = (goal[moving] - _clock(y[moving], depth, above)) / slope
        y[moving] = now = np.maximum(y[moving] + step, lowest[moving])
        rounding = 4 * eps * (np.maximum(np.abs(now), 1.0) + np.abs(goal[moving]) / slope)
        moving = moving[~(np.abs(step) <= rounding)]
        if not moving.size:
            break
    return y.reshape(tau.shape)
