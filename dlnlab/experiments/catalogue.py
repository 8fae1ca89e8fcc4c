"""All experiments by name, in the order of the paper."""

from __future__ import annotations

import re

from dlnlab.experiments import incremental
from dlnlab.experiments.experiment import Experiment
from dlnlab.experiments.fig2 import FIG2
from dlnlab.experiments.fig3 import FIG3
from dlnlab.experiments.fig5 import FIG5
from dlnlab.experiments.fig6 import FIG6
from dlnlab.experiments.fig6_movielens import FIG6_MOVIELENS, FIG6_MOVIELENS_PAIR
from dlnlab.experiments.fig13 import FIG13
from dlnlab.experiments.fig14 import FIG14
from dlnlab.experiments.fig15 import FIG15
from dlnlab.experiments.fig16 import FIG16
from dlnlab.experiments.fig17 import FIG17
from dlnlab.experiments.fig18 import FIG18
from dlnlab.experiments.fig19 import FIG19
from dlnlab.experiments.fig20 import FIG20
from dlnlab.experiments.fig22 import FIG22
from dlnlab.experiments.table3 import TABLE3

__all__ = ["ABSENT", "EXPERIMENTS"]


def _order(experiment: Experiment) -> tuple[str, int, str]:
    found = re.fullmatch(r"([a-z]+)(\d+)(.*)", experiment.name)
    kind, number, part = found.groups()  # type: ignore[union-attr]
    return kind, int(number), part


EXPERIMENTS: dict[str, Experiment] = {
    experiment.name: experiment
    for experiment in sorted(
        (
            *(FIG2, FIG3, FIG5, FIG6, FIG13, FIG14, FIG15, FIG16, FIG18, FIG19, FIG20, FIG22),
            *incremental.EXPERIMENTS,
            *(FIG6_MOVIELENS, FIG6_MOVIELENS_PAIR, FIG17),
            TABLE3,
        ),
        key=_order,
    )
}

ABSENT = {
    "fig1": (
        "Singular values of the weight updates of several architectures",
        "needs nonlinear networks (MLP, VGG, ViT), which dlnlab does not train",
    ),
    "fig21": (
        "Test accuracy of compressed MLP and ViT",
        "needs nonlinear networks (MLP, ViT), which dlnlab does not train",
    ),
    "table1": (
        "Time, memory and accuracy of compressed MLP and ViT",
        "needs nonlinear networks (MLP, ViT), which dlnlab does not train",
    ),
}
"""Figures and tables of results that are not run, with the reason.  (Table 2 is a list of
symbols.)"""
