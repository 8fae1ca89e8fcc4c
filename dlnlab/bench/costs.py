"""What one step of gradient descent costs, by formula.

**Flops.**  A product of an m × k by a k × n matrix costs 2mkn.  With widths d_0, …, d_L the prefix
products W_l (W_{l−1} ⋯ W_1) cost 2 d_l d_{l−1} d_0 each for l = 2, …, L.  On the way back each of
those layers has two more products of the same three sizes: the gradient (S_lᵀG)(W_{l−1:1})ᵀ, which
is d_l × d_0 by d_0 × d_{l−1}, and S_{l−1}ᵀG = W_lᵀ(S_lᵀG), d_{l−1} × d_l by d_l × d_0.  Hence
6 d_0 Σ_{l≥2} d_l d_{l−1}.  The update W_l − η∇ is a product and a difference for every weight,
2 Σ_l d_l d_{l−1}.  The gradient with respect to W_{L:1}, of D = d_L d_0 entries, costs

    factorization  W − M                          D
    completion     mask · W − observed            2D
    sampled        n values less n values         n
    sensing        A(W) − y, and back by Aᵀ       4mD (two products with an m × D matrix) + m.

**Bytes.**  What any way of taking the step must move: every weight read and written, and the data
read once, in doubles: M (D); mask and observed values (2D); n values and their two 4-byte indices
(2n); A and y (mD + m).  It is a lower bound, since intermediate results are taken to stay in cache.

These are the costs of the step as the theory writes it.  An engine that finds a smaller equivalent
computation can be faster than the time they take at the machine's limit.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dlnlab.bench.workloads import Workload

__all__ = ["DOUBLE", "Cost", "of_step", "products"]

DOUBLE = 8


@dataclass(frozen=True)
class Cost:
    """Of one step of one network.

    Attributes
    ----------
    flops : int
    bytes : int
    """

    flops: int
    bytes: int


def products(widths: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield the sizes (m, k, n) of the 3(L − 1) matrix products of a step.

    Parameters
    ----------
    widths : sequence of int
        d_0, …, d_L.

    Yields
    ------
    (int, int, int)
    """
    first = widths[0]
    for before, after in itertools.pairwise(widths[1:]):
        yield after, before, first  # prefix
        yield after, first, before  # gradient of the layer
        yield before, after, first  # carried to the layer below


def of_step(parts: Sequence[Workload]) -> Cost:
    """Return what a step costs one network, on average over the parts of a row.

    Parameters
    ----------
    parts : sequence of Workload

    Returns
    -------
    Cost
    """
    found = [_of_one(part) for part in parts]
    return Cost(
        sum(one.flops for one in found) // len(found), sum(one.bytes for one in found) // len(found)
    )


def _of_one(instance: Workload) -> Cost:
    widths = instance.widths
    entries = widths[-1] * widths[0]
    weights = sum(a * b for a, b in itertools.pairwise(widths))
    flops, data = {
        "factorization": (entries, entries),
        "completion": (2 * entries, 2 * entries),
        "sampled": (instance.count, 2 * instance.count),
        "sensing": (4 * instance.count * entries + instance.count, instance.count * (entries + 1)),
    }[instance.kind]
    flops += sum(2 * m * k * n for m, k, n in products(widths)) + 2 * weights
    return Cost(flops, DOUBLE * (2 * weights + data))
