"""Fine-tuning one trained layer W_0 by an update of few parameters: LoRA against a compressed DLN.

Hu et al. 2022 train W_0 + B A with A random and B zero; the conclusion of Kwon et al. 2024 asks
whether their compressed network, W_0 + W̃_3 W̃_2 W̃_1, adds to that.  Its spectral start takes the
leading singular vectors of −∇ℓ(W_0), the direction in which the loss falls at first:
W̃_1 = εV_r̂ᵀ, W̃_2 = εI, W̃_3 = εU_r̂ for −∇ℓ(W_0) = U S Vᵀ.  Depth and start are two differences,
so two more updates have one of them each: two factors with the spectral start, and three factors
with a random one.  Factors d × q have 2dq parameters and r̂(2d + r̂) those of the three, equal for
q = r̂ + r̂²/(2d).

Every update, and descent on the whole layer, gets the same number of steps, and the step size, the
scale of its start and the step to stop at that are best on validation data, from the same grid
("edge" tells where the best lies at an end of it); errors are those on test data, which tuned
nothing.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

import dlnlab.nets
from dlnlab import networks
from dlnlab.data.digits import digits
from dlnlab.experiments import compressing
from dlnlab.networks import Weights

__all__ = [
    "DLN",
    "KINDS",
    "LORA",
    "METHODS",
    "RECORDS",
    "SETTINGS",
    "THREE",
    "TWO",
    "WHOLE",
    "Errors",
    "Layer",
    "descend",
    "equal_width",
    "measure",
    "starts",
]

KINDS = ("difference", "digits")
METHODS = (
    "LoRA, two factors",
    "DLN, three factors",
    "two factors, spectral start",
    "three factors, random start",
    "the whole layer",
)
LORA, DLN, TWO, THREE, WHOLE = METHODS

RECORDS = 25

SETTINGS = {
    "kind": "which layer is fine-tuned to what",
    "d": "side of the layer",
    "rank": "rank of the difference",
    "samples": "inputs to fine-tune on; as many to tune on",
    "noise": "standard deviation of the noise of an output",
    "r_hat": "r̂ of the three factors; two have r̂ + r̂²/(2d)",
    "trained": "steps of training before",
    "steps": "of fine-tuning",
    "step_sizes": "that are tried, in units of 1/curvature",
    "scales": "ε of the starts that are tried",
}
"""What the settings mean."""

Errors = Callable[[np.ndarray], np.ndarray]


class Layer(NamedTuple):
    """A trained layer, and what it is to learn.

    Attributes
    ----------
    trained : array, shape (d, d)
        W_0.
    curvature : float
        The unit of step sizes is 1/curvature.
    gradient, validation, test : callables
        Of layers of shape (n, d, d): gradients of the loss, and two errors of shape (n,).
    """

    trained: np.ndarray
    curvature: float
    gradient: Callable[[np.ndarray], np.ndarray]
    validation: Errors
    test: Errors


def equal_width(d: int, r_hat: int) -> int:
    """Return q with 2dq = r̂(2d + r̂).

    Parameters
    ----------
    d, r_hat : int

    Returns
    -------
    int

    Raises
    ------
    ValueError
        If there is no such integer.

    Examples
    --------
    >>> equal_width(50, 10)
    11
    """
    width, rest = divmod(r_hat * (2 * d + r_hat), 2 * d)
    if rest:
        raise ValueError(f"`r_hat` must be such that r_hat² is a multiple of {2 * d}, got {r_hat}")
    return width


def measure(configuration: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Fine-tune one layer in all ways.

    Parameters
    ----------
    configuration : mapping
        "kind" among `KINDS`, "seed", "r_hat", "steps", "samples", "step_sizes", "scales", and "d",
        "rank" and "noise" of the difference or "trained" of digits.

    Returns
    -------
    dict
        For each method "steps" and "errors" (of test data, before and during fine-tuning),
        "error" where it was stopped, "stop" (that step), "eta" (in units of 1/curvature) and "eps"
        that were chosen, "edge" (1 if either is an end of its grid), "seconds" (processor time of
        one run) and "parameters".
    """
    layer = (_digits if configuration["kind"] == "digits" else _difference)(configuration)
    return {name: _tuned(layer, name, configuration) for name in METHODS}


# ---------------------------------------------------------------------- starts and descent


def starts(layer: Layer, r_hat: int, eps: float, seed: int) -> dict[str, Weights]:
    """Return the factors of each update at the start.

    Parameters
    ----------
    layer : Layer
    r_hat : int
    eps : float
    seed : int

    Returns
    -------
    dict
        Factors by the name of the method.
    """
    d = len(layer.trained)
    width, rng = equal_width(d, r_hat), np.random.default_rng([seed, 17])
    U, _, Vh = np.linalg.svd(-layer.gradient(layer.trained[None])[0])
    A, B = networks.original_weights((d, d), 2, eps, rng=rng, init="gaussian", width=width)
    return {
        LORA: (A, 0 * B),
        DLN: (eps * Vh[:r_hat], eps * np.eye(r_hat), eps * U[:, :r_hat]),
        TWO: (eps * Vh[:width], eps * U[:, :width]),
        THREE: networks.original_weights((d, d), 3, eps, rng=rng, width=r_hat),
        WHOLE: (0 * layer.trained,),
    }


def descend(
    layer: Layer, factors: Weights, eta: np.ndarray, steps: int, each: int
) -> list[np.ndarray]:
    """Return the layers W_0 + W_L … W_1 of all members before, and after every `each` steps.

    Parameters
    ----------
    layer : Layer
    factors : tuple of arrays, shapes (n, d_l, d_{l−1})
    eta : array, shape (n, 1, 1)
    steps, each : int

    Returns
    -------
    list of arrays, shape (n, d, d)
    """
    records = []
    for step in range(steps + 1):
        prefixes = networks.prefix_products(factors)
        W = layer.trained + prefixes[-1]
        if step % each == 0:
            records.append(W)
        gradients = networks.backward(factors, prefixes[:-1], layer.gradient(W))
        factors = tuple(F - eta * g for F, g in zip(factors, gradients, strict=True))
    return records


def _tuned(layer: Layer, method: str, c: Mapping[str, Any]) -> dict[str, Any]:
    """Try every step size and scale side by side, and keep the best on validation data."""
    sizes, scales = c["step_sizes"], (1.0,) if method == WHOLE else c["scales"]
    grid = list(itertools.product(sizes, scales))
    found = {eps: starts(layer, c["r_hat"], eps, c["seed"])[method] for eps in scales}
    factors = tuple(np.stack(many) for many in zip(*(found[eps] for _, eps in grid), strict=True))
    eta = np.array([size for size, _ in grid])[:, None, None] / layer.curvature
    each, begun = c["steps"] // RECORDS, time.process_time()
    with np.errstate(all="ignore"):  # the largest steps diverge
        records = descend(layer, factors, eta, c["steps"], each)
        seconds = (time.process_time() - begun) / len(grid)
        tuned = np.stack([layer.validation(W) for W in records])
    stop, best = np.unravel_index(np.argmin(np.where(tuned >= 0, tuned, np.inf)), tuned.shape)
    errors = [float(layer.test(W[[best]])[0]) for W in records]
    size, eps = grid[best]
    chosen = ((size, sizes), (eps, scales))
    return {
        "steps": [each * k for k in range(len(records))],
        "errors": errors,
        "error": errors[stop],
        "stop": each * int(stop),
        "eta": size,
        "eps": eps,
        "edge": int(any(x in (all_[0], all_[-1]) for x, all_ in chosen if len(all_) > 1)),
        "seconds": seconds,
        "parameters": sum(F[0].size for F in factors),
    }


# ---------------------------------------------------------------------- what is learned


def _difference(c: Mapping[str, Any]) -> Layer:
    """A linear layer that is to change by a matrix of low rank, seen through correlated inputs."""
    rng, d = np.random.default_rng([c["seed"], 18]), c["d"]
    trained = rng.standard_normal((d, d)) / np.sqrt(d)
    U, V = (np.linalg.qr(rng.standard_normal((d, c["rank"])))[0] for _ in range(2))
    difference = (U * np.linspace(1.0, 0.5, c["rank"])) @ V.T
    spread = np.linalg.qr(rng.standard_normal((d, d)))[0] * np.geomspace(1.0, 0.1, d)

    def seen() -> tuple[np.ndarray, np.ndarray]:
        X = spread @ rng.standard_normal((d, c["samples"]))
        noise = c["noise"] * rng.standard_normal((d, c["samples"]))
        return X, (trained + difference) @ X + noise

    (X, Y), (X_tune, Y_tune) = seen(), seen()
    scale = np.linalg.norm(difference @ spread)

    def gradient(W: np.ndarray) -> np.ndarray:
        return (W @ X - Y) @ X.T / c["samples"]

    def validation(W: np.ndarray) -> np.ndarray:
        return np.mean((W @ X_tune - Y_tune) ** 2, axis=(-2, -1))

    def test(W: np.ndarray) -> np.ndarray:
        """‖(W − W_0 − Δ)C^{1/2}‖/‖ΔC^{1/2}‖, 1 before: the error of outputs, without noise."""
        return np.linalg.norm((W - trained - difference) @ spread, axis=(-2, -1)) / scale

    curvature = float(np.linalg.norm(X, 2) ** 2 / c["samples"])
    return Layer(trained, curvature, gradient, validation, test)


def _digits(c: Mapping[str, Any]) -> Layer:
    """The penultimate layer of an MLP trained on digits, for digits a pixel further right."""
    images, count = digits(), c["samples"]
    model = dlnlab.nets.mlp(64, 64, 10)
    (pixels, y), (held_out, labels) = images.train.scaled(), images.test.scaled()
    params = model.init(rng=c["seed"], init="orthogonal")
    flat = pixels.reshape(len(pixels), -1)
    params = compressing.descend(model, params, flat, y, c["trained"])
    order = np.random.default_rng([c["seed"], 19]).permutation(len(y))
    moved, moved_test = _shifted(pixels), _shifted(held_out)
    learn, tune = order[:count], order[count : 2 * count]

    def of_each(function: Callable[[np.ndarray], Any]) -> Callable[[np.ndarray], np.ndarray]:
        """Apply to layer after layer; NaN for those that diverged."""

        def apply(W: np.ndarray) -> np.ndarray:
            fine = np.abs(W).max(axis=(-2, -1)) < 1e6
            found = {int(k): np.asarray(function(W[k])) for k in np.flatnonzero(fine)}
            shape = next(iter(found.values())).shape if found else ()
            return np.stack([found.get(k, np.full(shape, np.nan)) for k in range(len(W))])

        return apply

    def gradient(w: np.ndarray) -> np.ndarray:
        return model.loss_and_gradients(params | {"W3": w}, moved[learn], y[learn])[1]["W3"]

    def rate(X: np.ndarray, classes: np.ndarray) -> Errors:
        def error(w: np.ndarray) -> float:
            return float(np.mean(model.logits(params | {"W3": w}, X).argmax(axis=1) != classes))

        return of_each(error)

    hidden = np.maximum(params["W2"] @ np.maximum(params["W1"] @ moved[learn].T, 0), 0)
    curvature = float(np.linalg.norm(hidden, 2) ** 2 / count)
    validation = rate(moved[tune], y[tune])
    return Layer(params["W3"], curvature, of_each(gradient), validation, rate(moved_test, labels))


def _shifted(pixels: np.ndarray) -> np.ndarray:
    """Images moved one pixel to the right, black coming in, in rows."""
    moved = np.zeros_like(pixels)
    moved[..., 1:] = pixels[..., :-1]
    return moved.reshape(len(moved), -1)
