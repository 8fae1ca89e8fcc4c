"""The claims about a pair of flows, as questions that `dlnlab.conjecture` could ask too.

A claim is a margin of what a conjecture is given (`dlnlab.lab.observed`), and premises that bring
errors of their own; how it is run, how its numerical error is found and which record counts is the
same as for a conjecture of the user's.  Here are the margins, the premises, and the parts of a
suite that ask such a question: of random cases, in a climb, for a simple counterexample, and of the
registered witness.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from dlnlab.claims import Claim, Premise, dominance, proposition1, theorem2
from dlnlab.lab import margins, search, strategies, witnesses
from dlnlab.lab.attack import Question
from dlnlab.lab.cases import EPS, Case
from dlnlab.lab.dynamics import Sighting
from dlnlab.lab.flows import GROUPS, Group, draw_groups
from dlnlab.lab.suite import Part, Task
from dlnlab.lab.tally import Tally

__all__ = [
    "HUNTED",
    "LARGE_STARTS",
    "PLAIN",
    "Judged",
    "Spare",
    "ask",
    "balanced",
    "climb",
    "dominance_margin",
    "dominated",
    "enough_rank",
    "inequality",
    "large_start",
    "question",
    "random",
    "registered",
    "same_start",
    "simplest",
    "small_start",
    "spare_rank",
    "trial",
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

Judged = Callable[[Sighting], Premise]
Spare = Callable[[Case], int]


# ---------------------------------------------------------------------- margins


def dominance_margin(pair: Any) -> np.ndarray:
    """Return min_i σ̃_i − σ_i at each record in units of max(σ_1*, ε^L), σ̃ with r̂ = d.

    Parameters
    ----------
    pair : Observed

    Returns
    -------
    ndarray
    """
    case = pair.case
    found = dominance.margins(pair.original.singular_values, pair.full_width)
    return found / max(case.spectrum[0], case.eps**case.depth)


def inequality(spare: Spare | None = None) -> Callable[[Any], np.ndarray]:
    """Return the margin of ‖W − M*‖² ≥ ‖W̃ − M*‖² − `spare(case)` β^{2L} over ‖M*‖².

    Parameters
    ----------
    spare : Spare or None

    Returns
    -------
    Callable[[Any], ndarray]
    """

    def margin(pair: Any) -> np.ndarray:
        extra = 0 if spare is None else spare(pair.case)
        errors = pair.original.errors, pair.compressed.errors
        found = theorem2.refined_margins(*errors, extra, pair.residual)
        return found / np.sum(pair.case.values**2)

    return margin


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


# ---------------------------------------------------------------------- premises


def balanced(sighting: Sighting) -> Premise:
    """Measure the premise of a balanced start.

    Parameters
    ----------
    sighting : Sighting

    Returns
    -------
    Premise
    """
    return proposition1.balancedness(tuple(W[0] for W in sighting[0].original.layers))


def same_start(sighting: Sighting) -> Premise:
    """Measure the premise that every singular value starts at ε^L.

    Parameters
    ----------
    sighting : Sighting

    Returns
    -------
    Premise
    """
    pair, case = sighting[0], sighting[0].case
    rounding = 100 * case.depth * max(case.shape) * EPS
    return dominance.same_start(pair.original.singular_values[0], case.eps**case.depth, rounding)


def enough_rank(sighting: Sighting) -> Premise:
    """Measure the premise r̂ ≥ r.

    Parameters
    ----------
    sighting : Sighting

    Returns
    -------
    Premise
    """
    case = sighting[0].case
    return theorem2.enough_rank(case.r_hat, case.rank)


def small_start(sighting: Sighting) -> Premise:
    """Measure the premise ε^L ≤ σ_r*.

    Parameters
    ----------
    sighting : Sighting

    Returns
    -------
    Premise
    """
    case = sighting[0].case
    return theorem2.small_start(case.eps**case.depth, float(case.values[case.rank - 1]), 8 * EPS)


def dominated(sighting: Sighting) -> Premise:
    """Measure dominance as a premise, along this flow.

    Parameters
    ----------
    sighting : Sighting

    Returns
    -------
    Premise
    """
    found = margins.curve(dominance_margin, sighting)
    k = found.worst
    numbers = float(found.margin[k]), float(found.error[k])
    return Premise("dominance", dominance.STATEMENT, *numbers)


# ---------------------------------------------------------------------- questions and parts


def question(
    about: Claim, margin: Callable[[Any], Any], *judged: Judged, what: str = "flows"
) -> Question:
    """Return the question whether a claim holds.

    Parameters
    ----------
    about : Claim
    margin : callable
        As of a conjecture.
    *judged : callables
        Its premises, each measured with an error of its own.
    what : str
        What it is about, as of a conjecture.

    Returns
    -------
    Question
    """
    return Question(about.statement, what, margin, (), {}, judged)


def ask(asked: Question, tally: Tally, cases: Sequence[Case]) -> list[float]:
    """Count cases of one shape, depth and ε; return how bad each is for a climb.

    Raises
    ------
    RuntimeError
        If one cannot be run or measured: a claim has a margin wherever it is asked about.

    Parameters
    ----------
    asked : Question
    tally : Tally
    cases : Sequence[Case]

    Returns
    -------
    list[float]
    """
    looks = asked.count(tally, cases)
    for name in ("failures", "unmeasured"):
        if name in tally.notes:
            raise RuntimeError(f"{asked.statement} {tally.notes[name][0]['why']}")
    return [look.badness for look in looks]


def trial(
    asked: Question, batches: Callable[[Task], Iterable[Sequence[Case]]], told: str
) -> Callable[[Tally, Task], None]:
    """Return the attack with batches of cases; `told` says which.

    Parameters
    ----------
    asked : Question
    batches : Callable[[Task], Iterable[Sequence[Case]]]
    told : str

    Returns
    -------
    Callable[[Tally, Task], None]
    """

    def attack(tally: Tally, task: Task) -> None:
        for cases in batches(task):
            ask(asked, tally, cases)

    attack.__doc__ = told
    return attack


def random(
    asked: Question,
    *,
    enough_rank: bool = True,
    no_spare: bool = False,
    groups: Sequence[Group] = GROUPS,
    told: str = "",
) -> Callable[[Tally, Task], None]:
    """Return the attack with uniformly random starts, for r̂ = r if there is none to spare.

    Parameters
    ----------
    asked : Question
    enough_rank : bool
    no_spare : bool
    groups : Sequence[Group]
    told : str

    Returns
    -------
    Callable[[Tally, Task], None]
    """

    def drawn(task: Task) -> Iterable[list[Case]]:
        for cases in draw_groups(task.rng, task.count, enough_rank=enough_rank, groups=groups):
            yield [replace(case, r_hat=case.rank) for case in cases] if no_spare else cases

    rest = "." if enough_rank else ", including r̂ < r and ε^L > σ_r*."
    return trial(asked, drawn, told or f"Pairs of flows from uniformly random starts{rest}")


def climb(
    asked: Question, hunted: object = HUNTED, told: str = "A search for the smallest margin."
) -> Callable[[Tally, Task], None]:
    """Return the search for the smallest margin while a network is on its way.

    Parameters
    ----------
    asked : Question
    hunted : object
    told : str

    Returns
    -------
    Callable[[Tally, Task], None]
    """

    def attack(tally: Tally, task: Task) -> None:
        def badness(case: Case) -> float:
            return ask(asked, tally, [case])[0]

        search.climb(hunted, badness, examples=task.count, seed=task.seed)

    attack.__doc__ = told
    return attack


def simplest(asked: Question) -> Callable[[Tally, Task], None]:
    """Return the search for a simple violation.

    Parameters
    ----------
    asked : Question

    Returns
    -------
    Callable[[Tally, Task], None]
    """

    def attack(tally: Tally, task: Task) -> None:
        """A simple case that violates the inequality by more than any rounding."""

        def counted(case: Case) -> Tally:
            alone = Tally(tally.about)
            ask(asked, alone, [case])
            return alone

        def bad(case: Case) -> bool:
            worst = counted(case).worst
            return worst is not None and worst.margin + worst.error < -PLAIN

        budget = {"examples": task.count, "shrinks": task.shrinks, "seed": task.seed}
        case = search.simplest(HUNTED, bad, **budget)
        if case is not None:
            tally.note("simplest", counted(case).verdict().witness)

    return attack


def registered(about: Claim, asked: Question) -> Part:
    """Return the part that repeats the registered witness of a refuted claim.

    Parameters
    ----------
    about : Claim
    asked : Question

    Returns
    -------
    Part
    """

    def attack(tally: Tally, task: Task) -> None:
        """The smallest known counterexample, whose margin is enclosed at one time."""
        known = witnesses.of(about)
        at = replace(asked, options={"also": (float(known.time),)})
        found, _ = at.look(witnesses.case(known))
        k = int(np.flatnonzero(found.times == float(known.time))[0])
        tally.reproduce(float(found.margin[k]), float(found.error[k]))
        ask(at, tally, [witnesses.case(known)])

    return Part(attack, share=0.0)


def large_start(asked: Question, about: Claim) -> Part:
    """Return the part that tries the witness of another claim, whose start is above σ_r*.

    Parameters
    ----------
    asked : Question
    about : Claim

    Returns
    -------
    Part
    """

    def attack(tally: Tally, task: Task) -> None:
        """The start above σ_r* that is proved to violate the inequality without a correction."""
        ask(asked, tally, [witnesses.case(witnesses.of(about))])

    return Part(attack, share=0.0)
