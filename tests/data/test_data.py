"""Image sets: formats read strictly, checksums, downloads, and pickles that may do nothing.

All files are generated here, in the published formats with their own counts; the real data are not
ours to ship.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
import hashlib
import io
import itertools
import os
import pickle
import struct
import sys
import tarfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

import dlnlab
from dlnlab.data import Images, ImageSet, cifar, idx, pickles
from dlnlab.data.downloads import Source

SHAPE, TRAIN, TEST = (3, 5), 12, 7


def md5(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


# ------------------------------------------------------------------ IDX


def idx_file(array: np.ndarray) -> bytes:
    """The format, from its description: 0 0 type axes, then sizes, then entries, all big-endian."""
    head = bytes([0, 0, 8, array.ndim]) + b"".join(struct.pack(">I", n) for n in array.shape)
    return head + array.astype(np.uint8).tobytes()


def generated(seed=0):
    rng = np.random.default_rng(seed)
    return [
        array
        for n in (TRAIN, TEST)
        for array in (rng.integers(0, 256, (n, *SHAPE)), rng.integers(0, 10, n))
    ]


NAMES = [source.name for source in idx.MNIST.files]


def packed(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


def described(url="http://nowhere.invalid") -> idx.IdxFiles:
    """What is expected here, in the place of the published files."""
    contents = [packed(idx_file(array)) for array in generated()]
    files = tuple(Source(f"{url}/{n}", md5(c)) for n, c in zip(NAMES, contents, strict=True))
    return idx.IdxFiles("small", files, (TRAIN, TEST), SHAPE, idx.MNIST.classes)


@pytest.fixture
def folder(tmp_path):
    for name, array in zip(NAMES, generated(), strict=True):
        (tmp_path / name).write_bytes(packed(idx_file(array)))
    return tmp_path


def check_set(found, arrays=None):
    arrays = generated() if arrays is None else arrays
    got = (found.train.pixels, found.train.labels, found.test.pixels, found.test.labels)
    for have, want in zip(got, arrays, strict=True):
        assert have.shape == want.shape
        assert (have == want).all()
    assert found.train.pixels.dtype == np.uint8
    assert found.train.labels.dtype == np.int64


def test_packed_and_unpacked_files_give_the_same_images(folder):
    check_set(idx.load(described(), folder))
    for name in NAMES:
        (folder / name.removesuffix(".gz")).write_bytes(
            gzip.decompress((folder / name).read_bytes())
        )
        (folder / name).unlink()
    check_set(idx.load(described(), str(folder)))


@pytest.mark.parametrize("name", ["fashion_mnist", "mnist"])
def test_the_public_loaders_read_their_files(folder, monkeypatch, name):
    monkeypatch.setattr(idx, name.upper(), described())
    check_set(getattr(dlnlab.data, name)(folder))


def test_the_descriptions_are_the_published_ones():
    for what in (idx.FASHION_MNIST, idx.MNIST):
        assert what.counts == (60_000, 10_000)
        assert what.shape == (28, 28)
        assert len(what.classes) == 10
    assert [s.md5[:8] for s in idx.FASHION_MNIST.files] == [
        "8d4fb7e6", "25c81989", "bef4ecab", "bb300cfd"
    ]  # fmt: skip
    assert [s.md5[:8] for s in idx.MNIST.files] == [
        "f68b3c2d", "d53e105e", "9fb629c4", "ec29112d"
    ]  # fmt: skip
    assert cifar.CIFAR10.archive.md5 == "c58f30108f718f92721af3b95e74349a"


def test_a_sound_file_with_another_checksum_warns(folder):
    images, *_ = generated()
    other = packed(idx_file(images[::-1]))
    (folder / NAMES[0]).write_bytes(other)
    with pytest.warns(UserWarning, match=f"train-images.* md5 is {md5(other)}"):
        found = idx.load(described(), folder)
    assert (found.train.pixels == images[::-1]).all()


GOOD = idx_file(generated()[0])
BAD_FILES = {
    "empty": (b"", "must begin with the bytes 00 00 08 03 .* got nothing"),
    "labels in the place of images": (idx_file(generated()[1]), "got 00 00 08 01"),
    "floats": (bytes([0, 0, 13, 3]) + GOOD[4:], "got 00 00 0d 03"),
    "little-endian": (
        GOOD[:4] + struct.pack("<3I", TRAIN, *SHAPE) + GOOD[16:], "its header says 0c 00 00 00"
    ),
    "an image less": (idx_file(generated()[0][1:]), "array of shape .12, 3, 5., its header says"),
    "cut in the header": (GOOD[:9], "its header says"),
    "cut": (GOOD[:-1], "must have 196 bytes, got 195"),
    "turned": (idx_file(generated()[0].transpose(0, 2, 1)), "its header says"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_FILES)
@pytest.mark.parametrize("pack", [True, False])
def test_a_damaged_file_is_refused(folder, name, pack):
    content, message = BAD_FILES[name]
    (folder / NAMES[0]).unlink()
    place = folder / (NAMES[0] if pack else NAMES[0].removesuffix(".gz"))
    place.write_bytes(packed(content) if pack else content)
    with pytest.raises(ValueError, match=message):
        idx.load(described(), folder)


def test_what_unpacks_to_too_much_is_refused_before_it_is_unpacked(folder):
    """Ten megabytes of zeros take ten kilobytes; a single byte too many is told as well."""
    bomb = packed(GOOD + bytes(10**7))
    for content in (bomb, packed(GOOD + b"\0")):
        (folder / NAMES[0]).write_bytes(content)
        with pytest.raises(ValueError, match="unpacked, must have at most 196 bytes, got more"):
            idx.load(described(), folder)
    (folder / NAMES[0]).write_bytes(os.urandom(2 * idx.SLACK))
    with pytest.raises(ValueError, match=r"must have at most 65732 bytes, got more"):
        idx.load(described(), folder)


@pytest.mark.parametrize(
    "damage", [lambda c: c[:-9], lambda c: b"nothing", lambda c: c[:40] + c[44:]]
)
def test_a_broken_archive_is_refused(folder, damage):
    whole = (folder / NAMES[0]).read_bytes()
    (folder / NAMES[0]).write_bytes(damage(whole))
    with pytest.raises(ValueError, match=r"is damaged|must"):
        idx.load(described(), folder)


def test_a_label_that_stands_for_nothing_is_refused(folder):
    labels = generated()[1]
    labels[3] = 10
    (folder / NAMES[1]).write_bytes(packed(idx_file(labels)))
    with pytest.raises(ValueError, match="must hold labels from 0 to 9, got 10"):
        idx.load(described(), folder)


@pytest.mark.parametrize("load", [functools.partial(idx.load, described()), dlnlab.data.mnist])
def test_a_missing_file_is_named(tmp_path, load):
    with pytest.raises(FileNotFoundError, match="`path` must be a folder with train-images-idx3"):
        load(tmp_path / "no" / "where")
    with pytest.raises(TypeError, match="`path` must be a path"):
        load(3)


# ------------------------------------------------------------------ downloads


@pytest.fixture
def server(folder):
    """An HTTP server that offers the files of `folder`."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    handler = functools.partial(Quiet, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_without_a_path_the_files_are_downloaded_once(server, folder, tmp_path, monkeypatch):
    pooch = pytest.importorskip("pooch", reason="pooch is not installed")
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    what = described(server)
    check_set(idx.load(what, None))
    for name in NAMES:
        (folder / name).unlink()
    check_set(idx.load(what, None))
    assert sorted(p.name for p in (tmp_path / "cache" / "dlnlab" / "small").iterdir()) == sorted(
        NAMES
    )


def test_a_download_with_another_checksum_is_not_kept(server, folder, tmp_path, monkeypatch):
    pooch = pytest.importorskip("pooch", reason="pooch is not installed")
    monkeypatch.setattr(pooch, "os_cache", lambda name: tmp_path / "cache" / name)
    (folder / NAMES[0]).write_bytes(packed(GOOD[:-1] + b"\0"))
    with pytest.raises(ValueError, match="hash"):
        idx.load(described(server), None)
    assert list((tmp_path / "cache").rglob("*.gz")) == []


@pytest.mark.parametrize(
    "load", [dlnlab.data.mnist, dlnlab.data.fashion_mnist, dlnlab.data.cifar10]
)
def test_a_download_without_pooch_says_what_to_do(monkeypatch, load):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"dlnlab\[data\].*, or download http.*pass its `path`"):
        load()


# ------------------------------------------------------------------ CIFAR-10

COUNT = 4


PUT = None
"""Stands for the instruction that gives an object the next number."""


def python_2_pickle(batch: dict[bytes, object]) -> bytes:
    """A pickle of protocol 2 as Python 2's cPickle writes dicts, lists, strings and byte arrays."""
    pieces = [b"\x80\x02}", PUT, b"("]
    for key, value in batch.items():
        pieces += [*_text(key), *_any(value)]
    numbers = itertools.count(1)
    pieces += [b"u."]
    return b"".join(b"q" + bytes([next(numbers)]) if p is PUT else p for p in pieces)


def _text(value: bytes):
    size = bytes([len(value)]) if len(value) < 256 else struct.pack("<i", len(value))
    return [b"U" if len(value) < 256 else b"T", size, value, PUT]


def _number(value: int):
    return [b"K" + bytes([value]) if value < 256 else b"M" + struct.pack("<H", value)]


def _array(value: np.ndarray):
    rows, columns = value.shape
    return [
        *(b"cnumpy.core.multiarray\n_reconstruct\n", PUT, b"cnumpy\nndarray\n", PUT),
        *(b"K\x00\x85", *_text(b"b"), b"\x87R", PUT),
        *(b"(K\x01", *_number(rows), *_number(columns), b"\x86"),
        *(b"cnumpy\ndtype\n", PUT, *_text(b"u1"), b"K\x00K\x01\x87R", PUT),
        *(b"(K\x03", *_text(b"|"), b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"),
        *(b"\x89", *_text(value.tobytes()), b"tb"),
    ]


def _any(value: object):
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, int):
        return _number(value)
    if isinstance(value, list):
        return [b"]", PUT, b"(", *itertools.chain.from_iterable(map(_any, value)), b"e"]
    return _array(value)


BATCHES = ["data_batch_1", "data_batch_2", "test_batch"]


def cifar_batch(seed):
    """Images (COUNT, 32, 32, 3) and labels."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (COUNT, 32, 32, 3), dtype=np.uint8), rng.integers(0, 10, COUNT)


def cifar_pickle(seed, **other):
    pixels, labels = cifar_batch(seed)
    rows = np.stack([np.concatenate([image[..., c].ravel() for c in range(3)]) for image in pixels])
    batch = {b"batch_label": b"a batch", b"labels": labels.tolist(), b"data": rows}
    batch[b"filenames"] = [b"%d.png" % k for k in range(COUNT)]
    return python_2_pickle(batch | {key.encode(): value for key, value in other.items()})


CONTENTS = {name: cifar_pickle(seed) for seed, name in enumerate(BATCHES)}
SMALL = dataclasses.replace(
    cifar.CIFAR10,
    train={name: md5(CONTENTS[name]) for name in BATCHES[:2]},
    test={"test_batch": md5(CONTENTS["test_batch"])},
    count=COUNT,
)


def cifar_archive(path, contents=CONTENTS, folder="cifar-10-batches-py"):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in ({"readme.html": b"hello"} | contents).items():
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def check_cifar(found):
    for part, seeds in ((found.train, (0, 1)), (found.test, (2,))):
        batches = [cifar_batch(seed) for seed in seeds]
        assert (part.pixels == np.concatenate([pixels for pixels, _ in batches])).all()
        assert (part.labels == np.concatenate([labels for _, labels in batches])).all()
    assert found.shape == (32, 32, 3)
    assert found.classes[6] == "frog"


def test_the_generated_pickle_is_what_pickle_reads():
    """So that the fixtures are pickles of Python 2 and nothing else."""
    held = pickle.loads(CONTENTS["test_batch"], encoding="bytes")
    assert held[b"data"].shape == (COUNT, 3072)
    assert held[b"labels"] == cifar_batch(2)[1].tolist()


def test_an_archive_a_folder_and_a_folder_with_either_give_the_same_images(tmp_path):
    archive = cifar_archive(tmp_path / "cifar-10-python.tar.gz")
    check_cifar(cifar.load(SMALL, archive))
    check_cifar(cifar.load(SMALL, tmp_path))
    unpacked = tmp_path / "other" / "cifar-10-batches-py"
    unpacked.mkdir(parents=True)
    for name, content in CONTENTS.items():
        (unpacked / name).write_bytes(content)
    check_cifar(cifar.load(SMALL, unpacked))
    check_cifar(cifar.load(SMALL, str(tmp_path / "other")))


def test_the_public_loader_reads_them(tmp_path, monkeypatch):
    monkeypatch.setattr(cifar, "CIFAR10", SMALL)
    check_cifar(dlnlab.data.cifar10(cifar_archive(tmp_path / "a.tar.gz")))


def loaded(tmp_path, content):
    """Read a set whose last batch is `content`."""
    return cifar.load(
        SMALL, cifar_archive(tmp_path / "a.tar.gz", CONTENTS | {"test_batch": content})
    )


def test_a_sound_batch_with_another_checksum_warns(tmp_path):
    with pytest.warns(UserWarning, match="test_batch' is sound, but not the published file"):
        found = loaded(tmp_path, cifar_pickle(5))
    assert (found.test.pixels == cifar_batch(5)[0]).all()


class Hostile:
    """Its pickle calls `os.system`."""

    def __reduce__(self):
        return os.system, ("touch harmed",)


def harmful(where):
    """Pickles that would do something in `pickle.load`, or make the reader do something."""
    good = CONTENTS["test_batch"]
    far = b"\x80\x02}r" + struct.pack("<I", 2**31 - 1) + b"."
    return {
        "call": (pickle.dumps(Hostile(), 2), "instruction|posix|calls for"),
        "call by another name": (
            good.replace(b"cnumpy\ndtype\n", b"cos\nsystem\n"), "calls for os"
        ),
        "numpy's own loader": (
            good.replace(b"cnumpy\ndtype\n", b"cnumpy\nload\n"), "calls for numpy.load"
        ),
        "place far away": (far, "stores its object number 1 in place 2147483647"),
        "newer protocol": (pickle.dumps({b"data": 1}, 4), "instruction FRAME|instruction"),
        "persistent": (b"\x80\x02Pabc\n.", "instruction PERSID"),
        "attributes of a class": (
            b"\x80\x02cnumpy\nndarray\nq\x01N}q\x02U\x05__setq\x03K\x01s\x86b.", "must hold a dict"
        ),
        "cut": (good[:-30], "must be a pickle of plain data"),
        "something after it": (good + b"abc", "3 bytes follow"),
        "nothing": (b"", "must be a pickle"),
        "text": (b"hello there", "must be a pickle"),
    }  # fmt: skip


@pytest.mark.parametrize("name", harmful(None))
def test_a_pickle_may_do_nothing(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    content, message = harmful(None)[name]
    with pytest.raises(ValueError, match=message):
        loaded(tmp_path, content)
    assert not (tmp_path / "harmed").exists()
    check_cifar(cifar.load(SMALL, cifar_archive(tmp_path / "b.tar.gz")))  # nothing stays behind


def rows(shape=(COUNT, 3072), dtype=np.uint8):
    return np.zeros(shape, dtype)


BAD_BATCHES = {
    "an image less": (cifar_pickle(2, data=rows((COUNT - 1, 3072))), "shape .4, 3072., rows first"),
    "grey": (cifar_pickle(2, data=rows((COUNT, 1024))), "rows first, got shape"),
    "no array": (cifar_pickle(2, data=7), "got int"),
    "a label less": (cifar_pickle(2, labels=[1, 2, 3]), "a list of 4 labels from 0 to 9"),
    "label 10": (cifar_pickle(2, labels=[1, 2, 3, 10]), "a list of 4 labels from 0 to 9"),
    "text for labels": (cifar_pickle(2, labels=b"1234"), "a list of 4 labels"),
    "no dict": (python_2_pickle({}).replace(b"}", b"]").replace(b"u", b"e"), "must hold a dict"),
    "no data": (python_2_pickle({b"labels": [1]}), "dict with data and labels"),
    "another type": (CONTENTS["test_batch"].replace(b"U\x02u1", b"U\x02i1"), "of another type"),
    "bytes missing": (
        CONTENTS["test_batch"].replace(b"K\x04M\x00\x0c\x86", b"K\x03M\x00\x0c\x86"), "rows first"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_BATCHES)
def test_a_damaged_batch_is_refused(tmp_path, name):
    content, message = BAD_BATCHES[name]
    with pytest.raises(ValueError, match=message):
        loaded(tmp_path, content)


def test_the_number_of_bytes_is_checked_apart_from_the_shape():
    record = pickles.Record(("numpy.core.multiarray", "_reconstruct"))
    kind = pickles.Record(("numpy", "dtype"), (b"u1", 0, 1))
    record.state = (1, (2, 3), kind, False, b"12345")
    with pytest.raises(ValueError, match="another number of bytes"):
        pickles.array_of("here", record, (2, 3))
    record.state = (1, (2, 3), kind, True, b"123456")
    with pytest.raises(ValueError, match="rows first"):
        pickles.array_of("here", record, (2, 3))
    record.state = (1, (2, 3), kind, False, b"123456")
    assert pickles.array_of("here", record, (2, 3)).tolist() == [[49, 50, 51], [52, 53, 54]]


def test_an_archive_is_bounded_before_it_is_unpacked(tmp_path):
    """A batch too large, other members too large, and members outside the folder."""
    large = CONTENTS | {"test_batch": bytes(10**6)}
    with pytest.raises(ValueError, match=r"test_batch' must have at most .* got 1,000,000"):
        cifar.load(SMALL, cifar_archive(tmp_path / "a.tar.gz", large))
    bomb = {"zeros": bytes(10**7)} | CONTENTS
    with pytest.raises(ValueError, match="must not unpack to more than its batches take"):
        cifar.load(SMALL, cifar_archive(tmp_path / "b.tar.gz", bomb))
    with pytest.raises(ValueError, match="must hold data_batch_1, data_batch_2, test_batch"):
        cifar.load(SMALL, cifar_archive(tmp_path / "c.tar.gz", folder="../cifar-10-batches-py"))
    (tmp_path / "d.tar.gz").write_bytes((tmp_path / "c.tar.gz").read_bytes()[:-20])
    with pytest.raises(ValueError, match="is damaged"):
        cifar.load(SMALL, tmp_path / "d.tar.gz")
    with pytest.raises(FileNotFoundError, match=r"`path` must be cifar-10-python\.tar\.gz"):
        cifar.load(SMALL, tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="`path` must be a folder with data_batch_1"):
        cifar.load(SMALL, tmp_path / "empty")


# ------------------------------------------------------------------ digits, and what is returned


def test_digits_are_scikit_learn_s():
    datasets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    published, found = datasets.load_digits(), dlnlab.data.digits()
    assert (len(found.train), len(found.test), found.shape) == (1437, 360, (8, 8))
    pixels = np.concatenate([found.train.pixels, found.test.pixels])
    assert (pixels == published.images).all()
    labels = np.concatenate([found.train.labels, found.test.labels])
    assert (labels == published.target).all()
    # Both parts have every digit about as often.
    assert (np.bincount(found.test.labels) >= 30).all()


def test_digits_without_scikit_learn_say_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"dlnlab\[data\]"):
        dlnlab.data.digits()


def few(n=3, **other):
    given = {"pixels": np.full((n, 2, 2), 16, np.uint8), "labels": np.arange(n), "brightest": 16}
    return Images(**(given | other))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaled_images_lie_between_zero_and_one_where_they_are_asked_to(backend, dtype):
    like = backend.asarray(np.zeros(1, dtype))
    X, y = few().scaled(like)
    backend.assert_home(X, y)
    assert dlnlab.numerics.arrays.dtype_name(X) == np.dtype(dtype).name
    assert (backend.to_host(X) == 1.0).all()
    assert backend.to_host(y).tolist() == [0, 1, 2]
    assert few().scaled()[0].dtype == np.float64


BAD_IMAGES = {
    "floats": (TypeError, {"pixels": np.ones((3, 2, 2))}, "`pixels` must be an array of uint8"),
    "flat": (ValueError, {"pixels": np.ones((3, 4), np.uint8)}, "`pixels` must be .*height"),
    "none": (ValueError, {"pixels": np.ones((0, 2, 2), np.uint8)}, "not empty"),
    "too bright": (ValueError, {"brightest": 15}, "`pixels` must be at most 15, got 16"),
    "a label less": (ValueError, {"labels": np.arange(2)}, "`labels` must be an array of 3"),
    "negative": (ValueError, {"labels": np.array([0, 1, -1])}, "`labels` must be .* >= 0"),
    "real": (TypeError, {"labels": np.ones(3)}, "`labels` must be an array of 3 integers"),
    "list": (TypeError, {"labels": [0, 1, 2]}, "`labels` of Images must be"),
    "brightest 0": (ValueError, {"brightest": 0}, "`brightest` must be an integer"),
}


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_images_that_do_not_fit_together_are_refused(name):
    kind, other, message = BAD_IMAGES[name]
    with pytest.raises(kind, match=message):
        few(**other)


def test_parts_of_a_set_fit_together():
    with pytest.raises(ValueError, match="`classes` must name all labels up to 2, got 2 names"):
        ImageSet("a", few(), few(), ("x", "y"))
    other = few(pixels=np.ones((3, 2, 3), np.uint8))
    with pytest.raises(
        ValueError, match=r"`test` must have images of the shape of `train`, \(2, 2\)"
    ):
        ImageSet("a", few(), other, ("x", "y", "z"))


def test_a_loader_feeds_a_network(folder):
    """The way from files to a gradient, as a user goes it."""
    found = idx.load(described(), folder)
    X, y = found.train.scaled(np.float32(0))
    model = dlnlab.nets.mlp(15, 8, 10, "compressed", 4)
    M = dlnlab.nets.cross_correlation(X, y, 10)
    assert M.shape == (10, 15)
    params = model.init(0, like=X)
    loss, gradients = model.loss_and_gradients(params, X, y)
    assert np.isfinite(loss)
    assert gradients["W1"].dtype == np.float32
