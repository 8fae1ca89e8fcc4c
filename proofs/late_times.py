r"""A turned start in two dimensions, L = 2: the flow in closed form, and the rate of its lateness.

Let d = r̂ = 2, r = 1, M = diag(σ, 0), W_1(0) = εI and W_2(0) = εR(θ), 0 < θ < π. By `turned_start`
the flow is W = R(a) diag(σ_1, σ_2) R(a) with κ = σ_1 + σ_2 for L = 2, so that

    ȧ = −σ sin a cos a:   tan a = T e^{−σt},   T = tan(θ/2),

and the equations of the two values are linear in their reciprocals,

    (1/σ_1)˙ = 2 − 2σcos²a/σ_1,   (1/σ_2)˙ = 2 + 2σsin²a/σ_2.

With F = 1 + T²e^{−2σt} and H = F e^{2σt} = e^{2σt} + T² one has 2σcos²a = Ḣ/H and 2σsin²a = −Ḟ/F,
hence (H/σ_1)˙ = 2H and (F/σ_2)˙ = 2F, and

    H/σ_1 = (1 + T²)/ε² + (e^{2σt} − 1)/σ + 2T²t,
    F/σ_2 = (1 + T²)/ε² + 2t + (T²/σ)(1 − e^{−2σt}).

*Late times.*  F → 1, so 1/σ_2 = 2t + κ up to an exponentially small error, while the compressed
network has 1/β² = 2t + 1/ε², and

    κ − 1/ε² = T²(1/ε² + 1/σ) > 0,   T² = (1 − c)/(1 + c), c = cos θ.

The wide residual value is the smaller one. By `turned_start` the rest of ‖W − M‖² and of ‖W̃ − M‖²
is exponentially small, so

    lim t³·(‖W − M‖² − ‖W̃ − M‖²) = −¼·(1−c)/(1+c)·(1/ε² + 1/σ) < 0:

for every σ, ε > 0 and every rotation but ±I the wide network is closer to M at all late times.
"""

from __future__ import annotations

import sympy as sp

from . import turned_start
from .facts import require_identity, require_limit, require_positive
from .proof import Clause, Proof, Step, argument, cited, main, symbolic
from .proposition1 import summand

__all__ = ["angle", "bottom_value", "build", "eps", "excess", "sigma", "t", "top_value"]

sigma, eps, t, T = sp.symbols("σ ε t T", positive=True)
w = sp.Symbol("w", positive=True)


def _sine_factor() -> sp.Expr:
    """Return F = 1 + T²e^{−2σt}, 1/cos²a."""
    return 1 + T**2 * sp.exp(-2 * sigma * t)


def top_value() -> sp.Expr:
    """Return σ_1(t) in closed form.

    Returns
    -------
    sympy expression
    """
    grown = sp.exp(2 * sigma * t)
    bottom = (1 + T**2) / eps**2 + (grown - 1) / sigma + 2 * T**2 * t
    return (grown + T**2) / bottom


def bottom_value() -> sp.Expr:
    """Return σ_2(t) in closed form.

    Returns
    -------
    sympy expression
    """
    decayed = sp.exp(-2 * sigma * t)
    bottom = (1 + T**2) / eps**2 + 2 * t + T**2 / sigma * (1 - decayed)
    return _sine_factor() / bottom


def angle() -> sp.Expr:
    """Return a(t) = arctan(T e^{−σt}).

    Returns
    -------
    sympy expression
    """
    return sp.atan(T * sp.exp(-sigma * t))


def _offset() -> sp.Expr:
    """Return κ, with 1/σ_2 = 2t + κ at late times."""
    return (1 + T**2) / eps**2 + T**2 / sigma


def _along(rate: sp.Expr, L: int) -> sp.Expr:
    """Return a rate of :mod:`.turned_start` at the closed form, for L layers."""
    weight = sum(summand(turned_start.s1, turned_start.s2, sp.Integer(j)) for j in range(1, L + 1))
    values = {turned_start.sigma: sigma, turned_start.angle: angle()}
    full = rate.subs(turned_start.kappa, weight).subs(turned_start.L, L).subs(values)
    return full.subs({turned_start.s1: top_value(), turned_start.s2: bottom_value()})


def _angle_solves(L: int) -> None:
    """The angle solves its equation, from θ/2."""
    moving = _along(turned_start.angle_rate(), L)
    require_identity(sp.diff(angle(), t), moving, "ȧ for tan a = Te^{−σt}")
    require_identity(sp.tan(angle()).subs(t, 0), T, "tan a at t = 0")
    require_identity(_sine_factor(), 1 / sp.cos(angle()) ** 2, "F against 1/cos²a")


def _values_solve(L: int) -> None:
    """The two singular values solve theirs, from ε^L."""
    require_identity(top_value().subs(t, 0), eps**L, "σ_1(0)")
    require_identity(bottom_value().subs(t, 0), eps**L, "σ_2(0)")
    require_identity(sp.diff(top_value(), t), _along(turned_start.top_rate(), L), "σ̇_1")
    require_identity(sp.diff(bottom_value(), t), _along(turned_start.bottom_rate(), L), "σ̇_2")


def _late_residual() -> None:
    """1/σ_2 − 2t tends to κ, exponentially fast: F(1/σ_2) − 2t − κ is a multiple of e^{−2σt}."""
    rest = _sine_factor() / bottom_value() - 2 * t - _offset()
    require_identity(rest, -(T**2) / sigma * sp.exp(-2 * sigma * t), "F/σ_2 − 2t − κ")
    require_identity(_sine_factor() - 1, T**2 * sp.exp(-2 * sigma * t), "F − 1")


def excess() -> sp.Expr:
    """Return the claimed κ − 1/ε² = T²(1/ε² + 1/σ) > 0.

    Returns
    -------
    sympy expression
    """
    return T**2 * (1 / eps**2 + 1 / sigma)


def _offsets_differ() -> None:
    """κ − 1/ε² is positive; in the cosine c = (1 − w)/(1 + w) of θ, T² = (1−c)/(1+c) = w."""
    require_identity(_offset() - 1 / eps**2, excess(), "κ − 1/ε²")
    require_positive(excess(), "its sign")
    cosine = (1 - w) / (1 + w)
    require_identity((1 - cosine) / (1 + cosine), w, "(1 − c)/(1 + c) for c = (1 − w)/(1 + w)")
    half = sp.cos(2 * sp.atan(sp.sqrt(w)))
    require_identity(sp.expand_trig(half), cosine, "cos θ for tan²(θ/2) = w")


def _limit_of_the_margin() -> None:
    """t³·(1/(2t + κ)² − 1/(2t + 1/ε²)²) tends to −¼(κ − 1/ε²)."""
    margin = 1 / (2 * t + _offset()) ** 2 - 1 / (2 * t + 1 / eps**2) ** 2
    require_limit(t**3 * margin, t, sp.oo, -excess() / 4, "t³ times the margin of the residuals")


STEPS: tuple[Step, ...] = (
    symbolic("the angle", _angle_solves, L=2),
    symbolic("the singular values", _values_solve, L=2),
    cited("one flow per start", "Smooth equations have one solution per start (Picard–Lindelöf)."),
    argument(
        "the closed form",
        "`turned_start` reduces the flow to three scalar equations; these functions solve them.",
        "the angle",
        "the singular values",
        "one flow per start",
    ),
    symbolic("the late residual value", _late_residual),
    symbolic("the offsets", _offsets_differ),
    symbolic("the limit", _limit_of_the_margin),
    argument(
        "conclusion",
        "σ − σ_1 and sin²a decay exponentially (`turned_start`), so does σ − σ̃_1 (the logistic "
        "function of `closed_form`): the limit is that of the residual values alone. The "
        "off-diagonal entries of W vanish in the limit: any c_vec > 0 is met.",
        "the closed form",
        "the late residual value",
        "the offsets",
        "the limit",
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `late_times`, to be run or verified.

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
        claim="late_times",
        clauses=(
            Clause(
                "d = 2, M = diag(σ, 0), Q the rotation by θ, T = tan(θ/2): the wide flow is "
                "R(a) diag(σ_1, σ_2) R(a) with tan a = Te^{−σt}, σ_1 = (e^{2σt} + T²)/[(1 + T²)/ε² "
                "+ "
                "(e^{2σt} − 1)/σ + 2T²t] and σ_2 = (1 + T²e^{−2σt})/[(1 + T²)/ε² + 2t + "
                "(T²/σ)(1 − e^{−2σt})].",
                ("the closed form", "the angle", "the singular values"),
                {"L": 2},
            ),
            Clause(
                "For r̂ = 2, t³(‖W − M‖² − ‖W̃ − M‖²) → −¼(1−c)/(1+c)·(1/ε² + 1/σ) < 0, c = cos θ ≠ "
                "±1: "
                "the wide flow is closer to M at all late times, however small ε is.",
                ("conclusion", "the limit", "the offsets"),
                {"L": 2},
            ),
        ),
        source="Kwon et al. 2024, Theorem 2 (Eq. 13) with r̂ > r and c_vec > 0",
        corrections=(
            "With c_vec > 0, however small, '∀t ≥ 0' needs r̂ = r or the correction (r̂ − r)β^{2L}.",
        ),
        open=("The exact rate for L ≥ 3; turned_start proves that the failure is there.",),
        proves=("closed_form_plane", "eq13_small_c_vec"),
        reading="e33d032bd9bd",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
