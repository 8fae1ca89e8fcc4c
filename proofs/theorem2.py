r"""Theorem 2, refined: what is true without the incremental-learning assumption, for every ε.

Let r̂ ≥ r, σ_i the singular values of the wide flow W(t), σ̃_i those of the compressed one, and
k = #{i ≤ r : σ_i* < ε^L}, the number of targets that start overshot.  Assume *dominance up to the
rank* for the others: σ_i(t) ≤ σ̃_i(t) for i ≤ r − k.  Then for all t

    ‖W(t) − M‖² ≥ ‖W̃(t) − M‖² − (r̂ − r + k)·β(t)^{2L}.

1. For i ≤ r − k, ε^L ≤ σ_i* and σ̃_i rises towards σ_i* without passing it (`closed_form`), so
   σ_i ≤ σ̃_i ≤ σ_i* and (σ_i − σ_i*)² − (σ̃_i − σ_i*)² = (σ̃_i − σ_i)(2σ_i* − σ_i − σ̃_i) ≥ 0.
2. For r − k < i ≤ r, σ̃_i falls towards σ_i* from ε^L and |σ̃_i − σ_i*| ≤ β^L (`closed_form`).
3. By Lemma 1, and as squares are nonnegative, ‖W − M‖² ≥ Σ_{i≤r−k}(σ_i − σ_i*)².
4. W̃ − M has the singular values |σ̃_i − σ_i*| (i ≤ r) and β^L (r̂ − r times), by Theorem 1, so
   ‖W̃ − M‖² ≤ Σ_{i≤r−k}(σ̃_i − σ_i*)² + (k + r̂ − r)β^{2L}.

Sharper, for layers that start ε-(semi)orthogonal with hidden widths d = min(d_out, d_in): the
residual values dropped in step 3 can be counted. By `parsimony`, if 2r ≤ d, W = Z_L B Z_0ᵀ + β^L(Q
− Z_LZ_0ᵀ) and M = Z_L N Z_0ᵀ with blocks B, N of 2r dimensions, hence

5. ‖W − M‖² = ‖B − N‖² + (d − 2r)β^{2L}, and Lemma 1 holds for B and N. 6. The singular values of B
are some of those of W, so σ_i(B) ≤ σ_i ≤ σ̃_i, and step 1 holds for them.

Together, if 2r > d being the same with nothing to count,

    ‖W(t) − M‖² ≥ ‖W̃(t) − M‖² − (r̂ + k − max(r, d − r))·β(t)^{2L}.

So the paper's inequality holds, with no assumption on the singular vectors, if r̂ + k ≤ max(r, d −
r): for ε^L ≤ σ_r* up to r̂ = d − r, and for every ε up to r̂ = d − 2r, since k ≤ r.

Dominance up to the rank is proved for L = 2 (`dominance`, and `pair_comparison` by another way),
and for every L if each σ_i*, i ≤ r − k, is σ_1* or at most 2ε^L (`dominance`, `small_targets`),
rank one included, or if M is 2 × 2 (`plane_blocks`). For other targets and L ≥ 3 it is a
conjecture, and so is this theorem.

The paper's inequality has no correction; it assumes c_vec = 0, which only aligned starts meet
(`assumption1`).  For other starts `counterexamples` and `turned_start` show that the correction
cannot be dropped for r̂ > max(r, d − r), and that k cannot either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

import sympy as sp
from sympy.polys.matrices import DomainMatrix

from .closed_form import approach, distance_decays
from .exact import RATIONALS, diagonal, draw_positive, eye, inner, random_orthogonal, seeded
from .facts import (
    require_at_most,
    require_identity,
    require_less,
    require_nonnegative,
)
from .noncommutative import diagonal as diagonal_letter
from .noncommutative import diagonal_entry, identity, matrix, orthonormal_columns, require_same
from .parsimony import (
    FRAMES,
    WIDE_FRAME,
    core,
    parsimonious,
    transport_rules,
    wide_rules,
    widened,
)
from .proof import Clause, Proof, Step, argument, cited, exact, main, symbolic
from .scopes import AtLeast

__all__ = ["Moment", "allowance", "build", "counts", "margin"]

wide, lower, upper = sp.symbols("σ p q", nonnegative=True)
beta = sp.Symbol("β", positive=True)
depth = sp.Symbol("L", positive=True)

CASES = ((2, 1, 2), (4, 1, 4), (5, 2, 3), (5, 2, 5), (3, 2, 3), (3, 3, 3))
"""(d, r, r̂)"""


def _improvement(original: Any, compressed: Any, goal: Any) -> Any:
    """Return (σ_i − σ_i*)² − (σ̃_i − σ_i*)²."""
    return (original - goal) ** 2 - (compressed - goal) ** 2


def allowance(r_hat: Any, rank: Any, size: Any, overshot: Any) -> Any:
    """Return r̂ + k − max(r, d − r), the multiple of β^{2L} in the sharp form.

    Parameters
    ----------
    r_hat, rank, size : number or expression
        r̂, r and d.
    overshot : number or expression
        k, how many targets lie below ε^L.

    Returns
    -------
    sympy expression
    """
    return r_hat + overshot - sp.Max(rank, size - rank)


def _square_comparison() -> None:
    """With σ̃ = σ + p and σ* = σ̃ + q, p, q ≥ 0, the difference of squares is p² + 2pq ≥ 0."""
    difference = _improvement(wide, wide + lower, wide + lower + upper)
    require_identity(difference, lower**2 + 2 * lower * upper, "(σ − σ*)² − (σ̃ − σ*)²")
    require_nonnegative(sp.expand(difference), "its sign, for σ̃ = σ + p, σ* = σ̃ + q")


def _premise_is_needed() -> None:
    """If σ̃ lies above σ* (ε^L > σ*), the same comparison may point the other way."""
    example = _improvement(sp.Integer(1), sp.Integer(2), sp.Integer(1))
    require_less(example, 0, "(σ − σ*)² − (σ̃ − σ*)² for σ = σ* = 1, σ̃ = 2")


def _compressed_error() -> None:
    """(W̃ − M)ᵀ(W̃ − M) = V(D − Σ)²Vᵀ, D and Σ the values of W̃ and of M in Theorem 1's frames."""
    left, right = matrix("U", "out", "k"), matrix("V", "in", "k")
    values, goals = diagonal_letter("D", "k"), diagonal_letter("Σ", "k")
    error = left @ values @ right.T - left @ goals @ right.T
    square = (values - goals) @ (values - goals)
    rules = orthonormal_columns(left, right)
    require_same(error.T @ error, right @ square @ right.T, rules, "(W̃ − M)ᵀ(W̃ − M)")
    fitted, goal = sp.symbols("σ̃ σ*", positive=True)
    entry = diagonal_entry(square, {"D": fitted, "Σ": goal})
    require_identity(entry, (fitted - goal) ** 2, "an entry of (D − Σ)², i ≤ r")
    residual = diagonal_entry(square, {"D": beta**depth, "Σ": sp.Integer(0)})
    require_identity(residual, beta ** (2 * depth), "an entry of (D − Σ)², i > r")


def _wide_error() -> None:
    """(W − M)ᵀ(W − M) splits into the block's and β^{2L} times I − Z_0Z_0ᵀ, of trace d − 2r."""
    turn, block = matrix("Q", "L", "0"), matrix("B", "2r", "2r")
    start, end = FRAMES["0"], FRAMES["L"]
    rules = transport_rules(turn)
    network = parsimonious(block, beta**depth, turn)
    error = network - end @ core @ start.T
    outside = beta ** (2 * depth) * (identity("0") - start @ start.T)
    gap = block - core
    claimed = start @ gap.T @ gap @ start.T + outside
    require_same(error.T @ error, claimed, rules, "(W − M)ᵀ(W − M)")
    square = start @ block.T @ block @ start.T + outside
    require_same(network.T @ network, square, rules, "WᵀW")
    require_same(square @ start, start @ block.T @ block, rules, "WᵀW Z_0: B's values are W's")


def _wide_error_rectangular() -> None:
    """With one wide end, (W − M)(W − M)ᵀ splits in the same way on the narrow side."""
    end, block, goal = FRAMES["L"], matrix("B", "2r", "3r"), matrix("Nin", "2r", "3r")
    turn = matrix("Q", "L", "b")
    rules = {**wide_rules(), **transport_rules(turn)}
    network = widened(block, beta**depth, turn)
    error = network - end @ goal @ WIDE_FRAME.T
    outside = beta ** (2 * depth) * (identity("L") - end @ end.T)
    gap = block - goal
    square = end @ gap @ gap.T @ end.T + outside
    require_same(error @ error.T, square, rules, "(W − M)(W − M)ᵀ")
    square = end @ block @ block.T @ end.T + outside
    require_same(network @ network.T, square, rules, "WWᵀ")


def counts() -> None:
    """r̂ − r + k residual values of W̃, less the d − 2r of W where there are any."""
    r, r_hat, k, gap = sp.symbols("r r̂ k m", nonnegative=True)
    for size, counted, what in ((2 * r + gap, gap, "d = 2r + m"), (2 * r - gap, 0, "d = 2r − m")):
        balance = r_hat - r + k - counted
        require_identity(
            balance, allowance(r_hat, r, size, k), f"r̂ − r + k − max(d − 2r, 0), {what}"
        )
    slack = sp.Symbol("j", nonnegative=True)  # k = r − j
    for spare in (sp.Integer(0), gap):  # r̂ = d − 2r − m ≥ 0
        size = 2 * r + spare + slack
        excess = -allowance(size - 2 * r - spare, r, size, r - slack)
        require_nonnegative(
            sp.simplify(excess), "−(r̂ + k − max(r, d − r)) at r̂ ≤ d − 2r, k = r − j"
        )


# ---------------------------------------------------------------------- whole matrices


@dataclass(frozen=True)
class Moment:
    """Singular values at one time that meet the premises, over ℚ.

    Attributes
    ----------
    size, r_hat : int
    goals : sequence
        σ_1*, …, σ_r*, decreasing.
    fitted : sequence
        σ̃_1, …, σ̃_r.
    block : sequence
        Singular values of the wide network's block, 2r or d of them, decreasing.
    overshot : int
        k.
    residual : number
        β^L.
    """

    size: int
    r_hat: int
    goals: Sequence[Any]
    fitted: Sequence[Any]
    block: Sequence[Any]
    overshot: int
    residual: Any

    def bound(self) -> Any:
        """Return (r̂ + k − max(r, d − r))β^{2L}.

        Returns
        -------
        field element
        """
        rank = len(self.goals)
        multiple = allowance(self.r_hat, rank, self.size, self.overshot)
        return RATIONALS(int(multiple)) * self.residual**2


def margin(moment: Moment, frames: Sequence[DomainMatrix]) -> Any:
    """Return ‖W − M‖² − ‖W̃ − M‖² by forming the matrices, B = frames_0 diag(block) frames_1ᵀ.

    Parameters
    ----------
    moment : Moment
        The values of both networks at one time.
    frames : sequence of DomainMatrix
        The left and the right frame of the block.

    Returns
    -------
    field element
    """
    d, inside = moment.size, len(moment.block)
    shape = (inside, inside)
    block = frames[0] * diagonal(moment.block, shape, RATIONALS) * frames[1].transpose()
    gap = block - diagonal(moment.goals, shape, RATIONALS)
    outside = eye(d - inside, RATIONALS).scalarmul(moment.residual) if d > inside else None
    total = inner(gap, gap) + (inner(outside, outside) if outside is not None else RATIONALS(0))
    spare = [moment.residual] * (moment.r_hat - len(moment.goals))
    narrow = diagonal([*moment.fitted, *spare], (d, d), RATIONALS)
    short = narrow - diagonal(moment.goals, (d, d), RATIONALS)
    return total - inner(short, short)


def _random_moment(case: tuple[int, int, int], rng: Random) -> Moment:
    """Return values that meet the premises: dominated, below the targets or overshot by ≤ β^L."""
    d, rank, r_hat = case
    residual = draw_positive(RATIONALS, rng) / RATIONALS(8)
    start = residual * RATIONALS(rng.randint(1, 3))
    overshot = rng.randint(0, rank)
    high = sorted(
        (start + draw_positive(RATIONALS, rng) for _ in range(rank - overshot)), reverse=True
    )
    low = sorted((start * _share(rng, 1) for _ in range(overshot)), reverse=True)
    late = _share(rng, 0)
    fitted = [start + late * (goal - start) for goal in high]
    fitted += [goal + residual * (start - goal) / start for goal in low]
    shares = sorted(_share(rng, 0) for _ in range(rank - overshot))
    block = [value * shares[-1] for value in fitted[: rank - overshot]]
    top = min(block, default=residual)
    count = min(2 * rank, d) - len(block)
    block += sorted((top * _share(rng, 0) for _ in range(count)), reverse=True)
    return Moment(d, r_hat, [*high, *low], fitted, block, overshot, residual)


def _share(rng: Random, least: int) -> Any:
    """Return a fraction in [0, 1], or in (0, 1) if `least` is 1."""
    return RATIONALS(rng.randint(least, 6 - least)) / RATIONALS(6)


def _premises_suffice(repeats: int) -> None:
    """Whole rational matrices that meet the premises at one time satisfy the bound."""
    for rng, case in seeded(CASES, repeats):
        moment = _random_moment(case, rng)
        size = len(moment.block)
        frames = [random_orthogonal(size, RATIONALS, rng) for _ in range(2)]
        if rng.random() < 0.5:
            frames = [eye(size, RATIONALS)] * 2
        require_at_most(-moment.bound(), margin(moment, frames), "−(…)β^{2L} against the margin")


def _bound_is_attained() -> None:
    """Aligned frames, W fitted as W̃, an empty rest of the block: the bound is an equality."""
    for place, case in enumerate(CASES):
        moment = _random_moment(case, Random(place))
        size, kept = len(moment.block), len(moment.goals) - moment.overshot
        fitted = [*moment.fitted[:kept], *moment.goals[kept:], *[RATIONALS(0)] * size][:size]
        goals = moment.goals
        over = [goal + moment.residual for goal in goals[kept:]]
        extreme = Moment(
            moment.size,
            moment.r_hat,
            goals,
            [*moment.fitted[:kept], *over],
            fitted,
            moment.overshot,
            moment.residual,
        )
        frames = [eye(size, RATIONALS)] * 2
        require_identity(
            margin(extreme, frames), -extreme.bound(), "the margin, against −(…)β^{2L}"
        )


ALL_DEPTHS = AtLeast(2)

STEPS: tuple[Step, ...] = (
    symbolic("approach", approach, L=ALL_DEPTHS),
    symbolic("distance from above", distance_decays, L=ALL_DEPTHS),
    cited(
        "a flow does not reach an equilibrium",
        "Solutions of a locally Lipschitz equation do not meet (Picard–Lindelöf): ε^L ≤ σ* keeps "
        "σ̃ ≤ σ*.",
    ),
    symbolic("comparison of squares", _square_comparison),
    exact("the premise is needed there", _premise_is_needed),
    symbolic("the compressed error", _compressed_error),
    symbolic("the wide error", _wide_error),
    symbolic("the wide error, rectangular", _wide_error_rectangular),
    symbolic("counting residual values", counts),
    argument(
        "the fitted modes",
        "σ_i ≤ σ̃_i ≤ σ_i* for i ≤ r − k, so Σ_{i≤r−k}(σ_i − σ_i*)² ≥ Σ_{i≤r−k}(σ̃_i − σ_i*)².",
        "approach",
        "a flow does not reach an equilibrium",
        "comparison of squares",
    ),
    argument(
        "the overshot modes",
        "For r − k < i ≤ r |σ̃_i − σ_i*| ≤ β^L: in ‖W̃ − M‖² they contribute no more than "
        "residual values.",
        "approach",
        "distance from above",
        "the compressed error",
    ),
    argument(
        "the refined chain",
        "Lemma 1 (`lemma1`) on the left, Theorem 1's decomposition (`theorem1`) on the right, "
        "where "
        "r̂ − r residual values and k overshot ones remain.",
        "the fitted modes",
        "the overshot modes",
        "the compressed error",
    ),
    argument(
        "the sharp chain",
        "2r ≤ d: the flow splits by `parsimony`, ‖W − M‖² = ‖B − N‖² + (d − 2r)β^{2L}, Lemma 1 "
        "holds "
        "for B and N, and σ_i(B) ≤ σ_i(W) ≤ σ̃_i. 2r > d: nothing is counted, and d − r < r.",
        "the refined chain",
        "the wide error",
        "the wide error, rectangular",
        "counting residual values",
    ),
    argument(
        "where dominance is proved",
        "L = 2: `dominance`. Every L: i with σ_i* = σ_1* by `dominance`, i with σ_i* ≤ 2ε^L by "
        "`small_targets`, 2 × 2 targets by `plane_blocks`.",
        "the sharp chain",
    ),
    exact("the bound is attained", _bound_is_attained),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `theorem2`, to be run or verified.

    Parameters
    ----------
    thorough : bool, optional
        Draws ten times as many instances.

    Returns
    -------
    Proof
    """
    more = 100 if thorough else 10
    whole = "whole matrices"
    return Proof(
        claim="theorem2",
        clauses=(
            Clause(
                "Let r̂ ≥ r, k = #{i ≤ r : σ_i* < ε^L}, and let the wide singular values be "
                "dominated "
                "for i ≤ r − k. From every balanced start with layers of norm at most ε, "
                "‖W(t) − M‖² ≥ ‖W̃(t) − M‖² − (r̂ − r + k)β(t)^{2L} for all t.",
                ("the refined chain", "comparison of squares", "the premise is needed there"),
                {"L": ALL_DEPTHS},
            ),
            Clause(
                "From an ε-orthogonal start, hidden widths d = min(d_out, d_in), the same holds "
                "with r̂ + k − max(r, d − r) in place of r̂ − r + k, so the paper's inequality "
                "holds if r̂ + k ≤ max(r, d − r), and for r̂ ≤ d − 2r whatever ε is.",
                (
                    "the sharp chain",
                    "the wide error",
                    "counting residual values",
                    whole,
                    "the bound is attained",
                ),
                {"L": ALL_DEPTHS},
            ),
            Clause(
                "The premise of dominance is proved for L = 2; for every L if each σ_i*, i ≤ r − "
                "k, "
                "is σ_1* or at most 2ε^L, rank one included; and for 2 × 2 targets.",
                ("where dominance is proved",),
                {"L": ALL_DEPTHS},
            ),
        ),
        source="Kwon et al. 2024, Theorem 2 (Eqs. 13 and 25), refined",
        corrections=(
            "Unless c_vec = 0 exactly, the inequality can be false for r̂ > max(r, d − r): there a "
            "correction by a multiple of β^{2L} is needed.",
            "With ε^L > σ_r* it can be false even for r̂ = r.",
            "Assumption 1 with c_vec = 0 is met by aligned starts only (assumption1); it is not "
            "used here.",
            "The steps (26), (30) and (32) of the paper's proof do not hold (`slips`).",
        ),
        open=("Dominance for L ≥ 3 and 2ε^L < σ_i* < σ_1*, hence the theorem there.",),
        proves=("theorem2_refined", "theorem2_sharp", "theorem2_any_eps", "eq13_compressing"),
        reading="8d2672cd9771",
        steps=(*STEPS, exact(whole, partial(_premises_suffice, more))),
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
