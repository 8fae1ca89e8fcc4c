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
from typing import Any, NamedTuple

import numpy as np

from dlnlab import arrays, checks, networks
from dlnlab.arrays import Array
from dlnlab.nets.block import Block
from dlnlab.nets.losses import LOSSES, one_hot
from dlnlab.targets import orthonormal_frame

__all__ = ["Network", "Parameter", "cross_correlation"]

PIECE_ON_HOST = 2048
PIECE_ON_DEVICE = 2**16
"""Columns of activations that are worked through at once."""

STARTS = ("uniform", "orthogonal")

Named = dict[str, Array]
Pullback = Callable[[Array], tuple[Named, networks.Weights]]


class Parameter(NamedTuple):
    """What there is to know of one parameter.

    Attributes
    ----------
    shape : tuple of int
        (rows, columns) of a matrix, (rows,) of a vector.
    uses : int
        Columns of activations per sample that a matrix multiplies.
    fan_in : int
        Number of inputs of its layer, or 0 if it starts as a constant.
    constant : float
        That constant.
    """

    shape: tuple[int, ...]
    uses: int = 1
    fan_in: int = 0
    constant: float = 0.0


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
        """Columns of activations per sample."""
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
        start: str = "uniform",
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
            An array whose library, device and dtype the parameters shall have; NumPy's float64 by
            default.
        start : {"uniform", "orthogonal"}
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
        start = checks.choice("start", start, STARTS)
        reference = np.empty(0) if like is None else checks.like("like", like)
        correlation = self._check_correlation(correlation)
        checks.fits_in_memory(
            f"`init`: {self.num_parameters:,} parameters",
            8 * self.num_parameters,
            remedy="make the model smaller",
        )
        outside, inside = rng.spawn(2)
        drawn = {
            name: _draw(parameter, start, outside)
            for name, parameter in self.parameters.items()
            if name not in self.block_names
        }
        if self.block.kind == "dense":
            (name,) = self.block_names
            drawn[name] = eps * _draw(self.parameters[name], start, inside)
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
        params = self._check_params(params)
        X = self._check_samples(params, X)
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
        params = self._check_params(params)
        X = self._check_samples(params, X)
        y = check_classes(y, X, self.classes)
        block, prefixes = self._factors(params, X.shape[0])
        total: dict[Any, Array] = {}
        for piece in self._pieces(X):
            F, pullback = self._forward(params, block, X[piece, ...])
            share, G = function(F, one_hot(y[piece], self.classes, F.dtype), X.shape[0])
            outer, inner = pullback(G)
            _add(total, {"loss": share} | outer | dict(enumerate(inner)))
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

    def _pieces(self, X: Array) -> Iterator[slice]:
        columns = PIECE_ON_HOST if arrays.is_host(X) else PIECE_ON_DEVICE
        step, n = max(1, columns // self.tokens), X.shape[0]
        return (slice(first, min(first + step, n)) for first in range(0, n, step))

    # What is given.

    def _check_params(self, params: Any) -> Named:
        checks.instance("params", params, dict, "a dict of arrays, as `init` returns it")
        if params.keys() != self.parameters.keys():
            missing = sorted(self.parameters.keys() - params.keys())
            foreign = sorted(map(str, params.keys() - self.parameters.keys()))
            raise ValueError(
                f"`params` must have the names of the model's parameters; missing are {missing}, "
                f"not of the model {foreign}"
            )
        found = {
            name: _check_parameter(name, params[name], p) for name, p in self.parameters.items()
        }
        arrays.namespace(*found.values(), names=("params",))
        kinds = sorted({arrays.dtype_name(value) for value in found.values()})
        if len(kinds) > 1:
            raise TypeError(f"`params` must be arrays of one dtype, got {' and '.join(kinds)}")
        return found

    def _check_samples(self, params: Named, X: Any) -> Array:
        X = checks.array("X", X, least=2)
        reference = params[self.block_names[0]]
        xp = arrays.namespace(X, reference, names=("X", "params"))
        if X.dtype != reference.dtype:
            raise TypeError(
                f"`X` must have the dtype of the parameters, {arrays.dtype_name(reference)}, "
                f"got {checks.describe(X)}; cast it, or start with like=X"
            )
        if X.shape[0] < 1 or not self._fits(tuple(X.shape[1:])):
            shape = ", ".join(map(str, self.image))
            raise ValueError(
                f"`X` must have shape (n, {shape}) with n >= 1, got {checks.describe(X)}"
            )
        return xp.reshape(X, (X.shape[0], *self.image))

    def _fits(self, shape: tuple[int, ...]) -> bool:
        return shape == self.image


def _add(total: dict[Any, Array], more: dict[Any, Array]) -> None:
    """Add the shares of a piece to those of the pieces before it, in place."""
    for name, value in more.items():
        if name in total:
            total[name] += value
        else:
            total[name] = value


def _draw(parameter: Parameter, start: str, rng: np.random.Generator) -> np.ndarray:
    """Draw a parameter outside the block on the host; see `Network.init`."""
    if not parameter.fan_in:
        return np.full(parameter.shape, parameter.constant)
    if start == "uniform":
        return rng.uniform(-1.0, 1.0, parameter.shape) / math.sqrt(parameter.fan_in)
    if len(parameter.shape) == 1:
        return np.zeros(parameter.shape)
    frame = orthonormal_frame(max(parameter.shape), min(parameter.shape), rng)
    return frame if parameter.shape[0] >= parameter.shape[1] else frame.T


def check_classes(y: Any, X: Array, classes: int) -> Array:
    """Return the classes of the samples `X`, an integer from 0 to classes − 1 for each."""
    requirement = (
        f"{X.shape[0]} integers >= 0 and < {classes}, `classes`, one for each sample in `X`"
    )
    found = y if arrays.is_array(y) and not arrays.is_host(y) else checks.host_array("y", y)
    xp = arrays.namespace(found, X, names=("y", "X"))
    if not xp.isdtype(found.dtype, "integral"):
        raise TypeError(f"`y` must be {requirement}, got {checks.describe(y)}")
    if tuple(found.shape) != (X.shape[0],):
        raise ValueError(f"`y` must be {requirement}, got {checks.describe(y)}")
    low, high = int(xp.min(found)), int(xp.max(found))
    if low < 0 or high >= classes:
        raise ValueError(f"`y` must be {requirement}, got entries from {low} to {high}")
    return xp.astype(found, xp.int64)


def _check_parameter(name: str, value: Any, parameter: Parameter) -> Array:
    found = checks.array(f"params[{name!r}]", value)
    if tuple(found.shape) != parameter.shape:
        raise ValueError(
            f"`params[{name!r}]` must have shape {parameter.shape}, got {checks.describe(value)}"
        )
    return found


def cross_correlation(X: Array, y: Array, classes: int) -> Array:
    """Return M_corr = Y Xᵀ of one-hot classes and flattened samples (Section 2.3).

    Row c is the sum of the samples of class c, so the rank is at most the number of classes.

    Parameters
    ----------
    X : array, shape (n, ...)
        Samples, of a floating dtype.
    y : array of int, shape (n,)
        Their classes, counted from 0.
    classes : int
        d_y.

    Returns
    -------
    array, shape (classes, d_x)

    Raises
    ------
    TypeError, ValueError
        If samples and classes are not as described.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> X, y = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([0, 1, 0])
    >>> dlnlab.nets.cross_correlation(X, y, 2).tolist()
    [[6.0, 8.0], [3.0, 4.0]]
    """
    classes = checks.integer("classes", classes, 2)
    X = checks.matrix("X", X)
    xp = arrays.namespace(X)
    y = check_classes(y, X, classes)
    return one_hot(y, classes, X.dtype) @ xp.reshape(X, (X.shape[0], -1))
