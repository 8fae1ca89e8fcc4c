"""Figure 4: incremental learning in matrix factorization, r = 5."""

from __future__ import annotations

from dlnlab.experiments import incremental

__all__ = ["EXPERIMENT"]

EXPERIMENT = incremental.figure("fig4", "factorization", 5)
