"""Loops that run as machine code where a compiler is installed: numba, in the extra `fast`.

NumPy reads its operands anew in every call.  A loop that makes all uses of a number while the
processor holds it reads memory once.  Such a loop is written in plain Python here, and never run
as such: where numba is missing, or NUMBA_DISABLE_JIT says that it is to rest, NumPy does the work,
with the same results to rounding.

Importing numba and compiling a loop take about two seconds and, once in a process, about 100 MiB.
What is compiled is kept on disk, where numba keeps it (NUMBA_CACHE_DIR), which later processes read
in half a second.  So whoever calls a loop asks first whether there is enough to do.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["ORDERS", "compiled", "installed"]

ORDERS = frozenset({"contract", "nsz", "reassoc"})
"""What the compiler may do to sums, as BLAS does: add in another order, and fuse products into
sums.  It may not take for granted that there is no NaN and no infinity."""

_compiling = threading.Lock()


@functools.cache
def installed() -> bool:
    """Tell whether there is a compiler that is not switched off.

    Returns
    -------
    bool
    """
    off = os.environ.get("NUMBA_DISABLE_JIT", "0").strip() not in ("", "0")
    return not off and importlib.util.find_spec("numba") is not None


def compiled(loop: Callable[..., None]) -> Callable[..., None]:
    """Decorate a loop over arrays, which is compiled when it is first called with such arrays.

    It releases Python's lock, so that several threads may run it.

    Parameters
    ----------
    loop : callable

    Returns
    -------
    callable
    """

    @functools.wraps(loop)
    def run(*arguments: Any) -> None:
        with _compiling:
            code = _code(loop)
        code(*arguments)

    return run


@functools.cache
def _code(loop: Callable[..., None]) -> Any:
    import numba

    options: Any = {"nogil": True, "error_model": "numpy", "fastmath": set(ORDERS)}
    try:
        return numba.njit(cache=True, **options)(loop)
    except RuntimeError:  # there is no folder where it may keep what it compiles
        return numba.njit(**options)(loop)
