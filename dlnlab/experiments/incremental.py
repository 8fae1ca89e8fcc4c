"""What Figures 4 and 7 to 12 share: singular values and vectors are fitted one after another.

The paper shows surfaces; here singular values are curves, and alignments maps of mode by time.  Two
quantities say what the surfaces show.  "overlap" is how far the next singular value has come, as a
fraction of its target, when one is within 5 % of its own: 0 for values that take turns, 1 for
values that move together.  "beyond" is how far σ_{r+1} ever comes, as a fraction of σ_r*.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from dlnlab import campaigns
from dlnlab.experiments.common import (
    COMPLETION_CODE,
    COMPLETION_PAPER,
    DIVERGES,
    READINGS,
    SENSING_CODE,
    SENSING_PAPER,
)
from dlnlab.experiments.experiment import Experiment, Panel, Yardstick
from dlnlab.experiments.instance import CODE, PAPER
from dlnlab.experiments.pair import original_run, thinned
from dlnlab.training.trajectory import Status

__all__ = [
    "ENDS",
    "FITTED",
    "NOTEBOOK",
    "PANELS",
    "QUICK",
    "SETTINGS",
    "YARDSTICKS",
    "figure",
    "measure",
    "overlap",
]

FITTED = 0.95


@campaigns.task("dlnlab.experiments.incremental.measure")
def measure(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Run the original network and follow its singular values and vectors.

    Parameters
    ----------
    configuration : mapping
        Settings and "seed".

    Returns
    -------
    dict
        The curve "original" with "singular_values" (r + 2 of them), "left" and "right" alignments;
        "values", NaN if the run diverged; "targets".
    """
    rank = configuration["rank"]
    instance, run = original_run(configuration, ("loss", "error", "singular_values", "alignment"))
    targets = np.asarray(instance.problem.target_svd.s)[:rank]
    values = np.asarray(run.singular_values)[:, : rank + 2]
    left, right = np.asarray(run.left_alignments), np.asarray(run.right_alignments)
    curve = {
        "steps": run.steps,
        "loss": np.asarray(run.losses),
        "error": np.asarray(run.errors),
        "singular_values": values,
        "left": left,
        "right": right,
    }
    found = {
        "overlap": overlap(values, targets),
        "beyond": float(np.max(values[:, rank]) / targets[-1]),
        "fitted": float(np.max(np.abs(values[-1, :rank] / targets - 1))),
        "aligned": float(np.min([left[-1], right[-1]])),
        "largest": float(values[-1, 0]),
        "smallest": float(values[-1, rank - 1]),
    }
    if run.status is Status.DIVERGED:
        found = dict.fromkeys(found, math.nan)
    return {
        "curves": {"original": thinned(curve)},
        "values": found,
        "targets": targets.tolist(),
    }


def overlap(values: np.ndarray, targets: np.ndarray) -> float:
    """Return how far a singular value has come at most when the one before it is fitted.

    Parameters
    ----------
    values : array, shape (records, ≥ r)
    targets : array, shape (r,)

    Returns
    -------
    float
        The largest σ_{i+1}(t_i)/σ_{i+1}* with t_i the first record at which σ_i ≥ 0.95 σ_i*; NaN if
        one of them never is.
    """
    shares = []
    for i in range(targets.size - 1):
        reached = np.flatnonzero(values[:, i] >= FITTED * targets[i])
        if not reached.size:
            return math.nan
        shares.append(float(values[reached[0], i + 1] / targets[i + 1]))
    return max(shares, default=0.0)


YARDSTICKS = (
    Yardstick(
        "overlap",
        "how far the next singular value has come when one is within 5 % of its target",
        high=0.1,
        source="Appendix A.1: one at a time, the others close to their start, read as a tenth",
    ),
    Yardstick(
        "beyond",
        "largest σ_{r+1} during the run, relative to σ_r*",
        high=0.05,
        source="Figures 4 and 7 to 12: only r values rise; their height shows about 1/20",
    ),
    Yardstick(
        "fitted",
        "largest relative distance of a singular value from its target at the end",
        high=0.01,
        source="Figures 4 and 7 to 12: at their targets at the end; 1/100 is less than one sees",
    ),
    Yardstick(
        "aligned",
        "smallest alignment of a singular vector with the target's at the end",
        low=0.99,
        source="Figures 4 and 7 to 11: 1 at the end; 1/100 is less than one sees",
    ),
)

PANELS = (
    Panel("steps", "singular_values", "iterations", r"singular value $\sigma_i$", targets=True),
    Panel("steps", "right", "iterations", "mode", title="alignment, right", shades=True),
    Panel("steps", "left", "iterations", "mode", title="alignment, left", shades=True),
)

SETTINGS = {
    "factorization": {
        "paper": PAPER,
        "code": CODE | {"num_steps": 150_000},
        "mean": PAPER | {"loss": "mean"},
        "top": CODE | {"target": "top"},
    },
    "completion": {
        "paper": COMPLETION_PAPER | {"observed": 0.2},
        "code": COMPLETION_CODE | {"observed": 0.2, "num_steps": 40_000, "record_every": 100},
        "mean": COMPLETION_PAPER | {"observed": 0.2, "loss": "mean"},
        "top": COMPLETION_CODE
        | {"observed": 0.2, "num_steps": 40_000, "record_every": 100, "target": "top"},
    },
    "sensing": {
        "paper": SENSING_PAPER,
        "code": SENSING_CODE | {"record_every": 20},
        "top": SENSING_CODE | {"target": "top", "record_every": 20},
    },
}

QUICK: dict[str, dict[str, Any]] = {
    "factorization": {"d": 40, "rank": 3, "r_hat": 6, "num_steps": 30_000}
    | {"readings": {"figs": {"eta": 1.0}}},
    "completion": {"d": 40, "rank": 2, "r_hat": 4, "observed": 0.5, "num_steps": 20_000}
    | {"readings": {"figs": {"eta": 10.0}}},
    "sensing": {"d": 20, "rank": 2, "r_hat": 4, "m": 300, "num_steps": 5000}
    | {"readings": {"code": {"eta": 2.5}, "top": {"eta": 2.5}, "figs": {"eta": 2.5}}},
}

NOTEBOOK = {"factorization": 5, "completion": 6, "sensing": 14}
"""The figure whose notebook has the code's settings."""


def figure(
    name: str,
    kind: str,
    rank: int,
    *,
    figs: Mapping[str, Any] | None = None,
    plot: tuple[str, float, float] | None = None,
    why: str = DIVERGES,
    **others: Any,
) -> Experiment:
    """Return the experiment of one of these figures.

    Parameters
    ----------
    name : str
    kind : {"factorization", "completion", "sensing"}
    rank : int
    figs : mapping, optional
        Settings of the reading "figs": the size at which the target of the authors' code has the
        singular values at which the plot ends.
    plot : tuple of str and two float, optional
        A plot in the authors' repository that is almost surely this figure, and where its largest
        and smallest fitted singular values end.
    why, others
        Further fields of `Experiment`.

    Returns
    -------
    Experiment
    """
    size = {"rank": rank, "r_hat": 2 * rank}
    settings = {reading: s | size for reading, s in SETTINGS[kind].items()}
    if figs is not None:
        settings["figs"] = {**figs, **size}
    fields: dict[str, Any] = {
        "title": f"Incremental learning in matrix {kind}, r = {rank}",
        "panels": (replace(PANELS[0], marks=ENDS if plot else {}), *PANELS[1:]),
    }
    return Experiment(
        name=name,
        claim=f"In matrix {kind}, the first {rank} singular values are fitted one at a time, with "
        "their singular vectors, while the others stay near their start.",
        settings=settings,
        meanings={name: READINGS[name] for name in settings if name in READINGS},
        quick=QUICK[kind],
        measure=measure,
        yardsticks=(*YARDSTICKS, *_read_off(name, plot)),
        why=why,
        notes=(
            "No notebook draws this figure; the code's settings are those of its Figure "
            f"{NOTEBOOK[kind]} with this rank.",
            *_where_it_ends(plot),
        ),
        **fields | others,
    )


ENDS = {"largest": "y", "smallest": "y"}


def _read_off(name: str, plot: tuple[str, float, float] | None) -> tuple[Yardstick, ...]:
    """The ends of the singular values in the plot of a figure, if there is one."""
    if plot is None:
        return ()
    file, *ends = plot
    return tuple(
        Yardstick(
            which,
            f"{which} of the r singular values at the end",
            published=end,
            reading_error=1.0,
            source=f"Figure {name[3:]}: plot figs/{file} (comp-deep-nets, commit 4349b87)",
        )
        for which, end in zip(ENDS, ends, strict=True)
    )


def _where_it_ends(plot: tuple[str, float, float] | None) -> tuple[str, ...]:
    """What the reader should know of the plot of a figure, if there is one."""
    if plot is None:
        return ()
    return (
        f"A plot in the authors' repository, figs/{plot[0]}, is almost surely this figure. It ends "
        "at singular values that no target with d = 100 has; the spread target has them with a "
        "larger d. Reading figs uses that; the plot gives neither η nor the number of "
        "measurements.",
    )
