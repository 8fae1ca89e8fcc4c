"""An experiment that was carried out as plain JSON, and the cells that every page makes of it.

The pages are made from the JSON alone, so that they show whatever a directory holds, of one run or
of several.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from dlnlab.experiments import Study, judging
from dlnlab.experiments.wording import number, numbers
from dlnlab.results import plain

__all__ = [
    "HEADERS",
    "KINDS",
    "MARKS",
    "NARROW",
    "OVERVIEW",
    "STUDY_FORMAT",
    "WORDS",
    "asks",
    "figure_name",
    "overview",
    "place",
    "reading_text",
    "rows",
    "sources",
    "study_json",
    "verdict_text",
]

STUDY_FORMAT = 3
"""Of what `study_json` returns; the pages can only be made from this one."""

NARROW = "\N{NO-BREAK SPACE}"
KINDS = {"fig": "Fig.", "table": "Table"}
MARKS = {"met": "✓", "missed": "✗", "undecided": "?"}
WORDS = {"met": "yes", "missed": "no", "undecided": "open", "": "–"}
HEADERS = ("quantity", "expected", "reading", "measured, seed by seed", "predicts", "")
OVERVIEW = (
    "",
    "claim holds?",
    "published numbers met",
    "with which settings",
    "why not as printed",
)


def study_json(study: Study) -> dict[str, Any]:
    """Return all that a page says about an experiment that was carried out, ready for JSON.

    Parameters
    ----------
    study : Study

    Returns
    -------
    dict
        "values" of a reading holds every quantity that was measured, seed by seed, also those that
        no yardstick is for.
    """
    experiment = study.experiment
    return plain(
        {
            "format": STUDY_FORMAT,
            "name": experiment.name,
            "title": experiment.title,
            "claim": experiment.claim,
            "ours": experiment.ours,
            "verdict": study.verdict,
            "basis": study.basis,
            "shown": judging.shown(study.tallies),
            "apart": experiment.apart,
            "why": experiment.why,
            "quick": study.quick,
            "seeds": max(len(part) for part in study.configurations.values()),
            "readings": {reading: _reading_json(study, reading) for reading in study.results},
            "notes": experiment.notes,
        }
    )


def _reading_json(study: Study, reading: str) -> dict[str, Any]:
    counts, results = study.tallies[reading], study.results[reading]
    first = study.configurations[reading][0]
    return {
        "state": counts.state,
        "sentence": counts.sentence,
        "picture": counts.picture,
        "tally": str(counts),
        "claims": counts.claims,
        "published": counts.published,
        "ours": counts.ours,
        "diverged": _diverged(study.judgements[reading]),
        "meaning": study.experiment.meanings.get(reading, ""),
        "settings": {k: v for k, v in first.items() if k not in ("seed", "data")},
        "values": {
            name: [result["values"].get(name) for result in results]
            for name in results[0]["values"]
        },
        "table": _table_json(study, reading),
        "judgements": [
            {
                "quantity": judged.yardstick.quantity,
                "words": judged.yardstick.words,
                "kind": judged.yardstick.kind,
                "expected": judged.yardstick.expected(),
                "source": judged.yardstick.source,
                "measured": judged.measured(),
                "predicted": judged.predicted(),
                "values": judged.values,
                "status": judged.status,
                "holds": judged.holds,
                "reason": judged.reason,
            }
            for judged in study.judgements[reading]
        ],
    }


def _diverged(judgements: Sequence[Any]) -> bool:
    """Whether nothing but what is known at the start was measured in any run."""
    claims = [judged for judged in judgements if judged.yardstick.kind != "published"]
    return bool(claims) and all(
        judged.values and all(map(math.isnan, judged.values)) for judged in claims
    )


def _table_json(study: Study, reading: str) -> list[list[str]]:
    """The rows of a table: words, and for each part the measured and, if any, the published.

    A row that the reading does not measure is left out.
    """
    experiment = study.experiment
    if not experiment.rows or _diverged(study.judgements[reading]):
        return []
    parts = list(study.configurations[reading][0]["parts"])
    printed = any(published for *_, published in experiment.rows)
    rows = [["", *(cell for part in parts for cell in (part, "paper")[: 1 + printed])]]
    for words, quantity, published in experiment.rows:
        names = [f"{part}: {quantity}" for part in parts]
        if not all(name in result["values"] for result in study.results[reading] for name in names):
            continue
        cells = []
        for k, name in enumerate(names):
            cells.append(numbers([result["values"][name] for result in study.results[reading]]))
            if printed:
                cells.append(number(published[k]) if published and not study.quick else "–")
        rows.append([words, *cells])
    return rows


def overview(s: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Return a row of the overview: cells, each with the class of its state.

    Parameters
    ----------
    s : mapping
        What `study_json` returned.

    Returns
    -------
    tuple[tuple[str, str], ...]
    """
    reading = s["readings"][s["shown"]]
    if s["quick"]:
        return (("not judged", "apart"), ("not judged", "apart"), ("quick run", ""), ("", ""))
    claims, numbers_ = reading["claims"], reading["published"]
    if s["apart"]:
        held = f" ({WORDS[reading['sentence']]})" if reading["sentence"] else ""
        return ((f"not counted{held}", "apart"), ("–", ""), (s["shown"], ""), (s["apart"], ""))
    sentence = WORDS[reading["sentence"]]
    if reading["sentence"] != "met":
        sentence += f", {claims['met']} of {sum(claims.values())}"
    count = sum(numbers_.values())
    picture = f"{numbers_['met']} of {count}" if count else "none printed"
    if numbers_["undecided"]:
        picture += f", {numbers_['undecided']} open"
    printed = reading["state"] == "met" and s["shown"] == "paper"
    return (
        (sentence, reading["sentence"]),
        (picture, reading["picture"]),
        (s["shown"] if reading["state"] == "met" else f"{s['shown']} (closest)", ""),
        ("" if printed else s["why"], ""),
    )


def figure_name(name: str) -> str:
    """Return what a figure is called in a text: "Fig. 6, movielens" of "fig6-movielens".

    An experiment that is neither a figure nor a table is called by its name.

    Parameters
    ----------
    name : str
        Of an experiment.

    Returns
    -------
    str
    """
    found = re.fullmatch(r"(fig|table)(\d+)(?:-(.*))?", name)
    if found is None:
        return name.replace("-", " ").capitalize()
    kind, count, rest = found.groups()
    figure = f"{KINDS[kind]}{NARROW}{count}"
    return figure + (f", {rest.replace('-', ' ')}" if rest else "")


def place(name: str) -> tuple[str, int, str]:
    """Return the key that sorts experiments as the paper has them.

    Parameters
    ----------
    name : str
        Of an experiment.

    Returns
    -------
    (str, int, str)
    """
    head, *rest = name.split("-", 1)
    kind = head.rstrip("0123456789")
    return kind, int(head[len(kind) :] or 0), " ".join(rest)


def asks(s: Mapping[str, Any]) -> str:
    """Return who claims or asks; results of before there was anything of ours are the paper's.

    Parameters
    ----------
    s : mapping
        A study as `study_dict` tells it.

    Returns
    -------
    str
    """
    return "We ask" if s.get("ours") else "The paper"


def verdict_text(s: Mapping[str, Any]) -> str:
    """Return the verdict on an experiment, with what it rests on.

    Parameters
    ----------
    s : mapping
        A study as `study_dict` tells it.

    Returns
    -------
    str
    """
    return f"{s['verdict']} ({s['basis']})"


def reading_text(name: str, reading: Mapping[str, Any]) -> str:
    """Return what a reading is, and how many of its yardsticks are met.

    Parameters
    ----------
    name : str
        Of an experiment.
    reading : mapping

    Returns
    -------
    str
    """
    meaning = f", {reading['meaning']}" if reading["meaning"] else ""
    lost = "; every run diverged" if reading["diverged"] else ""
    return f"{name}{meaning}: {reading['tally']}{lost}"


def rows(s: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return a row for each yardstick and reading; what repeats, or never came, is left out.

    Parameters
    ----------
    s : mapping
        A study as `study_dict` tells it.

    Returns
    -------
    list[tuple[str, ...]]
    """
    found = []
    readings = s["readings"]
    count = len(next(iter(readings.values()))["judgements"])
    for k in range(count):
        first = True
        for name, reading in readings.items():
            judged = reading["judgements"][k]
            lost = reading["diverged"] and set(judged["values"]) == {None}
            if lost or not judged["values"]:
                continue  # said once, of the whole reading
            words = f"{judged['words']} (our own yardstick)" if judged["kind"] == "ours" else ""
            head = (words or judged["words"], judged["expected"]) if first else ("", "")
            first = False
            measured = judged["measured"]
            if judged["reason"] and not s["quick"]:
                measured += f" ({judged['reason']})"
            found.append((*head, name, measured, judged["predicted"], _mark(judged)))
    return found


def _mark(judged: Mapping[str, Any]) -> str:
    if judged["holds"] is not None:
        return "holds here" if judged["holds"] else "fails here"
    return f"{MARKS[judged['status']]}{NARROW}{judged['status']}"


def sources(s: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return every yardstick and where it comes from.

    Parameters
    ----------
    s : mapping
        A study as `study_dict` tells it.

    Returns
    -------
    list[tuple[str, str]]
    """
    judgements = next(iter(s["readings"].values()))["judgements"]
    return [(judged["words"], judged["source"]) for judged in judgements]
