"""Files that are replaced as a whole, and what killed processes leave of them."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dlnlab.files import locks, storage

pytest.importorskip("fcntl", reason="modes and links are those of POSIX")


def write(path, content=b"new"):
    with storage.replacing(path) as file:
        file.write(content)


def test_a_file_is_replaced_and_nothing_is_left(tmp_path):
    path = tmp_path / "file"
    for content in (b"one", b"two"):
        write(path, content)
        assert path.read_bytes() == content
    assert list(tmp_path.iterdir()) == [path]


def test_a_block_that_does_not_end_changes_nothing(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def interrupted():
        with storage.replacing(path) as file:
            file.write(b"half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444])
def test_the_mode_of_a_file_is_kept(tmp_path, mode):
    path = tmp_path / "file"
    path.touch()
    path.chmod(mode)
    write(path)
    assert path.stat().st_mode & 0o777 == mode


def test_a_new_file_has_the_mode_that_the_user_gives_new_files(tmp_path):
    path, other = tmp_path / "file", tmp_path / "other"
    write(path)
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode


def test_links_stay_links(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    real, link, chain = tmp_path / "elsewhere" / "real", tmp_path / "link", tmp_path / "chain"
    link.symlink_to("elsewhere/real")
    chain.symlink_to("link")
    for content in (b"one", b"two"):  # the first makes the file that the links point to
        write(chain, content)
        assert real.read_bytes() == content
        assert link.is_symlink()
        assert chain.is_symlink()


def test_the_temporary_name_is_new_and_no_link_is_followed(tmp_path, monkeypatch):
    path, victim = tmp_path / "file", tmp_path / "victim"
    seen = set()
    for _ in range(3):
        with storage.replacing(path):
            seen |= {p.name for p in tmp_path.iterdir()} - {"file"}
    assert len(seen) == 3
    victim.write_bytes(b"precious")
    monkeypatch.setattr(storage.secrets, "token_hex", lambda count: "0" * 2 * count)
    planted = locks.beside(path, "part", "-" + "0" * 16)
    planted.symlink_to(victim)  # as if the name had been foreseen
    with pytest.raises(FileExistsError):
        write(path)
    assert victim.read_bytes() == b"precious"


HALF = """
import sys, time
from dlnlab.files import storage
with storage.replacing(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
"""


def test_what_a_killed_process_left_is_removed_and_what_a_live_one_writes_is_not(tmp_path):
    path = tmp_path / "file"
    command = [sys.executable, "-c", HALF, str(path)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for process in processes:
        assert process.stdout.readline() == "writing\n"
    assert len(list(tmp_path.iterdir())) == 2
    live, killed = processes
    with killed:
        killed.kill()
    write(path, b"whole")
    assert len(list(tmp_path.iterdir())) == 2  # the file, and what the live one writes
    with live:
        live.kill()
    storage.sweep(path)
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_bytes() == b"whole"


def test_sweeping_leaves_the_files_of_others(tmp_path):
    path = tmp_path / "file"
    others = [tmp_path / name for name in (".file.123", "file.part", ".0-1.dlnlab-part")]
    for other in others:
        other.touch()
    storage.sweep(path)
    assert all(other.exists() for other in others)


def test_without_locks_only_what_is_old_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    path = tmp_path / "file"
    young, old = (locks.beside(path, "part", f"-{k}") for k in range(2))
    young.touch()
    old.touch()
    os.utime(old, (0, 0))
    storage.sweep(path)
    assert young.exists()
    assert not old.exists()


LONG = "x" * 300


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (LONG, "cannot be written: .*too long"),
        ("no/such/place", "must be a file in an existing directory"),
        ("file/below", "must be a file in an existing directory"),
        ("", "must be a file"),
        ("a\0b", "cannot be written: .*null"),
        ("loop", "cannot be written"),
        ("/dev/full", "must be a file, got .* something else"),
        ("/dev/null", "must be a file"),
        ("pipe", "must be a file"),
    ],
)
def test_a_path_that_cannot_be_written_is_found_before(tmp_path, name, message):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match=rf"`path` .*{message}|`path` {message}"):
        storage.check("path", os.path.join(tmp_path, name))


def test_the_longest_name_works(tmp_path):
    path = tmp_path / ("x" * 255)
    write(storage.check("path", path))
    assert path.read_bytes() == b"new"


def test_a_name_that_is_not_text_works(tmp_path):
    path = storage.check("path", os.path.join(tmp_path, "\udcff\udcfe"))
    write(path)
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("value", [3, None, b"bytes", ["a"]])
def test_what_is_no_path_is_refused(value):
    with pytest.raises(TypeError, match="`path` must be a path"):
        storage.check("path", value)


def test_a_protected_file_is_refused(tmp_path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    path = tmp_path / "file"
    path.touch()
    path.chmod(0o444)
    with pytest.raises(ValueError, match="permission denied"):
        storage.check("path", path)


# ---------------------------------------------------------------------- arrays


def header(shape, dtype="<f8"):
    out = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        out, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return out.getvalue()


def archive(path, members, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)


def claim_size(path, size):
    """Say in the archive and in the array that there are more bytes than the file has."""
    content = header((size // 8,))
    archive(path, {"a.npy": content})
    told = struct.pack("<I", len(content)), struct.pack("<I", len(content) + size)
    data = path.read_bytes()
    path.write_bytes(data.replace(*told))


def flip(path, place):
    np.savez(path, a=np.ones(1000))
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)


BAD = {
    "larger than it is": lambda path: archive(path, {"a.npy": header((10**12,)) + b"0" * 8}),
    "smaller than it is": lambda path: archive(path, {"a.npy": header((1,)) + b"0" * 80}),
    "pickled": lambda path: np.savez(path, a=np.array([{}], dtype=object)),
    "pickled, by its name": lambda path: archive(path, {"a.npy": header((0,), "|O")}),
    "a bomb": lambda path: np.savez_compressed(path, a=np.zeros(10**6)),
    "larger than the file": lambda path: claim_size(path, 8 * 10**8),
    "changed by a bit": lambda path: flip(path, -400),
    "text": lambda path: archive(path, {"a.npy": b"hello"}),
}


@pytest.mark.parametrize("kind", BAD)
def test_an_archive_of_a_stranger_is_refused_before_it_is_unpacked(tmp_path, kind):
    path = tmp_path / "file.npz"
    BAD[kind](path)
    with pytest.raises(ValueError, match="no archive of ours"):
        storage.read_npz(path, "no archive of ours")


def test_arrays_come_back_as_they_were(tmp_path):
    path = Path(tmp_path / "file.npz")
    content = {
        "a": np.arange(6.0).reshape(2, 3),
        "b": np.array("text"),
        "c": np.asfortranarray(np.eye(3, 2)),
        "d": np.zeros((0, 4), np.float32),
    }
    storage.write_npz(path, content)
    found = storage.read_npz(path, "")
    assert found.keys() == content.keys()
    for name, array in content.items():
        assert found[name].dtype == array.dtype
        assert np.array_equal(found[name], array)
