"""How long experiments will take: finished seeds first, then measured times for this machine."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
from pathlib import Path

import pytest

from dlnlab import campaigns
from dlnlab.commands import schedule
from dlnlab.experiments import EXPERIMENTS, Experiment, Panel, Yardstick, durations


def measure(configuration):
    """What is measured does not matter here."""
    return {"curves": {}, "values": {}}


TOY = Experiment(
    name="toy1",
    title="A toy",
    claim="None.",
    settings={"paper": {"n": 1}, "code": {"n": 2}},
    quick={"n": 0},
    measure=measure,
    yardsticks=(Yardstick("x", "x", low=0.0, source="made up"),),
    panels=(Panel("x", "y", "x", "y"),),
)
TABLE = {"toy1": {"paper": {"full": 10.0, "quick": 1.0}, "code": {"full": 300.0}}}


@pytest.fixture
def told(monkeypatch, tmp_path):
    """Estimate the toy with the times in `TABLE`, a unit of half a second and three seeds."""
    monkeypatch.setattr(durations, "known", lambda: TABLE)

    def estimate(quick=False):
        parts = {name: TOY.configurations(name, 3, quick=quick) for name in TOY.settings}
        return durations.estimate(TOY, parts, tmp_path / "toy1.jsonl", 0.5, quick=quick)

    return estimate


def finish(path, configuration, seconds):
    """Keep a run as if it had taken that long."""
    campaigns.run(measure, [configuration], path=path, executor="serial")
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    rows[-1]["seconds"] = seconds
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def test_each_reading_has_its_own_time_on_this_machine(told):
    assert told() == durations.Estimate("toy1", 0, (5.0,) * 3 + (150.0,) * 3)


def test_a_time_that_was_never_measured_is_not_guessed(told):
    quick = told(quick=True).runs
    assert quick[:3] == (0.5,) * 3
    assert all(math.isnan(seconds) for seconds in quick[3:])
    assert math.isnan(durations.makespan(quick, 2))
    lines = schedule.table([told(quick=True)], 1).splitlines()
    assert lines[1].split() == ["toy1", "6", "0", "0.5,", "or", "not", "known", "not", "known"]
    assert lines[2].split() == ["all", "6", "0", "0", "s", "and", "1", "not", "known"]


def test_finished_runs_do_not_count_and_tell_the_others_time(told, tmp_path):
    path = tmp_path / "toy1.jsonl"
    for seed, seconds in ((0, 40.0), (2, 50.0)):
        finish(path, TOY.configurations("code", 3)[seed], seconds)
    assert told() == durations.Estimate("toy1", 2, (5.0, 5.0, 5.0, 45.0))


def test_looking_up_what_is_finished_changes_nothing(tmp_path):
    path = tmp_path / "toy1.jsonl"
    configurations = TOY.configurations("paper", 2)
    assert campaigns.seconds(measure, configurations, path) == [None, None]
    assert not path.exists()
    finish(path, configurations[1], 3.5)
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"key": "c07')  # by a run that is writing just now, or was killed
    before = path.read_bytes()
    assert campaigns.seconds(measure, configurations, path) == [None, 3.5]
    assert path.read_bytes() == before
    path.write_text("{}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 1: not a result of a campaign"):
        campaigns.seconds(measure, configurations, path)


@pytest.mark.parametrize(
    ("runs", "workers", "seconds"),
    [
        ((), 2, 0.0),
        ((1.0, 2.0, 3.0), 1, 6.0),
        ((1.0, 1.0, 10.0), 2, 11.0),  # not 6: the long one begins last, and cannot be shared
        ((10.0, 1.0, 1.0), 2, 10.0),
        ((1.0, 2.0), 8, 2.0),
    ],
)
def test_the_time_on_workers(runs, workers, seconds):
    assert durations.makespan(runs, workers) == seconds


def test_the_table_has_a_line_for_each_figure_and_the_sum():
    estimates = [
        durations.Estimate("fig2", 3, (30.0, 60.0, 90.0)),
        durations.Estimate("fig3", 4, ()),
        durations.Estimate("fig4", 0, (7000.0,)),
    ]
    lines = [line.split("  ") for line in schedule.table(estimates, 2).splitlines()]
    cells = [[cell.strip() for cell in line if cell.strip()] for line in lines]
    assert cells == [
        ["to do", "finished", "seconds a run", "on 2 workers"],
        ["fig2", "3", "3", "30 to 90", "2 minutes"],
        ["fig3", "0", "4", "–", "–"],
        ["fig4", "1", "0", "7000", "117 minutes"],
        ["all", "4", "7", "119 minutes"],
    ]
    assert (
        schedule.compared(115.0, estimates[:1], 2) == "runs took 1.9 minutes, estimated 2 minutes"
    )
    told = schedule.compared(7100.0, estimates, 2)
    assert told == "runs took 118 minutes, estimated 119 minutes"
    assert schedule.compared(0.1, estimates[1:2], 2) == "nothing to run"


def test_the_calibration_takes_the_time_of_its_steps(monkeypatch):
    steps = durations.STEPS
    monkeypatch.setattr(durations, "PIECES", 1)

    def least(times):  # of five: what else the machine does can only add to it
        monkeypatch.setattr(durations, "STEPS", tuple(times * count for count in steps))
        return min(durations.calibration() for _ in range(5))

    ratio = least(16) / least(4)  # so many that the set-up, which a loaded machine draws out, is
    assert 2 < ratio < 8  # a small part of either


def test_every_quick_run_has_a_measured_time_and_none_is_of_the_past():
    table = durations.known()
    assert set(table) <= set(EXPERIMENTS)
    for name, experiment in EXPERIMENTS.items():
        assert set(table.get(name, {})) <= set(experiment.settings)
        if not experiment.needs_data:
            assert all("quick" in table[name][reading] for reading in experiment.settings), name
    assert all(t > 0 for e in table.values() for times in e.values() for t in times.values())


@pytest.fixture
def generate():
    """The script that writes the times."""
    path = Path(__file__).parent.parent / "docs" / "generate_durations.py"
    spec = importlib.util.spec_from_file_location("generate_durations", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_times_are_made_from_finished_runs(generate, monkeypatch, tmp_path):
    """The median over seeds, in units of the calibration; what is not there stays as it was."""
    (tmp_path / "toy1").mkdir()
    for seed, seconds in enumerate((2.0, 4.0, 60.0)):
        finish(tmp_path / "toy1" / "toy1.jsonl", TOY.configurations("code", 3)[seed], seconds)
    monkeypatch.setattr(generate, "EXPERIMENTS", {"toy1": TOY})
    monkeypatch.setattr(generate, "FILE", tmp_path / "durations.json")
    monkeypatch.setattr(durations, "known", lambda: json.loads(json.dumps(TABLE | {"gone": {}})))
    monkeypatch.setattr(generate, "unit_here", lambda: 0.5)
    generate.main([tmp_path])
    made = json.loads((tmp_path / "durations.json").read_text("utf-8"))
    assert made == {"toy1": {"paper": {"full": 10.0, "quick": 1.0}, "code": {"full": 8.0}}}


def test_the_times_of_an_experiment_on_a_data_set_are_found(generate, tmp_path):
    needy = dataclasses.replace(TOY, needs_data="the folder of something")
    (tmp_path / "toy1").mkdir()
    configuration = needy.configurations("paper", 1, data="there")[0]
    finish(tmp_path / "toy1" / "toy1.jsonl", configuration, 3.0)
    assert generate.times(needy, "paper", tmp_path, quick=False) == []
    manifest = tmp_path / "toy1" / "toy1-manifest.json"
    manifest.write_text(json.dumps({"parameters": {"data": "there"}}), encoding="utf-8")
    assert generate.times(needy, "paper", tmp_path, quick=False) == [3.0]
