"""Eq. (13) for r̂ = r under gradient descent with any stable step: refuted from half of it on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dlnlab.claims import eq13, theorem2
from dlnlab.lab import descents, witnesses
from dlnlab.lab.cases import Case
from dlnlab.lab.descents import Descents
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["STABLE", "SUITE", "attack", "random", "registered_sides", "sides"]

STABLE = 1.0


def sides(found: Descents) -> tuple[np.ndarray, np.ndarray]:
    """Return the margin for r̂ = r over ‖M*‖², and its error.

    Parameters
    ----------
    found : Descents
        Runs of a batch of starts.

    Returns
    -------
    margin, error : array, shape (records, starts)
    """
    rank = len(found.batch.spectrum)
    size = float(np.sum(np.square(found.batch.spectrum)))
    return found.run.margin(rank) / size, found.run.margin_error(rank) / size


def attack(tally: Tally, found: Descents, limit: float) -> float:
    """Count every start of a batch, judged by its worst record; return how bad the worst is.

    Parameters
    ----------
    tally : Tally
        Counts the instances.
    found : Descents
        Runs of a batch of starts.
    limit : float
        Largest step for which the claim is stated, as a share of the stable one.

    Returns
    -------
    float
        Minus the least margin, the larger the worse.
    """
    premises, worst = descents.premises(found, limit), -np.inf
    for start, record, margin, error in descents.judge(found, *sides(found)):
        told = found.witness(start, record)
        tally.add(margin, error, premises[start], told)
        worst = max(worst, -(margin + error))
    return worst


def random(low: float, limit: float) -> Callable[[Tally, Task], None]:
    """Return the attack with steps between two shares of the stable one.

    Parameters
    ----------
    low, limit : float
        Shares of the stable step.

    Returns
    -------
    callable
        A part of a suite.
    """

    def part(tally: Tally, task: Task) -> None:
        for found in descents.random(task, low, limit):
            attack(tally, found, limit)

    steps = f"{low:g}" if low == limit else f"{low:g} to {limit:g}"
    part.__doc__ = (
        f"Descents with steps of {steps} times the stable one, of targets with a kernel and "
        "without."
    )
    return part


def _registered(tally: Tally, task: Task) -> None:
    """The smallest known counterexample, at the step for which its margin is known exactly."""
    known = witnesses.of(tally.about)
    told = witnesses.told(known)
    margin, error = registered_sides(told)
    at = int(known.time)
    ratio = float(known.eps**known.depth / known.targets[known.r_hat - 1])
    premises = [
        eq13.step_below(witnesses.share(known), STABLE),
        theorem2.small_start(ratio, 1.0, 0.0),
    ]
    tally.add(float(margin[at]), float(error[at]), premises, told)
    tally.reproduce(float(margin[at]), float(error[at]))


def registered_sides(told: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return the margin over ‖M*‖² after every step, and its error, of a witness with r̂ = r.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    margin, error : array, shape (steps + 1,)
    """
    case, run = Case.from_witness(told), witnesses.descent(told)
    size = float(np.sum(case.values**2))
    wide = np.linalg.norm(run.original - case.target, axis=(-2, -1))
    narrow = np.linalg.norm((run.compressed - case.values)[:, : case.r_hat], axis=1)
    shift = np.full(wide.shape, run.error)
    error = theorem2.margin_error(wide, narrow, shift, shift, 2)
    return theorem2.margins(wide, narrow) / size, error / size


SUITE = Suite(
    eq13.DESCENT,
    {
        "registered": Part(_registered, share=0.0),
        "random": Part(random(0.5, 0.98), share=1.0),
    },
)


def test_eq13_descent() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.contradicted, verdict
