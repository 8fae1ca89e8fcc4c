"""The map of where claims on classifiers fail: its generator, its figure, what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scripts

from dlnlab.lab import samples
from dlnlab.plotting import classifiers

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def generate():
    return scripts.load("generate_classifiers")


@pytest.fixture(scope="module")
def record():
    return json.loads((DOCS / "data" / "classifiers.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def cells(record):
    return record["cells"]


def test_a_cell_measures_what_is_drawn(generate, monkeypatch):
    monkeypatch.setattr(generate, "STEPS", 10)
    X, y = samples.clusters(np.random.default_rng(0), 60, 64, 10)
    found = generate.measured((X, y), (X, y), "sgd", 0.1, 8, 0)
    assert found.keys() == classifiers.QUANTITIES.keys()
    assert 0.5 < found["excess"] <= 1
    assert 0 <= found["turned"] <= 1
    diverged = generate.median([found, found | {"behind": np.nan}])
    assert diverged["behind"] is None
    assert diverged["excess"] == found["excess"]


def test_the_map_has_a_panel_for_every_quantity_and_method(cells):
    figure = classifiers.failures(cells)
    assert len(figure.axes) == 2 * len(classifiers.QUANTITIES)
    texts = [text.get_text() for text in figure.axes[4].texts]
    assert len(texts) == 16
    assert texts.count("div.") == sum(c["behind"] is None for c in cells if c["method"] == "sgd")


def test_the_map_of_times_has_a_panel_for_each_ratio_and_what_its_cells_measure(generate, record):
    figure = classifiers.times(record["times"])
    assert len(figure.axes) == len(classifiers.RATIOS) == 2
    first = record["times"][0]["seconds"]
    told = figure.axes[0].texts[0].get_text()
    assert told == f"{first['dln'] / first['compressed']:.2f}"
    assert generate.seconds(16, 2).keys() == first.keys()


def test_the_page_says_what_the_map_shows(cells):
    descent = [cell for cell in cells if cell["method"] == "sgd"]
    adam = [cell for cell in cells if cell["method"] == "adam"]
    assert min(cell["excess"] for cell in descent) > 0.94
    assert 0.74 < min(cell["excess"] for cell in adam) < 0.75
    assert max(cell["excess"] for cell in adam if cell["batch"] is None) < 0.89
    assert min(cell["turned"] for cell in cells if cell["training"] > 70) >= 0.4
    behind = [c["behind"] for c in adam if 1e-3 <= c["eta"] < 0.03 and c["training"] > 95]
    assert max(behind) < 5
