"""The worst instance of a claim drawn: what stands on both sides, and the margin with its error.

A witness names everything its instance is made of, so the instance is built and run again here, and
the drawn margin is that of the verdict (of a batch of flows, to within their numerical error).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from dlnlab import modes, networks, plotting, problems, spectra
from dlnlab.claims import closed_form as closed_form_claim
from dlnlab.claims import corollary1 as corollary1_claim
from dlnlab.claims import dominance as dominance_claim
from dlnlab.claims import lemma1 as lemma1_claim
from dlnlab.claims import proposition1 as proposition1_claim
from dlnlab.claims import theorem1 as theorem1_claim
from dlnlab.claims import theorem2 as theorem2_claim

from . import assumption1, closed_form, lemma1, parsimony, proposition1, theorem1
from .cases import Case
from .flows import Pair, flow_pairs

__all__ = ["Sketch", "draw", "sketch"]

STEPS = "step"
DISTANCE = "squared Frobenius norm"


class Sketch(NamedTuple):
    """A figure before it is laid out.

    Attributes
    ----------
    title : str
        Which instance it is.
    panels : tuple of callables
        Each draws into the Axes it is given.
    margin, error : float
        The worst margin drawn, and the bound on its numerical error.
    """

    title: str
    panels: tuple[Callable[[Any], Any], ...]
    margin: float
    error: float


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
    if found is None:
        return None
    measured = f"worst margin {found.margin + 0.0:.3g}, numerical error {found.error:.2g}"
    return plotting.arrange(found.panels, f"{found.title}\n{measured.replace('-', '−')}")


def sketch(claim: str, witness: Mapping[str, Any]) -> Sketch | None:
    """Build and run the instance again; None where there is nothing to draw.

    Parameters
    ----------
    claim, witness
        As for `draw`.
    """
    maker = MAKERS.get((claim, witness.get("part")))
    return None if maker is None else maker(witness)


def _titled(panel: Callable[[Any], Any], title: str) -> Callable[[Any], Any]:
    """A panel with a title."""

    def drawn(ax: Any) -> None:
        panel(ax)
        ax.set_title(title)

    return drawn


def _setting(case: Case, extra: str = "") -> str:
    """One line that says which instance it is."""
    rows, columns = case.shape
    return (
        rf"{rows} × {columns} target of rank {case.rank}, $L={case.depth}$, "
        rf"$\varepsilon={case.eps:.4g}$, $\hat r={case.r_hat}${extra}"
    )


def _descent(witness: Mapping[str, Any]) -> dict[str, float]:
    """How gradient descent ran."""
    return {name: float(witness[name]) for name in ("eta", "alpha", "weight_decay")}


def _steps(witness: Mapping[str, Any]) -> str:
    """The same for a title."""
    decay = witness["weight_decay"]
    return rf", $\alpha={witness['alpha']:g}$" + (rf", $\mu={decay:.3g}$" if decay else "")


def _lemma1(witness: Mapping[str, Any]) -> Sketch:
    A, B = lemma1.pair(witness)
    first, second = spectra.singular_values(A), spectra.singular_values(B)
    parts = [
        (r"$\Vert A-B\Vert_F^2$", float(np.sum((A - B) ** 2))),
        (r"$\Vert\Sigma_A-\Sigma_B\Vert_F^2$", float(np.sum((first - second) ** 2))),
    ]
    panels = (
        _titled(partial(plotting.spectra, {"of $A$": first, "of $B$": second}), "Both spectra"),
        _titled(partial(plotting.sides, parts, xlabel=DISTANCE), "Both distances"),
    )
    rows, columns = A.shape
    kind = f", {witness['kind']}" if "kind" in witness else ""
    return Sketch(
        f"A pair of {rows} × {columns} matrices{kind}",
        panels,
        float(lemma1_claim.margins(A, B)),
        lemma1_claim.rounding(A.shape),
    )


def _corollary1(witness: Mapping[str, Any]) -> Sketch:
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
    least = float(np.sum((narrow - target) ** 2)) + spare * start**2
    parts = [
        (r"$\Vert W-M^{\ast}\Vert_F^2$", float(np.sum((wide - target) ** 2))),
        (r"$\Vert\widetilde W-M^{\ast}\Vert_F^2+(d-\hat r)\varepsilon^{2L}$", least),
    ]
    panels = (
        _titled(partial(plotting.spectra, series), "Singular values of both errors"),
        _titled(partial(plotting.sides, parts, xlabel=DISTANCE), "Both distances at the start"),
    )
    margin = float(corollary1_claim.margins(target, wide, narrow, start, case.r_hat))
    return Sketch(
        _setting(case), panels, margin, corollary1_claim.rounding(case.shape[0], case.depth)
    )


def _theorem1(witness: Mapping[str, Any]) -> Sketch | None:
    case = Case.from_witness(witness)
    run = theorem1.descend(case, **_descent(witness))
    margin = theorem1_claim.margins(run.matrices, run.left, run.values, run.right)
    if not np.isfinite(margin).all():
        return None
    steps = np.arange(len(margin))
    labels = ("recursion", "gradient descent")
    return Sketch(
        _setting(case, _steps(witness)),
        (
            _titled(
                partial(
                    plotting.families, steps, run.values, run.diagonal, labels=labels, xlabel=STEPS
                ),
                "Values of the compressed network",
            ),
            _titled(
                partial(plotting.deviation, steps, -margin, run.error, xlabel=STEPS),
                "Distance of both matrices",
            ),
        ),
        float(np.min(margin)),
        run.error,
    )


def _residual(witness: Mapping[str, Any]) -> Sketch:
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
        _titled(
            partial(plotting.families, steps, predicted, residual, **options), "Residual directions"
        ),
        _titled(panel, "What they lose per step"),
    )
    margin = float(np.min(theorem1_claim.residual_margins(residual)))
    return Sketch(_setting(case), panels, margin, error)


def _step_size(witness: Mapping[str, Any]) -> Sketch:
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
        _titled(partial(plotting.spectra, series, ylabel=ylabel), "One step next to the target"),
        _titled(
            partial(plotting.deviation, index, -margin, error, xlabel="index $i$", discrete=True),
            "Deviation of the multiplier",
        ),
    )
    extra = rf", step of $\theta={share:.3g}$ of the largest"
    return Sketch(_setting(case, extra), panels, float(np.min(margin)), error)


def _closed_form(witness: Mapping[str, Any]) -> Sketch:
    case = Case.from_witness(witness)
    run = closed_form.integrate(case)
    margin = closed_form_claim.margins(run.matrices, run.left, run.values, run.right)
    measured = np.einsum("ik,tij,jk->tk", run.left, run.matrices, run.right)
    at, labels = float(witness["time"]), ("closed form", "integrated")
    panels = (
        _titled(
            partial(plotting.families, run.times, run.values, measured, labels=labels),
            "Values of the compressed network",
        ),
        _titled(
            partial(plotting.deviation, run.times, -margin, run.error, at=at),
            "Distance of both matrices",
        ),
    )
    return Sketch(_setting(case), panels, float(np.min(margin)), run.error)


def _fitting_time(witness: Mapping[str, Any]) -> Sketch:
    sigma, share, eps, depth = (witness[name] for name in ("sigma", "share", "eps", "depth"))
    time = float(modes.fitting_times([sigma], eps, depth, within=1 - share)[0])
    leading = closed_form_claim.leading_time(sigma, share, eps, depth)
    bound = closed_form_claim.rest_bound(sigma, share, depth)
    parts = [("bound on it", bound), ("the rest", time - leading)]
    return Sketch(
        rf"$\sigma^{{\ast}}={sigma:.4g}$, $\theta={share:.4g}$, $L={depth}$, "
        rf"$\varepsilon={eps:.4g}$" + f"\nleading term {leading:.4g}",
        (
            _titled(
                partial(plotting.sides, parts, xlabel="time beyond the leading term"),
                r"Time to reach $\theta\sigma^{\ast}$",
            ),
        ),
        closed_form_claim.time_margins(time, sigma, share, eps, depth),
        closed_form.time_error(eps**depth / (share * sigma)),
    )


def _parsimony(witness: Mapping[str, Any]) -> Sketch:
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
        _titled(
            partial(plotting.families, steps, lifted, full, labels=labels, xlabel=STEPS),
            "Singular values of the wide network",
        ),
        _titled(
            partial(plotting.deviation, steps, apart, run.error, xlabel=STEPS),
            "Largest distance of a layer",
        ),
    )
    return Sketch(_setting(case, _steps(witness)), panels, -float(np.max(apart)), run.error)


def _residual_scalar(witness: Mapping[str, Any]) -> Sketch:
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
        _titled(
            partial(plotting.families, steps, predicted, run.scalars, **options),
            "The scalar of each layer",
        ),
        _titled(
            partial(plotting.deviation, steps[1:], apart[1:], error, xlabel=STEPS),
            "Defect of the recursion",
        ),
    )
    return Sketch(_setting(case, _steps(witness)), panels, -float(np.max(apart)), error)


def _proposition1(witness: Mapping[str, Any]) -> Sketch:
    case = Case.from_witness(witness)
    run = proposition1.integrate([case])
    measured, formula, _ = proposition1_claim.sides(run.layers, run.gradient)
    margin, error = run.margins()[:, 0], run.error[:, 0]
    at, labels = float(witness["time"]), ("formula", "from the layers")
    options: dict[str, Any] = {"labels": labels, "ylabel": r"rate $\dot\sigma_i$", "at": at}
    panels = (
        _titled(
            partial(plotting.families, run.times, formula[:, 0], measured[:, 0], **options),
            "Rates of the singular values",
        ),
        _titled(
            partial(plotting.deviation, run.times, -margin, error, at=at), "Deviation of the rates"
        ),
    )
    k = int(np.argmin(margin + error))
    return Sketch(_setting(case), panels, float(margin[k]), float(error[k]))


def _differencing(witness: Mapping[str, Any]) -> Sketch | None:
    case = Case.from_witness(witness)
    found = proposition1.difference(case, float(witness["time"]))
    if found is None:
        return None
    index = np.arange(1, len(found.values) + 1)[found.simple]
    series = {"difference quotient": found.measured, "formula": found.predicted}
    margin, error = found.margin[found.simple], found.error[found.simple]
    panels = (
        _titled(
            partial(plotting.spectra, series, ylabel=r"rate $\dot\sigma_i$"),
            f"Rates at $t={found.time:.4g}$",
        ),
        _titled(
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
    return Sketch(_setting(case), panels, float(margin[k]), float(error[k]))


def _assumption1(witness: Mapping[str, Any]) -> Sketch:
    case = Case.from_witness(witness)
    c = assumption1.compare(case)
    names = (plotting.singular_values, plotting.alignments, plotting.c_val, plotting.c_vec)
    return Sketch(
        _setting(case),
        tuple(partial(panel, c) for panel in names),
        -c.constants()["c_vec"],
        assumption1.ERROR,
    )


def _dominance(witness: Mapping[str, Any]) -> Sketch:
    pair = _pair(witness)
    bound = pair.law.leading(pair.values.shape[1])
    margin = dominance_claim.margins(pair.values, bound) / pair.scale
    error = (pair.accuracy + pair.law.rounding()) / pair.scale
    labels = (r"compressed, $\tilde\sigma_i$", r"original, $\sigma_i$")
    values = partial(plotting.families, pair.times, bound, pair.values, labels=labels)
    told = (
        r"Margin, least $\tilde\sigma_i-\sigma_i$",
        r"margin$/\max(\sigma_1^{\ast},\varepsilon^L)$",
    )
    return _margin_sketch(pair, _titled(values, "Singular values"), margin, error, told, witness)


def _theorem2(witness: Mapping[str, Any], refined: bool = False) -> Sketch:
    pair = _pair(witness)
    case, size = pair.case, float(np.sum(pair.case.values**2))
    spare = case.r_hat - case.rank
    errors = pair.law.errors()
    if refined:
        margin = theorem2_claim.refined_margins(pair.errors, errors, spare, pair.law.residual)
        extra = r"+(\hat r-r)\beta^{2L}" if spare > 0 else ""
    else:
        margin, extra = theorem2_claim.margins(pair.errors, errors), ""
    both = partial(plotting.error_curves, pair.times, pair.errors, errors)
    difference = r"\Vert W-M^{\ast}\Vert^2-\Vert\widetilde W-M^{\ast}\Vert^2" + extra
    told = (f"Margin ${difference}$", r"margin$/\Vert M^{\ast}\Vert_F^2$")
    error = pair.margin_error() / size
    return _margin_sketch(pair, both, margin / size, error, told, witness)


def _pair(witness: Mapping[str, Any]) -> Pair:
    return flow_pairs([Case.from_witness(witness)])[0]


def _margin_sketch(
    pair: Pair,
    both: Callable[[Any], Any],
    margin: np.ndarray,
    error: np.ndarray,
    told: tuple[str, str],
    witness: Mapping[str, Any],
) -> Sketch:
    """Both flows, and a margin over time, of which `told` is the title and the label."""

    def panel(ax: Any) -> None:
        plotting.signed_margin(pair.times, margin, error, ax, at=witness.get("time"))
        ax.set_xlabel("time $t$")
        ax.set_title(told[0])
        ax.set_ylabel(told[1])

    k = int(np.argmin(margin + error))
    return Sketch(_setting(pair.case), (both, panel), float(margin[k]), float(error[k]))


MAKERS: dict[tuple[str, str | None], Callable[[Mapping[str, Any]], Sketch | None]] = {
    ("lemma1", None): _lemma1,
    ("corollary1", None): _corollary1,
    ("theorem1", None): _theorem1,
    ("theorem1", "beta decreases"): _residual,
    ("theorem1", "step size"): _step_size,
    ("closed_form", None): _closed_form,
    ("closed_form", "fitting time"): _fitting_time,
    ("parsimony", None): _parsimony,
    ("parsimony", "residual scalar"): _residual_scalar,
    ("proposition1", "velocities"): _proposition1,
    ("proposition1", "differencing"): _differencing,
    ("assumption1", None): _assumption1,
    ("dominance", None): _dominance,
    ("theorem2", None): _theorem2,
    ("theorem2_refined", None): partial(_theorem2, refined=True),
}
"""How an instance of a claim is drawn; some claims have parts of another kind."""
