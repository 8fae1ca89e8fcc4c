r"""A continuous climb towards the worst margin of dominance, which is a conjecture for L ≥ 3.

**What an instance is.**  By the gauge W_l → G_lW_lG_{l−1}ᵀ the start is εI, …, εI, εQ with
Q = Q_L⋯Q_1, and in the target's singular vectors M* = diag(σ*).  Layers cW_l turn the flow for
(M*, ε) into the flow for (c^LM*, cε), slower by the factor c^{2−2L}, with singular values c^Lσ_i.
So an instance at depth L is a spectrum, an orthogonal Q and ε, of which one number may be fixed:
here max(σ_1*, ε^L) = 1, which makes every instance about equally stiff, and a whole population is
integrated as one batch.

**What is minimized.**  The margin σ̃_i − σ_i is zero at t = 0, after fitting, and at all times for
an aligned mode, one with Qv = u for singular vectors u, v of σ_i*; so it must be measured in a unit
that vanishes with it.  By Proposition 1, σ̇_i = Lσ_i^{2−2/L}(u_iᵀM*v_i − σ_i), so a small margin y
obeys ẏ = f′(σ̃_i)y + Lσ̃_i^{2−2/L}δ(t) with f(σ) = Lσ^{2−2/L}(σ_i* − σ), δ = σ_i* − u_iᵀM*v_i.
As f(σ̃_i) solves the homogeneous equation, y/|f(σ̃_i)| is the time by which σ_i is late: tδ/|σ_i* −
ε^L| to first order in t, and constant once the vectors have turned and δ is gone.  Near alignment δ
is quadratic in the misalignment, and so is

    μ_i = min over unit vectors x of (‖(P − σ_i*)x‖² + ‖(Pᵀ − σ_i*)x‖²) / σ_1*,    P = QᵀM*,

which is zero if and only if some x has Px = Pᵀx = σ_i*x, that is, if mode i is aligned.  So

    ρ_i(t) = (σ̃_i − σ_i) / min(σ̃_i, τ Lσ̃_i^{2−2/L} μ_i |σ_i* − σ̃_i| / |σ_i* − ε^L|),

τ being t until the first compressed mode has gone half of its way, and constant then, has no zero
that is there by definition, and is negative exactly where dominance fails; no margin exceeds σ̃_i.
(The first deficit σ_i* − λ_i(½(P + Pᵀ)), nonnegative by Fan and Hoffman 1955, is no such unit: an
aligned mode may be overtaken later, and only then be the i-th largest.)  The search minimizes ρ_i
over the modes with σ_i* < σ_1* (for the others dominance is proved), over the times before mode i
has gone 99 % of its way, and over instances, wherever the numerical error of ρ_i is small.

**What a small ρ is.**  Two nearly equal targets s, Q the rotation by a small angle 2a_0, ε^L ≪ s:
with W = R(a) x R(a), ẋ ≈ Lsx^{2−2/L} and (tan a)˙ = −Lsx^{1−2/L} tan a, so tan a falls like 1/x and
σ_2 is late by ∫2a²dt = 2a_0²ε^{2−L}/((3L−2)s).  There τ ≈ ε^{2−L}/((L−2)s) and μ_2 = 8a_0²s, hence

    ρ_2 → (L − 2) / (4(3L − 2)):   1/28 for L = 3, 1/20 for L = 4, 1/16 for L = 6.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import NamedTuple

import numpy as np
from scipy import linalg, optimize
from scipy.stats import qmc

from dlnlab import networks, problems
from dlnlab.claims import Premise, dominance, proposition1
from dlnlab.flow.two_runs import LOOSER, bound_so_far
from dlnlab.lab.cases import EPS
from dlnlab.lab.flows import RTOL, integrate
from dlnlab.lab.tally import Tally
from dlnlab.numerics import checks, spectra
from dlnlab.reductions import modes

__all__ = [
    "ISOLATION",
    "LONGEST",
    "ON_THE_WAY",
    "RESOLVED",
    "SLIGHT",
    "STEP",
    "TIGHTEST",
    "TOP",
    "Curves",
    "Found",
    "TurnedStart",
    "attack",
    "follow",
    "search",
]

TIGHTEST = 1e-12
"""Tolerance at which the worst instance is integrated once more."""

LONGEST = 200.0
"""No flow is followed longer, in units of 1/max(σ_1*, ε^L)^{2−2/L}."""

ON_THE_WAY = 0.01
"""A mode is followed until this share of its way is left; then a margin is a small difference."""

SLIGHT = 1e-6
"""A mode with no longer way than this stands still."""

RESOLVED = 0.05
"""Largest error of ρ_i that may lead the search."""

TOP = (-0.5, 3.0)
"""Decades of σ_1*/ε^L."""

STEP = (-0.3, 1.2)
"""Decades from one singular value down to the next: none below 0, and no further one from 1 on, so
that repeated and vanishing values have a share of the volume."""

ISOLATION = (0.0, 3.0)
"""Decades by which the coupling of one mode is weaker than the others: towards an aligned mode
beside others that are not, where ρ_i is the ratio of two second-order coefficients."""


@dataclass(frozen=True)
class TurnedStart:
    """A target diag(spectrum) and the start εI, …, εI, εQ.

    Attributes
    ----------
    spectrum : tuple of float
        σ_1* ≥ … ≥ σ_d* ≥ 0.
    turn : tuple of d tuples of d floats
        The rows of Q.
    depth : int
    eps : float
    """

    spectrum: tuple[float, ...]
    turn: tuple[tuple[float, ...], ...]
    depth: int
    eps: float

    def weights(self) -> networks.Weights:
        """W_1, …, W_L at the start, each of shape (d, d).

        Returns
        -------
        tuple of L arrays, shapes (..., d_l, d_{l−1})
        """
        size = len(self.spectrum)
        last = self.eps * np.array(self.turn)
        return (*[self.eps * np.eye(size)] * (self.depth - 1), last)


@dataclass(frozen=True)
class Found:
    """The worst instance of a search.

    Attributes
    ----------
    objective : float
        The smallest ρ_i(t), for the mode and at the time below.
    mode : int
        i, counted from 1.
    time : float
    margin, error : float
        min_i σ̃_i − σ_i and the bound on its error where their sum is smallest along the flow, in
        units of max(σ_1*, ε^L); a margin below −error refutes dominance.
    instance : TurnedStart
    horizon : float
        How long its flow was followed.
    evaluations : int
        Instances that were looked at.
    """

    objective: float
    mode: int
    time: float
    margin: float
    error: float
    instance: TurnedStart
    horizon: float
    evaluations: int


@dataclass(frozen=True)
class _FlowRecords:
    """What a batch of flows showed; arrays over (record, instance) or (record, instance, mode)."""

    times: np.ndarray
    margins: np.ndarray
    errors: np.ndarray
    ratios: np.ndarray

    def worst(self, k: int) -> tuple[float, int, float]:
        """Return the smallest ρ_i(t) of instance k, its mode and its time."""
        ratios = self.ratios[:, k]
        record, mode = np.unravel_index(np.argmin(ratios), ratios.shape)
        return float(ratios[record, mode]), int(mode) + 1, float(self.times[record])


class Curves(NamedTuple):
    """σ̃_i(t) and σ_i(t), shape (records, d), and the bound on the error of σ_i.

    Parameters
    ----------
    times : array, shape (records,)
    compressed : array, shape (records, d)
    original : array, shape (records, d)
    error : array, shape (records,)
    """

    times: np.ndarray
    compressed: np.ndarray
    original: np.ndarray
    error: np.ndarray


def follow(instance: TurnedStart, horizon: float) -> Curves:
    """Return both sides of dominance along the flow of an instance, tightly integrated.

    Parameters
    ----------
    instance : TurnedStart
    horizon : float
        How long.

    Returns
    -------
    Curves
    """
    records = _flows([instance], horizon, TIGHTEST)
    bound = _compressed(instance, records.times)
    return Curves(records.times, bound, bound - records.margins[:, 0], records.errors[:, 0])


def search(size: int, depth: int, *, evaluations: int, seed: int = 0) -> Found:
    """Minimize ρ_i(t) over instances by differential evolution; one generation is one batch.

    Parameters
    ----------
    size : int
        d ≥ 2.
    depth : int
        L ≥ 2.
    evaluations : int
        About how many instances to look at, at least 5.
    seed : int
        Which search; the same one finds the same instance.

    Returns
    -------
    Found
        The worst instance, integrated once more at the tightest tolerance.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.
    """
    size, depth = checks.integer("size", size, 2), checks.integer("depth", depth, 2)
    evaluations = checks.integer("evaluations", evaluations, 5)
    rng = np.random.default_rng(checks.integer("seed", seed, 0))
    bounds = _bounds(size)
    population = int(np.clip(evaluations // 4, 5, 6 * len(bounds)))
    low, high = np.array(bounds).T
    first = qmc.scale(qmc.LatinHypercube(len(bounds), seed=rng).random(population), low, high)

    seen: list[tuple[float, int, TurnedStart, float]] = []  # the worst of each generation

    def objective(points: np.ndarray) -> np.ndarray:
        instances = [_instance(point, size, depth) for point in points.T]
        horizon = _horizon(instances)
        worst = np.min(_flows(instances, horizon, RTOL).ratios, axis=(0, 2))
        k = int(np.argmin(worst))
        seen.append((float(worst[k]), len(instances), instances[k], horizon))
        return worst

    optimize.differential_evolution(
        objective,
        bounds,
        init=first,
        maxiter=max(evaluations // population - 1, 0),
        vectorized=True,
        updating="deferred",
        polish=False,
        tol=0.0,
        seed=rng,
    )
    _, _, instance, horizon = min(seen, key=lambda generation: generation[0])
    return _found(instance, horizon, sum(count for _, count, _, _ in seen))


def attack(tally: Tally, size: int, depth: int, *, evaluations: int, seed: int = 0) -> Found:
    """Run a search and count its instances, judged by the worst of them.

    Parameters
    ----------
    tally : Tally
        Of the claim "dominance".
    size, depth, evaluations, seed : int
        As in `search`.

    Returns
    -------
    Found
        What was found.
    """
    found = search(size, depth, evaluations=evaluations, seed=seed)
    weights = found.instance.weights()
    values = spectra.singular_values(networks.prefix_products(weights)[-1])
    start, rounding = found.instance.eps**depth, 100 * depth * size * EPS
    premises: list[Premise] = [
        proposition1.balancedness(weights),
        dominance.same_start(values, start, rounding),
    ]
    told = asdict(found) | {"part": "adversary"}
    tally.add(found.margin, found.error, premises, told, count=found.evaluations)
    return found


def _bounds(size: int) -> list[tuple[float, float]]:
    """Bound the coordinates: spectrum, rotation, handedness, isolation and the mode isolated."""
    angles = [(-np.pi, np.pi)] * (size * (size - 1) // 2)
    return [TOP, *[STEP] * (size - 1), *angles, (-1.0, 1.0), ISOLATION, (0.0, float(size))]


def _instance(point: np.ndarray, size: int, depth: int) -> TurnedStart:
    """Read an instance from its coordinates, scaled to max(σ_1*, ε^L) = 1."""
    steps, angles = point[1:size], point[size:-3]
    falls = np.concatenate([[point[0]], -np.clip(steps, 0.0, None)])
    lost = np.concatenate([[False], np.cumsum(steps >= 1) > 0])
    spectrum = np.where(lost, 0.0, 10.0 ** np.cumsum(falls))
    scale = max(float(spectrum[0]), 1.0)
    turn = _rotation(angles, size, int(np.ceil(point[-1])) - 1, 10.0 ** -point[-2])
    turn[:, -1] *= np.sign(point[-3]) or 1.0
    rows = tuple(tuple(float(x) for x in row) for row in turn)
    values = tuple(float(x) for x in spectrum / scale)
    return TurnedStart(values, rows, depth, float(scale ** (-1 / depth)))


def _rotation(angles: np.ndarray, size: int, mode: int, coupling: float) -> np.ndarray:
    """Return exp K for the skew matrix K of the angles, those of one mode times `coupling`."""
    skew = np.zeros((size, size))
    skew[np.triu_indices(size, 1)] = angles
    skew[mode] *= coupling
    skew[:, mode] *= coupling
    return linalg.expm(skew - skew.T)


def _found(instance: TurnedStart, horizon: float, evaluations: int) -> Found:
    """Integrate the worst instance tightly and read off what it shows."""
    records = _flows([instance], horizon, TIGHTEST)
    ratio, mode, time = records.worst(0)
    margin, error = np.min(records.margins[:, 0], axis=-1), records.errors[:, 0]
    k = int(np.argmin(margin + error))
    worst = float(margin[k]), float(error[k])
    return Found(ratio, mode, time, *worst, instance, horizon, evaluations)


def _flows(instances: list[TurnedStart], horizon: float, rtol: float) -> _FlowRecords:
    """Integrate instances of one size and depth, twice, and compare them with the compressed ones.

    The distance to a run a hundred times looser bounds the error, as in `flows`.
    """
    times = _times(horizon)
    bound = np.stack([_compressed(instance, times) for instance in instances], axis=1)
    tight, loose = (_wide(instances, times, tolerance) for tolerance in (rtol, LOOSER * rtol))
    distance = np.linalg.norm(tight - loose, axis=(-2, -1))
    depth, size = instances[0].depth, len(instances[0].spectrum)
    # the running maximum, for two runs may cross; then what one step of both may add unseen
    errors = bound_so_far(distance) + 2 * depth * size * rtol
    margins = bound - spectra.singular_values(tight)
    ratios = _ratios(instances, times, bound, margins, errors[..., None])
    return _FlowRecords(times, margins, errors, ratios)


def _horizon(instances: list[TurnedStart]) -> float:
    """Return when every compressed network has fitted."""
    fitted = [
        modes.fitting_times([s], x.eps, x.depth, within=ON_THE_WAY)[0]
        for x in instances
        for s in x.spectrum
        if s > 0 and abs(s - x.eps**x.depth) > ON_THE_WAY * s
    ]
    return float(min(max(fitted, default=LONGEST), LONGEST))


def _times(horizon: float) -> np.ndarray:
    """Even times to the horizon, and denser early ones, 0 first."""
    shares = np.concatenate([[0.0], np.geomspace(1e-3, 1, 60), np.linspace(0.1, 1, 40)])
    return np.unique(shares) * horizon


def _compressed(instance: TurnedStart, times: np.ndarray) -> np.ndarray:
    """Return σ̃_i(t), shape (records, d); sorted, as the order of targets is kept."""
    return modes.flow(times, instance.spectrum, instance.eps, instance.depth)


def _wide(instances: list[TurnedStart], times: np.ndarray, rtol: float) -> np.ndarray:
    """Return W_{L:1}(t), shape (records, instances, d, d)."""
    targets = np.stack([np.diag(instance.spectrum) for instance in instances])
    starts = zip(*(instance.weights() for instance in instances), strict=True)
    start = tuple(np.stack(layer) for layer in starts)
    layers = integrate(problems.factorization(targets), start, times[1:], rtol)[1]
    return networks.prefix_products(layers)[-1]


def _ratios(
    instances: list[TurnedStart],
    times: np.ndarray,
    bound: np.ndarray,
    margins: np.ndarray,
    errors: np.ndarray,
) -> np.ndarray:
    """Return ρ_i(t), shape (records, instances, d); 1 where it is not resolved or mode i is done.

    A margin beyond its error is a violation however small the unit it is measured in.
    """
    depth = instances[0].depth
    targets = np.array([instance.spectrum for instance in instances])
    starts = np.array([[instance.eps**depth] for instance in instances])
    way = np.abs(targets - starts)
    left = np.divide(np.abs(targets - bound), way, out=np.zeros_like(bound), where=way > SLIGHT)
    misaligned = np.array([_misalignments(instance) for instance in instances])
    early = np.all((left > 0.5) | (way <= SLIGHT), axis=-1, keepdims=True)
    tau = np.maximum.accumulate(np.where(early, times[:, None, None], 0.0))
    unit = np.minimum(bound, depth * bound ** (2 - 2 / depth) * tau * misaligned * left)
    violated = margins < -errors
    undecided = targets < targets[:, :1]
    counted = (errors < RESOLVED * unit) & (left > ON_THE_WAY) & undecided | violated
    safe = np.where(unit > 0, unit, 1.0)
    return np.where(counted, margins / safe, 1.0)


def _misalignments(instance: TurnedStart) -> np.ndarray:
    """Return μ_i of every mode, shape (d,)."""
    values = np.array(instance.spectrum)
    gaps = np.array(instance.turn).T * values - values[:, None, None] * np.eye(values.size)
    flipped = np.swapaxes(gaps, -1, -2)
    smallest = np.linalg.eigvalsh(flipped @ gaps + gaps @ flipped)[:, 0]
    return np.maximum(smallest, 0.0) / values[0]
