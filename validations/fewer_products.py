"""Fewer products: the multiplications that training takes, counted while it multiplies."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlnlab import nets
from dlnlab.claims import Premise, fewer_products
from dlnlab.lab import samples
from dlnlab.lab.faults import REFUTED, Fault
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally
from dlnlab.nets.losses import cross_entropy

__all__ = ["FAULTS", "SUITE", "outside"]


class _Counted(np.ndarray):
    """A NumPy array that counts the multiplications in products of matrices."""

    total = 0

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **options: Any) -> Any:
        """Carry the operation out on plain arrays, and count it if it is a product."""
        plain = [np.asarray(x) if isinstance(x, _Counted) else x for x in inputs]
        if "out" in options:
            options["out"] = tuple(np.asarray(x) for x in options["out"])
        result = getattr(ufunc, method)(*plain, **options)
        if ufunc is np.matmul:
            _Counted.total += result.size * plain[0].shape[-1]
        return result.view(_Counted) if isinstance(result, np.ndarray) else result


def _counted(model: nets.Network, X: np.ndarray, y: np.ndarray) -> int:
    """Return how many multiplications in products the gradient on these samples takes."""
    params = {name: W.view(_Counted) for name, W in model.init(0).items()}
    _Counted.total = 0
    model._evaluate(params, X.view(_Counted), y, cross_entropy)
    return _Counted.total


def outside(inputs: int, width: int, classes: int, n: int) -> int:
    """Return what a perceptron's layers outside the block multiply; its data need no gradient.

    Parameters
    ----------
    inputs, width, classes : int
        Sizes of the layers.
    n : int
        Number of samples.

    Returns
    -------
    int
        Multiplications for one gradient of the loss.
    """
    return 2 * n * inputs * width + 3 * n * width * (width + classes)


def _attack(tally: Tally, sizes: tuple[int, int, int], r_hat: int, n: int) -> None:
    """Count a gradient with each block; the worse one of agreement and of what is saved."""
    inputs, width, classes = sizes
    rng = np.random.default_rng(n)
    X, y = samples.clusters(rng, n, inputs, classes)
    blocks = {"dln": None, "compressed": r_hat}
    models = {kind: nets.mlp(*sizes, kind, r) for kind, r in blocks.items()}
    found = {kind: _counted(model, X, y) - outside(*sizes, n) for kind, model in models.items()}
    expected = {
        kind: fewer_products.cheapest(model.block.widths, n) for kind, model in models.items()
    }
    agreement = min(fewer_products.agreement(found[kind], expected[kind]) for kind in models)
    saved = fewer_products.margin(found["dln"], found["compressed"])
    premises = [Premise("r_hat < D", "the block is narrower", (width - r_hat) / width - 1e-9)]
    told = {"sizes": sizes, "r_hat": r_hat, "samples": n, "saved": saved}
    tally.add(min(agreement, saved) if r_hat < width else agreement, 0.0, premises, told)


def _random(tally: Tally, task: Task) -> None:
    """Perceptrons of random sizes, r̂ from 1 to the width, on few samples and on many."""
    rng = task.rng
    for _ in range(task.count):
        inputs, width, classes = (int(k) for k in rng.integers((2, 2, 2), (12, 24, 5)))
        r_hat, n = int(rng.integers(1, width + 1)), int(rng.integers(1, 4 * width))
        _attack(tally, (inputs, width, classes), r_hat, n)


SUITE = Suite(fewer_products.CLAIM, {"random": Part(_random)})


def _never(right: Any) -> Any:
    return lambda self, columns: False


FAULTS = (
    Fault("fewer_products", "a wide block is never multiplied out", REFUTED, nets.block.Block,
          "multiplied_out", _never),
    Fault("fewer_products", "products without those for the data", REFUTED, fewer_products,
          "layer_by_layer", lambda right: lambda widths, n: 2 * right(widths, n) // 3),
    Fault("fewer_products", "the block is as wide", REFUTED, nets.perceptron, "check_block",
          lambda right: lambda shape, kind, r, c: right(shape, "dln", None, c)),
)  # fmt: skip


def test_fewer_products() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
