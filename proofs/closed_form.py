r"""The compressed gradient flow in closed form.

The flow of Theorem 1's recursion is λ̇ = −(λ^L − σ*)λ^{L−1}; for σ = λ^L it reads

    σ̇ = L σ^{2−2/L} (σ* − σ),

which is Proposition 1 at aligned singular vectors.  Separating variables with u = σ/σ*,

    t(σ) = σ*^{2/L−2}/L · ∫_{u(0)}^{u} s^{2/L−2}/(1 − s) ds,      u(0) = ε^L/σ*.

With a = 2/L − 1 the antiderivative is Φ(s) = s^a/a · ₂F₁(1, a; 1+a; s) for L ≥ 3 (a < 0): since
(1)_n (a)_n / ((1+a)_n n!) = a/(a+n), Φ(s) = Σ_n s^{a+n}/(a+n), and its derivative is the geometric
series s^{a−1}/(1 − s).  For L = 2 (a = 0) the solution is the logistic function.

*Fitting times.*  Splitting 1/(1 − s) = 1 + s/(1 − s) gives, for the time to reach σ = θσ*,

    t = ε^{2−L}/((L−2)σ*) · (1 − (u(0)/θ)^{1−2/L}) + rest,
    0 ≤ rest ≤ σ*^{2/L−2} θ^{2/L}/(2(1 − θ)),

with a bound on the rest that does not depend on ε.  So t ~ ε^{2−L}/((L−2)σ*) as ε → 0.

*Above the target.* A mode that starts above its target, ε^L > σ*, falls towards it and stays
above; its distance e = σ − σ* obeys ė/e = −Lσ^{2−2/L} ≤ −Lb^{2−2/L} = ḃ/b for b = β^L ≤ σ, and
e(0) < b(0): the distance stays below β^L.

*Residual values.*  For σ* = 0, β̇ = −β^{2L−1} is solved by β = (ε^{−(2L−2)} + (2L−2)t)^{−1/(2L−2)}.
"""

from __future__ import annotations

import sympy as sp

from .facts import (
    at_least,
    require_identity,
    require_limit,
    require_nonnegative,
    require_positive,
)
from .proof import Clause, Proof, Step, argument, cited, main, symbolic
from .proposition1 import singular_value_rate
from .scopes import AtLeast
from .theorem1 import lambda_next

__all__ = [
    "DEPTH",
    "L",
    "approach",
    "build",
    "distance_decays",
    "eps",
    "integrand",
    "largest_rest",
    "leading_time",
    "logistic",
    "rate",
    "residual_base",
    "residual_root",
    "sigma",
    "t",
    "target",
]

L, sigma, target, eps, lam, s, t, theta, eta = sp.symbols("L σ σ* ε λ s t θ η", positive=True)
DEPTH = L
"""The symbol, where a check has an argument of that name."""
start = sp.Symbol("u0", positive=True)  # u(0) = ε^L/σ*
w, v = sp.symbols("w v", positive=True)  # 1/(1 + w) runs through the open interval (0, 1)
count = sp.Symbol("n", integer=True, nonnegative=True)


def rate(value: sp.Expr) -> sp.Expr:
    """Return σ̇ = L σ^{2−2/L}(σ* − σ).

    Parameters
    ----------
    value : sympy expression
        σ.

    Returns
    -------
    sympy expression
    """
    return L * value ** (2 - 2 / L) * (target - value)


def integrand(point: sp.Expr) -> sp.Expr:
    """Return s^{2/L−2}/(1 − s), the integrand of the fitting time.

    Parameters
    ----------
    point : sympy expression
        s = σ/σ*.

    Returns
    -------
    sympy expression
    """
    return point ** (2 / L - 2) / (1 - point)


def logistic(time: sp.Expr) -> sp.Expr:
    """Return σ(t) for L = 2, the logistic function.

    Parameters
    ----------
    time : sympy expression
        t.

    Returns
    -------
    sympy expression
    """
    return target / (1 + (target / eps**2 - 1) * sp.exp(-2 * target * time))


def residual_base(time: sp.Expr) -> sp.Expr:
    """Return x(t) = ε^{−(2L−2)} + (2L−2)t, a power of the residual singular value β.

    Parameters
    ----------
    time : sympy expression
        t.

    Returns
    -------
    sympy expression
    """
    return eps ** (-(2 * L - 2)) + (2 * L - 2) * time


def residual_root(base: sp.Expr) -> sp.Expr:
    """Return β = x^{−1/(2L−2)}.

    Parameters
    ----------
    base : sympy expression
        x of `residual_base`.

    Returns
    -------
    sympy expression
    """
    return base ** (-1 / (2 * L - 2))


def leading_time() -> sp.Expr:
    """Return the leading order ε^{2−L}/((L − 2)σ*) of the fitting time, for L ≥ 3.

    Returns
    -------
    sympy expression
    """
    return eps ** (2 - L) / ((L - 2) * target)


def _flow_of_the_recursion() -> None:
    """λ̇ is the first order of Theorem 1's step, and σ = λ^L then moves at `rate`."""
    velocity = sp.diff(lambda_next(lam, target, eta, L), eta)
    require_identity(sp.diff(lam**L, lam) * velocity, rate(lam**L), "σ̇ for σ = λ^L")
    aligned = singular_value_rate(sigma, sigma - target)
    require_identity(rate(sigma), aligned, "σ̇ against Eq. (23) at aligned vectors")


def _separation() -> None:
    """dt/dσ · σ̇ = 1."""
    slope = target ** (2 / L - 2) / L * integrand(sigma / target) / target
    require_identity(slope, 1 / rate(sigma), "dt/dσ")


def _coefficients() -> None:
    """(1)_n (a)_n / ((1 + a)_n n!) = a/(a + n)."""
    a = 2 / L - 1
    ratio = sp.rf(1, count) * sp.rf(a, count) / (sp.rf(1 + a, count) * sp.factorial(count))
    require_identity(ratio.subs(count, 0), 1, "(1)_n(a)_n/((1+a)_n n!) for n = 0")
    claimed = a / (a + count)
    following = ratio.subs(count, count + 1)
    step = sp.gammasimp(sp.combsimp((following / ratio).rewrite(sp.gamma)))
    quotient = claimed.subs(count, count + 1) / claimed
    require_identity(step, quotient, "its quotient for n + 1 and n")
    require_identity(claimed.subs(count, 0), 1, "a/(a + n) for n = 0")


def _antiderivative() -> None:
    """Term by term, d/ds s^{a+n}/(a+n) = s^{a−1}·s^n, a geometric series in s."""
    a = 2 / L - 1
    term = s ** (a + count) / (a + count)
    require_identity(sp.diff(term, s), s ** (a - 1) * s**count, "derivative of s^{a+n}/(a+n)")
    partial_sum = (1 - s**count) / (1 - s)
    require_identity(partial_sum.subs(count, 0), 0, "Σ_{k<n} s^k for n = 0")
    following = partial_sum.subs(count, count + 1) - partial_sum
    require_identity(following, s**count, "Σ_{k≤n} s^k − Σ_{k<n} s^k")
    require_identity(integrand(s), s ** (a - 1) / (1 - s), "the sum of the series")


def _no_pole(L: sp.Expr) -> None:
    """No a + n is zero: for L ≥ 3, a lies in (−1, 0)."""
    a = sp.simplify(2 / L - 1)
    require_positive(-a, "−a")
    require_positive(sp.simplify(1 + a), "1 + a")


def _logistic_solution(L: sp.Expr) -> None:
    """The logistic function solves L = 2 with σ(0) = ε²."""
    value = logistic(t)
    require_identity(sp.diff(value, t), rate(value).subs(DEPTH, L), "σ̇")
    require_identity(logistic(sp.Integer(0)), eps**L, "σ(0)")


def _splitting() -> None:
    """s^{a−1}/(1 − s) = s^{a−1} + s^a/(1 − s), and the first part integrates to the main term."""
    a = 2 / L - 1
    require_identity(integrand(s), s ** (a - 1) + s**a / (1 - s), "the integrand, split")
    scale = target ** (2 / L - 2) / L
    main_part = scale * (theta**a - start**a) / a
    claimed = leading_time() * (1 - (start / theta) ** (1 - 2 / L))
    at_start = {start: eps**L / target}
    require_identity(main_part.subs(at_start), claimed.subs(at_start), "its first part, integrated")


def largest_rest() -> sp.Expr:
    """Return σ*^{2/L−2} θ^{2/L}/(2(1 − θ)), the bound on the rest of the fitting time.

    Returns
    -------
    sympy expression
    """
    return target ** (2 / L - 2) * theta ** (2 / L) / (2 * (1 - theta))


def _rest_bound() -> None:
    """0 ≤ s^a/(1 − s) ≤ s^a/(1 − θ) on (0, θ]; the bound integrates to θ^{a+1}/((a+1)(1 − θ))."""
    a = 2 / L - 1
    inside = theta / (1 + w)  # a point of (0, θ)
    gap = sp.factor(1 / (1 - theta) - 1 / (1 - inside)).subs(theta, 1 / (1 + v))
    require_positive(sp.simplify(gap), "1/(1 − θ) − 1/(1 − s) for s = θ/(1 + w), θ = 1/(1 + v)")
    bound = s ** (a + 1) / ((a + 1) * (1 - theta))
    require_identity(sp.diff(bound, s), s**a / (1 - theta), "derivative of s^{a+1}/((a+1)(1−θ))")
    scaled = target ** (2 / L - 2) / L * bound.subs(s, theta)
    require_identity(scaled, largest_rest(), "σ*^{2/L−2}/L times the bound at s = θ")
    exponent = sp.simplify((a + 1).subs(L, at_least("L", 3)))
    require_positive(exponent, "a + 1, so that the bound vanishes at s = 0")


def _leading_order(L: sp.Expr) -> None:
    """Every correction vanishes relative to the main term as ε → 0."""
    require_limit(1 / leading_time().subs(DEPTH, L), eps, 0, 0, "1 / leading time")
    exponent = sp.simplify(1 - 2 / L)
    shrinking = (eps**L / (target * theta)) ** exponent
    constant = (target * theta) ** -exponent
    ratio = sp.simplify(shrinking / eps ** (L - 2))
    require_identity(ratio, constant, "(u(0)/θ)^{1−2/L} over ε^{L−2}")
    require_limit(eps ** (L - 2), eps, 0, 0, "ε^{L−2}")


def _residual_solution(L: sp.Expr) -> None:
    """β = x^{−1/(2L−2)} with ẋ = 2L − 2 solves β̇ = −β^{2L−1}, and β(0) = ε."""
    x, deep = sp.Symbol("x", positive=True), {DEPTH: L}
    value = residual_root(x).subs(deep)
    velocity = sp.diff(value, x) * sp.diff(residual_base(t), t).subs(deep)
    require_identity(velocity, -(value ** (2 * L - 1)), "β̇ for β = x^{−1/(2L−2)}, ẋ = 2L − 2")
    require_identity(residual_root(residual_base(sp.Integer(0))).subs(deep), eps, "β(0)")
    step = lambda_next(x, sp.Integer(0), eta, L)
    require_identity(step, x - eta * x ** (2 * L - 1), "β⁺ of Theorem 1")


def approach(L: sp.Expr) -> None:
    """σ* is an equilibrium; the flow rises below it and falls above it, but not as fast as β^L.

    Parameters
    ----------
    L : sympy expression
        Depth.
    """
    gap = sp.Symbol("g", positive=True)
    deep = {DEPTH: L}
    require_identity(rate(target).subs(deep), 0, "σ̇ at σ = σ*")
    rising = rate(sigma).subs(deep).subs(target, sigma + gap)
    require_positive(sp.simplify(rising), "σ̇ for σ* = σ + g")
    falling = -rate(target + gap).subs(deep)
    require_positive(sp.simplify(falling), "−σ̇ at σ = σ* + g")
    slower = (rate(sigma) - rate(sigma).subs(target, 0)).subs(deep)
    require_positive(sp.simplify(slower), "σ̇ towards σ* less σ̇ towards 0, at one σ")


def distance_decays(L: sp.Expr) -> None:
    """For e = σ − σ* and b = β^L: (e/b)˙ ≤ 0 while σ ≥ b; and e(0)/b(0) ≤ 1 from above σ*.

    Parameters
    ----------
    L : sympy expression
        Depth.
    """
    gap, b = sp.symbols("g b", positive=True)
    deep = {DEPTH: L}
    log_rate = rate(target + gap).subs(deep) / gap  # ė/e
    residual = rate(b).subs(target, 0).subs(deep) / b  # ḃ/b
    power = 2 - 2 / L
    difference = -L * ((target + gap) ** power - b**power)
    require_identity(log_rate - residual, difference, "ė/e − ḃ/b at σ = σ* + g")
    require_nonnegative(sp.simplify(power), "the exponent, so that it is ≤ 0 for σ ≥ b")
    require_positive(eps**L - (eps**L - target), "b(0) − e(0)")


DEEP, ALL_DEPTHS = AtLeast(3), AtLeast(2)

STEPS: tuple[Step, ...] = (
    symbolic("the flow", _flow_of_the_recursion),
    symbolic("separation of variables", _separation),
    symbolic("hypergeometric coefficients", _coefficients),
    symbolic("antiderivative", _antiderivative),
    symbolic("no pole", _no_pole, L=DEEP),
    cited(
        "termwise differentiation",
        "A power series may be differentiated term by term inside its radius (here 1).",
    ),
    argument(
        "the hypergeometric function",
        "Φ(s) = s^a/a·₂F₁(1, a; 1+a; s) = Σ s^{a+n}/(a+n) has the derivative s^{a−1}/(1 − s) on "
        "(0, 1).",
        "hypergeometric coefficients",
        "antiderivative",
        "no pole",
        "termwise differentiation",
    ),
    symbolic("two layers", _logistic_solution, L=2),
    symbolic("main term of the fitting time", _splitting),
    symbolic("rest of the fitting time", _rest_bound),
    symbolic("leading order", _leading_order, L=DEEP),
    symbolic("residual values", _residual_solution, L=ALL_DEPTHS),
    symbolic("approach", approach, L=ALL_DEPTHS),
    symbolic("distance from above", distance_decays, L=ALL_DEPTHS),
    argument(
        "order of the solutions",
        "Solutions of one autonomous equation do not meet, so σ stays on its side of σ*; by "
        "comparison (`comparison`) σ ≥ β^L, so e/b decreases from at most 1: |σ − σ*| ≤ β^L.",
        "approach",
        "distance from above",
    ),
)

CLAUSES: tuple[Clause, ...] = (
    Clause(
        "The compressed flow σ̇ = Lσ^{2−2/L}(σ* − σ) is solved by quadrature: for 0 < ε^L < σ*, "
        "t(σ) = σ*^{2/L−2}/L·∫_{u(0)}^u s^{2/L−2}/(1 − s) ds, u = σ/σ*, a hypergeometric function.",
        ("the flow", "separation of variables", "the hypergeometric function"),
        {"L": DEEP},
    ),
    Clause("For two layers it is the logistic function.", ("two layers",), {"L": 2}),
    Clause(
        "For ε^L < θσ*, 0 < θ < 1, the time to reach θσ* is "
        "ε^{2−L}/((L−2)σ*)·(1 − (ε^L/(θσ*))^{1−2/L}) plus a rest between 0 and "
        "σ*^{2/L−2}θ^{2/L}/(2(1 − θ)), so it grows like ε^{2−L}/((L−2)σ*) as ε → 0.",
        ("main term of the fitting time", "rest of the fitting time", "leading order"),
        {"L": DEEP},
    ),
    Clause(
        "The residual value is β = (ε^{−(2L−2)} + (2L−2)t)^{−1/(2L−2)}.",
        ("residual values",),
        {"L": ALL_DEPTHS},
    ),
    Clause(
        "From ε^L ≤ σ* the flow never exceeds σ*; from ε^L ≥ σ* it stays above, within β^L.",
        ("order of the solutions", "approach", "distance from above"),
        {"L": ALL_DEPTHS},
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `closed_form`, to be run or verified.

    Parameters
    ----------
    thorough : bool, optional
        Changes nothing: every step is symbolic.

    Returns
    -------
    Proof
    """
    del thorough
    return Proof(
        claim="closed_form",
        clauses=CLAUSES,
        source="the flow of Kwon et al. 2024, Theorem 1 (Eqs. 16–17, 27–29)",
        corrections=(
            "Assumption 1 asks that σ_i → 0 as ε → 0 for t < t_i; for L ≥ 3 the times t_i "
            "themselves grow like ε^{2−L} in that limit.",
        ),
        open=("The fitting times of the wide network, which has no closed form for L ≥ 3.",),
        proves=("closed_form",),
        reading="0180ecc6bb6d",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
