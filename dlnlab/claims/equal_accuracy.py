"""Equal accuracy: a compressed penultimate block against the wide one, once both fit their samples.

The caption of Figure 21 says of the compressed network that it is as accurate throughout training.
Throughout it is not: from the same start outside the block it can be slower, and at a step size
that suits the wide network it may learn nothing at all.  What would be left is that, once both
networks classify the samples they learn from, they are as accurate on others.  On average over
pairs they are; of single pairs it is false, though rarely: of five thousand one contradicts it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from dlnlab.claims.claim import Claim, contradicts, refuted
from dlnlab.claims.verdict import Premise

__all__ = [
    "CLAIM",
    "DOUBT",
    "FITTED",
    "SLACK",
    "SOURCE",
    "STATEMENT",
    "Perceptrons",
    "fitted",
    "margin",
    "sampling_error",
]

STATEMENT = (
    "Where a perceptron with a wide linear block and one with a compressed block of r̂ = 4c, "
    "trained alike, both classify 99 % of their training samples correctly, the compressed one is "
    "at most ten points less accurate on held-out samples."
)
SOURCE = "Kwon et al. 2024, Section 4.2 and Figure 21; the premise and the ten points are dlnlab's"


@dataclass(frozen=True)
class Perceptrons:
    """Two of them that fit the same 38 samples, of which the compressed one fails on others.

    It is the pair of one number in a stream of random ones, `validations.equal_accuracy`.

    Attributes
    ----------
    seed, number : int
        Of the stream, and of the pair in it, from 0 on.
    settings : str
        What it is, in words.
    wide, compressed : Fraction
        Accuracies on 10,000 samples held out.
    """

    seed: int
    number: int
    settings: str
    wide: Fraction
    compressed: Fraction

    @property
    def between(self) -> tuple[Fraction, Fraction]:
        """The margin, and ten samples to both sides, which other arithmetic may classify anew."""
        margin, ten = Fraction(1, 10) - (self.wide - self.compressed), Fraction(10, 10_000)
        return margin - ten, margin + ten

    def __str__(self) -> str:
        return contradicts(
            f"{self.settings}: {float(100 * self.wide):.1f} % against "
            f"{float(100 * self.compressed):.1f} % held out,",
            self.between,
        )


CLAIM = Claim(
    "equal_accuracy",
    "Equal accuracy",
    STATEMENT,
    SOURCE,
    refuted(
        Perceptrons(
            seed=3185474749,
            number=162,
            settings="12 inputs, width 17, 3 classes, 38 samples, batches of 13, η = 0.327, "
            "150 steps of descent",
            wide=Fraction(9647, 10_000),
            compressed=Fraction(7952, 10_000),
        )
    ),
)

SLACK, FITTED = 0.1, 0.99

DOUBT = 1e-9
"""How often an accuracy measured on some samples may be farther off than its error says."""


def margin(wide: float, compressed: float) -> float:
    """Return 0.1 − (wide − compressed), of accuracies on the same samples.

    Parameters
    ----------
    wide : float
    compressed : float

    Returns
    -------
    float
    """
    return SLACK - (wide - compressed)


def fitted(wide: float, compressed: float) -> Premise:
    """Measure the premise that both classify 99 % of their samples rightly.

    Parameters
    ----------
    wide : float
    compressed : float

    Returns
    -------
    Premise
    """
    least = min(wide, compressed) - FITTED
    return Premise("fitted", "both classify 99 % of their samples rightly", least)


def sampling_error(count: int) -> float:
    """Bound the error of the difference of two accuracies that are measured on the same samples.

    Given their classes the samples are independent, and each adds −1, 0 or 1 to the number of those
    that only the one network classifies rightly less that of the other.  By Hoeffding's inequality
    the mean is farther than t from its expectation with probability at most 2 exp(−nt²/2), which is
    `DOUBT` at t = √(2 ln(2/`DOUBT`)/n).

    Parameters
    ----------
    count : int
        n, the samples held out.

    Returns
    -------
    float
    """
    return math.sqrt(2 * math.log(2 / DOUBT) / count)
