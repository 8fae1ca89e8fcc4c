"""Figure 5: deep matrix factorization, recovery error against iterations and against time."""

from __future__ import annotations

from dataclasses import replace

from dlnlab.experiments import pair
from dlnlab.experiments.common import CLAIMS, DIVERGES, PANELS, four_readings
from dlnlab.experiments.experiment import Experiment, Yardstick
from dlnlab.experiments.instance import CODE, PAPER

__all__ = ["EXPERIMENT", "PUBLISHED"]

PUBLISHED = "plot in the authors' notebook fig_traj_mf.ipynb (comp-deep-nets, commit 4349b87)"

EXPERIMENT = Experiment(
    name="fig5",
    title="Deep matrix factorization",
    claim="The compressed network's recovery error is below the original's at every iteration, so "
    "that it needs fewer iterations, and far less time.",
    **four_readings(PAPER, CODE),
    quick={"d": 40, "rank": 4, "r_hat": 8, "num_steps": 30_000},
    measure=pair.measure,
    yardsticks=(
        *CLAIMS,
        Yardstick(
            "start_half_mse",
            "½ MSE at the start",
            published=0.15,
            reading_error=0.015,
            source=PUBLISHED,
        ),
        Yardstick(
            "steps_to_threshold_original",
            "steps to the threshold, original network",
            published=80_600,
            reading_error=1000,
            source=PUBLISHED,
        ),
        Yardstick(
            "steps_to_threshold_compressed",
            "steps to the threshold, compressed network",
            published=60_900,
            reading_error=1000,
            source=PUBLISHED,
        ),
        Yardstick(
            "floor_original_half_mse",
            "½ MSE at the end, original",
            published=4.2e-15,
            reading_error=0.8e-15,
            source=PUBLISHED,
        ),
        Yardstick(
            "floor_compressed_half_mse",
            "½ MSE at the end, compressed",
            published=5e-16,
            reading_error=1e-16,
            source=PUBLISHED,
        ),
    ),
    panels=(
        replace(
            PANELS[0],
            marks={
                "start_half_mse": "y",
                "floor_original_half_mse": "y",
                "floor_compressed_half_mse": "y",
                "steps_to_threshold_original": "x",
                "steps_to_threshold_compressed": "x",
            },
        ),
        PANELS[1],
    ),
    why=f"{DIVERGES}; the plot shows a mean loss and a top-r target",
    notes=(
        "Both networks run in their exact reductions; a step's time is that of the networks "
        "themselves, measured beside.",
        "The paper gives the error as ‖Ŵ − M*‖_F; its notebook plots ½ MSE.",
    ),
)
