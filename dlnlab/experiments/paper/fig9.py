"""Figure 9: incremental learning in matrix factorization, r = 10."""

from __future__ import annotations

from dlnlab.experiments import incremental
from dlnlab.experiments.common import DIVERGES
from dlnlab.experiments.instance import CODE

__all__ = ["EXPERIMENT"]

EXPERIMENT = incremental.figure(
    "fig9",
    "factorization",
    10,
    figs=CODE | {"d": 500, "eta": 25.0},  # the code's η, as d²
    plot=("incremental_mf_r10.png", 44.0, 20.0),
    why=f"{DIVERGES}; the plot has a larger d than the text",
)
