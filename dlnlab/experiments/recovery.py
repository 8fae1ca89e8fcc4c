"""Networks side by side on one problem: what every figure of the paper does.

Where the problem is a factorization the networks run in their exact reductions: the original
network in its invariant subspace of 2r + 1 dimensions (`dlnlab.parsimony`), the compressed one
between the subspaces its outer layers never leave (`dlnlab.spans`).  These are the same
trajectories, up to rounding, for a twentieth of the time or less.  The cost of a step of the
network itself is measured beside it, since the figures show time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlnlab.networks import Weights, check_network, check_problem, check_weights
from dlnlab.numerics import checks
from dlnlab.problems import Problem
from dlnlab.progress import Progress
from dlnlab.reductions import choice
from dlnlab.reductions.parsimony import NoReductionError
from dlnlab.results import presenter
from dlnlab.training import descent
from dlnlab.training.trajectory import Trajectory

__all__ = [
    "TIMED_SECONDS",
    "Curve",
    "Network",
    "Runs",
    "descend",
    "reduced",
    "run",
    "step_cost",
    "steps_to",
    "steps_to_end",
]

TIMED_SECONDS = 0.3
"""How long steps are taken to measure their cost."""


@dataclass(frozen=True)
class Network:
    """A network to run: its initial weights and its step sizes.

    Attributes
    ----------
    weights : tuple of L arrays
    eta : float
        Step size η.
    alpha : float
        Factor on the step of the first and the last layer.

    Raises
    ------
    TypeError, ValueError
        If the weights are no network of finite matrices, or a step size is not positive.
    """

    weights: Weights
    eta: float
    alpha: float = 1.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "weights", check_weights(self.weights, are_finite=True))
        checks.positive("eta", self.eta)
        checks.positive("alpha", self.alpha)


@dataclass(frozen=True)
class Curve:
    """The errors, the losses and the cost of one network along its run.

    Attributes
    ----------
    steps : array of int, shape (records,)
    losses, errors : array, shape (records,)
        The loss, and ‖W − M*‖_F (None where the target is unknown).
    singular_values : array, shape (records, k), or None
        The leading ones, where they were asked for.
    status : str
        "completed", "converged" or "diverged".
    seconds_per_step : float
        Processor time on this machine, which others that use it do not prolong, of a step of the
        network itself.
    reduced : bool
        Whether the run was made in an exact reduction.
    """

    steps: np.ndarray
    losses: np.ndarray
    errors: np.ndarray | None
    singular_values: np.ndarray | None
    status: str
    seconds_per_step: float
    reduced: bool


@dataclass(frozen=True, repr=False)
class Runs:
    """Networks run on the same problem.

    Attributes
    ----------
    problem : Problem
    curves : dict of Curve, by the networks' names
    """

    problem: Problem = field(repr=False)
    curves: Mapping[str, Curve]

    def __repr__(self) -> str:
        return self.summary()

    def _repr_html_(self) -> str:
        return presenter("report").runs_cell(self)

    def __getitem__(self, name: str) -> Curve:
        return self.curves[name]

    def plot(self, figure: Any = None) -> Any:
        """Draw the errors against iterations and against time; return the Matplotlib figure.

        Parameters
        ----------
        figure : matplotlib.figure.Figure, optional
            To draw into; a new one by default.

        Returns
        -------
        matplotlib.figure.Figure
        """
        return presenter("plotting.display").shown_once(
            presenter("plotting.experiments").runs, self, figure
        )

    def summary(self) -> str:
        """Return one line per network: how it ended, after how many steps, how close.

        Returns
        -------
        str
        """
        width = max(len(name) for name in self.curves)
        lines = []
        for name, curve in self.curves.items():
            size = curve.losses if curve.errors is None else curve.errors
            what = "loss" if curve.errors is None else "error"
            seconds = curve.seconds_per_step * curve.steps[-1]
            lines.append(
                f"{name.ljust(width)}  {curve.status} after {curve.steps[-1]} steps "
                f"({seconds:.2g} s), {what} {size[-1]:.2e}"
            )
        return "\n".join(lines)


def run(
    problem: Problem,
    networks: Mapping[str, Network],
    *,
    num_steps: int,
    tol: float = 0.0,
    record_every: int = 100,
    num_singular_values: int = 0,
    progress: bool = False,
) -> Runs:
    """Run networks on a problem by gradient descent, each with its own step sizes.

    Parameters
    ----------
    problem : Problem
    networks : mapping from names to Network
        Any number of them.
    num_steps : int
        Most steps taken.
    tol : float
        A run ends once its loss is ≤ `tol`; looked at when a record is taken.
    record_every : int
        Steps between records.
    num_singular_values : int
        How many of the leading singular values to keep at each record.
    progress : bool
        Show a line on the terminal.

    Returns
    -------
    Runs

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.

    Examples
    --------
    >>> import dlnlab
    >>> from dlnlab.experiments import Network, run
    >>> M = dlnlab.random_target((30, 30), 2, rng=0)
    >>> problem = dlnlab.factorization(M)
    >>> networks = {
    ...     "wide": Network(dlnlab.original_weights(M.shape, 3, 0.1, rng=0), eta=0.2),
    ...     "narrow": Network(dlnlab.compressed_weights(problem, 4, 3, 0.1), eta=0.2, alpha=2.0),
    ... }
    >>> runs = run(problem, networks, num_steps=2000, tol=1e-4, record_every=10)
    >>> [curve.status for curve in runs.curves.values()]
    ['converged', 'converged']
    """
    check_problem(problem)
    if not isinstance(networks, Mapping) or len(networks) == 0:
        raise TypeError(
            "`networks` must be a mapping from names to dlnlab.experiments.Network, "
            f"got {checks.describe(networks)}"
        )
    for name, network in networks.items():
        if not isinstance(network, Network):
            raise TypeError(
                f"`networks[{name!r}]` must be a dlnlab.experiments.Network, "
                f"got {checks.describe(network)}"
            )
        check_network(problem, network.weights)
    count = checks.integer("num_singular_values", num_singular_values, 0)
    checks.integer("num_steps", num_steps, 0)
    checks.integer("record_every", record_every, 1)
    checks.nonnegative("tol", tol)
    Progress(progress, num_steps, "step")
    quantities = ("loss", "error", *(("singular_values",) if count else ()))
    options = {"num_steps": num_steps, "record_every": record_every, "tol": tol}
    curves = {}
    for name, network in networks.items():
        trajectory, is_reduced = descend(
            problem, network, record=quantities, progress=progress, **options
        )
        curves[name] = _curve(trajectory, step_cost(problem, network), is_reduced, count)
    return Runs(problem, curves)


def descend(
    problem: Problem, network: Network, *, record: Sequence[str], **options: Any
) -> tuple[Trajectory, bool]:
    """Run one network; return its trajectory, and whether it was reduced.

    In a reduction losses, errors and the leading singular values are the network's own; weights and
    layers are those of the reduction.

    Parameters
    ----------
    problem : Problem
    network : Network
    record : sequence of str
        As for `dlnlab.gradient_descent`.
    **options
        As for `dlnlab.gradient_descent`.

    Returns
    -------
    (Trajectory, bool)
    """
    steps: dict[str, Any] = {"eta": network.eta, "alpha": network.alpha}
    small = reduced(problem, network.weights)
    if small is None:
        options |= {"record": record, "formulation": "full"}
        return descent.gradient_descent(problem, network.weights, **steps, **options), False
    return descent.gradient_descent(small[0], small[1], record=record, **steps, **options), True


def reduced(problem: Problem, weights: Weights) -> tuple[Problem, Weights] | None:
    """Return an exact smaller problem and network with the same trajectory, where there is one.

    Parameters
    ----------
    problem : Problem
    weights : tuple of L arrays, shapes (..., d_l, d_{l−1})

    Returns
    -------
    (Problem, tuple of L arrays, shapes (..., d_l, d_{l−1})) or None
    """
    try:
        small = choice.choose(problem, weights, 0, "reduced")
    except NoReductionError:
        return None
    return small.problem, small.weights


def steps_to_end(steps: np.ndarray, status: str) -> float:
    """Return after how many steps a run came to its `tol`: infinite if never, NaN if it diverged.

    Parameters
    ----------
    steps : array of int, shape (records,)
    status : str
        How the run ended; see `Curve`.

    Returns
    -------
    float

    Examples
    --------
    >>> steps = np.array([0, 100, 200])
    >>> [steps_to_end(steps, status) for status in ("converged", "completed", "diverged")]
    [200.0, inf, nan]
    """
    if status == "diverged":
        return math.nan
    return float(steps[-1]) if status == "converged" else math.inf


def steps_to(problem: Problem, network: Network, settings: Mapping[str, Any]) -> float:
    """Return after how many steps a network's loss is ≤ `tol`; see `steps_to_end`.

    `settings` holds "num_steps", "tol" and "record_every".

    Parameters
    ----------
    problem : Problem
    network : Network
    settings : mapping

    Returns
    -------
    float
    """
    options = {name: settings[name] for name in ("num_steps", "tol", "record_every")}
    run, _ = descend(problem, network, record=("loss",), **options)
    return steps_to_end(run.steps, run.status.value)


def step_cost(problem: Problem, network: Network) -> float:
    """Return the processor time, in seconds, that a step of a network takes on this machine.

    Parameters
    ----------
    problem : Problem
    network : Network

    Returns
    -------
    float
    """
    quiet: dict[str, Any] = {"record": (), "record_every": 10**9, "formulation": "full"}
    count, spent = 1, 0.0
    while spent < TIMED_SECONDS / 2:
        started = time.process_time()
        descent.gradient_descent(
            problem, network.weights, eta=network.eta, num_steps=count, **quiet
        )
        spent = time.process_time() - started
        count *= 2
    return spent / (count // 2)


def _curve(run: Trajectory, cost: float, is_reduced: bool, count: int) -> Curve:
    values = None if run.singular_values is None else np.asarray(run.singular_values)[:, :count]
    errors = None if run.errors is None else np.asarray(run.errors)
    losses = np.asarray(run.losses)
    return Curve(run.steps, losses, errors, values, run.status.value, cost, is_reduced)
