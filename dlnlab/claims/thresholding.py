"""Singular value thresholding: Φ falls, the rank settles, limits are fixed points, not targets.

W⁺ = prox(W − α∇ℓ(W)) for Φ = ℓ + λ·p, p the rank (hard) or the nuclear norm (soft), ℓ a quadratic
loss with L_s-Lipschitz gradient; τ = √(2αλ) is the hard threshold.  The scheme, and that it
converges in training under a rank penalty, is Shumaylov et al. 2025; the statements are ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from dlnlab.claims.claim import Claim, contradicts, proved, refuted

__all__ = [
    "CONVERGES",
    "DESCENT",
    "EPS",
    "FIXED",
    "RECOVERS",
    "SOURCE",
    "Conditions",
    "Stuck",
    "changes_margin",
    "conditions",
    "fall_margins",
    "fixed_error",
    "fixed_margin",
    "minimal_margin",
    "recovery_margin",
    "settled_margin",
    "threshold",
]

EPS = float(np.finfo(float).eps)
SOURCE = "dlnlab; the scheme is Shumaylov et al. 2025"


@dataclass(frozen=True)
class Stuck:
    """A completion on which the hard rule stays where it starts, in rational numbers.

    Attributes
    ----------
    target, start : 2 × 2 tuples of int
        M, and where the iteration starts.
    seen : 2 × 2 tuple of bool
        Which entries of M are.
    penalty, eta : Fraction
        λ and α.
    between : pair of Fraction
        Two numbers between which the margin lies, both negative.
    """

    target: tuple[tuple[int, int], tuple[int, int]]
    seen: tuple[tuple[bool, bool], tuple[bool, bool]]
    start: tuple[tuple[int, int], tuple[int, int]]
    penalty: Fraction
    eta: Fraction
    between: tuple[Fraction, Fraction]

    def __str__(self) -> str:
        hidden = [(i + 1, j + 1) for i in (0, 1) for j in (0, 1) if not self.seen[i][j]]
        return contradicts(
            f"M = {list(map(list, self.target))} seen but for its entries {hidden}, from "
            f"{list(map(list, self.start))}, λ = {self.penalty}, α = {self.eta}:",
            self.between,
        )


DESCENT = Claim(
    "thresholding_descent",
    "Thresholding lowers the penalized loss",
    "A step of hard or soft thresholding lowers Φ by at least ½(1/α − L_s)‖ΔW‖²; with the hard "
    "rule and α < 1/L_s the rank changes at most 1 + Φ(W_1)/(λ(1 − αL_s)) times.",
    SOURCE,
    proved("thresholding"),
)
FIXED = Claim(
    "thresholding_fixed_points",
    "Fixed points of hard thresholding",
    "W is a fixed point of the hard rule iff its non-zero singular values exceed τ, ∇ℓ(W) vanishes "
    "on the tangent space of matrices of its rank, and ‖∇ℓ(W)‖ ≤ √(2λ/α); so 0 is one iff "
    "‖∇ℓ(0)‖ ≤ √(2λ/α).",
    SOURCE,
    proved("thresholding"),
)
CONVERGES = Claim(
    "thresholding_converges",
    "Thresholding converges",
    "For α < 1/L_s every bounded sequence of the hard rule converges to a W with non-zero "
    "singular values of at least τ, no tangent gradient and ‖∇ℓ(W)‖ ≤ √(2λ/α), and every sequence "
    "is bounded if ℓ is coercive; every sequence of the soft rule converges to a minimizer of Φ.",
    "dlnlab, by theorems of Attouch, Bolte and Svaiter 2013 and of Combettes and Wajs 2005; "
    "Shumaylov et al. 2025 prove convergence for training",
    proved("thresholding"),
)
RECOVERS = Claim(
    "thresholding_recovers",
    "Convergence is recovery",
    "Hard thresholding with α < 1/L_s converges from every start to M, if no other matrix of at "
    "most its rank has its measurements.",
    "nobody claims it: what the convergence that Shumaylov et al. 2025 prove may be taken for",
    refuted(
        Stuck(
            target=((1, 1), (1, 1)),
            seen=((True, True), (True, False)),
            start=((1, 1), (1, -1)),
            penalty=Fraction(1, 2),
            eta=Fraction(1, 2),
            between=(Fraction(-1001, 1000), Fraction(-999, 1000)),
        ),
        "thresholding",
    ),
)


def threshold(lam: float, alpha: float) -> float:
    """Return τ = √(2αλ), below which the hard rule removes singular values.

    Parameters
    ----------
    lam, alpha : float

    Returns
    -------
    float
    """
    return float(np.sqrt(2 * alpha * lam))


def fall_margins(phi: np.ndarray, moved: np.ndarray, alpha: float, curvature: float) -> np.ndarray:
    """Return (Φ(W) − Φ(W⁺) − ½(1/α − L_s)‖ΔW‖²)/Φ(W_0) of every step.

    Parameters
    ----------
    phi : array, shape (records,)
        Φ after every step.
    moved : array, shape (records − 1,)
        ‖ΔW‖².
    alpha, curvature : float
        α and L_s.

    Returns
    -------
    array, shape (records − 1,)
    """
    return (-np.diff(phi) - 0.5 * (1 / alpha - curvature) * moved) / phi[0]


def changes_margin(
    ranks: np.ndarray, phi: np.ndarray, lam: float, alpha: float, curvature: float
) -> float:
    """Return (bound − changes of rank)/bound, the bound being 1 + Φ(W_1)/(λ(1 − αL_s)).

    Parameters
    ----------
    ranks : array of int, shape (records,)
    phi : array, shape (records,)
        Φ after every step.
    lam, alpha, curvature : float
        λ, α and L_s.

    Returns
    -------
    float
    """
    bound = 1 + phi[1] / (lam * (1 - alpha * curvature))
    return float((bound - np.count_nonzero(np.diff(ranks))) / bound)


@dataclass(frozen=True)
class Conditions:
    """The conditions for a fixed point of the hard rule, each in units of τ.

    Attributes
    ----------
    smallest : float
        σ_r(W)/τ − 1, infinite for W = 0.
    tangent : float
        α times the norm of the gradient's part in the tangent space, over τ.
    steepest : float
        1 − α‖∇ℓ(W)‖/τ.
    """

    smallest: float
    tangent: float
    steepest: float


def conditions(
    W: np.ndarray, gradient: np.ndarray, rank: int, lam: float, alpha: float
) -> Conditions:
    """Measure the conditions at W of a given rank.

    Parameters
    ----------
    W, gradient : array, shape (d_out, d_in)
    rank : int
    lam, alpha : float

    Returns
    -------
    Conditions
    """
    tau = threshold(lam, alpha)
    U, s, Vh = np.linalg.svd(W)
    inner = gradient.copy()
    inner -= U[:, :rank] @ (U[:, :rank].T @ inner)
    inner -= (inner @ Vh[:rank].T) @ Vh[:rank]  # what is left is normal
    steepest = float(np.linalg.norm(gradient, 2))
    return Conditions(
        float(s[rank - 1] / tau - 1) if rank else float("inf"),
        float(alpha * np.linalg.norm(gradient - inner) / tau),
        1 - alpha * steepest / tau,
    )


def fixed_margin(found: Conditions, moved: float, rounding: float) -> float:
    """Return the margin of "fixed iff the conditions hold" from how far a step moved, over τ.

    Where they hold it is −‖ΔW‖/τ.  Where σ_r ≤ τ that value is dropped, so ‖ΔW‖ ≥ σ_r.  Otherwise a
    gradient that is too steep and normal lets a value above τ appear, and ‖ΔW‖ ≥ τ; and
    ‖ΔW‖ ≥ α‖tangent gradient‖/3, because Y − W⁺ is normal at W⁺, of norm ≤ τ < σ_r, so its part
    in the tangent space at W is at most 2‖ΔW‖.  The margin is ‖ΔW‖ over that bound, less one.  A
    tangent gradient within `rounding` is none.

    Parameters
    ----------
    found : Conditions
    moved : float
        ‖ΔW‖/τ.
    rounding : float
        In units of τ.

    Returns
    -------
    float
    """
    least = _least_move(found, rounding)
    return moved / least - 1 if least else -moved


def fixed_error(found: Conditions, moved: float, rounding: float) -> float:
    """Return the error of `fixed_margin`: that of ‖ΔW‖ over its bound, and that of the bound.

    Parameters
    ----------
    found : Conditions
    moved : float
        ‖ΔW‖/τ.
    rounding : float
        Of ‖ΔW‖, σ_r and the tangent gradient, in units of τ.

    Returns
    -------
    float
    """
    least = _least_move(found, rounding)
    return 3 * rounding * (1 + moved / least) / least if least else rounding


def _least_move(found: Conditions, rounding: float) -> float:
    """Return the bound below ‖ΔW‖/τ where a condition does not hold, 0 where all do."""
    if found.smallest <= 0:
        return found.smallest + 1
    if found.tangent > rounding:
        return found.tangent / 3
    return 0.0 if found.steepest >= 0 else 1.0


def settled_margin(found: Conditions) -> float:
    """Return the least of the conditions of a limit, which allows σ_r = τ.

    Parameters
    ----------
    found : Conditions

    Returns
    -------
    float
    """
    return min(found.smallest, -found.tangent, found.steepest)


def minimal_margin(W: np.ndarray, gradient: np.ndarray, lam: float) -> float:
    """Return how well −∇ℓ(W) is a subgradient of λ‖·‖_* at W: what makes W a minimizer.

    That is ‖∇ℓ(W)‖ ≤ λ and −⟨∇ℓ(W), W⟩ = λ‖W‖_*, each relative to λ, and to λ‖W‖_*.

    Parameters
    ----------
    W, gradient : array, shape (d_out, d_in)
    lam : float

    Returns
    -------
    float
    """
    size = lam * float(np.linalg.norm(W, "nuc"))
    gap = size + float(np.sum(gradient * W))
    return min(1 - float(np.linalg.norm(gradient, 2)) / lam, -gap / size if size else 0.0)


def recovery_margin(W: np.ndarray, M: np.ndarray) -> float:
    """Return −‖W − M‖/‖M‖, the margin of exact recovery.

    Parameters
    ----------
    W, M : array, shape (d_out, d_in)

    Returns
    -------
    float
    """
    return -float(np.linalg.norm(W - M) / np.linalg.norm(M))
