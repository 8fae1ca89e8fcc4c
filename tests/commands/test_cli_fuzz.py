"""Whatever a user types ends in an exit code, and in one line if it is an error."""

from __future__ import annotations

import argparse
import random
from importlib import import_module

import pytest

import dlnlab
from dlnlab import campaigns, cli
from dlnlab.campaigns import executors
from dlnlab.commands import RunFailed, bench, explore, validate
from dlnlab.numerics import checks

VALUES = [
    "",
    "0",
    "-1",
    "1",
    "2",
    "3.5",
    "nan",
    "inf",
    "-inf",
    "1e-5",
    "0.5",
    "1e400",
    "9" * 20,
    "1e-320",
    "1e300",
]
VALUES += [
    "9" * 5000,
    "x",
    "ü",
    "\udcff",
    "a\0b",
    "../..",
    "/proc/x",
    "/dev/null",
    "-",
    "--",
    "1_0",
]
VALUES += ["１", " 3", "0x10", "None", "json:loads", "sys:exit", ":", "a:", "=", "processes=0"]
VALUES += [
    "processes=-1",
    "serial=3",
    "dask=",
    "builtins:input",
    "threading:Lock",
    "m.npy",
    "m.csv",
]

OPTIONS = {
    "compare": "--shape --rank --spectrum --seed --r-hat --width --t-end --normalization --method "
    "--max-steps --within --out --diagnostics --factored --depth --eps --x",
    "prove": "--json --list --steps --thorough --x",
    "validate": "--json --html --list --profile --seed --executor --resume --x",
    "attack": "--json --html --profile --instances --seed --executor --resume --x",
    "atlas": "--out --profile --seed --executor --resume --x",
    "bench": "--json --html --peer --device --threads --quick --profile --x",
    "explore": "--port --no-browser --x",  # --host would ask the network for names
    "reproduce": "--out --as --quick --seeds --data --executor --list --x",
}
BASE = {
    "compare": "--shape 5 --rank 2 --eps 0.1 --rtol 1e-4 --records 20 --max-steps 40",
    "prove": "lemma1",
    "validate": "lemma1",
    "attack": "mine.py --instances 1",
    "atlas": "--out atlas",
    "bench": "wide-100",
    "explore": "--no-browser --port 0",
    "reproduce": "fig22 --out results",
}


def lines(command):
    """Every option with every value, behind a line that is right; and some with several."""
    base, options = BASE[command].split(), OPTIONS[command].split()
    for option in options:
        yield from ([command, *base, option, value] for value in VALUES)
    draw = random.Random(command)
    for _ in range(60):
        line = [command, *draw.choice([base, []])]
        for _ in range(draw.randint(1, 3)):
            line += draw.sample([draw.choice(options), draw.choice(VALUES), *base[:1]], 2)
        yield line


def processes(workers=None):
    """Stand in for processes, whose start would take most of the time."""
    if workers is not None:
        checks.integer("workers", workers, 1)
    return executors.Serial()


@pytest.fixture(autouse=True)
def quick(monkeypatch, tmp_path):
    """End where long work would begin, which is not what is looked at here."""

    def stop(*arguments, **options):
        raise RunFailed("stopped")

    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(
        'import dlnlab\n\ntrue = dlnlab.conjecture("True.", about="start")(lambda at: 1.0)\n',
        "utf-8",
    )
    monkeypatch.setattr(import_module("dlnlab.commands.attack"), "_attack", stop)
    monkeypatch.setattr(campaigns, "run", stop)
    monkeypatch.setattr(import_module("dlnlab.proofs"), "build", stop)
    monkeypatch.setattr(validate, "_carry_out", stop)
    monkeypatch.setattr(bench, "_measure", stop)
    monkeypatch.setattr(bench, "_profile", stop)
    monkeypatch.setattr(executors, "Processes", processes)
    monkeypatch.setattr(explore.Server, "serve_forever", stop)
    monkeypatch.setattr("webbrowser.open", lambda address: True)
    true_compare = dlnlab.compare

    def compare(M, *arguments, **options):
        return stop() if max(M.shape) > 50 else true_compare(M, *arguments, **options)

    monkeypatch.setattr(dlnlab, "compare", compare)
    monkeypatch.setattr(import_module("dlnlab.commands.compare"), "_write", stop)
    monkeypatch.setattr(import_module("dlnlab.commands.compare"), "_write_diagnostics", stop)
    monkeypatch.setenv(cli.TRACEBACK, "1")  # a defect is not told, it is raised


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("command", OPTIONS)
def test_every_command_line_ends_in_a_code_and_at_most_one_line(capsys, command):
    codes = set()
    for line in lines(command):
        try:
            code = cli.main(line)
        except Exception as error:
            error.add_note(f"the command line was {line}")
            raise
        err = capsys.readouterr().err
        assert code in (0, 1, 2), line
        assert err.count("\n") in ([1] if code == 2 else [0, 1]), (line, err)
        assert len(err) < 700
        codes.add(code)
    assert codes > {2}  # not all of them end at the first check


def numeric_options():
    """Every option of every command that takes numbers, found by what it makes of one."""
    commands = cli._parser()._subparsers._group_actions[0].choices
    for command, parser in commands.items():
        for action in parser._actions:
            if action.type is not None and action.option_strings:
                try:
                    found = action.type("3")
                except (ValueError, argparse.ArgumentTypeError):
                    continue
                if isinstance(found, int | float):
                    yield command, action.option_strings[0]


@pytest.mark.parametrize("text", ["1_0", "１０", "٣", "0.1_5", "1e1_0"])
@pytest.mark.parametrize(("command", "option"), list(numeric_options()))
def test_numbers_are_typed_as_other_programs_read_them(capsys, command, option, text):
    assert cli.main([command, option, text]) == 2
    told = capsys.readouterr().err
    assert f"argument {option}: " in told
    assert f"'{text}'" in told


def test_the_options_that_take_numbers_are_found():
    found = set(numeric_options())
    assert {("compare", "--eps"), ("compare", "--rank"), ("validate", "--minutes")} <= found
    assert len(found) >= 15


def test_a_defect_would_be_seen(monkeypatch):
    monkeypatch.setattr(dlnlab, "random_target", lambda *arguments, **options: None)
    with pytest.raises(AttributeError):
        cli.main(["compare"])


def test_a_long_value_is_not_told_in_full(capsys):
    assert cli.main(["compare", "--depth", "9" * 5000]) == 2
    err = capsys.readouterr().err
    assert len(err) < 700
    assert err.startswith("dlnlab compare: error: argument --depth: invalid integer value: '999")


@pytest.mark.parametrize("command", OPTIONS)
def test_messages_name_options_that_the_command_has(command):
    parser = cli._parser()
    commands = parser._subparsers._group_actions[0].choices
    flags = commands[command].get_default("flags")
    usage = commands[command].format_help()
    assert flags
    assert all(flag in usage for flag in flags.values())
