"""Verdicts as text, and as a page that a reviewer can read alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from dlnlab.claims import CLAIMS, Claim, Premise, Standing, Verdict
from dlnlab.experiments.wording import number
from dlnlab.report.page import definitions, escape, meta, page, state, table, tag, wide
from dlnlab.results import plain

__all__ = [
    "EXACT",
    "MEANING",
    "MINUS",
    "PARTS",
    "READING",
    "STATES",
    "SUBJECT",
    "claim_title",
    "flat",
    "judged",
    "margin_text",
    "standings",
    "status_text",
    "verdicts_html",
]

MEANING = {
    "proved": "There is a proof, and every instance whose premises are met agrees with it to "
    "within the numerical error.",
    "conditional": "It follows from a claim that is not proved itself; every instance whose "
    "premises are met agrees with it to within the numerical error.",
    "conjecture": "The conclusion held on every instance whose premises are met, to within the "
    "numerical error; there is no proof.",
    "refuted": "The conclusion fails on an instance whose premises are all met, by more than the "
    "numerical error; in capitals if that was not known before.",
    "not applicable": "The premises are not met, so the instances neither confirm nor refute the "
    "claim; what is shown is how its conclusion fares without them.",
}

STATES = {
    "proved": "met",
    "conditional": "undecided",
    "conjecture": "undecided",
    "refuted": "missed",
    "not applicable": "apart",
}
"""The colour of each status."""

MINUS = "\N{MINUS SIGN}"
"""At which a line does not break, as it does at a hyphen."""

SUBJECT = (
    "The claims are those of Kwon et al. (2024) on compressed deep linear networks, and what was "
    "found beside them."
)

EXACT = "Numbers are rounded on this page; the file of dlnlab validate --json has every digit."

READING = (
    "A margin is signed and scale-free, and at least 0 where the claim holds. Its numerical error "
    "is bounded, and a claim counts as refuted only when the margin lies below minus that bound. "
    "Premises are measured like claims; an instance with an unmet premise says nothing about the "
    "claim and is counted apart."
)

PARTS = (
    "outside_the_premises",
    "simplest",
    "quartiles",
    "powers_of_eps",
    "limits",
)
"""Parts of a witness that are told on their own, after the instance itself."""


def claim_title(claim: str) -> str:
    """Return what a claim is called in a text.

    Parameters
    ----------
    claim : str
        Its name.

    Returns
    -------
    str
    """
    return CLAIMS[claim].title if claim in CLAIMS else claim


def status_text(verdict: Verdict) -> str:
    """Return the status in words, in capitals a refutation that was not known.

    Parameters
    ----------
    verdict : Verdict

    Returns
    -------
    str
    """
    new = verdict.status == "refuted" and verdict.known != "refuted"
    return "REFUTED" if new else verdict.standing


def margin_text(verdict: Verdict) -> str:
    """Return the margin with its error.

    Parameters
    ----------
    verdict : Verdict

    Returns
    -------
    str
    """
    if math.isnan(verdict.margin):
        return "not measured"
    return f"{verdict.margin + 0.0:.2e} ± {verdict.error:.1e}"  # + 0.0 turns -0.0 into 0.0


def judged(verdict: Verdict) -> tuple[str, str, str]:
    """Return a row of a table: the claim, the verdict on it, and its margin.

    Parameters
    ----------
    verdict : Verdict

    Returns
    -------
    (str, str, str)
    """
    return claim_title(verdict.claim), status_text(verdict), margin_text(verdict)


def standings(claim: Claim) -> list[tuple[str, str, str]]:
    """Return for each scope of a claim the status, the scope, and what establishes it.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    list[tuple[str, str, str]]
    """
    return [
        (standing.words, standing.scope or "all instances", _support(standing))
        for standing in claim.standings
    ]


def _support(standing: Standing) -> str:
    proofs = ", ".join(f"proofs/{name}.py" for name in standing.proofs)
    if standing.witness is None:
        return proofs or "validation only"
    return f"{standing.witness}" + (f" ({proofs})" if proofs else "")


def verdicts_html(
    verdicts: Sequence[Verdict],
    manifest: Mapping[str, Any],
    attacks: Mapping[str, Sequence[Mapping[str, Any]]],
    figures: Mapping[str, str],
) -> str:
    """Return a self-contained page: a summary, each claim with its worst instance, the manifest.

    Parameters
    ----------
    verdicts : sequence of Verdict
    manifest : mapping
        See `manifest`.
    attacks : mapping
        For each claim, the parts of the attack on it: "part", "count", "description".
    figures : mapping
        An HTML image of the worst instance, for the claims that have one.

    Returns
    -------
    str
    """
    body = [
        meta(_made(manifest)),
        tag("p", escape(f"{SUBJECT} {READING}")),
        wide(_overview(verdicts)),
    ]
    for verdict in verdicts:
        body += _section(verdict, attacks.get(verdict.claim, ()), figures.get(verdict.claim))
    body += [tag("h2", "How to repeat this"), tag("p", escape(EXACT)), definitions(flat(manifest))]
    return page("Verdicts on the claims", body)


def _made(manifest: Mapping[str, Any]) -> str:
    """When, with which version and by which command."""
    return (
        f"Made on {manifest['finished'][:10]} with dlnlab {manifest['versions']['dlnlab']}: "
        f"{manifest['command']}"
    )


def _overview(verdicts: Sequence[Verdict]) -> str:
    """A row for each claim, which leads to its section."""
    headers = ("claim", "verdict", "worst margin ± error", "instances", "computing time")
    rows = [tag("tr", "".join(tag("th", escape(cell)) for cell in headers))]
    for v in verdicts:
        cells = (
            f'<a href="#{escape(v.claim)}">{escape(claim_title(v.claim))}</a>',
            state(status_text(v), STATES[v.status]),
            escape(margin_text(v).replace("-", MINUS)),
            f"{v.instances:,}",
            f"{v.seconds:.1f} s",
        )
        rows.append(tag("tr", "".join(tag("td", cell) for cell in cells)))
    return tag("table", "\n".join(rows))


def _section(
    verdict: Verdict, attacks: Sequence[Mapping[str, Any]], figure: str | None
) -> list[str]:
    told = {k: v for k, v in verdict.witness.items() if k not in PARTS}
    rest = {k: v for k, v in verdict.witness.items() if k in PARTS and v}
    status = state(status_text(verdict), STATES[verdict.status])
    parts = [
        f'<h2 id="{escape(verdict.claim)}">{escape(claim_title(verdict.claim))}</h2>',
        tag("p", tag("i", escape(verdict.statement))),
        tag("p", f"{status} {escape(MEANING[verdict.status])}"),
    ]
    if verdict.claim in CLAIMS:
        parts.append(meta(f"Source: {CLAIMS[verdict.claim].source}."))
        parts.append(wide(table(("known", "for", "by"), standings(CLAIMS[verdict.claim]))))
    if attacks:
        rows = [(a["part"], f"{a['count']:,}", a["description"]) for a in attacks]
        parts.append(wide(table(("attack", "instances", "what was tried"), rows)))
    if verdict.premises:
        headers = ("premise", "meaning", "met", "tightest margin ± error")
        parts.append(wide(table(headers, [_premise(p) for p in verdict.premises])))
    caption = f"The instance with the worst margin, {margin_text(verdict)}."
    if figure:
        parts.append(tag("figure", figure + tag("figcaption", escape(caption))))
    else:
        parts.append(tag("p", escape(caption)))
    return [*parts, definitions(flat(told)), definitions(flat(rest))]


def _premise(premise: Premise) -> tuple[str, str, str, str]:
    numbers = f"{premise.margin:.2e} ± {premise.error:.1e}".replace("-", MINUS)
    return premise.name, premise.statement, "yes" if premise.met else "no", numbers


def flat(content: Mapping[str, Any], within: str = "") -> dict[str, str]:
    """Return every value of a nested mapping in words, under its path.

    Parameters
    ----------
    content : mapping
    within : str
        The path so far.

    Returns
    -------
    dict

    Examples
    --------
    >>> flat({"shape": [2, 2], "left": {"seed": 7, "reflectors": []}, "eps": 0.123456789})
    {'shape': '2, 2', 'left: seed': '7', 'left: reflectors': 'none', 'eps': '0.123'}
    """
    found: dict[str, str] = {}
    for key, value in content.items():
        name = f"{within}{str(key).replace('_', ' ')}"
        if isinstance(value, Mapping):
            found |= flat(value, f"{name}: ")
        else:
            found[name] = _worded(plain(value))
    return found


def _worded(value: Any) -> str:
    """A value in words; numbers with three digits, lists within lists in brackets."""
    if isinstance(value, list):
        parts = [
            f"({_worded(part)})" if isinstance(part, list) else _worded(part) for part in value
        ]
        return ", ".join(parts) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {text}" for name, text in flat(value).items())
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "–"
    return number(value) if isinstance(value, float) else str(value)
