"""Why runs end."""

from __future__ import annotations

import enum

__all__ = ["Status"]


class Status(enum.Enum):
    """Why a run ended; `describe` says what to do about it."""

    COMPLETED = "completed"
    CONVERGED = "converged"
    STATIONARY = "stationary"
    STOPPED = "stopped"
    BUDGET = "step budget spent"
    DIVERGED = "diverged"
    INTERRUPTED = "interrupted"

    @property
    def describe(self) -> str:
        """One sentence on what the status means and what to do."""
        return _MEANING[self]


_MEANING = {
    Status.COMPLETED: "all steps were taken, or t_end was reached",
    Status.CONVERGED: "the loss reached `tol`",
    Status.STATIONARY: "the loss no longer changes at the rate set by `stationarity`",
    Status.STOPPED: "the `stop` function crossed zero",
    Status.BUDGET: "`max_steps` was spent before t_end; raise it, or try method='stiff'",
    Status.DIVERGED: "the loss stopped being finite; lower the step size `eta` of a descent, or "
    "the tolerance `rtol` of a flow",
    Status.INTERRUPTED: "the run was interrupted; what it had recorded is kept",
}
