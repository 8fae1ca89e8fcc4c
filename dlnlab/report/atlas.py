"""The atlas of Theorem 2 as text, and as a self-contained page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dlnlab import terminal
from dlnlab.report.page import definitions, escape, page, table, tag

__all__ = ["CAPTIONS", "HEADERS", "READING", "atlas_html", "atlas_text"]

HEADERS = ("region", "starts", "violating", "worst / ‖M*‖²", "/ (r̂−r)β^{2L}", "/ sharp bound")

READING = (
    "The plain inequality of Theorem 2, ‖W(t) − M*‖² ≥ ‖W̃(t) − M*‖² for all t, compares the wide "
    "network W with the compressed one W̃ of rank r̂. It is proved for aligned starts only. Here it "
    "is measured from uniformly random and from near-worst starts. A start violates it if the "
    "worst record does so by more than the bound on the numerical error. The sharp bound is "
    "(r̂ − max(r, d − r)) β^{2L}: of the compressed network's idle directions only those beyond "
    "d − r count, since at least d − 2r directions of the wide network decay exactly like β^L."
)

CAPTIONS = {
    "map": "Under gradient flow. Every tile is the worst of the random and the near-worst starts; "
    "a dot stands for none that violates the inequality. Above the thick line r̂ > d − r; right of "
    "the dashed one ε^L > σ_r*, where no bound speaks.",
    "width": "Gradient flow of wide networks of any width, in their exact reduction.",
    "descent": "Gradient descent with step size η; η_max = 2/(L σ_1*^{2−2/L}). Only starts for "
    "which both networks converge are judged. Points along the lower rim: nothing violated.",
    "threshold": "The smallest step from which gradient descent violates the inequality for r̂ = r, "
    "between the last step tried below all violations and the first with one; d = 2.",
}


def _atlas_rows(regions: Sequence[Any]) -> list[tuple[str, ...]]:
    """Return a row of text for each region, under `HEADERS`."""
    return [
        (
            region.name,
            f"{region.starts:,}",
            f"{region.violating:,}",
            *map(_number, (region.worst, region.of_refined, region.of_sharp)),
        )
        for region in regions
    ]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def atlas_text(regions: Sequence[Any], notes: Sequence[str]) -> str:
    """Return the regions as a table, and the notes below it.

    Parameters
    ----------
    regions : sequence of Region
    notes : sequence of str

    Returns
    -------
    str
    """
    lines = terminal.table([HEADERS, *_atlas_rows(regions)])
    wrapped = [line for note in notes for line in terminal.paragraph(note) or [""]]
    return "\n".join([*lines, "", *wrapped])


def atlas_html(
    regions: Sequence[Any],
    notes: Sequence[str],
    figures: Mapping[str, str],
    manifest: Mapping[str, Any],
) -> str:
    """Return a self-contained page: what is measured, the regions, the figures, the manifest.

    Parameters
    ----------
    regions : sequence of Region
    notes : sequence of str
    figures : mapping
        Images as data URIs by the names of `CAPTIONS`.
    manifest : mapping
        See `manifest`.

    Returns
    -------
    str
    """
    body = [tag("p", escape(READING)), table(HEADERS, _atlas_rows(regions))]
    body += [tag("p", escape(note)) for note in notes]
    for name, source in figures.items():
        caption = escape(CAPTIONS[name])
        picture = f'<img alt="{caption}" src="{source}">'
        body.append(tag("figure", picture + tag("figcaption", caption)))
    told = {str(key): str(value) for key, value in manifest.items()}
    body += [tag("h2", "How to repeat this"), definitions(told)]
    return page("Where Theorem 2's inequality fails", body)
