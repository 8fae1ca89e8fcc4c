"""How long an experiment will take, before it is run.

A seed that was finished tells how long the others of its reading will take.  Where there is none,
`durations.json` has the time of a seed for every reading, as it was measured once, in units of
`calibration`: a small fixed piece of the same kind of work, which this machine carries out first.
So the numbers hold for other machines, as far as these are faster or slower at everything alike;
a machine that is busy with something else takes longer.

Readings of one figure differ by more than a hundredfold, since a run that diverges ends at once, so
that every reading has its own time.
"""

from __future__ import annotations

import heapq
import json
import math
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

from dlnlab import campaigns, networks, problems
from dlnlab.experiments.experiment import Experiment
from dlnlab.problems import targets
from dlnlab.training import descent

__all__ = ["Estimate", "calibration", "estimate", "known", "makespan"]

PIECES = 3
"""How often the piece is timed; the median does not see that the first one warms up."""

STEPS = (50, 300)
"""Steps of the piece in full and reduced: about 0.03 s each."""


@dataclass(frozen=True)
class Estimate:
    """What an experiment still has to run.

    Attributes
    ----------
    name : str
        Of the experiment.
    finished : int
        Runs that are kept from before.
    runs : tuple of float
        Seconds that each of the runs still to do will take, in their order; NaN if not known.
    """

    name: str
    finished: int
    runs: tuple[float, ...]


def calibration() -> float:
    """Return the processor seconds that a small fixed piece of work takes here.

    The piece is gradient descent on a completion problem with d = 100, as most figures run it, and
    on a factorization of the same size in its exact reduction; together less than half a second.
    Processor time, since what else the machine does in just this moment tells nothing of the hour
    to come.
    """
    M = targets.random_target((100, 100), 10, rng=0)
    completion = problems.completion(M, targets.random_mask(M.shape, 0.3, rng=0), "mean")
    weights = networks.original_weights(M.shape, 3, 1e-2, rng=0)
    pieces = (
        (completion, STEPS[0], "full"),
        (problems.factorization(M, "mean"), STEPS[1], "reduced"),
    )
    options: dict[str, Any] = {"eta": 1.0, "record": ("loss", "error"), "record_every": 50}
    spent = []
    for _ in range(PIECES):
        started = time.thread_time()
        for problem, steps, formulation in pieces:
            options |= {"num_steps": steps, "formulation": formulation}
            descent.gradient_descent(problem, weights, **options)
        spent.append(time.thread_time() - started)
    return statistics.median(spent)


def known() -> dict[str, dict[str, dict[str, float]]]:
    """Return the measured times of a seed, in units of `calibration`.

    Returns
    -------
    dict
        From experiments to readings to {"full": time, "quick": time}; what was never measured is
        missing.
    """
    text = resources.files("dlnlab.experiments").joinpath("durations.json").read_text("utf-8")
    return json.loads(text)


def estimate(
    experiment: Experiment,
    configurations: Mapping[str, Sequence[Mapping[str, object]]],
    path: str | os.PathLike[str],
    unit: float,
    *,
    quick: bool = False,
) -> Estimate:
    """Return which runs are still to do, and how long each will take.

    Parameters
    ----------
    experiment : Experiment
    configurations : mapping from readings to sequences of configurations
        See `Experiment.configurations`.
    path : path
        File that keeps finished runs; see `dlnlab.campaigns.run`.
    unit : float
        What `calibration` returned.
    quick : bool

    Returns
    -------
    Estimate

    Raises
    ------
    ValueError
        If the file holds something else.
    """
    table = known().get(experiment.name, {})
    finished, runs = 0, []
    for reading, part in configurations.items():
        spent = campaigns.seconds(experiment.measure, part, path)
        done = [seconds for seconds in spent if seconds is not None]
        units = table.get(reading, {}).get("quick" if quick else "full", math.nan)
        each = statistics.fmean(done) if done else units * unit
        finished += len(done)
        runs += [each] * (len(part) - len(done))
    return Estimate(experiment.name, finished, tuple(runs))


def makespan(runs: Sequence[float], workers: int) -> float:
    """Return when the last run ends if every worker takes the next one as soon as it is free.

    Parameters
    ----------
    runs : sequence of float
        Seconds of each, in their order.
    workers : int

    Returns
    -------
    float
        NaN if the time of some run is not known.

    Examples
    --------
    >>> makespan([1.0, 3.0, 2.0], 2)
    3.0
    """
    if any(math.isnan(seconds) for seconds in runs):
        return math.nan
    free = [0.0] * workers
    for seconds in runs:
        heapq.heapreplace(free, free[0] + seconds)
    return max(free)
