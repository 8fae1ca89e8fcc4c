"""Pages of experiments: a row per figure first, what it rests on a link away; HTML and Markdown.

They are made from what `study_json` returned, and say the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlnlab.experiments import EXPERIMENTS, classifier_settings
from dlnlab.experiments.instance import SETTINGS

from .page import escape, meta, page, state, table, tag, unmarked, wide
from .studies import (
    HEADERS,
    OVERVIEW,
    asks,
    figure_name,
    overview,
    place,
    reading_text,
    rows,
    sources,
    verdict_text,
)

__all__ = ["experiments_html", "experiments_markdown", "overview_markdown"]


def overview_markdown(studies: Sequence[Mapping[str, Any]]) -> str:
    """Return one row per figure and table of the paper, those not run included, none of our own.

    Parameters
    ----------
    studies : sequence of mappings
        What `study_json` returned.

    Returns
    -------
    str
    """
    studies = [unmarked(s) for s in studies if not s.get("ours")]
    rows = {
        s["name"]: (f"[{figure_name(s['name'])}](#{s['name']})", *(cell for cell, _ in overview(s)))
        for s in studies
    }
    for name, experiment in EXPERIMENTS.items():
        if not experiment.ours:
            rows.setdefault(name, (figure_name(name), "not run", "–", "–", experiment.title))
    return _markdown_table(OVERVIEW, [rows[name] for name in sorted(rows, key=place)])


# ---------------------------------------------------------------------- Markdown


def experiments_markdown(studies: Sequence[Mapping[str, Any]], figures: str = "") -> str:
    """Return a fold for each experiment, for the documentation.

    Parameters
    ----------
    studies : sequence of mappings
    figures : str
        Folder of images called after the experiments, relative to the page; none by default.

    Returns
    -------
    str
    """
    return "\n\n".join(_fold(s, figures) for s in studies) + "\n"


def _fold(s: Mapping[str, Any], figures: str) -> str:
    name, title, verdict = map(escape, (figure_name(s["name"]), s["title"], verdict_text(s)))
    summary = f"<b>{name}</b>: {title} — {verdict}"
    s = unmarked(s)
    lines = [
        f'<details id="{s["name"]}" markdown="1">',
        f"<summary>{summary}</summary>",
        "",
        f"**{asks(s)}:** {s['claim']}",
        "",
        *(f"- Reading {reading_text(f'*{k}*', r)}." for k, r in s["readings"].items()),
    ]
    if figures:
        lines += ["", f"![{s['title']}]({figures}/{s['name']}.png)"]
    for name, reading in s["readings"].items():
        if reading["table"]:
            head, *body = reading["table"]
            lines += ["", f"Reading *{name}*:", "", _markdown_table(head, body)]
    lines += ["", _markdown_table(HEADERS, rows(s))]
    places = dict.fromkeys(source for _, source in sources(s))
    lines += ["", *(f"- {note}" for note in s["notes"])]
    lines += ["- Where the yardsticks come from:", *(f"  - {source}" for source in places)]
    return "\n".join([*lines, "", "</details>"])


def _markdown_table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(f"| {' | '.join(c.replace('|', chr(92) + '|') for c in r)} |" for r in lines)


# ---------------------------------------------------------------------- HTML


def experiments_html(
    studies: Sequence[Mapping[str, Any]], manifests: Mapping[str, Mapping[str, Any]] | None = None
) -> str:
    """Return an index page of experiments, from what `study_json` returned.

    Images and files are those that `dlnlab reproduce` writes, by their relative paths.

    Parameters
    ----------
    studies : sequence of mappings
    manifests : mapping from names to manifests, optional
        How each was made; see `dlnlab.report.manifest`.

    Returns
    -------
    str
    """
    manifests = manifests or {}
    body = [_made(manifests), wide(_overview_html(studies))]
    for s in studies:
        body += _section(s, manifests.get(s["name"]))
    return page("The paper's experiments, reproduced", body)


def _made(manifests: Mapping[str, Mapping[str, Any]]) -> str:
    """When, and with which version, the results were made."""
    if not manifests:
        return ""
    dates = sorted({made["finished"][:10] for made in manifests.values()})
    versions = sorted({made["versions"]["dlnlab"] for made in manifests.values()})
    when = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
    text = f"Made with dlnlab {', '.join(versions)} on {when}."
    return meta(text)


def _overview_html(studies: Sequence[Mapping[str, Any]]) -> str:
    head = "".join(tag("th", escape(cell)) for cell in OVERVIEW)
    rows = [tag("tr", head)]
    for s in studies:
        link = f'<a href="#{escape(s["name"])}">{escape(figure_name(s["name"]))}</a>'
        cells = [tag("td", link), *(tag("td", state(*cell)) for cell in overview(s))]
        rows.append(tag("tr", "".join(cells)))
    return tag("table", "\n".join(rows))


def _section(s: Mapping[str, Any], manifest: Mapping[str, Any] | None) -> list[str]:
    name = escape(s["name"])
    readings = s["readings"].items()
    files = " · ".join(
        f'<a href="{name}/{name}{suffix}">{words}</a>'
        for suffix, words in (
            (".pdf", "figure (PDF)"),
            (".csv", "numbers (CSV)"),
            (".npz", "curves (NPZ)"),
            (".json", "verdict (JSON)"),
            ("-manifest.json", "manifest (JSON)"),
        )
    )
    image = f'<img src="{name}/{name}.png" alt="{escape(s["title"])}">'
    caption = "First seed strong, further seeds faint; a row for each reading."
    states = "".join(
        tag("li", f"{state(_worded(s, r), r['state'])} {escape(reading_text(k, r))}")
        for k, r in readings
    )
    tables = [
        tag("p", f"Reading {escape(k)}:") + wide(table(r["table"][0], r["table"][1:]))
        for k, r in readings
        if r["table"]
    ]
    made = [meta(_how(manifest))] if manifest else []
    return [
        f'<h2 id="{name}">{escape(figure_name(s["name"]))}: {escape(s["title"])}</h2>',
        tag("p", f"{tag('b', f'{asks(s)}: ')}{escape(s['claim'])}"),
        tag("p", f"{tag('b', 'Verdict: ')}{escape(verdict_text(s))}."),
        tag("ul", states),
        tag("figure", image + tag("figcaption", escape(caption))),
        tag("p", files),
        *tables,
        wide(table(HEADERS, rows(s))),
        _details("Where the yardsticks come from", table(("quantity", "source"), sources(s))),
        _details("Settings", _settings(s["readings"], _meanings(s["name"]))),
        _list(s["notes"]),
        *made,
    ]


def _how(manifest: Mapping[str, Any]) -> str:
    return (
        f"{manifest['command']}, finished {manifest['finished'][:16].replace('T', ' ')} UTC with "
        f"dlnlab {manifest['versions']['dlnlab']}."
    )


def _worded(s: Mapping[str, Any], reading: Mapping[str, Any]) -> str:
    return "not judged" if s["quick"] else reading["state"]


def _list(lines: Sequence[str]) -> str:
    return tag("ul", "".join(tag("li", escape(line)) for line in lines))


def _meanings(name: str) -> Mapping[str, str]:
    """What the settings of an experiment mean: its own words, or those of the paper's."""
    words = EXPERIMENTS[name].words if name in EXPERIMENTS else {}
    return words or SETTINGS | classifier_settings.SETTINGS


def _settings(readings: Mapping[str, Any], meanings: Mapping[str, str]) -> str:
    """A row for each setting, a column for each reading, parts after what they share."""
    columns = {name: _flat(reading["settings"]) for name, reading in readings.items()}
    keys = dict.fromkeys(key for column in columns.values() for key in column)
    rows = [
        (
            key,
            *(_text(column.get(key)) for column in columns.values()),
            meanings.get(key.rsplit(": ", 1)[-1], ""),
        )
        for key in keys
    ]
    return wide(table(("setting", *columns, "meaning"), rows))


def _flat(settings: Mapping[str, Any]) -> dict[str, Any]:
    flat = {key: value for key, value in settings.items() if key != "parts"}
    for part, differing in settings.get("parts", {}).items():
        flat |= {f"{part}: {key}": value for key, value in differing.items()}
    return flat


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    return "–" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _details(summary: str, content: str) -> str:
    return tag("details", tag("summary", escape(summary)) + content)
