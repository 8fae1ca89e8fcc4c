"""Low-rank change: what gradient descent adds to the penultimate matrix of a perceptron.

Figure 1 shows that W(t) − W(0) has few large singular values.  Its share of energy in the top k
directions is Σ_{i≤k} σ_i²/Σ_i σ_i²; a matrix of independent entries has a share too (the law of
Marchenko and Pastur), and only the excess, (share − null)/(1 − null), is structure.

The last layer V sees W through a ReLU, so that with errors g_i, inputs h_i and masks m_i of the
samples the gradient is Σ_i (m_i ∘ Vᵀg_i) h_iᵀ.  Without masks it would have rank c at most, c being
the number of classes, and `few_directions` would bound what all steps add up to.  With them the
rank is only bounded by the number of samples, and that the change is still of nearly low rank is
not proved here.  Steps that are linear in the gradients keep what structure these have.  Adam's do
not: its first step is the sign of the gradient, entry by entry, and sign(G) of a G of rank c > 1
with Gaussian entries has the share 2/π within the directions of G, the rest being spread over all.
"""

from __future__ import annotations

from dlnlab.claims.claim import CONJECTURE, Claim
from dlnlab.claims.verdict import Premise

__all__ = ["CLAIM", "HALF", "SOURCE", "STATEMENT", "linear", "margin", "moved"]

STATEMENT = (
    "When a perceptron of c classes is trained by gradient descent, with or without momentum, on "
    "all samples or on minibatches, 2c directions of the change of its penultimate matrix hold, "
    "beyond their share in a matrix of independent entries, at least half of the energy that such "
    "a matrix would leave to the others."
)
SOURCE = "Kwon et al. 2024, Figure 1; the null and the half are dlnlab's"
CLAIM = Claim("low_rank_change", "Low-rank change", STATEMENT, SOURCE, (CONJECTURE,))

HALF = 0.5


def margin(excess: float) -> float:
    """Return excess − 1/2, where the excess is (share − null)/(1 − null).

    Parameters
    ----------
    excess : float

    Returns
    -------
    float
    """
    return excess - HALF


def linear(is_linear: bool) -> Premise:
    """State the premise that steps are linear combinations of gradients.

    Parameters
    ----------
    is_linear : bool

    Returns
    -------
    Premise
    """
    statement = "steps are linear combinations of gradients"
    return Premise("linear method", statement, 1.0 if is_linear else -1.0)


def moved(relative: float) -> Premise:
    """Measure the premise 1e-9 ≤ ‖W(t) − W(0)‖/‖W(0)‖ ≤ 1e6: not by rounding, nor diverged.

    Parameters
    ----------
    relative : float

    Returns
    -------
    Premise
    """
    margin = min(relative - 1e-9, 1 - relative / 1e6)
    return Premise("moved", "W(t) − W(0) is more than rounding, and W(t) has not diverged", margin)
