"""The vision transformer of Section 4.2, "a smaller variant of ViT-base" with six blocks.

The paper gives the token dimension 512 and the MLP dimension 3072.  The counts of its Table 1 fit a
plain ViT (Beyer, Zhai and Kolesnikov 2022, arXiv 2205.01580) as the library vit-pytorch first had
it: patches of 4 × 4, no class token, sine–cosine positions, attention of 8 heads of 64 without
biases, MLPs with biases, two layer norms in each block and one before the head, 25,230,858
parameters.  What costs no parameters they cannot tell, and is vit-pytorch's here: the exact GELU,
and the last norm after the mean over the tokens.  With N(·) the layer norms,

    Z ← E patches + b 1ᵀ + positions
    six times:  Z ← Z + W_out attention(W_qkv N(Z))
                Z ← Z + W_2 gelu(W_1 N(Z) + b_1 1ᵀ) + b_2 1ᵀ
    logits = W N(mean over tokens of Z) + b 1ᵀ

and the last W_2 is the penultimate block.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.nets import maps
from dlnlab.nets.block import check_block
from dlnlab.nets.network import Network, Pullback
from dlnlab.nets.parameters import Named, Parameter
from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array

__all__ = ["LONGEST_WAVE", "Stage", "ViT", "positions", "vit"]

Stage = Callable[[Array], tuple[Array, Named]]
"""A pullback to what a stage was given, and to its parameters."""

LONGEST_WAVE = 10_000
"""Of the positions, in patches and over 2π (Vaswani et al. 2017)."""


@dataclass(frozen=True)
class ViT(Network):
    """A vision transformer; `vit` makes one.

    Attributes
    ----------
    patch : int
        Side of the square patches of an image of (height, width, channels).
    dim : int
        Token dimension, also the inner width of the attention.
    blocks, heads, mlp_dim : int
    """

    patch: int
    dim: int
    blocks: int
    heads: int
    mlp_dim: int

    @property
    def grid(self) -> tuple[int, int]:
        """Number of patches downwards and across."""
        return self.image[0] // self.patch, self.image[1] // self.patch

    @property
    def tokens(self) -> int:
        """Number of patches of an image."""
        return math.prod(self.grid)

    @functools.cached_property
    def block_names(self) -> tuple[str, ...]:
        """block6.mlp.W2, or from that on block6.mlp.W3 and block6.mlp.W4."""
        return tuple(f"block{self.blocks}.mlp.W{k}" for k in range(2, 2 + len(self.block.shapes)))

    @functools.cached_property
    def parameters(self) -> dict[str, Parameter]:
        """Embedding, blocks 1 to 6 with their attention and MLP, head."""
        patch = self.patch**2 * self.image[2]
        found = self._affine("embedding", self.dim, patch, self.tokens)
        for k in range(1, self.blocks + 1):
            found |= self._norm(f"block{k}.attention")
            for name, rows in (("qkv", 3 * self.dim), ("out", self.dim)):
                shape = (rows, self.dim)
                found[f"block{k}.attention.{name}"] = Parameter(shape, self.tokens, self.dim)
            found |= self._norm(f"block{k}.mlp")
            found |= self._affine(f"block{k}.mlp", self.mlp_dim, self.dim, self.tokens, "1")
            if k < self.blocks:
                found |= self._affine(f"block{k}.mlp", self.dim, self.mlp_dim, self.tokens, "2")
        for name, shape in zip(self.block_names, self.block.shapes, strict=True):
            found[name] = Parameter(shape, self.tokens, shape[1])
        found[f"block{self.blocks}.mlp.b2"] = Parameter((self.dim,), fan_in=self.mlp_dim)
        return found | self._norm("head") | self._affine("head", self.classes, self.dim, 1)

    def _affine(
        self, where: str, rows: int, columns: int, uses: int, which: str = ""
    ) -> dict[str, Parameter]:
        return {
            f"{where}.W{which}": Parameter((rows, columns), uses, columns),
            f"{where}.b{which}": Parameter((rows,), uses, columns),
        }

    def _norm(self, where: str) -> dict[str, Parameter]:
        shape = (self.dim,)
        return {
            f"{where}.scale": Parameter(shape, constant=1.0),
            f"{where}.shift": Parameter(shape),
        }

    def _products_of_activations(self) -> tuple[int, int]:
        """Scores QᵀK and outputs V Aᵀ: tokens² numbers a head, and dim · tokens."""
        macs = 2 * self.tokens**2 * self.dim
        numbers = self.tokens * (self.tokens * self.heads + self.dim)
        return self.blocks * macs, self.blocks * numbers

    def _activations(self, inner: int) -> tuple[int, int]:
        weights, dim, mlp_dim = self.tokens * self.heads, self.dim, self.mlp_dim
        kept = self.blocks * (13 * dim + weights + 4 * mlp_dim) + inner
        passing = max(5 * mlp_dim, 3 * weights + 9 * dim)
        return math.prod(self.image) + self.tokens * kept, self.tokens * passing

    def _forward(self, params: Named, block: Sequence[Array], X: Array) -> tuple[Array, Pullback]:
        Z, embedded = self._embed(params, X)
        back = []
        for k in range(1, self.blocks + 1):
            Z, mixed = self._attention(params, f"block{k}.attention", Z)
            inner = block if k == self.blocks else (params[f"block{k}.mlp.W2"],)
            Z, mapped = self._mlp(params, f"block{k}.mlp", inner, Z)
            back.append((f"block{k}.mlp.W2", mixed, mapped))
        F, read = self._read(params, Z)

        def pullback(G: Array) -> tuple[Named, networks.Weights]:
            G, gradients = read(G)
            of_block: networks.Weights = ()
            for name, mixed, mapped in reversed(back):
                G, of_mlp, of_inner = mapped(G)
                G, of_attention = mixed(G)
                gradients |= of_mlp | of_attention
                if of_block:
                    (gradients[name],) = of_inner
                else:
                    of_block = of_inner
            return gradients | embedded(G), of_block

        return F, pullback

    def _embed(self, params: Named, X: Array) -> tuple[Array, Callable[[Array], Named]]:
        """A column for each patch: E patch + b + position.  The patches need no gradient."""
        xp, (down, across) = arrays.namespace(X), self.grid
        pixels = xp.reshape(X, (-1, down, self.patch, across, self.patch, self.image[2]))
        pixels = xp.permute_dims(pixels, (2, 4, 5, 0, 1, 3))
        pixels = xp.reshape(pixels, (self.patch**2 * self.image[2], -1))
        Z = params["embedding.W"] @ pixels + params["embedding.b"][:, None]
        by_image = xp.reshape(Z, (self.dim, -1, self.tokens))
        Z = xp.reshape(
            by_image + arrays.like(positions(self.grid, self.dim), X)[:, None, :], Z.shape
        )
        return Z, lambda G: {"embedding.W": G @ pixels.mT, "embedding.b": xp.sum(G, axis=-1)}

    def _attention(self, params: Named, where: str, Z: Array) -> tuple[Array, Stage]:
        """Z + W_out attention(W_qkv N(Z))."""
        names = [f"{where}.{name}" for name in ("scale", "shift", "qkv", "out")]
        scale, shift, qkv, out = (params[name] for name in names)
        Y, normed = maps.layer_norm(scale, shift, Z)
        P, projected = maps.linear((qkv,), Y)
        A, attended = maps.attention(P, self.heads, self.tokens)
        F, collected = maps.linear((out,), A)

        def pullback(G: Array) -> tuple[Array, Named]:
            dA, of_out = collected(G)
            dY, of_qkv = projected(attended(dA))
            of_scale, of_shift, dZ = normed(dY)
            gradients = (of_scale, of_shift, of_qkv, of_out)
            return G + dZ, dict(zip(names, gradients, strict=True))

        return Z + F, pullback

    def _mlp(
        self, params: Named, where: str, inner: Sequence[Array], Z: Array
    ) -> tuple[Array, Callable[[Array], tuple[Array, Named, networks.Weights]]]:
        """Z + W_2 gelu(W_1 N(Z) + b_1 1ᵀ) + b_2 1ᵀ, with the factors `inner` of W_2."""
        names = [f"{where}.{name}" for name in ("scale", "shift", "W1", "b1", "b2")]
        scale, shift, W1, b1, b2 = (params[name] for name in names)
        Y, normed = maps.layer_norm(scale, shift, Z)
        A, first = maps.affine((W1,), b1, Y)
        H, bent = maps.gelu(A)
        F, second = maps.affine(inner, b2, H)

        def pullback(G: Array) -> tuple[Array, Named, networks.Weights]:
            of_b2, dH, *of_inner = second(G)
            of_b1, dY, of_W1 = first(bent(dH))
            of_scale, of_shift, dZ = normed(dY)
            gradients = (of_scale, of_shift, of_W1, of_b1, of_b2)
            return G + dZ, dict(zip(names, gradients, strict=True)), tuple(of_inner)

        return Z + F, pullback

    def _read(self, params: Named, Z: Array) -> tuple[Array, Stage]:
        """W N(mean over the tokens) + b 1ᵀ."""
        xp = arrays.namespace(Z)
        names = [f"head.{name}" for name in ("scale", "shift", "W", "b")]
        scale, shift, W, b = (params[name] for name in names)
        mean = xp.mean(xp.reshape(Z, (self.dim, -1, self.tokens)), axis=-1)
        Y, normed = maps.layer_norm(scale, shift, mean)
        F, head = maps.affine((W,), b, Y)

        def pullback(G: Array) -> tuple[Array, Named]:
            of_b, dY, of_W = head(G)
            of_scale, of_shift, dmean = normed(dY)
            shares = xp.broadcast_to(dmean[:, :, None] / self.tokens, (*dmean.shape, self.tokens))
            gradients = (of_scale, of_shift, of_W, of_b)
            return xp.reshape(shares, Z.shape), dict(zip(names, gradients, strict=True))

        return F, pullback


@functools.cache
def positions(grid: tuple[int, int], dim: int) -> np.ndarray:
    """Return what is added to each token: sines and cosines of where its patch is.

    With dim/4 frequencies ω from 1 to 1/10,000, evenly spaced in the logarithm, the column of the
    patch in row y and column x is (sin xω, cos xω, sin yω, cos yω).

    Returns
    -------
    array, shape (dim, tokens)
        The patches row by row.
    """
    omega = LONGEST_WAVE ** -np.linspace(0, 1, dim // 4)[:, None]
    y, x = (place.ravel() for place in np.indices(grid))
    return np.concatenate(
        [np.sin(omega * x), np.cos(omega * x), np.sin(omega * y), np.cos(omega * y)]
    )


def vit(
    image: tuple[int, int, int] = (32, 32, 3),
    patch: int = 4,
    dim: int = 512,
    blocks: int = 6,
    heads: int = 8,
    mlp_dim: int = 3072,
    classes: int = 10,
    penultimate: str = "dense",
    r_hat: int | None = None,
) -> ViT:
    """Return the vision transformer of Section 4.2.

    Parameters
    ----------
    image : (int, int, int)
        Height, width and channels of a sample.
    patch : int
        Side of the patches; it divides height and width.
    dim : int
        Token dimension, a multiple of 4 from 8 on, and of `heads`.
    blocks : int
        Pairs of attention and MLP.
    heads : int
        Of every attention.
    mlp_dim : int
        Inner width of the MLPs.
    classes : int
        d_y.
    penultimate : {"dense", "dln", "compressed"}
        The last linear layer of the last MLP, from `mlp_dim` to `dim`: a matrix, a linear network
        of three layers with `mlp_dim` inside, or a compressed one.  Its bias stays.
    r_hat : int, optional
        Inner width r̂ of the compressed one; 4·classes by default (at most `dim`, `mlp_dim`).

    Returns
    -------
    ViT

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or a size does not divide another.

    Examples
    --------
    >>> import dlnlab
    >>> kinds = ("dense", "dln", "compressed")
    >>> [dlnlab.nets.vit(penultimate=kind).num_parameters for kind in kinds]
    [25230858, 44105226, 23802954]
    """
    image, patch = _check_image(image), checks.integer("patch", patch, 1)
    for name, side in zip(("height", "width"), image[:2], strict=True):
        if side % patch:
            raise ValueError(f"`patch` must divide the {name} of `image`, {side}, got {patch}")
    dim, heads = checks.integer("dim", dim, 8), checks.integer("heads", heads, 1)
    for name, divisor in (("4", 4), ("`heads`", heads)):
        if dim % divisor:
            raise ValueError(f"`dim` must be a multiple of {name}, {divisor}, got {dim}")
    blocks = checks.integer("blocks", blocks, 1, checks.DEEPEST)
    mlp_dim = checks.integer("mlp_dim", mlp_dim, 1)
    classes = checks.integer("classes", classes, 2)
    block = check_block((dim, mlp_dim), penultimate, r_hat, classes)
    return ViT(classes, block, image, patch, dim, blocks, heads, mlp_dim)


def _check_image(image: Any) -> tuple[int, int, int]:
    sides = checks.sequence("image", image, "three integers, (height, width, channels)")
    if len(sides) != 3:
        requirement = "three integers (height, width, channels)"
        raise TypeError(f"`image` must be {requirement}, got {checks.describe(image)}")
    height, width, channels = (
        checks.integer(f"image[{k}]", side, 1) for k, side in enumerate(sides)
    )
    return height, width, channels
