"""Figure 20: the distance of consecutive singular subspaces of the penultimate matrix."""

from __future__ import annotations

from dlnlab.experiments import classifiers
from dlnlab.experiments.experiment import Experiment, Panel, Yardstick

__all__ = ["EXPERIMENT"]

EXPERIMENT = Experiment(
    name="fig20",
    title="Distance of consecutive singular subspaces (Eq. 14)",
    claim="The leading singular subspace of the penultimate matrix hardly changes from one record "
    "to the next, so that training happens in an invariant subspace.",
    yardsticks=(
        Yardstick(
            "distance over random",
            "largest distance from record to record, relative to that of random subspaces",
            high=0.1,
            source="caption of Figure 20: small; a tenth of what random subspaces have is ours",
        ),
        Yardstick(
            "turned",
            "distance of the first and the last subspace, relative to that of random ones",
            high=0.1,
            source="Section A.4: training occurs within an invariant subspace, taken literally",
            ours=True,
        ),
    ),
    panels=(
        Panel("steps", "distance", "iterations", "subspace distance", logy=True),
        Panel("steps", "loss", "iterations", "training loss", logy=True),
    ),
    notes=(
        "A small step turns any subspace by little, so that small distances from record to record "
        "do not show that the subspace stays; that of the first and the last one does.",
        "VGG and ViT-B are not run.",
    ),
    runs_of="fig1",
    **classifiers.PENULTIMATE,
)
