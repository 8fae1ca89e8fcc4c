"""The page on mutants says what is stored, every one that lives is explained, and the places that
are broken are those of the code."""

from __future__ import annotations

import ast
import copy
import json
from pathlib import Path

import mutants
import pytest
import scripts

ROOT = Path(__file__).parent.parent
DEFINED = (ast.FunctionDef, ast.ClassDef)


@pytest.fixture(scope="module")
def generate():
    """The script docs/generate_mutants.py, as a module."""
    return scripts.load("generate_mutants")


@pytest.fixture(scope="module")
def stored(generate):
    return json.loads(generate.DATA.read_text("utf-8"))


def test_the_page_says_what_the_data_say(generate, stored):
    text = generate.PAGE.read_text("utf-8")
    assert generate.page(stored) == text, "run python docs/generate_mutants.py"
    changed = copy.deepcopy(stored)
    changed["mutants"][0]["outcome"] = "killed later"
    assert generate.page(changed) != text


def test_enough_were_tried_in_every_room_and_those_that_live_are_explained(stored):
    tried = stored["mutants"]
    assert len(tried) >= 200
    assert {mutant["module"].split("/")[1] for mutant in tried} == set(mutants.CORE)
    for mutant in tried:
        assert mutant["outcome"] in ("killed", "killed later", "survived")
        assert ("by" in mutant) == (mutant["outcome"] != "survived")
        assert ("explained" in mutant) == (mutant["outcome"] == "survived")


def test_every_killer_that_is_named_is_there(stored):
    """The files and functions of tests; a doctest has the name of what it explains."""
    killers = [mutant["by"] for mutant in stored["mutants"] if "::" in mutant.get("by", "")]
    assert len(killers) > 150
    known = {}
    for path, function in (by.split("[")[0].split("::") for by in killers):
        if path not in known:
            tree = ast.parse((ROOT / path).read_text("utf-8"))
            known[path] = {n.name for n in ast.walk(tree) if isinstance(n, DEFINED)}
        assert function.rpartition(".")[2] in known[path], (path, function)


SOURCE = '''"""A module with 3 places, and a number in its docstring."""

LIMIT: "list[1]" = 3


def f(x: "int | None") -> float:
    """2 + 2."""
    return x + LIMIT if x > 0 else -x
'''


def test_places_are_those_of_code(tmp_path):
    """Numbers, operators and conditions are broken; what nothing evaluates is not."""
    pytest.importorskip("cosmic_ray")
    for room in mutants.CORE:
        (tmp_path / "dlnlab" / room).mkdir(parents=True)
    (tmp_path / "dlnlab" / "flow" / "a.py").write_text(SOURCE, "utf-8")
    found = list(mutants.mutants(tmp_path))
    assert found == list(mutants.mutants(tmp_path))
    befores = {mutant["before"] for mutant in found}
    assert befores == {'LIMIT: "list[1]" = 3', "return x + LIMIT if x > 0 else -x"}
    for mutant in found:
        assert mutant["after"] != mutant["before"]
        assert mutant["after"] in [
            line.strip() for line in mutants.mutated(tmp_path, mutant).split("\n")
        ]


def test_a_mutant_is_killed_by_a_test_that_sees_it_and_by_no_other(tmp_path):
    """In a package of its own that stands for dlnlab."""
    (tmp_path / "dlnlab").mkdir()
    (tmp_path / "dlnlab" / "__init__.py").write_text("def double(x):\n    return 2 * x\n", "utf-8")
    (tmp_path / "tests").mkdir()
    checks = "import dlnlab\n\ndef test_two():\n    assert dlnlab.double(2) == 4\n"
    blind = "import dlnlab\n\ndef test_zero():\n    assert dlnlab.double(0) == 0\n"
    (tmp_path / "tests" / "test_seeing.py").write_text(checks, "utf-8")
    (tmp_path / "tests" / "test_blind.py").write_text(blind, "utf-8")
    broken = "def double(x):\n    return 3 * x\n"
    mutant = {"module": "dlnlab/__init__.py"}
    for names, told in (
        (["tests/test_blind.py"], {"outcome": "survived"}),
        (["tests/test_blind.py", "tests/test_seeing.py"], {"outcome": "killed"}),
    ):
        found = mutants.trial(tmp_path, mutant | {"tests": names}, broken, 30.0)
        assert found.items() >= told.items()
    assert found["by"] == "tests/test_seeing.py::test_two"
    assert mutants.trial(tmp_path, mutant | {"tests": names}, "1 /", 30.0)["by"] == "import"
    assert "2 * x" in (tmp_path / "dlnlab" / "__init__.py").read_text("utf-8")
