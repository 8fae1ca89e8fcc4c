"""Conjectures of one's own: what is false is refuted, what is true is not, no error is silent."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import dlnlab
from dlnlab.cli import main
from dlnlab.flow import two_runs
from dlnlab.lab import attack, confirm, shrink
from dlnlab.lab.cases import Case
from dlnlab.lab.dynamics import DescentCase
from dlnlab.lab.ranges import Ranges


@pytest.fixture
def soon(monkeypatch):
    """Look after every other batch, so that nothing is looked at beyond the first hit."""
    monkeypatch.setattr(attack, "ROUND", 2)


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


@pytest.mark.usefixtures("soon")
def test_eq13_for_full_width_is_refuted_by_two_dimensions():
    verdict = eq13.attack(instances=500, seed=0, r_hat="full")
    case = verdict.instance()
    assert verdict.status == "refuted"
    assert (case.shape, case.depth, case.rank, case.r_hat) == ((2, 2), 2, 1, 2)
    assert verdict.margin < -100 * verdict.error
    assert verdict.confirmation.margin == pytest.approx(verdict.margin, abs=verdict.error)
    compared = case.compare(t_end=2 * verdict.time)
    assert np.min(compared.margin + compared.margin_error) < 0


@pytest.mark.usefixtures("soon")
def test_the_nuclear_norm_needs_as_many_directions():
    verdict = nuclear.attack(instances=100, seed=0)
    assert verdict.status == "refuted"
    assert verdict.instance().r_hat < min(verdict.instance().shape)
    assert nuclear.attack(instances=32, seed=0, r_hat="full", depths=2).status == "conjecture"


@pytest.mark.usefixtures("soon")
def test_descent_from_above_the_target_is_refuted_with_many_digits():
    verdict = falls.attack(instances=400, seed=0, depths=2, shapes=[(1, 1), (2, 2)])
    case = verdict.instance()
    assert verdict.status == "refuted"
    assert isinstance(case, DescentCase)
    assert case.depth == 2
    # descent, by hand
    first, second = case.weights()
    losses = []
    for _ in range(round(verdict.time / case.eta) + 1):
        gap = second @ first - case.target
        losses.append(0.5 * np.sum(gap**2))
        first, second = first - case.eta * second.T @ gap, second - case.eta * gap @ first.T
    assert losses[-1] - losses[-2] == pytest.approx(-verdict.margin)


def signs(case):
    """sign det M · sign det W of a square case of full rank, else 0."""
    if case.shape[0] != case.shape[1] or case.rank < case.shape[0]:
        return 0.0
    return np.sign(np.linalg.det(case.target) * np.linalg.det(dlnlab.end_to_end(case.weights())))


def ratio(case, k=1):
    return case.spectrum[k] / case.spectrum[0] if case.rank > k else np.nan


CORNERS = {
    "close, L >= 4": lambda c: ratio(c) > 0.95 and c.depth >= 4,
    "negative": lambda c: signs(c) < 0,
    "d >= 4": lambda c: min(c.shape) >= 4,
    "d >= 6": lambda c: min(c.shape) >= 6,
    "L >= 6": lambda c: c.depth >= 6,
    "one dimension": lambda c: min(c.shape) == 1,
    "small, full width": lambda c: c.eps < 0.1 and c.r_hat == min(c.shape),
    "very small, deep": lambda c: c.eps < 0.05 and c.depth >= 3 and c.r_hat == min(c.shape),
    "start far above": lambda c: c.eps**c.depth > 10 * c.spectrum[0],
    "far apart": lambda c: ratio(c) < 0.01,
    "rectangular": lambda c: c.shape[0] != c.shape[1],
    "L = 2, r = 1": lambda c: c.depth == 2 and c.rank == 1,
    "det M < 0": lambda c: signs(c) != 0 and np.linalg.det(c.target) < 0,
    "close and negative": lambda c: ratio(c) > 0.95 and signs(c) < 0,
    "equal, d >= 4, above": lambda c: (
        ratio(c) == 1 and min(c.shape) >= 4 and c.eps**c.depth > c.spectrum[c.rank - 1]
    ),
    "large units": lambda c: c.spectrum[0] > 2,
    "wide, L = 5": lambda c: c.shape[0] < c.shape[1] and c.depth == 5,
    "small σ_r": lambda c: c.spectrum[c.rank - 1] < 0.05,
    "above": lambda c: c.eps**c.depth > c.spectrum[0],
    "a long row": lambda c: c.shape[0] == 1 and c.shape[1] >= 4,
    "a long column": lambda c: c.shape[1] == 1 and c.shape[0] >= 4,
    "many columns": lambda c: c.shape[0] >= 2 and c.shape[1] >= 3 * c.shape[0],
    "d = 7": lambda c: c.shape == (7, 7),
    "three close": lambda c: ratio(c, 2) > 0.95,
    "r̂ = r < d, L >= 5": lambda c: c.r_hat == c.rank < min(c.shape) and c.depth >= 5,
}
"""Where a statement may be false and nowhere else."""


def first_hits(seed):
    """Return after how many random instances of an attack each corner is met."""
    found: dict[str, int] = {}
    for number in range(88):  # of 2,000 instances 1,400 are random, in batches of 16
        cases = Ranges().draw(seed, number, 16, "flows")
        for name, corner in CORNERS.items():
            if name not in found and any(corner(case) for case in cases):
                found[name] = 16 * (number + 1)
        if len(found) == len(CORNERS):
            break
    return found


def test_corners_are_met_by_every_seed():
    """Run with ``-s`` to see the counts."""
    hits = [first_hits(seed) for seed in range(4)]
    for name in CORNERS:
        counts = [hit.get(name, 0) for hit in hits]
        print(f"{name}: first met after {counts} instances")
        assert all(0 < count <= 1400 for count in counts), name


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("name", "about"),
    [
        ("close, L >= 4", "flows"),
        ("negative", "flows"),
        ("d >= 4", "start"),
        ("far apart", "start"),
        ("wide, L = 5", "start"),
        ("wide, L = 5", "flows"),
        ("a long row", "flows"),
        ("small σ_r", "start"),
        ("above", "start"),
        ("close and negative", "start"),
    ],
)
def test_a_planted_falsehood_is_found(name, about):
    """The corner is all that is false, and it is what the smallest instance is in."""
    corner = CORNERS[name]

    @dlnlab.conjecture("Never in the corner.", about=about)
    def never(pair):
        return np.where(corner(pair.case), -1.0, 1.0) * pair.original.losses[0]

    verdict = never.attack(instances=2000, seed=1, shrinks=8)
    assert verdict.status == "refuted"
    assert verdict.instances <= 2000
    assert corner(verdict.instance())


def test_a_needle_is_found_by_climbing():
    """It is false within a thousandth of one value, and the margin says which way that is."""

    @dlnlab.conjecture("σ_2 is not 0.613.", about="start", premises=[lambda at: at.case.rank - 2])
    def needle(at):
        return abs(at.targets[1] / at.targets[0] - 0.613) - 5e-4

    verdict = needle.attack(instances=2000, seed=0, shrinks=0)
    assert verdict.status == "refuted"
    assert 1400 < verdict.instances + verdict.failed < 2000  # there is no σ_2 for r = 1


def test_true_statements_are_not_refuted():
    """The longer attacks are in docs/data/conjectures.json."""
    file = Path(__file__).parents[2] / "docs" / "true_statements.py"
    module: dict[str, object] = {}
    exec(file.read_text("utf-8"), module)
    count = 0
    for name in ("equal", "corollary1", "loss", "bounded", "lemma1", "theorem1"):
        many = {"equal": 400, "corollary1": 400}.get(name, 24)
        verdict = module[name].attack(many, seed=3)
        assert (verdict.status, verdict.instances) == ("conjecture", many), name
        count += many
    print(f"{count} instances, none refuted")


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


def change_problem(at):
    at.compressed.problem.target[0, 0] = 7.0
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
        (change_problem, "read-only"),
        (lambda at: sys.exit(3), "SystemExit: 3"),
        (lambda at: 1j, "must return a real number"),
    ],
    ids=[
        "raises",
        "boolean",
        "None",
        "shape",
        "text",
        "array changed",
        "attribute changed",
        "problem changed",
        "exit",
        "complex",
    ],
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
    assert "first: the margin is not finite" in str(some)


def test_a_function_that_fails_now_and_then_does_not_end_the_search():
    verdict = failing(lambda at: 1 / (at.case.rank - 2)).attack(
        instances=96, shrinks=0, ranks=(2, 3)
    )
    assert verdict.failed > 5
    assert verdict.instances + verdict.failed == 96


def test_ctrl_c_keeps_what_was_found():
    calls = []

    def slow(at):
        calls.append(at)
        if len(calls) > 400:
            raise KeyboardInterrupt
        return 2.0 + at.case.depth

    with pytest.raises(KeyboardInterrupt) as caught:
        failing(slow).attack(instances=400)
    assert caught.value.verdict.instances >= 32
    assert "not refuted" in caught.value.__notes__[0]


@pytest.mark.parametrize("method", ["momentum", "adam"])
def test_methods_of_descent_are_run_and_confirmed(method):
    """Near the target both overshoot; descent with so small a step does not."""

    def falling(pair):
        return -np.diff(pair.original.losses)

    where = {"instances": 16, "shapes": [(1, 1)], "depths": [2], "eps": 0.5}
    options = {"about": "descent", "eta": 0.1}
    verdict = dlnlab.conjecture("It falls.", method=method, **options)(falling).attack(**where)
    assert verdict.status == "refuted"
    assert verdict.confirmation.margin == pytest.approx(verdict.margin, abs=1e-12)
    assert dlnlab.conjecture("It falls.", **options)(falling).attack(**where).status == "conjecture"
    with pytest.raises(ValueError, match="`method` must be one of"):
        dlnlab.conjecture("It falls.", about="descent", method="newton")


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
    verdict = nuclear.attack(instances=16, seed=0, shrinks=0)
    text = str(verdict)
    assert text.splitlines()[0] == nuclear.statement
    names: dict[str, object] = {}
    exec(text[text.index("from dlnlab.lab") :], names)
    assert names["case"] == verdict.instance()
    assert isinstance(verdict.plot(), Figure)


def test_an_unconfirmed_counterexample_is_none(monkeypatch):
    monkeypatch.setattr(confirm, "again", lambda *seen: (_ for _ in ()).throw(RuntimeError("x")))
    verdict = nuclear.attack(instances=16, seed=0, shrinks=0)
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


@pytest.mark.parametrize("about", ["flows", "descent", "recovery"])
def test_every_simplification_is_a_network_of_the_shape_and_depth_that_it_tells(about):
    for number in range(40):
        (case,) = Ranges().draw(4, number, 1, about)
        for simple in itertools.islice(shrink.simpler(case), 200):
            assert len(simple.weights()) == simple.depth
            assert dlnlab.end_to_end(simple.weights()).shape == simple.shape == simple.target.shape


def test_shrinking_stays_within_its_budget():
    case = Case.from_witness(nuclear.attack(instances=16, seed=0, shrinks=0).instance().witness())
    looked = []
    simple, count = shrink.shrunk(case, lambda c: looked.append(c) or True, budget=3)
    assert count == len(looked) == 3
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


def test_a_function_that_always_fails_takes_nothing_from_the_others(tmp_path, capsys):
    file, written = tmp_path / "mine.py", tmp_path / "a.json"
    file.write_text(FILE, "utf-8")
    command = ["attack", str(file), "--instances", "20", "--executor", "serial"]
    assert main([*command, "--json", str(written), "--html", str(tmp_path / "a.html")]) == 2
    assert "must return a margin" in capsys.readouterr().err
    told = json.loads(written.read_text("utf-8"))
    assert [verdict["name"] for verdict in told["verdicts"]] == ["true", "false"]
    assert told["not_attacked"] == 1
    assert "not refuted (tested 20)" in (tmp_path / "a.html").read_text("utf-8")


def test_the_command_tells_what_was_found_before_ctrl_c(tmp_path, capsys):
    file = tmp_path / "slow.py"
    slow = "\ncalls = []\n" + FILE.replace(
        "return 1.0",
        "calls.append(1)\n    if len(calls) > 400:\n"
        "        raise KeyboardInterrupt\n    return 1.0",
    )
    file.write_text(slow, "utf-8")
    command = ["attack", f"{file}:true", "--instances", "400", "--executor", "serial"]
    assert main([*command, "--json", str(tmp_path / "a.json")]) == 130
    assert "not refuted (tested 32)" in capsys.readouterr().out
    (told,) = json.loads((tmp_path / "a.json").read_text("utf-8"))["verdicts"]
    assert told["instances"] == 32


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
