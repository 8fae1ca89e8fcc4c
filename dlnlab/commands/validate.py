"""``dlnlab validate``: attack the claims with random and adversarial instances."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from dlnlab import report, results, terminal
from dlnlab.claims import CLAIMS, Verdict
from dlnlab.commands import campaign, claims, files, numerals
from dlnlab.numerics import checks

__all__ = ["EPILOG", "HEADERS", "LEAST", "PROFILES", "SHOWN", "WIDTHS", "add", "run"]

PROFILES = ("ci", "dev", "hunt")
SHOWN = (
    "simplest",
    "powers_of_eps",
    "limits",
    "quartiles",
    "outside_the_premises",
)
"""Parts of a witness that the table leaves to the file."""

HEADERS = ("claim", "verdict", "margin ± error", "tested", "time")
WIDTHS = (max(map(len, CLAIMS)), 24, 16, 7, 5)
"""Of columns, where the terminal has room for them."""

LEAST = (WIDTHS[0], 12, 9, 7, 5)
"""How narrow columns may become, so that no word is broken: names, "refuted (not", numbers."""

EPILOG = """\
examples:
  dlnlab validate                           every claim, about a minute
  dlnlab validate dominance --profile dev   one claim, ten times the instances
  dlnlab validate --html verdicts.html --json verdicts.json
  dlnlab validate --profile hunt --resume hunt.jsonl     100 000 instances of each conjecture,
                                            10 000 of what is proved, refuted or follows from
                                            another claim; run again to continue
  dlnlab validate --profile hunt --minutes 120 --resume hunt.jsonl --json hunt.json
                                            as much of that as two hours allow, all claims in
                                            turn, and what was covered; run again to continue
  dlnlab validate --executor dask=tcp://head-node:8786   on a Dask cluster

A verdict is "proved", "conditional on" another claim, "conjecture", "refuted", or "not applicable"
(no instance met the premises). The margin is scale-free, and at least 0 where the claim holds.
Refuting a claim that is known to be false is no failure; what was not known is in capitals.

exit codes:
  0    the results agree with what is known: false claims were refuted, and no others
  1    a claim was refuted that is not known to be false, or a claim known to be false was not
       refuted or not tried; or the run failed
  2    bad usage or bad input
  130  interrupted (Ctrl-C)
"""


def add(commands: Any, exit_codes: str) -> None:
    """Declare the command and its options.

    Parameters
    ----------
    commands : the subparsers of an argparse.ArgumentParser
    exit_codes : str
        Not used: what a refutation means depends on the claim.
    """
    parser = commands.add_parser(
        "validate",
        help="attack the claims with random and adversarial instances",
        description="Try to break the claims: random batches, and searches that climb towards the "
        "worst instance and simplify it.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, prog=parser.prog)
    claims.add_options(parser, "the verdicts")
    parser.add_argument(
        "--html",
        type=files.path,
        metavar="FILE",
        help="write a page with the verdicts and the worst instance of each claim to FILE",
    )
    parser.add_argument(
        "--profile", choices=PROFILES, default="ci", help="how many instances (default: ci)"
    )
    parser.add_argument(
        "--minutes",
        type=numerals.number,
        metavar="M",
        help="stop after M minutes and judge by what was tried; needs --resume",
    )
    parser.add_argument(
        "--seed", type=numerals.integer, default=0, help="which instances (default: 0)"
    )
    campaign.add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Validate the claims and return the exit code.

    Parameters
    ----------
    args : argparse.Namespace
        The command line.

    Returns
    -------
    int

    Raises
    ------
    RunFailed, TypeError, ValueError, OSError
        If an argument is malformed, a file cannot be used, or the run fails.
    """
    validations = import_module("dlnlab.validations")  # Hypothesis is loaded here
    if args.list:
        print("\n".join(validations.MODULES))
        return 0
    names = claims.chosen(args, validations.MODULES)
    files.claim({"--json": args.json, "--html": args.html}, {"--resume": args.resume})
    if args.seed < 0:
        raise ValueError(f"`seed` must be an integer >= 0, got {args.seed}")
    if args.minutes is not None:
        checks.positive("minutes", args.minutes)
        if args.resume is None:
            raise ValueError(
                "`minutes` must be given with `resume`, the file that keeps what was tried"
            )
    started = time.monotonic()
    verdicts = _carry_out(validations, names, args)
    parameters = {"claims": names, "profile": args.profile, "seed": args.seed}
    parameters |= {"minutes": args.minutes} | campaign.parameters(args)
    seconds = time.monotonic() - started
    attacks = {name: validations.load(name).attacks(args.profile) for name in names}
    content: dict[str, Any] = {
        "claims": [CLAIMS[name].to_dict() for name in names],
        "verdicts": [verdict.to_dict() for verdict in verdicts],
        "attacks": attacks,
    }
    if args.minutes is not None:
        covered = validations.coverage(names, args.profile, args.seed, args.resume)
        content["coverage"] = covered
        print(_covered(covered))
    claims.write(args, content, parameters, seconds)
    if args.html is not None:
        manifest = report.manifest(args.command_line, parameters, seconds)
        files.write_text(
            args.html, report.verdicts_html(verdicts, manifest, attacks, _figures(verdicts))
        )
    untried = [name for name in names if name not in {verdict.claim for verdict in verdicts}]
    if untried:
        print(f"Not tried: {', '.join(untried)}")
    return 1 if untried or any(verdict.surprising for verdict in verdicts) else 0


def _carry_out(validations: Any, names: list[str], args: argparse.Namespace) -> list[Verdict]:
    """Validate the claims, with a line for each as soon as it is judged, and return them in order.

    Raises
    ------
    RunFailed
        If a task failed; what was computed by then is in the file of ``--resume``.
    """
    found: dict[str, Verdict] = {}
    options = {"progress": campaign.show_progress} | campaign.options(args)
    options["seconds"] = None if args.minutes is None else 60 * args.minutes
    with campaign.told_in_one_line():
        for verdict in validations.verdicts(names, args.profile, args.seed, **options):
            claims.show_status("")
            if not found:
                print(_row(HEADERS))
            print("\n".join(_lines(verdict)), flush=True)
            found[verdict.claim] = verdict
    return [found[name] for name in names if name in found]


def _covered(coverage: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """How much of what was planned was tried, and what least."""
    share = {
        claim: sum(part["done"] for part in parts) / sum(part["planned"] for part in parts)
        for claim, parts in coverage.items()
    }
    least = min(share, key=share.__getitem__)
    spent = sum(part["seconds"] for parts in coverage.values() for part in parts)
    return (
        f"\nCovered in {spent:,.0f} s of computing: between {share[least]:.0%} ({least}) and "
        f"{max(share.values()):.0%} of the instances planned for a claim."
    )


def _figures(verdicts: list[Verdict]) -> dict[str, str]:
    """Draw the worst instance of each claim that can be drawn, as an image within the page."""
    pictures = import_module("dlnlab.validations.pictures")
    plotting = import_module("dlnlab.plotting")  # Matplotlib is loaded here
    figures = {v.claim: pictures.draw(v.claim, results.plain(v.witness)) for v in verdicts}
    return {
        claim: f'<img alt="worst instance of {claim}" src="{plotting.to_data_uri(figure)}"/>'
        for claim, figure in figures.items()
        if figure is not None
    }


def _lines(verdict: Verdict) -> list[str]:
    """A row of the table, with the unmet premises and what broke a claim below it."""
    margin = f"{verdict.margin:.1e} ± {verdict.error:.0e}"
    tested, time = f"{verdict.instances}", f"{verdict.seconds:.0f} s"
    lines = [_row((verdict.claim, report.status_text(verdict), margin, tested, time))]
    if verdict.status in ("proved", "conditional", "conjecture"):
        return lines
    lines += _surprise(verdict)
    lines += [f"    not met: {premise.name}" for premise in verdict.unmet]
    return [
        *lines,
        *terminal.paragraph(_instance(verdict), " " * 4, " " * 6),
    ]


def _row(cells: Sequence[str]) -> str:
    return "\n".join(terminal.row(cells, terminal.widths(WIDTHS, LEAST), left=3))


def _instance(verdict: Verdict) -> str:
    """The smallest witness of a claim known to be false, else the instance of the worst margin."""
    known = CLAIMS[verdict.claim].standing().witness
    if known is not None:
        return f"smallest witness: {known}"
    told = (f"{key} {value}" for key, value in verdict.witness.items() if _is_short(key, value))
    return f"instance: {', '.join(told)}"


def _surprise(verdict: Verdict) -> list[str]:
    """What contradicts the registry, in words."""
    if not verdict.surprising:
        return []
    if verdict.known == "refuted":
        return ["    known to be false, but its witness was not found again"]
    return [f"    not known to be false: it is {verdict.known}"]


def _is_short(key: str, value: Any) -> bool:
    """Whether a part of a witness is one of the few that a line can hold."""
    return key not in SHOWN and len(str(value)) < 40
