"""The peak memory of a run, predicted before it and measured after.

Beyond the weights and the problem it is given, gradient descent holds, for a batch of B networks of
widths d_0, …, d_L with P = Σ_l d_l d_{l−1} weights each, on the host (`kernels.InPlace`)

    the weights that steps change, and those that the last stretch of steps came to       2 P B
    the products forward, W_l ⋯ W_1 for l ≥ 2, and those back, D_l for l < L     Σ_l d_l d_0 + …

of which a batch needs those of the few members only that are stepped together.  Besides, it holds
whichever is more of a third copy of the weights, when a stretch ends; of a gradient that is not
entrywise; and of what a record works with, which is the products forward or, once they are gone,
W_{L:1} and what measures it.  On a device, for a batch whose gradients are not entrywise, or with a
problem that looks at n entries of W_{L:1} without forming it, a step (`kernels.Plain`) has new
arrays for all products, the gradients of the layers, the new weights and one layer's step.

Losses and gradients work with what the problem says (`Problem.workspace`), and a decomposition with
what `spectra.svd_numbers` says.

Where a smaller network runs in place of the given one, it is that network's sizes that count, but
at the end, and for records of layers and matrices, the large one is put together: a wide one from
four copies of the weights.

A record of a number, of the leading singular values, of the matrix or of the layers adds 1, their
number, d_L d_0 or P.  Records are kept one by one in Python objects, and put together at the end,
and for each writing of a checkpoint, so that for a moment their numbers are there twice.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from dlnlab import networks
from dlnlab.methods import Descent, Method, check_method
from dlnlab.networks import Weights
from dlnlab.numerics import arrays, checks, spectra
from dlnlab.problems import Problem
from dlnlab.problems.targets import FactoredTarget
from dlnlab.reductions.choice import Formulation
from dlnlab.reductions.thin import ThinReduction
from dlnlab.training import kernels
from dlnlab.training.objective import check_record

__all__ = ["PER_QUANTITY", "PER_RECORD", "Footprint", "Peak", "of_descent", "watch"]

PER_RECORD = 500
"""Bytes of a record's dictionary, its step and its time, in CPython."""

PER_QUANTITY = 140
"""Bytes of the array object that holds a recorded quantity, beside its numbers."""

_CHUNK = 2**24
"""Bytes of an array that NumPy copies at a time when it writes it to an archive."""

_PACKED = 2**22
"""Bytes into which a BLAS library copies blocks of the matrices that it multiplies, on a thread."""


@dataclass(frozen=True)
class Footprint:
    """Bytes that a run needs beyond what is there when it starts.

    Attributes
    ----------
    work : int
        What a step or a record works with, whichever is more.
    records : int
        The numbers that are kept of the run.
    objects : int
        The Python objects that hold them.
    held : int
        What is there while the records are put together: the final weights, or all that a step
        holds when a checkpoint is written.

    Raises
    ------
    TypeError, ValueError
        If a field is no integer ≥ 0.
    """

    work: int
    records: int
    objects: int
    held: int = 0

    def __post_init__(self) -> None:
        for item in fields(self):
            value = checks.integer(item.name, getattr(self, item.name), 0)
            object.__setattr__(self, item.name, value)

    @property
    def peak(self) -> int:
        """Bytes at the peak: records and objects, and the work or the records' second copy."""
        return self.objects + self.records + max(self.work, self.records + self.held)

    def require(self, reference: arrays.Array) -> None:
        """Make sure that so much memory is available.

        Parameters
        ----------
        reference : array
            It is looked for where this array lives.

        Raises
        ------
        ValueError
            If there is less; the message says how many bytes are needed and left.
        """
        checks.fits_in_memory(
            f"`record`: the run ({_told(self.work)} to take a step; "
            f"{_told(self.objects + 2 * self.records + self.held)} to put its records together)",
            self.peak,
            reference,
            remedy="record less often (`record_every`) or fewer quantities, take fewer steps "
            "(`num_steps`), or run a smaller batch",
        )


def of_descent(
    problem: Problem,
    weights: Weights,
    num_records: int,
    record: Sequence[str],
    batch: tuple[int, ...] | None = None,
    run: Formulation | None = None,
    checkpoint: bool = False,
    *,
    method: str | Method = "descent",
    minibatch: int | None = None,
) -> Footprint:
    """Predict the memory of a call of `gradient_descent`.

    Parameters
    ----------
    problem : Problem
    weights : tuple of L arrays, shapes (*batch, d_l, d_{l−1})
        Their values do not matter.
    num_records : int
        How many records are taken, start and end included.
    record : sequence of str
        As for `gradient_descent`.
    batch : tuple of int, optional
        Batch axes of the run; by default those of the weights.
    run : Formulation, optional
        What runs in the place of the network, if it is not the network itself; finding it is not
        counted here (`formulations.choose` sees to that).
    checkpoint : bool
        Whether the run keeps one.
    method : str or Method
        As for `gradient_descent`; what it keeps of each layer is counted.
    minibatch : int, optional
        As for `gradient_descent`.

    Returns
    -------
    Footprint

    Raises
    ------
    TypeError, ValueError
        If an argument is malformed or out of range.

    Examples
    --------
    >>> import dlnlab
    >>> problem = dlnlab.factorization(dlnlab.random_target((100, 100), 2, rng=0))
    >>> wide = dlnlab.original_weights((100, 100), 3, 0.1, rng=0)
    >>> foreseen = dlnlab.memory.of_descent(problem, wide, 1001, ("loss", "end_to_end"))
    >>> foreseen.records  # 1001 losses and 100 × 100 matrices, 8 bytes a number
    80088008
    """
    stand_ins = networks.check_weights(_stand_ins(weights))
    networks.check_problem(problem)
    num_records = checks.integer("num_records", num_records, 0, bits=48)
    record = check_record(record)
    batch = tuple(stand_ins[0].shape[:-2]) if batch is None else networks.batch_axes(batch)
    if run is not None:
        checks.instance("run", run, Formulation, "a dlnlab.formulations.Formulation")
    checkpoint = checks.flag("checkpoint", checkpoint)
    method = check_method(method)
    if minibatch is not None:
        minibatch = checks.integer("minibatch", minibatch, 1)
    given = _Sizes(problem, stand_ins, batch, method, minibatch)
    converted = sum(W.nbytes for W, own in zip(stand_ins, weights, strict=True) if W is not own)
    if run is not None and run.view is not None:
        running = _Sizes(run.problem, run.weights, batch, method)
        lifted = given.lifting(isinstance(run.view, ThinReduction), record)
        lifted += _kept(problem, run.view)
        working, final = running.holding() + max(running.working(record), lifted), lifted
    else:
        running = given
        working, final = given.holding() + given.working(record), given.layers
    numbers, arrays_each = _record_sizes(problem, given, record)
    records = num_records * given.members * given.item * numbers
    if checkpoint:
        largest = max(_largest(given, record) * num_records * given.item, max(given.sizes) * 8)
        working += min(_CHUNK, largest)
        final = max(final, running.holding() + min(_CHUNK, largest))
    free = checks.slack(2 * records)  # beside the numbers and their second copy
    return Footprint(
        work=_resident(converted + working, running),
        records=records,
        objects=num_records * (PER_RECORD + PER_QUANTITY * arrays_each) + free,
        held=_resident(converted + final, running),
    )


def _kept(problem: Problem, view: Any) -> int:
    """Return the bytes of the bases of a smaller network, and of the target's dense factors."""
    bases = (view.left, view.right) if isinstance(view, ThinReduction) else view.bases
    item = np.dtype(arrays.dtype_name(bases[0])).itemsize
    dense = 0 if isinstance(problem.target, FactoredTarget) else 2 * math.prod(problem.shape)
    return item * (dense + sum(math.prod(Z.shape) for Z in bases))


def _resident(size: int, network: _Sizes) -> int:
    """Return the memory that is taken for arrays of so many bytes, and to multiply them."""
    return checks.resident(size) + min(_PACKED, 2 * network.widest_product())


class _Sizes:
    """The sizes of a network and of what its steps and records need.

    `layers`, `holding()`, `working()` and `lifting()` are bytes, all others are numbers of one
    member.
    """

    def __init__(
        self,
        problem: Problem,
        weights: Weights,
        batch: tuple[int, ...],
        method: Method,
        minibatch: int | None = None,
    ) -> None:
        self.problem, self.batch, self.minibatch = problem, batch, minibatch
        self.is_plain = isinstance(method, Descent) and minibatch is None
        self.slots = len(method.slots)
        self.weights = weights
        self.members = math.prod(batch)
        self.item = np.dtype(arrays.dtype_name(self.weights[0])).itemsize
        self.sizes = [W.shape[-2] * W.shape[-1] for W in weights]
        columns = weights[0].shape[-1]
        self.images = [W.shape[-2] * columns for W in weights]
        self.image = self.images[-1]
        self.samples = problem.samples(self.weights[-1])
        self.layers = self._bytes(sum(self.sizes))
        self.widest = self._bytes(max(self.sizes))

    def _bytes(self, numbers: int) -> int:
        """Of so many numbers for each member."""
        return self.members * self.item * numbers

    def _in_place(self) -> bool:
        if not self.is_plain:
            return False
        spread = tuple(
            np.broadcast_to(W, (*self.batch, *W.shape[-2:])) if arrays.is_host(W) else W
            for W in self.weights
        )
        return kernels.fits_in_place(self.problem, spread, self.batch)

    def holding(self) -> int:
        """What is there all the time: weights and state, twice, and arrays of steps in place."""
        held = 2 * (1 + self.slots) * self.layers + self._dense_target()
        if self._in_place():
            single = [
                np.broadcast_to(W[..., :1, :1], W.shape[-2:]) for W in map(_first, self.weights)
            ]
            held += kernels.scratch_bytes(single, self.members, bool(self.batch))
        return held

    def working(self, record: Sequence[str]) -> int:
        """What a step or a record needs besides."""
        space = self.problem.workspace(self.members)
        if self._in_place():
            step = max(
                self.layers, 0 if self.problem.is_entrywise else space.gradient * self._wide_item()
            )
        else:
            step = self._plain_step(space.gradient + self._choosing())
        return max(step, self._recording(record, space.loss))

    def _choosing(self) -> int:
        """What some measurements take beside all of them, in numbers: their order, and A_i."""
        if self.minibatch is None:
            return 0
        count = min(self.minibatch, self.problem.places.size)
        return 2 * self.problem.places.size + self.problem.chosen_numbers(count, self.members)

    def _plain_step(self, gradient: int) -> int:
        """Prefix products, and the gradient, and then the gradients of layers and the new ones."""
        image = 0 if self.samples else self._bytes(self.image)
        across = max(self.images[:-1], default=0)
        measuring = image + gradient * self._wide_item()
        carrying = image + self.layers + self._bytes(2 * across)
        moving = 2 * self.layers + self.widest
        if not self.is_plain:  # gradients and what a layer's step works with; or a third copy
            moving = max(self.layers + 3 * self.widest, (1 + self.slots) * self.layers)
        return max(self._bytes(sum(self.images[1:-1])) + max(measuring, carrying), moving)

    def _recording(self, record: Sequence[str], loss: int) -> int:
        """Products forward, or W_{L:1} and what measures it."""
        needs = [self._measuring(name, loss * self._wide_item()) for name in {*record, "loss"}]
        if self.samples:
            return self._bytes(sum(self.images[1:-1])) + max(needs)
        return max(self._bytes(sum(self.images[1:])), self._bytes(self.image) + max(needs))

    def _measuring(self, name: str, loss: int) -> int:
        """What one quantity takes beside W_{L:1} and its own value."""
        known = self.problem.target is not None
        (rows, columns), single = self.problem.shape, self.item
        if name == "loss":  # where precisions meet, one more copy is made
            return loss + (self._wide_item() - self.item) * self.members * self.image * 2
        if name == "imbalance":
            between = [W.shape[-2] ** 2 for W in self.weights[:-1]]
            return self._bytes(sum(between) + 2 * max(between))
        if self.samples:
            return self._measuring_factors(name) if name != "layers" else 0
        if name == "error" and known:
            return self._bytes(2 * self.image)
        if name == "singular_values":
            return self.members * self.image + single * self.image
        if name == "alignment" and known:
            results = (self.members - 1) * (rows + columns) * min(rows, columns)
            return single * (spectra.svd_numbers(self.problem.shape) + results + self.image)
        return 0

    def _measuring_factors(self, name: str) -> int:
        """The same where W_{L:1} is kept as its two factors: of QR factorizations of both."""
        (rows, columns), k = self.problem.shape, self.weights[-1].shape[-1]
        target = self.problem.target
        if name == "error" and isinstance(target, FactoredTarget):
            return 4 * self.item * max(rows, columns) * (k + target.rank)
        if name == "singular_values":
            return 3 * self.item * max(rows, columns) * k
        if name == "alignment" and target is not None:
            return 3 * self.item * (rows + columns) * k
        return 0

    def lifting(self, thin: bool, record: Sequence[str]) -> int:
        """What putting the large network together takes, or its end-to-end matrix."""
        if thin:
            return self.layers + self._bytes(self.image) * ("end_to_end" in record)
        matrix = self.layers + self._bytes(sum(self.images[1:]) + 3 * self.image)
        return max(4 * self.layers, matrix if "end_to_end" in record else 0)

    def _dense_target(self) -> int:
        """A factored target that has to be formed, once."""
        target = self.problem.target
        formed = not isinstance(target, FactoredTarget) or "_dense_target" in vars(self.problem)
        return 0 if formed or self.samples else self.item * self.image

    def widest_product(self) -> int:
        """The largest matrix that is multiplied, of one member."""
        return self.item * max(*self.sizes, 0 if self.samples else self.image)

    def _wide_item(self) -> int:
        """Bytes of a number where those of weights and problem meet."""
        return max(self.item, np.dtype(arrays.dtype_name(self.problem.reference)).itemsize)


def _stand_ins(weights: Any) -> Any:
    """Layers as they will be run, those of integers as of floating-point numbers, not formed."""
    if not checks.is_sequence(weights):
        return weights  # which is an error
    layers = checks.sequence("weights", weights, "arrays")
    return tuple(
        np.broadcast_to(np.zeros((), dtype), W.shape) if dtype else W
        for W, dtype in zip(layers, map(_converted_to, layers), strict=True)
    )


def _converted_to(W: Any) -> Any:
    """The type of number that a layer is converted to, if it is."""
    if not isinstance(W, np.ndarray) or W.dtype.kind not in "biuf":
        return None
    dtype = checks.matrix("weights", np.zeros((1, 1), W.dtype)).dtype
    return dtype if dtype != W.dtype else None


def _first(W: arrays.Array) -> arrays.Array:
    """The matrix of the first member."""
    return W[(0,) * (W.ndim - 2)]


def _largest(given: _Sizes, record: Sequence[str]) -> int:
    """Return the numbers of the largest array that one record adds to a checkpoint."""
    sizes = {"end_to_end": given.image, "layers": max(given.sizes)}
    return given.members * max([sizes.get(name, min(given.problem.shape)) for name in record])


def _record_sizes(problem: Problem, given: _Sizes, record: Sequence[str]) -> tuple[int, int]:
    """Return how many numbers, and how many arrays, a record of one network consists of."""
    known = problem.target is not None
    rank = problem.target_svd.s.shape[-1] if known and "alignment" in record else 0
    sizes = {
        "loss": [1],
        "error": [1] * known,
        "singular_values": [min(problem.shape)],
        "alignment": [rank, rank] * known,
        "end_to_end": [problem.shape[0] * problem.shape[1]],
        "imbalance": [1],
        "layers": given.sizes,
    }
    chosen = list(itertools.chain.from_iterable(sizes[name] for name in record))
    return sum(chosen), len(chosen)


def _told(count: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:,} bytes"


@dataclass
class Peak:
    """The growth of the process's memory that `watch` has measured.

    Attributes
    ----------
    bytes : int or None
        Growth of the process's resident memory to its peak; None if the system does not report it.

    Raises
    ------
    TypeError, ValueError
        If `bytes` is neither None nor an integer ≥ 0.
    """

    bytes: int | None = None

    def __post_init__(self) -> None:
        checks.fields(self)


@contextlib.contextmanager
def watch() -> Iterator[Peak]:
    """Measure by how much the resident memory of this process grows while the block runs.

    Linux only, and the whole process counts; memory that Python has kept from before is not seen to
    be used again, so for exact numbers watch in a fresh process.

    Yields
    ------
    Peak
        Whose `bytes` are known once the block has ended.
    """
    peak = Peak()
    before = None
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)  # what the allocator has kept goes back to the system
    with contextlib.suppress(OSError, KeyError, ValueError):
        with open("/proc/self/clear_refs", "w", encoding="ascii") as file:
            file.write("5")  # forget the peak so far
        before = _status("VmRSS")
    yield peak
    if before is not None:
        peak.bytes = max(_status("VmHWM") - before, 0)


def _status(name: str) -> int:
    with open("/proc/self/status", encoding="ascii") as lines:
        fields = dict(line.split(":", 1) for line in lines)
    return 1024 * int(fields[name].split()[0])
