r"""Assumption 1 with c_vec = 0: it holds exactly when the start is already aligned.

Theorem 2 assumes, for gradient flow, that after a time t_i the i-th singular vectors of the wide
network *equal* those of the target: ⟨u_i(t), u_i*⟩ = ⟨v_i(t), v_i*⟩ = 1 for t > t_i, i ≤ r.

*Necessity.*  Then W(t)v_i* = σ_i(t)u_i*, so f(t) = (I − u_i*u_i*ᵀ)W(t)v_i* vanishes for t > t_i.
The flow is a polynomial differential equation, its solution is analytic, and so f vanishes for all
t ≥ 0; likewise for W(t)ᵀu_i*.  At t = 0 this reads Qv_i* = ±u_i*.  Let s(t) = u_i*ᵀW(t)v_i*.  As
[WWᵀ]^p u_i* = |s|^{2p}u_i*, the balanced flow gives ṡ = L|s|^{2−2/L}(σ_i* − s), whose right-hand
side is locally Lipschitz and zero at s = 0: s keeps its sign.  For t > t_i it is σ_i(t) ≥ 0, hence
s(0) = +ε^L.  Thus **Qv_i* = u_i* for all i ≤ r**.

*Sufficiency.* Let U = QV (U, V the top r frames). In the notation of `parsimony` take Z_0 = V, Z_L
= QV = U: now r dimensions suffice, N = UᵀMV = Σ is diagonal, and so is every block. Flow and
gradient descent (the step is affine in η, so −∇_l itself is tangent to this form) stay in W_l =
Z_l Λ Z_{l−1}ᵀ + β(Q_l − Z_lZ_{l−1}ᵀ) with Theorem 1's Λ and β:

    W(t) = U Λ(t)^L Vᵀ + β(t)^L (Q − UVᵀ).

So the wide network *is* the compressed one, plus d − r residual values β^L instead of r̂ − r, and

    ‖W(t) − M‖² − ‖W̃(t) − M‖² = (d − r̂)·β(t)^{2L} ≥ 0.

Theorem 2 is therefore true as stated (flow, c_vec = 0 exactly), and says this much: its premise
picks out the starts with Qv_i* = u_i*, a set of measure zero among orthogonal matrices for d ≥ 2.
No positive c_vec can take its place: `turned_start` has starts that meet the assumption with every
c_vec > 0 and violate the conclusion.  `theorem2` has a premise that other starts do meet.
"""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any

import sympy as sp

from .exact import (
    RATIONALS,
    chain,
    columns,
    descend,
    diagonal,
    draw_positive,
    inner,
    random_orthogonal,
    require_equal,
    seeded,
)
from .facts import at_least, require_identity, require_nonnegative
from .noncommutative import (
    Rules,
    Words,
    identity,
    letters,
    matrix,
    orthonormal_columns,
    require_same,
    transported,
)
from .noncommutative import diagonal as diagonal_letter
from .proof import Clause, Proof, Step, argument, cited, exact, main, symbolic
from .proposition1 import L as proposition_depth
from .proposition1 import singular_value_rate
from .scopes import AtLeast
from .theorem1 import beta_next, lambda_next

__all__ = ["FRAMES", "L", "build", "core", "sigma", "step_stays", "transport_rules"]

SPACES = ("0", "b", "t", "L")
FRAMES = {name: matrix(f"Z{name}", name, "r") for name in SPACES}
below_q, layer_q, above_q = matrix("Q<", "b", "0"), matrix("Ql", "t", "b"), matrix("Q>", "L", "t")
core, spectrum = diagonal_letter("Λ", "r"), diagonal_letter("Σ", "r")
L, layer, beta, eta, lam, sigma = sp.symbols("L l β η λ σ", positive=True)

CASES = ((3, 1, 2), (4, 2, 2), (4, 2, 3), (5, 3, 3))
"""(d, r, L)"""


def transport_rules() -> Rules:
    """Return Z_l = Q_l Z_{l−1} with its consequences, and orthogonality.

    Returns
    -------
    dict
        Rewriting rules.
    """
    return transported(FRAMES, (below_q, layer_q, above_q))


def _aligned(power: Any, turn: Words) -> Words:
    """Return a product of `power` aligned layers, Z Λ^m Zᵀ + β^m (Q − Z Zᵀ)."""
    start, end = FRAMES[turn.cols], FRAMES[turn.rows]
    outside: Words = (turn - end @ start.T) * beta**power
    return end @ diagonal_letter("Λ", "r", power) @ start.T + outside


def _products_stay() -> None:
    """Products of aligned layers are aligned, with symbolic numbers of layers."""
    rules = transport_rules()
    upper, lower = _aligned(L - layer, above_q), _aligned(1, layer_q)
    claimed = _aligned(L - layer + 1, above_q @ layer_q)
    require_same(upper @ lower, claimed, rules, "(L − l) layers times one")


def step_stays() -> None:
    """One step keeps the form, with Theorem 1's recursions for Λ and β."""
    rules = transport_rules()
    above, below = _aligned(L - layer, above_q), _aligned(layer - 1, below_q)
    product = ((above @ _aligned(1, layer_q)).reduce(rules) @ below).reduce(rules)
    residual = product - FRAMES["L"] @ spectrum @ FRAMES["0"].T
    gradient = ((above.T @ residual).reduce(rules) @ below.T).reduce(rules)
    following = _aligned(1, layer_q) - eta * gradient
    grown = diagonal_letter("Λ", "r", 2 * L - 1) - diagonal_letter("Λ", "r", L - 1) @ spectrum
    start, end = FRAMES["b"], FRAMES["t"]
    shrunk: Words = (layer_q - end @ start.T) * beta_next(beta, eta, L)
    claimed = end @ (core - eta * grown) @ start.T + shrunk
    require_same(following, claimed, rules, "W_l⁺")
    entry = lam - eta * (lam ** (2 * L - 1) - lam ** (L - 1) * sigma)
    require_identity(entry, lambda_next(lam, sigma, eta, L), "Λ⁺ entry by entry")


def _residual_norm() -> None:
    """(Q − UVᵀ)ᵀ(Q − UVᵀ) = I − VVᵀ, of trace d − r, and it is orthogonal to UΛVᵀ."""
    turn, right = matrix("Q", "out", "in"), matrix("V", "in", "r")
    left = turn @ right
    rules = orthonormal_columns(right) | {
        letters(turn.T, turn): identity("in"),
        letters(turn, turn.T): identity("out"),
    }
    rest = turn - left @ right.T
    require_same(rest.T @ rest, identity("in") - right @ right.T, rules, "Gram of Q − UVᵀ")
    require_same(left.T @ rest @ right, 0 * identity("r"), rules, "Uᵀ(Q − UVᵀ)V")
    d, r, r_hat = sp.symbols("d r r̂", positive=True)
    wide, narrow = d - r, r_hat - r
    require_identity(wide - narrow, d - r_hat, "residual values of W less those of W̃")


def _signed_rate(value: Any, target: Any, size: Any) -> Any:
    """Return ṡ = −Σ_j |s|^{2(j−1)/L}(s − σ*)|s|^{2(L−j)/L}, L equal summands, for |s| = `size`."""
    return -L * size ** (2 * (layer - 1) / L) * (value - target) * size ** (2 * (L - layer) / L)


def _sign_is_kept() -> None:
    """For s = −q, q ≥ 0, q̇ = −Lq^{2−2/L}(q + σ*): zero is an equilibrium, with exponent ≥ 1."""
    size = sp.Symbol("q", positive=True)
    velocity = -_signed_rate(-size, sigma, size)
    require_identity(velocity, -L * size ** (2 - 2 / L) * (size + sigma), "q̇ for s = −q")
    aligned_rate = singular_value_rate(size, size - sigma).subs(proposition_depth, L)
    require_identity(_signed_rate(size, sigma, size), aligned_rate, "ṡ for s = q, against Eq. (23)")
    exponent = sp.simplify((2 - 2 / L - 1).subs(L, at_least("L", 2)))
    require_nonnegative(exponent, "2 − 2/L − 1: locally Lipschitz at zero")


def _aligned_runs(repeats: int, num_steps: int) -> None:
    """Gradient descent over ℚ on whole matrices with QV = U agrees with the form exactly."""
    for rng, case in seeded(CASES, repeats):
        _one_run(case, rng, num_steps)


def _one_run(case: tuple[int, int, int], rng: Random, num_steps: int) -> None:
    size, rank, depth = case
    turns = [random_orthogonal(size, RATIONALS, rng) for _ in range(depth)]
    whole = chain(turns, size, RATIONALS)
    right = columns(random_orthogonal(size, RATIONALS, rng), rank)
    left = whole * right
    values = [draw_positive(RATIONALS, rng) for _ in range(rank)]
    target = left * diagonal(values, (rank, rank), RATIONALS) * right.transpose()
    start, step = (draw_positive(RATIONALS, rng) / RATIONALS(8) for _ in range(2))
    weights = [turn.scalarmul(start) for turn in turns]
    fitted, rest = [start] * rank, start
    for _ in range(num_steps):
        weights = descend(weights, target, [step] * depth)
        fitted = [lambda_next(v, m, step, depth) for v, m in zip(fitted, values, strict=True)]
        rest = beta_next(rest, step, depth)
    grown = diagonal([v**depth for v in fitted], (rank, rank), RATIONALS)
    outside = (whole - left * right.transpose()).scalarmul(rest**depth)
    network = chain(weights, size, RATIONALS)
    require_equal(network, left * grown * right.transpose() + outside, "W = UΛ^LVᵀ + β^L(Q − UVᵀ)")
    error = network - target
    narrow = sum(((v**depth - m) ** 2 for v, m in zip(fitted, values, strict=True)), RATIONALS(0))
    margin = inner(error, error) - narrow
    require_identity(margin, (size - rank) * rest ** (2 * depth), "the margin for r̂ = r")


STEPS: tuple[Step, ...] = (
    cited(
        "analyticity",
        "Solutions of polynomial differential equations are analytic (Cauchy); an analytic "
        "function that vanishes on an interval vanishes.",
    ),
    symbolic("the sign", _sign_is_kept),
    argument(
        "alignment is there from the start",
        "(I − u_i*u_i*ᵀ)W(t)v_i* = 0 for t > t_i, hence for t = 0: Qv_i* = ±u_i*; and "
        "s = u_i*ᵀWv_i* never changes sign, so Qv_i* = +u_i*.",
        "analyticity",
        "the sign",
    ),
    symbolic("products of aligned layers", _products_stay),
    symbolic("a step from an aligned state", step_stays),
    symbolic("the margin", _residual_norm),
    argument(
        "an aligned start",
        "An aligned start has the form with Λ = εI, β = ε; a step keeps it, and the flow, whose "
        "right-hand side is the step's first order in η, does too (uniqueness). The part "
        "β^L(Q − UVᵀ) has the square (d − r)β^{2L} and is orthogonal to the rest, W̃ has (r̂ − "
        "r)β^{2L}.",
        "products of aligned layers",
        "a step from an aligned state",
        "the margin",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `assumption1`, to be run or verified.

    Parameters
    ----------
    thorough : bool, optional
        Draws ten times as many instances.

    Returns
    -------
    Proof
    """
    more = 20 if thorough else 2
    return Proof(
        claim="assumption1",
        clauses=(
            Clause(
                "For gradient flow from an ε-orthogonal start, Assumption 1 with c_vec = 0 holds "
                "for i ≤ r only if Qv_i* = u_i* for i ≤ r.",
                ("alignment is there from the start", "the sign"),
                {"L": AtLeast(2)},
            ),
            Clause(
                "From such a start W = UΛ^LVᵀ + β^L(Q − UVᵀ) and the margin of Theorem 2 is "
                "exactly "
                "(d − r̂)β^{2L}: the theorem is true as stated, and about these starts alone.",
                ("an aligned start", "the margin", "whole matrices"),
                {"L": AtLeast(2)},
            ),
        ),
        source="Kwon et al. 2024, Assumption 1 with c_vec = 0, as used in Theorem 2",
        corrections=(
            "Eqs. (11)–(12) depend on the sign of the singular vectors, which an SVD fixes only in "
            "pairs; here the pair (u_i, v_i) is the one that satisfies them.",
            "The assumption does not hold 'generally' with c_vec = 0: among orthogonal Q, those "
            "with Qv_i* = u_i* have measure zero (d ≥ 2).",
            "c_val ∈ [0, 1] is not free of units: M → cM turns c_val into c²c_val (`slips`).",
        ),
        open=(
            "Small positive c_vec, and gradient descent in place of flow in the necessity part.",
        ),
        proves=("assumption1", "theorem2", "generally_c_vec_0"),
        reading="5db390131d80",
        steps=(*STEPS, exact("whole matrices", partial(_aligned_runs, more, 3))),
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
