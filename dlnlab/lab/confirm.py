"""A counterexample again, in another way: by a second integrator, or with many digits.

Nothing here shares code with what found it.  The layers' equations are written out; flows are
integrated by LSODA (variable-order Adams and BDF methods of ODEPACK), the compressed one in its
layers rather than in closed form; descent is computed with 40 digits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import integrate

from dlnlab import methods, networks, problems
from dlnlab.lab.cases import Case
from dlnlab.lab.dynamics import RecoveryCase
from dlnlab.lab.observed import Observed, run_of
from dlnlab.networks import Weights

__all__ = ["ATOL", "DIGITS", "HOW", "RTOL", "again"]

DIGITS = 40
RTOL, ATOL = 1e-12, 1e-15

HOW = {
    "flows": "a second integrator (LSODA)",
    "recovery": "a second integrator (LSODA)",
    "descent": f"arithmetic with {DIGITS} digits",
    "start": f"arithmetic with {DIGITS} digits",
}
"""How a counterexample is confirmed, by what the conjecture is about."""


def again(about: str, seen: Observed, options: Mapping[str, Any]) -> Observed:
    """Return the same instance at the same times, computed in another way.

    Parameters
    ----------
    about : str
        "flows", "descent", "recovery" or "start".
    seen : Observed
        What the search looked at.
    options : mapping
        "method" of gradient descent, where one was asked for.

    Returns
    -------
    Observed

    Raises
    ------
    RuntimeError
        If it cannot be computed so.
    """
    case, wide = seen.case, _exact_start(seen.case)
    if about == "recovery":
        layers = _flow(_measured_gap(case), wide, seen.times)
        return _seen(seen, layers, None)
    narrow = networks.compressed_weights(
        problems.factorization(case.target), case.r_hat, case.depth, case.eps
    )
    if about == "flows":
        gap = _gap(case.target)
        return _seen(seen, _flow(gap, wide, seen.times), _flow(gap, narrow, seen.times))
    steps = seen.times.size - 1
    eta = case.eta if about == "descent" else 0.0
    method = options.get("method", methods.Descent())
    found = (_descend(case.target, layers, eta, steps, method) for layers in (wide, narrow))
    return _seen(seen, *found)


def _exact_start(case: Case) -> Weights:
    """Return the start, with reflections computed in many digits where it is given by them."""
    layers = case.weights()
    if isinstance(case.start, int) or any(frame.seed is not None for frame in case.start):
        return layers
    import mpmath  # with all its functions, for a counterexample alone

    with mpmath.workdps(DIGITS):
        exact = []
        for frame, W in zip(case.start, layers, strict=True):
            Q = np.array(mpmath.eye(frame.size).tolist(), dtype=object)
            for vector in reversed(frame.reflectors):
                v = np.array([mpmath.mpf(n) for n in vector], dtype=object)
                if any(vector):
                    Q = Q - np.outer(v, v @ Q) * (2 / (v @ v))
            rows, columns = W.shape
            exact.append((mpmath.mpf(case.eps) * Q[:rows, :columns]).astype(float))
    return tuple(exact)


def _gap(target: np.ndarray) -> Any:
    return lambda W: W - target


def _measured_gap(case: RecoveryCase) -> Any:
    """∇ℓ(W) = c Σ_i (⟨A_i, W⟩ − y_i) A_i, by definition."""
    A, y, c = case.recovery.measurements()
    return lambda W: c * np.einsum("m,mpq->pq", np.einsum("mpq,pq->m", A, W) - y, A)


def _flow(gradient: Any, weights: Weights, times: np.ndarray) -> Weights:
    """Integrate dW_l/dt = −(W_L⋯W_{l+1})ᵀ G (W_{l−1}⋯W_1)ᵀ; layers of shapes (records, …)."""
    shapes = [W.shape for W in weights]
    cuts = np.cumsum([W.size for W in weights])[:-1]

    def unpack(y: np.ndarray) -> list[np.ndarray]:
        return [p.reshape(s) for p, s in zip(np.split(y, cuts), shapes, strict=True)]

    def velocity(t: float, y: np.ndarray) -> np.ndarray:
        return np.concatenate([-D.ravel() for D in _slopes(gradient, unpack(y))])

    start = np.concatenate([W.ravel() for W in weights])
    end = float(times[-1])
    found = integrate.solve_ivp(
        velocity, (0.0, end), start, "LSODA", t_eval=times, rtol=RTOL, atol=ATOL
    )
    if not found.success:
        raise RuntimeError(f"the second integrator gave up: {found.message}")
    rows = [unpack(y) for y in found.y.T]
    return tuple(np.stack([row[k] for row in rows]) for k in range(len(weights)))


def _slopes(gradient: Any, layers: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return ∇_{W_l} ℓ, product by product."""
    depth = len(layers)
    below = [np.eye(layers[0].shape[1])]
    for W in layers:
        below.append(W @ below[-1])
    above = [np.eye(layers[-1].shape[0])]
    for W in reversed(layers):
        above.append(above[-1] @ W)
    G = gradient(below[-1])
    return [above[depth - 1 - k].T @ G @ below[k].T for k in range(depth)]


def _descend(
    target: np.ndarray, weights: Weights, eta: float, steps: int, method: methods.Method
) -> Weights:
    """Take steps of a method with many digits; layers of shapes (records, …)."""
    import mpmath  # with all its functions, for a counterexample alone

    with mpmath.workdps(DIGITS):
        exact = np.vectorize(mpmath.mpf, otypes=[object])
        goal, layers, rate = exact(target), [exact(W) for W in weights], mpmath.mpf(eta)
        kept = [[0 * W for _ in method.slots] for W in layers]
        records = [[W.astype(float) for W in layers]]
        for step in range(1, steps + 1):
            slopes = _slopes(lambda W: W - goal, layers)
            for W, D, slots in zip(layers, slopes, kept, strict=True):
                W -= rate * _direction(method, step, D, slots)
            records.append([W.astype(float) for W in layers])
    return tuple(np.stack([record[k] for record in records]) for k in range(len(weights)))


def _direction(method: methods.Method, step: int, G: Any, slots: list[Any]) -> Any:
    """Return by what a method moves in units of −η, and keep what it remembers; as published.

    Raises
    ------
    RuntimeError
        If the method is not one of `dlnlab.methods`.
    """
    if type(method) is methods.Descent:
        return G
    if type(method) is methods.Momentum:
        slots[0] = V = method.beta * slots[0] + G
        return G + method.beta * V if method.nesterov else V
    if type(method) is methods.Adam:
        import mpmath  # as above

        b1, b2 = mpmath.mpf(method.beta1), mpmath.mpf(method.beta2)
        slots[0] = M = b1 * slots[0] + (1 - b1) * G
        slots[1] = V = b2 * slots[1] + (1 - b2) * G**2
        root = np.vectorize(mpmath.sqrt, otypes=[object])(V / (1 - b2**step))
        return M / (1 - b1**step) / (root + method.epsilon)
    raise RuntimeError(f"no arithmetic with many digits is known for {method}")


def _seen(seen: Observed, wide: Weights, narrow: Weights | None) -> Observed:
    case, steps = seen.case, np.arange(seen.times.size)
    problem = (
        case.problem() if isinstance(case, RecoveryCase) else problems.factorization(case.target)
    )
    return Observed(
        case=case,
        times=seen.times,
        residual=seen.residual,
        full_width=seen.full_width,
        original=run_of(problem, seen.times, steps, wide),
        compressed=None if narrow is None else run_of(problem, seen.times, steps, narrow),
    )
