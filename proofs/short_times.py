r"""Dominance for short times, at every depth and size: how far each mode is behind to first order.

Let W(0) = ε^LQ with balanced square layers and Q orthogonal, P = QᵀM, s_i the singular values of M,
hence of P, and λ_i the eigenvalues of its symmetric part ½(P + Pᵀ), in decreasing order. Then

    σ̃_i(t) − σ_i(t) = Lε^{2L−2}(s_i − λ_i)t + O(t²),    λ_i ≤ s_i,

and where λ_i = s_i > 0, mode i is *aligned*: some unit x has Px = Pᵀx = s_ix. **So there is a
t_0 > 0 with σ_i(t) ≤ σ̃_i(t) for every i and t ≤ t_0.**

*The first order.* By the gauge all layers start at εI and M is P. Every layer adds ε^{2L−2}(P −
ε^LI) to Ẇ, so W = ε^LI + tN + O(t²) with N = Lε^{2L−2}(P − ε^LI), and WᵀW = ε^{2L}I + tε^L(N + Nᵀ)
+ O(t²): σ_i = ε^L + tλ_i(½(N + Nᵀ)) + O(t²) by Weyl. The compressed network starts at
Lε^{2L−2}(s_i − ε^L).

*No mode is ahead (Fan and Hoffman 1955), and which are not behind.* The span of i eigenvectors of
½(P + Pᵀ) for λ_1, …, λ_i and that of the right singular vectors of P for s_i, …, s_d have a unit
vector x in common: λ_i ≤ xᵀPx ≤ |Px| ≤ s_i. If λ_i = s_i, all are equal, and

    |Px − s_ix|² = |Px|² − 2s_i xᵀPx + s_i² = 0.

As |Px| = s_i is the largest possible on the second span, PᵀPx = s_i²x, so Pᵀx = s_ix if s_i > 0.

*Aligned modes are exact.* Then P = s_ixxᵀ + P′ with P′ on the complement of x, and the flow splits
(`plane_blocks`): one singular value is σ̃(t; s_i), the others are those of the flow for P′. Take
out aligned modes until none is left. Of the rest, those with s_i > 0 are strictly behind for small
t > 0, and those with s_i = 0 are never ahead (`small_targets`).
"""

from __future__ import annotations

import sympy as sp

from .closed_form import rate, target
from .facts import require_identity, require_nonnegative, require_zero
from .noncommutative import Words, identity, matrix, require_same
from .proof import Clause, Proof, Step, argument, cited, main, symbolic
from .proposition1 import L, singular_value_rate
from .scopes import AtLeast

__all__ = ["build", "deficit", "eps", "speed"]

eps = sp.Symbol("ε", positive=True)
goal = sp.Symbol("s", nonnegative=True)
eigenvalue = sp.Symbol("λ", real=True)
P, unit = matrix("P", "d", "d"), matrix("x", "d", "1")


def _layer_share(layer: sp.Expr) -> sp.Expr:
    """Return what layer l adds to Ẇ in units of P − W, all layers being εI."""
    return eps ** (2 * (L - layer)) * eps ** (2 * (layer - 1))


def speed() -> sp.Expr:
    """Return Lε^{2L−2}.

    Returns
    -------
    expression
    """
    return L * eps ** (2 * L - 2)


def deficit() -> sp.Expr:
    """Return the first order of σ̃_i − σ_i, Lε^{2L−2}(s_i − λ_i).

    Returns
    -------
    expression
    """
    return speed() * (goal - eigenvalue)


def _first_velocity() -> None:
    """Each of the L layers adds ε^{2L−2}(P − W), and a mode starts as Proposition 1 says."""
    layer = sp.Symbol("l", positive=True)
    one = sp.powsimp(_layer_share(layer))
    require_zero(sp.simplify(sp.diff(one, layer)), "d/dl of the share of layer l")
    require_identity(L * one, speed(), "L shares")
    gap = sp.Symbol("g", real=True)
    require_identity(singular_value_rate(eps**L, gap), -speed() * gap, "Eq. (23) at σ = ε^L")


def _first_order() -> None:
    """(aI + tN)ᵀ(aI + tN) has the first order a(N + Nᵀ)."""
    a, t = sp.symbols("a t", positive=True)
    N = matrix("N", "d", "d")
    moved = a * identity("d") + t * N
    claimed = a**2 * identity("d") + t * a * (N + N.T) + t**2 * (N.T @ N)
    require_same(moved.T @ moved, claimed, {}, "WᵀW for W = aI + tN")
    root = sp.sqrt(a**2 + 2 * t * a * eigenvalue)
    require_identity(root.diff(t).subs(t, 0), eigenvalue, "d/dt of √(a² + 2taλ) at t = 0")


def _how_far_behind() -> None:
    """The compressed rate at ε^L less the wide one is `deficit`, of the sign of s − λ."""
    wide = speed() * (eigenvalue - eps**L)
    compressed = rate(eps**L).subs(target, goal)
    require_identity(compressed - wide, deficit(), "rate of σ̃_i less rate of σ_i at t = 0")
    more = sp.Symbol("g", nonnegative=True)
    require_nonnegative(deficit().subs(goal, eigenvalue + more), "its sign for s = λ + g")


def _residual() -> Words:
    """Return Px − sx."""
    return P @ unit - goal * unit


def _equality() -> None:
    """|Px − sx|² is at most 0 if |Px| ≤ s, xᵀPx ≥ s and |x| = 1."""
    squares = (P @ unit).T @ (P @ unit) + goal**2 * (unit.T @ unit)
    cross = unit.T @ P @ unit
    claimed = squares - goal * (cross + cross.T)
    require_same(_residual().T @ _residual(), claimed, {}, "|Px − sx|²")
    short, long = sp.symbols("a b", nonnegative=True)
    bound = (goal**2 - short) - 2 * goal * (goal + long) + goal**2
    require_nonnegative(-sp.expand(bound), "−|Px − sx|² for |Px|² = s² − a, xᵀPx = s + b")


def _both_sides() -> None:
    """With Px = sx and PᵀPx = s²x also s(Pᵀx − sx) = 0."""
    other = P.T @ unit - goal * unit
    gram = P.T @ P @ unit - goal**2 * unit
    require_same(goal * other, gram - P.T @ _residual(), {}, "s(Pᵀx − sx)")


def _largest_image() -> None:
    """s² − |Px|² for x = Σc_jv_j with s_j² = s² − g_j is Σg_jc_j², here for two of them."""
    c1, c2 = sp.symbols("c_1 c_2", real=True)
    g1, g2 = sp.symbols("g_1 g_2", nonnegative=True)
    image = (goal**2 - g1) * c1**2 + (goal**2 - g2) * c2**2
    rest = sp.expand(goal**2 * (c1**2 + c2**2) - image)
    require_identity(rest, g1 * c1**2 + g2 * c2**2, "s²|x|² − |Px|²")
    require_nonnegative(rest, "its sign")


ALL_DEPTHS = AtLeast(2)

STEPS: tuple[Step, ...] = (
    symbolic("the velocity at the start", _first_velocity),
    symbolic("the first order of WᵀW", _first_order),
    cited(
        "Weyl",
        "Eigenvalues of symmetric matrices move by at most the norm of what is added to them.",
    ),
    symbolic("how far behind", _how_far_behind),
    argument(
        "the first order",
        "By `gauge` (ends turned too) all layers start at εI and M is P = QᵀM. W is analytic in t: "
        "W = ε^LI + tN + O(t²) with N = Lε^{2L−2}(P − ε^LI), so σ_i² is the i-th eigenvalue of "
        "ε^{2L}I + tε^L(N + Nᵀ) up to O(t²), and σ_i = ε^L + tLε^{2L−2}(λ_i − ε^L) + O(t²).",
        "the velocity at the start",
        "the first order of WᵀW",
        "Weyl",
        "how far behind",
    ),
    symbolic("equality in Cauchy's inequality", _equality),
    symbolic("the largest image", _largest_image),
    symbolic("the transpose", _both_sides),
    argument(
        "which modes are not behind",
        "The eigenvectors for λ_1, …, λ_i and the right singular vectors v_i, …, v_d span spaces "
        "of dimensions i and d − i + 1: they share a unit x with λ_i ≤ xᵀPx ≤ |Px| ≤ s_i. If "
        "λ_i = s_i, then Px = s_ix; x has no part along v_j with s_j < s_i, so PᵀPx = s_i²x, and "
        "for s_i > 0 Pᵀx = s_ix.",
        "equality in Cauchy's inequality",
        "the largest image",
        "the transpose",
    ),
    argument(
        "short times",
        "If Px = Pᵀx = s_ix, P and the flow split (`plane_blocks`) into x, where the wide network "
        "is the compressed mode, and the complement, where it starts as before. Repeat until no "
        "mode with s_i > 0 is aligned: in what is left these have λ_i < s_i, and are behind up to "
        "some time; those with s_i = 0 are never ahead (`small_targets`). x_k ≤ y_k for all k "
        "survives sorting, and the sorted y_k are the σ̃_i, as σ̃ increases with its target.",
        "the first order",
        "which modes are not behind",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `short_times`, to be run or verified.

    Parameters
    ----------
    thorough : bool, optional
        Changes nothing: every step is symbolic.

    Returns
    -------
    Proof
    """
    del thorough
    start = "Let W(0) = ε^LQ with balanced square layers and Q orthogonal"
    return Proof(
        claim="short_times",
        clauses=(
            Clause(
                f"{start}. Then σ̃_i(t) − σ_i(t) = Lε^{{2L−2}}(s_i − λ_i)t + O(t²), λ_i the i-th "
                "eigenvalue of the symmetric part of QᵀM.",
                ("the first order", "how far behind", "the velocity at the start"),
                {"L": ALL_DEPTHS},
            ),
            Clause(
                f"{start}. Then λ_i ≤ s_i, and if they are equal and positive, some unit vector x "
                "has QᵀMx = MᵀQx = s_ix.",
                ("which modes are not behind", "equality in Cauchy's inequality"),
            ),
            Clause(
                f"{start}. Then there is a t_0 > 0, which depends on M, Q, ε and L, with "
                "σ_i(W(t)) ≤ σ̃_i(t) for every i and every t ≤ t_0.",
                ("short times", "how far behind"),
                {"L": ALL_DEPTHS},
            ),
        ),
        source="dlnlab; part of the conjecture of `dominance`",
        open=(
            "How long t_0 is; all later times, for 2 ≤ i ≤ r with 2ε^L < s_i < s_1 (`dominance`); "
            "rectangular targets.",
        ),
        reading="4491ea7e9fa3",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
