"""The page on an attack: every conjecture with its verdict, instance and figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlnlab.report.page import definitions, escape, page, table, tag

__all__ = ["conjectures_html"]


def conjectures_html(
    outcomes: Sequence[Any], manifest: Mapping[str, Any], figures: Mapping[str, str]
) -> str:
    """Return a self-contained page on the outcomes of attacks.

    Parameters
    ----------
    outcomes : sequence of Outcome
    manifest : mapping
        See `dlnlab.report.manifest`.
    figures : mapping of str
        An HTML image by the name of a conjecture.

    Returns
    -------
    str
    """
    headers = ("conjecture", "verdict", "margin ± error", "instances")
    rows = [
        (o.name, o.standing, f"{o.margin:.3g} ± {o.error:.1g}", f"{o.instances:,}")
        for o in outcomes
    ]
    body = [table(headers, rows)]
    for outcome in outcomes:
        body += [
            tag("h2", escape(outcome.name)),
            tag("pre", escape(str(outcome))),
            figures.get(outcome.name, ""),
        ]
    body += [
        tag("h2", "How to repeat this"),
        definitions({str(key): str(value) for key, value in manifest.items()}),
    ]
    return page("Conjectures", body)
