"""The maps that networks are made of, each with its pullback, derived by hand.

The columns of an activation Z are samples (for a transformer, tokens of samples), as in the paper's
X ∈ R^{d_x × N}.  Every function returns the value F of a map and its pullback: the linear function
that takes the gradient G of a loss with respect to F to the gradients with respect to what the map
was given, ⟨G, dF⟩ = ⟨pullback(G), dZ⟩.  A network is a composition of maps, and its gradient the
composition of their pullbacks in the opposite order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from dlnlab import networks
from dlnlab.numerics import arrays
from dlnlab.numerics.arrays import Array

__all__ = [
    "VARIANCE_FLOOR",
    "Pullback",
    "affine",
    "attention",
    "gelu",
    "layer_norm",
    "linear",
    "relu",
    "softmax",
]

Pullback = Callable[[Array], Any]

VARIANCE_FLOOR = 1e-5
"""Added to the variance in `layer_norm`, as PyTorch's LayerNorm does."""


def linear(weights: Sequence[Array], Z: Array) -> tuple[Array, Pullback]:
    """W_L ⋯ W_1 Z: the data are the innermost factor of a linear network.

    So the products forward and the chain rule are those of `networks`, with Z in the place of the
    first layer, and a dense layer is a network of L = 1.

    Parameters
    ----------
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})
    Z : array, shape (rows, columns)
        Activations, one column for each sample or token.

    Returns
    -------
    array, shape (d_L, columns); pullback to (dZ, dW_1, …, dW_L)
    """
    factors = (Z, *weights)
    prefixes = networks.prefix_products(factors)
    return prefixes[-1], lambda G: networks.backward(factors, prefixes, G)


def affine(weights: Sequence[Array], bias: Array, Z: Array) -> tuple[Array, Pullback]:
    """W_L ⋯ W_1 Z + b 1ᵀ, whose gradient with respect to b is G 1, the sum over the columns.

    Parameters
    ----------
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})
    bias : array, shape (d_L,)
        b.
    Z : array, shape (rows, columns)
        Activations, one column for each sample or token.

    Returns
    -------
    array, shape (d_L, columns); pullback to (db, dZ, dW_1, …, dW_L)
    """
    F, pullback = linear(weights, Z)
    xp = arrays.namespace(F)
    return F + bias[:, None], lambda G: (xp.sum(G, axis=-1), *pullback(G))


def relu(Z: Array) -> tuple[Array, Pullback]:
    """max(z, 0), entry by entry, with the derivative 1 where z > 0 and 0 elsewhere, at 0 too.

    Parameters
    ----------
    Z : array, shape (rows, columns)
        Activations, one column for each sample or token.

    Returns
    -------
    array, shape (rows, columns), and callable
        The image, and the pullback, which takes the gradient with respect to it and returns
        those with respect to what went in.
    """
    xp = arrays.namespace(Z)
    F = xp.maximum(Z, xp.zeros_like(Z[:1, :1]))
    return F, lambda G: G * xp.astype(F > 0, F.dtype)


def gelu(Z: Array) -> tuple[Array, Pullback]:
    """z Φ(z), with Φ the normal distribution function, in its exact form, not tanh's.

    With Φ(z) = (1 + erf(z/√2))/2 and φ = Φ′ = exp(−z²/2)/√(2π) the derivative is Φ(z) + z φ(z).

    Parameters
    ----------
    Z : array, shape (rows, columns)
        Activations, one column for each sample or token.

    Returns
    -------
    array, shape (rows, columns), and callable
        The image, and the pullback, which takes the gradient with respect to it and returns
        those with respect to what went in.
    """
    xp = arrays.namespace(Z)
    Phi = (arrays.erf(Z * math.sqrt(0.5)) + 1.0) * 0.5
    return Z * Phi, lambda G: G * (Phi + Z * xp.exp(-0.5 * Z * Z) * (1 / math.sqrt(2 * math.pi)))


def softmax(S: Array, axis: int) -> tuple[Array, Pullback]:
    """P = exp(S) / Σ exp(S), the sum running along `axis`.

    With dP_i = P_i (dS_i − Σ_j P_j dS_j), the gradient is P ∘ (G − Σ_j G_j P_j).  The largest entry
    is subtracted first, which changes nothing but keeps exp from overflowing.

    Parameters
    ----------
    S : array
        Scores.
    axis : int

    Returns
    -------
    array, shape (rows, columns), and callable
        The image, and the pullback, which takes the gradient with respect to it and returns
        those with respect to what went in.
    """
    xp = arrays.namespace(S)
    P = xp.exp(S - xp.max(S, axis=axis, keepdims=True))
    P /= xp.sum(P, axis=axis, keepdims=True)
    return P, lambda G: P * (G - xp.sum(G * P, axis=axis, keepdims=True))


def layer_norm(scale: Array, shift: Array, Z: Array) -> tuple[Array, Pullback]:
    """γ ∘ Y + β with every column of Y = (Z − μ)/σ of mean 0 and variance 1 (nearly).

    μ is the mean of a column, σ² its variance (by the number of entries) plus `VARIANCE_FLOOR`.
    With C = I − 11ᵀ/d, a column is y = Cz/σ and dσ = ⟨y, dz⟩/d, so that
    dy = (C dz − y ⟨y, dz⟩/d)/σ.  That matrix is symmetric: with H = γ ∘ G the gradient is
    (H − mean H − Y mean(Y ∘ H))/σ, means down the columns; those of γ and β are the sums of Y ∘ G
    and of G along the rows.

    Parameters
    ----------
    scale : array, shape (rows,)
        γ.
    shift : array, shape (rows,)
        β.
    Z : array, shape (rows, columns)
        Activations, one column for each sample or token.

    Returns
    -------
    array of Z's shape; pullback to (dγ, dβ, dZ)
    """
    xp = arrays.namespace(Z)
    Y = Z - xp.mean(Z, axis=0, keepdims=True)
    deviation = xp.sqrt(xp.mean(Y * Y, axis=0, keepdims=True) + VARIANCE_FLOOR)
    Y /= deviation

    def pullback(G: Array) -> tuple[Array, Array, Array]:
        H, YG = scale[:, None] * G, Y * G
        along = xp.mean(Y * H, axis=0, keepdims=True)
        dZ = (H - xp.mean(H, axis=0, keepdims=True) - Y * along) / deviation
        return xp.sum(YG, axis=-1), xp.sum(G, axis=-1), dZ

    return scale[:, None] * Y + shift[:, None], pullback


def attention(Z: Array, heads: int, tokens: int) -> tuple[Array, Pullback]:
    """Apply softmax attention within every image, head by head.

    A column of Z holds queries, keys and values, each of `heads` parts of h numbers.  For one head
    of one image, with Q, K, V of shape (h, tokens), the scores are S = QᵀK/√h, the weights
    A = softmax(S) along the keys, and the output F = V Aᵀ.  From dF = dV Aᵀ + V dAᵀ follow
    V: G A and A: GᵀV; the softmax carries the latter to the scores, D; and from √h dS = dQᵀK + QᵀdK
    follow Q: K Dᵀ/√h and K: Q D/√h.

    Parameters
    ----------
    Z : array, shape (3·heads·h, images·tokens)
        The tokens of an image are neighbours.
    heads, tokens : int

    Returns
    -------
    array, shape (heads·h, images·tokens); pullback to dZ
    """
    xp = arrays.namespace(Z)
    h = Z.shape[0] // (3 * heads)
    images = Z.shape[1] // tokens
    # parts, heads, images, h, tokens: every head of every image is a matrix.
    parts = xp.permute_dims(xp.reshape(Z, (3, heads, h, images, tokens)), (0, 1, 3, 2, 4))
    Q, K, V = parts[0, ...], parts[1, ...], parts[2, ...]
    A, softened = softmax(Q.mT @ K * (1 / math.sqrt(h)), axis=-1)

    def joined(stack: Array) -> Array:
        """The columns again, of a stack of (…, heads, images, h, tokens) matrices."""
        axes = (*range(stack.ndim - 3), stack.ndim - 2, stack.ndim - 3, stack.ndim - 1)
        return xp.reshape(xp.permute_dims(stack, axes), (-1, images * tokens))

    def pullback(G: Array) -> Array:
        G = xp.permute_dims(xp.reshape(G, (heads, h, images, tokens)), (0, 2, 1, 3))
        D = softened(G.mT @ V) * (1 / math.sqrt(h))
        return joined(xp.stack([K @ D.mT, Q @ D, G @ A]))

    return joined(V @ A.mT), pullback
