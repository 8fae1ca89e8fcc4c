"""Verdicts elsewhere: what is stored of other kernels, threads and versions, and how it is held
against the reference; the lowest versions are those of pyproject.toml."""

from __future__ import annotations

import copy
import json
import math
import tomllib
from pathlib import Path

import pytest
import scripts

from dlnlab.claims import CLAIMS

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def generate():
    """The script docs/generate_platforms.py, as a module."""
    return scripts.load("generate_platforms")


@pytest.fixture(scope="module")
def stored(generate):
    return json.loads(generate.DATA.read_text("utf-8"))


def test_the_page_says_what_the_data_say(generate, stored):
    text = generate.PAGE.read_text("utf-8")
    assert generate.page(stored) == text, "run python docs/generate_platforms.py"
    changed = copy.deepcopy(stored)
    changed["runs"][0]["margins"] += 1
    assert generate.page(changed) != text


def test_verdicts_are_the_same_everywhere(generate, stored):
    for run in stored["runs"]:
        assert run["differing"] == []
        assert run["verdicts"] > len(CLAIMS) + 5 * len(generate.cases())


def test_margins_are_within_their_errors_everywhere(stored):
    assert [run["beyond"] for run in stored["runs"]] == [[]] * len(stored["runs"])


def test_kernels_threads_and_versions_are_covered(stored):
    places = [stored["reference"], *stored["runs"]]
    assert {place["instructions"] for place in places} == {"AVX2", "AVX-512"}
    assert {place["threads"] for place in places} == {1, 2}
    assert {place["versions"]["numpy"] for place in places} >= {"2.0.0"}


def verdict(margin, error, time=0.0, **others):
    told = {"status": "proved", "contradicted": False, "unmet": []}
    return told | {"margin": margin, "error": error, "time": time} | others


def run(there, listed=((0.5, 1e-9, 0.0),), at=(0.25, 1e-12)):
    """One run of one comparison and one validation."""
    place = {"threads": 1}
    comparison = {"verdicts": {"theorem2": there}, "at": {"σ_1": list(at)}}
    return place | {
        "compared": {"case": comparison},
        "validated": {"lemma1": verdict(0.0, 1e-9)},
        "instances": {"lemma1, random, 0": [list(one) for one in listed]},
    }


def held(generate, *runs):
    [found] = generate.compare(runs)["runs"]
    return found


def test_equal_runs_agree(generate):
    found = held(generate, run(verdict(1.0, 1e-9)), run(verdict(1.0, 1e-9)))
    assert (found["verdicts"], found["margins"]) == (2, 3)
    assert (found["differing"], found["beyond"], found["largest"]["ratio"]) == ([], [], 0.0)


@pytest.mark.parametrize(
    "other", [{"status": "refuted"}, {"contradicted": True}, {"unmet": ["dominance"]}]
)
def test_another_verdict_is_seen(generate, other):
    found = held(generate, run(verdict(1.0, 1e-9)), run(verdict(1.0, 1e-9, **other)))
    assert [d["where"] for d in found["differing"]] == ["compare case: theorem2"]


@pytest.mark.parametrize(
    "changed",
    [
        run(verdict(1.0 + 3e-9, 1e-9)),
        run(verdict(1.0, 1e-9), listed=[(0.5 + 3e-9, 1e-9, 0.0)]),
        run(verdict(1.0, 1e-9), at=(0.25 + 3e-12, 1e-12)),
    ],
)
def test_a_margin_beyond_both_errors_is_seen(generate, changed):
    found = held(generate, run(verdict(1.0, 1e-9)), changed)
    [beyond] = found["beyond"]
    assert beyond["ratio"] == pytest.approx(1.5, rel=1e-3)  # 3 of 2; 3e-12 is read off 0.25


def test_a_margin_of_another_time_or_without_meaning_is_counted_apart(generate):
    found = held(generate, run(verdict(1.0, 1e-9, 2.0)), run(verdict(1.1, 1e-9, 2.1)))
    assert (found["margins"], found["elsewhen"], found["unmeasured"]) == (2, 1, 0)
    assert [moved["where"] for moved in found["moved"]] == ["compare case: theorem2"]
    found = held(generate, run(verdict(math.nan, 1e4)), run(verdict(1.1, 1e-9)))
    assert (found["margins"], found["elsewhen"], found["unmeasured"]) == (2, 0, 1)


def test_runs_of_different_code_are_refused(generate):
    one, other = (run(verdict(1.0, 1e-9)) for _ in range(2))
    other["instances"]["lemma1, random, 0"] *= 2
    with pytest.raises(ValueError, match="1 and 2 instances"):
        generate.compare([one, other])
    del other["validated"]["lemma1"]
    with pytest.raises(ValueError, match="one state of the code"):
        generate.compare([one, other])


def test_the_lowest_versions_are_the_floors_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    needed = {floor.replace(">=", "==") for floor in project["dependencies"]}
    extra = {floor.replace(">=", "==") for floor in project["optional-dependencies"]["test"]}
    lines = (ROOT / "tests" / "lowest.txt").read_text("utf-8").splitlines()
    pinned = {line for line in lines if not line.startswith("#")}
    assert needed <= pinned <= needed | extra
