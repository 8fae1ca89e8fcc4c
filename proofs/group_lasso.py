r"""Group Lasso for A = Id: why it keeps r columns, how it shrinks them, which stay empty (ours).

f(U) = ‖UUᵀ − M‖_F² + λΣφ(s_i), s_i = ‖u_i‖², φ(s) = s/√(s + β), M = Σ σ_i²v_iv_iᵀ of rank r. φ is
strictly concave, so that w = 2φ′ falls from w(0) = 2/√β.

*Exact fits.* If UUᵀ = M then UᵀU = OΛOᵀ with Λ the eigenvalues of M and zeros. So
s_i = Σ_j O_ij²λ_j and Σ_i φ(s_i) ≥ Σ_ij O_ij²φ(λ_j) = Σφ(σ_j²) by concavity, with equality iff all
e_i are eigenvectors of UᵀU: the columns are orthogonal, so r are non-zero, of norms σ_j.

*Second-order stationary points.* Where 4(UUᵀ − M)U + λU diag(w(s_i)) = 0, multiplying by Uᵀ shows
that UᵀU commutes with diag(w(s_i)), so columns of different norms are orthogonal. Turning two of
equal norm leaves UUᵀ and changes s to s ± g sin 2θ, g their inner product: the curvature 8λg²φ″(s)
is negative unless g = 0. With orthogonal columns Mu_i = (s_i + λw(s_i)/4)u_i: each non-zero one is
an eigenvector of M, of eigenvalue σ² > 0. There are at most r; its own curvature 2s(4 + λw′(s)) ≥ 0
bounds s from below. An eigenvector v of M without a column gives an empty column the curvature
2λ/√β − 4σ², so that it is not stationary to second order if λ < 2σ²√β.

*Empty columns.* Along v the curvature is 2λ/√β − 4vᵀ(M − UUᵀ)v. Where all r are learned, M − UUᵀ
has the eigenvalues λw(s_i)/4 and 0, and λw(s) < λw(0) = 2λ/√β: empty columns are stable for all β.
"""

from __future__ import annotations

import sympy as sp

from .facts import require_identity, require_limit, require_positive
from .noncommutative import diagonal, matrix, require_same, symmetric
from .proof import Clause, Proof, Step, argument, cited, main, symbolic

__all__ = [
    "bend",
    "build",
    "inner",
    "penalty",
    "shrinkage",
    "sigma",
    "smallest",
    "stationarity",
    "t",
    "weight",
    "zero_column",
]

sigma, lam, beta, norm, square = sp.symbols("σ λ β n s", positive=True)
t, turn, inner = sp.symbols("t θ g", real=True)


def penalty(size: sp.Expr) -> sp.Expr:
    """Return φ(s) = s/√(s + β), the smoothed norm of a column.

    Parameters
    ----------
    size : sympy expression
        s, its squared norm.

    Returns
    -------
    sympy expression
    """
    return size / sp.sqrt(size + beta)


def weight(size: sp.Expr) -> sp.Expr:
    """Return w(s) = (s + 2β)/(s + β)^{3/2} = 2φ′(s), the weight of a column in the gradient.

    Parameters
    ----------
    size : sympy expression
        s, its squared norm.

    Returns
    -------
    sympy expression
    """
    return (size + 2 * beta) / (size + beta) ** sp.Rational(3, 2)


def bend(size: sp.Expr) -> sp.Expr:
    """Return −w′(s) = (s + 4β)/(2(s + β)^{5/2}).

    Parameters
    ----------
    size : sympy expression
        s, a squared column norm.

    Returns
    -------
    sympy expression
    """
    return (size + 4 * beta) / (2 * (size + beta) ** sp.Rational(5, 2))


def _concavity() -> None:
    """φ′ and φ″ in closed form, φ″ < 0, and both ends."""
    require_identity(2 * sp.diff(penalty(square), square), weight(square), "2φ′")
    require_identity(-sp.diff(weight(square), square), bend(square), "−w′")
    require_positive(bend(square), "−w′")
    require_identity(penalty(sp.Integer(0)), 0, "φ(0)")
    require_identity(weight(sp.Integer(0)), 2 / sp.sqrt(beta), "w(0)")
    root = sp.sqrt(square)
    require_identity(penalty(square).subs(beta, 0), root, "φ without smoothing")
    require_positive(-sp.diff(root, square, 2), "−φ″ without smoothing")


factor, goal, weights = matrix("U", "d", "k"), symmetric("M", "d"), diagonal("W", "k")


def _commuting() -> None:
    """Uᵀ(UUᵀ − M)U is its own transpose, and the transpose of UᵀUW is WUᵀU."""
    fit = factor.T @ (factor @ factor.T - goal) @ factor
    require_same(fit.T, fit, {}, "(Uᵀ(UUᵀ − M)U)ᵀ")
    shrunk = factor.T @ factor @ weights
    require_same(shrunk.T, weights @ factor.T @ factor, {}, "(UᵀUW)ᵀ")


def _turned_pair() -> sp.Expr:
    """Return the penalty of two columns of squared norm s, inner product g, turned by θ."""
    spread = inner * sp.sin(2 * turn)
    return penalty(square + spread) + penalty(square - spread)


def _merging() -> None:
    """The squared norms of the turned columns, and the curvature of their penalty."""
    gram = sp.Matrix([[square, inner], [inner, square]])
    c, s = sp.cos(turn), sp.sin(turn)
    rotation = sp.Matrix([[c, -s], [s, c]])
    after = rotation.T * gram * rotation
    require_identity(after[0, 0], square + inner * sp.sin(2 * turn), "‖cos θ u + sin θ v‖²")
    require_identity(after[1, 1], square - inner * sp.sin(2 * turn), "‖cos θ v − sin θ u‖²")
    slope = sp.diff(_turned_pair(), turn).subs(turn, 0)
    require_identity(slope, 0, "slope of the penalty at θ = 0")
    curvature = sp.diff(_turned_pair(), turn, 2).subs(turn, 0)
    require_identity(curvature, -4 * inner**2 * bend(square), "curvature of the penalty at θ = 0")


def zero_column(step: sp.Expr) -> sp.Expr:
    """Return what f gains when a zero column moves to tv, with vᵀ(M − UUᵀ)v = σ².

    Parameters
    ----------
    step : sympy expression
        t.

    Returns
    -------
    sympy expression
    """
    return -2 * step**2 * sigma**2 + step**4 + lam * penalty(step**2)


def _instability() -> None:
    """The curvature at t = 0, and when it is negative."""
    curvature = sp.diff(zero_column(t), t, 2).subs(t, 0)
    require_identity(curvature, 2 * lam / sp.sqrt(beta) - 4 * sigma**2, "curvature of f at t = 0")
    critical = 2 * sigma**2 * sp.sqrt(beta)
    require_identity(curvature.subs(lam, critical), 0, "curvature at λ = 2σ²√β")
    require_positive(sp.diff(curvature, lam), "its slope in λ")
    direction, residual = sp.Matrix([1, 0]), sp.Matrix([[sigma**2, 0], [0, 0]])
    whole = (residual - t**2 * direction * direction.T) ** 2
    grown = (whole - residual**2).trace()
    alone = zero_column(t).subs(lam, 0)
    require_identity(grown, alone, "‖M − UUᵀ − t²vvᵀ‖² − ‖M − UUᵀ‖² in two dimensions")


def stationarity(size: sp.Expr) -> sp.Expr:
    """Return 4(n² − σ²) + λw(n²), which vanishes at a stationary column.

    Parameters
    ----------
    size : sympy expression
        n, the norm of the column.

    Returns
    -------
    sympy expression
    """
    return 4 * (size**2 - sigma**2) + lam * weight(size**2)


def shrinkage() -> None:
    """The radial derivative, its slope, and the first order of n² in λ without smoothing."""
    along = zero_column(norm)
    require_identity(sp.diff(along, norm) / norm, stationarity(norm), "f′(n)/n")
    slope = sp.diff(stationarity(norm), norm) / (2 * norm)
    require_identity(slope, 4 - lam * bend(norm**2), "slope of f′(n)/n in n²")
    first = sigma**2 - lam / (4 * sigma)
    rest = stationarity(sp.sqrt(first)).subs(beta, 0) / lam
    require_limit(rest, lam, 0, 0, "what is left of the equation at n² = σ² − λ/(4σ), over λ")


def smallest() -> sp.Expr:
    """Return (λ/8)^{2/3} − β, the bound below which no column of a minimum has its squared norm.

    Returns
    -------
    sympy expression
    """
    return (lam / 8) ** sp.Rational(2, 3) - beta


def _threshold() -> None:
    """4 ≥ λ(s + 4β)/(2(s + β)^{5/2}) gives (s + β)^{3/2} ≥ λ/8."""
    coarse = lam / (2 * (square + beta) ** sp.Rational(3, 2))
    require_positive(lam * bend(square) - coarse, "what −λw′ exceeds λ/(2(s + β)^{3/2}) by")
    require_identity(coarse.subs(square, smallest()), 4, "that bound at s = (λ/8)^{2/3} − β")
    require_positive(-sp.diff(coarse, square), "how it falls with s")


STEPS: tuple[Step, ...] = (
    symbolic("concavity", _concavity),
    cited(
        "Jensen",
        "For a strictly concave φ and weights p_j ≥ 0 of sum 1, φ(Σp_jλ_j) ≥ Σp_jφ(λ_j), with "
        "equality iff all λ_j with p_j > 0 are equal.",
    ),
    argument(
        "exact fits",
        "UᵀU = OΛOᵀ has the eigenvalues of UUᵀ = M and zeros, so s_i = Σ_jO_ij²λ_j, where "
        "the O_ij² sum to 1 over j and over i. Summed, Σφ(s_i) ≥ Σφ(λ_j) = Σφ(σ_j²), as φ(0) = 0. "
        "Equality makes every e_i an eigenvector of UᵀU, so that UᵀU is diagonal: the columns are "
        "orthogonal, r of them are non-zero, and their norms are the σ_j.",
        "concavity",
        "Jensen",
    ),
    symbolic("a Gram matrix and a diagonal", _commuting),
    symbolic("two columns of equal norm", _merging),
    argument(
        "orthogonal columns",
        "Where 4(UUᵀ − M)U = −λUW, UᵀUW = WUᵀU, so an inner product is 0 unless w, and so the "
        "norm, is the same. For equal norms the turn by θ leaves UUᵀ, and the curvature of f "
        "along it, which at a stationary point is the Hessian's, is negative unless g = 0.",
        "a Gram matrix and a diagonal",
        "two columns of equal norm",
        "concavity",
    ),
    symbolic("learned columns", shrinkage),
    symbolic("the smallest norm", _threshold),
    symbolic("zero columns", _instability),
    argument(
        "zero columns, any U",
        "The gradient is zero at a zero column, so its curvature along v is that of f, "
        "2λ/√β − 4vᵀ(M − UUᵀ)v, smallest at the leading eigenvector of M − UUᵀ.",
        "zero columns",
    ),
    argument(
        "second-order stationary points",
        "Orthogonal columns obey Mu = (s + λw(s)/4)u. Each non-zero one lies along an eigenvector "
        "of M of a positive eigenvalue, so there are at most r < k, and one column is empty. "
        "Along itself its curvature is 2s times the slope of f′(n)/n in n², so s is no less than "
        "the smallest norm squared. If fewer columns than its multiplicity belong to an "
        "eigenvalue σ², an empty column has the curvature 2λ/√β − 4σ² along the eigenvector that "
        "is left, which cannot be negative: so λ ≥ 2σ²√β.",
        "orthogonal columns",
        "learned columns",
        "the smallest norm",
        "zero columns, any U",
    ),
    argument(
        "empty columns stay empty",
        "Where orthogonal stationary columns belong to all r eigenvalues, M − UUᵀ has the "
        "eigenvalues λw(s_i)/4 and 0. w falls strictly from 2/√β, so 4 times them is less than "
        "2λ/√β: every curvature of an empty column is positive.",
        "zero columns, any U",
        "learned columns",
        "concavity",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `group_lasso`, to be run or verified.

    Parameters
    ----------
    thorough : bool, optional
        Changes nothing: every step is symbolic.

    Returns
    -------
    Proof
    """
    del thorough
    return Proof(
        claim="group_lasso",
        proves=("group_lasso_fits", "group_lasso_columns", "empty_columns"),
        clauses=(
            Clause(
                "Among all U with UUᵀ = M of rank r, exactly those with r non-zero columns that "
                "are orthogonal with norms σ_i minimize Σφ(‖u_i‖²), for every β ≥ 0.",
                ("exact fits",),
            ),
            Clause(
                "Where f = ‖UUᵀ − M‖² + λR_β, λ, β > 0, is stationary to second order and k > r, "
                "the non-zero columns are orthogonal eigenvectors of M with "
                "s = σ² − λw(s)/4 ≥ (λ/8)^{2/3} − β; they are at most r, and at least as many as "
                "σ_i² exceed λ/(2√β).",
                ("second-order stationary points",),
            ),
            Clause(
                "Without smoothing, β = 0, a learned column has n² = σ² − λ/(4σ) + o(λ).",
                ("learned columns",),
            ),
            Clause(
                "A zero column of U has a direction of negative curvature iff λ < 2√β times the "
                "largest eigenvalue of M − UUᵀ.",
                ("zero columns, any U",),
            ),
            Clause(
                "It has none, for every β, if the others are orthogonal stationary columns for "
                "all r eigenvalues.",
                ("empty columns stay empty",),
            ),
        ),
        source="dlnlab; the penalty is Rajaraman et al. 2023",
        open=(
            "Sensing, and approximate second-order minima: the paper's theorem, whose full text "
            "was not available.",
        ),
        reading="1e5551609ff7",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
