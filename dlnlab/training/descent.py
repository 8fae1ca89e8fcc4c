"""Gradient descent on all layers of a deep linear network (Eq. 2 and Algorithm 1)."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.methods import Descent, Method, check_method
from dlnlab.networks import Weights
from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array
from dlnlab.problems import Problem
from dlnlab.reductions import choice
from dlnlab.reductions.choice import Formulation
from dlnlab.reductions.parsimony import NoReductionError
from dlnlab.training import kernels, memory, storage
from dlnlab.training.loop import Form, Loop, RecordSteps, State, check_records
from dlnlab.training.minibatches import Minibatches, seed_of
from dlnlab.training.objective import LinearNetwork, check_record, recorder
from dlnlab.training.trajectory import Trajectory

__all__ = ["as_rate", "batch_shape", "gradient_descent", "sizes", "spread"]


def gradient_descent(
    problem: Problem,
    weights: Sequence[Array],
    *,
    eta: Any,
    alpha: Any = 1.0,
    weight_decay: Any = 0.0,
    num_steps: int,
    record_every: int | Sequence[int] = 1,
    record: Sequence[str] = ("loss", "error", "singular_values"),
    tol: float = 0.0,
    formulation: str = "auto",
    method: str | Method = "descent",
    minibatch: int | None = None,
    rng: np.random.Generator | int = 0,
    progress: Any = False,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 10.0,
) -> Trajectory:
    """Run gradient descent W_l ← (1 − η_l μ) W_l − η_l ∇_{W_l} ℓ(W_{L:1}) on all layers at once.

    Another `method` takes other steps with the same gradients.  Without
    weight decay, μ = 0, this is Eq. (2); with it, descent on ℓ + (μ/2) Σ_l ‖W_l‖_F².

    Parameters
    ----------
    problem : Problem
    weights : sequence of L arrays
        Initial weights, shapes (..., d_l, d_{l−1}); not changed.  Batch axes run side by side.
        They are computed with in single or double precision, whichever they have, and in double if
        they have another.
    eta : float or array
        Step size η > 0; an array broadcasts over the batch axes, one step size per member.
    alpha : float or array
        Factor α > 0 on the step of the first and last layer (Algorithm 1): η_l = αη there, η_l = η
        in between.
    weight_decay : float or array
        μ ≥ 0, or one for each member.  A layer decays by its own step size, so by αημ in the first
        and last one.  What is recorded as the loss, and compared with `tol`, is ℓ itself.
    num_steps : int
        Number of steps, ≥ 0.
    record_every : int or sequence of ints
        Record every so many steps, or after exactly these numbers of steps.  The start and the end
        are always recorded.
    record : sequence of str
        Among "loss", "error", "singular_values", "alignment", "end_to_end", "imbalance", "layers".
        What needs an unknown target is left out; with no names only steps and times are recorded.
    tol : float
        A member ends once its loss is ≤ `tol`; looked at when a record is taken.  So is divergence.
    formulation : {"auto", "full", "reduced"}
        "reduced" runs a smaller network that moves in the same way and reads the given one off it,
        which for a factorization is faster and differs by rounding; "full" runs the layers as they
        are; "auto" chooses (`dlnlab.formulations`).
    method : str or Method
        What a step does with the gradients (`dlnlab.methods`): "descent", the step above,
        "momentum" (heavy ball), "nesterov" or "adam" with their usual parameters, or an object such
        as ``dlnlab.methods.Adam(beta1=0.8)``.  With weight decay a method is given the gradients of
        ℓ + (μ/2) Σ_l ‖W_l‖_F².
    minibatch : int, optional
        Measurements that a step sees, b ≤ m; all of them by default.  Entries are the measurements
        of a factorization, observed ones those of a completion.  In every epoch of ⌈m/b⌉ steps each
        is seen once, in an order that is drawn anew; the gradients are those of the chosen
        measurements times m/b, ∇ℓ on average.  Records are of the loss of all measurements.  Such
        steps commute with no reduction.
    rng : numpy.random.Generator or int
        Source of randomness, or a seed, of these orders.
    progress : bool or callable
        True shows a line on the terminal; a callable gets (step, num_steps, largest loss).
    checkpoint : path, optional
        File to keep the state in.  If it exists the run continues from it, with results identical
        bit for bit to an uninterrupted run on the same machine; more `num_steps` may be asked for.
    checkpoint_every : float
        Seconds between writes of the checkpoint.

    Returns
    -------
    Trajectory
        With status COMPLETED, CONVERGED or DIVERGED; an array of them for a batch, whose converged
        members are frozen while the others go on.  Without a step taken its `weights` are the given
        arrays themselves, no copies.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range, the run would not fit in memory, or the
        checkpoint cannot be written, is in use, or belongs to another run.
    Interrupted
        On Ctrl-C, after the checkpoint has been written; its `run` holds the record so far.

    Warns
    -----
    Unsaved
        If the checkpoint can no longer be written, as on a full disk.  The run goes on, tries
        again when it is due, and is returned.

    Examples
    --------
    >>> import dlnlab
    >>> M = dlnlab.random_target((20, 20), 2, rng=0)
    >>> problem = dlnlab.factorization(M)
    >>> narrow = dlnlab.compressed_weights(problem, r_hat=2, depth=3, eps=0.1)
    >>> run = dlnlab.gradient_descent(problem, narrow, eta=0.2, num_steps=1000, tol=1e-20)
    >>> run.status, bool(run.errors[-1] < 1e-9)
    (<Status.CONVERGED: 'converged'>, True)
    """
    steps = {"eta": eta, "alpha": alpha, "weight_decay": weight_decay}
    keeps = checkpoint is not None
    run = _prepare(
        *(problem, weights, steps, num_steps, record_every, record, tol),
        *(formulation, method, keeps, minibatch, rng),
    )
    return run.loop().run(progress, checkpoint, checkpoint_every)


@dataclass
class _Prepared:
    """A descent that has been checked: what is to run, and how."""

    given: Formulation
    running: Formulation
    weights: Weights
    rates: list[Any]
    decay: Any
    eta: Any
    method: Method
    records: RecordSteps
    names: tuple[str, ...]
    tol: float
    batch: tuple[int, ...]
    minibatches: Minibatches | None

    def loop(self) -> Loop:
        """Return the loop that runs it."""
        objective = LinearNetwork(self.running.problem, self.running.view, self.minibatches)
        return Loop(
            objective,
            functools.partial(self._stepper, objective),
            self.method,
            State(0, self.weights, kernels.zeros(self.method, self.weights)),
            lambda step: self.eta * step,
            self.records,
            recorder(self.running.problem, self.names),
            Form(sizes(self.given.weights) | sizes(self.weights, is_running=True)),
            self.fingerprint,
            tol=self.tol,
            batch=self.batch,
        )

    def _stepper(self, objective: LinearNetwork, state: State) -> kernels.Stepper:
        """Return what takes steps from a state; plain descent has ways of its own."""
        step, weights, slots = state
        if isinstance(self.method, Descent) and self.minibatches is None:
            problem = self.running.problem
            return kernels.stepper(
                kernels.Run(problem, weights, self.rates, self.decay, self.batch)
            )
        return kernels.Stateful(
            objective.gradients, weights, self.rates, self.decay, self.method, slots, step
        )

    def fingerprint(self) -> str:
        """Hash everything that determines the run, the number of steps excepted."""
        settings = (self.records.every, list(self.records.steps), self.names, self.tol)
        name = self.given.name
        digest = hashlib.sha256(f"{self.given.problem.fingerprint()}{name}{settings}".encode())
        decay = 0.0 if self.decay is None else self.decay
        for array in (*self.given.weights, *self.rates, self.eta, decay):
            arrays.feed(digest, array)
        if not isinstance(self.method, Descent):
            digest.update(repr(self.method).encode())
        if self.minibatches is not None:
            digest.update(f"{self.minibatches.size} {self.minibatches.seed}".encode())
        return digest.hexdigest()


def sizes(weights: Weights, is_running: bool = False) -> dict[str, int]:
    """Return the sizes d_0…d_L of the layers by the names that a checkpoint has for them.

    Parameters
    ----------
    weights : tuple of L arrays, shapes (..., d_l, d_{l−1})
    is_running : bool
        Whether of the network that runs, not of the one that was given.

    Returns
    -------
    dict
    """
    found = [int(weights[0].shape[-1]), *(int(W.shape[-2]) for W in weights)]
    return dict(zip(storage.axis_names(len(weights), is_running), found, strict=True))


def _prepare(
    problem: Problem,
    weights: Any,
    steps: dict[str, Any],
    num_steps: Any,
    record_every: Any,
    record: Any,
    tol: Any,
    wanted: Any,
    method: Any,
    keeps: bool,
    minibatch: Any,
    rng: Any,
) -> _Prepared:
    """Check the arguments, choose what to run, and bring it to the common batch shape.

    Nothing that takes memory happens before it is known that there is enough.
    """
    given, weights = weights, networks.check_network(problem, weights)
    names = check_record(record)
    records = check_records(record_every, num_steps)
    method = check_method(method)
    tol = checks.nonnegative("tol", tol)
    steps = {k: checks.per_member(k, x, zero=k == "weight_decay") for k, x in steps.items()}
    eta, alpha, decay = steps.values()
    batch = batch_shape(problem, weights, steps)
    minibatches = _check_minibatches(problem, minibatch, rng)
    if minibatches is not None:
        wanted = _full(wanted)
    run = choice.choose(problem, weights, records.num_steps, wanted, method=method)
    certain = 1 if tol else records.count  # a run may converge long before its last step
    foreseen = memory.of_descent(
        *(problem, given, certain, names, batch, run, keeps), method=method, minibatch=minibatch
    )
    foreseen.require(weights[0])
    outer, inner = (as_rate(rate, weights[0]) for rate in (alpha * eta, eta))
    rates = [outer, *[inner] * (len(weights) - 2), outer]
    shrink = as_rate(decay, weights[0]) if np.any(decay) else None
    whole = Formulation(run.name, problem, weights)
    moving = tuple(spread(W, batch) for W in run.weights)
    settings = (eta, method, records, names, tol, batch, minibatches)
    return _Prepared(whole, run, moving, rates, shrink, *settings)


def _check_minibatches(problem: Problem, size: Any, rng: Any) -> Minibatches | None:
    """Return which measurements each step sees, None if it sees all of them."""
    checks.random_source("rng", rng)
    if size is None:
        return None
    if problem.batch:
        raise ValueError(
            "`minibatch` must be None for a problem with batch axes, whose members have "
            f"measurements of their own, got {checks.describe(size)}; run them one by one"
        )
    count = problem.places.size
    return Minibatches(count, checks.integer("minibatch", size, 1, count), seed_of(rng))


def _full(wanted: Any) -> str:
    """Return the formulation of a run with minibatches, or raise if another one is asked for."""
    if checks.choice("formulation", wanted, choice.FORMULATIONS) == "reduced":
        raise NoReductionError(
            "`formulation` 'reduced' needs gradients of all measurements, and `minibatch` asks for "
            "those of some, which lie in no smaller space; use 'full'"
        )
    return "full"


def batch_shape(problem: Problem, weights: Weights, steps: dict[str, Any]) -> tuple[int, ...]:
    """Return the batch axes that the weights, the problem and the step sizes broadcast to.

    Parameters
    ----------
    problem : Problem
    weights : tuple of L arrays, shapes (..., d_l, d_{l−1})
    steps : dict of str to float or array
        Step sizes and the like, by the names of their arguments.

    Returns
    -------
    tuple of int

    Raises
    ------
    ValueError
        If they do not.
    """
    problem.samples(weights[-1])  # raises if it can do with single networks only
    shapes = [weights[0].shape[:-2], problem.batch]
    shapes += [x.shape for x in steps.values() if arrays.is_array(x)]
    try:
        return np.broadcast_shapes(*(tuple(shape) for shape in shapes))
    except ValueError as error:
        names = ", ".join(f"`{name}`" for name in steps)
        raise ValueError(
            f"{names}, `weights` and `problem` must have batch axes that broadcast, got "
            f"{[tuple(shape) for shape in shapes]}"
        ) from error


def spread(W: Array, batch: tuple[int, ...]) -> Array:
    """Return a layer with all batch axes of a run.

    Parameters
    ----------
    W : array, shape (..., d_l, d_{l−1})
        A layer.
    batch : tuple of int
        Batch axes.

    Returns
    -------
    array, shape (*batch, d_l, d_{l−1})
    """
    xp = arrays.namespace(W)
    shape = (*batch, *W.shape[-2:])
    return W if tuple(W.shape) == shape else xp.broadcast_to(W, shape)


def as_rate(rate: Any, reference: Array) -> Any:
    """A step size as a float, or as an array that multiplies batched matrices.

    Parameters
    ----------
    rate : float or array, shape (*batch)
    reference : array
        Whose library and device, and dtype, count.

    Returns
    -------
    float, or array of shape (*batch, 1, 1)
    """
    return arrays.like(rate[..., None, None], reference) if np.ndim(rate) else float(rate)
