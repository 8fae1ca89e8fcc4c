"""Gradient descent with a stable step can break Theorem 2's inequality even for r̂ = r.

Along gradient flow the inequality holds for r̂ = r and ε^L ≤ σ_r* wherever dominance does
(`theorem2`).  Descent is not covered: a step of size η < 2/(Lσ_1*^{2−2/L}), for which both networks
converge, may carry the compressed network beyond its target while the wide one, being late, comes
nearer.  One instance shows it, in rational numbers and hence without rounding:

    d = 2, L = 2, M = diag(1, 0), r̂ = r = 1, ε = 1/10, W_1 = εI, W_2 = εQ, Q a rotation with
    cos = 7/25, sin = 24/25, and η = 4/5, where 2/(Lσ*^{2−2/L}) = 1.

Theorem 1's recursion gives the compressed network; after five steps the wide one is closer.
"""

from __future__ import annotations

from fractions import Fraction

import sympy as sp

from .facts import require_at_most, require_identity, require_less
from .proof import Clause, Proof, Step, argument, exact, main
from .proposition1 import layer_rate
from .readings import READINGS
from .theorem1 import lambda_next, largest_step

EPS, ETA = Fraction(1, 10), Fraction(4, 5)
COSINE, SINE = Fraction(7, 25), Fraction(24, 25)
STEPS_TAKEN = 5
SETTLED = 200
"""Steps after which both are close to M; to 40 digits, since the fractions grow too long."""


def target() -> sp.Matrix:
    """Return M = diag(1, 0)."""
    return sp.diag(1, 0)


def start() -> tuple[sp.Matrix, sp.Matrix]:
    """Return W_1 = εI and W_2 = εQ."""
    eps, cosine, sine = (sp.Rational(x.numerator, x.denominator) for x in (EPS, COSINE, SINE))
    return eps * sp.eye(2), eps * sp.Matrix([[cosine, -sine], [sine, cosine]])


def step_size() -> sp.Rational:
    """Return η."""
    return sp.Rational(ETA.numerator, ETA.denominator)


def wide_step(first: sp.Matrix, second: sp.Matrix) -> tuple[sp.Matrix, sp.Matrix]:
    """Return W_1 − ηW_2ᵀG and W_2 − ηGW_1ᵀ with G = W_2W_1 − M."""
    gap = second * first - target()
    one = sp.eye(2)
    return (
        first + step_size() * layer_rate(second, gap, one),
        second + step_size() * layer_rate(one, gap, first),
    )


def narrow_step(layer: sp.Expr) -> sp.Expr:
    """Return λ⁺ = λ(1 − η(λ² − 1)), Theorem 1 for L = 2."""
    return lambda_next(layer, target()[0, 0], step_size(), sp.Integer(2))


def errors(count: int, digits: int | None = None) -> tuple[sp.Expr, sp.Expr]:
    """Return ‖W − M‖² and ‖W̃ − M‖² after `count` steps, exactly or to so many digits."""
    (first, second), layer = start(), sp.Rational(EPS.numerator, EPS.denominator)
    for _ in range(count):
        (first, second), layer = wide_step(first, second), narrow_step(layer)
        if digits is not None:
            first, second, layer = first.evalf(digits), second.evalf(digits), sp.N(layer, digits)
    gap = second * first - target()
    return (gap.T * gap).trace(), (layer**2 - 1) ** 2


def premises() -> None:
    """Q is a rotation, ε² ≤ σ_r*, and the step is below the largest stable one."""
    _, second = start()
    eps = sp.Rational(EPS.numerator, EPS.denominator)
    require_identity(second.T * second, eps**2 * sp.eye(2), "W_2ᵀW_2")
    require_identity(second.det(), eps**2, "det W_2")
    require_at_most(eps**2, target()[0, 0], "ε^L against σ_r*")
    limit = largest_step(target()[0, 0], sp.Integer(2))
    require_less(step_size(), limit, "η against 2/(Lσ*^{2−2/L})")


def closer() -> None:
    """After five steps the margin is a negative rational number."""
    wide, narrow = errors(STEPS_TAKEN)
    margin = wide - narrow
    require_less(
        sp.Rational(-48, 10_000), margin, f"the margin after {STEPS_TAKEN} steps, from below"
    )
    require_less(
        margin, sp.Rational(-47, 10_000), f"the margin after {STEPS_TAKEN} steps, from above"
    )


def converges() -> None:
    """Both end at M, the wide one's residual value like 1/(2ηt): no step was too large."""
    wide, narrow = errors(SETTLED, digits=40)
    require_less(narrow, sp.Float("1e-30"), f"‖W̃ − M‖² after {SETTLED} steps")
    residual = (2 * step_size() * SETTLED) ** -2
    require_less(wide, residual, f"‖W − M‖² after {SETTLED} steps against 1/(2ηt)²")


STEPS: tuple[Step, ...] = (
    exact("premises", premises),
    exact("the wide network is closer", closer),
    Step("both networks settle", "evidence", converges),
    argument(
        "both converge",
        "To 40 digits, both end at M, the wide one like 1/(2ηt): no step was too large.",
        "both networks settle",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof; `thorough` changes nothing."""
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
        ),
        source="Kwon et al. 2024, Theorem 2 (Eq. 13), under descent in place of flow",
        open=("How small a step suffices for r̂ = r; none up to half the limit is known to fail.",),
        proves=("eq13_descent",),
        reading=READINGS["large_steps"],
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
