"""Ratings: reading their file strictly, downloading it, splitting and scoring.

The files are generated here in MovieLens' format with their own counts; the real data are not ours
to ship.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instances import assert_close, network

import dlnlab
from dlnlab.data import movielens
from dlnlab.data.movielens import MOVIELENS_100K, RatingsFile
from dlnlab.data.ratings import Ratings

UNIT = np.finfo(float).eps
USERS, ITEMS, COUNT = 12, 17, 60


def generated(seed=0):
    """Draw ids from 1 and ratings of a small file."""
    rng = np.random.default_rng(seed)
    places = rng.choice(USERS * ITEMS, COUNT, replace=False)
    users, items = np.divmod(places, ITEMS)
    return users + 1, items + 1, rng.integers(1, 6, COUNT)


def content(rows=None):
    rows = zip(*generated(), strict=True) if rows is None else rows
    return b"".join(b"%d\t%d\t%d\t88125%04d\n" % (*row, k) for k, row in enumerate(rows))


def described(data: bytes, url="http://nowhere.invalid/small.zip") -> RatingsFile:
    checksum = f"md5:{hashlib.md5(data).hexdigest()}"
    return RatingsFile(url, checksum, "u.data", USERS, ITEMS, COUNT, (1, 2, 3, 4, 5))


def archive(path: Path, data: bytes, name="ml-small/u.data") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stored:
        stored.writestr(name, data)
    return path


SMALL = described(b"")


def test_the_description_of_movielens_100k():
    # Published with the data (its README and u.info).
    assert dataclasses.astuple(MOVIELENS_100K)[2:] == (
        "u.data", 943, 1682, 100_000, (1, 2, 3, 4, 5)
    )  # fmt: skip
    assert MOVIELENS_100K.checksum == "md5:0e33842e24a9c977be4e0107933c0723"


def test_a_file_a_folder_and_an_archive_give_the_same_ratings(tmp_path):
    (tmp_path / "u.data").write_bytes(content())
    zipped = archive(tmp_path / "small.zip", content())
    users, items, values = generated()
    for path in (tmp_path / "u.data", str(tmp_path), zipped):
        ratings = movielens.load(path, file=SMALL)
        assert (ratings.users == users - 1).all()
        assert (ratings.items == items - 1).all()
        assert (ratings.values == values).all()
        assert ratings.shape == (USERS, ITEMS)
        assert len(ratings) == COUNT


def edited(number, line):
    lines = content().split(b"\n")
    lines[number - 1] = line
    return b"\n".join(lines)


def repeated():
    lines = content().split(b"\n")
    lines[30] = lines[4]
    return b"\n".join(lines)


BAD_FILES = {
    "header": (b"user\titem\trating\ttime\n" + content(), "line 1 must be four whole numbers"),
    "CRLF": (content().replace(b"\n", b"\r\n"), "line 1 must be four whole numbers"),
    "CR in one line": (edited(7, b"1\t2\t3\t4\r"), r"line 7 must be .* got b'1\\t2\\t3\\t4\\r'"),
    "blanks": (edited(3, b"1  2  3  4"), "line 3 must be four whole numbers separated by tabs"),
    "empty line": (edited(5, b""), "line 5 must be four whole numbers"),
    "empty file": (b"", "line 1 must be four whole numbers"),
    "byte order mark": (b"\xef\xbb\xbf" + content(), "line 1 must be four whole numbers"),
    "cut": (content()[:-25], "line 59 must be four whole numbers|must have 60 lines, got 59"),
    "row lost": (content().split(b"\n", 1)[1], "must have 60 lines, got 59"),
    "row added": (content() + b"1\t1\t1\t1\n", "must have 60 lines, got 61|must not repeat"),
    "user 0": (
        edited(9, b"0\t50\t5\t881250949"),
        "line 9 must name a user between 1 and 12, got 0",
    ),
    "a user more": (edited(9, b"13\t1\t5\t8"), "line 9 must name a user between 1 and 12, got 13"),
    "an item more": (edited(60, b"1\t18\t5\t8"), "line 60 must name a item between 1 and 17"),
    "rating 0": (edited(2, b"1\t1\t0\t8"), "line 2 must have a rating among"),
    "rating 6": (edited(2, b"1\t1\t6\t8"), "line 2 must have a rating among"),
    "half a star": (edited(2, b"1\t1\t3.5\t8"), "line 2 must be four whole numbers"),
    "negative": (edited(2, b"1\t-1\t3\t8"), "line 2 must be four whole numbers"),
    "twice": (repeated(), r"line 31 must not repeat a rating: .* in line 5"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_damaged_file_is_refused_with_its_line(tmp_path, name):
    data, message = BAD_FILES[name]
    (tmp_path / "u.data").write_bytes(data)
    with pytest.raises(ValueError, match=message) as caught:
        movielens.load(tmp_path, file=SMALL)
    assert "u.data" in str(caught.value)


def test_a_path_that_leads_nowhere(tmp_path):
    with pytest.raises(FileNotFoundError, match="`path` must be an archive"):
        movielens.load(tmp_path, file=SMALL)
    with pytest.raises(FileNotFoundError, match="does not exist"):
        movielens.load(tmp_path / "absent.zip", file=SMALL)
    with pytest.raises(TypeError, match="`path` must be a path, got 3"):
        movielens.load(3, file=SMALL)


def test_an_archive_without_the_file_or_damaged(tmp_path):
    with pytest.raises(ValueError, match=r"must hold one file u\.data, got 0"):
        movielens.load(archive(tmp_path / "a.zip", content(), "ml/readme"), file=SMALL)
    damaged = bytearray(archive(tmp_path / "b.zip", content()).read_bytes())
    damaged[60] ^= 0xFF
    (tmp_path / "b.zip").write_bytes(damaged)
    with pytest.raises(ValueError, match=r"b\.zip' is damaged"):
        movielens.load(tmp_path / "b.zip", file=SMALL)


# Downloads.


class Quiet(SimpleHTTPRequestHandler):
    asked = 0

    def log_message(self, *args):
        type(self).asked += 1


@pytest.fixture
def server(tmp_path):
    """A web server for a folder, on a free port, and the folder."""
    folder = tmp_path / "served"
    folder.mkdir()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", folder
        running.shutdown()
        thread.join()


def test_a_download_is_checked_kept_and_not_repeated(server, tmp_path):
    url, folder = server
    zipped = archive(folder / "small.zip", content())
    file = described(zipped.read_bytes(), f"{url}/small.zip")
    Quiet.asked = 0
    path = movielens.download(tmp_path / "cache", file=file)
    again = movielens.download(tmp_path / "cache", file=file)
    assert path == again
    assert Quiet.asked == 1
    assert len(movielens.load(path, file=file)) == COUNT


def test_a_download_with_another_checksum_is_refused(server, tmp_path):
    url, folder = server
    archive(folder / "small.zip", content())
    file = described(b"something else", f"{url}/small.zip")
    with pytest.raises(ValueError, match="does not match the known hash"):
        movielens.download(tmp_path / "cache", file=file)
    assert not list((tmp_path / "cache").glob("*"))


def test_a_download_that_is_not_there_says_so(server, tmp_path):
    url, _ = server
    with pytest.raises(OSError, match="404"):
        movielens.download(tmp_path / "cache", file=described(b"", f"{url}/absent.zip"))


def test_without_pooch_the_message_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pooch", None)
    with pytest.raises(ImportError, match=r"pip install 'dlnlab\[data\]'"):
        movielens.load(file=SMALL)
    (tmp_path / "u.data").write_bytes(content())
    assert len(movielens.load(tmp_path, file=SMALL)) == COUNT


# Ratings.


def small_ratings():
    users, items, values = generated()
    return Ratings(users - 1, items - 1, values.astype(float), (USERS, ITEMS))


def pairs(ratings):
    return list(zip(ratings.users.tolist(), ratings.items.tolist(), ratings.values, strict=True))


@given(st.floats(0.05, 0.95), st.integers(0, 100))
def test_a_split_is_a_partition_of_its_size_and_repeatable(share, seed):
    ratings = small_ratings()
    train, test = ratings.split(share, rng=seed)
    assert len(test) == round(share * COUNT)
    assert sorted(pairs(train) + pairs(test)) == sorted(pairs(ratings))
    assert pairs(ratings.split(share, rng=seed).test) == pairs(test)


def test_splits_hold_out_every_rating_equally_often():
    ratings = small_ratings()
    held_out = np.zeros((USERS, ITEMS))
    for seed in range(400):
        test = ratings.split(0.2, rng=seed).test
        held_out[test.users, test.items] += 1
    counts = held_out[ratings.users, ratings.items]
    # Binomial(400, 0.2): mean 80, deviation 8; five deviations for the largest of 60.
    assert np.abs(counts - 80).max() < 40


def test_folds_are_stretches_of_the_file_that_cover_it():
    ratings = small_ratings()
    tests = [ratings.fold(k).test for k in range(1, 6)]
    assert sum((pairs(test) for test in tests), []) == pairs(ratings)  # noqa: RUF017
    assert [len(test) for test in tests] == [12] * 5
    for k in range(1, 6):
        train, test = ratings.fold(k)
        assert not set(pairs(train)) & set(pairs(test))
        assert len(train) == 48


def test_predictions_and_errors_against_the_dense_product():
    ratings = small_ratings()
    weights = network((ITEMS, 3, 4, USERS))
    W = np.linalg.multi_dot(weights[::-1])
    predicted = np.array([W[i, j] for i, j in zip(ratings.users, ratings.items, strict=True)])
    limit = 1000 * UNIT  # sums of a dozen products of order one
    assert_close(ratings.predictions(weights), predicted, limit)
    gaps = predicted - ratings.values
    assert_close(ratings.half_mse(weights), 0.5 * np.mean(gaps**2), limit * 20)
    assert_close(ratings.rmse(weights), np.sqrt(np.mean(gaps**2)), limit * 10)


@pytest.mark.parametrize("computation", ["auto", "dense", "sampled"])
def test_the_problem_is_half_the_sum_over_the_ratings(computation):
    ratings = small_ratings()
    problem = ratings.completion("mean", computation=computation)
    weights = network((ITEMS, 3, USERS))
    loss = problem.loss(problem.compose(weights[1], weights[0]))
    assert problem.target is None
    assert_close(loss, ratings.half_mse(weights), 1000 * UNIT * float(loss))


def test_a_network_learns_held_out_ratings_of_a_low_rank_table():
    rng = np.random.default_rng(0)
    M = 3 + dlnlab.random_target((60, 50), 1, rng=0, singular_values=[60.0])
    places = rng.choice(3000, 1200, replace=False)
    ratings = Ratings(*np.divmod(places, 50), M.ravel()[places], (60, 50))
    train, test = ratings.split(rng=1)
    problem = train.completion("mean", computation="sampled")
    weights = dlnlab.compressed_weights(problem, 2, 2, 1.0)
    run = dlnlab.gradient_descent(problem, weights, eta=5.0, num_steps=2000, record_every=2000)
    assert test.rmse(run.weights) < 0.01 < test.rmse(weights)


BAD_RATINGS = [
    (ValueError, "`users` and `items` must name every pair once, got user 1 with item 0 2 times",
     ([1, 0, 1], [0, 0, 0], [1.0, 2.0, 3.0], (2, 2))),
    (ValueError, "`users` must be integers from 0 to 1, got 0 to 2",
     ([0, 2], [0, 1], [1, 2], (2, 2))),
    (ValueError, "`items` must be integers from 0 to 1, got -1", ([0, 1], [0, -1], [1, 2], (2, 2))),
    (TypeError, "`items` must be integers", ([0, 1], [0.0, 1.0], [1, 2], (2, 2))),
    (ValueError, "`users` must have shape (2,)", ([0, 1, 1], [0, 1], [1, 2], (2, 2))),
    (ValueError, "`values` must be finite", ([0], [0], [np.nan], (2, 2))),
    (TypeError, "`shape` must be a pair", ([0], [0], [1.0], 3)),
]  # fmt: skip


@pytest.mark.parametrize(("error", "message", "arguments"), BAD_RATINGS)
def test_bad_ratings_are_refused(error, message, arguments):
    with pytest.raises(error) as caught:
        Ratings(*arguments)
    assert message in str(caught.value)


BAD_CALLS = [
    ("`test_share`", lambda r: r.split(0.0, rng=0)),
    ("`test_share`", lambda r: r.split(1.5, rng=0)),
    ("`test_share` must leave ratings on both sides", lambda r: r.split(0.001, rng=0)),
    ("`rng`", lambda r: r.split(0.2, rng="seed")),
    ("`number` must be an integer between 1 and 5, got 6", lambda r: r.fold(6)),
    ("`count`", lambda r: r.fold(1, 1)),
    ("`weights` must have the ratings' shape", lambda r: r.rmse(network((3, 2, USERS)))),
    ("`weights` must have no batch axes", lambda r: r.rmse(network((ITEMS, 2, USERS), batch=(2,)))),
    ("`normalization`", lambda r: r.completion("median")),
]


@pytest.mark.parametrize(("message", "call"), BAD_CALLS)
def test_bad_calls_are_refused(message, call):
    with pytest.raises((TypeError, ValueError)) as caught:
        call(small_ratings())
    assert message in str(caught.value)
