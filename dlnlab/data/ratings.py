"""Ratings of items by users: a sparse matrix of which some entries are held out.

The matrix has a row per user and a column per item, and nothing is known of the entries without a
rating: errors are taken over rated entries only, and a network's prediction is computed there and
nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from dlnlab import networks, problems
from dlnlab.numerics import arrays, checks
from dlnlab.numerics.products import FactoredMatrix

__all__ = ["Ratings", "Split"]


class Split(NamedTuple):
    """Ratings to learn from, and ratings held out.

    Parameters
    ----------
    train : Ratings
    test : Ratings
    """

    train: Ratings
    test: Ratings


@dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings as three parallel arrays, in the order of their file.

    Parameters
    ----------
    users, items : array of int, shape (n,)
        Row and column of each rating, counted from 0; no pair twice.
    values : array of float, shape (n,)
        The ratings.
    shape : (int, int)
        Number of users and of items.

    Raises
    ------
    TypeError, ValueError
        If the arrays do not fit together, an index is out of range, or a pair occurs twice.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> ratings = dlnlab.Ratings([0, 0, 1], [0, 2, 1], [5.0, 3.0, 4.0], (2, 3))
    >>> float(ratings.completion().loss(np.zeros((2, 3))))
    25.0
    >>> ratings.half_mse((np.ones((1, 3)), np.full((2, 1), 4.0)))  # predicts 4 everywhere
    0.3333333333333333
    """

    users: np.ndarray
    items: np.ndarray
    values: np.ndarray
    shape: tuple[int, int]

    def __post_init__(self) -> None:
        shape = checks.shape("shape", self.shape)
        values = checks.vector("values", self.values)
        if not values.size:
            raise ValueError("`values` must hold at least one rating, got none")
        users = _indices("users", self.users, values.size, shape[0])
        items = _indices("items", self.items, values.size, shape[1])
        places, counts = np.unique(users * shape[1] + items, return_counts=True)
        if places.size < values.size:
            user, item = divmod(int(places[np.argmax(counts > 1)]), shape[1])
            raise ValueError(
                f"`users` and `items` must name every pair once, got user {user} with item {item} "
                f"{counts.max()} times"
            )
        for name, array in (("users", users), ("items", items), ("values", values)):
            own = np.array(array)
            own.flags.writeable = False
            object.__setattr__(self, name, own)
        object.__setattr__(self, "shape", shape)

    def __len__(self) -> int:
        return self.values.size

    def __repr__(self) -> str:
        return f"Ratings({len(self)} of {self.shape[0]} x {self.shape[1]})"

    def split(self, test_share: float = 0.2, *, rng: np.random.Generator | int) -> Split:
        """Hold out a random share of the ratings.

        Parameters
        ----------
        test_share : float
            Share held out, rounded to a whole number of ratings, at least one on either side.
        rng : numpy.random.Generator or int

        Returns
        -------
        Split

        Raises
        ------
        TypeError, ValueError
            If an argument is malformed or out of range.
        """
        if not 0 < checks.real("test_share", test_share, "a number between 0 and 1") < 1:
            raise ValueError(f"`test_share` must be a number between 0 and 1, got {test_share}")
        rng = checks.generator("rng", rng, "mask")
        count = round(test_share * len(self))
        if not 0 < count < len(self):
            raise ValueError(
                f"`test_share` must leave ratings on both sides, got {test_share} of {len(self)}"
            )
        held_out = np.zeros(len(self), dtype=bool)
        held_out[rng.choice(len(self), size=count, replace=False)] = True
        return self._apart(held_out)

    def fold(self, number: int, count: int = 5) -> Split:
        """Hold out one of `count` equal stretches of the file.

        For the whole of MovieLens-100K these are its official splits: fold k is u<k>.base and
        u<k>.test.

        Parameters
        ----------
        number : int
            Which stretch, from 1 to `count`.
        count : int

        Returns
        -------
        Split

        Raises
        ------
        TypeError, ValueError
            If an argument is malformed or out of range.
        """
        count = checks.integer("count", count, 2, len(self))
        number = checks.integer("number", number, 1, count)
        ends = [len(self) * k // count for k in (number - 1, number)]
        held_out = np.zeros(len(self), dtype=bool)
        held_out[ends[0] : ends[1]] = True
        return self._apart(held_out)

    def _apart(self, held_out: np.ndarray) -> Split:
        sides = (~held_out, held_out)
        return Split(
            *(
                Ratings(self.users[side], self.items[side], self.values[side], self.shape)
                for side in sides
            )
        )

    def completion(self, normalization: str = "sum", *, computation: str = "auto") -> Any:
        """Return the completion problem of these ratings, with unknown target.

        See `dlnlab.completion`.

        Parameters
        ----------
        normalization : {"sum", "mean"}
        computation : {"auto", "dense", "sampled"}

        Returns
        -------
        Completion or SampledCompletion
        """
        stored = scipy.sparse.coo_array((self.values, (self.users, self.items)), shape=self.shape)
        return problems.completion(stored, normalization=normalization, computation=computation)

    def predictions(self, weights: Sequence[np.ndarray]) -> np.ndarray:
        """Return the network's entries at the rated places, shape (n,).

        Parameters
        ----------
        weights : sequence of arrays
            W_1, …, W_L, without batch axes; two factors W = A B are the network (B, A).

        Returns
        -------
        array, shape (n,)

        Raises
        ------
        TypeError, ValueError
            If the weights are no such network.
        """
        weights = networks.check_weights(weights, are_finite=True)
        if not arrays.is_host(weights[0]):
            raise TypeError("`weights` must be NumPy arrays, as the ratings are")
        if any(W.ndim != 2 for W in weights):
            raise ValueError("`weights` must have no batch axes; take one member, W[k] of each")
        shape = (weights[-1].shape[0], weights[0].shape[1])
        if shape != self.shape:
            raise ValueError(f"`weights` must have the ratings' shape {self.shape}, got {shape}")
        W = FactoredMatrix(weights[-1], networks.prefix_products(weights[:-1])[-1])
        return W.entries(self.users, self.items)

    def half_mse(self, weights: Sequence[np.ndarray]) -> float:
        """Return ½·mean (W_ij − rating)², the paper's error when taken over held-out ratings.

        Parameters
        ----------
        weights : sequence of arrays
            W_1, …, W_L, without batch axes.

        Returns
        -------
        float
        """
        return float(0.5 * np.mean((self.predictions(weights) - self.values) ** 2))

    def rmse(self, weights: Sequence[np.ndarray]) -> float:
        """Return the root-mean-square error of the network's predictions.

        Parameters
        ----------
        weights : sequence of arrays
            W_1, …, W_L, without batch axes.

        Returns
        -------
        float
        """
        return float(np.sqrt(2 * self.half_mse(weights)))


def _indices(name: str, value: Any, count: int, limit: int) -> np.ndarray:
    value = checks.adopted(name, value)
    device = arrays.is_array(value) and not arrays.is_host(value)
    array = checks.host_array(name, arrays.to_host(value) if device else value)
    if array.dtype.kind not in "iu":
        raise TypeError(f"`{name}` must be integers from 0 to {limit - 1}, got {array.dtype}")
    if array.shape != (count,):
        raise ValueError(f"`{name}` must have shape ({count},), as `values`, got {array.shape}")
    if array.min() < 0 or array.max() >= limit:
        raise ValueError(
            f"`{name}` must be integers from 0 to {limit - 1}, got {array.min()} to {array.max()}, "
            "which this `shape` does not hold"
        )
    return array.astype(np.int64)
