"""The invariant subspace, taken literally: that small distances between records keep a subspace.

Section A.4 of the paper finds the distance of Eq. (14) between the leading singular subspaces of
the penultimate matrix small from one record to the next, "i.e., the training occurs within an
invariant subspace".  An invariant subspace would be near the first one at the end, too.  That does
not follow: by `small_turns` such distances are of second order in what a step moves, so they are
small wherever steps are, and angles add up.  Here "small" is a tenth of what random subspaces have,
r − r²/d of d dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dlnlab.claims.claim import Claim, contradicts, refuted
from dlnlab.claims.verdict import Premise

__all__ = [
    "CLAIM",
    "SMALL",
    "SOURCE",
    "STATEMENT",
    "UNIT",
    "Matrix",
    "Turning",
    "defined",
    "margin",
    "random_distance",
    "rounding",
    "small_steps",
]

Matrix = tuple[tuple[int, int], tuple[int, int]]

STATEMENT = (
    "Where the leading singular subspaces of the penultimate matrix of a classifier in training, "
    "left and right, have a tenth of the distance (Eq. 14) of random ones at most from record to "
    "record, they have it from the first record to the last: training keeps to an invariant "
    "subspace."
)
SOURCE = "Kwon et al. 2024, Section A.4 and Figure 20, taken literally; the tenth is dlnlab's"

SMALL = Fraction(1, 10)
UNIT = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Turning:
    """A perceptron of one input and width two that learns one sample, x = 1 of class 0.

    It is W_1 = (1, 1)ᵀ, W_2 = I, the penultimate W_3 and W_4, with half the squared error, and
    takes two steps of gradient descent.

    Attributes
    ----------
    penultimate, last : 2 × 2 tuples of int
        W_3 and W_4 at the start.
    eta : Fraction
        η.
    between : pair of Fraction
        Two numbers between which the margin lies, both negative.
    """

    penultimate: Matrix
    last: Matrix
    eta: Fraction
    between: tuple[Fraction, Fraction]

    def __str__(self) -> str:
        return contradicts(
            f"W_1 = (1, 1)ᵀ, W_2 = I, W_3 = {list(map(list, self.penultimate))}, "
            f"W_4 = {list(map(list, self.last))}, x = 1 of class 0, half the squared error, "
            f"η = {self.eta}, 2 steps, r = 1:",
            self.between,
        )


CLAIM = Claim(
    "invariant_subspace",
    "Invariant subspace",
    STATEMENT,
    SOURCE,
    refuted(
        Turning(
            penultimate=((1, 0), (1, 1)),
            last=((1, -1), (-1, 1)),
            eta=Fraction(1, 20),
            between=(Fraction(-16, 1000), Fraction(-15, 1000)),
        ),
        "invariant_subspace",
    ),
)


def random_distance(r: int, d: int) -> float:
    """Return r − r²/d, the mean distance of random subspaces of dimension r in d dimensions.

    Parameters
    ----------
    r, d : int

    Returns
    -------
    float
    """
    return r - r**2 / d


def margin(turned: float) -> float:
    """Return 1/10 − the distance of the first and the last subspace, relative to random ones.

    Parameters
    ----------
    turned : float

    Returns
    -------
    float
    """
    return float(SMALL) - turned


def small_steps(largest: float) -> Premise:
    """Measure the premise that no distance from record to record exceeds a tenth of random ones'.

    Parameters
    ----------
    largest : float
        Relative to random ones.

    Returns
    -------
    Premise
    """
    return Premise("small steps", "distances from record to record ≤ 1/10", float(SMALL) - largest)


def defined(gap: float) -> Premise:
    """Measure the premise σ_r > σ_{r+1} of every record; its margin is the gap/σ_1 − 1e-6.

    Parameters
    ----------
    gap : float
        The smallest (σ_r − σ_{r+1})/σ_1.

    Returns
    -------
    Premise
    """
    return Premise("defined", "σ_r > σ_{r+1} of every record", gap - 1e-6)


def rounding(r: int, d: int, gap: float) -> float:
    """Bound the rounding of the margin, as `small_turns.rounding` does: u d/gap turns a subspace.

    Parameters
    ----------
    r, d : int
    gap : float
        The smallest (σ_r − σ_{r+1})/σ_1.

    Returns
    -------
    float
    """
    unit = d * UNIT
    return (8 * r * unit + 32 * r**0.5 * unit / gap) / random_distance(r, d)
