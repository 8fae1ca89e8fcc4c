"""The house rules: imports go one way, names are public on purpose, style and types are checked."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

import pytest

import dlnlab

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dlnlab"

ORDER = [
    "siblings",
    "threads",
    "headroom",
    "arrays",
    "checks",
    "untrusted",
    "products",
    "krylov",
    "spectra",
    "targets",
    "ensembles",
    "problems",
    "networks",
    "nets",
    "data",
    "ratings",
    "movielens",
    "modes",
    "parsimony",
    "spans",
    "formulations",
    "progress",
    "fingerprints",
    "layouts",
    "locks",
    "storage",
    "executors",
    "campaigns",
    "trajectory",
    "steppers",
    "memory",
    "descent",
    "baselines",
    "claims",
    "flow",
    "bench",
    "experiments",
    "plotting",
    "report",
    "commands",
    "cli",
]
"""Rooms from the ground floor up; a room imports from those below it only."""

LAZY = {("data", "plotting"), ("flow", "plotting"), ("flow", "report"), ("experiments", "plotting")}
"""Results draw and print themselves, and images are read by who draws them: the only imports
upwards, and only inside functions."""


def modules():
    names = [m.name for m in pkgutil.walk_packages([str(PACKAGE)], "dlnlab.")]
    return [name for name in names if not name.endswith("__main__")]


def room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "dlnlab" and len(parts) > 1 else None


def imports(path: Path):
    """Yield (imported module, whether inside a function) for every import of dlnlab in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inner = {id(n) for f in ast.walk(tree) if isinstance(f, ast.FunctionDef) for n in ast.walk(f)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            if node.module == "dlnlab":
                names = [f"dlnlab.{alias.name}" for alias in node.names]
            else:
                names = [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        yield from ((name, id(node) in inner) for name in names)


def test_every_room_has_its_floor():
    assert {room(name) for name in modules()} == set(ORDER)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: p.stem)
def test_imports_go_down_only(path):
    here = room("dlnlab." + ".".join(path.relative_to(PACKAGE).with_suffix("").parts))
    if here in ("__init__", "__main__"):
        return
    for name, inside_function in imports(path):
        there = room(name)
        if there is None or there == here or there not in ORDER:
            continue
        if inside_function and (here, there) in LAZY:
            continue
        assert ORDER.index(there) < ORDER.index(here), f"{here} imports {there}, which is above it"


def test_the_import_test_can_fail(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text("def f():\n    import dlnlab.cli\nfrom dlnlab import flow\n")
    assert sorted(imports(bad)) == [("dlnlab.cli", True), ("dlnlab.flow", False)]


@pytest.mark.parametrize(("library", "home"), [("cupy", "arrays"), ("matplotlib", "plotting")])
def test_one_room_only_names_a_backend(library, home):
    pattern = re.compile(rf"^\s*(import|from) {library}|modules\[.{library}", re.MULTILINE)
    using = [p for p in PACKAGE.rglob("*.py") if pattern.search(p.read_text("utf-8"))]
    assert {p.relative_to(PACKAGE).with_suffix("").parts[0] for p in using} == {home}


@pytest.mark.parametrize("name", modules())
def test_all_lists_what_a_module_defines(name):
    module = importlib.import_module(name)
    public = set(getattr(module, "__all__", ()))
    assert public, f"{name} has no __all__"
    assert all(hasattr(module, item) for item in public)
    assert module.__doc__


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
    heavy = "{'matplotlib', 'sympy', 'hypothesis', 'cupy', 'pytest', 'xarray', 'pooch'}"
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
