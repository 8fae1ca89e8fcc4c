"""The algebra under the proofs: words against explicit matrices, exact matrices against facts."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import sympy as sp
from dlnlab.proofs import exact, facts, noncommutative
from dlnlab.proofs.facts import ProofError
from dlnlab.proofs.noncommutative import Letter, Words
from hypothesis import given, settings
from hypothesis import strategies as st

SIZES = {"a": 2, "b": 3}
A, B = noncommutative.matrix("A", "b", "a"), noncommutative.matrix("B", "a", "b")
S, D = noncommutative.symmetric("S", "a"), noncommutative.diagonal("D", "a")
E = noncommutative.diagonal("E", "a")
L, x = sp.symbols("L x", positive=True)


def _numbers(rng: Random) -> dict[str, sp.Matrix]:
    def draw(rows: int, cols: int) -> sp.Matrix:
        return sp.Matrix(rows, cols, lambda i, j: rng.randint(-4, 4))

    square = draw(2, 2)
    return {
        "A": draw(3, 2),
        "B": draw(2, 3),
        "S": square + square.T,
        "D": sp.diag(2, -3),
        "E": sp.diag(5, 7),
    }


def evaluate(expression: Words, values: dict[str, sp.Matrix]) -> sp.Matrix:
    """Multiply the words out with explicit matrices."""
    total = sp.zeros(SIZES[expression.rows], SIZES[expression.cols])
    for word, coefficient in expression.terms.items():
        product = sp.eye(SIZES[expression.rows])
        for letter, power in word:
            value = values[letter.name]
            for _ in range(int(power)):
                product = product * (value.T if letter.transposed else value)
        total += coefficient * product
    return total


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_words_compute_like_matrices(seed: int) -> None:
    v = _numbers(Random(seed))
    left = 2 * (A @ S @ D) - A @ E @ D
    right = B - S @ A.T
    product = left @ right
    dense = (2 * v["A"] * v["S"] * v["D"] - v["A"] * v["E"] * v["D"]) * (v["B"] - v["S"] * v["A"].T)
    assert evaluate(product, v) == dense
    assert evaluate(product.T, v) == dense.T


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_the_product_rule_is_the_derivative(seed: int) -> None:
    rng = Random(seed)
    at, rate = _numbers(rng), _numbers(rng)
    expression = A @ S @ A.T @ A @ B
    rates = {noncommutative.letters(A)[0]: noncommutative.matrix("A'", "b", "a")}
    moving = evaluate(expression.derivative(rates), at | {"A'": rate["A"]})
    near = {s: evaluate(expression, at | {"A": at["A"] + s * rate["A"]}) for s in (-2, -1, 1, 2)}
    slope = (8 * (near[1] - near[-1]) - (near[2] - near[-2])) / 12  # exact: the degree is 3
    assert moving == slope


def test_diagonal_letters_commute_and_collect_symbolic_powers() -> None:
    power = noncommutative.diagonal("D", "a", L - 2)
    assert (D @ E @ power - E @ noncommutative.diagonal("D", "a", L - 1)).terms == {}
    inverse = noncommutative.diagonal("D", "a", 2 - L)
    assert (power @ inverse - noncommutative.identity("a")).terms == {}
    assert (D @ S - S @ D).terms != {}


def test_diagonal_entries_are_read_off() -> None:
    entry = noncommutative.diagonal_entry(
        3 * (D @ D @ E) - noncommutative.identity("a"), {"D": x, "E": L}
    )
    assert sp.expand(entry - (3 * x**2 * L - 1)) == 0
    with pytest.raises(ProofError, match="not a polynomial in diagonal"):
        noncommutative.diagonal_entry(D @ S, {"D": x, "S": x})


def test_rules_rewrite_and_missing_rules_fail() -> None:
    rules = noncommutative.orthonormal_columns(A)
    gram = A.T @ A @ D
    noncommutative.require_same(gram, D, rules, "AᵀA = I")
    with pytest.raises(ProofError, match=r"AᵀA = I: the two sides differ by .*Aᵀ·A·D"):
        noncommutative.require_same(gram, D, {}, "AᵀA = I")


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="cannot multiply: a meets b"):
        A @ A
    with pytest.raises(ValueError, match="cannot add matrices of shapes b×a and a×b"):
        A + B
    with pytest.raises(ValueError, match="`S` is symmetric"):
        Letter("S", "a", "b", symmetric=True)


def test_endless_rules_are_reported() -> None:
    swap = {
        noncommutative.letters(S): noncommutative.symmetric("R", "a"),
        noncommutative.letters(noncommutative.symmetric("R", "a")): S,
    }
    with pytest.raises(RuntimeError, match="do not terminate"):
        S.reduce(swap, limit=10)


def test_powers_have_no_product_rule() -> None:
    rates = {noncommutative.letters(D)[0]: D}
    with pytest.raises(ValueError, match="first powers only"):
        noncommutative.diagonal("D", "a", L).derivative(rates)


@pytest.mark.parametrize("field", [exact.RATIONALS, exact.MODULAR], ids=["ℚ", "mod p"])
def test_the_cayley_transform_is_orthogonal(field: object) -> None:
    for seed in range(5):
        turn = exact.random_orthogonal(4, field, Random(seed))
        exact.require_equal(turn.transpose() * turn, exact.eye(4, field), "QᵀQ")
        with pytest.raises(ProofError, match="entry"):
            exact.require_equal(turn, exact.eye(4, field), "Q = I")


@pytest.mark.parametrize("field", [exact.RATIONALS, exact.MODULAR], ids=["ℚ", "mod p"])
def test_projectors_project(field: object) -> None:
    frame = exact.random_matrix(5, 2, field, Random(3))
    onto = exact.projector(frame)
    exact.require_equal(onto * onto, onto, "P² = P")
    exact.require_equal(onto * frame, frame, "PX = X")


def test_the_gradient_is_the_slope_of_the_loss() -> None:
    """The loss is a polynomial of degree 2 in one layer: the central difference is exact."""
    rng, field = Random(7), exact.RATIONALS
    weights = [exact.random_matrix(m, k, field, rng) for k, m in ((3, 2), (2, 4), (4, 3))]
    target = exact.random_matrix(3, 3, field, rng)
    gradients = exact.layer_gradients(weights, exact.chain(weights, 3, field) - target)
    for place, gradient in enumerate(gradients):
        rows, cols = weights[place].shape
        direction = exact.random_matrix(rows, cols, field, rng)
        up, down = (_loss(weights, place, direction.scalarmul(field(s)), target) for s in (1, -1))
        assert (up - down) / field(2) == exact.inner(gradient, direction)


def _loss(weights: list[Any], place: int, shift: Any, target: Any) -> Any:
    moved = [*weights[:place], weights[place] + shift, *weights[place + 1 :]]
    error = exact.chain(moved, 3, exact.RATIONALS) - target
    return exact.inner(error, error) / exact.RATIONALS(2)


def test_unequal_shapes_and_negative_numbers_are_reported() -> None:
    field = exact.RATIONALS
    with pytest.raises(ProofError, match="shapes"):
        exact.require_equal(exact.eye(2, field), exact.eye(3, field), "I")
    with pytest.raises(ProofError, match="expected 0 ≤ -1"):
        facts.require_at_most(0, field(-1), "gap")
