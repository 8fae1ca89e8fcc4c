"""Which measurements, or samples, a step sees, where it does not see all of them.

In every epoch each one is seen once, in an order that is drawn anew.  The order follows from the
seed and the number of the epoch, so that a run which is interrupted has nothing to remember of it,
and continues bit for bit.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlnlab.numerics import checks

__all__ = ["Minibatches", "seed_of"]


class Minibatches:
    """The sequence of minibatches of a run.

    Parameters
    ----------
    count : int
        How many measurements there are.
    size : int
        How many a step sees; the last minibatch of an epoch has what is left.
    seed : int
        Of the orders.
    """

    def __init__(self, count: int, size: int, seed: int) -> None:
        self.count, self.size, self.seed = count, size, seed
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0))

    def at(self, step: int) -> np.ndarray:
        """Return the numbers of the measurements of the k-th step.

        Parameters
        ----------
        step : int
            k = 0, 1, …

        Returns
        -------
        array of int, shape (b,)
        """
        epoch, place = divmod(step, -(-self.count // self.size))
        if self._order[0] != epoch:
            rng = np.random.default_rng([self.seed, epoch])
            self._order = (epoch, rng.permutation(self.count))
        return self._order[1][place * self.size : (place + 1) * self.size]


def seed_of(rng: Any) -> int:
    """Return the seed of the orders: the given one, or one that a generator draws.

    Parameters
    ----------
    rng : numpy.random.Generator or int

    Returns
    -------
    int

    Raises
    ------
    TypeError, ValueError
        If `rng` is neither.
    """
    if isinstance(rng, np.random.Generator):
        return int(checks.random_source("rng", rng).integers(2**63))
    checks.random_source("rng", rng)
    return int(rng)
