r"""Comparison of scalar flows, for one-sided derivatives.

A largest eigenvalue is continuous but not differentiable where eigenvalues meet; there it has the
upper right derivative D⁺σ(t) = limsup (σ(t + h) − σ(t))/h, h ↓ 0.  The comparison theorem in the
form that differentiable functions have (Teschl 2012, Theorem 1.3) is not enough, so it is proved.

*Lemma.* A continuous y with D⁺y ≤ 0 on [a, b) has y(b) ≤ y(a). For δ > 0 let s be the largest time
such that y(τ) ≤ y(a) + δ(τ − a) for τ ≤ s. If s < b, then D⁺y(s) ≤ 0 < δ lets the inequality go on
beyond s, which contradicts its choice. Now let δ → 0.

*Theorem.* Let f(t, σ) be continuous, locally Lipschitz in σ, D⁺σ ≤ f(t, σ), σ̃′ = f(t, σ̃) and σ(0)
≤ σ̃(0). Then σ ≤ σ̃. Suppose σ(t_1) > σ̃(t_1) and let t_0 be the last time before at which they are
equal. On [t_0, t_1], with a Lipschitz constant K for the values taken there, g = σ − σ̃ ≥ 0 obeys
D⁺g ≤ f(t, σ) − f(t, σ̃) ≤ Kg, so y = e^{−Kt}g has D⁺y = e^{−Kt}(D⁺g − Kg) ≤ 0: y stays at 0, while
y(t_1) > 0.
"""

from __future__ import annotations

import sympy as sp

from .facts import require_identity, require_less
from .proof import Clause, Proof, Step, argument, exact, main, symbolic

__all__ = ["build", "t"]

t, K = sp.symbols("t K", positive=True)


def _weighted() -> None:
    """The derivative of e^{−Kt}g(t) is e^{−Kt}(g′ − Kg)."""
    g = sp.Function("g")(t)
    weight = sp.exp(-K * t)
    require_identity(sp.diff(weight * g, t), weight * (sp.diff(g, t) - K * g), "(e^{−Kt}g)˙")


def _lipschitz_is_needed() -> None:
    """σ̃ = 0 and σ = t³ both solve σ′ = 3|σ|^{2/3} from 0."""

    def field(value: sp.Expr) -> sp.Expr:
        return 3 * value ** sp.Rational(2, 3)

    above, below = t**3, sp.Integer(0)
    require_identity(sp.diff(above, t), field(above), "σ̇ for σ = t³ against 3σ^{2/3}")
    require_identity(sp.diff(below, t), field(below), "σ̇ for σ = 0 against 3σ^{2/3}")
    require_identity(above.subs(t, 0), below, "their starts")
    require_less(below, above.subs(t, 1), "and their values at t = 1")


STEPS: tuple[Step, ...] = (
    argument(
        "a nonpositive Dini derivative",
        "y continuous, D⁺y ≤ 0 on [a, b): for δ > 0 let s be the largest time up to which "
        "y(τ) ≤ y(a) + δ(τ − a). If s < b, D⁺y(s) ≤ 0 < δ carries it further; so s = b; let δ → 0.",
    ),
    symbolic("the weight", _weighted),
    argument(
        "conclusion",
        "Were σ(t_1) > σ̃(t_1), let t_0 be the last time before with σ = σ̃. On [t_0, t_1] g = σ − σ̃ "
        "has D⁺g ≤ f(t, σ) − f(t, σ̃) ≤ Kg, so e^{−Kt}g does not increase from 0: a contradiction.",
        "a nonpositive Dini derivative",
        "the weight",
    ),
    exact("a Lipschitz constant is needed", _lipschitz_is_needed),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `comparison`, to be run or verified.

    Parameters
    ----------
    thorough : bool, optional
        Changes nothing.

    Returns
    -------
    Proof
    """
    del thorough
    return Proof(
        claim="comparison",
        clauses=(
            Clause(
                "If σ is continuous, D⁺σ ≤ f(t, σ), σ̃′ = f(t, σ̃), σ(0) ≤ σ̃(0), and f is continuous "
                "and locally Lipschitz in σ, then σ ≤ σ̃ for as long as both exist.",
                ("conclusion",),
            ),
            Clause(
                "Without a Lipschitz constant this is false.", ("a Lipschitz constant is needed",)
            ),
        ),
        source="for differentiable σ: Teschl 2012, Theorem 1.3",
        corrections=(
            "Kwon et al. use the theorem for σ_{i+1}(t) of a sorted spectrum, which need not be "
            "differentiable where singular values meet.",
        ),
        reading="34cdc8c625b5",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
