"""The authors' own training step, called from a checkout of their repository.

`soominkwon/comp-deep-nets` builds the step in `solver.train` and repeats it with JAX's `fori_loop`.
Here that step is taken as it reaches `fori_loop`, and compiled once into a loop of any length, so
that compilation is not part of what is timed.  Nothing of theirs is copied or changed.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest import mock

import numpy as np

from dlnlab.bench.literal import LiteralLoop, dense, load_jax
from dlnlab.bench.workloads import Workload
from dlnlab.networks import Weights

__all__ = ["MODULES", "REPOSITORY", "Peer", "PeerLoop"]

MODULES = ("utils", "network", "loss", "solver")
REPOSITORY = "soominkwon/comp-deep-nets"


class Peer:
    """A checkout of the paper's code, with the modules that the benchmark runs.

    Parameters
    ----------
    path : path
        Of the checkout.

    Raises
    ------
    ValueError
        If it is none.
    ModuleNotFoundError
        If a library that it imports is not installed.
    """

    def __init__(self, path: Path) -> None:
        missing = [name for name in MODULES if not (path / f"{name}.py").is_file()]
        if missing:
            raise ValueError(
                f"`peer` must be a checkout of github.com/{REPOSITORY}, got {path}, "
                f"which has no {missing[0]}.py"
            )
        self.path = path
        load_jax()
        try:
            self.solver, self.loss, self.network = _imported(path)
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError(
                f"`peer` needs {error.name}, which the authors' code imports: "
                f"pip install {error.name}"
            ) from None

    @property
    def name(self) -> str:
        """The name of the code in the table."""
        return f"authors' code ({self.commit})"

    @property
    def commit(self) -> str:
        """The checked-out commit, if Git knows it."""
        with contextlib.suppress(OSError):
            git = ["git", "-C", str(self.path), "rev-parse", "--short", "HEAD"]
            done = subprocess.run(git, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                return done.stdout.strip()
        return "unknown commit"


def _imported(path: Path) -> tuple[ModuleType, ModuleType, ModuleType]:
    """Import their modules, whose names are common ones, without leaving them under those names."""
    kept = {name: sys.modules.pop(name) for name in MODULES if name in sys.modules}
    sys.path.insert(0, str(path.resolve()))
    try:
        found = {name: importlib.import_module(name) for name in MODULES}
    finally:
        sys.path.remove(str(path.resolve()))
        for name in MODULES:
            sys.modules.pop(name, None)
        sys.modules.update(kept)
    return found["solver"], found["loss"], found["network"]


class PeerLoop(LiteralLoop):
    """Their training loop on one instance, with the losses summed rather than averaged.

    Parameters
    ----------
    peer : Peer
    instance : Workload
    """

    def __init__(self, peer: Peer, instance: Workload) -> None:
        self.jax, self.peer, self.eta = load_jax(), peer, instance.eta
        self.name = f"{peer.name}, JAX on {self.jax.default_backend()}"
        self.start = [self.jax.numpy.asarray(W) for W in instance.weights]
        self.loss = self._loss(instance)
        taken: list[Any] = []

        def fori_loop(low: int, high: int, body: Any, state: Any) -> Any:
            taken.extend((body, state))
            return state

        with mock.patch.object(peer.solver, "fori_loop", fori_loop):
            self._train(1, 1)
        body, self.state = taken
        self._advance = self.jax.jit(lambda a, n: self.jax.lax.fori_loop(0, n, body, a))

    def _loss(self, instance: Workload) -> Any:
        jnp, create = self.jax.numpy, self.peer.loss.create_loss
        data = {k: jnp.asarray(v) for k, v in dense(instance.data).items()}
        if instance.kind == "sensing":
            return self.peer.loss.create_loss_ms(data["y"], data["A"], reduction="sum")
        if instance.kind == "factorization":
            return create(data["M"], reduction="sum")
        if instance.kind == "completion":
            return create(data["M"], mask=data["mask"].astype(float), reduction="sum")
        shape = (instance.widths[-1], instance.widths[0])  # theirs takes dense masks only
        at = (data["rows"], data["columns"])
        target, mask = jnp.zeros(shape).at[at].set(data["values"]), jnp.zeros(shape).at[at].set(1.0)
        return create(target, mask=mask, reduction="sum")

    def _train(self, outer: int, inner: int) -> Any:
        with contextlib.redirect_stderr(io.StringIO()):  # their progress bar
            return self.peer.solver.train(
                self.start,
                self.peer.network.compute_end_to_end,
                {"train": self.loss, "test": self.loss},
                outer,
                self.eta,
                n_inner_loops=inner,
                save_weights=outer > 1,
            )

    def run(self, num_steps: int) -> Weights:
        """See `literal.LiteralLoop.run`.

        Parameters
        ----------
        num_steps : int

        Returns
        -------
        tuple of L arrays, shapes (..., d_l, d_{l−1})
        """
        weights, _ = self.jax.block_until_ready(self._advance(self.state, num_steps))
        return tuple(np.asarray(W) for W in weights)

    def recorded(self, num_records: int, every: int) -> list[float]:
        """Losses of a call of their `train`, as their notebooks make it, weights kept.

        Parameters
        ----------
        num_records : int
        every : int

        Returns
        -------
        list of float
        """
        return np.asarray(self._train(num_records, every)["train_loss"]).tolist()
