"""Figure 22: the picture of Theorem 2's proof, drawn from data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlnlab import campaigns, flow
from dlnlab.experiments.experiment import Experiment, Panel, Yardstick
from dlnlab.experiments.instance import CODE, PAPER, draw_target
from dlnlab.experiments.pair import thinned

__all__ = ["EXPERIMENT", "KEYS", "measure"]


@campaigns.task("dlnlab.experiments.fig22.measure")
def measure(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Run both gradient flows and compare when each singular value is fitted.

    Parameters
    ----------
    configuration : mapping
        "d", "rank", "r_hat", "depth", "eps", "target" and "seed".

    Returns
    -------
    dict
        The curves "original" and "compressed" with "times" and "singular_values"; the smallest
        t_i(original)/t_i(compressed) and the smallest margin of dominance.
    """
    c = flow.compare(
        draw_target(
            configuration["d"],
            configuration["rank"],
            configuration["target"],
            configuration["seed"],
        ),
        configuration["r_hat"],
        depth=configuration["depth"],
        eps=configuration["eps"],
        rng=configuration["seed"],
    )
    rank = configuration["rank"]
    curves = {
        name: thinned(
            {
                "times": c.times,
                "singular_values": np.asarray(getattr(c, name).singular_values)[:, :rank],
            }
        )
        for name in ("original", "compressed")
    }
    ratios = np.asarray(c.fitting_times.original) / np.asarray(c.fitting_times.compressed)
    return {
        "curves": curves,
        "values": {"ratio": float(np.min(ratios)), "largest_ratio": float(np.max(ratios))},
        "targets": np.asarray(c.targets).tolist(),
    }


KEYS = ("problem", "d", "rank", "r_hat", "target", "depth", "eps")

EXPERIMENT = Experiment(
    name="fig22",
    title="The proof of Theorem 2 in a picture",
    claim="Every singular value of the compressed network is fitted before that of the original: "
    "t_i(compressed) ≤ t_i(original).",
    settings={
        "paper": {key: PAPER[key] for key in KEYS} | {"rank": 3, "r_hat": 3},
        "code": {key: CODE[key] for key in KEYS} | {"rank": 3, "r_hat": 3},
    },
    quick={"d": 40},
    measure=measure,
    yardsticks=(
        Yardstick(
            "ratio",
            "smallest t_i(original) / t_i(compressed)",
            low=1.0,
            source="Figure 22 and Appendix B.2: the compressed network's curve is to the left",
        ),
    ),
    panels=(
        Panel("times", "singular_values", "time t", "singular value", targets=True),
    ),
    apart="the paper's picture is a sketch",
    notes=("The paper's picture is a sketch; this one is Theorem 2's gradient flow.",),
)  # fmt: skip
