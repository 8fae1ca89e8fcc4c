"""Sketches of the claims about gradient descent with large steps, and of those in closed form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from dlnlab import plotting
from dlnlab.claims import closed_form as closed_form_claim
from dlnlab.claims import eq26 as eq26_claim
from dlnlab.lab import descents, witnesses
from dlnlab.lab.cases import Case
from dlnlab.lab.picture import Sketch, setting, titled
from dlnlab.numerics import spectra
from dlnlab.reductions import modes

from .. import (
    closed_form_plane,
    dominance_descent,
    eq13_descent,
    eq13_small_c_vec,
    eq26,
)

__all__ = [
    "BOTH",
    "ELAPSED",
    "SIDES",
    "sketch_descent",
    "sketch_eq26",
    "sketch_plane",
    "sketch_registered_descent",
    "sketch_small_c_vec",
]

BOTH = (r"compressed, $\tilde\sigma_i$", r"original, $\sigma_i$")
ELAPSED = r"$\eta\,\times$ step"
SIDES = {
    "inequality": (
        eq13_descent.sides,
        r"Margin $\Vert W-M^{\ast}\Vert^2-\Vert\widetilde W-M^{\ast}\Vert^2$",
        r"margin$/\Vert M^{\ast}\Vert_F^2$",
    ),
    "dominance": (
        dominance_descent.sides,
        r"Margin, least $\tilde\sigma_i-\sigma_i$",
        r"margin$/\sigma_1^{\ast}$",
    ),
}
"""For each kind of margin how it is measured, its title and its label."""


def sketch_descent(witness: Mapping[str, Any], kind: str = "inequality") -> Sketch:
    """Draw σ_i and σ̃_i step by step, and the margin of Eq. (13) or of dominance.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.
    kind : {"inequality", "dominance"}, optional
        Which margin.

    Returns
    -------
    Sketch
    """
    found, start = descents.from_witness(witness), int(witness["start"])
    run, (sides, title, label) = found.run, SIDES[kind]
    margins, errors = (part[:, start] for part in sides(found))
    count = run.values.shape[-1]
    idle = np.repeat(run.residual[:, None], count - run.modes.shape[1], axis=1)
    leading = -np.sort(-np.hstack([run.modes, idle]), axis=1)
    values = partial(
        plotting.families, run.times, leading, run.values[:, start], labels=BOTH, xlabel=ELAPSED
    )
    batch = found.batch
    name = (
        rf"$d={batch.d}$, $r={len(batch.spectrum)}$, $L={batch.depth}$, "
        rf"$\varepsilon^L/\sigma_r^{{\ast}}={batch.ratio:.3g}$, "
        rf"$\eta={batch.step:.4g}\,\eta_{{\max}}$"
    )
    panel = _margin(run.times, margins, errors, title, label, ELAPSED, witness)
    k = int(np.argmin(margins + errors))
    panels = (titled(values, "Singular values"), panel)
    return Sketch(name, panels, float(margins[k]), float(errors[k]))


def sketch_registered_descent(witness: Mapping[str, Any], kind: str = "inequality") -> Sketch:
    """Draw the registered instance, for twice as many steps as its witness has.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.
    kind : {"inequality", "dominance"}, optional
        Which margin.

    Returns
    -------
    Sketch
    """
    run, at = witnesses.descent(witness), int(witness["time"])
    _, title, label = SIDES[kind]
    sides = {"inequality": eq13_descent, "dominance": dominance_descent}[kind].registered_sides
    margins, errors = sides(witness)
    count = np.arange(margins.size)
    shown = partial(
        plotting.families,
        count,
        -np.sort(-run.compressed, axis=1),
        spectra.singular_values(run.original),
        labels=BOTH,
        xlabel="step",
    )
    panels = (
        titled(shown, "Singular values"),
        _margin(count, margins, errors, title, label, "step", witness),
    )
    name = setting(Case.from_witness(witness), rf", $\eta={float(witness['eta']):.4g}$")
    return Sketch(name, panels, float(margins[at]), float(errors[at]))


def sketch_plane(witness: Mapping[str, Any]) -> Sketch:
    """Draw the original flow in two dimensions, in closed form and as integrated.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    angle, eps, sigma = (float(witness[name]) for name in ("angle", "eps", "sigma"))
    times, found, accuracy = closed_form_plane.integrate(np.array([angle]), eps, sigma)
    formula = closed_form_claim.plane_flow(times, sigma, eps, angle)
    margin, error = closed_form_plane.sides(times, found[:, 0], accuracy[:, 0], angle, eps, sigma)
    values = partial(
        plotting.families,
        times,
        np.linalg.svdvals(formula),
        np.linalg.svdvals(found[:, 0]),
        labels=("closed form", "integrated"),
    )
    at = float(witness["time"])
    panels = (
        titled(values, "Singular values"),
        titled(partial(plotting.deviation, times, -margin, error, at=at), "Distance of both"),
    )
    k = int(np.argmin(margin + error))
    return Sketch(_plane(sigma, eps, angle), panels, float(margin[k]), float(error[k]))


def sketch_small_c_vec(witness: Mapping[str, Any]) -> Sketch:
    """Draw both recovery errors once the vectors are within c_vec of the target's, and the margin.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    sigma, eps, angle = (float(witness[name]) for name in ("sigma", "eps", "angle"))
    at = float(witness["time"])
    times = np.union1d(at * np.linspace(0, 2, 200), [at])
    margin, error = eq13_small_c_vec.follow(times, sigma, eps, angle)
    goal = np.diag([sigma, 0.0])
    wide = np.linalg.norm(
        closed_form_claim.plane_flow(times, sigma, eps, angle) - goal, axis=(1, 2)
    )
    values = modes.flow(times, np.array([sigma, 0.0]), eps, 2)
    narrow = np.hypot(values[:, 0] - sigma, values[:, 1])
    _, title, label = SIDES["inequality"]
    k = int(np.flatnonzero(times == at)[0])
    name = _plane(sigma, eps, angle) + rf", $c_{{\rm vec}}={float(witness['c_vec']):.2g}$"
    panels = (
        partial(plotting.error_curves, times, wide, narrow),
        _margin(times, margin, error, title, label, "time $t$", witness),
    )
    return Sketch(name, panels, float(margin[k]), float(error[k]))


def sketch_eq26(witness: Mapping[str, Any]) -> Sketch:
    """Draw the compressed network's second value, which should wait until the first is fitted.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    targets, eps, depth = witness["spectrum"], float(witness["eps"]), int(witness["depth"])
    times, values = eq26.before(targets, eps, depth)
    margin = eq26_claim.margins(values, eps**depth, targets[1])
    waiting = np.full((times.size, 1), eps**depth)
    shown = partial(
        plotting.families,
        times,
        waiting,
        values[:, None],
        labels=("Eq. (26)", "compressed network"),
    )
    error = eq26.rounding(times, values, targets[1], depth)
    at = float(witness["time"])
    panels = (
        titled(shown, r"$\tilde\sigma_2$ until $\sigma_1$ is fitted"),
        titled(partial(plotting.deviation, times, -margin, error, at=at), "Deviation from waiting"),
    )
    name = (
        rf"$\sigma^{{\ast}}=({targets[0]:.4g},\ {targets[1]:.4g})$, $L={depth}$, "
        rf"$\varepsilon={eps:.4g}$"
    )
    return Sketch(name, panels, float(np.min(margin)), error)


def _plane(sigma: float, eps: float, angle: float) -> str:
    return (
        rf"$M^{{\ast}}={{\rm diag}}({sigma:.4g},\ 0)$, $L=2$, $\varepsilon={eps:.4g}$, "
        rf"$\theta={angle:.4g}$"
    )


def _margin(
    times: np.ndarray,
    margin: np.ndarray,
    error: np.ndarray,
    title: str,
    ylabel: str,
    xlabel: str,
    witness: Mapping[str, Any],
) -> Callable[[Any], None]:
    """A margin over time, with the place that the witness names."""

    def panel(ax: Any) -> None:
        plotting.signed_margin(times, margin, error, ax, at=float(witness["time"]))
        ax.set(title=title, xlabel=xlabel, ylabel=ylabel)

    return panel
