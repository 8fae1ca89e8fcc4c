"""The exact reduction of a thin network: of its ends, only the spans matter (A = Id).

For ℓ = c/2 ‖W_{L:1} − M‖² with M = U S Vᵀ the last layer's gradient is

    c (W_L P − M) Pᵀ,   P = W_{L−1} ⋯ W_1,

whose columns lie in the span of the columns of W_L and U.  So under gradient descent, with any step
sizes and weight decay, W_L keeps the form Z_L A with Z_L an orthonormal basis of span[W_L(0), U],
and in the same way W_1 = B Z_0ᵀ with Z_0 a basis of span[W_1(0)ᵀ, V].  Then

    W_{L:1} − M = Z_L (A W_{L−1} ⋯ W_2 B − T) Z_0ᵀ,   T = Z_Lᵀ M Z_0,

the distance is that of the small matrices, and the gradients of A and B are those of the small
factorization problem.  A network of hidden width r̂ becomes one of at most r̂ + r dimensions at its
ends, r̂ if it starts spectrally, whatever the start was otherwise.

From a spectral start, W_L(0) = ε U_r̂ and W_1(0) = ε V_r̂ᵀ with singular vectors of M itself, A, B
and T are diagonal, and every product of them is.  Computed, they are so up to rounding, which is
taken away: then the network is r̂ scalar ones (`dlnlab.training.kernels.Diagonal`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dlnlab import networks
from dlnlab.networks import Weights
from dlnlab.numerics import arrays
from dlnlab.numerics.arrays import Array
from dlnlab.problems import Factorization
from dlnlab.problems.targets import FactoredTarget
from dlnlab.reductions.reduced import ReducedFactorization, check_factorization, check_one_network

__all__ = ["ThinReduction", "reduce_thin"]


@dataclass(frozen=True)
class ThinReduction:
    """A network in the spans of its ends.

    Attributes
    ----------
    problem : ReducedFactorization
        To be run with `weights`.
    weights : tuple of L arrays
        B, W_2, …, W_{L−1}, A at the start.
    left, right : arrays, shapes (d_out, k_L) and (d_in, k_0)
        Z_L and Z_0.
    """

    problem: ReducedFactorization
    weights: Weights
    left: Array
    right: Array

    def lift(self, weights: Sequence[Array]) -> Weights:
        """Return the network's weights from those of the reduced one, any batch axes first.

        Parameters
        ----------
        weights : sequence of L arrays
            Of the reduced network.

        Returns
        -------
        tuple of L arrays, shapes (..., d_l, d_{l−1})
        """
        weights = networks.check_shapes(weights, self.weights)
        first, *inner, last = weights
        return (first @ self.right.mT, *inner, self.left @ last)

    def lift_end_to_end(self, W: Array) -> Array:
        """Return the network's end-to-end matrix from that of the reduced one.

        Parameters
        ----------
        W : array, shape (..., k, k′)
            Of the reduced network.

        Returns
        -------
        array, shape (..., d_out, d_in)
        """
        W = networks.check_product(W, self.weights)
        return self.left @ W @ self.right.mT


def reduce_thin(problem: Factorization, weights: Sequence[Array]) -> ThinReduction:
    """Reduce a network to the spans of its ends.

    Parameters
    ----------
    problem : Factorization
        With an unbatched target of rank r.
    weights : sequence of L arrays
        W_1, …, W_L without batch axes.

    Returns
    -------
    ThinReduction
        Of at most d_{L−1} + r and d_1 + r dimensions at the ends.

    Raises
    ------
    TypeError, ValueError
        If `problem` is no factorization of one target or `weights` no network of its shape.

    Examples
    --------
    >>> import dlnlab
    >>> from dlnlab import spans
    >>> problem = dlnlab.factorization(dlnlab.random_target((50, 40), 2, rng=0))
    >>> narrow = dlnlab.compressed_weights(problem, 4, 3, 0.1)
    >>> [W.shape for W in spans.reduce_thin(problem, narrow).weights]
    [(4, 4), (4, 4), (4, 4)]
    """
    check_factorization(problem)
    weights = check_one_network(problem, weights)
    U, s, Vh = problem.target_svd
    first, *inner, last = weights
    left, right = _span(last, U), _span(first.mT, Vh.mT)
    weights = (first @ right, *inner, left.mT @ last)
    target = FactoredTarget(left.mT @ U, s, Vh @ right)
    if all(map(arrays.is_host, weights)):
        weights, target = _without_rounding(weights, target, max(problem.shape))
    return ThinReduction(ReducedFactorization(target, 0, problem), weights, left, right)


def _without_rounding(
    weights: Weights, target: FactoredTarget, size: int
) -> tuple[Weights, FactoredTarget]:
    """Return layers ±ε I and a diagonal target, if they are that up to rounding; else as given."""
    rounding = 10 * size * float(np.finfo(weights[0].dtype).eps)
    outer, inner = np.abs(weights[0]).max(), np.abs(weights[1]).max()
    scales = [outer, *[inner] * (len(weights) - 2), outer]
    T = target.to_dense()
    padded = np.zeros(min(T.shape))
    padded[: target.rank] = target.s
    flat = [
        _diagonal(W, np.full(min(W.shape), scale), rounding)
        for W, scale in zip(weights, scales, strict=True)
    ]
    diagonal = _diagonal(T, padded, rounding)
    if diagonal is None or any(W is None for W in flat):
        return weights, target
    frame, (rows, columns) = np.eye(max(T.shape), dtype=T.dtype), T.shape
    signs = np.sign(np.diagonal(diagonal)[: target.rank])
    Vh = signs[:, None] * frame[: target.rank, :columns]
    return tuple(flat), FactoredTarget(frame[:rows, : target.rank], target.s, Vh)


def _diagonal(A: np.ndarray, values: np.ndarray, rounding: float) -> np.ndarray | None:
    """Return the matrix with ±`values` on its diagonal, if that is A up to rounding."""
    flat = np.zeros_like(A)
    np.fill_diagonal(flat, np.where(np.diagonal(A) < 0, -values, values))
    return flat if np.abs(A - flat).max() <= rounding * values.max() else None


def _span(own: Array, frame: Array) -> Array:
    """Return an orthonormal basis of the span of the columns of both.

    What `frame` adds is orthogonalized twice, and directions of rounding size are left out.
    """
    xp = arrays.namespace(own, frame)
    Q = xp.linalg.qr(own)[0] if own.shape[1] < own.shape[0] else own
    if own.shape[1] >= own.shape[0]:
        return xp.eye(own.shape[0], dtype=own.dtype, device=arrays.device_of(own))
    rest = frame - Q @ (Q.mT @ frame)
    N, size, _ = xp.linalg.svd(rest, full_matrices=False)
    rounding = 10 * max(own.shape) * float(xp.finfo(own.dtype).eps)
    N = N[:, : int(xp.sum(xp.astype(size > rounding, xp.int64)))]
    N = N - Q @ (Q.mT @ N)
    return xp.linalg.qr(xp.concat([Q, N], axis=-1))[0]
