"""Outputs of commands: claimed before any work, and never at the cost of somebody's file."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from importlib import import_module

import numpy as np
import pytest

import dlnlab
from dlnlab import campaigns, cli, report
from dlnlab.commands import atlas, bench, compare, files, reproduce, validate
from dlnlab.experiments import EXPERIMENTS

SMALL = ["--shape", "6", "--rank", "2", "--eps", "0.1", "--rtol", "1e-6"]
TO_FILE = {
    "prove --json": ["prove", "lemma1", "--json"],
    "validate --json": ["validate", "lemma1", "--json"],
    "validate --html": ["validate", "lemma1", "--html"],
    "bench --json": ["bench", "wide-100", "--json"],
    "bench --html": ["bench", "wide-100", "--html"],
    "compare --diagnostics": ["compare", *SMALL, "--diagnostics"],
}
TO_FOLDER = {
    "compare --out": (["compare", *SMALL, "--out"], compare.FILES),
    "atlas --out": (["atlas", "--out"], atlas.FILES),
    "reproduce --out": (
        ["reproduce", "fig22", "--quick", "--out"],
        ("index.html", "fig22/fig22.png", "fig22/fig22.json", "fig22/fig22.jsonl"),
    ),
}
SUFFIX = {"prove --json": ".json", "compare --diagnostics": ".png"}


@pytest.fixture
def run(capsys):
    """Run a command line; return exit code and error stream."""

    def call(*arguments):
        code = cli.main([os.fspath(argument) for argument in arguments])
        return code, capsys.readouterr().err

    return call


@pytest.fixture
def idle(monkeypatch):
    """Fail if a command begins its work."""

    def refuse(*arguments, **options):
        raise AssertionError("the work was started")

    monkeypatch.setattr(dlnlab, "compare", refuse)
    monkeypatch.setattr(campaigns, "run", refuse)
    monkeypatch.setattr(import_module("dlnlab.proofs"), "build", refuse)
    monkeypatch.setattr(validate, "_carry_out", refuse)
    monkeypatch.setattr(bench, "_measure", refuse)
    monkeypatch.setattr(reproduce, "_carry_out", refuse)


def named(option, name="x"):
    return name + SUFFIX.get(option, ".json")


def refused(run, *arguments):
    code, err = run(*arguments)
    assert (code, err.count("\n")) == (2, 1), err
    assert err.startswith(f"dlnlab {arguments[0]}: error: ")
    return err


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("option", TO_FILE)
def test_a_file_that_cannot_be_written_is_found_before_the_work(run, tmp_path, option):
    name = named(option)
    (tmp_path / name).mkdir()
    assert "must be a file, got the directory" in refused(run, *TO_FILE[option], tmp_path / name)
    (tmp_path / "file").write_text("", encoding="utf-8")
    refused(run, *TO_FILE[option], tmp_path / "file" / name)
    if sys.platform == "linux":
        assert "cannot write to /proc" in refused(run, *TO_FILE[option], f"/proc/{name}")
    assert "File name too long" in refused(run, *TO_FILE[option], tmp_path / (300 * "a" + name))
    assert "must be a path that a file can have" in refused(run, *TO_FILE[option], "")


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("option", TO_FOLDER)
def test_a_folder_that_cannot_be_written_is_found_before_the_work(run, tmp_path, option):
    arguments, names = TO_FOLDER[option]
    if sys.platform == "linux":
        assert "cannot write to /proc" in refused(run, *arguments, "/proc")
        refused(run, *arguments, "/proc/new")
    (tmp_path / "file").write_text("", encoding="utf-8")
    refused(run, *arguments, tmp_path / "file")
    for name in names:
        folder = tmp_path / name.replace("/", "-")
        (folder / name).mkdir(parents=True)
        assert f"got the directory {folder / name}" in refused(run, *arguments, folder)
    refused(run, *arguments, tmp_path / "new" / "deeper" / (300 * "a"))
    assert not (tmp_path / "new").exists()


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("option", [*TO_FILE, *TO_FOLDER])
def test_a_link_to_somebodys_file_is_not_followed(run, tmp_path, option):
    (tmp_path / "precious").write_text("precious", encoding="utf-8")
    if option in TO_FILE:
        arguments, output = TO_FILE[option], tmp_path / named(option)
        link = output
    else:
        arguments, names = TO_FOLDER[option]
        output, link = tmp_path, tmp_path / names[-1]
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path / "precious")
    assert "must not write through a symbolic link" in refused(run, *arguments, output)
    assert (tmp_path / "precious").read_text(encoding="utf-8") == "precious"


@pytest.mark.usefixtures("idle")
@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="no devices that are files here")
def test_a_device_is_not_replaced(run):
    assert "got something else, /dev/null" in refused(run, "prove", "--json", "/dev/null")


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no users and modes on this system")
def test_a_read_only_folder_or_file_is_refused(tmp_path):
    """As another user than root, whom nothing is forbidden."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to become another user")
    modes = {"folder": (0o755, 0o666), "file": (0o777, 0o644), "neither": (0o777, 0o666)}
    for name, (folder_mode, file_mode) in modes.items():
        folder = tmp_path / name
        folder.mkdir()
        (folder / "x.json").write_text("", encoding="utf-8")
        (folder / "x.json").chmod(file_mode)
        folder.chmod(folder_mode)
    code = (
        "import os, sys; from pathlib import Path; from dlnlab.commands import files\n"
        "folders = [os.open(name, os.O_RDONLY) for name in sys.argv[1:]]; os.setuid(65534)\n"
        "for folder in folders:\n"
        "    os.fchdir(folder)\n"
        "    try: print(files.claim_folder('--out', Path('.'), ['x.json']))\n"
        "    except ValueError as error: print(error)\n"
    )
    command = [sys.executable, "-c", code, *(tmp_path / name for name in modes)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "cannot write to .: Permission denied",
        "--out must not replace x.json, which is read-only",
        "None",
    ]


@pytest.mark.usefixtures("idle")
def test_two_options_never_mean_one_file(run, tmp_path):
    path = tmp_path / "x"
    message = "must be different files"
    assert message in refused(run, "validate", "lemma1", "--json", path, "--html", path)
    assert message in refused(run, "validate", "lemma1", "--json", path, "--resume", path)
    assert message in refused(run, "atlas", "--out", tmp_path, "--resume", tmp_path / "atlas.csv")
    both = ["--out", tmp_path, "--diagnostics", tmp_path / "." / "comparison.png"]
    assert message in refused(run, "compare", *SMALL, *both)


UNDECODABLE = "\udcff.npy"
"""How Python writes a file name that is no text: the byte ff."""


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text on this system")
def test_names_that_are_no_text_work(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save(UNDECODABLE, np.asarray(dlnlab.random_target((6, 5), 2, rng=0)))
    options = ["--eps", "0.1", "--rtol", "1e-6", "--out", "\udcfe", "--diagnostics", "\udcfd.svg"]
    assert run("compare", UNDECODABLE, *options) == (0, "")
    told = json.loads((tmp_path / "\udcfe" / "manifest.json").read_text("utf-8"))
    assert told["parameters"]["target"] == UNDECODABLE
    assert "\udcfe" in told["command"]
    assert (tmp_path / "\udcfd.svg").is_file()
    assert run("prove", "lemma1", "--json", "\udcfc.json") == (0, "")
    assert json.loads((tmp_path / "\udcfc.json").read_text("utf-8"))["claims"]


def test_what_is_written_together_is_written_whole_or_not_at_all(tmp_path):
    (tmp_path / "a").write_text("old", encoding="utf-8")
    with contextlib.suppress(OSError), files.replacing(tmp_path) as folder:
        files.write(folder / "a", "new")
        raise OSError("full")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text(encoding="utf-8") == "old"
    (tmp_path / "b").mkdir()
    with contextlib.suppress(OSError), files.replacing(tmp_path) as folder:
        files.write(folder / "a", "new")
        files.write(folder / "b", "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    with files.replacing(tmp_path / "c" / "d") as folder:
        files.write(folder / "a", "new")
    assert (tmp_path / "c" / "d" / "a").read_text(encoding="utf-8") == "new"


BROKEN = {
    "not JSON": "{",
    "NaN": f'{{"name": "fig20", "format": {report.STUDY_FORMAT}, "title": NaN}}',
    "nested": "[" * 100_000,
    "a list": "[1, 2]",
    "somebody's": '{"name": "fig20", "shopping": ["milk"]}',
    "of another": f'{{"name": "fig22", "format": {report.STUDY_FORMAT}}}',
    "tampered": f'{{"name": "fig20", "format": {report.STUDY_FORMAT}, "title": 3}}',
    "no text": b"\xff\xfe",
}


@pytest.mark.usefixtures("idle")
@pytest.mark.parametrize("kind", BROKEN)
def test_a_foreign_result_is_found_before_the_runs_and_named(run, tmp_path, kind):
    path = tmp_path / "fig20" / "fig20.json"
    path.parent.mkdir()
    content = BROKEN[kind]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    err = refused(run, "reproduce", "fig22", "--quick", "--out", tmp_path)
    assert f"--out: {path}, or the manifest beside it, was not written by dlnlab reproduce" in err
    assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())


@pytest.mark.usefixtures("idle")
def test_an_older_result_is_no_fault(run, tmp_path, monkeypatch):
    path = tmp_path / "fig20" / "fig20.json"
    path.parent.mkdir()
    path.write_text(json.dumps({"name": "fig20", "format": report.STUDY_FORMAT - 1}), "utf-8")
    assert reproduce._held(tmp_path) == []


@pytest.mark.usefixtures("idle")
def test_wrong_data_are_found_before_the_runs(run, tmp_path):
    needy = next(name for name, e in EXPERIMENTS.items() if e.needed(quick=True))
    (tmp_path / "empty").mkdir()
    arguments = ["reproduce", needy, "--quick", "--out", tmp_path / "out", "--data"]
    err = refused(run, *arguments, tmp_path / "empty")
    assert "--data must be an archive, a folder with u.data, or that file" in err
    assert "--resume" not in err
    (tmp_path / "u.data").write_text("nothing", encoding="utf-8")
    assert "line 1 must be four whole numbers" in refused(run, *arguments, tmp_path / "u.data")
    assert not (tmp_path / "out").exists()


def test_a_ledger_of_reproduce_is_called_by_the_option_that_leads_to_it(run, tmp_path):
    path = tmp_path / "fig22" / "fig22.jsonl"
    path.parent.mkdir()
    path.write_text("my notes\n", encoding="utf-8")
    options = ["--quick", "--executor", "serial", "--out"]
    err = refused(run, "reproduce", "fig22", *options, tmp_path)
    assert "--out" in err
    assert str(path) in err
    assert path.read_text(encoding="utf-8") == "my notes\n"


STARTED = [sys.executable, "-m", "dlnlab", "compare", *SMALL]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_one_line(unbuffered):
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            STARTED, stdout=full, stderr=subprocess.PIPE, text=True, check=False, env=environment
        )
    assert done.returncode == 1
    assert done.stderr.endswith(": No space left on device\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="needs a shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-"])
def test_closed_streams_are_no_error(closed):
    command = f'"$@" {closed}'
    done = subprocess.run(
        ["sh", "-c", command, "sh", *STARTED], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_validate_leaves_nothing_in_the_users_folder(tmp_path):
    command = [sys.executable, "-m", "dlnlab", "validate", "lemma1", "--executor", "serial"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith("HYPOTHESIS")}
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, env=environment)
    assert list(tmp_path.iterdir()) == []
