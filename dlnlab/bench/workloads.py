"""What a row runs: the data of a problem, a start, and a step size, as NumPy arrays.

The step size is a tenth of 1/K, where K bounds the curvature of the loss as a function of all
layers.  With w ≥ ‖W_l‖ for all l, and G the gradient with respect to W_{L:1}, the second derivative
of ℓ(W_{L:1}) in a direction (δ_1, …, δ_L) of norm 1 is at most

    K = ‖A‖² (L w^{2L−2} + (L−1) σ_1 w^{L−2}),   w = max(ε, σ_1^{1/L}):

the first term because ‖δW_{L:1}‖ ≤ √L w^{L−1}, the second because ‖G‖ ≤ ‖A‖²σ_1 for ‖W‖ ≤ σ_1 and
Σ_{l≠m} ‖δ_l‖‖δ_m‖ ≤ L − 1.  So every run descends, however long it is timed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse

from dlnlab import networks, problems
from dlnlab.networks import Weights
from dlnlab.numerics import arrays
from dlnlab.numerics.arrays import Array
from dlnlab.problems import Problem, targets
from dlnlab.problems.targets import FactoredTarget

__all__ = [
    "DEPTH",
    "EPS",
    "TOP",
    "Workload",
    "completion",
    "compressed",
    "factorization",
    "narrow",
    "sampled",
    "sensing",
    "stacked",
    "wide",
]

DEPTH, EPS = 3, 0.1
TOP = 10.0
"""σ_1 of the targets."""


@dataclass(frozen=True)
class Workload:
    """A problem with a starting network and a step size.

    Attributes
    ----------
    kind : {"factorization", "completion", "sampled", "sensing"}
    data : mapping
        Arrays by name: M; M and mask; rows, columns and values; A and y.
    weights : tuple of L arrays
    eta : float
    curvature : float
        The bound K of the module's docstring.
    """

    kind: str
    data: Mapping[str, Any]
    weights: Weights
    eta: float = float("nan")
    curvature: float = float("nan")

    @property
    def widths(self) -> tuple[int, ...]:
        """The widths d_0, …, d_L."""
        return (self.weights[0].shape[-1], *(W.shape[-2] for W in self.weights))

    @property
    def batch(self) -> int:
        """Number of members side by side."""
        return int(np.prod(self.weights[0].shape[:-2]))

    @property
    def count(self) -> int:
        """Number of measurements, where they are listed one by one."""
        measured = self.data.get("y", self.data.get("values"))
        return 0 if measured is None else int(measured.shape[0])

    def member(self, k: int) -> Workload:
        """Return one member of a stack.

        Parameters
        ----------
        k : int

        Returns
        -------
        Workload
        """
        if self.weights[0].ndim == 2:
            return self
        return replace(self, weights=tuple(W[k] for W in self.weights))

    def problem(self, reference: Array) -> Problem:
        """Return the problem for the engine, where `reference` lives.

        Parameters
        ----------
        reference : array
            Where it is measured.

        Returns
        -------
        Problem
        """
        return _PROBLEMS[self.kind](self.data, self.widths, reference)

    def start(self, reference: Array) -> Weights:
        """Return the weights where `reference` lives.

        Parameters
        ----------
        reference : array
            Where it is measured.

        Returns
        -------
        tuple of L arrays, shapes (..., d_l, d_{l−1})
        """
        return tuple(arrays.like(W, reference) for W in self.weights)


def _on(reference: Array, value: Any) -> Any:
    if isinstance(value, FactoredTarget):
        return FactoredTarget(*(arrays.like(part, reference) for part in value.svd))
    return arrays.like(value, reference, keep_dtype=True)


def _factorization_problem(data: Mapping[str, Any], widths: Any, reference: Array) -> Problem:
    return problems.factorization(_on(reference, data["M"]))


def _completion_problem(data: Mapping[str, Any], widths: Any, reference: Array) -> Problem:
    return problems.completion(_on(reference, data["M"]), _on(reference, data["mask"]))


def _sampled_problem(data: Mapping[str, Any], widths: Any, reference: Array) -> Problem:
    """A sparse array on the host; elsewhere a dense mask, since SciPy's patterns live here."""
    shape = (widths[-1], widths[0])
    observed = scipy.sparse.coo_array(
        (data["values"], (data["rows"], data["columns"])), shape=shape
    )
    if arrays.is_host(reference):
        return problems.completion(observed)
    mask = np.zeros(shape, dtype=bool)
    mask[data["rows"], data["columns"]] = True
    return problems.completion(_on(reference, observed.toarray()), _on(reference, mask))


def _sensing_problem(data: Mapping[str, Any], widths: Any, reference: Array) -> Problem:
    return problems.sensing(_on(reference, data["A"]), _on(reference, data["y"]))


_PROBLEMS = {
    "factorization": _factorization_problem,
    "completion": _completion_problem,
    "sampled": _sampled_problem,
    "sensing": _sensing_problem,
}


def factorization(d: int, rank: int, factored: bool = False) -> Workload:
    """Make the factorization of a random d × d target.

    Parameters
    ----------
    d : int
    rank : int
        r.
    factored : bool
        Whether as a `FactoredTarget`.

    Returns
    -------
    Workload
    """
    s = np.linspace(TOP, TOP / rank, rank)
    M = targets.random_target((d, d), rank, rng=0, singular_values=s, factored=factored)
    return Workload("factorization", {"M": M}, ())


def completion(d: int, rank: int, fraction: float) -> Workload:
    """A d × d target of which a share of the entries is observed, as a dense mask.

    Parameters
    ----------
    d : int
    rank : int
        r.
    fraction : float
        Share of observed entries.

    Returns
    -------
    Workload
    """
    M = factorization(d, rank).data["M"]
    mask = targets.random_mask((d, d), fraction, rng=0)
    return Workload("completion", {"M": M, "mask": mask}, ())


def sampled(shape: tuple[int, int], rank: int, count: int) -> Workload:
    """`count` observed entries of a target, listed one by one.

    Parameters
    ----------
    shape : (int, int)
    rank : int
        r.
    count : int

    Returns
    -------
    Workload
    """
    s = np.linspace(TOP, TOP / rank, rank)
    M = targets.random_target(shape, rank, rng=0, singular_values=s, factored=True)
    cells, rng = shape[0] * shape[1], np.random.default_rng(0)
    drawn = np.sort(rng.choice(cells, count, replace=False, shuffle=False))
    rows, columns = np.divmod(drawn, shape[1])
    values = np.einsum("nr,nr->n", M.U[rows] * M.s, M.Vh.T[columns])
    return Workload("sampled", {"rows": rows, "columns": columns, "values": values}, ())


def sensing(d: int, rank: int, count: int) -> Workload:
    """`count` Gaussian measurements of a d × d target.

    Parameters
    ----------
    d : int
    rank : int
        r.
    count : int

    Returns
    -------
    Workload
    """
    M = factorization(d, rank).data["M"]
    A = targets.gaussian_ensemble(count, (d, d), rng=0)
    return Workload("sensing", {"A": A, "y": A.reshape(count, -1) @ M.reshape(-1)}, ())


def wide(instance: Workload, shape: tuple[int, int]) -> Workload:
    """Start from the original network.

    Parameters
    ----------
    instance : Workload
    shape : (int, int)

    Returns
    -------
    Workload
    """
    return narrow(instance, shape, max(shape))


def narrow(instance: Workload, shape: tuple[int, int], width: int) -> Workload:
    """Start from orthogonal layers of that width, which no decomposition is needed for.

    Parameters
    ----------
    instance : Workload
    shape : (int, int)
    width : int

    Returns
    -------
    Workload
    """
    weights = networks.original_weights(shape, DEPTH, EPS, rng=0, width=width)
    return _with_step(replace(instance, weights=weights))


def compressed(instance: Workload, shape: tuple[int, int], r_hat: int, turn: float = 0) -> Workload:
    """Start from the compressed network; `turn` > 0 moves it off its spectral start.

    Parameters
    ----------
    instance : Workload
    shape : (int, int)
    r_hat : int
        r̂.
    turn : float
        Size of the move.

    Returns
    -------
    Workload
    """
    ends = replace(instance, weights=(np.empty((r_hat, shape[1])), np.empty((shape[0], r_hat))))
    problem = ends.problem(np.empty(0))
    weights = networks.compressed_weights(problem, r_hat, DEPTH, EPS)
    rng = np.random.default_rng(1)
    moved = (W + turn * EPS * rng.standard_normal(W.shape) / np.sqrt(max(W.shape)) for W in weights)
    return _with_step(replace(instance, weights=tuple(moved) if turn else weights))


def stacked(instance: Workload, batch: int) -> Workload:
    """Many starts side by side, from ε to 1.1 ε, on the same problem.

    Parameters
    ----------
    instance : Workload
    batch : int
        How many.

    Returns
    -------
    Workload
    """
    scales = np.linspace(1.0, 1.1, batch)[:, None, None]
    return replace(instance, weights=tuple(scales * W for W in instance.weights))


def _with_step(instance: Workload) -> Workload:
    curvature = instance.problem(np.empty(0)).curvature
    depth = len(instance.weights)
    w = max(1.1 * EPS, TOP ** (1 / depth))
    K = curvature * (depth * w ** (2 * depth - 2) + (depth - 1) * TOP * w ** (depth - 2))
    return replace(instance, eta=0.1 / K, curvature=K)
