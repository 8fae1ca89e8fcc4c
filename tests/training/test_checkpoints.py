"""Saving, resuming and interrupting runs: nothing is lost, and nothing changes by a bit."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import fields

import numpy as np
import pytest
from instances import network

import dlnlab
from dlnlab import progress
from dlnlab.files import locks
from dlnlab.training import loop
from dlnlab.training.objective import recorder
from dlnlab.training.trajectory import Interrupted, Status, Trajectory, Unsaved

RECORD = ("loss", "error", "singular_values", "alignment", "end_to_end", "imbalance", "layers")


def descend(num_steps=40, *, batch=(), dtype=float, problem=None, **options):
    M = dlnlab.random_target((4, 3), 2, rng=0)
    problem = dlnlab.factorization(M) if problem is None else problem
    weights = dlnlab.original_weights((4, 3), 3, 0.3, rng=1, batch=batch)
    weights = tuple(W.astype(dtype) for W in weights)
    settings = {"eta": 0.1, "record": RECORD, "record_every": 3} | options
    return dlnlab.gradient_descent(problem, weights, num_steps=num_steps, **settings)


def assert_same_run(one, other):
    """Every field but the wall time, bit for bit."""
    for item in fields(Trajectory):
        a, b = getattr(one, item.name), getattr(other, item.name)
        if item.name == "seconds":
            continue
        if isinstance(a, tuple):
            assert len(a) == len(b)
            pairs = list(zip(a, b, strict=True))
        else:
            pairs = [(a, b)]
        for x, y in pairs:
            if x is None or isinstance(x, Status | float):
                assert x is y or x == y, item.name
                continue
            assert x.dtype == y.dtype, item.name
            assert x.shape == y.shape, item.name
            same = (x == y).all() if x.dtype == object else x.tobytes() == y.tobytes()
            assert same, item.name


class Stop:
    """A progress callable that interrupts like Ctrl-C once a step is reached."""

    def __init__(self, step):
        self.step, self.calls = step, []

    def __call__(self, done, total, loss):
        self.calls.append((done, total, loss))
        if done >= self.step:
            raise KeyboardInterrupt


@pytest.fixture
def eager(monkeypatch):
    """Progress at every step instead of every tenth of a second, and a look at the clock too."""
    monkeypatch.setattr(loop, "STRETCH", 0.0)
    monkeypatch.setattr(progress, "INTERVAL", 0.0)


# Interruption and progress.


@pytest.mark.usefixtures("eager")
def test_an_interrupted_run_returns_what_it_had_recorded():
    stop = Stop(10)
    with pytest.raises(Interrupted, match="after 9 steps") as caught:
        descend(progress=stop)
    run, whole = caught.value.run, descend()
    assert run.status is Status.INTERRUPTED
    assert run.steps.tolist() == [0, 3, 6, 9]
    assert np.array_equal(run.losses, whole.losses[:4])
    assert isinstance(caught.value, KeyboardInterrupt)
    assert [call[:2] for call in stop.calls] == [(k, 40) for k in range(11)]


@pytest.mark.usefixtures("eager")
def test_progress_is_given_the_worst_loss_of_the_batch():
    stop = Stop(10**9)
    run = descend(6, batch=(3,), progress=stop, record_every=1)
    assert [call[2] for call in stop.calls] == run.losses.max(axis=1).tolist()


@pytest.mark.usefixtures("eager")
def test_a_line_of_progress_ends_with_a_newline(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)  # as if tqdm were not installed
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    descend(4, progress=True)
    text = sys.stderr.getvalue()
    assert text.count("\r") == 5
    assert text.endswith("\n")
    assert "[####################] step 4 of 4, loss " in text
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    descend(4)
    assert sys.stderr.getvalue() == ""


def test_progress_is_not_reported_more_often_than_every_tenth_of_a_second():
    stop = Stop(10**9)
    started = time.monotonic()
    descend(300, progress=stop)
    assert len(stop.calls) <= 1 + (time.monotonic() - started) / progress.INTERVAL


# Checkpoints.


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"batch": (2,), "eta": np.array([0.1, 0.05])},
        {"alpha": 0.5, "record_every": [4, 11, 25]},
        {"dtype": np.float32},
        {"batch": (3,), "eta": np.array([0.3, 9.0, 0.01]), "tol": 1e-3},
    ],
    ids=["plain", "batch", "record list", "single precision", "converged and diverged"],
)
@pytest.mark.parametrize("step", [1, 9, 10, 39])
def test_resuming_is_bit_identical(tmp_path, options, step):
    whole = descend(**options)
    path = tmp_path / "run.npz"
    with pytest.raises(Interrupted):
        descend(checkpoint=path, progress=Stop(step), **options)
    assert_same_run(descend(checkpoint=path, **options), whole)


@pytest.mark.usefixtures("eager")
def test_many_interruptions_in_a_row(tmp_path):
    path, stored = tmp_path / "run.npz", 0.0
    for step in range(1, 40, 2):
        with pytest.raises(Interrupted) as caught:
            descend(checkpoint=path, progress=Stop(step))
        assert caught.value.run.seconds > stored  # wall time is summed over the parts
        stored = Trajectory.load(path).seconds
    assert_same_run(descend(checkpoint=path), descend())


def test_a_finished_run_returns_at_once(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    whole = descend(checkpoint=path)
    monkeypatch.setattr(dlnlab.problems.Problem, "gradient", None)  # no step can be taken
    assert_same_run(descend(checkpoint=path), whole)


@pytest.mark.parametrize("status", [Status.CONVERGED, Status.DIVERGED])
def test_a_run_that_ended_early_stays_ended(tmp_path, monkeypatch, status):
    path = tmp_path / "run.npz"
    options = {"tol": 0.2} if status is Status.CONVERGED else {"eta": 50.0}
    whole = descend(400, checkpoint=path, **options)
    assert whole.status is status
    monkeypatch.setattr(dlnlab.problems.Problem, "gradient", None)
    assert_same_run(descend(500, checkpoint=path, **options), whole)


@pytest.mark.parametrize("first", [1, 20, 21])
def test_a_run_can_be_extended(tmp_path, first):
    path = tmp_path / "run.npz"
    short = descend(first, checkpoint=path)
    assert short.steps[-1] == first  # the end is recorded, though a longer run would not
    assert_same_run(descend(checkpoint=path), descend())


def test_a_run_with_weight_decay_is_resumed(tmp_path):
    path, options = tmp_path / "run.npz", {"batch": (2,), "weight_decay": np.array([0.0, 0.1])}
    descend(20, checkpoint=path, **options)
    assert_same_run(descend(checkpoint=path, **options), descend(**options))
    with pytest.raises(ValueError, match="belongs to a run with other"):
        descend(checkpoint=path, batch=(2,))


def test_a_run_cannot_be_shortened(tmp_path):
    path = tmp_path / "run.npz"
    descend(20, checkpoint=path)
    with pytest.raises(ValueError, match="`num_steps` must be at least the 20 steps"):
        descend(19, checkpoint=path)


def other_runs():
    M = dlnlab.random_target((4, 3), 2, rng=0)
    yield {"eta": 0.11}
    yield {"alpha": 0.5}
    yield {"weight_decay": 0.1}
    yield {"tol": 1e-9}
    yield {"record": ("loss",)}
    yield {"record_every": 2}
    yield {"batch": (2,)}
    yield {"dtype": np.float32}
    yield {"problem": dlnlab.factorization(M, "mean")}
    yield {"problem": dlnlab.factorization(2 * M)}
    yield {"problem": dlnlab.completion(M, np.ones((4, 3), dtype=bool), target=None)}


@pytest.mark.parametrize("options", list(other_runs()), ids=lambda o: next(iter(o)))
def test_another_run_s_checkpoint_is_refused(tmp_path, options):
    path = tmp_path / "run.npz"
    descend(3, checkpoint=path)
    with pytest.raises(ValueError, match=r"`checkpoint` .* belongs to a run with other"):
        descend(checkpoint=path, **options)


def test_a_checkpoint_of_a_problem_with_another_target_is_refused(tmp_path):
    A = dlnlab.gaussian_ensemble(30, (4, 3), rng=0)
    known = dlnlab.sensing(A, np.ones(30), target=np.ones((4, 3)))
    unknown = dlnlab.sensing(A, np.ones(30))
    path = tmp_path / "run.npz"
    descend(3, eta=1e-3, problem=known, checkpoint=path)
    with pytest.raises(ValueError, match="other weights, problem or settings"):
        descend(9, eta=1e-3, problem=unknown, checkpoint=path)


def test_a_checkpoint_of_another_width_is_refused(tmp_path):
    """Reduced networks of different widths have the same small arrays."""
    path = tmp_path / "run.npz"
    reductions = []
    for d in (20, 30):
        target = dlnlab.FactoredTarget(np.eye(d, 1), [1.0], np.eye(1, d))
        weights = tuple(0.1 * np.eye(d) for _ in range(2))
        reductions.append(dlnlab.parsimony.reduce(dlnlab.factorization(target), weights))
    small, large = reductions
    assert [W.tolist() for W in small.weights] == [W.tolist() for W in large.weights]
    dlnlab.gradient_descent(small.problem, small.weights, eta=0.1, num_steps=3, checkpoint=path)
    with pytest.raises(ValueError, match="belongs to a run"):
        dlnlab.gradient_descent(large.problem, large.weights, eta=0.1, num_steps=3, checkpoint=path)


def damaged_files(content):
    npy, npz = io.BytesIO(), io.BytesIO()
    np.save(npy, np.eye(2))
    np.savez(npz, a=np.eye(2))
    flipped = bytearray(content)
    flipped[len(content) // 2] ^= 255
    yield "empty", b""
    yield "text", b"no archive at all" * 20
    yield "truncated", content[: len(content) // 2]
    yield "a flipped byte", bytes(flipped)
    yield "an array", npy.getvalue()
    yield "another archive", npz.getvalue()


@pytest.mark.parametrize("k", range(6))
def test_damaged_files_are_named_as_such(tmp_path, k):
    path = tmp_path / "run.npz"
    descend(20, checkpoint=path)
    _, content = list(damaged_files(path.read_bytes()))[k]
    path.write_bytes(content)
    with pytest.raises(ValueError, match="`checkpoint` must be a file written by a run"):
        descend(checkpoint=path)
    with pytest.raises(ValueError, match=r"`path` must be a file written by Trajectory\.save"):
        Trajectory.load(path)


def test_a_failed_write_leaves_the_old_checkpoint_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    descend(20, checkpoint=path)
    before = path.read_bytes()

    def full_disk(file, **content):
        file.write(b"half")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez", full_disk)
    with pytest.raises(OSError, match="no space left"):
        descend(checkpoint=path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_checkpoints_are_written_no_more_often_than_asked(tmp_path):
    path, stamps = tmp_path / "run.npz", set()

    def look(done, total, loss):
        stamps.add(path.exists())

    descend(checkpoint=path, checkpoint_every=3600.0, progress=look)
    assert stamps == {False}  # only at the end
    assert path.exists()


SCRIPT = """
import numpy as np, dlnlab
M = dlnlab.random_target((20, 15), 2, rng=0)
weights = dlnlab.original_weights((20, 15), 3, 0.2, rng=1, batch=(2,))
print("ready", flush=True)
run = dlnlab.gradient_descent(
    dlnlab.factorization(M), weights, eta=np.array([0.1, 0.05]), num_steps=150, record_every=7,
    record=("loss", "singular_values", "layers"), checkpoint=CHECKPOINT, checkpoint_every=0,
)
"""


def run_here(checkpoint):
    names = {"CHECKPOINT": checkpoint}
    exec(SCRIPT, names)
    return names["run"]


def test_a_killed_run_continues_bit_for_bit(tmp_path):
    """SIGKILL at random moments, whatever is being written then; the state on disk is whole."""
    path, kills = tmp_path / "state.npz", 0
    command = [sys.executable, "-c", f"CHECKPOINT = {str(path)!r}\n{SCRIPT}"]
    for delay in np.random.default_rng(0).uniform(0.02, 0.2, 3):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            kills += process.wait(timeout=60) == -signal.SIGKILL
    assert kills >= 1  # a fast machine may finish before a late kill
    assert_same_run(run_here(path), run_here(None))


# Trajectories on disk.


@pytest.mark.parametrize("options", [{}, {"batch": (2, 3)}, {"record": ("loss",)}, {"eta": 50.0}])
def test_a_trajectory_is_saved_and_loaded_bit_for_bit(tmp_path, options):
    run = descend(**options)
    path = tmp_path / "run.npz"
    run.save(path)
    loaded = Trajectory.load(str(path))
    assert_same_run(loaded, run)
    assert loaded.seconds == run.seconds
    assert repr(loaded) == repr(run)


def test_a_trajectory_of_a_device_is_saved_as_numpy(device, tmp_path):
    problem = dlnlab.factorization(device.asarray(np.eye(3)))
    weights = device.tree(network((3, 3, 3)))
    run = dlnlab.gradient_descent(problem, weights, eta=0.1, num_steps=3)
    run.save(tmp_path / "run.npz")
    loaded = Trajectory.load(tmp_path / "run.npz")
    assert isinstance(loaded.losses, np.ndarray)
    assert np.array_equal(loaded.losses, device.to_host(run.losses))


@pytest.mark.usefixtures("eager")
def test_a_device_run_resumes_bit_for_bit(device, tmp_path):
    problem = dlnlab.factorization(device.asarray(np.diag([1.0, 0.5, 0.2])))
    weights = device.tree(network((3, 3, 3), batch=(2,)))
    options = {"eta": 0.05, "num_steps": 12, "record": RECORD}
    whole = dlnlab.gradient_descent(problem, weights, **options)
    path = tmp_path / "run.npz"
    with pytest.raises(Interrupted):
        dlnlab.gradient_descent(problem, weights, checkpoint=path, progress=Stop(5), **options)
    resumed = dlnlab.gradient_descent(problem, weights, checkpoint=path, **options)
    device.assert_home(resumed.losses, *resumed.weights)
    for name in ("losses", "end_to_end", "singular_values"):
        a, b = (device.to_host(getattr(run, name)) for run in (resumed, whole))
        assert a.tobytes() == b.tobytes()


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match="`path` must be a file"):
        Trajectory.load(tmp_path / "nothing.npz")


def test_every_status_says_what_to_do():
    assert all(len(status.describe) > 15 for status in Status)


# Whose file it is, and what becomes of a run that cannot be written.


def listed(directory):
    return sorted(path.name for path in directory.iterdir())


@pytest.mark.usefixtures("eager")
def test_two_runs_do_not_share_a_checkpoint(tmp_path):
    path, refused = tmp_path / "run.npz", []

    def again(done, total, loss):
        try:
            descend(checkpoint=path)
        except ValueError as error:
            refused.append(str(error))

    run = descend(checkpoint=path, checkpoint_every=0, progress=again)
    assert len(refused) == 41
    assert all("is in use by another run (process" in message for message in refused)
    assert_same_run(run, descend())
    assert listed(tmp_path) == ["run.npz"]


def test_of_many_threads_on_one_checkpoint_one_runs_and_all_agree(tmp_path):
    path, outcomes = tmp_path / "run.npz", []

    def work():
        try:
            outcomes.append(descend(checkpoint=path, checkpoint_every=0))
        except ValueError as error:
            outcomes.append(error)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    whole = descend()
    runs = [outcome for outcome in outcomes if isinstance(outcome, Trajectory)]
    refused = [outcome for outcome in outcomes if isinstance(outcome, ValueError)]
    assert len(runs) >= 1  # others may come when the first has ended, and find its result
    assert len(runs) + len(refused) == 4
    assert all("in use by another run" in str(error) for error in refused)
    for run in runs:
        assert_same_run(run, whole)
    assert listed(tmp_path) == ["run.npz"]


def test_a_refused_run_leaves_the_checkpoint_to_others(tmp_path):
    path = tmp_path / "run.npz"
    descend(20, checkpoint=path)
    with pytest.raises(ValueError, match="`num_steps` must be at least"):
        descend(19, checkpoint=path)
    descend(20, checkpoint=path)
    assert listed(tmp_path) == ["run.npz"]


@pytest.mark.parametrize("name", ["x" * 300, "no/place", "", "\0", "/dev/full", "/proc/run.npz"])
def test_a_path_that_cannot_be_written_is_refused_before_the_first_step(
    tmp_path, monkeypatch, name
):
    monkeypatch.setattr(dlnlab.training.loop.Loop, "go", None)
    with pytest.raises(ValueError, match="`checkpoint`"):
        descend(checkpoint=os.path.join(tmp_path, name))


@pytest.mark.parametrize("every", ["10", None, float("nan"), -1.0])
@pytest.mark.parametrize("checkpoint", [None, "run.npz"])
def test_the_time_between_writes_is_checked(every, checkpoint):
    with pytest.raises((TypeError, ValueError), match="`checkpoint_every` must be"):
        descend(checkpoint=checkpoint, checkpoint_every=every)


def test_the_longest_name_and_links_work(tmp_path):
    path, link = tmp_path / ("x" * 255), tmp_path / "link"
    link.symlink_to(path)
    descend(20, checkpoint=link)
    path.chmod(0o640)
    assert_same_run(descend(checkpoint=link), descend())
    assert link.is_symlink()
    assert path.stat().st_mode & 0o777 == 0o640


def full_disk(monkeypatch, after=0):
    """Let every write after so many fail in its middle."""
    original, calls = np.savez, []

    def save(file, **content):
        calls.append(file)
        if len(calls) > after:
            file.write(b"half")
            raise OSError(errno.ENOSPC, "no space left on device")
        original(file, **content)

    monkeypatch.setattr(np, "savez", save)
    return calls


def test_a_finished_run_is_returned_though_its_checkpoint_cannot_be_written(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    descend(20, checkpoint=path)
    before = path.read_bytes()
    full_disk(monkeypatch)
    with pytest.warns(Unsaved, match=r"no space left on device; .*run\.save") as caught:
        run = descend(checkpoint=path)
    assert caught[0].message.run.status is Status.COMPLETED
    assert caught[0].filename == __file__
    assert_same_run(run, descend())
    assert path.read_bytes() == before
    assert listed(tmp_path) == ["run.npz"]


@pytest.mark.filterwarnings("error")
def test_where_warnings_are_errors_the_error_has_the_run(tmp_path, monkeypatch):
    full_disk(monkeypatch)
    with pytest.raises(OSError, match="no space left") as caught:
        descend(checkpoint=tmp_path / "run.npz")
    assert_same_run(caught.value.run, descend())


@pytest.mark.usefixtures("eager")
def test_a_disk_that_is_full_for_a_while_costs_nothing(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    original, calls = np.savez, []

    def save(file, **content):
        calls.append(len(calls))
        if 5 < len(calls) < 20:
            raise OSError(errno.ENOSPC, "no space left on device")
        original(file, **content)

    monkeypatch.setattr(np, "savez", save)
    with pytest.warns(Unsaved) as caught:
        run = descend(checkpoint=path, checkpoint_every=0)
    assert len(caught) == 1  # it is said once
    assert len(calls) == 41
    assert_same_run(run, descend())
    assert_same_run(descend(checkpoint=path), descend())


@pytest.mark.usefixtures("eager")
def test_an_interrupt_on_a_full_disk_still_returns_the_run(tmp_path, monkeypatch):
    full_disk(monkeypatch)
    with pytest.raises(Interrupted, match="after 9 steps; its checkpoint could not be") as caught:
        descend(checkpoint=tmp_path / "run.npz", progress=Stop(10))
    assert isinstance(caught.value.unsaved, OSError)
    assert caught.value.run.steps.tolist() == [0, 3, 6, 9]
    assert listed(tmp_path) == []


@pytest.mark.usefixtures("eager")
@pytest.mark.parametrize("stop", [Stop(10), False])
def test_an_interrupt_while_the_checkpoint_is_written_still_returns_the_run(
    tmp_path, monkeypatch, stop
):
    def interrupt(file, **content):
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupt)
    with pytest.raises(Interrupted) as caught:
        descend(checkpoint=tmp_path / "run.npz", progress=stop)
    assert caught.value.run.steps[-1] == (9 if stop else 40)
    assert listed(tmp_path) == []


@pytest.mark.usefixtures("eager")
def test_a_run_whose_checkpoint_was_taken_over_does_not_write_to_it(tmp_path):
    path = tmp_path / "run.npz"
    where = locks.beside(path, "lock")

    def take(done, total, loss):
        if done == 20:
            where.write_text('{"token": "of another machine"}')

    with pytest.warns(Unsaved, match="taken over by another run"):
        descend(checkpoint=path, checkpoint_every=3600.0, progress=take)
    assert listed(tmp_path) == [where.name]


def test_an_interrupted_run_without_a_record_has_a_repr_and_can_be_saved(tmp_path):
    records = recorder(dlnlab.factorization(np.eye(2)), ("loss",))
    run = records.finish((np.eye(2), np.eye(2)), Status.INTERRUPTED, 0.0)
    assert repr(run) == "Trajectory(no records, interrupted)"
    assert "interrupted after 0 steps" in str(Interrupted(run))
    run.save(tmp_path / "run.npz")
    assert_same_run(Trajectory.load(tmp_path / "run.npz"), run)


def test_a_checkpoint_carries_the_version(tmp_path, monkeypatch):
    path = tmp_path / "run.npz"
    descend(20, checkpoint=path)
    content = dict(np.load(path))
    assert str(content["version"]) == dlnlab.__version__
    np.savez(path, **{k: v for k, v in content.items() if k != "version"})
    assert_same_run(descend(checkpoint=path), descend())  # of before it was kept
    monkeypatch.setattr(dlnlab.training.checkpoint, "VERSION", "99.0")
    with pytest.raises(ValueError, match=r"was written by dlnlab .*, and this is 99\.0"):
        descend(checkpoint=path)


@pytest.mark.parametrize(
    "name", ["depth", "status", "status_shape", "weights.1", "steps", "extra_step", "extra_done"]
)
def test_a_checkpoint_that_lacks_a_part_is_refused(tmp_path, name):
    path = tmp_path / "run.npz"
    descend(20, checkpoint=path)
    content = {k: v for k, v in np.load(path).items() if k != name}
    np.savez(path, **content)
    with pytest.raises(ValueError, match="`checkpoint` must be a file written by a run"):
        descend(checkpoint=path)
    if not name.startswith("extra"):
        with pytest.raises(ValueError, match=r"`path` must be a file written by Trajectory\.save"):
            Trajectory.load(path)


def test_kills_leave_no_litter(tmp_path):
    """SIGKILL at many moments; the next start removes what was being written, and the lock."""
    path, left = tmp_path / "state.npz", set()
    command = [sys.executable, "-c", f"CHECKPOINT = {str(path)!r}\n{SCRIPT}"]
    for delay in np.random.default_rng(1).uniform(0.0, 0.15, 5):
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout.readline() == "ready\n"
            time.sleep(delay)
            process.kill()
        parts = [name for name in listed(tmp_path) if name != "state.npz"]
        assert len(parts) <= 2
        left |= set(parts)
    assert left  # or nothing would be shown
    assert_same_run(run_here(path), run_here(None))
    assert listed(tmp_path) == ["state.npz"]


def test_a_reduced_run_that_records_matrices_continues(tmp_path):
    """What is recorded has the sizes of the problem, what runs has those of the reduction."""
    problem = dlnlab.factorization(dlnlab.random_target((12, 10), 1, rng=0))
    weights = dlnlab.original_weights((12, 10), 3, 0.1, rng=0)
    options = {"eta": 0.1, "formulation": "reduced", "record": ("end_to_end", "layers")}
    whole = dlnlab.gradient_descent(problem, weights, num_steps=20, **options)
    for count in (8, 20):
        run = dlnlab.gradient_descent(
            problem, weights, num_steps=count, checkpoint=tmp_path / "run.npz", **options
        )
    np.testing.assert_array_equal(run.end_to_end, whole.end_to_end)
    assert run.weights[0].shape == whole.weights[0].shape


@pytest.mark.parametrize("depth", [2, 3])
def test_a_run_without_one_of_its_layers_is_refused(tmp_path, depth):
    problem = dlnlab.factorization(np.diag([2.0, 1.0]))
    weights = dlnlab.original_weights((2, 2), depth, 0.1, rng=0)
    run = dlnlab.gradient_descent(problem, weights, eta=0.1, num_steps=3, record=("layers",))
    run.save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as stored:
        whole = dict(stored)
    for layer in range(depth):
        np.savez(tmp_path / "cut.npz", **{k: v for k, v in whole.items() if k != f"layers.{layer}"})
        with pytest.raises(ValueError, match=rf"`layers\.{layer}` must be there"):
            Trajectory.load(tmp_path / "cut.npz")
