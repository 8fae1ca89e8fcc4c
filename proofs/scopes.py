"""Scopes: what a check is carried out for and what a clause claims, by the names of quantities.

A scope maps a name, L or r, to a number, a range of numbers, or every number from one on.  A check
is called once for each of its points, so that its scope is what was carried out; a clause is
compared with the scopes of its steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

import sympy as sp

from .facts import at_least

__all__ = ["AtLeast", "Domain", "Scope", "contains", "points", "told"]


@dataclass(frozen=True)
class AtLeast:
    """Every number from `least` on; a check is carried out with a symbol for it.

    Parameters
    ----------
    least : int
    """

    least: int

    def point(self, name: str) -> sp.Expr:
        """Return `least` plus a free symbol that is assumed to be nonnegative.

        Parameters
        ----------
        name : str
            Of the quantity, "L" for example.

        Returns
        -------
        sympy expression
        """
        return at_least(name, self.least)

    def __str__(self) -> str:
        return f"≥ {self.least}"


Domain = int | range | AtLeast
Scope = Mapping[str, Domain]


def points(scope: Scope) -> Iterator[dict[str, Any]]:
    """Yield the arguments with which a check has to be called to cover a scope.

    Parameters
    ----------
    scope : mapping
        From names to domains.

    Yields
    ------
    dict
        From names to values, or to symbols for unbounded domains.
    """
    values = [_values(name, domain) for name, domain in scope.items()]
    for chosen in product(*values):
        yield dict(zip(scope, chosen, strict=True))


def _values(name: str, domain: Domain) -> list[Any]:
    if isinstance(domain, AtLeast):
        return [domain.point(name)]
    return [domain] if isinstance(domain, int) else list(domain)


def contains(wide: Domain, narrow: Domain) -> bool:
    """Tell whether every value of `narrow` is one of `wide`.

    Parameters
    ----------
    wide, narrow : Domain
        A number, numbers, or all numbers from one on.

    Returns
    -------
    bool
    """
    if isinstance(narrow, AtLeast):
        return isinstance(wide, AtLeast) and wide.least <= narrow.least
    values = [narrow] if isinstance(narrow, int) else list(narrow)
    if isinstance(wide, AtLeast):
        return all(value >= wide.least for value in values)
    return set(values) <= ({wide} if isinstance(wide, int) else set(wide))


def told(scope: Scope) -> list[str]:
    """Return the parts of a scope as they are printed: "L ≥ 2", "r = 1…4".

    Parameters
    ----------
    scope : mapping
        From names to domains.

    Returns
    -------
    list of str
    """
    return [f"{name} {_told(domain)}" for name, domain in scope.items()]


def _told(domain: Domain) -> str:
    if isinstance(domain, AtLeast):
        return str(domain)
    return f"= {domain}" if isinstance(domain, int) else f"= {domain[0]}…{domain[-1]}"
