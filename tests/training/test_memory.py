"""What a run is foreseen to need, against what it holds and what it takes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse

import dlnlab
from dlnlab.campaigns.executors import Processes
from dlnlab.numerics import arrays, checks, compiled
from dlnlab.problems import one_pass
from dlnlab.reductions import choice
from dlnlab.training import memory

ALL = ("loss", "error", "singular_values", "alignment", "end_to_end", "imbalance", "layers")


@pytest.fixture
def problem():
    return dlnlab.factorization(dlnlab.random_target((9, 7), 2, rng=0))


@pytest.mark.parametrize("batch", [(), (3,)])
@pytest.mark.parametrize("names", [*((name,) for name in ALL), ALL])
def test_records_are_foreseen_to_the_byte(problem, names, batch):
    weights = dlnlab.original_weights((9, 7), 3, 0.1, rng=0, batch=batch)
    run = dlnlab.gradient_descent(
        problem, weights, eta=0.1, num_steps=7, record_every=2, record=names
    )
    kept = [value for name, value in vars(run).items() if name not in ("weights", "steps", "times")]
    held = sum(v.nbytes for v in kept if isinstance(v, np.ndarray) and v.dtype != object)
    held += sum(part.nbytes for part in run.layers or ())
    assert memory.of_descent(problem, weights, run.steps.size, names).records == held


def test_what_needs_an_unknown_target_takes_nothing(problem):
    unknown = dlnlab.completion(problem.target, np.ones((9, 7), dtype=bool), target=None)
    weights = dlnlab.compressed_weights(unknown, 2, 3, 0.1)
    assert memory.of_descent(unknown, weights, 5, ("error", "alignment")).records == 0


def test_the_peak_counts_the_records_twice_while_they_are_put_together():
    assert memory.Footprint(work=10, records=100, objects=5).peak == 205
    assert memory.Footprint(work=1000, records=100, objects=5).peak == 1105


@pytest.mark.parametrize(
    ("steps", "every", "expected"), [(10, 3, 5), (9, 3, 4), (0, 1, 1), (10, [2, 2, 99], 3)]
)
def test_the_number_of_records_is_known_before(problem, steps, every, expected, monkeypatch):
    seen = []
    original = memory.of_descent

    def spy(problem, weights, num_records, *others, **options):
        seen.append(num_records)
        return original(problem, weights, num_records, *others, **options)

    monkeypatch.setattr(memory, "of_descent", spy)
    weights = dlnlab.original_weights((9, 7), 3, 0.1, rng=0)
    run = dlnlab.gradient_descent(
        problem, weights, eta=0.1, num_steps=steps, record_every=every, record=("loss",)
    )
    assert seen == [expected] or (steps == 0 and seen == [1])
    assert run.steps.size == expected


def test_a_run_that_cannot_fit_is_refused_before_it_starts(problem, monkeypatch):
    monkeypatch.setattr(arrays, "available_bytes", lambda reference=None: 10**6)
    weights = dlnlab.original_weights((9, 7), 3, 0.1, rng=0)
    steps = {"eta": 0.1, "record": ("loss", "end_to_end")}
    with pytest.raises(
        ValueError,
        match=r"`record`: the run \(.* to take a step; .* MiB to put its records together\) would "
        r"need .* 1,000,000 bytes are available; record less often \(`record_every`\)",
    ):
        dlnlab.gradient_descent(problem, weights, num_steps=20_000, **steps)
    dlnlab.gradient_descent(problem, weights, num_steps=20_000, record_every=20_000, **steps)
    # A run that may end any time, at `tol`, is not refused for the records it might come to.
    run = dlnlab.gradient_descent(problem, weights, num_steps=20_000, tol=1e3, **steps)
    assert run.status is dlnlab.Status.CONVERGED


def target(d, rank=2):
    return dlnlab.random_target((d, d), rank, rng=0)


def start(d, depth=3, **options):
    return dlnlab.original_weights((d, d), depth, 0.1, rng=0, **options)


def sensing(count, d, normalization="sum"):
    matrices = dlnlab.gaussian_ensemble(count, (d, d), rng=0)
    return dlnlab.sensing(matrices, np.ones(count), normalization, target=target(d))


def operator(count, d):
    matrix = scipy.sparse.random(count, d * d, density=0.1, rng=0, format="csr")
    return dlnlab.linear_recovery(matrix, np.ones(count), (d, d))


def sampled(d, count, target=None):
    places = np.random.default_rng(0).integers(0, d, (2, count))
    matrix = scipy.sparse.coo_array((np.ones(count), places), shape=(d, d)).tocsr()
    return dlnlab.completion(matrix, computation="sampled", target=target)


def generated(count, d):
    return dlnlab.sensing(dlnlab.GeneratedEnsemble(count, (d, d), seed=0), np.ones(count))


def rank_one(count, d):
    rng = np.random.default_rng(0)
    factors = (rng.standard_normal((count, d)) for _ in range(2))
    return dlnlab.sensing(dlnlab.RankOneEnsemble(*factors), np.ones(count))


def cosines(count, d):
    return dlnlab.sensing(dlnlab.CosineEnsemble(count, (d, d), seed=0), np.ones(count))


def single(count, d):
    matrices = np.random.default_rng(0).standard_normal((count, d, d), dtype=np.float32)
    return dlnlab.sensing(matrices, np.ones(count))


def factored(d):
    return dlnlab.random_target((d, d), 2, rng=0, factored=True)


FULL = {"formulation": "full"}
CASES = {
    "weights and products": lambda: (
        dlnlab.factorization(target(700)),
        start(700),
        {"num_steps": 4, "record_every": 2},
    ),
    "layers": lambda: (
        dlnlab.factorization(target(100)),
        start(100),
        {"num_steps": 300, "record": ("layers",)} | FULL,
    ),
    "matrices": lambda: (
        dlnlab.factorization(target(200)),
        start(200),
        {"num_steps": 300, "record": ("end_to_end",)} | FULL,
    ),
    "many small records": lambda: (
        dlnlab.factorization(target(4)),
        start(4),
        {"num_steps": 40_000, "record": ("loss", "error", "singular_values")},
    ),
    "a stack": lambda: (dlnlab.factorization(target(100)), start(100, batch=(64,)), {}),
    "a mean": lambda: (dlnlab.factorization(target(700), "mean"), start(700, 4), {}),
    "compressed": lambda: (
        dlnlab.factorization(target(2000)),
        dlnlab.compressed_weights(dlnlab.factorization(factored(2000)), 20, 3, 0.1),
        {},
    ),
    "sensing": lambda: (sensing(100, 600), start(600), {}),
    "sensing in batches": lambda: (sensing(100, 100), start(100, batch=(100,)), {}),
    "many measurements": lambda: (sensing(100_000, 10, "mean"), start(10, batch=(64,)), {}),
    "a generated ensemble": lambda: (generated(100_000, 5), start(5, batch=(64,)), {}),
    "matrices of rank one": lambda: (rank_one(60_000, 60), start(60), {}),
    "matrices of rank one in batches": lambda: (rank_one(2_000, 30), start(30, batch=(64,)), {}),
    "a cosine ensemble": lambda: (cosines(100_000, 700), start(700), FULL),
    "a single-precision ensemble": lambda: (single(60_000, 20), start(20, batch=(64,)), {}),
    "an operator": lambda: (operator(100_000, 5), start(5, batch=(64,)), {}),
    "some observed entries": lambda: (
        sampled(3000, 3_000_000, factored(3000)),
        dlnlab.original_weights((3000, 3000), 3, 0.1, rng=0, width=10),
        {"minibatch": 100_000},
    ),
    "some matrices of rank one": lambda: (rank_one(60_000, 60), start(60), {"minibatch": 30_000}),
    "some values of an operator": lambda: (
        operator(100_000, 5),
        start(5, batch=(64,)),
        {"minibatch": 50_000},
    ),
    "some measurements": lambda: (
        sensing(100_000, 10, "mean"),
        start(10, batch=(64,)),
        {"minibatch": 50_000},
    ),
    "adam": lambda: (dlnlab.factorization(target(700)), start(700), {"method": "adam"}),
    "sampled, wide": lambda: (sampled(1000, 50_000), start(1000), {}),
    "sampled, narrow": lambda: (
        sampled(3000, 3_000_000, factored(3000)),
        dlnlab.original_weights((3000, 3000), 3, 0.1, rng=0, width=10),
        {"record": ("loss", "error", "singular_values")},
    ),
    "integers": lambda: (
        dlnlab.factorization(target(1000)),
        tuple(np.ones((1000, 1000), np.int8) for _ in range(3)),
        {"eta": 1e-15},
    ),
    "imbalance": lambda: (
        dlnlab.factorization(target(700)),
        start(700),
        {"record": ("imbalance",)},
    ),
    "alignment": lambda: (
        dlnlab.factorization(target(700)),
        start(700),
        {"record": ("alignment",)} | FULL,
    ),
    "a checkpoint": lambda: (
        dlnlab.factorization(target(700)),
        start(700),
        {"checkpoint_every": 0} | FULL,
    ),
    "records in a checkpoint": lambda: (
        dlnlab.factorization(target(100)),
        start(100),
        {"num_steps": 300, "record": ("layers",)} | FULL,
    ),
    "a reduced network": lambda: (
        dlnlab.factorization(target(700, 400)),
        start(700),
        {"num_steps": 20, "record_every": 20, "formulation": "reduced"},
    ),
    "a factored target": lambda: (
        dlnlab.factorization(factored(300_000)),
        dlnlab.compressed_weights(dlnlab.factorization(factored(300_000)), 10, 3, 0.1),
        {"num_steps": 1000, "record_every": 1000},
    ),
}


def trained(model, count, dtype=np.float32, test=0, **options):
    """Return a run of a classifier on random samples."""
    rng = np.random.default_rng(0)

    def samples(n):
        return rng.random((n, *model.image)).astype(dtype), rng.integers(0, model.classes, n)

    start = model.init(0, like=np.empty(0, dtype))
    options = {"eta": 1e-9, "num_steps": 3, "record": ("loss",)} | options
    held_out = {"test": samples(test)} if test else {}
    data = samples(count)
    return lambda: dlnlab.nets.train(model, start, data, **held_out, **options)


def fine_tuned(d, width):
    U = np.random.default_rng(0).standard_normal((d, width))
    problem, options = dlnlab.factorization(target(d)), {"num_steps": 3, "record": ("loss",)}
    return lambda: dlnlab.compression.fine_tune(problem, U, eta=1e-9, **options)


def penalized(d, width):
    problem, steps = dlnlab.factorization(target(d)), {"eta": 1e-9, "num_steps": 3}
    return lambda: dlnlab.compression.group_lasso(
        problem, width, penalty=0.1, smoothing=0.1, record=("loss",), **steps
    )


def thresholded(d, penalty):
    problem = dlnlab.completion(target(d), np.eye(d) + np.eye(d, k=1) > 0, computation="dense")
    options = {"num_steps": 3, "record": ("loss",), "eta": 0.1}
    return lambda: dlnlab.compression.singular_value_thresholding(
        problem, penalty=penalty, **options
    )


LATER = {
    "a classifier": lambda: trained(dlnlab.nets.mlp(100, 700, 10, "dln"), 500, np.float64),
    "a classifier in minibatches": lambda: trained(
        dlnlab.nets.mlp(784, 64, 10, "compressed", 20), 20_000, batch=10_000
    ),
    "a classifier and its test": lambda: trained(
        dlnlab.nets.mlp(50, 400, 10), 100, test=5000, record=("test_loss",), batch=20
    ),
    "a classifier's records": lambda: trained(
        dlnlab.nets.mlp(5, 8, 3, "dln"),
        *(50, np.float64),
        num_steps=7_000,
        record_every=1,
        method="sgd",
        record=("loss", "layer_singular_values", "layers"),
    ),
    "a transformer": lambda: trained(
        dlnlab.nets.vit((16, 16, 3), 4, 64, 2, 2, 128), 600, method="sgd"
    ),
    "a factor": lambda: fine_tuned(1000, 10),
    "a wide factor": lambda: fine_tuned(800, 700),
    "a drawn factor": lambda: penalized(1000, 300),
    "singular values cut": lambda: thresholded(500, 0.1),
    "singular values cut in batches": lambda: thresholded(100, np.linspace(0.1, 0.2, 64)),
}
"""Runs that came later, on the same loop."""


def compile_loops():
    """Load the compiler, which takes about 100 MiB, once in a process."""
    one = np.ones((1, 1))
    for dtype in (np.int32, np.int64):
        one_pass.factor_gradients(np.arange(2, dtype=dtype), np.zeros(1, dtype), one[0], one, one)
    for dtype in (np.float32, np.float64):
        one_pass.normal_sum(one.astype(dtype), one[0], one[0])


def descending(case, checkpoint):
    problem, weights, options = CASES[case]()
    options = {"record": ("loss",), "num_steps": 3, "eta": 1e-9} | options
    return lambda: dlnlab.gradient_descent(problem, weights, checkpoint=checkpoint, **options)


def taken(case, checkpoint):
    """Run a case; return the bytes that it is refused for, and the growth of resident memory."""
    run = LATER[case]() if case in LATER else descending(case, checkpoint)
    foreseen = []
    original = checks.fits_in_memory

    def spy(what, num_bytes, *arguments, **others):
        foreseen.append(num_bytes)
        original(what, num_bytes, *arguments, **others)

    checks.fits_in_memory = spy
    small = dlnlab.factorization(np.diag([1.0, 0.5]))
    weights_of_it = dlnlab.compressed_weights(small, 1, 2, 0.1)
    dlnlab.gradient_descent(small, weights_of_it, eta=0.1, num_steps=1)  # libraries are loaded
    if compiled.installed():
        compile_loops()
    if case in LATER:
        trained(dlnlab.nets.vit((8, 8, 3), 4, 8, 1, 1, 8), 5)()
    foreseen.clear()
    with memory.watch() as peak:
        run()
    return max(foreseen), peak.bytes


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
@pytest.mark.parametrize("case", [*CASES, *LATER])
def test_no_run_takes_more_than_is_foreseen_nor_much_less(case, tmp_path):
    """Up to one and a half times: how far LAPACK and the allocator go depends on the numbers."""
    checkpoint = tmp_path / "run.npz" if "checkpoint" in case else None
    with Processes(1) as fresh:
        foreseen, measured = fresh.submit(taken, case, checkpoint).result()
    assert measured > 20 * 2**20  # or pages and headers would matter
    assert 1.0 <= foreseen / measured <= 1.5, foreseen / measured


def test_a_factored_target_is_not_formed_before_it_is_known_to_fit(monkeypatch):
    """Its matrix would take 80 GB."""
    original = dlnlab.FactoredTarget.to_dense

    def small_ones_only(factors):
        assert max(factors.shape) < 100
        return original(factors)

    monkeypatch.setattr(dlnlab.FactoredTarget, "to_dense", small_ones_only)
    problem = dlnlab.factorization(factored(100_000))
    weights = dlnlab.compressed_weights(problem, 3, 3, 0.1)
    options = {"eta": 0.1, "record": ("loss", "error", "singular_values")}
    run = dlnlab.gradient_descent(problem, weights, num_steps=1000, record_every=500, **options)
    assert run.losses.shape == (3,)
    with pytest.raises(ValueError, match="bytes are available"):
        dlnlab.gradient_descent(problem, weights, num_steps=2, formulation="full", **options)


def test_integers_are_not_converted_before_they_are_known_to_fit(monkeypatch):
    monkeypatch.setattr(arrays, "available_bytes", lambda reference=None: 10**6)
    layers = tuple(np.ones((300, 300), np.int8) for _ in range(3))
    with pytest.raises(ValueError, match="`weights`: the layers in double precision would need"):
        dlnlab.gradient_descent(
            dlnlab.factorization(np.eye(300)), layers, eta=0.1, num_steps=1, record=("loss",)
        )


def test_where_a_reduction_does_not_fit_the_network_runs_in_full(monkeypatch):
    problem, weights = dlnlab.factorization(target(60)), start(60, 2)
    options = {"eta": 0.1, "num_steps": 10**4, "record_every": 10**4, "record": ("loss",)}
    room = 60 * 60 * 8 * 9
    monkeypatch.setattr(arrays, "available_bytes", lambda reference=None: room)
    assert choice.choose(problem, weights, 10**4).name == "full"
    with pytest.raises(ValueError, match="`formulation`: finding a reduced network would need"):
        dlnlab.gradient_descent(problem, weights, formulation="reduced", **options)
    monkeypatch.undo()
    assert choice.choose(problem, weights, 10**4).name == "reduced"


def draw(case):
    """Draw something; return the bytes that it is refused for, and the growth of memory."""
    foreseen = []
    original = checks.fits_in_memory

    def spy(what, num_bytes, *arguments, working=0, **others):
        foreseen.append(num_bytes + working)
        original(what, num_bytes, *arguments, working=working, **others)

    checks.fits_in_memory = spy
    np.linalg.qr(np.ones((300, 300)))
    with memory.watch() as peak:
        DRAWS[case]()
    return max(foreseen), peak.bytes


DRAWS = {
    "orthogonal": lambda: start(1200, 2),
    "gaussian": lambda: start(1200, 2, init="gaussian"),
    "a batch": lambda: start(100, 3, batch=(200,)),
    "thin": lambda: dlnlab.original_weights((20_000, 20_000), 2, 0.1, rng=0, width=100),
    "a target": lambda: target(2000),
    "a factored target": lambda: factored(10**6),
    "a mask": lambda: dlnlab.random_mask((2500, 2500), 0.3, rng=0),
    "an exact mask": lambda: dlnlab.random_mask((2500, 2500), 0.3, rng=0, exact=True),
    "an ensemble": lambda: dlnlab.gaussian_ensemble(50, (300, 300), rng=0),
}


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
@pytest.mark.parametrize("case", DRAWS)
def test_targets_weights_and_ensembles_are_foreseen_as_runs_are(case):
    """What the allocator takes beside arrays is told apart from what they take themselves."""
    with Processes(1) as fresh:
        foreseen, measured = fresh.submit(draw, case).result()
    assert measured > 20 * 2**20
    assert 1.0 <= foreseen / measured <= 1.5, foreseen / measured


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
def test_the_peak_that_is_watched_is_that_of_the_block():
    code = (
        "import numpy as np\n"
        "from dlnlab import memory\n"
        "block = np.ones(2**23)\n"  # 64 MiB, before
        "with memory.watch() as peak:\n"
        "    other = 2 * block[: 2**22]\n"
        "    del other\n"
        "print(peak.bytes)\n"
    )
    # in a fresh process, which has no memory left over from before
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert 31 * 2**20 < int(done.stdout) < 34 * 2**20  # whole pages, some there already


def test_where_the_system_does_not_tell_nothing_is_claimed(monkeypatch):
    def refuse(*arguments, **options):
        raise OSError("no such file")

    monkeypatch.setattr("builtins.open", refuse)
    with memory.watch() as peak:
        pass
    assert peak.bytes is None
