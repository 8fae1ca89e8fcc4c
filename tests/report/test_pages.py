"""Pages of names that strangers chose: everything is shown as text, nothing becomes markup."""

from __future__ import annotations

import copy
import dataclasses
import html.parser
import json
import shutil
import subprocess
from pathlib import Path

import comparisons
import pytest

from dlnlab import report
from dlnlab.claims import Premise, Verdict
from dlnlab.report import atlas
from dlnlab.report.page import page, unmarked

EVIL = """<img src=x onerror="document.title='taken'">'"]( javascript:1)|.npy"""
STUDIES = Path(__file__).parents[2] / "docs" / "data" / "experiments.json"

ELEMENTS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "h1",
    "h2",
    "p",
    "b",
    "i",
    "a",
    "span",
}
ELEMENTS |= {"div", "table", "tr", "th", "td", "dl", "dt", "dd", "ul", "li", "figure", "figcaption"}
ELEMENTS |= {"img", "details", "summary", "tbody"}


class Elements(html.parser.HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.seen, self.text = [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def taken(text):
    """What in a page is not of our making: other elements, handlers, images from elsewhere."""
    return [
        (tag, attributes)
        for tag, attributes in Elements(text).seen
        if tag not in ELEMENTS
        or any(
            name.startswith("on") or str(v).strip().startswith("javascript:")
            for name, v in attributes.items()
        )
        or attributes.get("src") == "x"
    ]


def test_what_is_not_of_our_making_is_seen():
    assert taken(page("title", [EVIL]))
    assert taken("<p title='' onclick='f()'>")
    assert taken("<script>f()</script>")


def manifest():
    return report.manifest(f"dlnlab compare {EVIL}", {"target": EVIL, EVIL: EVIL, "seed": 0}, 1.0)


def verdicts_page():
    premise = Premise(EVIL, EVIL, -1.0)
    witness = {"target": EVIL, EVIL: [EVIL], "simplest": {EVIL: EVIL}}
    verdict = Verdict(EVIL, EVIL, "not applicable", 0.0, 0.0, (premise,), witness=witness)
    attacks = {EVIL: [{"part": EVIL, "count": 3, "description": EVIL}]}
    return report.verdicts_html([verdict], manifest(), attacks, {})


def atlas_page():
    return atlas.atlas_html([], [EVIL], {}, manifest())


def comparison_page():
    verdict = Verdict(EVIL, EVIL, "not applicable", 0.0, 0.0, (Premise(EVIL, EVIL, -1.0),))
    c = comparisons.usual()
    c = dataclasses.replace(
        c, settings=c.settings | {"seed": EVIL}, verdicts=c.verdicts | {EVIL: verdict}
    )
    return page(EVIL, [report.comparison_html(c)])


@pytest.mark.parametrize("make", [verdicts_page, atlas_page, comparison_page])
def test_names_are_text(make):
    text = make()
    assert taken(text) == []
    assert EVIL in Elements(text).text


def study():
    return json.loads(STUDIES.read_text("utf-8"))["fig22"]["study"]


def strings(value, path=()):
    """The places of all texts in plain data, keys of mappings included."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield (*path, key), True
            yield from strings(part, (*path, key))
    elif isinstance(value, list):
        for k, part in enumerate(value):
            yield from strings(part, (*path, k))
    elif isinstance(value, str):
        yield path, False


def poisoned(content, path, is_key):
    """A copy with one text replaced."""
    content = copy.deepcopy(content)
    parent = content
    for step in path[:-1]:
        parent = parent[step]
    if is_key:
        parent[EVIL] = parent.pop(path[-1])
    else:
        parent[path[-1]] = EVIL
    return content


@pytest.mark.parametrize("make", [report.experiments_html, report.experiments_markdown])
def test_no_text_of_a_study_becomes_markup(make):
    places, made = list(strings(study())), 0
    for path, is_key in places:
        try:
            text = make([poisoned(study(), path, is_key)])
        except (KeyError, ValueError):  # what it needs by name is missing: no page
            continue
        made += 1
        assert taken(text) == [], path
    assert made > len(places) / 3


def test_markdown_keeps_what_is_no_markup():
    assert unmarked({"a < b": ["x<0, [1] and r̂ <= r", 3]}) == {"a < b": ["x<0, [1] and r̂ <= r", 3]}
    assert unmarked("<b>[x](y)\n# z") == "&lt;b>[x\\](y) # z"


@pytest.fixture(scope="module")
def browser():
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
    if found is None:
        pytest.skip("Chromium is not installed: apt-get install chromium")
    return found


def test_a_browser_shows_names_as_text(browser, tmp_path):
    """The page as it is after scripts ran; the second shows that one would have run."""
    safe, unsafe = tmp_path / "safe.html", tmp_path / "unsafe.html"
    pages = [report.experiments_html([study() | {"title": EVIL}]), verdicts_page(), atlas_page()]
    safe.write_text("\n".join(pages), encoding="utf-8")
    unsafe.write_text(page("title", [EVIL]), encoding="utf-8")

    def shown(path):
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"]
        command += [f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=2000"]
        done = subprocess.run(
            [*command, path.as_uri()], capture_output=True, check=True, timeout=100
        )
        return done.stdout.decode()

    assert "<title>taken</title>" in shown(unsafe)
    assert "<title>taken</title>" not in shown(safe)
    assert taken(shown(safe)) == []
