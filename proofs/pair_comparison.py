r"""Every singular value is held back by the largest one: a bound for each k, L, shape and width.

With s_k the singular values of M, a balanced start with ‖W_l(0)‖ ≤ ε, and m = 1 − 2/L,

    σ_k(t)^{2/L} ≤ Γ(t),   Γ′ = 2s_kσ̃_1^mΓ − 2Γ^L,   Γ(0) = ε².

*Proof.*  Let A = W_LW_Lᵀ and B = W_1ᵀW_1, so that WWᵀ = A^L, WᵀW = B^L (`proposition1`) and

    Ȧ = (M − W)Wᵀ + W(M − W)ᵀ,   Ḃ = (M − W)ᵀW + Wᵀ(M − W).

Compress A and B to the complements of the first k − 1 left and right singular vectors of M, with
the largest eigenvalues α and β, and let γ = max(α, β) ≥ σ_k^{2/L}. Say γ = β, attained at n. M
maps one complement to the other, so Mn = s·m with a unit vector m and s ≤ s_k. From W =
(WWᵀ)^{1/4}O(WᵀW)^{1/4} with a partial isometry O,

    m·Wn ≤ (mᵀA^{L/2}m · nᵀB^{L/2}n)^{1/2} ≤ σ_1^m(αβ)^{1/2} ≤ σ_1^mγ,

since A^{L/2} ⪯ ‖A‖^{L/2−1}A and ‖A‖ = σ_1^{2/L}. And |Wn|² = nᵀB^Ln ≥ γ^L. So by Danskin's theorem
D⁺γ ≤ 2s_kσ_1^mγ − 2γ^L, σ_1 ≤ σ̃_1 (`dominance`), and `comparison` gives γ ≤ Γ. ∎

*Two layers.*  m = 0 and Γ′ = 2(s_kΓ − Γ²): Γ = σ̃_k.  This is dominance for L = 2 without a Riccati
equation.  For s_k = s_1 and s_k = 0 the bound is σ̃_k at every depth.

*Separation of modes.* For ε^L < s_1 let o(x) = x/(s_1 − x). Along σ̃_1, (ln o)˙ = Ls_1σ̃_1^m, so
without its second term Γ is ε²[o(σ̃_1)/o(ε^L)]^{2s_k/(Ls_1)}, and

    σ_k(t) ≤ ε^L [o(σ̃_1(t))/o(ε^L)]^{s_k/s_1}.

When σ̃_1 reaches θs_1 the k-th value is at most ε^{L(1 − s_k/s_1)}(θ(s_1 − ε^L)/(1 − θ))^{s_k/s_1}:
modes with smaller targets are still of a positive power of ε, without any incremental-learning
assumption.
"""

from __future__ import annotations

import sympy as sp

from .closed_form import DEPTH, rate, sigma, target
from .facts import require_identity, require_nonnegative
from .noncommutative import diagonal, identity, letters, matrix, orthonormal_columns, require_same
from .proof import Clause, Proof, Step, argument, cited, main, symbolic
from .proposition1 import layer_rate
from .scopes import AtLeast
from .small_targets import gram_equation, push

__all__ = ["build", "eps", "pair_rate"]

goal = matrix("M", "out", "in")
below, last = matrix("W<L", "h", "in"), matrix("WL", "out", "h")
eps, top, low, gamma, theta = sp.symbols("ε s_1 s_k Γ θ", positive=True)
ALL_DEPTHS = AtLeast(2)


def pair_rate(small: sp.Expr, leading: sp.Expr, value: sp.Expr) -> sp.Expr:
    """Return Γ′ = 2s_kσ̃_1^{1−2/L}Γ − 2Γ^L, the rate of the bound on the Gram matrix.

    Parameters
    ----------
    small : sympy expression
        s_k, the target singular value.
    leading : sympy expression
        σ̃_1, the first value of the compressed network.
    value : sympy expression
        Γ.

    Returns
    -------
    sympy expression
    """
    return 2 * small * leading ** (1 - 2 / DEPTH) * value - 2 * value**DEPTH


def _odds(value: sp.Expr) -> sp.Expr:
    """Return o(x) = x/(s_1 − x)."""
    return value / (top - value)


def _separated(value: sp.Expr) -> sp.Expr:
    """Return the bound ε^L[o(σ̃_1)/o(ε^L)]^{s_k/s_1} on σ_k."""
    return eps**DEPTH * (_odds(value) / _odds(eps**DEPTH)) ** (low / top)


def _last_gram() -> None:
    """Ȧ = (M − W)Wᵀ + W(M − W)ᵀ for A = W_LW_Lᵀ."""
    network = last @ below
    rates = {letters(last)[0]: layer_rate(identity("out"), network - goal, below)}
    gap = goal - network
    moving = (last @ last.T).derivative(rates)
    require_same(moving, gap @ network.T + network @ gap.T, {}, "Ȧ")


def _polar_factors() -> None:
    """W = (WWᵀ)^{1/4} O (WᵀW)^{1/4} with O = UVᵀ, from W = USVᵀ."""
    left, right = matrix("U", "out", "k"), matrix("V", "in", "k")
    rules = orthonormal_columns(left, right)
    half = diagonal("S", "k", sp.Rational(1, 2))
    network = left @ diagonal("S", "k") @ right.T
    before, after = left @ half @ left.T, right @ half @ right.T
    product = before @ (left @ right.T) @ after
    require_same(network, product, rules, "W")
    require_same(before @ before @ before @ before, network @ network.T, rules, "(US^{1/2}Uᵀ)⁴")
    require_same(after @ after @ after @ after, network.T @ network, rules, "(VS^{1/2}Vᵀ)⁴")


def _power_bound(L: sp.Expr) -> None:
    """λ^{L/2} ≤ Λ^{L/2−1}λ for λ ≤ Λ, and Λ^{L/2−1} = σ_1^{1−2/L} for Λ = σ_1^{2/L}."""
    require_nonnegative(sp.simplify(L / 2 - 1), "the exponent in λ^{L/2} ≤ Λ^{L/2−1}λ, λ ≤ Λ")
    largest = sigma ** (2 / DEPTH)
    require_identity(
        largest ** (DEPTH / 2 - 1), sigma ** (1 - 2 / DEPTH), "Λ^{L/2−1} at Λ = σ_1^{2/L}"
    )


def _two_layers(L: sp.Expr) -> None:
    """For L = 2 the bound's equation is that of σ̃_k."""
    bound = pair_rate(target, top, sigma).subs(DEPTH, L)
    require_identity(bound, rate(sigma).subs(DEPTH, L), "Γ′ against σ̃_k′ at Γ = σ̃_k")


def _extreme_targets() -> None:
    """For s_k = s_1 and s_k = 0 the equation is that of x = σ̃_k^{2/L}."""
    square = sigma ** (2 / DEPTH)
    require_identity(pair_rate(target, sigma, square), push(target, sigma), "Γ′ at Γ = σ̃_1^{2/L}")
    residual = pair_rate(sp.Integer(0), top, square)
    require_identity(residual, push(sp.Integer(0), sigma), "Γ′ for s_k = 0")


def _odds_grow() -> None:
    """(ln o(σ̃_1))˙ = Ls_1σ̃_1^{1−2/L}; the separated bound solves the equation without −2Γ^L."""
    speed = rate(sigma).subs(target, top)
    growth = sp.diff(_odds(sigma), sigma) / _odds(sigma) * speed
    require_identity(growth, DEPTH * top * sigma ** (1 - 2 / DEPTH), "(ln o(σ̃_1))˙")
    undamped = pair_rate(low, sigma, gamma) + 2 * gamma**DEPTH
    require_identity(undamped / gamma, 2 * low / (DEPTH * top) * growth, "Γ′/Γ without −2Γ^L")
    exponent = sp.diff(sp.expand_log(sp.log(_separated(sigma) ** (2 / DEPTH)), force=True), sigma)
    require_identity(exponent * speed, undamped / gamma, "(ln of the bound on σ_k^{2/L})˙")
    require_identity(_separated(eps**DEPTH), eps**DEPTH, "the bound at the start")
    require_identity(_odds(top / 2), 1, "o(s_1/2)")


def _when_the_first_is_fitted() -> None:
    """At σ̃_1 = θs_1 the bound is ε^{L(1−s_k/s_1)} times a bounded factor."""
    start = sp.Symbol("e", positive=True)  # ε^L
    bound = _separated(theta * top).subs(eps**DEPTH, start)
    factor = (theta * (top - start) / (1 - theta)) ** (low / top)
    half = {theta: sp.Rational(1, 2)}
    require_identity(
        (bound / factor).subs(half).subs(top, start + gamma),
        (start ** (1 - low / top)).subs(top, start + gamma),
        "the bound over (θ(s_1 − e)/(1 − θ))^{s_k/s_1}, e = ε^L, θ = 1/2, s_1 = e + Γ",
    )


STEPS: tuple[Step, ...] = (
    symbolic("the Gram matrix of the first layer", gram_equation),
    symbolic("the Gram matrix of the last layer", _last_gram),
    symbolic("polar factors", _polar_factors),
    symbolic("powers", _power_bound, L=ALL_DEPTHS),
    cited(
        "a largest eigenvalue",
        "Courant–Fischer for λ_k, Danskin for the derivative of a maximum, Jensen for nᵀB^Ln.",
    ),
    argument(
        "the pair",
        "m·Wn ≤ (mᵀA^{L/2}m · nᵀB^{L/2}n)^{1/2} ≤ σ_1^m(αβ)^{1/2} ≤ σ_1^mγ, |Wn|² ≥ γ^L: if γ = β "
        "then "
        "D⁺β ≤ 2s_kσ_1^mγ − 2γ^L, likewise for α; σ_1 ≤ σ̃_1 (`dominance`), and `comparison`: γ ≤ "
        "Γ.",
        "the Gram matrix of the first layer",
        "the Gram matrix of the last layer",
        "polar factors",
        "powers",
        "a largest eigenvalue",
    ),
    symbolic("two layers", _two_layers, L=2),
    symbolic("equal and zero targets", _extreme_targets),
    symbolic("odds", _odds_grow),
    symbolic("when the first mode is fitted", _when_the_first_is_fitted),
    argument(
        "separation",
        "Leaving −2Γ^L out makes Γ larger (`comparison`): σ_k ≤ ε^L[o(σ̃_1)/o(ε^L)]^{s_k/s_1}.",
        "the pair",
        "odds",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `pair_comparison`, to be run or verified.

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
        claim="pair_comparison",
        clauses=(
            Clause(
                "Along gradient flow from a balanced start with layers of norm at most ε, "
                "σ_k(t)^{2/L} ≤ Γ(t) for every k, with Γ′ = 2s_kσ̃_1^{1−2/L}Γ − 2Γ^L, Γ(0) = ε²; "
                "for "
                "s_k = s_1 and s_k = 0 this is dominance.",
                ("the pair", "equal and zero targets"),
                {"L": ALL_DEPTHS},
            ),
            Clause(
                "For two layers Γ = σ̃_k: dominance for every k.",
                ("the pair", "two layers"),
                {"L": 2},
            ),
            Clause(
                "For ε^L < s_1, σ_k(t) ≤ ε^L[o(σ̃_1(t))/o(ε^L)]^{s_k/s_1} with o(x) = x/(s_1 − x): "
                "when "
                "σ̃_1 reaches θs_1, σ_k is O(ε^{L(1 − s_k/s_1)}).",
                ("separation", "odds", "when the first mode is fitted"),
                {"L": ALL_DEPTHS},
            ),
        ),
        source="dlnlab",
        open=("Dominance itself for 2 ≤ k ≤ r, s_1 > s_k > 2ε^L and L ≥ 3 (`dominance`).",),
        proves=("dominance",),
        reading="0bd54c8c353f",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
