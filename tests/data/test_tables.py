"""Matrices as people have them: what is read of each kind of file, and what is refused."""

from __future__ import annotations

import io
import struct
import sys
import zipfile
import zlib
from types import SimpleNamespace

import matplotlib.image
import numpy as np
import pytest
import scipy.io
import scipy.sparse

import dlnlab
from dlnlab import cli
from dlnlab.data import text

NAN = np.nan
A = np.array([[1.5, -2.0, 0.0], [0.25, 4.0, 1e-3]])

TEXTS = [
    ("commas", "1.5,-2,0\n.25,4.,1E-3\n", A, []),
    ("blanks", "1.5  -2 0 \n .25 4 +1e-3\n", A, []),
    ("semicolons", "1.5;-2;0\n0.25;4;1e-3\n", A, []),
    ("tabs", "1.5\t-2\t0\n0.25\t4\t1e-3\n", A, []),
    ("Windows", "\ufeff1.5,-2,0\r\n0.25,4,1e-3\r\n", A, []),
    ("decimal commas", "1,5;-2;0\n0,25;4;0,001\n", A, ["decimal commas"]),
    ("comment", "# of mine\n1.5,-2,0\n\n0.25,4,1e-3", A, []),
    ("MATLAB", "% of mine\n1.5 -2 0\n0.25 4 1e-3", A, []),
    ("typeset", "1.5,−2,0\n0.25,4,1e−3", A, []),
    ("header", "a,b,c\n1.5,-2,0\n0.25,4,1e-3\n", A, ["header row skipped"]),
    ("quotes", '"a, b","c","d ""e"""\n"1.5","-2",0\n0.25,4,1e-3\n', A, ["header row skipped"]),
    (
        "pandas",
        ",0,1,2\n0,1.5,-2,0.0\n1,0.25,4,1e-3\n",
        A,
        ["header row skipped", "index column skipped"],
    ),
    (
        "R",
        '"x" "y" "z"\n"1" 1.5 -2 0\n"2" 0.25 4 1e-3\n',
        A,
        ["header row skipped", "index column skipped"],
    ),
    ("index", "ann,1.5,-2,0\nbob,0.25,4,1e-3\n", A, ["index column skipped"]),
    (
        "named",
        "user,a,b,c\nann,1.5,-2,0\nbob,.25,4,1e-3\n",
        A,
        ["header row skipped", "index column skipped"],
    ),
    (
        "empty",
        "a,b\n1,\n,4\n",
        np.array([[1, NAN], [NAN, 4]]),
        ["header row skipped", "2 empty cells"],
    ),
    ("NA", "1.5,NA\nnull,nan\n", np.array([[1.5, NAN], [NAN, NAN]]), ["3 empty cells"]),
    ("last", "1.5,2,\n3,4.5,\n", np.array([[1.5, 2], [3, 4.5]]), []),
    ("one row", "1,2,3\n", np.array([[1.0, 2, 3]]), []),
    ("one column", "x\n1\n2\n", np.array([[1.0], [2]]), ["header row skipped"]),
    ("integers", "1,2\n3,4\n", np.array([[1.0, 2], [3, 4]]), []),
    ("identity", "1,0\n0,1\n", np.eye(2), []),
]


@pytest.mark.parametrize(
    ("content", "expected", "notes"), [t[1:] for t in TEXTS], ids=[t[0] for t in TEXTS]
)
def test_texts(tmp_path, content, expected, notes):
    (tmp_path / "x.csv").write_bytes(content.encode())
    table = dlnlab.data.read(tmp_path / "x.csv")
    np.testing.assert_array_equal(table.values, expected)
    rows, columns = expected.shape
    assert table.note == ", ".join([f"{rows} × {columns} from x.csv", *notes])


AMBIGUOUS = [
    ("0,1,2\n0.5,1.5,2.5\n", "header"),
    ("1990,1995,2000\n7,3,1\n", "header"),
    ("1990,1992,1999\n0.5,0.25,0.1\n", "header"),
    ("1,2,3,4\n5,3,,1\n", "header"),
    ("a,b\n1,0.5\n2,0.25\n3,0.1\n", "index"),
]
HALF_NAMES = ["1.5,2,3 # first\n4,5.5,6\n7,8,9.5\n", "a,b,3\n4,5.5,6\n7,8,9.5\n"]


@pytest.mark.parametrize("content", HALF_NAMES)
def test_a_first_row_of_numbers_and_words_is_not_dropped(tmp_path, content):
    (tmp_path / "x.csv").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="`header` must be yes or no"):
        dlnlab.data.read(tmp_path / "x.csv")
    assert dlnlab.data.read(tmp_path / "x.csv", header=True).values.shape == (2, 3)


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "cp1252", "utf-8-sig"])
def test_other_encodings_are_read(tmp_path, encoding):
    (tmp_path / "x.csv").write_text("größe;b\n1,5;2\n", encoding=encoding)
    assert dlnlab.data.read(tmp_path / "x.csv").values.tolist() == [[1.5, 2]]


def test_bytes_that_no_text_has_are_refused(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"1.5,2\x00\n3,4\n")
    with pytest.raises(ValueError, match="is not a text file"):
        dlnlab.data.read(tmp_path / "x.csv")


@pytest.mark.parametrize(
    "array",
    [np.zeros(4), np.zeros((2, 3, 4)), np.array([["a"]]), 1j * A],
    ids=["vector", "cube", "text", "complex"],
)
def test_what_is_no_matrix_of_numbers_is_refused(tmp_path, array):
    np.save(tmp_path / "x.npy", array)
    with pytest.raises(ValueError, match=r"x\.npy must hold a matrix of real numbers"):
        dlnlab.data.read(tmp_path / "x.npy")


def test_words_and_structures_in_a_mat_file_are_no_choice(tmp_path):
    scipy.io.savemat(tmp_path / "x.mat", {"s": {"a": A}, "words": "text"})
    with pytest.raises(ValueError, match="holds no matrix of numbers"):
        dlnlab.data.read(tmp_path / "x.mat")
    scipy.io.savemat(tmp_path / "x.mat", {"s": {"a": A}, "A": A.astype("i2")})
    assert dlnlab.data.read(tmp_path / "x.mat").note.endswith("variable A")


@pytest.mark.parametrize(("content", "option"), AMBIGUOUS)
def test_numbers_that_may_be_names_are_refused_until_they_are_told(
    tmp_path, capsys, content, option
):
    (tmp_path / "x.csv").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=f"`{option}` must be yes or no"):
        dlnlab.data.read(tmp_path / "x.csv")
    assert cli.main(["compare", str(tmp_path / "x.csv")]) == 2
    assert f"--{option} must be yes or no" in capsys.readouterr().err
    shapes = [
        dlnlab.data.read(tmp_path / "x.csv", **{option: told}).values.shape
        for told in (True, False)
    ]
    assert shapes[0][option == "index"] == shapes[1][option == "index"] - 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b\n1,x\n", "line 2: 'x' is not a number"),
        ("1,2\nx,3\n5,6\n", "line 2: 'x' is not a number"),
        ("a,b\n", "holds no numbers, its first cell is 'a'"),
        ("1|2\n3|4\n", "cells must be separated by tabs, semicolons"),
        ("Trial 12\n1,2\n3,4\n", "line 2: .* a line that says something else must start with #"),
        ("1;2.5\n3,5;4\n", "must have one decimal sign"),
        ("a,b\n1,2\n\n3\n", "line 4: every row must have as many numbers as the first, 2, got 1"),
        ("", "holds no numbers"),
        # a cell of hours, were its digits matched in more than one way, and told in short
        ("1,2\n3," + 100_000 * "1" + "x\n", r"line 2: '1{50,60}\.\.\. is not a number"),
    ],
)
def test_bad_texts_name_the_line(content, message):
    with pytest.raises(ValueError, match=message):
        text.parse(content, "x.csv", None, None)


def test_a_named_header_is_none_when_it_is_said_so():
    with pytest.raises(ValueError, match="line 1: 'a' is not a number"):
        text.parse("a,b\n1,2\n", "x.csv", False, None)
    assert text.parse("0,1\n2,3\n", "x.csv", True, None)[0].tolist() == [[2, 3]]


SPARSE = scipy.sparse.coo_array(A)


def brightness(file):
    matplotlib.image.imsave(
        file, np.array([[0, 255, 51]], dtype=np.uint8), cmap="gray", vmin=0, vmax=255, format="png"
    )


WRITERS = {
    "npy": lambda f: np.save(f, A),
    "npz": lambda f: np.savez(f, A),
    "npz packed": lambda f: np.savez_compressed(f, A),
    "npz csr": lambda f: scipy.sparse.save_npz(f, SPARSE.tocsr()),
    "npz csc": lambda f: scipy.sparse.save_npz(f, SPARSE.tocsc(), compressed=False),
    "npz coo": lambda f: scipy.sparse.save_npz(f, SPARSE),
    "npz sparse bsr": lambda f: scipy.sparse.save_npz(f, scipy.sparse.bsr_array(SPARSE)),
    "npz sparse dia": lambda f: scipy.sparse.save_npz(f, scipy.sparse.dia_array(SPARSE)),
    "mat": lambda f: scipy.io.savemat(f, {"A": A, "words": "text"}),
    "mat packed": lambda f: scipy.io.savemat(f, {"A": A}, do_compression=True),
    "mat 4": lambda f: scipy.io.savemat(f, {"A": A}, format="4"),
    "mat sparse": lambda f: scipy.io.savemat(f, {"A": SPARSE.tocsc()}),
    "mtx": lambda f: scipy.io.mmwrite(f, A),
    "mtx sparse": lambda f: scipy.io.mmwrite(f, SPARSE),
}


@pytest.mark.parametrize("kind", WRITERS)
def test_binary_files_and_the_same_from_standard_input(tmp_path, monkeypatch, kind):
    file = io.BytesIO()
    WRITERS[kind](file)
    path = tmp_path / f"x.{kind.split()[0]}"
    path.write_bytes(file.getvalue())
    table = dlnlab.data.read(path)
    np.testing.assert_array_equal(table.dense, A)
    assert scipy.sparse.issparse(table.values) == any(w in kind for w in ("cs", "coo", "sparse"))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(file.getvalue())))
    streamed = dlnlab.data.read("-")
    np.testing.assert_array_equal(streamed.dense, A)
    assert streamed.note.startswith("2 × 3 from standard input")


def test_images_are_their_brightness(tmp_path):
    brightness(tmp_path / "x.png")
    found = dlnlab.data.read(tmp_path / "x.png").values
    np.testing.assert_allclose(found, [[0, 1, 0.2]], atol=1e-7)  # single precision of the reader
    colours = np.eye(3)[None]
    matplotlib.image.imsave(tmp_path / "y.png", colours)
    found = dlnlab.data.read(tmp_path / "y.png").values
    np.testing.assert_allclose(found, [[0.2126, 0.7152, 0.0722]], atol=1e-7)


def test_a_measured_matrix_is_compared(tmp_path, capsys):
    M = np.asarray(dlnlab.random_target((7, 5), 1, rng=0))
    rows = [
        "id;" + ";".join("abcde"),
        *(f"r{k};" + ";".join(map(str, row)) for k, row in enumerate(M)),
    ]
    (tmp_path / "x.csv").write_text("\n".join(rows), encoding="utf-8")
    assert cli.main(["compare", str(tmp_path / "x.csv"), "--eps", "0.3", "--depth", "2"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "Read 7 × 5 from x.csv, header row skipped, index column skipped."
    assert out[1].startswith("7 × 5 target of rank 1")


def test_unobserved_ratings_are_completed(tmp_path):
    (tmp_path / "x.csv").write_text("u,a,b\nann,5,\nbob,,3\n", encoding="utf-8")
    problem = dlnlab.completion(dlnlab.data.read(tmp_path / "x.csv").values)
    assert float(problem.loss(np.zeros((2, 2)))) == 17.0
    assert problem.target is None


def test_one_of_several_arrays_is_asked_for(tmp_path):
    np.savez(tmp_path / "x.npz", a=A, b=2 * A)
    scipy.io.savemat(tmp_path / "x.mat", {"a": A, "b": 2 * A})
    for name in ("x.npz", "x.mat"):
        with pytest.raises(ValueError, match=r"`name` must be one of .*, a, b; got none"):
            dlnlab.data.read(tmp_path / name)
        np.testing.assert_array_equal(dlnlab.data.read(tmp_path / name, name="b").values, 2 * A)


# ------------------------------------------------------------------ hostile files


def bomb_mat():
    """A MATLAB file of which one element unpacks to a thousand times its size."""
    file = io.BytesIO()
    scipy.io.savemat(file, {"A": A})
    packed = zlib.compress(bytes(50_000_000))
    return file.getvalue()[:128] + struct.pack("<II", 15, len(packed)) + packed


def bomb_npz():
    file, array = io.BytesIO(), io.BytesIO()
    np.save(array, np.zeros((2500, 2500)))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", array.getvalue())
    return file.getvalue()


def bomb_png():
    file = io.BytesIO()
    brightness(file)
    whole = bytearray(file.getvalue())
    whole[16:24] = struct.pack(">II", 20_000, 20_000)
    return bytes(whole)


BOMBS = {
    "x.mat": bomb_mat,
    "x.npz": bomb_npz,
    "x.png": bomb_png,
    "x.mtx": lambda: b"%%MatrixMarket matrix array real general\n3000 3000\n" + b"1\n" * 9_000_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_what_does_not_fit_in_memory_is_refused(tmp_path, monkeypatch, name):
    (tmp_path / name).write_bytes(BOMBS[name]())
    monkeypatch.setattr("dlnlab.numerics.arrays.available_bytes", lambda reference=None: 30_000_000)
    with pytest.raises(ValueError, match=r"would need|available"):
        dlnlab.data.read(tmp_path / name)


def test_a_promise_of_more_entries_than_bytes_is_refused(tmp_path):
    for head in ("coordinate real general\n9 9 1000000", "array real general\n100000 100000"):
        (tmp_path / "x.mtx").write_text(f"%%MatrixMarket matrix {head}\n1 1 1\n", encoding="utf-8")
        with pytest.raises(ValueError, match="more than its bytes can hold"):
            dlnlab.data.read(tmp_path / "x.mtx")


def test_numbers_of_many_digits_are_no_names():
    text.parse("\n".join(f"{k}{5000 * '1'},{k}.5" for k in (1, 2, 3)), "x.csv", None, None)


NO_NUMBERS = {
    "text": np.array([["a"]]),
    "records": np.zeros((2, 2), [("a", float)]),
    "dates": np.zeros((2, 2), "M8[s]"),
}


@pytest.mark.parametrize("kind", NO_NUMBERS)
def test_what_is_no_number_is_refused(tmp_path, kind):
    np.save(tmp_path / "x.npy", NO_NUMBERS[kind])
    np.savez(tmp_path / "x.npz", NO_NUMBERS[kind])
    for name in ("x.npy", "x.npz"):
        with pytest.raises(ValueError, match=f"{name} must hold a matrix of real numbers"):
            dlnlab.data.read(tmp_path / name)
    scipy.io.savemat(tmp_path / "x.mat", {"cells": np.array([[1, "x"]], dtype=object)})
    with pytest.raises(ValueError, match=r"x\.mat holds no matrix of numbers"):
        dlnlab.data.read(tmp_path / "x.mat")


PARTS: dict[str, object] = {
    "format": b"coo",
    "shape": (2, 2),
    "data": [1.0],
    "row": [0],
    "col": [0],
}
NO_SPARSE = [
    *({"shape": shape} for shape in (2, [[2, 2]], (np.inf, 2), (np.nan, 2), ("a", "b"), (-2, 2))),
    *({"format": form} for form in (["coo", "csr"], 1.5, b"\xff", "dia")),
    {"coords": 3},
    {"row": [[0]]},
    {"data": [[1.0]]},
]


@pytest.mark.parametrize("parts", NO_SPARSE, ids=str)
def test_a_sparse_array_that_contradicts_itself_is_refused(tmp_path, parts):
    np.savez(tmp_path / "x.npz", **PARTS)
    assert dlnlab.data.read(tmp_path / "x.npz").values.nnz == 1
    np.savez(tmp_path / "x.npz", **(PARTS | parts))
    with pytest.raises(ValueError, match=r"x\.npz"):
        dlnlab.data.read(tmp_path / "x.npz")


def test_indices_out_of_range_are_refused(tmp_path):
    parts = {"format": b"csr", "shape": (2, 2), "data": [1.0], "indices": [9], "indptr": [0, 1, 1]}
    np.savez(tmp_path / "x.npz", **parts)
    with pytest.raises(ValueError, match=r"x\.npz cannot be read"):
        dlnlab.data.read(tmp_path / "x.npz")


@pytest.mark.parametrize("kind", [k for k in WRITERS if k != "npy"] + ["png"])
def test_damaged_files_are_named(tmp_path, kind):
    """Wherever a file is cut or changed, it is read or refused in one way."""
    file = io.BytesIO()
    (brightness if kind == "png" else WRITERS[kind])(file)
    whole, rng = file.getvalue(), np.random.default_rng(0)
    path = tmp_path / f"x.{kind.split()[0]}"
    refused = []
    for trial in range(12):
        damaged = bytearray(whole[: rng.integers(len(whole))] if trial % 2 else whole)
        if damaged:
            damaged[rng.integers(len(damaged))] ^= 0xFF
        path.write_bytes(bytes(damaged))
        try:
            dlnlab.data.read(path)
        except ValueError as error:
            refused.append(str(error))
    assert len(refused) > 3
    assert all(path.name in message for message in refused)
