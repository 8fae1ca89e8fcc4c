"""Moving arrays between libraries, and asking how much memory there is."""

from __future__ import annotations

import builtins
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from instances import assert_close

from dlnlab.numerics import arrays, checks


@given(
    hnp.arrays(
        st.sampled_from([np.float64, np.float32, np.int64, np.bool_]),
        hnp.array_shapes(min_dims=0, max_dims=3),
    )
)
def test_a_round_trip_changes_nothing(device, host):
    moved = arrays.like(host, device.asarray(np.zeros(1)), keep_dtype=True)
    back = device.to_host(moved)
    assert back.dtype == host.dtype
    assert back.tobytes() == host.tobytes()


def test_like_takes_library_device_and_precision(backend):
    reference = backend.asarray(np.zeros(2, dtype=np.float32))
    moved = arrays.like([1.0, 2.0], reference)
    backend.assert_home(moved)
    assert arrays.dtype_name(moved) == "float32"
    assert arrays.dtype_name(arrays.like([True], reference, keep_dtype=True)) == "bool"


def test_host_arrays_are_known_and_device_arrays_are_not_mistaken_for_them(device):
    host, there = np.ones(2), device.asarray(np.ones(2))
    assert arrays.is_host(host)
    assert not arrays.is_host(there)
    assert arrays.is_array(host)
    assert arrays.is_array(there)
    assert not arrays.is_array([1.0])
    assert arrays.to_host(host) is host
    assert arrays.to_host(np.float64(2.0)).shape == ()
    assert arrays.to_host([1.0]).tolist() == [1.0]


def test_a_device_is_named_in_words(backend):
    name = arrays.default_device_name(backend.asarray(np.ones(1)))
    module, _, place = name.partition(" on ")
    assert module == type(backend.asarray(np.ones(1))).__module__.split(".")[0]
    assert str(backend.device) in place or place == str(backend.device)


def test_triangular_factor_is_that_of_a_qr_factorization(backend):
    A = np.random.default_rng(0).standard_normal((7, 3))
    R = backend.to_host(arrays.triangular_factor(backend.asarray(A)))
    # AᵀA = RᵀR to the rounding of 7-term products; R is upper triangular exactly.
    assert_close(R.T @ R, A.T @ A, 100 * np.finfo(float).eps)
    assert np.array_equal(R, np.triu(R))


def test_very_tall_matrices_are_factored_block_by_block(monkeypatch):
    A = np.random.default_rng(0).standard_normal((24, 5))
    monkeypatch.setattr(arrays, "VERY_TALL", 20)
    monkeypatch.setattr(arrays, "STEP", 8)
    for parts in ((A,), (A[:, :2], A[:, 2:]), (np.asfortranarray(A),)):
        R = arrays.triangular_factor(*parts)
        assert R.shape == (5, 5)
        assert_close(R.T @ R, A.T @ A, 200 * np.finfo(float).eps)
        assert np.array_equal(R, np.triu(R))
    right = np.concatenate  # forget R
    wrong = lambda parts, axis=0: right(parts, axis) if axis else parts[-1]  # noqa: E731
    monkeypatch.setattr(arrays.np, "concatenate", wrong)
    assert not np.allclose(np.abs(arrays.triangular_factor(A)), np.abs(R))


def test_parts_side_by_side_are_factored_as_one(backend):
    A = np.random.default_rng(0).standard_normal((7, 3))
    whole = backend.to_host(arrays.triangular_factor(backend.asarray(A)))
    parts = [backend.asarray(part) for part in (A[:, :1], A[:, 1:])]
    assert np.array_equal(backend.to_host(arrays.triangular_factor(*parts)), whole)


def test_available_memory_is_the_kernel_s_estimate_or_what_is_installed(monkeypatch):
    installed = arrays.os.sysconf("SC_PAGE_SIZE") * arrays.os.sysconf("SC_PHYS_PAGES")
    assert 0 < arrays.available_bytes() <= installed

    def nothing(*arguments, **options):
        raise OSError("no such file")

    monkeypatch.setattr(builtins, "open", nothing)
    assert arrays.available_bytes() == installed


def test_a_gpu_is_asked_for_its_own_memory_and_copies(monkeypatch):
    """What is specific to CuPy, with a stand-in for it."""
    cuda = SimpleNamespace(runtime=SimpleNamespace(memGetInfo=lambda: (123, 456)))
    linalg = SimpleNamespace(qr=lambda A, mode: (A, mode))
    pool = SimpleNamespace(free_bytes=lambda: 1000)
    cupy = SimpleNamespace(cuda=cuda, linalg=linalg, get_default_memory_pool=lambda: pool)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setattr(arrays, "on_gpu", lambda value: True)
    there = SimpleNamespace(get=lambda: np.ones(2))
    assert arrays.available_bytes(there) == 1123
    assert arrays.to_host(there).tolist() == [1.0, 1.0]
    assert arrays.triangular_factor(there) == (there, "r")


@pytest.mark.parametrize(("free", "fits"), [(80_000, True), (79_999, False)])
def test_what_does_not_fit_is_refused_before_it_is_allocated(monkeypatch, free, fits):
    monkeypatch.setattr(arrays, "available_bytes", lambda reference=None: free)
    checks.fits_in_memory("`shape`: it", checks.UNNOTICED)  # not worth a look
    if fits:
        checks.fits_in_memory("`shape`: it", 80_000)
        return
    told = r"`shape`: it would need 80,000 bytes .* 79,999 bytes are"
    with pytest.raises(ValueError, match=told):
        checks.fits_in_memory("`shape`: it", 80_000)
