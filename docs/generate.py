"""Write the numbers and figures of the claims' pages from the last report of the validations.

    dlnlab validate --profile dev --json docs/data/verdicts.json
    python docs/generate.py

Between the marks ``<!-- verdict: NAME -->`` and ``<!-- end -->`` a claim's page says what
``docs/data/verdicts.json`` holds on that claim; nothing in there is written by hand.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
REPORT = DOCS / "data" / "verdicts.json"
BLOCK = re.compile(r"<!-- verdict: (\w+) -->\n.*?<!-- end -->", re.DOTALL)
FIGURES = "../figures/claims"

WORDS = {
    "proved": "Proved, and the conclusion held on every instance whose premises are met",
    "conditional": "Conditional; the conclusion held on every instance whose premises are met",
    "conjecture": "Conjecture: the conclusion held on every instance whose premises are met",
    "refuted": "Refuted by an instance whose premises are all met",
    "not applicable": "Not applicable here: what is shown is how the conclusion fares without it",
}
INSTANCE = ("shape", "spectrum", "depth", "eps", "r_hat", "alpha", "share", "time", "part", "kind")
"""What a line can tell of an instance; the report has all that is needed to build it again."""


def main() -> None:
    """Rewrite every block of every page, and draw the figures."""
    report = json.loads(REPORT.read_text("utf-8"))
    draw(report)  # first, since the pages show the figures that there are
    for page, text in pages(report):
        page.write_text(text, encoding="utf-8")


def pages(report: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield each page that has blocks, and what it should say."""
    for page in sorted((DOCS / "claims").glob("*.md")):
        text = page.read_text("utf-8")
        if BLOCK.search(text):
            yield page, BLOCK.sub(lambda found: block(found[1], report), text)


def block(name: str, report: Mapping[str, Any]) -> str:
    """Return the block on one claim, marks included."""
    verdict = next(v for v in report["verdicts"] if v["claim"] == name)
    manifest, words = report["manifest"], WORDS[verdict["status"]]
    lines = [
        f"<!-- verdict: {name} -->",
        "**How it was attacked.**",
        *(
            f"- {attack['part']}, {attack['count']:,} instances: {attack['description']}"
            for attack in report["attacks"][name]
        ),
        "",
        f"**What came of it.** {words}. Worst margin {verdict['margin']:.2e} ± "
        f"{verdict['error']:.1e} over {verdict['instances']:,} instances.",
    ]
    lines += [f"- {sentence}" for sentence in asides(verdict["witness"])]
    lines += ["", f"Worst instance: {instance(verdict['witness'])}."]
    if (DOCS / "claims" / FIGURES / f"{name}.png").exists():
        lines += ["", f"![The worst instance]({FIGURES}/{name}.png)"]
    lines += [
        "",
        f"Made with `{manifest['command']}`, dlnlab {manifest['versions']['dlnlab']}, on "
        f"{manifest['finished'][:10]}; every number is in [verdicts.json](../data/verdicts.json).",
        "<!-- end -->",
    ]
    return "\n".join(lines)


def asides(witness: Mapping[str, Any]) -> Iterator[str]:
    """Say what else was seen."""
    if outside := witness.get("outside_the_premises"):
        unmet = ", ".join(f"{name} ({count:,})" for name, count in outside["unmet"].items())
        yield (
            f"{outside['instances']:,} further instances lie outside the premises ({unmet}); the "
            f"worst margin there is {outside['worst_margin']:.2e}."
        )
    if held := witness.get("where_it_is_met"):
        yield (
            f"Where the premise is met ({held['instances']:,} instances) the conclusion held, with "
            f"margin {held['margin']:.2e} ± {held['error']:.1e} at worst."
        )
    if simple := witness.get("simplest"):
        yield (
            f"A simple violation: {instance(simple)}; margin {simple['margin']:.2e} ± "
            f"{simple['error']:.1e}."
        )
    for name, law in witness.get("powers_of_eps", {}).items():
        yield f"{name} ~ ε^p with p = {law['power']:.3f} ± {law['half_width']:.3f} (95 %)."
    for name, end in witness.get("limits", {}).items():
        yield f"{name} → {end['limit']:.3f} ± {end['half_width']:.3f} (95 %) as ε → 0."


def instance(witness: Mapping[str, Any]) -> str:
    """Return the short facts of an instance."""
    told = (f"{key} {short(witness[key])}" for key in INSTANCE if witness.get(key) is not None)
    return ", ".join(told)


def short(value: Any) -> str:
    """Return a number with four digits, a list of them, or the text itself."""
    if isinstance(value, list):
        return f"({', '.join(map(short, value))})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def draw(report: Mapping[str, Any]) -> None:
    """Draw the worst instance of each claim."""
    from dlnlab.validations import pictures

    from dlnlab import plotting

    folder = (DOCS / "claims" / FIGURES).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for verdict in report["verdicts"]:
        figure = pictures.draw(verdict["claim"], verdict["witness"])
        if figure is not None:
            plotting.save(figure, folder / f"{verdict['claim']}.png")


if __name__ == "__main__":
    main()
