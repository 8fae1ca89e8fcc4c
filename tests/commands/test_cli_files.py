"""Targets from files: what is read, and how each kind of bad file is refused."""

from __future__ import annotations

import os
import pickle

import numpy as np
import pytest

import dlnlab
from dlnlab import cli


@pytest.fixture
def refused(capsys):
    """Run ``dlnlab compare PATH`` and return the one line it is refused with."""

    def call(path):
        assert cli.main(["compare", str(path)]) == 2
        streams = capsys.readouterr()
        assert streams.out == "" or streams.out.startswith("Read ")
        assert streams.err.startswith("dlnlab compare: error: ")
        assert streams.err.count("\n") == 1
        return streams.err

    return call


@pytest.fixture
def matrix():
    return np.asarray(dlnlab.random_target((6, 5), 2, rng=0))


@pytest.mark.parametrize("name", ["m.npy", "m.csv", "blanks.csv", "M.CSV"])
def test_what_is_written_is_read(tmp_path, matrix, name):
    path = tmp_path / name
    if path.suffix == ".npy":
        np.save(path, matrix)
    else:
        delimiter = "  " if name == "blanks.csv" else ", "
        np.savetxt(path, matrix, delimiter=delimiter, header="a comment", fmt="%.17g")
    np.testing.assert_array_equal(dlnlab.data.read(path).values, matrix)


class Trap:
    """Unpickling it would be seen."""

    def __reduce__(self):
        return (os.abort, ())


def write(path, content):
    if isinstance(content, np.ndarray):
        np.save(path, content, allow_pickle=True)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.write_text(content, encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.npy", None, "missing.npy: No such file or directory"),
        ("missing.csv", None, "missing.csv: No such file or directory"),
        ("m.xls", "1 2", "m.xls: a matrix must be in a file that ends in .csv, .tsv, "),
        ("m", "1 2", "a matrix must be in a file that ends in .csv, .tsv, .txt, .dat, .npy, "),
        ("m.csv", "1,2\n3,x\n", "m.csv, line 2: 'x' is not a number"),
        ("m.csv", "2,1\n3,\n", "TARGET must be finite, got 1 of 4 entries empty or NaN"),
        ("m.csv", "1 2\n\n3 4 5\n", "line 3: every row must have as many numbers as the first, 2"),
        ("m.csv", "# nothing\n\n", "m.csv holds no numbers"),
        ("m.csv", b"\xff\xfe\x00\xd8", "m.csv is not a text file"),
        ("m.csv", "1,nan\n2,3\n", "TARGET must be finite, got 1 of 4 entries empty or NaN"),
        ("m.csv", "1,inf\n2,3\n", "TARGET must be finite, got 1 NaN or infinite entries"),
        ("m.csv", "0 0\n0 0\n", "TARGET must not be the zero matrix"),
        ("m.npy", np.ones(3), "m.npy must hold a matrix of real numbers, got an array of"),
        ("m.npy", np.ones((0, 3)), "TARGET must not be empty"),
        ("m.npy", np.ones((2, 2)) * 1j, "m.npy must hold a matrix of real numbers"),
        ("m.npy", np.array([["a", "b"]]), "must hold a matrix of real numbers"),
        ("m.npy", np.array([[Trap()]], dtype=object), "it holds Python objects, not numbers"),
        ("m.npy", pickle.dumps(Trap()), "m.npy cannot be read as an array: the magic string"),
        ("m.npy", b"", "m.npy cannot be read as an array"),
        ("m.npy", b"PK\x03\x04" + 200 * b"\0", "m.npy cannot be read as an array"),
    ],
)
def test_bad_files_end_in_one_line(refused, tmp_path, name, content, message):
    write(tmp_path / name, content)
    assert message in refused(tmp_path / name)


def test_directory_in_place_of_a_file(refused, tmp_path):
    (tmp_path / "m.npy").mkdir()
    assert "Is a directory" in refused(tmp_path / "m.npy")


def test_truncated_array(refused, tmp_path, matrix):
    np.save(tmp_path / "m.npy", matrix)
    whole = (tmp_path / "m.npy").read_bytes()
    (tmp_path / "m.npy").write_bytes(whole[:-8])
    assert "m.npy cannot be read as an array" in refused(tmp_path / "m.npy")
