"""Write the page on mutants from what `tests/mutants.py` found.

    python docs/generate_mutants.py FOLDER
    python docs/generate_mutants.py

The first takes over the results in FOLDER into ``docs/data/mutants.json``; the reason why no test
kills a mutant is written there by hand, as ``explained``, and is kept.  Both write ``mutants.md``.
"""

from __future__ import annotations

import datetime
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import dlnlab

DOCS = Path(__file__).parent
PAGE, DATA = DOCS / "mutants.md", DOCS / "data" / "mutants.json"
FIELDS = ("module", "line", "operator", "before", "after")

HEAD = """# Mutation testing

<!-- written by docs/generate_mutants.py from docs/data/mutants.json -->

Passing tests are evidence only if they fail for wrong code.  So the core was broken on purpose, in
one place at a time: a number increased or decreased by one, an arithmetic operator or a comparison
replaced, a condition negated, a loop that ends at once, a decorator removed (the operators of
[Cosmic Ray](https://cosmic-ray.readthedocs.io)).  The rooms
{rooms}
have {places:,} places that can be broken in {mutants:,} ways; {tried} places were drawn at random
(seed {seed}), each with one of its mutants.  Every mutant was given to the tests that reach its
line or its module, for up to a minute of tests, until one failed.  Survivors were given to further
tests of their room; if none failed although the code had become wrong, a test was written.
"""

REPEAT = """
## Repeating the measurement

```
pip install -e ".[test,mutants]"
python tests/mutants.py cover FOLDER
python tests/mutants.py run FOLDER {tried}
python tests/mutants.py retry FOLDER
python docs/generate_mutants.py FOLDER
```

A mutant takes a few seconds, a survivor a few minutes; an interrupted run resumes where it stopped.
"""


def key(mutant: Mapping[str, Any]) -> tuple:
    """Return what identifies a mutant, wherever its line is now."""
    return mutant["module"], mutant["operator"], mutant["before"], mutant["after"]


def taken_over(folder: Path, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the data: results of a folder, and explanations that are known already."""
    results = [json.loads(line) for line in (folder / "results.jsonl").read_text().splitlines()]
    later: dict[tuple, list[dict[str, Any]]] = {}
    for path in sorted(folder.glob("retr*.jsonl")):
        for line in path.read_text("utf-8").splitlines():
            told = json.loads(line)
            later.setdefault((told["before"], told["after"]), []).append(told)
    explained = {key(m): m["explained"] for m in known.get("mutants", []) if "explained" in m}
    mutants = []
    for result in results:
        told = {name: result[name] for name in (*FIELDS, "outcome")}
        told |= {"by": result["by"]} if "by" in result else {}
        again = later.get((result["before"], result["after"]), [])
        killed = next((x for x in again if x.get("outcome") == "killed"), None)
        if result["outcome"] == "survived" and killed:
            told |= {"outcome": "killed later", "by": killed["by"]}
        elif result["outcome"] == "survived" and key(told) in explained:
            told["explained"] = explained[key(told)]
        mutants.append(told)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    made = {"version": dlnlab.__version__, "finished": today} | json.loads(
        (folder / "sample.json").read_text("utf-8")
    )
    return {"made": made, "mutants": mutants}


def page(content: Mapping[str, Any]) -> str:
    """Return the text of the page."""
    return "\n".join(_lines(content)) + "\n"


def _lines(content: Mapping[str, Any]) -> Iterator[str]:
    made, mutants = content["made"], content["mutants"]
    rooms = ", ".join(f"`{room}`" for room in made["rooms"])
    yield HEAD.format(**made | {"rooms": rooms, "tried": len(mutants)}).rstrip("\n")
    yield f"\nResults with version {made['version']}, {made['finished']}:\n"
    yield from _table(mutants)
    yield "\n## Survivors\n"
    yield "Each of them is equivalent to the original code, or harmless for the reason given.\n"
    yield "| Where | Line | Became | Why no test fails |"
    yield "|---|---|---|---|"
    for mutant in (m for m in mutants if m["outcome"] == "survived"):
        place = mutant["module"].removeprefix("dlnlab/")
        pair = (_code(mutant[name]) for name in ("before", "after"))
        yield f"| {place} | {' | '.join(pair)} | {mutant['explained']} |"
    yield REPEAT.format(tried=len(mutants)).rstrip("\n")


def _table(mutants: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "| Room | Mutants | Killed | Killed by further or new tests | Survivors |"
    yield "|---|---|---|---|---|"
    rooms = sorted({m["module"].split("/")[1] for m in mutants})
    for room in (*rooms, "all"):
        told = [m for m in mutants if room in ("all", m["module"].split("/")[1])]
        counts = Counter(m["outcome"] for m in told)
        numbers = (len(told), *(counts[name] for name in ("killed", "killed later", "survived")))
        yield f"| {room} | {' | '.join(map(str, numbers))} |"
    killed = sum(m["outcome"] != "survived" for m in mutants)
    yield f"\n{killed} of {len(mutants)} are killed, {killed / len(mutants):.0%}."


def _code(text: str) -> str:
    """Return a line of code for a cell of a table."""
    return "`" + text.replace("|", "\\|") + "`"


def main(arguments: Sequence[str]) -> None:
    """Take over results, if a folder is named, and write the page."""
    content = json.loads(DATA.read_text("utf-8")) if DATA.exists() else {}
    if arguments:
        content = taken_over(Path(arguments[0]), content)
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        DATA.write_text(text + "\n", encoding="utf-8")
    PAGE.write_text(page(content), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
