"""What a conjecture looks at: both networks of an instance, with the names of a `Trajectory`.

Quantities are computed when they are asked for, and are read-only: what one conjecture does to them
cannot reach another.  Beside every `Observed` stand others of the same instance that numerical
errors tell apart from it: of a looser run from a start perturbed within rounding, and of layers
perturbed so at every record; the target and ε are perturbed too, so that what a margin rounds by
itself comes out differently.  A margin is as accurate as it is the same on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from dlnlab import networks, problems
from dlnlab.lab.cases import EPS, Case
from dlnlab.networks import Weights
from dlnlab.numerics import spectra
from dlnlab.training.trajectory import Status

__all__ = [
    "SHAKE",
    "Observed",
    "ObservedRun",
    "jittered",
    "narrow_run",
    "problem_of",
    "run_of",
    "shaken",
    "wide_runs",
]

SHAKE = 16 * EPS
"""Size of a perturbation within rounding, relative to the largest entry of a layer: a few times
what a product of a few matrices and its singular values are wrong by."""


def shaken(layers: Sequence[np.ndarray], rng: np.random.Generator, size: float = SHAKE) -> Weights:
    """Return layers with a perturbation in every entry, by default within rounding.

    Parameters
    ----------
    layers : tuple of L arrays, shapes (records, d_l, d_{l−1})
    rng : numpy.random.Generator
    size : float
        In units of the largest entry of a layer.

    Returns
    -------
    tuple of L arrays, shapes (..., d_l, d_{l−1})
    """
    return tuple(
        W + size * np.max(np.abs(W), axis=(-2, -1), keepdims=True) * rng.standard_normal(W.shape)
        for W in layers
    )


def jittered(case: Case, rng: np.random.Generator) -> Case:
    """Return a case whose ε and target are perturbed within rounding, the target by one factor.

    So its rank, its singular vectors and which of its values are equal stay as they are.

    Parameters
    ----------
    case : Case
    rng : random.Generator

    Returns
    -------
    Case
    """
    scale, factor = 1 + SHAKE * rng.standard_normal(2)
    spectrum = tuple(float(factor * value) for value in case.spectrum)
    return replace(case, eps=float(scale * case.eps), spectrum=spectrum)


def problem_of(case: Case) -> Any:
    """Return the factorization problem of a case; its target is read-only.

    Parameters
    ----------
    case : Case

    Returns
    -------
    Any
    """
    return problems.factorization(_frozen(case.target))


class _ReadOnly:
    """An object whose attributes are what it was made of, and what follows from them."""

    def __init__(self, **parts: Any) -> None:
        self.__dict__.update({name: _frozen(value) for name, value in parts.items()})

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError(
            f"`{name}` is read-only: a conjecture must not change what it is given"
        )


class ObservedRun(_ReadOnly):
    """What is known of one network at every record of its run.

    Attributes
    ----------
    times, steps : array, shape (records,)
    layers : tuple of L arrays, shapes (records, d_l, d_{l−1})
    weights : tuple of L arrays
        The final weights.
    end_to_end : array, shape (records, d_out, d_in)
    singular_values : array, shape (records, min(d_out, d_in))
    losses, errors, imbalances : array, shape (records,)
    left_alignments, right_alignments : array, shape (records, r)
    problem : Problem
    status : Status

    Parameters
    ----------
    times, steps : array, shape (records,)
    problem, layers, product, values : callables
        Return the problem, the layers, W_{L:1} (by default the product of the layers) and its
        singular values (by default by decomposing it); asked when they are asked for.
    """

    times: np.ndarray
    steps: np.ndarray
    status = Status.COMPLETED

    def __init__(
        self,
        times: np.ndarray,
        steps: np.ndarray,
        *,
        problem: Callable[[], Any],
        layers: Callable[[], Weights],
        product: Callable[[], np.ndarray] | None = None,
        values: Callable[[], np.ndarray] | None = None,
    ) -> None:
        super().__init__(times=times, steps=steps)
        parts = {"problem": problem, "layers": layers, "product": product, "values": values}
        self.__dict__["_parts"] = parts

    def with_parts(self, **parts: Any) -> ObservedRun:
        """Return the same run but for some parts.

        Parameters
        ----------
        **parts
            As when it is made.

        Returns
        -------
        ObservedRun
        """
        made = {"times": self.times, "steps": self.steps, **self.__dict__["_parts"]}
        return ObservedRun(**{**made, **parts})

    @cached_property
    def problem(self) -> Any:
        """What is trained for."""
        return self.__dict__["_parts"]["problem"]()

    @cached_property
    def layers(self) -> Weights:
        """W_1, …, W_L."""
        found: Weights = _frozen(tuple(self.__dict__["_parts"]["layers"]()))
        return found

    @cached_property
    def weights(self) -> Weights:
        """The final weights."""
        return tuple(W[-1] for W in self.layers)

    @cached_property
    def end_to_end(self) -> np.ndarray:
        """W_{L:1}."""
        product = self.__dict__["_parts"]["product"]
        return _frozen(product() if product else networks.prefix_products(self.layers)[-1])

    @cached_property
    def singular_values(self) -> np.ndarray:
        """Of the end-to-end matrix, in decreasing order; those that a thin network lacks are 0."""
        values = self.__dict__["_parts"]["values"]
        return _frozen(values() if values else spectra.singular_values(self.end_to_end))

    @cached_property
    def losses(self) -> np.ndarray:
        """ℓ(W_{L:1})."""
        return _frozen(np.asarray(self.problem.loss(self.end_to_end)))

    @cached_property
    def errors(self) -> np.ndarray:
        """‖W_{L:1} − M*‖_F."""
        return _frozen(np.asarray(self.problem.error(self.end_to_end)))

    @cached_property
    def imbalances(self) -> np.ndarray:
        """max_l ‖W_{l+1}ᵀW_{l+1} − W_l W_lᵀ‖_F."""
        gaps = [np.linalg.norm(D, axis=(-2, -1)) for D in networks.imbalances(self.layers)]
        return _frozen(np.max(gaps, axis=0))

    @cached_property
    def _alignments(self) -> Any:
        return spectra.alignments(self.end_to_end, self.problem.target_svd)

    @property
    def left_alignments(self) -> np.ndarray:
        """Cosines of the left singular vectors with the target's (`dlnlab.spectra.alignments`)."""
        return _frozen(self._alignments.left)

    @property
    def right_alignments(self) -> np.ndarray:
        """Cosines of the right singular vectors with the target's, likewise."""
        return _frozen(self._alignments.right)


class Observed(_ReadOnly):
    """One instance, as a conjecture sees it.

    Attributes
    ----------
    case : Case
        The instance: target, depth, eps, r_hat, and what rebuilds it.
    times : array, shape (records,)
    targets : array, shape (r,)
        σ_i*.
    residual : array, shape (records,)
        β(t)^L of the compressed network; None where there is none.
    full_width : array, shape (records, d)
        Singular values of the compressed network with r̂ = d, whatever r̂ is, in decreasing order;
        None where there is none.
    original, compressed : ObservedRun
        Where only one network is observed, its attributes are this object's own.
    **parts
        The attributes.
    """

    case: Any
    times: np.ndarray
    residual: np.ndarray | None
    full_width: np.ndarray | None
    original: ObservedRun
    compressed: ObservedRun | None

    @cached_property
    def targets(self) -> np.ndarray:
        """σ_i*."""
        found: np.ndarray = self.case.values[: self.case.rank]
        return found

    def __getattr__(self, name: str) -> Any:
        """Attributes of the network, where there is one only."""
        if not name.startswith("_") and self.__dict__.get("compressed", self) is None:
            return getattr(self.original, name)
        raise AttributeError(
            f"no `{name}` here: ask `original` or `compressed` for it"
            if hasattr(ObservedRun, name)
            else f"no `{name}` here"
        )


class _Stack:
    """A batch of wide networks: their products and singular values are those of all at once."""

    def __init__(self, layers: Weights) -> None:
        self._layers = layers

    @cached_property
    def _product(self) -> np.ndarray:
        return networks.prefix_products(self._layers)[-1]

    @cached_property
    def _values(self) -> np.ndarray:
        return spectra.singular_values(self._product)

    def member(self, k: int, case: Case, times: np.ndarray, steps: np.ndarray) -> ObservedRun:
        """Return the run of the k-th network."""
        return ObservedRun(
            times,
            steps,
            problem=partial(problem_of, case),
            layers=lambda: tuple(W[:, k] for W in self._layers),
            product=lambda: self._product[:, k],
            values=lambda: self._values[:, k],
        )


def wide_runs(
    cases: Sequence[Case], times: np.ndarray, steps: np.ndarray, layers: Weights
) -> list[ObservedRun]:
    """Return the runs of a batch of wide networks on factorization problems.

    Parameters
    ----------
    cases : sequence of Case
        Of one shape and depth.
    times : array, shape (records,) or (records, batch)
    steps : array, shape (records,)
    layers : tuple of L arrays, shapes (records, batch, d_l, d_{l−1})

    Returns
    -------
    list of ObservedRun
    """
    stack = _Stack(layers)
    clocks = np.broadcast_to(times.reshape(len(steps), -1), (len(steps), len(cases)))
    return [stack.member(k, case, clocks[:, k], steps) for k, case in enumerate(cases)]


def run_of(problem: Any, times: np.ndarray, steps: np.ndarray, layers: Weights) -> ObservedRun:
    """Return the run of a single network, its layers of shapes (records, d_l, d_{l−1}).

    Parameters
    ----------
    problem : Problem
    times : array, shape (records,)
    steps : array of int, shape (records,)
    layers : tuple of L arrays, shapes (records, d_l, d_{l−1})

    Returns
    -------
    ObservedRun
    """
    return ObservedRun(times, steps, problem=lambda: problem, layers=lambda: layers)


def narrow_run(case: Case, times: np.ndarray, steps: np.ndarray, values: np.ndarray) -> ObservedRun:
    """Return the run of a compressed network, which stays diagonal (Theorem 1).

    Parameters
    ----------
    case : Case
    times, steps : array, shape (records,)
    values : array, shape (records, r̂)
        The singular values in the order of the targets.

    Returns
    -------
    ObservedRun
    """

    def layers() -> Weights:
        U, V = (frame.matrix[:, : case.r_hat] for frame in (case.left, case.right))
        roots = np.abs(values) ** (1 / case.depth)
        core = roots[:, :, None] * np.eye(case.r_hat)
        last = np.sign(values)[:, None, :] * U * roots[:, None, :]
        return (roots[:, :, None] * V.T, *[core] * (case.depth - 2), last)

    def padded() -> np.ndarray:
        found = np.zeros((len(values), min(case.shape)))
        found[:, : case.r_hat] = np.abs(values)
        return -np.sort(-found, axis=1)

    return ObservedRun(
        times, steps, problem=partial(problem_of, case), layers=layers, values=padded
    )


def _frozen(value: Any) -> Any:
    """Return an array, or a tuple of them, in a form that cannot be written to."""
    if isinstance(value, tuple):
        return tuple(_frozen(part) for part in value)
    if not isinstance(value, np.ndarray):
        return value
    locked = value.view()
    locked.setflags(write=False)
    return locked
