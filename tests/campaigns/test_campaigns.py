"""Campaigns: the same results on every executor, and nothing lost or doubled."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import multiprocessing
import os
import pickle
import subprocess
import sys
import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import campaign_tasks
import pytest

import dlnlab
from dlnlab import campaigns, validations
from dlnlab.campaigns import campaign, executors, states

SEEDS = [{"seed": n} for n in range(20)]


@pytest.fixture(scope="module")
def processes():
    with executors.Processes(2) as pool:
        yield pool


def calls(log: Path) -> list[int]:
    return [json.loads(line) for line in log.read_text("utf-8").splitlines()]


def numbers(log: Path, count: int, **more):
    return [{"n": n, "log": str(log), **more} for n in range(count)]


def without_threads(results):
    return [{name: r[name] for name in r if name != "threads"} for r in results]


def test_serial_processes_and_a_users_pool_agree_bit_for_bit(processes, tmp_path):
    serial = campaigns.run(campaign_tasks.draw, SEEDS, executor="serial")
    assert serial[3]["infinite"] == float("inf")
    assert isinstance(serial[3]["few"], list)
    parallel = campaigns.run(
        campaign_tasks.draw, SEEDS, executor=processes, path=tmp_path / "a.jsonl"
    )
    assert without_threads(parallel) == without_threads(serial)
    assert {result["threads"] for result in parallel} == {"1"}
    with ThreadPoolExecutor(3) as pool:
        assert campaigns.run(campaign_tasks.draw, SEEDS, executor=pool) == serial
    again = campaigns.run(campaign_tasks.draw, SEEDS, executor="serial", path=tmp_path / "a.jsonl")
    assert again == parallel  # read back, not computed: the threads are the workers'


def test_equal_configurations_are_computed_once(tmp_path):
    configurations = numbers(tmp_path / "log", 3)
    results = campaigns.run(campaign_tasks.log, configurations * 2, executor="serial")
    assert [result["n"] for result in results] == [0, 1, 2, 0, 1, 2]
    assert calls(tmp_path / "log") == [0, 1, 2]


def test_a_killed_client_resumes_and_nothing_is_lost_or_doubled(tmp_path):
    log, path = tmp_path / "log", tmp_path / "results.jsonl"
    configurations = numbers(log, 12, seconds=0.15)
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1]); import campaign_tasks\n"
        "from dlnlab import campaigns\n"
        "tasks = json.loads(sys.argv[2])\n"
        "campaigns.run(campaign_tasks.log, tasks, path=sys.argv[3], executor='serial')\n"
    )
    arguments = [str(Path(__file__).parent), json.dumps(configurations), str(path)]
    client = subprocess.Popen([sys.executable, "-c", code, *arguments])
    while not path.exists() or path.read_bytes().count(b"\n") < 3:
        assert client.poll() is None
        time.sleep(0.02)
    client.kill()
    client.wait()
    kept = path.read_bytes().count(b"\n")
    assert 3 <= kept < 12
    results = campaigns.run(campaign_tasks.log, configurations, path=path, executor="serial")
    assert [result["n"] for result in results] == list(range(12))
    entries = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert sorted(entry["result"]["n"] for entry in entries) == list(range(12))
    # only what was under way when the client died was called twice
    assert sorted(set(calls(log))) == list(range(12))
    assert len(calls(log)) <= 12 + 2


def test_a_torn_last_line_is_cut_off(tmp_path):
    path = tmp_path / "results.jsonl"
    whole = campaigns.run(campaign_tasks.draw, SEEDS[:4], path=path, executor="serial")
    content = path.read_bytes()
    for length in (len(content) - 1, len(content) - 30):
        path.write_bytes(content[:length])
        assert campaigns.run(campaign_tasks.draw, SEEDS[:4], path=path, executor="serial") == whole
        assert path.read_bytes().count(b"\n") == 4


def test_a_killed_worker_costs_only_its_own_tasks(tmp_path):
    """Worker one dies; what worker two computes meanwhile is not called again."""
    log = tmp_path / "log"
    configurations = numbers(log, 8, seconds=0.1)
    configurations[0]["fuse"] = str(tmp_path / "fuse")
    with executors.Processes(2) as pool:
        results = campaigns.run(campaign_tasks.die_once, configurations, executor=pool)
    assert [result["n"] for result in results] == list(range(8))
    assert sorted(calls(log)) == list(range(8))


def test_a_task_that_always_kills_its_worker_is_named(tmp_path):
    with pytest.raises(RuntimeError, match=r"a worker died 3 times in the task \{'n': 7\}"):
        campaigns.run(campaign_tasks.die, [{"n": 7}], executor="processes=1")


def test_a_failing_task_is_named_and_the_others_are_kept(tmp_path):
    path = tmp_path / "results.jsonl"
    message = r"campaign_tasks.fail_on_odd failed for \{'n': 1\}.*odd"
    with pytest.raises(RuntimeError, match=message) as info:
        campaigns.run(
            campaign_tasks.fail_on_odd, [{"n": 0}, {"n": 1}], path=path, executor="serial"
        )
    assert "in fail_on_odd" in info.value.__notes__[0]  # the worker's traceback
    assert path.read_bytes().count(b"\n") == 1


@pytest.mark.parametrize("executor", ["serial", "processes=1"])
def test_a_task_finds_the_state_it_left_and_none_stays_with_its_result(tmp_path, executor):
    path = tmp_path / "results.jsonl"
    options = {"path": path, "executor": executor}
    for _ in range(2):
        with pytest.raises(RuntimeError, match="slipped"):
            campaigns.run(campaign_tasks.climb, [{"seed": 0}], **options)
        assert (tmp_path / "results.jsonl.states").is_dir()
    assert campaigns.run(campaign_tasks.climb, [{"seed": 0}], **options) == [{"height": 3}]
    assert os.listdir(tmp_path) == ["results.jsonl"]


def test_states_are_kept_beside_a_file_of_results_only(tmp_path):
    assert campaigns.run(campaign_tasks.climb, [{}], executor="serial") == [{"height": 0}]
    with states.keeping(tmp_path / "elsewhere" / "results.jsonl.states", "key"):
        assert campaigns.state_file("height") is None  # its folder is not there, as on a cluster


@pytest.mark.parametrize("name", ["", ".", "..", "../height", "a/b", ".hidden"])
def test_a_state_lies_in_the_folder_of_its_task(name):
    with pytest.raises(ValueError, match="`name` must be the plain name of a file"):
        campaigns.state_file(name)


def test_one_file_serves_several_campaigns(tmp_path):
    path = tmp_path / "results.jsonl"
    first = campaigns.run(campaign_tasks.draw, SEEDS[:2], path=path, executor="serial")
    campaigns.run(campaign_tasks.fail_on_odd, [{"n": 2}], path=path, executor="serial")
    assert campaigns.run(campaign_tasks.draw, SEEDS[:3], path=path, executor="serial")[:2] == first
    assert path.read_bytes().count(b"\n") == 4


def test_many_small_tasks_travel_in_chunks(processes):
    seen = []
    configurations = [{"n": 2 * n} for n in range(2000)]
    results = campaigns.run(
        campaign_tasks.fail_on_odd,
        configurations,
        executor=processes,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert results == configurations
    assert seen[0] == (0, 2000)
    assert seen[-1] == (2000, 2000)
    assert len(seen) < 200


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"function": lambda c: c}, ValueError, "`function` must be defined at the top level"),
        ({"configurations": [{"x": {1}}]}, TypeError, "`configurations` must hold plain JSON"),
        ({"path": "/nowhere/at/all"}, ValueError, "`path` must be a file in an existing directory"),
        ({"path": 3}, TypeError, "`path` must be a path, got 3"),
        ({"executor": "threads"}, ValueError, '`executor` must be "serial"'),
        ({"executor": "processes=0"}, ValueError, "`workers` must be an integer >= 1"),
        ({"executor": 4}, TypeError, "`executor` must be"),
        ({"executor": "nowhere:pool"}, ValueError, "'nowhere:pool' cannot be used"),
        ({"executor": "os:getcwd"}, TypeError, "must return a concurrent.futures.Executor"),
        ({"executor": "dask=tcp://127.0.0.1:1"}, ValueError, "no Dask scheduler answers"),
        ({"progress": 1}, TypeError, "`progress` must be a bool or a callable"),
    ],
)
def test_bad_arguments(arguments, error, message, monkeypatch):
    if "dask" in str(arguments.get("executor")):
        pytest.importorskip("distributed", reason="needs the extra `cluster`")
        monkeypatch.setattr(executors, "PATIENCE", "1s")
    options = {"function": campaign_tasks.draw, "configurations": SEEDS[:1], "executor": "serial"}
    with pytest.raises(error, match=message):
        campaigns.run(**(options | arguments))


def test_a_file_of_something_else_is_refused_and_not_touched(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("dear diary\n", "utf-8")
    with pytest.raises(ValueError, match="line 1: not a result of a campaign"):
        campaigns.run(campaign_tasks.draw, SEEDS[:1], path=path, executor="serial")
    assert path.read_text("utf-8") == "dear diary\n"


def test_a_file_in_use_is_refused(tmp_path):
    fcntl = pytest.importorskip("fcntl", reason="Windows has no advisory locks")
    path = tmp_path / "results.jsonl"
    with open(path, "wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="is in use by another campaign"):
            campaigns.run(campaign_tasks.draw, SEEDS[:1], path=path, executor="serial")


# ---------------------------------------------------------------------- the file


def ledger(path, count=4):
    """Compute some results into a file; return them, and the lines."""
    results = campaigns.run(campaign_tasks.draw, SEEDS[:count], path=path, executor="serial")
    return results, path.read_bytes().splitlines(keepends=True)


FOREIGN = {
    "notes": b"dear diary",
    "lines of notes": b"dear diary\nnothing new",
    "one byte": b"{",
    "minified JSON": b'{"a":1,"b":[2,3]}',
    "JSON with our names": b'{"key": "mine", "configuration": 1, "result": 2, "seconds": 3}',
    "the beginning of such JSON": b'{"key": "abc", "conf',
    "a key only": b'{"key": "' + b"0" * 64 + b'"}',
    "deep JSON": b"[" * 100_000,
    "a number": b"7",
    "a long number": b"9" * 10_000 + b"\n",
    "a binary file": b"\x7fELF\x02\x01\0\0\0" + bytes(range(256)),
    "zeros": bytes(4096),
    "zeros and a line": bytes(4096) + b"\n",
    "an empty line": b"\n",
    "a byte order mark": b"\xef\xbb\xbf",
    "UTF-16": "notes".encode("utf-16"),
}


@pytest.mark.parametrize("ending", [b"", b"\n"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_a_file_that_is_no_ledger_is_refused_whatever_its_bytes(tmp_path, kind, ending):
    path, content = tmp_path / "file", FOREIGN[kind] + ending
    path.write_bytes(content)
    for call in (
        lambda: campaigns.run(campaign_tasks.draw, SEEDS[:1], path=path, executor="serial"),
        lambda: campaigns.seconds(campaign_tasks.draw, SEEDS[:1], path),
    ):
        with pytest.raises(ValueError, match="not a result of a campaign"):
            call()
    assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_others_wrote_into_a_ledger_is_not_cut_off(tmp_path, kind):
    path = tmp_path / "file"
    ledger(path)
    content = path.read_bytes() + FOREIGN[kind]
    path.write_bytes(content)
    if kind in ("one byte", "zeros", "zeros and a line"):
        return  # as a line of ours may begin, and zeros are what a loss of power leaves
    with pytest.raises(ValueError, match="line 5: not a result of a campaign"):
        ledger(path)
    assert path.read_bytes() == content


@pytest.mark.parametrize("where", range(6))
def test_a_ledger_survives_nuls(tmp_path, where):
    """As a file system leaves them where it lost power: results that are there are kept."""
    path, zeros = tmp_path / "file", bytes(500)
    results, lines = ledger(path)
    content = [
        [*lines, zeros],
        [*lines[:2], zeros, *lines[2:]],
        [*lines[:3], lines[3][:50] + zeros],
        [lines[0], lines[1][:90] + zeros + b"\n", *lines[2:]],
        [zeros, *lines],
        [*lines, zeros, b"\n"],
    ][where]
    kept = [4, 4, 3, 3, 4, 4][where]
    path.write_bytes(b"".join(content))
    known = campaigns.seconds(campaign_tasks.draw, SEEDS[:4], path)
    assert sum(each is not None for each in known) == kept
    assert ledger(path)[0] == results
    again = campaigns.seconds(campaign_tasks.draw, SEEDS[:4], path)
    assert None not in again


@pytest.mark.parametrize("cut", [1, 2, 30, 200])
def test_a_line_without_its_end_is_computed_again_or_kept(tmp_path, cut):
    path = tmp_path / "file"
    results, lines = ledger(path)
    path.write_bytes(b"".join(lines)[:-cut])
    again, after = ledger(path)
    assert again == results
    assert after[:3] == lines[:3]
    assert len(after) == 4
    assert (after == lines) is (cut == 1)  # only the end of the line was lost


@pytest.mark.parametrize("length", range(0, 90, 7))
def test_a_first_line_that_was_being_written_is_known_by_its_beginning(tmp_path, length):
    path = tmp_path / "file"
    results, lines = ledger(path, 1)
    path.write_bytes(lines[0][:length])
    if 0 < length < 9 + 64 + len(campaign.REST):
        with pytest.raises(ValueError, match="not a result of a campaign"):
            ledger(path, 1)
        assert path.read_bytes() == lines[0][:length]
    else:
        assert ledger(path, 1)[0] == results


@pytest.mark.parametrize("path", ["/dev/full", "/dev/null", "pipe", "", "x" * 300, "\0"])
def test_what_cannot_keep_results_is_refused_before_the_first_task(tmp_path, path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="`path`"):
        campaigns.run(
            campaign_tasks.die, SEEDS, path=os.path.join(tmp_path, path), executor="serial"
        )


def test_a_full_disk_ends_a_campaign_without_half_a_line(tmp_path, monkeypatch):
    path = tmp_path / "file"
    original = os.write

    def full(descriptor, content):
        if len(content) > 20 and path.stat().st_size > 500:
            original(descriptor, content[:10])
            raise OSError(28, "No space left on device")
        return original(descriptor, content)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match=r"No space left on device: .*file"):
        campaigns.run(campaign_tasks.draw, SEEDS[:8], path=path, executor="serial")
    monkeypatch.undo()
    content = path.read_bytes()
    assert content.endswith(b"\n")
    assert content.count(b"\n") >= 2
    assert len(ledger(path, 8)[0]) == 8


def test_a_campaign_and_another_do_not_share_a_file_and_leave_nothing(tmp_path):
    path = tmp_path / "file"
    results = campaigns.as_completed(campaign_tasks.draw, SEEDS, path=path, executor="serial")
    next(results)
    with pytest.raises(
        ValueError, match=r"is in use by another campaign \(process|by another camp"
    ):
        ledger(path)
    results.close()
    ledger(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_to_a_ledger_stays_one(tmp_path):
    path, link = tmp_path / "file", tmp_path / "link"
    link.symlink_to(path)
    assert ledger(link)[0] == ledger(path)[0]
    assert link.is_symlink()
    assert path.read_bytes().count(b"\n") == 4


# ---------------------------------------------------------------------- whose results they are

SCRIPT = """
import sys
from dlnlab import campaigns
{helper}
def work(configuration):
    print("called")
    return {{"value": {value}}}
for result in campaigns.run(work, [{{"n": 3}}], path=sys.argv[1], executor="serial"):
    print(result["value"])
"""


def script(path, value, helper=""):
    """Run a script; return what it printed."""
    source = path.parent / "script.py"
    source.write_text(SCRIPT.format(value=value, helper=helper))
    command = [sys.executable, str(source), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=path.parent)
    return done.stdout.split()


def test_results_belong_to_the_code_of_a_function(tmp_path):
    path = tmp_path / "file"
    square = "configuration['n'] ** 2"
    assert script(path, square) == ["called", "9"]
    assert script(path, square) == ["9"]  # as long as it is the same, they are kept
    assert script(path, square, helper="\n\n# moved down") == ["9"]
    assert script(path, "configuration['n'] ** 3") == ["called", "27"]
    assert script(path, square) == ["9"]  # and those of the first are still there


@pytest.mark.parametrize(
    ("value", "before", "after"),
    [
        ("power(configuration['n'])", "def power(n): return n", "def power(n): return n + 1"),
        ("FACTOR * configuration['n']", "FACTOR = 1", "FACTOR = 2"),
        ("TABLE['a'] * configuration['n']", "TABLE = {'a': 1}", "TABLE = {'a': 2}"),
        (
            "Model().f()",
            "class Model:\n  def f(self): return 3",
            "class Model:\n  def f(s): return 4",
        ),
        ("ARRAY.sum()", *(f"import numpy as np\nARRAY = np.arange({n})" for n in (3, 4))),
        ("helper.f(configuration)", "import helper", "import helper"),
        ("f(configuration)", "from helper import f", "from helper import f"),
    ],
)
def test_results_belong_to_what_the_function_uses(tmp_path, value, before, after):
    path, helper = tmp_path / "file", tmp_path / "helper.py"
    value = f"int({value})"
    helper.write_text("def f(configuration): return 3\n")
    first = script(path, value, before)
    assert first[0] == "called"
    assert script(path, value, before) == first[1:]
    helper.write_text("def f(configuration): return 4\n")
    os.utime(helper, (0, 0))  # or Python may take its compiled file for new enough
    second = script(path, value, after)
    assert second[0] == "called"
    assert second[1] != first[1]


seen: list[int] = []
count = 0


def counted(configuration):
    """Count its calls, in two ways."""
    global count
    count += 1
    seen.append(configuration["n"])
    return configuration


def test_what_a_function_fills_itself_is_none_of_its_code(tmp_path):
    for _ in range(2):
        campaigns.run(counted, [{"n": 1}], path=tmp_path / "file", executor="serial")
    assert (seen, count) == ([1], 1)


def test_the_order_of_a_set_does_not_matter(tmp_path):
    """It differs between processes, by the hashes of strings."""
    path, helper = tmp_path / "file", "NAMES = {'a', 'b', 'c', 'd', 'e'}"
    value = "'a' in NAMES and 'b' in {'x', 'b', 'y', 'z', 'w'}"
    assert script(path, value, helper) == ["called", "True"]
    for _ in range(3):
        assert script(path, value, helper) == ["True"]


def test_a_task_may_move_to_another_module(tmp_path):
    path = tmp_path / "file"
    square = "configuration['n'] ** 2"
    name = "@campaigns.task('square')"
    assert script(path, square, name) == ["called", "9"]
    (tmp_path / "tasks.py").write_text(
        "from dlnlab import campaigns\n@campaigns.task('square')\n"
        f"def work(configuration):\n    print('called')\n    return {{'value': {square}}}\n"
    )
    other = tmp_path / "other.py"
    other.write_text(
        "import sys\nfrom dlnlab import campaigns\nfrom tasks import work\n"
        "print(campaigns.run(work, [{'n': 3}], path=sys.argv[1], executor='serial'))\n"
    )
    command = [sys.executable, str(other), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "[{'value': 9}]\n"


def own_tasks():
    """The functions of dlnlab that campaigns run."""
    from dlnlab.atlas import survey
    from dlnlab.lab import suite

    found = {experiment.measure for experiment in dlnlab.experiments.EXPERIMENTS.values()}
    return sorted(found | {survey.measure, suite.measure}, key=campaign._identity)


NAMES = [
    "experiments.classifiers.measure",
    "experiments.compression.measure",
    "experiments.fig13.measure",
    "experiments.fig14.measure",
    "experiments.fig15.measure",
    "experiments.fig16.measure",
    "experiments.fig17.measure",
    "experiments.fig20.measure",
    "experiments.fig22.measure",
    "experiments.fig3.measure",
    "experiments.fig6.measure",
    "experiments.fig6_movielens.measure",
    "experiments.incremental.measure",
    "experiments.lora.measure",
    "experiments.pair.measure",
    "experiments.pair.measure_parts",
    "experiments.table3.measure",
    "validations.atlas.measure",
    "validations.suite.measure",
]
"""Under these names files of before they were given keep the results: they must not change, even
if a module moves."""


def test_dlnlab_s_own_tasks_keep_their_names_and_keys():
    assert all(hasattr(function, "task_name") for function in own_tasks())
    identities = [campaign._identity(function) for function in own_tasks()]
    assert identities == [(f"dlnlab.{name}", "") for name in NAMES]
    content = json.dumps(["dlnlab.validations.suite.measure", dlnlab.__version__, {"seed": 1}])
    key = hashlib.sha256(content.encode()).hexdigest()
    assert campaign._key(identities[-1], {"seed": 1}) == key


class Model:
    def __init__(self, factor):
        self.factor = factor

    def work(self, configuration):
        return {"value": self.factor}

    @classmethod
    def shared(cls, configuration):
        return {"value": 1}


def test_a_method_of_an_object_is_refused():
    """Two objects of a class would share their results."""
    with pytest.raises(ValueError, match="`function` must not be a method"):
        campaigns.run(Model(2).work, SEEDS[:1], executor="serial")
    assert campaigns.run(Model.shared, SEEDS[:1], executor="serial") == [{"value": 1}]


# ---------------------------------------------------------------------- executors


def make_pool() -> Executor:
    """An executor for ``MODULE:FUNCTION``."""
    return ProcessPoolExecutor(1)


def test_an_executor_of_a_users_own_module():
    with executors.using("test_campaigns:make_pool") as pool:
        assert isinstance(pool, ProcessPoolExecutor)
        assert campaign._under_way(pool) == 2


@pytest.mark.parametrize("workers", [1000, 32768])
def test_a_pool_starts_no_more_processes_than_tasks_or_a_few_a_core(workers):
    most = 4 * len(os.sched_getaffinity(0))
    with executors.Processes(workers) as pool:
        assert pool.workers == most
        assert pool._workers == []
        pids = {pool.submit(os.getpid).result() for _ in range(3)}
        assert len(pids) == len(pool._workers) == 1  # free again each time
    with executors.Processes(workers, oversubscribe=True) as pool:
        assert pool.workers == workers
        for future in [pool.submit(time.sleep, 0.1) for _ in range(3)]:
            future.result()
        assert len(pool._workers) == 3


@pytest.mark.parametrize("workers", [10**30, 2**15 + 1, pytest.param(10**5000, id="huge")])
def test_more_workers_than_a_system_has_processes_are_refused(workers):
    with pytest.raises(ValueError, match="`workers` must be an integer <= 32768"):
        executors.Processes(workers, oversubscribe=True)
    if workers < 10**100:
        with pytest.raises(ValueError, match="`workers` must be"):
            campaigns.run(campaign_tasks.draw, SEEDS, executor=f"processes={workers}")
    with pytest.raises(TypeError, match="`oversubscribe` must be True or False"):
        executors.Processes(2, oversubscribe=1)


def test_the_workers_of_a_name_with_many_digits_are_refused():
    with pytest.raises(ValueError, match="`workers` must be"):
        campaigns.run(campaign_tasks.draw, SEEDS, executor="processes=" + "9" * 10_000)


def daemonic():
    """Ask for processes where none may be started."""
    try:
        campaigns.run(campaign_tasks.draw, SEEDS[:1], executor="processes")
    except ValueError as error:
        return str(error)


def test_processes_are_refused_in_a_daemonic_process():
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        message = pool.apply(daemonic)
    assert message.startswith('`executor` must be "serial" in a daemonic process')


@pytest.mark.parametrize("executor", ["serial", "processes=1"])
def test_a_task_that_exits_is_a_task_that_failed(executor, tmp_path):
    path = tmp_path / "file"
    with pytest.raises(
        RuntimeError, match=r"campaign_tasks.leave failed for \{'n': 1\}: SystemExit: 3"
    ):
        campaigns.run(campaign_tasks.leave, [{"n": 0}, {"n": 1}], executor=executor, path=path)
    assert path.read_bytes().count(b"\n") == 1


def test_a_killed_worker_of_a_users_own_pool_is_named(tmp_path):
    path = tmp_path / "file"
    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        pytest.raises(RuntimeError, match=r"`executor` is broken.*run the same with a new"),
    ):
        campaigns.run(
            campaign_tasks.die_at_three, numbers(tmp_path / "log", 6), executor=pool, path=path
        )
    assert 1 <= path.read_bytes().count(b"\n") <= 3  # less what travelled with number three
    results = campaigns.run(campaign_tasks.die_at_three, numbers(tmp_path / "log", 3), path=path)
    assert [result["n"] for result in results] == [0, 1, 2]


class Idle(Executor):
    """An executor that says how many workers it has."""

    def __init__(self, workers):
        self._max_workers = workers


@pytest.mark.parametrize("workers", [0, -1, False])
def test_an_executor_without_workers_is_refused(workers):
    with pytest.raises(ValueError, match="`executor` must have workers, got one that has"):
        campaigns.run(campaign_tasks.draw, SEEDS, executor=Idle(workers))


ORPHANS = """
import os, signal, sys, time
if __name__ == "__mp_main__":  # a worker that imports what its task needs
    open(sys.argv[1], "a").write("imported\\n")
    time.sleep(60)
if __name__ == "__main__":
    from dlnlab.executors import Processes
    pool = Processes(6, oversubscribe=True)
    for _ in range(6):
        pool.submit(time.sleep, 60)
    pids = [pid for worker in pool._workers for pid in worker.pool._processes]
    print(*pids, flush=True)
    while sys.argv[2] == "importing" and not os.path.exists(sys.argv[1]):
        time.sleep(0.05)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def wait_for_the_end_of(pids):
    left, until = set(pids), time.monotonic() + 40  # who does not notice stays for a minute
    while left and time.monotonic() < until:
        left = {pid for pid in left if Path(f"/proc/{pid}").exists()}
        time.sleep(0.05)
    return left


@pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc")
@pytest.mark.parametrize("moment", ["starting", "importing"])
def test_workers_whose_parent_is_killed_while_they_start_do_not_stay(tmp_path, moment):
    """They notice before they import, and while they do."""
    source, log = tmp_path / "script.py", tmp_path / "log"
    source.write_text(ORPHANS)
    command = [sys.executable, str(source), str(log), moment]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) == 6
    assert wait_for_the_end_of(pids) == set()


@pytest.mark.skipif(sys.platform != "linux", reason="a process without a parent has another there")
@pytest.mark.parametrize("gone", [False, True])
def test_a_worker_whose_parent_is_gone_ends_before_it_imports(gone, monkeypatch):
    """A name carries the guard, and is what a worker is sent before all else."""
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + gone)
    sent = pickle.dumps(executors._GuardedName("a worker")).hex()
    code = "import pickle, sys; pickle.loads(bytes.fromhex(sys.argv[1])); print('imports')"
    command = [sys.executable, "-c", code, sent]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stdout) == ((1, "") if gone else (0, "imports\n"))


def test_an_interrupt_ends_the_workers_at_once(tmp_path):
    pool = executors.Processes(1)
    pid = pool.submit(os.getpid).result()
    started = time.monotonic()

    def interrupt(done, total):
        if done:
            raise KeyboardInterrupt

    configurations = [*numbers(tmp_path / "log", 1), {"n": 1, "log": "/dev/null", "seconds": 60}]
    with pytest.raises(KeyboardInterrupt), executors.using(pool) as same:
        campaigns.run(campaign_tasks.log, configurations, executor=same, progress=interrupt)
    pool.shutdown(wait=True, cancel_futures=True)
    assert time.monotonic() - started < 40  # of the minute that its task takes
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    with pytest.raises(RuntimeError, match="shut down"):
        pool.submit(os.getpid)


def test_workers_do_not_outlive_a_killed_parent():
    code = (
        "import os, time\n"
        "from dlnlab import executors\n"
        "if __name__ == '__main__':\n"
        "    pool = executors.Processes(1)\n"
        "    print(pool.submit(os.getpid).result(), flush=True)\n"
        "    time.sleep(60)\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with parent:
        worker = int(parent.stdout.readline())
        parent.kill()
    for _ in range(200):
        try:
            os.kill(worker, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("the worker is still there")


# ---------------------------------------------------------------------- a cluster


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip("distributed", reason="needs the extra `cluster`")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as running:
        yield running


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_dask_cluster_gives_the_same_results(cluster):
    serial = campaigns.run(campaign_tasks.draw, SEEDS, executor="serial")
    spread = campaigns.run(campaign_tasks.draw, SEEDS, executor=f"dask={cluster.scheduler_address}")
    assert without_threads(spread) == without_threads(serial)
    assert {result["threads"] for result in spread} == {"1"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_worker_of_the_cluster_that_is_killed_costs_only_its_own_tasks(cluster, tmp_path):
    log = tmp_path / "log"
    configurations = numbers(log, 8, seconds=0.1)
    configurations[0]["fuse"] = str(tmp_path / "fuse")
    results = campaigns.run(
        campaign_tasks.die_once, configurations, executor=f"dask={cluster.scheduler_address}"
    )
    assert [result["n"] for result in results] == list(range(8))
    # a result that was on the killed worker and had not been fetched is computed again
    assert sorted(set(calls(log))) == list(range(8))
    assert len(calls(log)) <= 10


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_validations_on_a_cluster_give_the_same_verdicts(cluster):
    mini = validations.Profile("mini", batch=24, examples=3, shrinks=4)
    address = f"dask={cluster.scheduler_address}"
    here, there = (
        [
            dataclasses.replace(verdict, seconds=0.0)
            for verdict in sorted(
                validations.verdicts(["lemma1", "dominance"], mini, 7, executor=executor),
                key=lambda verdict: verdict.claim,
            )
        ]
        for executor in ("serial", address)
    )
    assert here == there


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_killed_client_of_a_cluster_resumes(cluster, tmp_path):
    log, path = tmp_path / "log", tmp_path / "results.jsonl"
    configurations = numbers(log, 12, seconds=0.15)
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1])\n"
        "import campaign_tasks\n"
        "from dlnlab import campaigns\n"
        "if __name__ == '__main__':\n"
        "    tasks, path, where = json.loads(sys.argv[2]), sys.argv[3], sys.argv[4]\n"
        "    campaigns.run(campaign_tasks.log, tasks, path=path, executor=where)\n"
    )
    where = f"dask={cluster.scheduler_address}"
    arguments = [str(Path(__file__).parent), json.dumps(configurations), str(path), where]
    client = subprocess.Popen([sys.executable, "-c", code, *arguments])
    while not path.exists() or path.read_bytes().count(b"\n") < 3:
        assert client.poll() is None
        time.sleep(0.02)
    client.kill()
    client.wait()
    results = campaigns.run(campaign_tasks.log, configurations, path=path, executor=where)
    assert [result["n"] for result in results] == list(range(12))
    entries = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert sorted(entry["result"]["n"] for entry in entries) == list(range(12))
