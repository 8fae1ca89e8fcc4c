"""The attack on a conjecture: random batches, a climb towards the worst margin, and shrinking.

Every task is a few instances of one shape, depth and ε, and depends on its configuration only: so
tasks run through any executor and resume, and what is found is the same wherever they ran.  Tasks
are added up in their own order, round by round; the first round with a counterexample is the last.
"""

from __future__ import annotations

import contextlib
import math
import os
import pickle
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from dlnlab import campaigns, results
from dlnlab.campaigns import executors
from dlnlab.claims import Claim, Premise, Verdict
from dlnlab.claims.claim import CONJECTURE
from dlnlab.files import fingerprints
from dlnlab.lab import dynamics, margins
from dlnlab.lab.cases import Case
from dlnlab.lab.dynamics import Sighting
from dlnlab.lab.margins import BadMargin, MarginCurve
from dlnlab.lab.observed import Observed
from dlnlab.lab.ranges import Ranges, as_case
from dlnlab.lab.tally import Tally
from dlnlab.progress import Progress

__all__ = [
    "BATCH",
    "BATCHES",
    "CLIMBING",
    "CLIMBS",
    "FAILURES",
    "FAR",
    "GENERATION",
    "GENERATIONS",
    "KEPT",
    "LONG",
    "ROUND",
    "Attacker",
    "Question",
    "Search",
    "Sighted",
    "search",
]

BATCH = (16, 128)
"""Instances of one task: few, so that few instances see all corners of the ranges, or many, of
which those that last as long are integrated as one system."""

BATCHES = 300
"""Random batches of an attack, before they become larger."""

ROUND = 8
"""Tasks between two looks at what was found."""

CLIMBS = 4
"""From how many of the worst instances a climb starts, at least."""

LONG = 2000
"""Instances of one climb, beyond which there are more climbs."""

GENERATION, GENERATIONS = (8, 64), 60
"""Instances of one step of a climb, and steps of a climb before they become larger."""

CLIMBING = 0.3
"""Share of the instances that climbs may look at."""

FAR = 10
"""What a counterexample is simplified to fails by this many times its numerical error: of many
simple instances with equality, some seem to fail by chance."""

FAILURES = 5
"""The search ends after this many instances on which the function failed, if it never did not."""

KEPT = 3
"""How many failures are told in full."""


class Sighted(NamedTuple):
    """An instance as a search sees it.

    Attributes
    ----------
    badness : float
        How bad it is, −inf if it does not count.
    clear : bool
        Whether it contradicts the statement far beyond its numerical error.
    """

    badness: float = -math.inf
    clear: bool = False


@dataclass(frozen=True)
class Question:
    """A margin and its premises, as functions of an instance.

    Attributes
    ----------
    statement : str
    about : str
    function : callable
        The margin.
    premises : tuple of callables
    options : mapping
        "method" of gradient descent, a `dlnlab.methods.Method`, where one was asked for; "also",
        times of a flow to record beside those at which modes rise.
    judged : tuple of callables
        Premises that are measured with errors of their own (`dlnlab.lab.pairs`).
    """

    statement: str
    about: str
    function: Callable[[Any], Any]
    premises: tuple[Callable[[Any], Any], ...]
    options: Mapping[str, Any]
    judged: tuple[Callable[[Sighting], Premise], ...] = ()

    @property
    def claim(self) -> Claim:
        """The statement as a claim of which nothing is known."""
        return Claim("conjecture", "Conjecture", self.statement, "", (CONJECTURE,))

    @property
    def code(self) -> str:
        """A hash of the functions and what they use."""
        return " ".join(fingerprints.of_function(f) for f in (self.function, *self.premises))

    def sightings(self, cases: Sequence[Case]) -> Iterator[tuple[Case, Sighting | str]]:
        """Yield every case with what is to be seen of it, or why nothing is.

        Parameters
        ----------
        cases : sequence of Case
            Of one shape, depth, ε and width.

        Yields
        ------
        (Case, Sighting or str)
        """
        try:
            yield from zip(cases, dynamics.observe(self.about, cases, self.options), strict=True)
        except (RuntimeError, ArithmeticError, np.linalg.LinAlgError) as error:
            if len(cases) == 1:
                yield cases[0], str(error)
                return
            for case in cases:  # one of them is at fault
                yield from self.sightings([case])

    def counterexample(self, case: Case) -> bool:
        """Tell whether an instance contradicts the statement, far beyond its numerical error.

        Parameters
        ----------
        case : Case

        Returns
        -------
        bool
        """
        return any(look.clear for look in self.count(Tally(self.claim), [case]))

    def count(self, tally: Tally, cases: Sequence[Case]) -> list[Sighted]:
        """Count cases of one shape, depth and ε; return how each looks to a search.

        Parameters
        ----------
        tally : Tally
        cases : sequence of Case

        Returns
        -------
        list of Sighted
        """
        looks = []
        for case, sighting in self.sightings(cases):
            if isinstance(sighting, str):
                tally.note("unmeasured", {"case": case.witness(), "why": sighting})
                looks.append(Sighted())
            else:
                looks.append(self._judge(tally, case, sighting))
        return looks

    def _judge(self, tally: Tally, case: Case, sighting: Sighting) -> Sighted:
        try:
            found = margins.curve(self.function, sighting)
            premises = margins.premises(self.premises, sighting)
        except BadMargin as bad:
            tally.note("failures", {"case": case.witness(), "why": str(bad)})
            return Sighted()
        if not found.is_finite:
            tally.note("unmeasured", {"case": case.witness(), "why": "the margin is not finite"})
            return Sighted()
        premises += [judged(sighting) for judged in self.judged]
        k = found.worst
        margin, error = float(found.margin[k]), float(found.error[k])
        told = {"time": float(found.times[k]), "margin": margin, "error": error}
        tally.add(margin, error, premises, lambda: case.witness() | told)
        if not all(premise.met for premise in premises):
            return Sighted()
        return Sighted(-found.climb, margin < -FAR * error)

    def look(self, case: Case) -> tuple[MarginCurve, Observed]:
        """Return the margin along one instance, and what the function was given.

        Parameters
        ----------
        case : Case

        Returns
        -------
        (MarginCurve, Observed)

        Raises
        ------
        RuntimeError
            If it cannot be followed to its end.
        BadMargin
            If the function fails.
        """
        ((_, sighting),) = self.sightings([case])
        if isinstance(sighting, str):
            raise RuntimeError(sighting)
        return margins.curve(self.function, sighting), sighting[0]


class Attacker:
    """The function of a campaign: carries out a task, in whatever process.

    It travels with the functions of its question, by value: those of a notebook cannot be imported
    anywhere else.

    Parameters
    ----------
    question : Question
    """

    task_name = "dlnlab.attack"

    def __init__(self, question: Question) -> None:
        self.question = question
        self.__qualname__ = "Attacker"

    def __call__(self, configuration: Mapping[str, Any]) -> dict[str, Any]:
        """Return the tally of one task as plain JSON."""
        tally, ranges = Tally(self.question.claim), Ranges.from_dict(configuration["ranges"])
        seed, number = configuration["seed"]
        if "from" in configuration:
            first = as_case(self.question.about, configuration["from"])
            rng = np.random.default_rng([seed, 2, number])
            self._climb(tally, ranges, rng, first, configuration["count"])
        else:
            cases = ranges.draw(seed, number, configuration["count"], self.question.about)
            badness, k = self._look(tally, cases)
            if np.isfinite(badness):
                tally.note("steepest", {"badness": badness, "case": cases[k].witness()})
        return _trimmed(tally)

    def _look(self, tally: Tally, cases: Sequence[Case]) -> tuple[float, int]:
        """Count cases, note those that refute, and return the worst and which it is."""
        looks = self.question.count(tally, cases)
        for case, look in zip(cases, looks, strict=True):
            if look.clear:
                tally.note("counterexamples", case.witness())
        k = int(np.argmax([look.badness for look in looks]))
        return looks[k].badness, k

    def _climb(
        self, tally: Tally, ranges: Ranges, rng: np.random.Generator, case: Case, count: int
    ) -> None:
        """Step towards worse instances, a generation at a time, from the worst so far."""
        best, _ = self._look(Tally(self.question.claim), [case])
        size = int(np.clip(count // GENERATIONS, *GENERATION))
        while count > 0:
            cases = ranges.moved(rng, case, min(size, count))
            cases = [moved for moved in cases if ranges.holds(moved)]
            count -= max(len(cases), 1)
            if cases:
                worst, k = self._look(tally, cases)
                best, case = (worst, cases[k]) if worst > best else (best, case)
            if "counterexamples" in tally.notes:
                return

    def __reduce__(self) -> Any:
        return _attacker, (_packed(self.question),)


def _ends(tally: Tally) -> bool:
    """Tell whether to stop: for a clear counterexample, or a function that always fails.

    One that fails by little more than its error is confirmed at the end, if there is none clearer.
    """
    always = tally.instances + tally.outside == 0
    failed = len(tally.notes.get("failures", []))
    return "counterexamples" in tally.notes or (always and failed >= FAILURES)


def _trimmed(tally: Tally) -> dict[str, Any]:
    """Return a tally as JSON, of many notes the first few and their number."""
    told, notes = tally.to_dict(), dict(tally.notes)
    if "counterexamples" in notes:
        notes["counterexamples"] = sorted(notes["counterexamples"], key=_complexity)
    counts = {f"{name} in all": [len(some)] for name, some in notes.items()}
    told["notes"] = {name: some[:KEPT] for name, some in notes.items()} | counts
    return told


def _complexity(witness: Mapping[str, Any]) -> tuple[int, ...]:
    """Order instances as shrinking does: by their dimensions, rank and depth."""
    rank = sum(value > 0 for value in witness["spectrum"])
    return sum(witness["shape"]), rank, witness["depth"]


def _attacker(packed: bytes) -> Attacker:
    return Attacker(pickle.loads(packed))


def _packed(question: Question) -> bytes:
    return bytes(import_module("cloudpickle").dumps(question))


@dataclass
class Search:
    """The state of a search: what it has found so far.

    Attributes
    ----------
    tally : Tally
    """

    tally: Tally

    def many(self, name: str) -> int:
        """Return how many instances failed or were not measured.

        Parameters
        ----------
        name : str
            What became of them.

        Returns
        -------
        int
        """
        return int(sum(self.tally.notes.get(f"{name} in all", [])))

    @property
    def simplest(self) -> Mapping[str, Any] | None:
        """The simplest instance that contradicts the statement far beyond its error."""
        return min(self.tally.notes.get("counterexamples", []), key=_complexity, default=None)

    @property
    def verdict(self) -> Verdict | None:
        """The verdict on what was counted, None if nothing was."""
        judged = (self.tally.worst, self.tally.worst_outside)
        return None if all(verdict is None for verdict in judged) else self.tally.verdict()


def _task_of(question: Question, ranges: Ranges, count: int, seed: Sequence[int]) -> dict[str, Any]:
    """Return the configuration of a random batch; the code of the functions is a part of it."""
    return {
        "statement": question.statement,
        "about": question.about,
        "options": {name: repr(value) for name, value in question.options.items()},
        "code": question.code,
        "ranges": results.plain(ranges.to_dict()),
        "count": count,
        "seed": list(seed),
    }


def search(
    question: Question,
    ranges: Ranges,
    instances: int,
    seed: int,
    found: Search,
    *,
    executor: Executor | str | None = None,
    path: str | os.PathLike[str] | None = None,
    progress: bool | Callable[[int, int], Any] = False,
) -> None:
    """Attack a conjecture with random instances, then climb from the worst of them.

    Parameters
    ----------
    question : Question
    ranges : Ranges
    instances : int
        How many to look at.
    seed : int
    found : Search
        What is found is added to it, so that an interruption does not lose it.
    executor, path, progress
        See `dlnlab.campaigns.run`; ``f(done, total)`` of instances.

    Returns
    -------
    Search
    """
    climbing = int(CLIMBING * instances) if instances > BATCH[0] else 0
    size = int(np.clip((instances - climbing) // BATCHES, *BATCH))
    batches = _shares(instances - climbing, size)
    bar = Progress(progress, instances, "instance", has_loss=False)
    with contextlib.ExitStack() as stack:
        stack.callback(bar.close)
        pool = stack.enter_context(executors.using(executor))
        carry = _Carrier(Attacker(question), pool, path, bar)
        carry.rounds(_random(question, ranges, batches, seed), found)
        steepest = sorted(found.tally.notes.get("steepest", []), key=lambda s: -s["badness"])
        starts = [told["case"] for told in steepest[: max(CLIMBS, climbing // LONG)]]
        if climbing and not _ends(found.tally):
            if len({told["badness"] for told in steepest}) > 1:
                shares = _shares(climbing, -(-climbing // len(starts)))
                more = [
                    _task_of(question, ranges, count, [seed, k]) | {"from": witness}
                    for k, (witness, count) in enumerate(zip(starts, shares, strict=False))
                ]
            else:  # there is no slope to climb
                rest = _shares(climbing, size)
                more = _random(question, ranges, rest, seed, first=len(batches))
            carry.rounds(more, found)


def _random(
    question: Question, ranges: Ranges, sizes: Sequence[int], seed: int, first: int = 0
) -> list[dict[str, Any]]:
    """Return the configurations of random batches of these sizes."""
    return [
        _task_of(question, ranges, count, [seed, number])
        for number, count in enumerate(sizes, first)
    ]


@dataclass
class _Carrier:
    """Carries tasks out, and adds up what they counted in their own order, whatever came first."""

    attacker: Attacker
    pool: Executor
    path: str | os.PathLike[str] | None
    bar: Any
    done: int = 0

    def rounds(self, tasks: Sequence[dict[str, Any]], found: Search) -> None:
        """Add up what the tasks count, until a round has a counterexample."""
        coming = campaigns.as_completed(self.attacker, tasks, path=self.path, executor=self.pool)
        early: dict[int, dict[str, Any]] = {}
        number = 0
        with contextlib.closing(coming):  # type: ignore[type-var]  # it is a generator
            for came, result in coming:
                early[came] = result
                while number in early:
                    found.tally.merge(early.pop(number))
                    self.done += tasks[number]["count"]
                    self.bar.update(self.done)
                    number += 1
                    if number % ROUND == 0 and _ends(found.tally):
                        return


def _shares(total: int, most: int) -> list[int]:
    """Return sizes of at most `most` that add up to a total."""
    return [min(most, total - done) for done in range(0, total, most)]
