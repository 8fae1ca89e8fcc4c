"""What simple models make of the ratings that a network learns from, each tuned on a part of them.

A network's error on held-out ratings means little beside that of one untuned competitor.  Here are
models that anybody would try first:

- biases: a mean, and one number for every user and every item;
- rank one: alternating least squares of rank one, all that the networks find on MovieLens;
- count-weighted: alternating least squares of rank r̂, with a ridge that grows with the number of
  ratings of a user or an item;
- biases + factors: alternating least squares of rank r̂ on what the biases leave.

Each has one parameter, its ridge.  It is chosen on a fifth of the ratings to learn from, which the
model did not see; then the model is fitted to all of them.  Held-out ratings play no part.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dlnlab import baselines
from dlnlab.data.ratings import Ratings, Split
from dlnlab.networks import Weights

__all__ = ["BIAS_RIDGE", "ITERATIONS", "MODELS", "VALIDATION", "measured"]

ITERATIONS = 30
VALIDATION = 0.2
"""Share of the ratings to learn from on which the ridge is chosen."""

BIAS_RIDGE = 5.0
"""Of the biases beneath factors, whose own ridge matters more."""


def _factors(train: Ratings, rank: int, ridge: float, per: str = "row") -> Weights:
    """Factors by alternating least squares, with a ridge in units of the sum of squares."""
    run = baselines.alternating_minimization(
        train.completion(),
        min(rank, *train.shape),
        num_iterations=ITERATIONS,
        ridge=ridge,
        ridge_per=per,
        record=("loss",),
    )
    return run.weights


def _both(train: Ratings, rank: int, ridge: float) -> Weights:
    """Biases, and beside them factors of what they leave, as two factors."""
    B, A = baselines.biases(train, ridge=BIAS_RIDGE)
    left = train.values - train.predictions((B, A))
    below, above = _factors(Ratings(train.users, train.items, left, train.shape), rank, ridge)
    return np.vstack([B, below]), np.hstack([A, above])


MODELS: dict[str, tuple[tuple[float, ...], Callable[[Ratings, int, float], Weights]]] = {
    "biases": ((1, 2, 5, 10, 20), lambda train, rank, ridge: baselines.biases(train, ridge=ridge)),
    "rank one": ((0.1, 1, 3, 10), lambda train, rank, ridge: _factors(train, 1, ridge)),
    "count-weighted": (
        (0.05, 0.1, 0.15, 0.2, 0.3, 0.5),
        lambda train, rank, ridge: _factors(train, rank, ridge, "entry"),
    ),
    "biases + factors": ((5, 10, 15, 20, 30, 50), _both),
}
"""For each model the ridges to choose from, and how it is fitted with one of them."""


def measured(split: Split, settings: Mapping[str, Any]) -> dict[str, float]:
    """Return the errors of all models on the held-out ratings.

    Parameters
    ----------
    split : Split
    settings : mapping
        With "r_hat" and "seed", by which the validation ratings are drawn.

    Returns
    -------
    dict
        "half_mse: MODEL", "rmse: MODEL" and "ridge: MODEL", the ridge that was chosen.
    """
    values: dict[str, float] = {}
    inner = split.train.split(VALIDATION, rng=settings["seed"])
    for name, (ridges, fit) in MODELS.items():
        errors = [inner.test.half_mse(fit(inner.train, settings["r_hat"], r)) for r in ridges]
        ridge = float(ridges[int(np.argmin(errors))])
        error = split.test.half_mse(fit(split.train, settings["r_hat"], ridge))
        values |= {
            f"half_mse: {name}": error,
            f"rmse: {name}": math.sqrt(2 * error),
            f"ridge: {name}": ridge,
        }
    return values
