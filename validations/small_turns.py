"""Small turns: matrices a small or a large change apart, and records of perceptrons in training."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlnlab import nets
from dlnlab.claims import small_turns
from dlnlab.lab import samples
from dlnlab.lab.cases import EPS
from dlnlab.lab.faults import REFUTED, Fault
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally
from dlnlab.numerics import spectra

__all__ = ["FAULTS", "SUITE"]


def _attack(
    tally: Tally, before: np.ndarray, after: np.ndarray, r: int, told: dict[str, Any]
) -> None:
    """Compare Eq. (14)'s distances of two matrices, both sides together, with the bound."""
    size = float(max(np.linalg.norm(W, 2) for W in (before, after)))
    delta = small_turns.gap(before, after, r)
    frames = [np.linalg.svd(W) for W in (before, after)]
    sides = zip(*[(U[:, :r], Vh.T[:, :r]) for U, _, Vh in frames], strict=True)
    distance = sum(float(spectra.subspace_distance(A, B)) for A, B in sides)
    most = small_turns.bound(before, after, r) if delta else np.inf
    error = small_turns.rounding(before.shape, r, size, abs(delta) or EPS)
    relative = 2 * error / (most + distance) if most + distance > 0 else 2.0
    margin = small_turns.margin(distance, most) if np.isfinite(most) else 1.0
    premises = [small_turns.gapped(delta, size)]
    tally.add(margin, min(relative, 2.0), premises, told | {"r": r, "gap": delta / size})


def _random(tally: Tally, task: Task) -> None:
    """Random matrices with changes over eight decades, some aimed at a single pair of vectors."""
    rng = task.rng
    for number in range(task.count):
        rows, columns = (int(n) for n in rng.integers(2, 9, 2))
        r = int(rng.integers(1, min(rows, columns)))
        W = rng.standard_normal((rows, columns))
        if number % 2:
            kind, change = "random", rng.standard_normal(W.shape)
        else:  # turns the last vector that counts towards the first that does not
            U, _, Vh = np.linalg.svd(W)
            kind = "aimed"
            change = np.outer(U[:, r], Vh[r - 1]) + np.outer(U[:, r - 1], Vh[r])
        change *= 10.0 ** rng.uniform(-7, 1)
        told = {"kind": kind, "seed": task.seed, "number": number, "shape": W.shape}
        _attack(tally, W, W + change, r, told)


def _training(tally: Tally, task: Task) -> None:
    """Perceptrons in training: the penultimate matrix at successive records."""
    rng = task.rng
    for number in range(task.count):
        inputs, width, classes = (int(n) for n in rng.integers((3, 6, 2), (9, 17, 5)))
        X, y = samples.clusters(rng, 40, inputs, classes, wrong=rng.uniform(0, 0.5))
        model, method = nets.mlp(inputs, width, classes), ("sgd", "adam")[number % 2]
        eta = 10.0 ** rng.uniform(-3, -0.5)
        run = nets.train(
            model,
            model.init(rng),
            (X, y),
            method=method,
            eta=eta if method == "sgd" else eta / 10,
            batch=int(rng.integers(1, 41)),
            num_steps=30,
            rng=int(rng.integers(2**31)),
            record_every=int(rng.integers(1, 11)),
            record=("end_to_end",),
        )
        assert run.end_to_end is not None
        r = int(rng.integers(1, width - 1))
        for k, (before, after) in enumerate(zip(run.end_to_end, run.end_to_end[1:], strict=False)):
            told = {"method": method, "seed": task.seed, "number": number, "record": k}
            _attack(tally, before, after, r, told)


SUITE = Suite(
    small_turns.CLAIM,
    {"random": Part(_random, share=4.0), "training": Part(_training, share=0.1)},
)

FAULTS = (
    Fault("small_turns", "a quarter of the bound", REFUTED, small_turns, "bound",
          lambda right: lambda *arguments: right(*arguments) / 4),
    Fault("small_turns", "gap of one matrix's next values", REFUTED, small_turns, "gap",
          lambda right: lambda before, after, r: 3 * right(before, after, r)),
    Fault("small_turns", "sines not squared", REFUTED, spectra, "subspace_distance",
          lambda right: lambda A, B: np.sqrt(right(A, B))),
)  # fmt: skip


def test_small_turns() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
