"""HTML without scripts or outside resources: fragments for notebooks, whole pages for files."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "MARKUP",
    "STYLE",
    "definitions",
    "escape",
    "meta",
    "page",
    "state",
    "table",
    "tag",
    "unmarked",
    "wide",
]

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
.met { background: #dcf0de; } .missed { background: #f9dfda; } .undecided { background: #f6edc9; }
.apart { background: #e6e6e6; } .state { padding: 0 .35rem; border-radius: .2rem; }
.wide { overflow-x: auto; } .wide table { min-width: 34rem; }
.wide td:last-child { min-width: 9rem; }
.meta { color: #444; font-size: .9em; overflow-wrap: anywhere; }
th { text-align: left; }
.wide td { overflow-wrap: normal; word-break: normal; }
@media print { .wide { overflow: visible; } .wide table, .wide td:last-child { min-width: 0; }
.state { border: 1px solid #888; } }
@media (max-width: 36rem) { dt { float: none; } dd { margin-left: 1rem; } }
@media print { body { margin: 0; font-size: 10pt; } h2, figure, table { break-inside: avoid; } }
"""


MARKUP = re.compile(r"<(?=[A-Za-z/!?])|\](?=[(\[])")
"""Where Markdown takes a text for HTML, or for a link; "r̂ < r" is neither."""


def escape(text: str) -> str:
    """Return `text` with what HTML would take for markup spelled out.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return html.escape(text, quote=True)


def unmarked(value: Any) -> Any:
    """Return plain data with no text in it that Markdown would take for HTML, a link or a line.

    Parameters
    ----------
    value : object
        Plain data.

    Returns
    -------
    object
    """
    if isinstance(value, Mapping):
        return {unmarked(key): unmarked(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [unmarked(part) for part in value]
    if not isinstance(value, str):
        return value
    spelled = {"<": "&lt;", "]": "\\]"}
    return MARKUP.sub(lambda match: spelled[match[0]], value.replace("\n", " "))


def tag(name: str, content: str, style: str = "") -> str:
    """Return `content`, which is HTML already, in an element.

    Parameters
    ----------
    name : str
        Of the element.
    content : str
        HTML.
    style : str
        Its class.

    Returns
    -------
    str
    """
    attribute = f' style="{style}"' if style else ""
    return f"<{name}{attribute}>{content}</{name}>"


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], numeric: bool = False) -> str:
    """Return a table of plain text; every cell is escaped.

    Parameters
    ----------
    headers : sequence of str
    rows : sequence of sequences of str
    numeric : bool
        Whether columns but the first are numbers.

    Returns
    -------
    str
    """
    style = f"text-align: {'right' if numeric else 'left'}"
    head = "".join(tag("th", escape(cell), style) for cell in headers)
    body = ["".join(tag("td", escape(cell), style) for cell in row) for row in rows]
    return tag("table", "\n".join(tag("tr", cells) for cells in [head, *body]))


def state(words: str, kind: str) -> str:
    """Return words on the colour of a state, which they tell as well.

    `kind` is "met", "missed", "undecided" or "apart", or empty for words alone.

    Parameters
    ----------
    words : str
    kind : str
        The state.

    Returns
    -------
    str
    """
    text = escape(words)
    return f'<span class="state {kind}">{text}</span>' if kind else text


def meta(text: str) -> str:
    """Return a paragraph of small print: when, how and from what something was made.

    Parameters
    ----------
    text : str

    Returns
    -------
    str
    """
    return f'<p class="meta">{escape(text)}</p>'


def wide(content: str) -> str:
    """Return HTML that may be wider than a phone, in an element that scrolls by itself.

    Parameters
    ----------
    content : str
        HTML.

    Returns
    -------
    str
    """
    return f'<div class="wide">{content}</div>'


def definitions(items: Mapping[str, str]) -> str:
    """Return a list of names and their values, plain text both.

    Parameters
    ----------
    items : mapping of str to str

    Returns
    -------
    str
    """
    return tag(
        "dl", "\n".join(tag("dt", escape(k)) + tag("dd", escape(v)) for k, v in items.items())
    )


def page(title: str, body: Sequence[str]) -> str:
    """Return a whole page that needs nothing else; `body` holds fragments of HTML.

    Parameters
    ----------
    title : str
    body : sequence of str

    Returns
    -------
    str
    """
    phone = '<meta name="viewport" content="width=device-width, initial-scale=1">'
    head = f'<meta charset="utf-8">{phone}<title>{escape(title)}</title><style>\n{STYLE}</style>'
    parts = [tag("h1", escape(title)), *body]
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(
        [*parts, "</body></html>\n"]
    )
