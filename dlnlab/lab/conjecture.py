"""A conjecture of your own: a sentence, and a function that returns its margin.

The function of a conjecture is given both networks of one instance and returns a margin, ≥ 0 where
the sentence holds.  `Conjecture.attack` tries to refute it: random instances, a climb towards the
worst margin, and of what fails the simplest form, confirmed in another way.  No rounding is called
a counterexample: every margin is measured with several runs, which numerical errors tell apart.
"""

from __future__ import annotations

import functools
import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

from dlnlab.lab import attack, confirm, dynamics, margins, ranges, shrink
from dlnlab.lab.attack import Question, Search
from dlnlab.lab.cases import Case
from dlnlab.lab.margins import BadMargin
from dlnlab.lab.outcome import Confirmation, Outcome, instance_line
from dlnlab.lab.tally import Tally
from dlnlab.methods import Method, check_method
from dlnlab.numerics import checks

__all__ = [
    "MOST",
    "SHRINKS",
    "Conjecture",
    "ConjectureError",
    "confirmed",
    "conjecture",
]

MOST = 10**7
"""Instances of one attack, which takes about ten milliseconds for each."""

SHRINKS = 150
"""Instances that shrinking may look at."""


class ConjectureError(ValueError):
    """The function of a conjecture failed on every instance, so that nothing was measured.

    `verdict` tells on which.
    """

    def __init__(self, message: str, verdict: Outcome) -> None:
        super().__init__(message)
        self.verdict = verdict


def conjecture(
    statement: str,
    *,
    about: str = "flows",
    premises: Sequence[Callable[[Any], Any]] = (),
    eta: Any = None,
    method: str | Method | None = None,
) -> Callable[[Callable[[Any], Any]], Conjecture]:
    """Make a conjecture of a function that returns its margin.

    Parameters
    ----------
    statement : str
        A sentence that is true or false.
    about : {"flows", "descent", "recovery", "start"}
        What the function is given: both networks under gradient flow, or under gradient descent,
        towards a target that is known; the original network alone under the gradient flow of a
        recovery problem, with any measurement operator; or both networks before the first step.
    premises : sequence of callables
        Functions of the same object, ≥ 0 where a premise is met.  Instances where one is not are
        counted apart and decide nothing.
    eta : float or (float, float), optional
        For "descent": the step size, or its range, in units of 2/(L σ_1*^{2−2/L}), beyond which a
        fitted network is not stable; by default all from 0.05 to 0.95.
    method : str or Method, optional
        For "descent": as of `dlnlab.gradient_descent`, by default descent itself.

    Returns
    -------
    callable
        A decorator, which makes a `Conjecture` of a function.  The function's one argument has
        `case`, `times`, `targets` (σ_i*), `residual` (β(t)^L), and `original` and `compressed`,
        two networks with the attributes of a `dlnlab.Trajectory` (a single network's are its own).
        It returns a number, or an array over records (further axes allowed), ≥ 0 where the
        statement holds.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.

    Examples
    --------
    >>> import dlnlab
    >>> @dlnlab.conjecture("The original network is never larger than the compressed one.")
    ... def smaller(pair):
    ...     return pair.compressed.singular_values[:, 0] - pair.original.singular_values[:, 0]
    >>> verdict = smaller.attack(instances=50, seed=0, shapes=[(2, 2)], depths=[2])
    >>> verdict.status, verdict.instances
    ('conjecture', 50)
    """
    if not checks.text("statement", statement).strip():
        raise ValueError("`statement` must be a sentence, got an empty string")
    checks.choice("about", about, dynamics.ABOUT)
    some = checks.sequence("premises", premises, "functions")
    for k, premise in enumerate(some):
        checks.function(f"premises[{k}]", premise, "a function of one instance", 1)
    if about != "descent" and (eta, method) != (None, None):
        name = "eta" if eta is not None else "method"
        raise ValueError(f"`{name}` must be left out unless `about` is 'descent', got {about!r}")
    ranges.checked(None, None, None, None, "any", "any", eta)
    options = {} if method is None else {"method": check_method(method)}

    def made(function: Callable[[Any], Any]) -> Conjecture:
        checks.function("function", function, "a function of one instance", 1)
        return Conjecture(Question(statement, about, function, some, options), eta)

    return made


class Conjecture:
    """A statement with its margin; made by `dlnlab.conjecture`.

    Attributes
    ----------
    statement, about : str
    premises : tuple of callables
    question : Question
        What is asked of instances, with the function.
    eta : float or (float, float), optional
        See `dlnlab.conjecture`.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.
    """

    def __init__(self, question: Question, eta: Any = None) -> None:
        self._question = checks.instance("question", question, Question, "a Question of the lab")
        ranges.checked(None, None, None, None, "any", "any", eta)
        self._eta = eta
        functools.update_wrapper(self, question.function)

    @property
    def statement(self) -> str:
        """The sentence that the conjecture claims."""
        return self._question.statement

    @property
    def about(self) -> str:
        """The dynamics it speaks of: "flows", "descent", "recovery" or "start"."""
        return self._question.about

    @property
    def premises(self) -> tuple[Callable[[Any], Any], ...]:
        """The premises, each with its description."""
        return self._question.premises

    def __call__(self, seen: Any) -> Any:
        """Return what the function returns."""
        return self._question.function(seen)

    def __repr__(self) -> str:
        return f"Conjecture({self.statement!r}, about={self.about!r})"

    def attack(
        self,
        instances: int = 500,
        seed: int = 0,
        *,
        shapes: Sequence[tuple[int, int]] | None = None,
        ranks: int | Sequence[int] | None = None,
        depths: int | Sequence[int] | None = None,
        eps: float | tuple[float, float] | None = None,
        r_hat: str | int | Sequence[int] = "any",
        alignment: str = "any",
        shrinks: int = SHRINKS,
        executor: Executor | str | None = "serial",
        path: str | os.PathLike[str] | None = None,
        progress: bool | Callable[[int, int], Any] = False,
    ) -> Outcome:
        """Search for instances that refute the conjecture.

        Parameters
        ----------
        instances : int
            How many to look at.  The search ends with the first round of batches that has a
            counterexample.
        seed : int
            Which ones.
        shapes : sequence of (d_out, d_in), optional
            By default mostly from 2 × 2 to 5 × 5, some larger or thinner.
        ranks, depths : int or sequence of int, optional
            r, by default any, and L, by default mostly 2 to 5, sometimes 6 or 8.
        eps : float or (float, float), optional
            ε or its range.  By default ε^L lies mostly between 0.02 and 5 in units of σ_1*, and now
            and then anywhere between ε = 0.01 and ε^L = 100; σ_1* = 1 but for those.
        r_hat : {"any", "rank", "full"}, int or sequence of int
            "any" for r ≤ r̂ ≤ d, "rank" for r̂ = r, "full" for r̂ = d.
        alignment : {"any", "random", "near", "aligned", "opposed"}
            Starts: uniformly random, close to the target's singular vectors, in them, with one of
            them reversed, or all four.
        shrinks : int
            Instances that may be looked at to simplify a counterexample.
        executor, path, progress
            As in `dlnlab.campaigns.run`, but in this process by default.  With a `path` an attack
            that was interrupted continues from there.

        Returns
        -------
        Outcome
            Its status is "refuted", "conjecture" (of those tried none contradicts it), "not
            applicable" (none met the premises) or "not measured" (no margin was finite).

        Raises
        ------
        TypeError, ValueError
            If an argument is malformed or out of range.
        ConjectureError
            If the function failed on every instance that was looked at.
        KeyboardInterrupt, RuntimeError
            If the attack is interrupted, or a worker of the executor dies again and again.  What
            was found before is the verdict in the exception's attribute `verdict`.
        """
        started = time.monotonic()
        instances = checks.integer("instances", instances, 1, MOST)
        seed = checks.seed("seed", seed)
        budget = checks.integer("shrinks", shrinks, 0)
        where = ranges.checked(shapes, ranks, depths, eps, r_hat, alignment, self._eta)
        found = Search(Tally(self._question.claim))
        options: dict[str, Any] = {"executor": executor, "path": path, "progress": progress}
        try:
            attack.search(self._question, where, instances, seed, found, **options)
        except (KeyboardInterrupt, RuntimeError) as error:  # a worker that died, a full disk
            before = self._conclude(found, where, 0, started)
            error.verdict = before  # type: ignore[union-attr]  # for whoever catches it
            error.add_note(f"found before:\n{before}")
            raise
        outcome = self._conclude(found, where, budget, started)
        if outcome.status == "not measured" and outcome.failures:
            first = outcome.failures[0]
            raise ConjectureError(
                f"`{getattr(self, '__name__', 'function')}` {first['why']} (instance: "
                f"{instance_line(ranges.as_case(self.about, first['case']))})",
                outcome,
            )
        return outcome

    def _conclude(
        self, found: Search, where: ranges.Ranges, budget: int, started: float
    ) -> Outcome:
        """Judge what was found; simplify the simplest counterexample, and confirm it."""
        verdict, question = found.verdict, self._question
        status, margin, error, when = "not measured", math.nan, math.nan, math.nan
        case: Case | None = None
        confirmation: Confirmation | None = None
        if verdict is not None:
            status, margin, error = verdict.status, verdict.margin, verdict.error
            case, when = ranges.as_case(self.about, verdict.witness), verdict.witness["time"]
        if status == "refuted":
            assert case is not None  # there is a verdict

            def fails(simpler: Case) -> bool:
                return where.holds(simpler) and question.counterexample(simpler)

            first = found.simplest
            start = case if first is None else ranges.as_case(self.about, first)
            simple, looked = shrink.shrunk(start, fails, budget)
            for candidate in dict.fromkeys((simple, start, case)):
                curve, _ = question.look(candidate)
                confirmation = confirmed(question, candidate, looked)
                case = candidate
                if confirmation.agrees:
                    break
            margin, error = float(curve.margin[curve.worst]), float(curve.error[curve.worst])
            when = float(curve.times[curve.worst])
            status = "refuted" if confirmation and confirmation.agrees else "conjecture"
        return Outcome(
            name=getattr(self, "__name__", "conjecture"),
            statement=self.statement,
            about=self.about,
            status=status,
            margin=margin,
            error=error,
            instances=found.tally.instances,
            outside=found.tally.outside,
            unmeasured=found.many("unmeasured"),
            failed=found.many("failures"),
            failures=tuple(found.tally.notes.get("failures", [])),
            gaps=tuple(found.tally.notes.get("unmeasured", [])),
            unmet=dict(found.tally.unmet),
            case=case,
            time=when,
            confirmation=confirmation,
            seconds=time.monotonic() - started,
            look=None if case is None else functools.partial(question.look, case),
        )


def confirmed(question: Question, case: Case, looked: int = 0) -> Confirmation:
    """Compute a counterexample in another way, and tell whether it is one there too.

    Parameters
    ----------
    question : Question
    case : Case
    looked : int
        Cases that were looked at to shrink it.

    Returns
    -------
    Confirmation
    """
    ((_, sighting),) = question.sightings([case])
    assert not isinstance(sighting, str)  # it was measured before
    error = margins.curve(question.function, sighting)
    how = confirm.HOW[question.about]
    try:
        seen = confirm.again(question.about, sighting[0], question.options)
        again = margins.value_of(question.function, seen).min(axis=1)
        premises = [margins.value_of(f, seen).min() for f in question.premises]
    except (RuntimeError, BadMargin) as failure:
        return Confirmation(how, float("nan"), agrees=False, shrinks=looked, why=str(failure))
    k = error.worst
    met = all(
        value >= -premise.error
        for value, premise in zip(
            premises, margins.premises(question.premises, sighting), strict=True
        )
    )
    margin = float(again[k])
    close = abs(margin - error.margin[k]) <= max(error.error[k], -error.margin[k] / 2)
    agrees = bool(met and margin < -error.error[k] and close)
    return Confirmation(how, margin, agrees=agrees, shrinks=looked)
