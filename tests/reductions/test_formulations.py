"""What runs in place of a network moves as the network does, and is chosen where it pays."""

from __future__ import annotations

import numpy as np
import pytest

import dlnlab
from dlnlab.reductions import choice, thin
from dlnlab.reductions.parsimony import NoReductionError
from dlnlab.reductions.reduced import ReducedFactorization
from dlnlab.training.descent import gradient_descent

RECORD = ("loss", "error", "singular_values", "alignment", "end_to_end", "imbalance", "layers")
EPS = np.finfo(float).eps


def target(shape, rank=2, seed=0):
    return dlnlab.random_target(shape, rank, rng=seed, singular_values=np.linspace(1.0, 0.5, rank))


def networks(problem):
    """Wide and thin networks of every kind of start that has a reduction."""
    shape, small = problem.shape, min(problem.shape)
    rng = np.random.default_rng(3)
    gaussian = dlnlab.original_weights(shape, 3, 0.3, rng=1, init="gaussian", width=3)
    tall, wide = rng.standard_normal((shape[0], 4)), rng.standard_normal((4, shape[1]))
    return {
        "wide": dlnlab.original_weights(shape, 3, 0.3, rng=0, width=small),
        "wide inside": dlnlab.original_weights(shape, 4, 0.3, rng=0),
        "two layers": dlnlab.original_weights(shape, 2, 0.3, rng=0, width=small),
        "spectral": dlnlab.compressed_weights(problem, 4, 3, 0.3),
        "spectral below the rank": dlnlab.compressed_weights(problem, 1, 3, 0.3),
        "thin gaussian": gaussian,
        "thin, deficient": (0.1 * wide, 0.1 * (tall * [1.0, 1.0, 1.0, 0.0])),
    }


SETTINGS = {
    "plain": {"eta": 0.1},
    "outer steps": {"eta": 0.1, "alpha": 2.0},
    "decay": {"eta": 0.1, "alpha": 0.5, "weight_decay": 0.05},
    "batch": {"eta": np.array([0.05, 0.1]), "weight_decay": np.array([0.0, 0.1])},
}


@pytest.mark.parametrize("normalization", ["sum", "mean"])
@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("shape", [(20, 20), (20, 14), (14, 20)])
def test_the_reduced_run_is_the_full_one(shape, setting, normalization):
    problem = dlnlab.factorization(target(shape), normalization)
    options = SETTINGS[setting] | {"num_steps": 60, "record_every": 20, "record": RECORD}
    if normalization == "mean":
        options["eta"] = options["eta"] * 200
        options["weight_decay"] = options.get("weight_decay", 0.0) / 200
    for name, weights in networks(problem).items():
        full, reduced = (
            gradient_descent(problem, weights, formulation=kind, **options)
            for kind in ("full", "reduced")
        )
        # rounding per step, growing no faster than the modes themselves, which grow below tenfold
        bound = 10 * 60 * max(shape) * 10 * EPS
        for field in ("losses", "errors", "singular_values", "end_to_end", "imbalances"):
            a, b = getattr(full, field), getattr(reduced, field)
            assert a.shape == b.shape, (name, field)
            assert np.abs(a - b).max() < bound, (name, field, np.abs(a - b).max())
        for a, b in zip(full.weights + full.layers, reduced.weights + reduced.layers, strict=True):
            assert np.abs(a - b).max() < bound, name
        assert np.array_equal(full.status, reduced.status)
        assert np.array_equal(full.times, reduced.times)


@pytest.mark.parametrize("fault", ["multiplicity", "target", "span"])
def test_a_wrong_reduction_is_noticed(monkeypatch, fault):
    problem = dlnlab.factorization(target((20, 20)))
    weights = networks(problem)["thin gaussian" if fault == "span" else "wide"]
    options = {"eta": 0.1, "num_steps": 60, "record_every": 20}
    full = gradient_descent(problem, weights, formulation="full", **options)
    if fault == "multiplicity":
        monkeypatch.setattr(ReducedFactorization, "squared_norm", lambda self, R: (R**2).sum())
    elif fault == "target":
        right = ReducedFactorization.residual
        monkeypatch.setattr(
            ReducedFactorization, "residual", lambda self, W: right(self, W) - 1e-3 * W
        )
    else:
        monkeypatch.setattr(thin, "_span", lambda own, frame: np.linalg.qr(own)[0])
    try:
        reduced = gradient_descent(problem, weights, formulation="reduced", **options)
    except ValueError:  # a frame of the target outside the span is not orthonormal in it
        return
    assert np.abs(full.losses - reduced.losses).max() > 1e-6


def test_the_alignments_agree_where_both_are_defined():
    problem = dlnlab.factorization(target((20, 20)))
    weights = dlnlab.original_weights((20, 20), 3, 0.3, rng=0)
    options = {"eta": 0.1, "num_steps": 300, "record_every": 300, "record": ("alignment",)}
    full, reduced = (
        gradient_descent(problem, weights, formulation=kind, **options)
        for kind in ("full", "reduced")
    )
    assert np.abs(full.left_alignments[-1] - reduced.left_alignments[-1]).max() < 1e-9
    assert full.left_alignments[-1].min() > 0.9


def test_a_reduced_run_resumes_bit_for_bit(tmp_path):
    problem = dlnlab.factorization(target((60, 60)))
    weights = dlnlab.original_weights((60, 60), 3, 0.3, rng=0)
    options = {"eta": 0.1, "record_every": 10, "record": ("loss", "end_to_end")}
    whole = gradient_descent(problem, weights, num_steps=60, **options)
    path = tmp_path / "run.npz"
    kept = {"checkpoint": path, "checkpoint_every": 0.0}
    gradient_descent(problem, weights, num_steps=30, **options, **kept)
    resumed = gradient_descent(problem, weights, num_steps=60, **options, **kept)
    for a, b in zip(whole.weights, resumed.weights, strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(whole.losses, resumed.losses)
    assert np.array_equal(whole.end_to_end, resumed.end_to_end)
    with pytest.raises(ValueError, match="belongs to a run with other"):
        gradient_descent(problem, weights, num_steps=60, formulation="full", **options, **kept)


def chosen(problem, weights, num_steps=1000, wanted="auto"):
    return choice.choose(problem, weights, num_steps, wanted).name


def test_the_rule():
    large = dlnlab.factorization(target((60, 60)))
    wide = dlnlab.original_weights((60, 60), 3, 0.1, rng=0)
    assert chosen(large, wide) == "reduced"
    assert chosen(large, wide, wanted="full") == "full"
    assert chosen(large, wide, num_steps=3) == "full"  # the reduction costs more than it saves
    assert chosen(large, dlnlab.original_weights((60, 60), 3, 0.1, rng=0, init="uniform")) == "full"
    assert chosen(large, dlnlab.original_weights((60, 60), 3, 0.1, rng=0, batch=(2,))) == "full"
    assert chosen(large, dlnlab.original_weights((60, 60), 3, 0.1, rng=0, width=70)) == "full"
    small = dlnlab.factorization(target((20, 20)))
    assert chosen(small, dlnlab.original_weights((20, 20), 3, 0.1, rng=0)) == "full"
    high = dlnlab.factorization(target((60, 60), rank=40))
    assert chosen(high, wide) == "full"  # 2r reaches d, so nothing is saved
    mask = dlnlab.random_mask((60, 60), 0.5, rng=0)
    assert chosen(dlnlab.completion(target((60, 60)), mask), wide) == "full"
    thin = dlnlab.factorization(target((300, 300)))
    narrow = dlnlab.compressed_weights(thin, 4, 3, 0.1)
    assert chosen(thin, narrow, num_steps=10_000) == "reduced"
    fresh = dlnlab.factorization(target((300, 300)))  # whose target is not decomposed yet
    assert chosen(fresh, narrow, num_steps=1000) == "full"


@pytest.mark.parametrize("start", ["wide", "narrow"])
@pytest.mark.parametrize("of_target", ["float32", "float64"])
def test_two_precisions_have_no_exact_reduction(start, of_target):
    """Frames that are orthonormal in one precision are not so in the other; both can be run."""
    other = "float64" if of_target == "float32" else "float32"
    problem = dlnlab.factorization(target((80, 80)).astype(of_target))
    if start == "wide":
        weights = dlnlab.original_weights((80, 80), 3, 0.1, rng=0)
    else:
        weights = dlnlab.compressed_weights(problem, 3, 3, 0.1)
    weights = tuple(W.astype(other) for W in weights)
    assert chosen(problem, weights, 10_000) == "full"
    options = {"eta": 0.1, "num_steps": 2}
    assert gradient_descent(problem, weights, **options).losses.dtype == "float64"
    with pytest.raises(NoReductionError, match=r"`weights\[0\]` must be of the precision of"):
        gradient_descent(problem, weights, formulation="reduced", **options)


def test_a_factored_target_of_many_dimensions_is_no_matrix():
    d = 20_000
    problem = dlnlab.factorization(dlnlab.random_target((d, d), 2, rng=0, factored=True))
    weights = dlnlab.compressed_weights(problem, 4, 3, 0.5)
    run = gradient_descent(problem, weights, eta=0.05, num_steps=200, record_every=100)
    assert run.errors[-1] < run.errors[0]
    assert run.weights[-1].shape == (d, 4)


def test_what_has_no_reduction_is_refused():
    problem = dlnlab.factorization(target((20, 20)))
    gaussian = dlnlab.original_weights((20, 20), 3, 0.1, rng=0, init="gaussian")
    with pytest.raises(NoReductionError, match="must be a multiple of a"):
        gradient_descent(problem, gaussian, eta=0.1, num_steps=1, formulation="reduced")
    batch = dlnlab.original_weights((20, 20), 3, 0.1, rng=0, batch=(2,))
    with pytest.raises(NoReductionError, match="`formulation` 'reduced' needs a factorization"):
        gradient_descent(problem, batch, eta=0.1, num_steps=1, formulation="reduced")
    with pytest.raises(ValueError, match="`formulation` must be one of"):
        gradient_descent(problem, gaussian, eta=0.1, num_steps=1, formulation="fast")
