r"""Theorem 2's inequality fails late for *every* turned start (L = 2, d = r̂ = 2, r = 1).

Let M = diag(σ, 0), W_1(0) = εI, W_2(0) = εQ with Q a rotation with cosine c, −1 < c < 1.
The closed form of the wide flow (:mod:`.counterexamples`) is rational in t and y = e^{−σt}:

    X = (yE) Z_0 adj(A) Z_0ᵀ (yE) / det A,      A = y²(I + Z_0ᵀKZ_0).

Both numerator and det A carry a factor y², and what is left of the determinant is

    D = D_1 D_2/(4σ²),   D_1 = 2(1+c)ε²σt + (1−c)ε²(1−y²) + 2σ,
                         D_2 = 2σy² + (1+c)ε²(1−y²) + 2(1−c)ε²σ t y².

For 0 ≤ y ≤ 1 and t ≥ 0 both are positive and bounded away from zero (D_1 ≥ 2σ, and D_2 ≥
min(2σ, (1+c)ε²)), so replacing y by 0 changes the margin by O(e^{−σt}·polynomial in t).  At y = 0

    W = diag(σ, 1/(2t + κ)),    κ = ((1−c)ε² + 2σ)/((1+c)ε²σ),

while the compressed network has diag(σ, 1/(2t + 1/ε²)).  And κ exceeds 1/ε²:

    κ − 1/ε² = (1−c)/(1+c)·(1/ε² + 1/σ) > 0.

The wide residual value is the smaller one, the margin at y = 0 is negative for every t, and

    lim t³·(‖W − M‖² − ‖W̃ − M‖²) = −¼·(1−c)/(1+c)·(1/ε² + 1/σ) < 0.

So for every σ, ε > 0 and every rotation but ±I, ‖W(t) − M‖² < ‖W̃(t) − M‖² for all large t.  And
as W(t) tends to a diagonal matrix with distinct entries up to O(e^{−σt}·polynomial), the start
meets Assumption 1 with every c_vec > 0 and c_val > 0: the exact c_vec = 0 is indispensable.
"""

from __future__ import annotations

from functools import cache

import sympy as sp

from .closed_form import eps as closed_eps
from .closed_form import logistic
from .closed_form import t as closed_t
from .closed_form import target as closed_target
from .proof import Proof, Step, main, require_positive, require_zero

sigma, eps, t = sp.symbols("σ ε t", positive=True)
c, s = sp.symbols("c s", real=True)
y = sp.Symbol("y", positive=True)
w = sp.Symbol("w", positive=True)


def scaled_exponential() -> sp.Matrix:
    """Return y·E, E = e^{tS}, for M = diag(σ, 0) and y = e^{−σt}."""
    total = sp.zeros(4, 4)
    total[0, 0] = total[2, 2] = (1 + y**2) / 2
    total[0, 2] = total[2, 0] = (1 - y**2) / 2
    total[1, 1] = total[3, 3] = y
    return total


def scaled_integral() -> sp.Matrix:
    """Return y²·K, K = ∫_0^t e^{2τS}dτ."""
    total = sp.zeros(4, 4)
    total[0, 0] = total[2, 2] = (1 - y**4) / (4 * sigma)
    total[0, 2] = total[2, 0] = (1 - y**2) ** 2 / (4 * sigma)
    total[1, 1] = total[3, 3] = t * y**2
    return total


def start() -> sp.Matrix:
    """Return Z_0 = [εQ; εI]."""
    return eps * sp.Matrix([[c, -s], [s, c], [1, 0], [0, 1]])


def first_factor(point: sp.Expr) -> sp.Expr:
    """Return D_1 at y = `point`."""
    return 2 * (1 + c) * eps**2 * sigma * t + (1 - c) * eps**2 * (1 - point**2) + 2 * sigma


def second_factor(point: sp.Expr) -> sp.Expr:
    """Return D_2 at y = `point`."""
    decayed = 2 * (1 - c) * eps**2 * sigma * t * point**2
    return 2 * sigma * point**2 + (1 + c) * eps**2 * (1 - point**2) + decayed


def offset() -> sp.Expr:
    """Return κ: the late residual singular value of the wide network is 1/(2t + κ)."""
    return ((1 - c) * eps**2 + 2 * sigma) / ((1 + c) * eps**2 * sigma)


def _on_circle(expression: sp.Expr) -> sp.Expr:
    """Expand and replace s² by 1 − c²."""
    return sp.rem(sp.expand(expression), s**2 + c**2 - 1, s)


@cache
def _system() -> sp.Matrix:
    frame = start()
    full = y**2 * sp.eye(2) + frame.T * scaled_integral() * frame
    return full.applyfunc(_on_circle)


@cache
def _corner() -> sp.Matrix:
    """Return the numerator (yE)Z_0 adj(A) Z_0ᵀ(yE), its upper right block."""
    frame, flow = start(), scaled_exponential()
    return (flow * frame * _system().adjugate() * frame.T * flow)[:2, 2:].applyfunc(_on_circle)


def scaling() -> None:
    """The scaled matrices are y·e^{tS} and y²·∫e^{2τS}, with y = e^{−σt}."""
    decay = sp.exp(-sigma * t)
    drift = sp.zeros(4, 4)
    drift[0, 2] = drift[2, 0] = sigma
    flow = scaled_exponential().subs(y, decay) / decay
    integral = (scaled_integral() / y**2).applyfunc(sp.expand).subs(y, decay)
    require_zero(flow.diff(t) - drift * flow, "Ė − SE")
    require_zero(flow.subs(t, 0) - sp.eye(4), "E(0) − I")
    require_zero(integral.diff(t) - flow * flow, "K̇ − E²")
    require_zero(integral.subs(t, 0), "K(0)")


def determinant() -> None:
    """The determinant is y² D_1 D_2/(4σ²)."""
    claimed = y**2 * first_factor(y) * second_factor(y) / (4 * sigma**2)
    require_zero(_on_circle(_system().det() - claimed), "det A")


def factors_are_positive() -> None:
    """D_1 ≥ 2σ and D_2 ≥ min(2σ, (1+c)ε²) for 0 ≤ y² ≤ 1 and −1 < c < 1."""
    cosine = {c: (1 - w) / (1 + w)}  # w > 0: every c in (−1, 1)
    square = 1 / (1 + sp.Symbol("v", nonnegative=True))  # every y² in (0, 1]
    rest_1 = (first_factor(sp.sqrt(square)) - 2 * sigma).subs(cosine)
    require_positive(sp.factor(sp.simplify(rest_1)), "D_1 − 2σ")
    mixture = 2 * sigma * square + (1 + c) * eps**2 * (1 - square)
    rest_2 = (second_factor(sp.sqrt(square)) - mixture).subs(cosine)
    require_positive(sp.factor(sp.simplify(rest_2)), "D_2 − (mixture of 2σ and (1+c)ε²)")


def limit_network() -> None:
    """At y = 0, W = diag(σ, 1/(2t + κ)); the numerator is divisible by y² before."""
    bottom = first_factor(sp.Integer(0)) * second_factor(sp.Integer(0)) / (4 * sigma**2)
    claimed = sp.diag(sigma, 1 / (2 * t + offset()))
    for entry, goal in zip(_corner(), claimed, strict=True):
        low = sp.Poly(entry, y)
        require_zero(low.coeff_monomial(1), "constant term of the numerator")
        require_zero(low.coeff_monomial(y), "linear term of the numerator")
        require_zero(low.coeff_monomial(y**2) / bottom - goal, "entry of W at y = 0")


def compressed_limit() -> None:
    """The compressed network tends to diag(σ, 1/(2t + 1/ε²)) with an error O(y²) too."""
    fitted = logistic(closed_t).subs({closed_target: sigma, closed_eps: eps})
    fitted = fitted.subs(sp.exp(-2 * sigma * closed_t), y**2)
    require_zero(sp.limit(sp.simplify((fitted - sigma) / y), y, 0), "(σ̃ − σ)/y at y = 0")
    require_zero(eps**2 / (1 + 2 * eps**2 * t) - 1 / (2 * t + 1 / eps**2), "β²")


def excess() -> sp.Expr:
    """Return κ − 1/ε², claimed."""
    return (1 - c) / (1 + c) * (1 / eps**2 + 1 / sigma)


def offsets_differ() -> None:
    """κ − 1/ε² is positive for every c in (−1, 1)."""
    require_zero(sp.simplify(offset() - 1 / eps**2 - excess()), "κ − 1/ε²")
    require_positive(sp.factor(excess().subs(c, (1 - w) / (1 + w))), "κ − 1/ε²")


def limit_of_the_margin() -> None:
    """t³·margin at y = 0 tends to −¼(κ − 1/ε²)."""
    margin = 1 / (2 * t + offset()) ** 2 - 1 / (2 * t + 1 / eps**2) ** 2
    cosine = {c: (1 - w) / (1 + w)}
    limit = sp.limit(t**3 * margin.subs(cosine), t, sp.oo)
    require_zero(sp.simplify(limit + excess().subs(cosine) / 4), "lim t³·margin")


FAMILY = "all σ, ε > 0, −1 < c < 1"

STEPS: tuple[Step, ...] = (
    Step(
        "scaled exponentials",
        "y = e^{−σt}: yE and y²K are polynomials in y and t",
        "symbolic",
        "all σ, t",
        scaling,
    ),
    Step(
        "the determinant",
        "det A = y² D_1 D_2/(4σ²)",
        "symbolic",
        "all σ, ε, t, c² + s² = 1",
        determinant,
    ),
    Step(
        "no small denominators",
        "D_1 ≥ 2σ,  D_2 ≥ min(2σ, (1+c)ε²)",
        "symbolic",
        "0 < y ≤ 1, −1 < c < 1",
        factors_are_positive,
    ),
    Step(
        "the wide network at y = 0",
        "W = diag(σ, 1/(2t + κ)),  κ = ((1−c)ε² + 2σ)/((1+c)ε²σ)",
        "symbolic",
        FAMILY,
        limit_network,
    ),
    Step(
        "the compressed network at y = 0",
        "W̃ = diag(σ, 1/(2t + 1/ε²))",
        "symbolic",
        "all σ, ε",
        compressed_limit,
    ),
    Step(
        "the offsets",
        "κ − 1/ε² = (1−c)/(1+c)·(1/ε² + 1/σ) > 0",
        "symbolic",
        FAMILY,
        offsets_differ,
    ),
    Step(
        "the limit",
        "t³·(‖W − M‖² − ‖W̃ − M‖²) → −¼(1−c)/(1+c)(1/ε² + 1/σ)   (at y = 0)",
        "symbolic",
        FAMILY,
        limit_of_the_margin,
    ),
    Step(
        "conclusion",
        "y = e^{−σt} beats every power of t, the denominators staying away from 0:\n"
        "the limit is that of the true margin, which is negative for all large t.\n"
        "The off-diagonal entries of W vanish at y = 0: any c_vec > 0 is met.",
        "argument",
        FAMILY,
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof; `thorough` changes nothing, every step being symbolic."""
    del thorough
    return Proof(
        claim="late_times",
        statement=(
            "L = 2, d = r̂ = 2, r = 1, M = diag(σ, 0), Q a rotation other than ±I: for every σ and "
            "ε the wide flow is closer to M than the compressed flow at all late times, however "
            "small ε is. These starts meet Assumption 1 with every c_vec > 0 (not with c_vec = 0)."
        ),
        source="Kwon et al. 2024, Theorem 2 (Eq. 13) with r̂ > r and c_vec > 0",
        corrections=(
            "With c_vec > 0, however small, '∀t ≥ 0' needs r̂ = r or the correction (r̂ − r)β^{2L}.",
        ),
        open=("The exact rate for L ≥ 3; turned_start proves that the failure is there.",),
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
