"""Carrying an experiment out: configurations through a campaign, results against yardsticks."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from dlnlab import campaigns
from dlnlab.experiments import judging
from dlnlab.experiments.experiment import MOST_SEEDS, Experiment
from dlnlab.experiments.judging import Judgement, YardstickCounts
from dlnlab.numerics import checks
from dlnlab.results import presenter

__all__ = ["Study", "judged", "study"]


@dataclass(frozen=True)
class Study:
    """The results of an experiment: all readings, all seeds.

    Attributes
    ----------
    experiment : Experiment
    quick : bool
        Whether with the settings of a quick run.
    configurations : dict from readings to lists of settings, one for each seed
    results : dict from readings to lists of what `measure` returned
    judgements : dict from readings to lists of Judgement
    tallies : dict from readings to Tally
        How many yardsticks are met, missed and undecided, and from that the reading's state.
    verdict : str
        What follows from the tallies; see `dlnlab.experiments.judging.conclusion`.
    """

    experiment: Experiment
    quick: bool
    configurations: Mapping[str, Sequence[Mapping[str, Any]]] = field(repr=False)
    results: Mapping[str, Sequence[Mapping[str, Any]]] = field(repr=False)
    judgements: Mapping[str, Sequence[Judgement]] = field(repr=False)
    tallies: Mapping[str, YardstickCounts]
    verdict: str

    @property
    def states(self) -> dict[str, str]:
        """Return each reading's state: "met", "missed" or "undecided"."""
        return {reading: counts.state for reading, counts in self.tallies.items()}

    @property
    def basis(self) -> str:
        """Return what the verdict rests on, such as "code: claims 3 of 3, published …"."""
        return judging.basis(self.tallies)

    def summary(self) -> str:
        """Return the verdict and, for each reading, what was expected and measured.

        Returns
        -------
        str
        """
        lines = [f"{self.experiment.name}: {self.experiment.title}: {self.verdict} ({self.basis})"]
        for reading, judgements in self.judgements.items():
            counts = self.tallies[reading]
            lines.append(f"  {reading}: {counts.state} ({counts})")
            for judged in judgements:
                yardstick = judged.yardstick
                predicted = f" (predicts {judged.predicted()})" if judged.predicted() else ""
                ours = ", our own yardstick" if yardstick.ours else ""
                lines.append(
                    f"    {judged.status:<9} {yardstick.words}: {judged.measured()}{predicted}, "
                    f"expected {yardstick.expected()}{ours}"
                )
                if judged.reason:
                    lines.append(f"              ({judged.reason})")
        return "\n".join(lines)

    def plot(self, figure: Any = None) -> Any:
        """Draw the experiment, a row of panels for each reading; return the Matplotlib figure.

        Parameters
        ----------
        figure : matplotlib.figure.Figure, optional
            To draw into; a new one by default.

        Returns
        -------
        matplotlib.figure.Figure
        """
        return presenter("plotting.display").shown_once(
            presenter("plotting.experiments").study, self, figure
        )


def study(
    experiment: Experiment,
    readings: Sequence[str] | None = None,
    *,
    seeds: int | None = None,
    quick: bool = False,
    executor: Executor | str | None = None,
    path: str | os.PathLike[str] | None = None,
    progress: bool | Callable[[int, int], Any] = False,
    data: str = "",
) -> Study:
    """Carry an experiment out and judge it.

    Parameters
    ----------
    experiment : Experiment
    readings : sequence of str, optional
        By default all of the experiment's but those that take hours (`Experiment.on_request`).
    seeds : int, optional
        Seeds 0, …, seeds − 1; by default the experiment's number, or one for a quick run.
    quick : bool
        Small settings, for which no verdict is given, only whether the claims hold there.
    executor, path, progress
        See `dlnlab.campaigns.run`: where seeds run, and the file that keeps their results.
    data : str
        Path of the data set, for an experiment that needs one.

    Returns
    -------
    Study

    Raises
    ------
    ValueError, TypeError
        If an argument is out of range or a data set is missing.
    ImportError
        If a package is missing, such as scikit-learn for its digits.
    RuntimeError
        If a measurement fails.

    Examples
    --------
    >>> from dlnlab.experiments import EXPERIMENTS, study
    >>> outcome = study(EXPERIMENTS["fig22"], ["paper"], quick=True, executor="serial")
    >>> outcome.states, outcome.basis
    ({'paper': 'undecided'}, 'paper: 1 of 1 claims hold')
    """
    if not isinstance(experiment, Experiment):
        raise TypeError(
            "`experiment` must be an Experiment, such as dlnlab.experiments.EXPERIMENTS['fig5'], "
            f"got {checks.describe(experiment)}"
        )
    known = tuple(experiment.settings)
    asked = experiment.readings if readings is None else readings
    names = tuple(
        checks.choice("readings", name, known)
        for name in checks.sequence("readings", asked, "readings")
    )
    if not names:
        raise ValueError(f"`readings` must name some of {list(known)}, or be None for all of them")
    quick, data = checks.flag("quick", quick), checks.text("data", data)
    if experiment.needed(names, quick=quick) and not data:
        raise ValueError(f"`data` must be {experiment.needs_data} for {experiment.name}")
    experiment.check_ready(names, quick=quick)
    default = 1 if quick else experiment.seeds
    count = default if seeds is None else checks.integer("seeds", seeds, 1, MOST_SEEDS)
    chosen = {
        name: experiment.configurations(name, count, quick=quick, data=data) for name in names
    }
    flat = campaigns.run(
        experiment.measure,
        [configuration for part in chosen.values() for configuration in part],
        path=path,
        executor=executor,
        progress=progress,
    )
    results = {name: flat[k * count : (k + 1) * count] for k, name in enumerate(names)}
    return judged(experiment, chosen, results, quick=quick)


def judged(
    experiment: Experiment,
    configurations: Mapping[str, Sequence[Mapping[str, Any]]],
    results: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    quick: bool = False,
) -> Study:
    """Return the study of results that were measured.

    Parameters
    ----------
    experiment : Experiment
    configurations : mapping of str to sequence of mappings
        By reading, one for each seed.
    results : mapping of str to sequence of mappings
        What was measured of them.
    quick : bool

    Returns
    -------
    Study
    """
    judgements = {
        reading: [
            judging.judge(
                yardstick,
                [result["values"].get(yardstick.quantity) for result in part],
                quick=quick,
            )
            for yardstick in experiment.yardsticks
        ]
        for reading, part in results.items()
    }
    tallies = {name: judging.tally(part) for name, part in judgements.items()}
    verdict = judging.conclusion(tallies, quick=quick, apart=experiment.apart)
    return Study(experiment, quick, configurations, results, judgements, tallies, verdict)
