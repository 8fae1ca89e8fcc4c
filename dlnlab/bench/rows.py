"""The table of what is measured, one entry per row.

A target is the ratio to reach of a reference's time per step to the engine's, per network of a
stack.  The references: the authors' training step in a long compiled JAX loop, where a checkout is
given; else a literal JAX loop; else, without JAX, a literal NumPy loop.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dlnlab.bench import workloads as make
from dlnlab.bench.workloads import Workload

__all__ = ["ROWS", "Row"]


@dataclass(frozen=True)
class Row:
    """A row of the benchmark table: a workload and its target.

    Attributes
    ----------
    title : str
    build : callable
        Returns the instances, which are run one after the other; usually one.
    target : float or None
        The ratio to reach.
    records : (int, int) or None
        Where a whole run is timed rather than single steps: the number of records after the start,
        and the steps between two of them.
    """

    title: str
    build: Callable[[], tuple[Workload, ...]]
    target: float | None
    records: tuple[int, int] | None = None


def _wide(d: int) -> tuple[Workload, ...]:
    return (make.wide(make.factorization(d, 10), (d, d)),)


def _compressed(d: int, factored: bool = False, turn: float = 0) -> tuple[Workload, ...]:
    return (make.compressed(make.factorization(d, 10, factored), (d, d), 20, turn),)


def _both(d: int) -> tuple[Workload, ...]:
    return _wide(d) + _compressed(d)


def _completion(r_hat: int | None, batch: int = 1) -> tuple[Workload, ...]:
    return (_stack(make.completion(100, 5, 0.3), r_hat, batch),)


def _sensing(r_hat: int | None) -> tuple[Workload, ...]:
    return (_stack(make.sensing(100, 5, 2000), r_hat, 1),)


def _stack(instance: Workload, r_hat: int | None, batch: int, d: int = 100) -> Workload:
    started = make.compressed(instance, (d, d), r_hat) if r_hat else make.wide(instance, (d, d))
    return make.stacked(started, batch) if batch > 1 else started


def _movielens() -> tuple[Workload, ...]:
    shape = (943, 1682)
    return (make.compressed(make.sampled(shape, 5, 80_000), shape, 10),)


def _small() -> tuple[Workload, ...]:
    started = make.wide(make.completion(20, 2, 0.5), (20, 20))
    return (make.stacked(started, 512),)


ROWS: dict[str, Row] = {
    "wide-100": Row("factorization, wide, d = 100, r = 10", lambda: _wide(100), 30),
    "wide-300": Row("factorization, wide, d = 300, r = 10", lambda: _wide(300), 450),
    "compressed-100": Row(
        "factorization, compressed, d = 100, r̂ = 20, spectral start", lambda: _compressed(100), 10
    ),
    "compressed-any-100": Row(
        "factorization, compressed, d = 100, r̂ = 20, any start",
        lambda: _compressed(100, turn=0.1),
        5,
    ),
    "compressed-300": Row(
        "factorization, compressed, d = 300, r̂ = 20", lambda: _compressed(300), 30
    ),
    "compressed-1000": Row(
        "factorization, compressed, d = 1000, r̂ = 20, factored target",
        lambda: _compressed(1000, factored=True),
        250,
    ),
    "compressed-3000": Row(
        "factorization, compressed, d = 3000, r̂ = 20, factored target",
        lambda: _compressed(3000, factored=True),
        3000,
    ),
    "notebook": Row(
        "factorization run, wide and compressed, d = 100, 100 000 steps each, 1001 records",
        lambda: _both(100),
        20,
        records=(1000, 100),
    ),
    "completion-wide": Row("completion 30 %, wide, d = 100, r = 5", lambda: _completion(None), 2.0),
    "completion-wide-stack": Row(
        "completion 30 %, wide, d = 100, stack of 16", lambda: _completion(None, 16), 1.7
    ),
    "completion-compressed": Row(
        "completion 30 %, compressed, d = 100, r̂ = 10", lambda: _completion(10), 2.0
    ),
    "completion-compressed-stack": Row(
        "completion 30 %, compressed, d = 100, r̂ = 10, stack of 64",
        lambda: _completion(10, 64),
        2.0,
    ),
    "sensing-wide": Row("sensing, wide, d = 100, m = 2000", lambda: _sensing(None), 14),
    "sensing-compressed": Row(
        "sensing, compressed, d = 100, r̂ = 10, m = 2000", lambda: _sensing(10), 14
    ),
    "movielens": Row("MovieLens size, 943 × 1682, 80 000 entries, r̂ = 10", _movielens, 4.5),
    "stack-20": Row("completion 50 %, wide, d = 20, stack of 512", _small, None),
}
