"""The deep linear network of Figure 1 as a classifier: logits W_3 W_2 W_1 x, no biases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dlnlab import networks
from dlnlab.nets.block import check_block
from dlnlab.nets.maps import linear
from dlnlab.nets.network import Network, Pullback
from dlnlab.nets.parameters import Named, Parameter
from dlnlab.numerics import checks
from dlnlab.numerics.arrays import Array

__all__ = ["DeepLinear", "deep_linear"]


@dataclass(frozen=True)
class DeepLinear(Network):
    """A linear network of three layers as a classifier: it is nothing but its block."""

    @property
    def parameters(self) -> dict[str, Parameter]:
        """The parameters W1, W2 and W3 of the three layers."""
        return {
            f"W{k}": Parameter(shape, fan_in=shape[1])
            for k, shape in enumerate(self.block.shapes, 1)
        }

    @property
    def block_names(self) -> tuple[str, ...]:
        """Names of the layers of the linear block: all three."""
        return tuple(self.parameters)

    def _activations(self, inner: int) -> tuple[int, int]:
        return inner + 8 * self.classes, self.block.shape[1]

    def _forward(self, params: Named, block: Sequence[Array], X: Array) -> tuple[Array, Pullback]:
        F, inner = linear(block, X.mT)

        def pullback(G: Array) -> tuple[Named, networks.Weights]:
            _, *of_block = inner(G)
            return {}, tuple(of_block)

        return F, pullback


def deep_linear(inputs: int = 784, classes: int = 10) -> DeepLinear:
    """Return the deep linear network of Figure 1: three layers, the inner ones as wide as a sample.

    It starts from ε times orthogonal matrices (Eq. 4), `Network.init`.

    Parameters
    ----------
    inputs : int
        d_x; samples are flattened.
    classes : int
        d_y.

    Returns
    -------
    DeepLinear

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.

    Examples
    --------
    >>> import dlnlab
    >>> dlnlab.nets.deep_linear(inputs=64).num_parameters  # 64·64 + 64·64 + 10·64
    8832
    """
    inputs, classes = checks.integer("inputs", inputs, 1), checks.integer("classes", classes, 2)
    return DeepLinear(classes, check_block((classes, inputs), "dln", None, classes), (inputs,))
