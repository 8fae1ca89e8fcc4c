"""Gradient descent written down as Eq. (2) and Eq. (1) read: the loop that the engine must match.

`NumpyLoop` carries out the chain rule by hand.  `JaxLoop` states only the loss, and has JAX derive
the gradient and compile the loop, as the authors' code does.  Neither shares code with the engine.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dlnlab.bench.workloads import Workload
from dlnlab.networks import Weights
from dlnlab.problems.targets import FactoredTarget

__all__ = ["JaxLoop", "LiteralLoop", "NumpyLoop", "dense", "load_jax"]


class LiteralLoop:
    """A loop of gradient descent on one instance; a subclass takes the steps and has the loss.

    Attributes
    ----------
    name : str
    start : tuple of arrays
    """

    name: str
    start: Any
    loss: Callable[[Any], Any]
    advance: Callable[[Any, int], Any]

    def run(self, num_steps: int) -> Weights:
        """Take the steps from the start and return the weights once they are computed.

        Parameters
        ----------
        num_steps : int

        Returns
        -------
        tuple of L arrays, shapes (..., d_l, d_{l−1})
        """
        return tuple(np.asarray(W) for W in self.advance(self.start, num_steps))

    def recorded(self, num_records: int, every: int) -> list[float]:
        """Return the losses of a run of `num_records` times `every` steps, start included.

        Parameters
        ----------
        num_records : int
        every : int

        Returns
        -------
        list of float
        """
        weights, losses = self.start, [float(self.loss(self.start))]
        for _ in range(num_records):
            weights = self.advance(weights, every)
            losses.append(float(self.loss(weights)))
        return losses


def dense(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data with a factored target multiplied out.

    Parameters
    ----------
    data : mapping of str to array

    Returns
    -------
    dict
    """
    return {k: v.to_dense() if isinstance(v, FactoredTarget) else v for k, v in data.items()}


class NumpyLoop(LiteralLoop):
    """A literal loop of gradient descent in plain NumPy.

    Parameters
    ----------
    instance : Workload
    """

    name = "NumPy, literal"

    def __init__(self, instance: Workload) -> None:
        self.start, self.eta = instance.weights, instance.eta
        self.gradient = _GRADIENTS[instance.kind](dense(instance.data))
        self.loss = _LOSSES[instance.kind](dense(instance.data), np)

    def advance(self, weights: Weights, num_steps: int) -> Weights:
        """Take a number of steps.

        Parameters
        ----------
        weights : tuple of L arrays, shapes (d_l, d_{l−1})
        num_steps : int

        Returns
        -------
        tuple of L arrays, shapes (d_l, d_{l−1})
        """
        for _ in range(num_steps):
            weights = self._step(weights)
        return weights

    def _step(self, weights: Weights) -> Weights:
        below = [weights[0]]
        for W in weights[1:]:
            below.append(W @ below[-1])
        carried, new = self.gradient(below[-1]), []
        for layer in range(len(weights) - 1, 0, -1):
            new.append(weights[layer] - self.eta * (carried @ below[layer - 1].T))
            carried = weights[layer].T @ carried
        return (weights[0] - self.eta * carried, *reversed(new))


class JaxLoop(LiteralLoop):
    """The loop as a compiled `fori_loop` around the gradient that JAX derives.

    Parameters
    ----------
    instance : Workload
    """

    def __init__(self, instance: Workload) -> None:
        self.jax = load_jax()
        self.name = f"JAX on {self.jax.default_backend()}, literal"
        jnp = self.jax.numpy
        data = {k: jnp.asarray(v) for k, v in dense(instance.data).items()}
        loss = _LOSSES[instance.kind](data, jnp)
        self.start = tuple(jnp.asarray(W) for W in instance.weights)

        def step(_: Any, weights: Any) -> Any:
            slopes = self.jax.grad(loss)(weights)
            return tuple(W - instance.eta * g for W, g in zip(weights, slopes, strict=True))

        self.loss = self.jax.jit(loss)
        self.advance = self.jax.jit(lambda w, n: self.jax.lax.fori_loop(0, n, step, w))


def load_jax() -> Any:
    """Import JAX and switch it to double precision, for this process.

    Returns
    -------
    module

    Raises
    ------
    ModuleNotFoundError
        If it is not installed.
    """
    try:
        jax = importlib.import_module("jax")
    except ModuleNotFoundError:
        raise ModuleNotFoundError("this needs JAX: pip install 'dlnlab[bench]'") from None
    jax.config.update("jax_enable_x64", True)
    return jax


def _sensing_gradient(data: Mapping[str, Any]) -> Callable[[Any], Any]:
    A, y = data["A"].reshape(data["A"].shape[0], -1), data["y"]
    return lambda W: ((A @ W.reshape(-1) - y) @ A).reshape(W.shape)


def _sampled_gradient(data: Mapping[str, Any]) -> Callable[[Any], Any]:
    rows, columns, values = data["rows"], data["columns"], data["values"]

    def gradient(W: Any) -> Any:
        G = np.zeros_like(W)
        G[rows, columns] = W[rows, columns] - values
        return G

    return gradient


def _completion_gradient(data: Mapping[str, Any]) -> Callable[[Any], Any]:
    mask = data["mask"].astype(float)
    observed = mask * data["M"]
    return lambda W: mask * W - observed


_GRADIENTS: dict[str, Callable[[Mapping[str, Any]], Callable[[Any], Any]]] = {
    "factorization": lambda data: lambda W: W - data["M"],
    "completion": _completion_gradient,
    "sampled": _sampled_gradient,
    "sensing": _sensing_gradient,
}


def _residual_losses(residual: Callable[[Any, Mapping[str, Any]], Any]) -> Any:
    """The loss ½‖residual‖² of the product of the weights, in the library `xp`."""

    def with_data(data: Mapping[str, Any], xp: Any) -> Callable[[Weights], Any]:
        def loss(weights: Weights) -> Any:
            W = weights[0]
            for layer in weights[1:]:
                W = layer @ W
            return 0.5 * xp.sum(residual(W, data) ** 2)

        return loss

    return with_data


_LOSSES = {
    "factorization": _residual_losses(lambda W, data: W - data["M"]),
    "completion": _residual_losses(lambda W, data: data["mask"] * (W - data["M"])),
    "sampled": _residual_losses(lambda W, data: W[data["rows"], data["columns"]] - data["values"]),
    "sensing": _residual_losses(lambda W, data: (data["A"] * W).sum((-2, -1)) - data["y"]),
}
