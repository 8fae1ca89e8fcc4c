"""Where a conjecture is attacked: ranges of shapes, ranks, depths, ε, r̂ and starts.

Random cases come in batches of one shape, depth and ε, which are integrated as one system.  A third
of the targets have two values within a few percent of each other, and of the starts a quarter each
lie in the target's singular vectors, turned by a small angle out of them, and in them but for one
that is reversed: where statements about deep linear networks tend to fail or to be tight.

One batch in three comes from the outskirts: larger or thinner shapes, more layers, ε far from the
targets, other units, targets far apart.  Nothing is known there of most statements, as runs take
long; a statement that is false only there is refuted there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.lab.cases import Case, Frame, aligned_case
from dlnlab.lab.dynamics import DescentCase, RecoveryCase
from dlnlab.lab.recoveries import KINDS, random_recovery
from dlnlab.numerics import checks

__all__ = [
    "ALIGNMENTS",
    "CLOSE",
    "DEPTHS",
    "FAR_DEPTHS",
    "FAR_EPS",
    "FAR_LOW",
    "FAR_SHAPES",
    "FAR_START",
    "FAR_UNIT",
    "GOLDEN",
    "LOW",
    "OUTSKIRTS",
    "R_HATS",
    "SHAPES",
    "SHARES",
    "START",
    "Ranges",
    "as_case",
    "checked",
]

ALIGNMENTS = ("any", "random", "near", "aligned", "opposed")
R_HATS = ("any", "rank", "full")

SHAPES = ((2, 2), (3, 3), (4, 4), (2, 3), (5, 5), (4, 2))
DEPTHS = (2, 3, 4, 5)
START = (0.02, 5.0)
"""ε^L, from a fiftieth of the largest target to five times it, where ε has no range of its own."""

SHARES = (0.05, 0.95)
"""η in units of the stability limit."""

LOW = 0.2
"""The smallest positive target, the largest being 1."""

OUTSKIRTS = 3
"""One batch in so many is drawn farther out."""

FAR_SHAPES = (
    *((6, 6), (7, 7), (8, 8), (3, 5), (2, 7), (6, 3), (8, 2)),
    *((1, 1), (1, 3), (1, 6), (5, 1)),
)
FAR_DEPTHS = (6, 8)
FAR_EPS = 0.01
"""The smallest ε of the outskirts, in units of σ_1*^{1/L}."""

FAR_START = 100.0
"""The largest ε^L there, in units of σ_1*."""

FAR_LOW = 1e-3
"""The smallest positive target there, in units of σ_1*."""

FAR_UNIT = 10.0
"""σ_1* there is at most this, and at least its inverse."""

GOLDEN = (5**0.5 - 1) / 2
"""Steps of this size modulo 1 are spread as evenly as any."""

CLOSE = 0.93
"""Ratio from which two targets are called close."""


@dataclass(frozen=True)
class Ranges:
    """The ranges from which random instances are drawn.

    Attributes
    ----------
    shapes : tuple of (d_out, d_in)
        Empty: any, mostly up to 5 × 5.
    ranks : tuple of int
        Empty: any.
    depths : tuple of int
        Empty: any, mostly up to 5.
    eps : (float, float) or None
        Range of ε; None: any, mostly with ε^L between a fiftieth of σ_1* and five times σ_1*.
    r_hat : str or tuple of int
        "any" for r ≤ r̂ ≤ d, "rank" for r̂ = r, "full" for r̂ = d.
    alignment : str
        "random" starts, those "near" the target's vectors, "aligned" ones, those "opposed" to one
        of the vectors, or "any".
    eta : (float, float)
        Range of the step of descent, in units of the stability limit.
    """

    shapes: tuple[tuple[int, int], ...] = ()
    ranks: tuple[int, ...] = ()
    depths: tuple[int, ...] = ()
    eps: tuple[float, float] | None = None
    r_hat: str | tuple[int, ...] = "any"
    alignment: str = "any"
    eta: tuple[float, float] = SHARES

    def to_dict(self) -> dict[str, Any]:
        """Return the ranges as plain JSON.

        Returns
        -------
        dict
        """
        return asdict(self)

    @classmethod
    def from_dict(cls, told: Mapping[str, Any]) -> Ranges:
        """Return what `to_dict` told, which may have been to a file and back.

        Parameters
        ----------
        told : mapping

        Returns
        -------
        Ranges
        """
        return cls(**{name: _tuples(value) for name, value in told.items()})

    def draw(self, seed: int, number: int, count: int, about: str) -> list[Case]:
        """Draw cases of one shape, depth and ε.

        Shapes take turns, and so do depths: n batches have every shape once if there are n, and
        n·m every shape at every one of m depths.  The ε of successive batches are spread evenly.
        So a few batches see all corners of the ranges.

        Parameters
        ----------
        seed, number : int
            Of the attack, and of this batch.
        count : int
        about : str
            What the conjecture is about.

        Returns
        -------
        list of Case
        """
        far, rest = (number + 1) % OUTSKIRTS == 0, number // OUTSKIRTS
        shared = np.random.default_rng([seed, 0, int(far)])
        turn = rest if far else number - rest
        shapes, depths = self._fitting(far), self._depths(far)
        order, kinds = shared.permutation(len(shapes)), shared.permutation(len(depths))
        both = math.lcm(len(shapes), len(depths))  # the turn after which pairs would come again
        shape = shapes[order[turn % len(shapes)]]
        depth = depths[kinds[(turn + turn // both) % len(depths)]]
        rng = np.random.default_rng([seed, 1, number])
        unit = float(f"{FAR_UNIT ** rng.uniform(-1, 1):.2g}") if far and self.eps is None else 1.0
        low, high = (bound * unit ** (1 / depth) for bound in self.limits(depth, far))
        place = (shared.random() + turn * GOLDEN) % 1.0
        eps = _rounded(low * (high / low) ** place, low, high)
        return [self._case(rng, shape, depth, eps, unit, far, about) for _ in range(count)]

    def limits(self, depth: int, far: bool = True) -> tuple[float, float]:
        """Return the range of ε at a depth, in units of σ_1*^{1/L} where none was asked for.

        Parameters
        ----------
        depth : int
            L.
        far : bool
            Whether of the outskirts.

        Returns
        -------
        (float, float)
        """
        usual = (FAR_EPS**depth, FAR_START) if far else START
        return self.eps or (usual[0] ** (1 / depth), usual[1] ** (1 / depth))

    def _fitting(self, far: bool) -> list[tuple[int, int]]:
        """Return the shapes that have room for one of the ranks and one of the r̂."""
        widths = self.r_hat if isinstance(self.r_hat, tuple) else ()
        least = max(min(self.ranks, default=1), min(widths, default=1))
        shapes = self.shapes or (SHAPES + FAR_SHAPES if far else SHAPES)
        fitting = [shape for shape in shapes if min(shape) >= least]
        return fitting or [(least, least)]

    def _depths(self, far: bool) -> tuple[int, ...]:
        return self.depths or (DEPTHS + FAR_DEPTHS if far else DEPTHS)

    def _case(
        self,
        rng: np.random.Generator,
        shape: tuple[int, int],
        depth: int,
        eps: float,
        unit: float,
        far: bool,
        about: str,
    ) -> Case:
        spectrum = self._spectrum(rng, min(shape), far and rng.random() < 0.5)
        r_hat = self.width(rng, sum(value > 0 for value in spectrum), min(shape))
        spectrum = tuple(float(f"{unit * value:.3g}") for value in spectrum)
        kind = _one(rng, ALIGNMENTS[1:]) if self.alignment == "any" else self.alignment
        width = None if shape[0] == shape[1] else min(shape)
        left, right, start = _start(rng, kind, shape, depth)
        case = Case(left, spectrum, right, depth, eps, r_hat, start, width)
        return _dressed(rng, case, about, self.eta)

    def _spectrum(self, rng: np.random.Generator, size: int, far: bool) -> tuple[float, ...]:
        """Draw σ* with the largest 1, one in three times with two or more close to each other."""
        ranks = [rank for rank in self.ranks if rank <= size] or range(1, size + 1)
        rank = int(_one(rng, ranks))
        draws = rng.uniform(LOW, 1.0, rank - 1)
        values = np.sort(np.append(1.0, FAR_LOW**draws if far else draws))[::-1]
        if rank > 1 and rng.random() < 1 / 3:
            k = int(rng.integers(1, rank))
            last = k + 1 if rng.random() < 0.5 else rank
            values[k:last] = values[k - 1] * rng.choice([1.0, rng.uniform(CLOSE, 1.0)])
        ordered = np.sort([float(f"{value:.2g}") for value in values])[::-1]
        return (*(float(v) for v in ordered), *[0.0] * (size - rank))

    def width(self, rng: np.random.Generator, rank: int, size: int) -> int:
        """Draw a width r̂ of the compressed network.

        Parameters
        ----------
        rng : numpy.random.Generator
        rank : int
            r.
        size : int
            d.

        Returns
        -------
        int
        """
        if isinstance(self.r_hat, tuple):
            return int(_one(rng, [r for r in self.r_hat if r <= size]))
        if self.r_hat == "rank":
            return rank
        return size if self.r_hat == "full" else int(rng.integers(rank, size + 1))

    def holds(self, case: Case) -> bool:
        """Tell whether a case lies within; of shapes, depths and ε, if some were asked for.

        Parameters
        ----------
        case : Case

        Returns
        -------
        bool
        """
        low, high = self.eps or (0.0, np.inf)
        widths = {"rank": (case.rank,), "full": (min(case.shape),)}
        wide = range(case.rank, min(case.shape) + 1)
        known: Any = self.r_hat if isinstance(self.r_hat, tuple) else widths.get(self.r_hat, wide)
        return (
            low * (1 - 1e-9) <= case.eps <= high * (1 + 1e-9)
            and (not self.ranks or case.rank in self.ranks)
            and (not self.shapes or case.shape in self.shapes)
            and (not self.depths or case.depth in self.depths)
            and (self.alignment != "aligned" or _is_aligned(case))
            and (not isinstance(case, DescentCase) or self.eta[0] <= case.share <= self.eta[1])
            and case.r_hat in known
        )

    def moved(self, rng: np.random.Generator, case: Case, count: int) -> list[Case]:
        """Return cases next to one: other values, other turns of the start; maybe another ε.

        Steps are of all sizes, from a tenth to a thousandth, to arrive near and then to come close.

        Parameters
        ----------
        rng : numpy.random.Generator
        case : Case
        count : int
            How many.

        Returns
        -------
        list of Case
        """
        unit = 1.0 if self.eps else case.spectrum[0] ** (1 / case.depth)
        low, high = (bound * unit for bound in self.limits(case.depth))
        scale = float(np.exp(_stride(rng))) if rng.random() < 0.5 else 1.0
        eps = _rounded(float(np.clip(scale * case.eps, low, high)), low, high, 4)
        return [self._step(rng, replace(case, eps=eps)) for _ in range(count)]

    def _step(self, rng: np.random.Generator, case: Case) -> Case:
        changes: dict[str, Any] = {}
        top = case.spectrum[0]
        if case.rank > 1 and rng.random() < 0.6:
            values = np.array(case.spectrum)
            k = int(rng.integers(1, case.rank))
            values[k] = np.clip(values[k] * np.exp(_stride(rng)), FAR_LOW * top, top)
            rounded = sorted((float(f"{v:.4g}") for v in values), reverse=True)
            changes["spectrum"] = tuple(rounded)
        if isinstance(case.start, tuple):
            last = case.start[-1]
            turned = (*_near(rng, last.size), *last.reflectors)[:8]
            changes["start"] = (*case.start[:-1], replace(last, reflectors=turned))
        elif rng.random() < 0.6:
            changes["start"] = int(rng.integers(2**31))
        if rng.random() < 0.1:
            changes["r_hat"] = self.width(rng, case.rank, min(case.shape))
        if isinstance(case, DescentCase):
            share = case.share * np.exp(_stride(rng))
            changes["share"] = float(np.clip(float(f"{share:.4g}"), *self.eta))
        return replace(case, **changes)


def _start(
    rng: np.random.Generator, kind: str, shape: tuple[int, int], depth: int
) -> tuple[Frame, Frame, int | tuple[Frame, ...]]:
    """Draw singular vectors of a target and a start of one kind."""
    if kind == "random":
        left, right = (Frame(n, (), int(rng.integers(2**31))) for n in shape)
        return left, right, int(rng.integers(2**31))
    if kind == "aligned" and shape[0] == shape[1]:
        case = aligned_case(rng, shape[0], depth, 1.0)
        return case.left, case.right, case.start
    sides = [shape[1], *[min(shape)] * (depth - 1), shape[0]]
    frames = [Frame(max(pair)) for pair in itertools.pairwise(sides)]
    turns = () if kind == "aligned" else _near(rng, frames[-1].size)
    if kind == "opposed":
        axis = [0] * frames[-1].size
        axis[int(rng.integers(min(shape)))] = 1
        turns = (*(turns if rng.random() < 0.5 else ()), tuple(axis))
    frames[-1] = Frame(frames[-1].size, turns)
    return Frame(shape[0]), Frame(shape[1]), tuple(frames)


def _stride(rng: np.random.Generator) -> float:
    """Draw the logarithm of a factor close to 1."""
    return float(10 ** rng.uniform(-3, -1) * rng.standard_normal())


def _is_aligned(case: Case) -> bool:
    """Tell whether W_{L:1} = ε^L UVᵀ on the target's singular vectors, to within rounding."""
    W, rank = networks.end_to_end(case.weights()), case.rank
    U, V = case.left.matrix[:, :rank], case.right.matrix[:, :rank]
    start = case.eps**case.depth
    gap = np.linalg.norm(W @ V - start * U) + np.linalg.norm(U.T @ W - start * V.T)
    return bool(gap <= 1e-12 * case.depth * start)


def _dressed(rng: np.random.Generator, case: Case, about: str, eta: tuple[float, float]) -> Case:
    """Give a case the step or the operator that it needs."""
    if about == "descent":
        share = _rounded(float(rng.uniform(*eta)), *eta)
        return DescentCase(**vars(case), share=share)
    if about == "recovery":
        drawn = random_recovery(rng, str(_one(rng, KINDS)), case.shape)
        told = {name: getattr(drawn, name) for name in ("kind", "operator", "normalization")}
        return RecoveryCase(**vars(case), **told)
    return case


def as_case(about: str, witness: Mapping[str, Any]) -> Case:
    """Build the case of a witness again.

    Parameters
    ----------
    about : str
    witness : mapping
        As `witness` returns it.

    Returns
    -------
    Case
    """
    kinds: dict[str, type[Case]] = {"descent": DescentCase, "recovery": RecoveryCase}
    return kinds.get(about, Case).from_witness(witness)


def checked(
    shapes: Any, ranks: Any, depths: Any, eps: Any, r_hat: Any, alignment: Any, eta: Any
) -> Ranges:
    """Return the ranges that arguments ask for; None stands for the default of each.

    Parameters
    ----------
    shapes, depths, eps, r_hat, ranks, alignment, eta
        As for `Conjecture.attack`.

    Returns
    -------
    Ranges

    Raises
    ------
    TypeError, ValueError
        If one is malformed or out of range.
    TypeError, ValueError
        If one is malformed or out of range.
    """
    found: dict[str, Any] = {"alignment": checks.choice("alignment", alignment, ALIGNMENTS)}
    if shapes is not None:
        several = checks.sequence("shapes", shapes, "pairs (d_out, d_in)")
        found["shapes"] = tuple(checks.shape(f"shapes[{k}]", s) for k, s in enumerate(several))
    for name, value, least in (("ranks", ranks, 1), ("depths", depths, 2)):
        if value is not None:
            found[name] = _integers(name, value, least)
    if eps is not None:
        found["eps"] = _interval("eps", eps)
    if isinstance(r_hat, str):
        found["r_hat"] = checks.choice("r_hat", r_hat, R_HATS)
    elif r_hat is not None:
        found["r_hat"] = _integers("r_hat", r_hat, 1)
    if eta is not None:
        found["eta"] = _interval("eta", eta)
    for name, value in found.items():
        if not value:
            raise ValueError(f"`{name}` must hold one value at least, got an empty sequence")
    ranges = Ranges(**found)
    sizes = [min(shape) for shape in ranges.shapes or SHAPES + FAR_SHAPES]
    for name in ("ranks", "r_hat"):
        value = getattr(ranges, name)
        if isinstance(value, tuple) and value and min(value) > max(sizes):
            raise ValueError(
                f"`{name}` must be at most min(d_out, d_in) = {max(sizes)} of the largest of the "
                f"shapes, got {min(value)}"
            )
    return ranges


def _integers(name: str, value: Any, least: int) -> tuple[int, ...]:
    """Return an integer, or a sequence of them, as a tuple."""
    if checks.is_sequence(value):
        listed = checks.sequence(name, value, "integers")
        return tuple(checks.integer(f"{name}[{k}]", n, least, 64) for k, n in enumerate(listed))
    return (checks.integer(name, value, least, 64),)


def _interval(name: str, value: Any) -> tuple[float, float]:
    """Return a number > 0, or a pair (low, high) of them, as a pair."""
    if not checks.is_sequence(value):
        number = checks.positive(name, value)
        return number, number
    value = checks.sequence(name, value, "two numbers")
    if len(value) != 2:
        raise ValueError(
            f"`{name}` must be a number or a pair (low, high), got {checks.describe(value)}"
        )
    low, high = (checks.positive(f"{name}[{k}]", bound) for k, bound in enumerate(value))
    if low > high:
        raise ValueError(f"`{name}` must be a pair (low, high) with low <= high, got {low, high}")
    return low, high


def _near(rng: np.random.Generator, size: int) -> tuple[tuple[int, ...], ...]:
    """Draw two reflectors whose product is a rotation by 2 atan(1/n) in a plane of two axes."""
    if size == 1:
        return ()
    first, second = (int(k) for k in rng.choice(size, 2, replace=False))
    long = np.zeros(size, dtype=int)
    long[first] = int(np.exp(rng.uniform(0, np.log(40))))
    turned = long.copy()
    turned[second] = int(rng.choice([-1, 1]))
    return tuple(int(n) for n in turned), tuple(int(n) for n in long)


def _rounded(value: float, low: float, high: float, digits: int = 3) -> float:
    """Return a number of a few digits, unless that leaves the range."""
    plain = float(f"{value:.{digits}g}")
    return plain if low <= plain <= high else value


def _one(rng: np.random.Generator, values: Sequence[Any]) -> Any:
    return values[int(rng.integers(len(values)))]


def _tuples(value: Any) -> Any:
    return tuple(_tuples(part) for part in value) if isinstance(value, list | tuple) else value
