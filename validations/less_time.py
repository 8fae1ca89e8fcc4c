"""Less time: gradients of perceptrons on this machine, one thread, in turns."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlnlab import nets
from dlnlab.claims import less_time
from dlnlab.lab import samples
from dlnlab.lab.faults import REFUTED, Fault
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally
from dlnlab.nets.losses import cross_entropy
from dlnlab.numerics import threads

__all__ = ["FAULTS", "ROUNDS", "SUITE", "attack", "times"]

ROUNDS = 9


def times(models: Mapping[str, nets.Network], n: int, least: float = 0.0) -> dict[str, np.ndarray]:
    """Return processor seconds of a gradient on n samples, every round, of models in turns.

    They are in single precision.

    Parameters
    ----------
    models : mapping of str to Network
        Of one classifier's sizes but for the block.
    n : int
        Samples.
    least : float
        There are `ROUNDS`, or as many as take so many seconds.

    Returns
    -------
    dict of str to array, shape (rounds,)
    """
    any_of_them = next(iter(models.values()))
    X, y = samples.clusters(np.random.default_rng(n), n, any_of_them.image[0], any_of_them.classes)
    X = X.astype(np.float32)
    found: dict[str, list[float]] = {name: [] for name in models}
    with threads.limited(1):
        started = {name: model.init(0, like=X) for name, model in models.items()}
        begun = time.process_time()
        while min(map(len, found.values())) <= ROUNDS or time.process_time() < begun + least:
            for name, model in models.items():
                before = time.process_time()
                model._evaluate(started[name], X, y, cross_entropy)
                found[name].append(time.process_time() - before)
    return {name: np.array(seconds[1:]) for name, seconds in found.items()}  # but the warm-up


def attack(tally: Tally, width: int, r_hat: int, n: int) -> None:
    """Compare the smallest times of both blocks; the error is what half of the rounds add.

    What else the machine does only ever adds to a time, so the smallest one is the nearest.

    Parameters
    ----------
    tally : Tally
    width, r_hat, n : int
        Width of all layers, r̂, samples.
    """
    kinds = {"dln": None, "compressed": r_hat}
    models = {kind: nets.mlp(width, width, 10, kind, r) for kind, r in kinds.items()}
    found = times(models, n, least=0.02)
    wide, narrow = (float(np.min(found[kind])) for kind in kinds)
    spread = max(float(np.median(t) / np.min(t)) - 1 for t in found.values())
    premises = [less_time.large(width), less_time.narrow(r_hat, width)]
    told = {"width": width, "r_hat": r_hat, "samples": n, "ratio": wide / narrow}
    tally.add(less_time.margin(wide, narrow), spread, premises, told)


def _random(tally: Tally, task: Task) -> None:
    """Widths from 16 to 256 and 1 to 500 samples, half of them within the premises."""
    rng = task.rng
    for number in range(task.count):
        inside = number % 2 == 0
        width = int(np.exp(rng.uniform(np.log(128 if inside else 16), np.log(256))))
        n = int(np.exp(rng.uniform(0, np.log(500))))
        r_hat = int(rng.integers(1, width // 8 + 1 if inside else width + 1))
        attack(tally, width, r_hat, n)


SUITE = Suite(less_time.CLAIM, {"random": Part(_random, share=0.05)})


def _threefold(right: Any) -> Any:
    """A compressed network whose gradients are computed three times: it saves less than that."""

    def evaluate(self: Any, *given: Any) -> Any:
        for _ in range(2 if self.block.kind == "compressed" else 0):
            right(self, *given)
        return right(self, *given)

    return evaluate


FAULTS = (
    Fault("less_time", "three gradients for one", REFUTED, nets.Network, "_evaluate", _threefold),
    Fault("less_time", "the other way round", REFUTED, less_time, "margin",
          lambda right: lambda wide, compressed: right(compressed, wide)),
)  # fmt: skip


def test_less_time() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
