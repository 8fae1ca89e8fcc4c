"""Files from strangers: damaged, foreign, or lying about their size."""

from __future__ import annotations

import io
import json
import os
import pickle
import random
import tracemalloc
import zipfile

import numpy as np
import pytest

import dlnlab
from dlnlab import cli
from dlnlab.data import movielens
from dlnlab.files import untrusted


class Trap:
    """Unpickling it would end the tests."""

    def __reduce__(self):
        return (os.abort, ())


def npy(array=None, header=None):
    """The bytes of a .npy file, with a header of its own if wanted."""
    file = io.BytesIO()
    np.lib.format.write_array(file, np.arange(6.0).reshape(2, 3) if array is None else array)
    if header is None:
        return file.getvalue()
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(48)


def header(shape="(2, 3)", descr="'<f8'", order="False"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


def read(content):
    return untrusted.array(io.BytesIO(content), len(content), "m.npy")


def test_what_is_written_is_read():
    np.testing.assert_array_equal(read(npy()), np.arange(6.0).reshape(2, 3))
    np.testing.assert_array_equal(read(npy(header=header())), np.zeros((2, 3)))


LIES = [
    header("(1000000000, 1000000000)"),
    header("(10000000000000000000000, 3)"),
    header("(-2, -3)"),
    header("(2, 2)"),
    header(descr="'|O'"),
    header(descr="'<f80000000000'"),
    header(descr="[('a', '<f8'), ('b', '|O')]"),
    header(shape="(2, 3", descr="'<f8'"),
    header(order="__import__('os').abort()"),
    "{" * 60,
    "(" * 100,
    "'" * 3,
    "\x00",
]


@pytest.mark.parametrize("lie", LIES)
def test_a_header_that_lies_is_refused_before_memory_is_taken(lie):
    tracemalloc.start()
    with pytest.raises(ValueError, match=r"m\.npy cannot be read as an array"):
        read(npy(header=lie))
    assert tracemalloc.get_traced_memory()[1] < 2_000_000
    tracemalloc.stop()


def test_nothing_is_unpickled():
    for content in (pickle.dumps(Trap()), b"\x93NUMPY\x01\x00" + pickle.dumps(Trap())):
        with pytest.raises(ValueError, match="cannot be read"):
            read(content)
    file = io.BytesIO()
    np.lib.format.write_array(file, np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="it holds Python objects"):
        read(file.getvalue())


def test_any_damage_is_a_value_error():
    draw, told = random.Random(0), []
    for _ in range(2000):
        content = bytearray(npy())
        for _ in range(draw.randint(1, 4)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        try:
            found = read(bytes(content[: draw.choice([len(content), draw.randrange(200)])]))
        except ValueError as error:
            told.append(str(error))
        else:
            assert found.nbytes == 48
    assert len(told) > 1000
    assert all("m.npy cannot be read" in message for message in told)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes that are files on this system")
def test_what_may_never_end_is_not_read(tmp_path, capsys):
    os.mkfifo(tmp_path / "m.csv")
    (tmp_path / "m.npy").symlink_to("/dev/zero")
    for name in ("m.csv", "m.npy"):
        assert cli.main(["compare", str(tmp_path / name)]) == 2
        assert f"{name} must be a file, got something else" in capsys.readouterr().err


@pytest.mark.parametrize("cell", ["12_3", "１２", "0x10", "1e", "1,5;2", "٣"])
def test_what_only_python_calls_a_number_is_none(tmp_path, cell):
    (tmp_path / "m.csv").write_text(f"1 2\n3 {cell}\n", encoding="utf-8")
    with pytest.raises(ValueError, match="line 2"):
        dlnlab.data.read(tmp_path / "m.csv")


def test_a_text_that_does_not_fit_in_memory_is_refused(tmp_path, monkeypatch):
    (tmp_path / "m.csv").write_text("1 2\n" * 1000, encoding="utf-8")
    monkeypatch.setattr("dlnlab.numerics.arrays.available_bytes", lambda reference=None: 50_000)
    with pytest.raises(ValueError, match=r"save it as \.npy"):
        dlnlab.data.read(tmp_path / "m.csv")


# ---------------------------------------------------------------------- archives


def archive(path, members, compression=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def test_a_member_is_read_wherever_its_name_leads(tmp_path):
    folder = tmp_path / "in" / "here"
    folder.mkdir(parents=True)
    path = archive(folder / "a.zip", {"../../u.data": b"1\n", "/etc/other": b"2\n"})
    assert untrusted.member(path, "u.data", 10)[1] == b"1\n"
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["a.zip"]


def bomb(path):
    return archive(path, {"ml/u.data": bytes(60_000_000)})


def test_a_bomb_is_not_unpacked(tmp_path):
    path = bomb(tmp_path / "a.zip")
    assert path.stat().st_size < 300_000
    tracemalloc.start()
    with pytest.raises(ValueError, match="must have at most 10000000 bytes, got more"):
        movielens.read(path)
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()


def test_a_bomb_that_lies_about_its_size_is_not_unpacked(tmp_path):
    content = bytearray(bomb(tmp_path / "a.zip").read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = content.index(signature) + offset
        content[place : place + 4] = (1000).to_bytes(4, "little")
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.zip' is damaged|must have"):
        movielens.read(tmp_path / "a.zip")


def test_too_large_a_file_is_not_read(tmp_path):
    with open(tmp_path / "u.data", "wb") as file:
        file.truncate(3_000_000_000)  # takes no room on the disk
    with pytest.raises(ValueError, match="must have at most 10000000 bytes, got more"):
        movielens.read(tmp_path / "u.data")


def test_a_line_of_a_million_digits_is_no_number(tmp_path):
    (tmp_path / "u.data").write_bytes(b"1\t1\t1\t" + b"9" * 1_000_000)
    with pytest.raises(ValueError, match="line 1 must be four whole numbers"):
        movielens.read(tmp_path / "u.data")


def test_encrypted_and_unusual_members_are_refused(tmp_path):
    content = bytearray(archive(tmp_path / "a.zip", {"u.data": b"1\n"}).read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1  # says that it is encrypted
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(ValueError, match="damaged or encrypted"):
        movielens.read(tmp_path / "a.zip")
    archive(tmp_path / "b.zip", {"u.data": b"1\n"}, zipfile.ZIP_LZMA)
    with pytest.raises(ValueError, match="must be stored or deflated"):
        movielens.read(tmp_path / "b.zip")


def test_any_damage_to_an_archive_is_a_value_error(tmp_path):
    whole, draw = (
        archive(tmp_path / "a.zip", {"u.data": b"1\t1\t1\t1\n" * 50}).read_bytes(),
        random.Random(0),
    )
    for _ in range(200):
        content = bytearray(whole)
        for _ in range(draw.randint(1, 4)):
            content[draw.randrange(len(content))] = draw.randrange(256)
        (tmp_path / "b.zip").write_bytes(content)
        with pytest.raises(ValueError, match=r"b\.zip|u\.data"):
            movielens.read(tmp_path / "b.zip")


# ---------------------------------------------------------------------- JSON


NOT_JSON = [b"", b"{", b"[1]", b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": 1}x', b"\xff"]
NOT_JSON += [b"[" * 200_000, b'{"a": ' + b"9" * 5000 + b"}"]


@pytest.mark.parametrize("content", NOT_JSON, ids=range(len(NOT_JSON)))
def test_json_is_strict_and_the_file_named(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.json"):
        untrusted.json_object(tmp_path / "a.json", 1_000_000)


def test_json_of_any_size_is_not_read(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"a": "x" * 1000}), encoding="utf-8")
    assert untrusted.json_object(tmp_path / "a.json", 2000) == {"a": "x" * 1000}
    with pytest.raises(ValueError, match="must have at most 100 bytes"):
        untrusted.json_object(tmp_path / "a.json", 100)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.longdouble, np.int8, ">f8"])
def test_every_precision_of_a_file_works(tmp_path, capsys, dtype):
    np.save(tmp_path / "m.npy", np.diag([1, 0.5, 0.25]).astype(dtype))
    code = cli.main(["compare", str(tmp_path / "m.npy"), "--eps", "0.1", "--rtol", "1e-5"])
    err = capsys.readouterr().err
    assert (code, err) == (0, "")
