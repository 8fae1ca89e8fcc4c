"""How much memory a run will take at its peak, told before it starts, and how much one took.

Beyond the weights and the problem it is given, gradient descent holds, for a batch of B networks of
widths d_0, …, d_L with P = Σ_l d_l d_{l−1} weights each, on the host (`steppers.InPlace`)

    the weights that steps change, and those that the last stretch of steps came to        2 P
    the products forward, W_l ⋯ W_1 for l ≥ 2, and those back, D_l for l < L   Σ_l d_l d_0 + …

of which a batch needs those of the few members only that are stepped together; and besides, while
it takes steps, a third copy of the weights, and where the gradient is not entrywise 3 × d_L d_0 for
it; or while it takes a record, the products forward anew and up to 4 × d_L d_0 (the residual, its
square, and what the singular value decomposition works on).  On a device, or with a problem that
looks at n entries of W_{L:1} without forming it (n in the place of d_L d_0, and one prefix less), a
step (`steppers.Plain`) has new arrays for the gradients of the layers, the new weights and one
layer's step, 2 P + max_l d_l d_{l−1}, beside the weights, the products forward, and two or three
times d_L d_0.

Where a smaller network runs in place of the given one, it is that network's sizes that count, and
at the end, and for records of layers and matrices, the large one is put together: up to 4 P.

A record of a number, of the leading singular values, of the matrix or of the layers adds 1, their
number, d_L d_0 or P.  Records are kept one by one in Python objects, and put together at the end,
so that for a moment their numbers are there twice.
"""

from __future__ import annotations

import contextlib
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

import numpy as np

from dlnlab import arrays, checks, networks, steppers, threads
from dlnlab.formulations import Formulation
from dlnlab.networks import Weights
from dlnlab.problems import Problem, SampledCompletion
from dlnlab.trajectory import check_record

__all__ = ["Footprint", "Peak", "of_descent", "watch"]

PER_RECORD = 500
"""Bytes of a record's dictionary, its step and its time, in CPython."""

PER_QUANTITY = 140
"""Bytes of the array object that holds a recorded quantity, beside its numbers."""


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
    """

    work: int
    records: int
    objects: int

    def __post_init__(self) -> None:
        for item in fields(self):
            checks.integer(item.name, getattr(self, item.name), 0)

    @property
    def peak(self) -> int:
        """Bytes at the peak: records and objects, and the work or the records' second copy."""
        return self.objects + self.records + max(self.work, self.records)

    def require(self, reference: arrays.Array) -> None:
        """Raise ``ValueError`` if that much memory is not available where `reference` lives."""
        checks.fits_in_memory(
            f"`record`: the run ({_told(self.work)} to take a step; "
            f"{_told(self.objects + 2 * self.records)} to put its records together)",
            self.peak,
            reference,
            remedy="record less often (`record_every`), fewer quantities, or run a smaller batch",
        )


def of_descent(
    problem: Problem,
    weights: Weights,
    num_records: int,
    record: Sequence[str],
    batch: tuple[int, ...] | None = None,
    run: Formulation | None = None,
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
        What runs in the place of the network, if it is not the network itself.

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
    weights = networks.check_weights(weights)
    networks.check_problem(problem)
    num_records = checks.integer("num_records", num_records, 0)
    record = check_record(record)
    batch = weights[0].shape[:-2] if batch is None else networks.batch_axes(batch)
    if run is not None:
        checks.instance("run", run, Formulation, "a dlnlab.formulations.Formulation")
    members = math.prod(batch)
    layers = [W.shape[-2] * W.shape[-1] for W in weights]
    item = np.dtype(arrays.dtype_name(weights[0])).itemsize
    numbers, objects = _record_sizes(problem, layers, record)
    if run is None or run.view is None:
        work = _working_bytes(problem, weights, members, item)
    else:
        work = _working_bytes(run.problem, run.weights, members, item)
        work += 4 * sum(layers) * members * item
    return Footprint(
        work=work,
        records=num_records * members * item * numbers,
        objects=num_records * (PER_RECORD + PER_QUANTITY * objects),
    )


def _working_bytes(problem: Problem, weights: Weights, members: int, item: int) -> int:
    """Return what a step or a record works with, for so many networks and bytes per number."""
    layers = [W.shape[-2] * W.shape[-1] for W in weights]
    images = [W.shape[-2] * weights[0].shape[-1] for W in weights]
    if not arrays.is_host(weights[0]) or problem.samples(weights[-1]):
        return members * item * _plain_numbers(problem, layers, images, weights)
    products = item * (sum(images[1:]) + sum(images[:-1]))
    together = threads.available() * max(products + item * sum(layers), steppers.CACHE)
    gradient = 3 * images[-1] if problem.entrywise() is None else 0
    passing = max(sum(layers) + gradient, sum(images[1:]) + 4 * images[-1])
    held = members * item * (2 * sum(layers) + passing)
    return held + (min(members * products, together) if members > 1 else products)


def _plain_numbers(
    problem: Problem, layers: Sequence[int], images: Sequence[int], weights: Weights
) -> int:
    """The same for steps with new arrays."""
    image, above = images[-1], images[1:]
    if isinstance(problem, SampledCompletion) and problem.samples(weights[-1]):
        image, above = problem.values.shape[-1], images[1:-1]
    stepping = (2 + (problem.normalization == "mean")) * image + 2 * sum(layers) + max(layers)
    return sum(layers) + sum(above) + max(stepping, 4 * image)


def _record_sizes(
    problem: Problem, layers: Sequence[int], record: Sequence[str]
) -> tuple[int, int]:
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
        "layers": layers,
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
    """What `watch` has seen.

    Attributes
    ----------
    bytes : int or None
        Growth of the process's resident memory to its peak; None where the system does not tell.
    """

    bytes: int | None = None

    def __post_init__(self) -> None:
        checks.fields(self)


@contextlib.contextmanager
def watch() -> Iterator[Peak]:
    """Measure by how much the resident memory of this process grows while the block runs.

    Linux only, and the whole process counts; memory that Python has kept from before is not seen to
    be used again, so for exact numbers watch in a fresh process.
    """
    peak = Peak()
    before = None
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
