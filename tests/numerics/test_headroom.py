"""What the limits of a process leave to it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dlnlab.numerics import arrays, headroom

MIB = 2**20
NONE = "9223372036854771712"
"""How version 1 of control groups says that there is no limit."""


def group(path: Path, limit, used, cached, version):
    path.mkdir(parents=True, exist_ok=True)
    names = {1: ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")}
    most, usage, files = names.get(version, ("memory.max", "memory.current", "inactive_file"))
    (path / most).write_text(f"{limit}\n")
    (path / usage).write_text(f"{used}\n")
    (path / "memory.stat").write_text(f"anon 5\n{files} {cached}\n")


def system(tmp_path, version, path="/batch/job", root="/"):
    """A system that tells of one control group of memory, and where."""
    proc, point = tmp_path / "proc", tmp_path / "a mount"
    proc.mkdir()
    listed = {1: f"7:cpu:/other\n4:memory:{path}\n0::/\n", 2: f"0::{path}\n"}[version]
    kind = {1: "cgroup cgroup rw,memory", 2: "cgroup2 cgroup2 rw"}[version]
    (proc / "cgroup").write_text(listed)
    where = str(point).replace(" ", "\\040")
    (proc / "mountinfo").write_text(
        "31 23 0:28 / /sys rw,relatime - tmpfs tmpfs rw,mode=755\n"
        f"35 31 0:32 {root} {where} rw,relatime shared:3 - {kind}\n"
        "36 31 0:33 / /elsewhere rw - cgroup cgroup rw,devices\n"
    )
    return proc, point


@pytest.mark.parametrize("version", [1, 2])
def test_every_group_up_to_the_root_counts(tmp_path, version):
    proc, point = system(tmp_path, version)
    no_limit = NONE if version == 1 else "max"
    group(point / "batch" / "job", 100 * MIB, 70 * MIB, 10 * MIB, version)
    group(point / "batch", 120 * MIB, 110 * MIB, 0, version)
    group(point, no_limit, 500 * MIB, 0, version)
    assert min(headroom.limits(proc)) == 10 * MIB  # the batch system's, for all jobs
    group(point / "batch", no_limit, 110 * MIB, 0, version)
    assert min(headroom.limits(proc)) == 40 * MIB  # its own; copies of files make way


def test_a_container_sees_its_own_group_as_the_root(tmp_path):
    for number, (path, root) in enumerate(
        [("/", "/"), ("/../..", "/"), ("/docker/x", "/docker/x")]
    ):
        (tmp_path / str(number)).mkdir()
        proc, point = system(tmp_path / str(number), 2, path, root)
        group(point, 50 * MIB, 20 * MIB, 0, 2)
        assert list(headroom.limits(proc)) == [30 * MIB]


@pytest.mark.parametrize("content", ["", "nonsense\n", "1 2 3 - cgroup2\n", " - \n"])
def test_what_cannot_be_read_is_no_limit(tmp_path, content):
    (tmp_path / "cgroup").write_text("0::/\n")
    (tmp_path / "mountinfo").write_text(content)
    assert list(headroom.limits(tmp_path)) == []
    assert list(headroom.limits(tmp_path / "nowhere")) == []


LIMITED = """
import resource, sys
import numpy as np
import dlnlab
from dlnlab.numerics import arrays

problem = dlnlab.factorization(dlnlab.random_target((500, 500), 2, rng=0))
weights = dlnlab.original_weights((500, 500), 3, 0.1, rng=0)
with open("/proc/self/status") as lines:
    fields = dict(line.split(":", 1) for line in lines)
used = 1024 * int(fields[{"AS": "VmSize", "DATA": "VmData"}[sys.argv[1]]].split()[0])
limit = getattr(resource, "RLIMIT_" + sys.argv[1])
resource.setrlimit(limit, (used + 60 * 2**20,) * 2)
assert 50 * 2**20 < arrays.available_bytes() <= 60 * 2**20, arrays.available_bytes()

run = {"eta": 0.1, "record": ("loss",), "formulation": "full"}
dlnlab.gradient_descent(problem, weights, num_steps=2, **run)
attempts = [
    lambda: dlnlab.gradient_descent(
        problem, weights, num_steps=100, **(run | {"record": ("end_to_end",)})
    ),
    lambda: dlnlab.random_target((4000, 4000), 2, rng=0),
    lambda: dlnlab.original_weights((1500, 1500), 4, 0.1, rng=0),
    lambda: dlnlab.gaussian_ensemble(100, (400, 400), rng=0),
    lambda: dlnlab.random_mask((4000, 4000), 0.5, rng=0),
]
for attempt in attempts:
    try:
        attempt()
    except ValueError as error:
        assert "bytes are available" in str(error), error
    else:
        raise SystemExit("it was not refused")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits are told by Linux's /proc")
@pytest.mark.parametrize("limit", ["AS", "DATA"])
def test_limits_of_the_process_are_found_before_they_are_met(limit):
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, limit], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_no_more_than_a_limit_leaves_is_available(monkeypatch):
    monkeypatch.setattr(headroom, "limits", lambda: [5, 3, 8])
    assert arrays.available_bytes() == 3
    monkeypatch.setattr(headroom, "limits", lambda: [-5])
    assert arrays.available_bytes() == 0
