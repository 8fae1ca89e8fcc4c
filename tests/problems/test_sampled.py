"""Completion from observed entries only against the dense computation of the same problem.

The stated bound: an observed entry of A B and an entry of G Bᵀ or Aᵀ G are sums of at most
k + d products of three factors, so either way differs from exact arithmetic by at most that many
roundings of the sum of absolute values, which `bound` evaluates with absolute values throughout.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from instances import assert_close, network

import dlnlab
from dlnlab import networks
from dlnlab.numerics import arrays, krylov, products, spectra
from dlnlab.numerics.products import FactoredMatrix
from dlnlab.problems import Completion, SampledCompletion, sampled

UNIT = np.finfo(float).eps


def draw(shape, share, seed=0, batch=()):
    """A matrix and a boolean mask with at least one entry."""
    rng = np.random.default_rng(seed)
    mask = rng.random(shape) < share
    mask[rng.integers(shape[0]), rng.integers(shape[1])] = True
    return rng.standard_normal((*batch, *shape)), mask


def pair(M, mask, normalization="sum", **options):
    """The same problem computed densely and from observed entries."""
    return tuple(
        dlnlab.completion(M, mask, normalization, computation=way, **options)
        for way in ("dense", "sampled")
    )


def step(problem, weights):
    """Loss and layer gradients as `gradient_descent` computes them."""
    prefixes, W = networks.forward(problem, weights)
    return problem.loss(W), networks.backward(weights, prefixes, problem.gradient(W))


def bound(M, mask, weights, scale):
    """Bounds on the rounding of the loss and of each layer's gradient, entry by entry."""
    sizes = tuple(np.abs(W) for W in weights)
    residual = np.where(mask, networks.prefix_products(sizes)[-1] + np.abs(M), 0.0)
    terms = sum(M.shape) + sum(W.shape[0] for W in weights) + 10
    prefixes = networks.prefix_products(sizes)
    gradients = networks.backward(sizes, prefixes, scale * residual)
    unit = 2 * terms * UNIT  # both ways round
    return unit * scale * np.sum(residual**2), tuple(unit * g for g in gradients)


def check_agreement(M, mask, weights, normalization="sum"):
    dense, few = pair(M, mask, normalization)
    loss_bound, gradient_bounds = bound(M, mask, weights, dense.scale)
    (loss, gradients), (same_loss, same) = step(dense, weights), step(few, weights)
    assert_close(same_loss, loss, loss_bound, "loss")
    for layer, (got, want, limit) in enumerate(zip(same, gradients, gradient_bounds, strict=True)):
        assert_close(got, want, limit, f"layer {layer + 1}")


@st.composite
def cases(draw_from):
    shape = draw_from(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    widths = draw_from(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    seed = draw_from(st.integers(0, 2**16))
    M, mask = draw(shape, draw_from(st.floats(0, 1)), seed)
    scale = 10.0 ** draw_from(st.integers(-6, 6))
    return M * scale, mask, network((shape[1], *widths, shape[0]), seed)


@given(cases(), st.sampled_from(["sum", "mean"]))
def test_sampled_and_dense_steps_agree_to_rounding(case, normalization):
    check_agreement(*case, normalization)


def test_they_agree_where_entries_are_gathered_in_several_blocks():
    M, mask = draw((300, 400), 0.3)
    assert mask.sum() * 7 > 3 * products.BLOCK_NUMBERS
    check_agreement(M, mask, network((400, 7, 7, 300)))


def swapped_indices(monkeypatch):
    right = FactoredMatrix.entries
    monkeypatch.setattr(FactoredMatrix, "entries", lambda W, i, j: right(W, j, i))


def transposed_gradient(monkeypatch):
    right = SampledCompletion._sparse
    monkeypatch.setattr(SampledCompletion, "_sparse", lambda self, x: right(self, x).T.tocsr())


def forgotten_scale(monkeypatch):
    right = SampledCompletion.gradient

    def gradient(self, W):
        return right(self, W) / self.scale if isinstance(W, FactoredMatrix) else right(self, W)

    monkeypatch.setattr(SampledCompletion, "gradient", gradient)


def entries_out_of_order(monkeypatch):
    right = SampledCompletion._sparse
    monkeypatch.setattr(SampledCompletion, "_sparse", lambda self, x: right(self, x[::-1].copy()))


def duplicated_entry(monkeypatch):
    def sparse(self, entries):
        rows, columns = (np.append(x, x[0]) for x in (self.rows, self.columns))
        entries = np.append(entries, entries[0])
        return scipy.sparse.coo_array((entries, (rows, columns)), shape=self.shape).tocsr()

    monkeypatch.setattr(SampledCompletion, "_sparse", sparse)


def block_left_out(monkeypatch):
    right = FactoredMatrix.entries

    def entries(W, rows, columns):
        out = right(W, rows, columns)
        out[-1] = 0.0
        return out

    monkeypatch.setattr(FactoredMatrix, "entries", entries)


FAULTS = [swapped_indices, transposed_gradient, forgotten_scale, entries_out_of_order]
FAULTS += [duplicated_entry, block_left_out]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f.__name__)
def test_a_fault_in_the_sampled_computation_is_found(monkeypatch, fault):
    M, mask = draw((6, 6), 0.5)
    weights = network((6, 3, 3, 6))
    check_agreement(M, mask, weights, "mean")
    fault(monkeypatch)
    with pytest.raises(AssertionError):
        check_agreement(M, mask, weights, "mean")


def test_a_whole_run_is_the_same_with_all_it_records():
    target = dlnlab.random_target((30, 25), 2, rng=0)
    _, mask = draw((30, 25), 0.4)
    dense, few = pair(target, mask)
    record = ("loss", "error", "singular_values", "alignment", "end_to_end", "imbalance", "layers")
    runs = []
    for problem in (dense, few):
        weights = dlnlab.compressed_weights(dense, 4, 3, 0.3)
        options = {"eta": 0.1, "num_steps": 60, "record_every": 20, "record": record}
        runs.append(dlnlab.gradient_descent(problem, weights, **options))
    one, other = runs
    # 60 stable steps on matrices of norm one, each entry a sum of at most 30·4 products.
    limit = 60 * 200 * UNIT
    for name in ("losses", "errors", "singular_values", "end_to_end", "imbalances"):
        assert_close(getattr(other, name), getattr(one, name), 10 * limit, name)
    assert np.all(other.singular_values[:, 4:] == 0.0)
    # Vectors turn by the error over the gap, which is 0.1 or more for the two leading ones here.
    assert_close(other.left_alignments[1:], one.left_alignments[1:], 100 * limit)
    assert_close(other.right_alignments[1:], one.right_alignments[1:], 100 * limit)


def test_a_large_step_size_diverges_in_the_same_way():
    M, mask = draw((30, 25), 0.4)
    weights = network((25, 4, 4, 30))
    runs = [
        dlnlab.gradient_descent(
            p,
            weights,
            eta=1.0,
            num_steps=60,
            record_every=60,
            record=("loss", "error", "singular_values", "alignment"),
        )
        for p in pair(M, mask)
    ]
    assert [run.status for run in runs] == [dlnlab.Status.DIVERGED] * 2
    assert np.isnan(runs[1].singular_values[-1]).all()
    assert np.isnan(runs[1].left_alignments[-1]).all()


# A product that is not formed.


@given(cases())
def test_what_is_read_off_the_factors_is_what_the_product_has(case):
    M, _, weights = case
    W = FactoredMatrix(weights[-1], networks.prefix_products(weights[:-1])[-1])
    dense = W.to_dense()
    size = np.linalg.norm(W.left) * np.linalg.norm(W.right)
    limit = 40 * (sum(M.shape) + 5) * UNIT
    assert_close(spectra.singular_values(W), spectra.singular_values(dense), limit * size)
    U, s, Vh = W.svd()
    assert_close((U * s) @ Vh, dense, limit * size)
    expected = np.linalg.norm(dense - M)
    assert_close(W.distance(M), expected, limit * (size + np.linalg.norm(M)))
    factored = dlnlab.FactoredTarget(*spectra.compact_svd(M))
    assert_close(W.distance(factored), expected, limit * (size + np.linalg.norm(M)))


def test_the_distance_to_a_factored_target_keeps_its_digits_near_the_target():
    target = dlnlab.random_target((200, 150), 3, rng=0, factored=True)
    W = FactoredMatrix(target.U * target.s, target.Vh * (1 + 1e-12))
    expected = 1e-12 * np.linalg.norm(target.s)
    # The stacked factors carry an error of eps; differences of squares would carry sqrt(eps).
    assert_close(W.distance(target), expected, 20 * UNIT)


def test_alignment_with_more_target_values_than_the_network_has_is_unknown_beyond():
    M = np.diag([3.0, 2.0, 1.0, 0.0])
    W = FactoredMatrix(np.eye(4)[:, :2] * [3.0, 2.0], np.eye(4)[:2])
    left, right = spectra.alignments(W, spectra.compact_svd(M))
    assert_close(left[:2], np.ones(2), 4 * UNIT)
    assert np.isnan([left[2], right[2]]).all()


# Which way is taken.


def test_the_rule_and_its_override():
    M, mask = draw((300, 310), 0.05)
    weights = network((310, 3, 3, 300))
    ways = {}
    for way in ("auto", "dense", "sampled"):
        problem = dlnlab.completion(M, mask, computation=way)
        ways[way] = type(networks.forward(problem, weights)[1])
    assert ways == {"auto": FactoredMatrix, "dense": np.ndarray, "sampled": FactoredMatrix}
    assert isinstance(dlnlab.completion(M, M > -1), Completion)  # most entries observed
    assert isinstance(dlnlab.completion(M[:50, :50], mask[:50, :50]), Completion)  # small
    assert not sampled.sampling_pays((300, 300), 6001)
    assert sampled.sampling_pays((300, 300), 6000)
    assert not sampled.sampling_pays((300, 299), 1)


def test_batches_take_the_dense_way():
    M, mask = draw((300, 310), 0.02)
    single = network((310, 2, 300))
    batch = tuple(np.stack([W, 2 * W]) for W in single)
    problem = dlnlab.completion(M, mask)
    together = step(problem, batch)
    for k, factor in enumerate((1, 2)):
        alone = step(problem, tuple(factor * W for W in single))
        limits = bound(M, mask, tuple(factor * W for W in single), 1.0)
        assert_close(together[0][k], alone[0], limits[0])
        for got, want, limit in zip(together[1], alone[1], limits[1], strict=True):
            assert_close(got[k], want, limit)


def test_checkpoints_tell_the_two_ways_apart():
    M, mask = draw((5, 6), 0.5)
    marks = {problem.fingerprint() for problem in pair(M, mask)}
    assert len(marks) == 2


# The spectral start from a sparse surrogate.


def test_compressed_weights_never_form_a_large_surrogate(monkeypatch):
    target = dlnlab.random_target((400, 500), 3, rng=0, factored=True)
    _, mask = draw((400, 500), 0.1)
    few = dlnlab.completion(target, mask, computation="sampled")
    dense = dlnlab.completion(target, mask, computation="dense")
    expected = dlnlab.compressed_weights(dense, 3, 3, 0.1)
    monkeypatch.setattr(SampledCompletion, "surrogate", None)  # the dense one
    found = dlnlab.compressed_weights(few, 3, 3, 0.1)
    again = dlnlab.compressed_weights(few, 3, 3, 0.1)
    assert all((a == b).all() for a, b in zip(found, again, strict=True))
    _, s, _ = np.linalg.svd(dense.surrogate())
    # Two SVDs with backward error n·eps·σ_1 agree on a subspace to that over the gap (Wedin).
    limit = 2 * 500 * UNIT * s[0] / (s[2] - s[3])
    for one, other in ((found[-1], expected[-1]), (found[0].T, expected[0].T)):
        gap = float(spectra.subspace_distance(one / 0.1, other / 0.1))
        assert gap <= 3 * limit**2, gap  # a sum of three squared angles


def test_a_run_too_large_for_a_dense_matrix(monkeypatch):
    # One dense matrix takes 8·d² bytes, 32 GiB; the whole run may take a five-hundredth of that.
    d, n = 2**16, 2**18
    target = dlnlab.random_target((d, d), 2, rng=0, factored=True)
    rng = np.random.default_rng(0)
    places = np.unique(rng.integers(0, d * d, n))
    stored = (np.ones(places.size, dtype=bool), np.divmod(places, d))
    problem = dlnlab.completion(target, scipy.sparse.coo_array(stored, shape=(d, d)))
    weights = network((d, 3, 3, d))
    record = ("loss", "error", "singular_values", "alignment")
    tracemalloc.start()
    run = dlnlab.gradient_descent(problem, weights, eta=1e-6, num_steps=2, record=record)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 8 * d * d / 500
    assert np.isfinite(run.losses).all()
    assert run.errors.shape == (3,)
    assert run.singular_values.shape == (3, d)
    assert run.left_alignments.shape == (3, 2)
    assert np.isfinite(run.left_alignments).all()
    monkeypatch.setattr(arrays, "available_bytes", lambda reference=None: 2**30)
    with pytest.raises(ValueError, match="`surrogate`: the dense matrix"):
        problem.surrogate()


def test_a_surrogate_whose_leading_vectors_lanczos_cannot_resolve_gets_a_dense_svd():
    # Rank one: the second value is zero, and squaring leaves it at sqrt(eps).
    stored = scipy.sparse.coo_array(([1.0], ([3], [4])), shape=(300, 300))
    assert spectra.leading_svd(stored.tocsr(), 2) is None
    weights = dlnlab.compressed_weights(dlnlab.completion(stored), 2, 2, 1.0)
    assert_close(weights[-1].T @ weights[-1], np.eye(2), 50 * UNIT)


def test_leading_svd_is_refused_when_it_is_inaccurate(monkeypatch):
    A = scipy.sparse.random_array((300, 200), density=0.1, rng=np.random.default_rng(0))
    assert spectra.leading_svd(A, 3) is not None
    monkeypatch.setattr(krylov, "ROOM", 20)  # too few vectors to converge in
    assert spectra.leading_svd(A, 3) is None


def repeated(shape, multiplicity, seed):
    """A sparse matrix in general position, whose six largest values occur so many times."""
    rng = np.random.default_rng(seed)
    count = min(shape)
    values = np.repeat(np.sort(rng.uniform(1, 3, 6))[::-1], multiplicity)
    values = np.concatenate([values, np.sort(rng.uniform(0, 1, count - values.size))[::-1]])
    left, right = (np.linalg.qr(rng.standard_normal((n, count)))[0] for n in shape)
    return scipy.sparse.csr_array((left * values) @ right.T), values


@pytest.mark.parametrize("shape", [(60, 40), (40, 60)])
@pytest.mark.parametrize("multiplicity", [1, 2, 4])
def test_leading_svd_finds_every_copy_of_a_repeated_value(shape, multiplicity):
    for seed, count in itertools.product(range(3), (1, 2, 3, 5, 8)):
        A, values = repeated(shape, multiplicity, seed)
        U, s, Vh = spectra.leading_svd(A, count)
        rounding = max(shape) * UNIT * values[0]  # the backward error it promises
        assert_close(s, values[:count], rounding)
        assert np.linalg.norm(A @ Vh.T - U * s) <= 2 * rounding
        assert_close(Vh @ Vh.T, np.eye(count), 50 * UNIT)


def eighty_blocks():
    block = scipy.sparse.csr_array(np.random.default_rng(7).standard_normal((4, 5)))
    return scipy.sparse.csr_array(scipy.sparse.block_diag([block] * 80))


def test_the_compressed_network_of_equal_blocks_starts_on_the_largest_value():
    """Lanczos from one start sees one copy of each value, so four different ones of 80 blocks."""
    stored = eighty_blocks()
    problem = dlnlab.completion(stored)
    largest = np.linalg.svdvals(stored.toarray() / (stored.nnz / np.prod(stored.shape)))[0]
    narrow = dlnlab.compressed_weights(problem, 6, 2, 1.0)
    seen = narrow[1].T @ problem.surrogate() @ narrow[0].T
    assert_close(seen, largest * np.eye(6), 400 * UNIT * largest)


def test_accurate_triples_need_not_be_the_leading_ones():
    """A check of accuracy alone lets them pass: two starts see two copies of each value."""
    A = eighty_blocks()
    values = np.linalg.svdvals(A.toarray()[:4, :5])
    basis = krylov._Basis(A)
    basis.grow(10)  # four different values and zero, twice
    U, s, Vh = basis.triples(3)
    rounding = 400 * UNIT * s[0]
    assert np.linalg.norm(A @ Vh.T - U * s) <= rounding
    assert np.linalg.norm(A.T @ U - Vh.T * s) <= rounding
    assert_close(s, values[[0, 0, 1]], rounding)
    assert_close(spectra.leading_svd(A, 3).s, values[[0, 0, 0]], rounding)


HASHES = """
import hashlib, sys
sys.path[:0] = ["tests", "tests/problems"]
import test_sampled
from dlnlab import spectra
for A in (test_sampled.eighty_blocks(), test_sampled.repeated((60, 40), 2, 0)[0]):
    found = spectra.leading_svd(A, 6)
    print(hashlib.sha256(b"".join(part.tobytes() for part in found)).hexdigest())
"""


def test_leading_svd_is_the_same_in_every_call_and_process():
    for A in (eighty_blocks(), repeated((60, 40), 2, 0)[0]):
        first, second = (spectra.leading_svd(A, 6) for _ in range(2))
        assert all(a.tobytes() == b.tobytes() for a, b in zip(first, second, strict=True))
    command = [sys.executable, "-c", HASHES]
    where = Path(__file__).parents[2]
    runs = [
        subprocess.run(command, capture_output=True, text=True, check=True, cwd=where)
        for _ in range(2)
    ]
    assert len(runs[0].stdout.split()) == 2
    assert runs[0].stdout == runs[1].stdout
