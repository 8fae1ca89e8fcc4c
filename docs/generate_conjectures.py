"""Attack the five conjectures of docs/conjectures.md, and write their answers into the page.

python docs/generate_conjectures.py             # from the stored answers
python docs/generate_conjectures.py --attack    # anew: ten seconds
python docs/generate_conjectures.py --many      # 10,000 of each of what is true: half an hour
python docs/generate_conjectures.py --dominance 1000000 --resume hunt.jsonl    # hours
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import time
from pathlib import Path
from typing import Any

import dlnlab

DOCS = Path(__file__).parent
PAGE, STORED = DOCS / "conjectures.md", DOCS / "data" / "conjectures.json"
INSTANCES, MANY = 500, 10_000

OPEN = {"shapes": [(d, d) for d in range(3, 9)], "depths": range(3, 9), "r_hat": "full"}
"""Where dominance is a conjecture."""


def loaded(file: str) -> dict[str, Any]:
    """Return what a file beside this one defines."""
    spec = importlib.util.spec_from_file_location(file, DOCS / f"{file}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return vars(module)


def attacked(conjecture: dlnlab.Conjecture, instances: int, seed: int, **where: Any) -> Any:
    """Attack a conjecture; return the verdict as JSON, with the time it took.

    Ctrl-C ends the attack, and what was found before is the verdict.
    """
    started, cpu = time.monotonic(), time.process_time()
    try:
        verdict = conjecture.attack(instances, seed, **where)
    except KeyboardInterrupt as stop:
        verdict = stop.verdict  # type: ignore[attr-defined]  # of as many as were looked at
    spent = {"seconds": time.monotonic() - started, "cpu_seconds": time.process_time() - cpu}
    print(verdict, spent, flush=True)
    return verdict.to_dict() | spent | {"text": str(verdict)}


def attack_all(kind: str, file: str, instances: int, seed: int, only: Any, **where: Any) -> None:
    """Attack the conjectures of a file, each where it says, and store every answer."""
    module = loaded(file)
    special = module.get("WHERE", {})
    for name, value in module.items():
        if isinstance(value, dlnlab.Conjecture) and (not only or name in only):
            found = attacked(value, instances, seed, **where, **special.get(name, {}))
            content = stored()
            content.setdefault(kind, {})[name] = found
            STORED.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8")


def stored() -> dict[str, Any]:
    """Return the answers so far."""
    return json.loads(STORED.read_text("utf-8")) if STORED.exists() else {}


def page(text: str, content: dict[str, Any]) -> str:
    """Return the page with what is stored between its marks."""
    text = between(text, "answers", "\n".join(answer(*told) for told in content["five"].items()))
    for kind in ("many", "dominance"):
        text = between(text, kind, table(content.get(kind, {})))
    return text


def between(text: str, mark: str, new: str) -> str:
    """Return a text with something new between two marks."""
    start, end = f"<!-- {mark} -->\n", f"<!-- end of {mark} -->"
    return text[: text.index(start)] + start + new + text[text.index(end) :]


def answer(name: str, told: dict[str, Any]) -> str:
    """Return one answer, without the code that builds its instance."""
    short = told["text"].split("\n\nfrom ")[0]
    return f"**{name}** ({told['cpu_seconds']:.0f} s of one core)\n\n```text\n{short}\n```\n"


def table(answers: dict[str, Any]) -> str:
    """Return a table of answers, one a row."""
    rows = ["| statement | instances | verdict | worst margin |", "|---|---|---|---|"]
    for told in answers.values():
        worst = f"{told['margin']:.2g} ± {told['error']:.1g}"
        sentence = told["statement"].replace("_*", "\\_\\*").replace("|", "\\|")
        verdict = "not refuted" if told["status"] == "conjecture" else told["status"]
        rows.append(f"| {sentence} | {told['instances']:,} | {verdict} | {worst} |")
    return "\n" + "\n".join(rows) + "\n\n" if answers else "\n"


def main() -> None:
    """Attack what is asked for, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--attack", action="store_true")
    parser.add_argument("--many", action="store_true")
    parser.add_argument("--dominance", type=int)
    parser.add_argument("--only", nargs="*")
    parser.add_argument("--resume")
    asked = parser.parse_args()
    if asked.attack:
        attack_all("five", "five_conjectures", INSTANCES, 0, asked.only)
    long = {"path": asked.resume, "executor": "processes"}
    if asked.many:
        attack_all("many", "true_statements", MANY, 1, asked.only, **long)
    if asked.dominance:
        count, where = asked.dominance, long | OPEN
        attack_all("dominance", "dominance_hunt", count, 0, asked.only, **where)
    PAGE.write_text(page(PAGE.read_text("utf-8"), stored()), "utf-8")


if __name__ == "__main__":
    main()
