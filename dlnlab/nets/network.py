"""What all classifiers share: parameters by name, their start, costs, the loss and its gradient.

A model holds sizes only; its parameters are a dict of arrays, and these decide where the work is
done.  A model says what its parameters are and how it maps samples to logits, with the pullback;
the rest is here.

Data are worked through in pieces.  A mean over samples is the sum of the pieces' shares, so that
the result is the same up to rounding, while activations stay small: in the cache where they can,
and in memory that the allocator hands out again instead of asking the system for fresh pages.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.nets.block import Block
from dlnlab.nets.losses import LOSSES, Loss
from dlnlab.nets.parameters import INITS, Named, Parameter, check_parameters, draw
from dlnlab.nets.samples import check_classes, check_samples, one_hot
from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array

__all__ = ["PIECE_ON_DEVICE", "PIECE_ON_HOST", "Network", "Pullback"]

PIECE_ON_HOST = 2048
PIECE_ON_DEVICE = 2**14
"""Columns of activations that are worked through at once."""

Pullback = Callable[[Array], tuple[Named, networks.Weights]]


@dataclass(frozen=True)
class Network:
    """A classifier whose penultimate layer is a `Block`; `mlp` and `vit` make one.

    Attributes
    ----------
    classes : int
    block : Block
    image : tuple of int
        Shape of a sample.
    """

    classes: int
    block: Block
    image: tuple[int, ...]

    @property
    def parameters(self) -> dict[str, Parameter]:
        """Every parameter by name, in the order of their use."""
        raise NotImplementedError

    @property
    def block_names(self) -> tuple[str, ...]:
        """Names of the layers of the penultimate block, the first one applied first."""
        raise NotImplementedError

    @property
    def tokens(self) -> int:
        """Number of columns of activations per sample."""
        return 1

    def _forward(self, params: Named, block: Sequence[Array], X: Array) -> tuple[Array, Pullback]:
        """Return the logits, shape (classes, samples), and the pullback to the parameters.

        `block` are matrices whose product is that of the block's layers, and takes their place.
        The pullback returns the gradients of the other parameters by name, and those of `block`.
        """
        raise NotImplementedError

    def _products_of_activations(self) -> tuple[int, int]:
        """How many multiplications per sample involve no parameter, and numbers result of them."""
        return 0, 0

    def _activations(self, inner: int) -> tuple[int, int]:
        """Return what a sample takes: numbers kept on the way forward, more on the way back.

        `inner` are those between the layers of the block, none where it is multiplied out.  A loss
        makes up to seven arrays of the size of the scores.
        """
        raise NotImplementedError

    # Sizes and costs.

    @property
    def num_parameters(self) -> int:
        """The number of parameters (Table 1)."""
        return sum(math.prod(parameter.shape) for parameter in self.parameters.values())

    def macs(self, batch: int = 128) -> int:
        """Return the multiplications of activations by matrices on the way forward (Table 1).

        Each counts with its addition.  All layers of the block count one by one; additions of
        biases and entrywise functions do not count.

        Parameters
        ----------
        batch : int
            Number of samples.

        Returns
        -------
        int

        Raises
        ------
        TypeError, ValueError
            If an argument is malformed or out of range.
        """
        batch = checks.integer("batch", batch, 1)
        used = (math.prod(p.shape) * p.uses for p in self._matrices())
        return batch * (sum(used) + self._products_of_activations()[0])

    def memory(self, batch: int = 128, itemsize: int = 4) -> int:
        """Return the bytes that training by gradients cannot do without (Table 1).

        These are parameters and gradients; and for every sample the input and what comes of every
        multiplication that `macs` counts.  What a framework adds (copies of activations, workspace,
        a method's moments) is not in it.

        Parameters
        ----------
        batch : int
            Number of samples.
        itemsize : int
            Bytes of a number; 4 in single precision.

        Returns
        -------
        int

        Raises
        ------
        TypeError, ValueError
            If an argument is malformed or out of range.
        """
        batch, itemsize = checks.integer("batch", batch, 1), checks.integer("itemsize", itemsize, 1)
        outputs = sum(p.shape[0] * p.uses for p in self._matrices())
        sample = math.prod(self.image) + outputs + self._products_of_activations()[1]
        return itemsize * (2 * self.num_parameters + batch * sample)

    def _matrices(self) -> Iterator[Parameter]:
        return (p for p in self.parameters.values() if len(p.shape) == 2)

    # The start.

    def init(
        self,
        rng: np.random.Generator | int = 0,
        eps: float = 1.0,
        like: Array | None = None,
        *,
        init: str = "uniform",
        correlation: Array | None = None,
    ) -> Named:
        """Draw the parameters to start from.

        The paper leaves the start of the layers outside the block open, but for "random uniform
        initialization" (A.4).  Those layers are the same for one seed, whatever the block.

        Parameters
        ----------
        rng : numpy.random.Generator or int
            Source of randomness, or a seed.
        eps : float
            Scale ε of the block.  "dln": ε times uniformly random (semi-)orthogonal matrices, as in
            Eq. (4).  "compressed": Algorithm 1's (ε V_r̂ᵀ, ε I, ε U_r̂), with U_r̂ and V_r̂ uniformly
            random frames, or as `correlation` says.  "dense": ε times the start of other layers.
        like : array, optional
            Array that determines library, device and dtype of the parameters; NumPy's float64 by
            default.
        init : {"uniform", "orthogonal"}
            Of the other layers.  "uniform": every weight and bias is uniform between ±1/√n, n being
            the number of inputs of its layer (PyTorch's default).  "orthogonal": uniformly random
            (semi-)orthogonal matrices, and biases 0.  Scales of layer norms are 1, shifts 0.
        correlation : array, shape (k, d_in), optional
            For "compressed" only, a cross-correlation Y Xᵀ of what the network shall say with what
            the block's d_in inputs are (`cross_correlation`).  The first columns of V_r̂ are then
            its leading right singular vectors, as many as its rank, and the others are random and
            orthogonal to them.  Its left singular vectors have an entry per class, not one for each
            of the block's outputs, so U_r̂ is random still.  In the paper X are pixels; whether the
            block's inputs may be taken for pixels is for the caller to say.

        Returns
        -------
        dict of str to array

        Raises
        ------
        TypeError, ValueError
            If an argument is out of range or the parameters would not fit in memory.
        """
        rng = checks.generator("rng", rng, "network")
        eps = checks.positive("eps", eps)
        init = checks.choice("init", init, INITS)
        reference = np.empty(0) if like is None else checks.like("like", like)
        correlation = self._check_correlation(correlation)
        checks.fits_in_memory(
            f"`init`: {self.num_parameters:,} parameters",
            8 * self.num_parameters,
            remedy="make the model smaller",
        )
        outside, inside = rng.spawn(2)
        drawn = {
            name: draw(parameter, init, outside)
            for name, parameter in self.parameters.items()
            if name not in self.block_names
        }
        if self.block.kind == "dense":
            (name,) = self.block_names
            drawn[name] = eps * draw(self.parameters[name], init, inside)
        else:
            layers = self.block.start(eps, inside, correlation)
            drawn |= dict(zip(self.block_names, layers, strict=True))
        return {name: arrays.like(drawn[name], reference) for name in self.parameters}

    def _check_correlation(self, correlation: Any) -> Array | None:
        if correlation is None:
            return None
        if self.block.kind != "compressed":
            raise ValueError(
                "`correlation` must be omitted unless penultimate='compressed', the start that it "
                f"chooses, got penultimate={self.block.kind!r}"
            )
        correlation, d_in = checks.matrix("correlation", correlation, ndim=2), self.block.shape[1]
        if correlation.shape[1] != d_in:
            raise ValueError(
                f"`correlation` must have a column for each of the block's {d_in} inputs, "
                f"got {checks.describe(correlation)}"
            )
        if not bool(arrays.namespace(correlation).any(correlation != 0)):
            raise ValueError("`correlation` must not be the zero matrix, which has no directions")
        return correlation

    # Logits, loss and gradient.

    def logits(self, params: Named, X: Array) -> Array:
        """Return the network's output for every sample.

        Parameters
        ----------
        params : dict of str to array
            As `init` returns them.
        X : array, shape (n, *image), or (n, inputs) for an MLP
            Samples, of the dtype of the parameters, for instance pixels between 0 and 1.

        Returns
        -------
        array, shape (n, classes)
            The classes' scores: those of a sample are log-probabilities up to a common number.

        Raises
        ------
        TypeError, ValueError
            If parameters or samples are not as described, or not finite.
        """
        params = check_parameters(self.parameters, params)
        X = check_samples(X, self.image, params[self.block_names[0]])
        block, _ = self._factors(params, X.shape[0])
        parts = [self._forward(params, block, X[piece, ...])[0] for piece in self._pieces(X)]
        return arrays.namespace(X).concat(parts, axis=1).mT

    def loss_and_gradients(
        self, params: Named, X: Array, y: Array, *, loss: str = "cross_entropy"
    ) -> tuple[Array, Named]:
        """Return the mean loss over the samples, and its gradient with respect to every parameter.

        Parameters
        ----------
        params : dict of str to array
            As `init` returns them.
        X : array, shape (n, *image), or (n, inputs) for an MLP
            Samples, of the dtype of the parameters.
        y : array of int, shape (n,)
            Their classes, counted from 0.
        loss : {"cross_entropy", "squared"}
            Softmax cross-entropy, or half the squared distance to the one-hot vector of the class.

        Returns
        -------
        loss : array, shape ()
        gradients : dict of str to array
            New arrays with the names and shapes of the parameters.

        Raises
        ------
        TypeError, ValueError
            If parameters, samples or classes are not as described, or not finite.

        Examples
        --------
        >>> import numpy as np, dlnlab
        >>> model = dlnlab.nets.mlp(inputs=6, width=5, classes=3, penultimate="dln")
        >>> params = model.init(rng=0)
        >>> X, y = np.random.default_rng(0).random((4, 6)), np.array([0, 2, 1, 1])
        >>> loss, gradients = model.loss_and_gradients(params, X, y)
        >>> round(float(loss), 3), list(gradients) == list(params)
        (1.093, True)
        """
        function = LOSSES[checks.choice("loss", loss, LOSSES)]
        params = check_parameters(self.parameters, params)
        X = check_samples(X, self.image, params[self.block_names[0]])
        y = check_classes(y, X, self.classes)
        return self._evaluate(params, X, y, function)

    def _evaluate(self, params: Named, X: Array, y: Array, function: Loss) -> tuple[Array, Named]:
        """Return loss and gradients, of arguments that have been checked."""
        block, prefixes = self._factors(params, X.shape[0])
        total: dict[Any, Array] = {}

        def add(X: Array, y: Array, N: int) -> None:  # and drop the activations of the piece
            F, pullback = self._forward(params, block, X)
            share, G = function(F, one_hot(y, self.classes, F.dtype), N)
            outer, inner = pullback(G)
            _add(total, {"loss": share} | outer | dict(enumerate(inner)))

        for piece in self._pieces(X):
            add(X[piece, ...], y[piece], X.shape[0])
        gradients = tuple(total[k] for k in range(len(block)))
        if prefixes is not None:
            gradients = networks.backward(self._layers(params), prefixes, gradients[0])
        total |= dict(zip(self.block_names, gradients, strict=True))
        return total["loss"], {name: total[name] for name in self.parameters}

    def _layers(self, params: Named) -> networks.Weights:
        return tuple(params[name] for name in self.block_names)

    def _factors(self, params: Named, samples: int) -> tuple[networks.Weights, list[Array] | None]:
        """Return the block's layers, or their product alone with the products on the way to it."""
        layers = self._layers(params)
        if not self.block.multiplied_out(samples * self.tokens):
            return layers, None
        prefixes = networks.prefix_products(layers)
        return (prefixes[-1],), prefixes

    def _working(self, X: Array, samples: int) -> tuple[int, int]:
        """Return the numbers that a gradient takes, and a loss alone, of so many samples.

        They are those of one piece of them, of products of the block's layers, and the gradients of
        all parameters: of one piece, and of those before it.
        """
        first = next(self._pieces(X)).stop
        piece, several = min(samples, first), samples > first
        is_product = self.block.multiplied_out(samples * self.tokens)
        between = sum(rows for rows, _ in self.block.shapes[:-1])
        kept, passing = self._activations(0 if is_product else between)
        products = 2 * sum(math.prod(s) for s in self.block.shapes) if is_product else 0
        forward = piece * kept + products
        return forward + piece * passing + (1 + several) * self.num_parameters, forward

    def _pieces(self, X: Array) -> Iterator[slice]:
        columns = PIECE_ON_HOST if arrays.is_host(X) else PIECE_ON_DEVICE
        step, n = max(1, columns // self.tokens), X.shape[0]
        return (slice(first, min(first + step, n)) for first in range(0, n, step))


def _add(total: dict[Any, Array], more: dict[Any, Array]) -> None:
    """Add the shares of a piece to those of the pieces before it, in place."""
    for name, value in more.items():
        if name in total:
            total[name] += value
        else:
            total[name] = value
