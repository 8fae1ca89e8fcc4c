"""Write the numbers and figures of the claims' pages from the last report of the validations.

    dlnlab validate --profile dev --json report.json
    dlnlab validate --profile hunt --minutes 120 --resume hunt.jsonl --json docs/data/hunt.json
    python docs/generate.py report.json

The report is kept claim by claim in ``docs/data/verdicts/``, so that one claim can be measured
anew alone (``dlnlab validate CLAIM …``); without a report the pages are written from what is kept.

Between the marks ``<!-- verdict: NAME -->`` and ``<!-- end -->`` a claim's page says what
``docs/data/verdicts/NAME.json`` holds on that claim, after ``<!-- standing: NAME -->`` what the
registry of claims knows of it, ``<!-- claims -->`` is the table of all of them, and
``<!-- hunt -->`` what the longest search covered, once there is a report of one; nothing in there
is written by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dlnlab.claims import CLAIMS, Claim, Standing

DOCS = Path(__file__).parent
VERDICTS = DOCS / "data" / "verdicts"
HUNT = DOCS / "data" / "hunt.json"
BLOCK = re.compile(
    r"<!-- (verdict|standing|claims|hunt)(?:: (\w+))? -->\n.*?<!-- end -->", re.DOTALL
)
FIGURES = "../figures/claims"

WORDS = {
    "proved": "Proved, and the conclusion held on every instance whose premises are met",
    "conditional": "Conditional; the conclusion held on every instance whose premises are met",
    "conjecture": "Conjecture: the conclusion held on every instance whose premises are met",
    "refuted": "Refuted by an instance whose premises are all met, which was not known",
    "not applicable": "Not applicable here: what is shown is how the conclusion fares without it",
}
KNOWN_TO_FAIL = "Refuted again: the conclusion fails on instances whose premises are all met"
NOT_SEEN = "Refuted, but by no instance of this run"

INSTANCE = (
    *("shape", "spectrum", "sigma", "depth", "eps", "angle", "c_vec", "r_hat", "alpha", "share"),
    *("starts", "d", "ratio", "step", "eta", "time", "part", "kind"),
)
"""What a line can tell of an instance; the report has all that is needed to build it again."""


def main() -> None:
    """Keep the report that is given, rewrite every block of every page, and draw the figures."""
    reports = [json.loads(Path(path).read_text("utf-8")) for path in sys.argv[1:]]
    for report in reports:
        keep(report)
    told = {verdict["claim"] for report in reports for verdict in report["verdicts"]}
    draw({name: c for name, c in kept().items() if name in told or not reports})
    # before the pages, which show the figures that there are
    for page, text in pages(kept()):
        page.write_text(text, encoding="utf-8")


def keep(report: Mapping[str, Any]) -> None:
    """Write what a report says of each claim to a file of that claim."""
    VERDICTS.mkdir(exist_ok=True)
    for verdict in report["verdicts"]:
        name = verdict["claim"]
        content = {
            "verdict": verdict,
            "attacks": report["attacks"][name],
            "manifest": report["manifest"],
        }
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (VERDICTS / f"{name}.json").write_text(text, encoding="utf-8")


def kept() -> dict[str, Any]:
    """Return what is kept of every claim, by name and in the order of the registry."""
    return {
        name: json.loads(path.read_text("utf-8"))
        for name in CLAIMS
        if (path := VERDICTS / f"{name}.json").exists()
    }


def pages(report: Mapping[str, Any]) -> Iterator[tuple[Path, str]]:
    """Yield each page that has blocks, and what it should say."""
    for page in sorted((DOCS / "claims").glob("*.md")):
        text = page.read_text("utf-8")
        if BLOCK.search(text):
            yield page, BLOCK.sub(lambda found: block(found[1], found[2], report), text)


def block(kind: str, name: str | None, report: Mapping[str, Any]) -> str:
    """Return a block of one kind, marks included."""
    if kind == "claims":
        return "\n".join(["<!-- claims -->", *overview(), "<!-- end -->"])
    if kind == "hunt":
        return "\n".join(["<!-- hunt -->", *hunt(), "<!-- end -->"])
    assert name is not None  # the two others name their claim
    if kind == "standing":
        return "\n".join([f"<!-- standing: {name} -->", *standing(CLAIMS[name]), "<!-- end -->"])
    return attack(name, report)


def standing(claim: Claim) -> Iterator[str]:
    """Say what is known of a claim, scope by scope."""
    yield f"**{claim.title}** (`{claim.name}`). {starred(claim.statement)}"
    yield ""
    for known in claim.standings:
        words = f"**{known.words}**" + (f" for {known.scope}" if known.scope else "")
        yield f"- {starred(words)}{support(known)}"


def support(known: Standing) -> str:
    """Name the proofs and the smallest witness behind a standing."""
    proofs = ", ".join(f"[`{name}`](../../proofs/{name}.py)" for name in known.proofs)
    shown = f": {starred(str(known.witness))}" if known.witness else ""
    return shown + (f" ({proofs})" if proofs else "") + ("." if shown or proofs else "")


def starred(text: str) -> str:
    """Escape the stars of a text for Markdown, bold ones left alone."""
    return re.sub(r"(?<!\*)\*(?!\*)", r"\\*", text).replace("|", "\\|")


def overview() -> Iterator[str]:
    """The table of all claims: status by scope, and where to read on."""
    pages = {
        found[2]: page.name
        for page in sorted((DOCS / "claims").glob("*.md"))
        for found in BLOCK.finditer(page.read_text("utf-8"))
        if found[1] == "standing"
    }
    yield "| Statement | Proved | Conditional or conjectured | Refuted, smallest witness | Name |"
    yield "|---|---|---|---|---|"
    for claim in CLAIMS.values():
        head = f"[{claim.title}]({pages[claim.name]})"
        cells = (
            scopes(claim, "proved"),
            scopes(claim, "conditional", "conjecture"),
            "; ".join(str(known.witness) for known in claim.standings if known.witness),
        )
        yield f"| {head} | {' | '.join(starred(cell) or '–' for cell in cells)} | `{claim.name}` |"


def scopes(claim: Claim, *statuses: str) -> str:
    """Say for which instances a claim has one of some statuses; "proved" is the column's name."""
    found: dict[str, list[str]] = {}
    for known in claim.standings:
        if known.status in statuses:
            found.setdefault(known.words.removeprefix("proved"), []).append(
                known.scope or "all instances"
            )
    return "; ".join(
        f"{words}: {', or '.join(some)}".removeprefix(": ") for words, some in found.items()
    )


def hunt() -> Iterator[str]:
    """What the longest search covered, if its report is there."""
    if not HUNT.exists():
        return
    report = json.loads(HUNT.read_text("utf-8"))
    verdicts = {verdict["claim"]: verdict for verdict in report["verdicts"]}
    reruns = report.get("again", [])
    coverage = report["coverage"] | {
        old["claim"]: old["coverage"] for rerun in reruns for old in rerun["before"]
    }
    spent = sum(part["seconds"] for parts in coverage.values() for part in parts)
    yield (
        f"`{report['manifest']['command']}` spent {spent / 3600:.1f} hours of computing, on "
        f'{report["manifest"]["finished"][:10]}. "Covered" is the share of the instances that the '
        "profile plans; every number is in [hunt.json](../data/hunt.json)."
    )
    yield from map(hunted_again, reruns)
    yield ""
    yield "| Claim | Found | Worst margin ± error | Instances | Covered |"
    yield "|---|---|---|---|---|"
    for name in CLAIMS:
        if name not in verdicts:
            yield f"| `{name}` | not tried | – | 0 | 0% |"
            continue
        parts = report["coverage"][name]
        done, planned = (sum(part[key] for part in parts) for key in ("done", "planned"))
        found = verdicts[name]
        margin = f"{found['margin']:.1e} ± {found['error']:.1e}"
        row = (f"`{name}`", told(found), margin, f"{found['instances']:,}", f"{done / planned:.0%}")
        yield f"| {' | '.join(row)} |"


def hunted_again(rerun: Mapping[str, Any]) -> str:
    """Say which claims were searched anew, why, with which version, and what was seen before."""
    names = " and ".join(f"`{name}`" for name in rerun["claims"])
    before = ", ".join(
        f"`{old['claim']}` {old['status']} by {old['margin']:.1e} ± {old['error']:.1e}"
        for old in rerun["before"]
    )
    made = rerun["manifest"]
    return (
        f"The rows of {names} are of a later search, on {made['finished'][:10]} with dlnlab "
        f"{made['versions']['dlnlab']}. The first one said: {before}; {rerun['why']}."
    )


def told(verdict: Mapping[str, Any]) -> str:
    """Say in words what a validation came to."""
    known = CLAIMS[verdict["claim"]].standing().status
    if known == "refuted" == verdict["status"]:
        return KNOWN_TO_FAIL if verdict["contradicted"] else NOT_SEEN
    return WORDS[verdict["status"]]


def attack(name: str, report: Mapping[str, Any]) -> str:
    """Return the block on the validation of one claim, marks included."""
    verdict, manifest = report[name]["verdict"], report[name]["manifest"]
    words = told(verdict)
    lines = [
        f"<!-- verdict: {name} -->",
        "**How it was attacked.**",
        *(
            f"- {part['part']}, {part['count']:,} instances: {part['description']}"
            for part in report[name]["attacks"]
        ),
        "",
        f"**Results.** {words}. Worst margin {verdict['margin']:.2e} ± "
        f"{verdict['error']:.1e} over {verdict['instances']:,} instances.",
    ]
    lines += [f"- {sentence}" for sentence in asides(verdict["witness"])]
    lines += ["", f"Worst instance: {instance(verdict['witness'])}."]
    if (DOCS / "claims" / FIGURES / f"{name}.png").exists():
        lines += ["", f"![The worst instance]({FIGURES}/{name}.png)"]
    lines += [
        "",
        f"Made with `{manifest['command']}`, dlnlab {manifest['versions']['dlnlab']}, on "
        f"{manifest['finished'][:10]}; every number is in "
        f"[{name}.json](../data/verdicts/{name}.json).",
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
    for name, content in report.items():
        verdict = content["verdict"]
        figure = pictures.draw(name, verdict["witness"])
        if figure is not None:
            plotting.save(figure, folder / f"{name}.png")


if __name__ == "__main__":
    main()
