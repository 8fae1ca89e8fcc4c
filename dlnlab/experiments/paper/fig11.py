"""Figure 11: incremental learning in matrix completion, r = 10."""

from __future__ import annotations

from dlnlab.experiments import incremental
from dlnlab.experiments.common import COMPLETION_CODE, DIVERGES

__all__ = ["EXPERIMENT"]

EXPERIMENT = incremental.figure(
    "fig11",
    "completion",
    10,
    figs=COMPLETION_CODE
    | {"d": 500, "observed": 0.2, "eta": 200.0, "num_steps": 15_000, "record_every": 100},
    plot=("incremental_mc_r10.png", 44.0, 20.0),
    why=f"{DIVERGES}; at d = 100 a fifth of the entries does not determine rank 10, and the plot "
    "has a larger d",
)
