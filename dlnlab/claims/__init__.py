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
    eq13,
    eq26,
    gauge,
    gradients,
    lemma1,
    limits,
    parsimony,
    proposition1,
    theorem1,
    theorem2,
)
from dlnlab.claims.claim import STATUSES, Claim
from dlnlab.claims.claim import Setting as Setting
from dlnlab.claims.claim import Standing as Standing
from dlnlab.claims.claim import Witness as Witness
from dlnlab.claims.verdict import Premise, Verdict, judge

__all__ = [
    "CLAIMS",
    "STATUSES",
    "Premise",
    "Verdict",
    "assumption1",
    "closed_form",
    "corollary1",
    "dominance",
    "eq13",
    "eq26",
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

CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for claim in (
        lemma1.CLAIM,
        corollary1.CLAIM,
        theorem1.CLAIM,
        closed_form.CLAIM,
        closed_form.PLANE_CLAIM,
        parsimony.CLAIM,
        proposition1.CLAIM,
        proposition1.VECTOR_CLAIM,
        assumption1.CLAIM,
        assumption1.GENERALLY_CLAIM,
        eq26.CLAIM,
        dominance.CLAIM,
        eq13.DOMINANCE,
        theorem2.CLAIM,
        theorem2.REFINED_CLAIM,
        theorem2.SHARP_CLAIM,
        theorem2.ANY_EPS_CLAIM,
        eq13.COMPRESSING,
        eq13.ANY_START,
        eq13.SMALL_C_VEC,
        eq13.LARGE_START,
        eq13.DESCENT,
        eq13.HALF_STEP,
        gauge.CLAIM,
        gradients.CLAIM,
    )
}
"""Every claim by its name."""
