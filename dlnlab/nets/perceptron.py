"""The multilayer perceptron of Section 4.2.

ψ(x) = W_6 ρ(W_5 W_4 W_3 ρ(W_2 ρ(W_1 x))) with ρ = ReLU and no biases; the original network has one
matrix W_3 in the place of W_5 W_4 W_3, and W_4 as its last layer.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from dlnlab import networks
from dlnlab.nets.block import check_block
from dlnlab.nets.maps import linear, relu
from dlnlab.nets.network import Network, Pullback
from dlnlab.nets.parameters import Named, Parameter
from dlnlab.numerics import checks
from dlnlab.numerics.arrays import Array

__all__ = ["MLP", "mlp"]


@dataclass(frozen=True)
class MLP(Network):
    """A multilayer perceptron; `mlp` makes one.

    Attributes
    ----------
    width : int
        Of every hidden layer outside the block.
    """

    width: int

    @functools.cached_property
    def parameters(self) -> dict[str, Parameter]:
        """W1, W2, the block's layers from W3 on, and the last layer."""
        shapes = [(self.width, self.inputs), (self.width, self.width), *self.block.shapes]
        shapes.append((self.classes, self.width))
        return {f"W{k}": Parameter(shape, fan_in=shape[1]) for k, shape in enumerate(shapes, 1)}

    @functools.cached_property
    def block_names(self) -> tuple[str, ...]:
        """W3, or W3, W4 and W5."""
        return tuple(self.parameters)[2:-1]

    @property
    def inputs(self) -> int:
        """Number of entries of a sample, d_x."""
        return self.image[0]

    def _activations(self, inner: int) -> tuple[int, int]:
        return 6 * self.width + inner + 8 * self.classes, 3 * self.width

    def _forward(self, params: Named, block: Sequence[Array], X: Array) -> tuple[Array, Pullback]:
        last = f"W{len(params)}"
        Z1 = params["W1"] @ X.mT
        H1, first = relu(Z1)
        Z2, second = linear((params["W2"],), H1)
        H2, bent = relu(Z2)
        Z3, inner = linear(block, H2)
        H3, third = relu(Z3)
        F, outer = linear((params[last],), H3)

        def pullback(G: Array) -> tuple[Named, networks.Weights]:
            G, of_last = outer(G)
            G, *of_block = inner(third(G))
            G, of_second = second(bent(G))
            of_first = first(G) @ X  # the data need no gradient, so `linear` would do too much
            return {"W1": of_first, "W2": of_second, last: of_last}, tuple(of_block)

        return F, pullback


def mlp(
    inputs: int = 784,
    width: int = 784,
    classes: int = 10,
    penultimate: str = "dense",
    r_hat: int | None = None,
) -> MLP:
    """Return the multilayer perceptron of Section 4.2, with three hidden layers and no biases.

    Parameters
    ----------
    inputs : int
        d_x; samples are flattened.
    width : int
        Of the hidden layers.
    classes : int
        d_y.
    penultimate : {"dense", "dln", "compressed"}
        The last hidden layer: a matrix, a linear network of three layers as wide, or a compressed
        one.
    r_hat : int, optional
        Inner width r̂ of the compressed one; 4·classes by default (at most `width`).

    Returns
    -------
    MLP

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> import dlnlab
    >>> kinds = ("dense", "dln", "compressed")
    >>> [dlnlab.nets.mlp(penultimate=kind).num_parameters for kind in kinds]
    [1851808, 3081120, 1301472]
    """
    inputs = checks.integer("inputs", inputs, 1)
    width = checks.integer("width", width, 1)
    classes = checks.integer("classes", classes, 2)
    block = check_block((width, width), penultimate, r_hat, classes)
    return MLP(classes, block, (inputs,), width)
