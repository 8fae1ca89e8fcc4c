"""Losses of a classifier: a mean over samples, and its gradient with respect to the logits.

Each takes the logits F and the one-hot targets Y, both of shape (classes, columns), of some of N
samples, and returns their share of the mean and of its gradient; the shares of parts of a batch add
up to those of the whole.
"""

from __future__ import annotations

from collections.abc import Callable

from dlnlab.nets.maps import softmax
from dlnlab.numerics import arrays
from dlnlab.numerics.arrays import Array

__all__ = ["LOSSES", "Loss", "cross_entropy", "squared"]

Loss = Callable[[Array, Array, int], tuple[Array, Array]]


def cross_entropy(F: Array, Y: Array, N: int) -> tuple[Array, Array]:
    """(1/N) Σ_i (log Σ_c exp F_ci − F_{y_i,i}), the softmax cross-entropy.

    The derivative of log Σ_c exp F_c is the softmax P of F, so the gradient is (P − Y)/N.

    Parameters
    ----------
    F : array, shape (classes, columns)
        Scores.
    Y : array, shape (classes, columns)
        As `one_hot` returns it.
    N : int
        The loss is a mean over so many samples.

    Returns
    -------
    (array, array)
        The loss, and its gradient with respect to F.
    """
    xp = arrays.namespace(F)
    largest = xp.max(F, axis=0, keepdims=True)
    total = xp.log(xp.sum(xp.exp(F - largest), axis=0)) + largest[0, :]
    P, _ = softmax(F, axis=0)
    return xp.sum(total - xp.sum(Y * F, axis=0)) / N, (P - Y) / N


def squared(F: Array, Y: Array, N: int) -> tuple[Array, Array]:
    """(1/2N) Σ_i ‖F_i − Y_i‖², half the squared error, whose gradient is (F − Y)/N.

    Parameters
    ----------
    F : array, shape (classes, columns)
        Scores.
    Y : array, shape (classes, columns)
        As `one_hot` returns it.
    N : int
        The loss is a mean over so many samples.

    Returns
    -------
    (array, array)
        The loss, and its gradient with respect to F.
    """
    xp = arrays.namespace(F)
    residual = F - Y
    return xp.sum(residual**2) / (2 * N), residual / N


LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "squared": squared,
}
