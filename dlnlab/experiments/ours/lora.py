"""LoRA against a compressed DLN: one layer fine-tuned by updates of equally many numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dlnlab import campaigns
from dlnlab.experiments import adapting
from dlnlab.experiments.adapting import DLN, LORA, METHODS, TWO
from dlnlab.experiments.common import check_digits
from dlnlab.experiments.experiment import Experiment, Panel, Yardstick

__all__ = ["BEFORE", "EARLY", "EXPERIMENT", "PARTS", "measure"]

EARLY = 3
"""Record of an error "early": after 12 % of the steps."""

PARTS: dict[str, Any] = {"parts": {name: {} for name in METHODS}}


@campaigns.task("dlnlab.experiments.lora.measure")
def measure(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Fine-tune one layer in all ways.

    Parameters
    ----------
    configuration : mapping
        As for `dlnlab.experiments.adapting.measure`.

    Returns
    -------
    dict
        A curve of test errors for each method, what was chosen and what came of it, and the ratios
        that the yardsticks ask for.
    """
    rows = adapting.measure(configuration)
    values = {
        f"{name}: {key}": number
        for name, row in rows.items()
        for key, number in row.items()
        if key not in ("steps", "errors")
    }
    values |= {
        "dln_over_lora": rows[DLN]["error"] / rows[LORA]["error"],
        "dln_over_lora_early": rows[DLN]["errors"][EARLY] / rows[LORA]["errors"][EARLY],
        "three_over_two": rows[DLN]["error"] / rows[TWO]["error"],
    }
    curves = {name: {key: row[key] for key in ("steps", "errors")} for name, row in rows.items()}
    return {"curves": curves, "values": values}


BEFORE = (
    "declared before the five seeds were run; the grid of scales was then widened once, because "
    "LoRA's optimum was at its end"
)

EXPERIMENT = Experiment(
    name="lora",
    title="Fine-tuning a layer by LoRA, and by a compressed DLN",
    claim="Does an update by three factors with a spectral start, a compressed DLN, end with a "
          "smaller error than LoRA's two factors with equally many parameters, as the conclusion "
          "of Kwon et al. proposes; and if so, because of its depth or of its start?",
    settings={
        "difference": {
            "kind": "difference", "d": 32, "rank": 4, "samples": 64, "noise": 0.05, "r_hat": 8,
            "steps": 500, "step_sizes": [2.0**k for k in range(-4, 4)],
            "scales": [0.0001, 0.001, 0.01, 0.03, 0.1, 0.3], **PARTS,
        },
        "digits": {
            "kind": "digits", "samples": 300, "r_hat": 16, "trained": 600, "steps": 150,
            "step_sizes": [2.0**k for k in range(1, 8)],
            "scales": [0.3, 1.0, 2.0, 6.0, 12.0], **PARTS,
        },
    },
    meanings={
        "difference": "a linear layer that is to change by a matrix of low rank",
        "digits": "the penultimate layer of an MLP, for digits moved by a pixel",
    },
    quick={
        "steps": 50,
        "step_sizes": [0.25, 1.0],
        "scales": [0.1, 0.3],
        "readings": {"digits": {"step_sizes": [4.0, 16.0], "trained": 100}},
    },
    measure=measure,
    yardsticks=(
        Yardstick(
            "dln_over_lora",
            "test error, compressed DLN over LoRA",
            high=1.0,
            source="ours: the hope expressed in the conclusion of Kwon et al. 2024; " + BEFORE,
            ours=True,
        ),
        Yardstick(
            "dln_over_lora_early",
            "test error after 12 % of the steps, compressed DLN over LoRA",
            high=1.0,
            source="ours: a start along the gradient is ahead at first; " + BEFORE,
            ours=True,
        ),
        Yardstick(
            "three_over_two",
            "test error, three factors over two with the same spectral start",
            high=1.0,
            source="ours: depth helps on its own; " + BEFORE,
            ours=True,
        ),
    ),
    panels=(Panel("steps", "errors", "steps of fine-tuning", "test error", logy=True),),
    rows=(
        ("test error", "error", ()),
        ("stopped at step", "stop", ()),
        ("step size, in 1/curvature", "eta", ()),
        ("ε of the start", "eps", ()),
        ("processor time of a run (s)", "seconds", ()),
        ("parameters", "parameters", ()),
    ),
    seeds=5,
    ours=True,
    check_settings=check_digits,
    words=adapting.SETTINGS,
    apart="an experiment of our own",
    notes=(
        "Errors: of outputs, relative to those of the untouched layer, or error rates on test "
        "digits. For each method, step size, scale and stopping step are chosen on validation "
        "data from the same grid; test data are not used for tuning.",
    ),
)  # fmt: skip
