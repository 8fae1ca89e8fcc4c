"""The instances the claims are tried on, described by a few numbers a person can read.

An orthogonal matrix is a product of Householder reflections I − 2vvᵀ/‖v‖² of small integer vectors,
behind which a uniformly random one may stand, named by its seed.  A target is such a matrix, a
spectrum, and another such matrix.  So every instance can be printed in a line and built again from
it, and a search can simplify it number by number.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dlnlab import flow, networks
from dlnlab.numerics import spectra
from dlnlab.numerics.frames import orthonormal_frame

__all__ = ["EPS", "Case", "Frame", "aligned_case", "random_cases", "stack"]

EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Frame:
    """An orthogonal matrix H_1 ⋯ H_k Q of Householder reflections and a random Q (seed None: I).

    Attributes
    ----------
    size : int
    reflectors : tuple of tuples of int
        The vectors v of the reflections; a zero vector reflects nothing.
    seed : int or None
    """

    size: int
    reflectors: tuple[tuple[int, ...], ...] = ()
    seed: int | None = None

    @cached_property
    def matrix(self) -> np.ndarray:
        """The orthogonal matrix of the frame, shape (size, size); read-only."""
        if self.seed is None:
            Q = np.eye(self.size)
        else:
            Q = orthonormal_frame(self.size, self.size, np.random.default_rng(self.seed))
        for vector in reversed(self.reflectors):
            v = np.asarray(vector, dtype=float)
            length = float(v @ v)
            if length:
                Q = Q - np.outer(v, v @ Q) * (2 / length)
        Q.setflags(write=False)
        return Q

    def readable(self) -> Any:
        """The reflectors, or the seed with them.

        Returns
        -------
        object
        """
        reflectors = [list(v) for v in self.reflectors]
        return reflectors if self.seed is None else {"seed": self.seed, "reflectors": reflectors}

    @classmethod
    def from_readable(cls, size: int, readable: Any) -> Frame:
        """Return the frame of that size that `readable` describes.

        Parameters
        ----------
        size : int
            d.
        readable : object
            As `readable` returns it.

        Returns
        -------
        Frame
        """
        seeded = isinstance(readable, Mapping)
        reflectors, seed = (
            (readable["reflectors"], readable["seed"]) if seeded else (readable, None)
        )
        return cls(size, tuple(tuple(int(n) for n in vector) for vector in reflectors), seed)


@dataclass(frozen=True)
class Case:
    """A target, the start of a wide network, and the compressed network beside it.

    Attributes
    ----------
    left, right : Frame
        Singular vectors of the target; their sizes are d_out and d_in.
    spectrum : tuple of float
        All min(d_out, d_in) singular values, sorted, zeros included.
    depth, eps, r_hat : int, float, int
    start : int or tuple of L Frames
        The seed of `dlnlab.original_weights`, or one frame per layer, from which the layer's rows
        and columns are cut.
    width : int or None
        Hidden width; max(d_out, d_in) if None.
    """

    left: Frame
    spectrum: tuple[float, ...]
    right: Frame
    depth: int
    eps: float
    r_hat: int
    start: int | tuple[Frame, ...] = 0
    width: int | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """The shape (d_out, d_in) of the target."""
        return self.left.size, self.right.size

    @cached_property
    def rank(self) -> int:
        """Number of singular values above the rounding of the matrix entries."""
        return spectra.numerical_rank(np.asarray(self.spectrum), self.shape)

    @cached_property
    def values(self) -> np.ndarray:
        """The spectrum as the library sees it: what rounding hides is 0; read-only."""
        s = np.asarray(self.spectrum)
        found = np.where(np.arange(s.size) < self.rank, s, 0.0)
        found.setflags(write=False)
        return found

    @property
    def target(self) -> np.ndarray:
        """M* = U diag(s) Vᵀ, shape (d_out, d_in)."""
        count = len(self.spectrum)
        U, V = self.left.matrix[:, :count], self.right.matrix[:, :count]
        return (U * self.values) @ V.T

    def weights(self) -> networks.Weights:
        """W_1, …, W_L of the wide network at its start.

        Returns
        -------
        tuple of L arrays, shapes (..., d_l, d_{l−1})
        """
        if isinstance(self.start, int):
            return networks.original_weights(
                self.shape, self.depth, self.eps, rng=self.start, width=self.width
            )
        hidden = max(self.shape) if self.width is None else self.width
        sizes = (self.shape[1], *[hidden] * (self.depth - 1), self.shape[0])
        return tuple(
            self.eps * frame.matrix[:rows, :columns]
            for frame, columns, rows in zip(self.start, sizes[:-1], sizes[1:], strict=True)
        )

    def compare(self, **options: Any) -> flow.Comparison:
        """Run both flows of the case, `dlnlab.compare`, which takes the options.

        Parameters
        ----------
        **options
            As of `dlnlab.compare`, other than the target, r̂, L, ε and the weights.

        Returns
        -------
        Comparison
        """
        given: dict[str, Any] = {"depth": self.depth, "eps": self.eps, "weights": self.weights()}
        return flow.compare(self.target, self.r_hat, **given, **options)

    def witness(self) -> dict[str, Any]:
        """Everything that is needed to build the case again, as plain lists and numbers.

        Returns
        -------
        dict
        """
        start = self.start
        layers = start if isinstance(start, int) else [frame.readable() for frame in start]
        return {
            "shape": list(self.shape),
            "spectrum": list(self.spectrum),
            "left": self.left.readable(),
            "right": self.right.readable(),
            "depth": self.depth,
            "eps": self.eps,
            "r_hat": self.r_hat,
            "start": {"seed": layers} if isinstance(layers, int) else layers,
            "width": self.width,
        }

    @classmethod
    def from_witness(cls, witness: Mapping[str, Any]) -> Case:
        """Build the case again from what `witness` returned, whatever else the mapping holds.

        Frames of a start are taken as large as the longer side of their layer.

        Parameters
        ----------
        witness : mapping
            As `witness` returns it.

        Returns
        -------
        Case

        Raises
        ------
        KeyError
            If the mapping describes no case.
        """
        (d_out, d_in), depth, width = witness["shape"], witness["depth"], witness["width"]
        start = witness["start"]
        if isinstance(start, Mapping):
            layers: int | tuple[Frame, ...] = int(start["seed"])
        else:
            hidden = max(d_out, d_in) if width is None else width
            sides = itertools.pairwise([d_in, *[hidden] * (depth - 1), d_out])
            layers = tuple(
                Frame.from_readable(max(pair), frame)
                for pair, frame in zip(sides, start, strict=True)
            )
        return cls(
            Frame.from_readable(d_out, witness["left"]),
            tuple(float(value) for value in witness["spectrum"]),
            Frame.from_readable(d_in, witness["right"]),
            depth,
            witness["eps"],
            witness["r_hat"],
            layers,
            width,
        )


def _random_spectrum(rng: np.random.Generator, size: int, low: float = 0.2) -> tuple[float, ...]:
    """Draw sorted singular values with the largest 1, the others between `low` and 1 or zero.

    Values have two digits, so that they repeat now and then and the closed form of a mode can be
    kept for the next case that has it.
    """
    rank = int(rng.integers(1, size + 1))
    draws = np.round(rng.uniform(low, 1.0, rank - 1), 2)
    values = [1.0, *sorted(draws.tolist(), reverse=True)]
    if rank > 1 and rng.random() < 0.25:
        values[1] = 1.0
    return tuple(values + [0.0] * (size - rank))


def random_cases(
    rng: np.random.Generator,
    count: int,
    shape: tuple[int, int],
    depth: int,
    eps: float,
    *,
    low: float = 0.2,
    enough_rank: bool = True,
    width: int | None = None,
) -> list[Case]:
    """Draw cases with uniformly random singular vectors and starts, of one shape, L and ε.

    Parameters
    ----------
    rng : numpy.random.Generator
    count : int
        How many.
    shape : (int, int)
        (d_out, d_in).
    depth : int
        L.
    eps : float
        ε.
    low : float
        Smallest singular value.
    enough_rank : bool
        Whether r̂ ≥ r.
    width : int, optional
        Hidden width; max(d_out, d_in) by default.

    Returns
    -------
    list of Case
    """
    size = min(shape)
    cases = []
    for _ in range(count):
        seeds = [int(seed) for seed in rng.integers(0, 2**31, 3)]
        spectrum = _random_spectrum(rng, size, low)
        rank = sum(value > 0 for value in spectrum)
        r_hat = int(rng.integers(rank if enough_rank else 1, size + 1))
        left, right = (Frame(n, (), seed) for n, seed in zip(shape, seeds[:2], strict=True))
        cases.append(Case(left, spectrum, right, depth, eps, r_hat, seeds[2], width))
    return cases


def aligned_case(
    rng: np.random.Generator, size: int, depth: int, eps: float, low: float = 0.2
) -> Case:
    """Draw a square case whose start maps every right singular vector to the left one.

    The layers I, …, I, Vᵀ, U of product UVᵀ (for L = 2: Vᵀ, U) do that.

    Parameters
    ----------
    rng : numpy.random.Generator
    size : int
        d.
    depth : int
        L.
    eps : float
        ε.
    low : float
        Smallest singular value.

    Returns
    -------
    Case
    """
    seed = int(rng.integers(0, 2**31))
    vector = tuple(int(n) for n in rng.integers(-3, 4, size))
    left, right = Frame(size, (), seed), Frame(size, (vector,))
    spectrum = _random_spectrum(rng, size, low)
    rank = sum(value > 0 for value in spectrum)
    # one reflection is its own transpose, so the right frame serves as Vᵀ
    start = (right, *[Frame(size)] * (depth - 2), left)
    return Case(left, spectrum, right, depth, eps, int(rng.integers(rank, size + 1)), start)


def stack(cases: Sequence[Case]) -> tuple[np.ndarray, networks.Weights]:
    """Return the targets and the wide starts of cases of one shape and depth as batches.

    Parameters
    ----------
    cases : sequence of Case
        Of one shape, depth, ε and width.

    Returns
    -------
    (array, tuple of L arrays, shapes (..., d_l, d_{l−1}))
    """
    layers = zip(*(case.weights() for case in cases), strict=True)
    return np.stack([case.target for case in cases]), tuple(np.stack(layer) for layer in layers)
