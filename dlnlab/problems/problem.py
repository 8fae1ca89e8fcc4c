"""Matrix-recovery problems: a loss of the end-to-end matrix, and its gradient.

Every problem is ℓ(W) = c/2 ‖A(W) − y‖² for a linear measurement operator A (Eq. 1 of the paper), so
it is given by two things: the residual A(W) − y, and the adjoint Aᵀ that carries a residual back to
a matrix.  The gradient ∇ℓ(W) = c Aᵀ(A(W) − y) is taken with respect to the end-to-end matrix W
only; a problem knows nothing of layers.  The factor c is 1 for ``normalization="sum"`` (the paper)
and one over the number of measurements for ``"mean"`` (the authors' code).
"""

from __future__ import annotations

import abc
import hashlib
import itertools
import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from dlnlab.numerics import arrays, checks, spectra
from dlnlab.numerics.arrays import Array
from dlnlab.numerics.products import FactoredMatrix
from dlnlab.numerics.spectra import SVD
from dlnlab.problems.targets import FactoredTarget

__all__ = [
    "NORMALIZATIONS",
    "Problem",
    "Target",
    "Workspace",
    "checked_target",
    "dense_or_factored",
]

NORMALIZATIONS = ("sum", "mean")
Target = Any
"""A dense array, a `FactoredTarget`, or None where the target is unknown."""


class Workspace(NamedTuple):
    """The largest number of values in use at one time, besides W and the data of the problem.

    Attributes
    ----------
    loss : int
    gradient : int
        The result included.
    """

    loss: int
    gradient: int


class Problem(abc.ABC):
    """A least-squares matrix-recovery problem ℓ(W) = c/2 ‖A(W) − y‖².

    `loss`, `gradient`, `error` and `singular_values` take any array and check it.  The other
    methods are what a problem is made of: they are called by these and by steps, with arrays that
    have been checked.

    A problem keeps the arrays it is made of, without a copy, and what it has derived from them: do
    not change them afterwards, or make the problem of copies.

    Attributes
    ----------
    shape : (int, int)
        (d_out, d_in) of the end-to-end matrix.
    target : array, FactoredTarget or None
        M*, where it is known.
    normalization : str
        "sum" or "mean".
    scale : float or array
        The factor c.
    reference : array
        An array that lives where the problem's data live, and has their dtype.
    computation : str
        "dense", or what was asked for in `completion`.

    Raises
    ------
    TypeError, ValueError
        If `normalization` is not "sum" or "mean".
    """

    computation = "dense"

    def __init__(
        self, shape: tuple[int, int], target: Target, normalization: str, reference: Array
    ) -> None:
        self.shape = checks.shape("shape", shape)
        self.target = target
        self.normalization = checks.choice("normalization", normalization, NORMALIZATIONS)
        self.reference = reference
        self.scale: Any = 1.0

    def _count_measurements(self, count: Any) -> None:
        self.scale = 1.0 / count if self.normalization == "mean" else 1.0

    def compose(self, left: Array, right: Array) -> Array | FactoredMatrix:
        """Return the end-to-end matrix in the form this problem computes with.

        `left` is the last layer and `right` the product of the others.  Their product is formed
        unless the problem looks at so few of its entries that the factors are better kept.

        Parameters
        ----------
        left : array, shape (..., d_out, k)
        right : array, shape (..., k, d_in)

        Returns
        -------
        array, shape (..., d_out, d_in), or FactoredMatrix
        """
        return left @ right

    def samples(self, left: Array) -> bool:
        """Tell whether `compose` keeps the factors apart, for such a last layer.

        Parameters
        ----------
        left : array, shape (..., d_out, k)
            The last layer.

        Returns
        -------
        bool
        """
        return False

    @property
    def batch(self) -> tuple[int, ...]:
        """Batch axes of the problem's data, and so of the loss of a single matrix."""
        return ()

    def workspace(self, members: int) -> Workspace:
        """Return how many numbers losses and gradients of a batch of so many matrices take.

        Here for a residual as large as the matrix, which is squared for the loss.

        Parameters
        ----------
        members : int

        Returns
        -------
        Workspace
        """
        image = members * self.shape[0] * self.shape[1]
        return Workspace(2 * image, (1 + (self.normalization == "mean")) * image)

    @abc.abstractmethod
    def residual(self, W: Array) -> Array:
        """Return the residual A(W) − y.

        Parameters
        ----------
        W : array, shape (..., d_out, d_in)

        Returns
        -------
        array
            Of the shape of the measurements, batch axes first.
        """

    @abc.abstractmethod
    def adjoint(self, residual: Array) -> Array:
        """Return Aᵀ(residual), shape (..., d_out, d_in).

        Parameters
        ----------
        residual : array
            As `residual` returns it.

        Returns
        -------
        array, shape (..., d_out, d_in)
        """

    @abc.abstractmethod
    def surrogate(self) -> Array:
        """Return the surrogate matrix of Eq. (6), shape (d_out, d_in), from which C-DLNs start.

        Returns
        -------
        array, shape (..., d_out, d_in)
        """

    def entrywise(self) -> tuple[Array | None, Array] | None:
        """Return (mask, y) if AᵀA(W) − Aᵀy is mask ∘ W − y entry by entry, and None if it is not.

        No mask means that all entries are seen.  Batch axes are those of the problem's data.

        Returns
        -------
        (array or None, array), shapes (..., d_out, d_in), or None
        """
        return None

    @property
    def is_entrywise(self) -> bool:
        """Whether the problem overrides `entrywise`, found out without a call."""
        return type(self).entrywise is not Problem.entrywise

    def surrogate_for(self, count: int) -> Any:
        """Return the surrogate in the form that suits finding its top-`count` singular vectors.

        Dense, a `FactoredTarget`, or a SciPy sparse array.

        Parameters
        ----------
        count : int
            How many singular vectors are asked for.

        Returns
        -------
        array, FactoredTarget or scipy.sparse array, shape (..., d_out, d_in)
        """
        return self.surrogate()

    @property
    @abc.abstractmethod
    def curvature(self) -> float:
        """The largest eigenvalue c‖A‖² of the Hessian of ℓ as a function of W."""

    def squared_norm(self, residual: Array) -> Array:
        """Return ‖residual‖² of each batch member.

        Parameters
        ----------
        residual : array
            As `residual` returns it.

        Returns
        -------
        array, shape (...,)
        """
        xp = arrays.namespace(residual)
        return xp.sum(residual**2, axis=(-2, -1))

    def loss(self, W: Array) -> Array:
        """Return ℓ(W) = c/2 ‖A(W) − y‖² (Eq. 1).

        Parameters
        ----------
        W : array, shape (..., d_out, d_in)

        Returns
        -------
        array, shape (...,)

        Raises
        ------
        TypeError, ValueError
            If `W` is no real array of the data's library, or its last two axes are not `shape`.
        """
        return 0.5 * self.scale * self.squared_norm(self.residual(self._check(W)))

    def gradient(self, W: Array) -> Array:
        """Return ∇ℓ(W) = c Aᵀ(A(W) − y), the gradient with respect to the end-to-end matrix.

        Parameters
        ----------
        W : array, shape (..., d_out, d_in)

        Returns
        -------
        array, shape (..., d_out, d_in)

        Raises
        ------
        TypeError, ValueError
            If `W` is no real array of the data's library, or its last two axes are not `shape`.
        """
        gradient = self.adjoint(self.residual(self._check(W)))
        if self.normalization == "sum":
            return gradient
        return self.matrix_scale * gradient

    def factor_gradients(self, W: FactoredMatrix) -> tuple[Array, Array]:
        """Return the gradients of ℓ(A B) with respect to the two factors, G Bᵀ and AᵀG, G = ∇ℓ(AB).

        Parameters
        ----------
        W : FactoredMatrix
            A B, as `compose` returns it.

        Returns
        -------
        (array, array), shapes (d_out, k) and (k, d_in)
        """
        G = self.gradient(W)
        return G @ W.right.T, W.left.T @ G

    @cached_property
    def places(self) -> np.ndarray:
        """Where the m measurements are among the numbers of a residual, row by row."""
        return np.arange(math.prod(self.shape))

    def gradient_of(self, W: Array | FactoredMatrix, chosen: np.ndarray) -> Any:
        """Return the gradient of some measurements, times the number of all over theirs.

        Its mean over uniformly random choices of b of the m measurements is ∇ℓ(W): it is
        c (m/b) Aᵀ P (A(W) − y), where P keeps the chosen ones.

        Parameters
        ----------
        W : array, shape (..., d_out, d_in), or FactoredMatrix
            As `compose` returns it.
        chosen : array of int, shape (b,)
            Numbers of measurements, from 0 to m − 1.

        Returns
        -------
        array, shape (..., d_out, d_in), or scipy.sparse array
        """
        residual = self.residual(W)
        xp, axes = arrays.namespace(residual), residual.ndim - len(W.shape) + 2
        kept = np.zeros(math.prod(residual.shape[-axes:]))
        kept[self.places[chosen]] = self.scale * (self.places.size / chosen.size)
        residual *= xp.reshape(arrays.like(kept, residual), tuple(residual.shape[-axes:]))
        return self.adjoint(residual)

    def chosen_numbers(self, count: int, members: int) -> int:
        """Return how many numbers `gradient_of` so many measurements takes beyond `workspace`.

        Parameters
        ----------
        count : int
        members : int
            How many there are in a batch.

        Returns
        -------
        int
        """
        return 2 * max(math.prod(self.shape), self.places.size)

    @cached_property
    def matrix_scale(self) -> Any:
        """The factor c in a shape that multiplies matrices."""
        return self.scale[..., None, None] if arrays.is_array(self.scale) else self.scale

    def error(self, W: Array) -> Array:
        """Return the recovery error ‖W − M*‖_F.

        Parameters
        ----------
        W : array, shape (..., d_out, d_in)

        Returns
        -------
        array, shape (...,)

        Raises
        ------
        TypeError, ValueError
            If the target is unknown, or `W` is no real array of this problem's shape.
        """
        W = self._check(W)
        if isinstance(W, FactoredMatrix):
            self._require_target()
            return W.distance(self.target)
        xp, target = arrays.namespace(W), self._known_target()
        return xp.sqrt(xp.sum((W - target) ** 2, axis=(-2, -1)))

    def singular_values(self, W: Array) -> Array:
        """Return the singular values of the end-to-end matrix `W` stands for.

        Parameters
        ----------
        W : array, shape (..., d_out, d_in)

        Returns
        -------
        array, shape (..., min(d_out, d_in))
            In decreasing order.

        Raises
        ------
        TypeError, ValueError
            If `W` is no real array of this problem's shape.
        """
        return spectra.singular_values(self._check(W))

    @cached_property
    def target_svd(self) -> SVD:
        """Compact SVD of the target (raises ValueError if it is unknown)."""
        self._require_target()
        target = self.target
        return target.svd if isinstance(target, FactoredTarget) else spectra.compact_svd(target)

    @cached_property
    def _dense_target(self) -> Array:
        dense = self.target
        return dense.to_dense() if isinstance(dense, FactoredTarget) else dense

    def _known_target(self) -> Array:
        self._require_target()
        return self._dense_target

    def _require_target(self) -> None:
        if self.target is None:
            raise ValueError(
                "this problem's `target` is unknown (measurements only), so errors and alignments "
                "are not defined; pass `target=` when you build it"
            )

    def _check(self, W: Any) -> Any:
        """Return `W` as a plain array of this problem's shape, where the data live.

        Every step passes here, with arrays of the data's own kind, for which a glance is enough.
        """
        if type(W) is not type(self.reference) or W.dtype != self.reference.dtype:
            W = self._admitted(W)
        if tuple(W.shape[-2:]) != self.shape:
            raise ValueError(
                f"`W` must have shape (..., {self.shape[0]}, {self.shape[1]}), got {tuple(W.shape)}"
            )
        if self.batch and not arrays.broadcasts(tuple(W.shape[:-2]), self.batch):
            raise ValueError(
                f"`W` must have batch axes that broadcast with the problem's, {self.batch}, got "
                f"shape {tuple(W.shape)}"
            )
        return W

    def _admitted(self, W: Any) -> Any:
        """Return a `W` of another kind than the data as an array of their library."""
        if isinstance(W, FactoredMatrix):
            return W
        if not arrays.is_array(W):
            raise TypeError(
                f"`W` must be an array of shape (..., {self.shape[0]}, {self.shape[1]}), "
                f"got {checks.describe(W)}"
            )
        W = checks.matrix("W", W, are_finite=False)
        arrays.namespace(self.reference, W, names=("problem", "W"))
        return W

    def stable_step(self, weights: Sequence[Array], alpha: float = 1.0) -> float:
        """Return the step size beyond which descent is not stable at the solution it heads for.

        Gradient descent stays at a minimum if η < 2/λ, with λ the largest eigenvalue of the Hessian
        there.  Where the residual vanishes, that is c JᵀAᵀA J with J the derivative of W_{L:1} by
        the layers, so λ ≤ c‖A‖² ‖J‖², and at a balanced solution of largest singular value σ_1*

            ‖J‖² = Σ_l α_l ‖W_{L:l+1}‖² ‖W_{l−1:1}‖² = (L − 2 + 2α) σ_1*^{2−2/L}.

        For a factorization (‖A‖ = 1) both are equalities, and the limit is 2/(L σ_1*^{2−2/L}) for
        α = 1.  Where the layers that are given have a larger Σ_l α_l Π_{k≠l} ‖W_k‖², it is taken
        instead, since descent is to be stable at its start as well.

        Below the limit a balanced solution that fits all data is stable; that a descent arrives
        there is no consequence.  Runs from small balanced starts do at nine tenths of it; from
        starts that are not balanced, or towards a solution that fits the data in part only, the
        limit is an estimate, as it is for an unknown target, whose σ_1* is the surrogate's.

        Parameters
        ----------
        weights : sequence of L arrays
            The start, shapes (..., d_l, d_{l−1}); of a batch the largest layers count.
        alpha : float
            As in `dlnlab.gradient_descent`.

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            If `weights` are no layers of a network of this problem's shape, or all is zero.

        Examples
        --------
        >>> import numpy as np, dlnlab
        >>> problem = dlnlab.factorization(np.diag([8.0, 1.0]))
        >>> weights = dlnlab.original_weights((2, 2), depth=3, eps=0.1, rng=0)
        >>> problem.stable_step(weights)  # 2/(3·16)
        0.0416...
        """
        alpha = checks.positive("alpha", alpha)
        layers = [checks.matrix(f"weights[{k}]", W) for k, W in enumerate(_layers(weights))]
        self._check_chain(layers)
        norms = [float(_largest(W)) for W in layers]
        depth, shares = len(norms), [alpha, *[1.0] * (len(norms) - 2), alpha]
        now = sum(
            share * math.prod(n * n for k, n in enumerate(norms) if k != layer)
            for layer, share in enumerate(shares)
        )
        goal = sum(shares) * self._largest_value() ** (2 - 2 / depth)
        if not max(now, goal) > 0:
            raise ValueError("`weights` must not be zero where the target is: any step is stable")
        return 2 / (self.curvature * max(now, goal))

    def _check_chain(self, layers: Sequence[Array]) -> None:
        """Raise unless layers can be multiplied to a matrix of this problem's shape."""
        inner = all(
            after.shape[-1] == before.shape[-2] for before, after in itertools.pairwise(layers)
        )
        ends = (int(layers[-1].shape[-2]), int(layers[0].shape[-1]))
        if not inner or ends != self.shape:
            shapes = [tuple(W.shape) for W in layers]
            raise ValueError(
                f"`weights` must be layers W_1, …, W_L whose product W_L ⋯ W_1 has shape "
                f"{self.shape}, got shapes {shapes}"
            )

    def _largest_value(self) -> float:
        """The largest singular value of the target, or of what is put in its place."""
        if self.target is not None and not self.batch:
            values = self.target_svd.s
            return float(values[0]) if values.shape[0] else 0.0
        if self.target is not None:
            return float(_largest(self._dense_target))
        surrogate = self.surrogate_for(1)
        if scipy.sparse.issparse(surrogate):
            leading = spectra.leading_svd(surrogate, 1)
            return float(leading.s[0] if leading else _largest(surrogate.toarray()))
        return float(_largest(surrogate))

    def fingerprint(self) -> str:
        """Return a hash of the problem's data and target, to recognize a checkpoint's problem.

        Returns
        -------
        str
        """
        kind = f"{type(self).__name__}{self.shape}{self.normalization}{self.computation}"
        digest = hashlib.sha256(kind.encode())
        known = self.target.svd if isinstance(self.target, FactoredTarget) else (self.target,)
        digest.update(str(self.target is None).encode())
        for array in (*self._data(), *(part for part in known if part is not None)):
            arrays.feed(digest, array)
        return digest.hexdigest()

    @abc.abstractmethod
    def _data(self) -> tuple[Array, ...]:
        """The arrays that define the problem, for its fingerprint."""

    def __repr__(self) -> str:
        known = "known" if self.target is not None else "unknown"
        return (
            f"{type(self).__name__}(shape={self.shape}, normalization={self.normalization!r}, "
            f"target {known})"
        )


def _layers(weights: Any) -> tuple[Any, ...]:
    found = checks.sequence("weights", weights, "layers W_1, …, W_L")
    if len(found) < 2:
        raise ValueError(f"`weights` must be at least 2 layers, got {len(found)}")
    return found


def _largest(matrices: Array) -> Array:
    """Return the largest singular value of all matrices of a batch."""
    return arrays.namespace(matrices).max(spectra.singular_values(matrices))


def dense_or_factored(name: str, value: Any) -> Any:
    """Return a matrix, or a batch of them, as a plain array; a factored target as it is.

    Parameters
    ----------
    name : str
        Of the argument, for messages.
    value : object
        What was passed.

    Returns
    -------
    array or FactoredTarget

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.
    """
    if isinstance(value, FactoredTarget):
        return value
    return checks.matrix(name, checks.dense(name, value))


def checked_target(target: Target, shape: tuple[int, int], name: str, reference: Array) -> Target:
    """Return the target, or raise unless it fits the data of the argument `name`.

    Parameters
    ----------
    target : array, shape (..., d_out, d_in), FactoredTarget or None
    shape : (int, int)
        (d_out, d_in).
    name : str
        Of the argument, for messages.
    reference : array
        The data.

    Returns
    -------
    array, FactoredTarget or None

    Raises
    ------
    TypeError, ValueError
        If it does not fit.
    """
    if target is None:
        return None
    target = dense_or_factored("target", target)
    data = target.U if isinstance(target, FactoredTarget) else target
    arrays.namespace(reference, data, names=("target", name))
    if tuple(target.shape[-2:]) != shape:
        raise ValueError(f"`target` must have shape {shape}, got {tuple(target.shape)}")
    return target
