"""Draw the maps of nets.md: where claims on classifiers fail, on scikit-learn's digits (2 minutes).

    python docs/generate_classifiers.py
    python docs/generate_classifiers.py --times     # measure these alone
    python docs/generate_classifiers.py --keep      # from docs/data/classifiers.json

Perceptrons of width 64 are trained for 300 steps with a matrix, a wide block and a compressed one,
by gradient descent and Adam, over batches and step sizes.  A cell is the median of the seeds.  Of
the time of a gradient, over batches and widths, it is the smallest of several, in turns.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from dlnlab.validations import less_time

from dlnlab import data, nets, plotting
from dlnlab.experiments import penultimate
from dlnlab.numerics import threads
from dlnlab.plotting import classifiers as drawing
from dlnlab.training.trajectory import Status

DOCS = Path(__file__).parent
DATA, FIGURES = DOCS / "data" / "classifiers.json", DOCS / "figures"

STEPS, WIDTH, R_HAT, SEEDS = 300, 64, 20, 3
BATCHES = (1, 8, 128, None)
STEP_SIZES = {"sgd": (0.03, 0.1, 0.3, 1.0), "adam": (3e-4, 1e-3, 3e-3, 3e-2)}

WIDTHS, SAMPLES, NARROW = (16, 64, 128, 256, 784), (1, 16, 128, 1024, 8192), 40
"""Of the map of times: r̂ is the paper's 40, or the width where that is less."""

Samples = tuple[np.ndarray, np.ndarray]


def main() -> None:
    """Measure, unless asked not to, and draw."""
    asked = set(sys.argv[1:])
    record = json.loads(DATA.read_text("utf-8"))
    if not asked & {"--keep", "--times"}:
        record["settings"] = {"steps": STEPS, "width": WIDTH, "r_hat": R_HAT, "seeds": SEEDS}
        record["cells"] = cells()
    if "--keep" not in asked:
        record["blas"], record["times"] = threads.blas(), times()
    DATA.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    plotting.save(drawing.failures(record["cells"]), FIGURES / "classifiers.svg")
    plotting.save(drawing.times(record["times"]), FIGURES / "classifier_times.svg")


def cells() -> list[dict[str, Any]]:
    """Measure every cell."""
    digits = data.digits()
    train, test = (part.scaled(like=np.float32(0)) for part in (digits.train, digits.test))
    return [
        {"method": method, "eta": eta, "batch": batch}
        | median([measured(train, test, method, eta, batch, seed) for seed in range(SEEDS)])
        for method, sizes in STEP_SIZES.items()
        for eta in sizes
        for batch in BATCHES
    ]


def measured(
    train: Samples, test: Samples, method: str, eta: float, batch: int | None, seed: int
) -> dict[str, float]:
    """Return what became of one seed: `plotting.classifiers.QUANTITIES`, NaN if one diverged.

    Excess and turn are of the network with a matrix, "behind" is of the wide block before the
    compressed one, on average over the run but its start.
    """
    runs = {}
    for kind in ("dense", "dln", "compressed"):
        model = nets.mlp(64, WIDTH, 10, kind, R_HAT if kind == "compressed" else None)
        runs[kind] = nets.train(
            model,
            model.init(seed, like=train[0]),
            train,
            test=test,
            method=method,
            eta=eta,
            batch=batch,
            num_steps=STEPS,
            schedule="constant",
            rng=seed,
            record_every=STEPS // 5,
            record=("accuracy", "test_accuracy", *(("end_to_end",) if kind == "dense" else ())),
        )
    found = dict.fromkeys(drawing.QUANTITIES, math.nan)
    if runs["dense"].status is not Status.DIVERGED:
        _, values = penultimate.follow(np.asarray(runs["dense"].end_to_end), 10, defined=True)
        found |= {"excess": values["excess"], "turned": values["turned"]}
        found["training"] = 100 * float(runs["dense"].accuracies[-1])
    if all(run.status is not Status.DIVERGED for run in runs.values()):
        wide, narrow = (runs[kind].test_accuracies[1:] for kind in ("dln", "compressed"))
        found["behind"] = 100 * float(np.mean(wide - narrow))
    return found


def times() -> list[dict[str, Any]]:
    """Measure a gradient in single precision, on one thread."""
    return [
        {"width": width, "batch": batch, "seconds": seconds(width, batch)}
        for width in WIDTHS
        for batch in SAMPLES
    ]


def seconds(width: int, batch: int) -> dict[str, float]:
    """Return the smallest processor time of a gradient with each block."""
    models = {
        kind: nets.mlp(width, width, 10, kind, min(NARROW, width) if kind == "compressed" else None)
        for kind in ("dense", "dln", "compressed")
    }
    rounds = less_time.times(models, batch, least=0.05)
    return {kind: float(np.min(several)) for kind, several in rounds.items()}


def median(results: Sequence[Mapping[str, float]]) -> dict[str, float | None]:
    """Return the median of every quantity, None if a seed has none."""
    middle = {name: float(np.median([r[name] for r in results])) for name in drawing.QUANTITIES}
    return {name: None if math.isnan(x) else x for name, x in middle.items()}


if __name__ == "__main__":
    main()
