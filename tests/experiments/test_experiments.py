"""The experiments, the paper's and ours: each measures what it judges, and a yardstick can fail."""

from __future__ import annotations

import dataclasses
import html
import json
import math
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import scripts

import dlnlab
from dlnlab import cli, experiments
from dlnlab.commands import reproduce
from dlnlab.experiments import (
    EXPERIMENTS,
    Experiment,
    Network,
    Panel,
    Yardstick,
    catalogue,
    classifiers,
    judging,
    pair,
    penultimate,
    study,
)
from dlnlab.experiments.common import COMPLETION_CODE
from dlnlab.experiments.instance import CODE, build, draw_target
from dlnlab.experiments.recovery import Curve, descend
from dlnlab.experiments.study import judged

TINY = {"d": 16, "num_steps": 600, "record_every": 50}
TIMES = ("speedup", "seconds", "svd", "time_ratio")
"""Quantities that depend on the machine."""


def tiny(experiment: Experiment, reading: str, seed: int = 0) -> dict:
    """The quick configuration of a reading, cut down further."""
    configuration = experiment.configurations(reading, seed + 1, quick=True)[seed]
    if experiment.measure is classifiers.measure:
        return configuration | {"num_steps": 20, "record_every": 5, "samples": 128}
    configuration |= {name: TINY[name] for name in TINY if name in configuration}
    if "etas" in configuration:  # with steps enough to converge
        configuration |= {"etas": [2.0, 3.0, 2], "num_steps": 4000}
    return configuration


def values_without_times(result: dict) -> dict:
    return {
        name: value
        for name, value in result["values"].items()
        if not any(word in name for word in TIMES)
    }


# ---------------------------------------------------------------------- each experiment


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_measures_what_it_judges_and_draws(name, small_movielens):
    experiment = EXPERIMENTS[name]
    data = {"data": str(small_movielens)} if experiment.needed(quick=True) else {}
    assert experiment.name == name
    second = "adam" if experiment.measure is classifiers.measure else "code"
    assert experiment.ours or {"paper", second} <= set(experiment.settings)
    assert set(experiment.meanings) <= set(experiment.settings) - {"paper", "code"}
    json.dumps([experiment.settings, experiment.quick])
    results = {}
    for reading in experiment.settings:
        results[reading] = experiment.measure(tiny(experiment, reading) | data)
        json.dumps(results[reading])
    for yardstick in experiment.yardsticks:
        known = {name for name in results if yardstick.quantity in results[name]["values"]}
        printed = yardstick.published is not None
        assert known == set(results) or (printed and known in (set(), mlps(experiment))), yardstick
    for panel in experiment.panels:
        curves = [c for r in results.values() for n, c in r["curves"].items() if _shown(panel, n)]
        assert not panel.curves or all(panel.x in c and panel.y in c for c in curves)
        assert any(panel.x in c and panel.y in c for c in curves) or "m = " in panel.title


def mlps(experiment: Experiment) -> set[str]:
    """The readings that numbers printed of an MLP are compared with."""
    settings = experiment.settings
    return {name for name in settings if settings[name].get("network") == "mlp"}


def _shown(panel: Panel, name: str) -> bool:
    return not panel.curves or name in panel.curves


def test_an_experiment_is_found_where_it_lies(tmp_path, monkeypatch):
    right = EXPERIMENTS["fig22"]
    (tmp_path / "fig99.py").write_text(
        "from dataclasses import replace\n"
        "from dlnlab.experiments.paper import fig22\n"
        "EXPERIMENT = replace(fig22.EXPERIMENT, name='fig99')\n"
    )
    monkeypatch.setattr(catalogue.paper, "__path__", [*catalogue.paper.__path__, str(tmp_path)])
    found = {experiment.name: experiment for experiment in catalogue._found()}
    assert found.keys() - EXPERIMENTS.keys() == {"fig99"}
    assert found["fig99"].measure is right.measure


def test_the_paper_s_experiments_come_in_its_order_and_ours_after_them():
    names = list(EXPERIMENTS)
    assert names[:3] == ["fig1", "fig2", "fig3"]
    assert names[names.index("fig20") + 1] == "fig20-linear"
    assert names[names.index("table3") + 1] == "compression"
    files = sorted(path.stem for path in Path(catalogue.ours.__path__[0]).glob("[a-z]*.py"))
    assert names[names.index("compression") :] == files
    assert [name for name, e in EXPERIMENTS.items() if e.ours] == files
    ours = dataclasses.replace(EXPERIMENTS["fig22"], name="alpha", ours=True)
    assert catalogue._order(ours) > catalogue._order(EXPERIMENTS["table3"])
    assert catalogue._order(ours) < catalogue._order(EXPERIMENTS["compression"])


@pytest.mark.parametrize("name", ["fig3", "fig5", "fig6", "fig20-linear"])
def test_a_measurement_depends_on_its_configuration_only(name):
    experiment = EXPERIMENTS[name]
    step = {"eta": 2.0}  # small enough for so small a problem
    first, again, other = (
        values_without_times(experiment.measure(tiny(experiment, "code", seed) | step))
        for seed in (0, 0, 1)
    )
    assert json.dumps(first) == json.dumps(again)  # as text, since NaN differs from itself
    assert json.dumps(first) != json.dumps(other)


def test_the_paper_s_step_diverges_on_its_sum_loss_and_not_on_the_mean():
    paper, mean = (
        EXPERIMENTS["fig5"].configurations(r, 1, quick=True)[0] for r in ("paper", "mean")
    )
    diverged = pair.measure(paper | {"record_every": 2})
    assert math.isnan(diverged["values"]["gain"])
    assert diverged["curves"]["original"]["steps"][-1] <= 20
    assert pair.measure(mean)["values"]["gain"] > 1


def test_targets_of_both_kinds_have_the_rank_and_the_values_they_should():
    top, spread = (np.linalg.svdvals(draw_target(40, 4, kind, 3)) for kind in ("top", "spread"))
    assert (top[4:] < 1e-12).all()
    assert (spread[4:] < 1e-12).all()
    assert top[0] == pytest.approx(spread[0])
    assert spread[3] < 0.8 * top[3]


def test_a_structureless_change_has_the_share_of_marchenko_and_pastur():
    for shape, count in (((300, 300), 30), ((200, 400), 20)):
        G = np.random.default_rng(0).standard_normal(shape)
        share, null = penultimate.energy_share(G, count), penultimate.null_share(shape, count)
        assert abs(share - null) < 0.01 * null  # fluctuations of the largest values
        assert abs(penultimate.excess(share, null)) < 0.01
    assert penultimate.null_share((50, 50), 50) == pytest.approx(1.0)
    low = np.outer(*np.random.default_rng(1).standard_normal((2, 300)))
    assert penultimate.excess(penultimate.energy_share(low, 20), 0.1) == pytest.approx(1.0)


def test_a_subspace_that_turns_is_seen_and_one_that_stays_is_not():
    rng = np.random.default_rng(2)
    W, D = rng.standard_normal((2, 60, 60))
    still = np.stack([W, 2 * W, 3 * W])
    assert penultimate.follow(still, 3, defined=True)[1]["turned"] < 1e-12
    turned = np.stack([W, W + 20 * D, W + 400 * D])
    values = penultimate.follow(turned, 3, defined=True)[1]
    assert values["turned"] > 0.8
    assert values["excess"] < 0.1
    assert values["share"] == pytest.approx(penultimate.energy_share(D, 6))


def test_data_are_of_the_experiments_that_they_fit(run, tmp_path, small_movielens, monkeypatch):
    three = {name: EXPERIMENTS[name] for name in ("fig6-movielens", "fig21", "fig22")}
    monkeypatch.setattr(reproduce, "EXPERIMENTS", three)
    chosen = []
    monkeypatch.setattr(reproduce, "_check_outputs", lambda some, args: chosen.extend(some))
    monkeypatch.setattr(reproduce, "_carry_out", lambda *_: 1 / 0)  # nothing shall be run
    _, out, _ = run("all", "--data", small_movielens, "--out", tmp_path)
    assert "fig21 is left out: --data must be the folder of the image files" in out
    assert {e.name for e in chosen} == {"fig6-movielens", "fig22"}
    code, _, err = run("fig21", "--data", small_movielens, "--out", tmp_path)
    assert code == 2
    assert "train-images-idx3-ubyte" in err or "folder" in err
    assert EXPERIMENTS["fig21"].needed(quick=True) == ""  # scikit-learn's digits


def test_a_reading_on_digits_needs_no_files(run, tmp_path, monkeypatch):
    fig21 = EXPERIMENTS["fig21"]
    assert fig21.needed(["vit-digits"]) == ""
    assert fig21.needed(["vit-digits", "subset"]) == fig21.needed() == fig21.needs_data
    assert "data" not in fig21.configurations("vit-digits", 1, data="somewhere")[0]
    assert fig21.configurations("subset", 1, data="somewhere")[0]["data"] == "somewhere"
    checked = []
    monkeypatch.setattr(reproduce, "_check_outputs", lambda *_: checked.append(1) or 1 / 0)
    run("fig21", "--as", "vit-digits", "--out", tmp_path)
    assert checked  # the question of data is past, and nothing was run


# ---------------------------------------------------------------------- yardsticks


CLAIM = Yardstick("x", "x", low=1.0, source="made up")
NUMBER = Yardstick("x", "x", published=100.0, reading_error=1.0, source="made up")
OURS = Yardstick("x", "x", low=1.0, source="made up", ours=True)


@pytest.mark.parametrize(
    ("yardstick", "values", "quick", "status"),
    [
        (CLAIM, [1.0, 2.0], False, "met"),
        (CLAIM, [1.0, 2.0], True, "undecided"),  # a quick run judges nothing
        (CLAIM, [1.0], False, "undecided"),  # nor does one seed,
        (CLAIM, [0.0], False, "undecided"),  # in either direction
        (CLAIM, [math.nan], False, "undecided"),
        (CLAIM, [2.0, 0.99], False, "missed"),
        (CLAIM, [2.0, math.nan], False, "missed"),
        (CLAIM, [2.0, math.inf], False, "met"),
        (CLAIM, [None, None], False, "undecided"),
        (NUMBER, [100.0], False, "undecided"),  # one seed has no spread
        (NUMBER, [99.0, 100.0, 102.0], False, "met"),
        (NUMBER, [99.0, 100.0, 102.0], True, "undecided"),
        (NUMBER, [120.0, 120.5, 121.0], False, "missed"),
        (NUMBER, [50.0, 100.0, 150.0], False, "undecided"),  # too wide to decide
        (NUMBER, [500.0, 600.0, 550.0], False, "missed"),  # wide, and yet elsewhere
        (NUMBER, [100.0, 100.5], False, "undecided"),  # two seeds: Student's quantile is 12.7
        (NUMBER, [500.0, 500.5], False, "undecided"),
        (NUMBER, [100.0, math.inf], False, "undecided"),
        (NUMBER, [100.0, 100.0, math.inf], False, "missed"),
        (NUMBER, [100.0] * 3, False, "met"),  # no spread: the reading error alone
        (NUMBER, [101.5] * 3, False, "missed"),
        (NUMBER, [0.0, 100.0, 200.0], False, "missed"),  # a factor never leads from 0 to 100
        (NUMBER, [87.0, 100.0, 114.9], False, "undecided"),  # to 2 times the middle
        (NUMBER, [93.0, 100.0, 107.5], False, "met"),  # to 1.44 times the middle
        (NUMBER, [5.0, 20.0, 80.0], False, "undecided"),  # 100 is within 37 times the middle
        (NUMBER, [200.0, 240.0, 220.0], False, "missed"),  # Student's would reach down to 120
    ],
)
def test_judging(yardstick, values, quick, status):
    assert judging.judge(yardstick, values, quick=quick).status == status


def test_the_interval_is_the_log_normal_prediction_interval():
    """For one further draw of a log-normal variable it has its nominal coverage, however skewed."""
    rng = np.random.default_rng(0)
    for spread in (0.01, 2.0):
        draws = np.exp(rng.normal(4.0, spread, (4000, 4)))
        missed = [
            judging.judge(
                Yardstick("x", "x", published=float(row[3]), source="drawn"), row[:3].tolist()
            ).status
            == "missed"
            for row in draws
        ]
        assert abs(np.mean(missed) - 0.05) < 4 * math.sqrt(0.95 * 0.05 / 4000)  # standard errors


def test_a_prediction_interval_is_positive_and_widest_is_a_ratio():
    wide = judging.judge(NUMBER, [5.0, 20.0, 80.0])
    assert 0 < wide.low < 20 < wide.high
    assert wide.low * wide.high == pytest.approx(20.0**2)  # the geometric mean is in the middle
    for size in (1.0, 1e-15, 1e6):  # what decides does not depend on the unit
        number = Yardstick("x", "x", published=100.0 * size, reading_error=size, source="made up")
        assert judging.judge(number, [93 * size, 100 * size, 107.5 * size]).status == "met"
        assert judging.judge(number, [87 * size, 100 * size, 114.9 * size]).status == "undecided"


@pytest.mark.parametrize(
    ("statuses", "state", "told"),
    [
        ("CCmet NNmet", "met", "claims 2 of 2, published numbers 2 of 2"),
        ("Cmet Nund Nund Nmet", "met", "claims 1 of 1, published numbers 1 of 3, 2 undecided"),
        ("Cmet Nund", "undecided", "claims 1 of 1, published numbers 0 of 1, 1 undecided"),
        (
            "Cmet Nmis Nund",
            "missed",
            "claims 1 of 1, published numbers 0 of 2, 1 undecided; picture no, sentence yes",
        ),
        (
            "Cmis Nmet",
            "missed",
            "claims 0 of 1, published numbers 1 of 1; picture yes, sentence no",
        ),
        ("Cmet Omis", "met", "claims 1 of 1, apart, by our own yardsticks 0 of 1"),
        ("Cmis Omet", "missed", "claims 0 of 1, apart, by our own yardsticks 1 of 1"),
        ("Cund Cmet Nmet", "undecided", "claims 1 of 2, 1 undecided, published numbers 1 of 1"),
        ("Nund", "undecided", "published numbers 0 of 1, 1 undecided"),
        ("Nund Nmet", "met", "published numbers 1 of 2, 1 undecided"),
        ("Cmet", "met", "claims 1 of 1"),
    ],
)
def test_a_reading_is_met_by_its_claims_and_says_what_its_numbers_leave_open(statuses, state, told):
    words = {"met": "met", "mis": "missed", "und": "undecided"}
    judgements = [
        judging.Judgement(
            {"C": CLAIM, "N": NUMBER, "O": OURS}[kind], (1.0,), 1.0, 1.0, words[word[-3:]]
        )
        for word in statuses.split()
        for kind in word[:-3]
    ]
    counts = judging.tally(judgements)
    assert (counts.state, str(counts)) == (state, told)


def test_a_verdict_rests_on_the_reading_it_is_owed_to():
    met = judging.tally([judging.judge(CLAIM, [1.0] * 3), judging.judge(NUMBER, [100.0] * 3)])
    missed = judging.tally([judging.judge(CLAIM, [0.0] * 3)])
    told = "claims 1 of 1, published numbers 1 of 1"
    assert judging.basis({"top": met, "code": missed, "paper": met}) == f"paper: {told}"
    assert judging.basis({"paper": missed, "code": missed, "top": met}) == f"top: {told}"
    none = judging.basis({"paper": missed, "code": missed})
    assert none == "paper: claims 0 of 1; code: claims 0 of 1"


def quick_tally(*held: bool) -> judging.YardstickCounts:
    values = {True: [1.0], False: [0.0]}
    return judging.tally([judging.judge(CLAIM, values[each], quick=True) for each in held])


@pytest.mark.parametrize(
    ("tallies", "verdict"),
    [
        ({"paper": quick_tally(False), "code": quick_tally(True)}, "hold"),
        ({"paper": quick_tally(True, True)}, "hold"),
        ({"paper": quick_tally(True, False), "code": quick_tally(False)}, "do not hold"),
    ],
)
def test_a_quick_run_says_only_whether_the_claims_hold_on_a_small_instance(tallies, verdict):
    assert {counts.state for counts in tallies.values()} == {"undecided"}
    told = judging.conclusion(tallies, quick=True)
    assert told == f"runs; the claims {verdict} on a small instance"


def test_a_quick_run_of_every_figure_is_called_nothing_else(monkeypatch):
    """Whatever is measured: here, what every claim and every number asks for."""
    for experiment in EXPERIMENTS.values():
        values = {y.quantity: y.published or y.low for y in experiment.yardsticks}
        values |= {q: 0.0 for q, value in values.items() if math.isinf(value)}
        for seeds in (1, 3, 8):
            results = {reading: [{"values": values}] * seeds for reading in experiment.settings}
            outcome = judged(experiment, {}, results, quick=True)
            assert outcome.verdict.startswith("runs")
            assert "reproduced" not in outcome.summary()
            assert set(outcome.states.values()) == {"undecided"}


def test_one_seed_reproduces_nothing():
    for experiment in EXPERIMENTS.values():
        values = {y.quantity: y.published or y.low for y in experiment.yardsticks}
        values |= {q: 0.0 for q, value in values.items() if math.isinf(value)}
        results = {reading: [{"values": values}] for reading in experiment.settings}
        outcome = judged(experiment, {}, results)
        assert outcome.verdict == (
            f"not counted: {experiment.apart}" if experiment.apart else "undecided"
        )
        assert experiment.seeds >= 3


def test_picture_and_sentence_are_told_apart():
    both = judging.tally([judging.judge(CLAIM, [0.0] * 3), judging.judge(NUMBER, [100.0] * 3)])
    lost = judging.tally([judging.judge(CLAIM, [0.0] * 3)])
    told = judging.conclusion({"paper": lost, "code": lost, "top": both})
    assert told == 'not reproduced: picture yes, sentence no (reading "top")'


def test_what_we_made_up_is_judged_apart_and_what_is_no_figure_is_not_counted():
    ours = {n: {y.quantity for y in e.yardsticks if y.ours} for n, e in EXPERIMENTS.items()}
    assert ours["fig13"] == {"c_val_from_next", "c_vec_from_next", "c_vec_from_fit"}
    assert ours["fig14"] == {"others: excess", "others: gain"}
    assert ours["table3"] == {"d = 100: time_ratio", "d = 300: time_ratio"}
    assert {n for n, e in EXPERIMENTS.items() if e.apart} == {
        *("fig12", "fig20-linear", "fig22", "compression", "lora")
    }
    for name in ("fig12", "fig20-linear", "fig22"):
        outcome = judged(EXPERIMENTS[name], {}, {"paper": [{"values": {}}] * 3})
        assert outcome.verdict.startswith("not counted")


def test_measured_values_and_the_interval_that_they_predict_are_two_things():
    told = judging.judge(NUMBER, [93.0, 100.0, 107.5])
    assert told.measured() == "93, 100, 108"
    assert told.predicted() == "69.8 … 143"
    assert judging.judge(CLAIM, [1.0, 2.0, 3.0]).predicted() == ""


def test_a_quantity_is_in_the_unit_that_its_name_says():
    """Figure 5's start is the same ½ MSE in every reading with its target, whatever is drawn."""
    small = {"d": 20, "rank": 2, "r_hat": 4, "num_steps": 10, "record_every": 1}
    seen = {}
    for reading in ("paper", "mean", "top"):
        settings = EXPERIMENTS["fig5"].settings[reading] | small | {"seed": 0}
        for unit in ("frobenius", "half_mse"):
            result = pair.measure(settings | {"error": unit})
            seen[reading, unit] = result["values"]["start_half_mse"]
    M = draw_target(20, 2, "top", 0)
    for value in seen.values():
        assert value == pytest.approx(0.5 * np.mean(M**2), rel=1e-3)  # W(0) is of order ε³
    assert value != pytest.approx(np.linalg.norm(M), rel=0.5)  # what was printed under this name


def test_yardsticks_with_a_unit_name_it():
    for experiment in EXPERIMENTS.values():
        for yardstick in experiment.yardsticks:
            if "MSE" in yardstick.words and "movielens" not in experiment.needs_data.lower():
                unobserved = "_unobserved" * ("unobserved" in yardstick.words)
                assert yardstick.quantity.endswith(f"_half_mse{unobserved}"), yardstick


@pytest.mark.parametrize("name", [n for n, e in EXPERIMENTS.items() if n != "fig22" and not e.ours])
def test_a_run_that_diverged_arrives_nowhere(name, small_movielens):
    """With a step of a thousand times what is stable, nothing but the start is a number."""
    experiment = EXPERIMENTS[name]
    data = {"data": str(small_movielens)} if experiment.needed(quick=True) else {}
    huge = tiny(experiment, "paper") | data | {"eta": 1e4}
    if "etas" in huge:
        huge |= {"etas": [1e4, 2e4, 2]}
    huge = json.loads(json.dumps(huge))
    for part in huge.get("parts", {}).values():
        part.pop("eta", None)
    values = experiment.measure(huge)["values"]
    others = ("start", "altmin", "rmse", "ridge", "half_mse: b", "svd_seconds", "svd_share")
    others += ("parameters",)
    for yardstick in experiment.yardsticks:
        if not any(word in yardstick.quantity for word in others):
            value = values.get(yardstick.quantity, math.nan)
            assert math.isnan(value), (yardstick.quantity, value)


def test_a_network_that_arrives_with_no_step_size_is_the_slower_one(monkeypatch):
    from dlnlab.experiments.paper import fig16

    counts = {"original": [math.inf, math.nan], "compressed": [50.0, math.nan]}
    turn = iter([counts[n][k] for k in (0, 1) for n in ("original", "compressed")])
    monkeypatch.setattr(fig16.recovery, "steps_to", lambda *_: next(turn))
    monkeypatch.setattr(fig16, "_curve", lambda *_: {})
    values = fig16.measure(tiny(EXPERIMENTS["fig16"], "code"))["values"]
    assert values["steps_original"] == math.inf
    assert values["gain"] == math.inf
    turn = iter([math.nan, 50.0, math.nan, 60.0])  # one that diverges with all has no number
    assert math.isnan(fig16.measure(tiny(EXPERIMENTS["fig16"], "code"))["values"]["gain"])


def test_every_yardstick_says_where_it_comes_from():
    place = re.compile(r"(Section|Appendix|Table|Figure|Figures) [A-Z0-9]|fig_\w+\.ipynb")
    for experiment in EXPERIMENTS.values():
        for yardstick in experiment.yardsticks:
            assert yardstick.ours or not experiment.ours, (experiment.name, yardstick)
            told = place.search(yardstick.source) or experiment.ours
            assert told, (experiment.name, yardstick)


def test_the_suprema_of_figure_13_start_at_t_i():
    from dlnlab.experiments.paper.fig13 import supremum_after

    constant = np.array([[9.0, 9.0], [3.0, 9.0], [1.0, 9.0], [2.0, 0.5]])
    reached = np.array([[0, 0], [0, 0], [1, 0], [0, 1]], dtype=bool)
    assert supremum_after(constant, reached) == 2.0  # from t_i on, also where it has left again
    assert math.isnan(supremum_after(constant[:3], reached[:3]))  # the second mode has no t_i
    constant[3, 0] = np.nan
    assert math.isnan(supremum_after(constant, reached))


@pytest.mark.parametrize(
    ("states", "verdict"),
    [
        (("met", "met"), "reproduced"),
        (("met", "missed"), "reproduced"),
        (("missed", "met"), "reproduced with the code's settings only"),
        (("missed", "missed"), "not reproduced"),
        (("undecided", "undecided"), "undecided"),
        (("missed", "undecided"), "not reproduced as printed, undecided with other settings"),
        (("undecided", "missed"), "not reproduced"),
    ],
)
def test_verdicts(states, verdict):
    assert judging.verdict(dict(zip(("paper", "code"), states, strict=True))) == verdict


def test_a_further_reading_is_named():
    states = {"paper": "missed", "code": "missed", "top": "met"}
    assert judging.verdict(states) == 'not reproduced, but with the reading "top"'
    assert judging.verdict({"code": "met"}).startswith('reproduced with the reading "code"')


FULL = COMPLETION_CODE | {"target": "top", "num_steps": 4000}
ENDS = next(y for y in EXPERIMENTS["fig6"].yardsticks if y.quantity == "end_compressed")


def compressed_ends(monkeypatch, change, **settings) -> judging.Judgement:
    """Judge Figure 6's steps of the compressed network, at full size, with a changed network."""
    right = pair.networks_of

    def only_compressed(instance, settings):
        network = change(right(instance, settings)["compressed"])
        return {"original": network, "compressed": network}

    monkeypatch.setattr(pair, "networks_of", only_compressed)
    configurations = [FULL | settings | {"seed": seed} for seed in range(3)]
    return judging.judge(
        ENDS, [pair.measure(c)["values"]["end_compressed"] for c in configurations]
    )


MUTATIONS = {
    "alpha on the inner layers": (lambda n: Network(n.weights, n.eta * n.alpha, 1 / n.alpha), {}),
    "no alpha": (lambda n: Network(n.weights, n.eta), {}),
    "sum instead of mean": (lambda n: n, {"loss": "sum"}),
    "outer layers without eps": (lambda n: n, {"outer": "one"}),
    "the surrogate transposed": (
        lambda n: Network(
            tuple(np.ascontiguousarray(W.T) for W in reversed(n.weights)), n.eta, n.alpha
        ),
        {},
    ),
}


def test_the_published_number_of_figure_6_is_met(monkeypatch):
    assert compressed_ends(monkeypatch, lambda n: n).status == "met"


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_yardstick_of_figure_6_notices(name, monkeypatch):
    change, settings = MUTATIONS[name]
    assert compressed_ends(monkeypatch, change, **settings).status == "missed"


def test_overlap_tells_values_that_take_turns_from_values_that_move_together():
    from dlnlab.experiments.incremental import overlap

    t = np.linspace(0, 10, 1001)[:, None]
    turns = 1 / (1 + np.exp(-20 * (t - np.array([3.0, 6.0]))))
    together = 1 / (1 + np.exp(-20 * (t - np.array([3.0, 3.05]))))
    ones = np.ones(2)
    assert overlap(turns, ones) < 1e-3
    assert overlap(together, ones) > 0.5
    assert math.isnan(overlap(turns[:400], ones[:2])) or overlap(turns[:400], ones) < 1e-3
    assert math.isnan(overlap(turns[:200], ones))


def test_excess_sees_a_compressed_network_that_is_behind():
    steps = np.arange(0, 50, 10)

    def curve(errors):
        return Curve(
            steps, np.asarray(errors) ** 2, np.asarray(errors), None, "completed", 1, False
        )

    ahead, behind = curve([1, 0.8, 0.5, 0.1, 0.01]), curve([1, 0.9, 0.6, 0.2, 0.02])
    assert pair._excess(behind, ahead) == pytest.approx(0.0)
    assert pair._excess(ahead, behind) == pytest.approx(1.0)


# ---------------------------------------------------------------------- running


def test_networks_run_reduced_where_they_can_and_in_full_where_not():
    instance = build(CODE | {"d": 20, "rank": 2, "r_hat": 4}, 0)
    options = {"num_steps": 40, "record_every": 10}
    runs = experiments.run(
        instance.problem,
        {
            "wide": Network(instance.original, 1.0),
            "narrow": Network(instance.compressed, 1.0, 2.0),
            "random": Network(
                dlnlab.original_weights((20, 20), 3, 0.1, rng=0, init="gaussian"), 1.0
            ),
        },
        **options,
        num_singular_values=3,
    )
    assert [curve.reduced for curve in runs.curves.values()] == [True, True, False]
    options |= {"formulation": "full"}
    full = dlnlab.gradient_descent(instance.problem, instance.original, eta=1.0, **options)
    np.testing.assert_allclose(runs["wide"].errors, full.errors, rtol=1e-12)
    np.testing.assert_allclose(
        runs["wide"].singular_values, full.singular_values[:, :3], rtol=0, atol=1e-12
    )
    assert all(curve.seconds_per_step > 0 for curve in runs.curves.values())
    completed = dlnlab.completion(np.ones((4, 4)), np.ones((4, 4), dtype=bool))
    network = Network(dlnlab.compressed_weights(completed, 1, 2, 0.1), 0.1)
    assert descend(completed, network, record=("loss",), num_steps=3)[1] is False


def test_a_problem_of_ones_own_is_run_drawn_and_summed_up():
    M = dlnlab.random_target((12, 9), 2, rng=0)
    known = dlnlab.factorization(M)
    unknown = dlnlab.completion(M, dlnlab.random_mask(M.shape, 0.7, rng=0), target=None)
    for problem, label in ((known, "recovery error"), (unknown, "loss")):
        networks = {
            "wide & <free>": Network(dlnlab.original_weights(M.shape, 3, 0.1, rng=0), 0.1),
            "original": Network(dlnlab.original_weights(M.shape, 2, 0.1, rng=0), 0.1),
            "compressed": Network(dlnlab.compressed_weights(problem, 2, 3, 0.1), 0.1, 2.0),
        }
        runs = experiments.run(problem, networks, num_steps=50, record_every=5)
        figure = runs.plot()
        assert [ax.get_ylabel() for ax in figure.axes] == [label, ""]
        assert runs.summary().count("\n") == 2


def test_curves_are_cut_to_points_that_can_be_seen():
    series = pair.thinned({"steps": np.arange(5000), "none": None})
    assert len(series["steps"]) == pair.POINTS
    assert series["steps"][0] == 0
    assert series["steps"][-1] == 4999
    assert "none" not in series


def test_units_of_the_error():
    """Half the mean square on the unobserved entries, against its definition."""
    settings = COMPLETION_CODE | {"d": 12, "rank": 2, "r_hat": 3, "num_steps": 20}
    instance = build(settings, 0)
    networks = pair.networks_of(instance, settings)
    run = dlnlab.gradient_descent(
        instance.problem, instance.original, eta=10.0, num_steps=20, record=("end_to_end",)
    )
    runs = experiments.run(instance.problem, networks, num_steps=20, record_every=1)
    gap = (run.end_to_end - instance.problem.target) ** 2
    hidden = 1 - instance.problem.mask
    direct = 0.5 * (gap * hidden).sum(axis=(-2, -1)) / hidden.sum()
    ours = pair.errors_in("half_mse_unobserved", instance.problem, runs["original"])
    np.testing.assert_allclose(ours, direct, rtol=1e-10)


# ---------------------------------------------------------------------- the command


@pytest.fixture
def run(capsys):
    """Run a command line; return exit code, output and error stream."""

    def call(*arguments):
        code = cli.main(["reproduce", *map(str, arguments)])
        streams = capsys.readouterr()
        return code, streams.out, streams.err

    return call


QUICK = ("--quick", "--executor", "serial")


def test_reproduce_writes_figure_numbers_verdict_manifest_and_index(run, tmp_path):
    code, out, err = run("fig22", "fig13", *QUICK, "--as", "both", "--out", tmp_path)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[:2] == ["fig22    2 runs to do", "fig13    2 runs to do"]
    told = "(paper: 1 of 1 claims hold; code: 1 of 1 claims hold)"
    said = " ".join(out.split())  # long lines are broken
    assert f"fig22 runs; the claims hold on a small instance {told}" in said
    assert said.count("a seed took: paper ") == 2
    for name in ("fig22", "fig13"):
        written = {path.name for path in (tmp_path / name).iterdir()}
        suffixes = (".png", ".pdf", ".npz", ".csv", ".json", ".jsonl", "-manifest.json")
        assert written == {name + suffix for suffix in suffixes}
    verdict = json.loads((tmp_path / "fig13" / "fig13.json").read_text("utf-8"))
    assert set(verdict["readings"]) == {"paper", "code"}
    assert verdict["readings"]["paper"]["state"] == "undecided"  # as in any quick run
    assert verdict["readings"]["paper"]["diverged"]
    manifest = json.loads((tmp_path / "fig13" / "fig13-manifest.json").read_text("utf-8"))
    assert manifest["parameters"]["configurations"]["code"][0]["eta"] == 5.0
    with np.load(tmp_path / "fig22" / "fig22.npz") as arrays:
        assert arrays["paper.0.original.singular_values"].shape[1] == 3


def test_the_index_sets_each_figure_beside_the_claim_the_settings_and_the_verdict(run, tmp_path):
    run("fig22", *QUICK, "--out", tmp_path)
    run("fig20-linear", *QUICK, "--as", "code", "--out", tmp_path)
    page = (tmp_path / "index.html").read_text("utf-8")
    for name in ("fig20-linear", "fig22"):
        assert f'<img src="{name}/{name}.png"' in page
        assert (tmp_path / name / f"{name}.png").is_file()
        assert EXPERIMENTS[name].title in page
    assert page.index("fig20-linear/fig20-linear.png") < page.index("fig22/fig22.png")
    assert "t_i(compressed) ≤ t_i(original)" in page
    assert "Verdict: </b>runs; the claims hold on a small instance" in page
    assert "not judged</span> code: 1 of 1 claims hold" in page
    assert '<a href="#fig20-linear">Fig.\N{NO-BREAK SPACE}20, linear</a>' in page
    assert '<h2 id="fig20-linear">' in page
    for suffix in (".pdf", ".csv", ".npz", ".json", "-manifest.json"):
        assert f'href="fig20-linear/fig20-linear{suffix}"' in page
    assert f"Made with dlnlab {dlnlab.__version__} on " in page
    assert "dlnlab reproduce fig22 --quick" in page  # the command
    assert not re.search(r"\d\.\d{6}", page)  # no number with more digits than are known
    assert "{&#x27;" not in page  # nor a raw dictionary
    assert "singular value ε of every initial layer" in page
    assert "src=" not in page.replace('src="fig2', "")
    assert "<script" not in page


def test_an_experiment_of_our_own_is_run_and_told_as_ours(run, tmp_path):
    """Compression: its readings are kinds of problems, and a table tells what each way costs."""
    small = {"d": 12, "rank": 2, "steps": 300, "tune": 100}
    changed = dataclasses.replace(EXPERIMENTS["compression"], quick=small)
    found = study(changed, ["completion"], seeds=2, quick=True, executor="serial")
    told = dlnlab.report.study_json(found)
    first, *rest = told["readings"]["completion"]["table"]
    assert first == ["", *found.configurations["completion"][0]["parts"]]
    assert [row[0] for row in rest][1::2] == ["error after fine-tuning", "parameters"]
    assert rest[3][1:] == ["52", "48", "48", "48", "24"]
    assert "Compression |" not in dlnlab.report.overview_markdown([])  # no figure of the paper
    assert "(#compression)" not in dlnlab.report.overview_markdown([told])
    code, out, _ = run("compression", *QUICK, "--as", "factorization", "--out", tmp_path)
    assert code == 0
    assert "compression runs (factorization: runs)" in out
    page = (tmp_path / "index.html").read_text("utf-8")
    assert '<a href="#compression">Compression</a>' in page
    assert "We ask: " in page
    assert "The paper: " not in page
    assert "of fine-tuning" in page  # what a setting means
    code, _, err = run("compression", *QUICK, "--as", "both", "--out", tmp_path)
    assert code == 2
    assert "--as must be among every, factorization, completion, sensing, digits for" in err


def test_digits_that_are_missing_are_told_before_any_work(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    for name in ("compression", "lora", "fig1", "table1"):
        assert cli.main(["reproduce", name, "--quick", "--out", str(tmp_path / "out")]) == 2
        told = f"{name} cannot be run: the digits are scikit-learn's; install it with pip install"
        assert told in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()
    with pytest.raises(ImportError, match=r"dlnlab\[data\]"):
        study(EXPERIMENTS["compression"], ["factorization", "digits"], quick=True)
    EXPERIMENTS["compression"].check_ready(["factorization", "sensing"])
    EXPERIMENTS["fig21"].check_ready(["minibatch"])  # Fashion-MNIST's images


def test_a_yardstick_of_compression_can_fail(monkeypatch):
    from dlnlab.experiments import compressing

    statuses = {}
    for factor in (1.0, 2.0):  # the narrow network, and both thresholdings, are so much worse
        rows = {name: {"zero_shot": 1.0, "fine_tuned": 1.0} for name in compressing.METHODS}
        rows["Algorithm 1 from the start"]["fine_tuned"] *= factor
        rows["hard thresholding, gradual"]["zero_shot"] *= factor
        rows["soft thresholding, gradual"]["fine_tuned"] *= factor
        monkeypatch.setattr(compressing, "measure", lambda _, rows=rows: rows)
        experiment = EXPERIMENTS["compression"]
        values = experiment.measure({"tune": 1})["values"]
        each = [judging.judge(y, [values[y.quantity]] * 2) for y in experiment.yardsticks]
        statuses[factor] = [judged_.status for judged_ in each]
    assert statuses == {1.0: ["met"] * 3, 2.0: ["missed"] * 3}


def test_markdown_says_the_same(run, tmp_path):
    run("fig22", *QUICK, "--out", tmp_path)
    verdict = json.loads((tmp_path / "fig22" / "fig22.json").read_text("utf-8"))
    text = dlnlab.report.experiments_markdown([verdict])
    assert '<details id="fig22" markdown="1">' in text
    assert "22</b>: The proof of Theorem 2 in a picture — runs; the claims hold on" in text
    assert "- Reading *paper*: 1 of 1 claims hold." in text


def test_undecided_numbers_are_told_wherever_the_verdict_is(run, tmp_path, monkeypatch):
    told = "code: claims 0 of 3, 3 undecided, published numbers 0 of 5, 5 undecided"
    small = {"d": 16, "rank": 2, "r_hat": 4, "num_steps": 300}
    settings = {name: EXPERIMENTS["fig5"].settings[name] | small for name in ("paper", "code")}
    changed = dataclasses.replace(EXPERIMENTS["fig5"], settings=settings, meanings={})
    monkeypatch.setitem(EXPERIMENTS, "fig5", changed)
    arguments = ("fig5", "--executor", "serial", "--seeds", "1", "--out", tmp_path)
    _, out, _ = run(*arguments)
    said = " ".join(out.split())  # long lines are broken
    assert "undecided (paper: claims 0 of 3, 3 undecided, published numbers 0 of 5" in said
    assert told in said
    verdict = json.loads((tmp_path / "fig5" / "fig5.json").read_text("utf-8"))
    assert verdict["verdict"] == "undecided"
    assert verdict["readings"]["code"]["published"] == {"met": 0, "missed": 0, "undecided": 5}
    page = (tmp_path / "index.html").read_text("utf-8")
    text = dlnlab.report.experiments_markdown([verdict])
    for document in (html.unescape(page), text):
        assert "; every run diverged" in document  # said once of the reading, and not in rows
        assert document.count("one seed decides nothing") == 8 + 1  # code's, and the paper's start
        assert told.removeprefix("code: ") in document


def test_results_of_an_older_version_are_left_out_of_the_index(run, tmp_path):
    run("fig22", *QUICK, "--out", tmp_path)
    path = tmp_path / "fig22" / "fig22.json"
    path.write_text(path.read_text("utf-8").replace('"format": 3', '"format": 1'), "utf-8")
    run("fig20-linear", *QUICK, "--as", "code", "--out", tmp_path)
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "fig20-linear/fig20-linear.png" in page
    assert "fig22/fig22.png" not in page


@pytest.mark.parametrize("name", ["fig20", "table1"])
def test_another_view_of_an_experiment_makes_the_same_runs(name):
    other = EXPERIMENTS[EXPERIMENTS[name].runs_of]
    assert other.runs_of == ""
    assert EXPERIMENTS[name].measure is other.measure
    for quick in (False, True):
        for reading in other.settings:
            wanted = other.configurations(reading, 2, quick=quick, data="somewhere")
            found = EXPERIMENTS[name].configurations(reading, 2, quick=quick, data="somewhere")
            assert found == wanted


def test_runs_of_two_views_are_made_once_and_what_they_took_is_told_with_both(run, tmp_path):
    options = (*QUICK, "--as", "vit-digits", "--out", tmp_path)
    assert run("table1", *options)[0] == 0  # without Figure 21
    kept = (tmp_path / "fig21" / "fig21.jsonl").read_bytes()
    code, out, _ = run("fig21", *options)
    assert code == 0
    assert "fig21    0 runs to do" in out
    assert (tmp_path / "fig21" / "fig21.jsonl").read_bytes() == kept
    assert not (tmp_path / "table1" / "table1.jsonl").exists()
    for name in ("fig21", "table1"):
        path = tmp_path / name / f"{name}-manifest.json"
        told = json.loads(path.read_text("utf-8"))["parameters"]["runs"]
        assert told["kept in"] == "fig21/fig21.jsonl"
        assert told["seconds"] == {"vit-digits": [json.loads(kept)["seconds"]]}


def test_a_table_holds_the_rows_that_a_reading_measures(run, tmp_path):
    run("table1", *QUICK, "--as", "vit-digits", "--out", tmp_path)
    told = json.loads((tmp_path / "table1" / "table1.json").read_text("utf-8"))
    table = {row[0]: row[1:] for row in told["readings"]["vit-digits"]["table"][1:]}
    assert "held-out accuracy (%)" not in table  # those printed are of MLPs
    assert set(table["small ViT: parameters"][1::2]) == {"–"}
    values = told["readings"]["vit-digits"]["values"]
    counts = {part: values[f"{part}: ViT parameters"] for part in ("original", "DLN", "C-DLN")}
    assert counts == {"original": [25_230_858], "DLN": [44_105_226], "C-DLN": [23_802_954]}


def test_the_page_knows_by_which_command_each_reading_was_run(run, tmp_path):
    generate = scripts.load("generate_reproducing")
    kept = None
    for reading in ("code", "paper"):
        run("fig22", *QUICK, "--as", reading, "--out", tmp_path)
        kept = generate.joined(kept, generate.collected(tmp_path / "fig22", "fig22")[0])
    assert list(kept["study"]["readings"]) == ["paper", "code"]
    told = kept["manifest"]["readings"]
    assert list(told) == ["paper", "code"]
    for reading, each in told.items():
        assert f"--as {reading}" in each["command"]
        assert len(each["seconds"]) == 1
        assert each["blas"]


def test_finished_runs_are_not_repeated(run, tmp_path, monkeypatch):
    run("fig22", *QUICK, "--out", tmp_path)
    before = (tmp_path / "fig22" / "fig22.jsonl").read_bytes()
    monkeypatch.setattr(dlnlab.flow, "compare", None)
    code, out, _ = run("fig22", *QUICK, "--out", tmp_path)
    assert code == 0
    assert (tmp_path / "fig22" / "fig22.jsonl").read_bytes() == before
    assert out.startswith("fig22    0 runs to do, 2 finished (a seed took: paper ")


def test_a_killed_run_resumes(run, tmp_path):
    arguments = ["fig20-linear", *QUICK, "--as", "code", "--seeds", "4", "--out", str(tmp_path)]
    ledger = tmp_path / "fig20-linear" / "fig20-linear.jsonl"
    process = subprocess.Popen([sys.executable, "-m", "dlnlab", "reproduce", *arguments])
    while not ledger.exists() or ledger.read_bytes().count(b"\n") < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    kept = ledger.read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1]
    assert not (tmp_path / "index.html").exists()
    code, out, _ = run(*arguments)
    assert code == 0
    assert "fig20-linear runs" in out
    assert ledger.read_bytes().startswith(kept)  # what was finished was kept, and not repeated
    keys = [json.loads(line)["key"] for line in ledger.read_bytes().splitlines()]
    assert len(keys) == len(set(keys)) == 4


def test_list(run):
    code, out, _ = run("--list")
    assert code == 0
    named = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    assert named == list(EXPERIMENTS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "NAME` must be among fig1, fig2"),
        (("fig99", "--out", "x"), "got 'fig99'"),
        (("fig5",), "--out is needed"),
        (("fig5", "--out", "x", "--seeds", "0"), "--seeds must be an integer >= 1, got 0"),
        (
            ("fig5", "--out", "x", "--as", "figure"),
            "--as must be among both, every, paper, code, mean, top for fig5",
        ),
        (("fig5", "--out", "x", "--executor", "threads"), '--executor must be "serial"'),
        (("fig5", "--out", "/proc/x"), "cannot write to /proc/x"),
    ],
)
def test_bad_usage(run, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*arguments)
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_an_experiment_that_needs_data_is_left_out_or_refused(run, tmp_path, monkeypatch):
    needy = EXPERIMENTS["fig22"]
    changed = dict(vars(needy)) | {"name": "fig99", "needs_data": "the folder of MovieLens-100K"}
    monkeypatch.setitem(EXPERIMENTS, "fig99", Experiment(**changed))
    code, _, err = run("fig99", *QUICK, "--out", tmp_path)
    assert code == 2
    assert "must be the folder of MovieLens-100K for fig99" in err
    for name in list(EXPERIMENTS):
        if name not in ("fig22", "fig99"):
            monkeypatch.delitem(EXPERIMENTS, name)
    code, out, _ = run("all", *QUICK, "--out", tmp_path)
    assert code == 0
    assert "fig99 is left out: --data must be the folder of MovieLens-100K" in out
    configuration = EXPERIMENTS["fig99"].configurations("paper", 1, data="there")[0]
    assert configuration["data"] == "there"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Yardstick("x", "x", source=" "), ValueError, "`source` must say where the yard"),
        (
            lambda: Yardstick("x", "x", published=0.0, source="text"),
            ValueError,
            "`published` must be a finite number > 0, got 0.0",
        ),
        (lambda: study("fig5"), TypeError, "`experiment` must be an Experiment"),
        (lambda: study(EXPERIMENTS["fig5"], ["text"]), ValueError, "`readings` must be one of"),
        (lambda: study(EXPERIMENTS["fig5"], seeds=0), ValueError, "`seeds` must be an integer"),
        (lambda: draw_target(9, 2, "flat", 0), ValueError, "`target` must be one of"),
        (lambda: build(CODE | {"problem": "x"}, 0), ValueError, "`problem` must be one of"),
        (lambda: build(CODE | {"outer": "x"}, 0), ValueError, "`outer` must be one of"),
        (
            lambda: experiments.run(
                build(CODE | {"d": 9, "rank": 1, "r_hat": 2}, 0).problem, {}, num_steps=1
            ),
            TypeError,
            "`networks` must be a mapping",
        ),
        (
            lambda: experiments.run(dlnlab.factorization(np.eye(2)), {"a": 1}, num_steps=1),
            TypeError,
            "`networks\\['a'\\]` must be a dlnlab.experiments.Network",
        ),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()


# ---------------------------------------------------------------------- the documentation


def test_the_page_says_what_the_last_results_hold():
    generate = scripts.load("generate_reproducing")
    data = json.loads(generate.DATA.read_text("utf-8"))
    text = generate.PAGE.read_text("utf-8")
    assert generate.page(text, data) == text
    anew = {name: generate.judged_anew(entry) for name, entry in data.items()}
    assert json.dumps(anew) == json.dumps(data)  # judged by the yardsticks as they are
    name, entry = next(iter(data.items()))
    changed = data | {name: entry | {"study": entry["study"] | {"verdict": "changed"}}}
    assert generate.page(text, changed) != text
    twice = json.loads(json.dumps(data))
    for each in twice.values():
        for reading in each["study"]["readings"].values():
            reading["values"] = {
                quantity: [2 * value if isinstance(value, float) else value for value in values]
                for quantity, values in reading["values"].items()
            }
    lines = (generate.findings(each).splitlines() for each in (data, twice))
    told = [a == b for a, b in zip(*lines, strict=True)]
    assert told == [True] + [False] * 7  # every finding's numbers are the data's; the first counts
    figures = {figure.stem for figure in generate.FIGURES.glob("*.png")}
    assert figures == set(data) | {
        f"{name}-{reading}" for name, reading in generate.DRAWN_TOO.items()
    }
