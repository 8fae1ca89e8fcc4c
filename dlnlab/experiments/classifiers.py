"""The measurement of Figures 1, 20, 21 and Table 1: classifiers trained side by side.

Parts of a figure differ in the network; they see the same samples in the same order, and layers
outside the penultimate block start the same.  Time is processor time: the cost of a step, measured
on the same samples before the runs, in turns, times the number of steps.  So records cost nothing,
and what else the machine does meanwhile slows all parts alike.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dlnlab import campaigns, data, nets
from dlnlab.experiments import classifier_settings, penultimate
from dlnlab.experiments.classifier_settings import KINDS
from dlnlab.experiments.common import check_digits
from dlnlab.experiments.pair import thinned
from dlnlab.nets.deep_linear import DeepLinear
from dlnlab.training.trajectory import Status

__all__ = [
    "IMAGES",
    "MEASURED",
    "MEASURED_STEPS",
    "PENULTIMATE",
    "THREE_NETWORKS",
    "TRAINED",
    "WORST",
    "Samples",
    "check_data",
    "images",
    "measure",
]

IMAGES = {
    "digits": lambda path: data.digits(),
    "fashion-mnist": lambda path: data.fashion_mnist(path or None),
    "mnist": lambda path: data.mnist(path or None),
    "cifar10": lambda path: data.cifar10(path or None),
}

MEASURED_STEPS = 20
"""At most, to know what one costs; one where a step takes all samples."""

TRAINED = 99.0
"""Per cent of Table 1's time; of the samples learnt from, since held out none comes so far."""


def check_data(path: str) -> None:
    """Raise an error unless a folder holds Fashion-MNIST, or MNIST, whose files are named alike.

    Parameters
    ----------
    path : str
    """
    data.fashion_mnist(path)


class Samples(NamedTuple):
    """Images as a classifier takes them.

    Parameters
    ----------
    X : array, shape (n, height, width)
    y : array of int, shape (n,)
    """

    X: np.ndarray
    y: np.ndarray


def images(settings: Mapping[str, Any]) -> tuple[Samples, Samples]:
    """Return the samples to learn from and those held out, in single precision.

    Parameters
    ----------
    settings : mapping
        With "images", "samples", "network", and "data", the folder of the files.

    Returns
    -------
    (Samples, Samples)
    """
    found = IMAGES[settings["images"]](settings.get("data", ""))
    kept = settings["samples"] or len(found.train)
    parts = []
    for part, count in ((found.train, kept), (found.test, None)):
        X, y = part.scaled(like=np.float32(0))
        if settings["network"] == "vit" and X.ndim == 3:
            X = X[..., None]
        parts.append(Samples(X[:count], y[:count]))
    return parts[0], parts[1]


def _model_of(settings: Mapping[str, Any], sample: tuple[int, ...]) -> nets.Network:
    """Return the network of the settings for samples of that shape."""
    kind = settings.get("penultimate", "dense")
    block = {"penultimate": kind, "r_hat": settings["r_hat"] if kind == "compressed" else None}
    inputs = math.prod(sample)
    if settings["network"] == "linear":
        return nets.deep_linear(inputs)
    if settings["network"] == "mlp":
        return nets.mlp(inputs, settings["width"] or inputs, **block)
    sizes = {name: settings[name] for name in ("patch", "dim", "blocks", "heads", "mlp_dim")}
    return nets.vit(sample, **sizes, **block)  # type: ignore[arg-type]


@campaigns.task("dlnlab.experiments.classifiers.measure")
def measure(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Train every part of a configuration.

    Parameters
    ----------
    configuration : mapping
        "parts": {name: settings that differ}, "seed", and
        `dlnlab.experiments.classifier_settings.SETTINGS`.

    Returns
    -------
    dict
        "curves" with, for each part, "steps", "seconds", "loss", "accuracy" (held out) and
        "training accuracy", in per cent; and with "spectra" the "update", the leading singular
        values of W(t) − W(0), and "distance", that of Eq. (14) from the record before.
        "values" called "part: quantity" (see `_values`), for another network than the MLP "part:
        small ViT quantity"; and those that compare the parts (see `_compared`).
    """
    common = {name: value for name, value in configuration.items() if name != "parts"}
    train, test = images(common)
    started = {
        part: _start(common | differing, train)
        for part, differing in configuration["parts"].items()
    }
    costs = _costs(started, train)
    curves: dict[str, Any] = {}
    found: dict[str, dict[str, float]] = {}
    for part, start in started.items():
        state = campaigns.state_file(f"{part}.npz")
        curve, found[part] = _train(start, train, test, costs[part], state)
        curves[part] = thinned(curve)
    family = "small ViT " if common["network"] == "vit" else ""
    values = {
        f"{part}: {family}{name}": value
        for part, several in found.items()
        for name, value in several.items()
    }
    return {"curves": curves, "values": values | _compared(curves, found, family)}


class _Start(NamedTuple):
    """A network before it is trained."""

    model: nets.Network
    params: dict[str, Any]
    settings: Mapping[str, Any]

    @property
    def options(self) -> dict[str, Any]:
        """What every step of `nets.train` needs to know."""
        options = {name: self.settings[name] for name in ("method", "eta", "schedule")}
        return options | {"batch": self.settings["batch"] or None, "rng": self.settings["seed"]}


def _start(settings: Mapping[str, Any], train: Samples) -> _Start:
    model = _model_of(settings, train.X.shape[1:])
    correlation = None
    if settings.get("correlation") and model.block.kind == "compressed":
        correlation = nets.cross_correlation(*train, model.classes)
    params = model.init(
        settings["seed"],
        settings["eps"],
        like=train.X,
        init=settings["init"],
        correlation=correlation,
    )
    return _Start(model, params, settings)


def _train(
    start: _Start, train: Samples, test: Samples, cost: float, state: Path | None
) -> tuple[dict[str, Any], dict[str, float]]:
    """Return the series and the values of one network, whose checkpoint is the file `state`."""
    model, settings = start.model, start.settings
    run = nets.train(
        model,
        start.params,
        train,
        test=test,
        num_steps=settings["num_steps"],
        record_every=settings["record_every"],
        record=("loss", "accuracy", "test_accuracy", *(("layers",) if settings["spectra"] else ())),
        checkpoint=state,
        **start.options,
    )
    curve: dict[str, Any] = {
        "steps": run.steps,
        "seconds": cost * np.asarray(run.steps),
        "loss": run.losses,
        "accuracy": 100 * np.asarray(run.test_accuracies),
        "training accuracy": 100 * np.asarray(run.accuracies),
    }
    values = _values(model, curve, cost)
    if run.status is Status.DIVERGED:
        return curve, values | dict.fromkeys((*MEASURED, *WORST), math.nan)
    if settings["spectra"]:
        matrices = _followed(model, list(run.layers.values()))
        found, more = penultimate.follow(
            matrices, model.classes, defined=settings["network"] != "linear"
        )
        return curve | found, values | more
    return curve, values


def _costs(started: Mapping[str, _Start], train: Samples) -> dict[str, float]:
    """Processor seconds of a step of each network: what 2n steps take more than n.

    A run looks at its start and its end, too, which is not of a step.  Each is the smallest of
    three, taken in turns.
    """
    spent: dict[tuple[str, int], float] = {}
    for _ in range(3):
        for part, start in started.items():
            for times in (1, 2):
                seconds = _processor_time(start, train, times * _counted(start, train))
                spent[part, times] = min(seconds, spent.get((part, times), math.inf))
    return {
        part: (spent[part, 2] - spent[part, 1]) / _counted(start, train)
        for part, start in started.items()
    }


def _counted(start: _Start, train: Samples) -> int:
    """How many steps are taken to know what one costs."""
    n = len(train.y)
    return max(1, min(MEASURED_STEPS, n // (start.settings["batch"] or n)))


def _processor_time(start: _Start, train: Samples, num_steps: int) -> float:
    begun = time.process_time()
    nets.train(start.model, start.params, train, num_steps=num_steps, record=(), **start.options)
    return time.process_time() - begun


def _values(model: nets.Network, curve: Mapping[str, Any], cost: float) -> dict[str, float]:
    """What a curve comes to, and what the network costs.

    "accuracy" is the last one held out, in per cent; "time" the seconds until the training accuracy
    is 99 %, infinite if it never is; "seconds" those of a step; "parameters", "macs" and "memory"
    (of a batch of 128, the latter in MB) are counted.
    """
    arrived = np.flatnonzero(np.asarray(curve["training accuracy"]) >= TRAINED)
    return {
        "accuracy": float(curve["accuracy"][-1]),
        "training": float(curve["training accuracy"][-1]),
        "time": float(curve["seconds"][arrived[0]]) if arrived.size else math.inf,
        "seconds": cost,
        "parameters": float(model.num_parameters),
        "macs": float(model.macs()),
        "memory": model.memory() / 1e6,
    }


def _compared(
    curves: Mapping[str, Mapping[str, Any]],
    found: Mapping[str, Mapping[str, float]],
    family: str,
) -> dict[str, float]:
    """What sets the three networks of Table 1 side by side, or the parts of Figure 1.

    Ratios that the authors' figure has are those of its MLPs, "MLP speedup".
    """
    values: dict[str, float] = {}
    if set(KINDS) <= set(curves):
        original, wide, narrow = (found[name] for name in KINDS)
        behind = wide["accuracy"] - narrow["accuracy"]
        lead = np.asarray(curves["DLN"]["accuracy"]) - np.asarray(curves["C-DLN"]["accuracy"])
        speedups = {
            "speedup": wide["seconds"] / narrow["seconds"],
            "speedup over the matrix": original["seconds"] / narrow["seconds"],
        }
        values |= {
            "behind": behind,
            "behind throughout": math.nan if math.isnan(behind) else _later_mean(lead),
            "ahead of the matrix": wide["accuracy"] - original["accuracy"],
            "ratio of macs": wide["macs"] / narrow["macs"],
            **speedups,
            **_of_full_size(),
        }
        values |= {} if family else {f"MLP {name}": ratio for name, ratio in speedups.items()}
    for name, worst in WORST.items():
        each = [several[name] for several in found.values() if name in several]
        if each:
            values[name] = math.nan if any(map(math.isnan, each)) else worst(each)
    return values


def _of_full_size() -> dict[str, float]:
    """Parameters and multiplications of Table 1's ViTs, which are counted and not trained."""
    counted = {part: nets.vit(penultimate=kind["penultimate"]) for part, kind in KINDS.items()}
    return {
        f"{part}: ViT {name}": float(count)
        for part, model in counted.items()
        for name, count in (("parameters", model.num_parameters), ("macs", model.macs()))
    }


MEASURED = ("accuracy", "training", "time", "seconds")
"""What a run that diverged has no number for."""

WORST: dict[str, Callable[[Sequence[float]], float]] = {
    "share": min,
    "excess": min,
    "distance": max,
    "distance over random": max,
    "turned": max,
}
"""Of the quantities that follow a matrix, which end of the parts a figure is judged by."""


def _later_mean(series: np.ndarray) -> float:
    """The mean but for the first tenth."""
    return float(np.mean(series[len(series) // 10 :]))


def _followed(model: nets.Network, layers: Sequence[np.ndarray]) -> np.ndarray:
    """Return the penultimate matrix at every record: of a linear classifier W_2, else the block."""
    if isinstance(model, DeepLinear):
        return np.asarray(layers[-2])
    return np.asarray(reduce(lambda product, W: W @ product, layers[1:], layers[0]))


_IMAGES: dict[str, Any] = {
    "measure": measure,
    "needs_data": classifier_settings.NEEDED,
    "check_data": check_data,
    "check_settings": check_digits,
    "quick_data": False,
}

PENULTIMATE: dict[str, Any] = _IMAGES | {
    "settings": classifier_settings.FIGURE1,
    "meanings": classifier_settings.FIGURE1_MEANINGS,
    "quick": classifier_settings.FIGURE1_QUICK,
    "seeds": 3,
    "on_request": ("paper",),
}
"""What Figures 1 and 20 share: the penultimate matrix is followed."""

THREE_NETWORKS: dict[str, Any] = _IMAGES | {
    "settings": classifier_settings.TABLE1,
    "meanings": classifier_settings.MEANINGS,
    "quick": classifier_settings.QUICK,
    "on_request": ("paper", "adam"),
    "without_data": ("vit-digits",),
}
"""What Figure 21 and Table 1 share: three networks are trained."""
