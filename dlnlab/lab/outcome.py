"""What an attack on a conjecture found: the instance that matters, and how to build it again."""

from __future__ import annotations

import pprint
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from dlnlab import results
from dlnlab.lab.cases import Case, Frame
from dlnlab.lab.dynamics import DescentCase, RecoveryCase
from dlnlab.results import presenter

__all__ = ["Confirmation", "Outcome", "instance_line"]


@dataclass(frozen=True)
class Confirmation:
    """A counterexample computed in another way.

    Attributes
    ----------
    how : str
    margin : float
        What it came to, at the time of the worst margin.
    agrees : bool
        Whether it contradicts the statement there too.
    shrinks : int
        Instances that were looked at to simplify it.
    why : str
        What went wrong, if it could not be computed so.
    """

    how: str
    margin: float
    agrees: bool
    shrinks: int = 0
    why: str = ""


@dataclass(frozen=True, repr=False)
class Outcome:
    """The verdict on a conjecture, with what was tried.

    Attributes
    ----------
    name, statement, about : str
    status : {"refuted", "conjecture", "not applicable", "not measured"}
    margin, error : float
        The worst margin, or the one of the smallest counterexample, and a bound on its numerical
        error.
    instances : int
        Measured, and within the premises.
    outside, unmeasured, failed : int
        Outside the premises; with a margin that is not finite or a run that ended early; where the
        function failed.
    failures, gaps : tuple of dict
        Of those that failed, and of those not measured, the first: "case", and "why".
    unmet : dict
        How often each premise was not met.
    case : Case or None
        The instance of `margin`.
    time : float
        When it is attained.
    confirmation : Confirmation or None
        Of a counterexample.
    seconds : float
    look : callable or None
        Returns the margin along the instance, and what the function was given.
    """

    name: str
    statement: str
    about: str
    status: str
    margin: float
    error: float
    instances: int
    outside: int
    unmeasured: int
    failed: int
    failures: tuple[Mapping[str, Any], ...]
    gaps: tuple[Mapping[str, Any], ...]
    unmet: Mapping[str, int]
    case: Case | None
    time: float
    confirmation: Confirmation | None
    seconds: float
    look: Callable[[], Any] | None = field(compare=False)

    def instance(self) -> Case:
        """Return the instance: the smallest counterexample found, or the one of the worst margin.

        Returns
        -------
        Case

        Raises
        ------
        ValueError
            If nothing was measured.
        """
        if self.case is None:
            raise ValueError("no instance was measured, so there is none of the worst margin")
        return self.case

    def plot(self, figure: Any = None) -> Any:
        """Draw the margin and both networks of the instance; return the Matplotlib figure.

        Parameters
        ----------
        figure : matplotlib.figure.Figure, optional
            To draw into; a new one by default.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            If nothing was measured.
        """
        self.instance()
        draw = presenter("plotting").conjecture
        return presenter("plotting.display").shown_once(draw, self, figure)

    @property
    def standing(self) -> str:
        """The status of the conjecture in words."""
        if self.status == "conjecture":
            return f"not refuted (tested {self.instances})"
        return self.status

    def code(self) -> str:
        """Return the lines of Python that build the instance again.

        Returns
        -------
        str
        """
        case = self.instance()
        home = "cases" if type(case) is Case else "dynamics"
        told = pprint.pformat(case.witness(), width=90, sort_dicts=False, compact=True)
        kind = type(case).__name__
        told = textwrap.indent(told, " " * 4).strip()
        return f"from dlnlab.lab.{home} import {kind}\n\ncase = {kind}.from_witness(\n    {told}\n)"

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as plain numbers, strings, lists and dicts, ready for JSON.

        Returns
        -------
        dict
        """
        apart = ("case", "confirmation", "look")
        told = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in apart}
        told["instance"] = None if self.case is None else self.case.witness()
        told["confirmation"] = None if self.confirmation is None else vars(self.confirmation)
        return dict(results.plain(told))

    def __str__(self) -> str:
        lines = [self.statement, f"{self.standing}: {self._margin()}"]
        lines += self._apart()
        if self.case is not None:
            at = f", t = {self.time:.4g}" if self.about in ("flows", "descent", "recovery") else ""
            lines += [f"instance: {instance_line(self.case)}{at}"]
        lines += self._confirmed()
        lines += ["", self.code()] if self.case is not None else []
        return "\n".join(lines)

    __repr__ = __str__

    def _margin(self) -> str:
        if self.case is None:
            return "no instance has a finite margin"
        which = "margin" if self.status == "refuted" else "worst margin"
        return f"{which} {self.margin:.3g} ± {self.error:.1g}, {self.instances} instances"

    def _apart(self) -> list[str]:
        """What does not count, in words."""
        lines = []
        if self.outside:
            unmet = ", ".join(f"{name} {count}" for name, count in self.unmet.items())
            lines.append(f"outside the premises: {self.outside} (not met: {unmet})")
        if self.unmeasured:
            lines += self._first(f"not measured: {self.unmeasured}", self.gaps[0])
        if self.failed:
            lines += self._first(f"the function failed on {self.failed}", self.failures[0])
        return lines

    def _first(self, what: str, note: Mapping[str, Any]) -> list[str]:
        kinds: dict[str, type[Case]] = {"descent": DescentCase, "recovery": RecoveryCase}
        case = kinds.get(self.about, Case).from_witness(note["case"])
        return [f"{what}, first: {note['why']}", f"    on {instance_line(case)}"]

    def _confirmed(self) -> list[str]:
        found = self.confirmation
        if found is None:
            return []
        if found.agrees:
            return [f"confirmed by {found.how}: {found.margin:.6g}"]
        why = found.why or f"there the margin is {found.margin:.3g}"
        return [f"a counterexample was not confirmed by {found.how}: {why}"]


def instance_line(case: Case) -> str:
    """Return one line that says which instance it is.

    Parameters
    ----------
    case : Case

    Returns
    -------
    str
    """
    rows, columns = case.shape
    values = ", ".join(f"{value:g}" for value in case.spectrum)
    parts = [
        f"{rows} × {columns}",
        f"σ* = ({values})" + _turned(case),
        f"L = {case.depth}",
        f"ε = {case.eps:g}",
        f"r̂ = {case.r_hat}",
        f"start {_start(case)}",
    ]
    if isinstance(case, DescentCase):
        parts.append(f"η = {case.share:g} of the stability limit = {case.eta:.4g}")
    if isinstance(case, RecoveryCase):
        operator = case.operator
        seen = "" if operator is None else f" {operator.readable()}"
        parts.append(f"problem {case.kind}{seen} ({case.normalization})")
    return ", ".join(parts)


def _turned(case: Case) -> str:
    """The target's singular vectors, where they are not the axes."""
    parts = [
        f"{name} = {_frame(frame)}"
        for name, frame in (("U", case.left), ("V", case.right))
        if frame.reflectors or frame.seed is not None
    ]
    return f" with {', '.join(parts)}" if parts else ""


def _start(case: Case) -> str:
    if isinstance(case.start, int):
        return f"random (seed {case.start})"
    special = {
        f"W_{k}": frame
        for k, frame in enumerate(case.start, 1)
        if frame.reflectors or frame.seed is not None
    }
    told = [f"{name} = ε {_frame(frame)}" for name, frame in special.items()]
    return ", ".join([*told, "other W_l = εI"] if told else ["W_l = εI"])


def _frame(frame: Frame) -> str:
    """Reflections H(v) = I − 2vvᵀ/‖v‖², and a random matrix by its seed."""
    told = [f"H({', '.join(map(str, v))})" for v in frame.reflectors]
    return " ".join([*told, *([] if frame.seed is None else [f"random({frame.seed})"])])
