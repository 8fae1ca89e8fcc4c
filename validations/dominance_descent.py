"""Dominance under gradient descent: refuted; by how much it depends on the step (docs/atlas.md)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlnlab.claims import dominance, eq13
from dlnlab.lab import descents, witnesses
from dlnlab.lab.cases import Case
from dlnlab.lab.descents import Descents
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally
from dlnlab.numerics import spectra

__all__ = ["STABLE", "SUITE", "registered_sides", "sides"]

STABLE = 1.0


def sides(found: Descents) -> tuple[np.ndarray, np.ndarray]:
    """Return min_i σ̃_i − σ_i over σ_1*, and its error.

    Parameters
    ----------
    found : Descents
        Runs of a batch of starts.

    Returns
    -------
    margin, error : array, shape (records, starts)
    """
    ahead, error = found.run.ahead()
    top = found.batch.spectrum[0]
    return -ahead / top, error / top


def _attack(tally: Tally, found: Descents) -> None:
    """Count every start of a batch, judged by its worst record."""
    premises = descents.premises(found, STABLE)
    for start, record, margin, error in descents.judge(found, *sides(found)):
        tally.add(margin, error, premises[start], found.witness(start, record))


def _random(tally: Tally, task: Task) -> None:
    """Descents with steps of 0.05 to 0.98 times the stable one."""
    for found in descents.random(task, 0.05, 0.98):
        _attack(tally, found)


def _registered(tally: Tally, task: Task) -> None:
    """The smallest known counterexample, at the step for which its margin is known exactly."""
    known = witnesses.of(tally.about)
    told = witnesses.told(known)
    margin, error = registered_sides(told)
    at = int(known.time)
    premises = [eq13.step_below(witnesses.share(known), STABLE)]
    tally.add(float(margin[at]), float(error[at]), premises, told)
    tally.reproduce(float(margin[at]), float(error[at]))


def registered_sides(told: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Return min_i σ̃_i − σ_i over σ_1* after every step, and its error.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    margin, error : array, shape (steps + 1,)
    """
    top, run = Case.from_witness(told).spectrum[0], witnesses.descent(told)
    bound = -np.sort(-run.compressed, axis=1)
    margin = dominance.margins(spectra.singular_values(run.original), bound)
    return margin / top, np.full(margin.shape, 2 * run.error / top)


SUITE = Suite(
    eq13.DOMINANCE,
    {"registered": Part(_registered, share=0.0), "random": Part(_random, share=0.5)},
)


def test_dominance_descent() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.contradicted, verdict
