"""What the arrays of a stored run must be, so that a file that was changed is not computed with.

A `Layout` describes one array: its axes by name, its type, its range and its order.  The axes of
one name have one size in all arrays of a file, and the working precision is one too; so arrays that
do not belong together are found without a rule for every pair of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from dlnlab.numerics import checks

__all__ = ["BATCH", "KINDS", "Layout", "check"]

BATCH = "..."
"""Name of the batch axes, of whatever number."""

KINDS = {
    "working": ("float64", "float32"),
    "result": ("float64", "float32"),
    "double": ("float64",),
    "integer": ("int64", "int32"),
    "boolean": ("bool",),
    "text": ("str",),
}
"""Types that an array may have, whatever the length of a text.

All arrays of the working precision have one; a result has that or, where weights in single
precision meet data in double, a double one.
The integers of 32 bits are NumPy's own on some systems before its version 2."""


@dataclass(frozen=True)
class Layout:
    """The shape, the type and the range that an array of a file must have.

    Attributes
    ----------
    axes : str
        Names of the axes with blanks between; ``...`` for the batch axes, and ``a&b`` for an axis
        of the smaller one of two sizes.
    kind : str
        Among `KINDS`.
    spreads : bool
        Whether its batch axes may be fewer, or of size 1.
    least : float, optional
        The smallest entry; NaN is no entry.
    order : str
        "rising" along the first axis, "falling" along the last one, or neither.
    finite : str
        "always"; "unless failed", where members that failed may have other entries; "or NaN"; or
        "free".
    is_needed : bool
    """

    axes: str
    kind: str = "working"
    spreads: bool = False
    least: float | None = None
    order: str = ""
    finite: str = "unless failed"
    is_needed: bool = False


def check(
    content: Mapping[str, np.ndarray],
    layouts: Mapping[str, Layout],
    failed: np.ndarray,
    sizes: Mapping[str, int] | None = None,
) -> None:
    """Raise unless every array is as it must be, and no other is there.

    Parameters
    ----------
    content : mapping of arrays
    layouts : mapping
        In this order sizes are taken from the arrays and asked of the following ones.
    failed : array of bool
        Over the batch: which members may have entries that are not finite.
    sizes : mapping, optional
        Of axes that are known beforehand.

    Raises
    ------
    ValueError
        The message names the array, what it must be, and what it is.
    """
    for name in sorted(content.keys() - layouts.keys()):
        raise ValueError(f"its field `{name}` is none that such a run has")
    known = _Known(failed.shape, sizes or {})
    for name, layout in layouts.items():
        if name not in content:
            if layout.is_needed:
                raise ValueError(f"its field `{name}` must be there, and is missing")
            continue
        array = content[name]
        must = (
            known.must_have_type(array, layout)
            or known.must_have_shape(array, layout)
            or _must_be_ordered(array, layout)
            or _must_be_finite(array, layout, failed)
        )
        if must:
            raise ValueError(f"its field `{name}` must {must}, got {checks.describe(array)}")


class _Known:
    """The sizes of named axes, and the working precision, as far as arrays have shown them."""

    def __init__(self, batch: tuple[int, ...], sizes: Mapping[str, int]) -> None:
        self.batch = [f"batch[{k}]" for k in range(len(batch))]
        self.sizes = dict(zip(self.batch, batch, strict=True)) | dict(sizes)
        self.precision = KINDS["working"]

    def must_have_type(self, array: np.ndarray, layout: Layout) -> str:
        """Return what is asked of a type, if an array has another one."""
        types = self.precision if layout.kind in ("working", "result") else KINDS[layout.kind]
        if layout.kind == "result" and "float64" not in types:
            types = (*types, "float64")
        found = array.dtype.name if array.dtype.kind != "U" else "str"
        if found not in types:
            return f"have dtype {' or '.join(types)}"
        if layout.kind == "working":
            self.precision = (found,)
        return ""

    def must_have_shape(self, array: np.ndarray, layout: Layout) -> str:
        """Return what is asked of a shape, if an array has another one."""
        names = self._names(layout, array.ndim)
        asked = [self._size(name) for name in names]
        thin = [layout.spreads and name in self.batch for name in names]
        if len(names) != array.ndim or not all(
            size in (None, found) or (may and found == 1)
            for size, found, may in zip(asked, array.shape, thin, strict=True)
        ):
            told = [
                name if size is None else str(size) for name, size in zip(names, asked, strict=True)
            ]
            return f"have shape ({', '.join(told)})"
        for name, size, found in zip(names, asked, array.shape, strict=True):
            if size is None:
                self.sizes[name] = found
        return ""

    def _names(self, layout: Layout, ndim: int) -> list[str]:
        """Return the names of all axes, those of the batch one by one."""
        names = layout.axes.split()
        if BATCH not in names:
            return names
        place = names.index(BATCH)
        left = max(0, ndim - len(names) + 1) if layout.spreads else len(self.batch)
        first = max(0, len(self.batch) - left)
        return [*names[:place], *self.batch[first:], *names[place + 1 :]]

    def _size(self, name: str) -> int | None:
        """Return the size of an axis, None while it is not known."""
        sizes = [self.sizes.get(part) for part in name.split("&")]
        return None if None in sizes else min(size for size in sizes if size is not None)


def _must_be_ordered(array: np.ndarray, layout: Layout) -> str:
    """Return what is asked of the entries' range and order, if they have another one."""
    if layout.least is not None and (array < layout.least).any():
        return f"be at least {layout.least:g}"
    if layout.order == "rising" and (array[1:] < array[:-1]).any():
        return "not decrease along its first axis"
    if layout.order == "falling" and (array[..., 1:] > array[..., :-1]).any():
        return "not increase along its last axis"
    return ""


def _must_be_finite(array: np.ndarray, layout: Layout, failed: np.ndarray) -> str:
    """Return what is asked, if there are entries of no member that failed that are not finite."""
    if layout.finite == "free" or array.dtype.kind != "f":
        return ""
    bad = np.isinf(array) if layout.finite == "or NaN" else ~np.isfinite(array)
    if not bad.any():
        return ""
    if layout.finite == "or NaN":
        return "be finite or NaN"
    names = layout.axes.split()
    if layout.finite == "always" or BATCH not in names:
        return "be finite" if layout.finite == "always" or not failed.any() else ""
    after = len(names) - 1 - names.index(BATCH)
    bad = bad.any(axis=tuple(range(names.index(BATCH))) + tuple(range(-after, 0)))
    return "be finite for members that have not diverged" if (bad & ~failed).any() else ""
