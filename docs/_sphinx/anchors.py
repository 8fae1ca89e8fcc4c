"""Folded parts of a page, ``<details id="fig5">``, can be linked to from Markdown: ``[…](#fig5)``.

MyST knows the anchors of headings only, and takes a link to any other for a mistake.  So links to
such parts are written as HTML; the tests of the site check that they lead somewhere.
"""

from __future__ import annotations

import re
from typing import Any

FOLDED = re.compile(r'^<details id="([\w-]+)"', re.MULTILINE)
LINK = re.compile(r"\[([^\]]+)\]\(#([\w-]+)\)")


def as_html(app: Any, docname: str, source: list[str]) -> None:
    """Write links to folded parts of the page as HTML."""
    folded = set(FOLDED.findall(source[0]))
    source[0] = LINK.sub(
        lambda m: f'<a href="#{m[2]}">{m[1]}</a>' if m[2] in folded else m[0], source[0]
    )


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", as_html)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
