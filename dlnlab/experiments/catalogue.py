"""All experiments by name: the paper's in its order, then our own by the alphabet.

They are what `dlnlab.experiments.paper` and `dlnlab.experiments.ours` hold.  A module there has an
`Experiment` of the name EXPERIMENT; nothing else needs to know of it.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

from dlnlab.experiments import ours, paper
from dlnlab.experiments.experiment import Experiment

__all__ = ["EXPERIMENTS"]


def _order(experiment: Experiment) -> tuple[bool, str, int, str]:
    found = re.fullmatch(r"(\D*)(\d*)(.*)", experiment.name)
    kind, number, part = found.groups()  # type: ignore[union-attr]
    return experiment.ours, kind, int(number or 0), part


def _found() -> Iterator[Experiment]:
    for folder in (paper, ours):
        for module in pkgutil.iter_modules(folder.__path__):
            yield importlib.import_module(f"{folder.__name__}.{module.name}").EXPERIMENT


EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for experiment in sorted(_found(), key=_order)
}
