"""Pictures of compression: columns, curvatures, rates and laws, steps and ends of thresholding."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from dlnlab import plotting
from dlnlab.claims import pruning
from dlnlab.claims import thresholding as claim
from dlnlab.lab.picture import Sketch, titled
from dlnlab.lab.recoveries import Recovery

from .. import (
    empty_columns,
    fine_tuning_rate,
    group_lasso_columns,
    group_lasso_fits,
    haar_columns,
    thresholding_converges,
    thresholding_descent,
    thresholding_fixed_points,
    thresholding_recovers,
)

__all__ = [
    "SIZE",
    "sketch_columns",
    "sketch_descent",
    "sketch_empty",
    "sketch_end",
    "sketch_fits",
    "sketch_fixed",
    "sketch_haar",
    "sketch_rate",
    "sketch_stuck",
]

SIZE = r"$\|u_i\|$"


def _falling(values: Any) -> np.ndarray:
    return -np.sort(-np.asarray(values, dtype=float))


def _size(witness: Mapping[str, Any]) -> str:
    return " × ".join(map(str, witness["shape"]))


def _beside(title: str, ylabel: str, **series: Any) -> Any:
    """A panel of values side by side, by index."""
    named = {name.replace("_", " "): np.asarray(values) for name, values in series.items()}
    return titled(partial(plotting.spectra, named, ylabel=ylabel), title)


def sketch_fits(witness: Mapping[str, Any]) -> Sketch:
    """Draw column norms of an exact fit, next to those of the least group norm.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    norms = _falling(np.linalg.norm(np.array(witness["factor"]), axis=0))
    panel = _beside("Column norms", SIZE, exact_fit=norms, least_penalty=_falling(witness["sigma"]))
    title = rf"$U$ of {_size(witness)}, $\beta={witness['beta']:.3g}$"
    return Sketch(title, (panel,), *group_lasso_fits.judge(witness))


def sketch_columns(witness: Mapping[str, Any]) -> Sketch:
    """Draw squared column norms at the end of descent, next to the eigenvalues of M.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    end = group_lasso_columns.descend(witness)
    found = _falling(np.sum(end.factor**2, axis=0))
    panel = _beside(
        "Columns at the end of descent",
        r"$\|u_i\|^2$, $\sigma_i^2$",
        columns=found,
        target=np.array(witness["sigma"]) ** 2,
    )
    title = (
        rf"$U$ of {_size(witness)}, $\lambda={witness['lam']:.3g}$, $\beta={witness['beta']:.3g}$"
    )
    return Sketch(title, (panel,), min(end.parts.values()), end.error)


def sketch_empty(witness: Mapping[str, Any]) -> Sketch:
    """Draw curvatures of an empty column, by products with the Hessian and by the formula.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    M, U = np.array(witness["target"]), np.array(witness["factor"])
    left = np.linalg.eigvalsh(M - U @ U.T)
    expected = 2 * witness["lam"] / np.sqrt(witness["beta"]) - 4 * left[::-1]
    panel = _beside(
        "Curvatures of an empty column",
        "curvature",
        Hessian=empty_columns.curvatures(witness),
        formula=expected,
    )
    title = (
        rf"$U$ of {_size(witness)}, $\lambda={witness['lam']:.3g}$, $\beta={witness['beta']:.3g}$"
    )
    return Sketch(title, (panel,), *empty_columns.judge(witness))


def sketch_haar(witness: Mapping[str, Any]) -> Sketch:
    """Draw the law of a squared column norm over many runs, next to Haar's.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    found, rank, width = haar_columns.descend(witness), len(witness["sigma"]), witness["shape"][1]
    norms = np.sort(found.norms)
    shares = np.arange(1, norms.size + 1) / norms.size
    law = pruning.law_of_norms(rank, width).cdf(norms)
    panel = partial(
        plotting.families,
        norms,
        law[:, None],
        shares[:, None],
        labels=("Haar", "limits"),
        xlabel=r"$\|Qe_1\|^2$",
        ylabel="share of runs below",
    )
    margin, error, _ = haar_columns.judge(witness)
    title = rf"{norms.size} runs, $U$ of {_size(witness)}, rank {rank}"
    return Sketch(title, (titled(panel, "Columns without a penalty"),), margin, error)


def sketch_rate(witness: Mapping[str, Any]) -> Sketch:
    """Draw the Hessian's eigenvalues, or the contraction measured, next to the claim's.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    squares, d = np.array(witness["sigma"]) ** 2, witness["shape"][0]
    if witness["part"] == "hessian":
        found, expected = fine_tuning_rate.spectrum(witness), pruning.curvatures(squares, d)
        panel = _beside("The Hessian at a fit", "eigenvalue", Hessian=found, formula=expected)
    else:
        rate, eta, _ = fine_tuning_rate.measured(witness)
        left = 1 - pruning.contraction(squares, eta, in_range=witness["in_range"])
        panel = _beside("A step's contraction", "1 − rate", measured=[1 - rate], formula=[left])
    margin, error, _ = fine_tuning_rate.judge(witness)
    where = ", columns in the range of $M$" if witness["in_range"] else ""
    return Sketch(rf"$U$ of {_size(witness)}{where}", (panel,), margin, error)


def sketch_descent(witness: Mapping[str, Any]) -> Sketch:
    """Draw by how much each step lowers Φ beyond the bound.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    found = thresholding_descent.run(witness)
    margins = claim.fall_margins(found.phi, found.moved, found.alpha, found.curvature)
    margin, error = thresholding_descent.judge(witness)
    steps = np.arange(1, margins.size + 1)

    def panel(ax: Any) -> None:
        plotting.signed_margin(steps, margins, np.full(margins.shape, error), ax)
        ax.set_xlabel("steps")
        ax.set_ylabel(r"fall of $\Phi$ beyond the bound, over $\Phi_0$")

    return Sketch(
        f"{witness['rule']} rule, {witness['kind']}, {_size(witness)}",
        (titled(panel, "Every step"),),
        margin,
        error,
    )


def sketch_fixed(witness: Mapping[str, Any]) -> Sketch:
    """Draw singular values before and after a step.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    before, after = (
        np.linalg.svd(W, compute_uv=False)
        for W in (np.array(witness["matrix"]), thresholding_fixed_points.step(witness))
    )
    panel = _beside("One step of the hard rule", r"$\sigma_i$", before=before, after=after)
    margin, error = thresholding_fixed_points.judge(witness)
    return Sketch(f"{witness['kind']}, {_size(witness)}", (panel,), margin, error)


def sketch_end(witness: Mapping[str, Any]) -> Sketch:
    """Draw singular values of the end of a run and of its gradient, and the threshold.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    W, _, alpha, curvature = thresholding_converges.end(witness)
    G = Recovery.from_witness(witness).problem().gradient(W)
    lam = witness["lam"] * curvature
    limit = claim.threshold(lam, alpha) if witness["rule"] == "hard" else alpha * lam
    s, slopes = (np.linalg.svd(A, compute_uv=False) for A in (W, alpha * G))
    panel = _beside(
        "Where a run ends",
        "singular value",
        end=s,
        steps=slopes,
        threshold=np.full(s.shape, limit),
    )
    margin, error, _ = thresholding_converges.judge(witness)
    title = f"{witness['rule']} rule, {witness['kind']}, {_size(witness)}"
    return Sketch(title, (panel,), margin, error)


def sketch_stuck(witness: Mapping[str, Any]) -> Sketch:
    """Draw singular values of the end of a completion, next to those of the target.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    Sketch
    """
    end, M = thresholding_recovers.end(witness), np.array(witness["target"])
    panel = _beside(
        "Convergence is not recovery",
        r"$\sigma_i$",
        end=np.linalg.svd(end, compute_uv=False),
        target=np.linalg.svd(M, compute_uv=False),
    )
    margin, error, _ = thresholding_recovers.judge(witness)
    title = (
        rf"completion of rank 1, {_size(witness)}, $\lambda={witness['lam']:.3g}$, "
        rf"$\alpha={witness['eta']:.3g}$"
    )
    return Sketch(title, (panel,), margin, error)
