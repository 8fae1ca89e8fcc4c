"""The sharp Theorem 2: the residual directions of the wide network counted, so that r̂ ≤ d − r needs
no correction at all.
"""

from __future__ import annotations

from dlnlab.claims import theorem2
from dlnlab.lab import pairs
from dlnlab.lab.cases import Case

from .theorem2_refined import PREMISES, suite

__all__ = [
    "QUESTION",
    "SUITE",
    "allowance",
]


def allowance(case: Case) -> int:
    """Return r̂ − max(r, d − r), the multiple of β^{2L} in the sharp form.

    Parameters
    ----------
    case : Case

    Returns
    -------
    int
    """
    return theorem2.allowance(case.r_hat, case.rank, min(case.shape))


QUESTION = pairs.question(theorem2.SHARP_CLAIM, pairs.inequality(allowance), *PREMISES)
SUITE = suite(theorem2.SHARP_CLAIM, QUESTION)


def test_theorem2_sharp() -> None:
    verdict = SUITE.validate("ci")
    assert verdict.status == SUITE.about.standing().status, verdict
    assert verdict.witness["outside_the_premises"]["worst_margin"] < -1e-3
