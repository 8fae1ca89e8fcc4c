"""What an experiment is: settings in several readings, a measurement, and its yardsticks.

The paper and its authors' code disagree, so every experiment of the paper has at least the readings
"paper" and "code"; further ones test what could explain a difference.  One of our own has readings
of its own, such as the kinds of problems that it looks at.

A yardstick is one of three things.  A *claim* is a sentence of the paper, made an interval that the
quantity must lie in for every seed.  A *published number* was read off a figure or a table, and is
itself the result of one random draw.  A yardstick *of our own* judges what the paper leaves open (a
definition, a size, a tolerance that we had to invent): it is judged and told apart, and counts for
no verdict.  Yardsticks are part of the experiment, so that they stand before it is run;
`dlnlab.experiments.judging` compares a measurement with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dlnlab.experiments.wording import number, span
from dlnlab.numerics import checks

__all__ = ["MOST_SEEDS", "Experiment", "Measure", "Panel", "Yardstick"]

MOST_SEEDS = 10**6
"""Of one reading: each has a configuration of its own in memory, about a kilobyte."""


@dataclass(frozen=True)
class Yardstick:
    """A range in which a quantity must lie, declared before it is measured.

    Attributes
    ----------
    quantity : str
        A key of the measurement's "values".
    words : str
        What it is, with its unit.
    low, high : float
        For a claim: where it must lie, for every seed.
    published : float or None
        A published number, which must be positive, as numbers of steps, errors and ratios are; for
        it `low` and `high` are not used.
    reading_error : float
        How far off the number may have been read.
    source : str
        Where it was read, or where the claim is made and why the bounds are what they are.
    ours : bool
        Whether it is of our own making, and so judged apart.

    Raises
    ------
    TypeError, ValueError
        If a field is of another type, `source` is empty, a published number is not positive and
        finite, the bounds hold nothing, or `reading_error` is negative.
    """

    quantity: str
    words: str
    low: float = -math.inf
    high: float = math.inf
    published: float | None = None
    reading_error: float = 0.0
    source: str = field(kw_only=True)
    ours: bool = field(default=False, kw_only=True)

    def __post_init__(self) -> None:
        checks.fields(self)
        checks.nonnegative("reading_error", self.reading_error)
        if not float(self.low) <= float(self.high):
            raise ValueError(f"`low` must be at most `high`, got {self.low} and {self.high}")
        if not self.source.strip():
            raise ValueError(
                f"`source` must say where the yardstick {self.quantity!r} comes from, "
                f"got {self.source!r}"
            )
        if self.published is not None:
            checks.positive("published", self.published)

    @property
    def kind(self) -> str:
        """The origin of the range: "claim", "published" or "ours"."""
        return "ours" if self.ours else "claim" if self.published is None else "published"

    def expected(self) -> str:
        """Return what is expected, for a table.

        Returns
        -------
        str
        """
        if self.published is not None:
            error = f" ± {number(self.reading_error)}" if self.reading_error else ""
            return f"{number(self.published)}{error}"
        if math.isinf(self.low):
            return f"≤ {number(self.high)}"
        return f"≥ {number(self.low)}" if math.isinf(self.high) else span(self.low, self.high)


@dataclass(frozen=True)
class Panel:
    """One panel of a figure, as data: which series of the results is drawn against which.

    Attributes
    ----------
    x, y : str
        Keys of the curves' series.  A `y` with a column per mode is drawn mode by mode.
    xlabel, ylabel : str
    title : str
    curves : tuple of str
        Names of the curves drawn; all that have the series by default.
    logx, logy : bool
        Logarithmic axes.
    targets : bool
        Draw the result's "targets" as dotted lines.
    shades : bool
        Draw a `y` with a column per mode as a map of mode by time, its values, between 0 and 1, as
        shades: curves that cross each other as often as alignments do cannot be followed.
    marks : mapping from quantities to "x" or "y"
        Published numbers that are drawn, and the axis that each lies on.
    offset : float
        What is taken off `y` before it is drawn, where the paper's axis does so.
    low, high : float
        Ends of the vertical axis, where what lies beyond is of no interest, or rounding.

    Raises
    ------
    TypeError, ValueError
        If a field is malformed.
    """

    x: str
    y: str
    xlabel: str
    ylabel: str
    title: str = ""
    curves: tuple[str, ...] = ()
    logx: bool = False
    logy: bool = False
    targets: bool = False
    shades: bool = False
    marks: Mapping[str, str] = field(default_factory=dict)
    offset: float = 0.0
    low: float = -math.inf
    high: float = math.inf

    def __post_init__(self) -> None:
        checks.fields(self)


Measure = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass(frozen=True)
class Experiment:
    """A figure or a table of the paper, or an experiment of our own.

    Attributes
    ----------
    name : str
        "fig5"; files are named after it.
    title : str
    claim : str
        What the paper shows, in our words; of our own experiments, what they ask.
    settings : mapping from readings to mappings
        "paper" at least, and "code" where the authors' code has the experiment; plain JSON.  Any
        names for an experiment of our own.
    meanings : mapping from readings to str
        What a further reading tests.
    quick : mapping
        Settings that replace others in a quick run; or "reading" → mapping for single readings
        under the key "readings".
    measure : callable
        Takes settings with a "seed", and returns {"curves": {name: {series: numbers}}, "values":
        {quantity: number}}, plain JSON; a function at the top level of a module.  "targets" holds
        the target's singular values where a panel draws them.
    yardsticks : tuple of Yardstick
    panels : tuple of Panel
    seeds : int
        How many a full run takes.
    on_request : tuple of str
        Readings that take hours, or gigabytes, and are run only if they are named.
    notes : tuple of str
        What the reader should know.
    why : str
        Why it does not come out as printed, in a few words; empty where it does.
    apart : str
        Why it does not count as a figure reproduced, such as "a sketch"; empty where it does.
    rows : tuple of (str, str, tuple of float)
        Words, quantity and published numbers of each row of a table with a column for each of the
        settings' "parts"; for what the paper shows as a table.  Without published numbers the table
        holds what was measured alone.
    ours : bool
        Whether it is of our own making, and no figure of the paper.
    words : mapping from settings to str
        What its settings mean, where they are not those of the paper's experiments.
    needs_data : str
        What `data` must point at; empty if the experiment needs none.
    without_data : tuple of str
        Readings that need none.
    check_data : callable or None
        Raises an error unless a path is what `needs_data` says.
    quick_data : bool
        Whether a quick run needs the data, too.
    check_settings : callable or None
        Raises an error unless a run with a configuration can begin: `ImportError` where a package
        is missing.
    runs_of : str
        Name of the experiment that it is another view of: same settings, same runs, which are kept
        with those of that one; its own by default.

    Raises
    ------
    TypeError, ValueError
        If a field is malformed.
    """

    name: str
    title: str
    claim: str
    settings: Mapping[str, Mapping[str, Any]]
    measure: Measure
    yardsticks: tuple[Yardstick, ...]
    panels: tuple[Panel, ...]
    quick: Mapping[str, Any] = field(default_factory=dict)
    meanings: Mapping[str, str] = field(default_factory=dict)
    seeds: int = 3
    on_request: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    why: str = ""
    apart: str = ""
    rows: tuple[tuple[str, str, tuple[float, ...]], ...] = ()
    ours: bool = False
    words: Mapping[str, str] = field(default_factory=dict)
    needs_data: str = ""
    check_data: Callable[[str], Any] | None = None
    quick_data: bool = True
    without_data: tuple[str, ...] = ()
    check_settings: Callable[[Mapping[str, Any]], Any] | None = None
    runs_of: str = ""

    def __post_init__(self) -> None:
        checks.fields(self)
        checks.integer("seeds", self.seeds, 1)
        checks.function("measure", self.measure, "a function of one configuration", 1)
        if self.check_data is not None:
            checks.function("check_data", self.check_data, "a function of one path", 1)
        if self.check_settings is not None:
            what = "a function of one configuration"
            checks.function("check_settings", self.check_settings, what, 1)

    @property
    def kept_with(self) -> str:
        """Return the name of the experiment whose file keeps the runs."""
        return self.runs_of or self.name

    @property
    def readings(self) -> tuple[str, ...]:
        """Return the readings that are run if none is named."""
        return tuple(name for name in self.settings if name not in self.on_request)

    def needed(self, readings: Sequence[str] | None = None, *, quick: bool = False) -> str:
        """Return what `data` must point at for a run; empty if it needs none.

        Parameters
        ----------
        readings : sequence of str, optional
            By default those that are run if none is named.
        quick : bool
            With the settings of a quick run.

        Returns
        -------
        str

        Raises
        ------
        TypeError, ValueError
            If there is no such reading, or `quick` is not True or False.
        """
        asked = self.readings if readings is None else readings
        listed = checks.sequence("readings", asked, "readings")
        names = {checks.choice("readings", name, self.settings) for name in listed}
        if not names:
            raise ValueError(f"`readings` must name some of {list(self.settings)}, got none")
        quick = checks.flag("quick", quick)
        full = bool(names - set(self.without_data)) and (self.quick_data or not quick)
        return self.needs_data if full else ""

    def check_ready(self, readings: Sequence[str], *, quick: bool = False) -> None:
        """Raise an error unless runs of some readings can begin.

        Parameters
        ----------
        readings : sequence of str
        quick : bool
            With the settings of a quick run.

        Raises
        ------
        TypeError, ValueError
            If there is no such reading, or `quick` is not True or False.
        ImportError
            If a package is missing, such as scikit-learn for its digits.
        """
        for name in checks.sequence("readings", readings, "readings"):
            reading = checks.choice("readings", name, self.settings)
            (configuration,) = self.configurations(reading, 1, quick=quick)
            if self.check_settings is not None:
                self.check_settings(configuration)

    def configurations(
        self, reading: str, seeds: int, *, quick: bool = False, data: str = ""
    ) -> list[dict[str, Any]]:
        """Return what `measure` gets, one configuration for each seed.

        Parameters
        ----------
        reading : str
        seeds : int
        quick : bool
            With the settings of a quick run.
        data : str
            Path that is added as "data" if the experiment needs it.

        Returns
        -------
        list of dict

        Raises
        ------
        TypeError, ValueError
            If there is no such reading, or an argument is malformed.
        """
        checks.choice("reading", reading, self.settings)
        seeds, quick = checks.integer("seeds", seeds, 0, MOST_SEEDS), checks.flag("quick", quick)
        checks.text("data", data)
        settings = dict(self.settings[reading])
        if quick:
            settings |= {name: self.quick[name] for name in self.quick if name in settings}
            settings |= self.quick.get("readings", {}).get(reading, {})
        if self.needed([reading], quick=quick):
            settings["data"] = data
        return [settings | {"seed": seed} for seed in range(seeds)]
