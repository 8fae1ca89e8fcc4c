"""Methods that step the gradient flow.

Explicit methods see two regimes.  While modes are being learned the accuracy limits the step; once
the leading modes are fitted, every layer sees the stiff Hessian of a converged mode, of size

    λ = c‖A‖² Σ_l ∏_{k≠l} ‖W_k‖₂²   (= L σ₁^{2−2/L} for a balanced network and A = Id),

and the step is limited to a few 1/λ by stability.  Left alone a method finds that limit by failed
steps, and its interpolant between steps at the edge of stability is wrong; so the steps are capped
in units of 1/λ, with λ followed along the run.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from dlnlab.flow.runge_kutta import DormandPrince5, DormandPrince8
from dlnlab.flow.system import System

__all__ = ["INTEGRATORS", "Integrator", "Stiff"]


class Integrator(Protocol):
    """The interface of a time-stepping method."""

    t: float
    y: np.ndarray
    velocity: np.ndarray

    def step(self) -> bool:
        """Advance by one accepted step; False if the method gave up.

        Returns
        -------
        bool
        """
        ...

    def between(self, t: float) -> np.ndarray:
        """Return y at a time within the last step.

        Parameters
        ----------
        t : float

        Returns
        -------
        array, shape (size,)
        """
        ...


class Stiff:
    """CVODE's BDF formulas, the Newton systems solved by GMRES without forming the Jacobian.

    Parameters
    ----------
    system : System
    t_end : float
    rtol : float
    atol : float
    cap : float, optional
        Largest step, in units of 1/λ.
    t : float
        Where it starts; or a time within the last step.

    Raises
    ------
    ModuleNotFoundError
        If scikit-sundae is not installed.
    """

    def __init__(
        self,
        system: System,
        t_end: float,
        rtol: float,
        atol: float,
        cap: float | None = None,
        t: float = 0.0,
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
        self.solver.init_step(t, system.start)
        self.system = system
        self.t, self.y, self.t_end = t, system.start, t_end

    @property
    def velocity(self) -> np.ndarray:
        """The velocity ẏ at the time reached."""
        return self.system.velocity(self.t, self.y)

    def step(self) -> bool:
        """Advance by one accepted step; see `Integrator`.

        Returns
        -------
        bool
        """
        result = self.solver.step(self.t_end, method="onestep", tstop=self.t_end)
        self.t, self.y = float(np.ravel(result.t)[-1]), np.array(result.y).reshape(-1)
        return bool(result.success)

    def between(self, t: float) -> np.ndarray:
        """Return y at a time within the last step; see `Integrator`.

        Parameters
        ----------
        t : float
            Where it starts; or a time within the last step.

        Returns
        -------
        array
        """
        return np.array(self.solver.step(t).y).reshape(-1)


INTEGRATORS: dict[str, Any] = {"DOP853": DormandPrince8, "RK45": DormandPrince5, "stiff": Stiff}
