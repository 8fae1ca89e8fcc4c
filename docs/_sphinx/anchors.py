"""Folded parts of a page, ``<details id="fig5">``, can be linked to from Markdown.

``[…](#fig5)`` leads to one of the same page, ``[…](page.md#fig5)`` to one of another.  MyST knows
the anchors of headings only, and takes a link to any other for a mistake.  So links to such parts
are written as HTML; the tests of the site check that they lead somewhere.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

FOLDED = re.compile(r'^<details id="([\w-]+)"', re.MULTILINE)
LINK = re.compile(r"\[([^\]]+)\]\((?:([\w./-]+)\.md)?#([\w-]+)\)")


def as_html(app: Any, docname: str, source: list[str]) -> None:
    """Write links to folded parts of a page as HTML."""
    folder = (Path(app.srcdir) / docname).parent

    def written(link: re.Match[str]) -> str:
        text, page, part = link.groups()
        other = folder / f"{page}.md"
        there = source[0] if page is None else other.read_text("utf-8") if other.is_file() else ""
        if part not in FOLDED.findall(there):
            return link[0]
        return f'<a href="{f"{page}.html" if page else ""}#{part}">{text}</a>'

    source[0] = LINK.sub(written, source[0])


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", as_html)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
