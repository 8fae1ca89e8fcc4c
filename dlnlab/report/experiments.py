"""Experiments as JSON, as a page that sets each beside the paper's claim, and as Markdown.

The pages are made from the JSON alone, so that they show whatever a directory holds, of one run or
of several.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlnlab.experiments import Study
from dlnlab.experiments.instance import SETTINGS

from .page import escape, page, table, tag, unmarked
from .record import plain

__all__ = ["STUDY_FORMAT", "experiments_html", "experiments_markdown", "study_json"]

MARKS = {"met": "✓", "missed": "✗", "undecided": "?"}
HEADERS = ("quantity", "expected", "reading", "measured", "")
STUDY_FORMAT = 2
"""Of what `study_json` returns; the pages can only be made from this one."""

QUICK = "quick run: small settings, on which published numbers are not judged"


def study_json(study: Study) -> dict[str, Any]:
    """Return all that a page says about an experiment that was carried out, ready for JSON.

    Parameters
    ----------
    study : Study

    Returns
    -------
    dict
    """
    experiment = study.experiment
    first = {reading: part[0] for reading, part in study.configurations.items()}
    return plain(
        {
            "format": STUDY_FORMAT,
            "name": experiment.name,
            "title": experiment.title,
            "claim": experiment.claim,
            "verdict": study.verdict,
            "basis": study.basis,
            "quick": study.quick,
            "seeds": max(len(part) for part in study.configurations.values()),
            "readings": {
                reading: {
                    "state": study.tallies[reading].state,
                    "tally": str(study.tallies[reading]),
                    "claims": study.tallies[reading].claims,
                    "published": study.tallies[reading].published,
                    "meaning": experiment.meanings.get(reading, ""),
                    "settings": {k: v for k, v in first[reading].items() if k != "seed"},
                    "judgements": [
                        {
                            "quantity": judged.yardstick.quantity,
                            "words": judged.yardstick.words,
                            "kind": judged.yardstick.kind,
                            "expected": judged.yardstick.expected(),
                            "source": judged.yardstick.source,
                            "measured": judged.measured(),
                            "values": judged.values,
                            "status": judged.status,
                            "reason": judged.reason,
                        }
                        for judged in study.judgements[reading]
                    ],
                }
                for reading in study.results
            },
            "notes": experiment.notes,
        }
    )


def experiments_html(studies: Sequence[Mapping[str, Any]]) -> str:
    """Return an index page of experiments, from what `study_json` returned.

    Images are those that `dlnlab reproduce` writes, by their relative paths.

    Parameters
    ----------
    studies : sequence of mappings

    Returns
    -------
    str
    """
    rows = [(s["name"], s["title"], _verdict(s), str(s["seeds"])) for s in studies]
    body = [table(("", "experiment", "verdict", "seeds"), rows)]
    for s in studies:
        body += _section(s)
    return page("The paper's experiments, reproduced", body)


def experiments_markdown(studies: Sequence[Mapping[str, Any]], figures: str = "") -> str:
    """Return the same facts as Markdown, for the documentation.

    Parameters
    ----------
    studies : sequence of mappings
    figures : str
        Folder of images called after the experiments, relative to the page; none by default.

    Returns
    -------
    str
    """
    studies = [unmarked(s) for s in studies]
    lines = ["| | experiment | verdict | seeds |", "|---|---|---|---|"]
    lines += [f"| {s['name']} | {s['title']} | {_verdict(s)} | {s['seeds']} |" for s in studies]
    for s in studies:
        lines += [
            "",
            f"## {s['name']}: {s['title']}",
            "",
            s["claim"],
            "",
            f"**{_verdict(s)}.**",
            "",
        ]
        lines += [f"- Reading {_reading(f'*{k}*', r)}." for k, r in s["readings"].items()]
        if figures:
            lines += ["", f"![{s['title']}]({figures}/{s['name']}.png)"]
        lines += ["", f"| {' | '.join(HEADERS)} |", "|---|---|---|---|---|"]
        lines += [f"| {' | '.join(c.replace('|', chr(92) + '|') for c in r)} |" for r in _rows(s)]
        sources = dict.fromkeys(source for _, source in _sources(s))
        lines += ["", *(f"- {note}" for note in s["notes"])]
        lines += ["- Where the yardsticks come from:", *(f"  - {source}" for source in sources)]
    return "\n".join(lines) + "\n"


def _section(s: Mapping[str, Any]) -> list[str]:
    name = escape(s["name"])
    caption = "First seed strong, further seeds faint; a row for each reading."
    image = f'<img src="{name}/{name}.png" alt="{escape(s["title"])}">'
    parts = [
        tag("h2", f"{name}: {escape(s['title'])}"),
        tag("p", f"{tag('b', 'The paper: ')}{escape(s['claim'])}"),
        tag("p", f"{tag('b', 'Verdict: ')}{escape(_verdict(s))}."),
        _list([_reading(*item) for item in s["readings"].items()]),
        tag("figure", image + tag("figcaption", escape(caption))),
        table(HEADERS, _rows(s)),
        _details("Where the yardsticks come from", table(("quantity", "source"), _sources(s))),
        _details("Settings", _settings(s["readings"])),
    ]
    return [*parts, _list(s["notes"])]


def _list(lines: Sequence[str]) -> str:
    return tag("ul", "".join(tag("li", escape(line)) for line in lines))


def _verdict(s: Mapping[str, Any]) -> str:
    return f"{s['verdict']} ({s['basis']}{'; ' + QUICK if s['quick'] else ''})"


def _reading(name: str, reading: Mapping[str, Any]) -> str:
    meaning = f", {reading['meaning']}" if reading["meaning"] else ""
    return f"{name}{meaning}: {reading['state']} ({reading['tally']})"


def _rows(s: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """A row for each yardstick and reading; what repeats is left blank."""
    rows = []
    readings = s["readings"]
    count = len(next(iter(readings.values()))["judgements"])
    for k in range(count):
        for number, (name, reading) in enumerate(readings.items()):
            judged = reading["judgements"][k]
            head = (judged["words"], judged["expected"]) if number == 0 else ("", "")
            measured = judged["measured"]
            unjudged = s["quick"] and judged["kind"] == "published"  # as the verdict says already
            if judged["reason"] and not unjudged:
                measured += f" ({judged['reason']})"
            rows.append((*head, name, measured, MARKS[judged["status"]]))
    return rows


def _sources(s: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every yardstick and where it comes from."""
    judgements = next(iter(s["readings"].values()))["judgements"]
    return [(judged["words"], judged["source"]) for judged in judgements]


def _settings(readings: Mapping[str, Any]) -> str:
    """A row for each setting, a column for each reading, parts after what they share."""
    columns = {name: _flat(reading["settings"]) for name, reading in readings.items()}
    keys = dict.fromkeys(key for column in columns.values() for key in column)
    rows = [
        (
            key,
            *(_text(column.get(key)) for column in columns.values()),
            SETTINGS.get(key.rsplit(": ", 1)[-1], ""),
        )
        for key in keys
    ]
    return table(("setting", *columns, "meaning"), rows)


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    flat = {key: value for key, value in settings.items() if key != "parts"}
    for part, differing in settings.get("parts", {}).items():
        flat |= {f"{part}: {key}": value for key, value in differing.items()}
    return flat


def _text(value: Any) -> str:
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _details(summary: str, content: str) -> str:
    return tag("details", tag("summary", escape(summary)) + content)
