"""The HTML pages in a real browser: links, images, console, and what overflows."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from pathlib import Path

import pytest
from browsing import CHROMIUM, browsed

from dlnlab import cli, report
from dlnlab.claims import Premise, Verdict
from dlnlab.commands import validate

VERDICTS = Path(__file__).parents[2] / "docs" / "data" / "verdicts"
FIELDS = [field.name for field in dataclasses.fields(Verdict)]

pytestmark = pytest.mark.skipif(not CHROMIUM, reason="no Chromium to open the page with")

PROBE = """<!DOCTYPE html><body><iframe src="{page}" width="{width}" height="900"></iframe>
<pre id="found">not loaded</pre><script>
addEventListener("load", () => {{
  const frame = document.querySelector("iframe"), page = frame.contentDocument;
  const scrolls = e => e.closest(".wide") !== null;
  const wide = [...page.body.querySelectorAll("*")].filter(
    e => !scrolls(e) && (e.getBoundingClientRect().right > frame.clientWidth + 1
      || (e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1)));
  const links = [...page.querySelectorAll("a")].map(a => a.getAttribute("href"));
  const images = [...page.images];
  document.getElementById("found").textContent = JSON.stringify({{
    links, images: images.length,
    broken: images.filter(i => i.naturalWidth === 0).map(i => i.src),
    dangling: links.filter(h => h[0] === "#" && !page.getElementById(h.slice(1))),
    overflowing: wide.map(e => e.tagName + ": " + e.textContent.slice(0, 80)),
    states: page.querySelectorAll(".state").length,
  }});
}});
</script></body>"""


def opened(folder: Path, width: int, page: str = "index.html") -> dict:
    """What a browser of a given width makes of a page; console messages under "console"."""
    (folder / "probe.html").write_text(PROBE.format(width=width, page=page), encoding="utf-8")
    return browsed((folder / "probe.html").as_uri(), folder)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Two figures, one of them with a table and parts."""
    out = tmp_path_factory.mktemp("results")
    arguments = ["fig22", "fig13", "table3", "--quick", "--executor", "serial", "--out", str(out)]
    assert cli.main(["reproduce", *arguments]) == 0
    return out


WIDTHS = pytest.mark.parametrize("width", [360, 1280], ids=["phone", "screen"])


@WIDTHS
def test_the_index_is_whole_and_nothing_overflows(results, width):
    seen = opened(results, width)
    assert seen["console"] == []
    assert seen["broken"] == seen["dangling"] == seen["overflowing"] == []
    assert seen["images"] == 3
    for link in seen["links"]:
        assert link.startswith("#") or (results / link).is_file(), link
    assert seen["states"] >= 9


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory):
    """The page of the verdicts in the docs, which hold every kind of witness; two are drawn."""
    folder = tmp_path_factory.mktemp("verdicts")
    told = {path.stem: json.loads(path.read_text("utf-8")) for path in VERDICTS.glob("*.json")}
    judged = [
        Verdict(**{name: v[name] for name in FIELDS if name in v} | {"premises": premises(v)})
        for v in (part["verdict"] for part in told.values())
    ]
    drawn = [verdict for verdict in judged if verdict.claim in ("corollary1", "eq13_any_start")]
    page = report.verdicts_html(
        judged,
        told["lemma1"]["manifest"],
        {name: part["attacks"] for name, part in told.items()},
        validate._figures(drawn),
    )
    (folder / "verdicts.html").write_text(page, encoding="utf-8")
    return folder


def premises(verdict: dict) -> tuple[Premise, ...]:
    kept = [f.name for f in dataclasses.fields(Premise)]
    return tuple(Premise(**{k: p[k] for k in kept if k in p}) for p in verdict["premises"])


@WIDTHS
def test_the_page_of_verdicts_is_whole_linked_and_nothing_overflows(verdicts, width):
    seen = opened(verdicts, width, "verdicts.html")
    assert seen["console"] == []
    assert seen["broken"] == seen["dangling"] == seen["overflowing"] == []
    assert seen["images"] == 2
    assert {f"#{name}" for name in ("lemma1", "theorem2", "gauge")} <= set(seen["links"])
    assert seen["states"] == 2 * len(set(seen["links"]))  # a row and a section for each claim


def test_the_page_of_verdicts_has_words_and_short_numbers(verdicts):
    page = (verdicts / "verdicts.html").read_text("utf-8")
    told = html.unescape(re.sub(r"<img[^>]*>|<style>.*?</style>|<[^>]*>", " ", page, flags=re.S))
    assert re.findall(r"[1-9]\d*\.\d{7,}|0\.0*[1-9]\d{7,}", told) == []
    assert re.findall(r"""[{[]['"]|: \{|\bNone\b|\bnan\b""", told) == []
    for part in ("Kwon et al.", "Made on 20", "with dlnlab", "dlnlab validate"):
        assert part in told


def test_a_broken_page_would_be_noticed(results):
    page = results / "index.html"
    right = page.read_text("utf-8")
    wrong = right.replace('id="fig22"', "").replace("fig13/fig13.png", "fig13/none.png")
    wrong = wrong.replace("</h1>", f"</h1><p>{'m' * 300}</p><script>console.error('x')</script>")
    page.write_text(wrong, encoding="utf-8")
    try:
        seen = opened(results, 360)
    finally:
        page.write_text(right, encoding="utf-8")
    assert seen["dangling"] == ["#fig22"]
    assert len(seen["broken"]) == 1
    assert seen["overflowing"]
    assert seen["console"]
