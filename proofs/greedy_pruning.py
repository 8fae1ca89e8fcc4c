r"""Group Lasso and pruning for A = Id: zero and learned columns, fine-tuning, Haar limits (ours).

f(U) = ‖UUᵀ − M‖_F² + λR_β(U), R_β = Σ s_i/√(s_i + β), s_i = ‖u_i‖², M = Σ σ_i²v_iv_iᵀ.

*Zero columns.* In f a zero column moved to tv adds −2t²vᵀ(M − UUᵀ)v + t⁴ + λt²/√(t² + β), whose
curvature at t = 0 is −4σ² + 2λ/√β if vᵀ(M − UUᵀ)v = σ²: it is unstable iff λ < 2σ²√β.

*Learned columns.* On a column u = nv_i alone on its eigenvector, f is stationary iff
4(n² − σ²) + λ(n² + 2β)/(n² + β)^{3/2} = 0; as β → 0, n² = σ² − λ/(4σ) + O(λ²).

*Fine-tuning.* At U⋆ = (σ_iv_i) the Hessian of ‖UUᵀ − M‖² is 2‖DU⋆ᵀ + U⋆Dᵀ‖². Its eigenvalues are
4σ_i² on D = xe_iᵀ with x orthogonal to all v_j, 8σ_i² on v_ie_iᵀ, and 4(σ_i² + σ_j²) and 0 on the
span of v_ie_jᵀ and v_je_iᵀ. The smallest other than the zeros of turns U → UO, along which nothing
moves, is 4σ_r² if r < d: a step contracts by 1 − 4ησ_r².

*Haar limits.* Without penalty f(UO) = f(U), and the gradient turns with U. So descent from a start
whose law is that of UO for every orthogonal O has a limit U⋆Q whose law is that of U⋆QO: Q is Haar.
"""

from __future__ import annotations

import sympy as sp

from .facts import require_identity, require_limit, require_positive
from .noncommutative import identity, letters, matrix, require_same, symmetric
from .proof import Clause, Proof, Step, argument, cited, main, symbolic

__all__ = [
    "build",
    "contraction",
    "curvatures",
    "hessian",
    "instability",
    "penalty",
    "second_derivative",
    "shrinkage",
    "sigma",
    "stationarity",
    "t",
    "turns",
    "zero_column",
]

sigma, other, lam, beta, norm = sp.symbols("σ σ_j λ β n", positive=True)
t = sp.Symbol("t", real=True)


def penalty(square: sp.Expr) -> sp.Expr:
    """Return s/√(s + β)."""
    return square / sp.sqrt(square + beta)


def zero_column(step: sp.Expr) -> sp.Expr:
    """Return f along a zero column moved to tv, less f before, with vᵀ(M − UUᵀ)v = σ²."""
    return -2 * step**2 * sigma**2 + step**4 + lam * penalty(step**2)


def instability() -> None:
    """The curvature at t = 0, and when it is negative."""
    curvature = sp.diff(zero_column(t), t, 2).subs(t, 0)
    require_identity(curvature, 2 * lam / sp.sqrt(beta) - 4 * sigma**2, "curvature of f at t = 0")
    critical = 2 * sigma**2 * sp.sqrt(beta)
    require_identity(curvature.subs(lam, critical), 0, "curvature at λ = 2σ²√β")
    require_positive(sp.diff(curvature, lam), "its slope in λ")
    direction, residual = sp.Matrix([1, 0]), sp.Matrix([[sigma**2, 0], [0, 0]])
    whole = (residual - t**2 * direction * direction.T) ** 2
    grown = (whole - residual**2).trace()
    alone = zero_column(t).subs(lam, 0)
    require_identity(grown, alone, "‖M − UUᵀ − t²vvᵀ‖² − ‖M − UUᵀ‖² in two dimensions")


def stationarity(size: sp.Expr) -> sp.Expr:
    """Return 4(n² − σ²) + λ(n² + 2β)/(n² + β)^{3/2}."""
    smooth = size**2 + beta
    return 4 * (size**2 - sigma**2) + lam * (smooth + beta) / smooth ** sp.Rational(3, 2)


def shrinkage() -> None:
    """The radial derivative, and the first order of n² in λ without smoothing."""
    along = zero_column(norm)
    require_identity(sp.diff(along, norm) / norm, stationarity(norm), "f′(n)/n")
    first = sigma**2 - lam / (4 * sigma)
    rest = stationarity(sp.sqrt(first)).subs(beta, 0) / lam
    require_limit(rest, lam, 0, 0, "what is left of the equation at n² = σ² − λ/(4σ), over λ")


def curvatures() -> dict[str, sp.Expr]:
    """Return the eigenvalues of the Hessian at U⋆, by direction."""
    return {"outside": 4 * sigma**2, "along": 8 * sigma**2, "symmetric": 4 * (sigma**2 + other**2)}


def second_derivative(direction: sp.Matrix) -> sp.Expr:
    """Return the second derivative of ‖UUᵀ − M‖² at U⋆ = [σe_1, σ_je_2] in three dimensions."""
    factor = sp.Matrix([[sigma, 0], [0, other], [0, 0]])
    moved = factor + t * direction
    residual = moved * moved.T - factor * factor.T
    return sp.diff((residual.T * residual).trace(), t, 2).subs(t, 0)


def hessian() -> None:
    """Every pair of modes and a direction outside: all quadratic forms of the three dimensions."""
    a, b, c, d, x, z = sp.symbols("a b c d x z", real=True)
    found = second_derivative(sp.Matrix([[a, b], [c, d], [x, z]]))
    sizes = curvatures()
    swapped = sizes["along"].subs(sigma, other), sizes["outside"].subs(sigma, other)
    joint = (other * b + sigma * c) ** 2 * sizes["symmetric"] / (sigma**2 + other**2)
    outside = sizes["outside"] * x**2 + swapped[1] * z**2
    form = sizes["along"] * a**2 + swapped[0] * d**2 + joint + outside
    require_identity(found, form, "the Hessian's quadratic form")


def contraction() -> None:
    """The smallest is 4σ², σ ≤ σ_j, and descent multiplies by one minus η times it."""
    gap = sp.Symbol("g", nonnegative=True)
    sizes = curvatures()
    for name in ("along", "symmetric"):
        larger = (sizes[name] - sizes["outside"]).subs(other, sigma + gap)
        require_positive(larger, f"{name} − outside, for σ_j = σ + g")


factor_word, turn = matrix("U", "d", "k"), matrix("O", "k", "k")
goal = symmetric("M", "d")
TURNS = {letters(turn, turn.T): identity("k"), letters(turn.T, turn): identity("k")}


def turns() -> None:
    """UUᵀ does not change under U → UO, and the gradient turns."""
    turned = factor_word @ turn
    require_same(turned @ turned.T, factor_word @ factor_word.T, TURNS, "(UO)(UO)ᵀ")
    gradient = (turned @ turned.T - goal) @ turned
    straight = (factor_word @ factor_word.T - goal) @ factor_word
    require_same(gradient, straight @ turn, TURNS, "the gradient at UO, a quarter of it")


STEPS: tuple[Step, ...] = (
    symbolic("zero columns", instability),
    symbolic("learned columns", shrinkage),
    symbolic("the Hessian", hessian),
    symbolic("the smallest curvature", contraction),
    argument(
        "fine-tuning",
        "The Hessian is the sum of the forms of its pairs of modes and of directions outside. "
        "Along turns U → UO the objective does not change; across them its smallest curvature is "
        "4σ_r² if r < d, so a step contracts to first order by 1 − 4ησ_r².",
        "the Hessian",
        "the smallest curvature",
    ),
    symbolic("turns", turns),
    cited("Haar", "A random frame whose law no orthogonal matrix changes has Haar's law."),
    argument(
        "Haar limits",
        "Every step from UO is the turned step, so the limit from UO is that from U, turned. A "
        "start whose law does not change under turns has such a limit; an exact fit is U⋆Q with "
        "QQᵀ = I, so the law of Q does not change under Q → QO.",
        "turns",
        "Haar",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof; `thorough` changes nothing, every step being symbolic."""
    del thorough
    return Proof(
        claim="greedy_pruning",
        clauses=(
            Clause(
                "For f = ‖UUᵀ − M‖² + λR_β a zero column is unstable in direction v iff "
                "λ < 2vᵀ(M − UUᵀ)v√β.",
                ("zero columns",),
            ),
            Clause(
                "Without smoothing, β = 0, a learned column has n² = σ² − λ/(4σ) + o(λ).",
                ("learned columns",),
            ),
            Clause(
                "Without penalty, k = r < d, a step near U⋆ contracts by 1 − 4ησ_r² across turns.",
                ("fine-tuning",),
            ),
            Clause(
                "Without penalty, a limit that fits M exactly from a start whose law does not "
                "change under turns is U⋆Q with Q of Haar's law.",
                ("Haar limits",),
            ),
        ),
        source="dlnlab; the method is Rajaraman et al. 2023",
        open=(
            "That descent with the penalty ends at exactly r columns: proved in the paper for "
            "approximate second-order minima, measured here.",
        ),
        reading="ba55ac6d8e20",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
