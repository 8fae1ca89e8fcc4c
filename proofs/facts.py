"""Facts: what a check establishes, and the line it prints, are one object.

A check calls the ``require_*`` functions of this module. Each decides one fact about the objects
it is given (an identity, a sign, an order) and, if it holds, writes the fact into the transcript
of the step that is being carried out: the printed line is the printed form of the objects that
were compared, and the quantifiers are the free symbols of these objects with their assumptions. So
a line cannot say what was not checked, and an object that is changed changes its line or fails.
Only the name of a fact (`what`) is prose; like all prose of a proof it is part of what a reader
has read (:mod:`.proof`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import mpmath
import sympy as sp
from sympy.printing.str import StrPrinter

__all__ = [
    "Fact",
    "ProofError",
    "Transcript",
    "at_least",
    "record",
    "require_at_most",
    "require_identity",
    "require_less",
    "require_limit",
    "require_nonnegative",
    "require_positive",
    "require_zero",
    "shown",
    "transcribe",
]


class ProofError(AssertionError):
    """A step of a proof did not go through; the message shows what was not as claimed."""


@dataclass(frozen=True)
class Fact:
    """One thing that was checked: its name, its printed form, and what it is quantified over.

    Parameters
    ----------
    what : str
        Its name.
    formula : callable
        Prints it.
    symbols : frozenset of symbols
        What it is quantified over.
    given : tuple of str
        Assumptions besides, in words.
    all_sizes : bool
        Whether it holds for matrices of all sizes.
    """

    what: str
    formula: Callable[[], str]
    symbols: frozenset[sp.Symbol] = frozenset()
    given: tuple[str, ...] = ()
    all_sizes: bool = False

    @property
    def kind(self) -> str:
        """The name without its numbers: facts that differ in these only are of one kind."""
        return re.sub(r"\d+", "#", self.what)


@dataclass
class Transcript:
    """The facts that one step has established, one of each kind and how many there were.

    Parameters
    ----------
    facts : dict
        The first fact of each kind.
    counts : dict
        How many there were of each.
    """

    facts: dict[str, Fact] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def add(self, fact: Fact) -> None:
        """Count a fact, and keep it if it is the first of its kind.

        Parameters
        ----------
        fact : Fact
        """
        self.facts.setdefault(fact.kind, fact)
        self.counts[fact.kind] = self.counts.get(fact.kind, 0) + 1

    @property
    def lines(self) -> tuple[str, ...]:
        """The facts as they are printed."""
        return tuple(self._line(kind, fact) for kind, fact in self.facts.items())

    def _line(self, kind: str, fact: Fact) -> str:
        more = self.counts[kind] - 1
        return f"{fact.what}:  {fact.formula()}" + (f"   (and {more:,} more)" if more else "")

    @property
    def scope(self) -> tuple[str, ...]:
        """The quantifiers of the facts, read off the objects themselves."""
        symbols = frozenset().union(*(fact.symbols for fact in self.facts.values()))
        parts = _quantifiers(symbols)
        if any(fact.all_sizes for fact in self.facts.values()):
            given = list(dict.fromkeys(g for fact in self.facts.values() for g in fact.given))
            shown = ", ".join(given[:6]) + (f" and {len(given) - 6} more" if len(given) > 6 else "")
            parts.append("matrices of all sizes" + (f" with {shown}" if shown else ""))
        return tuple(parts)


_current: ContextVar[Transcript | None] = ContextVar("transcript", default=None)


@contextmanager
def transcribe() -> Iterator[Transcript]:
    """Collect the facts established inside the block.

    Yields
    ------
    Transcript
        To which `record` adds inside the block.
    """
    transcript = Transcript()
    token = _current.set(transcript)
    try:
        yield transcript
    finally:
        _current.reset(token)


def record(fact: Fact) -> None:
    """Write a fact into the transcript of the step that is being carried out, if there is one.

    Parameters
    ----------
    fact : Fact
    """
    transcript = _current.get()
    if transcript is not None:
        transcript.add(fact)


# ---------------------------------------------------------------------- deciding facts


def require_identity(left: Any, right: Any, what: str) -> None:
    """Require two expressions, or two matrices entry by entry, to be equal.

    Parameters
    ----------
    left, right : sympy expression or matrix
        The two sides; a scalar `right` stands for a matrix full of it.
    what : str
        The name of the fact.

    Raises
    ------
    ProofError
        With the simplified remainder, if it is not the number zero.
    """
    difference = _entries(left, right)
    for entry in difference:
        rest = entry if entry == 0 else _simplified(entry)
        if rest != 0:
            raise ProofError(f"{what}: expected 0, got: {rest}")
    record(Fact(what, lambda: f"{shown(left)} = {shown(right)}", _symbols(left, right)))


def require_zero(value: Any, what: str) -> None:
    """Require an expression, or each entry of a matrix, to simplify to exactly 0.

    Parameters
    ----------
    value : sympy expression or matrix
    what : str
        Name of the fact.

    Raises
    ------
    ProofError
        With the simplified remainder, if it is not zero.
    """
    require_identity(value, 0, what)


def _entries(left: Any, right: Any) -> list[sp.Expr]:
    if not isinstance(left, sp.MatrixBase):
        return [sp.sympify(left) - sp.sympify(right)]
    others = right if isinstance(right, sp.MatrixBase) else sp.ones(*left.shape) * right
    return list(left - others)


def _simplified(entry: sp.Expr) -> sp.Expr:
    """Try the cheap normal forms first; any of them reaching 0 is a proof of the identity."""
    for rewrite in (sp.expand, lambda e: sp.powsimp(sp.expand(sp.powsimp(e))), sp.simplify):
        entry = rewrite(entry)
        if entry == 0:
            return sp.Integer(0)
    return entry


def require_positive(value: Any, what: str) -> None:
    """Require that sympy's assumptions prove `value` > 0 (a None answer is a failure).

    Parameters
    ----------
    value : sympy expression
    what : str
        Name of the fact.

    Raises
    ------
    ProofError
        If SymPy cannot show it.
    """
    _require_sign(value, what, "positive", ">")


def require_nonnegative(value: Any, what: str) -> None:
    """Require that sympy's assumptions prove `value` ≥ 0 (a None answer is a failure).

    Parameters
    ----------
    value : sympy expression
    what : str
        Name of the fact.

    Raises
    ------
    ProofError
        If SymPy cannot show it.
    """
    _require_sign(value, what, "nonnegative", "≥")


def _require_sign(value: Any, what: str, sign: str, relation: str) -> None:
    value = sp.sympify(value)
    for form in (value, sp.factor(value), sp.simplify(value)):
        if getattr(form, f"is_{sign}") is True:
            record(Fact(what, lambda: f"{shown(value)} {relation} 0", _symbols(value)))
            return
    raise ProofError(f"{what}: could not be shown {sign}: {value}")


def require_limit(value: Any, variable: sp.Symbol, point: Any, limit: Any, what: str) -> None:
    """Require an expression to tend to `limit` as `variable` tends to `point` from above.

    Parameters
    ----------
    value : sympy expression
    variable : sympy symbol
    point : sympy expression
        Where the variable tends to.
    limit : sympy expression
    what : str
        Name of the fact.

    Raises
    ------
    ProofError
        If SymPy finds another limit.
    """
    found = sp.limit(value, variable, point)
    if _simplified(found - limit) != 0:
        raise ProofError(f"{what}: expected the limit {limit}, got: {found}")

    def formula() -> str:
        return f"{shown(value)} → {shown(limit)} as {variable} → {shown(sp.sympify(point))}"

    record(Fact(what, formula, _symbols(value, limit) - {variable}))


def require_less(low: Any, high: Any, what: str) -> None:
    """Require `low` < `high` for two numbers without a free symbol.

    Parameters
    ----------
    low, high : number
        Rational numbers, balls, or sympy numbers.
    what : str
        Name of the fact.

    Raises
    ------
    ProofError
        If it is not so.
    """
    if not bool(low < high):
        raise ProofError(f"{what}: expected {low} < {high}")
    record(Fact(what, lambda: f"{shown(low)} < {shown(high)}"))


def require_at_most(low: Any, high: Any, what: str) -> None:
    """Require `low` ≤ `high` for two numbers without a free symbol.

    Parameters
    ----------
    low, high : number
        Rational numbers, balls, or sympy numbers.
    what : str
        Name of the fact.

    Raises
    ------
    ProofError
        If it is not so.
    """
    if not bool(low <= high):
        raise ProofError(f"{what}: expected {low} ≤ {high}")
    record(Fact(what, lambda: f"{shown(low)} ≤ {shown(high)}"))


# ---------------------------------------------------------------------- printing


INTERVAL = mpmath.ctx_iv.ivmpf
LONGEST = 240
"""Characters of a printed side; what is longer is cut, with its length."""


class _Printer(StrPrinter):
    """Formulas as the docstrings write them: ^ for powers, · for products, σ* for σ*."""

    STAR = "\0"

    def _print_Symbol(self, expr: sp.Symbol) -> str:
        return str(expr.name).replace("*", self.STAR)


def shown(value: Any) -> str:
    """Return the printed form of an expression, a matrix or anything else.

    Parameters
    ----------
    value : object
        A sympy object, a Fraction, an interval, or what `str` prints.

    Returns
    -------
    str
        At most about `LONGEST` characters.
    """
    value = sp.Rational(value) if isinstance(value, Fraction) else value
    if isinstance(value, sp.Basic | sp.MatrixBase):
        value = value.subs(dict(map(_unshifted, _symbols(value))))
        text = _Printer().doprint(value).replace("**", "^").replace("*", "·").replace("-", "−")
        text = text.replace(_Printer.STAR, "*")
    elif isinstance(value, INTERVAL):
        text = (
            f"{mpmath.nstr(mpmath.mpf(value.mid), 10)} ± {mpmath.nstr(mpmath.mpf(value.delta), 1)}"
        )
    else:
        text = str(value)
    if len(text) <= LONGEST:
        return text
    if isinstance(value, sp.Rational):
        return f"{sp.N(value, 12)} (a fraction of {len(text):,} characters)".replace("-", "−")
    if isinstance(value, sp.MatrixBase):
        return f"({value.rows} × {value.cols} matrix)"
    return f"{text[:LONGEST]}… ({len(text):,} characters)"


def at_least(name: str, least: int) -> sp.Expr:
    """Return `least` plus a symbol assumed to be nonnegative: every number from `least` on.

    Parameters
    ----------
    name : str
        Of the symbol.
    least : int

    Returns
    -------
    sympy expression
    """
    return least + sp.Symbol(f"{name}{_SHIFT}{least}", nonnegative=True)


_SHIFT = "−"


def _unshifted(symbol: sp.Symbol) -> tuple[sp.Symbol, sp.Expr]:
    """Return a symbol of :func:`at_least` with what it stands for; others stand for themselves."""
    name, _, least = symbol.name.partition(_SHIFT)
    return symbol, sp.Symbol(name, positive=True) - int(least) if least else symbol


def _quantifiers(symbols: frozenset[sp.Symbol]) -> list[str]:
    """Return the symbols grouped by what is assumed of them, as "σ, ε > 0"."""
    groups: dict[str, list[str]] = {}
    for symbol in sorted(symbols, key=lambda symbol: (symbol.name, _assumed(symbol))):
        name, _, least = symbol.name.partition(_SHIFT)
        sign = f" ≥ {least}" if least else _assumed(symbol)
        groups.setdefault(sign, []).append(name)
    return [", ".join(_few(names)) + sign for sign, names in groups.items()]


def _few(names: list[str]) -> list[str]:
    return names if len(names) <= 8 else [*names[:3], "…", names[-1]]


def _assumed(symbol: sp.Symbol) -> str:
    kind = " integer" if symbol.is_integer else ""
    if symbol.is_positive:
        return f" > 0{kind}"
    if symbol.is_nonnegative:
        return f" ≥ 0{kind}"
    return kind or (" real" if symbol.is_real else " any")


def _symbols(*values: Any) -> frozenset[sp.Symbol]:
    found: frozenset[sp.Symbol] = frozenset()
    for value in values:
        found |= frozenset(getattr(value, "free_symbols", ()))
    return found
