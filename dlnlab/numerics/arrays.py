"""Which library an array belongs to, and moving arrays between host and device.

The numerics of dlnlab are written against the array API standard, so the array decides where the
work is done: NumPy arrays on the CPU, CuPy arrays on a GPU, and any other conforming library.  This
is the only module that names CuPy.  It is looked up without being imported: an array can only be a
CuPy array if its user has imported CuPy already.
"""

from __future__ import annotations

import importlib
import numbers
import os
import platform
import sys
from typing import Any

import array_api_compat
import numpy as np
import scipy.special
from array_api_compat import numpy as _numpy

from dlnlab.numerics import headroom

Array = Any
"""An array of any library that follows the array API standard."""

__all__ = [
    "STEP",
    "VERY_TALL",
    "Array",
    "adopted",
    "available_bytes",
    "broadcasts",
    "default_device_name",
    "device_name",
    "device_of",
    "dtype_name",
    "erf",
    "feed",
    "gpu_reference",
    "is_array",
    "is_host",
    "like",
    "namespace",
    "on_gpu",
    "synchronize",
    "to_host",
    "triangular_factor",
]

VERY_TALL, STEP = 2**17, 2**12
"""Rows from which on a matrix is factored block by block, and those of a block, which with twenty
columns stays in a core's cache: three to four times as fast as all at once."""

device_of = array_api_compat.device
"""Returns the device of an array."""


def namespace(*arrays: Array, names: tuple[str, ...] = ("arrays",)) -> Any:
    """Return the array-API namespace that all of `arrays` belong to; `names` is for the message.

    Parameters
    ----------
    *arrays
    names : tuple of str

    Returns
    -------
    module

    Raises
    ------
    TypeError
        If they belong to different libraries, since nothing is copied silently.
    """
    if {*map(type, arrays)} == {np.ndarray}:
        return _numpy  # at once: it is asked a dozen times in a step of a small network
    try:
        return array_api_compat.array_namespace(*arrays)
    except TypeError as error:
        kinds = sorted({type(a).__module__.split(".")[0] for a in arrays})
        listed = ", ".join(f"`{name}`" for name in names)
        raise TypeError(
            f"{listed} must all belong to one array library, got {', '.join(kinds)}; "
            "move them first, for instance with cupy.asarray(x) or x.get()"
        ) from error


def is_array(value: object) -> bool:
    """Tell whether `value` is an array of a library dlnlab can compute with.

    NumPy's subclasses count; `dlnlab.numerics.checks` makes plain arrays of them.

    Parameters
    ----------
    value : object

    Returns
    -------
    bool
    """
    return isinstance(value, np.ndarray) or array_api_compat.is_array_api_obj(value)


def broadcasts(one: tuple[int, ...], other: tuple[int, ...]) -> bool:
    """Tell whether two shapes broadcast with each other.

    Parameters
    ----------
    one : tuple of int
    other : tuple of int

    Returns
    -------
    bool
    """
    return all(a == b or 1 in (a, b) for a, b in zip(one[::-1], other[::-1], strict=False))


def adopted(value: Any) -> Any:
    """Return what holds numbers without being an array of a library that dlnlab computes with.

    A frame or a series (pandas, polars) becomes a NumPy array, with NaN where it has no value; a
    torch tensor gives its memory through DLPack, a NumPy array on the host and a CuPy array on a
    GPU, without a copy.  Everything else is returned as it is.

    Parameters
    ----------
    value : object

    Returns
    -------
    object

    Raises
    ------
    TypeError
        If a tensor cannot be handed over; the message says what to do.
    """
    if array_api_compat.is_torch_array(value):
        return _from_torch(value)
    library = type(value).__module__.split(".")[0]
    if library == "pandas" and hasattr(value, "to_numpy"):
        found = value.to_numpy()
        return value.to_numpy(dtype=float, na_value=np.nan) if _has_gaps(found) else found
    return value.to_numpy() if library == "polars" and hasattr(value, "to_numpy") else value


def _has_gaps(found: np.ndarray) -> bool:
    """Tell whether an array of objects is of real numbers and missing ones, as pandas' own types.

    These are NA, whose type tells, and None.
    """
    if found.dtype.kind != "O":
        return False
    kinds = {type(item) for item in found.flat}
    numeric = {k for k in kinds if issubclass(k, numbers.Real | np.number) and k is not bool}
    return all(k.__name__ in ("NAType", "NoneType") for k in kinds - numeric)


def _from_torch(value: Any) -> Any:
    plain = value.detach()
    try:
        if plain.device.type == "cuda":
            return importlib.import_module("cupy").from_dlpack(plain)
        return np.from_dlpack(plain)
    except Exception as error:  # of DLPack, whose refusals have many types
        dense = "" if str(value.layout) == "torch.strided" else ".to_dense()"
        raise TypeError(
            f"a torch tensor of dtype {value.dtype} on {value.device} cannot be handed over "
            f"({error}); pass {dense}.double().cpu().numpy()"
        ) from error


def is_host(value: object) -> bool:
    """Tell whether `value` is a NumPy array.

    Parameters
    ----------
    value : object

    Returns
    -------
    bool
    """
    return isinstance(value, np.ndarray)


def on_gpu(value: object) -> bool:
    """Tell whether `value` is a CuPy array.

    Parameters
    ----------
    value : object

    Returns
    -------
    bool
    """
    return array_api_compat.is_cupy_array(value)


def to_host(value: Array) -> np.ndarray:
    """Return `value` as a NumPy array, copying it from its device if it lives on one.

    Parameters
    ----------
    value : object

    Returns
    -------
    array
        Of NumPy.
    """
    if isinstance(value, np.ndarray | np.generic):
        return np.asarray(value)
    if on_gpu(value):
        return value.get()
    if is_array(value):
        return np.array(np.from_dlpack(value))
    return np.asarray(value)


def like(host: Any, reference: Array, *, keep_dtype: bool = False) -> Array:
    """Move a NumPy array to the library, device and dtype of `reference`, a floating one.

    Random draws are made on the host and moved here, so that one seed gives the same numbers
    everywhere.

    Parameters
    ----------
    host : array
        Of NumPy.
    reference : array
        Whose library and device, and dtype, count.
    keep_dtype : bool
        Whether it keeps its own dtype.

    Returns
    -------
    array

    Raises
    ------
    TypeError
        If `reference` is no array.
    """
    if not is_array(reference):
        raise TypeError(f"`like` must be an array, got {type(reference).__name__}")
    host = np.asarray(host)
    if not keep_dtype:
        host = host.astype(dtype_name(reference), copy=False)
    if is_host(reference):
        return host
    return namespace(reference).asarray(host, device=device_of(reference))


def feed(digest: Any, array: Array) -> None:
    """Add an array's shape, dtype and bytes to a hash, without copying a NumPy array.

    Parameters
    ----------
    digest : hashlib object
    array : array
    """
    host = np.ascontiguousarray(to_host(array))
    digest.update(f"{host.shape}{host.dtype}".encode())
    digest.update(host.reshape(-1).view(np.uint8))


def triangular_factor(*parts: Array) -> Array:
    """Return the factor R of A = QR, without forming Q where the library allows it.

    The array API standard always forms Q, which for a tall matrix doubles time and memory.  A very
    tall one is factored block by block on the host: with A = [A_1; A_2] and A_1 = Q_1 R_1, the R of
    A is that of [R_1; A_2], so that nothing of the size of A is made beside it.

    Parameters
    ----------
    *parts : arrays, shapes (..., m, n_1), (..., m, n_2), …
        A, or the parts of it that stand side by side.

    Returns
    -------
    array, shape (..., min(m, n), n)
    """
    first = parts[0]
    if is_host(first) and first.ndim == 2 and first.shape[0] >= VERY_TALL:
        R: Any = np.empty((0, sum(part.shape[1] for part in parts)), first.dtype)
        for start in range(0, first.shape[0], STEP):
            block = np.concatenate([part[start : start + STEP] for part in parts], axis=1)
            R = np.linalg.qr(np.concatenate([R, block]), mode="r")
        return R
    A = first if len(parts) == 1 else namespace(*parts).concat(parts, axis=-1)
    if is_host(A):
        return np.linalg.qr(A, mode="r")
    if on_gpu(A):
        return sys.modules["cupy"].linalg.qr(A, mode="r")
    return namespace(A).linalg.qr(A)[1]


def erf(value: Array) -> Array:
    """Return the error function of every entry, which the array API standard lacks.

    For a library that has none (neither NumPy nor CuPy) it is computed on the host and moved back.

    Parameters
    ----------
    value : array

    Returns
    -------
    array
    """
    if on_gpu(value):
        return importlib.import_module("cupyx.scipy.special").erf(value)
    if is_host(value):
        return scipy.special.erf(value)
    return like(scipy.special.erf(to_host(value)), value)


def dtype_name(value: Array) -> str:
    """Return the name of the dtype of `value`, such as ``'float64'``, in any library.

    Parameters
    ----------
    value : object

    Returns
    -------
    str
    """
    return str(value.dtype).rsplit(".", maxsplit=1)[-1]


def available_bytes(reference: Array | None = None) -> int:
    """Return the bytes of memory that can still be allocated where `reference` lives.

    On the host this is the kernel's own estimate (``MemAvailable``), or the physical memory where
    there is no such estimate, or what the limits of this process leave if that is less
    (`dlnlab.numerics.headroom`); on a GPU it is the free device memory, and what CuPy's pool holds
    of it for arrays to come.

    Parameters
    ----------
    reference : array, optional
        Whose library and device, and dtype, count.

    Returns
    -------
    int
    """
    if reference is not None and on_gpu(reference):
        cupy = sys.modules["cupy"]
        free, _ = cupy.cuda.runtime.memGetInfo()
        return int(free) + int(cupy.get_default_memory_pool().free_bytes())
    try:
        with open("/proc/meminfo", encoding="ascii") as lines:
            fields = dict(line.split(":", 1) for line in lines)
        free = int(fields["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError):
        free = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(0, min([free, *headroom.limits()]))


def default_device_name(value: Array) -> str:
    """Return a short readable name of where `value` lives, for messages.

    Parameters
    ----------
    value : object

    Returns
    -------
    str
    """
    return f"{type(value).__module__.split('.')[0]} on {device_of(value)}"


def device_name(value: Array) -> str:
    """Return the name of the processor that `value` lives on, as its maker calls it.

    Parameters
    ----------
    value : object

    Returns
    -------
    str
    """
    if on_gpu(value):
        runtime = sys.modules["cupy"].cuda.runtime
        return runtime.getDeviceProperties(device_of(value).id)["name"].decode()
    if not is_host(value):
        return default_device_name(value)
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:
            names = [line.split(":", 1)[1] for line in lines if line.startswith("model name")]
        return names[0].strip()
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def gpu_reference() -> Array:
    """Return an empty CuPy array on the current GPU, for `like` and the other functions here.

    Returns
    -------
    array

    Raises
    ------
    ModuleNotFoundError
        If CuPy is not installed.
    ValueError
        If there is no CUDA device.
    """
    try:
        cupy = importlib.import_module("cupy")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "a GPU needs CuPy, which is not installed: pip install 'dlnlab[cuda12]', or "
            "'dlnlab[cuda13]', whichever CUDA the driver has"
        ) from None
    if not cupy.cuda.is_available():
        raise ValueError(
            "there is no CUDA device here (CuPy is installed, but cupy.cuda.is_available() says no)"
        )
    return cupy.empty(0)


def synchronize(reference: Array) -> None:
    """Wait until all work on the device of `reference` is done; on the host it always is.

    Parameters
    ----------
    reference : array
        Whose library and device, and dtype, count.
    """
    if on_gpu(reference):
        sys.modules["cupy"].cuda.Device(device_of(reference).id).synchronize()
