"""A tally: many instances of one claim, and the verdict they add up to."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from dlnlab import results
from dlnlab.claims import Claim, Premise, Verdict, judge

__all__ = ["REPRODUCED", "Tally", "Witness"]

REPRODUCED = "reproduced"
"""Name of the note on the registered witness."""

Witness = Mapping[str, Any] | Callable[[], Mapping[str, Any]]


class Tally:
    """Counts instances of one claim and remembers the one with the worst margin.

    Only instances whose premises all hold are counted for or against the claim; of the others the
    worst is remembered separately, and becomes the verdict if there is nothing else.  Tallies of
    parts, which may have been made on other machines, are merged with `merge`.

    Attributes
    ----------
    instances, outside : int
        Counted with and without all premises.
    worst, worst_outside : Verdict or None
    premises : dict of Premise
        The narrowest of each name, of the instances counted.
    unmet : Counter
        How often a premise of this name was not met.
    notes : dict of lists
        What else a part has to tell.
    about : Claim
    """

    def __init__(self, about: Claim) -> None:
        self.about = about
        self.seconds = 0.0
        self._started = time.monotonic()
        self.instances = self.outside = 0
        self.worst: Verdict | None = None
        self.worst_outside: Verdict | None = None
        self.premises: dict[str, Premise] = {}
        self.unmet: Counter[str] = Counter()
        self.notes: dict[str, list[Any]] = {}

    def add(
        self,
        margin: float,
        error: float,
        premises: Sequence[Premise],
        witness: Witness,
        count: int = 1,
    ) -> None:
        """Count an instance, or the worst of `count` instances that share their premises.

        A margin that is not a number or has no finite error, where the premises hold, is the worst
        there is: nothing was measured, so nothing may be called tested.

        Parameters
        ----------
        margin : float
        error : float
            Bound on its numerical error.
        premises : sequence of Premise
        witness : mapping, or callable that returns one
        count : int
            How many.
        """
        met = all(premise.met for premise in premises)
        if met:
            self.instances += count
            self._keep_tightest(premises)
        else:
            self.outside += count
            self.unmet.update({p.name: count for p in premises if not p.met})
        if self._is_worst(margin, error, met):
            told = results.plain(witness() if callable(witness) else witness)
            claim, standing = self.about, self.about.standing()
            numbers = float(margin), float(error)
            self._keep_worst(judge(claim.name, claim.statement, *numbers, premises, told, standing))

    def note(self, name: str, value: Any) -> None:
        """Keep something else that is worth telling, as plain JSON.

        Parameters
        ----------
        name : str
        value : object
        """
        self.notes.setdefault(name, []).append(results.plain(value))

    def reproduce(self, margin: float, error: float) -> None:
        """Note whether a margin is that of the registered witness of a refuted claim.

        Parameters
        ----------
        margin : float
        error : float
            Bound on its numerical error.
        """
        witness = self.about.standing().witness
        assert witness is not None  # asked of refuted claims only
        low, high = witness.between
        self.note(REPRODUCED, bool(low - error <= margin <= high + error))

    def merge(self, part: Mapping[str, Any]) -> None:
        """Add what another tally of this claim counted, from its `to_dict`.

        Parameters
        ----------
        part : mapping
            As `to_dict` returns it.
        """
        self.instances += part["instances"]
        self.outside += part["outside"]
        self.unmet.update(part["unmet"])
        self.seconds += part["seconds"]
        self._keep_tightest(Premise(**premise) for premise in part["premises"])
        for name in ("worst", "worst_outside"):
            if part[name] is not None:
                verdict = _verdict(part[name])
                if self._is_worst(verdict.margin, verdict.error, name == "worst"):
                    self._keep_worst(verdict)
        for name, values in part["notes"].items():
            self.notes.setdefault(name, []).extend(values)

    def to_dict(self) -> dict[str, Any]:
        """Return the tally as plain JSON, in which numbers may be infinite or NaN.

        Returns
        -------
        dict
        """
        return {
            "instances": self.instances,
            "outside": self.outside,
            "worst": None if self.worst is None else asdict(self.worst),
            "worst_outside": None if self.worst_outside is None else asdict(self.worst_outside),
            "premises": [asdict(premise) for premise in self.premises.values()],
            "unmet": dict(self.unmet),
            "notes": self.notes,
            "seconds": time.monotonic() - self._started,
        }

    def _is_worst(self, margin: float, error: float, met: bool) -> bool:
        best = self.worst if met else self.worst_outside
        refuted = self.about.standing().status == "refuted"  # then the largest violation is wanted
        badness = _badness if met and not refuted else _violation
        return best is None or badness(margin, error) > badness(best.margin, best.error)

    def _keep_worst(self, verdict: Verdict) -> None:
        if all(premise.met for premise in verdict.premises):
            self.worst = verdict
        else:
            self.worst_outside = verdict

    def _keep_tightest(self, premises: Iterable[Premise]) -> None:
        """Of each premise, keep the instance that met it most narrowly."""
        for premise in premises:
            known = self.premises.get(premise.name)
            if known is None or premise.margin + premise.error < known.margin + known.error:
                self.premises[premise.name] = premise

    def verdict(self, **extra: Any) -> Verdict:
        """Return the verdict on all instances; `extra` is added to its witness.

        Parameters
        ----------
        **extra
            What else the witness has.

        Returns
        -------
        Verdict

        Raises
        ------
        ValueError
            If nothing was counted.
        """
        best = self.worst_outside if self.worst is None else self.worst
        if best is None:
            raise ValueError(f"no instance of {self.about.name} was tried")
        premises = tuple(self.premises.values()) if self.worst is not None else best.premises
        witness = dict(best.witness) | extra
        if self.worst is not None and self.worst_outside is not None:
            witness["outside_the_premises"] = {
                "instances": self.outside,
                "worst_margin": self.worst_outside.margin,
                "unmet": dict(self.unmet),
            }
        return replace(
            best,
            premises=premises,
            instances=self.instances if self.worst is not None else self.outside,
            witness=witness,
            seconds=self.seconds,
            reproduced=self._reproduced(),
        )

    def _reproduced(self) -> bool:
        """Whether the registered witness was found again, by every part that tried."""
        found = self.notes.get(REPRODUCED, [])
        return all(found) and bool(found) == (self.about.standing().status == "refuted")


def _badness(margin: float, error: float) -> float:
    """Order margins where the premises hold: below zero by the share of the error they use up.

    So whatever refutes the claim (a share above 1) comes before all that does not; margins above
    zero follow in their own order.  A margin that was not measured comes first.
    """
    if math.isnan(margin) or not math.isfinite(error):
        return math.inf
    if margin >= 0:
        return -margin
    return -margin / error if error > 0 else math.inf


def _violation(margin: float, error: float) -> float:
    """Order margins outside the premises: by what is violated beyond the error."""
    return -(margin + error) if not math.isnan(margin + error) else -math.inf


def _verdict(content: Mapping[str, Any]) -> Verdict:
    premises = tuple(Premise(**premise) for premise in content["premises"])
    return Verdict(**(dict(content) | {"premises": premises}))
