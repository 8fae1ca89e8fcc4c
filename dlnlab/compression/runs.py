"""Any map weights → weights, run by the loop of gradient descent.

The loop of `dlnlab.training` records, keeps checkpoints, shows progress and freezes members that
are done; here the step is given as a function.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from dlnlab.methods import Descent
from dlnlab.networks import Weights
from dlnlab.networks.linear import check_problem
from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array
from dlnlab.problems import Problem
from dlnlab.training import descent, memory
from dlnlab.training.loop import Form, Loop, RecordSteps, State, check_records
from dlnlab.training.objective import LinearNetwork, check_record, recorder
from dlnlab.training.trajectory import Trajectory

__all__ = ["Iteration", "Moving", "checked_factor", "checked_square"]


class Moving(Protocol):
    """The interface of a step: a map from weights to weights."""

    def __call__(self, problem: Problem, weights: Weights, eta: Any, step: int, /) -> Weights:
        """Return new weights; the step is the `step`-th, from 0 on."""
        ...

    def besides(self, weights: Weights, members: int) -> int:
        """Return how many numbers it takes once it has the gradients, the new weights included.

        Parameters
        ----------
        weights : tuple of arrays
        members : int
            Networks in the batch.

        Returns
        -------
        int
        """
        ...


class Iteration:
    """A map on weights, ready to be run.

    Parameters
    ----------
    problem : Problem
    weights : tuple of arrays
        Where it starts.
    name : str
        What tells its checkpoints from those of other maps.
    numbers : mapping
        What it depends on, numbers or arrays with an entry for each member; "eta" is the step size.
    own : array, optional
        What is iterated, where all layers are views of one array.
    is_drawn : bool
        Whether the start was drawn for this run, and memory has gaps from that.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.
    """

    def __init__(
        self,
        problem: Problem,
        weights: Weights,
        name: str,
        numbers: Mapping[str, Any],
        own: Array | None = None,
        *,
        is_drawn: bool = False,
    ) -> None:
        self.problem, self.name, self.own, self.is_drawn = problem, name, own, is_drawn
        self.numbers = dict(numbers) | {"eta": checks.per_member("eta", numbers["eta"])}
        self.batch = descent.batch_shape(problem, weights, self.numbers)
        self.weights = weights

    def spread(self, number: Any) -> Any:
        """Return a number, or one for each member in a shape that multiplies matrices.

        Parameters
        ----------
        number : float or array

        Returns
        -------
        float, or array of shape (*batch, 1, 1)
        """
        return descent.as_rate(number, self.weights[0])

    def run(
        self,
        step: Moving,
        num_steps: Any,
        record_every: Any,
        record: Any,
        tol: Any,
        progress: Any,
        checkpoint: Any,
        checkpoint_every: Any,
    ) -> Trajectory:
        """Take the steps, as `dlnlab.gradient_descent` does its own.

        Parameters
        ----------
        step : callable
            (problem, weights, eta, step) ↦ weights.
        num_steps : int
        record_every : int or sequence of ints
        record : sequence of str
            As for `dlnlab.gradient_descent`.
        tol : float
        progress : bool or callable
            As for `dlnlab.gradient_descent`.
        checkpoint : path or None
        checkpoint_every : float
            Seconds.

        Returns
        -------
        Trajectory

        Raises
        ------
        TypeError, ValueError
            If an argument is malformed.
        """
        names = check_record(record)
        records = check_records(record_every, num_steps)
        tol = checks.nonnegative("tol", tol)
        self._require_memory(step, 1 if tol else records.count, names, checkpoint is not None)
        weights = tuple(descent.spread(W, self.batch) for W in self.weights)
        eta = self.numbers["eta"]
        loop = Loop(
            LinearNetwork(self.problem, None),
            lambda state: _Iterating(self.problem, step, self.spread(eta), state),
            Descent(),
            State(0, weights),
            lambda count: eta * count,
            records,
            recorder(self.problem, names),
            Form(descent.sizes(weights) | descent.sizes(weights, is_running=True)),
            lambda: self._fingerprint(records, names, tol),
            tol=tol,
            batch=self.batch,
        )
        return loop.run(progress, checkpoint, checkpoint_every)

    def _fingerprint(self, records: RecordSteps, names: tuple[str, ...], tol: float) -> str:
        """Hash everything that determines the run, the number of steps excepted."""
        settings = (records.every, list(records.steps), names, tol)
        digest = hashlib.sha256(f"{self.problem.fingerprint()}{self.name}{settings}".encode())
        for array in (*self.weights, *self.numbers.values()):
            arrays.feed(digest, array)
        return digest.hexdigest()

    def _require_memory(
        self, step: Moving, count: int, names: tuple[str, ...], keeps: bool
    ) -> None:
        """Raise unless there is room for the records, and for steps with arrays of their own.

        A step is foreseen as one of descent, on the network itself; or, where one array is all that
        is iterated, on a network of width one, and the array twice.
        """

        def of(weights: Weights, method: str = "descent") -> memory.Footprint:
            return memory.of_descent(
                self.problem, weights, count, names, self.batch, checkpoint=keeps, method=method
            )

        layers = self.weights
        item = np.dtype(arrays.dtype_name(layers[0])).itemsize
        members = math.prod(self.batch)
        besides = checks.resident(item * step.besides(layers, members))
        if len(layers) > 1 and self.own is None:
            foreseen = of(layers)
            foreseen = replace(foreseen, work=foreseen.work + besides)
        else:
            d_out, d_in = self.problem.shape
            thin = of((self._flat(1, d_in), self._flat(d_out, 1)), "momentum")  # not in place
            last = self._flat(*layers[-1].shape[:-2], d_out, d_out)
            recorded = of(layers if len(layers) > 1 else (*layers, last))
            held = checks.resident(2 * item * members * math.prod(layers[-1].shape[-2:]))
            image = checks.resident(item * members * d_out * d_in)
            # arrays come and go in every step, which leaves more gaps than arrays that stay
            work = checks.resident(held + max(thin.work, image + besides))
            if self.is_drawn:  # gaps of as much as was drawn beside it, and what does not fit there
                work += held // 2 + image
            foreseen = replace(recorded, work=work, held=thin.held + held)
        foreseen.require(layers[0])

    def _flat(self, *shape: int) -> Array:
        """A layer of zeros that takes no memory."""
        like = self.weights[0]
        zero = np.zeros((), np.dtype(arrays.dtype_name(like)))
        return arrays.like(np.broadcast_to(zero, shape), like)


class _Iterating:
    """Weights, and a way to take steps; see `dlnlab.training.kernels.Stepper`."""

    def __init__(self, problem: Problem, step: Moving, eta: Any, state: State) -> None:
        self._problem, self._step, self._eta = problem, step, eta
        self._number, self._weights, self._moving = state.step, state.weights, None

    def weights(self) -> Weights:
        return self._weights

    def slots(self) -> tuple[()]:
        return ()

    def freeze(self, done: np.ndarray) -> None:
        self._moving = None
        if done.any():
            self._moving = arrays.like(~done, self._weights[0], keep_dtype=True)[..., None, None]

    def advance(self, count: int) -> None:
        for number in range(self._number, self._number + count):
            after = self._step(self._problem, self._weights, self._eta, number)
            if self._moving is not None:
                xp = arrays.namespace(after[0])
                pairs = zip(after, self._weights, strict=True)
                after = tuple(xp.where(self._moving, new, old) for new, old in pairs)
            self._weights = after
        self._number += count

    def calls(self) -> tuple[list[Any], int]:
        return [], 0


def checked_square(problem: Any) -> None:
    """Raise unless `problem` is one of square shape, which U Uᵀ can have.

    Parameters
    ----------
    problem : Problem

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.
    """
    check_problem(problem)
    if problem.shape[0] != problem.shape[1]:
        raise ValueError(
            "`problem` must be of square shape (d, d), since U U^T is, got "
            f"{problem.shape}; use dlnlab.gradient_descent with two layers for others"
        )


def checked_factor(name: str, problem: Problem, value: Any, width: int | None = None) -> Array:
    """Return a factor U of shape (..., d, k) that lives where the problem does.

    Parameters
    ----------
    name : str
        Of the argument, for messages.
    problem : Problem
    value : object
        What was passed.
    width : int or None
        k; any number if None.

    Returns
    -------
    array

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.
    """
    U = checks.matrix(name, value)
    arrays.namespace(problem.reference, U, names=("problem", name))
    columns = U.shape[-1] if width is None else width
    if tuple(U.shape[-2:]) != (problem.shape[0], columns):
        raise ValueError(
            f"`{name}` must have shape (..., {problem.shape[0]}, "
            f"{'k' if width is None else width}), got {tuple(U.shape)}"
        )
    return U
