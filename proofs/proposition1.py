r"""Proposition 1 (Arora et al. 2019): how singular values and vectors move along gradient flow.

*Conservation.*  Along Ẇ_l = −W_{>l}ᵀ G W_{<l}ᵀ both W_{l+1}ᵀẆ_{l+1} and Ẇ_l W_lᵀ equal
−W_{>l}ᵀ G W_{≤l}ᵀ, so W_{l+1}ᵀW_{l+1} − W_lW_lᵀ does not change: a balanced start stays balanced.

*Balanced products.*  With W_{l+1}ᵀW_{l+1} = W_lW_lᵀ, X(XᵀX)^n = (XXᵀ)^n X collapses the products:
W_{>l}W_{>l}ᵀ = (W_LW_Lᵀ)^{L−l} and WWᵀ = (W_LW_Lᵀ)^L, likewise from the right.  Therefore

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

import sympy as sp

from .proof import Proof, Step, main, require, require_zero
from .words import (
    Rules,
    Words,
    diagonal,
    letters,
    matrix,
    orthonormal_columns,
    require_same,
    symmetric,
    zero,
)

L, s_i, s_j, p, q = sp.symbols("L σ_i σ_j p q", positive=True)
eps, target = sp.symbols("ε m", positive=True)
MAX_DEPTH = 7


def conservation() -> None:
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


def layer_rate(above: Words, residual: Words, below: Words) -> Words:
    """Return Ẇ_l = −W_{>l}ᵀ G W_{<l}ᵀ."""
    return -(above.T @ residual @ below.T)


def intertwining() -> None:
    """X(XᵀX)^n = (XXᵀ)^n X, by induction over n."""
    x = matrix("X", "b", "a")
    inside, outside = symmetric("(XᵀX)^n", "a"), symmetric("(XXᵀ)^n", "b")
    hypothesis = {letters(x, inside): outside @ x}
    following = x @ inside @ (x.T @ x)  # X(XᵀX)^{n+1}
    require_same(following, outside @ (x @ x.T) @ x, hypothesis, "X(XᵀX)^{n+1}")
    require_same(x @ inside @ x.T, outside @ (x @ x.T), hypothesis, "X(XᵀX)^n Xᵀ = (XXᵀ)^{n+1}")


def balanced_products() -> None:
    """Multiply the layers out and collapse them with W_{l+1}ᵀW_{l+1} = W_lW_lᵀ, depth by depth."""
    for depth in range(2, MAX_DEPTH + 1):
        layers = [matrix(f"W{k}", f"s{k}", f"s{k - 1}") for k in range(1, depth + 1)]
        for number in range(depth):  # layers number+1 … depth lie above, 1 … number below
            _collapse(layers[number:], _from_below(layers), from_below=False)
            _collapse(layers[: depth - number], _from_above(layers), from_below=True)


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
    product = part[0]
    for layer in part[1:]:
        product = layer @ product
    end = part[0].T @ part[0] if from_below else part[-1] @ part[-1].T
    power = end
    for _ in part[1:]:
        power = power @ end
    gram = product.T @ product if from_below else product @ product.T
    require_same(gram, power, rules, f"Gram of a product of {len(part)} layers")


def fractional_powers() -> None:
    """(W_LW_Lᵀ)^{L−l} is the power (L − l)/L of WWᵀ = (W_LW_Lᵀ)^L, eigenvalue by eigenvalue."""
    eigenvalue, layer = sp.symbols("μ l", positive=True)
    require_zero(
        (eigenvalue**L) ** ((L - layer) / L) - eigenvalue ** (L - layer),
        "(μ^L)^{(L−l)/L} = μ^{L−l}",
    )


def summand(row: sp.Expr, col: sp.Expr, index: sp.Expr) -> sp.Expr:
    """Return the (row, col) weight σ_i^{2(j−1)/L} σ_j^{2(L−j)/L} of the j-th summand of Ẇ."""
    return (row**2) ** ((index - 1) / L) * (col**2) ** ((L - index) / L)


def singular_value_rate(value: sp.Expr, projection: sp.Expr) -> sp.Expr:
    """Return σ̇ = −L(σ²)^{1−1/L} uᵀGv, Eq. (23)."""
    return -L * (value**2) ** (1 - 1 / L) * projection


def singular_values() -> None:
    """On the diagonal the L summands are equal, so their sum is L times one of them."""
    index, g = sp.symbols("j g", positive=True)
    one = sp.powsimp(summand(s_i, s_i, index))
    require_zero(sp.diff(sp.simplify(one), index), "the summand does not depend on j")
    require_zero(-L * one * g - singular_value_rate(s_i, g), "σ̇_i")


def diagonal_of_the_rate() -> None:
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


def geometric_sum() -> None:
    """Σ_{j=1}^m p^{j−1}q^{m−j} = (p^m − q^m)/(p − q), by induction over m."""
    m = sp.Symbol("m", positive=True)
    require_zero(quotient(1) - 1, "m = 1")
    require_zero(sp.simplify(p * quotient(m) + q**m - quotient(m + 1)), "m → m + 1")
    index = sp.Symbol("j", positive=True)
    terms = summand(s_i, s_j, index) - sp.powdenest(
        (s_i ** (2 / L)) ** (index - 1) * (s_j ** (2 / L)) ** (L - index)
    )
    require_zero(terms, "summand with p = σ_i^{2/L}, q = σ_j^{2/L}")


def quotient(count: sp.Expr | int) -> sp.Expr:
    """Return (p^m − q^m)/(p − q)."""
    return (p**count - q**count) / (p - q)


def rotation_rates(
    values: tuple[sp.Expr, sp.Expr], gradients: tuple[sp.Expr, sp.Expr]
) -> tuple[sp.Expr, sp.Expr]:
    """Return (K_ij, H_ij) of Arora et al.'s Theorem 3 for values (σ_i, σ_j), (g_ij, g_ji)."""
    (si, sj), (gij, gji) = values, gradients
    weight = 1 / ((sj**2) ** (1 / L) - (si**2) ** (1 / L))
    return -weight * (gij * sj + si * gji), -weight * (si * gij + gji * sj)


def singular_vectors() -> None:
    """K and H solve the off-diagonal equations for (i, j) and (j, i), and are skew."""
    g_ij, g_ji = sp.symbols("g_ij g_ji", real=True)
    k_ij, h_ij = rotation_rates((s_i, s_j), (g_ij, g_ji))
    k_ji, h_ji = rotation_rates((s_j, s_i), (g_ji, g_ij))
    require_zero(k_ij + k_ji, "K is skew")
    require_zero(h_ij + h_ji, "H is skew")
    weight = (s_i**2 - s_j**2) / (s_i ** (2 / L) - s_j ** (2 / L))
    require_zero(-weight * g_ij - (k_ij * s_j - s_i * h_ij), "entry (i, j) of UᵀẆV")
    require_zero(-weight * g_ji - (k_ji * s_i - s_j * h_ji), "entry (j, i) of UᵀẆV")


def outside_the_span() -> None:
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


def unbalanced_counterexample() -> None:
    """L = 2, widths 1-2-1, W_1 = ε(1, 0)ᵀ, W_2 = ε(3/5, 4/5): (23) is off by the factor 3/5."""
    first = eps * sp.Matrix([1, 0])
    last = eps * sp.Matrix([[sp.Rational(3, 5), sp.Rational(4, 5)]])
    require_zero((first.T * first)[0] - eps**2, "W_1ᵀW_1 = ε²: semi-orthogonal, Eq. (4)")
    require_zero((last * last.T)[0] - eps**2, "W_2W_2ᵀ = ε²: semi-orthogonal, Eq. (4)")
    require(not imbalance(first, last).is_zero_matrix, "the example must be unbalanced")
    true_rate, formula = _two_rates(first, last)
    require_zero(formula / true_rate - sp.Rational(3, 5), "formula (23) / true rate − 3/5")


def balanced_control() -> None:
    """The same widths with W_2 = W_1ᵀ are balanced, and (23) is right."""
    first = eps * sp.Matrix([sp.Rational(3, 5), sp.Rational(4, 5)])
    require_zero(imbalance(first, first.T), "W_2ᵀW_2 − W_1W_1ᵀ")
    true_rate, formula = _two_rates(first, first.T)
    require_zero(formula - true_rate, "formula (23) − true rate")


def imbalance(first: sp.Matrix, last: sp.Matrix) -> sp.Matrix:
    """Return W_2ᵀW_2 − W_1W_1ᵀ."""
    return last.T * last - first * first.T


def _two_rates(first: sp.Matrix, last: sp.Matrix) -> tuple[sp.Expr, sp.Expr]:
    """Return dW/dt of a 1-k-1 network from its layers, and what Eq. (23) says."""
    value = (last * first)[0]
    gradient = value - target
    layers = (-first * gradient).T * first + last * (-last.T * gradient)
    return layers[0], singular_value_rate(value, gradient).subs(L, 2)


STEPS: tuple[Step, ...] = (
    Step(
        "conservation",
        "d/dt (W_{l+1}ᵀW_{l+1} − W_lW_lᵀ) = 0",
        "symbolic",
        "all L, shapes, differentiable losses of W_{L:1}",
        conservation,
    ),
    Step(
        "intertwining",
        "X(XᵀX)^n = (XXᵀ)^n X, so X(XᵀX)^n Xᵀ = (XXᵀ)^{n+1}",
        "symbolic",
        "all n, by induction",
        intertwining,
    ),
    Step(
        "balanced products, multiplied out",
        "W_{>l}W_{>l}ᵀ = (W_LW_Lᵀ)^{L−l},   W_{<l}ᵀW_{<l} = (W_1ᵀW_1)^{l−1}",
        "symbolic",
        f"L = 2…{MAX_DEPTH}, every l, all shapes",
        balanced_products,
    ),
    Step(
        "balanced products",
        "For every L by the intertwining step: each layer raises the power by one.",
        "argument",
        "all L",
    ),
    Step(
        "fractional powers",
        "(W_LW_Lᵀ)^{L−l} = [WWᵀ]^{(L−l)/L}, so Ẇ = −Σ_j [WWᵀ]^{(j−1)/L} G [WᵀW]^{(L−j)/L}",
        "symbolic",
        "all L",
        fractional_powers,
    ),
    Step(
        "the rate in SVD coordinates",
        "UᵀẆV = KS + Ṡ − SH,  K = UᵀU̇ and H = VᵀV̇ skew: σ̇_i = u_iᵀẆv_i",
        "symbolic",
        "all shapes, wherever a differentiable SVD exists",
        diagonal_of_the_rate,
    ),
    Step(
        "singular values",
        "σ̇_i = −L(σ_i²)^{1−1/L} u_iᵀGv_i",
        "symbolic",
        "all L",
        singular_values,
    ),
    Step(
        "the off-diagonal weight",
        "Σ_j p^{j−1}q^{L−j} = (p^L − q^L)/(p − q),  p = σ_i^{2/L}, q = σ_j^{2/L}",
        "symbolic",
        "all L, by induction",
        geometric_sum,
    ),
    Step(
        "singular vectors inside the span",
        "UᵀU̇ = −F⊙(gS + Sgᵀ),  VᵀV̇ = −F⊙(Sg + gᵀS),  F_ij = 1/(σ_j^{2/L} − σ_i^{2/L})",
        "symbolic",
        "all L, distinct σ > 0",
        singular_vectors,
    ),
    Step(
        "singular vectors outside the span",
        "(I − UUᵀ)U̇ = −(I − UUᵀ)GV(S²)^{1/2−1/L}",
        "symbolic",
        "all L, σ > 0 (V̇ by transposing)",
        outside_the_span,
    ),
    Step(
        "an unbalanced start",
        "W_1 = ε(1, 0)ᵀ, W_2 = ε(3/5, 4/5): Eq. (23) gives 3/5 of the true rate",
        "exact",
        "L = 2, every ε and target",
        unbalanced_counterexample,
    ),
    Step(
        "its balanced twin",
        "W_2 = W_1ᵀ: Eq. (23) gives the true rate",
        "exact",
        "L = 2, every ε and target",
        balanced_control,
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof; `thorough` changes nothing, every step being symbolic."""
    del thorough
    return Proof(
        claim="proposition1",
        statement=(
            "Along gradient flow from a balanced start, the singular values of W = W_L⋯W_1 obey "
            "σ̇_i = −L(σ_i²)^{1−1/L}⟨G, u_iv_iᵀ⟩, and (distinct nonzero values) the singular "
            "vectors obey Arora et al.'s Theorem 3. Without balancedness the formula is false."
        ),
        source="Kwon et al. 2024, Proposition 1 (Eq. 23); Arora et al. 2019, Theorem 3",
        corrections=(
            "The paper says that the orthogonal start satisfies balancedness. For square layers "
            "it does; for semi-orthogonal rectangular layers, Eq. (4), it need not.",
            "'u_i(t) and u_i(t)' should read u_i(t) and v_i(t).",
        ),
        open=(
            "Singular vectors where singular values meet: the formulas need distinct values "
            "(those for σ_i need no more than a differentiable choice).",
        ),
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
