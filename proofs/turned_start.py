r"""A turned start in two dimensions, at every depth: Theorem 2's inequality fails late.

Let d = r̂ = 2, r = 1, M = diag(σ, 0), and W(0) = ε^L Q with Q the rotation by θ, 0 < θ < π (the
other rotations but ±I are mirror images).  With R(a) the rotation by a, the wide flow stays in

    W = R(a) diag(σ_1, σ_2) R(a),    a(0) = θ/2,  σ_1(0) = σ_2(0) = ε^L,

an SVD with left frame R(a) and right frame R(−a).  Indeed the two off-diagonal equations of
Proposition 1's Ẇ in these frames coincide, and what is left is, with the off-diagonal weight
κ = Σ_j σ_1^{2(j−1)/L}σ_2^{2(L−j)/L},

    σ̇_1 = Lσ_1^{2−2/L}(σcos²a − σ_1),   σ̇_2 = −Lσ_2^{2−2/L}(σ_2 + σsin²a),
    ȧ = −κσ sin a cos a/(σ_1 + σ_2).

*The angle.*  a decreases and stays in (0, π/2), so k = cos²(θ/2) ≤ cos²a.  Hence m ≤ σ_1 ≤ B with
m = min(ε^L, kσ), B = max(ε^L, σ).  As κ ≥ σ_1^{2−2/L} and σ_2 ≤ ε^L, tan a decays at least like
e^{−μt}, μ = σm^{2−2/L}/(2B).  The error e = σ − σ_1 obeys ė = −Lσ_1^{2−2/L}(e − σsin²a) and so
decays exponentially too.

*The residual.*  y = σ_2^{−(2−2/L)} obeys ẏ = (2L−2)(1 + σsin²a/σ_2) > 2L − 2, while the compressed
network has b = ε^{−(2L−2)} + (2L−2)t.  So σ_2 < β^L for t > 0, and y ≥ b + δ with a fixed δ > 0 for
t ≥ 1.  With q = L/(L−1) this makes β^{2L} − σ_2² at least qδ(b + δ)^{−q−1}: algebraic decay.

*Together.*  ‖W − M‖² = (σ − σ_1)² + σ_2² + 2σsin²a(σ_1 + σ_2), and so

    ‖W − M‖² − ‖W̃ − M‖² ≤ (exponentially small) − qδ(b + δ)^{−q−1} < 0   for all large t,

for every L ≥ 2 and all σ, ε > 0.  As a → 0, Assumption 1 holds there with every c_vec > 0.
The same equations prove dominance on this family: σ_1 ≤ σ̃_1 and σ_2 ≤ β^L.
"""

from __future__ import annotations

import sympy as sp

from .closed_form import DEPTH as closed_depth
from .closed_form import eps as closed_eps
from .closed_form import residual_base, residual_root
from .closed_form import t as closed_t
from .facts import at_least, require_identity, require_positive
from .proof import Clause, Proof, Step, argument, cited, main, symbolic
from .proposition1 import L, singular_value_rate, summand
from .scopes import AtLeast

__all__ = [
    "angle",
    "angle_rate",
    "bottom_rate",
    "build",
    "eps",
    "frames",
    "kappa",
    "network",
    "residual_is_behind",
    "rotation",
    "s1",
    "s2",
    "sigma",
    "top_rate",
    "weight_is_symmetric",
]

sigma, s1, s2, kappa, eps = sp.symbols("σ σ_1 σ_2 κ ε", positive=True)
angle = sp.Symbol("a", real=True)
deep = {L: at_least("L", 2)}


def rotation(by: sp.Expr) -> sp.Matrix:
    """Return R(a), the rotation of the plane by an angle.

    Parameters
    ----------
    by : sympy expression
        The angle a.

    Returns
    -------
    sympy matrix
        Shape (2, 2).
    """
    return sp.Matrix([[sp.cos(by), -sp.sin(by)], [sp.sin(by), sp.cos(by)]])


def network() -> sp.Matrix:
    """Return W = R(a) diag(σ_1, σ_2) R(a).

    Returns
    -------
    sympy matrix
        Shape (2, 2).
    """
    return rotation(angle) * sp.diag(s1, s2) * rotation(angle)


def top_rate() -> sp.Expr:
    """Return σ̇_1, the rate of the singular value that is driven towards σ.

    Returns
    -------
    sympy expression
    """
    return L * s1 ** (2 - 2 / L) * (sigma * sp.cos(angle) ** 2 - s1)


def bottom_rate() -> sp.Expr:
    """Return σ̇_2, the rate of the residual singular value.

    Returns
    -------
    sympy expression
    """
    return -L * s2 ** (2 - 2 / L) * (s2 + sigma * sp.sin(angle) ** 2)


def angle_rate() -> sp.Expr:
    """Return ȧ, the rate at which the frames of the flow turn.

    Returns
    -------
    sympy expression
    """
    return -kappa * sigma * sp.sin(angle) * sp.cos(angle) / (s1 + s2)


def frames() -> None:
    """W is its own SVD in the frames R(a), R(−a), and starts at ε^L times the rotation by 2a."""
    svd = rotation(angle) * sp.diag(s1, s2) * rotation(-angle).T
    require_identity(network(), svd, "W against R(a) S R(−a)ᵀ")
    require_identity(rotation(angle).T * rotation(angle), sp.eye(2), "RᵀR")
    start = network().subs({s1: eps, s2: eps})
    require_identity(start, eps * rotation(2 * angle), "W for σ_1 = σ_2 = ε")


def weight_is_symmetric() -> None:
    """The off-diagonal weight is the same for (1, 2) and (2, 1): reverse the order of summation."""
    j = sp.Symbol("j", positive=True)
    reverse = summand(s2, s1, L + 1 - j)
    require_identity(summand(s1, s2, j), reverse, "term j of κ_12 against term L + 1 − j of κ_21")
    require_identity(summand(s1, s1, j), s1 ** (2 - 2 / L), "term j for equal values")


def _reduction() -> None:
    """The three scalar equations solve Proposition 1's Ẇ, entry by entry in the two frames."""
    w = network()
    moving = w.diff(angle) * angle_rate() + w.diff(s1) * top_rate() + w.diff(s2) * bottom_rate()
    left, right = rotation(angle), rotation(-angle)
    gradient = left.T * (w - sp.diag(sigma, 0)) * right
    actual = left.T * moving * right
    for i, value in enumerate((s1, s2)):
        claimed = singular_value_rate(value, gradient[i, i])
        require_identity(actual[i, i], claimed, f"diagonal entry {i + 1} of R(a)ᵀẆR(−a)")
        other = -kappa * gradient[i, 1 - i]
        require_identity(actual[i, 1 - i], other, f"off-diagonal entry of its row {i + 1}")


def _angle_decays() -> None:
    """(tan a)˙ = −κσ/(σ_1 + σ_2)·tan a, and κ ≥ σ_1^{2−2/L}, its last term."""
    velocity = sp.diff(sp.tan(angle), angle) * angle_rate()
    claimed = -kappa * sigma / (s1 + s2) * sp.tan(angle)
    require_identity(velocity, claimed, "(tan a)˙")
    require_identity(summand(s1, s2, L), s1 ** (2 - 2 / L), "the term j = L of κ")
    require_positive(summand(s1, s2, sp.Symbol("j", positive=True)), "every term of κ")


def _top_value_is_bounded() -> None:
    """σ_1 increases below kσ and decreases above σ, if k ≤ cos²a ≤ 1."""
    cosine, gap, excess = sp.symbols("k g x", positive=True)
    rising = L * s1 ** (2 - 2 / L) * (sigma * (cosine + excess) - s1)
    shape = top_rate().subs(sp.cos(angle) ** 2, cosine + excess)
    require_identity(shape, rising, "σ̇_1 for cos²a = k + x")
    below = rising.subs(sigma, (s1 + gap) / cosine).subs(deep)  # σ_1 = kσ − g
    require_positive(sp.expand(below / s1 ** (2 - 2 / L).subs(deep)), "σ̇_1 at σ_1 = kσ − g")
    above = -top_rate().subs(s1, sigma + gap)  # σ_1 = σ + g, cos²a = 1 − sin²a
    rewritten = above.subs(sp.cos(angle) ** 2, 1 - excess)
    require_positive(sp.expand(rewritten / (sigma + gap) ** (2 - 2 / L) / L), "−σ̇_1 at σ + g")


def _top_error() -> None:
    """For e = σ − σ_1: ė = −Lσ_1^{2−2/L}(e − σ sin²a)."""
    error = sigma - s1
    claimed = -L * s1 ** (2 - 2 / L) * (error - sigma * sp.sin(angle) ** 2)
    require_identity(-top_rate(), claimed, "ė")


def residual_is_behind() -> None:
    """For y = σ_2^{−(2−2/L)}: ẏ = (2L−2)(1 + σ sin²a/σ_2), above the compressed 2L − 2."""
    velocity = sp.diff(s2 ** (-(2 - 2 / L)), s2) * bottom_rate()
    excess = (2 * L - 2) * sigma * sp.sin(angle) ** 2 / s2
    slope = sp.diff(residual_base(closed_t), closed_t)
    require_identity(velocity - slope, excess, "ẏ − ḃ")
    positive = excess.subs({sp.sin(angle): sp.Symbol("z", positive=True)}).subs(deep)
    require_positive(positive, "ẏ − ḃ for z = |sin a|")
    start = (s2 ** (-(2 - 2 / L))).subs(s2, closed_eps**L)
    require_identity(start, residual_base(sp.Integer(0)), "y(0) against b(0)")


def _power_gap() -> None:
    """b^{−q} − (b + δ)^{−q} ≥ qδ(b + δ)^{−q−1}: equality at δ = 0, and the difference increases."""
    b, delta, q = sp.symbols("b δ q", positive=True)
    difference = b**-q - (b + delta) ** -q - q * delta * (b + delta) ** (-q - 1)
    require_identity(difference.subs(delta, 0), 0, "b^{−q} − (b+δ)^{−q} − qδ(b+δ)^{−q−1} at δ = 0")
    slope = sp.diff(difference, delta)
    claimed = q * (q + 1) * delta * (b + delta) ** (-q - 2)
    require_identity(slope, claimed, "its derivative in δ")
    require_positive(claimed, "which is positive")
    depth = at_least("L", 2)
    squared = residual_root(b).subs(closed_depth, depth) ** (2 * depth)
    require_identity(squared, b ** (-depth / (depth - 1)), "β^{2L} for β = b^{−1/(2L−2)}")


def _error_split() -> None:
    """‖W − M‖² = (σ − σ_1)² + σ_2² + 2σ sin²a (σ_1 + σ_2)."""
    error = network() - sp.diag(sigma, 0)
    claimed = (sigma - s1) ** 2 + s2**2 + 2 * sigma * sp.sin(angle) ** 2 * (s1 + s2)
    require_identity((error.T * error).trace(), claimed, "‖W − M‖²")


STEPS: tuple[Step, ...] = (
    symbolic("the frames", frames),
    symbolic("the off-diagonal weight", weight_is_symmetric),
    symbolic("three scalars", _reduction),
    cited(
        "one flow per start",
        "The scalar equations are smooth for σ_1, σ_2 > 0: they give *the* flow (Picard–Lindelöf).",
    ),
    symbolic("the top value is bounded", _top_value_is_bounded),
    symbolic("the angle decays", _angle_decays),
    symbolic("the top error decays", _top_error),
    symbolic("the residual is behind", residual_is_behind),
    symbolic("by an algebraic amount", _power_gap),
    symbolic("the error", _error_split),
    argument(
        "conclusion",
        "min(ε^L, kσ) ≤ σ_1 ≤ max(ε^L, σ) with k = cos²(θ/2), so tan a decays exponentially, and "
        "so does σ − σ_1. y ≥ b + δ for t ≥ 1 with a fixed δ > 0, so β^{2L} − σ_2² ≥ "
        "qδ(b+δ)^{−q−1}, q = L/(L−1): the margin is an exponentially small term minus an "
        "algebraic one, so it is negative for large t. And a → 0 meets any c_vec > 0. For all σ, "
        "ε > 0, 0 < θ < π; L ≥ 2.",
        "the frames",
        "the off-diagonal weight",
        "three scalars",
        "one flow per start",
        "the top value is bounded",
        "the angle decays",
        "the top error decays",
        "the residual is behind",
        "by an algebraic amount",
        "the error",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `turned_start`, to be run or verified.

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
        claim="turned_start",
        clauses=(
            Clause(
                "d = r̂ = 2, r = 1, M = diag(σ, 0), Q a rotation other than ±I: for all σ, ε > 0 "
                "the "
                "wide flow is closer to M than the compressed one at all late times, although "
                "Assumption 1 holds with every c_vec > 0.",
                ("conclusion", "three scalars", "the residual is behind"),
                {"L": AtLeast(2)},
            ),
        ),
        source="Kwon et al. 2024, Theorem 2 (Eq. 13) with r̂ > r and c_vec > 0, any depth",
        corrections=("With c_vec > 0, however small, '∀t ≥ 0' is false for r̂ > r at any depth.",),
        open=("The time from which this holds; `late_times` has the exact rate for L = 2.",),
        proves=("eq13_any_start", "eq13_small_c_vec"),
        reading="7b0a664d9c2c",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
