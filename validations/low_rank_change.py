"""Low-rank change: perceptrons on clusters with wrong labels; Adam is outside the premises."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlnlab import nets
from dlnlab.claims import low_rank_change
from dlnlab.experiments import penultimate
from dlnlab.lab import samples
from dlnlab.lab.cases import EPS
from dlnlab.lab.faults import REFUTED, Fault
from dlnlab.lab.observed import shaken
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally
from dlnlab.methods import METHODS, Descent

__all__ = ["FAULTS", "FEW", "LARGEST", "SCALES", "SUITE"]

LARGEST = 1e100

FEW = 10
"""Times that one run perturbed by about as much as rounding does may differ less than rounding."""

SCALES = {"sgd": 1.0, "momentum": 0.1, "adam": 0.01}
"""Of step sizes: a method's own."""


def _ends(
    model: nets.Network, params: Any, data: Any, options: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the penultimate matrix before and after training."""
    every = {"record_every": options["num_steps"], "record": ("end_to_end",)}
    run = nets.train(model, params, data, **options, **every)
    assert run.end_to_end is not None
    return run.end_to_end[0], run.end_to_end[-1]


def _excess(start: np.ndarray, end: np.ndarray, count: int) -> float:
    share = penultimate.energy_share(end - start, count)
    return penultimate.excess(share, penultimate.null_share(start.shape, count))


def _attack(
    tally: Tally, rng: np.random.Generator, method: str, *, hard: bool, told: dict[str, Any]
) -> None:
    """Train a perceptron and judge what became of its penultimate matrix.

    The hard ones have nothing to learn but by heart, sample by sample.  Weights so large that their
    squares overflow have nothing to judge.
    """
    inputs, width, classes = (int(n) for n in rng.integers((6, 20, 2), (24, 33, 5)))
    wrong = 1.0 if hard else float(rng.random())
    X, y = samples.clusters(rng, int(rng.integers(20, 150)), inputs, classes, wrong=wrong)
    eta = SCALES[method] * 10.0 ** rng.uniform(-2, 0.5)
    batch = 1 if hard else int(rng.integers(1, len(y) + 1))
    steps = 300 if hard else int(rng.integers(2, 200))
    model = nets.mlp(inputs, width, classes)
    params = model.init(rng)
    options = {"method": method, "eta": eta, "batch": batch, "num_steps": steps}
    options |= {"schedule": "constant", "rng": int(rng.integers(2**31))}
    data = np.sqrt(inputs) * X, y
    start, end = _ends(model, params, data, options)
    moved = dict(zip(params, shaken(list(params.values()), rng), strict=True))
    others = _ends(model, moved, data, options)
    if not np.max(np.abs([end, others[1]])) < LARGEST:
        tally.note("diverged", told)
        return
    excess, other = (_excess(*ends, 2 * classes) for ends in ((start, end), others))
    relative = float(np.linalg.norm(end - start) / np.linalg.norm(start))
    premises = [
        low_rank_change.linear(METHODS[method].is_linear),
        low_rank_change.moved(relative),
    ]
    # of the last look, and what training made of a start that is perturbed within rounding
    error = 64 * width * EPS * (1 + 1 / max(relative, EPS)) + FEW * abs(other - excess)
    told = told | {"inputs": inputs, "width": width, "classes": classes, "samples": len(y)}
    told |= {"wrong": wrong, "eta": eta, "batch": batch, "steps": steps, "excess": excess}
    tally.add(low_rank_change.margin(excess), error, premises, told)


def _random(tally: Tally, task: Task) -> None:
    """Gradient descent with or without momentum, on batches of any size, and Adam."""
    rng = task.rng
    for number in range(task.count):
        method = list(SCALES)[number % 3]
        told = {"method": method, "seed": task.seed, "number": number}
        _attack(tally, rng, method, hard=False, told=told)


def _hard(tally: Tally, task: Task) -> None:
    """Labels that are unrelated to the samples, learned one sample at a time."""
    rng = task.rng
    for number in range(task.count):
        method = list(SCALES)[number % 2]
        told = {"method": method, "seed": task.seed, "number": number}
        _attack(tally, rng, method, hard=True, told=told)


SUITE = Suite(
    low_rank_change.CLAIM,
    {"random": Part(_random, share=0.15), "hard": Part(_hard, share=0.05)},
)


def _noisy(right: Any) -> Any:
    """Steps of noise of the gradient's size."""

    def move(self: Any, step: int, W: Any, gradient: Any, slots: Any, rate: Any) -> None:
        noise = np.random.default_rng(step).standard_normal(W.shape)
        W -= rate * np.sqrt(np.mean(gradient**2)) * noise

    return move


FAULTS = (
    Fault("low_rank_change", "steps of noise", REFUTED, Descent, "move", _noisy),
    Fault("low_rank_change", "share of one direction", REFUTED, penultimate, "energy_share",
          lambda right: lambda change, count: right(change, 1) ** 2),
)  # fmt: skip


def test_low_rank_change() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
