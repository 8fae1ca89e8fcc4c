"""One row, measured: first that the engine is right, then how fast it is.

**Agreement.**  Engine and literal loop take k = 20 steps from the same start.  A step rounds each
layer by at most about L n ε relative to its norm, where n is the longest inner product of the step
and ε the distance of 1 to the next double.  Later steps carry an error on by at most 1 + ηK each
(K bounds the second derivative, see `instances`), so that after k steps all layers agree to

    k L n ε e^{kηK}

relative to their norms, and the losses to twice that, relative to the loss at the start.  The check
is worth something only where the layers themselves have moved by far more; that is checked too.

**Time.**  Per step, (T(N) − T(0)) / N with T(n) the time of a call of `gradient_descent` with n
steps; T(0), in which the engine checks its arguments and reduces the network, is reported as the
set-up.  The engine chooses its formulation by the number of steps.  What is timed is the one that
it chooses for 10 000, as many as an experiment takes at least, and the check is made in that one
too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from dlnlab.bench import costs, timing
from dlnlab.bench.limits import Limits
from dlnlab.bench.literal import LiteralLoop, NumpyLoop
from dlnlab.bench.rows import Row
from dlnlab.bench.timing import Sample
from dlnlab.bench.workloads import Workload, stacked
from dlnlab.numerics import arrays
from dlnlab.numerics.arrays import Array
from dlnlab.numerics.threads import available, limited
from dlnlab.reductions import choice
from dlnlab.training.descent import gradient_descent
from dlnlab.training.trajectory import Trajectory

__all__ = [
    "LONG",
    "POWER",
    "QUICK",
    "STEPS",
    "Agreement",
    "Disagreement",
    "Effort",
    "Result",
    "agreement",
    "engine_run",
    "filling_batch",
    "long_run_formulation",
    "measure",
    "time_per_network",
]

STEPS = 20
"""Steps after which engine and literal loop are compared."""

LONG = 10_000
"""Steps of a long run, for which the engine is asked to choose its formulation."""

POWER = 1e3
"""How many times the bound the layers must have moved for their agreement to mean something."""


class Disagreement(ValueError):
    """The engine's result is not that of the literal loop, so that its speed means nothing."""


@dataclass(frozen=True)
class Effort:
    """How often, and for how long, a row is measured.

    Attributes
    ----------
    seconds : float
        Of one timed run.
    repeats : int
        Turns.
    divide : int
        The number of records of a whole run is divided by this.
    """

    seconds: float = 0.3
    repeats: int = 7
    divide: int = 1


QUICK = Effort(seconds=0.01, repeats=2, divide=500)
"""Enough to check that everything runs; the times are not meaningful."""


@dataclass(frozen=True)
class Agreement:
    """The difference between the results of the engine and of the literal loop.

    Attributes
    ----------
    deviation, bound : float
        Largest relative deviation of a layer or the loss, and what rounding explains.
    """

    deviation: float
    bound: float


@dataclass(frozen=True)
class Result:
    """A measured row; times are in microseconds per step and network.

    Attributes
    ----------
    row, title, device, formulation : str
    batch, threads, num_steps : int
    engine : Sample
    reference : Sample
    reference_name : str
    ratio : Sample
        Of the reference's time to the engine's.
    target : float or None
    setup : float
        Milliseconds.
    flops, bytes : int
        Of one literal step of one network.
    limit : float
        The time these take at the machine's limit.
    agreement : Agreement
    """

    row: str
    title: str
    device: str
    formulation: str
    batch: int
    threads: int
    num_steps: int
    engine: Sample
    reference: Sample
    reference_name: str
    ratio: Sample
    target: float | None
    setup: float
    flops: int
    bytes: int
    limit: float
    agreement: Agreement

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None for a row without a target."""
        return None if self.target is None else self.ratio.median >= self.target

    @property
    def fraction(self) -> float:
        """Time at the machine's limit over the engine's; above 1 if the engine found less work."""
        return self.limit / self.engine.median

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain data.

        Returns
        -------
        dict
        """
        return asdict(self) | {"met": self.met, "fraction": self.fraction}


def measure(
    name: str,
    row: Row,
    loop: Callable[[Workload], LiteralLoop],
    reference: Array,
    effort: Effort,
    *,
    threads: int | None = None,
    batch: int | None = None,
) -> Result:
    """Check one row against the literal loop, and time it.

    Parameters
    ----------
    name : str
    row : Row
    loop : callable
        Makes the reference loop of an instance.
    reference : array
        An empty array that lives where the engine shall run.
    effort : Effort
    threads : int, optional
        As many as the engine may use, of BLAS or its own; by default `threads.available`.
    batch : int, optional
        Networks side by side; by default those of the row.

    Returns
    -------
    Result

    Raises
    ------
    Disagreement
        If the engine, or what it is compared with, differs from a literal loop.
    """
    parts = row.build()
    if batch is not None:
        parts = tuple(stacked(part.member(0), batch) for part in parts)
    threads = threads or available()
    with limited(threads):
        found = [agreement(part, reference, loop) for part in parts]
        timed = _time_steps if row.records is None else _time_whole
        times = timed(row, parts, loop, reference, effort)
        found += times.agreements
        cost = costs.of_step(parts)
        limits = Limits(reference, effort.seconds)
        limit = limits.seconds_for(cost)
    return Result(
        row=name,
        title=row.title,
        device=arrays.device_name(reference),
        batch=parts[0].batch,
        threads=threads,
        formulation=times.formulation,
        num_steps=times.num_steps,
        engine=Sample.of(times.engine).scaled(1e6),
        reference=Sample.of(times.theirs).scaled(1e6),
        reference_name=times.name,
        ratio=Sample.of(times.theirs / times.engine),
        target=row.target,
        setup=1e3 * times.setup,
        flops=cost.flops,
        bytes=cost.bytes,
        limit=1e6 * limit,
        agreement=max(found, key=lambda one: one.deviation / one.bound),
    )


def filling_batch(per_network: Callable[[int], float], most: int = 2**14) -> int:
    """Return the batch from which doubling it makes a network's step less than 5 % faster.

    Parameters
    ----------
    per_network : callable
        Returns the time per network for a batch, infinity where it does not fit in memory.
    most : int

    Returns
    -------
    int

    Examples
    --------
    >>> filling_batch(lambda batch: 1.0 + 100.0 / batch)
    1024
    """
    batch, time = 1, per_network(1)
    while batch < most:
        doubled = per_network(2 * batch)
        if not doubled < 0.95 * time:
            break
        batch, time = 2 * batch, doubled
    return batch


def time_per_network(
    instance: Workload, batch: int, reference: Array, seconds: float = 0.3
) -> float:
    """Return the seconds per step and network of a stack; infinity if memory does not allow it.

    Parameters
    ----------
    instance : Workload
    batch : int
        Networks side by side.
    reference : array
        Where it is measured.
    seconds : float
        How long to measure.

    Returns
    -------
    float
    """
    try:
        run = engine_run(stacked(instance.member(0), batch), reference, "full")
        run(1)
        steps = timing.calibrate(run, seconds)
        return (timing.clock(lambda: run(steps)) - timing.clock(lambda: run(0))) / steps / batch
    except (MemoryError, ValueError) as error:  # what does not fit is refused, or fails to allocate
        if isinstance(error, ValueError) and "bytes are available" not in str(error):
            raise
        return float("inf")


def engine_run(
    instance: Workload, reference: Array, formulation: str = "auto"
) -> Callable[[int], Trajectory]:
    """Return the engine's run of so many steps, as a user calls it, until it is finished.

    Parameters
    ----------
    instance : Workload
    reference : array
        Where it is measured.
    formulation : str
        As for `dlnlab.gradient_descent`.

    Returns
    -------
    callable
    """
    problem, weights = instance.problem(reference), instance.start(reference)

    def run(num_steps: int) -> Trajectory:
        done = gradient_descent(
            problem,
            weights,
            eta=instance.eta,
            num_steps=num_steps,
            record_every=max(num_steps, 1),
            record=("loss",),
            formulation=formulation,
        )
        arrays.synchronize(reference)
        return done

    return run


def long_run_formulation(instance: Workload, reference: Array, num_steps: int = LONG) -> str:
    """Return the formulation that the engine chooses for so many steps.

    Parameters
    ----------
    instance : Workload
    reference : array
        Where it is measured.
    num_steps : int

    Returns
    -------
    str
    """
    problem, weights = instance.problem(reference), instance.start(reference)
    return choice.choose(problem, weights, num_steps).name


def agreement(
    instance: Workload,
    reference: Array,
    loop: Callable[[Workload], LiteralLoop] = NumpyLoop,
    formulation: str = "full",
) -> Agreement:
    """Compare the engine, and another loop, with the literal NumPy loop.

    Parameters
    ----------
    instance : Workload
        Of a stack the first and the last member are compared.
    reference : array
    loop : callable
        Makes the other loop.
    formulation : str
        Of the engine's run; "auto" would choose by the number of steps.

    Returns
    -------
    Agreement

    Raises
    ------
    Disagreement
        If they differ by more than rounding explains, or if the steps are too short to tell.
    """
    run = engine_run(instance, reference, formulation)(STEPS)
    worst, bound = 0.0, _bound(instance)
    for k in {0, instance.batch - 1}:
        member = instance.member(k)
        literal = NumpyLoop(member)
        weights, losses = literal.run(STEPS), literal.recorded(1, STEPS)
        moved = max(map(_difference, weights, member.weights))
        if moved < POWER * bound:
            raise Disagreement(
                f"{STEPS} steps move the layers by {moved:.1e} only, which rounding by up to "
                f"{bound:.1e} could hide"
            )
        found = [_member(W, member.weights[0].ndim, k) for W in run.weights]
        last = float(_member(run.losses, 0, k)[-1])
        deviation = max(*map(_difference, found, weights), abs(last - losses[1]) / losses[0] / 2)
        _require("the engine", deviation, bound)
        worst = max(worst, deviation)
    other = loop(instance.member(0))
    expected = NumpyLoop(instance.member(0)).run(STEPS)
    _require(other.name, max(map(_difference, other.run(STEPS), expected)), bound)
    return Agreement(worst, bound)


def _require(name: str, deviation: float, bound: float) -> None:
    if not deviation <= bound:  # NaN is no agreement either
        raise Disagreement(
            f"after {STEPS} steps {name} differs from the literal loop by {deviation:.1e}, and "
            f"rounding explains {bound:.1e}: its speed means nothing"
        )


def _bound(instance: Workload) -> float:
    entries = instance.widths[0] * instance.widths[-1]
    longest = max(*instance.widths, entries if instance.kind == "sensing" else 0, instance.count)
    grown = np.exp(STEPS * instance.eta * instance.curvature)
    return float(STEPS * len(instance.weights) * longest * np.finfo(float).eps * grown)


def _member(value: Array, ndim: int, k: int) -> np.ndarray:
    host = arrays.to_host(value)
    if ndim == 0:  # losses, shape (records,) or (records, batch)
        return host[:, k] if host.ndim > 1 else host
    return host[k] if host.ndim > ndim else host


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.linalg.norm(found - expected) / np.linalg.norm(expected))


@dataclass(frozen=True)
class _Times:
    """Seconds per step and network in each turn; the set-up, the steps of a run, and of whom."""

    engine: np.ndarray
    theirs: np.ndarray
    setup: float
    num_steps: int
    name: str
    formulation: str
    agreements: tuple[Agreement, ...]


def _time_steps(
    row: Row,
    parts: Sequence[Workload],
    make_loop: Callable[[Workload], LiteralLoop],
    reference: Array,
    effort: Effort,
) -> _Times:
    """Time single steps: long runs, less the set-up."""
    (part,) = parts
    chosen = long_run_formulation(part, reference)
    agreed = agreement(part, reference, formulation=chosen)
    run, loop = engine_run(part, reference, chosen), make_loop(part.member(0))
    loop.run(1)  # compiles
    run(1)
    idle = float(np.median([timing.clock(lambda: run(0)) for _ in range(3)]))
    # Steps shall take as long as the set-up at least, or its spread would drown them.
    steps = timing.calibrate(run, max(effort.seconds, idle), idle=idle)
    their_steps = timing.calibrate(loop.run, effort.seconds)
    calls = (lambda: run(steps), lambda: loop.run(their_steps), lambda: run(0))
    ours, theirs, nothing = timing.alternate(calls, effort.repeats).T
    setup = float(np.median(nothing))
    engine = np.maximum(ours - setup, 0.01 * ours) / steps / part.batch  # positive, come what may
    return _Times(engine, theirs / their_steps, setup, steps, loop.name, chosen, (agreed,))


def _time_whole(
    row: Row,
    parts: Sequence[Workload],
    make_loop: Callable[[Workload], LiteralLoop],
    reference: Array,
    effort: Effort,
) -> _Times:
    """Time whole runs with all they include: set-up, records, and the compilation of a loop."""
    assert row.records is not None
    count, every = max(1, row.records[0] // effort.divide), row.records[1]
    problems = [part.problem(reference) for part in parts]
    starts = [part.start(reference) for part in parts]
    chosen = [long_run_formulation(part, reference, count * every) for part in parts]
    agreed = [
        agreement(part, reference, formulation=name)
        for part, name in zip(parts, chosen, strict=True)
    ]
    names: list[str] = []

    def ours() -> None:
        for part, problem, start in zip(parts, problems, starts, strict=True):
            gradient_descent(
                problem,
                start,
                eta=part.eta,
                num_steps=count * every,
                record_every=every,
                record=("loss", "error"),
            )
        arrays.synchronize(reference)

    def theirs() -> None:
        for part in parts:
            loop = make_loop(part)
            loop.recorded(count, every)
            names.append(loop.name)

    repeats = effort.repeats if effort.divide > 1 else 1  # a minute each
    first, second = timing.alternate((ours, theirs), repeats).T
    steps = count * every * len(parts)
    told = ", ".join(dict.fromkeys(chosen))
    return _Times(first / steps, second / steps, 0.0, steps, names[0], told, tuple(agreed))
