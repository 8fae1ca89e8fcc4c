"""CONTRIBUTING's examples, a claim and an experiment, really added to a copy of the tree."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILE = re.compile(r"<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PARTS = ("dlnlab", "proofs", "validations", "tests", "docs", ".github")


@pytest.fixture(scope="module")
def examples():
    return dict(FILE.findall((ROOT / "CONTRIBUTING.md").read_text("utf-8")))


@pytest.fixture
def copy(tmp_path):
    """A copy of the checkout."""
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy(path, tmp_path)
    for part in PARTS:
        if (ROOT / part).exists():
            ignore = shutil.ignore_patterns("__pycache__", "_build")
            shutil.copytree(ROOT / part, tmp_path / part, ignore=ignore)
    return tmp_path


def run(folder, *command):
    environment = os.environ | {"PYTHONPATH": str(folder), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def add(folder, examples, name):
    """Write an example's files, and the one line that registers a claim."""
    for path, text in examples.items():
        if Path(path).stem == name:
            (folder / path).write_text(text, encoding="utf-8")
    registry = folder / "dlnlab" / "claims" / "__init__.py"
    if name == "nuclear":
        text = registry.read_text("utf-8")
        registry.write_text(text.replace('    "lemma1",\n', '    "lemma1",\n    "nuclear",\n'))


def suite(folder, chosen, *files):
    return run(
        folder,
        *("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-cov", "-k"),
        *(chosen, *(f"tests/{name}.py" for name in files)),
    )


def test_the_examples_are_as_few_files_as_promised(examples):
    assert [path for path in examples if "nuclear" in path] == [
        "dlnlab/claims/nuclear.py",
        "validations/nuclear.py",
        "docs/claims/nuclear.md",
    ]
    assert [path for path in examples if "width1" in path] == ["dlnlab/experiments/ours/width1.py"]


def test_a_claim_is_added(examples, copy):
    """Three files by hand, one of data, one line; the tests that go through the claims pass."""
    before = {path for path in copy.rglob("*") if "__pycache__" not in path.parts}
    add(copy, examples, "nuclear")
    report = copy / "report.json"
    options = ("--profile", "ci", "--executor", "serial", "--json", str(report))
    told = run(copy, "-m", "dlnlab", "validate", "nuclear", *options)
    assert "nuclear" in told
    run(copy, "docs/generate.py", str(report))
    report.unlink()
    after = {path for path in copy.rglob("*") if "__pycache__" not in path.parts}
    assert sorted(str(path.relative_to(copy)) for path in after - before) == [
        "dlnlab/claims/nuclear.py",
        "docs/claims/nuclear.md",
        "docs/data/verdicts/nuclear.json",
        "validations/nuclear.py",
    ]
    suite(copy, "not can_fail", "test_house", "test_docs")
    suite(copy, "statuses or unique or rests_on or witnesses", "claims/test_registry")
    suite(copy, "nuclear or registered or faults_for", "validations/test_validations")
    suite(copy, "registered or every_proof or name_each_other", "proofs/test_proofs")


def test_an_experiment_is_added(examples, copy):
    add(copy, examples, "width1")
    options = ("--quick", "--executor", "serial", "--out", str(copy / "out"))
    assert "width1" in run(copy, "-m", "dlnlab", "reproduce", "width1", *options)
    suite(copy, "width1 or catalogue or order or absent or index", "experiments/test_experiments")
