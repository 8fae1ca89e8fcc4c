"""Eq. (13) with a positive c_vec: refuted however small that is, in two dimensions."""

from __future__ import annotations

import numpy as np

from dlnlab.claims import Premise, closed_form, eq13, theorem2
from dlnlab.lab import witnesses
from dlnlab.lab.cases import EPS
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally
from dlnlab.reductions import modes

__all__ = ["LATEST", "RECORDS", "SUITE", "WITHIN", "follow"]

WITHIN = 0.05
"""A value counts as fitted within this fraction of its target."""

RECORDS = 200
LATEST = 30.0
"""How long the networks are followed after t_1, in units of the residual value's time 1/ε²."""


def follow(
    times: np.ndarray, sigma: float, eps: float, angle: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the margin of Eq. (13) for r̂ = 2 over σ², and its rounding.

    Parameters
    ----------
    times : array, shape (times,)
    sigma : float
        σ, the only singular value of the target.
    eps : float
        Singular value ε of the starting layers.
    angle : float
        Of the start's rotation.

    Returns
    -------
    margin, error : array, shape (times,)
    """
    wide = closed_form.plane_flow(times, sigma, eps, angle)
    narrow = modes.flow(times, np.array([sigma, 0.0]), eps, 2)
    goal = np.diag([sigma, 0.0])
    wide_error = np.linalg.norm(wide - goal, axis=(-2, -1))
    narrow_error = np.hypot(narrow[:, 0] - sigma, narrow[:, 1])
    # every entry is off by units of its size
    shifts = (32 * EPS * (sigma + wide_error), 32 * EPS * (sigma + narrow_error))
    error = theorem2.margin_error(wide_error, narrow_error, *shifts, 2)
    return theorem2.margins(wide_error, narrow_error) / sigma**2, error / sigma**2


def _attack(tally: Tally, sigma: float, eps: float, angle: float, c_vec: float) -> None:
    """Count one start that meets Assumption 1 with `c_vec`, judged by its worst record."""
    turn, tilt = abs(np.tan(angle / 2)), np.tan(np.arccos(1 - c_vec))
    aligned = max(np.log(turn / tilt), 0.0) / sigma  # tan a = Te^{−σt}
    fitted = float(modes.fitting_times([sigma], eps, 2, within=WITHIN)[0])
    late = np.geomspace(1e-2, LATEST, RECORDS) * (1 / eps**2 + 1 / sigma)
    times = max(aligned, fitted) + late
    margin, error = follow(times, sigma, eps, angle)
    k = int(np.argmin(margin + error))
    told = {"sigma": sigma, "eps": eps, "angle": angle, "c_vec": c_vec, "time": float(times[k])}
    premises = [Premise("c_vec > 0", "Assumption 1 holds with this c_vec after t_1", c_vec)]
    tally.add(float(margin[k]), float(error[k]), premises, told)


def _registered(tally: Tally, task: Task) -> None:
    """The smallest known counterexample, at the time for which its margin is enclosed."""
    known = witnesses.of(tally.about)
    angle = float(np.arctan2(float(known.sine), float(known.cosine)))
    sigma, eps = float(known.targets[0]), float(known.eps)
    time = float(known.time)
    margin, error = follow(np.array([time]), sigma, eps, angle)
    tilt = np.arctan(np.tan(angle / 2) * np.exp(-sigma * time))
    c_vec = float(2 * np.sin(tilt / 2) ** 2)  # 1 − cos, without cancellation
    told = {"sigma": sigma, "eps": eps, "angle": angle, "c_vec": c_vec, "time": time}
    premises = [Premise("c_vec > 0", "Assumption 1 holds with this c_vec after t_1", c_vec)]
    tally.add(float(margin[0]), float(error[0]), premises, told)
    tally.reproduce(float(margin[0]), float(error[0]))


def _random(tally: Tally, task: Task) -> None:
    """Random rotations and ε with c_vec from 0.1 down to 1e-9, and t_1 as late as this requires."""
    rng = task.rng
    for _ in range(task.count):
        sigma, eps = float(rng.uniform(0.2, 3)), float(rng.uniform(0.05, 0.5))
        angle = float(rng.uniform(0.3, 3.0) * rng.choice([-1, 1]))
        _attack(tally, sigma, eps, angle, float(10 ** rng.uniform(-9, -1)))


SUITE = Suite(
    eq13.SMALL_C_VEC,
    {"registered": Part(_registered, share=0.0), "random": Part(_random)},
)


def test_eq13_small_c_vec() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.contradicted, verdict
