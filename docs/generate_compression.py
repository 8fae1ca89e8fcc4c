"""Write the tables and figures of compression.md, from an experiment of five seeds (two minutes).

    python docs/generate_compression.py
    python docs/generate_compression.py --lora results/lora/lora.jsonl

Between ``<!-- NAME -->`` and ``<!-- end -->`` the page says what the experiment found; nothing in
there is written by hand.  What is in docs/data/compression.json already is kept with
``--keep``.  Fine-tuning by LoRA takes longer: its numbers are from ``dlnlab reproduce lora``.
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
from dlnlab.experiments import adapting, compressing
from dlnlab.experiments.ours.compression import EXPERIMENT
from dlnlab.plotting import compression as drawing

DOCS = Path(__file__).parent
DATA, PAGE = DOCS / "data" / "compression.json", DOCS / "compression.md"
SEEDS = EXPERIMENT.seeds
PENALTY = 0.05


def main() -> None:
    """Measure, unless asked not to, and rewrite page and figures."""
    if not {"--keep", "--lora"} & set(sys.argv[1:]):
        tasks = [c for kind in compressing.KINDS for c in EXPERIMENT.configurations(kind, SEEDS)]
        found = campaigns.run(compressing.measure, tasks, executor="serial", progress=True)
        columns = {str(x): compressing.columns(x) for x in (0.0, PENALTY)}
        old = json.loads(DATA.read_text("utf-8"))
        record = old | {"configurations": tasks, "results": found, "columns": columns}
        record["projections"] = compressing.projections()
        DATA.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    record = json.loads(DATA.read_text("utf-8"))
    if "--lora" in sys.argv[1:]:
        record["lora"] = lora(Path(sys.argv[sys.argv.index("--lora") + 1]))
        DATA.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(record, PAGE.read_text("utf-8")), encoding="utf-8")
    rows = {kind: summary(record, kind) for kind in compressing.KINDS}
    plotting.save(drawing.methods(rows), DOCS / "figures" / "compression.svg")
    plotting.save(drawing.columns(record["columns"]), DOCS / "figures" / "compression_columns.svg")
    cuts = drawing.projections(record["projections"])
    plotting.save(cuts, DOCS / "figures" / "compression_projections.svg")


def lora(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Return what each seed measured, by kind, from the file that ``dlnlab reproduce`` keeps."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        kind = row["configuration"]["kind"]
        seed = {"seed": row["configuration"]["seed"]}
        found.setdefault(kind, []).append(seed | row["result"]["values"])
    return {kind: sorted(rows, key=lambda row: row["seed"]) for kind, rows in found.items()}


def lora_table(record: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of the table on LoRA; medians, with the range in brackets."""
    yield "| Update | difference | parameters | digits | parameters |"
    yield "|---|---|---|---|---|"
    for method in adapting.METHODS:
        cells = []
        for kind in adapting.KINDS:
            rows = record["lora"][kind]
            errors = [row[f"{method}: error"] for row in rows]
            cells += [f"{np.median(errors):.3f} ({min(errors):.3f}–{max(errors):.3f})"]
            cells += [f"{rows[0][f'{method}: parameters']}"]
        yield f"| {method} | {' | '.join(cells)} |"
    for name, words in (
        ("dln_over_lora", "DLN over LoRA"),
        ("dln_over_lora_early", "DLN over LoRA after 12 % of the steps"),
        ("three_over_two", "three factors over two, both with the spectral start"),
    ):
        ratios = ([row[name] for row in record["lora"][kind]] for kind in adapting.KINDS)
        first, second = (f"{np.median(r):.2f} ({min(r):.2f}–{max(r):.2f})" for r in ratios)
        yield f"| {words} | {first} | | {second} | |"


def page(record: Mapping[str, Any], text: str) -> str:
    """Return the page with its blocks filled."""
    for kind in compressing.KINDS:
        block = "\n".join([f"<!-- {kind} -->", *table(summary(record, kind)), "<!-- end -->"])
        marks = re.compile(rf"<!-- {kind} -->\n.*?<!-- end -->", re.DOTALL)
        text = marks.sub(lambda _, block=block: block, text)
    block = "\n".join(["<!-- lora -->", *lora_table(record), "<!-- end -->"])
    return re.sub(r"<!-- lora -->\n.*?<!-- end -->", lambda _: block, text, flags=re.DOTALL)


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
