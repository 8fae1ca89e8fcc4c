"""What the library says about a claim: a margin with its premises, never a bare boolean."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlnlab import checks

__all__ = ["Premise", "Verdict", "judge"]

STATUSES = ("proved", "tested", "refuted", "premise-not-met")


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
        """Whether the premise holds to within the numerical error."""
        return bool(self.margin >= -self.error)


@dataclass(frozen=True)
class Verdict:
    """The verdict on one claim.

    Attributes
    ----------
    claim : str
        Its name, which is also the name of its module.
    statement : str
    status : {"proved", "tested", "refuted", "premise-not-met"}
        "tested": the conclusion held on the instances tried, to within `error`.
    margin : float
        Worst margin seen: signed, scale-free, ≥ 0 where the conclusion holds.
    error : float
        Bound on the numerical error of `margin`.
    premises : tuple of Premise
    instances : int
    witness : mapping
        What attains the worst margin.
    seconds : float
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

    def __post_init__(self) -> None:
        checks.fields(self)
        checks.choice("status", self.status, STATUSES)
        checks.integer("instances", self.instances, 0)
        _check_error(self.error)

    @property
    def unmet(self) -> tuple[Premise, ...]:
        """The premises that do not hold."""
        return tuple(premise for premise in self.premises if not premise.met)

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain numbers, strings, lists and dicts, ready for JSON."""
        return {
            "claim": self.claim,
            "statement": self.statement,
            "status": self.status,
            "margin": _plain(self.margin),
            "error": _plain(self.error),
            "instances": self.instances,
            "premises": [
                {
                    "name": p.name,
                    "statement": p.statement,
                    "met": p.met,
                    "margin": _plain(p.margin),
                    "error": _plain(p.error),
                }
                for p in self.premises
            ],
            "witness": {key: _plain(value) for key, value in self.witness.items()},
            "seconds": self.seconds,
        }

    def __str__(self) -> str:
        unmet = ", ".join(p.name for p in self.unmet)
        note = f" (unmet: {unmet})" if unmet else ""
        return f"{self.claim}: {self.status}{note}, margin {self.margin:.2e} ± {self.error:.1e}"


def _check_error(error: float) -> None:
    """A bound on an error may be infinite, or NaN where nothing was measured, but not negative."""
    if checks.number("error", error) < 0:
        raise ValueError(f"`error` must be >= 0, got {error}")


def judge(
    claim: str,
    statement: str,
    margin: float,
    error: float,
    premises: Sequence[Premise],
    witness: Mapping[str, Any],
) -> Verdict:
    """Return the verdict on one instance.

    A claim with an unmet premise is never called tested or refuted, whatever its margin: the
    instance says nothing about it.  A margin that is not a number, or whose error is not finite,
    counts as an unmet premise too, since nothing was measured.

    Raises
    ------
    TypeError, ValueError
        If an argument is of another type than it says, or `error` is negative.
    """
    _check_error(error)
    checks.items("premises", premises, Premise, "dlnlab.Premise")
    checks.instance("witness", witness, Mapping, "a mapping")
    checks.number("margin", margin)
    measured = math.isfinite(error) and not math.isnan(margin)
    if not all(premise.met for premise in premises) or not measured:
        status = "premise-not-met"
    else:
        status = "tested" if margin >= -error else "refuted"
    return Verdict(claim, statement, status, margin, error, tuple(premises), witness=dict(witness))


def _plain(value: Any) -> Any:
    """JSON has no NaN and no infinity; they become None and strings."""
    if isinstance(value, float):
        return value if math.isfinite(value) else (None if math.isnan(value) else str(value))
    return value.item() if hasattr(value, "item") else value
