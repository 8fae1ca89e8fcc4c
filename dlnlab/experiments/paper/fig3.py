"""Figure 3: the outer layers of the original network turn towards the target's singular vectors."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlnlab import campaigns
from dlnlab.experiments import recovery
from dlnlab.experiments.common import COMPLETION_PAPER, DIVERGES, READINGS
from dlnlab.experiments.experiment import Experiment, Panel, Yardstick
from dlnlab.experiments.instance import CODE, PAPER, build
from dlnlab.experiments.pair import thinned
from dlnlab.experiments.recovery import Network, steps_to_end
from dlnlab.training.trajectory import Status

__all__ = ["EXPERIMENT", "POWER", "PUBLISHED", "SIMILAR", "STEP", "measure"]

PUBLISHED = "plot in the authors' notebook fig_power_method.ipynb (commit 4349b87)"
SIMILAR = 0.99


@campaigns.task("dlnlab.experiments.fig3.measure")
def measure(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Follow |⟨u_1(W_L), u_1*⟩| and |⟨v_1(W_1), v_1*⟩| of the original network.

    Parameters
    ----------
    configuration : mapping
        Settings with "parts" and "seed".

    Returns
    -------
    dict
        For each part the curves "left" and "right" with "similarity"; "values" with the final
        similarity, the steps after which it stays ≥ 0.99, and the steps until `tol`.
    """
    common = {name: value for name, value in configuration.items() if name != "parts"}
    curves, values = {}, {}
    for part, differing in configuration["parts"].items():
        run, similarity = _run(common | differing)
        for side, series in similarity.items():
            curves[f"{part}: {side}"] = thinned({"steps": run.steps, "similarity": series})
        worst = np.minimum(*similarity.values())
        values[f"{part}: similarity"] = float(worst[-1])
        values[f"{part}: turned"] = _turned(run.steps, worst)
        values[f"{part}: end"] = steps_to_end(run.steps, run.status.value)
    parts = [values[f"{part}: similarity"] for part in configuration["parts"]]
    return {"curves": curves, "values": values | {"similarity": float(np.min(parts))}}


def _turned(steps: np.ndarray, similarity: np.ndarray) -> float:
    """After how many steps the similarity stays: infinite if never, NaN if the run diverged."""
    if np.isnan(similarity[-1]):
        return math.nan
    below = np.flatnonzero(~(similarity >= SIMILAR))
    last = int(below[-1]) + 1 if below.size else 0
    return float(steps[last]) if last < similarity.size else math.inf


def _run(settings: Mapping[str, Any]) -> tuple[Any, dict[str, np.ndarray]]:
    """Run the original network, and compare its outer layers' first singular vectors.

    In a reduction the layers are W_L = Z_L B_L Z_{L−1}ᵀ + …, so that B_L's left vectors are
    compared with the target's in the coordinates of Z_L; likewise on the right.
    """
    instance = build(settings, settings["seed"])
    network = Network(instance.original, settings["eta"])
    small = recovery.reduced(instance.problem, instance.original)
    target = (small[0] if small else instance.problem).target_svd
    options = {name: settings[name] for name in ("num_steps", "tol", "record_every")}
    run, _ = recovery.descend(instance.problem, network, record=("loss", "layers"), **options)
    if run.status is Status.DIVERGED:
        return run, dict.fromkeys(("left", "right"), np.full(run.steps.size, math.nan))
    assert run.layers is not None
    left = np.linalg.svd(run.layers[-1])[0][..., 0] @ np.asarray(target.U)[:, 0]
    right = np.linalg.svd(run.layers[0])[2][..., 0, :] @ np.asarray(target.Vh)[0]
    return run, {"left": np.abs(left), "right": np.abs(right)}


def _published(part: str, quantity: str, words: str, steps: float, error: float) -> Yardstick:
    return Yardstick(
        f"{part}: {quantity}", f"{part}: {words}", published=steps, reading_error=error,
        source=PUBLISHED,
    )  # fmt: skip


def _pair(part: str, turned: float, end: float) -> tuple[Yardstick, ...]:
    return (
        _published(part, "turned", "steps until the similarity stays ≥ 0.99", turned, 400),
        _published(part, "end", "steps until the loss is 1e-9", end, 200),
    )


STEP = {"eta": 3.0, "tol": 1e-9, "record_every": 100, "num_steps": 100_000}
POWER = {"observed": 0.3, "mask": "exact"}

EXPERIMENT = Experiment(
    name="fig3",
    title="The outer layers and the power method",
    claim="The first singular vectors of W_L and W_1 turn towards those of the target, so that "
    "starting there is natural.",
    settings={
        "paper": PAPER
        | {"tol": 1e-9, "parts": {"factorization": {}, "completion": COMPLETION_PAPER}},
        "code": CODE
        | STEP
        | {"parts": {"factorization": {}, "completion": POWER | {"problem": "completion"}}},
        "mean": PAPER
        | {"loss": "mean", "tol": 1e-9}
        | {"parts": {"factorization": {}, "completion": COMPLETION_PAPER | {"loss": "mean"}}},
        "top": CODE
        | STEP
        | {"target": "top"}
        | {"parts": {"factorization": {}, "completion": POWER | {"problem": "completion"}}},
    },
    meanings={name: READINGS[name] for name in ("mean", "top")},
    quick={
        "d": 30,
        "rank": 3,
        "r_hat": 6,
        "num_steps": 20_000,
        "parts": {
            "factorization": {},
            "completion": {"problem": "completion", "observed": 0.5, "mask": "exact"},
        },
    },
    measure=measure,
    yardsticks=(
        Yardstick(
            "similarity",
            "smallest |⟨u_1(W_L), u_1*⟩|, |⟨v_1(W_1), v_1*⟩| at the end",
            low=SIMILAR,
            source="Figure 3: 1 at the end, read to within 0.01",
        ),
        *_pair("factorization", 20_700, 27_000),
        *_pair("completion", 32_500, 44_300),
    ),
    panels=tuple(
        Panel(
            "steps",
            "similarity",
            "iterations",
            "similarity",
            title=part,
            curves=(f"{part}: left", f"{part}: right"),
            marks={f"{part}: turned": "x", f"{part}: end": "x"},
        )
        for part in ("factorization", "completion")
    ),
    why=f"{DIVERGES}; the plot shows η = 3 on a mean loss and a top-r target",
    notes=("The paper does not give this figure's settings; Section 4.1's are used for it.",),
)
