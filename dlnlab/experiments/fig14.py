"""Figure 14: deep matrix sensing with Gaussian measurements."""

from __future__ import annotations

from dlnlab.experiments import pair
from dlnlab.experiments.experiment import Experiment, Panel, Yardstick
from dlnlab.experiments.fig5 import CLAIMS
from dlnlab.experiments.instance import CODE, PAPER

__all__ = ["FIG14", "SENSING_CODE", "SENSING_PAPER"]

PUBLISHED = "plot in the authors' notebook fig_traj_ms.ipynb (comp-deep-nets, commit 4349b87)"

SENSING_PAPER = PAPER | {
    "problem": "sensing",
    "rank": 5,
    "r_hat": 10,
    "m": 2000,
    "sensing_scale": "1",
    "alpha": 2.0,
    "num_steps": 5000,
    "record_every": 50,
}
"""Appendix A.1."""

SENSING_CODE = CODE | {
    "problem": "sensing",
    "rank": 5,
    "r_hat": 10,
    "m": 2000,
    "sensing_scale": "1/m",
    "loss": "sum",
    "eta": 20.0,
    "error": "relative",
    "tol": 1e-12,
    "num_steps": 2500,
    "record_every": 50,
}
"""The notebook, with the paper's d and m."""

LARGE = "d = 200, r = 5, m = 4000"
PARTS = {
    "d = 100, r = 3, m = 2000": {"rank": 3, "r_hat": 6},
    "d = 100, r = 5, m = 2000": {},
    "d = 100, r = 10, m = 2000": {"rank": 10, "r_hat": 20},
}
NOTEBOOK = {LARGE: {"d": 200, "m": 4000}} | PARTS
SMALL = {
    "d = 20, r = 1, m = 250": {"d": 20, "m": 250, "rank": 1, "r_hat": 2},
    "d = 24, r = 2, m = 400": {"d": 24, "m": 400, "rank": 2, "r_hat": 4},
}

FIG14 = Experiment(
    name="fig14",
    title="Deep matrix sensing",
    claim="For several dimensions, ranks and numbers of Gaussian measurements, the compressed "
    "network's recovery error is below the original's at every iteration.",
    settings={
        "paper": SENSING_PAPER | {"parts": PARTS},
        "code": SENSING_CODE | {"parts": NOTEBOOK},
        "top": SENSING_CODE | {"target": "top", "parts": NOTEBOOK},
    },
    meanings={"top": "the code's settings, with the top-r target that it holds commented out"},
    quick={
        "parts": SMALL,
        "num_steps": 8000,
        "readings": {"code": {"eta": 2.5}, "top": {"eta": 2.5}},
    },
    measure=pair.measure_parts,
    yardsticks=(
        *CLAIMS,
        Yardstick(
            f"{LARGE}: arrived_original",
            f"{LARGE}, original: steps to arrive",
            published=955,
            reading_error=30,
            source=PUBLISHED,
        ),
        Yardstick(
            f"{LARGE}: arrived_compressed",
            f"{LARGE}, compressed: steps to arrive",
            published=810,
            reading_error=30,
            source=PUBLISHED,
        ),
    ),
    panels=tuple(
        Panel(
            "steps",
            "error",
            "iterations",
            "recovery error",
            title=part,
            curves=(f"{part}: original", f"{part}: compressed"),
            logy=True,
        )
        for part in (*NOTEBOOK, *SMALL)
    ),
    seeds=2,
    notes=(
        "The paper does not list its dimensions, ranks and numbers of measurements; the first is "
        "the notebook's. It needs 1.3 GB of memory for each process.",
    ),
)
