"""What a run returns: an immutable record with a status.

A run, gradient descent or gradient flow, is a sequence of weights; a `Trajectory` is what was
recorded of it.
"""

from __future__ import annotations

import collections
import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from dlnlab.files import storage as files
from dlnlab.numerics import checks
from dlnlab.numerics.arrays import Array
from dlnlab.results import presenter
from dlnlab.training import storage
from dlnlab.training.status import Status as Status

__all__ = ["NAMED", "Interrupted", "Status", "Trajectory", "Unsaved"]

NAMED = 10
"""Members of a batch that are named one by one."""


@dataclass(frozen=True, repr=False)
class Trajectory:
    """The record of one run, or of a batch of runs.

    Quantities that were not recorded, or that need a target the problem does not have, are None.
    Of a classifier (`dlnlab.nets.train`) weights and layers are dicts by the names of its
    parameters, and the layers, singular values and end-to-end matrix are those of its penultimate
    block, which is a linear network.

    Attributes
    ----------
    times : array, shape (records,), or (records, ...) where η differs within a batch
        Flow time t; for descent η times the number of steps.
    steps : array of int, shape (records,)
        Steps taken before each record.
    losses : array, shape (records, ...)
        ℓ(W_{L:1}).
    errors : array, shape (records, ...)
        Recovery error ‖W_{L:1} − M*‖_F.
    singular_values : array, shape (records, ..., min(d_out, d_in))
        Of the end-to-end matrix, in decreasing order.
    left_alignments, right_alignments : array, shape (records, ..., r)
        See `dlnlab.spectra.alignments`.
    end_to_end : array, shape (records, ..., d_out, d_in)
        W_{L:1}.
    imbalances : array, shape (records, ...)
        max_l ‖W_{l+1}ᵀW_{l+1} − W_l W_lᵀ‖_F.
    layers : tuple of L arrays, shapes (records, ..., d_l, d_{l−1})
        The weights at every record.
    weights : tuple of L arrays
        The final weights; of a descent that took no step, the given arrays themselves.  A dict of
        all parameters for a classifier.
    status : Status, or an object array of them for a batch
    seconds : float
        Wall time, summed over resumed parts.
    drift : float
        Largest change of a balancedness matrix W_{l+1}ᵀW_{l+1} − W_l W_lᵀ over the run, relative to
        the largest ‖W_l‖_F²; exactly zero along an exact gradient flow.  With weight decay μ, the
        largest distance from its initial value times exp(−2μt).  Recorded by flows only.
    accuracies : array, shape (records,)
        Share of the samples whose class gets the largest score; of classifiers, as are the next.
    test_losses, test_accuracies : array, shape (records,)
        The same of the samples for the test.
    layer_singular_values : dict of arrays, shapes (records, min(d_l, d_{l−1}))
        Of each layer of the penultimate block, in decreasing order.
    clock : array, shape (records,)
        Seconds that the steps before each record took, without those for records.

    Raises
    ------
    TypeError, ValueError
        If a field is of another type than it says.
    """

    times: np.ndarray
    steps: np.ndarray
    weights: Any
    status: Any
    seconds: float
    losses: Array | None = None
    errors: Array | None = None
    singular_values: Array | None = None
    left_alignments: Array | None = None
    right_alignments: Array | None = None
    end_to_end: Array | None = None
    imbalances: Array | None = None
    layers: Any = None
    drift: float | None = None
    accuracies: Array | None = None
    test_losses: Array | None = None
    test_accuracies: Array | None = None
    layer_singular_values: dict[str, Array] | None = None
    clock: np.ndarray | None = None

    def __post_init__(self) -> None:
        checks.fields(self)
        for name, least in (("weights", (tuple, dict)), ("layers", (tuple, dict, type(None)))):
            what = "a tuple of arrays, or a dict of them by name"
            checks.instance(name, getattr(self, name), least, what)

    def __repr__(self) -> str:
        recorded = [f.name for f in fields(self)[5:] if getattr(self, f.name) is not None]
        return f"Trajectory({'; '.join([self.summary(), *[', '.join(recorded)] * bool(recorded)])})"

    def summary(self) -> str:
        """Return in one line how far the run came and how it ended.

        Of a batch it is said how many members ended in which way, and which ones diverged.

        Returns
        -------
        str
        """
        if not self.steps.size:
            return f"no records, {self._ending()}"
        return (
            f"{self.steps.size} records to t = {np.max(self.times[-1]):.6g} "
            f"after {self.steps[-1]} steps, {self._ending()}"
        )

    def _ending(self) -> str:
        if isinstance(self.status, Status):
            return self.status.value
        codes = np.asarray(self.status, dtype=object)
        counts = collections.Counter(status.value for status in codes.flat)
        told = ", ".join(f"{count} {value}" for value, count in counts.items())
        failed = [
            k[0] if len(k) == 1 else k
            for k in np.ndindex(codes.shape)
            if codes[k] is Status.DIVERGED
        ]
        which = ", ".join(map(str, failed[:NAMED])) + ", …" * (len(failed) > NAMED)
        return f"batch of {codes.size}: {told}" + (f" (members {which})" if failed else "")

    def _repr_html_(self) -> str:
        return presenter("report").trajectory_cell(self)

    def plot(self, figure: Any = None) -> Any:
        """Draw the error, or else the loss, and the singular values against time.

        Parameters
        ----------
        figure : matplotlib.figure.Figure, optional
            To draw into; by default a new one, which pyplot knows and a cell shows once.

        Returns
        -------
        matplotlib.figure.Figure

        Raises
        ------
        ValueError
            If nothing that can be drawn was recorded.
        """
        draw = presenter("plotting.runs").trajectory
        return presenter("plotting.display").shown_once(draw, self, figure)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the trajectory to one ``.npz`` file, bit for bit; device arrays are copied.

        The file is replaced as a whole, or left as it was if this fails.

        Parameters
        ----------
        path : path
            Of the file, which ends in ``.npz``.

        Raises
        ------
        TypeError, ValueError
            If a file cannot be written there.
        OSError
            If writing it fails, as on a full disk.
        """
        files.write_npz(files.check("path", path), storage.pack(self))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Trajectory:
        """Read what `save` wrote, as NumPy arrays.

        Parameters
        ----------
        path : path

        Returns
        -------
        Trajectory

        Raises
        ------
        ValueError
            If the file is not a saved trajectory.
        """
        path = checks.path("path", path)
        message = f"`path` must be a file written by Trajectory.save, got {str(path)!r}"
        return storage.unpack(files.read_npz(Path(path), message), cls, message)


class Interrupted(KeyboardInterrupt):
    """A run was interrupted (Ctrl-C); `run` holds everything it had recorded.

    That is a `Trajectory`, or a `dlnlab.flow.Comparison`.  It is a KeyboardInterrupt, so a loop
    over many runs ends as its user intended.  `unsaved` is what kept its checkpoint from being
    written, None if nothing did.
    """

    def __init__(self, run: Any, unsaved: BaseException | None = None) -> None:
        message = f"interrupted after {run.steps[-1] if run.steps.size else 0} steps"
        if unsaved is not None:
            message += f"; its checkpoint could not be written: {unsaved}"
        super().__init__(message)
        self.run, self.unsaved = run, unsaved


class Unsaved(RuntimeWarning, OSError):
    """The checkpoint of a run could not be written; `run` holds everything it had recorded.

    It is a warning: the run goes on, or is returned, and can be saved elsewhere.  Where warnings
    are errors it is an OSError that has the run.
    """

    def __init__(self, run: Trajectory, reason: BaseException) -> None:
        super().__init__(
            f"the checkpoint could not be written: {reason}; the run is not lost, save it "
            "elsewhere (run.save)"
        )
        self.run = run
