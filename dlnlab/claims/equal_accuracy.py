"""Equal accuracy: a compressed penultimate block against the wide one, once both fit their samples.

The caption of Figure 21 says of the compressed network that it is as accurate throughout training.
Throughout it is not: from the same start outside the block it can be slower, and at a step size
that suits the wide network it may learn nothing at all.  What is left is that, once both networks
classify the samples they learn from, they are as accurate on others.
"""

from __future__ import annotations

from dlnlab.claims.claim import CONJECTURE, Claim
from dlnlab.claims.verdict import Premise

__all__ = ["CLAIM", "FITTED", "SLACK", "SOURCE", "STATEMENT", "fitted", "margin"]

STATEMENT = (
    "Where a perceptron with a wide linear block and one with a compressed block of r̂ = 4c, "
    "trained alike, both classify 99 % of their training samples correctly, the compressed one is "
    "at most ten points less accurate on held-out samples."
)
SOURCE = "Kwon et al. 2024, Section 4.2 and Figure 21; the premise and the ten points are dlnlab's"
CLAIM = Claim("equal_accuracy", "Equal accuracy", STATEMENT, SOURCE, (CONJECTURE,))

SLACK, FITTED = 0.1, 0.99


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
