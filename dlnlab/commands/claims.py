"""What the commands that go through the claims, `prove` and `validate`, have in common."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from dlnlab import report, terminal
from dlnlab.commands import files

__all__ = [
    "add_options",
    "chosen",
    "show_list",
    "show_status",
    "write",
]


def add_options(parser: argparse.ArgumentParser, written: str) -> None:
    """Declare the names, ``--list`` and ``--json``; `written` says what goes to the file.

    Parameters
    ----------
    parser : argparse.ArgumentParser
    written : str
    """
    parser.add_argument("claims", nargs="*", metavar="CLAIM", help="names; default: all of them")
    parser.add_argument("--list", action="store_true", help="list the names and stop")
    parser.add_argument("--json", type=files.path, metavar="FILE", help=f"write {written} to FILE")


def chosen(args: argparse.Namespace, known: Sequence[str]) -> list[str]:
    """Return the names asked for, each once, or all of them.

    Parameters
    ----------
    args : argparse.Namespace
        The command line.
    known : sequence of str

    Returns
    -------
    list of str

    Raises
    ------
    ValueError
        If a name is not known.
    """
    names = list(dict.fromkeys(args.claims)) or list(known)
    unknown = [name for name in names if name not in known]
    if unknown:
        near = difflib.get_close_matches(unknown[0], known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"`CLAIM` must be one of {', '.join(known)}, got {unknown[0]!r}{hint}")
    return names


def write(
    args: argparse.Namespace,
    content: Mapping[str, Any],
    parameters: Mapping[str, Any],
    seconds: float,
) -> None:
    """Write `content` and the manifest of the run to the file asked for, if any, and say so.

    Parameters
    ----------
    args : argparse.Namespace
        The command line.
    content : mapping
    parameters : mapping
        Of the manifest.
    seconds : float
    """
    if args.json is None:
        return
    manifest = report.manifest(args.command_line, parameters, seconds)
    files.write_text(args.json, files.strict_json({**content, "manifest": manifest}))


def show_list(titles: Mapping[str, str]) -> None:
    """Print names with what they stand for beside them.

    Parameters
    ----------
    titles : mapping of str to str
    """
    width = 1 + max(map(len, titles))
    for name, title in titles.items():
        print("\n".join(terminal.paragraph(f"{name:<{width}}{title}", hanging=width * " ")))


def show_status(text: str) -> None:
    """Say on a terminal what is being done; an empty text clears the line.

    Parameters
    ----------
    text : str
    """
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
