"""Figure 10: incremental learning in matrix sensing, r = 10."""

from __future__ import annotations

from dlnlab.experiments import incremental
from dlnlab.experiments.common import DIVERGES, SENSING_CODE

__all__ = ["EXPERIMENT"]

EXPERIMENT = incremental.figure(
    "fig10",
    "sensing",
    10,
    # η is the code's, scaled as m; m is twice the notebook's, whose 4,000 are hardly more than the
    # 3,900 parameters of a matrix of rank 10.
    figs=SENSING_CODE | {"d": 200, "m": 8000, "eta": 40.0, "record_every": 20},
    plot=("incremental_ms_r10.png", 29.0, 13.0),
    why=f"{DIVERGES}; at d = 100 the code's η is too large for r = 10, and the plot has a larger d",
    on_request=("figs",),
)
