"""The array libraries every test can run on, and how hard Hypothesis searches."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import array_api_strict
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from dlnlab.data import movielens
from dlnlab.numerics import arrays

# Derandomized runs give a change the same verdict every time; `hunt` is for long searches by hand.
# How fast a machine is decides nothing.
patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", patient, derandomize=True, max_examples=25, database=None)
settings.register_profile("dev", patient, max_examples=50)
settings.register_profile("hunt", patient, max_examples=5000)
settings.load_profile(os.environ.get("DLNLAB_HYPOTHESIS_PROFILE", "ci"))


def pytest_configure(config: pytest.Config) -> None:
    """Give every process of a distributed run one thread of BLAS, or they take each other's cores.

    The processes inherit what is set here before they start.
    """
    if getattr(config.option, "numprocesses", None):
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.fixture(autouse=True)
def no_open_figures():
    """Close what pyplot has come to know; it warns of too many."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@dataclass(frozen=True)
class Backend:
    """An array library and a device of it."""

    name: str
    xp: Any
    device: Any

    def asarray(self, host: Any) -> Any:
        """Move data drawn in NumPy, so that every backend sees the same numbers."""
        if self.name == "numpy":
            return np.asarray(host)
        return self.xp.asarray(np.asarray(host), device=self.device)

    def tree(self, hosts: Any) -> tuple:
        """Move a sequence of arrays, such as the weights of a network."""
        return tuple(self.asarray(host) for host in hosts)

    def to_host(self, value: Any) -> np.ndarray:
        """Return a result as NumPy, after checking that it was computed here."""
        self.assert_home(value)
        return arrays.to_host(value)

    def assert_home(self, *values: Any) -> None:
        """Fail unless every array lives in this library, on this device."""
        home = self.asarray(np.zeros(1))
        for value in values:
            if self.name == "numpy":
                assert isinstance(value, np.ndarray | np.generic), type(value)
            else:
                assert type(value) is type(home), (type(value), type(home))
                assert arrays.device_of(value) == self.device, arrays.device_of(value)


def _numpy() -> Backend:
    return Backend("numpy", np, "cpu")


def _strict() -> Backend:
    # A device other than the default one: an array made without saying where would be noticed.
    return Backend("strict", array_api_strict, array_api_strict.Device("device1"))


def _cupy() -> Backend:
    try:
        import cupy
    except ImportError as error:
        pytest.skip(f"CuPy is not installed: {error}")
    if not cupy.cuda.is_available():
        pytest.skip("CuPy is installed, but there is no CUDA device")
    from array_api_compat import cupy as namespace  # whose functions take `device`

    return Backend("cupy", namespace, cupy.cuda.Device(0))


_MAKERS = {"numpy": _numpy, "strict": _strict, "cupy": _cupy}


@pytest.fixture(
    scope="session",
    params=["numpy", "strict", pytest.param("cupy", marks=pytest.mark.gpu)],
)
def backend(request: pytest.FixtureRequest) -> Backend:
    """NumPy, array-api-strict on its second device, and CuPy where there is a GPU."""
    return _MAKERS[request.param]()


@pytest.fixture(scope="session", params=["strict", pytest.param("cupy", marks=pytest.mark.gpu)])
def device(request: pytest.FixtureRequest) -> Backend:
    """The backends other than NumPy, to be compared with it."""
    return _MAKERS[request.param]()


@pytest.fixture
def small_movielens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the format of MovieLens-100K, generated, which is what is then expected there.

    30 users rate 40 items 600 times; a rating is a product of a user's and an item's number, with
    noise, rounded to 1, …, 5.
    """
    rng = np.random.default_rng(0)
    users, items = np.divmod(rng.choice(30 * 40, 600, replace=False), 40)
    taste = np.outer(rng.uniform(1, 2.5, 30), rng.uniform(1, 2.5, 40))[users, items]
    values = np.clip(np.rint(taste + 0.5 * rng.standard_normal(600)), 1, 5).astype(int)
    rows = zip(users + 1, items + 1, values, strict=True)
    path = tmp_path / "u.data"
    path.write_bytes(b"".join(b"%d\t%d\t%d\t881250949\n" % row for row in rows))
    small = replace(movielens.MOVIELENS_100K, num_users=30, num_items=40, num_ratings=600)
    monkeypatch.setattr(movielens, "MOVIELENS_100K", small)
    return path
