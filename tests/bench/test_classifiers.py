"""Classifiers against torch, and the script that measures on a GPU for as long as it may."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from dlnlab import nets
from dlnlab.bench import ROWS, classifiers

SCRIPT = Path(__file__).parents[2] / "docs" / "measure_gpu.py"
SMALL = {
    "mlp": classifiers.ClassifierCase("small", nets.mlp(20, 16, 3, "dln"), 16),
    "vit": classifiers.ClassifierCase("small", nets.vit((8, 8, 3), 4, 16, 2, 2, 24, 3, "dln"), 8),
}


def measured(case, precision):
    return classifiers.measure(case, SMALL[case], precision, np.empty(0), 0.001, 2)


@pytest.mark.parametrize("precision", classifiers.PRECISIONS)
@pytest.mark.parametrize("case", SMALL)
def test_torch_takes_the_same_steps(case, precision):
    pytest.importorskip("torch")
    found = measured(case, precision).to_dict()
    assert found["deviation"] <= classifiers.PRECISIONS[precision][1]
    assert found["engine"]["median"] > 0
    assert found["peer"]["median"] > 0


def test_other_steps_are_not_timed(monkeypatch):
    torch = pytest.importorskip("torch")
    right = torch.optim.SGD
    monkeypatch.setattr(torch.optim, "SGD", lambda params, lr: right(params, lr=lr * (1 + 1e-6)))
    with pytest.raises(ValueError, match=r"mlp: parameters of torch differ by [\d.]+e-07, float64"):
        measured("mlp", "float64")


@pytest.fixture
def script():
    spec = importlib.util.spec_from_file_location("measure_gpu", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_run_continues_where_it_was_cut_off(script, monkeypatch, tmp_path, capsys):
    out, tried = tmp_path / "gpu.json", []
    names = [step.name for step in script.steps("gpu", tmp_path / "r")]
    assert len(set(names)) == len(names)
    assert set(ROWS) - set(names) == set(script.LEFT_OUT)

    def carry_out(step, result, seconds):
        tried.append(step.name)
        if len(tried) == 2:
            raise RuntimeError("no such chip")
        if len(tried) == 4:
            raise KeyboardInterrupt  # the machine is taken away
        return {"number": len(tried)}

    monkeypatch.setattr(script, "carry_out", carry_out)
    with pytest.raises(KeyboardInterrupt):
        script.main(["--out", str(out)])
    assert json.loads(out.read_text("utf-8")) == {names[0]: {"number": 1}, names[2]: {"number": 3}}
    assert f"{names[1]}: no such chip" in capsys.readouterr().out
    assert (
        script.main(["--out", str(out), "--minutes", "0.1"]) == len(names) - 2
    )  # no time to start
    assert script.main(["--out", str(out)]) == 0
    assert sorted(tried[4:]) == sorted(set(names) - {names[0], names[2]})
    assert set(json.loads(out.read_text("utf-8"))) == set(names)


def test_a_step_that_fails_or_takes_too_long_says_so(script, tmp_path):
    result = tmp_path / "result.json"
    step = next(script.steps("cpu", result))
    late = step._replace(command=[script.sys.executable, "-c", "import time; time.sleep(9)"])
    with pytest.raises(RuntimeError, match="the time was over"):
        script.carry_out(late, result, 0.1)
    wrong = step._replace(command=[script.sys.executable, "-c", "raise SystemExit('no chip')"])
    with pytest.raises(RuntimeError, match="no chip"):
        script.carry_out(wrong, result, 60)
