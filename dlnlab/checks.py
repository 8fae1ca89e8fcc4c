"""Argument checks.

Every message names the argument in backticks, says what it must be and what it was, and where it
helps, what to do instead.  Checks run before any work starts.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from dlnlab import arrays
from dlnlab.arrays import Array

__all__ = [
    "choice",
    "finite",
    "fits_in_memory",
    "generator",
    "host_array",
    "integer",
    "matrix",
    "nonnegative",
    "nonnegative_array",
    "per_member",
    "positive",
    "real",
    "resident",
    "shape",
    "singular_values",
]


PURPOSES = ("target", "network", "mask", "ensemble")


def describe(value: object) -> str:
    """Return a short description of a bad value, for the end of a message."""
    if arrays.is_array(value):
        return f"an array of shape {tuple(value.shape)} and dtype {arrays.dtype_name(value)}"  # type: ignore[attr-defined]
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def integer(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return `value` as an int in ``low…high``, or raise ``TypeError`` or ``ValueError``."""
    bounds = f">= {low}" if high is None else f"between {low} and {high}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Integral):
        raise TypeError(f"`{name}` must be an integer {bounds}, got {describe(value)}")
    number = int(value)
    if number < low or (high is not None and number > high):
        raise ValueError(f"`{name}` must be an integer {bounds}, got {number}")
    return number


def real(name: str, value: Any, requirement: str) -> float:
    """Return `value` as a finite float; `requirement` finishes the sentence of the message."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, numbers.Real):
        raise TypeError(f"`{name}` must be {requirement}, got {describe(value)}")
    if not math.isfinite(value):
        raise ValueError(f"`{name}` must be {requirement}, got {value}")
    return float(value)


def positive(name: str, value: Any) -> float:
    """Return `value` as a float > 0."""
    number = real(name, value, "a finite number > 0")
    if number <= 0:
        raise ValueError(f"`{name}` must be a finite number > 0, got {value}")
    return number


def nonnegative(name: str, value: Any) -> float:
    """Return `value` as a float >= 0."""
    number = real(name, value, "a finite number >= 0")
    if number < 0:
        raise ValueError(f"`{name}` must be a finite number >= 0, got {value}")
    return number


def per_member(
    name: str, value: Any, batch: tuple[int, ...], *, zero: bool = False
) -> float | np.ndarray:
    """Return a number > 0, or >= 0 if `zero`, or an array of them that fits a run's batch axes."""
    if not arrays.is_array(value) and not isinstance(value, list | tuple):
        return nonnegative(name, value) if zero else positive(name, value)
    array = arrays.to_host(value) if arrays.is_array(value) else np.asarray(value)
    sign = ">= 0" if zero else "> 0"
    requirement = f"a number {sign} or an array of them that broadcasts to the batch shape {batch}"
    if array.dtype.kind not in "iuf":
        raise TypeError(f"`{name}` must be {requirement}, got {describe(value)}")
    try:
        fits = np.broadcast_shapes(array.shape, batch) == batch
    except ValueError:
        fits = False
    good = np.isfinite(array) & ((array >= 0) if zero else (array > 0))
    if not fits or not good.all():
        raise ValueError(f"`{name}` must be {requirement}, got {describe(value)}")
    return array.astype(float)


def choice(name: str, value: Any, options: Iterable[str]) -> str:
    """Return `value` if it is one of `options`."""
    options = tuple(options)
    if not isinstance(value, str):
        raise TypeError(f"`{name}` must be one of {list(options)}, got {describe(value)}")
    if value not in options:
        raise ValueError(f"`{name}` must be one of {list(options)}, got {value!r}")
    return value


def generator(name: str, value: Any, purpose: str) -> np.random.Generator:
    """Return the stream of random numbers for one purpose, from a generator or an integer seed.

    Every purpose has its own child stream, so that a target and a network drawn with the same seed
    are independent: drawn from the same stream, they would share their numbers.  A generator hands
    out new children at every call.
    """
    if isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_):
        value = np.random.default_rng(integer(name, value, 0))
    if not isinstance(value, np.random.Generator):
        raise TypeError(
            f"`{name}` must be a numpy.random.Generator or an integer seed, got {describe(value)}; "
            "create one with numpy.random.default_rng(0)"
        )
    return value.spawn(len(PURPOSES))[PURPOSES.index(purpose)]


def shape(name: str, value: Any) -> tuple[int, int]:
    """Return a matrix shape (d_out, d_in) of two integers >= 1."""
    if not isinstance(value, Sequence) or len(value) != 2:
        raise TypeError(f"`{name}` must be a pair (d_out, d_in), got {describe(value)}")
    return integer(f"{name}[0]", value[0], 1), integer(f"{name}[1]", value[1], 1)


def matrix(name: str, value: Any, *, ndim: int | None = None) -> Array:
    """Return `value` as a real, finite, floating-point array of at least two axes.

    Lists and integer arrays become float64; float32 stays float32.

    Raises
    ------
    TypeError
        If it is not numeric or is complex.
    ValueError
        If it is empty, has the wrong number of axes, or holds NaN or infinite entries.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(
            f"`{name}` must be a plain array, got a masked one; for matrix completion pass its "
            "data and a boolean mask of the observed entries to dlnlab.completion"
        )
    array = value if arrays.is_array(value) else host_array(name, value)
    xp = arrays.namespace(array)
    if xp.isdtype(array.dtype, "complex floating"):
        raise TypeError(f"`{name}` must be real, got {describe(array)}; pass its real part")
    if not xp.isdtype(array.dtype, ("bool", "integral", "real floating")):
        raise TypeError(f"`{name}` must be numeric, got {describe(array)}")
    if array.ndim != ndim if ndim else array.ndim < 2:
        axes = f"exactly {ndim} axes" if ndim else "at least 2 axes, (..., d_out, d_in)"
        raise ValueError(f"`{name}` must have {axes}, got {describe(array)}")
    if 0 in array.shape:
        raise ValueError(f"`{name}` must not be empty, got {describe(array)}")
    if not xp.isdtype(array.dtype, "real floating"):
        return xp.astype(array, xp.float64)
    return finite(name, array)


def finite(name: str, array: Array) -> Array:
    """Return `array` if all its entries are finite."""
    xp = arrays.namespace(array)
    good = xp.isfinite(array)
    if not bool(xp.all(good)):
        bad = int(xp.sum(xp.astype(~good, xp.int64)))
        raise ValueError(f"`{name}` must be finite, got {bad} NaN or infinite entries")
    return array


def nonnegative_array(name: str, value: Any) -> np.ndarray:
    """Return a number or a sequence of numbers >= 0 as a float64 array of one axis."""
    array = np.atleast_1d(host_array(name, arrays.to_host(value)))
    if array.dtype.kind == "c":
        raise TypeError(f"`{name}` must be real, got {describe(value)}")
    if array.ndim != 1 or not (np.isfinite(array).all() and (array >= 0).all()):
        raise ValueError(f"`{name}` must be finite numbers >= 0, got {describe(value)}")
    return array.astype(float)


def singular_values(name: str, value: Any, count: int) -> np.ndarray:
    """Return `count` singular values, positive and sorted in decreasing order, as float64."""
    requirement = f"{count} finite numbers > 0 in decreasing order"
    try:
        array = np.asarray(arrays.to_host(value), dtype=float)
    except (TypeError, ValueError) as error:
        raise TypeError(f"`{name}` must be {requirement}, got {describe(value)}") from error
    if array.shape != (count,):
        raise ValueError(f"`{name}` must be {requirement}, got shape {array.shape}")
    if not (np.isfinite(array).all() and (array > 0).all() and (np.diff(array) <= 0).all()):
        raise ValueError(f"`{name}` must be {requirement}, got {describe(array.tolist())}")
    return array


def resident(num_bytes: int) -> int:
    """Return the memory that is taken for arrays of so many bytes, a twentieth more.

    The allocator hands out whole pages, and keeps some that are free; at most 3 % were found.
    """
    return num_bytes + num_bytes // 20


def fits_in_memory(
    what: str,
    num_bytes: int,
    reference: Array | None = None,
    *,
    remedy: str = "use a smaller problem, or a factored target (dlnlab.FactoredTarget), which "
    "stores only its singular vectors",
) -> None:
    """Raise ``ValueError`` if `num_bytes` more bytes cannot be allocated.

    Parameters
    ----------
    what : str
        What would be allocated, as the start of the message.
    num_bytes : int
        Its size in bytes.
    reference : array, optional
        An array that lives where it would be allocated; by default the host.
    remedy : str
        What to do instead, as the end of the message.
    """
    free = arrays.available_bytes(reference)
    if num_bytes > free:
        raise ValueError(
            f"{what} would need {num_bytes:,} bytes ({num_bytes / 2**30:.1f} GiB), "
            f"but {free:,} bytes are available; {remedy}"
        )


def host_array(name: str, value: Any) -> np.ndarray:
    """Return numbers or nested lists of them as a NumPy array."""
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise ValueError(f"`{name}` must be a rectangular array of numbers, got {error}") from error
    if array.dtype.kind not in "biufc":
        raise TypeError(f"`{name}` must be an array of numbers, got {describe(value)}")
    return array
