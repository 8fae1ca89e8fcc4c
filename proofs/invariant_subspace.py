r"""A subspace that stays from record to record does not stay: two steps of descent, in rationals.

A perceptron of one input and width two, W_1 = (1, 1)ᵀ, W_2 = I, W_3 = [[1, 0], [1, 1]], W_4 =
[[1, −1], [−1, 1]], learns one sample, x = 1 of class 0, by half the squared error with η = 1/20.
All that goes into a ReLU is positive, so both steps are rational. The leading singular vectors of
W_3 turn by less than a tenth of what random ones do in each step, and by more in both.

The angle θ of the leading eigenvector of a symmetric [[p, q], [q, s]] has (cos 2θ, sin 2θ)
the direction of (p − s, 2q), and two lines that are Δ apart have the distance 1 − cos² Δ
= (1 − cos 2Δ)/2 of Eq. (14). So both distances are explicit in the entries of W_3W_3ᵀ and W_3ᵀW_3.
"""

from __future__ import annotations

import sympy as sp

from dlnlab.claims import invariant_subspace

from .facts import require_identity, require_less
from .proof import Clause, Proof, Step, argument, exact, main, symbolic

__all__ = ["build", "descended", "distance", "double_angle", "two_steps"]

WITNESS = invariant_subspace.CLAIM.standing().witness
assert isinstance(WITNESS, invariant_subspace.Turning)

SHAPES = ((2, 1), (2, 2), (2, 2), (2, 2))
TARGET = sp.Matrix([1, 0])


def descended() -> list[list[sp.Matrix]]:
    """Return the weights before the first step, between both, and after the second.

    Returns
    -------
    list of list of matrix
        W_1 to W_4 of each record.
    """
    assert isinstance(WITNESS, invariant_subspace.Turning)
    symbols = [
        sp.Matrix(rows, columns, sp.symbols(f"w{k}_:{rows * columns}"))
        for k, (rows, columns) in enumerate(SHAPES, 1)
    ]
    first, second, third, last = symbols
    hidden = [first, second * first, third * second * first]
    error = last * hidden[-1] - TARGET
    loss = (error.T * error)[0] / 2
    names = [name for W in symbols for name in W]
    slopes = [sp.diff(loss, name) for name in names]
    values = [1, 1, 1, 0, 0, 1, *sum(WITNESS.penultimate, ()), *sum(WITNESS.last, ())]
    eta, found = sp.Rational(WITNESS.eta), []
    for step in range(3):
        at = dict(zip(names, map(sp.Rational, values), strict=True))
        found.append([W.subs(at) for W in symbols])
        for layer, activation in enumerate(hidden, 1):
            for entry in activation.subs(at):
                require_less(0, entry, f"what ReLU {layer} is given, step {step}")
        values = [
            at[name] - eta * slope.subs(at) for name, slope in zip(names, slopes, strict=True)
        ]
    return found


def double_angle() -> None:
    """(p − s, 2q) = (λ − μ)(cos 2θ, sin 2θ), λ > μ, and 1 − cos² Δ = (1 − cos 2Δ)/2."""
    large, small, theta, delta = sp.symbols("λ μ θ Δ", real=True)
    u, v = sp.Matrix([sp.cos(theta), sp.sin(theta)]), sp.Matrix([-sp.sin(theta), sp.cos(theta)])
    S = large * u * u.T + small * v * v.T
    require_identity(S[0, 0] - S[1, 1], (large - small) * sp.cos(2 * theta), "p − s")
    require_identity(2 * S[0, 1], (large - small) * sp.sin(2 * theta), "2q")
    require_identity(1 - sp.cos(delta) ** 2, (1 - sp.cos(2 * delta)) / 2, "the distance")


def distance(before: sp.Matrix, after: sp.Matrix) -> sp.Expr:
    """Return the larger one of Eq. (14)'s distances of both sides, r = 1.

    Parameters
    ----------
    before, after : matrix, shape (2, 2)

    Returns
    -------
    expression
    """
    both = []
    for gram in (lambda W: W * W.T, lambda W: W.T * W):
        old, new = (sp.Matrix([S[0, 0] - S[1, 1], 2 * S[0, 1]]) for S in map(gram, (before, after)))
        cosine = (old.T * new)[0] / sp.sqrt((old.T * old)[0] * (new.T * new)[0])
        both.append((1 - cosine) / 2)
    return sp.Max(*both)


def two_steps() -> None:
    """Each step turns by less than a tenth of 1/2, both by more."""
    assert isinstance(WITNESS, invariant_subspace.Turning)
    records = [weights[2] for weights in descended()]
    require_identity(records[0], sp.Matrix(WITNESS.penultimate), "W_3 at the start")
    random = sp.Rational(1, 2)  # r − r²/d
    small = sp.Rational(invariant_subspace.SMALL)
    for k in (0, 1):
        turn = distance(records[k], records[k + 1]) / random
        require_less(turn, small, f"the distance of records {k} and {k + 1}, over random ones'")
    left = small - distance(records[0], records[2]) / random
    low, high = map(sp.Rational, WITNESS.between)
    require_less(low, left, "the margin's lower bound")
    require_less(left, high, "the margin")
    require_less(high, 0, "its upper bound")


STEPS: tuple[Step, ...] = (
    symbolic("double angles", double_angle),
    exact("two steps of descent", two_steps),
    argument(
        "not invariant",
        "The premise holds, both distances from record to record being below a tenth of random "
        "lines', and the conclusion does not: the last line is further than that from the first.",
        "double angles",
        "two steps of descent",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `invariant_subspace`, to be run or verified.

    Parameters
    ----------
    thorough : bool, optional
        Changes nothing: the arithmetic is exact.

    Returns
    -------
    Proof
    """
    del thorough
    return Proof(
        claim="invariant_subspace",
        proves=("invariant_subspace",),
        clauses=(
            Clause(
                "Distances of leading singular subspaces that are below a tenth of random ones' "
                "from record to record do not keep the last one within it of the first: a "
                "perceptron of width two contradicts it after two steps.",
                ("not invariant",),
            ),
        ),
        source="dlnlab, against Kwon et al. 2024, Section A.4, taken literally",
        reading="691ac69c2a8d",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
