"""Reports: aligned text within 80 columns, escaped HTML, strict JSON."""

from __future__ import annotations

import dataclasses
import datetime
import html.parser
import json
import re
import unicodedata

import comparisons
import numpy as np
import pytest

import dlnlab
from dlnlab import report, results
from dlnlab.claims import Premise, Verdict
from dlnlab.training.trajectory import Status


@pytest.fixture(params=comparisons.ALL)
def c(request):
    return comparisons.ALL[request.param]()


def columns(line):
    """Width of a line on a terminal: combining accents, as in r̂, take no column."""
    return sum(not unicodedata.combining(letter) for letter in line)


def table(text):
    """Header and rows of the table of modes."""
    lines = text.splitlines()
    start = next(k for k, line in enumerate(lines) if line.lstrip().startswith("mode"))
    end = next(k for k in range(start, len(lines)) if lines[k].startswith("  t_i:"))
    return [line for line in lines[start:end] if not line.startswith("  (")]


def replace_verdict(c, verdict):
    return dataclasses.replace(c, verdicts=c.verdicts | {verdict.claim: verdict})


def test_text_fits_a_terminal(c):
    text = report.comparison_text(c)
    assert max(columns(line) for line in text.splitlines()) <= 80
    assert not any(line.endswith(" ") for line in text.splitlines())
    assert not text.endswith("\n")


@pytest.mark.parametrize("width", [40, 60, 72, 120])
def test_text_follows_the_width_of_a_terminal(monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    c = comparisons.usual()
    lines = report.comparison_text(c).splitlines()
    assert max(map(columns, lines)) <= width
    assert ("no room for: ratio, c_vec" in " ".join(lines)) == (width == 40)
    joined = " ".join(" ".join(lines).split())
    assert ("Assumption 1 with c_vec = 0 not applicable" in joined) == (width >= 80)
    assert all(f"{t:.4g}" in joined for t in c.fitting_times.original)
    monkeypatch.setenv("COLUMNS", "3")  # no table is so narrow
    assert report.comparison_text(c)


def test_columns_of_the_table_are_aligned(c):
    rows = table(report.comparison_text(c))
    assert len({columns(row) for row in rows}) == 1
    assert all(len(row.split()) == 6 for row in rows[1:])


def test_text_says_setting_modes_verdicts_and_ending():
    c = comparisons.usual()
    lines = report.comparison_text(c).splitlines()
    assert lines[0] == "20 × 20 target of rank 3: r̂ = 5, L = 3, ε = 0.1, seed 0"
    mode, target, original, compressed, ratio, c_vec = lines[3].split()
    assert (mode, target) == ("1", "1")
    t, t_compressed = c.fitting_times.original[0], c.fitting_times.compressed[0]
    assert float(original) == pytest.approx(t, rel=1e-3)
    assert float(compressed) == pytest.approx(t_compressed, rel=1e-3)
    assert float(ratio) == pytest.approx(t / t_compressed, abs=1e-3)
    assert float(c_vec) == pytest.approx(c.c_vec.original[0], rel=0.05)
    assert any(re.match(r"Theorem 2 +not applicable  ", line) for line in lines)
    assert any(re.match(r"Dominance +conjecture \(tested 1\)  ", line) for line in lines)
    assert lines[-1].startswith(f"Ended at t = {c.times[-1]:.6g} after ")
    assert lines[-1].endswith("s: the original network has fitted the target.")


def test_summary_and_repr_are_the_text():
    c = comparisons.usual()
    assert c.summary() == repr(c) == report.comparison_text(c)


def test_unmet_premises_are_told_in_words():
    text = report.comparison_text(comparisons.too_narrow())
    assert "r̂ < r: the compressed network cannot represent the target" in text
    assert "the initial layers are not balanced (relative gap " in text
    assert "the start is not aligned with the target, Q v_i* ≠ u_i* (by " in text


def test_unknown_premises_are_told_by_name_and_statement():
    c = comparisons.usual()
    new = Verdict("novelty", "…", "not applicable", 1.0, 0.0, (Premise("calm", "no wind", -1.0),))
    text = report.comparison_text(replace_verdict(c, new))
    assert re.search(r"novelty +not applicable +1.00e\+00 ± 0.0e\+00\n    – calm: no wind", text)


def test_values_that_were_never_fitted():
    text = report.comparison_text(comparisons.never_fitted())
    rows = table(text)
    assert rows[1].split()[2] == ">5"
    assert rows[1].split()[4:] == ["–", "–"]
    assert "not every mode was fitted while the run lasted" in text
    assert "tested up to t = 5 only" in text
    assert text.endswith(": t_end was reached; 2 of 2 modes were not fitted.")


def test_nothing_measured_without_premises_is_said_too():
    c = comparisons.usual()
    empty = Verdict("assumption1", "…", "not applicable", float("nan"), 0.0)
    text = report.comparison_text(replace_verdict(c, empty))
    assert "– a mode was never fitted, so there is nothing to measure" in text


def test_a_refuted_claim_stands_out_and_says_where():
    c = comparisons.usual()
    verdict = dataclasses.replace(c.verdicts["dominance"], status="refuted", witness={"time": 3.5})
    text = report.comparison_text(replace_verdict(c, verdict))
    assert re.search("Dominance +REFUTED", text)
    assert "    – worst at t = 3.5" in text


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (Status.STATIONARY, "s: nothing moved any more."),
        (Status.BUDGET, "`max_steps` was spent before t_end"),
        (Status.STOPPED, "has fitted the target"),
    ],
)
def test_how_the_run_ended(status, words):
    c = comparisons.usual()
    c = dataclasses.replace(c, original=dataclasses.replace(c.original, status=status))
    assert words in " ".join(report.comparison_text(c).split())


def test_many_modes_are_thinned_with_a_note():
    text = report.comparison_text(comparisons.many_modes())
    modes = [int(row.split()[0]) for row in table(text)[1:]]
    assert len(modes) == 12
    assert (modes[0], modes[-1]) == (1, 100)
    assert "  (12 of 100 modes shown)\n" in text


class Tags(html.parser.HTMLParser):
    """Collects tags and text, and checks that every tag is closed in order."""

    def __init__(self):
        super().__init__()
        self.open, self.seen, self.text = [], [], ""

    def handle_starttag(self, tag, attributes):
        self.open.append(tag)
        self.seen.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def parse(fragment):
    tags = Tags()
    tags.feed(fragment)
    tags.close()
    assert not tags.open
    return tags


def test_html_is_well_formed_and_self_contained(c):
    tags = parse(c._repr_html_())
    assert {tag for tag, _ in tags.seen} <= {"div", "p", "b", "table", "tr", "th", "td"}
    assert {name for _, attributes in tags.seen for name in attributes} <= {"style"}
    assert not any("url" in a.get("style", "") for _, a in tags.seen)
    assert f"target of rank {c.targets.size}" in tags.text
    assert "Theorem 2, refined" in tags.text
    assert "Ended at t = " in tags.text


def test_html_escapes_everything():
    c = comparisons.usual()
    evil = "<script>alert('&')</script>"
    verdict = Verdict(evil, evil, "not applicable", 0.0, 0.0, (Premise(evil, evil, -1.0),))
    c = dataclasses.replace(replace_verdict(c, verdict), settings=c.settings | {"seed": evil})
    fragment = report.comparison_html(c)
    assert "<script" not in fragment
    assert parse(fragment).text.count(evil) == 4  # head, claim, premise: name and statement


def test_json_is_strict(c):
    content = report.comparison_json(c)
    assert json.loads(json.dumps(content, allow_nan=False)) == content
    assert content["targets"] == c.targets.tolist()
    assert content["settings"]["shape"] == list(c.settings["shape"])
    assert [v["claim"] for v in content["verdicts"]] == list(c.verdicts)
    assert content["status"] == c.original.status.value


def test_json_says_infinite_and_undefined():
    content = report.comparison_json(comparisons.never_fitted())
    assert content["fitting_times"]["original"] == ["inf", "inf"]
    assert content["c_val"]["original"] == [None, None]
    assert content["final_error_original"] == comparisons.never_fitted().original.errors[-1]


def test_manifest_says_what_ran_where_and_when():
    parameters = {"seed": 3, "shape": (2, 2), "t_end": np.inf, "eps": np.float64(0.1)}
    entry = report.manifest("dlnlab compare --seed 3", parameters, 1.5)
    assert json.loads(json.dumps(entry, allow_nan=False)) == entry
    assert entry["command"] == "dlnlab compare --seed 3"
    assert entry["seed"] == 3
    assert entry["parameters"] == {"seed": 3, "shape": [2, 2], "t_end": "inf", "eps": 0.1}
    assert entry["versions"]["dlnlab"] == dlnlab.__version__
    assert set(entry["versions"]) == {"dlnlab", "python", "numpy", "scipy"}
    finished = datetime.datetime.fromisoformat(entry["finished"])
    assert finished.utcoffset() == datetime.timedelta(0)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        (-np.inf, "-inf"),
        (np.array([1.0, np.inf]), [1.0, "inf"]),
        (np.float32(0.5), 0.5),
        (np.int64(2), 2),
        ((1, "a", None, True), [1, "a", None, True]),
        ({1: {"x": np.nan}}, {"1": {"x": None}}),
        (Status.BUDGET, "Status.BUDGET"),
    ],
)
def test_plain_has_only_what_json_has(value, expected):
    assert results.plain(value) == expected
    assert type(results.plain(value)) is type(expected)


def test_the_modes_that_matter_are_shown():
    """The first and the last, both sides of the widest gap, the last one fitted and the next."""
    targets = np.array([*np.linspace(9, 5, 20), *np.linspace(0.1, 0.05, 20)])
    fitted = np.arange(40) < 30
    found = report.comparison._telling(targets, fitted)
    assert len(found) == 12
    assert {0, 1, 2, 19, 20, 29, 30, 39} <= set(found)
    assert report.comparison._telling(targets[:5], fitted[:5]) == [0, 1, 2, 3, 4]
