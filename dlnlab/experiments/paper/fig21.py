"""Figure 21, left: held-out accuracy of the three MLPs, by iterations and by time."""

from __future__ import annotations

from dlnlab.experiments import classifier_settings, classifiers
from dlnlab.experiments.experiment import Experiment, Panel, Yardstick

__all__ = ["EXPERIMENT", "PLOT"]

PLOT = "Figure 21 as it is in the authors' repository: 0.122, 0.209, 0.091 s for an iteration"

EXPERIMENT = Experiment(
    name="fig21",
    title="Held-out accuracy of three classifiers that differ in the penultimate layer",
    claim="A DLN as penultimate layer generalizes better than a matrix; the compressed one is as "
    "accurate throughout training, in almost half the time.",
    yardsticks=(
        *classifier_settings.COMPARED,
        *(
            Yardstick(
                name,
                f"processor time of a step of the MLPs, {words}",
                published=ratio,
                reading_error=0.05,
                source=f"{PLOT}, on a GPU",
                ours=True,
            )
            for name, words, ratio in (
                ("MLP speedup", "DLN / C-DLN", 0.209 / 0.091),
                ("MLP speedup over the matrix", "original / C-DLN", 0.122 / 0.091),
            )
        ),
    ),
    panels=(
        Panel("steps", "accuracy", "iterations", "held-out accuracy (%)"),
        Panel("seconds", "accuracy", "processor time (s)", ""),
        Panel("steps", "loss", "iterations", "training loss", logy=True),
    ),
    why="gradient descent with the stated η is far from the stated accuracy; the plot fits Adam",
    notes=(
        "A wide block is multiplied out on full batches, so that it costs no more than a matrix; "
        "layer by layer it would cost 2.4 times the multiplications of the compressed one.",
        "The right panel of the figure, the ViT on CIFAR-10, was not run; “vit-digits” is small.",
    ),
    **classifiers.THREE_NETWORKS,
)
