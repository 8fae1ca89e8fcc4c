"""Long computations in independent tasks: on all cores or a cluster, kept as they finish."""

from dlnlab.campaigns.campaign import as_completed, run, seconds, task

__all__ = ["as_completed", "run", "seconds", "task"]
