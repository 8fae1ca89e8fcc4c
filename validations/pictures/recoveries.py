"""Sketches of the claims about every measurement operator: the gauge, and the gradients."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from dlnlab import networks, plotting
from dlnlab.claims import gauge as gauge_claim
from dlnlab.lab.picture import Sketch, titled
from dlnlab.lab.recoveries import Recovery
from dlnlab.numerics import spectra

from .. import gauge, gradients

__all__ = ["KIND", "STEPS", "sketch_gauge", "sketch_gradients", "sketch_loss"]

STEPS = "step"

KIND = {
    "identity": "factorization",
    "mask": "completion",
    "pattern": "completion, dense",
    "sampled": "completion, from observed entries only",
    "sensing": "sensing",
    "operator": "sensing by a linear operator",
}


def _setting(recovery: Recovery, depth: int, width: tuple[int, ...]) -> str:
    """One line that says which instance it is."""
    rows, columns = recovery.shape
    inside = ", ".join(map(str, width))
    return f"{rows} × {columns} target, {KIND[recovery.kind]}\n$L={depth}$, hidden width {inside}"


def _descent(turn: gauge.Turn) -> str:
    """The same for gradient descent from a start and a turned one."""
    widths = tuple(frame.size for frame in turn.turns)
    other = r", turned to $(\varepsilon I,\ldots,\varepsilon I,\varepsilon Q)$"
    return (
        _setting(turn.recovery, turn.depth, widths)
        + rf", $\varepsilon={turn.eps:.4g}$, $\alpha={turn.alpha:g}$"
        + (rf", $\mu={turn.decay:g}\lambda$" if turn.decay else "")
        + (rf", $G_1$ stretched by {turn.stretch:g}" if turn.stretch != 1 else "")
        + (other if turn.canonical else "")
    )


def sketch_gauge(witness: Mapping[str, Any]) -> Sketch | None:
    """Draw gradient descent from a start and from the turned start; None if one diverged.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch or None
    """
    turn = gauge.Turn.from_witness(witness)
    run = gauge.descend(turn)
    if not run.whole:
        return None
    first, second = (
        spectra.singular_values(networks.prefix_products(W)[-1]) for W in (run.layers, run.others)
    )
    apart = gauge_claim.deviations(run.layers, run.others, run.turns)
    steps, labels = np.arange(apart.size), ("from the start", "from the turned start")
    panels = (
        titled(
            partial(plotting.families, steps, first, second, labels=labels, xlabel=STEPS),
            "Singular values of the network",
        ),
        titled(
            partial(plotting.deviation, steps, apart, run.error, xlabel=STEPS),
            "Largest distance of a turned layer",
        ),
    )
    return Sketch(_descent(turn), panels, -float(np.max(apart)), run.error)


def sketch_loss(witness: Mapping[str, Any]) -> Sketch:
    """Draw the loss of the iterates, and of the iterates turned.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    turn = gauge.Turn.from_witness(witness)
    run = gauge.descend(turn)
    apart = gauge_claim.loss_deviations(*run.losses, run.scale)
    first, second = (losses[:, None] for losses in run.losses)
    steps, labels = np.arange(apart.size), ("of the iterates", "of the iterates turned")
    options: dict[str, Any] = {"labels": labels, "xlabel": STEPS, "ylabel": r"loss $\ell$"}
    panels = (
        titled(partial(plotting.families, steps, first, second, **options), "The loss"),
        titled(
            partial(plotting.deviation, steps, apart, run.loss_error, xlabel=STEPS),
            "Distance of the losses",
        ),
    )
    return Sketch(_descent(turn), panels, -float(np.max(apart)), run.loss_error)


def sketch_gradients(witness: Mapping[str, Any]) -> Sketch:
    """Draw the slope of the loss if one layer moves, and if all do.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    line = gradients.LineThrough.from_witness(witness)
    move = line.move()
    depth = len(move)
    alone = [
        tuple(D if k == layer else np.zeros_like(D) for k, D in enumerate(move))
        for layer in range(depth)
    ]
    found = [gradients.compare(line, direction) for direction in (*alone, move)]
    series = {
        "exact, from values of the loss": np.array([slopes.measured for slopes in found]),
        "by the chain rule": np.array([slopes.predicted for slopes in found]),
    }
    # a line within the solutions has no loss to compare with
    places = np.array([k for k, slopes in enumerate(found, 1) if np.isfinite(slopes.error)])
    apart, error = (
        np.array([getattr(found[k - 1], name) for k in places]) for name in ("margin", "error")
    )
    panels = (
        titled(
            _moved(partial(plotting.spectra, series, ylabel="slope"), depth),
            "Slope of the loss along the line",
        ),
        titled(
            _moved(partial(plotting.deviation, places, -apart, error, discrete=True), depth),
            "Deviation of the slope",
        ),
    )
    title = _setting(line.recovery, depth, line.width)
    return Sketch(title, panels, found[-1].margin, found[-1].error)


def _moved(panel: Callable[[Any], Any], depth: int) -> Callable[[Any], Any]:
    """A panel over the layers that move, each alone and then all."""

    def drawn(ax: Any) -> None:
        panel(ax)
        names = [*map(str, range(1, depth + 1)), "all"]
        ax.set_xticks(np.arange(1, depth + 2), names)
        ax.set_xlim(0.5, depth + 1.5)
        ax.set_xlabel("layer that moves")

    return drawn
