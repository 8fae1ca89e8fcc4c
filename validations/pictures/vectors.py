"""Sketches of the equations of the singular vectors under gradient flow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from dlnlab import plotting
from dlnlab.claims import proposition1 as proposition1_claim
from dlnlab.lab.cases import Case
from dlnlab.lab.picture import Sketch, setting, titled

from .. import proposition1, proposition1_vectors

__all__ = ["sketch_differencing", "sketch_velocities"]


def sketch_velocities(witness: Mapping[str, Any]) -> Sketch:
    """Draw Ẇ from U̇, Ṡ and V̇ and from the layers, at the verdict's record.

    Which record is the worst may depend on the integration error, which is that of a batch there.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    case = Case.from_witness(witness)
    run = proposition1.integrate([case])
    (found,) = proposition1_vectors.follow(run)
    k, kept = int(np.argmin(np.abs(found.times - witness["time"]))), found.telling
    kept[k] = True
    weights = tuple(W[k, 0] for W in run.layers)
    both = proposition1_claim.vector_sides(weights, run.gradient[k, 0])
    formula = r"from $\dot U$, $\dot S$, $\dot V$"
    series = {"from the layers": both.measured.ravel(), formula: both.formula.ravel()}
    entries = partial(plotting.spectra, series, ylabel=r"entry of $\dot W$")
    deviation = partial(
        plotting.deviation,
        found.times[kept],
        -found.margin[kept],
        found.error[kept],
        at=float(found.times[k]),
    )
    panels = (
        titled(
            _labelled(entries, "entry, row by row"),
            f"Velocity of $W_{{L:1}}$ at $t={found.times[k]:.4g}$",
        ),
        titled(deviation, "Deviation of the velocities"),
    )
    return Sketch(setting(case), panels, float(found.margin[k]), float(found.error[k]))


def sketch_differencing(witness: Mapping[str, Any]) -> Sketch | None:
    """Draw u̇_i and v̇_i by the formula and by differencing; None if the flow diverged.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch or None
    """
    case = Case.from_witness(witness)
    found = proposition1_vectors.difference(case, float(witness["time"]))
    if found is None:
        return None
    # vector after vector: u_1, v_1, u_2, …
    series = {"difference quotient": found.measured.T.ravel(), "formula": found.predicted.T.ravel()}
    margin, error = _worst_entries(found, case.shape[0])
    names = [f"${name}_{{{i}}}$" for i in range(1, len(found.values) + 1) for name in "uv"]
    index = np.arange(1, len(names) + 1)
    deviation = partial(plotting.deviation, index, -margin, error, discrete=True)
    panels = (
        titled(
            _labelled(
                partial(plotting.spectra, series, ylabel=r"entry of $\dot u_i$ or $\dot v_i$"),
                "entry, $u_1$, $v_1$, $u_2$, …",
            ),
            f"Rates of the singular vectors at $t={found.time:.4g}$",
        ),
        titled(_labelled(deviation, "vector", names), "Largest deviation of an entry"),
    )
    k = int(np.argmin(margin + error))
    return Sketch(setting(case), panels, float(margin[k]), float(error[k]))


def _worst_entries(found: proposition1.Differences, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Margin and error of the worst entry of u_1, v_1, u_2, …"""
    worst = []
    for i in range(len(found.values)):
        for side in (slice(None, rows), slice(rows, None)):
            margin, error = found.margin[side, i], found.error[side, i]
            k = int(np.argmin(margin + error))
            worst.append((margin[k], error[k]))
    return np.array([m for m, _ in worst]), np.array([e for _, e in worst])


def _labelled(
    panel: Callable[[Any], Any], xlabel: str, names: list[str] | None = None
) -> Callable[[Any], Any]:
    """A panel over things with another label, and with names of their own."""

    def drawn(ax: Any) -> None:
        panel(ax)
        ax.set_xlabel(xlabel)
        if names is not None:
            ax.set_xticks(np.arange(1, len(names) + 1), names)

    return drawn
