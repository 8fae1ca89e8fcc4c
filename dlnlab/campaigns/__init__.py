"""Long computations in independent tasks: on all cores or a cluster, kept as they finish."""

from dlnlab.campaigns.campaign import as_completed, run, seconds, task
from dlnlab.campaigns.states import state_file

__all__ = ["as_completed", "run", "seconds", "state_file", "task"]
