"""Methods of descent: what a step does with a gradient, and what it remembers of earlier ones.

A method owns its state, arrays of the shapes of the weights; who iterates owns the order of things.
With G_k the gradient of layer W at step k = 1, 2, … and η its step size::

    Descent    W ← W − ηG_k
    Momentum   V ← βV + G_k,  W ← W − ηV           (heavy ball, Polyak 1964)
               V ← βV + G_k,  W ← W − η(G_k + βV)  (Nesterov's, as Sutskever et al. 2013 write it)
    Adam       M ← β₁M + (1 − β₁)G_k,  V ← β₂V + (1 − β₂)G_k²,
               W ← W − η M/(1 − β₁ᵏ) / (√(V/(1 − β₂ᵏ)) + ε)   (Kingma and Ba 2015)

entry by entry, with V = M = 0 at first.  The conventions are PyTorch's and optax's.

**Which reductions a method commutes with.**  The exact reductions of this package (`parsimony`,
`spans`) say: while W_l = Z_l B_l Z_{l−1}ᵀ + ρ_l P_l, with orthonormal columns in Z_l and fixed P_l,
the gradient is of the same form, G_l = Z_l H_l Z_{l−1}ᵀ + h_l P_l, where H_l and h_l are the
gradient of the smaller network.  Such matrices are a linear space, and (B, ρ) ↦ W is linear.  A
method whose state and step are linear combinations of the gradients so far, with coefficients that
do not depend on them, stays in that space, and with (H, h) in the place of G it takes the same step
in coordinates: descent and momentum commute with orthogonal reductions.  Adam's quotient does not:
V is made of the squares of G's entries, and those of Z H Zᵀ are not those of H.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array

__all__ = [
    "METHODS",
    "SCHEDULES",
    "Adam",
    "Descent",
    "Method",
    "Momentum",
    "Schedule",
    "check_method",
]


@dataclass(frozen=True)
class Method:
    """A rule that turns gradients into steps; a subclass is a frozen dataclass of its parameters.

    Attributes
    ----------
    slots : tuple of str
        Names of the arrays that are kept for each array of weights, of its shape.  They start as
        zeros.
    is_linear : bool
        Whether the steps are linear combinations of the gradients so far, so that the method
        commutes with orthogonal reductions.
    """

    slots: ClassVar[tuple[str, ...]] = ()
    is_linear: ClassVar[bool] = False

    def move(self, step: int, W: Array, gradient: Array, slots: Sequence[Array], rate: Any) -> None:
        """Take one step, entry by entry, in place.

        Parameters
        ----------
        step : int
            Which step this is, counted from 1.
        W : array
            Weights, or part of them; changed.
        gradient : array
            Of the shape of W; may be changed too.
        slots : sequence of arrays
            What is kept, of the shape of W; changed.
        rate : float or array
            η, which broadcasts against W.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Descent(Method):
    """W ← W − ηG: gradient descent, and stochastic gradient descent if G is of a minibatch."""

    is_linear: ClassVar[bool] = True

    def move(self, step: int, W: Array, gradient: Array, slots: Sequence[Array], rate: Any) -> None:
        """Take one step; see `Method.move`."""
        gradient *= rate
        W -= gradient


@dataclass(frozen=True)
class Momentum(Method):
    """V ← βV + G, then W ← W − ηV, or W ← W − η(G + βV) with Nesterov's momentum.

    Parameters
    ----------
    beta : float
        β, ≥ 0 and < 1; with 0 it is gradient descent.
    nesterov : bool

    Raises
    ------
    TypeError, ValueError
        If a parameter is malformed or out of range.
    """

    beta: float = 0.9
    nesterov: bool = False

    slots: ClassVar[tuple[str, ...]] = ("velocity",)
    is_linear: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "beta", checks.share("beta", self.beta, zero=True))
        checks.flag("nesterov", self.nesterov)

    def move(self, step: int, W: Array, gradient: Array, slots: Sequence[Array], rate: Any) -> None:
        """Take one step; see `Method.move`."""
        (V,) = slots
        V *= self.beta
        V += gradient
        if self.nesterov:
            gradient += self.beta * V
            gradient *= rate
            W -= gradient
        else:
            W -= rate * V


@dataclass(frozen=True)
class Adam(Method):
    """M and V are means of G and G² that forget; W ← W − η M̂/(√V̂ + ε), with M̂ = M/(1 − β₁ᵏ).

    Parameters
    ----------
    beta1, beta2 : float
        β₁ and β₂, ≥ 0 and < 1; with 0 the means are of the last gradient alone.
    epsilon : float
        ε > 0, which keeps the quotient finite; not the scale of a start.

    Raises
    ------
    TypeError, ValueError
        If a parameter is malformed or out of range.
    """

    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    slots: ClassVar[tuple[str, ...]] = ("first_moment", "second_moment")

    def __post_init__(self) -> None:
        for name in ("beta1", "beta2"):
            value = checks.share(name, getattr(self, name), zero=True)
            object.__setattr__(self, name, value)
        object.__setattr__(self, "epsilon", checks.positive("epsilon", self.epsilon))

    def move(self, step: int, W: Array, gradient: Array, slots: Sequence[Array], rate: Any) -> None:
        """Take one step; see `Method.move`.

        With c = √(1 − β₂ᵏ) the quotient is M/(1 − β₁ᵏ) · c/(√V + εc): the small parts are scaled
        once as numbers, not twice as arrays.
        """
        M, V = slots
        M *= self.beta1
        M += (1 - self.beta1) * gradient
        gradient *= gradient
        gradient *= 1 - self.beta2
        V *= self.beta2
        V += gradient
        correction = math.sqrt(1 - self.beta2**step)
        size = arrays.namespace(V).sqrt(V)
        size += self.epsilon * correction
        W -= rate * (correction / (1 - self.beta1**step)) * (M / size)


METHODS: dict[str, Method] = {
    "descent": Descent(),
    "sgd": Descent(),
    "momentum": Momentum(),
    "nesterov": Momentum(nesterov=True),
    "adam": Adam(),
}
"""The methods that have a name, with their usual parameters."""


def check_method(method: Any) -> Method:
    """Return the method, or the one that a name stands for.

    Parameters
    ----------
    method : str or Method
        One of `METHODS`, or an object.

    Returns
    -------
    Method

    Raises
    ------
    TypeError, ValueError
        If it is neither.
    """
    if isinstance(method, str):
        return METHODS[checks.choice("method", method, METHODS)]
    return checks.instance(
        "method", method, Method, f"one of {list(METHODS)}, or a dlnlab.methods.Method"
    )


class Schedule(NamedTuple):
    """A schedule that scales the step sizes of a run of K steps.

    Attributes
    ----------
    factor : callable
        Takes k and K, and returns the factor on the step sizes at step k = 0, 1, …, K − 1.
    total : callable
        Takes k and K, and returns the sum of the factors of the steps before k.
    """

    factor: Callable[[int, int], float]
    total: Callable[[int, int], float]


def _cosine(step: int, num_steps: int) -> float:
    """½(1 + cos(πk/K)), from 1 at the first step to nearly 0 at the last one."""
    return 0.5 * (1 + math.cos(math.pi * step / num_steps))


def _cosines(step: int, num_steps: int) -> float:
    """½(k + Σ_{j<k} cos jθ), θ = π/K, where the sum is ½(1 + sin((k − ½)θ)/sin(θ/2))."""
    theta = math.pi / max(num_steps, 1)
    return 0.5 * (step + 0.5 * (1 + math.sin((step - 0.5) * theta) / math.sin(theta / 2)))


SCHEDULES = {
    "constant": Schedule(lambda step, num_steps: 1.0, lambda step, num_steps: float(step)),
    "cosine": Schedule(_cosine, _cosines),
}
"""The schedules that have a name; "cosine" anneals as Loshchilov and Hutter (2017) do."""
