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
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array
from dlnlab.numerics.products import FactoredMatrix
from dlnlab.problems import Problem

__all__ = [
    "Weights",
    "backward",
    "check_network",
    "check_problem",
    "check_product",
    "check_shapes",
    "check_weights",
    "end_to_end",
    "forward",
    "gradients",
    "imbalance",
    "imbalances",
    "layer_gradients",
    "prefix_products",
    "step_flops",
]

Weights = tuple[Array, ...]


def prefix_products(weights: Sequence[Array]) -> list[Array]:
    """Return [W_1, W_2 W_1, …, W_{L:1}], in L − 1 products.

    Parameters
    ----------
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})

    Returns
    -------
    list of arrays
    """
    return list(itertools.accumulate(weights, lambda product, W: W @ product))


def forward(problem: Problem, weights: Sequence[Array]) -> tuple[list[Array], Any]:
    """Return the prefix products of all layers but the last, and W_{L:1} as `problem` composes it.

    That is the last prefix product, or the pair of factors it would be the product of; a single
    layer is W_{L:1} itself.

    Parameters
    ----------
    problem : Problem
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})

    Returns
    -------
    (list of L − 1 arrays, array or FactoredMatrix)
    """
    if len(weights) == 1:
        return [], weights[0]
    prefixes = prefix_products(weights[:-1])
    return prefixes, problem.compose(weights[-1], prefixes[-1])


def step_flops(weights: Sequence[Array]) -> int:
    """Return the flops of a step of descent on one network: 6 d_{l+1} d_l d_0 for l = 1, …, L − 1.

    These are two for each multiplication in the L − 1 products forward, and twice as many back.

    Parameters
    ----------
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})

    Returns
    -------
    int
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

    Parameters
    ----------
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})
    prefixes : sequence of L − 1 arrays
        W_1, W_2 W_1, …, as `forward` returns them.
    gradient : array, shape (..., d_out, d_in), or scipy.sparse array
        G = ∇ℓ(W_{L:1}).
    out : sequence of L arrays, optional

    Returns
    -------
    tuple of L arrays, shapes (..., d_l, d_{l−1})
    """
    carried, gradients = gradient, []
    for layer in range(len(weights) - 1, 0, -1):
        place = None if out is None else out[layer]
        gradients.append(_product(carried, prefixes[layer - 1].mT, place))
        place = out[0] if out is not None and layer == 1 else None
        carried = _product(weights[layer].mT, carried, place)
    gradients.append(carried)
    return tuple(reversed(gradients))


def gradients(
    problem: Problem, weights: Sequence[Array], chosen: np.ndarray | None = None
) -> Weights:
    """Return S_lᵀ G P_lᵀ of every layer of a network that fits the problem, G = ∇ℓ(W_{L:1}).

    With `chosen`, numbers of measurements, G is `Problem.gradient_of` these.

    Parameters
    ----------
    problem : Problem
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})
    chosen : array of int, shape (b,), optional

    Returns
    -------
    tuple of L arrays, shapes (..., d_l, d_{l−1})
    """
    prefixes, W = forward(problem, weights)
    if chosen is None and isinstance(W, FactoredMatrix):
        last, others = problem.factor_gradients(W)
        return *backward(weights[:-1], prefixes[:-1], others), last
    gradient = problem.gradient(W) if chosen is None else problem.gradient_of(W, chosen)
    del W  # the large arrays go as soon as they are used up
    return backward(weights, prefixes, gradient)


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

    Parameters
    ----------
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})

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
    """Return what `imbalance` does, of weights that are known to form a network.

    Parameters
    ----------
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})

    Returns
    -------
    tuple of arrays
    """
    return tuple(
        after.mT @ after - before @ before.mT for before, after in itertools.pairwise(weights)
    )


def check_problem(problem: Any) -> None:
    """Raise an error unless `problem` is a recovery problem.

    Parameters
    ----------
    problem : object

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if not isinstance(problem, Problem):
        raise TypeError(
            "`problem` must be a dlnlab problem, such as dlnlab.factorization(M), "
            f"got {checks.describe(problem)}"
        )


def check_weights(weights: Any, *, are_finite: bool = False) -> Weights:
    """Return `weights` as a tuple, or raise if they do not form a network of depth >= 2.

    Layers are plain arrays in single or double precision (`dlnlab.numerics.checks`).

    Parameters
    ----------
    weights : sequence of arrays
    are_finite : bool
        Whether entries must be finite.

    Returns
    -------
    tuple of L arrays, shapes (..., d_l, d_{l−1})

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if not checks.is_sequence(weights):
        raise TypeError(
            "`weights` must be a tuple of arrays (W_1, ..., W_L), W_1 applied first, "
            f"got {checks.describe(weights)}"
        )
    weights = checks.sequence("weights", weights, "arrays")
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
        checks.matrix(
            f"weights[{index}]", W, are_finite=are_finite, are_sized=False, are_read=are_finite
        )
        for index, W in enumerate(weights)
    ]
    arrays.namespace(*layers, names=("weights",))
    _check_chain(layers)
    return tuple(layers)


def check_network(problem: Problem, weights: Any) -> Weights:
    """Return `weights` as a network whose end-to-end matrix has the problem's shape.

    Parameters
    ----------
    problem : Problem
    weights : sequence of arrays

    Returns
    -------
    tuple of L arrays, shapes (..., d_l, d_{l−1})

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
    """Return a network whose layers have the shapes of another's, after any batch axes.

    Parameters
    ----------
    weights : sequence of arrays
    like : sequence of L arrays, shapes (..., d_l, d_{l−1})
        The other network.

    Returns
    -------
    tuple of L arrays, shapes (..., d_l, d_{l−1})

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
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
    """Return a matrix, or a batch, of the shape of a network's end-to-end matrix.

    Parameters
    ----------
    W : array, shape (..., d_out, d_in)
    weights : sequence of L arrays, shapes (..., d_l, d_{l−1})

    Returns
    -------
    array

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    shape = (weights[-1].shape[-2], weights[0].shape[-1])
    W = checks.matrix("W", W, are_finite=False)
    checks.last_axes("W", W, shape)
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
