"""Figure 1: singular values of what training changes in the penultimate matrix."""

from __future__ import annotations

from dlnlab.experiments import classifiers
from dlnlab.experiments.experiment import Experiment, Panel, Yardstick

__all__ = ["EXPERIMENT"]

EXPERIMENT = Experiment(
    name="fig1",
    title="Singular values of the change of the penultimate matrix",
    claim="Training changes a small portion of the singular values of W(t) − W(0); the others "
    "remain small and almost unchanged.",
    yardsticks=(
        Yardstick(
            "share",
            "least share of the change's energy in 2 d_y = 20 directions",
            low=0.9,
            source="caption of Figure 1: the others remain small; nine tenths in 20 of 784 is ours",
        ),
        Yardstick(
            "excess",
            "the same beyond what a matrix of independent entries has, of what is left to have",
            low=0.5,
            source="Figure 1 has no null; half of what a structureless change leaves is ours",
            ours=True,
        ),
    ),
    panels=(
        Panel(
            "steps",
            "update",
            "iterations",
            "singular value of W(t) − W(0)",
            title="DLN",
            curves=("DLN",),
        ),
        Panel("steps", "update", "iterations", "", title="MLP", curves=("MLP",)),
        Panel("steps", "accuracy", "iterations", "held-out accuracy (%)"),
    ),
    notes=(
        "The figure has VGG and ViT-B on CIFAR-10 besides, which are not run: a VGG is not in "
        "dlnlab, and a ViT-B needs a GPU.",
    ),
    **classifiers.PENULTIMATE,
)
