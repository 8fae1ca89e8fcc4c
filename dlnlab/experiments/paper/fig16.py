"""Figure 16: both networks at α = 1, each with its best step size."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlnlab import campaigns
from dlnlab.experiments import pair, recovery
from dlnlab.experiments.common import COMPLETION_CODE, COMPLETION_PAPER, DIVERGES, four_readings
from dlnlab.experiments.experiment import Experiment, Panel, Yardstick
from dlnlab.experiments.instance import build

__all__ = ["CODE", "EXPERIMENT", "GRID", "PAPER", "measure"]


@campaigns.task("dlnlab.experiments.fig16.measure")
def measure(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Find the step size on a grid with which each network converges in the fewest steps.

    Parameters
    ----------
    configuration : mapping
        Settings with "etas", [first, last, count], and "seed".

    Returns
    -------
    dict
        Curves "original" and "compressed" at the best η, and "original, all η" and "compressed,
        all η" of steps over η.  A network that arrives with no η needs infinitely many steps, and
        NaN if it diverges with all.
    """
    first, last, count = configuration["etas"]
    etas = np.linspace(first, last, count)
    steps: dict[str, list[float]] = {"original": [], "compressed": []}
    instance = build(configuration, configuration["seed"])
    for eta in etas:
        networks = pair.networks_of(instance, {**configuration, "eta": float(eta), "alpha": 1.0})
        for name, network in networks.items():
            steps[name].append(recovery.steps_to(instance.problem, network, configuration))
    curves: dict[str, Any] = {
        f"{name}, all η": {"eta": etas.tolist(), "steps_to_end": counts}
        for name, counts in steps.items()
    }
    values: dict[str, float] = {}
    for name, counts in steps.items():
        best = int(np.argmin(np.nan_to_num(counts, nan=math.inf)))
        fewest = math.nan if np.isnan(counts).all() else float(np.nanmin(counts))
        values[f"eta_{name}"] = float(etas[best]) if math.isfinite(fewest) else math.nan
        values[f"steps_{name}"] = fewest
        if math.isfinite(fewest):
            curves[name] = _curve(configuration, float(etas[best]), name)
    values["gain"] = pair.ratio(values["steps_original"], values["steps_compressed"])
    return {"curves": curves, "values": values}


def _curve(configuration: Mapping[str, Any], eta: float, name: str) -> dict[str, Any]:
    return pair.measure({**configuration, "eta": eta, "alpha": 1.0})["curves"][name]


GRID = {"alpha": 1.0, "etas": [10.0, 100.0, 20]}
PAPER = COMPLETION_PAPER | GRID
CODE = COMPLETION_CODE | GRID | {"rank": 10, "r_hat": 20, "num_steps": 20_000}

EXPERIMENT = Experiment(
    name="fig16",
    title="The best step size of each network, α = 1",
    claim="Without the advantage of α > 1, and with the best of 20 step sizes for each network, "
    "the compressed network still converges in fewer iterations.",
    **four_readings(PAPER, CODE),
    quick={
        "d": 40,
        "rank": 2,
        "r_hat": 4,
        "observed": 0.5,
        "num_steps": 10_000,
        "etas": [4.0, 24.0, 6],
    },
    measure=measure,
    yardsticks=(
        Yardstick(
            "gain",
            "steps to a loss of 1e-12 at the best η, original / compressed",
            low=1.0,
            source="Appendix A.3 and caption of Figure 16: the original converges slower",
        ),
    ),
    panels=(
        Panel(
            "steps",
            "error",
            "iterations",
            "recovery error",
            curves=("original", "compressed"),
            title="at the best η",
            logy=True,
        ),
        Panel(
            "eta",
            "steps_to_end",
            "η",
            "iterations to the end",
            curves=("original, all η", "compressed, all η"),
        ),
    ),
    why=DIVERGES,
    notes=("No notebook makes this figure; the code's settings are those of Figure 6, r = 10.",),
)
