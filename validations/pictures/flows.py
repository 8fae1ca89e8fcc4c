"""Sketches of the claims about gradient flow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from dlnlab import plotting
from dlnlab.claims import closed_form as closed_form_claim
from dlnlab.claims import proposition1 as proposition1_claim
from dlnlab.lab import adversary, pairs
from dlnlab.lab.attack import Question
from dlnlab.lab.cases import Case
from dlnlab.lab.margins import MarginCurve
from dlnlab.lab.observed import Observed
from dlnlab.lab.picture import Sketch, setting, titled
from dlnlab.reductions import modes

from .. import (
    assumption1,
    closed_form,
    dominance,
    eq13_any_start,
    proposition1,
    theorem2,
    theorem2_any_eps,
    theorem2_refined,
    theorem2_sharp,
)

__all__ = [
    "BOTH",
    "DOMINANCE",
    "sketch_adversary",
    "sketch_assumption1",
    "sketch_closed_form",
    "sketch_differencing",
    "sketch_dominance",
    "sketch_fitting_time",
    "sketch_proposition1",
    "sketch_theorem2",
]


BOTH = (r"compressed, $\tilde\sigma_i$", r"original, $\sigma_i$")

DOMINANCE = (
    r"Margin, least $\tilde\sigma_i-\sigma_i$",
    r"margin$/\max(\sigma_1^{\ast},\varepsilon^L)$",
)
"""Title and label of the margin of dominance."""


def sketch_closed_form(witness: Mapping[str, Any]) -> Sketch:
    """Draw the compressed flow in closed form and as integrated.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    case = Case.from_witness(witness)
    run = closed_form.integrate(case)
    margin = closed_form_claim.margins(run.matrices, run.left, run.values, run.right)
    measured = np.einsum("ik,tij,jk->tk", run.left, run.matrices, run.right)
    at, labels = float(witness["time"]), ("closed form", "integrated")
    panels = (
        titled(
            partial(plotting.families, run.times, run.values, measured, labels=labels),
            "Values of the compressed network",
        ),
        titled(
            partial(plotting.deviation, run.times, -margin, run.error, at=at),
            "Distance of both matrices",
        ),
    )
    return Sketch(setting(case), panels, float(np.min(margin)), run.error)


def sketch_fitting_time(witness: Mapping[str, Any]) -> Sketch:
    """Draw how far a fitting time exceeds its leading term, and the bound on it.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    sigma, share, eps, depth = (witness[name] for name in ("sigma", "share", "eps", "depth"))
    time = float(modes.fitting_times([sigma], eps, depth, within=1 - share)[0])
    leading = closed_form_claim.leading_time(sigma, share, eps, depth)
    bound = closed_form_claim.rest_bound(sigma, share, depth)
    parts = [("bound on it", bound), ("the rest", time - leading)]
    return Sketch(
        rf"$\sigma^{{\ast}}={sigma:.4g}$, $\theta={share:.4g}$, $L={depth}$, "
        rf"$\varepsilon={eps:.4g}$" + f"\nleading term {leading:.4g}",
        (
            titled(
                partial(plotting.sides, parts, xlabel="time beyond the leading term"),
                r"Time to reach $\theta\sigma^{\ast}$",
            ),
        ),
        closed_form_claim.time_margins(time, sigma, share, eps, depth),
        closed_form.time_error(eps**depth / (share * sigma)),
    )


def sketch_proposition1(witness: Mapping[str, Any]) -> Sketch:
    """Draw σ̇_i by the formula, and from the layers' velocities.

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
    measured, formula, _ = proposition1_claim.sides(run.layers, run.gradient)
    margin, error = run.margins()[:, 0], run.error[:, 0]
    at, labels = float(witness["time"]), ("formula", "from the layers")
    options: dict[str, Any] = {"labels": labels, "ylabel": r"rate $\dot\sigma_i$", "at": at}
    panels = (
        titled(
            partial(plotting.families, run.times, formula[:, 0], measured[:, 0], **options),
            "Rates of the singular values",
        ),
        titled(
            partial(plotting.deviation, run.times, -margin, error, at=at), "Deviation of the rates"
        ),
    )
    k = int(np.argmin(margin + error))
    return Sketch(setting(case), panels, float(margin[k]), float(error[k]))


def sketch_differencing(witness: Mapping[str, Any]) -> Sketch | None:
    """Draw σ̇_i by the formula and by differencing; None if the flow diverged.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch or None
    """
    case = Case.from_witness(witness)
    found = proposition1.difference(case, float(witness["time"]))
    if found is None:
        return None
    index = np.arange(1, len(found.values) + 1)[found.simple]
    series = {"difference quotient": found.measured, "formula": found.predicted}
    margin, error = found.margin[found.simple], found.error[found.simple]
    panels = (
        titled(
            partial(plotting.spectra, series, ylabel=r"rate $\dot\sigma_i$"),
            f"Rates at $t={found.time:.4g}$",
        ),
        titled(
            partial(
                plotting.deviation,
                index,
                -margin,
                error,
                xlabel="index $i$ of the simple values",
                discrete=True,
            ),
            "Deviation of the rates",
        ),
    )
    k = int(np.argmin(margin + error))
    return Sketch(setting(case), panels, float(margin[k]), float(error[k]))


def sketch_assumption1(witness: Mapping[str, Any]) -> Sketch:
    """Draw the diagnostics of Assumption 1.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    case = Case.from_witness(witness)
    c = assumption1.compare(case)
    names = (plotting.singular_values, plotting.alignments, plotting.c_val, plotting.c_vec)
    return Sketch(
        setting(case),
        tuple(partial(panel, c) for panel in names),
        -c.constants()["c_vec"],
        assumption1.ERROR,
    )


def sketch_dominance(witness: Mapping[str, Any]) -> Sketch:
    """Draw σ_i and σ̃_i, and the least of their differences.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    curve, pair = _looked(dominance.QUESTION, witness)
    assert pair.full_width is not None  # it is a pair
    values = partial(
        plotting.families,
        pair.times,
        pair.full_width,
        pair.original.singular_values,
        labels=BOTH,
    )
    return _margin_sketch(curve, pair, titled(values, "Singular values"), DOMINANCE, witness)


def sketch_adversary(witness: Mapping[str, Any]) -> Sketch:
    """Draw σ_i and σ̃_i of the worst instance of a continuous climb.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    told = witness["instance"]
    rows = tuple(tuple(row) for row in told["turn"])
    instance = adversary.TurnedStart(tuple(told["spectrum"]), rows, told["depth"], told["eps"])
    curves = adversary.follow(instance, float(witness["horizon"]))
    margin = np.min(curves.compressed - curves.original, axis=-1)
    values = partial(
        plotting.families, curves.times, curves.compressed, curves.original, labels=BOTH
    )
    panel = _margin_panel(curves.times, margin, curves.error, DOMINANCE, witness)
    size = len(instance.spectrum)
    title = rf"{size} × {size} target, $L={instance.depth}$, $\varepsilon={instance.eps:.4g}$"
    k = int(np.argmin(margin + curves.error))
    panels = (titled(values, "Singular values"), panel)
    return Sketch(title, panels, float(margin[k]), float(curves.error[k]))


def sketch_theorem2(witness: Mapping[str, Any], form: str = "stated") -> Sketch:
    """Draw both recovery errors, and the margin of the inequality.

    In the "exact" form it is the distance of both sides, for aligned starts.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.
    form : str, optional
        "stated", "refined", "sharp", "any ε" or "exact".

    Returns
    -------
    Sketch
    """
    question, spare = {
        "exact": (theorem2.QUESTION, None),
        "stated": (eq13_any_start.QUESTION, lambda case: 0),
        "refined": (theorem2_refined.QUESTION, pairs.spare_rank),
        "sharp": (theorem2_sharp.QUESTION, theorem2_sharp.allowance),
        "any ε": (theorem2_any_eps.QUESTION, theorem2_any_eps.spare),
    }[form]
    curve, pair = _looked(question, witness)
    assert pair.compressed is not None  # it is a pair
    difference = r"\Vert W-M^{\ast}\Vert^2-\Vert\widetilde W-M^{\ast}\Vert^2"
    if spare is None:
        told = rf"$-\,|{difference}-(d-\hat r)\,\beta^{{2L}}|$"
    else:
        extra = spare(pair.case)
        told = f"Margin ${difference}" + (rf"{extra:+d}\,\beta^{{2L}}$" if extra else "$")
    both = partial(plotting.error_curves, pair.times, pair.original.errors, pair.compressed.errors)
    label = r"margin$/\Vert M^{\ast}\Vert_F^2$"
    return _margin_sketch(curve, pair, both, (told, label), witness)


def _looked(question: Question, witness: Mapping[str, Any]) -> tuple[MarginCurve, Observed]:
    also = (float(witness["time"]),) if "time" in witness else ()
    return replace(question, options={"also": also}).look(Case.from_witness(witness))


def _margin_sketch(
    curve: MarginCurve,
    pair: Observed,
    both: Callable[[Any], Any],
    told: tuple[str, str],
    witness: Mapping[str, Any],
) -> Sketch:
    """Both flows, and a margin over time."""
    panel = _margin_panel(curve.times, curve.margin, curve.error, told, witness)
    k = curve.worst
    numbers = float(curve.margin[k]), float(curve.error[k])
    return Sketch(setting(pair.case), (both, panel), *numbers)


def _margin_panel(
    times: np.ndarray,
    margin: np.ndarray,
    error: np.ndarray,
    told: tuple[str, str],
    witness: Mapping[str, Any],
) -> Callable[[Any], None]:
    """A margin over time; `told` is its title and its label."""

    def panel(ax: Any) -> None:
        plotting.signed_margin(times, margin, error, ax, at=witness.get("time"))
        ax.set_xlabel("time $t$")
        ax.set_title(told[0])
        ax.set_ylabel(told[1])

    return panel
