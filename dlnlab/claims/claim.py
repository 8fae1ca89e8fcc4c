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

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, Protocol

import numpy as np

__all__ = [
    "CONJECTURE",
    "STATUSES",
    "Claim",
    "Contradiction",
    "Setting",
    "Standing",
    "Witness",
    "contradicts",
    "everywhere",
    "proved",
    "refuted",
]

STATUSES = ("proved", "conditional", "conjecture", "refuted", "not applicable")

_STRENGTH = {"refuted": 0, "conjecture": 1, "conditional": 2, "proved": 3}


@dataclass(frozen=True)
class Setting:
    """The properties of an instance on which the standing of a claim may depend.

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
    core : array, shape (k, k), or None
        QᵀM*, or what the reduction leaves of it; None where it is not known.
    """

    shape: tuple[int, int]
    depth: int
    targets: np.ndarray
    start: float
    r_hat: int
    core: np.ndarray | None = field(default=None, repr=False, compare=False)

    @property
    def size(self) -> int:
        """The smaller dimension d = min(d_out, d_in)."""
        return min(self.shape)

    @property
    def rank(self) -> int:
        """The rank r of the target."""
        return int(np.size(self.targets))


class Contradiction(Protocol):
    """An instance that contradicts a statement: it prints itself, and knows its margin.

    Those of two networks are a `Witness`; a claim on something else has a kind of its own.
    """

    @property
    def between(self) -> tuple[Fraction, Fraction]:
        """Return two numbers between which the margin lies, both negative."""


def contradicts(instance: str, between: tuple[Fraction, Fraction]) -> str:
    """Return how a contradiction prints itself: the instance, and where its margin lies.

    Parameters
    ----------
    instance : str
        With the mark after it.
    between : pair of Fraction

    Returns
    -------
    str
    """
    low, high = (f"{float(number):.4g}" for number in between)
    return f"{instance} margin in ({low}, {high})".replace("-", "−")


@dataclass(frozen=True)
class Witness:
    """An instance that contradicts a statement, in two dimensions and rational numbers.

    M* = diag(targets), W_1 = … = W_{L−1} = εI, W_L = εQ, Q the rotation of this cosine and sine.

    Attributes
    ----------
    targets : pair of Fraction
    depth, r_hat : int
    eps, cosine, sine : Fraction
    time : Fraction
        When the statement fails; under descent the number of steps.
    between : pair of Fraction
        Two numbers between which the margin lies then, both negative.
    eta : Fraction or None
        The step of gradient descent; None for the flow.

    Raises
    ------
    ValueError
        If cosine and sine are not those of an angle, or `between` contradicts nothing.
    """

    targets: tuple[Fraction, Fraction]
    depth: int
    r_hat: int
    eps: Fraction
    cosine: Fraction
    sine: Fraction
    time: Fraction
    between: tuple[Fraction, Fraction]
    eta: Fraction | None = None

    def __post_init__(self) -> None:
        if self.cosine**2 + self.sine**2 != 1:
            raise ValueError(
                f"`cosine` and `sine` must be of one angle, got {self.cosine, self.sine}"
            )
        if not self.between[0] < self.between[1] < 0:
            raise ValueError(f"`between` must be increasing and negative, got {self.between}")

    def __str__(self) -> str:
        first, second = self.targets
        when = f"t = {self.time}" if self.eta is None else f"η = {self.eta}, step {self.time}"
        return contradicts(
            f"M* = diag({first}, {second}), L = {self.depth}, r̂ = {self.r_hat}, ε = {self.eps}, "
            f"Q the rotation with cosine {self.cosine} and sine {self.sine}, {when}:",
            self.between,
        )


def everywhere(setting: Setting) -> bool:
    """Return True: the scope that covers every instance.

    Parameters
    ----------
    setting : Setting

    Returns
    -------
    bool
    """
    return True


@dataclass(frozen=True)
class Standing:
    """The status of a claim within one scope, and the evidence for it.

    Attributes
    ----------
    status : {"proved", "conditional", "conjecture", "refuted"}
    scope : str
        For which instances, in words; empty for all that the statement speaks of.
    condition : str
        Name of the claim that a conditional one rests on.
    covers : callable
        ``covers(setting)`` tells whether an instance lies in the scope.
    proofs : tuple of str
        Modules of `dlnlab.proofs` that establish it; empty where validations alone speak.
    witness : Contradiction or None
        The smallest instance known to contradict a refuted claim.

    Raises
    ------
    ValueError
        If `status` is none that there is, or `condition` or `witness` does not go with it.
    """

    status: str
    scope: str = ""
    condition: str = ""
    covers: Callable[[Setting], bool] = field(default=everywhere, repr=False, compare=False)
    proofs: tuple[str, ...] = ()
    witness: Contradiction | None = None

    def __post_init__(self) -> None:
        if self.status not in _STRENGTH:
            raise ValueError(f"`status` must be one of {list(_STRENGTH)}, got {self.status!r}")
        for name, belongs_to in (("condition", "conditional"), ("witness", "refuted")):
            if (self.status == belongs_to) != bool(getattr(self, name)):
                raise ValueError(
                    f"`{name}` must be given exactly where `status` is {belongs_to!r}, got "
                    f"{getattr(self, name)!r} with {self.status!r}"
                )

    def to_dict(self) -> dict[str, Any]:
        """Return the standing as plain strings and lists, ready for JSON.

        Returns
        -------
        dict
        """
        return {
            "status": self.status,
            "scope": self.scope,
            "condition": self.condition,
            "proofs": list(self.proofs),
            "witness": None if self.witness is None else str(self.witness),
        }

    @property
    def words(self) -> str:
        """The status with the claim that it depends on: "conditional on dominance"."""
        return f"{self.status} on {self.condition}" if self.condition else self.status

    def __str__(self) -> str:
        return self.words + (f" for {self.scope}" if self.scope else "")


CONJECTURE = Standing("conjecture")


def proved(*proofs: str) -> tuple[Standing, ...]:
    """Return the standings of a claim that is proved in all that it speaks of.

    Parameters
    ----------
    *proofs
        Names of proofs.

    Returns
    -------
    tuple of Standing
    """
    return (Standing("proved", proofs=proofs),)


def refuted(witness: Contradiction, *proofs: str) -> tuple[Standing, ...]:
    """Return the standings of a claim that is refuted.

    Parameters
    ----------
    witness : Contradiction
    *proofs
        Names of proofs.

    Returns
    -------
    tuple of Standing
    """
    return (Standing("refuted", proofs=proofs, witness=witness),)


@dataclass(frozen=True)
class Claim:
    """A statement that can be true or false, and what is known of it.

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

    Raises
    ------
    ValueError
        If the standings do not end in one that covers every instance.
    """

    name: str
    title: str
    statement: str
    source: str
    standings: tuple[Standing, ...]

    def __post_init__(self) -> None:
        if not self.standings or self.standings[-1].covers is not everywhere:
            raise ValueError(
                f"`standings` of {self.name} must end in one that covers every instance"
            )

    def standing(self, setting: Setting | None = None) -> Standing:
        """Return what is known for one instance, or without one the weakest of all scopes.

        Parameters
        ----------
        setting : Setting, optional
            Of the instance.

        Returns
        -------
        Standing
        """
        if setting is None:
            return min(self.standings, key=lambda standing: _STRENGTH[standing.status])
        return next(standing for standing in self.standings if standing.covers(setting))

    @property
    def known(self) -> str:
        """All standings in a line: "proved for L = 2, or r = 1; conjecture for all others"."""
        scopes: dict[str, list[str]] = {}
        for standing in self.standings:
            scopes.setdefault(standing.words, []).append(standing.scope)
        return "; ".join(
            f"{words} for {', or '.join(some)}" if all(some) else words
            for words, some in scopes.items()
        )

    def without(self, proofs: Collection[str]) -> Claim:
        """Return the claim as it stood if these proofs did not go through.

        Parameters
        ----------
        proofs : collection of str
            Names of proofs.

        Returns
        -------
        Claim
        """
        left = tuple(s for s in self.standings if not set(s.proofs) & set(proofs))
        if left == self.standings:
            return self
        rest = left and left[-1].covers is everywhere
        return replace(self, standings=left if rest else (*left, CONJECTURE))

    def to_dict(self) -> dict[str, Any]:
        """Return the claim as plain strings, lists and dicts, ready for JSON.

        "status" and "condition" are those of the weakest scope.

        Returns
        -------
        dict
        """
        weakest = self.standing()
        return {
            "claim": self.name,
            "title": self.title,
            "statement": self.statement,
            "source": self.source,
            "status": weakest.status,
            "condition": weakest.condition,
            "standings": [standing.to_dict() for standing in self.standings],
        }
