"""Gauge: turning the hidden spaces of a network changes nothing that can be seen from outside.

Let G_l be orthogonal for 0 < l < L, and G_0 = G_L = I.  Replacing every W_l by G_l W_l G_{l−1}ᵀ
leaves W_{L:1} unchanged, so also the loss, whatever the measurement operator; and it turns the
gradient of layer l in the same way,

    (S_l G_lᵀ)ᵀ ∇ℓ (G_{l−1} P_l)ᵀ = G_l (S_lᵀ ∇ℓ P_lᵀ) G_{l−1}ᵀ.

So gradient descent, with any step size for each layer and any weight decay, takes turned weights to
turned weights.  If the layers below the last are multiples ε_l Q_l of orthogonal matrices, the
choice G_l = (Q_l ⋯ Q_1)ᵀ makes them ε_l I: every wide orthogonal network is the network
(εI, …, εI, εQ) with Q = Q_L ⋯ Q_1, seen in other coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlnlab import networks
from dlnlab.claims.claim import Claim, proved
from dlnlab.claims.verdict import Premise

__all__ = [
    "CLAIM",
    "EPS",
    "SOURCE",
    "STATEMENT",
    "canonical",
    "canonical_turns",
    "deviations",
    "loss_deviations",
    "loss_margins",
    "margins",
    "orthogonal_layers",
    "orthogonal_turns",
    "rounding",
    "turned",
]

STATEMENT = (
    "W_l → G_l W_l G_{l−1}ᵀ with orthogonal G_l, G_0 = G_L = I, changes neither the loss nor, up "
    "to the same turn, any iterate of gradient descent, for every measurement operator; so every "
    "wide orthogonal network is (εI, …, εI, εQ)."
)
SOURCE = "dlnlab"
CLAIM = Claim("gauge", "The gauge of orthogonal starts", STATEMENT, SOURCE, proved("gauge"))

EPS = float(np.finfo(float).eps)


def turned(weights: Sequence[np.ndarray], turns: Sequence[np.ndarray]) -> networks.Weights:
    """Return G_l W_l G_{l−1}ᵀ for every layer.

    Parameters
    ----------
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})
    turns : sequence of L − 1 arrays, shapes (d_l, d_l)
        G_1, …, G_{L−1}.

    Returns
    -------
    tuple of L arrays
    """
    layers = list(weights)
    for below, G in enumerate(turns):
        layers[below] = G @ layers[below]
        layers[below + 1] = layers[below + 1] @ G.mT
    return tuple(layers)


def canonical_turns(weights: Sequence[np.ndarray]) -> networks.Weights:
    """Return G_l = (Q_l ⋯ Q_1)ᵀ for l < L, from W_l = ε_l Q_l with square orthogonal Q_l.

    Parameters
    ----------
    weights : sequence of L arrays

    Returns
    -------
    tuple of L − 1 arrays
    """
    scales = [_scale(W) for W in weights[:-1]]
    layers = [W / scale for W, scale in zip(weights[:-1], scales, strict=True)]
    return tuple(product.mT for product in networks.prefix_products(layers))


def canonical(weights: Sequence[np.ndarray]) -> networks.Weights:
    """Return (ε_1 I, …, ε_{L−1} I, W_{L:1} / (ε_1 ⋯ ε_{L−1})), without any G_l.

    Parameters
    ----------
    weights : sequence of L arrays

    Returns
    -------
    tuple of L arrays
    """
    scales = [_scale(W) for W in weights[:-1]]
    identity = np.eye(weights[0].shape[-1])
    last = networks.prefix_products(weights)[-1] / np.prod(scales)
    return (*(scale * identity for scale in scales), last)


def _scale(W: np.ndarray) -> float:
    """ε of a multiple εQ of an orthogonal matrix."""
    return float(np.linalg.norm(W)) / W.shape[-1] ** 0.5


def orthogonal_turns(turns: Sequence[np.ndarray]) -> Premise:
    """Measure the premise G_lᵀ G_l = I.

    The margin is −max_l ‖G_lᵀ G_l − I‖₂; matrices computed as orthogonal are so to about a dozen
    units of rounding per dimension.

    Parameters
    ----------
    turns : sequence of L − 1 arrays
        G_l.

    Returns
    -------
    Premise
    """
    gaps = [np.linalg.norm(G.T @ G - np.eye(len(G)), 2) for G in turns]
    width = max(len(G) for G in turns)
    return Premise(
        "orthogonal turns", "G_lᵀ G_l = I for every l", -float(max(gaps)), 40 * width * EPS
    )


def orthogonal_layers(weights: Sequence[np.ndarray]) -> Premise:
    """Measure the premise that the layers below the last are multiples of orthogonal matrices.

    The margin is −max_{l<L} ‖W_lᵀ W_l / ε_l² − I‖₂, −∞ for a layer that is not square.

    Parameters
    ----------
    weights : sequence of L arrays

    Returns
    -------
    Premise
    """
    gaps = [
        np.linalg.norm(W.T @ W / _scale(W) ** 2 - np.eye(len(W)), 2)
        if W.shape[0] == W.shape[1]
        else np.inf
        for W in weights[:-1]
    ]
    width = max(max(W.shape) for W in weights)
    statement = "W_l = ε_l Q_l with square orthogonal Q_l for l < L"
    return Premise("orthogonal layers", statement, -float(max(gaps)), 40 * width * EPS)


def deviations(
    layers: Sequence[np.ndarray], others: Sequence[np.ndarray], turns: Sequence[np.ndarray]
) -> np.ndarray:
    """Return max_l ‖W'_l(t) − G_l W_l(t) G_{l−1}ᵀ‖_F / max_t ‖W(t)‖_F for every record.

    Parameters
    ----------
    layers, others : sequence of L arrays, shapes (records, d_l, d_{l−1})
        The iterates W_l(t) from a start, and W'_l(t) from the turned start.
    turns : sequence of L − 1 arrays
        G_l.

    Returns
    -------
    array, shape (records,)
    """
    pairs = zip(others, turned(layers, turns), strict=True)
    gaps = [np.linalg.norm(V - W, axis=(-2, -1)) for V, W in pairs]
    return np.max(gaps, axis=0) / float(np.max(_size(layers)))


def margins(
    layers: Sequence[np.ndarray], others: Sequence[np.ndarray], turns: Sequence[np.ndarray]
) -> float:
    """Return minus the largest of the `deviations`, which takes the same arguments.

    Parameters
    ----------
    layers : sequence of L arrays
    others : sequence of arrays
        Of the turned start.
    turns : sequence of L − 1 arrays
        G_l.

    Returns
    -------
    float
    """
    return -float(np.max(deviations(layers, others, turns)))


def loss_deviations(losses: np.ndarray, others: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Return |ℓ' − ℓ| / scale for every record.

    Parameters
    ----------
    losses, others : array, shape (records,)
        ℓ of the same weights before and after the turn.
    scale : array, shape (records,)
        By which to divide: the loss that terms without cancellation would add up to.

    Returns
    -------
    array, shape (records,)
    """
    return np.abs(others - losses) / scale


def loss_margins(losses: np.ndarray, others: np.ndarray, scale: np.ndarray) -> float:
    """Return minus the largest of the `loss_deviations`, which takes the same arguments.

    Parameters
    ----------
    losses : array, shape (records,)
    others : array
        Of the turned start.
    scale : array, shape (records,)
        What their difference is relative to.

    Returns
    -------
    float
    """
    return -float(np.max(loss_deviations(losses, others, scale)))


def rounding(
    layers: Sequence[np.ndarray],
    gradients: np.ndarray,
    terms: np.ndarray,
    eta: float,
    curvature: float,
    weight_decay: float,
    operations: int,
) -> float:
    """Bound the rounding error of `margins`.

    Each step adds `operations` units of rounding to the layers and to the terms of their gradients.
    One step of descent multiplies a perturbation by I − ηH, H being the Hessian of the loss as a
    function of all layers.  With m = max_l ‖W_l‖₂, the positive part of H is at most
    λ = c‖A‖² L m^{2L−2}, and the mixed derivatives, which alone can be negative, at most
    κ = (L − 1) ‖∇ℓ‖ m^{L−2}; so it grows by max(1 + ηκ, η(λ + κ + μ) − 1) at most, μ being the
    weight decay.

    Parameters
    ----------
    layers : sequence of L arrays, shapes (records, d_l, d_{l−1})
        The iterates, record by record.
    gradients : array, shape (records, d_out, d_in)
        ∇ℓ(W_{L:1}).
    terms : array, shape (records,)
        What the terms of ∇ℓ(W_{L:1}) add up to in absolute value.
    eta : float
        The largest step size of a layer.
    curvature, weight_decay : float
        c‖A‖² and μ.
    operations : int
        Units of rounding.

    Returns
    -------
    float
    """
    depth, size = len(layers), _size(layers)
    largest = np.max([np.linalg.norm(W, 2, axis=(-2, -1)) for W in layers], axis=0)
    stiff = curvature * depth * largest ** (2 * depth - 2)
    mixed = (depth - 1) * np.linalg.norm(gradients, axis=(-2, -1)) * largest ** (depth - 2)
    growth = np.maximum(1 + eta * mixed, eta * (stiff + mixed + weight_decay) - 1)
    fresh = operations * EPS * (size + eta * depth * largest ** (depth - 1) * terms)
    lost = worst = float(fresh[0])
    for factor, new in zip(growth[:-1], fresh[1:], strict=True):
        lost = float(factor) * lost + float(new)
        worst = max(worst, lost)
    return worst / float(np.max(size))


def _size(layers: Sequence[np.ndarray]) -> np.ndarray:
    """‖W(t)‖_F of all layers together, per record."""
    return np.sqrt(sum(np.sum(W**2, axis=(-2, -1)) for W in layers))
