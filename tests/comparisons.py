"""Comparisons to draw and report: small real ones, and one with more modes than a run could have
in a test."""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

import dlnlab
from dlnlab.flow import Comparison
from dlnlab.flow.comparison import Pair
from dlnlab.reductions import modes

FAST = {"rtol": 1e-8, "num_records": 60}


@functools.cache
def usual() -> Comparison:
    """Rank 3, r̂ = 5: fitted, margin positive, a refined bound to draw."""
    M = dlnlab.random_target((20, 20), 3, rng=0)
    return dlnlab.compare(M, 5, eps=0.1, **FAST)


@functools.cache
def single() -> Comparison:
    """One mode, r̂ = r."""
    return dlnlab.compare(dlnlab.random_target((8, 8), 1, rng=0), 1, eps=0.1, **FAST)


@functools.cache
def too_narrow() -> Comparison:
    """r̂ below the rank of a rectangular target."""
    M = dlnlab.random_target((12, 9), 3, rng=0)
    return dlnlab.compare(M, 2, eps=0.1, width=12, **FAST)


@functools.cache
def negative() -> Comparison:
    """Theorem 2's margin goes below zero: a large ε and r̂ > r."""
    return dlnlab.compare(np.diag([1.0, 0.0]), 2, depth=2, eps=0.3, **FAST)


@functools.cache
def never_fitted() -> Comparison:
    """Ended by t_end before any mode was fitted."""
    M = dlnlab.random_target((12, 12), 2, rng=0)
    return dlnlab.compare(M, 2, eps=0.05, t_end=5.0, **FAST)


@functools.cache
def many_modes(rank: int = 100) -> Comparison:
    """The usual comparison with invented modes in place of its own, the original 1.3 times late."""
    c, late, records = usual(), 1.3, 40
    s = np.arange(rank, 0, -1) / rank
    fitted = modes.fitting_times(s, 0.1, 3, within=0.05)
    t = np.linspace(0, 2 * fitted[-1], records)
    residual = np.full(records, 1e-3)
    runs = {}
    for name, delay in (("original", late), ("compressed", 1.0)):
        values = modes.flow(t / delay, s, 0.1, 3)
        runs[name] = dataclasses.replace(
            getattr(c, name),
            times=t,
            errors=np.linalg.norm(values - s, axis=1),
            singular_values=np.column_stack([values, residual]),
            left_alignments=values / s,
            right_alignments=values / s,
        )
    zeros = Pair(np.zeros(rank), np.zeros(rank))
    return dataclasses.replace(
        c,
        **runs,
        times=t,
        margin=runs["original"].errors ** 2 - runs["compressed"].errors ** 2,
        margin_error=np.full(records, 1e-14),
        residual=residual,
        fitting_times=Pair(late * fitted, fitted),
        c_val=zeros,
        c_vec=zeros,
        targets=s,
        settings=c.settings | {"shape": (200, 200), "rank": rank, "r_hat": rank + 20},
    )


ALL = {f.__name__: f for f in (usual, single, too_narrow, negative, never_fitted, many_modes)}
