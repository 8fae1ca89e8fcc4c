"""`dlnlab prove` as its user meets it."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from dlnlab.proofs import lemma1
from dlnlab.proofs.facts import require_identity
from dlnlab.proofs.proof import Clause, Proof, symbolic

from dlnlab import proofs
from dlnlab.cli import main


def test_lists_the_proofs(capsys):
    assert main(["prove", "--list"]) == 0
    assert capsys.readouterr().out.split() == list(proofs.MODULES)


def test_a_single_proof_shows_its_steps(capsys):
    assert main(["prove", "lemma1"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("lemma1: PROVED")
    assert "✓  1." in out


def test_many_proofs_take_a_line_each_and_write_verdicts(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path("proofs.json")
    names = ["lemma1", "corollary1", "theorem2", "closed_form"]
    assert main(["prove", *names, "--json", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    told = [line.split()[:2] for line in lines if line and line[0] != " "]
    assert told[:4] == [[name, told[k][1]] for k, name in enumerate(names)]
    assert all(word.rstrip(",") == "proved" for _, word in told[:4])
    assert "arguments to read" in " ".join(lines)
    assert "Claims that rest on these proofs:" in lines
    assert lines[-1] == f"Wrote {path}"
    content = json.loads(path.read_text("utf-8"))
    assert [(p["proof"], p["status"]) for p in content["proofs"]] == [
        (name, "proved") for name in names
    ]
    assert ("theorem2_refined", "conditional") in {
        (claim["claim"], claim["status"]) for claim in content["claims"]
    }
    assert content["manifest"]["command"].startswith("dlnlab prove lemma1")
    assert content["not_carried_out"] == {}


def test_a_broken_proof_is_shown_and_fails(monkeypatch, capsys):
    step = symbolic("one is two", lambda: require_identity(1, 2, "1 − 2"))
    broken = Proof("lemma1", [Clause("nonsense", ("one is two",))], "nobody", [step])
    monkeypatch.setattr(lemma1, "build", lambda thorough=False: broken)
    assert main(["prove", "lemma1"]) == 1
    out = capsys.readouterr().out
    assert "lemma1: BROKEN" in out
    assert "1 − 2: expected 0, got: -1" in out


def test_a_check_that_crashes_has_failed(monkeypatch, capsys):
    """A failed check exits with 1 however it fails; 2 is for what was not even begun."""

    def crash():
        raise ValueError("cannot multiply")

    broken = Proof(
        "lemma1", [Clause("nonsense", ("a step",))], "nobody", [symbolic("a step", crash)]
    )
    monkeypatch.setattr(lemma1, "build", lambda thorough=False: broken)
    assert main(["prove", "lemma1"]) == 1
    assert "could not be carried out: ValueError: cannot multiply" in capsys.readouterr().out


def test_a_proof_whose_words_have_changed_is_not_proved(monkeypatch, capsys):
    changed = dataclasses.replace(lemma1.build(), source="nobody")
    monkeypatch.setattr(lemma1, "build", lambda thorough=False: changed)
    assert main(["prove", "lemma1"]) == 1
    assert "lemma1: UNREAD" in capsys.readouterr().out


def test_a_missing_package_is_named_and_is_no_success(monkeypatch, capsys):
    def needs_more(thorough=False):
        raise ImportError("pip install something")

    monkeypatch.setattr(lemma1, "build", needs_more)
    assert main(["prove", "lemma1"]) == 2
    assert "not carried out: pip install something" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["theorem9"], "must be one of lemma1, "),
        (["lemma1", "--json", "/nowhere/at/all.json"], "--json must be in an existing directory"),
    ],
)
def test_bad_usage_is_one_line(arguments, message, capsys):
    assert main(["prove", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("dlnlab prove: error:")
    assert message in err
    assert err.count("\n") == 1
