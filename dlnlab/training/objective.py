"""What the loop needs to know of what is minimized, and the objective of linear networks.

An objective is a value and its gradients with respect to a tuple of arrays.  Whatever has these can
be descended on: here ℓ(W_{L:1}) of a problem and the layers of a linear network, elsewhere the loss
of a classifier and its parameters (`dlnlab.nets`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from dlnlab import networks
from dlnlab.networks import Weights
from dlnlab.numerics import arrays, checks, spectra
from dlnlab.numerics.arrays import Array
from dlnlab.numerics.products import FactoredMatrix
from dlnlab.problems import Problem
from dlnlab.training.minibatches import Minibatches
from dlnlab.training.recorder import Quantity, Recorder, copied

__all__ = ["QUANTITIES", "LinearNetwork", "Look", "Objective", "check_record", "recorder"]


class Objective(Protocol):
    """A value and its gradients, and what else a run is to say of the weights."""

    def gradients(self, weights: Sequence[Array], step: int) -> Sequence[Array]:
        """Return new arrays, the gradients at the k-th step, k = 0, 1, …

        Parameters
        ----------
        weights : sequence of arrays
        step : int
            k.

        Returns
        -------
        sequence of arrays, of the shapes of the weights
        """

    def look(self, weights: Sequence[Array]) -> Any:
        """Return what a record is taken of, with everything that its quantities share.

        Parameters
        ----------
        weights : sequence of arrays

        Returns
        -------
        object
        """

    def value(self, look: Any) -> Array:
        """Return the loss of every member of a batch.

        Parameters
        ----------
        look : object
            As `look` returns it.

        Returns
        -------
        array, shape (*batch)
        """

    def given(self, weights: Sequence[Array]) -> Any:
        """Return the weights of the network that was given, in the form they were given in.

        Parameters
        ----------
        weights : sequence of arrays

        Returns
        -------
        tuple or dict of arrays
        """


class Look(NamedTuple):
    """The point at which quantities of a linear network are measured.

    Attributes
    ----------
    problem : Problem
        That is run.
    weights : tuple of arrays
    W : array
        Their product, as `problem` composes it.
    view : optional
        The reduction that runs in place of the given network; what is recorded is of the latter.
    """

    problem: Problem
    weights: Weights
    W: Any
    view: Any = None


class LinearNetwork:
    """ℓ(W_{L:1}) and the layers of a linear network.

    Parameters
    ----------
    problem : Problem
    view : optional
        The reduction that is run, if it is one.
    minibatches : Minibatches, optional
        Which measurements the gradients of a step are of; all by default.
    """

    def __init__(
        self, problem: Problem, view: Any = None, minibatches: Minibatches | None = None
    ) -> None:
        self.problem, self.view, self.minibatches = problem, view, minibatches

    def gradients(self, weights: Sequence[Array], step: int = 0) -> Weights:
        """Return S_lᵀ ∇ℓ(W_{L:1}) P_lᵀ for every layer (`networks.linear`).

        Parameters
        ----------
        weights : sequence of arrays
        step : int
            k = 0, 1, …

        Returns
        -------
        tuple of L arrays, shapes (..., d_l, d_{l−1})
        """
        chosen = None if self.minibatches is None else self.minibatches.at(step)
        return networks.gradients(self.problem, weights, chosen)

    def look(self, weights: Sequence[Array]) -> Look:
        """Return the weights with their product.

        Parameters
        ----------
        weights : sequence of arrays

        Returns
        -------
        Look
        """
        W = networks.forward(self.problem, weights)[1]
        return Look(self.problem, tuple(weights), W, self.view)

    def value(self, look: Look) -> Array:
        """Return the loss ℓ(W_{L:1}).

        Parameters
        ----------
        look : Look
            As `look` returns it.

        Returns
        -------
        array, shape (*batch)
        """
        return self.problem.loss(look.W)

    def given(self, weights: Sequence[Array]) -> Weights:
        """Return the layers of the given network, of which a smaller one may run.

        Parameters
        ----------
        weights : sequence of arrays

        Returns
        -------
        tuple of L arrays, shapes (..., d_l, d_{l−1})
        """
        return tuple(weights) if self.view is None else self.view.lift(weights)


def _loss(look: Look) -> Array:
    return look.problem.loss(look.W)


def _error(look: Look) -> Array:
    return look.problem.error(look.W)


def _singular_values(look: Look) -> Array:
    if look.view is None:
        return look.problem.singular_values(look.W)
    return look.view.problem.all_singular_values(look.W)


def _alignment(look: Look) -> tuple[Array, Array]:
    return spectra.alignments(look.W, look.problem.target_svd)


def _end_to_end(look: Look) -> Array:
    if look.view is not None:
        return look.view.lift_end_to_end(look.W)
    return look.W.to_dense() if isinstance(look.W, FactoredMatrix) else copied(look.W)


def _imbalance(look: Look) -> Array:
    weights = look.weights if look.view is None else look.view.lift(look.weights)
    xp = arrays.namespace(weights[0])
    norms = [xp.linalg.matrix_norm(D) for D in networks.imbalances(weights)]
    return xp.max(xp.stack(norms), axis=0)


def _layers(look: Look) -> Weights:
    weights = look.weights if look.view is None else look.view.lift(look.weights)
    return tuple(map(copied, weights))


QUANTITIES = {
    "loss": Quantity(_loss, ("losses",)),
    "error": Quantity(_error, ("errors",), True),
    "singular_values": Quantity(_singular_values, ("singular_values",)),
    "alignment": Quantity(_alignment, ("left_alignments", "right_alignments"), True),
    "end_to_end": Quantity(_end_to_end, ("end_to_end",)),
    "imbalance": Quantity(_imbalance, ("imbalances",)),
    "layers": Quantity(_layers, ("layers",)),
}
"""What can be recorded of a linear network."""


def check_record(record: Any) -> tuple[str, ...]:
    """Return the names of the quantities to record, or raise; without names, only times are.

    Parameters
    ----------
    record : sequence of str
        As for `dlnlab.gradient_descent`.

    Returns
    -------
    tuple of str

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.
    """
    names = (record,) if isinstance(record, str) else record
    names = checks.sequence("record", names, f"names from {list(QUANTITIES)}")
    return tuple(checks.choice("record", name, QUANTITIES) for name in names)


def recorder(problem: Problem, record: Sequence[str]) -> Recorder:
    """Return what records these quantities of a linear network, as far as they are known.

    Parameters
    ----------
    problem : Problem
    record : sequence of str
        As for `dlnlab.gradient_descent`.

    Returns
    -------
    Recorder
    """
    known = problem.target is not None
    return Recorder(
        {name: QUANTITIES[name] for name in record if known or not QUANTITIES[name].needs_target}
    )
