"""Conjectures of one's own: what is false is refuted, what is true is not, no error is silent."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import dlnlab
from dlnlab.cli import main
from dlnlab.flow import two_runs
from dlnlab.lab import confirm, shrink
from dlnlab.lab.cases import Case
from dlnlab.lab.dynamics import DescentCase


@dlnlab.conjecture("No singular value of the original network exceeds the compressed one's.")
def dominance(pair):
    few = pair.case.r_hat
    return (pair.compressed.singular_values - pair.original.singular_values)[:, :few]


@dlnlab.conjecture("Eq. (13) holds.")
def eq13(pair):
    return pair.original.errors**2 - pair.compressed.errors**2


@dlnlab.conjecture("The wide network's nuclear norm never exceeds the compressed one's.")
def nuclear(pair):
    return pair.compressed.singular_values.sum(-1) - pair.original.singular_values.sum(-1)


@dlnlab.conjecture("The loss falls at every step below the stability limit.", about="descent")
def falls(pair):
    return -np.diff(pair.original.losses)


@dlnlab.conjecture("The sums of the k leading singular values of every layer stay below.")
def sums(pair):
    def leading(run):
        values = np.stack([np.linalg.svdvals(W)[:, : pair.case.r_hat] for W in run.layers])
        return np.cumsum(values, axis=-1)

    gaps = leading(pair.compressed) - leading(pair.original)
    return np.moveaxis(gaps, 1, 0)


def test_dominance_is_not_refuted():
    verdict = dominance.attack(instances=48, seed=1)
    assert (verdict.status, verdict.instances, verdict.confirmation) == ("conjecture", 48, None)
    assert abs(verdict.margin) <= verdict.error < 1e-7


def test_sums_over_layers_are_not_refuted():
    assert sums.attack(instances=32, seed=1, shapes=[(3, 3)]).status == "conjecture"


def test_eq13_for_full_width_is_refuted_by_two_dimensions():
    verdict = eq13.attack(instances=500, seed=0, r_hat="full")
    case = verdict.instance()
    assert verdict.status == "refuted"
    assert (case.shape, case.depth, case.rank, case.r_hat) == ((2, 2), 2, 1, 2)
    assert verdict.margin < -100 * verdict.error
    assert verdict.confirmation.margin == pytest.approx(verdict.margin, abs=verdict.error)
    compared = case.compare(t_end=2 * verdict.time)
    assert np.min(compared.margin + compared.margin_error) < 0


def test_the_nuclear_norm_needs_as_many_directions():
    verdict = nuclear.attack(instances=100, seed=0)
    assert verdict.status == "refuted"
    assert verdict.instance().r_hat < min(verdict.instance().shape)
    assert nuclear.attack(instances=32, seed=0, r_hat="full", depths=2).status == "conjecture"


def test_descent_from_above_the_target_is_refuted_with_many_digits():
    verdict = falls.attack(instances=400, seed=0, depths=2, shapes=[(1, 1), (2, 2)])
    case = verdict.instance()
    assert verdict.status == "refuted"
    assert isinstance(case, DescentCase)
    assert case.shape == (1, 1)
    # the scalar recursion, by hand
    x, (s,) = case.eps, case.spectrum
    losses = [0.5 * (x**2 - s) ** 2]
    for _ in range(round(verdict.time / case.eta)):
        x -= case.eta * (x**2 - s) * x
        losses.append(0.5 * (x**2 - s) ** 2)
    assert losses[-1] - losses[-2] == pytest.approx(-verdict.margin)


PLANTED = {
    "close": lambda at: (
        at.targets.size > 1 and at.targets[1] / at.targets[0] > 0.95 and at.case.depth >= 4
    ),
    "negative": lambda at: (
        np.linalg.det(at.case.target) * np.linalg.det(at.original.end_to_end[0]) < 0
    ),
    "d >= 4": lambda at: min(at.case.shape) >= 4,
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_falsehood_is_found(name):
    """The corner is all that is false, and it is what the smallest instance is in."""
    corner = PLANTED[name]

    @dlnlab.conjecture("Never in the corner.", about="start")
    def never(at):
        square = at.case.shape[0] == at.case.shape[1]
        return -1.0 if (square or name != "negative") and corner(at) else 1.0

    for seed in range(3):
        verdict = never.attack(instances=2000, seed=seed)
        assert verdict.status == "refuted"
        assert verdict.instances <= 2000
        assert verdict.instance().depth == (4 if name == "close" else 2)


def test_equality_is_no_counterexample():
    """Every margin is zero but for rounding, which has both signs."""

    @dlnlab.conjecture("All singular values start at eps^L.", about="start")
    def start(at):
        return at.original.singular_values - at.case.eps**at.case.depth

    verdict = start.attack(instances=1_000, seed=2)
    assert (verdict.status, verdict.instances) == ("conjecture", 1_000)
    assert verdict.margin < 0


def test_what_is_asked_about_is_compared_by_its_letters():
    about = "".join(["des", "cent"])  # not the one object that the compiler makes of a literal
    assert dlnlab.conjecture("s", about=about, eta=0.5)(lambda at: 1.0)


def test_premises_decide_what_counts():
    def small(pair):
        """ε^L ≤ σ_r*"""
        return pair.targets[-1] - pair.case.eps**pair.case.depth

    @dlnlab.conjecture("ε^L is below σ_r*.", about="start", premises=[small])
    def true(at):
        return at.targets[-1] - at.residual[0]

    verdict = true.attack(instances=64)
    assert verdict.status == "conjecture"
    assert verdict.outside > 0
    assert verdict.unmet == {"small": verdict.outside}
    none = true.attack(instances=16, eps=3.0)
    assert (none.status, none.outside) == ("not applicable", 16)


def failing(change):
    @dlnlab.conjecture("Something.", about="start")
    def function(at):
        return change(at)

    return function


def change_target(at):
    at.original.end_to_end[0, 0, 0] = 7.0
    return 1.0


def change_attribute(at):
    at.original.errors = 0.0
    return 1.0


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda at: 1 / 0, "ZeroDivisionError: division by zero"),
        (lambda at: at.original.errors[0] > 0, "returned a boolean, must return a margin"),
        (lambda at: None, "must return a real number"),
        (lambda at: np.zeros(7), r"first axis has the 1 records \(or the 0 differences"),
        (lambda at: "text", "must return a real number"),
        (change_target, "read-only"),
        (change_attribute, "read-only"),
    ],
    ids=["raises", "boolean", "None", "shape", "text", "array changed", "attribute changed"],
)
def test_errors_are_told_with_their_instance(change, told):
    with pytest.raises(dlnlab.ConjectureError, match=told) as caught:
        failing(change).attack(instances=40)
    assert "instance: " in str(caught.value)
    assert "σ* = (1" in str(caught.value)
    assert caught.value.verdict.failed > 0


def test_what_was_found_is_not_lost_to_a_failure():
    def sometimes(at):
        if at.case.depth == 3:
            raise ValueError("three layers")
        return at.case.depth - 4.5

    verdict = failing(sometimes).attack(instances=300)
    assert verdict.status == "refuted"
    assert verdict.failed > 0
    assert "ValueError: three layers" in str(verdict)
    assert verdict.instance().depth == 2


def test_a_margin_that_is_not_finite_is_not_measured():
    verdict = failing(lambda at: np.nan).attack(instances=20)
    assert (verdict.status, verdict.unmeasured) == ("not measured", 20)
    with pytest.raises(ValueError, match="no instance was measured"):
        verdict.instance()
    some = failing(lambda at: np.nan if at.case.depth > 2 else 1.0).attack(instances=64)
    assert some.status == "conjecture"
    assert some.unmeasured > 0


def test_workers_and_interruptions_change_nothing(tmp_path):
    options = {"instances": 48, "seed": 3, "shapes": [(2, 2)], "depths": [2]}
    path = tmp_path / "attack.jsonl"
    here = dominance.attack(**options, path=path)
    lines = path.read_text("utf-8").splitlines(keepends=True)
    path.write_text("".join(lines[:2]), "utf-8")
    again = dominance.attack(**options, path=path)
    there = dominance.attack(**options, executor="processes=2")
    told = [v.to_dict() | {"seconds": 0} for v in (here, again, there)]
    assert told[0] == told[1] == told[2]


def test_recovery_of_any_operator():
    @dlnlab.conjecture("The loss falls along the flow.", about="recovery")
    def falling(run):
        return -np.diff(run.losses)

    assert falling.attack(instances=8, seed=0).status == "conjecture"

    @dlnlab.conjecture("The error falls along the flow, whatever is observed.", about="recovery")
    def closer(run):
        return -np.diff(run.errors)

    verdict = closer.attack(instances=24, seed=0)
    assert verdict.status == "refuted"
    assert verdict.instance().problem().shape == verdict.instance().shape


def test_the_code_that_is_printed_builds_the_instance():
    verdict = nuclear.attack(instances=16, seed=0)
    text = str(verdict)
    assert text.splitlines()[0] == nuclear.statement
    names: dict[str, object] = {}
    exec(text[text.index("from dlnlab.lab") :], names)
    assert names["case"] == verdict.instance()
    assert isinstance(verdict.plot(), Figure)


def test_an_unconfirmed_counterexample_is_none(monkeypatch):
    monkeypatch.setattr(
        confirm, "again", lambda about, seen: (_ for _ in ()).throw(RuntimeError("x"))
    )
    verdict = nuclear.attack(instances=16, seed=0)
    assert verdict.status == "conjecture"
    assert "not confirmed" in str(verdict)


def test_errors_that_are_ignored_would_be_seen(monkeypatch):
    """Without a bound on the error, rounding is called a counterexample."""
    monkeypatch.setattr(two_runs, "SAFETY", 0.0)

    @dlnlab.conjecture("All singular values start at eps^L.", about="start")
    def start(at):
        return at.original.singular_values - at.case.eps**at.case.depth

    verdict = start.attack(instances=64, seed=2, shrinks=0)
    assert verdict.instances < 64


def test_shrinking_stays_within_its_budget():
    case = Case.from_witness(nuclear.attack(instances=16, seed=0, shrinks=0).instance().witness())
    looked = []
    simple, count = shrink.shrunk(case, lambda c: looked.append(c) or True, budget=5)
    assert count == len(looked) == 5
    assert simple == looked[-1]


FILE = """
import dlnlab

@dlnlab.conjecture("True.", about="start")
def true(at):
    return 1.0

@dlnlab.conjecture("False.", about="start")
def false(at):
    return -at.case.eps

@dlnlab.conjecture("A boolean.", about="start")
def boolean(at):
    return True
"""


def test_the_command(tmp_path, capsys):
    file = tmp_path / "mine.py"
    file.write_text(FILE, "utf-8")
    options = ["--instances", "20", "--executor", "serial"]
    written = ["--json", str(tmp_path / "a.json"), "--html", str(tmp_path / "a.html")]
    assert main(["attack", f"{file}:true", *options, *written]) == 0
    assert "not refuted (tested 20)" in (tmp_path / "a.html").read_text("utf-8")
    assert main(["attack", f"{file}:false", *options]) == 1
    assert "confirmed by arithmetic with 40 digits" in capsys.readouterr().out
    assert main(["attack", f"{file}:boolean", *options]) == 2
    assert "must return a margin" in capsys.readouterr().err
    assert main(["attack", f"{file}:other", *options]) == 2
    assert main(["attack", str(tmp_path / "none.py"), *options]) == 2
    assert main(["attack", f"{file}:true", "--instances", "0"]) == 2


def test_any_statement_is_shown_as_it_stands(tmp_path):
    """Markup, a formula that is none, and half a character, in the page and in its picture."""
    statement = r"<img src=x onerror=alert(1)> costs $\frac$ | `a` \udcff"
    file, page = tmp_path / "hostile.py", tmp_path / "a.html"
    file.write_text(FILE.replace('"False."', repr(statement)), "utf-8")
    command = ["attack", f"{file}:false", "--instances", "20", "--executor", "serial"]
    assert main([*command, "--html", str(page), "--json", str(tmp_path / "a.json")]) == 1
    text = page.read_text("utf-8")
    assert "&lt;img src=x onerror=alert(1)&gt; costs" in text
    assert "<img src=x" not in text


def test_the_page_says_what_is_stored():
    docs = Path(__file__).parents[2] / "docs"
    text = (docs / "conjectures.md").read_text("utf-8")
    stored = json.loads((docs / "data" / "conjectures.json").read_text("utf-8"))["five"]
    statuses = {name: told["status"] for name, told in stored.items()}
    refuted = {"eq13", "nuclear", "falls", "layers"}
    assert {name for name, status in statuses.items() if status == "refuted"} == refuted
    assert statuses["dominance"] == "conjecture"
    for told in stored.values():
        assert told["text"].split("\n\nfrom ")[0] in text
        assert told["cpu_seconds"] < 60
