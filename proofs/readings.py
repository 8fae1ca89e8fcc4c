"""The prose of every proof as it was last read against its checks, one digest per proof.

A computer carries out the checks of a proof. What it cannot judge is whether the sentences around
them (clauses, arguments, citations, names of facts) say what was checked. A person judges that, and
records in the proof, as its ``reading``, the digest of these sentences. A sentence that changes
leaves its proof "unread" until it has been read again; ``python -m dlnlab.proofs.readings`` prints
the digests of the proofs as they are now, for those who have done so.
"""

from __future__ import annotations

from importlib import import_module

__all__ = ["main"]


def main() -> None:
    """Print the digest of every proof as it is now."""
    package = import_module(__package__ or "dlnlab.proofs")
    for name in package.MODULES:
        print(f"{name}: {package.build(name).run().digest}")


if __name__ == "__main__":
    main()
