"""All experiments by name, in the order of the paper: whatever `dlnlab.experiments.paper` holds.

A module there has an `Experiment` of the name EXPERIMENT; nothing else needs to know of it.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Iterator

from dlnlab.experiments import paper
from dlnlab.experiments.experiment import Experiment

__all__ = ["EXPERIMENTS"]


def _order(experiment: Experiment) -> tuple[str, int, str]:
    found = re.fullmatch(r"([a-z]+)(\d+)(.*)", experiment.name)
    kind, number, part = found.groups()  # type: ignore[union-attr]
    return kind, int(number), part


def _found() -> Iterator[Experiment]:
    for module in pkgutil.iter_modules(paper.__path__):
        yield importlib.import_module(f"{paper.__name__}.{module.name}").EXPERIMENT


EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment for experiment in sorted(_found(), key=_order)
}
