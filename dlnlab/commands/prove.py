"""``dlnlab prove``: carry out the proofs, step by step."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from dlnlab import terminal
from dlnlab.claims import CLAIMS, Claim
from dlnlab.commands import claims, files

__all__ = ["EPILOG", "add", "run"]

EPILOG = """\
examples:
  dlnlab prove                        every proof, one line each
  dlnlab prove dominance theorem2     these two, every step
  dlnlab prove --json proofs.json

The proofs are followed by the claims that rest on them, with what is known of each: a proof covers
one scope, and a claim may have several.

A step is "symbolic", "exact" (rational or modular arithmetic) or an "enclosure" (ball arithmetic):
these prove, and print the facts that they established. "evidence", "argument" (a deduction in
words) and "cited" do not, and are marked so; those that a statement rests on are counted.
"unread" is a proof whose wording has changed since it was last read against its checks.

exit codes:
  0    everything is proved
  1    a check failed, or a statement is not carried by its steps
  2    bad usage, or a proof needs a package that is not installed
  130  interrupted (Ctrl-C)
"""


def add(commands: Any, exit_codes: str) -> None:
    """Declare the command and its options; its exit codes are its own.

    Parameters
    ----------
    commands : the subparsers of an argparse.ArgumentParser
    exit_codes : str
        Not used: a proof refutes nothing, it goes through or breaks.
    """
    parser = commands.add_parser(
        "prove",
        help="carry out the proofs of the claims, step by step",
        description="Carry out the proofs of the claims, in symbols, exact arithmetic and rigorous "
        "enclosures.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, prog=parser.prog)
    claims.add_options(parser, "verdicts and steps")
    parser.add_argument(
        "--steps", action="store_true", help="show every step, even of several proofs"
    )
    parser.add_argument("--thorough", action="store_true", help="longer exact campaigns")


def run(args: argparse.Namespace) -> int:
    """Carry out the proofs and return the exit code.

    Parameters
    ----------
    args : argparse.Namespace
        The command line.

    Returns
    -------
    int
    """
    proofs = import_module("dlnlab.proofs")  # SymPy is loaded here, when a proof is asked for
    if args.list:
        print("\n".join(proofs.MODULES))
        return 0
    names = claims.chosen(args, proofs.MODULES)
    files.claim({"--json": args.json})
    started = time.monotonic()
    results, missing = _carry_out(proofs, names, args)
    broken = [result.claim for result in results if result.status != "proved"]
    resting = _resting_on(names, broken)
    content = {
        "claims": [claim.to_dict() for claim in resting],
        "proofs": [_record(result) for result in results],
        "not_carried_out": missing,
    }
    print("\n".join(_known(resting)))
    parameters = {"claims": names, "thorough": args.thorough}
    claims.write(args, content, parameters, time.monotonic() - started)
    if broken:
        return 1
    return 2 if missing else 0


def _carry_out(
    proofs: Any, names: list[str], args: argparse.Namespace
) -> tuple[list[Any], dict[str, str]]:
    """Run the proofs; those that lack an optional package are named, not counted."""
    results: list[Any] = []
    missing: dict[str, str] = {}
    in_full = args.steps or len(names) <= 3
    for name in names:
        claims.show_status(f"{name} …")
        try:
            results.append(proofs.build(name, thorough=args.thorough).run())
        except ImportError as error:
            missing[name] = str(error)
        claims.show_status("")
        if name in missing:
            print(_told(name, f"not carried out: {missing[name]}"))
        elif in_full or results[-1].status != "proved":
            print(f"{results[-1]}\n")
        else:
            print(_line(results[-1]))
    return results, missing


def _resting_on(proofs: Sequence[str], broken: Sequence[str] = ()) -> list[Claim]:
    """Return the claims that rest on any of these proofs, as they stand without the broken ones."""
    return [
        claim.without(broken)
        for claim in CLAIMS.values()
        if any(set(standing.proofs) & set(proofs) for standing in claim.standings)
    ]


def _known(resting: Sequence[Claim]) -> list[str]:
    """Say what is known of each claim that rests on a proof, wrapped for a terminal."""
    lines = ["", "Claims that rest on these proofs:"] if resting else []
    for claim in resting:
        lines += terminal.paragraph(f"{claim.name}: {claim.known}", "  ", "      ")
    return lines


def _line(result: Any) -> str:
    kinds = [step.kind for step in result.steps]
    counts = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
    rest = f"; leaves {len(result.open)} open, see its steps" if result.open else ""
    return _told(result.claim, f"{result.verdict}  {result.seconds:.1f} s  ({counts}{rest})")


def _told(name: str, text: str) -> str:
    """What is said of a proof beside its name, all of them below each other."""
    return "\n".join(terminal.paragraph(f"{name:<20}{text}", hanging=20 * " "))


def _record(result: Any) -> dict[str, Any]:
    """The result of a proof under the proof's name: what it says is about its own scope."""
    record = result.as_dict()
    return {"proof": record.pop("claim")} | record
