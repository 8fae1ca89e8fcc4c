"""HTML without scripts or outside resources: fragments for notebooks, whole pages for files."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["definitions", "escape", "page", "table", "tag", "unmarked"]

STYLE = """\
body { font: 15px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; margin: .8rem 0; }
th, td { padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #bbb; vertical-align: top; }
td { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
dt { font-weight: 600; float: left; clear: left; min-width: 9rem; } dd { margin-left: 9.5rem; }
dd { overflow-wrap: anywhere; }
figure { margin: 1rem 0; } figure svg, figure img { max-width: 100%; height: auto; }
figcaption { font-size: .9em; color: #333; }
@media print { body { margin: 0; font-size: 10pt; } h2, figure, table { break-inside: avoid; } }
"""


MARKUP = re.compile(r"<(?=[A-Za-z/!?])|\](?=[(\[])")
"""Where Markdown takes a text for HTML, or for a link; "r̂ < r" is neither."""


def escape(text: str) -> str:
    """Return `text` with what HTML would take for markup spelled out."""
    return html.escape(text, quote=True)


def unmarked(value: Any) -> Any:
    """Return plain data with no text in it that Markdown would take for HTML, a link or a line."""
    if isinstance(value, Mapping):
        return {unmarked(key): unmarked(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [unmarked(part) for part in value]
    if not isinstance(value, str):
        return value
    spelled = {"<": "&lt;", "]": "\\]"}
    return MARKUP.sub(lambda match: spelled[match[0]], value.replace("\n", " "))


def tag(name: str, content: str, style: str = "") -> str:
    """Return `content`, which is HTML already, in an element."""
    attribute = f' style="{style}"' if style else ""
    return f"<{name}{attribute}>{content}</{name}>"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], numeric: bool = False) -> str:
    """Return a table of plain text; every cell is escaped."""
    style = f"text-align: {'right' if numeric else 'left'}"
    head = "".join(tag("th", escape(cell), style) for cell in headers)
    body = ["".join(tag("td", escape(cell), style) for cell in row) for row in rows]
    return tag("table", "\n".join(tag("tr", cells) for cells in [head, *body]))


def definitions(items: Mapping[str, str]) -> str:
    """Return a list of names and their values, plain text both."""
    return tag(
        "dl", "\n".join(tag("dt", escape(k)) + tag("dd", escape(v)) for k, v in items.items())
    )


def page(title: str, body: Sequence[str], style: str = "") -> str:
    """Return a whole page that needs nothing else; `body` holds fragments of HTML.

    `style` is added to the style of every page.
    """
    phone = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    head = (
        f'<meta charset="utf-8">{phone}<title>{escape(title)}</title>'
        f"<style>\n{STYLE}{style}</style>"
    )
    parts = [tag("h1", escape(title)), *body]
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(
        [*parts, "</body></html>\n"]
    )
