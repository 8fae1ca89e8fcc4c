"""Units in which a comparison computes: σ_1* = 1 and the loss ½‖W − M*‖_F².

Multiplying M* by s, every layer by s^{1/L} and time by s^{2/L−2}/c takes the flow of ½‖W − M*‖_F²
to that of c/2 ‖W − M*‖_F² for the multiplied target, exactly.  So a comparison integrates and
judges the target M*/σ_1* only, and multiplies what it found: no tolerance, threshold or verdict can
depend on the units in which somebody measured M*, or on the normalization of the loss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from dlnlab.training.trajectory import Trajectory

__all__ = ["LARGEST_EXPONENT", "Units"]

LARGEST_EXPONENT = 280.0
"""Of ten, within which the times and losses of a flow are numbers with all digits."""


@dataclass(frozen=True)
class Units:
    """The sizes, in the user's units, of what is 1 in the canonical ones.

    Attributes
    ----------
    matrix : float
        σ_1*.
    scale : float
        The problem's factor c.
    depth : int
        L.

    Raises
    ------
    ValueError
        If times or losses would leave the range of double precision.
    """

    matrix: float
    scale: float
    depth: int

    def __post_init__(self) -> None:
        loss = 2 * math.log10(self.matrix) + math.log10(self.scale)
        if max(abs(self._log_time()), abs(loss)) > LARGEST_EXPONENT:
            raise ValueError(
                "`M` must be of a size at which the times and losses of its flow, about "
                f"10^{self._log_time():.0f} and 10^{loss:.0f}, are numbers with all digits, but "
                f"its largest singular value is {self.matrix:g}; multiply it by a number"
            )

    def _log_time(self) -> float:
        return -math.log10(self.scale) - (2 - 2 / self.depth) * math.log10(self.matrix)

    @property
    def layer(self) -> float:
        """σ_1*^{1/L}, of a layer and of ε."""
        return self.matrix ** (1 / self.depth)

    @property
    def time(self) -> float:
        """The unit of time, 1/(c σ_1*^{2−2/L})."""
        return self.matrix ** (2 / self.depth - 2) / self.scale

    @property
    def loss(self) -> float:
        """The unit of the loss, c σ_1*²."""
        return self.scale * self.matrix * self.matrix

    def applied(self, run: Trajectory) -> Trajectory:
        """Return a canonical trajectory in the user's units.

        Parameters
        ----------
        run : Trajectory

        Returns
        -------
        Trajectory
        """
        return replace(
            run,
            times=self.time * run.times,
            weights=tuple(self.layer * W for W in run.weights),
            losses=self.loss * np.asarray(run.losses),
            errors=self.matrix * np.asarray(run.errors),
            singular_values=self.matrix * np.asarray(run.singular_values),
        )
