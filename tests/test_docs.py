"""The numbers on the claims' pages are those of the stored report, and every claim has a page."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest
from dlnlab.validations import MODULES

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def generate():
    """The script docs/generate.py, as a module."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def report(generate):
    return json.loads(generate.REPORT.read_text("utf-8"))


def test_the_pages_say_what_the_report_says(generate, report):
    for page, text in generate.pages(report):
        assert page.read_text("utf-8") == text, f"{page.name}: run python docs/generate.py"


def test_a_changed_number_is_noticed(generate, report):
    changed = json.loads(json.dumps(report))
    for verdict in changed["verdicts"]:
        verdict["instances"] += 1
    assert all(page.read_text("utf-8") != text for page, text in generate.pages(changed))


def test_every_validation_has_its_block_and_figure(generate, report):
    text = "".join(page.read_text("utf-8") for page, _ in generate.pages(report))
    for name in MODULES:
        assert text.count(f"<!-- verdict: {name} -->") == 1, name
        assert (DOCS / "figures" / "claims" / f"{name}.png").exists(), name


def test_the_report_refutes_nothing_and_is_of_these_claims(report):
    assert {verdict["claim"] for verdict in report["verdicts"]} == set(MODULES)
    assert "refuted" not in {verdict["status"] for verdict in report["verdicts"]}
