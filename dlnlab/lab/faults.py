"""A fault that the validation of a claim must find: it replaces a function of the library."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["MISSED", "REFUTED", "UNMET", "Fault"]

REFUTED, UNMET, MISSED = "refuted", "not applicable", "not found again"


@dataclass(frozen=True)
class Fault:
    """One fault, and what the verdict on its claim must say.

    Attributes
    ----------
    claim, name : str
        Whose validation must find it, and what is wrong.
    expected : str
        A status; "not found again" for a claim known to be refuted, whose witness must then be
        missed; or the name of a premise that the fault breaks, so that the instances it touches are
        counted outside.
    where, attribute : object, str
        The module or class, and the function in it, that is replaced.
    make : callable
        Takes the right function and returns the wrong one.
    """

    claim: str
    name: str
    expected: str
    where: Any
    attribute: str
    make: Callable[[Any], Any]
