"""Descent on one factor of a symmetric model W = U Uᵀ: group Lasso, and fine-tuning after pruning.

The network has two tied layers, W_1 = Uᵀ and W_2 = U; a step is U ← U − η ∇f(U) with the gradient
of `dlnlab.compression.penalty`.  The loop, its records and its checkpoints are those of
`dlnlab.gradient_descent`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.compression import penalty as smooth
from dlnlab.compression.runs import Iteration, checked_factor, checked_square
from dlnlab.networks import Weights
from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array
from dlnlab.problems import Problem
from dlnlab.training.trajectory import Trajectory

__all__ = ["RECORD", "FactorRun", "fine_tune", "group_lasso"]

RECORD = ("loss", "error", "singular_values")


class FactorRun(Trajectory):
    """The record of a descent on a factor; a `Trajectory` with weights (Uᵀ, U)."""

    @property
    def factor(self) -> Array:
        """U at the end, shape (..., d, k)."""
        return self.weights[1]

    @property
    def column_norms(self) -> Array:
        """‖u_i‖ at the end, shape (..., k)."""
        return smooth.column_norms(self.factor)

    @property
    def rate(self) -> Any:
        """Factor by which a step contracts the distance to the limit, measured; shape (...,).

        Along the slowest direction the loss falls as ℓ_n − ℓ_∞ ∝ ρ^{2n}, whatever ℓ_∞ is, and so do
        its differences between equally distant records.  ρ is read off the last two of these
        that stand out of rounding (10⁴ units of it); NaN where there are no two, or no losses.
        """
        if self.losses is None or len(self.steps) < 3:
            return np.full(np.shape(self.status), np.nan)[()]
        losses = arrays.to_host(self.losses)
        flat = losses.reshape(len(losses), -1)
        found = [_rate(self.steps, column) for column in flat.T]
        return np.array(found).reshape(losses.shape[1:])[()]


def _rate(steps: np.ndarray, losses: np.ndarray) -> float:
    """Return ρ from losses ∝ ℓ_∞ + ρ^{2n} after equally many steps each."""
    each = int(steps[1] - steps[0])
    losses = losses[: np.flatnonzero(np.diff(steps) == each)[-1] + 2]  # the last may be sooner
    falls = -np.diff(losses)
    clear = np.flatnonzero(~(falls > 1e4 * np.finfo(losses.dtype).eps * losses[1:]))
    falls = falls[: clear[0]] if clear.size else falls
    falls = falls[falls > 1e-20 * losses[0]]  # below, rounding of the residual itself shows
    return float((falls[-1] / falls[-2]) ** (0.5 / each)) if len(falls) > 1 else float("nan")


class _Penalized:
    """U ← U − η ∇f(U)."""

    def __init__(self, penalty: Any, smoothing: Any) -> None:
        self.penalty, self.smoothing = penalty, smoothing

    def __call__(self, problem: Problem, weights: Weights, eta: Any, step: int) -> Weights:
        U = weights[1]
        U = U - eta * smooth.gradient(problem, U, self.penalty, self.smoothing)
        return U.mT, U

    def besides(self, weights: Weights, members: int) -> int:
        return 2 * members * math.prod(weights[1].shape[-2:])


def group_lasso(
    problem: Problem,
    width: int,
    *,
    penalty: Any,
    smoothing: Any,
    eta: Any,
    num_steps: int,
    eps: float = 0.5,
    rng: np.random.Generator | int = 0,
    batch: tuple[int, ...] = (),
    factor: Array | None = None,
    record_every: int | Sequence[int] = 1,
    record: Sequence[str] = RECORD,
    tol: float = 0.0,
    progress: Any = False,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 10.0,
) -> FactorRun:
    """Run gradient descent on f(U) = 2ℓ(U Uᵀ) + λ R_β(U), the squared error with a group Lasso.

    This is the training stage of greedy pruning (Rajaraman et al. 2023): the penalty
    R_β(U) = Σ_i ‖u_i‖²/√(‖u_i‖² + β) empties all columns of U but as many as the target has rank.

    Parameters
    ----------
    problem : Problem
        Of square shape (d, d).
    width : int
        Columns of U, k ≥ 1.
    penalty : float or array
        λ ≥ 0, or one for each member of a batch; 0 is descent without a penalty.
    smoothing : float or array
        β > 0.
    eta : float or array
        Step size η > 0 on f: with ``normalization="sum"`` the curvature of f at a factor of a
        target with largest eigenvalue σ² is 8σ².
    num_steps : int
    eps : float
        Size of the start: U(0) has independent Gaussian entries, of standard deviation ε/√max(d,
        k), so that its singular values are of order ε.
    rng : numpy.random.Generator or int
    batch : tuple of ints
        Batch axes of independent starts.
    factor : array, shape (..., d, k), optional
        U(0) itself; `eps`, `rng` and `batch` are then not used.
    record_every, record, tol, progress, checkpoint, checkpoint_every
        As in `dlnlab.gradient_descent`.  What is recorded as the loss is ℓ, without the penalty.

    Returns
    -------
    FactorRun
        `run.factor` is U at the end.

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range, or the problem is not square.
    Interrupted
        On Ctrl-C, with what was recorded.

    Notes
    -----
    A zero column is unstable in direction v_i of a factorization target with eigenvalues σ_i² iff
    λ < 2σ_i²√β, and a column that is learned ends at ‖u_i‖² ≈ σ_i² − λ/(4σ_i) (ours).

    Examples
    --------
    >>> import dlnlab, numpy as np
    >>> U = np.linalg.qr(np.random.default_rng(0).standard_normal((20, 2)))[0]
    >>> problem = dlnlab.factorization(U @ U.T)
    >>> run = dlnlab.compression.group_lasso(
    ...     problem, 20, penalty=0.1, smoothing=1e-3, eta=0.05, num_steps=2000
    ... )
    >>> dlnlab.compression.prune(run.factor).shape
    (20, 2)
    """
    checked_square(problem)
    width = checks.integer("width", width, 1)
    penalty = checks.per_member("penalty", penalty, zero=True)
    smoothing = checks.per_member("smoothing", smoothing)
    if factor is None:
        U = networks.two_factors(problem, width, "gaussian", eps, rng, batch)[1]
    else:
        U = checked_factor("factor", problem, factor, width)
    iteration = Iteration(
        problem, (U.mT, U), f"group lasso {penalty!r} {smoothing!r}",
        {"penalty": penalty, "smoothing": smoothing, "eta": eta}, U, is_drawn=factor is None,
    )  # fmt: skip
    step = _Penalized(iteration.spread(penalty), iteration.spread(smoothing))
    run = iteration.run(
        step, num_steps, record_every, record, tol, progress, checkpoint, checkpoint_every
    )
    return FactorRun(**vars(run))


def fine_tune(
    problem: Problem,
    factor: Array,
    *,
    eta: Any,
    num_steps: int,
    record_every: int | Sequence[int] = 1,
    record: Sequence[str] = RECORD,
    tol: float = 0.0,
    progress: Any = False,
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every: float = 10.0,
) -> FactorRun:
    """Run gradient descent on the squared error 2ℓ(U Uᵀ) from a pruned factor.

    Descent is linear, as Rajaraman et al. 2023 prove; `rate` of the run is the factor per step as
    measured.  For a target with smallest eigenvalue σ_r² > 0, seen as a whole, and k = r it is
    1 − 4ησ_r² (ours), and 1 − 8ησ_r² if the columns start in the range of the target.

    Parameters
    ----------
    problem : Problem
        Of square shape (d, d).
    factor : array, shape (..., d, k)
        U, where the descent starts; `prune` returns such.
    eta : float or array
        Step size η > 0.
    num_steps : int
    record_every, record, tol, progress, checkpoint, checkpoint_every
        As in `dlnlab.gradient_descent`.

    Returns
    -------
    FactorRun

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range, or the problem is not square.
    Interrupted
        On Ctrl-C, with what was recorded.

    Examples
    --------
    >>> import dlnlab, numpy as np
    >>> problem = dlnlab.factorization(np.diag([1.0, 0.25, 0.0]))
    >>> U = np.diag([1.1, 0.6, 0.0])[:, :2] + 0.1
    >>> run = dlnlab.compression.fine_tune(problem, U, eta=0.1, num_steps=200)
    >>> round(float(run.rate), 5), 1 - 4 * 0.1 * 0.25
    (0.9, 0.9)
    """
    checked_square(problem)
    U = checked_factor("factor", problem, factor)
    iteration = Iteration(problem, (U.mT, U), "fine-tuning", {"eta": eta}, U)
    run = iteration.run(
        _Penalized(None, None), num_steps, record_every, record, tol, progress, checkpoint,
        checkpoint_every,
    )  # fmt: skip
    return FactorRun(**vars(run))
