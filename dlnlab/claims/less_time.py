"""Less time: the seconds of a gradient, with a wide and with a compressed block.

`fewer_products` counts multiplications.  Seconds are another thing: entrywise functions take as
long in both networks, products of thin matrices run at a lower rate, and in narrow layers what a
step takes besides products decides.  So there are premises on the width and on r̂, and the statement
can only be measured, on the machine that it is about.  How large the gain is depends on them and on
the batch: a factor of two and more where the wide block is computed layer by layer, of 1.4 and less
where it is multiplied out, and none where layers are narrow (docs/nets.md has a map).
"""

from __future__ import annotations

from dlnlab.claims.claim import CONJECTURE, Claim
from dlnlab.claims.verdict import Premise

__all__ = [
    "CLAIM",
    "LEAST_WIDTH",
    "NARROW",
    "SOURCE",
    "STATEMENT",
    "large",
    "margin",
    "narrow",
]

LEAST_WIDTH, NARROW = 128, 8

STATEMENT = (
    "A gradient of a perceptron of width 128 or more whose compressed block has r̂ ≤ width/8 takes "
    "less processor time than one of the perceptron with the wide block, on every number of "
    "samples."
)
SOURCE = "Kwon et al. 2024, caption of Figure 21 and Table 1; the premises are dlnlab's"
CLAIM = Claim("less_time", "Less time", STATEMENT, SOURCE, (CONJECTURE,))


def margin(wide: float, compressed: float) -> float:
    """Return 1 − t_compressed/t_wide, of processor times.

    Parameters
    ----------
    wide, compressed : float

    Returns
    -------
    float
    """
    return 1 - compressed / wide


def large(width: int) -> Premise:
    """Measure the premise that the width is 128 at least.

    Parameters
    ----------
    width : int

    Returns
    -------
    Premise
    """
    return Premise("large", "the width is 128 at least", width / LEAST_WIDTH - 1)


def narrow(r_hat: int, width: int) -> Premise:
    """Measure the premise r̂ ≤ width/8.

    Parameters
    ----------
    r_hat, width : int

    Returns
    -------
    Premise
    """
    return Premise("narrow", "r̂ ≤ width/8", 1 - NARROW * r_hat / width)
