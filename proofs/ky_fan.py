r"""Sums of the k largest modes, L ≥ 3: Ky Fan's inequality bounds how fast they grow together.

With s_i the singular values of M and a balanced start with ‖W_l(0)‖ ≤ ε,

    Σ_{i≤k} (ε^{2−L} − σ_i(t)^{2/L−1}) ≤ (L − 2) t Σ_{i≤k} s_i.

*Proof.* p = −σ^{2/L−1} increases with σ and, by Proposition 1, obeys ṗ = (L − 2)(uᵀMv − σ). The
flow is analytic and has analytic singular values and vectors (in some order, with signs). So the
sum of the k largest p is absolutely continuous and, almost everywhere, its derivative is the sum
of ṗ over the modes that are in it, at most (L − 2) Σ u_iᵀMv_i ≤ (L − 2) Σ_{i≤k} s_i by Ky Fan's
inequality for orthonormal u_i and v_i. At the start p_i ≤ −ε^{2−L}.

For k = 1 this is weaker than dominance by what the damping −σ is worth, and for k ≥ 2 a sum cannot
be taken apart again: the inequality says nothing of the second mode alone.
"""

from __future__ import annotations

import sympy as sp

from .facts import require_identity, require_positive
from .proof import Clause, Proof, Step, argument, cited, main, symbolic
from .proposition1 import L as depth
from .proposition1 import singular_value_rate
from .scopes import AtLeast

__all__ = ["build", "eps"]

value, drive, eps = sp.symbols("σ f ε", positive=True)


def _coordinate(size: sp.Expr) -> sp.Expr:
    """Return p = −σ^{2/L−1}."""
    return -(size ** (2 / depth - 1))


def _coordinate_rate() -> None:
    """ṗ = (L − 2)(f − σ) with f = uᵀMv."""
    moving = sp.diff(_coordinate(value), value) * singular_value_rate(value, value - drive)
    require_identity(moving, (depth - 2) * (drive - value), "ṗ for uᵀMv = f")
    require_identity(_coordinate(eps**depth), -(eps ** (2 - depth)), "p at σ = ε^L")


def _order_is_kept(L: sp.Expr) -> None:
    """p increases with σ, and the damping only lowers ṗ."""
    require_positive(sp.simplify(sp.diff(_coordinate(value), value).subs(depth, L)), "dp/dσ")
    require_positive(sp.simplify((L - 2) * value), "(L − 2)f − ṗ")


DEEP = AtLeast(3)

STEPS: tuple[Step, ...] = (
    symbolic("the coordinate", _coordinate_rate),
    symbolic("signs", _order_is_kept, L=DEEP),
    cited(
        "analytic singular values",
        "An analytic path of matrices has analytic singular values and vectors, unordered and "
        "with signs (Kato; Bunse-Gerstner et al. 1991).",
    ),
    cited("Ky Fan", "Σ_{i≤k} u_iᵀMv_i ≤ Σ_{i≤k} s_i for orthonormal u_i and v_i."),
    argument(
        "the sum",
        "The sum of the k largest p is absolutely continuous; its derivative is a.e. at most "
        "(L − 2)Σs_i; it starts at most at −kε^{2−L}: integrate.",
        "the coordinate",
        "signs",
        "analytic singular values",
        "Ky Fan",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `ky_fan`, to be run or verified.

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
        claim="ky_fan",
        clauses=(
            Clause(
                "Along gradient flow from a balanced start with layers of norm at most ε, "
                "Σ_{i≤k}(ε^{2−L} − σ_i^{2/L−1}) ≤ (L − 2)t Σ_{i≤k}s_i for every k and t.",
                ("the sum", "the coordinate", "signs"),
                {"L": DEEP},
            ),
        ),
        source="dlnlab",
        open=("Single modes k ≥ 2: see `dominance`.",),
        reading="8617f423b507",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
