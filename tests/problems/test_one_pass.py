"""Compiled loops against what they stand for, written down, and against NumPy's way.

Bounds: an entry of Σ (a_i · w − y_i) a_i, of G Bᵀ or of AᵀG is a sum of products of sums, of at
most so many terms together as `terms` says, and either way of adding them up differs from exact
arithmetic by at most that many roundings of the sum of absolute values.
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st

import dlnlab
from dlnlab import networks
from dlnlab.numerics import compiled, threads
from dlnlab.numerics.products import FactoredMatrix
from dlnlab.problems import ensemble, generated, one_pass

pytestmark = pytest.mark.skipif(not compiled.installed(), reason="numba is not installed")

UNIT = np.finfo(float).eps


def check(found, expected, size, terms, unit=UNIT):
    """Raise unless they agree to twice so many roundings of the sum of absolute values."""
    assert found.dtype == expected.dtype
    assert found.shape == expected.shape
    excess = np.abs(found - expected) - 2 * terms * unit * size
    assert (excess <= 0).all(), excess.max()


# ------------------------------------------------------------------------------------------ sensing


def draw_sensing(m, n, seed=0, dtype=float):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((m, n)).astype(dtype), rng.standard_normal(n), rng.standard_normal(m)


def check_normal_sum(rows, w, y):
    wide = rows.astype(float)
    size = (np.abs(wide) @ np.abs(w) + np.abs(y)) @ np.abs(wide)
    check(one_pass.normal_sum(rows, w, y), (wide @ w - y) @ wide, size, sum(rows.shape) + 2)


@given(st.integers(1, 19), st.integers(1, 9), st.sampled_from([np.float32, float]), st.integers(0))
def test_sums_of_any_number_of_rows(m, n, dtype, seed):
    """Rows are taken by eights, and the rest one by one; single precision is summed in double."""
    check_normal_sum(*draw_sensing(m, n, seed % 2**32, dtype))


@pytest.mark.parametrize("left_out", [slice(-1, None), slice(0, 4)])
def test_rows_that_are_left_out_are_noticed(left_out, monkeypatch):
    right = one_pass._add_normal

    def wrong(rows, w, y, total):
        kept = np.delete(np.arange(len(rows)), left_out)
        right(rows[kept], w, y[kept], total)

    check_normal_sum(*draw_sensing(11, 5))
    monkeypatch.setattr(one_pass, "_add_normal", wrong)
    with pytest.raises(AssertionError):
        check_normal_sum(*draw_sensing(11, 5))


@pytest.fixture
def blocks(monkeypatch):
    """Ensembles are large from 32 blocks of four matrices on, as they are from 20 MiB on."""
    monkeypatch.setattr(generated, "BLOCK_BYTES", 4 * 8 * 35)


@pytest.mark.parametrize("dtype", [np.float32, float])
@pytest.mark.parametrize("normalization", ["sum", "mean"])
def test_a_large_ensemble_is_compiled_and_gives_the_same(blocks, monkeypatch, dtype, normalization):
    count, calls, loop = 4 * 4 * ensemble.PARTS + 3, [], one_pass.normal_sum
    monkeypatch.setattr(one_pass, "normal_sum", lambda *a: calls.append(a) or loop(*a))
    rows, w, y = draw_sensing(count, 35, dtype=dtype)
    problem = dlnlab.sensing(rows.reshape(count, 7, 5), y, normalization)
    W, found = w.reshape(7, 5), []
    for cores in (1, 3):
        with threads.limited(cores):
            found.append(problem.gradient(W))
    assert len(calls) == 2 * ensemble.PARTS
    assert (found[0] == found[1]).all()  # whatever the number of threads
    monkeypatch.setattr(compiled, "installed", lambda: False)
    wide = np.abs(rows.astype(float))
    size = ((wide @ np.abs(w) + np.abs(y)) @ wide).reshape(7, 5) * problem.scale
    check(found[0], problem.gradient(W), size, count + 35 + 3)
    assert len(calls) == 2 * ensemble.PARTS


def test_matrices_that_do_not_lie_one_after_the_other_are_left_to_numpy(blocks, monkeypatch):
    count = 4 * 4 * ensemble.PARTS
    rows, _, y = draw_sensing(count, 35)
    spread = rows.reshape(count, 7, 5)[::-1]
    problem = dlnlab.sensing(spread, y)
    wanted = dlnlab.sensing(np.ascontiguousarray(spread), y).gradient(np.ones((7, 5)))
    assert np.allclose(problem.gradient(np.ones((7, 5))), wanted, rtol=1e-12)


# --------------------------------------------------------------------------------------- completion


def draw_places(d_out, d_in, share, seed=0, dtype=float):
    """A sparse matrix, some of whose rows and columns may be empty, with one entry at least."""
    rng = np.random.default_rng(seed)
    mask = rng.random((d_out, d_in)) < share
    mask[rng.integers(d_out), rng.integers(d_in)] = True
    pattern = scipy.sparse.csr_array(mask)
    values = rng.standard_normal(pattern.nnz).astype(dtype)
    return scipy.sparse.csr_array((values, pattern.indices, pattern.indptr), shape=mask.shape)


def draw_factors(d_out, d_in, k, seed=0, dtype=float):
    rng = np.random.default_rng(seed)
    return (rng.standard_normal(s).astype(dtype) for s in ((d_out, k), (k, d_in)))


def check_factor_gradients(Y, A, B, unit=UNIT):
    found = one_pass.factor_gradients(Y.indptr, Y.indices, Y.data, A, B)
    mask, y = Y.toarray() != 0, Y.toarray()
    G, size = mask * (A @ B) - y, mask * (np.abs(A) @ np.abs(B)) + np.abs(y)
    terms = A.shape[1] + max(Y.shape) + one_pass.PARTS + 2
    check(found[0], G @ B.T, size @ np.abs(B).T, terms, unit)
    check(found[1], A.T @ G, np.abs(A).T @ size, terms, unit)


@given(st.tuples(*[st.integers(1, 9)] * 3), st.floats(0, 1), st.integers(0, 2**16))
def test_gradients_with_respect_to_the_factors(sizes, share, seed):
    d_out, d_in, k = sizes
    Y = draw_places(d_out, d_in, share, seed)
    check_factor_gradients(Y, *draw_factors(d_out, d_in, k, seed))


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("dtype", [np.float32, float])
def test_several_partial_sums_in_any_precision(dtype, index):
    Y = draw_places(40, 30, 0.5, dtype=dtype)
    Y.indices, Y.indptr = Y.indices.astype(index), Y.indptr.astype(index)
    assert Y.nnz // (3 * 30) >= one_pass.PARTS
    check_factor_gradients(Y, *draw_factors(40, 30, 3, dtype=dtype), np.finfo(dtype).eps)


def test_a_wrong_residual_is_noticed(monkeypatch):
    right = one_pass._add_residuals
    monkeypatch.setattr(
        one_pass, "_add_residuals", lambda p, i, y, *others: right(p, i, 0.999 * y, *others)
    )
    with pytest.raises(AssertionError):
        check_factor_gradients(draw_places(9, 8, 0.5), *draw_factors(9, 8, 2))


def test_what_is_no_number_spreads():
    Y = draw_places(6, 6, 1.0)
    A, B = draw_factors(6, 6, 2)
    A[1, 0] = np.nan
    left, right = one_pass.factor_gradients(Y.indptr, Y.indices, Y.data, A, B)
    assert np.isnan(right).any(axis=0).all()
    assert (np.isnan(left).any(axis=1) == (np.arange(6) == 1)).all()


@pytest.mark.parametrize("normalization", ["sum", "mean"])
def test_many_observed_entries_are_compiled_and_give_the_same(monkeypatch, normalization):
    calls, loop = [], one_pass.factor_gradients
    monkeypatch.setattr(one_pass, "factor_gradients", lambda *a: calls.append(a) or loop(*a))
    Y = draw_places(50, 40, 0.4)
    problem = dlnlab.completion(Y, normalization=normalization, computation="sampled")
    weights = dlnlab.original_weights((50, 40), 3, 0.5, rng=0, width=4)
    by_numpy = networks.gradients(problem, weights)
    assert not calls  # too few
    monkeypatch.setattr(one_pass, "ENTRIES", Y.nnz)
    found = []
    for cores in (1, 3):
        with threads.limited(cores):
            found.append(networks.gradients(problem, weights))
    assert len(calls) == 2
    for one, other, wanted in zip(*found, by_numpy, strict=True):
        assert (one == other).all()
        assert np.abs(one - wanted).max() <= 200 * UNIT * np.abs(wanted).max()
    mixed = FactoredMatrix(*(np.ones(s, np.float32) for s in ((50, 2), (2, 40))))
    assert problem.factor_gradients(mixed)[0].dtype == float  # as NumPy has it, without a loop
    assert len(calls) == 2


def test_descent_is_the_same_to_rounding(monkeypatch):
    Y = draw_places(50, 40, 0.4)
    problem = dlnlab.completion(Y, computation="sampled")
    weights = dlnlab.original_weights((50, 40), 3, 0.5, rng=0, width=4)
    options = {"eta": 1e-3, "num_steps": 50, "method": "momentum"}
    slow = dlnlab.gradient_descent(problem, weights, **options)
    monkeypatch.setattr(one_pass, "ENTRIES", 1)
    fast = dlnlab.gradient_descent(problem, weights, **options)
    assert slow.losses[-1] < 0.99 * slow.losses[0]
    assert np.allclose(fast.losses, slow.losses, rtol=1e-12)
    assert not (fast.losses == slow.losses).all()  # another order of sums: the loop did run


# ------------------------------------------------------------------------------------- the compiler


def test_the_compiler_is_not_loaded_for_small_problems():
    code = (
        "import sys, numpy as np, dlnlab;"
        "A = dlnlab.gaussian_ensemble(50, (20, 20), rng=0);"
        "p = dlnlab.sensing(A, np.ones(50)); w = dlnlab.compressed_weights(p, 2, 3, 0.1);"
        "dlnlab.gradient_descent(p, w, eta=1e-6, num_steps=2);"
        "print('numba' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize(("value", "on"), [("", True), ("0", True), ("1", False)])
def test_the_compiler_can_be_switched_off(monkeypatch, value, on):
    monkeypatch.setenv("NUMBA_DISABLE_JIT", value)
    assert compiled.installed.__wrapped__() is on


def test_where_nothing_can_be_kept_it_compiles_all_the_same(monkeypatch):
    import numba

    right = numba.njit

    def njit(cache=False, **options):
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return right(**options)

    monkeypatch.setattr(numba, "njit", njit)

    def double(x):
        for i in range(x.size):
            x[i] *= 2

    x = np.ones(3)
    compiled.compiled(double)(x)
    assert (x == 2).all()
