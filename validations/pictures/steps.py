"""Sketches of the claims about matrices and about gradient descent, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from dlnlab import networks, plotting, problems
from dlnlab.claims import corollary1 as corollary1_claim
from dlnlab.claims import lemma1 as lemma1_claim
from dlnlab.claims import theorem1 as theorem1_claim
from dlnlab.lab.cases import Case
from dlnlab.lab.picture import Sketch, setting, titled
from dlnlab.numerics import spectra

from .. import lemma1, parsimony, theorem1

__all__ = [
    "DISTANCE",
    "STEPS",
    "sketch_corollary1",
    "sketch_lemma1",
    "sketch_parsimony",
    "sketch_residual",
    "sketch_residual_scalar",
    "sketch_step_size",
    "sketch_theorem1",
]

STEPS = "step"
DISTANCE = "squared Frobenius norm"


def sketch_lemma1(witness: Mapping[str, Any]) -> Sketch:
    """Draw both spectra, and both distances.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    A, B = lemma1.pair(witness)
    first, second = spectra.singular_values(A), spectra.singular_values(B)
    parts = [
        (r"$\Vert A-B\Vert_F^2$", float(np.sum((A - B) ** 2))),
        (r"$\Vert\Sigma_A-\Sigma_B\Vert_F^2$", float(np.sum((first - second) ** 2))),
    ]
    panels = (
        titled(partial(plotting.spectra, {"of $A$": first, "of $B$": second}), "Both spectra"),
        titled(partial(plotting.sides, parts, xlabel=DISTANCE), "Both distances"),
    )
    rows, columns = A.shape
    kind = f", {witness['kind']}" if "kind" in witness else ""
    return Sketch(
        f"A pair of {rows} × {columns} matrices{kind}",
        panels,
        float(lemma1_claim.margins(A, B)),
        lemma1_claim.rounding(A.shape),
    )


def sketch_corollary1(witness: Mapping[str, Any]) -> Sketch:
    """Draw singular values of both initial errors, and both sides of the exact form.

    ‖W − M*‖² = ‖W̃ − M*‖² + (d − r̂) ε^{2L} + ε^L Σ σ_i* ‖u_i* − Q v_i*‖², the last two terms being
    what the inequality leaves out.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    case = Case.from_witness(witness)
    target, start = case.target, case.eps**case.depth
    problem = problems.factorization(target)
    wide = networks.end_to_end(case.weights())
    narrow = networks.end_to_end(
        networks.compressed_weights(problem, case.r_hat, case.depth, case.eps)
    )
    series = {
        "$W(0)-M^{\\ast}$": spectra.singular_values(wide - target),
        "$\\widetilde W(0)-M^{\\ast}$": spectra.singular_values(narrow - target),
    }
    spare = min(case.shape) - case.r_hat
    turned = 2 * float(start * np.sum(np.linalg.svdvals(target)) - np.sum(wide * target))
    told = float(np.sum((narrow - target) ** 2)) + spare * start**2 + turned
    parts = [
        (r"$\Vert W-M^{\ast}\Vert_F^2$", float(np.sum((wide - target) ** 2))),
        (
            r"$\Vert\widetilde W-M^{\ast}\Vert_F^2+(d-\hat r)\varepsilon^{2L}$"
            "\n"
            r"$+\,\varepsilon^L\Sigma_i\,\sigma_i^{\ast}\Vert u_i-Qv_i\Vert^2$",
            told,
        ),
    ]
    panels = (
        titled(partial(plotting.spectra, series), "Singular values of both errors"),
        titled(partial(plotting.sides, parts, xlabel=DISTANCE), "Both distances at the start"),
    )
    margin = float(corollary1_claim.margins(target, wide, narrow, start, case.r_hat))
    return Sketch(
        setting(case), panels, margin, corollary1_claim.rounding(case.shape[0], case.depth)
    )


def _descent(witness: Mapping[str, Any]) -> dict[str, float]:
    """How gradient descent ran."""
    return {name: float(witness[name]) for name in ("eta", "alpha", "weight_decay")}


def _steps(witness: Mapping[str, Any]) -> str:
    """The same for a title."""
    decay = witness["weight_decay"]
    return rf", $\alpha={witness['alpha']:g}$" + (rf", $\mu={decay:.3g}$" if decay else "")


def sketch_theorem1(witness: Mapping[str, Any]) -> Sketch | None:
    """Draw the recursion and gradient descent, step by step; None if it diverged.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch or None
    """
    case = Case.from_witness(witness)
    run = theorem1.descend(case, **_descent(witness))
    margin = theorem1_claim.margins(run.matrices, run.left, run.values, run.right)
    if not np.isfinite(margin).all():
        return None
    steps = np.arange(len(margin))
    labels = ("recursion", "gradient descent")
    return Sketch(
        setting(case, _steps(witness)),
        (
            titled(
                partial(
                    plotting.families, steps, run.values, run.diagonal, labels=labels, xlabel=STEPS
                ),
                "Values of the compressed network",
            ),
            titled(
                partial(plotting.deviation, steps, -margin, run.error, xlabel=STEPS),
                "Distance of both matrices",
            ),
        ),
        float(np.min(margin)),
        run.error,
    )


def sketch_residual(witness: Mapping[str, Any]) -> Sketch:
    """Draw β(t)^L, and what it loses per step.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    case = Case.from_witness(witness)
    run = theorem1.descend(case, **_descent(witness))
    residual, start = run.diagonal[:, case.rank :], case.eps**case.depth
    predicted, steps = run.values[:, case.rank :], np.arange(len(residual))
    drops = np.min(residual[:-1] - residual[1:], axis=1) / start
    error = 2 * theorem1.residual_error(case, run)
    labels = ("recursion", "gradient descent")
    options: dict[str, Any] = {"labels": labels, "xlabel": STEPS, "ylabel": r"$\beta^L$"}
    band = np.full(drops.shape, error)

    def panel(ax: Any) -> None:
        plotting.signed_margin(steps[1:], drops, band, ax)
        ax.set_xlabel(STEPS)
        ax.set_ylabel(r"$(\beta(t-1)^L-\beta(t)^L)/\varepsilon^L$")

    panels = (
        titled(
            partial(plotting.families, steps, predicted, residual, **options), "Residual directions"
        ),
        titled(panel, "What they lose per step"),
    )
    margin = float(np.min(theorem1_claim.residual_margins(residual)))
    return Sketch(setting(case), panels, margin, error)


def sketch_step_size(witness: Mapping[str, Any]) -> Sketch:
    """Draw the multiplier of one step next to σ*, and 1 − 2θ.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    case, share = Case.from_witness(witness), float(witness["share"])
    _, before, after = theorem1.step_next_to(case, share)
    fixed = case.spectrum[0]
    measured = (after - fixed) / (before - fixed)
    margin = theorem1_claim.multiplier_margins(before, after, np.asarray(fixed), np.asarray(share))
    error = theorem1.step_error(case.depth)
    index = np.arange(1, len(measured) + 1)
    series = {"measured": measured, r"$1-2\theta$": np.full(measured.shape, 1 - 2 * share)}
    ylabel = r"multiplier $(\tilde\sigma^+-\sigma^{\ast})/(\tilde\sigma-\sigma^{\ast})$"
    panels = (
        titled(partial(plotting.spectra, series, ylabel=ylabel), "One step next to the target"),
        titled(
            partial(plotting.deviation, index, -margin, error, xlabel="index $i$", discrete=True),
            "Deviation of the multiplier",
        ),
    )
    extra = rf", step of $\theta={share:.3g}$ of the largest"
    return Sketch(setting(case, extra), panels, float(np.min(margin)), error)


def sketch_parsimony(witness: Mapping[str, Any]) -> Sketch:
    """Draw the full and the reduced network, step by step.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    case = Case.from_witness(witness)
    run = parsimony.descend(case, **_descent(witness))
    full, lifted = (
        spectra.singular_values(networks.prefix_products(layers)[-1])
        for layers in (run.full, run.lifted)
    )
    gaps = [np.linalg.norm(W - V, axis=(-2, -1)) for W, V in zip(run.full, run.lifted, strict=True)]
    size = max(float(np.max(np.linalg.norm(W, axis=(-2, -1)))) for W in run.full)
    apart = np.max(gaps, axis=0) / size
    steps, labels = np.arange(apart.size), ("reduced", "full")
    panels = (
        titled(
            partial(plotting.families, steps, lifted, full, labels=labels, xlabel=STEPS),
            "Singular values of the wide network",
        ),
        titled(
            partial(plotting.deviation, steps, apart, run.error, xlabel=STEPS),
            "Largest distance of a layer",
        ),
    )
    return Sketch(setting(case, _steps(witness)), panels, -float(np.max(apart)), run.error)


def sketch_residual_scalar(witness: Mapping[str, Any]) -> Sketch:
    """Draw ρ_l, and ρ_l predicted from the step before.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    case = Case.from_witness(witness)
    run = parsimony.descend(case, **_descent(witness))
    now = run.scalars[:-1]
    others = np.stack([np.delete(now, k, axis=1).prod(axis=1) for k in range(case.depth)], axis=1)
    predicted = np.vstack(
        [run.scalars[:1], now * (1 - run.steps * (witness["weight_decay"] + others**2))]
    )
    apart = np.max(np.abs(run.scalars - predicted) / run.scalars[0], axis=1)
    error, steps = parsimony.scalar_error(case.depth), np.arange(len(apart))
    labels = ("from the step before", "reduced network")
    options: dict[str, Any] = {
        "labels": labels,
        "xlabel": STEPS,
        "ylabel": r"$\rho_l$",
        "each": "layer $l$",
    }
    panels = (
        titled(
            partial(plotting.families, steps, predicted, run.scalars, **options),
            "The scalar of each layer",
        ),
        titled(
            partial(plotting.deviation, steps[1:], apart[1:], error, xlabel=STEPS),
            "Defect of the recursion",
        ),
    )
    return Sketch(setting(case, _steps(witness)), panels, -float(np.max(apart)), error)
