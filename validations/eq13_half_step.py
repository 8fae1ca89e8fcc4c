"""Eq. (13) for r̂ = r under gradient descent with at most half the stable step: a conjecture."""

from __future__ import annotations

from hypothesis import strategies as st

from dlnlab.claims import eq13
from dlnlab.lab import descents, search
from dlnlab.lab.descents import Batch
from dlnlab.lab.suite import Part, Suite, Task
from dlnlab.lab.tally import Tally

from . import eq13_descent

__all__ = ["HALF", "HUNTED", "SUITE"]

HALF = 0.5

HUNTED = st.builds(
    Batch,
    starts=st.sampled_from(("haar", "turned")),
    d=st.just(2),
    depth=st.integers(2, 4),
    spectrum=st.sampled_from(((1.0,), (1.0, 0.9), (1.0, 0.99), (1.0, 0.5))),
    ratio=st.floats(-6, -0.05).map(lambda power: 10**power),
    step=st.floats(0.3, HALF),
    size=st.just(10),
    seed=st.integers(0, 9999),
).map(lambda batch: batch._replace(ratio=max(batch.ratio, 10.0 ** -(6 if batch.depth == 2 else 2))))
"""The smallest networks, in batches of ten starts."""


def _climb(tally: Tally, task: Task) -> None:
    """A search for the smallest margin in two dimensions, steps of 0.3 to 0.5 of the stable one."""

    def badness(batch: Batch) -> float:
        return eq13_descent.attack(tally, descents.follow(batch), HALF)

    search.climb(HUNTED, badness, examples=task.count, seed=task.seed)


SUITE = Suite(
    eq13.HALF_STEP,
    {
        "random": Part(eq13_descent.random(0.05, HALF), share=1.0),
        "at the half": Part(eq13_descent.random(HALF, HALF), share=1.0),
        "climb": Part(_climb, share=0.5, most=500, search=True),
    },
)


def test_eq13_half_step() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
