"""What the library says about a claim: a margin with its premises, never a bare boolean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlnlab.claims.claim import CONJECTURE, STATUSES, Standing
from dlnlab.numerics import checks
from dlnlab.results import plain, presenter

__all__ = ["NO_STATUS", "Premise", "Verdict", "Verdicts", "judge"]

NO_STATUS = "not applicable"


@dataclass(frozen=True)
class Premise:
    """One measured premise of a claim.

    Attributes
    ----------
    name : str
    statement : str
        What is presupposed.
    margin : float
        Signed and scale-free, ≥ 0 where the premise holds.
    error : float
        Bound on the numerical error of `margin`.

    Raises
    ------
    TypeError, ValueError
        If a field is of another type than it says, or `error` is negative.
    """

    name: str
    statement: str
    margin: float
    error: float = 0.0

    def __post_init__(self) -> None:
        checks.fields(self)
        _check_error(self.error)

    @property
    def met(self) -> bool:
        """Whether the premise holds, up to the numerical error."""
        return bool(self.margin >= -self.error)


@dataclass(frozen=True, repr=False)
class Verdict:
    """The result of attacking one claim with many instances.

    It is neither true nor false: ask for its `status`, or whether the claim is `contradicted`.

    Attributes
    ----------
    claim : str
        Its name, which is also the name of its module.
    statement : str
    status : {"proved", "conditional", "conjecture", "refuted", "not applicable"}
        What is known of the claim, see `dlnlab.claims.claim`, where the instances agree with it to
        within `error`; "refuted" where one contradicts it, "not applicable" where none meets the
        premises.  A claim that is known to be refuted stays so whatever a run finds; whether this
        run found a contradiction is `contradicted`.
    margin : float
        Worst margin seen: signed, scale-free, ≥ 0 where the conclusion holds.
    error : float
        Bound on the numerical error of `margin`.
    premises : tuple of Premise
    instances : int
    witness : mapping
        What attains the worst margin.
    seconds : float
    condition : str
        Name of the claim that a conditional one rests on.
    known : str
        The status that the claim has without these instances, empty if it has none.
    reproduced : bool
        Whether the registered witness of a refuted claim was found again, with its margin where the
        registry says; True of any other claim.

    Raises
    ------
    TypeError, ValueError
        If a field is of another type than it says, or out of range.
    """

    claim: str
    statement: str
    status: str
    margin: float
    error: float
    premises: tuple[Premise, ...] = ()
    instances: int = 1
    witness: Mapping[str, Any] = field(default_factory=dict)
    seconds: float = 0.0
    condition: str = ""
    known: str = ""
    reproduced: bool = True

    def __post_init__(self) -> None:
        checks.fields(self)
        checks.choice("status", self.status, STATUSES)
        checks.choice("known", self.known, ("", *STATUSES))
        checks.integer("instances", self.instances, 0)
        _check_error(self.error)

    @property
    def contradicted(self) -> bool:
        """Whether an instance that meets all premises contradicts the claim beyond `error`."""
        measured = not math.isnan(self.margin) and math.isfinite(self.error)
        return measured and not self.unmet and self.margin < -self.error

    @property
    def surprising(self) -> bool:
        """Whether the instances contradict what is known of the claim.

        So it is where one contradicts a claim that is not known to be refuted, and where none
        contradicts one that is, or its witness is not found again.
        """
        return self.contradicted != (self.known == "refuted") or not self.reproduced

    @property
    def standing(self) -> str:
        """The status in words: "conditional on dominance", "conjecture (tested 240)"."""
        if self.status == "conjecture":
            return f"conjecture (tested {self.instances})"
        if self.status == "refuted" and self.known == "refuted" and self.surprising:
            return "refuted (not found again)"
        return f"conditional on {self.condition}" if self.condition else self.status

    @property
    def unmet(self) -> tuple[Premise, ...]:
        """The premises that do not hold."""
        return tuple(premise for premise in self.premises if not premise.met)

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain numbers, strings, lists and dicts, ready for JSON.

        Returns
        -------
        dict
        """
        content = {
            "claim": self.claim,
            "statement": self.statement,
            "status": self.status,
            "condition": self.condition,
            "contradicted": self.contradicted,
            "reproduced": self.reproduced,
            "margin": self.margin,
            "error": self.error,
            "instances": self.instances,
            "premises": [
                {
                    "name": p.name,
                    "statement": p.statement,
                    "met": p.met,
                    "margin": p.margin,
                    "error": p.error,
                }
                for p in self.premises
            ],
            "witness": self.witness,
            "seconds": self.seconds,
        }
        return dict(plain(content))

    def __bool__(self) -> bool:
        raise TypeError(
            f"a verdict is not true or false: compare `status` of the one on {self.claim} with a "
            f"word (it is {self.status!r}), or ask whether the claim is `contradicted` here"
        )

    def __repr__(self) -> str:
        return f"Verdict({self})"

    def _repr_html_(self) -> str:
        return Verdicts({self.claim: self})._repr_html_()

    def __str__(self) -> str:
        unmet = ", ".join(p.name for p in self.unmet)
        note = f" (unmet: {unmet})" if unmet else ""
        return f"{self.claim}: {self.standing}{note}, margin {self.margin:.2e} ± {self.error:.1e}"


class Verdicts(dict[str, Verdict]):
    """Verdicts by the names of their claims: a dictionary that notebooks show as a table."""

    def __repr__(self) -> str:
        return "\n".join(map(str, self.values()))

    def _repr_html_(self) -> str:
        return presenter("report").verdicts_cell(self)


def _check_error(error: Any) -> float:
    """A bound on an error may be infinite, or NaN where nothing was measured, but not negative."""
    found = checks.number("error", error)
    if found < 0:
        raise ValueError(f"`error` must be >= 0, got {error}")
    return found


def judge(
    claim: str,
    statement: str,
    margin: float,
    error: float,
    premises: Sequence[Premise],
    witness: Mapping[str, Any],
    standing: Standing = CONJECTURE,
) -> Verdict:
    """Return the verdict on one instance.

    An instance with an unmet premise says nothing about a claim, whatever the margin; nor does one
    whose margin is not a number or has no finite error, since nothing was measured.  An instance
    that agrees with a claim leaves it at `standing`, what is known of it in general.

    Parameters
    ----------
    claim, statement : str
        Name and sentence.
    margin, error : float
        Signed and scale-free, and the bound on its numerical error.
    premises : sequence of Premise
    witness : mapping
        The instance, in numbers, strings and lists.
    standing : Standing
        What is known of the claim in general.

    Returns
    -------
    Verdict

    Raises
    ------
    TypeError, ValueError
        If an argument is of another type than it says, or `error` is negative.
    """
    margin, error = checks.number("margin", margin), _check_error(error)
    checks.items("premises", premises, Premise, "dlnlab.Premise")
    checks.instance("witness", witness, Mapping, "a mapping")
    checks.instance("standing", standing, Standing, "a dlnlab.claims.claim.Standing")
    status = _status_of(margin, error, standing) if all(p.met for p in premises) else NO_STATUS
    condition = standing.condition if status == "conditional" else ""
    return Verdict(
        claim,
        statement,
        status,
        margin,
        error,
        tuple(premises),
        witness=dict(witness),
        condition=condition,
        known=standing.status,
    )


def _status_of(margin: float, error: float, standing: Standing) -> str:
    """Return the status of a claim after an instance that meets its premises."""
    if math.isnan(margin) or not math.isfinite(error):
        return NO_STATUS
    return standing.status if margin >= -error else "refuted"
