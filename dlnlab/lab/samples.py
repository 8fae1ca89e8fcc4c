"""Small sets of labelled samples: what claims on classifiers are attacked with."""

from __future__ import annotations

import numpy as np

__all__ = ["clusters"]


def clusters(
    rng: np.random.Generator, count: int, inputs: int, classes: int, *, wrong: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw samples around a centre for each class, and their classes.

    Parameters
    ----------
    rng : numpy.random.Generator
    count, inputs, classes : int
    wrong : float
        The share of samples whose class is drawn anew: 1 leaves nothing to learn but by heart.

    Returns
    -------
    X : array, shape (count, inputs)
    y : array of int, shape (count,)
        Every class has a sample, if there are as many.
    """
    centres = rng.standard_normal((classes, inputs))
    y = rng.permutation(np.arange(count) % classes)
    X = centres[y] + rng.uniform(0.2, 1.5) * rng.standard_normal((count, inputs))
    anew = rng.random(count) < wrong
    y = np.where(anew, rng.integers(classes, size=count), y)
    return X / np.sqrt(inputs), y
