"""Equal accuracy: two perceptrons trained alike on clusters, with a wide and a compressed block."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlnlab import nets
from dlnlab.claims import Verdict, equal_accuracy
from dlnlab.lab import samples
from dlnlab.lab.faults import REFUTED, Fault
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["AHEAD", "FAULTS", "HELD_OUT", "LARGEST", "STEPS", "SUITE"]

AHEAD = "wide_ahead_on_average"
HELD_OUT = 10_000
STEPS = 150
LARGEST = {"sgd": 0.7, "adam": 0.03}
"""Of the step sizes, which go down to a fifth of it."""


def _trained(
    rng: np.random.Generator, method: str, kinds: dict[str, int | None]
) -> tuple[dict[str, tuple[float, float]], dict[str, Any]]:
    """Train a network with each block; return accuracies, own and held out, and the settings."""
    inputs, width, classes = (int(n) for n in rng.integers((6, 16, 2), (16, 25, 4)))
    n = int(rng.integers(30, 100))
    X, y = samples.clusters(rng, n + HELD_OUT, inputs, classes, wrong=0.05)
    X *= np.sqrt(inputs)
    eta = LARGEST[method] * 10.0 ** rng.uniform(-0.7, 0)
    batch = int(rng.integers(8, n + 1))
    seed = int(rng.integers(2**31))
    found = {}
    for kind, times in kinds.items():
        r_hat = None if times is None else min(times * classes, width)
        model = nets.mlp(inputs, width, classes, kind, r_hat)
        run = nets.train(
            model,
            model.init(seed),
            (X[:n], y[:n]),
            test=(X[n:], y[n:]),
            method=method,
            eta=eta,
            batch=batch,
            num_steps=STEPS,
            rng=seed,
            record_every=STEPS,
            record=("accuracy", "test_accuracy"),
        )
        assert run.accuracies is not None
        assert run.test_accuracies is not None
        found[kind] = float(run.accuracies[-1]), float(run.test_accuracies[-1])
    told = {"inputs": inputs, "width": width, "classes": classes, "samples": n}
    return found, told | {"eta": eta, "batch": batch}


def _attack(tally: Tally, rng: np.random.Generator, method: str, told: dict[str, Any]) -> None:
    """Compare the two networks on samples held out."""
    found, settings = _trained(rng, method, {"dln": None, "compressed": 4})
    (own_wide, wide), (own_narrow, narrow) = found["dln"], found["compressed"]
    premises = [equal_accuracy.fitted(own_wide, own_narrow)]
    told = told | settings | {"wide": wide, "compressed": narrow}
    error = equal_accuracy.sampling_error(HELD_OUT)
    tally.add(equal_accuracy.margin(wide, narrow), error, premises, told)
    if premises[0].met:
        tally.note(AHEAD, wide - narrow)


def _random(tally: Tally, task: Task) -> None:
    """Clusters near and far, few samples and many, gradient descent and Adam in turn."""
    rng = task.rng
    for number in range(task.count):
        method = list(LARGEST)[number % 2]
        _attack(tally, rng, method, {"method": method, "seed": task.seed, "number": number})


def _conclude(tally: Tally) -> Verdict:
    """The worst pair, and by how much the wide network is ahead on average."""
    ahead = tally.notes.get(AHEAD, [])
    return tally.verdict(**{AHEAD: float(np.mean(ahead)) if ahead else None})


SUITE = Suite(equal_accuracy.CLAIM, {"random": Part(_random, share=0.1)}, _conclude)


def _forgetful(right: Any) -> Any:
    """A compressed network that is judged on labels of other samples."""

    def measure(self: Any, params: Any, given: Any) -> Any:
        X, y = given
        held_out = self.model.block.kind == "compressed" and self.test is given
        return right(self, params, (X, np.roll(y, 1)) if held_out else given)

    return measure


FAULTS = (
    Fault("equal_accuracy", "others' labels", REFUTED, nets.training.Classifier, "measure",
          _forgetful),
    Fault("equal_accuracy", "wrong sign", REFUTED, equal_accuracy, "margin",
          lambda right: lambda wide, narrow: -right(wide, narrow)),
)  # fmt: skip


def test_equal_accuracy() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
