r"""Gauge: W_l → G_l W_l G_{l−1}ᵀ commutes with training, for every measurement operator.

Let G_l be orthogonal for 0 < l < L, and G_0 = G_L = I.  In a product of turned layers neighbouring
turns cancel, G_{l+1} W_{l+1} G_lᵀ · G_l W_l G_{l−1}ᵀ = G_{l+1} (W_{l+1} W_l) G_{l−1}ᵀ, so W_{L:1}
is what it was, the products above and below layer l are W_{>l} G_lᵀ and G_{l−1} W_{<l}, and with
R = ∇ℓ(W_{L:1}), whatever the loss of W_{L:1} may be,

    (W_{>l} G_lᵀ)ᵀ R (G_{l−1} W_{<l})ᵀ = G_l (W_{>l}ᵀ R W_{<l}ᵀ) G_{l−1}ᵀ.

The gradient turns like the layer, so a step with rate η_l and weight decay μ takes turned weights
to turned weights.

*Ends.* For A = Id the ends may turn too: with G_0, G_L ≠ I, W_{L:1} becomes G_LW_{L:1}G_0ᵀ, and if
the target becomes G_LMG_0ᵀ, so does the residual, and every Ẇ_l turns like W_l. So W_l → OW_lOᵀ
for all l takes the flow for P to the flow for OPOᵀ (`plane_blocks`).

*Canonical form.*  Let W_l = ε_l Q_l with orthogonal Q_l for l < L, H_l = Q_l⋯Q_1 and G_l = H_lᵀ.
Then G_l Q_l G_{l−1}ᵀ = H_lᵀ Q_l H_{l−1} = I, and the last layer becomes W_L H_{L−1}, which is
W_{L:1}/(ε_1⋯ε_{L−1}); for W_L = εQ_L it is εQ with Q = Q_L⋯Q_1.

The exact steps run full rational networks on sensing and completion problems from a start and from
the turned one.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from random import Random
from typing import Any

import sympy as sp
from sympy.polys.matrices import DomainMatrix

from .exact import (
    MODULAR,
    RATIONALS,
    chain,
    descend,
    draw,
    draw_positive,
    eye,
    inner,
    layer_gradients,
    random_matrix,
    random_orthogonal,
    require_equal,
    seeded,
)
from .noncommutative import Rules, Words, identity, letters, matrix, require_same
from .proof import Clause, Proof, Step, argument, exact, main, symbolic
from .proposition1 import layer_rate
from .scopes import AtLeast

__all__ = [
    "build",
    "ends",
    "gradient",
    "gradients",
    "orthogonal",
    "products",
    "random_operator",
    "steps",
    "turned",
]

above, layer, below = matrix("W>", "out", "b"), matrix("W", "b", "a"), matrix("W<", "a", "in")
upper = matrix("Wl+1", "c", "b")
residual = matrix("R", "out", "in")
turn_a, turn_b, turn_c = (matrix(f"G{space}", space, space) for space in "abc")
eta, decay = sp.symbols("η μ", positive=True)

SHAPES = ((2, 3, 3, 2), (3, 2, 4, 2), (2, 2, 2, 2, 3))
"""Widths from input to output."""


def orthogonal(*turns: Words) -> Rules:
    """Return the rules GᵀG = I and GGᵀ = I.

    Parameters
    ----------
    *turns : Words
        The orthogonal letters.

    Returns
    -------
    dict
        Rewriting rules.
    """
    rules: dict[Any, Words] = {}
    for turn in turns:
        rules[letters(turn.T, turn)] = identity(turn.cols)
        rules[letters(turn, turn.T)] = identity(turn.rows)
    return rules


RULES = orthogonal(turn_a, turn_b, turn_c)


def turned(weight: Words, after: Words, before: Words) -> Words:
    """Return G_l W_l G_{l−1}ᵀ, a layer in turned hidden bases.

    Parameters
    ----------
    weight : Words
        W_l.
    after : Words
        G_l.
    before : Words
        G_{l−1}.

    Returns
    -------
    Words
    """
    return after @ weight @ before.T


def gradient(over: Words, under: Words) -> Words:
    """Return W_{>l}ᵀ R W_{<l}ᵀ, the gradient of a layer for the residual R.

    Parameters
    ----------
    over : Words
        W_{>l}, the product of the layers above.
    under : Words
        W_{<l}, the product of those below.

    Returns
    -------
    Words
    """
    return over.T @ residual @ under.T


def products() -> None:
    """Turns between neighbouring layers cancel; those at the ends are I."""
    pair = turned(upper, turn_c, turn_b) @ turned(layer, turn_b, turn_a)
    require_same(pair, turned(upper @ layer, turn_c, turn_a), RULES, "product of two layers")
    whole = (above @ turn_b.T) @ turned(layer, turn_b, turn_a) @ (turn_a @ below)
    require_same(whole, above @ layer @ below, RULES, "W_{L:1}")


def gradients() -> None:
    """The gradient of a layer turns like the layer."""
    found = gradient(above @ turn_b.T, turn_a @ below)
    straight = -layer_rate(above, residual, below)
    require_same(found, turned(straight, turn_b, turn_a), RULES, "∇_l, minus the flow's rate")


def steps() -> None:
    """A step from the turned weights is the turned step."""
    start = turned(layer, turn_b, turn_a)
    descent = gradient(above @ turn_b.T, turn_a @ below)
    found = start - eta * (descent + decay * start)
    following = layer - eta * (gradient(above, below) + decay * layer)
    require_same(found, turned(following, turn_b, turn_a), RULES, "W_l⁺")


def ends() -> None:
    """With G_0, G_L ≠ I, W_{L:1}, and W_{L:1} − M for the target G_L M G_0ᵀ, turn at their ends."""
    first, last = matrix("G0", "in", "in"), matrix("GL", "out", "out")
    goal = matrix("M", "out", "in")
    rules = {**RULES, **orthogonal(first, last)}
    over, under = last @ above @ turn_b.T, turn_a @ below @ first.T
    whole = over @ turned(layer, turn_b, turn_a) @ under
    require_same(whole, turned(above @ layer @ below, last, first), rules, "W_{L:1}, turned")
    error = whole - turned(goal, last, first)
    straight = above @ layer @ below - goal
    require_same(error, turned(straight, last, first), rules, "W_{L:1} − M, both turned")
    require_same(error.T @ error, first @ straight.T @ straight @ first.T, rules, "its Gram matrix")
    moving = layer_rate(over, error, under)
    claimed = turned(layer_rate(above, straight, below), turn_b, turn_a)
    require_same(moving, claimed, rules, "Ẇ_l")


def _imbalances() -> None:
    """W_{l+1}ᵀW_{l+1} − W_lW_lᵀ becomes G_l(…)G_lᵀ: a balanced network stays balanced."""
    high, low = turned(upper, turn_c, turn_b), turned(layer, turn_b, turn_a)
    found = high.T @ high - low @ low.T
    imbalance = upper.T @ upper - layer @ layer.T
    require_same(found, turned(imbalance, turn_b, turn_b), RULES, "the imbalance")


def _canonical_form() -> None:
    """G_l = H_lᵀ makes a layer ε_l Q_l below the last one ε_l I."""
    scale = sp.Symbol("ε", positive=True)
    rotation, so_far = matrix("Q", "b", "a"), matrix("H", "a", "in")
    last = matrix("WL", "out", "b")
    rules = orthogonal(rotation, so_far)
    turn = (rotation @ so_far).T  # G_l = H_lᵀ, H_l = Q_l H_{l−1}
    require_same(turn @ turn.T, identity("in"), rules, "G_l is orthogonal")
    inner_layer = turned(scale * rotation, turn, so_far.T)
    require_same(inner_layer, scale * identity("in"), rules, "G_l W_l G_{l−1}ᵀ for l < L")
    whole = turned(last, identity("out"), turn) @ inner_layer
    require_same(whole, last @ (scale * rotation) @ so_far, rules, "the product with W_L G_{L−1}ᵀ")


def _full_runs(field: Any, repeats: int, num_steps: int) -> None:
    """Whole networks, trained from a start and from the turned one, with zero error."""
    for rng, widths in seeded(SHAPES, repeats):
        depth = len(widths) - 1
        weights = [random_matrix(widths[k + 1], widths[k], field, rng) for k in range(depth)]
        turns = [eye(widths[0], field)]
        turns += [random_orthogonal(size, field, rng) for size in widths[1:-1]]
        turns += [eye(widths[-1], field)]
        _follow(weights, turns, random_operator(widths, field, rng), rng, num_steps)


def _sees_everything() -> None:
    """With one measurement per entry the descent below is that on ½‖W_{L:1} − M‖²."""
    for rng, widths in seeded(SHAPES, 1):
        shape = (widths[-1], widths[0])
        weights = [random_matrix(a, b, RATIONALS, rng) for b, a in pairwise(widths)]
        target = random_matrix(*shape, RATIONALS, rng)
        places = [(i, j) for i in range(shape[0]) for j in range(shape[1])]
        operator = [(_entry(i, j, shape, RATIONALS), target[i, j].element) for i, j in places]
        rates = [draw_positive(RATIONALS, rng) for _ in weights]
        mu = draw_positive(RATIONALS, rng)
        found = _descend(weights, operator, rates, mu)
        for got, expected in zip(found, descend(weights, target, rates, mu), strict=True):
            require_equal(got, expected, "a layer after one step, all entries measured")


def random_operator(
    widths: tuple[int, ...], field: Any, rng: Random
) -> list[tuple[DomainMatrix, Any]]:
    """Return pairs (A_i, y_i): three dense matrices, or as many entries.

    Parameters
    ----------
    widths : tuple of int
        Sizes of all spaces, the input first.
    field : sympy domain
        Rational numbers, or the residues of a prime.
    rng : random.Random

    Returns
    -------
    list of tuple
        Of a DomainMatrix of shape (d_out, d_in) and a field element each.
    """
    shape, dense = (widths[-1], widths[0]), rng.random() < 0.5
    pairs = []
    for _ in range(3):
        A = random_matrix(*shape, field, rng)
        if not dense:
            A = _entry(rng.randrange(shape[0]), rng.randrange(shape[1]), shape, field)
        pairs.append((A, draw(field, rng)))
    return pairs


def _entry(row: int, col: int, shape: tuple[int, int], field: Any) -> DomainMatrix:
    one = DomainMatrix.zeros(shape, field).to_dense()
    one[row, col] = field(1)
    return one


def _follow(
    weights: list[DomainMatrix],
    turns: list[DomainMatrix],
    operator: list[tuple[DomainMatrix, Any]],
    rng: Random,
    num_steps: int,
) -> None:
    """Train both networks side by side; compare every layer, and W_{L:1}, after every step."""
    field, depth = weights[0].domain, len(weights)
    rates = [draw_positive(field, rng) / field(8) for _ in range(depth)]
    mu = draw_positive(field, rng) / field(8)
    others = _turn_all(weights, turns)
    for step in range(1, num_steps + 1):
        weights, others = (_descend(W, operator, rates, mu) for W in (weights, others))
        for place, (got, expected) in enumerate(
            zip(others, _turn_all(weights, turns), strict=True)
        ):
            require_equal(got, expected, f"W_{place + 1} after step {step}")
        size = weights[0].shape[1]
        require_equal(chain(others, size, field), chain(weights, size, field), "W_{L:1}")


def _turn_all(weights: list[DomainMatrix], turns: list[DomainMatrix]) -> list[DomainMatrix]:
    """Return G_l W_l G_{l−1}ᵀ for every layer; `turns` are G_0, …, G_L."""
    return [turns[k + 1] * weight * turns[k].transpose() for k, weight in enumerate(weights)]


def _descend(
    weights: list[DomainMatrix],
    operator: list[tuple[DomainMatrix, Any]],
    rates: list[Any],
    mu: Any,
) -> list[DomainMatrix]:
    """Return the weights after one step on ½ Σ_i (⟨A_i, W⟩ − y_i)² + ½ μ Σ_l ‖W_l‖²."""
    field, size = weights[0].domain, weights[0].shape[1]
    product = chain(weights, size, field)
    slope = DomainMatrix.zeros(product.shape, field).to_dense()
    for A, y in operator:
        slope = slope + A.scalarmul(inner(A, product) - y)
    return [
        weight.scalarmul(field(1) - rate * mu) - found.scalarmul(rate)
        for weight, found, rate in zip(weights, layer_gradients(weights, slope), rates, strict=True)
    ]


def build(*, thorough: bool = False) -> Proof:
    """Return the proof of `gauge`, to be run or verified.

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
        claim="gauge",
        clauses=(
            Clause(
                "W_l → G_lW_lG_{l−1}ᵀ with orthogonal G_l, G_0 = G_L = I, leaves W_{L:1} and the "
                "loss unchanged and commutes with gradient descent and flow, for every "
                "measurement operator, step size of each layer and weight decay.",
                (
                    "products",
                    "gradients",
                    "steps",
                    "by induction",
                    "imbalance",
                    "one measurement per entry",
                    "full matrices over ℚ",
                    "evidence beyond single instances",
                ),
                {"L": AtLeast(2)},
            ),
            Clause(
                "So every network with layers ε_lQ_l, orthogonal below the last, is "
                "(εI, …, εI, εQ) in other coordinates.",
                ("canonical form", "by induction"),
                {"L": AtLeast(2)},
            ),
            Clause(
                "For A = Id the ends may be turned too, if the target is turned like W_{L:1}.",
                ("ends",),
                {"L": AtLeast(2)},
            ),
        ),
        source="dlnlab",
        proves=("gauge",),
        reading="2cff6b81ec18",
        steps=(
            symbolic("products", products),
            symbolic("gradients", gradients),
            symbolic("steps", steps),
            argument(
                "by induction",
                "The start is turned, and a step keeps the turn, so every iterate is turned. The "
                "same holds for the flow, since its right-hand side −∇_l turns and there is one "
                "flow per start.",
                "products",
                "gradients",
                "steps",
            ),
            symbolic("ends", ends),
            symbolic("imbalance", _imbalances),
            symbolic("canonical form", _canonical_form),
            exact("one measurement per entry", _sees_everything),
            exact("full matrices over ℚ", partial(_full_runs, RATIONALS, 3 * more, 2)),
            Step(
                "long runs modulo 2⁶¹ − 1", "evidence", partial(_full_runs, MODULAR, 2 * more, 50)
            ),
            argument(
                "evidence beyond single instances",
                "50 steps modulo a prime: a stress test, for which no probability is claimed.",
                "long runs modulo 2⁶¹ − 1",
            ),
        ),
    )


if __name__ == "__main__":
    raise SystemExit(main(build))
