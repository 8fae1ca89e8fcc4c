"""What the figures on MovieLens-100K share: settings, the measurement, panels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlnlab import campaigns
from dlnlab.data import movielens
from dlnlab.experiments import simple_models
from dlnlab.experiments.experiment import Panel
from dlnlab.experiments.prediction import (
    predicted_steps_to_half,
    run_method,
    scored_values,
    split_ratings,
)

__all__ = [
    "FIFTH",
    "MOVIELENS_CODE",
    "MOVIELENS_PAPER",
    "NEEDED",
    "PANELS",
    "PUBLISHED",
    "SIMPLE",
    "check_data",
    "measure",
]

SIMPLE = "simple models"
"""Asked for among the methods: all of `dlnlab.experiments.simple_models`."""

NEEDED = "the MovieLens-100K ratings: ml-100k.zip, the folder unpacked from it, or u.data"

PUBLISHED = "Figure 6, right panel"


def check_data(path: str) -> None:
    """Raise an error unless a path is what `NEEDED` says.

    Parameters
    ----------
    path : str
    """
    movielens.read(path, file=movielens.MOVIELENS_100K)


MOVIELENS_PAPER: dict[str, Any] = {
    "methods": ["compressed", "Burer-Monteiro", "alternating minimization", SIMPLE],
    "split": "random",
    "active": 0,
    "loss": "sum",
    "depth": 3,
    "eps": 1e-3,
    "r_hat": 10,
    "eta": 0.5,
    "alpha": 5.0,
    "ridge": 10.0,
    "altmin_iterations": 30,
    "num_steps": 50_000,
    "record_every": 250,
}
"""Section 4.1.  The number of steps is that of the plot.  The text says nothing of AltMin's ridge;
10 was chosen beforehand, in the units of the sum of squares, and not tuned."""

MOVIELENS_CODE = MOVIELENS_PAPER | {"loss": "mean", "eps": 1e-2}
"""What all notebooks do: the mean over the observed entries, and ε = 0.01."""

FIFTH = {"alpha": 1.0, "test_share": 0.8, "two_factors": "spectral"}
"""With which the published plot agrees: equal steps, and four fifths of the ratings held out."""


@campaigns.task("dlnlab.experiments.fig6_movielens.measure")
def measure(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Run the methods of a configuration on the training ratings, scored on the others.

    Parameters
    ----------
    configuration : mapping
        See `dlnlab.experiments.prediction`, with "methods" and "seed".  The method "simple models"
        is all of `dlnlab.experiments.simple_models`.

    Returns
    -------
    dict
        A curve for each method with "half_mse" and "rmse" on the held-out ratings and the training
        "loss", over "steps" and "seconds", or over "iterations" of alternating minimization, and a
        level line for each simple model;
        "values" as of `dlnlab.experiments.prediction.scored_values`, ratios of methods,
        "predicted", the steps in which the compressed network should halve its error, and "delay",
        those it took over these.
    """
    split = split_ratings(configuration)
    curves: dict[str, Any] = {}
    values: dict[str, float] = {}
    for name in configuration["methods"]:
        if name == SIMPLE:
            values |= simple_models.measured(split, configuration)
            continue
        state = campaigns.state_file(f"{name}.npz")
        scored = run_method(name, split, configuration, state)
        unit = "iterations" if name == "alternating minimization" else "steps"
        curves[name] = scored.curve(unit)
        values |= scored_values(name, scored)
        if unit == "steps":
            values[f"seconds per step: {name}"] = scored.seconds_per_step
    curves |= _levels(values, configuration["num_steps"])
    predicted = predicted_steps_to_half(split.train, configuration)
    values |= {"predicted": predicted, "delay": values["steps_to_half: compressed"] / predicted}
    return {"curves": curves, "values": values | _ratios(values)}


def _levels(values: Mapping[str, float], num_steps: int) -> dict[str, Any]:
    """A level line for each simple model that was fitted."""
    return {
        name: {"steps": [0, num_steps]}
        | {unit: [values[f"{unit}: {name}"]] * 2 for unit in ("half_mse", "rmse")}
        for name in simple_models.MODELS
        if f"rmse: {name}" in values
    }


def _ratios(values: Mapping[str, float]) -> dict[str, float]:
    """Compare the compressed network with the others that were run."""
    ours = "compressed"
    ratios = {
        f"rmse over {name}": values[f"rmse: {ours}"] / values[f"rmse: {name}"]
        for name in simple_models.MODELS
        if f"rmse: {name}" in values
    }
    for other in ("original", "Burer-Monteiro"):
        if f"steps_to_half: {other}" in values:
            gain = values[f"steps_to_half: {other}"] / values[f"steps_to_half: {ours}"]
            cost = values[f"seconds per step: {other}"] / values[f"seconds per step: {ours}"]
            ratios |= {
                f"gain over {other}": gain,
                f"speedup over {other}": gain * cost,
                f"error over {other}": values[f"half_mse: {ours}"] / values[f"half_mse: {other}"],
            }
    return ratios


PANELS = (
    Panel("steps", "half_mse", "iterations", "½ MSE − 0.5, held out", logy=True, offset=0.5),
    Panel("seconds", "half_mse", "processor time (s)", "", logx=True, logy=True, offset=0.5),
)
"""On the paper's axis, which shows nothing of what lies below 0.5."""
