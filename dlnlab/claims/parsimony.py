"""Parsimony: the wide network lives in about 2r dimensions, and one scalar per layer (A = Id).

Yaras et al. 2023, as Section 3.1 of the paper uses it.  The full gradient descent is compared with
that of `dlnlab.parsimony`, layer by layer, and the scalar with its own recursion.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlnlab.claims.claim import Claim, proved

__all__ = ["CLAIM", "SOURCE", "STATEMENT", "margins", "scalar_margins"]

STATEMENT = (
    "From W_l(0) = ε_l Q_l gradient descent moves a 2r-dimensional block of every layer, and the "
    "scale ρ_l of the other directions, ρ_l⁺ = ρ_l (1 − η_l μ − η_l ∏_{k≠l} ρ_k²) with weight "
    "decay μ."
)
SOURCE = "Yaras et al. 2023; Kwon et al. 2024, Section 3.1"
CLAIM = Claim("parsimony", "Parsimony", STATEMENT, SOURCE, proved("parsimony"))


def margins(full: Sequence[np.ndarray], lifted: Sequence[np.ndarray]) -> float:
    """Return −max_l ‖W_l − lift(B_l, ρ_l)‖_F / max_l ‖W_l‖_F for layers at any records.

    Parameters
    ----------
    full : sequence of L arrays, shapes (records, d_l, d_{l−1})
        W_l.
    lifted : sequence of L arrays, shapes (records, d_l, d_{l−1})
        lift(B_l, ρ_l).

    Returns
    -------
    float
    """
    gap = max(float(np.max(_norm(W - V))) for W, V in zip(full, lifted, strict=True))
    return -gap / max(float(np.max(_norm(W))) for W in full)


def scalar_margins(scalars: np.ndarray, steps: np.ndarray, weight_decay: float = 0.0) -> float:
    """Return minus the relative defect of ρ_l⁺ = ρ_l (1 − η_l μ − η_l ∏_{k≠l} ρ_k²).

    Parameters
    ----------
    scalars : array, shape (records, L)
        ρ_l after every step.
    steps : array, shape (L,)
        η_l.
    weight_decay : float
        μ.

    Returns
    -------
    float
    """
    now = scalars[:-1]
    layers = range(now.shape[1])
    others = np.stack([np.delete(now, k, axis=1).prod(axis=1) for k in layers], axis=1)
    expected = now * (1 - steps * (weight_decay + others**2))
    return -float(np.max(np.abs(scalars[1:] - expected) / scalars[0]))


def _norm(A: np.ndarray) -> np.ndarray:
    return np.linalg.norm(A, axis=(-2, -1))
