"""The experiment that compresses one network in all ways, and the page that tells of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scripts

from dlnlab.experiments import compressing

DOCS = Path(__file__).parents[2] / "docs"
SMALL = {"d": 12, "rank": 2, "noise": 0.01, "steps": 600, "tune": 200}


@pytest.fixture(scope="module")
def generate():
    return scripts.load("generate_compression")


@pytest.mark.parametrize("kind", ["factorization", "completion", "sensing"])
def test_recovery_in_all_ways(kind):
    found = compressing.measure({"kind": kind, "seed": 0} | SMALL)
    assert len(found) == 5
    for method, row in found.items():
        assert 0 < row["fine_tuned"] < 1, method
        assert row["seconds"] >= 0
    assert found["group Lasso + pruning"]["parameters"] == 24
    assert found["truncated SVD"]["parameters"] == 48
    if kind == "factorization":  # the best matrix of the rank is the same whoever finds it
        ends = [row["fine_tuned"] for row in found.values()]
        assert max(ends) / min(ends) < 1.01


def test_digits_in_all_ways():
    found = compressing.measure(
        {"kind": "digits", "seed": 0, "width": 64, "rank": 4, "steps": 8, "tune": 4}
    )
    assert len(found) == 6
    assert all(0 < row["fine_tuned"] < 1 for row in found.values())


def test_the_penalty_leaves_four_columns_and_none_leaves_many():
    with_it, without = (np.array(compressing.columns(x, width=60)) for x in (0.05, 0.0))
    assert np.sum(with_it > 1e-3) == 4
    assert np.sum(without > 0.25) > 30


def test_the_page_is_what_the_experiment_found(generate):
    record = json.loads(generate.DATA.read_text("utf-8"))
    text = generate.PAGE.read_text("utf-8")
    assert generate.page(record, text) == text
    record["results"][0]["truncated SVD"]["seconds"] += 1000
    for result in record["results"][:5]:
        result["truncated SVD"]["zero_shot"] += 1
    assert generate.page(record, text) != text
