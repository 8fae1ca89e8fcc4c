"""What a run is foreseen to need, against what it holds and what it takes."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

import dlnlab
from dlnlab import arrays, memory
from dlnlab.executors import Processes

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

    def spy(problem, weights, num_records, *others):
        seen.append(num_records)
        return original(problem, weights, num_records, *others)

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


def wide():
    """Weights and products decide."""
    target = dlnlab.random_target((700, 700), 2, rng=0)
    weights = dlnlab.original_weights((700, 700), 3, 0.1, rng=0)
    return dlnlab.factorization(target), weights, {"num_steps": 2, "record_every": 2}


def layers():
    """Records of layers decide."""
    target = dlnlab.random_target((100, 100), 2, rng=0)
    weights = dlnlab.original_weights((100, 100), 3, 0.1, rng=0)
    return dlnlab.factorization(target), weights, {"num_steps": 500, "record": ("layers",)}


def numbers():
    """The Python objects of many small records decide."""
    target = dlnlab.random_target((4, 4), 2, rng=0)
    weights = dlnlab.original_weights((4, 4), 3, 0.1, rng=0)
    return dlnlab.factorization(target), weights, {"num_steps": 40_000, "record": ("loss",)}


def taken(case):
    """Run a case; return the bytes foreseen and the growth of the resident memory."""
    problem, weights, options = case()
    options = {"record": ("loss",), "record_every": 1} | options
    count = -(-options["num_steps"] // options["record_every"]) + 1
    foreseen = memory.of_descent(problem, weights, count, options["record"]).peak
    with memory.watch() as peak:
        dlnlab.gradient_descent(problem, weights, eta=1e-3, **options)
    return foreseen, peak.bytes


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
@pytest.mark.parametrize("case", [wide, layers, numbers])
def test_the_prediction_is_near_the_peak(case):
    """Between 0.9 and 1.6 times it: allocators round, and NumPy reuses some temporaries."""
    with Processes(1) as fresh:
        foreseen, measured = fresh.submit(taken, case).result()
    assert measured > 20 * 2**20  # libraries that load meanwhile do not matter
    assert 0.9 < foreseen / measured < 1.6


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
