"""Figure 2: the singular values of the original network in completion, and both errors."""

from __future__ import annotations

from dlnlab.experiments import pair
from dlnlab.experiments.common import (
    CLAIMS,
    COMPLETION_CODE,
    COMPLETION_PAPER,
    DIVERGES,
    PANELS,
    four_readings,
)
from dlnlab.experiments.experiment import Experiment, Panel, Yardstick

__all__ = ["EXPERIMENT", "TEN"]

TEN = {"rank": 10, "r_hat": 20, "singular_values": 12}

EXPERIMENT = Experiment(
    name="fig2",
    title="Singular values and errors in completion, r = 10",
    claim="In completion of a target of rank 10, only ten singular values of the original network "
    "leave their start; the compressed network is ahead in iterations and in time.",
    **four_readings(COMPLETION_PAPER | TEN, COMPLETION_CODE | TEN, num_steps=200_000),
    why=DIVERGES,
    quick={"d": 40, "rank": 2, "r_hat": 4, "observed": 0.5, "singular_values": 4}
    | {"num_steps": 20_000},
    measure=pair.measure,
    yardsticks=(
        *CLAIMS,
        Yardstick(
            "beyond",
            "largest σ_{r+1} of the original network during the run, relative to σ_r*",
            high=0.05,
            source="Figure 2, left: the others stay near zero, and its height shows about 1/20",
        ),
    ),
    panels=(
        Panel(
            "steps",
            "singular_values",
            "iterations",
            "singular value",
            title="original network",
            curves=("original",),
            targets=True,
        ),
        *PANELS,
    ),
    notes=(
        "No notebook draws this figure; the code's settings are those of Figure 6 with r = 10.",
    ),
)
