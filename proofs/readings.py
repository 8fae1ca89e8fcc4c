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
    "theorem1": "79a434588ec3",
    "theorem1_exact": "eac63c22efaa",
    "parsimony": "843c58da5452",
    "lemma1": "3de4217f246c",
    "corollary1": "7075020142f9",
    "proposition1": "451781c690b3",
    "closed_form": "c5de704aa1ef",
    "comparison": "c1316d722846",
    "dominance": "22dfd6aed9d4",
    "small_targets": "7eec3da22a87",
    "pair_comparison": "1dae60a06120",
    "ky_fan": "87e1a10ccce2",
    "plane_blocks": "e7b62a2f312e",
    "assumption1": "036028c64c90",
    "theorem2": "6466107d7d86",
    "slips": "230dc7ee01f9",
    "counterexamples": "83657e8cfa27",
    "late_times": "6468898e9cbc",
    "turned_start": "fd26ef8e9c5d",
    "large_steps": "616bec94e16c",
    "gauge": "cb664bd066d8",
}


def main() -> None:
    """Print the digest of every proof as it is now."""
    package = import_module(__package__ or "dlnlab.proofs")
    for name in package.MODULES:
        print(f'    "{name}": "{package.build(name).run().digest}",')


if __name__ == "__main__":
    main()
