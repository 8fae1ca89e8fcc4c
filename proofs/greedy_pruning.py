r"""Pruning for A = Id: the rate of fine-tuning, and Haar limits without a penalty (ours).

*Fine-tuning.* At U⋆ = (σ_iv_i) the Hessian of ‖UUᵀ − M‖² is 2‖DU⋆ᵀ + U⋆Dᵀ‖². Its eigenvalues are
4σ_i² on D = xe_iᵀ with x orthogonal to all v_j, 8σ_i² on v_ie_iᵀ, and 4(σ_i² + σ_j²) and 0 on the
span of v_ie_jᵀ and v_je_iᵀ. The smallest other than the zeros of turns U → UO, along which nothing
moves, is 4σ_r² if r < d: a step contracts by 1 − 4ησ_r². Columns in the range of M stay there, for
the gradient 4(UUᵀ − M)U lies in it, and the directions of 4σ_i² leave it: there the smallest is
8σ_r², and a step contracts by 1 − 8ησ_r². Columns are in the range after converged training with
the penalty, whose stationary columns are eigenvectors of M (`group_lasso`).

*Haar limits.* Without penalty f(UO) = f(U), and the gradient turns with U. So descent from a start
whose law is that of UO for every orthogonal O has a limit U⋆Q whose law is that of U⋆QO: Q is Haar.
"""

from __future__ import annotations

import sympy as sp

from .facts import require_identity, require_nonnegative, require_positive
from .noncommutative import identity, letters, matrix, require_same, symmetric, zero
from .proof import Clause, Proof, Step, argument, cited, main, symbolic

__all__ = ["build", "curvatures", "hessian", "sigma", "t", "turns"]

sigma, other, eta = sp.symbols("σ σ_j η", positive=True)
t = sp.Symbol("t", real=True)


def curvatures() -> dict[str, sp.Expr]:
    """Return the eigenvalues of the Hessian at U⋆, by direction.

    Returns
    -------
    dict
        From "outside" the range of M, "along" U⋆ and "symmetric" within it to an expression.
    """
    return {"outside": 4 * sigma**2, "along": 8 * sigma**2, "symmetric": 4 * (sigma**2 + other**2)}


def _second_derivative(direction: sp.Matrix) -> sp.Expr:
    """Return the second derivative of ‖UUᵀ − M‖² at U⋆ = [σe_1, σ_je_2] in three dimensions."""
    factor = sp.Matrix([[sigma, 0], [0, other], [0, 0]])
    moved = factor + t * direction
    residual = moved * moved.T - factor * factor.T
    return sp.diff((residual.T * residual).trace(), t, 2).subs(t, 0)


def hessian() -> None:
    """Every pair of modes and a direction outside: all quadratic forms of the three dimensions."""
    a, b, c, d, x, z = sp.symbols("a b c d x z", real=True)
    found = _second_derivative(sp.Matrix([[a, b], [c, d], [x, z]]))
    sizes = curvatures()
    swapped = sizes["along"].subs(sigma, other), sizes["outside"].subs(sigma, other)
    joint = (other * b + sigma * c) ** 2 * sizes["symmetric"] / (sigma**2 + other**2)
    outside = sizes["outside"] * x**2 + swapped[1] * z**2
    form = sizes["along"] * a**2 + swapped[0] * d**2 + joint + outside
    require_identity(found, form, "the Hessian's quadratic form")


gap = sp.Symbol("g", nonnegative=True)


def _contraction() -> None:
    """The smallest is 4σ², or 8σ² without those outside, for σ ≤ σ_j = σ + g; 8σ_j² is largest."""
    sizes = curvatures()
    for name in ("along", "symmetric"):
        larger = (sizes[name] - sizes["outside"]).subs(other, sigma + gap)
        require_positive(larger, f"{name} − outside, for σ_j = σ + g")
    inside = (sizes["symmetric"] - sizes["along"]).subs(other, sigma + gap)
    require_nonnegative(inside, "symmetric − along, for σ_j = σ + g")
    steepest = sizes["along"].subs(sigma, sigma + gap)
    for name, size in sizes.items():
        require_nonnegative(steepest - size.subs(other, sigma + gap), f"8σ_j² − {name}")


def _step_sizes() -> None:
    """Where 1 − ημ of the smallest μ is as large as −(1 − ημ) of the largest, 8σ_j²."""
    sizes = curvatures()
    steepest = sizes["along"].subs(sigma, other)
    for name, limit in (
        ("outside", 1 / (4 * other**2 + 2 * sigma**2)),
        ("along", 1 / (4 * other**2 + 4 * sigma**2)),
    ):
        both = (1 - eta * sizes[name]) + (1 - eta * steepest)
        require_identity(both.subs(eta, limit), 0, f"the two ends, {name}, at the largest η")
        require_positive(-sp.diff(both, eta), f"how they fall with η, {name}")


def _range_is_kept() -> None:
    """PUUᵀU and PMU vanish with PU for P the projection out of the range: the gradient stays."""
    P = symmetric("P", "d")
    rules = {letters(P, factor_word): zero("d", "k"), letters(P, goal): zero("d", "d")}
    gradient = (factor_word @ factor_word.T - goal) @ factor_word
    require_same(P @ gradient, zero("d", "k"), rules, "P times a quarter of the gradient")


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
    symbolic("the Hessian", hessian),
    symbolic("the smallest curvature", _contraction),
    symbolic("step sizes", _step_sizes),
    symbolic("the range", _range_is_kept),
    argument(
        "fine-tuning",
        "The Hessian is the sum of the forms of its pairs of modes and of directions outside. "
        "Along turns U → UO the objective does not change; across them its curvatures lie between "
        "4σ_r², if r < d, and 8σ_1², so a step contracts to first order by 1 − 4ησ_r² for "
        "η ≤ 1/(4σ_1² + 2σ_r²).",
        "the Hessian",
        "the smallest curvature",
        "step sizes",
    ),
    argument(
        "within the range",
        "Columns in the range of M stay in it. The curvatures 4σ_i² belong to directions out of "
        "it; of the others across turns the smallest is 8σ_r², so a step contracts to first order "
        "by 1 − 8ησ_r² for η ≤ 1/(4σ_1² + 4σ_r²).",
        "the range",
        "fine-tuning",
        "the smallest curvature",
        "step sizes",
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
    """Return the proof of `greedy_pruning`, to be run or verified.

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
        claim="greedy_pruning",
        proves=("haar_columns", "fine_tuning_rate"),
        clauses=(
            Clause(
                "Without penalty and for k = r < d, a step near U⋆ contracts across turns by "
                "1 − 4ησ_r² to first order, for η ≤ 1/(4σ_1² + 2σ_r²).",
                ("fine-tuning",),
            ),
            Clause(
                "For columns in the range of M it contracts by 1 − 8ησ_r², for η ≤ 1/(4σ_1² + "
                "4σ_r²).",
                ("within the range",),
            ),
            Clause(
                "Without penalty, a limit that fits M exactly from a start whose law does not "
                "change under turns is U⋆Q with Q of Haar's law.",
                ("Haar limits",),
            ),
        ),
        source="dlnlab; the method is Rajaraman et al. 2023",
        open=("The rate for sensing: linear in the paper; measured here.",),
        reading="49c5b6fd3758",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
