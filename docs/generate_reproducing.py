"""Write the results on the page about reproducing the paper, from what `dlnlab reproduce` left.

    dlnlab reproduce all --out results
    python docs/generate_reproducing.py results

Verdicts and numbers go to ``docs/data/experiments.json``, figures to ``docs/figures/experiments``;
between the marks ``<!-- experiments -->`` and ``<!-- end -->`` the page says what they hold, and
nothing in there is written by hand.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dlnlab import report
from dlnlab.experiments import EXPERIMENTS, study

DOCS = Path(__file__).parent
DATA = DOCS / "data" / "experiments.json"
PAGE = DOCS / "reproducing.md"
FIGURES = DOCS / "figures" / "experiments"
BLOCK = re.compile(r"<!-- experiments -->\n.*?<!-- end -->", re.DOTALL)
KEPT = ("command", "finished", "seconds", "versions", "platform", "processors")
"""What the page's data keep of a manifest; the settings are with the verdict."""

DPI = 80


def main(results: Path) -> None:
    """Judge what a directory of results holds, draw its figures, and rewrite the page."""
    DATA.parent.mkdir(exist_ok=True)
    FIGURES.mkdir(parents=True, exist_ok=True)
    held = [name for name in EXPERIMENTS if (results / name / f"{name}.json").is_file()]
    data = {name: collected(results / name, name) for name in held}
    DATA.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text("utf-8"), data), encoding="utf-8")


def collected(folder: Path, name: str) -> dict[str, Any]:
    """Judge and draw an experiment from the runs kept in its folder; return that, and how it ran.

    It is judged anew, so that the page holds for the yardsticks as they are; data that the runs
    needed are not read again.
    """
    told = json.loads((folder / f"{name}.json").read_text("utf-8"))
    manifest = json.loads((folder / f"{name}-manifest.json").read_text("utf-8"))
    data = {reading["settings"].get("data", "") for reading in told["readings"].values()}
    again = study(
        EXPERIMENTS[name],
        list(told["readings"]),
        seeds=told["seeds"],
        quick=told["quick"],
        executor="serial",
        path=folder / f"{name}.jsonl",
        data=data.pop(),
    )
    again.plot().savefig(FIGURES / f"{name}.png", dpi=DPI)
    kept = {key: manifest[key] for key in KEPT}
    return {"study": report.study_json(again), "manifest": kept}


def page(text: str, data: Mapping[str, Any]) -> str:
    """Return the page with its block rewritten."""
    return BLOCK.sub(lambda found: block(data), text)


def block(data: Mapping[str, Any]) -> str:
    """Return the block, marks included."""
    body = report.experiments_markdown(
        [entry["study"] for entry in data.values()], figures="figures/experiments"
    )
    ran = sorted({entry["manifest"]["finished"][:10] for entry in data.values()})
    versions = sorted({entry["manifest"]["versions"]["dlnlab"] for entry in data.values()})
    made = (
        f"Made with dlnlab {', '.join(versions)} on {', '.join(ran)}; every number is in "
        "[experiments.json](data/experiments.json)."
    )
    return f"<!-- experiments -->\n{made}\n\n{body}<!-- end -->"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
