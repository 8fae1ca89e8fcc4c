r"""Iterative singular value thresholding: why the penalized loss falls, and what its limits may be.

W⁺ minimizes τp(X) + ½‖X − Y‖_F² with Y = W − α∇ℓ(W), τ = αλ and p the rank or the nuclear norm.
Singular vectors are those of Y (von Neumann), so each singular value y is mapped alone, to y or 0
(rank) and to max(y − τ, 0) (nuclear norm). Comparing X = W⁺ with X = W, and with ∇ℓ Lipschitz with
constant L_s, Φ = ℓ + λp falls by at least ½(1/α − L_s)‖ΔW‖².

With α < 1/L_s the sum of ‖ΔW‖² is finite. A change of rank under the hard rule moves a singular
value across the gap (0, √(2αλ)], so ‖ΔW‖² ≥ 2αλ and Φ falls by λ(1 − αL_s). So the rank changes at
most 1 + Φ(W_1)/(λ(1 − αL_s)) times.

*Fixed points.* If W = USVᵀ, UᵀG = 0 and GV = 0 for G = ∇ℓ(W), then Y = W − αG has the singular
triples of W and those of −αG: the hard rule returns W iff S > √(2αλ) ≥ α‖G‖. Conversely W⁺ = W
makes Y − W = −αG what was dropped, which is normal to W.

*Convergence.* The hard rule is proximal descent on the semialgebraic Φ, so bounded sequences
converge (Attouch, Bolte and Svaiter); the soft rule is forward–backward splitting of a convex
function.

*Convergence is not recovery.* With M = [[1, 1], [1, 1]] seen but for its last entry, M is the only
matrix of rank one that fits. [[1, 1], [1, −1]] fits too, its singular values are √2, and it is a
fixed point of the hard rule if αλ < 1.
"""

from __future__ import annotations

import sympy as sp

from .facts import require_identity, require_less, require_positive
from .noncommutative import diagonal, identity, letters, matrix, require_same, zero
from .proof import Clause, Proof, Step, argument, cited, exact, main, symbolic

__all__ = ["build", "completed", "count", "descent", "inner", "threshold"]

y, tau = sp.symbols("y τ", positive=True)
alpha, lam, lipschitz, moved = sp.symbols("α λ L_s m", positive=True)
before, after, inner, fell = sp.symbols("p p⁺ g ℓ", real=True)


def _cost(kept: sp.Expr, size: sp.Expr) -> sp.Expr:
    """Return τ·size + ½(kept − y)² for one singular value."""
    return tau * size + (kept - y) ** 2 / 2


def threshold() -> sp.Expr:
    """Return √(2τ), below which the hard rule removes a singular value.

    Returns
    -------
    sympy expression
    """
    return sp.sqrt(2 * tau)


def _proximal_maps() -> None:
    """Keeping a value costs less than dropping it iff y > √(2τ); lowering by τ is the minimum."""
    keeps, drops = _cost(y, 1), _cost(0, 0)
    require_identity(drops - keeps, (y**2 - threshold() ** 2) / 2, "cost of dropping − of keeping")
    x = sp.Symbol("x", positive=True)
    slope = sp.diff(_cost(x, x), x)
    require_identity(slope, x - (y - tau), "slope of the cost under the nuclear norm")
    require_positive(sp.diff(_cost(x, x), x, 2), "its curvature")


def descent() -> None:
    """Two inequalities, added up: W⁺ against W, and ℓ against its quadratic upper bound."""
    compared = lam * after + inner + moved / (2 * alpha) - lam * before
    bounded = fell - inner - lipschitz * moved / 2
    objective_change = fell + lam * (after - before)
    drop = (1 / alpha - lipschitz) * moved / 2
    require_identity(objective_change + drop, compared + bounded, "ΔΦ + ½(1/α − L_s)‖ΔW‖²")


def count() -> None:
    """Φ falls by λ(1 − αL_s) where ‖ΔW‖² = 2αλ."""
    drop = (1 / alpha - lipschitz) * (2 * alpha * lam) / 2
    require_identity(drop, lam * (1 - alpha * lipschitz), "½(1/α − L_s)·2αλ")


frame, other_frame = matrix("U", "out", "r"), matrix("V", "in", "r")
values, slope = diagonal("S", "r"), matrix("G", "out", "in")
NORMAL = {
    letters(frame.T, frame): identity("r"),
    letters(other_frame.T, other_frame): identity("r"),
    letters(frame.T, slope): zero("r", "in"),
    letters(slope, other_frame): zero("out", "r"),
    letters(slope.T, frame): zero("in", "r"),
}


def _triples() -> None:
    """Y = W − αG has the singular triples of W where G is normal, and −αG in what is left."""
    W = frame @ values @ other_frame.T
    Y = W - alpha * slope
    require_same(Y @ other_frame, frame @ values, NORMAL, "YV")
    require_same(Y.T @ frame, other_frame @ values, NORMAL, "YᵀU")
    left = Y - frame @ (frame.T @ Y)
    require_same(left, -alpha * slope, NORMAL, "(I − UUᵀ)Y")


def completed(b: sp.Expr) -> sp.Matrix:
    """Return the 2 × 2 matrix of ones with another last entry.

    Parameters
    ----------
    b : sympy expression
        That entry.

    Returns
    -------
    sympy matrix
    """
    return sp.Matrix([[1, 1], [1, b]])


def _counterexample() -> None:
    """It fits what is seen, both singular values are √2, and nothing else of rank one fits."""
    W, M = completed(sp.Integer(-1)), completed(sp.Integer(1))
    x = sp.Symbol("x", real=True)
    require_identity(completed(x).det(), x - 1, "the determinant of what fits")
    require_identity(W.T * W, 2 * sp.eye(2), "WᵀW")
    require_less(sp.Rational(1, 2), 2, "2αλ = ½ for α = λ = ½ against the squared singular values")
    gap = W - M
    require_identity((gap.T * gap).trace(), (M.T * M).trace(), "‖W − M‖² and ‖M‖²")


STEPS: tuple[Step, ...] = (
    symbolic("the proximal maps", _proximal_maps),
    cited(
        "von Neumann",
        "‖X − Y‖_F² ≥ Σ(x_i − y_i)² for the singular values in decreasing order, with equality for "
        "equal singular vectors (von Neumann, Mirsky).",
    ),
    symbolic("two inequalities", descent),
    argument(
        "the fall of Φ",
        "W⁺ is the minimizer, so 'compared' ≤ 0; a gradient with Lipschitz constant L_s makes "
        "'bounded' ≤ 0. Hence ΔΦ ≤ −½(1/α − L_s)‖ΔW‖².",
        "the proximal maps",
        "von Neumann",
        "two inequalities",
    ),
    symbolic("the fall at a change of rank", count),
    argument(
        "finitely many changes of rank",
        "After a first step non-zero singular values exceed √(2αλ). If the rank changes, one of "
        "them moves by at least that (Weyl), so ‖ΔW‖² ≥ 2αλ and Φ falls by λ(1 − αL_s) at least. "
        "As Φ ≥ 0, this happens at most Φ(W_1)/(λ(1 − αL_s)) times; the first step may be one "
        "more.",
        "the fall of Φ",
        "the proximal maps",
        "the fall at a change of rank",
    ),
    symbolic("singular triples", _triples),
    argument(
        "fixed points",
        "If the gradient is normal to W, Y has the triples of W and those of −αG, so the hard rule "
        "returns W iff the values of W exceed √(2αλ) and no value of αG does. Conversely W⁺ = W "
        "means that W are the triples of Y above √(2αλ), and −αG = Y − W the others, which are "
        "normal to it and at most √(2αλ).",
        "singular triples",
        "the proximal maps",
    ),
    cited(
        "Attouch, Bolte and Svaiter",
        "Forward–backward splitting of a function with the Kurdyka–Łojasiewicz property, which "
        "every semialgebraic lower semicontinuous function has, with a step α < 1/L_s, has finite "
        "length if it is bounded, and so converges to a critical point (2013, Theorem 5.1).",
    ),
    cited(
        "Combettes and Wajs",
        "Forward–backward splitting of convex functions with α < 2/L_s converges to a minimizer "
        "if there is one (2005, Theorem 3.4).",
    ),
    argument(
        "convergence",
        "Φ is semialgebraic: ℓ is a polynomial, {rank ≤ k} is given by minors, and rank is lower "
        "semicontinuous. Where ℓ is coercive the iterates stay in a bounded level set of Φ. In the "
        "limit singular values are at least √(2αλ), for after a first step they exceed it and the "
        "rank settles; and −α∇ℓ is the limit of what was dropped plus W⁺ − W, normal and at most "
        "√(2αλ). λ times the nuclear norm makes Φ coercive and convex, so that it has a minimizer.",
        "the fall of Φ",
        "finitely many changes of rank",
        "singular triples",
        "Attouch, Bolte and Svaiter",
        "Combettes and Wajs",
    ),
    exact("a fixed point that is not the target", _counterexample),
    argument(
        "convergence is not recovery",
        "With zero loss the gradient vanishes, Y = W, and the hard rule keeps the singular values "
        "√2 > √(2αλ): W is a fixed point, at the distance ‖M‖ from the only matrix of rank one "
        "that fits.",
        "fixed points",
        "a fixed point that is not the target",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `thresholding`, to be run or verified.

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
        claim="thresholding",
        proves=(
            "thresholding_descent",
            "thresholding_fixed_points",
            "thresholding_converges",
            "thresholding_recovers",
        ),
        clauses=(
            Clause(
                "A step of hard or soft thresholding lowers Φ = ℓ + λp by at least "
                "½(1/α − L_s)‖ΔW‖².",
                ("the fall of Φ",),
            ),
            Clause(
                "With the hard rule and α < 1/L_s the rank changes at most "
                "1 + Φ(W_1)/(λ(1 − αL_s)) times.",
                ("finitely many changes of rank",),
            ),
            Clause(
                "W is a fixed point of the hard rule iff its non-zero singular values exceed "
                "√(2αλ), ∇ℓ(W) is normal to W, and ‖∇ℓ(W)‖ ≤ √(2λ/α).",
                ("fixed points",),
            ),
            Clause(
                "For a quadratic ℓ and α < 1/L_s bounded sequences of the hard rule converge, to a "
                "W with non-zero singular values of at least √(2αλ) and a normal gradient of at "
                "most √(2λ/α), and are bounded if ℓ is coercive; those of the soft rule converge "
                "to a minimizer.",
                ("convergence",),
            ),
            Clause(
                "Fixed points of the hard rule need not be the target: if all entries of [[1, 1], "
                "[1, 1]] but the last are observed and α = λ = ½, [[1, 1], [1, −1]] is one, and "
                "the target is the only matrix of rank one that fits.",
                ("convergence is not recovery",),
            ),
        ),
        source="dlnlab; that thresholding converges in training is Shumaylov et al. 2025",
        open=(
            "Whether the hard rule's iterates are bounded where ℓ is not coercive, as in "
            "completion, for every start.",
        ),
        reading="47bfb2ea3c30",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
