"""Equal accuracy: a compressed penultimate block against the wide one, once both fit their samples.

The caption of Figure 21 says of the compressed network that it is as accurate throughout training.
Throughout it is not: from the same start outside the block it can be slower, and at a step size
that suits the wide network it may learn nothing at all.  What is left is that, once both networks
classify the samples they learn from, they are as accurate on others.
"""

from __future__ import annotations

import math

from dlnlab.claims.claim import CONJECTURE, Claim
from dlnlab.claims.verdict import Premise

__all__ = [
    "CLAIM",
    "DOUBT",
    "FITTED",
    "SLACK",
    "SOURCE",
    "STATEMENT",
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
CLAIM = Claim("equal_accuracy", "Equal accuracy", STATEMENT, SOURCE, (CONJECTURE,))

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
