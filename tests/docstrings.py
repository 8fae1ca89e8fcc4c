"""What a docstring owes its reader: each parameter, what comes back, and what is raised."""

from __future__ import annotations

import ast
import enum
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

NOTHING = {None, "None", inspect.Signature.empty, "NoReturn", "Iterator[None]"}


def sections(text: str | None) -> dict[str, list[str]]:
    """Return the sections of a numpydoc docstring, each as its lines."""
    lines = inspect.cleandoc(text or "").split("\n")
    heads = [k for k in range(len(lines) - 1) if re.fullmatch("-{3,}", lines[k + 1])]
    ends = [*heads[1:], len(lines)][: len(heads)]
    return {lines[k]: lines[k + 2 : end] for k, end in zip(heads, ends, strict=True)}


def described(text: str | None) -> set[str]:
    """Return the parameters and attributes that a docstring has an entry for."""
    found = sections(text)
    kinds = ("Parameters", "Other Parameters", "Attributes")
    heads = [line for kind in kinds for line in found.get(kind, []) if line[:1].strip()]
    return {name.strip(" *") for head in heads for name in head.split(" : ")[0].split(",")}


def gaps(value: Callable[..., Any], base: Callable[..., Any] | None = None) -> list[str]:
    """Return what the docstring of a function or class leaves out.

    Parameters
    ----------
    value : callable
    base : callable, optional
        What it overrides, whose docstring says the rest, or the class that it extends.
    """
    text = "\n\n".join(inspect.cleandoc(part.__doc__ or "") for part in (value, base) if part)
    told = sections(text)
    signature = _signature(value)
    known = described(value.__doc__) | (described(base.__doc__) if base else set())
    names = {name for name in signature.parameters if not name.startswith("_")}
    found = sorted(names - known - {"self", "cls"})
    returns = not isinstance(value, type) and signature.return_annotation not in NOTHING
    if returns and not {"Returns", "Yields"} & set(told):
        found.append("Returns")
    if raises(value) and "Raises" not in told:
        found.append("Raises")
    return found


def _signature(value: Callable[..., Any]) -> inspect.Signature:
    """Return the signature; a protocol, and a class that its built-in base makes, have none."""
    if getattr(value, "_is_protocol", False):
        return inspect.Signature()
    try:
        return inspect.signature(value)
    except ValueError:
        return inspect.Signature()


def raises(value: Callable[..., Any]) -> bool:
    """Whether a function, or the making of an object, raises or checks its arguments."""
    if getattr(value, "_is_protocol", False):
        return False
    if isinstance(value, type):
        own = [vars(value).get(name) for name in ("__init__", "__post_init__", "__new__")]
        return any(raises(part) for part in own if inspect.isfunction(part))
    if value.__code__.co_filename.startswith("<"):  # made by `dataclass`, without a source
        return False
    return any(map(_refuses, ast.walk(ast.parse(textwrap.dedent(inspect.getsource(value))))))


def _refuses(node: ast.AST) -> bool:
    if isinstance(node, ast.Raise):
        return node.exc is not None and "NotImplementedError" not in ast.unparse(node.exc)
    called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
    return called.startswith("checks.") and called != "checks.describe"


def callables(name: str, value: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield a public callable, and a class's methods, each with what it overrides."""
    if not (inspect.isfunction(value) or inspect.isclass(value)):
        return
    if not isinstance(value, type):
        yield name, value, None
    elif not issubclass(value, enum.Enum | BaseException):
        bases = [base for base in value.__mro__[1:] if base.__module__.startswith("dlnlab")]
        yield name, value, next(iter(bases), None)
        for item, part in vars(value).items():
            function = part.__func__ if isinstance(part, classmethod | staticmethod) else part
            if inspect.isfunction(function) and not item.startswith("_"):
                over = next((vars(base)[item] for base in bases if item in vars(base)), None)
                yield f"{name}.{item}", function, over if inspect.isfunction(over) else None
