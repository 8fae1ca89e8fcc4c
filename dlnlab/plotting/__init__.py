"""Figures: results and Axes in, Axes out.  This is the only room that imports Matplotlib.

`flows` draws both networks of a comparison, `learning` the diagnostics of Assumption 1, `curves`
one instance of a claim; `style` lays figures out, writes and embeds them.
"""

from dlnlab.plotting.conjectures import conjecture as conjecture
from dlnlab.plotting.curves import deviation, families, sides, signed_margin, spectra
from dlnlab.plotting.flows import (
    alignments,
    comparison,
    error_curves,
    errors,
    margin,
    singular_values,
)
from dlnlab.plotting.learning import assumption1, c_val, c_vec, constants, small_starts
from dlnlab.plotting.style import arrange, save, to_data_uri

__all__ = [
    "alignments",
    "arrange",
    "assumption1",
    "c_val",
    "c_vec",
    "comparison",
    "constants",
    "deviation",
    "error_curves",
    "errors",
    "families",
    "margin",
    "save",
    "sides",
    "signed_margin",
    "singular_values",
    "small_starts",
    "spectra",
    "to_data_uri",
]
