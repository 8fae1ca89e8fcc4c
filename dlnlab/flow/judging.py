"""The verdicts of one comparison: every claim's margin on this pair of flows, with its premises."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.claims import assumption1, dominance, proposition1, theorem2
from dlnlab.claims.claim import Claim, Setting
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
    setting = _setting(flow, law)
    balanced, same = flow.network.balancedness, _same_start(flow, law)
    enough = theorem2.enough_rank(law.law.r_hat, law.law.targets.size)
    below = theorem2.small_start(law.law.start, float(law.law.targets[-1]), 8 * EPS)
    unit = 100 * flow.records.blocks.shape[-1] * EPS
    learned = [
        assumption1.all_fitted(constants),
        assumption1.aligned(constants, unit),
        assumption1.taking_turns(constants, unit),
    ]
    dominated = _dominance(setting, flow, law, original, [balanced, same])
    ahead = Premise("dominance", dominated.statement, dominated.margin, dominated.error)
    refined = [balanced, same, enough, below, ahead]
    allowed = theorem2.allowance(law.law.r_hat, law.law.targets.size, min(flow.network.full.shape))
    all_verdicts = [
        _proposition1(setting, flow, law, [balanced]),
        _assumption1(setting, learned),
        _theorem2(setting, law, original, margin_error, [balanced, same, enough, *learned]),
        *(
            _refined(claim, setting, spare, law, original, margin_error, refined)
            for claim, spare in (
                (theorem2.REFINED_CLAIM, law.law.spare),
                (theorem2.SHARP_CLAIM, allowed),
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


def _setting(flow: OriginalFlow, law: Evaluation) -> Setting:
    shape, depth = flow.network.full.shape, len(flow.network.weights)
    return Setting(shape, depth, law.law.targets, law.law.start, law.law.r_hat)


def _proposition1(
    setting: Setting, flow: OriginalFlow, law: Evaluation, premises: Sequence[Premise]
) -> Verdict:
    """Eq. (23) at every record, from the layers' own velocities."""
    margin, error = flow.records["rate_margins"], flow.records["rate_errors"]
    return _worst(proposition1.CLAIM, setting, law.times, margin, error, premises)


def _assumption1(setting: Setting, premises: Sequence[Premise]) -> Verdict:
    """An assumption is not refuted by an instance: it is met there or not."""
    _, vectors, turns = premises
    witness = {"c_vec": -vectors.margin, "waiting": -turns.margin}
    margin = float(np.minimum(vectors.margin, turns.margin))
    claim = assumption1.CLAIM
    return judge(
        claim.name,
        claim.statement,
        margin,
        vectors.error,
        premises,
        witness,
        claim.standing(setting),
    )


def _theorem2(
    setting: Setting,
    law: Evaluation,
    original: Trajectory,
    error: np.ndarray,
    premises: Sequence[Premise],
) -> Verdict:
    size = float(np.sum(law.law.targets**2))
    margin = theorem2.margins(np.asarray(original.errors), law.errors()) / size
    return _worst(theorem2.CLAIM, setting, law.times, margin, error / size, premises)


def _refined(
    claim: Claim,
    setting: Setting,
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
    return _worst(claim, setting, law.times, margin / size, error / size, premises)


def _dominance(
    setting: Setting,
    flow: OriginalFlow,
    law: Evaluation,
    original: Trajectory,
    premises: Sequence[Premise],
) -> Verdict:
    values, size = np.asarray(original.singular_values), law.law.targets[0]
    margin = dominance.margins(values, law.leading(values.shape[1])) / size
    error = (flow.error + law.rounding()) / size
    return _worst(dominance.CLAIM, setting, law.times, margin, error, premises)


def _worst(
    claim: Claim,
    setting: Setting,
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
    numbers, standing = (float(margin[k]), float(error[k])), claim.standing(setting)
    return judge(claim.name, claim.statement, *numbers, all_premises, witness, standing)
