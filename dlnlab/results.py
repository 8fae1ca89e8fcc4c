"""What every result shares: its values as plain JSON, and the one door to those who present it.

Results draw and print themselves, `result.plot()`, while figures and reports are made from results.
So that no result depends on its painter, the painters are found by name when they are asked for, as
a plotting backend is; nothing else is reached in this way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from importlib import import_module
from typing import Any, Literal

import numpy as np

__all__ = ["Room", "plain", "presenter"]


Room = Literal[
    "plotting",
    "plotting.display",
    "plotting.experiments",
    "plotting.pixels",
    "plotting.runs",
    "report",
]


def presenter(
    room: Room,
) -> Any:
    """Return the module that draws results, `dlnlab.plotting`, or writes them, `dlnlab.report`.

    `dlnlab.plotting.display` registers a result's figure with pyplot, and `dlnlab.plotting.pixels`
    reads images.

    Parameters
    ----------
    room : {"plotting", "report", …}
        The name of the package's folder.

    Returns
    -------
    module
    """
    return import_module(f"dlnlab.{room}")


def plain(value: Any) -> Any:
    """Return `value` in the types JSON has; NaN becomes None, infinities "inf" and "-inf".

    Parameters
    ----------
    value : object
        Numbers, strings, arrays, mappings and sequences of them.

    Returns
    -------
    None, bool, int, float, str, list or dict
    """
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
