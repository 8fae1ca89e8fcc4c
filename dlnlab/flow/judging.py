"""The verdicts of one comparison: every claim's margin on this pair of flows, with its premises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.claims import assumption1, dominance, proposition1, theorem2
from dlnlab.claims.verdict import Premise, Verdict, judge
from dlnlab.flow.compressed import Evaluation
from dlnlab.flow.original import OriginalFlow
from dlnlab.trajectory import Trajectory

__all__ = ["verdicts"]

EPS = float(np.finfo(float).eps)

RESOLVED = 1e-3
"""A run whose numerical error exceeds this fraction of the scale of a claim says nothing on it."""


def verdicts(
    flow: OriginalFlow,
    law: Evaluation,
    original: Trajectory,
    constants: assumption1.Constants,
    margin_error: np.ndarray,
) -> dict[str, Verdict]:
    """Judge every claim that a comparison can see.

    Parameters
    ----------
    flow, original
        The original network's flow and its trajectory.
    law
        The compressed network's flow on the same grid.
    constants
        Assumption 1, measured on the original network.
    margin_error
        Bound on the numerical error of the difference of squared errors.
    """
    balanced, same = flow.network.balancedness, _same_start(flow, law)
    enough = theorem2.enough_rank(law.law.r_hat, law.law.targets.size)
    below = theorem2.small_start(law.law.start, float(law.law.targets[-1]), 8 * EPS)
    unit = 100 * flow.records.blocks.shape[-1] * EPS
    learned = [
        assumption1.all_fitted(constants),
        assumption1.aligned(constants, unit),
        assumption1.taking_turns(constants, unit),
    ]
    dominated = _dominance(flow, law, original, [balanced, same])
    ahead = Premise("dominance", dominated.statement, dominated.margin, dominated.error)
    refined = [balanced, same, enough, below, ahead]
    allowed = theorem2.allowance(law.law.r_hat, law.law.targets.size, min(flow.network.full.shape))
    all_verdicts = [
        _proposition1(flow, law, [balanced]),
        _assumption1(learned),
        _theorem2(law, original, margin_error, [balanced, same, enough, *learned]),
        *(
            _refined(claim, statement, spare, law, original, margin_error, refined)
            for claim, statement, spare in (
                ("theorem2_refined", theorem2.REFINED_STATEMENT, law.law.spare),
                ("theorem2_sharp", theorem2.SHARP_STATEMENT, allowed),
            )
        ),
        dominated,
    ]
    return {verdict.claim: verdict for verdict in all_verdicts}


def _same_start(flow: OriginalFlow, law: Evaluation) -> Premise:
    network = flow.network
    start = networks.prefix_products(network.weights)[-1]
    rounding = 10 * network.balancedness.error
    return dominance.same_start(network.problem.singular_values(start), law.law.start, rounding)


def _proposition1(flow: OriginalFlow, law: Evaluation, premises: Sequence[Premise]) -> Verdict:
    """Eq. (23) at every record, from the layers' own velocities."""
    margin, error = flow.records["rate_margins"], flow.records["rate_errors"]
    return _worst("proposition1", proposition1.STATEMENT, law.times, margin, error, premises)


def _assumption1(premises: Sequence[Premise]) -> Verdict:
    """An assumption is not refuted by an instance: it is met there or not."""
    _, vectors, turns = premises
    witness = {"c_vec": -vectors.margin, "waiting": -turns.margin}
    margin = float(np.minimum(vectors.margin, turns.margin))
    return judge("assumption1", assumption1.STATEMENT, margin, vectors.error, premises, witness)


def _theorem2(
    law: Evaluation, original: Trajectory, error: np.ndarray, premises: Sequence[Premise]
) -> Verdict:
    size = float(np.sum(law.law.targets**2))
    margin = theorem2.margins(np.asarray(original.errors), law.errors()) / size
    return _worst("theorem2", theorem2.STATEMENT, law.times, margin, error / size, premises)


def _refined(
    claim: str,
    statement: str,
    spare: int,
    law: Evaluation,
    original: Trajectory,
    error: np.ndarray,
    premises: Sequence[Premise],
) -> Verdict:
    """Theorem 2 with a correction of `spare` times β^{2L}."""
    size = float(np.sum(law.law.targets**2))
    errors = np.asarray(original.errors), law.errors()
    margin = theorem2.refined_margins(*errors, spare, law.residual)
    return _worst(claim, statement, law.times, margin / size, error / size, premises)


def _dominance(
    flow: OriginalFlow, law: Evaluation, original: Trajectory, premises: Sequence[Premise]
) -> Verdict:
    values, size = np.asarray(original.singular_values), law.law.targets[0]
    margin = dominance.margins(values, law.leading(values.shape[1])) / size
    error = (flow.error + law.rounding()) / size
    return _worst("dominance", dominance.STATEMENT, law.times, margin, error, premises)


def _worst(
    claim: str,
    statement: str,
    times: np.ndarray,
    margin: np.ndarray,
    error: np.ndarray,
    premises: Sequence[Premise],
) -> Verdict:
    """Judge by the lowest margin, or by a higher one if that is more clearly below zero."""
    k = int(np.argmin(margin + error))
    if margin[k] + error[k] >= 0:
        k = int(np.argmin(margin))
    accurate = Premise(
        "accurate run",
        f"the numerical error is below {RESOLVED:g} of the scale",
        RESOLVED - float(np.max(error)),
    )
    witness: dict[str, Any] = {"time": float(times[k]), "record": k}
    all_premises = [*premises, accurate]
    return judge(claim, statement, float(margin[k]), float(error[k]), all_premises, witness)
