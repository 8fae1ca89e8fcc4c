"""Compression: one wide network brought to one width in several ways, which to take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from dlnlab import campaigns
from dlnlab.experiments import compressing
from dlnlab.experiments.common import check_digits
from dlnlab.experiments.experiment import Experiment, Panel, Yardstick

__all__ = [
    "AFTERWARDS",
    "CUTS",
    "EXPERIMENT",
    "FIRST",
    "HARD",
    "PLAIN",
    "PRUNED",
    "SOFT",
    "WEIGHTED",
    "measure",
]

FIRST, PLAIN, HARD, SOFT, PRUNED, *WEIGHTED = compressing.METHODS
CUTS = (PLAIN, HARD, SOFT, *WEIGHTED)
"""What starts from the trained wide network."""


@campaigns.task("dlnlab.experiments.compression.measure")
def measure(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Compress one network in all ways.

    Parameters
    ----------
    configuration : mapping
        As for `dlnlab.experiments.compressing.measure`; "parts" holds the methods.

    Returns
    -------
    dict
        A curve for each method, with its error before and after "steps" of fine-tuning, NaN where
        the method has no meaning.  Of each method "zero_shot", "fine_tuned", "seconds" and
        "parameters"; and the ratios that the yardsticks ask for.
    """
    rows = compressing.measure(configuration)
    values = {f"{name}: {key}": row[key] for name, row in rows.items() for key in row}
    ends = [rows[name]["fine_tuned"] for name in CUTS if name in rows]
    values |= {
        "cut_over_narrow": min(ends) / rows[FIRST]["fine_tuned"],
        "hard_over_plain": rows[HARD]["zero_shot"] / rows[PLAIN]["zero_shot"],
        "worst_over_best": max(ends) / min(ends),
    }
    none = {"zero_shot": math.nan, "fine_tuned": math.nan}
    curves = {
        name: {
            "steps": [0, configuration["tune"]],
            "left": [rows.get(name, none)[key] for key in ("zero_shot", "fine_tuned")],
        }
        for name in compressing.METHODS  # all, so that each has one colour in every reading
    }
    return {"curves": curves, "values": values}


def _settings(kind: str) -> dict[str, Any]:
    """The settings of one kind of problem, with the methods that make sense there."""
    digits = kind == "digits"  # a matrix to recover has no inputs, and a layer is not symmetric
    methods = (FIRST, *(CUTS if digits else (PLAIN, HARD, SOFT, PRUNED)))
    common = compressing.DIGITS if digits else compressing.RECOVERY
    return {"kind": kind, **common, "parts": {name: {} for name in methods}}


AFTERWARDS = "the bound was set after five seeds, those of the page on compression"

EXPERIMENT = Experiment(
    name="compression",
    title="One wide network, compressed to one width in several ways",
    claim="Which method leaves the smallest error, before and after the same fine-tuning, and at "
          "what cost? Algorithm 1 from the start; truncated and weighted SVD, hard and soft "
          "thresholding of a trained network; group Lasso with pruning.",
    settings={kind: _settings(kind) for kind in compressing.KINDS},
    meanings={
        "factorization": "every entry observed with noise",
        "completion": "half of the entries observed with noise",
        "sensing": "Gaussian measurements with noise",
        "digits": "the penultimate layer of an MLP",
    },
    quick={
        "d": 20,
        "steps": 600,
        "tune": 200,
        "readings": {"digits": {"steps": 100, "tune": 40}},
    },
    measure=measure,
    yardsticks=(
        Yardstick(
            "cut_over_narrow",
            "least error of a trained network cut and fine-tuned, over that of Algorithm 1",
            low=0.9,
            source="ours: training a narrow network from a spectral start loses nothing "
                   "substantial; "
            + AFTERWARDS,
            ours=True,
        ),
        Yardstick(
            "hard_over_plain",
            "error at once, hard gradual thresholding over truncated SVD",
            high=1.01,
            source="ours: lowering the rank gradually causes less error than reducing it at once, "
                   "and where neither causes any both agree to a percent; " + AFTERWARDS,
            ours=True,
        ),
        Yardstick(
            "worst_over_best",
            "largest over smallest error after fine-tuning, of all ways to cut a trained network",
            high=1.5,
            source="ours, after the abstract of Shumaylov et al. 2025: after fine-tuning it "
                   "hardly matters how the rank was reduced; " + AFTERWARDS,
            ours=True,
        ),
    ),
    panels=(
        Panel("steps", "left", "steps of fine-tuning", "error", logy=True),
    ),
    rows=(
        ("error at once", "zero_shot", ()),
        ("error after fine-tuning", "fine_tuned", ()),
        ("processor time (s)", "seconds", ()),
        ("parameters", "parameters", ()),
    ),
    seeds=5,
    ours=True,
    check_settings=check_digits,
    words=compressing.SETTINGS,
    apart="an experiment of our own",
    notes=(
        "Errors are relative recovery errors against the target without noise, or error rates on "
        "held-out digits. Processor times include training the network that is compressed.",
        "A line joins the errors before and after fine-tuning; those in between were not recorded.",
        "Weighted projections need inputs with a covariance, and group Lasso a symmetric model: "
        "each is run only where it is defined.",
    ),
)  # fmt: skip
