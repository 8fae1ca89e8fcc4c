r"""The best matrix of rank k for a layer with inputs of covariance C (our derivation).

For inputs x with E[xxᵀ] = C = SS, S = C^{1/2}, a replacement V of W makes the mean squared output
error E‖(W − V)x‖² = tr (W − V)C(W − V)ᵀ = ‖(W − V)S‖_F². Let WS = UΣXᵀ + RΣ'Yᵀ, U and X its first
k singular vectors. V = UUᵀW has rank k at most, and VS = UΣXᵀ is the truncated SVD of WS, which no
matrix of rank k improves on (Eckart and Young). No inverse of C is needed.
"""

from __future__ import annotations

import sympy as sp

from .facts import require_identity
from .noncommutative import (
    Words,
    diagonal,
    identity,
    letters,
    matrix,
    require_same,
    symmetric,
    zero,
)
from .proof import Clause, Proof, Step, argument, cited, main, symbolic

__all__ = ["FRAMES", "build"]

leading, rest = matrix("U", "out", "k"), matrix("R", "out", "rest")
right, spare = matrix("X", "in", "k"), matrix("Y", "in", "rest")
values, others = diagonal("Σ", "k"), diagonal("Σ'", "rest")
layer, root, other = matrix("W", "out", "in"), symmetric("S", "in"), matrix("V", "out", "in")

FRAMES = {
    letters(leading.T, leading): identity("k"),
    letters(leading.T, rest): zero("k", "rest"),
}


def _weighted() -> Words:
    """Return WS by its singular value decomposition."""
    return leading @ values @ right.T + rest @ others @ spare.T


def _projection() -> None:
    """U Uᵀ WS is the truncated decomposition of WS, and what is left is the rest."""
    kept = leading @ leading.T @ _weighted()
    require_same(kept, leading @ values @ right.T, FRAMES, "UUᵀ·WS")
    require_same(_weighted() - kept, rest @ others @ spare.T, FRAMES, "WS − UUᵀ·WS")
    require_same(leading.T @ leading @ leading.T, leading.T, FRAMES, "rank UUᵀW ≤ k, UᵀUUᵀ = Uᵀ")


def _output_error() -> None:
    """The error's Gram matrix is that of (W − V)S, in 2 × 2 with free entries."""
    W, V, S = (sp.Matrix(2, 2, sp.symbols(f"{name}1:5", real=True)) for name in ("w", "v", "s"))
    S[1, 0] = S[0, 1]
    x = sp.Matrix(sp.symbols("x1:3", real=True))
    difference = W - V
    square = ((difference * x).T * (difference * x))[0]
    second = sp.expand(square)
    moments = {x[i] * x[j]: (S * S)[i, j] for i in range(2) for j in range(2)}
    expected = sp.Poly(second, *x)
    total = sum(
        coefficient * moments[sp.prod([v**p for v, p in zip(x, powers, strict=True)])]
        for powers, coefficient in expected.terms()
    )
    weighted_error = difference * S
    require_identity(total, (weighted_error.T * weighted_error).trace(), "E‖(W − V)x‖²")


STEPS: tuple[Step, ...] = (
    symbolic("the output error", _output_error),
    symbolic("the projection", _projection),
    cited(
        "Eckart and Young",
        "No matrix of rank at most k is nearer to WS in the Frobenius norm than its truncated "
        "singular value decomposition (Eckart and Young 1936, Mirsky 1960).",
    ),
    argument(
        "the best matrix",
        "E‖(W − V)x‖² = tr (W − V)C(W − V)ᵀ for every size, as for 2 × 2, since the expectation "
        "acts on xxᵀ alone. rank VS ≤ rank V ≤ k, so the error of V is at least that of the "
        "truncated SVD of WS, and UUᵀW attains it.",
        "the output error",
        "the projection",
        "Eckart and Young",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `weighted_projection`, to be run or verified.

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
        claim="weighted_projection",
        proves=("weighted_projection",),
        clauses=(
            Clause(
                "Among matrices V of rank at most k, V = UUᵀW with U the first k left singular "
                "vectors of WC^{1/2} minimizes E‖(W − V)x‖² for inputs with E[xxᵀ] = C, for every "
                "positive semidefinite C.",
                ("the best matrix",),
            ),
        ),
        source="dlnlab; the projection of Shumaylov et al. 2025 for a Gaussian output",
        reading="aa024410792c",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
