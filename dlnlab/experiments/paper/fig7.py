"""Figure 7: incremental learning in matrix completion, r = 5."""

from __future__ import annotations

from dlnlab.experiments import incremental

__all__ = ["EXPERIMENT"]

EXPERIMENT = incremental.figure("fig7", "completion", 5)
