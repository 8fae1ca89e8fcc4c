"""The validations say what they should, and each of them can fail."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
from dlnlab.validations import MODULES, Profile
from faults import FAULTS as SHARED
from hypothesis import strategies as st

from dlnlab import claims, validations
from dlnlab.claims import CLAIMS, Premise
from dlnlab.cli import main
from dlnlab.lab import cases, dynamics, search, suite
from dlnlab.lab.faults import MISSED, Fault
from dlnlab.lab.tally import Tally
from dlnlab.training import descent

BODY = ("<body>", "</body>")

MINI = Profile("mini", batch=24, examples=3, shrinks=4)
"""Enough to see every branch and find a fault; too little to say much about a claim."""

FAULTS = [
    *SHARED,
    *(
        fault
        for name in MODULES
        for fault in getattr(import_module(f"dlnlab.validations.{name}"), "FAULTS", ())
    ),
]
"""Faults of the library that several validations find, and those that a validation brings."""

FOUND: list[Fault] = []

EXPECTED = {name: CLAIMS[name].standing().status for name in MODULES}


@pytest.mark.parametrize("name", MODULES)
def test_without_a_fault_the_claims_stand(name):
    verdict = validations.validate(name, MINI, seed=1)
    assert verdict.claim == name
    assert verdict.status == EXPECTED[name], str(verdict)
    assert verdict.contradicted == (verdict.status == "refuted")
    assert not verdict.surprising
    assert verdict.instances > 0
    assert verdict.seconds > 0
    assert np.isfinite(verdict.margin)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f.claim}: {f.name}")
def test_a_fault_is_found(fault, monkeypatch):
    right = getattr(fault.where, fault.attribute)
    if fault.expected == "same start":  # without the fault no start breaks the premise
        outside = validations.validate(fault.claim, MINI, seed=1).witness
        assert "same start" not in outside.get("outside_the_premises", {}).get("unmet", {})
    monkeypatch.setattr(fault.where, fault.attribute, fault.make(right))
    with np.errstate(all="ignore"):  # a faulty run may overflow
        verdict = validations.validate(fault.claim, MINI, seed=1)
    if fault.expected in ("refuted", "not applicable"):
        assert verdict.status == fault.expected != EXPECTED[fault.claim], str(verdict)
        assert verdict.surprising == verdict.contradicted
    elif fault.expected == MISSED:
        assert verdict.known == "refuted"
        assert verdict.surprising
        assert verdict.standing == "refuted (not found again)"
    else:
        assert fault.expected in verdict.witness["outside_the_premises"]["unmet"]
    FOUND.append(fault)


@pytest.mark.parametrize("name", ["theorem1", "parsimony"])
def test_alpha_on_the_wrong_layers_is_found(name, monkeypatch):
    right = descent._prepare

    def swapped(*args):
        run = right(*args)
        outer, inner = run.rates[0], run.rates[1]
        run.rates = (inner, *[outer] * (len(run.rates) - 2), inner)
        return run

    monkeypatch.setattr(descent, "_prepare", swapped)
    assert validations.validate(name, MINI, seed=1).status == "refuted"


def test_there_are_faults_for_every_claim():
    """Run with ``-s`` to see the score."""
    print(f"\nfaults found: {len(FOUND)} of {len(FAULTS)} (of those tried in this run)")
    counts = {name: sum(fault.claim == name for fault in FAULTS) for name in MODULES}
    assert min(counts.values()) >= 2, counts
    assert sum(counts.values()) >= 25


def test_every_module_of_the_room_is_registered():
    folder = Path(validations.__file__).parent
    assert {path.stem for path in folder.glob("*.py")} - {"__init__"} == set(MODULES)
    for name in MODULES:
        assert callable(getattr(import_module(f"dlnlab.validations.{name}"), f"test_{name}"))
        assert validations.load(name).about is CLAIMS[name]


def test_the_same_seed_gives_the_same_verdict():
    first, again = (validations.validate("dominance", MINI, seed=3) for _ in range(2))
    assert (first.margin, first.error, first.witness) == (again.margin, again.error, again.witness)


def test_a_start_that_is_the_target_stays_there():
    identity = cases.Frame(2)
    case = cases.Case(identity, (1.0, 1.0), identity, 2, 1.0, 2, (identity, identity))
    ((pair, _),) = dynamics.observe("flows", [case], {})
    assert pair.original.errors.shape == pair.times.shape
    assert not pair.original.errors.any()


def test_a_witness_builds_the_instance_again():
    witness = validations.validate("eq13_any_start", MINI, seed=0).witness
    assert witness["margin"] < -witness["error"]
    assert set(witness) >= {"shape", "spectrum", "left", "right", "depth", "eps", "r_hat", "start"}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: validations.validate("theorem9"), "`name` must be one of lemma1"),
        (lambda: validations.validate("lemma1", "fast"), "`profile` must be one of"),
    ],
)
def test_unknown_names_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


# ---------------------------------------------------------------------- how verdicts add up

MET, NOT_MET = Premise("fine", "", 0.0), Premise("broken", "", -1.0)


def test_instances_outside_the_premises_neither_test_nor_refute():
    tally = Tally(CLAIMS["lemma1"])
    tally.add(-5.0, 0.1, [NOT_MET], {"n": 1})
    assert tally.verdict().status == "not applicable"
    tally.add(0.5, 0.1, [MET], {"n": 2})
    verdict = tally.verdict()
    assert (verdict.status, verdict.instances, verdict.witness["n"]) == ("proved", 1, 2)
    assert verdict.witness["outside_the_premises"]["worst_margin"] == -5.0


def test_one_violation_beyond_the_error_refutes():
    tally = Tally(CLAIMS["lemma1"])
    tally.add(-0.05, 0.1, [MET], {"n": 1}, count=10)
    assert tally.verdict().status == "proved"
    tally.add(-1e-3, 1e-4, [MET], {"n": 2})
    tally.add(0.1, 0.1, [MET], {"n": 3})
    verdict = tally.verdict()
    assert (verdict.status, verdict.instances, verdict.witness["n"]) == ("refuted", 12, 2)


@pytest.mark.parametrize(("margin", "error"), [(float("nan"), 0.0), (-1.0, float("inf"))])
def test_a_margin_that_was_not_measured_is_never_tested(margin, error):
    tally = Tally(CLAIMS["lemma1"])
    tally.add(1.0, 0.0, [MET], {})
    tally.add(margin, error, [MET], {})
    assert tally.verdict().status == "not applicable"


def test_a_tally_of_nothing_has_no_verdict():
    with pytest.raises(ValueError, match="no instance of lemma1"):
        Tally(CLAIMS["lemma1"]).verdict()


# ---------------------------------------------------------------------- dlnlab validate


@pytest.fixture
def small(monkeypatch):
    """Make the profile "ci" small."""
    monkeypatch.setitem(validations.PROFILES, "ci", MINI)


def test_lists_the_claims(capsys):
    assert main(["validate", "--list"]) == 0
    assert capsys.readouterr().out.split() == list(MODULES)


def test_a_table_and_strict_json(small, capsys, tmp_path):
    path = tmp_path / "verdicts.json"
    names = ["lemma1", "proposition1", "eq13_descent"]
    assert (
        main(["validate", *names, "--seed", "2", "--executor", "serial", "--json", str(path)]) == 0
    )
    out = capsys.readouterr().out
    assert [line.split()[0] for line in out.splitlines()[1:3]] == names[:2]
    assert "smallest witness: M* = diag(1, 0), L = 2, r̂ = 1" in out
    assert max(map(len, out.splitlines()[:-1])) <= 81  # with the accent of r̂, which takes no room
    content = json.loads(path.read_text("utf-8"), parse_constant=lambda name: pytest.fail(name))
    assert [v["claim"] for v in content["verdicts"]] == names
    assert [c["status"] for c in content["claims"]] == [v["status"] for v in content["verdicts"]]
    assert [v["contradicted"] for v in content["verdicts"]] == [False, False, True]
    keys = {"statement", "status", "margin", "instances", "premises", "witness", "seconds"}
    assert all(keys <= set(verdict) for verdict in content["verdicts"])
    assert content["manifest"]["seed"] == 2
    assert content["manifest"]["parameters"]["profile"] == "ci"


def test_a_refuted_claim_is_shown_and_fails(small, capsys, monkeypatch):
    right = claims.lemma1.margins
    monkeypatch.setattr(claims.lemma1, "margins", lambda A, B: -right(A, B))
    assert main(["validate", "lemma1", "--executor", "serial"]) == 1
    out = capsys.readouterr().out
    assert "REFUTED" in out
    assert "not known to be false: it is proved" in out
    assert "instance: shape" in out


def test_a_known_refutation_that_is_missed_is_told_and_fails(small, capsys, monkeypatch):
    right = claims.theorem2.margins
    monkeypatch.setattr(claims.theorem2, "margins", lambda *errors: 1 + abs(right(*errors)))
    assert main(["validate", "eq13_small_c_vec", "--executor", "serial"]) == 1
    out = capsys.readouterr().out
    assert "refuted (not" in out  # in a cell of two lines
    said = " ".join(out.split())
    assert "known to be false, but its witness was not found again" in said


def test_a_page_that_stands_alone(small, tmp_path, capsys):
    path = tmp_path / "verdicts.html"
    names = ["lemma1", "eq13_small_c_vec"]
    assert main(["validate", *names, "--executor", "serial", "--html", str(path)]) == 0
    text = path.read_text("utf-8")
    xml.etree.ElementTree.fromstring(text.partition("<body>")[2].partition("</body>")[0].join(BODY))
    assert "http" not in text.replace("http://www.w3.org", "").replace("https://www.w3.org", "")
    assert "<script" not in text
    assert text.count('src="data:image') == 2
    for part in ("Lemma 1", "refuted", "proofs/late_times.py", "margin in (", "--executor"):
        assert part in text


def test_an_interrupted_validation_resumes(small, tmp_path, capsys, monkeypatch):
    path = tmp_path / "tasks.jsonl"
    command = ["validate", "lemma1", "corollary1", "--executor", "serial", "--resume", str(path)]
    right = suite.Suite.carry_out

    def interrupted(suite, configuration):
        if suite.claim == "corollary1":
            raise KeyboardInterrupt
        return right(suite, configuration)

    monkeypatch.setattr(suite.Suite, "carry_out", interrupted)
    assert main(command) == 130
    kept = path.read_text("utf-8")
    assert kept.count('"claim": "lemma1", "part"') == 2
    monkeypatch.setattr(suite.Suite, "carry_out", right)
    assert main(command) == 0
    assert path.read_text("utf-8").startswith(kept)
    capsys.readouterr()
    assert main(["validate", "--executor", "serial", "lemma1", "corollary1"]) == 0
    fresh = capsys.readouterr().out
    assert main(command) == 0  # nothing left to compute
    assert without_times(capsys.readouterr().out) == without_times(fresh)


def test_a_time_box_covers_all_claims_in_turn_and_says_how_much(small, tmp_path, capsys):
    ledger, path = tmp_path / "tasks.jsonl", tmp_path / "verdicts.json"
    names = ["lemma1", "eq26", "eq13_small_c_vec"]
    command = ["validate", *names, "--executor", "serial", "--resume", str(ledger)]
    command += ["--json", str(path)]
    assert main([*command, "--minutes", "1e-9"]) == 1  # nothing but a first task
    content = json.loads(path.read_text("utf-8"))
    done = [part["done"] for parts in content["coverage"].values() for part in parts]
    assert 1 <= sum(n > 0 for n in done) < len(done)  # the executor keeps a task in reserve
    assert [verdict["claim"] for verdict in content["verdicts"]] == ["lemma1"]
    out = capsys.readouterr().out
    assert "Covered in" in out
    assert "Not tried: eq26, eq13_small_c_vec" in out
    assert main([*command, "--minutes", "10"]) == 0
    boxed = json.loads(path.read_text("utf-8"))
    assert all(p["done"] == p["planned"] for parts in boxed["coverage"].values() for p in parts)
    assert "between 100%" in capsys.readouterr().out
    assert main(command) == 0  # nothing left to compute, and the same verdicts
    whole = json.loads(path.read_text("utf-8"))
    assert whole["verdicts"] == boxed["verdicts"]


def test_tasks_in_turn_start_with_one_of_every_part():
    suites = {name: validations.load(name) for name in ("lemma1", "eq26")}
    size = Profile("p", 10_000, 10, 1)
    tasks = suite.planned(suites, size, 0, in_turn=True)
    parts = {(task["claim"], task["part"]) for task in tasks}
    assert {(task["claim"], task["part"]) for task in tasks[: len(parts)]} == parts
    plain = suite.planned(suites, size, 0, in_turn=False)
    assert sorted(map(str, tasks)) == sorted(map(str, plain))


def without_times(table: str) -> list[list[str]]:
    return [line.split()[:-2] for line in table.splitlines()]


def test_a_task_that_fails_is_a_failed_run(small, capsys, monkeypatch):
    monkeypatch.setattr(claims.lemma1, "margins", lambda A, B: 1 / 0)
    assert main(["validate", "lemma1", "--executor", "serial"]) == 1
    assert "measure failed for {'claim': 'lemma1'" in capsys.readouterr().err


def test_parts_add_up_to_the_same_verdict_wherever_they_run():
    names = ("lemma1", "eq13_any_start", "generally_c_vec_0")
    serial = {v.claim: v for v in validations.verdicts(names, MINI, 5, executor="serial")}
    spread = {v.claim: v for v in validations.verdicts(names, MINI, 5, executor="processes=2")}
    for name in names:
        again = dataclasses.replace(spread[name], seconds=serial[name].seconds)
        assert json.dumps(again.to_dict()) == json.dumps(serial[name].to_dict())
        alone = dataclasses.replace(validations.validate(name, MINI, 5), seconds=again.seconds)
        assert json.dumps(alone.to_dict()) == json.dumps(again.to_dict())


def test_a_climb_looks_at_no_more_examples_than_asked():
    seen = []

    def badness(example):
        seen.append(example)
        return float(example)

    search.climb(st.integers(0, 10**9), badness, examples=37, seed=1)
    assert len(seen) == 37
    assert max(seen) > 10**5  # it climbed


def test_a_network_that_lost_a_column_to_the_penalty_is_no_counterexample():
    """8σ_3³/(3√3) = 0.0994 < λ = 0.1: of three columns two are left, and the loss is not fitted."""
    from validations import fine_tuning_rate

    told = {"part": "pruned", "in_range": True, "shape": [6, 3], "seed": 261809736}
    told |= {"sigma": [1.0420422370257767, 0.6671762322970483, 0.4012130129636651]}
    margin, error, premises = fine_tuning_rate.judge(told | {"step": 0.5779277768277536})
    assert margin + error < -1
    assert {premise.name: premise.met for premise in premises} == {"r < d": True, "k = r": False}
    told["sigma"][-1] = 0.45  # 8σ_3³/(3√3) = 0.14
    margin, error, premises = fine_tuning_rate.judge(told | {"step": 0.5779277768277536})
    assert margin + error > 0
    assert all(premise.met for premise in premises)


def test_large_parts_are_split():
    part = suite.Part(lambda tally, task: None, share=0.5, most=1000)
    assert part.counts(Profile("p", 5001, 10, 1)) == [834, 833, 833]
    whole = suite.Part(lambda tally, task: None, most=None, search=True)
    assert whole.counts(Profile("p", 5001, 10_000, 1)) == [10_000]


def test_a_hunt_spends_its_time_on_what_is_not_known():
    """A tenth of the instances of what is proved, refuted, or follows from another claim."""
    parts = {"random": suite.Part(lambda tally, task: None)}
    known = {"lemma1": 10_000, "eq13_any_start": 10_000, "theorem2_refined": 10_000}
    for name, planned in (known | {"dominance": 100_000, "eq13_half_step": 100_000}).items():
        one = dataclasses.replace(suite.load(name), parts=parts)
        for profile, count in (("hunt", planned), ("dev", 2_400)):
            assert [attack["count"] for attack in one.attacks(profile)] == [count]
            tasks = one.tasks(suite.PROFILES[profile], seed=0)
            assert sum(task["count"] for task in tasks) == count


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["theorem9"], "must be one of lemma1, "),
        (["lemma1", "--seed", "-1"], "--seed must be an integer >= 0"),
        (["lemma1", "--minutes", "0"], "--minutes must be a finite number > 0"),
        (["lemma1", "--minutes", "5"], "--minutes must be given with --resume"),
        (["lemma1", "--html", "/nowhere/a.html"], "--html must be in an existing directory"),
        (["lemma1", "--executor", "cloud"], '--executor must be "serial", "processes"'),
        (["lemma1", "--resume", "/nowhere/a.jsonl"], "--resume must be a file in an existing"),
        (["lemma1", "--profile", "fast"], "argument --profile: invalid choice"),
        (["lemma1", "--json", "/nowhere/at/all.json"], "--json must be in an existing directory"),
    ],
)
def test_bad_usage_is_one_line(arguments, message, capsys):
    assert main(["validate", *arguments]) == 2
    err = capsys.readouterr().err
    assert err.startswith("dlnlab validate: error:")
    assert message in err
    assert err.count("\n") == 1


def test_competitors_of_a_projection_do_not_hang_on_rounding(monkeypatch):
    """Of the kernel of a singular covariance nothing is known, and no instance goes there."""
    from dlnlab import compression

    right, margins = compression.weighted_svd, []

    class Listed(Tally):
        def add(self, margin, error, *others, **options):
            margins[-1].append((float(margin), float(error)))

    attack = suite.load("weighted_projection")
    for shift in (0.0, 2.0**-46):

        def moved(W, rank, covariance, shift=shift):
            noise = np.random.default_rng(0).standard_normal(covariance.shape)
            S = np.eye(len(covariance)) + shift * noise
            return right(W, rank, S @ covariance @ S.T)

        monkeypatch.setattr(compression, "weighted_svd", moved)
        margins.append([])
        for task in attack.tasks(suite.PROFILES["ci"], seed=0):
            if task["part"] == "random":
                attack.carry_out(task, Listed(CLAIMS["weighted_projection"]))
    first, second = (np.array(each) for each in margins)
    assert first.shape == second.shape
    assert len(first) > 500
    allowed = 2.0**-46 / np.finfo(float).eps * (first[:, 1] + second[:, 1])
    assert (np.abs(first[:, 0] - second[:, 0]) <= allowed).all()
