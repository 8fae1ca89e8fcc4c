"""From settings to an instance: a target, its measurements, and the networks that start on it.

Settings are a plain mapping, so that they print as a table and travel to any worker.  `PAPER` holds
what Section 4.1 of the paper states, `CODE` what its authors' notebooks do; an experiment changes
the lines in which it differs.  With a seed, settings determine the instance.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from dlnlab import networks, problems
from dlnlab.networks import Weights
from dlnlab.numerics import checks
from dlnlab.problems import Problem, targets

__all__ = ["CODE", "PAPER", "SETTINGS", "Settings", "Setup", "build", "draw_target"]

Settings = Mapping[str, Any]

SETTINGS = {
    "problem": "factorization, completion or sensing",
    "d": "side of the square target",
    "rank": "rank r of the target",
    "target": "which singular pairs of a Gaussian matrix are kept: the top r, or r spread ones",
    "observed": "share p of observed entries",
    "mask": "bernoulli (each entry with probability p) or exact (⌊p·d²⌋ entries)",
    "m": "number of sensing matrices",
    "sensing_scale": "standard deviation of their entries: 1, or 1/m",
    "loss": "½‖A(W) − y‖² as a sum, or its mean over the measurements",
    "depth": "number of layers L",
    "eps": "singular value ε of every initial layer",
    "init": "start of the original network: orthogonal, gaussian or uniform",
    "outer": "scale of the compressed network's outer layers: eps, or one",
    "r_hat": "width r̂ of the compressed network",
    "eta": "step size η",
    "alpha": "factor α on the compressed network's outer layers",
    "error": "unit of the curves: frobenius, relative, half_mse or half_mse_unobserved",
    "num_steps": "most steps taken",
    "tol": "a run ends at this loss",
    "record_every": "steps between records, where the loss is compared with tol",
    "singular_values": "how many are kept",
    "altmin_iterations": "iterations of alternating minimization",
    "altmin_ridge": "λ of alternating minimization with a ridge, in units of the sum of squares",
    "judged": "the part on which the paper's claims are judged",
    "alphas": "first and last α, and the step between",
    "etas": "first and last η, and how many",
    "data": "path of the data set",
    "methods": "what is run",
    "split": "ratings held out: random, or official (the published u1, …, one per seed)",
    "test_share": "share of the ratings held out at random, 0.2 if not given",
    "two_factors": "start of the two factors: gaussian of scale ε (default), or spectral",
    "active": "how many of the most active users and most rated items are kept; 0: all",
    "ridge": "λ of alternating minimization, in units of the sum of squares",
    "factors": "values of α",
}
"""What each setting means."""

PAPER: dict[str, Any] = {
    "problem": "factorization",
    "d": 100,
    "rank": 10,
    "target": "top",
    "loss": "sum",
    "depth": 3,
    "eps": 1e-3,
    "init": "orthogonal",
    "outer": "eps",
    "r_hat": 20,
    "eta": 10.0,
    "alpha": 5.0,
    "error": "half_mse",
    "num_steps": 200_000,
    "tol": 0.0,
    "record_every": 200,
}
"""Section 4.1.  It does not say how the target's singular values are chosen ("top" is the usual way
to make a random matrix of rank r), nor how many steps are taken, nor when a run ends.  Its recovery
error is ‖Ŵ − M*‖_F; curves are in the unit of the published plots, here half the mean square."""

CODE: dict[str, Any] = PAPER | {
    "target": "spread",
    "loss": "mean",
    "eps": 1e-2,
    "eta": 1.0,
    "alpha": 1.0,
    "num_steps": 100_000,
    "record_every": 100,
}
"""The notebook on factorization; the others differ in the lines their experiments state."""


class Setup(NamedTuple):
    """A problem and the initial weights of the two networks.

    Parameters
    ----------
    problem : Problem
    original : tuple of L arrays, shapes (..., d_l, d_{l−1})
    compressed : tuple of L arrays, shapes (..., d_l, d_{l−1})
    """

    problem: Problem
    original: Weights
    compressed: Weights


def build(settings: Settings, seed: int) -> Setup:
    """Return the instance that settings and a seed determine.

    Parameters
    ----------
    settings : mapping
        See `SETTINGS`.
    seed : int

    Returns
    -------
    Setup

    Raises
    ------
    ValueError, TypeError
        If a setting is out of range.
    """
    problem = _problem(settings, seed)
    depth, eps = settings["depth"], settings["eps"]
    original = networks.original_weights(problem.shape, depth, eps, rng=seed, init=settings["init"])
    compressed = networks.compressed_weights(problem, settings["r_hat"], depth, eps)
    if checks.choice("outer", settings["outer"], ("eps", "one")) == "one":
        compressed = (compressed[0] / eps, *compressed[1:-1], compressed[-1] / eps)
    return Setup(problem, original, compressed)


def draw_target(d: int, rank: int, kind: str, seed: int) -> np.ndarray:
    """Draw a matrix of the given rank from the singular value decomposition of a Gaussian one.

    Parameters
    ----------
    d, rank : int
    kind : {"top", "spread"}
        Keep the `rank` largest singular values, which lie close together, or those of the indices
        0, d/2r, 2d/2r, …, which spread from the largest to the median.
    seed : int

    Returns
    -------
    array, shape (d, d)

    Raises
    ------
    TypeError, ValueError
        If an argument is out of range.
    """
    d = checks.integer("d", d, 1)
    rank = checks.integer("rank", rank, 1, d)
    checks.fits_in_memory(f"`d`: a {d} x {d} target", 4 * 8 * d * d)
    rng = checks.generator("seed", seed, "target")
    U, s, Vh = np.linalg.svd(rng.standard_normal((d, d)))
    spread = checks.choice("target", kind, ("top", "spread")) == "spread"
    kept = np.arange(0, d / 2, d / (2 * rank)).astype(int)[:rank] if spread else np.arange(rank)
    return (U[:, kept] * s[kept]) @ Vh[kept]


def _problem(settings: Settings, seed: int) -> Problem:
    d, loss = settings["d"], settings["loss"]
    M = draw_target(d, settings["rank"], settings["target"], seed)
    kind = checks.choice("problem", settings["problem"], ("factorization", "completion", "sensing"))
    if kind == "factorization":
        return problems.factorization(M, loss)
    if kind == "completion":
        exact = checks.choice("mask", settings["mask"], ("bernoulli", "exact")) == "exact"
        mask = targets.random_mask(M.shape, settings["observed"], rng=seed, exact=exact)
        return problems.completion(M, mask, loss)
    m = settings["m"]
    scale = {"1": 1.0, "1/m": 1.0 / m}[
        checks.choice("sensing_scale", settings["sensing_scale"], ("1", "1/m"))
    ]
    A = targets.gaussian_ensemble(m, M.shape, rng=seed, scale=scale)
    return problems.sensing(A, A.reshape(m, -1) @ M.ravel(), loss, target=M)
