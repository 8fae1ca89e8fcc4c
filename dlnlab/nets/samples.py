"""What a classifier is given: samples and their classes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from dlnlab.numerics import arrays, checks
from dlnlab.numerics.arrays import Array

__all__ = ["check_classes", "check_samples", "cross_correlation", "one_hot"]


def check_samples(X: Any, shape: tuple[int, ...], reference: Array) -> Array:
    """Return samples as an array of shape (n, *shape), in the library and dtype of `reference`.

    If `shape` has one axis, samples of as many entries are flattened.

    Parameters
    ----------
    X : array, shape (n, *shape)
        Samples.
    shape : tuple of int
        Of one sample.
    reference : array
        Whose library and device, and dtype, count.

    Returns
    -------
    array, shape (n, *shape)

    Raises
    ------
    TypeError, ValueError
        If they are not.
    """
    X = checks.array("X", X, least=2)
    xp = arrays.namespace(X, reference, names=("X", "params"))
    if X.dtype != reference.dtype:
        raise TypeError(
            f"`X` must have the dtype of the parameters, {arrays.dtype_name(reference)}, "
            f"got {checks.describe(X)}; cast it, or start with like=X"
        )
    found = tuple(X.shape[1:])
    if len(shape) == 1:
        found = (math.prod(found),)
    if X.shape[0] < 1 or found != shape:
        sizes = ", ".join(map(str, shape))
        raise ValueError(f"`X` must have shape (n, {sizes}) with n >= 1, got {checks.describe(X)}")
    return xp.reshape(X, (X.shape[0], *shape))


def check_classes(y: Any, X: Array, classes: int) -> Array:
    """Return the classes of the samples `X`, an integer from 0 to classes − 1 for each.

    Parameters
    ----------
    y : array of int, shape (n,)
        Their classes.
    X : array, shape (n, *shape)
        Samples.
    classes : int
        How many.

    Returns
    -------
    array of int, shape (n,)

    Raises
    ------
    TypeError, ValueError
        If they are not.
    """
    requirement = (
        f"{X.shape[0]} integers >= 0 and < {classes}, `classes`, one for each sample in `X`"
    )
    found = y if arrays.is_array(y) and not arrays.is_host(y) else checks.host_array("y", y)
    xp = arrays.namespace(found, X, names=("y", "X"))
    if not xp.isdtype(found.dtype, "integral"):
        raise TypeError(f"`y` must be {requirement}, got {checks.describe(y)}")
    if tuple(found.shape) != (X.shape[0],):
        raise ValueError(f"`y` must be {requirement}, got {checks.describe(y)}")
    low, high = int(xp.min(found)), int(xp.max(found))
    if low < 0 or high >= classes:
        raise ValueError(f"`y` must be {requirement}, got entries from {low} to {high}")
    return xp.astype(found, xp.int64)


def one_hot(labels: Array, classes: int, dtype: object) -> Array:
    """Return Y with Y[c, i] = 1 if sample i is of class c, else 0; shape (classes, columns).

    Parameters
    ----------
    labels : array of int, shape (columns,)
    classes : int
        How many.
    dtype : dtype

    Returns
    -------
    array, shape (classes, columns)
    """
    xp = arrays.namespace(labels)
    numbers = xp.arange(classes, dtype=labels.dtype, device=arrays.device_of(labels))
    return xp.astype(numbers[:, None] == labels[None, :], dtype)


def cross_correlation(X: Array, y: Array, classes: int) -> Array:
    """Return M_corr = Y Xᵀ of one-hot classes and flattened samples (Section 2.3).

    Row c is the sum of the samples of class c, so the rank is at most the number of classes.

    Parameters
    ----------
    X : array, shape (n, ...)
        Samples, of a floating dtype.
    y : array of int, shape (n,)
        Their classes, counted from 0.
    classes : int
        d_y.

    Returns
    -------
    array, shape (classes, d_x)

    Raises
    ------
    TypeError, ValueError
        If samples and classes are not as described.

    Examples
    --------
    >>> import numpy as np, dlnlab
    >>> X, y = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), np.array([0, 1, 0])
    >>> dlnlab.nets.cross_correlation(X, y, 2).tolist()
    [[6.0, 8.0], [3.0, 4.0]]
    """
    classes = checks.integer("classes", classes, 2)
    X = checks.matrix("X", X)
    xp = arrays.namespace(X)
    y = check_classes(y, X, classes)
    item, n, inputs = np.dtype(arrays.dtype_name(X)).itemsize, X.shape[0], math.prod(X.shape[1:])
    checks.fits_in_memory(
        f"`classes`: the samples of {classes} classes",
        classes * (n * (1 + item) + inputs * item),
        X,
        remedy="count the classes from 0, without gaps",
    )
    return one_hot(y, classes, X.dtype) @ xp.reshape(X, (X.shape[0], -1))
