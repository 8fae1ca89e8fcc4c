"""Figure 8: incremental learning in matrix sensing, r = 5."""

from __future__ import annotations

from dlnlab.experiments import incremental

__all__ = ["EXPERIMENT"]

EXPERIMENT = incremental.figure("fig8", "sensing", 5)
