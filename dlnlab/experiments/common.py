"""What figures share: settings of the three problems, readings, claims and panels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlnlab.data.digits import check_installed
from dlnlab.experiments.experiment import Panel, Yardstick
from dlnlab.experiments.instance import CODE, PAPER

__all__ = [
    "CLAIMS",
    "COMPLETION_CODE",
    "COMPLETION_PAPER",
    "DIVERGES",
    "PANELS",
    "READINGS",
    "SENSING_CODE",
    "SENSING_PAPER",
    "check_digits",
    "four_readings",
]

COMPLETION_PAPER = PAPER | {
    "problem": "completion",
    "observed": 0.3,
    "mask": "bernoulli",
    "error": "half_mse_unobserved",
    "tol": 1e-12,
    "num_steps": 120_000,
}
"""Section 4.1; the tolerance is that of the notebooks and of the paper's grid search."""

COMPLETION_CODE = CODE | {
    "problem": "completion",
    "rank": 5,
    "r_hat": 10,
    "observed": 0.3,
    "mask": "exact",
    "eta": 10.0,
    "alpha": 5.0,
    "error": "half_mse_unobserved",
    "tol": 1e-12,
    "num_steps": 25_000,
    "record_every": 50,
}
"""The notebook on completion."""

SENSING_PAPER = PAPER | {
    "problem": "sensing",
    "rank": 5,
    "r_hat": 10,
    "m": 2000,
    "sensing_scale": "1",
    "alpha": 2.0,
    "error": "relative",
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

READINGS = {
    "mean": "the paper's settings, with its η as a step on the mean of the loss, not on the sum",
    "top": "the code's settings, with the top-r target that it holds commented out",
    "uniform": "the code's settings, with a small uniform start of the original (footnote 2)",
    "figs": "the code's settings, at the size that the plots in the authors' repository fit",
}
"""What further readings test, of any figure."""


def check_digits(configuration: Mapping[str, Any]) -> None:
    """Raise an error if a configuration needs scikit-learn's digits, and there are none.

    Parameters
    ----------
    configuration : mapping

    Raises
    ------
    ImportError
        If scikit-learn is not installed (extra ``data``).
    """
    if "digits" in (configuration.get("images"), configuration.get("kind")):
        check_installed()


def four_readings(paper: dict[str, Any], code: dict[str, Any], **mean: Any) -> dict[str, Any]:
    """Return the fields of an experiment with the readings "paper", "code", "mean" and "top".

    Parameters
    ----------
    paper, code : dict
        Settings of the text and of the notebooks.
    **mean
        Further settings of the reading "mean".

    Returns
    -------
    dict
        `settings` and `meanings`.
    """
    settings = {
        "paper": paper,
        "code": code,
        "mean": paper | {"loss": "mean"} | mean,
        "top": code | {"target": "top"},
    }
    return {"settings": settings, "meanings": {name: READINGS[name] for name in ("mean", "top")}}


DIVERGES = "the stated η diverges on the stated loss"
"""Why hardly any figure comes out as printed."""

CLAIMS = (
    Yardstick(
        "excess",
        "largest ‖W̃ − M*‖/‖W − M*‖ − 1 at equal steps",
        high=0.1,
        source="Section 4.1 and Figures 2, 5, 6, 14, 18: never worse; the lines hide 10 %",
    ),
    Yardstick(
        "gain",
        "steps to the threshold, original / compressed",
        low=1.0,
        source="Section 4.1: fewer iterations to a given error; of Figures 2, 6, 14, 18 the same",
    ),
    Yardstick(
        "speedup",
        "time to the threshold, original / compressed",
        low=1.0,
        source="Section 4.1: iterations are faster, too; of Figures 2, 6 and 14 the same",
    ),
)
"""Of the figures that set both networks side by side."""

PANELS = (
    Panel("steps", "error", "iterations", "recovery error", logy=True),
    Panel("seconds", "error", "processor time (s)", "", logy=True),
)
"""Errors by iterations and by time."""
