"""Docstrings say of every public name what goes in, what comes out and what is raised."""

from __future__ import annotations

import inspect

import docstrings
import pytest
from test_doors import public_modules

from dlnlab.numerics import checks


def public_callables():
    found = {}
    for name, module in public_modules().items():
        for item in module.__all__:
            value = getattr(module, item)
            if getattr(value, "__module__", "").startswith("dlnlab"):
                found |= {
                    full: rest for full, *rest in docstrings.callables(f"{name}.{item}", value)
                }
    return found


PUBLIC = public_callables()


@pytest.mark.parametrize("name", PUBLIC)
def test_a_docstring_is_whole(name):
    value, over = PUBLIC[name]
    assert docstrings.gaps(value, over) == []
    assert inspect.getdoc(value)


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
