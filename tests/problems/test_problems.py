"""Losses, gradients, surrogates and curvatures against the measurements written out in full."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
import scipy.sparse.linalg
from instances import HOST_ONLY, KINDS, ON_ANY_DEVICE, assert_close, instance

import dlnlab

UNIT = np.finfo(float).eps
SHAPES = [(3, 3), (4, 2), (2, 5), (1, 1), (1, 3)]
ROUNDING = 1000 * UNIT
"""Sums of at most m·d_out·d_in = 21·10 products of order one, each rounded a few times."""


def points(shape, batch=(), seed=3):
    return np.random.default_rng(seed).standard_normal((*batch, *shape))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("normalization", ["sum", "mean"])
@pytest.mark.parametrize("kind", KINDS)
def test_loss_and_gradient_are_those_of_the_measurements(kind, normalization, shape):
    case = instance(kind, shape, normalization)
    for batch in [(), (2,), (2, 3)]:
        W = points(shape, batch)
        size = 1 + case.loss(W)
        assert_close(case.problem.loss(W), case.loss(W), ROUNDING * size, "loss")
        bound = ROUNDING * size[..., None, None]
        assert_close(case.problem.gradient(W), case.gradient(W), bound, "gradient")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("normalization", ["sum", "mean"])
def test_adjoint_is_the_transpose_of_the_residual(kind, normalization):
    case = instance(kind, (3, 4), normalization)
    V, W = points((3, 4), seed=4), points((3, 4), seed=5)
    image = case.problem.residual(V) - case.problem.residual(0 * V)
    carried = case.problem.adjoint(case.problem.residual(W))
    # A mask may keep zeros in the residual's matrix form, so both sides are plain sums.
    left, right = np.sum(image * case.problem.residual(W)), np.sum(V * carried)
    assert_close(left, right, ROUNDING * 100, "⟨A V, r⟩ = ⟨V, Aᵀ r⟩")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_surrogate_is_equation_6_with_its_scale(kind, shape):
    case = instance(kind, shape)
    back_projected = np.einsum("m,mpq->pq", case.y, case.A)
    if kind in ("factorization", "factored"):
        expected = case.M
    elif kind in ("mask", "pattern", "measured"):
        share = len(case.y) / (shape[0] * shape[1])
        expected = back_projected / share
    else:
        expected = back_projected / len(case.y)
    surrogate = case.problem.surrogate()
    if kind == "factored":
        assert surrogate is case.problem.target
        surrogate = surrogate.to_dense()
    assert_close(surrogate, expected, ROUNDING * (1 + np.max(np.abs(expected))), "surrogate")


def test_surrogate_of_a_random_mask_estimates_the_target():
    # Exact expectation, not a sample: the mean over all masks with one entry observed of P_Ω(M)/p
    # with p = 1/4 is (1/4) Σ 4·M_ij e_i e_jᵀ = M.
    M = points((2, 2))
    masks = np.eye(4, dtype=bool).reshape(4, 2, 2)
    mean = np.mean([dlnlab.completion(M, mask).surrogate() for mask in masks], axis=0)
    assert_close(mean, M, 4 * UNIT * np.abs(M))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("normalization", ["sum", "mean"])
@pytest.mark.parametrize("kind", KINDS)
def test_curvature_is_the_largest_eigenvalue_of_the_dense_hessian(kind, normalization, shape):
    case = instance(kind, shape, normalization)
    largest = np.linalg.eigvalsh(case.hessian())[-1]
    # Lanczos stops at a relative residual of 1e-3; for the other operators c is exact.
    relative = 1e-3 if kind in ("sensing", "linear_recovery") else 4 * UNIT
    assert_close(case.problem.curvature, largest, relative * largest, "curvature")


def test_curvature_of_a_batch_is_the_largest_member_s():
    masks = np.array([[[True, False], [False, False]], [[True, True], [True, True]]])
    problem = dlnlab.completion(points((2, 2)), masks, "mean")
    assert problem.curvature == 1.0  # c = 1/|Ω| is largest for the mask with one entry
    A = dlnlab.gaussian_ensemble(20, (3, 2), rng=0)
    one, many = dlnlab.sensing(A, np.ones(20)), dlnlab.sensing(A, np.ones((4, 20)))
    assert many.curvature == one.curvature


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "measured"])
def test_error_is_the_distance_to_the_target(kind):
    case = instance(kind, (3, 4))
    W = points((3, 4), (2, 3))
    expected = np.linalg.norm(W - case.M, axis=(-2, -1))
    assert_close(case.problem.error(W), expected, ROUNDING * expected, "error")
    assert_close(case.problem.error(case.M), 0.0, ROUNDING)


def unknown_targets():
    case = instance("sensing", (3, 4))
    mask = np.ones((3, 4), dtype=bool)
    yield dlnlab.sensing(case.A, case.y)
    yield dlnlab.linear_recovery(case.A.reshape(len(case.y), -1), case.y, (3, 4))
    yield dlnlab.completion(case.M, mask, target=None)
    yield dlnlab.completion(case.M, scipy.sparse.coo_array(mask), target=None)
    yield dlnlab.completion(scipy.sparse.coo_array(case.M))


@pytest.mark.parametrize("problem", list(unknown_targets()), ids=repr)
def test_what_needs_an_unknown_target_is_refused(problem):
    assert problem.target is None
    assert "target unknown" in repr(problem)
    with pytest.raises(ValueError, match="`target` is unknown"):
        problem.error(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="`target` is unknown"):
        _ = problem.target_svd


def test_a_sparse_matrix_of_measurements_keeps_explicit_zeros_and_may_get_a_target():
    stored = scipy.sparse.coo_array(([2.0, 0.0], ([0, 1], [1, 0])), shape=(2, 2))
    problem = dlnlab.completion(stored, target=np.ones((2, 2)))
    W = np.array([[5.0, 1.0], [3.0, 7.0]])
    assert float(problem.loss(W)) == 0.5 * ((1 - 2) ** 2 + (3 - 0) ** 2)
    assert float(problem.error(np.zeros((2, 2)))) == 2.0


def test_duplicates_in_a_sparse_pattern_count_once():
    twice = scipy.sparse.coo_array(([True, True], ([0, 0], [0, 0])), shape=(2, 2))
    assert float(dlnlab.completion(np.ones((2, 2)), twice).loss(np.zeros((2, 2)))) == 0.5


# Different descriptions of the same problem.


def same_problems():
    rng = np.random.default_rng(0)
    M = rng.standard_normal((3, 4))
    mask = rng.random((3, 4)) < 0.5
    A = rng.standard_normal((9, 3, 4))
    y = np.einsum("mpq,pq->m", A, M)
    everywhere = np.ones((3, 4), dtype=bool)
    rows, columns = np.nonzero(mask)
    units = np.zeros((rows.size, 3, 4))
    units[np.arange(rows.size), rows, columns] = 1.0
    stored = scipy.sparse.coo_array((M[rows, columns], (rows, columns)), shape=(3, 4))
    full, factored = (
        dlnlab.completion,
        dlnlab.FactoredTarget(*dlnlab.spectra.compact_svd(M)),
    )
    rectangle = A.reshape(9, -1)
    for c in ("sum", "mean"):
        by_mask = dlnlab.completion(M, mask, c)
        sensed = dlnlab.sensing(A, y, c)
        yield "full mask", full(M, everywhere, c), dlnlab.factorization(M, c)
        yield "factored", dlnlab.factorization(factored, c), dlnlab.factorization(M, c)
        yield "pattern", dlnlab.completion(M, scipy.sparse.csc_array(mask), c), by_mask
        yield "factored, mask", dlnlab.completion(factored, mask, c), by_mask
        yield "factored, pattern", full(factored, scipy.sparse.csr_array(mask), c), by_mask
        yield "measured", dlnlab.completion(stored, normalization=c), by_mask
        yield "sensed entries", dlnlab.sensing(units, M[rows, columns], c), by_mask
        yield "matrix", dlnlab.linear_recovery(rectangle, y, (3, 4), c), sensed
        operator = scipy.sparse.linalg.aslinearoperator(scipy.sparse.csr_array(rectangle))
        yield "operator", dlnlab.linear_recovery(operator, y, (3, 4), c), sensed


@pytest.mark.parametrize(
    ("one", "other"),
    [pytest.param(a, b, id=f"{n}-{a.normalization}") for n, a, b in same_problems()],
)
def test_two_descriptions_of_one_problem_agree(one, other):
    W = points((3, 4), (2, 3))
    assert_close(one.loss(W), other.loss(W), ROUNDING * other.loss(W), "loss")
    assert_close(one.gradient(W), other.gradient(W), ROUNDING * 100, "gradient")
    # 1e-3 is the precision of the Lanczos iteration, where one of them needs it.
    assert_close(one.curvature, other.curvature, 1e-3 * other.curvature, "curvature")


# Batches of problems.


def test_a_batch_of_targets_and_masks_equals_its_members():
    rng = np.random.default_rng(1)
    targets, W = rng.standard_normal((3, 2, 4)), rng.standard_normal((3, 2, 4))
    masks = rng.random((3, 2, 4)) < 0.6
    A, y = rng.standard_normal((5, 2, 4)), rng.standard_normal((3, 5))
    for c in ("sum", "mean"):
        batches = [
            (dlnlab.factorization(targets, c), lambda k, c=c: dlnlab.factorization(targets[k], c)),
            (
                dlnlab.completion(targets, masks, c),
                lambda k, c=c: dlnlab.completion(targets[k], masks[k], c),
            ),
            (
                dlnlab.completion(targets[0], masks, c),
                lambda k, c=c: dlnlab.completion(targets[0], masks[k], c),
            ),
            (dlnlab.sensing(A, y, c), lambda k, c=c: dlnlab.sensing(A, y[k], c)),
        ]
        for together, alone in batches:
            for k in range(3):
                single = alone(k)
                assert_close(together.loss(W)[k], single.loss(W[k]), ROUNDING * 10)
                assert_close(together.gradient(W)[k], single.gradient(W[k]), ROUNDING * 10)
                surrogate = np.broadcast_to(together.surrogate(), (3, 2, 4))[k]
                assert_close(surrogate, single.surrogate(), ROUNDING * 10)


@pytest.mark.parametrize("normalization", ["sum", "mean"])
@pytest.mark.parametrize("kind", ON_ANY_DEVICE)
def test_every_device_gives_numpy_s_numbers(device, kind, normalization):
    here = instance(kind, (3, 4), normalization)
    there = instance(kind, (3, 4), normalization, move=device.asarray)
    W = points((3, 4), (2, 3))
    moved = device.asarray(W)
    for name in ("loss", "gradient", "error", "singular_values"):
        got = device.to_host(getattr(there.problem, name)(moved))
        want = getattr(here.problem, name)(W)
        assert_close(got, want, ROUNDING * (1 + np.abs(want)), name)
    surrogates = [case.problem.surrogate() for case in (there, here)]
    if kind == "factored":
        surrogates = [target.to_dense() for target in surrogates]
    assert_close(device.to_host(surrogates[0]), surrogates[1], ROUNDING * 10, "surrogate")
    assert_close(there.problem.curvature, here.problem.curvature, 1e-3 * here.problem.curvature)
    device.assert_home(*there.problem.target_svd, there.problem.reference)


def test_lists_and_integers_become_floats():
    problem = dlnlab.completion([[1, 2], [3, 4]], [[True, False], [True, True]])
    assert problem.reference.dtype == np.float64
    assert float(problem.loss(np.zeros((2, 2)))) == 0.5 * (1 + 9 + 16)
    assert dlnlab.sensing(np.ones((1, 2, 2), dtype=int), [3]).measurements.dtype == np.float64


def test_single_precision_stays_single():
    problem = dlnlab.factorization(np.ones((2, 3), dtype=np.float32))
    assert problem.gradient(np.zeros((2, 3), dtype=np.float32)).dtype == np.float32


# Fingerprints tell problems apart, and nothing else.


@pytest.mark.parametrize("kind", KINDS)
def test_fingerprints_are_repeatable_and_see_every_change(kind):
    same = [instance(kind, (3, 4)).problem.fingerprint() for _ in range(2)]
    assert same[0] == same[1]
    others = [
        instance(kind, (3, 4), "mean"),
        instance(kind, (4, 3)),
        instance(kind, (3, 4), seed=9),
    ]
    marks = {case.problem.fingerprint() for case in others}
    assert len(marks | {same[0]}) == 4


def test_fingerprints_of_all_kinds_differ():
    marks = [instance(kind, (3, 4)).problem.fingerprint() for kind in KINDS]
    assert len(set(marks)) == len(KINDS)


def test_fingerprint_sees_the_target_errors_are_measured_against():
    A, y = np.ones((2, 3, 3)), np.ones(2)
    targets = [
        None,
        np.eye(3),
        2 * np.eye(3),
        dlnlab.FactoredTarget(np.eye(3), np.ones(3), np.eye(3)),
    ]
    marks = {dlnlab.sensing(A, y, target=target).fingerprint() for target in targets}
    assert len(marks) == len(targets)


def test_fingerprints_do_not_depend_on_the_device(device):
    for kind in ON_ANY_DEVICE:
        there = instance(kind, (3, 4), move=device.asarray).problem
        assert there.fingerprint() == instance(kind, (3, 4)).problem.fingerprint()


@pytest.mark.parametrize("kind", ["factorization", "completion", "sensing"])
@pytest.mark.parametrize("method", ["loss", "gradient", "error", "singular_values"])
def test_a_batch_that_does_not_broadcast_is_named(kind, method):
    M, mask = points((4, 3), (2,)), np.ones((2, 4, 3), dtype=bool)
    problem = {
        "factorization": lambda: dlnlab.factorization(M),
        "completion": lambda: dlnlab.completion(M, mask),
        "sensing": lambda: dlnlab.sensing(points((4, 3), (6,)), points((6,), (2,)), target=M),
    }[kind]()
    assert problem.batch == (2,)
    for batch in [(3,), (2, 3), (4, 3)]:
        with pytest.raises(ValueError, match=r"`W` must have batch axes .* problem's, \(2,\), got"):
            getattr(problem, method)(points((4, 3), batch))
    for batch in [(), (1,), (2,), (3, 1), (3, 2), (1, 1, 1)]:
        found = getattr(problem, method)(points((4, 3), batch))
        if method == "loss":
            assert found.shape == np.broadcast_shapes(batch, (2,))


def test_kinds_are_covered():
    assert set(ON_ANY_DEVICE) | set(HOST_ONLY) == set(KINDS)
