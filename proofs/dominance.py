r"""Dominance: no singular value of the wide network ever exceeds the compressed network's.

Claim: along gradient flow on ½‖W − M‖² from a balanced start with ‖W_l(0)‖ ≤ ε (an ε-orthogonal
square network, for instance), σ_i(W(t)) ≤ σ̃_i(t), where σ̃_i is the flow of the compressed network
started at ε^L, for the i-th singular value σ_i* of M (zero beyond the rank).

**L = 2, every i.**  Balanced means W_2ᵀW_2 = W_1W_1ᵀ, and that persists (proposition1).  Let
Z = [W_2; W_1ᵀ], X = ZZᵀ and S = [[0, M], [Mᵀ, 0]].  Then Ẋ = SX + XS − X².  Two solutions X, X̂ of
this Riccati equation differ by D = X̂ − X with Ḋ = ND + DNᵀ, N = S − ½(X + X̂), which is solved by
D(t) = ΦD(0)Φᵀ, Φ̇ = NΦ, Φ(0) = I: the equation preserves the Loewner order.  The nonzero
eigenvalues of X are those of ZᵀZ = 2W_1W_1ᵀ, so X(0) ⪯ 2ε²I.  The solution X̂ from 2ε²I stays a
function of S.  On the eigenvalue s of S its eigenvalue is x_s with ẋ = 2sx − x², x(0) = 2ε²:

    1/x_s(t) = e^{−2st}/(2ε²) + ∫_0^t e^{−2sτ} dτ,

increasing in s, and for s = σ_i* equal to 2σ̃_i(t).  S has the eigenvalues ±σ_i* and zeros, so the
i-th largest eigenvalue of X̂ is 2σ̃_i.  That of X is 2σ_i, because WᵀW = (W_1ᵀW_1)².  Since X ⪯ X̂
orders eigenvalues one by one, 2σ_i ≤ 2σ̃_i.

**Every L, i = 1.**  By Proposition 1 the largest singular value grows at rate at most
Lσ_1^{2−2/L}(σ_1* − σ_1), because uᵀMv ≤ σ_1* for unit vectors; σ̃_1 obeys this with equality.
As σ_i ≤ σ_1, dominance follows for every i with σ_i* = σ_1*.

**L ≥ 3, i ≥ 2 with σ_i* < σ_1*.** `small_targets` proves it for σ_i* ≤ 2ε^L, so for every i > r,
and `plane_blocks` for orthogonal starts whose QᵀM splits into blocks of size one and two.
Otherwise it is a conjecture.
"""

from __future__ import annotations

import sympy as sp

from .closed_form import DEPTH, logistic, rate, residual_base, residual_root, target
from .closed_form import eps as closed_eps
from .closed_form import t as closed_t
from .facts import require_identity, require_limit, require_nonnegative, require_positive
from .noncommutative import Letter, Words, identity, letters, matrix, require_same, symmetric
from .proof import Clause, Proof, Step, argument, cited, main, symbolic
from .proposition1 import layer_rate, singular_value_rate
from .scopes import AtLeast

__all__ = ["L", "build", "comparison", "eps", "lifted_flow", "t"]

first, last = matrix("W1", "h", "in"), matrix("W2", "out", "h")
goal = matrix("M", "out", "in")
BALANCED = {letters(last.T, last): first @ first.T}

s, t, tau, eps, value, L = sp.symbols("s t τ ε σ L", positive=True)
Blocks = dict[str, Words]


def _layer_rates() -> dict[Letter, Words]:
    """Return Ẇ_1 = −W_2ᵀG and Ẇ_2 = −GW_1ᵀ with G = W_2W_1 − M."""
    residual = last @ first - goal
    return {
        letters(first)[0]: layer_rate(last, residual, identity("in")),
        letters(last)[0]: layer_rate(identity("out"), residual, first),
    }


def _require_two_layers(L: sp.Expr) -> None:
    """Refuse another depth: the words of this module are those of two layers."""
    require_identity(L, 2, "number of layers in the words below")


def _lifted() -> Blocks:
    """Return the blocks of X = ZZᵀ, Z = [W_2; W_1ᵀ]."""
    corner = last @ first
    return {"11": last @ last.T, "12": corner, "21": corner.T, "22": first.T @ first}


def _riccati(x: Blocks) -> Blocks:
    """Return the blocks of SX + XS − X²."""
    product = {
        f"{i}{j}": x[f"{i}1"] @ x[f"1{j}"] + x[f"{i}2"] @ x[f"2{j}"] for i in "12" for j in "12"
    }
    linear = {
        "11": goal @ x["21"] + x["12"] @ goal.T,
        "12": goal @ x["22"] + x["11"] @ goal,
        "21": goal.T @ x["11"] + x["22"] @ goal.T,
        "22": goal.T @ x["12"] + x["21"] @ goal,
    }
    return {place: linear[place] - product[place] for place in linear}


def lifted_flow(L: sp.Expr) -> None:
    """The layers' flow implies the Riccati equation, block by block.

    Parameters
    ----------
    L : sympy expression
        Depth, which must be 2.
    """
    _require_two_layers(L)
    x = _lifted()
    claimed = _riccati(x)
    for place, block in x.items():
        moving = block.derivative(_layer_rates())
        require_same(moving, claimed[place], BALANCED, f"block {place} of Ẋ = SX + XS − X²")


def _difference_equation() -> None:
    """D = X̂ − X obeys Ḋ = ND + DNᵀ with N = S − ½(X + X̂)."""
    x, y, drift = symmetric("X", "n"), symmetric("X̂", "n"), symmetric("S", "n")
    gap = y - x
    generator = drift - sp.Rational(1, 2) * (x + y)
    moving = (drift @ y + y @ drift - y @ y) - (drift @ x + x @ drift - x @ x)
    require_same(moving, generator @ gap + gap @ generator.T, {}, "Ḋ")


def _congruence() -> None:
    """D(t) = ΦD(0)Φᵀ solves Ḋ = ND + DNᵀ when Φ̇ = NΦ, and is a Gram matrix if D(0) = CCᵀ is."""
    flow, generator, root = matrix("Φ", "n", "n"), matrix("N", "n", "n"), matrix("C", "n", "k")
    gap = flow @ root @ root.T @ flow.T
    moving = gap.derivative({letters(flow)[0]: generator @ flow})
    require_same(moving, generator @ gap + gap @ generator.T, {}, "Ḋ for D = ΦCCᵀΦᵀ")
    require_same(gap, (flow @ root) @ (flow @ root).T, {}, "D = (ΦC)(ΦC)ᵀ")


def _start_is_below(L: sp.Expr) -> None:
    """ZᵀZ = 2W_1W_1ᵀ; for an ε-orthogonal start 2ε²I − X(0) is a Gram matrix outright."""
    _require_two_layers(L)
    gram = last.T @ last + first @ first.T
    require_same(gram, 2 * first @ first.T, BALANCED, "ZᵀZ")
    turn = matrix("Q", "out", "in")
    rules = {letters(turn, turn.T): identity("out"), letters(turn.T, turn): identity("in")}
    blocks = {  # 2ε²I − X(0) with W_2W_1 = ε²Q, against ε²YYᵀ with Y = [I; −Qᵀ]
        "11": (2 * eps**2 * identity("out") - eps**2 * turn @ turn.T, eps**2 * identity("out")),
        "12": (-(eps**2) * turn, eps**2 * (-turn)),
        "22": (2 * eps**2 * identity("in") - eps**2 * turn.T @ turn, eps**2 * turn.T @ turn),
    }
    for place, (actual, claimed) in blocks.items():
        require_same(actual, claimed, rules, f"block {place} of 2ε²I − X(0) = ε²YYᵀ")


def comparison(eigenvalue: sp.Expr) -> sp.Expr:
    """Return x_s(t), the comparison solution on the eigenvalue s of S.

    Parameters
    ----------
    eigenvalue : sympy expression
        s.

    Returns
    -------
    sympy expression
    """
    decay = sp.exp(-2 * eigenvalue * t)
    return 1 / (decay / (2 * eps**2) + (1 - decay) / (2 * eigenvalue))


def _comparison_solution(L: sp.Expr) -> None:
    """x_s solves ẋ = 2sx − x² from 2ε², and is 2σ̃ for s = σ*, for s = 0 in the limit."""
    _require_two_layers(L)
    for eigenvalue in (s, -s):
        x = comparison(eigenvalue)
        moving = 2 * eigenvalue * x - x**2
        require_identity(sp.diff(x, t), moving, f"ẋ_s at the eigenvalue {eigenvalue}")
        require_identity(x.subs(t, 0), 2 * eps**2, f"x_s(0) at the eigenvalue {eigenvalue}")
    fitted = logistic(closed_t).subs({target: s, closed_eps: eps, closed_t: t})
    require_identity(comparison(s), 2 * fitted, "x_s against 2σ̃")
    residual = 2 * eps**2 / (1 + 2 * eps**2 * t)
    require_limit(comparison(s), s, 0, residual, "x_s")
    beta = residual_root(residual_base(closed_t)).subs({DEPTH: L, closed_eps: eps, closed_t: t})
    require_identity(residual, 2 * beta**2, "x_0 against 2β²")
    require_identity(sp.diff(residual, t), -(residual**2), "ẋ_0")


def _comparison_is_ordered() -> None:
    """1/x_s is e^{−2st}/(2ε²) + ∫_0^t e^{−2sτ}dτ, and both parts decrease in s, for all real s."""
    real = sp.Symbol("s", real=True)
    integral = sp.integrate(sp.exp(-2 * s * tau), (tau, 0, t))
    parts = sp.exp(-2 * s * t) / (2 * eps**2) + integral
    require_identity(1 / comparison(s), parts, "1/x_s as a first part and ∫_0^t e^{−2sτ}dτ")
    first_part, integrand = sp.exp(-2 * real * t) / (2 * eps**2), sp.exp(-2 * real * tau)
    require_positive(-sp.diff(first_part, real), "−d/ds of the first part")
    require_positive(-sp.diff(integrand, real), "−d/ds of the integrand")


def _spectrum_of_the_lift(L: sp.Expr) -> None:
    """S[u; ±v] = ±σ[u; ±v], and WᵀW = (W_1ᵀW_1)²: the eigenvalues of X are 2σ_i and zeros."""
    _require_two_layers(L)
    end_to_end = last @ first
    square = first.T @ first
    require_same(end_to_end.T @ end_to_end, square @ square, BALANCED, "WᵀW")
    left, right, sigma = matrix("u", "out", "1"), matrix("v", "in", "1"), sp.Symbol("σ*")
    rules = {letters(goal, right): sigma * left, letters(goal.T, left): sigma * right}
    for sign in (1, -1):
        require_same(goal @ (sign * right), sign * sigma * left, rules, "upper half of S[u; ±v]")
        require_same(goal.T @ left, sign * sigma * (sign * right), rules, "lower half of S[u; ±v]")


def _top_singular_value() -> None:
    """With uᵀMv = σ* − δ, δ ≥ 0, the compressed rate exceeds the wide one by Lσ^{2−2/L}δ ≥ 0."""
    deficit = sp.Symbol("δ", nonnegative=True)
    wide = singular_value_rate(value, value - (target - deficit))
    narrow = rate(value)
    excess = L * value ** (2 - 2 / L) * deficit
    require_identity(narrow - wide, excess, "compressed rate less wide rate, uᵀMv = σ* − δ")
    require_nonnegative(excess, "its sign")


STEPS: tuple[Step, ...] = (
    symbolic("the lift", lifted_flow, L=2),
    symbolic("difference of two solutions", _difference_equation),
    symbolic("the order is preserved", _congruence),
    cited(
        "uniqueness",
        "A linear differential equation has one solution per start (Picard–Lindelöf).",
    ),
    symbolic("the start is below 2ε²I", _start_is_below, L=2),
    symbolic("the comparison solution", _comparison_solution, L=2),
    symbolic("the comparison solution is ordered", _comparison_is_ordered),
    symbolic("spectra", _spectrum_of_the_lift, L=2),
    cited(
        "eigenvalues respect the order",
        "X ⪯ X̂ implies λ_i(X) ≤ λ_i(X̂) for every i (Weyl).",
    ),
    argument(
        "two layers",
        "X(0) ⪯ 2ε²I stays below the solution from 2ε²I, whose i-th largest eigenvalue is 2σ̃_i: "
        "2σ_i(t) ≤ 2σ̃_i(t) for every i, all shapes and hidden widths.",
        "the lift",
        "difference of two solutions",
        "the order is preserved",
        "uniqueness",
        "the start is below 2ε²I",
        "the comparison solution",
        "the comparison solution is ordered",
        "spectra",
        "eigenvalues respect the order",
    ),
    cited(
        "derivative of a maximum",
        "σ_1 = max uᵀWv has the right derivative max uᵀẆv over top pairs (Danskin).",
    ),
    symbolic("the largest singular value", _top_singular_value),
    argument(
        "any depth",
        "uᵀMv ≤ σ_1* for unit vectors, so D⁺σ_1 ≤ Lσ_1^{2−2/L}(σ_1* − σ_1), with equality for σ̃_1; "
        "`comparison` gives σ_1 ≤ σ̃_1, and σ_i ≤ σ_1 ≤ σ̃_1 = σ̃_i if σ_i* = σ_1*.",
        "derivative of a maximum",
        "the largest singular value",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `dominance`, to be run or verified.

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
        claim="dominance",
        clauses=(
            Clause(
                "Along gradient flow from a balanced start with two layers of norm at most ε, "
                "σ_i(W(t)) ≤ σ̃_i(t) for every i and t.",
                ("two layers", "the lift", "the comparison solution", "spectra"),
                {"L": 2},
            ),
            Clause(
                "For every depth σ_i(W(t)) ≤ σ̃_i(t) for those i with σ_i* = σ_1*, in particular "
                "i = 1.",
                ("any depth", "the largest singular value"),
                {"L": AtLeast(2)},
            ),
        ),
        source="a strengthening of Kwon et al. 2024, Eq. (30), without Assumption 1",
        corrections=(
            "Eq. (30) is derived in the paper with u_{i+1}ᵀM*v_{i+1} ≤ σ*_{i+1}, which needs "
            "c_vec = 0; by assumption1 only aligned starts have c_vec = 0 exactly.",
        ),
        open=(
            "L ≥ 3 and 2ε^L < σ_i* < σ_1*, beyond plane_blocks: a conjecture. Tried: sums of the k "
            "largest values in a coordinate σ^q (`early_sums`: from a share of the target on the "
            "damping works against the induction); a Riccati lift (Ẋ is no longer quadratic in "
            "X = ZZᵀ).",
            "Gradient descent instead of flow: no claim.",
        ),
        proves=("dominance",),
        reading="4f7384931ac5",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
