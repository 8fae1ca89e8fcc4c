"""What the strategies draw, and that a failing case shrinks to something a person can read."""

from __future__ import annotations

import itertools
import json

import hypothesis
import numpy as np
import pytest
from dlnlab.validations import gauge, gradients
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import dlnlab
from dlnlab import results
from dlnlab.lab import strategies
from dlnlab.lab.cases import Case, Frame, aligned_case, random_cases, stack
from dlnlab.lab.recoveries import KINDS, Ensemble, Mask, Recovery, random_recovery

EPS = float(np.finfo(float).eps)
FIRST = settings(
    max_examples=300, database=None, derandomize=True, deadline=None, phases=[Phase.generate]
)
SIMPLEST = settings(FIRST, phases=[Phase.generate, Phase.shrink])


def drawn(strategy, condition):
    """The first example with a property, as it was drawn."""
    return hypothesis.find(strategy, condition, settings=FIRST)


def simplest(strategy, condition):
    """The simplest example with a property."""
    return hypothesis.find(strategy, condition, settings=SIMPLEST)


@given(st.integers(1, 6).flatmap(lambda n: strategies.frames(n, most=3, seeds=True)))
def test_frames_are_orthogonal_to_rounding(frame):
    Q = frame.matrix
    # every reflection adds a few units of rounding per dimension
    assert np.linalg.norm(Q.T @ Q - np.eye(frame.size)) <= 20 * frame.size * EPS


def test_a_reflection_is_what_the_formula_says():
    v = np.array([1.0, 2.0, -1.0])
    expected = np.eye(3) - 2 * np.outer(v, v) / 6
    np.testing.assert_allclose(Frame(3, ((1, 2, -1),)).matrix, expected, atol=4 * EPS)
    both = Frame(3, ((1, 2, -1), (0, 1, 0))).matrix
    np.testing.assert_allclose(both, expected @ np.diag([1.0, -1.0, 1.0]), atol=4 * EPS)


@given(st.integers(1, 6).flatmap(strategies.spectra))
def test_spectra_are_sorted_and_not_all_zero(spectrum):
    assert list(spectrum) == sorted(spectrum, reverse=True)
    assert spectrum[0] > 0
    assert min(spectrum) >= 0


@pytest.mark.parametrize(
    ("name", "property_"),
    [
        ("repeated", lambda s: s[0] == s[1] > 0),
        ("zero", lambda s: s[-1] == 0),
        ("full rank", lambda s: s[-1] > 0),
        ("tiny", lambda s: any(0 < x < 1e-6 for x in s)),
        ("huge", lambda s: s[0] > 1e6),
    ],
)
def test_every_kind_of_spectrum_is_drawn(name, property_):
    assert property_(drawn(strategies.spectra(3), property_)), name


@given(strategies.cases(seeds=True))
def test_cases_are_networks_with_the_target_they_name(case):
    count = min(case.shape)
    assert len(case.spectrum) == count
    assert 1 <= case.r_hat <= count
    assert 2 <= case.depth <= 6
    found = np.linalg.svdvals(case.target)
    np.testing.assert_allclose(found, case.values, atol=100 * EPS * case.spectrum[0])
    weights = case.weights()
    assert len(weights) == case.depth
    assert dlnlab.end_to_end(weights).shape == case.shape
    for W in weights:  # semi-orthogonal times ε
        np.testing.assert_allclose(np.linalg.svdvals(W), case.eps, rtol=1e-13)


@pytest.mark.parametrize(
    ("name", "property_"),
    [
        ("wide", lambda c: c.shape[0] < c.shape[1]),
        ("tall", lambda c: c.shape[0] > c.shape[1]),
        ("r = d", lambda c: c.rank == min(c.shape) > 1),
        ("r_hat < r", lambda c: c.r_hat < c.rank),
        ("r_hat > r", lambda c: c.r_hat > c.rank),
        ("start far below", lambda c: c.eps**c.depth < 1e-6 * c.spectrum[0]),
        ("start above", lambda c: c.eps**c.depth > 100 * c.spectrum[0]),
        ("deepest", lambda c: c.depth == 6),
        ("random start", lambda c: isinstance(c.start, int)),
    ],
)
def test_every_kind_of_case_is_drawn(name, property_):
    assert property_(drawn(strategies.cases(seeds=True), property_)), name


def test_enough_rank_is_kept():
    with pytest.raises(hypothesis.errors.NoSuchExample):
        drawn(strategies.cases(enough_rank=True), lambda c: c.r_hat < c.rank)


def test_frames_shrink_to_small_integers():
    frame = simplest(strategies.frames(3), lambda f: abs(f.matrix[0, 1]) > 1e-6)
    assert len(frame.reflectors) == 1
    assert sum(abs(n) for n in frame.reflectors[0]) == 2
    assert (np.abs(frame.matrix).round(12) == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]).all()


def test_cases_shrink_to_readable_ones():
    case = simplest(
        strategies.cases(square=True), lambda c: c.shape[0] > 1 and c.target[0, -1] < -1e-3
    )
    assert case.shape == (2, 2)
    assert case.depth == 2
    assert case.spectrum == (1.0, 0.0)
    assert case.eps == 0.1
    assert sum(len(frame.reflectors) for frame in (case.left, case.right)) <= 2
    assert case.start == (Frame(2), Frame(2))
    told = case.witness()
    assert told["start"] == [[], []]
    assert all(abs(n) <= 3 for v in [*told["left"], *told["right"]] for n in v)


@given(strategies.shapes().flatmap(lambda s: st.tuples(st.just(s), strategies.masks(s))))
def test_masks_observe_something(drawn):
    shape, mask = drawn
    assert np.asarray(mask.observed).shape == shape
    assert np.asarray(mask.observed).any()
    A = mask.matrices(shape)
    assert (A.sum(axis=0) == mask.observed).all()
    assert (A.sum(axis=(1, 2)) == 1).all()


@pytest.mark.parametrize(
    ("name", "property_"),
    [
        ("full", lambda m: np.all(m.observed)),
        ("one entry", lambda m: np.sum(m.observed) == 1),
        ("an empty row", lambda m: not np.all(np.any(m.observed, axis=1))),
        ("all but one", lambda m: np.sum(m.observed) == 5),
    ],
)
def test_every_kind_of_mask_is_drawn(name, property_):
    assert property_(drawn(strategies.masks((2, 3)), property_)), name


def test_masks_shrink_to_full_ones():
    assert np.all(simplest(strategies.masks((3, 3)), lambda m: True).observed)
    mask = simplest(strategies.masks((3, 3)), lambda m: np.sum(m.observed) < 8)
    assert np.sum(mask.observed) == 7
    assert mask.readable() != ["111"] * 3


@given(strategies.shapes().flatmap(lambda s: st.tuples(st.just(s), strategies.ensembles(s))))
def test_ensembles_are_small_integers_and_not_zero(drawn):
    shape, ensemble = drawn
    A = ensemble.matrices(shape)
    assert 1 <= len(A) <= 4
    assert A.shape[1:] == shape
    assert (np.round(A) == A).all()
    assert np.abs(A).max() <= 2
    assert np.abs(A).max(axis=(1, 2)).min() >= 1


def test_gaussian_ensembles_are_drawn_where_seeds_are_allowed():
    ensemble = drawn(strategies.ensembles((2, 2), seeds=True), lambda e: not e.entries)
    A = ensemble.matrices((2, 2))
    assert A.shape == (ensemble.count, 2, 2)
    assert (ensemble.matrices((2, 2)) == A).all()
    assert (np.round(A) != A).any()
    with pytest.raises(hypothesis.errors.NoSuchExample):
        drawn(strategies.ensembles((2, 2)), lambda e: not e.entries)


def test_ensembles_shrink_to_few_small_matrices():
    one = simplest(strategies.ensembles((2, 2), seeds=True), lambda e: True)
    assert one.readable() == [[[1, 0], [0, 0]]]
    dense = simplest(strategies.ensembles((2, 2)), lambda e: np.any(e.matrices((2, 2))[:, 1, 0]))
    assert dense.readable() == [[[0, 0], [1, 0]]]
    independent = simplest(
        strategies.ensembles((2, 2)),
        lambda e: np.linalg.matrix_rank(e.matrices((2, 2)).reshape(-1, 4)) == 2,
    )
    assert len(independent.entries) == 2
    assert np.abs(independent.matrices((2, 2))).sum() == 2


@given(strategies.recoveries(seeds=True))
def test_recoveries_are_the_problems_they_define(recovery):
    problem = recovery.problem()
    A, y, c = recovery.measurements()
    assert problem.shape == recovery.shape
    W = np.arange(1.0, 1 + np.prod(recovery.shape)).reshape(recovery.shape)
    residual = np.einsum("mpq,pq->m", A, W) - y
    # an entry of the target is at most σ_1; up to 9 terms are summed in another order
    size = np.einsum("mpq,pq->m", np.abs(A), np.abs(W) + recovery.spectrum[0])
    bound = 100 * EPS * c * np.sum(size**2)
    assert abs(float(problem.loss(W)) - 0.5 * c * np.sum(residual**2)) <= bound
    gradient = c * np.einsum("m,mpq->pq", residual, A)
    reach = np.abs(A).max()
    assert np.abs(problem.gradient(W) - gradient).max() <= 100 * EPS * c * reach * np.sum(size)


@pytest.mark.parametrize(
    ("name", "property_"),
    [
        *[(kind, lambda r, kind=kind: r.kind == kind) for kind in KINDS],
        ("mean", lambda r: r.normalization == "mean"),
        ("wide", lambda r: r.shape[0] < r.shape[1]),
        ("tall", lambda r: r.shape[0] > r.shape[1]),
        ("gaussian", lambda r: isinstance(r.operator, Ensemble) and not r.operator.entries),
    ],
)
def test_every_kind_of_recovery_is_drawn(name, property_):
    assert property_(drawn(strategies.recoveries(seeds=True), property_)), name


def test_recoveries_shrink_to_readable_ones():
    plain = simplest(strategies.recoveries(seeds=True), lambda r: True)
    assert plain == Recovery(Frame(1), (1.0,), Frame(1))
    sparse = simplest(
        strategies.recoveries(), lambda r: r.shape == (2, 2) and r.problem().curvature > 1.5
    )
    assert (sparse.kind, sparse.spectrum, sparse.normalization) == ("sensing", (1.0, 0.0), "sum")
    assert sparse.left == sparse.right == Frame(2)
    told = sparse.witness()
    assert sum(abs(n) for A in told["operator"] for row in A for n in row) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_random_recoveries_are_drawn_by_their_seeds(kind):
    first, again = (random_recovery(np.random.default_rng(3), kind, (3, 2)) for _ in range(2))
    assert first == again
    assert first.kind == kind
    assert first.problem().shape == (3, 2)


def test_what_a_mask_and_an_ensemble_show():
    assert Mask(((True, False), (True, True))).readable() == ["10", "11"]
    assert Ensemble(count=3, seed=5).readable() == {"gaussian": 3, "seed": 5}


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_aligned_cases_are_aligned(depth):
    for seed in range(5):
        case = aligned_case(np.random.default_rng(seed), 4, depth, 0.3)
        U, V = case.left.matrix, case.right.matrix
        Q = dlnlab.end_to_end(case.weights()) / 0.3**depth
        np.testing.assert_allclose(Q @ V, U, atol=1e-13)


def test_random_cases_are_drawn_by_their_seeds():
    first, again = (random_cases(np.random.default_rng(7), 3, (3, 2), 3, 0.2) for _ in range(2))
    assert first == again
    targets, weights = stack(first)
    assert targets.shape == (3, 3, 2)
    assert [W.shape for W in weights] == [(3, 3, 2), (3, 3, 3), (3, 3, 3)]
    assert all(case.r_hat >= case.rank for case in first)


def test_a_case_is_built_again_from_its_witness():
    case = Case(Frame(2, ((1, 2),)), (3.0, 1.0), Frame(2), 2, 0.1, 1, (Frame(2), Frame(2)))
    told = case.witness()
    again = Case(
        Frame(2, tuple(map(tuple, told["left"]))),
        tuple(told["spectrum"]),
        Frame(2, tuple(map(tuple, told["right"]))),
        told["depth"],
        told["eps"],
        told["r_hat"],
        tuple(Frame(2, tuple(map(tuple, layer))) for layer in told["start"]),
        told["width"],
    )
    assert again == case


def through_json(case):
    return Case.from_witness(json.loads(json.dumps(case.witness())))


@settings(max_examples=60)
@given(strategies.cases(seeds=True))
def test_every_case_is_built_again_from_its_witness(case):
    again = through_json(case)
    assert again == case
    np.testing.assert_array_equal(again.target, case.target)
    for W, V in zip(again.weights(), case.weights(), strict=True):
        np.testing.assert_array_equal(W, V)


@pytest.mark.parametrize("width", [None, 5])
def test_random_and_aligned_cases_are_built_again(width):
    rng = np.random.default_rng(0)
    for case in random_cases(rng, 5, (4, 3), 3, 0.2, width=width):
        assert through_json(case) == case
    for depth in (2, 4):
        case = aligned_case(rng, 4, depth, 0.3)
        assert through_json(case) == case


def test_a_seeded_frame_with_reflectors_in_a_start_of_frames_is_built_again():
    layers = (Frame(3, ((1, 0, 2),), 7), Frame(3, (), 8), Frame(4, ((0, 1, 1, 0),)))
    case = Case(Frame(4), (1.0, 0.5, 0.0), Frame(3, (), 3), 3, 0.1, 2, layers, 3)
    assert through_json(case) == case


def test_a_witness_of_something_else_is_refused():
    with pytest.raises(KeyError):
        Case.from_witness({"shape": [2, 2], "kind": "near"})
    for form in (Recovery, gauge.Turn, gradients.LineThrough):
        with pytest.raises(KeyError):
            form.from_witness(Case(Frame(2), (1.0,), Frame(1), 2, 0.1, 1).witness())


@settings(max_examples=60)
@given(strategies.recoveries(seeds=True), st.lists(st.integers(1, 3), min_size=1, max_size=2))
def test_recoveries_turns_and_lines_are_built_again(recovery, width):
    turns = tuple(Frame(n, ((1,) * n,), n) for n in width)
    turn = gauge.Turn(recovery, turns, 0.2, 5, "gaussian", 0.5, 0.05, 1.5, canonical=True)
    sides = itertools.pairwise([recovery.shape[1], *width, recovery.shape[0]])
    tables = tuple(((1, -2, 0)[:a],) * b for a, b in sides)
    for whole in (
        recovery,
        turn,
        gradients.LineThrough(recovery, tables, tables, tuple(width)),
        gradients.LineThrough(recovery, 3, 4, tuple(width)),
    ):
        told = json.loads(json.dumps(results.plain(whole.witness())))
        assert type(whole).from_witness(told) == whole


@pytest.mark.parametrize("kind", KINDS)
def test_random_recoveries_are_built_again(kind):
    recovery = random_recovery(np.random.default_rng(0), kind, (4, 3))
    again = Recovery.from_witness(json.loads(json.dumps(recovery.witness())))
    assert again == recovery
    for first, second in zip(again.measurements(), recovery.measurements(), strict=True):
        np.testing.assert_array_equal(first, second)
