r"""Proposition 1 (Arora et al. 2019): how singular values and vectors move along gradient flow.

*The flow.*  Ẇ_l = −∂ℓ/∂W_l = −W_{>l}ᵀ G W_{<l}ᵀ, and by the product rule

    Ẇ = Σ_l W_{>l} Ẇ_l W_{<l} = −Σ_l (W_{>l}W_{>l}ᵀ) G (W_{<l}ᵀW_{<l}).

*Conservation.*  Along it both W_{l+1}ᵀẆ_{l+1} and Ẇ_l W_lᵀ equal
−W_{>l}ᵀ G W_{≤l}ᵀ, so W_{l+1}ᵀW_{l+1} − W_lW_lᵀ does not change: a balanced start stays balanced.

*Balanced products.*  With W_{l+1}ᵀW_{l+1} = W_lW_lᵀ, X(XᵀX)^n = (XXᵀ)^n X collapses the products:
W_{>l}W_{>l}ᵀ = (W_LW_Lᵀ)^{L−l} and WWᵀ = (W_LW_Lᵀ)^L, likewise from the right.  Therefore, with
j = L − l + 1,

    Ẇ = −Σ_j [WWᵀ]^{(j−1)/L} G [WᵀW]^{(L−j)/L}.

*Singular values.*  Let W = USVᵀ with UᵀU = VᵀV = I.  UᵀU̇ and VᵀV̇ are skew, so σ̇_i = u_iᵀẆv_i, and
[WWᵀ]^p u_i = σ_i^{2p} u_i makes all L summands equal: σ̇_i = −L(σ_i²)^{1−1/L} u_iᵀGv_i, Eq. (23).

*Singular vectors.*  With g = UᵀGV, K = UᵀU̇, H = VᵀV̇, and c_ij = Σ_j σ_i^{2(j−1)/L}σ_j^{2(L−j)/L} =
(σ_i² − σ_j²)/(σ_i^{2/L} − σ_j^{2/L}), the off-diagonal entries of UᵀẆV = KS + Ṡ − SH read
−c_ij g_ij = K_ij σ_j − σ_i H_ij.  Solving the pair (i, j), (j, i) for skew K and H gives

    K = −F ⊙ (gS + Sgᵀ),   H = −F ⊙ (Sg + gᵀS),   F_ij = 1/(σ_j^{2/L} − σ_i^{2/L}),

and the part of U̇ outside span U comes from j = 1 alone: −(I − UUᵀ)GV(S²)^{1/2−1/L}.

*The premise matters.*  Semi-orthogonal layers in the sense of Eq. (4) need not be balanced when a
hidden width exceeds an end; there (23) is false, as the last step shows by an example.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import sympy as sp

from .facts import require_identity, require_zero
from .noncommutative import (
    Rules,
    Words,
    diagonal,
    identity,
    letters,
    matrix,
    orthonormal_columns,
    require_same,
    symmetric,
    zero,
)
from .proof import Clause, Proof, Step, argument, exact, main, symbolic
from .scopes import AtLeast
from .theorem1 import layer_derivatives

__all__ = [
    "L",
    "balanced_products",
    "build",
    "eps",
    "imbalance",
    "intertwining",
    "layer_rate",
    "rotation_rates",
    "singular_value_rate",
    "singular_values",
    "summand",
    "target",
]

L, s_i, s_j, p, q = sp.symbols("L σ_i σ_j p q", positive=True)
eps, target = sp.symbols("ε m", positive=True)
DEPTHS = range(2, 8)
ALL_DEPTHS = AtLeast(2)


def _flow_is_descent() -> None:
    """Ẇ_l is minus the entrywise derivative of ½‖W_L⋯W_1 − M‖² by W_l."""
    for derivative, above, error, below in layer_derivatives():
        require_identity(-derivative, layer_rate(above, error, below), "−∂ℓ/∂W_l")


def _end_to_end_rate(L: int) -> None:
    """Ẇ from the layers' flow by the product rule: Σ_l −(W_{>l}W_{>l}ᵀ) G (W_{<l}ᵀW_{<l})."""
    layers = [matrix(f"W{k}", f"s{k}", f"s{k - 1}") for k in range(1, L + 1)]
    residual = matrix("G", f"s{L}", "s0")
    rates, claimed = {}, zero(f"s{L}", "s0")
    for number, layer in enumerate(layers):
        above, below = _chain(layers[number + 1 :], f"s{L}"), _chain(layers[:number], "s0")
        rates[letters(layer)[0]] = layer_rate(above, residual, below)
        claimed = claimed - above @ above.T @ residual @ below.T @ below
    moving = _chain(layers, "s0").derivative(rates)
    require_same(moving, claimed, {}, f"Ẇ for L = {L}")


def _chain(layers: list[Words], space: str) -> Words:
    """Return the product of some layers, the identity of `space` for none."""
    if not layers:
        return identity(space)
    total = layers[0]
    for layer in layers[1:]:
        total = layer @ total
    return total


def _conservation() -> None:
    """W_{l+1}ᵀẆ_{l+1} = Ẇ_lW_lᵀ for general matrices: the difference of the Grams is constant."""
    above, upper = matrix("W>", "out", "c"), matrix("Wl+1", "c", "b")
    lower, below = matrix("Wl", "b", "a"), matrix("W<", "a", "in")
    residual = matrix("G", "out", "in")
    rates = {
        letters(upper)[0]: layer_rate(above, residual, lower @ below),
        letters(lower)[0]: layer_rate(above @ upper, residual, below),
    }
    drift = (upper.T @ upper - lower @ lower.T).derivative(rates)
    require_same(drift, zero("b", "b"), {}, "d/dt (W_{l+1}ᵀW_{l+1} − W_lW_lᵀ)")


def layer_rate(above: Any, residual: Any, below: Any) -> Any:
    """Return Ẇ_l = −W_{>l}ᵀ G W_{<l}ᵀ, of words or of matrices.

    Parameters
    ----------
    above, residual, below : Words or matrix
        W_{>l}, G and W_{<l}.

    Returns
    -------
    Words or matrix
    """
    return -(above.T @ residual @ below.T)


def intertwining() -> None:
    """X(XᵀX)^n = (XXᵀ)^n X, by induction over n."""
    x = matrix("X", "b", "a")
    inside, outside = symmetric("(XᵀX)^n", "a"), symmetric("(XXᵀ)^n", "b")
    hypothesis = {letters(x, inside): outside @ x}
    following = x @ inside @ (x.T @ x)  # X(XᵀX)^{n+1}
    require_same(following, outside @ (x @ x.T) @ x, hypothesis, "X(XᵀX)^{n+1}")
    require_same(x @ inside @ x.T, outside @ (x @ x.T), hypothesis, "X(XᵀX)^n Xᵀ = (XXᵀ)^{n+1}")


def balanced_products(L: int) -> None:
    """Multiply the layers out and collapse them with W_{l+1}ᵀW_{l+1} = W_lW_lᵀ.

    Parameters
    ----------
    L : int
        Depth.
    """
    layers = [matrix(f"W{k}", f"s{k}", f"s{k - 1}") for k in range(1, L + 1)]
    for number in range(L):  # layers number+1 … L lie above, 1 … number below
        _collapse(layers[number:], _from_below(layers), from_below=False)
        _collapse(layers[: L - number], _from_above(layers), from_below=True)


def _from_below(layers: list[Words]) -> Rules:
    """Rules W_lW_lᵀ → W_{l+1}ᵀW_{l+1}, which move Grams to the last layer."""
    pairs = pairwise(layers)
    return {letters(lower, lower.T): upper.T @ upper for lower, upper in pairs}


def _from_above(layers: list[Words]) -> Rules:
    """Rules W_{l+1}ᵀW_{l+1} → W_lW_lᵀ, which move Grams to the first layer."""
    pairs = pairwise(layers)
    return {letters(upper.T, upper): lower @ lower.T for lower, upper in pairs}


def _collapse(part: list[Words], rules: Rules, from_below: bool) -> None:
    """Require PPᵀ = (W_LW_Lᵀ)^m, or PᵀP = (W_1ᵀW_1)^m, for a product P of m layers."""
    product = _chain(part, part[0].cols)
    end = part[0].T @ part[0] if from_below else part[-1] @ part[-1].T
    power = end
    for _ in part[1:]:
        power = power @ end
    gram = product.T @ product if from_below else product @ product.T
    side = "PᵀP" if from_below else "PPᵀ"
    require_same(gram, power, rules, f"{side} for a product P of {len(part)} layers")


def _fractional_powers() -> None:
    """(W_LW_Lᵀ)^{L−l} is the power (L − l)/L of WWᵀ = (W_LW_Lᵀ)^L, eigenvalue by eigenvalue."""
    eigenvalue, layer = sp.symbols("μ l", positive=True)
    require_identity(
        (eigenvalue**L) ** ((L - layer) / L), eigenvalue ** (L - layer), "(μ^L)^{(L−l)/L}"
    )
    index = L - layer + 1
    require_identity(
        summand(s_i, s_j, index),
        (s_i**2) ** ((L - layer) / L) * (s_j**2) ** ((layer - 1) / L),
        "the (i, j) weight of the summand j = L − l + 1, from PPᵀ and PᵀP",
    )


def summand(row: sp.Expr, col: sp.Expr, index: sp.Expr) -> sp.Expr:
    """Return the (row, col) weight σ_i^{2(j−1)/L} σ_j^{2(L−j)/L} of the j-th summand of Ẇ.

    Parameters
    ----------
    row, col : sympy expression
        σ_i and σ_j.
    index : sympy expression
        The number of the summand, 1 to L.

    Returns
    -------
    sympy expression
    """
    return (row**2) ** ((index - 1) / L) * (col**2) ** ((L - index) / L)


def singular_value_rate(value: sp.Expr, projection: sp.Expr) -> sp.Expr:
    """Return σ̇ = −L(σ²)^{1−1/L} uᵀGv, Eq. (23).

    Parameters
    ----------
    value : sympy expression
        σ.
    projection : sympy expression
        uᵀGv.

    Returns
    -------
    sympy expression
    """
    return -L * (value**2) ** (1 - 1 / L) * projection


def singular_values() -> None:
    """On the diagonal the L summands are equal, so their sum is L times one of them."""
    index, g = sp.symbols("j g", positive=True)
    one = sp.powsimp(summand(s_i, s_i, index))
    require_zero(sp.diff(sp.simplify(one), index), "d/dj of the (i, i) weight of summand j")
    require_identity(singular_value_rate(s_i, g), -L * one * g, "σ̇_i as L equal summands")


def _diagonal_of_the_rate() -> None:
    """UᵀẆV = KS + Ṡ − SH with K = UᵀU̇, H = VᵀV̇, both skew."""
    left, right, core = matrix("U", "out", "k"), matrix("V", "in", "k"), matrix("S", "k", "k")
    rates = {
        letters(f)[0]: matrix(f"d{n}", f.rows, f.cols)
        for f, n in ((left, "U"), (right, "V"), (core, "S"))
    }
    rules = orthonormal_columns(left, right)
    moving = (left @ core @ right.T).derivative(rates)
    d_left, d_right, d_core = (rates[letters(f)[0]] for f in (left, right, core))
    claimed = left.T @ d_left @ core + d_core + core @ d_right.T @ right
    require_same(left.T @ moving @ right, claimed, rules, "UᵀẆV")
    for frame, rate in ((left, d_left), (right, d_right)):
        skew = frame.T @ rate + rate.T @ frame
        gram = (frame.T @ frame).derivative({letters(frame)[0]: rate})
        require_same(gram, skew, rules, "d(FᵀF)/dt = FᵀḞ + ḞᵀF, and FᵀF = I is constant")


def _geometric_sum() -> None:
    """Σ_{j=1}^m p^{j−1}q^{m−j} = (p^m − q^m)/(p − q), by induction over m."""
    m = sp.Symbol("m", positive=True)
    require_identity(_quotient(1), 1, "the sum for m = 1")
    require_identity(_quotient(m + 1), p * _quotient(m) + q**m, "the sum for m + 1")
    index = sp.Symbol("j", positive=True)
    terms = (s_i ** (2 / L)) ** (index - 1) * (s_j ** (2 / L)) ** (L - index)
    require_identity(summand(s_i, s_j, index), terms, "summand for p = σ_i^{2/L}, q = σ_j^{2/L}")


def _quotient(count: sp.Expr | int) -> sp.Expr:
    """Return (p^m − q^m)/(p − q)."""
    return (p**count - q**count) / (p - q)


def rotation_rates(
    values: tuple[sp.Expr, sp.Expr], gradients: tuple[sp.Expr, sp.Expr]
) -> tuple[sp.Expr, sp.Expr]:
    """Return (K_ij, H_ij) of Arora et al.'s Theorem 3 for values (σ_i, σ_j), (g_ij, g_ji).

    Parameters
    ----------
    values : tuple of two expressions
        σ_i and σ_j.
    gradients : tuple of two expressions
        u_iᵀGv_j and u_jᵀGv_i.

    Returns
    -------
    tuple of two expressions
    """
    (si, sj), (gij, gji) = values, gradients
    weight = 1 / ((sj**2) ** (1 / L) - (si**2) ** (1 / L))
    return -weight * (gij * sj + si * gji), -weight * (si * gij + gji * sj)


def _singular_vectors() -> None:
    """K and H solve the off-diagonal equations for (i, j) and (j, i), and are skew."""
    g_ij, g_ji = sp.symbols("g_ij g_ji", real=True)
    k_ij, h_ij = rotation_rates((s_i, s_j), (g_ij, g_ji))
    k_ji, h_ji = rotation_rates((s_j, s_i), (g_ji, g_ij))
    require_zero(k_ij + k_ji, "K_ij + K_ji")
    require_zero(h_ij + h_ji, "H_ij + H_ji")
    weight = (s_i**2 - s_j**2) / (s_i ** (2 / L) - s_j ** (2 / L))
    require_identity(-weight * g_ij, k_ij * s_j - s_i * h_ij, "entry (i, j) of UᵀẆV")
    require_identity(-weight * g_ji, k_ji * s_i - s_j * h_ji, "entry (j, i) of UᵀẆV")


def _outside_the_span() -> None:
    """Only the summand j = 1 leaves span U; it gives (I − UUᵀ)U̇ = −(I − UUᵀ)GV S^{1−2/L}."""
    left, right = matrix("U", "out", "k"), matrix("V", "in", "k")
    residual, outside = matrix("G", "out", "in"), symmetric("P", "out")
    rules = orthonormal_columns(left, right) | {letters(outside, left): zero("out", "k")}
    depth, index = L, sp.Symbol("j", positive=True)
    power = right @ diagonal("S", "k", 2 * (depth - 1) / depth) @ right.T
    first = -(residual @ power)
    later = -(left @ diagonal("S", "k", 2 * (index - 1) / depth) @ left.T @ residual @ power)
    require_same(outside @ later, zero("out", "in"), rules, "summands j ≥ 2")
    claimed = -(outside @ residual @ right @ diagonal("S", "k", 1 - 2 / depth))
    scaled = claimed @ diagonal("S", "k")
    require_same(outside @ first @ right, scaled, rules, "(I − UUᵀ)ẆV = (I − UUᵀ)U̇ S")


def _unbalanced_counterexample() -> None:
    """L = 2, widths 1-2-1, W_1 = ε(1, 0)ᵀ, W_2 = ε(3/5, 4/5): (23) is off by the factor 3/5."""
    first = eps * sp.Matrix([1, 0])
    last = eps * sp.Matrix([[sp.Rational(3, 5), sp.Rational(4, 5)]])
    require_identity((first.T * first)[0], eps**2, "W_1ᵀW_1, semi-orthogonal as in Eq. (4)")
    require_identity((last * last.T)[0], eps**2, "W_2W_2ᵀ, semi-orthogonal as in Eq. (4)")
    size = (imbalance(first, last).T * imbalance(first, last)).trace()
    require_identity(size, sp.Rational(32, 25) * eps**4, "‖W_2ᵀW_2 − W_1W_1ᵀ‖²")
    true_rate, formula = _two_rates(first, last)
    gap = sp.Rational(3, 5) * eps**2 - target
    require_identity(true_rate, -2 * eps**2 * gap, "the true rate, −(W_1ᵀW_1 + W_2W_2ᵀ)G")
    require_identity(formula, sp.Rational(3, 5) * true_rate, "formula (23) against the true rate")


def _balanced_control() -> None:
    """The same widths with W_2 = W_1ᵀ are balanced, and (23) is right."""
    first = eps * sp.Matrix([sp.Rational(3, 5), sp.Rational(4, 5)])
    require_zero(imbalance(first, first.T), "W_2ᵀW_2 − W_1W_1ᵀ")
    true_rate, formula = _two_rates(first, first.T)
    require_identity(formula, true_rate, "formula (23) against the true rate")


def imbalance(first: sp.Matrix, last: sp.Matrix) -> sp.Matrix:
    """Return W_2ᵀW_2 − W_1W_1ᵀ, which the flow of two layers conserves.

    Parameters
    ----------
    first, last : sympy matrix
        W_1 and W_2.

    Returns
    -------
    sympy matrix
    """
    return last.T * last - first * first.T


def _two_rates(first: sp.Matrix, last: sp.Matrix) -> tuple[sp.Expr, sp.Expr]:
    """Return dW/dt of a 1-k-1 network from its layers, and what Eq. (23) says."""
    value = (last * first)[0]
    gradient = value - target
    one, error = sp.eye(1), sp.Matrix([[gradient]])
    moving = layer_rate(one, error, first) * first + last * layer_rate(last, error, one)
    return moving[0], singular_value_rate(value, gradient).subs(L, 2)


STEPS: tuple[Step, ...] = (
    symbolic("gradient flow", _flow_is_descent),
    symbolic("the end-to-end rate, multiplied out", _end_to_end_rate, L=DEPTHS),
    symbolic("conservation", _conservation),
    symbolic("intertwining", intertwining),
    symbolic("balanced products, multiplied out", balanced_products, L=DEPTHS),
    argument(
        "the end-to-end rate",
        "The product rule has one summand W_{>l}Ẇ_lW_{<l} per layer, for every L; by intertwining "
        "each balanced layer raises the power of its product's Gram matrix by one, for every L.",
        "gradient flow",
        "the end-to-end rate, multiplied out",
        "conservation",
        "intertwining",
        "balanced products, multiplied out",
    ),
    symbolic("fractional powers", _fractional_powers),
    symbolic("the rate in SVD coordinates", _diagonal_of_the_rate),
    symbolic("singular values", singular_values),
    symbolic("the off-diagonal weight", _geometric_sum),
    symbolic("singular vectors inside the span", _singular_vectors),
    symbolic("singular vectors outside the span", _outside_the_span),
    exact("an unbalanced start", _unbalanced_counterexample),
    exact("its balanced twin", _balanced_control),
)

CLAUSES: tuple[Clause, ...] = (
    Clause(
        "Along gradient flow from a balanced start, W = W_L⋯W_1 obeys "
        "Ẇ = −Σ_j [WWᵀ]^{(j−1)/L} G [WᵀW]^{(L−j)/L}.",
        ("the end-to-end rate", "fractional powers"),
        {"L": ALL_DEPTHS},
    ),
    Clause(
        "Its singular values obey σ̇_i = −L(σ_i²)^{1−1/L}⟨G, u_iv_iᵀ⟩ wherever they and their "
        "vectors are differentiable.",
        (
            "the end-to-end rate",
            "fractional powers",
            "the rate in SVD coordinates",
            "singular values",
        ),
        {"L": ALL_DEPTHS},
    ),
    Clause(
        "For distinct nonzero values the singular vectors obey Arora et al.'s Theorem 3.",
        (
            "the off-diagonal weight",
            "singular vectors inside the span",
            "singular vectors outside the span",
        ),
        {"L": ALL_DEPTHS},
    ),
    Clause(
        "Without balancedness the formula for σ̇_i is false.",
        ("an unbalanced start", "its balanced twin"),
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `proposition1`, to be run or verified.

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
        claim="proposition1",
        clauses=CLAUSES,
        source="Kwon et al. 2024, Proposition 1 (Eq. 23); Arora et al. 2019, Theorem 3",
        corrections=(
            "The paper says that the orthogonal start satisfies balancedness. For square layers "
            "it does; for semi-orthogonal rectangular layers, Eq. (4), it need not.",
            "'u_i(t) and u_i(t)' should read u_i(t) and v_i(t).",
            "Sorted singular values need not be differentiable where two of them meet, nor at "
            "t = 0, where an orthogonal start has all of them equal (`slips`).",
        ),
        open=(
            "Singular vectors where singular values meet: the formulas need distinct values "
            "(those for σ_i need no more than a differentiable choice).",
        ),
        proves=("proposition1", "proposition1_vectors"),
        reading="7e28df3ed8ab",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
