"""A proof is a list of steps, each of which a computer can carry out and can fail.

A :class:`Proof` names a claim and lists :class:`Step` objects.  Every step carries one readable
line of mathematics, the *kind* of evidence it gives and the *scope* for which it gives it:

========== =====================================================================================
symbolic   an identity or sign verified with free symbols, for the whole scope
exact      integer, rational or modular arithmetic with zero error, for the instances in the scope
enclosure  ball arithmetic: the true number provably lies in the printed ball
evidence   exact arithmetic whose success makes the statement likely, but does not prove it
argument   a deduction in words from the lines above it; nothing is computed
cited      a theorem from the literature, named and not proved here
========== =====================================================================================

Only the first three count as proved.  A proof is "proved" when every check has passed; it is as
strong as the scopes of its steps say, and never stronger than the facts it cites.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from textwrap import fill
from typing import Any, Literal

import sympy as sp

Kind = Literal["symbolic", "exact", "enclosure", "evidence", "argument", "cited"]
Check = Callable[[], None]

CHECKED: tuple[str, ...] = ("symbolic", "exact", "enclosure", "evidence")
PROVING: tuple[str, ...] = ("symbolic", "exact", "enclosure")
WIDTH = 100


class ProofError(AssertionError):
    """A step of a proof did not go through; the message shows what was not as claimed."""


def require(condition: bool, what: str, shown: object = "") -> None:
    """Raise :class:`ProofError` with `what` and the offending value unless `condition` holds."""
    if not bool(condition):
        raise ProofError(f"{what}: {shown}" if shown != "" else what)


def require_zero(value: Any, what: str) -> None:
    """Require that a symbolic expression (or each entry of a matrix) simplifies to exactly 0.

    Parameters
    ----------
    value : sympy expression or matrix
        The difference of the two sides of an identity.
    what : str
        The identity, as the error message should name it.

    Raises
    ------
    ProofError
        With the simplified remainder, if it is not the number zero.
    """
    entries = list(value) if isinstance(value, sp.MatrixBase) else [sp.sympify(value)]
    for entry in entries:
        rest = entry if entry == 0 else _simplified(entry)
        require(rest == 0, f"{what}: expected 0, got", rest)


def _simplified(entry: sp.Expr) -> sp.Expr:
    """Try the cheap normal forms first; any of them reaching 0 is a proof of the identity."""
    for rewrite in (sp.expand, lambda e: sp.powsimp(sp.expand(sp.powsimp(e))), sp.simplify):
        entry = rewrite(entry)
        if entry == 0:
            return sp.Integer(0)
    return entry


def require_positive(value: Any, what: str) -> None:
    """Require that sympy's assumptions prove `value` > 0 (a None answer is a failure)."""
    for form in (value, sp.factor(value), sp.simplify(value)):
        if form.is_positive is True:
            return
    raise ProofError(f"{what}: could not be shown positive: {value}")


@dataclass(frozen=True)
class Step:
    """One step: a title, a line of mathematics, the kind and scope of its evidence, its check."""

    title: str
    line: str
    kind: Kind
    scope: str
    check: Check | None = None

    def __post_init__(self) -> None:
        if (self.check is None) == (self.kind in CHECKED):
            raise ValueError(f"`check` must be given exactly for the kinds {CHECKED}: {self.title}")


@dataclass(frozen=True)
class StepResult:
    """What happened to one step; `failure` is None when it went through."""

    title: str
    line: str
    kind: Kind
    scope: str
    seconds: float
    failure: str | None


@dataclass(frozen=True)
class ProofResult:
    """The outcome of :meth:`Proof.run`.

    Attributes
    ----------
    status : {"proved", "broken"}
        "proved" if every check passed.  Read it with the scopes, `cited` and `open`.
    cited : tuple of str
        Facts used and not proved here.
    open : tuple of str
        What the proof does not settle.
    """

    claim: str
    statement: str
    source: str
    status: str
    steps: tuple[StepResult, ...]
    cited: tuple[str, ...]
    corrections: tuple[str, ...]
    open: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Total running time of the checks."""
        return sum(step.seconds for step in self.steps)

    def as_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, lists and strings, ready for JSON."""
        return asdict(self) | {"seconds": self.seconds}

    def __str__(self) -> str:
        return _render(self)


@dataclass(frozen=True)
class Proof:
    """A claim in the reader's words, and the steps that prove it.

    Parameters
    ----------
    claim : str
        Short name, e.g. "theorem1".
    statement : str
        What is proved, in words.
    source : str
        Where the claim comes from.
    steps : sequence of Step
    corrections : sequence of str
        Slips of the source that the statement puts right.
    open : sequence of str
        What remains unproved.
    """

    claim: str
    statement: str
    source: str
    steps: Sequence[Step]
    corrections: Sequence[str] = field(default=())
    open: Sequence[str] = field(default=())

    def run(self) -> ProofResult:
        """Carry out every step, also after a failure, and report."""
        return self._report(tuple(_carry_out(step) for step in self.steps))

    def verify(self) -> ProofResult:
        """Like :meth:`run`, but stop with a :class:`ProofError` that names the step that failed."""
        results = []
        for step in self.steps:
            result = _carry_out(step)
            if result.failure is not None:
                raise ProofError(f"{self.claim}, step '{step.title}': {result.failure}")
            results.append(result)
        return self._report(tuple(results))

    def _report(self, results: tuple[StepResult, ...]) -> ProofResult:
        broken = any(result.failure is not None for result in results)
        return ProofResult(
            claim=self.claim,
            statement=self.statement,
            source=self.source,
            status="broken" if broken else "proved",
            steps=results,
            cited=tuple(step.line for step in self.steps if step.kind == "cited"),
            corrections=tuple(self.corrections),
            open=tuple(self.open),
        )


def _carry_out(step: Step) -> StepResult:
    start = time.perf_counter()
    failure = None
    if step.check is not None:
        try:
            step.check()
        except ProofError as error:
            failure = str(error)
    seconds = time.perf_counter() - start
    return StepResult(step.title, step.line, step.kind, step.scope, seconds, failure)


def _render(result: ProofResult) -> str:
    counts = ", ".join(
        f"{sum(step.kind == kind for step in result.steps)} {kind}"
        for kind in (*CHECKED, "argument", "cited")
        if any(step.kind == kind for step in result.steps)
    )
    head = [
        f"{result.claim}: {result.status.upper()}   ({counts}; {result.seconds:.1f} s)",
        f"source: {result.source}",
        fill(result.statement, WIDTH, initial_indent="  ", subsequent_indent="  "),
    ]
    body = [_render_step(number, step) for number, step in enumerate(result.steps, 1)]
    tail = _render_list("corrections to the source", result.corrections)
    tail += _render_list("open", result.open)
    return "\n".join(head + body + tail)


def _render_step(number: int, step: StepResult) -> str:
    passed = "✓" if step.kind in PROVING else "·"
    mark = passed if step.failure is None else "✗"
    lines = [
        f"{mark} {number:2d}. {step.title}   [{step.kind}; {step.scope}; {step.seconds:.2f} s]"
    ]
    lines += [f"        {line}" for line in step.line.splitlines()]
    if step.failure is not None:
        lines.append(f"        BROKEN: {step.failure}")
    return "\n".join(lines)


def _render_list(title: str, items: Sequence[str]) -> list[str]:
    if not items:
        return []
    wrapped = [fill(item, WIDTH, initial_indent="  – ", subsequent_indent="    ") for item in items]
    return [f"{title}:", *wrapped]


def main(build: Callable[..., Proof], argv: Sequence[str] | None = None) -> int:
    """Run a proof from the command line; `--thorough` asks for the longer campaign.

    Returns
    -------
    int
        The exit status for the shell: 0 if every check passed, 1 if one failed, 2 if the proof
        could not be carried out (an unknown argument, a missing optional package).
    """
    arguments = sys.argv[1:] if argv is None else argv
    unknown = [argument for argument in arguments if argument != "--thorough"]
    if unknown:
        print(f"unknown argument {unknown[0]!r}; the only one is --thorough", file=sys.stderr)
        return 2
    try:
        result = build(thorough="--thorough" in arguments).run()
    except ImportError as error:
        print(error, file=sys.stderr)
        return 2
    print(result)
    return 0 if result.status == "proved" else 1
