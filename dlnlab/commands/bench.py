"""``dlnlab bench``: how fast the engine is, against a reference and against the machine."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from dlnlab import bench, report, results, terminal
from dlnlab.bench import alone, flows, growth, literal, machine, measurement, peer, profile
from dlnlab.bench.rows import ROWS
from dlnlab.bench.workloads import Workload
from dlnlab.commands import RunFailed, claims, files, numerals
from dlnlab.lab import rates, suite
from dlnlab.numerics import arrays
from dlnlab.numerics.arrays import Array
from dlnlab.report import bench as bench_report
from dlnlab.report import page

__all__ = ["ALONE", "EPILOG", "FLOWS", "GROWTH", "SUITES", "TABLES", "add", "run"]

GROWTH, ALONE, FLOWS, SUITES = "growth", "alone", "flows", "suites"

TABLES = {
    GROWTH: f"time and memory against {', '.join(growth.AXES)}",
    ALONE: "rows on one thread, in the processor's time, and what of it cannot be saved",
    FLOWS: "the comparison of two gradient flows, against diffrax on JAX",
    SUITES: "instances per second of the attack on each claim, and what a hunt would take",
}
"""What is measured beside rows."""

EPILOG = """\
examples:
  dlnlab bench --list                          the rows, and their targets
  dlnlab bench wide-100 sensing-wide           two rows
  dlnlab bench --peer ../comp-deep-nets        all rows, against the authors' code
  dlnlab bench growth                          time and memory against every size
  dlnlab bench flows                           flow.compare against a compiled solver (diffrax)
  dlnlab bench suites                          instances per second of the attack on each claim
  dlnlab bench compressed-100 --profile        where the time of a step goes
  dlnlab bench --device gpu --json gpu.json    all rows on a GPU, single and in full batches

A ratio is the reference's time per step over the engine's, per network. Before a row is timed, the
engine and a literal loop must agree. "of limit" compares with the time that the literal step would
take at the machine's own rate of matrix products and of reading memory, measured in the same run.

"""


def add(commands: Any, exit_codes: str) -> None:
    """Declare the command and its options.

    Parameters
    ----------
    commands : the subparsers of an argparse.ArgumentParser
    exit_codes : str
        For the end of the help text.
    """
    parser = commands.add_parser(
        "bench",
        help="measure how fast the engine is",
        description="Time the engine against the authors' code or a literal loop, and against the "
        "machine's limits.",
        epilog=EPILOG + exit_codes,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, prog=parser.prog)
    parser.add_argument(
        "rows", nargs="*", metavar="ROW", help=f"rows, or {', '.join(TABLES)}; default: all rows"
    )
    parser.add_argument("--list", action="store_true", help="list the rows and stop")
    parser.add_argument(
        "--peer", type=files.path, metavar="PATH", help="a checkout of soominkwon/comp-deep-nets"
    )
    parser.add_argument(
        "--device", choices=("cpu", "gpu"), default="cpu", help="where the engine runs"
    )
    parser.add_argument(
        "--threads",
        type=numerals.integer,
        metavar="N",
        help="largest number of threads (default: one per core)",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="check that everything runs; the times are not meaningful",
    )
    parser.add_argument(
        "--profile", action="store_true", help="report where the time of a step goes instead"
    )
    parser.add_argument("--json", type=files.path, metavar="FILE", help="write the results to FILE")
    parser.add_argument("--html", type=files.path, metavar="FILE", help="write a page to FILE")


def run(args: argparse.Namespace) -> int:
    """Measure what was asked for and return the exit code; a missed target is no failure.

    Parameters
    ----------
    args : argparse.Namespace
        The command line.

    Returns
    -------
    int
    """
    if args.list:
        titles = {name: row.title for name, row in ROWS.items()}
        claims.show_list(titles | TABLES)
        return 0
    names = _chosen(args)
    reference = arrays.gpu_reference() if args.device == "gpu" else np.empty(0)
    make_loop = _reference_loops(args.peer)
    if args.profile:
        return _profile(names, reference)
    started = time.monotonic()
    record = _measure(names, make_loop, reference, args)
    parameters = {
        "rows": names,
        "peer": args.peer and str(args.peer),
        "device": args.device,
        "threads": args.threads,
        "quick": args.quick,
    }
    seconds = time.monotonic() - started
    claims.write(args, record, parameters, seconds)
    if args.html is not None:
        manifest = report.manifest(args.command_line, parameters, seconds)
        files.write_text(args.html, _html(record, manifest))
    return 0


def _chosen(args: argparse.Namespace) -> list[str]:
    """Return the names asked for, each once, or all rows; raise ValueError for what is wrong."""
    names = list(dict.fromkeys(args.rows)) or list(ROWS)
    known = [*ROWS, *TABLES]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ValueError(f"`ROW` must be one of {', '.join(known)}, got {unknown[0]!r}")
    if args.threads is not None and args.threads < 1:
        raise ValueError(f"`threads` must be an integer >= 1, got {args.threads}")
    tables = [name for name in names if name in TABLES]
    if tables and (args.device == "gpu" or args.profile):
        raise ValueError(
            f"`ROW` {tables[0]} must be measured with --device cpu, and without --profile"
        )
    files.claim({"--json": args.json, "--html": args.html})
    return names


def _reference_loops(path: Path | None) -> Callable[[Workload], literal.LiteralLoop]:
    """Return what makes the reference's loops: the authors' code, else JAX, else NumPy."""
    if path is not None:
        code = peer.Peer(path)
        return lambda instance: peer.PeerLoop(code, instance)
    if importlib.util.find_spec("jax") is not None:
        return literal.JaxLoop
    return literal.NumpyLoop


def _measure(
    names: Sequence[str],
    make_loop: Callable[[Workload], literal.LiteralLoop],
    reference: Array,
    args: argparse.Namespace,
) -> dict[str, Any]:
    """Measure and tell one after the other; return plain data."""
    effort = measurement.QUICK if args.quick else measurement.Effort()
    claims.show_status("measuring what the machine can do")
    told: dict[str, Any] = {"machine": machine.describe(reference, effort), "rows": []}
    claims.show_status("")
    rows = [name for name in names if name not in TABLES]
    if rows:
        print(bench_report.line(bench_report.ROW_HEADER))
    for name in rows:
        for batch in _batches(name, reference, args, effort):
            told["rows"].append(_row(name, batch, make_loop, reference, args, effort))
    told["growth"] = list(_growths(args.quick)) if GROWTH in names else []
    told["alone"] = list(_alone(make_loop, args.quick)) if ALONE in names else []
    told["flows"] = list(_flows(args.quick)) if FLOWS in names else []
    told["suites"] = list(_suites(args.quick)) if SUITES in names else []
    told["machine"]["load"].append(machine.load())
    for line in bench_report.machine_lines(told["machine"]):
        print("\n".join(terminal.paragraph(line, hanging="  ")))
    if args.quick:
        print("Quick runs show that everything runs; these times and ratios mean little.")
    return results.plain(told)


def _batches(
    name: str, reference: Array, args: argparse.Namespace, effort: measurement.Effort
) -> Sequence[int | None]:
    """The row's own batch; on a GPU one network, and as many as fill the chip."""
    row = ROWS[name]
    if args.device == "cpu" or row.records is not None:
        return [None]
    claims.show_status(f"{name}: how many networks fill the device")
    (part,) = row.build()
    full = measurement.filling_batch(
        lambda batch: measurement.time_per_network(part, batch, reference, effort.seconds)
    )
    return sorted({1, full})


def _row(
    name: str,
    batch: int | None,
    make_loop: Callable[[Workload], literal.LiteralLoop],
    reference: Array,
    args: argparse.Namespace,
    effort: measurement.Effort,
) -> dict[str, Any]:
    claims.show_status(f"measuring {name}")
    try:
        found = bench.measure(
            name, ROWS[name], make_loop, reference, effort, threads=args.threads, batch=batch
        )
    except measurement.Disagreement as error:
        raise RunFailed(f"{name}: {error}") from error
    finally:
        claims.show_status("")
    row = results.plain(found.to_dict())
    print(bench_report.line(bench_report.row_cells(row)), flush=True)
    return row


def _growths(quick: bool) -> Iterator[dict[str, Any]]:
    for name, axis in growth.AXES.items():
        claims.show_status(f"measuring growth with {name}")
        found = bench.grow(name, axis.values[:2] if quick else None).to_dict()
        claims.show_status("")
        print(f"\n{found['title']}, time of a {'step' if found['per_step'] else 'call'}")
        for cells in [bench_report.GROWTH_HEADER, *bench_report.growth_cells(found)]:
            print(bench_report.line(cells), flush=True)
        yield found


def _alone(
    make_loop: Callable[[Workload], literal.LiteralLoop], quick: bool
) -> Iterator[dict[str, Any]]:
    print(bench_report.line(bench_report.ALONE_HEADER))
    for name in alone.ALONE[1:2] if quick else alone.ALONE:
        claims.show_status(f"measuring {name}")
        settings = (0.001, 2) if quick else (0.1, 15)
        found = alone.measure(name, make_loop, *settings).to_dict()
        claims.show_status("")
        print(bench_report.line(bench_report.alone_cells(found)), flush=True)
        yield found


def _flows(quick: bool) -> Iterator[dict[str, Any]]:
    for name, one in list(flows.FLOWS.items())[-1 if quick else 0 :]:
        claims.show_status(f"measuring {name}")
        found = flows.measure(name, one, 2 if quick else 5).to_dict()
        claims.show_status("")
        for cells in bench_report.flow_cells(found):
            print(bench_report.line(cells), flush=True)
        yield found


def _suites(quick: bool) -> Iterator[dict[str, Any]]:
    names = importlib.import_module("dlnlab.validations").MODULES  # Hypothesis is loaded here
    print(bench_report.line(bench_report.SUITE_HEADER))
    for name in names[:1] if quick else names:
        claims.show_status(f"measuring the attack on {name}")
        found = rates.of_suite(suite.load(name), "hunt", 0.01 if quick else 1.0)
        claims.show_status("")
        told = [asdict(rate) | {"total": rate.total} for rate in found]
        for cells in bench_report.suite_cells(told):
            print(bench_report.line(cells), flush=True)
        yield from told


def _profile(names: Sequence[str], reference: Array) -> int:
    for name in names:
        print(f"{name}: µs per step and network")
        for place, microseconds in profile.of_row(ROWS[name], reference):
            print(f"  {microseconds:10.1f}  {place}")
    return 0


def _html(record: dict[str, Any], manifest: dict[str, Any]) -> str:
    body = [
        page.tag("p", page.escape(text)) for text in bench_report.machine_lines(record["machine"])
    ]
    if record["rows"]:
        rows = [bench_report.row_cells(row) for row in record["rows"]]
        reference = record["rows"][0]["reference_name"]
        body += [page.tag("h2", "Rows"), page.tag("p", page.escape(f"Reference: {reference}"))]
        body.append(page.table(bench_report.ROW_HEADER, rows))
        body.append(_drawn("rows", record["rows"]))
    for one in record["growth"]:
        body.append(page.tag("h2", page.escape(one["title"])))
        body.append(page.table(bench_report.GROWTH_HEADER, bench_report.growth_cells(one)))
    if record["growth"]:
        body.append(_drawn("growth", record["growth"]))
    body.append(page.definitions({"Made with": manifest["command"], "On": manifest["finished"]}))
    return page.page("How fast the engine is", body)


def _drawn(name: str, data: Any) -> str:
    from dlnlab import plotting  # Matplotlib is loaded here
    from dlnlab.plotting import speed

    picture = plotting.to_data_uri(getattr(speed, name)(data))
    return page.tag("figure", f'<img src="{picture}" alt="The {name} above as a figure">')
