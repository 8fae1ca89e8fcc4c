"""The file a run can continue from after it was killed, bit for bit."""

from __future__ import annotations

import os
import time
from collections.abc import Container, Mapping, Sequence
from typing import Any

import numpy as np

from dlnlab.files import locks
from dlnlab.files import storage as files
from dlnlab.training import storage
from dlnlab.training.trajectory import Trajectory
from dlnlab.version import VERSION

__all__ = ["Checkpoint"]


class Checkpoint:
    """The file a run can continue from after it was killed; while it exists no other run gets it.

    It is replaced as a whole (`dlnlab.files.storage`), so that at any moment it holds one complete
    state.  It is written at most every `every` seconds, and never takes more than about 5 % of the
    run's time.

    Parameters
    ----------
    path : path
    fingerprint : str
        Hash of everything that determines the run; a file with another one is refused.
    every : float
        Seconds between writes; 0 writes after every step.

    Raises
    ------
    TypeError, ValueError
        If the file cannot be written, or another run is using it.
    """

    def __init__(self, path: str | os.PathLike[str], fingerprint: str, every: float) -> None:
        self.path = files.check("checkpoint", path)
        self.fingerprint, self.every = fingerprint, every
        try:
            self._lock = locks.Lock("checkpoint", path, "run")
        except OSError as error:
            raise ValueError(
                f"`checkpoint` {os.fspath(path)!r} cannot be written: {error}"
            ) from error
        files.sweep(self.path)
        self._next = time.monotonic() + every

    def close(self) -> None:
        """Leave the file to other runs."""
        self._lock.release()

    def load(
        self, recorded: Container[str], sizes: Mapping[str, int], slots: Sequence[str] = ()
    ) -> tuple[Trajectory, dict[str, np.ndarray]] | None:
        """Return the stored trajectory and extra state, or None if there is no file.

        Parameters
        ----------
        recorded : container of str
            The fields that the run records.
        sizes : dict
            The sizes of its layers, by the names of `storage.axis_names` or `storage.named_axes`.
        slots : sequence of str
            Names of what its method keeps.

        Returns
        -------
        tuple[Trajectory, dict[str, np.ndarray]] or None

        Raises
        ------
        ValueError
            If the file is not a checkpoint, belongs to another run or another version, or has been
            changed.
        """
        if not self.path.exists():
            return None
        told = repr(str(self.path))
        message = f"`checkpoint` must be a file written by a run, got {told}"
        stored = files.read_npz(self.path, message)
        if "fingerprint" not in stored:
            raise ValueError(message)
        version = str(stored.get("version", VERSION))  # 0.1.0 did not write it at first
        if version != VERSION:
            raise ValueError(
                f"`checkpoint` {told} was written by dlnlab {version}, and this is {VERSION}, "
                "whose steps may differ; continue with that version, or use another path"
            )
        if str(stored["fingerprint"]) != self.fingerprint:
            raise ValueError(
                f"`checkpoint` {told} belongs to a run with other weights, problem or "
                "settings; use another path, or delete it to start anew"
            )
        run = storage.unpack(stored, Trajectory, message, needed=recorded, sizes=sizes, slots=slots)
        return run, {k[6:]: value for k, value in stored.items() if k.startswith("extra_")}

    def due(self) -> bool:
        """Tell whether enough time has passed for the next write.

        Returns
        -------
        bool
        """
        return time.monotonic() >= self._next

    def write(self, run: Trajectory, **extra: Any) -> None:
        """Replace the file by the state of `run`.

        Parameters
        ----------
        run : Trajectory
            The record so far.
        **extra
            What else is kept.

        Raises
        ------
        OSError
            If that fails; the file is then as it was.
        """
        started = time.monotonic()
        content = storage.pack(run)
        for name, value in extra.items():
            content |= storage.flatten(f"extra_{name}", value)
        try:
            if not self._lock.is_held():
                raise OSError(f"{str(self.path)!r} has been taken over by another run")
            files.write_npz(self.path, content | {"fingerprint": np.array(self.fingerprint)})
        finally:
            ended = time.monotonic()
            wait = 20 * (ended - started) if self.every else 0.0
            self._next = ended + max(self.every, wait)
