"""Where a conjecture is attacked: ranges of shapes, ranks, depths, ε, r̂ and starts.

Random cases come in batches of one shape, depth and ε, which are integrated as one system.  A third
of the targets have two values within a few percent of each other, a third of the starts are turned
by a small angle out of the target's singular vectors: where statements about deep linear networks
tend to fail or to be tight.
"""

from __future__ import annotations

import itertools
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
    "GOLDEN",
    "LOW",
    "R_HATS",
    "SHAPES",
    "SHARES",
    "START",
    "Ranges",
    "as_case",
    "checked",
]

ALIGNMENTS = ("any", "random", "near", "aligned")
R_HATS = ("any", "rank", "full")

SHAPES = ((2, 2), (3, 3), (4, 4), (2, 3), (5, 5), (4, 2))
DEPTHS = (2, 3, 4, 5)
START = (0.02, 5.0)
"""ε^L, from a fiftieth of the largest target to five times it, where ε has no range of its own."""

SHARES = (0.05, 0.95)
"""η in units of the stability limit."""

LOW = 0.2
"""The smallest positive target, the largest being 1."""

GOLDEN = (5**0.5 - 1) / 2
"""Steps of this size modulo 1 are spread as evenly as any."""

CLOSE = 0.93
"""Ratio from which two targets are called close."""


@dataclass(frozen=True)
class Ranges:
    """What instances are drawn from.

    Attributes
    ----------
    shapes : tuple of (d_out, d_in)
    ranks : tuple of int
        Empty: any.
    depths : tuple of int
    eps : (float, float) or None
        Range of ε; None: ε^L between a fiftieth of σ_1* and five times σ_1*.
    r_hat : str or tuple of int
        "any" for r ≤ r̂ ≤ d, "rank" for r̂ = r, "full" for r̂ = d.
    alignment : str
        "random" starts, those "near" the target's vectors, "aligned" ones, or "any".
    eta : (float, float)
        Range of the step of descent, in units of the stability limit.
    """

    shapes: tuple[tuple[int, int], ...] = SHAPES
    ranks: tuple[int, ...] = ()
    depths: tuple[int, ...] = DEPTHS
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

        Shapes and depths take turns, and the ε of successive batches are spread evenly, so that a
        few batches see all corners of the ranges.

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
        shared = np.random.default_rng([seed, 0])
        pairs = list(itertools.product(self._fitting(), self.depths))
        shape, depth = pairs[shared.permutation(len(pairs))[number % len(pairs)]]
        low, high = self.limits(depth)
        place = (shared.random() + number * GOLDEN) % 1.0
        eps = _rounded(low * (high / low) ** place, low, high)
        rng = np.random.default_rng([seed, 1, number])
        return [self._case(rng, shape, depth, eps, about) for _ in range(count)]

    def limits(self, depth: int) -> tuple[float, float]:
        """Return the range of ε at a depth.

        Parameters
        ----------
        depth : int
            L.

        Returns
        -------
        (float, float)
        """
        return self.eps or (START[0] ** (1 / depth), START[1] ** (1 / depth))

    def _fitting(self) -> list[tuple[int, int]]:
        """Return the shapes that have room for one of the ranks and one of the r̂."""
        widths = self.r_hat if isinstance(self.r_hat, tuple) else ()
        least = max(min(self.ranks, default=1), min(widths, default=1))
        return [shape for shape in self.shapes if min(shape) >= least]

    def _case(
        self, rng: np.random.Generator, shape: tuple[int, int], depth: int, eps: float, about: str
    ) -> Case:
        spectrum = self._spectrum(rng, min(shape))
        r_hat = self.width(rng, sum(value > 0 for value in spectrum), min(shape))
        kind = _one(rng, ALIGNMENTS[1:]) if self.alignment == "any" else self.alignment
        if kind == "random" or shape[0] != shape[1]:
            left, right = (Frame(n, (), int(rng.integers(2**31))) for n in shape)
            start: int | tuple[Frame, ...] = int(rng.integers(2**31))
            width = None if shape[0] == shape[1] else min(shape)
            case = Case(left, spectrum, right, depth, eps, r_hat, start, width)
        elif kind == "aligned":
            plain = aligned_case(rng, shape[0], depth, eps)
            case = replace(plain, spectrum=spectrum, r_hat=r_hat)
        else:
            plain_frames = [Frame(shape[0])] * (depth - 1)
            last = Frame(shape[0], _near(rng, shape[0]))
            case = Case(
                Frame(shape[0]), spectrum, Frame(shape[0]), depth, eps, r_hat,
                (*plain_frames, last),
            )  # fmt: skip
        return _dressed(rng, case, about, self.eta)

    def _spectrum(self, rng: np.random.Generator, size: int) -> tuple[float, ...]:
        """Draw σ* with the largest 1, one in three times with two values close to each other."""
        ranks = [rank for rank in self.ranks if rank <= size] or range(1, size + 1)
        rank = int(_one(rng, ranks))
        values = np.sort(np.append(1.0, rng.uniform(LOW, 1.0, rank - 1)))[::-1]
        if rank > 1 and rng.random() < 1 / 3:
            k = int(rng.integers(1, rank))
            values[k] = values[k - 1] * rng.choice([1.0, rng.uniform(CLOSE, 1.0)])
        ordered = np.sort(np.round(values, 2))[::-1]
        return (*(float(v) for v in ordered), *[0.0] * (size - rank))

    def width(self, rng: np.random.Generator, rank: int, size: int) -> int:
        """Draw r̂.

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
        """Tell whether a case lies within; of shapes and depths, if others than usual are asked.

        Parameters
        ----------
        case : Case

        Returns
        -------
        bool
        """
        low, high = self.limits(case.depth)
        widths = {"rank": (case.rank,), "full": (min(case.shape),)}
        wide = range(case.rank, min(case.shape) + 1)
        known: Any = self.r_hat if isinstance(self.r_hat, tuple) else widths.get(self.r_hat, wide)
        return (
            low * (1 - 1e-9) <= case.eps <= high * (1 + 1e-9)
            and (not self.ranks or case.rank in self.ranks)
            and (self.shapes == SHAPES or case.shape in self.shapes)
            and (self.depths == DEPTHS or case.depth in self.depths)
            and (self.alignment != "aligned" or _is_aligned(case))
            and (not isinstance(case, DescentCase) or self.eta[0] <= case.share <= self.eta[1])
            and case.r_hat in known
        )

    def moved(self, rng: np.random.Generator, case: Case, count: int) -> list[Case]:
        """Return cases next to one: other values, other turns of the start; maybe another ε.

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
        low, high = self.limits(case.depth)
        scale = float(np.exp(0.1 * rng.standard_normal())) if rng.random() < 0.5 else 1.0
        eps = _rounded(float(np.clip(scale * case.eps, low, high)), low, high)
        return [self._step(rng, replace(case, eps=eps)) for _ in range(count)]

    def _step(self, rng: np.random.Generator, case: Case) -> Case:
        changes: dict[str, Any] = {}
        if case.rank > 1 and rng.random() < 0.6:
            values = np.array(case.spectrum)
            k = int(rng.integers(1, case.rank))
            values[k] = np.clip(values[k] * np.exp(0.1 * rng.standard_normal()), LOW / 4, 1.0)
            changes["spectrum"] = tuple(float(v) for v in np.sort(np.round(values, 3))[::-1])
        if isinstance(case.start, tuple):
            last = case.start[-1]
            turned = (*_near(rng, last.size), *last.reflectors)[:8]
            changes["start"] = (*case.start[:-1], replace(last, reflectors=turned))
        elif rng.random() < 0.6:
            changes["start"] = int(rng.integers(2**31))
        if isinstance(case, DescentCase):
            share = case.share * np.exp(0.1 * rng.standard_normal())
            changes["share"] = float(np.clip(round(share, 3), *self.eta))
        return replace(case, **changes)


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
    sizes = [min(shape) for shape in ranges.shapes]
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
        return tuple(checks.integer(f"{name}[{k}]", n, least, 64) for k, n in enumerate(value))
    return (checks.integer(name, value, least, 64),)


def _interval(name: str, value: Any) -> tuple[float, float]:
    """Return a number > 0, or a pair (low, high) of them, as a pair."""
    if not checks.is_sequence(value):
        number = checks.positive(name, value)
        return number, number
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


def _rounded(value: float, low: float, high: float) -> float:
    """Return a number of three digits, unless that leaves the range."""
    plain = float(f"{value:.3g}")
    return plain if low <= plain <= high else value


def _one(rng: np.random.Generator, values: Sequence[Any]) -> Any:
    return values[int(rng.integers(len(values)))]


def _tuples(value: Any) -> Any:
    return tuple(_tuples(part) for part in value) if isinstance(value, list | tuple) else value
