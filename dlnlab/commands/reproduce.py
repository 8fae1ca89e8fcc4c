"""``dlnlab reproduce``: the paper's figures and tables in all readings, and our experiments."""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from dlnlab import campaigns, experiments, report, terminal
from dlnlab.campaigns import executors
from dlnlab.commands import campaign, claims, files, numerals, schedule
from dlnlab.experiments import EXPERIMENTS, Experiment, Study
from dlnlab.files import untrusted

__all__ = ["EPILOG", "LARGEST", "add", "run"]

LARGEST = 10_000_000
"""Bytes of the JSON of an experiment; those of the paper take some ten thousand."""

EPILOG = """\
examples:
  dlnlab reproduce fig5 --out results            all readings, as many seeds as the figure needs
  dlnlab reproduce all --quick --out results     everything, small, in a few minutes
  dlnlab reproduce fig6 fig19 --as code --seeds 5 --out results
  dlnlab reproduce --list

Each figure leaves DIR/NAME/NAME.png, .pdf, .npz, .csv, .json (verdict) and -manifest.json; open
DIR/index.html. Finished seeds are kept in DIR/NAME/NAME.jsonl (those of fig20 and table1
with fig1's and fig21's, since they show the same runs): the same command continues an interrupted
run.

readings:
  paper   the settings that the paper states
  code    those of its authors' public notebooks
  both    these two
  every   also those that test explanations of a difference, except those that take hours (default)
  NAME    any of those by its name, or several: top or code,top
The experiment compression is ours; its readings are factorization, completion, sensing and digits.

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
        "reproduce",
        help="the paper's figures and tables, in the settings of its text and of its code",
        description="Run the paper's matrix-recovery experiments and compare each with a yardstick "
        "that was declared beforehand.",
        epilog=EPILOG + exit_codes,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, prog=parser.prog)
    option = parser.add_argument
    option("names", nargs="*", metavar="NAME", help="fig5, table3, compression, …, or all")
    option("--list", action="store_true", help="list the experiments and stop")
    option("--out", type=files.path, metavar="DIR", help="where results go; created if missing")
    text = "which settings to run: paper, code, both, every, or names of readings"
    option("--as", dest="reading", default="every", metavar="READING", help=text)
    text = "small settings, for which no verdict is given, only whether the claims hold there"
    option("--quick", action="store_true", help=text)
    option(
        "--seeds",
        type=numerals.integer,
        metavar="N",
        help="number of seeds (default: the experiment's)",
    )
    option("--data", metavar="PATH", default="", help="data set, for experiments that need one")
    option(
        "--executor",
        default="processes",
        metavar="WHERE",
        help="serial, processes, processes=N, dask=ADDRESS, or MODULE:FUNCTION that returns a "
        "concurrent.futures.Executor (default: processes, one per core)",
    )


def run(args: argparse.Namespace) -> int:
    """Carry the experiments out, and return the exit code.

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
    if args.list:
        claims.show_list({name: e.title for name, e in EXPERIMENTS.items()})
        return 0
    chosen = _chosen(args)
    if args.out is None:
        raise ValueError("--out is needed: the directory for the results")
    if args.seeds is not None and args.seeds < 1:
        raise ValueError(f"--seeds must be an integer >= 1, got {args.seeds}")
    for experiment in chosen:
        missing = _missing(experiment, args)
        if missing:
            raise ValueError(f"{experiment.name} cannot be run: {missing}")
    _check_data(chosen, args)
    _check_outputs(chosen, args)
    with campaign.told_in_one_line(), executors.using(args.executor) as pool:
        for experiment in chosen:
            print(f"{experiment.name:<8} {schedule.to_do(_spent(experiment, args))}", flush=True)
        for number, experiment in enumerate(chosen, 1):
            label = f"{experiment.name} ({number} of {len(chosen)})"
            study, seconds = _carry_out(experiment, args, pool, label)
            found = f"{experiment.name:<8} {study.verdict} ({study.basis})"
            print("\n".join(terminal.paragraph(found, hanging=9 * " ")))
            told = schedule.took(_spent(experiment, args))
            print(f"{'':<8} done in {schedule.duration(seconds)}; {told}", flush=True)
    print(f"Wrote {args.out / 'index.html'}")
    return 0


def _chosen(args: argparse.Namespace) -> list[Experiment]:
    """Return the experiments asked for, each once."""
    known = ", ".join([*EXPERIMENTS, "all"])
    unknown = [name for name in args.names if name not in (*EXPERIMENTS, "all")]
    if unknown or not args.names:
        got = repr(unknown[0]) if unknown else "nothing"
        raise ValueError(f"`NAME` must be among {known}, got {got}")
    if "all" not in args.names:
        return [EXPERIMENTS[name] for name in dict.fromkeys(args.names)]
    ready = [e for e in EXPERIMENTS.values() if not e.needed(quick=args.quick)]
    if args.data:
        ready += _served(args)
    left_out = {
        experiment.name: _missing(experiment, args)
        if experiment in ready
        else f"--data must be {experiment.needs_data}"
        for experiment in EXPERIMENTS.values()
    }
    for name, why in left_out.items():
        if why:
            print(f"{name} is left out: {why}")
    return [EXPERIMENTS[name] for name, why in left_out.items() if not why]


def _missing(experiment: Experiment, args: argparse.Namespace) -> str:
    """Return which package the readings asked for miss, and the remedy; empty if none."""
    try:
        experiment.check_ready(_readings(experiment, args), quick=args.quick)
    except ImportError as error:
        return str(error)
    return ""


def _served(args: argparse.Namespace) -> list[Experiment]:
    """Return the experiments that need data of which --data are the right ones; one at least."""
    needy = [e for e in EXPERIMENTS.values() if e.needed(quick=args.quick)]
    served, first = [], None
    for experiment in needy:
        try:
            _check_data([experiment], args)
        except ValueError as error:
            first = first or error
        else:
            served.append(experiment)
    if first and not served:
        raise first
    return served


def _readings(experiment: Experiment, args: argparse.Namespace) -> list[str]:
    names = {"every": list(experiment.readings)}
    if not experiment.ours:
        names = {"both": ["paper", "code"]} | names
    chosen = names.get(args.reading, args.reading.split(","))
    unknown = [name for name in chosen if name not in experiment.settings]
    if unknown:
        known = ", ".join([*names, *experiment.settings])
        raise ValueError(f"--as must be among {known} for {experiment.name}, got {unknown[0]!r}")
    return chosen


def _check_data(chosen: Sequence[Experiment], args: argparse.Namespace) -> None:
    """Raise, before any run, unless the data are what they must be."""
    for experiment in chosen:
        what = experiment.needed(_readings(experiment, args), quick=args.quick)
        if not what or not args.data:
            continue
        if not Path(args.data).exists():
            raise ValueError(
                f"--data must be {what} for {experiment.name}, but {args.data} does not exist"
            )
        try:
            if experiment.check_data is not None:
                experiment.check_data(args.data)
        except (ValueError, OSError) as error:
            raise ValueError(str(error).replace("`path`", "--data")) from error


def _check_outputs(chosen: Sequence[Experiment], args: argparse.Namespace) -> None:
    """Raise, before any run, unless everything can be written, and the index be made."""
    files.claim_folder("--out", args.out, ["index.html"])
    for experiment in chosen:
        path = _kept(experiment, args)
        files.claim_folder("--out", path.parent, [path.name])
        files.claim_folder("--out", args.out / experiment.name, _names(experiment))
    _held(args.out)


def _seeds(experiment: Experiment, args: argparse.Namespace) -> int:
    return args.seeds or (1 if args.quick else experiment.seeds)


def _spent(experiment: Experiment, args: argparse.Namespace) -> dict[str, list[float | None]]:
    """Return how long each seed of each reading took; None of those still to run."""
    path, options = _kept(experiment, args), {"quick": args.quick, "data": args.data}
    return {
        reading: campaigns.seconds(
            experiment.measure,
            experiment.configurations(reading, _seeds(experiment, args), **options),
            path,
        )
        for reading in _readings(experiment, args)
    }


def _kept(experiment: Experiment, args: argparse.Namespace) -> Path:
    """The file that keeps finished runs."""
    path: Path = args.out / experiment.kept_with / f"{experiment.kept_with}.jsonl"
    return path


def _carry_out(
    experiment: Experiment, args: argparse.Namespace, pool: Any, label: str
) -> tuple[Study, float]:
    """Run one experiment; write its results and the index of all.

    Returns the study, and the seconds that all of it took.
    """
    started = time.monotonic()
    path, folder = _kept(experiment, args), args.out / experiment.name
    for each in (path.parent, folder):
        each.mkdir(parents=True, exist_ok=True)
    study = experiments.study(
        experiment,
        _readings(experiment, args),
        seeds=args.seeds,
        quick=args.quick,
        executor=pool,
        path=path,
        progress=lambda done, total: claims.show_status(
            f"{label}: {done} of {total} runs done, "
            f"{schedule.duration(time.monotonic() - started)} so far"
        ),
        data=args.data,
    )
    claims.show_status(f"{label}: drawing")
    _write(study, folder, args, time.monotonic() - started)
    _files_index(args.out)
    claims.show_status("")
    return study, time.monotonic() - started


def _names(experiment: Experiment) -> list[str]:
    """The files of an experiment that are written anew by every run."""
    suffixes = (".png", ".pdf", ".npz", ".csv", ".json", "-manifest.json")
    return [f"{experiment.name}{suffix}" for suffix in suffixes]


def _write(study: Study, folder: Path, args: argparse.Namespace, seconds: float) -> None:
    """Write figures, numbers, verdict and manifest, all of them or none."""
    from dlnlab import plotting  # Matplotlib takes a second to load

    name = study.experiment.name
    figure = study.plot()
    parameters = {
        "experiment": name,
        "as": args.reading,
        "quick": args.quick,
        "seeds": _seeds(study.experiment, args),
        "executor": args.executor,
        "data": args.data,
        "configurations": study.configurations,
        "runs": {
            "kept in": _kept(study.experiment, args).relative_to(args.out).as_posix(),
            "seconds": _spent(study.experiment, args),
        },
    }
    with files.replacing(folder) as directory:
        for suffix in ("png", "pdf"):
            plotting.save(figure, directory / f"{name}.{suffix}")
            figure.set_layout_engine("none")  # laid out once is enough, and takes half the time
        np.savez(directory / f"{name}.npz", **dict(_arrays(study)))
        _write_csv(directory / f"{name}.csv", study)
        files.write_json(directory / f"{name}.json", report.study_json(study))
        files.write_json(
            directory / f"{name}-manifest.json",
            report.manifest(args.command_line, parameters, seconds),
        )


def _arrays(study: Study) -> Iterator[tuple[str, Any]]:
    """Every series, under reading.seed.curve.series."""
    for reading, results in study.results.items():
        for seed, result in enumerate(results):
            for curve, series in result["curves"].items():
                for name, numbers in series.items():
                    yield f"{reading}.{seed}.{curve}.{name}", np.asarray(numbers, dtype=float)


def _write_csv(path: Path, study: Study) -> None:
    """Write every quantity of every seed."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("reading", "seed", "quantity", "value"))
        for reading, results in study.results.items():
            for seed, result in enumerate(results):
                writer.writerows((reading, seed, *item) for item in result["values"].items())


def _files_index(out: Path) -> None:
    """Write the index of all experiments that a directory holds, but those of older versions."""
    held = _held(out)
    manifests = {study["name"]: manifest for study, manifest in held if manifest}
    page = report.experiments_html([study for study, _ in held], manifests)
    with files.replacing(out) as directory:
        files.write(directory / "index.html", page)


def _held(out: Path) -> list[tuple[dict[str, Any], dict[str, Any] | None]]:
    """Return what a directory holds of experiments, with their manifests, older versions left out.

    Raises
    ------
    ValueError
        If a file of that name holds something else; the message names it.
    """
    paths = {name: out / name / f"{name}.json" for name in EXPERIMENTS}
    held = [_study(name, path) for name, path in paths.items() if path.is_file()]
    return [pair for pair in held if pair[0]["format"] == report.STUDY_FORMAT]


def _study(name: str, path: Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Read what is told of an experiment, and make sure that a page can be made of it."""
    made = path.with_name(f"{name}-manifest.json")
    try:
        study = untrusted.json_object(path, LARGEST)
        if (study["name"], type(study["format"])) != (name, int):
            raise ValueError("it is about something else")
        manifest = untrusted.json_object(made, LARGEST) if made.is_file() else None
        if study["format"] == report.STUDY_FORMAT:
            report.experiments_html([study], {name: manifest} if manifest else {})
    except Exception as error:  # anybody's file can be wrong in any way
        raise ValueError(
            f"--out: {path}, or the manifest beside it, was not written by dlnlab reproduce "
            f"({error}); move it away, or choose another directory"
        ) from error
    return study, manifest
