"""Proofs and validations are found wherever the package is: in a checkout, and installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

WANTED = "import dlnlab.proofs.lemma1; from dlnlab import validations; print(validations.__file__)"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, without the site that holds an editable install of this package."""
    paths = [p for p in sys.path if "site-packages" in p]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "OPENBLAS_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-S", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def checkout(tmp_path):
    for name in ("dlnlab", "proofs", "validations"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["-m", "dlnlab", "prove", "lemma1"], "lemma1: PROVED"),
        (["-m", "dlnlab.proofs.lemma1"], "lemma1: PROVED"),
        (["-c", WANTED], os.path.join("validations", "__init__.py")),
    ],
    ids=["command", "module", "import"],
)
def test_a_checkout_that_is_not_installed_has_its_proofs(checkout, arguments, expected):
    done = run(checkout, *arguments)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_an_installed_package_has_its_own(checkout):
    """Its folders are inside, and others that happen to lie beside it are none of its own."""
    for name in ("proofs", "validations"):
        shutil.copytree(checkout / name, checkout / "dlnlab" / name)
    done = run(checkout, "-c", WANTED)
    assert done.stdout.strip() == str(checkout / "dlnlab" / "validations" / "__init__.py")


def test_without_the_folders_nothing_is_found(checkout):
    """The test of a checkout can fail."""
    shutil.rmtree(checkout / "validations")
    done = run(checkout, "-c", WANTED)
    assert done.returncode != 0
    assert "No module named 'dlnlab.proofs'" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="publishing runs on Linux, by its sed")
def test_published_readme_has_whole_addresses(tmp_path):
    """PyPI shows it away from the repository; a relative picture would be missing there."""
    steps = (ROOT / ".github" / "workflows" / "publish.yml").read_text(encoding="utf-8")
    script = re.search(r"^ +sed -i.*?README\.md$", steps, re.MULTILINE | re.DOTALL)[0]
    shutil.copy(ROOT / "README.md", tmp_path)
    there = {"GITHUB_REPOSITORY": "someone/dlnlab", "GITHUB_REF_NAME": "v1"}
    subprocess.run(["bash", "-c", script], cwd=tmp_path, env=os.environ | there, check=True)
    links = re.findall(r"\]\(([^)]*)\)", (tmp_path / "README.md").read_text(encoding="utf-8"))
    assert all(link.startswith("https://") for link in links)
    raw = "https://raw.githubusercontent.com/someone/dlnlab/v1/"
    assert [link for link in links if link.endswith(".png")] == [f"{raw}docs/figures/overview.png"]


def test_lowest_versions_are_the_floors_of_what_is_required():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    floors = dict(d.split(">=") for d in tomllib.loads(text)["project"]["dependencies"])
    pinned = (ROOT / "tests" / "lowest.txt").read_text(encoding="utf-8")
    lowest = dict(re.findall(r"^([\w-]+)==([\d.]+)$", pinned, re.MULTILINE))
    assert {name: lowest.get(name) for name in floors} == floors
    assert "python-flint" in floors  # or a plain install could not carry out every proof
