"""The group Lasso among exact fits: random frames, and frames next to r columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlnlab.claims import pruning
from dlnlab.claims.pruning import EPS
from dlnlab.compression import penalty
from dlnlab.lab.faults import REFUTED, Fault
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["FAULTS", "SUITE", "judge"]


def judge(told: Mapping[str, Any]) -> tuple[float, float]:
    """Return the margin of an exact fit, and the bound on its rounding.

    The squared singular values of U are those told to 10 d units of σ_1², so that √ of the least
    is to 10 d units of σ_1²/σ_r; the sums add k units.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    margin, error : float
        The scale-free margin, and the bound on its numerical error.
    """
    U, sigma, beta = np.array(told["factor"]), np.array(told["sigma"]), told["beta"]
    found = float(penalty.group_norm(U, beta))
    least = pruning.excess(U, sigma**2, beta)
    margin = pruning.fits_margin(found, least, sigma**2, beta)
    return margin, 20 * sum(U.shape) * EPS * float(sigma[0] / sigma[-1])


def _attack(tally: Tally, rng: np.random.Generator, *, near: bool) -> None:
    d, k = int(rng.integers(2, 6)), int(rng.integers(2, 8))
    r = int(rng.integers(1, min(d, k) + 1))
    sigma = np.sort(10.0 ** rng.uniform(-1.5, 0.5, r))[::-1]
    frame = np.linalg.qr(rng.standard_normal((d, r)))[0] * sigma
    mixed = rng.standard_normal((k, r))
    if near:
        places = np.eye(k)[:, rng.permutation(k)[:r]]
        mixed = places + 10.0 ** rng.uniform(-9, 0) * mixed * (rng.random() < 0.8)
    Q, R = np.linalg.qr(mixed)
    U = frame @ (Q * np.sign(np.diag(R))).T
    beta = 10.0 ** rng.uniform(-4, 1) if near or rng.random() < 0.7 else 0.0
    told = {"factor": U.tolist(), "sigma": sigma.tolist(), "beta": beta, "shape": (d, k)}
    tally.add(*judge(told), [], told)


def _random(tally: Tally, task: Task) -> None:
    """U⋆Q with random frames Q, with and without smoothing."""
    rng = task.rng
    for _ in range(task.count):
        _attack(tally, rng, near=False)


def _near(tally: Tally, task: Task) -> None:
    """U⋆Q with Q next to r unit vectors, or at them, where the norm is least."""
    rng = task.rng
    for _ in range(task.count):
        _attack(tally, rng, near=True)


SUITE = Suite(pruning.FITS, {"random": Part(_random), "near": Part(_near)})

FAULTS = (
    Fault("group_lasso_fits", "smoothing doubled", REFUTED, penalty, "group_norm",
          lambda right: lambda U, beta: right(U, 2 * beta)),
    Fault("group_lasso_fits", "norms for their squares", REFUTED, pruning, "penalty",
          lambda right: lambda s, beta: right(np.sqrt(s), beta)),
    Fault("group_lasso_fits", "twice the variance", REFUTED, pruning, "excess",
          lambda right: lambda *of: 8 * right(*of)),
)  # fmt: skip


def test_group_lasso_fits() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
