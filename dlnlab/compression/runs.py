"""Any map weights → weights, run by the loop of gradient descent.

The loop of `dlnlab.training.descent` records, keeps checkpoints, shows progress and freezes members
that are done; here the step is given as a function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dlnlab.networks import Weights
from dlnlab.networks.linear import check_problem
from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array
from dlnlab.problems import Problem
from dlnlab.reductions.choice import Formulation
from dlnlab.training import descent, memory
from dlnlab.training.trajectory import Recorder, Trajectory, check_record

__all__ = ["Iteration", "checked_factor", "checked_square"]

Step = Callable[[Problem, Weights, Any, int], Weights]
"""``step(problem, weights, eta, number)`` returns new weights; it is the `number`-th, from 0 on."""


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
    """

    def __init__(
        self, problem: Problem, weights: Weights, name: str, numbers: Mapping[str, Any]
    ) -> None:
        self.problem, self.name = problem, name
        self.numbers = dict(numbers) | {"eta": checks.per_member("eta", numbers["eta"])}
        self.batch = descent.batch_shape(problem, weights, self.numbers)
        self.weights = weights

    def spread(self, number: Any) -> Any:
        """Return a number, or one for each member in a shape that multiplies matrices."""
        return descent.as_rate(number, self.weights[0])

    def run(
        self,
        step: Step,
        num_steps: Any,
        record_every: Any,
        record: Any,
        tol: Any,
        progress: Any,
        checkpoint: Any,
        checkpoint_every: Any,
    ) -> Trajectory:
        """Take the steps, as `dlnlab.gradient_descent` does its own."""
        names = check_record(record)
        plan = descent.schedule(record_every, checks.integer("num_steps", num_steps, 0))
        tol = checks.nonnegative("tol", tol)
        self._require_memory(1 if tol else plan.count, names, checkpoint is not None)
        weights = tuple(descent.spread(W, self.batch) for W in self.weights)
        whole = Formulation(self.name, self.problem, weights)
        run = _Run(
            whole,
            whole,
            weights,
            [self.spread(number) for number in self.numbers.values()],
            None,
            self.numbers["eta"],
            plan,
            Recorder(self.problem, names),
            tol,
            self.batch,
        )
        run.step, run.rate = step, self.spread(self.numbers["eta"])
        return descent.carry_out(run, progress, checkpoint, checkpoint_every)

    def _require_memory(self, count: int, names: tuple[str, ...], keeps: bool) -> None:
        """Raise unless there is room for the records, and for steps with arrays of their own."""
        layers = self.weights
        if len(layers) == 1:  # foreseen as descent on two layers, the second of them a square
            side = layers[0].shape[-2]
            dtype = np.dtype(arrays.dtype_name(layers[0]))
            square = np.broadcast_to(np.zeros((), dtype), (*layers[0].shape[:-2], side, side))
            layers = (*layers, arrays.like(square, layers[0]))
        of_descent = memory.of_descent(
            self.problem, layers, count, names, self.batch, checkpoint=keeps
        )
        of_descent.require(self.weights[0])


class _Run(descent.Descent):
    """A descent whose steps are those of a given map."""

    step: Step
    rate: Any

    def stepper(self) -> Any:
        return _Stepper(self)


class _Stepper:
    """Weights, and a way to take steps; see `dlnlab.training.kernels.Stepper`."""

    def __init__(self, run: _Run) -> None:
        self._run, self._moving = run, None
        self._number, self._weights = run.state

    def weights(self) -> Weights:
        return self._weights

    def freeze(self, done: np.ndarray) -> None:
        self._moving = None
        if done.any():
            self._moving = arrays.like(~done, self._weights[0], keep_dtype=True)[..., None, None]

    def advance(self, count: int) -> None:
        run = self._run
        for number in range(self._number, self._number + count):
            after = run.step(run.problem, self._weights, run.rate, number)
            if self._moving is not None:
                xp = arrays.namespace(after[0])
                pairs = zip(after, self._weights, strict=True)
                after = tuple(xp.where(self._moving, new, old) for new, old in pairs)
            self._weights = after
        self._number += count

    def calls(self) -> tuple[list[Any], int]:
        return [], 0


def checked_square(problem: Any) -> None:
    """Raise unless `problem` is one of square shape, which U Uᵀ can have."""
    check_problem(problem)
    if problem.shape[0] != problem.shape[1]:
        raise ValueError(
            "`problem` must be of square shape (d, d), since U U^T is, got "
            f"{problem.shape}; use dlnlab.gradient_descent with two layers for others"
        )


def checked_factor(name: str, problem: Problem, value: Any, width: int | None = None) -> Array:
    """Return a factor U of shape (..., d, k) that lives where the problem does."""
    U = checks.matrix(name, value)
    arrays.namespace(problem.reference, U, names=("problem", name))
    columns = U.shape[-1] if width is None else width
    if tuple(U.shape[-2:]) != (problem.shape[0], columns):
        raise ValueError(
            f"`{name}` must have shape (..., {problem.shape[0]}, "
            f"{'k' if width is None else width}), got {tuple(U.shape)}"
        )
    return U
