"""Column norms without a penalty: the limits of many runs against Haar's law."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy.stats

from dlnlab import compression, networks, problems
from dlnlab.claims import Premise, pruning
from dlnlab.lab.faults import REFUTED, Fault
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["FAULTS", "LEVEL", "RUNS", "STEPS", "SUITE", "Frames", "descend", "judge"]

RUNS, STEPS = 250, 600
LEVEL = 1e-9
"""Probability with which an instance fails though the claim is true."""


class Frames(NamedTuple):
    """Statistics of the limits U⋆Q, and how far each Q is from a frame.

    Attributes
    ----------
    norms, entries : array, shape (runs,)
        ‖Qe_1‖², and (aᵀQb)² for unit vectors a and b.
    apart : float
        The largest entry of QQᵀ − I.
    """

    norms: np.ndarray
    entries: np.ndarray
    apart: float


def descend(told: Mapping[str, Any]) -> Frames:
    """Descend without a penalty from many Gaussian starts.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    Frames
    """
    rng, sigma = np.random.default_rng(told["seed"]), np.array(told["sigma"])
    d, k = told["shape"]
    U = np.linalg.qr(rng.standard_normal((d, len(sigma))))[0] * sigma
    run = compression.group_lasso(
        problems.factorization(U @ U.T), k, penalty=0.0, smoothing=1.0, eta=0.1 / sigma[0] ** 2,
        num_steps=STEPS, eps=0.3, rng=told["seed"], batch=(RUNS,), record=(), record_every=STEPS,
    )  # fmt: skip
    Q = np.linalg.pinv(U) @ run.factor
    a, b = np.ones(len(sigma)) / np.sqrt(len(sigma)), np.eye(k)[0]
    apart = float(np.max(np.abs(Q @ Q.mT - np.eye(len(sigma)))))
    return Frames(np.sum(Q[..., 0] ** 2, axis=-1), (a @ Q @ b) ** 2, apart)


def judge(told: Mapping[str, Any]) -> tuple[float, float, list[Premise]]:
    """Compare both laws with Haar's, by the distance that chance allows.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    margin, error : float
        The room that is left, and the error of limits not reached.
    premises : list of Premise
    """
    found, k = descend(told), told["shape"][1]
    pairs = (
        (found.norms, pruning.law_of_norms(len(told["sigma"]), k)),
        (found.entries, pruning.law_of_entries(k)),
    )
    distance = max(float(scipy.stats.kstest(x, law.cdf).statistic) for x, law in pairs)
    # a frame next to Q has squares that differ by 2·apart at most, and so much more of the law
    shift = 2 * found.apart
    error = max(float(np.max(law.cdf(x + shift) - law.cdf(x - shift))) for x, law in pairs)
    fits = Premise("exact fit", "max |QQᵀ − I| ≤ 1e-4", 1 - found.apart / 1e-4)
    return pruning.allowed_distance(RUNS, LEVEL) - distance, error, [fits]


def _random(tally: Tally, task: Task) -> None:
    """250 runs from Gaussian starts for each instance: the laws of a squared column norm and of a
    squared entry against those of Haar frames; a true claim fails once in 10⁹ instances.
    """
    rng = task.rng
    for _ in range(task.count):
        r = int(rng.integers(1, 4))
        told = {
            "shape": (r + int(rng.integers(0, 2)), r + int(rng.integers(1, 6))),
            "sigma": np.sort(rng.uniform(0.7, 1.3, r))[::-1].tolist(),
            "seed": int(rng.integers(0, 2**31)),
        }
        margin, error, premises = judge(told)
        tally.add(margin, error, premises, told)


SUITE = Suite(pruning.HAAR, {"random": Part(_random, share=0.05)})


def _longer(right: Any) -> Any:
    """Starts whose first column is three times as long: turns change this law."""

    def weights(*args: Any, **options: Any) -> Any:
        first, last = right(*args, **options)
        last = last.copy()
        last[..., 0] *= 3
        return first, last

    return weights


FAULTS = (
    Fault("haar_columns", "starts that turns change", REFUTED, networks, "two_factors",
          _longer),
    Fault("haar_columns", "the law of one dimension more", REFUTED, pruning, "law_of_norms",
          lambda right: lambda r, k: right(r + 1, k + 1)),
)  # fmt: skip


def test_haar_columns() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
