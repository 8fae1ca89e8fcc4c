"""Few directions: linear classifiers trained by `nets.train`, on anything, at any step size."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlnlab import nets, networks
from dlnlab.claims import few_directions
from dlnlab.lab import samples
from dlnlab.lab.faults import REFUTED, UNMET, Fault
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally
from dlnlab.methods import Descent

__all__ = ["FAULTS", "LARGEST", "LOSSES", "METHODS", "SUITE"]

LOSSES = ("cross_entropy", "squared")
METHODS = ("sgd", "momentum", "adam")

LARGEST = 1e6
"""Of a weight, beyond which a diverging run is not followed: δ alone decides then."""


def _attack(tally: Tally, rng: np.random.Generator, method: str, told: dict[str, Any]) -> None:
    """Train a linear classifier with every step recorded, and judge it at the end.

    A run with large steps that diverged is judged by its last finite record.
    """
    classes = int(rng.integers(2, 4))
    inputs, steps = int(rng.integers(2 * classes + 1, 13)), int(rng.integers(1, 40))
    X, y = samples.clusters(
        rng, int(rng.integers(classes, 40)), inputs, classes, wrong=rng.random()
    )
    eps, eta = 10.0 ** rng.uniform(-2, 0.3), 10.0 ** rng.uniform(-3, 0.5)
    batch = int(rng.integers(1, len(y) + 1))
    model = nets.deep_linear(inputs, classes)
    run = nets.train(
        model,
        model.init(rng, eps),
        (X, y),
        method=method,
        eta=eta,
        batch=batch,
        num_steps=steps,
        schedule="constant",
        loss=LOSSES[int(rng.integers(2))],
        rng=int(rng.integers(2**31)),
        record_every=1,
        record=("layers",),
    )
    *_, W, V = run.layers.values()
    finite = np.isfinite(W).all((-2, -1)) & np.isfinite(V).all((-2, -1))
    small = finite & np.all([np.max(np.abs(A), (-2, -1)) < LARGEST for A in (W, V)], axis=0)
    kept = int(np.argmin(small)) if not small.all() else len(W)
    W, V = W[:kept], V[:kept]
    delta = few_directions.drift(W, V)
    margin = float(np.min(few_directions.margins(W[-1], W[0], classes, eps, delta)))
    told = told | {"inputs": inputs, "classes": classes, "eps": eps, "eta": eta, "batch": batch}
    premises = [
        few_directions.orthogonal((W[0], V[0]), eps),
        few_directions.descent(method == "sgd"),
    ]
    tally.add(margin, few_directions.rounding(W, V, eps), premises, told | {"steps": kept - 1})


def _descent(tally: Tally, task: Task) -> None:
    """Gradient descent on clusters with wrong labels, for any batch size, with small and large
    steps.
    """
    rng = task.rng
    for number in range(task.count):
        _attack(tally, rng, "sgd", {"method": "sgd", "seed": task.seed, "number": number})


def _others(tally: Tally, task: Task) -> None:
    """Momentum and Adam, which are outside the premises."""
    rng = task.rng
    for number in range(task.count):
        method = METHODS[1 + number % 2]
        _attack(tally, rng, method, {"method": method, "seed": task.seed, "number": number})


SUITE = Suite(
    few_directions.CLAIM, {"descent": Part(_descent, share=0.5), "others": Part(_others, share=0.1)}
)


def _signs(right: Any) -> Any:
    """Steps along the gradient's signs, which is no descent whatever the method is called."""

    def move(self: Any, step: int, W: Any, gradient: Any, slots: Any, rate: Any) -> None:
        W -= rate * np.sign(gradient)

    return move


FAULTS = (
    Fault("few_directions", "no drift", REFUTED, few_directions, "drift",
          lambda right: lambda W, V: 0.0),
    Fault("few_directions", "drift of the last step alone", REFUTED, few_directions, "drift",
          lambda right: lambda W, V: right(W[-2:], V[-2:])),
    Fault("few_directions", "steps of signs", REFUTED, Descent, "move", _signs),
    Fault("few_directions", "any start", UNMET, networks, "original_weights",
          lambda right: lambda *a, **k: tuple(W * 1.1 for W in right(*a, **k))),
)  # fmt: skip


def test_few_directions() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
