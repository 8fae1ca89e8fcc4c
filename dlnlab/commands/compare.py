"""``dlnlab compare``: Theorem 2's two gradient flows side by side."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import inspect
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

import dlnlab
from dlnlab import data, report
from dlnlab.commands import RunFailed, files, numerals
from dlnlab.data import tables
from dlnlab.flow import Comparison, Plan
from dlnlab.numerics import checks
from dlnlab.training.trajectory import Interrupted, Status

__all__ = [
    "DEFAULTS",
    "DEFAULT_RANK",
    "DEFAULT_SIZE",
    "EPILOG",
    "FIGURES",
    "FILES",
    "GENERATED",
    "MOMENT",
    "READING",
    "STREAM",
    "add",
    "run",
]

EPILOG = """\
examples:
  dlnlab compare                              100 x 100 of rank 10, L = 3, ε = 0.01
  dlnlab compare --shape 40 60 --rank 3 --r-hat 6 --eps 0.05 --out results
  dlnlab compare --shape 100000 --rank 5 --factored
  dlnlab compare target.csv --depth 4         recover your own matrix
  dlnlab compare ratings.mat --name R         one of several in a file
  some command | dlnlab compare -             from another program
  dlnlab compare --diagnostics learning.png   draw Assumption 1: c_val and c_vec over time

the same run in Python:
  M = dlnlab.random_target(SHAPE, RANK, rng=SEED)
  c = dlnlab.compare(M, R_HAT, depth=L, eps=EPS, rng=SEED)
  print(c.summary()); c.plot(); c.plot_assumption1()
"""

DEFAULT_SIZE, DEFAULT_RANK = 100, 10

DEFAULTS = {
    name: parameter.default
    for name, parameter in inspect.signature(dlnlab.compare).parameters.items()
}
"""The command line has the defaults of the library."""

MOMENT = 1.0
"""Seconds too short to be worth reporting."""

FIGURES = (".png", ".pdf", ".svg")

FILES = ("comparison.png", "comparison.pdf", "comparison.npz", "comparison.json", "manifest.json")

GENERATED = ("shape", "spectrum", "factored")
"""Options that describe a generated target, and are at odds with a file."""


READING = ("header", "index", "name")
"""Options that say how a file is read."""

STREAM = Path(tables.STREAM)


def add(commands: Any, exit_codes: str) -> None:
    """Declare the command and its options.

    Parameters
    ----------
    commands : the subparsers of an argparse.ArgumentParser
    exit_codes : str
        What the exit codes mean, for the end of the help text.
    """
    parser = commands.add_parser(
        "compare",
        help="the gradient flows of the original and the compressed network side by side",
        description="Run the gradient flows of the original and the compressed network (Theorem\n"
        "2) and judge every claim that applies to them.",
        epilog=f"{EPILOG}\n{exit_codes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, prog=parser.prog)
    for declare in (_target_options, _network_options, _run_options, _output_options):
        declare(parser)


def _target_options(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument_group("target M*").add_argument
    text = (
        "matrix in a file: .csv, .tsv, .txt (text), .npy, .npz, .mat, .mtx (Matrix Market) or .png "
        "(brightness); - is the standard input; default: generated"
    )
    option("target", nargs="?", type=files.path, metavar="TARGET", help=text)
    for flag, part in (("--header", "first row"), ("--index", "first column")):
        text = f"whether the {part} of a text file holds names (default: detected)"
        option(flag, choices=("yes", "no"), help=text)
    text = "which array of an .npz or .mat file, if there are several"
    option("--name", metavar="ARRAY", help=text)
    text = "d_out and d_in, or one number for a square target (default: 100)"
    option("--shape", nargs="+", type=numerals.integer, metavar="D", help=text)
    text = (
        "rank r of a generated target (default: 10, if it fits); for a TARGET the number of its "
        "leading modes to ask about, full for all, or auto: all if that takes seconds, else those "
        "above a gap, or with 99.9 %% of ‖M*‖² (default: auto); where singular values fade into "
        "rounding, those above ε^L"
    )
    option("--rank", type=_rank, metavar="R", help=text)
    text = "singular values σ_1* ≥ … ≥ σ_r* > 0 (default: evenly spaced from 1 to 1/r)"
    option("--spectrum", nargs="+", type=numerals.number, metavar="S", help=text)
    text = "store only singular vectors, for shapes whose matrix does not fit in memory"
    option("--factored", action="store_true", default=None, help=text)
    text = "seed of the target and, independently, of the network's random start"
    _default(option, "--seed", "rng", text, type=numerals.integer, metavar="N")


def _network_options(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument_group("networks").add_argument
    text = (
        "width r̂ of the compressed network (default: twice the rank, at most min(d_out, d_in); "
        "for a TARGET the number of modes asked about)"
    )
    option("--r-hat", type=numerals.integer, metavar="N", help=text)
    _default(option, "--depth", "depth", "number of layers L", type=numerals.integer, metavar="L")
    text = "ε, the singular value of every initial layer"
    _default(option, "--eps", "eps", text, type=numerals.number, metavar="E")
    text = (
        "hidden width of the original network, one or L − 1 of them (default: min(d_out, d_in), "
        "for which the start is balanced; the paper has max(d_out, d_in))"
    )
    option("--width", nargs="+", type=numerals.integer, metavar="D", help=text)
    text = "loss ½‖W − M*‖², or that divided by the number of entries"
    _default(option, "--normalization", "normalization", text, choices=("sum", "mean"))


def _run_options(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument_group("integration").add_argument
    text = (
        "latest time (default: many times the time that the compressed network needs; a run ends "
        "earlier once the original network has fitted the target)"
    )
    option("--t-end", type=numerals.number, metavar="T", help=text)
    _default(
        option, "--rtol", "rtol", "relative tolerance of a step", type=numerals.number, metavar="X"
    )
    text = (
        "auto evaluates two layers in closed form and integrates more by DOP853; stiff needs "
        "scikit-sundae"
    )
    _default(option, "--method", "method", text, choices=("auto", "DOP853", "RK45", "stiff"))
    _default(option, "--max-steps", "max_steps", "step budget", type=numerals.integer, metavar="N")
    text = "σ_i counts as fitted within this fraction of σ_i*"
    _default(option, "--within", "within", text, type=numerals.number, metavar="X")
    text = "approximate number of recorded times"
    _default(option, "--records", "num_records", text, type=numerals.integer, metavar="N")


def _output_options(parser: argparse.ArgumentParser) -> None:
    option = parser.add_argument_group("output").add_argument
    text = (
        "write comparison.png, .pdf, .npz, .json and manifest.json there; DIR is created if "
        "missing, and files of these names are replaced"
    )
    option("--out", type=files.path, metavar="DIR", help=text)
    text = "draw the diagnostics of Assumption 1 (c_val and c_vec over time) as .png, .pdf or .svg"
    option("--diagnostics", type=files.path, metavar="FILE", help=text)
    text = "show progress on the error stream (default: on a terminal only)"
    option("--progress", action=argparse.BooleanOptionalAction, default=None, help=text)
    option("--quiet", action="store_true", help="print nothing but errors")


def _default(option: Any, flag: str, name: str, text: str, **settings: Any) -> None:
    """Declare an option with the default of the library's argument, and say it."""
    default = DEFAULTS[name]
    option(flag, default=default, help=f"{text} (default: {default})", **settings)


def run(args: argparse.Namespace) -> int:
    """Run the command; return 1 if a claim was refuted, else 0.

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
    _claim_outputs(args)
    try:
        c = _compare(args, *_problem(args))
    except Interrupted as stop:
        if not args.quiet and isinstance(stop.run, Comparison):
            print(stop.run.summary())  # as far as it came
        raise
    if not args.quiet:
        print(c.summary())
    if args.out is not None:
        _write(args, c)
    if args.diagnostics is not None:
        _write_diagnostics(args, c)
    status = c.original.status
    if status in (Status.BUDGET, Status.DIVERGED):
        raise RunFailed(f"the run did not end: {status.describe}")
    return int(any(verdict.status == "refuted" for verdict in c.verdicts.values()))


def _claim_outputs(args: argparse.Namespace) -> None:
    """Make sure that everything asked for can be written."""
    outputs: dict[str, Path] = {}
    if args.out is not None:
        files.claim_folder("--out", args.out, FILES)
        outputs |= {f"--out ({name})": args.out / name for name in FILES}
    if args.diagnostics is not None:
        path = args.diagnostics
        if path.suffix.lower() not in FIGURES:
            raise ValueError(f"--diagnostics must end in {', '.join(FIGURES)}, got {path}")
        files.claim_folder("--diagnostics", path.parent, [path.name])
        outputs["--diagnostics"] = path
    read = args.target not in (None, STREAM)
    files.check_apart(outputs, {"TARGET": args.target} if read else {})


def _rank(text: str) -> int | str:
    """Read a number of modes, or one of the words for them."""
    try:
        return text if text in ("auto", "full") else numerals.integer(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"must be a number of modes, auto or full, got {text!r}"
        ) from None


def _problem(args: argparse.Namespace) -> tuple[Any, int | None, int | str]:
    """The target, r̂, and the modes to ask about."""
    if args.target is None:
        _check_alone(args, READING, "only with a TARGET file")
        M, rank = _generated(args)
        r_hat = min(2 * rank, *M.shape)
        return M, r_hat if args.r_hat is None else args.r_hat, DEFAULTS["rank"]
    return _from_file(args), args.r_hat, DEFAULTS["rank"] if args.rank is None else args.rank


def _generated(args: argparse.Namespace) -> tuple[Any, int]:
    shape = args.shape or [DEFAULT_SIZE]
    if len(shape) > 2:
        raise ValueError(f"`shape` must be one or two numbers, got {len(shape)}")
    d_out, d_in = checks.shape("shape", (shape[0], shape[-1]))
    rank = args.rank
    if isinstance(rank, str):
        raise ValueError(f"`rank` must be a number for a generated target, got {rank}")
    if rank is None:
        rank = len(args.spectrum) if args.spectrum else min(DEFAULT_RANK, d_out, d_in)
    options = {"singular_values": args.spectrum, "factored": bool(args.factored)}
    return dlnlab.random_target((d_out, d_in), rank, rng=args.seed, **options), rank


def _from_file(args: argparse.Namespace) -> np.ndarray:
    _check_alone(args, GENERATED, "only for a generated target, not with a TARGET file")
    words = {None: None, "yes": True, "no": False}
    table = data.read(
        args.target, header=words[args.header], index=words[args.index], name=args.name
    )
    if not args.quiet:
        print(f"Read {table.note}.")
    M = checks.matrix("M", table.dense, ndim=2, are_finite=False)
    unknown = int(np.count_nonzero(np.isnan(M)))
    if unknown:
        raise ValueError(
            f"`M` must be finite, got {unknown} of {M.size} entries empty or NaN: a comparison "
            "needs all of them; for matrix completion, in Python, "
            f"dlnlab.completion(dlnlab.data.read({str(args.target)!r}).values)"
        )
    return M


def _check_alone(args: argparse.Namespace, names: Sequence[str], when: str) -> None:
    """Raise if options are given that mean nothing here."""
    given = [f"--{name}" for name in names if getattr(args, name) is not None]
    if given:
        raise ValueError(f"{', '.join(given)}: {when}")


def _compare(args: argparse.Namespace, M: Any, r_hat: int | None, rank: int | str) -> Comparison:
    """Run the comparison, and note in its settings where the target came from."""
    shown = sys.stderr.isatty() if args.progress is None else args.progress
    shown = shown and not args.quiet
    line = _ProgressLine()
    silent = args.quiet or args.progress is False
    try:
        c = dlnlab.compare(
            M,
            r_hat,
            rank=rank,
            depth=args.depth,
            eps=args.eps,
            rng=args.seed,
            width=args.width[0] if args.width and len(args.width) == 1 else args.width,
            normalization=args.normalization,
            within=args.within,
            t_end=args.t_end,
            rtol=args.rtol,
            method=args.method,
            max_steps=args.max_steps,
            num_records=args.records,
            progress=line if shown else False,
            announce=None if silent else _announce,
        )
    finally:
        line.clear()
    target = "generated" if args.target is None else str(args.target)
    return dataclasses.replace(c, settings=c.settings | {"target": target})


def _announce(plan: Plan) -> None:
    """Say before the work starts what it will take, if that is not a moment."""
    if plan.seconds > MOMENT or plan.rank < plan.of:
        print(plan, file=sys.stderr, flush=True)


class _ProgressLine:
    """One line on the error stream that follows a comparison, mode by mode.

    When a mode is learned is an estimate, so 99 % may last a while.
    """

    def __init__(self) -> None:
        self.length = 0

    def __call__(self, done: float, total: float, loss: float) -> None:
        share = 100 if done >= total else min(99, math.floor(100 * done / total))
        self._show(f"integrating: {done:.1f} of {total:.4g} modes, loss {loss:.2e}, {share:3d} %")

    def clear(self) -> None:
        """Wipe the line."""
        if self.length:
            self._show("")
            sys.stderr.write("\r")
            sys.stderr.flush()

    def _show(self, text: str) -> None:
        padded = text.ljust(self.length)
        self.length = len(padded)  # before writing: Ctrl-C may come in between
        sys.stderr.write("\r" + padded)
        sys.stderr.flush()


def _write(args: argparse.Namespace, c: Comparison) -> None:
    """Write figures, arrays, outcome and manifest, all of them or none."""
    from dlnlab import plotting  # Matplotlib takes a second to load

    figure = plotting.comparison(c)
    with files.replacing(args.out) as directory:
        for suffix in ("png", "pdf"):
            plotting.save(figure, directory / f"comparison.{suffix}")
            figure.set_layout_engine("none")  # laid out once is enough, and takes half the time
        np.savez(directory / "comparison.npz", **c.to_dict())  # type: ignore[arg-type]
        files.write_json(directory / "comparison.json", report.comparison_json(c))
        files.write_json(directory / "manifest.json", _manifest(args, c))
        names = sorted(path.name for path in directory.iterdir())
    if not args.quiet:
        print(f"Wrote to {args.out}: {', '.join(names)}")


def _write_diagnostics(args: argparse.Namespace, c: Comparison) -> None:
    from dlnlab import plotting  # Matplotlib takes a second to load

    with files.replacing(args.diagnostics.parent) as directory:
        plotting.save(plotting.assumption1(c), directory / args.diagnostics.name)
    if not args.quiet:
        print(f"Wrote {args.diagnostics}")


def _manifest(args: argparse.Namespace, c: Comparison) -> dict[str, Any]:
    parameters = dict(c.settings)
    for name in ("spectrum", "max_steps", "records"):
        parameters[name] = getattr(args, name)
    parameters["factored"] = bool(args.factored)
    if args.target not in (None, STREAM):
        parameters["target_sha256"] = hashlib.sha256(args.target.read_bytes()).hexdigest()
    return report.manifest(args.command_line, parameters, c.seconds)
