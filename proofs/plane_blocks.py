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

This covers 2 × 2 targets; every square one with r = 1, since P = σuvᵀ lives on span{u, v} (for
rectangular targets of rank one see `small_targets`); and every normal QᵀM, which has blocks of size
one and two (Horn and Johnson 2013, Theorem 2.5.8).  From d = 3 on the
frames have more than one angle: there u_iᵀMv_i does exceed σ_i* at some times along many flows, and
this argument ends.
"""

from __future__ import annotations

import sympy as sp

from .closed_form import rate, target
from .facts import require_identity, require_nonnegative, require_positive
from .proof import Clause, Proof, Step, argument, cited, main, symbolic
from .proposition1 import L, singular_value_rate
from .scopes import AtLeast
from .turned_start import angle, kappa, rotation, weight_is_symmetric
from .turned_start import s1 as x
from .turned_start import s2 as y

__all__ = ["angle_rate", "build", "first_rate", "frames", "network", "second_rate"]

first, second = sp.symbols("s_1 s_2", real=True)


def network() -> sp.Matrix:
    """Return W = R(a) diag(x, y) R(a).

    Returns
    -------
    sympy matrix
        Shape (2, 2).
    """
    return rotation(angle) * sp.diag(x, y) * rotation(angle)


def first_rate() -> sp.Expr:
    """Return ẋ, the rate of the singular value that is driven towards s_1.

    Returns
    -------
    sympy expression
    """
    drive = first * sp.cos(angle) ** 2 - second * sp.sin(angle) ** 2
    return L * x ** (2 - 2 / L) * (drive - x)


def second_rate() -> sp.Expr:
    """Return ẏ, the rate of the singular value that is driven towards s_2.

    Returns
    -------
    sympy expression
    """
    drive = second * sp.cos(angle) ** 2 - first * sp.sin(angle) ** 2
    return L * y ** (2 - 2 / L) * (drive - y)


def angle_rate() -> sp.Expr:
    """Return ȧ, the rate at which the frames of the flow turn.

    Returns
    -------
    sympy expression
    """
    return -kappa * (first + second) * sp.sin(angle) * sp.cos(angle) / (x + y)


def _every_orthogonal_matrix() -> None:
    """An orthogonal [[c, p], [s, q]] with determinant λ is [[c, −s], [s, c]] diag(1, λ)."""
    c, s, p, q = sp.symbols("c s p q", real=True)
    matrix, turn = sp.Matrix([[c, p], [s, q]]), sp.Matrix([[c, -s], [s, c]])
    length, product = 1 - c**2 - s**2, c * p + s * q  # both are zero
    difference = matrix - turn * sp.diag(1, matrix.det())
    require_identity(
        difference,
        sp.Matrix([[0, c], [0, s]]) * product + sp.Matrix([[0, p], [0, q]]) * length,
        "Q − R diag(1, det Q), a combination of 1 − c² − s² = 0 and cp + sq = 0",
    )
    at_start = network().subs({x: 1, y: 1})
    require_identity(at_start, rotation(2 * angle), "R(a)R(a)")


def frames() -> None:
    """W = R(a) diag(x, y) R(−a)ᵀ is a singular value decomposition."""
    svd = rotation(angle) * sp.diag(x, y) * rotation(-angle).T
    require_identity(network(), svd, "W against R(a) S R(−a)ᵀ")
    require_identity(rotation(angle).T * rotation(angle), sp.eye(2), "RᵀR")


def _reduction() -> None:
    """The three scalar equations solve Proposition 1's Ẇ, entry by entry in the two frames."""
    w = network()
    moving = w.diff(angle) * angle_rate() + w.diff(x) * first_rate() + w.diff(y) * second_rate()
    left, right = rotation(angle), rotation(-angle)
    gradient = left.T * (w - sp.diag(first, second)) * right
    actual = left.T * moving * right
    for i, value in enumerate((x, y)):
        claimed = singular_value_rate(value, gradient[i, i])
        require_identity(actual[i, i], claimed, f"diagonal entry {i + 1} of R(a)ᵀẆR(−a)")
        other = -kappa * gradient[i, 1 - i]
        require_identity(actual[i, 1 - i], other, f"off-diagonal entry of its row {i + 1}")


def _both_are_late() -> None:
    """Each rate is the compressed one less Lx^{2−2/L}(s_1 + s_2)sin²a, and s_1 + s_2 ≥ 0."""
    square, total = sp.symbols("z g", positive=True)
    for value, goal, moving in ((x, first, first_rate()), (y, second, second_rate())):
        deficit = rate(value).subs(target, goal) - moving
        claimed = L * value ** (2 - 2 / L) * (first + second) * sp.sin(angle) ** 2
        require_identity(deficit, claimed, f"compressed rate less wide rate of {value}")
        sized = claimed.subs(first, total - second).subs(sp.sin(angle), sp.sqrt(square))
        require_positive(sp.simplify(sized), "its sign for s_1 + s_2 = g, sin²a = z")


def _negative_target() -> None:
    """For s_2 = −m < 0, y is slower still than the mode with the target |s_2| = m."""
    size = sp.Symbol("m", positive=True)
    excess = rate(y).subs(target, size) - rate(y).subs(target, -size)
    require_positive(sp.simplify(excess), "rate towards |s_2| − rate towards s_2")


def _scalar_block() -> None:
    """A 1 × 1 block w, p: |w| grows at L|w|^{2−2/L}(±p − |w|), and ±p ≤ |p|."""
    size = sp.Symbol("p", positive=True)
    for goal in (size, -size):
        moving = singular_value_rate(x, x - goal)
        excess = L * x ** (2 - 2 / L) * (size - goal)
        require_identity(rate(x).subs(target, size) - moving, excess, "compressed less wide rate")
        require_nonnegative(excess, "its sign")


STEPS: tuple[Step, ...] = (
    symbolic("rotations are enough", _every_orthogonal_matrix),
    symbolic("the frames", frames),
    symbolic("the off-diagonal weight", weight_is_symmetric),
    symbolic("three scalars", _reduction),
    cited(
        "one flow per start",
        "The scalar equations are smooth for x, y > 0: they give *the* flow (Picard–Lindelöf).",
    ),
    symbolic("both modes are late", _both_are_late),
    symbolic("a negative target", _negative_target),
    symbolic("a block of size one", _scalar_block),
    argument(
        "one block",
        "Q = R(2a), or Q = R(2a)F with F = diag(1, −1): then (WF, MF) has a rotation, s_2 → −s_2. "
        "x and y grow no faster than σ̃(·; s_1) and σ̃(·; |s_2|): `comparison` orders them, "
        "bounds them, and as ẋ ≥ −Cx, ẏ ≥ −Cy (2 − 2/L ≥ 1) they stay positive, so the form is "
        "kept for all t.",
        "rotations are enough",
        "the frames",
        "the off-diagonal weight",
        "three scalars",
        "one flow per start",
        "both modes are late",
        "a negative target",
        "a block of size one",
    ),
    argument(
        "blocks",
        "By `gauge` (ends turned too) all layers start at εI and M becomes P = QᵀM, or OPOᵀ. "
        "Block-diagonal layers and P give block-diagonal Ẇ_l: W splits, by uniqueness, and the "
        "singular values of W and of P are those of their blocks. x_k ≤ y_k for all k survives "
        "sorting: i of the y_k are at least the i-th largest x_k.",
        "one block",
        "one flow per start",
    ),
    cited(
        "normal matrices",
        "Real normal matrices are orthogonally similar to blocks of size 1 and 2 (Horn, Johnson).",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `plane_blocks`, to be run or verified.

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
        claim="plane_blocks",
        clauses=(
            Clause(
                "Let W(0) = ε^LQ with balanced square layers and Q orthogonal, and let QᵀM be "
                "orthogonally similar to a direct sum of blocks of size at most 2. Then σ_i(W(t)) "
                "≤ σ̃_i(t) for every i and t. This includes 2 × 2 targets, and square ones with r "
                "= 1.",
                ("blocks", "three scalars", "both modes are late"),
                {"L": AtLeast(2)},
            ),
            Clause(
                "This holds whenever QᵀM is normal.",
                ("blocks", "normal matrices"),
                {"L": AtLeast(2)},
            ),
        ),
        source="dlnlab; part of the conjecture of `dominance`",
        open=(
            "Blocks of size 3 and more. There the drive u_iᵀMv_i of a mode does exceed σ_i* at "
            "some times, so no comparison of single rates can prove dominance.",
        ),
        proves=("dominance",),
        reading="6e0015883d9e",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
