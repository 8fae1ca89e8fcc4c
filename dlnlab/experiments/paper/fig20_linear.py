"""Figure 20's measure on a deep linear network: the distance of consecutive singular subspaces."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlnlab import campaigns
from dlnlab.experiments.common import four_readings
from dlnlab.experiments.experiment import Experiment, Panel, Yardstick
from dlnlab.experiments.instance import CODE, PAPER
from dlnlab.experiments.pair import original_run, thinned
from dlnlab.numerics import spectra
from dlnlab.training.trajectory import Status

__all__ = ["EXPERIMENT", "measure"]


@campaigns.task("dlnlab.experiments.fig20.measure")
def measure(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Follow r − ‖U_r(t)ᵀU_r(t+1)‖_F² (Eq. 14) of the penultimate layer of the original network.

    The layers of an exact reduction have the singular values and, in other coordinates, the
    singular vectors of the network's layers, so that the distances are the same.

    Parameters
    ----------
    configuration : mapping
        Settings and "seed".

    Returns
    -------
    dict
        The curve "original" with "left" and "right" distances from one record to the next, and
        their largest value and median.  At the start all singular values are equal and no subspace
        is defined, so that the first record is left out.
    """
    _, run = original_run(configuration, ("loss", "layers"))
    if run.status is Status.DIVERGED:
        return {"curves": {}, "values": {"largest": np.nan, "median": np.nan}}
    assert run.layers is not None
    layer = np.asarray(run.layers[-2])[1:]
    U, _, Vh = np.linalg.svd(layer)
    rank = configuration["rank"]
    distances = {
        "left": spectra.subspace_distance(U[:-1, :, :rank], U[1:, :, :rank]),
        "right": spectra.subspace_distance(Vh.mT[:-1, :, :rank], Vh.mT[1:, :, :rank]),
    }
    both = np.stack(list(distances.values()))
    return {
        "curves": {"original": thinned({"steps": run.steps[2:]} | distances)},
        "values": {"largest": float(both.max()), "median": float(np.median(both))},
    }


EXPERIMENT = Experiment(
    name="fig20-linear",
    title="Distance of consecutive singular subspaces (Eq. 14), in matrix factorization",
    claim="The top-r singular subspaces of a weight matrix hardly change from one step to the "
    "next, so that training happens in an invariant subspace.",
    **four_readings(PAPER, CODE),
    apart="another experiment: the paper's is on classifiers, this one on matrix factorization",
    quick={"d": 40, "rank": 3, "r_hat": 6, "num_steps": 30_000},
    measure=measure,
    yardsticks=(
        Yardstick(
            "largest",
            "largest subspace distance between consecutive records (r if nothing is shared)",
            high=1.0,
            source="caption of Figure 20: small throughout; a tenth of the largest value, r = 10, "
            "is a bound that nothing here could miss",
            ours=True,
        ),
    ),
    panels=tuple(
        Panel(
            "steps",
            side,
            "iterations",
            "subspace distance",
            title=f"{side} subspace",
            logy=True,
            low=1e-17,  # what lies below is rounding
        )
        for side in ("left", "right")
    ),
    notes=(
        "The paper's figure is for classifiers; this applies its definition to the penultimate "
        "layer of a deep linear network in matrix factorization, record by record.",
    ),
)
