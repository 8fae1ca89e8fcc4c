"""Proofs of the claims of Kwon et al. (2024), one module per claim.

Every module has a function ``build(thorough=False)`` that returns a :class:`~.proof.Proof`, and
runs alone: ``python -m dlnlab.proofs.theorem1`` prints the proof and exits with 0 if every check
passed.
"""

from __future__ import annotations

from importlib import import_module

from .facts import ProofError
from .proof import Clause, Proof, ProofResult, Step, StepResult

MODULES: tuple[str, ...] = (
    "theorem1",
    "theorem1_exact",
    "parsimony",
    "lemma1",
    "corollary1",
    "proposition1",
    "closed_form",
    "comparison",
    "dominance",
    "small_targets",
    "pair_comparison",
    "ky_fan",
    "plane_blocks",
    "assumption1",
    "theorem2",
    "slips",
    "counterexamples",
    "late_times",
    "turned_start",
    "large_steps",
    "gauge",
    "weighted_projection",
    "thresholding",
    "greedy_pruning",
)

__all__ = [
    "MODULES",
    "Clause",
    "Proof",
    "ProofError",
    "ProofResult",
    "Step",
    "StepResult",
    "build",
]


def build(name: str, *, thorough: bool = False) -> Proof:
    """Return the proof called `name`.

    Raises
    ------
    ValueError
        If there is no such proof.
    ImportError
        If the proof needs an optional package that is not installed; the message names it.
    """
    if name not in MODULES:
        raise ValueError(f"`name` must be one of {', '.join(MODULES)}; got {name!r}")
    proof: Proof = import_module(f".{name}", __package__).build(thorough=thorough)
    return proof
