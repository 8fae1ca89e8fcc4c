"""Descent on ratings, scored on ratings that were held out.

What the figures on MovieLens share: the ratings are split, a method sees the training side only,
and its error is ½·mean (W_ij − rating)² over the test side, the quantity that the paper plots.  A
run stops at every record to be scored, since the weights of all records of a wide network would not
fit in memory; a stopped descent goes on exactly as one that is not.

The error drops abruptly: the first singular value of the estimate, which carries nearly all of its
norm, grows from ε slowly and then explosively.  In the compressed network it has its singular
vectors from the start, so that it obeys the recursion of `dlnlab.modes`.  With the gradient scale
s = η σ₁, σ₁ the first singular value of the loss's gradient at W = 0, an outer layer of size w and
an inner one of size z (L = 3) grow as ẇ = α s w z and ż = s w², so that w² − α z² keeps its value
(1 − α) ε², and the error drops after

    ∫_ε^∞ dw / (α s w z) = (1/(s ε)) ∫_1^∞ dx / (√α x √(x² + α − 1))
                         = arsinh(√(α − 1)) / (s ε √(α (α − 1)))     for α > 1, 1/(s ε) for α = 1

steps (for α < 1 the same with arcsin(√(1 − α)) and √(α (1 − α))).
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from dlnlab import baselines, networks
from dlnlab.data import movielens
from dlnlab.data.ratings import Ratings, Split
from dlnlab.experiments.pair import thinned
from dlnlab.experiments.recovery import Network
from dlnlab.files import storage
from dlnlab.numerics import checks
from dlnlab.problems import Problem
from dlnlab.training import descent
from dlnlab.training.trajectory import Status

__all__ = [
    "FOLDS",
    "KEPT_EVERY",
    "METHODS",
    "Scored",
    "Settings",
    "alternating_minimization",
    "follow",
    "most_active",
    "predicted_steps_to_half",
    "run_method",
    "scored_values",
    "split_ratings",
    "steps_to_escape",
]

Settings = Mapping[str, Any]

METHODS = ("original", "compressed", "Burer-Monteiro", "alternating minimization")

FOLDS = 5

KEPT_EVERY = 10.0
"""Seconds between writes of the state of a run."""


@dataclass(frozen=True)
class Scored:
    """The training loss and the held-out error of a method at every record.

    Attributes
    ----------
    steps : array of int, shape (records,)
        Steps of descent, or iterations.
    losses : array, shape (records,)
        The training loss, in the problem's normalization.
    half_mse : array, shape (records,)
        ½·mean (W_ij − rating)² over the held-out ratings.
    diverged : bool
    seconds_per_step : float
        Processor time, scoring left out; NaN for alternating minimization.
    """

    steps: np.ndarray
    losses: np.ndarray
    half_mse: np.ndarray
    diverged: bool
    seconds_per_step: float

    def curve(self, unit: str = "steps") -> dict[str, Any]:
        """Return the series of a figure, with the steps under the name of their unit.

        Parameters
        ----------
        unit : str

        Returns
        -------
        dict
        """
        series = {
            unit: self.steps,
            "loss": self.losses,
            "half_mse": self.half_mse,
            "rmse": np.sqrt(2 * self.half_mse),
        }
        if unit == "steps":
            series["seconds"] = self.steps * self.seconds_per_step
        return thinned(series)


def split_ratings(settings: Settings) -> Split:
    """Read the ratings that settings and a seed name, and hold out a share of them.

    Parameters
    ----------
    settings : mapping
        With "data", "split", "active" and "seed".  The split "random" depends on the seed, and
        holds out "test_share", a fifth by default; seed k of "official" holds out the (k mod 5 +
        1)-th fifth of the file, the published u1, …, u5.

    Returns
    -------
    Split

    Raises
    ------
    ValueError, FileNotFoundError
        If a setting is out of range, or there is no such file or it is damaged.
    """
    kind = checks.choice("split", settings["split"], ("random", "official"))
    ratings = movielens.load(settings["data"], file=movielens.MOVIELENS_100K)
    seed = settings["seed"]
    split = (
        ratings.split(settings.get("test_share", 0.2), rng=seed)
        if kind == "random"
        else ratings.fold(seed % FOLDS + 1, FOLDS)
    )
    count = checks.integer("active", settings["active"], 0)
    return most_active(ratings, split, count) if count else split


def most_active(ratings: Ratings, split: Split, count: int) -> Split:
    """Return the split of a sub-matrix: the users and items with the most ratings.

    Parameters
    ----------
    ratings : Ratings
        All ratings, by whose number users and items are chosen; ties go to the smaller id.
    split : Split
        Of these ratings.
    count : int
        How many users, and how many items, at most.

    Returns
    -------
    Split
    """
    sides = ((ratings.users, ratings.shape[0]), (ratings.items, ratings.shape[1]))
    users, items = (
        np.argsort(-np.bincount(ids, minlength=size), kind="stable")[:count] for ids, size in sides
    )
    return Split(*(_within(side, users, items) for side in split))


def _within(ratings: Ratings, users: np.ndarray, items: np.ndarray) -> Ratings:
    """Keep the ratings of some users for some items, numbered in the given order."""
    rows, columns = (np.full(size, -1) for size in ratings.shape)
    rows[users], columns[items] = np.arange(users.size), np.arange(items.size)
    i, j = rows[ratings.users], columns[ratings.items]
    kept = (i >= 0) & (j >= 0)
    return Ratings(i[kept], j[kept], ratings.values[kept], (users.size, items.size))


def run_method(name: str, split: Split, settings: Settings, state: Path | None = None) -> Scored:
    """Run one method on the training side and score it on the other.

    Parameters
    ----------
    name : str
        One of `METHODS`.
    split : Split
    settings : mapping
        With "loss", "depth", "eps", "r_hat", "eta", "alpha" (which acts on the compressed network
        only), "num_steps", "record_every", "seed"; for alternating minimization "ridge" and
        "altmin_iterations"; for descent on two factors "two_factors", their start: "gaussian",
        of scale ε, or "spectral", the surrogate's first r̂ singular vectors.
    state : Path or None
        As for `follow`; alternating minimization keeps nothing.

    Returns
    -------
    Scored

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed.
    """
    name = checks.choice("methods", name, METHODS)
    # The original's layers are too wide to gather their rows for every observed entry.
    computation = "dense" if name == "original" else "auto"
    problem = split.train.completion(settings["loss"], computation=computation)
    if name == "alternating minimization":
        return alternating_minimization(problem, split.test, settings)
    network = _network(name, problem, settings)
    steps = {key: settings[key] for key in ("num_steps", "record_every")}
    return follow(problem, network, split.test, **steps, state=state)


def _network(name: str, problem: Problem, settings: Settings) -> Network:
    depth, eps, r_hat = settings["depth"], settings["eps"], settings["r_hat"]
    eta, seed = settings["eta"], settings["seed"]
    if name == "compressed":
        start = networks.compressed_weights(problem, r_hat, depth, eps)
        return Network(start, eta, settings["alpha"])
    if name == "original":
        width = min(problem.shape)
        start = networks.original_weights(problem.shape, depth, eps, rng=seed, width=width)
        return Network(start, eta)
    init = settings.get("two_factors", "gaussian")
    if checks.choice("two_factors", init, networks.FACTOR_STARTS) == "spectral":
        return Network(networks.compressed_weights(problem, r_hat, 2, 1.0), eta)
    start = baselines.burer_monteiro(
        problem, r_hat, eta=eta, num_steps=0, eps=eps, rng=seed, record=()
    ).weights
    return Network(start, eta)


def follow(
    problem: Problem,
    network: Network,
    test: Ratings,
    *,
    num_steps: int,
    record_every: int,
    state: Path | None = None,
) -> Scored:
    """Descend, and score the weights after every `record_every` steps.

    A run that diverges ends; its last record is not a number.

    Parameters
    ----------
    problem : Problem
    network : Network
    test : Ratings
        The side that is scored on.
    num_steps : int
    record_every : int or sequence of ints
    state : Path or None
        The file of this run alone in which it keeps what it has recorded, every `KEPT_EVERY`
        seconds and when it ends, however it ends, and from which it goes on.

    Returns
    -------
    Scored
    """
    kept, since = 0, time.monotonic()
    if state is not None and state.exists():
        weights, spent, rows = _resumed(state, len(network.weights))
        kept = len(rows)
    else:
        weights, spent = network.weights, 0.0
        loss = float(problem.loss(networks.forward(problem, weights)[1]))
        rows = [(0.0, loss, test.half_mse(weights))]
    diverged = math.isnan(rows[-1][1])
    try:
        while (done := int(rows[-1][0])) < num_steps and not diverged:
            count = min(record_every, num_steps - done)
            started = time.process_time()
            run = descent.gradient_descent(
                problem,
                weights,
                eta=network.eta,
                alpha=network.alpha,
                num_steps=count,
                record_every=count,
                record=("loss",),
                formulation="full",
            )
            cost = time.process_time() - started
            diverged = run.status is Status.DIVERGED
            loss = math.nan if diverged else float(np.asarray(run.losses)[-1])
            error = math.nan if diverged else _score(test, run.weights)
            weights, spent, rows = run.weights, spent + cost, [*rows, (done + count, loss, error)]
            if state is not None and time.monotonic() - since > KEPT_EVERY:
                _keep(state, weights, spent, rows)
                kept, since = len(rows), time.monotonic()
    finally:
        if state is not None and len(rows) > kept:
            _keep(state, weights, spent, rows)
    steps, losses, errors = np.array(rows).T
    cost = spent / max(int(steps[-1]), 1)
    return Scored(steps.astype(int), losses, errors, diverged, cost)


def _keep(
    state: Path, weights: networks.Weights, spent: float, rows: list[tuple[float, float, float]]
) -> None:
    """Replace the file of a run by what it has come to."""
    layers = {f"W{k}": np.asarray(W) for k, W in enumerate(weights)}
    storage.write_npz(state, {"rows": np.array(rows), "spent": np.array(spent), **layers})


def _resumed(
    state: Path, depth: int
) -> tuple[networks.Weights, float, list[tuple[float, float, float]]]:
    """Return the weights, the processor time and the records that `_keep` kept."""
    found = storage.read_npz(state, f"{str(state)!r} must be the state of a run on ratings")
    rows = [(float(step), float(loss), float(error)) for step, loss, error in found["rows"]]
    return tuple(found[f"W{k}"] for k in range(depth)), float(found["spent"]), rows


def _score(test: Ratings, weights: networks.Weights) -> float:
    with np.errstate(over="ignore"):  # just before a run diverges
        return test.half_mse(weights)


def alternating_minimization(problem: Any, test: Ratings, settings: Settings) -> Scored:
    """Run alternating minimization with exact ridge least squares, scored at every iteration.

    Parameters
    ----------
    problem : Problem
    test : Ratings
        The side that is scored on.
    settings : mapping

    Returns
    -------
    Scored
    """
    run = baselines.alternating_minimization(
        problem,
        settings["r_hat"],
        num_iterations=settings["altmin_iterations"],
        ridge=settings["ridge"] * float(problem.scale),
        record=("loss", "layers"),
    )
    layers: Any = run.layers
    errors = [test.half_mse(weights) for weights in zip(*layers, strict=True)]
    return Scored(run.steps, np.asarray(run.losses), np.array(errors), False, math.nan)


def scored_values(name: str, scored: Scored) -> dict[str, float]:
    """Return the quantities that yardsticks refer to, under "quantity: name".

    "start" and "half_mse" are the first and the last error on the held-out ratings, "best" the
    smallest, "rmse" and "best_rmse" the same as root mean squares; "steps_to_half" is the number of
    steps after which the error is half of what it was at the start, NaN if the run diverged and
    infinite if it never came so far; "rise" is the last error relative to the smallest.

    Parameters
    ----------
    name : str
        Of the method.
    scored : Scored

    Returns
    -------
    dict
    """
    if scored.diverged:
        last = best = math.nan
    else:
        last, best = float(scored.half_mse[-1]), float(np.min(scored.half_mse))
    values = {
        "start": float(scored.half_mse[0]),
        "half_mse": last,
        "best": best,
        "rmse": math.sqrt(2 * last),
        "best_rmse": math.sqrt(2 * best),
        "rise": last / best,
        "steps_to_half": _steps_to_half(scored),
    }
    return {f"{quantity}: {name}": value for quantity, value in values.items()}


def _steps_to_half(scored: Scored) -> float:
    below = np.flatnonzero(scored.half_mse <= scored.half_mse[0] / 2)
    if scored.diverged:
        return math.nan
    return float(scored.steps[below[0]]) if below.size else math.inf


def predicted_steps_to_half(train: Ratings, settings: Settings) -> float:
    """Return after how many steps the compressed network's first mode is fitted, for L = 3.

    Parameters
    ----------
    train : Ratings
        Of which only the first singular value of the matrix with zeros for missing ratings enters.
    settings : mapping
        With "loss", "eta", "eps" and "alpha".

    Returns
    -------
    float
    """
    M = scipy.sparse.csr_array((train.values, (train.users, train.items)), shape=train.shape)
    sigma = scipy.sparse.linalg.svds(M, k=1, v0=np.ones(min(train.shape)))[1][0]
    scale = 1 / len(train) if settings["loss"] == "mean" else 1.0
    return steps_to_escape(
        settings["eta"] * scale * float(sigma), settings["eps"], settings["alpha"]
    )


def steps_to_escape(slope: float, eps: float, alpha: float) -> float:
    """Return the integral of the module's docstring.

    Parameters
    ----------
    slope : float
        s = η σ₁, with σ₁ the first singular value of ∇ℓ(0).
    eps, alpha : float

    Returns
    -------
    float

    Examples
    --------
    >>> steps_to_escape(0.1, 0.01, 1.0)
    1000.0
    >>> round(steps_to_escape(0.1, 0.01, 5.0), 1)
    322.8
    """
    gap = math.sqrt(abs(alpha - 1))
    if gap == 0:
        return 1 / (slope * eps)
    angle = math.asinh(gap) if alpha > 1 else math.asin(gap)
    return angle / (slope * eps * gap * math.sqrt(alpha))
