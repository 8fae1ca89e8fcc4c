"""Ensembles that are read block by block: the same problem as one that is in memory."""

from __future__ import annotations

import numpy as np
import pytest

import dlnlab
from dlnlab.numerics import threads
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
