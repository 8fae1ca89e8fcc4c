"""Both gradient flows of many cases at once, with a bound on the numerical error of each.

The wide networks of one shape, depth and ε are integrated as one batch, twice: the distance to a
run a hundred times looser bounds the error, as in `dlnlab.flow.original`.  The compressed flows are
evaluated in closed form.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.flow import gradient_flow
from dlnlab.flow.compressed import CompressedFlow
from dlnlab.flow.two_runs import LOOSER, bound_nearby
from dlnlab.lab.cases import Case, random_cases
from dlnlab.numerics import decompositions
from dlnlab.training.trajectory import Status, Trajectory

__all__ = [
    "EVEN",
    "GROUPS",
    "LARGEST_TIME",
    "LOOSER_STEP",
    "PATIENCE",
    "RTOL",
    "Group",
    "bounded_flow",
    "draw_groups",
    "integrate",
    "integrate_loosely",
    "law_of",
    "quiet_flow",
    "time_grid",
]

RTOL = 1e-10

EVEN = 40
"""Evenly spread times, beside those at which modes rise."""

PATIENCE = 4.0
"""How long a flow is followed, in units of the time the compressed network takes: random starts
take 1 to 3 of them."""

LARGEST_TIME = 1500.0
"""No flow is followed longer than this over Lσ_1*^{2−2/L}, the shortest time it has, once its first
mode has fitted, however slow its last one."""

LOOSER_STEP = 5.5
"""Cap on the steps of a looser run, in units of 1/λ; the method is stable to about 6."""

Group = tuple[tuple[int, int], int, float, int | None]
"""Shape, L, ε and hidden width of a batch."""

GROUPS: tuple[Group, ...] = (
    ((2, 2), 2, 0.1, None),
    ((3, 3), 2, 0.4, None),
    ((2, 3), 2, 0.3, 2),
    ((3, 3), 3, 0.2, None),
    ((4, 4), 3, 0.4, None),
    ((4, 2), 3, 0.3, 2),
    ((3, 3), 4, 0.4, None),
    ((2, 2), 5, 0.5, None),
    ((5, 5), 3, 0.3, None),
    ((3, 3), 3, 0.8, None),
)
"""The batches: small enough that a search meets the bad directions,
with balanced rectangular ones, and one whose start is above the smaller targets."""


def draw_groups(
    rng: np.random.Generator,
    total: int,
    *,
    enough_rank: bool = True,
    groups: Sequence[Group] = GROUPS,
    batch: int = 400,
) -> Iterator[list[Case]]:
    """Draw about `total` cases in batches of one shape, L, ε and width.

    Parameters
    ----------
    rng : numpy.random.Generator
    total : int
    enough_rank : bool
        Whether r̂ ≥ r.
    groups : sequence of Group
    batch : int
        Cases in a batch.

    Yields
    ------
    list of Case
    """
    share = max(1, total // len(groups))
    for shape, depth, eps, width in groups:
        for done in range(0, share, batch):
            count = min(batch, share - done)
            options: dict[str, Any] = {"enough_rank": enough_rank, "width": width}
            yield random_cases(rng, count, shape, depth, eps, **options)


def quiet_flow(*args: Any, **options: Any) -> Trajectory:
    """Run `dlnlab.gradient_flow` without warnings of overflow.

    Off a plateau the method may try a step far too long; it overflows, is rejected and shortened.

    Parameters
    ----------
    *args
        As of `dlnlab.gradient_flow`.
    **options
        As of `dlnlab.gradient_flow`.

    Returns
    -------
    Trajectory
    """
    with np.errstate(over="ignore", invalid="ignore"):
        return gradient_flow(*args, **options)


def law_of(case: Case) -> CompressedFlow:
    """Return the compressed flow of a case.

    Parameters
    ----------
    case : Case

    Returns
    -------
    CompressedFlow
    """
    return CompressedFlow(case.values[: case.rank], case.r_hat, case.depth, case.eps, 1.0)


def time_grid(cases: Sequence[Case]) -> np.ndarray:
    """Times at which modes rise, evenly spread ones, and 0.

    Parameters
    ----------
    cases : sequence of Case
        Of one shape, depth, ε and width.

    Returns
    -------
    array
    """
    first = cases[0]
    flat = np.concatenate([case.values[: case.rank] for case in cases])
    largest = float(np.max(flat))
    law = CompressedFlow(np.quantile(flat, [1, 0.5, 0]), 1, first.depth, first.eps, 1.0)
    fitted = PATIENCE * law.horizon(0.05)
    rate = first.depth * largest ** (2 - 2 / first.depth)
    t_end = min(fitted, float(law.fitting_times(0.05)[0]) + LARGEST_TIME / rate)
    rises = law.rises(t_end)
    even = np.linspace(0, t_end, EVEN)
    return np.unique(even if rises is None else np.concatenate([even, rises]))


def bounded_flow(
    problem: Any,
    weights: networks.Weights,
    times: np.ndarray,
    *,
    rtol: float = RTOL,
    stop: Callable[[float, np.ndarray], float] | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Integrate a batch of wide networks, with a bound on the error of each.

    Parameters
    ----------
    problem, weights
        The batch and its start.
    times : array, shape (records,)
        Positive, increasing.
    rtol : float
    stop : callable, optional
        As in `dlnlab.gradient_flow`; the end is then recorded too.

    Returns
    -------
    times : array, shape (records,)
        0 and those times that were reached.
    blocks : array, shape (records, batch, d_out, d_in)
        End-to-end matrices.
    accuracy : array, shape (records, batch)
        Bound on their Frobenius error.

    Raises
    ------
    RuntimeError
        If the flow ends before its last time without being stopped.
    """
    times, tight = integrate(problem, weights, times, rtol, stop)
    loose = networks.prefix_products(integrate(problem, weights, times[1:], LOOSER * rtol)[1])[-1]
    blocks = networks.prefix_products(tight)[-1]
    distance = np.linalg.norm(blocks - loose, axis=(-2, -1))
    return times, blocks, bound_nearby(distance) + _local_error(tight, rtol)


def integrate_loosely(
    problem: Any, weights: networks.Weights, times: np.ndarray
) -> networks.Weights:
    """Return the layers at 0 and at the times asked for, of a run of `LOOSER` tolerances.

    Its steps are longer, too, once stability limits them.

    Parameters
    ----------
    problem, weights, times
        As in `integrate`.

    Returns
    -------
    tuple of L arrays, shapes (..., d_l, d_{l−1})
    """
    return integrate(problem, weights, times, LOOSER * RTOL, stability=LOOSER_STEP)[1]


def integrate(
    problem: Any,
    weights: networks.Weights,
    times: np.ndarray,
    rtol: float,
    stop: Any = None,
    stability: float | None = None,
) -> tuple[np.ndarray, networks.Weights]:
    """Return 0 and the times that a flow reached of those asked for, and its layers there.

    Parameters
    ----------
    problem : Problem
    weights : tuple of L arrays, shapes (batch, d_l, d_{l−1})
    times : array, shape (records,)
        Positive, increasing.
    rtol : float
    stop : callable, optional
        As in `dlnlab.gradient_flow`.
    stability : float, optional
        As in `dlnlab.gradient_flow`.

    Returns
    -------
    (array, tuple of L arrays, shapes (..., d_l, d_{l−1}))

    Raises
    ------
    RuntimeError
        If the flow ends early, other than by `stop` or by standing still.
    """
    run = quiet_flow(
        problem,
        weights,
        t_end=float(times[-1]),
        rtol=rtol,
        times=times,
        record=("layers",),
        stationarity=0.0,
        stop=stop,
        stability=stability,
    )
    assert run.layers is not None  # asked for
    if run.status is Status.STOPPED:
        return run.times, run.layers
    missing = times.size + 1 - run.times.size
    if missing and run.status is Status.STATIONARY:  # the velocity is zero, and remains so
        layers = tuple(np.concatenate([W, *[W[-1:]] * missing]) for W in run.layers)
        return np.concatenate([[0.0], times]), layers
    if missing:
        raise RuntimeError(f"the flow ended at t = {run.times[-1]:g}: {run.status}")
    return run.times, run.layers


def _local_error(layers: networks.Weights, rtol: float) -> np.ndarray:
    """What one step's tolerance permits: Σ_l rtol ‖W_l‖_F ∏_{k≠l} ‖W_k‖₂, twice over for atol."""
    norms = np.stack([decompositions.norm_bounds(W) for W in layers])
    total = np.zeros(norms.shape[1:])
    for layer, W in enumerate(layers):
        others = np.prod(np.delete(norms, layer, axis=0), axis=0)
        total += 2 * rtol * np.linalg.norm(W, axis=(-2, -1)) * others
    return total
