r"""Sums of modes, L ≥ 3: while every mode is below a share of its target, the compressed sums lead.

Let s_1 ≥ … ≥ s_k be the largest singular values of M, the start balanced with ‖W_l(0)‖ ≤ ε, σ̃_i the
compressed flow from ε^L towards s_i, and for q ≥ 0

    φ(σ) = (σ^q − 1)/q  (ln σ for q = 0),   c = (L − 2)(L − 2 + qL) / ((2L − 2)(2L − 2 + qL)).

**As long as σ̃_j ≤ c s_j for every j ≤ k,  Σ_{i≤j} φ(σ_i) ≤ Σ_{i≤j} φ(σ̃_i) for every j ≤ k.**

So products of the j largest values (q = 0) are compared up to shares of 1/16 (L = 3) to 1/4
(L → ∞), and their sums (q = 1) up to 1/7 to 1/3. For large q, where the largest value decides, the
share tends to (L − 2)/(2L − 2). Unlike in `ky_fan`, the damping −σ is not left out.

*Proof.* By `proposition1` z = φ(σ) obeys ż = w(σ)(uᵀMv − σ) with w = Lσ^{q+1−2/L}, which increases
with σ. Let S_j be the sum of the j largest z. As in `ky_fan`, D⁺S_j is the sum of ż over the modes
that are in it; their weights decrease with i, and every partial sum of the u_iᵀMv_i is at most that
of the s_i, so summation by parts gives

    D⁺S_j ≤ Σ_{i≤j} f_i(z_i),   f_i = w(σ)(s_i − σ) as a function of z.

d²f_i/dz² is a positive multiple of c s_i − σ: f_i is convex below the share, and concave above. Let
F_i be f_i up to the share and its tangent from there on. Then F_i is convex, F_i ≥ f_i, and
F_i′ ≥ F_{i+1}′ everywhere, since df_i/dz increases with s_i. So with z_i = S_i − S_{i−1}

    D⁺S_j ≤ G_j(S) = Σ_{i≤j} F_i(z_i),   Ỹ_j′ = G_j(Ỹ)

for the sums Ỹ_j of φ(σ̃_i), which stay below the share. Both z and z̃ are in decreasing order, and
so is every point between them. There ∂G_j/∂S_i = F_i′(z_i) − F_{i+1}′(z_{i+1}) ≥ 0 for i < j: G is
quasimonotone. If m = max_j (S_j − Ỹ_j) is positive and attained at j, the mean value theorem gives

    D⁺m ≤ Σ_{i<j} ∂G_j/∂S_i · m + F_j′(z_j) m = F_1′(z_1) m ≤ K m

by telescoping, K being the slope of F_1 at its share. As m ≤ 0 at the start, `comparison` gives
m ≤ 0. ∎

Beyond the share f_i is concave, and moving two values closer to each other, which keeps their sum,
raises the sum of their rates: then rates alone do not decide.
"""

from __future__ import annotations

import sympy as sp

from .facts import require_identity, require_limit, require_positive
from .proof import Clause, Proof, Step, argument, cited, main, symbolic
from .proposition1 import L as depth
from .proposition1 import singular_value_rate
from .scopes import AtLeast

__all__ = ["build", "coordinate", "share", "speed"]

value, drive = sp.symbols("σ f", positive=True)
power = sp.Symbol("q", nonnegative=True)
DEEP, POWERS = AtLeast(3), AtLeast(0)


def coordinate(size: sp.Expr) -> sp.Expr:
    """Return φ(σ) = (σ^q − 1)/q for q > 0.

    Parameters
    ----------
    size : expression
        σ.

    Returns
    -------
    expression
    """
    return (size**power - 1) / power


def _weight(size: sp.Expr) -> sp.Expr:
    """Return w(σ) = Lσ^{q+1−2/L}."""
    return depth * size ** (power + 1 - 2 / depth)


def speed(size: sp.Expr, goal: sp.Expr) -> sp.Expr:
    """Return f = w(σ)(s − σ), the rate of φ(σ) towards a target s.

    Parameters
    ----------
    size, goal : expression
        σ and s.

    Returns
    -------
    expression
    """
    return _weight(size) * (goal - size)


def share() -> sp.Expr:
    """Return c = (L − 2)(L − 2 + qL)/((2L − 2)(2L − 2 + qL)).

    Returns
    -------
    expression
    """
    early, late = depth - 2, 2 * depth - 2
    return early * (early + power * depth) / (late * (late + power * depth))


def _along(function: sp.Expr) -> sp.Expr:
    """Return df/dz for z = φ(σ), σ^{1−q} df/dσ."""
    return value ** (1 - power) * sp.diff(function, value)


def _coordinate_rate() -> None:
    """ż = w(σ)(f − σ) with f = uᵀMv, for every q > 0 and for the logarithm."""
    require_identity(_along(coordinate(value)), sp.Integer(1), "dφ/dz")
    require_limit(coordinate(value), power, 0, sp.log(value), "φ as q → 0")
    moving = value ** (power - 1) * singular_value_rate(value, value - drive)
    require_identity(moving, speed(value, drive), "ż for uᵀMv = f")


def _weights_increase(L: sp.Expr, q: sp.Expr) -> None:
    """w increases with σ."""
    rising = sp.diff(_weight(value), value).subs({depth: L, power: q})
    require_positive(sp.simplify(rising), "dw/dσ")


def _convex_below_the_share() -> None:
    """d²f/dz² = (2 − 2/L)(2L − 2 + qL)σ^{1−2/L−q}(cs − σ)."""
    factor = (2 - 2 / depth) * (2 * depth - 2 + power * depth)
    bent = factor * value ** (1 - 2 / depth - power) * (share() * drive - value)
    require_identity(_along(_along(speed(value, drive))), bent, "d²f/dz² for a target f")


def _signs(L: sp.Expr, q: sp.Expr) -> None:
    """The factor of cs − σ is positive, and so is c; df/dz increases with s."""
    known = {depth: L, power: q}
    require_positive(
        sp.simplify(((2 - 2 / depth) * (2 * depth - 2 + power * depth)).subs(known)),
        "the factor of cs − σ",
    )
    require_positive(sp.simplify(share().subs(known)), "c")
    steeper = sp.diff(_along(speed(value, drive)), drive).subs(known)
    require_positive(sp.simplify(steeper), "∂(df/dz)/∂s")


def _special_shares(L: sp.Expr) -> None:
    """c for products, sums, and in the limit of large powers, where it is largest."""
    early, late = depth - 2, 2 * depth - 2
    require_positive((early / late).subs(depth, L), "c as q → ∞")
    require_identity(share().subs(power, 0), (early / late) ** 2, "c for q = 0")
    require_identity(share().subs(power, 1), early / (3 * depth - 2), "c for q = 1")
    require_limit(share().subs(depth, L), power, sp.oo, (early / late).subs(depth, L), "c, q → ∞")


STEPS: tuple[Step, ...] = (
    symbolic("the coordinate", _coordinate_rate),
    symbolic("weights", _weights_increase, L=DEEP, q=POWERS),
    symbolic("curvature", _convex_below_the_share),
    symbolic("signs", _signs, L=DEEP, q=POWERS),
    cited(
        "analytic singular values",
        "An analytic path of matrices has analytic singular values and vectors, unordered and "
        "with signs (Kato; Bunse-Gerstner et al. 1991).",
    ),
    cited("Ky Fan", "Σ_{i≤j} u_iᵀMv_i ≤ Σ_{i≤j} s_i for orthonormal u_i and v_i."),
    argument(
        "sums",
        "D⁺S_j is the sum of w(σ_i)(u_iᵀMv_i − σ_i) over j modes; as w(σ_i) decreases with i, "
        "summation by parts and Ky Fan give D⁺S_j ≤ Σ_{i≤j} f_i(z_i).",
        "the coordinate",
        "weights",
        "analytic singular values",
        "Ky Fan",
    ),
    argument(
        "tangents",
        "F_i, which is f_i up to σ = cs_i and its tangent from there on, is convex and at least "
        "f_i, and F_i′ ≥ F_{i+1}′: below cs_{i+1} since df/dz increases with s, from there on "
        "since F_{i+1}′ is constant and F_i′ increases.",
        "curvature",
        "signs",
    ),
    argument(
        "conclusion",
        "G_j(S) = Σ_{i≤j} F_i(S_i − S_{i−1}) is quasimonotone where the differences decrease. If "
        "m = max_j (S_j − Ỹ_j) > 0 is attained at j, D⁺m ≤ G_j(S) − G_j(Ỹ) ≤ F_1′m ≤ Km; m ≤ 0 at "
        "the start: m ≤ 0 (`comparison`).",
        "sums",
        "tangents",
    ),
    symbolic("products, sums, powers", _special_shares, L=DEEP),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `early_sums`, to be run or verified.

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
        claim="early_sums",
        clauses=(
            Clause(
                "Along gradient flow from a balanced start with layers of norm at most ε, and for "
                "every q ≥ 0, Σ_{i≤j} φ(σ_i(t)) ≤ Σ_{i≤j} φ(σ̃_i(t)) for every j ≤ k with "
                "φ = (σ^q − 1)/q, or ln σ, as long as σ̃_j(t) ≤ cs_j for every j ≤ k, "
                "c = (L − 2)(L − 2 + qL)/((2L − 2)(2L − 2 + qL)).",
                ("conclusion", "curvature", "signs"),
                {"L": DEEP, "q": POWERS},
            ),
            Clause(
                "For products, q = 0, c = ((L − 2)/(2L − 2))²; for sums, q = 1, "
                "c = (L − 2)/(3L − 2); for large q it tends to (L − 2)/(2L − 2).",
                ("products, sums, powers",),
                {"L": DEEP},
            ),
        ),
        source="dlnlab",
        open=("Later times, and single modes k ≥ 2: see `dominance`.",),
        reading="95ef31964cc3",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
