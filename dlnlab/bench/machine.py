"""The machine of a run: what it is, and what it reached."""

from __future__ import annotations

import importlib.metadata
import os
from typing import Any

from dlnlab.bench.limits import gemm_rate, read_rate
from dlnlab.bench.measurement import Effort
from dlnlab.numerics import arrays, threads
from dlnlab.numerics.arrays import Array

__all__ = ["AMOUNTS", "LIBRARIES", "SIZES", "describe", "load"]

SIZES = (20, 100, 300, 1024)
"""Of matrices: products of small ones are far from the machine's rate."""

AMOUNTS = {"1 MiB": 2**20, "16 MiB": 2**24, "256 MiB": 2**28}
LIBRARIES = ("numpy", "scipy", "numba", "jax", "diffrax", "cupy-cuda12x", "cupy-cuda13x")


def describe(reference: Array, effort: Effort) -> dict[str, Any]:
    """Return the processor where `reference` lives, its rates with one thread, and versions.

    Parameters
    ----------
    reference : array
        Where it is measured.
    effort : Effort

    Returns
    -------
    dict
    """
    seconds = effort.seconds
    sizes = SIZES if seconds > 0.1 else SIZES[:-1]
    amounts = AMOUNTS if seconds > 0.1 else {"1 MiB": AMOUNTS["1 MiB"]}
    with threads.limited(1):
        gemm = {str(n): gemm_rate(n, reference, seconds) for n in sizes}
        read = {name: read_rate(n, reference, seconds) for name, n in amounts.items()}
    return {
        "processor": arrays.device_name(reference),
        "cores": threads.cores(),
        "blas": threads.blas(),
        "gemm": gemm,
        "read": read,
        "versions": dict(_versions()),
        "load": [load()],
    }


def load() -> float:
    """Return the load average of the last minute, or −1 if it is unavailable.

    Returns
    -------
    float
    """
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else -1.0


def _versions() -> list[tuple[str, str]]:
    found = []
    for name in LIBRARIES:
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
