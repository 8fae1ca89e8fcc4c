"""Who may write to a file: one of many threads, processes and machines."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from dlnlab.files import locks
from dlnlab.files.locks import Busy, Lock

fcntl = pytest.importorskip("fcntl", reason="the kernel's locks are those of POSIX")


@pytest.fixture
def hurried(monkeypatch):
    """Signs of life every tenth of a second."""
    monkeypatch.setattr(locks, "BEAT", 0.1)
    monkeypatch.setattr(locks, "PATIENCE", 0.6)
    monkeypatch.setattr(locks, "SETTLING", 0.3)


@pytest.fixture
def without_kernel(monkeypatch):
    """A file system that knows no locks, as some network file systems."""

    def refuse(descriptor, operation):
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)


def test_the_second_is_refused_until_the_first_is_done(tmp_path):
    path = tmp_path / "file"
    first = Lock("path", path, "run")
    with pytest.raises(Busy, match=rf"`path` .* in use by another run \(process {os.getpid()} on"):
        Lock("path", path, "run")
    first.release()
    Lock("path", path, "run").release()
    assert list(tmp_path.iterdir()) == []


def test_two_names_of_one_file_share_the_right(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    first = Lock("path", tmp_path / "file", "run")
    with pytest.raises(Busy):
        Lock("path", tmp_path / "link", "run")
    first.release()


def compete(path, count):
    """Let threads want one right at the same time; return who had it, and who was refused."""
    barrier, won, refused = threading.Barrier(count), [], []

    def want():
        barrier.wait()
        try:
            won.append(Lock("path", path, "run"))
        except Busy as error:
            refused.append(error)

    threads = [threading.Thread(target=want) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return won, refused


@pytest.mark.parametrize("stale", [False, True])
def test_of_many_threads_one_gets_it(tmp_path, stale):
    path = tmp_path / "file"
    for _ in range(20):
        if stale:
            record = {"machine": locks._machine(), "token": "gone"}
            locks.beside(path, "lock").write_text(json.dumps(record))
        won, refused = compete(path, 8)
        assert (len(won), len(refused)) == (1, 7)
        assert won[0].is_held()
        won[0].release()
        assert list(tmp_path.iterdir()) == []


HOLD = """
import sys, time
from dlnlab.files.locks import Lock
lock = Lock("path", sys.argv[1], "run")
print("held", flush=True)
time.sleep(60)
"""


def holder(path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_a_killed_process_leaves_the_right_to_the_next(tmp_path):
    path = tmp_path / "file"
    with holder(path) as process:
        with pytest.raises(Busy, match=f"process {process.pid} on"):
            Lock("path", path, "run")
        process.kill()
    assert [p.suffix for p in tmp_path.iterdir()] == [".dlnlab-lock"]
    started = time.monotonic()
    Lock("path", path, "run").release()
    assert time.monotonic() - started < locks.PATIENCE / 2  # the kernel knows: its owner is gone
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("hurried", "without_kernel")
def test_without_the_kernel_s_locks_the_record_decides(tmp_path):
    path = tmp_path / "file"
    first = Lock("path", path, "run")
    with pytest.raises(Busy, match="in use by another run"):
        Lock("path", path, "run")
    first.release()
    Lock("path", path, "run").release()
    for _ in range(3):
        won, refused = compete(path, 6)
        assert (len(won), len(refused)) == (1, 5)
        won[0].release()


def record_of_another_machine(path):
    where = locks.beside(path, "lock")
    where.write_text(json.dumps({"machine": "other 1", "host": "other", "process": 7}))
    return where


@pytest.mark.usefixtures("hurried")
def test_an_owner_on_another_machine_is_believed_while_it_stirs(tmp_path):
    """As where every machine has locks of its own: the kernel here sees none."""
    path = tmp_path / "file"
    where, stop = record_of_another_machine(path), threading.Event()

    def live():
        while not stop.wait(0.1):
            os.utime(where)

    thread = threading.Thread(target=live)
    thread.start()
    with pytest.raises(Busy, match=r"\(process 7 on other\)"):
        Lock("path", path, "run")
    stop.set()
    thread.join()
    Lock("path", path, "run").release()  # it stirs no more
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("hurried")
def test_an_owner_shows_signs_of_life(tmp_path):
    lock = Lock("path", tmp_path / "file", "run")
    where = locks.beside(tmp_path / "file", "lock")
    first, until = where.stat().st_mtime_ns, time.monotonic() + 60
    while where.stat().st_mtime_ns == first and time.monotonic() < until:
        time.sleep(0.02)
    assert where.stat().st_mtime_ns > first
    lock.release()


@pytest.mark.usefixtures("hurried")
def test_who_slept_has_not_seen_that_the_owner_is_gone(tmp_path, monkeypatch):
    """A machine that is asleep for an hour at its first look looks again."""
    path, clock, sleep = tmp_path / "file", time.monotonic, time.sleep
    where, asleep = record_of_another_machine(path), []

    def oversleep(seconds):
        sleep(seconds)
        asleep.append(seconds)
        if len(asleep) == 2:
            os.utime(where)

    monkeypatch.setattr(locks.time, "monotonic", lambda: clock() + 3600 * len(asleep))
    monkeypatch.setattr(locks.time, "sleep", oversleep)
    with pytest.raises(Busy, match=r"\(process 7 on other\)"):
        Lock("path", path, "run")


def test_who_has_lost_the_right_knows_and_leaves_the_new_owner_s_file(tmp_path):
    lock = Lock("path", tmp_path / "file", "run")
    where = locks.beside(tmp_path / "file", "lock")
    where.write_text(json.dumps({"token": "another"}))
    assert not lock.is_held()
    lock.release()
    assert where.exists()


def test_a_link_that_was_planted_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    locks.beside(tmp_path / "file", "lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        Lock("path", tmp_path / "file", "run")
    assert victim.read_text() == "precious"


FORK = """
import os, signal, sys, time
from dlnlab.files.locks import Lock
lock = Lock("path", sys.argv[1], "run")
child = os.fork()
if child == 0:
    os.close(1)
    lock.release()  # as a context would that the child leaves
    time.sleep(60)
    os._exit(0)
time.sleep(0.2)
print(child, lock.is_held(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_forked_child_neither_keeps_nor_gives_away_the_right(tmp_path):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, str(tmp_path / "file")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
        timeout=120,
    )
    child, held = done.stdout.split()
    try:
        assert held == "True"
        Lock("path", tmp_path / "file", "run").release()
    finally:
        os.kill(int(child), signal.SIGKILL)
