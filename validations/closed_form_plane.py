"""The original flow in closed form, L = 2, d = 2, r = 1, against its integration."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from dlnlab import problems
from dlnlab.claims import Premise, closed_form
from dlnlab.lab import search
from dlnlab.lab.cases import EPS
from dlnlab.lab.flows import RTOL, bounded_flow
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["CLOSER", "HUNTED", "RECORDS", "SUITE", "WAITS", "integrate", "sides"]

WAITS = 6.0
"""How long a flow is followed, in units of 1/σ after the compressed network has fitted."""

RECORDS = 40

CLOSER = 100.0
"""A deviation beyond the estimated error is looked at again with this much smaller a tolerance."""

HUNTED = st.tuples(
    st.floats(-3.1, 3.1), st.sampled_from((0.3, 0.1, 1.0, 2.0)), st.sampled_from((1.0, 0.2, 3.0))
)
"""θ, ε and σ."""


def integrate(
    angles: np.ndarray, eps: float, sigma: float, rtol: float = RTOL
) -> tuple[np.ndarray, ...]:
    """Integrate the original flow in the plane, from several rotations.

    Parameters
    ----------
    angles : array, shape (angles,)
        Of the start's rotations.
    eps : float
        Singular value ε of the starting layers.
    sigma : float
        The only singular value of the target.
    rtol : float, optional
        Tolerance of the integrator.

    Returns
    -------
    times : array, shape (records,)
    matrices : array, shape (records, angles, 2, 2)
    error : array, shape (records, angles)
        Bound on the Frobenius norm of the matrices' error.
    """
    c, s = np.cos(angles), np.sin(angles)
    turned = np.stack([np.stack([c, -s], -1), np.stack([s, c], -1)], -2)
    start = (np.broadcast_to(eps * np.eye(2), turned.shape), eps * turned)
    target = np.broadcast_to(np.diag([sigma, 0.0]), turned.shape)
    rise = max(np.log(sigma / eps**2), 0.0) / (2 * sigma)
    times = (rise + WAITS / sigma) * np.linspace(0, 1, RECORDS)[1:]
    return bounded_flow(problems.factorization(target), start, times, rtol=rtol)


def sides(
    times: np.ndarray,
    found: np.ndarray,
    accuracy: np.ndarray,
    angle: float,
    eps: float,
    sigma: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return −‖W − formula‖_F / max(σ, ε²) per record, and its error.

    Parameters
    ----------
    times : array, shape (records,)
    found : array, shape (records, 2, 2)
        The integrated matrices.
    accuracy : array, shape (records,)
        Bound on their error.
    angle : float
        Of the start's rotation.
    eps : float
        Singular value ε of the starting layers.
    sigma : float

    Returns
    -------
    margin, error : array, shape (records,)
    """
    scale = max(sigma, eps**2)
    formula = closed_form.plane_flow(times, sigma, eps, angle)
    # the formula loses what e^{−2σt} and tan(θ/2) lose to rounding
    slips = 16 * EPS * (1 + sigma * times) / abs(np.cos(angle / 2))
    margin = -np.linalg.norm(found - formula, axis=(-2, -1)) / scale
    return margin, accuracy / scale + slips


def _attack(tally: Tally, angles: np.ndarray, eps: float, sigma: float) -> float:
    """Count starts of one ε and σ, each judged by its worst record; return how bad they are."""
    times, found, accuracy = integrate(angles, eps, sigma)
    worst = -np.inf
    for k, angle in enumerate(angles):
        margin, error = sides(times, found[:, k], accuracy[:, k], float(angle), eps, sigma)
        if np.any(margin < -error):  # two runs only estimate an error
            _, again, tight = integrate(angles[k : k + 1], eps, sigma, RTOL / CLOSER)
            margin, error = sides(times, again[:, 0], tight[:, 0], float(angle), eps, sigma)
        n = int(np.argmin(margin + error))
        told = {"angle": float(angle), "eps": eps, "sigma": sigma, "time": float(times[n])}
        premises = [Premise("not a half turn", "θ ≠ π", float(abs(np.cos(angle / 2))) - 1e-8)]
        tally.add(float(margin[n]), float(error[n]), premises, told)
        worst = max(worst, float(-np.min(margin + error)))
    return worst


def _random(tally: Tally, task: Task) -> None:
    """Flows from uniformly random angles integrated by a Runge-Kutta method, with ε^L ≷ σ."""
    rng, batch = task.rng, 20
    for done in range(0, task.count, batch):
        angles = rng.uniform(-3.13, 3.13, min(batch, task.count - done))
        _attack(tally, angles, float(rng.uniform(0.05, 1.5)), float(rng.uniform(0.2, 3)))


def _climb(tally: Tally, task: Task) -> None:
    """A search for the largest deviation from the integrated flow."""

    def badness(point: tuple[float, float, float]) -> float:
        return _attack(tally, np.array([point[0]]), point[1], point[2])

    search.climb(HUNTED, badness, examples=task.count, seed=task.seed)


SUITE = Suite(
    closed_form.PLANE_CLAIM,
    {
        "random": Part(_random),
        "climb": Part(_climb, share=0.5, most=500, search=True),
    },
)


def test_closed_form_plane() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
