"""The invariant subspace, refuted: the registered perceptron, and others on clusters."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlnlab import nets
from dlnlab.claims import invariant_subspace as claim
from dlnlab.experiments import penultimate
from dlnlab.lab import samples
from dlnlab.lab.faults import MISSED, Fault
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["FAULTS", "RECORDS", "SUITE", "judge", "trained"]

RECORDS = 60


def trained(known: claim.Turning) -> np.ndarray:
    """Return the penultimate matrix of the registered perceptron before, between and after.

    Parameters
    ----------
    known : Turning

    Returns
    -------
    array, shape (3, 2, 2)
    """
    weights = [[[1], [1]], [[1, 0], [0, 1]], known.penultimate, known.last]
    params = {f"W{k}": np.array(W, dtype=float) for k, W in enumerate(weights, 1)}
    run = nets.train(
        nets.mlp(1, 2, 2),
        params,
        (np.ones((1, 1)), np.zeros(1, dtype=int)),
        method="sgd",
        eta=float(known.eta),
        num_steps=2,
        schedule="constant",
        loss="squared",
        record_every=1,
        record=("end_to_end",),
    )
    return np.asarray(run.end_to_end)


def judge(tally: Tally, matrices: np.ndarray, r: int, told: dict[str, Any]) -> tuple[float, float]:
    """Judge the records of a square matrix; return the margin and its error.

    Parameters
    ----------
    tally : Tally
    matrices : array, shape (records, d, d)
    r : int
        Dimension of the subspaces.
    told : dict
        What the instance is told by.

    Returns
    -------
    (float, float)
    """
    d = matrices.shape[-1]
    steps, turned = penultimate.turns(matrices, r)
    random = claim.random_distance(r, d)
    s = np.linalg.svd(matrices, compute_uv=False)
    gap = float(np.min((s[:, r - 1] - s[:, r]) / s[:, 0]))
    premises = [claim.small_steps(max(steps) / random), claim.defined(gap)]
    margin = claim.margin(turned / random)
    error = claim.rounding(r, d, gap) if gap > 0 else 1.0
    tally.add(margin, error, premises, told | {"r": r, "gap": gap})
    return margin, error


def _registered(tally: Tally, task: Task) -> None:
    """The counterexample of the registry: two steps."""
    known = tally.about.standing().witness
    assert isinstance(known, claim.Turning)
    tally.reproduce(*judge(tally, trained(known), 1, {"eta": float(known.eta), "steps": 2}))


def _random(tally: Tally, task: Task) -> None:
    """Perceptrons on clusters, by gradient descent and Adam in turn, from record to record."""
    rng = task.rng
    for number in range(task.count):
        inputs, width, classes = (int(n) for n in rng.integers((3, 6, 2), (9, 17, 5)))
        X, y = samples.clusters(rng, 40, inputs, classes)
        method, largest = (("sgd", 0.3), ("adam", 0.01))[number % 2]
        eta = largest * 10.0 ** rng.uniform(-1, 0)
        model = nets.mlp(inputs, width, classes)
        run = nets.train(
            model,
            model.init(rng),
            (np.sqrt(inputs) * X, y),
            method=method,
            eta=eta,
            num_steps=5 * RECORDS,
            schedule="constant",
            record_every=5,
            record=("end_to_end",),
        )
        told = {"method": method, "eta": eta, "seed": task.seed, "number": number}
        told |= {"inputs": inputs, "width": width, "classes": classes}
        judge(tally, np.asarray(run.end_to_end), int(rng.integers(1, classes + 1)), told)


SUITE = Suite(
    claim.CLAIM,
    {"registered": Part(_registered, share=0.0, most=None), "random": Part(_random, share=0.05)},
)


def _only_the_last_step(right: Any) -> Any:
    def turns(matrices: Any, r: int) -> Any:
        steps, _ = right(matrices, r)
        return steps, steps[-1]

    return turns


FAULTS = (
    Fault("invariant_subspace", "the last record against the one before", MISSED, penultimate,
          "turns", _only_the_last_step),
    Fault("invariant_subspace", "sines of the fourth power", MISSED, penultimate, "_distance",
          lambda right: lambda before, after: right(before, after) ** 2),
)  # fmt: skip


def test_invariant_subspace() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
    assert verdict.reproduced
