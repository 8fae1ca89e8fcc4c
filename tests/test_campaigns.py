"""Campaigns: the same results on every executor, and nothing lost or doubled."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import chores
import pytest

from dlnlab import campaigns, executors, validations

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
    serial = campaigns.run(chores.draw, SEEDS, executor="serial")
    assert serial[3]["infinite"] == float("inf")
    assert isinstance(serial[3]["few"], list)
    parallel = campaigns.run(chores.draw, SEEDS, executor=processes, path=tmp_path / "a.jsonl")
    assert without_threads(parallel) == without_threads(serial)
    assert {result["threads"] for result in parallel} == {"1"}
    with ThreadPoolExecutor(3) as pool:
        assert campaigns.run(chores.draw, SEEDS, executor=pool) == serial
    again = campaigns.run(chores.draw, SEEDS, executor="serial", path=tmp_path / "a.jsonl")
    assert again == parallel  # read back, not computed: the threads are the workers'


def test_equal_configurations_are_computed_once(tmp_path):
    configurations = numbers(tmp_path / "log", 3)
    results = campaigns.run(chores.log, configurations * 2, executor="serial")
    assert [result["n"] for result in results] == [0, 1, 2, 0, 1, 2]
    assert calls(tmp_path / "log") == [0, 1, 2]


def test_a_killed_client_resumes_and_nothing_is_lost_or_doubled(tmp_path):
    log, path = tmp_path / "log", tmp_path / "results.jsonl"
    configurations = numbers(log, 12, seconds=0.15)
    code = (
        "import sys, json; sys.path.insert(0, sys.argv[1]); import chores\n"
        "from dlnlab import campaigns\n"
        "campaigns.run(chores.log, json.loads(sys.argv[2]), path=sys.argv[3], executor='serial')\n"
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
    results = campaigns.run(chores.log, configurations, path=path, executor="serial")
    assert [result["n"] for result in results] == list(range(12))
    entries = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert sorted(entry["result"]["n"] for entry in entries) == list(range(12))
    # only what was under way when the client died was called twice
    assert sorted(set(calls(log))) == list(range(12))
    assert len(calls(log)) <= 12 + 2


def test_a_torn_last_line_is_cut_off(tmp_path):
    path = tmp_path / "results.jsonl"
    whole = campaigns.run(chores.draw, SEEDS[:4], path=path, executor="serial")
    content = path.read_bytes()
    for length in (len(content) - 1, len(content) - 30):
        path.write_bytes(content[:length])
        assert campaigns.run(chores.draw, SEEDS[:4], path=path, executor="serial") == whole
        assert path.read_bytes().count(b"\n") == 4


def test_a_killed_worker_costs_only_its_own_tasks(tmp_path):
    """Worker one dies; what worker two computes meanwhile is not called again."""
    log = tmp_path / "log"
    configurations = numbers(log, 8, seconds=0.1)
    configurations[0]["fuse"] = str(tmp_path / "fuse")
    with executors.Processes(2) as pool:
        results = campaigns.run(chores.die_once, configurations, executor=pool)
    assert [result["n"] for result in results] == list(range(8))
    assert sorted(calls(log)) == list(range(8))


def test_a_task_that_always_kills_its_worker_is_named(tmp_path):
    with pytest.raises(RuntimeError, match=r"a worker died 3 times in the task \{'n': 7\}"):
        campaigns.run(chores.die, [{"n": 7}], executor="processes=1")


def test_a_failing_task_is_named_and_the_others_are_kept(tmp_path):
    path = tmp_path / "results.jsonl"
    message = r"chores.fail_on_odd failed for \{'n': 1\}.*odd"
    with pytest.raises(RuntimeError, match=message) as info:
        campaigns.run(chores.fail_on_odd, [{"n": 0}, {"n": 1}], path=path, executor="serial")
    assert "in fail_on_odd" in info.value.__notes__[0]  # the worker's traceback
    assert path.read_bytes().count(b"\n") == 1


def test_one_file_serves_several_campaigns(tmp_path):
    path = tmp_path / "results.jsonl"
    first = campaigns.run(chores.draw, SEEDS[:2], path=path, executor="serial")
    campaigns.run(chores.fail_on_odd, [{"n": 2}], path=path, executor="serial")
    assert campaigns.run(chores.draw, SEEDS[:3], path=path, executor="serial")[:2] == first
    assert path.read_bytes().count(b"\n") == 4


def test_many_small_tasks_travel_in_chunks(processes):
    seen = []
    configurations = [{"n": 2 * n} for n in range(2000)]
    results = campaigns.run(
        chores.fail_on_odd,
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
    options = {"function": chores.draw, "configurations": SEEDS[:1], "executor": "serial"}
    with pytest.raises(error, match=message):
        campaigns.run(**(options | arguments))


def test_a_file_of_something_else_is_refused_and_not_touched(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("dear diary\n", "utf-8")
    with pytest.raises(ValueError, match="line 1: not a result of a campaign"):
        campaigns.run(chores.draw, SEEDS[:1], path=path, executor="serial")
    assert path.read_text("utf-8") == "dear diary\n"


def test_a_file_in_use_is_refused(tmp_path):
    fcntl = pytest.importorskip("fcntl", reason="Windows has no advisory locks")
    path = tmp_path / "results.jsonl"
    with open(path, "wb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(ValueError, match="is in use by another campaign"):
            campaigns.run(chores.draw, SEEDS[:1], path=path, executor="serial")


def make_pool() -> Executor:
    """An executor for ``MODULE:FUNCTION``."""
    return ProcessPoolExecutor(1)


def test_an_executor_of_a_users_own_module():
    with executors.using("test_campaigns:make_pool") as pool:
        assert isinstance(pool, ProcessPoolExecutor)
        assert executors.under_way(pool) == 2


def test_an_interrupt_ends_the_workers_at_once(tmp_path):
    pool = executors.Processes(1)
    pid = pool.submit(os.getpid).result()
    started = time.monotonic()

    def interrupt(done, total):
        if done:
            raise KeyboardInterrupt

    configurations = [*numbers(tmp_path / "log", 1), {"n": 1, "log": "/dev/null", "seconds": 60}]
    with pytest.raises(KeyboardInterrupt), executors.using(pool) as same:
        campaigns.run(chores.log, configurations, executor=same, progress=interrupt)
    pool.shutdown(wait=True, cancel_futures=True)
    assert time.monotonic() - started < 20
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
    serial = campaigns.run(chores.draw, SEEDS, executor="serial")
    spread = campaigns.run(chores.draw, SEEDS, executor=f"dask={cluster.scheduler_address}")
    assert without_threads(spread) == without_threads(serial)
    assert {result["threads"] for result in spread} == {"1"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning")
def test_a_worker_of_the_cluster_that_is_killed_costs_only_its_own_tasks(cluster, tmp_path):
    log = tmp_path / "log"
    configurations = numbers(log, 8, seconds=0.1)
    configurations[0]["fuse"] = str(tmp_path / "fuse")
    results = campaigns.run(
        chores.die_once, configurations, executor=f"dask={cluster.scheduler_address}"
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
        "import chores\n"
        "from dlnlab import campaigns\n"
        "if __name__ == '__main__':\n"
        "    tasks, path, where = json.loads(sys.argv[2]), sys.argv[3], sys.argv[4]\n"
        "    campaigns.run(chores.log, tasks, path=path, executor=where)\n"
    )
    where = f"dask={cluster.scheduler_address}"
    arguments = [str(Path(__file__).parent), json.dumps(configurations), str(path), where]
    client = subprocess.Popen([sys.executable, "-c", code, *arguments])
    while not path.exists() or path.read_bytes().count(b"\n") < 3:
        assert client.poll() is None
        time.sleep(0.02)
    client.kill()
    client.wait()
    results = campaigns.run(chores.log, configurations, path=path, executor=where)
    assert [result["n"] for result in results] == list(range(12))
    entries = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    assert sorted(entry["result"]["n"] for entry in entries) == list(range(12))
