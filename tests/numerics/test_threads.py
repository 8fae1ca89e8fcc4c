"""How many threads a run takes, and that they are put back."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys

import numpy as np
import pytest
import threadpoolctl

import dlnlab
from dlnlab.numerics import threads

with contextlib.suppress(ImportError):
    import sksundae.cvode  # noqa: F401  (has a BLAS of its own; dlnlab looks for BLAS only once)


def blas_threads():
    pools = threadpoolctl.threadpool_info()
    return [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]


def test_the_environment_tells_how_many_there_are(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert threads.available() == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "2,4")  # of nested levels
    assert threads.available() == 2
    for asked in ("", "0", "many"):
        monkeypatch.setenv("OMP_NUM_THREADS", asked)
        assert threads.available() == threads.cores() >= 1


@pytest.mark.parametrize("asked", ["100000", "9" * 5000, "0008"])
def test_more_threads_than_a_few_a_core_are_not_started(monkeypatch, asked):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    most = threads.PER_CORE * threads.cores()
    assert threads.available() == min(int(asked[:6]), most)
    with threads.limited(10**6):
        assert threads.available() == most


@pytest.mark.parametrize("asked", ["²", "-3", "1e3"])
def test_what_is_no_number_of_threads_is_not_taken_for_one(monkeypatch, asked):
    monkeypatch.setenv("OMP_NUM_THREADS", asked)
    assert threads.available() == threads.cores()


OVERLAPPING = """
import threading, threadpoolctl
import numpy as np
import dlnlab

def blas():
    return [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]

threadpoolctl.threadpool_limits(2)  # for good; threadpoolctl 3.8 lets only this thread change it
before = blas()
problem = dlnlab.factorization(np.diag([1.0, 0.5]))
weights = dlnlab.compressed_weights(problem, 1, 2, 0.1)
inside, seen = threading.Barrier(4), []

def work(number):
    first = True
    def meet(*_):
        nonlocal first
        if first:
            first = False
            inside.wait()  # all runs are under way at once
            seen.extend(blas())
    dlnlab.gradient_descent(problem, weights, eta=0.1, num_steps=200 * number, progress=meet)

workers = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
assert set(seen) == {1}, seen
assert blas() == before, (before, blas())
"""


def test_runs_that_overlap_put_the_threads_of_blas_back():
    environment = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    done = subprocess.run(
        [sys.executable, "-c", OVERLAPPING],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr


def test_limits_end_in_any_order(monkeypatch):
    """BLAS has the smallest of those that hold; counted as set and put back."""
    now = [8]

    class Limiter:
        def __init__(self, limits):
            self.before, now[0] = now[0], limits

        def restore_original_limits(self):
            now[0] = self.before

    class Blas:
        limit = staticmethod(lambda limits: Limiter(limits))

    class OfThreads:
        limit = staticmethod(lambda limits: contextlib.nullcontext())

    monkeypatch.setattr(threads, "_blas", lambda: threads._Libraries(Blas, OfThreads))
    rng, limits = np.random.default_rng(0), threads._ThreadLimits()
    open_now: list = []
    for _ in range(300):
        if open_now and rng.random() < 0.5:
            open_now.pop(rng.integers(len(open_now)))[1].__exit__(None, None, None)
        else:
            count = int(rng.integers(1, 5))
            holding = limits.hold(count)
            holding.__enter__()
            open_now.append((count, holding))
        assert now[0] == min([count for count, _ in open_now], default=8)


LATER = """
import threadpoolctl
import numpy
from dlnlab.numerics import threads
with threads.limited(1):
    pass
import sksundae  # has a BLAS library of its own
before = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
with threads.limited(1):
    found = threadpoolctl.threadpool_info()
    assert {pool["num_threads"] for pool in found if pool["user_api"] == "blas"} == {1}, found
assert [pool["num_threads"] for pool in threadpoolctl.threadpool_info()] == before
"""


def test_a_library_that_is_loaded_later_is_limited_too():
    pytest.importorskip("sksundae", reason="needs the extra `stiff`")
    environment = {name: value for name, value in os.environ.items() if "NUM_THREADS" not in name}
    command = [sys.executable, "-W", "ignore", "-c", LATER]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr


def test_a_limit_holds_for_both_kinds_and_is_put_back(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    before = blas_threads()
    with threads.limited(1):
        assert threads.available() == 1
        assert set(blas_threads()) == {1}
    assert threads.available() == 3
    assert blas_threads() == before


def test_small_matrices_and_many_matrices_leave_blas_one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads.shared(199, 1)
    assert threads.shared(200, 2)
    assert not threads.shared(200, 1)


def test_a_run_limits_blas_while_it_goes_on(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    problem = dlnlab.factorization(np.diag([1.0, 0.5]))
    weights = dlnlab.compressed_weights(problem, 1, 2, 0.1)
    before, seen = blas_threads(), []
    dlnlab.gradient_descent(
        problem,
        weights,
        eta=0.1,
        num_steps=3,
        progress=lambda *_: seen.append(set(blas_threads())),
    )
    assert seen == [{1}] * len(seen) != []
    assert blas_threads() == before


FORKED = """
import os, time
from dlnlab.numerics import threads
with threads.limited(2):
    threads.share(time.sleep, [0.1, 0.1])  # long enough for both threads to start
    time.sleep(0.1)
    child = os.fork()
    if child == 0:
        os._exit(0 if threads.share(abs, [-3, -4]) == [3, 4] else 1)
for _ in range(600):
    ended, status = os.waitpid(child, os.WNOHANG)
    if ended:
        raise SystemExit(os.waitstatus_to_exitcode(status))
    time.sleep(0.1)
os.kill(child, 9)
raise SystemExit("the child waits for threads that it does not have")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_process_starts_threads_of_its_own():
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORKED], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("count", [1, 2, 3])
def test_threads_do_not_change_a_number(count):
    problem = dlnlab.completion(
        dlnlab.random_target((12, 9), 2, rng=0), dlnlab.random_mask((12, 9), 0.5, rng=0)
    )
    weights = dlnlab.original_weights((12, 9), 3, 0.3, rng=0)
    stack = tuple(np.stack([W] * 5) * np.linspace(1.0, 1.4, 5)[:, None, None] for W in weights)
    options = {"eta": 0.05, "num_steps": 2000, "record_every": 500}

    def losses(limit):
        with threads.limited(limit):
            return dlnlab.gradient_descent(problem, stack, **options).losses

    assert (losses(count) == losses(1)).all()


def test_it_is_said_which_blas_there_is_and_for_which_processor():
    assert re.search(r"\d", threads.blas())
