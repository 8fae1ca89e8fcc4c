"""``dlnlab attack``: attack conjectures of the user's own, which stand in a file of Python."""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from dlnlab import Conjecture, ConjectureError, report
from dlnlab.commands import RunFailed, campaign, claims, files, numerals
from dlnlab.lab.outcome import Outcome

__all__ = ["EPILOG", "INSTANCES", "add", "run"]

INSTANCES = {"ci": 200, "dev": 2_000, "hunt": 50_000}
"""How many instances a profile looks at."""

EPILOG = """\
examples:
  dlnlab attack mine.py                     every conjecture in the file
  dlnlab attack mine.py:nuclear --instances 2000 --seed 1
  dlnlab attack mine.py --profile hunt --resume mine.jsonl --json mine.json --html mine.html

In mine.py:
  import dlnlab

  @dlnlab.conjecture("The wide network's nuclear norm never exceeds the compressed one's.")
  def nuclear(pair):
      return pair.compressed.singular_values.sum(-1) - pair.original.singular_values.sum(-1)

The file is run, as `python mine.py` would run it: attack only what you trust.

exit codes:
  0    no conjecture was refuted
  1    one was, or the run failed
  2    bad usage or bad input, or a conjecture whose function fails on every instance
  130  interrupted (Ctrl-C)
"""


def add(commands: Any, exit_codes: str) -> None:
    """Declare the command and its options.

    Parameters
    ----------
    commands : the subparsers of an argparse.ArgumentParser
    exit_codes : str
        Not used: here a refutation is one of the user's conjectures.
    """
    parser = commands.add_parser(
        "attack",
        help="attack conjectures of your own",
        description="Try to refute the conjectures in a file of Python: random instances, a climb "
        "towards the worst margin, and the simplest counterexample, confirmed in another way.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, prog=parser.prog)
    parser.add_argument("file", metavar="FILE.py[:NAME]", help="where they are; NAME: only that")
    parser.add_argument(
        "--profile", choices=tuple(INSTANCES), default="ci", help="how many instances (default: ci)"
    )
    parser.add_argument(
        "--instances", type=numerals.integer, metavar="N", help="exactly how many instances"
    )
    parser.add_argument(
        "--seed", type=numerals.integer, default=0, help="which instances (default: 0)"
    )
    for name, what in (("json", "the verdicts"), ("html", "a page with them")):
        parser.add_argument(
            f"--{name}", type=files.path, metavar="FILE", help=f"write {what} to FILE"
        )
    campaign.add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Attack the conjectures and return the exit code.

    Parameters
    ----------
    args : argparse.Namespace
        The command line.

    Returns
    -------
    int
    """
    files.claim({"--json": args.json, "--html": args.html}, {"--resume": args.resume})
    chosen = _chosen(args.file)
    instances = INSTANCES[args.profile] if args.instances is None else args.instances
    started = time.monotonic()
    outcomes: list[Outcome] = []
    try:
        for conjecture in chosen:
            outcomes.append(_attack(conjecture, instances, args))
            print(f"{outcomes[-1]}\n", flush=True)
    except KeyboardInterrupt as stop:
        if hasattr(stop, "verdict"):  # of the instances looked at
            outcomes.append(stop.verdict)
            print(f"{stop.verdict}\n", flush=True)
        raise
    finally:  # what was found stays found, however the attack on another one ends
        if outcomes:
            _write(args, outcomes, len(chosen), instances, time.monotonic() - started)
    return 1 if any(outcome.status == "refuted" for outcome in outcomes) else 0


def _write(
    args: argparse.Namespace, outcomes: list[Outcome], chosen: int, instances: int, seconds: float
) -> None:
    """Write the verdicts to the files asked for."""
    parameters = {"file": args.file, "instances": instances, "seed": args.seed}
    parameters |= campaign.parameters(args)
    content: dict[str, Any] = {"verdicts": [outcome.to_dict() for outcome in outcomes]}
    if len(outcomes) < chosen:
        content["not_attacked"] = chosen - len(outcomes)
    claims.write(args, content, parameters, seconds)
    if args.html is not None:
        manifest = report.manifest(args.command_line, parameters, seconds)
        files.write_text(args.html, report.conjectures_html(outcomes, manifest, _figures(outcomes)))


def _attack(conjecture: Conjecture, instances: int, args: argparse.Namespace) -> Outcome:
    """Attack one conjecture.

    Raises
    ------
    ValueError
        If its function fails on every instance.
    RunFailed
        If a task failed; what was computed by then is in the file of ``--resume``.
    KeyboardInterrupt
        On Ctrl-C, with what was found by then.
    """
    try:
        return conjecture.attack(instances, args.seed, progress=_progress, **campaign.options(args))
    except ConjectureError:
        raise
    except RuntimeError as error:
        raise RunFailed(str(error)) from error
    finally:
        claims.show_status("")


def _progress(done: int, total: int) -> None:
    claims.show_status(f"{done} of {total} instances looked at")


def _chosen(told: str) -> list[Conjecture]:
    """Return the conjectures of a file, or the one that is named.

    Raises
    ------
    ValueError
        If there is no such file or conjecture, or the file cannot be run.
    """
    place, _, name = told.partition(":") if not Path(told).is_file() else (told, "", "")
    if not Path(place).is_file():
        raise ValueError(f"`file` must be FILE.py or FILE.py:NAME, no file {place!r} is there")
    module = _loaded(Path(place))
    known = {key: value for key, value in vars(module).items() if isinstance(value, Conjecture)}
    if name and name not in known:
        raise ValueError(
            f"`file` {place!r} has no conjecture {name!r}; it has {', '.join(known) or 'none'}"
        )
    if not known:
        raise ValueError(
            f"`file` {place!r} has no conjecture: decorate a function with @dlnlab.conjecture(...)"
        )
    return [known[name]] if name else list(known.values())


def _loaded(path: Path) -> ModuleType:
    """Run a file as a module that workers get by value, as they cannot import it."""
    name = f"conjectures_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"`file` must be a file of Python that ends in .py, got {str(path)!r}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise ValueError(
            f"`file` {str(path)!r} cannot be run: {type(error).__name__}: {error}"
        ) from error
    import_module("cloudpickle").register_pickle_by_value(module)
    return module


def _figures(outcomes: list[Outcome]) -> dict[str, str]:
    """Draw the instance of each outcome that has one, as an image within the page."""
    plotting = import_module("dlnlab.plotting")  # Matplotlib is loaded here
    return {
        outcome.name: f'<img alt="instance" src="{plotting.to_data_uri(outcome.plot())}"/>'
        for outcome in outcomes
        if outcome.case is not None
    }
