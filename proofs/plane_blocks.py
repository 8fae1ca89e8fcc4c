r"""Dominance at every depth when QᵀM splits into blocks of size one and two.

Claim: for the flow from W(0) = ε^LQ, Q orthogonal, layers balanced, σ_i(W(t)) ≤ σ̃_i(t) for every
L ≥ 2, i and t, if QᵀM is orthogonally similar to a direct sum of blocks of size at most 2.

*One block of size two.*  Let M = diag(s_1, s_2) with s_1 ≥ |s_2| and let Q be the rotation by
2a(0).  With R(a) the rotation by a, the flow stays in

    W = R(a) diag(x, y) R(a),    x(0) = y(0) = ε^L,

an SVD with left frame R(a) and right frame R(−a): in these frames M has opposite off-diagonal
entries ±(s_1 + s_2) sin a cos a, so the two off-diagonal equations of Proposition 1's Ẇ coincide.
What is left is, with the off-diagonal weight κ = Σ_j x^{2(j−1)/L}y^{2(L−j)/L},

    ẋ = Lx^{2−2/L}(s_1cos²a − s_2sin²a − x),   ẏ = Ly^{2−2/L}(s_2cos²a − s_1sin²a − y),
    ȧ = −κ(s_1 + s_2) sin a cos a/(x + y).

Both modes are driven by less than their own target, by the same deficit (s_1 + s_2) sin²a ≥ 0, so
x ≤ σ̃(t; s_1) and y ≤ σ̃(t; |s_2|).  If det QᵀM < 0, or Q is a reflection, one negative s_2 says it:
with F = diag(1, −1) the flow of (WF, MF) is that of (W, M) times F.

*Blocks.*  By the gauge every layer may start at εI and M be replaced by P = QᵀM; then a common
orthogonal change of basis of all layers makes P block diagonal, and layers that are block diagonal
stay so.  The singular values of P are those of its blocks, each of which is dominated by its own.

This covers d = 2; every d with r = 1, since P = σuvᵀ lives on span{u, v}; and every normal QᵀM,
which has blocks of size one and two (Horn and Johnson 2013, Theorem 2.5.8).  From d = 3 on the
frames have more than one angle: there u_iᵀMv_i does exceed σ_i* at some times along many flows, and
this argument ends.
"""

from __future__ import annotations

import sympy as sp

from .closed_form import rate, target
from .proof import Proof, Step, main, require_positive, require_zero
from .proposition1 import L, singular_value_rate
from .turned_start import angle, kappa, rotation, weight_is_symmetric
from .turned_start import s1 as x
from .turned_start import s2 as y

first, second = sp.symbols("s_1 s_2", real=True)


def network() -> sp.Matrix:
    """Return W = R(a) diag(x, y) R(a)."""
    return rotation(angle) * sp.diag(x, y) * rotation(angle)


def first_rate() -> sp.Expr:
    """Return ẋ."""
    drive = first * sp.cos(angle) ** 2 - second * sp.sin(angle) ** 2
    return L * x ** (2 - 2 / L) * (drive - x)


def second_rate() -> sp.Expr:
    """Return ẏ."""
    drive = second * sp.cos(angle) ** 2 - first * sp.sin(angle) ** 2
    return L * y ** (2 - 2 / L) * (drive - y)


def angle_rate() -> sp.Expr:
    """Return ȧ."""
    return -kappa * (first + second) * sp.sin(angle) * sp.cos(angle) / (x + y)


def every_orthogonal_matrix() -> None:
    """An orthogonal [[c, p], [s, q]] with determinant λ is [[c, −s], [s, c]] diag(1, λ)."""
    c, s, p, q = sp.symbols("c s p q", real=True)
    matrix, turn = sp.Matrix([[c, p], [s, q]]), sp.Matrix([[c, -s], [s, c]])
    length, product = 1 - c**2 - s**2, c * p + s * q  # both are zero
    difference = matrix - turn * sp.diag(1, matrix.det())
    require_zero(
        difference - sp.Matrix([[0, c], [0, s]]) * product - sp.Matrix([[0, p], [0, q]]) * length,
        "Q − R diag(1, λ)",
    )
    at_start = network().subs({x: 1, y: 1})
    require_zero((at_start - rotation(2 * angle)).applyfunc(sp.simplify), "R(a)R(a) = R(2a)")


def frames() -> None:
    """W = R(a) diag(x, y) R(−a)ᵀ is a singular value decomposition."""
    svd = rotation(angle) * sp.diag(x, y) * rotation(-angle).T
    require_zero((network() - svd).applyfunc(sp.simplify), "W = R(a) S R(−a)ᵀ")
    square = rotation(angle).T * rotation(angle) - sp.eye(2)
    require_zero(square.applyfunc(sp.simplify), "RᵀR = I")


def reduction() -> None:
    """The three scalar equations solve Proposition 1's Ẇ, entry by entry in the two frames."""
    w = network()
    moving = w.diff(angle) * angle_rate() + w.diff(x) * first_rate() + w.diff(y) * second_rate()
    left, right = rotation(angle), rotation(-angle)
    gradient = left.T * (w - sp.diag(first, second)) * right
    actual = left.T * moving * right
    for i, value in enumerate((x, y)):
        claimed = singular_value_rate(value, gradient[i, i])
        require_zero(sp.simplify(actual[i, i] - claimed), f"diagonal entry {i + 1}")
        other = -kappa * gradient[i, 1 - i]
        require_zero(sp.simplify(actual[i, 1 - i] - other), f"off-diagonal entry of row {i + 1}")


def both_are_late() -> None:
    """Each rate is the compressed one less Lx^{2−2/L}(s_1 + s_2)sin²a, and s_1 + s_2 ≥ 0."""
    square, total = sp.symbols("z g", positive=True)
    for value, goal, moving in ((x, first, first_rate()), (y, second, second_rate())):
        deficit = rate(value).subs(target, goal) - moving
        claimed = L * value ** (2 - 2 / L) * (first + second) * sp.sin(angle) ** 2
        require_zero(sp.simplify(deficit - claimed), "compressed rate − wide rate")
        sized = claimed.subs(first, total - second).subs(sp.sin(angle), sp.sqrt(square))
        require_positive(sp.simplify(sized), "its sign for s_1 + s_2 > 0 and sin a ≠ 0")


def negative_target() -> None:
    """For s_2 = −m < 0, y is slower still than the mode with the target |s_2| = m."""
    size = sp.Symbol("m", positive=True)
    excess = rate(y).subs(target, size) - rate(y).subs(target, -size)
    require_positive(sp.simplify(excess), "rate towards |s_2| − rate towards s_2")


def scalar_block() -> None:
    """A 1 × 1 block w, p: |w| grows at L|w|^{2−2/L}(±p − |w|), and ±p ≤ |p|."""
    size, deficit = sp.symbols("p δ", positive=True)
    for goal in (size, -size):
        moving = singular_value_rate(x, x - goal)
        excess = sp.simplify(rate(x).subs(target, size) - moving)
        require_zero(excess - L * x ** (2 - 2 / L) * (size - goal), "compressed rate − wide rate")
    require_positive(L * x ** (2 - 2 / L) * deficit, "its sign")


SHAPES = "a 2 × 2 block, all L"

STEPS: tuple[Step, ...] = (
    Step(
        "rotations are enough",
        "Q = R(2a), or Q = R(2a)F with F = diag(1, −1): then (WF, MF) has a rotation, s_2 → −s_2",
        "symbolic",
        SHAPES,
        every_orthogonal_matrix,
    ),
    Step("the frames", "W = R(a) diag(x, y) R(a) = R(a) S R(−a)ᵀ", "symbolic", "all a", frames),
    Step(
        "the off-diagonal weight",
        "κ_12 = κ_21 = Σ_j x^{2(j−1)/L}y^{2(L−j)/L}",
        "symbolic",
        "all L",
        weight_is_symmetric,
    ),
    Step(
        "three scalars",
        "ẋ = Lx^{2−2/L}(s_1cos²a − s_2sin²a − x),   ẏ = Ly^{2−2/L}(s_2cos²a − s_1sin²a − y)\n"
        "ȧ = −κ(s_1 + s_2) sin a cos a/(x + y)",
        "symbolic",
        SHAPES,
        reduction,
    ),
    Step(
        "one flow per start",
        "The scalar equations are smooth for x, y > 0: they give *the* flow (Picard–Lindelöf).",
        "cited",
        "all L ≥ 2",
    ),
    Step(
        "it lasts for ever",
        "x, y are bounded by the comparison below, and ẋ ≥ −Cx, ẏ ≥ −Cy keep them positive.",
        "argument",
        "all L ≥ 2: the exponent 2 − 2/L is at least 1",
    ),
    Step(
        "both modes are late",
        "f_{s_1}(x) − ẋ = Lx^{2−2/L}(s_1 + s_2)sin²a ≥ 0, likewise y;   f_s(σ) = Lσ^{2−2/L}(s − σ)",
        "symbolic",
        "s_1 ≥ |s_2|",
        both_are_late,
    ),
    Step(
        "a negative target",
        "s_2 < 0:   f_{s_2}(y) ≤ f_{|s_2|}(y)",
        "symbolic",
        "det QᵀM < 0",
        negative_target,
    ),
    Step(
        "a block of size one",
        "|w|˙ = L|w|^{2−2/L}(±p − |w|) ≤ f_{|p|}(|w|)",
        "symbolic",
        "a 1 × 1 block, all L",
        scalar_block,
    ),
    Step(
        "comparison of scalar flows",
        "D⁺σ ≤ f(σ), σ̃′ = f(σ̃), σ(0) ≤ σ̃(0) imply σ ≤ σ̃ (Teschl 2012, Theorem 1.3).",
        "cited",
        "f locally Lipschitz",
    ),
    Step(
        "the gauge",
        "W_l → G_lW_lG_{l−1}ᵀ keeps the flow: all layers start at εI, and M becomes P = QᵀM;\n"
        "G_l = O for every l replaces P by OPOᵀ and keeps the start.",
        "argument",
        "every d and L, O orthogonal",
    ),
    Step(
        "blocks",
        "Block-diagonal layers and P give block-diagonal Ẇ_l = W_{>l}ᵀ(P − W)W_{<l}ᵀ: W splits,\n"
        "by uniqueness, and the singular values of W and of P are those of their blocks.",
        "argument",
        "every d and L",
    ),
    Step(
        "sorting",
        "x_k ≤ y_k for all k: i of the y_k are at least the i-th largest x_k, so sorting keeps it",
        "argument",
        "every d",
    ),
    Step(
        "normal matrices",
        "Real normal matrices are orthogonally similar to blocks of size 1 and 2 (Horn, Johnson).",
        "cited",
        "needed for normal QᵀM only",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof; `thorough` changes nothing, every step being symbolic."""
    del thorough
    return Proof(
        claim="plane_blocks",
        statement=(
            "Let W(0) = ε^LQ with balanced layers and Q orthogonal, and let QᵀM be orthogonally "
            "similar to a direct sum of blocks of size at most 2. Then σ_i(W(t)) ≤ σ̃_i(t) for "
            "every depth L ≥ 2, every i and t. So it is for d = 2; for r = 1 and any d; and "
            "whenever QᵀM is normal."
        ),
        source="dlnlab; part of the conjecture of `dominance`",
        open=(
            "Blocks of size 3 and more. There the drive u_iᵀMv_i of a mode does exceed σ_i* at "
            "some times, so no comparison of single rates can prove dominance.",
        ),
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
