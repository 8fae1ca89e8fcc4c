r"""Wedin's theorem for the leading singular subspaces of two matrices, in Frobenius norms.

W = U₁Σ₁V₁ᵀ + U₂Σ₂V₂ᵀ and W' = U₁'Σ₁'V₁'ᵀ + …, E = W' − W. With X = U₂ᵀU₁' and Y = V₂ᵀV₁', the
norms ‖X‖_F² and ‖Y‖_F² are the two distances of Eq. (14).
"""

from __future__ import annotations

import sympy as sp

from .facts import require_identity, require_nonnegative
from .noncommutative import diagonal, identity, letters, matrix, require_same, zero
from .proof import Clause, Proof, Step, argument, main, symbolic

__all__ = ["FRAMES", "build"]

left, spare_left = matrix("U₁", "out", "r"), matrix("U₂", "out", "rest")
right, spare_right = matrix("V₁", "in", "r"), matrix("V₂", "in", "rest")
values, others = diagonal("Σ₁", "r"), diagonal("Σ₂", "rest")
new_left, new_right = matrix("A", "out", "r"), matrix("B", "in", "r")
new_values = diagonal("Σ₁'", "r")
changed = matrix("W'", "out", "in")

FRAMES = {
    letters(spare_left.T, left): zero("rest", "r"),
    letters(spare_right.T, right): zero("rest", "r"),
    letters(spare_left.T, spare_left): identity("rest"),
    letters(spare_right.T, spare_right): identity("rest"),
}
VECTORS = {
    letters(changed, new_right): new_left @ new_values,
    letters(changed.T, new_left): new_right @ new_values,
}


def _two_equations() -> None:
    """XΣ₁' = Σ₂Y + U₂ᵀEB and YΣ₁' = Σ₂X + V₂ᵀEᵀA, with A = U₁' and B = V₁'."""
    before = left @ values @ right.T + spare_left @ others @ spare_right.T
    E = changed - before
    X, Y = spare_left.T @ new_left, spare_right.T @ new_right
    rules = FRAMES | VECTORS
    require_same(X @ new_values, others @ Y + spare_left.T @ E @ new_right, rules, "XΣ₁'")
    require_same(Y @ new_values, others @ X + spare_right.T @ E.T @ new_left, rules, "YΣ₁'")


def _distance() -> None:
    """XᵀX + (U₁ᵀA)ᵀ(U₁ᵀA) = I: its trace is ‖X‖² + ‖U₁ᵀA‖² = r, and so on the other side."""
    for frame, rest, new, where in (
        (left, spare_left, new_left, "left"),
        (right, spare_right, new_right, "right"),
    ):
        X, kept = rest.T @ new, frame.T @ new
        space = frame.rows
        complete = {
            letters(rest, rest.T): identity(space) - frame @ frame.T,
            letters(new.T, new): identity("r"),
        }
        require_same(X.T @ X + kept.T @ kept, identity("r"), complete, f"{where} frames")


def _two_norms() -> None:
    """(α + δ)x ≤ αy + e₁ and (α + δ)y ≤ αx + e₂ with x, y ≥ 0 give δ²(x² + y²) ≤ e₁² + e₂²."""
    gap = sp.Symbol("δ", positive=True)
    most = sp.Symbol("α", nonnegative=True)
    first, second = sp.symbols("e₁ e₂", nonnegative=True)
    system = sp.Matrix([[most + gap, -most], [-most, most + gap]])
    inverse = system.inv().applyfunc(sp.factor)
    for entry in inverse:
        require_nonnegative(entry, "an entry of the inverse")
    x, y = inverse * sp.Matrix([first, second])
    left_over = sp.factor(first**2 + second**2 - gap**2 * (x**2 + y**2))
    factor = 2 * most * (most + gap) / (gap + 2 * most) ** 2
    require_identity(left_over, factor * (first - second) ** 2, "e₁² + e₂² − δ²(x² + y²)")
    require_nonnegative(factor, "its factor")


STEPS: tuple[Step, ...] = (
    symbolic("two equations", _two_equations),
    symbolic("the distance", _distance),
    symbolic("two norms", _two_norms),
    argument(
        "Wedin's theorem",
        "Let α = σ_{r+1}(W) and σ_r(W') = α + δ. In Frobenius norms ‖XΣ₁'‖ ≥ (α + δ)‖X‖ and ‖Σ₂Y‖ "
        "≤ α‖Y‖, so x = ‖X‖ and y = ‖Y‖ meet the two inequalities with e₁ = ‖EB‖ ≤ ‖E‖ and e₂ = "
        "‖EᵀA‖ ≤ ‖E‖. The inverse has no negative entry, so x and y are at most the solution with "
        "equalities, and δ²(x² + y²) ≤ e₁² + e₂² ≤ 2‖E‖². Columns of U₁ and U₂ together are a "
        "complete orthonormal basis, and so those of V₁ and V₂; if the numbers of rows and "
        "columns differ, Σ₂ is not square, and the argument still holds.",
        "two equations",
        "the distance",
        "two norms",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `small_turns`, to be run or verified.

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
        claim="small_turns",
        proves=("small_turns",),
        clauses=(
            Clause(
                "The squared sines between the leading left and right singular subspaces of "
                "dimension r of W and of W' sum to at most 2‖W' − W‖_F²/δ², where δ = σ_r(W') − "
                "σ_{r+1}(W) > 0.",
                ("Wedin's theorem",),
            ),
        ),
        source="Wedin 1972, for Kwon et al. 2024, Figure 20 and Eq. (14)",
        open=(
            "Whether the leading subspace of a trained perceptron is invariant: in experiments "
            "it turns.",
        ),
        reading="f59ca5c2c748",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
