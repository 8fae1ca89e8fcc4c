"""How instances are drawn, made simpler, and told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st
from nasty import anything

from dlnlab.lab import attack, ranges, search, shrink
from dlnlab.lab.cases import Case, Frame, _random_spectrum
from dlnlab.lab.dynamics import DescentCase
from dlnlab.lab.outcome import instance_line
from dlnlab.lab.suite import Part


def test_a_quarter_of_the_spectra_of_several_values_repeats_the_first():
    rng = np.random.default_rng(0)
    drawn = [_random_spectrum(rng, 4) for _ in range(2000)]
    several = [values for values in drawn if values[1] > 0]
    assert all(
        values[0] == 1.0 and list(values) == sorted(values, reverse=True) for values in drawn
    )
    repeated = np.mean([values[1] == 1.0 for values in several])
    assert repeated == pytest.approx(0.25, abs=4 * np.sqrt(0.25 * 0.75 / len(several)))


def test_descent_takes_half_of_the_stable_step_unless_told_otherwise():
    case = DescentCase(Frame(2), (4.0, 1.0), Frame(2), 2, 0.1, 1)
    assert case.eta == pytest.approx(1 / (2 * 4.0))


def test_vectors_that_make_an_instance_simple_have_two_entries():
    for size in (2, 3, 4):
        found = shrink._vectors(size)
        assert all(1 <= np.count_nonzero(vector) <= 2 for vector in found)
        assert {tuple(row) for row in np.eye(size, dtype=int)} <= set(found)


def test_an_instance_tells_what_is_turned_and_what_is_not():
    plain = Case(Frame(2), (1.0, 0.5), Frame(2), 3, 0.1, 1, (Frame(2),) * 3)
    assert "σ* = (1, 0.5), L = 3" in instance_line(plain)
    assert instance_line(plain).endswith("start W_l = εI")
    frame = Frame(2, ((1, 2),))
    turned = Case(frame, (1.0, 0.5), Frame(2), 3, 0.1, 1, (frame, Frame(2), Frame(2)))
    assert "σ* = (1, 0.5) with U = " in instance_line(turned)
    assert " V = " not in instance_line(turned)
    assert instance_line(turned).endswith("other W_l = εI")
    assert "start W_1 = ε " in instance_line(turned)


def test_a_part_is_described_by_its_docstring():
    def attack(tally, task):
        """Draw all
        of them."""

    assert Part(attack).description == "Draw all of them."
    attack.__doc__ = None
    assert Part(attack).description == ""


def test_an_instance_that_cannot_be_measured_takes_no_other_with_it(monkeypatch):
    cases = [Case(Frame(2), (1.0, 0.0), Frame(2), 2, eps, 1) for eps in (0.1, 0.2, 0.3)]

    def observe(about, cases, options):
        if any(case.eps == 0.2 for case in cases):
            raise RuntimeError("no end")
        return [case.eps for case in cases]

    monkeypatch.setattr(attack.dynamics, "observe", observe)
    question = attack.Question("s", "flow", anything, (), {})
    assert list(question.sightings(cases)) == [
        (cases[0], 0.1),
        (cases[1], "no end"),
        (cases[2], 0.3),
    ]


def test_vectors_near_an_axis_are_never_zero():
    rng = np.random.default_rng(0)
    for _ in range(300):
        turned, long = ranges._near(rng, 3)
        assert np.count_nonzero(long) == 1
        assert np.count_nonzero(turned) == 2
        assert 1 <= max(long) <= 40


def test_climbs_and_draws_have_streams_of_their_own(monkeypatch):
    """A climb that repeated the numbers of the draws would go where they have been."""
    seen, original = [], np.random.default_rng
    monkeypatch.setattr(
        np.random, "default_rng", lambda key=None: seen.append(key) or original(key)
    )
    found = ranges.checked([(2, 2)], 1, 2, 0.5, "any", "any", None)
    attacker = attack.Attacker(attack.Question("s", "start", lambda at: 1.0, (), {}))
    draw = attack._task_of(attacker.question, found, 2, (7, 3))
    attacker(draw)
    drawn = [tuple(key) for key in seen if isinstance(key, list)]
    seen.clear()
    case = found.draw(7, 3, 1, "start")[0]
    seen.clear()
    attacker(draw | {"from": case.witness()})
    climbed = [tuple(key) for key in seen if isinstance(key, list)]
    assert (7, 1, 3) in drawn
    assert climbed[0] not in drawn


def test_a_climb_goes_on_over_what_cannot_be_compared():
    shown = []

    def badness(number):
        shown.append(number)
        return [np.inf, -np.inf, np.nan, float(number)][len(shown) % 4]

    search.climb(st.integers(0, 100), badness, examples=40, seed=0)
    assert len(shown) == 40


def test_plain_scales_have_one_decimal_and_none_is_twice():
    assert len(set(shrink.PLAIN_EPS)) == len(shrink.PLAIN_EPS)
    assert all(0 < eps <= 1.2 and eps == round(eps, 1) for eps in shrink.PLAIN_EPS)
