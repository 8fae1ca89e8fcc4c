r"""Counterexamples to the inequality of Theorem 2, as theorems: the margin is enclosed in a ball.

For L = 2 the wide flow has a closed form.  With Z, X = ZZᵀ and S as in `dominance`, E(t) = e^{tS}
and K(t) = ∫_0^t e^{2sS} ds, put X = E Z_0 P Z_0ᵀ E with P = (I + Z_0ᵀ K Z_0)⁻¹.  As Ė = SE = ES
and Ṗ = −P Z_0ᵀ E² Z_0 P, this X solves Ẋ = SX + XS − X² with X(0) = Z_0Z_0ᵀ.  W is its upper right
block.
For M = diag(σ_1, …, σ_d) S splits into blocks [[0, σ], [σ, 0]], whose exponentials are hyperbolic
functions.  The compressed flow is the logistic function, and β² = ε²/(1 + 2ε²t).  So

    margin = ‖W(t) − M‖² − ‖W̃(t) − M‖²

is an explicit expression in σ, ε, t and the rational rotation Q, which ball arithmetic
(python-flint) encloses rigorously.  A ball to the left of zero refutes ‖W(t) − M‖² ≥ ‖W̃(t) − M‖²
for that instance, beyond rounding and beyond any integrator.

Why it fails for r̂ > r: after fitting, the wide residual value obeys 1/σ_2 ≈ 2t + c with a larger
constant c than 1/β² = 2t + 1/ε², since part of its start was spent on directions that decay faster.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import sympy as sp

from .dominance import lifted_flow
from .facts import (
    Fact,
    ProofError,
    record,
    require_identity,
    require_less,
    require_limit,
)
from .noncommutative import identity, letters, matrix, require_same, symmetric
from .proof import Clause, Proof, Step, argument, main, symbolic

__all__ = ["RotatedStart", "build", "margin"]

try:
    import flint
except ImportError:  # on a system for which there is no python-flint; nothing else needs it
    flint = None  # type: ignore[assignment]

PRECISION = 400
"""Bits. e^{4σt} stays below 2⁹³, so cancellation leaves hundreds of correct bits; a precision
that were too low would widen the balls and make the checks fail, never pass."""

Interval = tuple[str, str]


@dataclass(frozen=True)
class RotatedStart:
    """M = diag(values), start W_1 = εI, W_2 = εQ with Q the rotation by cosine and sine.

    Parameters
    ----------
    values : tuple of two Fractions
        The diagonal of M.
    rank, r_hat : int
    eps : Fraction
        ε.
    cosine, sine : Fraction
        Of the rotation Q.
    time : Fraction
        At which both flows are compared.
    """

    values: tuple[Fraction, Fraction]
    rank: int
    r_hat: int
    eps: Fraction
    cosine: Fraction
    sine: Fraction
    time: Fraction

    def __str__(self) -> str:
        values = ", ".join(str(value) for value in self.values)
        return (
            f"M = diag({values}), r̂ = {self.r_hat}, ε = {self.eps}, "
            f"(cos, sin) = ({self.cosine}, {self.sine}), t = {self.time}"
        )


_F = Fraction
RESIDUAL = RotatedStart((_F(1), _F(0)), 1, 2, _F(1, 5), _F(-3, 5), _F(4, 5), _F(6))
SMALL_START = RotatedStart((_F(1), _F(0)), 1, 2, _F(1, 100), _F(-99, 101), _F(20, 101), _F(16))
LARGE_START = RotatedStart((_F(1), _F(1, 20)), 2, 2, _F(1), _F(0), _F(1), _F(4))


def _solution_formula() -> None:
    """X = E Z_0 P Z_0ᵀ E solves the Riccati equation, for all sizes (words)."""
    drift, flow, middle = symmetric("S", "n"), symmetric("E", "n"), symmetric("P", "k")
    start = matrix("Z0", "n", "k")
    rates = {
        letters(flow)[0]: drift @ flow,
        letters(middle)[0]: -(middle @ start.T @ flow @ flow @ start @ middle),
    }
    x = flow @ start @ middle @ start.T @ flow
    commuting = {letters(flow, drift): drift @ flow}
    claimed = drift @ x + x @ drift - x @ x
    require_same(x.derivative(rates), claimed, commuting, "Ẋ for the closed form")


def _inverse_rule() -> None:
    """PA = I gives Ṗ = −PȦP: then d(PA)/dt vanishes."""
    inverse, system, rate = symmetric("P", "k"), symmetric("A", "k"), symmetric("A'", "k")
    rules = {letters(inverse, system): identity("k"), letters(system, inverse): identity("k")}
    rates = {letters(system)[0]: rate, letters(inverse)[0]: -(inverse @ rate @ inverse)}
    moving = (inverse @ system).derivative(rates)
    require_same(moving, 0 * identity("k"), rules, "d(PA)/dt")


def _exponential_blocks() -> None:
    """On a block S = [[0, σ], [σ, 0]]: Ė = SE, E(0) = I and K̇ = E², K(0) = 0; also for σ → 0."""
    sigma, t = sp.symbols("σ t", positive=True)
    drift = sp.Matrix([[0, sigma], [sigma, 0]])
    flow = _block(*(f.rewrite(sp.exp) for f in (sp.cosh(sigma * t), sp.sinh(sigma * t))))
    integral = _block(*(f.rewrite(sp.exp) for f in _integral_entries(sigma, t, sp)))
    require_identity(flow.diff(t), drift * flow, "Ė")
    require_identity(flow.subs(t, 0), sp.eye(2), "E(0)")
    require_identity(integral.diff(t), flow * flow, "K̇")
    require_identity(integral.subs(t, 0), 0, "K(0)")
    for entry, limit in zip(integral[0, :], (t, 0), strict=True):
        require_limit(entry, sigma, 0, limit, "an entry of K")


def _block(same: sp.Expr, other: sp.Expr) -> sp.Matrix:
    return sp.Matrix([[same, other], [other, same]])


def _integral_entries(sigma: Any, time: Any, functions: Any) -> tuple[Any, Any]:
    """Return the diagonal and off-diagonal entry of ∫_0^t e^{2sS} ds on one block, σ > 0."""
    angle = 2 * sigma * time
    return functions.sinh(angle) / (2 * sigma), (functions.cosh(angle) - 1) / (2 * sigma)


class _Balls:
    """sinh and cosh of balls, under the names that sympy uses."""

    @staticmethod
    def sinh(angle: Any) -> Any:
        return angle.sinh()

    @staticmethod
    def cosh(angle: Any) -> Any:
        return angle.cosh()


def _ball(number: Fraction) -> Any:
    """Return the ball around a fraction at the working precision."""
    return flint.arb(flint.fmpq(number.numerator, number.denominator))


def _assembled(blocks: list[tuple[Any, Any]]) -> Any:
    """Return [[diag(same), diag(other)], [diag(other), diag(same)]]."""
    size = len(blocks)
    total = flint.arb_mat(2 * size, 2 * size)
    for i, (same, other) in enumerate(blocks):
        total[i, i] = total[size + i, size + i] = same
        total[i, size + i] = total[size + i, i] = other
    return total


def _exponential(instance: RotatedStart) -> Any:
    time = _ball(instance.time)
    angles = [_ball(value) * time for value in instance.values]
    return _assembled([(angle.cosh(), angle.sinh()) for angle in angles])


def _integral(instance: RotatedStart) -> Any:
    time = _ball(instance.time)
    return _assembled(
        [
            _integral_entries(_ball(value), time, _Balls) if value else (time, flint.arb(0))
            for value in instance.values
        ]
    )


def _start(instance: RotatedStart) -> Any:
    """Return Z_0 = [εQ; εI]."""
    eps, c, s = (_ball(x) for x in (instance.eps, instance.cosine, instance.sine))
    zero = flint.arb(0)
    rows = [[eps * c, -eps * s], [eps * s, eps * c], [eps, zero], [zero, eps]]
    return flint.arb_mat(rows)


def _wide_error(instance: RotatedStart) -> Any:
    """Return ‖W(t) − M‖² of the wide flow."""
    flow, start = _exponential(instance), _start(instance)
    flipped = start.transpose()
    system = flint.arb_mat(2, 2, [1, 0, 0, 1]) + flipped * _integral(instance) * start
    lift = flow * start * _inverse(system) * flipped * flow
    total = flint.arb(0)
    for i in range(2):
        for j in range(2):
            goal = _ball(instance.values[i]) if i == j else flint.arb(0)
            total += (lift[i, 2 + j] - goal) ** 2
    return total


def _inverse(system: Any) -> Any:
    try:
        return system.inv()
    except ZeroDivisionError:  # how arb_mat says that the balls contain a singular matrix
        raise ProofError("the balls are too wide to invert; raise PRECISION") from None


def _residual_value(instance: RotatedStart) -> Any:
    """Return β(t)² = ε²/(1 + 2ε²t)."""
    square = _ball(instance.eps) ** 2
    return square / (1 + 2 * square * _ball(instance.time))


def _compressed_error(instance: RotatedStart) -> Any:
    """Return ‖W̃(t) − M‖² of the compressed flow, r̂ ≥ r."""
    square, time = _ball(instance.eps) ** 2, _ball(instance.time)
    total = (instance.r_hat - instance.rank) * _residual_value(instance) ** 2
    for value in instance.values[: instance.rank]:
        goal = _ball(value)
        fitted = goal / (1 + (goal / square - 1) * (-2 * goal * time).exp())
        total += (fitted - goal) ** 2
    return total


def margin(instance: RotatedStart) -> Any:
    """Return ‖W − M‖² − ‖W̃ − M‖²; negative means that Eq. (13) fails.

    Parameters
    ----------
    instance : RotatedStart

    Returns
    -------
    flint.arb
        A ball that holds the true number.
    """
    return _wide_error(instance) - _compressed_error(instance)


def _refined_margin(instance: RotatedStart) -> Any:
    """Return the margin of the refined theorem, with the correction (r̂ − r)β^{2L}."""
    correction = (instance.r_hat - instance.rank) * _residual_value(instance) ** 2
    return margin(instance) + correction


def _enclosed(
    quantity: Callable[[RotatedStart], Any], instance: RotatedStart, bounds: Interval
) -> None:
    """Require that the ball of a quantity lies strictly between two decimal numbers."""
    require_identity(instance.cosine**2 + instance.sine**2, 1, "c² + s², so that Q is a rotation")
    with flint.ctx.workprec(PRECISION):
        value = quantity(instance)
        low, high = (_ball(Fraction(bound)) for bound in bounds)
        inside = bool(value > low) and bool(value < high)
    name = quantity.__name__.replace("_", " ").strip()
    if not inside:
        raise ProofError(f"{name} at {instance}: expected within {bounds}, got {value}")
    record(Fact(f"the {name}", lambda: f"{bounds[0]} < {value.str(8)} < {bounds[1]} at {instance}"))


def _starts_of_the_flow() -> None:
    """At t = 0 the closed form returns the orthogonal start, hence Corollary 1's exact gap."""
    for instance in (RESIDUAL, LARGE_START):
        _start_of_the_flow(replace(instance, time=Fraction(0)))


def _start_of_the_flow(instance: RotatedStart) -> None:
    with flint.ctx.workprec(PRECISION):
        value = margin(instance)
        scale = _ball(instance.eps) ** 2
        aligned = _ball(instance.cosine) * sum((_ball(v) for v in instance.values), flint.arb(0))
        total = sum((_ball(v) for v in instance.values), flint.arb(0))
        expected = (2 - instance.r_hat) * scale**2 + 2 * scale * (total - aligned)
        error = value - expected
        if not bool(error.overlaps(flint.arb(0))):
            raise ProofError(f"margin(0) differs from Corollary 1's gap by {error}")
        require_less(error.rad(), _ball(Fraction(1, 10**60)), "radius of margin(0) − gap, about 0")


def _enclosure(
    title: str, quantity: Callable[[RotatedStart], Any], name: str, bounds: Interval
) -> Step:
    """Return the step that encloses a quantity at the instance called `name` in this module."""

    def check() -> None:
        _enclosed(quantity, globals()[name], bounds)

    return Step(title, "enclosure", check)


STEPS: tuple[Step, ...] = (
    symbolic("the Riccati equation", lifted_flow, L=2),
    symbolic("derivative of an inverse", _inverse_rule),
    symbolic("its solution", _solution_formula),
    symbolic("exponentials", _exponential_blocks),
    argument(
        "the closed form",
        "X = E Z_0 (I + Z_0ᵀKZ_0)⁻¹ Z_0ᵀ E is the flow's X, W its corner; the compressed flow is "
        "the "
        "logistic function with β² = ε²/(1 + 2ε²t), by `closed_form`.",
        "the Riccati equation",
        "derivative of an inverse",
        "its solution",
        "exponentials",
    ),
    Step("the closed form at t = 0", "enclosure", _starts_of_the_flow),
    _enclosure("r̂ > r", margin, "RESIDUAL", ("-6.297e-4", "-6.296e-4")),
    _enclosure("r̂ > r, small ε", margin, "SMALL_START", ("-9.933e-9", "-9.932e-9")),
    _enclosure("ε^L > σ_r*, r̂ = r", margin, "LARGE_START", ("-2.766e-3", "-2.765e-3")),
    _enclosure("the refined bound holds there", _refined_margin, "RESIDUAL", ("0", "1e-3")),
    _enclosure("and for small ε", _refined_margin, "SMALL_START", ("0", "1e-8")),
)

CLAUSES: tuple[Clause, ...] = (
    Clause(
        "Without Assumption 1 the inequality of Theorem 2 fails for r̂ > r, also for small ε: at "
        "two "
        "instances with L = 2 ‖W − M‖² − ‖W̃ − M‖² is enclosed in a negative interval.",
        ("the closed form", "the closed form at t = 0", "r̂ > r", "r̂ > r, small ε"),
        {"L": 2},
    ),
    Clause(
        "It fails for r̂ = r when ε^L > σ_r*, at one instance.",
        ("the closed form", "ε^L > σ_r*, r̂ = r"),
        {"L": 2},
    ),
    Clause(
        "The refined bound holds at the first two.",
        ("the closed form", "the refined bound holds there", "and for small ε"),
        {"L": 2},
    ),
)


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `counterexamples`, to be run or verified.

    Parameters
    ----------
    thorough : bool, optional
        Changes nothing.

    Returns
    -------
    Proof

    Raises
    ------
    ImportError
        If python-flint is not installed.
    """
    del thorough
    if flint is None:
        raise ImportError(
            "the enclosures need python-flint, which is missing (`pip install python-flint`); "
            "`late_times` refutes the same inequality without it"
        )
    return Proof(
        claim="counterexamples",
        clauses=CLAUSES,
        source="Kwon et al. 2024, Eq. (13), when the start is not exactly aligned",
        corrections=(
            "See theorem2 for what remains true, late_times and turned_start for whole families.",
        ),
        open=(
            "Enclosed numbers for L ≥ 3, where the wide flow has no closed form; turned_start "
            "proves the failure at every depth without them.",
        ),
        proves=("eq13_any_start", "eq13_large_start"),
        reading="158f74eff0b0",
        steps=STEPS,
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
