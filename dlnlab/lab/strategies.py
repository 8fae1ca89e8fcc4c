"""Hypothesis strategies for targets, orthogonal starts, measurement operators and whole cases.

Everything is drawn in the readable form of `cases` and `recoveries`: reflectors of small integers,
spectra from a short list of plain numbers, sensing matrices of small integers.  The simplest value
of every draw comes first, so that a failing case shrinks towards identity matrices, the spectrum
(1, 0, …), two layers and ε = 0.1; a mask shrinks towards the full one, which is factorization, so
that what remains hidden in a failing case is what it takes to fail; an ensemble towards one matrix
e_1 e_1ᵀ.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from hypothesis import strategies as st

from dlnlab.lab.cases import Case, Frame
from dlnlab.lab.recoveries import COMPUTATIONS, KINDS, Ensemble, Mask, Recovery

__all__ = [
    "DEPTHS",
    "SCALES",
    "VALUES",
    "cases",
    "ensembles",
    "frames",
    "masks",
    "recoveries",
    "shapes",
    "spectra",
    "starts",
    "target_parts",
]

VALUES = (1.0, 2.0, 3.0, 0.5, 0.1, 10.0, 1e-3, 1e-8, 1e3, 1e8)
"""Singular values: ordinary ones first, then tiny and huge ones; lists of them repeat values."""

SCALES = (0.1, 0.5, 0.2, 1.0, 0.05, 2.0, 0.01, 10.0, 1e-3, 100.0)
"""ε, from far below the scale of a target to far above."""

DEPTHS = (2, 6)


def frames(size: int, most: int = 2, seeds: bool = False) -> st.SearchStrategy[Frame]:
    """Draw orthogonal matrices: up to `most` reflections, which may stand before a random matrix.

    Parameters
    ----------
    size : int
    most : int
        Most reflectors.
    seeds : bool
        Whether uniformly random matrices may occur.  They do not shrink to reflectors, so a search
        that is to end in something readable leaves them out.

    Returns
    -------
    strategy of Frame
    """
    vector = st.tuples(*[st.integers(-3, 3)] * size)
    reflectors = st.lists(vector, max_size=most).map(
        lambda vectors: tuple(v for v in vectors if any(v))
    )
    seed = st.one_of(st.none(), st.integers(0, 999)) if seeds else st.none()
    return st.builds(Frame, st.just(size), reflectors, seed)


@st.composite
def spectra(
    draw: Any, size: int, values: Sequence[float] = VALUES, rank: int | None = None
) -> tuple[float, ...]:
    """Draw `size` sorted singular values, of which at least the first is positive.

    Parameters
    ----------
    size : int
    values : sequence of float
        What a singular value may be, besides 0.
    rank : int, optional
        How many are positive; any number from 1 to `size` by default.

    Returns
    -------
    strategy of tuples of float
    """
    count = draw(st.integers(1, size)) if rank is None else rank
    drawn = draw(st.lists(st.sampled_from(values), min_size=count, max_size=count))
    return tuple(sorted(drawn, reverse=True)) + (0.0,) * (size - count)


def shapes(least: int = 1, most: int = 4, square: bool = False) -> st.SearchStrategy[Any]:
    """Draw (d_out, d_in).

    Parameters
    ----------
    least : int
    most : int
    square : bool

    Returns
    -------
    strategy of (int, int)
    """
    side = st.integers(least, most)
    return side.map(lambda n: (n, n)) if square else st.tuples(side, side)


def target_parts(
    shape: tuple[int, int], values: Sequence[float] = VALUES
) -> st.SearchStrategy[tuple[Frame, tuple[float, ...], Frame]]:
    """Draw U, the spectrum and V of a target.

    Parameters
    ----------
    shape : (int, int)
        (d_out, d_in).
    values : sequence of float
        Singular values to choose from.

    Returns
    -------
    strategy of (Frame, tuple of float, Frame)
    """
    return st.tuples(frames(shape[0]), spectra(min(shape), values), frames(shape[1]))


def starts(
    shape: tuple[int, int], depth: int, width: int | None = None, seeds: bool = False
) -> st.SearchStrategy[int | tuple[Frame, ...]]:
    """Draw an orthogonal start: one frame per layer, or the seed of a uniformly random network.

    Parameters
    ----------
    shape : (int, int)
        (d_out, d_in).
    depth : int
        L.
    width : int, optional
        Hidden width; max(d_out, d_in) by default.
    seeds : bool
        Whether seeds may be drawn, too.

    Returns
    -------
    strategy of int or of tuples of Frame
    """
    hidden = max(shape) if width is None else width
    sizes = [shape[1], *[hidden] * (depth - 1), shape[0]]
    layers = st.tuples(*(frames(max(pair)) for pair in itertools.pairwise(sizes)))
    return st.one_of(layers, st.integers(0, 999)) if seeds else layers


@st.composite
def masks(draw: Any, shape: tuple[int, int]) -> Mask:
    """Draw which entries are observed, at least one.

    Parameters
    ----------
    shape : (int, int)
        (d_out, d_in).

    Returns
    -------
    strategy of Mask
    """
    rows, columns = shape
    size = rows * columns
    hidden = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    hidden[draw(st.integers(0, size - 1))] = False
    observed = [not x for x in hidden]
    return Mask(tuple(tuple(observed[i * columns : (i + 1) * columns]) for i in range(rows)))


def ensembles(
    shape: tuple[int, int], most: int = 4, seeds: bool = False
) -> st.SearchStrategy[Ensemble]:
    """Draw sensing matrices: one to `most`, with entries from −2 to 2, none of them zero.

    Parameters
    ----------
    shape : (int, int)
    most : int
        Most matrices.
    seeds : bool
        Whether Gaussian ensembles may occur.  They do not shrink to integers, so a search that is
        to end in something readable leaves them out.

    Returns
    -------
    strategy of Ensemble
    """
    rows, columns = shape
    unit = (1,) + (0,) * (rows * columns - 1)
    flat = st.tuples(*[st.integers(-2, 2)] * (rows * columns)).map(lambda a: a if any(a) else unit)
    table = flat.map(lambda a: tuple(a[i * columns : (i + 1) * columns] for i in range(rows)))
    plain = st.builds(Ensemble, st.lists(table, min_size=1, max_size=most).map(tuple))
    if not seeds:
        return plain
    return st.one_of(
        plain, st.builds(Ensemble, st.just(()), st.integers(1, most), st.integers(0, 999))
    )


@st.composite
def recoveries(
    draw: Any,
    *,
    smallest: int = 1,
    largest: int = 3,
    values: Sequence[float] = VALUES,
    seeds: bool = False,
) -> Recovery:
    """Draw a recovery problem with any measurement operator.

    Parameters
    ----------
    smallest, largest : int
        Range of the sides.
    values : sequence of float
        What singular values may be.
    seeds : bool
        Whether Gaussian ensembles may occur.

    Returns
    -------
    strategy of Recovery
    """
    shape = draw(shapes(smallest, largest))
    kind = draw(st.sampled_from(KINDS))
    operator: Mask | Ensemble | None = None
    if kind in ("mask", *COMPUTATIONS):
        operator = draw(masks(shape))
    elif kind != "identity":
        operator = draw(ensembles(shape, seeds=seeds))
    left, spectrum, right = draw(target_parts(shape, values))
    normalization = draw(st.sampled_from(("sum", "mean")))
    return Recovery(left, spectrum, right, kind, operator, normalization)


@st.composite
def cases(
    draw: Any,
    *,
    square: bool = False,
    smallest: int = 1,
    largest: int = 4,
    depths: tuple[int, int] = DEPTHS,
    values: Sequence[float] = VALUES,
    scales: Sequence[float] = SCALES,
    enough_rank: bool = False,
    seeds: bool = False,
) -> Case:
    """Draw an instance: target, start, depth, ε and r̂.

    Parameters
    ----------
    square : bool
        Whether d_out = d_in.
    smallest, largest : int
        Range of the sides.
    depths : (int, int)
        Range of L.
    values, scales : sequences of float
        What singular values and ε may be.
    enough_rank : bool
        Whether r̂ ≥ r always; otherwise r̂ is anything from 1 to d.
    seeds : bool
        Whether the start may be a uniformly random one, named by its seed.

    Returns
    -------
    strategy of Case
    """
    shape = draw(shapes(smallest, largest, square))
    depth = draw(st.integers(*depths))
    left, spectrum, right = draw(target_parts(shape, values))
    case = Case(left, spectrum, right, depth, draw(st.sampled_from(scales)), min(shape))
    least = case.rank if enough_rank else 1
    r_hat = draw(st.integers(least, min(shape)))
    start = draw(starts(shape, depth, seeds=seeds))
    return Case(left, spectrum, right, depth, case.eps, r_hat, start)
