"""Eq. (13) on a pair of flows, with whatever correction and premises a statement gives it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from dlnlab.claims import Claim, Premise, dominance, eq13, theorem2
from dlnlab.lab import search, strategies, witnesses
from dlnlab.lab.cases import Case
from dlnlab.lab.flows import GROUPS, FlowPair, Group, draw_groups, flow_pairs
from dlnlab.lab.suite import Part, Task
from dlnlab.lab.tally import Tally

__all__ = [
    "HUNTED",
    "LARGE_STARTS",
    "PLAIN",
    "Premises",
    "Spare",
    "climb",
    "dominated",
    "judge",
    "large_start",
    "names",
    "none",
    "random",
    "registered",
    "sides",
    "simplest",
    "spare_rank",
]

HUNTED = strategies.cases(
    square=True,
    smallest=2,
    largest=3,
    depths=(2, 4),
    values=(1.0, 0.5, 0.1, 2.0),
    scales=(0.5, 0.2, 0.3, 0.1, 1.0),
    enough_rank=True,
)
"""Cases whose flows are short; r̂ > r and ε^L > σ_r*, where Eq. (13) fails, among them."""

LARGE_STARTS: tuple[Group, ...] = (
    ((2, 2), 2, 1.0, None),
    ((3, 3), 2, 0.8, None),
    ((3, 3), 3, 0.8, None),
    ((4, 4), 3, 0.9, None),
    ((5, 5), 2, 0.7, None),
    ((3, 3), 4, 1.1, None),
)
"""Groups whose starts are above some or all of the targets, which lie between 0.2 and 1."""

PLAIN = 1e-6
"""A violation of this size, relative to ‖M*‖², is no rounding: the errors are about 1e-9."""

Premises = Callable[[FlowPair], Sequence[Premise]]
Spare = Callable[[Case], int]


def none(case: Case) -> int:
    """Correct nothing: Eq. (13) as it is.

    Parameters
    ----------
    case : Case

    Returns
    -------
    int
    """
    return 0


def spare_rank(case: Case) -> int:
    """Correct by r̂ − r, as the refined form does.

    Parameters
    ----------
    case : Case

    Returns
    -------
    int
    """
    return case.r_hat - case.rank


def judge(
    tally: Tally,
    pair: FlowPair,
    premises: Sequence[Premise],
    spare: int = 0,
) -> float:
    """Count one case of the inequality corrected by `spare` times β^{2L}; return how bad it is.

    Parameters
    ----------
    tally : Tally
    pair : FlowPair
    premises : sequence of Premise
    spare : int

    Returns
    -------
    float
    """
    case = pair.case
    margin, error = sides(pair, spare)
    k = int(np.argmin(margin + error))
    found = {"time": float(pair.times[k]), "margin": float(margin[k]), "error": float(error[k])}
    tally.add(found["margin"], found["error"], premises, lambda: case.witness() | found)
    met = all(premise.met for premise in premises)
    return float(-np.min((margin + error)[1:])) if met else -np.inf


def sides(pair: FlowPair, spare: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the margin over ‖M*‖² at each record, and the bound on its error.

    Parameters
    ----------
    pair : FlowPair
    spare : int
        The multiple of β^{2L}.

    Returns
    -------
    tuple of 2 arrays
    """
    size = float(np.sum(pair.case.values**2))
    margin = theorem2.refined_margins(pair.errors, pair.law.errors(), spare, pair.law.residual)
    return margin / size, pair.margin_error() / size


def dominated(pair: FlowPair) -> Premise:
    """Dominance as a premise, measured along this flow.

    Parameters
    ----------
    pair : FlowPair

    Returns
    -------
    Premise
    """
    margin = dominance.margins(pair.values, pair.law.leading(pair.values.shape[1])) / pair.scale
    error = (pair.accuracy + pair.law.rounding()) / pair.scale
    k = int(np.argmin(margin + error))
    return Premise("dominance", dominance.STATEMENT, float(margin[k]), float(error[k]))


def random(
    premises: Premises,
    spare: Spare = none,
    *,
    enough_rank: bool = True,
    no_spare: bool = False,
    groups: Sequence[Group] = GROUPS,
) -> Callable[[Tally, Task], None]:
    """Return the attack with uniformly random starts, for r̂ = r if there is none to spare.

    Parameters
    ----------
    premises : callable
        Takes a pair of flows and returns premises.
    spare : callable
        Takes a case and returns the multiple of β^{2L}.
    enough_rank : bool
        Whether r̂ ≥ r.
    no_spare : bool
        Whether r̂ = r.
    groups : sequence of Group

    Returns
    -------
    callable
        Attacks a task, for a `Part`.
    """

    def drawn(task: Task) -> Iterator[list[Case]]:
        for cases in draw_groups(task.rng, task.count, enough_rank=enough_rank, groups=groups):
            yield [replace(case, r_hat=case.rank) for case in cases] if no_spare else cases

    def attack(tally: Tally, task: Task) -> None:
        for cases in drawn(task):
            for pair in flow_pairs(cases):
                judge(tally, pair, premises(pair), spare(pair.case))

    attack.__doc__ = "Pairs of flows from uniformly random starts" + (
        "." if enough_rank else ", r̂ < r and ε^L > σ_r* among them."
    )
    return attack


def climb(
    premises: Premises, spare: Spare = none, hunted: object = HUNTED
) -> Callable[[Tally, Task], None]:
    """Return the search for the smallest margin.

    Parameters
    ----------
    premises : callable
        Takes a pair of flows and returns premises.
    spare : callable
        Takes a case and returns the multiple of β^{2L}.
    hunted : strategy of Case

    Returns
    -------
    callable
        Attacks a task, for a `Part`.
    """

    def attack(tally: Tally, task: Task) -> None:
        """A search for the smallest margin."""

        def badness(case: Case) -> float:
            pair = flow_pairs([case])[0]
            return judge(tally, pair, premises(pair), spare(case))

        search.climb(hunted, badness, examples=task.count, seed=task.seed)

    return attack


def simplest(premises: Premises) -> Callable[[Tally, Task], None]:
    """Return the search for a simple violation.

    Parameters
    ----------
    premises : callable
        Takes a pair of flows and returns premises.

    Returns
    -------
    callable
        Attacks a task, for a `Part`.
    """

    def attack(tally: Tally, task: Task) -> None:
        """A simple case that violates the inequality by more than any rounding."""

        def bad(case: Case) -> bool:
            pair = flow_pairs([case])[0]
            return judge(Tally(tally.about), pair, premises(pair)) > PLAIN

        budget = {"examples": task.count, "shrinks": task.shrinks, "seed": task.seed}
        case = search.simplest(HUNTED, bad, **budget)
        if case is not None:
            alone, pair = Tally(tally.about), flow_pairs([case])[0]
            judge(alone, pair, premises(pair))
            tally.note("simplest", alone.verdict().witness)

    return attack


def registered(about: Claim, premises: Premises) -> Part:
    """Return the part that repeats the registered witness of a refuted claim.

    Parameters
    ----------
    about : Claim
    premises : callable
        Takes a pair of flows and returns premises.

    Returns
    -------
    Part
    """

    def attack(tally: Tally, task: Task) -> None:
        """The smallest known counterexample, whose margin is enclosed at one time."""
        pair, record = witnesses.pair_at(witnesses.of(about))
        margin, error = sides(pair)
        tally.reproduce(float(margin[record]), float(error[record]))
        judge(tally, pair, premises(pair))

    return Part(attack, share=0.0)


def large_start(premises: Premises, spare: Spare) -> Part:
    """Return the part that tries a start above σ_r* from which Eq. (13) fails.

    Parameters
    ----------
    premises : callable
        Takes a pair of flows and returns premises.
    spare : callable
        Takes a case and returns the multiple of β^{2L}.

    Returns
    -------
    Part
    """

    def attack(tally: Tally, task: Task) -> None:
        """The start above σ_r* that is proved to violate the inequality without a correction."""
        pair, _ = witnesses.pair_at(witnesses.of(eq13.LARGE_START))
        judge(tally, pair, premises(pair), spare(pair.case))

    return Part(attack, share=0.0)


def names(*some: str) -> Premises:
    """Return the premises of these names, as a pair of flows measures them.

    Parameters
    ----------
    *some
        Of the premises.

    Returns
    -------
    Premises
    """
    return lambda pair: [pair.premises[name] for name in some]
