"""The documentation site in a real browser, and what can be said of it without building it.

    python -m sphinx -W docs docs/_build/html && python -m pytest tests/test_site.py

Without a built site, or without Playwright and Chromium, the tests in the browser are skipped.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import importlib.util
import re
import runpy
import shutil
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import matplotlib.pyplot as plt
import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
SITE = DOCS / "_build" / "html"
EXAMPLES = sorted((DOCS / "examples").glob("plot_*.py"))
WIDTHS = (360, 1280)


# What every build makes, looked at without a build


@pytest.fixture(scope="module")
def generated():
    """The extension that writes the reference, as a module; it needs no Sphinx."""
    spec = importlib.util.spec_from_file_location("generated", DOCS / "_sphinx" / "generated.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_has_every_public_name(generated):
    import test_doors

    modules = generated.public_modules()
    assert set(test_doors.public_modules()) <= set(modules)
    where = generated.homes(modules)
    pages = {path: "\n".join(generated.page(path, m, where)) for path, m in modules.items()}
    for name, home in where.items():
        own = pages[name.rpartition(".")[0]]
        if name == home:
            assert re.search(rf"^\.\. auto\w+:: {re.escape(name)}$", own, re.MULTILINE), name
        else:
            assert f"<{home}>`" in own, name
            assert where[home] == home


def test_notebooks_have_no_outputs_and_are_all_on_the_site():
    listed = re.findall(
        r"^notebooks/(\w+)$", (DOCS / "tutorials.md").read_text("utf-8"), re.MULTILINE
    )
    assert set(listed) == {path.stem for path in (DOCS / "notebooks").glob("*.md")}
    assert not [p for p in DOCS.rglob("*.ipynb") if {"_build", "gallery"}.isdisjoint(p.parts)]
    for path in (DOCS / "notebooks").glob("*.md"):
        text = path.read_text("utf-8")
        assert text.startswith("---\njupytext:"), path.name
        assert "```{code-cell}" in text, path.name
        assert "matplotlib.figure" not in text, f"{path.name}: only pyplot's figures are shown"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_script_of_the_gallery_draws_one_figure(path):
    plt.close("all")
    runpy.run_path(str(path))
    assert len(plt.get_fignums()) == 1
    plt.close("all")


def test_every_page_is_reached_from_the_first_one():
    """Each Markdown page is in a table of contents, and each entry of one is a page."""
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in DOCS.rglob("*.md")}
    pages = {page for page in pages if not page.startswith("_build/")}
    reached = {"index"}
    for page in pages:
        folder = Path(page).parent
        for block in re.findall(
            r"```\{toctree\}\n(.*?)```", (DOCS / f"{page}.md").read_text("utf-8"), re.S
        ):
            for entry in block.split():
                if entry == "*":
                    reached |= {p for p in pages if Path(p).parent == folder}
                elif not entry.startswith(":") and not entry.isdigit():
                    reached.add((folder / entry).as_posix())
    made = {"reference/index", "reference/commands", "gallery/index"}
    assert reached - made == pages


# The built site


def targets(page: Path) -> tuple[set[str], set[str]]:
    """Return the ids of a page, and what it links to or shows."""
    ids, links = set(), set()

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            found = dict(attributes)
            ids.update(filter(None, (found.get("id"), found.get("name") if tag == "a" else None)))
            links.update(filter(None, (found.get("href"), found.get("src"))))

    reader = Reader()
    reader.feed(page.read_text("utf-8"))
    return ids, links


def broken(site: Path) -> list[str]:
    """Return links of a site to pages, files and anchors that do not exist."""
    known = {page.resolve(): targets(page) for page in site.rglob("*.html")}
    known = {page: found for page, found in known.items() if "_static" not in page.parts}
    wrong = []
    for page, (_, links) in known.items():
        for link in links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            path = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            there = path / "index.html" if path.is_dir() else path
            anchored = there.suffix == ".html" and parts.fragment
            if not there.is_file() or (anchored and unquote(parts.fragment) not in known[there][0]):
                wrong.append(f"{page.relative_to(site)}: {link}")
    return wrong


@contextlib.contextmanager
def served(folder: Path):
    """Serve a folder on a free port; yield the address."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="Playwright: pip install 'dlnlab[docs]'"
    )
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    with playwright.sync_playwright() as p:
        try:
            found = p.chromium.launch(executable_path=path, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"no Chromium to open the site with: {str(error).splitlines()[0]}")
        yield found
        found.close()


@pytest.fixture(scope="module")
def site():
    if not (SITE / "index.html").is_file():
        pytest.skip("the site is not built: python -m sphinx -W docs docs/_build/html")
    return SITE


SEEN = """async () => {
  if (window.MathJax?.startup) await MathJax.startup.promise;
  const root = document.documentElement;
  return {
    overflow: root.scrollWidth - root.clientWidth,
    formulas: document.querySelectorAll(".math").length,
    rendered: [...document.querySelectorAll(".math")].filter(
      m => m.querySelector("mjx-container svg")?.getBoundingClientRect().width > 0
        || m.closest("details:not([open])")).length,
    wrong: document.querySelectorAll("mjx-merror").length,
    blank: [...document.images].filter(i => i.complete && i.naturalWidth === 0).map(i => i.src),
  };
}"""


def opened(browser, address: str, names: list[str], width: int) -> dict[str, dict]:
    """Open pages in a window of a given width; return what is seen, and what goes wrong."""
    page = browser.new_page(viewport={"width": width, "height": 900})
    seen, troubles = {}, []
    page.on(
        "console", lambda m: troubles.append(m.text) if m.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on(
        "request",
        lambda r: None if r.url.startswith((address, "data:", "blob:")) else troubles.append(r.url),
    )
    page.route(lambda url: not url.startswith(address), lambda route: route.abort())
    for name in names:
        troubles.clear()
        page.goto(f"{address}/{name}")
        seen[name] = page.evaluate(SEEN) | {"troubles": list(troubles)}
    page.close()
    return seen


def faults(seen: dict) -> list[str]:
    """Say what is wrong with an opened page."""
    found = [*seen["troubles"], *(f"no image {name}" for name in seen["blank"])]
    found += [f"{seen['overflow']} px too wide"] if seen["overflow"] > 0 else []
    found += ["formulas in error"] if seen["wrong"] else []
    found += ["formulas not rendered"] if seen["rendered"] < seen["formulas"] else []
    return found


def test_no_link_is_broken(site):
    assert broken(site) == []


@pytest.mark.parametrize("width", WIDTHS)
def test_every_page_opens(site, browser, width):
    """All pages; of the highlighted sources, which are of one kind, the first."""
    names = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]
    names = [name for name in names if not name.startswith("_static/")]  # templates of the theme
    sources = [name for name in names if name.startswith("_modules/")]
    with served(site) as address:
        seen = opened(
            browser, address, [*(n for n in names if n not in sources), *sources[:1]], width
        )
    assert {name: faults(page) for name, page in seen.items() if faults(page)} == {}
    assert sum(page["rendered"] for page in seen.values()) > 50


def test_search_and_dark_mode(site, browser):
    with served(site) as address:
        page = browser.new_page(color_scheme="dark")
        page.goto(f"{address}/search.html?q=parsimony")
        page.wait_for_selector("#search-results li a", timeout=20_000)
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.close()


def test_what_is_wrong_would_be_noticed(browser, tmp_path):
    """A page that is too wide, with a broken image, formula, link and script, and a foreign one."""
    text = """<!DOCTYPE html><p style="width: 2000px">wide</p><img src="none.png">
    <span class="math">x</span><a href="#nowhere">a</a><a href="none.html">b</a>
    <script src="https://example.org/x.js"></script><script>undefined.x</script>"""
    (tmp_path / "index.html").write_text(text, encoding="utf-8")
    assert len(broken(tmp_path)) == 3
    with served(tmp_path) as address:
        found = " ".join(faults(opened(browser, address, ["index.html"], 360)["index.html"]))
    for sign in ("px too wide", "no image", "not rendered", "example.org", "undefined"):
        assert sign in found
