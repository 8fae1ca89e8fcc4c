"""Equal accuracy: two perceptrons trained alike on clusters, with a wide and a compressed block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from dlnlab import nets
from dlnlab.claims import Premise, Verdict, equal_accuracy
from dlnlab.lab import samples
from dlnlab.lab.faults import MISSED, Fault
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["AHEAD", "FAULTS", "HELD_OUT", "LARGEST", "STEPS", "SUITE"]

AHEAD = "wide_ahead_on_average"
HELD_OUT = 10_000
STEPS = 150
LARGEST = {"sgd": 0.7, "adam": 0.03}
"""Of the step sizes, which go down to a fifth of it."""


class _Drawn(NamedTuple):
    """What both networks of a pair share."""

    told: dict[str, Any]
    X: np.ndarray
    y: np.ndarray
    seed: int


def _drawn(rng: np.random.Generator, method: str) -> _Drawn:
    """Draw samples to learn from, as many as "samples" says, and after them those held out."""
    inputs, width, classes = (int(n) for n in rng.integers((6, 16, 2), (16, 25, 4)))
    n = int(rng.integers(30, 100))
    X, y = samples.clusters(rng, n + HELD_OUT, inputs, classes, wrong=0.05)
    X *= np.sqrt(inputs)
    eta = LARGEST[method] * 10.0 ** rng.uniform(-0.7, 0)
    batch = int(rng.integers(8, n + 1))
    seed = int(rng.integers(2**31))
    told = {"method": method, "inputs": inputs, "width": width, "classes": classes, "samples": n}
    return _Drawn(told | {"eta": eta, "batch": batch}, X, y, seed)


def _accuracies(drawn: _Drawn, kind: str, r_hat: int | None) -> tuple[float, float]:
    """Train a network; return its accuracies on the samples it learned from, and on others."""
    told, n = drawn.told, drawn.told["samples"]
    model = nets.mlp(told["inputs"], told["width"], told["classes"], kind, r_hat)
    run = nets.train(
        model,
        model.init(drawn.seed),
        (drawn.X[:n], drawn.y[:n]),
        test=(drawn.X[n:], drawn.y[n:]),
        method=told["method"],
        eta=told["eta"],
        batch=told["batch"],
        num_steps=STEPS,
        rng=drawn.seed,
        record_every=STEPS,
        record=("accuracy", "test_accuracy"),
    )
    assert run.accuracies is not None
    assert run.test_accuracies is not None
    return float(run.accuracies[-1]), float(run.test_accuracies[-1])


def _attack(tally: Tally, drawn: _Drawn, told: dict[str, Any]) -> tuple[float, float, Premise]:
    """Compare the two networks on samples held out; return the margin, its error, the premise."""
    own_wide, wide = _accuracies(drawn, "dln", None)
    r_hat = min(4 * drawn.told["classes"], drawn.told["width"])
    own_narrow, narrow = _accuracies(drawn, "compressed", r_hat)
    fitted = equal_accuracy.fitted(own_wide, own_narrow)
    margin, error = equal_accuracy.margin(wide, narrow), equal_accuracy.sampling_error(HELD_OUT)
    tally.add(margin, error, [fitted], told | drawn.told | {"wide": wide, "compressed": narrow})
    return margin, error, fitted


def _stream(seed: int, count: int) -> Iterator[tuple[_Drawn, dict[str, Any]]]:
    """Yield random pairs, and by what each is found again; gradient descent and Adam in turn."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        yield _drawn(rng, list(LARGEST)[number % 2]), {"seed": seed, "number": number}


def _registered(tally: Tally, task: Task) -> None:
    """The counterexample of the registry, one of ten thousand pairs."""
    known = tally.about.standing().witness
    assert isinstance(known, equal_accuracy.Perceptrons)
    *_, last = _stream(known.seed, known.number + 1)
    margin, error, _ = _attack(tally, *last)
    tally.reproduce(margin, error)


def _random(tally: Tally, task: Task) -> None:
    """Clusters near and far, few samples and many, gradient descent and Adam in turn."""
    for drawn, told in _stream(task.seed, task.count):
        margin, _, fitted = _attack(tally, drawn, told)
        if fitted.met:
            tally.note(AHEAD, equal_accuracy.SLACK - margin)


def _conclude(tally: Tally) -> Verdict:
    """The worst pair, and by how much the wide network is ahead on average over random ones."""
    ahead = tally.notes.get(AHEAD, [])
    return tally.verdict(**{AHEAD: float(np.mean(ahead)) if ahead else None})


SUITE = Suite(
    equal_accuracy.CLAIM,
    {"random": Part(_random, share=0.1), "registered": Part(_registered, share=0.0)},
    _conclude,
)


def _forgetful(right: Any) -> Any:
    """A compressed network that is judged on labels of other samples."""

    def measure(self: Any, params: Any, given: Any) -> Any:
        X, y = given
        held_out = self.model.block.kind == "compressed" and self.test is given
        return right(self, params, (X, np.roll(y, 1)) if held_out else given)

    return measure


FAULTS = (
    Fault("equal_accuracy", "others' labels", MISSED, nets.training.Classifier, "measure",
          _forgetful),
    Fault("equal_accuracy", "wrong sign", MISSED, equal_accuracy, "margin",
          lambda right: lambda wide, narrow: -right(wide, narrow)),
)  # fmt: skip


def test_equal_accuracy() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
