"""The house rules: imports go one way, names are public on purpose, style and types are checked."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest
import structure

import dlnlab

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dlnlab"

ORDER = [
    "siblings",
    "version",
    "results",
    "numerics",
    "progress",
    "terminal",
    "files",
    "campaigns",
    "problems",
    "networks",
    "methods",
    "data",
    "reductions",
    "training",
    "nets",
    "baselines",
    "compression",
    "claims",
    "flow",
    "bench",
    "experiments",
    "lab",
    "dlnlab",
    "proofs",
    "plotting",
    "report",
    "atlas",
    "validations",
    "explorer",
    "commands",
    "cli",
    "__main__",
]
"""Rooms from the ground floor up; a room imports from those below it only."""

FLOORS = 12
"""The house is no higher: the longest way down, from import to import."""


HOUSE = structure.modules()
ROOMS = structure.rooms(HOUSE)


def test_every_room_has_its_floor():
    assert set(ROOMS) == set(ORDER)


def test_imports_go_down_only():
    assert structure.upward(ROOMS, ORDER) == []


def test_the_house_is_low():
    assert max(structure.floors(ROOMS).values()) <= FLOORS


def test_the_guide_draws_the_house_as_it_is():
    """The table in CONTRIBUTING.md has every room, and the line above it counts them."""
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    floors = max(structure.floors(ROOMS).values())
    assert f"{len(ROOMS)} rooms on {floors} floors" in guide
    beside = {"dlnlab", "__main__", "proofs", "validations"}  # told of in words, or not at all
    table = "".join(line for line in guide.splitlines() if line.startswith("| `"))
    assert set(re.findall(r"`(\w+)`", table.replace("/", ""))) >= set(ROOMS) - beside


@pytest.mark.parametrize("graph", [ROOMS, HOUSE], ids=["rooms", "modules"])
def test_no_circles(graph):
    """Imports inside functions are counted; there is no list of exceptions."""
    assert structure.circle(graph) == []


def test_the_tests_of_the_house_can_fail(tmp_path):
    (tmp_path / "dlnlab" / "a").mkdir(parents=True)
    (tmp_path / "dlnlab" / "__init__.py").write_text("")
    (tmp_path / "dlnlab" / "a" / "__init__.py").write_text("def f():\n    from .. import b\n")
    (tmp_path / "dlnlab" / "b.py").write_text("import dlnlab.a\n")
    house = structure.modules(tmp_path)
    assert house == {"dlnlab": set(), "dlnlab.a": {"dlnlab.b"}, "dlnlab.b": {"dlnlab.a"}}
    (tmp_path / "dlnlab" / "c.py").write_text("class A: ...\n\nclass _A: ...\n\nclass B: ...\n")
    assert structure.class_names(tmp_path) == {"A": 2, "B": 1}
    rooms = structure.rooms(house)
    assert set(structure.circle(house)) == {"dlnlab.a", "dlnlab.b"}
    assert set(structure.circle(rooms)) == {"a", "b"}
    assert structure.upward(rooms, ["dlnlab", "b", "a"]) == [("b", "a")]
    assert structure.floors({"c": {"b"}, "b": {"a"}, "a": set()}) == {"a": 1, "b": 2, "c": 3}


SHARED_NAMES = {"Network"}
"""A classifier of `dlnlab.nets`, and what an experiment trains: both are public."""


def test_one_name_is_one_class():
    assert {name for name, count in structure.class_names().items() if count > 1} == SHARED_NAMES


def test_tests_lie_where_the_package_has_what_they_test():
    """A folder of tests is a folder of the package; at the top are tests of the whole of it."""
    folders = {path.parent.relative_to(ROOT / "tests") for path in ROOT.glob("tests/**/test_*.py")}
    rooms = {path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if path.is_dir()}
    assert folders <= rooms | {Path(), Path("proofs"), Path("validations")}


@pytest.mark.parametrize(("library", "home"), [("cupy", "numerics"), ("matplotlib", "plotting")])
def test_one_room_only_names_a_backend(library, home):
    pattern = re.compile(rf"^\s*(import|from) {library}|modules\[.{library}", re.MULTILINE)
    using = [p for p in PACKAGE.rglob("*.py") if pattern.search(p.read_text("utf-8"))]
    assert {p.relative_to(PACKAGE).with_suffix("").parts[0] for p in using} == {home}


FILES = {name: path for name, path in structure.files().items() if path.name != "__main__.py"}


def check_listed(name, path, listed):
    """Compare `__all__` with what a module defines; a package may also hand on what it imports."""
    public = structure.defined(name, path)
    assert public <= listed if path.name == "__init__.py" else public == listed


@pytest.mark.parametrize("name", FILES)
def test_all_lists_what_a_module_defines(name):
    module = importlib.import_module(name)
    check_listed(name, FILES[name], set(module.__all__))
    assert all(hasattr(module, item) for item in module.__all__)
    assert module.__doc__


def test_the_test_of_lists_can_fail(tmp_path):
    path = tmp_path / "a.py"
    path.write_text(
        "import os\nfrom m import x as x, y\nA = 1\n_b = 2\ndef f(): ...\nclass C: ...\n"
    )
    check_listed("dlnlab.a", path, {"A", "C", "f", "x"})
    for wrong in ({"A", "C", "f"}, {"A", "C", "f", "x", "y"}, {"A", "C", "f", "x", "_b"}):
        with pytest.raises(AssertionError):
            check_listed("dlnlab.a", path, wrong)


def public_objects():
    for name in dlnlab.__all__:
        value = getattr(dlnlab, name)
        if callable(value):
            yield name, value


@pytest.mark.parametrize(("name", "value"), list(public_objects()))
def test_public_names_are_documented(name, value):
    assert value.__doc__
    assert len(value.__doc__) > 40, name


def test_import_is_light():
    """Matplotlib, SymPy, Hypothesis and CuPy are loaded when they are needed, not before."""
    heavy = {"matplotlib", "sympy", "mpmath", "hypothesis", "cupy", "pytest", "xarray", "pooch"}
    heavy |= {"scipy.io", "numba"}
    code = f"import sys, dlnlab, dlnlab.cli; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]], ids=" ".join
)
def test_style_and_types(command):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def unstable(ids: Iterable[str]) -> list[str]:
    """Return the ids that hold the address of an object, which another process does not have."""
    return [name for name in ids if re.search(r"\b0x[0-9a-f]{6,}", name)]


def test_every_process_names_the_tests_alike(request):
    """The processes of pytest-xdist must agree on what there is to run."""
    assert unstable(item.nodeid for item in request.session.items) == []


def test_the_test_of_names_can_fail():
    address = f"test_a[{object()}]"
    assert unstable(["test_a[f-0]", address, "test_a[0x1f]"]) == [address]


def first_block(text: str) -> list[str]:
    return re.search(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE).group(1).splitlines()


def test_readme_starts_with_two_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    run, test = first_block(readme)
    assert "dlnlab compare" in run
    assert "pytest" in test
    assert len(readme.splitlines()) < 100


def test_versions_agree():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert project["version"] == dlnlab.__version__
    assert f"version: {dlnlab.__version__}" in citation


def test_links_in_the_docs_lead_somewhere():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.name}: {link}"
