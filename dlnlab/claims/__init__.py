"""The claims of the theory: what each says, what it presupposes, and by how much it holds.

Every module holds one claim: its statement and source, its premises as measurable quantities, and
its margin, a signed, scale-free number that is ≥ 0 where the conclusion holds.  Statement and
source are public; margins and premises are measured by flows and validations, on their own arrays.
"""

from dlnlab.claims import (
    assumption1,
    closed_form,
    corollary1,
    dominance,
    gauge,
    gradients,
    lemma1,
    limits,
    parsimony,
    proposition1,
    theorem1,
    theorem2,
)
from dlnlab.claims.verdict import Premise, Verdict, judge

__all__ = [
    "Premise",
    "Verdict",
    "assumption1",
    "closed_form",
    "corollary1",
    "dominance",
    "gauge",
    "gradients",
    "judge",
    "lemma1",
    "limits",
    "parsimony",
    "proposition1",
    "theorem1",
    "theorem2",
]
