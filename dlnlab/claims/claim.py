"""A claim: one statement under one name, and what is known of it in which scope.

Whatever speaks of a claim, a proof, a validation, a comparison, a page, finds its title, statement,
source and standing here, so that one statement has one status everywhere.  The five statuses:

=============== ===================================================================================
proved          by a proof of this project or of the source, for the scope named
conditional     follows by a proof from another claim that is not proved itself
conjecture      attacked with so many instances, and neither proved nor refuted
refuted         an instance that meets the premises contradicts it
not applicable  of single instances only: a premise is not met, or nothing was measured
=============== ===================================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

__all__ = ["STATUSES", "Claim", "Setting", "Standing"]

STATUSES = ("proved", "conditional", "conjecture", "refuted", "not applicable")

_STRENGTH = {"refuted": 0, "conjecture": 1, "conditional": 2, "proved": 3}


@dataclass(frozen=True)
class Setting:
    """What the standing of a claim may depend on: the shape of an instance, not its weights.

    Attributes
    ----------
    shape : tuple of int
        (d_out, d_in).
    depth : int
        L.
    targets : array, shape (r,)
        σ_1* ≥ … ≥ σ_r* > 0.
    start : float
        ε^L.
    r_hat : int
        r̂.
    """

    shape: tuple[int, int]
    depth: int
    targets: np.ndarray
    start: float
    r_hat: int

    @property
    def size(self) -> int:
        """d = min(d_out, d_in)."""
        return min(self.shape)

    @property
    def rank(self) -> int:
        """r."""
        return int(np.size(self.targets))


def everywhere(setting: Setting) -> bool:
    """Cover every instance."""
    return True


@dataclass(frozen=True)
class Standing:
    """What is known of a claim in one scope.

    Attributes
    ----------
    status : {"proved", "conditional", "conjecture", "refuted"}
    scope : str
        For which instances, in words; empty for all that the statement speaks of.
    condition : str
        Name of the claim that a conditional one rests on.
    covers : callable
        ``covers(setting)`` tells whether an instance lies in the scope.
    """

    status: str
    scope: str = ""
    condition: str = ""
    covers: Callable[[Setting], bool] = field(default=everywhere, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.status not in _STRENGTH:
            raise ValueError(f"`status` must be one of {list(_STRENGTH)}, got {self.status!r}")
        if (self.status == "conditional") != bool(self.condition):
            raise ValueError(
                "`condition` must name a claim exactly where `status` is 'conditional', got "
                f"{self.condition!r} with {self.status!r}"
            )

    def __str__(self) -> str:
        on = f" on {self.condition}" if self.condition else ""
        return f"{self.status}{on}" + (f" for {self.scope}" if self.scope else "")


PROVED = Standing("proved")
CONJECTURE = Standing("conjecture")
REFUTED = Standing("refuted")


@dataclass(frozen=True)
class Claim:
    """One statement.

    Attributes
    ----------
    name : str
        By which everything else finds it.
    title : str
        What it is called in a text.
    statement : str
        A sentence that is true or false.
    source : str
        Where it comes from.
    standings : tuple of Standing
        What is known, scope by scope; the first that covers an instance applies, and the last
        covers all that is left.
    """

    name: str
    title: str
    statement: str
    source: str
    standings: tuple[Standing, ...] = (PROVED,)

    def standing(self, setting: Setting | None = None) -> Standing:
        """Return what is known for one instance, or without one the weakest of all scopes."""
        if setting is None:
            return min(self.standings, key=lambda standing: _STRENGTH[standing.status])
        return next(standing for standing in self.standings if standing.covers(setting))
