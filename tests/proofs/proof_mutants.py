"""Mutants of the proofs: every function of a proof that returns an expression, times −7.

A proof is about expressions: rates, products, bounds, recursions.  If one of them can be multiplied
by −7 everywhere it is used without breaking the proof, the proof does not depend on it.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from importlib import import_module
from types import ModuleType
from typing import Any

import sympy as sp
from dlnlab.proofs.noncommutative import Words
from dlnlab.proofs.proof import ProofError
from sympy.polys.matrices import DomainMatrix

from dlnlab import proofs

FACTOR = -7


def modules() -> list[ModuleType]:
    """The modules of the proofs, not the machinery under them."""
    return [import_module(f"dlnlab.proofs.{name}") for name in proofs.MODULES]


def expressions() -> Iterator[tuple[str, str]]:
    """Yield (module, name) of every function of a proof that is no check and draws no cases."""
    for module in modules():
        for name, value in vars(module).items():
            if inspect.isfunction(value) and value.__module__ == module.__name__:
                kind = str(inspect.signature(value).return_annotation)
                if kind in ("None", "Proof") or (kind.startswith("Iterator") and "Random" in kind):
                    continue
                yield module.__name__.rsplit(".", 1)[1], name


def scaled(value: Any) -> Any:
    """Return an expression, or a tuple or list of expressions, times −7; anything else as it is."""
    if isinstance(value, DomainMatrix):
        return value.scalarmul(value.domain(FACTOR))
    if isinstance(value, Words | sp.Expr | sp.MatrixBase | Fraction):
        return value * FACTOR
    if isinstance(value, tuple | list):
        return type(value)(scaled(entry) for entry in value)
    if isinstance(value, dict):
        return {key: scaled(entry) for key, entry in value.items()}
    if isinstance(value, bool | int | str) or value is None:
        return value
    return value * FACTOR if hasattr(value, "__mul__") else value


@contextmanager
def mutated(module: str, name: str) -> Iterator[Callable[[], bool]]:
    """Multiply what a function returns wherever a proof calls it; yield whether that mattered."""
    original = getattr(import_module(f"dlnlab.proofs.{module}"), name)
    calls: list[bool] = []

    @functools.wraps(original)
    def mutant(*args: Any, **kwargs: Any) -> Any:
        value = original(*args, **kwargs)
        if inspect.isgenerator(value):
            value = list(value)
        other = scaled(value)
        calls.append(other is not value)
        return other

    held = users(module, name)
    for holder in held:
        setattr(holder, name, mutant)
    try:
        yield lambda: any(calls)
    finally:
        for holder in held:
            setattr(holder, name, original)


def users(module: str, name: str) -> list[ModuleType]:
    """The proofs that define or import a function, the one that defines it first.

    Its own facts are the simplest about it; others may take for ever to simplify a wrong one.
    """
    owner = import_module(f"dlnlab.proofs.{module}")
    original = getattr(owner, name)
    using = [holder for holder in modules() if getattr(holder, name, None) is original]
    return sorted(using, key=lambda holder: holder is not owner)


def survives(module: str, name: str) -> bool:
    """Tell whether a mutant is used, and every proof that uses it still goes through."""
    affected = users(module, name)
    with mutated(module, name) as used:
        for user in affected:
            try:
                proofs.build(user.__name__.rsplit(".", 1)[1]).verify()
            except (ProofError, ImportError):
                return False
        return used()
