r"""A compressed block takes fewer multiplications than a wide one, in either way of computing it.

Inner widths r̂ and D = r̂ + k with k ≥ 1, D ≥ d_out, d_in; n samples. The numbers are those of
`dlnlab.claims.fewer_products`, with symbols in the place of widths.
"""

from __future__ import annotations

import sympy as sp

from dlnlab.claims import fewer_products

from .facts import require_identity, require_positive
from .proof import Clause, Proof, Step, argument, main, symbolic

__all__ = ["build", "layers", "product"]

out, into, narrow, more, samples = sp.symbols("d_out d_in r̂ k n", positive=True)

COMPRESSED = (into, narrow, narrow, out)
WIDE = (into, narrow + more, narrow + more, out)


def layers() -> None:
    """Layer by layer: the difference is a polynomial with positive coefficients."""
    wide, compressed = (fewer_products.layer_by_layer(w, samples) for w in (WIDE, COMPRESSED))
    saved = 3 * samples * more * (into + out + 2 * narrow + more)
    require_identity(wide - compressed, saved, "wide − compressed, layer by layer")
    require_positive(saved, "what is saved layer by layer")


def product() -> None:
    """Multiplied out: the same, and independent of n."""
    wide, compressed = (fewer_products.multiplied_out(w, samples) for w in (WIDE, COMPRESSED))
    saved = 3 * into * more * (out + 2 * narrow + more)
    require_identity(wide - compressed, saved, "wide − compressed, multiplied out")
    require_positive(saved, "what is saved multiplied out")


def _one_matrix() -> None:
    """Per sample a wide block, multiplied out, costs what one matrix does as n grows."""
    wide = fewer_products.multiplied_out(WIDE, samples)
    matrix = fewer_products.layer_by_layer((into, out), samples)
    rest = 3 * into * (narrow + more) * (out + narrow + more)
    require_identity(wide - matrix, rest, "wide, multiplied out, − one matrix")


STEPS: tuple[Step, ...] = (
    symbolic("layer by layer", layers),
    symbolic("multiplied out", product),
    symbolic("one matrix", _one_matrix),
    argument(
        "the cheaper way",
        "If both numbers of one block are larger than those of another, so is the smaller of both.",
        "layer by layer",
        "multiplied out",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `fewer_products`, to be run or verified.

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
        claim="fewer_products",
        proves=("fewer_products",),
        clauses=(
            Clause(
                "A gradient of a block of three layers of inner widths r̂ takes fewer "
                "multiplications than one of inner widths D > r̂, for every number of samples, "
                "layer by layer, multiplied out, or in the cheaper way of each.",
                ("layer by layer", "multiplied out", "the cheaper way"),
            ),
            Clause(
                "Multiplied out, the wide block costs 3 D (d_out + D) d_in more than one matrix, "
                "whatever n is.",
                ("one matrix",),
            ),
        ),
        source="dlnlab, for Kwon et al. 2024, Table 1 and the caption of Figure 21",
        open=("Running times, which depend on the machine and are measured.",),
        reading="0f1ba8f40181",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
