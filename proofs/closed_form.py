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

*Residual values.*  For σ* = 0, β̇ = −β^{2L−1} is solved by β = (ε^{−(2L−2)} + (2L−2)t)^{−1/(2L−2)}.
"""

from __future__ import annotations

import sympy as sp

from .proof import Proof, Step, main, require, require_positive, require_zero
from .theorem1 import lambda_next

L, sigma, target, eps, lam, s, t, theta, eta = sp.symbols("L σ σ* ε λ s t θ η", positive=True)
start = sp.Symbol("u0", positive=True)  # u(0) = ε^L/σ*
m, w = sp.symbols("m w", positive=True)  # L = m + 2, θ = 1/(1 + w)
count = sp.Symbol("n", integer=True, nonnegative=True)


def rate(value: sp.Expr) -> sp.Expr:
    """Return σ̇ = L σ^{2−2/L}(σ* − σ)."""
    return L * value ** (2 - 2 / L) * (target - value)


def integrand(point: sp.Expr) -> sp.Expr:
    """Return s^{2/L−2}/(1 − s)."""
    return point ** (2 / L - 2) / (1 - point)


def logistic(time: sp.Expr) -> sp.Expr:
    """Return σ(t) for L = 2."""
    return target / (1 + (target / eps**2 - 1) * sp.exp(-2 * target * time))


def residual_base(time: sp.Expr) -> sp.Expr:
    """Return x(t) = ε^{−(2L−2)} + (2L−2)t, a power of the residual singular value β."""
    return eps ** (-(2 * L - 2)) + (2 * L - 2) * time


def residual_root(base: sp.Expr) -> sp.Expr:
    """Return β = x^{−1/(2L−2)}."""
    return base ** (-1 / (2 * L - 2))


def leading_time() -> sp.Expr:
    """Return the leading order ε^{2−L}/((L − 2)σ*) of the fitting time, for L ≥ 3."""
    return eps ** (2 - L) / ((L - 2) * target)


def flow_of_the_recursion() -> None:
    """λ̇ is the first order of Theorem 1's step, and σ = λ^L then moves at `rate`."""
    velocity = sp.diff(lambda_next(lam, target, eta, L), eta)
    moving = sp.diff(lam**L, lam) * velocity
    require_zero(sp.powsimp(sp.expand(moving - rate(lam**L))), "σ̇ for σ = λ^L")


def separation() -> None:
    """dt/dσ · σ̇ = 1."""
    slope = target ** (2 / L - 2) / L * integrand(sigma / target) / target
    require_zero(sp.simplify(slope * rate(sigma)) - 1, "dt/dσ · σ̇ − 1")


def coefficients() -> None:
    """(1)_n (a)_n / ((1 + a)_n n!) = a/(a + n)."""
    a = 2 / L - 1
    ratio = sp.rf(1, count) * sp.rf(a, count) / (sp.rf(1 + a, count) * sp.factorial(count))
    require_zero(_at_zero(ratio) - 1, "coefficient n = 0")
    claimed = a / (a + count)
    following = ratio.subs(count, count + 1)
    step = sp.gammasimp(sp.combsimp((following / ratio).rewrite(sp.gamma)))
    require_zero(sp.simplify(step - claimed.subs(count, count + 1) / claimed), "n → n + 1")


def _at_zero(expression: sp.Expr) -> sp.Expr:
    return sp.simplify(expression.subs(count, 0))


def antiderivative() -> None:
    """Term by term, d/ds s^{a+n}/(a+n) = s^{a−1}·s^n, a geometric series in s."""
    a = 2 / L - 1
    term = s ** (a + count) / (a + count)
    require_zero(sp.powsimp(sp.diff(term, s) - s ** (a - 1) * s**count), "derivative of a term")
    partial_sum = (1 - s**count) / (1 - s)
    require_zero(partial_sum.subs(count, 0), "Σ over no terms")
    following = partial_sum.subs(count, count + 1) - partial_sum - s**count
    require_zero(sp.simplify(following), "Σ_{k≤n} s^k − Σ_{k<n} s^k")
    require_zero(sp.powsimp(s ** (a - 1) / (1 - s) - integrand(s)), "the sum is the integrand")


def no_pole() -> None:
    """No a + n is zero: for L > 2, a lies in (−1, 0)."""
    a = sp.simplify(2 / (m + 2) - 1)
    require_positive(-a, "−a for L > 2")
    require_positive(sp.simplify(1 + a), "1 + a for L > 2")


def logistic_solution() -> None:
    """The logistic function solves L = 2 with σ(0) = ε²."""
    value = logistic(t)
    require_zero(sp.simplify(sp.diff(value, t) - rate(value).subs(L, 2)), "σ̇ for L = 2")
    require_zero(sp.simplify(logistic(sp.Integer(0)) - eps**2), "σ(0) − ε²")


def splitting() -> None:
    """s^{a−1}/(1 − s) = s^{a−1} + s^a/(1 − s), and the first part integrates to the main term."""
    a = 2 / L - 1
    require_zero(sp.simplify(integrand(s) - s ** (a - 1) - s**a / (1 - s)), "splitting")
    scale = target ** (2 / L - 2) / L
    main_part = scale * (theta**a - start**a) / a
    claimed = leading_time() * (1 - (start / theta) ** (1 - 2 / L))
    difference = (main_part - claimed).subs(start, eps**L / target)
    require_zero(sp.simplify(sp.powsimp(sp.expand(difference))), "main part")


def rest_bound() -> None:
    """0 ≤ s^a/(1 − s) ≤ s^a/(1 − θ) on (0, θ]; the bound integrates to θ^{a+1}/((a+1)(1 − θ))."""
    a = 2 / L - 1
    inside = theta / (1 + w)  # a point of (0, θ)
    gap = sp.factor(1 / (1 - theta) - 1 / (1 - inside)).subs(theta, 1 / (1 + m))
    require_positive(sp.simplify(gap), "1/(1 − θ) − 1/(1 − s) for s < θ < 1")
    bound = s ** (a + 1) / ((a + 1) * (1 - theta))
    require_zero(sp.powsimp(sp.diff(bound, s) - s**a / (1 - theta)), "antiderivative of the bound")
    scaled = target ** (2 / L - 2) / L * bound.subs(s, theta)
    claimed = target ** (2 / L - 2) * theta ** (2 / L) / (2 * (1 - theta))
    require_zero(sp.simplify(scaled - claimed), "σ*^{2/L−2}/L times the bound")
    at_zero = sp.simplify((a + 1).subs(L, m + 2))
    require_positive(at_zero, "a + 1 > 0: the bound vanishes at s = 0")


def leading_order() -> None:
    """Every correction vanishes relative to the main term as ε → 0."""
    relative = sp.simplify(1 / leading_time().subs(L, m + 2))
    require(sp.limit(relative, eps, 0) == 0, "rest / main term as ε → 0", relative)
    exponent = sp.simplify(1 - 2 / (m + 2))
    shrinking = (eps ** (m + 2) / (target * theta)) ** exponent
    power = sp.simplify(shrinking / eps**m)
    require(not power.has(eps), "(u(0)/θ)^{1−2/L} is ε^{L−2} times a constant", power)
    require(sp.limit(eps**m, eps, 0) == 0, "ε^{L−2} as ε → 0, L > 2")


def residual_solution() -> None:
    """β = x^{−1/(2L−2)} with ẋ = 2L − 2 solves β̇ = −β^{2L−1}, and β(0) = ε."""
    x, deep = sp.Symbol("x", positive=True), {L: sp.Symbol("n", nonnegative=True) + 2}
    value = residual_root(x).subs(deep)
    velocity = sp.diff(value, x) * sp.diff(residual_base(t), t).subs(deep)
    quotient = sp.simplify(velocity / value ** (2 * L - 1).subs(deep))
    require_zero(quotient + 1, "β̇/β^{2L−1} + 1")
    require_zero(residual_root(residual_base(sp.Integer(0))).subs(deep) - eps, "β(0) − ε")
    squashed = sp.simplify(lambda_next(x, sp.Integer(0), eta, L) - x + eta * x ** (2 * L - 1))
    require_zero(squashed, "β̇ = −β^{2L−1} is Theorem 1's recursion to first order")


STEPS: tuple[Step, ...] = (
    Step(
        "the flow",
        "σ = λ^L,  λ̇ = −(λ^L − σ*)λ^{L−1}  ⟹  σ̇ = Lσ^{2−2/L}(σ* − σ)",
        "symbolic",
        "all L",
        flow_of_the_recursion,
    ),
    Step(
        "separation of variables",
        "t(σ) = σ*^{2/L−2}/L · ∫_{u(0)}^{u} s^{2/L−2}/(1 − s) ds,  u = σ/σ*",
        "symbolic",
        "all L",
        separation,
    ),
    Step(
        "hypergeometric coefficients",
        "(1)_n(a)_n/((1+a)_n n!) = a/(a+n),  a = 2/L − 1",
        "symbolic",
        "all L, all n, by induction",
        coefficients,
    ),
    Step(
        "antiderivative",
        "Φ(s) = s^a/a·₂F₁(1, a; 1+a; s) = Σ s^{a+n}/(a+n),  Φ′ = s^{a−1}/(1 − s)",
        "symbolic",
        "all L > 2, 0 < s < 1",
        antiderivative,
    ),
    Step("no pole", "−1 < a < 0 for L > 2, so a + n ≠ 0", "symbolic", "all L > 2", no_pole),
    Step(
        "termwise differentiation",
        "A power series may be differentiated term by term inside its radius (here 1).",
        "cited",
        "0 < s < 1",
    ),
    Step(
        "L = 2",
        "σ(t) = σ*/(1 + (σ*/ε² − 1)e^{−2σ*t})",
        "symbolic",
        "L = 2",
        logistic_solution,
    ),
    Step(
        "main term of the fitting time",
        "ε^{2−L}/((L−2)σ*)·(1 − (u(0)/θ)^{1−2/L})",
        "symbolic",
        "all L > 2, 0 < θ < 1",
        splitting,
    ),
    Step(
        "rest of the fitting time",
        "0 ≤ rest ≤ σ*^{2/L−2}θ^{2/L}/(2(1 − θ)), whatever ε",
        "symbolic",
        "all L > 2, 0 < θ < 1",
        rest_bound,
    ),
    Step(
        "leading order",
        "t ~ ε^{2−L}/((L−2)σ*) as ε → 0",
        "symbolic",
        "all L > 2",
        leading_order,
    ),
    Step(
        "residual values",
        "β(t) = (ε^{−(2L−2)} + (2L−2)t)^{−1/(2L−2)} solves β̇ = −β^{2L−1}",
        "symbolic",
        "all L",
        residual_solution,
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof; `thorough` changes nothing, every step being symbolic."""
    del thorough
    return Proof(
        claim="closed_form",
        statement=(
            "The compressed gradient flow is solved by quadrature: t(σ) is an incomplete beta "
            "integral (₂F₁ for L ≥ 3, the logistic function for L = 2), fitting times grow like "
            "ε^{2−L}/((L−2)σ*), and the residual values decay like ((2L−2)t)^{−1/(2L−2)}."
        ),
        source="the flow of Kwon et al. 2024, Theorem 1 (Eqs. 16–17, 27–29)",
        corrections=(
            "Assumption 1 asks that σ_i → 0 as ε → 0 for t < t_i; for L ≥ 3 the times t_i "
            "themselves grow like ε^{2−L} in that limit.",
        ),
        open=("The fitting times of the wide network, which has no closed form for L ≥ 3.",),
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
