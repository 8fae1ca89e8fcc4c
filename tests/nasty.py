"""Values that no caller should pass, and who may take which of them all the same."""

from __future__ import annotations

import collections.abc
import decimal
import fractions
import pathlib
from typing import Any

import array_api_strict
import numpy as np
import scipy.sparse

import dlnlab


class Anything:
    """Can be called with anything, and is good for nothing."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        pass


class Everything:
    """Has every attribute, as a mock has, all of them itself."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self


class Broken:
    """Raises whatever is asked of it."""

    def _raise(self, *arguments: Any, **options: Any) -> Any:
        raise RuntimeError("broken on purpose")

    __len__ = __iter__ = __getitem__ = __array__ = __float__ = __index__ = __repr__ = _raise
    __bool__ = __eq__ = __hash__ = __fspath__ = _raise


class BrokenInteger(int):
    """A number that cannot be read."""

    def _raise(self) -> Any:
        raise ArithmeticError("broken on purpose")

    __int__ = __index__ = __float__ = _raise


class BrokenFloat(float):
    """Another one."""

    def __float__(self) -> float:
        raise ArithmeticError("broken on purpose")


class BrokenList(list):
    """A list that cannot be read."""

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Any:
        raise LookupError("broken on purpose")


class Long(collections.abc.Sequence):
    """So many ones, none of them there."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: Any) -> float:
        return 1.0


def anything(*arguments: Any, **options: Any) -> None:
    """Take anything and do nothing."""


def endless() -> list[Any]:
    """Return a list that holds itself."""
    loop: list[Any] = []
    loop.append(loop)
    return loop


EYE = np.eye(3)
MASKED = np.ma.array(EYE, mask=EYE > 0)

VALUES: dict[str, Any] = {
    "None": None,
    "True": True,
    "False": False,
    "np.True_": np.True_,
    "Ellipsis": ...,
    "0": 0,
    "1": 1,
    "2": 2,
    "-1": -1,
    "0.0": 0.0,
    "1.0": 1.0,
    "2.5": 2.5,
    "-2.5": -2.5,
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": float("-inf"),
    "1e308": 1e308,
    "-1e308": -1e308,
    "5e-324": 5e-324,
    "1e-300": 1e-300,
    "10**9": 10**9,
    "10**30": 10**30,
    "10**400": 10**400,
    "-10**400": -(10**400),
    "10**5000": 10**5000,
    "np.int64": np.int64(3),
    "np.float16": np.float16(2),
    "np.float32": np.float32(2),
    "np.longdouble": np.longdouble(2),
    "np.complex128": np.complex128(1),
    "np.timedelta64": np.timedelta64(1, "s"),
    "np.datetime64": np.datetime64("2020-01-01"),
    "Fraction": fractions.Fraction(1, 2),
    "Decimal": decimal.Decimal("0.5"),
    "1j": 1j,
    "empty text": "",
    "text": "nonsense",
    "digit": "1",
    "NUL": "a\0b",
    "long text": "x" * 10_000,
    "bytes": b"nonsense",
    "two bytes": bytearray(b"ab"),
    "view of bytes": memoryview(b"ab"),
    "path": pathlib.Path("nonsense"),
    "[]": [],
    "()": (),
    "{}": {},
    "set": {1, 2},
    "[1, 2]": [1, 2],
    "[2.0, 1.0]": [2.0, 1.0],
    "[nan]": [float("nan")],
    "[True]": [True],
    "['a']": ["a"],
    "[None]": [None],
    "[1j]": [1j],
    "[10**400]": [10**400],
    "ragged": [[1.0, 2.0], [3.0]],
    "endless": endless(),
    "dict": {"a": 1},
    "range": range(3),
    "huge range": range(10**15),
    "iterator": iter([1.0]),
    "object": object(),
    "broken": Broken(),
    "everything": Everything(),
    "type": Anything,
    "function": anything,
    "function of nothing": lambda: None,
    "module": np,
    "Generator": np.random.default_rng(0),
    "RandomState": np.random.RandomState(0),
    "scalar array": np.array(1.0),
    "empty array": np.array([]),
    "empty matrix": np.zeros((0, 3)),
    "vector": np.ones(3),
    "descending": np.array([3.0, 2.0, 1.0]),
    "matrix": EYE,
    "half matrix": EYE.astype(np.float16),
    "extended matrix": EYE.astype(np.longdouble),
    "integer matrix": EYE.astype(int),
    "Boolean matrix": EYE > 0,
    "complex matrix": 1j * EYE,
    "NaN matrix": np.full((3, 3), np.nan),
    "infinite matrix": np.full((3, 3), np.inf),
    "1e308 matrix": 1e308 * EYE,
    "object matrix": EYE.astype(object),
    "text matrix": EYE.astype(str),
    "date matrix": EYE.astype("datetime64[s]"),
    "records": np.zeros(3, dtype=[("a", float)]),
    "masked matrix": MASKED,
    "list of masked": [MASKED[0], MASKED[1]],
    "np.matrix": EYE.view(np.matrix),
    "strict matrix": array_api_strict.asarray(EYE),
    "sparse matrix": scipy.sparse.csr_array(EYE),
    "factored": dlnlab.FactoredTarget(EYE, [3.0, 2.0, 1.0], EYE),
    "list of matrices": [EYE, EYE],
    "list of masked matrices": [MASKED, MASKED],
    "stack": np.stack([EYE, EYE]),
    "many axes": EYE.reshape((1,) * 40 + (3, 3)),
    "broken integer": BrokenInteger(2),
    "broken float": BrokenFloat(2),
    "broken list": BrokenList([1.0, 2.0]),
    "long sequence": Long(10**12),
    "negative length": Long(-1),
    "repeated number": np.broadcast_to(1.0, 10**12),
    "repeated matrix": np.broadcast_to(1.0, (10**6, 10**6)),
    "repeated bytes": np.broadcast_to(np.int8(1), (10**6, 10**6)),
    "tall sparse matrix": scipy.sparse.coo_array(([1.0], ([0], [0])), shape=(10**12, 3)),
}

# ------------------------------------------------------------------ what arguments may take

WHOLE = {"0", "1", "2", "-1", "np.int64", "10**9", "10**30"}
COUNT = {"0", "1", "2", "np.int64"}
"""Small enough to carry out."""

POSITIVE = {
    *("1", "2", "1.0", "2.5", "10**9", "10**30", "1e-300", "np.int64", "Fraction"),
    *("np.float16", "np.float32", "np.longdouble"),
}
NUMBER = POSITIVE | {"0", "0.0", "-1", "-2.5"}
LOOSE = NUMBER | {"nan", "inf", "-inf", "1e308", "-1e308", "5e-324"}
FLAG = {"True", "False", "np.True_"}
TEXT = {"empty text", "text", "digit", "NUL", "long text"}
PATH = {"text", "digit", "path"}
CALL = {"type", "function", "everything"}
SEED = {"0", "1", "2", "np.int64", "10**9", "10**30", "Generator"}
SEQUENCE = {"[]", "()", "range"}
MATRIX = {
    *("matrix", "half matrix", "extended matrix", "integer matrix", "np.matrix", "strict matrix"),
    "stack",
}
UNKNOWN = {"NaN matrix", "infinite matrix", "1e308 matrix"}
"""Entries that an array may have where they are results."""

VECTOR = {"vector", "descending", "[1, 2]", "[2.0, 1.0]", "range", "empty array", "[]", "()"}
LIKE = {"matrix", "strict matrix", "vector", "empty array", "empty matrix", "scalar array"}
LIKE |= {
    "np.float32",
    "np.matrix",
    "descending",
    "stack",
    "NaN matrix",
    "infinite matrix",
    "1e308 matrix",
    "many axes",
    "repeated number",
    "repeated matrix",
}
NETWORK = {"list of matrices"}
