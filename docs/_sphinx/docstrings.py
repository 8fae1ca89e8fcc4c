"""Docstrings are plain text with mathematical signs: σ_i*, ‖W_l‖, |Ω|.  None of that is markup.

reStructuredText would read a star, a bar or a trailing underscore as the begin of emphasis, of a
substitution, or as a link.  What stands in backticks is left alone, and so are doctests and literal
blocks.
"""

from __future__ import annotations

import re
from typing import Any

QUOTED = re.compile(r"(``.+?``|:\w+:`[^`]+`|`[^`]+`)")
MARKS = re.compile(r"[*|]|(?<=\w)_(?!\w)")
SECTION = re.compile(r"^-{3,}$|^={3,}$")


def plain(line: str) -> str:
    """Escape what is no markup in a line of a docstring."""
    parts = QUOTED.split(line)
    return "".join(
        part if quoted else MARKS.sub(lambda mark: "\\" + mark[0], part)
        for part, quoted in zip(parts, [k % 2 for k in range(len(parts))], strict=True)
    )


def escape(app: Any, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Escape a docstring, doctests and literal blocks excepted."""
    literal: int | None = None  # the indentation of the paragraph that announced a literal block
    for k, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if literal is not None and line.strip() and indent <= literal:
            literal = None
        if literal is None and not line.lstrip().startswith((">>>", "...")):
            lines[k] = plain(line)
        if line.rstrip().endswith("::"):
            literal = indent


def setup(app: Any) -> dict[str, bool]:
    app.connect("autodoc-process-docstring", escape, priority=100)  # before numpydoc's
    return {"parallel_read_safe": True, "parallel_write_safe": True}
