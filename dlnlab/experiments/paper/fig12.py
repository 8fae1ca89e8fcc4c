"""Figure 12: incremental learning in matrix factorization, r = 5, a closer view of Figure 4."""

from __future__ import annotations

from dlnlab.experiments import incremental

__all__ = ["EXPERIMENT"]

EXPERIMENT = incremental.figure(
    "fig12",
    "factorization",
    5,
    title="Incremental learning in matrix factorization, seen closer",
    panels=incremental.PANELS[:1],
    apart="a closer view of Figure 4",
)
