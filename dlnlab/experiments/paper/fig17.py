"""Figure 17: the factor α on the outer layers' step, on the MovieLens-100K ratings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlnlab import campaigns
from dlnlab.experiments.common import DIVERGES
from dlnlab.experiments.experiment import Experiment, Panel, Yardstick
from dlnlab.experiments.movielens import MOVIELENS_PAPER, NEEDED, check_data
from dlnlab.experiments.prediction import Scored, run_method, scored_values, split_ratings

__all__ = ["CODE", "EXPERIMENT", "FACTORS", "PAPER", "measure"]


@campaigns.task("dlnlab.experiments.fig17.measure")
def measure(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Run the compressed network for every α.

    Parameters
    ----------
    configuration : mapping
        As for `dlnlab.experiments.fig6_movielens.measure`, with "factors", the values of α in
        increasing order.

    Returns
    -------
    dict
        Curves "α = 5" with "steps", "loss", "half_mse" and "rmse" on the held-out ratings, and
        their values; "slowest", the steps of the smallest α to half of the first error over those
        of the second smallest; of the largest α "rise", the last error over the smallest, and
        "fit", the last training loss over the one where the error was smallest.
    """
    split = split_ratings(configuration)
    runs = {
        f"α = {alpha:g}": run_method(
            "compressed",
            split,
            {**configuration, "alpha": alpha},
            campaigns.state_file(f"{alpha:g}.npz"),
        )
        for alpha in configuration["factors"]
    }
    values: dict[str, float] = {}
    for name, scored in runs.items():
        values |= scored_values(name, scored)
    first, second, *_, last = runs
    values |= {
        "slowest": values[f"steps_to_half: {first}"] / values[f"steps_to_half: {second}"],
        "rise": values[f"rise: {last}"],
        "fit": _fit(runs[last]),
    }
    return {"curves": {name: scored.curve() for name, scored in runs.items()}, "values": values}


def _fit(scored: Scored) -> float:
    """By what factor the training loss changes after the held-out error was smallest."""
    if scored.diverged:
        return float("nan")
    return float(scored.losses[-1] / scored.losses[np.argmin(scored.half_mse)])


PAPER = {name: value for name, value in MOVIELENS_PAPER.items() if name not in ("methods", "alpha")}
FACTORS = {"factors": [0.1, 1.0, 5.0, 10.0, 50.0]}
CODE = PAPER | FACTORS | {"loss": "mean", "eps": 1e-2}

EXPERIMENT = Experiment(
    name="fig17",
    title="The effect of α on MovieLens-100K",
    claim="With a large α the compressed network overfits; with a small one it takes far longer.",
    settings={
        "paper": PAPER | FACTORS,
        "code": CODE,
        "fifth": CODE | {"test_share": 0.8},
    },
    meanings={
        "fifth": "the code's settings, trained on a fifth of the ratings and scored on the others",
    },
    quick={"active": 100, "num_steps": 8_000, "record_every": 100},
    measure=measure,
    yardsticks=(
        Yardstick(
            "slowest",
            "steps to half of the first error, α = 0.1 / α = 1",
            low=2.0,
            source='Appendix A.3: "significantly longer"',
        ),
        Yardstick(
            "rise",
            "α = 50: last held-out ½ MSE / the smallest on the way",
            low=1.1,
            source="Appendix A.3: it overfits; a tenth can be seen in the plot",
        ),
        Yardstick(
            "fit",
            "α = 50: training loss at the end / where the held-out error was smallest",
            high=1.0,
            source="Appendix A.3: it overfits, so that the training loss does not rise as well",
        ),
    ),
    panels=(
        Panel("steps", "half_mse", "iterations", "½ MSE, held out", logy=True),
        Panel("steps", "loss", "iterations", "training loss", logy=True),
    ),
    why=DIVERGES,
    notes=(
        "The text names α = 0.1 and α ≫ 10 only; 1, 5 and 10 are between, and 5 is Figure 6's.",
        "A quick run takes the ratings of the 100 most active users for the 100 most rated items.",
    ),
    needs_data=NEEDED,
    check_data=check_data,
)
