"""Where training starts.

A start is a whole network, the tuple of its layers, so that layers may be drawn jointly.  The words
for it are the same everywhere: `weights` is a start that is given; else `init` names the kind that
is made, `eps` is its scale and `rng` draws it.

==============  ==================================================================================
`init`          layers
==============  ==================================================================================
"orthogonal"    uniformly random orthogonal matrices, or parts of them (Eqs. 3 and 4)
"gaussian"      independent normal entries
"uniform"       independent entries, uniform in an interval around 0
"spectral"      the leading singular vectors of the problem's surrogate (Algorithm 1)
==============  ==================================================================================

`original_weights` draws the first three, `compressed_weights` and `spectral_factors` make the last,
and `lambda_balanced_weights` draws two layers that belong together.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse

from dlnlab.networks.linear import Weights, check_problem
from dlnlab.numerics import arrays, checks, spectra
from dlnlab.numerics.arrays import Array
from dlnlab.numerics.frames import frame_bytes, orthonormal_frame
from dlnlab.problems import Problem
from dlnlab.problems.targets import FactoredTarget

__all__ = [
    "FACTOR_STARTS",
    "batch_axes",
    "compressed_weights",
    "lambda_balanced_weights",
    "original_weights",
    "orthogonal",
    "spectral_factors",
    "two_factors",
]

FACTOR_STARTS = ("gaussian", "spectral")
"""What two factors can start from."""


def original_weights(
    shape: tuple[int, int],
    depth: int,
    eps: float,
    *,
    rng: np.random.Generator | int,
    init: str = "orthogonal",
    width: int | Sequence[int] | None = None,
    batch: tuple[int, ...] = (),
    like: Array | None = None,
) -> Weights:
    """Draw the initial weights of the original, wide network.

    Parameters
    ----------
    shape : (int, int)
        (d_out, d_in) of the end-to-end matrix.
    depth : int
        L ≥ 2.
    eps : float
        Initialization scale ε, the singular value of every layer.  The paper's Eq. (3) reads
        W_lᵀW_l = εI, but its Algorithm 1, its proofs and its code all use W_lᵀW_l = ε²I.
    rng : numpy.random.Generator or int
        Source of randomness, or a seed.
    init : {"orthogonal", "gaussian", "uniform"}
        "orthogonal": ε times uniformly random (semi-)orthogonal matrices (Eq. 3 and 4).
        "gaussian", "uniform": independent entries of mean 0 and standard deviation ε/√n, with n the
        larger side of the layer, so that singular values are of order ε as well.
    width : int or sequence of depth − 1 ints, optional
        Hidden widths; max(shape) by default.  Hidden layers wider than an end are not balanced
        (Proposition 1 does not apply); ``width=min(shape)`` is the widest that always is.
    batch : tuple of ints
        Leading batch axes: independent draws.
    like : array, optional
        A float32 or float64 array that determines library, device and precision of the weights.

    Returns
    -------
    tuple of L arrays
        Shapes (*batch, d_l, d_{l−1}).

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or the weights would not fit in memory.

    Examples
    --------
    >>> import dlnlab
    >>> weights = dlnlab.original_weights((4, 4), 3, 1e-2, rng=0)
    >>> dlnlab.spectra.singular_values(dlnlab.end_to_end(weights)).round(12).tolist()
    [1e-06, 1e-06, 1e-06, 1e-06]
    """
    shape = checks.shape("shape", shape)
    eps, depth = checks.start(eps, depth)
    rng = checks.generator("rng", rng, "network")
    init = checks.choice("init", init, _DRAWS)
    batch = batch_axes(batch)
    like = None if like is None else checks.like("like", like)
    sizes = (shape[1], *_hidden_widths(width, depth, max(shape)), shape[0])
    members = math.prod(batch)
    count = members * sum(a * b for a, b in zip(sizes[1:], sizes[:-1], strict=True))
    what = f"`width`: a {depth}-layer network of widths {sizes}"
    ends = [sorted(pair, reverse=True) for pair in itertools.pairwise(sizes)]
    draws = [frame_bytes(*pair) if init == "orthogonal" else 16 * math.prod(pair) for pair in ends]
    size, drawing = 8 * count, max(draws)
    checks.fits_in_memory(what, size, working=drawing + checks.slack(size + drawing))
    layers = []
    for rows, columns in zip(sizes[1:], sizes[:-1], strict=True):
        W = np.empty((members, rows, columns))
        for member in W:
            member[...] = _DRAWS[init](rows, columns, rng)
        W *= eps
        W = W.reshape(*batch, rows, columns)
        layers.append(W if like is None else arrays.like(W, like))
    return tuple(layers)


def batch_axes(batch: Any) -> tuple[int, ...]:
    """Return batch axes as a tuple of integers >= 1.

    Parameters
    ----------
    batch : sequence of int

    Returns
    -------
    tuple of int

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.
    """
    if not checks.is_sequence(batch):
        raise TypeError(f"`batch` must be a tuple of integers >= 1, got {checks.describe(batch)}")
    axes = tuple(checks.integer("batch", n, 1) for n in checks.sequence("batch", batch))
    checks.integer("batch", math.prod(axes), 1, bits=48)  # of members
    return axes


def _hidden_widths(width: Any, depth: int, default: int) -> tuple[int, ...]:
    if width is None:
        return (default,) * (depth - 1)
    if checks.is_sequence(width):
        width = checks.sequence("width", width, "integers")
        if len(width) != depth - 1:
            raise ValueError(
                f"`width` must be an integer or {depth - 1} of them (depth - 1), got {len(width)}"
            )
        return tuple(checks.integer("width", w, 1) for w in width)
    return (checks.integer("width", width, 1),) * (depth - 1)


def orthogonal(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a uniformly random matrix with orthonormal columns, or rows if there are fewer.

    Parameters
    ----------
    rows : int
    columns : int
    rng : numpy.random.Generator

    Returns
    -------
    array, shape (rows, columns)
    """
    if rows >= columns:
        return orthonormal_frame(rows, columns, rng)
    return orthonormal_frame(columns, rows, rng).T


def _gaussian(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((rows, columns)) / np.sqrt(max(rows, columns))


def _uniform(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-1.0, 1.0, (rows, columns)) * np.sqrt(3 / max(rows, columns))


_DRAWS = {"orthogonal": orthogonal, "gaussian": _gaussian, "uniform": _uniform}


def compressed_weights(problem: Problem, r_hat: int, depth: int, eps: float) -> Weights:
    """Return the initial weights of the compressed network (Algorithm 1, lines 1–3).

    W̃_1 = ε V_r̂ᵀ, W̃_l = ε I_r̂ for 1 < l < L, W̃_L = ε U_r̂, where U_r̂ and V_r̂ are the top-r̂
    singular vectors of the problem's surrogate matrix.  (The paper prints W̃_1 = ε V_r̂; the shape
    asks for the transpose.)

    Parameters
    ----------
    problem : Problem
        Whose surrogate is decomposed; the weights live where it lives.
    r_hat : int
        r̂, between 1 and min(d_out, d_in).
    depth : int
        L ≥ 2.
    eps : float
        Initialization scale ε.

    Returns
    -------
    tuple of L arrays
        Shapes (..., r̂, d_in), (..., r̂, r̂), …, (..., d_out, r̂).

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> problem = dlnlab.factorization(np.diag([3.0, 2.0, 0.0]))
    >>> W = dlnlab.end_to_end(dlnlab.compressed_weights(problem, 1, depth=2, eps=0.1))
    >>> W.round(12).tolist()
    [[0.01, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]
    """
    check_problem(problem)
    r_hat = checks.integer("r_hat", r_hat, 1, min(problem.shape))
    eps, depth = checks.start(eps, depth)
    U, Vh = _leading_vectors(problem, r_hat)
    xp = arrays.namespace(U)
    core = xp.eye(r_hat, dtype=U.dtype, device=arrays.device_of(U))
    core = xp.broadcast_to(core, (*U.shape[:-2], r_hat, r_hat))
    return (eps * Vh, *(eps * core for _ in range(depth - 2)), eps * U)


def spectral_factors(problem: Problem, rank: int) -> Weights:
    """Return balanced factors of the best rank-`rank` approximation of the problem's surrogate.

    With the surrogate's top singular triples U, S, V they are B = S^{1/2} Vᵀ and A = U S^{1/2}.

    Parameters
    ----------
    problem : Problem
    rank : int
        Between 1 and min(d_out, d_in).

    Returns
    -------
    (B, A) : arrays, shapes (..., rank, d_in) and (..., d_out, rank)

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.
    """
    check_problem(problem)
    rank = checks.integer("rank", rank, 1, min(problem.shape))
    Vh, U = compressed_weights(problem, rank, 2, 1.0)
    surrogate = problem.surrogate_for(rank)
    if isinstance(surrogate, FactoredTarget):
        image = (surrogate.U * surrogate.s) @ (surrogate.Vh @ Vh.mT)
    else:
        image = surrogate @ Vh.mT
    xp = arrays.namespace(U)
    values = xp.sum(U * image, axis=-2)  # σ_i = u_iᵀ S v_i ≥ 0, but for rounding
    roots = xp.sqrt(xp.maximum(values, xp.zeros_like(values)))
    return roots[..., :, None] * Vh, U * roots[..., None, :]


def two_factors(
    problem: Problem,
    rank: int,
    init: str,
    eps: float,
    rng: np.random.Generator | int,
    batch: tuple[int, ...] = (),
) -> Weights:
    """Return two factors to start from, where the problem lives.

    Parameters
    ----------
    problem : Problem
    rank : int
        Columns of A; any number >= 1 for "gaussian".
    init : {"gaussian", "spectral"}
        "gaussian" is that of `original_weights`; "spectral" are `spectral_factors`.
    eps : float
        Scale of a Gaussian start.
    rng : numpy.random.Generator or int
        For a Gaussian start.
    batch : tuple of ints
        Leading batch axes of a Gaussian start.

    Returns
    -------
    (B, A) : arrays, shapes (..., rank, d_in) and (..., d_out, rank)

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.
    """
    if checks.choice("init", init, FACTOR_STARTS) == "spectral":
        return spectral_factors(problem, rank)
    return original_weights(
        problem.shape,
        2,
        eps,
        rng=rng,
        init=init,
        width=rank,
        batch=batch,
        like=problem.reference,
    )


def _leading_vectors(problem: Problem, count: int) -> tuple[Array, Array]:
    """Return the top-`count` left and transposed right singular vectors of the surrogate."""
    surrogate = problem.surrogate_for(count)
    if scipy.sparse.issparse(surrogate):
        found = spectra.leading_svd(surrogate, count)
        if found is not None:
            return found.U, found.Vh
        surrogate = problem.surrogate()
    if isinstance(surrogate, FactoredTarget):
        size = 8 * 5 * sum(problem.shape) * count  # of QR factorizations
        checks.fits_in_memory("`r_hat`: the leading singular vectors", size, surrogate.U)
        return _complete(surrogate.U, count), _complete(surrogate.Vh.mT, count).mT
    size = np.dtype(arrays.dtype_name(surrogate)).itemsize * spectra.svd_numbers(problem.shape)
    checks.fits_in_memory("`r_hat`: the SVD of the surrogate", size, surrogate)
    U, _, Vh = arrays.namespace(surrogate).linalg.svd(surrogate, full_matrices=False)
    return U[..., :, :count], Vh[..., :count, :]


def _complete(frame: Array, count: int) -> Array:
    """Cut or extend an orthonormal frame to `count` columns.

    The extra columns span null directions of the target, where every orthonormal choice is a valid
    SVD; a fixed draw, orthogonalized against the frame, makes the choice repeatable.
    """
    rows, rank = frame.shape
    if count <= rank:
        return frame[:, :count]
    xp = arrays.namespace(frame)
    draw = np.random.default_rng(0).standard_normal((rows, count - rank))
    Q, _ = xp.linalg.qr(xp.concat([frame, arrays.like(draw, frame)], axis=-1))
    return xp.concat([frame, Q[:, rank:]], axis=-1)


def lambda_balanced_weights(
    shape: tuple[int, int],
    eps: float,
    imbalance: float,
    *,
    rng: np.random.Generator | int,
    width: int | None = None,
    like: Array | None = None,
) -> Weights:
    """Draw a two-layer start that is λ-balanced: W_2ᵀW_2 − W_1W_1ᵀ = λI.

    Gradient flow keeps this difference, and has a closed form from such starts (Braun et al. 2022,
    Dominé et al. 2024).  With uniformly random orthogonal P and frames U, V, it is
    W_1 = P diag(a) Vᵀ and W_2 = U diag(b) Pᵀ with b² − a² = λ: the layers are drawn jointly.

    Parameters
    ----------
    shape : (int, int)
        (d_out, d_in) of the end-to-end matrix.
    eps : float
        ε > 0, the singular value of the smaller layer: a = ε if λ ≥ 0, b = ε if λ ≤ 0.
    imbalance : float
        λ, of either sign, at most 1e150 in size, so that squares of W_2ᵀW_2 are finite.
    rng : numpy.random.Generator or int
        Source of randomness, or a seed.
    width : int, optional
        Hidden width, min(shape) by default.  The larger layer has full rank in it: it is at most
        d_out if λ > 0, and at most d_in if λ < 0.  Directions that the smaller layer lacks for
        want of rows or columns have a = 0, or b = 0.
    like : array, optional
        A float32 or float64 array that determines library, device and precision of the weights.

    Returns
    -------
    tuple of 2 arrays
        Shapes (width, d_in) and (d_out, width).

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range or the weights would not fit in memory.

    Examples
    --------
    >>> import dlnlab, numpy as np
    >>> W_1, W_2 = dlnlab.networks.lambda_balanced_weights((3, 2), 0.1, 0.5, rng=0)
    >>> np.allclose(W_2.T @ W_2 - W_1 @ W_1.T, 0.5 * np.eye(2), atol=1e-14)
    True
    """
    d_out, d_in = shape = checks.shape("shape", shape)
    eps, _ = checks.start(eps, 2)
    lam = checks.real("imbalance", imbalance, "a finite number")
    checks.finite("imbalance", np.array(lam))
    rng = checks.generator("rng", rng, "network")
    like = None if like is None else checks.like("like", like)
    most = d_out if lam > 0 else d_in if lam < 0 else None
    h = checks.integer("width", min(shape) if width is None else width, 1, most)
    largest = max(d_out, d_in, h)
    size, drawing = 8 * h * sum(shape), frame_bytes(largest, h)
    working = drawing + checks.slack(size + drawing)
    checks.fits_in_memory("`width`: two layers", size, working=working)
    shared = np.zeros(h)
    shared[: min(h, *shape)] = eps  # a if λ ≥ 0, b if λ ≤ 0; its square may underflow
    a, b = (np.hypot(shared, math.sqrt(max(more, 0.0))) for more in (-lam, lam))
    P = orthonormal_frame(h, h, rng)
    W_1 = P[:, : min(h, d_in)] * a[: min(h, d_in)] @ orthonormal_frame(d_in, min(h, d_in), rng).T
    W_2 = orthonormal_frame(d_out, min(h, d_out), rng) * b[: min(h, d_out)] @ P[:, :d_out].T
    return tuple(W if like is None else arrays.like(W, like) for W in (W_1, W_2))
