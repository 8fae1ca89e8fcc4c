"""User and item biases: the plainest model of ratings, W_ij = μ + b_i + c_j.

The biases minimize ½ Σ (μ + b_i + c_j − y_ij)² + λ/2 (Σ b_i² + Σ c_j²) over the ratings, μ being
their mean; a user or an item without a rating gets none.  With N the counts of ratings, S_u and
S_v the sums of y − μ by user and by item, and P the pattern of the ratings, the normal equations

    (N_u + λ) b + P c = S_u,    Pᵀ b + (N_v + λ) c = S_v

are sparse, and solved as they stand.  As the other baselines do, `biases` returns two factors (B,
A), here of rank two: A = [μ + b, 1] and B = [1; c].
"""

from __future__ import annotations

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from dlnlab.data.ratings import Ratings
from dlnlab.networks import Weights
from dlnlab.numerics import checks

__all__ = ["biases"]


def biases(ratings: Ratings, *, ridge: float) -> Weights:
    """Fit a mean, a bias for every user and one for every item.

    Parameters
    ----------
    ratings : Ratings
    ridge : float
        λ > 0, in units of the sum of squares; without it the biases are determined up to a constant
        only.

    Returns
    -------
    (B, A)
        Factors of shapes (2, items) and (users, 2).

    Raises
    ------
    TypeError, ValueError
        If `ratings` are no Ratings, or the ridge is not positive.

    Examples
    --------
    >>> import dlnlab
    >>> ratings = dlnlab.Ratings([0, 0, 1], [0, 1, 0], [5.0, 4.0, 3.0], (2, 2))
    >>> B, A = dlnlab.baselines.biases(ratings, ridge=1e-6)
    >>> (A @ B).round(3)[1, 1]  # a user 2 below the first, an item 1 below the first
    np.float64(2.0)
    """
    if not isinstance(ratings, Ratings):
        raise TypeError(f"`ratings` must be dlnlab.Ratings, got {checks.describe(ratings)}")
    ridge = checks.positive("ridge", ridge)
    mean = float(ratings.values.mean())
    stored = scipy.sparse.coo_array
    places = (ratings.users, ratings.items)
    pattern = stored((np.ones(len(ratings)), places), shape=ratings.shape).tocsr()
    beyond = stored((ratings.values - mean, places), shape=ratings.shape).tocsr()
    counts = (pattern.sum(axis=1), pattern.sum(axis=0))
    sides = [scipy.sparse.diags_array(count + ridge) for count in counts]
    equations = scipy.sparse.block_array([[sides[0], pattern], [pattern.T, sides[1]]], format="csc")
    sums = np.concatenate([beyond.sum(axis=1), beyond.sum(axis=0)])
    found = scipy.sparse.linalg.cg(equations, sums, rtol=1e-12)[0]
    b, c = np.split(found, [ratings.shape[0]])
    return np.stack([np.ones_like(c), c]), np.stack([mean + b, np.ones_like(b)], axis=1)
