"""Proofs of the claims of Kwon et al. (2024), one module per claim.

Every module has a function ``build(thorough=False)`` that returns a :class:`~.proof.Proof`, and
runs alone: ``python -m dlnlab.proofs.theorem1`` prints the proof and exits with 0 if every check
passed.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from dlnlab.claims import CLAIMS

from .facts import ProofError
from .proof import Clause, Proof, ProofResult, Step, StepResult


def _found() -> tuple[str, ...]:
    """The modules with a proof: first those that the claims rest on, in their order."""
    written = {
        path.stem
        for path in Path(__file__).parent.glob("*.py")
        if "\ndef build(" in path.read_text(encoding="utf-8") and path.stem != "__init__"
    }
    named = [
        name for claim in CLAIMS.values() for known in claim.standings for name in known.proofs
    ]
    return tuple(dict.fromkeys([*filter(written.__contains__, named), *sorted(written)]))


MODULES = _found()
"""Every proof that there is."""

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

    Parameters
    ----------
    name : str
        One of `MODULES`.
    thorough : bool, optional
        Whether exact steps draw ten times as many instances.

    Returns
    -------
    Proof

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
