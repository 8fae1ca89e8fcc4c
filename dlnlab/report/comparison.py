"""A comparison as text, HTML and JSON: the same facts for terminal, notebook and archive."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from dlnlab import terminal
from dlnlab.claims import Premise, Verdict
from dlnlab.report.page import escape, table, tag
from dlnlab.report.verdicts import judged
from dlnlab.results import plain
from dlnlab.training.trajectory import Status

if TYPE_CHECKING:
    from dlnlab.flow import Comparison

__all__ = [
    "ENDINGS",
    "HEADERS",
    "NOTE",
    "ROWS",
    "UNMET",
    "comparison_html",
    "comparison_json",
    "comparison_text",
]

ROWS = 12
"""Modes in a table; of more, those that matter are shown."""

UNMET = {
    "balanced start": "the initial layers are not balanced (relative gap {by:.1e}); for a "
    "rectangular target the default width, min(d_out, d_in), makes them so",
    "same start": "the singular values do not all start at ε^L (relative gap {by:.1e})",
    "r_hat >= r": "r̂ < r: the compressed network cannot represent the target",
    "eps^L <= sigma_r": "ε^L is larger than the smallest target value σ_r*",
    "aligned start": "the start is not aligned with the target, Q v_i* ≠ u_i* (by {by:.1e})",
    "accurate run": "the numerical error is too large to tell",
    "every mode fitted": "not every mode was fitted while the run lasted",
    "whole flow": "{statement} only",
    "dominance": "a singular value ran ahead of the compressed network's (by {by:.1e})",
}
"""What an unmet premise means, by its name; {by} is how far it is from being met."""

ENDINGS = {
    Status.STOPPED: "the original network has fitted the target",
    Status.COMPLETED: "t_end was reached",
    Status.STATIONARY: "nothing moved any more",
}
"""How a comparison ends, where this says more than the status of a run in general."""

HEADERS = ("mode", "σ_i*", "t_i original", "t_i compressed", "ratio", "c_vec")
NOTE = (
    "t_i: when σ_i comes, for good, within {within:.3g} σ_i* of its target σ_i*.  c_vec: the "
    "constant of Assumption 1 for the original network."
)


class _ModeRow(NamedTuple):
    """One mode of the table, as text."""

    mode: str
    target: str
    original: str
    compressed: str
    ratio: str
    c_vec: str


def comparison_text(c: Comparison) -> str:
    """Return a comparison as text of a terminal's width: setting, modes, verdicts, ending.

    Parameters
    ----------
    c : Comparison

    Returns
    -------
    str
        Without a newline at the end.
    """
    rows, note = _rows(c)
    wrap = terminal.paragraph
    lines = [*wrap(_head(c)), *wrap(_known(c)), "", *terminal.table([HEADERS, *rows], left=0)]
    lines += wrap(f"({note})", "  ") if note else []
    lines += [*wrap(_note(c), "  "), ""]
    verdicts = [judged(verdict) for verdict in c.verdicts.values()]
    lines += _judged(verdicts, [_remarks(verdict) for verdict in c.verdicts.values()])
    return "\n".join([*lines, "", *wrap(_ending(c))])


def _judged(
    verdicts: Sequence[tuple[str, str, str]], remarks: Sequence[Sequence[str]]
) -> list[str]:
    """A table of verdicts, with the remarks on each below it."""
    cells = [("claim", "verdict", "margin ± error"), *verdicts]
    width = terminal.widths([max(map(len, column)) for column in zip(*cells, strict=True)])
    lines = terminal.row(cells[0], width, left=3)
    for verdict, below in zip(verdicts, remarks, strict=True):
        lines += terminal.row(verdict, width, left=3)
        for remark in below:
            lines += terminal.paragraph(f"– {remark}", "    ", "      ")
    return lines


def comparison_html(c: Comparison) -> str:
    """Return a comparison as a fragment of HTML for notebooks, without scripts or resources.

    Parameters
    ----------
    c : Comparison

    Returns
    -------
    str
    """
    rows, note = _rows(c)
    modes = table(HEADERS, rows, numeric=True)
    remarks = [(*judged(v), "; ".join(_remarks(v))) for v in c.verdicts.values()]
    verdicts = table(("claim", "verdict", "worst margin ± numerical error", "remarks"), remarks)
    parts = [tag("p", tag("b", escape(_head(c))))]
    parts += [tag("p", escape(_known(c)))] if _known(c) else []
    parts += [modes]
    parts += [tag("p", escape(note))] if note else []
    parts += [tag("p", escape(_note(c))), verdicts, tag("p", escape(_ending(c)))]
    return tag("div", "\n".join(parts))


def comparison_json(c: Comparison) -> dict[str, Any]:
    """Return a comparison's outcome as plain numbers, strings, lists and dicts.

    What JSON cannot hold becomes None (NaN) or a string ("inf"), so that
    ``json.dumps(..., allow_nan=False)`` works.  The time series are not included; see
    `Comparison.to_dict` for these.

    Parameters
    ----------
    c : Comparison

    Returns
    -------
    dict
    """
    out: dict[str, Any] = {
        "settings": plain(c.settings),
        "status": c.original.status.value,
        "ending": _why(c),
        "plan": plain(dataclasses.asdict(c.plan)),
        "covered": {
            "until": plain(c.coverage.until),
            "whole": c.coverage.whole,
            "escaped": c.coverage.escaped,
        },
        "t_final": plain(c.times[-1]),
        "records": int(c.times.size),
        "seconds": plain(c.seconds),
        "drift": plain(c.original.drift),
        "targets": plain(c.targets),
    }
    for name in ("fitting_times", "c_val", "c_vec"):
        out[name] = plain(getattr(c, name)._asdict())
    for name in ("original", "compressed"):
        out[f"final_error_{name}"] = plain(getattr(c, name).errors[-1])
    out["verdicts"] = [verdict.to_dict() for verdict in c.verdicts.values()]
    return out


def _head(c: Comparison) -> str:
    s = c.settings
    return (
        f"{s['shape'][0]} × {s['shape'][1]} target of rank {s['rank']}: "
        f"r̂ = {s['r_hat']}, L = {s['depth']}, ε = {s['eps']:.6g}, seed {s['seed']}"
    )


def _note(c: Comparison) -> str:
    return NOTE.format(within=c.settings["within"])


def _rows(c: Comparison) -> tuple[list[_ModeRow], str]:
    """The rows of the table of modes, and a note on those left out."""
    rank = c.targets.size
    shown = _telling(c.targets, np.isfinite(c.fitting_times.original))
    note = f"{len(shown)} of {rank} modes shown" if len(shown) < rank else ""
    return [_row(c, i) for i in shown], note


def _telling(targets: np.ndarray, fitted: np.ndarray) -> list[int]:
    """Choose the modes that matter, of more than fit.

    The first three, the last one, both sides of the widest gap between neighbours, the last one
    fitted before one that was not, and that one; then the following ones, fitted ones first.
    """
    rank = targets.size
    gap = int(np.argmax(targets[:-1] / targets[1:])) if rank > 1 else 0
    first_missing = int(np.argmin(fitted)) if not fitted.all() else rank - 1
    wanted = [0, 1, 2, rank - 1, gap, gap + 1, first_missing - 1, first_missing]
    rest = [*np.flatnonzero(fitted).tolist(), *np.flatnonzero(~fitted).tolist()]
    kept = dict.fromkeys(i for i in [*wanted, *rest] if 0 <= i < rank)
    return sorted(list(kept)[:ROWS])


def _row(c: Comparison, i: int) -> _ModeRow:
    original, compressed = (float(times[i]) for times in c.fitting_times)
    both = math.isfinite(original) and math.isfinite(compressed) and compressed > 0
    return _ModeRow(
        str(i + 1),
        f"{c.targets[i]:.4g}",
        _time(original, "never" if c.coverage.whole else f">{c.times[-1]:.4g}"),
        _time(compressed, "never"),
        f"{original / compressed:.3f}" if both else "–",
        _small(c.c_vec.original[i]),
    )


def _time(t: float, otherwise: str) -> str:
    return f"{t:.4g}" if math.isfinite(t) else otherwise


def _small(value: float) -> str:
    return f"{value:.1e}" if math.isfinite(value) else "–"


def _remarks(verdict: Verdict) -> list[str]:
    """Which premises a verdict lacks, in words, or where its claim fails."""
    remarks = [_unmet(premise) for premise in verdict.unmet]
    if not remarks and math.isnan(verdict.margin):
        remarks = ["a mode was never fitted, so there is nothing to measure"]
    if verdict.status == "refuted" and "time" in verdict.witness:
        remarks = [f"worst at t = {verdict.witness['time']:.6g}"]
    return remarks


def _unmet(premise: Premise) -> str:
    if math.isnan(premise.margin):
        return "with a mode never fitted, incremental learning cannot be measured"
    words = UNMET.get(premise.name, f"{premise.name}: {premise.statement}")
    words = words.replace("{statement}", premise.statement)
    return words.replace("{by:.1e}", f"{-premise.margin:.1e}")


def _why(c: Comparison) -> str:
    """How the run ended, and which modes were not fitted."""
    status, rank, trapped = c.original.status, c.targets.size, c.settings["trapped"]
    reason = ENDINGS.get(status, status.describe)
    if status is Status.STOPPED and trapped:
        reason = "the original network has fitted all that this start can fit"
    if c.coverage.escaped:
        reason = "from there on rounding decides which way the flow takes"
    missing = int(np.count_nonzero(np.isinf(c.fitting_times.original)))
    were = "was" if missing == 1 else "were"
    return f"{reason}; {missing} of {rank} modes {were} not fitted" if missing else reason


def _ending(c: Comparison) -> str:
    return f"Ended at t = {c.times[-1]:.6g} after {c.seconds:.2f} s: {_why(c)}."


def _known(c: Comparison) -> str:
    """What was known before the run: modes that were cut off, and those that cannot be fitted."""
    plan, told = c.plan, []
    if plan.rank < plan.of:
        told.append(f"Asked about {plan.rank} of {plan.of} modes ({plan.why}).")
    if c.settings["trapped"]:
        told.append(_trapped(c))
    return " ".join(told)


def _trapped(c: Comparison) -> str:
    """Which modes can never be fitted, and why: of the whole determinant, or of a block's."""
    names = list(map(str, c.settings["trapped"]))
    modes = f"mode {names[0]}" if len(names) == 1 else f"modes {', '.join(names)}"
    blocks = [block for block in c._flow.network.blocks if block.trapped]
    whole = blocks[0].axes.size == max(c.settings["shape"])
    where = "" if whole else "among the modes that each is coupled to, "
    return (
        f"This start can never fit {modes}: {where}det W_{{L:1}} has the other sign than det M*, "
        "and the flow keeps it."
    )
