"""The prose of every proof as it was last read against its checks, one digest per proof.

A computer carries out the checks of a proof. What it cannot judge is whether the sentences around
them (clauses, arguments, citations, names of facts) say what was checked. A person judges that,
and records here which sentences these were. A sentence that changes leaves its proof "unread"
until it has been read again; ``python -m dlnlab.proofs.readings`` prints the digests of the proofs
as they are now, for those who have done so.
"""

from __future__ import annotations

from importlib import import_module

READINGS: dict[str, str] = {
    "theorem1": "1dcb1a7237eb",
    "theorem1_exact": "edce91f7f3b7",
    "parsimony": "6ee330bc8182",
    "lemma1": "48eb9416a770",
    "corollary1": "ad3b853c0064",
    "proposition1": "7e28df3ed8ab",
    "closed_form": "0180ecc6bb6d",
    "comparison": "34cdc8c625b5",
    "dominance": "29f31c1c0252",
    "small_targets": "e99ae2d3283a",
    "pair_comparison": "d9b83e3af4a4",
    "ky_fan": "8617f423b507",
    "plane_blocks": "0a0129471874",
    "assumption1": "5db390131d80",
    "theorem2": "8775fd97208d",
    "slips": "af09ecee347e",
    "counterexamples": "158f74eff0b0",
    "late_times": "e33d032bd9bd",
    "turned_start": "c9c019b9abf2",
    "large_steps": "9a0a75c604a4",
    "gauge": "edd2747b0b9e",
    "weighted_projection": "d902976aa24e",
    "thresholding": "c3b714cfd7c4",
    "greedy_pruning": "ba55ac6d8e20",
}


def main() -> None:
    """Print the digest of every proof as it is now."""
    package = import_module(__package__ or "dlnlab.proofs")
    for name in package.MODULES:
        print(f'    "{name}": "{package.build(name).run().digest}",')


if __name__ == "__main__":
    main()
