"""Figure 18: the original network with a small random start that is not orthogonal."""

from __future__ import annotations

from dlnlab.experiments import pair
from dlnlab.experiments.common import CLAIMS, COMPLETION_CODE, COMPLETION_PAPER, DIVERGES, READINGS
from dlnlab.experiments.experiment import Experiment, Panel
from dlnlab.experiments.instance import CODE, PAPER

__all__ = ["EXPERIMENT", "NAMES", "SMALL"]

NAMES = ("factorization", "completion")


def _parts(completion: dict, **settings: object) -> dict:
    """What completion changes, beside the settings of factorization."""
    return {"factorization": {}, "completion": {**completion, "init": "gaussian", **settings}}


SMALL = {"init": "gaussian"}

EXPERIMENT = Experiment(
    name="fig18",
    title="Small random start of the original network",
    claim="The compressed network is ahead of the original even if the latter starts with small "
    "random weights that are not orthogonal, in factorization and in completion.",
    settings={
        "paper": PAPER | SMALL | {"parts": _parts(COMPLETION_PAPER)},
        "code": CODE | SMALL | {"num_steps": 150_000, "parts": _parts(COMPLETION_CODE)},
        "mean": PAPER | SMALL | {"loss": "mean", "parts": _parts(COMPLETION_PAPER, loss="mean")},
        "top": CODE | SMALL | {"target": "top"} | {"parts": _parts(COMPLETION_CODE, target="top")},
        "uniform": CODE
        | {"init": "uniform", "num_steps": 150_000}
        | {"parts": _parts(COMPLETION_CODE, init="uniform")},
    },
    meanings={name: READINGS[name] for name in ("mean", "top", "uniform")},
    quick={
        "d": 30,
        "rank": 3,
        "r_hat": 6,
        "num_steps": 10_000,
        "readings": {
            name: {
                "eta": eta,
                "parts": _parts(
                    base, d=30, rank=2, r_hat=4, observed=0.6, num_steps=10_000, **other
                ),
            }
            for name, base, eta, other in (
                ("paper", COMPLETION_PAPER, 10.0, {}),
                ("code", COMPLETION_CODE, 5.0, {"eta": 3.0}),
                ("mean", COMPLETION_PAPER, 10.0, {"loss": "mean"}),
                ("top", COMPLETION_CODE, 5.0, {"eta": 3.0, "target": "top"}),
                ("uniform", COMPLETION_CODE, 5.0, {"eta": 3.0, "init": "uniform"}),
            )
        },
    },
    measure=pair.measure_parts,
    yardsticks=CLAIMS[:2],
    panels=tuple(
        Panel(
            "steps",
            "error",
            "iterations",
            "recovery error",
            title=name,
            curves=(f"{name}: original", f"{name}: compressed"),
            logy=True,
        )
        for name in NAMES
    ),
    why=DIVERGES,
    notes=(
        "Entries are Gaussian with standard deviation ε/√d, so that singular values are of order "
        "ε, as in the authors' code. Such a start has no exact reduction: it runs in full.",
    ),
)
