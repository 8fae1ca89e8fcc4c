"""The command line: what it prints, writes and refuses, and how it ends."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import json
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

import dlnlab
from dlnlab import cli, flow, plotting
from dlnlab.commands import RunFailed, compare, files

SMALL = ["compare", "--shape", "12", "--rank", "2", "--eps", "0.1", "--rtol", "1e-8"]
SMALL += ["--records", "60"]
FILES = [
    "comparison.json",
    "comparison.npz",
    "comparison.pdf",
    "comparison.png",
    "manifest.json",
]


@pytest.fixture
def run(capsys):
    """Run a command line; return exit code, output and error stream."""

    def call(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return call


@pytest.fixture
def idle(monkeypatch):
    """Fail if a comparison is run."""

    def refuse(*arguments, **options):
        raise AssertionError("a comparison was started")

    monkeypatch.setattr(dlnlab, "compare", refuse)


@pytest.fixture
def sketch(monkeypatch):
    """Draw one panel instead of four; drawing takes most of the time of a small run."""

    def errors_only(c):
        return plotting.errors(c, Figure().subplots()).figure

    monkeypatch.setattr(plotting, "comparison", errors_only)


@pytest.fixture
def matrix():
    return np.asarray(dlnlab.random_target((6, 5), 2, rng=0))


def words(text):
    return " ".join(text.split())


def assert_one_line(err, message):
    assert err.count("\n") == 1
    assert err.startswith("dlnlab compare: error: ")
    assert message in err


def test_bare_command_prints_help(run):
    code, out, err = run()
    assert (code, err) == (0, "")
    assert out.startswith("usage: dlnlab")
    assert "compare" in out


def test_version(run):
    assert run("--version") == (0, f"dlnlab {dlnlab.__version__}\n", "")


def test_help_says_symbols_defaults_examples_and_exit_codes(run):
    code, out, _ = run("compare", "--help")
    assert code == 0
    text = words(out)
    for part in ("ε", "r̂", "layers L (default: 3)", "(default: 0.01)", "examples:", "exit codes:"):
        assert part in text
    assert "130 interrupted" in text
    options = re.findall(r"^  (--[a-z-]+)", out, re.MULTILINE)
    assert len(options) == len(set(options)) >= 16


def test_defaults_are_those_of_python(monkeypatch, run):
    given = {}

    def note(M, r_hat, **options):
        given.update(options, r_hat=r_hat, shape=M.shape)
        raise RunFailed("noted")

    monkeypatch.setattr(dlnlab, "compare", note)
    run("compare")
    assert given.pop("shape") == (100, 100)
    assert given.pop("r_hat") == 20
    assert given.pop("announce") is not None  # says what long work will take
    parameters = inspect.signature(flow.compare).parameters
    assert given == {name: parameters[name].default for name in given}
    assert set(given) == set(parameters) - {"M", "r_hat", "weights", "announce"}


def test_compare_prints_the_summary_of_the_same_run_in_python(run):
    code, out, err = run(*SMALL, "--seed", "4", "--r-hat", "3")
    M = dlnlab.random_target((12, 12), 2, rng=4)
    c = dlnlab.compare(M, 3, eps=0.1, rtol=1e-8, num_records=60, rng=4)
    assert (code, err) == (0, "")
    assert out.splitlines()[:-1] == c.summary().splitlines()[:-1]  # the last says the run time


@pytest.mark.parametrize(
    ("options", "head"),
    [
        ((), "12 × 12 target of rank 2: r̂ = 4,"),
        (("--shape", "6", "9", "--rank", "4"), "6 × 9 target of rank 4: r̂ = 6,"),
        (("--rank", "1", "--r-hat", "7"), "12 × 12 target of rank 1: r̂ = 7,"),
        (("--factored", "--shape", "300"), "300 × 300 target of rank 2: r̂ = 4,"),
        (("--depth", "2", "--width", "14"), "12 × 12 target of rank 2: r̂ = 4, L = 2,"),
        (("--width", "13", "14"), "12 × 12 target of rank 2: r̂ = 4, L = 3,"),
    ],
)
def test_generated_targets(run, options, head):
    code, out, _ = run(*SMALL, *options)
    assert out.startswith(head)
    assert code == 0


def test_spectrum_sets_the_rank_too(run):
    rank = SMALL.index("--rank")
    options = SMALL[:rank] + SMALL[rank + 2 :]
    _, out, _ = run(*options, "--spectrum", "2", "1.5")
    assert "of rank 2: r̂ = 4" in out
    assert [line.split()[1] for line in out.splitlines()[3:5]] == ["2", "1.5"]


def test_default_rank_fits_a_small_shape(run):
    _, out, _ = run("compare", "--shape", "2", "--eps", "0.3", "--rtol", "1e-6", "--t-end", "1")
    assert out.startswith("2 × 2 target of rank 2: r̂ = 2,")


@pytest.mark.parametrize("suffix", [".npy", ".csv"])
def test_target_files(run, tmp_path, matrix, suffix):
    path = tmp_path / f"m{suffix}"
    if suffix == ".npy":
        np.save(path, matrix)
    else:
        np.savetxt(path, matrix, delimiter=",", fmt="%.17g")
    code, out, err = run("compare", path, "--eps", "0.1", "--rtol", "1e-8")
    assert (code, err) == (0, "")
    assert out.startswith(f"Read 6 × 5 from m{suffix}.\n6 × 5 target of rank 2: r̂ = 2,")


def test_out_writes_five_files_and_says_so(run, tmp_path):
    directory = tmp_path / "new" / "results"
    code, out, err = run(*SMALL, "--out", directory)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"Wrote to {directory}: {', '.join(FILES)}"
    assert sorted(path.name for path in directory.iterdir()) == FILES
    with np.load(directory / "comparison.npz", allow_pickle=False) as stored:
        assert stored["original_errors"].shape == stored["times"].shape
    outcome = json.loads((directory / "comparison.json").read_text(encoding="utf-8"))
    assert {v["claim"] for v in outcome["verdicts"]} >= {"theorem2", "dominance"}
    entry = json.loads((directory / "manifest.json").read_text(encoding="utf-8"))
    assert entry["command"] == f"dlnlab {' '.join(SMALL)} --out {directory}"
    assert entry["seed"] == 0
    assert entry["parameters"]["target"] == "generated"
    assert (directory / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert (directory / "comparison.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.usefixtures("sketch")
def test_manifest_of_a_file_holds_its_hash(run, tmp_path, matrix):
    path = tmp_path / "m.npy"
    np.save(path, matrix)
    run("compare", path, "--eps", "0.1", "--rtol", "1e-8", "--out", tmp_path, "--quiet")
    parameters = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))["parameters"]
    assert parameters["target"] == str(path)
    assert parameters["target_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()


def test_quiet_prints_nothing(run):
    assert run(*SMALL, "--quiet", "--progress") == (0, "", "")


def test_progress_is_one_line_that_wipes_itself(run):
    _, out, err = run(*SMALL, "--progress")
    assert "target of rank" in out
    assert err.startswith("\rintegrating: 0.0 of 2 modes, loss ")
    assert err.endswith(" \r")
    assert "\n" not in err


def test_progress_ends_at_one_hundred_percent_and_not_before(capsys):
    line = compare._ProgressLine()
    for done, total in ((1.0, 4.0), (4.0, 4.001), (5.0, 5.0)):
        line(done, total, 0.25)
    line.clear()
    shown = [part.rstrip() for part in capsys.readouterr().err.split("\r")]
    pairs = (
        ("1.0 of 4 modes", " 25"),
        ("4.0 of 4.001 modes", " 99"),
        ("5.0 of 5 modes", "100"),
    )
    assert shown[1:4] == [f"integrating: {t}, loss 2.50e-01, {p} %" for t, p in pairs]
    assert shown[4:] == ["", ""]


def test_progress_is_off_where_nobody_looks(run):
    assert run(*SMALL)[2] == ""


def test_progress_is_on_at_a_terminal(run, monkeypatch):
    monkeypatch.setattr(compare.sys.stderr, "isatty", lambda: True, raising=False)
    assert "integrating" in run(*SMALL)[2]
    assert run(*SMALL, "--no-progress")[2] == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--eps", "0"], "--eps must be a finite number > 0, got 0.0"),
        (["--eps", "nan"], "--eps must be a finite number > 0, got nan"),
        (["--depth", "1"], "--depth must be an integer >= 2, got 1"),
        (["--r-hat", "13"], "--r-hat must be an integer between 1 and 12, got 13"),
        (["--rank", "13"], "--rank must be an integer between 1 and 12, got 13"),
        (["--shape", "0"], "--shape must be an integer >= 1, got 0"),
        (["--shape", "1", "2", "3"], "--shape must be one or two numbers, got 3"),
        (["--seed", "-1"], "--seed must be an integer >= 0, got -1"),
        (["--records", "2"], "--records must be an integer >= 10, got 2"),
        (["--t-end", "-3"], "--t-end must be a finite number > 0, got -3.0"),
        (["--within", "1"], "--within must be a finite number > 0 and < 1, got 1.0"),
        (["--rtol", "inf"], "--rtol must be a finite number > 0, got inf"),
        (["--spectrum", "1", "2"], "--spectrum must be 2 finite numbers > 0 in decreasing order"),
        (["--spectrum", "1"], "--spectrum must be 2 finite numbers > 0 in decreasing order"),
        (["--width", "0"], "--width"),
        (["--max-steps", "0"], "--max-steps must be an integer >= 1, got 0"),
        (["--shape", "4000000"], "use a smaller problem, or --factored"),
        (["--bogus"], "unrecognized arguments: --bogus; see dlnlab compare --help"),
        (["--depth", "x"], "argument --depth: invalid integer value: 'x'"),
        (["--method", "euler"], "argument --method: invalid choice: 'euler'"),
        (["a.npy"], "--shape: only for a generated target, not with a TARGET file"),
        (["--rank", "auto"], "--rank must be a number for a generated target, got auto"),
    ],
)
def test_bad_options_end_in_one_line(run, options, message):
    code, out, err = run(*SMALL, *options)
    assert (code, out) == (2, "")
    assert_one_line(err, message)


def test_unknown_command(run):
    code, _, err = run("compute")
    assert code == 2
    assert err.startswith("dlnlab: error: argument COMMAND: invalid choice: 'compute'")


@pytest.mark.usefixtures("idle")
def test_unwritable_directory_is_refused_before_running(run, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    code, _, err = run(*SMALL, "--out", tmp_path / "file")
    assert code == 2
    assert_one_line(err, f"cannot write to {tmp_path / 'file'}: File exists")
    code, _, err = run(*SMALL, "--out", tmp_path / "file" / "below")
    assert code == 2
    assert_one_line(err, "Not a directory")


def test_diagnostics_are_drawn_into_one_file(run, tmp_path):
    path = tmp_path / "new" / "learning.svg"
    code, out, err = run(*SMALL, "--diagnostics", path)
    assert (code, err) == (0, "")
    assert out.splitlines()[-1] == f"Wrote {path}"
    assert [p.name for p in path.parent.iterdir()] == ["learning.svg"]
    assert path.read_bytes().startswith(b"<?xml")


@pytest.mark.usefixtures("idle")
def test_diagnostics_of_another_kind_are_refused_before_running(run, tmp_path):
    (tmp_path / "folder.png").mkdir()
    messages = {
        "learning.txt": "--diagnostics must end in .png, .pdf, .svg, got ",
        "learning": "--diagnostics must end in",
        "folder.png": "--diagnostics must be a file, got the directory ",
    }
    for name, message in messages.items():
        code, out, err = run(*SMALL, "--diagnostics", tmp_path / name)
        assert (code, out) == (2, "")
        assert_one_line(err, message)


def test_refuted_claim_is_exit_code_one(run, monkeypatch):
    true_compare = dlnlab.compare

    def refuting(*arguments, **options):
        c = true_compare(*arguments, **options)
        verdict = dataclasses.replace(c.verdicts["dominance"], status="refuted")
        return dataclasses.replace(c, verdicts=c.verdicts | {"dominance": verdict})

    monkeypatch.setattr(dlnlab, "compare", refuting)
    code, out, err = run(*SMALL)
    assert (code, err) == (1, "")
    assert re.search("Dominance +REFUTED", out)


@pytest.mark.usefixtures("sketch")
def test_run_that_does_not_end_is_exit_code_one(run, tmp_path):
    code, out, err = run(*SMALL, "--max-steps", "20", "--out", tmp_path)
    assert code == 1
    assert "Ended at t = " in out
    assert_one_line(err, "the run did not end: --max-steps was spent before t_end")
    assert sorted(path.name for path in tmp_path.iterdir()) == FILES


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (MemoryError(), 1, "the run failed: out of memory"),
        (np.linalg.LinAlgError("SVD did not converge"), 1, "the run failed: SVD did not converge"),
        (RunFailed("no `eps`"), 1, "no --eps"),
        (ModuleNotFoundError("install\nsomething"), 2, "install something"),
        (OSError("disk full"), 2, "disk full"),
    ],
)
def test_errors_within_a_run(run, monkeypatch, error, code, message):
    def fail(*arguments, **options):
        raise error

    monkeypatch.setattr(dlnlab, "compare", fail)
    result, out, err = run(*SMALL)
    assert (result, out) == (code, "")
    assert_one_line(err, message)


def test_a_defect_is_told_in_one_line_and_keeps_its_traceback_for_who_asks(run, monkeypatch):
    def fail(*arguments, **options):
        raise TypeError("'NoneType' object is not callable")

    monkeypatch.setattr(dlnlab, "compare", fail)
    code, out, err = run(*SMALL)
    assert (code, out) == (1, "")
    assert_one_line(err, "a defect of dlnlab, please report it: TypeError: 'NoneType' object")
    monkeypatch.setenv(cli.TRACEBACK, "1")
    with pytest.raises(TypeError, match="NoneType"):
        cli.main(SMALL)


@pytest.mark.usefixtures("sketch")
def test_interruption_while_writing_leaves_nothing(run, monkeypatch, tmp_path):
    def interrupt(path, content):
        assert len(list(path.parent.iterdir())) == 3  # figures and arrays are there already
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "write_json", interrupt)
    code, out, err = run(*SMALL, "--out", tmp_path)
    assert (code, err) == (130, "interrupted\n")
    assert "Wrote" not in out
    assert list(tmp_path.iterdir()) == []


def test_light_start():
    """Nothing slow is imported before it is needed."""
    code = (
        "import sys, dlnlab.cli; dlnlab.cli.main(['compare', '--help']); "
        "print({'matplotlib', 'sympy', 'hypothesis', 'xarray'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("set()\n")


def dlnlab_process(*arguments, **options):
    command = [sys.executable, "-m", "dlnlab", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


def test_process_runs():
    done = dlnlab_process(*SMALL, env=os.environ | {"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("12 x 12 target of rank 2: r_hat = 4")  # no Greek, no crash


def test_process_with_a_bad_file(tmp_path):
    done = dlnlab_process("compare", tmp_path / "none.npy")
    assert (done.returncode, done.stdout) == (2, "")
    expected = f"dlnlab compare: error: {tmp_path / 'none.npy'}: No such file or directory\n"
    assert done.stderr == expected


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for other processes")
def test_ctrl_c_ends_a_long_run_with_what_it_covered(tmp_path):
    # A test run in the background ignores SIGINT, and so would its children: restore it.
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from dlnlab import cli; sys.exit(cli.main(sys.argv[1:]))"
    )
    options = ["compare", "--shape", "60", "--rank", "20", "--eps", "1e-5", "--depth", "4"]
    options += ["--progress", "--out", str(tmp_path / "out")]
    with subprocess.Popen(
        [sys.executable, "-c", code, *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
    ) as process:
        assert process.stderr is not None
        shown = b""
        while b"integrating" not in shown and process.poll() is None:
            shown += process.stderr.read(1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "60 × 60 target of rank 20" in out.decode()
    assert "the run was interrupted" in " ".join(out.decode().split())  # what was covered
    assert (shown + err).replace(b"\r", b"\n").endswith(b"\ninterrupted\n")
    assert b"Traceback" not in err
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="pipes close differently on Windows")
def test_closed_pipe_is_no_error():
    command = [sys.executable, "-m", "dlnlab", *SMALL]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["compre"], "compare"),
        (["compare", "--dept", "--dpth=3"], None),
        (["compare", "--dpeth", "3"], "--depth"),
        (["compare", "--methd=auto"], "--method"),
        (["compare", "--method", "DOP835"], "DOP853"),
        (["prove", "lema1"], "lemma1"),
        (["compare", "--zzz"], None),
    ],
)
def test_a_slip_of_the_pen_is_answered_with_what_is_close(run, arguments, near):
    code, out, err = run(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert ("did you mean" in err) == (near is not None)
    assert near is None or f"did you mean {near}?" in err


def test_shells_complete_commands_and_options(run, monkeypatch):
    pytest.importorskip("shtab")
    for shell in ("bash", "zsh", "tcsh"):
        code, out, err = run("--print-completion", shell)
        assert (code, err) == (0, "")
        assert "compare" in out
        assert "--depth" in out or "depth" in out
    monkeypatch.setitem(sys.modules, "shtab", None)
    code, out, err = run("--print-completion", "bash")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "pip install 'dlnlab[shell]'" in err


def test_a_terminal_of_ascii_keeps_the_marks_apart():
    environment = os.environ | {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "dlnlab", "prove", "lemma1"],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert any(line.startswith("+  1. ") for line in lines)
    assert any(line.startswith(".  2. ") for line in lines)
