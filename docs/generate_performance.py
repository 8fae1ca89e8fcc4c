"""Write the tables and figures of performance.md from stored measurements.

    dlnlab bench --peer ../comp-deep-nets --json docs/data/bench.json
    dlnlab bench growth --json docs/data/growth.json
    OPENBLAS_CORETYPE=SkylakeX taskset -c 0 \\
        dlnlab bench alone --peer ../comp-deep-nets --json docs/data/alone.json
    OPENBLAS_CORETYPE=Haswell taskset -c 0 \\
        dlnlab bench alone --peer ../comp-deep-nets --json docs/data/alone_avx2.json
    dlnlab bench flows --json docs/data/flows.json
    dlnlab bench suites --json docs/data/suites.json
    dlnlab bench --device gpu --json docs/data/gpu.json
    python docs/generate_performance.py

Between ``<!-- bench -->``, and the other names of files, and ``<!-- end -->`` the page says what
those files hold; nothing in there is written by hand.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

from dlnlab import plotting
from dlnlab.plotting import speed
from dlnlab.report import bench as bench_report

DOCS = Path(__file__).parent
PAGE = DOCS / "performance.md"


def main() -> None:
    """Rewrite the blocks, and draw the figures."""
    text = PAGE.read_text("utf-8")
    for name in ("bench", "alone", "alone_avx2", "growth", "flows", "suites", "gpu"):
        record = json.loads((DOCS / "data" / f"{name}.json").read_text("utf-8"))
        block = f"<!-- {name} -->\n{bench_report.markdown(record)}\n<!-- end -->"
        marks = re.compile(rf"<!-- {name} -->\n.*?<!-- end -->", re.DOTALL)
        text = marks.sub(lambda _, block=block: block, text)
        draw = {"bench": speed.rows, "growth": speed.growth}.get(name)
        if draw is not None:  # of the others the table says it all
            figure = draw(record["rows"] or record["growth"])
            plotting.save(figure, DOCS / "figures" / f"{name}.svg")
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
