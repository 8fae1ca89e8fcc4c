"""Write the tables and figures of compression.md, from an experiment of five seeds (two minutes).

    python docs/generate_compression.py

Between ``<!-- NAME -->`` and ``<!-- end -->`` the page says what the experiment found; nothing in
there is written by hand.  What is computed already, in docs/data/compression.json, is kept with
``--keep``.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dlnlab import campaigns, plotting
from dlnlab.experiments import compressing
from dlnlab.plotting import compression as drawing

DOCS = Path(__file__).parent
DATA, PAGE = DOCS / "data" / "compression.json", DOCS / "compression.md"
SEEDS = 5
PENALTY = 0.05


def main() -> None:
    """Measure, unless asked not to, and rewrite page and figures."""
    if "--keep" not in sys.argv[1:]:
        tasks = compressing.configurations(SEEDS)
        found = campaigns.run(compressing.measure, tasks, executor="serial", progress=True)
        columns = {str(x): compressing.columns(x) for x in (0.0, PENALTY)}
        record = {"configurations": tasks, "results": found, "columns": columns}
        DATA.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    record = json.loads(DATA.read_text("utf-8"))
    PAGE.write_text(page(record, PAGE.read_text("utf-8")), encoding="utf-8")
    rows = {kind: summary(record, kind) for kind in compressing.KINDS}
    plotting.save(drawing.methods(rows), DOCS / "figures" / "compression.svg")
    plotting.save(drawing.columns(record["columns"]), DOCS / "figures" / "compression_columns.svg")


def page(record: Mapping[str, Any], text: str) -> str:
    """Return the page with its blocks filled."""
    for kind in compressing.KINDS:
        block = "\n".join([f"<!-- {kind} -->", *table(summary(record, kind)), "<!-- end -->"])
        marks = re.compile(rf"<!-- {kind} -->\n.*?<!-- end -->", re.DOTALL)
        text = marks.sub(lambda _, block=block: block, text)
    return text


def summary(record: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    """Return for each method the median and range over seeds of each number."""
    pairs = zip(record["configurations"], record["results"], strict=True)
    mine = [result for told, result in pairs if told["kind"] == kind]
    return {
        method: {
            name: [float(f([r[method][name] for r in mine])) for f in (np.median, min, max)]
            for name in ("zero_shot", "fine_tuned", "seconds", "parameters")
        }
        for method in mine[0]
    }


def table(rows: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a table; medians, with the range in brackets."""
    yield "| Method | at once | after fine-tuning | processor time (s) | parameters |"
    yield "|---|---|---|---|---|"
    for method, row in rows.items():
        errors = " | ".join(
            f"{middle:.3f} ({low:.3f}–{high:.3f})"
            for middle, low, high in (row["zero_shot"], row["fine_tuned"])
        )
        yield f"| {method} | {errors} | {row['seconds'][0]:.2f} | {row['parameters'][0]:.0f} |"


if __name__ == "__main__":
    main()
