"""The claims of the theory: what each says, what it presupposes, and by how much it holds.

Every module holds one claim, or a few that share their margin: statement and source, premises as
measurable quantities, and the margin, a signed, scale-free number that is ≥ 0 where the conclusion
holds.  Statement and source are public; margins and premises are measured by flows and validations,
on their own arrays.

`CLAIMS` is the registry.  Proofs, validations, pages, pictures and reports find a claim by its
name, and write down nothing about it that stands here.
"""

from importlib import import_module

from dlnlab.claims.claim import STATUSES
from dlnlab.claims.claim import Claim as Claim
from dlnlab.claims.claim import Setting as Setting
from dlnlab.claims.claim import Standing as Standing
from dlnlab.claims.claim import Witness as Witness
from dlnlab.claims.verdict import Premise, Verdict, judge

MODULES = (
    "lemma1",
    "corollary1",
    "theorem1",
    "closed_form",
    "parsimony",
    "proposition1",
    "assumption1",
    "eq26",
    "dominance",
    "theorem2",
    "eq13",
    "gauge",
    "gradients",
    "weighted_projection",
    "pruning",
    "thresholding",
    "few_directions",
    "small_turns",
    "invariant_subspace",
    "fewer_products",
    "less_time",
    "low_rank_change",
    "equal_accuracy",
)
"""The modules with claims, in the order in which they build on each other."""

__all__ = ["CLAIMS", "MODULES", "STATUSES", "Premise", "Verdict", "judge"]

CLAIMS: dict[str, Claim] = {
    claim.name: claim
    for module in MODULES
    for claim in vars(import_module(f"{__name__}.{module}")).values()
    if isinstance(claim, Claim)
}
"""Every claim by its name, in the order in which the modules define them."""
