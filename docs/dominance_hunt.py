"""Dominance where it is a conjecture, d ≥ 3 and L ≥ 3, in two units; `docs/generate_conjectures.py`
attacks both with as many instances as one likes.

The margin σ̃_i − σ_i vanishes at t = 0, after fitting, and for an aligned mode: a search that makes
it smaller ends there.  `lateness` is in a unit that vanishes with it (`dlnlab.lab.adversary`), so
that what it makes smaller is not zero by definition.
"""

import numpy as np

import dlnlab

RESOLVED = 1e-6
"""The smallest unit, in units of σ_1*: there the numerical error is a thousandth of it."""

ON_THE_WAY = 0.01
"""A mode counts until this share of its way is left."""


def scale(case):
    """Return the size of the matrices, max(σ_1*, ε^L)."""
    return max(case.values[0], case.eps**case.depth)


@dlnlab.conjecture("σ_i(t) ≤ σ̃_i(t) for every i and t, from every orthogonal start, r̂ = d.")
def dominance(pair):
    return (pair.compressed.singular_values - pair.original.singular_values) / scale(pair.case)


@dlnlab.conjecture("No mode of the wide network is ahead in time of the compressed one's, r̂ = d.")
def lateness(pair):
    case, bound = pair.case, pair.compressed.singular_values
    start, power = case.eps**case.depth, 2 - 2 / case.depth
    left = np.abs(case.values - bound) / np.maximum(np.abs(case.values - start), 1e-300)
    early = np.all((left > 0.5) | (case.values == start), axis=1)
    tau = np.maximum.accumulate(np.where(early, pair.times, 0.0))[:, None]
    grown = case.depth * bound**power * tau * misalignments(pair) * left
    unit = np.minimum(bound, grown)
    counted = (unit > RESOLVED * scale(case)) & (left > ON_THE_WAY) & (case.values < case.values[0])
    gap = bound - pair.original.singular_values
    return np.where(counted, gap / np.where(counted, unit, 1.0), 1.0)


def misalignments(pair):
    """Return μ_i = min over unit x of (‖(P − σ_i*)x‖² + ‖(Pᵀ − σ_i*)x‖²)/σ_1*, with P = QᵀM*."""
    P = pair.original.end_to_end[0].T @ pair.case.target / pair.case.eps**pair.case.depth
    gaps = P - pair.case.values[:, None, None] * np.eye(len(P))
    turned = np.swapaxes(gaps, 1, 2)
    return np.maximum(np.linalg.eigvalsh(turned @ gaps + gaps @ turned)[:, 0], 0) / pair.targets[0]
