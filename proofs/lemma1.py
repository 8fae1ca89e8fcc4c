r"""Lemma 1: ‖A − B‖² ≥ ‖Σ_A − Σ_B‖², with nothing cited.

The paper appeals to von Neumann's trace inequality.  Its real case is elementary, so we prove it.
Let k = min(d_1, d_2), a_1 ≥ … ≥ a_k ≥ 0 and b_1 ≥ … ≥ b_k ≥ 0 the singular values of A and B, and
take full SVDs.  With the orthogonal matrices X = U_AᵀU_B and Y = V_AᵀV_B,

    ⟨A, B⟩ = Σ_ij a_i b_j X_ij Y_ij.

1. X_ij Y_ij ≤ w_ij := ½(X_ij² + Y_ij²), the difference being ½(X_ij − Y_ij)².
2. Rows and columns of an orthogonal matrix are unit vectors, so the nonnegative weights w have
   row sums and column sums at most 1, and each corner sum S_pq = Σ_{i≤p, j≤q} w_ij ≤ min(p, q).
3. Abel summation: with α_p = a_p − a_{p+1} ≥ 0 (a_{k+1} = 0), a_i = Σ_{p≥i} α_p, and likewise β_q
   for b.  Then Σ a_i b_j w_ij = Σ_pq α_p β_q S_pq and Σ a_i b_i = Σ_pq α_p β_q min(p, q).

Together, ⟨A, B⟩ ≤ Σ a_i b_i, and indeed with an explicit nonnegative remainder,

    ‖A − B‖² − Σ(a_i − b_i)² = Σ_ij a_i b_j (X_ij − Y_ij)² + 2 Σ_pq α_p β_q (min(p, q) − S_pq).  (†)

Every step holds for every k; (†) as a whole is also expanded with free symbols for small k, and
evaluated over ℚ on whole matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

import sympy as sp
from sympy.polys.matrices import DomainMatrix

from .exact import (
    RATIONALS,
    diagonal,
    inner,
    random_orthogonal,
)
from .facts import require_at_most, require_identity, require_less, require_positive
from .noncommutative import identity, letters, matrix, require_same
from .proof import Clause, Proof, Step, argument, exact, main, symbolic

__all__ = ["build", "remainder"]

SHAPES = ((2, 2), (3, 3), (3, 5), (4, 2), (4, 4))


def _weight(x: Any, y: Any) -> Any:
    """Return w = ½(x² + y²), the bound of the product xy."""
    return (x**2 + y**2) / 2


def _weights_dominate() -> None:
    """½(x² + y²) − xy is half a square."""
    x, y = sp.symbols("x y", real=True)
    require_identity(_weight(x, y) - x * y, (x - y) ** 2 / 2, "w − xy")


def _frames_are_orthogonal() -> None:
    """X = U_AᵀU_B satisfies XXᵀ = XᵀX = I: unit rows and columns, of which w takes the mean."""
    left, right = matrix("U_A", "d", "k"), matrix("U_B", "d", "k")
    rules = {}
    for frame in (left, right):
        rules[letters(frame.T, frame)] = identity("k")
        rules[letters(frame, frame.T)] = identity("d")
    turn = left.T @ right
    require_same(turn @ turn.T, identity("k"), rules, "XXᵀ")
    require_same(turn.T @ turn, identity("k"), rules, "XᵀX")
    x, y = sp.symbols("x y", real=True)
    unit = _weight(x, sp.sqrt(1 - x**2)) + _weight(y, sp.sqrt(1 - y**2))
    require_identity(unit, 1, "w summed over the rows (x, √(1−x²)) and (y, √(1−y²))")


def _trace_is_bilinear(k: int) -> None:
    """⟨A, B⟩ = tr(Σ_A X Σ_B Yᵀ) entry by entry."""
    x, y = (sp.Matrix(k, k, sp.symbols(f"{name}:{k * k}")) for name in "xy")
    a, b = (sp.diag(*sp.symbols(f"{name}:{k}")) for name in "ab")
    entries = sum(a[i, i] * b[j, j] * x[i, j] * y[i, j] for i in range(k) for j in range(k))
    require_identity((a * x * b * y.T).trace(), entries, "tr(Σ_A X Σ_B Yᵀ)")


def _abel_telescopes() -> None:
    """Σ_{p=i}^k (a_p − a_{p+1}) = a_i − a_{k+1} for every i ≤ k."""
    i, k, p = sp.symbols("i k p", integer=True, positive=True)
    a = sp.Function("a")
    total = sp.summation(a(p) - a(p + 1), (p, i, k))
    require_identity(total, a(i) - a(k + 1), "Σ_{p=i}^k (a_p − a_{p+1})")


def _corner_counts() -> None:
    """Σ a_i b_i = Σ_pq α_pβ_q·#{i : i ≤ p, i ≤ q}, and that number is min(p, q)."""
    p, q = sp.symbols("p q", integer=True, positive=True)
    i = sp.Symbol("i", integer=True)
    short, long = (sp.summation(1, (i, 1, end)) for end in (p, p + q))
    require_identity(short, p, "#{i ≤ p, i ≤ p + q}")
    require_positive(long - short, "the count up to the larger index")


def remainder(
    a: Sequence[Any], b: Sequence[Any], x: Sequence[Sequence[Any]], y: Sequence[Sequence[Any]]
) -> tuple[Any, list[Any]]:
    """Return the right-hand side of (†), and its summands.

    Parameters
    ----------
    a, b : sequence
        Both spectra, in falling order.
    x, y : sequence of sequences
        Both orthogonal matrices, row by row.

    Returns
    -------
    sum : number or expression
    summands : list
        All of them ≥ 0.
    """
    size = len(a)
    squares = [a[i] * b[j] * (x[i][j] - y[i][j]) ** 2 for i in range(size) for j in range(size)]
    corners = [
        2 * _drop(a, p) * _drop(b, q) * (min(p, q) - _corner(x, y, p, q))
        for p in range(1, size + 1)
        for q in range(1, size + 1)
    ]
    terms = squares + corners
    return sum(terms), terms


def _drop(values: Sequence[Any], position: int) -> Any:
    """Return α_p = a_p − a_{p+1}, counted from 1, with a_{k+1} = 0."""
    following = values[position] if position < len(values) else 0
    return values[position - 1] - following


def _corner(x: Sequence[Sequence[Any]], y: Sequence[Sequence[Any]], p: int, q: int) -> Any:
    return sum(_weight(x[i][j], y[i][j]) for i in range(p) for j in range(q))


def _remainder_identity(k: int) -> None:
    """Expand (†) with free symbols: 2Σa_ib_i − 2Σa_ib_jX_ijY_ij equals the remainder."""
    a, b = (list(sp.symbols(f"{name}:{k}")) for name in "ab")
    x, y = (_square(name, k) for name in "xy")
    inner_product = sum(a[i] * b[j] * x[i][j] * y[i][j] for i in range(k) for j in range(k))
    gap = 2 * sum(ai * bi for ai, bi in zip(a, b, strict=True)) - 2 * inner_product
    require_identity(gap, remainder(a, b, x, y)[0], "2Σa_ib_i − 2Σa_ib_jX_ijY_ij")


def _square(name: str, size: int) -> list[list[sp.Symbol]]:
    flat = sp.symbols(f"{name}:{size * size}")
    return [list(flat[size * i : size * (i + 1)]) for i in range(size)]


def _rational_instances(repeats: int) -> None:
    """Evaluate both sides of (†) on whole rational matrices; every summand is nonnegative."""
    for number in range(repeats):
        for place, shape in enumerate(SHAPES):
            _one_instance(shape, Random(1000 * number + place))


def _one_instance(shape: tuple[int, int], rng: Random) -> None:
    size = min(shape)
    a, b = (_spectrum(size, rng) for _ in range(2))
    for values in (a, b):
        for low, high in pairwise([RATIONALS(0), *reversed(values)]):
            require_at_most(low, high, "the spectra, from the smallest value on")
    frames = [[random_orthogonal(d, RATIONALS, rng) for d in shape] for _ in range(2)]
    first, second = (
        u * diagonal(values, shape, RATIONALS) * v.transpose()
        for (u, v), values in zip(frames, (a, b), strict=True)
    )
    x, y = ((frames[0][side].transpose() * frames[1][side]) for side in (0, 1))
    total, terms = remainder(a, b, _rows(x, size), _rows(y, size))
    gap = inner(first - second, first - second) - sum(
        (ai - bi) ** 2 for ai, bi in zip(a, b, strict=True)
    )
    require_identity(gap, total, "‖A − B‖² − Σ(a_i − b_i)² by forming the matrices")
    for term in terms:
        require_at_most(0, term, "a summand of (†)")


def _spectrum(size: int, rng: Random) -> list[Any]:
    """Return decreasing nonnegative fractions, zeros and repetitions included."""
    drawn = (RATIONALS(rng.randint(0, 6)) / RATIONALS(rng.randint(1, 3)) for _ in range(size))
    return sorted(drawn, reverse=True)


def _rows(matrix_: DomainMatrix, size: int) -> list[list[Any]]:
    return [[matrix_[i, j].element for j in range(size)] for i in range(size)]


def _order_matters() -> None:
    """A = B, spectra listed as (1, 2) and (2, 1): the remainder is −2, so sorting is needed."""
    swap = [[sp.Integer(0), sp.Integer(1)], [sp.Integer(1), sp.Integer(0)]]
    total, _ = remainder([1, 2], [2, 1], swap, swap)
    require_less(total, 0, "the remainder of A = B with spectra listed as (1, 2) and (2, 1)")


STEPS: tuple[Step, ...] = (
    symbolic("the trace of a product", _trace_is_bilinear, k=3),
    argument(
        "the trace in SVD coordinates",
        "⟨A, B⟩ = Σ a_i b_j X_ij Y_ij for every k: an entry formula, of which k = 3 is typical.",
        "the trace of a product",
    ),
    symbolic("weights", _weights_dominate),
    symbolic("X and Y are orthogonal", _frames_are_orthogonal),
    symbolic("Abel summation", _abel_telescopes),
    symbolic("the diagonal in the same coordinates", _corner_counts),
    argument(
        "the conclusion",
        "Unit rows and columns give S_pq = Σ_{i≤p,j≤q} w_ij ≤ min(p, q). Exchange the finite sums: "
        "Σ a_ib_jw_ij = Σ_pq α_pβ_q S_pq ≤ Σ_pq α_pβ_q min(p, q) = Σ a_ib_i. Add Σa_i² + Σb_i².",
        "the trace in SVD coordinates",
        "weights",
        "X and Y are orthogonal",
        "Abel summation",
        "the diagonal in the same coordinates",
    ),
    exact("order matters", _order_matters),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `lemma1`, to be run or verified.

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
        claim="lemma1",
        clauses=(
            Clause(
                "For real matrices of equal shape with singular values a, b in decreasing order, "
                "‖A − B‖² ≥ Σ(a_i − b_i)², and the difference is the explicit sum (†) of "
                "nonnegative terms.",
                ("the conclusion", "the remainder (†), for every k", "whole matrices"),
            ),
            Clause("The order matters.", ("order matters",)),
        ),
        source="Kwon et al. 2024, Lemma 1",
        corrections=(
            "The paper uses compact SVDs, whose Σ have different sizes for different ranks; pad "
            "with zeros. Both spectra must be sorted the same way.",
            "Von Neumann's inequality is cited there; here it is proved.",
        ),
        proves=("lemma1",),
        reading="48eb9416a770",
        steps=(
            *STEPS,
            symbolic("the remainder (†), expanded", _remainder_identity, k=range(1, 6)),
            argument(
                "the remainder (†), for every k",
                "(†) is the difference of the two sides of the conclusion, which holds for every "
                "k.",
                "the conclusion",
                "the remainder (†), expanded",
            ),
            exact("whole matrices", partial(_rational_instances, more)),
        ),
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
