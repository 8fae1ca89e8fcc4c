"""Lemma 1: batches of random pairs, near and far, and a search for a negative margin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from hypothesis import strategies as st

from dlnlab.claims import lemma1
from dlnlab.lab import search, strategies
from dlnlab.lab.cases import Frame
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

__all__ = ["KINDS", "SHAPES", "SUITE", "pair"]

SHAPES = ((1, 1), (2, 2), (3, 2), (2, 5), (6, 6))
KINDS = ("unrelated", "near", "shared vectors")


def _attack(tally: Tally, A: np.ndarray, B: np.ndarray, witness: dict[str, Any]) -> float:
    """Count a batch of pairs by its worst member; return how bad that is."""
    margin = np.atleast_1d(lemma1.margins(A, B))
    k, count = int(np.argmin(margin)), int(margin.size)
    tally.add(float(margin[k]), lemma1.rounding(A.shape), [], witness | {"member": k}, count=count)
    return float(-margin[k])


def _pairs(rng: np.random.Generator, shape: tuple[int, int], count: int, kind: str) -> Any:
    """Pairs (A, B) of which B is unrelated, a small change of A, or A with other values."""
    A = rng.standard_normal((count, *shape))
    if kind == "unrelated":
        return A, rng.standard_normal((count, *shape)) * 10.0 ** rng.uniform(-6, 6, (count, 1, 1))
    if kind == "near":
        return A, A + rng.standard_normal((count, *shape)) * 10.0 ** rng.uniform(
            -9, 0, (count, 1, 1)
        )
    U, s, Vh = np.linalg.svd(A, full_matrices=False)
    other = s + rng.uniform(0, 1, s.shape)
    return A, (U * other[..., None, :]) @ Vh  # equality where the order is kept


def _batches(seed: int, count: int) -> Iterator[tuple[Any, str, np.ndarray, np.ndarray]]:
    """Every shape and kind, with `count` pairs of each."""
    rng = np.random.default_rng(seed)
    for shape in SHAPES:
        for kind in KINDS:
            yield shape, kind, *_pairs(rng, shape, count, kind)


def pair(witness: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Build A and B again from the witness of a verdict.

    Parameters
    ----------
    witness : mapping
        `Verdict.witness`, as it is or read from JSON.

    Returns
    -------
    A, B : array, shape (d_out, d_in)

    Raises
    ------
    ValueError
        If the witness names no pair that is drawn.
    """
    rows, columns = witness["shape"]
    if "kind" not in witness:
        A, B = (
            _matrix(
                (
                    Frame.from_readable(rows, side["left"]),
                    side["spectrum"],
                    Frame.from_readable(columns, side["right"]),
                )
            )
            for side in (witness["A"], witness["B"])
        )
        return A, B
    for shape, kind, A, B in _batches(witness["seed"], witness["count"]):
        if [rows, columns] == list(shape) and kind == witness["kind"]:
            return A[witness["member"]], B[witness["member"]]
    raise ValueError(f"no pair of shape {witness['shape']} and kind {witness['kind']!r} is drawn")


@st.composite
def _examples(draw: Any) -> Any:
    """Two targets of one shape in readable form."""
    shape = draw(strategies.shapes(1, 4))
    return tuple(draw(strategies.target_parts(shape)) for _ in range(2))


def _matrix(parts: Any) -> np.ndarray:
    left, spectrum, right = parts
    count = len(spectrum)
    return (left.matrix[:, :count] * np.asarray(spectrum)) @ right.matrix[:, :count].T


def _random(tally: Tally, task: Task) -> None:
    """Pairs of random matrices: unrelated ones of very different size, close ones, and ones with
    equal singular vectors, where equality holds.
    """
    count = max(1, task.count // (len(SHAPES) * len(KINDS)))
    for shape, kind, A, B in _batches(task.seed, count):
        told = {"shape": list(shape), "kind": kind, "seed": task.seed, "count": count}
        _attack(tally, A, B, told)


def _climb(tally: Tally, task: Task) -> None:
    """A search over pairs in readable form for the smallest gap."""

    def badness(example: Any) -> float:
        names = ("left", "spectrum", "right")
        told = [
            {
                n: p.readable() if hasattr(p, "readable") else list(p)
                for n, p in zip(names, side, strict=True)
            }
            for side in example
        ]
        shape = [example[0][0].size, example[0][2].size]
        told_all = {"shape": shape, "A": told[0], "B": told[1]}
        return _attack(tally, _matrix(example[0]), _matrix(example[1]), told_all)

    search.climb(_examples(), badness, examples=task.count, seed=task.seed)


SUITE = Suite(
    lemma1.CLAIM,
    {
        "random": Part(_random, share=50.0, most=100_000),  # a pair costs microseconds
        "climb": Part(_climb, most=2_000, search=True),
    },
)


def test_lemma1() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
