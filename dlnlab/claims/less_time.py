"""Less time: the seconds of a gradient, with a wide and with a compressed block.

`fewer_products` counts multiplications.  Seconds are another thing: entrywise functions cost the
same for both, products of thin matrices run at a lower rate, and on few samples what a step costs
besides products decides.  So there is a premise on width, samples and r̂, and the statement can
only be measured, on the machine that it is about.  How large the gain is depends on all three: two
and more where the wide block is computed layer by layer, a third where it is multiplied out, and
nothing, or less, where a layer is narrow (docs/nets.md has a map).
"""

from __future__ import annotations

from dlnlab.claims.claim import CONJECTURE, Claim
from dlnlab.claims.verdict import Premise

__all__ = [
    "CLAIM",
    "LEAST_SAMPLES",
    "LEAST_WIDTH",
    "NARROW",
    "SOURCE",
    "STATEMENT",
    "large",
    "margin",
    "narrow",
]

LEAST_WIDTH, LEAST_SAMPLES, NARROW = 128, 128, 8

STATEMENT = (
    "A gradient of a perceptron whose compressed block has r̂ ≤ width/8 takes less processor time "
    "than one of the perceptron with the wide block, from width 128 and from 128 samples on."
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


def large(width: int, samples: int) -> Premise:
    """Measure the premise that width and number of samples are 128 at least.

    Parameters
    ----------
    width, samples : int

    Returns
    -------
    Premise
    """
    least = min(width / LEAST_WIDTH, samples / LEAST_SAMPLES) - 1
    return Premise("large", "width and samples are 128 at least", least)


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
