"""A proof is a list of steps a computer can carry out, and clauses that say what rests on which.

A :class:`Step` has a title, the *kind* of evidence it gives, and either a check or words:

========== =====================================================================================
symbolic   an identity or sign verified with free symbols
exact      integer, rational or modular arithmetic with zero error, for single instances
enclosure  ball arithmetic: the true number provably lies between the printed bounds
evidence   exact arithmetic whose success makes the statement likely, but does not prove it
argument   a deduction in words from the steps it uses; nothing is computed
cited      a theorem from the literature, named and not proved here
========== =====================================================================================

The first three prove.  What a checked step prints is not written down beside it: it is the
transcript of the facts that the check established (:mod:`.facts`), with their free symbols as
quantifiers.  A scope that is narrower than the symbols say (L = 2, r = 1…4) is declared in
`over`, and the check is *called* with it: a scope that is widened is a check carried out for more.

A :class:`Clause` is one sentence of the statement, with its own scope and the steps that carry it.
A proof is "proved" if every check has passed, every clause has all its steps, rests on one that
proves, and claims no wider scope than any of them; only an argument, which names the steps it uses,
may lead from a narrower scope to a wider one.  Arguments and citations are counted, for they remain
to be read.

Prose cannot be checked by a computer, but it can be kept from changing unnoticed.  `reading` is the
digest of all prose of the proof (clauses, titles, names of facts, arguments, citations) and of the
statements in the registry of claims that it proves, as they were last read against the checks; a
proof whose prose, or whose statements, differ from that is "unread", not proved.  :mod:`.readings`
holds the digests and says how to renew one.
"""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from dlnlab.claims import CLAIMS
from dlnlab.terminal import paragraph

from .facts import ProofError, transcribe
from .scopes import Domain, Scope, contains, points, told

__all__ = [
    "Clause",
    "Proof",
    "ProofResult",
    "Step",
    "StepResult",
    "argument",
    "carry_out",
    "cited",
    "exact",
    "main",
    "symbolic",
]

Kind = Literal["symbolic", "exact", "enclosure", "evidence", "argument", "cited"]

CHECKED: tuple[str, ...] = ("symbolic", "exact", "enclosure", "evidence")
PROVING: tuple[str, ...] = ("symbolic", "exact", "enclosure")
TO_READ: tuple[str, ...] = ("argument", "cited")


# ---------------------------------------------------------------------- steps and clauses


@dataclass(frozen=True)
class Step:
    """One step of a proof.

    Parameters
    ----------
    title : str
        What the step is about; clauses and arguments refer to it by this.
    kind : Kind
    check : callable, optional
        Establishes the facts, called once for every point of `over`; for the checked kinds only.
    words : str
        The deduction, or the theorem cited; for arguments and citations only.
    over : Scope
        What the check is restricted to, by the names of its arguments.
    uses : sequence of str
        Titles of the steps that an argument leads on from.

    Raises
    ------
    ValueError
        If `check` and `words` do not suit the kind: a checked step has the one, an argument or
        a citation the other.
    """

    title: str
    kind: Kind
    check: Callable[..., None] | None = None
    words: str = ""
    over: Scope = field(default_factory=dict)
    uses: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        checked = self.kind in CHECKED
        if (self.check is None) == checked:
            raise ValueError(f"`check` must be given exactly for the kinds {CHECKED}: {self.title}")
        if bool(self.words) == checked:
            raise ValueError(f"`words` must be given exactly for the kinds {TO_READ}: {self.title}")


def symbolic(title: str, check: Callable[..., None], **over: Domain) -> Step:
    """Return a step with free symbols.

    Parameters
    ----------
    title : str
    check : callable
        Called once for every point of `over`.
    **over : Domain
        What the check is restricted to, by the names of its arguments.

    Returns
    -------
    Step
    """
    return Step(title, "symbolic", check, over=over)


def exact(title: str, check: Callable[..., None], **over: Domain) -> Step:
    """Return a step in rational or modular arithmetic, for the instances it draws.

    Parameters
    ----------
    title : str
    check : callable
        Called once for every point of `over`.
    **over : Domain
        What the check is restricted to, by the names of its arguments.

    Returns
    -------
    Step
    """
    return Step(title, "exact", check, over=over)


def argument(title: str, words: str, *uses: str) -> Step:
    """Return a deduction in words from the steps with the titles `uses`.

    Parameters
    ----------
    title : str
    words : str
        The deduction.
    *uses : str
        Titles of the steps it leads on from.

    Returns
    -------
    Step
    """
    return Step(title, "argument", words=words, uses=uses)


def cited(title: str, words: str) -> Step:
    """Return a fact that is used and not proved here.

    Parameters
    ----------
    title : str
    words : str
        The theorem, and where it is proved.

    Returns
    -------
    Step
    """
    return Step(title, "cited", words=words)


@dataclass(frozen=True)
class Clause:
    """One sentence of a statement, the steps that carry it, and the scope it claims.

    Parameters
    ----------
    text : str
        The sentence.
    by : tuple of str
        Titles of the steps that carry it.
    over : Scope
        The scope it claims.
    """

    text: str
    by: tuple[str, ...]
    over: Scope = field(default_factory=dict)

    def __str__(self) -> str:
        scope = ", ".join(told(self.over))
        return f"{self.text} [{scope}]" if scope else self.text


# ---------------------------------------------------------------------- results


@dataclass(frozen=True)
class StepResult:
    """What happened to one step.

    Attributes
    ----------
    title : str
    kind : Kind
    lines : tuple of str
        The facts established, or the words of an argument or a citation.
    kinds : tuple of str
        The names of the facts, without their numbers.
    scope : tuple of str
        What the facts are quantified over.
    uses : tuple of str
        Titles of the steps that an argument leads on from.
    seconds : float
        Running time.
    failure : str or None
        Why it did not go through.
    """

    title: str
    kind: Kind
    lines: tuple[str, ...]
    kinds: tuple[str, ...]
    scope: tuple[str, ...]
    uses: tuple[str, ...]
    seconds: float
    failure: str | None


@dataclass(frozen=True)
class ProofResult:
    """The outcome of :meth:`Proof.run`.

    Attributes
    ----------
    claim : str
        Name of the proof.
    statement : str
        Its clauses, one after the other.
    source : str
        Where the claim comes from.
    status : {"proved", "broken", "unread"}
        "proved" if every check passed, every clause is carried, and the prose is the one read.
    to_read : int
        Number of arguments and citations that the statement rests on.
    clauses : tuple of str
        The clauses with their scopes.
    steps : tuple of StepResult
    gaps : tuple of str
        Why the status is not "proved", other than failed checks.
    proves : tuple of str
        The statements of the registry that this proves or refutes, each after its name.
    digest : str
        The digest of the prose as it is now.
    cited : tuple of str
        Facts used and not proved here.
    corrections : tuple of str
        Slips of the source that the statement puts right.
    open : tuple of str
        What the proof does not settle.
    """

    claim: str
    statement: str
    source: str
    status: str
    to_read: int
    clauses: tuple[str, ...]
    steps: tuple[StepResult, ...]
    gaps: tuple[str, ...]
    proves: tuple[str, ...]
    digest: str
    cited: tuple[str, ...]
    corrections: tuple[str, ...]
    open: tuple[str, ...]

    @property
    def seconds(self) -> float:
        """Total running time of the checks."""
        return sum(step.seconds for step in self.steps)

    @property
    def verdict(self) -> str:
        """The status with what it leaves to the reader: "proved, with 2 arguments to read"."""
        if self.status != "proved" or not self.to_read:
            return self.status
        return f"proved, with {self.to_read} argument{'s' * (self.to_read > 1)} to read"

    def as_dict(self) -> dict[str, Any]:
        """Return plain dictionaries, lists and strings, ready for JSON.

        Returns
        -------
        dict
        """
        return asdict(self) | {"seconds": self.seconds, "verdict": self.verdict}

    def __str__(self) -> str:
        return _render(self)


@dataclass(frozen=True)
class Proof:
    """A statement, clause by clause, and the steps that prove it.

    Parameters
    ----------
    claim : str
        Short name, e.g. "theorem1".
    clauses : sequence of Clause
        What is proved.
    source : str
        Where the claim comes from.
    steps : sequence of Step
        Every one must carry a clause, directly or through an argument that uses it.
    reading : str
        The digest of the prose that was read, see :mod:`.readings`.
    corrections : sequence of str
        Slips of the source that the statement puts right.
    open : sequence of str
        What remains unproved.
    proves : sequence of str
        Names of statements in the registry of claims (`dlnlab.claims.CLAIMS`) that it proves or
        refutes, in the scopes that name this proof there.

    Raises
    ------
    ValueError
        If two steps share a title, or the registry has no such statement.
    """

    claim: str
    clauses: Sequence[Clause]
    source: str
    steps: Sequence[Step]
    reading: str = ""
    corrections: Sequence[str] = ()
    open: Sequence[str] = ()
    proves: Sequence[str] = ()

    def __post_init__(self) -> None:
        titles = [step.title for step in self.steps]
        if len(set(titles)) < len(titles):
            raise ValueError(f"`steps` of {self.claim} must have titles of their own, got {titles}")
        unknown = sorted(set(self.proves) - set(CLAIMS))
        if unknown:
            raise ValueError(f"`proves` of {self.claim} must name claims, got {unknown}")

    def _behind(self, titles: Sequence[str]) -> set[str]:
        """Return the titles given, and those of all steps that they use."""
        uses = {step.title: step.uses for step in self.steps}
        found: set[str] = set()
        waiting = list(titles)
        while waiting:
            title = waiting.pop()
            if title not in found:
                found.add(title)
                waiting.extend(uses.get(title, ()))
        return found

    def gaps(self) -> tuple[str, ...]:
        """Return what is missing between steps and statement; nothing is carried out.

        Returns
        -------
        tuple of str
            Empty if nothing is missing.
        """
        steps = {step.title: step for step in self.steps}
        carrying = self._behind([title for clause in self.clauses for title in clause.by])
        missing, idle = sorted(carrying - set(steps)), sorted(set(steps) - carrying)
        gaps = [f"the step '{title}' is missing; the statement rests on it" for title in missing]
        gaps += [f"the step '{title}' carries nothing" for title in idle]
        for clause in self.clauses:
            direct = [steps[title] for title in clause.by if title in steps]
            gaps += [_too_wide(clause, step) for step in direct if not _covers(step, clause)]
            if not any(
                steps[title].kind in PROVING for title in self._behind(clause.by) if title in steps
            ):
                gaps.append(f"no step proves the clause '{clause.text}'")
        return tuple(gaps) if self.clauses else ("nothing is stated",)

    def run(self) -> ProofResult:
        """Carry out every step, also after a failure, and report.

        Returns
        -------
        ProofResult
        """
        return self._report(tuple(carry_out(step) for step in self.steps))

    def verify(self) -> ProofResult:
        """Like :meth:`run`, but stop at the first failure.

        Returns
        -------
        ProofResult

        Raises
        ------
        ProofError
            If a step fails, or a clause is not carried, or the prose is not the one that was
            read.
        """
        results = []
        for step in self.steps:
            result = carry_out(step)
            if result.failure is not None:
                raise ProofError(f"{self.claim}, step '{step.title}': {result.failure}")
            results.append(result)
        report = self._report(tuple(results))
        if report.status != "proved":
            raise ProofError(f"{self.claim}: {'; '.join(report.gaps)}")
        return report

    def digest(self, results: Sequence[StepResult]) -> str:
        """Return the digest of the prose, given the results with the names of their facts.

        Parameters
        ----------
        results : sequence of StepResult
            One for each step.

        Returns
        -------
        str
            Twelve hexadecimal digits.
        """
        steps = [
            [r.title, r.kind, told(step.over), r.lines if step.words else r.kinds, r.uses]
            for r, step in zip(results, self.steps, strict=True)
        ]
        clauses = [[str(clause), clause.by] for clause in self.clauses]
        proved = [self._stated(name) for name in self.proves]
        prose = [self.claim, self.source, clauses, steps, self.corrections, self.open, proved]
        return hashlib.sha256(json.dumps(prose).encode()).hexdigest()[:12]

    def _stated(self, name: str) -> list[str]:
        """Return a statement of the registry, and what this proof is said to show of it."""
        claim = CLAIMS[name]
        known = [str(standing) for standing in claim.standings if self.claim in standing.proofs]
        return [name, claim.statement, *known]

    def _report(self, results: tuple[StepResult, ...]) -> ProofResult:
        digest, gaps = self.digest(results), self.gaps()
        broken = bool(gaps) or any(result.failure is not None for result in results)
        if not broken and digest != self.reading:
            gaps = (f"the prose is not the one that was read: {digest}, not {self.reading!r}",)
        status = "broken" if broken else "proved" if digest == self.reading else "unread"
        return ProofResult(
            claim=self.claim,
            statement=" ".join(clause.text for clause in self.clauses),
            source=self.source,
            status=status,
            to_read=sum(step.kind in TO_READ for step in self.steps),
            clauses=tuple(map(str, self.clauses)),
            steps=results,
            gaps=gaps,
            proves=tuple(_sentence(*self._stated(name)) for name in self.proves),
            digest=digest,
            cited=tuple(step.words for step in self.steps if step.kind == "cited"),
            corrections=tuple(self.corrections),
            open=tuple(self.open),
        )


def _sentence(name: str, statement: str, *known: str) -> str:
    return f"{name} ({'; '.join(known)}): {statement}" if known else f"{name}: {statement}"


def _covers(step: Step, clause: Clause) -> bool:
    """Tell whether a step was carried out for everything that a clause claims."""
    return all(
        name in clause.over and contains(domain, clause.over[name])
        for name, domain in step.over.items()
    )


def _too_wide(clause: Clause, step: Step) -> str:
    scope = ", ".join(told(step.over))
    return f"the clause '{clause}' rests on '{step.title}', which covers {scope} only"


def carry_out(step: Step) -> StepResult:
    """Carry out one step; whatever goes wrong in its check is a failure of the check.

    Parameters
    ----------
    step : Step

    Returns
    -------
    StepResult
    """
    start, failure = time.perf_counter(), None
    with transcribe() as transcript:
        try:
            for point in points(step.over) if step.check else ():
                step.check(**point)  # type: ignore[misc]
            if step.check and not transcript.facts:
                failure = "nothing was checked"
        except ProofError as error:
            failure = str(error)
        except Exception as error:
            failure = f"could not be carried out: {type(error).__name__}: {error}"
    lines = (step.words,) if step.words else transcript.lines
    scope = tuple(dict.fromkeys((*told(step.over), *transcript.scope)))
    seconds = time.perf_counter() - start
    kinds = tuple(transcript.facts)
    return StepResult(step.title, step.kind, lines, kinds, scope, step.uses, seconds, failure)


# ---------------------------------------------------------------------- printing


def _render(result: ProofResult) -> str:
    counts = ", ".join(
        f"{sum(step.kind == kind for step in result.steps)} {kind}"
        for kind in (*CHECKED, *TO_READ)
        if any(step.kind == kind for step in result.steps)
    )
    status, _, rest = result.verdict.partition(",")
    head = [
        f"{result.claim}: {status.upper()}{',' * bool(rest)}{rest} "
        f"({counts}; {result.seconds:.1f} s)",
        f"source: {result.source}",
        *[f"NOT PROVED: {gap}" for gap in result.gaps],
    ]
    head = [line for text in head for line in paragraph(text, hanging="  ")]
    head += [line for text in result.clauses for line in paragraph(text, "  ")]
    body = [_render_step(number, step) for number, step in enumerate(result.steps, 1)]
    tail = _render_list("speaks of", result.proves)
    tail += _render_list("corrections to the source", result.corrections)
    tail += _render_list("open", result.open)
    return "\n".join(head + body + tail)


def _render_step(number: int, step: StepResult) -> str:
    passed = "✓" if step.kind in PROVING else "·"
    mark = passed if step.failure is None else "✗"
    notes = "; ".join([step.kind, *step.scope, f"{step.seconds:.2f} s"])
    head = f"{mark} {number:2d}. {step.title}   [{notes}]"
    below = list(step.lines)
    below += [f"from: {'; '.join(step.uses)}"] if step.uses else []
    below += [f"BROKEN: {step.failure}"] if step.failure is not None else []
    indent = " " * 8
    lines = paragraph(head, hanging=indent)
    return "\n".join(lines + [y for x in below for y in paragraph(x, indent, indent + "  ")])


def _render_list(title: str, items: Sequence[str]) -> list[str]:
    if not items:
        return []
    return [f"{title}:", *(y for item in items for y in paragraph(item, "  – ", "    "))]


def main(build: Callable[..., Proof], argv: Sequence[str] | None = None) -> int:
    """Run a proof from the command line; `--thorough` asks for the longer campaign.

    Parameters
    ----------
    build : callable
        Makes the proof, given `thorough`.
    argv : sequence of str, optional
        By default, the arguments of the process.

    Returns
    -------
    int
        The exit status for the shell: 0 if it is proved, 1 if not, 2 if the proof could not be
        started (an unknown argument, a missing optional package).
    """
    arguments = sys.argv[1:] if argv is None else argv
    unknown = [argument for argument in arguments if argument != "--thorough"]
    if unknown:
        print(f"unknown argument {unknown[0]!r}; the only one is --thorough", file=sys.stderr)
        return 2
    try:
        proof = build(thorough="--thorough" in arguments)
    except ImportError as error:
        print(error, file=sys.stderr)
        return 2
    result = proof.run()
    print(result)
    return 0 if result.status == "proved" else 1
