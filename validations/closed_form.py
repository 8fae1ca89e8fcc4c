"""The closed form of the compressed flow against its integration on full matrices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlnlab import networks, problems
from dlnlab.claims import Premise, closed_form
from dlnlab.flow.two_runs import LOOSER, bound_so_far
from dlnlab.lab import search, strategies
from dlnlab.lab.cases import Case, random_cases
from dlnlab.lab.flows import RTOL, quiet_flow
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally
from dlnlab.reductions import modes

__all__ = ["HUNTED", "RECORDS", "SUITE", "WAITS", "Integrated", "integrate", "time_error"]

HUNTED = strategies.cases(values=(1.0, 0.5, 2.0, 0.2), scales=(0.5, 0.3, 0.2, 1.0, 2.0))
RECORDS = 40
WAITS = 3.0
"""How long a flow is followed, in units of the time of its slowest mode."""


@dataclass(frozen=True)
class Integrated:
    """The compressed flow of one case, integrated and in closed form.

    Attributes
    ----------
    times : array, shape (records,)
    matrices : array, shape (records, d_out, d_in)
        As integrated.
    left, right : array, shapes (d_out, r̂), (d_in, r̂)
        U_r̂ and V_r̂.
    values : array, shape (records, r̂)
        In closed form.
    error : float
        Bound on the integration's error, in units of the largest value.
    """

    times: np.ndarray
    matrices: np.ndarray
    left: np.ndarray
    values: np.ndarray
    right: np.ndarray
    error: float


def integrate(case: Case) -> Integrated:
    """Integrate the compressed flow until some time after its slowest mode.

    Parameters
    ----------
    case : Case

    Returns
    -------
    Integrated
    """
    problem = problems.factorization(case.target)
    start = networks.compressed_weights(problem, case.r_hat, case.depth, case.eps)
    positive = case.values[: case.rank]
    ends = modes.fitting_times(positive, case.eps, case.depth, within=0.05)
    largest = max(case.spectrum[0], case.eps**case.depth)
    t_end = WAITS * float(np.max(ends)) + 1 / largest ** (2 - 2 / case.depth)
    times = np.linspace(0, t_end, RECORDS)
    tight, loose = (
        quiet_flow(
            problem,
            start,
            t_end=t_end,
            rtol=rtol,
            times=times[1:],
            record=("end_to_end",),
            stationarity=0.0,
        ).end_to_end
        for rtol in (RTOL, LOOSER * RTOL)
    )
    assert tight is not None  # asked for
    assert loose is not None
    values = modes.flow(times, case.values[: case.r_hat], case.eps, case.depth)
    left, right = start[-1] / case.eps, start[0].T / case.eps
    distance = np.linalg.norm(tight - loose, axis=(-2, -1)) / largest
    error = float(bound_so_far(distance)[-1])
    error += 100 * case.depth * RTOL  # one step's share
    return Integrated(times, tight, left, values, right, error)


def _attack(tally: Tally, case: Case) -> float:
    """Count one case, judged by its worst record; return how bad that is."""
    run = integrate(case)
    margin = closed_form.margins(run.matrices, run.left, run.values, run.right)
    k = int(np.argmin(margin))
    told = {"time": float(run.times[k])}
    tally.add(float(margin[k]), run.error, [], lambda: case.witness() | told)
    return -float(margin[k])


def _attack_time(tally: Tally, rng: np.random.Generator) -> None:
    """Count one fitting time against its leading term and the bound on the rest."""
    depth, sigma = int(rng.integers(3, 8)), float(10.0 ** rng.uniform(-2, 2))
    share, below = float(rng.uniform(0.05, 0.99)), float(10.0 ** rng.uniform(-12, -0.01))
    eps = (below * share * sigma) ** (1 / depth)
    time = float(modes.fitting_times([sigma], eps, depth, within=1 - share)[0])
    premises = [Premise("from below", "ε^L < θσ*", 1 - below)]
    told = {"sigma": sigma, "share": share, "eps": eps, "depth": depth, "part": "fitting time"}
    margin = closed_form.time_margins(time, sigma, share, eps, depth)
    tally.add(margin, time_error(below), premises, told)


def time_error(below: float) -> float:
    """Bound the relative error of a fitting time where ε^L is `below` times θσ*.

    The time is a difference of two values of H, each good to some hundred units of rounding; it
    loses digits as ε^L approaches θσ*, where both are close.

    Parameters
    ----------
    below : float
        ε^L over θσ*, less than 1.

    Returns
    -------
    float
    """
    return 1e3 * float(np.finfo(float).eps) / (1 - below)


def _random(tally: Tally, task: Task) -> None:
    """Flows of full matrices integrated by a Runge-Kutta method against the closed form."""
    rng = task.rng
    for _ in range(task.count):
        shape = (int(rng.integers(1, 6)), int(rng.integers(1, 6)))
        depth, eps = int(rng.integers(2, 6)), float(rng.uniform(0.2, 1.1))
        _attack(tally, random_cases(rng, 1, shape, depth, eps, enough_rank=False)[0])


def _times(tally: Tally, task: Task) -> None:
    """Fitting times over 20 orders of magnitude of ε against their leading term and its bound."""
    rng = task.rng
    for _ in range(task.count):
        _attack_time(tally, rng)


def _climb(tally: Tally, task: Task) -> None:
    """A search for the largest deviation from the integrated flow."""
    search.climb(HUNTED, lambda case: _attack(tally, case), examples=task.count, seed=task.seed)


SUITE = Suite(
    closed_form.CLAIM,
    {
        "random": Part(_random, share=0.25, most=250),
        "fitting times": Part(_times, share=4.0, most=10_000),
        "climb": Part(_climb, share=0.5, most=500, search=True),
    },
)


def test_closed_form() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
