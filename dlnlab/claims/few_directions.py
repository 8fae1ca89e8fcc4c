"""Few directions: what training can do to the penultimate layer of a deep linear classifier.

The caption of Figure 1 says that training changes few singular values of W(t) − W(0), W the
penultimate layer.  For a linear network of c classes that can be proved, whatever the samples and
the loss.  Let V be the last layer, of c rows, and D = WWᵀ − VᵀV.  The layers' gradients satisfy
Vᵀ∇V = ∇W Wᵀ, for any part of the samples (`dlnlab.proofs.few_directions`), so that a step of
gradient descent changes D by

    ΔW ΔWᵀ − ΔVᵀ ΔV,

of second order in the step: gradient flow conserves D.  From layers that are ε times orthogonal,
WWᵀ is therefore ε²(I − P) + VᵀV up to δ = Σ max(‖ΔW‖², ‖ΔV‖²), spectral norms summed over the
steps, where P projects on the c rows of V(0).  On the subspace that V annihilates, and on that
which P does, both of codimension c, this leaves little freedom: with σ_1 ≥ … ≥ σ_d of W(t),

    |σ_i² − ε²| ≤ δ  for c < i ≤ d − c,   σ_{c+1}(W(t) − W(0)) ≤ ε + √(ε² + δ).

With small ε the change is of rank c but for 2ε; with any, all but 2c singular values stay.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dlnlab.claims.claim import Claim, proved
from dlnlab.claims.verdict import Premise

__all__ = [
    "CLAIM",
    "SOURCE",
    "STATEMENT",
    "UNIT",
    "descent",
    "drift",
    "margins",
    "orthogonal",
    "rounding",
]

STATEMENT = (
    "In a deep linear classifier of c classes whose last two layers V, W start as ε times "
    "orthogonal ones, W square, after any steps of gradient descent, for all samples and losses: "
    "|σ_i(W)² − ε²| ≤ δ for c < i ≤ d − c, and σ_i(W − W(0)) ≤ ε + √(ε² + δ) for i > c, where δ "
    "is the sum over the steps of max(‖ΔW‖², ‖ΔV‖²), which is 0 for gradient flow."
)
SOURCE = "dlnlab, for the caption of Kwon et al. 2024, Figure 1"
CLAIM = Claim("few_directions", "Few directions", STATEMENT, SOURCE, proved("few_directions"))

UNIT = float(np.finfo(float).eps)


def drift(W: np.ndarray, V: np.ndarray) -> float:
    """Return δ, the sum of max(‖ΔW‖₂, ‖ΔV‖₂)² over the steps of a run.

    Parameters
    ----------
    W, V : array, shape (steps + 1, d, d) and (steps + 1, c, d)
        The last two layers before every step, and at the end.

    Returns
    -------
    float
    """
    steps = (np.linalg.norm(np.diff(A, axis=0), 2, axis=(-2, -1)) for A in (W, V))
    return float(np.sum(np.maximum(*steps) ** 2))


def margins(W: np.ndarray, start: np.ndarray, classes: int, eps: float, delta: float) -> np.ndarray:
    """Return by how much each of the three bounds holds, relative to ε² + δ, or to its root.

    Parameters
    ----------
    W, start : array, shape (d, d)
        W(t) and W(0).
    classes : int
        c, with 2c < d.
    eps, delta : float

    Returns
    -------
    array, shape (3,)
        Of the singular value after the c largest, of that before the c smallest, of the change's.
    """
    largest = eps**2 + delta
    s = np.linalg.svd(W, compute_uv=False)
    changed = np.linalg.svd(W - start, compute_uv=False)
    ends = s[classes], s[-classes - 1]
    bound = eps + largest**0.5
    return np.array(
        [
            1 - ends[0] ** 2 / largest,
            (ends[1] ** 2 + delta - eps**2) / largest,
            1 - changed[classes] / bound,
        ]
    )


def rounding(W: np.ndarray, V: np.ndarray, eps: float) -> float:
    """Bound the rounding error of `margins`, of a run in double precision.

    A step rounds a layer by u‖W‖ and violates Vᵀ∇V = ∇W Wᵀ by some d u of the products that go into
    it; both count once for each step, relative to ε².

    Parameters
    ----------
    W : ndarray
    V : ndarray
    eps : float

    Returns
    -------
    float
    """
    size = max(float(np.max(np.sum(A**2, axis=(-2, -1)))) for A in (W, V))
    return 16 * W.shape[-1] * UNIT * len(W) * size / eps**2


def orthogonal(W: Sequence[np.ndarray], eps: float) -> Premise:
    """Measure the premise that layers start as ε times matrices with orthonormal rows.

    Parameters
    ----------
    W : Sequence[ndarray]
    eps : float

    Returns
    -------
    Premise
    """
    off = max(float(np.max(np.abs(A @ A.T / eps**2 - np.eye(len(A))))) for A in W)
    return Premise("orthogonal start", "W Wᵀ = ε² I at the start", -off, 64 * len(W[0]) * UNIT)


def descent(is_descent: bool) -> Premise:
    """State the premise that steps are multiples of gradients, with no memory and no decay.

    Parameters
    ----------
    is_descent : bool

    Returns
    -------
    Premise
    """
    return Premise("descent", "steps are multiples of the gradient", 1.0 if is_descent else -1.0)
