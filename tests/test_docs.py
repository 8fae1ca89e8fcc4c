"""The numbers on the claims' pages are those of the stored report, and every claim has a page."""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType

import pytest
import scripts
from dlnlab.validations import MODULES, pictures

import dlnlab
from dlnlab.claims import CLAIMS
from dlnlab.claims.claim import CONJECTURE, STATUSES

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def generate():
    """The script docs/generate.py, as a module."""
    return scripts.load("generate")


@pytest.fixture(scope="module")
def report(generate):
    return generate.kept()


def test_the_pages_say_what_the_report_says(generate, report):
    for page, text in generate.pages(report):
        assert page.read_text("utf-8") == text, f"{page.name}: run python docs/generate.py"


def test_a_changed_number_is_noticed(generate, report):
    changed = json.loads(json.dumps(report))
    for content in changed.values():
        content["verdict"]["instances"] += 1
    pages = {page.name: page.read_text("utf-8") != text for page, text in generate.pages(changed)}
    assert [name for name, differs in pages.items() if not differs] == ["index.md"]


def test_a_changed_status_is_noticed(generate, report, monkeypatch):
    """Lemma 1 called a conjecture: its page and the index no longer agree with the registry."""
    wrong = dataclasses.replace(CLAIMS["lemma1"], standings=(CONJECTURE,))
    monkeypatch.setitem(CLAIMS, "lemma1", wrong)
    differing = {p.name for p, text in generate.pages(report) if p.read_text("utf-8") != text}
    assert differing == {"lemma1.md", "index.md"}


def test_every_validation_has_its_block_and_figure(generate, report):
    text = "".join(page.read_text("utf-8") for page, _ in generate.pages(report))
    for name in MODULES:
        assert text.count(f"<!-- verdict: {name} -->") == 1, name
        assert text.count(f"<!-- standing: {name} -->") == 1, name
        drawn = pictures.draws(name)
        assert (DOCS / "figures" / "claims" / f"{name}.png").exists() == drawn, name


def test_the_report_agrees_with_the_registry(report):
    for name, content in report.items():
        verdict, known = content["verdict"], CLAIMS[name]
        assert verdict["claim"] == name
        assert (verdict["status"], verdict["statement"]) == (
            known.standing().status,
            known.statement,
        )
        assert verdict["contradicted"] == (verdict["status"] == "refuted")
        assert verdict["reproduced"]
    assert list(report) == list(CLAIMS)


STATUS = re.compile(rf"\*\*(?:Status|{'|'.join(map(str.capitalize, STATUSES))})\b", re.IGNORECASE)
"""How a status begins that is told in bold."""


def test_no_status_is_written_by_hand(generate):
    for page in (DOCS / "claims").glob("*.md"):
        by_hand = generate.BLOCK.sub("", page.read_text("utf-8"))
        found = [
            line for line in by_hand.splitlines() if re.match(r"[-| ]*" + STATUS.pattern, line)
        ]
        assert not found, f"{page.name}: {found}"


def test_a_status_by_hand_would_be_seen():
    assert STATUS.match("**Status: proved** for every depth")
    assert STATUS.match("**Conjecture**: it holds")


NAMED = re.compile(r"(?<![\w./-])dlnlab(?:\.[A-Za-z_]\w*)+")
ELSEWHERE = {"dlnlab.attack", "dlnlab.css", "dlnlab.spelled"}
"""A file, and names that are handed to others: of a module in the making, of an error handler."""


def importable(name):
    """Whether a dotted name leads somewhere: to a module, what it holds, or a field of that."""
    found, (_, *rest) = dlnlab, name.split(".")
    while rest:
        part = rest.pop(0)
        module = f"{getattr(found, '__name__', '')}.{part}"
        if hasattr(found, part):
            found = getattr(found, part)
        elif isinstance(found, ModuleType) and importlib.util.find_spec(module):
            found = importlib.import_module(module)
        else:
            return part in getattr(found, "__dataclass_fields__", {}) and not rest
    return True


def named():
    """Yield what is named in pages, scripts and docstrings, with its file."""
    texts = [DOCS.parent / "README.md", DOCS.parent / "CONTRIBUTING.md", *DOCS.rglob("*.md")]
    texts += [p for top in ("docs", "dlnlab") for p in (DOCS.parent / top).rglob("*.py")]
    for path in texts:
        if "_build" not in path.parts:
            # the second part of `experiments.NAME.measure` is the name of a task, not a module
            text = re.sub(r"dlnlab\.[\w.]+\.measure\b", "", path.read_text("utf-8"))
            yield from ((path.name, name) for name in NAMED.findall(text))


def test_every_name_in_the_docs_leads_somewhere():
    wrong = {(file, name) for file, name in named() if not importable(name)}
    assert {(file, name) for file, name in wrong if name not in ELSEWHERE} == set()


def test_a_name_that_has_moved_would_be_seen():
    assert importable("dlnlab.flow.compare")
    assert not importable("dlnlab.steppers")
    assert not importable("dlnlab.flow.compare.margin.of")
