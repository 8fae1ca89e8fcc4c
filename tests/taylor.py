"""Gradient flow by Taylor series in extended precision, an oracle that shares no code with ours."""

from __future__ import annotations

import numpy as np

EXTENDED = np.finfo(np.longdouble).eps < 1e-18
"""Whether this machine has more than double precision."""

ORDER = 24


def flow(weights, target, times):
    """Return W_{L:1} of the flow of ½‖W_{L:1} − M‖_F² at increasing times, in extended precision.

    A step is as long as the last two coefficients allow for a relative error of 1e-19.
    """
    layers = [np.asarray(W, dtype=np.longdouble) for W in weights]
    target, t, out = np.asarray(target, dtype=np.longdouble), np.longdouble(0), []
    for goal in np.asarray(times, dtype=np.longdouble):
        while t < goal:
            series = coefficients(layers, target)
            h = min(step(series), goal - t)
            powers = h ** np.arange(ORDER + 1, dtype=np.longdouble)
            layers = [np.tensordot(powers, C, axes=1) for C in series]
            t += h
        out.append(product(layers))
    return np.array(out)


def product(layers):
    W = layers[0]
    for layer in layers[1:]:
        W = layer @ W
    return W


def step(series):
    size = max(np.abs(C[0]).max() for C in series)
    ends = [
        (np.abs(C[k]).max() / size) ** (np.longdouble(1) / k)
        for C in series
        for k in (ORDER, ORDER - 1)
    ]
    return np.longdouble(0.8 * 1e-19 ** (1 / ORDER)) / max(*ends, np.longdouble(1e-30))


def coefficients(layers, target):
    """Coefficients of every layer's Taylor series, by Cauchy products."""
    depth = len(layers)
    W = [[layer] for layer in layers]
    prefix, backward = [W[0], *([] for _ in range(depth - 1))], [[] for _ in range(depth)]
    for n in range(ORDER):
        for k in range(1, depth):
            prefix[k].append(sum(W[k][i] @ prefix[k - 1][n - i] for i in range(n + 1)))
        backward[-1].append((target if n == 0 else 0) - prefix[-1][n])
        for k in range(depth - 1, 0, -1):
            backward[k - 1].append(sum(W[k][i].T @ backward[k][n - i] for i in range(n + 1)))
        for k in range(depth):
            if k == 0:
                slope = backward[0][n]
            else:
                slope = sum(backward[k][i] @ prefix[k - 1][n - i].T for i in range(n + 1))
            W[k].append(slope / np.longdouble(n + 1))
    return [np.array(C) for C in W]
