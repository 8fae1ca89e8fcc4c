"""Ensembles that are read block by block: the same problem as one that is in memory."""

from __future__ import annotations

import numpy as np
import pytest

import dlnlab
from dlnlab.numerics import arrays, threads
from dlnlab.problems import ensemble as ensemble_module
from dlnlab.problems import generated

SHAPE, COUNT = (7, 5), 43


@pytest.fixture
def blocks(monkeypatch):
    """Blocks of four matrices, the last one incomplete."""
    monkeypatch.setattr(generated, "BLOCK_BYTES", 4 * 8 * 35)
    assert generated.block_rows(35) == 4


def kinds(tmp_path):
    """The same ensemble in memory, in a file, and as a seed."""
    generated = dlnlab.GeneratedEnsemble(COUNT, SHAPE, seed=3, scale=0.5)
    dense = np.concatenate([rows for _, rows in generated.blocks()]).reshape(generated.shape)
    np.save(tmp_path / "ensemble.npy", dense)
    return dense, np.load(tmp_path / "ensemble.npy", mmap_mode="r"), generated


@pytest.mark.parametrize("normalization", ["sum", "mean"])
@pytest.mark.parametrize("batch", [(), (2,)])
def test_every_kind_gives_the_same_problem(blocks, tmp_path, normalization, batch):
    dense, mapped, generated = kinds(tmp_path)
    M = dlnlab.random_target(SHAPE, 2, rng=0)
    y = np.einsum("mij,ij->m", dense, M)
    W = np.random.default_rng(0).standard_normal((*batch, *SHAPE))
    plain = dlnlab.sensing(dense, y, normalization, target=M)
    residual = np.einsum("mij,...ij->...m", dense, W) - y
    literal = np.einsum("...m,mij->...ij", residual, dense)
    if normalization == "mean":
        literal /= COUNT
    # sums of m products of sums of d_out d_in products, in another order
    scale = np.einsum("m,mij->ij", np.linalg.norm(dense, axis=(1, 2)), np.abs(dense)).max()
    rounding = 2 * np.finfo(float).eps * (COUNT + 35) * scale * np.linalg.norm(W)
    for matrices in (dense, mapped, generated):
        problem = dlnlab.sensing(matrices, y, normalization, target=M)
        assert np.abs(problem.gradient(W) - literal).max() < rounding
        assert np.allclose(problem.loss(W), plain.loss(W), rtol=1e-13)
        assert np.allclose(problem.surrogate(), plain.surrogate(), rtol=0, atol=rounding)
        assert np.isclose(problem.curvature, plain.curvature, rtol=2e-3)
        assert problem.shape == SHAPE
    assert np.allclose(generated.measure(M), y, rtol=1e-13)


def test_a_block_that_is_left_out_is_noticed(blocks, tmp_path, monkeypatch):
    dense, _, _ = kinds(tmp_path)
    problem = dlnlab.sensing(dense, np.zeros(COUNT))
    W = np.ones(SHAPE)
    right = problem.gradient(W)
    all_blocks = type(problem).blocks
    monkeypatch.setattr(
        type(problem), "blocks", lambda self, *part: list(all_blocks(self, *part))[1:]
    )
    assert np.abs(problem.gradient(W) - right).max() > 1e-3


@pytest.mark.parametrize("kind", [0, 1, 2], ids=["dense", "mapped", "generated"])
def test_partial_sums_and_threads_do_not_change_the_gradient(blocks, tmp_path, monkeypatch, kind):
    ensemble = kinds(tmp_path)[kind]
    problem = dlnlab.sensing(ensemble, np.arange(COUNT, dtype=float))
    W = np.random.default_rng(0).standard_normal(SHAPE)
    whole = problem.gradient(W)
    found = []
    monkeypatch.setattr(ensemble_module, "PARTS", 2)
    for count in (1, 3):
        with threads.limited(count):
            found.append(problem.gradient(W))
    assert (found[0] == found[1]).all()
    assert np.abs(found[0] - whole).max() < 1e-12 * np.abs(whole).max()
    monkeypatch.setattr(ensemble_module, "pairwise", lambda cuts: [(cuts[0], cuts[-2])])
    assert np.abs(problem.gradient(W) - whole).max() > 1e-3


@pytest.mark.parametrize("kind", [1, 2], ids=["mapped", "generated"])
def test_descent_on_an_ensemble_out_of_memory(blocks, tmp_path, kind):
    everything = kinds(tmp_path)
    M = dlnlab.random_target(SHAPE, 1, rng=0)
    y = np.einsum("mij,ij->m", everything[0], M)
    runs = []
    for matrices in (everything[0], everything[kind]):
        problem = dlnlab.sensing(matrices, y, "mean", target=M)
        weights = dlnlab.compressed_weights(problem, 2, 3, 0.5)
        runs.append(dlnlab.gradient_descent(problem, weights, eta=0.5, num_steps=60))
    assert runs[1].losses[-1] < 0.5 * runs[1].losses[0]
    assert np.allclose(runs[0].losses, runs[1].losses, rtol=1e-9)
    problems = [dlnlab.sensing(matrices, y) for matrices in everything]
    again = dlnlab.sensing(everything[kind], y)
    assert problems[kind].fingerprint() == again.fingerprint()
    other = dlnlab.sensing(dlnlab.GeneratedEnsemble(COUNT, SHAPE, seed=4), y)
    assert other.fingerprint() != problems[2].fingerprint()


def test_a_bad_entry_in_a_file_is_found(blocks, tmp_path):
    dense, _, _ = kinds(tmp_path)
    dense[-1, 0, 0] = np.nan
    np.save(tmp_path / "bad.npy", dense)
    mapped = np.load(tmp_path / "bad.npy", mmap_mode="r")
    with pytest.raises(ValueError, match="`matrices` must be finite, got 1 NaN"):
        dlnlab.sensing(mapped, np.zeros(COUNT))
    np.save(tmp_path / "single.npy", dense.astype(np.float32))
    mapped = np.load(tmp_path / "single.npy", mmap_mode="r")
    with pytest.raises(ValueError, match="`matrices` must be float64 in C order"):
        dlnlab.sensing(mapped, np.zeros(COUNT))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, (2, 2), 0), "`count` must be an integer >= 1"),
        ((2, (2, 0), 0), r"`matrix_shape\[1\]` must be an integer >= 1"),
        ((2, (2, 2), -1), "`seed` must be an integer >= 0"),
        ((2, (2, 2), 0, 0.0), "`scale` must be a finite number > 0"),
    ],
)
def test_bad_ensembles_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        dlnlab.GeneratedEnsemble(*arguments)


def test_a_matrix_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="`W` must have shape"):
        dlnlab.GeneratedEnsemble(2, (2, 3), 0).measure(np.ones((3, 2)))


# ------------------------------------------------------------------ structure instead of entries


def structured(kind):
    """An ensemble with structure, and the same matrices written down, one by one."""
    rng = np.random.default_rng(1)
    if kind == "rank one":
        left, right = rng.standard_normal((COUNT, SHAPE[0])), rng.standard_normal((COUNT, SHAPE[1]))
        ensemble = dlnlab.RankOneEnsemble(left, right)
        return ensemble, np.stack([np.outer(a, b) for a, b in zip(left, right, strict=True)])
    ensemble = dlnlab.CosineEnsemble(20, SHAPE, seed=1, scale=0.5)
    signs, rows = ensemble.parts()
    n = SHAPE[0] * SHAPE[1]
    k, j = np.arange(n)[:, None], np.arange(n)
    cosines = np.sqrt(2 / n) * np.cos(np.pi * k * (2 * j + 1) / (2 * n))  # the type II, literally
    cosines[0] /= np.sqrt(2)
    assert np.allclose(np.abs(signs), 0.5 * np.sqrt(n), rtol=1e-15)
    return ensemble, (cosines * signs)[rows].reshape(ensemble.shape)


@pytest.mark.parametrize("kind", ["rank one", "cosine"])
@pytest.mark.parametrize("normalization", ["sum", "mean"])
def test_structure_gives_the_problem_of_the_matrices_written_down(kind, normalization):
    ensemble, dense = structured(kind)
    assert ensemble.shape == dense.shape
    M = dlnlab.random_target(SHAPE, 2, rng=0)
    y = ensemble.measure(M)
    fast = dlnlab.sensing(ensemble, y, normalization, target=M)
    plain = dlnlab.sensing(dense, y, normalization, target=M)
    # sums of at most 35 + 43 products, each rounded, of numbers of at most this size
    rounding = 100 * np.finfo(float).eps * np.abs(dense).max() ** 2 * COUNT * 35
    for batch in ((), (3,), (2, 3)):
        W = np.random.default_rng(0).standard_normal((*batch, *SHAPE))
        assert np.allclose(ensemble.measure(W), np.einsum("mij,...ij->...m", dense, W), rtol=1e-12)
        assert np.abs(fast.gradient(W) - plain.gradient(W)).max() < rounding
        assert np.allclose(fast.loss(W), plain.loss(W), rtol=1e-12)
    assert np.abs(fast.surrogate() - plain.surrogate()).max() < rounding
    assert np.isclose(fast.curvature, plain.curvature, rtol=2e-3)
    runs = [
        dlnlab.gradient_descent(
            problem,
            dlnlab.compressed_weights(problem, 3, 3, 0.5),
            eta=0.1 / problem.curvature,
            num_steps=40,
        )
        for problem in (fast, plain)
    ]
    assert runs[0].losses[-1] < 0.9 * runs[0].losses[0]
    assert np.allclose(runs[0].losses, runs[1].losses, rtol=1e-9)
    again = dlnlab.sensing(structured(kind)[0], y, normalization, target=M)
    assert fast.fingerprint() == again.fingerprint() != plain.fingerprint()


def test_entries_of_the_cosine_ensemble_have_the_scale_that_was_asked_for():
    """All n rows are orthogonal with squared norm n·scale², so A^T A = n·scale²."""
    whole = dlnlab.CosineEnsemble(35, SHAPE, seed=0, scale=3.0)
    W = np.random.default_rng(0).standard_normal(SHAPE)
    assert np.allclose(whole._adjoint(whole.measure(W)), 35 * 9.0 * W, rtol=1e-12)
    assert len(set(whole.parts()[1])) == 35
    other = dlnlab.CosineEnsemble(35, SHAPE, seed=1, scale=3.0)
    assert (other.parts()[0] != whole.parts()[0]).any()


def test_rank_one_ensembles_live_on_any_device(device):
    ensemble, _ = structured("rank one")
    there = dlnlab.RankOneEnsemble(device.asarray(ensemble.left), device.asarray(ensemble.right))
    W = np.random.default_rng(0).standard_normal((2, *SHAPE))
    problem = dlnlab.sensing(there, there.measure(device.asarray(W[0])))
    plain = dlnlab.sensing(ensemble, ensemble.measure(W[0]))
    gradient = arrays.to_host(problem.gradient(device.asarray(W)))
    assert np.allclose(gradient, plain.gradient(W), rtol=0, atol=1e-11)


@pytest.mark.parametrize("batch", [(), (2,)])
def test_single_precision_is_summed_in_double(blocks, batch):
    """Half the memory, and the very problem of the matrices as they are stored."""
    dense = np.random.default_rng(0).standard_normal((COUNT, *SHAPE))
    single = dense.astype(np.float32)
    M = dlnlab.random_target(SHAPE, 2, rng=0)
    y = np.einsum("mij,ij->m", dense, M)
    W = np.random.default_rng(1).standard_normal((*batch, *SHAPE))
    narrow, stored = dlnlab.sensing(single, y), dlnlab.sensing(single.astype(float), y)
    assert narrow.matrices is single
    assert narrow.gradient(W).dtype == np.float64
    assert np.allclose(narrow.gradient(W), stored.gradient(W), rtol=1e-13, atol=1e-12)
    assert np.allclose(narrow.loss(W), stored.loss(W), rtol=1e-13)
    assert narrow.fingerprint() != stored.fingerprint()
    # rounding the matrices moves the residual at the target by this and no more
    bound = 2.0**-24 * np.linalg.norm(dense, axis=(1, 2)) * np.linalg.norm(M)
    off = np.abs(narrow.residual(M))
    assert (off <= bound + 1e-14).all()
    assert off.max() > 1e-9  # it is no rounding of doubles


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: dlnlab.RankOneEnsemble(np.ones((3, 2)), np.ones((4, 2))), ValueError, "`right`"),
        (lambda: dlnlab.RankOneEnsemble(np.ones(3), np.ones((3, 2))), ValueError, "`left`"),
        (lambda: dlnlab.CosineEnsemble(5, (2, 2), 0), ValueError, "`matrix_shape`"),
        (lambda: dlnlab.CosineEnsemble(3, (2, 2), -1), ValueError, "`seed`"),
        (lambda: dlnlab.CosineEnsemble(3, (2, 2), 0, 0.0), ValueError, "`scale`"),
        (
            lambda: dlnlab.CosineEnsemble(3, (2, 2), 0).measure(np.ones((2, 3))),
            ValueError,
            "`W` must have shape",
        ),
        (
            lambda: dlnlab.sensing(dlnlab.CosineEnsemble(3, (2, 2), 0), np.ones(4)),
            ValueError,
            "`measurements` must have shape",
        ),
    ],
)
def test_bad_structure_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()
