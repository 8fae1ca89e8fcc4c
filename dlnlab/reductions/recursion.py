"""Theorem 1's recursion for the singular values of the compressed network, for arrays of modes."""

from __future__ import annotations

import numpy as np

__all__ = ["recursion"]


def recursion(
    targets: np.ndarray,
    eps: float | np.ndarray,
    depth: int,
    eta: float | np.ndarray,
    num_steps: int,
    *,
    alpha: float = 1.0,
    weight_decay: float = 0.0,
) -> np.ndarray:
    """Return the values of `dlnlab.modes.descent`, where every mode may have an ε and η of its own.

    Arguments are not checked.

    Parameters
    ----------
    targets, eps, eta : array or float
        σ_i*, ε and η, of shapes that broadcast.
    depth, num_steps : int
    alpha, weight_decay : float

    Returns
    -------
    array, shape (num_steps + 1, ...)
        Of the shape to which the arrays broadcast.
    """
    a = b = eps + np.zeros(np.broadcast_shapes(np.shape(targets), np.shape(eps), np.shape(eta)))
    values = np.empty((num_steps + 1, *a.shape))
    with np.errstate(over="ignore", invalid="ignore"):  # too large a step diverges
        for step in range(num_steps + 1):
            inner = b ** (depth - 2)
            values[step] = a * a * inner
            gap = values[step] - targets
            inner_slope = a * a * b ** (depth - 3) if depth > 2 else np.zeros_like(a)
            outer_slope = gap * a * inner + weight_decay * a
            a, b = a - alpha * eta * outer_slope, b - eta * (gap * inner_slope + weight_decay * b)
    return values
