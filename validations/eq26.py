"""Eq. (26), that the next value waits at ε^L until t_i: refuted by every network that is tried."""

from __future__ import annotations

import numpy as np

from dlnlab.claims import Premise, Verdict, eq26
from dlnlab.lab import witnesses
from dlnlab.lab.cases import EPS
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally
from dlnlab.reductions import modes

__all__ = ["RECORDS", "SUITE", "WITHIN", "before", "rounding"]

WITHIN = 0.05
"""A value counts as fitted within this fraction of its target; the closer, the later t_i."""

RECORDS = 20


def before(targets: list[float], eps: float, depth: int) -> tuple[np.ndarray, np.ndarray]:
    """Follow σ̃_2 until the first value is fitted.

    Parameters
    ----------
    targets : list of float
        σ_1* and σ_2*.
    eps : float
        Singular value ε of the starting layers.
    depth : int
        Depth L.

    Returns
    -------
    times, values : array, shape (records,)
    """
    t_1 = float(modes.fitting_times([targets[0]], eps, depth, within=WITHIN)[0])
    times = t_1 * np.arange(RECORDS + 1) / (RECORDS + 1)
    return times, modes.flow(times, np.array(targets), eps, depth)[:, 1]


def rounding(times: np.ndarray, values: np.ndarray, target: float, depth: int) -> float:
    """Bound the rounding of the closed form over σ_2*: see `dlnlab.flow.compressed`.

    Parameters
    ----------
    times, values : array, shape (records,)
    target : float
        σ_2*.
    depth : int
        Depth L.

    Returns
    -------
    float
    """
    speed = depth * values ** (2 - 2 / depth) * np.abs(values - target) * times
    return 8 * EPS * float(np.max(values + speed)) / target


def _attack(tally: Tally, targets: list[float], eps: float, depth: int) -> None:
    """Count one compressed network of two targets, judged by its worst record before t_1."""
    start = eps**depth
    times, values = before(targets, eps, depth)
    margin = eq26.margins(values, start, targets[1])
    k = int(np.argmin(margin))
    premises = [
        Premise("t_1 > 0", "the first value is not fitted from the start", float(times[-1]) - EPS),
        Premise("sigma_2 != eps^L", "σ_2* ≠ ε^L", abs(targets[1] / start - 1) - 1e-6),
    ]
    told = {"spectrum": targets, "eps": eps, "depth": depth, "time": float(times[k])}
    error = rounding(times, values, targets[1], depth)
    tally.add(float(margin[k]), error, premises, told)
    tally.note("waits", bool(margin[k] >= -error))


def _registered(tally: Tally, task: Task) -> None:
    """The smallest known counterexample."""
    known = witnesses.of(tally.about)
    targets, eps, time = [float(s) for s in known.targets], float(known.eps), float(known.time)
    _attack(tally, targets, eps, known.depth)
    value = modes.flow(np.array([time]), np.array(targets), eps, known.depth)[:, 1]
    margin = float(eq26.margins(value, eps**known.depth, targets[1])[0])
    tally.reproduce(margin, rounding(np.array([time]), value, targets[1], known.depth))


def _random(tally: Tally, task: Task) -> None:
    """The compressed network's second value before the first is fitted, over 8 decades of ε^L."""
    rng = task.rng
    for _ in range(task.count):
        depth, second = int(rng.integers(2, 7)), float(rng.uniform(0.05, 1.0))
        _attack(tally, [1.0, second], float(10 ** rng.uniform(-8, -0.5)) ** (1 / depth), depth)


def _conclude(tally: Tally) -> Verdict:
    """The worst network, and how many there are in which the value does wait."""
    return tally.verdict(networks_in_which_it_waits=sum(tally.notes["waits"]))


SUITE = Suite(
    eq26.CLAIM, {"registered": Part(_registered, share=0.0), "random": Part(_random)}, _conclude
)


def test_eq26() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.contradicted, verdict
    assert verdict.witness["networks_in_which_it_waits"] == 0
