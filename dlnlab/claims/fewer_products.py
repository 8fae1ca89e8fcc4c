"""Fewer products: the multiplications of a step of training, with a wide and a compressed block.

A matrix W of a × b that is applied to n samples takes abn multiplications forward, and as many for
∇W = GZᵀ and for the gradient WᵀG that goes on: 3abn.  A block of layers of widths d_0, …, d_L costs
that layer by layer,

    3n Σ_l d_l d_{l−1},

or its product is formed, applied and differentiated like one matrix, and the gradient carried on to
the layers (`dlnlab.networks.step_flops`),

    3n d_L d_0 + 3 Σ_{l≥2} d_l d_{l−1} d_0.

The second does not depend on n but for one matrix, so on large batches a wide block costs no more
than a matrix: the gain of the compressed one tends to that over a matrix, d_out d_in/(r̂(d_out + r̂ +
d_in)) in the block.  The paper's factor of two is that of layer by layer.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from dlnlab.claims.claim import Claim, proved

__all__ = [
    "CLAIM",
    "SOURCE",
    "STATEMENT",
    "agreement",
    "cheapest",
    "layer_by_layer",
    "margin",
    "multiplied_out",
]

STATEMENT = (
    "A gradient of a compressed block, of inner widths r̂ < D = max(d_out, d_in), takes fewer "
    "multiplications than one of the wide block of inner widths D, for every number of samples: "
    "layer by layer 3n Σ_l d_l d_{l−1}, multiplied out 3n d_L d_0 + 3 Σ_{l≥2} d_l d_{l−1} d_0, or "
    "the smaller one of both numbers for each block."
)
SOURCE = "dlnlab, for Kwon et al. 2024, Table 1 and the caption of Figure 21"
CLAIM = Claim("fewer_products", "Fewer products", STATEMENT, SOURCE, proved("fewer_products"))


def layer_by_layer(widths: Sequence[Any], samples: Any) -> Any:
    """Return 3n Σ_l d_l d_{l−1} of a block of widths d_0, …, d_L.

    Parameters
    ----------
    widths : Sequence[Any]
    samples : Any

    Returns
    -------
    Any
    """
    return 3 * samples * sum(a * b for a, b in itertools.pairwise(widths))


def multiplied_out(widths: Sequence[Any], samples: Any) -> Any:
    """Return 3n d_L d_0 + 3 Σ_{l≥2} d_l d_{l−1} d_0.

    Parameters
    ----------
    widths : Sequence[Any]
    samples : Any

    Returns
    -------
    Any
    """
    carried = sum(a * b for a, b in itertools.pairwise(widths[1:]))
    return 3 * samples * widths[-1] * widths[0] + 3 * carried * widths[0]


def cheapest(widths: Sequence[int], samples: int) -> int:
    """Return the multiplications of a gradient of a block in the cheaper way.

    Parameters
    ----------
    widths : Sequence[int]
    samples : int

    Returns
    -------
    int
    """
    return min(layer_by_layer(widths, samples), multiplied_out(widths, samples))


def margin(wide: int, compressed: int) -> float:
    """Return (wide − compressed − 1)/wide, ≥ 0 of whole numbers if compressed < wide.

    Parameters
    ----------
    wide : int
    compressed : int

    Returns
    -------
    float
    """
    return (wide - compressed - 1) / wide


def agreement(counted: int, expected: int) -> float:
    """Return −|counted − expected|/expected, which is 0 if the formulas are those of the code.

    Parameters
    ----------
    counted : int
    expected : int

    Returns
    -------
    float
    """
    return -abs(counted - expected) / expected
