"""Rows on one thread: what is counted as what cannot be saved."""

from __future__ import annotations

import json

import numpy as np
import pytest

from dlnlab import cli
from dlnlab.bench import alone, literal, workloads
from dlnlab.bench.rows import ROWS, Row

SMALL = {
    "products": lambda: workloads.compressed(workloads.completion(12, 2, 0.5), (12, 12), 3),
    "reading": lambda: workloads.compressed(workloads.sensing(8, 2, 50), (8, 8), 3),
}


@pytest.mark.parametrize("least", SMALL)
def test_the_part_that_cannot_be_saved_is_named(monkeypatch, least):
    monkeypatch.setitem(ROWS, "small", Row("small", lambda: (SMALL[least](),), None))
    found = alone.measure("small", literal.NumpyLoop, 0.005, 3)
    assert found.least_name == least
    assert 0 < found.least.median < found.engine.median
    assert found.ratio.median > 0


def test_products_are_the_3_l_minus_1_of_a_step(monkeypatch):
    """The last layer's two products back and the forward ones, of the step's own arrays."""
    part = SMALL["products"]()
    calls = []
    monkeypatch.setattr(alone, "_repeated", calls.append)
    stepper = alone.kernels.stepper(
        alone.kernels.Run(part.problem(np.empty(0)), part.start(np.empty(0)), [part.eta] * 3)
    )
    assert alone._least(part, stepper)[1] == "products"
    assert len(calls[0]) == 3 * (len(part.weights) - 1)


def test_the_command_tells_of_a_row(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("dlnlab.commands.bench._reference_loops", lambda path: literal.NumpyLoop)
    code = cli.main(["bench", "alone", "--quick", "--json", str(tmp_path / "a.json")])
    assert code == 0
    assert "completion" in capsys.readouterr().out
    (found,) = json.loads((tmp_path / "a.json").read_text("utf-8"))["alone"]
    assert found["row"] == alone.ALONE[1]
