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
a more and b⁺ loses ημ b.  The words of :mod:`.noncommutative` carry this out for every depth, rank
and shape at once, with symbolic L and l.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import pairwise

import sympy as sp

from .facts import require_identity, require_nonnegative, require_positive, require_zero
from .noncommutative import (
    Words,
    diagonal,
    diagonal_entry,
    identity,
    letters,
    matrix,
    require_same,
    zero,
)
from .proof import Clause, Proof, Step, argument, main, symbolic
from .scopes import AtLeast

__all__ = [
    "L",
    "below",
    "beta_decreases",
    "beta_next",
    "build",
    "decayed",
    "eps",
    "inner_next",
    "lambda_next",
    "largest_step",
    "layer_derivatives",
    "outer_next",
    "product",
    "sigma",
    "weight_decay",
]

a, b, lam, beta, sigma, eta, alpha, eps = sp.symbols("a b λ β σ η α ε", positive=True)
decay = sp.Symbol("μ", nonnegative=True)
L, layer = sp.symbols("L l", positive=True)
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
    """Return λ(t+1) of Theorem 1, Eq. (16).

    Parameters
    ----------
    value : sympy expression
        λ(t).
    target : sympy expression
        σ*.
    step : sympy expression
        Step size η.
    depth : sympy expression
        Depth L.

    Returns
    -------
    sympy expression
    """
    return value * (1 - step * (value**depth - target) * value ** (depth - 2))


def beta_next(value: sp.Expr, step: sp.Expr, depth: sp.Expr) -> sp.Expr:
    """Return β(t+1) of Theorem 1, Eq. (17).

    Parameters
    ----------
    value : sympy expression
        β(t).
    step : sympy expression
        Step size η.
    depth : sympy expression
        Depth L.

    Returns
    -------
    sympy expression
    """
    return value * (1 - step * value ** (2 * (depth - 1)))


def outer_next(outer: sp.Expr, inner: sp.Expr) -> sp.Expr:
    """Return a(t+1), the singular value of the first and the last layer.

    Parameters
    ----------
    outer : sympy expression
        a(t).
    inner : sympy expression
        b(t).

    Returns
    -------
    sympy expression
    """
    return outer - alpha * eta * (product(outer, inner) - sigma) * outer * inner ** (L - 2)


def inner_next(outer: sp.Expr, inner: sp.Expr) -> sp.Expr:
    """Return b(t+1), the singular value of the layers in between.

    Parameters
    ----------
    outer : sympy expression
        a(t).
    inner : sympy expression
        b(t).

    Returns
    -------
    sympy expression
    """
    return inner - eta * (product(outer, inner) - sigma) * outer**2 * inner ** (L - 3)


def decayed(following: sp.Expr, value: sp.Expr, step: sp.Expr) -> sp.Expr:
    """Return the next value with weight decay.

    Parameters
    ----------
    following : sympy expression
        The next value without it.
    value : sympy expression
        The present value.
    step : sympy expression
        Step size of the layer.

    Returns
    -------
    sympy expression
    """
    return following - step * decay * value


def product(outer: sp.Expr, inner: sp.Expr) -> sp.Expr:
    """Return the end-to-end singular value σ̃ = a²b^{L−2}.

    Parameters
    ----------
    outer : sympy expression
        a.
    inner : sympy expression
        b.

    Returns
    -------
    sympy expression
    """
    return outer**2 * inner ** (L - 2)


def _above(number: sp.Expr) -> Words:
    """Return W_L⋯W_{l+1} for 1 ≤ l ≤ L − 1."""
    return U @ A @ diagonal("B", "k", L - 1 - number)


def below(number: sp.Expr) -> Words:
    """Return W_{l−1}⋯W_1 for 2 ≤ l ≤ L.

    Parameters
    ----------
    number : sympy expression
        l.

    Returns
    -------
    Words
    """
    return diagonal("B", "k", number - 2) @ A @ V.T


def _residual() -> Words:
    """Return G = W_L⋯W_1 − M."""
    return U @ A @ diagonal("B", "k", L - 2) @ A @ V.T - (U @ S @ V.T + R)


def _diagonal_residual() -> Words:
    """Return UᵀGV = A²B^{L−2} − Σ."""
    return A @ A @ diagonal("B", "k", L - 2) - S


def _chain_rule() -> None:
    """Differentiate ½‖W_L⋯W_1 − M‖² entry by entry and compare, on general 2×3×2-type shapes."""
    for direct, after, error, before in layer_derivatives():
        require_identity(direct, after.T * error * before.T, "∂ℓ/∂W_l, entry by entry")


def layer_derivatives() -> Iterator[tuple[sp.Matrix, sp.Matrix, sp.Matrix, sp.Matrix]]:
    """Yield, layer by layer of small general networks, ∂ℓ/∂W_l, W_{>l}, G and W_{<l}.

    Yields
    ------
    tuple of four sympy matrices
        ∂ℓ/∂W_l, W_{>l}, G and W_{<l}.
    """
    for widths in ((2, 3, 2), (2, 1, 2), (1, 2, 2, 1)):
        weights = [
            sp.Matrix(m, k, sp.symbols(f"w{i}_:{m * k}"))
            for i, (k, m) in enumerate(pairwise(widths))
        ]
        target = sp.Matrix(widths[-1], widths[0], sp.symbols(f"m_:{widths[-1] * widths[0]}"))
        error = _chain(weights, target.cols) - target
        loss = sum(entry**2 for entry in error) / 2
        for i, weight in enumerate(weights):
            direct = weight.applyfunc(partial(sp.diff, loss))
            after, before = _chain(weights[i + 1 :], weight.rows), _chain(weights[:i], target.cols)
            yield direct, after, error, before


def _chain(weights: list[sp.Matrix], size: int) -> sp.Matrix:
    total = sp.eye(size)
    for weight in weights:
        total = weight * total
    return total


def _partial_products() -> None:
    """Check the closed forms of the products above and below a layer by induction over layers."""
    require_same(_above(L - 1), U @ A, RULES, "start of the products above")
    require_same(_above(layer - 1), _above(layer) @ B, RULES, "W_L⋯W_l = (W_L⋯W_{l+1})·W_l")
    require_same(below(sp.Integer(2)), A @ V.T, RULES, "start of the products below")
    require_same(below(layer + 1), B @ below(layer), RULES, "W_l⋯W_1 = W_l·(W_{l−1}⋯W_1)")


def _inner_gradient() -> None:
    """The gradient of every inner layer is the same diagonal matrix."""
    claimed = A @ A @ diagonal("B", "k", L - 3) @ _diagonal_residual()
    actual = _above(layer).T @ _residual() @ below(layer).T
    require_same(actual, claimed, RULES, "∇_l for 1 < l < L")
    require_identity(inner_next(a, b), b - eta * _entry(claimed), "b⁺ entry by entry")


def _outer_gradients() -> None:
    """The gradients of the outer layers stay in the frames U and Vᵀ."""
    core = A @ diagonal("B", "k", L - 2) @ _diagonal_residual()
    first = _above(sp.Integer(1)).T @ _residual()
    last = _residual() @ below(L).T
    require_same(last, U @ core, RULES, "∇_L")
    require_same(first, core @ V.T, RULES, "∇_1")
    require_identity(outer_next(a, b), a - alpha * eta * _entry(core), "a⁺ entry by entry")


def weight_decay() -> None:
    """(1 − η_l μ) W_l − η_l ∇_l keeps the frames, and acts entry by entry."""
    inner = A @ A @ diagonal("B", "k", L - 3) @ _diagonal_residual()
    core = A @ diagonal("B", "k", L - 2) @ _diagonal_residual()
    outer = alpha * eta
    last = U @ A * (1 - outer * decay) - outer * (_residual() @ below(L).T)
    kept = A * (1 - outer * decay) - outer * core
    require_same(last, U @ kept, RULES, "W_L⁺")
    first = A @ V.T * (1 - outer * decay) - outer * (_above(sp.Integer(1)).T @ _residual())
    require_same(first, kept @ V.T, RULES, "W_1⁺")
    require_identity(decayed(outer_next(a, b), a, outer), _entry(kept), "a⁺ entry by entry")
    middle = B * (1 - eta * decay) - eta * inner
    require_identity(decayed(inner_next(a, b), b, eta), _entry(middle), "b⁺ entry by entry")


def _entry(expression: Words) -> sp.Expr:
    return diagonal_entry(expression, {"A": a, "B": b, "Σ": sigma})


def _recursions() -> None:
    """For α = 1 equal entries stay equal and follow the λ recursion; β is its case σ* = 0."""
    equal = {a: lam, b: lam, alpha: 1}
    following = lambda_next(lam, sigma, eta, L)
    require_identity(outer_next(a, b).subs(equal), following, "a⁺ = λ⁺ at a = b = λ, α = 1")
    require_identity(inner_next(a, b).subs(equal), following, "b⁺ = λ⁺ at a = b = λ")
    residual_case = lambda_next(beta, sp.Integer(0), eta, L)
    require_identity(beta_next(beta, eta, L), residual_case, "β⁺ is λ⁺ with σ* = 0")


def beta_decreases(L: sp.Expr) -> None:
    """If 0 < x = ηβ^{2(L−1)} < 1, then 0 < β⁺ < β and the new x is again in (0, x).

    Parameters
    ----------
    L : sympy expression
        Depth.
    """
    inside = (1 / (1 + w)) * beta ** (-2 * (L - 1))  # the η with ηβ^{2(L−1)} = 1/(1+w)
    following = sp.simplify(beta_next(beta, inside, L))
    require_identity(following, beta * w / (1 + w), "β⁺ at ηβ^{2(L−1)} = 1/(1 + w)")
    require_positive(following, "β⁺")
    require_positive(beta - following, "β − β⁺")


def _beta_premise() -> None:
    """The premise is sharp: at ηε^{2(L−1)} = 1 β jumps to 0, and at 3 it doubles in size."""
    for multiple, factor in ((1, 0), (3, -2)):
        following = beta_next(eps, multiple * eps ** (-2 * (L - 1)), L)
        require_identity(following, factor * eps, f"β(1) at ηε^(2(L−1)) = {multiple}")


def _local_stability() -> None:
    """The derivative of the λ recursion at its fixed point."""
    derivative = sp.diff(lambda_next(lam, sigma, eta, L), lam).subs(lam, sigma ** (1 / L))
    claimed = 1 - eta * L * sigma ** (2 - 2 / L)
    require_identity(derivative, claimed, "dλ⁺/dλ at λ = σ^(1/L)")
    require_identity(claimed.subs(eta, largest_step(sigma, L)), -1, "dλ⁺/dλ at the largest η")
    require_identity(claimed.subs(eta, 0), 1, "dλ⁺/dλ at η = 0")
    require_positive(-sp.diff(claimed, eta), "it decreases in η: −d/dη")


def largest_step(target: sp.Expr, depth: sp.Expr) -> sp.Expr:
    """Return 2/(Lσ*^{2−2/L}), above which the fixed point repels.

    Parameters
    ----------
    target : sympy expression
        σ*.
    depth : sympy expression
        Depth L.

    Returns
    -------
    sympy expression
    """
    return 2 / (depth * target ** (2 - 2 / depth))


def _no_overshoot(L: sp.Expr) -> None:
    """The map is increasing on (0, σ*^{1/L}] when κ = ηLσ*^{2−2/L} ≤ 1, and lies above λ."""
    u, kappa = 1 / (1 + w), sp.Symbol("κ", positive=True)
    step = kappa / (L * sigma ** (2 - 2 / L))
    at = (u * sigma) ** (1 / L)
    slope = sp.diff(lambda_next(lam, sigma, step, L), lam).subs(lam, at)
    bound = 1 - kappa * u ** (1 - 2 / L)
    excess = kappa * u ** (1 - 2 / L) * (2 * L - 1) * (1 - u) / L
    require_identity(at**L, u * sigma, "λ^L for λ = (uσ)^(1/L), u = 1/(1 + w)")
    require_identity(slope, bound + excess, "dλ⁺/dλ at this λ for η = κ/(Lσ^(2−2/L))")
    require_positive(sp.simplify(excess), "its second part")
    require_nonnegative(sp.simplify(1 - 2 / L), "the exponent in u^(1−2/L) ≤ 1, so κ ≤ 1 suffices")
    rise = lambda_next(lam, (1 + w) * lam**L, eta, L) - lam
    require_positive(rise, "λ⁺ − λ for σ* = (1 + w)λ^L")


def _jacobian() -> None:
    """At a²b^{L−2} = σ* the pair's Jacobian is I − (rank one): eigenvalues 1 and 1 − ηκ."""
    maps = sp.Matrix([outer_next(a, b), inner_next(a, b)])
    at_rest = maps.jacobian([a, b]).subs(sigma, product(a, b))
    kappa = _pair_curvature(a, b)
    require_zero((sp.eye(2) - at_rest).det(), "det(I − J): 1 is an eigenvalue")
    require_identity(at_rest.trace(), 2 - eta * kappa, "tr J: the other eigenvalue is 1 − ηκ")
    equal = kappa.subs({a: sigma ** (1 / L), b: sigma ** (1 / L), alpha: 1})
    require_identity(equal, L * sigma ** (2 - 2 / L), "κ at a = b, α = 1")


def _pair_curvature(outer: sp.Expr, inner: sp.Expr) -> sp.Expr:
    """Return κ = 2αa²b^{2L−4} + (L − 2)a⁴b^{2L−6}; the pair is stable iff η < 2/κ."""
    return 2 * alpha * outer**2 * inner ** (2 * L - 4) + (L - 2) * outer**4 * inner ** (2 * L - 6)


def _conserved() -> None:
    """To first order in η, a² − αb² does not change, so along the flow it stays (1−α)ε²."""
    change = outer_next(a, b) ** 2 - alpha * inner_next(a, b) ** 2 - (a**2 - alpha * b**2)
    require_zero(sp.diff(change, eta).subs(eta, 0), "change of a² − αb² to first order in η")
    start = (a**2 - alpha * b**2).subs({a: eps, b: eps})
    require_identity(start, (1 - alpha) * eps**2, "a² − αb² at the start")


ALL_DEPTHS = AtLeast(2)

STEPS: tuple[Step, ...] = (
    symbolic("chain rule, entry by entry", _chain_rule),
    argument(
        "chain rule",
        "d/ds ½‖P(W_l + sE)Q − M‖² = ⟨G, PEQ⟩ = ⟨PᵀGQᵀ, E⟩: the trace is cyclic. All L and shapes.",
        "chain rule, entry by entry",
    ),
    symbolic("products above and below a layer", _partial_products),
    symbolic("inner layers stay diagonal", _inner_gradient),
    symbolic("outer layers keep their frames", _outer_gradients),
    symbolic("weight decay", weight_decay),
    symbolic("Theorem 1's recursions", _recursions),
    argument(
        "by induction",
        "The start has the form with A = B = εI, and a step keeps it, so every iterate has it.",
        "chain rule",
        "products above and below a layer",
        "inner layers stay diagonal",
        "outer layers keep their frames",
    ),
    symbolic("β decreases", beta_decreases, L=ALL_DEPTHS),
    symbolic("the premise is sharp", _beta_premise),
    symbolic("local stability", _local_stability),
    symbolic("no overshoot from below", _no_overshoot, L=ALL_DEPTHS),
    symbolic("stability of the pair", _jacobian),
    symbolic("where the pair ends", _conserved),
)

CLAUSES: tuple[Clause, ...] = (
    Clause(
        "Gradient descent on ½‖W̃ − M*‖² from the spectral start keeps every layer diagonal in "
        "the singular frames of M*, so that W̃(t) = U·diag(λ_i(t)^L)·Vᵀ with Theorem 1's "
        "recursions for λ_i and β, for every shape of M* and r̂ even below its rank.",
        (
            "by induction",
            "inner layers stay diagonal",
            "outer layers keep their frames",
            "Theorem 1's recursions",
        ),
        {"L": ALL_DEPTHS},
    ),
    Clause(
        "For any outer learning rate factor α the pair (a, b) takes the place of λ, and weight "
        "decay (an extension: the paper has none) keeps the form.",
        (
            "by induction",
            "inner layers stay diagonal",
            "outer layers keep their frames",
            "weight decay",
        ),
        {"L": ALL_DEPTHS},
    ),
    Clause(
        "If ηε^{2(L−1)} < 1, then β decreases and stays positive; at 1 it jumps to 0.",
        ("β decreases", "the premise is sharp"),
        {"L": ALL_DEPTHS},
    ),
    Clause(
        "The fixed point σ*^{1/L} attracts to first order iff η < 2/(Lσ*^{2−2/L}), and is not "
        "overshot from below if η is at most half of that; for the pair iff 0 < ηκ < 2, and "
        "a² − αb² changes by O(η²) per step only.",
        (
            "local stability",
            "no overshoot from below",
            "stability of the pair",
            "where the pair ends",
        ),
        {"L": ALL_DEPTHS},
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `theorem1`, to be run or verified.

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
        claim="theorem1",
        clauses=CLAUSES,
        source="Kwon et al. 2024, Theorem 1 (Eqs. 8, 15–17) and Algorithm 1",
        steps=STEPS,
        proves=("theorem1", "gradients"),
        reading="4abc5ddac39b",
        corrections=(
            "Algorithm 1 writes W̃_1 = ε V_r̂ and differentiates its update by W̃_l; both should "
            "read W̃_1 = ε V_r̂ᵀ and ∇_{W̃_1}.",
            "Remark after Theorem 1: 'β(t) ≤ ε^L' should read β(t) ≤ ε, hence β(t)^L ≤ ε^L; and "
            "the decrease needs ηε^{2(L−1)} < 1, which the paper does not state.",
            "Same remark: Eq. (8) is a 'valid SVD' only if every λ_i > 0 and the values are in "
            "order, and its rank is r̂, not r, while β > 0 (`slips`).",
            "Eq. (3) asks for W_lᵀW_l = εI; the proofs use singular value ε, that is ε²I.",
            "The theorem assumes α = 1; for α ≠ 1 the layers no longer share one diagonal.",
        ),
        open=("A global basin of attraction of the recursions for large step sizes.",),
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
