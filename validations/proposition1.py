"""Proposition 1 along integrated flows: from the layers' velocities, and by differencing.

Semi-orthogonal layers that are wider inside than at an end are not balanced: there the premise must
be found unmet, and the violation of the formula is reported beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from dlnlab import networks, problems
from dlnlab.claims import proposition1
from dlnlab.lab.cases import EPS, Case, random_cases, stack
from dlnlab.lab.flows import RTOL, draw_groups, quiet_flow
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally
from dlnlab.numerics import spectra

__all__ = [
    "APART",
    "RECORDS",
    "STEP",
    "SUITE",
    "UNBALANCED",
    "Differences",
    "Flow",
    "along_flows",
    "around",
    "beyond_both_ends",
    "difference",
    "integrate",
    "moment",
    "noise",
    "simple_values",
    "units",
]

RECORDS = 12
STEP = 1e-3
"""h, in units of the time 1/(L σ_1*^{2−2/L}) in which a rate changes."""

APART = 1e-2
"""Differences are taken of simple values only: sorted values have kinks where two of them meet."""

UNBALANCED = (((1, 1), 2), ((2, 2), 3), ((3, 2), 4))
"""Shapes with hidden widths beyond both ends."""


@dataclass(frozen=True)
class Flow:
    """Integrated flows of wide networks of one shape, L, ε and width.

    Attributes
    ----------
    times : array, shape (records,)
    weights : tuple of arrays, shape (cases, d_l, d_{l−1})
        At the start.
    layers : tuple of arrays, shape (records, cases, d_l, d_{l−1})
    gradient : array, shape (records, cases, d_out, d_in)
        ∇ℓ(W_{L:1}).
    speed : float
        What `dlnlab.claims.proposition1.margins` divides by.
    error : array, shape (records, cases)
        Bound on the numerical error of those margins.
    """

    times: np.ndarray
    weights: networks.Weights
    layers: networks.Weights
    gradient: np.ndarray
    speed: float
    error: np.ndarray

    def margins(self) -> np.ndarray:
        """Return the margins, shape (records, cases).

        Returns
        -------
        array, shape (records, cases)
        """
        return proposition1.margins(self.layers, self.gradient, self.speed)


def integrate(cases: list[Case]) -> Flow:
    """Integrate the flows of cases of one shape, L, ε and width.

    Parameters
    ----------
    cases : list of Case
        Of one shape, depth, ε and width.

    Returns
    -------
    Flow
    """
    targets, weights = stack(cases)
    problem = problems.factorization(targets)
    depth, scale = cases[0].depth, max(1.0, cases[0].eps ** cases[0].depth)
    largest = scale ** (2 - 2 / depth)
    t_end = min(200.0, 5 * cases[0].eps ** (2 - depth) + 5) / largest
    times = np.linspace(0, t_end, RECORDS)
    run = quiet_flow(
        problem,
        weights,
        t_end=t_end,
        rtol=RTOL,
        times=times[1:],
        record=("layers",),
        stationarity=0.0,
    )
    assert run.layers is not None  # asked for
    gradient = problem.gradient(networks.prefix_products(run.layers)[-1])
    error = proposition1.numerical_error(run.layers)
    return Flow(times, weights, run.layers, gradient, scale, error)


def _attack(tally: Tally, cases: list[Case]) -> None:
    """Count cases of one shape, L, ε and width, each judged by its worst record."""
    run = integrate(cases)
    margin, error = run.margins(), run.error
    for k, case in enumerate(cases):
        record = int(np.argmin(margin[:, k] + error[:, k]))
        premises = [proposition1.balancedness(tuple(W[k] for W in run.weights))]
        told = {"time": float(run.times[record]), "part": "velocities"}
        tally.add(
            float(margin[record, k]),
            float(error[record, k]),
            premises,
            lambda case=case, told=told: case.witness() | told,  # type: ignore[misc]
        )


@dataclass(frozen=True)
class Differences:
    """Rates at one time, by differencing and by the formula.

    Attributes
    ----------
    time : float
    values : array, shape (n,)
        σ_i.
    measured, predicted : array, shape (..., n)
        The difference quotient, and the formula, of σ_i or of vectors (u_i, v_i).
    margin, error : array, shape (..., n)
    simple : array of bool, shape (n,)
        Which values are apart from the others.
    """

    time: float
    values: np.ndarray
    measured: np.ndarray
    predicted: np.ndarray
    margin: np.ndarray
    error: np.ndarray
    simple: np.ndarray


def around(case: Case, middle: float) -> tuple[np.ndarray, np.ndarray] | None:
    """Follow the original flow around one time.

    Parameters
    ----------
    case : Case
    middle : float
        That time.

    Returns
    -------
    tuple or None
        Five times, `STEP` units apart, and W at them, shape (5, d_out, d_in); None if the flow
        diverged.
    """
    problem, weights = problems.factorization(case.target), case.weights()
    _, unit = units(case)
    times = middle + STEP * unit * np.arange(-2, 3)
    run = quiet_flow(
        problem,
        weights,
        t_end=float(times[-1]),
        rtol=1e-12,
        times=times,
        record=("end_to_end",),
        stationarity=0.0,
    )
    assert run.end_to_end is not None  # asked for
    return None if run.times[-1] < times[-1] else (times, run.end_to_end[-5:])


def difference(case: Case, middle: float) -> Differences | None:
    """Compare the singular values of one case around one time; None if its flow diverged.

    Parameters
    ----------
    case : Case
    middle : float
        That time.

    Returns
    -------
    Differences or None
    """
    found = around(case, middle)
    if found is None:
        return None
    (times, seen), (largest, unit) = found, units(case)
    values = spectra.singular_values(seen)
    gradient = problems.factorization(case.target).gradient(seen[2])
    predicted = proposition1.rates(seen[2], gradient, case.depth)
    speed = largest / unit
    margin, error = proposition1.difference_margins(values, STEP * unit, predicted, speed)
    error = error + noise(case)
    measured = proposition1.quotient(values, STEP * unit)
    simple = simple_values(values[2], largest)
    return Differences(float(times[2]), values[2], measured, predicted, margin, error, simple)


def noise(case: Case) -> float:
    """Return the numerical error of a difference quotient of matrices, in its own units.

    Neighbouring records share the errors of the steps before them; a difference keeps that of the
    last step, 1e-12 relative, and of the decomposition, divided by h.

    Parameters
    ----------
    case : Case

    Returns
    -------
    float
    """
    return (1e-11 + 10 * max(case.shape) * EPS) / STEP


def moment(case: Case, share: float) -> float:
    """Return a time, a share of the way through, that leaves room for differences around it.

    Parameters
    ----------
    case : Case
    share : float
        In (0, 1).

    Returns
    -------
    float
    """
    largest, unit = units(case)
    return share * (2 * case.eps ** (2 - case.depth) + 5) / largest + 3 * STEP * unit


def units(case: Case) -> tuple[float, float]:
    """Return the size of the matrices, and the time in which a rate changes.

    Parameters
    ----------
    case : Case

    Returns
    -------
    size, time : float
    """
    largest = max(case.spectrum[0], case.eps**case.depth)
    return largest, 1 / (case.depth * largest ** (2 - 2 / case.depth))


def _attack_by_differencing(tally: Tally, case: Case, share: float) -> None:
    """Count the simple singular values of one case at one time, a share of the way through."""
    middle = moment(case, share)
    found, premises = difference(case, middle), [proposition1.balancedness(case.weights())]
    if found is None:
        told = {"time": middle, "part": "the flow diverged"}
        tally.add(-np.inf, 0.0, premises, lambda: case.witness() | told)
    elif found.simple.any():
        k = int(np.argmin(np.where(found.simple, found.margin + found.error, np.inf)))
        told = {"time": found.time, "value": k, "part": "differencing"}
        tally.add(
            float(found.margin[k]), float(found.error[k]), premises, lambda: case.witness() | told
        )


def simple_values(values: np.ndarray, scale: float) -> np.ndarray:
    """Tell which singular values are apart from their neighbours, and from zero.

    Parameters
    ----------
    values : array, shape (k,)
        In falling order.
    scale : float
        Size of the matrix.

    Returns
    -------
    array of bool, shape (k,)
    """
    padded = np.concatenate([[np.inf], values, [0.0]])
    gaps = np.minimum(padded[:-2] - values, values - padded[2:])
    return gaps > APART * scale


def along_flows(
    tally: Tally,
    task: Task,
    attack: Callable[[Tally, list[Case]], None],
    by_differencing: Callable[[Tally, Case, float], None],
) -> None:
    """Attack batches of random cases, and every eighth case by differencing too.

    Parameters
    ----------
    tally : Tally
        Counts the instances.
    task : Task
        How many instances, and their generator.
    attack : callable
        Counts a batch of cases.
    by_differencing : callable
        Counts a case at a share of its run.
    """
    rng = task.rng
    for cases in draw_groups(rng, task.count, enough_rank=False):
        attack(tally, cases)
        for case in cases[: max(1, len(cases) // 8)]:
            by_differencing(tally, case, float(rng.uniform(0.1, 1.0)))


def beyond_both_ends(tally: Tally, task: Task, attack: Callable[[Tally, list[Case]], None]) -> None:
    """Attack networks that are wider inside than at both ends.

    Parameters
    ----------
    tally : Tally
        Counts the instances.
    task : Task
        How many instances, and their generator.
    attack : callable
        Counts a batch of cases.
    """
    rng = task.rng
    for shape, width in UNBALANCED:
        for depth in (2, 3):
            attack(tally, random_cases(rng, max(2, task.count), shape, depth, 0.3, width=width))


def _random(tally: Tally, task: Task) -> None:
    """σ̇ along integrated flows, from the layers' velocities and by differencing."""
    along_flows(tally, task, _attack, _attack_by_differencing)


def _unbalanced(tally: Tally, task: Task) -> None:
    """Hidden widths beyond both ends, where the start is not balanced."""
    beyond_both_ends(tally, task, _attack)


SUITE = Suite(
    proposition1.CLAIM,
    {"random": Part(_random, most=500), "unbalanced": Part(_unbalanced, share=1 / 40)},
)


def test_proposition1() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
    outside = verdict.witness["outside_the_premises"]
    assert list(outside["unmet"]) == ["balanced start"]
    assert outside["worst_margin"] < -0.01
