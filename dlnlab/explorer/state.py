"""What the explorer shows: a few numbers that say which comparison, its outcome, and its code.

The target is diagonal and only the first layer of the start is turned.  Nothing is lost: the flow
of orthogonal layers depends on the target's singular values and on the start in the coordinates of
its singular vectors alone (`dlnlab.claims.gauge`).  So an address shows the same on every machine,
whatever signs its LAPACK gives to singular vectors.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg

import dlnlab
from dlnlab import report
from dlnlab.flow import Comparison
from dlnlab.numerics import checks
from dlnlab.results import plain

__all__ = ["PARAMETERS", "RUN", "SIZE", "Shown", "Slider", "code", "comparison", "shown"]

SIZE = 20
"""Rows and columns of the target; the reduction leaves 2r + 1 of them to integrate."""

RUN: dict[str, Any] = {"rtol": 1e-10, "max_steps": 1500, "num_records": 200}
"""Accuracy that a picture cannot show more of, and steps that take half a second at most.  A run
that needs more ends there, and says so."""


class Slider(NamedTuple):
    """A number that can be chosen on the page, with its limits.

    Parameters
    ----------
    label : str
    low : float
    high : float
    step : float
    """

    label: str
    low: float
    high: float
    step: float
    """Of the slider; if it is 0, the slider is logarithmic."""


PARAMETERS = {
    "depth": Slider("L, layers", 2, 6, 1),
    "eps": Slider("ε, singular value of every layer at the start", 0.01, 0.5, 0),
    "rank": Slider("r, rank of the target", 1, 5, 1),
    "r_hat": Slider("r̂, width of the compressed network", 1, 10, 1),
    "spread": Slider("spectrum: σ₁*/σᵣ*, in equal ratios", 1, 10, 0.1),
    "misalignment": Slider("misalignment: largest angle from aligned, in degrees", 0, 180, 1),
    "seed": Slider("seed of the directions in which it is misaligned", 0, 999, 1),
}


@dataclass(frozen=True)
class Shown:
    """The comparison that is shown; each number lies between the limits in `PARAMETERS`.

    Attributes
    ----------
    depth, eps, rank, r_hat : numbers
        L, ε, r and r̂.
    spread : float
        σ_1*/σ_r*; σ_1* is 1 and neighbours have equal ratios.
    misalignment : float
        θ in degrees.  The start is ε^L Q with Q = exp(θS) in the coordinates of the target's
        singular vectors, S skew and ‖S‖₂ = 1: Q v_i* is at most θ away from u_i*.
    seed : int
        For S.

    Raises
    ------
    TypeError, ValueError
        If one is not a number between its limits.
    """

    depth: int = 3
    eps: float = 0.05
    rank: int = 3
    r_hat: int = 3
    spread: float = 3.0
    misalignment: float = 60.0
    seed: int = 0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            low, high = PARAMETERS[field.name][1:3]
            if isinstance(field.default, int):
                checks.integer(field.name, value, int(low), int(high))
            elif not low <= checks.number(field.name, value) <= high:
                raise ValueError(
                    f"`{field.name}` must be between {low:g} and {high:g}, got {value:g}"
                )


def comparison(state: Shown) -> Comparison:
    """Integrate both flows for the numbers chosen on the page.

    Parameters
    ----------
    state : Shown

    Returns
    -------
    Comparison
    """
    targets = np.geomspace(1, 1 / state.spread, state.rank)
    M = np.diag(np.concatenate([targets, np.zeros(SIZE - state.rank)]))
    A = np.random.default_rng(state.seed).standard_normal((SIZE, SIZE))
    S = (A - A.T) / np.linalg.norm(A - A.T, 2)
    Q = scipy.linalg.expm(np.radians(state.misalignment) * S)
    weights = [state.eps * Q, *[state.eps * np.eye(SIZE)] * (state.depth - 1)]
    c = dlnlab.compare(M, state.r_hat, depth=state.depth, eps=state.eps, weights=weights, **RUN)
    return replace(c, settings=c.settings | {"seed": state.seed})


def code(state: Shown) -> str:
    """Return a program that runs the same comparison and plots it.

    Parameters
    ----------
    state : Shown

    Returns
    -------
    str
    """
    options = ", ".join(f"{name}={value!r}" for name, value in RUN.items())
    return f"""\
import numpy as np
import scipy.linalg

import dlnlab

n, rank, depth, eps = {SIZE}, {state.rank}, {state.depth}, {state.eps!r}
targets = np.geomspace(1, 1 / {state.spread!r}, rank)
M = np.diag(np.concatenate([targets, np.zeros(n - rank)]))

# The start is turned away from the aligned one by {state.misalignment:g} degrees at most.
A = np.random.default_rng({state.seed}).standard_normal((n, n))
S = (A - A.T) / np.linalg.norm(A - A.T, 2)
Q = scipy.linalg.expm(np.radians({state.misalignment!r}) * S)
weights = [eps * Q, *[eps * np.eye(n)] * (depth - 1)]

c = dlnlab.compare(
    M, r_hat={state.r_hat}, depth=depth, eps=eps, weights=weights,
    {options},
)
print(c.summary())
c.plot().savefig("comparison.png")
"""


def shown(state: Shown) -> dict[str, Any]:
    """Return what the page shows, as JSON has it.

    Parameters
    ----------
    state : Shown

    Returns
    -------
    dict
        "state"; "times"; the singular values "original" (one beyond the rank) and "compressed", one
        row a mode; "fitting_times"; "targets"; "margin", "margin_error" and "bound", the refined
        theorem's −(r̂ − r) β^{2L}; "outcome", a fragment of HTML; "code".
    """
    c = comparison(state)
    return plain(
        {
            "state": asdict(state),
            "times": c.times,
            "original": np.asarray(c.original.singular_values).T[: state.rank + 1],
            "compressed": np.asarray(c.compressed.singular_values).T[: state.r_hat],
            "targets": c.targets,
            "fitting_times": c.fitting_times._asdict(),
            "margin": c.margin,
            "margin_error": c.margin_error,
            "bound": -max(state.r_hat - state.rank, 0) * c.residual**2,
            "outcome": report.comparison_html(c),
            "code": code(state),
        }
    )
