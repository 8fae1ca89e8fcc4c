"""The rate of fine-tuning: the Hessian at U⋆, and the rate of descent with and without pruning."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dlnlab import compression, problems
from dlnlab.claims import Premise, pruning
from dlnlab.claims.pruning import EPS
from dlnlab.compression import penalty
from dlnlab.lab.faults import REFUTED, Fault
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["FAULTS", "PENALTY", "SMOOTHING", "STEPS", "SUITE", "judge", "measured", "spectrum"]

PENALTY, SMOOTHING, STEPS = 0.1, 1e-3, 2000


def _factor(told: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """U⋆, with orthogonal columns turned at random, its frame, and what draws on."""
    rng, sigma = np.random.default_rng(told["seed"]), np.array(told["sigma"])
    frame = np.linalg.qr(rng.standard_normal((told["shape"][0], len(sigma))))[0]
    turn = np.linalg.qr(rng.standard_normal((len(sigma), len(sigma))))[0]
    return frame * sigma @ turn, frame, rng


def spectrum(told: Mapping[str, Any]) -> np.ndarray:
    """Return the eigenvalues of the Hessian of ‖UUᵀ − M‖² at U⋆, by products with it.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    array, shape (d k,)
        In rising order.
    """
    U, _, _ = _factor(told)
    problem = problems.factorization(U @ U.T)
    basis = np.eye(U.size).reshape(-1, *U.shape)
    rows = [penalty.hessian_product(problem, U, D, None, None).ravel() for D in basis]
    return np.linalg.eigvalsh(np.stack(rows))


def measured(told: Mapping[str, Any]) -> tuple[float, float, int]:
    """Measure how fast fine-tuning converges next to a minimum.

    The part "descent" starts next to U⋆, 1e-3 away along the slowest direction and 1e-6 along all
    others (of those within the range of M, for such an instance); "pruned" starts from a network
    that was trained with the penalty and pruned.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    rate, eta : float
        The contraction per step, and the step size.
    columns : int
        k, of the network that is fine-tuned.  The penalty λ empties the column of a σ_i with
        8σ_i³/(3√3) < λ, since d/ds [(s² − σ_i²)² + λs] = 4s(s² − σ_i²) + λ is then positive at
        every norm s; a network in some hundred loses one so.
    """
    U, frame, rng = _factor(told)
    squares = np.array(told["sigma"]) ** 2
    problem = problems.factorization(U @ U.T)
    inside = told["in_range"]
    eta = told["step"] * pruning.largest_step(squares, in_range=inside)
    if told["part"] == "pruned":
        run = compression.group_lasso(
            problem, len(U), penalty=PENALTY, smoothing=SMOOTHING, eta=eta, num_steps=STEPS,
            rng=told["seed"], record=(), record_every=STEPS,
        )  # fmt: skip
        start = compression.prune(run.factor, np.sqrt(SMOOTHING))
    else:
        noise = rng.standard_normal(U.shape)
        slowest = frame[:, -1:] if inside else noise[:, :1] - frame @ (frame.T @ noise[:, :1])
        noise = frame @ (frame.T @ noise) if inside else noise
        along = frame[:, -1:].T @ U  # what turns the last eigenvector back into columns
        start = U + 1e-3 * slowest @ along / np.linalg.norm(along) + 1e-6 * noise
    rate = pruning.contraction(squares, eta, in_range=inside)
    steps = int(np.log(1e-7) / np.log(rate))  # the residual stays far above its rounding
    fine = compression.fine_tune(
        problem, start, eta=eta, num_steps=steps, record=("loss",), record_every=max(1, steps // 40)
    )
    return float(fine.rate), eta, start.shape[1]


def judge(told: Mapping[str, Any]) -> tuple[float, float, list[Premise]]:
    """Return minus the deviation from the claim, its error, and the premises k = r < d.

    Parameters
    ----------
    told : mapping
        The instance, as a witness names it.

    Returns
    -------
    margin, error : float
        The scale-free margin, and the bound on its numerical error.
    premises : list of Premise
    """
    d, squares = told["shape"][0], np.array(told["sigma"]) ** 2
    premises = [Premise("r < d", "r < d", float(d - len(squares) - 1))]
    if told["part"] == "hessian":
        apart = np.max(np.abs(spectrum(told) - pruning.curvatures(squares, d)))
        return -float(apart) / (8 * squares[0]), 100 * d * EPS, premises
    rate, eta, columns = measured(told)
    kept = "r columns are left"
    premises.append(Premise("k = r", kept, -float(abs(columns - len(squares)))))
    expected = pruning.contraction(squares, eta, in_range=told["in_range"])
    # next directions, a tenth or a hundredth of the loss at first, have died out to a thousandth
    return -abs(rate - expected) / (1 - expected), 1e-3, premises


def _told(rng: np.random.Generator, part: str) -> dict[str, Any]:
    r = int(rng.integers(1, 4))
    sigma = np.cumprod([1.2 * rng.uniform(0.8, 1.0), *rng.uniform(0.6, 0.85, r - 1)])
    return {
        "shape": (r + int(rng.integers(1, 4)), r),
        "sigma": sigma.tolist(),
        "step": float(rng.uniform(0.3, 0.9)),
        "in_range": part == "pruned" or bool(rng.random() < 0.5),
        "part": part,
        "seed": int(rng.integers(0, 2**31)),
    }


def _hessian(tally: Tally, task: Task) -> None:
    """All eigenvalues of the Hessian at U⋆O for random turns O."""
    _attack(tally, task, "hessian")


def _descent(tally: Tally, task: Task) -> None:
    """The rate of descent from next to U⋆O, within the range of M and out of it."""
    _attack(tally, task, "descent")


def _pruned(tally: Tally, task: Task) -> None:
    """The rate of fine-tuning after training with the penalty and pruning."""
    _attack(tally, task, "pruned")


def _attack(tally: Tally, task: Task, part: str) -> None:
    rng = task.rng
    for _ in range(task.count):
        told = _told(rng, part)
        margin, error, premises = judge(told)
        tally.add(margin, error, premises, told)


SUITE = Suite(
    pruning.RATE,
    {
        "hessian": Part(_hessian, share=0.5),
        "descent": Part(_descent, share=0.1),
        "pruned": Part(_pruned, share=0.05),
    },
)

FAULTS = (
    Fault("fine_tuning_rate", "one rate for both", REFUTED, pruning, "contraction",
          lambda right: lambda squares, eta, in_range: right(squares, eta, in_range=False)),
    Fault("fine_tuning_rate", "curvatures of the loss itself", REFUTED, pruning, "curvatures",
          lambda right: lambda squares, d: right(squares, d) / 2),
)  # fmt: skip


def test_fine_tuning_rate() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
