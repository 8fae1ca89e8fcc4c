"""Structured sensing ensembles, whose m·d_out·d_in entries are never stored.

A dense ensemble costs the time to read it.  If its matrices have a structure, inner products with
all of them are a few products of matrices, or a fast transform, and nothing larger than m vectors
is ever in memory:

====================  ===================  ================  ==================
ensemble              A(W)                 Aᵀ(v)             memory, in numbers
====================  ===================  ================  ==================
A_i = a_i b_iᵀ        diag(a W bᵀ)         aᵀ diag(v) b      m (d_out + d_in)
subsampled transform  √n P C (s ∘ vec W)   √n s ∘ Cᵀ Pᵀ v    n + m
====================  ===================  ================  ==================

with n = d_out d_in, a of shape (m, d_out), b of shape (m, d_in), C an orthonormal transform, P a
choice of m of its n rows and s random signs.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import scipy.fft

from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array
from dlnlab.problems.measured import Measured
from dlnlab.problems.problem import Target, Workspace

__all__ = ["CosineEnsemble", "RankOneEnsemble", "StructuredEnsemble", "StructuredSensing"]


class StructuredEnsemble(abc.ABC):
    """Sensing matrices A_1, …, A_m that are known by what they do."""

    names: ClassVar[tuple[str, ...]]
    """What its arrays are called in messages."""

    @property
    @abc.abstractmethod
    def shape(self) -> tuple[int, int, int]:
        """The shape (m, d_out, d_in) of the stack of sensing matrices."""

    def measure(self, W: Array) -> Array:
        """Return ⟨A_i, W⟩ for all i.

        Parameters
        ----------
        W : array, shape (..., d_out, d_in)
            A matrix, or a batch of them, where the ensemble's arrays live.

        Returns
        -------
        array, shape (..., m)

        Raises
        ------
        TypeError, ValueError
            If `W` is no real array of that library and shape.
        """
        W = checks.matrix("W", W)
        arrays.namespace(W, *self.parts(), names=("W", *self.names))
        checks.last_axes("W", W, self.shape[1:])
        return self._apply(W)

    @abc.abstractmethod
    def _apply(self, W: Array) -> Array:
        """Map matrices that have been checked, (..., d_out, d_in), to (..., m)."""

    @abc.abstractmethod
    def _adjoint(self, vectors: Array) -> Array:
        """Map (..., m) to Σ_i v_i A_i, shape (..., d_out, d_in)."""

    @abc.abstractmethod
    def parts(self) -> tuple[Array, ...]:
        """The arrays that define the ensemble.

        Returns
        -------
        tuple of arrays
        """

    @abc.abstractmethod
    def workspace(self) -> tuple[int, int]:
        """Return how many numbers the two maps use for one matrix, their results included.

        Returns
        -------
        (int, int)
        """


@dataclass(frozen=True, eq=False)
class RankOneEnsemble(StructuredEnsemble):
    """Sensing matrices of rank one, A_i = a_i b_iᵀ, on any device.

    With independent entries of unit variance in a_i and b_i those of A_i have unit variance and are
    uncorrelated, so Eq. (6) estimates M* as it does for Gaussian matrices.  (They are not
    independent: such ensembles have heavier tails, and do not satisfy the restricted isometry
    property in ℓ_2 for m proportional to r (d_out + d_in); see Cai and Zhang 2015, "ROP: Matrix
    recovery via rank-one projections".)

    Parameters
    ----------
    left : array, shape (m, d_out)
        a_i, one in each row.
    right : array, shape (m, d_in)
        b_i.

    Raises
    ------
    TypeError, ValueError
        If the arrays are malformed, or have different numbers of rows.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> rng = np.random.default_rng(0)
    >>> A = dlnlab.RankOneEnsemble(rng.standard_normal((90, 6)), rng.standard_normal((90, 5)))
    >>> M = dlnlab.random_target((6, 5), 1, rng=0)
    >>> problem = dlnlab.sensing(A, A.measure(M), target=M)
    >>> float(problem.loss(M)), problem.shape
    (0.0, (6, 5))
    """

    left: Array
    right: Array
    names: ClassVar[tuple[str, ...]] = ("left", "right")

    def __post_init__(self) -> None:
        left = checks.matrix("left", self.left, ndim=2)
        right = checks.matrix("right", self.right, ndim=2)
        arrays.namespace(left, right, names=("left", "right"))
        if left.shape[0] != right.shape[0]:
            raise ValueError(
                f"`right` must have as many rows as `left`, {left.shape[0]}, "
                f"got shape {tuple(right.shape)}"
            )
        object.__setattr__(self, "left", left)
        object.__setattr__(self, "right", right)

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (m, d_out, d_in) of the stack of sensing matrices."""
        return self.left.shape[0], self.left.shape[1], self.right.shape[1]

    def _apply(self, W: Array) -> Array:
        """Return a_iᵀ W b_i: a W, and an inner product with b_i in each row."""
        xp = arrays.namespace(W)
        return xp.vecdot(xp.matmul(self.left, W), self.right)

    def _adjoint(self, vectors: Array) -> Array:
        """Return Σ_i v_i a_i b_iᵀ = (aᵀ diag(v)) b."""
        xp = arrays.namespace(vectors)
        return xp.matmul(self.left.mT * vectors[..., None, :], self.right)

    def _chosen(self, numbers: Array) -> RankOneEnsemble:
        """Return the ensemble of some A_i, which have been checked."""
        xp, some = arrays.namespace(self.left), object.__new__(RankOneEnsemble)
        object.__setattr__(some, "left", xp.take(self.left, numbers, axis=0))
        object.__setattr__(some, "right", xp.take(self.right, numbers, axis=0))
        return some

    def parts(self) -> tuple[Array, ...]:
        """The arrays that define the ensemble, a and b.

        Returns
        -------
        tuple of 2 arrays, shapes (m, d_out) and (m, d_in)
        """
        return self.left, self.right

    def workspace(self) -> tuple[int, int]:
        """The m vectors that the ensemble is applied to on one side.

        Returns
        -------
        (int, int)
        """
        m, d_out, d_in = self.shape
        return m * d_in + m, m * d_out + d_out * d_in


@dataclass(frozen=True)
class CosineEnsemble(StructuredEnsemble):
    """Some rows of the discrete cosine transform of vec(W) with random signs, on the host.

    A(W) = scale·√n P C (s ∘ vec W), with n = d_out·d_in, C the orthonormal cosine transform (type
    II), the real form of a subsampled Fourier ensemble, P a choice of m different rows and s random
    signs.  An entry of A_i has mean square scale², so Eq. (6) estimates M* for scale 1, exactly if
    m = n; products take O(n log n) operations.

    Parameters
    ----------
    count : int
        m, at most d_out·d_in.
    matrix_shape : (int, int)
        (d_out, d_in).
    seed : int
        At least 0.
    scale : float
        Root mean square of an entry: 1 in the paper, 1/m in the authors' code.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.

    Examples
    --------
    >>> import dlnlab
    >>> A = dlnlab.CosineEnsemble(24, (6, 5), seed=0)
    >>> M = dlnlab.random_target((6, 5), 1, rng=0)
    >>> problem = dlnlab.sensing(A, A.measure(M), target=M)
    >>> float(problem.loss(M))
    0.0
    """

    count: int
    matrix_shape: tuple[int, int]
    seed: int
    scale: float = 1.0
    _drawn: tuple[np.ndarray, np.ndarray] = field(init=False, repr=False, compare=False)
    names: ClassVar[tuple[str, ...]] = ("its signs", "its rows")

    def __post_init__(self) -> None:
        object.__setattr__(self, "matrix_shape", checks.shape("matrix_shape", self.matrix_shape))
        n = self.matrix_shape[0] * self.matrix_shape[1]
        object.__setattr__(self, "count", checks.integer("count", self.count, 1))
        if self.count > n:
            raise ValueError(
                f"`matrix_shape` must have at least `count` = {self.count} entries, got "
                f"{self.matrix_shape}: a transform has no more rows than entries"
            )
        object.__setattr__(self, "seed", checks.seed("seed", self.seed))
        object.__setattr__(self, "scale", checks.positive("scale", self.scale))
        checks.fits_in_memory(
            "`matrix_shape`: signs and rows", 8 * (n + self.count), working=16 * n
        )
        object.__setattr__(self, "_drawn", self._draw())

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (m, d_out, d_in) of the stack of sensing matrices."""
        return (self.count, *self.matrix_shape)

    def _draw(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the signs, times scale·√n, and the rows that are kept, in ascending order."""
        n = self.matrix_shape[0] * self.matrix_shape[1]
        rng = np.random.default_rng(self.seed)
        signs = rng.choice([-1.0, 1.0], n)
        rows = np.sort(rng.permutation(n)[: self.count])
        return self.scale * np.sqrt(n) * signs, rows

    def _apply(self, W: np.ndarray) -> np.ndarray:
        """Return scale·√n P C (s ∘ vec W)."""
        signs, rows = self._drawn
        signed = W.reshape(*W.shape[:-2], -1) * signs
        return scipy.fft.dct(signed, norm="ortho", overwrite_x=True)[..., rows]

    def _adjoint(self, vectors: np.ndarray) -> np.ndarray:
        """Return scale·√n s ∘ Cᵀ Pᵀ v as matrices."""
        signs, rows = self._drawn
        spread = np.zeros((*vectors.shape[:-1], signs.size))
        spread[..., rows] = vectors
        image = scipy.fft.idct(spread, norm="ortho", overwrite_x=True)
        image *= signs
        return image.reshape(*vectors.shape[:-1], *self.matrix_shape)

    def parts(self) -> tuple[np.ndarray, ...]:
        """The signs, scaled, and the rows.

        Returns
        -------
        tuple of arrays
        """
        return self._drawn

    def workspace(self) -> tuple[int, int]:
        """Return how many numbers the transforms use: input, output, and as many for their plan.

        Returns
        -------
        (int, int)
            Numbers for the ensemble as a whole, and for each member of a batch.
        """
        n = self.matrix_shape[0] * self.matrix_shape[1]
        return 5 * n + self.count, 5 * n


class StructuredSensing(Measured):
    """Deep matrix sensing by a structured ensemble.  See `dlnlab.sensing`.

    Parameters
    ----------
    matrices : StructuredEnsemble
    measurements : array, shape (..., m)
    normalization : {"sum", "mean"}
    target : array, shape (..., d_out, d_in), FactoredTarget or None
    """

    def __init__(
        self,
        matrices: StructuredEnsemble,
        measurements: Array,
        normalization: str,
        target: Target,
    ) -> None:
        super().__init__(matrices.shape[1:], target, normalization, measurements)
        self.measurements = measurements
        self.matrices = matrices
        self._count_measurements(matrices.shape[0])

    def workspace(self, members: int) -> Workspace:
        """Return the numbers for losses and gradients, the ensemble's own included.

        Parameters
        ----------
        members : int
            How many there are in a batch.

        Returns
        -------
        Workspace
        """
        loss, gradient = super().workspace(members)
        there, back = (members * numbers for numbers in self.matrices.workspace())
        return Workspace(loss + there, gradient + max(there, back))

    def gradient_of(self, W: Array, chosen: np.ndarray) -> Array:
        """Return the gradient of some measurements; of matrices of rank one, only theirs are read.

        A fast transform computes all of them.
        """
        if not isinstance(self.matrices, RankOneEnsemble):
            return super().gradient_of(W, chosen)
        xp, scale = arrays.namespace(W), self.scale * (self.places.size / chosen.size)
        numbers = arrays.like(np.sort(chosen), W, keep_dtype=True)
        some = self.matrices._chosen(numbers)
        residual = some._apply(W) - xp.take(self.measurements, numbers, axis=-1)
        return some._adjoint(scale * residual)

    def chosen_numbers(self, count: int, members: int) -> int:
        """Return the numbers of so many vectors a_i and b_i, and of what they are applied to."""
        if not isinstance(self.matrices, RankOneEnsemble):
            return super().chosen_numbers(count, members)
        d_out, d_in = self.shape
        needed = count * (d_out + d_in + members * (max(d_out, d_in) + 3))
        return max(needed - self.workspace(members).gradient, 0)

    def _measure(self, W: Array) -> Array:
        return self.matrices._apply(W)

    def _adjoint_vector(self, vectors: Array) -> Array:
        image = self.matrices._adjoint(vectors)
        return arrays.namespace(vectors).reshape(image, (*vectors.shape[:-1], -1))

    def _data(self) -> tuple[Any, ...]:
        return *self.matrices.parts(), self.measurements
