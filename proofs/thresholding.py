r"""Iterative singular value thresholding: why the penalized loss falls, and what its limits may be.

W⁺ minimizes τp(X) + ½‖X − Y‖_F² with Y = W − α∇ℓ(W), τ = αλ and p the rank or the nuclear norm.
Singular vectors are those of Y (von Neumann), so each singular value y is mapped alone, to y or 0
(rank) and to max(y − τ, 0) (nuclear norm). Comparing X = W⁺ with X = W, and with ∇ℓ Lipschitz with
constant L_s, Φ = ℓ + λp falls by at least ½(1/α − L_s)‖ΔW‖².

With α < 1/L_s the sum of ‖ΔW‖² is finite. A change of rank under the hard rule moves a singular
value across the gap (0, √(2αλ)], so ‖ΔW‖² ≥ 2αλ: there are finitely many.

*Convergence is not recovery.* Any W with zero loss whose singular values all exceed √(2αλ) is a
fixed point of the hard rule. In completing diag(1, 0) from its diagonal, [[1, 1], [1, 0]] is one.
"""

from __future__ import annotations

import sympy as sp

from .facts import require_identity, require_less, require_positive
from .proof import Clause, Proof, Step, argument, cited, exact, main, symbolic

__all__ = [
    "build",
    "completed",
    "cost",
    "counterexample",
    "descent",
    "inner",
    "proximal_maps",
    "threshold",
]

y, tau = sp.symbols("y τ", positive=True)
alpha, lam, lipschitz, moved = sp.symbols("α λ L_s m", positive=True)
before, after, inner, fell = sp.symbols("p p⁺ g ℓ", real=True)


def cost(kept: sp.Expr, size: sp.Expr) -> sp.Expr:
    """Return τ·size + ½(kept − y)² for one singular value."""
    return tau * size + (kept - y) ** 2 / 2


def threshold() -> sp.Expr:
    """Return √(2τ)."""
    return sp.sqrt(2 * tau)


def proximal_maps() -> None:
    """Keeping a value costs less than dropping it iff y > √(2τ); lowering by τ is the minimum."""
    keeps, drops = cost(y, 1), cost(0, 0)
    require_identity(drops - keeps, (y**2 - threshold() ** 2) / 2, "cost of dropping − of keeping")
    x = sp.Symbol("x", positive=True)
    slope = sp.diff(cost(x, x), x)
    require_identity(slope, x - (y - tau), "slope of the cost under the nuclear norm")
    require_positive(sp.diff(cost(x, x), x, 2), "its curvature")


def descent() -> None:
    """Two inequalities, added up: W⁺ against W, and ℓ against its quadratic upper bound."""
    compared = lam * after + inner + moved / (2 * alpha) - lam * before
    bounded = fell - inner - lipschitz * moved / 2
    objective_change = fell + lam * (after - before)
    drop = (1 / alpha - lipschitz) * moved / 2
    require_identity(objective_change + drop, compared + bounded, "ΔΦ + ½(1/α − L_s)‖ΔW‖²")


def completed(b: sp.Expr) -> sp.Matrix:
    """Return a matrix with the diagonal of diag(1, 0)."""
    return sp.Matrix([[1, b], [b, 0]])


def counterexample() -> None:
    """It fits the diagonal exactly, has full rank, and both singular values pass the threshold."""
    W = completed(sp.Integer(1))
    target = sp.Matrix([[1, 0], [0, 0]])
    require_identity((W - target)[0, 0], 0, "the residual at the first diagonal entry")
    require_identity((W - target)[1, 1], 0, "the residual at the second")
    require_identity(W.det(), -1, "the determinant: rank 2")
    squares = sorted((W.T * W).eigenvals(), key=float)
    product = sp.simplify(squares[0] * squares[1])
    require_identity(product, 1, "the product of its squared singular values")
    require_less(sp.Rational(3, 8), squares[0], "2αλ = 3/8 against the smaller squared value")
    require_less(1, ((W - target).T * (W - target)).trace(), "squared distance to the target")


STEPS: tuple[Step, ...] = (
    symbolic("the proximal maps", proximal_maps),
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
    argument(
        "finitely many changes of rank",
        "Φ ≥ 0 falls, so Σ‖ΔW‖² is finite for α < 1/L_s. After a first step non-zero singular "
        "values exceed √(2αλ), and if the rank changes a value moves by at least that, so "
        "‖ΔW‖² ≥ 2αλ.",
        "the fall of Φ",
        "the proximal maps",
    ),
    exact("a fixed point that is not the target", counterexample),
    argument(
        "fixed points",
        "With zero loss the gradient vanishes, Y = W, and the hard rule keeps singular values "
        "above √(2αλ).",
        "the proximal maps",
        "a fixed point that is not the target",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof; `thorough` changes nothing."""
    del thorough
    return Proof(
        claim="thresholding",
        clauses=(
            Clause(
                "A step of hard or soft thresholding lowers Φ = ℓ + λp by at least "
                "½(1/α − L_s)‖ΔW‖².",
                ("the fall of Φ",),
            ),
            Clause(
                "With the hard rule and α < 1/L_s the rank changes finitely often.",
                ("finitely many changes of rank",),
            ),
            Clause(
                "Fixed points of the hard rule need not be the target, nor of low rank: [[1, 1], "
                "[1, 0]] is one of completing diag(1, 0) from its diagonal with 2αλ = 3/8.",
                ("fixed points",),
            ),
        ),
        source="dlnlab; that thresholding converges is Shumaylov et al. 2025",
        open=("Convergence of the whole sequence (by the Kurdyka–Łojasiewicz property).",),
        reading="c3b714cfd7c4",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
