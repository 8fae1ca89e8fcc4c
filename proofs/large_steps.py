"""Gradient descent with a stable step can break Theorem 2's inequality even for r̂ = r.

Along gradient flow the inequality holds for r̂ = r and ε^L ≤ σ_r* wherever dominance does
(`theorem2`).  Descent is not covered: a step of size η < 2/(Lσ_1*^{2−2/L}), for which both networks
converge, may carry the compressed network beyond its target while the wide one, being late, comes
nearer.  One instance shows it, in rational numbers and hence without rounding:

    d = 2, L = 2, M = diag(1, 0), r̂ = r = 1, ε = 1/10, W_1 = εI, W_2 = εQ, Q a rotation with
    cos = 7/25, sin = 24/25, and η = 4/5, where 2/(Lσ*^{2−2/L}) = 1.

Theorem 1's recursion gives the compressed network; after five steps the wide one is closer.

The smaller ε is, the nearer to one half of the limit this happens: instances with η = 0.53, 0.51
and 0.505 of it are enclosed by interval arithmetic, which needs no more than the same code on
intervals.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import sympy as sp
from mpmath.ctx_iv import MPIntervalContext

from .facts import require_at_most, require_identity, require_less
from .proof import Clause, Proof, Step, argument, exact, main
from .proposition1 import layer_rate
from .theorem1 import lambda_next, largest_step

__all__ = ["PlaneDescent", "build", "errors", "premises", "start", "target"]

DIGITS = 300
"""Of the intervals, which widen by about half a digit per step."""
INTERVALS = MPIntervalContext()
INTERVALS.dps = DIGITS
SETTLED = 200
"""Steps after which both networks are close to M."""


@dataclass(frozen=True)
class PlaneDescent:
    """A run of descent on M = diag(1, 0) from W_1 = εI, W_2 = εQ, and where its margin lies.

    Parameters
    ----------
    eps : Fraction
        ε, the singular value of the starting layers.
    eta : Fraction
        Step size.
    cosine, sine : Fraction
        Of the rotation Q.
    steps : int
        After which the margin is enclosed.
    between : tuple of two str
        Decimal bounds of ‖W − M‖² − ‖W̃ − M‖².
    """

    eps: Fraction
    eta: Fraction
    cosine: Fraction
    sine: Fraction
    steps: int
    between: tuple[str, str]


F = Fraction
EXAMPLE = PlaneDescent(F(1, 10), F(4, 5), F(7, 25), F(24, 25), 5, ("-4.8e-3", "-4.7e-3"))
NEARER = (
    PlaneDescent(F(1, 10**3), F(53, 100), F(11, 61), F(60, 61), 19, ("-2.485e-7", "-2.484e-7")),
    PlaneDescent(F(1, 10**5), F(51, 100), F(8, 17), F(15, 17), 31, ("-6.906e-9", "-6.905e-9")),
    PlaneDescent(
        F(1, 10**8), F(505, 1000), F(391, 409), F(120, 409), 48, ("-9.836e-11", "-9.835e-11")
    ),
)
Number = Callable[[Fraction], Any]


def _interval(value: Fraction) -> Any:
    """Return an interval around a fraction."""
    return INTERVALS.mpf(value.numerator) / INTERVALS.mpf(value.denominator)


def target(number: Number = F) -> np.ndarray:
    """Return M = diag(1, 0).

    Parameters
    ----------
    number : callable, optional
        What a Fraction becomes: itself, or an interval.

    Returns
    -------
    array
        Shape (2, 2).
    """
    return np.array([[number(F(1)), number(F(0))], [number(F(0)), number(F(0))]])


def start(run: PlaneDescent = EXAMPLE, number: Number = F) -> tuple[np.ndarray, np.ndarray]:
    """Return W_1 = εI and W_2 = εQ.

    Parameters
    ----------
    run : PlaneDescent, optional
    number : callable, optional
        What a Fraction becomes: itself, or an interval.

    Returns
    -------
    tuple of two arrays
        Each of shape (2, 2), with numbers of that kind.
    """
    eps, c, s = (number(x) for x in (run.eps, run.cosine, run.sine))
    zero = number(F(0))
    return np.array([[eps, zero], [zero, eps]]), np.array([[eps * c, -eps * s], [eps * s, eps * c]])


def errors(run: PlaneDescent, count: int, number: Number = F) -> tuple[Any, Any]:
    """Return ‖W − M‖² and ‖W̃ − M‖² after `count` steps, in the arithmetic of `number`.

    Parameters
    ----------
    run : PlaneDescent
    count : int
        Number of steps.
    number : callable, optional
        What a Fraction becomes: itself, or an interval.

    Returns
    -------
    tuple of two numbers
    """
    (first, second), layer = start(run, number), number(run.eps)
    eta, one, goal = number(run.eta), np.eye(2, dtype=int), target(number)
    for _ in range(count):
        gap = second @ first - goal
        moves = layer_rate(second, gap, one), layer_rate(one, gap, first)
        first, second = first + moves[0] * eta, second + moves[1] * eta
        layer = lambda_next(layer, goal[0, 0], eta, 2)
    gap = second @ first - goal
    return (gap * gap).sum(), (layer * layer - goal[0, 0]) ** 2


def premises() -> None:
    """Q is a rotation, ε² ≤ σ_r*, and the step is below the largest stable one."""
    for run in (EXAMPLE, *NEARER):
        first, second = start(run)
        gram = sp.Matrix(second.T @ second)
        require_identity(gram, sp.Matrix(first.T @ first), "W_2ᵀW_2 against W_1ᵀW_1 = ε²I")
        require_identity(
            second[0, 0] * second[1, 1] - second[0, 1] * second[1, 0], run.eps**2, "det W_2"
        )
        require_identity(first[0, 0], run.eps, "ε")
        require_at_most(run.eps**2, target()[0, 0], "ε^L against σ_r*")
        limit = largest_step(sp.Rational(target()[0, 0]), sp.Integer(2))
        require_less(sp.Rational(run.eta), limit, "η against 2/(Lσ*^{2−2/L})")


def _enclosed(run: PlaneDescent, margin: Any, number: Number = F) -> None:
    """Require a margin to lie between the two numbers of its run."""
    low, high = (number(F(bound)) for bound in run.between)
    require_less(low, margin, f"the margin after {run.steps} steps, from below")
    require_less(margin, high, f"the margin after {run.steps} steps, from above")
    require_less(F(run.between[1]), 0, "the upper bound of the margin")


def _closer() -> None:
    """After five steps the margin is a negative rational number."""
    wide, narrow = errors(EXAMPLE, EXAMPLE.steps)
    _enclosed(EXAMPLE, wide - narrow)


def _nearer() -> None:
    """With smaller ε the margin is negative for steps nearer to half the limit."""
    for run in NEARER:
        wide, narrow = errors(run, run.steps, _interval)
        _enclosed(run, wide - narrow, _interval)
        require_less(F(1, 2), run.eta, "half the limit against η")


def _converges() -> None:
    """Both end at M, the wide one's residual value like 1/(2ηt): no step was too large."""
    wide, narrow = errors(EXAMPLE, SETTLED, _interval)
    require_less(narrow, _interval(F(1, 10**30)), f"‖W̃ − M‖² after {SETTLED} steps")
    residual = _interval((2 * EXAMPLE.eta * SETTLED) ** -2)
    require_less(wide, residual, f"‖W − M‖² after {SETTLED} steps against 1/(2ηt)²")


STEPS: tuple[Step, ...] = (
    exact("premises", premises),
    exact("the wide network is closer", _closer),
    Step("nearer to half the limit", "enclosure", _nearer),
    Step("both networks settle", "enclosure", _converges),
    argument(
        "both converge",
        "After these steps both are close to M, the wide one at the rate 1/(2ηt), so no step was "
        "too large.",
        "both networks settle",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `large_steps`, to be run or verified.

    Parameters
    ----------
    thorough : bool, optional
        Changes nothing.

    Returns
    -------
    Proof
    """
    del thorough
    return Proof(
        claim="large_steps",
        clauses=(
            Clause(
                "Under gradient descent the inequality of Theorem 2 can fail for r̂ = r and "
                "ε^L ≤ σ_r*, with a step below 2/(Lσ_1*^{2−2/L}): M = diag(1, 0), L = 2, ε = 1/10, "
                "η = 4/5, Q the rotation with cosine 7/25, five steps.",
                ("premises", "the wide network is closer", "both converge"),
            ),
            Clause(
                "It can also fail at 0.53, 0.51 and 0.505 of that limit, with ε = 1e-3, 1e-5 and "
                "1e-8.",
                ("premises", "nearer to half the limit"),
            ),
        ),
        source="Kwon et al. 2024, Theorem 2 (Eq. 13), under descent in place of flow",
        open=(
            "The smallest step that fails for r̂ = r. It is at most one half of the limit as ε → "
            "0, and no step up to one half is known to fail.",
        ),
        proves=("eq13_descent",),
        reading="78545058a8fa",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
