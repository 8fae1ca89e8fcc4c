"""What is kept with a result: plain JSON, and what is needed to repeat the run."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np
import scipy

from dlnlab.numerics import threads
from dlnlab.results import plain
from dlnlab.version import VERSION

__all__ = ["manifest"]


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
    return {
        "command": command,
        "seed": plain(parameters.get("seed")),
        "parameters": plain(parameters),
        "finished": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": plain(seconds),
        "versions": {
            "dlnlab": VERSION,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        },
        "platform": platform.platform(),
        "processors": os.cpu_count(),
        "blas": threads.blas(),
    }
