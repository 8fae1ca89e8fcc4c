"""What a function computes with, as a hash: its code, and all of its author's that it uses.

Two functions of one name may differ, in two scripts or before and after an edit, and results of the
one are not those of the other.  So the hash goes over the compiled code of a function, without
names of files and numbers of lines, and over what the names in it stand for: functions and classes
in turn, and constants.  What belongs to Python, to installed libraries and to dlnlab is known by
its name.

A name that the code itself assigns is no constant, and neither is a list, dictionary or set that
was empty when it was first seen: it is filled by running, as a cache or a count of calls.
"""

from __future__ import annotations

import dis
import functools
import hashlib
import sys
import sysconfig
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["PLAIN", "is_ours", "of_function"]

PLAIN = (bool, int, float, complex, str, bytes, type(None), type(...))
"""Types whose values are their text."""

_empty_at_first: dict[int, Any] = {}


def is_ours(function: Any) -> bool:
    """Tell whether a function belongs to dlnlab, whose version stands for its code.

    Parameters
    ----------
    function : callable

    Returns
    -------
    bool
    """
    return str(function.__module__).partition(".")[0] == "dlnlab"


def of_function(function: Any) -> str:
    """Return the hash of a function's code and of what it uses.

    It is of Python's own compilation, so it differs between versions of Python.

    Parameters
    ----------
    function : callable

    Returns
    -------
    str

    Examples
    --------
    >>> def mine(text):  # a function of yours; dlnlab's own are known by their names
    ...     return of_function(eval(text, {"__name__": "mine"}))
    >>> mine("lambda x: x + 1") == mine("lambda x: x + 1")
    True
    >>> mine("lambda x: x + 1") == mine("lambda x: x + 2")
    False
    """
    digest = hashlib.sha256()
    for part in _Walk(str(function.__module__).partition(".")[0]).parts(function):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()


class _Walk:
    """A way through all that a function of some package uses, everything with a name once."""

    def __init__(self, package: str) -> None:
        self._package = package
        self._seen: dict[int, Any] = {}  # kept alive, so that no other object gets its number

    def parts(self, value: Any) -> Iterator[str]:
        """Yield texts that tell a value from others."""
        if isinstance(value, PLAIN):
            yield f"{type(value).__name__} {value!r}"
        elif isinstance(value, types.CodeType):
            yield from self._code(value)
        elif isinstance(value, tuple):
            yield f"tuple {len(value)}"
            yield from self._all(value)
        elif isinstance(value, np.ndarray) and not value.dtype.hasobject:
            yield f"array {value.shape} {value.dtype} {value.tobytes().hex()}"
        elif isinstance(value, types.ModuleType) or self._is_known_by_name(value):
            yield f"{getattr(value, '__module__', '')} {getattr(value, '__qualname__', '')}"
        elif id(value) in self._seen:
            yield "again"
        else:
            self._seen[id(value)] = value
            yield from self._once(value)

    def _once(self, value: Any) -> Iterator[str]:
        """The same for what may lead back to itself."""
        yield f"{type(value).__module__} {type(value).__qualname__}"
        if isinstance(value, list | dict | set | frozenset):
            yield from self._container(value)
        elif isinstance(value, functools.partial):
            yield from self._all((value.func, value.args, value.keywords))
        elif isinstance(value, types.MethodType):
            yield from self._all((value.__self__, value.__func__))
        elif isinstance(value, types.FunctionType):
            yield from self._function(value)
        elif isinstance(value, staticmethod | classmethod):
            yield from self.parts(value.__func__)
        elif isinstance(value, property):
            yield from self._all((value.fget, value.fset, value.fdel))
        elif isinstance(value, type):
            yield from self._class(value)
        elif hasattr(value, "__wrapped__"):  # as by functools.cache
            yield from self.parts(value.__wrapped__)

    def _all(self, values: Iterable[Any]) -> Iterator[str]:
        for value in values:
            yield from self.parts(value)

    def _container(self, value: Any) -> Iterator[str]:
        if not value and not isinstance(value, frozenset):
            _empty_at_first.setdefault(id(value), value)
        if _empty_at_first.get(id(value)) is value:
            return
        yield str(len(value))
        if isinstance(value, dict):
            yield from self._all(part for item in value.items() for part in item)
        elif isinstance(value, list):
            yield from self._all(value)
        else:  # whose order differs from process to process
            yield from sorted("\1".join(self.parts(item)) for item in value)

    def _code(self, code: types.CodeType) -> Iterator[str]:
        counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        yield f"code {code.co_code.hex()} {counts}"
        yield f"{code.co_names} {code.co_varnames} {code.co_freevars} {code.co_cellvars}"
        yield from self._all(code.co_consts)

    def _function(self, function: types.FunctionType) -> Iterator[str]:
        yield from self._code(function.__code__)
        yield from self._all((function.__defaults__, function.__kwdefaults__))
        for cell in function.__closure__ or ():
            try:
                yield from self.parts(cell.cell_contents)
            except ValueError:  # a name that has no value yet
                yield "empty"
        names = sorted(set(_names(function.__code__)) - set(_assigned(function.__code__)))
        for name in names:
            if name in function.__globals__:  # if not, a builtin or an attribute
                yield name
                yield from self._named(function.__globals__[name], names)

    def _named(self, value: Any, names: Iterable[str]) -> Iterator[str]:
        """What a name stands for; of a module of the author's, what is used of it."""
        yield from self.parts(value)
        if isinstance(value, types.ModuleType) and not self._is_library(value.__name__):
            for name in names:
                inner = vars(value).get(name)
                if inner is not None and not isinstance(inner, types.ModuleType):
                    yield name
                    yield from self.parts(inner)

    def _class(self, cls: type) -> Iterator[str]:
        skipped = {"__module__", "__doc__", "__dict__", "__weakref__", "__firstlineno__"}
        yield cls.__qualname__
        yield from self._all(cls.__bases__)
        for name, value in sorted(vars(cls).items()):
            if name not in skipped:
                yield name
                yield from self.parts(value)

    def _is_known_by_name(self, value: Any) -> bool:
        if isinstance(value, types.BuiltinFunctionType | types.WrapperDescriptorType | np.ufunc):
            return True
        named = isinstance(value, type | types.FunctionType)
        return named and self._is_library(value.__module__)

    def _is_library(self, name: str | None) -> bool:
        """Whether a module is dlnlab's, Python's, or of a library that is installed."""
        root = (name or "builtins").partition(".")[0]
        return root == "dlnlab" or (root != self._package and _is_installed(root))


def _names(code: types.CodeType) -> Iterator[str]:
    """Yield the names of globals and attributes that a function and those inside it use."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _assigned(code: types.CodeType) -> Iterator[str]:
    """Yield the globals that they assign."""
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _assigned(constant)


@functools.cache
def _is_installed(root: str) -> bool:
    if root == "__main__":
        return False
    if root in sys.stdlib_module_names or root in sys.builtin_module_names:
        return True
    module = sys.modules.get(root)
    where = getattr(module, "__file__", None) or next(iter(getattr(module, "__path__", ())), None)
    if where is None:
        return False
    places = {sysconfig.get_path(kind) for kind in ("purelib", "platlib", "stdlib")}
    path = Path(where).resolve()
    return any(path.is_relative_to(Path(place).resolve()) for place in places if place)
