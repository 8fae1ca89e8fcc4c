"""The exact low-dimensional reduction of the wide network for matrix factorization (A = Id).

Suppose the layers start as W_l(0) = ε_l Q_l with Q_l Q_lᵀ = I (so widths never grow from input to
output; the other case is the transposed network).  Let M = U S Vᵀ have rank r.  Choose orthonormal
bases Z_l of subspaces of the layers' spaces such that

    Z_L ⊇ span{U, Q_{L:1} V},     Z_{l−1} = [Q_lᵀ Z_l, N_{l−1}],

N_{l−1} spanning what the kernel of Q_l holds of the input directions V (nothing if Q_l is square).
Then Q_l maps span Z_{l−1} into span Z_l and the complement of one into that of the other, Q_lᵀ does
the same backwards, and U and V lie in Z_L and Z_0.  Writing

    W_l = Z_l B_l Z_{l−1}ᵀ + ρ_l (Q_l − Z_l [I 0] Z_{l−1}ᵀ),

the gradient G = c (W_{L:1} − M) splits into c Z_L (B_{L:1} − T) Z_0ᵀ with T = Z_Lᵀ M Z_0, and
c ρ_{L:1} times the complement of Q_{L:1}.  The chain rule keeps the two apart, so one step of
gradient descent or flow is a step of the small network (B_1, …, B_L) towards T, and of the scalar
network (ρ_1, …, ρ_L) towards 0: exactly, whatever the step sizes.

So the wide network *is* a network of about 2r + 1 dimensions: layers diag(B_l, ρ_l), target
diag(T, 0), whose last coordinate stands for n = d_L − k_L identical directions.  It runs through
the same engine as any other network; only its loss counts the last coordinate n times.

Where hidden layers are wider than the output, ρ_l belongs to those directions only that reach it.
The others, outside Z_l too, end in the kernel of a later layer: they see no gradient, and layer l
remains κ_l Q_l on them.  They get a coordinate of their own, diag(B_l, κ_l, ρ_l), which the last
layer does not have; so its gradient vanishes in the reduced network as well.  κ_l keeps its initial
value, unless weight decay shrinks it as it shrinks everything: W_l ← (1 − η_l μ) W_l acts on B_l,
κ_l and ρ_l alike, and the reduction remains exact.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from dlnlab import networks
from dlnlab.networks import Weights
from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array
from dlnlab.numerics.frames import frame_bytes, orthonormal_frame
from dlnlab.problems import Problem
from dlnlab.problems.targets import FactoredTarget
from dlnlab.reductions.reduced import NoReductionError as NoReductionError
from dlnlab.reductions.reduced import ReducedFactorization, check_factorization, check_one_network
from dlnlab.results import presenter

__all__ = ["NoReductionError", "Reduction", "reduce", "reduce_random"]


@dataclass(frozen=True, repr=False)
class Reduction:
    """The wide network in its invariant subspace.

    Attributes
    ----------
    problem : ReducedFactorization
        To be run with `weights` by `gradient_descent` or `gradient_flow`.
    weights : tuple of L arrays
        diag(B_l, ρ_l) at the start, shapes (k_l + 1, k_{l−1} + 1); without the last row and column
        if the block already fills the space.  With hidden directions that never reach an end of the
        network, diag(B_l, κ_l, ρ_l), with one dimension more everywhere but at that end.
    multiplicity : int
        n, the number of identical residual directions.
    initial : tuple of L arrays or None
        The wide network it was made from; None if that was never formed.
    bases : tuple of L + 1 arrays or None
        Z_0, …, Z_L, shapes (d_l, k_l); None if they were never formed.
    """

    problem: ReducedFactorization
    weights: Weights
    multiplicity: int
    initial: Weights | None = field(default=None, repr=False)
    bases: tuple[Array, ...] | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        d_out, d_in = self.problem.original.shape
        sizes = [self.weights[0].shape[-1], *(W.shape[-2] for W in self.weights)]
        widths = " → ".join(map(str, sizes))
        return (
            f"Reduction({d_out} × {d_in}, L = {len(self.weights)}, to widths {widths}; "
            f"{self.multiplicity} identical directions)"
        )

    def _repr_html_(self) -> str:
        return presenter("report").reduction_cell(self)

    def lift(self, weights: Sequence[Array]) -> Weights:
        """Return the wide network's weights from those of the reduced one.

        Parameters
        ----------
        weights : sequence of L arrays
            Reduced weights, in the shapes of `weights` after any batch axes.

        Returns
        -------
        tuple of L arrays
            Shapes (..., d_l, d_{l−1}).

        Raises
        ------
        TypeError, ValueError
            If these are not reduced weights, or the wide network was never formed
            (`reduce_random`).
        """
        initial, bases = self._require_wide()
        weights = networks.check_shapes(weights, self.weights)
        Q = [W / _scale(W) for W in initial]
        layers = []
        for layer, live in enumerate(_live_parts(Q, bases)):
            after, before, W = bases[layer + 1], bases[layer], weights[layer]
            rows, columns = after.shape[1], before.shape[1]
            lifted = after @ W[..., :rows, :columns] @ before.mT
            if self.multiplicity:
                lifted = lifted + W[..., -1:, -1:] * live
            if min(W.shape[-2] - rows, W.shape[-1] - columns) > min(self.multiplicity, 1):
                inside = after @ (after.mT @ Q[layer] @ before) @ before.mT
                idle = Q[layer] - inside - live
                lifted = lifted + W[..., rows : rows + 1, columns : columns + 1] * idle
            layers.append(lifted)
        return tuple(layers)

    def lift_end_to_end(self, W: Array) -> Array:
        """Return the wide network's end-to-end matrix from that of the reduced one.

        Parameters
        ----------
        W : array
            The product of reduced weights, with any batch axes.

        Returns
        -------
        array, shape (..., d_out, d_in)

        Raises
        ------
        TypeError, ValueError
            If `W` is not of that shape, the wide network was never formed, or the result would not
            fit in memory.
        """
        initial, bases = self._require_wide()
        W = networks.check_product(W, self.weights)
        Q = networks.end_to_end(tuple(W / _scale(W) for W in initial))
        checks.fits_in_memory(
            "`W`: the wide end-to-end matrices", int(np.prod(W.shape[:-2])) * Q.size * 8, Q
        )
        after, before = bases[-1], bases[0]
        inside = after @ W[..., : after.shape[1], : before.shape[1]] @ before.mT
        if self.multiplicity == 0:
            return inside
        return inside + W[..., -1:, -1:] * (Q - after @ (after.mT @ Q @ before) @ before.mT)

    def to_host(self) -> Reduction:
        """Return the reduction with its small problem and weights as NumPy arrays.

        Only arrays of about 2r + 1 dimensions move; the wide network and the bases stay.

        Returns
        -------
        Reduction
        """
        if arrays.is_host(self.weights[0]):
            return self
        target = FactoredTarget(*(arrays.to_host(part) for part in self.problem.target_svd))
        problem = ReducedFactorization(target, self.multiplicity, self.problem)
        weights = tuple(arrays.to_host(W) for W in self.weights)
        return Reduction(problem, weights, self.multiplicity, self.initial, self.bases)

    def _require_wide(self) -> tuple[Weights, tuple[Array, ...]]:
        if self.initial is None or self.bases is None:
            raise ValueError(
                "this reduction never formed the wide network, so it cannot be lifted; draw the "
                "network with dlnlab.original_weights and reduce it with dlnlab.parsimony.reduce"
            )
        return self.initial, self.bases


def reduce(problem: Problem, weights: Sequence[Array]) -> Reduction:
    """Reduce a wide network with (semi-)orthogonal layers to its invariant subspace.

    Parameters
    ----------
    problem : Factorization
        With an unbatched target of rank r.
    weights : sequence of L arrays
        W_l(0) = ε_l Q_l with semi-orthogonal Q_l, and widths that never grow, or never shrink, from
        input to output.

    Returns
    -------
    Reduction
        Of at most (2 + number of non-square layers)·r + 2 dimensions; 2r + 1 for a square network.
        If 2r reaches the width the block is the whole space and the reduction remains exact, but
        saves nothing.

    Raises
    ------
    TypeError
        If `problem` is not a factorization.
    NoReductionError
        If the network has no such reduction; a ValueError whose message says why.

    Examples
    --------
    >>> import dlnlab
    >>> problem = dlnlab.factorization(dlnlab.random_target((50, 50), 2, rng=0))
    >>> wide = dlnlab.original_weights((50, 50), 3, 0.1, rng=1)
    >>> reduction = dlnlab.parsimony.reduce(problem, wide)
    >>> [W.shape for W in reduction.weights], reduction.multiplicity
    ([(5, 5), (5, 5), (5, 5)], 46)
    """
    check_factorization(problem)
    weights = check_one_network(problem, weights)
    _check_reducible(weights)
    U, s, Vh = problem.target_svd
    scales = _scales(weights)
    Q = [W / scale for W, scale in zip(weights, scales, strict=True)]
    if weights[0].shape[1] >= weights[-1].shape[0]:
        bases, left, right = _invariant_bases(Q, U, Vh.mT)
    else:
        flipped = [q.mT for q in reversed(Q)]
        bases, right, left = _invariant_bases(flipped, Vh.mT, U)
        bases = bases[::-1]
    multiplicity = min(W.shape[0] - Z.shape[1] for W, Z in zip(weights, bases[1:], strict=True))
    multiplicity = min(multiplicity, weights[0].shape[1] - bases[0].shape[1])
    sizes = [Z.shape[1] for Z in bases]
    idle = _idle_spaces(weights, sizes, multiplicity)
    reduced, small = _assemble(problem, left, s, right, sizes, scales, multiplicity, idle)
    return Reduction(reduced, small, multiplicity, weights, tuple(bases))


def reduce_random(
    problem: Problem,
    depth: int,
    eps: float,
    *,
    rng: np.random.Generator | int,
    width: int | None = None,
) -> Reduction:
    """Draw a wide orthogonal network directly in reduced coordinates.

    For uniformly random Q_l the product Q = Q_L ⋯ Q_1 is uniformly random too, and the reduction
    depends on Q only through F = QV (through the first d_out rows of a random frame F if d_out <
    d_in, the remaining rows being the kernel's part).  So only the d × r frame F is drawn, never a
    d × d matrix.  The network has the distribution of ``original_weights(problem.shape, …)``.

    Parameters
    ----------
    problem : Factorization
        Usually of a `FactoredTarget`; d = 10⁶ takes a second or two.
    depth, eps : int, float
        L ≥ 2 and ε.
    rng : numpy.random.Generator or int
    width : int, optional
        Hidden width, max(shape) (default) or min(shape).

    Returns
    -------
    Reduction
        Which cannot be lifted, since the wide network is not formed; so it has no coordinate for
        the directions that κ_l stands for.

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range, or the frame would not fit in memory.
    """
    check_factorization(problem)
    eps, depth = checks.start(eps, depth)
    rng = checks.generator("rng", rng, "network")
    low, high = sorted(problem.shape)
    width = high if width is None else checks.integer("width", width, 1)
    if width not in (low, high):
        raise ValueError(
            f"`width` must be min(shape) = {low} or max(shape) = {high}, got {width}; draw other "
            "networks with dlnlab.original_weights"
        )
    U, s, Vh = problem.target_svd
    shrinking = problem.shape[0] <= problem.shape[1]
    near = U if shrinking else Vh.mT
    size = frame_bytes(high, s.shape[0])
    checks.fits_in_memory("`problem`: a random frame, one of its columns for each mode", size, U)
    frame = arrays.like(orthonormal_frame(high, s.shape[0], rng), near)
    left, right, k = _random_coordinates(near, frame)
    if not shrinking:
        left, right = right, left
    inner, outer = k, right.shape[0] if shrinking else left.shape[0]
    hidden = outer if width == high else inner
    ends = (outer, inner) if shrinking else (inner, outer)
    sizes = [ends[0], *[hidden] * (depth - 1), ends[1]]
    idle = [0] * len(sizes)  # they matter to `lift` only
    parts = _assemble(problem, left, s, right, sizes, [eps] * depth, low - k, idle)
    return Reduction(*parts, low - k)


def _random_coordinates(near: Array, frame: Array) -> tuple[Array, Array, int]:
    """Coordinates of U and V from U and F, for d_out ≤ d_in: [U, F_1] = Z_L R."""
    xp = arrays.namespace(near, frame)
    d, r = near.shape
    R = arrays.triangular_factor(near, frame[:d, :])
    kernel = frame[d:, :]
    parts = [R[:, r:], _range(kernel)[1]] if kernel.shape[0] else [R[:, r:]]
    return R[:, :r], xp.concat(parts, axis=0), R.shape[0]


def _invariant_bases(Q: Sequence[Array], U: Array, V: Array) -> tuple[list[Array], Array, Array]:
    """Return Z_0, …, Z_L and the coordinates of U in Z_L and of V in Z_0, for Q_l Q_lᵀ = I."""
    xp = arrays.namespace(U)
    images = [V]
    for q in Q:
        images.append(q @ images[-1])
    r = U.shape[1]
    Z, R = xp.linalg.qr(xp.concat([U, images[-1]], axis=-1))
    bases, left, right = [Z], R[:, :r], R[:, r:]
    for q, image in zip(reversed(Q), reversed(images[:-1]), strict=True):
        back = q.mT @ bases[-1]
        if q.shape[0] < q.shape[1]:
            new, coordinates = _range(image - q.mT @ (q @ image))
            new, change = xp.linalg.qr(new - q.mT @ (q @ new))
            back = xp.concat([back, new], axis=-1)
            right = xp.concat([right, change @ coordinates], axis=0)
        bases.append(back)
    return bases[::-1], left, right


def _live_parts(Q: Sequence[Array], bases: Sequence[Array]) -> list[Array]:
    """Return the part of each Q_l on the n directions that run from input to output outside Z.

    For widths that never grow these are S_{l+1}ᵀ S_l with S_l = (I − Z_L Z_Lᵀ) Q_L ⋯ Q_l.  What is
    left of Q_l beside them and Z_l meets a kernel on its way to the output, so it sees no gradient
    and keeps its initial value.
    """
    if Q[0].shape[1] < Q[-1].shape[0]:
        flipped = _live_parts([q.mT for q in reversed(Q)], bases[::-1])
        return [part.mT for part in reversed(flipped)]
    xp = arrays.namespace(*Q)
    Z = bases[-1]
    S = xp.eye(Z.shape[0], dtype=Z.dtype, device=arrays.device_of(Z)) - Z @ Z.mT
    parts = []
    for q in reversed(Q):
        before = S @ q
        parts.append(S.mT @ before)
        S = before
    return parts[::-1]


def _range(A: Array) -> tuple[Array, Array]:
    """Factor A = N C with orthonormal N spanning its range, up to rounding of unit columns."""
    xp = arrays.namespace(A)
    N, s, Vh = xp.linalg.svd(A, full_matrices=False)
    rounding = 10 * max(A.shape) * float(xp.finfo(A.dtype).eps)
    rank = int(xp.sum(xp.astype(s > rounding, xp.int64)))
    return N[:, :rank], s[:rank, None] * Vh[:rank, :]


def _idle_spaces(weights: Weights, sizes: Sequence[int], multiplicity: int) -> list[int]:
    """Return 1 for every space that gets the coordinate of κ, 0 for the others.

    It is needed if a hidden space has directions outside Z_l beside the live ones.  Then all spaces
    get it but the narrow end of the network, which they do not reach.
    """
    hidden = [W.shape[0] - size for W, size in zip(weights[:-1], sizes[1:-1], strict=True)]
    if max(hidden) == multiplicity:
        return [0] * len(sizes)
    shrinking = weights[0].shape[1] >= weights[-1].shape[0]
    return [*[1] * len(weights), 0] if shrinking else [0, *[1] * len(weights)]


def _assemble(
    problem: Problem,
    left: Array,
    s: Array,
    right: Array,
    sizes: Sequence[int],
    scales: Sequence[float],
    multiplicity: int,
    idle: Sequence[int],
) -> tuple[ReducedFactorization, Weights]:
    """Build the reduced problem and its start diag(ε_l [I 0], ε_l)."""
    corner = min(multiplicity, 1)
    left, right = _padded(left, idle[-1] + corner), _padded(right, idle[0] + corner)
    target = FactoredTarget(left, s, right.mT)
    reduced = ReducedFactorization(target, multiplicity, problem)  # type: ignore[arg-type]
    spaces = itertools.pairwise(zip(sizes, idle, strict=True))
    return reduced, tuple(
        scale * _start(after, before, corner, left)
        for scale, (before, after) in zip(scales, spaces, strict=True)
    )


def _padded(frame: Array, rows: int) -> Array:
    """Append rows of zeros."""
    xp = arrays.namespace(frame)
    return xp.concat([frame, *[xp.zeros_like(frame[:1, :])] * rows], axis=0)


def _start(after: tuple[int, int], before: tuple[int, int], corner: int, reference: Array) -> Array:
    """Return diag([I 0], 1, 1) between spaces of given block size, idle coordinate and corner."""
    (rows, lower), (columns, right) = after, before
    start = np.zeros((rows + lower + corner, columns + right + corner))
    np.fill_diagonal(start[:rows, :columns], 1.0)
    start[rows : rows + lower, columns : columns + right] = 1.0
    if corner:
        start[-1, -1] = 1.0
    return arrays.like(start, reference)


def _scales(weights: Weights) -> list[float]:
    """The scales of all layers; those that differ by the rounding of a norm are taken as equal."""
    scales = [_scale(W) for W in weights]
    rounding = max(max(W.shape) for W in weights) * np.finfo(float).eps
    return [scales[0] if abs(s - scales[0]) <= rounding * scales[0] else s for s in scales]


def _scale(W: Array) -> float:
    """The scale ε of a semi-orthogonal layer: ‖W‖_F / √rank."""
    xp = arrays.namespace(W)
    return float(xp.linalg.vector_norm(W)) / min(W.shape) ** 0.5


def _check_reducible(weights: Weights) -> None:
    widths = [weights[0].shape[1], *(W.shape[0] for W in weights)]
    if sorted(widths) not in (widths, widths[::-1]):
        raise NoReductionError(
            f"`weights` must have widths that never grow or never shrink, got {widths}: hidden "
            "layers wider than both ends have no exact reduction; run the full network"
        )
    for index, W in enumerate(weights):
        _check_semi_orthogonal(f"weights[{index}]", W)


def _check_semi_orthogonal(name: str, W: Array) -> None:
    xp = arrays.namespace(W)
    Q = W / (_scale(W) or 1.0)
    gram = Q @ Q.mT if W.shape[0] <= W.shape[1] else Q.mT @ Q
    identity = xp.eye(gram.shape[0], dtype=W.dtype, device=arrays.device_of(W))
    defect = float(xp.max(xp.abs(gram - identity)))
    if not defect <= 100 * max(W.shape) * float(xp.finfo(W.dtype).eps):
        raise NoReductionError(
            f"`{name}` must be a multiple of a (semi-)orthogonal matrix, but is off by "
            f"{defect:.1e}: only orthogonal starts have an exact reduction; run the full network"
        )
