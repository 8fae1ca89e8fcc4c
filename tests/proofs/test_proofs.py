"""Every proof goes through, and whatever is taken from it, said beyond it or changed, shows."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import proof_mutants
import pytest
import sympy as sp
from dlnlab.proofs import counterexamples, exact, facts, proof, scopes
from dlnlab.proofs.facts import ProofError
from dlnlab.proofs.proof import Clause, Proof, ProofResult, Step
from dlnlab.proofs.scopes import AtLeast

from dlnlab import claims, proofs

NO_FLINT = vars(counterexamples)["flint"] is None
REASON = "ball arithmetic needs python-flint"
needs_flint = pytest.mark.skipif(NO_FLINT, reason=REASON)
NAMES = [
    pytest.param(name, marks=needs_flint) if name == "counterexamples" else name
    for name in proofs.MODULES
]
WIDE = {"L": AtLeast(2), "k": AtLeast(1), "q": AtLeast(-1)}
"""Scopes as wide as they can be."""


@cache
def _result(name: str) -> ProofResult:
    return proofs.build(name).run()


@pytest.mark.parametrize("name", NAMES)
def test_every_step_goes_through(name: str) -> None:
    result = _result(name)
    assert result.claim == name
    assert [step.failure for step in result.steps] == [None] * len(result.steps)
    assert result.gaps == ()
    assert result.status == "proved"
    _assert_readable(result)


def _assert_readable(result: ProofResult) -> None:
    """The printed proof shows every step and every clause, in lines that fit."""
    text = str(result)
    assert text.startswith(f"{result.claim}: PROVED")
    assert max(map(len, text.splitlines())) <= 80
    joined = " ".join(text.split())
    for part in (*result.clauses, *result.corrections, *result.open):
        assert " ".join(part.split()) in joined
    for step in result.steps:
        assert step.title in joined


@pytest.mark.parametrize("name", NAMES)
def test_what_is_left_to_read_is_counted(name: str) -> None:
    result = _result(name)
    words = [step for step in result.steps if step.kind in ("argument", "cited")]
    assert result.to_read == len(words)
    expected = f"proved, with {len(words)} argument" if words else "proved"
    assert result.verdict.startswith(expected)


def test_every_claim_module_is_registered() -> None:
    folder = Path(proofs.__file__).parent
    machinery = {"__init__", "proof", "facts", "scopes", "readings", "noncommutative", "exact"}
    assert {path.stem for path in folder.glob("*.py")} - machinery == set(proofs.MODULES)
    assert len(proofs.MODULES) == len(set(proofs.MODULES)) >= 21


def test_every_proof_has_a_page() -> None:
    pages = Path(__file__).parents[2] / "docs" / "claims"
    linked: set[str] = set()
    for page in pages.glob("*.md"):
        for link in re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            file = link.partition("#")[0]
            assert (pages / file).exists(), f"{page.name} links to {link}, which does not exist"
            linked.add(Path(link).stem)
    assert set(proofs.MODULES) <= linked


def test_statements_and_proofs_name_each_other() -> None:
    """What the registry says is proved by a proof, the proof says it proves, and conversely."""
    named = {
        (name, claim.name)
        for claim in claims.CLAIMS.values()
        for standing in claim.standings
        for name in standing.proofs
    }
    proving = {(name, statement) for name in proofs.MODULES for statement in _proves(name)}
    assert {statement for _, statement in proving} <= set(claims.CLAIMS)
    assert proving <= named
    for claim in claims.CLAIMS.values():
        for standing in claim.standings:
            if standing.proofs:
                assert any((name, claim.name) in proving for name in standing.proofs), claim.name


def _proves(name: str) -> tuple[str, ...]:
    if name == "counterexamples" and NO_FLINT:
        return ()
    return tuple(proofs.build(name).proves)


def test_an_unknown_name_is_refused() -> None:
    listed = r"`name` must be one of lemma1, corollary1, theorem1.*got 'theorem9'"
    with pytest.raises(ValueError, match=listed):
        proofs.build("theorem9")


# ---------------------------------------------------------------------- steps taken away


@pytest.mark.parametrize("name", NAMES)
def test_no_step_can_be_taken_away(name: str) -> None:
    built = proofs.build(name)
    for step in built.steps:
        rest = [other for other in built.steps if other is not step]
        fewer = dataclasses.replace(built, steps=rest)
        assert f"the step '{step.title}' is missing; the statement rests on it" in fewer.gaps()


@pytest.mark.parametrize("name", NAMES)
def test_no_step_can_be_idle(name: str) -> None:
    """A step that no clause and no argument uses carries nothing, and is told."""
    built = proofs.build(name)
    for step in built.steps:
        others = [
            dataclasses.replace(s, uses=tuple(u for u in s.uses if u != step.title))
            for s in built.steps
        ]
        clauses = [
            dataclasses.replace(c, by=tuple(title for title in c.by if title != step.title))
            for c in built.clauses
        ]
        looser = dataclasses.replace(built, steps=others, clauses=clauses)
        assert f"the step '{step.title}' carries nothing" in looser.gaps()


@pytest.mark.parametrize("name", NAMES)
def test_no_fact_can_be_taken_away(name: str) -> None:
    """A check that establishes less than was read leaves the proof unread."""
    built, result = proofs.build(name), _result(name)
    for place, step in enumerate(result.steps):
        for kind in step.kinds:
            kinds = tuple(k for k in step.kinds if k != kind)
            fewer = list(result.steps)
            fewer[place] = dataclasses.replace(step, kinds=kinds)
            assert built.digest(fewer) != built.reading


@pytest.mark.parametrize("name", NAMES)
def test_a_check_that_checks_nothing_fails(name: str) -> None:
    for step in proofs.build(name).steps:
        if step.check is not None:
            empty = dataclasses.replace(step, check=lambda **scope: None)
            assert proof.carry_out(empty).failure == "nothing was checked"


# ---------------------------------------------------------------------- words changed


def _reworded(built: Proof) -> Iterator[Proof]:
    """Yield the proof with one sentence changed, for every sentence that is not generated."""
    for place, clause in enumerate(built.clauses):
        other = dataclasses.replace(clause, text=f"It is false that {clause.text}")
        yield dataclasses.replace(built, clauses=_with(built.clauses, place, other))
    for place, step in enumerate(built.steps):
        if step.words:
            other = dataclasses.replace(step, words=f"It is false that {step.words}")
            yield dataclasses.replace(built, steps=_with(built.steps, place, other))
    for name in ("corrections", "open"):
        for place, sentence in enumerate(getattr(built, name)):
            changed = _with(getattr(built, name), place, sentence + " Or not.")
            yield dataclasses.replace(built, **{name: changed})
    yield dataclasses.replace(built, source="nobody")
    other = next(name for name in claims.CLAIMS if name not in built.proves)
    yield dataclasses.replace(built, proves=(*built.proves, other))
    for place, step in enumerate(built.steps):
        for symbol, domain in step.over.items():
            if isinstance(domain, range):
                narrow = dataclasses.replace(step, over={**step.over, symbol: domain[:-1]})
                yield dataclasses.replace(built, steps=_with(built.steps, place, narrow))


def _with(items: Any, place: int, other: Any) -> tuple[Any, ...]:
    return (*items[:place], other, *items[place + 1 :])


@pytest.mark.parametrize("name", NAMES)
def test_no_sentence_can_be_changed(name: str) -> None:
    built, result = proofs.build(name), _result(name)
    for other in _reworded(built):
        results = [
            dataclasses.replace(r, lines=(s.words,)) if s.words else r
            for r, s in zip(result.steps, other.steps, strict=True)
        ]
        assert other._report(tuple(results)).status == "unread"


@pytest.mark.parametrize("name", NAMES)
def test_no_statement_can_be_changed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """A claim that is widened in the registry, or in what it says is proved, is not proved."""
    built, result = proofs.build(name), _result(name)
    for statement in built.proves:
        claim = claims.CLAIMS[statement]
        wider = dataclasses.replace(claim, statement=f"For every L and every i, {claim.statement}")
        standings = tuple(dataclasses.replace(s, scope="everything") for s in claim.standings)
        for other in (wider, dataclasses.replace(claim, standings=standings)):
            monkeypatch.setitem(claims.CLAIMS, statement, other)
            assert built._report(result.steps).status == "unread"
        monkeypatch.setitem(claims.CLAIMS, statement, claim)
    assert built._report(result.steps).status == "proved"


@pytest.mark.parametrize("name", NAMES)
def test_lines_of_checked_steps_are_generated(name: str) -> None:
    """There is no text beside a check that could say something else."""
    for step in proofs.build(name).steps:
        assert bool(step.words) == (step.check is None)


# ---------------------------------------------------------------------- scopes widened


@pytest.mark.parametrize("name", NAMES)
def test_no_scope_can_be_widened(name: str) -> None:
    """A step carried out for more fails, and a clause may not claim more than its steps."""
    built = proofs.build(name)
    for step in built.steps:
        for symbol, domain in step.over.items():
            if domain != WIDE[symbol]:
                wider = dataclasses.replace(step, over={**step.over, symbol: WIDE[symbol]})
                assert proof.carry_out(wider).failure is not None, step.title
            unbound = {k: v for k, v in step.over.items() if k != symbol}
            assert proof.carry_out(dataclasses.replace(step, over=unbound)).failure is not None
    for place, clause in enumerate(built.clauses):
        if clause.over and clause.over != {"L": AtLeast(2)}:
            wider = dataclasses.replace(clause, over={"L": AtLeast(2)})
            other = dataclasses.replace(built, clauses=_with(built.clauses, place, wider))
            assert other.digest(_result(name).steps) != built.reading


def test_a_clause_may_not_claim_more_than_its_steps() -> None:
    def check(L: Any) -> None:
        facts.require_identity(L * 0 + 2, 2, "two")

    step = proof.symbolic("two layers", check, L=2)
    for over, fine in (({"L": 2}, True), ({"L": AtLeast(2)}, False), ({}, False)):
        built = Proof("toy", [Clause("Two.", ("two layers",), over)], "nobody", [step])
        assert (built.gaps() == ()) == fine
    told = proof.argument("every depth", "And so on.", "two layers")
    clause = Clause("Every depth.", ("every depth",), {"L": AtLeast(2)})
    assert Proof("toy", [clause], "nobody", [step, told]).gaps() == ()


@pytest.mark.parametrize(
    ("wide", "narrow", "inside"),
    [
        (AtLeast(2), AtLeast(3), True),
        (AtLeast(3), AtLeast(2), False),
        (AtLeast(2), 2, True),
        (AtLeast(2), range(1, 4), False),
        (range(1, 4), 3, True),
        (range(1, 4), AtLeast(1), False),
        (2, 2, True),
        (2, 3, False),
    ],
)
def test_scopes_contain_each_other(wide: Any, narrow: Any, inside: bool) -> None:
    assert scopes.contains(wide, narrow) is inside


# ---------------------------------------------------------------------- expressions changed


FREE_DATA = {
    ("lemma1", "_square"): "free symbols: seven times a free symbol is as free",
    ("gauge", "random_operator"): "a random operator: seven times it is another one",
}
"""Functions that draw the data about which a proof makes no assumption."""

MUTANTS = [m for m in proof_mutants.expressions() if m not in FREE_DATA]


@pytest.mark.parametrize(("module", "name"), MUTANTS, ids=lambda part: part)
def test_no_expression_can_be_multiplied(module: str, name: str) -> None:
    if module == "counterexamples" and NO_FLINT:
        pytest.skip(REASON)
    assert not proof_mutants.survives(module, name)


def test_there_are_mutants() -> None:
    assert len(MUTANTS) > 100
    assert ("proposition1", "layer_rate") in MUTANTS


def test_a_proof_that_proves_what_is_true_of_anything_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without the step that derives Ẇ from the layers' flow, the factor −7 goes unnoticed."""
    module = import_module("dlnlab.proofs.proposition1")
    x = sp.Symbol("x")
    toy = Proof(
        "proposition1",
        [Clause("A rate.", ("rate",))],
        "nobody",
        [proof.symbolic("rate", lambda: facts.require_identity(_rate(x), _rate(x), "itself"))],
    )
    toy = dataclasses.replace(toy, reading=toy.run().digest)
    monkeypatch.setattr(module, "build", lambda thorough=False: toy)
    monkeypatch.setattr(module, "toy_rate", _rate, raising=False)
    monkeypatch.setattr(proof_mutants, "modules", lambda: [module])
    with proof_mutants.mutated("proposition1", "toy_rate"):
        assert proofs.build("proposition1").run().status == "proved"


def _rate(value: sp.Expr) -> sp.Expr:
    return 2 * value


# ---------------------------------------------------------------------- rules changed


def _without(name: str, module: str) -> Any:
    """The rules of a module without those that mention a letter."""
    rules = import_module(f"dlnlab.proofs.{module}").RULES
    return {key: value for key, value in rules.items() if name not in [k.name for k in key]}


def _untransposed(weights: Any, residual: Any) -> Any:
    """The chain rule without the transpose below the layer."""
    field, gradients = residual.domain, []
    for place, weight in enumerate(weights):
        after = exact.chain(weights[place + 1 :], weight.shape[0], field)
        before = exact.chain(weights[:place], residual.shape[1], field)
        gradient = after.transpose() * residual
        square = before.shape[0] == before.shape[1]
        gradients.append(gradient * (before if square else before.transpose()))
    return gradients


def _not_a_rotation() -> Any:
    m = import_module("dlnlab.proofs.counterexamples")
    return dataclasses.replace(m.SMALL_START, sine=m.Fraction(3, 5))


BREAKS: list[tuple[str, str, Callable[[], Any], str]] = [
    ("theorem1", "RULES", lambda: _without("R", "theorem1"), "inner layers stay diagonal"),
    ("theorem1", "RULES", lambda: _without("U", "theorem1"), "inner layers stay diagonal"),
    ("parsimony", "transport_rules", lambda: lambda *turns: {}, "products"),
    ("corollary1", "RULES", dict, "both squares"),
    ("corollary1", "RULES", lambda: _without("Q", "corollary1"), "both squares"),
    ("proposition1", "_from_below", lambda: lambda layers: {}, "balanced products, multiplied"),
    ("dominance", "BALANCED", dict, "the lift"),
    ("assumption1", "transport_rules", lambda: dict, "products of aligned layers"),
    ("theorem2", "transport_rules", lambda: lambda *turns: {}, "the wide error"),
    ("gauge", "RULES", dict, "products"),
    ("gauge", "orthogonal", lambda: lambda *turns: {}, "ends"),
    ("greedy_pruning", "TURNS", dict, "turns"),
    ("thresholding", "NORMAL", dict, "singular triples"),
    ("weighted_projection", "FRAMES", dict, "the projection"),
    ("counterexamples", "SMALL_START", _not_a_rotation, "r̂ > r, small ε': c² + s²"),
    ("counterexamples", "PRECISION", lambda: 20, "the closed form at t = 0"),
    ("exact", "layer_gradients", lambda: _untransposed, "theorem1_exact: full matrices over ℚ"),
    ("exact", "layer_gradients", lambda: _untransposed, "parsimony: full matrices over ℚ"),
]


@pytest.mark.parametrize(
    ("module", "name", "broken", "step"), BREAKS, ids=lambda v: v if isinstance(v, str) else None
)
def test_a_missing_premise_breaks_the_proof(
    monkeypatch: pytest.MonkeyPatch,
    module: str,
    name: str,
    broken: Callable[[], Any],
    step: str,
) -> None:
    if module == "counterexamples" and NO_FLINT:
        pytest.skip(REASON)
    monkeypatch.setattr(import_module(f"dlnlab.proofs.{module}"), name, broken())
    claim, _, title = step.rpartition(": ") if module == "exact" else (module, "", step)
    with pytest.raises(ProofError) as caught:
        proofs.build(claim).verify()
    assert f"{claim}, step '{title}" in str(caught.value)


# ---------------------------------------------------------------------- the machinery


def _toy(check: Callable[[], None]) -> Proof:
    steps = [Step("sum", "exact", check), proof.cited("fact", "a theorem of others")]
    clause = Clause("Two is two.", ("sum", "fact"))
    toy = Proof("toy", [clause], "nobody", steps, corrections=["a slip"], open=["the rest"])
    return dataclasses.replace(toy, reading=toy.run().digest)


def _fine() -> None:
    facts.require_identity(sp.Integer(1) + 1, 2, "1 + 1")


def test_a_failure_names_the_step_and_shows_the_remainder() -> None:
    x = sp.Symbol("x")
    broken = _toy(lambda: facts.require_identity((x + 1) ** 2, x**2 + 1, "square"))
    result = broken.run()
    assert result.status == "broken"
    assert result.steps[0].failure == "square: expected 0, got: 2*x"
    assert "BROKEN: square: expected 0, got: 2*x" in str(result)
    with pytest.raises(ProofError, match=r"toy, step 'sum': square: expected 0, got: 2\*x"):
        broken.verify()


def test_cited_facts_are_counted() -> None:
    result = _toy(_fine).run()
    assert result.status == "proved"
    assert result.verdict == "proved, with 1 argument to read"
    assert result.cited == ("a theorem of others",)
    text = str(result)
    assert text.startswith("toy: PROVED, with 1 argument to read")
    assert "✓  1. sum" in text
    assert "1 + 1:  2 = 2" in text
    assert "·  2. fact" in text
    assert "a slip" in text
    assert "the rest" in text


def test_a_proof_that_was_not_read_is_not_proved() -> None:
    result = dataclasses.replace(_toy(_fine), reading="").run()
    assert result.status == "unread"
    assert "NOT PROVED: the prose is not the one that was read" in str(result)


def test_evidence_and_words_alone_prove_nothing() -> None:
    for step in (
        Step("sum", "evidence", _fine),
        proof.cited("sum", "known"),
        proof.argument("sum", "clear"),
    ):
        toy = Proof("toy", [Clause("Two is two.", ("sum",))], "nobody", [step])
        assert toy.gaps() == ("no step proves the clause 'Two is two.'",)
        assert toy.run().status == "broken"
    assert Proof("toy", [], "nobody", []).gaps() == ("nothing is stated",)


def test_a_result_is_frozen_and_becomes_json() -> None:
    result = _toy(_fine).run()
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.status = "proved"  # type: ignore[misc]
    loaded = json.loads(json.dumps(result.as_dict()))
    assert loaded["status"] == "proved"
    assert loaded["steps"][0]["lines"] == ["1 + 1:  2 = 2"]


def test_whatever_goes_wrong_in_a_check_is_a_failed_check() -> None:
    def crash() -> None:
        raise ZeroDivisionError("by zero")

    failure = _toy(crash).run().steps[0].failure
    assert failure == "could not be carried out: ZeroDivisionError: by zero"


def test_kinds_checks_and_words_must_match() -> None:
    with pytest.raises(ValueError, match="`check` must be given exactly"):
        Step("sum", "symbolic")
    with pytest.raises(ValueError, match="`check` must be given exactly"):
        Step("fact", "cited", _fine, "known")
    with pytest.raises(ValueError, match="`words` must be given exactly"):
        Step("sum", "symbolic", _fine, "1 + 1 = 3")
    steps, clauses = [Step("sum", "symbolic", _fine)] * 2, [Clause("Two.", ("sum",))]
    with pytest.raises(ValueError, match="must have titles of their own"):
        Proof("toy", clauses, "nobody", steps)


@pytest.mark.parametrize("value", [sp.Symbol("x"), sp.Integer(0), -sp.Symbol("p", positive=True)])
def test_an_undecided_sign_is_a_failure(value: sp.Expr) -> None:
    with pytest.raises(ProofError, match="could not be shown positive"):
        facts.require_positive(value, "sign")


def test_false_facts_are_refused() -> None:
    x = sp.Symbol("x", positive=True)
    with pytest.raises(ProofError, match="expected the limit 1, got: 0"):
        facts.require_limit(1 / x, x, sp.oo, 1, "limit")
    with pytest.raises(ProofError, match="expected 2 < 1"):
        facts.require_less(2, 1, "order")
    with pytest.raises(ProofError, match="expected 2 ≤ 1"):
        facts.require_at_most(2, 1, "order")
    with pytest.raises(ProofError, match="could not be shown nonnegative"):
        facts.require_nonnegative(-x, "sign")
    with pytest.raises(ProofError, match="expected 0"):
        facts.require_identity(sp.eye(2), 1, "a full matrix of ones")


def test_lines_and_scopes_are_those_of_the_objects() -> None:
    L, s = facts.at_least("L", 2), sp.Symbol("σ*", positive=True)
    with facts.transcribe() as transcript:
        facts.require_identity(s ** (2 - 2 / L) * s, s ** (3 - 2 / L), "a power")
        for number in range(3):
            facts.require_less(number, number + 1, f"order of {number}")
    assert transcript.lines == (
        "a power:  σ*·σ*^(2 − 2/L) = σ*^(3 − 2/L)",
        "order of 0:  0 < 1   (and 2 more)",
    )
    assert transcript.scope == ("L ≥ 2", "σ* > 0")


def test_the_exit_status_tells_the_shell(capsys: pytest.CaptureFixture[str]) -> None:
    def wrong(*, thorough: bool = False) -> Proof:
        return _toy(lambda: facts.require_identity(int(thorough), 1, "only if thorough"))

    def crashing(*, thorough: bool = False) -> Proof:
        return _toy(lambda: [][thorough])

    assert proof.main(lambda thorough: _toy(_fine), []) == 0
    assert proof.main(wrong, []) == 1
    assert proof.main(wrong, ["--thorough"]) == 0
    assert proof.main(crashing, []) == 1
    assert proof.main(wrong, ["--fast"]) == 2
    assert "unknown argument '--fast'" in capsys.readouterr().err


def test_a_module_runs_alone() -> None:
    command = [sys.executable, "-m", "dlnlab.proofs.corollary1"]
    root = Path(proofs.__file__).parent.parent
    environment = os.environ | {"PYTHONIOENCODING": "utf-8"}
    done = subprocess.run(command, cwd=root, capture_output=True, check=False, env=environment)
    assert done.returncode == 0
    assert "corollary1: PROVED" in done.stdout.decode()


def test_without_flint_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(import_module("dlnlab.proofs.counterexamples"), "flint", None)
    with pytest.raises(ImportError, match="pip install python-flint"):
        proofs.build("counterexamples")
    assert proof.main(counterexamples.build, []) == 2
