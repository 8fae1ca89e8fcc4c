"""Singular vectors under gradient flow: from the layers' velocities, and by differencing.

The equations need distinct nonzero values.  An orthogonal start has equal ones, and directions
without a target keep equal ones for ever: there the premise must be found unmet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlnlab import networks, problems
from dlnlab.claims import Premise, proposition1
from dlnlab.lab.cases import Case
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally
from dlnlab.numerics import spectra

from .proposition1 import (
    STEP,
    Differences,
    Flow,
    along_flows,
    around,
    beyond_both_ends,
    integrate,
    moment,
    noise,
    simple_values,
    units,
)

__all__ = ["SUITE", "Vectors", "difference", "follow"]


@dataclass(frozen=True)
class Vectors:
    """The deviation of the velocities of one case at every record.

    Attributes
    ----------
    times, margin, error : array, shape (records,)
    distinct : tuple of Premise
        Whether the values of each record are.
    """

    times: np.ndarray
    margin: np.ndarray
    error: np.ndarray
    distinct: tuple[Premise, ...]

    @property
    def telling(self) -> np.ndarray:
        """The records at which all rates are well determined.

        Those with distinct values; if there is none, the one whose values are the least close to
        each other.
        """
        met = np.array([premise.met for premise in self.distinct])
        if not met.any():
            met[np.argmax([premise.margin for premise in self.distinct])] = True
        return met

    @property
    def record(self) -> int:
        """The worst of the telling records."""
        return int(np.argmin(np.where(self.telling, self.margin / self.error, np.inf)))


def follow(run: Flow) -> list[Vectors]:
    """Compare the velocities along the flows of a batch with the formulas, case by case.

    Parameters
    ----------
    run : Flow

    Returns
    -------
    list of Vectors
    """
    margin = proposition1.vector_margins(run.layers, run.gradient)
    values = spectra.singular_values(networks.prefix_products(run.layers)[-1])
    width = max(max(W.shape[-2:]) for W in run.layers)
    error = run.error + proposition1.vector_rounding(values, len(run.layers), width)
    return [
        Vectors(
            run.times,
            margin[:, k],
            error[:, k],
            tuple(proposition1.distinct_values(row) for row in values[:, k]),
        )
        for k in range(margin.shape[1])
    ]


def _attack(tally: Tally, cases: list[Case]) -> None:
    """Count cases of one shape, L, ε and width, each judged by its worst record.

    A case without a record with distinct values is counted as outside the premises.
    """
    run = integrate(cases)
    for k, (case, found) in enumerate(zip(cases, follow(run), strict=True)):
        record = found.record
        balanced = proposition1.balancedness(tuple(W[k] for W in run.weights))
        told = {"time": float(found.times[record]), "part": "velocities"}
        tally.add(
            float(found.margin[record]),
            float(found.error[record]),
            [balanced, found.distinct[record]],
            lambda case=case, told=told: case.witness() | told,  # type: ignore[misc]
        )


def difference(case: Case, middle: float) -> Differences | None:
    """Compare the singular vectors of one case around one time; None if its flow diverged.

    The columns of the arrays are (u_i, v_i), one below the other.

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
    U, s, Vh = np.linalg.svd(seen, full_matrices=False)
    frames = np.concatenate([U, Vh.mT], axis=-2)
    # a decomposition fixes u_i and v_i up to a common sign; along a continuous choice neighbours
    # in time are nearly the same
    frames = frames * np.sign(np.sum(frames * frames[2], axis=-2, keepdims=True))
    gradient = problems.factorization(case.target).gradient(seen[2])
    rates = proposition1.vector_rates(U[2], s[2], Vh[2], gradient, case.depth)
    predicted = np.concatenate(rates, axis=-2)
    margin, error = proposition1.difference_margins(frames, STEP * unit, predicted, 1 / unit)
    # an error of a matrix turns its vectors by as much over the gap
    gap = float(np.min(-np.diff(np.append(s[2], 0.0)))) / largest
    rounding = proposition1.vector_rounding(s[2], case.depth, max(case.shape))
    with np.errstate(divide="ignore"):
        error = error + (noise(case) + rounding) / gap
    measured = proposition1.quotient(frames, STEP * unit)
    simple = simple_values(s[2], largest)
    return Differences(float(times[2]), s[2], measured, predicted, margin, error, simple)


def _attack_by_differencing(tally: Tally, case: Case, share: float) -> None:
    """Count the vectors of one case at one time, where all its values are apart."""
    middle = moment(case, share)
    found, premises = difference(case, middle), [proposition1.balancedness(case.weights())]
    if found is None:
        told = {"time": middle, "part": "the flow diverged"}
        tally.add(-np.inf, 0.0, premises, lambda: case.witness() | told)
    elif found.simple.all():
        k = np.unravel_index(int(np.argmin(found.margin + found.error)), found.margin.shape)
        told = {"time": found.time, "part": "differencing"}
        premises.append(proposition1.distinct_values(found.values))
        tally.add(
            float(found.margin[k]), float(found.error[k]), premises, lambda: case.witness() | told
        )


def _random(tally: Tally, task: Task) -> None:
    """U̇ and V̇ along integrated flows, from the layers' velocities and by differencing."""
    along_flows(tally, task, _attack, _attack_by_differencing)


def _unbalanced(tally: Tally, task: Task) -> None:
    """Hidden widths beyond both ends, where the start is not balanced."""
    beyond_both_ends(tally, task, _attack)


SUITE = Suite(
    proposition1.VECTOR_CLAIM,
    {"random": Part(_random, most=500), "unbalanced": Part(_unbalanced, share=1 / 40)},
)


def test_proposition1_vectors() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
    outside = verdict.witness["outside_the_premises"]
    assert set(outside["unmet"]) == {"balanced start", "distinct values"}
    assert outside["worst_margin"] < -0.01
