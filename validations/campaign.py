"""A campaign: many instances of one claim, and the verdict they add up to."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dlnlab.claims import Premise, Verdict

__all__ = ["PROFILES", "Profile", "Tally", "as_profile"]

Witness = Mapping[str, Any] | Callable[[], Mapping[str, Any]]


@dataclass(frozen=True)
class Profile:
    """How hard to try.

    Attributes
    ----------
    name : str
    batch : int
        Random instances of a claim that needs a run for each; cheap claims take multiples of it.
    examples : int
        Instances a search may look at.
    shrinks : int
        Instances it may look at to simplify the worst one.
    """

    name: str
    batch: int
    examples: int
    shrinks: int


PROFILES = {
    "ci": Profile("ci", 240, 60, 150),
    "dev": Profile("dev", 2_400, 400, 400),
    "hunt": Profile("hunt", 24_000, 5_000, 2_000),
}


def as_profile(profile: Profile | str) -> Profile:
    """Return the profile of a name.

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


class Tally:
    """Counts instances of one claim and remembers the one with the worst margin.

    Only instances whose premises all hold are counted for or against the claim; of the others the
    worst is remembered separately, and becomes the verdict if there is nothing else.
    """

    def __init__(self, claim: str, statement: str) -> None:
        self.claim, self.statement = claim, statement
        self.started = time.monotonic()
        self.instances = self.outside = 0
        self.worst: Verdict | None = None
        self.worst_outside: Verdict | None = None
        self.premises: dict[str, Premise] = {}
        self.unmet: Counter[str] = Counter()

    def add(
        self,
        margin: float,
        error: float,
        premises: Sequence[Premise],
        witness: Witness,
        count: int = 1,
    ) -> None:
        """Count an instance, or the worst of `count` instances that share their premises.

        A margin that is not a number, where the premises hold, is the worst there is: nothing was
        measured, so nothing may be called tested.
        """
        met = all(premise.met for premise in premises)
        if met:
            self.instances += count
            self._keep_tightest(premises)
        else:
            self.outside += count
            self.unmet.update({p.name: count for p in premises if not p.met})
        best, badness = (self.worst, _badness) if met else (self.worst_outside, _violation)
        if best is not None and not badness(margin, error) > badness(best.margin, best.error):
            return
        content = witness() if callable(witness) else witness
        status = _status(margin, error) if met else "premise-not-met"
        verdict = Verdict(
            self.claim,
            self.statement,
            status,
            float(margin),
            float(error),
            tuple(premises),
            witness=dict(content),
        )
        if met:
            self.worst = verdict
        else:
            self.worst_outside = verdict

    def _keep_tightest(self, premises: Iterable[Premise]) -> None:
        """Of each premise, keep the instance that met it most narrowly."""
        for premise in premises:
            known = self.premises.get(premise.name)
            if known is None or premise.margin + premise.error < known.margin + known.error:
                self.premises[premise.name] = premise

    @property
    def seconds(self) -> float:
        """Since the tally was opened."""
        return time.monotonic() - self.started

    def verdict(self, **extra: Any) -> Verdict:
        """Return the verdict on all instances; `extra` is added to its witness."""
        best = self.worst or self.worst_outside
        if best is None:
            raise ValueError(f"no instance of {self.claim} was tried")
        premises = tuple(self.premises.values()) if self.worst else best.premises
        witness = dict(best.witness) | extra
        if self.worst and self.worst_outside:
            witness["outside_the_premises"] = {
                "instances": self.outside,
                "worst_margin": self.worst_outside.margin,
                "unmet": dict(self.unmet),
            }
        return replace(
            best,
            premises=premises,
            instances=self.instances if self.worst else self.outside,
            witness=witness,
            seconds=self.seconds,
        )


def _badness(margin: float, error: float) -> float:
    """Order margins where the premises hold: below zero by the share of the error they use up.

    So whatever refutes the claim (a share above 1) comes before all that does not; margins above
    zero follow in their own order.  A margin that is not a number comes first.
    """
    if math.isnan(margin) or math.isnan(error):
        return math.inf
    if margin >= 0:
        return -margin
    return -margin / error if error > 0 else math.inf


def _violation(margin: float, error: float) -> float:
    """Order margins outside the premises: by what is violated beyond the error."""
    return -(margin + error) if not math.isnan(margin + error) else -math.inf


def _status(margin: float, error: float) -> str:
    if math.isnan(margin) or math.isnan(error):
        return "premise-not-met"
    return "tested" if margin >= -error else "refuted"
