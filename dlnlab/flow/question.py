"""Which modes a comparison asks about, and what it takes to answer.

A matrix from measurements has full rank: some modes that matter, and a tail of noise whose last
mode takes 1/σ_r* as long as the first.  What a comparison takes is known before it starts, from the
number of modes and the size of the reduced network.  By default it asks about all modes of a target
of low rank, and of any other as long as that takes seconds; beyond, about those in front of a gap,
or those that make up nearly all of ‖M*‖², and no more than r̂.  Singular values that fade away into
rounding, as those of a smooth kernel, end nowhere: of them it asks about those that grow from ε^L.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlnlab.flow.original import CLOSED
from dlnlab.numerics import arrays, checks
from dlnlab.problems import Factorization
from dlnlab.problems.targets import FactoredTarget

__all__ = [
    "AFFORDABLE",
    "EVALUATIONS",
    "FLOPS",
    "FRAME",
    "GAP",
    "LOW_RANK",
    "OVERHEAD",
    "RANKS",
    "SHARE",
    "STEPS",
    "SURVEYED",
    "Plan",
    "asked",
    "plan",
    "predicted",
]

RANKS = ("auto", "full")

AFFORDABLE = 5.0
"""Predicted seconds up to which all modes are asked about."""

GAP = 10.0
"""A ratio of neighbouring singular values that separates modes from noise."""

LOW_RANK = 1e3
"""By how much the last singular value above rounding exceeds the first one below it if a matrix is
of low rank and not just numerically so."""

SHARE = 0.999
"""Of ‖M*‖², where there is no gap."""

STEPS = 120
"""Steps to learn a mode and to decouple it, from runs with 2 to 60 modes: 40 to 160."""

OVERHEAD, FLOPS = 2e-4, 8e9
"""Seconds of a step and layer, and flops per second of small products, of one core."""

EVALUATIONS, SURVEYED = 20, 1000
"""Velocities computed in a step of both runs; evaluations of a closed form."""


FRAME = 1e-7
"""Seconds for an entry of the target's frames, which are turned into the reduced network."""


@dataclass(frozen=True)
class Plan:
    """What a comparison will compute, and what it is expected to take.

    Attributes
    ----------
    rank, of : int
        Modes asked about, and modes the target has.
    why : str
        Why these.
    method : str
        "closed form" or the name of an integrator.
    steps : int
        Predicted steps, 0 for the closed form.
    seconds : float
        Predicted time on one core, to within a factor of about three.
    """

    rank: int
    of: int
    why: str
    method: str = field(default="DOP853")
    steps: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        modes = f"{self.rank} of {self.of} modes ({self.why})"
        work = f"about {self.steps} steps" if self.steps else "in closed form"
        return f"{modes}, {work}, about {float(f'{self.seconds:.1g}'):g} s"


def predicted(rank: int, size: int, depth: int) -> tuple[int, float]:
    """Return the steps and the seconds to learn so many modes of a balanced d × d network.

    Parameters
    ----------
    rank : int
        r.
    size : int
        d.
    depth : int
        L.

    Returns
    -------
    (int, float)
    """
    block = min(2 * rank + 1, size)
    if depth == 2:
        return 0, SURVEYED * (1e-4 + 8 * block**3 / FLOPS)
    products = EVALUATIONS * 3 * (depth - 1) * 2 * block**3
    # learned modes leave, so that the block has half the flops on average
    return STEPS * rank, STEPS * rank * (OVERHEAD * depth + products / 2 / FLOPS)


def asked(
    problem: Factorization, rank: Any, r_hat: int | None, depth: int, eps: float
) -> tuple[int, int, str]:
    """Return how many modes are asked about, of how many, and why.

    Parameters
    ----------
    problem : Factorization
    rank : {"auto", "full"} or int
    r_hat : int or None
        r̂, if it was given.
    depth, eps : int, float

    Returns
    -------
    (int, int, str)

    Raises
    ------
    TypeError, ValueError
        If `rank` is neither of the words nor a number of modes that the target has.
    """
    s = np.asarray(arrays.to_host(problem.target_svd.s), dtype=float)
    if isinstance(rank, str):
        rank = checks.choice("rank", rank, RANKS)
    else:
        count = checks.integer("rank", rank, 1, s.size)
        return count, s.size, "as asked"
    if rank == "full" or _is_low_rank(problem, s):
        return s.size, s.size, "all"
    growing = max(1, int(np.count_nonzero(s > eps**depth)))
    fading = s.size < min(problem.shape) and growing < s.size
    count = growing if fading else s.size
    if not _affordable(count, problem, depth):
        return _front(s, problem, depth, count if r_hat is None else min(count, r_hat))
    return count, s.size, "σ_i* > ε^L" if fading else "all"


def _affordable(rank: int, problem: Factorization, depth: int) -> bool:
    return predicted(rank, min(problem.shape), depth)[1] <= AFFORDABLE


def _is_low_rank(problem: Factorization, s: np.ndarray) -> bool:
    """Whether the singular values end, rather than fade away into rounding."""
    if isinstance(problem.target, FactoredTarget):
        return True
    if s.size == min(problem.shape):
        return False
    values = arrays.namespace(problem.target).linalg.svdvals(problem.target)
    below = np.asarray(arrays.to_host(values), dtype=float)[s.size]
    return bool(s[-1] > LOW_RANK * below)


def _front(s: np.ndarray, problem: Factorization, depth: int, limit: int) -> tuple[int, int, str]:
    """Choose by the widest gap, by the share of ‖M*‖², or by what is affordable."""
    most = 1
    while most < limit and _affordable(most + 1, problem, depth):
        most += 1
    ratios = s[:most] / s[1 : most + 1]
    gap = int(np.argmax(ratios)) + 1
    if ratios[gap - 1] >= GAP:
        return gap, s.size, f"σ_{gap}* = {ratios[gap - 1]:.3g} σ_{gap + 1}*"
    shares = np.cumsum(s**2) / np.sum(s**2)
    count = min(int(np.searchsorted(shares, SHARE)) + 1, most)
    percent = math.floor(1e4 * shares[count - 1]) / 100  # never rounded up to all of it
    return count, s.size, f"{percent:g} % of ‖M‖²"


def plan(
    problem: Factorization, rank: int, of: int, why: str, depth: int, method: str, block: int
) -> Plan:
    """Return what is going to be done for a question; `block` is the reduced dimension.

    Parameters
    ----------
    problem : Factorization
    rank : int
        r.
    of : int
        How many modes there are.
    why : str
    depth : int
        L.
    method : str
    block : int

    Returns
    -------
    Plan
    """
    steps, seconds = predicted(rank, block, 2 if method == CLOSED else max(depth, 3))
    seconds += FRAME * rank * max(problem.shape)
    return Plan(rank, of, why, method, steps, seconds)
