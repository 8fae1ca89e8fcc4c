"""The network that a descent really runs: the given one, or a smaller one that moves as it does.

For matrix factorization a network with orthogonal layers is one of about 2r + 1 dimensions
(`dlnlab.parsimony`), and a thin network one of at most r̂ + r (`dlnlab.spans`), exactly: results
differ by rounding only.  From a spectral start the latter is r̂ scalar networks.  `choose` takes the
smaller network where it pays.

Both change bases by orthogonal matrices.  Methods that are linear in the gradients commute with
that, and others do not (`dlnlab.methods` has the derivation): Adam divides entry by entry, so that
it takes other steps in other bases, and `choose` refuses it a reduction.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dlnlab import networks
from dlnlab.methods import Method, check_method
from dlnlab.networks import Weights
from dlnlab.numerics import arrays, checks, spectra
from dlnlab.problems import Factorization, Problem
from dlnlab.problems.targets import FactoredTarget
from dlnlab.reductions import parsimony, thin
from dlnlab.reductions.parsimony import NoReductionError
from dlnlab.reductions.reduced import ReducedFactorization

__all__ = ["FORMULATIONS", "Formulation", "choose"]

FORMULATIONS = ("auto", "full", "reduced")

_SMALL = 1e5
"""Flops of a step below which there is nothing to gain: these take about 2 µs on one core, as
little as the calls of the smallest step."""

_SVD_FLOPS = 100
"""What the singular value decomposition of a dense d × d target costs, in units of d³ flops at the
speed of a matrix product: about 22 d³ flops at a quarter of that speed."""


class Formulation(NamedTuple):
    """The problem that is run, and how the given network is read off it.

    Attributes
    ----------
    name : str
        "full" or "reduced".
    problem : Problem
    weights : tuple of L arrays
    view : Reduction, ThinReduction or None
        Has `lift` and `lift_end_to_end`; None if what runs is the network itself.
    """

    name: str
    problem: Problem
    weights: Weights
    view: Any = None


def choose(
    problem: Problem,
    weights: Weights,
    num_steps: int,
    formulation: str = "auto",
    *,
    method: str | Method = "descent",
) -> Formulation:
    """Return the formulation in which a descent is to run.

    The rule for "auto": the reduced network, if the problem is a factorization of one target, the
    network is one (no batch of starts), the method commutes with orthogonal reductions, its step
    takes more than 10⁵ flops and at least twice those of the reduced network, and what the steps
    save exceeds twice what the reduction costs.

    Parameters
    ----------
    problem : Problem
    weights : tuple of L arrays
    num_steps : int
    formulation : {"auto", "full", "reduced"}
    method : str or Method
        Of the descent (`dlnlab.methods`).

    Returns
    -------
    Formulation

    Raises
    ------
    TypeError, ValueError
        If the network does not fit the problem, `formulation` or `method` is none of these, or
        `formulation` is "reduced" and there is no reduction, or none that the method commutes with.
    """
    weights = networks.check_network(problem, weights)
    num_steps = checks.integer("num_steps", num_steps, 0)
    wanted = checks.choice("formulation", formulation, FORMULATIONS)
    method = check_method(method)
    full = Formulation("full", problem, weights)
    if wanted == "reduced" and not method.is_linear:
        raise NoReductionError(
            "`formulation` 'reduced' needs a `method` that is linear in the gradients, which "
            f"commutes with changes of bases, such as 'momentum', got {method!r}; use 'full'"
        )
    if not method.is_linear:
        return full
    if wanted == "full" or (wanted == "auto" and not _worth_trying(problem, weights, num_steps)):
        return full
    try:
        reduced = _reduced(problem, weights)
    except (NoReductionError, _NoRoomError):
        if wanted == "reduced":
            raise
        return full
    saves = 2 * networks.step_flops(reduced.weights) <= networks.step_flops(weights)
    return reduced if saves or wanted == "reduced" else full


class _NoRoomError(ValueError):
    """There is not enough memory to find the smaller network."""


def _worth_trying(problem: Problem, weights: Weights, num_steps: int) -> bool:
    if not _one_factorization(problem) or any(W.ndim > 2 for W in weights):
        return False
    flops = networks.step_flops(weights)
    known = isinstance(problem.target, FactoredTarget) or "target_svd" in vars(problem)
    decomposition = 0 if known else _SVD_FLOPS * max(problem.shape) * min(problem.shape) ** 2
    # the check of orthogonality and the lift are some products of layers, as a step is
    return flops > _SMALL and num_steps * flops > 2 * (decomposition + 4 * flops)


def _one_factorization(problem: Problem) -> bool:
    if not isinstance(problem, Factorization) or isinstance(problem, ReducedFactorization):
        return False
    return isinstance(problem.target, FactoredTarget) or problem.target.ndim == 2


def _reduced(problem: Problem, weights: Weights) -> Formulation:
    """Reduce a thin network by its ends, and any other by its orthogonality."""
    if not _one_factorization(problem) or any(W.ndim > 2 for W in weights):
        raise NoReductionError(
            "`formulation` 'reduced' needs a factorization of one target and one network without "
            f"batch axes, got {problem!r}; use 'full'"
        )
    _check_room(problem, weights)
    rank = problem.target_svd[1].shape[0]
    ends = max(weights[0].shape[0], weights[-1].shape[1]) + rank
    if ends < min(problem.shape):
        narrow = thin.reduce_thin(problem, weights)  # type: ignore[arg-type]
        return Formulation("reduced", narrow.problem, narrow.weights, narrow)
    wide = parsimony.reduce(problem, weights)
    return Formulation("reduced", wide.problem, wide.weights, wide)


def _check_room(problem: Problem, weights: Weights) -> None:
    """Raise unless there is enough memory to decompose the target, look at the layers, and put the
    large network together again.

    A wide network takes four copies of its weights, or one and four of a layer; a thin one its own,
    or the basis of one end and six arrays as large as that of the other.  The factors of a dense
    target's decomposition stay.
    """
    item = np.dtype(arrays.dtype_name(weights[0])).itemsize
    known = isinstance(problem.target, FactoredTarget) or "target_svd" in vars(problem)
    rank = problem.target_svd.s.shape[-1] if known else 1
    sizes = [W.shape[-2] * W.shape[-1] for W in weights]
    finding, kept = 0, 0
    if not known:
        finding, kept = spectra.svd_numbers(problem.shape), 2 * problem.shape[0] * problem.shape[1]
    work = 4 * sum(sizes)
    if max(weights[0].shape[0], weights[-1].shape[1]) + rank < min(problem.shape):
        left = problem.shape[0] * (weights[-1].shape[1] + rank)
        right = problem.shape[1] * (weights[0].shape[0] + rank)
        work = max(sum(sizes), left + 6 * right)
    try:
        checks.fits_in_memory(
            "`formulation`: finding a reduced network",
            checks.resident(item * max(finding, kept + work)),
            weights[0],
            remedy="use 'full'",
        )
    except ValueError as error:
        raise _NoRoomError(*error.args) from None
