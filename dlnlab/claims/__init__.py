"""The claims of the theory: what each says, what it presupposes, and by how much it holds.

Every module holds one claim: its statement and source, its premises as measurable quantities, and
its margin, a signed, scale-free number that is ≥ 0 where the conclusion holds.
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
from dlnlab.claims.claim import STATUSES, Claim, Setting, Standing
from dlnlab.claims.verdict import Premise, Verdict, judge

__all__ = [
    "CLAIMS",
    "STATUSES",
    "Claim",
    "Premise",
    "Setting",
    "Standing",
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

CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for claim in (
        lemma1.CLAIM,
        corollary1.CLAIM,
        theorem1.CLAIM,
        closed_form.CLAIM,
        parsimony.CLAIM,
        proposition1.CLAIM,
        proposition1.VECTOR_CLAIM,
        assumption1.CLAIM,
        dominance.CLAIM,
        theorem2.CLAIM,
        theorem2.REFINED_CLAIM,
        theorem2.SHARP_CLAIM,
        gauge.CLAIM,
        gradients.CLAIM,
    )
}
"""Every claim by its name."""
