r"""Theorem 1: gradient descent on the compressed network moves r̂ scalars, nothing else.

Let M = U Σ Vᵀ + R with U (d_out × r̂) and V (d_in × r̂) holding the top r̂ singular vectors, Σ the
top r̂ singular values (zeros included) and R the rest of the SVD, so that UᵀR = 0 and R V = 0
(R = 0 when r̂ ≥ r, the case of the paper).  Algorithm 1 starts at

    W_L = U A,   W_l = B  (1 < l < L),   W_1 = A Vᵀ,      A = B = ε I,

and the claim is that the iterates keep this form with *diagonal* A and B.  Induction over the
iteration: assume the form.  The chain rule gives, with G = W_L⋯W_1 − M,

    ∇_l = (W_L⋯W_{l+1})ᵀ G (W_{l−1}⋯W_1)ᵀ.

The two products are U A B^{L−1−l} and B^{l−2} A Vᵀ (induction over l), and UᵀGV = A²B^{L−2} − Σ is
diagonal, R having dropped out.  Hence

    ∇_l = A²B^{L−3}(A²B^{L−2} − Σ)        for 1 < l < L, the same for every inner layer,
    ∇_L = U · AB^{L−2}(A²B^{L−2} − Σ),    ∇_1 = AB^{L−2}(A²B^{L−2} − Σ) · Vᵀ.

All of A, B, Σ being diagonal, a step acts entry by entry.  With step αη on the outer layers and η
on the inner ones, and σ̃ = a²b^{L−2},

    a⁺ = a − αη(σ̃ − σ*) a b^{L−2},      b⁺ = b − η(σ̃ − σ*) a² b^{L−3},

and for α = 1 equal entries stay equal: λ⁺ = λ(1 − η(λ^L − σ*)λ^{L−2}), which is Theorem 1, and
β⁺ = β(1 − ηβ^{2(L−1)}) where σ* = 0.  Weight decay μ, which the paper does not consider, multiplies
a layer by 1 − η_l μ before its gradient is subtracted: diagonal layers stay diagonal, a⁺ loses αημ
a more and b⁺ loses ημ b.  The words of :mod:`.words` carry this out for every depth, rank and shape
at once, with symbolic L and l.
"""

from __future__ import annotations

from itertools import pairwise

import sympy as sp

from .proof import Proof, Step, main, require, require_positive, require_zero
from .words import Words, diagonal, diagonal_entry, identity, letters, matrix, require_same, zero

a, b, lam, beta, sigma, eta, alpha, eps = sp.symbols("a b λ β σ η α ε", positive=True)
decay = sp.Symbol("μ", nonnegative=True)
L, layer = sp.symbols("L l", positive=True)
n = sp.Symbol("n", nonnegative=True)  # L = n + 2: sympy then knows that L ≥ 2
w = sp.Symbol("w", positive=True)  # 1/(1 + w) runs through the open interval (0, 1)

U, V = matrix("U", "out", "k"), matrix("V", "in", "k")
R = matrix("R", "out", "in")
A, B, S = diagonal("A", "k"), diagonal("B", "k"), diagonal("Σ", "k")
RULES = {
    letters(U.T, U): identity("k"),
    letters(V.T, V): identity("k"),
    letters(U.T, R): zero("k", "in"),
    letters(R, V): zero("out", "k"),
}


def lambda_next(value: sp.Expr, target: sp.Expr, step: sp.Expr, depth: sp.Expr) -> sp.Expr:
    """Return λ(t+1) of Theorem 1, Eq. (16)."""
    return value * (1 - step * (value**depth - target) * value ** (depth - 2))


def beta_next(value: sp.Expr, step: sp.Expr, depth: sp.Expr) -> sp.Expr:
    """Return β(t+1) of Theorem 1, Eq. (17)."""
    return value * (1 - step * value ** (2 * (depth - 1)))


def outer_next(outer: sp.Expr, inner: sp.Expr) -> sp.Expr:
    """Return a(t+1), the singular value of the first and the last layer."""
    return outer - alpha * eta * (product(outer, inner) - sigma) * outer * inner ** (L - 2)


def inner_next(outer: sp.Expr, inner: sp.Expr) -> sp.Expr:
    """Return b(t+1), the singular value of the layers in between."""
    return inner - eta * (product(outer, inner) - sigma) * outer**2 * inner ** (L - 3)


def decayed(following: sp.Expr, value: sp.Expr, step: sp.Expr) -> sp.Expr:
    """Return the next value with weight decay, from the next value without and the present one."""
    return following - step * decay * value


def product(outer: sp.Expr, inner: sp.Expr) -> sp.Expr:
    """Return the end-to-end singular value σ̃ = a²b^{L−2}."""
    return outer**2 * inner ** (L - 2)


def above(number: sp.Expr) -> Words:
    """Return W_L⋯W_{l+1} for 1 ≤ l ≤ L − 1."""
    return U @ A @ diagonal("B", "k", L - 1 - number)


def below(number: sp.Expr) -> Words:
    """Return W_{l−1}⋯W_1 for 2 ≤ l ≤ L."""
    return diagonal("B", "k", number - 2) @ A @ V.T


def residual() -> Words:
    """Return G = W_L⋯W_1 − M."""
    return U @ A @ diagonal("B", "k", L - 2) @ A @ V.T - (U @ S @ V.T + R)


def diagonal_residual() -> Words:
    """Return UᵀGV = A²B^{L−2} − Σ."""
    return A @ A @ diagonal("B", "k", L - 2) - S


def chain_rule() -> None:
    """Differentiate ½‖W_L⋯W_1 − M‖² entry by entry and compare, on general 2×3×2-type shapes."""
    for widths in ((2, 3, 2), (2, 1, 2), (1, 2, 2, 1)):
        weights = [
            sp.Matrix(m, k, sp.symbols(f"w{i}_:{m * k}"))
            for i, (k, m) in enumerate(pairwise(widths))
        ]
        target = sp.Matrix(widths[-1], widths[0], sp.symbols(f"m_:{widths[-1] * widths[0]}"))
        _compare_gradients(weights, target)


def _compare_gradients(weights: list[sp.Matrix], target: sp.Matrix) -> None:
    error = _chain(weights, target.cols) - target
    loss = sum(entry**2 for entry in error) / 2
    for i, weight in enumerate(weights):
        before = _chain(weights[:i], target.cols)
        after = _chain(weights[i + 1 :], weight.rows)
        direct = weight.applyfunc(lambda entry: sp.diff(loss, entry))
        require_zero(
            (direct - after.T * error * before.T).applyfunc(sp.expand), f"∇ of layer {i + 1}"
        )


def _chain(weights: list[sp.Matrix], size: int) -> sp.Matrix:
    total = sp.eye(size)
    for weight in weights:
        total = weight * total
    return total


def partial_products() -> None:
    """Check the closed forms of the products above and below a layer by induction over layers."""
    require_same(above(L - 1), U @ A, RULES, "start of the products above")
    require_same(above(layer - 1), above(layer) @ B, RULES, "W_L⋯W_l = (W_L⋯W_{l+1})·W_l")
    require_same(below(sp.Integer(2)), A @ V.T, RULES, "start of the products below")
    require_same(below(layer + 1), B @ below(layer), RULES, "W_l⋯W_1 = W_l·(W_{l−1}⋯W_1)")


def inner_gradient() -> None:
    """The gradient of every inner layer is the same diagonal matrix."""
    claimed = A @ A @ diagonal("B", "k", L - 3) @ diagonal_residual()
    actual = above(layer).T @ residual() @ below(layer).T
    require_same(actual, claimed, RULES, "∇_l for 1 < l < L")
    require_zero(inner_next(a, b) - (b - eta * _entry(claimed)), "b⁺ entry by entry")


def outer_gradients() -> None:
    """The gradients of the outer layers stay in the frames U and Vᵀ."""
    core = A @ diagonal("B", "k", L - 2) @ diagonal_residual()
    first = above(sp.Integer(1)).T @ residual()
    last = residual() @ below(L).T
    require_same(last, U @ core, RULES, "∇_L")
    require_same(first, core @ V.T, RULES, "∇_1")
    require_zero(outer_next(a, b) - (a - alpha * eta * _entry(core)), "a⁺ entry by entry")


def weight_decay() -> None:
    """(1 − η_l μ) W_l − η_l ∇_l keeps the frames, and acts entry by entry."""
    inner = A @ A @ diagonal("B", "k", L - 3) @ diagonal_residual()
    core = A @ diagonal("B", "k", L - 2) @ diagonal_residual()
    outer = alpha * eta
    last = U @ A * (1 - outer * decay) - outer * (residual() @ below(L).T)
    kept = A * (1 - outer * decay) - outer * core
    require_same(last, U @ kept, RULES, "W_L⁺")
    first = A @ V.T * (1 - outer * decay) - outer * (above(sp.Integer(1)).T @ residual())
    require_same(first, kept @ V.T, RULES, "W_1⁺")
    require_zero(decayed(outer_next(a, b), a, outer) - _entry(kept), "a⁺ entry by entry")
    middle = B * (1 - eta * decay) - eta * inner
    require_zero(decayed(inner_next(a, b), b, eta) - _entry(middle), "b⁺ entry by entry")


def _entry(expression: Words) -> sp.Expr:
    return diagonal_entry(expression, {"A": a, "B": b, "Σ": sigma})


def recursions() -> None:
    """For α = 1 equal entries stay equal and follow the λ recursion; β is its case σ* = 0."""
    equal = {a: lam, b: lam, alpha: 1}
    following = lambda_next(lam, sigma, eta, L)
    require_zero(sp.powsimp(outer_next(a, b).subs(equal)) - following, "a⁺ = λ⁺ at a = b = λ")
    require_zero(sp.powsimp(inner_next(a, b).subs(equal)) - following, "b⁺ = λ⁺ at a = b = λ")
    residual_case = lambda_next(beta, sp.Integer(0), eta, L)
    require_zero(beta_next(beta, eta, L) - residual_case, "β⁺ is λ⁺ with σ* = 0")


def beta_decreases() -> None:
    """If 0 < x = ηβ^{2(L−1)} < 1, then 0 < β⁺ < β and the new x is again in (0, x)."""
    depth = n + 2
    inside = (1 / (1 + w)) * beta ** (-2 * (depth - 1))  # the η with ηβ^{2(L−1)} = 1/(1+w)
    following = sp.simplify(beta_next(beta, inside, depth))
    require_zero(following - beta * w / (1 + w), "β⁺ = β(1 − x)")
    require_positive(following, "β⁺")
    require_positive(beta - following, "β − β⁺")


def beta_premise() -> None:
    """The premise is sharp: at ηε^{2(L−1)} = 1 β jumps to 0, and at 3 it doubles in size."""
    for multiple, factor in ((1, 0), (3, -2)):
        following = beta_next(eps, multiple * eps ** (-2 * (L - 1)), L)
        require_zero(sp.simplify(following - factor * eps), f"β(1) at ηε^(2(L−1)) = {multiple}")


def local_stability() -> None:
    """The derivative of the λ recursion at its fixed point."""
    derivative = sp.diff(lambda_next(lam, sigma, eta, L), lam).subs(lam, sigma ** (1 / L))
    require_zero(derivative - (1 - eta * L * sigma ** (2 - 2 / L)), "derivative at σ*^(1/L)")


def no_overshoot() -> None:
    """The map is increasing on (0, σ*^{1/L}] when κ = ηLσ*^{2−2/L} ≤ 1, and lies above λ."""
    depth, u, kappa = n + 2, 1 / (1 + w), sp.Symbol("κ", positive=True)
    step = kappa / (depth * sigma ** (2 - 2 / depth))
    at = (u * sigma) ** (1 / depth)
    slope = sp.diff(lambda_next(lam, sigma, step, depth), lam).subs(lam, at)
    bound = 1 - kappa * u ** (1 - 2 / depth)
    excess = kappa * u ** (1 - 2 / depth) * (2 * depth - 1) * (1 - u) / depth
    require_zero(at**depth - u * sigma, "λ^L = uσ*")
    require_zero(slope - bound - excess, "derivative = (1 − κu^{1−2/L}) + nonnegative")
    require_positive(sp.simplify(excess), "the nonnegative part")
    exponent = sp.simplify(1 - 2 / depth)
    require(bool(exponent.is_nonnegative), "u^{1−2/L} ≤ 1 needs 1 − 2/L ≥ 0", exponent)
    rise = lambda_next(lam, (1 + w) * lam**depth, eta, depth) - lam
    require_positive(rise, "λ⁺ − λ for σ* = (1 + w)λ^L")


def jacobian() -> None:
    """At a²b^{L−2} = σ* the pair's Jacobian is I − (rank one): eigenvalues 1 and 1 − ηκ."""
    maps = sp.Matrix([outer_next(a, b), inner_next(a, b)])
    at_rest = maps.jacobian([a, b]).subs(sigma, product(a, b))
    kappa = pair_curvature(a, b)
    require_zero((sp.eye(2) - at_rest).det(), "1 is an eigenvalue")
    require_zero(at_rest.trace() - (2 - eta * kappa), "the other eigenvalue is 1 − ηκ")
    equal = kappa.subs({a: sigma ** (1 / L), b: sigma ** (1 / L), alpha: 1})
    require_zero(equal - L * sigma ** (2 - 2 / L), "κ at a = b, α = 1")


def pair_curvature(outer: sp.Expr, inner: sp.Expr) -> sp.Expr:
    """Return κ = 2αa²b^{2L−4} + (L − 2)a⁴b^{2L−6}; the pair is stable iff η < 2/κ."""
    return 2 * alpha * outer**2 * inner ** (2 * L - 4) + (L - 2) * outer**4 * inner ** (2 * L - 6)


def conserved() -> None:
    """To first order in η, a² − αb² does not change, so along the flow it stays (1−α)ε²."""
    change = outer_next(a, b) ** 2 - alpha * inner_next(a, b) ** 2 - (a**2 - alpha * b**2)
    require_zero(sp.diff(change, eta).subs(eta, 0), "d(a² − αb²)/dη at η = 0")


EVERYTHING = "all L ≥ 2, r̂, shapes"

STEPS: tuple[Step, ...] = (
    Step(
        "chain rule",
        "∇_l = (W_L⋯W_{l+1})ᵀ G (W_{l−1}⋯W_1)ᵀ",
        "symbolic",
        "general entries, widths 2-3-2, 2-1-2, 1-2-2-1",
        chain_rule,
    ),
    Step(
        "chain rule for every shape",
        "d/ds ½‖P(W_l + sE)Q − M‖² = ⟨G, PEQ⟩ = ⟨PᵀGQᵀ, E⟩: the trace is cyclic.",
        "argument",
        "all L, all shapes",
    ),
    Step(
        "products above and below a layer",
        "W_L⋯W_{l+1} = U A B^{L−1−l},   W_{l−1}⋯W_1 = B^{l−2} A Vᵀ",
        "symbolic",
        EVERYTHING,
        partial_products,
    ),
    Step(
        "inner layers stay diagonal",
        "∇_l = A²B^{L−3}(A²B^{L−2} − Σ)   for every 1 < l < L\n"
        "b⁺ = b − η(σ̃ − σ*) a² b^{L−3},   σ̃ = a²b^{L−2}",
        "symbolic",
        EVERYTHING,
        inner_gradient,
    ),
    Step(
        "outer layers keep their frames",
        "∇_L = U·AB^{L−2}(A²B^{L−2} − Σ),   ∇_1 = AB^{L−2}(A²B^{L−2} − Σ)·Vᵀ\n"
        "a⁺ = a − αη(σ̃ − σ*) a b^{L−2}",
        "symbolic",
        EVERYTHING,
        outer_gradients,
    ),
    Step(
        "weight decay",
        "W_l⁺ = (1 − η_lμ)W_l − η_l∇_l has the same form:\n"
        "a⁺ = (1 − αημ)a − αη(σ̃ − σ*) a b^{L−2},   b⁺ = (1 − ημ)b − η(σ̃ − σ*) a² b^{L−3}",
        "symbolic",
        f"{EVERYTHING}, α, μ",
        weight_decay,
    ),
    Step(
        "Theorem 1's recursions (α = 1)",
        "λ⁺ = λ(1 − η(λ^L − σ*)λ^{L−2}),   β⁺ = β(1 − ηβ^{2(L−1)})",
        "symbolic",
        "all L",
        recursions,
    ),
    Step(
        "β decreases",
        "0 < ηβ^{2(L−1)} < 1  ⟹  0 < β⁺ < β, and the premise persists: β(t) ≤ ε",
        "symbolic",
        "all L ≥ 2",
        beta_decreases,
    ),
    Step(
        "the premise is sharp",
        "ηε^{2(L−1)} = 1 ⟹ β(1) = 0;   ηε^{2(L−1)} = 3 ⟹ β(1) = −2ε",
        "symbolic",
        "all L",
        beta_premise,
    ),
    Step(
        "local stability",
        "dλ⁺/dλ = 1 − ηLσ*^{2−2/L} at λ = σ*^{1/L}: inside (−1, 1) iff η < 2/(Lσ*^{2−2/L})",
        "symbolic",
        "all L",
        local_stability,
    ),
    Step(
        "no overshoot from below",
        "ηLσ*^{2−2/L} ≤ 1 and 0 < λ ≤ σ*^{1/L}  ⟹  λ ≤ λ⁺ ≤ σ*^{1/L}",
        "symbolic",
        "all L ≥ 2",
        no_overshoot,
    ),
    Step(
        "stability of the pair",
        "eigenvalues 1 and 1 − ηκ,  κ = 2αa²b^{2L−4} + (L−2)a⁴b^{2L−6}\n"
        "the curve of fixed points attracts to first order iff 0 < ηκ < 2",
        "symbolic",
        "all L, all α",
        jacobian,
    ),
    Step(
        "where the pair ends",
        "d(a² − αb²) = O(η²) per step: along the flow a² − αb² = (1 − α)ε²",
        "symbolic",
        "all L, all α",
        conserved,
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof; `thorough` changes nothing, every step being symbolic."""
    del thorough
    return Proof(
        claim="theorem1",
        statement=(
            "Gradient descent on ½‖W̃ − M*‖² from the spectral start keeps every layer diagonal in "
            "the singular frames of M*, so that W̃(t) = U·diag(λ_i(t)^L)·Vᵀ with Theorem 1's "
            "recursions for λ_i and β; for any outer learning rate factor α the pair (a, b) takes "
            "the place of λ. M* may be rectangular, r̂ may even be smaller than its rank, and the "
            "layers may be subject to weight decay (an extension: the paper has none)."
        ),
        source="Kwon et al. 2024, Theorem 1 (Eqs. 8, 15–17) and Algorithm 1",
        corrections=(
            "Algorithm 1 writes W̃_1 = ε V_r̂ and differentiates its update by W̃_l; both should "
            "read W̃_1 = ε V_r̂ᵀ and ∇_{W̃_1}.",
            "Remark after Theorem 1: 'β(t) ≤ ε^L' should read β(t) ≤ ε, hence β(t)^L ≤ ε^L; and "
            "the decrease needs ηε^{2(L−1)} < 1, which the paper does not state.",
            "Eq. (3) asks for W_lᵀW_l = εI; the proofs use singular value ε, that is ε²I.",
            "The theorem assumes α = 1; for α ≠ 1 the layers no longer share one diagonal.",
        ),
        open=("A global basin of attraction of the recursions for large step sizes.",),
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
