"""A suite: the independent parts of the attack on one claim, carried out here or on many machines.

A part counts instances in a tally of its own and depends on nothing but its configuration, so parts
run through any executor, in any order, and add up to the same verdict.
"""

from __future__ import annotations

import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from dlnlab import campaigns
from dlnlab.claims import Claim, Verdict
from dlnlab.lab.tally import Tally

__all__ = [
    "PROFILES",
    "Part",
    "Profile",
    "Suite",
    "Task",
    "as_profile",
    "coverage",
    "load",
    "measure",
    "planned",
    "verdicts",
]


@dataclass(frozen=True)
class Profile:
    """How many instances an attack tries.

    Attributes
    ----------
    name : str
    batch : int
        Random instances of a claim that needs a run for each; cheap claims take multiples of it.
    examples : int
        Instances a search may look at.
    shrinks : int
        Instances it may look at to simplify the worst one.
    settled : float
        The share of these numbers that a claim is tried with which is nowhere a conjecture: a long
        attack spends its time where it is not known what it will find.  What is conditional fails
        only where the claim fails that it follows from, and that one is attacked with all of them.
    """

    name: str
    batch: int
    examples: int
    shrinks: int
    settled: float = 1.0


PROFILES = {
    "ci": Profile("ci", 240, 60, 150),
    "dev": Profile("dev", 2_400, 400, 400),
    "hunt": Profile("hunt", 100_000, 5_000, 2_000, settled=0.1),
}


def as_profile(profile: Profile | str) -> Profile:
    """Return the profile of a name.

    Parameters
    ----------
    profile : Profile, or its name

    Returns
    -------
    Profile

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if isinstance(profile, Profile):
        return profile
    if profile not in PROFILES:
        raise ValueError(f"`profile` must be one of {list(PROFILES)}, got {profile!r}")
    return PROFILES[profile]


@dataclass(frozen=True)
class Task:
    """The work of one call of an attack: how many instances, and their random numbers.

    Attributes
    ----------
    count : int
        Instances to try.
    shrinks : int
        Instances a search may look at to simplify what it found.
    seed : int
        Of this task alone.
    """

    count: int
    shrinks: int
    seed: int

    @property
    def rng(self) -> np.random.Generator:
        """A new generator, the same at every call."""
        return np.random.default_rng(self.seed)


@dataclass(frozen=True)
class Part:
    """One way of attacking a claim.

    Attributes
    ----------
    attack : callable
        ``attack(tally, task)`` counts about `task.count` instances.  Its docstring says which, in a
        sentence that reports repeat.
    share : float
        How many instances, in units of the profile's `batch` (of its `examples` for a search); one
        at least.
    most : int or None
        Instances in one task, beyond which the part is split; None: never.
    search : bool
        Whether it climbs towards the worst instance rather than drawing them at random.
    """

    attack: Callable[[Tally, Task], None]
    share: float = 1.0
    most: int | None = 1_000
    search: bool = False

    @property
    def description(self) -> str:
        """The attack in words, from its docstring."""
        return " ".join((self.attack.__doc__ or "").split())

    def counts(self, profile: Profile, share: float = 1.0) -> list[int]:
        """Return the sizes of the tasks.

        Parameters
        ----------
        profile : Profile, or its name
        share : float
            How many of the instances to try.

        Returns
        -------
        list of int
        """
        whole = profile.examples if self.search else profile.batch
        total = max(1, round(share * self.share * whole))
        tasks = 1 if self.most is None else -(-total // self.most)
        return [total // tasks + (k < total % tasks) for k in range(tasks)]


@dataclass(frozen=True)
class Suite:
    """The attack on one claim, part by part.

    Attributes
    ----------
    about : Claim
    parts : mapping of str to Part
    conclude : callable
        Makes the verdict of the merged tally.
    """

    about: Claim
    parts: Mapping[str, Part]
    conclude: Callable[[Tally], Verdict] = Tally.verdict

    @property
    def claim(self) -> str:
        """The name of the claim."""
        return self.about.name

    def tasks(self, profile: Profile, seed: int) -> list[dict[str, Any]]:
        """Return the configurations of all tasks; each has a seed of its own.

        Parameters
        ----------
        profile : Profile, or its name
        seed : int

        Returns
        -------
        list[dict[str, Any]]
        """
        return [
            {
                "claim": self.claim,
                "part": name,
                "count": count,
                "shrinks": profile.shrinks,
                "seed": [seed, number, k],
            }
            for number, (name, part) in enumerate(self.parts.items())
            for k, count in enumerate(self._counts(part, profile))
        ]

    def _counts(self, part: Part, profile: Profile) -> list[int]:
        """Return the sizes of the tasks of a part: smaller where the claim is no conjecture."""
        is_open = any(standing.status == "conjecture" for standing in self.about.standings)
        return part.counts(profile, 1.0 if is_open else profile.settled)

    def attacks(self, profile: Profile | str) -> list[dict[str, Any]]:
        """Return the name of each part, the number of its instances, and what it does.

        Parameters
        ----------
        profile : Profile, or its name

        Returns
        -------
        list[dict[str, Any]]
        """
        size = as_profile(profile)
        return [
            {
                "part": name,
                "count": sum(self._counts(part, size)),
                "description": part.description,
            }
            for name, part in self.parts.items()
        ]

    def carry_out(self, configuration: Mapping[str, Any], tally: Tally | None = None) -> Tally:
        """Return the tally of one task, `tally` if given, which counts it.

        Parameters
        ----------
        configuration : mapping
            One of `Suite.tasks`.
        tally : Tally, optional

        Returns
        -------
        Tally
        """
        tally = Tally(self.about) if tally is None else tally
        seed = int(np.random.SeedSequence(configuration["seed"]).generate_state(1)[0])
        task = Task(configuration["count"], configuration["shrinks"], seed)
        self.parts[configuration["part"]].attack(tally, task)
        return tally

    def validate(self, profile: Profile | str = "ci", seed: int = 0) -> Verdict:
        """Return the verdict on the claim, computed in this process.

        Parameters
        ----------
        profile : Profile or str
        seed : int

        Returns
        -------
        Verdict
        """
        tally = Tally(self.about)
        for configuration in self.tasks(as_profile(profile), seed):
            tally.merge(self.carry_out(configuration).to_dict())
        return self.conclude(tally)


@campaigns.task("dlnlab.validations.suite.measure")
def measure(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """Carry out one task, in whatever process, and return its tally as plain JSON.

    Parameters
    ----------
    configuration : mapping
        One of `Suite.tasks`.

    Returns
    -------
    dict
    """
    return load(configuration["claim"]).carry_out(configuration).to_dict()


def verdicts(
    claims: Iterable[str],
    profile: Profile | str = "ci",
    seed: int = 0,
    *,
    seconds: float | None = None,
    executor: Executor | str | None = None,
    path: str | os.PathLike[str] | None = None,
    progress: bool | Callable[[int, int], Any] = False,
) -> Iterator[Verdict]:
    """Yield the verdict on each claim as soon as all its tasks are done.

    Parameters
    ----------
    claims : iterable of str
        Names of modules of this package.
    profile : Profile or str
    seed : int
    seconds : float, optional
        When to stop.  The tasks then run part by part in turn, and once the time is over every
        claim of which a part was tried is judged by what there is; `coverage` tells how much.
    executor, path, progress
        See `dlnlab.campaigns.run`.

    Yields
    ------
    Verdict
    """
    suites = {claim: load(claim) for claim in claims}
    tasks = planned(suites, profile, seed, in_turn=seconds is not None)
    left = Counter(task["claim"] for task in tasks)
    done: dict[int, Mapping[str, Any]] = {}
    end = math.inf if seconds is None else time.monotonic() + seconds
    for number, result in campaigns.as_completed(
        measure, tasks, executor=executor, path=path, progress=progress
    ):
        done[number] = result
        claim = tasks[number]["claim"]
        left[claim] -= 1
        if not left[claim]:
            yield _merged(suites[claim], tasks, done)
        if time.monotonic() > end:
            break  # the campaign that is dropped here ends
    tried = {tasks[number]["claim"] for number in done}  # what is judged already is no longer there
    for claim in (claim for claim in suites if left[claim] and claim in tried):
        yield _merged(suites[claim], tasks, done)


def planned(
    suites: Mapping[str, Suite], profile: Profile | str, seed: int, *, in_turn: bool
) -> list[dict[str, Any]]:
    """Return the tasks of all suites, claim by claim, or in turn: then all parts advance alike.

    Parameters
    ----------
    suites : mapping of str to Suite
    profile : Profile, or its name
    seed : int
    in_turn : bool
        Whether claims take turns.

    Returns
    -------
    list[dict[str, Any]]
    """
    size = as_profile(profile)
    tasks = [task for suite in suites.values() for task in suite.tasks(size, seed)]
    if not in_turn:
        return tasks
    many = Counter((task["claim"], task["part"]) for task in tasks)
    return sorted(tasks, key=lambda task: task["seed"][-1] / many[task["claim"], task["part"]])


def coverage(
    claims: Iterable[str], profile: Profile | str, seed: int, path: str | os.PathLike[str]
) -> dict[str, list[dict[str, Any]]]:
    """Return for each part of the attack on each claim how much of it a file of results holds.

    Parameters
    ----------
    claims, profile, seed, path
        As for `verdicts`; nothing is computed.

    Returns
    -------
    dict
        For each claim a list of {"part", "planned", "done", "seconds"}: instances, and the time
        that was spent on those done.
    """
    tasks = planned({claim: load(claim) for claim in claims}, profile, seed, in_turn=False)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for task, spent in zip(tasks, campaigns.seconds(measure, tasks, path), strict=True):
        parts = found.setdefault(task["claim"], {})
        part = parts.setdefault(
            task["part"], {"part": task["part"], "planned": 0, "done": 0, "seconds": 0.0}
        )
        part["planned"] += task["count"]
        part["done"] += task["count"] if spent is not None else 0
        part["seconds"] += spent or 0.0
    return {claim: list(parts.values()) for claim, parts in found.items()}


def _merged(
    suite: Suite, tasks: Sequence[Mapping[str, Any]], done: dict[int, Mapping[str, Any]]
) -> Verdict:
    """Judge a claim by those of its tasks that are done, in their own order whatever came first."""
    tally = Tally(suite.about)
    mine = [number for number in done if tasks[number]["claim"] == suite.claim]
    parts = list(suite.parts)
    for number in sorted(mine, key=lambda k: (parts.index(tasks[k]["part"]), tasks[k]["seed"])):
        tally.merge(done.pop(number))
    return suite.conclude(tally)


def load(claim: str) -> Suite:
    """Return the suite of a claim, which `dlnlab.validations` has in a module of its name.

    Parameters
    ----------
    claim : str
        Its name.

    Returns
    -------
    Suite
    """
    suite: Suite = import_module(f"dlnlab.validations.{claim}").SUITE
    return suite
