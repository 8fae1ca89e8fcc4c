"""Deep linear networks as tuples of weight matrices, and the hand-derived gradient of their layers.

A network is its weights (W_1, …, W_L), W_1 applied first, with end-to-end matrix
W_{L:1} = W_L ⋯ W_1.  For a loss ℓ(W_{L:1}) with gradient G = ∇ℓ(W_{L:1}), the change of the loss
under W_l → W_l + δ is

    dℓ = ⟨G, W_L ⋯ W_{l+1} δ W_{l−1} ⋯ W_1⟩ = ⟨(W_L ⋯ W_{l+1})ᵀ G (W_{l−1} ⋯ W_1)ᵀ, δ⟩,

so the gradient of layer l is S_lᵀ G P_lᵀ with the suffix S_l = W_L ⋯ W_{l+1} and the prefix
P_l = W_{l−1} ⋯ W_1.  The prefixes are computed on the way to W_{L:1}; on the way back S_lᵀ G is
carried from layer to layer by one product each, S_{l−1}ᵀ G = W_lᵀ (S_lᵀ G).  That makes 3(L − 1)
matrix products for all layers together.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse

from dlnlab import arrays, checks, spectra
from dlnlab.arrays import Array
from dlnlab.problems import Problem
from dlnlab.targets import FactoredTarget, frame_bytes, orthonormal_frame

__all__ = [
    "compressed_weights",
    "end_to_end",
    "imbalance",
    "layer_gradients",
    "original_weights",
]

Weights = tuple[Array, ...]


def prefix_products(weights: Sequence[Array]) -> list[Array]:
    """Return [W_1, W_2 W_1, …, W_{L:1}], in L − 1 products."""
    return list(itertools.accumulate(weights, lambda product, W: W @ product))


def forward(problem: Problem, weights: Sequence[Array]) -> tuple[list[Array], Any]:
    """Return the prefix products of all layers but the last, and W_{L:1} as `problem` composes it.

    That is the last prefix product, or the pair of factors it would be the product of.
    """
    prefixes = prefix_products(weights[:-1])
    return prefixes, problem.compose(weights[-1], prefixes[-1])


def step_flops(weights: Sequence[Array]) -> int:
    """Return the flops of a step of descent on one network: 6 d_{l+1} d_l d_0 for l = 1, …, L − 1.

    These are two for each multiplication in the L − 1 products forward, and twice as many back.
    """
    return sum(6 * W.shape[-2] * W.shape[-1] * weights[0].shape[-1] for W in weights[1:])


def backward(
    weights: Sequence[Array],
    prefixes: Sequence[Array],
    gradient: Any,
    out: Sequence[np.ndarray] | None = None,
) -> Weights:
    """Return the layer gradients S_lᵀ G P_lᵀ from prefix products, in 2(L − 1) products.

    G is an array, or a SciPy sparse one, whose first two products are arrays.  With `out`, NumPy
    arrays of the shapes of the weights, the gradients are written there.
    """
    carried, gradients = gradient, []
    for layer in range(len(weights) - 1, 0, -1):
        place = None if out is None else out[layer]
        gradients.append(_product(carried, prefixes[layer - 1].mT, place))
        place = out[0] if out is not None and layer == 1 else None
        carried = _product(weights[layer].mT, carried, place)
    gradients.append(carried)
    return tuple(reversed(gradients))


def _product(a: Array, b: Array, out: np.ndarray | None) -> Array:
    """Return a b; for two small NumPy matrices `dot` has half the overhead of `matmul`."""
    if out is None:
        return a @ b
    return np.dot(a, b, out=out) if a.ndim == 2 else np.matmul(a, b, out=out)


def end_to_end(weights: Sequence[Array]) -> Array:
    """Return the end-to-end matrix W_{L:1} = W_L ⋯ W_1.

    Parameters
    ----------
    weights : sequence of arrays
        W_1, …, W_L with shapes (..., d_l, d_{l−1}), equal batch axes.

    Returns
    -------
    array, shape (..., d_L, d_0)

    Raises
    ------
    TypeError, ValueError
        If the weights do not form a network.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> dlnlab.end_to_end((np.array([[1.0, 2.0]]), np.array([[3.0]]))).tolist()
    [[3.0, 6.0]]
    """
    return prefix_products(check_weights(weights))[-1]


def layer_gradients(weights: Sequence[Array], gradient: Array) -> Weights:
    """Carry the gradient with respect to W_{L:1} to every layer by the chain rule.

    Parameters
    ----------
    weights : sequence of arrays
        W_1, …, W_L with shapes (..., d_l, d_{l−1}).
    gradient : array, shape (..., d_L, d_0)
        G = ∇ℓ(W_{L:1}), as a problem's `gradient` returns it.

    Returns
    -------
    tuple of arrays
        ∇_{W_l} ℓ = (W_L ⋯ W_{l+1})ᵀ G (W_{l−1} ⋯ W_1)ᵀ, with the shapes of the weights.

    Raises
    ------
    TypeError, ValueError
        If the weights do not form a network or `gradient` has another shape than W_{L:1}.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> weights = (np.array([[2.0]]), np.array([[3.0]]))
    >>> [g.tolist() for g in dlnlab.layer_gradients(weights, np.array([[1.0]]))]
    [[[3.0]], [[2.0]]]
    """
    weights = check_weights(weights)
    if not arrays.is_array(gradient):
        raise TypeError(f"`gradient` must be an array, got {checks.describe(gradient)}")
    gradient = checks.matrix("gradient", gradient, are_finite=False)
    arrays.namespace(*weights, gradient, names=("weights", "gradient"))
    prefixes = prefix_products(weights)
    if tuple(gradient.shape) != tuple(prefixes[-1].shape):
        raise ValueError(
            f"`gradient` must have the shape of the end-to-end matrix, "
            f"{tuple(prefixes[-1].shape)}, got {tuple(gradient.shape)}"
        )
    return backward(weights, prefixes, gradient)


def imbalance(weights: Sequence[Array]) -> tuple[Array, ...]:
    """Return D_l = W_{l+1}ᵀ W_{l+1} − W_l W_lᵀ for l = 1, …, L − 1.

    Gradient flow conserves every D_l; a network is balanced if all of them vanish, which is the
    premise of Proposition 1.

    Returns
    -------
    tuple of L − 1 arrays, shapes (..., d_l, d_l)

    Raises
    ------
    TypeError, ValueError
        If the weights do not form a network.
    """
    return imbalances(check_weights(weights))


def imbalances(weights: Sequence[Array]) -> tuple[Array, ...]:
    """Return what `imbalance` does, of weights that are known to form a network."""
    return tuple(
        after.mT @ after - before @ before.mT for before, after in itertools.pairwise(weights)
    )


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
        A float32 or float64 array whose library, device and precision the weights shall have.

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
    checks.fits_in_memory(what, 8 * count, working=max(draws))
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
    """Return batch axes as a tuple of integers >= 1."""
    if not isinstance(batch, Sequence) or isinstance(batch, str | bytes):
        raise TypeError(f"`batch` must be a tuple of integers >= 1, got {checks.describe(batch)}")
    return tuple(checks.integer("batch", n, 1) for n in checks.sequence("batch", batch))


def _hidden_widths(width: Any, depth: int, default: int) -> tuple[int, ...]:
    if width is None:
        return (default,) * (depth - 1)
    if isinstance(width, Sequence) and not isinstance(width, str | bytes):
        if len(width) != depth - 1:
            raise ValueError(
                f"`width` must be an integer or {depth - 1} of them (depth - 1), got {len(width)}"
            )
        return tuple(checks.integer("width", w, 1) for w in width)
    return (checks.integer("width", width, 1),) * (depth - 1)


def _orthogonal(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    if rows >= columns:
        return orthonormal_frame(rows, columns, rng)
    return orthonormal_frame(columns, rows, rng).T


def _gaussian(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal((rows, columns)) / np.sqrt(max(rows, columns))


def _uniform(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray:
    return rng.uniform(-1.0, 1.0, (rows, columns)) * np.sqrt(3 / max(rows, columns))


_DRAWS = {"orthogonal": _orthogonal, "gaussian": _gaussian, "uniform": _uniform}


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


def check_problem(problem: Any) -> None:
    """Raise unless `problem` is one."""
    if not isinstance(problem, Problem):
        raise TypeError(
            "`problem` must be a dlnlab problem, such as dlnlab.factorization(M), "
            f"got {checks.describe(problem)}"
        )


def check_weights(weights: Any, *, are_finite: bool = False) -> Weights:
    """Return `weights` as a tuple, or raise if they do not form a network of depth >= 2.

    Layers are plain arrays in single or double precision (`dlnlab.checks`).
    """
    if not isinstance(weights, Sequence) or isinstance(weights, str | bytes):
        raise TypeError(
            "`weights` must be a tuple of arrays (W_1, ..., W_L), W_1 applied first, "
            f"got {checks.describe(weights)}"
        )
    if len(weights) < 2:
        raise ValueError(f"`weights` must have depth >= 2 layers, got {len(weights)}")
    for index, W in enumerate(weights):
        if not arrays.is_array(W) or W.ndim < 2:
            raise TypeError(f"`weights[{index}]` must be a matrix, got {checks.describe(W)}")
    converted = [
        W for W in weights if arrays.is_host(W) and W.dtype not in (np.float32, np.float64)
    ]
    size = 8 * sum(W.size for W in converted)
    checks.fits_in_memory("`weights`: the layers in double precision", size, weights[0])
    layers = [
        checks.matrix(f"weights[{index}]", W, are_finite=are_finite, are_sized=False)
        for index, W in enumerate(weights)
    ]
    arrays.namespace(*layers, names=("weights",))
    _check_chain(layers)
    return tuple(layers)


def check_network(problem: Problem, weights: Any) -> Weights:
    """Return `weights` as a network whose end-to-end matrix has the problem's shape.

    Raises
    ------
    TypeError, ValueError
        If it is not, or weights are not finite, or live elsewhere than the problem.
    """
    layers = check_weights(weights, are_finite=True)
    check_problem(problem)
    shape = (layers[-1].shape[-2], layers[0].shape[-1])
    if shape != problem.shape:
        raise ValueError(
            f"`weights` must form a network of shape {problem.shape}, the problem's shape "
            f"(d_out, d_in), got {shape}"
        )
    arrays.namespace(problem.reference, *layers, names=("problem", "weights"))
    return layers


def check_shapes(weights: Any, like: Sequence[Array]) -> Weights:
    """Return a network whose layers have the shapes of another's, after any batch axes."""
    layers = check_weights(weights)
    wanted = [tuple(W.shape[-2:]) for W in like]
    if [tuple(W.shape[-2:]) for W in layers] != wanted:
        raise ValueError(
            f"`weights` must have layers of shapes {wanted}, after any batch axes, got "
            f"{[tuple(W.shape) for W in layers]}"
        )
    arrays.namespace(*layers, *like, names=("weights",))
    return layers


def check_product(W: Any, weights: Sequence[Array]) -> Array:
    """Return a matrix, or a batch, of the shape of a network's end-to-end matrix."""
    shape = (weights[-1].shape[-2], weights[0].shape[-1])
    W = checks.matrix("W", W, are_finite=False)
    if tuple(W.shape[-2:]) != shape:
        raise ValueError(f"`W` must have shape (..., {shape[0]}, {shape[1]}), got {tuple(W.shape)}")
    arrays.namespace(W, *weights, names=("W",))
    return W


def _check_chain(weights: Sequence[Array]) -> None:
    for index in range(1, len(weights)):
        before, after = weights[index - 1].shape, weights[index].shape
        if after[-1] != before[-2] or after[:-2] != before[:-2]:
            raise ValueError(
                f"`weights[{index}]` must have {before[-2]} columns and batch axes {before[:-2]} "
                f"to follow `weights[{index - 1}]` of shape {tuple(before)}, got {tuple(after)}"
            )
