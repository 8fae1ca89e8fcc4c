"""Greedy pruning after a group Lasso, for A = Id: columns kept, columns empty, rates, Haar limits.

The objective is f(U) = ‖U Uᵀ − M‖_F² + λ R_β(U), R_β(U) = Σ φ(‖u_i‖²), φ(s) = s/√(s + β), for M of
rank r with eigenvalues σ_1² ≥ … ≥ σ_r² > 0 and U of k columns.  The method is Rajaraman et al.
2023, who prove for sensing that pruning approximate second-order minima leaves r columns; the
statements here, for exact ones of A = Id, are ours.  Formulas are written out anew, not the
package's.
"""

from __future__ import annotations

import numpy as np
import scipy.stats

from dlnlab.claims.claim import Claim, proved
from dlnlab.claims.verdict import Premise

__all__ = [
    "COLUMNS",
    "EMPTY",
    "EPS",
    "FITS",
    "HAAR",
    "RATE",
    "allowed_distance",
    "column_error",
    "column_margins",
    "contraction",
    "curvatures",
    "empty_curvature",
    "excess",
    "fits_margin",
    "largest_step",
    "law_of_entries",
    "law_of_norms",
    "near_a_minimum",
    "penalty",
    "smallest",
    "weight",
]

EPS = float(np.finfo(float).eps)

FITS = Claim(
    "group_lasso_fits",
    "The group Lasso among exact fits",
    "Among all U with U Uᵀ = M of rank r, exactly those with r non-zero columns that are "
    "orthogonal with norms σ_i minimize R_β(U), for every β ≥ 0; the minimum is Σ σ_i²/√(σ_i² + "
    "β).",
    "dlnlab; the penalty is Rajaraman et al. 2023",
    proved("group_lasso"),
)
COLUMNS = Claim(
    "group_lasso_columns",
    "Columns that the group Lasso keeps",
    "Where f is stationary to second order and k > r, the non-zero columns are orthogonal "
    "eigenvectors of M with s = σ_i² − (λ/4)(s + 2β)/(s + β)^{3/2} ≥ (λ/8)^{2/3} − β, s = ‖u_i‖²; "
    "they are at most r, and at least as many as σ_i² exceed λ/(2√β).",
    "dlnlab, for A = Id; Rajaraman et al. 2023 prove r columns for approximate minima in sensing",
    proved("group_lasso"),
)
EMPTY = Claim(
    "empty_columns",
    "Empty columns",
    "A zero column of U has a direction of negative curvature of f iff λ < 2√β λ_max(M − U Uᵀ); "
    "it has none, for every β > 0, if the other columns are orthogonal stationary ones for all r "
    "eigenvalues of M.",
    "dlnlab",
    proved("group_lasso"),
)
HAAR = Claim(
    "haar_columns",
    "Column norms without a penalty",
    "Where descent on ‖U Uᵀ − M‖² from a random U, whose law is that of UO for every orthogonal "
    "O, converges to an exact fit, the limit is U⋆Q with Q Haar-distributed among r × k frames.",
    "dlnlab; that such limits are unfit for pruning is Rajaraman et al. 2023",
    proved("greedy_pruning"),
)
RATE = Claim(
    "fine_tuning_rate",
    "The rate of fine-tuning",
    "For k = r < d a step of descent on ‖U Uᵀ − M‖² contracts next to U⋆, across turns, by "
    "1 − 4ησ_r² if η ≤ 1/(4σ_1² + 2σ_r²), and by 1 − 8ησ_r² if the columns are in the range of M, "
    "as they are after training with the penalty, and η ≤ 1/(4σ_1² + 4σ_r²).",
    "dlnlab; that fine-tuning is linear is Rajaraman et al. 2023",
    proved("greedy_pruning"),
)


def penalty(s: np.ndarray, beta: float) -> np.ndarray:
    """Return φ(s) = s/√(s + β), and 0 at s = 0, of squared norms s ≥ 0.

    Parameters
    ----------
    s : array
    beta : float

    Returns
    -------
    array
    """
    return s / np.sqrt(np.maximum(s + beta, np.finfo(float).tiny))


def weight(s: np.ndarray, beta: float) -> np.ndarray:
    """Return w(s) = 2φ'(s) = (s + 2β)/(s + β)^{3/2}.

    Parameters
    ----------
    s : array
    beta : float

    Returns
    -------
    array
    """
    return (s + 2 * beta) / (s + beta) ** 1.5


# ---------------------------------------------------------------------- exact fits


def fits_margin(found: float, least: float, squares: np.ndarray, beta: float) -> float:
    """Return R_β(U)/Σ φ(σ_i²) − 1 less `least` over Σ φ(σ_i²), which is ≥ 0 for an exact fit.

    Parameters
    ----------
    found, least : float
        R_β(U), and what it must exceed Σ φ(σ_i²) by, see `excess`.
    squares : array, shape (r,)
        σ_i².
    beta : float

    Returns
    -------
    float
    """
    total = float(np.sum(penalty(squares, beta)))
    return (found - least) / total - 1


def excess(U: np.ndarray, squares: np.ndarray, beta: float) -> float:
    """Return a lower bound of R_β(U) − Σ φ(σ_i²) from how far U is from having r columns.

    With UᵀU = OΛOᵀ, column i is a mixture of the λ_j with weights O_ij², of variance
    ‖UᵀU e_i‖² − s_i²; by Taylor's formula φ(s_i) − Σ_j O_ij² φ(λ_j) ≥ ½ m · variance with m the
    smallest −φ'' up to σ_1².  So the least R_β means that UᵀU is diagonal.

    Parameters
    ----------
    U : array, shape (d, k)
    squares : array, shape (r,)
        σ_i², from the largest on.
    beta : float

    Returns
    -------
    float
    """
    gram = U.T @ U
    s = np.diag(gram)
    variance = np.sum(gram**2, axis=0) - s**2
    top = float(squares[0])
    bend = (top + 4 * beta) / (4 * (top + beta) ** 2.5)  # −φ'' falls with s
    return float(0.5 * bend * np.sum(np.maximum(variance, 0.0)))


# ---------------------------------------------------------------------- stationary columns


def smallest(lam: float, beta: float) -> float:
    """Return (λ/8)^{2/3} − β, the least squared norm of a column that is not empty.

    Parameters
    ----------
    lam, beta : float

    Returns
    -------
    float
    """
    return (lam / 8) ** (2 / 3) - beta


def column_margins(
    U: np.ndarray, M: np.ndarray, squares: np.ndarray, lam: float, beta: float
) -> dict[str, float]:
    """Return the margin of each part of the statement about columns kept.

    Parameters
    ----------
    U : array, shape (d, k)
    M : array, shape (d, d)
    squares : array, shape (r,)
        σ_i², from the largest on.
    lam, beta : float
        With (λ/8)^{2/3} > β, so that the least norm is positive; half of it parts columns into
        kept and empty ones.

    Returns
    -------
    dict
        "norms", "orthogonal", "law", "at most r" and "learned".
    """
    s, least = np.sum(U**2, axis=0), smallest(lam, beta)
    kept = s > least / 2
    V, gram = U[:, kept], U[:, kept].T @ U[:, kept]
    law = M @ V - V * (s[kept] + lam / 4 * weight(s[kept], beta))
    top, count = float(squares[0]), int(kept.sum())
    return {
        "norms": float(np.min(np.where(kept, s / least - 1, -s / least))),
        "orthogonal": -float(np.max(np.abs(gram - np.diag(np.diag(gram))), initial=0.0)) / top,
        "law": -float(np.max(np.abs(law), initial=0.0)) / top**1.5,
        "at most r": float(len(squares) - count),
        "learned": float(count - np.sum(squares > lam / (2 * np.sqrt(beta)))),
    }


def column_error(distance: float, squares: np.ndarray, lam: float, beta: float) -> float:
    """Bound what `column_margins` changes by within `distance` of U, to first order.

    s_i moves by 2σ_1 δ, an inner product too, and the defect of the law by ‖M‖δ + 3s δ + λ(w/4 +
    s|w'|/2)δ with λw/4 ≤ σ_1² at a learned column and s|w'| ≤ 2w: 10 σ_1² δ covers it.

    Parameters
    ----------
    distance : float
    squares : array, shape (r,)
    lam, beta : float

    Returns
    -------
    float
    """
    top = float(np.sqrt(squares[0]))
    return 10 * distance * (top / smallest(lam, beta) + 1 / top) + 100 * EPS


def near_a_minimum(
    distance: float, beta: float, smallest_eigenvalue: float, size: float
) -> tuple[Premise, Premise]:
    """Measure that U is next to a stationary point, and that the Hessian is positive there.

    Parameters
    ----------
    distance : float
        2‖∇f‖/μ with μ the smallest eigenvalue: a bound on the distance of the stationary point
        (Newton and Kantorovich) where the Hessian hardly changes within it, on the scale √β.
    beta : float
    smallest_eigenvalue, size : float
        μ, and the largest curvature that it is relative to.

    Returns
    -------
    tuple of two Premises
    """
    return (
        Premise("second order", "∇²f > 0", smallest_eigenvalue / size - 1e-5, 0.0),
        Premise("stationary", "2‖∇f‖/μ ≤ √β/1000", 1 - 1000 * distance / np.sqrt(beta), 0.0),
    )


# ---------------------------------------------------------------------- empty columns


def empty_curvature(M: np.ndarray, U: np.ndarray, lam: float, beta: float) -> float:
    """Return 2λ/√β − 4 λ_max(M − U Uᵀ), the least curvature of f at an empty column of U.

    Parameters
    ----------
    M : array, shape (d, d)
    U : array, shape (d, k)
    lam, beta : float

    Returns
    -------
    float
    """
    return float(2 * lam / np.sqrt(beta) - 4 * np.linalg.eigvalsh(M - U @ U.T)[-1])


# ---------------------------------------------------------------------- Haar frames


def law_of_norms(rank: int, width: int) -> scipy.stats.rv_continuous:
    """Return the law of a squared column norm of a Haar r × k frame, Beta(r/2, (k − r)/2).

    Parameters
    ----------
    rank, width : int

    Returns
    -------
    scipy.stats distribution
    """
    return scipy.stats.beta(rank / 2, (width - rank) / 2)


def law_of_entries(width: int) -> scipy.stats.rv_continuous:
    """Return the law of (aᵀQb)² for unit vectors a and b and a Haar frame Q, Beta(½, (k − 1)/2).

    Parameters
    ----------
    width : int

    Returns
    -------
    scipy.stats distribution
    """
    return scipy.stats.beta(0.5, (width - 1) / 2)


def allowed_distance(count: int, level: float) -> float:
    """Return x with P(sup |F_n − F| > x) ≤ level, whatever the law: √(ln(2/level)/(2n)).

    (Dvoretzky, Kiefer and Wolfowitz, with Massart's constant.)

    Parameters
    ----------
    count : int
        n.
    level : float

    Returns
    -------
    float
    """
    return float(np.sqrt(np.log(2 / level) / (2 * count)))


# ---------------------------------------------------------------------- fine-tuning


def curvatures(squares: np.ndarray, d: int) -> np.ndarray:
    """Return the r·d eigenvalues of the Hessian of ‖U Uᵀ − M‖² at U⋆, in increasing order.

    Parameters
    ----------
    squares : array, shape (r,)
    d : int

    Returns
    -------
    array, shape (r·d,)
    """
    r = len(squares)
    pairs = [4 * (squares[i] + squares[j]) for i in range(r) for j in range(i)]
    outside = np.repeat(4 * squares, d - r)
    return np.sort(np.concatenate([8 * squares, outside, pairs, np.zeros(len(pairs))]))


def contraction(squares: np.ndarray, eta: float, *, in_range: bool) -> float:
    """Return 1 − 4ησ_r², or 1 − 8ησ_r² for columns in the range of M.

    Parameters
    ----------
    squares : array, shape (r,)
    eta : float
    in_range : bool

    Returns
    -------
    float
    """
    return float(1 - (8 if in_range else 4) * eta * np.min(squares))


def largest_step(squares: np.ndarray, *, in_range: bool) -> float:
    """Return 1/(4σ_1² + 2σ_r²), or 1/(4σ_1² + 4σ_r²) for columns in the range of M.

    Parameters
    ----------
    squares : array, shape (r,)
    in_range : bool

    Returns
    -------
    float
    """
    return float(1 / (4 * np.max(squares) + (4 if in_range else 2) * np.min(squares)))
