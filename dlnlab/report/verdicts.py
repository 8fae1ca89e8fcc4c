"""Verdicts as text, and as a page that a reviewer can read alone."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from dlnlab.claims import CLAIMS, Claim, Premise, Standing, Verdict
from dlnlab.report.page import definitions, escape, page, table, tag
from dlnlab.results import plain

__all__ = ["claim_title", "judged", "margin_text", "standings", "status_text", "verdicts_html"]

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
    """Return what a claim is called in a text."""
    return CLAIMS[claim].title if claim in CLAIMS else claim


def status_text(verdict: Verdict) -> str:
    """Return the status in words, in capitals a refutation that was not known."""
    new = verdict.status == "refuted" and verdict.known != "refuted"
    return "REFUTED" if new else verdict.standing


def margin_text(verdict: Verdict) -> str:
    """Return the margin with its error."""
    if math.isnan(verdict.margin):
        return "not measured"
    return f"{verdict.margin + 0.0:.2e} ± {verdict.error:.1e}"  # + 0.0 turns -0.0 into 0.0


def judged(verdict: Verdict) -> tuple[str, str, str]:
    """Return a row of a table: the claim, the verdict on it, and its margin."""
    return claim_title(verdict.claim), status_text(verdict), margin_text(verdict)


def standings(claim: Claim) -> list[tuple[str, str, str]]:
    """Return for each scope of a claim the status, the scope, and what establishes it."""
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
    rows = [
        (
            claim_title(v.claim),
            status_text(v),
            margin_text(v),
            f"{v.instances:,}",
            f"{v.seconds:.1f} s",
        )
        for v in verdicts
    ]
    headers = ("claim", "verdict", "worst margin ± error", "instances", "computing time")
    body = [tag("p", escape(READING)), table(headers, rows)]
    for verdict in verdicts:
        body += _section(verdict, attacks.get(verdict.claim, ()), figures.get(verdict.claim))
    body += [tag("h2", "How to repeat this"), definitions(_short(manifest))]
    return page("Verdicts on the claims", body)


def _section(
    verdict: Verdict, attacks: Sequence[Mapping[str, Any]], figure: str | None
) -> list[str]:
    told = {k: v for k, v in verdict.witness.items() if k not in PARTS}
    rest = {k.replace("_", " "): v for k, v in verdict.witness.items() if k in PARTS and v}
    parts = [
        tag("h2", escape(claim_title(verdict.claim))),
        tag("p", tag("i", escape(verdict.statement))),
        tag("p", tag("b", escape(status_text(verdict))) + ". " + escape(MEANING[verdict.status])),
    ]
    if verdict.claim in CLAIMS:
        parts.append(table(("known", "for", "by"), standings(CLAIMS[verdict.claim])))
    if attacks:
        rows = [(a["part"], f"{a['count']:,}", a["description"]) for a in attacks]
        parts.append(table(("attack", "instances", "what was tried"), rows))
    if verdict.premises:
        headers = ("premise", "meaning", "met", "tightest margin ± error")
        parts.append(table(headers, [_premise(p) for p in verdict.premises]))
    caption = f"The instance with the worst margin, {margin_text(verdict)}."
    if figure:
        parts.append(tag("figure", figure + tag("figcaption", escape(caption))))
    else:
        parts.append(tag("p", escape(caption)))
    return [*parts, definitions(_short(told)), definitions(_short(rest))]


def _premise(premise: Premise) -> tuple[str, str, str, str]:
    numbers = f"{premise.margin:.2e} ± {premise.error:.1e}"
    return premise.name, premise.statement, "yes" if premise.met else "no", numbers


def _short(content: Mapping[str, Any]) -> dict[str, str]:
    """Every value on a line of JSON, strings as they are."""
    return {
        str(name).replace("_", " "): value
        if isinstance(value, str)
        else json.dumps(plain(value), ensure_ascii=False)
        for name, value in content.items()
    }
