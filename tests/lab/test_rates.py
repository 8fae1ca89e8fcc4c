"""Rates of attacks: what is timed, and what is made of it."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace

import pytest

from dlnlab import cli
from dlnlab.claims.claim import CONJECTURE
from dlnlab.lab import rates, suite

LEMMA = suite.load("lemma1")
OPEN = replace(LEMMA, about=replace(LEMMA.about, standings=(CONJECTURE,)))


class Clock:
    """A processor that takes two seconds for a task and a hundredth for an instance."""

    def __init__(self):
        self.now, self.counts = 0.0, []

    def process_time(self):
        return self.now

    def attack(self, tally, task):
        self.counts.append(task.count)
        self.now += 2.0 + 0.01 * task.count


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(rates, "time", SimpleNamespace(process_time=clock.process_time))
    return clock


def rated(clock, most=1000, seconds=1.0):
    parts = {"random": suite.Part(clock.attack, most=most)}
    (found,) = rates.of_suite(replace(OPEN, parts=parts), "hunt", seconds)
    return found


def test_what_a_task_costs_is_told_from_what_an_instance_costs(clock):
    found = rated(clock)
    assert clock.counts == [1, 1, 4, 16, 64, 256]  # the last one takes 1.92 seconds more
    assert found.per_second == pytest.approx(100)
    assert found.start == pytest.approx(2.0)
    assert (found.timed, found.tasks, found.planned) == (256, 100, 100_000)
    assert found.total == pytest.approx(100 * 2.0 + 1000.0)
    assert rates.minutes([found, found], 2) == pytest.approx(20.0)


def test_no_task_is_larger_than_those_of_the_campaign(clock):
    assert rated(clock, most=10).timed == 10
    assert clock.counts == [1, 1, 4, 10]


def test_what_takes_long_is_not_tried_often(clock):
    rated(clock, seconds=0.2)
    assert clock.counts == [1, 1]  # more than eight times as long as was asked for


def test_the_command_lists_every_part(capsys, tmp_path):
    code = cli.main(["bench", "suites", "--quick", "--json", str(tmp_path / "s.json")])
    out = capsys.readouterr().out
    assert code == 0
    found = json.loads((tmp_path / "s.json").read_text("utf-8"))["suites"]
    assert [one["part"] for one in found] == list(LEMMA.parts)
    assert all(one["per_second"] > 0 and one["total"] > 0 for one in found)
    assert all(name in out for name in LEMMA.parts)
