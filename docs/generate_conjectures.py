"""Attack the five conjectures of docs/conjectures.md, and write their answers into the page.

python docs/generate_conjectures.py             # from the stored answers
python docs/generate_conjectures.py --attack    # anew: a few minutes
python docs/generate_conjectures.py --many      # 10,000 instances of what is true: an hour
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from pathlib import Path
from typing import Any

import dlnlab

DOCS = Path(__file__).parent
PAGE, STORED, FILE = (
    DOCS / "conjectures.md",
    DOCS / "data" / "conjectures.json",
    DOCS / "five_conjectures.py",
)
START, END = "<!-- answers -->\n", "<!-- end of answers -->"
INSTANCES, MANY = 500, 10_000


def conjectures() -> dict[str, dlnlab.Conjecture]:
    """Return the conjectures of the file, by name."""
    spec = importlib.util.spec_from_file_location("five_conjectures", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return {k: v for k, v in vars(module).items() if isinstance(v, dlnlab.Conjecture)}


def answered() -> dict[str, Any]:
    """Attack all of them."""
    told = {}
    for name, conjecture in conjectures().items():
        started, cpu = time.monotonic(), time.process_time()
        verdict = conjecture.attack(INSTANCES, seed=0)
        spent = {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu}
        told[name] = verdict.to_dict() | spent | {"text": str(verdict)}
        print(verdict, spent, flush=True)
    return told


@dlnlab.conjecture("All singular values start at ε^L.", about="start")
def equal(at: Any) -> Any:
    """Zero but for rounding."""
    return at.original.singular_values - at.case.eps**at.case.depth


def many() -> dict[str, Any]:
    """Attack what is true with ten thousand instances: equality at the start, and dominance."""
    told = {}
    for name, conjecture in {"equal": equal, "dominance": conjectures()["dominance"]}.items():
        cpu = time.process_time()
        verdict = conjecture.attack(MANY, seed=1)
        told[name] = verdict.to_dict() | {"cpu_seconds": time.process_time() - cpu}
        print(verdict, flush=True)
    return told


def page(text: str, answers: dict[str, Any]) -> str:
    """Return the page with the answers between its marks."""
    before, rest = text.split(START)
    after = rest[rest.index(END) :]
    parts = []
    for name, told in answers.items():
        short = told["text"].split("\n\nfrom ")[0]
        spent = f"{told['cpu_seconds']:.0f} s of one core"
        parts.append(f"**{name}** ({spent})\n\n```text\n{short}\n```\n")
    return before + START + "\n".join(parts) + after


def main() -> None:
    """Write the page."""
    stored = json.loads(STORED.read_text("utf-8")) if STORED.exists() else {}
    if "--attack" in sys.argv:
        stored["five"] = answered()
    if "--many" in sys.argv:
        stored["many"] = many()
    STORED.write_text(json.dumps(stored, indent=1, ensure_ascii=False) + "\n", "utf-8")
    PAGE.write_text(page(PAGE.read_text("utf-8"), stored["five"]), "utf-8")


if __name__ == "__main__":
    main()
