"""Small results as fragments of HTML, as a notebook shows what a cell ends in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np

from dlnlab.claims import Verdict
from dlnlab.numerics import arrays
from dlnlab.report.page import definitions, escape, table, tag
from dlnlab.report.verdicts import judged

__all__ = ["SKIPPED", "reduction_cell", "runs_cell", "trajectory_cell", "verdicts_cell"]

SKIPPED = ("times", "steps", "weights", "status", "seconds", "drift")
"""Fields of a trajectory that are told in words."""


def verdicts_cell(verdicts: Mapping[str, Verdict]) -> str:
    """Return a table with a row for each verdict.

    Parameters
    ----------
    verdicts : mapping of str to Verdict

    Returns
    -------
    str
    """
    headers = ("claim", "verdict", "worst margin ± numerical error", "unmet premises")
    rows = [
        (*judged(verdict), ", ".join(premise.name for premise in verdict.unmet) or "–")
        for verdict in verdicts.values()
    ]
    return table(headers, rows)


def trajectory_cell(run: Any) -> str:
    """Return what a trajectory says in a line, and what it recorded, first and last.

    Parameters
    ----------
    run : Trajectory

    Returns
    -------
    str
    """
    rows = []
    for field in dataclasses.fields(run):
        value = getattr(run, field.name)
        if field.name in SKIPPED or value is None or isinstance(value, tuple):
            continue
        host = np.asarray(arrays.to_host(value))
        single = host.ndim == 1 and host.size > 0
        ends = [f"{host[k]:.4g}" for k in (0, -1)] if single else ["–", "–"]
        rows.append((field.name, str(host.shape), *ends))
    recorded = table(("recorded", "shape", "first", "last"), rows) if rows else ""
    return tag("p", escape(run.summary())) + recorded


def runs_cell(runs: Any) -> str:
    """Return a table with a row for each network.

    Parameters
    ----------
    runs : Runs

    Returns
    -------
    str
    """
    rows = []
    for name, curve in runs.curves.items():
        error = "–" if curve.errors is None else f"{curve.errors[-1]:.2e}"
        loss = f"{curve.losses[-1]:.2e}"
        rows.append((name, str(curve.status), str(curve.steps[-1]), loss, error))
    return table(("network", "ended", "steps", "loss", "error"), rows)


def reduction_cell(reduction: Any) -> str:
    """Return the sizes of a reduced network and of the wide one.

    Parameters
    ----------
    reduction : Reduction or ThinReduction

    Returns
    -------
    str
    """
    wide = reduction.problem.original.shape
    sizes = [reduction.weights[0].shape[-1], *(W.shape[-2] for W in reduction.weights)]
    return definitions(
        {
            "wide network": f"{wide[0]} × {wide[1]}, L = {len(reduction.weights)}",
            "reduced widths": " → ".join(map(str, sizes)),
            "identical directions": str(reduction.multiplicity),
            "can be lifted": "no, it was never formed" if reduction.initial is None else "yes",
        }
    )
