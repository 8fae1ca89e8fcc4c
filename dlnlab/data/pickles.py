"""Reading a pickle of a stranger without letting it do anything.

A pickle is a program: it names functions and calls them.  The batches of CIFAR-10 were written by
Python 2 and hold dicts, lists, numbers, byte strings and one NumPy array.  So `parse` admits the
instructions that such data take and no others, and every name that a pickle calls for is answered
by a `Record`, which does nothing but remember what it was given.  What was meant as an array is
read from there, after its type, shape and length have been checked.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
from typing import Any

import numpy as np

__all__ = ["INSTRUCTIONS", "NAMES", "PUTS", "Record", "array_of", "parse"]

NAMES = {
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}
"""What an array of Python 2's NumPy calls for."""

PUTS = {"BINPUT", "LONG_BINPUT"}

INSTRUCTIONS = PUTS | {
    *("PROTO", "STOP", "MARK", "GLOBAL", "REDUCE", "BUILD", "BINGET", "LONG_BINGET"),
    *("NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2"),
    *("BINSTRING", "SHORT_BINSTRING"),
    *("EMPTY_DICT", "SETITEM", "SETITEMS", "EMPTY_LIST", "APPEND", "APPENDS"),
    *("EMPTY_TUPLE", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"),
}


class Record:
    """Stands for whatever a pickle names or makes, and remembers what it was made of.

    Parameters
    ----------
    name : (str, str)
        Module and name.
    arguments : tuple
    """

    __slots__ = ("arguments", "name", "state")

    def __init__(self, name: tuple[str, str], arguments: tuple[Any, ...] = ()) -> None:
        self.name, self.arguments, self.state = name, arguments, None

    def __call__(self, *arguments: Any) -> Record:
        return Record(self.name, arguments)

    def __setstate__(self, state: Any) -> None:
        self.state = state


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in NAMES:
            raise pickle.UnpicklingError(f"it calls for {module}.{name}")
        return Record((module, name))


def parse(where: str, content: bytes) -> Any:
    """Return what a pickle of plain data and arrays holds, with records in the arrays' places.

    Parameters
    ----------
    where : str
        Name of the file, for messages.
    content : bytes

    Returns
    -------
    object

    Raises
    ------
    ValueError
        If it has other instructions, or calls for other names than an array does.
    """
    _check_instructions(where, content)
    try:
        return _Reader(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # an ill-formed pickle raises all kinds
        raise ValueError(f"{where} must be a pickle of plain data and arrays: {error}") from error


def _check_instructions(where: str, content: bytes) -> None:
    """Raise unless a pickle consists of admitted instructions, one `STOP` at its very end.

    An instruction that stores may name a place far away, up to which the reader would make room;
    Python numbers the places from 0 or 1.
    """
    puts, end = 0, 0
    try:
        for instruction, argument, place in pickletools.genops(content):
            end = (place or 0) + 1
            if instruction.name not in INSTRUCTIONS:
                raise ValueError(f"it has the instruction {instruction.name}")
            if instruction.name in PUTS:
                puts += 1
                if int(argument) > puts:  # type: ignore[arg-type]  # it has one
                    raise ValueError(f"it stores its object number {puts} in place {argument}")
    except Exception as error:  # truncated or ill-formed
        raise ValueError(f"{where} must be a pickle of plain data and arrays: {error}") from error
    if end != len(content):
        raise ValueError(f"{where} must end with its pickle, {len(content) - end} bytes follow")


def array_of(where: str, value: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return the array of bytes that a record stands for, which must have that shape.

    Parameters
    ----------
    where : str
        Name of the file, for messages.
    value : object
        As `parse` returns it.
    shape : tuple of int

    Returns
    -------
    array of uint8

    Raises
    ------
    ValueError
        If it stands for something else.
    """
    requirement = f"{where} must hold an array of bytes of shape {shape}"
    state = value.state if isinstance(value, Record) else None
    if not isinstance(state, tuple) or len(state) != 5:
        raise ValueError(f"{requirement}, got {type(value).__name__}")
    _, found, kind, columns_first, content = state
    if not isinstance(kind, Record) or kind.arguments[:1] != (b"u1",):
        raise ValueError(f"{requirement}, but its entries are of another type")
    if found != shape or columns_first is not False:
        raise ValueError(f"{requirement}, rows first, got shape {str(found)[:60]}")
    if not isinstance(content, bytes) or len(content) != math.prod(shape):
        raise ValueError(f"{requirement}, but it has another number of bytes")
    return np.frombuffer(content, np.uint8).reshape(shape)
