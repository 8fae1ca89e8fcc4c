"""What is kept with a result: plain JSON, and what is needed to repeat the run."""

from __future__ import annotations

import datetime
import math
import os
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy

__all__ = ["manifest", "plain"]


def manifest(command: str, parameters: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Return what is needed to repeat a command: its parameters and where it ran.

    Parameters
    ----------
    command : str
        The command line.
    parameters : mapping
        Every setting with its value, defaults included; "seed" is repeated at the top.
    seconds : float
        Wall time.

    Returns
    -------
    dict
        Ready for JSON.  Times are UTC.
    """
    import dlnlab

    return {
        "command": command,
        "seed": plain(parameters.get("seed")),
        "parameters": plain(parameters),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": plain(seconds),
        "versions": {
            "dlnlab": dlnlab.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        "platform": platform.platform(),
        "processors": os.cpu_count(),
    }


def plain(value: Any) -> Any:
    """Return `value` in the types JSON has; NaN becomes None, infinities "inf" and "-inf"."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
