r"""Dominance for small targets, at every depth, shape and width; for the others up to a time shift.

Let s_k be the singular values of M (zero beyond its rank), the start balanced with ‖W_l(0)‖ ≤ ε,
σ̃_k the compressed flow from ε^L towards s_k. **If s_k ≤ 2ε^L, then σ_k(W(t)) ≤ σ̃_k(t) for all t.**

*Proof.* B = W_1ᵀW_1 obeys Ḃ = (M − W)ᵀW + Wᵀ(M − W), and WᵀW = B^L (`proposition1`). Let N be the
complement of the first k − 1 right singular vectors of M, and β the largest eigenvalue of B
compressed to N. By Courant–Fischer σ_k^{2/L} = λ_k(B) ≤ β, and β(0) ≤ ε². For a unit n ∈ N that
attains β, with ω = |Wn|, Danskin's theorem gives

    D⁺β ≤ 2 Mn·Wn − 2|Wn|² ≤ 2(s_kω − ω²),   as |Mn| ≤ s_k on N,

and ω² = nᵀB^Ln ≥ (nᵀBn)^L = β^L by Jensen. So D⁺β ≤ h(β), the maximum of 2(s_kω − ω²) over ω ≥
β^{L/2}: s_k²/2 while β^{L/2} ≤ s_k/2, and 2(s_kβ^{L/2} − β^L) from there on, which is the equation
of x = σ̃_k^{2/L}. If ε^L ≥ s_k/2, the solution from ε² never leaves the second branch: it is
σ̃_k^{2/L}.

*Consequences.* Dominance holds for every k beyond the rank of M; for every k if the nonzero
singular values of M are equal (for k ≤ r by the largest value, `dominance`), so for rank one in
any shape.

*A time shift for the others.* Let s = s_k > 2ε^L. Until t_k = 2((s/2)^{2/L} − ε²)/s² the solution
of ẋ = h(x) is ε² + s²t/2; it then follows σ̃_k^{2/L} from s/2, which σ̃_k reaches at a time τ_k. As
2(sω − ω²) is at most s²/2, σ̃_k^{2/L} is not steeper, so it is larger at the same distance from
that point: **σ_k(t) ≤ σ̃_k(t + τ_k − t_k)**, with τ_k ≥ t_k.
"""

from __future__ import annotations

import sympy as sp

from .closed_form import DEPTH, approach, rate, sigma, target
from .facts import require_identity, require_nonnegative, require_positive
from .noncommutative import Words, identity, letters, matrix, require_same
from .proof import Clause, Proof, Step, argument, cited, main, symbolic
from .proposition1 import balanced_products, intertwining, layer_rate
from .scopes import AtLeast

__all__ = ["build", "crossing_time", "eps", "gram_equation", "push", "t"]

goal = matrix("M", "out", "in")
first, above = matrix("W1", "h", "in"), matrix("W>1", "out", "h")
s, omega = sp.symbols("s ω", nonnegative=True)
level, eps, x, t = sp.symbols("b ε x t", positive=True)
ALL_DEPTHS = AtLeast(2)


def push(goal_value: sp.Expr, size: sp.Expr) -> sp.Expr:
    """Return 2(sω − ω²), the bound on D⁺β at |Wn| = ω.

    Parameters
    ----------
    goal_value : sympy expression
        s, a singular value of the target.
    size : sympy expression
        ω.

    Returns
    -------
    sympy expression
    """
    return 2 * (goal_value * size - size**2)


def _ceiling(goal_value: sp.Expr) -> sp.Expr:
    """Return s²/2, the largest value of `push`."""
    return goal_value**2 / 2


def crossing_time(goal_value: sp.Expr) -> sp.Expr:
    """Return t_k = 2((s/2)^{2/L} − ε²)/s², by which the compressed value has crossed s/2.

    Parameters
    ----------
    goal_value : sympy expression
        s, a singular value of the target.

    Returns
    -------
    sympy expression
    """
    return 2 * ((goal_value / 2) ** (2 / DEPTH) - eps**2) / goal_value**2


def _gram_rate() -> Words:
    """Return Ḃ for B = W_1ᵀW_1 along the layers' flow, W = W_{>1}W_1."""
    rates = {letters(first)[0]: layer_rate(above, above @ first - goal, identity("in"))}
    return (first.T @ first).derivative(rates)


def gram_equation() -> None:
    """Ḃ = (M − W)ᵀW + Wᵀ(M − W), and along a unit vector 2Mn·Wn − 2|Wn|²."""
    network = above @ first
    gap = goal - network
    require_same(_gram_rate(), gap.T @ network + network.T @ gap, {}, "Ḃ")
    unit = matrix("n", "in", "1")
    cross = (goal @ unit).T @ (network @ unit)
    image = network @ unit
    claimed = cross + cross.T - 2 * image.T @ image
    require_same(unit.T @ _gram_rate() @ unit, claimed, {}, "nᵀḂn")


def _parabola() -> None:
    """2(sω − ω²) is at most s²/2, and decreases from ω = s/2 on."""
    deficit = _ceiling(s) - push(s, omega)
    require_identity(deficit, 2 * (omega - s / 2) ** 2, "s²/2 − 2(sω − ω²)")
    more, start = sp.symbols("y z", nonnegative=True)
    drop = push(s, s / 2 + start) - push(s, s / 2 + start + more)
    require_nonnegative(sp.expand(drop), "its decrease from ω = s/2 + z to s/2 + z + y")


def _compressed_equation(L: sp.Expr) -> None:
    """x = σ̃^{2/L} obeys ẋ = 2(sx^{L/2} − x^L)."""
    moving = sp.diff(sigma ** (2 / DEPTH), sigma) * rate(sigma)
    claimed = push(target, sigma)
    require_identity(moving, claimed, "ẋ for x = σ̃^{2/L}, at ω = x^{L/2} = σ̃")
    require_identity((sigma ** (2 / L)) ** (L / 2), sigma, "x^{L/2}")


def _shift() -> None:
    """The first branch reaches (s/2)^{2/L} at t_k, and t_k > 0 for s > 2ε^L."""
    size = sp.Symbol("s", positive=True)
    reached = eps**2 + _ceiling(size) * crossing_time(size)
    require_identity(reached, (size / 2) ** (2 / DEPTH), "ε² + s²t/2 at t = t_k")
    more = sp.Symbol("v", positive=True)
    root = ((size / 2) ** (2 / DEPTH) - eps**2).subs((size / 2) ** (2 / DEPTH), eps**2 + more)
    require_positive(root, "t_k·s²/2 for (s/2)^{2/L} = ε² + v")


STEPS: tuple[Step, ...] = (
    symbolic("the Gram matrix of the first layer", gram_equation),
    symbolic("intertwining", intertwining),
    symbolic("balanced products, multiplied out", balanced_products, L=range(2, 6)),
    cited(
        "eigenvalues of a compression",
        "λ_k(B) ≤ max of nᵀBn over unit n ∈ N, codim N = k − 1 (Courant–Fischer).",
    ),
    cited(
        "derivative of a maximum",
        "β = max nᵀBn has the right derivative max nᵀḂn over the maximizing n (Danskin).",
    ),
    cited("Jensen", "nᵀB^Ln ≥ (nᵀBn)^L for a unit vector n, B ⪰ 0 and L ≥ 1."),
    symbolic("the parabola", _parabola),
    symbolic("the compressed equation", _compressed_equation, L=ALL_DEPTHS),
    argument(
        "the bound on the rate",
        "|Mn| ≤ s_k on N, so D⁺β ≤ 2(s_kω − ω²) with ω = |Wn|; WᵀW = B^L (`proposition1`), so "
        "ω² = nᵀB^Ln ≥ β^L: D⁺β ≤ h(β), the maximum over ω ≥ β^{L/2}.",
        "the Gram matrix of the first layer",
        "intertwining",
        "balanced products, multiplied out",
        "derivative of a maximum",
        "Jensen",
        "the parabola",
    ),
    symbolic("approach", approach, L=ALL_DEPTHS),
    argument(
        "small targets",
        "If ε^L ≥ s_k/2, σ̃_k stays ≥ s_k/2, for it moves monotonically from ε^L towards s_k; there "
        "h is the right-hand side of σ̃_k^{2/L}, and `comparison` gives σ_k^{2/L} ≤ β ≤ σ̃_k^{2/L}.",
        "eigenvalues of a compression",
        "the bound on the rate",
        "the compressed equation",
        "approach",
    ),
    symbolic("the crossing time", _shift),
    argument(
        "a time shift",
        "s_k > 2ε^L: the solution of ẋ = h(x) rises at s_k²/2 until t_k, then as σ̃_k^{2/L} from "
        "s_k/2. "
        "Counted back from there σ̃_k^{2/L}, nowhere steeper than s_k²/2, is the larger one, and "
        "still "
        "at least ε² = σ̃_k(0)^{2/L} at the start, so τ_k ≥ t_k as it increases.",
        "small targets",
        "the crossing time",
        "the parabola",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `small_targets`, to be run or verified.

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
        claim="small_targets",
        clauses=(
            Clause(
                "Along gradient flow from a balanced start with layers of norm at most ε, "
                "σ_k(W(t)) ≤ σ̃_k(t) for all t and every k with s_k ≤ 2ε^L, whatever the shape and "
                "the "
                "widths; in particular for every k beyond the rank of M.",
                ("small targets", "the compressed equation"),
                {"L": ALL_DEPTHS},
            ),
            Clause(
                "For s_k > 2ε^L, σ_k(t) ≤ σ̃_k(t + τ_k − t_k), τ_k ≥ t_k, where σ̃_k(τ_k) = s_k/2 "
                "and "
                "t_k = 2((s_k/2)^{2/L} − ε²)/s_k².",
                ("a time shift", "the crossing time"),
                {"L": ALL_DEPTHS},
            ),
        ),
        source="dlnlab; part of the conjecture of `dominance`",
        open=("s_1 > s_k > 2ε^L without a time shift, for L ≥ 3 (`dominance`).",),
        proves=("dominance",),
        reading="4ed9b21ff832",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
