"""The classifiers of `dlnlab.nets` written down again, in JAX, as the papers and PyTorch do.

Samples are rows, weights multiply from the right, attention is a sum over heads: nothing is shared
with the package.  `loss` is differentiated by JAX.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def layers(params: dict[str, Any], prefix: str, first: int) -> list[Any]:
    """The weights prefix{first}, prefix{first + 1}, … as far as there are."""
    found = []
    while f"{prefix}{first + len(found)}" in params:
        found.append(params[f"{prefix}{first + len(found)}"])
    return found


def mlp(params: dict[str, Any], X: Any) -> Any:
    """ψ(x) = W_L ρ(W_{L−1} … W_3 ρ(W_2 ρ(W_1 x)))."""
    W1, W2, *inner, last = layers(params, "W", 1)
    H = jnp.maximum(X.reshape(len(X), -1) @ W1.T, 0.0)
    H = jnp.maximum(H @ W2.T, 0.0)
    for W in inner:
        H = H @ W.T
    return jnp.maximum(H, 0.0) @ last.T


def linear(params: dict[str, Any], X: Any) -> Any:
    """W_3 W_2 W_1 x."""
    H = X.reshape(len(X), -1)
    for W in layers(params, "W", 1):
        H = H @ W.T
    return H


def norm(params: dict[str, Any], where: str, Z: Any) -> Any:
    mean, variance = Z.mean(-1, keepdims=True), Z.var(-1, keepdims=True)
    standard = (Z - mean) / jnp.sqrt(variance + 1e-5)
    return standard * params[f"{where}.scale"] + params[f"{where}.shift"]


def attention(params: dict[str, Any], where: str, Z: Any, heads: int) -> Any:
    """Head by head, image by image through einsum."""
    dim = Z.shape[-1]
    h = dim // heads
    P = norm(params, where, Z) @ params[f"{where}.qkv"].T
    found = []
    for k in range(heads):
        Q, K, V = (P[..., part * dim + k * h : part * dim + (k + 1) * h] for part in range(3))
        scores = jnp.einsum("nqc,nkc->nqk", Q, K) / math.sqrt(h)
        found.append(jnp.einsum("nqk,nkc->nqc", jax.nn.softmax(scores, axis=-1), V))
    return jnp.concatenate(found, axis=-1) @ params[f"{where}.out"].T


def feed_forward(params: dict[str, Any], where: str, Z: Any) -> Any:
    W1, *rest = layers(params, f"{where}.W", 1)
    H = jax.nn.gelu(norm(params, where, Z) @ W1.T + params[f"{where}.b1"], approximate=False)
    for W in rest:
        H = H @ W.T
    return H + params[f"{where}.b2"]


def patches(X: Any, side: int) -> Any:
    """(images, tokens, side·side·channels), patches row by row, pixels row by row."""
    _, height, width, _ = X.shape
    cut = [
        X[:, y : y + side, x : x + side, :].reshape(len(X), -1)
        for y in range(0, height, side)
        for x in range(0, width, side)
    ]
    return jnp.stack(cut, axis=1)


def places(down: int, across: int, dim: int) -> Any:
    """Sine–cosine positions, one patch after the other."""
    quarter = dim // 4
    rows = []
    for y in range(down):
        for x in range(across):
            omega = [10_000 ** -(k / (quarter - 1)) for k in range(quarter)]
            row = [math.sin(x * w) for w in omega] + [math.cos(x * w) for w in omega]
            rows.append(row + [math.sin(y * w) for w in omega] + [math.cos(y * w) for w in omega])
    return jnp.asarray(rows)


def vit(params: dict[str, Any], X: Any, *, patch: int, heads: int) -> Any:
    Z = patches(X, patch) @ params["embedding.W"].T + params["embedding.b"]
    Z = Z + places(X.shape[1] // patch, X.shape[2] // patch, Z.shape[-1])
    k = 1
    while f"block{k}.mlp.W1" in params:
        Z = Z + attention(params, f"block{k}.attention", Z, heads)
        Z = Z + feed_forward(params, f"block{k}.mlp", Z)
        k += 1
    return norm(params, "head", Z.mean(axis=1)) @ params["head.W"].T + params["head.b"]


def loss(F: Any, y: Any, kind: str) -> Any:
    """The mean over samples."""
    if kind == "squared":
        return 0.5 * jnp.mean(jnp.sum((F - jax.nn.one_hot(y, F.shape[1])) ** 2, axis=1))
    return -jnp.mean(jax.nn.log_softmax(F, axis=1)[jnp.arange(len(y)), y])


def in_double() -> contextlib.AbstractContextManager[Any]:
    """Switch JAX's 64-bit numbers on for a while; the other tests have it as it comes."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    from jax.experimental import enable_x64

    return enable_x64()


def results(forward: Callable[..., Any], params: Any, X: Any, y: Any, kind: str) -> Any:
    """Logits, loss, and JAX's gradients by name, in double precision, as NumPy arrays."""
    with in_double():
        value = jax.value_and_grad(lambda p: loss(forward(p, X), y, kind))
        found, gradients = value(params)
        logits = np.asarray(forward(params, X))
        return logits, float(found), {name: np.asarray(G) for name, G in gradients.items()}
