"""Matrices from files in common formats: text, NumPy, MATLAB, Matrix Market and images.

`read` is what the command line and users share.  Files may be damaged, foreign or hostile: what
they say of their size is checked against the memory before anything is made of them, nothing is
unpickled, and what is ambiguous is refused with the remedy.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import scipy.sparse

from dlnlab.data import text
from dlnlab.files import untrusted
from dlnlab.numerics import checks
from dlnlab.results import presenter

__all__ = [
    "CHUNK",
    "COMPRESSED",
    "INTEGERS",
    "NUMERIC",
    "READERS",
    "STREAM",
    "TEXT",
    "Table",
    "read",
]

INTEGERS = (f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64))
NUMERIC = {"double", "single", "logical", "sparse", *INTEGERS}
"""Classes of MATLAB's matrices."""

TEXT = 150
"""Bytes of memory for a byte of text: a cell of two characters is a string of 51 bytes, and a float
of 24, with a pointer each."""

CHUNK = 1 << 20
"""Bytes that are read from a stream, or unpacked, at a time."""

COMPRESSED = {
    "csr": scipy.sparse.csr_array,
    "csc": scipy.sparse.csc_array,
    "bsr": scipy.sparse.bsr_array,
}
"""What `scipy.sparse.save_npz` writes as indices, and where each row or column of them starts."""

STREAM = "-"
"""What standard input is called."""


@dataclass(frozen=True, eq=False)
class Table:
    """A matrix from a file, and what was read.

    Attributes
    ----------
    values : array, shape (d_out, d_in), or scipy.sparse array
        NaN where a cell is empty.  A file that stores entries one by one gives a sparse array.
    note : str
        One line, as "31 × 20 from x.csv, header row skipped".

    Raises
    ------
    TypeError
        If `note` is no text.
    """

    values: Any
    note: str

    def __post_init__(self) -> None:
        checks.fields(self)

    @property
    def dense(self) -> np.ndarray:
        """The matrix with zeros for entries that a sparse file does not store.

        Raises
        ------
        ValueError
            If it does not fit in memory.
        """
        return checks.dense("values", self.values)


@dataclass(frozen=True)
class _Wanted:
    """What a reader is asked for."""

    where: str
    size: int
    name: str | None
    header: bool | None
    index: bool | None


def read(
    path: str | os.PathLike[str],
    *,
    header: bool | None = None,
    index: bool | None = None,
    name: str | None = None,
) -> Table:
    """Read a matrix from a file.

    Parameters
    ----------
    path : path
        ``.csv``, ``.tsv``, ``.txt`` or ``.dat`` (text: numbers separated by tabs, semicolons,
        commas or blanks; quotes, a header, an index column and empty cells may be there, lines that
        start with ``#`` are skipped), ``.npy``, ``.npz`` (also of a SciPy sparse array), ``.mat``
        (MATLAB up to version 7), ``.mtx`` (Matrix Market), or ``.png`` (its brightness, from 0 to
        1).  ``"-"`` is the standard input, whose format is seen from its first bytes.
    header, index : bool, optional
        Whether the first row and the first column of a text are names.  Words are recognized;
        numbers that may be names are refused until this is said.
    name : str, optional
        Which array of an ``.npz`` or ``.mat`` file, if there are several.

    Returns
    -------
    Table

    Raises
    ------
    OSError
        If the file cannot be read.
    TypeError, ValueError
        If an argument is malformed; or the file is of another kind, damaged, ambiguous, too large
        for the memory, or holds something other than a matrix of numbers.

    Examples
    --------
    >>> import pathlib, tempfile, dlnlab
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "x.csv")
    ...     _ = path.write_text("a;b\\n1,5;2,5\\n;4\\n")
    ...     table = dlnlab.data.read(path)
    >>> table.values.tolist(), table.note
    ([[1.5, 2.5], [nan, 4.0]], '2 × 2 from x.csv, decimal commas, header row skipped, 1 empty cell')
    """
    place = checks.path("path", path)
    for option, value in (("header", header), ("index", index)):
        if value is not None:
            checks.flag(option, value)
    if name is not None:
        checks.text("name", name)
    if place == STREAM:
        content = _standard_input()
        wanted = _Wanted("standard input", len(content), name, header, index)
        return _table(_reader_of(content), io.BytesIO(content), wanted)
    suffix = Path(place).suffix.lower()
    if suffix not in READERS:
        raise ValueError(
            f"{place}: a matrix must be in a file that ends in {', '.join(READERS)}, got "
            f"{suffix or 'none'}"
        )
    with untrusted.opened(Path(place)) as file:
        size = os.fstat(file.fileno()).st_size
        return _table(READERS[suffix], file, _Wanted(place, size, name, header, index))


def _table(
    reader: Callable[[BinaryIO, _Wanted], tuple[Any, list[str]]], file: BinaryIO, wanted: _Wanted
) -> Table:
    values, notes = reader(file, wanted)
    described = f"an array of shape {tuple(values.shape)} and dtype {values.dtype}"
    if len(values.shape) != 2 or values.dtype.kind not in "biuf":
        raise ValueError(f"{wanted.where} must hold a matrix of real numbers, got {described}")
    size = f"{values.shape[0]} × {values.shape[1]} from {Path(wanted.where).name}"
    return Table(values, ", ".join([size, *notes]))


def _standard_input() -> bytes:
    """Read all of the standard input, or raise if that does not fit in memory."""
    chunks: list[bytes] = []
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise ValueError("there is no standard input to read a matrix from; name a file")
    while chunk := stream.read(CHUNK):
        chunks.append(chunk)
        checks.fits_in_memory("standard input", 2 * CHUNK, remedy="save it as a .npy file")
    return b"".join(chunks)


def _reader_of(content: bytes) -> Callable[[BinaryIO, _Wanted], tuple[Any, list[str]]]:
    """Return the reader for what begins with such bytes."""
    starts = {
        b"\x93NUMPY": ".npy",
        b"PK\x03\x04": ".npz",
        b"MATLAB": ".mat",
        bytes(4): ".mat",  # version 4, of doubles
        b"%%MatrixMarket": ".mtx",
        b"\x89PNG": ".png",
    }
    found = (suffix for start, suffix in starts.items() if content.startswith(start))
    return READERS[next(found, ".csv")]


def _text(file: BinaryIO, wanted: _Wanted) -> tuple[Any, list[str]]:
    checks.fits_in_memory(
        wanted.where, TEXT * wanted.size, remedy="save it as .npy, which takes less"
    )
    content = text.decode(file.read(), wanted.where)
    return text.parse(content, wanted.where, wanted.header, wanted.index)


def _npy(file: BinaryIO, wanted: _Wanted) -> tuple[Any, list[str]]:
    return untrusted.array(file, wanted.size, wanted.where), []


def _npz(file: BinaryIO, wanted: _Wanted) -> tuple[Any, list[str]]:
    with _decoding(wanted), zipfile.ZipFile(file) as archive:
        members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        if {"format", "shape", "data"} <= members.keys():
            return _sparse(archive, members, wanted), ["sparse"]
        chosen = _chosen(members, wanted)
        return _member(archive, members[chosen], wanted), [f"array {chosen}"]


@contextlib.contextmanager
def _decoding(wanted: _Wanted) -> Iterator[None]:
    """Say which file it was, whatever a library raises: a damaged file ends in many ways."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as error:
        raise _damaged(error, wanted) from error


def _damaged(error: BaseException, wanted: _Wanted) -> ValueError:
    told = str(error)
    return ValueError(told if wanted.where in told else f"{wanted.where} cannot be read: {told}")


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, wanted: _Wanted) -> np.ndarray:
    where = f"{info.filename} in {wanted.where}"
    if info.compress_type not in untrusted.PACKED:
        raise ValueError(f"{where} must be stored or deflated, got another compression")
    checks.fits_in_memory(where, info.file_size)
    with archive.open(info) as file:
        return untrusted.array(file, info.file_size, where)


def _sparse(archive: zipfile.ZipFile, members: Any, wanted: _Wanted) -> Any:
    """Build what `scipy.sparse.save_npz` wrote, with its indices checked."""
    parts = {key: _member(archive, info, wanted) for key, info in members.items()}
    form = parts["format"].item()
    form = form.decode("ascii") if isinstance(form, bytes) else str(form)
    shape = tuple(int(n) for n in parts["shape"])
    try:
        if form == "coo":
            places = parts["coords"] if "coords" in parts else (parts["row"], parts["col"])
            return scipy.sparse.coo_array((parts["data"], tuple(places)), shape=shape)
        if form == "dia":
            return scipy.sparse.dia_array((parts["data"], parts["offsets"]), shape=shape).tocoo()
        found = COMPRESSED[form]((parts["data"], parts["indices"], parts["indptr"]), shape=shape)
        found.check_format(full_check=True)
        return found.tocsr() if form == "bsr" else found
    except KeyError as error:
        raise ValueError(
            f"{wanted.where} must be of a sparse array in the format coo, dia, "
            f"{', '.join(COMPRESSED)}, got {form}"
        ) from error


def _chosen(names: Collection[str], wanted: _Wanted) -> str:
    """Return which of several arrays is meant."""
    if not names:
        raise ValueError(f"{wanted.where} holds no matrix of numbers")
    if wanted.name is None and len(names) == 1:
        return next(iter(names))
    if wanted.name is None or wanted.name not in names:
        listed = ", ".join(sorted(names)[:20]) or "none"
        got = "none" if wanted.name is None else repr(wanted.name)
        raise ValueError(
            f"`name` must be one of the arrays that {wanted.where} holds, {listed}; got {got}"
        )
    return wanted.name


def _mat(file: BinaryIO, wanted: _Wanted) -> tuple[Any, list[str]]:
    import scipy.io  # takes as long as a tenth of dlnlab

    checks.fits_in_memory(wanted.where, 3 * wanted.size)
    plain = _inflated(file.read(), wanted)
    with _decoding(wanted):
        try:
            listed = scipy.io.whosmat(io.BytesIO(plain))
        except NotImplementedError as error:
            raise ValueError(
                f"{wanted.where} is an HDF5 file (MATLAB 7.3); save it with save(…, '-v7')"
            ) from error
        matrices = {name for name, shape, kind in listed if len(shape) == 2 and kind in NUMERIC}
        chosen = _chosen(matrices, wanted)
        found = scipy.io.loadmat(io.BytesIO(plain), variable_names=[chosen])[chosen]
        if scipy.sparse.issparse(found):
            found = scipy.sparse.csc_array(found)
            found.check_format(full_check=True)  # or an index leads outside of the memory
    return found, [f"variable {chosen}"]


def _inflated(content: bytes, wanted: _Wanted) -> bytes:
    """Return a MATLAB file with its variables unpacked, as far as the memory goes.

    A file of version 5 is a header of 128 bytes and elements: type and size in four bytes each, and
    then so many bytes, which for type 15 are a packed element.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[126:128])
    if order is None:  # version 4 packs nothing
        return content
    parts, place = [content[:128]], 128
    while place + 8 <= len(content):
        kind, size = struct.unpack(f"{order}II", content[place : place + 8])
        element = content[place : place + 8 + size]
        place += 8 + size
        parts.append(_unpacked(element[8:], wanted) if kind == 15 else element)
    return b"".join(parts)


def _unpacked(packed: bytes, wanted: _Wanted) -> bytes:
    unpacking, chunks = zlib.decompressobj(), []
    try:
        while chunk := unpacking.decompress(packed, CHUNK):
            chunks.append(chunk)
            packed = unpacking.unconsumed_tail
            checks.fits_in_memory(wanted.where, 3 * CHUNK * len(chunks) // 2)
    except zlib.error as error:
        raise _damaged(error, wanted) from error
    return b"".join(chunks)


def _mtx(file: BinaryIO, wanted: _Wanted) -> tuple[Any, list[str]]:
    import scipy.io

    checks.fits_in_memory(wanted.where, 2 * wanted.size)
    content = file.read()  # SciPy's reader ends the process where a file cannot be read further
    with _decoding(wanted):
        rows, columns, entries, form, field, symmetry = scipy.io.mminfo(io.BytesIO(content))
        least = entries if form == "coordinate" else rows * columns / 2 - rows - columns
        if 2 * least > len(content):  # an entry and what ends it take two bytes
            raise ValueError(f"{entries} entries are promised, more than its bytes can hold")
        checks.fits_in_memory(wanted.where, 40 * entries)
        found = scipy.io.mmread(io.BytesIO(content), spmatrix=False)
    if field == "pattern":
        raise ValueError(
            f"{wanted.where} must hold numbers, got a pattern, which has places only; "
            "scipy.io.mmread reads it as ones, scipy.io.mmwrite saves these"
        )
    kind = "sparse" if form == "coordinate" else "dense"
    return found, [kind if symmetry == "general" else f"{kind} and {symmetry}"]


def _png(file: BinaryIO, wanted: _Wanted) -> tuple[Any, list[str]]:
    head = file.read(24)
    if not head.startswith(b"\x89PNG\r\n\x1a\n") or len(head) < 24:
        raise ValueError(f"{wanted.where} is not a PNG file")
    width, height = struct.unpack(">II", head[16:24])
    # eight numbers a pixel in single precision, while colours become a brightness
    checks.fits_in_memory(wanted.where, 8 * 8 * width * height)
    file.seek(0)
    with _decoding(wanted):
        return presenter("plotting.pixels").brightness(file), ["brightness from 0 to 1"]


READERS = {
    ".csv": _text,
    ".tsv": _text,
    ".txt": _text,
    ".dat": _text,
    ".npy": _npy,
    ".npz": _npz,
    ".mat": _mat,
    ".mtx": _mtx,
    ".png": _png,
}
