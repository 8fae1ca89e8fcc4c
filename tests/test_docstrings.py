"""Docstrings say of every public name what goes in, what comes out and what is raised."""

from __future__ import annotations

import importlib
import inspect

import docstrings
import pytest
import structure
from test_doors import public_modules

from dlnlab.numerics import checks


def package():
    """Return all modules by name, those of proofs and validations too."""
    names = (name for name in structure.files() if not name.endswith("__main__"))
    return {name: importlib.import_module(name) for name in names}


def callables_of(modules):
    found = {}
    for name, module in modules.items():
        for item in module.__all__:
            value = getattr(module, item)
            if getattr(value, "__module__", "").startswith("dlnlab"):
                found |= {
                    full: rest for full, *rest in docstrings.callables(f"{name}.{item}", value)
                }
    return found


PUBLIC = callables_of(public_modules() | package())


@pytest.mark.parametrize("name", PUBLIC)
def test_a_docstring_is_whole(name):
    value, over = PUBLIC[name]
    assert docstrings.gaps(value, over) == []
    assert inspect.getdoc(value)


def test_every_name_is_explained():
    bare = [
        f"{name}.{item}"
        for name, module in package().items()
        for item in module.__all__
        if inspect.isfunction(value := getattr(module, item)) or inspect.isclass(value)
        if not inspect.getdoc(value) and value.__name__ != "<lambda>"
    ]
    assert bare == []


def add(a, *others):
    """Return a sum.

    Parameters
    ----------
    a : float
    *others
        Further numbers.

    Returns
    -------
    float

    Raises
    ------
    TypeError, ValueError
        If `a` is no positive number.
    """
    return checks.positive("a", a) + sum(others)


@pytest.mark.parametrize(
    ("text", "gap"),
    [("a : float", "a"), ("*others", "others"), ("Returns", "Returns"), ("Raises", "Raises")],
)
def test_what_is_left_out_is_noticed(text, gap):
    def less(a, *others) -> float:
        return checks.positive("a", a) + sum(others)

    less.__doc__ = add.__doc__
    assert docstrings.gaps(less) == []
    less.__doc__ = add.__doc__.replace(text, "-")
    assert docstrings.gaps(less) == [gap]
