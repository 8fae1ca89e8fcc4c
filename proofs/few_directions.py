r"""Few singular values of the penultimate layer of a deep linear classifier can change.

F = VWH with V of c rows, and any loss of F with gradient G, on all samples or on some. Then
∇V = GHᵀWᵀ and ∇W = VᵀGHᵀ, so Vᵀ∇V = ∇W·Wᵀ, and with ΔV = −η∇V, ΔW = −η∇W the matrix
D = WWᵀ − VᵀV changes by ΔW·ΔWᵀ − ΔVᵀ·ΔV. From D(0) = ε²(I − P), P = V(0)ᵀV(0)/ε² of rank c,
WWᵀ = ε²(I − P) + VᵀV + E with E the sum of these changes, ‖E‖ ≤ δ.
"""

from __future__ import annotations

import sympy as sp

from .noncommutative import Words, identity, letters, matrix, require_same, zero
from .proof import Clause, Proof, Step, argument, cited, main, symbolic

__all__ = ["FRAMES", "build", "eps", "inner"]

step, eps = sp.symbols("η ε", positive=True)
last, layer, inner = matrix("V", "class", "d"), matrix("W", "d", "d"), matrix("H", "d", "sample")
error = matrix("G", "class", "sample")
first = matrix("V₀", "class", "d")
unit = matrix("u", "d", "one")
FRAMES = {letters(first, first.T): eps**2 * identity("class")}
ANNIHILATED = {letters(last, unit): zero("class", "one")}
BEFORE = {letters(first, unit): zero("class", "one")}


def _balance(W: Words, V: Words) -> Words:
    """Return D = WWᵀ − VᵀV."""
    return W @ W.T - V.T @ V


def _one_step() -> None:
    """The terms of first order cancel, for every part of the samples."""
    of_last, of_layer = error @ inner.T @ layer.T, last.T @ error @ inner.T  # ∇V, ∇W
    require_same(last.T @ of_last, of_layer @ layer.T, {}, "Vᵀ∇V against ∇W·Wᵀ")
    change = _balance(layer - step * of_layer, last - step * of_last) - _balance(layer, last)
    second = step**2 * (of_layer @ of_layer.T - of_last.T @ of_last)
    require_same(change, second, {}, "the change of D in a step")


def _projector() -> None:
    """P = V₀ᵀV₀/ε² is a projector, and I − P keeps what V₀ annihilates."""
    P = first.T @ first * eps**-2
    require_same(P @ P, P, FRAMES, "P²")
    require_same((identity("d") - P) @ unit, unit, BEFORE, "(I − P)u where V₀u = 0")


def _quadratic_forms() -> None:
    """uᵀ(ε²(I − P) + VᵀV)u where V, or V₀, annihilates u."""
    P = first.T @ first * eps**-2
    start = eps**2 * (identity("d") - P)
    form = unit.T @ (start + last.T @ last) @ unit
    length = eps**2 * unit.T @ unit
    image, before = last @ unit, first @ unit
    require_same(length - form, before.T @ before, ANNIHILATED, "ε²‖u‖² − uᵀ(…)u where Vu = 0")
    require_same(form - length, image.T @ image, BEFORE, "uᵀ(…)u − ε²‖u‖² where V₀u = 0")


STEPS: tuple[Step, ...] = (
    symbolic("a step", _one_step),
    symbolic("the start", _projector),
    symbolic("on two subspaces", _quadratic_forms),
    cited(
        "Courant and Fischer",
        "The (c + 1)-th largest eigenvalue of a symmetric matrix is at most its largest quadratic "
        "form on unit vectors of a subspace of codimension c, and the (c + 1)-th smallest is at "
        "least the smallest there.",
    ),
    argument(
        "what is summed",
        "The difference of two positive semidefinite matrices has a spectral norm of at most the "
        "larger one of theirs. So a step changes D by at most max(‖ΔW‖², ‖ΔV‖²), and all steps "
        "together by at most δ. For a flow the sum of squares of steps tends to 0 with the step.",
        "a step",
    ),
    argument(
        "singular values",
        "WWᵀ = ε²(I − P) + VᵀV + E, ‖E‖ ≤ δ. On the kernel of V its form is at most ε² + δ, on "
        "that of V₀ at least ε² − δ, and both have codimension at most c. Hence σ_{c+1}² ≤ ε² + δ "
        "and σ_{d−c}² ≥ ε² − δ.",
        "what is summed",
        "the start",
        "on two subspaces",
        "Courant and Fischer",
    ),
    argument(
        "the change",
        "For a unit vector u with Vu = 0, ‖(W − W(0))ᵀu‖ ≤ ‖Wᵀu‖ + ‖W(0)ᵀu‖ ≤ √(ε² + δ) + ε, and "
        "such u form a subspace of codimension at most c.",
        "singular values",
        "Courant and Fischer",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `few_directions`, to be run or verified.

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
        claim="few_directions",
        proves=("few_directions",),
        clauses=(
            Clause(
                "With W square and WWᵀ = ε²I, VVᵀ = ε²I at the start, after any steps of gradient "
                "descent |σ_i(W)² − ε²| ≤ δ for c < i ≤ d − c.",
                ("singular values",),
            ),
            Clause("σ_i(W − W(0)) ≤ ε + √(ε² + δ) for i > c.", ("the change",)),
        ),
        source="dlnlab, for the caption of Kwon et al. 2024, Figure 1",
        open=(
            "A perceptron, whose last layer sees W through a ReLU: there only the diagonal of D is "
            "conserved.",
        ),
        reading="2605dcab01bd",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
