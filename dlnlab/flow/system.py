"""The gradient flow as a system of ordinary differential equations, and methods that step it.

Explicit methods see two regimes.  While modes are being learned the accuracy limits the step; once
the leading modes are fitted, every layer sees the stiff Hessian of a converged mode, of size

    λ = c‖A‖² Σ_l ∏_{k≠l} ‖W_k‖₂²   (= L σ₁^{2−2/L} for a balanced network and A = Id),

and the step is limited to a few 1/λ by stability.  Left alone a method finds that limit by failed
steps, and its interpolant between steps at the edge of stability is wrong; so the steps are capped
in units of 1/λ, with λ followed along the run.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

import numpy as np
from scipy import integrate

from dlnlab import networks
from dlnlab.networks import Weights
from dlnlab.problems import Problem

__all__ = ["STEPPERS", "Explicit", "RungeKutta45", "Stepper", "Stiff", "System"]


class System:
    """The flow as one vector differential equation ẏ = f(y), y all layers side by side."""

    def __init__(self, problem: Problem, weights: Weights, weight_decay: float = 0.0) -> None:
        batch = np.broadcast_shapes(
            np.shape(problem.loss(networks.prefix_products(weights)[-1])), weights[0].shape[:-2]
        )
        self.problem, self.decay = problem, weight_decay
        self.shapes = [(*batch, *W.shape[-2:]) for W in weights]
        ends = np.cumsum([math.prod(shape) for shape in self.shapes]).tolist()
        parts = [slice(a, b) for a, b in zip([0, *ends[:-1]], ends, strict=True)]
        self.places = list(zip(parts, self.shapes, strict=True))
        spread = [np.broadcast_to(W, shape) for W, shape in zip(weights, self.shapes, strict=True)]
        self.start = np.concatenate([W.ravel() for W in spread]).astype(float)

    def unpack(self, y: np.ndarray) -> Weights:
        """Return the layers as views of `y`."""
        return tuple([y[part].reshape(shape) for part, shape in self.places])

    def velocity(self, t: float, y: np.ndarray) -> np.ndarray:
        """−∇ℓ − μ W_l for all layers."""
        weights, out = self.unpack(y), np.empty_like(y)
        prefixes = networks.prefix_products(weights)
        downhill = -self.problem.gradient(prefixes[-1])
        networks.backward(weights, prefixes, downhill, out=self.unpack(out))
        if self.decay:
            out -= self.decay * y
        return out

    def end_to_end(self, y: np.ndarray) -> np.ndarray:
        """W_{L:1}."""
        return networks.prefix_products(self.unpack(y))[-1]

    def loss(self, y: np.ndarray) -> float:
        """ℓ, the largest of a batch."""
        return float(np.max(self.problem.loss(self.end_to_end(y))))

    def stiffness(self, y: np.ndarray) -> float:
        """λ = c‖A‖² Σ_l ∏_{k≠l} ‖W_k‖₂² + μ, the largest over a batch."""
        norms = np.stack([np.linalg.norm(W, 2, axis=(-2, -1)) for W in self.unpack(y)])
        others = [np.prod(np.delete(norms, layer, axis=0), axis=0) for layer in range(len(norms))]
        largest = float(np.max(np.sum(np.square(others), axis=0)))
        return self.problem.curvature * largest + self.decay


class Stepper(Protocol):
    """What a time-stepping method must offer."""

    t: float
    y: np.ndarray
    velocity: np.ndarray

    def step(self) -> bool:
        """Advance by one accepted step; False if the method gave up."""
        ...

    def between(self, t: float) -> np.ndarray:
        """Return y at a time within the last step."""
        ...


class Explicit:
    """SciPy's Runge–Kutta methods, with the cap on the step kept up to date."""

    method: Any = integrate.DOP853
    stable_step = 4.0
    """Cap in units of 1/λ.  DOP853 is stable on the negative real axis to about 6; at 4 the stiff
    modes are damped and the interpolant stays accurate between steps."""

    def __init__(
        self, system: System, t_end: float, rtol: float, atol: float, cap: float | None
    ) -> None:
        self.system = system
        self.solver = self.method(system.velocity, 0.0, system.start, t_end, rtol=rtol, atol=atol)
        self.cap = self.stable_step if cap is None else cap
        self.norm = 0.0
        self.dense: Any = None
        self._follow_stiffness()

    @property
    def t(self) -> float:
        """The time reached."""
        return self.solver.t

    @property
    def y(self) -> np.ndarray:
        """The state there."""
        return self.solver.y

    @property
    def velocity(self) -> np.ndarray:
        """ẏ there, which the method has computed already."""
        return self.solver.f

    def step(self) -> bool:
        self.dense = None
        self.solver.step()
        self._follow_stiffness()
        return self.solver.status != "failed"

    def _follow_stiffness(self) -> None:
        """Renew the cap when the weights have changed by two percent, so λ by a few."""
        norm = float(np.linalg.norm(self.y))
        if abs(norm - self.norm) > 0.02 * self.norm and np.isfinite(norm):
            stiffness = max(self.system.stiffness(self.y), np.finfo(float).tiny)
            self.solver.max_step = self.cap / stiffness
            self.norm = norm

    def between(self, t: float) -> np.ndarray:
        if self.dense is None:
            self.dense = self.solver.dense_output()
        return self.dense(t)


class RungeKutta45(Explicit):
    """The lower-order pair of Dormand and Prince, stable to about 3.3."""

    method = integrate.RK45
    stable_step = 2.5


class Stiff:
    """CVODE's BDF formulas, the Newton systems solved by GMRES without forming the Jacobian."""

    def __init__(
        self, system: System, t_end: float, rtol: float, atol: float, cap: float | None
    ) -> None:
        try:
            from sksundae.cvode import CVODE
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                "`method='stiff'` needs scikit-sundae: pip install 'dlnlab[stiff]'"
            ) from error

        def velocity(t: float, y: np.ndarray, out: np.ndarray) -> None:
            out[:] = system.velocity(t, y)

        self.solver = CVODE(
            velocity, linsolver="gmres", krylov_dim=20, rtol=rtol, atol=atol, max_num_steps=100_000
        )
        self.solver.init_step(0.0, system.start)
        self.system = system
        self.t, self.y, self.t_end = 0.0, system.start, t_end

    @property
    def velocity(self) -> np.ndarray:
        """ẏ at the time reached."""
        return self.system.velocity(self.t, self.y)

    def step(self) -> bool:
        result = self.solver.step(self.t_end, method="onestep", tstop=self.t_end)
        self.t, self.y = float(np.ravel(result.t)[-1]), np.array(result.y).reshape(-1)
        return bool(result.success)

    def between(self, t: float) -> np.ndarray:
        return np.array(self.solver.step(t).y).reshape(-1)


STEPPERS: dict[str, Any] = {"DOP853": Explicit, "RK45": RungeKutta45, "stiff": Stiff}
