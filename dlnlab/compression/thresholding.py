"""Iterative singular value thresholding: a gradient step, then the proximal map of a rank penalty.

For Φ(W) = ℓ(W) + λ·p(W) with p the rank or the nuclear norm, and a step size α,

    W⁺ = prox_{αλp}(W − α∇ℓ(W)),    prox_{τp}(Y) = argmin_X τ p(X) + ½‖X − Y‖_F².

*The proximal maps.*  Both p depend on singular values only, and ‖X − Y‖_F² ≥ Σ (x_i − y_i)² for
singular values in decreasing order (von Neumann, Mirsky), with equality for X with the singular
vectors of Y.  So each value is mapped alone, y ↦ argmin_{x ≥ 0} τ p(x) + ½(x − y)²:

    hard (rank):          τ if x ≠ 0, so it is kept iff ½y² > τ:      y·[y > √(2τ)];
    soft (nuclear norm):  τx, whose derivative τ + x − y vanishes at  max(y − τ, 0).

*Why Φ falls.*  X = W⁺ minimizes τp(X) + ½‖X − W + α∇ℓ‖², so comparing with X = W,
λp(W⁺) + ⟨∇ℓ, ΔW⟩ + ‖ΔW‖²/(2α) ≤ λp(W); and ℓ(W⁺) ≤ ℓ(W) + ⟨∇ℓ, ΔW⟩ + (L_s/2)‖ΔW‖² if ∇ℓ is
L_s-Lipschitz (`Problem.curvature`).  Together Φ(W⁺) ≤ Φ(W) − ½(1/α − L_s)‖ΔW‖².

The scheme, and that it converges in training with a rank penalty, is Shumaylov et al. 2025;
derivations, schedules and conditions here are ours.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.compression.runs import Iteration
from dlnlab.networks import Weights
from dlnlab.networks.linear import check_network, check_problem
from dlnlab.numerics import arrays, checks, spectra
from dlnlab.numerics.arrays import Array
from dlnlab.problems import Problem
from dlnlab.training.trajectory import Trajectory

__all__ = ["RULES", "shrink", "singular_value_thresholding"]

RULES = ("hard", "soft")


def shrink(W: Array, amount: Any, rule: str = "hard") -> Array:
    """Return the proximal map of τ·rank ("hard") or τ·nuclear norm ("soft").

    Parameters
    ----------
    W : array, shape (..., d_out, d_in)
    amount : float or array, shape (...,)
        τ ≥ 0.
    rule : {"hard", "soft"}
        "hard" keeps singular values above √(2τ) as they are; "soft" lowers all by τ, to zero at
        least.

    Returns
    -------
    array, shape (..., d_out, d_in)

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> W = np.diag([3.0, 1.0])
    >>> dlnlab.compression.shrink(W, 0.5).tolist()
    [[3.0, 0.0], [0.0, 0.0]]
    >>> dlnlab.compression.shrink(W, 0.5, "soft").tolist()
    [[2.5, 0.0], [0.0, 0.5]]
    """
    W = checks.matrix("W", W)
    rule = checks.choice("rule", rule, RULES)
    amount = checks.per_member("amount", amount, zero=True)
    if np.ndim(amount):
        _check_batch(amount, W)
        amount = arrays.like(amount[..., None], W)
    return _shrunk(W, amount, rule)


def singular_value_thresholding(
    problem: Problem,
    weights: Any = None,
    *,
    penalty: Any,
    rule: str = "hard",
    eta: Any,
    num_steps: int,
    schedule: Sequence[float] = (1.0,),
    layer: int = 0,
    record_every: int | Sequence[int] = 1,
    record: Sequence[str] = ("loss", "error", "singular_values"),
    tol: float = 0.0,
    progress: Any = False,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 10.0,
) -> Trajectory:
    """Alternate a step of gradient descent with the proximal map of a penalty on the rank.

    Parameters
    ----------
    problem : Problem
    weights : array, or sequence of L arrays, optional
        Where it starts: a matrix of shape (..., d_out, d_in), which is then itself iterated; or a
        network (W_1, …, W_L), all of whose layers descend and one of which is thresholded.  By
        default the matrix of zeros.
    penalty : float or array
        λ ≥ 0, or one for each member of a batch.
    rule : {"hard", "soft"}
        "hard" penalizes λ·rank: singular values above √(2ηλ) are kept; "soft" penalizes λ times the
        nuclear norm: all are lowered by ηλ.
    eta : float or array
        Step size α.  For a matrix and α < 1/L_s, with L_s the problem's `curvature`, Φ = ℓ + λ·p
        falls by at least ½(1/α − L_s)‖ΔW‖² per step.
    num_steps : int
    schedule : sequence of numbers >= 0
        Factors on λ, the first at the start and the last at the end, linear in between: (0, 1)
        lowers the rank gradually, (1,) keeps λ.
    layer : int
        Which layer of a network is thresholded, from 0 on.
    record_every, record, tol, progress, checkpoint, checkpoint_every
        As in `dlnlab.gradient_descent`.  What is recorded as the loss is ℓ, without the penalty.

    Returns
    -------
    Trajectory
        Its `weights` are (W,) for a matrix.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.
    Interrupted
        On Ctrl-C, with what was recorded.

    Notes
    -----
    Convergence is not recovery: every matrix that fits the measurements and whose singular values
    exceed √(2ηλ) is a fixed point of the hard rule, whatever its rank (`proofs/thresholding.py`).

    Examples
    --------
    >>> import dlnlab
    >>> M = dlnlab.random_target((20, 15), 2, rng=0)
    >>> problem = dlnlab.completion(M, dlnlab.random_mask((20, 15), 0.7, rng=0))
    >>> run = dlnlab.compression.singular_value_thresholding(
    ...     problem, penalty=1e-3, rule="soft", eta=1.0, num_steps=2000
    ... )
    >>> int(sum(run.singular_values[-1] > 1e-9)), bool(run.errors[-1] < 0.1)
    (2, True)
    """
    check_problem(problem)
    rule = checks.choice("rule", rule, RULES)
    penalty = checks.per_member("penalty", penalty, zero=True)
    start = _start(problem, weights)
    layer = checks.integer("layer", layer, 0, len(start) - 1)
    num_steps = checks.integer("num_steps", num_steps, 0)
    factors = _factors(schedule, num_steps)
    length = num_steps if len(factors) > 1 else ""  # a longer run would have other factors
    told = f"{rule} thresholding of layer {layer}, {factors} {length}"
    iteration = Iteration(problem, start, told, {"penalty": penalty, "eta": eta})
    step = _Thresholded(iteration.spread(penalty), rule, layer, factors, num_steps)
    return iteration.run(
        step, num_steps, record_every, record, tol, progress, checkpoint, checkpoint_every
    )


class _Thresholded:
    """W_l ← W_l − α∇_l, and then the proximal map of one of them."""

    def __init__(
        self, penalty: Any, rule: str, layer: int, factors: tuple[float, ...], num_steps: int
    ) -> None:
        self.penalty, self.rule, self.layer = penalty, rule, layer
        self.factors, self.num_steps = factors, num_steps

    def __call__(self, problem: Problem, weights: Weights, eta: Any, step: int) -> Weights:
        prefixes, W = networks.forward(problem, weights)
        gradients = networks.backward(weights, prefixes, problem.gradient(W))
        moved = [W - eta * g for W, g in zip(weights, gradients, strict=True)]
        amount = eta * self.penalty * self._factor(step)
        amount = amount[..., 0] if arrays.is_array(amount) else amount
        moved[self.layer] = _shrunk(moved[self.layer], amount, self.rule)
        return tuple(moved)

    def besides(self, weights: Weights, members: int) -> int:
        """One SVD with what LAPACK needs, the factors of all, and two more matrices; in a batch
        another stack, which was found now and then."""
        rows, columns = weights[self.layer].shape[-2:]
        factors = (members - 1) * (rows + columns) * min(rows, columns)
        more = (2 + (members > 1)) * members
        return spectra.svd_numbers((rows, columns)) + factors + more * rows * columns

    def _factor(self, step: int) -> float:
        """Return the factor on λ in a step, numbered from 0 on; the last one has the last."""
        if len(self.factors) == 1:
            return self.factors[0]
        share = step / max(1, self.num_steps - 1)
        return float(
            np.interp(share * (len(self.factors) - 1), range(len(self.factors)), self.factors)
        )


def _shrunk(W: Array, amount: Any, rule: str) -> Array:
    """Return the proximal map; `amount` is a float or has an axis for singular values.

    A matrix that is no longer finite stays as it is, alone in its batch: its run then ends as
    diverged.
    """
    xp = arrays.namespace(W)
    finite = xp.all(xp.isfinite(W), axis=(-2, -1), keepdims=True)
    U, s, Vh = xp.linalg.svd(xp.where(finite, W, xp.zeros_like(W)), full_matrices=False)
    if rule == "soft":
        s = xp.maximum(s - amount, xp.zeros_like(s))
    else:
        s = xp.where(s**2 > 2 * amount, s, xp.zeros_like(s))
    return xp.where(finite, (U * s[..., None, :]) @ Vh, W)


def _start(problem: Problem, weights: Any) -> Weights:
    """Return the layers that are iterated: of a network, or one matrix."""
    if checks.is_sequence(weights):
        return check_network(problem, weights)
    if weights is None:
        return (arrays.like(np.zeros(problem.shape), problem.reference),)
    W = checks.matrix("weights", weights)
    arrays.namespace(problem.reference, W, names=("problem", "weights"))
    if tuple(W.shape[-2:]) != problem.shape:
        raise ValueError(
            f"`weights` must be a matrix of the problem's shape {problem.shape}, after any batch "
            f"axes, or the layers of a network, got shape {tuple(W.shape)}"
        )
    return (W,)


def _factors(schedule: Any, num_steps: int) -> tuple[float, ...]:
    """Return the factors on λ."""
    listed = checks.listed("schedule", schedule)
    listed = checks.sequence("schedule", listed, "numbers >= 0, factors on `penalty`")
    if not listed:
        raise ValueError("`schedule` must hold at least one number >= 0, got none")
    return tuple(checks.nonnegative("schedule", factor) for factor in listed)


def _check_batch(amount: np.ndarray, W: Array) -> None:
    batch = tuple(W.shape[:-2])
    if amount.shape != batch:
        raise ValueError(
            f"`amount` must be a number or an array of the batch shape {batch} of `W`, got "
            f"{checks.describe(amount)}"
        )
