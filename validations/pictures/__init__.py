"""The worst instance of a claim drawn: what stands on both sides, and the margin with its error.

A witness names everything its instance is made of, so the instance is built and run again here, and
the drawn margin is that of the verdict (of a batch of flows, to within their numerical error).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from dlnlab import plotting
from dlnlab.claims import CLAIMS
from dlnlab.lab.picture import Sketch

from . import compression, descents, flows, recoveries, steps, vectors

__all__ = ["MAKERS", "SHARED", "Sketch", "draw", "draws", "message", "sketch"]

MAKERS: dict[tuple[str, str | None], Callable[[Mapping[str, Any]], Sketch | None]] = {
    ("lemma1", None): steps.sketch_lemma1,
    ("corollary1", None): steps.sketch_corollary1,
    ("theorem1", None): steps.sketch_theorem1,
    ("theorem1", "beta decreases"): steps.sketch_residual,
    ("theorem1", "step size"): steps.sketch_step_size,
    ("closed_form", None): flows.sketch_closed_form,
    ("closed_form", "fitting time"): flows.sketch_fitting_time,
    ("parsimony", None): steps.sketch_parsimony,
    ("parsimony", "residual scalar"): steps.sketch_residual_scalar,
    ("proposition1", "velocities"): flows.sketch_proposition1,
    ("proposition1", "differencing"): flows.sketch_differencing,
    ("proposition1_vectors", "velocities"): vectors.sketch_velocities,
    ("proposition1_vectors", "differencing"): vectors.sketch_differencing,
    ("assumption1", None): flows.sketch_assumption1,
    ("dominance", None): flows.sketch_dominance,
    ("dominance", "adversary"): flows.sketch_adversary,
    ("closed_form_plane", None): descents.sketch_plane,
    ("generally_c_vec_0", None): flows.sketch_assumption1,
    ("eq26", None): descents.sketch_eq26,
    ("dominance_descent", None): partial(descents.sketch_descent, kind="dominance"),
    ("dominance_descent", "registered"): partial(
        descents.sketch_registered_descent, kind="dominance"
    ),
    ("theorem2", None): partial(flows.sketch_theorem2, form="exact"),
    ("eq13_compressing", None): flows.sketch_theorem2,
    ("eq13_any_start", None): flows.sketch_theorem2,
    ("eq13_large_start", None): flows.sketch_theorem2,
    ("eq13_small_c_vec", None): descents.sketch_small_c_vec,
    ("eq13_descent", None): descents.sketch_descent,
    ("eq13_descent", "registered"): descents.sketch_registered_descent,
    ("eq13_half_step", None): descents.sketch_descent,
    ("theorem2_any_eps", None): partial(flows.sketch_theorem2, form="any ε"),
    ("theorem2_refined", None): partial(flows.sketch_theorem2, form="refined"),
    ("theorem2_sharp", None): partial(flows.sketch_theorem2, form="sharp"),
    ("gauge", "iterates"): recoveries.sketch_gauge,
    ("gauge", "loss"): recoveries.sketch_loss,
    ("gradients", None): recoveries.sketch_gradients,
    ("group_lasso_fits", None): compression.sketch_fits,
    ("group_lasso_columns", None): compression.sketch_columns,
    ("empty_columns", "curvature"): compression.sketch_empty,
    ("empty_columns", "pruned"): compression.sketch_empty,
    ("empty_columns", "descent"): compression.sketch_empty,
    ("haar_columns", None): compression.sketch_haar,
    ("fine_tuning_rate", "hessian"): compression.sketch_rate,
    ("fine_tuning_rate", "descent"): compression.sketch_rate,
    ("fine_tuning_rate", "pruned"): compression.sketch_rate,
    ("thresholding_descent", None): compression.sketch_descent,
    ("thresholding_fixed_points", None): compression.sketch_fixed,
    ("thresholding_converges", None): compression.sketch_end,
    ("thresholding_recovers", None): compression.sketch_stuck,
}
"""How an instance of a claim is drawn that shares its picture with others, or has parts of another
kind.  Any other validation may have a function `sketch` of its own."""

SHARED = {claim for claim, _ in MAKERS}


def draw(claim: str, witness: Mapping[str, Any]) -> Any:
    """Draw the instance that a verdict's witness describes.

    Parameters
    ----------
    claim : str
        Name of the claim.
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    matplotlib.figure.Figure or None
        None for a claim that has no picture, or a witness that describes no finite instance.
    """
    found = sketch(claim, witness)
    if found is None or not np.isfinite([found.margin, found.error]).all():
        return None
    told = message(found.margin, found.error)
    if len(found.panels) == 1:  # a narrow figure
        told = told.replace(": ", ":\n")
    return plotting.arrange(found.panels, f"{told}\n{found.title}")


def message(margin: float, error: float) -> str:
    """Return what a picture says, in one line.

    Parameters
    ----------
    margin, error : float

    Returns
    -------
    str

    Examples
    --------
    >>> message(-0.156, 2e-14)
    'Fails here: margin −0.156, numerical error 2e−14'
    >>> message(-7.77e-16, 1e-9)
    'Holds here to within the numerical error 1e−09: margin −7.77e−16'
    >>> message(0.25, 1e-9)
    'Holds here by 0.25, numerical error 1e−09'
    """
    value, bound = (text.replace("-", "−") for text in (f"{margin + 0.0:.3g}", f"{error:.2g}"))
    if margin < -error:
        return f"Fails here: margin {value}, numerical error {bound}"
    if margin <= error:
        return f"Holds here to within the numerical error {bound}: margin {value}"
    return f"Holds here by {value}, numerical error {bound}"


def draws(claim: str) -> bool:
    """Tell whether instances of a claim can be drawn.

    Parameters
    ----------
    claim : str
        Name of the claim.

    Returns
    -------
    bool
    """
    return claim in SHARED or _own(claim) is not None


def _own(claim: str) -> Any:
    """Return the function `sketch` of a claim's validation, None if there is none."""
    if claim not in CLAIMS:
        return None
    return getattr(import_module(f"dlnlab.validations.{claim}"), "sketch", None)


def sketch(claim: str, witness: Mapping[str, Any]) -> Sketch | None:
    """Build and run the instance again; None where there is nothing to draw.

    Parameters
    ----------
    claim, witness
        As for `draw`.

    Returns
    -------
    Sketch or None
    """
    maker = MAKERS.get((claim, witness.get("part"))) if claim in SHARED else _own(claim)
    return None if maker is None else maker(witness)
