"""The penultimate layer of a classifier: a matrix, a wide deep linear network, or a compressed one.

It is the linear network of this package (Section 2.3 of the paper): its start is
`networks.original_weights` (Eq. 4) or `networks.compressed_weights` (Algorithm 1), and its gradient
the chain rule of `networks`, either with the data as the innermost factor (`maps.linear`) or, where
that is less work, multiplied out: a loss of the block's output sees the weights only through their
product, so the gradient G of the end-to-end matrix is carried to the layers as everywhere else.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlnlab import networks, problems
from dlnlab.numerics import arrays, checks, spectra
from dlnlab.numerics.frames import orthonormal_frame
from dlnlab.problems.targets import FactoredTarget

__all__ = ["DEPTH", "KINDS", "Block", "check_block"]

KINDS = ("dense", "dln", "compressed")

DEPTH = 3
"""Layers of the linear network that takes the place of a dense layer (Section 2.3)."""


@dataclass(frozen=True)
class Block:
    """The sizes of the penultimate layer.

    Attributes
    ----------
    shape : (int, int)
        (d_out, d_in) of the matrix that it is, or that its layers multiply to.
    kind : {"dense", "dln", "compressed"}
    r_hat : int or None
        Inner width r̂ of a compressed network.
    """

    shape: tuple[int, int]
    kind: str
    r_hat: int | None

    @property
    def widths(self) -> tuple[int, ...]:
        """(d_0, …, d_L); a wide network has the larger side of `shape` inside."""
        d_out, d_in = self.shape
        inner = 0 if self.kind == "dense" else DEPTH - 1
        return (d_in, *(self.r_hat or max(self.shape),) * inner, d_out)

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """Shapes (d_l, d_{l−1}) of the layers, the first one applied first."""
        return [(rows, columns) for columns, rows in itertools.pairwise(self.widths)]

    def multiplied_out(self, columns: int) -> bool:
        """Tell whether multiplying the layers out first saves work on so many columns.

        Forward and back, the layers one by one take 3·columns·Σ_l d_l d_{l−1} multiplications; the
        product takes 3 Σ_{l≥2} d_l d_{l−1} d_0 once and 3·columns·d_L d_0 (`networks.step_flops`).

        Parameters
        ----------
        columns : int
            Columns of activations.

        Returns
        -------
        bool
        """
        d_out, d_in = self.shape
        sizes = [rows * within for rows, within in self.shapes]
        return columns * (sum(sizes) - d_out * d_in) > sum(sizes[1:]) * d_in

    def start(self, eps: float, rng: np.random.Generator, correlation: Any) -> networks.Weights:
        """Draw the weights of a linear network on the host; see `Network.init`.

        Parameters
        ----------
        eps : float
            ε.
        rng : numpy.random.Generator
        correlation : array, shape (k, d_in), or None

        Returns
        -------
        tuple of L arrays, shapes (..., d_l, d_{l−1})
        """
        if self.kind == "dln":
            return networks.original_weights(self.shape, DEPTH, eps, rng=rng)
        d_out, d_in = self.shape
        r_hat = self.widths[1]
        U = orthonormal_frame(d_out, r_hat, rng)
        V = _frame_beginning_with(_leading_right_vectors(correlation, r_hat), d_in, r_hat, rng)
        # Algorithm 1 asks for the singular vectors only, of whatever distinct values.
        surrogate = FactoredTarget(U, np.arange(r_hat, 0.0, -1.0), V.T)
        return networks.compressed_weights(problems.factorization(surrogate), r_hat, DEPTH, eps)


def _leading_right_vectors(correlation: Any, count: int) -> np.ndarray | None:
    if correlation is None:
        return None
    given = arrays.to_host(correlation)
    rank = len(spectra.compact_svd(given).s)  # by the rounding of its own precision,
    return np.linalg.svd(given.astype(float))[2].T[:, : min(rank, count)]  # vectors in double


def _frame_beginning_with(
    given: np.ndarray | None, rows: int, columns: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw an orthonormal frame whose first columns are the given ones, the others uniform."""
    draw = orthonormal_frame(rows, columns, rng)
    if given is None:
        return draw
    count = given.shape[1]
    Q, _ = np.linalg.qr(np.concatenate([given, draw[:, count:]], axis=1))
    return np.concatenate([given, Q[:, count:]], axis=1)


def check_block(shape: tuple[int, int], penultimate: Any, r_hat: Any, classes: int) -> Block:
    """Return the block that the arguments of a model ask for.

    Parameters
    ----------
    shape : (int, int)
        (d_out, d_in).
    penultimate : {"dln", "compressed", "dense"}
    r_hat : int or None
    classes : int
        How many.

    Returns
    -------
    Block

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.
    """
    kind = checks.choice("penultimate", penultimate, KINDS)
    if kind != "compressed":
        if r_hat is not None:
            raise ValueError(
                f"`r_hat` must be omitted with penultimate={kind!r}, which has no inner width to "
                f"choose, got {checks.describe(r_hat)}"
            )
        return Block(shape, kind, None)
    if r_hat is None:
        r_hat = min(4 * classes, *shape)
    return Block(shape, kind, checks.integer("r_hat", r_hat, 1, min(shape)))
