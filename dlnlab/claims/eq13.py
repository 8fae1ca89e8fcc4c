"""Eq. (13) beyond Theorem 2: possible readings, and what is known of each.

Theorem 2 is about starts with c_vec = 0, which are aligned ones (`assumption1`).  To use it is to
apply

    ‖W_{L:1}(t) − M*‖_F² ≥ ‖W̃_{L:1}(t) − M*‖_F²

to random starts, to positive c_vec, to starts that are not small, or to gradient descent.  Each of
these is a statement of its own here, with the smallest instance known against it where it is false.
"""

from __future__ import annotations

from fractions import Fraction as F

from dlnlab.claims import theorem2
from dlnlab.claims.claim import CONJECTURE, Claim, Standing, Witness, refuted
from dlnlab.claims.verdict import Premise

__all__ = [
    "ANY_START",
    "COMPRESSING",
    "DESCENT",
    "DOMINANCE",
    "FLOW",
    "HALF_STEP",
    "INEQUALITY",
    "LARGE_START",
    "SMALL_C_VEC",
    "STABLE",
    "compresses",
    "no_spare",
    "step_below",
]

INEQUALITY = "‖W_{L:1}(t) − M*‖_F² ≥ ‖W̃_{L:1}(t) − M*‖_F² for all t ≥ 0"
FLOW = "under gradient flow"

ANY_START = Claim(
    "eq13_any_start",
    "Eq. (13) for every orthogonal start",
    f"From every orthogonal start and for every r̂ ≥ r, {FLOW}, {INEQUALITY}.",
    "Kwon et al. 2024, Theorem 2 (Eq. 13) without its assumption",
    refuted(
        Witness(
            (F(1), F(0)), 2, 2, F(1, 5), F(-3, 5), F(4, 5), F(6), (F("-6.297e-4"), F("-6.296e-4"))
        ),
        "counterexamples",
        "turned_start",
    ),
)

SMALL_C_VEC = Claim(
    "eq13_small_c_vec",
    "Eq. (13) for small c_vec > 0",
    "There is a c_vec > 0 such that from every orthogonal start that meets Assumption 1 with it, "
    f"for every r̂ ≥ r, {FLOW}, {INEQUALITY}.",
    "Kwon et al. 2024, Theorem 2 (Eq. 13) with c_vec > 0",
    refuted(
        Witness(
            (F(1), F(0)),
            2,
            2,
            F(1, 100),
            F(-99, 101),
            F(20, 101),
            F(16),
            (F("-9.933e-9"), F("-9.932e-9")),
        ),
        "turned_start",
        "late_times",
    ),
)

COMPRESSING = Claim(
    "eq13_compressing",
    "Eq. (13) for r̂ ≤ max(r, d − r)",
    "From every balanced orthogonal start with ε^L ≤ σ_r*, for every r ≤ r̂ ≤ max(r, d − r), "
    f"{FLOW}, {INEQUALITY}.",
    "dlnlab; the case of the sharp form of Theorem 2 that needs no correction",
    (
        *theorem2.SETTLED,
        Standing("conditional", "all other instances", condition="dominance", proofs=("theorem2",)),
    ),
)

LARGE_START = Claim(
    "eq13_large_start",
    "Eq. (13) for r̂ = r and every ε",
    f"From every orthogonal start, however large, for r̂ = r, {FLOW}, {INEQUALITY}.",
    "Kwon et al. 2024, Theorem 2 (Eq. 13), which sets no limit to ε",
    refuted(
        Witness((F(1), F(1, 20)), 2, 2, F(1), F(0), F(1), F(4), (F("-2.76e-3"), F("-2.75e-3"))),
        "counterexamples",
    ),
)

STABLE = "gradient descent with a step η < 2/(L σ_1*^{2−2/L}) for which both networks converge"

DESCENT = Claim(
    "eq13_descent",
    "Eq. (13) for r̂ = r under descent",
    f"From every orthogonal start with ε^L ≤ σ_r*, for r̂ = r, under {STABLE}, {INEQUALITY}.",
    "Kwon et al. 2024, Theorem 2 (Eq. 13) for the descent of Algorithm 1",
    refuted(
        Witness(
            (F(1), F(0)),
            2,
            1,
            F(1, 10),
            F(7, 25),
            F(24, 25),
            F(5),
            (F("-4.8e-3"), F("-4.7e-3")),
            eta=F(4, 5),
        ),
        "large_steps",
    ),
)

HALF_STEP = Claim(
    "eq13_half_step",
    "Eq. (13) for r̂ = r under descent with half the stable step",
    "From every balanced orthogonal start with ε^L ≤ σ_r*, for r̂ = r, under gradient descent with "
    f"a step η ≤ 1/(L σ_1*^{{2−2/L}}), {INEQUALITY}.",
    "dlnlab",
    (CONJECTURE,),
)


def compresses(r_hat: int, rank: int, size: int) -> Premise:
    """Measure the premise r̂ ≤ max(r, d − r); the margin is the difference over r.

    Parameters
    ----------
    r_hat : int
        r̂.
    rank : int
        r.
    size : int
        d.

    Returns
    -------
    Premise
    """
    return Premise(
        "r_hat <= max(r, d - r)",
        "the sharp form of Theorem 2 needs no correction",
        -theorem2.allowance(r_hat, rank, size) / rank,
    )


def no_spare(r_hat: int, rank: int) -> Premise:
    """Measure the premise r̂ = r; the margin is −|r̂ − r|/r.

    Parameters
    ----------
    r_hat : int
        r̂.
    rank : int
        r.

    Returns
    -------
    Premise
    """
    return Premise("r_hat = r", "no direction is to spare", -abs(r_hat - rank) / rank)


def step_below(share: float, limit: float) -> Premise:
    """Measure the premise that η, `share` of the stable step, is at most `limit` of it.

    Parameters
    ----------
    share : float
    limit : float

    Returns
    -------
    Premise
    """
    return Premise("step", f"η ≤ {limit:g} · 2/(L σ_1*^{{2−2/L}})", limit - share)


DOMINANCE = Claim(
    "dominance_descent",
    "Dominance under descent",
    f"From every orthogonal start, under {STABLE}, σ_i(W_{{L:1}}(t)) ≤ σ̃_i(t) for every i and t.",
    "dlnlab",
    refuted(
        Witness(
            (F(1), F(0)),
            2,
            2,
            F(1, 10),
            F(7, 25),
            F(24, 25),
            F(6),
            (F("-5.04e-2"), F("-5.03e-2")),
            eta=F(4, 5),
        )
    ),
)
