"""Two layers: the flow of a balanced network in closed form.

With Z = [W_2; W_1ᵀ] a balanced network has Ż = SZ − ½ZZᵀZ, S = [[0, M], [Mᵀ, 0]], so that X = ZZᵀ
obeys a Riccati equation, whose solution gives

    Z(t) = e^{St} Z_0 R(t)^{−1},   RᵀR = I + Z_0ᵀ (∫_0^t e^{2Ss} ds) Z_0,

up to a rotation of the hidden space, which changes nothing (`dlnlab.claims.gauge`).  In coordinates
in which M is diag(σ_i) the eigenvectors of S are (u_i, ±v_i)/√2 with the eigenvalues ±σ_i, and the
rest has 0; so RᵀR is I + Σ_i g_i p_i p_iᵀ with rows p_i of Z_0 and factors g_i that are
(e^{2σt} − 1)/2σ, (1 − e^{−2σt})/2σ and t.  R is found by a QR factorization of the rows √g_i p_i.
These differ by hundreds of orders of magnitude at late times; Householder's method with the rows
sorted by size and column pivoting treats every row accurately in relation to its own size
(Cox and Higham 1998).  The rows of Z(t) follow from those of the orthogonal factor where √g_i p_i
is large, and by a triangular solve where it is small.

A network whose determinant has the wrong sign has an exact kernel n in its growing part, p_i n = 0
for all i with +σ_i (`dlnlab.flow.network`).  The hidden space is rotated so that n is a coordinate,
and the entries there are set to zero, so that no rounding can grow there.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg

from dlnlab.flow.network import SignedBlock
from dlnlab.networks import Weights

__all__ = ["LARGEST", "TwoLayers"]

LARGEST = 600.0
"""Largest exponent: beyond e^600 a direction is learned to all digits, whatever ε."""


class TwoLayers:
    """The flow of one balanced network of two layers towards diag(s).

    Parameters
    ----------
    weights : tuple of two arrays, shapes (k, d_in), (d_out, k)
    s : array, shape (r,)
    blocks : sequence of SignedBlock
    """

    def __init__(self, weights: Weights, s: np.ndarray, blocks: list[SignedBlock]) -> None:
        first, last = weights
        self.s, r = s, s.size
        rest = np.vstack([last[r:], first.T[r:]])
        parts = [(last[:r] + first.T[:r]) / 2**0.5, (last[:r] - first.T[:r]) / 2**0.5, rest]
        parts = _without_growth(parts, first, [b.axes for b in blocks if b.trapped])
        self.rows = np.vstack(parts)
        self.spare = last.shape[0] - r  # rows of W_2 beyond the modes

    def layers(self, t: float) -> Weights:
        """Return W_1 and W_2 at a time t ≥ 0.

        Parameters
        ----------
        t : float
            Flow time.

        Returns
        -------
        tuple of 2 arrays
        """
        s, k, rest = self.s, self.rows.shape[1], self.rows.shape[0] - 2 * self.s.size
        exponent = np.minimum(s * t, LARGEST)
        e = np.exp(exponent)
        grown = np.sqrt(-np.expm1(-2 * exponent) / (2 * s))
        growth = np.concatenate([e, 1 / e, np.ones(rest)])
        roots = np.concatenate([e * grown, grown, np.full(rest, t**0.5)])
        scaled = roots[:, None] * self.rows
        Q, R, pivots = _graded_qr(np.vstack([scaled, np.eye(k)]))
        Z = scipy.linalg.solve_triangular(
            R, (growth[:, None] * self.rows)[:, pivots].T, trans="T", check_finite=False
        ).T
        large = np.max(np.abs(scaled), axis=1) > 1
        Z[large] = (growth[large] / roots[large])[:, None] * Q[: large.size][large]
        return self._split(Z)

    def _split(self, Z: np.ndarray) -> Weights:
        r = self.s.size
        plus, minus, rest = Z[:r], Z[r : 2 * r], Z[2 * r :]
        last = np.vstack([(plus + minus) / 2**0.5, rest[: self.spare]])
        first = np.vstack([(plus - minus) / 2**0.5, rest[self.spare :]])
        return np.ascontiguousarray(first.T), last


def _graded_qr(A: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Q, R and the pivots of a matrix whose rows differ by orders of magnitude."""
    order = np.argsort(-np.max(np.abs(A), axis=1), kind="stable")
    Q, R, pivots = scipy.linalg.qr(
        A[order], mode="economic", pivoting=True, check_finite=False, overwrite_a=True
    )
    unsorted = np.empty_like(Q)
    unsorted[order] = Q
    return unsorted, R, pivots


def _without_growth(
    parts: list[np.ndarray], first: np.ndarray, trapped: list[np.ndarray]
) -> list[np.ndarray]:
    """Rotate the hidden space so that directions that never grow come last, exactly so."""
    kernels = []
    for axes in trapped:
        basis = np.linalg.qr(first[:, axes])[0]
        kernels.append(basis @ np.linalg.svd(parts[0][axes] @ basis)[2][-1])
    if not kernels:
        return parts
    H = np.linalg.qr(np.stack(kernels, axis=1), mode="complete")[0][:, ::-1]
    parts = [part @ H for part in parts]
    parts[0][:, -len(kernels) :] = 0.0
    return parts
