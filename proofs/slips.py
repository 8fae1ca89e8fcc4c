r"""Slips of the paper: what its text claims along the way, checked.

*Eq. (26)* says σ_{i+1}(t) = σ̃_{i+1}(t) = ε^L for t < t_i. But σ̃ starts with the rate
Lε^{2L−2}(σ*_{i+1} − ε^L), and with −Lε^{3L−2} for i + 1 > r: it stays at ε^L only if σ*_{i+1} =
ε^L. So the proof of Theorem 2 covers no network with t_1 > 0 and σ_2* ≠ ε^L.

*Eq. (30)* says ε^L ≤ σ_{i+1} ≤ σ̃_{i+1} ≤ σ*_{i+1}.  The last part needs ε^L ≤ σ*_{i+1}: from above,
σ̃ never comes below σ*.  The first part fails for turned starts, where σ_1 may decrease at first
although ε^L < σ_1*.

*Eq. (32)*, for j > r, asks for σ_j² ≥ σ̃_j², while σ_j ≤ σ̃_j (`small_targets`), and strictly so for
turned starts. Its derivation takes u_jᵀM*v_j = 0; in a turned start this is −σ sin²a. The times
t_j that it compares are not defined for j > r.

*The induction* over modes is empty: with c_vec = 0 every mode is aligned from t = 0
(`assumption1`) and follows its own equation, in which no other mode occurs.

*Eq. (6)* divides by m.  For A = Id, m = d², it gives M*/d² and not the M* of Section 3.1.

*The remark after Theorem 1*: (8) is a singular value decomposition only if the λ_i^L are positive
and in order, which a stable step does not guarantee, and its rank is r̂ as long as β > 0.

*Assumption 1* bounds (σ_i − σ_i*)² by c_val ∈ [0, 1]; a change of units multiplies it by c².

*Sorted singular values* need not be differentiable where two of them meet: the larger of two
functions that cross with different slopes has a kink.  They all meet at t = 0.
"""

from __future__ import annotations

import sympy as sp

from . import late_times, turned_start
from .assumption1 import step_stays
from .closed_form import DEPTH, approach, logistic, rate, target
from .closed_form import eps as closed_eps
from .closed_form import t as closed_t
from .facts import require_identity, require_less, require_positive
from .proof import Clause, Proof, Step, argument, exact, main, symbolic
from .scopes import AtLeast
from .theorem1 import beta_decreases, lambda_next, largest_step

__all__ = ["build", "crossing", "eps"]

eps = sp.Symbol("ε", positive=True)
gap = sp.Symbol("g", positive=True)


def _waiting(L: sp.Expr) -> None:
    """σ̃ leaves ε^L at once, unless its target is ε^L itself."""
    start = rate(eps**DEPTH)
    claimed = DEPTH * eps ** (2 * DEPTH - 2) * (target - eps**DEPTH)
    require_identity(start, claimed, "σ̃′(0)")
    deep = claimed.subs(DEPTH, L)
    require_positive(deep.subs(target, eps**L + gap), "σ̃′(0) for σ* = ε^L + g")
    below = -deep.subs(eps**L, target + gap)
    require_positive(below, "−σ̃′(0) for ε^L = σ* + g")
    require_identity(claimed.subs(target, 0), -DEPTH * eps ** (3 * DEPTH - 2), "σ̃′(0) for σ* = 0")
    require_identity(start.subs(target, eps**DEPTH), 0, "σ̃′(0) for σ* = ε^L, where it does wait")


def _falls_below_its_start() -> None:
    """A turned start with ε^L < σ whose largest singular value decreases at first."""
    values = {
        turned_start.sigma: sp.Integer(1),
        turned_start.s1: sp.Rational(1, 4),
        turned_start.angle: sp.acos(sp.Rational(1, 3)),
        turned_start.L: sp.Integer(3),
    }
    require_less(values[turned_start.s1], values[turned_start.sigma], "ε^L against σ_1*")
    require_less(turned_start.top_rate().subs(values), 0, "σ̇_1(0) for cos(θ/2) = 1/3, L = 3")


def _residual_drive() -> None:
    """u_2ᵀMv_2 in a turned start."""
    left, right = (
        turned_start.rotation(turned_start.angle),
        turned_start.rotation(-turned_start.angle),
    )
    drive = left.T * sp.diag(turned_start.sigma, 0) * right
    claimed = -turned_start.sigma * sp.sin(turned_start.angle) ** 2
    require_identity(drive[1, 1], claimed, "u_jᵀMv_j, j = 2 > r")


def _surrogate_of_the_identity() -> None:
    """Eq. (6) with the m = d_out·d_in coordinate matrices as A_i."""
    rows, cols = 2, 3
    goal = sp.Matrix(rows, cols, sp.symbols(f"m:{rows * cols}"))
    total, count = sp.zeros(rows, cols), rows * cols
    for place in range(count):
        unit = sp.Matrix(rows, cols, [int(place == k) for k in range(count)])
        total += sum(goal.multiply_elementwise(unit)) * unit
    require_identity(total / count, goal / count, "(1/m) Σ y_iA_i for A = Id, against M/m")


def _out_of_order() -> None:
    """L = 2, σ* = (1, 9/10): the two values change places; L = 3: one is negative."""
    goals, depth, step = (sp.Integer(1), sp.Rational(9, 10)), sp.Integer(2), sp.Rational(49, 50)
    require_less(step, largest_step(goals[0], depth), "η against the largest stable step, L = 2")
    values = [sp.Rational(1, 10)] * 2
    for _ in range(ORDER_STEPS):
        values = [lambda_next(v, g, step, depth) for v, g in zip(values, goals, strict=True)]
    first, second = (value**depth for value in values)
    require_less(first, second, f"λ_1² against λ_2² after {ORDER_STEPS} steps")
    depth, step = sp.Integer(3), sp.Rational(1, 10)
    require_less(step, largest_step(goals[0], depth), "η against the largest stable step, L = 3")
    require_less(lambda_next(sp.Integer(2), goals[0], step, depth) ** depth, 0, "λ³ after one step")


ORDER_STEPS = 5


def _units() -> None:
    """M → cM, W → cW."""
    value, goal, scale = sp.symbols("σ σ* c", positive=True)
    scaled = (scale * value - scale * goal) ** 2
    require_identity(scaled, scale**2 * (value - goal) ** 2, "(cσ_i − cσ_i*)²")


def crossing() -> None:
    """M = diag(1, 0) ⊕ (1/2), Q = R(θ) ⊕ (1), L = 2, ε = 1/10, tan(θ/2) = 3: two values cross."""
    size = {late_times.sigma: 1, late_times.eps: sp.Rational(1, 10), late_times.T: 3}
    block = late_times.top_value().subs(size)
    single = logistic(late_times.t).subs(
        {target: sp.Rational(1, 2), closed_eps: sp.Rational(1, 10)}
    )
    single = single.subs(closed_t, late_times.t)
    starts = [value.subs(late_times.t, 0) for value in (block, single)]
    require_identity(starts[0], starts[1], "the two values at t = 0")
    slopes = [sp.diff(value, late_times.t).subs(late_times.t, 0) for value in (block, single)]
    require_less(slopes[0], slopes[1], "their slopes at t = 0")
    ends = [value.subs(late_times.t, 20) for value in (single, block)]
    require_less(ends[0], ends[1], "the two values at t = 20, in the other order")


def _kink(L: sp.Expr) -> None:
    """Where a value driven by p meets one driven by s, their rates differ by Lx^{2−2/L}(p − s)."""
    value, drive, goal = sp.symbols("x p s", positive=True)
    rates = [rate(value).subs(DEPTH, L).subs(target, force) for force in (drive, goal)]
    claimed = L * value ** (2 - 2 / L) * (drive - goal)
    require_identity(rates[0] - rates[1], claimed, "difference of two rates at one value x")


ALL_DEPTHS = AtLeast(2)

STEPS: tuple[Step, ...] = (
    symbolic("waiting", _waiting, L=ALL_DEPTHS),
    argument(
        "no network waits",
        "σ̃_{i+1} is analytic, so it is ε^L on [0, t_i) only if σ̃′_{i+1}(0) = 0, that is if "
        "σ*_{i+1} = ε^L. The paper assumes (26) for both networks and all i ≤ r.",
        "waiting",
    ),
    symbolic("approach", approach, L=ALL_DEPTHS),
    exact("a value that falls", _falls_below_its_start),
    symbolic("the residual is behind", turned_start.residual_is_behind),
    symbolic("the residual's drive", _residual_drive),
    symbolic("an aligned step", step_stays),
    argument(
        "the induction is empty",
        "c_vec = 0 holds for aligned starts only (`assumption1`), whose step has no term that "
        "couples "
        "two modes; t_i occurs in no equation, and t_j, j > r, is defined nowhere.",
        "an aligned step",
    ),
    symbolic("the surrogate of the identity", _surrogate_of_the_identity),
    exact("out of order", _out_of_order),
    symbolic("the rank", beta_decreases, L=ALL_DEPTHS),
    symbolic("units", _units),
    exact("crossing values", crossing),
    symbolic("the kink", _kink, L=ALL_DEPTHS),
    argument(
        "sorted values have kinks",
        "The block's value starts lower and ends higher. While cos²a ≤ 1/2 its drive is at most "
        "the "
        "other's and it stays below (`comparison`), so at the first meeting cos²a > 1/2: the "
        "slopes "
        "differ, and the larger of the two values is not differentiable there. At t = 0 all values "
        "meet, with slopes that differ if the drives do: one-sided derivatives only.",
        "crossing values",
        "the kink",
    ),
)

CLAUSES: tuple[Clause, ...] = (
    Clause(
        "Eq. (26) with t_i > 0, i < r̂, holds for the compressed network iff σ*_{i+1} = ε^L: the "
        "paper's proof of Theorem 2 covers no network with t_1 > 0 and σ_2* ≠ ε^L.",
        ("no network waits", "waiting"),
        {"L": ALL_DEPTHS},
    ),
    Clause(
        "Eq. (30): σ̃_{i+1} ≤ σ*_{i+1} is false for ε^L > σ*_{i+1}, and ε^L ≤ σ_{i+1}(t) is false "
        "for "
        "some turned starts with ε^L < σ*_{i+1}.",
        ("approach", "a value that falls"),
        {"L": ALL_DEPTHS},
    ),
    Clause(
        "Eq. (32), j > r: in every turned start of `turned_start` σ_j < σ̃_j for t > 0, so "
        "(σ_j − σ_j*)² < (σ̃_j − σ_j*)²; and u_jᵀM*v_j, which the paper sets to 0, is −σ sin²a.",
        ("the residual is behind", "the residual's drive"),
        {"L": ALL_DEPTHS},
    ),
    Clause(
        "Under c_vec = 0 the induction over modes has nothing to prove.",
        ("the induction is empty",),
        {"L": ALL_DEPTHS},
    ),
    Clause(
        "Eq. (6) gives M*/m for A = Id, m = d_out·d_in, not M*.", ("the surrogate of the identity",)
    ),
    Clause(
        "Eq. (8) need not be a singular value decomposition: below the largest stable step the "
        "values can be out of order (L = 2) or negative (L = 3); and its rank is r̂ while β > 0.",
        ("out of order", "the rank"),
        {"L": ALL_DEPTHS},
    ),
    Clause("c_val changes with the units: M → cM makes it c²c_val.", ("units",)),
    Clause(
        "Sorted singular values of a flow need not be differentiable for t > 0 (an instance with "
        "L = 2), nor have two-sided derivatives at t = 0.",
        ("sorted values have kinks", "crossing values"),
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `slips`, to be run or verified.

    Parameters
    ----------
    thorough : bool, optional
        Changes nothing.

    Returns
    -------
    Proof
    """
    del thorough
    return Proof(
        claim="slips",
        clauses=CLAUSES,
        source="Kwon et al. 2024, Eqs. (6), (8), (26), (30), (32), Assumption 1",
        corrections=(
            "Theorem 2 as printed is true all the same (`assumption1`): only its proof fails.",
            "Read (6) with the factor for which the operator is close to isometric; for A = Id "
            "that factor is 1.",
        ),
        proves=("eq26",),
        reading="af09ecee347e",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
