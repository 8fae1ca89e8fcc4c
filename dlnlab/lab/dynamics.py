"""What a conjecture may be about: flows, descent, recovery, or the start; and how each is run.

`observe` returns for every case of one shape, depth and ε what the conjecture is given, and beside
it the same instance with other numerical errors (`dlnlab.lab.observed`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from dlnlab import networks, problems
from dlnlab.flow.compressed import mode_rounding
from dlnlab.lab import flows
from dlnlab.lab.cases import Case, stack
from dlnlab.lab.observed import (
    SHAKE,
    Observed,
    ObservedRun,
    jittered,
    narrow_run,
    problem_of,
    run_of,
    shaken,
    wide_runs,
)
from dlnlab.lab.recoveries import Ensemble, Mask, Recovery
from dlnlab.networks import Weights
from dlnlab.reductions import modes
from dlnlab.reductions.recursion import recursion
from dlnlab.training.descent import gradient_descent

__all__ = [
    "ABOUT",
    "BLOWN",
    "COPIES",
    "FEW",
    "FEWEST",
    "LONGEST",
    "MOST_STEPS",
    "STACK",
    "START_COPIES",
    "DescentCase",
    "Narrow",
    "RecoveryCase",
    "Sighting",
    "observe",
]

MOST_STEPS = 600
"""Steps of descent after which a run ends; with a step at half of the stable limit that is many
times what a mode of the size of the largest takes."""

BLOWN = 1e6
"""A descent whose loss is this many times the initial one diverges, and is looked at no longer."""

FEW = 10
"""Perturbation of the layers of a flow at every record, in units of the tolerance.  Between steps a
flow is interpolated, with errors of up to seven tolerances for a single mode."""

COPIES = 2
"""Runs whose layers are perturbed at every record, beside the one that is integrated again."""

LONGEST = 3000.0
"""No flow of a recovery problem is followed longer, in units of 1/(LS^{2−2/L}), S = max(σ_1*, ε^L),
the shortest time it has: what is not observed of a large start stays, and keeps the flow stiff."""

STACK, FEWEST = 6400, 16
"""Numbers in the layers of a stack that is integrated as one system, so that the stages of a step
fit into a core's cache, but at least so many networks, for which calls cost as much as products."""

START_COPIES = 8
"""Perturbed starts: there is one record only, so that few copies may agree by chance."""

Sighting = tuple[Observed, list[Observed]]
"""What a conjecture is given, and the same with other numerical errors."""


@dataclass(frozen=True)
class DescentCase(Case):
    """A case and the step size of gradient descent.

    Attributes
    ----------
    share : float
        η in units of 2/(L σ_1*^{2−2/L}), beyond which a fitted network is not stable.
    """

    share: float = 0.5

    @property
    def eta(self) -> float:
        """The step size η of gradient descent."""
        return self.share * 2 / (self.depth * self.spectrum[0] ** (2 - 2 / self.depth))

    def witness(self) -> dict[str, Any]:
        """Everything that is needed to build the case again, as plain lists and numbers.

        Returns
        -------
        dict
        """
        return super().witness() | {"share": self.share}

    @classmethod
    def from_witness(cls, witness: Mapping[str, Any]) -> DescentCase:
        """Build the case again from what `witness` returned.

        Parameters
        ----------
        witness : mapping
            As `witness` returns it.

        Returns
        -------
        DescentCase
        """
        plain = Case.from_witness(witness)
        return cls(**vars(plain), share=float(witness["share"]))


@dataclass(frozen=True)
class RecoveryCase(Case):
    """A case whose target is seen through a measurement operator.

    Attributes
    ----------
    kind, operator, normalization
        As in `Recovery`.
    """

    kind: str = "identity"
    operator: Mask | Ensemble | None = None
    normalization: str = "sum"

    @property
    def recovery(self) -> Recovery:
        """The problem in its readable form."""
        told = self.kind, self.operator, self.normalization
        return Recovery(self.left, self.spectrum, self.right, *told)

    def problem(self) -> problems.Problem:
        """Return the recovery problem of the case.

        Returns
        -------
        Problem
        """
        return self.recovery.problem()

    def witness(self) -> dict[str, Any]:
        """Everything that is needed to build the case again, as plain lists and numbers.

        Returns
        -------
        dict
        """
        return super().witness() | self.recovery.witness()

    @classmethod
    def from_witness(cls, witness: Mapping[str, Any]) -> RecoveryCase:
        """Build the case again from what `witness` returned.

        Parameters
        ----------
        witness : mapping
            As `witness` returns it.

        Returns
        -------
        RecoveryCase
        """
        plain, seen = Case.from_witness(witness), Recovery.from_witness(witness)
        told = {name: getattr(seen, name) for name in ("kind", "operator", "normalization")}
        return cls(**vars(plain), **told)


def observe(about: str, cases: Sequence[Case], options: Mapping[str, Any]) -> list[Sighting]:
    """Run cases of one shape, depth, ε and width.

    Parameters
    ----------
    about : str
        A name in `ABOUT`.
    cases : sequence of Case
        A `DescentCase` for "descent", a `RecoveryCase` for "recovery".
    options : mapping
        "method" of gradient descent, a `dlnlab.methods.Method`, where one is asked for; "also",
        times of a flow to record beside those at which modes rise.

    Returns
    -------
    list of (Observed, sequence of Observed)

    Raises
    ------
    RuntimeError
        If a flow cannot be followed to its end.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # some descents diverge
        return ABOUT[about](cases, options)


def _flows(cases: Sequence[Case], options: Mapping[str, Any]) -> list[Sighting]:
    """Both gradient flows, the compressed one in closed form; those that last as long together."""
    first = cases[0]
    order = sorted(range(len(cases)), key=lambda k: cases[k].values[cases[k].rank - 1])
    size = max(STACK // (first.depth * max(first.shape) ** 2), FEWEST)
    found: dict[int, Sighting] = {}
    for start in range(0, len(order), size):
        some = order[start : start + size]
        found |= zip(some, _stack_of_flows([cases[k] for k in some], options), strict=True)
    return [found[k] for k in range(len(cases))]


def _stack_of_flows(cases: Sequence[Case], options: Mapping[str, Any]) -> list[Sighting]:
    targets, weights = stack(cases)
    problem, rng = problems.factorization(targets), np.random.default_rng(cases[0].depth)
    grid = np.union1d(flows.time_grid(cases), options.get("also", ()))
    times, tight = flows.integrate(problem, weights, grid[1:], flows.RTOL)
    loose = flows.integrate_loosely(problem, shaken(weights, rng), grid[1:])
    copies = _copies(tight, [loose], rng)
    several = _several(cases, len(copies), rng)
    return _sightings(several, times, copies, _closed_forms(several, times, rng))


def _copies(layers: Weights, others: Sequence[Weights], rng: np.random.Generator) -> list[Weights]:
    """Return layers, other runs, and the layers perturbed by what a few steps' tolerances permit.

    Early on both runs take so few steps that their distance may be below that by chance.
    """
    return [layers, *others, *(shaken(layers, rng, FEW * flows.RTOL) for _ in range(COPIES))]


def _several(cases: Sequence[Case], count: int, rng: np.random.Generator) -> list[Sequence[Case]]:
    """Return the cases, and `count` − 1 times the same with ε and targets of their own."""
    return [cases, *([jittered(case, rng) for case in cases] for _ in range(count - 1))]


Narrow = tuple[np.ndarray, np.ndarray, ObservedRun]
"""β^L, the values for r̂ = d, and the compressed run."""


def _closed_forms(
    several: Sequence[Sequence[Case]], times: np.ndarray, rng: np.random.Generator
) -> list[list[Narrow]]:
    """Return the compressed runs of all cases, and as many times the same within rounding."""
    cases, steps = several[0], np.arange(times.size)
    goals = np.stack([case.values for case in cases])
    eps, depth = cases[0].eps, cases[0].depth
    every = modes.flow(times, np.append(goals, 0.0), eps, depth)
    residual, values = every[:, -1], every[:, :-1].reshape(-1, *goals.shape)
    bound = mode_rounding(values, goals, times[:, None, None], depth)
    slack = SHAKE * values + np.max(bound, axis=-1, keepdims=True)
    found = []
    for k, some in enumerate(several):
        moved, rest = values, residual
        if k:
            moved = values + slack * rng.standard_normal(values.shape)
            rest = residual + SHAKE * residual * rng.standard_normal(residual.shape)
        runs = [
            narrow_run(case, times, steps, moved[:, j, : case.r_hat]) for j, case in enumerate(some)
        ]
        runs = [_rounded(run, depth, k) for run in runs] if k else runs
        wide = -np.sort(-np.abs(moved), axis=-1)
        found.append([(rest, wide[:, j], run) for j, run in enumerate(runs)])
    return found


def _rounded(run: ObservedRun, *seed: int) -> ObservedRun:
    """Return a run whose layers are perturbed within rounding at every record."""
    return run.with_parts(layers=lambda: shaken(run.layers, np.random.default_rng(seed)))


def _sightings(
    several: Sequence[Sequence[Case]],
    times: np.ndarray,
    copies: Sequence[Weights],
    narrow: Sequence[Sequence[Narrow]],
) -> list[Sighting]:
    """Pair the k-th copy of every wide run with the k-th of its compressed one."""
    pairs = []
    for some, layers, thin in zip(several, copies, narrow, strict=True):
        wide = wide_runs(some, times, np.arange(times.size), layers)
        pairs.append([_pair(*parts) for parts in zip(some, wide, thin, strict=True)])
    return [(first, list(others)) for first, *others in zip(*pairs, strict=True)]


def _pair(case: Case, wide: ObservedRun, thin: Narrow) -> Observed:
    residual, full_width, narrow = thin
    return Observed(
        case=case,
        times=wide.times,
        residual=residual,
        full_width=full_width,
        original=wide,
        compressed=narrow,
    )


# ---------------------------------------------------------------------- gradient descent


def _plan_steps(case: DescentCase) -> int:
    """Return for how many steps descent is followed: as long as a flow, or `MOST_STEPS`."""
    law = flows.law_of(case)
    return int(min(MOST_STEPS, math.ceil(flows.PATIENCE * law.horizon(0.05) / case.eta)))


def _descents(cases: Sequence[Any], options: Mapping[str, Any]) -> list[Sighting]:
    """Both networks under gradient descent, from the start, and from starts close to it."""
    targets, weights = stack(cases)
    problem, rng = problems.factorization(targets), np.random.default_rng(cases[0].depth)
    eta = np.array([case.eta for case in cases])
    steps = max(_plan_steps(case) for case in cases)
    starts = [weights, *(shaken(weights, rng) for _ in range(COPIES))]
    wide = [_descend(problem, start, eta, steps, options) for start in starts]
    # where a run contracts, what every step rounds is all that is left of it
    wide[1:] = [shaken(layers, rng) for layers in wide[1:]]
    counts = np.arange(min(len(layers[0]) for layers in wide))
    several = _several(cases, COPIES + 1, rng)
    moves = 1 + SHAKE * np.append(0.0, rng.standard_normal(COPIES))
    thin = _compressed_descents(several, moves, counts, options)
    original = [
        wide_runs(some, counts[:, None] * eta, counts, tuple(W[: counts.size] for W in layers))
        for some, layers in zip(several, wide, strict=True)
    ]
    rows = zip(several, original, thin, strict=True)
    members = zip(*(zip(*row, strict=True) for row in rows), strict=True)
    return [_until_divergence(list(copies)) for copies in members]


def _descend(
    problem: Any, weights: Weights, eta: Any, steps: int, options: Mapping[str, Any]
) -> Weights:
    """Return the layers after every step, NaN from where a member diverges."""
    with np.errstate(over="ignore", invalid="ignore"):
        run = gradient_descent(
            problem,
            weights,
            eta=eta,
            num_steps=steps,
            record=("layers",),
            formulation="full",
            **options,
        )
    assert run.layers is not None  # asked for
    return run.layers


def _compressed_descents(
    several: Sequence[Sequence[Any]],
    moves: np.ndarray,
    counts: np.ndarray,
    options: Mapping[str, Any],
) -> list[list[Narrow]]:
    """Theorem 1's recursion, or with another method the compressed networks as they are."""
    cases = several[0]
    goals = np.stack([np.append(case.values, 0.0) for case in cases])
    eta = np.array([[case.eta] for case in cases])
    eps = cases[0].eps * moves[:, None, None]
    values = recursion(goals, eps, cases[0].depth, eta, counts.size - 1)
    full_width = -np.sort(-np.abs(values[..., :-1]), axis=-1)
    found = []
    for k, some in enumerate(several):
        runs = [
            _compressed_descent(cases[j], case, moves[k], counts, values[:, k, j], options)
            for j, case in enumerate(some)
        ]
        runs = [_rounded(run, cases[0].depth, k) for run in runs] if k else runs
        rest = values[:, k, :, -1], full_width[:, k]
        found.append([(rest[0][:, j], rest[1][:, j], run) for j, run in enumerate(runs)])
    return found


def _compressed_descent(
    case: DescentCase,
    mine: DescentCase,
    move: float,
    counts: np.ndarray,
    values: np.ndarray,
    options: Mapping[str, Any],
) -> ObservedRun:
    """Return the compressed run of a case, seen with the target of `mine`."""
    times = case.eta * counts
    if "method" not in options:
        return narrow_run(mine, times, counts, values[:, : case.r_hat])
    problem, steps = problem_of(case), counts.size - 1
    start = networks.compressed_weights(problem, case.r_hat, case.depth, move * case.eps)
    layers = _descend(problem, start, case.eta, steps, options)
    run = run_of(problem, times[: len(layers[0])], counts[: len(layers[0])], layers)
    return run.with_parts(problem=partial(problem_of, mine))


def _until_divergence(copies: list[tuple[DescentCase, ObservedRun, Narrow]]) -> Sighting:
    """Pair the runs of one member and its copies, up to where any of them diverges."""
    runs = [run for _, wide, (_, _, narrow) in copies for run in (wide, narrow)]
    end = max(min(_finite_until(run.losses) for run in runs), 1)
    first, *others = (
        _pair(case, _cut(wide, end), (rest[:end], full_width[:end], _cut(narrow, end)))
        for case, wide, (rest, full_width, narrow) in copies
    )
    return first, others


def _cut(run: ObservedRun, end: int) -> ObservedRun:
    """Return the first records of a run."""
    return run.with_parts(
        times=run.times[:end],
        steps=run.steps[:end],
        layers=lambda: tuple(W[:end] for W in run.layers),
        product=lambda: run.end_to_end[:end],
        values=lambda: run.singular_values[:end],
    )


def _finite_until(losses: np.ndarray) -> int:
    """Return how many records there are before a run diverges."""
    tame = np.isfinite(losses) & (losses <= BLOWN * max(losses[0], 1e-300))
    return len(losses) if tame.all() else int(np.argmin(tame))


# ---------------------------------------------------------------------- one network, or no steps


def _recoveries(cases: Sequence[Any], options: Mapping[str, Any]) -> list[Sighting]:
    """The gradient flow of the original network, on whatever problem."""
    return [_recovery(case) for case in cases]


def _recovery(case: RecoveryCase) -> Sighting:
    problem, weights, rng = case.problem(), case.weights(), np.random.default_rng(case.depth)
    grid = flows.time_grid([case])[1:]
    largest = max(case.spectrum[0], case.eps**case.depth)
    longest = LONGEST / (case.depth * largest ** (2 - 2 / case.depth))
    grid = grid[grid <= max(longest, grid[0])] / float(problem.curvature)
    times, tight = flows.integrate(problem, weights, grid, flows.RTOL)
    loose = flows.integrate_loosely(problem, shaken(weights, rng), grid)
    steps = np.arange(times.size)
    copies = _copies(tight, [loose], rng)
    mine: list[Any] = [case, *(jittered(case, rng) for _ in copies[1:])]
    first, *others = (
        _single(some, run_of(some.problem(), times, steps, layers))
        for some, layers in zip(mine, copies, strict=True)
    )
    return first, others


def _single(case: Case, run: ObservedRun) -> Observed:
    return Observed(
        case=case,
        times=run.times,
        residual=None,
        full_width=None,
        original=run,
        compressed=None,
    )


def _starts(cases: Sequence[Case], options: Mapping[str, Any]) -> list[Sighting]:
    """Both networks before the first step, one record."""
    _, weights = stack(cases)
    rng, now = np.random.default_rng(cases[0].depth), np.zeros(1)
    start = tuple(W[None] for W in weights)
    copies = [start, *(shaken(start, rng) for _ in range(START_COPIES))]
    several = _several(cases, len(copies), rng)
    thin = [_compressed_start(case) for case in cases]
    narrow = [
        [_narrow_start(*parts, k) for parts in zip(some, thin, strict=True)]
        for k, some in enumerate(several)
    ]
    return _sightings(several, now, copies, narrow)


def _compressed_start(case: Case) -> ObservedRun:
    """The compressed network as the library starts it."""
    problem = problem_of(case)
    layers = networks.compressed_weights(problem, case.r_hat, case.depth, case.eps)
    return run_of(problem, np.zeros(1), np.arange(1), tuple(W[None] for W in layers))


def _narrow_start(case: Case, run: ObservedRun, k: int) -> Narrow:
    """The start of a compressed network; the k-th copy has a target of its own."""
    if k:
        run = _rounded(run.with_parts(problem=partial(problem_of, case)), case.depth, k)
    same = np.full((1, min(case.shape)), case.eps**case.depth)
    return same[:, 0], same, run


ABOUT: dict[str, Callable[[Sequence[Any], Mapping[str, Any]], list[Sighting]]] = {
    "flows": _flows,
    "descent": _descents,
    "recovery": _recoveries,
    "start": _starts,
}
"""What is run for a conjecture, by its name."""
