"""Shrinking: from a counterexample to the simplest that is one too, one number at a time.

Simpler is, in this order: fewer dimensions, a smaller rank, fewer layers, identity matrices and
reflectors of small integers in place of random matrices, plain singular values, a round ε, a small
r̂.  Every simplification is kept if the statement still fails beyond the numerical error; after the
last, all are tried again, until none is kept or the budget is spent.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from dlnlab.lab.cases import Case, Frame
from dlnlab.lab.dynamics import DescentCase, RecoveryCase

__all__ = ["PLAIN_EPS", "PLAIN_SHARES", "PLAIN_VALUES", "shrunk", "simpler"]

PLAIN_VALUES = (1.0, 0.5, 0.9, 0.97, 0.8, 0.7)
PLAIN_EPS = (0.5, 0.1, 0.2, 0.3, 0.4, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2)
PLAIN_SHARES = (0.5, 0.9, 0.1, 0.2, 0.7)


def shrunk(case: Case, fails: Callable[[Case], bool], budget: int) -> tuple[Case, int]:
    """Return a simple case that fails too, and how many were looked at.

    Parameters
    ----------
    case : Case
        A counterexample.
    fails : callable
        Whether a case is a counterexample.
    budget : int
        Cases to look at.

    Returns
    -------
    (Case, int)
    """
    seen = {repr(case)}
    looked = 0
    improved = True
    while improved:
        improved = False
        for candidate in simpler(case):
            if repr(candidate) in seen:
                continue
            if looked >= budget:
                return case, looked
            seen.add(repr(candidate))
            looked += 1
            if fails(candidate):
                case, improved = candidate, True
                break
    return case, looked


def simpler(case: Case) -> Iterator[Case]:
    """Yield the simplifications of a case, the boldest first.

    Parameters
    ----------
    case : Case

    Yields
    ------
    Case
    """
    if not isinstance(case, RecoveryCase):  # a mask or an ensemble has the size of its problem
        yield from _smaller(case)
    elif case.kind != "identity":
        yield replace(case, kind="identity", operator=None)
    yield from _lower_rank(case)
    yield from _shallower(case)
    yield from _plain_start(case)
    yield from _plain_frames(case)
    yield from _plain_numbers(case)


def _smaller(case: Case) -> Iterator[Case]:
    """Fewer rows and columns: the leading corner of everything."""
    rows, columns = case.shape
    sizes = {min(rows, columns), *range(1, min(rows, columns))}
    for n in sorted(sizes):
        if (n, n) == case.shape:
            continue
        spectrum = case.spectrum[:n]
        left, right = (_corner(frame, n) for frame in (case.left, case.right))
        start: Any = case.start
        if isinstance(start, tuple):
            start = tuple(_corner(frame, n) for frame in start)
        for r_hat in sorted({min(case.r_hat, n), n}):
            yield replace(
                case,
                left=left,
                right=right,
                spectrum=spectrum,
                r_hat=r_hat,
                start=start,
                width=None,
            )


def _corner(frame: Frame, size: int) -> Frame:
    """The same reflectors without their last entries."""
    if frame.size <= size:
        return frame if frame.size == size else Frame(size)
    vectors = tuple(v[:size] for v in frame.reflectors if any(v[:size]))
    return Frame(size, vectors, frame.seed)


def _lower_rank(case: Case) -> Iterator[Case]:
    for rank in range(1, case.rank):
        spectrum = (*case.spectrum[:rank], *[0.0] * (len(case.spectrum) - rank))
        yield replace(case, spectrum=spectrum)


def _shallower(case: Case) -> Iterator[Case]:
    """Fewer layers, the outer ones kept, whose shapes differ; ε^L stays what it is, or ε does."""
    for depth in range(2, case.depth):
        start: Any = case.start
        if isinstance(start, tuple):
            start = (start[0], *start[1 - depth :])
        for eps in (case.eps, float(f"{case.eps ** (case.depth / depth):.3g}")):
            yield replace(case, depth=depth, start=start, eps=eps)


def _plain_start(case: Case) -> Iterator[Case]:
    """All layers εI but the last, which is one reflection, or two."""
    sides = [case.shape[1], *[case.width or max(case.shape)] * (case.depth - 1), case.shape[0]]
    sizes = [max(pair) for pair in itertools.pairwise(sides)]
    size = sizes[-1]
    random = any(frame.seed is not None for frame in (case.left, case.right))
    current = None if random else _reflectors(case.start)
    one = [(v,) for v in _vectors(size)]
    two = [(a, b) for a, b in itertools.permutations(_vectors(size)[:6], 2)]
    for reflectors in [(), *one, *two]:
        if current is not None and len(reflectors) >= current:
            return
        frames = (*(Frame(n) for n in sizes[:-1]), Frame(size, reflectors))
        yield replace(case, start=frames, left=Frame(case.shape[0]), right=Frame(case.shape[1]))
        yield replace(case, start=frames)


def _reflectors(start: Any) -> int | None:
    """Count the reflectors of a start; None if it has random matrices."""
    if isinstance(start, int) or any(frame.seed is not None for frame in start):
        return None
    return sum(len(frame.reflectors) for frame in start)


def _vectors(size: int) -> list[tuple[int, ...]]:
    """Small integer vectors: axes, and sums and differences of two, with few different entries."""
    units = [tuple(int(i == k) for i in range(size)) for k in range(size)]
    found = list(units)
    for i, j in itertools.permutations(range(size), 2):
        for a, b in ((1, 1), (1, -1), (2, 1), (3, 1), (3, -1), (2, -1)):
            vector = [0] * size
            vector[i], vector[j] = a, b
            found.append(tuple(vector))
    return found[: 12 * size]


def _plain_frames(case: Case) -> Iterator[Case]:
    """A diagonal target."""
    rows, columns = case.shape
    left, right = Frame(rows), Frame(columns)
    if (case.left, case.right) != (left, right):
        yield replace(case, left=left, right=right)
        yield replace(case, left=left)
        yield replace(case, right=right)


def _plain_numbers(case: Case) -> Iterator[Case]:
    """Spectrum, ε, r̂ and the step, with fewer digits."""
    if case.r_hat > case.rank:
        yield from (replace(case, r_hat=r) for r in range(case.rank, case.r_hat))
    for k, value in enumerate(case.spectrum[: case.rank]):
        plain = PLAIN_VALUES.index(value) if value in PLAIN_VALUES else len(PLAIN_VALUES)
        for new in (*PLAIN_VALUES[:plain], round(value, 1)):
            values = (*case.spectrum[:k], new, *case.spectrum[k + 1 :])
            is_sorted = list(values) == sorted(values, reverse=True)
            if new > 0 and is_sorted and _digits(new) <= _digits(value):
                yield replace(case, spectrum=values)
    place = PLAIN_EPS.index(case.eps) if case.eps in PLAIN_EPS else len(PLAIN_EPS)
    near = sorted(PLAIN_EPS[:place], key=lambda eps: abs(eps - case.eps))
    yield from (replace(case, eps=eps) for eps in near)
    if isinstance(case, DescentCase):
        shares = itertools.takewhile(lambda share: share != case.share, PLAIN_SHARES)
        yield from (replace(case, share=share) for share in shares)


def _digits(value: float) -> int:
    return len(f"{value:g}")
