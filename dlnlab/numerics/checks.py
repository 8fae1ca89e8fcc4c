"""Argument checks: what every public door of the package asks of what it is given.

Every message names the argument in backticks, says what it must be and what it was, and where it
helps, what to do instead.  Checks run before any work starts.

Two rules hold at every door.

Precision: numbers are computed with in the precision they are given in if that is single or double;
everything else that is real (integers, half and extended precision) becomes double.  A half's bits
are kept exactly, an extended number is rounded once.  What would not arrive in double, as in a
library whose 64-bit numbers are switched off, is refused.

Size: a number must have a finite reciprocal, so a positive one lies between 2.2e-308 and 4.5e307;
entries of arrays must have squares that can be added up, so they are below 1e150 in double
precision and below 1e15 in single.
"""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import inspect
import math
import numbers
import os
import sys
import types
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import scipy.sparse

from dlnlab.numerics import arrays
from dlnlab.numerics.arrays import Array

__all__ = [
    "BIGGEST",
    "DEEPEST",
    "LARGEST",
    "LONGEST_NAME",
    "MOST_AXES",
    "MOST_ITEMS",
    "PURPOSES",
    "SMALLEST",
    "TEXTS",
    "UNNOTICED",
    "adopted",
    "array",
    "choice",
    "compressed_rows",
    "dense",
    "describe",
    "fields",
    "finite",
    "fits_in_memory",
    "flag",
    "function",
    "generator",
    "host_array",
    "in_double",
    "instance",
    "integer",
    "is_sequence",
    "items",
    "last_axes",
    "like",
    "listed",
    "matrix",
    "nonnegative",
    "nonnegative_array",
    "number",
    "numbers_in",
    "path",
    "path_text",
    "per_member",
    "plain_array",
    "positive",
    "random_source",
    "real",
    "require_double",
    "resident",
    "seed",
    "sequence",
    "shape",
    "share",
    "singular_values",
    "slack",
    "start",
    "stored_once",
    "text",
    "vector",
]

LARGEST = {"float64": 1e150, "float32": 1e15}
"""Sizes up to which a hundred million squares can be added up in a precision."""

SMALLEST = float(np.finfo(float).tiny)
"""Smaller positive numbers have lost digits, and their reciprocals overflow."""

BIGGEST = 1 / SMALLEST
"""The reciprocal of a bigger number has lost digits."""

DEEPEST = 10_000
"""Layers of the deepest network: every layer takes an array and a few calls of its own."""

MOST_AXES = 16
"""Of an array: many more than batches have, and fewer than the 32 where functions of NumPy end."""

TEXTS = (str, bytes, bytearray, memoryview)

LONGEST_NAME = 255
"""Bytes of a file's name on all common systems."""

MOST_ITEMS = 10**7
"""Of a Python sequence; they take half a gigabyte."""

_SOON = 2**24
"""Bytes of an array that takes longer to convert than to look at what is free."""

PURPOSES = ("target", "network", "mask", "ensemble")


def describe(value: object) -> str:
    """Return a short description of a bad value, for the end of a message.

    Parameters
    ----------
    value : object

    Returns
    -------
    str
    """
    try:
        if arrays.is_array(value):
            shape = tuple(value.shape)  # type: ignore[attr-defined]  # an array has one
            return f"an array of shape {shape} and dtype {arrays.dtype_name(value)}"
        text = repr(value)
    except Exception:  # of an object's own making, or an integer of too many digits
        return f"a value of type {type(value).__name__}"
    return text if len(text) <= 60 else f"{text[:57]}..."


def _is_of(value: Any, kind: type) -> bool:
    """Tell whether a value is a number of a kind; truth values and times pass for integers too."""
    return isinstance(value, kind) and not isinstance(value, bool | np.bool_ | np.timedelta64)


def integer(name: str, value: Any, low: int, high: int | None = None, *, bits: int = 63) -> int:
    """Return `value` as an int in ``low…high``, or raise ``TypeError`` or ``ValueError``.

    Without `high` it must have at most `bits` bits, 63 for a count.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.
    low : int
    high : int, optional
        No limit by default.
    bits : int
        As many as it may have.

    Returns
    -------
    int

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    bounds = f">= {low}" if high is None else f"between {low} and {high}"
    if not _is_of(value, numbers.Integral):
        raise TypeError(f"`{name}` must be an integer {bounds}, got {describe(value)}")
    try:
        number = int(value)
    except Exception as error:  # of an object's own making
        raise TypeError(f"`{name}` must be an integer {bounds}, got {describe(value)}") from error
    if number < low or (high is not None and number > high):
        raise ValueError(f"`{name}` must be an integer {bounds}, got {describe(number)}")
    if high is None and number.bit_length() > bits:
        raise ValueError(
            f"`{name}` must be an integer {bounds} of at most {bits} bits, got {describe(number)}"
        )
    return number


def real(name: str, value: Any, requirement: str) -> float:
    """Return `value` as a finite float; `requirement` finishes the sentence of the message.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.
    requirement : str
        What it must be, for the message.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if not _is_of(value, numbers.Real):
        raise TypeError(f"`{name}` must be {requirement}, got {describe(value)}")
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    except Exception as error:  # of an object's own making
        raise TypeError(f"`{name}` must be {requirement}, got {describe(value)}") from error
    if not math.isfinite(found):
        raise ValueError(f"`{name}` must be {requirement}, got {describe(value)}")
    if abs(found) > BIGGEST:
        raise ValueError(
            f"`{name}` must be {requirement} and of size {BIGGEST:.1e} at most, got "
            f"{describe(value)}; use other units"
        )
    return found


def number(name: str, value: Any) -> float:
    """Return `value` as a float, which may be infinite or NaN.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if not _is_of(value, numbers.Real):
        raise TypeError(f"`{name}` must be a number, got {describe(value)}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"`{name}` must fit in a double, got {describe(value)}") from None
    except Exception as error:  # of an object's own making
        raise TypeError(f"`{name}` must be a number, got {describe(value)}") from error


def positive(name: str, value: Any) -> float:
    """Return `value` as a float > 0.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    number = real(name, value, "a finite number > 0")
    if number < SMALLEST:
        least = f" (the smallest is {SMALLEST:.1e})" if number > 0 else ""
        raise ValueError(f"`{name}` must be a finite number > 0{least}, got {describe(value)}")
    return number


def nonnegative(name: str, value: Any) -> float:
    """Return `value` as a float >= 0.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    number = real(name, value, "a finite number >= 0")
    if number < 0:
        raise ValueError(f"`{name}` must be a finite number >= 0, got {describe(value)}")
    return number + 0.0  # which makes 0 of −0


def share(name: str, value: Any, *, zero: bool = False) -> float:
    """Return `value` as a float > 0, or >= 0 if `zero`, and < 1.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.
    zero : bool
        Whether 0 is allowed.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    number = nonnegative(name, value) if zero else positive(name, value)
    if number >= 1:
        least = ">= 0" if zero else "> 0"
        raise ValueError(f"`{name}` must be a finite number {least} and < 1, got {describe(value)}")
    return number


def start(eps: Any, depth: Any) -> tuple[float, int]:
    """Return the scale and the depth of a start, whose end-to-end scale ε^L must be finite.

    Parameters
    ----------
    eps : float
        ε.
    depth : int
        L.

    Returns
    -------
    (float, int)

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    eps, depth = positive("eps", eps), integer("depth", depth, 2)
    if depth > DEEPEST:
        raise ValueError(f"`depth` must be an integer >= 2 and at most {DEEPEST}, got {depth}")
    if depth * math.log(eps) > math.log(LARGEST["float64"]):
        raise ValueError(
            f"`eps` must have a power eps**depth of {LARGEST['float64']:g} at most, since squares "
            f"must be finite, got {eps:g} with depth {depth}"
        )
    return eps, depth


def per_member(name: str, value: Any, *, zero: bool = False) -> float | np.ndarray:
    """Return a number > 0, or >= 0 if `zero`, or an array of such numbers for a batch.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.
    zero : bool
        Whether 0 is allowed.

    Returns
    -------
    float or array

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if not arrays.is_array(value) and not isinstance(value, list | tuple):
        return nonnegative(name, value) if zero else positive(name, value)
    requirement = f"a number {'>= 0' if zero else '> 0'} or an array of them, one per member"
    try:
        found = numbers_in(name, value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"`{name}` must be {requirement}: {error}") from error
    if not found.size or not ((found >= 0) if zero else (found >= SMALLEST)).all():
        raise ValueError(f"`{name}` must be {requirement}, got {describe(value)}")
    return found


def flag(name: str, value: Any) -> bool:
    """Return `value` if it is True or False.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    bool

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"`{name}` must be True or False, got {describe(value)}")
    return bool(value)


def text(name: str, value: Any) -> str:
    """Return `value` if it is a string.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    str
    """
    return instance(name, value, str, "a string")


def path_text(name: str, value: Any) -> str:
    """Return a path as a string, whether or not a file can have it.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    str

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    try:
        found = os.fspath(value)
    except Exception as error:  # no path, or one of an object's own making
        raise TypeError(f"`{name}` must be a path, got {describe(value)}") from error
    if not isinstance(found, str):
        raise TypeError(f"`{name}` must be a path, got {describe(value)}")
    return found


def path(name: str, value: Any) -> str:
    """Return a path as a string.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    str

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    found = path_text(name, value)
    if "\0" in found or not found:
        raise ValueError(f"`{name}` must be a path a file can have, got {describe(value)}")
    if max(len(os.fsencode(part)) for part in found.split(os.sep)) > LONGEST_NAME:
        raise ValueError(
            f"`{name}` must be a path whose names have {LONGEST_NAME} bytes at most, got "
            f"{describe(value)}"
        )
    return found


def function(name: str, value: Any, what: str, takes: int) -> Callable[..., Any]:
    """Return `value` if it can be called with so many arguments; `what` says with which.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.
    what : str
        What it must be, for the message.
    takes : int
        How many arguments it will be called with.

    Returns
    -------
    callable

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if not callable(value):
        raise TypeError(f"`{name}` must be {what}, got {describe(value)}")
    try:
        signature = inspect.signature(value)
    except Exception:  # of a builtin that does not tell, or an object's own making
        return value
    try:
        signature.bind(*range(takes))
    except TypeError as error:
        raise TypeError(f"`{name}` must be {what}, got one that takes others: {error}") from error
    return value


def instance(name: str, value: Any, kind: type | tuple[type, ...], what: str) -> Any:
    """Return `value` if it is of a type; `what` finishes the sentence of the message.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.
    kind : type or tuple of types
    what : str
        What it must be, for the message.

    Returns
    -------
    object

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if not isinstance(value, kind):
        raise TypeError(f"`{name}` must be {what}, got {describe(value)}")
    return value


def is_sequence(value: Any) -> bool:
    """Tell whether a value is a sequence, and not text or bytes, whose items nobody means.

    Parameters
    ----------
    value : object

    Returns
    -------
    bool
    """
    return isinstance(value, Sequence) and not isinstance(value, TEXTS)


def sequence(name: str, value: Any, what: str = "values") -> tuple[Any, ...]:
    """Return a sequence as a tuple; strings and arrays are none.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.
    what : str
        What it must be, for the message.

    Returns
    -------
    tuple of Any

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if not is_sequence(value):
        raise TypeError(f"`{name}` must be a sequence of {what}, got {describe(value)}")
    try:
        few = len(value) <= MOST_ITEMS
        listed = tuple(value) if few else ()
    except Exception as error:  # of an object's own making
        raise TypeError(
            f"`{name}` must be a sequence of {what}, got {describe(value)}, which cannot be read: "
            f"{error}"
        ) from error
    if not few:
        raise ValueError(f"`{name}` must hold at most {MOST_ITEMS} {what}, got {describe(value)}")
    return listed


def items(name: str, value: Any, kind: type | tuple[type, ...], what: str) -> tuple[Any, ...]:
    """Return a sequence of values of one type as a tuple; `what` says what they are.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.
    kind : type or tuple of types
    what : str
        What it must be, for the message.

    Returns
    -------
    tuple of Any

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    listed = sequence(name, value, what)
    for k, item in enumerate(listed):
        if not isinstance(item, kind):
            raise TypeError(
                f"`{name}[{k}]` must be one of a sequence of {what}, got {describe(item)}"
            )
    return listed


def listed(name: str, value: Any) -> Any:
    """Return a NumPy array of one axis as a list, and all else as it is.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    object

    Raises
    ------
    ValueError
        If there are too many numbers for a Python sequence.
    """
    if not isinstance(value, np.ndarray) or value.ndim != 1:
        return value
    if value.size > MOST_ITEMS:
        raise ValueError(f"`{name}` must hold at most {MOST_ITEMS} numbers, got {describe(value)}")
    return value.tolist()


def choice(name: str, value: Any, options: Iterable[str]) -> str:
    """Return `value` if it is one of `options`.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.
    options : iterable of str

    Returns
    -------
    str

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    options = tuple(options)
    if not isinstance(value, str):
        raise TypeError(f"`{name}` must be one of {list(options)}, got {describe(value)}")
    if value not in options:
        raise ValueError(f"`{name}` must be one of {list(options)}, got {describe(value)}")
    return value


def generator(name: str, value: Any, purpose: str) -> np.random.Generator:
    """Return the stream of random numbers for one purpose, from a generator or an integer seed.

    Every purpose has its own child stream, so that a target and a network drawn with the same seed
    are independent: drawn from the same stream, they would share their numbers.  A generator hands
    out new children at every call.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.
    purpose : str
        Which of `PURPOSES`.

    Returns
    -------
    numpy.random.Generator

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    source = random_source(name, value)
    try:
        children = source.spawn(len(PURPOSES))
    except TypeError as error:
        raise TypeError(f"`{name}` must be a generator that can spawn others: {error}") from error
    return children[PURPOSES.index(purpose)]


def random_source(name: str, value: Any) -> np.random.Generator:
    """Return a generator, or the one that an integer seed stands for, and leave it as it is.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    numpy.random.Generator

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if _is_of(value, numbers.Integral):
        return np.random.default_rng(seed(name, value))
    if not isinstance(value, np.random.Generator):
        raise TypeError(
            f"`{name}` must be a numpy.random.Generator or an integer seed, got {describe(value)}; "
            "create one with numpy.random.default_rng(0)"
        )
    return value


def seed(name: str, value: Any) -> int:
    """Return an integer seed >= 0, of as many bits as the system's own seeds have.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    int
    """
    return integer(name, value, 0, bits=128)


def shape(name: str, value: Any) -> tuple[int, int]:
    """Return a matrix shape (d_out, d_in) of two integers >= 1.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    (int, int)

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    pair = sequence(name, value, "two integers, (d_out, d_in)") if is_sequence(value) else ()
    if len(pair) != 2:
        raise TypeError(f"`{name}` must be a pair (d_out, d_in), got {describe(value)}")
    return integer(f"{name}[0]", pair[0], 1), integer(f"{name}[1]", pair[1], 1)


def array(
    name: str,
    value: Any,
    *,
    ndim: int | None = None,
    least: int = 0,
    are_finite: bool = True,
    are_sized: bool = True,
    are_read: bool = True,
) -> Array:
    """Return `value` as a plain array of real numbers, in single or double precision.

    This is the one door for arrays: the module's rules of precision and size are applied here.  An
    array of a library stays there; lists become NumPy arrays, and so do NumPy's subclasses, which
    multiply or index in their own ways, frames, and torch tensors (`arrays.adopted`).

    Parameters
    ----------
    name : str
        Of the argument.
    value : array or nested lists of numbers
    ndim, least : int, optional
        How many axes it must have, exactly or at least.
    are_finite, are_sized : bool
        Whether NaN and infinite entries are refused, and finite ones too large to be squared.
    are_read : bool
        Whether those that `numpy.broadcast_to` repeats must have room, as what looks at them needs.

    Returns
    -------
    array

    Raises
    ------
    TypeError
        If it is not numeric, is boolean, complex, or masked.
    ValueError
        If it has the wrong number of axes, or entries that are not finite or too large.
    """
    found = value if _is_plain(value) else _plain(name, value)
    if found.ndim != ndim if ndim is not None else found.ndim < least:
        axes = f"exactly {ndim} axes" if ndim is not None else _least_axes(least)
        raise ValueError(f"`{name}` must have {axes}, got {describe(found)}")
    if found.ndim > MOST_AXES:
        raise ValueError(f"`{name}` must have at most {MOST_AXES} axes, got {describe(found)}")
    if are_finite:
        return finite(name, found, are_sized=are_sized)
    if are_read and _is_repeated(found):
        _require_room(name, found)
    return found


def _is_plain(value: Any) -> bool:
    """Tell whether `value` is what `array` would make of it, for the host; takes 0.2 µs."""
    return type(value) is np.ndarray and value.dtype in (np.float64, np.float32)


def _plain(name: str, value: Any) -> Array:
    """Return `value` as a plain array in single or double precision."""
    value = adopted(name, value)
    found = value if _is_elsewhere(value) else host_array(name, value)
    xp = arrays.namespace(found)
    if xp.isdtype(found.dtype, "complex floating"):
        raise TypeError(f"`{name}` must be real, got {describe(found)}; pass its real part")
    if not xp.isdtype(found.dtype, ("integral", "real floating")):
        raise TypeError(
            f"`{name}` must be numeric, got {describe(found)}; convert it with .astype(float)"
        )
    if arrays.dtype_name(found) not in LARGEST:
        _require_room(name, found)
    return _working(name, found)


def _require_room(name: str, found: Array) -> None:
    """Raise ValueError unless numbers that are not there in memory yet have room."""
    size = 8 * math.prod(found.shape)
    if size > _SOON:
        fits_in_memory(f"`{name}`: {describe(found)} in double precision", size, found)


def _is_repeated(found: Array) -> bool:
    """Tell whether not all numbers are there in memory, as of what `numpy.broadcast_to` returns."""
    strides = found.strides if isinstance(found, np.ndarray) else ()
    return any(stride == 0 and n > 1 for stride, n in zip(strides, found.shape, strict=False))


def adopted(name: str, value: Any) -> Any:
    """Return frames and tensors as arrays (`arrays.adopted`), and all else as it is.

    A masked array of which nothing is masked is the array of its data.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    object

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if isinstance(value, np.ma.MaskedArray) and not np.ma.is_masked(value):
        return np.asarray(value.data)
    try:
        return arrays.adopted(value)
    except Exception as error:  # of an object's own making, too, such as a mock
        raise TypeError(f"`{name}` must be an array that NumPy can read: {error}") from error


def dense(name: str, value: Any) -> Any:
    """Return a SciPy sparse matrix with its zeros, if that fits in memory; all else as it is.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    object
    """
    if not scipy.sparse.issparse(value):
        return value
    stored_once(name, value)
    size = math.prod(value.shape) * value.dtype.itemsize
    fits_in_memory(f"`{name}`: the dense matrix of shape {tuple(value.shape)}", size)
    return value.toarray()


def stored_once(name: str, sparse: Any) -> Any:
    """Return a sparse matrix in compressed rows of its own, if no entry is stored twice.

    What is stored twice would be added up, whether it is meant or was a slip.

    Parameters
    ----------
    name : str
    sparse : scipy.sparse array, shape (d_out, d_in)
        Or one of CuPy's.

    Returns
    -------
    scipy.sparse array, shape (d_out, d_in)

    Raises
    ------
    ValueError
        If one is stored twice.
    """
    rows, stored = compressed_rows(name, sparse), sparse.tocoo().nnz
    if rows.nnz != stored:
        raise ValueError(
            f"`{name}` must store every entry once, got {stored} stored entries in "
            f"{rows.nnz} places; add them up with sum_duplicates() if that is meant"
        )
    return rows


def compressed_rows(name: str, sparse: Any) -> Any:
    """Return a sparse matrix in compressed rows of its own, which must fit in memory.

    There is a number for every row, empty ones too; what is stored twice is added up.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    sparse : scipy.sparse array, shape (d_out, d_in)
        Or one of CuPy's.

    Returns
    -------
    scipy.sparse array, shape (d_out, d_in)
    """
    size = 8 * (sparse.shape[0] + 1) + 2 * 8 * sparse.nnz
    what = f"`{name}`: {sparse.nnz} entries in {sparse.shape[0]} rows"
    fits_in_memory(what, size, remedy="leave out empty rows, or transpose it")
    return sparse.tocoo().tocsr()


def _is_elsewhere(value: Any) -> bool:
    """Tell whether `value` is an array of another library than NumPy."""
    return arrays.is_array(value) and not isinstance(value, np.ndarray | np.generic)


def _least_axes(least: int) -> str:
    return f"at least {least} axes" + (", (..., d_out, d_in)" if least == 2 else "")


def _working(name: str, array: Array) -> Array:
    """Return an array in single or double precision: its own, or else double."""
    return array if arrays.dtype_name(array) in LARGEST else in_double(name, array)


def in_double(name: str, array: Array) -> Array:
    """Return an array in double precision, itself if it is.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    array : array

    Returns
    -------
    array
    """
    if arrays.dtype_name(array) == "float64":
        return array
    xp = arrays.namespace(array)
    with np.errstate(over="ignore"):  # then it is infinite, which is refused
        return require_double(name, array, xp.astype(array, xp.float64))


def require_double(name: str, array: Array, converted: Array) -> Array:
    """Return what an array was converted to, or raise TypeError unless that is in double precision.

    A library may have single precision only, as JAX unless told otherwise; what it computes would
    be wrong by far more than the rounding that is counted on.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    array : array
    converted : array

    Returns
    -------
    array

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if arrays.dtype_name(converted) != "float64":
        raise TypeError(
            f"`{name}` must be convertible to float64, got {describe(array)} in a library that "
            f"gives another type; pass numpy.asarray({name}), or switch its 64-bit numbers on "
            "(JAX: jax_enable_x64)"
        )
    return converted


def matrix(
    name: str,
    value: Any,
    *,
    ndim: int | None = None,
    are_finite: bool = True,
    are_sized: bool = True,
    are_read: bool = True,
) -> Array:
    """Return `value` as `array` does, with at least two axes, none of them empty.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.
    ndim : int, optional
        How many axes; any number by default.
    are_finite : bool
        Whether entries must be finite.
    are_sized : bool
        Whether their squares must be finite, too.
    are_read : bool
        As for `array`.

    Returns
    -------
    array

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    found = array(name, value, ndim=ndim, least=2, are_finite=False, are_read=are_read)
    if 0 in found.shape:
        raise ValueError(f"`{name}` must not be empty, got {describe(found)}")
    return finite(name, found, are_sized=are_sized) if are_finite else found


def last_axes(name: str, matrices: Array, shape: tuple[int, int]) -> None:
    """Raise unless matrices have a shape, whatever their batch axes.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    matrices : array, shape (..., rows, columns)
    shape : (int, int)
        What (rows, columns) must be.

    Raises
    ------
    ValueError
        If it is not.
    """
    if tuple(matrices.shape[-2:]) != tuple(shape):
        raise ValueError(
            f"`{name}` must have shape (..., {shape[0]}, {shape[1]}), got {tuple(matrices.shape)}"
        )


def finite(name: str, array: Array, *, are_sized: bool = True) -> Array:
    """Return `array`, in a working precision, if its entries are finite and their squares too.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    array : array
    are_sized : bool
        Whether their squares must be finite, too.

    Returns
    -------
    array

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if 0 in array.shape or _is_small(array):
        return array
    if _is_repeated(array):
        _require_room(name, array)
    xp = arrays.namespace(array)
    bound = LARGEST[arrays.dtype_name(array)] if are_sized else sys.float_info.max
    low, high = float(xp.min(array)), float(xp.max(array))  # NaN, if there is one
    if -bound <= low and high <= bound:
        return array
    bad = int(xp.sum(xp.astype(~xp.isfinite(array), xp.int64)))
    if bad:
        raise ValueError(f"`{name}` must be finite, got {bad} NaN or infinite entries")
    raise ValueError(
        f"`{name}` must be of size {bound:g} at most, since squares must be finite, got entries "
        f"from {low:.3g} to {high:.3g}; use other units"
    )


def _is_small(array: Array) -> bool:
    """Tell whether the sum of squares itself, one reading of the memory, says that all is well."""
    if type(array) is not np.ndarray or not array.flags.c_contiguous:
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.vdot(array, array) <= LARGEST[array.dtype.name] ** 2)


def like(name: str, value: Any) -> Array:
    """Return an array whose library, device and precision new arrays shall have.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    array

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if not arrays.is_array(value) or _is_masked(value):
        raise TypeError(f"`{name}` must be an array without a mask, got {describe(value)}")
    if arrays.dtype_name(value) not in LARGEST:
        raise TypeError(
            f"`{name}` must be a float32 or float64 array, whose type new arrays shall have, got "
            f"{describe(value)}"
        )
    return value


def numbers_in(name: str, value: Any, *, are_finite: bool = True) -> np.ndarray:
    """Return a number, an array or nested lists of numbers as a float64 NumPy array.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.
    are_finite : bool
        Whether entries must be finite.

    Returns
    -------
    array
    """
    value = adopted(name, value)
    value = arrays.to_host(value) if _is_elsewhere(value) else value
    return array(name, value, are_finite=are_finite).astype(np.float64, copy=False)


def vector(name: str, value: Any, size: int | None = None) -> np.ndarray:
    """Return a sequence of finite numbers, so many of them, as a float64 array of one axis.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.
    size : int, optional
        How many; any number by default.

    Returns
    -------
    array

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    found = numbers_in(name, value)
    if found.ndim != 1 or (size is not None and found.size != size):
        count = "" if size is None else f"{size} "
        raise ValueError(f"`{name}` must be a sequence of {count}numbers, got {describe(found)}")
    return found


def nonnegative_array(name: str, value: Any) -> np.ndarray:
    """Return a number or a sequence of numbers >= 0 as a float64 array of one axis.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    array

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    found = np.atleast_1d(numbers_in(name, value))
    if found.ndim != 1 or not found.size or not (found >= 0).all():
        raise ValueError(
            f"`{name}` must be finite numbers >= 0, at least one, got {describe(value)}"
        )
    least = 1 / LARGEST["float64"]
    if not ((found == 0) | (found >= least)).all():
        raise ValueError(
            f"`{name}` must be finite numbers >= 0, 0 or at least {least:g}, since squares must "
            f"not vanish, got {describe(value)}; use other units"
        )
    return found + 0.0  # which makes 0 of −0


def singular_values(name: str, value: Any, count: int) -> np.ndarray:
    """Return `count` singular values, positive and sorted in decreasing order, as float64.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.
    count : int
        How many.

    Returns
    -------
    array

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    requirement = f"{count} finite numbers > 0 in decreasing order"
    try:
        found = numbers_in(name, value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"`{name}` must be {requirement}: {error}") from error
    if found.shape != (count,):
        raise ValueError(f"`{name}` must be {requirement}, got shape {found.shape}")
    if not ((found >= SMALLEST).all() and (np.diff(found) <= 0).all()):
        raise ValueError(f"`{name}` must be {requirement}, got {describe(found.tolist())}")
    return found


UNNOTICED = 2**14
"""Bytes that are not worth a look at what is free, which takes half a millisecond: four pages."""


def slack(num_bytes: int) -> int:
    """Return what may be taken beside arrays of so many bytes, a twelfth.

    The allocator hands out whole pages, and keeps some that are free: up to 5 % were found, which
    differ from run to run.

    Parameters
    ----------
    num_bytes : int

    Returns
    -------
    int
    """
    return num_bytes // 12


def resident(num_bytes: int) -> int:
    """Return the memory that is taken for arrays of so many bytes, with `slack`.

    Parameters
    ----------
    num_bytes : int

    Returns
    -------
    int
    """
    return num_bytes + slack(num_bytes)


def fits_in_memory(
    what: str,
    num_bytes: int,
    reference: Array | None = None,
    *,
    working: int = 0,
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
    working : int
        Bytes that making it takes besides.
    remedy : str
        What to do instead, as the end of the message.

    Raises
    ------
    ValueError
        If there is less memory; the message says how many bytes are needed and left.
    """
    if num_bytes + working <= UNNOTICED:
        return
    free = arrays.available_bytes(reference)
    if num_bytes + working > free:
        besides = f" and {working:,} more to be made" if working else ""
        raise ValueError(
            f"{what} would need {num_bytes:,} bytes ({num_bytes / 2**30:.1f} GiB){besides}, "
            f"but {free:,} bytes are available; {remedy}"
        )


def host_array(name: str, value: Any) -> np.ndarray:
    """Return numbers or nested lists of them as a plain NumPy array, of whatever type they have.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    array

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    found = plain_array(name, value)
    if found.dtype.kind not in "biufc" or isinstance(value, TEXTS):
        what = "numeric" if arrays.is_array(value) else "an array of numbers"
        raise TypeError(f"`{name}` must be {what}, got {describe(value)}")
    if found.dtype.kind != "b" and _is_boolean(value):
        raise TypeError(
            f"`{name}` must be numbers only, got True or False among them: {describe(value)}; "
            "write 1 or 0"
        )
    return found


def plain_array(name: str, value: Any) -> np.ndarray:
    """Return anything as a plain NumPy array; what is masked is refused.

    Parameters
    ----------
    name : str
        Of the argument, for the message.
    value : object
        What was passed.

    Returns
    -------
    array

    Raises
    ------
    TypeError, ValueError
        If it is not.
    """
    if _is_read_by_item(value):
        value = sequence(name, value, "numbers")
    try:
        is_masked = _is_masked(value)
        found = np.empty(0) if is_masked else np.asarray(value)
    except Exception as error:  # of lists that are no rectangle, or of an object's own making
        raise ValueError(f"`{name}` must be a rectangular array of numbers, got {error}") from error
    if is_masked:
        raise TypeError(
            f"`{name}` must be a plain array, got a masked one; for matrix completion pass it to "
            "dlnlab.completion, which takes what is masked as unobserved"
        )
    return found


def _is_read_by_item(value: Any) -> bool:
    """Tell whether a value is a sequence of somebody else's making that NumPy does not know."""
    if type(value) in (list, tuple) or not is_sequence(value) or hasattr(value, "__array__"):
        return False
    try:
        memoryview(value)
    except TypeError:
        return True
    return False


def _is_masked(value: Any) -> bool:
    """Tell whether there is a masked array in nested lists; NumPy would forget its mask."""
    return _holds(value, lambda item: isinstance(item, np.ma.MaskedArray))


def _is_boolean(value: Any) -> bool:
    """Tell whether there is a boolean in nested lists; NumPy makes 1 of True beside a number."""
    return _holds(value, lambda item: np.asarray(item).dtype == bool)


def _holds(value: Any, test: Callable[[Any], bool], depth: int = 0) -> bool:
    """Tell whether one item of nested lists passes a test; plain numbers are not asked."""
    if not isinstance(value, list | tuple) or depth == MOST_AXES:
        return test(value)
    if {*map(type, value)} <= {float, int, np.float64}:
        return False
    return any(_holds(item, test, depth + 1) for item in value)


# ------------------------------------------------------------------ fields of a dataclass


def fields(record: Any) -> None:
    """Raise TypeError unless every field of a dataclass holds what its annotation says.

    To be called by `__post_init__`, which checks values by itself.  A number is real and no bool,
    and may be infinite or NaN where nothing else is asked for.  It becomes one of Python's: those
    of NumPy wrap around, −np.uint64(3) is 18446744073709551613.

    Parameters
    ----------
    record : dataclass instance

    Raises
    ------
    TypeError
        If a field does not.
    """
    kinds = _annotations(type(record))  # type: ignore[arg-type]  # a type is hashable
    for item in dataclasses.fields(record):
        value = getattr(record, item.name)
        if not _is_a(value, kinds[item.name]):
            what = item.type if isinstance(item.type, str) else repr(item.type)
            raise TypeError(
                f"`{item.name}` of {type(record).__name__} must be {what}, got {describe(value)}"
            )
        if kinds[item.name] in (int, float):
            object.__setattr__(record, item.name, kinds[item.name](value))


@functools.cache
def _annotations(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _is_number(value: Any, kind: type) -> bool:
    """Tell whether a value is a number, no bool, that fits in a double."""
    if not _is_of(value, kind):
        return False
    try:
        float(value)
    except Exception:  # beyond a double, or of an object's own making
        return False
    return True


def _is_a(value: Any, kind: Any) -> bool:
    """Tell whether a value is of an annotated type, as deep as sequences and mappings go."""
    origin, inside = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return True
    if kind in (float, int):
        return _is_number(value, numbers.Real if kind is float else numbers.Integral)
    if origin in (typing.Union, types.UnionType):
        return any(_is_a(value, option) for option in inside)
    if origin is None:
        return isinstance(value, kind)
    if origin is collections.abc.Callable:
        return callable(value)
    if not isinstance(value, origin) or isinstance(value, str):
        return False
    if issubclass(origin, collections.abc.Mapping):
        return all(_is_a(k, inside[0]) and _is_a(v, inside[1]) for k, v in value.items())
    if origin is tuple and inside[-1] is not ...:
        return len(value) == len(inside) and all(map(_is_a, value, inside))
    return all(_is_a(item, inside[0]) for item in value)
