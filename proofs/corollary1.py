r"""Corollary 1: at the start the compressed network is closer to the target, by an exact amount.

Let W(0) = ε^L Q with orthogonal Q (a product of L orthogonal matrices scaled by ε), W̃(0) =
ε^L U_r̂ V_r̂ᵀ with r̂ ≥ r, and M = Σ σ_i u_i v_iᵀ of rank r.  Expanding both squares,

    ‖W(0) − M‖²  = d ε^{2L} − 2ε^L⟨Q, M⟩ + ‖M‖²,
    ‖W̃(0) − M‖² = r̂ ε^{2L} − 2ε^L Σσ_i + ‖M‖²,

so that the gap is (d − r̂)ε^{2L} + 2ε^L(Σσ_i − ⟨Q, M⟩).  Moreover ⟨Q, M⟩ = Σ σ_i u_iᵀQv_i and
‖u_i − Qv_i‖² = 2 − 2u_iᵀQv_i, whence

    gap = (d − r̂)ε^{2L} + ε^L Σ_i σ_i ‖u_i − Qv_i‖² ≥ (d − r̂)ε^{2L} ≥ 0     for every ε > 0.

No inequality was used, so equality is settled as well: the gap equals (d − r̂)ε^{2L} exactly when
Qv_i = u_i for all i ≤ r, that is when tr(QᵀM) attains its maximum Σσ_i; and it vanishes exactly
when moreover r̂ = d.

The premise r̂ ≥ r matters: for r̂ < r and Q = UVᵀ the gap is (d − r̂)ε^{2L} − 2ε^L Σ_{i>r̂} σ_i,
negative for small ε.
"""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any

import sympy as sp
from sympy.polys.matrices import DomainMatrix

from .exact import (
    RATIONALS,
    chain,
    columns,
    diagonal,
    draw_positive,
    inner,
    random_orthogonal,
)
from .facts import require_at_most, require_identity, require_less
from .noncommutative import Words, identity, letters, matrix, require_same
from .noncommutative import diagonal as diagonal_letter
from .proof import Clause, Proof, Step, exact, main, symbolic
from .scopes import AtLeast

__all__ = ["L", "build", "eps", "gap", "premise"]

eps, L, d, r_hat, norm2, nuclear, overlap = sp.symbols("ε L d r̂ m q o", positive=True)

U, V, Q = matrix("U", "out", "k"), matrix("V", "in", "k"), matrix("Q", "out", "in")
S = diagonal_letter("Σ", "k")
RULES = {
    letters(U.T, U): identity("k"),
    letters(V.T, V): identity("k"),
    letters(Q.T, Q): identity("in"),
    letters(Q, Q.T): identity("out"),
}

CASES = ((3, 1, 1, 2), (4, 2, 3, 2), (4, 2, 4, 3), (3, 3, 3, 4), (5, 2, 2, 3))
"""(d, r, r̂, L)"""


def gap(dimension: Any, rank_bound: Any, scale: Any, deficit: Any) -> Any:
    """Return (d − r̂)s² + 2s·deficit, the gap of Corollary 1 at the start.

    Parameters
    ----------
    dimension, rank_bound : number or expression
        d and r̂.
    scale : number or expression
        s = ε^L.
    deficit : number or expression
        Σσ_i − ⟨Q, M⟩.

    Returns
    -------
    number or expression
    """
    return (dimension - rank_bound) * scale**2 + 2 * scale * deficit


def _squares_expand() -> None:
    """The products inside ‖W − M‖² and ‖W̃ − M‖² reduce to identities and Σ (words)."""
    target = U @ S @ V.T
    wide, narrow = eps**L * Q, eps**L * (U @ V.T)
    same = partial(_same_gram, target=target)
    same(wide, eps ** (2 * L) * identity("in"), "WᵀW = ε^{2L} I_d: trace d ε^{2L}")
    same(narrow, eps ** (2 * L) * (V @ V.T), "W̃ᵀW̃ = ε^{2L} VVᵀ: trace r̂ ε^{2L}")
    cross = U.T @ narrow @ V
    require_same(cross, eps**L * identity("k"), RULES, "u_iᵀW̃v_i = ε^L: ⟨W̃, M⟩ = ε^L Σσ_i")


def _same_gram(network: Words, gram: Words, what: str, *, target: Words) -> None:
    error = network - target
    cross = network.T @ target
    claimed = gram - cross - cross.T + target.T @ target
    require_same(error.T @ error, claimed, RULES, what)


def _squared_distance(trace: sp.Expr, product: sp.Expr) -> sp.Expr:
    """Return ‖sP − M‖² for s = ε^L, tr PᵀP = `trace` and ⟨P, M⟩ = `product`."""
    return trace * eps ** (2 * L) - 2 * eps**L * product + norm2


def _gap_formula() -> None:
    """Subtract the two expansions."""
    wide, narrow = _squared_distance(d, overlap), _squared_distance(r_hat, nuclear)
    claimed = gap(d, r_hat, eps**L, nuclear - overlap)
    require_identity(wide - narrow, claimed, "the gap, o = ⟨Q, M⟩, q = Σσ_i, m = ‖M‖²")


def _deficit_is_a_square() -> None:
    """(U − QV)ᵀ(U − QV) = 2I − UᵀQV − (UᵀQV)ᵀ; the diagonal is ‖u_i − Qv_i‖² = 2 − 2u_iᵀQv_i."""
    error = U - Q @ V
    turn = U.T @ Q @ V
    claimed = 2 * identity("k") - turn - turn.T
    require_same(error.T @ error, claimed, RULES, "(U − QV)ᵀ(U − QV), diagonal 2 − 2u_iᵀQv_i")


def _rational_instances(repeats: int) -> None:
    """Evaluate the gap on whole matrices over ℚ with L random orthogonal layers."""
    for number in range(repeats):
        for place, case in enumerate(CASES):
            _one_instance(case, Random(1000 * number + place))


def _one_instance(case: tuple[int, ...], rng: Random) -> None:
    size, rank, bound, depth = case
    left, right = (random_orthogonal(size, RATIONALS, rng) for _ in range(2))
    values = sorted((draw_positive(RATIONALS, rng) for _ in range(rank)), reverse=True)
    scale = draw_positive(RATIONALS, rng) ** depth
    turn = chain([random_orthogonal(size, RATIONALS, rng) for _ in range(depth)], size, RATIONALS)
    actual = _measured_gap(left, right, values, turn, bound, scale)
    aligned = columns(left, rank) - turn * columns(right, rank)
    squares = [inner(aligned[:, i], aligned[:, i]) for i in range(rank)]
    deficit = sum((s * q for s, q in zip(values, squares, strict=True)), start=RATIONALS(0)) / 2
    require_identity(actual, gap(size, bound, scale, deficit), "the gap by forming the matrices")
    require_at_most((size - bound) * scale**2, actual, "(d − r̂)ε^{2L} against the gap")


def _measured_gap(
    left: DomainMatrix,
    right: DomainMatrix,
    values: list[Any],
    turn: DomainMatrix,
    bound: int,
    scale: Any,
) -> Any:
    """Return ‖ε^L Q − M‖² − ‖ε^L U_r̂V_r̂ᵀ − M‖² by forming the matrices."""
    size = left.shape[0]
    target = left * diagonal(values, (size, size), RATIONALS) * right.transpose()
    narrow = (columns(left, bound) * columns(right, bound).transpose()).scalarmul(scale)
    wide = turn.scalarmul(scale)
    return inner(wide - target, wide - target) - inner(narrow - target, narrow - target)


def _equality() -> None:
    """With Q = UVᵀ the gap is (d − r̂)ε^{2L} exactly; a turned Q gives strictly more."""
    rng, size, bound = Random(1), 4, 3
    left, right = (random_orthogonal(size, RATIONALS, rng) for _ in range(2))
    scale, values = RATIONALS(1) / RATIONALS(9), [RATIONALS(3), RATIONALS(2)]
    aligned = left * right.transpose()
    least = _measured_gap(left, right, values, aligned, bound, scale)
    require_identity(least, (size - bound) * scale**2, "the gap at Qv_i = u_i")
    turned = aligned * random_orthogonal(size, RATIONALS, rng)
    more = _measured_gap(left, right, values, turned, bound, scale)
    require_less(least, more, "the gap at Qv_i = u_i against that at a turned Q")


def premise() -> None:
    """For r̂ < r the corollary fails: r = 2, r̂ = 1, Q = UVᵀ, ε^L = 1/9."""
    rng, size = Random(2), 3
    left, right = (random_orthogonal(size, RATIONALS, rng) for _ in range(2))
    scale, values = RATIONALS(1) / RATIONALS(9), [RATIONALS(3), RATIONALS(2)]
    actual = _measured_gap(left, right, values, left * right.transpose(), 1, scale)
    claimed = gap(size, 1, scale, -values[1])
    require_identity(actual, claimed, "the gap for r̂ < r, (d − r̂)ε^{2L} − 2ε^L σ_2")
    require_less(actual, 0, "its sign")


STEPS: tuple[Step, ...] = (
    symbolic("both squares", _squares_expand),
    symbolic("the gap", _gap_formula),
    symbolic("the deficit is a sum of squares", _deficit_is_a_square),
    exact("the premise r̂ ≥ r", premise),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `corollary1`, to be run or verified.

    Parameters
    ----------
    thorough : bool, optional
        Draws ten times as many instances.

    Returns
    -------
    Proof
    """
    more = 30 if thorough else 3
    return Proof(
        claim="corollary1",
        clauses=(
            Clause(
                "For r̂ ≥ r and every ε > 0, ‖W(0) − M‖² − ‖W̃(0) − M‖² = (d − r̂)ε^{2L} + "
                "ε^L Σσ_i‖u_i − Qv_i‖².",
                ("both squares", "the gap", "the deficit is a sum of squares", "whole matrices"),
                {"L": AtLeast(2)},
            ),
            Clause(
                "It is at least (d − r̂)ε^{2L}, with equality iff Qv_i = u_i for i ≤ r.",
                ("the deficit is a sum of squares", "equality"),
            ),
            Clause("For r̂ < r the corollary can fail.", ("the premise r̂ ≥ r",)),
        ),
        source="Kwon et al. 2024, Corollary 1 (Eqs. 9 and 21)",
        corrections=(
            "Eq. (3) as printed gives each layer the singular value √ε; with ε per layer, as in "
            "Algorithm 1 and the paper's proof, the end-to-end value is ε^L.",
            "The paper proves an inequality through Lemma 1; the difference is known exactly.",
        ),
        open=("Square layers only: a product of semi-orthogonal layers need not be orthogonal.",),
        proves=("corollary1",),
        reading="ad3b853c0064",
        steps=(
            *STEPS,
            exact("whole matrices", partial(_rational_instances, more)),
            exact("equality", _equality),
        ),
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
