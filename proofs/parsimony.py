r"""Parsimony: the wide network is a 2r-dimensional network and one scalar per layer.

Let W_l(0) = εQ_l with orthogonal Q_l, Q = Q_L⋯Q_1, and M = UΣVᵀ of rank r with 2r < d.  Choose an
orthonormal basis Z_0 of span{V, QᵀU} and carry it along, Z_l = Q_l Z_{l−1}; then Z_L is a basis of
span{QV, U}.  Call *parsimonious* any weights

    W_l = Z_l B_l Z_{l−1}ᵀ + ρ_l (Q_l − Z_l Z_{l−1}ᵀ)                                        (∗)

with B_l of size 2r × 2r.  The start has this form with B_l = εI, ρ_l = ε.

*Products.*  By Q_l Z_{l−1} = Z_l and Q_lᵀ Z_l = Z_{l−1} the mixed terms cancel, so a product of
adjacent layers has the form (∗) again, with the product of the B's, of the ρ's and of the Q's.

*Residual.*  Both column and row space of M lie in the spans, so M = Z_L N Z_0ᵀ with
N = Z_Lᵀ M Z_0, and W_L⋯W_1 − M = Z_L (B_L⋯B_1 − N) Z_0ᵀ + (∏ρ_k)(Q − Z_L Z_0ᵀ).

*One wide end.* If d_in > d, W_1(0) = εQ_1 with Q_1Q_1ᵀ = I and the other layers square, let Z_1
span Q_1V and the pulled-back U, and Z_in span V and Q_1ᵀZ_1, of 3r dimensions. With C =
Z_1ᵀQ_1Z_in, of which the rows are orthonormal, Q_1Z_in = Z_1C and Q_1ᵀZ_1 = Z_inCᵀ, and W_1 =
Z_1B_1Z_inᵀ + ρ_1(Q_1 − Z_1CZ_inᵀ) takes the place of (∗), B_1 of size 2r × 3r, B_1(0) = εC.

*Gradient.*  With B_>, ρ_>, Q_> the products above layer l and B_<, ρ_<, Q_< those below,

    ∇_l = Z_l [B_>ᵀ(B_L⋯B_1 − N)B_<ᵀ] Z_{l−1}ᵀ + ρ_l (∏_{k≠l} ρ_k²)(Q_l − Z_l Z_{l−1}ᵀ).

Hence a step with rate η_l and weight decay μ keeps the form (∗):

    B_l⁺ = (1 − η_lμ)B_l − η_l B_>ᵀ(B_L⋯B_1 − N)B_<ᵀ   (the 2r-dimensional network's own step),
    ρ_l⁺ = ρ_l (1 − η_lμ − η_l ∏_{k≠l} ρ_k²).

(For the outermost layers the empty product I has the form (∗) too, with B = I, ρ = 1, Q = I.)
By induction the form persists for ever.  The flow is no limit of this to be argued over: −∇_l is
tangent to the set (∗), so the flow of (B, ρ), lifted by (∗), solves the layers' equation, and
there is one solution per start.  If all layers start at one scale ε, then ρ_l = β for all l, with
β̇ = −β^{2L−1}: the product of the scalars is the β(t)^L of Theorem 1.

The symbolic steps prove this for every depth, width,
rank, set of step sizes (α ≠ 1 included) and weight decay.  The exact steps run full matrices that
know nothing of Z: there the claim is that W_l P_{l−1}^⊥ = ρ_l Q_l P_{l−1}^⊥ and
P_l^⊥ W_l = ρ_l P_l^⊥ Q_l with P_l the projector onto the l-th span.
"""

from __future__ import annotations

from functools import partial
from random import Random
from typing import Any

import sympy as sp
from sympy.polys.matrices import DomainMatrix

from .exact import (
    MODULAR,
    RATIONALS,
    beside,
    chain,
    descend,
    draw,
    draw_positive,
    eye,
    projector,
    random_matrix,
    random_orthogonal,
    require_equal,
    seeded,
)
from .facts import require_identity
from .noncommutative import (
    Rules,
    Words,
    identity,
    letters,
    matrix,
    require_same,
    transported,
)
from .proof import Clause, Proof, Step, argument, cited, exact, main, symbolic
from .scopes import AtLeast
from .theorem1 import beta_next

__all__ = [
    "FRAMES",
    "WIDE_FRAME",
    "build",
    "core",
    "parsimonious",
    "rho_factor",
    "transport_rules",
    "wide_rules",
    "widened",
]

# Spaces of size d: "0" and "L" are the two ends, "b" lies below layer l and "t" on top of it.
ENDS = ("0", "b", "t", "L")
FRAMES = {name: matrix(f"Z{name}", name, "2r") for name in ENDS}
below_q, layer_q, above_q = matrix("Q<", "b", "0"), matrix("Ql", "t", "b"), matrix("Q>", "L", "t")
below_b, layer_b, above_b, core = (matrix(name, "2r", "2r") for name in ("B<", "Bl", "B>", "N"))
rho, rho_below, rho_above, eta, decay = sp.symbols("ρ ρ< ρ> η μ", positive=True)

SHAPES = ((5, 1, 2), (5, 1, 3), (6, 2, 3), (5, 2, 4))
"""(d, r, L) of the exact instances; 2r < d in all of them."""


def transport_rules(*turns: Words) -> Rules:
    """Return Z_l = Q_l Z_{l−1}, its transpose, and the orthogonality of everything in sight.

    Parameters
    ----------
    *turns : Words
        Orthogonal letters; by default those of three neighbouring layers.

    Returns
    -------
    dict
        Rewriting rules.
    """
    return transported(FRAMES, turns or (below_q, layer_q, above_q))


def parsimonious(block: Words, scalar: sp.Expr, turn: Words) -> Words:
    """Return Z_t B Z_bᵀ + ρ(Q − Z_t Z_bᵀ), the form (∗) that all layers and products keep.

    Parameters
    ----------
    block : Words
        B, the part within the frames.
    scalar : sympy expression
        ρ, the factor of everything outside them.
    turn : Words
        Q, a product of orthogonal factors.

    Returns
    -------
    Words
    """
    start, end = FRAMES[turn.cols], FRAMES[turn.rows]
    outside: Words = (turn - end @ start.T) * scalar
    return end @ block @ start.T + outside


def rho_factor(step: Any, weight_decay: Any, others: Any) -> Any:
    """Return ρ_l⁺/ρ_l, what a step multiplies a layer's outside scalar by.

    Parameters
    ----------
    step : number
        Step size.
    weight_decay : number
    others : number
        ∏_{k≠l} ρ_k.

    Returns
    -------
    number
    """
    return 1 - step * weight_decay - step * others**2


def _start_is_parsimonious() -> None:
    """εQ_l has the form (∗) with B_l = εI and ρ_l = ε."""
    eps = sp.Symbol("ε", positive=True)
    claimed = parsimonious(eps * identity("2r"), eps, layer_q)
    require_same(eps * layer_q, claimed, transport_rules(), "W_l(0)")


def _products_stay() -> None:
    """The product of two adjacent parsimonious factors is parsimonious."""
    for upper, lower in (
        ((above_b, rho_above, above_q), (layer_b, rho, layer_q)),
        ((layer_b, rho, layer_q), (below_b, rho_below, below_q)),
    ):
        actual = parsimonious(*upper) @ parsimonious(*lower)
        (b_up, r_up, q_up), (b_low, r_low, q_low) = upper, lower
        claimed = parsimonious(b_up @ b_low, r_up * r_low, q_up @ q_low)
        require_same(actual, claimed, transport_rules(), "product of adjacent layers")


def _target_is_inside() -> None:
    """M = UΣVᵀ equals Z_L(Z_LᵀMZ_0)Z_0ᵀ when U, V lie in the spans of Z_L, Z_0."""
    left, right = matrix("C", "2r", "r"), matrix("D", "2r", "r")
    spectrum = matrix("Σ", "r", "r")
    target = FRAMES["L"] @ left @ spectrum @ (FRAMES["0"] @ right).T
    inside = FRAMES["L"] @ (FRAMES["L"].T @ target @ FRAMES["0"]) @ FRAMES["0"].T
    require_same(target, inside, transport_rules(), "M = Z_L N Z_0ᵀ")


def _layer_gradient() -> Words:
    """Return ∇_l at a parsimonious state, from the products above and below the layer."""
    above = parsimonious(above_b, rho_above, above_q)
    layer = parsimonious(layer_b, rho, layer_q)
    below = parsimonious(below_b, rho_below, below_q)
    rules = transport_rules()
    product = ((above @ layer).reduce(rules) @ below).reduce(rules)
    residual = product - FRAMES["L"] @ core @ FRAMES["0"].T
    return ((above.T @ residual).reduce(rules) @ below.T).reduce(rules)


def _block_gradient() -> Words:
    """Return the 2r-dimensional network's own gradient B_>ᵀ(B_L⋯B_1 − N)B_<ᵀ."""
    return above_b.T @ (above_b @ layer_b @ below_b - core) @ below_b.T


def _step_stays() -> None:
    """One gradient step keeps the form (∗) and multiplies ρ_l by the stated factor."""
    layer = parsimonious(layer_b, rho, layer_q)
    following = layer - eta * (_layer_gradient() + decay * layer)
    block = layer_b - eta * (_block_gradient() + decay * layer_b)
    scalar = rho * rho_factor(eta, decay, rho_above * rho_below)
    claimed = parsimonious(block, scalar, layer_q)
    require_same(following, claimed, transport_rules(), "W_l⁺")


def _flow_stays() -> None:
    """−∇_l is the derivative of (∗) along Ḃ_l = −(block gradient), ρ̇_l = −ρ_l∏ρ_k²."""
    velocity = -rho * (rho_above * rho_below) ** 2
    tangent = parsimonious(-_block_gradient(), velocity, layer_q)
    require_same(-_layer_gradient(), tangent, transport_rules(), "Ẇ_l")
    factor = rho_factor(eta, sp.Integer(0), rho_above * rho_below)
    require_identity(rho * sp.diff(factor, eta), velocity, "ρ̇_l, the first order of a step")


WIDE_END, WIDE_FRAME = matrix("Q1", "b", "in"), matrix("Zin", "in", "3r")
TURNED = matrix("C", "2r", "3r")
"""A first layer that is wider than the others: Q_1Q_1ᵀ = I, Q_1Z_in = Z_1C, Q_1ᵀZ_1 = Z_inCᵀ."""


def wide_rules() -> Rules:
    """Return what is known of a wide first layer beside the square ones above it.

    Returns
    -------
    dict
        Rewriting rules.
    """
    frame, end = WIDE_FRAME, FRAMES["b"]
    return {
        **transport_rules(),
        letters(WIDE_END, WIDE_END.T): identity("b"),
        letters(WIDE_END, frame): end @ TURNED,
        letters(frame.T, WIDE_END.T): TURNED.T @ end.T,
        letters(WIDE_END.T, end): frame @ TURNED.T,
        letters(end.T, WIDE_END): TURNED @ frame.T,
        letters(TURNED, TURNED.T): identity("2r"),
        letters(frame.T, frame): identity("3r"),
    }


def widened(block: Words, scalar: sp.Expr, above: Words) -> Words:
    """Return Z_t B Z_inᵀ + ρ(Q_>Q_1 − Z_t C Z_inᵀ), (∗) for products with a wide first layer.

    Parameters
    ----------
    block : Words
        B.
    scalar : sympy expression
        ρ.
    above : Words
        Q_>, the turns of the layers above.

    Returns
    -------
    Words
    """
    end = FRAMES[above.rows]
    outside: Words = (above @ WIDE_END - end @ TURNED @ WIDE_FRAME.T) * scalar
    return end @ block @ WIDE_FRAME.T + outside


def _wide_first_layer() -> None:
    """With a first layer wider than the others, both gradients are tangent to the form."""
    rules = wide_rules()
    first, goal = matrix("B1", "2r", "3r"), matrix("Nin", "2r", "3r")
    below = widened(first, rho_below, identity("b"))
    layer, above = parsimonious(layer_b, rho, layer_q), parsimonious(above_b, rho_above, above_q)
    product = (layer @ below).reduce(rules)
    whole = (above @ product).reduce(rules)
    claimed = widened(above_b @ layer_b @ first, rho_above * rho * rho_below, above_q @ layer_q)
    require_same(whole, claimed, rules, "the product of all layers")
    residual = whole - FRAMES["L"] @ goal @ WIDE_FRAME.T
    gap = above_b @ layer_b @ first - goal
    inner = ((above.T @ residual).reduce(rules) @ below.T).reduce(rules)
    scalar = rho * (rho_above * rho_below) ** 2
    tangent = parsimonious(above_b.T @ gap @ first.T, scalar, layer_q)
    require_same(inner, tangent, rules, "∇_l of a square layer")
    outer = (layer.T @ (above.T @ residual).reduce(rules)).reduce(rules)
    scalar = rho_below * (rho_above * rho) ** 2
    tangent = widened(layer_b.T @ above_b.T @ gap, scalar, identity("b"))
    require_same(outer, tangent, rules, "∇_1 of the wide layer")
    start = widened(rho_below * TURNED, rho_below, identity("b"))
    require_same(start, rho_below * WIDE_END, rules, "W_1(0)")


def _equal_scalars() -> None:
    """With ρ_l = β for every l, ρ̇_l = −β^{2L−1} for every l, as in Theorem 1."""
    beta, depth = sp.symbols("β L", positive=True)
    factor = rho_factor(eta, sp.Integer(0), beta ** (depth - 1))
    require_identity(beta * factor, beta_next(beta, eta, depth), "ρ_l⁺ for equal ρ_l")
    require_identity(beta * sp.diff(factor, eta), -(beta ** (2 * depth - 1)), "ρ̇_l for equal ρ_l")


def _rational_runs(repeats: int, num_steps: int) -> None:
    """Random full-rank starts over ℚ, checked against the scalar recursion after every step."""
    for rng, shape in seeded(SHAPES, repeats):
        eps = draw_positive(RATIONALS, rng) / RATIONALS(4)
        _follow(shape, RATIONALS, rng, num_steps, scales=[eps] * shape[2])


def _modular_runs(repeats: int, num_steps: int) -> None:
    """Follow runs modulo p, with a different scale in every layer."""
    for rng, shape in seeded(SHAPES, repeats):
        scales = [draw(MODULAR, rng) for _ in range(shape[2])]
        _follow(shape, MODULAR, rng, num_steps, scales=scales)


def _follow(
    shape: tuple[int, int, int], field: Any, rng: Random, num_steps: int, scales: list[Any]
) -> None:
    """Run the full network and the scalars ρ_l together; require the exact block structure."""
    d, rank, depth = shape
    turns = [random_orthogonal(d, field, rng) for _ in range(depth)]
    left, right = random_matrix(d, rank, field, rng), random_matrix(d, rank, field, rng)
    target = left * right.transpose()
    outsides = _outsides(turns, left, right)
    for outside in outsides:
        require_equal(outside * outside, outside, "(P^⊥)²")
    outer, hidden, mu = (draw_positive(field, rng, 3) / field(8) for _ in range(3))
    rates = [outer, *[hidden] * (depth - 2), outer]
    weights = [turn.scalarmul(scale) for turn, scale in zip(turns, scales, strict=True)]
    for step in range(1, num_steps + 1):
        weights = descend(weights, target, rates, mu)
        scales = _next_scales(scales, rates, mu, field)
        _require_blocks(weights, turns, outsides, scales, step)


def _outsides(
    turns: list[DomainMatrix], left: DomainMatrix, right: DomainMatrix
) -> list[DomainMatrix]:
    """Return I − P_l for l = 0…L, with P_0 the projector onto span{V, QᵀU}."""
    size, field = left.shape[0], left.domain
    whole = chain(turns, size, field)
    frame = beside(right, whole.transpose() * left)
    outsides = [eye(size, field) - projector(frame)]
    for turn in turns:
        frame = turn * frame
        outsides.append(eye(size, field) - projector(frame))
    return outsides


def _next_scales(scales: list[Any], rates: list[Any], mu: Any, field: Any) -> list[Any]:
    following = []
    for place, (scale, rate) in enumerate(zip(scales, rates, strict=True)):
        others = field(1)
        for k, other in enumerate(scales):
            others = others if k == place else others * other
        following.append(scale * rho_factor(rate, mu, others))
    return following


def _require_blocks(
    weights: list[DomainMatrix],
    turns: list[DomainMatrix],
    outsides: list[DomainMatrix],
    scales: list[Any],
    step: int,
) -> None:
    for layer, (weight, turn, scale) in enumerate(zip(weights, turns, scales, strict=True), 1):
        rest = turn.scalarmul(scale)
        before, after = outsides[layer - 1], outsides[layer]
        require_equal(weight * before, rest * before, f"W_{layer} P^⊥ = ρ Q P^⊥ after step {step}")
        require_equal(after * weight, after * rest, f"P^⊥ W_{layer} = ρ P^⊥ Q after step {step}")


EVERY_STEP = ("the start", "products", "the target", "one step keeps the form", "by induction")


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `parsimony`, to be run or verified.

    Parameters
    ----------
    thorough : bool, optional
        Draws ten times as many instances.

    Returns
    -------
    Proof
    """
    more = 10 if thorough else 1
    return Proof(
        claim="parsimony",
        clauses=(
            Clause(
                "Gradient descent on the wide network with an ε-orthogonal start and a rank-r "
                "target, 2r ≤ d, acts inside a 2r-dimensional block; on the other d − 2r "
                "directions layer l is ρ_l(t)·Q_l, with ρ_l⁺ = ρ_l(1 − η_lμ − η_l∏_{k≠l}ρ_k²).",
                (*EVERY_STEP, "full matrices over ℚ", "evidence beyond single instances"),
                {"L": AtLeast(2)},
            ),
            Clause(
                "The same holds if one outer layer is wider than the others, d = min(d_out, "
                "d_in), with a block of 2r × 3r dimensions.",
                ("one wide end", "the flow at all times"),
                {"L": AtLeast(2)},
            ),
            Clause(
                "The same holds along gradient flow, where ρ_l = β for every l, so that d − "
                "2r of the singular values of W(t) are β(t)^L exactly.",
                ("the flow keeps the form", "equal scalars", "the flow at all times"),
                {"L": AtLeast(2)},
            ),
        ),
        source="Yaras et al. 2023, as used by Kwon et al. 2024, Section 3.1",
        corrections=(
            "The reduction is exact for A = Id only. For a general measurement operator G is not "
            "of low rank plus a multiple of Q, and the argument stops at the residual.",
        ),
        proves=("parsimony",),
        reading="76c433487ddc",
        steps=(
            symbolic("the start", _start_is_parsimonious),
            symbolic("products", _products_stay),
            symbolic("the target", _target_is_inside),
            symbolic("one step keeps the form", _step_stays),
            argument(
                "by induction",
                "The start has the form, and a step keeps it, so every iterate has it.",
                "the start",
                "one step keeps the form",
            ),
            symbolic("the flow keeps the form", _flow_stays),
            symbolic("equal scalars", _equal_scalars),
            symbolic("a wide first layer", _wide_first_layer),
            argument(
                "one wide end",
                "Let W_1(0) = εQ_1 with orthonormal rows, the other layers square. Choose Z_1 to "
                "span "
                "Q_1V and the pulled-back U, Z_in to span V and Q_1ᵀZ_1, C = Z_1ᵀQ_1Z_in: this is "
                "the "
                "form with 2r rows and 3r columns, and every step keeps it. A wide last layer is "
                "the "
                "transposed network.",
                "a wide first layer",
            ),
            cited(
                "uniqueness",
                "A differential equation with a polynomial right-hand side has one solution per "
                "start (Picard–Lindelöf).",
            ),
            argument(
                "the flow at all times",
                "The flow of B and ρ, lifted by (∗), solves the layers' equation from the same "
                "start, so it is the flow. The scalars start equal, and equal scalars solve their "
                "equations.",
                "the start",
                "the flow keeps the form",
                "equal scalars",
                "uniqueness",
            ),
            exact("full matrices over ℚ", partial(_rational_runs, more, 2)),
            Step("long runs modulo 2⁶¹ − 1", "evidence", partial(_modular_runs, 2 * more, 100)),
            argument(
                "evidence beyond single instances",
                "100 steps modulo a prime, a different scale in every layer: a stress test.",
                "long runs modulo 2⁶¹ − 1",
            ),
        ),
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
