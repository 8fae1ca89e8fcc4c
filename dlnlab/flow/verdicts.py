"""The verdicts of one comparison: every claim's margin on this pair of flows, with its premises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.claims import assumption1, dominance, proposition1, theorem2
from dlnlab.claims.claim import Claim, Setting
from dlnlab.claims.verdict import Premise, Verdict, Verdicts, judge
from dlnlab.flow.compressed import CompressedFlow, Evaluation
from dlnlab.flow.original import RESOLVED, OriginalFlow

__all__ = ["EPS", "shown", "verdicts"]

EPS = float(np.finfo(float).eps)


def verdicts(
    flow: OriginalFlow,
    law: Evaluation,
    constants: assumption1.Constants,
    margin_error: np.ndarray,
) -> Verdicts:
    """Judge every claim that a comparison can see.

    Everything is in the units of `dlnlab.flow.units`, so no verdict depends on the user's.

    Parameters
    ----------
    flow
        The original network's flow.
    law
        The compressed network's flow on the same grid.
    constants
        Assumption 1, measured on the original network.
    margin_error
        Bound on the numerical error of the difference of squared errors.

    Returns
    -------
    Verdicts
    """
    judged, compressed = _Judged(flow, law), law.law
    balanced, same = flow.network.balancedness, _same_start(flow, law)
    aligned = flow.network.aligned
    enough = theorem2.enough_rank(compressed.r_hat, compressed.targets.size)
    below = theorem2.small_start(compressed.start, float(compressed.targets[-1]), 8 * EPS)
    dominated = _dominance(judged, [balanced, same])
    ahead = Premise("dominance", dominated.statement, dominated.margin, dominated.error)
    size = min(flow.network.full.shape)
    # of squared errors: both networks together, at the start and in the end
    scale = float(np.sum(compressed.targets**2)) + size * compressed.start**2
    errors = flow.records["errors"], law.errors()
    allowed = theorem2.allowance(compressed.r_hat, compressed.targets.size, size)
    larger = theorem2.below_start(compressed.targets, compressed.start)
    forms = (
        (theorem2.CLAIM, 0, [balanced, same, enough, aligned]),
        (theorem2.REFINED_CLAIM, compressed.spare, [balanced, same, enough, below, ahead]),
        (theorem2.SHARP_CLAIM, allowed, [balanced, same, enough, below, ahead]),
        (theorem2.ANY_EPS_CLAIM, allowed + larger, [balanced, same, enough, ahead]),
    )
    all_verdicts = [
        judged.worst(
            proposition1.CLAIM,
            flow.records["rate_margins"],
            flow.records["rate_errors"],
            [balanced],
        ),
        _assumption1(judged, constants, aligned),
        *(
            judged.worst(
                claim,
                theorem2.refined_margins(*errors, spare, law.residual) / scale,
                margin_error / scale,
                premises,
            )
            for claim, spare, premises in forms
        ),
        dominated,
    ]
    return Verdicts({verdict.claim: verdict for verdict in all_verdicts})


def _same_start(flow: OriginalFlow, law: Evaluation) -> Premise:
    network = flow.network
    start = networks.prefix_products(network.weights)[-1]
    rounding = 10 * network.balancedness.error
    return dominance.same_start(network.problem.singular_values(start), law.law.start, rounding)


def _assumption1(judged: _Judged, constants: assumption1.Constants, aligned: Premise) -> Verdict:
    """An assumption is not refuted by an instance: it is met there or not."""
    fitted = assumption1.all_fitted(constants)
    witness = {
        "c_vec": _largest(constants.c_vec, fitted),
        "waiting": _largest(constants.waiting, fitted),
    }
    claim = assumption1.CLAIM
    numbers = (aligned.margin, aligned.error, [fitted, aligned], witness)
    return judge(claim.name, claim.statement, *numbers, claim.standing(judged.setting))


def _largest(values: np.ndarray, fitted: Premise) -> float:
    """The largest known value; NaN if some mode is never fitted."""
    return float(np.nanmax(values, initial=0.0)) if fitted.met else float("nan")


def _dominance(judged: _Judged, premises: Sequence[Premise]) -> Verdict:
    flow, law = judged.flow, judged.law
    values = flow.singular_values(judged.count)
    scale = max(float(law.law.targets[0]), law.law.start)
    margin = dominance.margins(values, law.leading(judged.count)) / scale
    error = (flow.error + law.rounding()) / scale
    return judged.worst(dominance.CLAIM, margin, error, premises)


class _Judged:
    """What all verdicts of one comparison share."""

    def __init__(self, flow: OriginalFlow, law: Evaluation) -> None:
        self.flow, self.law = flow, law
        shape, depth = flow.network.full.shape, len(flow.network.weights)
        self.count = shown(shape, law.law)
        start = networks.prefix_products(flow.network.weights)[-1] / law.law.start
        core = start.T @ flow.network.problem.target.to_dense()
        self.setting = Setting(
            shape, depth, law.law.targets, law.law.start, law.law.r_hat, core=core
        )

    def worst(
        self, claim: Claim, margin: np.ndarray, error: np.ndarray, premises: Sequence[Premise]
    ) -> Verdict:
        """Judge by the lowest margin, or by a higher one if that is more clearly below zero.

        An instance that contradicts a claim does so however much of the flow was seen; one that
        agrees with it must have been seen to its end.
        """
        k = int(np.argmin(margin + error))
        violated = margin[k] + error[k] < 0
        if not violated:
            k = int(np.argmin(margin))
        accurate = Premise(
            "accurate run",
            f"the numerical error is below {RESOLVED:g} of the scale",
            RESOLVED - float(np.max(error)),
        )
        all_premises = [*premises, accurate, *([] if violated else [self._covered()])]
        witness: dict[str, Any] = {"time": self._time(self.law.times[k]), "record": k}
        numbers = (float(margin[k]), float(error[k]), all_premises, witness)
        return judge(claim.name, claim.statement, *numbers, claim.standing(self.setting))

    def _covered(self) -> Premise:
        """Measure the premise that the flow was seen to its end."""
        coverage = self.flow.coverage
        until = f"tested up to t = {self._time(coverage.until):.6g}"
        return Premise("whole flow", until, 0.0 if coverage.whole else -1.0)

    def _time(self, t: float) -> float:
        """A time in the user's units."""
        return float(self.flow.network.units.time * t)


def shown(shape: tuple[int, int], law: CompressedFlow) -> int:
    """Number of singular values that a comparison looks at.

    Parameters
    ----------
    shape : (int, int)
        (d_out, d_in).
    law : CompressedFlow

    Returns
    -------
    int
    """
    return min(*shape, max(law.targets.size, law.r_hat) + 1)
