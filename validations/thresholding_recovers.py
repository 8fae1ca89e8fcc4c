"""Convergence is recovery, refuted: a completion that stays where it starts, and random ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy.sparse.csgraph

from dlnlab import compression, problems
from dlnlab.claims import Premise
from dlnlab.claims import thresholding as claim
from dlnlab.claims.thresholding import EPS, Stuck
from dlnlab.compression import thresholding
from dlnlab.lab.faults import MISSED, Fault
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["FAULTS", "STEPS", "SUITE", "end", "judge", "told"]

STEPS = 1000


def told(known: Stuck) -> dict[str, Any]:
    """Return the registered counterexample as plain numbers.

    Parameters
    ----------
    known : Stuck

    Returns
    -------
    dict
    """
    return {
        "target": [list(map(float, row)) for row in known.target],
        "mask": [list(row) for row in known.seen],
        "start": [list(map(float, row)) for row in known.start],
        "lam": float(known.penalty),
        "eta": float(known.eta),
        "shape": (2, 2),
    }


def end(told: Mapping[str, Any]) -> np.ndarray:
    """Return the matrix at which the hard rule ends.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    array, shape (d_out, d_in)
    """
    run = compression.singular_value_thresholding(
        problems.completion(np.array(told["target"]), np.array(told["mask"])),
        np.array(told["start"]), penalty=told["lam"], eta=told["eta"], num_steps=STEPS, record=(),
        record_every=STEPS,
    )  # fmt: skip
    return np.asarray(run.weights[0])


def judge(told: Mapping[str, Any]) -> tuple[float, float, list[Premise]]:
    """Return the margin, the rounding of the decompositions, and the premises.

    A matrix of rank one without zeros is determined by entries that connect all rows and columns:
    along them each row of its factor follows from the others.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    margin, error : float
        The scale-free margin, and the bound on its numerical error.
    premises : list of Premise
    """
    M, W, mask = np.array(told["target"]), end(told), np.array(told["mask"])
    rows = len(mask)
    graph = np.zeros((sum(mask.shape),) * 2)
    graph[:rows, rows:] = mask
    parts = scipy.sparse.csgraph.connected_components(graph, directed=False)[0]
    premises = [
        Premise("one matrix fits", "the entries seen connect rows and columns", 1.0 - parts),
        Premise("small step", "α < 1/L_s = 1", 1.0 - told["eta"] - EPS),
    ]
    return claim.recovery_margin(W, M), 100 * STEPS * sum(M.shape) * EPS, premises


def _registered(tally: Tally, task: Task) -> None:
    """The counterexample of the registry, for 1000 steps."""
    known = tally.about.standing().witness
    assert isinstance(known, Stuck)
    margin, error, premises = judge(told(known))
    tally.add(margin, error, premises, told(known))
    tally.reproduce(margin, error)


def _random(tally: Tally, task: Task) -> None:
    """Random matrices of rank one, two thirds of their entries observed, from random starts and
    from zero.
    """
    rng = task.rng
    for number in range(task.count):
        shape = (int(rng.integers(2, 6)), int(rng.integers(2, 6)))
        M = np.outer(*(rng.choice([-1, 1], n) * rng.uniform(0.5, 1.5, n) for n in shape))
        start = rng.standard_normal(shape) if number % 2 else np.zeros(shape)
        case = {
            "target": M.tolist(),
            "mask": (rng.random(shape) < 2 / 3).tolist(),
            "start": start.tolist(),
            "lam": float(10.0 ** rng.uniform(-3, 0)),
            "eta": 0.5,
            "shape": shape,
        }
        if np.any(case["mask"]):
            margin, error, premises = judge(case)
            tally.add(margin, error, premises, case)


SUITE = Suite(
    claim.RECOVERS,
    {"registered": Part(_registered, share=0.0, most=None), "random": Part(_random, share=0.1)},
)


def _first_value(right: Any) -> Any:
    """Keep one singular value, whatever the rule says."""

    def shrunk(W: Any, amount: Any, rule: str) -> Any:
        U, s, Vh = np.linalg.svd(W)
        return s[0] * np.outer(U[:, 0], Vh[0])

    return shrunk


FAULTS = (
    Fault("thresholding_recovers", "rank one always", MISSED, thresholding, "_shrunk",
          _first_value),
    Fault("thresholding_recovers", "every end is the target", MISSED, claim, "recovery_margin",
          lambda right: lambda W, M: right(M, M)),
)  # fmt: skip


def test_thresholding_recovers() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
    assert verdict.reproduced
