"""``dlnlab atlas``: a map of where the plain inequality of Theorem 2 fails, and by how much."""

from __future__ import annotations

import argparse
import time
from importlib import import_module
from pathlib import Path
from typing import Any

from dlnlab import campaigns, report
from dlnlab.commands import campaign, files, numerals
from dlnlab.report import atlas as text
from dlnlab.results import plain

__all__ = ["EPILOG", "FIGURES", "FILES", "PROFILES", "add", "run"]

PROFILES = ("ci", "dev", "hunt")
FIGURES = ("map", "width", "descent", "threshold")
FILES = (
    "index.html",
    "atlas.csv",
    "atlas.json",
    *(f"{n}.{s}" for n in FIGURES for s in ("png", "pdf")),
)

EPILOG = """\
examples:
  dlnlab atlas --out atlas                     a coarse atlas, about half a minute on one core
  dlnlab atlas --out atlas --profile dev       the one of the documentation
  dlnlab atlas --out atlas --profile hunt --resume atlas.jsonl
                                               1000 starts in each cell; run again to continue

files in DIR:
  index.html                 all of the following on one self-contained page
  atlas.csv                  one line for each L, ε^L/σ_r*, d, r̂, kind of start and step size
  atlas.json                 regions, exponents, manifest
  map, width, descent, threshold
                             the figures, .png and .pdf

exit codes:
  0    the atlas was drawn, and nothing in it contradicts the refined theorem
  1    a start contradicts the refined theorem, or the run failed
  2    bad usage or bad input
  130  interrupted (Ctrl-C)
"""


def add(commands: Any, exit_codes: str) -> None:
    """Declare the command and its options; its exit codes are its own.

    Parameters
    ----------
    commands : the subparsers of an argparse.ArgumentParser
    exit_codes : str
        Not used: the inequality is known to fail, and only the refined theorem can be refuted.
    """
    parser = commands.add_parser(
        "atlas",
        help="map where the plain inequality of Theorem 2 fails, and by how much",
        description="Measure the plain inequality of Theorem 2 over L, ε^L/σ_r*, r̂ − r and d,\n"
        "under gradient flow and gradient descent.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run, prog=parser.prog)
    parser.add_argument(
        "--out",
        type=files.path,
        metavar="DIR",
        required=True,
        help="where to write; DIR is created if missing, and files of the names below are replaced",
    )
    parser.add_argument(
        "--profile", choices=PROFILES, default="ci", help="how finely (default: ci)"
    )
    parser.add_argument(
        "--seed", type=numerals.integer, default=0, help="which starts (default: 0)"
    )
    campaign.add_options(parser)


def run(args: argparse.Namespace) -> int:
    """Draw the atlas and return the exit code.

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
    atlas = import_module("dlnlab.atlas.survey")
    if args.seed < 0:
        raise ValueError(f"`seed` must be an integer >= 0, got {args.seed}")
    files.claim_folder("--out", args.out, FILES)
    written = {f"--out ({name})": args.out / name for name in FILES}
    files.check_apart(written, {"--resume": args.resume} if args.resume else {})
    started = time.monotonic()
    configurations = atlas.configurations(args.profile, args.seed)
    with campaign.told_in_one_line():
        options = {"progress": campaign.show_progress} | campaign.options(args)
        results = campaigns.run(atlas.measure, configurations, **options)
    return _tell(args, configurations, results, time.monotonic() - started)


def _tell(
    args: argparse.Namespace,
    configurations: list[dict[str, Any]],
    results: list[dict[str, Any]],
    seconds: float,
) -> int:
    """Summarize, print and write."""
    summary = import_module("dlnlab.atlas.cells")
    findings = import_module("dlnlab.atlas.findings")
    cells = summary.cells(configurations, results)
    regions, notes = findings.regions(cells), findings.notes(configurations, results)
    parameters = {"profile": args.profile, "seed": args.seed} | campaign.parameters(args)
    manifest = report.manifest(args.command_line, parameters, seconds)
    print(text.atlas_text(regions, notes))
    with files.replacing(args.out) as directory:
        images = _draw(cells, directory)
        summary.write(cells, directory / "atlas.csv")
        content = {
            "regions": [region._asdict() for region in regions],
            "exponents": [fit._asdict() for fit in findings.exponents(configurations, results)],
            "notes": list(notes),
            "manifest": manifest,
        }
        files.write_json(directory / "atlas.json", plain(content))
        page = text.atlas_html(regions, notes, images, manifest)
        files.write(directory / "index.html", page)
        names = sorted(path.name for path in directory.iterdir())
    print(f"\nWrote to {args.out}: {', '.join(names)}")
    return 1 if findings.contradictions(cells) else 0


def _draw(cells: list[Any], directory: Path) -> dict[str, str]:
    """Write the figures, and return them as data URIs."""
    from dlnlab import plotting  # Matplotlib takes a second to load
    from dlnlab.plotting import atlas

    images = {}
    drawings = (atlas.atlas_map, atlas.width, atlas.descent, atlas.threshold)
    for name, draw in zip(FIGURES, drawings, strict=True):
        figure = draw(cells)
        for suffix in ("png", "pdf"):
            plotting.save(figure, directory / f"{name}.{suffix}")
        images[name] = plotting.to_data_uri(figure)
    return images
